//! Account linking (PLATFORM 17).

use serde_json::{Value, json};

use crate::login::Login;

const NONCE: &str = "a-nonce-of-enough-length";

impl Login {
    async fn link_token(&self) -> String {
        let path = format!("/v2/bot/user/{}/linkToken", self.stage.user_id);
        self.stage.line("POST", &path, Value::Null).await.ok()["linkToken"].as_str().unwrap().to_owned()
    }
}

/// PLATFORM 16, 17: the event names the person and the nonce; the token works once, for 10 minutes.
#[tokio::test]
async fn an_account_is_linked_once() {
    let login = Login::new().await;
    let token = login.link_token().await;
    let page = format!("/dialog/bot/accountLink?linkToken={token}&nonce={NONCE}");
    let shown = login.get(&page).await;
    assert_eq!(shown.status, 200);
    assert!(shown.text.contains("小明") && shown.text.contains(&token));
    let pairs = [("linkToken", token.as_str()), ("nonce", NONCE), ("user", &login.stage.user)];
    assert_eq!(login.post("/dialog/bot/accountLink", &pairs).await.status, 200);
    let event = login.stage.receiver.event(2).await;
    assert_eq!(event["type"], "accountLink");
    assert_eq!(event["link"], json!({"result": "ok", "nonce": NONCE}));
    assert_eq!(event["source"]["userId"], login.stage.user_id);
    assert!(event["replyToken"].is_string());
    assert_eq!(login.get(&page).await.status, 400, "used up");
    let old = login.link_token().await;
    login.stage.advance(600_000).await;
    let at_once = |token: &str, nonce: &str, user: &str| {
        format!("/dialog/bot/accountLink?linkToken={token}&nonce={nonce}&sandbox_user={user}")
    };
    assert_eq!(login.get(&at_once(&old, NONCE, &login.stage.user)).await.status, 400, "too old");
    let token = login.link_token().await;
    assert_eq!(
        login.get(&at_once(&token, "short", &login.stage.user)).await.status,
        400,
        "10 to 255 characters"
    );
    assert_eq!(login.stage.receiver.events().len(), 2, "an error page makes no event");
    login.stage.receiver.check(login.stage.schema.as_ref());
}

/// PLATFORM 16: when somebody else opens the link it fails, and the event says nothing of anybody.
#[tokio::test]
async fn a_link_for_somebody_else_fails() {
    let login = Login::new().await;
    let other = login.stage.control("POST", "/users", json!({"displayName": "Nok"})).await.ok();
    let token = login.link_token().await;
    let user = other["user"].as_str().unwrap();
    let path = format!("/dialog/bot/accountLink?linkToken={token}&nonce={NONCE}&sandbox_user={user}");
    assert_eq!(login.get(&path).await.status, 200);
    let event = login.stage.receiver.event(2).await;
    assert_eq!(event["link"]["result"], "failed");
    assert_eq!((event.get("source"), event.get("replyToken")), (None, None));
}

#[tokio::test]
async fn link_tokens_are_for_people_the_account_knows() {
    let login = Login::new().await;
    let bad = login.stage.line("POST", "/v2/bot/user/U1/linkToken", Value::Null).await;
    bad.refused(400, "The value for the 'userId' parameter is invalid");
    let unknown = format!("/v2/bot/user/U{}/linkToken", "0".repeat(32));
    login.stage.line("POST", &unknown, Value::Null).await.refused(404, "Not found");
}
