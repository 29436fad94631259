//! Action objects (PLATFORM 20): buttons, links and tap areas.

use crate::html::Tag;
use crate::{Draw, read, url};
use serde_json::{Map, Value};

/// The fields an action object may have (PLATFORM 20); the page gets these and nothing else.
const FIELDS: &[&str] = &[
    "type",
    "label",
    "data",
    "text",
    "displayText",
    "inputOption",
    "fillInText",
    "uri",
    "linkUri",
    "mode",
    "initial",
    "max",
    "min",
    "clipboardText",
    "richMenuAliasId",
    "couponId",
];

/// The kinds a page can act on; all but `uri`, which is a link. `coupon` is ours: the tap on a coupon message.
const KINDS: &[&str] = &[
    "postback",
    "message",
    "datetimepicker",
    "camera",
    "cameraRoll",
    "location",
    "clipboard",
    "richmenuswitch",
    "coupon",
];

/// Longest string of an action handed to the page, in characters; LINE's own limits end at 1,000.
const LONGEST: usize = 2_000;

/// What the action is called: its label, else what it says or opens.
pub(crate) fn label(action: &Value) -> &str {
    ["label", "displayText", "text", "clipboardText", "uri", "linkUri"]
        .iter()
        .map(|key| read::text(action, key))
        .find(|text| !text.trim().is_empty())
        .unwrap_or_default()
}

/// The address a uri action opens, if it may be opened. Imagemaps call it `linkUri` (PLATFORM 19).
fn address(action: &Value) -> Option<&str> {
    let key = if action.get("linkUri").is_some() { "linkUri" } else { "uri" };
    (read::text(action, "type") == "uri").then(|| url::link(read::text(action, key)))?
}

impl Draw<'_> {
    /// The element of an action: a link, a button, or (where nothing can happen) a plain `span`. The caller closes it.
    pub(crate) fn action_tag(&self, action: &Value, class: &'static str) -> Tag {
        if let Some(address) = address(action) {
            return Tag::new("a", class).class("lv-do").href(address).attr("data-lv-type", "uri");
        }
        match (self.view.interactive, read::keyword(action, "type", KINDS), payload(action)) {
            (true, Some(kind), Some(payload)) => Tag::new("button", class)
                .class("lv-do")
                .attr("type", "button")
                .attr("data-lv-type", kind)
                .attr("data-lv-action", &payload),
            _ => Tag::new("span", class),
        }
    }

    /// An element that reacts to taps as a whole, if it has an action that does something, with what is inside.
    ///
    /// The tap area is an empty first child laid over the rest: HTML allows no links inside links, LINE does. Whatever reacts
    /// to taps itself comes later in the document and so lies above it.
    pub(crate) fn tappable(&mut self, tag: Tag, action: Option<&Value>, inside: impl FnOnce(&mut Self)) {
        let element = tag.name();
        self.html.open(tag);
        let area =
            action.map(|action| self.action_tag(action, "lv-tap").attr_if("aria-label", label(action)));
        // A plain span means that nothing can happen.
        let area = area.filter(|area| area.name() != "span");
        let tapped = usize::from(area.is_some());
        if let Some(area) = area {
            let name = area.name();
            self.html.open(area);
            self.html.close(name);
        }
        self.under_tap += tapped;
        inside(self);
        self.under_tap -= tapped;
        self.html.close(element);
    }

    /// The quick reply row (PLATFORM 19): at most 13 buttons.
    pub(crate) fn quick_replies(&mut self, message: &Value) {
        let Some(items) =
            message.get("quickReply").map(|row| read::items(row, "items")).filter(|i| !i.is_empty())
        else {
            return;
        };
        let row = Tag::new("div", "lv lv-quick")
            .attr("role", "group")
            .attr("aria-label", &self.view.labels.quick_replies)
            .attr("tabindex", "0");
        self.html.open(row);
        for item in items.iter().take(13) {
            let Some(action) = item.get("action") else { continue };
            let tag = self.action_tag(action, "lv-quick-item");
            let name = tag.name();
            self.html.open(tag);
            self.quick_icon(item, read::text(action, "type"));
            self.html.leaf(Tag::new("span", "lv-quick-label"), label(action));
            self.html.close(name);
        }
        self.html.close("div");
    }

    fn quick_icon(&mut self, item: &Value, kind: &str) {
        match (url::web(read::text(item, "imageUrl")), kind) {
            (Some(address), _) if self.view.external_media => {
                self.html.open(Tag::new("img", "lv-quick-icon").attr("src", address).attr("alt", ""));
            }
            (None, "camera") => self.html.fixed(CAMERA),
            (None, "cameraRoll") => self.html.fixed(PICTURES),
            (None, "location") => self.html.fixed(PIN),
            _ => {}
        }
    }
}

/// The action as JSON, its known string fields only; `None` if one of them is too long to be LINE's.
fn payload(action: &Value) -> Option<String> {
    let mut fields = Map::new();
    for field in FIELDS {
        if let Some(text) = action.get(field).and_then(Value::as_str) {
            if text.len() > LONGEST * 4 || text.chars().count() > LONGEST {
                return None;
            }
            fields.insert((*field).to_owned(), Value::from(text));
        }
    }
    let json = Value::Object(fields).to_string();
    // An attribute is cut at some length, and half a payload is none.
    (json.chars().count() <= 4_000).then_some(json)
}

const CAMERA: &str = r#"<svg class="lv-icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M4 8h3l1.6-2.5h6.8L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1z"/><circle cx="12" cy="13" r="3.4"/></svg>"#;
const PICTURES: &str = r#"<svg class="lv-icon" viewBox="0 0 24 24" aria-hidden="true"><rect x="3" y="5" width="18" height="14" rx="2"/><path d="m4 17 5-5 4 4 3-3 4 4"/><circle cx="15.5" cy="9.5" r="1.5"/></svg>"#;
const PIN: &str = r#"<svg class="lv-icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 21c4.4-4.6 6.6-8.2 6.6-10.9A6.5 6.5 0 0 0 12 3.5a6.5 6.5 0 0 0-6.6 6.6C5.4 12.8 7.6 16.4 12 21z"/><circle cx="12" cy="10" r="2.4"/></svg>"#;

#[cfg(test)]
mod tests {
    use crate::testing::{inert, phone};
    use serde_json::json;

    #[test]
    fn a_page_gets_the_known_fields_of_an_action() {
        let message = json!({"type": "text", "text": "?", "quickReply": {"items": [
            {"type": "action", "action": {"type": "postback", "label": "Buy", "data": "a=1&b='2'", "displayText": "I buy", "evil": {"x": 1}}},
        ]}});
        insta::assert_snapshot!(crate::quick_replies(&message, &phone()), @r#"<div class="lv lv-quick" role="group" aria-label="Quick replies" tabindex="0"><button class="lv-quick-item lv-do" type="button" data-lv-type="postback" data-lv-action="{&quot;data&quot;:&quot;a=1&amp;b=&#39;2&#39;&quot;,&quot;displayText&quot;:&quot;I buy&quot;,&quot;label&quot;:&quot;Buy&quot;,&quot;type&quot;:&quot;postback&quot;}"><span class="lv-quick-label">Buy</span></button></div>"#);
        insta::assert_snapshot!(crate::quick_replies(&message, &inert()), @r#"<div class="lv lv-quick" role="group" aria-label="Quick replies" tabindex="0"><span class="lv-quick-item"><span class="lv-quick-label">Buy</span></span></div>"#);
    }

    #[test]
    fn every_kind_of_quick_reply_is_a_button() {
        // PLATFORM 20: all kinds but richmenuswitch; uri is a link.
        for kind in ["postback", "message", "datetimepicker", "camera", "cameraRoll", "location", "clipboard"]
        {
            let message = json!({"quickReply": {"items": [{"type": "action", "action": {"type": kind, "label": "L"}}]}});
            let html = crate::quick_replies(&message, &phone());
            assert!(
                html.contains(&format!(
                    "<button class=\"lv-quick-item lv-do\" type=\"button\" data-lv-type=\"{kind}\""
                )),
                "{html}"
            );
            assert!(!crate::quick_replies(&message, &inert()).contains("<button"));
        }
        let link =
            json!({"quickReply": {"items": [{"action": {"type": "uri", "label": "L", "uri": "tel:1"}}]}});
        for view in [phone(), inert()] {
            let html = crate::quick_replies(&link, &view);
            assert!(
                html.contains(r#"href="tel:1" target="_blank" rel="noopener noreferrer nofollow""#),
                "{html}"
            );
        }
    }

    #[test]
    fn there_are_at_most_thirteen_quick_replies() {
        // PLATFORM 19.
        let item = json!({"type": "action", "action": {"type": "message", "label": "L", "text": "T"}});
        let message = json!({"quickReply": {"items": vec![item; 20]}});
        assert_eq!(crate::quick_replies(&message, &phone()).matches("<button").count(), 13);
        assert_eq!(crate::quick_replies(&json!({"quickReply": {"items": []}}), &phone()), "");
    }

    #[test]
    fn an_address_that_must_not_open_stays_words() {
        let message = json!({"quickReply": {"items": [{"action": {"type": "uri", "label": "L", "uri": "javascript:alert(1)"}}]}});
        let html = crate::quick_replies(&message, &phone());
        assert!(
            html.contains(r#"<span class="lv-quick-item"><span class="lv-quick-label">L</span></span>"#),
            "{html}"
        );
    }
}
