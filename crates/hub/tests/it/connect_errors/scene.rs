//! A hub, a LINE, and somebody who makes mistakes through the API and on the page.

use hub::ids::{AccountId, Id as _};
use reqwest::Method;
use serde_json::{Map, Value, json};
use testkit::{Browser, TestHub};

use super::page::Row;

/// The form to connect an account.
const FORM: &str = "/settings/accounts/new";

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A channel at LINE.
#[derive(Clone)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) basic_id: String,
}

impl Channel {
    /// What connects it.
    pub(super) fn body(&self) -> Value {
        json!({ "channel_id": self.id, "channel_secret": self.secret })
    }

    /// The same with something else.
    pub(super) fn with(&self, more: Value) -> Value {
        let (Value::Object(mut body), Value::Object(more)) = (self.body(), more) else { unreachable!() };
        body.extend(more);
        Value::Object(body)
    }
}

pub(super) struct Scene {
    pub(super) hub: TestHub,
    pub(super) owner: Browser,
    rows: Vec<Row>,
    /// Mistakes that are not told as they should be.
    lacks: Vec<String>,
    /// What differs from run to run, and what the page shows in its place.
    shown: Vec<(String, String)>,
}

impl Scene {
    /// The same mistakes' page, of another hub.
    pub(super) async fn at(self, hub: TestHub) -> Self {
        let owner = hub.owner().await;
        self.hub.close().await;
        Self { hub, owner, ..self }
    }

    pub(super) async fn new(hub: TestHub) -> Self {
        let owner = hub.owner().await;
        let shown =
            vec![(hub.url.as_str().trim_end_matches('/').to_owned(), "https://hub.example".to_owned())];
        Self { hub, owner, rows: Vec::new(), lacks: Vec::new(), shown }
    }

    pub(super) async fn close(self) -> Vec<Row> {
        self.hub.close().await;
        assert!(self.lacks.is_empty(), "{}", self.lacks.join("\n"));
        self.rows
    }

    /// Makes a channel of a kind, `messaging` or `login`.
    pub(super) async fn channel(&mut self, kind: &str) -> Channel {
        let provider = self.hub.control.post("/providers", json!({ "name": "三杯茶有限公司" })).await;
        let new = json!({ "providerId": provider["providerId"], "type": kind, "name": "三杯茶" });
        let made = self.hub.control.post("/channels", new).await;
        let channel = Channel {
            id: text(&made["channelId"]),
            secret: text(&made["channelSecret"]),
            basic_id: text(&made["basicId"]),
        };
        // Numbered as they come, so that two in one message are told apart.
        let number = self.shown.len();
        self.shown.push((channel.id.clone(), format!("16570000{number:02}")));
        if !channel.basic_id.is_empty() {
            self.shown.push((channel.basic_id.clone(), format!("@tea{number:02}")));
        }
        channel
    }

    /// A channel that is connected, with "Use webhook" on.
    pub(super) async fn connected(&mut self) -> (Channel, String) {
        let channel = self.channel("messaging").await;
        self.console(&channel, json!({ "useWebhook": true })).await;
        let account = self.hub.api().post("/accounts", channel.body()).await.expect(201);
        (channel, text(&account["id"]))
    }

    /// Changes a channel's settings in LINE's console.
    pub(super) async fn console(&self, channel: &Channel, set: Value) {
        self.hub.control.patch(&format!("/channels/{}", channel.id), set).await;
    }

    /// Makes LINE behave in some way until [`calm`](Self::calm).
    pub(super) async fn fault(&self, fault: Value) {
        self.hub.control.post("/faults", fault).await;
    }

    pub(super) async fn calm(&self) {
        self.hub.control.delete("/faults").await;
    }

    /// Connects with a mistake, by API and on the page.
    pub(super) async fn connects(&mut self, mistake: &'static str, body: Value) {
        let answer = self.hub.api().post("/accounts", body.clone()).await;
        assert!(
            answer.status.is_client_error() || answer.status.as_u16() == 502,
            "{mistake}: {}",
            answer.body
        );
        let html = self.submit(FORM, FORM, &form(&body)).await;
        self.told(mistake, &answer.json(), &html, None);
    }

    /// Enters a kid for a key, by API and on the page of the credentials.
    pub(super) async fn proves(&mut self, mistake: &'static str, account: &str, key: &Value, kid: &str) {
        let path = format!("/signing-keys/{}", text(&key["id"]));
        let answer = self.hub.api().patch(&path, json!({ "kid": kid })).await;
        assert_eq!(answer.status.as_u16(), 422, "{mistake}: {}", answer.body);
        let is_active = self.hub.api().get(&path).await.expect(200)["state"] == "active";
        let field = if is_active { "active_kid" } else { "kid" };
        let page = format!("/settings/accounts/{account}/credentials");
        let action = format!("{page}/keys/{}", text(&key["id"]));
        let html = self.submit(&page, &action, &[(field.to_owned(), kid.to_owned())]).await;
        self.told(mistake, &answer.json(), &html, Some(field));
    }

    /// Sends a form of a page as somebody who reads Traditional Chinese, and gives what is shown then.
    pub(super) async fn submit(&self, page: &str, action: &str, fields: &[(String, String)]) -> String {
        let shown = self.read(page).await;
        let csrf = between(&shown, "name=\"csrf\" content=\"", "\"").unwrap_or_default().to_owned();
        let mut fields = fields.to_vec();
        fields.push(("csrf".to_owned(), csrf));
        let origin = self.hub.url.origin().ascii_serialization();
        let request = self.owner.request(Method::POST, action).header("origin", origin);
        let request = request.header("accept-language", "zh-Hant").form(&fields);
        let answer = request.send().await.unwrap();
        // A question has an address of its own.
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        match to {
            Some(to) => self.read(&to).await,
            None => answer.text().await.unwrap(),
        }
    }

    /// What stands in place of the set-up where the public address will not do: title and detail.
    pub(super) async fn blocked(&self) -> (String, String) {
        let html = self.read(FORM).await;
        let head = between(&html, "guide-blocked-head\">", "</div></div>").unwrap_or_default();
        let title = between(head, "<h2>", "</h2>").map(words).unwrap_or_default();
        (title, between(head, "<p>", "</p>").map(words).unwrap_or_default())
    }

    async fn read(&self, page: &str) -> String {
        self.read_in(page, "zh-Hant").await
    }

    async fn read_in(&self, page: &str, language: &str) -> String {
        let request = self.owner.request(Method::GET, page).header("accept-language", language);
        request.send().await.unwrap().text().await.unwrap()
    }

    /// A row of a refusal: what the API said, and what the page says at the same field, there under the name `shown_at`
    /// where it has another one.
    pub(super) fn told(
        &mut self,
        mistake: &'static str,
        problem: &Value,
        html: &str,
        shown_at: Option<&str>,
    ) {
        let error = &problem["errors"][0];
        let (field, code, english) = if error.is_object() {
            (text(&error["field"]), text(&error["code"]), text(&error["detail"]))
        } else {
            (String::new(), text(&problem["code"]), text(&problem["detail"]))
        };
        let at_field = at_field(html, shown_at.unwrap_or(&field));
        let chinese = at_field.or_else(|| on_top(html));
        let chinese = chinese.unwrap_or_default();
        if !has_chinese(&chinese) {
            self.lacks.push(format!("{mistake}: the page says nothing: {problem} {html}"));
        }
        let fix = english.rsplit_once("; ").map_or(english.as_str(), |(_, fix)| fix).to_owned();
        if fix == english {
            self.lacks.push(format!("{mistake}: no fix in {english}"));
        }
        let place = if field.is_empty() { format!("`{code}`") } else { format!("field `{field}`, `{code}`") };
        self.add(mistake, place, english, chinese, fix);
    }

    /// Something that happened after connecting: the hub looks, and the account's page says so.
    pub(super) async fn notices(&mut self, mistake: &'static str, account: &str, attention: &str) {
        let id = AccountId::parse(account).unwrap();
        hub::accounts::service::refresh(self.hub.hub(), &self.hub.scope(), &id).await.unwrap();
        let seen = self.hub.api().get(&format!("/accounts/{account}")).await.expect(200);
        assert_eq!(seen["attention"], attention, "{mistake}: {seen}");
        let page = format!("/settings/accounts/{account}");
        let (english, chinese) = (self.read_in(&page, "en").await, self.read(&page).await);
        let (title, fix) = banner(&english).unwrap_or_else(|| panic!("{mistake}: {english}"));
        let (chinese, chinese_fix) = banner(&chinese).unwrap_or_else(|| panic!("{mistake}: {chinese}"));
        assert!(has_chinese(&chinese) && !fix.is_empty(), "{mistake}");
        self.add(mistake, format!("account, `{attention}`"), title, format!("{chinese}。{chinese_fix}"), fix);
    }

    /// Makes a LINE Login channel of a provider.
    pub(super) async fn login_channel(&mut self, provider: &str) -> Channel {
        let new = json!({ "providerId": provider, "type": "login", "name": "三杯茶" });
        let made = self.hub.control.post("/channels", new).await;
        let channel = Channel {
            id: text(&made["channelId"]),
            secret: text(&made["channelSecret"]),
            basic_id: String::new(),
        };
        let number = self.shown.len();
        self.shown.push((channel.id.clone(), format!("16570000{number:02}")));
        channel
    }

    /// Saves a LINE Login channel that is right.
    pub(super) async fn saves_login(&self, account: &str, login: &Channel) {
        let body = json!({ "login_channel_id": login.id, "login_channel_secret": login.secret });
        let _ = self.hub.api().patch(&format!("/accounts/{account}"), body).await.expect(200);
    }

    /// Enters ID and secret of LINE Login with a mistake, by API and on the page.
    pub(super) async fn enters_login(
        &mut self,
        mistake: &'static str,
        account: &str,
        (id, secret): (&str, &str),
    ) {
        let body = json!({ "login_channel_id": id, "login_channel_secret": secret });
        let answer = self.hub.api().patch(&format!("/accounts/{account}"), body).await;
        assert_eq!(answer.status.as_u16(), 422, "{mistake}: {}", answer.body);
        let page = format!("/settings/accounts/{account}");
        let fields = [("login_channel_id", id), ("login_channel_secret", secret)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let html = self.submit(&page, &format!("{page}/login"), &fields).await;
        self.told(mistake, &answer.json(), &html, None);
    }

    /// Begins a test of login or LIFF.
    pub(super) async fn begins(&self, account: &str, kind: &str) {
        let path = format!("/accounts/{account}/login-test");
        let _ = self.hub.api().post(&path, json!({ "kind": kind })).await.expect(201);
    }

    /// The account's last test of login or LIFF.
    pub(super) async fn last_test(&self, account: &str) -> Value {
        self.hub.api().get(&format!("/accounts/{account}")).await.expect(200)["login"]["last_test"].clone()
    }

    /// Somebody walks the last test: to LINE, and back where LINE leads back.
    pub(super) async fn walks(&self, account: &str, user: &str, more: &str) {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.build().unwrap();
        let to = |answer: &reqwest::Response| {
            answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned())
        };
        let left = client.get(text(&self.last_test(account).await["url"])).send().await.unwrap();
        let at_line = format!("{}&sandbox_user={user}{more}", to(&left).unwrap());
        let answer = client.get(at_line).send().await.unwrap();
        if let Some(back) = to(&answer) {
            client.get(back).send().await.unwrap();
        }
    }

    /// Changes a LIFF app at LINE as some other program would.
    pub(super) async fn puts_app(&self, login: &Channel, id: &str, app: &Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", login.id.as_str()),
            ("client_secret", login.secret.as_str()),
        ];
        let token = client.post(self.hub.line.join("/oauth2/v3/token").unwrap()).form(&form);
        let token: Value = token.send().await.unwrap().json().await.unwrap();
        let at = self.hub.line.join(&format!("/liff/v1/apps/{id}")).unwrap();
        let put = client.put(at).bearer_auth(text(&token["access_token"])).json(app).send().await.unwrap();
        assert_eq!(put.status().as_u16(), 200);
    }

    /// What the last test found, in the API and on the page.
    pub(super) async fn finds(&mut self, mistake: &'static str, account: &str, code: &str) {
        let test = self.last_test(account).await;
        let findings = test["findings"].as_array().cloned().unwrap_or_default();
        let place = findings.iter().position(|finding| finding["code"] == code);
        let place = place.unwrap_or_else(|| panic!("{mistake}: {test}"));
        let finding = &findings[place];
        let html = self.read(&format!("/settings/accounts/{account}/login-test")).await;
        let block = between(&html, &format!("id=\"login-test-{}\"", text(&test["kind"])), "</section>");
        let mut shown = block.unwrap_or_default().split("<li class=\"login-finding ").skip(1);
        let shown = shown.nth(place).unwrap_or_default();
        let part = |from: &str| {
            between(shown, from, "</p>").map(|part| words(&format!("<{part}"))).unwrap_or_default()
        };
        let title = between(shown, "</span>", "</p>").map(words).unwrap_or_default();
        let chinese = format!("{title}。{}", part("</p>\n<p"));
        let chinese = chinese.replace(">", "");
        assert!(has_chinese(&title), "{mistake}: {html}");
        let fix = text(&finding["fix"]);
        assert!(!fix.is_empty(), "{mistake}: {finding}");
        let place = format!("test `{}`, `{code}`", text(&test["kind"]));
        self.add(mistake, place, text(&finding["title"]), chinese, fix);
    }

    pub(super) fn add(
        &mut self,
        mistake: &'static str,
        place: String,
        english: String,
        chinese: String,
        fix: String,
    ) {
        let [place, english, chinese, fix] = [place, english, chinese, fix].map(|text| self.steady(text));
        self.rows.push(Row { mistake, place, english, chinese, fix });
    }

    /// Takes out what differs from run to run.
    fn steady(&self, mut text: String) -> String {
        for (actual, shown) in &self.shown {
            text = text.replace(actual, shown);
        }
        while let Some(key) =
            between(&text, "/webhooks/line/", ":").map(str::to_owned).filter(|key| key != "…")
        {
            text = text.replace(&format!("/webhooks/line/{key}"), "/webhooks/line/…");
        }
        text
    }
}

/// The fields of the form for a body of the API.
fn form(body: &Value) -> Vec<(String, String)> {
    let empty = Map::new();
    let body = body.as_object().unwrap_or(&empty);
    let mut fields = vec![("set_webhook".to_owned(), "1".to_owned())];
    let path = if body.contains_key("access_token") {
        "token"
    } else if body.contains_key("signing_key_id") {
        "key"
    } else {
        "id"
    };
    fields.push(("path".to_owned(), path.to_owned()));
    for (name, value) in body {
        let name = if name == "signing_key_id" { "signing_key" } else { name };
        fields.push((name.to_owned(), text(value)));
    }
    fields
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

fn has_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4E00}'..='\u{9FFF}').contains(&c))
}

/// The words of an error at a field.
fn at_field(html: &str, field: &str) -> Option<String> {
    between(html, &format!("id=\"f-{field}-error\">"), "</p>").map(words)
}

/// Title and detail of the first banner that is not about success.
fn banner(html: &str) -> Option<(String, String)> {
    let banner = html.split("<div class=\"banner ").skip(1).find(|part| !part.starts_with("ok"))?;
    let title = between(banner, "<p class=\"banner-title\">", "</p>").map(words)?;
    let detail = between(banner, "</p><p>", "</p>").map(words).unwrap_or_default();
    Some((title, detail))
}

/// What stands on top of a page: a banner, or the heading of a page that asks first.
fn on_top(html: &str) -> Option<String> {
    let heading = || between(html, "<h1 id=\"guide-title\">", "</h1>").map(words);
    banner(html).map(|(title, detail)| format!("{title}{detail}")).or_else(heading)
}

/// Text without tags.
fn words(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    for (escaped, plain) in [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")]
    {
        text = text.replace(escaped, plain);
    }
    text.trim().to_owned()
}
