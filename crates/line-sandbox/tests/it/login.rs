//! LINE Login v2.1 (PLATFORM 23): the authorise pages, codes, tokens, and id tokens.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::header::{CONTENT_SECURITY_POLICY, COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use url::Url;

use crate::signer::parts;
use crate::stage::Stage;

const CALLBACK: &str = "http://127.0.0.1:9/callback";

/// A stage with a published Login channel of the same provider, linked to the account, and a browser.
pub(crate) struct Login {
    pub(crate) stage: Stage,
    pub(crate) id: String,
    pub(crate) secret: String,
    browser: reqwest::Client,
}

/// What a page or a call answered.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    /// Where it leads.
    pub(crate) to: Option<String>,
    pub(crate) policy: String,
    cookie: Option<String>,
    pub(crate) text: String,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// A parameter of the address it leads to.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let url = Url::parse(self.to.as_deref()?).unwrap();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn refused(&self, status: u16, error: &str, description: &str) {
        let body = self.json();
        assert_eq!(
            (self.status, &body["error"], &body["error_description"]),
            (status, &json!(error), &json!(description))
        );
    }
}

impl Login {
    pub(crate) async fn new() -> Self {
        let stage = Stage::new().await;
        let body = json!({"providerId": stage.provider, "type": "login", "name": "Members"});
        let channel = stage.control("POST", "/channels", body).await.ok();
        let text = |name: &str| channel[name].as_str().unwrap().to_owned();
        let (id, secret) = (text("channelId"), text("channelSecret"));
        let browser = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let login = Self { stage, id, secret, browser };
        login
            .set(json!({
                "published": true,
                "callbackUrls": [CALLBACK],
                "linkedBotChannelId": login.stage.channel,
            }))
            .await;
        login
    }

    /// Changes the Login channel's settings.
    pub(crate) async fn set(&self, settings: Value) {
        self.stage.control("PATCH", &format!("/channels/{}", self.id), settings).await.ok();
    }

    pub(crate) async fn fetch(&self, request: reqwest::RequestBuilder) -> Seen {
        let answer = self.browser.execute(request.build().unwrap()).await.unwrap();
        let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        Seen {
            status: answer.status().as_u16(),
            to: header(LOCATION),
            policy: header(CONTENT_SECURITY_POLICY).unwrap_or_default(),
            cookie: header(SET_COOKIE),
            text: answer.text().await.unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.fetch(self.stage.request("GET", path)).await
    }

    pub(crate) async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Seen {
        self.fetch(self.stage.request("POST", path).form(pairs)).await
    }

    pub(crate) async fn bearer(&self, path: &str, token: &str) -> Seen {
        self.fetch(self.stage.request("GET", path).bearer_auth(token)).await
    }

    /// The authorise address with some parameters replaced (or left out by an empty value).
    pub(crate) fn address(&self, other: &[(&str, &str)]) -> String {
        let usual = [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", CALLBACK),
            ("state", "s1"),
            ("scope", "profile openid"),
        ];
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in usual.iter().filter(|(name, _)| !other.iter().any(|(key, _)| key == name)) {
            pairs.append_pair(name, value);
        }
        for (name, value) in other.iter().filter(|(_, value)| !value.is_empty()) {
            pairs.append_pair(name, value);
        }
        format!("/oauth2/v2.1/authorize?{}", pairs.finish())
    }

    /// Opens the authorise address.
    pub(crate) async fn open(&self, other: &[(&str, &str)]) -> Seen {
        self.get(&self.address(other)).await
    }

    /// The friend logs in at once, as scripts do.
    pub(crate) async fn code(&self, other: &[(&str, &str)]) -> String {
        let mut all = other.to_vec();
        if !other.iter().any(|(name, _)| *name == "sandbox_user") {
            all.push(("sandbox_user", &self.stage.user));
        }
        let seen = self.open(&all).await;
        seen.parameter("code").unwrap_or_else(|| panic!("{seen:?}"))
    }

    pub(crate) async fn exchange(&self, code: &str, other: &[(&str, &str)]) -> Seen {
        let usual = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
        ];
        let mut pairs: Vec<(&str, &str)> =
            usual.into_iter().filter(|(name, _)| !other.iter().any(|(key, _)| key == name)).collect();
        pairs.extend(other);
        self.post("/oauth2/v2.1/token", &pairs).await
    }

    /// The tokens of a login by the friend.
    pub(crate) async fn tokens(&self, other: &[(&str, &str)]) -> Value {
        let seen = self.exchange(&self.code(other).await, &[]).await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        seen.json()
    }

    async fn verify(&self, id_token: &str, other: &[(&str, &str)]) -> Seen {
        let mut pairs = vec![("id_token", id_token)];
        if !other.iter().any(|(name, _)| *name == "client_id") {
            pairs.push(("client_id", &self.id));
        }
        pairs.extend(other);
        self.post("/oauth2/v2.1/verify", &pairs).await
    }

    /// A token of the Login channel itself.
    pub(crate) async fn channel_token(&self) -> String {
        let answer = self.stage.stateless_token(&self.id, &self.secret).await.ok();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A person who is no friend of the account.
    async fn stranger(&self) -> (String, String) {
        let user = self
            .stage
            .control("POST", "/users", json!({"displayName": "Nok", "email": "nok@example.com"}))
            .await
            .ok();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&user["user"]), text(&user["userId"][&self.stage.provider]))
    }

    async fn is_friend(&self, user: &str) -> bool {
        let token = self.tokens(&[("sandbox_user", user)]).await;
        let seen = self.bearer("/friendship/v1/status", token["access_token"].as_str().unwrap()).await;
        seen.json()["friendFlag"].as_bool().unwrap()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// PLATFORM 23.1: the way of a person through the pages, who first consents, then comes back without being asked again.
#[tokio::test]
async fn a_person_logs_in_and_consents() {
    let login = Login::new().await;
    let user = login.stage.user.clone();
    let first = login.open(&[]).await;
    assert_eq!(first.status, 302);
    let page = first.to.unwrap();
    let who = login.get(&page).await;
    assert_eq!(who.status, 200);
    assert!(who.text.contains("小明") && who.text.contains("Members"));
    assert!(!who.policy.contains("unsafe"), "{}", who.policy);
    let chosen = login.post(&page, &[("act", "who"), ("user", &user)]).await;
    assert_eq!(chosen.to.as_deref(), Some(page.as_str()));
    let consent = login.get(&page).await;
    assert!(consent.text.contains("Your profile"), "the scopes are listed");
    let done = login.post(&page, &[("act", "allow")]).await;
    assert_eq!(done.parameter("state").as_deref(), Some("s1"));
    assert!(done.to.as_deref().unwrap().starts_with(CALLBACK));
    assert_eq!(done.parameter("friendship_status_changed"), None, "no option was on screen");
    assert_eq!(login.exchange(&done.parameter("code").unwrap(), &[]).await.status, 200);
    assert_eq!(login.get(&page).await.status, 400, "the page is over");

    let again = login.open(&[]).await.to.unwrap();
    let done = login.post(&again, &[("act", "who"), ("user", &user)]).await;
    assert!(done.parameter("code").is_some(), "allowed before");
    let forced = login.open(&[("prompt", "consent")]).await.to.unwrap();
    let next = login.post(&forced, &[("act", "who"), ("user", &user)]).await;
    assert_eq!(next.to.as_deref(), Some(forced.as_str()), "prompt=consent asks again");
    let denied = login.post(&forced, &[("act", "deny")]).await;
    assert_eq!(denied.parameter("error").as_deref(), Some("ACCESS_DENIED"));
    assert_eq!(denied.parameter("state").as_deref(), Some("s1"));
}

/// PLATFORM 23.1: a wrong client or address shows a page of 400; everything else is told to the redirect address.
#[tokio::test]
async fn wrong_addresses_are_refused() {
    let login = Login::new().await;
    for wrong in [
        [("client_id", "1")],
        [("client_id", login.stage.channel.as_str())],
        [("redirect_uri", "https://evil.example/")],
        [("redirect_uri", "http://127.0.0.1:9/callback/deeper")],
        [("redirect_uri", "")],
    ] {
        let seen = login.open(&wrong).await;
        assert_eq!((seen.status, &seen.to), (400, &None), "{wrong:?}");
    }
    for (wrong, error) in [
        (("response_type", ""), "INVALID_REQUEST"),
        (("response_type", "token"), "UNSUPPORTED_RESPONSE_TYPE"),
        (("state", ""), "INVALID_REQUEST"),
        (("scope", ""), "INVALID_REQUEST"),
        (("scope", "profile phone"), "INVALID_SCOPE"),
        (("scope", "openid email"), "INVALID_SCOPE"),
        (("prompt", "none"), "LOGIN_REQUIRED"),
        (("prompt", "sing"), "INVALID_REQUEST"),
        (("code_challenge", "x"), "INVALID_REQUEST"),
        (("max_age", "soon"), "INVALID_REQUEST"),
        (("response_mode", "fragment"), "INVALID_REQUEST"),
    ] {
        let seen = login.open(&[wrong]).await;
        assert_eq!(seen.parameter("error").as_deref(), Some(error), "{wrong:?}");
        let state = (wrong.0 != "state").then_some("s1");
        assert_eq!(seen.parameter("state").as_deref(), state, "{wrong:?}");
    }
    // Further parameters may stand on a registered address.
    let more = format!("{CALLBACK}?campaign=1");
    let seen = login.open(&[("redirect_uri", &more), ("sandbox_user", &login.stage.user)]).await;
    assert_eq!(seen.parameter("campaign").as_deref(), Some("1"));
    let denied = login.open(&[("sandbox_user", &login.stage.user), ("sandbox_deny", "1")]).await;
    assert_eq!(denied.parameter("error").as_deref(), Some("ACCESS_DENIED"));
}

/// PLATFORM 23.5: a channel that is not published lets its testers in, nobody else.
#[tokio::test]
async fn an_unpublished_channel_knows_testers_only() {
    let login = Login::new().await;
    login.set(json!({"published": false})).await;
    let user = login.stage.user.as_str();
    assert_eq!(login.open(&[("sandbox_user", user)]).await.status, 400);
    let page = login.open(&[]).await.to.unwrap();
    login.post(&page, &[("act", "who"), ("user", user)]).await;
    let seen = login.get(&page).await;
    assert_eq!(seen.status, 400);
    assert!(seen.text.contains("testers"));
    login.set(json!({"testers": [user]})).await;
    login.code(&[]).await;
}

/// PLATFORM 23.1, GOTCHAS E8: a code is good for 10 minutes and for one try, even if the try fails.
#[tokio::test]
async fn a_code_works_once() {
    let login = Login::new().await;
    let code = login.code(&[]).await;
    assert_eq!(login.exchange(&code, &[]).await.status, 200);
    let over = ("invalid_grant", "invalid authorization code");
    login.exchange(&code, &[]).await.refused(400, over.0, over.1);
    let code = login.code(&[]).await;
    let wrong = login.exchange(&code, &[("redirect_uri", "http://127.0.0.1:9/other")]).await;
    wrong.refused(400, "invalid_grant", "redirect_uri does not match");
    login.exchange(&code, &[]).await.refused(400, over.0, over.1);
    let code = login.code(&[]).await;
    login.exchange(&code, &[("client_secret", "x")]).await.refused(
        400,
        "invalid_client",
        "invalid client_secret",
    );
    let code = login.code(&[]).await;
    login.stage.advance(600_000).await;
    login.exchange(&code, &[]).await.refused(400, over.0, over.1);
}

/// PLATFORM 23.1: PKCE by S256.
#[tokio::test]
async fn a_code_challenge_needs_its_verifier() {
    let login = Login::new().await;
    let verifier = "a-verifier-of-at-least-forty-three-characters._~";
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    let asked = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    let plain =
        login.open(&[("code_challenge", challenge.as_str()), ("code_challenge_method", "plain")]).await;
    assert_eq!(plain.parameter("error").as_deref(), Some("INVALID_REQUEST"));
    let code = login.code(&asked).await;
    assert_eq!(login.exchange(&code, &[("code_verifier", verifier)]).await.status, 200);
    let code = login.code(&asked).await;
    let seen = login.exchange(&code, &[]).await;
    seen.refused(400, "invalid_grant", "code_verifier does not match");
}

/// PLATFORM 23.2: the life of access and refresh tokens.
#[tokio::test]
async fn tokens_live_as_long_as_at_line() {
    let login = Login::new().await;
    let tokens = login.tokens(&[]).await;
    assert_eq!((&tokens["expires_in"], &tokens["token_type"]), (&json!(2_592_000), &json!("Bearer")));
    let access = text(&tokens["access_token"]);
    let verify = async |token: &str| login.get(&format!("/oauth2/v2.1/verify?access_token={token}")).await;
    let shown = verify(access).await.json();
    assert_eq!((&shown["client_id"], &shown["scope"]), (&json!(login.id), &json!("profile openid")));
    let renew = async |token: &str| {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", &login.id),
            ("client_secret", &login.secret),
        ];
        login.post("/oauth2/v2.1/token", &pairs).await
    };
    login.stage.advance(30 * 86_400_000).await;
    verify(access).await.refused(400, "invalid_request", "The access token expired");
    let renewed = renew(text(&tokens["refresh_token"])).await.json();
    assert_eq!(renewed["refresh_token"], tokens["refresh_token"], "the same one comes back");
    assert_eq!(
        login.bearer("/v2/profile", text(&renewed["access_token"])).await.json()["displayName"],
        "小明"
    );
    let revoke = [
        ("client_id", login.id.as_str()),
        ("client_secret", &login.secret),
        ("access_token", text(&renewed["access_token"])),
    ];
    assert_eq!(login.post("/oauth2/v2.1/revoke", &revoke).await.status, 200);
    verify(text(&renewed["access_token"])).await.refused(400, "invalid_request", "The access token revoked");
    assert_eq!(login.bearer("/v2/profile", text(&renewed["access_token"])).await.status, 401);
    login.stage.advance(60 * 86_400_000).await;
    renew(text(&tokens["refresh_token"])).await.refused(400, "invalid_grant", "invalid refresh token");
}

/// PLATFORM 23.2: what a scope opens; the answer's shape is LINE's.
#[tokio::test]
async fn scopes_open_what_they_name() {
    let login = Login::new().await;
    let whole = login.tokens(&[]).await;
    let access = text(&whole["access_token"]);
    assert_eq!(
        login.bearer("/oauth2/v2.1/userinfo", access).await.json(),
        json!({"sub": login.stage.user_id, "name": "小明"})
    );
    assert_eq!(
        login.bearer("/v2/profile", access).await.json(),
        json!({"userId": login.stage.user_id, "displayName": "小明"})
    );
    assert_eq!(login.bearer("/friendship/v1/status", access).await.json(), json!({"friendFlag": true}));
    let narrow = login.tokens(&[("scope", "openid")]).await;
    let access = text(&narrow["access_token"]);
    assert_eq!(login.bearer("/v2/profile", access).await.status, 403);
    assert_eq!(
        login.bearer("/oauth2/v2.1/userinfo", access).await.json(),
        json!({"sub": login.stage.user_id})
    );
    assert_eq!(login.tokens(&[("scope", "profile")]).await.get("id_token"), None);
    assert_eq!(login.bearer("/v2/profile", "unknown").await.status, 401);
    login.set(json!({"linkedBotChannelId": null})).await;
    assert_eq!(login.bearer("/friendship/v1/status", text(&whole["access_token"])).await.status, 400);
}

/// PLATFORM 23.3: an id token for the web is HS256 with the channel secret; what it says.
#[tokio::test]
async fn an_id_token_says_who_it_is() {
    let login = Login::new().await;
    login.set(json!({"emailPermission": true})).await;
    let (user, user_id) = login.stranger().await;
    let tokens = login
        .tokens(&[
            ("sandbox_user", &user),
            ("scope", "openid profile email"),
            ("nonce", "n1"),
            ("max_age", "60"),
        ])
        .await;
    assert_eq!(tokens["scope"], "openid profile", "the e-mail scope is never listed");
    let id_token = text(&tokens["id_token"]);
    let (header, claims) = parts(id_token);
    assert_eq!(header, json!({"typ": "JWT", "alg": "HS256"}));
    assert_eq!(
        (&claims["iss"], &claims["sub"], &claims["aud"], &claims["nonce"], &claims["name"], &claims["email"]),
        (
            &json!("https://access.line.me"),
            &json!(user_id),
            &json!(login.id),
            &json!("n1"),
            &json!("Nok"),
            &json!("nok@example.com")
        )
    );
    assert!(claims["auth_time"].is_i64() && claims["amr"].is_array());
    let plain = login.tokens(&[]).await;
    assert_eq!(parts(text(&plain["id_token"])).1.get("auth_time"), None, "only with max_age");
}

/// PLATFORM 23.2: every text with which an id token is refused.
#[tokio::test]
async fn an_id_token_is_verified() {
    let login = Login::new().await;
    let tokens = login.tokens(&[("nonce", "n1")]).await;
    let id_token = text(&tokens["id_token"]);
    let sound = login.verify(id_token, &[("nonce", "n1"), ("user_id", &login.stage.user_id)]).await;
    assert_eq!(sound.json(), parts(id_token).1);
    for (other, why) in [
        (("client_id", "1"), "Invalid IdToken Audience."),
        (("nonce", "n2"), "Invalid IdToken Nonce."),
        (("user_id", "U1"), "Invalid IdToken Subject Identifier."),
    ] {
        login.verify(id_token, &[other]).await.refused(400, "invalid_request", why);
    }
    let (signed, _) = id_token.rsplit_once('.').unwrap();
    login.verify(&format!("{signed}.AAAA"), &[]).await.refused(400, "invalid_request", "Invalid IdToken.");
    login.verify("nothing", &[]).await.refused(400, "invalid_request", "Invalid IdToken.");
    let mut claims = parts(id_token).1;
    claims["iss"] = json!("https://elsewhere.example");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, login.secret.as_bytes());
    let (header, _) = signed.split_once('.').unwrap();
    let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let forged = format!("{text}.{}", URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, text.as_bytes())));
    login.verify(&forged, &[]).await.refused(400, "invalid_request", "Invalid IdToken Issuer.");
    login.stage.advance(3_600_000).await;
    login.verify(id_token, &[]).await.refused(400, "invalid_request", "IdToken expired.");
}

/// PLATFORM 23.4: `bot_prompt` adds or unblocks the linked account, which hears of it by a `follow`.
#[tokio::test]
async fn the_account_is_added_while_logging_in() {
    let login = Login::new().await;
    let (user, user_id) = login.stranger().await;
    // A checkbox on the consent page, not ticked.
    let page = login.open(&[("bot_prompt", "normal")]).await.to.unwrap();
    login.post(&page, &[("act", "who"), ("user", &user)]).await;
    let consent = login.get(&page).await;
    assert!(consent.text.contains("name=\"friend\"") && !consent.text.contains("checked"));
    let done = login.post(&page, &[("act", "allow")]).await;
    assert_eq!(done.parameter("friendship_status_changed").as_deref(), Some("false"));
    assert!(!login.is_friend(&user).await);
    // A page of its own.
    let page = login.open(&[("bot_prompt", "aggressive")]).await.to.unwrap();
    login.post(&page, &[("act", "who"), ("user", &user)]).await;
    assert!(login.get(&page).await.text.contains("value=\"add\""));
    let done = login.post(&page, &[("act", "add")]).await;
    assert_eq!(done.parameter("friendship_status_changed").as_deref(), Some("true"));
    let follow = login.stage.receiver.event(2).await;
    assert_eq!((&follow["type"], &follow["source"]["userId"]), (&json!("follow"), &json!(user_id)));
    assert_eq!(follow["follow"]["isUnblocked"], false);
    assert!(login.is_friend(&user).await);
    // A friend is shown as one, without the option.
    let page = login.open(&[("bot_prompt", "normal"), ("prompt", "consent")]).await.to.unwrap();
    login.post(&page, &[("act", "who"), ("user", &user)]).await;
    assert!(!login.get(&page).await.text.contains("name=\"friend\""));
    let done = login.post(&page, &[("act", "allow")]).await;
    assert_eq!(done.parameter("friendship_status_changed"), None);
    // Whoever blocked the account unblocks it.
    login.stage.act("unfollow", json!({})).await;
    login.code(&[("bot_prompt", "normal"), ("sandbox_add_friend", "1")]).await;
    let follow = login.stage.receiver.event(4).await;
    assert_eq!(follow["follow"]["isUnblocked"], true);
}

/// PLATFORM 23.1: `ui_locales` decides the language of the pages, through all their steps.
#[tokio::test]
async fn the_app_chooses_the_language() {
    let login = Login::new().await;
    let page = login.open(&[("ui_locales", "fr ja")]).await.to.unwrap();
    assert!(login.get(&page).await.text.contains("誰としてログインしますか"));
    let next = login.post(&page, &[("act", "who"), ("user", &login.stage.user)]).await.to.unwrap();
    assert!(login.get(&next).await.text.contains("アクセスを許可しますか"));
}

/// PLATFORM 23.1: `prompt=none` needs a login in this browser and a consent from before.
#[tokio::test]
async fn nothing_is_shown_where_nothing_may_be() {
    let login = Login::new().await;
    let user = login.stage.user.clone();
    let page = login.open(&[]).await.to.unwrap();
    let chosen = login.post(&page, &[("act", "who"), ("user", &user)]).await;
    let cookie = chosen.cookie.unwrap().split(';').next().unwrap().to_owned();
    let silent = async |other: &[(&str, &str)]| {
        let mut all = vec![("prompt", "none")];
        all.extend(other);
        login.fetch(login.stage.request("GET", &login.address(&all)).header(COOKIE, &cookie)).await
    };
    assert_eq!(silent(&[]).await.parameter("error").as_deref(), Some("INTERACTION_REQUIRED"));
    login.post(&page, &[("act", "allow")]).await;
    assert!(silent(&[]).await.parameter("code").is_some());
    login.stage.advance(61_000).await;
    assert_eq!(silent(&[("max_age", "60")]).await.parameter("error").as_deref(), Some("LOGIN_REQUIRED"));
}

/// PLATFORM 23.1: the answer can come as a form or inside a JWT.
#[tokio::test]
async fn answers_travel_in_the_wanted_mode() {
    let login = Login::new().await;
    let user = login.stage.user.as_str();
    let seen = login.open(&[("sandbox_user", user), ("response_mode", "form_post")]).await;
    assert_eq!(seen.status, 200);
    assert!(seen.text.contains(&format!("action=\"{CALLBACK}\"")) && seen.text.contains("name=\"code\""));
    let seen = login.open(&[("sandbox_user", user), ("response_mode", "query.jwt")]).await;
    let (_, claims) = parts(&seen.parameter("response").unwrap());
    assert_eq!((&claims["aud"], &claims["state"]), (&json!(login.id), &json!("s1")));
    assert_eq!(login.exchange(text(&claims["code"]), &[]).await.status, 200);
}

/// PLATFORM 23.2, 23.5: a channel or the person can end it; every token dies and consent is asked for again.
#[tokio::test]
async fn deauthorizing_ends_every_token() {
    let login = Login::new().await;
    let tokens = login.tokens(&[]).await;
    let channel = login.channel_token().await;
    let deauthorize = async |token: &str| {
        let request = login.stage.request("POST", "/user/v1/deauthorize").bearer_auth(&channel);
        login.fetch(request.json(&json!({"userAccessToken": token}))).await
    };
    let wrong = deauthorize("unknown").await;
    assert_eq!((wrong.status, wrong.json()), (400, json!({"message": "invalid token"})));
    let done = deauthorize(text(&tokens["access_token"])).await;
    assert_eq!((done.status, done.text.as_str()), (204, ""));
    assert_eq!(login.bearer("/v2/profile", text(&tokens["access_token"])).await.status, 401);
    let page = login.open(&[]).await.to.unwrap();
    let chosen = login.post(&page, &[("act", "who"), ("user", &login.stage.user)]).await;
    assert_eq!(chosen.to.as_deref(), Some(page.as_str()), "consent is asked for again");
}

/// PLATFORM 2: the discovery document leads to the sandbox's own paths, and pages of any origin may call them.
#[tokio::test]
async fn discovery_and_keys_are_public() {
    let login = Login::new().await;
    let document = login.get("/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], "https://access.line.me");
    assert_eq!(document["jwks_uri"], format!("{}/oauth2/v2.1/certs", login.stage.base));
    let keys = login.get("/oauth2/v2.1/certs").await.json();
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["alg"]), (&json!("EC"), &json!("ES256")));
    let preflight = login.stage.request("OPTIONS", "/v2/profile").header("origin", "http://127.0.0.1:3000");
    let answer = login.browser.execute(preflight.build().unwrap()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["access-control-allow-origin"]),
        (204, &"*".parse().unwrap())
    );
}
