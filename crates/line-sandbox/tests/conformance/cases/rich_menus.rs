//! Rich menus (PLATFORM 10) and their figures (PLATFORM 12).

use serde_json::{Value, json};

use super::{Calls, Check, NO_MENU, NOBODY, calls};
use crate::stage::{Answer, Stage};

const DEFAULT: &str = "/v2/bot/user/all/richmenu";
const ALIAS: &str = "/v2/bot/richmenu/alias";

pub(super) async fn run() -> Calls {
    let stage = Stage::lasting().await;
    let (shown, bare) = menus(&stage).await;
    aliases(&stage, &shown, &bare).await;
    links(&stage, &shown, &bare).await;
    many(&stage, &shown, &bare).await;
    figures(&stage, &shown).await;
    stage.line("DELETE", &format!("/v2/bot/richmenu/{bare}"), Value::Null).await.is(200);
    stage.line("DELETE", &format!("/v2/bot/richmenu/{NO_MENU}"), Value::Null).await.says(404, "Not found");
    calls(&stage).await
}

fn menu() -> Value {
    let area = json!({"bounds": {"x": 0, "y": 0, "width": 2500, "height": 843}, "action": {"type": "message", "text": "hi"}});
    json!({"size": {"width": 2500, "height": 843}, "selected": true, "name": "main", "chatBarText": "選單", "areas": [area]})
}

/// PLATFORM 5: several rich menu errors show an empty `details`.
fn bare_refusal(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.is(status), json!({"message": message, "details": []}));
}

/// Makes a menu with an image and one without.
async fn menus(stage: &Stage) -> (String, String) {
    let mut made = Vec::new();
    for _ in 0..2 {
        let answer = stage.line("POST", "/v2/bot/richmenu", menu()).await.is(200);
        made.push(answer["richMenuId"].as_str().unwrap().to_owned());
    }
    let nameless =
        json!({"size": {"width": 2500, "height": 843}, "selected": true, "chatBarText": "x", "areas": []});
    for path in ["/v2/bot/richmenu", "/v2/bot/richmenu/validate"] {
        stage.line("POST", path, nameless.clone()).await.finds("name", "must be specified");
    }
    stage.line("POST", "/v2/bot/richmenu/validate", menu()).await.is(200);
    let (shown, bare) = (made.remove(0), made.remove(0));
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    png.extend(2500_u32.to_be_bytes());
    png.extend(843_u32.to_be_bytes());
    let upload = async |id: &str, kind: &str, bytes: &[u8]| {
        let request =
            stage.request("POST", &format!("/v2/bot/richmenu/{id}/content")).bearer_auth(&stage.token);
        stage.send(request.header("content-type", kind).body(bytes.to_vec())).await.unwrap()
    };
    upload(&shown, "image/gif", &png).await.is(415);
    upload(&shown, "image/png", &png[..16]).await.is(400);
    assert_eq!(upload(&shown, "image/png", &png).await.is(200), json!({}));
    let again = "An image has already been uploaded to the richmenu";
    assert_eq!(upload(&shown, "image/png", &png).await.is(400)["message"], again);
    upload(NO_MENU, "image/png", &png).await.is(404);
    let image = stage.get(&format!("/v2/bot/richmenu/{shown}/content")).await;
    assert_eq!((image.status, image.header("content-type"), &image.bytes[..]), (200, "image/png", &png[..]));
    stage.get(&format!("/v2/bot/richmenu/{bare}/content")).await.says(404, "Not found");
    assert_eq!(stage.get(&format!("/v2/bot/richmenu/{shown}")).await.is(200)["richMenuId"], json!(shown));
    stage.get(&format!("/v2/bot/richmenu/{NO_MENU}")).await.says(404, "Not found");
    let listed = stage.get("/v2/bot/richmenu/list").await.is(200);
    assert_eq!(listed["richmenus"].as_array().map(Vec::len), Some(2));
    (shown, bare)
}

async fn aliases(stage: &Stage, shown: &str, bare: &str) {
    let create = async |name: &str, id: &str| {
        stage.line("POST", ALIAS, json!({"richMenuAliasId": name, "richMenuId": id})).await
    };
    assert_eq!(create("first", shown).await.is(200), json!({}));
    bare_refusal(&create("first", shown).await, 400, "conflict richmenu alias id");
    bare_refusal(&create("second", bare).await, 400, "richmenu not found");
    let first = json!({"richMenuAliasId": "first", "richMenuId": shown});
    assert_eq!(stage.get(&format!("{ALIAS}/first")).await.is(200), first);
    assert_eq!(stage.get(&format!("{ALIAS}/list")).await.is(200), json!({"aliases": [first]}));
    let update = async |name: &str, id: &str| {
        stage.line("POST", &format!("{ALIAS}/{name}"), json!({"richMenuId": id})).await
    };
    update("first", shown).await.is(200);
    update("first", NO_MENU).await.is(400);
    update("none", shown).await.is(404);
    bare_refusal(&stage.get(&format!("{ALIAS}/none")).await, 404, "richmenu alias not found");
    stage.line("DELETE", &format!("{ALIAS}/first"), Value::Null).await.is(200);
    let gone = stage.line("DELETE", &format!("{ALIAS}/first"), Value::Null).await;
    bare_refusal(&gone, 404, "richmenu alias not found");
}

async fn links(stage: &Stage, shown: &str, bare: &str) {
    bare_refusal(&stage.get(DEFAULT).await, 404, "no default richmenu");
    let default = async |id: &str| stage.line("POST", &format!("{DEFAULT}/{id}"), Value::Null).await;
    bare_refusal(&default(bare).await, 400, "must upload richmenu image before applying it to user");
    default(NO_MENU).await.says(404, "Not found");
    default(shown).await.is(200);
    assert_eq!(stage.get(DEFAULT).await.is(200), json!({"richMenuId": shown}));
    assert_eq!(stage.line("DELETE", DEFAULT, Value::Null).await.is(200), json!({}));
    let managers = json!({"menu": menu(), "contentBase64": "iVBORw0KGgoAAAANSUhEUgAACcQAAANL"});
    stage.control("PUT", &format!("/channels/{}/manager-rich-menu", stage.channel), managers).await.ok();
    bare_refusal(&stage.get(DEFAULT).await, 403, "the richmenu is owned by another channel");
    let of = |user: &str| format!("/v2/bot/user/{user}/richmenu");
    let mine = of(&stage.user_id);
    bare_refusal(&stage.get(&mine).await, 404, "the user has no richmenu");
    let link =
        async |user: &str, id: &str| stage.line("POST", &format!("{}/{id}", of(user)), Value::Null).await;
    link(&stage.user_id, shown).await.is(200);
    link("me", shown).await.is(400);
    link(&stage.user_id, bare).await.is(400);
    link(&stage.user_id, NO_MENU).await.is(404);
    assert_eq!(stage.get(&mine).await.is(200), json!({"richMenuId": shown}));
    stage.get(&of("me")).await.is(400);
    stage.line("DELETE", &mine, Value::Null).await.is(200);
    stage.line("DELETE", &of("me"), Value::Null).await.is(400);
    stage.get(&of(NOBODY)).await.is(404);
}

async fn many(stage: &Stage, shown: &str, bare: &str) {
    let post =
        async |path: &str, body: Value| stage.line("POST", &format!("/v2/bot/richmenu/{path}"), body).await;
    let bad = "The property, 'userIds[0]', in the request body is invalid (line: -, column: -)";
    let link =
        async |id: &str, users: &[&str]| post("bulk/link", json!({"richMenuId": id, "userIds": users})).await;
    assert_eq!(link(shown, &[&stage.user_id]).await.is(202), json!({}));
    link(shown, &["me"]).await.says(400, bad);
    bare_refusal(&link(NO_MENU, &[&stage.user_id]).await, 404, "richmenu not found");
    assert_eq!(post("bulk/unlink", json!({"userIds": [stage.user_id]})).await.is(202), json!({}));
    post("bulk/unlink", json!({"userIds": ["me"]})).await.says(400, bad);
    let batch = |from: &str, to: &str| json!({"operations": [{"type": "link", "from": from, "to": to}]});
    for (path, success) in [("validate/batch", 200), ("batch", 202)] {
        post(path, batch(bare, bare)).await.is(400);
        post(path, batch(NO_MENU, shown)).await.is(404);
        assert_eq!(post(path, batch(bare, shown)).await.is(success), json!({}));
    }
    let progress =
        async |id: &str| stage.get(&format!("/v2/bot/richmenu/progress/batch?requestId={id}")).await;
    progress("").await.says(400, "The value for the 'requestId' parameter is invalid");
    progress("123e4567-e89b-12d3-a456-426614174000").await.says(404, "Not found");
    // Three an hour are allowed; those above were as many.
    stage.advance(3_600_000).await;
    let id = post("batch", batch(bare, shown)).await.header("x-line-request-id").to_owned();
    stage.advance(10_000).await;
    assert_eq!(progress(&id).await.is(200)["phase"], "succeeded");
}

async fn figures(stage: &Stage, shown: &str) {
    for (part, days) in [("summary", 396), ("daily", 99)] {
        let get = async |id: &str, from: &str, to: &str| {
            stage.get(&format!("/v2/bot/insight/richmenu/{id}/{part}?from={from}&to={to}")).await
        };
        assert_eq!(
            get(shown, &stage.date(-10).await, &stage.date(-1).await).await.is(200)["richMenuId"],
            json!(shown)
        );
        get(shown, &stage.date(-1).await, &stage.date(-2).await)
            .await
            .says(400, "Parameter to must be the same date as, or after parameter from.");
        let range = format!("Date range exceeds. Max range is {days} days.");
        get(shown, &stage.date(-500).await, &stage.date(-1).await).await.says(400, &range);
        get(NO_MENU, &stage.date(-10).await, &stage.date(-1).await).await.is(404);
    }
}
