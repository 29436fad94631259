//! Module channels (PLATFORM 14).

use serde_json::{Value, json};
use url::Url;

use super::{Calls, Check, calls};
use crate::stage::{Answer, Stage};

const BACK: &str = "https://module.example/done";

/// A module channel, and how it calls for the stage's account.
struct Module<'s> {
    stage: &'s Stage,
    id: String,
    secret: String,
    token: String,
}

pub(super) async fn run() -> Calls {
    let stage = Stage::new().await;
    let (first, second) = (Module::new(&stage).await, Module::new(&stage).await);
    let mut pages = Vec::new();
    first.attach(&mut pages).await;
    second.attach(&mut pages).await;
    first.works(&second).await;
    let (mut all, _) = calls(&stage).await;
    all.extend(pages);
    (all, Vec::new())
}

impl<'s> Module<'s> {
    async fn new(stage: &'s Stage) -> Self {
        let body = json!({"providerId": stage.provider, "type": "module", "name": "Helper"});
        let made = stage.control("POST", "/channels", body).await.ok();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let (id, secret) = (text("channelId"), text("channelSecret"));
        stage.control("PATCH", &format!("/channels/{id}"), json!({"callbackUrls": [BACK]})).await.ok();
        let token =
            stage.stateless_token(&id, &secret).await.is(200)["access_token"].as_str().unwrap().to_owned();
        Self { stage, id, secret, token }
    }

    async fn attach(&self, pages: &mut Vec<Value>) {
        const PAGE: &str = "/module/auth/v1/authorize";
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let mut open = async |client: &str| {
            let query = [
                ("response_type", "code"),
                ("client_id", client),
                ("redirect_uri", BACK),
                ("scope", "message:send message:receive"),
                ("state", "s1"),
                ("sandbox_approve", "1"),
            ];
            let answer = http.get(format!("{}{PAGE}", self.stage.base)).query(&query).send().await.unwrap();
            let status = answer.status().as_u16();
            pages.push(json!({"method": "GET", "path": PAGE, "status": status}));
            (status, answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()))
        };
        assert_eq!(open("1").await.0, 400);
        let (status, to) = open(&self.id).await;
        assert_eq!(status, 302);
        let to = Url::parse(&to.unwrap()).unwrap();
        let code = to.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let exchange = async || {
            let form =
                [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", BACK)];
            let request = self.stage.request("POST", "/module/auth/v1/token").form(&form);
            self.stage.send(request.basic_auth(&self.id, Some(&self.secret))).await.unwrap()
        };
        assert_eq!(exchange().await.is(200)["bot_id"], json!(self.stage.bot));
        exchange().await.is(400);
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Answer {
        let request =
            self.stage.request(method, path).bearer_auth(token).header("X-Line-Bot-Id", &self.stage.bot);
        let request = match (method, body) {
            ("GET", _) => request,
            (_, Value::Null) => request.body("").header("content-length", "0"),
            (_, body) => request.json(&body),
        };
        self.stage.send(request).await.unwrap()
    }

    async fn works(&self, other: &Self) {
        let stage = self.stage;
        const LIST: &str = "/v2/bot/list";
        assert_eq!(
            self.call("GET", LIST, &self.token, Value::Null).await.is(200)["bots"][0]["userId"],
            json!(stage.bot)
        );
        self.call("GET", &format!("{LIST}?start=x"), &self.token, Value::Null)
            .await
            .says(400, "Invalid start param");
        let chat = |act: &str| format!("/v2/bot/chat/{}/control/{act}", stage.user_id);
        let hold = json!({"expired": true, "ttl": 3600});
        assert_eq!(self.call("POST", &chat("acquire"), &self.token, hold.clone()).await.is(200), json!({}));
        // Another took it a moment ago.
        other.call("POST", &chat("acquire"), &other.token, hold.clone()).await.is(423);
        let long = json!({"expired": true, "ttl": 31_536_001});
        self.call("POST", &chat("acquire"), &self.token, long).await.is(400);
        let nobody = "/v2/bot/chat/U00000000000000000000000000000000/control/acquire";
        self.call("POST", nobody, &self.token, hold.clone()).await.is(404);
        for act in ["acquire", "release"] {
            let wrong = format!("/v2/bot/chat/me/control/{act}");
            self.call("POST", &wrong, &self.token, Value::Null)
                .await
                .says(400, "The value for the 'chatId' parameter is invalid");
        }
        assert_eq!(self.call("POST", &chat("release"), &self.token, Value::Null).await.is(200), json!({}));
        const DETACH: &str = "/v2/bot/channel/detach";
        let this = json!({"botId": stage.bot});
        for (method, path, body) in [
            ("GET", LIST, Value::Null),
            ("POST", chat("acquire").as_str(), hold),
            ("POST", chat("release").as_str(), Value::Null),
            ("POST", DETACH, this.clone()),
        ] {
            self.call(method, path, "false", body).await.is(401);
        }
        self.call("POST", DETACH, &self.token, json!({"botId": "me"})).await.is(400);
        assert_eq!(self.call("POST", DETACH, &self.token, this).await.is(200), json!({}));
    }
}
