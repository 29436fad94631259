//! The readable page of the API, drawn from its description: no script, no other host.

use askama::Template;
use axum::response::Html;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::web::assets;

#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "preserve",
    source = r##"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} API</title><link rel="stylesheet" href="{{ style }}"></head>
<body><main class="page api-docs"><header class="page-head"><div class="page-title"><h1>{{ title }} API</h1>
<p class="lede">{{ description }}</p>
<p><code>Authorization: Bearer tlk_…</code> · <a href="/api/v1/openapi.json">openapi.json</a></p></div></header>
<nav aria-label="Contents"><ul>{% for group in groups %}<li>{{ group.name }}<ul>{% for call in group.calls %}<li><a href="#{{ call.id }}"><code>{{ call.method }} {{ call.path }}</code></a></li>{% endfor %}</ul></li>{% endfor %}<li><a href="#bodies">Bodies</a></li></ul></nav>
{% for group in groups %}<section><h2>{{ group.name }}</h2>
{% for call in group.calls %}<article id="{{ call.id }}"><h3><code>{{ call.method }} {{ call.path }}</code></h3>
<p>{{ call.text }}</p>
{% if !call.fields.is_empty() %}<table><thead><tr><th>Parameter</th><th>Type</th><th>Meaning</th></tr></thead><tbody>{% for field in call.fields %}<tr><td><code>{{ field.name }}</code></td><td>{{ field.kind }}</td><td>{{ field.text }}</td></tr>{% endfor %}</tbody></table>{% endif %}
{% if let Some(body) = call.body %}<p>Body: {% if body.is_known %}<a href="#body-{{ body.name }}"><code>{{ body.name }}</code></a>{% else %}<code>{{ body.name }}</code>{% endif %}</p>{% endif %}
<ul>{% for answer in call.answers %}<li><strong>{{ answer.status }}</strong> {{ answer.text }}{% if let Some(body) = answer.body %} {% if body.is_known %}<a href="#body-{{ body.name }}"><code>{{ body.name }}</code></a>{% else %}<code>{{ body.name }}</code>{% endif %}{% endif %}</li>{% endfor %}</ul></article>
{% endfor %}</section>{% endfor %}
<section id="bodies"><h2>Bodies</h2>
{% for body in bodies %}<article id="body-{{ body.name }}"><h3><code>{{ body.name }}</code></h3><p>{{ body.text }}</p>
{% if !body.fields.is_empty() %}<table><thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>{% for field in body.fields %}<tr><td><code>{{ field.name }}</code></td><td>{{ field.kind }}</td><td>{{ field.text }}</td></tr>{% endfor %}</tbody></table>{% endif %}</article>
{% endfor %}</section></main></body></html>"##
)]
struct DocsPage {
    title: String,
    description: String,
    style: &'static str,
    groups: Vec<Group>,
    bodies: Vec<Body>,
}

/// The calls of one tag.
struct Group {
    name: String,
    calls: Vec<Call>,
}

struct Call {
    id: String,
    method: String,
    path: String,
    text: String,
    fields: Vec<Field>,
    body: Option<Named>,
    answers: Vec<Answer>,
}

struct Answer {
    status: String,
    text: String,
    body: Option<Named>,
}

struct Body {
    name: String,
    text: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: String,
    text: String,
}

/// A schema's name, and whether it is among the bodies.
struct Named {
    name: String,
    is_known: bool,
}

/// The page; drawn once at the start.
pub(super) fn page(openapi: &OpenApi) -> Html<String> {
    let openapi = serde_json::to_value(openapi).unwrap_or_default();
    let page = DocsPage {
        title: text(at(&openapi, "info"), "title"),
        description: text(at(&openapi, "info"), "description"),
        style: assets::address("app.css"),
        groups: groups(&openapi),
        bodies: members(at(at(&openapi, "components"), "schemas"))
            .map(|(name, schema)| body(name, schema))
            .collect(),
    };
    Html(page.render().unwrap_or_default())
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

fn groups(openapi: &Value) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, operations) in members(at(openapi, "paths")) {
        for (method, operation) in
            members(operations).filter(|(_, operation)| at(operation, "responses").is_object())
        {
            let name =
                items(at(operation, "tags")).next().and_then(Value::as_str).unwrap_or("Other").to_owned();
            let call = call(path, method, operation);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.calls.push(call),
                None => groups.push(Group { name, calls: vec![call] }),
            }
        }
    }
    groups
}

fn call(path: &str, method: &str, operation: &Value) -> Call {
    let parameter = |parameter: &Value| Field {
        name: text(parameter, "name"),
        kind: kind(at(parameter, "schema")),
        text: text(parameter, "description"),
    };
    let answer = |(status, answer): (&String, &Value)| Answer {
        status: status.clone(),
        text: text(answer, "description"),
        body: content(answer),
    };
    let (summary, more) = (text(operation, "summary"), text(operation, "description"));
    Call {
        id: text(operation, "operationId"),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        text: if more.is_empty() { summary } else { format!("{summary} {more}") },
        fields: items(at(operation, "parameters")).map(parameter).collect(),
        body: content(at(operation, "requestBody")),
        answers: members(at(operation, "responses")).map(answer).collect(),
    }
}

/// The schema of what a request or an answer holds.
fn content(holder: &Value) -> Option<Named> {
    let (_, content) = members(at(holder, "content")).next()?;
    let schema = at(content, "schema");
    let is_known = at(schema, "$ref").is_string();
    Some(Named { name: kind(schema), is_known })
}

fn body(name: &str, schema: &Value) -> Body {
    let required: Vec<&str> = items(at(schema, "required")).filter_map(Value::as_str).collect();
    let field = |(name, schema): (&String, &Value)| Field {
        name: name.clone(),
        kind: if required.contains(&name.as_str()) {
            kind(schema)
        } else {
            format!("{} (may be absent)", kind(schema))
        },
        text: text(schema, "description"),
    };
    let fields = members(at(schema, "properties")).map(field).collect();
    let words: Vec<&str> = items(at(schema, "enum")).filter_map(Value::as_str).collect();
    let more = if words.is_empty() { String::new() } else { format!(" One of {}.", words.join(", ")) };
    Body { name: name.to_owned(), text: text(schema, "description") + &more, fields }
}

/// A schema's type in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = at(schema, "$ref").as_str().and_then(|path| path.rsplit('/').next()) {
        return name.to_owned();
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        let kinds: Vec<String> = items(at(schema, several)).map(kind).collect();
        if !kinds.is_empty() {
            return kinds.join(" or ");
        }
    }
    match at(schema, "type") {
        Value::String(name) if name == "array" => format!("list of {}", kind(at(schema, "items"))),
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}
