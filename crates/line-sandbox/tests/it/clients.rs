//! LINE's SDKs in Go, Java, Ruby and PHP, as they speak on the wire (PLATFORM 27): the bytes of each are written here by hand from the
//! sources of the SDK and of the HTTP client it stands on, since they cannot be run here. Python's and Node's run in `tests/conformance`.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stage::Stage;

const BOUNDARY: &str = "7f1b3bc1d4d84d1f9c0c";

/// How one SDK writes its requests.
struct Client {
    name: &'static str,
    /// Headers on each request.
    always: &'static [(&'static str, &'static str)],
    /// The type of a JSON body.
    json: &'static str,
    /// Headers where a body might be and is not.
    bodyless: &'static [(&'static str, &'static str)],
    /// The fields of a multipart form: headers beside the name.
    field: &'static str,
    /// Whether those fields are JSON.
    quoted: bool,
    /// The file of a multipart form: its disposition and further headers.
    file: &'static str,
    /// A picture is sent in chunks, its length unsaid.
    chunked: bool,
    /// How a query says yes.
    yes: &'static str,
}

/// `net/http`: a form file has no type of its own, an `os.File` as a body is sent in chunks.
const GO: Client = Client {
    name: "Go",
    always: &[("User-Agent", "LINE-BotSDK-Go/8.20.0"), ("Accept-Encoding", "gzip")],
    json: "application/json; charset=UTF-8",
    bodyless: &[("Content-Length", "0")],
    field: "",
    quoted: false,
    file: "form-data; name=\"file\"; filename=\"ids.txt\"\r\nContent-Type: application/octet-stream",
    chunked: true,
    yes: "true",
};

/// OkHttp under Retrofit: form fields go through Jackson, so that texts stand in quotes.
const JAVA: Client = Client {
    name: "Java",
    always: &[
        ("User-Agent", "line-botsdk-java/10.0.0"),
        ("Connection", "Keep-Alive"),
        ("Accept-Encoding", "gzip"),
    ],
    json: "application/json; charset=UTF-8",
    bodyless: &[("Content-Length", "0")],
    field: "\r\nContent-Transfer-Encoding: binary\r\nContent-Type: application/json; charset=UTF-8",
    quoted: true,
    file: "form-data; name=\"file\"; filename=\"file\"\r\nContent-Transfer-Encoding: binary\r\nContent-Type: text/plain",
    chunked: false,
    yes: "true",
};

/// Net::HTTP: a POST without a body is a form of no fields.
const RUBY: Client = Client {
    name: "Ruby",
    always: &[
        ("User-Agent", "LINE-BotSDK-Ruby/2.1.0"),
        ("Accept-Encoding", "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"),
        ("Accept", "*/*"),
    ],
    json: "application/json",
    bodyless: &[("Content-Length", "0"), ("Content-Type", "application/x-www-form-urlencoded")],
    field: "",
    quoted: false,
    file: "form-data; name=\"file\"; filename=\"ids.txt\"\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary",
    chunked: false,
    yes: "true",
};

/// Guzzle on curl: a type on every request, and yes is 1.
const PHP: Client = Client {
    name: "PHP",
    always: &[("User-Agent", "LINE-BotSDK-PHP/12.0.0"), ("Accept", "application/json")],
    json: "application/json",
    bodyless: &[("Content-Type", "application/json"), ("Content-Length", "0")],
    field: "",
    quoted: false,
    file: "form-data; name=\"file\"; filename=\"ids.txt\"\r\nContent-Type: text/plain",
    chunked: false,
    yes: "1",
};

/// One connection, kept open over all requests.
struct Wire<'c> {
    client: &'c Client,
    stream: TcpStream,
    host: String,
    token: String,
    unread: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    /// Asserts the status and what all these SDKs count on: the request ID, JSON unless empty, nothing compressed unasked.
    fn is(&self, status: u16, what: &str) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{what}: {text}");
        assert_eq!(self.headers["x-line-request-id"].len(), 36, "{what}");
        if self.body.is_empty() {
            return Value::Null;
        }
        assert_eq!(self.headers["content-type"], "application/json", "{what}");
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{what}: {text}"))
    }
}

impl<'c> Wire<'c> {
    async fn open(stage: &Stage, client: &'c Client) -> Self {
        let host = stage.base.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).await.unwrap();
        Self { client, stream, host, token: stage.token.clone(), unread: Vec::new() }
    }

    /// Sends a request of these bytes and reads the answer.
    async fn send(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.write_head(line, headers).await;
        self.stream.write_all(body).await.unwrap();
        self.read().await
    }

    async fn write_head(&mut self, line: &str, headers: &[(&str, &str)]) {
        let mut head = format!("{line} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in self.client.always.iter().chain(headers) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !line.contains("/oauth") {
            head.push_str(&format!("Authorization: Bearer {}\r\n", self.token));
        }
        head.push_str("\r\n");
        self.stream.write_all(head.as_bytes()).await.unwrap();
    }

    async fn read(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            self.fill().await;
        };
        let head = String::from_utf8(self.unread.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            self.fill().await;
        }
        Answer { status, headers, body: self.unread.drain(..length).collect() }
    }

    async fn fill(&mut self) {
        let mut part = [0; 16_384];
        let count = self.stream.read(&mut part).await.unwrap();
        assert_ne!(count, 0, "{}: the connection was closed", self.client.name);
        self.unread.extend(&part[..count]);
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(
            &format!("GET {path}"),
            &[("Content-Type", "application/json")][..usize::from(self.client.name == "PHP")],
            b"",
        )
        .await
    }

    async fn json(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let length = body.len().to_string();
        let headers = [("Content-Type", self.client.json), ("Content-Length", length.as_str())];
        self.send(&format!("{method} {path}"), &headers, body.as_bytes()).await
    }

    async fn bare(&mut self, method: &str, path: &str) -> Answer {
        let headers = if method == "DELETE" { &[] } else { self.client.bodyless };
        self.send(&format!("{method} {path}"), headers, b"").await
    }

    async fn form(&mut self, path: &str, body: &str) -> Answer {
        let length = body.len().to_string();
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", length.as_str())];
        self.send(&format!("POST {path}"), &headers, body.as_bytes()).await
    }

    /// A picture as the body.
    async fn picture(&mut self, path: &str, bytes: &[u8]) -> Answer {
        let line = format!("POST {path}");
        let kind = ("Content-Type", "image/png");
        if !self.client.chunked {
            let length = bytes.len().to_string();
            return self.send(&line, &[kind, ("Content-Length", &length)], bytes).await;
        }
        let mut chunks = Vec::new();
        for chunk in bytes.chunks(10) {
            chunks.extend(format!("{:x}\r\n", chunk.len()).bytes());
            chunks.extend(chunk);
            chunks.extend(b"\r\n");
        }
        chunks.extend(b"0\r\n\r\n");
        self.send(&line, &[kind, ("Transfer-Encoding", "chunked")], &chunks).await
    }

    /// A form with a file of one user ID a line. `expect`: the body waits until the server asks for it, as curl's does when it is large.
    async fn upload(&mut self, method: &str, fields: &[(&str, Value)], lines: &str, expect: bool) -> Answer {
        let mut body = String::new();
        for (name, value) in fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text = if self.client.quoted { value.to_string() } else { text };
            body.push_str(&format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\""));
            body.push_str(&format!(
                "{}\r\nContent-Length: {}\r\n\r\n{text}\r\n",
                self.client.field,
                text.len()
            ));
        }
        body.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: {}\r\n\r\n{lines}\r\n--{BOUNDARY}--\r\n",
            self.client.file
        ));
        let line = format!("{method} /v2/bot/audienceGroup/upload/byFile");
        let (kind, length) = (format!("multipart/form-data; boundary={BOUNDARY}"), body.len().to_string());
        let headers =
            [("Content-Type", kind.as_str()), ("Content-Length", &length), ("Expect", "100-continue")];
        if expect {
            self.write_head(&line, &headers).await;
            assert_eq!(self.read().await.status, 100, "{}", self.client.name);
            self.stream.write_all(body.as_bytes()).await.unwrap();
            return self.read().await;
        }
        self.send(&line, &headers[..2], body.as_bytes()).await
    }
}

/// A spread of what SDKs send, on one connection.
async fn walk(client: &Client) {
    let stage = Stage::new().await;
    let mut wire = Wire::open(&stage, client).await;
    let what = client.name;
    let info = wire.get("/v2/bot/info").await.is(200, what);
    assert_eq!(info["userId"], json!(stage.bot));
    wire.get("/v2/bot/profile/U00000000000000000000000000000000").await.is(404, what);
    let endpoint = json!({"endpoint": stage.receiver.url});
    assert_eq!(
        wire.json("PUT", "/v2/bot/channel/webhook/endpoint", &endpoint).await.is(200, what),
        json!({})
    );
    assert_eq!(wire.bare("POST", "/v2/bot/channel/webhook/test").await.is(200, what)["success"], true);
    let push = json!({"to": stage.user_id, "messages": [{"type": "text", "text": "茶 \u{1F600}"}], "notificationDisabled": false});
    let sent = wire.json("POST", "/v2/bot/message/push", &push).await.is(200, what);
    assert!(sent["sentMessages"][0]["id"].is_string());
    wire.json("POST", "/v2/bot/message/push", &json!({"to": stage.user_id, "messages": []}))
        .await
        .is(400, what);
    assert_eq!(wire.bare("DELETE", "/v2/bot/user/all/richmenu").await.is(200, what), json!({}));
    let body = json!({"name": "Team", "channelId": stage.channel, "members": [stage.user]});
    let group = stage.control("POST", "/groups", body).await.ok();
    let leave = format!("/v2/bot/group/{}/leave", group["groupId"].as_str().unwrap());
    assert_eq!(wire.bare("POST", &leave).await.is(200, what), json!({}));
    menu(&mut wire).await;
    audiences(&stage, &mut wire).await;
    let form =
        format!("grant_type=client_credentials&client_id={}&client_secret={}", stage.channel, stage.secret);
    let token = wire.form("/v2/oauth/accessToken", &form).await.is(200, what);
    let form = format!(
        "access_token={}",
        token["access_token"].as_str().unwrap().replace('+', "%2B").replace('/', "%2F")
    );
    wire.form("/v2/oauth/verify", &form).await.is(200, what);
    assert_eq!(wire.form("/v2/oauth/revoke", &form).await.is(200, what), Value::Null);
    apps(&stage, &mut wire).await;
}

async fn menu(wire: &mut Wire<'_>) {
    let what = wire.client.name;
    let menu = json!({"size": {"width": 2500, "height": 843}, "selected": true, "name": "main", "chatBarText": "menu", "areas": []});
    let made = wire.json("POST", "/v2/bot/richmenu", &menu).await.is(200, what);
    let id = made["richMenuId"].as_str().unwrap();
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    png.extend(2500_u32.to_be_bytes());
    png.extend(843_u32.to_be_bytes());
    let content = format!("/v2/bot/richmenu/{id}/content");
    assert_eq!(wire.picture(&content, &png).await.is(200, what), json!({}));
    let shown = wire.get(&content).await;
    assert_eq!((shown.status, shown.headers["content-type"].as_str(), shown.body), (200, "image/png", png));
    assert_eq!(wire.bare("POST", &format!("/v2/bot/user/all/richmenu/{id}")).await.is(200, what), json!({}));
}

async fn audiences(stage: &Stage, wire: &mut Wire<'_>) {
    let what = wire.client.name;
    let lines = format!("{}\n", stage.user_id);
    let fields = [
        ("description", json!("By file")),
        ("isIfaAudience", json!(false)),
        ("uploadDescription", json!("first")),
    ];
    let made = wire.upload("POST", &fields, &lines, false).await.is(202, what);
    assert_eq!(made["description"], "By file", "{what}");
    let fields = [("audienceGroupId", made["audienceGroupId"].clone()), ("uploadDescription", json!("more"))];
    assert_eq!(wire.upload("PUT", &fields, &lines, true).await.is(202, what), json!({}));
    let path =
        format!("/v2/bot/audienceGroup/list?page=1&size=40&includesExternalPublicGroups={}", wire.client.yes);
    assert_eq!(wire.get(&path).await.is(200, what)["totalCount"], 1);
}

/// The answers to changes of LIFF apps are empty (PLATFORM 24.1, 27).
async fn apps(stage: &Stage, wire: &mut Wire<'_>) {
    let what = wire.client.name;
    let body = json!({"providerId": stage.provider, "type": "login", "name": "Members"});
    let login = stage.control("POST", "/channels", body).await.ok();
    let text = |name: &str| login[name].as_str().unwrap().to_owned();
    let token = stage.stateless_token(&text("channelId"), &text("channelSecret")).await.ok();
    wire.token = token["access_token"].as_str().unwrap().to_owned();
    let app = json!({"view": {"type": "full", "url": "https://shop.example/member"}});
    let made = wire.json("POST", "/liff/v1/apps", &app).await.is(200, what);
    let path = format!("/liff/v1/apps/{}", made["liffId"].as_str().unwrap());
    assert_eq!(wire.json("PUT", &path, &json!({"view": {"type": "tall"}})).await.is(200, what), Value::Null);
    assert_eq!(wire.bare("DELETE", &path).await.is(200, what), Value::Null);
}

#[tokio::test]
async fn go_is_understood() {
    walk(&GO).await;
}

#[tokio::test]
async fn java_is_understood() {
    walk(&JAVA).await;
}

#[tokio::test]
async fn ruby_is_understood() {
    walk(&RUBY).await;
}

#[tokio::test]
async fn php_is_understood() {
    walk(&PHP).await;
}

/// The Ruby SDK writes every property that is not set as null.
#[tokio::test]
async fn nulls_are_missing_properties() {
    let stage = Stage::new().await;
    let mut wire = Wire::open(&stage, &RUBY).await;
    let text = json!({"type": "text", "quickReply": null, "sender": null, "text": "x", "emojis": null, "quoteToken": null});
    let push = json!({"to": stage.user_id, "messages": [text], "notificationDisabled": null, "customAggregationUnits": null});
    wire.json("POST", "/v2/bot/message/push", &push).await.is(200, "push");
    let bubble = json!({"type": "bubble", "direction": null, "styles": null, "header": null, "hero": null, "footer": null, "size": null,
        "action": null, "body": {"type": "box", "layout": "vertical", "flex": null, "spacing": null, "contents": [
            {"type": "text", "flex": null, "text": "茶", "size": null, "wrap": null, "action": null, "contents": null}]}});
    let flex =
        json!({"type": "flex", "quickReply": null, "sender": null, "altText": "a", "contents": bubble});
    let multicast = json!({"messages": [flex], "to": [stage.user_id], "notificationDisabled": null, "customAggregationUnits": null});
    wire.json("POST", "/v2/bot/message/multicast", &multicast).await.is(200, "flex");
    let some = json!({"messages": [text], "recipient": null, "filter": null, "limit": null, "notificationDisabled": null});
    wire.json("POST", "/v2/bot/message/narrowcast", &some).await.is(202, "narrowcast");
    let action = json!({"type": "message", "label": null, "text": "hi"});
    let area = json!({"bounds": {"x": 0, "y": 0, "width": 2500, "height": 843}, "action": action});
    let menu = json!({"size": {"width": 2500, "height": 843}, "selected": true, "name": "main", "chatBarText": "menu", "areas": [area]});
    wire.json("POST", "/v2/bot/richmenu", &menu).await.is(200, "menu");
    let audience = json!({"description": "Tea", "isIfaAudience": null, "uploadDescription": null, "audiences": [{"id": stage.user_id}]});
    wire.json("POST", "/v2/bot/audienceGroup/upload", &audience).await.is(202, "audience");
}

/// Names of headers have no case, on the way through proxies they come in any (RFC 9110 5.1).
#[tokio::test]
async fn headers_come_in_any_case() {
    let stage = Stage::new().await;
    let mut wire = Wire::open(&stage, &GO).await;
    for (kind, length, key) in [
        ("content-type", "content-length", "x-line-retry-key"),
        ("CONTENT-TYPE", "CONTENT-LENGTH", "X-LINE-RETRY-KEY"),
    ] {
        let body = json!({"to": stage.user_id, "messages": [{"type": "text", "text": "x"}]}).to_string();
        let size = body.len().to_string();
        let headers = [
            (kind, "application/json"),
            (length, size.as_str()),
            (key, "123e4567-e89b-12d3-a456-426614174000"),
        ];
        let expected = if kind == "content-type" { 200 } else { 409 };
        wire.send("POST /v2/bot/message/push", &headers, body.as_bytes()).await.is(expected, kind);
    }
}
