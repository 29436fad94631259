//! Mistakes while connecting.

use std::time::Duration;

use serde_json::{Value, json};

use super::scene::{Scene, text};

/// Makes them all.
pub(super) async fn make(scene: &mut Scene) {
    values(scene).await;
    tokens(scene).await;
    keys(scene).await;
    others(scene).await;
    webhook(scene).await;
    line(scene).await;
}

/// Channel ID, secret and LINE ID. S0-22, S0-23, S1-16, S4-07, S4-08
async fn values(scene: &mut Scene) {
    let (channel, other) = (scene.channel("messaging").await, scene.channel("messaging").await);
    let login = scene.channel("login").await;
    let swapped = json!({ "channel_id": channel.secret, "channel_secret": channel.id });
    scene.connects("Channel ID and secret swapped", swapped).await;
    let user_id = format!("U{}", channel.secret);
    scene.connects("A user ID pasted as channel ID", channel.with(json!({ "channel_id": user_id }))).await;
    let twice = channel.with(json!({ "channel_id": channel.secret }));
    scene.connects("The channel secret pasted into both fields", twice).await;
    let twice = channel.with(json!({ "channel_secret": channel.id }));
    scene.connects("The channel ID pasted into both fields", twice).await;
    let token = scene.hub.control.post(&format!("/channels/{}/access-token", channel.id), json!({})).await;
    let as_secret = channel.with(json!({ "channel_secret": token["accessToken"] }));
    scene.connects("A long-lived token pasted as channel secret", as_secret).await;
    // What LINE's login gives a website, as PLATFORM 23.3 describes it.
    let claims =
        "eyJpc3MiOiJodHRwczovL2FjY2Vzcy5saW5lLm1lIiwic3ViIjoiVTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIn0";
    let identity = format!("eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmF0dXJl");
    let as_token = channel.with(json!({ "access_token": identity }));
    scene.connects("An identity token of a login pasted as token", as_token).await;
    let as_token = channel.with(json!({ "access_token": channel.secret }));
    scene.connects("The channel secret pasted as token", as_token).await;
    scene.connects("Channel ID left empty", channel.with(json!({ "channel_id": "" }))).await;
    scene.connects("The LINE ID pasted as channel ID", channel.with(json!({ "channel_id": "@tea" }))).await;
    let typo = channel.with(json!({ "channel_id": "1999999999" }));
    scene.connects("A digit of the channel ID wrong", typo).await;
    scene.connects("ID and secret of a LINE Login channel", login.body()).await;
    scene.connects("Channel secret left empty", channel.with(json!({ "channel_secret": " \n" }))).await;
    let of_login = channel.with(json!({ "channel_secret": login.secret }));
    scene.connects("The Login channel's secret with the right ID", of_login).await;
    let of_other = channel.with(json!({ "channel_secret": other.secret }));
    scene.connects("Another channel's secret", of_other).await;
    let (short, _) = channel.secret.split_at(20);
    scene.connects("Channel secret cut off", channel.with(json!({ "channel_secret": short }))).await;
    let label = channel.with(json!({ "channel_secret": format!("密碼：{}", channel.secret) }));
    scene.connects("The label copied along with the secret", label).await;
    let label = channel.with(json!({ "channel_secret": format!("Channel secret: {}", channel.secret) }));
    scene.connects("The console's label copied along with the secret", label).await;
    let token = text(&token["accessToken"]);
    let label =
        channel.with(json!({ "access_token": format!("Channel access token (long-lived)\n{token}") }));
    scene.connects("The console's label copied along with the token", label).await;
    let expects = channel.with(json!({ "line_id": other.basic_id }));
    scene.connects("LINE ID of another official account", expects).await;
    // Blanks, line breaks, wide digits and marks without width are taken out; the account is connected.
    let wide: String = channel.id.chars().map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap()).collect();
    let pasted = json!({
        "channel_id": format!("\u{3000}{wide}\n"), "channel_secret": format!("\u{feff}{}\u{200b} \r\n", channel.secret),
        "line_id": format!("＠{}", channel.basic_id.trim_start_matches('@')),
    });
    let connected = scene.hub.api().post("/accounts", pasted).await.expect(201);
    assert_eq!(connected["channel_id"], channel.id);
    scene.add(
        "Blanks, line breaks, full-width digits or marks without width around a value",
        "every pasted value".to_owned(),
        "accepted: they are taken out before the value is used".to_owned(),
        "接受：使用前會先去除".to_owned(),
        "nothing to do".to_owned(),
    );
}

/// Pasted tokens. S0-24, S1-21
async fn tokens(scene: &mut Scene) {
    let (channel, other) = (scene.channel("messaging").await, scene.channel("messaging").await);
    let login = scene.channel("login").await;
    let long_lived = async |scene: &Scene, id: &str| {
        let path = format!("/channels/{id}/access-token");
        text(&scene.hub.control.post(&path, json!({})).await["accessToken"])
    };
    let nonsense = channel.with(json!({ "access_token": "nonsense" }));
    scene.connects("Something else pasted as token", nonsense).await;
    let foreign = long_lived(scene, &other.id).await;
    scene.connects("A token of another channel", channel.with(json!({ "access_token": foreign }))).await;
    let form = |channel: &super::scene::Channel| {
        format!("grant_type=client_credentials&client_id={}&client_secret={}", channel.id, channel.secret)
    };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let line = scene.hub.line.clone();
    let ask = async |path: &str, body: String| {
        let request = http.post(line.join(path).unwrap()).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.send().await.unwrap().json::<Value>().await.unwrap_or_default()
    };
    let of_login = text(&ask("/oauth2/v3/token", form(&login)).await["access_token"]);
    scene
        .connects("A token of a LINE Login channel", channel.with(json!({ "access_token": of_login })))
        .await;
    let replaced = long_lived(scene, &channel.id).await;
    let _ = long_lived(scene, &channel.id).await;
    let replaced = channel.with(json!({ "access_token": replaced }));
    scene.connects("A long-lived token that was reissued since", replaced).await;
    let revoked = text(&ask("/v2/oauth/accessToken", form(&channel)).await["access_token"]);
    let encoded: String = url::form_urlencoded::byte_serialize(revoked.as_bytes()).collect();
    let _ = ask("/v2/oauth/revoke", format!("access_token={encoded}")).await;
    scene.connects("A token that was revoked", channel.with(json!({ "access_token": revoked }))).await;
    let expired = text(&ask("/oauth2/v3/token", form(&channel)).await["access_token"]);
    scene.hub.advance(Duration::from_secs(16 * 60));
    scene.connects("A token that has expired", channel.with(json!({ "access_token": expired }))).await;
}

/// The address of the hub leads nowhere. GOTCHAS A10
pub(super) async fn refused(scene: &mut Scene) {
    let channel = scene.channel("messaging").await;
    scene.connects("Nothing listens at the hub's address: the connection is refused", channel.body()).await;
}

/// The public address is plain http: nothing is begun. S2-19
pub(super) async fn plain(scene: &mut Scene) {
    let channel = scene.channel("messaging").await;
    let answer = scene.hub.api().post("/accounts", channel.body()).await;
    let error = answer.json()["errors"][0].clone();
    assert_eq!((answer.status.as_u16(), &error["code"]), (422, &json!("public_url")), "{}", answer.body);
    let (title, detail) = scene.blocked().await;
    let english = text(&error["detail"]);
    let fix = english.rsplit_once("; ").map(|(_, fix)| fix.to_owned()).unwrap();
    let place = format!("field `{}`, `public_url`", text(&error["field"]));
    scene.add("The hub's public address is plain http", place, english, format!("{title}。{detail}"), fix);
}

/// Signing keys. S3-24
async fn keys(scene: &mut Scene) {
    let ((channel, account), other) = (scene.connected().await, scene.channel("messaging").await);
    let register = async |scene: &Scene, id: &str, key: &Value| {
        let path = format!("/channels/{id}/public-keys");
        text(&scene.hub.control.post(&path, json!({ "jwk": key["public_jwk"] })).await["kid"])
    };
    let make = async |scene: &Scene| {
        scene.hub.api().post("/signing-keys", json!({ "channel_id": channel.id })).await.expect(201)
    };
    let (second, key) = (make(scene).await, make(scene).await);
    scene.proves("kid left empty", &account, &key, "").await;
    scene.proves("The public key pasted as kid", &account, &key, &key["public_jwk"].to_string()).await;
    let unknown = "536e453c-aa93-4449-8e90-add2608783c6";
    scene.proves("The public key not registered at LINE", &account, &key, unknown).await;
    let of_second = register(scene, &channel.id, &second).await;
    scene.proves("The kid of another key of the channel", &account, &key, &of_second).await;
    let elsewhere = register(scene, &other.id, &key).await;
    scene.proves("The public key registered at another channel", &account, &key, &elsewhere).await;
    scene.hub.control.delete(&format!("/channels/{}/public-keys/{elsewhere}", other.id)).await;
    // LINE issues no stateless tokens here. Before connecting no secret is there to give a proof's place back with: the 30
    // places are taken one after the other.
    let channel = scene.channel("messaging").await;
    let body = json!({ "channel_id": channel.id });
    let key = scene.hub.api().post("/signing-keys", body.clone()).await.expect(201);
    // One that waits: at its field the page asks for a kid.
    let _ = scene.hub.api().post("/signing-keys", body).await.expect(201);
    let kid = register(scene, &channel.id, &key).await;
    let refused = json!({ "error": "invalid_request" });
    let fault =
        json!({ "on": "api", "path": "/oauth2/v3/token", "kind": "status", "status": 400, "body": refused });
    scene.fault(fault.clone()).await;
    let path = format!("/signing-keys/{}", text(&key["id"]));
    let mut proofs = 0;
    while scene.hub.api().patch(&path, json!({ "kid": kid })).await.status == 200 {
        proofs += 1;
        assert!(proofs <= 30, "there are 30 places");
    }
    scene.calm().await;
    scene.console(&channel, json!({ "useWebhook": true })).await;
    let account = text(&scene.hub.api().post("/accounts", channel.body()).await.expect(201)["id"]);
    scene.fault(fault).await;
    scene.proves("All 30 places for v2.1 tokens taken", &account, &key, &kid).await;
    scene.calm().await;
}

/// What others hold. S1-09, S1-41
async fn others(scene: &mut Scene) {
    let (channel, _) = scene.connected().await;
    scene.connects("Connected already, in this team", channel.body()).await;
    let theirs = scene.channel("messaging").await;
    let stranger = scene.hub.stranger("四杯茶").await;
    let _ = stranger.post("/accounts", theirs.body()).await.expect(201);
    scene.connects("Held by another team of this hub, which is not named", theirs.body()).await;
    let taken = scene.channel("messaging").await;
    scene
        .console(&taken, json!({ "webhookEndpoint": "https://other.example/hook", "useWebhook": true }))
        .await;
    scene.connects("LINE sends the events to another system", taken.body()).await;
}

/// LINE does not reach the hub.
async fn webhook(scene: &mut Scene) {
    let channel = scene.channel("messaging").await;
    for (mistake, fault) in [
        (
            "Something else answers at the hub's address",
            json!({ "on": "webhook", "kind": "status", "status": 502 }),
        ),
        ("The hub's address does not answer in time", json!({ "on": "webhook", "kind": "hang" })),
        ("The connection to the hub is cut", json!({ "on": "webhook", "kind": "reset" })),
    ] {
        scene.fault(fault).await;
        scene.connects(mistake, channel.body()).await;
        scene.calm().await;
    }
}

/// LINE itself.
async fn line(scene: &mut Scene) {
    let channel = scene.channel("messaging").await;
    let api = |path: &str, status: u16, message: &str| json!({ "on": "api", "path": path, "kind": "status", "status": status, "body": { "message": message } });
    for (mistake, fault) in [
        ("The official account is suspended", api("/v2/bot/info", 403, "The account is suspended")),
        ("Too many calls", api("/oauth2/v3/token", 429, "You have reached the rate limit")),
        ("LINE is out of order", api("/oauth2/v3/token", 500, "Internal server error")),
        (
            "The connection to LINE is cut",
            json!({ "on": "api", "path": "/oauth2/v3/token", "kind": "reset" }),
        ),
        ("LINE does not answer in time", json!({ "on": "api", "path": "/oauth2/v3/token", "kind": "hang" })),
    ] {
        scene.fault(fault).await;
        scene.connects(mistake, channel.body()).await;
        scene.calm().await;
    }
}
