//! An account's settings over HTTP: who answers what, disconnecting, a new public address, what friends read.

use hub::args;
use hub::db::Sql;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Engine, TestHub};

fn page(account: &Account, below: &str) -> String {
    format!("/settings/accounts/{}{below}", account.id)
}

#[tokio::test]
async fn plan_owners_and_ticks_are_set_by_page_and_by_api() {
    // S1-31, S1-32, S1-33, S1-35, S2-16
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let owner = hub.owner().await;
    let console = json!({ "chatMode": "chat" });
    hub.control.patch(&format!("/channels/{}", account.channel_id), console).await;
    // The reading of a moment ago does for a while.
    hub.advance(std::time::Duration::from_secs(60));
    let html = owner.get(&page(&account, "/answers")).await.body;
    assert!(
        html.contains("LINE reports: differs") && html.contains("1 switch differs from the plan"),
        "{html}"
    );
    assert!(html.contains("lost for good"), "the loss that redelivery prevents is said");
    let form = [("plan", "b"), ("greeting", "line"), ("keyword", "hub"), ("away", "nobody"), ("bot", "hub")];
    let path = page(&account, "/answers");
    assert!(owner.submit(&path, &path, &form).await.status.is_redirection());
    let tick = [("tick", "redelivery"), ("set", "1")];
    assert!(owner.submit(&path, &format!("{path}/ticks"), &tick).await.status.is_redirection());
    let html = owner.get(&path).await.body;
    assert!(html.contains("LINE reports: fits") && html.contains("Checked by"), "{html}");
    // In the reader's language.
    let chinese = owner.request(Method::GET, &path).header("accept-language", "zh-TW");
    let chinese = chinese.send().await.unwrap().text().await.unwrap();
    assert!(chinese.contains("「Webhook 重新傳送」開啟") && chinese.contains("方案 B"), "{chinese}");
    let shown = hub.api().get(&format!("/accounts/{}", account.id)).await.expect(200);
    assert_eq!((&shown["plan"], &shown["owners"]["greeting"]), (&json!("b"), &json!("line")));
    assert_eq!(
        (&shown["ticks"][0]["tick"], &shown["ticks"][0]["stale"]),
        (&json!("redelivery"), &json!(false))
    );
    let body = json!({
        "plan": "a", "owners": { "greeting": "hub" }, "ticks": { "redelivery": false, "greeting_off": true },
        "group_chats": "hidden", "sender_name": "agent", "display_label": "本店", "kind": "verified", "market": "tw",
    });
    let path = format!("/accounts/{}", account.id);
    let changed = hub.api().patch(&path, body).await.expect(200);
    assert_eq!((&changed["plan"], &changed["owners"]["away"]), (&json!("a"), &json!("nobody")));
    assert_eq!(changed["ticks"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&changed["display_label"], &changed["kind"], &changed["market"]),
        (&json!("本店"), &json!("verified"), &json!("tw"))
    );
    assert_eq!(changed["connected_by"], json!("test"), "S1-10");
    assert_eq!(hub.api().get("/accounts").await.expect(200)["items"][0], changed);
    let cleared = hub.api().patch(&path, json!({ "display_label": null, "kind": null })).await.expect(200);
    assert_eq!(
        (&cleared["display_label"], &cleared["kind"], &cleared["market"]),
        (&Value::Null, &Value::Null, &json!("tw"))
    );
    let wrong = hub.api().patch(&path, json!({ "display_label": "x".repeat(61) })).await.expect(422);
    assert_eq!(wrong["errors"][0]["field"], "display_label");
    // Agents look, and change nothing.
    let agent = hub.agent("agent@shop.example", &[&account.id]).await;
    assert_eq!(agent.get(&page(&account, "/answers")).await.status, 200);
    let refused = agent.submit(&page(&account, ""), &page(&account, "/answers"), &form).await;
    assert_eq!(refused.status, 403);
    hub.close().await;
}

#[tokio::test]
async fn friends_read_the_agents_name_where_the_account_is_set_so() {
    // S3-08; PLATFORM 19
    let Some(hub) = TestHub::new().start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    let owner = hub.owner().await;
    let conversation = hub.api().get("/conversations").await.expect(200)["items"][0]["id"].clone();
    let inbox = format!("/inbox/{}", conversation.as_str().unwrap());
    let sends = async |text: &str| {
        let answer =
            owner.submit(&inbox, &format!("{inbox}/send"), &[("text", text), ("allow_paid", "1")]).await;
        assert!(answer.status.is_success() || answer.status.is_redirection(), "{}", answer.body);
        hub.settle().await;
    };
    sends("as the shop").await;
    let _ = hub
        .api()
        .patch(&format!("/accounts/{}", account.id), json!({ "sender_name": "agent" }))
        .await
        .expect(200);
    sends("as myself").await;
    let timeline = friend.timeline(&account).await;
    let sender = |text: &str| {
        let line = timeline.iter().find(|line| line.to_string().contains(text));
        line.unwrap_or_else(|| panic!("{text} in {timeline:?}")).to_string().contains("\"sender\"")
    };
    assert!(!sender("as the shop") && sender("as myself"), "{timeline:?}");
    hub.close().await;
}

#[tokio::test]
async fn the_friend_code_is_shown_and_downloaded_and_settings_are_copied() {
    // S2-22, S2-07, S1-26, S3-27
    let Some(hub) = TestHub::new().start().await else { return };
    let (test, live) = (hub.connect_account().await, hub.connect_account().await);
    let owner = hub.owner().await;
    let html = owner.get(&page(&test, "")).await.body;
    assert!(
        html.contains("account-code") && html.contains("<svg") && html.contains("friend-code/png"),
        "{html}"
    );
    let png = owner.request(Method::GET, &page(&test, "/friend-code/png")).send().await.unwrap();
    assert_eq!(png.headers()["content-type"], "image/png");
    assert!(png.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert!(png.bytes().await.unwrap().starts_with(b"\x89PNG"));
    assert_eq!(owner.get(&page(&test, "/friend-code/svg")).await.headers["content-type"], "image/svg+xml");
    assert_eq!(owner.get(&page(&test, "/friend-code/gif")).await.status, 404);
    let usage = owner.get(&page(&test, "/usage")).await.body;
    assert!(usage.contains("LINE&#39;s plans and prices"), "{usage}");
    let list = owner.get("/settings/accounts").await.body;
    for link in ["Copy webhook link", "/doctor\"", "/disconnect\""] {
        assert!(list.contains(link), "{link} in {list}");
    }
    let _ = hub.api().patch(&format!("/accounts/{}", test.id), json!({ "plan": "b" })).await.expect(200);
    let path = page(&live, "/copy");
    let preview = owner.get(&format!("{path}?from={}", test.id)).await.body;
    assert!(preview.contains("Plan B: here and in LINE&#39;s console"), "{preview}");
    assert!(owner.submit(&path, &path, &[("from", &test.id)]).await.status.is_redirection());
    let shown = hub.api().get(&format!("/accounts/{}", live.id)).await.expect(200);
    assert_eq!(shown["plan"], "b");
    let path = format!("/accounts/{}/copy-settings", live.id);
    let _ = hub.api().post(&path, json!({ "from": test.id })).await.expect(200);
    let _ = hub.api().post(&path, json!({ "from": "acc_01KDV0Z0000000000000000000" })).await.expect(404);
    hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn disconnecting_cleans_up_and_reports_and_reconnecting_goes_on(#[case] engine: Engine) {
    // S1-42, S1-43; PLATFORM 10
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    let token = hub.control.post(&format!("/channels/{}/access-token", account.channel_id), json!({})).await;
    let token = token["accessToken"].as_str().unwrap().to_owned();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let line =
        |method: Method, path: &str| http.request(method, hub.line.join(path).unwrap()).bearer_auth(&token);
    let menu = json!({
        "size": { "width": 2500, "height": 843 }, "selected": false, "name": "春季選單", "chatBarText": "選單",
        "areas": [{ "bounds": { "x": 0, "y": 0, "width": 100, "height": 100 }, "action": { "type": "message", "text": "hi" } }],
    });
    let made = line(Method::POST, "/v2/bot/richmenu").json(&menu).send().await.unwrap();
    assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    let owner = hub.owner().await;
    let path = page(&account, "/disconnect");
    let first = owner.get(&path).await.body;
    assert!(first.contains("春季選單") && first.contains("Step 1 of 2"), "{first}");
    let ticks = [("clean_up", "rich_menus"), ("clean_up", "webhook")];
    let second = owner.submit(&path, &path, &ticks).await;
    let second = owner.get(second.headers["location"].to_str().unwrap()).await.body;
    assert!(second.contains("Step 2 of 2") && second.contains("Disconnect Test OA now"), "{second}");
    // Nothing has happened before the second word.
    let shown = hub.api().get(&format!("/accounts/{}", account.id)).await.expect(200);
    assert_eq!(shown["status"], "connected");
    let confirmed = [("clean_up", "rich_menus"), ("clean_up", "webhook"), ("confirmed", "1")];
    let report = owner.submit(&path, &path, &confirmed).await;
    let report = owner.get(report.headers["location"].to_str().unwrap()).await.body;
    assert!(report.contains("The rich menus are deleted"), "{report}");
    assert!(report.contains("There was no address before"), "{report}");
    let left: Value = line(Method::GET, "/v2/bot/richmenu/list").send().await.unwrap().json().await.unwrap();
    assert_eq!(left["richmenus"], json!([]));
    // Nothing is processed or sent any more; the history is readable.
    friend.says(&account, "anybody there?").await;
    hub.settle().await;
    let listed = hub.api().get("/conversations").await.expect(200);
    let conversation = listed["items"][0]["id"].as_str().unwrap().to_owned();
    let messages = format!("/conversations/{conversation}/messages");
    let history = hub.api().get(&messages).await.expect(200).to_string();
    assert!(history.contains("hello") && !history.contains("anybody there?"), "{history}");
    let refused = hub.api().post(&messages, json!({ "messages": [{ "type": "text", "text": "no" }] })).await;
    assert_eq!(refused.expect(409)["code"], "disconnected");
    hub.settle().await;
    assert!(!friend.texts_received(&account).await.contains(&"no".to_owned()));
    assert_eq!(owner.get(&path).await.status.as_u16() / 100, 3, "there is nothing to disconnect any more");
    // The way back knows the channel.
    let html = owner.get(&page(&account, "")).await.body;
    let back = format!("/settings/accounts/new?has=api&amp;channel_id={}", account.channel_id);
    assert!(html.contains(&back), "{html}");
    let form = owner.get(&back.replace("&amp;", "&")).await.body;
    assert!(form.contains(&format!("value=\"{}\"", account.channel_id)), "{form}");
    let body = json!({ "channel_id": account.channel_id, "channel_secret": account.channel_secret });
    let again = hub.api().post("/accounts", body).await.expect(201);
    assert_eq!(again["id"], account.id.as_str());
    friend.says(&account, "back again").await;
    hub.settle().await;
    assert!(hub.api().get(&messages).await.expect(200).to_string().contains("back again"));
    let cleaned = hub
        .api()
        .delete(&format!("/accounts/{}?clean_up=rich_menus,liff,webhook", account.id))
        .await
        .expect(200);
    let steps: Vec<&str> =
        cleaned["items"].as_array().unwrap().iter().filter_map(|one| one["step"].as_str()).collect();
    assert_eq!(steps, ["rich_menus", "liff", "webhook"]);
    hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_new_public_address_is_registered_on_one_confirmation(#[case] engine: Engine) {
    // S2-20, S4-24
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let (first, second) = (hub.connect_account().await, hub.connect_account().await);
    // LINE's address of this one was left alone: it never had an address of the hub.
    let left = hub.channel("Left").await;
    let body = json!({ "channel_id": left["channelId"], "channel_secret": left["channelSecret"], "set_webhook": false });
    let left_at_line = format!("/channels/{}", left["channelId"].as_str().unwrap());
    hub.control.patch(&left_at_line, json!({ "webhookEndpoint": "https://crm.example/line" })).await;
    hub.api().post("/accounts", body).await.expect(201);
    let owner = hub.owner().await;
    assert_eq!(hub.api().get("/public-url").await.expect(200)["changes"], json!([]));
    assert!(owner.get("/settings/public-url").await.body.contains("Everything at LINE has this address"));
    // As if the hub had been connected under another address.
    const MOVED: &str =
        "UPDATE accounts SET registered_url = 'https://old.example' WHERE registered_url IS NOT NULL";
    let mut tx = hub.hub().db.begin().await.unwrap();
    tx.run(&Sql { sqlite: MOVED, postgres: MOVED }, args![]).await.unwrap();
    tx.commit().await.unwrap();
    let old =
        |account: &Account| account.webhook_url.as_str().replace(hub.url.as_str(), "https://old.example/");
    for account in [&first, &second] {
        let set = json!({ "webhookEndpoint": old(account) });
        hub.control.patch(&format!("/channels/{}", account.channel_id), set).await;
    }
    let changes = hub.api().get("/public-url").await.expect(200)["changes"].clone();
    assert_eq!(changes.as_array().unwrap().len(), 2, "{changes}");
    assert_eq!(
        (&changes[0]["from"], &changes[0]["to"]),
        (&json!(old(&first)), &json!(first.webhook_url.as_str()))
    );
    let html = owner.get("/settings/public-url").await.body;
    assert!(html.contains(&old(&second)) && html.contains("2 addresses at LINE are to be changed"), "{html}");
    assert!(owner.get(&page(&first, "")).await.body.contains("public address has changed"));
    // Nothing before the confirmation.
    let at_line = async |account: &Account| {
        hub.control.get(&format!("/channels/{}", account.channel_id)).await["webhookEndpoint"].clone()
    };
    assert_eq!(at_line(&first).await, json!(old(&first)));
    let agent = hub.agent("agent@shop.example", &[&first.id]).await;
    assert_eq!(agent.get("/settings/public-url").await.status, 403);
    let done = owner.submit("/settings/public-url", "/settings/public-url", &[]).await.body;
    assert!(done.contains("Registered at LINE"), "{done}");
    for account in [&first, &second] {
        assert_eq!(at_line(account).await, json!(account.webhook_url.as_str()));
    }
    assert_eq!(hub.control.get(&left_at_line).await["webhookEndpoint"], "https://crm.example/line");
    assert_eq!(hub.api().post("/public-url/apply", json!({})).await.expect(200)["items"], json!([]));
    let shown = hub.api().get(&format!("/accounts/{}", first.id)).await.expect(200);
    assert_eq!(shown["status"], "connected");
    hub.close().await;
}

// What the doctor finds while somebody looks stands in the head at once.
#[tokio::test]
async fn the_head_of_an_account_follows_what_its_doctor_finds() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let owner = hub.owner().await;
    let path = page(&account, "/doctor");
    assert!(owner.get(&path).await.body.contains("Connected"));
    let off = json!({ "useWebhook": false });
    hub.control.patch(&format!("/channels/{}", account.channel_id), off).await;
    hub.advance(std::time::Duration::from_secs(60));
    let anew = owner.request(Method::GET, &path).header("hx-request", "true");
    let html = anew.send().await.unwrap().text().await.unwrap();
    let state = html.split("id=\"account-state\" hx-swap-oob").nth(1).unwrap_or_else(|| panic!("{html}"));
    assert!(state.contains("Needs attention"), "{state}");
    hub.close().await;
}

// S1-42: an account that is disconnected says so at once, and nothing is queued.
#[tokio::test]
async fn nothing_is_sent_by_an_account_that_is_disconnected() {
    let Some(hub) = TestHub::new().start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    let (api, owner) = (hub.api(), hub.owner().await);
    api.patch(&format!("/accounts/{}", account.id), json!({ "group_chats": "shown" })).await.expect(200);
    let group = json!({ "name": "週末爬山團", "channelId": account.channel_id, "members": [friend.user] });
    let group = hub.control.post("/groups", group).await["groupId"].clone();
    let message = json!({ "type": "text", "text": "hi" });
    friend
        .acts("messages", json!({ "channelId": account.channel_id, "group": group, "message": message }))
        .await;
    friend.says(&account, "hello").await;
    hub.settle().await;
    assert_eq!(api.delete(&format!("/accounts/{}", account.id)).await.status, 204);
    let listed = api.get("/conversations").await.expect(200)["items"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    for one in listed.as_array().unwrap() {
        let id = one["id"].as_str().unwrap();
        let path = format!("/conversations/{id}/messages");
        let before = api.get(&path).await.expect(200);
        let answer =
            json!({ "messages": [{ "type": "text", "text": "ok" }], "allow_paid": true, "max_cost": 9 });
        assert_eq!(api.post(&path, answer).await.expect(409)["code"], "disconnected", "{one}");
        let page = format!("/inbox/{id}");
        assert!(owner.get(&page).await.body.contains("This account is disconnected"), "{one}");
        let sent = owner.submit(&page, &format!("{page}/send"), &[("text", "ok")]).await;
        assert!(sent.status == 409 && sent.body.contains("This account is disconnected"), "{}", sent.body);
        assert_eq!(api.get(&path).await.expect(200), before, "nothing was queued");
    }
    hub.close().await;
}
