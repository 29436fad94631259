//! JSON Web Tokens as LINE takes and makes them (PLATFORM 4.2, 23.3): RS256 in assertions, HS256 and ES256 in id tokens.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey,
};
use aws_lc_rs::{digest, hmac};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::ids::Ids;

/// A token taken apart; nothing is proven before one of the `signed_by_…` says so.
#[derive(Debug, Clone)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signed: String,
    signature: Vec<u8>,
}

impl Jwt {
    /// Reads the compact form; `None` when it is not one with JSON objects inside.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| {
            let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
            value.is_object().then_some(value)
        };
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            signed: signed.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// A text of the header.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.header.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text among the claims.
    pub(crate) fn claim(&self, name: &str) -> &str {
        self.claims.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A whole number among the claims, such as a time in Unix seconds.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.claims.get(name).and_then(Value::as_i64)
    }

    /// HS256 with a channel secret.
    pub(crate) fn signed_by_secret(&self, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        self.header("alg") == "HS256" && hmac::verify(&key, self.signed.as_bytes(), &self.signature).is_ok()
    }

    /// RS256 with the private part of an RSA key given as a JWK.
    pub(crate) fn signed_by_rsa(&self, jwk: &Value) -> bool {
        let part =
            |name| jwk.get(name).and_then(Value::as_str).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let (Some(n), Some(e)) = (part("n"), part("e")) else { return false };
        let key = PublicKeyComponents { n, e };
        self.header("alg") == "RS256"
            && key.verify(&RSA_PKCS1_2048_8192_SHA256, self.signed.as_bytes(), &self.signature).is_ok()
    }

    /// ES256 with the sandbox's own key.
    pub(crate) fn signed_by_line(&self, key: &LineKey) -> bool {
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.public);
        self.header("alg") == "ES256"
            && self.header("kid") == key.kid
            && public.verify(self.signed.as_bytes(), &self.signature).is_ok()
    }
}

/// Header and claims as they are signed.
fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A token signed by HS256 with a channel secret.
pub(crate) fn by_secret(claims: &Value, secret: &str) -> String {
    let text = unsigned(&json!({ "typ": "JWT", "alg": "HS256" }), claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// The key with which LINE signs id tokens for LIFF and apps; the sandbox's own comes from its seed.
#[derive(Debug)]
pub(crate) struct LineKey {
    pair: EcdsaKeyPair,
    /// The point in uncompressed form: `04`, x, y.
    public: Vec<u8>,
    kid: String,
}

impl LineKey {
    /// The key of this sandbox; the same seed gives the same key.
    pub(crate) fn of(ids: &Ids) -> Option<Self> {
        let secret = ids.lasting("the key of id tokens");
        let public = PrivateKey::from_private_key(&ECDH_P256, &secret).ok()?.compute_public_key().ok()?;
        let public = public.as_ref().to_vec();
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &secret, &public);
        let hash = digest::digest(&digest::SHA256, &public);
        let kid = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self { pair: pair.ok()?, public, kid })
    }

    /// A token signed by ES256.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let text = unsigned(&json!({ "typ": "JWT", "alg": "ES256", "kid": self.kid }), claims);
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes()).ok()?;
        Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The public part, as the JWKS shows it.
    pub(crate) fn jwk(&self) -> Value {
        let part = |from, to| URL_SAFE_NO_PAD.encode(self.public.get(from..to).unwrap_or_default());
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid,
            "x": part(1, 33), "y": part(33, 65),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_belongs_to_its_key_and_its_text() {
        let token = by_secret(&json!({ "sub": "U1", "exp": 5 }), "secret");
        let read = Jwt::read(&token).unwrap();
        assert_eq!((read.claim("sub"), read.number("exp")), ("U1", Some(5)));
        assert!(read.signed_by_secret("secret"));
        assert!(!read.signed_by_secret("other"));
        let (_, rest) = token.split_once('.').unwrap();
        let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
        assert!(!Jwt::read(&forged).unwrap().signed_by_secret("secret"));
        assert!(Jwt::read("a.b.c").is_none());
    }

    #[test]
    fn the_seed_makes_the_key_of_id_tokens() {
        let (key, same) = (LineKey::of(&Ids::new(7)).unwrap(), LineKey::of(&Ids::new(7)).unwrap());
        assert_eq!(key.jwk(), same.jwk());
        let other = LineKey::of(&Ids::new(8)).unwrap();
        let token = Jwt::read(&key.sign(&json!({ "sub": "U1" })).unwrap()).unwrap();
        assert!(token.signed_by_line(&same));
        assert!(!token.signed_by_line(&other));
    }
}
