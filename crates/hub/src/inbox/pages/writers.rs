//! Who is writing an answer at this moment: colleagues are told that, and nothing of the text.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::id;
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::UserId;
use crate::inbox::service;
use crate::scope::Scope;
use crate::team::Viewer;
use crate::web::{Page, Ui};

#[derive(Template)]
#[template(path = "inbox_writer_partial.html")]
pub(super) struct WriterPartial {
    words: String,
}

/// The reader is writing an answer.
pub(super) async fn writing(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(text): Path<String>,
) -> AppResult<StatusCode> {
    service::writing(&hub, &viewer.scope(), &viewer.id, &id(&text)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// That a colleague is writing, in words: the notice has only the id.
pub(super) async fn writer(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(text): Path<String>,
) -> AppResult<Page<WriterPartial>> {
    let user: UserId = id(&text)?;
    let tenant = Scope::tenant_wide(viewer.tenant.id.clone());
    let members = crate::team::service::members(&hub, &tenant).await?;
    let member =
        members.into_iter().find(|member| member.id == user).ok_or_else(|| AppError::not_found("user"))?;
    Ok(Page(WriterPartial { words: ui.t1("inbox-writing", "name", member.name) }))
}
