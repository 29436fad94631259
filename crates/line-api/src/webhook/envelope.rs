//! The request body, and the fields of an event that are read while LINE waits.

use std::{borrow::Cow, fmt, ops::Range};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text::{decode_text, without_lone_surrogates};
use crate::ids::MAX_ID_BYTES;

/// A webhook body: `{"destination", "events"}` (PLATFORM 15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The bot's user id; none if it is missing or not a text.
    pub destination: Option<String>,
    /// The elements of `events`, in order; also those that are no objects.
    pub events: Vec<RawEvent<'a>>,
}

/// One element of `events`, undecoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// The exact slice of the body.
    pub raw: &'a str,
    /// Where the slice starts in the body, in bytes.
    pub start: usize,
}

impl<'a> RawEvent<'a> {
    /// The slice's place in the body, in bytes.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.raw.len()
    }

    /// Reads the fields needed to store the event.
    #[must_use]
    pub fn head(&self) -> EventHead<'a> {
        EventHead::parse(self.raw)
    }
}

/// Why a body is no webhook body.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The body is not JSON in UTF-8; the text says what is wrong, without citing the body.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// The body is JSON, but not an object.
    #[error("not a JSON object")]
    NotAnObject,
    /// The object has no `events`, or it is not an array.
    #[error("no `events` array")]
    NoEvents,
}

/// Finds the events in a webhook body. Decodes nothing else: an event may hold any JSON, nested to any depth.
///
/// # Errors
/// Not JSON, not an object, or no array `events`.
pub fn parse(body: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    let body = std::str::from_utf8(body).map_err(|error| EnvelopeError::NotJson(error.to_string()))?;
    let [destination, events] = pick(body, ["destination", "events"]).map_err(|error| {
        if error.is_data() { EnvelopeError::NotAnObject } else { EnvelopeError::NotJson(error.to_string()) }
    })?;
    let events = events.ok_or(EnvelopeError::NoEvents)?;
    let items: Vec<&RawValue> = serde_json::from_str(events).map_err(|_| EnvelopeError::NoEvents)?;
    Ok(Envelope {
        destination: destination.and_then(decode_text).map(Cow::into_owned),
        events: items
            .into_iter()
            .map(|item| RawEvent { raw: item.get(), start: offset(body, item.get()) })
            .collect(),
    })
}

/// The fields of an event that are needed to store it and to find its conversation. A field that is missing
/// or has an odd type is none; an event that is no object has none at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventHead<'a> {
    /// `type`, e.g. `message`.
    pub kind: Option<Cow<'a, str>>,
    /// `webhookEventId`; none also if it is empty or longer than [`MAX_ID_BYTES`].
    pub id: Option<Cow<'a, str>>,
    /// `timestamp`: when it happened, in ms since 1970; a redelivery keeps it.
    pub timestamp: Option<i64>,
    /// `mode`: `active`, or `standby` while another channel holds the chat.
    pub mode: Option<Cow<'a, str>>,
    /// `deliveryContext.isRedelivery`; false if missing.
    pub is_redelivery: bool,
    /// `replyToken`.
    pub reply_token: Option<Cow<'a, str>>,
    /// `source`; its fields are none where the event has no source.
    pub source: SourceHead<'a>,
}

/// The fields of an event's `source`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceHead<'a> {
    /// `type`: `user`, `group` or `room`.
    pub kind: Option<Cow<'a, str>>,
    /// The person, where LINE tells.
    pub user_id: Option<Cow<'a, str>>,
    /// The group.
    pub group_id: Option<Cow<'a, str>>,
    /// The room.
    pub room_id: Option<Cow<'a, str>>,
}

impl SourceHead<'_> {
    /// The id of the chat: that of the group or room, else that of the person.
    #[must_use]
    pub fn chat_id(&self) -> Option<&str> {
        match self.kind.as_deref() {
            Some("group") => self.group_id.as_deref(),
            Some("room") => self.room_id.as_deref(),
            _ => self.user_id.as_deref(),
        }
    }
}

impl<'a> EventHead<'a> {
    /// Reads the head of one event. Never fails, and takes time in proportion to the length of `raw`.
    #[must_use]
    pub fn parse(raw: &'a str) -> Self {
        const NAMES: [&str; 7] =
            ["type", "webhookEventId", "timestamp", "mode", "deliveryContext", "replyToken", "source"];
        let Ok([kind, id, timestamp, mode, delivery, reply_token, source]) = pick(raw, NAMES) else {
            return Self::default();
        };
        let [is_redelivery] = delivery.and_then(|raw| pick(raw, ["isRedelivery"]).ok()).unwrap_or_default();
        Self {
            kind: kind.and_then(decode_text),
            id: id.and_then(decode_id),
            timestamp: timestamp.and_then(decode_integer),
            mode: mode.and_then(decode_text),
            is_redelivery: is_redelivery == Some("true"),
            reply_token: reply_token.and_then(decode_text),
            source: source.map(SourceHead::parse).unwrap_or_default(),
        }
    }
}

impl<'a> SourceHead<'a> {
    fn parse(raw: &'a str) -> Self {
        let Ok([kind, user_id, group_id, room_id]) = pick(raw, ["type", "userId", "groupId", "roomId"])
        else {
            return Self::default();
        };
        Self {
            kind: kind.and_then(decode_text),
            user_id: user_id.and_then(decode_id),
            group_id: group_id.and_then(decode_id),
            room_id: room_id.and_then(decode_id),
        }
    }
}

fn decode_id(raw: &str) -> Option<Cow<'_, str>> {
    decode_text(raw).filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES)
}

/// Reads a whole number, also one written as `1.7e12`; none if it is no number or beyond what a double holds
/// exactly.
fn decode_integer(raw: &str) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    raw.parse().ok().or_else(|| {
        let number: f64 = serde_json::from_str(raw).ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the bound is checked, and the fraction is not wanted"
        )]
        (number.abs() <= EXACT).then_some(number as i64)
    })
}

/// Gives the undecoded values of the named members of a JSON object; of a member that stands twice, the last.
///
/// # Errors
/// A data error (`is_data`) if the JSON is no object, else a syntax error.
fn pick<'a, const N: usize>(
    json: &'a str,
    names: [&str; N],
) -> Result<[Option<&'a str>; N], serde_json::Error> {
    let error = match try_pick(json, names) {
        Ok(found) => return Ok(found),
        Err(error) => error,
    };
    // Values are not decoded, but names are, and one of them may hold an unpaired surrogate.
    let fixed = without_lone_surrogates(json);
    if matches!(fixed, Cow::Borrowed(_)) {
        return Err(error);
    }
    let found = try_pick(&fixed, names)?;
    Ok(found.map(|value| {
        let start = offset(&fixed, value?);
        json.get(start..start + value?.len())
    }))
}

fn try_pick<'a, const N: usize>(
    json: &'a str,
    names: [&str; N],
) -> Result<[Option<&'a str>; N], serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let found = Pick(names).deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// Where `part`, a slice of `whole`, starts in it.
fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}

/// Reads an object into the raw values of the named members.
struct Pick<'n, const N: usize>([&'n str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Pick<'_, N> {
    type Value = [Option<&'de str>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Pick<'_, N> {
    type Value = [Option<&'de str>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(place) = map.next_key_seed(Place(&self.0))? {
            match place.and_then(|place| found.get_mut(place)) {
                Some(slot) => *slot = Some(map.next_value::<&'de RawValue>()?.get()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// Reads a member's name into its place among the wanted names.
struct Place<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|wanted| *wanted == name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raws(body: &str) -> Vec<&str> {
        parse(body.as_bytes()).unwrap().events.iter().map(|event| event.raw).collect()
    }

    #[test]
    fn events_are_exact_slices_of_the_body() {
        let body = " {\"events\" : [ {\"a\" : \"\\ud83d\\ude00\"} ,1,\"x\", null, [ ] ], \"destination\":\"U1\",\"new\":{}} ";
        let envelope = parse(body.as_bytes()).unwrap();
        assert_eq!(envelope.destination.as_deref(), Some("U1"));
        assert_eq!(raws(body), [r#"{"a" : "\ud83d\ude00"}"#, "1", "\"x\"", "null", "[ ]"]);
        for event in &envelope.events {
            assert_eq!(&body[event.range()], event.raw);
        }
    }

    /// PLATFORM 15: the empty batch of the console's Verify, also the body of the first signature vector.
    #[test]
    fn the_empty_batch_is_a_body() {
        let body = br#"{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}"#;
        assert!(parse(body).unwrap().events.is_empty());
    }

    #[test]
    fn other_bodies_are_told_apart() {
        for body in ["", "{", r#"{"events":[}"#, r#"{"events":[]}x"#, "{\"events\":[\"a\nb\"]}"] {
            assert!(matches!(parse(body.as_bytes()), Err(EnvelopeError::NotJson(_))), "{body}");
        }
        assert!(matches!(parse(b"{\"events\":[\"\xff\"]}"), Err(EnvelopeError::NotJson(_))));
        for body in ["[]", "1", "null", r#""events""#] {
            assert!(matches!(parse(body.as_bytes()), Err(EnvelopeError::NotAnObject)), "{body}");
        }
        for body in ["{}", r#"{"events":{}}"#, r#"{"events":null}"#] {
            assert!(matches!(parse(body.as_bytes()), Err(EnvelopeError::NoEvents)), "{body}");
        }
    }

    #[test]
    fn unpaired_surrogates_anywhere_keep_every_event() {
        let body = r#"{"x\ud800":1,"destination":"\udc00","events":[{"type":"a\ud800","k\udfff":"\ud800"},{"type":"b"}]}"#;
        let envelope = parse(body.as_bytes()).unwrap();
        assert_eq!(envelope.destination.as_deref(), Some("\u{fffd}"));
        assert_eq!(raws(body), [r#"{"type":"a\ud800","k\udfff":"\ud800"}"#, r#"{"type":"b"}"#]);
        assert_eq!(&body[envelope.events[0].range()], envelope.events[0].raw);
        assert_eq!(envelope.events[0].head().kind.as_deref(), Some("a\u{fffd}"));
    }

    #[test]
    fn a_very_deep_event_is_found_and_its_head_read() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let body = format!(r#"{{"events":[{{"webhookEventId":"E","x":{deep}}},{{"type":"follow"}}]}}"#);
        let envelope = parse(body.as_bytes()).unwrap();
        assert_eq!(envelope.events[0].head().id.as_deref(), Some("E"));
        assert_eq!(envelope.events[1].head().kind.as_deref(), Some("follow"));
    }

    #[test]
    fn the_head_reads_what_is_there() {
        let head = EventHead::parse(
            r#"{"type":"message","mode":"standby","timestamp":1767225600000,"webhookEventId":"01KDV0Z0000000000000000000",
            "deliveryContext":{"isRedelivery":true},"replyToken":"t","message":{"id":"1"},
            "source":{"type":"group","groupId":"C1","userId":"U1"}}"#,
        );
        assert_eq!(head.kind.as_deref(), Some("message"));
        assert_eq!(head.mode.as_deref(), Some("standby"));
        assert_eq!(head.timestamp, Some(1_767_225_600_000));
        assert_eq!(head.id.as_deref(), Some("01KDV0Z0000000000000000000"));
        assert!(head.is_redelivery);
        assert_eq!(head.reply_token.as_deref(), Some("t"));
        assert_eq!(head.source.chat_id(), Some("C1"));
        assert_eq!(head.source.user_id.as_deref(), Some("U1"));
    }

    #[test]
    fn odd_types_do_not_fail_the_head() {
        let head = EventHead::parse(
            r#"{"type":7,"timestamp":"soon","webhookEventId":[],"deliveryContext":1,"source":"x","mode":null,"replyToken":{}}"#,
        );
        assert_eq!(head, EventHead::default());
        for raw in ["1", "null", "[]", "\"x\"", "", "{"] {
            assert_eq!(EventHead::parse(raw), EventHead::default());
        }
        assert_eq!(EventHead::parse(r#"{"timestamp":1.5e3}"#).timestamp, Some(1500));
        assert_eq!(EventHead::parse(r#"{"timestamp":1e300}"#).timestamp, None);
        assert_eq!(EventHead::parse(r#"{"webhookEventId":""}"#).id, None);
        let long = format!(r#"{{"webhookEventId":"{}"}}"#, "x".repeat(MAX_ID_BYTES + 1));
        assert_eq!(EventHead::parse(&long).id, None);
    }

    proptest! {
        #[test]
        fn never_panics_and_ranges_are_slices(
            body in ".*",
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = parse(&bytes);
            let body = format!(r#"{{"events":[{body}]}}"#);
            if let Ok(envelope) = parse(body.as_bytes()) {
                for event in envelope.events {
                    prop_assert_eq!(&body[event.range()], event.raw);
                    let _ = event.head();
                }
            }
        }
    }
}
