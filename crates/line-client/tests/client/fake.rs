//! A LINE on loopback that a test scripts, and accounts that talk to it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use line_client::{Account, Clock, Credentials, Endpoints, LineClient, Secret, Timeouts};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

/// Where stateless tokens come from (PLATFORM 4.1).
pub(crate) const TOKEN: &str = "/oauth2/v3/token";

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// As on the wire, query included.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The how-manieth to this path, from 1.
    pub(crate) nth: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A running LINE; it ends with the test's runtime.
pub(crate) struct Fake {
    pub(crate) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    /// Answers everything by `answer`, tokens too.
    pub(crate) async fn scripted<F, A>(answer: F) -> Self
    where
        F: Fn(Seen) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response> + Send,
    {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let record = Arc::clone(&seen);
        let app = Router::new().fallback(move |request: Request| {
            let (record, answer) = (Arc::clone(&record), answer.clone());
            async move {
                let (head, body) = request.into_parts();
                let path = head.uri.path_and_query().unwrap().to_string();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                let seen = {
                    let mut record = record.lock().unwrap();
                    let nth = record.iter().filter(|earlier: &&Seen| earlier.path == path).count() + 1;
                    let seen = Seen { method: head.method, path, headers: head.headers, body, nth };
                    record.push(seen.clone());
                    seen
                };
                answer(seen).await
            }
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = origin(&listener);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen }
    }

    /// Issues a token whenever asked for one, and answers everything else by `answer`.
    pub(crate) async fn line<F>(answer: F) -> Self
    where
        F: Fn(Seen) -> Response + Clone + Send + Sync + 'static,
    {
        Self::scripted(move |seen| {
            let response = if seen.path == TOKEN { issued(seen.nth) } else { answer(seen) };
            std::future::ready(response)
        })
        .await
    }

    /// What was asked.
    pub(crate) fn everything(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What was asked, tokens apart.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        self.everything().into_iter().filter(|seen| seen.path != TOKEN).collect()
    }

    /// How many tokens were asked for.
    pub(crate) fn tokens(&self) -> usize {
        self.everything().iter().filter(|seen| seen.path == TOKEN).count()
    }

    /// The bearer tokens of all calls, in order.
    pub(crate) fn bearers(&self) -> Vec<String> {
        self.calls().iter().map(|seen| seen.header("authorization").unwrap().replace("Bearer ", "")).collect()
    }

    pub(crate) fn account(&self) -> Account {
        account(&self.url)
    }
}

/// The address of a listener.
pub(crate) fn origin(listener: &TcpListener) -> Url {
    format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()
}

/// A clock that a test moves, in seconds.
#[derive(Clone, Default)]
pub(crate) struct Hand(Arc<AtomicU64>);

impl Hand {
    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let hand = Arc::clone(&self.0);
        Arc::new(move || Duration::from_secs(hand.load(Ordering::SeqCst)))
    }
}

/// Limits short enough for a test and long enough for a busy machine.
pub(crate) fn short() -> Timeouts {
    Timeouts {
        connect: Duration::from_millis(300),
        call: Duration::from_millis(600),
        content: Duration::from_millis(600),
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials {
        channel_id: "1656000000".into(),
        channel_secret: Secret::from("the-secret-of-the-channel"),
        access_token: None,
        signing_key: None,
    }
}

/// An account that asks for tokens, with the usual limits.
pub(crate) fn account(url: &Url) -> Account {
    LineClient::new(Endpoints::all_at(url)).unwrap().account(credentials())
}

/// As `account`, with a clock that the test moves.
pub(crate) fn account_at(url: &Url, hand: &Hand) -> Account {
    LineClient::with(Endpoints::all_at(url), Timeouts::default(), hand.clock())
        .unwrap()
        .account(credentials())
}

/// An account with a pasted token and short limits: its first request is the call itself.
pub(crate) fn pasted(url: &Url) -> Account {
    let client = LineClient::with(Endpoints::all_at(url), short(), Hand::default().clock()).unwrap();
    client.account(Credentials { access_token: Some(Secret::from("pasted-token")), ..credentials() })
}

/// A JSON answer with LINE's request ID.
pub(crate) fn answer(status: u16, body: &Value) -> Response {
    raw(status, "application/json", body.to_string())
}

/// An answer of any kind with LINE's request ID.
pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<Body>) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("x-line-request-id", "req-1")
        .body(body.into())
        .unwrap()
}

/// A stateless token named after its number.
pub(crate) fn issued(nth: usize) -> Response {
    answer(200, &json!({"token_type": "Bearer", "access_token": format!("token-{nth}"), "expires_in": 900}))
}

/// What LINE answers to a token it does not know.
pub(crate) fn unauthorized() -> Response {
    answer(401, &json!({"message": "Authentication failed due to the following reason: invalid token. Confirm that the access token in the authorization header is valid."})).into_response()
}

/// One accepted message.
pub(crate) fn sent() -> Response {
    answer(200, &json!({"sentMessages": [{"id": "461230966842064897", "quoteToken": "IStG5h1Tz7b"}]}))
}

/// A text message.
pub(crate) fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}
