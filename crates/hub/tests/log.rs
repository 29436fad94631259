//! What docs/LOGGING.md promises: no secret, no token, no name and no word of a message is in the log, however much is
//! logged and whatever goes wrong. A program of its own, because it listens to all of a process's log.

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{LazyLock, Mutex};
    use std::time::Duration;

    use hub::db::Sql;
    use hub::team::{self, Actor};
    use line_api::signature::sign;
    use rstest::rstest;
    use serde_json::{Value, json};
    use testkit::{Engine, TestHub};
    use tracing_subscriber::EnvFilter;

    /// In every text that must not be in the log; what others made up is looked for by itself.
    const PLANTED: &str = "pl4nted";
    const ACTOR: Actor = Actor::System("test");
    /// More than an operator would ever switch on. The cookie jar is that of the test's own browser.
    const FILTER: &str = "debug,cookie_store=off,hub=trace,line_api=trace,line_client=trace,line_view=trace,\
        line_sandbox=trace,testkit=trace";
    const PUSH: &str = "/v2/bot/message/push";

    static LOG: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(|| {
        let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(FILTER));
        builder.with_ansi(false).with_writer(|| Sink).init();
        Mutex::default()
    });

    struct Sink;

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            LOG.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn planted(what: &str) -> String {
        format!("{what} {PLANTED}-{what}")
    }

    fn text(value: &Value) -> String {
        value.as_str().unwrap().to_owned()
    }

    /// The last part of a link.
    fn token(link: &str) -> String {
        link.rsplit('/').next().unwrap().to_owned()
    }

    async fn post(url: &url::Url, body: &str, signature: &str) -> u16 {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let request = http.post(url.clone()).header("x-line-signature", signature).body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    }

    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_secret_or_private_is_logged(#[case] engine: Engine) {
        LazyLock::force(&LOG);
        let Some(hub) = TestHub::new().engine(engine).start().await else { return };
        let mut secrets: Vec<(&str, String)> = Vec::new();

        // Connecting: with a right secret, a wrong one, and a token of its own.
        let account = hub.connect_account().await;
        secrets.push(("the channel secret", account.channel_secret.clone()));
        secrets.push(("the webhook's address", token(account.webhook_url.path())));
        let channel = hub.channel("Other OA").await;
        let wrong = format!("{PLANTED}0123456789abcdef01234");
        let wrong =
            json!({ "messenger": "line", "channel_id": channel["channelId"], "channel_secret": wrong });
        assert_eq!(hub.api().post("/accounts", wrong).await.status, 422);
        let path = format!("/channels/{}/access-token", text(&channel["channelId"]));
        let access = text(&hub.control.post(&path, json!({})).await["accessToken"]);
        let body = json!({ "messenger": "line", "channel_id": channel["channelId"],
            "channel_secret": channel["channelSecret"], "access_token": access });
        assert_eq!(hub.api().post("/accounts", body).await.status, 201);
        secrets.push(("an access token", access));
        secrets.push(("another channel secret", text(&channel["channelSecret"])));

        // Signing in, wrongly and rightly; links and keys.
        let browser = hub.anon();
        for password in [planted("password"), "correct horse battery".to_owned()] {
            let form = [("email", "owner@test.example"), ("password", password.as_str())];
            let answer = browser.submit("/sign-in", "/sign-in", &form).await;
            for cookie in answer.headers.get_all("set-cookie") {
                let value = cookie.to_str().unwrap().split(['=', ';']).nth(1).unwrap();
                secrets.push(("a cookie", value.to_owned()));
            }
        }
        assert_eq!(browser.get("/settings/profile").await.status, 200);
        secrets.push(("the password", "correct horse battery".to_owned()));
        let new = [("email", "pl4nted@example.tw"), ("role", "agent")];
        let invited = browser.submit("/settings/people", "/settings/people/invite", &new).await;
        let link = invited
            .body
            .split("id=\"invitation-link\"")
            .nth(1)
            .and_then(|rest| rest.split('>').nth(1))
            .unwrap()
            .split('<')
            .next()
            .unwrap();
        secrets.push(("an invitation", token(link)));
        let name = planted("person");
        let chosen = [("name", name.as_str()), ("password", "pl4nted password")];
        let path = url::Url::parse(link).unwrap().path().to_owned();
        assert_eq!(hub.anon().submit(&path, &path, &chosen).await.status, 303);
        let (_, key) = team::service::create_api_key(hub.hub(), &hub.tenant, "x", &[], &ACTOR).await.unwrap();
        for bearer in [key.clone(), format!("tlk_{PLANTED}")] {
            hub.api().request(reqwest::Method::GET, "/me").bearer_auth(bearer).send().await.unwrap();
        }
        secrets.push(("an API key", key));

        // A friend writes, taps, sends files, and takes something back.
        let friend = hub.line_user(&planted("friend")).await;
        friend.follows(&account).await;
        friend.says(&account, &planted("question")).await;
        let file =
            json!({ "type": "file", "fileName": format!("{PLANTED}.pdf"), "contentBase64": "cGw0bnRlZA==" });
        friend.sends(&account, file).await;
        let place = json!({ "type": "location", "title": planted("place"), "address": planted("address"),
            "latitude": 25.0, "longitude": 121.5 });
        friend.sends(&account, place).await;
        let unsent = friend.says(&account, &planted("regret")).await;
        friend.unsends(&account, &unsent).await;
        friend
            .acts("postbacks", json!({ "channelId": account.channel_id, "data": planted("postback") }))
            .await;
        hub.settle().await;
        let deliveries = hub.control.get("/deliveries").await["items"].as_array().unwrap().clone();
        for delivery in deliveries {
            let body: Value = serde_json::from_str(delivery["body"].as_str().unwrap()).unwrap();
            for event in body["events"].as_array().unwrap() {
                if let Some(token) = event["replyToken"].as_str() {
                    secrets.push(("a reply token", token.to_owned()));
                }
            }
        }

        // At the door: strangers, odd bodies.
        let signed = |body: &str| sign(&account.channel_secret, body.as_bytes());
        let bot = &account.bot_user_id;
        let odd =
            format!("{{\"destination\":\"{bot}\",\"events\":[{{\"type\":\"odd\",\"x\":\"{PLANTED}\"}},7]}}");
        let broken = format!("{{\"{PLANTED}\":");
        assert_eq!(post(&account.webhook_url, &odd, PLANTED).await, 401);
        assert_eq!(post(&account.webhook_url, &odd, &signed(&odd)).await, 200);
        assert_eq!(post(&account.webhook_url, &broken, &signed(&broken)).await, 400);
        hub.settle().await;

        // Answers: sent, refused by LINE (its own words may be logged, what they quote may not), lost, refused by the hub.
        let listed = hub.api().get("/conversations").await.expect(200);
        let conversation = &listed["items"][0];
        let path = format!("/conversations/{}/messages", text(&conversation["id"]));
        let answer = async |words: &str| {
            let body = json!({ "messages": [{ "type": "text", "text": words }] });
            hub.api().post(&path, body).await.status.as_u16()
        };
        assert_eq!(answer(&planted("answer")).await, 202);
        hub.settle().await;
        hub.advance(Duration::from_secs(120));
        let refusal =
            json!({ "message": "no", "details": [{ "message": planted("detail"), "property": "x" }] });
        for fault in [
            json!({ "on": "api", "path": PUSH, "kind": "status", "status": 400, "body": refusal.to_string(), "times": 1 }),
            json!({ "on": "api", "path": PUSH, "kind": "status", "status": 500, "body": refusal.to_string(), "times": 1 }),
            json!({ "on": "api", "path": PUSH, "kind": "lose_answer", "times": 1 }),
            json!({ "on": "api", "path": PUSH, "kind": "reset", "times": 1 }),
        ] {
            hub.control.post("/faults", fault).await;
            assert_eq!(answer(&planted("another answer")).await, 202);
            for _ in 0..5 {
                hub.advance(Duration::from_secs(30));
                hub.settle().await;
            }
        }
        hub.control.delete("/faults").await;
        let odd = json!({ "messages": [{ "type": PLANTED, "text": PLANTED }] });
        assert_eq!(hub.api().post(&path, odd).await.status, 422);
        let contact = text(&conversation["contact"]["id"]);
        let labels =
            json!({ "tags": [planted("tag")], "attributes": { planted("field"): planted("value") } });
        assert_eq!(hub.api().patch(&format!("/contacts/{contact}"), labels).await.status, 200);
        for path in ["/contacts?q=pl4nted", "/contacts?tag=pl4nted", "/pl4nted", "/inbox?q=pl4nted"] {
            hub.api().get(path).await;
            browser.get(path).await;
        }

        // Another system calls LINE through the hub.
        let system = json!({ "name": planted("system"), "url": "http://127.0.0.1:9999/pl4nted" });
        let made = hub.api().post(&format!("/accounts/{}/destinations", account.id), system).await;
        let path = format!("/destinations/{}/proxy-key", text(&made.expect(201)["id"]));
        let made = hub.api().post(&path, json!({ "scopes": ["read", "reply", "push"] })).await.expect(201);
        let key = text(&made["key"]);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let messages = json!([{ "type": "text", "text": planted("proxied") }]);
        for (bearer, path, body) in [
            (format!("tlp_{PLANTED}"), "/v2/bot/info", Value::Null),
            (key.clone(), "/v2/bot/profile/pl4nted?x=pl4nted", Value::Null),
            (key.clone(), "/v2/bot/pl4nted", Value::Null),
            (key.clone(), "/v2/bot/message/reply", json!({ "replyToken": PLANTED, "messages": messages })),
            (
                key.clone(),
                "/v2/bot/message/push",
                json!({ "to": format!("U{}", "0".repeat(32)), "messages": messages }),
            ),
            (
                key.clone(),
                "/v2/bot/message/push",
                json!({ "to": PLANTED, "messages": [{ "type": PLANTED }] }),
            ),
        ] {
            let method = if body.is_null() { reqwest::Method::GET } else { reqwest::Method::POST };
            let url = hub.url.join(path).unwrap();
            http.request(method, url).bearer_auth(bearer).json(&body).send().await.unwrap();
        }
        secrets.push(("a proxy key", key));

        // A table is gone in the midst of it all, and the journal is away.
        let exec = async |text: &'static str| {
            let mut tx = hub.hub().db.begin().await.unwrap();
            tx.run(&Sql { sqlite: text, postgres: text }, Vec::new()).await.unwrap();
            tx.commit().await.unwrap();
        };
        for (away, back) in [
            ("ALTER TABLE messages RENAME TO away", "ALTER TABLE away RENAME TO messages"),
            ("ALTER TABLE sign_in_attempts RENAME TO away", "ALTER TABLE away RENAME TO sign_in_attempts"),
        ] {
            exec(away).await;
            answer(&planted("too late")).await;
            browser.get("/inbox?q=pl4nted").await;
            let form = [("email", "pl4nted@example.tw"), ("password", PLANTED)];
            hub.anon().submit("/sign-in", "/sign-in", &form).await;
            exec(back).await;
        }
        let event = json!({ "type": "message", "message": { "type": "text", "id": "1", "text": PLANTED },
            "webhookEventId": "01HZX000000000000000000001", "timestamp": 1 });
        let body = json!({ "destination": account.bot_user_id, "events": [event] }).to_string();
        hub.hub().journal.close().await;
        assert_eq!(post(&account.webhook_url, &body, &signed(&body)).await, 503);
        let master = std::fs::read_to_string(hub.hub().config.data_dir.join("master.key")).unwrap();
        secrets.push(("the master key", master.trim().to_owned()));
        hub.close().await;

        let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
        for expected in ["DEBUG", " hub::", "POST /sign-in", "sqlx::query", "a request failed"] {
            assert!(log.contains(expected), "the test does not listen to {expected}");
        }
        let told = |word: &str| {
            log.lines().filter(|line| line.contains(word)).take(3).collect::<Vec<_>>().join("\n")
        };
        assert!(!log.contains(PLANTED), "private words are in the log:\n{}", told(PLANTED));
        for (what, secret) in secrets {
            assert!(secret.len() >= 16, "{what}");
            assert!(!log.contains(&secret), "{what} is in the log:\n{}", told(&secret));
        }
    }
}
