//! Rich menu objects (PLATFORM 10).

use serde_json::{Map, Value};

use super::{
    action,
    check::{
        At, Checker, Fault,
        Kind::{Action, Flag, Graphemes, Integer, List, Object as Of},
        Object, Style, items_of, need,
    },
};
use crate::limits;

/// Larger numbers do not fit LINE's integers (schema, `RichMenuBounds`).
const MAX_SIDE: i64 = i32::MAX as i64;

static MENU: Object = Object {
    fields: &[&[
        need!("size", Of(&SIZE)),
        need!("selected", Flag),
        need!("name", Graphemes(limits::RICH_MENU_NAME)),
        need!("chatBarText", Graphemes(limits::RICH_MENU_BAR)),
        need!("areas", List { min: 0, max: limits::RICH_MENU_AREAS, each: &Of(&AREA) }),
    ]],
    rule: Some(areas_lie_inside),
};

static SIZE: Object = Object {
    fields: &[&[
        need!("width", Integer(limits::RICH_MENU_WIDTH.0, limits::RICH_MENU_WIDTH.1)),
        need!("height", Integer(limits::RICH_MENU_HEIGHT.0, limits::RICH_MENU_HEIGHT.1)),
    ]],
    rule: Some(wide_enough),
};

static AREA: Object = Object {
    fields: &[&[need!("bounds", Of(&BOUNDS)), need!("action", Action(&action::RICH_MENU_AT_LINE))]],
    rule: None,
};

static BOUNDS: Object = Object {
    fields: &[&[
        need!("x", Integer(0, MAX_SIDE)),
        need!("y", Integer(0, MAX_SIDE)),
        need!("width", Integer(1, MAX_SIDE)),
        need!("height", Integer(1, MAX_SIDE)),
    ]],
    rule: None,
};

/// Checks a rich menu object as LINE does, which also takes actions that its app then handles badly (PLATFORM 20).
/// The texts of what is wrong with sizes and bounds are not published.
pub(super) fn check(checker: &mut Checker, menu: &Map<String, Value>) {
    checker.object(menu, &MENU, &At::root(Style::Body).in_action());
}

/// Tells whether a menu or its image may have this size in pixels (PLATFORM 10).
#[must_use]
pub fn rich_menu_size(width: i64, height: i64) -> bool {
    let within = |(min, max): (i64, i64), side: i64| (min..=max).contains(&side);
    within(limits::RICH_MENU_WIDTH, width)
        && within(limits::RICH_MENU_HEIGHT, height)
        && width * 100 >= height * 145
}

fn side(members: &Map<String, Value>, name: &str) -> Option<i64> {
    members.get(name).and_then(Value::as_i64)
}

fn wide_enough(checker: &mut Checker, size: &Map<String, Value>, at: &At<'_>) {
    if let (Some(width), Some(height)) = (side(size, "width"), side(size, "height"))
        && width.saturating_mul(100) < height.saturating_mul(145)
    {
        checker.say(at, Fault::Invalid);
    }
}

/// Every area lies inside the menu.
fn areas_lie_inside(checker: &mut Checker, menu: &Map<String, Value>, at: &At<'_>) {
    let Some(size) = menu.get("size").and_then(Value::as_object) else { return };
    let (Some(width), Some(height)) = (side(size, "width"), side(size, "height")) else { return };
    let list = at.name("areas");
    for (index, area) in items_of(menu, "areas").iter().take(limits::RICH_MENU_AREAS).enumerate() {
        let Some(bounds) = area.get("bounds").and_then(Value::as_object) else { continue };
        let end = |from: &str, length: &str| {
            side(bounds, from).unwrap_or_default().saturating_add(side(bounds, length).unwrap_or_default())
        };
        if end("x", "width") > width || end("y", "height") > height {
            let area = list.index(index);
            checker.say(&area.name("bounds"), Fault::Invalid);
        }
    }
}
