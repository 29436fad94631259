//! A plain client of the hub's API and the sandbox's controls, for the demo and the measurements: they use the same doors
//! as everybody.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::Method;
use serde_json::Value;
use url::Url;

/// One base address, and a key for it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

impl Client {
    /// The sandbox's controls at `origin`.
    pub(crate) fn sandbox(origin: &Url) -> anyhow::Result<Self> {
        Self::new(origin, "/sandbox/v1", None)
    }

    /// The hub's API at `origin`.
    pub(crate) fn api(origin: &Url, key: String) -> anyhow::Result<Self> {
        Self::new(origin, "/api/v1", Some(key))
    }

    /// LINE's own API at `origin`.
    pub(crate) fn line(origin: &Url, token: String) -> anyhow::Result<Self> {
        Self::new(origin, "", Some(token))
    }

    fn new(origin: &Url, root: &str, key: Option<String>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { http, base: format!("{}{root}", origin.as_str().trim_end_matches('/')), key })
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let address = format!("{}{path}", self.base);
        let what = format!("{method} {address}");
        let mut request = self.http.request(method, address);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| what.clone())?;
        let status = response.status();
        let text = response.text().await.with_context(|| what.clone())?;
        if !status.is_success() {
            return Err(anyhow!("{what} answered {status}: {text}"));
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{what} did not answer JSON"))
    }
}

/// A text of an answer.
///
/// # Errors
/// It is not there.
pub(crate) fn text(answer: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("no {pointer} in {answer}"))
}

/// The items of a list.
pub(crate) fn items(answer: &Value) -> &[Value] {
    answer.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
