//! Mistakes with LINE Login and LIFF: values, and what tests of login and LIFF tell. S4-04, S4-05, S4-29, S4-31, S4-43, S4-44

use serde_json::{Value, json};

use super::scene::{Channel, Scene, text};

/// Makes them all.
pub(super) async fn make(scene: &mut Scene) {
    let (channel, account) = scene.connected().await;
    let provider = text(&scene.hub.control.get(&format!("/channels/{}", channel.id)).await["providerId"]);
    let login = scene.login_channel(&provider).await;
    values(scene, &account, &channel, &login).await;
    let callback = text(
        &scene.hub.api().get(&format!("/accounts/{account}")).await.expect(200)["login"]["callback_url"],
    );
    let console = json!({ "published": true, "callbackUrls": [callback], "linkedBotChannelId": channel.id });
    scene.console(&login, console).await;
    scene.saves_login(&account, &login).await;
    walks(scene, &account, (&channel, &login), &callback).await;
    liff(scene, &account, &login).await;
    providers(scene, &account, &callback).await;
}

/// Channel ID and secret of LINE Login.
async fn values(scene: &mut Scene, account: &str, channel: &Channel, login: &Channel) {
    let other = scene.connected().await.1;
    let own = scene.hub.control.get(&format!("/channels/{}", channel.id)).await;
    let taken = scene.login_channel(&text(&own["providerId"])).await;
    scene.saves_login(&other, &taken).await;
    let token = scene.hub.control.post(&format!("/channels/{}/access-token", channel.id), json!({})).await;
    let (id, secret) = (login.id.as_str(), login.secret.as_str());
    for (mistake, id, secret) in [
        ("LINE Login: channel ID and secret swapped", secret, id),
        ("LINE Login: ID and secret of the Messaging API channel", &channel.id, &channel.secret),
        ("LINE Login: a digit of the channel ID wrong", "1999999999", secret),
        ("LINE Login: the LINE ID pasted as channel ID", "@tea", secret),
        ("LINE Login: the LIFF ID pasted as channel ID", "1657000000-AbcdEfgh", secret),
        ("LINE Login: another channel's secret", id, &channel.secret),
        ("LINE Login: the secret left empty", id, " "),
        ("LINE Login: a channel access token pasted as secret", id, &text(&token["accessToken"])),
        ("LINE Login: a channel that another account uses", &taken.id, &taken.secret),
    ] {
        scene.enters_login(mistake, account, (id, secret)).await;
    }
}

/// What goes wrong on the way to LINE and back.
async fn walks(scene: &mut Scene, account: &str, (channel, login): (&Channel, &Channel), callback: &str) {
    scene.console(login, json!({ "callbackUrls": ["https://old.example/callback"] })).await;
    scene.begins(account, "login").await;
    scene.finds("LINE Login: the callback URL not registered", account, "callback_mismatch").await;
    scene.console(login, json!({ "callbackUrls": [callback], "published": false })).await;
    scene.begins(account, "login").await;
    scene.finds("LINE Login: the channel perhaps not published", account, "published_unknown").await;
    let person = scene.hub.line_user("林小晴").await;
    scene.walks(account, &person.user, "").await;
    scene.hub.clock.advance(std::time::Duration::from_secs(61));
    scene.finds("LINE Login: the channel not published, LINE shows an error page", account, "not_back").await;
    scene.console(login, json!({ "published": true })).await;
    scene.begins(account, "login").await;
    scene.walks(account, &person.user, "&sandbox_deny=1").await;
    scene.finds("LINE Login: consent refused", account, "consent_refused").await;
    scene.console(login, json!({ "linkedBotChannelId": null })).await;
    scene.begins(account, "login").await;
    scene.walks(account, &person.user, "").await;
    scene.finds("LINE Login: no official account linked", account, "linked_none").await;
    scene.finds("LINE Login: who logged in is no friend of the account", account, "provider_unknown").await;
    let follow = format!("/users/{}/follow", person.user);
    scene.hub.control.post(&follow, json!({ "channelId": channel.id })).await;
    scene.hub.settle().await;
    let provider = text(&scene.hub.control.get(&format!("/channels/{}", channel.id)).await["providerId"]);
    let second = json!({ "providerId": provider, "type": "messaging", "name": "四杯茶" });
    let second = scene.hub.control.post("/channels", second).await;
    scene.console(login, json!({ "linkedBotChannelId": second["channelId"] })).await;
    scene.begins(account, "login").await;
    scene.walks(account, &person.user, "").await;
    scene.finds("LINE Login: another official account linked", account, "linked_other").await;
    scene.console(login, json!({ "linkedBotChannelId": channel.id })).await;
}

/// The LIFF app, and a secret that was reissued.
async fn liff(scene: &mut Scene, account: &str, login: &Channel) {
    let apps = format!("/channels/{}/liff-apps", login.id);
    let view =
        scene.hub.api().get(&format!("/accounts/{account}")).await.expect(200)["login"]["liff"].clone();
    let id = text(&view["id"]);
    for (mistake, app, code) in [
        (
            "LIFF: the Endpoint URL changed behind the hub's back",
            json!({ "view": { "type": "full", "url": "https://old.example/x" } }),
            "liff_endpoint",
        ),
        (
            "LIFF: its size changed behind the hub's back",
            json!({ "view": { "type": "tall", "url": view["endpoint"] } }),
            "liff_settings",
        ),
    ] {
        scene.puts_app(login, &id, &app).await;
        scene.begins(account, "liff").await;
        scene.finds(mistake, account, code).await;
    }
    scene.hub.control.delete(&format!("{apps}/{id}")).await;
    scene.begins(account, "liff").await;
    scene.finds("LIFF: the app deleted at LINE", account, "liff_missing").await;
    let _ = scene.hub.api().post(&format!("/accounts/{account}/liff-repair"), json!({})).await.expect(200);
    let reissued = scene.hub.control.post(&format!("/channels/{}/secret", login.id), json!({})).await;
    scene.begins(account, "login").await;
    scene.finds("LINE Login: the channel secret reissued at LINE", account, "wrong_secret").await;
    let right = json!({ "login_channel_secret": reissued["channelSecret"] });
    let _ = scene.hub.api().patch(&format!("/accounts/{account}"), right).await.expect(200);
}

/// A Login channel of another provider.
async fn providers(scene: &mut Scene, account: &str, callback: &str) {
    let elsewhere = scene.hub.control.post("/providers", json!({ "name": "別家公司" })).await;
    let login = scene.login_channel(&text(&elsewhere["providerId"])).await;
    scene.console(&login, json!({ "published": true, "callbackUrls": [callback] })).await;
    scene.saves_login(account, &login).await;
    let person = scene.hub.line_user("阿明").await;
    scene.begins(account, "login").await;
    scene.walks(account, &person.user, "").await;
    let code: Value = scene.last_test(account).await["code"].clone();
    let channel =
        scene.hub.api().get(&format!("/accounts/{account}")).await.expect(200)["channel_id"].clone();
    let act = format!("/users/{}", person.user);
    scene.hub.control.post(&format!("{act}/follow"), json!({ "channelId": channel })).await;
    let message = json!({ "channelId": channel, "message": { "type": "text", "text": code } });
    scene.hub.control.post(&format!("{act}/messages"), message).await;
    scene.hub.settle().await;
    scene.finds("LINE Login: a channel of another Provider", account, "provider_other").await;
}
