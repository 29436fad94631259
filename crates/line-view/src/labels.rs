//! The words that are not in the message itself.

/// The words a drawing needs, in the reader's language. Plain text; escaped when written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// In place of what cannot be shown: a kind or component this version does not know, or one nested too deep.
    pub unsupported: String,
    /// A message without words of its own, e.g. a Flex Message without alt text.
    pub message: String,
    /// A sticker.
    pub sticker: String,
    /// A LINE emoji.
    pub emoji: String,
    /// A picture.
    pub image: String,
    /// A video.
    pub video: String,
    /// A voice message or sound.
    pub audio: String,
    /// A file without name.
    pub file: String,
    /// A place.
    pub location: String,
    /// A coupon.
    pub coupon: String,
    /// The link that opens a file or outside picture.
    pub open_link: String,
    /// The link that opens a place on a map.
    pub open_map: String,
    /// Media that is not there: not fetched yet, expired or deleted.
    pub unavailable: String,
    /// The name of the row of quick reply buttons, for screen readers.
    pub quick_replies: String,
    /// Above a message that quotes another.
    pub quote: String,
    /// The mention of everyone in a group, without `@`.
    pub everyone: String,
    /// The mention of a user whose name is not known here, without `@`.
    pub member: String,
}

impl Labels {
    /// English words, for tests and examples; pages take theirs from language files.
    #[must_use]
    pub fn english() -> Self {
        Self {
            unsupported: "This cannot be shown here".into(),
            message: "Message".into(),
            sticker: "Sticker".into(),
            emoji: "Emoji".into(),
            image: "Photo".into(),
            video: "Video".into(),
            audio: "Voice message".into(),
            file: "File".into(),
            location: "Location".into(),
            coupon: "Coupon".into(),
            open_link: "Open".into(),
            open_map: "Open map".into(),
            unavailable: "Not available".into(),
            quick_replies: "Quick replies".into(),
            quote: "Reply to a message".into(),
            everyone: "All".into(),
            member: "Member".into(),
        }
    }
}
