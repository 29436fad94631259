//! The signature of what the hub posts to others, in the form of Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::clock::Entropy;
use crate::secrets::Secret;

/// What stands before the base64 of a secret.
const PREFIX: &str = "whsec_";

/// A new secret: `whsec_` and the base64 of 32 bytes.
#[must_use]
pub fn new_secret(entropy: &Entropy) -> Secret {
    Secret::from(format!("{PREFIX}{}", STANDARD.encode(entropy.bytes::<32>())))
}

/// Whether a text is a secret: `whsec_` and the base64 of 24 to 64 bytes.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    key(text).is_some_and(|bytes| (24..=64).contains(&bytes.len()))
}

fn key(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()
}

/// `v1,` and the base64 of HMAC-SHA256 over id, time in seconds, and body; `None` when the secret is not `whsec_` and base64.
#[must_use]
pub fn sign(secret: &Secret, id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key(secret.expose())?);
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{seconds}.").as_bytes());
    context.update(body);
    Some(format!("v1,{}", STANDARD.encode(context.sign())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_signs_as_the_specifications_libraries_do() {
        // The example of the specification's reference libraries.
        let secret = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signature = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(sign(&Secret::from("secret"), "a", 1, b""), None);
    }

    #[test]
    fn a_secret_has_24_to_64_bytes() {
        let entropy = Entropy::seeded(1);
        assert!(is_secret(new_secret(&entropy).expose()));
        for bytes in [23, 65] {
            assert!(!is_secret(&format!("{PREFIX}{}", STANDARD.encode(vec![1; bytes]))));
        }
        assert!(!is_secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") && !is_secret("whsec_?"));
    }
}
