//! The readable page of the API, drawn from its description. The frame's words are the reader's, the description is English.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::routing::get;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::app::Hub;
use crate::web::i18n::{Language, words};
use crate::web::{DOCS, Page, Ui};

#[derive(Debug, Template)]
#[template(path = "api_docs.html")]
struct DocsPage {
    ui: Ui,
    docs: Arc<Docs>,
}

/// What the page shows in one language; made once at the start.
#[derive(Debug)]
struct Docs {
    language: Language,
    title: String,
    description: String,
    groups: Vec<Group>,
    bodies: Vec<Body>,
}

/// The calls of one tag.
#[derive(Debug)]
struct Group {
    name: String,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    id: String,
    method: String,
    path: String,
    text: String,
    fields: Vec<Field>,
    body: Option<Named>,
    answers: Vec<Answer>,
}

#[derive(Debug)]
struct Answer {
    status: String,
    text: String,
    body: Option<Named>,
}

#[derive(Debug)]
struct Body {
    name: String,
    text: String,
    /// The words that it may be, as a sentence.
    choices: Option<String>,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: String,
    text: String,
}

/// A schema's name, and whether it is among the bodies.
#[derive(Debug)]
struct Named {
    name: String,
    is_known: bool,
}

/// The page's route.
pub(super) fn routes(openapi: &OpenApi) -> Router<Hub> {
    let openapi = serde_json::to_value(openapi).unwrap_or_default();
    let languages = Language::ALL.map(|language| Arc::new(Docs::new(&openapi, language)));
    let page = move |ui: Ui| async move {
        let [first, ..] = &languages;
        let docs = languages.iter().find(|docs| docs.language == ui.language()).unwrap_or(first).clone();
        Page(DocsPage { ui, docs })
    };
    Router::new().route(DOCS, get(page))
}

/// A member of an object; null where there is none.
fn at<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value, name: &str) -> String {
    at(value, name).as_str().unwrap_or_default().to_owned()
}

impl Docs {
    fn new(openapi: &Value, language: Language) -> Self {
        let words = Words(language);
        let bodies = members(at(at(openapi, "components"), "schemas"));
        Self {
            language,
            title: text(at(openapi, "info"), "title"),
            description: text(at(openapi, "info"), "description"),
            groups: words.groups(openapi),
            bodies: bodies.map(|(name, schema)| words.body(name, schema)).collect(),
        }
    }
}

/// Puts the description into words of a language.
#[derive(Debug, Clone, Copy)]
struct Words(Language);

impl Words {
    fn groups(self, openapi: &Value) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (path, operations) in members(at(openapi, "paths")) {
            for (method, operation) in
                members(operations).filter(|(_, operation)| at(operation, "responses").is_object())
            {
                let name = items(at(operation, "tags")).next().and_then(Value::as_str).unwrap_or_default();
                let call = self.call(path, method, operation);
                match groups.iter_mut().find(|group| group.name == name) {
                    Some(group) => group.calls.push(call),
                    None => groups.push(Group { name: name.to_owned(), calls: vec![call] }),
                }
            }
        }
        groups
    }

    fn call(self, path: &str, method: &str, operation: &Value) -> Call {
        let parameter = |parameter: &Value| Field {
            name: text(parameter, "name"),
            kind: self.kind(at(parameter, "schema")),
            text: text(parameter, "description"),
        };
        let answer = |(status, answer): (&String, &Value)| Answer {
            status: status.clone(),
            text: text(answer, "description"),
            body: self.content(answer),
        };
        let (summary, more) = (text(operation, "summary"), text(operation, "description"));
        Call {
            id: text(operation, "operationId"),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            text: if more.is_empty() { summary } else { format!("{summary} {more}") },
            fields: items(at(operation, "parameters")).map(parameter).collect(),
            body: self.content(at(operation, "requestBody")),
            answers: members(at(operation, "responses")).map(answer).collect(),
        }
    }

    /// The schema of what a request or an answer holds.
    fn content(self, holder: &Value) -> Option<Named> {
        let (_, content) = members(at(holder, "content")).next()?;
        let schema = at(content, "schema");
        let is_known = at(schema, "$ref").is_string();
        Some(Named { name: self.kind(schema), is_known })
    }

    fn body(self, name: &str, schema: &Value) -> Body {
        let required: Vec<&str> = items(at(schema, "required")).filter_map(Value::as_str).collect();
        let field = |(name, schema): (&String, &Value)| {
            let kind = self.kind(schema);
            let kind = if required.contains(&name.as_str()) {
                kind
            } else {
                words(self.0, "web-api-absent", &[("kind", kind.into())])
            };
            Field { name: name.clone(), kind, text: text(schema, "description") }
        };
        let fields = members(at(schema, "properties")).map(field).collect();
        let choices: Vec<&str> = items(at(schema, "enum")).filter_map(Value::as_str).collect();
        let choices = (!choices.is_empty())
            .then(|| words(self.0, "web-api-one-of", &[("words", choices.join(", ").into())]));
        Body { name: name.to_owned(), text: text(schema, "description"), choices, fields }
    }

    /// A schema's type in words.
    fn kind(self, schema: &Value) -> String {
        if let Some(name) = at(schema, "$ref").as_str().and_then(|path| path.rsplit('/').next()) {
            return name.to_owned();
        }
        let or = format!(" {} ", words(self.0, "web-api-or", &[]));
        for several in ["oneOf", "anyOf", "allOf"] {
            let kinds: Vec<String> = items(at(schema, several)).map(|schema| self.kind(schema)).collect();
            if !kinds.is_empty() {
                return kinds.join(&or);
            }
        }
        match at(schema, "type") {
            Value::String(name) if name == "array" => {
                words(self.0, "web-api-list", &[("kind", self.kind(at(schema, "items")).into())])
            }
            Value::String(name) => name.clone(),
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(&or),
            _ => words(self.0, "web-api-any", &[]),
        }
    }
}
