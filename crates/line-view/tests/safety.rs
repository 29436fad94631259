//! Whatever a message holds: no panic, bounded output, and HTML in which nothing of the message is more than text.

use line_view::{Coupon, Labels, Place, Quoted, View, message, quick_replies, summary};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use strict::check;

/// The words LINE's objects are made of, so that random JSON reaches every drawing.
const KEYS: &[&str] = &[
    "text",
    "emojis",
    "index",
    "length",
    "productId",
    "emojiId",
    "mention",
    "mentionees",
    "isSelf",
    "userId",
    "quoteToken",
    "quotedMessageId",
    "substitution",
    "a",
    "mentionee",
    "packageId",
    "stickerId",
    "keywords",
    "originalContentUrl",
    "previewImageUrl",
    "contentProvider",
    "duration",
    "fileName",
    "fileSize",
    "title",
    "address",
    "latitude",
    "longitude",
    "baseUrl",
    "altText",
    "baseSize",
    "width",
    "height",
    "actions",
    "area",
    "x",
    "y",
    "linkUri",
    "video",
    "externalLink",
    "template",
    "thumbnailImageUrl",
    "imageUrl",
    "imageAspectRatio",
    "imageSize",
    "imageBackgroundColor",
    "defaultAction",
    "columns",
    "action",
    "label",
    "data",
    "uri",
    "displayText",
    "clipboardText",
    "contents",
    "size",
    "direction",
    "header",
    "hero",
    "body",
    "footer",
    "styles",
    "separator",
    "backgroundColor",
    "separatorColor",
    "layout",
    "flex",
    "spacing",
    "margin",
    "paddingAll",
    "paddingTop",
    "paddingStart",
    "cornerRadius",
    "borderWidth",
    "borderColor",
    "background",
    "angle",
    "startColor",
    "endColor",
    "centerColor",
    "centerPosition",
    "justifyContent",
    "alignItems",
    "position",
    "offsetTop",
    "offsetEnd",
    "maxWidth",
    "maxHeight",
    "style",
    "color",
    "gravity",
    "align",
    "adjustMode",
    "aspectRatio",
    "aspectMode",
    "url",
    "previewUrl",
    "altContent",
    "weight",
    "decoration",
    "wrap",
    "maxLines",
    "lineSpacing",
    "quickReply",
    "items",
    "couponId",
    "scaling",
    "animated",
    "altContent",
];

const TYPES: &[&str] = &[
    "text",
    "textV2",
    "sticker",
    "image",
    "video",
    "audio",
    "file",
    "location",
    "imagemap",
    "template",
    "flex",
    "coupon",
    "buttons",
    "confirm",
    "carousel",
    "image_carousel",
    "bubble",
    "box",
    "button",
    "icon",
    "separator",
    "filler",
    "span",
    "linearGradient",
    "postback",
    "message",
    "uri",
    "datetimepicker",
    "camera",
    "cameraRoll",
    "clipboard",
    "mention",
    "emoji",
    "all",
    "user",
    "action",
    "external",
    "<script>",
];

const STRINGS: &[&str] = &[
    "",
    "Hello",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onclick='x",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>",
    "https://example.com/a?b=1&c=2",
    "https://example.com/\"onload=\"x",
    "http://",
    "//evil.example/x",
    "line://ti/p/@x",
    "tel:+123",
    "horizontal",
    "vertical",
    "baseline",
    "12px",
    "-3px",
    "50%",
    "md",
    "full",
    "xxl",
    "none",
    "#aabbcc",
    "#AABBCC80",
    "#abc",
    "red;background:url(//evil)",
    "expression(alert(1))",
    "20:13",
    "1:99",
    "90deg",
    "primary",
    "link",
    "absolute",
    "cover",
    "shrink-to-fit",
    "bold",
    "{a} {{b}} {c",
    "x\u{0}y\u{202e}z\u{1b}",
    "😀 text https://例.tw)",
    "--><!--",
    "]]>",
    "&lt;",
    "${7*7}",
    "\u{2028}\n\t",
];

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => prop::sample::select(STRINGS).prop_map(Value::from),
        1 => ".{0,20}".prop_map(Value::from),
        2 => any::<i16>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(6, 120, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            3 => (prop::sample::select(TYPES), prop::collection::vec((prop::sample::select(KEYS), inner), 0..10)).prop_map(
                |(kind, fields)| {
                    let mut object: Map<String, Value> = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
                    object.insert("type".into(), Value::from(kind));
                    Value::Object(object)
                }
            ),
        ]
    })
}

/// A Flex box full of whatever; random JSON alone seldom gets that deep.
fn flex_message() -> impl Strategy<Value = Value> {
    prop::collection::vec(json_value(), 0..6).prop_map(|contents| {
        json!({"type": "flex", "altText": "<b>\"", "contents": {"type": "bubble", "body": {"type": "box", "layout": "horizontal", "contents": contents}}})
    })
}

fn views(labels: &Labels) -> [View<'_>; 2] {
    let phone = View {
        labels,
        place: Place::Phone,
        content_url: Some("javascript:alert(1)"),
        preview_url: Some("/media/1\"onerror=\"x"),
        external_media: true,
        line_pictures: true,
        interactive: true,
        quoted: Some(Quoted { name: "<b>\"", words: "</p>'", picture_url: Some("javascript:alert(1)") }),
        coupon: Some(Coupon { title: "<i>", reward: "\"", period: "&", image_url: Some("/media/1\"x") }),
        names: None,
    };
    [
        phone,
        View {
            place: Place::Inbox,
            content_url: Some("/media/1"),
            external_media: false,
            line_pictures: false,
            interactive: false,
            quoted: None,
            coupon: None,
            ..phone
        },
    ]
}

fn hostile_labels() -> Labels {
    Labels { unsupported: "<i>\"'&".into(), image: "\" onerror=\"".into(), ..Labels::english() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_of_a_message_is_more_than_text(value in prop_oneof![json_value(), flex_message()]) {
        let labels = hostile_labels();
        for view in views(&labels) {
            check(&message(&value, &view));
            check(&quick_replies(&value, &view));
        }
        let line = summary(&value, &labels);
        prop_assert!(!line.is_empty() && line.chars().count() <= 200 && !line.contains('\n'));
    }
}

#[test]
fn every_field_of_every_kind_may_hold_html() {
    let labels = hostile_labels();
    for kind in TYPES {
        for hostile in STRINGS {
            let fields: Map<String, Value> =
                KEYS.iter().map(|key| ((*key).to_owned(), Value::from(*hostile))).collect();
            let mut object = Value::Object(fields);
            object["type"] = Value::from(*kind);
            let template = json!({"type": "template", "altText": hostile, "template": {"type": kind, "columns": [object], "actions": [object], "text": hostile}});
            let flex = json!({"type": "flex", "altText": hostile, "contents": {"type": "bubble", "header": object, "hero": object,
                "body": {"type": "box", "layout": hostile, "contents": [object, {"type": "text", "contents": [object]}, {"type": "button", "action": object}]}}});
            let quick = json!({"type": "text", "text": hostile, "quickReply": {"items": [{"action": object, "imageUrl": hostile}]}});
            for value in [&object, &template, &flex, &quick] {
                for view in views(&labels) {
                    check(&message(value, &view));
                    check(&quick_replies(value, &view));
                }
            }
        }
    }
}

#[test]
fn huge_messages_end_somewhere() {
    let labels = Labels::english();
    let long = "long https://example.com/ ".repeat(200_000);
    let component = json!({"type": "text", "text": "<&>".repeat(100_000)});
    let wide = json!({"type": "box", "layout": "vertical", "contents": vec![component; 100]});
    let spans = json!({"type": "text", "contents": vec![json!({"type": "span", "text": "x"}); 100_000]});
    for value in [
        json!({"type": "text", "text": long}),
        json!({"type": "textV2", "text": "{a}".repeat(100_000), "substitution": {"a": {"type": "mention", "mentionee": {"type": "all"}}}}),
        json!({"type": "flex", "altText": long, "contents": {"type": "bubble", "body": wide}}),
        json!({"type": "flex", "altText": "A", "contents": {"type": "bubble", "body": {"type": "box", "contents": [spans]}}}),
        json!({"type": "template", "template": {"type": "buttons", "text": long, "actions": [{"type": "message", "label": long, "text": long}]}}),
    ] {
        for view in views(&labels) {
            let html = message(&value, &view);
            assert!(html.len() < 4_000_000, "{} {}", value["type"], html.len());
            check(&html);
        }
        assert!(summary(&value, &labels).chars().count() <= 200);
    }
}

#[test]
fn odd_json_is_no_message() {
    let labels = Labels::english();
    for value in [
        json!(null),
        json!(1),
        json!([]),
        json!({}),
        json!({"type": 5}),
        json!({"type": "hologram"}),
        json!("text"),
    ] {
        let html = message(&value, &views(&labels)[0]);
        assert!(html.contains("This cannot be shown here"), "{html}");
        assert_eq!(summary(&value, &labels), "This cannot be shown here");
    }
}

#[test]
fn a_summary_is_one_plain_line() {
    let labels = Labels::english();
    for (value, said) in [
        (json!({"type": "text", "text": " a <b>\n\n c "}), "a <b> c"),
        (json!({"type": "text", "text": " \n"}), "Message"),
        (json!({"type": "flex", "altText": "Your order"}), "Your order"),
        (json!({"type": "template"}), "Message"),
        (json!({"type": "imagemap"}), "Photo"),
        (json!({"type": "image"}), "Photo"),
        (json!({"type": "video"}), "Video"),
        (json!({"type": "audio"}), "Voice message"),
        (json!({"type": "file", "fileName": "menu.pdf"}), "menu.pdf"),
        (json!({"type": "file"}), "File"),
        (json!({"type": "location", "title": "Harbour"}), "Harbour"),
        (json!({"type": "location"}), "Location"),
        (json!({"type": "sticker"}), "Sticker"),
        (json!({"type": "coupon"}), "Coupon"),
    ] {
        assert_eq!(summary(&value, &labels), said);
    }
    let long = summary(&json!({"type": "text", "text": "好".repeat(500)}), &labels);
    assert_eq!((long.chars().count(), long.ends_with('…')), (200, true));
}

#[cfg(test)]
mod strict {
    use line_view::{CSS, JS};
    use serde_json::Value;

    /// Reads the HTML strictly, the way line-view writes it, and fails on anything else.
    pub(crate) fn check(html: &str) {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            check_text(&rest[..at]);
            let end = rest.find('>').unwrap_or_else(|| panic!("unclosed tag in {html}"));
            let tag = &rest[at + 1..end];
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "closed out of order in {html}");
                continue;
            }
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            let known = [
                "div", "p", "span", "a", "button", "img", "video", "audio", "svg", "path", "circle", "rect",
                "ellipse",
            ];
            assert!(known.contains(&name), "element {name} in {html}");
            if ["a", "button"].contains(&name) {
                assert!(!open.iter().any(|outer| ["a", "button"].contains(outer)), "nested {name} in {html}");
            }
            check_attributes(name, attributes.trim_end_matches('/'), html);
            if name != "img" && !tag.ends_with('/') {
                open.push(name);
            }
        }
        check_text(rest);
        assert!(open.is_empty(), "left open: {open:?} in {html}");
    }

    fn check_text(text: &str) {
        assert!(!text.contains(['<', '>', '"', '\'']), "unescaped: {text}");
        for entity in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            assert!(known.iter().any(|name| entity.starts_with(name)), "bare ampersand: {text}");
        }
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'),
            "control character: {text:?}"
        );
    }

    fn check_attributes(element: &str, attributes: &str, html: &str) {
        let drawing = ["svg", "path", "circle", "rect", "ellipse"].contains(&element);
        let mut rest = attributes;
        while !rest.is_empty() {
            let name_end = rest.find(['=', ' ']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(name_end);
            let (value, after) = match after.strip_prefix("=\"") {
                Some(after) => {
                    after.split_once('"').unwrap_or_else(|| panic!("unclosed attribute in {html}"))
                }
                None => ("", after),
            };
            rest = after.strip_prefix(' ').unwrap_or(after);
            check_text(value);
            let known = [
                "class",
                "role",
                "aria-label",
                "aria-hidden",
                "dir",
                "tabindex",
                "title",
                "href",
                "target",
                "rel",
                "src",
                "poster",
                "alt",
                "loading",
                "referrerpolicy",
                "controls",
                "preload",
                "type",
                "data-lv-kind",
                "data-lv-css",
                "data-lv-action",
                "data-lv-type",
                "data-lv-user",
                "data-lv-quoted",
            ];
            assert!(drawing || known.contains(&name), "attribute {name} in {html}");
            assert!(!name.starts_with("on") && name != "style", "attribute {name} in {html}");
            match name {
                "href" => assert!(
                    ["http://", "https://", "line://", "tel:", "/media/"]
                        .iter()
                        .any(|start| value.to_lowercase().starts_with(start)),
                    "{value}"
                ),
                "src" | "poster" => assert!(
                    ["http://", "https://", "/media/"]
                        .iter()
                        .any(|start| value.to_lowercase().starts_with(start)),
                    "{value}"
                ),
                "data-lv-css" => value.split(';').for_each(check_declaration),
                "class" => value.split(' ').for_each(check_class),
                "data-lv-action" => {
                    let json = value
                        .replace("&quot;", "\"")
                        .replace("&lt;", "<")
                        .replace("&gt;", ">")
                        .replace("&#39;", "'")
                        .replace("&amp;", "&");
                    let action: Value =
                        serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
                    assert!(action.as_object().unwrap().values().all(Value::is_string));
                }
                _ => {}
            }
        }
    }

    /// Classes that only name a default, which needs no rule.
    const DEFAULTS: &[&str] = &["lv-gravity-top", "lv-at-phone", "lv-text", "lv-template"];

    fn check_class(class: &str) {
        let styled = CSS.match_indices(class).any(|(at, _)| {
            let after = CSS[at + class.len()..].chars().next();
            CSS[..at].ends_with('.') && !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-')
        });
        assert!(styled || DEFAULTS.contains(&class), "no rule for {class}");
    }

    fn check_declaration(declaration: &str) {
        let (property, value) =
            declaration.split_once(':').unwrap_or_else(|| panic!("no declaration: {declaration}"));
        assert!(JS.contains(&format!("    \"{property}\",\n")), "property {property}");
        let ok = match value.strip_prefix("linear-gradient(") {
            Some(gradient) => {
                let mut parts = gradient.strip_suffix(')').unwrap_or_default().split(',');
                let stop = |part: &str| {
                    part.split_once(' ')
                        .is_some_and(|(c, at)| colour(c) && at.strip_suffix('%').is_some_and(number))
                };
                parts.next().and_then(|angle| angle.strip_suffix("deg")).is_some_and(number)
                    && parts.all(stop)
            }
            None if value.starts_with('#') => colour(value),
            None => value.split('/').all(|part| number(part.trim_end_matches("px").trim_end_matches('%'))),
        };
        assert!(ok, "value {declaration}");
    }

    fn colour(text: &str) -> bool {
        text.strip_prefix('#').is_some_and(|digits| {
            [6, 8].contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
        })
    }

    fn number(text: &str) -> bool {
        let digits = text.strip_prefix('-').unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    }
}
