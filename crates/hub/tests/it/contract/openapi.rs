//! The description at `/api/v1/openapi.json`: OpenAPI 3.1, exactly the calls that are served, and the shapes they answer.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::json;
use testkit::Engine;

use super::*;

/// The calls of this version: the contract's rows that are built, and beside them what people do on the pages and programs
/// may do too: read one item, attach a picture, send again, process an event again.
const CALLS: [(&str, &[&str]); 42] = [
    ("/me", &["get"]),
    ("/accounts", &["get", "post"]),
    ("/accounts/{id}", &["delete", "get", "patch"]),
    ("/accounts/{id}/attachments", &["post"]),
    ("/accounts/{id}/copy-settings", &["post"]),
    ("/accounts/{id}/webhook-test", &["post"]),
    ("/contacts", &["get"]),
    ("/contacts/{id}", &["get", "patch"]),
    ("/conversations", &["get"]),
    ("/conversations/{id}", &["get", "patch"]),
    ("/conversations/{id}/messages", &["get", "post"]),
    ("/messages/{id}", &["get"]),
    ("/messages/{id}/content", &["get"]),
    ("/messages/{id}/send-again", &["post"]),
    ("/events", &["get"]),
    ("/events/{id}/replay", &["post"]),
    ("/usage", &["get"]),
    ("/public-url", &["get"]),
    ("/public-url/apply", &["post"]),
    ("/alerts", &["get"]),
    ("/alert-settings", &["get", "put"]),
    ("/alert-settings/test", &["post"]),
    ("/company", &["get", "patch"]),
    ("/accounts/{id}/destinations", &["get", "post"]),
    ("/destinations/{id}", &["delete", "get", "patch"]),
    ("/destinations/{id}/deliveries", &["get"]),
    ("/destinations/{id}/deliveries/{delivery_id}", &["get"]),
    ("/destinations/{id}/parked", &["get"]),
    ("/destinations/{id}/proxy-key", &["delete", "get", "patch", "post"]),
    ("/destinations/{id}/replay", &["post"]),
    ("/destinations/{id}/retry", &["post"]),
    ("/destinations/{id}/skip", &["post"]),
    ("/destinations/{id}/test", &["post"]),
    ("/accounts/{id}/doctor", &["get"]),
    ("/accounts/{id}/liff-repair", &["post"]),
    ("/accounts/{id}/login-test", &["post"]),
    ("/accounts/{id}/webhook", &["post"]),
    ("/signing-keys", &["get", "post"]),
    ("/signing-keys/{id}", &["delete", "get", "patch"]),
    ("/setups", &["get", "post"]),
    ("/setups/{id}", &["delete", "get", "patch"]),
    ("/system/doctor", &["get"]),
];
const METHODS: [&str; 5] = ["delete", "get", "patch", "post", "put"];

/// The description, as read from the hub.
struct Description(Value);

impl Description {
    async fn read(hub: &TestHub) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = http.get(hub.url.join("/api/v1/openapi.json").unwrap()).send().await.unwrap();
        Self(answer.json().await.unwrap())
    }

    fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        paths.flat_map(|(path, item)| {
            let methods =
                item.as_object().unwrap().iter().filter(|(name, _)| METHODS.contains(&name.as_str()));
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let Some(reference) = schema["$ref"].as_str() else { return schema };
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
        self.0.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// What of `value` the schema does not describe, or describes otherwise.
    fn faults(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let schema = self.resolve(schema);
        for several in ["oneOf", "anyOf"] {
            if let Some(options) = schema[several].as_array() {
                let fits = |option: &Value| {
                    let mut found = Vec::new();
                    self.faults(option, value, at, &mut found);
                    found.is_empty()
                };
                if !options.iter().any(fits) {
                    found.push(format!("{at}: {value} fits no option"));
                }
                return;
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.faults(part, value, at, found);
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let fits = kinds.contains(&kind) || kind == "integer" && kinds.contains(&"number");
        if !fits {
            found.push(format!("{at}: {value} is {kind}, not {kinds:?}"));
            return;
        }
        if let (Some(words), false) = (schema["enum"].as_array(), value.is_null())
            && !words.contains(value)
        {
            found.push(format!("{at}: {value} is none of {words:?}"));
        }
        if schema["format"] == "date-time"
            && let Some(text) = value.as_str()
            && !(text.len() == 24 && text.ends_with('Z'))
        {
            found.push(format!("{at}: {text} is no time"));
        }
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            self.faults(&schema["items"], item, &format!("{at}[{n}]"), found);
        }
        let Some(members) = value.as_object() else { return };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                found.push(format!("{at}.{name} is missing"));
            }
        }
        let Some(properties) = schema["properties"].as_object() else {
            for (name, member) in members {
                self.faults(&schema["additionalProperties"], member, &format!("{at}.{name}"), found);
            }
            return;
        };
        for (name, member) in members {
            match properties.get(name) {
                Some(property) => self.faults(property, member, &format!("{at}.{name}"), found),
                None => found.push(format!("{at}.{name} is not described")),
            }
        }
    }

    /// Checks an answer against the described one.
    fn check(&self, method: &Method, template: &str, answer: &Answer) {
        let operation = &self.0["paths"][format!("/api/v1{template}")][method.as_str().to_ascii_lowercase()];
        let status = answer.status.as_u16().to_string();
        let described = &operation["responses"][&status];
        assert!(described.is_object(), "{method} {template} answered {status}, which is not described");
        let described = self.resolve(described);
        let kind = answer.headers["content-type"].to_str().unwrap();
        let schema = &described["content"][kind]["schema"];
        assert!(schema.is_object(), "{method} {template} {status} answered {kind}: {described}");
        let mut found = Vec::new();
        self.faults(schema, &answer.json(), "answer", &mut found);
        assert!(found.is_empty(), "{method} {template} {status}: {found:#?}");
    }
}

#[tokio::test]
async fn the_description_is_openapi_3_1_and_lists_what_is_served() {
    let Some(hub) = TestHub::new().start().await else { return };
    let description = Description::read(&hub).await;
    let document = &description.0;
    assert!(text(&document["openapi"]).starts_with("3.1."), "{}", document["openapi"]);
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());

    let listed: BTreeMap<String, BTreeSet<&str>> =
        description.operations().fold(BTreeMap::new(), |mut listed, (path, method, _)| {
            let path = path.strip_prefix("/api/v1").unwrap_or(path).to_owned();
            listed.entry(path).or_insert_with(BTreeSet::new).insert(method);
            listed
        });
    let expected: BTreeMap<String, BTreeSet<&str>> =
        CALLS.iter().map(|(path, methods)| ((*path).to_owned(), methods.iter().copied().collect())).collect();
    assert_eq!(listed, expected);

    // Every reference leads somewhere.
    let mut references = Vec::new();
    collect(document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        description.resolve(&json!({ "$ref": reference }));
    }
    let mut ids = BTreeSet::new();
    for (path, method, operation) in description.operations() {
        let name = format!("{method} {path}");
        assert!(ids.insert(text(&operation["operationId"])), "{name}: the operation's id is not its own");
        assert!(
            operation["summary"].is_string() || operation["description"].is_string(),
            "{name} is not described"
        );
        assert!(!operation["tags"].as_array().unwrap().is_empty(), "{name}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
        for (status, response) in responses {
            assert!(status == "default" || status.parse::<u16>().is_ok(), "{name} {status}");
            assert!(description.resolve(response)["description"].is_string(), "{name} {status}");
        }
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_path: BTreeSet<String> =
            parameters.iter().filter(|p| p["in"] == "path").map(|p| text(&p["name"])).collect();
        let in_template: BTreeSet<String> =
            path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect();
        assert_eq!(in_path, in_template, "{name}");
        for parameter in &parameters {
            assert!(
                ["path", "query", "header"].contains(&parameter["in"].as_str().unwrap()),
                "{name}: {parameter}"
            );
            assert!(parameter["schema"].is_object(), "{name}: {parameter}");
            assert!(parameter["in"] != "path" || parameter["required"] == true, "{name}: {parameter}");
        }
        if method == "patch" {
            assert!(operation["requestBody"]["content"]["application/json"]["schema"].is_object(), "{name}");
        }
    }
    // CONTRACT 1: every call that changes something takes the key, and says what comes of its misuse.
    for (path, method, operation) in description.operations() {
        let name = format!("{method} {path}");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let key = parameters.iter().find(|parameter| parameter["name"] == "Idempotency-Key");
        assert_eq!(key.is_some(), method != "get", "{name}");
        if let Some(key) = key {
            assert_eq!((&key["in"], &key["required"]), (&json!("header"), &json!(false)), "{name}");
            assert!(operation["responses"]["409"].is_object(), "{name}");
        }
        let has = |status: &str| operation["responses"][status].is_object();
        assert!(has("401") && has("503"), "{name}");
        assert_eq!(has("404"), path.contains('{'), "{name}");
        assert!(!operation["requestBody"].is_object() || has("400") && has("413"), "{name}");
    }
    let at = |call: &str| {
        let (method, path) = call.split_once(' ').unwrap();
        &document["paths"][format!("/api/v1{path}")][method]["responses"]
    };
    for (status, calls) in [
        ("402", &["post /conversations/{id}/messages", "post /messages/{id}/send-again"][..]),
        (
            "502",
            &[
                "patch /accounts/{id}",
                "patch /signing-keys/{id}",
                "post /accounts",
                "post /accounts/{id}/liff-repair",
                "post /accounts/{id}/login-test",
                "post /accounts/{id}/webhook",
                "post /accounts/{id}/webhook-test",
                "post /conversations/{id}/messages",
                "post /messages/{id}/send-again",
            ],
        ),
        ("410", &["get /messages/{id}/content"]),
        ("416", &["get /messages/{id}/content"]),
    ] {
        for call in calls {
            assert!(at(call)[status].is_object(), "{call} does not tell of {status}");
        }
        let told =
            description.operations().filter(|(_, _, call)| call["responses"][status].is_object()).count();
        assert_eq!(told, calls.len(), "{status} is told of where it cannot come");
    }
    let states = &document["components"]["schemas"]["ConsumerState"];
    let told = text(&states["description"]);
    assert!(["`pending`", "`done`", "`parked`"].iter().all(|state| told.contains(state)), "{told}");
    let states: Vec<String> = match &states["enum"] {
        Value::Array(words) => words.iter().map(text).collect(),
        _ => states["oneOf"].as_array().unwrap().iter().map(|one| text(&one["const"])).collect(),
    };
    assert_eq!(states, ["pending", "done", "parked"]);
    // A key is asked for everywhere.
    let scheme = document["security"][0].as_object().unwrap().keys().next().unwrap();
    assert_eq!(document["components"]["securitySchemes"][scheme]["scheme"], "bearer");

    // What is described is served, and nothing else at the same addresses.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, methods) in &expected {
        let address = hub.url.join(&format!("/api/v1{}", path.replace("{id}", "acc_x"))).unwrap();
        for method in METHODS {
            let name = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            let status = http.request(name, address.clone()).send().await.unwrap().status();
            let expected = if methods.contains(method) { 401 } else { 405 };
            assert_eq!(status, expected, "{method} {path}");
        }
    }
    // The readable page names every call.
    let page = http.get(hub.url.join("/api/v1/docs").unwrap()).send().await.unwrap().text().await.unwrap();
    for (path, method, _) in description.operations() {
        assert!(page.contains(&format!("{} {path}", method.to_ascii_uppercase())), "{method} {path}");
    }
    assert!(!page.contains("<script"));
    // Its frame speaks the reader's language.
    for (language, word) in
        [("zh-TW", "資料格式"), ("en", "Bodies"), ("ja", "データの形式"), ("th", "รูปแบบข้อมูล")]
    {
        let asked = http.get(hub.url.join("/api/v1/docs").unwrap()).header("accept-language", language);
        let page = asked.send().await.unwrap().text().await.unwrap();
        assert!(page.contains(&format!("<h2>{word}</h2>")), "{language}");
    }
    hub.close().await;
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" => references.push(text.clone()),
                    other => collect(other, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

// Each answer has the described members, all of them and no others.
#[tokio::test]
async fn answers_have_the_described_shapes() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let api = shop.hub.api();
    let description = Description::read(&shop.hub).await;
    let regret = shop.friend.says(&shop.account, "a secret").await;
    shop.friend.unsends(&shop.account, &regret).await;
    let pixel =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    shop.friend.sends(&shop.account, json!({ "type": "image", "contentBase64": pixel })).await;
    let group =
        json!({ "name": "茶友", "channelId": shop.account.channel_id, "members": [shop.friend.user] });
    shop.hub.control.post("/groups", group).await;
    shop.hub.settle().await;
    let _ = shop.sends(json!({ "messages": [says("sent")] })).await.expect(202);
    shop.hub.settle().await;
    let contact = text(&shop.get("/contacts").await["items"][0]["id"]);
    let message = text(&shop.line("sent").await["id"]);
    let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
    for (template, id) in [
        ("/me", ""),
        ("/accounts", ""),
        ("/accounts/{id}", shop.account.id.as_str()),
        ("/contacts", ""),
        ("/contacts/{id}", &contact),
        ("/conversations", ""),
        ("/conversations/{id}", &shop.conversation),
        ("/conversations/{id}/messages", &shop.conversation),
        ("/messages/{id}", &message),
        ("/events", ""),
        ("/usage", ""),
    ] {
        description.check(&get, template, &api.get(&template.replace("{id}", id)).await);
    }
    let sent = shop.sends(json!({ "messages": [says("more")], "max_cost": 5 })).await;
    description.check(&post, "/conversations/{id}/messages", &sent);
    let refused = shop.sends(json!({ "messages": [] })).await;
    description.check(&post, "/conversations/{id}/messages", &refused);
    // What is refused is described as well. The reply tokens are dead by now.
    shop.hub.advance(std::time::Duration::from_secs(120));
    let unpaid = shop.sends(json!({ "messages": [says("no")], "allow_paid": true, "max_cost": 0 })).await;
    assert_eq!(unpaid.status, 402);
    description.check(&post, "/conversations/{id}/messages", &unpaid);
    let early = api.post(&format!("/messages/{message}/send-again"), json!({ "allow_paid": true })).await;
    assert_eq!(early.status, 409);
    description.check(&post, "/messages/{id}/send-again", &early);
    let nobody = api.get("/contacts/con_01ARZ3NDEKTSV4RRFFQ69G5FAV").await;
    assert_eq!(nobody.status, 404);
    description.check(&get, "/contacts/{id}", &nobody);
    let wrong = json!({ "channel_id": shop.account.channel_id, "channel_secret": "0".repeat(32) });
    description.check(&post, "/accounts", &api.post("/accounts", wrong).await);
    shop.hub.control.post("/faults", json!({ "on": "api", "kind": "status", "status": 500 })).await;
    let silent = api.post(&format!("/accounts/{}/webhook-test", shop.account.id), json!({})).await;
    assert_eq!(silent.status, 502);
    description.check(&post, "/accounts/{id}/webhook-test", &silent);
    shop.hub.control.delete("/faults").await;
    let changed =
        api.patch(&format!("/conversations/{}", shop.conversation), json!({ "state": "closed" })).await;
    description.check(&patch, "/conversations/{id}", &changed);
    let changed = api.patch(&format!("/contacts/{contact}"), json!({ "attributes": { "size": "L" } })).await;
    description.check(&patch, "/contacts/{id}", &changed);
    let changed =
        api.patch(&format!("/accounts/{}", shop.account.id), json!({ "environment": "live" })).await;
    description.check(&patch, "/accounts/{id}", &changed);
    let tested = api.post(&format!("/accounts/{}/webhook-test", shop.account.id), json!({})).await;
    description.check(&post, "/accounts/{id}/webhook-test", &tested);
    let cleaned = api.delete(&format!("/accounts/{}?clean_up=webhook", shop.account.id)).await;
    description.check(&Method::DELETE, "/accounts/{id}", &cleaned);
    let channel = shop.hub.channel("Another OA").await;
    let new = json!({ "channel_id": channel["channelId"], "channel_secret": channel["channelSecret"] });
    description.check(&post, "/accounts", &api.post("/accounts", new).await);
    shop.hub.settle().await;
    shop.hub.close().await;
}
