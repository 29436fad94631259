//! The pages: what they show, in which language, and that nothing foreign can run in them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::Stage;

async fn page(stage: &Stage, path: &str) -> (u16, reqwest::header::HeaderMap, String) {
    let answer = stage.send(stage.request("GET", path)).await.unwrap();
    (answer.status, answer.headers.clone(), String::from_utf8(answer.bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_chat_shows_both_sides() {
    let stage = Stage::new().await;
    stage.write("<b>有嗎？</b>").await;
    stage.push(&stage.user_id, "有的").await.ok();
    let quick =
        json!({"items": [{"type": "action", "action": {"type": "message", "label": "好", "text": "好"}}]});
    let push =
        json!({"to": stage.user_id, "messages": [{"type": "text", "text": "要嗎", "quickReply": quick}]});
    stage.line("POST", "/v2/bot/message/push", push).await.ok();
    let path = format!("/phone/{}/{}", stage.user, stage.channel);
    let (status, _, html) = page(&stage, &path).await;
    assert_eq!(status, 200);
    assert!(html.contains("&lt;b&gt;有嗎？") || html.contains("&#60;b&#62;有嗎？"), "texts are escaped");
    assert!(html.contains("有的") && html.contains("class=\"quick\""), "{html}");
    let (_, _, fragment) = page(&stage, &format!("{path}/messages")).await;
    assert!(!fragment.contains("<html") && fragment.contains("有的"));
    stage.write("好").await;
    assert!(!page(&stage, &path).await.2.contains("class=\"quick\""), "buttons go with the next message");
    stage.act("unfollow", json!({})).await;
    assert!(page(&stage, &path).await.2.contains("class=\"locked\""));
}

#[tokio::test]
async fn pages_run_only_their_own_scripts() {
    let stage = Stage::new().await;
    let evil = json!({"displayName": "<script>alert(1)</script>", "pictureUrl": "javascript:alert(1)"});
    stage.control("POST", "/users", evil).await.ok();
    let chat = format!("/phone/{}/{}", stage.user, stage.channel);
    let profile = format!("/phone/u1/account/{}", stage.channel);
    for path in ["/", "/phone/u1", "/phone/u2", &chat, "/phone/u9", &profile, "/phones", "/phone/u1/share"] {
        let (_, headers, html) = page(&stage, path).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(
            !html.contains("<script>") && !html.contains(" style=") && !html.contains(" onclick"),
            "{path}"
        );
    }
    assert_eq!(page(&stage, "/phone/u9").await.0, 404);
    for (name, kind) in
        [("phone.js", "text/javascript"), ("phone.css", "text/css"), ("icons.svg", "image/svg+xml")]
    {
        let (status, headers, _) = page(&stage, &format!("/assets/{name}")).await;
        assert_eq!(status, 200);
        assert!(headers["content-type"].to_str().unwrap().starts_with(kind));
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
    assert_eq!(page(&stage, "/assets/secret").await.0, 404);
}

#[tokio::test]
async fn the_language_can_be_chosen() {
    let stage = Stage::new().await;
    let ask = async |name: &str, value: &str| {
        let answer = stage.send(stage.request("GET", "/").header(name, value)).await.unwrap();
        String::from_utf8(answer.bytes.to_vec()).unwrap()
    };
    for (language, words) in [("zh-TW", "總覽"), ("ja", "概要"), ("th", "ภาพรวม"), ("en", "Overview")]
    {
        assert!(ask("accept-language", language).await.contains(words), "{language}");
    }
    assert!(ask("cookie", "sandbox_lang=th").await.contains("lang=\"th\""));
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (to, expected) in [("/phone/u1", "/phone/u1"), ("//evil.example", "/"), ("https://evil.example", "/")]
    {
        let answer = client.get(format!("{}/lang/ja?to={to}", stage.base)).send().await.unwrap();
        assert_eq!(answer.headers()["location"], expected);
        assert!(answer.headers()["set-cookie"].to_str().unwrap().starts_with("sandbox_lang=ja;"));
    }
}

/// What a person sent is bytes, never a page of ours; players get ranges.
#[tokio::test]
async fn media_is_harmless_and_has_ranges() {
    let stage = Stage::new().await;
    let message = json!({"type": "file", "fileName": "x.html", "contentBase64": "PGgxPmhpPC9oMT4="});
    let id =
        stage.act("messages", json!({"message": message})).await["messageId"].as_str().unwrap().to_owned();
    let path = format!("/phone-media/{id}");
    let (status, headers, body) = page(&stage, &path).await;
    assert_eq!((status, body.as_str()), (200, "<h1>hi</h1>"));
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("sandbox"));
    let part = stage.send(stage.request("GET", &path).header("range", "bytes=4-5")).await.unwrap();
    assert_eq!((part.status, &part.bytes[..]), (206, &b"hi"[..]));
    assert_eq!(part.header("content-range"), "bytes 4-5/11");
    stage.act("unsend", json!({"messageId": id})).await;
    assert_eq!(page(&stage, &path).await.0, 404);
}

#[tokio::test]
async fn an_open_phone_hears_of_changes() {
    let stage = Stage::new().await;
    let mut live = stage.request("GET", "/phone/u1/live").send().await.unwrap();
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let mut next = async || {
        let chunk =
            tokio::time::timeout(Duration::from_secs(5), live.chunk()).await.unwrap().unwrap().unwrap();
        assert!(chunk.starts_with(b"event: change"), "{chunk:?}");
    };
    next().await;
    stage.push(&stage.user_id, "news").await.ok();
    next().await;
    assert_eq!(stage.send(stage.request("GET", "/phone/u9/live")).await.unwrap().status, 404);
}

/// Open phones and hanging calls do not keep a stopped sandbox alive.
#[tokio::test]
async fn shutdown_releases_what_is_open() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let sandbox = line_sandbox::Sandbox::new(line_sandbox::Config::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(sandbox.clone().serve(listener, async move {
        let _ = stopped.await;
    }));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let control = async |path: &str, body: Value| {
        http.post(format!("{base}/sandbox/v1{path}")).json(&body).send().await.unwrap();
    };
    control("/users", json!({"displayName": "x"})).await;
    control("/faults", json!({"on": "api", "kind": "hang"})).await;
    assert_eq!(sandbox.base_url().unwrap().as_str(), format!("{base}/"));
    let live = http.get(format!("{base}/phone/u1/live")).send().await.unwrap();
    let hanging = tokio::spawn(http.get(format!("{base}/v2/bot/info")).send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), serving).await.unwrap().unwrap().unwrap();
    assert!(hanging.await.unwrap().is_err());
    drop(live);
}
