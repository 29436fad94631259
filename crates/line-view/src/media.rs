//! Pictures, videos, sounds, files, places, stickers, coupons and imagemaps (PLATFORM 16, 19).

use crate::html::Tag;
use crate::style::{self, Safe};
use crate::{Draw, action, read, url};
use serde_json::{Value, json};

/// Where a message's file and its preview can be loaded from, and where a reader can be sent instead.
struct Sources<'m> {
    file: Option<&'m str>,
    preview: Option<&'m str>,
    /// The outside address, for a link.
    outside: Option<&'m str>,
}

impl Draw<'_> {
    /// The addresses of a message's media: the host's copy first, else the outside ones if they may load.
    fn sources<'m>(&self, message: &'m Value) -> Sources<'m>
    where
        Self: 'm,
    {
        // What bots send has the addresses in the message, what arrives has them in contentProvider (PLATFORM 16, 19).
        let provider = message.get("contentProvider").unwrap_or(message);
        let outside = url::web(read::text(provider, "originalContentUrl"));
        let small = url::web(read::text(provider, "previewImageUrl"));
        Sources {
            file: outside.filter(|_| self.view.external_media),
            preview: small.filter(|_| self.view.external_media),
            outside: outside.or(small),
        }
    }

    pub(crate) fn image(&mut self, message: &Value) {
        let view = self.view;
        let outside = self.sources(message);
        let file = view.content_url.and_then(url::own).or(outside.file);
        let shown = view.preview_url.and_then(url::own).or(outside.preview).or(file);
        self.html.open(self.root("image", "lv-media"));
        match (shown, file.or(outside.outside)) {
            (Some(shown), Some(file)) => {
                self.html.open(Tag::new("a", "lv-do").href(file));
                self.picture(Tag::new("img", "lv-photo"), shown, &view.labels.image);
                self.html.close("a");
            }
            (Some(shown), None) => self.picture(Tag::new("img", "lv-photo"), shown, &view.labels.image),
            (None, Some(link)) => self.placeholder(PICTURE, &view.labels.image, Some(link)),
            (None, None) => self.missing(PICTURE, &view.labels.image),
        }
        self.html.close("div");
    }

    pub(crate) fn video(&mut self, message: &Value) {
        let view = self.view;
        let outside = self.sources(message);
        let poster = view.preview_url.and_then(url::own).or(outside.preview);
        self.html.open(self.root("video", "lv-media"));
        match view.content_url.and_then(url::own).or(outside.file) {
            Some(file) => self.player("video", file, poster),
            None if outside.outside.is_some() => self.placeholder(PLAY, &view.labels.video, outside.outside),
            None => self.missing(PLAY, &view.labels.video),
        }
        if let Some(length) = duration(message) {
            self.html.leaf(Tag::new("span", "lv-length"), &length);
        }
        self.html.close("div");
    }

    fn player(&mut self, name: &'static str, file: &str, poster: Option<&str>) {
        let label = if name == "video" { &self.view.labels.video } else { &self.view.labels.audio };
        let tag = Tag::new(name, "lv-player").flag("controls").attr("preload", "none").attr("src", file);
        self.html.open(tag.attr_if("poster", poster.unwrap_or_default()).attr("aria-label", label));
        self.html.close(name);
    }

    pub(crate) fn audio(&mut self, message: &Value) {
        let view = self.view;
        let outside = self.sources(message);
        self.html.open(self.root("audio", "lv-bubble lv-row"));
        if let Some(file) = view.content_url.and_then(url::own).or(outside.file) {
            self.player("audio", file, None);
        } else {
            self.html.fixed(SOUND);
            self.named_or_linked(&view.labels.audio, outside.outside);
        }
        if let Some(length) = duration(message) {
            self.html.leaf(Tag::new("span", "lv-small"), &length);
        }
        self.html.close("div");
    }

    /// A name, as a link where there is somewhere to go.
    fn named_or_linked(&mut self, name: &str, link: Option<&str>) {
        match link {
            Some(link) => self.html.leaf(Tag::new("a", "lv-link lv-name").href(link), name),
            None => self.html.leaf(Tag::new("span", "lv-name"), name),
        }
    }

    pub(crate) fn file(&mut self, message: &Value) {
        let view = self.view;
        let name = read::text(message, "fileName");
        let name = if name.trim().is_empty() { &view.labels.file } else { name };
        self.html.open(self.root("file", "lv-bubble lv-row"));
        self.html.fixed(FILE);
        self.html.open(Tag::new("span", "lv-stack"));
        self.named_or_linked(name, view.content_url.and_then(url::own));
        if let Some(bytes) = read::number(message, "fileSize") {
            self.html.leaf(Tag::new("span", "lv-small"), &size(bytes));
        }
        self.html.close("span");
        self.html.close("div");
    }

    pub(crate) fn location(&mut self, message: &Value) {
        let labels = self.view.labels;
        let title = read::text(message, "title");
        self.html.open(self.root("location", "lv-card lv-place"));
        self.html.open(Tag::new("div", "lv-map"));
        self.html.fixed(MAP);
        self.html.close("div");
        self.html.open(Tag::new("div", "lv-card-text"));
        self.html.leaf(
            Tag::new("p", "lv-card-title").attr("dir", "auto"),
            if title.trim().is_empty() { &labels.location } else { title },
        );
        if !read::text(message, "address").is_empty() {
            self.html.leaf(Tag::new("p", "lv-small").attr("dir", "auto"), read::text(message, "address"));
        }
        let place = read::number(message, "latitude").zip(read::number(message, "longitude"));
        if let Some((latitude, longitude)) = place {
            // LINE opens the phone's map; this address does so on every system.
            let address = format!("https://www.google.com/maps/search/?api=1&query={latitude},{longitude}");
            self.html.leaf(Tag::new("a", "lv-link").href(&address), &labels.open_map);
        }
        self.html.close("div");
        self.html.close("div");
    }

    /// A sticker (PLATFORM 16, 19; its picture is best effort, its words are what is sure).
    pub(crate) fn sticker(&mut self, message: &Value) {
        let labels = self.view.labels;
        let (package, id) = (read::id(message, "packageId"), read::id(message, "stickerId"));
        let text = read::text(message, "text");
        let keywords: Vec<_> =
            read::items(message, "keywords").iter().filter_map(Value::as_str).take(3).collect();
        let words = if text.trim().is_empty() { keywords.join(", ") } else { text.to_owned() };
        let name =
            if words.is_empty() { labels.sticker.clone() } else { format!("{}: {words}", labels.sticker) };
        let title = format!("{} / {}", package.unwrap_or("?"), id.unwrap_or("?"));
        self.html.open(self.root("sticker", "lv-sticker").attr("title", &title));
        self.quote(message);
        match id.filter(|_| self.view.line_pictures) {
            Some(id) => {
                let address = format!(
                    "https://stickershop.line-scdn.net/stickershop/v1/sticker/{id}/android/sticker.png"
                );
                self.picture(Tag::new("img", "lv-sticker-picture"), &address, &name);
            }
            None => {
                self.html
                    .open(Tag::new("div", "lv-sticker-card").attr("role", "img").attr("aria-label", &name));
                self.html.fixed(STICKER);
                if !words.is_empty() {
                    self.html.leaf(Tag::new("span", "lv-sticker-words").attr("dir", "auto"), &words);
                }
                self.html.close("div");
            }
        }
        self.html.close("div");
    }

    /// A coupon: its card where the host knows it, else the word and the ID. On an interactive page the card is one button
    /// (`data-lv-type="coupon"`), which opens the coupon.
    pub(crate) fn coupon(&mut self, message: &Value) {
        let (view, id) = (self.view, read::id(message, "couponId"));
        let open = json!({ "type": "coupon", "couponId": id, "label": view.labels.open_link });
        let open = id.filter(|_| view.interactive).map(|_| &open);
        let Some(coupon) = view.coupon else {
            return self.tappable(self.root("coupon", "lv-card lv-coupon"), open, |draw| {
                draw.html.fixed(TICKET);
                draw.html.open(Tag::new("div", "lv-card-text"));
                draw.html.leaf(Tag::new("p", "lv-card-title"), &view.labels.coupon);
                draw.html.leaf(Tag::new("p", "lv-small"), id.unwrap_or_default());
                draw.html.close("div");
            });
        };
        self.tappable(self.root("coupon", "lv-card lv-coupon-card"), open, |draw| {
            let picture =
                coupon.image_url.and_then(url::own).filter(|url| view.external_media || url.starts_with('/'));
            if let Some(address) = picture {
                draw.html.open(Tag::new("div", "lv-thumb"));
                draw.picture(Tag::new("img", "lv-fill"), address, "");
                draw.html.close("div");
            }
            draw.html.open(Tag::new("div", "lv-card-text"));
            draw.html.leaf(Tag::new("p", "lv-coupon-word"), &view.labels.coupon);
            for (class, words) in [
                ("lv-card-title", coupon.title),
                ("lv-coupon-reward", coupon.reward),
                ("lv-small", coupon.period),
            ] {
                if !words.is_empty() {
                    draw.html.leaf(Tag::new("p", class).attr("dir", "auto"), words);
                }
            }
            draw.html.close("div");
            if open.is_some() {
                draw.html.leaf(
                    Tag::new("p", "lv-coupon-open").attr("aria-hidden", "true"),
                    &view.labels.open_link,
                );
            }
        });
    }

    /// An imagemap (PLATFORM 19): one picture with areas, all measured against `baseSize`.
    pub(crate) fn imagemap(&mut self, message: &Value) {
        let view = self.view;
        let alt = read::text(message, "altText");
        let base = message.get("baseSize").unwrap_or(&Value::Null);
        let size =
            (read::number(base, "width").unwrap_or(1040.0), read::number(base, "height").unwrap_or(1040.0));
        let address = format!("{}/1040", read::text(message, "baseUrl").trim_end_matches('/'));
        let picture = url::web(&address);
        let root = self.root("imagemap", "lv-imagemap").attr("role", "group");
        self.html.open(root.attr_if("aria-label", alt).css("aspect-ratio", style::ratio_of(size.0, size.1)));
        match picture.filter(|_| view.external_media) {
            Some(address) => self.picture(Tag::new("img", "lv-fill"), address, alt),
            None => self.placeholder(PICTURE, if alt.is_empty() { &view.labels.image } else { alt }, None),
        }
        if let Some(video) = message.get("video") {
            self.imagemap_video(video, size);
        }
        for action in read::items(message, "actions").iter().take(50) {
            let tag = place(self.action_tag(action, "lv-area"), action, size);
            let name = tag.name();
            self.html.open(tag);
            // The name is there for who cannot see the picture, and shown where the picture is not.
            self.html.leaf(Tag::new("span", "lv-area-name"), action::label(action));
            self.html.close(name);
        }
        self.html.close("div");
    }

    fn imagemap_video(&mut self, video: &Value, size: (f64, f64)) {
        let outside = self.sources(video);
        self.html.open(place(Tag::new("div", "lv-area-video"), video, size));
        match outside.file {
            Some(file) => self.player("video", file, outside.preview),
            None => self.placeholder(PLAY, &self.view.labels.video, outside.outside),
        }
        let link = video.get("externalLink").unwrap_or(&Value::Null);
        if let Some(address) = url::link(read::text(link, "linkUri")) {
            self.html.leaf(Tag::new("a", "lv-video-link").href(address), action::label(link));
        }
        self.html.close("div");
    }

    /// A picture that says its alt text where it stands if it cannot be loaded (the stylesheet does that).
    pub(crate) fn picture(&mut self, tag: Tag, address: &str, alt: &str) {
        let tag = tag.attr("src", address).attr("alt", alt).attr("loading", "lazy");
        self.html.open(tag.attr("referrerpolicy", "no-referrer"));
    }

    /// What stands for media that is not there (any more).
    fn missing(&mut self, icon: &'static str, name: &str) {
        self.html.open(Tag::new("span", "lv-hole"));
        self.html.fixed(icon);
        self.html.leaf(Tag::new("span", "lv-hole-name"), name);
        self.html.leaf(Tag::new("span", "lv-hole-more"), &self.view.labels.unavailable);
        self.html.close("span");
    }

    /// What stands for media that must not be loaded here: a drawing, what it is, and a link to it.
    pub(crate) fn placeholder(&mut self, icon: &'static str, name: &str, link: Option<&str>) {
        let labels = self.view.labels;
        let link = link.filter(|_| self.under_tap == 0);
        let tag = match link {
            Some(address) => Tag::new("a", "lv-hole lv-do").href(address).attr("title", address),
            None => Tag::new("span", "lv-hole"),
        };
        let element = tag.name();
        self.html.open(tag);
        self.html.fixed(icon);
        self.html.leaf(Tag::new("span", "lv-hole-name"), name);
        if link.is_some() {
            self.html.leaf(Tag::new("span", "lv-hole-more"), &labels.open_link);
        }
        self.html.close(element);
    }
}

/// Puts an element at the `area` of an imagemap.
fn place(tag: Tag, object: &Value, (width, height): (f64, f64)) -> Tag {
    let area = object.get("area").unwrap_or(&Value::Null);
    let side = |key, whole| -> Option<Safe> { style::share(read::number(area, key)?, whole) };
    tag.css("left", side("x", width))
        .css("top", side("y", height))
        .css("width", side("width", width))
        .css("height", side("height", height))
}

/// `duration` (milliseconds) as minutes and seconds.
fn duration(message: &Value) -> Option<String> {
    let seconds = (message.get("duration")?.as_u64()?.checked_add(500)?) / 1000;
    Some(format!("{}:{:02}", seconds / 60, seconds % 60))
}

/// A number of bytes as people read it.
fn size(bytes: f64) -> String {
    let units = ["B", "KB", "MB", "GB"];
    let mut amount = bytes.max(0.0);
    let mut unit = units.iter();
    let mut name = unit.next().copied().unwrap_or_default();
    while amount >= 1024.0 {
        let Some(larger) = unit.next() else { break };
        amount /= 1024.0;
        name = larger;
    }
    if name == "B" || amount >= 100.0 { format!("{amount:.0} {name}") } else { format!("{amount:.1} {name}") }
}

pub(crate) const PICTURE: &str = r#"<svg class="lv-icon" viewBox="0 0 24 24" aria-hidden="true"><rect x="3" y="4.5" width="18" height="15" rx="2"/><path d="m4 17 5-5.5 4 4.5 2.5-2.5L20 17.5"/><circle cx="15.5" cy="9" r="1.5"/></svg>"#;
pub(crate) const PLAY: &str = r#"<svg class="lv-icon" viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="9"/><path d="M10 8.5v7l5.5-3.5z"/></svg>"#;
const SOUND: &str = r#"<svg class="lv-icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M4 10v4M8 7v10M12 4v16M16 8v8M20 10.5v3"/></svg>"#;
const FILE: &str = r#"<svg class="lv-icon lv-large" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 3h8l4.5 4.5V21H6zM14 3v5h4.5"/></svg>"#;
const MAP: &str = r#"<svg class="lv-map-drawing" viewBox="0 0 260 110" preserveAspectRatio="xMidYMid slice" aria-hidden="true"><path class="lv-map-water" d="M0 78c40-14 70 12 118 6s70-30 142-20v46H0z"/><path class="lv-map-road" d="M-5 40c60-18 120 30 270 2M60-5c10 50 40 70 30 120M180-5c-14 40 16 80 4 120"/><path class="lv-map-pin" d="M130 68c13-14 20-25 20-33a20 20 0 0 0-40 0c0 8 7 19 20 33z"/><circle class="lv-map-hole" cx="130" cy="35" r="7"/></svg>"#;
const STICKER: &str = r#"<svg class="lv-sticker-drawing" viewBox="0 0 80 80" aria-hidden="true"><path class="lv-sticker-body" d="M40 8c20 0 32 13 32 30 0 9-4 16-9 21v11c0 3-3 4-5 2l-9-6c-3 1-6 1-9 1C20 67 8 55 8 38 8 21 20 8 40 8z"/><circle class="lv-sticker-eye" cx="29" cy="36" r="3.5"/><circle class="lv-sticker-eye" cx="51" cy="36" r="3.5"/><path class="lv-sticker-mouth" d="M31 46c5 6 13 6 18 0"/><ellipse class="lv-sticker-cheek" cx="22" cy="44" rx="4" ry="2.5"/><ellipse class="lv-sticker-cheek" cx="58" cy="44" rx="4" ry="2.5"/></svg>"#;
const TICKET: &str = r#"<svg class="lv-icon lv-large" viewBox="0 0 24 24" aria-hidden="true"><path d="M3 7h18v3.5a1.5 1.5 0 0 0 0 3V17H3v-3.5a1.5 1.5 0 0 0 0-3zM15 7v2M15 11v2M15 15v2"/></svg>"#;

#[cfg(test)]
mod tests {
    use crate::testing::{inert, phone};
    use crate::{Coupon, View, message};
    use serde_json::{Value, json};

    const SERVED: Option<&str> = Some("/media/1");

    #[test]
    fn inbound_media_come_from_the_host() {
        // PLATFORM 16: contentProvider line means the file is fetched from LINE and served by the host.
        let served = View { content_url: SERVED, preview_url: Some("/media/1/small"), ..inert() };
        let image = json!({"type": "image", "id": "1", "contentProvider": {"type": "line"}});
        insta::assert_snapshot!(message(&image, &served), @r#"<div class="lv lv-at-inbox lv-media" data-lv-kind="image"><a class="lv-do" href="/media/1" target="_blank" rel="noopener noreferrer nofollow"><img class="lv-photo" src="/media/1/small" alt="Photo" loading="lazy" referrerpolicy="no-referrer"></a></div>"#);
        assert!(message(&image, &inert()).contains("Not available"));
        let video = message(
            &json!({"type": "video", "duration": 61_499, "contentProvider": {"type": "line"}}),
            &served,
        );
        assert!(video.contains(r#"<video class="lv-player" controls preload="none" src="/media/1" poster="/media/1/small" aria-label="Video">"#), "{video}");
        assert!(video.contains(">1:01<"), "{video}");
        let audio = message(&json!({"type": "audio", "duration": 4_200}), &served);
        assert!(audio.contains(r#"<audio class="lv-player" controls preload="none" src="/media/1" aria-label="Voice message">"#), "{audio}");
    }

    #[test]
    fn outside_media_load_only_where_they_may() {
        // PLATFORM 16, GOTCHAS A22: what liff.sendMessages sends is external.
        let sent = json!({"type": "image", "originalContentUrl": "https://example.com/b.jpg", "previewImageUrl": "https://example.com/s.jpg"});
        let came = json!({"type": "image", "id": "1", "contentProvider": {"type": "external",
            "originalContentUrl": "https://example.com/b.jpg", "previewImageUrl": "https://example.com/s.jpg"}});
        for value in [sent, came] {
            let html = message(&value, &phone());
            assert!(
                html.contains(r#"<img class="lv-photo" src="https://example.com/s.jpg" alt="Photo""#),
                "{html}"
            );
            assert!(html.contains(r#"href="https://example.com/b.jpg""#), "{html}");
            let html = message(&value, &inert());
            assert!(!html.contains("<img") && html.contains(r#"href="https://example.com/b.jpg""#), "{html}");
        }
    }

    #[test]
    fn a_file_says_its_name_and_size() {
        let value = json!({"type": "file", "fileName": "<menu>.pdf", "fileSize": 348_160});
        let html = message(&value, &View { content_url: SERVED, ..inert() });
        assert!(
            html.contains(r#"<a class="lv-link lv-name" href="/media/1""#)
                && html.contains("&lt;menu&gt;.pdf"),
            "{html}"
        );
        assert!(html.contains("340 KB"), "{html}");
        assert!(!message(&value, &inert()).contains("<a"));
        for (bytes, said) in [
            (0.0, "0 B"),
            (1023.0, "1023 B"),
            (1536.0, "1.5 KB"),
            (5e8, "477 MB"),
            (1e13, "9313 GB"),
            (-1.0, "0 B"),
        ] {
            assert_eq!(super::size(bytes), said);
        }
    }

    #[test]
    fn a_place_opens_on_a_map() {
        let html = message(
            &json!({"type": "location", "address": "2 Pier Road", "latitude": 25.5, "longitude": -121.25}),
            &inert(),
        );
        assert!(html.contains(">Location<") && html.contains("query=25.5,-121.25"), "{html}");
        let odd = message(
            &json!({"type": "location", "title": "T", "latitude": "25", "longitude": null}),
            &inert(),
        );
        assert!(odd.contains(">T<") && !odd.contains("<a"), "{odd}");
    }

    #[test]
    fn a_sticker_says_its_words_and_ids() {
        // PLATFORM 16, 19; GOTCHAS A21.
        let sticker = json!({"type": "sticker", "packageId": "446", "stickerId": "1988", "keywords": ["happy", "yay", "hi", "four"]});
        let html = message(&sticker, &inert());
        assert!(
            html.contains(r#"title="446 / 1988""#)
                && html.contains(r#"aria-label="Sticker: happy, yay, hi""#),
            "{html}"
        );
        assert!(!html.contains(">446"), "numbers say nothing to a reader: {html}");
        let html = message(&sticker, &View { line_pictures: true, ..inert() });
        assert!(html.contains("<img"), "LINE's pictures may load where other media may not: {html}");
        let html = message(&sticker, &phone());
        assert!(html.contains(r#"src="https://stickershop.line-scdn.net/stickershop/v1/sticker/1988/android/sticker.png" alt="Sticker: happy, yay, hi""#), "{html}");
        let odd = json!({"type": "sticker", "stickerId": "../../x", "text": "Hi!"});
        let html = message(&odd, &phone());
        assert!(!html.contains("<img") && html.contains(r#"aria-label="Sticker: Hi!""#), "{html}");
    }

    #[test]
    fn an_imagemap_has_its_areas() {
        // PLATFORM 19: areas are measured against baseSize; at most 50.
        let area = json!({"x": 520, "y": 0, "width": 520, "height": 260});
        let map = |actions: Value| {
            json!({"type": "imagemap", "baseUrl": "https://example.com/map", "altText": "Spring",
            "baseSize": {"width": 1040, "height": 520}, "actions": actions})
        };
        let uri =
            json!([{"type": "uri", "label": "Book", "linkUri": "https://example.com/book", "area": area}]);
        insta::assert_snapshot!(message(&map(uri), &phone()), @r#"<div class="lv lv-at-phone lv-imagemap" data-lv-kind="imagemap" role="group" aria-label="Spring" data-lv-css="aspect-ratio:1040/520"><img class="lv-fill" src="https://example.com/map/1040" alt="Spring" loading="lazy" referrerpolicy="no-referrer"><a class="lv-area lv-do" href="https://example.com/book" target="_blank" rel="noopener noreferrer nofollow" data-lv-type="uri" data-lv-css="left:50%;top:0%;width:50%;height:50%"><span class="lv-area-name">Book</span></a></div>"#);
        let words = vec![json!({"type": "message", "text": "menu", "area": area}); 60];
        let html = message(&map(json!(words)), &phone());
        assert_eq!(html.matches("<button").count(), 50);
        let html =
            message(&map(json!([{"type": "clipboard", "clipboardText": "CODE", "area": "odd"}])), &inert());
        assert!(
            html.contains(r#"<span class="lv-area"><span class="lv-area-name">CODE</span></span>"#),
            "{html}"
        );
    }

    #[test]
    fn an_imagemap_plays_its_video() {
        let map = json!({"type": "imagemap", "baseUrl": "https://example.com/map", "altText": "Spring", "baseSize": {"width": 1040, "height": 1040},
            "actions": [], "video": {"originalContentUrl": "https://example.com/v.mp4", "previewImageUrl": "https://example.com/p.jpg",
                "area": {"x": 0, "y": 0, "width": 1040, "height": 585}, "externalLink": {"linkUri": "https://example.com/more", "label": "More"}}});
        let html = message(&map, &phone());
        assert!(
            html.contains("<video") && html.contains("height:56.25%") && html.contains(">More</a>"),
            "{html}"
        );
        assert!(!message(&map, &inert()).contains("<video"));
    }

    #[test]
    fn a_coupon_is_a_card() {
        let html = message(&json!({"type": "coupon", "couponId": "01JYNW8JMQ"}), &inert());
        assert!(
            html.contains(">Coupon<") && html.contains("01JYNW8JMQ") && !html.contains("<button"),
            "{html}"
        );
        let known = Coupon {
            title: "Tea <free>",
            reward: "Free",
            period: "until May",
            image_url: Some("https://example.com/c.png"),
        };
        let value = json!({"type": "coupon", "couponId": "01JYNW8JMQ"});
        let html = message(&value, &View { coupon: Some(known), ..phone() });
        assert!(
            html.contains(">Tea &lt;free&gt;<") && html.contains(">until May<") && html.contains("<img"),
            "{html}"
        );
        assert!(
            html.contains(
                r#"data-lv-type="coupon" data-lv-action="{&quot;couponId&quot;:&quot;01JYNW8JMQ&quot;"#
            ),
            "{html}"
        );
        assert!(!message(&value, &View { coupon: Some(known), ..inert() }).contains("<img"));
    }
}
