//! What goes wrong after connecting, and mistakes with new credentials.

use std::time::Duration;

use serde_json::json;

use super::scene::{Scene, text};

/// Makes them all.
pub(super) async fn make(scene: &mut Scene) {
    let (channel, account) = scene.connected().await;
    scene.console(&channel, json!({ "useWebhook": false })).await;
    scene.notices("\"Use webhook\" switched off at LINE", &account, "webhook_off").await;
    let elsewhere = json!({ "useWebhook": true, "webhookEndpoint": "https://other.example/hook" });
    scene.console(&channel, elsewhere).await;
    scene.notices("The webhook address changed behind the hub's back", &account, "webhook_elsewhere").await;

    let (channel, account) = scene.connected().await;
    let reissued = scene.hub.control.post(&format!("/channels/{}/secret", channel.id), json!({})).await;
    scene.hub.advance(Duration::from_secs(16 * 60));
    scene.notices("The channel secret reissued at LINE", &account, "credentials").await;
    // The old one once more, and one of another account.
    let page = format!("/settings/accounts/{account}/credentials");
    let path = format!("/accounts/{account}");
    let (other, _) = scene.connected().await;
    for (mistake, secret) in [
        ("The old secret entered again after a reissue", channel.secret),
        ("Another account's secret entered as the new one", other.secret),
    ] {
        let answer = scene.hub.api().patch(&path, json!({ "channel_secret": secret })).await;
        let html = scene.submit(&page, &page, &[("channel_secret".to_owned(), secret)]).await;
        scene.told(mistake, &answer.json(), &html, None);
    }
    let right = json!({ "channel_secret": reissued["channelSecret"] });
    let _ = scene.hub.api().patch(&path, right).await.expect(200);

    let (channel, account) = scene.connected().await;
    let key = scene.hub.api().post("/signing-keys", json!({ "channel_id": channel.id })).await.expect(201);
    let register = format!("/channels/{}/public-keys", channel.id);
    let kid = text(&scene.hub.control.post(&register, json!({ "jwk": key["public_jwk"] })).await["kid"]);
    let prove = format!("/signing-keys/{}", text(&key["id"]));
    let _ = scene.hub.api().patch(&prove, json!({ "kid": kid })).await.expect(200);
    scene.hub.control.delete(&format!("{register}/{kid}")).await;
    scene.hub.advance(Duration::from_secs(16 * 60));
    scene.notices("The public key removed at LINE", &account, "credentials").await;
}
