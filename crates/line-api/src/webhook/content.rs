//! The message inside a `message` or `messageEdited` event (PLATFORM 16, "Message content").

use serde_json::Value;

use super::fields::{Fields, Reason};
use crate::ids::{MessageId, UserId};

/// A received message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `id`; an edit carries that of the message it changes.
    pub id: MessageId,
    /// `quoteToken`: quotes this message in an answer; not for audio, files and locations.
    pub quote_token: Option<String>,
    /// `markAsReadToken`: shows this message as read to its sender; not for edits.
    pub mark_as_read_token: Option<String>,
    /// `quotedMessageId`: the message that this one answers.
    pub quoted_message_id: Option<MessageId>,
    /// What was sent.
    pub content: Content,
    /// The message object as LINE sent it, with U+0000 and unpaired surrogates replaced.
    pub raw: Value,
}

/// What was sent, by `message.type`.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// `text`. A LINE emoji stands in it as its name in brackets, such as `(love)`.
    Text {
        /// The text.
        text: String,
        /// Where LINE emojis stand in the text.
        emojis: Vec<Emoji>,
        /// Who is mentioned in the text.
        mentionees: Vec<Mentionee>,
    },
    /// `image`.
    Image {
        /// Where the picture is.
        provider: ContentProvider,
        /// The set it belongs to, when several were sent at once.
        image_set: Option<ImageSet>,
    },
    /// `video`.
    Video {
        /// Where the video is.
        provider: ContentProvider,
        /// Length in ms.
        duration: Option<i64>,
    },
    /// `audio`.
    Audio {
        /// Where the sound is.
        provider: ContentProvider,
        /// Length in ms.
        duration: Option<i64>,
    },
    /// `file`.
    File {
        /// Name, as the sender's device gave it; not safe as a path.
        name: String,
        /// Size in bytes.
        size: Option<i64>,
    },
    /// `location`.
    Location {
        /// Name of the place.
        title: Option<String>,
        /// Address.
        address: Option<String>,
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
    },
    /// `sticker`.
    Sticker {
        /// Package.
        package_id: String,
        /// Sticker in the package.
        sticker_id: String,
        /// `stickerResourceType`, e.g. `STATIC`; new values may come.
        resource_type: Option<String>,
        /// Up to 15 words that describe it, a different choice each time.
        keywords: Vec<String>,
        /// What the sender wrote on a message sticker.
        text: Option<String>,
    },
    /// A type that is not known, or a known one without the fields it needs.
    Unknown {
        /// `message.type`, if it is a text.
        kind: Option<String>,
        /// What is missing, if the type is known.
        reason: Option<String>,
    },
}

/// `contentProvider`: where the bytes of a picture, video or sound are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentProvider {
    /// At LINE, to be fetched by the message's id. Also when the provider is missing or of an unknown type.
    Line,
    /// Elsewhere, as for media sent from a LIFF app.
    External {
        /// Address of the file.
        original_content_url: Option<String>,
        /// Address of the preview picture.
        preview_image_url: Option<String>,
    },
}

/// `imageSet`: pictures sent at once, each in an event of its own and in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// The same for all pictures of the set.
    pub id: String,
    /// Place of this picture, from 1; not known for old Android apps.
    pub index: Option<i64>,
    /// Number of pictures; not known for old Android apps.
    pub total: Option<i64>,
}

/// A LINE emoji in a text. Positions count UTF-16 units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emoji {
    /// Where it starts.
    pub index: i64,
    /// How many units it takes.
    pub length: i64,
    /// Product.
    pub product_id: String,
    /// Emoji in the product.
    pub emoji_id: String,
}

/// A mention in a text. Positions count UTF-16 units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mentionee {
    /// Where it starts.
    pub index: i64,
    /// How many units it takes.
    pub length: i64,
    /// Who is meant.
    pub target: MentionTarget,
}

/// Who is mentioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MentionTarget {
    /// One person, or the bot.
    User {
        /// Missing for people who did not consent.
        user_id: Option<UserId>,
        /// Whether the bot itself is meant.
        is_self: bool,
    },
    /// Everybody in the chat.
    All,
    /// A type that is not known.
    Unknown,
}

impl Message {
    /// Reads a message object; only the id is needed.
    pub(super) fn read(raw: &Value) -> Result<Self, Reason> {
        let fields = Fields::of(raw, "message");
        Ok(Self {
            id: fields.id("id")?,
            quote_token: fields.maybe_text("quoteToken"),
            mark_as_read_token: fields.maybe_text("markAsReadToken"),
            quoted_message_id: fields.maybe_id("quotedMessageId"),
            content: Content::read(fields),
            raw: raw.clone(),
        })
    }

    /// `message.type` as LINE sent it; empty if it is no text.
    #[must_use]
    pub fn kind(&self) -> &str {
        crate::message::kind(&self.raw)
    }

    /// Tells whether the bot itself is mentioned, which counts as an address in a group.
    #[must_use]
    pub fn mentions_bot(&self) -> bool {
        match &self.content {
            Content::Text { mentionees, .. } => {
                mentionees.iter().any(|m| matches!(m.target, MentionTarget::User { is_self: true, .. }))
            }
            _ => false,
        }
    }

    /// The set of pictures that this one was sent with.
    #[must_use]
    pub fn image_set(&self) -> Option<&ImageSet> {
        match &self.content {
            Content::Image { image_set, .. } => image_set.as_ref(),
            _ => None,
        }
    }
}

impl Content {
    fn read(fields: Fields<'_>) -> Self {
        let kind = fields.maybe_text("type");
        let read = match kind.as_deref() {
            Some("text") => Self::text(fields),
            Some("image") => {
                Ok(Self::Image { provider: ContentProvider::read(fields), image_set: ImageSet::read(fields) })
            }
            Some("video") => Ok(Self::Video {
                provider: ContentProvider::read(fields),
                duration: fields.maybe_integer("duration"),
            }),
            Some("audio") => Ok(Self::Audio {
                provider: ContentProvider::read(fields),
                duration: fields.maybe_integer("duration"),
            }),
            Some("file") => Self::file(fields),
            Some("location") => Self::location(fields),
            Some("sticker") => Self::sticker(fields),
            _ => return Self::Unknown { kind, reason: None },
        };
        read.unwrap_or_else(|reason| Self::Unknown { kind, reason: Some(reason) })
    }

    fn text(fields: Fields<'_>) -> Result<Self, Reason> {
        Ok(Self::Text {
            text: fields.text("text")?,
            emojis: fields.objects("emojis").filter_map(|emoji| Emoji::read(emoji).ok()).collect(),
            mentionees: fields
                .maybe_object("mention")
                .map(|mention| {
                    mention.objects("mentionees").filter_map(|m| Mentionee::read(m).ok()).collect()
                })
                .unwrap_or_default(),
        })
    }

    fn file(fields: Fields<'_>) -> Result<Self, Reason> {
        Ok(Self::File { name: fields.text("fileName")?, size: fields.maybe_integer("fileSize") })
    }

    fn location(fields: Fields<'_>) -> Result<Self, Reason> {
        Ok(Self::Location {
            title: fields.maybe_text("title"),
            address: fields.maybe_text("address"),
            latitude: fields.number("latitude")?,
            longitude: fields.number("longitude")?,
        })
    }

    fn sticker(fields: Fields<'_>) -> Result<Self, Reason> {
        Ok(Self::Sticker {
            package_id: fields.id("packageId")?,
            sticker_id: fields.id("stickerId")?,
            resource_type: fields.maybe_text("stickerResourceType"),
            keywords: fields.texts("keywords"),
            text: fields.maybe_text("text"),
        })
    }
}

impl ContentProvider {
    fn read(message: Fields<'_>) -> Self {
        match message.maybe_object("contentProvider") {
            Some(provider) if provider.maybe_text("type").as_deref() == Some("external") => Self::External {
                original_content_url: provider.maybe_text("originalContentUrl"),
                preview_image_url: provider.maybe_text("previewImageUrl"),
            },
            _ => Self::Line,
        }
    }
}

impl ImageSet {
    fn read(message: Fields<'_>) -> Option<Self> {
        let set = message.maybe_object("imageSet")?;
        Some(Self {
            id: set.maybe_id("id")?,
            index: set.maybe_integer("index"),
            total: set.maybe_integer("total"),
        })
    }
}

impl Emoji {
    fn read(fields: Fields<'_>) -> Result<Self, Reason> {
        Ok(Self {
            index: fields.integer("index")?,
            length: fields.integer("length")?,
            product_id: fields.id("productId")?,
            emoji_id: fields.id("emojiId")?,
        })
    }
}

impl Mentionee {
    fn read(fields: Fields<'_>) -> Result<Self, Reason> {
        Ok(Self {
            index: fields.integer("index")?,
            length: fields.integer("length")?,
            target: match fields.maybe_text("type").as_deref() {
                Some("user") => MentionTarget::User {
                    user_id: fields.maybe_id("userId"),
                    is_self: fields.flag("isSelf").unwrap_or(false),
                },
                Some("all") => MentionTarget::All,
                _ => MentionTarget::Unknown,
            },
        })
    }
}
