//! LINE message objects as accessible, safe HTML: what a bot sends (PLATFORM 19–21) and what a webhook delivers (PLATFORM 16).
//!
//! One drawing for every place that shows a message: the sandbox's phone page, the inbox transcript, previews. It takes
//! plain JSON and is tolerant of it: kinds and values LINE adds tomorrow show as "unsupported" or fall back to LINE's default.
//! It knows nothing of who shows it; the words come with [`Labels`].
//!
//! # What a host does
//! 1. Serves [`CSS`] and [`JS`] from its own origin and loads them on the page. The HTML holds neither inline script nor
//!    `style` attributes, so it works under `style-src 'self'; script-src 'self'`. Values that cannot be classes (colours,
//!    pixels, ratios) stand in `data-lv-css`, made only from checked values; [`JS`] applies them, also to nodes added later.
//! 2. Places the HTML of [`message`] left or right. Texts, files and voice messages bring a speech bubble, coloured by
//!    `--lv-bubble-bg` and `--lv-bubble-text`; pictures, stickers, templates and Flex stand on their own. The root says
//!    which kind it is (`data-lv-kind`). A parent that is a flex or grid item needs `min-width: 0` so that carousels scroll.
//! 3. On an interactive page listens for clicks on `[data-lv-action]`, whose value is the action object as JSON
//!    (`data-lv-type` repeats its type).
//! 4. Gives what only it knows with the [`View`]: its copy of media, the quoted message, the coupon, names of mentioned users. Where it
//!    did not, it may fill in later: `[data-lv-user]` is a mention of a user id, `[data-lv-quoted]` a quoted message id.
//!
//! Flex texts, icons and buttons with `scaling` follow the reader's letter size: a host sets `--lv-scale` (1 by default).

mod action;
mod flex;
mod html;
mod labels;
mod media;
mod read;
mod style;
mod template;
mod text;
mod url;

use html::{Html, Tag};
pub use labels::Labels;
use serde_json::Value;
use std::collections::BTreeMap;

/// The stylesheet. All classes begin with `lv-`; colours and widths are `--lv-…` properties with `light-dark()` defaults that
/// a host may set on any ancestor.
pub const CSS: &str = include_str!("line-view.css");

/// The script that applies `data-lv-css` through the CSSOM, on load and for nodes added later. It does nothing else.
pub const JS: &str = include_str!("line-view.js");

/// How a message is to be shown. Begin with [`View::new`] and set what differs, so that later fields do not concern you.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The words, in the reader's language.
    pub labels: &'a Labels,
    /// Where it is shown; changes widths and borders only.
    pub place: Place,
    /// Where the host serves the message's own file (path or http(s) URL); for inbound media whose `contentProvider` is `line`,
    /// or any other message of which the host keeps a copy. `None`: the file is not there (yet, or any more).
    pub content_url: Option<&'a str>,
    /// Where the host serves a smaller picture of it (path or http(s) URL).
    pub preview_url: Option<&'a str>,
    /// Whether media of other hosts may load (phone page). If not, a labelled placeholder links to it.
    pub external_media: bool,
    /// Whether LINE's own pictures of stickers and emoji may load, where other hosts' media may not.
    pub line_pictures: bool,
    /// Whether actions are buttons (`data-lv-action`), or only their text. Links to web pages are links in both cases.
    pub interactive: bool,
    /// The message that this one quotes. `None`: a strip that only says that it quotes one.
    pub quoted: Option<Quoted<'a>>,
    /// What the coupon of a coupon message is; the message has its ID only.
    pub coupon: Option<Coupon<'a>>,
    /// Names by user ID, for the mentions of `textV2`, whose text does not have them.
    pub names: Option<&'a BTreeMap<String, String>>,
}

impl<'a> View<'a> {
    /// A message as words and shapes: no outside media, no buttons, nothing that only the host knows.
    #[must_use]
    pub fn new(labels: &'a Labels, place: Place) -> Self {
        Self {
            labels,
            place,
            content_url: None,
            preview_url: None,
            external_media: false,
            line_pictures: false,
            interactive: false,
            quoted: None,
            coupon: None,
            names: None,
        }
    }
}

/// A quoted message as the strip above a message shows it. Plain text; escaped when written.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a> {
    /// Who wrote it.
    pub name: &'a str,
    /// What it says, on one line ([`summary`] gives it).
    pub words: &'a str,
    /// A small picture of it (path or http(s) URL).
    pub picture_url: Option<&'a str>,
}

/// A coupon as its card shows it (PLATFORM 13). Plain text; escaped when written.
#[derive(Debug, Clone, Copy)]
pub struct Coupon<'a> {
    /// Its title.
    pub title: &'a str,
    /// What it gives, in words.
    pub reward: &'a str,
    /// When it can be used, in words.
    pub period: &'a str,
    /// Its picture (path or http(s) URL).
    pub image_url: Option<&'a str>,
}

/// Where a message is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The sandbox's phone, on LINE's chat background.
    Phone,
    /// The inbox transcript, on the console's surface.
    Inbox,
    /// A preview beside an editor.
    Preview,
}

/// Draws one message object: the HTML of its bubble, without the alignment, sender and time around it.
///
/// Any JSON is fine; what is not a message LINE knows shows [`Labels::unsupported`]. The output is bounded whatever the input.
#[must_use]
pub fn message(message: &Value, view: &View<'_>) -> String {
    let mut draw = Draw::new(view);
    draw.message(message);
    draw.html.finish()
}

/// Draws the row of quick reply buttons of a message object (at most 13, PLATFORM 19); empty if it has none.
///
/// LINE shows them for the last message of a call only; that choice is the host's.
#[must_use]
pub fn quick_replies(message: &Value, view: &View<'_>) -> String {
    let mut draw = Draw::new(view);
    draw.quick_replies(message);
    draw.html.finish()
}

/// Says a message object in one line of plain text, for lists and notifications: its text, its alt text, or the word for
/// its kind. Not HTML-escaped; at most 200 characters.
#[must_use]
pub fn summary(message: &Value, labels: &Labels) -> String {
    let text = match read::text(message, "type") {
        "text" => read::text(message, "text").to_owned(),
        "textV2" => text::plain_v2(message, labels),
        "template" | "flex" | "imagemap" => read::text(message, "altText").to_owned(),
        "file" => read::text(message, "fileName").to_owned(),
        "location" => read::text(message, "title").to_owned(),
        _ => String::new(),
    };
    let line = read::one_line(&text, 200);
    if line.is_empty() { kind_word(message, labels).to_owned() } else { line }
}

/// The word for a message's kind.
fn kind_word<'l>(message: &Value, labels: &'l Labels) -> &'l str {
    match read::text(message, "type") {
        "sticker" => &labels.sticker,
        "image" | "imagemap" => &labels.image,
        "video" => &labels.video,
        "audio" => &labels.audio,
        "file" => &labels.file,
        "location" => &labels.location,
        "coupon" => &labels.coupon,
        "text" | "textV2" | "template" | "flex" => &labels.message,
        _ => &labels.unsupported,
    }
}

/// One drawing in progress: how to show, what is written, and whether a parent already reacts to taps.
struct Draw<'v> {
    view: &'v View<'v>,
    html: Html,
    /// How many of the open elements lie under a tap area; links inside would take its taps away.
    under_tap: usize,
}

impl<'v> Draw<'v> {
    fn new(view: &'v View<'v>) -> Self {
        Self { view, html: Html::default(), under_tap: 0 }
    }

    /// The root element of a kind, with the place it is shown in.
    fn root(&self, kind: &'static str, class: &'static str) -> Tag {
        let place = match self.view.place {
            Place::Phone => "lv-at-phone",
            Place::Inbox => "lv-at-inbox",
            Place::Preview => "lv-at-preview",
        };
        Tag::new("div", "lv").class(place).class(class).attr("data-lv-kind", kind)
    }

    fn message(&mut self, message: &Value) {
        match read::text(message, "type") {
            "text" => self.text_message(message),
            "textV2" => self.text_v2_message(message),
            "sticker" => self.sticker(message),
            "image" => self.image(message),
            "video" => self.video(message),
            "audio" => self.audio(message),
            "file" => self.file(message),
            "location" => self.location(message),
            "imagemap" => self.imagemap(message),
            "template" => self.template(message),
            "flex" => self.flex(message),
            "coupon" => self.coupon(message),
            _ => {
                self.html.open(self.root("unsupported", "lv-bubble"));
                self.unsupported();
                self.html.close("div");
            }
        }
    }

    /// Says that something cannot be shown, in place of it.
    fn unsupported(&mut self) {
        self.html.leaf(Tag::new("p", "lv-unsupported"), &self.view.labels.unsupported);
    }
}

/// Views for the tests of all modules.
#[cfg(test)]
mod testing {
    use crate::{Labels, Place, View};
    use std::sync::LazyLock;

    static LABELS: LazyLock<Labels> = LazyLock::new(Labels::english);

    /// The sandbox's phone: outside media loads, actions are buttons.
    pub(crate) fn phone() -> View<'static> {
        View {
            external_media: true,
            line_pictures: true,
            interactive: true,
            ..View::new(&LABELS, Place::Phone)
        }
    }

    /// The inbox: no outside media, actions are words.
    pub(crate) fn inert() -> View<'static> {
        View::new(&LABELS, Place::Inbox)
    }
}
