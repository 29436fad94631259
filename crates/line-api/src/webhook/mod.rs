//! Webhook bodies and events (PLATFORM 15, 16), read in two steps.
//!
//! 1. [`parse`] finds the events in a body without decoding them, and [`EventHead`] reads the few fields that
//!    storing an event needs. This is the path on which LINE waits for an answer.
//! 2. [`Event::parse`] decodes one stored event for those who act on it. It never fails: what LINE adds
//!    tomorrow becomes [`EventKind::Unknown`], an event with missing or odd fields becomes
//!    [`EventKind::Malformed`] with the reason, and the JSON is kept beside the typed fields in both cases.
//!
//! Two things that JSON permits and databases refuse are replaced by U+FFFD when text is decoded: escapes of
//! unpaired surrogates (`"\ud800"`, which `serde_json` refuses as well) and U+0000. The bytes of a body are
//! never changed.

mod content;
mod envelope;
mod event;
mod fields;
mod text;

pub use content::{Content, ContentProvider, Emoji, ImageSet, MentionTarget, Mentionee, Message};
pub use envelope::{Envelope, EnvelopeError, EventHead, RawEvent, SourceHead, parse};
pub use event::{
    Beacon, BeaconKind, Event, EventKind, LinkResult, MembershipChange, Mode, ModuleChange, Postback, Source,
};
pub use text::{clean, without_lone_surrogates};
