//! Message objects and what is common to all (PLATFORM 19).

use serde_json::{Map, Value};

use super::{
    action,
    check::{
        At, Checker, Fault, Field,
        Kind::{
            Action, AnyOf, Form, Integer, Link, List, Map as Table, Media, Number, Object as Of, OneOf,
            Opaque, Units,
        },
        Object, Style, Types, items_of, may, need, present, text_of,
    },
    flex, template, value,
};
use crate::{ids, limits};

/// Checks the `messages` of a send.
pub(super) fn check_messages(checker: &mut Checker, messages: &Value) {
    let root = At::root(Style::Body);
    let at = root.name("messages");
    match messages {
        Value::Null => checker.say(&at, Fault::Missing),
        Value::Array(items) => {
            if !(1..=limits::MESSAGES_PER_CALL).contains(&items.len()) {
                checker.say(&at, Fault::Size(1, limits::MESSAGES_PER_CALL));
            }
            for (index, message) in items.iter().take(limits::MESSAGES_PER_CALL).enumerate() {
                check_message(checker, index, message);
            }
        }
        _ => checker.say(&at, Fault::WrongType),
    }
}

/// Checks the message that is spoken of as `messages[index]`.
pub(super) fn check_message(checker: &mut Checker, index: usize, message: &Value) {
    let root = At::root(Style::Body);
    let messages = root.name("messages");
    let at = messages.index(index);
    checker.message = index;
    checker.animated = 0;
    match message {
        Value::Object(members) => {
            checker.any_of(members, MESSAGES, &at);
            checker.object(members, &COMMON, &at);
        }
        Value::Null => checker.say(&at, Fault::Missing),
        _ => checker.say(&at, Fault::WrongType),
    }
}

const MESSAGES: Types = &[
    ("text", &TEXT),
    ("textV2", &TEXT_V2),
    ("sticker", &STICKER),
    ("image", &IMAGE),
    ("video", &VIDEO),
    ("audio", &AUDIO),
    ("location", &LOCATION),
    ("imagemap", &IMAGEMAP),
    ("template", &TEMPLATE),
    ("flex", &FLEX),
    ("coupon", &COUPON),
];

const INT32: i64 = i32::MAX as i64;

static COMMON: Object =
    Object { fields: &[&[may!("quickReply", Of(&QUICK_REPLY)), may!("sender", Of(&SENDER))]], rule: None };

static QUICK_REPLY: Object = Object {
    fields: &[&[need!(
        "items",
        List { min: 0, max: limits::QUICK_REPLY_ITEMS, each: &Of(&QUICK_REPLY_ITEM) }
    )]],
    rule: None,
};

static QUICK_REPLY_ITEM: Object = Object {
    fields: &[&[
        may!("type", OneOf(&["action"])),
        may!("imageUrl", Media),
        need!("action", Action(&action::QUICK_REPLY)),
    ]],
    rule: None,
};

static SENDER: Object = Object {
    fields: &[&[may!("name", Units(limits::SENDER_NAME)), may!("iconUrl", Media)]],
    rule: Some(sender_name),
};

static TEXT: Object = Object {
    fields: &[&[
        need!("text", Units(limits::TEXT)),
        may!("emojis", List { min: 0, max: limits::TEXT_EMOJIS, each: &Of(&EMOJI) }),
        may!("quoteToken", Opaque),
    ]],
    rule: Some(emoji_marks),
};

static EMOJI: Object = Object {
    fields: &[&[need!("index", Integer(0, INT32)), need!("productId", Opaque), need!("emojiId", Opaque)]],
    rule: None,
};

static TEXT_V2: Object = Object {
    fields: &[&[
        need!("text", Units(limits::TEXT)),
        may!(
            "substitution",
            Table {
                max: limits::SUBSTITUTIONS,
                key: value::substitution_key,
                each: &AnyOf(&[("mention", &MENTION), ("emoji", &EMOJI_V2)])
            }
        ),
        may!("quoteToken", Opaque),
    ]],
    rule: Some(substitutions),
};

static MENTION: Object = Object {
    fields: &[&[need!("mentionee", AnyOf(&[("user", &MENTIONED_USER), ("all", &MENTIONED_ALL)]))]],
    rule: None,
};

static MENTIONED_USER: Object = Object { fields: &[&[need!("userId", Form(ids::is_user_id))]], rule: None };

static MENTIONED_ALL: Object = Object { fields: &[], rule: None };

static EMOJI_V2: Object =
    Object { fields: &[&[need!("productId", Opaque), need!("emojiId", Opaque)]], rule: None };

static STICKER: Object = Object {
    fields: &[&[
        need!("packageId", Form(value::digits)),
        need!("stickerId", Form(value::digits)),
        may!("quoteToken", Opaque),
    ]],
    rule: None,
};

static IMAGE: Object = Object { fields: &[FILE_WITH_PREVIEW], rule: None };

static VIDEO: Object =
    Object { fields: &[FILE_WITH_PREVIEW, &[may!("trackingId", Form(value::tracking_id))]], rule: None };

const FILE_WITH_PREVIEW: &[Field] = &[need!("originalContentUrl", Media), need!("previewImageUrl", Media)];

static AUDIO: Object = Object {
    fields: &[&[need!("originalContentUrl", Media), need!("duration", Integer(1, i64::MAX))]],
    rule: None,
};

static LOCATION: Object = Object {
    fields: &[&[
        need!("title", Units(limits::LOCATION_TEXT)),
        need!("address", Units(limits::LOCATION_TEXT)),
        need!("latitude", Number(-90.0, 90.0)),
        need!("longitude", Number(-180.0, 180.0)),
    ]],
    rule: None,
};

static IMAGEMAP: Object = Object {
    fields: &[&[
        need!("baseUrl", Media),
        need!("altText", Units(limits::ALT_TEXT)),
        need!("baseSize", Of(&BASE_SIZE)),
        need!(
            "actions",
            List {
                min: 0,
                max: limits::IMAGEMAP_ACTIONS,
                each: &AnyOf(&[("uri", &MAP_URI), ("message", &MAP_MESSAGE), ("clipboard", &MAP_CLIPBOARD)])
            }
        ),
        may!("video", Of(&MAP_VIDEO)),
    ]],
    rule: None,
};

static BASE_SIZE: Object = Object {
    fields: &[&[
        need!("width", Integer(limits::IMAGEMAP_WIDTH, limits::IMAGEMAP_WIDTH)),
        need!("height", Integer(1, INT32)),
    ]],
    rule: None,
};

/// Fields of every action of an imagemap.
const ON_MAP: &[Field] = &[may!("label", Units(limits::IMAGEMAP_LABEL)), need!("area", Of(&AREA))];

static MAP_URI: Object =
    Object { fields: &[&[need!("linkUri", Link(limits::ACTION_URI))], ON_MAP], rule: None };

static MAP_MESSAGE: Object =
    Object { fields: &[&[need!("text", Units(limits::IMAGEMAP_TEXT))], ON_MAP], rule: None };

static MAP_CLIPBOARD: Object =
    Object { fields: &[&[need!("clipboardText", Units(limits::CLIPBOARD_TEXT))], ON_MAP], rule: None };

static AREA: Object = Object {
    fields: &[&[
        need!("x", Integer(0, INT32)),
        need!("y", Integer(0, INT32)),
        need!("width", Integer(0, INT32)),
        need!("height", Integer(0, INT32)),
    ]],
    rule: None,
};

static MAP_VIDEO: Object = Object {
    fields: &[FILE_WITH_PREVIEW, &[need!("area", Of(&AREA)), may!("externalLink", Of(&EXTERNAL_LINK))]],
    rule: None,
};

static EXTERNAL_LINK: Object = Object {
    fields: &[&[
        need!("linkUri", Link(limits::ACTION_URI)),
        need!("label", Units(limits::IMAGEMAP_VIDEO_LABEL)),
    ]],
    rule: None,
};

static TEMPLATE: Object =
    Object { fields: &[&[need!("altText", Units(limits::ALT_TEXT))]], rule: Some(template_content) };

static FLEX: Object =
    Object { fields: &[&[need!("altText", Units(limits::ALT_TEXT))]], rule: Some(flex_content) };

static COUPON: Object = Object {
    fields: &[&[need!("couponId", Opaque), may!("deliveryTag", Form(value::delivery_tag))]],
    rule: None,
};

/// The template is content: it is spoken of by its path in the message.
fn template_content(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    let in_message = At::root(Style::Message);
    content(checker, members, "template", template::TEMPLATES, at, &in_message.name("template"));
}

/// The container is content: it is spoken of by paths that begin inside it.
fn flex_content(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    content(checker, members, "contents", flex::CONTAINERS, at, &At::root(Style::Container));
}

fn content(
    checker: &mut Checker,
    members: &Map<String, Value>,
    name: &str,
    types: Types,
    at: &At<'_>,
    inside: &At<'_>,
) {
    match present(members, name) {
        Some(Value::Object(content)) => checker.any_of(content, types, inside),
        Some(_) => checker.say(&at.name(name), Fault::WrongType),
        None => checker.say(&at.name(name), Fault::Missing),
    }
}

fn sender_name(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    if value::poses_as_line(text_of(members, "name")) {
        checker.say(&at.name("name"), Fault::Invalid);
    }
}

/// Every emoji's `index` counts UTF-16 units and points at a `$`.
fn emoji_marks(checker: &mut Checker, members: &Map<String, Value>, _: &At<'_>) {
    let text: Vec<u16> = text_of(members, "text").encode_utf16().collect();
    let in_message = At::root(Style::Message);
    let emojis_at = in_message.name("emojis");
    for (place, emoji) in items_of(members, "emojis").iter().take(limits::TEXT_EMOJIS).enumerate() {
        let Some(index) = emoji.get("index").and_then(Value::as_u64) else {
            continue;
        };
        let unit = usize::try_from(index).ok().and_then(|index| text.get(index));
        if unit != Some(&u16::from(b'$')) {
            checker.say(&emojis_at.index(place).name("index"), Fault::Invalid);
        }
    }
}

/// Every `{key}` in the text has its object in `substitution`; `{{` and `}}` are braces. At most 20 mentions
/// and 20 emojis stand in the text.
fn substitutions(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    let text_at = at.name("text");
    let given = present(members, "substitution").and_then(Value::as_object);
    let (mut mentions, mut emojis) = (0, 0);
    let mut rest = text_of(members, "text");
    while let Some(brace) = rest.find(['{', '}']) {
        let (_, from_brace) = rest.split_at(brace);
        if let Some(after) = from_brace.strip_prefix("{{").or_else(|| from_brace.strip_prefix("}}")) {
            rest = after;
            continue;
        }
        let Some((key, after)) = from_brace.strip_prefix('{').and_then(|text| text.split_once('}')) else {
            return checker.say(&text_at, Fault::Invalid);
        };
        rest = after;
        if !value::substitution_key(key) {
            let said = format!(
                "The key '{key}' enclosed in '{{}}' does not match the pattern '^[a-zA-Z0-9_]{{1,20}}$'."
            );
            checker.say(&text_at, Fault::Said(said));
            continue;
        }
        match given.and_then(|given| given.get(key)).map(crate::message::kind) {
            Some("mention") => mentions += 1,
            Some("emoji") => emojis += 1,
            Some(_) => {}
            None => {
                let substitution_at = at.name("substitution");
                checker.say(&substitution_at.name(key), Fault::Missing);
            }
        }
    }
    if mentions > limits::MENTIONS || emojis > limits::TEXT_EMOJIS {
        checker.say(&at.name("substitution"), Fault::Invalid);
    }
}
