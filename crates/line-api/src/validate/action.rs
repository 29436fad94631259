//! Actions, and where each may stand (PLATFORM 20).

use serde_json::{Map, Value};

use super::{
    check::{
        At, Checker, Fault, Field,
        Kind::{Data, Form, Graphemes, Link, Object as Of, OneOf, Opaque, Units},
        Object, Style, Types, has_text, may, need, present, text_of,
    },
    value,
};
use crate::{ids, limits};

/// Where an action stands: which types are allowed there, and which label.
pub(super) struct Place {
    types: Types,
    label: Field,
}

impl Place {
    /// Checks the action at `at`.
    pub(super) fn check(&self, checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
        let at = at.in_action();
        checker.any_of(members, self.types, &at);
        checker.field(members, &self.label, &at);
    }
}

/// Under a quick reply button.
pub(super) static QUICK_REPLY: Place = Place {
    types: &[
        ("postback", &POSTBACK),
        ("message", &MESSAGE),
        ("uri", &URI_WITHOUT_DESKTOP),
        ("datetimepicker", &DATETIMEPICKER),
        ("camera", &DEVICE),
        ("cameraRoll", &DEVICE),
        ("location", &DEVICE),
        ("clipboard", &CLIPBOARD),
    ],
    label: need!("label", Graphemes(limits::LABEL)),
};

/// In a template.
pub(super) static TEMPLATE: Place =
    Place { types: IN_MESSAGES, label: need!("label", Graphemes(limits::LABEL)) };

/// In an image carousel.
pub(super) static IMAGE_CAROUSEL: Place =
    Place { types: IN_MESSAGES, label: may!("label", Graphemes(limits::LABEL_IMAGE_CAROUSEL)) };

/// Under a Flex button.
pub(super) static FLEX_BUTTON: Place =
    Place { types: IN_MESSAGES, label: need!("label", Graphemes(limits::LABEL_FLEX)) };

/// Under any other part of a Flex container.
pub(super) static FLEX: Place =
    Place { types: IN_MESSAGES, label: may!("label", Graphemes(limits::LABEL_FLEX)) };

/// Under a Flex video.
pub(super) static FLEX_VIDEO: Place =
    Place { types: &[("uri", &URI)], label: may!("label", Graphemes(limits::LABEL_FLEX)) };

/// Under an area of a rich menu.
static RICH_MENU: Place = Place {
    types: &[
        ("postback", &POSTBACK),
        ("message", &MESSAGE),
        ("uri", &URI),
        ("datetimepicker", &DATETIMEPICKER),
        ("richmenuswitch", &RICHMENUSWITCH),
        ("clipboard", &CLIPBOARD),
    ],
    label: may!("label", Graphemes(limits::LABEL)),
};

/// Under an area of a rich menu, as LINE takes it: also what its app handles badly there (PLATFORM 20).
pub(super) static RICH_MENU_AT_LINE: Place = Place {
    types: &[
        ("postback", &POSTBACK),
        ("message", &MESSAGE),
        ("uri", &URI),
        ("datetimepicker", &DATETIMEPICKER),
        ("richmenuswitch", &RICHMENUSWITCH),
        ("clipboard", &CLIPBOARD),
        ("camera", &DEVICE),
        ("cameraRoll", &DEVICE),
        ("location", &DEVICE),
    ],
    label: may!("label", Graphemes(limits::LABEL)),
};

const IN_MESSAGES: Types = &[
    ("postback", &POSTBACK),
    ("message", &MESSAGE),
    ("uri", &URI),
    ("datetimepicker", &DATETIMEPICKER),
    ("clipboard", &CLIPBOARD),
];

static POSTBACK: Object = Object {
    fields: &[&[
        need!("data", Data(limits::ACTION_DATA)),
        may!("displayText", Graphemes(limits::ACTION_TEXT)),
        may!("text", Graphemes(limits::ACTION_TEXT)),
        may!("inputOption", OneOf(&["closeRichMenu", "openRichMenu", "openKeyboard", "openVoice"])),
        may!("fillInText", Graphemes(limits::ACTION_TEXT)),
    ]],
    rule: Some(postback_texts),
};

static MESSAGE: Object = Object { fields: &[&[need!("text", Graphemes(limits::ACTION_TEXT))]], rule: None };

static URI: Object =
    Object { fields: &[&[need!("uri", Link(limits::ACTION_URI)), may!("altUri", Of(&ALT_URI))]], rule: None };

static URI_WITHOUT_DESKTOP: Object =
    Object { fields: &[&[need!("uri", Link(limits::ACTION_URI))]], rule: None };

static ALT_URI: Object = Object { fields: &[&[may!("desktop", Link(limits::ACTION_URI))]], rule: None };

static DATETIMEPICKER: Object = Object {
    fields: &[&[
        need!("data", Data(limits::ACTION_DATA)),
        need!("mode", OneOf(&["date", "time", "datetime"])),
        may!("initial", Opaque),
        may!("max", Opaque),
        may!("min", Opaque),
    ]],
    rule: Some(picker_bounds),
};

/// The user's camera, pictures or place: nothing but a label.
static DEVICE: Object = Object { fields: &[], rule: None };

static RICHMENUSWITCH: Object = Object {
    fields: &[&[
        need!("richMenuAliasId", Form(ids::is_rich_menu_alias_id)),
        need!("data", Data(limits::ACTION_DATA)),
    ]],
    rule: None,
};

static CLIPBOARD: Object =
    Object { fields: &[&[need!("clipboardText", Units(limits::CLIPBOARD_TEXT))]], rule: None };

/// Checks an action of a rich menu whose path in the body is `property`.
pub(super) fn check_in_rich_menu(checker: &mut Checker, action: &Value, property: &str) {
    let root = At::root(Style::Body);
    let at = root.name(property);
    match action {
        Value::Object(members) => RICH_MENU.check(checker, members, &at),
        Value::Null => checker.say(&at, Fault::Missing),
        _ => checker.say(&at, Fault::WrongType),
    }
}

/// `displayText` and `text` exclude each other; `fillInText` needs the keyboard.
fn postback_texts(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    if has_text(members, "displayText") && has_text(members, "text") {
        checker.say(&at.name("text"), Fault::Invalid);
    }
    if has_text(members, "fillInText") && text_of(members, "inputOption") != "openKeyboard" {
        checker.say(&at.name("fillInText"), Fault::Invalid);
    }
}

/// Values have the form of the mode, and `min` lies before `max`.
fn picker_bounds(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    let mode = text_of(members, "mode");
    let mut read = |name: &str| {
        let text = present(members, name)?.as_str()?;
        let value = value::picker_value(mode, text);
        if value.is_none() {
            checker.say(&at.name(name), Fault::Invalid);
        }
        value
    };
    let (initial, max, min) = (read("initial"), read("max"), read("min"));
    if let (Some(min), Some(max)) = (&min, &max)
        && min >= max
    {
        checker.say(&at.name("min"), Fault::Invalid);
    }
    let early = initial.as_ref().zip(min.as_ref()).is_some_and(|(initial, min)| initial < min);
    let late = initial.as_ref().zip(max.as_ref()).is_some_and(|(initial, max)| initial > max);
    if early || late {
        checker.say(&at.name("initial"), Fault::Invalid);
    }
}
