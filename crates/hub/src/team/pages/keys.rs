//! API keys: made, shown once, revoked.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{ApiKeyId, Id as _};
use crate::secrets::Secret;
use crate::team::model::{KeyInfo, KeyScope};
use crate::team::{Viewer, service};
use crate::web::{
    Fields, FormState, Page, Ui, redirect_with_secret, redirect_with_toast, show_once, shown_secret,
};

const ADDRESS: &str = "/settings/api-keys";

#[derive(Debug, Template)]
#[template(path = "api_keys.html")]
pub(super) struct ApiKeys {
    ui: Ui,
    keys: Vec<KeyInfo>,
    form: FormState,
    /// The scopes ticked in the form.
    ticked: Vec<KeyScope>,
    /// A new key, shown this once.
    made: Option<Secret>,
}

impl ApiKeys {
    async fn new(hub: &Hub, ui: Ui, viewer: &Viewer) -> AppResult<Self> {
        let keys = service::api_keys(hub, &viewer.scope()).await?;
        Ok(Self { ui, keys, form: FormState::new(), ticked: vec![KeyScope::Read], made: None })
    }

    /// What a scope allows.
    fn about(&self, scope: &KeyScope) -> String {
        self.ui.t(match scope {
            KeyScope::Read => "team-keys-scope-read",
            KeyScope::Send => "team-keys-scope-send",
            KeyScope::Manage => "team-keys-scope-manage",
        })
    }
}

/// Whose new key waits.
fn identity(viewer: &Viewer) -> String {
    format!("api-keys/{}", viewer.id)
}

pub(super) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    headers: HeaderMap,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let page = ApiKeys::new(&hub, ui, &viewer).await?;
    Ok(match shown_secret(&hub, &headers, &identity(&viewer)) {
        Some(made) => show_once(&hub.config, Page(ApiKeys { made: Some(made), ..page })),
        None => Page(page).into_response(),
    })
}

pub(super) async fn create(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let name = fields.text("name");
    let ticked: Vec<_> = fields.all("scope").iter().filter_map(|scope| KeyScope::parse(scope)).collect();
    // Without a scope the command line makes a key with all; a form with every box empty means none.
    let made = if ticked.is_empty() {
        Err(AppError::invalid_field("scope", "required", "choose at least one scope"))
    } else {
        service::create_api_key(&hub, &viewer.tenant.id, name, &ticked, &viewer.actor()).await
    };
    match made {
        Ok((_, key)) => Ok(redirect_with_secret(&hub, ADDRESS, &identity(&viewer), &Secret::from(key))),
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let form = FormState::new().with("name", name).refused("team-error", &error.fields);
            let page = ApiKeys { form, ticked, ..ApiKeys::new(&hub, ui, &viewer).await? };
            Ok((error.status, Page(page)).into_response())
        }
        Err(error) => Err(error),
    }
}

pub(super) async fn revoke(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let id = ApiKeyId::parse(&id).ok_or_else(|| AppError::not_found("API key"))?;
    service::revoke_api_key(&hub, &viewer.scope(), &id, &viewer.actor()).await?;
    Ok(redirect_with_toast(&hub.config, ADDRESS, "team-toast-key-revoked"))
}

#[cfg(test)]
pub(super) fn samples(ui: &Ui) -> Vec<ApiKeys> {
    use crate::clock::{Entropy, Timestamp};
    use crate::team::KeyScopes;

    let (now, entropy) = (Timestamp(1_767_225_600_000), Entropy::seeded(1));
    let key = |name: &str, scopes: &[KeyScope], used| KeyInfo {
        id: ApiKeyId::new(now, &entropy),
        name: name.to_owned(),
        hint: "x7Qa".to_owned(),
        scopes: KeyScopes::new(scopes),
        created_at: now,
        last_used_at: used,
    };
    let keys = vec![key("訂單系統", &[KeyScope::Read, KeyScope::Send], Some(now)), key("CRM <1>", &[], None)];
    let wrong = FormState::new()
        .wrong("name", "team-error-name-required")
        .wrong("scope", "team-error-scope-required");
    let page = |keys, form, made| ApiKeys { ui: ui.clone(), keys, form, ticked: vec![KeyScope::Read], made };
    vec![
        page(keys, FormState::new(), Some(Secret::from("tlk_Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyMTIz"))),
        page(Vec::new(), wrong, None),
    ]
}
