//! What phones show and lead to: older messages, replies, mentions, LINE's addresses, profiles, rich menus, several phones at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::Stage;

async fn page(stage: &Stage, path: &str) -> (u16, String) {
    let answer = stage.send(stage.request("GET", path)).await.unwrap();
    (answer.status, String::from_utf8(answer.bytes.to_vec()).unwrap())
}

/// The IDs of the messages on a page, in order.
fn lines(html: &str) -> Vec<u64> {
    let ids = html.split("<li id=\"m").skip(1);
    ids.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

/// Makes more people; gives the last one's `u…`.
async fn people(stage: &Stage, names: &[&str]) -> String {
    let mut last = Value::Null;
    for name in names {
        last = stage.control("POST", "/users", json!({"displayName": name})).await.ok();
    }
    last["user"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn older_messages_come_when_they_are_scrolled_to() {
    let stage = Stage::new().await;
    for number in 0..130 {
        stage.write(&format!("no. {number}")).await;
    }
    let path = format!("/phone/{}/{}", stage.user, stage.channel);
    let (_, newest) = page(&stage, &path).await;
    let shown = lines(&newest);
    assert_eq!(shown.len(), 50);
    assert!(newest.contains(">no. 129<") && newest.contains("data-older=\"true\""));
    let (_, before) = page(&stage, &format!("{path}/messages?before={}", shown[0])).await;
    let older = lines(&before);
    assert!(older.len() == 50 && older.last() < shown.first() && before.contains("data-older=\"true\""));
    // A phone that shows both parts gets both anew, so that what was unsent or read there changes too.
    let (_, both) = page(&stage, &format!("{path}/messages?from={}", older[0])).await;
    assert_eq!(lines(&both), [older.clone(), shown].concat());
    let (_, first) = page(&stage, &format!("{path}/messages?before={}", older[0])).await;
    assert!(lines(&first).len() == 30 && first.contains("data-older=\"false\"") && first.contains(">no. 0<"));
}

#[tokio::test]
async fn many_people_are_searched() {
    let stage = Stage::new().await;
    let names: Vec<String> = (0..60).map(|number| format!("Person {number}")).collect();
    people(&stage, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (_, html) = page(&stage, "/phone/u1").await;
    assert!(html.matches("href=\"/phone/u").count() <= 40 + 5 && html.contains("data-people-of=\"u1\""));
    let (_, found) = page(&stage, "/phones/people?q=person+59&me=u1&stay=/x").await;
    assert!(
        found.contains("href=\"/phone/u61/x\"")
            && found.contains("Person 59")
            && !found.contains("Person 5<")
    );
    let (_, none) = page(&stage, "/phones/people?q=%3Cscript%3E&stay=%22%3E%3Cscript%3E").await;
    assert!(!none.contains("<script>"));
}

/// PLATFORM 17: a phone quotes by ID, an account by token; the reader sees whom and what.
#[tokio::test]
async fn a_reply_shows_what_it_answers() {
    let stage = Stage::new().await;
    let first = stage.write("三點有位子嗎").await["messageId"].as_str().unwrap().to_owned();
    let token = stage.receiver.event(2).await["message"]["quoteToken"].clone();
    let answer =
        json!({"to": stage.user_id, "messages": [{"type": "text", "text": "有的", "quoteToken": token}]});
    stage.line("POST", "/v2/bot/message/push", answer).await.ok();
    stage
        .act("messages", json!({"message": {"type": "text", "text": "太好了", "quotedMessageId": first}}))
        .await;
    let (_, html) = page(&stage, &format!("/phone/{}/{}", stage.user, stage.channel)).await;
    let quote = format!("data-lv-quoted=\"{first}\"");
    assert_eq!(html.matches(&quote).count(), 2, "{html}");
    assert_eq!(html.matches("<span class=\"lv-quote-words\" dir=\"auto\">三點有位子嗎</span>").count(), 2);
    stage.act("unsend", json!({"messageId": first})).await;
    let (_, html) = page(&stage, &format!("/phone/{}/{}", stage.user, stage.channel)).await;
    assert!(!html.contains("三點有位子嗎"), "what was taken back is not quoted either");
}

/// PLATFORM 16: pictures that were sent at once share `imageSet.id`; on the phone they are one line, until something else comes.
#[tokio::test]
async fn pictures_sent_at_once_stand_together() {
    let stage = Stage::new().await;
    let send = async |set: &str, index: u32| {
        let set = json!({"id": set, "index": index, "total": 3});
        let message = json!({"type": "image", "contentBase64": "/9j/4A==", "imageSet": set});
        stage.act("messages", json!({"message": message})).await["messageId"].as_str().unwrap().to_owned()
    };
    let first = [send("A", 1).await, send("A", 2).await, send("A", 3).await];
    send("B", 1).await;
    stage.write("so").await;
    send("B", 2).await;
    let path = format!("/phone/{}/{}", stage.user, stage.channel);
    let (_, html) = page(&stage, &path).await;
    assert_eq!(lines(&html).len(), 4);
    assert_eq!(html.matches("class=\"line-body album\"").count(), 1);
    assert!(html.contains(&format!("data-unsend=\"{}\"", first.join(","))));
    stage.act("unsend", json!({"messageId": first[1]})).await;
    assert!(
        !page(&stage, &path).await.1.contains("line-body album"),
        "one that was taken back parts the others"
    );
}

/// PLATFORM 19: a mention in `textV2` names the user ID; members see the name.
#[tokio::test]
async fn a_mention_in_a_group_has_the_name() {
    let stage = Stage::new().await;
    let other = people(&stage, &["Aom"]).await;
    let group = json!({"name": "露營", "channelId": stage.channel, "members": [stage.user, other]});
    let group = stage.control("POST", "/groups", group).await.ok()["groupId"].as_str().unwrap().to_owned();
    let message = json!({"type": "textV2", "text": "hi {who}", "substitution":
        {"who": {"type": "mention", "mentionee": {"type": "user", "userId": stage.user_id}}}});
    stage.line("POST", "/v2/bot/message/push", json!({"to": group, "messages": [message]})).await.ok();
    let (_, html) = page(&stage, &format!("/phone/{other}/{group}")).await;
    assert!(html.contains(">@小明</span>"), "{html}");
    assert!(html.contains(&format!("data-mention=\"{}\" data-name=\"茶店\" data-self=\"yes\"", stage.bot)));
    assert!(html.contains("data-mention=\"all\""));
    assert_eq!(page(&stage, &format!("/phone/u99/{group}")).await.0, 404);
}

/// PLATFORM 25.
#[tokio::test]
async fn addresses_of_line_lead_to_the_sandbox() {
    let stage = Stage::new().await;
    let info = stage.get("/v2/bot/info").await.ok();
    let id = info["basicId"].as_str().unwrap().to_owned();
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let open = async |uri: &str| {
        let address = format!("{}/phone/u1/open", stage.base);
        let answer =
            client.get(address).query(&[("uri", uri), ("chat", &stage.channel)]).send().await.unwrap();
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (answer.status().as_u16(), to.unwrap_or_default())
    };
    let (escaped, channel) = (id.replace('@', "%40"), &stage.channel);
    for (uri, to) in [
        (format!("https://line.me/R/ti/p/{escaped}"), format!("/phone/u1/account/{channel}")),
        (format!("line://ti/p/{id}"), format!("/phone/u1/account/{channel}")),
        (id.to_uppercase(), format!("/phone/u1/account/{channel}")),
        (format!("https://line.me/R/oaMessage/{escaped}/?a%20b"), format!("/phone/u1/{channel}?text=a+b")),
        ("https://line.me/R/share?text=hi".into(), "/phone/u1/share?text=hi".into()),
        (
            "https://liff.line.me/1234567890-AbcdEfgh/x?y=1".into(),
            format!("/liff/1234567890-AbcdEfgh/x?y=1&sandbox_user=u1&chat={channel}"),
        ),
    ] {
        assert_eq!(open(&uri).await, (303, to), "{uri}");
    }
    for uri in ["https://evil.example/", "javascript:alert(1)", "https://line.me/R/ti/p/%40nobody", ""] {
        assert_eq!(open(uri).await.0, 404, "{uri}");
    }
    let (_, chat) = page(&stage, &format!("/phone/u1/{channel}?text=%3C/textarea%3E%3Cscript%3E")).await;
    assert!(!chat.contains("<script>") && chat.contains("script&#62;</textarea>"), "{chat}");
    let (_, share) = page(&stage, "/phone/u1/share?text=%3Cb%3E").await;
    assert!(share.contains(&format!("value=\"{channel}\"")) && !share.contains("<b>"));
}

#[tokio::test]
async fn a_profile_has_a_code_and_what_can_be_done() {
    let stage = Stage::new().await;
    let id = stage.get("/v2/bot/info").await.ok()["basicId"].as_str().unwrap().to_owned();
    let path = format!("/phone/u1/account/{}", stage.channel);
    let (_, html) = page(&stage, &path).await;
    assert!(
        html.contains("<svg class=\"code\"")
            && html.contains(&format!("data-unfollow=\"{}\"", stage.channel))
    );
    assert!(html.contains(&format!("{}/R/ti/p/{}", stage.base, id.replace('@', "%40"))));
    stage.act("unfollow", json!({})).await;
    assert!(page(&stage, &path).await.1.contains(&format!("data-follow=\"{}\"", stage.channel)));
    // On a computer: the code, and the people who may scan it.
    let (status, html) = page(&stage, &format!("/R/ti/p/{}", id.replace('@', "%40"))).await;
    assert!(
        status == 200 && html.contains("<svg class=\"code\"") && html.contains(&format!("href=\"{path}\""))
    );
    assert_eq!(page(&stage, "/R/ti/p/@nobody").await.0, 404);
}

/// People share things with each other; no account hears of it.
#[tokio::test]
async fn two_people_have_a_chat() {
    let stage = Stage::new().await;
    let other = people(&stage, &["Aom"]).await;
    let share = json!({"to": other, "message": {"type": "text", "text": "看這個"}});
    stage.control("POST", "/users/u1/messages", share).await.ok();
    let (_, list) = page(&stage, &format!("/phone/{other}")).await;
    assert!(list.contains(&format!("href=\"/phone/{other}/u1\"")) && list.contains("看這個"));
    let (_, chat) = page(&stage, &format!("/phone/{other}/u1")).await;
    assert!(chat.contains("data-to=\"u1\"") && chat.contains("line theirs"));
    assert_eq!(page(&stage, "/phone/u1/u1").await.0, 404);
}

#[tokio::test]
async fn several_phones_hear_of_their_own_changes_in_one_stream() {
    let stage = Stage::new().await;
    let other = people(&stage, &["Aom"]).await;
    let (_, html) = page(&stage, &format!("/phones?users=u1,{other},u77")).await;
    assert_eq!(html.matches("<iframe ").count(), 2);
    assert!(html.contains(&format!("src=\"/phone/{other}\"")));
    assert_eq!(page(&stage, "/phones?users=").await.1.matches("<iframe ").count(), 0);
    let path = format!("/phones/live?users=u1,{other}");
    let mut live = stage.request("GET", &path).send().await.unwrap();
    let mut next = async || {
        let chunk =
            tokio::time::timeout(Duration::from_secs(5), live.chunk()).await.unwrap().unwrap().unwrap();
        String::from_utf8(chunk.to_vec()).unwrap()
    };
    assert!(next().await.contains("data: {}"));
    stage.push(&stage.user_id, "news").await.ok();
    assert!(next().await.contains(r#"data: {"users":["u1"]}"#));
}

/// PLATFORM 10: the menu, its bar, whether it is open, and its areas as parts of the picture.
#[tokio::test]
async fn a_rich_menu_lies_under_the_chat() {
    let stage = Stage::new().await;
    let path = format!("/phone/u1/{}", stage.channel);
    assert!(!page(&stage, &path).await.1.contains("menu-source"));
    let menu = json!({"size": {"width": 800, "height": 400}, "selected": true, "name": "n", "chatBarText": "<Menu>", "areas": [
        {"bounds": {"x": 400, "y": 0, "width": 400, "height": 400}, "action": {"type": "message", "label": "Go", "text": "go"}}]});
    let menu = json!({"menu": menu, "contentBase64": png(800, 400)});
    stage.control("PUT", &format!("/channels/{}/manager-rich-menu", stage.channel), menu).await.ok();
    let (_, html) = page(&stage, &path).await;
    assert!(html.contains("data-bar=\"&#60;Menu&#62;\" data-selected=\"true\""), "{html}");
    assert!(
        html.contains(
            "aria-label=\"Go\" data-lv-css=\"left:50.000%;top:0.000%;width:50.000%;height:100.000%\""
        )
    );
    let image = html.split("<img src=\"/phone-rich-menu/").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(
        stage.request("GET", &format!("/phone-rich-menu/{image}")).send().await.unwrap().status(),
        200
    );
    assert!(!page(&stage, "/phone/u1").await.1.contains("menu-source"));
}

/// PLATFORM 13, 19: the message has the ID only; the phone shows what the coupon is, in the reader's language.
#[tokio::test]
async fn a_coupon_says_what_it_gives() {
    let stage = Stage::new().await;
    let now = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let coupon = json!({"title": "<夏季>", "acquisitionCondition": {"type": "normal"}, "maxUseCountPerTicket": 1, "startTimestamp": now - 86_400,
        "endTimestamp": now + 86_400, "timezone": "ASIA_TAIPEI", "visibility": "UNLISTED",
        "reward": {"type": "discount", "priceInfo": {"type": "percentage", "percentage": 20}}});
    let made = stage.control("POST", &format!("/channels/{}/coupons", stage.channel), coupon).await.ok();
    let message = json!({"type": "coupon", "couponId": made["couponId"]});
    let push = json!({"to": stage.user_id, "messages": [message]});
    stage.line("POST", "/v2/bot/message/push", push).await.ok();
    let path = format!("/phone/{}/{}", stage.user, stage.channel);
    for (language, words) in
        [("en", "20% off"), ("zh-Hant", "折抵 20%"), ("ja", "20% 割引"), ("th", "ลด 20%")]
    {
        let request = stage.request("GET", &path).header("cookie", format!("sandbox_lang={language}"));
        let answer = stage.send(request).await.unwrap();
        let html = String::from_utf8(answer.bytes.to_vec()).unwrap();
        assert!(html.contains("&lt;夏季&gt;") && html.contains(words), "{language}: {html}");
        assert!(html.contains("data-lv-type=\"coupon\""));
    }
}

/// The header of a PNG of a size; nothing looks further.
fn png(width: u32, height: u32) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(b"\x08\x02\0\0\0\0\0\0\0");
    STANDARD.encode(bytes)
}
