//! Each message object (PLATFORM 19).

use super::*;

/// PLATFORM 19: 5,000 UTF-16 units.
#[test]
fn text_length_counts_units() {
    accepted(&text(&x(5000)));
    accepted(&text(&ASTRAL.repeat(2500)));
    in_body(&text(&x(5001)), "messages[0].text", "Length must be between 0 and 5000");
    in_body(&text(&ASTRAL.repeat(2501)), "messages[0].text", "Length must be between 0 and 5000");
}

/// PLATFORM 19: at most 20 emojis, each `index` at a `$`, counted in units.
#[test]
fn emojis_stand_on_dollars() {
    let emoji =
        |index: usize| json!({"index": index, "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001"});
    let message = |text: &str, emojis: Vec<Value>| json!({"type": "text", "text": text, "emojis": emojis});
    accepted(&message("$ a $", vec![emoji(0), emoji(4)]));
    accepted(&message(&format!("{ASTRAL}$"), vec![emoji(2)]));
    in_content(&message(&format!("{ASTRAL}$"), vec![emoji(1)]), "emojis/0/index", "invalid property");
    in_content(&message("$", vec![emoji(0), emoji(7)]), "emojis/1/index", "invalid property");
    accepted(&message(&"$".repeat(20), (0..20).map(emoji).collect()));
    in_body(
        &message(&"$".repeat(21), (0..21).map(emoji).collect()),
        "messages[0].emojis",
        "Size must be between 0 and 20",
    );
    in_body(
        &message("$", vec![json!({"index": 0, "productId": "p"})]),
        "messages[0].emojis[0].emojiId",
        "May not be empty",
    );
}

/// PLATFORM 19: keys, at most 100; at most 20 mentions and 20 emojis; doubled braces.
#[test]
fn substitutions() {
    let user = json!({"type": "mention", "mentionee": {"type": "user", "userId": samples::USER}});
    let emoji = json!({"type": "emoji", "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001"});
    let message =
        |text: &str, objects: Value| json!({"type": "textV2", "text": text, "substitution": objects});
    accepted(&message("Hi {who_1} {{x}} {e}", json!({"who_1": user, "e": emoji})));
    accepted(&message("{all}", json!({"all": {"type": "mention", "mentionee": {"type": "all"}}})));
    accepted(&json!({"type": "textV2", "text": "no keys"}));
    in_body(
        &message("{!x}", json!({})),
        "messages[0].text",
        "The key '!x' enclosed in '{}' does not match the pattern '^[a-zA-Z0-9_]{1,20}$'.",
    );
    in_body(&message("{x}", json!({})), "messages[0].substitution.x", "May not be empty");
    for odd in ["{", "a}", "{{{", "{a"] {
        assert!(
            refusal(&message(odd, json!({"a": emoji}))).message.starts_with("The request body has"),
            "{odd}"
        );
    }
    accepted(&message(&format!("{{{}}}", x(20)), json!({x(20): emoji})));
    assert_eq!(refusal(&message(&format!("{{{}}}", x(21)), json!({x(21): emoji}))).details.len(), 2);
    accepted(&message(&"{e}".repeat(20), json!({"e": emoji})));
    in_body(&message(&"{e}".repeat(21), json!({"e": emoji})), "messages[0].substitution", "invalid property");
    accepted(&message(&"{u}".repeat(20), json!({"u": user})));
    in_body(&message(&"{u}".repeat(21), json!({"u": user})), "messages[0].substitution", "invalid property");
    let keys =
        |count: usize| Value::Object((0..count).map(|key| (format!("k{key}"), emoji.clone())).collect());
    accepted(&message("x", keys(100)));
    in_body(&message("x", keys(101)), "messages[0].substitution", "Size must be between 0 and 100");
    in_body(
        &message("{u}", json!({"u": {"type": "mention", "mentionee": {"type": "user", "userId": "U1"}}})),
        "messages[0].substitution.u.mentionee.userId",
        "invalid property",
    );
    in_body(&message(&x(5001), json!({})), "messages[0].text", "Length must be between 0 and 5000");
}

#[test]
fn stickers() {
    accepted(&json!({"type": "sticker", "packageId": "446", "stickerId": "1988", "quoteToken": "q"}));
    in_body(&json!({"type": "sticker", "packageId": "446"}), "messages[0].stickerId", "May not be empty");
    in_body(
        &json!({"type": "sticker", "packageId": "x", "stickerId": "1988"}),
        "messages[0].packageId",
        "invalid property",
    );
}

/// PLATFORM 19: HTTPS, at most 2,000 characters, percent-encoded.
#[test]
fn media_addresses() {
    let image =
        |original: &str| json!({"type": "image", "originalContentUrl": original, "previewImageUrl": PICTURE});
    let property = "messages[0].originalContentUrl";
    accepted(&image(&url(2000)));
    accepted(&image("https://a.example/%E8%8C%B6.png"));
    in_body(&image(&url(2001)), property, "Length must be between 0 and 2000");
    in_body(&image("http://a.example/1.png"), property, "invalid uri scheme");
    in_body(&image("https://a.example/茶.png"), property, "invalid uri");
    in_body(&image("1.png"), property, "invalid uri");
    in_body(&image(""), property, "May not be empty");
}

#[test]
fn plain_http_on_this_machine_is_a_rule() {
    let message = json!({"type": "image", "originalContentUrl": "http://127.0.0.1:8080/1.png",
        "previewImageUrl": "http://localhost/1.png"});
    assert_eq!(validate::message_with(&message, Rules { loopback_http: true }), Ok(()));
    assert!(validate::message(&message).is_err());
    let elsewhere = with(message, "/previewImageUrl", json!("http://192.168.0.1/1.png"));
    assert!(validate::message_with(&elsewhere, Rules { loopback_http: true }).is_err());
}

/// PLATFORM 19: a tracking id has at most 100 of certain characters.
#[test]
fn video_and_audio() {
    let video = |id: &str| {
        json!({"type": "video", "originalContentUrl": PICTURE, "previewImageUrl": PICTURE,
        "trackingId": id})
    };
    accepted(&video(&x(100)));
    accepted(&video("a-.=,+*()%$&;:@{}!?<>[]"));
    in_body(&video(&x(101)), "messages[0].trackingId", "invalid property");
    in_body(&video("a b"), "messages[0].trackingId", "invalid property");
    accepted(&json!({"type": "audio", "originalContentUrl": PICTURE, "duration": 60_000}));
    in_body(
        &json!({"type": "audio", "originalContentUrl": PICTURE}),
        "messages[0].duration",
        "May not be empty",
    );
}

/// PLATFORM 19: title and address of at most 100.
#[test]
fn locations() {
    let place =
        json!({"type": "location", "title": x(100), "address": x(100), "latitude": 25.03, "longitude": 121});
    accepted(&place);
    in_body(
        &with(place.clone(), "/title", json!(x(101))),
        "messages[0].title",
        "Length must be between 0 and 100",
    );
    in_body(
        &with(place.clone(), "/address", json!(x(101))),
        "messages[0].address",
        "Length must be between 0 and 100",
    );
    in_body(&with(place, "/latitude", json!(90.5)), "messages[0].latitude", "Must be between -90 and 90");
}

/// PLATFORM 19, "Imagemap".
#[test]
fn imagemaps() {
    let area = json!({"x": 0, "y": 0, "width": 520, "height": 520});
    let uri = json!({"type": "uri", "linkUri": url(1000), "label": x(100), "area": area});
    let map = json!({"type": "imagemap", "baseUrl": "https://a.example/map", "altText": x(1500),
        "baseSize": {"width": 1040, "height": 1040},
        "actions": [uri, {"type": "message", "text": x(400), "area": area},
            {"type": "clipboard", "clipboardText": x(1000), "area": area}],
        "video": {"originalContentUrl": PICTURE, "previewImageUrl": PICTURE, "area": area,
            "externalLink": {"linkUri": PICTURE, "label": x(30)}}});
    accepted(&map);
    for (pointer, new, property, said) in [
        ("/altText", json!(x(1501)), "altText", "Length must be between 0 and 1500"),
        ("/baseSize/width", json!(1041), "baseSize.width", "Must be between 1040 and 1040"),
        ("/actions", json!(vec![uri.clone(); 51]), "actions", "Size must be between 0 and 50"),
        ("/actions/0/linkUri", json!(url(1001)), "actions[0].linkUri", "Length must be between 0 and 1000"),
        ("/actions/0/label", json!(x(101)), "actions[0].label", "Length must be between 0 and 100"),
        ("/actions/0/area/x", json!(-1), "actions[0].area.x", "Must be between 0 and 2147483647"),
        ("/actions/1/text", json!(x(401)), "actions[1].text", "Length must be between 0 and 400"),
        (
            "/actions/2/clipboardText",
            json!(x(1001)),
            "actions[2].clipboardText",
            "Length must be between 0 and 1000",
        ),
        (
            "/actions/2/type",
            json!("postback"),
            "actions[2].type",
            "Must be one of the following values: [uri, message, clipboard]",
        ),
        (
            "/video/externalLink/label",
            json!(x(31)),
            "video.externalLink.label",
            "Length must be between 0 and 30",
        ),
        ("/video/area", Value::Null, "video.area", "May not be empty"),
    ] {
        in_body(&with(map.clone(), pointer, new), &format!("messages[0].{property}"), said);
    }
    accepted(&with(map.clone(), "/actions", json!(vec![uri; 50])));
}

/// PLATFORM 19: a delivery tag has at most 30 of `[a-zA-Z0-9_]`.
#[test]
fn coupons() {
    let coupon =
        |tag: &str| json!({"type": "coupon", "couponId": "01JYNW8JMQVFBNWF1APF8Z3FS7", "deliveryTag": tag});
    accepted(&coupon(&x(30)));
    in_body(&coupon(&x(31)), "messages[0].deliveryTag", "invalid property");
    in_body(&coupon("a-b"), "messages[0].deliveryTag", "invalid property");
    in_body(&json!({"type": "coupon"}), "messages[0].couponId", "May not be empty");
}

/// PLATFORM 19, 21: an alternative text has at most 1,500.
#[test]
fn alternative_texts() {
    for message in [
        template(json!({"type": "confirm", "text": "x", "actions": taps(2)})),
        component(json!({"type": "filler"})),
    ] {
        accepted(&with(message.clone(), "/altText", json!(x(1500))));
        in_body(
            &with(message.clone(), "/altText", json!(x(1501))),
            "messages[0].altText",
            "Length must be between 0 and 1500",
        );
        in_body(&with(message, "/altText", json!("")), "messages[0].altText", "May not be empty");
    }
}
