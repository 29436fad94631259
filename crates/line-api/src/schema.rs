//! LINE's own OpenAPI files as a checker of requests, answers and webhooks, for tests (feature `schema`).
//!
//! The files are found by `LINE_OPENAPI_DIR` (default `../shared/line/openapi` beside the project). They hold
//! shapes, not rules: most limits, error statuses and error bodies are not in them (PLATFORM 28), so passing
//! this check says less than passing [`validate`](crate::validate).

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use regex::Regex;
use serde_json::{Map, Value};

/// LINE's OpenAPI files. Clones share them.
#[derive(Debug, Clone)]
pub struct Schema {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: Vec<File>,
    patterns: HashMap<String, Regex>,
}

#[derive(Debug)]
struct File {
    name: String,
    root: Value,
}

/// One operation of LINE's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The method in capitals, e.g. `POST`.
    pub method: String,
    /// The path, e.g. `/v2/bot/profile/{userId}`.
    pub path_template: String,
    /// LINE's name for it, e.g. `getProfile`.
    pub operation_id: String,
    /// The file it stands in, without ending, e.g. `messaging-api`.
    pub file: String,
}

const WEBHOOK: &str = "webhook";
const MESSAGING_API: &str = "messaging-api";
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

impl Schema {
    /// Reads the files, once per process. Where they are absent it says so in one line and gives none.
    ///
    /// # Panics
    /// Where the files are absent and `CI=true`, and where a file cannot be read.
    #[must_use]
    pub fn load() -> Option<Self> {
        static LOADED: OnceLock<Option<Schema>> = OnceLock::new();
        LOADED.get_or_init(Self::read).clone()
    }

    /// The folder of the files.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a helper of tests, which have no configuration")]
    pub fn folder() -> PathBuf {
        let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/line/openapi");
        std::env::var("LINE_OPENAPI_DIR").map_or_else(|_| PathBuf::from(default), PathBuf::from)
    }

    #[expect(
        clippy::disallowed_methods,
        clippy::panic,
        clippy::print_stderr,
        reason = "a helper of tests, which have no configuration and fail by panicking"
    )]
    fn read() -> Option<Self> {
        let folder = Self::folder();
        let Ok(entries) = std::fs::read_dir(&folder) else {
            assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "no folder {}", folder.display());
            eprintln!("skipped: LINE's OpenAPI files are not in {}", folder.display());
            return None;
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "yml"));
        paths.sort();
        let read = |path: &PathBuf| -> Result<File, Box<dyn std::error::Error>> {
            let root = serde_saphyr::from_str(&std::fs::read_to_string(path)?)?;
            Ok(File { name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), root })
        };
        let files: Vec<File> = paths
            .iter()
            .map(|path| read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
            .collect();
        let mut patterns = HashMap::new();
        for file in &files {
            collect_patterns(&file.root, &mut patterns);
        }
        Some(Self { inner: Arc::new(Inner { files, patterns }) })
    }

    /// All operations that one can call at LINE, by file and path; without the receiving side of webhooks.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        let files = self.inner.files.iter().filter(|file| file.name != WEBHOOK);
        files
            .flat_map(|file| {
                operations_of(file).map(|(method, path, operation)| Operation {
                    method: method.to_uppercase(),
                    path_template: path.to_owned(),
                    operation_id: text(operation, "operationId").to_owned(),
                    file: file.name.clone(),
                })
            })
            .collect()
    }

    /// The statuses that LINE's file lists for an operation, in order; none for what is no operation.
    #[must_use]
    pub fn statuses(&self, method: &str, path: &str) -> Vec<u16> {
        let listed = self.operation(method, path).ok().map(|(_, operation)| member(operation, "responses"));
        let listed = listed.and_then(Value::as_object).into_iter().flatten();
        let mut statuses: Vec<u16> = listed.filter_map(|(status, _)| status.parse().ok()).collect();
        statuses.sort_unstable();
        statuses
    }

    /// Checks the body of a request; `null` where there is none. A form is given as an object of texts.
    /// `path` may have a query, which is not checked.
    ///
    /// # Errors
    /// No such operation, a body where none belongs or the reverse, or what does not fit the schema and
    /// where.
    pub fn check_request(&self, method: &str, path: &str, body: &Value) -> Result<(), String> {
        let (walk, operation) = self.operation(method, path)?;
        let Some(content) = operation.get("requestBody").and_then(|body| body.get("content")) else {
            return if body.is_null() { Ok(()) } else { Err(format!("{method} {path} takes no body")) };
        };
        let required =
            operation.get("requestBody").and_then(|body| body.get("required")) == Some(&Value::Bool(true));
        if body.is_null() && !required {
            return Ok(());
        }
        let form = ["application/x-www-form-urlencoded", "multipart/form-data"]
            .iter()
            .find_map(|kind| content.get(kind));
        match (content.get("application/json"), form) {
            (Some(json), _) => walk.check(member(json, "schema"), body, "body", Dispatch::Yes),
            (None, Some(form)) => {
                Walk { form: true, ..walk }.check(member(form, "schema"), body, "body", Dispatch::Yes)
            }
            (None, None) => Ok(()),
        }
    }

    /// Checks an answer; `null` where it has no body. An error whose status or body LINE's files leave out passes with
    /// LINE's error body.
    ///
    /// # Errors
    /// No such operation or status, or what does not fit the schema and where.
    pub fn check_response(&self, method: &str, path: &str, status: u16, body: &Value) -> Result<(), String> {
        let (walk, operation) = self.operation(method, path)?;
        let response = member(operation, "responses").get(status.to_string());
        let response = response.filter(|response| status < 400 || response.get("content").is_some());
        match response {
            Some(response) => match response.get("content") {
                None if body.is_null() || body.as_object().is_some_and(Map::is_empty) => Ok(()),
                None => Err(format!("{method} {path} answers {status} without a body")),
                Some(content) => match content.get("application/json") {
                    Some(json) => walk.check(member(json, "schema"), body, "answer", Dispatch::Yes),
                    None => Ok(()),
                },
            },
            None if status < 400 => Err(format!("{method} {path} does not answer {status}")),
            // Most refuse in OAuth's form, some in LINE's own (PLATFORM 4.1).
            None if walk.file.name == "channel-access-token" => {
                match body.get("error").or_else(|| body.get("message")) {
                    Some(Value::String(_)) => Ok(()),
                    _ => Err("answer: no text `error` or `message`".to_owned()),
                }
            }
            None => self.check_component("ErrorResponse", body),
        }
    }

    /// Checks the body of a webhook. `messageEdited`, which LINE's file does not have (PLATFORM 28), must be
    /// a message event.
    ///
    /// # Errors
    /// What does not fit the schema and where.
    pub fn check_webhook(&self, body: &Value) -> Result<(), String> {
        let walk = self.walk(WEBHOOK)?;
        let mut known = body.clone();
        let events = known.get_mut("events").and_then(Value::as_array_mut);
        for (index, event) in events.into_iter().flatten().enumerate() {
            if text(event, "type") == "messageEdited" {
                walk.check(
                    walk.component("MessageEvent")?,
                    event,
                    &format!("events[{index}]"),
                    Dispatch::No,
                )?;
                if let Some(kind) = event.get_mut("type") {
                    *kind = Value::from("message");
                }
            }
        }
        walk.check(walk.component("CallbackRequest")?, &known, "body", Dispatch::Yes)
    }

    /// Checks a value against a named schema of `messaging-api.yml`, e.g. `Message` or `BotInfoResponse`.
    ///
    /// # Errors
    /// No such schema, or what does not fit it and where.
    pub fn check_component(&self, name: &str, value: &Value) -> Result<(), String> {
        let walk = self.walk(MESSAGING_API)?;
        walk.check(walk.component(name)?, value, name, Dispatch::Yes)
    }

    fn walk(&self, file: &str) -> Result<Walk<'_>, String> {
        let file = self
            .inner
            .files
            .iter()
            .find(|known| known.name == file)
            .ok_or_else(|| format!("no file {file}.yml"))?;
        Ok(Walk { file, patterns: &self.inner.patterns, form: false })
    }

    /// Finds an operation; of several paths that fit, the one with the fewest parameters.
    fn operation(&self, method: &str, path: &str) -> Result<(Walk<'_>, &Value), String> {
        let path = path.split('?').next().unwrap_or_default();
        let files = self.inner.files.iter().filter(|file| file.name != WEBHOOK);
        let fitting = files.flat_map(|file| {
            operations_of(file)
                .filter(|(known, template, _)| known.eq_ignore_ascii_case(method) && fits(template, path))
                .map(move |(_, template, operation)| (template.matches('{').count(), file, operation))
        });
        let (_, file, operation) = fitting
            .min_by_key(|(parameters, ..)| *parameters)
            .ok_or_else(|| format!("LINE has no operation {method} {path}"))?;
        Ok((Walk { file, patterns: &self.inner.patterns, form: false }, operation))
    }
}

/// Whether a schema with a discriminator leads on to the one for the value's type. Not when that one names it
/// as its base.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dispatch {
    Yes,
    No,
}

/// A check of one value against schemas of one file.
#[derive(Clone, Copy)]
struct Walk<'a> {
    file: &'a File,
    patterns: &'a HashMap<String, Regex>,
    /// Values come from a form, so that numbers are texts.
    form: bool,
}

impl<'a> Walk<'a> {
    fn component(self, name: &str) -> Result<&'a Value, String> {
        let schemas = member(member(&self.file.root, "components"), "schemas");
        schemas.get(name).ok_or_else(|| format!("no schema {name} in {}.yml", self.file.name))
    }

    fn check(self, schema: &Value, value: &Value, at: &str, dispatch: Dispatch) -> Result<(), String> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return self.check(self.component(name)?, value, at, dispatch);
        }
        if value.is_null() && *member(schema, "nullable") == true {
            return Ok(());
        }
        if dispatch == Dispatch::Yes
            && let Some(discriminator) = schema.get("discriminator")
        {
            let name = text(discriminator, "propertyName");
            let kind =
                value.get(name).and_then(Value::as_str).ok_or_else(|| format!("{at}: no text `{name}`"))?;
            let target = member(member(discriminator, "mapping"), kind)
                .as_str()
                .ok_or_else(|| format!("{at}: unknown {name} {kind}"))?;
            let target = self.component(target.rsplit('/').next().unwrap_or_default())?;
            return self.check(target, value, at, Dispatch::No);
        }
        for part in list(schema, "allOf") {
            self.check(part, value, at, Dispatch::No)?;
        }
        let choices = list(schema, "oneOf");
        if !choices.is_empty() {
            let tried: Vec<String> = choices
                .iter()
                .filter_map(|choice| self.check(choice, value, at, Dispatch::Yes).err())
                .collect();
            if tried.len() == choices.len() {
                return Err(tried.join("; or "));
            }
        }
        self.check_type(schema, value, at)?;
        self.check_value(schema, value, at)?;
        match value {
            Value::Object(members) => self.check_members(schema, members, at),
            Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                self.check(member(schema, "items"), item, &format!("{at}[{index}]"), Dispatch::Yes)
            }),
            _ => Ok(()),
        }
    }

    fn check_type(self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let is_number = self.form && value.as_str().is_some_and(|text| text.parse::<i64>().is_ok());
        let fits = match text(schema, "type") {
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64() || is_number,
            "number" => value.is_number() || is_number,
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => true,
        };
        if fits { Ok(()) } else { Err(format!("{at}: {value} is no {}", text(schema, "type"))) }
    }

    /// Bounds, listed values and forms.
    fn check_value(self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let listed = list(schema, "enum");
        if !listed.is_empty() && !listed.contains(value) {
            return Err(format!("{at}: {value} is none of the listed values"));
        }
        let within = |size: f64, min: &str, max: &str| {
            let above = member(schema, min).as_f64().is_none_or(|min| size >= min);
            let below = member(schema, max).as_f64().is_none_or(|max| size <= max);
            if above && below { Ok(()) } else { Err(format!("{at}: {size} is not within {min} and {max}")) }
        };
        match value {
            Value::String(given) => {
                #[expect(clippy::cast_precision_loss, reason = "lengths are small")]
                within(given.chars().count() as f64, "minLength", "maxLength")?;
                let pattern =
                    member(schema, "pattern").as_str().and_then(|pattern| self.patterns.get(pattern));
                if pattern.is_some_and(|pattern| !pattern.is_match(given)) {
                    return Err(format!("{at}: {value} does not match {}", member(schema, "pattern")));
                }
                if text(schema, "format") == "uri" && url::Url::parse(given).is_err() {
                    return Err(format!("{at}: {value} is no address"));
                }
                Ok(())
            }
            Value::Number(number) => within(number.as_f64().unwrap_or_default(), "minimum", "maximum"),
            #[expect(clippy::cast_precision_loss, reason = "lengths are small")]
            Value::Array(items) => within(items.len() as f64, "minItems", "maxItems"),
            _ => Ok(()),
        }
    }

    fn check_members(self, schema: &Value, members: &Map<String, Value>, at: &str) -> Result<(), String> {
        for name in list(schema, "required").iter().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                return Err(format!("{at}: no `{name}`"));
            }
        }
        for (name, value) in members {
            let known = schema.get("properties").and_then(|properties| properties.get(name));
            if let Some(schema) =
                known.or(schema.get("additionalProperties")).filter(|schema| schema.is_object())
            {
                self.check(schema, value, &format!("{at}.{name}"), Dispatch::Yes)?;
            }
        }
        Ok(())
    }
}

/// The operations of a file: method in small letters, path and description.
fn operations_of(file: &File) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = member(&file.root, "paths").as_object().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        METHODS.iter().filter_map(move |method| Some((*method, path.as_str(), methods.get(method)?)))
    })
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given))
                if wanted == given || (wanted.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

fn collect_patterns(value: &Value, patterns: &mut HashMap<String, Regex>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(pattern)) = members.get("pattern")
                && let Ok(regex) = Regex::new(pattern)
            {
                patterns.insert(pattern.clone(), regex);
            }
            members.values().for_each(|member| collect_patterns(member, patterns));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_patterns(item, patterns)),
        _ => {}
    }
}

/// A member; `null` if there is none.
fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    static NULL: Value = Value::Null;
    value.get(name).unwrap_or(&NULL)
}

fn list<'a>(schema: &'a Value, name: &str) -> &'a [Value] {
    schema.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(schema: &'a Value, name: &str) -> &'a str {
    schema.get(name).and_then(Value::as_str).unwrap_or_default()
}
