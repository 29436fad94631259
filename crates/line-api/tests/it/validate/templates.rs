//! Templates (PLATFORM 19, "Templates").

use super::*;

fn buttons() -> Value {
    template(json!({"type": "buttons", "text": "x", "actions": taps(1)}))
}

fn column() -> Value {
    json!({"thumbnailImageUrl": PICTURE, "title": "t", "text": "x", "actions": taps(2)})
}

fn carousel(columns: Vec<Value>) -> Value {
    template(json!({"type": "carousel", "columns": columns}))
}

/// PLATFORM 19, "Templates"; lengths count graphemes (PLATFORM 5).
#[test]
fn buttons_limits() {
    let text = |text: String| with(buttons(), "/template/text", json!(text));
    accepted(&text(FAMILY.repeat(160)));
    in_content(&text(x(161)), "template/text", "must not be longer than 160 characters");
    for (name, value) in [("title", "t"), ("thumbnailImageUrl", PICTURE)] {
        let titled = |length| with(text(x(length)), &format!("/template/{name}"), json!(value));
        accepted(&titled(60));
        in_content(&titled(61), "template/text", "must not be longer than 60 characters");
    }
    accepted(&with(buttons(), "/template/title", json!(FAMILY.repeat(40))));
    in_content(
        &with(buttons(), "/template/title", json!(x(41))),
        "template/title",
        "must not be longer than 40 characters",
    );
    accepted(&with(buttons(), "/template/actions", json!(taps(4))));
    for count in [0, 5] {
        in_content(
            &with(buttons(), "/template/actions", json!(taps(count))),
            "template/actions",
            "Size must be between 1 and 4",
        );
    }
    accepted(&with(buttons(), "/template/defaultAction", tap("x")));
    for (name, fine, odd) in [
        ("imageAspectRatio", "square", "round"),
        ("imageSize", "contain", "huge"),
        ("imageBackgroundColor", "#ffffff", "white"),
    ] {
        let pointer = format!("/template/{name}");
        accepted(&with(buttons(), &pointer, json!(fine)));
        in_content(&with(buttons(), &pointer, json!(odd)), &pointer[1..], "invalid property");
    }
}

#[test]
fn confirm_limits() {
    let confirm =
        |length, actions| template(json!({"type": "confirm", "text": x(length), "actions": taps(actions)}));
    accepted(&confirm(240, 2));
    in_content(&confirm(241, 2), "template/text", "must not be longer than 240 characters");
    for count in [1, 3] {
        in_content(&confirm(1, count), "template/actions", "Size must be between 2 and 2");
    }
}

#[test]
fn carousel_limits() {
    accepted(&carousel(vec![column(); 10]));
    for count in [0, 11] {
        in_content(&carousel(vec![column(); count]), "template/columns", "Size must be between 1 and 10");
    }
    let plain = |length| carousel(vec![json!({"text": x(length), "actions": taps(3)})]);
    accepted(&plain(120));
    in_content(&plain(121), "template/columns/0/text", "must not be longer than 120 characters");
    in_content(
        &carousel(vec![with(column(), "/text", json!(x(61)))]),
        "template/columns/0/text",
        "must not be longer than 60 characters",
    );
    in_content(
        &carousel(vec![with(column(), "/actions", json!(taps(4)))]),
        "template/columns/0/actions",
        "Size must be between 1 and 3",
    );
    // The path shown in PLATFORM 5.
    let mut columns = vec![column(); 6];
    columns[5]["title"] = json!(x(41));
    in_content(&carousel(columns), "template/columns/5/title", "must not be longer than 40 characters");
}

/// PLATFORM 19, GOTCHAS B7.
#[test]
fn columns_are_alike() {
    in_content(
        &carousel(vec![column(), with(column(), "/actions", json!(taps(1)))]),
        "template/columns/1/actions",
        "invalid property",
    );
    for name in ["title", "thumbnailImageUrl"] {
        let mut without = column();
        without[name] = Value::Null;
        in_content(
            &carousel(vec![column(), without.clone()]),
            &format!("template/columns/1/{name}"),
            "must be specified",
        );
        in_content(
            &carousel(vec![without, column()]),
            &format!("template/columns/1/{name}"),
            "invalid property",
        );
    }
}

#[test]
fn image_carousel_limits() {
    let columns = |count: usize, label: &str| {
        let column = json!({"imageUrl": PICTURE, "action": tap(label)});
        template(json!({"type": "image_carousel", "columns": vec![column; count]}))
    };
    accepted(&columns(10, &FAMILY.repeat(12)));
    in_content(&columns(11, "x"), "template/columns", "Size must be between 1 and 10");
    in_content(
        &columns(1, &x(13)),
        "template/columns/0/action/label",
        "must not be longer than 12 characters",
    );
    let mut no_label = columns(1, "x");
    no_label["template"]["columns"][0]["action"]["label"] = Value::Null;
    assert_eq!(validate::message(&no_label), Ok(()));
}

#[test]
fn unknown_templates() {
    in_content(&template(json!({"type": "hologram"})), "template", "invalid property");
    in_content(&template(json!({})), "template/type", "must be specified");
    in_body(&json!({"type": "template", "altText": "x"}), "messages[0].template", "May not be empty");
}
