//! Audiences: sets of persons that narrowcasts choose by (PLATFORM 11). Their states follow from the sandbox's clock.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clock::DAY_MS;
use crate::sends::{Act, State as Sends};

/// An audience lives so long, then shows as expired for another month (PLATFORM 11).
pub(crate) const LIFE_MS: i64 = 180 * DAY_MS;
const EXPIRED_MS: i64 = 30 * DAY_MS;
/// Audiences that a channel may have (PLATFORM 11).
pub(crate) const PER_CHANNEL: usize = 1_000;
/// Persons below which an audience of clicks or impressions fails (PLATFORM 11).
const FLOOR: usize = 50;
/// Jobs that are shown of an audience (PLATFORM 11).
const JOBS_KEPT: usize = 50;

/// All audiences.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    audiences: BTreeMap<u64, Audience>,
}

/// From what the members come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Kind {
    Upload,
    /// Who followed a link of a send.
    Click,
    /// Who saw a send.
    Imp,
}

/// Where an audience stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    InProgress,
    Ready,
    Failed,
    Expired,
}

/// One audience.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Audience {
    pub(crate) id: u64,
    pub(crate) channel: String,
    pub(crate) kind: Kind,
    pub(crate) description: String,
    /// Members are named by advertising IDs, which are nobody's in the sandbox.
    pub(crate) is_ifa: bool,
    /// In ms.
    pub(crate) created: i64,
    pub(crate) status: Status,
    /// When LINE is done with it, in ms.
    pub(crate) ready_at: i64,
    pub(crate) members: BTreeSet<u64>,
    pub(crate) ifas: BTreeSet<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) click_url: Option<String>,
    /// Uploads, newest first.
    pub(crate) jobs: Vec<Job>,
}

/// One upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) description: String,
    /// In ms.
    pub(crate) created: i64,
    pub(crate) done_at: i64,
    /// Members that it adds once it is done.
    pub(crate) members: BTreeSet<u64>,
    pub(crate) ifas: BTreeSet<String>,
    pub(crate) count: usize,
    pub(crate) finished: bool,
}

impl Job {
    /// `QUEUED`, `WORKING` or `FINISHED` (PLATFORM 11).
    pub(crate) fn status(&self, now: i64) -> &'static str {
        if self.finished {
            "FINISHED"
        } else if now < self.created + (self.done_at - self.created) / 2 {
            "QUEUED"
        } else {
            "WORKING"
        }
    }
}

impl Audience {
    pub(crate) fn is_uploaded(&self) -> bool {
        self.kind == Kind::Upload
    }

    /// How many members LINE shows: none below 20, but for uploads (PLATFORM 11).
    pub(crate) fn shown_count(&self) -> usize {
        let count = self.members.len() + self.ifas.len();
        if self.is_uploaded() || count >= 20 { count } else { 0 }
    }

    /// Uploads that are not finished.
    pub(crate) fn open_jobs(&self) -> usize {
        self.jobs.iter().filter(|job| !job.finished).count()
    }

    /// Adds an upload, which ends at `done_at`.
    pub(crate) fn upload(&mut self, job: Job) {
        self.ready_at = self.ready_at.max(job.done_at);
        self.jobs.insert(0, job);
        self.jobs.truncate(JOBS_KEPT);
    }

    /// Brings the audience to where it is at `now`.
    fn settle(&mut self, sends: &Sends, now: i64) {
        for job in self.jobs.iter_mut().filter(|job| !job.finished && job.done_at <= now) {
            self.members.append(&mut job.members);
            self.ifas.append(&mut job.ifas);
            job.finished = true;
        }
        if self.status == Status::InProgress && self.ready_at <= now {
            if !self.is_uploaded() {
                self.members = self.reacted(sends);
            }
            // An upload without members stays in progress (PLATFORM 11); too few reactions are taken as a failure.
            self.status = match (self.is_uploaded(), self.members.len() + self.ifas.len()) {
                (true, 0) => Status::InProgress,
                (false, count) if count < FLOOR => Status::Failed,
                _ => Status::Ready,
            };
        }
        if now >= self.created + LIFE_MS {
            self.status = Status::Expired;
        }
    }

    /// Who reacted to the send until the audience was made.
    fn reacted(&self, sends: &Sends) -> BTreeSet<u64> {
        let campaign = self.request_id.as_ref().and_then(|id| sends.by_request(&self.channel, id));
        let reactions = campaign.map(|campaign| campaign.reactions.iter()).into_iter().flatten();
        let wanted = |act: &Act| match (&self.kind, act) {
            (Kind::Imp, Act::Seen) => true,
            (Kind::Click, Act::Clicked(url)) => self.click_url.as_ref().is_none_or(|wanted| wanted == url),
            _ => false,
        };
        reactions
            .filter(|reaction| reaction.at <= self.ready_at && wanted(&reaction.act))
            .map(|reaction| reaction.person)
            .collect()
    }
}

impl State {
    /// Brings all audiences to where they are at `now` and forgets those that expired a month ago.
    pub(crate) fn settle(&mut self, sends: &Sends, now: i64) {
        self.audiences.retain(|_, audience| now < audience.created + LIFE_MS + EXPIRED_MS);
        for audience in self.audiences.values_mut() {
            audience.settle(sends, now);
        }
    }

    pub(crate) fn add(&mut self, audience: Audience) {
        self.audiences.insert(audience.id, audience);
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Audience> {
        self.audiences.get(&id)
    }

    /// The channel's own audience.
    pub(crate) fn own(&mut self, channel: &str, id: u64) -> Option<&mut Audience> {
        self.audiences.get_mut(&id).filter(|audience| audience.channel == channel)
    }

    /// The channel's own audience, when narrowcasts may use it.
    pub(crate) fn ready(&self, channel: &str, id: u64) -> Option<&Audience> {
        let audience = self.audiences.get(&id)?;
        (audience.channel == channel && audience.status == Status::Ready).then_some(audience)
    }

    /// The channel's audiences, newest first.
    pub(crate) fn of<'s>(&'s self, channel: &'s str) -> impl Iterator<Item = &'s Audience> {
        self.audiences.values().rev().filter(move |audience| audience.channel == channel)
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.audiences.remove(&id);
    }

    /// A new audience's ID: 13 digits that grow (PLATFORM 3).
    pub(crate) fn next_id(&self, now: i64) -> u64 {
        let by_time = u64::try_from(now).unwrap_or_default().max(1_000_000_000_000);
        self.audiences.last_key_value().map_or(by_time, |(last, _)| by_time.max(last + 1))
    }
}
