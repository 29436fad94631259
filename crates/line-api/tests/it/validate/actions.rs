//! Actions (PLATFORM 20).

use super::*;

const IN_BUTTONS: &str = "template/actions/0";

/// PLATFORM 20: required and at most 20 in templates and quick replies, 40 in Flex; graphemes.
#[test]
fn labels() {
    let label = |length: usize| tap(&FAMILY.repeat(length));
    accepted(&buttons_action(label(20)));
    in_content(
        &buttons_action(label(21)),
        "template/actions/0/label",
        "must not be longer than 20 characters",
    );
    accepted(&quick_reply(label(20)));
    in_body(
        &quick_reply(label(21)),
        "messages[0].quickReply.items[0].action.label",
        "must not be longer than 20 characters",
    );
    let button = |action| component(json!({"type": "button", "action": action}));
    accepted(&button(label(40)));
    in_content(&button(label(41)), "/body/contents/0/action/label", "must not be longer than 40 characters");
    accepted(&flex_action(label(40)));
    in_content(
        &flex_action(label(41)),
        "/body/contents/0/action/label",
        "must not be longer than 40 characters",
    );
    let bare = json!({"type": "message", "text": "x"});
    accepted(&flex_action(bare.clone()));
    in_content(&buttons_action(bare.clone()), "template/actions/0/label", "must be specified");
    in_content(&button(bare.clone()), "/body/contents/0/action/label", "must be specified");
    in_body(&quick_reply(bare), "messages[0].quickReply.items[0].action.label", "must be specified");
}

/// PLATFORM 20: data 300 in units, texts 300 in graphemes.
#[test]
fn postbacks() {
    let postback = json!({"type": "postback", "label": "x", "data": ASTRAL.repeat(150),
        "displayText": FAMILY.repeat(300),
        "inputOption": "openKeyboard", "fillInText": FAMILY.repeat(300)});
    accepted(&buttons_action(postback.clone()));
    for (name, new, said) in [
        ("data", json!(x(301)), "must not be longer than 300 characters"),
        ("data", Value::Null, "must be specified"),
        ("displayText", json!(x(301)), "must not be longer than 300 characters"),
        ("fillInText", json!(x(301)), "must not be longer than 300 characters"),
        ("text", json!("x"), "invalid property"),
    ] {
        let action = with(postback.clone(), &format!("/{name}"), new);
        in_content(&buttons_action(action), &format!("{IN_BUTTONS}/{name}"), said);
    }
    let action = with(postback.clone(), "/inputOption", json!("openVoice"));
    in_content(&buttons_action(action), "template/actions/0/fillInText", "invalid property");
    let action = with(with(postback, "/inputOption", json!("shut")), "/fillInText", Value::Null);
    in_content(&buttons_action(action), "template/actions/0/inputOption", "invalid property");
}

#[test]
fn message_and_clipboard_actions() {
    let message = |length| json!({"type": "message", "label": "x", "text": FAMILY.repeat(length)});
    accepted(&buttons_action(message(300)));
    in_content(
        &buttons_action(message(301)),
        "template/actions/0/text",
        "must not be longer than 300 characters",
    );
    let copy = |length| json!({"type": "clipboard", "label": "x", "clipboardText": x(length)});
    accepted(&buttons_action(copy(1000)));
    in_content(
        &buttons_action(copy(1001)),
        "template/actions/0/clipboardText",
        "must not be longer than 1000 characters",
    );
    in_content(&buttons_action(copy(0)), "template/actions/0/clipboardText", "must be specified");
}

/// PLATFORM 20: at most 1,000; `http`, `https`, `line`, `tel`.
#[test]
fn addresses() {
    let uri = |uri: &str| json!({"type": "uri", "label": "x", "uri": uri});
    for fine in [&url(1000), "http://a.example", "line://nv/chat", "tel:09001234567"] {
        accepted(&buttons_action(uri(fine)));
    }
    in_content(
        &buttons_action(uri(&url(1001))),
        "template/actions/0/uri",
        "must not be longer than 1000 characters",
    );
    in_content(&buttons_action(uri("mailto:a@a.example")), "template/actions/0/uri", "invalid uri scheme");
    in_content(&buttons_action(uri("a.example")), "template/actions/0/uri", "invalid uri");
    in_content(&buttons_action(uri("https://a.example/茶")), "template/actions/0/uri", "invalid uri");
    let desktop = with(uri("https://a.example"), "/altUri", json!({"desktop": url(1001)}));
    in_content(
        &buttons_action(desktop),
        "template/actions/0/altUri/desktop",
        "must not be longer than 1000 characters",
    );
}

/// PLATFORM 20: forms by mode, 1900-01-01 to 2100-12-31, `min` before `max`.
#[test]
fn date_pickers() {
    let picker = |mode: &str, min: &str, initial: &str, max: &str| {
        json!({"type": "datetimepicker",
        "label": "x", "data": "d", "mode": mode, "min": min, "initial": initial, "max": max})
    };
    accepted(&buttons_action(picker("date", "1900-01-01", "2026-02-28", "2100-12-31")));
    accepted(&buttons_action(picker("time", "00:00", "12:00", "23:59")));
    accepted(&buttons_action(picker("datetime", "2017-12-25t00:00", "2017-12-25T12:00", "2017-12-26T23:59")));
    for (action, name) in [
        (picker("date", "1899-12-31", "2026-02-28", "2100-12-31"), "min"),
        (picker("date", "1900-01-01", "2026-02-30", "2100-12-31"), "initial"),
        (picker("time", "00:00", "12:00", "24:00"), "max"),
        (picker("time", "13:00", "13:00", "13:00"), "min"),
        (picker("time", "10:00", "09:00", "11:00"), "initial"),
        (picker("time", "10:00", "12:00", "11:00"), "initial"),
    ] {
        in_content(&buttons_action(action), &format!("{IN_BUTTONS}/{name}"), "invalid property");
    }
    in_content(
        &buttons_action(json!({"type": "datetimepicker", "label": "x", "data": x(301), "mode": "date"})),
        "template/actions/0/data",
        "must not be longer than 300 characters",
    );
}

/// PLATFORM 20, column "Allowed in"; GOTCHAS H6.
#[test]
fn places() {
    for kind in ["camera", "cameraRoll", "location"] {
        let action = json!({"type": kind, "label": "x"});
        accepted(&quick_reply(action.clone()));
        in_content(&buttons_action(action.clone()), IN_BUTTONS, "invalid property");
        in_content(&flex_action(action.clone()), "/body/contents/0/action", "invalid property");
        assert!(validate::action_in_rich_menu(&action, "areas[0].action").is_err());
    }
    let switch = json!({"type": "richmenuswitch", "richMenuAliasId": "menu-b", "data": "d"});
    assert_eq!(validate::action_in_rich_menu(&switch, "areas[0].action"), Ok(()));
    for message in [
        quick_reply(with(switch.clone(), "/label", json!("x"))),
        buttons_action(with(switch.clone(), "/label", json!("x"))),
        flex_action(switch.clone()),
    ] {
        assert!(validate::message(&message).is_err());
    }
    let refusal =
        validate::action_in_rich_menu(&with(switch, "/richMenuAliasId", json!("B!")), "areas[0].action")
            .unwrap_err();
    assert_eq!(refusal.details[0].property.as_deref(), Some("areas[0].action.richMenuAliasId"));
    let long = json!({"type": "message", "text": "x", "label": x(21)});
    assert!(validate::action_in_rich_menu(&long, "areas[0].action").is_err());
    // `altUri` counts for nothing in a quick reply.
    let uri = json!({"type": "uri", "label": "x", "uri": "https://a.example", "altUri": {"desktop": "?"}});
    assert_eq!(validate::message(&quick_reply(uri)), Ok(()));
}

/// PLATFORM 10: the object's limits at their edges; GOTCHAS H6: LINE takes a camera there.
#[test]
fn rich_menus() {
    let menu = |width: i64, height: i64| {
        let bounds = json!({"x": 0, "y": 0, "width": width, "height": height});
        json!({
            "size": {"width": width, "height": height}, "selected": false, "name": x(300), "chatBarText": FAMILY.repeat(14),
            "areas": vec![json!({"bounds": bounds, "action": {"type": "camera", "label": "x"}}); 20],
        })
    };
    for (width, height) in [
        (2500, 1686),
        (2500, 843),
        (1200, 810),
        (1200, 405),
        (800, 540),
        (800, 270),
        (800, 250),
        (2500, 1724),
    ] {
        assert_eq!(validate::rich_menu(&menu(width, height)), Ok(()), "{width}x{height}");
        assert!(validate::rich_menu_size(width, height));
    }
    for (width, height) in [(799, 270), (2501, 843), (800, 249), (2500, 1725), (800, 552)] {
        assert!(validate::rich_menu(&menu(width, height)).is_err(), "{width}x{height}");
        assert!(!validate::rich_menu_size(width, height));
    }
    let good = menu(2500, 843);
    for (path, value, property, text) in [
        ("/name", json!(x(301)), "name", "must not be longer than 300 characters"),
        ("/name", json!(""), "name", "must be specified"),
        ("/selected", json!(null), "selected", "must be specified"),
        ("/chatBarText", json!(x(15)), "chatBarText", "must not be longer than 14 characters"),
        ("/areas/19/bounds/x", json!(1), "areas[19].bounds", "invalid property"),
        ("/areas/0/bounds/height", json!(0), "areas[0].bounds.height", "Must be between 1 and 2147483647"),
        ("/areas/3/action", json!(null), "areas[3].action", "must be specified"),
    ] {
        let refusal = validate::rich_menu(&with(good.clone(), path, value)).unwrap_err();
        assert_eq!(refusal.message, "The request body has 1 error(s)");
        assert_eq!(refusal.details[0].property.as_deref(), Some(property));
        assert_eq!(refusal.details[0].message.as_deref(), Some(text));
    }
}
