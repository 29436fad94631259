//! Templates (PLATFORM 19, "Templates").

use serde_json::{Map, Value};

use super::{
    action,
    check::{
        At, Checker, Fault,
        Kind::{Action, Form, Graphemes, List, Media, Object as Of, OneOf, TemplateText},
        Object, Types, has_text, items_of, may, need, present,
    },
    value,
};
use crate::limits;

pub(super) const TEMPLATES: Types = &[
    ("buttons", &BUTTONS),
    ("confirm", &CONFIRM),
    ("carousel", &CAROUSEL),
    ("image_carousel", &IMAGE_CAROUSEL),
];

const RATIOS: &[&str] = &["rectangle", "square"];
const SIZES: &[&str] = &["cover", "contain"];

static BUTTONS: Object = Object {
    fields: &[&[
        may!("thumbnailImageUrl", Media),
        may!("imageAspectRatio", OneOf(RATIOS)),
        may!("imageSize", OneOf(SIZES)),
        may!("imageBackgroundColor", Form(value::colour)),
        may!("title", Graphemes(limits::TEMPLATE_TITLE)),
        need!(
            "text",
            TemplateText { alone: limits::BUTTONS_TEXT, with_title: limits::TEMPLATE_TEXT_WITH_TITLE }
        ),
        may!("defaultAction", Action(&action::TEMPLATE)),
        need!("actions", List { min: 1, max: limits::BUTTONS_ACTIONS, each: &Action(&action::TEMPLATE) }),
    ]],
    rule: None,
};

static CONFIRM: Object = Object {
    fields: &[&[
        need!("text", Graphemes(limits::CONFIRM_TEXT)),
        need!(
            "actions",
            List {
                min: limits::CONFIRM_ACTIONS,
                max: limits::CONFIRM_ACTIONS,
                each: &Action(&action::TEMPLATE)
            }
        ),
    ]],
    rule: None,
};

static CAROUSEL: Object = Object {
    fields: &[&[
        need!("columns", List { min: 1, max: limits::CAROUSEL_COLUMNS, each: &Of(&COLUMN) }),
        may!("imageAspectRatio", OneOf(RATIOS)),
        may!("imageSize", OneOf(SIZES)),
    ]],
    rule: Some(like_columns),
};

static COLUMN: Object = Object {
    fields: &[&[
        may!("thumbnailImageUrl", Media),
        may!("imageBackgroundColor", Form(value::colour)),
        may!("title", Graphemes(limits::TEMPLATE_TITLE)),
        need!(
            "text",
            TemplateText { alone: limits::CAROUSEL_TEXT, with_title: limits::TEMPLATE_TEXT_WITH_TITLE }
        ),
        may!("defaultAction", Action(&action::TEMPLATE)),
        need!("actions", List { min: 1, max: limits::CAROUSEL_ACTIONS, each: &Action(&action::TEMPLATE) }),
    ]],
    rule: None,
};

static IMAGE_CAROUSEL: Object = Object {
    fields: &[&[need!(
        "columns",
        List { min: 1, max: limits::CAROUSEL_COLUMNS, each: &Of(&IMAGE_CAROUSEL_COLUMN) }
    )]],
    rule: None,
};

static IMAGE_CAROUSEL_COLUMN: Object = Object {
    fields: &[&[need!("imageUrl", Media), need!("action", Action(&action::IMAGE_CAROUSEL))]],
    rule: None,
};

/// All columns have as many actions as the first, and a picture and a title if it has (GOTCHAS B7).
fn like_columns(checker: &mut Checker, members: &Map<String, Value>, at: &At<'_>) {
    let mut columns =
        items_of(members, "columns").iter().map(Value::as_object).take(limits::CAROUSEL_COLUMNS);
    let Some(first) = columns.next().flatten() else {
        return;
    };
    let columns_at = at.name("columns");
    for (index, column) in columns.enumerate() {
        let (Some(column), at) = (column, columns_at.index(index + 1)) else {
            continue;
        };
        if present(column, "actions").is_some()
            && items_of(column, "actions").len() != items_of(first, "actions").len()
        {
            checker.say(&at.name("actions"), Fault::Invalid);
        }
        for name in ["thumbnailImageUrl", "title"] {
            match (has_text(first, name), has_text(column, name)) {
                (true, false) => checker.say(&at.name(name), Fault::Missing),
                (false, true) => checker.say(&at.name(name), Fault::Invalid),
                _ => {}
            }
        }
    }
}
