//! What the description says of every call beside its own words: refusals, and the key that unsafe calls take.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::ToSchema;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{
    ContentBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
};

use crate::error::FieldError;

/// What [`gate`](super::gate) and the extractors do around every call: the key of an unsafe one, and refusals that need no handler.
pub(super) fn gate(openapi: &mut OpenApi) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "any string of up to 64 visible characters; the same key and body answers the first result, for 24 hours",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(64))))
        .build();
    for (path, item) in &mut openapi.paths.paths {
        let changes =
            [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].map(|call| (true, call));
        for (changes, call) in changes.into_iter().chain([(false, &mut item.get)]) {
            let Some(call) = call else { continue };
            let mut refusals = Vec::new();
            if path.contains('{') {
                refusals.push(("404", "there is no such thing, or not in this key's tenant"));
            }
            if changes {
                call.parameters.get_or_insert_default().push(key.clone().into());
                refusals.push(("409", "the state of things is against it, or the `Idempotency-Key` was used with another body; `code` tells which"));
                refusals.push(("413", "the body is too large"));
            }
            if call.request_body.is_some() {
                refusals.push(("400", "the body cannot be read"));
            }
            for (status, text) in refusals {
                call.responses.responses.entry(status.to_owned()).or_insert_with(|| problem(text).into());
            }
        }
    }
}

/// OpenAPI 3.1 wants words for every answer; those that need none but their status get its name.
pub(super) fn answers(openapi: &mut OpenApi) {
    for item in openapi.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete, &mut item.put];
        for (status, answer) in
            operations.into_iter().flatten().flat_map(|operation| &mut operation.responses.responses)
        {
            let name =
                status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok()?.canonical_reason());
            if let (RefOr::T(answer), Some(name)) = (answer, name)
                && answer.description.is_empty()
            {
                name.clone_into(&mut answer.description);
            }
        }
    }
}

/// A refusal, as `web` draws every [`AppError`]; here for the description only.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what `web::problem` writes")]
pub(super) struct Problem {
    /// `about:blank`: `code` tells more.
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened and what to do.
    detail: String,
    /// A word for programs.
    code: String,
    /// What is wrong with which field (422).
    errors: Option<Vec<FieldError>>,
}

/// An answer with a problem body.
fn problem(text: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(text).content("application/problem+json", content).build()
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident { $($status:literal = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(($status.to_owned(), problem($text).into())),*].into()
            }
        }
    )*};
}

refusals! {
    /// The refusals that every call may answer, for its description.
    Problems {
        "401" = "no valid key",
        "403" = "the key lacks the scope",
        "422" = "a value is missing or wrong; `errors` names it",
        "503" = "the database does not answer; try again",
        "default" = "another refusal; `code` tells which",
    }
    /// Those of a call that may cost messages of the quota.
    MayCost {
        "402" = "`paid_send_refused`: it would cost more than was allowed; `quota_exhausted`: the month's quota cannot hold it",
    }
    /// Those of a call that asks LINE.
    AsksLine {
        "502" = "`line_unavailable`: LINE did not answer",
    }
    /// Those of a call that answers media.
    Media {
        "409" = "`not_ready`: it is still being fetched from LINE",
        "410" = "`gone`: the friend took the message back, or LINE no longer has it",
        "416" = "`bad_range`: the range is outside",
    }
}
