//! An address of somebody else that takes what it is sent: a destination, a page's server, a shop.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// One request that came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The exact bytes.
    pub body: Bytes,
}

/// A server on loopback that keeps every request and answers what it was told; it ends when dropped.
#[derive(Debug)]
pub struct Receiver {
    /// Its address.
    pub url: Url,
    kept: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Mutex<(StatusCode, HeaderMap, Bytes)>>,
    refuses: Arc<Mutex<Vec<u8>>>,
    _stop: DropGuard,
}

impl Receiver {
    /// Starts one that answers 200 with an empty body.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let kept: Arc<Mutex<Vec<Received>>> = Arc::default();
        let answer = Arc::new(Mutex::new((StatusCode::OK, HeaderMap::new(), Bytes::new())));
        let refuses: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (keep, told, refused) = (kept.clone(), answer.clone(), refuses.clone());
        let router =
            Router::new().fallback(async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                let refused = refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let is_refused =
                    !refused.is_empty() && body.windows(refused.len()).any(|window| window == refused);
                let received = Received { method, uri, headers, body };
                keep.lock().unwrap_or_else(PoisonError::into_inner).push(received);
                if is_refused {
                    return (StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), Bytes::new());
                }
                told.lock().unwrap_or_else(PoisonError::into_inner).clone()
            });
        let stop = CancellationToken::new();
        let ended = stop.clone();
        tokio::spawn(async move {
            axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned()).await
        });
        let url = Url::parse(&format!("http://{address}/")).expect("an address");
        Self { url, kept, answer, refuses, _stop: stop.drop_guard() }
    }

    /// Answers so from now on.
    pub fn answers(&self, status: StatusCode, body: impl Into<Bytes>) {
        self.answers_with(status, &[], body);
    }

    /// Answers so from now on, with these headers.
    pub fn answers_with(&self, status: StatusCode, headers: &[(&'static str, &str)], body: impl Into<Bytes>) {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header's value"))
        });
        let answer = (status, headers.collect(), body.into());
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Answers 500 to bodies that hold this text, whatever else is answered; to none where it is empty.
    pub fn fails_for(&self, text: &str) {
        *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) = text.as_bytes().to_vec();
    }

    /// What came so far, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
