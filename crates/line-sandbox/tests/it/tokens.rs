//! Access tokens and the refusals around them (PLATFORM 4, 5).

use serde_json::{Value, json};

use crate::stage::Stage;

/// PLATFORM 4.1: one text for a wrong ID and a wrong secret.
#[tokio::test]
async fn a_stateless_token_needs_the_right_pair_and_ages() {
    let stage = Stage::new().await;
    let refusal = json!({"error": "invalid_request", "error_description": "Invalid 'client_credentials'."});
    for (id, secret) in [("2000000000", stage.secret.as_str()), (stage.channel.as_str(), "wrong")] {
        let answer = stage.stateless_token(id, secret).await;
        assert_eq!((answer.status, answer.json()), (400, refusal.clone()));
    }
    let token = stage.stateless_token(&stage.channel, &stage.secret).await.ok();
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("Bearer"), &json!(900)));
    stage.advance(899_000).await;
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
    stage.advance(2_000).await;
    stage.get("/v2/bot/info").await.refused(
        401,
        "Authentication failed due to the following reason: invalid token. \
         Confirm that the access token in the authorization header is valid.",
    );
}

/// PLATFORM 4.1: the short-lived call tells a wrong ID from a wrong secret.
#[tokio::test]
async fn a_short_lived_token_tells_what_is_wrong() {
    let stage = Stage::new().await;
    let ask = async |id: &str, secret: &str| {
        let pairs = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        stage.form("/v2/oauth/accessToken", &pairs).await
    };
    assert_eq!(ask("1", "x").await.json()["error_description"], "invalid client_id");
    assert_eq!(ask(&stage.channel, "x").await.json()["error_description"], "invalid client_secret");
    let token = ask(&stage.channel, &stage.secret).await.ok();
    assert_eq!(token["expires_in"], 2_592_000);
    let first = token["access_token"].as_str().unwrap().to_owned();
    let check = async |token: &str| stage.form("/v2/oauth/verify", &[("access_token", token)]).await;
    assert_eq!(check(&first).await.ok()["client_id"], stage.channel);
    // PLATFORM 4: at most 30; the 31st revokes the oldest.
    stage.advance(1).await;
    for _ in 0..30 {
        ask(&stage.channel, &stage.secret).await.ok();
    }
    assert_eq!(check(&first).await.json()["error_description"], "access_token invalid");
    assert_eq!(check("not a token").await.json()["error_description"], "access_token in invalid format");
}

#[tokio::test]
async fn a_long_lived_token_dies_when_issued_again_or_revoked() {
    let mut stage = Stage::new().await;
    let path = format!("/channels/{}/access-token", stage.channel);
    let mut issue = Vec::new();
    for _ in 0..2 {
        issue.push(
            stage.control("POST", &path, json!({})).await.ok()["accessToken"].as_str().unwrap().to_owned(),
        );
    }
    stage.token = issue.remove(0);
    assert_eq!(stage.get("/v2/bot/info").await.status, 401);
    stage.token = issue.remove(0);
    stage.advance(400 * 24 * 3_600_000).await;
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
    let revoked = stage.form("/v2/oauth/revoke", &[("access_token", &stage.token)]).await;
    assert_eq!((revoked.status, revoked.bytes.len()), (200, 0));
    assert_eq!(stage.get("/v2/bot/info").await.status, 401);
    assert_eq!(stage.form("/v2/oauth/revoke", &[("access_token", "unknown")]).await.status, 200);
}

/// PLATFORM 4: a stateless token cannot be revoked; 4.3: a reissued secret ends the old one, not the tokens.
#[tokio::test]
async fn a_new_secret_counts_at_once() {
    let stage = Stage::new().await;
    stage.form("/v2/oauth/revoke", &[("access_token", &stage.token)]).await;
    let path = format!("/channels/{}/secret", stage.channel);
    let secret =
        stage.control("POST", &path, json!({})).await.ok()["channelSecret"].as_str().unwrap().to_owned();
    assert_eq!(stage.stateless_token(&stage.channel, &stage.secret).await.status, 400);
    stage.stateless_token(&stage.channel, &secret).await.ok();
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
    stage.write("hi").await;
    stage.receiver.event(2).await;
    let (headers, body) = stage.receiver.got.lock().unwrap().last().unwrap().clone();
    let signature = headers["x-line-signature"].to_str().unwrap();
    assert!(line_api::signature::verify(&secret, &body, signature));
}

/// PLATFORM 5: texts of 401, 404, 411, 413, 415 and of bodies that are not JSON.
#[tokio::test]
async fn the_door_refuses_in_lines_words() {
    let stage = Stage::new().await;
    let bare = stage.send(stage.request("GET", "/v2/bot/info")).await.unwrap();
    bare.refused(
        401,
        "Authorization header required. Must follow the scheme, 'Authorization: Bearer <ACCESS TOKEN>'",
    );
    let data = stage.request("GET", "/v2/bot/message/1/content").bearer_auth("x");
    stage.send(data).await.unwrap().refused(
        401,
        "Authentication failed. Confirm that the access token in the authorization header is valid.",
    );
    stage.get("/v2/bot/nothing").await.refused(404, "Not found");
    let push = || stage.request("POST", "/v2/bot/message/push").bearer_auth(&stage.token);
    let broken = push().header("content-type", "application/json").body("{\"to\": oops}");
    stage
        .send(broken)
        .await
        .unwrap()
        .refused(400, "The request body could not be parsed as JSON (line: 1, column: 8)");
    let text = push().header("content-type", "text/plain").body("{}");
    stage.send(text).await.unwrap().refused(415, "The content type, text/plain, is not supported");
    let huge = push().header("content-type", "application/json").body(vec![b' '; 2 * 1024 * 1024 + 1]);
    assert_eq!(stage.send(huge).await.unwrap().status, 413);
    let bodyless = stage.request("POST", "/v2/bot/group/C0/leave").bearer_auth(&stage.token);
    assert_eq!(stage.send(bodyless).await.unwrap().status, 411);
}

/// A Login channel's token works, but there is no account behind it.
#[tokio::test]
async fn a_login_channel_has_no_account() {
    let mut stage = Stage::new().await;
    let body = json!({"providerId": stage.provider, "type": "login", "name": "Members"});
    let login = stage.control("POST", "/channels", body).await.ok();
    assert_eq!(login.get("botUserId"), None);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (id, secret) = (text(&login["channelId"]), text(&login["channelSecret"]));
    stage.token = text(&stage.stateless_token(&id, &secret).await.ok()["access_token"]);
    stage.get("/v2/bot/info").await.refused(403, "Access to this API is not available for your account");
}
