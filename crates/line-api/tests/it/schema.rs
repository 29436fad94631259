//! LINE's schema as a checker, and this crate's samples against it.

use line_api::schema::{Operation, Schema};
use serde_json::{Value, json};

use super::samples;

const USER: &str = samples::USER;

#[test]
fn every_sample_event_fits_the_schema() {
    let Some(schema) = Schema::load() else { return };
    for (name, event) in samples::events() {
        let body = json!({"destination": USER, "events": [event]});
        assert_eq!(schema.check_webhook(&body), Ok(()), "{name}");
    }
    let published: Value = serde_json::from_str(samples::PUBLISHED).unwrap();
    assert_eq!(schema.check_webhook(&published), Ok(()));
    assert_eq!(schema.check_webhook(&json!({"destination": USER, "events": []})), Ok(()));
}

#[test]
fn webhooks_that_do_not_fit_are_refused() {
    let Some(schema) = Schema::load() else { return };
    let refused =
        |event: Value| schema.check_webhook(&json!({"destination": USER, "events": [event]})).unwrap_err();
    let without = |name: &str| {
        let mut event = samples::text_event("x");
        event.as_object_mut().unwrap().remove(name);
        event
    };
    for name in ["mode", "timestamp", "webhookEventId", "deliveryContext", "message"] {
        assert!(refused(without(name)).contains(&format!("no `{name}`")));
    }
    assert!(refused(samples::event("hologram", json!({}))).contains("unknown type hologram"));
    assert!(
        refused(samples::message_event(json!({"type": "text", "id": "1", "text": "x"})))
            .contains("no `quoteToken`")
    );
    assert!(
        refused(samples::message_event(json!({"type": "text", "id": 1, "text": "x"}))).contains("no string")
    );
    assert!(refused(samples::event("messageEdited", json!({}))).contains("no `message`"));
    assert!(schema.check_webhook(&json!({"destination": "U1", "events": []})).is_err());
}

#[test]
fn operations_tell_the_statuses_that_the_file_lists() {
    let Some(schema) = Schema::load() else { return };
    assert_eq!(schema.statuses("POST", "/v2/bot/message/push"), [200, 400, 403, 409, 429]);
    assert!(schema.statuses("POST", "/v2/bot/message/everyone").is_empty());
}

/// PLATFORM, appendix A.
#[test]
fn operations_are_those_of_the_files() {
    let Some(schema) = Schema::load() else { return };
    let operations = schema.operations();
    let count = |file: &str| operations.iter().filter(|operation| operation.file == file).count();
    assert_eq!(count("messaging-api"), 73);
    assert_eq!(count("channel-access-token"), 8);
    assert_eq!(count("manage-audience"), 12);
    assert_eq!(count("insight"), 7);
    assert_eq!(count("liff"), 4);
    assert_eq!(count("webhook"), 0);
    assert!(operations.contains(&Operation {
        method: "GET".into(),
        path_template: "/v2/bot/profile/{userId}".into(),
        operation_id: "getProfile".into(),
        file: "messaging-api".into(),
    }));
    assert!(operations.iter().all(|operation| !operation.operation_id.is_empty()));
}

#[test]
fn requests() {
    let Some(schema) = Schema::load() else { return };
    let push = "/v2/bot/message/push";
    let body = json!({"to": USER, "messages": [{"type": "text", "text": "x"}]});
    assert_eq!(schema.check_request("POST", push, &body), Ok(()));
    assert!(schema.check_request("POST", push, &json!({"messages": []})).is_err());
    assert!(
        schema.check_request("POST", push, &json!({"to": USER, "messages": [{"type": "hologram"}]})).is_err()
    );
    assert!(schema.check_request("POST", push, &Value::Null).is_err());
    assert!(schema.check_request("GET", push, &Value::Null).is_err());
    assert_eq!(schema.check_request("GET", "/v2/bot/info", &Value::Null), Ok(()));
    assert!(schema.check_request("GET", "/v2/bot/info", &json!({})).is_err());
    assert_eq!(schema.check_request("POST", "/v2/bot/channel/webhook/test", &Value::Null), Ok(()));
    assert_eq!(schema.check_request("GET", "/v2/bot/followers/ids?limit=3", &Value::Null), Ok(()));
    let token = json!({"grant_type": "client_credentials", "client_id": "1234567890", "client_secret": "s"});
    assert_eq!(schema.check_request("POST", "/oauth2/v3/token", &token), Ok(()));
    assert!(schema.check_request("POST", "/oauth2/v3/token", &json!({"grant_type": "x"})).is_err());
}

#[test]
fn answers() {
    let Some(schema) = Schema::load() else { return };
    let push = "/v2/bot/message/push";
    let sent = json!({"sentMessages": [{"id": "461230966842064897", "quoteToken": "q"}]});
    assert_eq!(schema.check_response("POST", push, 200, &sent), Ok(()));
    assert!(schema.check_response("POST", push, 200, &json!({"sentMessages": [{"id": 1}]})).is_err());
    assert!(schema.check_response("POST", push, 201, &sent).is_err());
    let refusal =
        json!({"message": "The request body has 1 error(s)", "details": [{"message": "May not be empty"}]});
    assert_eq!(schema.check_response("POST", push, 400, &refusal), Ok(()));
    assert_eq!(schema.check_response("POST", push, 401, &refusal), Ok(()));
    assert!(schema.check_response("POST", push, 401, &json!({"error": "x"})).is_err());
    assert_eq!(schema.check_response("PUT", "/v2/bot/channel/webhook/endpoint", 200, &json!({})), Ok(()));
    assert!(schema.check_response("PUT", "/v2/bot/channel/webhook/endpoint", 200, &json!({"x": 1})).is_err());
    let info = json!({"userId": USER, "basicId": "@a", "displayName": "a", "chatMode": "bot",
        "markAsReadMode": "auto"});
    assert_eq!(schema.check_response("GET", "/v2/bot/info", 200, &info), Ok(()));
    assert_eq!(
        schema.check_response("POST", "/oauth2/v3/token", 400, &json!({"error": "invalid_client"})),
        Ok(())
    );
    let content = "/v2/bot/message/1/content";
    assert_eq!(schema.check_response("GET", content, 200, &Value::Null), Ok(()));
}
