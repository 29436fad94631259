//! Writes a page with every kind of message: `cargo run -p line-view --example gallery -- page.html [picture-base] [light|dark]`.
//!
//! `picture-base` is a web address that serves `food.png`, `shirt.png`, `bag.png`, `icon.png` and `map/1040`; without it pictures show
//! as placeholders. Open the page in a browser and look.

use line_view::{Labels, Place, View, message, quick_replies};
use serde_json::{Value, json};
use std::fmt::Write as _;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "gallery.html".into());
    let base = arguments.next().filter(|base| base.starts_with("http"));
    let scheme = arguments.next().unwrap_or_else(|| "light".into());
    let labels = Labels::english();
    let phone = View {
        external_media: base.is_some(),
        line_pictures: base.is_some(),
        interactive: true,
        ..View::new(&labels, Place::Phone)
    };
    let inbox = View::new(&labels, Place::Inbox);
    let messages = messages(base.as_deref().unwrap_or("https://example.com"));

    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>line-view</title><style>{}\
         html{{color-scheme:{scheme};font-family:system-ui,'Noto Sans CJK TC','Noto Sans Thai',sans-serif}}\
         body{{margin:0;display:grid;grid-template-columns:1fr 1fr;background:light-dark(#fff,#16181b)}}\
         main{{display:flex;flex-direction:column;gap:12px;padding:16px;min-width:0}}\
         .phone{{background:light-dark(#8cabd8,#1d232b)}} .mine{{--lv-bubble-bg:#8de055;--lv-bubble-text:#111}}\
         </style><script>{}</script><body>",
        line_view::CSS,
        line_view::JS
    );
    for (class, view) in [("phone", &phone), ("inbox", &inbox)] {
        let _ = write!(page, "<main class={class}>");
        for (number, value) in messages.iter().enumerate() {
            let side = if number % 4 == 1 { " class=mine" } else { "" };
            let _ = write!(page, "<div{side}>{}</div>{}", message(value, view), quick_replies(value, view));
        }
        page.push_str("</main>");
    }
    std::fs::write(path, page)
}

fn messages(base: &str) -> Vec<Value> {
    let picture = |name: &str| format!("{base}/{name}.png");
    let mut all = vec![
        json!({"type": "text", "id": "1", "text": "Hello 你好 สวัสดี\nOur hours: https://example.com/hours, see you (soon)."}),
        json!({"type": "text", "id": "2", "quotedMessageId": "1", "text": "@Shop thanks (love)",
            "mention": {"mentionees": [{"index": 0, "length": 5, "type": "user", "isSelf": true}]},
            "emojis": [{"index": 13, "length": 6, "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001"}]}),
        json!({"type": "textV2", "text": "Hi {who}, {{ok}} {face}", "substitution": {
            "who": {"type": "mention", "mentionee": {"type": "all"}}, "face": {"type": "emoji", "productId": "p", "emojiId": "1"}}}),
        json!({"type": "sticker", "packageId": "446", "stickerId": "1988", "keywords": ["happy", "yay"]}),
        json!({"type": "image", "originalContentUrl": picture("food"), "previewImageUrl": picture("food")}),
        json!({"type": "image", "id": "9", "contentProvider": {"type": "line"}}),
        json!({"type": "video", "originalContentUrl": "https://example.com/v.mp4", "previewImageUrl": picture("food"), "duration": 61000}),
        json!({"type": "audio", "id": "3", "duration": 4200, "contentProvider": {"type": "line"}}),
        json!({"type": "file", "id": "4", "fileName": "menu-2026.pdf", "fileSize": 348_160}),
        json!({"type": "location", "title": "Harbour Bakery", "address": "2 Pier Road", "latitude": 25.033, "longitude": 121.565}),
        json!({"type": "audio", "originalContentUrl": "https://example.com/a.m4a", "duration": 65_000}),
        json!({"type": "coupon", "couponId": "01JYNW8JMQVFBNWF1APF8Z3FS7"}),
        json!({"type": "imagemap", "baseUrl": format!("{base}/map"), "altText": "Spring menu", "baseSize": {"width": 1040, "height": 520},
            "actions": [{"type": "uri", "label": "Book", "linkUri": "https://example.com", "area": {"x": 0, "y": 0, "width": 520, "height": 520}},
                {"type": "message", "label": "Menu", "text": "menu", "area": {"x": 520, "y": 0, "width": 520, "height": 520}}]}),
        json!({"type": "template", "altText": "Lunch", "template": {"type": "buttons", "thumbnailImageUrl": picture("food"),
            "title": "Lunch today", "text": "Rice bowl with vegetables", "defaultAction": {"type": "uri", "uri": "https://example.com"},
            "actions": [{"type": "message", "label": "Order", "text": "order"}, {"type": "uri", "label": "See all", "uri": "https://example.com"}]}}),
        json!({"type": "template", "altText": "Sure?", "template": {"type": "confirm", "text": "Keep the table for four at 19:00?",
            "actions": [{"type": "postback", "label": "Yes", "data": "y"}, {"type": "postback", "label": "No", "data": "n"}]}}),
        json!({"type": "template", "altText": "Bags", "template": {"type": "carousel", "columns": [
            {"thumbnailImageUrl": picture("bag"), "title": "Day bag", "text": "18 litres", "actions": [{"type": "message", "label": "Buy", "text": "1"}]},
            {"thumbnailImageUrl": picture("bag"), "title": "Tote", "text": "Cotton, washable,\nmade to last", "actions": [{"type": "message", "label": "Buy", "text": "2"}]}]}}),
        json!({"type": "template", "altText": "Looks", "template": {"type": "image_carousel", "columns": [
            {"imageUrl": picture("shirt"), "action": {"type": "message", "label": "Linen", "text": "1"}},
            {"imageUrl": picture("bag"), "action": {"type": "message", "label": "Canvas", "text": "2"}}]}}),
        json!({"type": "hologram"}),
    ];
    let flex = |alt: &str, contents: Value| json!({"type": "flex", "altText": alt, "contents": contents});
    all.push(flex("Restaurant", restaurant(&picture("food"), &picture("icon"))));
    all.push(flex("Film", film(&picture("food"))));
    all.push(flex("Receipt", receipt()));
    all.push(flex("Transit", transit()));
    all.push(flex("Shop", json!({"type": "carousel", "contents": [
        goods(&picture("shirt"), "Linen shirt", "$42", "", true), goods(&picture("bag"), "Canvas bag", "$19", "Sold out until May", false)]})));
    all.push(flex("Apparel", apparel(&picture("shirt"), &picture("bag"))));
    all.push(flex("Progress", json!({"type": "carousel", "contents": [progress("#27ACB2", "70%"), progress("#FF6B6E", "30%"), progress("#A17DF5", "100%")]})));
    all.push(flex("Ticket", ticket()));
    all.push(flex("Layouts", layouts()));
    if let Some(last) = all.last_mut() {
        last["quickReply"] = json!({"items": [
            {"type": "action", "imageUrl": picture("icon"), "action": {"type": "message", "label": "Menu", "text": "menu"}},
            {"type": "action", "action": {"type": "camera", "label": "Camera"}},
            {"type": "action", "action": {"type": "cameraRoll", "label": "Pictures"}},
            {"type": "action", "action": {"type": "location", "label": "Where I am"}},
            {"type": "action", "action": {"type": "uri", "label": "Web", "uri": "https://example.com"}}]});
    }
    all
}

fn restaurant(food: &str, icon: &str) -> Value {
    let star = json!({"type": "icon", "size": "sm", "url": icon});
    let row = |name: &str, value: &str| {
        json!({"type": "box", "layout": "baseline", "spacing": "sm", "contents": [
            {"type": "text", "text": name, "color": "#aaaaaa", "size": "sm", "flex": 1},
            {"type": "text", "text": value, "wrap": true, "color": "#666666", "size": "sm", "flex": 5}]})
    };
    json!({"type": "bubble",
        "hero": {"type": "image", "url": food, "size": "full", "aspectRatio": "20:13", "aspectMode": "cover",
            "action": {"type": "uri", "uri": "https://example.com"}},
        "body": {"type": "box", "layout": "vertical", "contents": [
            {"type": "text", "text": "Harbour Kitchen", "weight": "bold", "size": "xl"},
            {"type": "box", "layout": "baseline", "margin": "md", "contents": [
                star, star, star, star, star,
                {"type": "text", "text": "4.0", "size": "sm", "color": "#999999", "margin": "md", "flex": 0}]},
            {"type": "box", "layout": "vertical", "margin": "lg", "spacing": "sm", "contents": [
                row("Place", "2 Pier Road, by the old customs house"), row("Time", "10:00 - 23:00")]}]},
        "footer": {"type": "box", "layout": "vertical", "spacing": "sm", "flex": 0, "contents": [
            {"type": "button", "style": "link", "height": "sm", "action": {"type": "uri", "label": "CALL", "uri": "tel:+886212345678"}},
            {"type": "button", "style": "link", "height": "sm", "action": {"type": "uri", "label": "WEBSITE", "uri": "https://example.com"}},
            {"type": "box", "layout": "vertical", "contents": [], "margin": "sm"}]}})
}

fn film(poster: &str) -> Value {
    json!({"type": "bubble", "size": "kilo",
        "hero": {"type": "video", "url": "https://example.com/film.mp4", "previewUrl": poster, "aspectRatio": "20:13",
            "altContent": {"type": "image", "url": poster, "size": "full"},
            "action": {"type": "uri", "label": "Watch the whole film", "uri": "https://example.com/film"}},
        "body": {"type": "box", "layout": "horizontal", "spacing": "md", "alignItems": "center", "contents": [
            {"type": "image", "url": poster, "size": "xxs", "aspectMode": "cover", "flex": 0},
            {"type": "text", "text": "A day at the harbour, in two minutes", "wrap": true, "size": "sm"}]}})
}

fn receipt() -> Value {
    let line = |name: &str, value: &str| {
        json!({"type": "box", "layout": "horizontal", "contents": [
            {"type": "text", "text": name, "size": "sm", "color": "#555555", "flex": 0},
            {"type": "text", "text": value, "size": "sm", "color": "#111111", "align": "end"}]})
    };
    json!({"type": "bubble", "styles": {"footer": {"separator": true}},
        "body": {"type": "box", "layout": "vertical", "contents": [
            {"type": "text", "text": "RECEIPT", "weight": "bold", "color": "#1DB446", "size": "sm"},
            {"type": "text", "text": "Corner Store", "weight": "bold", "size": "xxl", "margin": "md"},
            {"type": "text", "text": "Pier Road 2, 10th floor, behind the lift", "size": "xs", "color": "#aaaaaa", "wrap": true},
            {"type": "separator", "margin": "xxl"},
            {"type": "box", "layout": "vertical", "margin": "xxl", "spacing": "sm", "contents": [
                line("Energy drink", "$2.99"), line("Chewing gum", "$0.99"), line("Bottled water", "$3.33"),
                {"type": "separator", "margin": "xxl"},
                {"type": "box", "layout": "horizontal", "margin": "xxl", "contents": [
                    {"type": "text", "text": "ITEMS", "size": "sm", "color": "#555555"},
                    {"type": "text", "text": "3", "size": "sm", "color": "#111111", "align": "end"}]},
                line("TOTAL", "$7.31"), line("CASH", "$8.00"), line("CHANGE", "$0.69")]},
            {"type": "separator", "margin": "xxl"},
            {"type": "box", "layout": "horizontal", "margin": "md", "contents": [
                {"type": "text", "text": "PAYMENT ID", "size": "xs", "color": "#aaaaaa", "flex": 0},
                {"type": "text", "text": "#743289384279", "color": "#aaaaaa", "size": "xs", "align": "end"}]}]}})
}

fn transit() -> Value {
    let stop = |time: &str, name: &str, colour: &str| {
        json!({"type": "box", "layout": "horizontal", "spacing": "lg", "cornerRadius": "30px", "contents": [
            {"type": "text", "text": time, "size": "sm", "gravity": "center"},
            {"type": "box", "layout": "vertical", "flex": 0, "contents": [
                {"type": "filler"},
                {"type": "box", "layout": "vertical", "contents": [], "cornerRadius": "30px", "height": "12px", "width": "12px",
                    "borderColor": colour, "borderWidth": "2px"},
                {"type": "filler"}]},
            {"type": "text", "text": name, "gravity": "center", "flex": 4, "size": "sm"}]})
    };
    let leg = |words: &str, colour: &str| {
        json!({"type": "box", "layout": "horizontal", "spacing": "lg", "height": "64px", "contents": [
            {"type": "box", "layout": "baseline", "contents": [{"type": "filler"}], "flex": 1},
            {"type": "box", "layout": "vertical", "width": "12px", "contents": [
                {"type": "box", "layout": "horizontal", "flex": 1, "contents": [
                    {"type": "filler"},
                    {"type": "box", "layout": "vertical", "contents": [], "width": "2px", "backgroundColor": colour},
                    {"type": "filler"}]}]},
            {"type": "text", "text": words, "gravity": "center", "flex": 4, "size": "xs", "color": "#8c8c8c"}]})
    };
    let end = |name: &str, value: &str| {
        json!({"type": "box", "layout": "vertical", "contents": [
            {"type": "text", "text": name, "color": "#ffffff66", "size": "sm"},
            {"type": "text", "text": value, "color": "#ffffff", "size": "xl", "flex": 4, "weight": "bold"}]})
    };
    json!({"type": "bubble", "size": "mega",
        "header": {"type": "box", "layout": "vertical", "paddingAll": "20px", "backgroundColor": "#0367D3", "spacing": "md",
            "height": "154px", "paddingTop": "22px", "contents": [end("FROM", "Harbour"), end("TO", "Old Town")]},
        "body": {"type": "box", "layout": "vertical", "contents": [
            {"type": "text", "text": "Total: 1 hour", "color": "#b7b7b7", "size": "xs"},
            stop("20:30", "Harbour", "#EF454D"), leg("Walk 4 min", "#B7B7B7"),
            stop("20:34", "Market Street", "#6486E3"), leg("Tram 1 hr", "#6486E3"),
            stop("20:40", "Old Town", "#6486E3")]}})
}

fn goods(picture: &str, name: &str, price: &str, note: &str, on: bool) -> Value {
    json!({"type": "bubble",
        "hero": {"type": "image", "size": "full", "aspectRatio": "20:13", "aspectMode": "cover", "url": picture},
        "body": {"type": "box", "layout": "vertical", "spacing": "sm", "contents": [
            {"type": "text", "text": name, "wrap": true, "weight": "bold", "size": "xl"},
            {"type": "box", "layout": "baseline", "contents": [
                {"type": "text", "text": price, "wrap": true, "weight": "bold", "size": "xl", "flex": 0},
                {"type": "text", "text": ".99", "wrap": true, "weight": "bold", "size": "sm", "flex": 0}]},
            {"type": "text", "text": if note.is_empty() { " " } else { note }, "wrap": true, "size": "xxs", "margin": "md", "color": "#ff5551", "flex": 0}]},
        "footer": {"type": "box", "layout": "vertical", "spacing": "sm", "contents": [
            {"type": "button", "style": "primary", "color": if on { "#17c950" } else { "#aaaaaa" },
                "action": {"type": "message", "label": "Add to cart", "text": "add"}},
            {"type": "button", "style": "secondary", "height": "sm", "action": {"type": "message", "label": "Add to wish list", "text": "wish"}}]}})
}

fn apparel(shirt: &str, bag: &str) -> Value {
    let side = json!({"type": "image", "url": bag, "size": "full", "aspectMode": "cover", "aspectRatio": "150:98", "gravity": "center"});
    json!({"type": "bubble",
        "body": {"type": "box", "layout": "vertical", "paddingAll": "0px", "contents": [
            {"type": "box", "layout": "horizontal", "contents": [
                {"type": "image", "url": shirt, "size": "full", "aspectMode": "cover", "aspectRatio": "150:196", "gravity": "center", "flex": 1},
                {"type": "box", "layout": "vertical", "flex": 1, "contents": [side, side]}]},
            {"type": "box", "layout": "horizontal", "position": "absolute", "offsetTop": "18px", "offsetStart": "18px", "height": "25px",
                "width": "53px", "backgroundColor": "#EC3D44", "cornerRadius": "20px", "paddingStart": "4px", "paddingEnd": "4px",
                "contents": [{"type": "text", "text": "SALE", "size": "xs", "color": "#ffffff", "align": "center", "gravity": "center"}]},
            {"type": "box", "layout": "vertical", "paddingAll": "20px", "backgroundColor": "#464F69", "contents": [
                {"type": "text", "contents": [], "size": "xl", "wrap": true, "text": "Linen week", "color": "#ffffff", "weight": "bold"},
                {"type": "text", "size": "sm", "color": "#ffffffcc", "contents": [
                    {"type": "span", "text": "$35 "}, {"type": "span", "text": "$75", "decoration": "line-through", "color": "#ffffff88"},
                    {"type": "span", "text": "  -53%", "weight": "bold", "size": "lg"}]}]}]},
        "footer": {"type": "box", "layout": "vertical", "backgroundColor": "#464F69", "paddingTop": "0px", "contents": [
            {"type": "box", "layout": "vertical", "height": "40px", "borderWidth": "1px", "borderColor": "#ffffff", "cornerRadius": "4px",
                "justifyContent": "center", "action": {"type": "message", "label": "Cart", "text": "cart"},
                "contents": [{"type": "text", "text": "Add to cart", "color": "#ffffff", "align": "center"}]}]}})
}

fn progress(colour: &str, share: &str) -> Value {
    json!({"type": "bubble", "size": "nano",
        "header": {"type": "box", "layout": "vertical", "backgroundColor": colour, "paddingTop": "19px", "paddingAll": "12px", "paddingBottom": "16px", "contents": [
            {"type": "text", "text": "In progress", "color": "#ffffff", "align": "start", "size": "md", "gravity": "center", "adjustMode": "shrink-to-fit"},
            {"type": "text", "text": share, "color": "#ffffff", "align": "start", "size": "xs", "gravity": "center", "margin": "lg"},
            {"type": "box", "layout": "vertical", "backgroundColor": "#FFFFFF55", "height": "6px", "margin": "sm", "contents": [
                {"type": "box", "layout": "vertical", "contents": [{"type": "filler"}], "width": share, "backgroundColor": "#ffffff", "height": "6px"}]}]},
        "body": {"type": "box", "layout": "vertical", "spacing": "md", "paddingAll": "12px", "contents": [
            {"type": "box", "layout": "horizontal", "flex": 1, "contents": [
                {"type": "text", "text": "Buy milk and lettuce before class", "color": "#8C8C8C", "size": "sm", "wrap": true, "maxLines": 2}]}]}})
}

fn ticket() -> Value {
    json!({"type": "bubble", "size": "giga", "direction": "rtl",
        "body": {"type": "box", "layout": "vertical", "paddingAll": "xxl", "spacing": "lg",
            "background": {"type": "linearGradient", "angle": "135deg", "startColor": "#5b247a", "centerColor": "#1b7fb5", "endColor": "#1bcedf", "centerPosition": "60%"},
            "contents": [
                {"type": "text", "text": "مساء الجاز", "size": "3xl", "weight": "bold", "color": "#ffffff"},
                {"type": "separator", "color": "#ffffff66"},
                {"type": "box", "layout": "horizontal", "justifyContent": "space-between", "contents": [
                    {"type": "text", "text": "21:00", "flex": 0, "color": "#ffffff"}, {"type": "text", "text": "A12", "flex": 0, "color": "#ffffff"}]}]}})
}

fn layouts() -> Value {
    let block = |colour: &str| json!({"type": "box", "layout": "vertical", "width": "30px", "height": "30px", "backgroundColor": colour, "cornerRadius": "md", "contents": []});
    let line = |justify: &str, items: &str| {
        json!({"type": "box", "layout": "horizontal", "height": "44px", "justifyContent": justify, "alignItems": items,
            "backgroundColor": "#f2f4f7", "contents": [block("#17c950"), block("#0367D3"), block("#EF454D")]})
    };
    json!({"type": "bubble", "size": "kilo",
        "header": {"type": "box", "layout": "vertical", "contents": [{"type": "text", "text": "Layouts", "weight": "bold", "size": "lg"}]},
        "body": {"type": "box", "layout": "vertical", "spacing": "md", "contents": [
            line("center", "center"), line("space-between", "flex-end"), line("space-evenly", "flex-start"),
            {"type": "box", "layout": "horizontal", "spacing": "sm", "contents": [
                {"type": "text", "text": "2", "flex": 2, "align": "center", "size": "sm"},
                {"type": "separator"},
                {"type": "text", "text": "3", "flex": 3, "align": "center", "size": "sm", "style": "italic"}]},
            {"type": "box", "layout": "baseline", "contents": [
                {"type": "text", "text": "xxs", "size": "xxs", "flex": 0}, {"type": "text", "text": "md", "flex": 0, "margin": "sm"},
                {"type": "text", "text": "xxl", "size": "xxl", "flex": 0, "margin": "sm"}, {"type": "text", "text": "17px", "size": "17px", "flex": 0, "margin": "sm", "decoration": "underline"}]},
            {"type": "text", "text": "Three lines at most, with more space between them than usual, and then it is cut off because it is too long for the place", "wrap": true, "maxLines": 3, "lineSpacing": "6px", "size": "sm"},
            {"type": "image", "url": "https://example.com/missing.png", "size": "xs", "align": "end", "backgroundColor": "#ffe9a8"}]},
        "footer": {"type": "box", "layout": "horizontal", "spacing": "md", "contents": [
            {"type": "button", "style": "primary", "height": "sm", "color": "#42659a", "adjustMode": "shrink-to-fit", "action": {"type": "postback", "label": "A rather long label", "data": "1"}},
            {"type": "button", "style": "link", "height": "sm", "action": {"type": "clipboard", "label": "Copy", "clipboardText": "CODE"}}]}})
}
