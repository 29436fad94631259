//! What one destination gets of one request.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use line_api::webhook::{self, EventHead};
use tokio::time::Instant;

use super::model::Filter;
use crate::accounts::Connected;
use crate::journal::{Placed, Request};

/// A request of the journal as the relay needs it; shared by all destinations of its account.
#[derive(Debug)]
pub(super) struct Unit {
    /// The journal's request.
    pub(super) request: Request,
    /// The chats that its new events belong to, each once.
    pub(super) chats: Vec<String>,
    /// Whether one of its events was blanked.
    has_blanks: bool,
    /// When it was read.
    read_at: Instant,
    /// LINE's signature of the whole body, by the account's secret of then.
    signature: OnceLock<(Weak<Connected>, String)>,
}

/// How long what was read is sent without reading it again: it may be blanked meanwhile, on another node too.
const FRESH: Duration = Duration::from_secs(10);

/// What goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parcel {
    /// LINE's exact bytes.
    Whole(Bytes),
    /// A body of our own with the passing events only; LINE's signature does not fit it.
    Rebuilt(Bytes),
    /// Nothing passes.
    Nothing,
    /// The journal no longer has the bytes.
    Expired,
}

/// The tags of people, by LINE's user ID.
pub(super) type Tags = HashMap<String, Vec<String>>;

impl Unit {
    /// Reads where its events belong.
    #[must_use]
    pub(super) fn new(request: Request) -> Arc<Self> {
        let has_blanks = request.events.iter().any(|event| event.blanked);
        let mut unit = Self {
            request,
            chats: Vec::new(),
            has_blanks,
            read_at: Instant::now(),
            signature: OnceLock::new(),
        };
        let mut chats: Vec<String> = Vec::new();
        for raw in unit.events() {
            let chat = EventHead::parse(raw).source.chat_id().map(str::to_owned);
            chats.extend(chat.filter(|chat| !chats.contains(chat)));
        }
        unit.chats = chats;
        Arc::new(unit)
    }

    /// The body's signature as LINE would make it with the present secret: computed once for all destinations.
    pub(super) fn signature(&self, account: &Arc<Connected>) -> String {
        let body = self.request.body.as_deref().unwrap_or_default();
        let (of, signature) = self.signature.get_or_init(|| (Arc::downgrade(account), account.sign(body)));
        // Another `Connected` may have another secret.
        if of.as_ptr() == Arc::as_ptr(account) { signature.clone() } else { account.sign(body) }
    }

    /// Whether it was read just now.
    #[must_use]
    pub(super) fn is_fresh(&self) -> bool {
        self.read_at.elapsed() < FRESH
    }

    /// Whether all of its new events were blanked.
    #[must_use]
    pub(super) fn is_blank(&self) -> bool {
        self.request.events.iter().all(|event| event.blanked)
    }

    /// The JSON of its new events, without those that were blanked.
    fn events(&self) -> impl Iterator<Item = &str> {
        let body = self.request.body.as_deref().unwrap_or_default();
        let raw = |event: &Placed| std::str::from_utf8(body.get(event.start..event.start + event.len)?).ok();
        self.request.events.iter().filter(|event| !event.blanked).filter_map(raw)
    }

    /// LINE's IDs of the people in its new events.
    #[must_use]
    pub(super) fn people(&self) -> Vec<String> {
        self.events()
            .filter_map(|raw| EventHead::parse(raw).source.user_id.map(std::borrow::Cow::into_owned))
            .collect()
    }

    /// What a destination with this filter gets; `bot` is LINE's `destination` of the account, `tags` are those of
    /// [`people`](Self::people), where the filter asks for tags.
    ///
    /// A request that passes whole is LINE's bytes, also where some of its events had come before; else new, passing
    /// events only (CONTRACT "Destinations").
    #[must_use]
    pub(super) fn parcel(&self, filter: &Filter, bot: &str, tags: &Tags) -> Parcel {
        let Some(body) = &self.request.body else { return Parcel::Expired };
        let passes = |raw: &str| filter.passes(&EventHead::parse(raw), tags);
        // A blanked event leaves blanks where its JSON was, and then the body is none.
        let is_whole = !self.has_blanks
            && (filter.is_open()
                || webhook::parse(body)
                    .is_ok_and(|whole| whole.events.iter().all(|event| passes(event.raw))));
        if is_whole {
            return Parcel::Whole(body.clone());
        }
        let passing: Vec<&str> = self.events().filter(|raw| passes(raw)).collect();
        if passing.is_empty() {
            return Parcel::Nothing;
        }
        let (bot, events) = (serde_json::Value::from(bot), passing.join(","));
        Parcel::Rebuilt(Bytes::from(format!(r#"{{"destination":{bot},"events":[{events}]}}"#)))
    }

    /// The ids of its events in the API.
    #[must_use]
    pub(super) fn event_ids(&self) -> Vec<String> {
        let at = self.request.received_at;
        self.request.events.iter().map(|event| crate::journal::event_id(at, event.position)).collect()
    }
}

impl Filter {
    /// Whether an event passes.
    pub(super) fn passes(&self, head: &EventHead<'_>, tags: &Tags) -> bool {
        let has = |wanted: &Option<Vec<String>>, is: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| is.is_some_and(|is| wanted.iter().any(|word| word == is)))
        };
        let person = head.source.user_id.as_deref();
        has(&self.events, head.kind.as_deref())
            && has(&self.sources, head.source.kind.as_deref())
            && self.share.is_none_or(|share| person.is_some_and(|person| place(person) < u64::from(share)))
            && self.tags.as_ref().is_none_or(|wanted| {
                let has = person.and_then(|person| tags.get(person));
                has.is_some_and(|has| has.iter().any(|tag| wanted.contains(tag)))
            })
    }
}

/// A person's place among 100. FNV-1a, because it has to be the same in every version of the hub.
fn place(person: &str) -> u64 {
    let hash = person.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash % 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn event(kind: &str, user: &str) -> String {
        format!(r#"{{"type":"{kind}","source":{{"type":"user","userId":"{user}"}},"text":"\ud83d\ude00"}}"#)
    }

    /// A request of these events, of which those at `fresh` are new.
    fn unit_of(events: &[String], fresh: &[usize], blanked: &[usize]) -> (Arc<Unit>, String) {
        let mut body = format!(r#"{{"destination":"Ubot","events":[{}]}}"#, events.join(","));
        let whole = webhook::parse(body.as_bytes()).unwrap();
        let places: Vec<_> = whole.events.iter().map(RawPlace::of).collect();
        let placed = fresh.iter().map(|place| Placed {
            position: i64::try_from(*place).unwrap() + 1,
            start: places[*place].0,
            len: places[*place].1,
            kind: "message".to_owned(),
            blanked: blanked.contains(place),
            event_at: Timestamp(0),
        });
        let placed: Vec<_> = placed.collect();
        for place in blanked {
            let (start, len) = places[*place];
            body.replace_range(start..start + len, &" ".repeat(len));
        }
        let request = Request {
            account_id: "acc".to_owned(),
            body: Some(Bytes::from(body.clone())),
            signature: String::new(),
            received_at: Timestamp(0),
            events: placed,
        };
        (Unit::new(request), body)
    }

    struct RawPlace;

    impl RawPlace {
        fn of(event: &webhook::RawEvent<'_>) -> (usize, usize) {
            (event.start, event.raw.len())
        }
    }

    fn only(kinds: &[&str]) -> Filter {
        Filter { events: Some(kinds.iter().map(|kind| (*kind).to_owned()).collect()), ..Filter::default() }
    }

    // S0-31
    #[test]
    fn without_a_filter_the_bytes_are_lines_own() {
        let (unit, body) = unit_of(&[event("message", "U1"), event("follow", "U2")], &[1], &[]);
        assert_eq!(unit.parcel(&Filter::default(), "Ubot", &Tags::new()), Parcel::Whole(Bytes::from(body)));
        assert_eq!(unit.chats, ["U2"], "an event that had come before holds nothing back");
    }

    #[test]
    fn what_passes_whole_is_exact_and_what_does_not_is_put_together_anew() {
        let events = [event("message", "U1"), event("follow", "U2"), event("message", "U3")];
        let (all, body) = unit_of(&events, &[0, 1, 2], &[]);
        let parcel = |filter: &Filter| all.parcel(filter, "Ubot", &Tags::new());
        assert_eq!(parcel(&only(&["message", "follow"])), Parcel::Whole(Bytes::from(body)));
        let rebuilt = format!(r#"{{"destination":"Ubot","events":[{},{}]}}"#, events[0], events[2]);
        assert_eq!(parcel(&only(&["message"])), Parcel::Rebuilt(Bytes::from(rebuilt)));
        assert_eq!(parcel(&only(&["unfollow"])), Parcel::Nothing);
        // What had come before is not in a body of our own.
        let (later, _) = unit_of(&events, &[1, 2], &[]);
        let rebuilt = format!(r#"{{"destination":"Ubot","events":[{}]}}"#, events[2]);
        assert_eq!(
            later.parcel(&only(&["message"]), "Ubot", &Tags::new()),
            Parcel::Rebuilt(Bytes::from(rebuilt))
        );
    }

    #[test]
    fn a_blanked_event_is_left_out() {
        let events = [event("message", "U1"), event("message", "U2")];
        let (rest, _) = unit_of(&events, &[0, 1], &[0]);
        let rebuilt = format!(r#"{{"destination":"Ubot","events":[{}]}}"#, events[1]);
        assert_eq!(
            rest.parcel(&Filter::default(), "Ubot", &Tags::new()),
            Parcel::Rebuilt(Bytes::from(rebuilt))
        );
        let (none, _) = unit_of(&events, &[0, 1], &[0, 1]);
        assert_eq!(none.parcel(&Filter::default(), "Ubot", &Tags::new()), Parcel::Nothing);
    }

    #[test]
    fn tags_and_shares_are_of_people() {
        let (unit, body) = unit_of(&[event("message", "U1")], &[0], &[]);
        let vip = Filter { tags: Some(vec!["vip".to_owned()]), ..Filter::default() };
        let tags = Tags::from([("U1".to_owned(), vec!["new".to_owned(), "vip".to_owned()])]);
        assert_eq!(unit.people(), ["U1"]);
        assert_eq!(unit.parcel(&vip, "Ubot", &tags), Parcel::Whole(Bytes::from(body)));
        assert_eq!(unit.parcel(&vip, "Ubot", &Tags::new()), Parcel::Nothing);
        let within = (0..1000).filter(|n| place(&format!("U{n:032x}")) < 30).count();
        assert!((240..360).contains(&within), "{within} of 1000 are among 30 of 100");
        let share = |share| Filter { share: Some(share), ..Filter::default() };
        assert!(matches!(unit.parcel(&share(100), "Ubot", &Tags::new()), Parcel::Whole(_)));
        let (of_nobody, _) = unit_of(&[r#"{"type":"x"}"#.to_owned()], &[0], &[]);
        assert_eq!(of_nobody.parcel(&share(100), "Ubot", &Tags::new()), Parcel::Nothing);
    }
}
