//! What holds for every operation alike: tokens, JSON, limits by the hour (PLATFORM 5).

use line_api::schema::{Operation, Schema};
use serde_json::json;

use super::{Calls, Check, NO_GROUP, NO_MENU, NO_ROOM, NOBODY, calls};
use crate::stage::{Answer, Stage};

/// Operations that take a file.
const FILES: [&str; 3] = ["setRichMenuImage", "createAudienceForUploadingUserIds", "addUserIdsToAudience"];
/// Files whose operations take no access token of an account.
const OTHER_TOKENS: [&str; 4] = ["channel-access-token", "liff", "module", "module-attach"];

/// Calls by the minute or hour: method, path, how many.
const LIMITS: [(&str, &str, usize); 25] = [
    ("POST", "/v2/bot/message/narrowcast", 60),
    ("POST", "/v2/bot/message/broadcast", 60),
    ("GET", "/v2/bot/insight/message/delivery", 60),
    ("GET", "/v2/bot/insight/followers", 60),
    ("GET", "/v2/bot/insight/demographic", 60),
    ("GET", "/v2/bot/insight/message/event", 60),
    ("GET", "/v2/bot/insight/message/event/aggregation", 60),
    ("GET", "/v2/bot/insight/richmenu/{richMenuId}/summary", 60),
    ("GET", "/v2/bot/insight/richmenu/{richMenuId}/daily", 60),
    ("POST", "/v2/bot/channel/webhook/test", 60),
    ("POST", "/v2/bot/audienceGroup/upload", 60),
    ("PUT", "/v2/bot/audienceGroup/upload", 60),
    ("POST", "/v2/bot/audienceGroup/click", 60),
    ("POST", "/v2/bot/audienceGroup/imp", 60),
    ("PUT", "/v2/bot/audienceGroup/{audienceGroupId}/updateDescription", 60),
    ("DELETE", "/v2/bot/audienceGroup/{audienceGroupId}", 60),
    ("GET", "/v2/bot/audienceGroup/{audienceGroupId}", 60),
    ("GET", "/v2/bot/audienceGroup/list", 60),
    ("GET", "/v2/bot/audienceGroup/shared/{audienceGroupId}", 60),
    ("GET", "/v2/bot/audienceGroup/shared/list", 60),
    ("POST", "/v2/bot/richmenu", 100),
    ("DELETE", "/v2/bot/richmenu/{richMenuId}", 100),
    ("DELETE", "/v2/bot/richmenu/alias/{richMenuAliasId}", 100),
    ("GET", "/v2/bot/richmenu/progress/batch", 100),
    ("POST", "/v2/bot/richmenu/batch", 3),
];

pub(super) async fn run() -> Calls {
    let stage = Stage::new().await;
    let Some(schema) = stage.schema.clone() else { return Calls::default() };
    for operation in schema.operations() {
        if OTHER_TOKENS.contains(&operation.file.as_str()) {
            continue;
        }
        refuses_strangers(&stage, &operation).await;
        if takes_json(&schema, &operation) {
            refuses_what_is_no_json(&stage, &operation).await;
        }
    }
    // On a stage of its own: the buckets empty.
    let tired = Stage::new().await;
    for (method, template, count) in LIMITS {
        slows_down(&tired, method, &filled(template), count).await;
    }
    ([calls(&stage).await.0, calls(&tired).await.0].concat(), Vec::new())
}

/// A path with well-formed values in the places of its names.
pub(super) fn filled(template: &str) -> String {
    let values = [
        ("{userId}", NOBODY),
        ("{groupId}", NO_GROUP),
        ("{roomId}", NO_ROOM),
        ("{richMenuId}", NO_MENU),
        ("{richMenuAliasId}", "nothing"),
        ("{messageId}", "1"),
        ("{audienceGroupId}", "1"),
        ("{membershipId}", "1"),
        ("{couponId}", "01JYNW8JMQVFBNWF1APF8Z3FS7"),
        ("{chatId}", NOBODY),
        ("{liffId}", "1234567890-AbcdEfgh"),
    ];
    values.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value))
}

fn takes_json(schema: &Schema, operation: &Operation) -> bool {
    let path = filled(&operation.path_template);
    let refused = schema.check_request(&operation.method, &path, &json!(1));
    !FILES.contains(&operation.operation_id.as_str())
        && refused.is_err_and(|why| !why.ends_with("takes no body"))
}

async fn call(
    stage: &Stage,
    operation: &Operation,
    token: Option<&str>,
    body: Option<(&str, &str)>,
) -> Answer {
    let mut request = stage.request(&operation.method, &filled(&operation.path_template));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let (kind, body) = body.unwrap_or(("application/json", ""));
    if operation.method != "GET" {
        request =
            request.header("content-type", kind).header("content-length", body.len()).body(body.to_owned());
    }
    stage.send(request).await.unwrap()
}

async fn refuses_strangers(stage: &Stage, operation: &Operation) {
    let what = &operation.operation_id;
    let without = call(stage, operation, None, None).await.is(401);
    let scheme =
        "Authorization header required. Must follow the scheme, 'Authorization: Bearer <ACCESS TOKEN>'";
    assert_eq!(without["message"], scheme, "{what}");
    let with = call(stage, operation, Some("false"), None).await.is(401);
    let message = with["message"].as_str().unwrap();
    assert!(
        message.ends_with("Confirm that the access token in the authorization header is valid."),
        "{what} {message}"
    );
}

async fn refuses_what_is_no_json(stage: &Stage, operation: &Operation) {
    let token = Some(stage.token.as_str());
    let json = "application/json";
    call(stage, operation, token, Some(("text/plain", "{}")))
        .await
        .says(415, "The content type, text/plain, is not supported");
    call(stage, operation, token, Some((json, "{\n\"to\":")))
        .await
        .says(400, "The request body could not be parsed as JSON (line: 2, column: 5)");
    call(stage, operation, token, Some((json, "[]"))).await.is(400);
    // 2 MB, announced and not.
    let large = " ".repeat(2 * 1024 * 1024 + 1);
    call(stage, operation, token, Some((json, &large))).await.is(413);
}

/// After `count` calls the next is too many. On a slow machine some come back meanwhile.
async fn slows_down(stage: &Stage, method: &str, path: &str, count: usize) {
    for turn in 0..2 * count {
        let answer = stage.line(method, path, json!({})).await;
        if answer.status == 429 {
            assert!(turn >= count, "{method} {path} at {turn}");
            return answer.says(429, "The API rate limit has been exceeded. Try again later.");
        }
    }
    panic!("{method} {path} takes more than {count}");
}
