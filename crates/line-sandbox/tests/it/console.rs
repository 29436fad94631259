//! The console's pages: what they show, what their forms change, with and without a script, and that nothing foreign runs in them.

use serde_json::{Value, json};

use crate::stage::{Answer, Stage, eventually};

async fn page(stage: &Stage, path: &str) -> (u16, String) {
    let answer = stage.send(stage.request("GET", path).header("accept-language", "en")).await.unwrap();
    (answer.status, String::from_utf8(answer.bytes.to_vec()).unwrap())
}

async fn shown(stage: &Stage, path: &str) -> String {
    let (status, html) = page(stage, path).await;
    assert_eq!(status, 200, "{path}");
    html
}

/// Sends a form as a browser without scripts does; gives the answer without following where it leads.
async fn submit(stage: &Stage, fields: &[(&str, &str)]) -> (u16, String, String) {
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request =
        client.post(format!("{}/console/do", stage.base)).form(fields).header("accept-language", "en");
    let answer = request.send().await.unwrap();
    let to = answer.headers().get("location").map_or("", |to| to.to_str().unwrap()).to_owned();
    (answer.status().as_u16(), to, answer.text().await.unwrap())
}

/// Sends a form as the page's script does.
async fn submit_by_script(stage: &Stage, fields: &[(&str, &str)]) -> Answer {
    let request = stage.request("POST", "/console/do").form(fields).header("accept", "application/json");
    stage.send(request).await.unwrap()
}

/// All pages of a world with one of everything.
async fn all_pages(stage: &Stage) -> Vec<String> {
    let login = json!({"providerId": stage.provider, "type": "login", "name": "Members"});
    let login =
        stage.control("POST", "/channels", login).await.ok()["channelId"].as_str().unwrap().to_owned();
    stage.write("hi").await;
    stage.receiver.event(2).await;
    stage.push(&stage.user_id, "x").await.ok();
    stage.control("POST", "/faults", json!({"on": "webhook", "kind": "duplicate"})).await.ok();
    let mut pages: Vec<String> =
        ["/", "/console/people", "/console/people/u1", "/log", "/log?open=w1", "/log?open=a1", "/trouble"]
            .map(str::to_owned)
            .into();
    let module = json!({"providerId": stage.provider, "type": "module", "name": "Bot"});
    let module =
        stage.control("POST", "/channels", module).await.ok()["channelId"].as_str().unwrap().to_owned();
    for tab in ["basics", "messaging", "keys"] {
        pages.push(format!("/console/channels/{module}/{tab}"));
    }
    pages.push(format!("/console/providers/{}", stage.provider));
    for tab in ["basics", "messaging", "keys", "responses", "plan", "friends"] {
        pages.push(format!("/console/channels/{}/{tab}", stage.channel));
    }
    for tab in ["basics", "login", "liff", "keys"] {
        pages.push(format!("/console/channels/{login}/{tab}"));
    }
    pages
}

#[tokio::test]
async fn every_page_answers_in_every_language() {
    let stage = Stage::new().await;
    for path in all_pages(&stage).await {
        let mut titles = Vec::new();
        for language in ["zh-Hant", "en", "ja", "th"] {
            let request = stage.request("GET", &path).header("cookie", format!("sandbox_lang={language}"));
            let answer = stage.send(request).await.unwrap();
            let html = String::from_utf8(answer.bytes.to_vec()).unwrap();
            assert_eq!(answer.status, 200, "{path} in {language}");
            assert!(html.contains(&format!("<html lang=\"{language}\"")), "{path}");
            assert!(!html.contains("Unknown localization"), "{path} in {language}");
            titles.push(html.split("aria-label=\"").nth(1).unwrap().split('"').next().unwrap().to_owned());
        }
        titles.dedup();
        assert_eq!(titles.len(), 4, "{path}: {titles:?}");
    }
    for path in
        ["/console/people/u9", "/console/channels/1/basics", "/console/providers/1", "/assets/console/x"]
    {
        assert_eq!(page(&stage, path).await.0, 404, "{path}");
    }
    let wrong = format!("/console/channels/{}/liff", stage.channel);
    assert_eq!(page(&stage, &wrong).await.0, 404, "a messaging channel has no LIFF apps");
}

#[tokio::test]
async fn hostile_names_stay_text() {
    let stage = Stage::new().await;
    let evil = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
    stage
        .control(
            "POST",
            "/users",
            json!({"displayName": evil, "statusMessage": evil, "pictureUrl": "javascript:alert(1)"}),
        )
        .await
        .ok();
    let provider = stage.control("POST", "/providers", json!({"name": evil})).await.ok();
    let channel = json!({"providerId": provider["providerId"], "type": "messaging", "name": evil});
    let channel =
        stage.control("POST", "/channels", channel).await.ok()["channelId"].as_str().unwrap().to_owned();
    let responses = json!({"greetingText": evil, "autoReplies": [{"keywords": [evil], "text": evil}]});
    stage.control("PATCH", &format!("/channels/{channel}/responses"), responses).await.ok();
    stage.act("follow", json!({"channelId": channel})).await;
    stage.write(evil).await;
    stage.receiver.event(2).await;
    stage.get(&format!("/v2/bot/{}", "%3Cscript%3E")).await;
    let last = stage.items("/requests").await.last().unwrap()["id"].as_u64().unwrap();
    let tab = |tab: &str| format!("/console/channels/{channel}/{tab}");
    let escaped = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect::<String>();
    for path in [
        "/".to_owned(),
        format!("/?problem={escaped}"),
        format!("/log?q={escaped}&kind={escaped}&channel={escaped}"),
        "/log?open=w2".to_owned(),
        format!("/log?open=a{last}"),
        format!("/console/people?q={escaped}"),
        "/console/people/u2".to_owned(),
        tab("basics"),
        tab("responses"),
        tab("friends"),
        "/trouble".to_owned(),
    ] {
        let answer = stage.send(stage.request("GET", &path)).await.unwrap();
        let html = String::from_utf8(answer.bytes.to_vec()).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        assert!(!html.contains("<script>") && !html.contains("<img src=x"), "{path}");
        assert!(!html.contains(" style=") && !html.contains(" onclick"), "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn a_sample_shop_is_one_button() {
    let stage = Stage::new().await;
    stage.control("POST", "/reset", json!({})).await.ok();
    let empty = shown(&stage, "/").await;
    assert!(empty.contains("Create a sample shop"));
    let fields = [("_path", "/sample"), ("_to", "/"), ("language", "ja")];
    assert_eq!(submit(&stage, &fields).await.0, 303);
    let html = shown(&stage, "/").await;
    assert!(
        html.contains("さくら茶房") && html.contains("佐藤 美咲") && !html.contains("Create a sample shop")
    );
    let channels = stage.items("/channels").await;
    let find = |kind: &str| channels.iter().find(|channel| channel["type"] == kind).unwrap();
    assert_eq!(find("login")["linkedBotChannelId"], find("messaging")["channelId"]);
    let path = format!("/users/u1/timeline?channelId={}", find("messaging")["channelId"].as_str().unwrap());
    assert!(stage.items(&path).await.len() >= 3, "greeting, question, auto-reply");
    let refused = stage.control("POST", "/sample", json!({"language": "xx"})).await;
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("language")));
}

#[tokio::test]
async fn forms_change_settings_without_a_script() {
    let stage = Stage::new().await;
    let path = format!("/channels/{}", stage.channel);
    let here = format!("/console/channels/{}/messaging", stage.channel);
    let form = |fields: &[(&'static str, &'static str)]| {
        let mut all = vec![
            ("_method".to_owned(), "PATCH".to_owned()),
            ("_path".into(), path.clone()),
            ("_to".into(), here.clone()),
        ];
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        all
    };
    let send = async |fields: Vec<(String, String)>| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        submit(&stage, &fields).await
    };
    let (status, to, _) = send(form(&[("redelivery:bool", "false"), ("redelivery:bool", "true")])).await;
    assert_eq!((status, to.as_str()), (303, here.as_str()));
    assert_eq!(stage.control("GET", &path, Value::Null).await.ok()["redelivery"], true);
    send(form(&[("redelivery:bool", "false")])).await;
    assert_eq!(stage.control("GET", &path, Value::Null).await.ok()["redelivery"], false);
    send(form(&[("monthlyQuota:int", "500"), ("plan", "light")])).await;
    assert_eq!(stage.control("GET", &path, Value::Null).await.ok()["monthlyQuota"], 500);
    send(form(&[("monthlyQuota:int", "")])).await;
    assert_eq!(stage.control("GET", &path, Value::Null).await.ok()["monthlyQuota"], Value::Null);
    let (status, to, _) = send(form(&[("webhookEndpoint:opt", "ftp://x")])).await;
    assert_eq!(status, 303);
    let html = shown(&stage, &to).await;
    assert!(html.contains("role=\"alert\"") && html.contains("webhookEndpoint must be https"), "{to}");
}

#[tokio::test]
async fn scripts_get_the_field_at_fault_and_foreign_pages_get_nothing() {
    let stage = Stage::new().await;
    let path = format!("/channels/{}/responses", stage.channel);
    let fields = [("_method", "PATCH"), ("_path", path.as_str()), ("_to", "/"), ("greetingText", "")];
    let refused = submit_by_script(&stage, &fields).await;
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("greetingText")));
    let fields = [("_path", "/providers"), ("_to", "/console/providers/{providerId}"), ("name", "New")];
    let done = submit_by_script(&stage, &fields).await.ok();
    let id = done["answer"]["providerId"].as_str().unwrap();
    assert_eq!(done["to"], format!("/console/providers/{id}"));
    let foreign = stage.request("POST", "/console/do").form(&fields).header("origin", "https://evil.example");
    assert_eq!(stage.send(foreign).await.unwrap().status, 403);
    let elsewhere = [("_path", "/clock"), ("_to", "//evil.example"), ("advanceMs:int", "0")];
    assert_eq!(submit(&stage, &elsewhere).await.1, "/");
}

#[tokio::test]
async fn a_token_is_shown_once() {
    let stage = Stage::new().await;
    let path = format!("/channels/{}/access-token", stage.channel);
    let keys = format!("/console/channels/{}/keys", stage.channel);
    let fields =
        [("_path", path.as_str()), ("_to", keys.as_str()), ("_show", "accessToken"), ("graceHours:int", "0")];
    let (status, _, html) = submit(&stage, &fields).await;
    assert_eq!(status, 200);
    let token = html.split("class=\"secret\"><code>").nth(1).unwrap().split('<').next().unwrap();
    let info = stage.send(stage.request("GET", "/v2/bot/info").bearer_auth(token)).await.unwrap();
    assert_eq!(info.status, 200);
    assert!(!shown(&stage, &keys).await.contains(token));
}

#[tokio::test]
async fn verify_says_in_words_what_line_found() {
    let stage = Stage::new().await;
    let path = format!("/channels/{}/verify", stage.channel);
    let to = format!("/console/channels/{}/messaging?delivery={{deliveryId}}", stage.channel);
    let fields = [("_path", path.as_str()), ("_to", to.as_str())];
    let (_, at, _) = submit(&stage, &fields).await;
    assert!(shown(&stage, &at).await.contains("Your server answered 200"));
    assert_eq!(
        stage.receiver.got.lock().unwrap().last().unwrap().1,
        json!({"destination": stage.bot, "events": []}).to_string()
    );
    stage.receiver.will_answer(&[(401, 0)]);
    let (_, at, _) = submit(&stage, &fields).await;
    assert!(shown(&stage, &at).await.contains("Usually the signature did not match"));
    stage.set(json!({"webhookEndpoint": "http://127.0.0.1:1/"})).await;
    let (_, at, _) = submit(&stage, &fields).await;
    let html = shown(&stage, &at).await;
    assert!(html.contains("Nobody answers at this address") && html.contains("COULD_NOT_CONNECT"));
    // PLATFORM 15: Verify calls are not counted in the error statistics.
    assert!(html.contains("The last one arrived"), "only the follow event counts");
    let unset = json!({"providerId": stage.provider, "type": "messaging", "name": "x"});
    let unset = stage.control("POST", "/channels", unset).await.ok();
    let path = format!("/channels/{}/verify", unset["channelId"].as_str().unwrap());
    assert_eq!(stage.control("POST", &path, json!({})).await.status, 422);
}

/// PLATFORM 15: the statistics count errors by reason and detail.
#[tokio::test]
async fn failures_are_counted_by_reason() {
    let stage = Stage::new().await;
    stage.receiver.will_answer(&[(500, 0), (500, 0), (404, 0)]);
    for text in ["a", "b", "c"] {
        stage.write(text).await;
    }
    eventually("the records", async || (stage.items("/deliveries").await.len() == 4).then_some(())).await;
    let html = shown(&stage, &format!("/console/channels/{}/messaging", stage.channel)).await;
    assert!(html.contains("ERROR_STATUS_CODE") && html.contains("<small>500</small>"), "{html}");
    assert!(html.contains("<td class=\"number\">2</td>"));
    assert!(shown(&stage, "/").await.contains("3 failed lately"));
}

#[tokio::test]
async fn the_log_filters_opens_and_sends_again() {
    let stage = Stage::new().await;
    stage.write("first words").await;
    stage.receiver.event(2).await;
    stage.push(&stage.user_id, "an answer").await.ok();
    stage.push("Unobody", "x").await;
    let rows = async |query: &str| {
        let html = shown(&stage, &format!("/log{query}")).await;
        let list = html.split("id=\"detail\"").next().unwrap().to_owned();
        (list.matches("class=\"log-row").count(), html)
    };
    let (webhooks, _) = rows("?kind=webhook").await;
    let (calls, _) = rows("?kind=api").await;
    assert_eq!((rows("").await.0, webhooks), (webhooks + calls, 2));
    assert_eq!(rows("?failed=1").await.0, 1);
    assert_eq!(rows("?q=first+words").await.0, 1);
    assert_eq!(rows("?channel=1").await.0, 0);
    assert!(
        rows(&format!("?kind=api&channel={}", stage.channel)).await.0 >= 3,
        "calls are found by their token"
    );
    let (_, html) = rows("?open=w2").await;
    assert!(html.contains("first words") && html.contains("x-line-signature") && html.contains("Send again"));
    let push =
        stage.items("/requests").await.iter().rfind(|item| item["status"] == 200).unwrap()["id"].clone();
    let (_, html) = rows(&format!("?open=a{push}")).await;
    assert!(html.contains("an answer") && html.contains("Bearer ***") && !html.contains(&stage.token));
    let fields = [("_path", "/deliveries/2/redeliver"), ("_to", "/log?open=w{id}")];
    let (_, to, _) = submit(&stage, &fields).await;
    assert_eq!(to, "/log?open=w3");
    let again = stage.receiver.event(3).await;
    assert_eq!(again["deliveryContext"]["isRedelivery"], true);
    assert_eq!(again["webhookEventId"], stage.receiver.events()[1]["webhookEventId"]);
    let signature = stage.receiver.got.lock().unwrap().last().unwrap().clone();
    let expected = line_api::signature::sign(&stage.secret, &signature.1);
    assert_eq!(signature.0["x-line-signature"], expected);
    assert!(rows("?open=w3").await.1.contains("Attempt 2"));
    assert_eq!(stage.control("POST", "/deliveries/99/redeliver", json!({})).await.status, 404);
}

#[tokio::test]
async fn an_open_log_hears_of_what_happens() {
    let stage = Stage::new().await;
    let mut live = stage.request("GET", "/log/live").send().await.unwrap();
    let mut next = async || {
        let wait = std::time::Duration::from_secs(5);
        let chunk = tokio::time::timeout(wait, live.chunk()).await.unwrap().unwrap().unwrap();
        assert!(chunk.starts_with(b"event: change"), "{chunk:?}");
    };
    next().await;
    stage.get("/v2/bot/info").await.ok();
    next().await;
}

#[tokio::test]
async fn trouble_has_switches() {
    let stage = Stage::new().await;
    assert!(!shown(&stage, "/trouble").await.contains("banner\""));
    let fields = [("_path", "/faults"), ("_to", "/trouble"), ("on", "webhook"), ("kind", "duplicate")];
    submit(&stage, &fields).await;
    let html = shown(&stage, "/trouble").await;
    assert_eq!(
        html.matches("toggle warn\" type=\"checkbox\" role=\"switch\" checked").count(),
        1,
        "the preset is on"
    );
    assert!(shown(&stage, "/").await.contains("1 trouble is switched on"));
    let id = stage.items("/faults").await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/faults/{id}");
    submit(&stage, &[("_method", "DELETE"), ("_path", path.as_str()), ("_to", "/trouble")]).await;
    assert!(stage.items("/faults").await.is_empty());
    let own = [
        ("_path", "/faults"),
        ("_to", "/trouble"),
        ("on", "api"),
        ("kind", "status"),
        ("path:opt", "/v2/bot/info"),
        ("method:opt", ""),
        ("status:int", "503"),
        ("ms:int", ""),
        ("rate:num", "1"),
        ("times:int", "1"),
    ];
    submit(&stage, &own).await;
    assert_eq!(stage.get("/v2/bot/info").await.status, 503);
    submit(&stage, &[("_path", "/clock"), ("_to", "/trouble"), ("advanceMs:int", "86400000")]).await;
    assert!(shown(&stage, "/trouble").await.contains("clock is ahead"));
    assert!(shown(&stage, "/trouble").await.contains("1 provider<"), "a reset says what it deletes");
    submit(&stage, &[("_path", "/reset"), ("_to", "/")]).await;
    assert!(shown(&stage, "/").await.contains("Create a sample shop"));
}

#[tokio::test]
async fn people_are_edited_by_a_form() {
    let stage = Stage::new().await;
    let fields = [
        ("_method", "PATCH"),
        ("_path", "/users/u1"),
        ("_to", "/console/people/u1"),
        ("displayName", "小晴"),
        ("language:opt", "ja"),
        ("statusMessage:opt", "tea"),
        ("pictureUrl:opt", ""),
    ];
    assert_eq!(submit(&stage, &fields).await.1, "/console/people/u1");
    let profile = stage.get(&format!("/v2/bot/profile/{}", stage.user_id)).await.ok();
    assert_eq!((&profile["displayName"], &profile["language"]), (&json!("小晴"), &json!("ja")));
    assert!(shown(&stage, "/console/people?q=%E5%B0%8F%E6%99%B4").await.contains("tea"));
    assert!(shown(&stage, "/console/people?q=nobody").await.contains("Nobody is called that"));
    let block = [
        ("_path", "/users/u1/unfollow"),
        ("_to", "/console/people/u1"),
        ("channelId", stage.channel.as_str()),
    ];
    let (_, to, _) = submit(&stage, &block).await;
    assert!(shown(&stage, &to).await.contains("Blocked"));
}

#[tokio::test]
async fn a_login_channel_has_its_settings_and_liff_apps() {
    let stage = Stage::new().await;
    let login = json!({"providerId": stage.provider, "type": "login", "name": "Members"});
    let login =
        stage.control("POST", "/channels", login).await.ok()["channelId"].as_str().unwrap().to_owned();
    let path = format!("/channels/{login}");
    let here = format!("/console/channels/{login}/login");
    let settings = [
        ("_method", "PATCH"),
        ("_path", path.as_str()),
        ("_to", here.as_str()),
        ("callbackUrls:lines", "http://127.0.0.1:3000/callback\r\n"),
        ("linkedBotChannelId:opt", stage.channel.as_str()),
        ("testers:lines", ""),
        ("testers:each", "u1"),
    ];
    submit(&stage, &settings).await;
    let shown_now = stage.control("GET", &path, Value::Null).await.ok();
    assert_eq!(shown_now["callbackUrls"], json!(["http://127.0.0.1:3000/callback"]));
    assert_eq!(
        (&shown_now["linkedBotChannelId"], &shown_now["testers"]),
        (&json!(stage.channel), &json!(["u1"]))
    );
    let (apps, page) = (format!("{path}/liff-apps"), format!("/console/channels/{login}/liff"));
    let add = |url: &'static str| {
        let fields = [
            ("_path", apps.clone()),
            ("_to", page.clone()),
            ("description:opt", "Card".into()),
            ("view.type", "full".into()),
            ("view.url", url.into()),
            ("scope:each", "openid".into()),
            ("scope:each", "profile".into()),
            ("botPrompt", "normal".into()),
        ];
        fields.map(|(name, value): (&str, String)| (name, value))
    };
    let plain = |fields: &[(&'static str, String)]| {
        fields.iter().map(|(name, value)| (*name, value.clone())).collect::<Vec<_>>()
    };
    let send = async |fields: Vec<(&'static str, String)>| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        submit_by_script(&stage, &fields).await
    };
    let refused = send(plain(&add("ftp://x"))).await;
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("view.url")));
    let liff = send(plain(&add("http://127.0.0.1:3000/liff"))).await.ok()["answer"]["liffId"]
        .as_str()
        .unwrap()
        .to_owned();
    let html = shown(&stage, &page).await;
    assert!(html.contains(&liff) && html.contains("Card"));
    assert_eq!(stage.items(&apps).await[0]["scope"], json!(["openid", "profile"]));
    let one = format!("{apps}/{liff}");
    submit(
        &stage,
        &[
            ("_method", "PATCH"),
            ("_path", one.as_str()),
            ("_to", page.as_str()),
            ("shareTargetPicker:bool", "true"),
        ],
    )
    .await;
    assert_eq!(stage.items(&apps).await[0]["shareTargetPicker"], true);
    submit(&stage, &[("_method", "DELETE"), ("_path", one.as_str()), ("_to", page.as_str())]).await;
    assert!(stage.items(&apps).await.is_empty());
}

#[tokio::test]
async fn keys_are_registered_by_pasting_them() {
    let stage = Stage::new().await;
    let path = format!("/channels/{}/public-keys", stage.channel);
    let page = format!("/console/channels/{}/keys", stage.channel);
    let jwk =
        json!({"kty": "RSA", "alg": "RS256", "use": "sig", "e": "AQAB", "n": "A".repeat(342)}).to_string();
    let fields =
        [("_path", path.as_str()), ("_to", page.as_str()), ("_show", "kid"), ("jwk:json", jwk.as_str())];
    let (status, _, html) = submit(&stage, &fields).await;
    assert_eq!(status, 200);
    let kid = stage.items(&path).await[0]["kid"].as_str().unwrap().to_owned();
    assert!(html.contains(&kid) && shown(&stage, &page).await.contains(&kid));
    let bad = [("_path", path.as_str()), ("_to", page.as_str()), ("jwk:json", "not json")];
    let refused = submit_by_script(&stage, &bad).await;
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("jwk")));
}
