//! Messages made by this crate.

use super::*;

#[test]
fn messages_made_here_are_accepted() {
    let bubble = json!({"type": "bubble", "body": body_box(json!([{"type": "text", "text": "x"}]))});
    let confirm = json!({"type": "confirm", "text": "x", "actions": taps(2)});
    for (kind, made) in [
        ("text", message::text("hello")),
        ("sticker", message::sticker("446", "1988")),
        ("image", message::image(PICTURE, PICTURE)),
        ("video", message::video(PICTURE, PICTURE)),
        ("audio", message::audio(PICTURE, 1_000)),
        ("location", message::location("t", "a", 25.03, 121.56)),
        ("flex", message::flex("alt", &bubble)),
        ("template", message::template("alt", &confirm)),
    ] {
        accepted(&made);
        assert_eq!(message::kind(&made), kind);
        let dressed =
            message::with_quick_reply(message::from_sender(made, "Mika", Some(PICTURE)), vec![tap("x")]);
        accepted(&dressed);
        assert_eq!(dressed["quickReply"]["items"][0]["action"], tap("x"));
        assert_eq!(dressed["sender"], json!({"name": "Mika", "iconUrl": PICTURE}));
    }
    let quoting = message::quoting(message::text("x"), "qt");
    accepted(&quoting);
    assert_eq!(quoting["quoteToken"], "qt");
    assert_eq!(message::from_sender(message::text("x"), "Mika", None)["sender"], json!({"name": "Mika"}));
    assert_eq!(message::kind(&json!({"type": 7})), "");
}
