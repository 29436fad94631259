//! One HTTP exchange with LINE: address, headers, time limits, log line, and what a refusal means.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use line_api::api::ErrorBody;
use line_api::validate::Detail;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Method, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::error::{BuildError, Cause, LineError};
use crate::id_token::KeyCache;
use crate::secret::Secret;

/// Carries the key by which LINE knows a repeated push (PLATFORM 18).
const RETRY_KEY: HeaderName = HeaderName::from_static("x-line-retry-key");
/// On every answer of LINE (PLATFORM 5).
const REQUEST_ID: HeaderName = HeaderName::from_static("x-line-request-id");
/// On a 409: the ID of the request that was accepted (PLATFORM 18).
const ACCEPTED_REQUEST_ID: HeaderName = HeaderName::from_static("x-line-accepted-request-id");
/// The most that is read of a refusal.
const MAX_REFUSAL: usize = 64 * 1024;
/// The most that is read of an answer in JSON; LINE's largest here is a few kilobytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// What is shorter is none of LINE's secrets or tokens, and taking it out would only tear LINE's words apart.
const SHORTEST_SECRET: usize = 16;

/// LINE's hosts (PLATFORM 2). [`Default`] is LINE itself; a sandbox serves all of them from one address.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// `api.line.me`: everything but the following.
    pub api: Url,
    /// `api-data.line.me`: contents of messages.
    pub data: Url,
    /// `access.line.me`: pages that a browser is sent to, such as account linking.
    pub access: Url,
}

impl Endpoints {
    /// Everything at one address, as a sandbox serves it.
    #[must_use]
    pub fn all_at(origin: &Url) -> Self {
        Self { api: origin.clone(), data: origin.clone(), access: origin.clone() }
    }
}

impl Default for Endpoints {
    #[expect(clippy::expect_used, reason = "three constants, parsed in a test")]
    fn default() -> Self {
        let parse = |address| Url::parse(address).expect("a constant address");
        Self {
            api: parse("https://api.line.me"),
            data: parse("https://api-data.line.me"),
            access: parse("https://access.line.me"),
        }
    }
}

/// How long to wait for LINE. [`Default`]: 5 s, 30 s, 60 s, because a shorter limit makes outcomes unknown for nothing.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until connected, TLS included.
    pub connect: Duration,
    /// From start to the end of the answer, for everything but contents.
    pub call: Duration,
    /// For contents: until the answer begins, and then between two pieces of it. There is no limit on the whole,
    /// because a long video on a slow line could never be fetched: LINE cannot resume a download.
    pub content: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(30),
            content: Duration::from_secs(60),
        }
    }
}

/// Tells the time since some fixed moment, by which tokens age.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Tells the time of day in Unix seconds, by which assertions end.
pub type WallClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The connection pool and addresses that all accounts share. Cheap to clone.
#[derive(Clone)]
pub struct LineClient {
    shared: Arc<Shared>,
    wall: WallClock,
}

struct Shared {
    http: reqwest::Client,
    endpoints: Endpoints,
    timeouts: Timeouts,
    clock: Clock,
    id_token_keys: KeyCache,
}

/// The machine's time of day.
fn machine_seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "what callers without a clock of their own get")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl fmt::Debug for LineClient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LineClient")
            .field("endpoints", &self.shared.endpoints)
            .field("timeouts", &self.shared.timeouts)
            .finish_non_exhaustive()
    }
}

impl LineClient {
    /// A client with the usual time limits, in which tokens age by the machine's monotonic clock.
    ///
    /// # Errors
    /// An endpoint that is not `http` or `https`, or TLS that cannot be set up.
    pub fn new(endpoints: Endpoints) -> Result<Self, BuildError> {
        let start = Instant::now();
        Self::with(endpoints, Timeouts::default(), Arc::new(move || start.elapsed()))
    }

    /// A client with other time limits and another clock, for tests.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(endpoints: Endpoints, timeouts: Timeouts, clock: Clock) -> Result<Self, BuildError> {
        for address in [&endpoints.api, &endpoints.data, &endpoints.access] {
            if !matches!(address.scheme(), "http" | "https") {
                return Err(BuildError::Endpoint(address.clone()));
            }
        }
        // A redirect would carry a token to an address that nobody chose, and a proxy taken from the environment would see it.
        let http = reqwest::Client::builder()
            .tls_backend_rustls()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(timeouts.connect)
            .user_agent(concat!("trunkline-line-client/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            shared: Arc::new(Shared { http, endpoints, timeouts, clock, id_token_keys: KeyCache::default() }),
            wall: Arc::new(machine_seconds),
        })
    }

    /// The same client with another wall clock than the machine's.
    #[must_use]
    pub fn with_wall_clock(self, wall: WallClock) -> Self {
        Self { wall, ..self }
    }

    /// The time of day in Unix seconds.
    pub(crate) fn unix_seconds(&self) -> u64 {
        (self.wall)()
    }

    /// The addresses in use.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.shared.endpoints
    }

    /// The clock's reading.
    pub(crate) fn now(&self) -> Duration {
        (self.shared.clock)()
    }

    /// The longest silence while a content is read.
    pub(crate) fn content_timeout(&self) -> Duration {
        self.shared.timeouts.content
    }

    /// Fetches an address as anybody would, without a token: the keys of identity tokens, and what a browser would see.
    pub(crate) async fn fetch(&self, url: Url) -> Result<Answer, LineError> {
        let sent = self.shared.http.get(url).timeout(self.shared.timeouts.call).send().await;
        let response = sent.map_err(no_answer)?;
        Ok(Answer { response, secret: Secret::from(""), silence: self.shared.timeouts.content })
    }

    /// The keys of identity tokens as they were fetched last.
    pub(crate) fn id_token_keys(&self) -> &KeyCache {
        &self.shared.id_token_keys
    }

    /// Makes one exchange, up to the answer's headers. `secret` is the token for the header, or, on a call without a
    /// token, what else must not be repeated in a refusal's text.
    pub(crate) async fn exchange(&self, call: &Call<'_>, secret: &Secret) -> Result<Answer, LineError> {
        let Shared { http, endpoints, timeouts, .. } = &*self.shared;
        let base = if call.data_host { &endpoints.data } else { &endpoints.api };
        let mut url = address(base, call.path, call.values);
        if let Body::Given { query, .. } = &call.body {
            url.set_query(*query);
        }
        let mut request = http.request(call.method.clone(), url);
        request = match &call.body {
            Body::Empty if call.method == Method::GET => request,
            // LINE's edge answers 411 to a POST that does not say so (GOTCHAS B10), and the HTTP library does not.
            Body::Empty => request.header(CONTENT_LENGTH, 0),
            Body::Json(bytes) => request.header(CONTENT_TYPE, "application/json").body(bytes.clone()),
            Body::Form(fields) => request.form(fields),
            Body::Query(fields) | Body::Filter(fields) => request.query(fields),
            Body::Given { content_type, bytes, .. } => {
                if let Some(kind) = content_type {
                    request = request.header(CONTENT_TYPE, *kind);
                }
                match call.method {
                    Method::GET | Method::DELETE if bytes.is_empty() => request,
                    _ if bytes.is_empty() => request.header(CONTENT_LENGTH, 0),
                    _ => request.body(bytes.clone()),
                }
            }
        };
        if !matches!(call.body, Body::Form(_) | Body::Query(_)) {
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", secret.expose())).map_err(|_| {
                LineError::Credentials { status: None, body: ErrorBody::default(), request_id: None }
            })?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        if let Some(key) = call.retry_key {
            let key = HeaderValue::try_from(key)
                .map_err(|_| LineError::NotSent { cause: Cause::Request, request_id: None })?;
            request = request.header(RETRY_KEY, key);
        }

        let start = Instant::now();
        let outcome = if call.data_host {
            tokio::time::timeout(timeouts.content, request.send())
                .await
                .map_err(|_| LineError::Unknown { cause: Cause::Timeout, request_id: None })
                .and_then(|sent| sent.map_err(no_answer))
        } else {
            request.timeout(timeouts.call).send().await.map_err(no_answer)
        };
        let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        match outcome {
            Ok(response) => {
                let answer = Answer { response, secret: secret.clone(), silence: timeouts.content };
                tracing::debug!(
                    line.method = %call.method,
                    line.path = call.path,
                    line.status = answer.status().as_u16(),
                    line.request_id = answer.request_id(),
                    duration_ms,
                    "line answered"
                );
                Ok(answer)
            }
            Err(error) => {
                tracing::debug!(
                    line.method = %call.method,
                    line.path = call.path,
                    error = %error,
                    duration_ms,
                    "line did not answer"
                );
                Err(error)
            }
        }
    }
}

/// What to ask of LINE.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Content is served by a host of its own (GOTCHAS G3).
    pub(crate) data_host: bool,
    /// The path as LINE's schema writes it, such as `/v2/bot/profile/{userId}`; the log names this one.
    pub(crate) path: &'static str,
    /// What stands for the braces, in order, not yet encoded.
    pub(crate) values: &'a [&'a str],
    pub(crate) body: Body<'a>,
    pub(crate) retry_key: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// A GET on the API host.
    pub(crate) fn get(path: &'static str, values: &'a [&'a str]) -> Self {
        Self { method: Method::GET, data_host: false, path, values, body: Body::Empty, retry_key: None }
    }

    /// A POST on the API host.
    pub(crate) fn post(path: &'static str, body: Body<'a>) -> Self {
        Self { method: Method::POST, data_host: false, path, values: &[], body, retry_key: None }
    }
}

/// What a call carries. A form goes to the token endpoints, which take no token (PLATFORM 4.1); the one of them that is a
/// GET takes a query.
pub(crate) enum Body<'a> {
    Empty,
    Json(Bytes),
    Form(&'a [(&'a str, &'a str)]),
    Query(&'a [(&'a str, &'a str)]),
    /// The query of a GET that takes a token as others do.
    Filter(&'a [(&'a str, &'a str)]),
    /// Somebody else's body and query, as they came.
    Given {
        content_type: Option<&'a str>,
        query: Option<&'a str>,
        bytes: Bytes,
    },
}

impl From<Value> for Body<'_> {
    fn from(value: Value) -> Self {
        Self::Json(value.to_string().into())
    }
}

/// LINE's answer, its body still to be read.
pub(crate) struct Answer {
    response: reqwest::Response,
    /// Taken out of a refusal's text, should a server repeat it there.
    secret: Secret,
    /// How long the server may fall silent while the body is read. Only contents come here with no total limit set.
    silence: Duration,
}

/// Reads JSON; half an emoji in a name, which JSON can write and no Rust string can hold, becomes U+FFFD.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok().or_else(|| {
        let text = std::str::from_utf8(body).ok()?;
        serde_json::from_str(&line_api::webhook::without_lone_surrogates(text)).ok()
    })
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.header(&REQUEST_ID)
    }

    pub(crate) fn accepted_request_id(&self) -> Option<&str> {
        self.header(&ACCEPTED_REQUEST_ID)
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// The response itself, for a body that is streamed.
    pub(crate) fn into_response(self) -> reqwest::Response {
        self.response
    }

    /// The answer's JSON, or what the refusal means.
    pub(crate) async fn json<T: DeserializeOwned>(mut self) -> Result<T, LineError> {
        if !self.status().is_success() {
            return Err(self.refusal().await);
        }
        let request_id = self.request_id().map(str::to_owned);
        self.read(MAX_ANSWER)
            .await
            .and_then(|body| parse(&body).ok_or(Cause::Unreadable))
            .map_err(|cause| LineError::Unknown { cause, request_id })
    }

    /// The answer's JSON whatever its status; `None` where it is something else.
    pub(crate) async fn any_json<T: DeserializeOwned>(mut self) -> Option<T> {
        serde_json::from_slice(&self.read(MAX_ANSWER).await.ok()?).ok()
    }

    /// Done, or what the refusal means; for calls whose answer holds nothing (`{}`).
    pub(crate) async fn done(mut self) -> Result<(), LineError> {
        if !self.status().is_success() {
            return Err(self.refusal().await);
        }
        // Reading to the end keeps the connection; what is read, or whether, changes nothing.
        let _ = self.read(MAX_ANSWER).await;
        Ok(())
    }

    /// What a status without success means. The status decides; LINE's text only tells one 429 from the other
    /// (GOTCHAS C1, I4), and an unknown text counts as the harmless one.
    pub(crate) async fn refusal(self) -> LineError {
        let status = self.status();
        let request_id = self.request_id().map(str::to_owned);
        let retry_after = seconds(self.response.headers());
        let body = self.error_body().await;
        match status.as_u16() {
            401 => LineError::Credentials { status: Some(401), body, request_id },
            429 if body.message.to_ascii_lowercase().contains("monthly limit") => {
                LineError::QuotaUsedUp { body, request_id }
            }
            429 => LineError::Wait { retry_after, body, request_id },
            status @ (408 | 500..) => {
                LineError::Unknown { cause: Cause::Status { status, body }, request_id }
            }
            status => LineError::Refused { status, body, request_id },
        }
    }

    /// The body's text, as far as `limit`; for pages that were made for people.
    pub(crate) async fn text(mut self, limit: usize) -> String {
        let body = self.read(limit).await.unwrap_or_default();
        String::from_utf8_lossy(&body).into_owned()
    }

    /// LINE's words of either shape, as far as they can be made out.
    async fn error_body(mut self) -> ErrorBody {
        let bytes = self.read(MAX_REFUSAL).await.unwrap_or_default();
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        let secret = self.secret.expose();
        if secret.len() >= SHORTEST_SECRET && text.contains(secret) {
            text = text.replace(secret, "***");
        }
        error_body(&text)
    }

    /// The body up to a limit; what lies beyond is dropped.
    async fn read(&mut self, limit: usize) -> Result<Vec<u8>, Cause> {
        let mut body = Vec::new();
        while body.len() < limit
            && let Some(chunk) = next_chunk(&mut self.response, self.silence).await?
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(limit);
        Ok(body)
    }
}

/// The next piece of a body, waited for no longer than `silence`; `None` at its end.
pub(crate) async fn next_chunk(
    response: &mut reqwest::Response,
    silence: Duration,
) -> Result<Option<Bytes>, Cause> {
    match tokio::time::timeout(silence, response.chunk()).await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(error)) => Err(seen(error)),
        Err(_) => Err(Cause::Timeout),
    }
}

/// `{"message", "details"?}` of the API or `{"error", "error_description"?}` of the token endpoints (PLATFORM 4.1, 5);
/// empty where it is neither.
fn error_body(text: &str) -> ErrorBody {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let word = |key: &str| value.get(key).and_then(Value::as_str);
    ErrorBody {
        message: ["message", "error_description", "error"]
            .into_iter()
            .find_map(word)
            .unwrap_or_default()
            .to_owned(),
        details: value
            .get("details")
            .and_then(|details| Vec::<Detail>::deserialize(details).ok())
            .unwrap_or_default(),
    }
}

/// What it means that no answer came: without a connection nothing was sent, after that anything is possible.
fn no_answer(error: reqwest::Error) -> LineError {
    let unsent = error.is_connect() || error.is_builder();
    let cause = seen(error);
    if unsent {
        LineError::NotSent { cause, request_id: None }
    } else {
        LineError::Unknown { cause, request_id: None }
    }
}

/// The failure in our words. The address is taken out, because it holds IDs of people.
fn seen(error: reqwest::Error) -> Cause {
    if error.is_builder() {
        Cause::Request
    } else if error.is_timeout() {
        Cause::Timeout
    } else {
        Cause::Connection(Arc::new(error.without_url()))
    }
}

/// `Retry-After` in seconds. Its other form, a date, would need the wall clock, and LINE sends neither.
fn seconds(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The template's address with its values, each kept to its own segment by percent-encoding.
fn address(base: &Url, template: &str, values: &[&str]) -> Url {
    let mut url = base.clone();
    let mut values = values.iter();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty();
        for segment in template.split('/').skip(1) {
            let value = if segment.starts_with('{') { values.next() } else { None };
            // `.` and `..` would climb the path even when encoded, so they are encoded twice and refused by LINE.
            path.push(match value.copied().unwrap_or(segment) {
                "." => "%2E",
                ".." => "%2E%2E",
                other => other,
            });
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_itself_is_the_default() {
        // PLATFORM 2.
        let Endpoints { api, data, access } = Endpoints::default();
        assert_eq!(api.as_str(), "https://api.line.me/");
        assert_eq!(data.as_str(), "https://api-data.line.me/");
        assert_eq!(access.as_str(), "https://access.line.me/");
    }

    #[test]
    fn limits_follow_gotchas_c9() {
        let Timeouts { connect, call, content } = Timeouts::default();
        assert_eq!((connect.as_secs(), call.as_secs(), content.as_secs()), (5, 30, 60));
    }

    #[test]
    fn other_schemes_are_refused() {
        let ftp = Endpoints { data: "ftp://example.com".parse().unwrap(), ..Endpoints::default() };
        assert!(matches!(LineClient::new(ftp), Err(BuildError::Endpoint(_))));
    }

    #[test]
    fn a_path_value_stays_in_its_segment() {
        let base = "http://127.0.0.1:9/line/".parse().unwrap();
        for (value, path) in [
            ("U1", "/line/v2/bot/profile/U1"),
            ("../info", "/line/v2/bot/profile/..%2Finfo"),
            ("a?b#c d", "/line/v2/bot/profile/a%3Fb%23c%20d"),
            ("..", "/line/v2/bot/profile/%252E%252E"),
            (".", "/line/v2/bot/profile/%252E"),
            ("%2e", "/line/v2/bot/profile/%252e"),
            ("{userId}", "/line/v2/bot/profile/%7BuserId%7D"),
        ] {
            assert_eq!(address(&base, "/v2/bot/profile/{userId}", &[value]).path(), path);
        }
    }

    #[test]
    fn words_are_found_in_odd_error_bodies() {
        // PLATFORM 4.1 and 5, and what stands between LINE and us.
        for (text, message, details) in [
            (r#"{"message":"Not found"}"#, "Not found", 0),
            (r#"{"message":"x","details":[{"property":"to"}]}"#, "x", 1),
            (r#"{"message":"x","details":"odd"}"#, "x", 0),
            (r#"{"error":"invalid_client","error_description":"invalid client_id"}"#, "invalid client_id", 0),
            (r#"{"error":"invalid_request"}"#, "invalid_request", 0),
            (r#"{"message":null,"key":null}"#, "", 0),
            (r#"{"message":5}"#, "", 0),
            ("<html>502 Bad Gateway</html>", "", 0),
            ("[1]", "", 0),
            ("", "", 0),
        ] {
            let body = error_body(text);
            assert_eq!((body.message.as_str(), body.details.len()), (message, details), "{text}");
        }
    }
}
