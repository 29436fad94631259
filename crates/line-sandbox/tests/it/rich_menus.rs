//! Rich menus: objects, images, who sees which, taps, bulk calls and batches (PLATFORM 5, 10, 12; GOTCHAS H).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::stage::{Answer, Stage};

const LINK_ALL: &str = "/v2/bot/user/all/richmenu";

/// A menu of one row with the given actions side by side.
fn menu(actions: &[Value]) -> Value {
    let width = 2500 / i64::try_from(actions.len().max(1)).unwrap();
    let areas: Vec<Value> = actions
        .iter()
        .zip(0..)
        .map(|(action, index)| json!({"bounds": {"x": width * index, "y": 0, "width": width, "height": 843}, "action": action}))
        .collect();
    json!({"size": {"width": 2500, "height": 843}, "selected": true, "name": "main", "chatBarText": "選單", "areas": areas})
}

/// The beginning of a PNG of that size, which is all that anybody looks at.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes
}

async fn upload(stage: &Stage, id: &str, kind: &str, bytes: Vec<u8>) -> Answer {
    let request = stage.request("POST", &format!("/v2/bot/richmenu/{id}/content")).bearer_auth(&stage.token);
    stage.send(request.header("content-type", kind).body(bytes)).await.unwrap()
}

/// A menu without image.
async fn bare(stage: &Stage, actions: &[Value]) -> String {
    let answer = stage.line("POST", "/v2/bot/richmenu", menu(actions)).await.ok();
    answer["richMenuId"].as_str().unwrap().to_owned()
}

/// A menu that can be shown.
async fn ready(stage: &Stage, actions: &[Value]) -> String {
    let id = bare(stage, actions).await;
    upload(stage, &id, "image/png", png(2500, 843)).await.ok();
    id
}

async fn alias(stage: &Stage, name: &str, id: &str) -> Answer {
    stage.line("POST", "/v2/bot/richmenu/alias", json!({"richMenuAliasId": name, "richMenuId": id})).await
}

/// The menu that the friend sees.
async fn seen(stage: &Stage) -> Value {
    let path = format!("/users/{}/rich-menu?channelId={}", stage.user, stage.channel);
    stage.control("GET", &path, Value::Null).await.ok()["richMenuId"].clone()
}

fn of_user(stage: &Stage) -> String {
    format!("/v2/bot/user/{}/richmenu", stage.user_id)
}

/// PLATFORM 5: several rich menu errors show an empty `details`.
fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status, answer.json()), (status, json!({"message": message, "details": []})));
}

fn found(answer: &Answer, status: u16, property: &str, message: &str) {
    let expected = json!({"message": "The request body has 1 error(s)", "details": [{"message": message, "property": property}]});
    assert_eq!((answer.status, answer.json()), (status, expected));
}

fn text(value: &str) -> Value {
    json!({"type": "message", "text": value})
}

/// PLATFORM 10: create, read, list, delete.
#[tokio::test]
async fn menus_come_and_go() {
    let stage = Stage::new().await;
    let body = menu(&[text("hi"), json!({"type": "camera", "label": "photo"})]);
    stage.line("POST", "/v2/bot/richmenu/validate", body.clone()).await.ok();
    assert_eq!(stage.get("/v2/bot/richmenu/list").await.ok(), json!({"richmenus": []}));
    // GOTCHAS H6: LINE takes a camera here.
    let id = stage.line("POST", "/v2/bot/richmenu", body.clone()).await.ok()["richMenuId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(id.starts_with("richmenu-") && id.len() == 41, "{id}");
    let shown = stage.get(&format!("/v2/bot/richmenu/{id}")).await.ok();
    assert_eq!(
        (&shown["richMenuId"], &shown["areas"], &shown["size"]),
        (&json!(id), &body["areas"], &body["size"])
    );
    assert_eq!(stage.get("/v2/bot/richmenu/list").await.ok()["richmenus"], json!([shown]));
    stage.line("DELETE", &format!("/v2/bot/richmenu/{id}"), Value::Null).await.ok();
    stage.get(&format!("/v2/bot/richmenu/{id}")).await.refused(404, "Not found");
    stage.line("DELETE", &format!("/v2/bot/richmenu/{id}"), Value::Null).await.refused(404, "Not found");
}

/// PLATFORM 10: the object's limits; both paths refuse alike.
#[tokio::test]
async fn menu_objects_are_checked() {
    let stage = Stage::new().await;
    let with = |path: &str, value: Value| {
        let mut body = menu(&[text("hi")]);
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    let cases = [
        (with("/name", Value::Null), "name", "must be specified"),
        (
            with("/areas/0/action", json!({"type": "uri", "uri": "not an address"})),
            "areas[0].action.uri",
            "invalid uri",
        ),
        (
            with("/areas/0/action", json!({"type": "uri", "uri": "ftp://a.example"})),
            "areas[0].action.uri",
            "invalid uri scheme",
        ),
        (with("/areas/0/action", json!({"type": "dance"})), "areas[0].action.type", "invalid property"),
        (with("/chatBarText", json!("x".repeat(15))), "chatBarText", "must not be longer than 14 characters"),
        (with("/name", json!("x".repeat(301))), "name", "must not be longer than 300 characters"),
        (with("/size/width", json!(799)), "size.width", "Must be between 800 and 2500"),
        (with("/size/height", json!(249)), "size.height", "Must be between 250 and 1724"),
        (with("/size", json!({"width": 1000, "height": 843})), "size", "invalid property"),
        (with("/areas/0/bounds/width", json!(2501)), "areas[0].bounds", "invalid property"),
        (
            with("/areas", json!(vec![menu(&[text("a")])["areas"][0].clone(); 21])),
            "areas",
            "Size must be between 0 and 20",
        ),
    ];
    for (body, property, message) in cases {
        let answer = stage.line("POST", "/v2/bot/richmenu/validate", body.clone()).await;
        assert_eq!(answer.json()["details"][0], json!({"message": message, "property": property}));
        assert_eq!(stage.line("POST", "/v2/bot/richmenu", body).await.status, 400);
    }
    let odd = with("/areas/0/bounds/x", json!("0"));
    let message = "The property, 'areas[0].bounds.x', in the request body is invalid (line: -, column: -)";
    stage.line("POST", "/v2/bot/richmenu", odd).await.refused(400, message);
    assert_eq!(stage.get("/v2/bot/richmenu/list").await.ok()["richmenus"], json!([]));
}

/// PLATFORM 10: an image is of an allowed size and kind, and uploaded once.
#[tokio::test]
async fn an_image_is_uploaded_once() {
    let stage = Stage::new().await;
    let id = bare(&stage, &[text("hi")]).await;
    let path = format!("/v2/bot/richmenu/{id}/content");
    stage.get(&path).await.refused(404, "Not found");
    upload(&stage, "richmenu-0", "image/png", png(2500, 843)).await.refused(404, "Not found");
    assert_eq!(upload(&stage, &id, "image/gif", png(2500, 843)).await.status, 415);
    let wrong = "The image size is not allowed for richmenu";
    upload(&stage, &id, "image/png", png(2500, 200)).await.refused(400, wrong);
    let mut large = png(2500, 843);
    large.resize(1024 * 1024 + 1, 0);
    assert_eq!(upload(&stage, &id, "image/png", large).await.status, 413);
    upload(&stage, &id, "image/png", png(2500, 843)).await.ok();
    let again = "An image has already been uploaded to the richmenu";
    upload(&stage, &id, "image/png", png(2500, 843)).await.refused(400, again);
    let image = stage.get(&path).await;
    assert_eq!((image.header("content-type"), &image.bytes[..]), ("image/png", &png(2500, 843)[..]));
    let page = stage.send(stage.request("GET", &format!("/phone-rich-menu/{id}"))).await.unwrap();
    assert_eq!((page.status, &page.bytes), (200, &image.bytes));
}

/// PLATFORM 10: a person's own menu goes before the API's default, and that before OA Manager's.
#[tokio::test]
async fn the_nearest_menu_is_seen() {
    let stage = Stage::new().await;
    assert_eq!(seen(&stage).await, Value::Null);
    refused(&stage.get(LINK_ALL).await, 404, "no default richmenu");
    let manager = format!("/channels/{}/manager-rich-menu", stage.channel);
    let body = json!({"menu": menu(&[text("m")]), "contentBase64": STANDARD.encode(png(2500, 843))});
    let by_manager = stage.control("PUT", &manager, body).await.ok()["richMenuId"].clone();
    assert_eq!(seen(&stage).await, by_manager);
    refused(&stage.get(LINK_ALL).await, 403, "the richmenu is owned by another channel");
    // Menus made in OA Manager are invisible to the API.
    let of_manager = format!("/v2/bot/richmenu/{}", by_manager.as_str().unwrap());
    stage.get(&of_manager).await.refused(404, "Not found");
    assert_eq!(stage.get("/v2/bot/richmenu/list").await.ok()["richmenus"], json!([]));
    let bare = bare(&stage, &[text("x")]).await;
    let no_image = "must upload richmenu image before applying it to user";
    refused(&stage.line("POST", &format!("{LINK_ALL}/{bare}"), Value::Null).await, 400, no_image);
    stage.line("POST", &format!("{LINK_ALL}/richmenu-0"), Value::Null).await.refused(404, "Not found");
    let (shared, own) = (ready(&stage, &[text("all")]).await, ready(&stage, &[text("own")]).await);
    stage.line("POST", &format!("{LINK_ALL}/{shared}"), Value::Null).await.ok();
    assert_eq!(stage.get(LINK_ALL).await.ok(), json!({"richMenuId": shared}));
    assert_eq!(seen(&stage).await, json!(shared));
    let mine = of_user(&stage);
    refused(&stage.get(&mine).await, 404, "the user has no richmenu");
    refused(&stage.line("POST", &format!("{mine}/{bare}"), Value::Null).await, 400, no_image);
    stage.line("POST", &format!("{mine}/richmenu-0"), Value::Null).await.refused(404, "Not found");
    stage.line("POST", &format!("{mine}/{own}"), Value::Null).await.ok();
    assert_eq!((stage.get(&mine).await.ok(), seen(&stage).await), (json!({"richMenuId": own}), json!(own)));
    let invalid = "The value for the 'userId' parameter is invalid";
    for (method, path) in [("GET", "/v2/bot/user/x/richmenu"), ("DELETE", "/v2/bot/user/x/richmenu")] {
        stage.line(method, path, Value::Null).await.refused(400, invalid);
    }
    stage.line("POST", &format!("/v2/bot/user/x/richmenu/{own}"), Value::Null).await.refused(400, invalid);
    // Deleting what is linked shows the default again.
    stage.line("DELETE", &format!("/v2/bot/richmenu/{own}"), Value::Null).await.ok();
    refused(&stage.get(&mine).await, 404, "the user has no richmenu");
    assert_eq!(seen(&stage).await, json!(shared));
    stage.line("DELETE", LINK_ALL, Value::Null).await.ok();
    assert_eq!(seen(&stage).await, by_manager);
    stage.control("DELETE", &manager, Value::Null).await.ok();
    assert_eq!(seen(&stage).await, Value::Null);
}

/// PLATFORM 10, GOTCHAS H3: blocking and unblocking loses the own menu.
#[tokio::test]
async fn unblocking_loses_the_own_menu() {
    let stage = Stage::new().await;
    let own = ready(&stage, &[text("own")]).await;
    stage.line("POST", &format!("{}/{own}", of_user(&stage)), Value::Null).await.ok();
    stage.act("unfollow", json!({})).await;
    // Who is no friend is accepted, but not linked.
    stage.line("POST", &format!("{}/{own}", of_user(&stage)), Value::Null).await.ok();
    stage.act("follow", json!({})).await;
    refused(&stage.get(&of_user(&stage)).await, 404, "the user has no richmenu");
    stage.line("POST", &format!("{}/{own}", of_user(&stage)), Value::Null).await.ok();
    stage.line("DELETE", &of_user(&stage), Value::Null).await.ok();
    assert_eq!(seen(&stage).await, Value::Null);
}

/// PLATFORM 10: aliases.
#[tokio::test]
async fn aliases_name_menus() {
    let stage = Stage::new().await;
    let (a, b) = (ready(&stage, &[text("a")]).await, ready(&stage, &[text("b")]).await);
    let bare = bare(&stage, &[text("x")]).await;
    alias(&stage, "tab-a", &a).await.ok();
    refused(&alias(&stage, "tab-a", &b).await, 400, "conflict richmenu alias id");
    refused(&alias(&stage, "tab-x", &bare).await, 400, "richmenu not found");
    refused(&alias(&stage, "tab-x", "richmenu-0").await, 400, "richmenu not found");
    found(&alias(&stage, "Tab", &a).await, 400, "richMenuAliasId", "invalid property");
    let path = "/v2/bot/richmenu/alias/tab-a";
    assert_eq!(stage.get(path).await.ok(), json!({"richMenuAliasId": "tab-a", "richMenuId": a}));
    stage.line("POST", path, json!({"richMenuId": b})).await.ok();
    refused(&stage.line("POST", path, json!({"richMenuId": bare})).await, 400, "richmenu not found");
    let all = stage.get("/v2/bot/richmenu/alias/list").await.ok();
    assert_eq!(all, json!({"aliases": [{"richMenuAliasId": "tab-a", "richMenuId": b}]}));
    stage.line("DELETE", path, Value::Null).await.ok();
    for (method, body) in [("GET", Value::Null), ("DELETE", Value::Null), ("POST", json!({"richMenuId": a}))]
    {
        refused(&stage.line(method, path, body).await, 404, "richmenu alias not found");
    }
}

/// PLATFORM 16, 20: what each action of a menu does.
#[tokio::test]
async fn taps_do_the_actions() {
    let stage = Stage::new().await;
    let other = ready(&stage, &[text("other")]).await;
    let actions = [
        text("hello"),
        json!({"type": "postback", "data": "d=1", "displayText": "chosen"}),
        json!({"type": "datetimepicker", "data": "when", "mode": "datetime", "min": "2026-01-01t00:00"}),
        json!({"type": "richmenuswitch", "richMenuAliasId": "other", "data": "go"}),
        json!({"type": "uri", "uri": "https://a.example/"}),
    ];
    let id = ready(&stage, &actions).await;
    stage.line("POST", &format!("{LINK_ALL}/{id}"), Value::Null).await.ok();
    stage.act("rich-menu-views", json!({})).await;
    let answer = stage.act("rich-menu-taps", json!({"area": 0})).await;
    assert_eq!(answer["action"], actions[0]);
    let event = stage.receiver.event(2).await;
    assert_eq!(
        (&event["message"]["text"], &event["webhookEventId"]),
        (&json!("hello"), &answer["webhookEventId"])
    );
    assert_eq!(event["message"]["id"], answer["messageId"]);
    stage.act("rich-menu-taps", json!({"area": 1})).await;
    assert_eq!(stage.receiver.event(3).await["postback"], json!({"data": "d=1"}));
    assert_eq!(stage.timeline().await[1]["message"]["text"], "chosen");
    for params in [json!({}), json!({"datetime": "2025-12-31T23:59"}), json!({"datetime": "soon"})] {
        assert_eq!(stage.try_act("rich-menu-taps", json!({"area": 2, "params": params})).await.status, 422);
    }
    stage.act("rich-menu-taps", json!({"area": 2, "params": {"datetime": "2026-02-03t04:05"}})).await;
    let picked = json!({"data": "when", "params": {"datetime": "2026-02-03T04:05"}});
    assert_eq!(stage.receiver.event(4).await["postback"], picked);
    let uri = stage.act("rich-menu-taps", json!({"area": 4})).await;
    assert_eq!((&uri["action"], &uri["webhookEventId"]), (&actions[4], &Value::Null));
    assert_eq!(stage.try_act("rich-menu-taps", json!({"area": 5})).await.status, 422);
    // The switch: no alias, an alias to no menu, and a menu.
    stage.act("rich-menu-taps", json!({"area": 3})).await;
    let status = |status: &str| json!({"data": "go", "params": {"status": status}});
    assert_eq!(stage.receiver.event(5).await["postback"], status("RICHMENU_ALIAS_ID_NOTFOUND"));
    let gone = ready(&stage, &[text("gone")]).await;
    alias(&stage, "other", &gone).await.ok();
    stage.line("DELETE", &format!("/v2/bot/richmenu/{gone}"), Value::Null).await.ok();
    stage.act("rich-menu-taps", json!({"area": 3})).await;
    assert_eq!(stage.receiver.event(6).await["postback"], status("RICHMENU_NOTFOUND"));
    stage.line("POST", "/v2/bot/richmenu/alias/other", json!({"richMenuId": other})).await.ok();
    stage.act("rich-menu-taps", json!({"area": 3})).await;
    let success = json!({"data": "go", "params": {"newRichMenuAliasId": "other", "status": "SUCCESS"}});
    assert_eq!(stage.receiver.event(7).await["postback"], success);
    assert_eq!(
        (seen(&stage).await, stage.get(&of_user(&stage)).await.ok()["richMenuId"].clone()),
        (json!(other), json!(other))
    );
    stage.receiver.check(stage.schema.as_ref());
}

/// PLATFORM 10, GOTCHAS H5: bulk calls are accepted first and done later.
#[tokio::test]
async fn bulk_calls_are_done_later() {
    let stage = Stage::new().await;
    let id = ready(&stage, &[text("a")]).await;
    let link = async |body: Value| stage.line("POST", "/v2/bot/richmenu/bulk/link", body).await;
    let unlink = async |body: Value| stage.line("POST", "/v2/bot/richmenu/bulk/unlink", body).await;
    let mine = json!({"richMenuId": id, "userIds": [stage.user_id]});
    assert_eq!(link(mine.clone()).await.status, 202);
    refused(&stage.get(&of_user(&stage)).await, 404, "the user has no richmenu");
    stage.advance(1_000).await;
    assert_eq!(
        (seen(&stage).await, stage.get(&of_user(&stage)).await.ok()["richMenuId"].clone()),
        (json!(id), json!(id))
    );
    assert_eq!(unlink(json!({"userIds": [stage.user_id]})).await.status, 202);
    stage.advance(1_000).await;
    assert_eq!(seen(&stage).await, Value::Null);
    let bad = "The property, 'userIds[1]', in the request body is invalid (line: -, column: -)";
    link(json!({"richMenuId": id, "userIds": [stage.user_id, "x"]})).await.refused(400, bad);
    unlink(json!({"userIds": [stage.user_id, "x"]})).await.refused(400, bad);
    found(
        &link(json!({"richMenuId": "x", "userIds": [stage.user_id]})).await,
        400,
        "richMenuId",
        "invalid richMenuId",
    );
    for ids in [json!([]), json!(vec![&stage.user_id; 501])] {
        found(&unlink(json!({"userIds": ids})).await, 400, "userIds", "Size must be between 1 and 500");
    }
    let missing = format!("richmenu-{}", "0".repeat(32));
    refused(
        &link(json!({"richMenuId": missing, "userIds": [stage.user_id]})).await,
        404,
        "richmenu not found",
    );
    let bare = bare(&stage, &[text("x")]).await;
    let no_image = "must upload richmenu image before applying it to user";
    refused(&link(json!({"richMenuId": bare, "userIds": [stage.user_id]})).await, 400, no_image);
}

/// PLATFORM 10: a batch moves everybody who is linked, and tells how far it is.
#[tokio::test]
async fn a_batch_moves_links() {
    let stage = Stage::new().await;
    let (a, b) = (ready(&stage, &[text("a")]).await, ready(&stage, &[text("b")]).await);
    let bare = bare(&stage, &[text("x")]).await;
    stage.line("POST", &format!("{}/{a}", of_user(&stage)), Value::Null).await.ok();
    let batch = async |operations: Value| {
        stage.line("POST", "/v2/bot/richmenu/batch", json!({"operations": operations})).await
    };
    let progress =
        async |id: &str| stage.get(&format!("/v2/bot/richmenu/progress/batch?requestId={id}")).await;
    let move_all = json!([{"type": "link", "from": a, "to": b}]);
    stage.line("POST", "/v2/bot/richmenu/validate/batch", json!({"operations": move_all})).await.ok();
    let accepted = batch(move_all).await;
    assert_eq!(accepted.status, 202);
    let id = accepted.header("x-line-request-id").to_owned();
    let running = progress(&id).await.ok();
    assert_eq!((&running["phase"], running.get("completedTime")), (&json!("ongoing"), None));
    assert_eq!(seen(&stage).await, json!(a));
    stage.advance(3_000).await;
    assert_eq!(seen(&stage).await, json!(b));
    let done = progress(&id).await.ok();
    assert_eq!(done["phase"], "succeeded");
    assert!(done["completedTime"].as_str() > running["acceptedTime"].as_str());
    // A target that vanished meanwhile.
    let lost =
        batch(json!([{"type": "link", "from": b, "to": a}])).await.header("x-line-request-id").to_owned();
    stage.line("DELETE", &format!("/v2/bot/richmenu/{a}"), Value::Null).await.ok();
    stage.advance(3_000).await;
    assert_eq!(progress(&lost).await.ok()["phase"], "failed");
    progress("00000000-0000-0000-0000-000000000000").await.refused(404, "Not found");
    assert_eq!(progress("").await.status, 400);
    stage.advance(14 * 24 * 3_600_000).await;
    let fresh = stage.stateless_token(&stage.channel, &stage.secret).await.ok();
    let stage = Stage { token: fresh["access_token"].as_str().unwrap().to_owned(), ..stage };
    let path = format!("/v2/bot/richmenu/progress/batch?requestId={id}");
    stage.get(&path).await.refused(404, "Not found");
    // What is refused, as the validation path tells without limit.
    let check = async |body: Value| stage.line("POST", "/v2/bot/richmenu/validate/batch", body).await;
    let of = |operations: Value| json!({"operations": operations});
    let unlink = json!({"type": "unlink", "from": b});
    found(
        &check(of(json!([unlink, unlink]))).await,
        400,
        "operations[].from",
        &format!("from richmenu ({b}) is duplicated"),
    );
    let to_bare = format!("'to' richmenu ({bare}) must have image but it doesn't");
    found(
        &check(of(json!([{"type": "link", "from": b, "to": bare}]))).await,
        400,
        "operations[0].to",
        &to_bare,
    );
    let to_none = json!([{"type": "link", "from": b, "to": a}]);
    found(&check(of(to_none)).await, 404, "operations[0].to", &format!("Richmenu ({a}) is not found"));
    let mixed = of(json!([{"type": "unlinkAll"}, unlink]));
    found(
        &check(mixed).await,
        400,
        "operations[].type",
        "'unlinkAll' type can't be combined with other type",
    );
    found(
        &check(of(json!([{"type": "unlink", "from": "x"}]))).await,
        400,
        "operations[0].from",
        "invalid richMenuId",
    );
    for body in [
        of(json!([])),
        of(json!([{"type": "dance"}])),
        of(json!(vec![json!({"type": "unlinkAll"}); 1001])),
        json!({"operations": [unlink], "resumeRequestKey": "no spaces"}),
        json!({}),
    ] {
        assert_eq!(check(body.clone()).await.status, 400, "{body}");
    }
    check(json!({"operations": [{"type": "unlinkAll"}], "resumeRequestKey": "k-1"})).await.ok();
}

/// PLATFORM 10: within 14 days a resume key goes on with its batch, so that what is done is not done again.
#[tokio::test]
async fn a_resumed_batch_does_nothing_twice() {
    let stage = Stage::new().await;
    let long_lived =
        stage.control("POST", &format!("/channels/{}/access-token", stage.channel), json!({})).await.ok();
    let stage = Stage { token: long_lived["accessToken"].as_str().unwrap().to_owned(), ..stage };
    let (a, b) = (ready(&stage, &[text("a")]).await, ready(&stage, &[text("b")]).await);
    let to_a = format!("{}/{a}", of_user(&stage));
    let batch = async || {
        let body = json!({"operations": [{"type": "link", "from": a, "to": b}], "resumeRequestKey": "k-1"});
        let accepted = stage.line("POST", "/v2/bot/richmenu/batch", body).await;
        assert_eq!(accepted.status, 202);
        stage.advance(3_000).await;
        let id = accepted.header("x-line-request-id");
        let progress = stage.get(&format!("/v2/bot/richmenu/progress/batch?requestId={id}")).await.ok();
        assert_eq!(progress["phase"], "succeeded");
        seen(&stage).await
    };
    stage.line("POST", &to_a, Value::Null).await.ok();
    assert_eq!(batch().await, json!(b));
    stage.line("POST", &to_a, Value::Null).await.ok();
    assert_eq!(batch().await, json!(a));
    stage.advance(14 * 24 * 3_600_000).await;
    assert_eq!(batch().await, json!(b));
}

/// PLATFORM 5: 3 batches and 100 new menus an hour.
#[tokio::test]
async fn rates_hold() {
    let stage = Stage::new().await;
    let slow = "The API rate limit has been exceeded. Try again later.";
    let batch = json!({"operations": [{"type": "unlinkAll"}]});
    for _ in 0..3 {
        assert_eq!(stage.line("POST", "/v2/bot/richmenu/batch", batch.clone()).await.status, 202);
    }
    stage.line("POST", "/v2/bot/richmenu/batch", batch.clone()).await.refused(429, slow);
    for _ in 0..100 {
        bare(&stage, &[text("a")]).await;
    }
    stage.line("POST", "/v2/bot/richmenu", menu(&[text("a")])).await.refused(429, slow);
    stage.line("POST", "/v2/bot/richmenu/validate", menu(&[text("a")])).await.ok();
}

/// PLATFORM 10: 1,000 menus and 1,000 aliases by API; OA Manager's menu does not count.
#[tokio::test]
async fn a_thousand_is_the_most() {
    let stage = Stage::new().await;
    let long_lived =
        stage.control("POST", &format!("/channels/{}/access-token", stage.channel), json!({})).await.ok();
    let stage = Stage { token: long_lived["accessToken"].as_str().unwrap().to_owned(), ..stage };
    let manager = json!({"menu": menu(&[text("m")]), "contentBase64": STANDARD.encode(png(2500, 843))});
    stage.control("PUT", &format!("/channels/{}/manager-rich-menu", stage.channel), manager).await.ok();
    let id = ready(&stage, &[text("first")]).await;
    for number in 1..1_000 {
        if number % 99 == 0 {
            stage.advance(3_600_000).await;
        }
        bare(&stage, &[text("more")]).await;
    }
    stage.advance(3_600_000).await;
    assert_eq!(stage.line("POST", "/v2/bot/richmenu", menu(&[text("a")])).await.status, 400);
    assert_eq!(
        stage.get("/v2/bot/richmenu/list").await.ok()["richmenus"].as_array().map(Vec::len),
        Some(1_000)
    );
    for number in 0..1_000 {
        alias(&stage, &format!("a-{number}"), &id).await.ok();
    }
    assert_eq!(alias(&stage, "one-more", &id).await.status, 400);
    stage.line("DELETE", "/v2/bot/richmenu/alias/a-7", Value::Null).await.ok();
    alias(&stage, "one-more", &id).await.ok();
}

/// PLATFORM 12: figures from what people did, once 20 people tapped; the periods and their refusals.
#[tokio::test]
async fn insight_counts_views_and_taps() {
    let stage = Stage::new().await;
    let id = ready(&stage, &[text("left"), json!({"type": "uri", "uri": "https://a.example/"})]).await;
    stage.line("POST", &format!("{LINK_ALL}/{id}"), Value::Null).await.ok();
    let now = stage.control("GET", "/clock", Value::Null).await.ok()["now"].as_i64().unwrap();
    let day = |offset: i64| {
        let at = jiff::Timestamp::from_millisecond(now + (9 + 24 * offset) * 3_600_000).unwrap();
        at.strftime("%Y%m%d").to_string()
    };
    for number in 0..20 {
        let user = stage.control("POST", "/users", json!({"displayName": format!("p{number}")})).await.ok();
        let stage_user = user["user"].as_str().unwrap();
        for (act, body) in [
            ("rich-menu-views", json!({"channelId": stage.channel})),
            ("rich-menu-taps", json!({"channelId": stage.channel, "area": 1})),
        ] {
            stage.control("POST", &format!("/users/{stage_user}/{act}"), body).await.ok();
        }
    }
    stage.act("rich-menu-taps", json!({"area": 0})).await;
    let period = format!("from={}&to={}", day(0), day(1));
    let path = |kind: &str, period: &str| format!("/v2/bot/insight/richmenu/{id}/{kind}?{period}");
    // Ready on the next day.
    assert_eq!(stage.get(&path("summary", &period)).await.ok(), json!({"richMenuId": id}));
    stage.advance(24 * 3_600_000).await;
    let fresh = stage.stateless_token(&stage.channel, &stage.secret).await.ok();
    let stage = Stage { token: fresh["access_token"].as_str().unwrap().to_owned(), ..stage };
    let summary = stage.get(&path("summary", &period)).await.ok();
    assert_eq!((&summary["metricsFrom"], &summary["metricsTo"]), (&json!(day(0)), &json!(day(0))));
    assert_eq!(summary["impression"]["metrics"], json!({"count": 20, "uniqueUsers": 20}));
    assert_eq!(summary["clicks"][0]["metrics"], json!({"count": 1, "uniqueUsers": 1}));
    assert_eq!(summary["clicks"][1]["metrics"], json!({"count": 20, "uniqueUsers": 20}));
    assert_eq!(summary["clicks"][1]["bounds"], json!({"x": 1250, "y": 0, "width": 1250, "height": 843}));
    let daily = stage.get(&path("daily", &period)).await.ok();
    assert_eq!(daily["clicks"][1]["metrics"], json!([{"date": day(0), "count": 20, "uniqueUsers": 20}]));
    let refusals = [
        ("summary", String::new(), "Bad Request".to_owned()),
        ("summary", format!("from={}&to=x", day(0)), "Bad Request".to_owned()),
        (
            "summary",
            format!("from={}&to={}", day(1), day(0)),
            "Parameter to must be the same date as, or after parameter from.".to_owned(),
        ),
        (
            "summary",
            format!("from={}&to={}", day(0), day(397)),
            "Date range exceeds. Max range is 396 days.".to_owned(),
        ),
        (
            "daily",
            format!("from={}&to={}", day(0), day(100)),
            "Date range exceeds. Max range is 99 days.".to_owned(),
        ),
    ];
    for (kind, period, message) in refusals {
        stage.get(&path(kind, &period)).await.refused(400, &message);
    }
    let old = stage.get(&path("summary", &format!("from={0}&to={0}", day(-1200)))).await;
    assert!(
        old.json()["message"]
            .as_str()
            .unwrap()
            .starts_with("Parameter from must be the same date as, or after 20")
    );
    stage.get(&path("summary", &period).replace(&id, "richmenu-0")).await.refused(404, "Not found");
}

#[tokio::test]
async fn the_log_keeps_the_length_of_a_picture_alone() {
    let stage = Stage::new().await;
    ready(&stage, &[text("a")]).await;
    let calls = stage.items("/requests").await;
    let upload = calls.iter().find(|call| call["path"].as_str().unwrap().ends_with("/content")).unwrap();
    let length: u64 = upload["headers"]["content-length"].as_str().unwrap().parse().unwrap();
    assert_eq!(upload["body"], json!({"bytes": length}));
}

/// Numbers that no menu has are refused like any other, not reckoned with.
#[tokio::test]
async fn absurd_sizes_are_refused() {
    let stage = Stage::new().await;
    let size = json!({"width": i64::MAX, "height": i64::MAX});
    let menu = json!({"size": size, "selected": false, "name": "n", "chatBarText": "t", "areas": []});
    assert_eq!(stage.line("POST", "/v2/bot/richmenu/validate", menu).await.status, 400);
}
