//! Flex containers and components (PLATFORM 21).

use super::*;

fn bubble(size: &str) -> Value {
    json!({"type": "bubble", "size": size, "body": body_box(json!([{"type": "text", "text": "x"}]))})
}

fn carousel(bubbles: Vec<Value>) -> Value {
    flex(json!({"type": "carousel", "contents": bubbles}))
}

fn video() -> Value {
    json!({"type": "video", "url": "https://a.example/1.mp4", "previewUrl": PICTURE, "aspectRatio": "20:13",
        "altContent": {"type": "image", "url": PICTURE}, "action": {"type": "uri", "uri": PICTURE}})
}

/// Every element and field of PLATFORM 21 in one bubble.
#[test]
fn a_rich_bubble() {
    let action = json!({"type": "uri", "uri": PICTURE});
    let position = json!({"position": "absolute", "offsetTop": "5%", "offsetBottom": "md",
        "offsetStart": "1px", "offsetEnd": "none"});
    let placed = |mut component: Value| {
        component.as_object_mut().unwrap().extend(position.as_object().unwrap().clone());
        component
    };
    accepted(&flex(json!({
        "type": "bubble", "size": "giga", "direction": "rtl", "action": action,
        "styles": {"header": {"backgroundColor": "#00ff00"}, "footer": {"separator": true,
            "separatorColor": "#00ff00ff"}},
        "header": placed(json!({"type": "box", "layout": "horizontal", "contents": [], "flex": 0,
            "spacing": "xxl", "margin": "1px",
            "paddingAll": "5%", "paddingTop": "sm", "width": "50%", "maxWidth": "100px", "height": "10px",
                "maxHeight": "10%",
            "backgroundColor": "#000000", "borderColor": "#000000", "borderWidth": "semi-bold",
                "cornerRadius": "xxl",
            "justifyContent": "space-evenly", "alignItems": "flex-end", "action": action, "background":
            {"type": "linearGradient", "angle": "90deg", "startColor": "#000000", "endColor": "#ffffff",
                "centerColor": "#888888", "centerPosition": "50%"}})),
        "hero": video(),
        "body": body_box(json!([
            placed(json!({"type": "text", "text": "x", "size": "5xl", "weight": "bold", "color": "#000000",
                "style": "italic",
                "decoration": "line-through", "wrap": true, "maxLines": 2, "lineSpacing": "2px",
                    "align": "center", "gravity": "bottom",
                "adjustMode": "shrink-to-fit", "scaling": true, "flex": 1, "margin": "lg",
                    "action": action})),
            {"type": "text", "contents": [{"type": "span", "text": "x", "size": "10px",
                "decoration": "underline"}]},
            placed(json!({"type": "button", "action": tap("x"), "height": "sm", "style": "secondary",
                "color": "#000000", "flex": 1,
                "margin": "md", "gravity": "top", "adjustMode": "shrink-to-fit", "scaling": false})),
            placed(json!({"type": "image", "url": PICTURE, "size": "full", "aspectRatio": "1:3",
                "aspectMode": "cover", "align": "end",
                "gravity": "center", "backgroundColor": "#000000", "animated": true, "flex": 1,
                    "margin": "none", "action": action})),
            {"type": "box", "layout": "baseline", "contents": [
                placed(json!({"type": "icon", "url": PICTURE, "size": "3xl", "aspectRatio": "1:1",
                    "margin": "xs", "scaling": true})),
                {"type": "text", "text": "x"}, {"type": "filler"}]},
            {"type": "separator", "margin": "md", "color": "#000000"},
            {"type": "filler", "flex": 2},
        ])),
        "footer": body_box(json!([])),
    })));
}

/// The paths and texts of PLATFORM 5 and 21.
#[test]
fn published_paths() {
    let footer = |action: Value| {
        json!({"type": "bubble", "footer": body_box(json!([{"type": "button",
        "action": action}]))})
    };
    in_content(
        &carousel(vec![footer(json!({"type": "uri", "label": "x", "uri": "ftp://a.example"}))]),
        "/contents/0/footer/contents/0/action/uri",
        "invalid uri scheme",
    );
    in_content(
        &flex(footer(json!({"type": "message", "text": "x", "label": 7}))),
        "/footer/contents/0/action/label",
        "invalid property",
    );
    in_content(
        &flex(json!({"type": "bubble", "hero": {"type": "image", "url": "http://a.example/1.png"}})),
        "/hero/url",
        "invalid uri scheme",
    );
}

#[test]
fn carousels() {
    accepted(&carousel(vec![bubble("kilo"); 12]));
    for count in [0, 13] {
        in_content(&carousel(vec![bubble("kilo"); count]), "/contents", "Size must be between 1 and 12");
    }
    in_content(&carousel(vec![bubble("kilo"), bubble("nano")]), "/contents/1/size", "invalid property");
    let mut unsized_bubble = bubble("mega");
    unsized_bubble.as_object_mut().unwrap().remove("size");
    accepted(&carousel(vec![bubble("mega"), unsized_bubble]));
    in_content(&flex(json!({"type": "hologram"})), "/", "invalid property");
    in_content(
        &carousel(vec![json!({"type": "carousel", "contents": []})]),
        "/contents/0",
        "invalid property",
    );
}

/// PLATFORM 21: bubble 30 KB, carousel 50 KB.
#[test]
fn sizes() {
    let sized = |bytes: usize| {
        let mut bubble = bubble("mega");
        let short = bytes - bubble.to_string().len() + 1;
        bubble["body"]["contents"][0]["text"] = json!(x(short));
        assert_eq!(bubble.to_string().len(), bytes);
        bubble
    };
    accepted(&flex(sized(limits::BUBBLE_BYTES)));
    in_content(&flex(sized(limits::BUBBLE_BYTES + 1)), "/", "Size must be between 0 and 30720");
    let around = json!({"type": "carousel", "contents": []}).to_string().len() + 1;
    let half = (limits::CAROUSEL_BYTES - around) / 2;
    let rest = limits::CAROUSEL_BYTES - around - half;
    accepted(&carousel(vec![sized(half), sized(rest)]));
    in_content(&carousel(vec![sized(half), sized(rest + 1)]), "/", "Size must be between 0 and 51200");
}

/// PLATFORM 21, column "Where".
#[test]
fn places_of_components() {
    in_content(&component(json!({"type": "icon", "url": PICTURE})), "/body/contents/0", "invalid property");
    in_content(&component(json!({"type": "span", "text": "x"})), "/body/contents/0", "invalid property");
    in_content(&component(video()), "/body/contents/0", "invalid property");
    for odd in [
        json!({"type": "image", "url": PICTURE}),
        json!({"type": "button", "action": tap("x")}),
        json!({"type": "separator"}),
    ] {
        let baseline = json!({"type": "box", "layout": "baseline", "contents": [odd]});
        in_content(&component(baseline), "/body/contents/0/contents/0", "invalid property");
    }
    for block in ["header", "body", "footer"] {
        in_content(
            &flex(json!({"type": "bubble", block: {"type": "text", "text": "x"}})),
            &format!("/{block}"),
            "invalid property",
        );
    }
    in_content(
        &flex(json!({"type": "bubble", "hero": {"type": "text", "text": "x"}})),
        "/hero",
        "invalid property",
    );
}

/// PLATFORM 21: bubbles kilo, mega and giga; not in a carousel; an address as its action.
#[test]
fn videos() {
    let hero = |size: &str| json!({"type": "bubble", "size": size, "hero": video()});
    for size in ["kilo", "mega", "giga"] {
        accepted(&flex(hero(size)));
    }
    for size in ["nano", "micro", "deca", "hecto"] {
        in_content(&flex(hero(size)), "/hero", "invalid property");
    }
    in_content(&carousel(vec![hero("mega")]), "/contents/0/hero", "invalid property");
    let message = with(flex(hero("mega")), "/contents/hero/action", tap("x"));
    in_content(&message, "/hero/action", "invalid property");
    for name in ["url", "previewUrl", "altContent"] {
        let message = with(flex(hero("mega")), &format!("/contents/hero/{name}"), Value::Null);
        in_content(&message, &format!("/hero/{name}"), "must be specified");
    }
}

#[test]
fn texts() {
    in_content(
        &component(json!({"type": "text", "text": ""})),
        "/body/contents/0/text",
        "must be non-empty text",
    );
    in_content(&component(json!({"type": "text"})), "/body/contents/0/text", "must be specified");
    in_content(
        &component(json!({"type": "text", "contents": [{"type": "text", "text": "x"}]})),
        "/body/contents/0/contents/0",
        "invalid property",
    );
    in_content(
        &component(json!({"type": "text", "text": "x", "wrap": "true"})),
        "/body/contents/0/wrap",
        "invalid property",
    );
}

/// PLATFORM 21: at most 10 animated pictures in a message.
#[test]
fn animated_pictures() {
    let pictures = |count: usize| {
        let picture = json!({"type": "image", "url": PICTURE, "animated": true});
        let bubble =
            |count: usize| json!({"type": "bubble", "body": body_box(json!(vec![picture.clone(); count]))});
        carousel(vec![bubble(5), bubble(count - 5)])
    };
    accepted(&pictures(10));
    in_content(&pictures(11), "/contents/1/body/contents/5/animated", "invalid property");
    assert_eq!(
        validate::messages(&json!([pictures(10), pictures(10)])),
        Ok(()),
        "each message counts for itself"
    );
}

/// PLATFORM 21, "Value kind": which kind belongs to which field.
#[test]
fn kinds_of_values() {
    let text = json!({"type": "text", "text": "x"});
    let image = json!({"type": "image", "url": PICTURE});
    let layout = json!({"type": "box", "layout": "vertical", "contents": []});
    for (component_with, name, odd) in [
        (&text, "size", "full"),
        (&text, "align", "left"),
        (&text, "gravity", "middle"),
        (&text, "color", "red"),
        (&text, "margin", "5%"),
        (&text, "offsetTop", "5em"),
        (&text, "position", "fixed"),
        (&text, "decoration", "blink"),
        (&text, "lineSpacing", "md"),
        (&image, "size", "6xl"),
        (&image, "aspectRatio", "1:4"),
        (&image, "aspectMode", "stretch"),
        (&layout, "spacing", "5%"),
        (&layout, "paddingAll", "xxs"),
        (&layout, "width", "md"),
        (&layout, "borderWidth", "xs"),
        (&layout, "justifyContent", "stretch"),
        (&layout, "alignItems", "baseline"),
    ] {
        let message = component(with(component_with.clone(), &format!("/{name}"), json!(odd)));
        in_content(&message, &format!("/body/contents/0/{name}"), "invalid property");
    }
    let message = component(with(layout, "/layout", json!("grid")));
    in_content(&message, "/body/contents/0/layout", "invalid property");
}
