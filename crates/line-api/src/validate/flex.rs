//! Flex containers and components (PLATFORM 21).

use serde_json::{Map, Value};

use super::{
    action,
    check::{
        At, Checker, Fault, Field,
        Kind::{Action, AnyOf, Flag, Form, Integer, List, Media, Object as Of, OneOf, Opaque},
        Object, Types, has_text, items_of, may, need, present, text_of,
    },
    value,
};
use crate::limits;

pub(super) const CONTAINERS: Types = &[("bubble", &BUBBLE), ("carousel", &CAROUSEL)];

/// LINE states no limit of a list's length where the JSON's size is the limit.
const ANY: usize = usize::MAX;
const INT32: i64 = i32::MAX as i64;

const ALIGN: &[&str] = &["start", "center", "end"];
const GRAVITY: &[&str] = &["top", "center", "bottom"];

/// Fields of components that can be taken out of the flow.
const POSITION: &[Field] = &[
    may!("position", OneOf(&["relative", "absolute"])),
    may!("offsetTop", Form(value::offset)),
    may!("offsetBottom", Form(value::offset)),
    may!("offsetStart", Form(value::offset)),
    may!("offsetEnd", Form(value::offset)),
];

/// Fields of letters.
const FONT: &[Field] = &[
    may!("size", Form(value::font_size)),
    may!("weight", OneOf(&["regular", "bold"])),
    may!("color", Form(value::colour)),
    may!("style", OneOf(&["normal", "italic"])),
    may!("decoration", OneOf(&["none", "underline", "line-through"])),
];

static BUBBLE: Object = Object {
    fields: &[&[
        may!("size", OneOf(&["nano", "micro", "deca", "hecto", "kilo", "mega", "giga"])),
        may!("direction", OneOf(&["ltr", "rtl"])),
        may!("header", AnyOf(&[("box", &BOX)])),
        may!("hero", AnyOf(&[("box", &BOX), ("image", &IMAGE), ("video", &VIDEO)])),
        may!("body", AnyOf(&[("box", &BOX)])),
        may!("footer", AnyOf(&[("box", &BOX)])),
        may!("styles", Of(&STYLES)),
        may!("action", Action(&action::FLEX)),
    ]],
    rule: Some(bubble),
};

static CAROUSEL: Object = Object {
    fields: &[&[need!(
        "contents",
        List { min: 1, max: limits::BUBBLES, each: &AnyOf(&[("bubble", &BUBBLE)]) }
    )]],
    rule: Some(carousel),
};

static STYLES: Object = Object {
    fields: &[&[
        may!("header", Of(&BLOCK_STYLE)),
        may!("hero", Of(&BLOCK_STYLE)),
        may!("body", Of(&BLOCK_STYLE)),
        may!("footer", Of(&BLOCK_STYLE)),
    ]],
    rule: None,
};

static BLOCK_STYLE: Object = Object {
    fields: &[&[
        may!("backgroundColor", Form(value::colour)),
        may!("separator", Flag),
        may!("separatorColor", Form(value::colour)),
    ]],
    rule: None,
};

static BOX: Object = Object {
    fields: &[
        &[
            need!("layout", OneOf(&["horizontal", "vertical", "baseline"])),
            may!("flex", Integer(0, INT32)),
            may!("spacing", Form(value::space)),
            may!("margin", Form(value::space)),
            may!("paddingAll", Form(value::space_or_share)),
            may!("paddingTop", Form(value::space_or_share)),
            may!("paddingBottom", Form(value::space_or_share)),
            may!("paddingStart", Form(value::space_or_share)),
            may!("paddingEnd", Form(value::space_or_share)),
            may!("width", Form(value::extent)),
            may!("maxWidth", Form(value::extent)),
            may!("height", Form(value::extent)),
            may!("maxHeight", Form(value::extent)),
            may!("backgroundColor", Form(value::colour)),
            may!("borderColor", Form(value::colour)),
            may!("borderWidth", Form(value::border_width)),
            may!("cornerRadius", Form(value::space)),
            may!(
                "justifyContent",
                OneOf(&["flex-start", "center", "flex-end", "space-between", "space-around", "space-evenly"])
            ),
            may!("alignItems", OneOf(&["flex-start", "center", "flex-end"])),
            may!("background", AnyOf(&[("linearGradient", &LINEAR_GRADIENT)])),
            may!("action", Action(&action::FLEX)),
        ],
        POSITION,
    ],
    rule: Some(box_contents),
};

static LINEAR_GRADIENT: Object = Object {
    fields: &[&[
        need!("angle", Form(value::angle)),
        need!("startColor", Form(value::colour)),
        need!("endColor", Form(value::colour)),
        may!("centerColor", Form(value::colour)),
        may!("centerPosition", Form(value::percent)),
    ]],
    rule: None,
};

/// What a horizontal or vertical box holds.
static IN_BOX: Field = need!(
    "contents",
    List {
        min: 0,
        max: ANY,
        each: &AnyOf(&[
            ("box", &BOX),
            ("button", &BUTTON),
            ("image", &IMAGE),
            ("text", &TEXT),
            ("separator", &SEPARATOR),
            ("filler", &FILLER),
        ])
    }
);

/// What a baseline box holds.
static IN_BASELINE: Field = need!(
    "contents",
    List { min: 0, max: ANY, each: &AnyOf(&[("icon", &ICON), ("text", &TEXT), ("filler", &FILLER)]) }
);

static BUTTON: Object = Object {
    fields: &[
        &[
            need!("action", Action(&action::FLEX_BUTTON)),
            may!("flex", Integer(0, INT32)),
            may!("margin", Form(value::space)),
            may!("height", OneOf(&["sm", "md"])),
            may!("style", OneOf(&["primary", "secondary", "link"])),
            may!("color", Form(value::colour)),
            may!("gravity", OneOf(GRAVITY)),
            may!("adjustMode", OneOf(&["shrink-to-fit"])),
            may!("scaling", Flag),
        ],
        POSITION,
    ],
    rule: None,
};

static IMAGE: Object = Object {
    fields: &[
        &[
            need!("url", Media),
            may!("flex", Integer(0, INT32)),
            may!("margin", Form(value::space)),
            may!("align", OneOf(ALIGN)),
            may!("gravity", OneOf(GRAVITY)),
            may!("size", Form(value::image_size)),
            may!("aspectRatio", Form(value::aspect_ratio)),
            may!("aspectMode", OneOf(&["fit", "cover"])),
            may!("backgroundColor", Form(value::colour)),
            may!("animated", Flag),
            may!("action", Action(&action::FLEX)),
        ],
        POSITION,
    ],
    rule: Some(count_animated),
};

static VIDEO: Object = Object {
    fields: &[&[
        need!("url", Media),
        need!("previewUrl", Media),
        need!("altContent", AnyOf(&[("box", &BOX), ("image", &IMAGE)])),
        may!("aspectRatio", Form(value::aspect_ratio)),
        may!("action", Action(&action::FLEX_VIDEO)),
    ]],
    rule: None,
};

static ICON: Object = Object {
    fields: &[
        &[
            need!("url", Media),
            may!("margin", Form(value::space)),
            may!("size", Form(value::font_size)),
            may!("aspectRatio", Form(value::aspect_ratio)),
            may!("scaling", Flag),
        ],
        POSITION,
    ],
    rule: None,
};

static TEXT: Object = Object {
    fields: &[
        &[
            may!("text", Opaque),
            may!("contents", List { min: 0, max: ANY, each: &AnyOf(&[("span", &SPAN)]) }),
            may!("flex", Integer(0, INT32)),
            may!("margin", Form(value::space)),
            may!("align", OneOf(ALIGN)),
            may!("gravity", OneOf(GRAVITY)),
            may!("wrap", Flag),
            may!("maxLines", Integer(0, INT32)),
            may!("lineSpacing", Form(value::pixels)),
            may!("adjustMode", OneOf(&["shrink-to-fit"])),
            may!("scaling", Flag),
            may!("action", Action(&action::FLEX)),
        ],
        FONT,
        POSITION,
    ],
    rule: Some(text_or_spans),
};

static SPAN: Object = Object { fields: &[&[need!("text", Opaque)], FONT], rule: None };

static SEPARATOR: Object = Object {
    fields: &[&[may!("margin", Form(value::space)), may!("color", Form(value::colour))]],
    rule: None,
};

static FILLER: Object = Object { fields: &[&[may!("flex", Integer(0, INT32))]], rule: None };

/// A box's contents depend on its layout.
fn box_contents(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    let contents = if text_of(members, "layout") == "baseline" { &IN_BASELINE } else { &IN_BOX };
    checker.field(members, contents, at);
}

/// A text component shows its text, or else its spans. LINE's words for an empty one:
/// cofacts/rumors-line-bot issue 212.
fn text_or_spans(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    if !items_of(members, "contents").is_empty() || has_text(members, "text") {
        return;
    }
    match present(members, "text") {
        Some(Value::String(_)) => {
            checker.say(&at.name("text"), Fault::Said("must be non-empty text".to_owned()));
        }
        Some(_) => {}
        None => checker.say(&at.name("text"), Fault::Missing),
    }
}

/// The size of the JSON; a video needs a large bubble.
fn bubble(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    if value::json_len(members) > limits::BUBBLE_BYTES {
        checker.say(at, Fault::Size(0, limits::BUBBLE_BYTES));
    }
    let large = matches!(bubble_size(members), "kilo" | "mega" | "giga");
    if has_video(members) && !large {
        checker.say(&at.name("hero"), Fault::Invalid);
    }
}

/// The size of the JSON; bubbles have one size and no video.
fn carousel(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    if value::json_len(members) > limits::CAROUSEL_BYTES {
        checker.say(at, Fault::Size(0, limits::CAROUSEL_BYTES));
    }
    let contents_at = at.name("contents");
    let bubbles: Vec<_> =
        items_of(members, "contents").iter().take(limits::BUBBLES).filter_map(Value::as_object).collect();
    let first_size = bubbles.first().map(|bubble| bubble_size(bubble));
    for (index, bubble) in bubbles.into_iter().enumerate() {
        let at = contents_at.index(index);
        if has_video(bubble) {
            checker.say(&at.name("hero"), Fault::Invalid);
        }
        if Some(bubble_size(bubble)) != first_size {
            checker.say(&at.name("size"), Fault::Invalid);
        }
    }
}

fn bubble_size(bubble: &Map<String, Value>) -> &str {
    match text_of(bubble, "size") {
        "" => "mega",
        size => size,
    }
}

fn has_video(bubble: &Map<String, Value>) -> bool {
    bubble.get("hero").and_then(Value::as_object).is_some_and(|hero| text_of(hero, "type") == "video")
}

/// Counts animated pictures over the whole message, and speaks at the first that is too many.
fn count_animated(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    if members.get("animated") == Some(&Value::Bool(true)) {
        checker.animated += 1;
        if checker.animated == limits::ANIMATED_IMAGES + 1 {
            checker.say(&at.name("animated"), Fault::Invalid);
        }
    }
}
