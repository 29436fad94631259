//! The webhook signature (PLATFORM 15): base64 of HMAC-SHA256 over the raw body, keyed with the channel
//! secret.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Signs `body` (exact bytes) with `channel_secret`; gives the 44 character value of `x-line-signature`.
#[must_use]
pub fn sign(channel_secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, channel_secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, body))
}

/// Tells whether `signature` (the header's text) belongs to `body` under `channel_secret`; constant time,
/// false on bad base64.
#[must_use]
pub fn verify(channel_secret: &str, body: &[u8], signature: &str) -> bool {
    let Ok(tag) = STANDARD.decode(signature.trim()) else {
        return false;
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, channel_secret.as_bytes());
    hmac::verify(&key, body, &tag).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 15, "Signature test vectors": secret, body, signature.
    const VECTORS: [(&str, &str, &str); 3] = [
        (
            "8c570fa6dd201bb328f1c1eac23a96d8",
            r#"{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}"#,
            "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=",
        ),
        ("SECRET", "{}", "3q8QXTAGaey18yL8FWTqdVlbMr6hcuNvM4tefa0o9nA="),
        ("channel_secret", "bodybodybodybody", "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k="),
    ];

    #[test]
    fn published_vectors() {
        for (secret, body, signature) in VECTORS {
            assert_eq!(sign(secret, body.as_bytes()), signature);
            assert!(verify(secret, body.as_bytes(), signature));
            assert!(verify(secret, body.as_bytes(), &format!(" {signature} ")));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let (secret, body, signature) = VECTORS[0];
        assert!(!verify("SECRET", body.as_bytes(), signature));
        assert!(!verify(secret, body.replace("[]", "[ ]").as_bytes(), signature));
        for odd in ["", "no base64!", &signature[..43], &signature[..40], VECTORS[1].2] {
            assert!(!verify(secret, body.as_bytes(), odd), "{odd}");
        }
    }

    #[test]
    fn a_signature_has_44_characters() {
        assert_eq!(sign("", b"").len(), 44);
    }
}
