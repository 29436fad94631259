//! Signing keys: a channel proves itself by a JWT that its own RSA key signs, instead of by its secret (PLATFORM 4.2).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::der::{INTEGER, SEQUENCE, element};
use crate::secret::Secret;

/// The only `client_assertion_type` (PLATFORM 4.1).
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// For whom an assertion is (PLATFORM 4.2), whatever address LINE is reached at.
const AUDIENCE: &str = "https://api.line.me/";
/// How many seconds an assertion is good for. LINE takes 30 minutes at most (PLATFORM 4.2); with ten, a clock that is some
/// minutes off in either direction does no harm.
const LIFE: u64 = 600;

/// Why there is no signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// The text is not a private RSA key of 2048 bits in PKCS#8, in base64.
    #[error("not a private rsa key of 2048 bits")]
    NotAKey,
    /// The cryptography library made no key or no signature; its source of randomness failed.
    #[error("the key pair could not be made or used")]
    Failed,
}

/// A key pair that was just made: the private part to be sealed away, the public part to be registered at LINE.
#[derive(Debug)]
pub struct NewSigningKey {
    /// The private key: PKCS#8, in base64.
    pub private: Secret,
    /// What is pasted at LINE ("Register a public key"): `kty`, `alg`, `use`, `e`, `n`, and no `kid`, which LINE gives.
    pub public_jwk: Value,
}

impl NewSigningKey {
    /// Makes an RSA key pair of 2048 bits, as LINE asks for (PLATFORM 4.2). It takes a good part of a second of one
    /// processor, so it has no place on an async worker. Its randomness is the cryptography library's own.
    ///
    /// # Errors
    /// [`SigningKeyError::Failed`].
    pub fn generate() -> Result<Self, SigningKeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| SigningKeyError::Failed)?;
        let private = pair.as_der().map_err(|_| SigningKeyError::Failed)?;
        let (n, e) = modulus_and_exponent(pair.public_key().as_ref()).ok_or(SigningKeyError::Failed)?;
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public_jwk = json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "e": text(e), "n": text(n) });
        Ok(Self { private: Secret::from(STANDARD.encode(private.as_ref())), public_jwk })
    }
}

/// A registered key: the private part and the `kid` that LINE gave for the public one. Clones share the key.
#[derive(Clone)]
pub struct SigningKey {
    kid: Arc<str>,
    pair: Arc<KeyPair>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The key from its private part as [`NewSigningKey`] gives it, and LINE's `kid`.
    ///
    /// # Errors
    /// [`SigningKeyError::NotAKey`].
    pub fn new(private: &Secret, kid: &str) -> Result<Self, SigningKeyError> {
        let der = STANDARD.decode(private.expose()).map_err(|_| SigningKeyError::NotAKey)?;
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| SigningKeyError::NotAKey)?;
        if pair.public_modulus_len() != 256 {
            return Err(SigningKeyError::NotAKey);
        }
        Ok(Self { kid: kid.into(), pair: Arc::new(pair) })
    }

    /// LINE's name of the key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// An assertion of a channel at `now` (Unix seconds), RS256. `token_life` (seconds, 30 days at most) is asked for
    /// v2.1 tokens only.
    pub(crate) fn assert(
        &self,
        channel_id: &str,
        now: u64,
        token_life: Option<u64>,
    ) -> Result<Secret, SigningKeyError> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": &*self.kid });
        let mut claims = json!({ "iss": channel_id, "sub": channel_id, "aud": AUDIENCE, "exp": now + LIFE });
        if let (Some(life), Value::Object(claims)) = (token_life, &mut claims) {
            claims.insert("token_exp".to_owned(), life.into());
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| SigningKeyError::Failed)?;
        Ok(Secret::from(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// Takes `RSAPublicKey` of RFC 8017 apart: a SEQUENCE of the INTEGERs modulus and exponent, without their leading zeros.
fn modulus_and_exponent(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (SEQUENCE, inside, _) = element(der)? else { return None };
    let (INTEGER, n, rest) = element(inside)? else { return None };
    let (INTEGER, e, _) = element(rest)? else { return None };
    let zeros = |number: &[u8]| number.iter().take_while(|byte| **byte == 0).count();
    Some((n.get(zeros(n)..)?, e.get(zeros(e)..)?))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::PublicKeyComponents;
    use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;

    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
    }

    // S3-21, S3-22; PLATFORM 4.2
    #[test]
    fn what_a_key_signs_its_public_jwk_proves() {
        let new = NewSigningKey::generate().unwrap();
        let jwk = &new.public_jwk;
        assert_eq!((&jwk["kty"], &jwk["alg"], &jwk["use"]), (&json!("RSA"), &json!("RS256"), &json!("sig")));
        assert!(jwk.get("kid").is_none() && jwk.get("d").is_none());
        assert_eq!(bytes(&jwk["n"]).len(), 256);
        let key = SigningKey::new(&new.private, "kid-1").unwrap();
        for life in [None, Some(3600)] {
            let text = key.assert("1656000000", 1_700_000_000, life).unwrap();
            let (signed, signature) = text.expose().rsplit_once('.').unwrap();
            let public = PublicKeyComponents { n: bytes(&jwk["n"]), e: bytes(&jwk["e"]) };
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).unwrap();
            let (header, claims) = signed.split_once('.').unwrap();
            let read = |part| serde_json::from_slice::<Value>(&bytes(&json!(part))).unwrap();
            assert_eq!(read(header), json!({ "alg": "RS256", "typ": "JWT", "kid": "kid-1" }));
            let claims = read(claims);
            assert_eq!((&claims["iss"], &claims["sub"]), (&json!("1656000000"), &json!("1656000000")));
            assert_eq!(claims["aud"], "https://api.line.me/");
            assert_eq!(claims["exp"], 1_700_000_600);
            assert_eq!(claims.get("token_exp").and_then(Value::as_u64), life);
        }
    }

    #[test]
    fn nothing_prints_a_private_key_and_nonsense_is_none() {
        let new = NewSigningKey::generate().unwrap();
        let key = SigningKey::new(&new.private, "kid-1").unwrap();
        let printed = format!("{new:?} {key:?} {key:#?}");
        assert!(!printed.contains(new.private.expose().get(40..60).unwrap()), "{printed}");
        for nonsense in ["", "!", "AAAA"] {
            let refused = SigningKey::new(&Secret::from(nonsense), "k").unwrap_err();
            assert_eq!(refused, SigningKeyError::NotAKey);
        }
    }

    #[test]
    fn der_that_is_cut_short_is_not_read() {
        let good = [0x30, 0x09, 0x02, 0x03, 0x00, 0x81, 0x05, 0x02, 0x02, 0x01, 0x03];
        assert_eq!(modulus_and_exponent(&good), Some((&[0x81, 0x05][..], &[0x01, 0x03][..])));
        for end in 0..good.len() {
            assert_eq!(modulus_and_exponent(&good[..end]), None, "{end}");
        }
        assert_eq!(modulus_and_exponent(&[0x31, 0x00]), None);
    }
}
