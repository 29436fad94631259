//! Uploads of user IDs in a file, as multipart forms on the data host (PLATFORM 11).

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::create::{add, created, name, upload, upload_description};
use super::{Accepted, enter, refused};
use crate::Inner;
use crate::line::entry::Caller;
use crate::line::error::LineError;

/// IDs in one file (PLATFORM 11).
const IDS_IN_FILE: usize = 1_500_000;

/// The fields of a form, and its file's text.
#[derive(Debug, Default)]
struct Form {
    fields: HashMap<String, String>,
    file: Option<String>,
}

pub(super) async fn create_by_file(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    form: Result<Multipart, MultipartRejection>,
) -> Accepted {
    let form = Form::read(form).await?;
    let ids = form.ids()?;
    let mut world = inner.world();
    enter(&inner, &mut world, &caller)?;
    let name = name(&world, &caller, form.field("description"))?;
    let is_ifa = match form.field("isIfaAudience").map(str::to_ascii_lowercase).as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(LineError::invalid_property("isIfaAudience")),
    };
    let description = upload_description(form.field("uploadDescription"))?;
    let audience = upload(&inner, &mut world, &caller, &name, is_ifa, &ids, description)?;
    Ok((StatusCode::ACCEPTED, Json(created(&audience))))
}

pub(super) async fn add_by_file(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    form: Result<Multipart, MultipartRejection>,
) -> Accepted {
    let form = Form::read(form).await?;
    let ids = form.ids()?;
    let mut world = inner.world();
    enter(&inner, &mut world, &caller)?;
    let id = form.field("audienceGroupId").and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| LineError::invalid_property("audienceGroupId"))?;
    let description = upload_description(form.field("uploadDescription"))?;
    add(&inner, &mut world, &caller, id, &ids, description)?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

impl Form {
    /// Reads the form. The file is text; a type that says nothing is taken too, since LINE's Go SDK sends `application/octet-stream`. A field
    /// may be JSON: LINE's Java SDK writes texts in quotes.
    async fn read(form: Result<Multipart, MultipartRejection>) -> Result<Self, LineError> {
        let bad = || LineError::bad_request("Bad request");
        let mut form = form.map_err(|_| {
            LineError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The content type must be multipart/form-data")
        })?;
        let mut read = Self::default();
        while let Some(field) = form.next_field().await.map_err(|_| bad())? {
            let name = field.name().unwrap_or_default().to_owned();
            let kind = field.content_type().unwrap_or("text/plain").to_ascii_lowercase();
            let text = ["text/plain", "application/octet-stream"].iter().any(|known| kind.starts_with(known));
            if name == "file" && !text {
                let message = format!("The content type, {kind}, is not supported");
                return Err(LineError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, &message));
            }
            let text = field.text().await.map_err(|_| bad())?;
            if name == "file" {
                read.file = Some(text);
            } else if kind.starts_with("application/json") {
                let value: Value = serde_json::from_str(&text).map_err(|_| bad())?;
                read.fields.insert(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            } else {
                read.fields.insert(name, text);
            }
        }
        Ok(read)
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// One ID a line.
    fn ids(&self) -> Result<Vec<&str>, LineError> {
        let file = self.file.as_ref().ok_or_else(|| LineError::property("file", "May not be empty"))?;
        let ids: Vec<&str> = file.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if ids.len() > IDS_IN_FILE {
            return Err(refused("too many audience ids", "UPLOAD_AUDIENCE_GROUP_TOO_MANY_AUDIENCE_IDS"));
        }
        Ok(ids)
    }
}
