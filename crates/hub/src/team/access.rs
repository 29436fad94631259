//! Who makes a request: a person in a browser ([`Viewer`]) or a program ([`Key`]).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use super::model::{Actor, KeyScope, KeyScopes, Role, Tenant};
use super::repo;
use crate::app::Hub;
use crate::db::{DbResult, LogAndIgnore as _};
use crate::error::{AppError, AppResult};
use crate::ids::{ApiKeyId, UserId};
use crate::scope::Scope;
use crate::web::i18n::Language;
use crate::web::{Person, cookies, is_for_programs};

/// A use is written down this long after the last one, so that not every page costs a write.
const USE_NOTED_EVERY: Duration = Duration::from_secs(60);

/// How a token or key is kept.
pub(super) fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// The person who is signed in; an extractor that answers 401 (pages: the sign-in page) when nobody is.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The user.
    pub id: UserId,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// The language chosen in the profile.
    pub language: Option<Language>,
    /// The tenant.
    pub tenant: Tenant,
    pub(super) session: Vec<u8>,
    links: repo::Links,
}

impl Viewer {
    /// What this person may see: everything of the tenant, or the accounts granted.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self.role {
            Role::Owner => Scope::tenant_wide(self.tenant.id.clone()),
            Role::Agent => Scope::agent(self.tenant.id.clone(), self.id.clone()),
        }
    }

    /// This person in the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::User { id: self.id.clone(), name: self.name.clone() }
    }

    /// Whether this person may change everything of the tenant.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.role == Role::Owner
    }

    /// Goes on only for an owner.
    ///
    /// # Errors
    /// 403 for agents.
    pub fn require_owner(&self) -> AppResult<()> {
        if self.is_owner() { Ok(()) } else { Err(AppError::forbidden("only an owner may do this")) }
    }
}

/// The database did not answer when the session was looked up.
#[derive(Clone)]
struct Fault(Arc<crate::db::DbError>);

impl FromRequestParts<Hub> for Viewer {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &Hub) -> AppResult<Self> {
        if let Some(Fault(error)) = parts.extensions.get::<Fault>() {
            let detail = "the database does not answer; try again in a moment";
            tracing::warn!(error = error as &dyn std::error::Error, "a session could not be looked up");
            return Err(AppError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail));
        }
        parts.extensions.get::<Self>().cloned().ok_or_else(AppError::unauthorized)
    }
}

/// `Option<Viewer>`: pages that are also for those who are not signed in.
impl OptionalFromRequestParts<Hub> for Viewer {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &Hub) -> AppResult<Option<Self>> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// Looks up the session of the request's cookie and puts [`Viewer`] and [`Person`] into the request.
pub async fn attach_session(State(hub): State<Hub>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with("/assets/") || is_for_programs(path) {
        return next.run(request).await;
    }
    let Some(token) = cookies::session(&hub.config, request.headers()) else {
        return next.run(request).await;
    };
    match viewer(&hub, &token).await {
        Ok(None) => next.run(request).await,
        Err(error) => {
            request.extensions_mut().insert(Fault(Arc::new(error)));
            next.run(request).await
        }
        Ok(Some((viewer, is_stale))) => {
            let person = Person {
                name: viewer.name.clone(),
                email: viewer.email.clone(),
                tenant: viewer.tenant.name.clone(),
                language: viewer.language,
                time_zone: viewer.tenant.time_zone.clone(),
                is_owner: viewer.is_owner(),
                site_url: viewer.links.site_url.clone(),
                support_url: viewer.links.support_url.clone(),
                expires_at: viewer.links.expires_at,
            };
            if is_stale {
                live_on(&hub, &viewer).await.log_and_ignore("noting that a session is in use");
            }
            request.extensions_mut().insert(person);
            request.extensions_mut().insert(viewer);
            let mut response = next.run(request).await;
            // The cookie lives on with the session, unless the handler signed out or in.
            if is_stale && !response.headers().contains_key(SET_COOKIE) {
                response.headers_mut().append(SET_COOKIE, cookies::set_session(&hub.config, &token));
            }
            response
        }
    }
}

/// The viewer of a session's token, and whether its last use is long enough ago to be noted anew.
pub(super) async fn viewer(hub: &Hub, token: &str) -> DbResult<Option<(Viewer, bool)>> {
    let session = hash(token);
    let now = hub.now();
    let Some(row) = repo::session(&hub.db, &session, now).await? else { return Ok(None) };
    let (role, language, links) = (row.role()?, row.language(), row.links.clone());
    let tenant = Tenant { id: row.tenant_id, name: row.tenant_name, time_zone: row.time_zone };
    let is_stale = now.since(row.last_used_at) > USE_NOTED_EVERY;
    let viewer =
        Viewer { id: row.user_id, name: row.name, email: row.email, role, language, tenant, session, links };
    Ok(Some((viewer, is_stale)))
}

async fn live_on(hub: &Hub, viewer: &Viewer) -> DbResult<()> {
    let (now, tenant) = (hub.now(), &viewer.tenant.id);
    let mut tx = hub.db.begin().await?;
    let expires_at = now.plus(hub.config.session_life);
    repo::touch_session(&mut tx, &viewer.session, tenant, &viewer.id, now, expires_at).await?;
    tx.commit().await
}

/// The API key of a request; an extractor that answers 401 without a valid `Authorization: Bearer tlk_…`.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key.
    pub id: ApiKeyId,
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    pub scopes: KeyScopes,
    /// The tenant.
    pub tenant: Tenant,
}

impl Key {
    /// What the key may see: everything of its tenant.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::tenant_wide(self.tenant.id.clone())
    }

    /// The key in the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Key { id: self.id.clone(), name: self.name.clone() }
    }

    /// Goes on only with this scope.
    ///
    /// # Errors
    /// 403 `missing_scope` that names it.
    pub fn require(&self, scope: KeyScope) -> AppResult<()> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        let detail = format!("this key lacks the scope {}", scope.name());
        Err(AppError::new(StatusCode::FORBIDDEN, "missing_scope", detail))
    }
}

impl FromRequestParts<Hub> for Key {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> AppResult<Self> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, key) =
            header.and_then(|text| text.split_once(' ')).ok_or_else(AppError::unauthorized)?;
        let key = key.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || !key.starts_with(super::service::KEY_PREFIX) {
            return Err(AppError::unauthorized());
        }
        let row = repo::key(&hub.db, &hash(key)).await?.ok_or_else(AppError::unauthorized)?;
        let now = hub.now();
        if row.last_used_at.is_none_or(|at| now.since(at) > USE_NOTED_EVERY) {
            let note = async {
                let mut tx = hub.db.begin().await?;
                repo::touch_key(&mut tx, &row.id, now).await?;
                tx.commit().await
            };
            note.await.log_and_ignore("noting that an API key is in use");
        }
        let scopes = row.scopes();
        let tenant = Tenant { id: row.tenant_id, name: row.tenant_name, time_zone: row.time_zone };
        Ok(Self { id: row.id, name: row.name, scopes, tenant })
    }
}
