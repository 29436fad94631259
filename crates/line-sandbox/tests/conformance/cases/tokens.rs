//! Channel access tokens of all kinds (PLATFORM 4).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Calls, Check, calls};
use crate::stage::Stage;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) async fn run() -> Calls {
    let stage = Stage::new().await;
    by_secret(&stage).await;
    by_key(&stage).await;
    calls(&stage).await
}

async fn by_secret(stage: &Stage) {
    let (id, secret) = (stage.channel.as_str(), stage.secret.as_str());
    let pair = |secret| [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    stage
        .form("/oauth2/v3/token", &pair("wrong"))
        .await
        .denies("invalid_request", "Invalid 'client_credentials'.");
    assert_eq!(stage.stateless_token(id, secret).await.is(200)["expires_in"], 900);
    const SHORT: &str = "/v2/oauth/accessToken";
    stage.form(SHORT, &pair("wrong")).await.denies("invalid_client", "invalid client_secret");
    let short = stage.form(SHORT, &pair(secret)).await.is(200);
    assert_eq!((&short["expires_in"], &short["token_type"]), (&json!(2_592_000), &json!("Bearer")));
    let token = short["access_token"].as_str().unwrap();
    let verified = stage.form("/v2/oauth/verify", &[("access_token", token)]).await.is(200);
    assert_eq!(verified["client_id"], json!(id));
    stage
        .form("/v2/oauth/verify", &[("access_token", "nonsense")])
        .await
        .denies("invalid_request", "access_token invalid");
    let odd = "access_token in invalid format";
    stage.form("/v2/oauth/verify", &[("access_token", "")]).await.denies("invalid_request", odd);
    assert_eq!(stage.form("/v2/oauth/revoke", &[("access_token", token)]).await.is(200), Value::Null);
    assert_eq!(
        stage.form("/v2/oauth/revoke", &[("other", "x")]).await.is(400),
        json!({"error": "invalid_request"})
    );
}

/// A key pair whose public half is registered as in the console.
struct Signer {
    key: KeyPair,
    kid: String,
}

impl Signer {
    async fn register(stage: &Stage) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = key.public_key().as_ref().to_vec();
        // SEQUENCE, then INTEGER of 257 bytes whose first is zero, then 65537.
        let jwk = json!({"kty": "RSA", "alg": "RS256", "use": "sig", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(&der[9..265])});
        let path = format!("/channels/{}/public-keys", stage.channel);
        let kid =
            stage.control("POST", &path, json!({"jwk": jwk})).await.ok()["kid"].as_str().unwrap().to_owned();
        Self { key, kid }
    }

    fn sign(&self, kid: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(&json!({"alg": "RS256", "typ": "JWT", "kid": kid}));
        let text = format!("{head}.{}", part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn by_key(stage: &Stage) {
    let signer = Signer::register(stage).await;
    let now = stage.control("GET", "/clock", Value::Null).await.ok()["now"].as_i64().unwrap() / 1_000;
    let claims = |iss: &str, exp: i64| json!({"iss": iss, "sub": iss, "aud": "https://api.line.me/", "exp": now + exp, "token_exp": 86_400});
    let good = signer.sign(&signer.kid, &claims(&stage.channel, 1_700));
    let form = |assertion: &str| {
        [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    };
    let post = async |path: &str, assertion: &str| {
        stage.send(stage.request("POST", path).form(&form(assertion))).await.unwrap()
    };
    let kids = async |assertion: &str| {
        stage
            .send(stage.request("GET", "/oauth2/v2.1/tokens/kid").query(&form(assertion)[1..]))
            .await
            .unwrap()
    };
    let wrong = [
        (signer.sign(&signer.kid, &claims("2000000000", 1_700)), "iss and clientId of key do not match"),
        (signer.sign(&signer.kid, &claims(&stage.channel, 1_900)), "Invalid exp"),
    ];
    let stranger = signer.sign("nobody", &claims(&stage.channel, 1_700));
    let unknown = "Cannot find channel key that satisfies the conditions";
    for path in ["/oauth2/v2.1/token", "/oauth2/v3/token"] {
        for (assertion, why) in &wrong {
            post(path, assertion).await.denies("invalid_client", why);
        }
        post(path, &stranger).await.says(404, unknown);
    }
    kids(&wrong[1].0).await.denies("invalid_client", "Invalid exp");
    kids(&stranger).await.says(404, unknown);
    assert_eq!(post("/oauth2/v3/token", &good).await.is(200)["expires_in"], 900);
    let token = post("/oauth2/v2.1/token", &good).await.is(200);
    assert_eq!(token["expires_in"], 86_400);
    assert_eq!(kids(&good).await.is(200), json!({"kids": [token["key_id"]]}));
    for _ in 1..30 {
        post("/oauth2/v2.1/token", &good).await.is(200);
    }
    post("/oauth2/v2.1/token", &good)
        .await
        .says(400, "The maximum number of access tokens has already been issued");
    let token = token["access_token"].as_str().unwrap();
    let verify = async |token: &str| stage.get(&format!("/oauth2/v2.1/verify?access_token={token}")).await;
    assert_eq!(verify(token).await.is(200)["client_id"], json!(stage.channel));
    verify("nonsense").await.denies("invalid_request", "The access token not JWS");
    let revoke = async |token: &str| {
        let form = [
            ("client_id", stage.channel.as_str()),
            ("client_secret", &stage.secret),
            ("access_token", token),
        ];
        stage.form("/oauth2/v2.1/revoke", &form).await
    };
    revoke("nonsense").await.denies("invalid_request", "The access token not JWS");
    assert_eq!(revoke(token).await.is(200), Value::Null);
    verify(token).await.denies("invalid_request", "The access token revoked");
}
