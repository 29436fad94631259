//! A browser for tests: it keeps cookies, sends the CSRF token with its forms, and follows nothing by itself.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use tower::ServiceExt as _;

use super::{cookies, csrf};
use crate::app::Hub;
use crate::ids::{TenantId, UserId};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// A header's text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> &str {
        assert!(self.status.is_redirection(), "{} is no redirect: {}", self.status, self.body);
        self.header(LOCATION.as_str())
    }

    /// A `Set-Cookie` whose name holds `name`.
    pub(crate) fn cookie(&self, name: &str) -> &str {
        let all = self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        all.into_iter().find(|cookie| cookie.split('=').next().unwrap().contains(name)).unwrap_or("")
    }
}

/// A browser.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    app: Router,
    cookies: BTreeMap<String, String>,
    headers: Vec<(&'static str, String)>,
}

impl Browser {
    /// A browser before any cookie, on the whole hub.
    pub(crate) fn new(hub: &Hub) -> Self {
        Self::on(crate::wiring::router(hub))
    }

    /// A browser on some routes.
    pub(crate) fn on(app: Router) -> Self {
        Self { app, cookies: BTreeMap::new(), headers: Vec::new() }
    }

    /// A browser with the session of a user.
    pub(crate) async fn signed_in(hub: &Hub, tenant: &TenantId, user: &UserId) -> Self {
        let mut browser = Self::new(hub);
        let token = crate::team::service::open_session(hub, tenant, user).await.unwrap();
        browser.keep(cookies::set_session(&hub.config, &token).to_str().unwrap());
        browser
    }

    /// The same browser, sending one more header with every request.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The token that pages give this browser.
    pub(crate) fn csrf(&self) -> String {
        let of =
            |name: &str| self.cookies.iter().find(|(held, _)| held.ends_with(name)).map(|(_, value)| value);
        csrf::token(of("tl_session").or_else(|| of("tl_visitor")).map_or("", String::as_str))
    }

    /// Opens a page.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    /// Asks for a fragment, as htmx does.
    pub(crate) async fn fragment(&mut self, path: &str) -> Answer {
        self.clone().with("hx-request", "true").get(path).await
    }

    /// Sends a form with its token.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.csrf();
        self.post_raw(path, &[fields, &[(csrf::FIELD, token.as_str())]].concat()).await
    }

    /// Sends a form as it is.
    pub(crate) async fn post_raw(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Method::POST, path, Body::from(body)).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Body) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("host", "hub.test")
            .header(COOKIE, cookies.join("; "));
        if method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let response = self.app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            self.keep(cookie.to_str().unwrap());
        }
        let body = to_bytes(body, 10_000_000).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    fn keep(&mut self, cookie: &str) {
        let (name, rest) = cookie.split_once('=').unwrap();
        let value = rest.split(';').next().unwrap();
        if rest.contains("Max-Age=0;") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}
