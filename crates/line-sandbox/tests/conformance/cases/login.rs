//! LINE Login, LIFF apps and account linking (PLATFORM 17, 23, 24.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use super::{Calls, Check, calls};
use crate::stage::{Answer, Stage};

/// A Login channel with the account linked to it, and who calls for it.
struct Login<'s> {
    stage: &'s Stage,
    id: String,
    secret: String,
    token: String,
    http: reqwest::Client,
    /// Pages are in no log.
    pages: Vec<Value>,
}

const BACK: &str = "https://shop.example/back";

/// The calls of channels, and those of people.
pub(super) async fn run() -> Calls {
    let stage = Stage::new().await;
    let mut login = Login::new(&stage).await;
    login.apps().await;
    let (apps, _) = calls(&stage).await;
    login.people().await;
    login.link().await;
    let (mut all, _) = calls(&stage).await;
    all.drain(..apps.len());
    all.extend(login.pages);
    (apps, all)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl<'s> Login<'s> {
    async fn new(stage: &'s Stage) -> Self {
        let body = json!({"providerId": stage.provider, "type": "login", "name": "Members"});
        let made = stage.control("POST", "/channels", body).await.ok();
        let (id, secret) = (text(&made["channelId"]), text(&made["channelSecret"]));
        let settings =
            json!({"callbackUrls": [BACK], "published": true, "linkedBotChannelId": stage.channel});
        stage.control("PATCH", &format!("/channels/{id}"), settings).await.ok();
        let token = text(&stage.stateless_token(&id, &secret).await.is(200)["access_token"]);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { stage, id, secret, token, http, pages: Vec::new() }
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Answer {
        let request = self.stage.request(method, path).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(&body) };
        self.stage.send(request).await.unwrap()
    }

    async fn apps(&self) {
        const APPS: &str = "/liff/v1/apps";
        let call =
            async |method: &str, path: &str, body: Value| self.call(method, path, &self.token, body).await;
        let app =
            json!({"view": {"type": "full", "url": "https://shop.example/member"}, "description": "Card"});
        call("GET", APPS, Value::Null).await.says(404, "Not found");
        let made = call("POST", APPS, app.clone()).await.is(200);
        let id = text(&made["liffId"]);
        assert!(id.starts_with(&format!("{}-", self.id)) && id.len() == self.id.len() + 9, "{id}");
        call("POST", APPS, json!({"view": {"type": "huge", "url": "https://a.example"}})).await.is(400);
        call("POST", APPS, json!({"view": {"type": "full", "url": "http://shop.example"}})).await.is(400);
        let shown = call("GET", APPS, Value::Null).await.is(200);
        assert_eq!(shown["apps"][0]["liffId"], json!(id));
        let path = format!("{APPS}/{id}");
        assert_eq!(call("PUT", &path, json!({"view": {"type": "tall"}})).await.is(200), Value::Null);
        call("PUT", &path, json!({"view": {"type": "huge"}})).await.is(400);
        call("PUT", &format!("{APPS}/1-AbcdEfgh"), json!({})).await.is(404);
        for method in ["POST", "GET"] {
            let body = if method == "POST" { app.clone() } else { Value::Null };
            self.call(method, APPS, "false", body).await.is(401);
        }
        self.call("PUT", &path, "false", json!({})).await.is(401);
        self.call("DELETE", &path, "false", Value::Null).await.is(401);
        for _ in 1..30 {
            call("POST", APPS, app.clone()).await.is(200);
        }
        // The 31st (PLATFORM 24.1).
        call("POST", APPS, app.clone()).await.is(400);
        assert_eq!(call("DELETE", &path, Value::Null).await.is(200), Value::Null);
        call("DELETE", &path, Value::Null).await.is(404);
    }

    /// Opens a page; gives the status and where it leads.
    async fn open(&mut self, path: &str, query: &[(&str, &str)]) -> (u16, Option<Url>) {
        let request = self.http.get(format!("{}{path}", self.stage.base)).query(query);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        self.pages.push(json!({"method": "GET", "path": path, "status": status}));
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap());
        (status, to.map(|to| Url::parse(to).unwrap_or_else(|_| Url::parse(BACK).unwrap().join(to).unwrap())))
    }

    async fn code(&mut self) -> String {
        let (id, user) = (self.id.clone(), self.stage.user.clone());
        let query = [
            ("response_type", "code"),
            ("client_id", id.as_str()),
            ("redirect_uri", BACK),
            ("state", "s1"),
            ("scope", "profile openid"),
            ("nonce", "n1"),
            ("sandbox_user", user.as_str()),
        ];
        let (status, to) = self.open("/oauth2/v2.1/authorize", &query).await;
        let to = to.unwrap();
        assert!((302..=303).contains(&status) && to.as_str().starts_with(BACK), "{status} {to}");
        let pair =
            |name: &str| to.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        assert_eq!(pair("state").as_deref(), Some("s1"));
        pair("code").unwrap()
    }

    async fn people(&mut self) {
        assert_eq!(self.open("/oauth2/v2.1/authorize", &[("client_id", "1")]).await.0, 400);
        let code = self.code().await;
        let (id, secret) = (self.id.clone(), self.secret.clone());
        let stage = self.stage;
        let user_id = stage.user_id.as_str();
        let form = async |path: &str, pairs: &[(&str, &str)]| {
            let mut all = vec![("client_id", id.as_str()), ("client_secret", secret.as_str())];
            all.extend(pairs);
            stage.form(path, &all).await
        };
        const TOKEN: &str = "/oauth2/v2.1/token";
        let exchange =
            [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", BACK)];
        let token = form(TOKEN, &exchange).await.is(200);
        assert_eq!((&token["expires_in"], &token["token_type"]), (&json!(2_592_000), &json!("Bearer")));
        // One use (PLATFORM 23.1).
        assert_eq!(form(TOKEN, &exchange).await.is(400)["error"], "invalid_grant");
        let refresh = text(&token["refresh_token"]);
        let again =
            form(TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await.is(200);
        assert_eq!(again["refresh_token"], json!(refresh));
        form(TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", "x")])
            .await
            .denies("invalid_grant", "invalid refresh token");
        let id_token = text(&token["id_token"]);
        let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            (&claims["sub"], &claims["nonce"], &claims["aud"]),
            (&json!(user_id), &json!("n1"), &json!(id))
        );
        const VERIFY: &str = "/oauth2/v2.1/verify";
        let mut verified = form(VERIFY, &[("id_token", &id_token)]).await.is(200);
        verified.as_object_mut().unwrap().retain(|name, _| claims.get(name).is_some());
        assert_eq!(verified, claims);
        let invalid = |why: &'static str| ("invalid_request", why);
        for (pairs, (error, why)) in [
            ([("id_token", "x"), ("nonce", "n1")], invalid("Invalid IdToken.")),
            ([("id_token", &id_token), ("nonce", "n2")], invalid("Invalid IdToken Nonce.")),
            ([("id_token", &id_token), ("user_id", "U1")], invalid("Invalid IdToken Subject Identifier.")),
        ] {
            form(VERIFY, &pairs).await.denies(error, why);
        }
        let access = text(&again["access_token"]);
        let check = stage.get(&format!("{VERIFY}?access_token={access}")).await.is(200);
        assert_eq!(check["client_id"], json!(id));
        let profile = self.call("GET", "/v2/profile", &access, Value::Null).await.is(200);
        assert_eq!(profile, json!({"userId": user_id, "displayName": "小明"}));
        for (method, path) in [("GET", "/oauth2/v2.1/userinfo"), ("POST", "/oauth2/v2.1/userinfo")] {
            let body = if method == "POST" { json!({}) } else { Value::Null };
            assert_eq!(self.call(method, path, &access, body.clone()).await.is(200)["sub"], json!(user_id));
            self.call(method, path, "false", body).await.is(401);
        }
        assert_eq!(
            self.call("GET", "/friendship/v1/status", &access, Value::Null).await.is(200),
            json!({"friendFlag": true})
        );
        for path in ["/v2/profile", "/friendship/v1/status"] {
            self.call("GET", path, "false", Value::Null).await.is(401);
        }
        assert!(stage.get("/oauth2/v2.1/certs").await.is(200)["keys"][0]["kid"].is_string());
        let found = stage.get("/.well-known/openid-configuration").await.is(200);
        assert_eq!(found["issuer"], "https://access.line.me");
        let first = text(&token["access_token"]);
        assert_eq!(form("/oauth2/v2.1/revoke", &[("access_token", &first)]).await.is(200), Value::Null);
        stage.get(&format!("{VERIFY}?access_token={first}")).await.is(400);
        form("/oauth2/v2.1/revoke", &[("access_token", "x")])
            .await
            .denies("invalid_request", "The access token not JWS");
        const DEAUTHORIZE: &str = "/user/v1/deauthorize";
        let forget = json!({"userAccessToken": access});
        self.call("POST", DEAUTHORIZE, "false", forget.clone()).await.is(401);
        assert_eq!(self.call("POST", DEAUTHORIZE, &self.token, forget.clone()).await.is(204), Value::Null);
        self.call("POST", DEAUTHORIZE, &self.token, forget).await.says(400, "invalid token");
    }

    async fn link(&mut self) {
        let stage = self.stage;
        let made = stage
            .line("POST", &format!("/v2/bot/user/{}/linkToken", stage.user_id), Value::Null)
            .await
            .is(200);
        let token = text(&made["linkToken"]);
        let before = stage.receiver.events().len();
        let query =
            [("linkToken", token.as_str()), ("nonce", "a-nonce-long-enough"), ("sandbox_user", &stage.user)];
        assert_eq!(self.open("/dialog/bot/accountLink", &query).await.0, 200);
        let event = stage.receiver.event(before + 1).await;
        assert_eq!(event["link"], json!({"result": "ok", "nonce": "a-nonce-long-enough"}));
        assert_eq!(self.open("/dialog/bot/accountLink", &query).await.0, 400);
    }
}
