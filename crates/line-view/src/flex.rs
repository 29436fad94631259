//! Flex Messages (PLATFORM 21): containers, blocks and components, laid out as LINE lays them out.

use crate::html::Tag;
use crate::media::{PICTURE, PLAY};
use crate::style::{self, Size};
use crate::{Draw, action, read, url};
use serde_json::Value;

/// How deep boxes may lie in each other. LINE names no limit; 30 KB of JSON do not need more.
const DEEPEST: usize = 24;

const BUBBLE_SIZES: &[&str] = &["nano", "micro", "deca", "hecto", "kilo", "mega", "giga"];
const ALIGN: &[&str] = &["start", "center", "end"];
const GRAVITY: &[&str] = &["top", "center", "bottom"];
const JUSTIFY: &[&str] =
    &["flex-start", "center", "flex-end", "space-between", "space-around", "space-evenly"];
const ALIGN_ITEMS: &[&str] = &["flex-start", "center", "flex-end"];

/// The layout of the box a component stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Horizontal,
    Vertical,
    Baseline,
}

impl Layout {
    fn of(element: &Value) -> Self {
        match read::text(element, "layout") {
            "horizontal" => Self::Horizontal,
            "baseline" => Self::Baseline,
            _ => Self::Vertical,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Horizontal => "lv-horizontal",
            Self::Vertical => "lv-vertical",
            Self::Baseline => "lv-horizontal lv-baseline",
        }
    }
}

/// Where a component stands.
struct Spot {
    parent: Layout,
    /// The spacing of the parent, unless the component has its own margin; none before the first.
    spacing: Option<Size>,
    depth: usize,
    /// Whether the place, not the content, decides how wide the component is. Only then can words shrink to fit.
    wide: bool,
}

impl Spot {
    /// The width of a component that stands here: see [`Spot::wide`].
    fn decides_width(&self, component: &Value) -> bool {
        let share = read::number(component, "flex").unwrap_or(default_flex(self.parent));
        style::length(component, "width").is_some()
            || (self.wide && !is_absolute(component) && (self.parent == Layout::Vertical || share >= 1.0))
    }
}

impl Draw<'_> {
    pub(crate) fn flex(&mut self, message: &Value) {
        let alt = read::text(message, "altText");
        let contents = message.get("contents").unwrap_or(&Value::Null);
        let root = self.root("flex", "lv-flex").attr("role", "group").attr_if("aria-label", alt);
        self.html.open(root);
        match read::text(contents, "type") {
            "bubble" => self.bubble(contents),
            "carousel" => {
                let list = Tag::new("div", "lv-carousel").attr("role", "list").attr("tabindex", "0");
                self.html.open(list.attr_if("aria-label", alt));
                // At most 12 bubbles (PLATFORM 21).
                for bubble in read::items(contents, "contents").iter().take(12) {
                    self.html.open(Tag::new("div", "lv-carousel-item").attr("role", "listitem"));
                    self.bubble(bubble);
                    self.html.close("div");
                }
                self.html.close("div");
            }
            _ => self.unsupported(),
        }
        self.html.close("div");
    }

    fn bubble(&mut self, bubble: &Value) {
        let size = read::keyword(bubble, "size", BUBBLE_SIZES).unwrap_or("mega");
        let direction = if read::text(bubble, "direction") == "rtl" { "rtl" } else { "ltr" };
        let tag = Tag::new("div", "lv-flex-bubble").keyword("lv-", Some(size)).attr("dir", direction);
        self.tappable(tag, bubble.get("action"), |draw| {
            let blocks =
                [("header", "lv-header"), ("hero", "lv-hero"), ("body", "lv-body"), ("footer", "lv-footer")];
            let mut first = true;
            for (block, class) in blocks {
                let Some(component) = bubble.get(block) else { continue };
                let own = bubble.get("styles").and_then(|styles| styles.get(block)).unwrap_or(&Value::Null);
                if read::flag(own, "separator") && !first {
                    let line = Tag::new("div", "lv-separator lv-block-line");
                    draw.html.open(line.css("background-color", style::colour(own, "separatorColor")));
                    draw.html.close("div");
                }
                let tag =
                    Tag::new("div", class).css("background-color", style::colour(own, "backgroundColor"));
                draw.html.open(tag);
                draw.component(
                    component,
                    &Spot { parent: Layout::Vertical, spacing: None, depth: 0, wide: true },
                );
                draw.html.close("div");
                first = false;
            }
        });
    }

    fn component(&mut self, component: &Value, spot: &Spot) {
        match read::text(component, "type") {
            "box" => self.flex_box(component, spot),
            "text" => self.flex_text(component, spot),
            "button" => self.flex_button(component, spot),
            "image" => self.flex_image(component, spot),
            "icon" => self.flex_icon(component, spot),
            "video" => self.flex_video(component, spot),
            "separator" => {
                let tag = Tag::new("div", "lv-separator").attr("role", "presentation");
                let tag =
                    margin(tag, component, spot).css("background-color", style::colour(component, "color"));
                self.html.open(tag);
                self.html.close("div");
            }
            // A filler takes the free space, whatever the layout; spacing does not apply to it.
            "filler" => {
                self.html.open(flex(Tag::new("div", "lv-filler"), component, spot, 1.0));
                self.html.close("div");
            }
            _ => self.unsupported(),
        }
    }

    fn flex_box(&mut self, element: &Value, spot: &Spot) {
        if spot.depth >= DEEPEST {
            return self.unsupported();
        }
        let layout = Layout::of(element);
        // A box with a size of its own along the parent's axis takes no share of it.
        let sized = if spot.parent == Layout::Vertical { "height" } else { "width" };
        let own_size = style::length(element, sized).is_some();
        let share = (!own_size).then(|| default_flex(spot.parent));
        let tag = component_tag("lv-box", element, spot, share)
            .class(layout.class())
            .keyword("lv-justify-", read::keyword(element, "justifyContent", JUSTIFY))
            .keyword("lv-items-", read::keyword(element, "alignItems", ALIGN_ITEMS))
            .size("lv-pa-", "padding", style::padding(element, "paddingAll"))
            .size("lv-pt-", "padding-top", style::padding(element, "paddingTop"))
            .size("lv-pb-", "padding-bottom", style::padding(element, "paddingBottom"))
            .size("lv-ps-", "padding-inline-start", style::padding(element, "paddingStart"))
            .size("lv-pe-", "padding-inline-end", style::padding(element, "paddingEnd"))
            .size("lv-r-", "border-radius", style::space(element, "cornerRadius"))
            .size("lv-border-", "border-width", style::border(element, "borderWidth"))
            .css("border-color", style::colour(element, "borderColor"))
            .css("background-color", style::colour(element, "backgroundColor"))
            .css("background-image", style::gradient(element))
            .css("width", style::length(element, "width"))
            .css("height", style::length(element, "height"))
            .css("max-width", style::length(element, "maxWidth"))
            .css("max-height", style::length(element, "maxHeight"));
        let spacing = style::space(element, "spacing");
        // Aligned children of a column are as wide as their content.
        let aligned =
            layout == Layout::Vertical && read::keyword(element, "alignItems", ALIGN_ITEMS).is_some();
        let wide = spot.decides_width(element) && !aligned;
        self.tappable(tag, element.get("action"), |draw| {
            let mut first = true;
            for child in read::items(element, "contents") {
                if !draw.html.has_room() {
                    draw.unsupported();
                    break;
                }
                let flows = !is_absolute(child);
                let spacing = spacing.clone().filter(|_| !first && flows);
                draw.component(child, &Spot { parent: layout, spacing, depth: spot.depth + 1, wide });
                first = first && !flows;
            }
        });
    }

    fn flex_text(&mut self, text: &Value, spot: &Spot) {
        let spans = read::items(text, "contents");
        let wrap = read::flag(text, "wrap");
        let lines = read::number(text, "maxLines").and_then(style::count).filter(|_| wrap);
        let shrink = shrinks(text, spot) && !wrap && spans.is_empty();
        let size = style::font_size(text, "size").unwrap_or(Size::Keyword("md"));
        let tag = component_tag("lv-text", text, spot, Some(default_flex(spot.parent)))
            .size("lv-fs-", "--lv-fs", Some(size))
            .keyword("lv-align-", read::keyword(text, "align", ALIGN))
            .keyword("lv-gravity-", gravity(text, spot))
            .keyword("", wrap.then_some("lv-wrap"))
            .keyword("", shrink.then_some("lv-measured"))
            .keyword("", scales(text))
            .css("--lv-line-gap", style::pixels(text, "lineSpacing").filter(|_| wrap));
        self.tappable(worded(tag, text), text.get("action"), |draw| {
            let mut words = Tag::new("p", "lv-flex-words");
            if lines.is_some() {
                words = words.class("lv-clamp").css("-webkit-line-clamp", lines);
            }
            if shrink {
                let width = width(read::text(text, "text"));
                words = words.class("lv-shrink").css("--lv-width-em", Some(style::ems(width)));
            }
            draw.html.open(words);
            if spans.is_empty() {
                draw.html.text(read::text(text, "text"));
            }
            for span in spans {
                if !draw.html.has_room() {
                    break;
                }
                let tag =
                    Tag::new("span", "lv-span").size("lv-fs-", "--lv-fs", style::font_size(span, "size"));
                draw.html.leaf(worded(tag, span), read::text(span, "text"));
            }
            draw.html.close("p");
        });
    }

    fn flex_button(&mut self, button: &Value, spot: &Spot) {
        let press = button.get("action").unwrap_or(&Value::Null);
        let look = read::keyword(button, "style", &["primary", "secondary", "link"]).unwrap_or("link");
        let colour = style::colour(button, "color");
        let tag = component_tag("lv-press", button, spot, Some(default_flex(spot.parent)));
        let shrink = shrinks(button, spot);
        let tag = tag.keyword("lv-gravity-", gravity(button, spot)).keyword("", scales(button));
        self.html.open(tag.keyword("", shrink.then_some("lv-measured")));
        // `color` is the words' colour of a link, the background of the others (PLATFORM 21).
        let inner = self
            .action_tag(press, "lv-button")
            .keyword("lv-button-", Some(look))
            .keyword("", (read::text(button, "height") == "sm").then_some("lv-button-sm"))
            .css(if look == "link" { "color" } else { "background-color" }, colour);
        let name = inner.name();
        self.html.open(inner);
        let mut words = Tag::new("span", "lv-button-words");
        if shrink {
            words =
                words.class("lv-shrink").css("--lv-width-em", Some(style::ems(width(action::label(press)))));
        }
        self.html.leaf(words, action::label(press));
        self.html.close(name);
        self.html.close("div");
    }

    fn flex_image(&mut self, image: &Value, spot: &Spot) {
        let size = style::image_size(image, "size").unwrap_or(Size::Keyword("md"));
        let tag = component_tag("lv-image", image, spot, Some(default_flex(spot.parent)))
            .keyword("", size.is_part().then_some("lv-part"))
            .keyword("lv-align-", read::keyword(image, "align", ALIGN))
            .keyword("lv-gravity-", gravity(image, spot));
        let frame = Tag::new("div", "lv-frame")
            .size("lv-is-", "width", Some(size))
            .keyword("", (read::text(image, "aspectMode") == "cover").then_some("lv-cover"))
            .css("aspect-ratio", style::ratio(image, "aspectRatio"))
            .css("background-color", style::colour(image, "backgroundColor"));
        self.tappable(tag, image.get("action"), |draw| {
            draw.html.open(frame);
            draw.flex_picture(
                read::text(image, "url"),
                image.get("action").map(action::label).unwrap_or_default(),
            );
            draw.html.close("div");
        });
    }

    /// The picture inside a frame. Flex has no alt texts for pictures; the message's own names the whole.
    fn flex_picture(&mut self, address: &str, name: &str) {
        match url::web(address) {
            Some(address) if self.view.external_media => {
                self.picture(Tag::new("img", "lv-fill"), address, name);
            }
            address => self.placeholder(PICTURE, &self.view.labels.image, address),
        }
    }

    fn flex_icon(&mut self, icon: &Value, spot: &Spot) {
        let size = style::font_size(icon, "size").unwrap_or(Size::Keyword("md"));
        let tag = component_tag("lv-glyph", icon, spot, None).size("lv-fs-", "--lv-fs", Some(size));
        self.html.open(tag.keyword("", scales(icon)));
        let ratio = style::ratio(icon, "aspectRatio");
        match url::web(read::text(icon, "url")) {
            Some(address) if self.view.external_media => {
                self.picture(Tag::new("img", "lv-glyph-picture").css("aspect-ratio", ratio), address, "");
            }
            _ => {
                self.html.open(Tag::new("span", "lv-glyph-picture lv-glyph-hole").css("aspect-ratio", ratio));
                self.html.close("span");
            }
        }
        self.html.close("div");
    }

    /// A video in the hero block: it plays where outside media may load; elsewhere a link leads to it. `altContent` is for where
    /// videos do not play (PLATFORM 21); here that is one without an address that can be played.
    fn flex_video(&mut self, video: &Value, spot: &Spot) {
        let address = url::web(read::text(video, "url"));
        if let (None, Some(instead)) = (address, video.get("altContent").filter(|_| spot.depth < DEEPEST)) {
            return self
                .component(instead, &Spot { spacing: spot.spacing.clone(), depth: spot.depth + 1, ..*spot });
        }
        let tag = component_tag("lv-image", video, spot, Some(0.0));
        self.html.open(tag);
        match address {
            Some(address) if self.view.external_media => {
                let player = Tag::new("video", "lv-frame lv-is-full lv-flex-video").flag("controls");
                let player = player.attr("preload", "none").attr("src", address);
                let poster = url::web(read::text(video, "previewUrl")).unwrap_or_default();
                let player = player.attr_if("poster", poster).attr("aria-label", &self.view.labels.video);
                self.html.open(player.css("aspect-ratio", style::ratio(video, "aspectRatio")));
                self.html.close("video");
            }
            address => {
                let frame = Tag::new("div", "lv-frame lv-is-full");
                self.html.open(frame.css("aspect-ratio", style::ratio(video, "aspectRatio")));
                self.placeholder(PLAY, &self.view.labels.video, address);
                self.html.close("div");
            }
        }
        if let Some(link) = video.get("action") {
            let tag = self.action_tag(link, "lv-video-link");
            self.html.leaf(tag, action::label(link));
        }
        self.html.close("div");
    }
}

/// The class of texts, icons and buttons that follow the reader's letter size (`scaling`, PLATFORM 21).
fn scales(component: &Value) -> Option<&'static str> {
    read::flag(component, "scaling").then_some("lv-scaling")
}

fn is_absolute(component: &Value) -> bool {
    read::text(component, "position") == "absolute"
}

/// Whether the words of a text or button shrink to the room they have.
fn shrinks(component: &Value, spot: &Spot) -> bool {
    read::text(component, "adjustMode") == "shrink-to-fit" && spot.decides_width(component)
}

/// The share of the parent a component takes by default: 1 in a row, its own height in a column (PLATFORM 21, layout).
fn default_flex(parent: Layout) -> f64 {
    if parent == Layout::Vertical { 0.0 } else { 1.0 }
}

/// The element of a component with what all of them share: margin, share, position and offsets. Without `share` the
/// component takes the room of its content.
fn component_tag(class: &'static str, component: &Value, spot: &Spot, share: Option<f64>) -> Tag {
    let tag = margin(Tag::new("div", class), component, spot);
    let tag = match share {
        Some(share) => flex(tag, component, spot, share),
        None => tag.class("lv-flex-0"),
    };
    tag.keyword("", is_absolute(component).then_some("lv-absolute"))
        .size("lv-ot-", "top", style::offset(component, "offsetTop"))
        .size("lv-ob-", "bottom", style::offset(component, "offsetBottom"))
        .size("lv-os-", "inset-inline-start", style::offset(component, "offsetStart"))
        .size("lv-oe-", "inset-inline-end", style::offset(component, "offsetEnd"))
}

/// The space before a component: its own margin, else the spacing of the parent.
fn margin(tag: Tag, component: &Value, spot: &Spot) -> Tag {
    let size = style::space(component, "margin").or_else(|| spot.spacing.clone());
    match spot.parent {
        Layout::Vertical => tag.size("lv-mt-", "margin-top", size),
        Layout::Horizontal | Layout::Baseline => tag.size("lv-ms-", "margin-inline-start", size),
    }
}

/// The share of the parent's main axis: `flex`, else `default`. Zero takes the room of the content.
fn flex(tag: Tag, component: &Value, spot: &Spot, default: f64) -> Tag {
    let share = read::number(component, "flex").unwrap_or(default);
    if share < 1.0 {
        return tag.class("lv-flex-0");
    }
    let tag = tag.class(if spot.parent == Layout::Vertical { "lv-flex-column" } else { "lv-flex-row" });
    if share >= 2.0 { tag.css("flex-grow", style::count(share)) } else { tag }
}

/// The `gravity` of a component; components in a baseline box have none (PLATFORM 21, layout).
fn gravity(component: &Value, spot: &Spot) -> Option<&'static str> {
    read::keyword(component, "gravity", GRAVITY).filter(|_| spot.parent != Layout::Baseline)
}

/// What texts and spans share: weight, style, decoration, colour.
fn worded(tag: Tag, text: &Value) -> Tag {
    tag.keyword("lv-weight-", read::keyword(text, "weight", &["regular", "bold"]))
        .keyword("lv-style-", read::keyword(text, "style", &["normal", "italic"]))
        .keyword("lv-line-", read::keyword(text, "decoration", &["none", "underline", "line-through"]))
        .css("color", style::colour(text, "color"))
}

/// About how wide a text is, in em: what shrink-to-fit divides the room by.
fn width(text: &str) -> f64 {
    text.chars()
        .map(|character| match character {
            ' ' | 'i' | 'j' | 'l' | 't' | 'f' | '.' | ',' | ':' | ';' | '!' | '|' | '\'' => 0.31,
            // Thai marks stand above or below a letter.
            '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' => 0.0,
            'A'..='Z' | '0'..='9' => 0.66,
            narrow if narrow < '\u{1100}' => 0.57,
            _ => 1.0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use crate::testing::{inert, phone};
    use crate::{View, message};
    use serde_json::{Value, json};

    fn flex(contents: &Value, view: &View<'_>) -> String {
        message(&json!({"type": "flex", "altText": "Alt", "contents": contents}), view)
    }

    /// A bubble whose body is a box of `layout` with `contents`; what stands in the body's box.
    fn inside(layout: &str, contents: &Value) -> String {
        let html = flex(
            &json!({"type": "bubble", "body": {"type": "box", "layout": layout, "contents": contents}}),
            &phone(),
        );
        let (_, body) = html.split_once("lv-body\">").unwrap();
        let (_, rest) = body.split_once('>').unwrap();
        rest.strip_suffix("</div></div></div></div>").unwrap().to_owned()
    }

    #[test]
    fn a_bubble_has_its_blocks_in_order() {
        let text = |words: &str| json!({"type": "box", "layout": "vertical", "contents": [{"type": "text", "text": words}]});
        let bubble = json!({"type": "bubble", "size": "kilo", "direction": "rtl", "footer": text("F"), "body": text("B"),
            "hero": text("H"), "header": text("T"),
            "styles": {"header": {"separator": true}, "body": {"backgroundColor": "#ABCDEF", "separator": true, "separatorColor": "#000000"}}});
        insta::assert_snapshot!(flex(&bubble, &inert()), @r#"<div class="lv lv-at-inbox lv-flex" data-lv-kind="flex" role="group" aria-label="Alt"><div class="lv-flex-bubble lv-kilo" dir="rtl"><div class="lv-header"><div class="lv-box lv-flex-0 lv-vertical"><div class="lv-text lv-flex-0 lv-fs-md"><p class="lv-flex-words">T</p></div></div></div><div class="lv-hero"><div class="lv-box lv-flex-0 lv-vertical"><div class="lv-text lv-flex-0 lv-fs-md"><p class="lv-flex-words">H</p></div></div></div><div class="lv-separator lv-block-line" data-lv-css="background-color:#000000"></div><div class="lv-body" data-lv-css="background-color:#abcdef"><div class="lv-box lv-flex-0 lv-vertical"><div class="lv-text lv-flex-0 lv-fs-md"><p class="lv-flex-words">B</p></div></div></div><div class="lv-footer"><div class="lv-box lv-flex-0 lv-vertical"><div class="lv-text lv-flex-0 lv-fs-md"><p class="lv-flex-words">F</p></div></div></div></div></div>"#);
    }

    #[test]
    fn sizes_of_bubbles_are_known_words() {
        // PLATFORM 21; mega is the default.
        for size in ["nano", "micro", "deca", "hecto", "kilo", "mega", "giga"] {
            assert!(
                flex(&json!({"type": "bubble", "size": size}), &phone())
                    .contains(&format!("lv-flex-bubble lv-{size}\""))
            );
        }
        for odd in [json!("tera"), json!(7), json!("\"><script>")] {
            assert!(
                flex(&json!({"type": "bubble", "size": odd}), &phone()).contains("lv-flex-bubble lv-mega\"")
            );
        }
    }

    #[test]
    fn the_default_share_depends_on_the_layout() {
        // PLATFORM 21, layout: 1 in a row, the content's height in a column; an icon never shares.
        let text = json!([{"type": "text", "text": "a"}]);
        assert!(inside("horizontal", &text).starts_with("<div class=\"lv-text lv-flex-row "));
        assert!(inside("baseline", &text).starts_with("<div class=\"lv-text lv-flex-row "));
        assert!(inside("vertical", &text).starts_with("<div class=\"lv-text lv-flex-0 "));
        assert!(
            inside("baseline", &json!([{"type": "icon", "url": "https://example.com/i"}]))
                .contains("lv-glyph lv-flex-0")
        );
        assert!(
            inside("horizontal", &json!([{"type": "text", "text": "a", "flex": 0}])).contains("lv-flex-0")
        );
        assert!(
            inside("horizontal", &json!([{"type": "text", "text": "a", "flex": 5}]))
                .contains("data-lv-css=\"flex-grow:5\"")
        );
        assert!(inside("vertical", &json!([{"type": "filler"}])).contains("lv-filler lv-flex-column"));
        // A box as wide as it says takes no share of the row.
        let sized = json!([{"type": "box", "layout": "vertical", "contents": [], "width": "30px"}]);
        assert!(inside("horizontal", &sized).contains("lv-box lv-flex-0"));
    }

    #[test]
    fn spacing_stands_between_and_a_margin_wins() {
        let body = json!({"type": "bubble", "body": {"type": "box", "layout": "vertical", "spacing": "md", "contents": [
            {"type": "text", "text": "badge", "position": "absolute", "offsetTop": "4px", "offsetEnd": "xl"},
            {"type": "text", "text": "first"}, {"type": "text", "text": "second"},
            {"type": "text", "text": "third", "margin": "3px"}]}});
        let html = flex(&body, &phone());
        assert_eq!(html.matches("lv-mt-md").count(), 1, "{html}");
        assert!(html.contains("data-lv-css=\"margin-top:3px\""), "{html}");
        assert!(html.contains("lv-absolute lv-oe-xl"), "{html}");
        assert!(html.contains("data-lv-css=\"top:4px\""), "{html}");
    }

    #[test]
    fn a_box_keeps_its_look() {
        let html = inside(
            "horizontal",
            &json!([{"type": "box", "layout": "vertical", "contents": [],
            "paddingAll": "lg", "paddingStart": "10%", "cornerRadius": "30px", "borderWidth": "2px", "borderColor": "#EF454D",
            "backgroundColor": "#ffffff00", "maxWidth": "50%", "height": "12px", "justifyContent": "space-around", "alignItems": "center",
            "background": {"type": "linearGradient", "angle": "45deg", "startColor": "#000000", "endColor": "#ffffff"}}]),
        );
        insta::assert_snapshot!(html, @r#"<div class="lv-box lv-flex-row lv-vertical lv-justify-space-around lv-items-center lv-pa-lg" data-lv-css="padding-inline-start:10%;border-radius:30px;border-width:2px;border-color:#ef454d;background-color:#ffffff00;background-image:linear-gradient(45deg,#000000 0%,#ffffff 100%);height:12px;max-width:50%"></div>"#);
    }

    #[test]
    fn texts_and_spans_keep_their_looks() {
        let html = inside(
            "vertical",
            &json!([{"type": "text", "size": "xl", "wrap": true, "maxLines": 2, "lineSpacing": "4px",
            "align": "end", "weight": "bold", "color": "#111111", "contents": [
                {"type": "span", "text": "$9", "size": "20px"}, {"type": "span", "text": "<b>", "decoration": "line-through", "style": "italic"}]},
            {"type": "text", "text": "long", "adjustMode": "shrink-to-fit"}]),
        );
        insta::assert_snapshot!(html, @r#"<div class="lv-text lv-flex-0 lv-fs-xl lv-align-end lv-wrap lv-weight-bold" data-lv-css="--lv-line-gap:4px;color:#111111"><p class="lv-flex-words lv-clamp" data-lv-css="-webkit-line-clamp:2"><span class="lv-span" data-lv-css="--lv-fs:20px">$9</span><span class="lv-span lv-style-italic lv-line-line-through">&lt;b&gt;</span></p></div><div class="lv-text lv-flex-0 lv-fs-md lv-measured"><p class="lv-flex-words lv-shrink" data-lv-css="--lv-width-em:2.02">long</p></div>"#);
    }

    #[test]
    fn buttons_act_on_a_page_and_say_their_label_elsewhere() {
        let button = json!({"type": "bubble", "footer": {"type": "box", "layout": "vertical", "contents": [
            {"type": "button", "style": "primary", "height": "sm", "color": "#0367D3", "action": {"type": "postback", "label": "Go", "data": "g"}}]}});
        let html = flex(&button, &phone());
        assert!(html.contains(r#"<button class="lv-button lv-do lv-button-primary lv-button-sm" type="button" data-lv-type="postback" data-lv-action="{&quot;data&quot;:&quot;g&quot;,&quot;label&quot;:&quot;Go&quot;,&quot;type&quot;:&quot;postback&quot;}" data-lv-css="background-color:#0367d3"><span class="lv-button-words">Go</span></button>"#), "{html}");
        let html = flex(&button, &inert());
        assert!(html.contains(r#"<span class="lv-button lv-button-primary lv-button-sm" data-lv-css="background-color:#0367d3"><span class="lv-button-words">Go</span></span>"#), "{html}");
    }

    #[test]
    fn tap_areas_of_boxes_do_not_swallow_what_is_inside() {
        let tapped = json!({"type": "bubble", "action": {"type": "message", "label": "All", "text": "all"},
            "body": {"type": "box", "layout": "vertical", "action": {"type": "uri", "uri": "https://example.com"}, "contents": [
                {"type": "image", "url": "https://example.com/1.png"},
                {"type": "button", "action": {"type": "message", "label": "One", "text": "one"}}]}});
        let html = flex(&tapped, &phone());
        let order: Vec<_> = ["lv-tap lv-do\" type=\"button\"", "lv-tap lv-do\" href", "lv-button lv-do"]
            .iter()
            .map(|part| html.find(part).unwrap())
            .collect();
        assert!(order.is_sorted(), "{html}");
        assert!(
            !flex(&tapped, &inert()).contains("lv-hole lv-do"),
            "a link in the picture would take the taps"
        );
    }

    #[test]
    fn outside_pictures_load_only_where_they_may() {
        let bubble = json!({"type": "bubble", "hero": {"type": "image", "url": "https://example.com/1.png", "size": "full",
            "aspectRatio": "20:13", "aspectMode": "cover", "backgroundColor": "#000000"}});
        let html = flex(&bubble, &phone());
        assert!(html.contains(r##"<div class="lv-frame lv-is-full lv-cover" data-lv-css="aspect-ratio:20/13;background-color:#000000"><img class="lv-fill" src="https://example.com/1.png" alt="" loading="lazy" referrerpolicy="no-referrer"></div>"##), "{html}");
        let html = flex(&bubble, &inert());
        assert!(
            !html.contains("<img") && html.contains("lv-hole lv-do\" href=\"https://example.com/1.png\""),
            "{html}"
        );
        let video = json!({"type": "bubble", "hero": {"type": "video", "url": "https://example.com/1.mp4", "previewUrl": "https://example.com/1.png",
            "aspectRatio": "16:9", "action": {"type": "uri", "label": "More", "uri": "https://example.com/"},
            "altContent": {"type": "image", "url": "https://example.com/1.png"}}});
        let html = flex(&video, &phone());
        assert!(
            html.contains(r#"src="https://example.com/1.mp4" poster="https://example.com/1.png""#),
            "{html}"
        );
        assert!(!flex(&video, &inert()).contains("<video"));
        let mut dead = video;
        dead["hero"]["url"] = json!("rtsp://example.com/1");
        let html = flex(&dead, &phone());
        assert!(
            !html.contains("<video") && html.contains(r#"src="https://example.com/1.png""#),
            "altContent: {html}"
        );
    }

    #[test]
    fn a_carousel_is_a_list_that_scrolls_by_keyboard() {
        // PLATFORM 21: at most 12 bubbles.
        let html =
            flex(&json!({"type": "carousel", "contents": vec![json!({"type": "bubble"}); 20]}), &phone());
        assert!(
            html.contains(r#"<div class="lv-carousel" role="list" tabindex="0" aria-label="Alt">"#),
            "{html}"
        );
        assert_eq!(html.matches("role=\"listitem\"").count(), 12);
    }

    #[test]
    fn boxes_end_at_a_depth_and_lists_where_the_room_ends() {
        let mut deep = json!({"type": "text", "text": "bottom"});
        for _ in 0..100 {
            deep = json!({"type": "box", "layout": "vertical", "contents": [deep]});
        }
        let html = flex(&json!({"type": "bubble", "body": deep}), &phone());
        assert!(html.contains("lv-unsupported") && !html.contains("bottom"));
        assert!(html.len() < 10_000);
        let many = json!({"type": "box", "layout": "vertical", "contents": vec![json!({"type": "separator"}); 50_000]});
        let html = flex(&json!({"type": "bubble", "body": many}), &phone());
        assert!(html.contains("lv-unsupported") && html.len() < 400_000, "{}", html.len());
        assert!(flex(&json!({"type": "pyramid"}), &phone()).contains("lv-unsupported"));
    }

    #[test]
    fn the_stylesheet_knows_every_keyword() {
        // PLATFORM 21, "Value kind".
        let spaces = ["none", "xs", "sm", "md", "lg", "xl", "xxl"];
        for prefix in ["mt", "ms", "pa", "pt", "pb", "ps", "pe", "ot", "ob", "os", "oe", "r"] {
            for word in spaces {
                assert!(crate::CSS.contains(&format!(".lv-{prefix}-{word} {{")), "{prefix} {word}");
            }
        }
        for word in ["xxs", "xs", "sm", "md", "lg", "xl", "xxl", "3xl", "4xl", "5xl"] {
            assert!(
                crate::CSS.contains(&format!(".lv-fs-{word} {{"))
                    && crate::CSS.contains(&format!(".lv-is-{word} {{"))
            );
        }
        let rest = super::BUBBLE_SIZES
            .iter()
            .map(|word| format!(".lv-{word} {{"))
            .chain(super::JUSTIFY.iter().map(|word| format!(".lv-justify-{word} {{")))
            .chain(super::ALIGN_ITEMS.iter().map(|word| format!(".lv-items-{word} {{")))
            .chain(
                ["none", "light", "normal", "medium", "semi-bold", "bold"]
                    .iter()
                    .map(|word| format!(".lv-border-{word} {{")),
            );
        for selector in rest {
            assert!(crate::CSS.contains(&selector), "{selector}");
        }
    }
}
