//! The base of the JSON API `/api/v1` (CONTRACT section 1): keys and scopes, problem bodies, JSON in, lists out.
//!
//! # How a slice adds its calls
//! Its `api.rs` has `pub fn routes() -> OpenApiRouter<Hub>`, which `wiring.rs` merges into [`routes`]:
//!
//! ```text
//! pub fn routes() -> OpenApiRouter<Hub> {
//!     OpenApiRouter::new().routes(routes!(list_things, add_thing)).routes(routes!(get_thing))
//! }
//!
//! /// The things of the tenant.
//! #[utoipa::path(get, path = "/things", tag = "Things", params(PageParams, ("q" = Option<String>, Query, description = "…")),
//!     responses((status = 200, body = Paged<ThingView>), Problems))]
//! async fn list_things(State(hub): State<Hub>, CanRead(caller): CanRead, params: Params) -> ApiResult<Json<Paged<ThingView>>> {
//!     let page = params.page()?;                                  // limit and cursor
//!     let after = page.after::<(Timestamp, String)>()?;           // the last key of the page before
//!     let rows = service::list(&hub, &caller.scope, params.text("q"), after, page.fetch()).await?;
//!     Ok(Json(page.wrap(rows, |row| (row.created_at, row.id.clone())).map(ThingView::from)))
//! }
//!
//! #[utoipa::path(post, path = "/things", tag = "Things", request_body = NewThing,
//!     responses((status = 201, body = ThingView), Problems))]
//! async fn add_thing(State(hub): State<Hub>, CanManage(caller): CanManage, Input(new): Input<NewThing>)
//!     -> ApiResult<(StatusCode, Json<ThingView>)> { … }
//!
//! #[utoipa::path(get, path = "/things/{id}", tag = "Things", params(("id" = String, Path)),
//!     responses((status = 200, body = ThingView), Problems))]
//! async fn get_thing(State(hub): State<Hub>, CanRead(caller): CanRead, Ident(id): Ident<ThingId>) -> …
//! ```
//!
//! Paths are written without `/api/v1`. Handlers answer [`AppError`] through `?`, which answers as a problem
//! body. `Idempotency-Key` and authentication are done around every call, a handler only names the scope it needs.

mod describe;
mod docs;
mod idempotency;
mod repo;

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::LogAndIgnore;
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::{ApiKeyId, Id};
use crate::scope::Scope;
use crate::team::{Actor, Key, KeyScope, KeyScopes};
use crate::text::storable;

pub use describe::{AsksLine, MayCost, Media, Problems};
pub(crate) use repo::STATEMENTS;

/// Items of a list that are answered when the caller names no `limit`.
const DEFAULT_LIMIT: i64 = 50;
/// The largest file in a call, in bytes.
pub const MAX_FILE: usize = 25 << 20;
/// The largest body of a call, in bytes: such a file and the form around it.
pub const MAX_BODY: usize = MAX_FILE + (64 << 10);
/// How long the result of a call with an `Idempotency-Key` is kept (CONTRACT section 1).
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How often results that were kept long enough are removed.
const TIDY_EVERY: Duration = Duration::from_secs(600);
/// The most that a caller may ask for.
const MAX_LIMIT: i64 = 200;

/// `/api/v1`: the slices' calls with their description, and its readable page, which belongs among the pages.
pub fn routes(hub: &Hub, slices: OpenApiRouter<Hub>) -> (Router<Hub>, Router<Hub>) {
    let base = OpenApiRouter::with_openapi(Base::openapi());
    let (calls, mut openapi) = base.nest("/api/v1", slices).split_for_parts();
    let components = openapi.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.security_schemes.insert("key".to_owned(), bearer.into());
    describe::gate(&mut openapi);
    describe::answers(&mut openapi);
    openapi.security = Some(vec![SecurityRequirement::new::<_, _, &str>("key", [])]);
    let docs = docs::routes(&openapi);
    let openapi = Bytes::from(openapi.to_json().unwrap_or_default());
    let description = move || async move { ([(CONTENT_TYPE, "application/json")], openapi) };
    let calls = calls
        .route_layer(middleware::from_fn_with_state(hub.clone(), gate))
        .route("/api/v1/openapi.json", get(description))
        .route("/api/{*path}", axum::routing::any(nothing_here))
        .method_not_allowed_fallback(wrong_method);
    (calls, docs)
}

/// Removes what `Idempotency-Key` kept for 24 hours, until the hub stops.
///
/// # Errors
/// None: trouble is logged and passes.
pub async fn watch(hub: Hub) -> anyhow::Result<()> {
    let mut tidy = tokio::time::interval(TIDY_EVERY);
    loop {
        tokio::select! {
            _ = tidy.tick() => idempotency::expire(&hub).await.log_and_ignore("removing old idempotency keys"),
            () = hub.stop.cancelled() => return Ok(()),
        }
    }
}

/// What stands at the head of the description.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Trunkline",
        description = "LINE Official Accounts, their contacts, conversations and events. Times are RFC 3339 in UTC. \
            Unsafe methods take `Idempotency-Key`, kept 24 hours.",
    ),
    components(schemas(describe::Problem, FieldError))
)]
struct Base;

async fn nothing_here() -> AppError {
    AppError::not_found("address")
}

async fn wrong_method() -> AppError {
    let detail = "this address does not take this method";
    AppError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// Around every call: who asks, and whether the same call was made before.
async fn gate(State(hub): State<Hub>, request: Request, next: Next) -> AppResult<Response> {
    let (mut parts, body) = request.into_parts();
    let key = Key::from_request_parts(&mut parts, &hub).await?;
    let caller = Caller {
        scope: Scope::tenant_wide(key.tenant.id),
        key: key.id,
        name: key.name,
        tenant_name: key.tenant.name,
        scopes: key.scopes,
        once: None,
    };
    parts.extensions.insert(caller.clone());
    idempotency::run(&hub, &caller, Request::from_parts(parts, body), next).await
}

/// The API key that makes a call.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key's id, for the audit log.
    pub key: ApiKeyId,
    /// What the key may see: everything of its tenant.
    pub scope: Scope,
    /// The key's name.
    pub name: String,
    /// The tenant's name.
    pub tenant_name: String,
    /// What the key may be used for.
    pub scopes: KeyScopes,
    /// With an `Idempotency-Key`: the same for every try of this call, and for no other call.
    pub once: Option<String>,
}

impl Caller {
    /// The key in the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Key { id: self.key.clone(), name: self.name.clone() }
    }
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $scope:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Caller);

        impl FromRequestParts<Hub> for $name {
            type Rejection = AppError;

            async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> AppResult<Self> {
                let Anyone(caller) = Anyone::from_request_parts(parts, hub).await?;
                if !caller.scopes.has($scope) {
                    let detail = format!("this key lacks the scope {}", $scope.name());
                    return Err(AppError::new(StatusCode::FORBIDDEN, "missing_scope", detail));
                }
                Ok(Self(caller))
            }
        }
    )*};
}

scopes! {
    /// A caller whose key has the scope `read`.
    CanRead = KeyScope::Read;
    /// A caller whose key has the scope `send`.
    CanSend = KeyScope::Send;
    /// A caller whose key has the scope `manage`.
    CanManage = KeyScope::Manage;
}

/// Any caller, whatever the key's scopes.
#[derive(Debug, Clone)]
pub struct Anyone(pub Caller);

impl FromRequestParts<Hub> for Anyone {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _hub: &Hub) -> AppResult<Self> {
        parts.extensions.get::<Caller>().cloned().map(Self).ok_or_else(AppError::unauthorized)
    }
}

/// The result of an API call; an error answers as a problem body (RFC 9457).
pub type ApiResult<T> = AppResult<T>;

/// A JSON body: 400 `bad_json` when it is not JSON, 422 with the field's name when a value is missing or odd.
#[derive(Debug)]
pub struct Input<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Hub> for Input<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, hub: &Hub) -> AppResult<Self> {
        let body = Bytes::from_request(request, hub).await.map_err(|rejection| {
            let detail = "the body cannot be read, or is too large";
            AppError::new(rejection.into_response().status(), "bad_body", detail)
        })?;
        Ok(Self(read_json(&body)?))
    }
}

/// Says that a call takes no body: one that asks for something is refused by the name of that, not overheard. An empty object
/// asks for nothing.
#[derive(Debug)]
pub struct NoBody;

impl FromRequest<Hub> for NoBody {
    type Rejection = AppError;

    async fn from_request(request: Request, hub: &Hub) -> AppResult<Self> {
        let body = Bytes::from_request(request, hub).await.unwrap_or_default();
        let asked: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let asked = asked.as_object();
        if body.trim_ascii().is_empty() || asked.is_some_and(serde_json::Map::is_empty) {
            return Ok(Self);
        }
        let field = asked.and_then(|members| members.keys().next()).map_or("body", String::as_str);
        let detail = "this call takes no body; what it takes stands in the address, after `?`";
        Err(AppError::invalid_field(field, "not_in_body", detail))
    }
}

/// Reads a JSON body as [`Input`] does.
///
/// # Errors
/// 400 `bad_json`, or 422 naming the field.
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> AppResult<T> {
    // First as any JSON: a typed read may stop at a wrong value before it meets the syntax error behind it.
    let value: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| AppError::bad_request("bad_json", format!("the body is not JSON: {error}")))?;
    // Else an array's items would be taken for the members, in their order.
    if !value.is_object() {
        return Err(AppError::invalid_field(
            "body",
            "wrong_type",
            "the body is a JSON object: {\"name\": value, …}",
        ));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let detail = error.inner().to_string();
        let missing = detail.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let (field, code) = match (missing, path.as_str()) {
            (Some(name), ".") => (name.to_owned(), "required"),
            (Some(name), path) => (format!("{path}.{name}"), "required"),
            (None, ".") => ("body".to_owned(), "wrong_type"),
            (None, path) if detail.starts_with("unknown field") => (path.to_owned(), "unknown"),
            (None, path) if detail.starts_with("invalid type") => (path.to_owned(), "wrong_type"),
            (None, path) => (path.to_owned(), "invalid"),
        };
        AppError::invalid_field(&field, code, detail)
    })
}

/// An id in the path; 404 when it cannot be one.
#[derive(Debug)]
pub struct Ident<T>(pub T);

impl<T: Id> FromRequestParts<Hub> for Ident<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> AppResult<Self> {
        let id = Path::<String>::from_request_parts(parts, hub).await.ok();
        let id = id.and_then(|Path(text)| T::parse(&text)).ok_or_else(|| AppError::not_found("id"))?;
        Ok(Self(id))
    }
}

/// The query's parameters, read one by one so that each refusal names the field. Unknown ones are ignored.
#[derive(Debug, Default)]
pub struct Params(HashMap<String, String>);

impl FromRequestParts<Hub> for Params {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _hub: &Hub) -> AppResult<Self> {
        Ok(Self::read(parts.uri.query().unwrap_or_default()))
    }
}

impl Params {
    fn read(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        // U+0000 is in nothing that is stored, and PostgreSQL refuses to look for it.
        Self(pairs.map(|(name, value)| (name.into_owned(), storable(&value))).collect())
    }

    /// A text; an empty one counts as absent.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A value that `read` understands; `expected` says in words what that is.
    ///
    /// # Errors
    /// 422 naming the parameter.
    pub fn read_as<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> AppResult<Option<T>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = || AppError::invalid_field(name, "invalid", format!("expected {expected}"));
        read(text).map(Some).ok_or_else(wrong)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// 422 naming the parameter.
    pub fn flag(&self, name: &str) -> AppResult<Option<bool>> {
        self.read_as(name, "true or false", |text| text.parse().ok())
    }

    /// An RFC 3339 time.
    ///
    /// # Errors
    /// 422 naming the parameter.
    pub fn time(&self, name: &str) -> AppResult<Option<Timestamp>> {
        self.read_as(name, "an RFC 3339 time such as 2026-01-31T08:00:00.000Z", Timestamp::parse)
    }

    /// One of our ids, with its prefix.
    ///
    /// # Errors
    /// 422 naming the parameter.
    pub fn id<T: Id>(&self, name: &str) -> AppResult<Option<T>> {
        self.read_as(name, &format!("an id that begins with {}", T::PREFIX), T::parse)
    }

    /// One of the named words.
    ///
    /// # Errors
    /// 422 naming the parameter.
    pub fn one_of<'a>(&self, name: &str, words: &[&'a str]) -> AppResult<Option<&'a str>> {
        let expected = format!("one of {}", words.join(", "));
        self.read_as(name, &expected, |text| words.iter().find(|word| **word == text).copied())
    }

    /// `limit` and `cursor`.
    ///
    /// # Errors
    /// 422 for a limit that is not 1–200.
    pub fn page(&self) -> AppResult<Page> {
        let limit = self.read_as("limit", "a number from 1 to 200", |text| {
            text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit))
        })?;
        let cursor = self.text("cursor").map(str::to_owned);
        Ok(Page { limit: limit.unwrap_or(DEFAULT_LIMIT), cursor })
    }
}

/// The parameters of every list, for its description.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by `Params::page`; here for the description only")]
pub struct PageParams {
    /// Items per page, 1 to 200; 50 when absent.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which page of a list is asked for.
#[derive(Debug)]
pub struct Page {
    limit: i64,
    cursor: Option<String>,
}

impl Page {
    /// The key of the last item of the page before, as [`Page::wrap`] was given it.
    ///
    /// # Errors
    /// 422 for a cursor that this list did not give out.
    pub fn after<K: DeserializeOwned>(&self) -> AppResult<Option<K>> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let detail = "not a cursor of this list; begin again without one";
        key.map(Some).ok_or_else(|| AppError::invalid_field("cursor", "invalid", detail))
    }

    /// How many rows to fetch: one more than fit, which tells whether there is a next page.
    #[must_use]
    pub const fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// Makes the answer of the rows that were fetched; `key` gives what the next page begins after.
    pub fn wrap<T, K: Serialize>(&self, mut rows: Vec<T>, key: impl FnOnce(&T) -> K) -> Paged<T> {
        let limit = usize::try_from(self.limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).map(key);
        let next_cursor =
            last.and_then(|key| serde_json::to_vec(&key).ok()).map(|k| URL_SAFE_NO_PAD.encode(k));
        Paged { items: rows, next_cursor }
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Paged<T> {
    /// The items.
    pub items: Vec<T>,
    /// Leads to the next page; null on the last.
    pub next_cursor: Option<String>,
}

impl<T> Paged<T> {
    /// The same page with other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Paged<U> {
        Paged { items: self.items.into_iter().map(change).collect(), next_cursor: self.next_cursor }
    }
}

/// The answer of a call that makes or changes several things.
#[derive(Debug, Serialize, ToSchema)]
pub struct Items<T> {
    /// The things.
    pub items: Vec<T>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Sample {
        name: String,
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Inner {
        count: u8,
    }

    fn refusal(body: &str) -> (u16, &'static str, Option<FieldError>) {
        let error = read_json::<Sample>(body.as_bytes()).unwrap_err();
        (error.status.as_u16(), error.code, error.fields.into_iter().next())
    }

    #[test]
    fn what_is_not_json_is_400_and_a_wrong_value_names_its_field() {
        for body in ["", "{", "name=1", "{\"name\":1", "{\"name\":1,}"] {
            assert_eq!(refusal(body).0, 400, "{body}");
            assert_eq!(refusal(body).1, "bad_json");
        }
        let cases = [
            ("{}", "name", "required"),
            ("[]", "body", "wrong_type"),
            (r#"{"name":1,"inner":[]}"#, "name", "wrong_type"),
            (r#"{"name":"a","inner":[{"count":1},{}]}"#, "inner[1].count", "required"),
            (r#"{"name":"a","inner":[{"count":300}]}"#, "inner[0].count", "invalid"),
        ];
        for (body, field, code) in cases {
            let (status, _, error) = refusal(body);
            let error = error.unwrap();
            assert_eq!((status, error.field.as_str(), error.code), (422, field, code), "{body}");
        }
    }

    #[test]
    fn a_page_has_a_cursor_only_when_there_is_more() {
        let page = Params::read("limit=2").page().unwrap();
        let first = page.wrap(vec![1, 2, 3], |n| (*n, "x"));
        assert_eq!(first.items, [1, 2]);
        let query = format!("limit=2&cursor={}", first.next_cursor.unwrap());
        let next = Params::read(&query).page().unwrap();
        assert_eq!(next.after::<(i32, String)>().unwrap(), Some((2, "x".to_owned())));
        assert!(next.wrap(vec![3], |n| *n).next_cursor.is_none());
        for wrong in ["limit=0", "limit=201", "limit=x", "limit=-1"] {
            assert_eq!(Params::read(wrong).page().unwrap_err().fields[0].field, "limit");
        }
        let wrong = Params::read("cursor=%21").page().unwrap();
        assert_eq!(wrong.after::<i64>().unwrap_err().fields[0].field, "cursor");
    }
}
