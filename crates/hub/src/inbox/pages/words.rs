//! The words that `line-view` needs, and the names of people and groups.

use line_view::Labels;

use crate::inbox::model::{Conversation, Kind, LastMessage};
use crate::web::Ui;

/// `line-view`'s words in the reader's language.
pub(super) fn labels(ui: &Ui) -> Labels {
    Labels {
        unsupported: ui.t("line-view-unsupported"),
        message: ui.t("line-view-message"),
        sticker: ui.t("line-view-sticker"),
        emoji: ui.t("line-view-emoji"),
        image: ui.t("line-view-image"),
        video: ui.t("line-view-video"),
        audio: ui.t("line-view-audio"),
        file: ui.t("line-view-file"),
        location: ui.t("line-view-location"),
        coupon: ui.t("line-view-coupon"),
        open_link: ui.t("line-view-open-link"),
        open_map: ui.t("line-view-open-map"),
        unavailable: ui.t("line-view-unavailable"),
        quick_replies: ui.t("line-view-quick-replies"),
        quote: ui.t("line-view-quote"),
        everyone: ui.t("line-view-everyone"),
        member: ui.t("line-view-member"),
    }
}

/// The name of the person or group; words for "not known yet" where LINE has not told it.
pub(super) fn title(ui: &Ui, c: &Conversation) -> String {
    let known = match &c.contact {
        Some(contact) => contact.display_name.clone(),
        None => c.title.clone(),
    };
    known.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| {
        ui.t(match c.kind {
            Kind::User => "inbox-no-name",
            Kind::Group => "inbox-no-group-name",
            Kind::Room => "inbox-no-room-name",
        })
    })
}

/// The picture of the person or group.
pub(super) fn picture(c: &Conversation) -> Option<&str> {
    match &c.contact {
        Some(contact) => contact.picture_url.as_deref(),
        None => c.picture_url.as_deref(),
    }
}

/// The newest message in one line.
pub(super) fn summary(ui: &Ui, labels: &Labels, last: Option<&LastMessage>) -> String {
    match last {
        None => ui.t("inbox-nothing-said"),
        Some(LastMessage { content: None, .. }) => ui.t("inbox-unsent"),
        Some(LastMessage { content: Some(content), .. }) => line_view::summary(content, labels),
    }
}

/// A language's name, where the hub knows it, else its tag.
pub(super) fn language(ui: &Ui, tag: &str) -> String {
    match tag.split('-').next().unwrap_or_default() {
        "zh" => ui.t("inbox-language-zh"),
        "en" => ui.t("inbox-language-en"),
        "ja" => ui.t("inbox-language-ja"),
        "th" => ui.t("inbox-language-th"),
        "ko" => ui.t("inbox-language-ko"),
        "id" => ui.t("inbox-language-id"),
        "vi" => ui.t("inbox-language-vi"),
        _ => tag.to_owned(),
    }
}

/// The emoji of the small picker.
pub(super) const EMOJI: [&str; 48] = [
    "😀", "😄", "😊", "🙂", "😉", "😍", "🥰", "😘", "😂", "🤣", "😅", "😭", "😢", "😮", "🤔", "😴", "🙏",
    "👍", "👌", "👏", "🙌", "💪", "🤝", "👋", "❤️", "🧡", "💚", "💙", "✨", "🎉", "🎁", "🎂", "🌸", "☀️",
    "🌙", "🌧️", "🍵", "🧋", "☕", "🍰", "🍱", "🛍️", "📦", "🚚", "💳", "📅", "📍", "✅",
];
