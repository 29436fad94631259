//! The inbox and contacts as pages: what a person sees, what they send, and what they may not see.

use futures_util::StreamExt as _;
use hub::web::api::MAX_FILE;
use reqwest::Method;
use serde_json::json;
use testkit::{Account, Browser, LineUser, TestHub};
use url::Url;

/// A PNG of one pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";

struct Shop {
    hub: TestHub,
    account: Account,
    friend: LineUser,
    owner: Browser,
    conversation: String,
}

impl Shop {
    /// A connected account with one friend who has written.
    async fn new() -> Option<Self> {
        let hub = TestHub::new().start().await?;
        let account = hub.connect_account().await;
        let friend = hub.line_user("林小晴").await;
        friend.follows(&account).await;
        friend.says(&account, "還有 <b>冷泡茶</b> 嗎？").await;
        hub.settle().await;
        let listed = hub.api().get("/conversations").await.expect(200);
        let conversation = listed["items"][0]["id"].as_str().unwrap().to_owned();
        let owner = hub.owner().await;
        Some(Self { hub, account, friend, owner, conversation })
    }

    fn at(&self, path: &str) -> String {
        format!("/inbox/{}{path}", self.conversation)
    }

    /// What the script asks for.
    async fn fragment(&self, browser: &Browser, path: &str) -> (u16, String) {
        let answer = browser.request(Method::GET, path).header("hx-request", "true").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn page(&self) -> String {
        self.owner.get(&self.at("")).await.body
    }

    async fn submit(&self, action: &str, fields: &[(&str, &str)]) -> u16 {
        self.owner.submit(&self.at(""), &self.at(action), fields).await.status.as_u16()
    }

    /// Attaches a picture in the composer of a conversation.
    async fn attach(&self, conversation: &str, bytes: &[u8]) -> (u16, String) {
        let page = self.owner.get(&format!("/inbox/{conversation}")).await.body;
        let token = page.split_once("name=\"csrf\" content=\"").unwrap().1.split('"').next().unwrap();
        let part = reqwest::multipart::Part::bytes(bytes.to_vec()).file_name("a.png");
        let form = reqwest::multipart::Form::new().part("file", part);
        let request = self.owner.request(Method::POST, &format!("/inbox/{conversation}/attachments"));
        let request = request.header("x-csrf-token", token).header("hx-request", "true");
        let answer = request.multipart(form).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The keys of a picture that was attached to a conversation.
    async fn picture(&self, conversation: &str) -> String {
        let (status, body) = self.attach(conversation, PIXEL).await;
        assert_eq!(status, 200, "{body}");
        let chip: serde_json::Value = serde_json::from_str(&body).unwrap();
        chip["keys"].as_str().unwrap().to_owned()
    }

    async fn sent(&self) -> Vec<serde_json::Value> {
        self.messages().await.into_iter().filter(|m| m["direction"] == "out").collect()
    }

    async fn messages(&self) -> Vec<serde_json::Value> {
        let path = format!("/conversations/{}/messages", self.conversation);
        self.hub.api().get(&path).await.expect(200)["items"].as_array().unwrap().clone()
    }
}

// S3-03, S3-04, S4-36, S4-37: the list says who wrote what, when, and that nobody has answered; the transcript has it all.
#[tokio::test]
async fn a_message_is_in_the_list_and_in_the_transcript() {
    let Some(shop) = Shop::new().await else { return };
    let listed = shop.owner.get("/inbox").await;
    assert_eq!(listed.status, 200);
    assert!(
        listed.body.contains("林小晴")
            && listed.body.contains("is-waiting")
            && listed.body.contains("inbox-unread")
    );
    let page = shop.page().await;
    // What friends write is text, whatever it looks like.
    assert!(page.contains("&lt;b&gt;") || page.contains("&#60;b&#62;"), "{page}");
    assert!(!page.contains("<b>冷泡茶"));
    assert!(page.contains("is-event"), "the friend-add stands in the transcript");
    assert!(page.contains("inbox-composer"));
    let (status, rows) = shop.fragment(&shop.owner, &format!("/inbox/rows?ids={}", shop.conversation)).await;
    assert_eq!(status, 200);
    assert!(rows.contains(&format!("row-{}", shop.conversation)));
    // Nothing inline: the content security policy would stop it.
    assert!(!page.contains("<script>") && !page.contains(" onclick=") && !page.contains(" style=\""));
    shop.hub.close().await;
}

// S3-04, S4-19: the answer goes out free, and the bubble says so.
#[tokio::test]
async fn an_answer_is_sent_and_its_state_is_shown() {
    let Some(shop) = Shop::new().await else { return };
    let (_, price) = shop.fragment(&shop.owner, &shop.at("/price")).await;
    assert!(price.contains("is-free") && price.contains("data-until"), "{price}");
    assert_eq!(shop.submit("/send", &[("text", "有的\r\n歡迎來店")]).await, 303);
    assert!(shop.page().await.contains("is-queued"));
    shop.hub.settle().await;
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["有的\n歡迎來店"]);
    let (_, turns) = shop.fragment(&shop.owner, &shop.at("/turns")).await;
    assert!(turns.contains("is-sent") && !turns.contains("is-paid"), "{turns}");
    let (_, rows) = shop.fragment(&shop.owner, &format!("/inbox/rows?ids={}", shop.conversation)).await;
    assert!(!rows.contains("is-waiting"), "answered: {rows}");
    // Nothing written is nothing sent.
    assert_eq!(shop.submit("/send", &[("text", "  ")]).await, 422);
    shop.hub.close().await;
}

#[tokio::test]
async fn a_friend_who_blocked_cannot_be_written_to_and_the_page_says_why() {
    let Some(shop) = Shop::new().await else { return };
    shop.friend.blocks(&shop.account).await;
    shop.hub.settle().await;
    let (_, around) = shop.fragment(&shop.owner, &shop.at("/around")).await;
    assert!(around.contains("data-closed"), "{around}");
    assert_eq!(shop.submit("/send", &[("text", "hello")]).await, 409);
    assert_eq!(shop.messages().await.iter().filter(|m| m["direction"] == "out").count(), 0);
    shop.hub.close().await;
}

#[tokio::test]
async fn state_assignee_tags_and_fields_are_changed_from_the_page() {
    let Some(shop) = Shop::new().await else { return };
    let conversation =
        async || shop.hub.api().get(&format!("/conversations/{}", shop.conversation)).await.expect(200);
    assert_eq!(shop.submit("/assignee", &[("to", "me")]).await, 303);
    assert!(conversation().await["assignee_id"].is_string());
    assert_eq!(shop.submit("/state", &[("state", "snoozed"), ("until", "tomorrow")]).await, 303);
    assert_eq!(conversation().await["state"], "snoozed");
    assert_eq!(shop.submit("/state", &[("state", "closed")]).await, 303);
    assert_eq!(conversation().await["state"], "closed");
    assert_eq!(shop.submit("/state", &[("state", "nonsense")]).await, 422);
    assert_eq!(shop.submit("/read", &[]).await, 204);
    assert_eq!(conversation().await["unread_count"], 0);
    assert_eq!(shop.submit("/tags", &[("add", "VIP")]).await, 303);
    assert_eq!(shop.submit("/tags", &[("add", &"x".repeat(51))]).await, 422);
    assert_eq!(shop.submit("/fields", &[("name", "尺寸"), ("value", "L")]).await, 303);
    let page = shop.page().await;
    assert!(page.contains("VIP") && page.contains("尺寸"));
    let contact = &shop.hub.api().get("/contacts").await.expect(200)["items"][0];
    assert_eq!((&contact["tags"], &contact["attributes"]), (&json!(["VIP"]), &json!({ "尺寸": "L" })));
    assert_eq!(shop.submit("/tags", &[("remove", "VIP")]).await, 303);
    assert_eq!(shop.submit("/fields", &[("name", "尺寸")]).await, 303);
    let contact = &shop.hub.api().get("/contacts").await.expect(200)["items"][0];
    assert_eq!((&contact["tags"], &contact["attributes"]), (&json!([]), &json!({})));
    shop.hub.close().await;
}

// S4-38: a contact's row leads to the conversation.
#[tokio::test]
async fn contacts_lead_to_their_conversation() {
    let Some(shop) = Shop::new().await else { return };
    let page = shop.owner.get("/contacts?q=小晴").await;
    assert_eq!(page.status, 200);
    let at = page.body.find("/inbox/with/con_").expect("a link");
    let link: String = page.body.get(at..).unwrap().chars().take_while(|c| *c != '"').collect();
    let led = shop.owner.get(&link).await;
    assert_eq!(led.headers["location"], shop.at(""));
    assert!(!shop.owner.get("/contacts?relation=blocked").await.body.contains("/inbox/with/"));
    let (_, found) = shop.fragment(&shop.owner, "/contacts/found?q=小晴").await;
    assert!(found.contains("林小晴"));
    shop.hub.close().await;
}

#[tokio::test]
async fn an_attached_picture_reaches_the_friend_and_loads_without_signing_in() {
    let Some(shop) = Shop::new().await else { return };
    let attach = async |bytes: &[u8]| shop.attach(&shop.conversation, bytes).await;
    let keys = shop.picture(&shop.conversation).await;
    assert_eq!(shop.submit("/send", &[("text", "看圖"), ("attachments", &keys)]).await, 303);
    shop.hub.settle().await;
    let sent = shop.sent().await;
    assert_eq!(sent.iter().map(|m| &m["content"]["type"]).collect::<Vec<_>>(), ["image", "text"]);
    assert!(sent.iter().all(|m| m["delivery"]["state"] == "sent"), "{sent:?}");
    let url = Url::parse(sent[0]["content"]["originalContentUrl"].as_str().unwrap()).unwrap();
    let loaded =
        shop.hub.anon().request(Method::GET, url.path()).header("range", "bytes=0-7").send().await.unwrap();
    assert_eq!(loaded.status(), 206);
    assert_eq!(loaded.headers()["content-type"], "image/png");
    assert_eq!(loaded.headers()["cross-origin-resource-policy"], "cross-origin");
    assert!(loaded.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(&loaded.bytes().await.unwrap()[..], &PIXEL[..8]);
    let (status, words) = attach(b"<svg/>").await;
    assert_eq!(status, 422, "{words}");
    assert_eq!(shop.hub.anon().get("/media/guessed").await.status, 404);
    shop.hub.close().await;
}

// A picture belongs to the account it was attached to: no other conversation shows it, of this tenant or of another.
#[tokio::test]
async fn a_picture_of_another_account_or_tenant_is_not_sent() {
    let Some(shop) = Shop::new().await else { return };
    let keys = shop.picture(&shop.conversation).await;
    let second = shop.hub.connect_account().await;
    shop.friend.follows(&second).await;
    shop.friend.says(&second, "hello").await;
    shop.hub.settle().await;
    let of_second = format!("/conversations?account_id={}", second.id);
    let listed = shop.hub.api().get(&of_second).await.expect(200);
    let other = listed["items"][0]["id"].as_str().unwrap();
    let at = format!("/inbox/{other}");
    let fields = [("text", "看圖"), ("attachments", keys.as_str())];
    let refused = shop.owner.submit(&at, &format!("{at}/send"), &fields).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("data-code=\"invalid\"") && refused.body.contains("Attach it again"));

    // By the API the address stands in the message itself, however deep.
    let (original, preview) = keys.split_once('.').unwrap();
    let url = |key: &str| shop.hub.url.join(&format!("/media/{key}")).unwrap().to_string();
    let picture = |original: &str, preview: &str| json!({ "type": "image", "originalContentUrl": url(original), "previewImageUrl": url(preview) });
    let flex = json!({ "type": "flex", "altText": "看圖", "contents": { "type": "bubble",
        "hero": { "type": "image", "url": url(original) } } });
    let cases = [
        (picture(original, preview), "messages[0].originalContentUrl"),
        (flex.clone(), "messages[0].contents.hero.url"),
    ];
    for (message, field) in cases {
        let path = format!("/conversations/{other}/messages");
        let refusal = shop.hub.api().post(&path, json!({ "messages": [message] })).await.expect(422);
        assert_eq!(refusal["errors"][0]["field"], field, "{refusal}");
    }
    let path = format!("/conversations/{}/messages", shop.conversation);
    let guessed = json!({ "messages": [picture(original, "guessed")] });
    let refusal = shop.hub.api().post(&path, guessed).await.expect(422);
    assert_eq!(refusal["errors"][0]["field"], "messages[0].previewImageUrl");
    // Where it belongs it goes out; a text may speak of it anywhere.
    for message in [picture(original, preview), flex] {
        let _ = shop.hub.api().post(&path, json!({ "messages": [message] })).await.expect(202);
    }
    let words = json!({ "messages": [{ "type": "text", "text": url(original) }] });
    let _ = shop.hub.api().post(&format!("/conversations/{other}/messages"), words).await.expect(202);

    // Another tenant, whose account has the same name at LINE's side or not, has none of it.
    let stranger = shop.hub.stranger("Another tenant").await;
    let channel = shop.hub.channel("Other OA").await;
    let new = json!({ "channel_id": channel["channelId"], "channel_secret": channel["channelSecret"] });
    let account = stranger.post("/accounts", new).await.expect(201);
    let body = json!({ "channelId": channel["channelId"], "message": { "type": "text", "text": "hi" } });
    shop.friend.acts("follow", json!({ "channelId": channel["channelId"] })).await;
    shop.friend.acts("messages", body).await;
    shop.hub.settle().await;
    let theirs = stranger.get("/conversations").await.expect(200)["items"][0]["id"].clone();
    let path = format!("/conversations/{}/messages", theirs.as_str().unwrap());
    let refusal = stranger.post(&path, json!({ "messages": [picture(original, preview)] })).await.expect(422);
    assert_eq!(refusal["errors"][0]["code"], "unknown_picture", "{account}");
    shop.hub.close().await;
}

// What a browser sends again because the answer was lost: the same form.
#[tokio::test]
async fn the_same_answer_sent_twice_is_one_message() {
    let Some(shop) = Shop::new().await else { return };
    let keys = shop.picture(&shop.conversation).await;
    let key = "0123456789abcdef0123456789abcdef";
    let send = async |browser: &Browser, text: &str, once: &str| {
        let fields = [("text", text), ("attachments", keys.as_str()), ("once", once)];
        let page = browser.get(&shop.at("")).await.body;
        let token = page.split_once("name=\"csrf\" content=\"").unwrap().1.split('"').next().unwrap();
        let request = browser.request(Method::POST, &shop.at("/send")).header("x-csrf-token", token);
        let answer = request.header("hx-request", "true").form(&fields).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let first = send(&shop.owner, "有的", key).await;
    assert_eq!(first.0, 200);
    assert_eq!(send(&shop.owner, "有的", key).await, first);
    assert_eq!(shop.sent().await.len(), 2, "a picture and a text, once");
    shop.hub.settle().await;
    // The answer stands as it stands now, even when nothing more could be sent.
    shop.friend.blocks(&shop.account).await;
    shop.hub.settle().await;
    let (status, turns) = send(&shop.owner, "有的", key).await;
    assert!(status == 200 && turns.contains("is-sent"), "{status} {turns}");
    assert_eq!(shop.sent().await.len(), 2);
    shop.friend.follows(&shop.account).await;
    shop.hub.settle().await;

    let (status, refusal) = send(&shop.owner, "沒有", key).await;
    assert_eq!(status, 409);
    assert!(refusal.contains("data-code=\"idempotency_key_reused\""), "{refusal}");
    for odd in ["x".repeat(65).as_str(), "a b", "é", "\u{0}"] {
        assert_eq!(send(&shop.owner, "有的", odd).await.0, 422, "{odd:?}");
    }
    // The key is the agent's own, and an answer of its own has a key of its own.
    let agent = shop.hub.agent("agent@test.example", &[&shop.account.id]).await;
    assert_eq!(send(&agent, "有的", key).await.0, 200);
    assert_eq!(send(&shop.owner, "有的", "another").await.0, 200);
    assert_eq!(shop.sent().await.len(), 6);
    shop.hub.close().await;
}

// A file may be as large as the hub says, in the page and in a call with a key, and no larger.
#[tokio::test]
async fn the_largest_picture_is_taken_by_the_page_and_by_a_call_with_a_key() {
    let Some(shop) = Shop::new().await else { return };
    // What follows a PNG's end is not looked at.
    let sized = |bytes: usize| [PIXEL, &vec![0; bytes - PIXEL.len()]].concat();
    let (largest, larger) = (sized(MAX_FILE), sized(MAX_FILE + 1));
    let path = format!("/accounts/{}/attachments", shop.account.id);
    let upload = async |key: &str, bytes: &[u8]| {
        let form = reqwest::multipart::Form::new()
            .part("file", reqwest::multipart::Part::bytes(bytes.to_vec()).file_name("a.png"));
        let request = shop.hub.api().request(Method::POST, &path).header("idempotency-key", key);
        request.multipart(form).send().await.unwrap().status().as_u16()
    };
    assert_eq!(upload("largest", &largest).await, 201);
    assert_eq!(upload("larger", &larger).await, 422);
    assert_eq!(shop.attach(&shop.conversation, &largest).await.0, 200);
    assert_eq!(shop.attach(&shop.conversation, &larger).await.0, 422);
    // JSON is not files.
    let long = json!({ "messages": [{ "type": "text", "text": "x".repeat(3 << 20) }] });
    let messages = format!("/conversations/{}/messages", shop.conversation);
    let request = shop.hub.api().request(Method::POST, &messages).header("idempotency-key", "long");
    assert_eq!(request.json(&long).send().await.unwrap().status(), 413);
    shop.hub.close().await;
}

#[tokio::test]
async fn a_conversation_marked_as_unread_counts_until_it_is_read() {
    let Some(shop) = Shop::new().await else { return };
    let row = async || {
        let (_, rows) = shop.fragment(&shop.owner, &format!("/inbox/rows?ids={}", shop.conversation)).await;
        rows
    };
    let unread =
        async || shop.hub.api().get(&format!("/conversations/{}", shop.conversation)).await.expect(200);
    let written = unread().await["unread_count"].as_i64().unwrap();
    assert!(written > 0);
    assert_eq!(shop.submit("/unread", &[]).await, 303);
    assert_eq!(unread().await["unread_count"], written, "what is unread stays as it is");
    assert_eq!(shop.submit("/read", &[]).await, 204);
    assert!(row().await.contains("data-unread=\"0\""));

    // Another browser of the same person hears of it.
    let elsewhere = shop.hub.owner().await;
    let mut live = elsewhere.request(Method::GET, "/live").send().await.unwrap();
    assert_eq!(shop.submit("/unread", &[]).await, 303);
    let heard = async {
        let mut heard = String::new();
        while !(heard.contains("event: conversation") && heard.contains(&shop.conversation)) {
            heard.push_str(&String::from_utf8_lossy(&live.chunk().await.unwrap().unwrap()));
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), heard).await.expect("the notice");
    drop(live);
    let rows = row().await;
    assert!(rows.contains("data-unread=\"1\"") && rows.contains("is-unread"), "{rows}");
    assert_eq!(unread().await["unread_count"], 1);
    assert!(shop.owner.get("/inbox?filter=unread").await.body.contains("林小晴"));
    // An answer reads it.
    assert_eq!(shop.submit("/send", &[("text", "有的")]).await, 303);
    assert_eq!(unread().await["unread_count"], 0);
    shop.hub.close().await;
}

// ARCHITECTURE 1.5: what failed can be tried again; what may have gone out is shown as unknown, with "send again".
#[tokio::test]
async fn a_failed_and_an_unknown_bubble_offer_the_way_on() {
    let Some(shop) = Shop::new().await else { return };
    let fault = async |fault: serde_json::Value| {
        shop.hub.control.post("/faults", fault).await;
    };
    let turn = async |words: &str| {
        let (_, turns) = shop.fragment(&shop.owner, &shop.at("/turns")).await;
        turns.split("<li ").find(|turn| turn.contains(words)).expect("the turn").to_owned()
    };
    fault(
        json!({ "on": "api", "path": "/v2/bot/message/reply", "kind": "status", "status": 400, "times": 1 }),
    )
    .await;
    fault(
        json!({ "on": "api", "path": "/v2/bot/message/push", "kind": "status", "status": 400, "times": 1 }),
    )
    .await;
    assert_eq!(shop.submit("/send", &[("text", "第一句")]).await, 303);
    shop.hub.settle().await;
    let failed = turn("第一句").await;
    assert!(failed.contains("is-failed") && failed.contains("data-again"), "{failed}");
    assert!(failed.contains("Try again") && failed.contains("Not sent"), "{failed}");
    let action = failed.split_once("action=\"").unwrap().1.split('"').next().unwrap().to_owned();
    assert_eq!(shop.owner.submit(&shop.at(""), &action, &[]).await.status, 303);
    shop.hub.settle().await;
    assert!(turn("第一句").await.contains("is-sent"));

    // A reply whose answers are lost until its token is dead.
    shop.friend.says(&shop.account, "還在嗎").await;
    shop.hub.settle().await;
    fault(json!({ "on": "api", "path": "/v2/bot/message/reply", "kind": "lose_answer" })).await;
    assert_eq!(shop.submit("/send", &[("text", "第二句")]).await, 303);
    for _ in 0..40 {
        shop.hub.settle().await;
        shop.hub.advance(std::time::Duration::from_secs(5));
    }
    let unknown = turn("第二句").await;
    assert!(unknown.contains("is-unknown") && unknown.contains("data-again"), "{unknown}");
    assert!(unknown.contains("Send again") && unknown.contains("may or may not"), "{unknown}");
    shop.hub.control.delete("/faults").await;
    let action = unknown.split_once("action=\"").unwrap().1.split('"').next().unwrap().to_owned();
    assert_eq!(shop.owner.submit(&shop.at(""), &action, &[]).await.status, 303);
    shop.hub.settle().await;
    let sent = turn("第二句").await;
    assert!(sent.contains("is-sent") && !sent.contains("data-again"), "{sent}");
    shop.hub.close().await;
}

// Pictures sent at once are one turn, whichever of them is asked for, and what was unsent leaves its mark there.
#[tokio::test]
async fn pictures_of_one_set_stay_together_when_one_is_unsent() {
    let Some(shop) = Shop::new().await else { return };
    let mut sent = Vec::new();
    for index in [2, 1, 3] {
        let picture = json!({
            "type": "image", "originalContentUrl": "https://example.com/a.jpg",
            "previewImageUrl": "https://example.com/a.jpg",
            "imageSet": { "id": "E005D41A7288F41B65593ED38FF6E9834B046AB36A37921A56BC236F13A91855", "index": index, "total": 3 },
        });
        sent.push(shop.friend.sends(&shop.account, picture).await);
    }
    shop.friend.unsends(&shop.account, &sent[1]).await;
    shop.hub.settle().await;
    let ids: Vec<_> = shop.messages().await.into_iter().filter(|m| !m["image_set_id"].is_null()).collect();
    let ids: Vec<&str> = ids.iter().map(|m| m["id"].as_str().unwrap()).collect();
    let album = |html: &str| {
        assert_eq!(html.matches("inbox-album").count(), 1, "{html}");
        (html.matches("lv-media").count(), html.matches("inbox-unsent").count())
    };
    assert_eq!(album(&shop.page().await), (2, 1));
    for id in &ids {
        let (status, turn) = shop.fragment(&shop.owner, &format!("/inbox/messages/{id}")).await;
        assert_eq!((status, album(&turn)), (200, (2, 1)));
        assert!(turn.contains(&format!("id=\"{}\" data-members=\"{}\"", ids[0], ids.join(" "))), "{turn}");
    }
    shop.hub.close().await;
}

#[tokio::test]
async fn a_person_has_one_colour_in_list_transcript_and_panel() {
    let Some(shop) = Shop::new().await else { return };
    let page = shop.page().await;
    let inbox = page.split_once("id=\"inbox\"").unwrap().1;
    let hues: Vec<&str> = inbox.split(" hue-").skip(1).map(|rest| &rest[..1]).collect();
    assert!(hues.len() >= 4 && hues.iter().all(|hue| *hue == hues[0]), "{hues:?}");
    shop.hub.close().await;
}

// S3-09
#[tokio::test]
async fn colleagues_learn_who_is_writing_but_not_what() {
    let Some(shop) = Shop::new().await else { return };
    let live = shop.owner.request(Method::GET, hub::live::PATH).send().await.unwrap();
    let mei = shop.hub.agent("mei@test.example", &[&shop.account.id]).await;
    assert_eq!(mei.submit(&shop.at(""), &shop.at("/writing"), &[]).await.status, 204);
    assert_eq!(mei.submit(&shop.at(""), &shop.at("/writing"), &[("text", "祕密")]).await.status, 204);
    // Another thing that is told ends what is read.
    assert_eq!(mei.submit(&shop.at(""), &shop.at("/read"), &[]).await.status, 204);
    let mut body = live.bytes_stream();
    let mut told = String::new();
    while !told.contains("event: conversation") {
        told.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
    }
    assert_eq!(told.matches("event: writing").count(), 1, "not with every key: {told}");
    assert!(!told.contains("祕密"), "{told}");
    let user = told.split("\"id\":\"usr_").nth(1).unwrap().split('"').next().unwrap();
    let (status, words) = shop.fragment(&shop.owner, &format!("/inbox/writers/usr_{user}")).await;
    assert_eq!(status, 200);
    assert!(words.contains("mei"), "{words}");
    shop.hub.close().await;
}

#[tokio::test]
async fn an_account_without_conversations_shows_how_to_add_it() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let page = hub.owner().await.get("/inbox").await.body;
    assert!(page.contains("class=\"inbox-qr\"") && page.contains("<svg"), "{page}");
    assert!(page.contains("https://line.me/R/ti/p/"), "{page}");
    assert!(!page.contains("<?xml") && !page.contains(" style=\""), "{page}");
    drop(account);
    hub.close().await;
}

#[tokio::test]
async fn the_frame_listens_only_for_what_the_live_stream_tells() {
    let Some(shop) = Shop::new().await else { return };
    let page = shop.owner.get("/contacts").await.body;
    let kinds: Vec<&str> =
        page.split("sse:").skip(1).filter_map(|rest| rest.split([' ', ',', '"']).next()).collect();
    assert!(kinds.contains(&"message") && kinds.contains(&"conversation"), "{kinds:?}");
    let is_told = |kind: &&str| *kind == "reset" || hub::live::KINDS.contains(kind);
    assert!(kinds.iter().all(is_told), "{kinds:?}");
    shop.hub.close().await;
}

#[tokio::test]
async fn no_page_shows_anything_of_another_tenant_or_of_an_account_that_was_not_granted() {
    let Some(shop) = Shop::new().await else { return };
    let hub = shop.hub.hub();
    let actor = hub::team::Actor::System("test");
    let tenant = hub::team::service::create_tenant(hub, "Other shop", None, &actor).await.unwrap();
    let new = hub::team::NewUser {
        email: "other@test.example",
        name: "Other",
        role: hub::team::Role::Owner,
        password: "correct horse battery",
    };
    let user = hub::team::service::create_user(hub, &tenant.id, &new, &actor).await.unwrap();
    let link = hub::team::service::entry_link(hub, &tenant.id, &user).await.unwrap();
    let stranger = shop.hub.anon();
    let _ = stranger.get(Url::parse(&link).unwrap().path()).await;
    let without_grant = shop.hub.agent("agent@test.example", &[]).await;

    let message = shop.messages().await.into_iter().find(|m| m["content"]["type"] == "text").unwrap();
    let message = message["id"].as_str().unwrap().to_owned();
    let contact =
        shop.hub.api().get("/contacts").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    for browser in [&stranger, &without_grant] {
        for page in ["/inbox", "/contacts", "/inbox?filter=unread"] {
            let answer = browser.get(page).await;
            assert_eq!(answer.status, 200, "{page}");
            assert!(!answer.body.contains("林小晴"), "{page}");
        }
        for page in
            [shop.at(""), format!("/inbox/with/{contact}"), format!("/inbox/messages/{message}/content")]
        {
            assert_eq!(browser.get(&page).await.status, 404, "{page}");
        }
        let fragments = [
            shop.at("/talk"),
            shop.at("/turns"),
            shop.at("/around"),
            shop.at("/price"),
            format!("/inbox/messages/{message}"),
        ];
        for path in fragments {
            assert_eq!(shop.fragment(browser, &path).await.0, 404, "{path}");
        }
        let (_, rows) = shop.fragment(browser, &format!("/inbox/rows?ids={}", shop.conversation)).await;
        assert!(!rows.contains("林小晴"));
        let (_, found) = shop.fragment(browser, "/contacts/found?q=小晴").await;
        assert!(!found.contains("林小晴"));
        let posts = ["/send", "/read", "/unread", "/state", "/assignee", "/tags", "/fields"];
        for action in posts {
            let fields = [("text", "x"), ("state", "closed"), ("to", "me"), ("add", "x"), ("name", "x")];
            let answer = browser.submit("/inbox", &shop.at(action), &fields).await;
            assert_eq!(answer.status, 404, "{action}");
        }
        let again = format!("/inbox/messages/{message}/send-again");
        assert_eq!(browser.submit("/inbox", &again, &[]).await.status, 404);
    }
    // Without a session there is only the way to sign in; fragments are no pages; a form without its token is refused.
    assert_eq!(shop.hub.anon().get("/inbox").await.status, 303);
    assert_eq!(shop.owner.get(&shop.at("/turns")).await.status, 404);
    let forged =
        shop.owner.request(Method::POST, &shop.at("/send")).form(&[("text", "x")]).send().await.unwrap();
    assert_eq!(forged.status(), 403);
    shop.hub.close().await;
}
