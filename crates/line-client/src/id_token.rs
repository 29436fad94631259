//! Who logged in, proven by LINE's signature (PLATFORM 23.3).
//!
//! The algorithm is fixed by the way a token came, never taken from the token: web logins are signed with the channel's
//! secret (HS256), those of LIFF with one of LINE's published keys (ES256). A token whose header names another one is
//! refused before anything of it is believed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::{hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::error::{Cause, LineError};
use crate::secret::Secret;
use crate::transport::LineClient;

/// Who issues identity tokens.
const ISSUER: &str = "https://access.line.me";
/// How far LINE's clock may be ahead of ours, in seconds (GOTCHAS E6).
const LEEWAY: i64 = 300;
/// No token is longer; what is, is not parsed.
const LONGEST: usize = 8 * 1024;
/// Keys are asked for again at most this often, however many tokens name one that is unknown.
const REFETCH_PAUSE: Duration = Duration::from_secs(60);
/// Keys are asked for again after this, so that one that LINE withdrew is forgotten.
const KEYS_KEPT: Duration = Duration::from_secs(6 * 3600);

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The Login channel's ID.
    pub channel_id: &'a str,
    /// Our own nonce, where one was sent.
    pub nonce: Option<&'a str>,
    /// The present moment, in seconds since 1970.
    pub now: i64,
}

/// What LINE says of the person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IdClaims {
    /// The user ID at the channel's provider.
    pub sub: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// The nonce that was sent.
    pub nonce: Option<String>,
    /// The name, with scope `profile`.
    pub name: Option<String>,
    /// The picture's address, with scope `profile`.
    pub picture: Option<String>,
    /// The e-mail address, with scope `email` and consent.
    pub email: Option<String>,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenFault {
    /// It is no identity token at all.
    #[error("not an identity token")]
    Malformed,
    /// Its header names another algorithm than this way of logging in uses, or none.
    #[error("signed in another way than this login is")]
    Algorithm,
    /// None of LINE's keys has the name that it gives.
    #[error("signed with a key that LINE does not publish")]
    UnknownKey,
    /// The signature does not belong to it: made up, altered, or of another channel's secret.
    #[error("signature does not fit")]
    Signature,
    /// Somebody else than LINE issued it.
    #[error("not issued by LINE")]
    Issuer,
    /// It was issued for another channel.
    #[error("issued for another channel")]
    Audience,
    /// It is over.
    #[error("expired")]
    Expired,
    /// It says that it was issued later than now, by more than five minutes.
    #[error("issued in the future: the clocks differ by more than five minutes")]
    Future,
    /// Its nonce is not ours: it belongs to another login.
    #[error("belongs to another login")]
    Nonce,
    /// It names nobody.
    #[error("names no user")]
    Subject,
}

#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
    kid: Option<String>,
}

/// The claims that are compared before the others are believed.
#[derive(Deserialize)]
struct Checked {
    iss: Option<String>,
    aud: Option<String>,
}

/// A token in its parts.
struct Parts<'a> {
    header: Header,
    /// What was signed.
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

fn parts(token: &str) -> Result<Parts<'_>, IdTokenFault> {
    let malformed = IdTokenFault::Malformed;
    if token.len() > LONGEST {
        return Err(malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed);
    let header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed)?;
    Ok(Parts { header, signed, payload: decode(payload)?, signature: decode(signature)? })
}

/// Verifies a token of a web login: HS256 with the channel's secret.
///
/// # Errors
/// See [`IdTokenFault`].
pub fn verify_web(token: &str, secret: &Secret, wanted: Wanted<'_>) -> Result<IdClaims, IdTokenFault> {
    let parts = parts(token)?;
    if parts.header.alg.as_deref() != Some("HS256") {
        return Err(IdTokenFault::Algorithm);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::verify(&key, parts.signed.as_bytes(), &parts.signature).map_err(|_| IdTokenFault::Signature)?;
    claims(&parts.payload, wanted)
}

/// Verifies a token of LIFF: ES256 with one of LINE's keys. The key is chosen by the name in the header, which can only
/// choose among LINE's own.
///
/// # Errors
/// See [`IdTokenFault`]; after [`IdTokenFault::UnknownKey`] newer keys may help.
pub fn verify_liff(token: &str, keys: &IdTokenKeys, wanted: Wanted<'_>) -> Result<IdClaims, IdTokenFault> {
    let parts = parts(token)?;
    if parts.header.alg.as_deref() != Some("ES256") {
        return Err(IdTokenFault::Algorithm);
    }
    let kid = parts.header.kid.as_deref().ok_or(IdTokenFault::UnknownKey)?;
    let key = keys.0.iter().find(|key| key.kid == kid).ok_or(IdTokenFault::UnknownKey)?;
    signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, &key.point)
        .verify(parts.signed.as_bytes(), &parts.signature)
        .map_err(|_| IdTokenFault::Signature)?;
    claims(&parts.payload, wanted)
}

/// Reads the claims of a token whose signature fits.
fn claims(payload: &[u8], wanted: Wanted<'_>) -> Result<IdClaims, IdTokenFault> {
    let malformed = |_| IdTokenFault::Malformed;
    let Checked { iss, aud } = serde_json::from_slice(payload).map_err(malformed)?;
    let claims: IdClaims = serde_json::from_slice(payload).map_err(malformed)?;
    let is_user = claims.sub.strip_prefix('U').is_some_and(|rest| {
        rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    });
    let checks = [
        (iss.as_deref() == Some(ISSUER), IdTokenFault::Issuer),
        (aud.as_deref() == Some(wanted.channel_id), IdTokenFault::Audience),
        (claims.exp > wanted.now, IdTokenFault::Expired),
        (claims.iat <= wanted.now + LEEWAY, IdTokenFault::Future),
        (wanted.nonce.is_none_or(|nonce| claims.nonce.as_deref() == Some(nonce)), IdTokenFault::Nonce),
        (is_user, IdTokenFault::Subject),
    ];
    match checks.into_iter().find(|(holds, _)| !holds) {
        Some((_, fault)) => Err(fault),
        None => Ok(claims),
    }
}

/// LINE's public keys for identity tokens of LIFF.
#[derive(Debug, Clone, Default)]
pub struct IdTokenKeys(Arc<[Key]>);

#[derive(Debug)]
struct Key {
    kid: String,
    /// The point, uncompressed: `04`, x, y.
    point: Vec<u8>,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl IdTokenKeys {
    /// Reads a JSON Web Key Set; keys of other kinds than P-256 are left out. `None`: it is no key set.
    #[must_use]
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice::<JwkSet>(json).ok().map(Self::of)
    }

    fn of(set: JwkSet) -> Self {
        let key = |jwk: Jwk| {
            (jwk.kty == "EC" && jwk.crv.as_deref() == Some("P-256")).then_some(())?;
            let half =
                |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok().filter(|bytes| bytes.len() == 32);
            let point = [vec![4], half(jwk.x)?, half(jwk.y)?].concat();
            Some(Key { kid: jwk.kid?, point })
        };
        Self(set.keys.into_iter().filter_map(key).collect())
    }
}

/// The keys as they were fetched last, and when.
#[derive(Debug, Default)]
pub(crate) struct KeyCache(Mutex<Option<(Duration, IdTokenKeys)>>);

impl LineClient {
    /// Verifies a token of LIFF with LINE's keys, which are kept for six hours and asked for again, at most once a
    /// minute, when a token names one that is not among them (LINE changes them now and then).
    ///
    /// # Errors
    /// The outer: LINE's keys are not to be had. The inner: the token is not believed.
    pub async fn verify_liff_token(
        &self,
        token: &str,
        wanted: Wanted<'_>,
    ) -> Result<Result<IdClaims, IdTokenFault>, LineError> {
        let held = {
            let cache = self.id_token_keys().0.lock().unwrap_or_else(PoisonError::into_inner);
            cache.clone()
        };
        let now = self.now();
        if let Some((at, keys)) = held.filter(|(at, _)| now < *at + KEYS_KEPT) {
            let verified = verify_liff(token, &keys, wanted);
            if verified != Err(IdTokenFault::UnknownKey) || now < at + REFETCH_PAUSE {
                return Ok(verified);
            }
        }
        let keys = self.fetch_id_token_keys().await?;
        let verified = verify_liff(token, &keys, wanted);
        *self.id_token_keys().0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, keys));
        Ok(verified)
    }

    async fn fetch_id_token_keys(&self) -> Result<IdTokenKeys, LineError> {
        let mut url = self.endpoints().api.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["oauth2", "v2.1", "certs"]);
        }
        let keys = IdTokenKeys::of(self.fetch(url).await?.json().await?);
        // An empty set is no answer to go by.
        if keys.0.is_empty() {
            return Err(LineError::Unknown { cause: Cause::Unreadable, request_id: None });
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_767_225_600;
    const CHANNEL: &str = "1657000000";
    const SUB: &str = "U4af4980629000000000000000000cafe";

    fn good() -> Value {
        json!({ "iss": ISSUER, "sub": SUB, "aud": CHANNEL, "exp": NOW + 3600, "iat": NOW, "nonce": "n-1",
            "name": "林小晴", "amr": ["linesso"] })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = good();
        claims[name] = value;
        claims
    }

    fn wanted() -> Wanted<'static> {
        Wanted { channel_id: CHANNEL, nonce: Some("n-1"), now: NOW }
    }

    fn encode(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn secret() -> Secret {
        Secret::from("8c570fa6dd201bb328f1c1eac23a96d8")
    }

    fn hs256(header: &Value, claims: &Value, secret: &[u8]) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn web(claims: &Value) -> String {
        hs256(&json!({ "typ": "JWT", "alg": "HS256" }), claims, secret().expose().as_bytes())
    }

    struct Line {
        pair: EcdsaKeyPair,
        kid: &'static str,
    }

    impl Line {
        fn new(kid: &'static str) -> Self {
            Self { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(), kid }
        }

        fn jwk(&self) -> Value {
            let point = self.pair.public_key().as_ref();
            json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid,
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]) })
        }

        fn keys(&self) -> IdTokenKeys {
            IdTokenKeys::parse(json!({ "keys": [self.jwk()] }).to_string().as_bytes()).unwrap()
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let signed = format!("{}.{}", encode(header), encode(claims));
            let tag = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
        }

        fn token(&self, claims: &Value) -> String {
            self.sign(&json!({ "typ": "JWT", "alg": "ES256", "kid": self.kid }), claims)
        }
    }

    #[test]
    fn a_sound_token_tells_who_it_is() {
        let claims = verify_web(&web(&good()), &secret(), wanted()).unwrap();
        assert_eq!((claims.sub.as_str(), claims.name.as_deref()), (SUB, Some("林小晴")));
        let line = Line::new("k1");
        assert_eq!(verify_liff(&line.token(&good()), &line.keys(), wanted()).unwrap(), claims);
        // LIFF has no nonce of ours.
        let none = Wanted { nonce: None, ..wanted() };
        assert!(verify_liff(&line.token(&good()), &line.keys(), none).is_ok());
    }

    #[test]
    fn the_algorithm_is_fixed_by_the_flow() {
        let line = Line::new("k1");
        let jwk = line.jwk();
        let point: Vec<u8> = [&[4_u8][..], &decode(&jwk["x"]), &decode(&jwk["y"])].concat();
        let none = format!("{}.{}.", encode(&json!({ "alg": "none" })), encode(&good()));
        let algorithm = IdTokenFault::Algorithm;
        assert_eq!(verify_web(&none, &secret(), wanted()), Err(algorithm));
        assert_eq!(verify_liff(&none, &line.keys(), wanted()), Err(algorithm));
        // The known attack: the public key as the secret of an HMAC.
        let swapped = hs256(&json!({ "alg": "HS256", "kid": "k1" }), &good(), &point);
        assert_eq!(verify_liff(&swapped, &line.keys(), wanted()), Err(algorithm));
        let renamed = hs256(&json!({ "alg": "ES256", "kid": "k1" }), &good(), &point);
        assert_eq!(verify_liff(&renamed, &line.keys(), wanted()), Err(IdTokenFault::Signature));
        // A LIFF token is no web login, however genuine.
        assert_eq!(verify_web(&line.token(&good()), &secret(), wanted()), Err(algorithm));
        let case = hs256(&json!({ "alg": "hs256" }), &good(), secret().expose().as_bytes());
        assert_eq!(verify_web(&case, &secret(), wanted()), Err(algorithm));
        let silent = hs256(&json!({}), &good(), secret().expose().as_bytes());
        assert_eq!(verify_web(&silent, &secret(), wanted()), Err(algorithm));
    }

    fn decode(value: &Value) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
    }

    #[test]
    fn forged_and_altered_tokens_are_refused() {
        let line = Line::new("k1");
        let stranger = Line::new("k1");
        let other = hs256(&json!({ "alg": "HS256" }), &good(), b"another secret");
        assert_eq!(verify_web(&other, &secret(), wanted()), Err(IdTokenFault::Signature));
        assert_eq!(
            verify_liff(&stranger.token(&good()), &line.keys(), wanted()),
            Err(IdTokenFault::Signature)
        );
        let token = web(&good());
        let [header, _, tag] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
        let altered =
            format!("{header}.{}.{tag}", encode(&with("sub", json!("U00000000000000000000000000000000"))));
        assert_eq!(verify_web(&altered, &secret(), wanted()), Err(IdTokenFault::Signature));
        let cut = format!("{header}.{}.", encode(&good()));
        assert_eq!(verify_web(&cut, &secret(), wanted()), Err(IdTokenFault::Signature));
        for nonsense in ["", "a.b", "a.b.c", "....", &"x".repeat(LONGEST + 1)] {
            assert_eq!(
                verify_web(nonsense, &secret(), wanted()),
                Err(IdTokenFault::Malformed),
                "{nonsense:.20}"
            );
        }
    }

    #[test]
    fn every_claim_is_checked() {
        let line = Line::new("k1");
        let cases = [
            (with("iss", json!("https://evil.example")), IdTokenFault::Issuer),
            (with("iss", Value::Null), IdTokenFault::Issuer),
            (with("aud", json!("1657999999")), IdTokenFault::Audience),
            (with("exp", json!(NOW)), IdTokenFault::Expired),
            (with("iat", json!(NOW + LEEWAY + 1)), IdTokenFault::Future),
            (with("nonce", json!("another")), IdTokenFault::Nonce),
            (with("nonce", Value::Null), IdTokenFault::Nonce),
            (with("sub", json!("somebody")), IdTokenFault::Subject),
            (with("sub", Value::Null), IdTokenFault::Malformed),
            (with("aud", json!([CHANNEL, "1657999999"])), IdTokenFault::Malformed),
        ];
        for (claims, fault) in cases {
            assert_eq!(verify_web(&web(&claims), &secret(), wanted()), Err(fault), "{claims}");
            assert_eq!(verify_liff(&line.token(&claims), &line.keys(), wanted()), Err(fault), "{claims}");
        }
        // A phone's or LINE's clock may be a little ahead (GOTCHAS E6).
        assert!(verify_web(&web(&with("iat", json!(NOW + LEEWAY))), &secret(), wanted()).is_ok());
    }

    #[test]
    fn only_lines_own_keys_count() {
        let (line, new) = (Line::new("k1"), Line::new("k2"));
        assert_eq!(verify_liff(&new.token(&good()), &line.keys(), wanted()), Err(IdTokenFault::UnknownKey));
        let unnamed = line.sign(&json!({ "alg": "ES256" }), &good());
        assert_eq!(verify_liff(&unnamed, &line.keys(), wanted()), Err(IdTokenFault::UnknownKey));
        // What is no P-256 key is left out, and the others stay.
        let odd = json!({ "kty": "RSA", "kid": "k3", "n": "AQAB", "e": "AQAB" });
        let short = json!({ "kty": "EC", "crv": "P-256", "kid": "k4", "x": "AQAB", "y": "AQAB" });
        let set = json!({ "keys": [odd, short, new.jwk(), line.jwk()] }).to_string();
        let keys = IdTokenKeys::parse(set.as_bytes()).unwrap();
        assert!(verify_liff(&new.token(&good()), &keys, wanted()).is_ok());
        assert!(verify_liff(&line.token(&good()), &keys, wanted()).is_ok());
        assert!(IdTokenKeys::parse(b"[]").is_none());
    }
}
