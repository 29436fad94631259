//! Walks a JSON value along the tables and collects what LINE would complain of.

use serde_json::{Map, Value};

use super::{
    Detail, Refusal, Rules,
    action::Place,
    value::{self, UrlFault},
};

/// Nesting at which the walk stops. JSON that was read by `serde_json` cannot be deeper.
const MAX_DEPTH: usize = 128;

/// Findings at which the walk stops to note more, so that a large bad body does not make a larger answer.
const MAX_FINDINGS: usize = 100;

/// An object: its fields, and what cannot be said of one field alone.
pub(super) struct Object {
    pub(super) fields: &'static [&'static [Field]],
    pub(super) rule: Option<Rule>,
}

/// A check over several fields of an object that stands at the given place.
pub(super) type Rule = fn(&mut Checker, &Map<String, Value>, &At<'_>);

/// The objects that may stand somewhere, by `type`.
pub(super) type Types = &'static [(&'static str, &'static Object)];

/// A field of an object; [`need!`] and [`may!`] write one.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) kind: Kind,
}

/// A required field.
macro_rules! need {
    ($name:literal, $kind:expr) => {
        $crate::validate::check::Field { name: $name, required: true, kind: $kind }
    };
}

/// An optional field.
macro_rules! may {
    ($name:literal, $kind:expr) => {
        $crate::validate::check::Field { name: $name, required: false, kind: $kind }
    };
}

pub(super) use {may, need};

/// What a field may hold.
pub(super) enum Kind {
    /// A text of at most so many UTF-16 units; a required one is not empty.
    Units(usize),
    /// A text of at most so many grapheme clusters; a required one is not empty.
    Graphemes(usize),
    /// A template's text, in graphemes, by whether a picture or title stands beside it.
    TemplateText { alone: usize, with_title: usize },
    /// A text of at most so many UTF-16 units, which may be empty.
    Data(usize),
    /// A token, of no known length.
    Opaque,
    /// A text of a form.
    Form(fn(&str) -> bool),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A whole number between two bounds.
    Integer(i64, i64),
    /// A number between two bounds.
    Number(f64, f64),
    /// The address of a file that LINE fetches.
    Media,
    /// The address of a link, of at most so many UTF-16 units.
    Link(usize),
    /// A list.
    List { min: usize, max: usize, each: &'static Kind },
    /// An object used as a map, with at most so many keys of a form.
    Map { max: usize, key: fn(&str) -> bool, each: &'static Kind },
    /// An object of one type.
    Object(&'static Object),
    /// An object of one of several types.
    AnyOf(Types),
    /// An action.
    Action(&'static Place),
}

/// How a path is written, and with it which of LINE's steps speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `messages[0].text`, from the check of the body.
    Body,
    /// `template/columns/5/title`, from the check of a message's content.
    Message,
    /// `/contents/0/footer`, likewise, inside a Flex container.
    Container,
}

/// A place in the body: a list of steps that lives on the stack of the walk.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
    style: Style,
    in_action: bool,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    pub(super) fn root(style: Style) -> Self {
        Self { parent: None, step: Step::Root, style, in_action: false, depth: 0 }
    }

    pub(super) fn name(&'a self, name: &'a str) -> Self {
        self.step(Step::Name(name))
    }

    pub(super) fn index(&'a self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    /// The same place, where actions are spoken of: LINE uses other words there, also in the body's own
    /// style.
    pub(super) fn in_action(self) -> Self {
        Self { in_action: true, ..self }
    }

    fn step(&'a self, step: Step<'a>) -> Self {
        Self { parent: Some(self), step, depth: self.depth + 1, ..*self }
    }

    fn property(&self) -> String {
        let mut steps: Vec<Step<'_>> =
            std::iter::successors(Some(self), |at| at.parent).map(|at| at.step).collect();
        steps.reverse();
        let mut text = String::new();
        for step in steps {
            match (step, self.style) {
                (Step::Root, _) => {}
                (Step::Index(index), Style::Body) => text.push_str(&format!("[{index}]")),
                (Step::Name(name), Style::Body) if text.is_empty() => text.push_str(name),
                (Step::Name(name), Style::Body) => text.push_str(&format!(".{name}")),
                (Step::Name(name), Style::Message) if text.is_empty() => text.push_str(name),
                (Step::Name(name), _) => text.push_str(&format!("/{name}")),
                (Step::Index(index), _) => text.push_str(&format!("/{index}")),
            }
        }
        if text.is_empty() && self.style == Style::Container { "/".to_owned() } else { text }
    }
}

/// What is wrong with a value.
pub(super) enum Fault {
    Missing,
    WrongType,
    TooLong(usize),
    Size(usize, usize),
    NotOneOf(Vec<&'static str>),
    OutOfRange(String),
    Invalid,
    Url(UrlFault),
    Said(String),
}

/// The walk: collects faults, and knows which message it is in.
pub(super) struct Checker {
    pub(super) rules: Rules,
    /// The message being walked.
    pub(super) message: usize,
    /// Animated pictures seen in this message.
    pub(super) animated: usize,
    found: Vec<Found>,
}

struct Found {
    message: usize,
    style: Style,
    wrong_type: bool,
    detail: Detail,
}

impl Checker {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, message: 0, animated: 0, found: Vec::new() }
    }

    /// The answer to all that was found, by the first of LINE's steps that found something.
    pub(super) fn refusal(self) -> Result<(), Refusal> {
        if let Some(first) = self.found.iter().find(|found| found.wrong_type && found.style == Style::Body) {
            let property = first.detail.property.as_deref().unwrap_or_default();
            let message =
                format!("The property, '{property}', in the request body is invalid (line: -, column: -)");
            return Err(Refusal { message, details: Vec::new() });
        }
        let (body, content): (Vec<Found>, Vec<Found>) =
            self.found.into_iter().partition(|found| found.style == Style::Body);
        if !body.is_empty() {
            let message = format!("The request body has {} error(s)", body.len());
            return Err(Refusal { message, details: body.into_iter().map(|found| found.detail).collect() });
        }
        let Some(first) = content.first().map(|found| found.message) else {
            return Ok(());
        };
        Err(Refusal {
            message: format!("A message (messages[{first}]) in the request body is invalid"),
            details: content
                .into_iter()
                .filter(|found| found.message == first)
                .map(|found| found.detail)
                .collect(),
        })
    }

    /// Notes a fault at a place, in LINE's words (PLATFORM 5, "Detail texts").
    pub(super) fn say(&mut self, at: &At<'_>, fault: Fault) {
        if self.found.len() >= MAX_FINDINGS {
            return;
        }
        let in_body = at.style == Style::Body && !at.in_action;
        let wrong_type = matches!(fault, Fault::WrongType);
        let text = match fault {
            Fault::Missing if in_body => "May not be empty".to_owned(),
            Fault::Missing => "must be specified".to_owned(),
            Fault::TooLong(max) if in_body => format!("Length must be between 0 and {max}"),
            Fault::TooLong(max) => format!("must not be longer than {max} characters"),
            Fault::Size(min, max) => format!("Size must be between {min} and {max}"),
            Fault::NotOneOf(values) if in_body => {
                format!("Must be one of the following values: [{}]", values.join(", "))
            }
            Fault::OutOfRange(bounds) => format!("Must be between {bounds}"),
            Fault::Url(UrlFault::Scheme) => "invalid uri scheme".to_owned(),
            Fault::Url(UrlFault::Form) => "invalid uri".to_owned(),
            Fault::Said(text) => text,
            Fault::WrongType | Fault::NotOneOf(_) | Fault::Invalid => "invalid property".to_owned(),
        };
        let detail = Detail { message: Some(text), property: Some(at.property()) };
        self.found.push(Found { message: self.message, style: at.style, wrong_type, detail });
    }

    /// Checks all fields of an object, then its rule.
    pub(super) fn object(&mut self, members: &Map<String, Value>, object: &Object, at: &At<'_>) {
        if at.depth > MAX_DEPTH {
            return self.say(at, Fault::Invalid);
        }
        for field in object.fields.iter().copied().flatten() {
            self.field(members, field, at);
        }
        if let Some(rule) = object.rule {
            rule(self, members, at);
        }
    }

    /// Checks one field of the object that stands at `at`.
    pub(super) fn field(&mut self, members: &Map<String, Value>, field: &Field, at: &At<'_>) {
        let at = at.name(field.name);
        match present(members, field.name) {
            Some(Value::String(text))
                if text.is_empty() && field.required && !matches!(field.kind, Kind::Data(_)) =>
            {
                self.say(&at, Fault::Missing);
            }
            Some(value) => self.value(value, &field.kind, members, &at),
            None if field.required => self.say(&at, Fault::Missing),
            None => {}
        }
    }

    /// Checks a value; `beside` is the object it stands in.
    fn value(&mut self, value: &Value, kind: &Kind, beside: &Map<String, Value>, at: &At<'_>) {
        match (kind, value) {
            (
                Kind::Units(_)
                | Kind::Graphemes(_)
                | Kind::TemplateText { .. }
                | Kind::Data(_)
                | Kind::Opaque
                | Kind::Form(_)
                | Kind::OneOf(_)
                | Kind::Media
                | Kind::Link(_),
                Value::String(text),
            ) => {
                if let Err(fault) = self.text(text, kind, beside) {
                    self.say(at, fault);
                }
            }
            (Kind::Flag, Value::Bool(_)) => {}
            (Kind::Integer(min, max), Value::Number(number)) => match number.as_i64() {
                Some(number) if (*min..=*max).contains(&number) => {}
                Some(_) => self.say(at, Fault::OutOfRange(format!("{min} and {max}"))),
                None => self.say(at, Fault::WrongType),
            },
            (Kind::Number(min, max), Value::Number(number)) => {
                if !number.as_f64().is_some_and(|number| (*min..=*max).contains(&number)) {
                    self.say(at, Fault::OutOfRange(format!("{min} and {max}")));
                }
            }
            (Kind::List { min, max, each }, Value::Array(items)) => {
                if !(*min..=*max).contains(&items.len()) {
                    self.say(at, Fault::Size(*min, *max));
                }
                for (index, item) in items.iter().take(*max).enumerate() {
                    self.value(item, each, beside, &at.index(index));
                }
            }
            (Kind::Map { max, key, each }, Value::Object(members)) => {
                if members.len() > *max {
                    self.say(at, Fault::Size(0, *max));
                }
                for (name, item) in members.iter().take(*max) {
                    let at = at.name(name);
                    if !key(name) {
                        self.say(&at, Fault::Invalid);
                    }
                    self.value(item, each, members, &at);
                }
            }
            (Kind::Object(object), Value::Object(members)) => self.object(members, object, at),
            (Kind::AnyOf(types), Value::Object(members)) => self.any_of(members, types, at),
            (Kind::Action(place), Value::Object(members)) => place.check(self, members, at),
            _ => self.say(at, Fault::WrongType),
        }
    }

    /// Checks an object by its `type`.
    pub(super) fn any_of(&mut self, members: &Map<String, Value>, types: Types, at: &At<'_>) {
        let kind_at = at.name("type");
        match present(members, "type") {
            None => self.say(&kind_at, Fault::Missing),
            Some(Value::String(kind)) => match types.iter().find(|(name, _)| name == kind) {
                Some((_, object)) => self.object(members, object, at),
                None if at.style == Style::Body => {
                    self.say(&kind_at, Fault::NotOneOf(types.iter().map(|(name, _)| *name).collect()));
                }
                // Seen at LINE for a component that may not stand in a box: `/footer/contents/2` is an
                // invalid property.
                None => self.say(at, Fault::Invalid),
            },
            Some(_) => self.say(&kind_at, Fault::WrongType),
        }
    }

    fn text(&self, text: &str, kind: &Kind, beside: &Map<String, Value>) -> Result<(), Fault> {
        let at_most = |count: usize, max: usize| if count > max { Err(Fault::TooLong(max)) } else { Ok(()) };
        match kind {
            Kind::Units(max) | Kind::Data(max) => at_most(value::units(text), *max),
            Kind::Graphemes(max) => at_most(value::graphemes(text), *max),
            Kind::TemplateText { alone, with_title } => {
                let titled = has_text(beside, "title") || has_text(beside, "thumbnailImageUrl");
                at_most(value::graphemes(text), if titled { *with_title } else { *alone })
            }
            Kind::Form(is_valid) if !is_valid(text) => Err(Fault::Invalid),
            Kind::OneOf(values) if !values.contains(&text) => Err(Fault::NotOneOf(values.to_vec())),
            Kind::Media => {
                at_most(value::units(text), crate::limits::URL)?;
                value::media_url(text, self.rules).map_err(Fault::Url)
            }
            Kind::Link(max) => {
                at_most(value::units(text), *max)?;
                value::link(text).map_err(Fault::Url)
            }
            _ => Ok(()),
        }
    }
}

/// A member that is there and not `null`.
pub(super) fn present<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

/// The text of a member; empty if it is no text.
pub(super) fn text_of<'a>(members: &'a Map<String, Value>, name: &str) -> &'a str {
    members.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Tells whether a member is a text that is not empty.
pub(super) fn has_text(members: &Map<String, Value>, name: &str) -> bool {
    !text_of(members, name).is_empty()
}

/// The elements of a member; none if it is no array.
pub(super) fn items_of<'a>(members: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    members.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
