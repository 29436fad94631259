//! Carries the units of one destination: reads, sends, takes in the answers, moves the cursor.

mod fill;
mod record;
mod trial;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::fill::Filled;
use self::record::RowsOpen;
use super::attempt::{NotMade, Signer, make};
use super::deliver::Made;
use super::expire::{GONE, Gap};
use super::feed::Reader;
use super::flow::{Flow, Number};
use super::model::{
    Destination, HOLD_MAX, Halt, Last, PAUSED_AFTER, REFUSALS_MAX, ROWS_LOADED, SUSPECT_AFTER, Standing,
    TRIED_FOR, Verdict, judge, wait,
};
use super::repo::{self, Attempt, Held, UnitRow};
use super::unit::{Parcel, Unit};
use super::watch::Ended;
use super::writes::{FAILURES_LOGGED, FLUSH, LEASE, LOGGED, Sample, Unwritten, Writing, written};
use crate::accounts::Connected;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbError, DbResult, LogAndIgnore as _};
use crate::ids::DestinationId;

/// How long a runner sleeps at most.
const POLL: Duration = Duration::from_millis(500);
/// Units of replays that are in memory at once.
const REPLAYS: usize = 400;
/// The longest wait between two trials of a destination that fails.
const TRIAL_MAX: Duration = Duration::from_secs(60);
/// How long calls under way are waited for when the hub stops. When it does not, they have their time.
const LAST_CALLS: Duration = Duration::from_secs(5);

/// A unit of this destination's flow.
#[derive(Debug)]
struct Pending {
    row: Arc<UnitRow>,
    received_at: Timestamp,
    /// What goes out; `None` where it has to be read from the journal again.
    parcel: Option<(Parcel, Arc<Unit>)>,
}

/// A call that has come back.
struct Landed {
    number: Number,
    /// When it began.
    at: Timestamp,
    made: Result<(Made, Arc<Unit>), NotMade>,
}

pub(super) struct Runner {
    hub: Hub,
    destination: Arc<Destination>,
    account: Arc<Connected>,
    signer: Arc<Signer>,
    fence: i64,
    lease_until: Timestamp,
    flow: Flow<Pending>,
    reader: Reader,
    /// Up to where the journal was read.
    read_to: i64,
    /// The cursor on disk.
    written: i64,
    /// First positions of what was settled above the cursor.
    done: BTreeSet<i64>,
    /// First positions of units above the cursor that have rows.
    known: HashSet<i64>,
    /// Rows above the place that was read up to, in order: they join the flow when reading comes to them, so that no unit
    /// of their chats that has no row is overtaken.
    ahead: VecDeque<UnitRow>,
    rows_open: RowsOpen,
    failures: u32,
    /// Units that were first tried while it was on trial.
    fresh: u32,
    refusals: u32,
    /// When it last took something.
    took_at: Option<Timestamp>,
    /// Nothing is sent before: the destination asked for it, or it is on trial.
    hold_until: Timestamp,
    /// When the next call may start, where the rate is limited.
    next_call: Instant,
    unwritten: Unwritten,
    /// A move of the cursor that is under way.
    writing: Option<Writing>,
    log: Sample,
    log_of_failures: Sample,
    halting: bool,
    /// Whether more rows wait than are in memory, and whether there are others than replays among them: nothing new overtakes those.
    has_more: bool,
    has_older: bool,
    /// What the journal no longer has, until it is listed.
    gap: Option<Gap>,
    /// When a destination on trial is next looked at for what the journal no longer has.
    next_look: Timestamp,
}

impl Runner {
    /// Takes the cursor and reads what waits; `Err` when another node has it, or there is nothing to run.
    pub(super) async fn open(hub: &Hub, id: &DestinationId, serial: i64) -> DbResult<Result<Self, Ended>> {
        let Some(destination) = repo::find_own(&hub.db, id).await?.filter(|one| one.serial == serial) else {
            return Ok(Err(Ended::Anyhow));
        };
        // The account may be disconnected: then nothing is passed on.
        let Some(account) = hub.accounts.by_id(&destination.account) else { return Ok(Err(Ended::Anyhow)) };
        let (now, steal) = (hub.now(), !hub.db.is_postgres());
        let Some(held) = repo::claim(&hub.db, id, &hub.node, (now, now.plus(LEASE)), steal).await? else {
            return Ok(Err(Ended::Anyhow));
        };
        let fence = held.fence;
        let failing_since = destination.failing_since;
        let opened = Self::of(hub, destination, account, held).await;
        if let Ok(Err(Ended::Halts(halt))) = opened {
            let mut tx = hub.db.begin().await?;
            repo::set_health(&mut tx, (id, fence, serial), failing_since, Some(halt)).await?;
            tx.commit().await?;
            hub.relay.wake();
        }
        if !matches!(opened, Ok(Ok(_))) {
            repo::release(&hub.db, id, fence).await.log_and_ignore("giving a destination's cursor back");
        }
        opened
    }

    async fn of(
        hub: &Hub,
        destination: Destination,
        account: Arc<Connected>,
        held: Held,
    ) -> DbResult<Result<Self, Ended>> {
        let (id, now) = (&destination.id, hub.now());
        let Held { fence, epoch, position, done } = held;
        if epoch != hub.journal.epoch() || position > hub.journal.head().await? {
            tracing::error!(destination = %id, "the cursor belongs to another journal; the destination is stopped");
            return Ok(Err(Ended::Halts(Halt::Journal)));
        }
        let signer = match Signer::open(hub, &destination) {
            Ok(signer) => Arc::new(signer),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn Error,
                    "a destination's secret does not open; it is stopped"
                );
                return Ok(Err(Ended::Halts(Halt::Secret)));
            }
        };
        let mut flow = Flow::default();
        let known = repo::above(&hub.db, id, position).await?;
        let rows = repo::units(&hub.db, id, (ROWS_LOADED, REPLAYS)).await?;
        let replays = rows.iter().filter(|row| row.is_replay).count();
        let has_older = rows.len() - replays >= ROWS_LOADED;
        let (ahead, behind): (VecDeque<_>, VecDeque<_>) =
            rows.into_iter().partition(|row| !row.is_replay && row.first > position);
        for row in behind {
            fill::add_row(&mut flow, row, now);
        }
        let failures = if destination.failing_since.is_some() { SUSPECT_AFTER } else { 0 };
        Ok(Ok(Self {
            hub: hub.clone(),
            account,
            signer,
            fence,
            lease_until: now.plus(LEASE),
            flow,
            reader: hub.relay.feed.reader(position),
            read_to: position,
            written: position,
            done: done.into_iter().collect(),
            known,
            ahead,
            rows_open: RowsOpen::default(),
            failures,
            fresh: 0,
            refusals: 0,
            took_at: None,
            hold_until: now,
            next_call: Instant::now(),
            unwritten: Unwritten::default(),
            writing: None,
            log: Sample::of(LOGGED),
            log_of_failures: Sample::of(FAILURES_LOGGED),
            halting: false,
            has_more: replays >= REPLAYS || has_older,
            has_older,
            gap: None,
            next_look: now,
            destination: Arc::new(destination),
        }))
    }

    pub(super) async fn run(mut self, stop: CancellationToken) -> Ended {
        let mut appended = self.hub.journal.appended();
        let mut paused = self.hub.journal.paused();
        // Tasks of their own: they go on while this one waits for the database. What is left of them ends with it.
        let mut flying: JoinSet<Landed> = JoinSet::new();
        while !stop.is_cancelled() && !self.halting && !self.wants_more() {
            // Disconnected: nothing is passed on. Connected anew, or with another secret: that is what counts now.
            let Some(account) = self.hub.accounts.by_id(&self.account.id) else { break };
            self.account = account;
            appended.borrow_and_update();
            let is_paused = *paused.borrow_and_update() && !self.hub.relay.is_alone();
            let mut filled = Filled::Full;
            if !is_paused {
                match self.fill().await {
                    Ok(how) => filled = how,
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn Error, "destination waits for the database");
                    }
                }
                while flying.len() < self.places()
                    && let Some(number) = self.next()
                {
                    if let Some(call) = self.start(number) {
                        flying.spawn(call);
                    }
                }
            }
            self.write_if_due();
            let pause = match filled {
                Filled::More => Duration::ZERO,
                _ if is_paused => POLL,
                _ => self.pause(flying.len()),
            };
            tokio::select! {
                Some(landed) = flying.join_next(), if !flying.is_empty() => {
                    let mut next = Some(landed);
                    while let Some(landed) = next {
                        match landed {
                            Ok(landed) => self.land(landed),
                            Err(error) => {
                                tracing::error!(%error, destination = %self.destination.id, "a call's task failed");
                                return Ended::Anyhow;
                            }
                        }
                        next = flying.try_join_next();
                    }
                }
                (write, end) = written(&mut self.writing), if self.writing.is_some() => {
                    self.writing = None;
                    if let Err(error) = self.wrote(write, end) {
                        tracing::warn!(error = &error as &dyn Error, destination = %self.destination.id, "cursor was not moved");
                        if matches!(error, DbError::Conflict { .. }) {
                            // Another node has it, or it was deleted: what flies is no longer ours to record.
                            return Ended::Anyhow;
                        }
                        tokio::time::sleep(FLUSH).await;
                    }
                }
                () = self.reader.arrived() => {}
                () = tokio::time::sleep(pause) => {}
                changed = appended.changed(), if filled == Filled::CaughtUp => if changed.is_err() { break },
                changed = paused.changed() => if changed.is_err() { break },
                () = stop.cancelled() => {}
            }
        }
        self.land_last(&mut flying).await;
        drop(flying);
        let (write, end) = self.next_write().run(self.hub.clone()).await;
        let is_written = self.wrote(write, end);
        let ended = if self.halting && is_written.is_ok() { Ended::Stands } else { Ended::Anyhow };
        is_written.log_and_ignore("moving a destination's cursor");
        repo::release(&self.hub.db, &self.destination.id, self.fence)
            .await
            .log_and_ignore("giving a destination's cursor back");
        self.hub.relay.wake();
        ended
    }

    /// Waits for the calls under way, keeping the lease meanwhile. What does not come back in time comes again.
    async fn land_last(&mut self, flying: &mut JoinSet<Landed>) {
        let mut until = Instant::now() + self.destination.timeout() + POLL;
        let mut is_stopping = false;
        let stop = self.hub.stop.clone();
        while !flying.is_empty() || self.writing.is_some() {
            self.write_if_due();
            tokio::select! {
                Some(landed) = flying.join_next(), if !flying.is_empty() => {
                    if let Ok(landed) = landed {
                        self.land(landed);
                    }
                }
                (write, end) = written(&mut self.writing), if self.writing.is_some() => {
                    self.writing = None;
                    if let Err(error) = self.wrote(write, end) {
                        tracing::warn!(error = &error as &dyn Error, destination = %self.destination.id, "cursor was not moved");
                        return;
                    }
                }
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    until = until.min(Instant::now() + LAST_CALLS);
                }
                () = tokio::time::sleep_until(until), if self.writing.is_none() => return,
            }
        }
    }

    /// What is in memory of a replay is nearly done, and more waits: it is read when the runner is started anew.
    fn wants_more(&self) -> bool {
        self.has_more && self.flow.with_row() + self.ahead.len() < REPLAYS / 4
    }

    /// How many calls may be under way.
    fn places(&self) -> usize {
        if self.is_on_trial() { 1 } else { usize::try_from(self.destination.concurrency).unwrap_or(1) }
    }

    /// The unit that goes now.
    fn next(&mut self) -> Option<Number> {
        let now = self.hub.now();
        // Once the lease is over another node may have it.
        if now < self.hold_until || Instant::now() < self.next_call || self.lease_until <= now {
            return None;
        }
        // On trial any unit will do: what waits for its own time is no reason to leave the destination alone longer.
        let number = match self.is_on_trial() {
            true => self.take_on_trial()?,
            false => self.flow.take(now)?,
        };
        if self.rows_open.is_full() && self.flow.row_of(number) {
            self.flow.put_back(number);
            return None;
        }
        if let Some(rate) = self.destination.rate.filter(|rate| *rate > 0) {
            let gap = Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX);
            // A tenth of a second may be caught up on, so that the timer's grain costs nothing.
            let behind = Instant::now().checked_sub(Duration::from_millis(100));
            self.next_call = behind.map_or(self.next_call, |behind| self.next_call.max(behind)) + gap;
        }
        Some(number)
    }

    fn start(&mut self, number: Number) -> Option<impl Future<Output = Landed> + Send + 'static> {
        self.rows_open.flying += usize::from(self.flow.row_of(number));
        let pending = self.flow.get_mut(number)?;
        let parcel = pending.parcel.take().filter(|(_, unit)| unit.is_fresh());
        let (row, at) = (Arc::clone(&pending.row), self.hub.now());
        let (hub, destination, account) =
            (self.hub.clone(), Arc::clone(&self.destination), Arc::clone(&self.account));
        let signer = Arc::clone(&self.signer);
        Some(async move {
            let made = make(&hub, &destination, &account, &signer, &row, parcel).await;
            Landed { number, at, made }
        })
    }

    /// Takes in what came of a call.
    fn land(&mut self, landed: Landed) {
        let Landed { number, at, made } = landed;
        let now = self.hub.now();
        self.rows_open.flying -= usize::from(self.flow.row_of(number));
        let (made, unit) = match made {
            Ok(made) => made,
            Err(NotMade::Nothing(why)) => {
                // It was for the destination once, unless a person wants a whole time again that a filter goes over.
                let was_its = |one: &mut Pending| !one.row.is_replay || one.row.attempts > 0;
                let is_listed = self.flow.get_mut(number).is_some_and(was_its);
                return self.end(number, is_listed.then(|| (Standing::Skipped, why.to_owned())));
            }
            Err(NotMade::Expired) => return self.end(number, Some((Standing::Expired, GONE.to_owned()))),
            Err(NotMade::Database(error)) => {
                tracing::warn!(error = &error as &dyn Error, "a unit could not be read from the journal");
                return self.flow.postpone(number, now.plus(POLL));
            }
        };
        let Some(pending) = self.flow.get_mut(number) else { return };
        Arc::make_mut(&mut pending.row).attempts += 1;
        let row = Arc::clone(&pending.row);
        let mut verdict = judge(&made.answer);
        if verdict == Verdict::Refused {
            self.refusals += 1;
            if self.refusals > REFUSALS_MAX {
                // It refuses everything: the trouble is the destination's, not the units'.
                verdict = Verdict::Again(None);
            }
        }
        let error = match (&made.answer, verdict) {
            (_, Verdict::Delivered) => None,
            (_, Verdict::Loop) => Some("the address leads back to this hub".to_owned()),
            (answer, _) => Some(answer.words()),
        };
        let why = error.clone().unwrap_or_default();
        let next_at = match verdict {
            Verdict::Delivered => {
                self.refusals = 0;
                self.recover(now);
                self.end(number, None);
                None
            }
            Verdict::Refused => {
                // It is there, whatever it thinks of this unit.
                self.recover(now);
                self.end(number, Some((Standing::Refused, why)));
                None
            }
            Verdict::Again(asked) => self.again(number, &row, asked, why),
            Verdict::Gone | Verdict::Loop => {
                self.wait_for(number, now, why);
                let halt = if verdict == Verdict::Gone { Halt::Gone } else { Halt::Loop };
                Arc::make_mut(&mut self.destination).halt = Some(halt);
                self.unwritten.health = true;
                self.halting = true;
                None
            }
        };
        self.note(&row, &unit, (at, &made), error, next_at);
    }

    /// The call failed for now: the unit goes again, unless it has been tried for long enough. Gives when.
    fn again(
        &mut self,
        number: Number,
        row: &UnitRow,
        asked: Option<Duration>,
        why: String,
    ) -> Option<Timestamp> {
        let now = self.hub.now();
        self.failures = self.failures.saturating_add(1);
        let since = self.destination.failing_since.unwrap_or(now);
        if self.destination.failing_since.is_none() {
            Arc::make_mut(&mut self.destination).failing_since = Some(now);
            self.unwritten.health = true;
        }
        self.note_halt(self.is_on_trial() && since.plus(PAUSED_AFTER) <= now);
        // What fails while others get through, or keeps them all waiting, is given up after a day; an outage gives nothing up.
        let is_old = |first: Timestamp| {
            // Calls that ended beside the first failure tell nothing.
            let is_outage =
                self.is_on_trial() && self.took_at.is_none_or(|took| took < first.plus(TRIAL_MAX));
            first.plus(TRIED_FOR) <= now && (!is_outage || self.is_full_of_rows())
        };
        if row.failed_at.is_some_and(is_old) {
            self.end(number, Some((Standing::Expired, why)));
            return None;
        }
        let luck = u64::from_le_bytes(self.hub.entropy.bytes());
        if let Some(asked) = asked {
            self.hold_until = self.hold_until.max(now.plus(asked.min(HOLD_MAX)));
            self.note_halt(asked >= PAUSED_AFTER);
        }
        let mut due = now.plus(wait(row.attempts, asked, luck));
        if self.is_on_trial() {
            let trials = i64::from(self.failures - SUSPECT_AFTER + 1).max(row.attempts);
            let trial = wait(trials, None, luck).min(TRIAL_MAX);
            self.hold_until = self.hold_until.max(now.plus(trial));
            // What is on trial does not keep its own time.
            due = self.hold_until;
        }
        let due = due.max(self.hold_until);
        self.wait_for(number, due, why);
        Some(due)
    }

    /// The unit has a row from now on, and goes again at `due`.
    fn wait_for(&mut self, number: Number, due: Timestamp, why: String) {
        let now = self.hub.now();
        self.flow.postpone(number, due);
        self.flow.has_row(number);
        let Some(pending) = self.flow.get_mut(number) else { return };
        let row = Arc::make_mut(&mut pending.row);
        row.due_at = due;
        row.failed_at.get_or_insert(now);
        self.unwritten.put((row.clone(), Standing::Retrying, Some(why), pending.received_at));
    }

    /// The unit has come to its end: delivered, or put aside with why.
    fn end(&mut self, number: Number, aside: Option<(Standing, String)>) {
        let had_row = self.flow.row_of(number);
        self.rows_open.settled += usize::from(had_row);
        let Some(pending) = self.flow.settle(number) else { return };
        let Pending { row, received_at, .. } = pending;
        match aside {
            Some((standing, why)) => {
                let now = self.hub.now();
                let aside = UnitRow { due_at: now, failed_at: row.failed_at.or(Some(now)), ..(*row).clone() };
                self.unwritten.put((aside, standing, Some(why), received_at));
            }
            None if had_row => {
                self.unwritten.rows.remove(&row.id);
                self.unwritten.gone.insert(row.id.clone());
            }
            None => {}
        }
        if !row.is_replay && row.first > self.written {
            self.done.insert(row.first);
        }
        self.unwritten.touch();
    }

    /// Counts an attempt, and logs it, as long as this second's log has room.
    fn note(
        &mut self,
        row: &UnitRow,
        unit: &Unit,
        (at, made): (Timestamp, &Made),
        error: Option<String>,
        next_at: Option<Timestamp>,
    ) {
        let status = made.status();
        self.unwritten.count(Last { at, status, duration_ms: made.ms, error: error.clone() });
        let log = if error.is_none() { &mut self.log } else { &mut self.log_of_failures };
        if !log.has_room() {
            return;
        }
        self.unwritten.attempts.push(Attempt {
            id: self.hub.id(),
            delivery: row.id.clone(),
            first_position: row.first,
            last_position: row.last,
            event_ids: serde_json::Value::from(unit.event_ids()).to_string(),
            attempt: row.attempts,
            at,
            status,
            ms: made.ms,
            error,
            said: made.said.clone(),
            next_at,
        });
    }

    /// How long there is nothing to do, unless a call comes back or something is appended.
    fn pause(&self, flying: usize) -> Duration {
        let now = self.hub.now();
        let mut pause = POLL;
        if let Some(since) = self.unwritten.since.filter(|_| self.writing.is_none()) {
            pause = pause.min(FLUSH.saturating_sub(since.elapsed()));
        }
        // What is due waits for the lease too: it is not asked for again and again meanwhile.
        if flying < self.places()
            && now < self.lease_until
            && !self.rows_open.is_full()
            && let Some(due) = self.flow.next_due()
        {
            let due = if self.is_on_trial() { self.hold_until } else { due.max(self.hold_until) };
            pause = pause
                .min(due.since(now))
                .max(self.next_call.saturating_duration_since(Instant::now()).min(POLL));
        }
        pause
    }
}
