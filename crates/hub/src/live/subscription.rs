//! One browser's stream: filtered, gathered, kept alive.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::Event;
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;

use super::bus::Signal;
use super::{GRANTS, Notice, Seat, Sees};
use crate::ids::TenantId;

/// A burst is gathered for so long; the same notice in it is told once.
const GATHER: Duration = Duration::from_millis(100);
/// More different notices than this in one burst are told as one `reset`.
const BURST: usize = 200;
/// What the user may see is believed for so long.
const BELIEVED: Duration = Duration::from_secs(3);
/// A line without meaning goes out so often, so that no proxy takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// After a break the browser waits so long before it comes back.
const RETRY: Duration = Duration::from_secs(1);

struct Subscription<F> {
    heard: broadcast::Receiver<Signal>,
    tenant: TenantId,
    stop: CancellationToken,
    sees: F,
    /// What the user may see, and until when that is believed.
    known: Option<(Sees, Instant)>,
    gathered: Vec<Notice>,
    missed: bool,
    flush_at: Option<Instant>,
    out: VecDeque<Event>,
    keep_alive: Interval,
    _seat: Seat,
}

pub(super) fn stream<F, Fut>(
    heard: broadcast::Receiver<Signal>,
    tenant: TenantId,
    seat: Seat,
    stop: CancellationToken,
    resumed: bool,
    sees: F,
) -> impl Stream<Item = Result<Event, Infallible>> + Send + use<F, Fut>
where
    F: Fn() -> Fut + Send + 'static,
    Fut: Future<Output = Option<Sees>> + Send + 'static,
{
    // The id makes the browser say `Last-Event-ID` when it comes back.
    let mut out = VecDeque::from([Event::default().retry(RETRY).id("1").comment("live")]);
    if resumed {
        out.push_back(reset());
    }
    let subscription = Subscription {
        heard,
        tenant,
        stop,
        sees,
        known: None,
        gathered: Vec::new(),
        missed: false,
        flush_at: None,
        out,
        keep_alive: interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE),
        _seat: seat,
    };
    unfold(subscription, |mut subscription| async move {
        let event = subscription.next().await?;
        Some((Ok(event), subscription))
    })
}

impl<F, Fut> Subscription<F>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Option<Sees>>,
{
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.known.is_none() {
                self.look().await?;
            }
            if let Some(event) = self.out.pop_front() {
                return Some(event);
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                signal = self.heard.recv() => match signal {
                    Ok(Signal::Notice(notice)) => self.hear(&notice),
                    Ok(Signal::Reset) | Err(RecvError::Lagged(_)) => self.miss(),
                    Err(RecvError::Closed) => return None,
                },
                () = at(self.flush_at) => self.flush().await?,
                _ = self.keep_alive.tick() => {
                    self.look().await?;
                    self.out.push_back(Event::default().comment(""));
                }
            }
        }
    }

    fn hear(&mut self, notice: &Notice) {
        if notice.tenant != self.tenant {
            return;
        }
        if notice.kind == GRANTS {
            if let Some((_, until)) = &mut self.known {
                *until = Instant::now();
            }
        } else if self.gathered.len() >= BURST {
            self.miss();
        } else if !self.missed && !self.gathered.contains(notice) {
            self.gathered.push(notice.clone());
        }
        self.flush_at.get_or_insert_with(|| Instant::now() + GATHER);
    }

    fn miss(&mut self) {
        self.missed = true;
        self.gathered.clear();
        self.flush_at.get_or_insert_with(|| Instant::now() + GATHER);
    }

    /// Sends what was gathered and may be seen.
    async fn flush(&mut self) -> Option<()> {
        self.flush_at = None;
        if self.known.as_ref().is_none_or(|(_, until)| *until <= Instant::now()) {
            self.look().await?;
        }
        let gathered = std::mem::take(&mut self.gathered);
        if std::mem::take(&mut self.missed) {
            self.out.push_back(reset());
            return Some(());
        }
        let (sees, _) = self.known.as_ref()?;
        let told = gathered.iter().filter(|notice| match (sees, &notice.account) {
            (Sees::All, _) | (_, None) => true,
            (Sees::Accounts(accounts), Some(account)) => accounts.contains(account),
        });
        self.out.extend(told.map(event));
        Some(())
    }

    /// Asks again what the user may see; when that has changed, the page has to be drawn anew.
    async fn look(&mut self) -> Option<()> {
        let sees = (self.sees)().await?;
        let changed = self.known.as_ref().is_some_and(|(before, _)| *before != sees);
        self.known = Some((sees, Instant::now() + BELIEVED));
        if changed {
            self.gathered.clear();
            self.out.push_back(reset());
        }
        Some(())
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn event(notice: &Notice) -> Event {
    let data = json!({ "id": notice.id, "account": notice.account, "conversation": notice.conversation });
    Event::default().event(notice.kind).data(data.to_string())
}

fn reset() -> Event {
    Event::default().event("reset").data("{}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};

    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;
    use crate::clock::{Entropy, Timestamp};
    use crate::ids::{AccountId, Id, UserId};
    use crate::live::bus::{CAPACITY, InProcess};
    use crate::live::{Live, STREAMS_PER_USER, Seats, TooMany};

    type Body = Pin<Box<dyn Stream<Item = String> + Send>>;

    fn id<T: Id>(seed: u64) -> T {
        T::new(Timestamp(1), &Entropy::seeded(seed))
    }

    fn notice(tenant: u64, account: Option<u64>, kind: &'static str, what: &str) -> Notice {
        Notice { tenant: id(tenant), account: account.map(id), kind, id: what.to_owned(), conversation: None }
    }

    fn live() -> Live {
        Live {
            bus: Box::new(InProcess::default()),
            seats: Seats::default(),
            stop: CancellationToken::new(),
            told: Mutex::default(),
        }
    }

    fn wire(stream: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Body {
        let body = axum::response::IntoResponse::into_response(axum::response::Sse::new(stream)).into_body();
        Box::pin(body.into_data_stream().map(|bytes| String::from_utf8(bytes.unwrap().to_vec()).unwrap()))
    }

    /// A browser of a viewer whose sight the test can change.
    fn browser(live: &Live, sees: Option<Sees>) -> (Body, Arc<Mutex<Option<Sees>>>) {
        let sight = Arc::new(Mutex::new(sees));
        let seen = sight.clone();
        let stream = live.subscribe(&id(1), &id::<UserId>(1), false, move || {
            std::future::ready(seen.lock().unwrap().clone())
        });
        (wire(stream.unwrap()), sight)
    }

    fn accounts(seeds: &[u64]) -> Option<Sees> {
        Some(Sees::Accounts(seeds.iter().map(|seed| id::<AccountId>(*seed)).collect::<HashSet<_>>()))
    }

    async fn greeting(body: &mut Body) {
        let first = body.next().await.unwrap();
        assert!(first.contains("retry:1000") || first.contains("retry: 1000"), "{first}");
    }

    /// What arrives within the next half second.
    async fn heard(body: &mut Body) -> Vec<String> {
        let mut heard = Vec::new();
        while let Ok(Some(text)) = tokio::time::timeout(Duration::from_millis(500), body.next()).await {
            heard.push(text);
        }
        heard
    }

    #[tokio::test(start_paused = true)]
    async fn each_browser_gets_only_what_its_user_may_see() {
        let live = live();
        let (mut owner, _) = browser(&live, Some(Sees::All));
        let (mut agent, _) = browser(&live, accounts(&[10]));
        greeting(&mut owner).await;
        greeting(&mut agent).await;
        live.publish(notice(1, Some(10), "message", "m1"));
        live.publish(notice(1, Some(11), "message", "m2"));
        live.publish(notice(1, None, "contact", "c"));
        live.publish(notice(2, Some(10), "message", "other tenant"));
        let seen = heard(&mut owner).await;
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(seen[0].contains("event: message") && seen[0].contains("\"id\":\"m1\""), "{seen:?}");
        let seen = heard(&mut agent).await.concat();
        assert!(seen.contains("m1") && seen.contains("event: contact"), "{seen}");
        assert!(!seen.contains("m2") && !seen.contains("other"), "{seen}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_one_thing_is_told_once() {
        let live = live();
        let (mut owner, _) = browser(&live, Some(Sees::All));
        greeting(&mut owner).await;
        for _ in 0..50 {
            live.publish(notice(1, Some(10), "conversation", "c1"));
        }
        live.publish(notice(1, Some(10), "conversation", "c2"));
        let seen = heard(&mut owner).await;
        assert_eq!(seen.len(), 2, "{seen:?}");
        // Later it is news again.
        live.publish(notice(1, Some(10), "conversation", "c1"));
        assert_eq!(heard(&mut owner).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_missed_something_is_told_to_refetch() {
        let live = live();
        let (mut owner, _) = browser(&live, Some(Sees::All));
        greeting(&mut owner).await;
        for n in 0..=CAPACITY {
            live.publish(notice(1, Some(10), "message", &format!("m{n}")));
        }
        let seen = heard(&mut owner).await;
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].contains("event: reset"), "{seen:?}");
        // A burst that would be hundreds of fetches is one.
        for n in 0..=BURST {
            live.publish(notice(1, Some(10), "message", &format!("m{n}")));
        }
        let seen = heard(&mut owner).await;
        assert!(seen.len() == 1 && seen[0].contains("event: reset"), "{seen:?}");
        live.publish(notice(1, Some(10), "message", "m"));
        assert!(heard(&mut owner).await[0].contains("event: message"));
        // One that comes back after a break.
        let stream = live.subscribe(&id(1), &id(1), true, || std::future::ready(Some(Sees::All))).unwrap();
        let mut back = wire(stream);
        greeting(&mut back).await;
        assert!(heard(&mut back).await.concat().contains("event: reset"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_withdrawn_account_is_silent_at_once() {
        let live = live();
        let (mut agent, sight) = browser(&live, accounts(&[10, 11]));
        greeting(&mut agent).await;
        live.publish(notice(1, Some(11), "message", "m1"));
        assert!(heard(&mut agent).await.concat().contains("m1"));
        *sight.lock().unwrap() = accounts(&[10]);
        live.publish(notice(1, None, GRANTS, ""));
        live.publish(notice(1, Some(11), "message", "m2"));
        let seen = heard(&mut agent).await.concat();
        assert!(seen.contains("event: reset") && !seen.contains("m2") && !seen.contains(GRANTS), "{seen}");
        // Without a notice it is seen after a few seconds.
        *sight.lock().unwrap() = accounts(&[]);
        tokio::time::sleep(BELIEVED).await;
        live.publish(notice(1, Some(10), "message", "m3"));
        assert!(!heard(&mut agent).await.concat().contains("m3"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_stream_stays_alive_and_ends_with_the_session_or_the_hub() {
        let live = live();
        let (mut owner, sight) = browser(&live, Some(Sees::All));
        greeting(&mut owner).await;
        let before = Instant::now();
        assert!(owner.next().await.unwrap().starts_with(':'));
        assert_eq!(before.elapsed(), KEEP_ALIVE);
        *sight.lock().unwrap() = None;
        assert_eq!(owner.next().await, None);
        let (mut other, _) = browser(&live, Some(Sees::All));
        greeting(&mut other).await;
        live.stop.cancel();
        assert_eq!(other.next().await, None);
        let (mut nobody, _) = browser(&live, None);
        assert_eq!(nobody.next().await, None);
    }

    #[tokio::test]
    async fn a_user_has_so_many_streams() {
        let live = live();
        let mut open: Vec<_> = (0..STREAMS_PER_USER).map(|_| browser(&live, Some(Sees::All))).collect();
        let sees = || std::future::ready(Some(Sees::All));
        assert_eq!(live.subscribe(&id(1), &id(1), false, sees).err(), Some(TooMany));
        assert!(live.subscribe(&id(1), &id(2), false, sees).is_ok());
        open.pop();
        assert!(live.subscribe(&id(1), &id(1), false, sees).is_ok());
        drop(open);
        assert!(live.seats.0.lock().unwrap().is_empty());
        assert!(live.bus.listen().recv().now_or_never().is_none());
    }

    #[tokio::test]
    async fn what_is_told_seldom_is_told_once_in_two_seconds() {
        let live = live();
        let mut heard = live.bus.listen();
        let mut tell = |what: &str, at: i64| {
            live.publish_seldom(notice(1, Some(1), "writing", what), Timestamp(at));
            heard.try_recv().is_ok()
        };
        assert!(tell("usr_a", 0));
        assert!(!tell("usr_a", 1_999));
        assert!(tell("usr_b", 1_999), "another person is another notice");
        assert!(tell("usr_a", 2_000));
        assert_eq!(live.told.lock().unwrap().len(), 2, "what is old is forgotten");
    }
}
