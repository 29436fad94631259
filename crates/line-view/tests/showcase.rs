//! Messages of the kinds that LINE's Flex showcase has, in our own words and pictures: valid at LINE, drawn whole.
//!
//! `tests/showcase/*.json` are the messages; `{pictures}` in them stands for the address that serves `tests/showcase/pictures`.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::Path;

use line_view::{Labels, Place, View, message, summary};
use serde_json::{Value, json};

/// The messages by the name of their kind.
fn showcase() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/showcase");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let kinds = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    kinds
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap().replace("{pictures}", "https://example.com");
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect()
}

#[test]
fn every_kind_is_valid_and_drawn_whole() {
    let (labels, kinds) = (Labels::english(), showcase());
    assert_eq!(
        kinds.keys().collect::<Vec<_>>(),
        ["apparel", "hotel", "receipt", "restaurant", "shopping", "transit"]
    );
    let phone = View { external_media: true, interactive: true, ..View::new(&labels, Place::Phone) };
    for (name, value) in &kinds {
        line_api::validate::messages(&json!([value])).unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        let html = message(value, &phone);
        assert!(!html.contains("lv-unsupported"), "{name}");
        let words = texts(value);
        assert!(words.len() > 5);
        for text in words {
            assert!(html.contains(&format!(">{text}<")), "{name} lacks {text}");
        }
        assert_eq!(summary(value, &labels), value["altText"].as_str().unwrap());
    }
}

/// All texts and labels in a message.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) if fields.get("type") == Some(&json!("button")) => {
            vec![fields["action"]["label"].as_str().unwrap().to_owned()]
        }
        Value::Object(fields) if fields.get("type") == Some(&json!("text")) => {
            vec![fields["text"].as_str().unwrap().to_owned()]
        }
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
