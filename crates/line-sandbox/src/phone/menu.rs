//! The rich menu under a chat (PLATFORM 10): its picture with the areas that can be tapped.

use serde_json::Value;

use crate::line::rich_menu::Shown;

/// A rich menu as a phone draws it.
#[derive(Debug)]
pub(super) struct Menu {
    pub(super) id: String,
    pub(super) name: String,
    /// The words of the bar that opens and closes it.
    pub(super) bar: String,
    /// Open when the chat is opened.
    pub(super) selected: bool,
    /// Width and height as a CSS ratio.
    pub(super) ratio: String,
    pub(super) areas: Vec<Area>,
}

/// A place of the picture that can be tapped.
#[derive(Debug)]
pub(super) struct Area {
    pub(super) index: usize,
    /// What a screen reader says.
    pub(super) label: String,
    /// The place as declarations for `data-lv-css`.
    pub(super) place: String,
    /// The action as JSON.
    pub(super) action: String,
}

impl Menu {
    pub(super) fn new(shown: &Shown<'_>) -> Self {
        let object = shown.object;
        let text = |name| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (width, height) =
            (number(object, "/size/width").max(1.0), number(object, "/size/height").max(1.0));
        let areas = object.get("areas").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let area = |(index, area): (usize, &Value)| {
            let part = |name: &str, whole: f64| number(area, &format!("/bounds/{name}")) * 100.0 / whole;
            let action = area.get("action").unwrap_or(&Value::Null);
            Area {
                index,
                label: label(action),
                place: format!(
                    "left:{:.3}%;top:{:.3}%;width:{:.3}%;height:{:.3}%",
                    part("x", width),
                    part("y", height),
                    part("width", width),
                    part("height", height)
                ),
                action: action.to_string(),
            }
        };
        Self {
            id: shown.id.to_owned(),
            name: text("name"),
            bar: text("chatBarText"),
            selected: object.get("selected").and_then(Value::as_bool).unwrap_or(false),
            ratio: format!("{width}/{height}"),
            areas: areas.iter().enumerate().map(area).collect(),
        }
    }
}

/// What an action is called: its label, else what it says, opens or switches to.
fn label(action: &Value) -> String {
    let names = ["label", "displayText", "text", "clipboardText", "uri", "richMenuAliasId", "type"];
    let said = names.iter().filter_map(|name| action.get(name)?.as_str()).find(|said| !said.is_empty());
    said.unwrap_or_default().to_owned()
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn areas_are_parts_of_the_picture() {
        let object = json!({"size": {"width": 2500, "height": 843}, "selected": true, "name": "n", "chatBarText": "Menu", "areas": [
            {"bounds": {"x": 1250, "y": 0, "width": 1250, "height": 843}, "action": {"type": "postback", "data": "d", "label": "Go"}},
            {"bounds": {"x": 0, "y": 0, "width": 625, "height": 843}, "action": {"type": "richmenuswitch", "richMenuAliasId": "b"}}]});
        let menu = Menu::new(&Shown { id: "richmenu-1", object: &object });
        assert_eq!((menu.ratio.as_str(), menu.bar.as_str(), menu.selected), ("2500/843", "Menu", true));
        assert_eq!(menu.areas[0].place, "left:50.000%;top:0.000%;width:50.000%;height:100.000%");
        assert_eq!((menu.areas[0].label.as_str(), menu.areas[1].label.as_str()), ("Go", "b"));
    }
}
