//! Audiences (PLATFORM 11).

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{Calls, Check, calls, text};
use crate::stage::{Answer, Stage};

const GROUP: &str = "/v2/bot/audienceGroup";

pub(super) async fn run() -> Calls {
    let stage = Stage::lasting().await;
    abroad(&stage).await;
    let id = by_json(&stage).await;
    by_file(&stage, &id).await;
    by_reaction(&stage).await;
    reads(&stage, &id).await;
    calls(&stage).await
}

/// PLATFORM 11: a code stands where other errors have a text.
fn refused(answer: &Answer, code: &str) {
    assert_eq!(answer.is(400)["details"][0]["message"], code);
}

/// Only for accounts of Japan, Taiwan and Thailand.
async fn abroad(stage: &Stage) {
    let body = json!({"providerId": stage.provider, "type": "messaging", "name": "Far", "country": "ID"});
    let far = stage.control("POST", "/channels", body).await.ok();
    let id = far["channelId"].as_str().unwrap();
    let token = stage.stateless_token(id, far["channelSecret"].as_str().unwrap()).await.is(200);
    let token = token["access_token"].as_str().unwrap();
    let body = json!({"description": "x", "audiences": []});
    let request = stage.request("POST", &format!("{GROUP}/upload")).bearer_auth(token).json(&body);
    stage.send(request).await.unwrap().says(403, "Access to this API is not available for your account");
    let request = stage.request("GET", &format!("{GROUP}/list?page=1")).bearer_auth(token);
    stage.send(request).await.unwrap().is(403);
}

async fn by_json(stage: &Stage) -> String {
    let upload = async |body: Value| stage.line("POST", &format!("{GROUP}/upload"), body).await;
    let audiences = json!([{"id": stage.user_id}]);
    let made = upload(json!({"description": "Tea", "audiences": audiences})).await.is(202);
    let id = made["audienceGroupId"].to_string();
    assert_eq!(
        (id.len(), &made["type"], &made["createRoute"]),
        (13, &json!("UPLOAD"), &json!("MESSAGING_API"))
    );
    let long = upload(json!({"description": "x".repeat(121), "audiences": audiences})).await;
    refused(&long, "AUDIENCE_GROUP_NAME_SIZE_OVER");
    let odd = upload(json!({"description": "odd", "audiences": [{"id": "me"}]})).await;
    refused(&odd, "UPLOAD_AUDIENCE_GROUP_INVALID_AUDIENCE_ID_FORMAT");
    let add = async |id: &str| {
        let body = json!({"audienceGroupId": id.parse::<u64>().unwrap(), "audiences": audiences});
        stage.line("PUT", &format!("{GROUP}/upload"), body).await
    };
    assert_eq!(add(&id).await.is(202), json!({}));
    refused(&add("1").await, "AUDIENCE_GROUP_NOT_FOUND");
    id
}

async fn by_file(stage: &Stage, id: &str) {
    let send = async |method: &str, name: &str, value: &str, kind: &str| {
        let file = Part::text(stage.user_id.clone()).file_name("ids.txt").mime_str(kind).unwrap();
        let form = Form::new().text(name.to_owned(), value.to_owned()).part("file", file);
        let request = stage.request(method, &format!("{GROUP}/upload/byFile")).bearer_auth(&stage.token);
        stage.send(request.multipart(form)).await.unwrap()
    };
    assert_eq!(send("POST", "description", "By file", "text/plain").await.is(202)["description"], "By file");
    send("POST", "description", "By picture", "image/png").await.is(415);
    refused(
        &send("POST", "description", &"x".repeat(121), "text/plain").await,
        "AUDIENCE_GROUP_NAME_SIZE_OVER",
    );
    assert_eq!(send("PUT", "audienceGroupId", id, "text/plain").await.is(202), json!({}));
    send("PUT", "audienceGroupId", id, "image/png").await.is(415);
    refused(&send("PUT", "audienceGroupId", "1", "text/plain").await, "AUDIENCE_GROUP_NOT_FOUND");
}

async fn by_reaction(stage: &Stage) {
    // 50 people at least must have got the message.
    let friends = stage.friends(50, |_| json!({})).await;
    assert_eq!(friends.len(), 50);
    let sent = stage
        .line("POST", "/v2/bot/message/broadcast", json!({"messages": text("look https://a.example/")}))
        .await;
    let request = sent.header("x-line-request-id");
    for kind in ["click", "imp"] {
        let make = async |request: &str| {
            stage
                .line(
                    "POST",
                    &format!("{GROUP}/{kind}"),
                    json!({"description": format!("{kind} {request}"), "requestId": request}),
                )
                .await
        };
        let made = make(request).await.is(202);
        assert_eq!((&made["requestId"], &made["type"]), (&json!(request), &json!(kind.to_uppercase())));
        refused(&make("123e4567-e89b-12d3-a456-426614174000").await, "REQUEST_NOT_FOUND");
    }
}

async fn reads(stage: &Stage, id: &str) {
    stage.advance(60_000).await;
    let shown = stage.get(&format!("{GROUP}/{id}")).await.is(200);
    assert_eq!(
        (&shown["audienceGroup"]["status"], &shown["audienceGroup"]["audienceCount"]),
        (&json!("READY"), &json!(1))
    );
    refused(&stage.get(&format!("{GROUP}/1")).await, "AUDIENCE_GROUP_NOT_FOUND");
    assert_eq!(stage.get(&format!("{GROUP}/list?page=1")).await.is(200)["totalCount"], 4);
    refused(&stage.get(&format!("{GROUP}/list?page=1&size=41")).await, "TOO_HIGH");
    stage.get(&format!("{GROUP}/list")).await.is(400);
    // Nobody else shares any; an owner sees its own when it asks.
    let shared = async |query: &str| stage.get(&format!("{GROUP}/shared/list?page=1{query}")).await.is(200);
    assert_eq!(shared("").await["audienceGroups"], json!([]));
    assert_eq!(shared("&includesOwnedAudienceGroups=true").await["totalCount"], 4);
    let own = stage.get(&format!("{GROUP}/shared/{id}")).await.is(200);
    assert_eq!(
        (&own["audienceGroup"]["description"], &own["owner"]["name"]),
        (&json!("Tea"), &json!("茶店"))
    );
    refused(&stage.get(&format!("{GROUP}/shared/1")).await, "AUDIENCE_GROUP_NOT_FOUND");
    let rename = async |id: &str, name: &str| {
        stage.line("PUT", &format!("{GROUP}/{id}/updateDescription"), json!({"description": name})).await
    };
    assert_eq!(rename(id, "Renamed").await.is(200), json!({}));
    refused(&rename(id, &"x".repeat(121)).await, "AUDIENCE_GROUP_NAME_SIZE_OVER");
    refused(&rename("1", "x").await, "AUDIENCE_GROUP_NOT_FOUND");
    let delete = async |id: &str| stage.line("DELETE", &format!("{GROUP}/{id}"), Value::Null).await;
    assert_eq!(delete(id).await.is(202), json!({}));
    refused(&delete(id).await, "AUDIENCE_GROUP_NOT_FOUND");
}
