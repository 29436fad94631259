//! Which handler does which kind of job.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::repo::NewRow;
use super::{Job, LEASE_MARGIN, Lane, NewJob, Outcome, cleanup};
use crate::app::Hub;
use crate::db::DbResult;

type Run = Arc<dyn Fn(Hub, &str) -> Result<BoxFuture<'static, Outcome>, serde_json::Error> + Send + Sync>;
type Row = Box<dyn Fn(&Hub) -> DbResult<NewRow> + Send + Sync>;

/// One kind, its limits and its handler.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) lane: Lane,
    pub(super) timeout: Duration,
    pub(super) run: Run,
}

/// A kind that runs again and again.
pub(super) struct Schedule {
    pub(super) kind: &'static str,
    pub(super) every: Duration,
    pub(super) row: Row,
}

/// Why the workers do not start: a fault in the list of jobs itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// An attempt could outlast its lease, and the job would run twice at once.
    #[error("job {0} may run longer than the lease of its lane")]
    Lease(&'static str),
    /// Two handlers for one kind.
    #[error("job {0} is registered twice")]
    Twice(&'static str),
    /// Two lanes of one name.
    #[error("lane {0} has two meanings")]
    Lane(&'static str),
}

/// The list of jobs of this binary. A kind that is not in it stays ready for one that knows it.
pub struct Registry {
    entries: BTreeMap<&'static str, Entry>,
    schedules: Vec<Schedule>,
    misfit: Option<Misfit>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.keys()).finish()
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// A list with the engine's own job: the deletion of done ones.
    #[must_use]
    pub fn new() -> Self {
        let empty = Self { entries: BTreeMap::new(), schedules: Vec::new(), misfit: None };
        empty.every(Duration::from_secs(3600), cleanup::run)
    }

    /// Adds a kind and its handler: `async fn(Hub, ProfileJob) -> Outcome`.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "it takes a handler, not an operand")]
    pub fn add<J: Job, F: Future<Output = Outcome> + Send + 'static>(
        mut self,
        handler: impl Fn(Hub, J) -> F + Send + Sync + 'static,
    ) -> Self {
        let run: Run = Arc::new(move |hub, payload| {
            let job = serde_json::from_str::<J>(payload)?;
            Ok(Box::pin(handler(hub, job)))
        });
        if J::TIMEOUT + LEASE_MARGIN > J::LANE.lease {
            self.misfit = Some(Misfit::Lease(J::KIND));
        }
        if self.lanes().iter().any(|lane| lane.name == J::LANE.name && *lane != J::LANE) {
            self.misfit = Some(Misfit::Lane(J::LANE.name));
        }
        if self.entries.insert(J::KIND, Entry { lane: J::LANE, timeout: J::TIMEOUT, run }).is_some() {
            self.misfit = Some(Misfit::Twice(J::KIND));
        }
        self
    }

    /// Adds a kind that runs at the first start-up and then again `every` so often after it ended, once among all nodes.
    #[must_use]
    pub fn every<J: Job + Default, F: Future<Output = Outcome> + Send + 'static>(
        mut self,
        every: Duration,
        handler: impl Fn(Hub, J) -> F + Send + Sync + 'static,
    ) -> Self {
        let row = |hub: &Hub| NewRow::of(hub.id(), hub.now(), None, &J::default(), scheduled());
        self.schedules.push(Schedule { kind: J::KIND, every, row: Box::new(row) });
        self.add(handler)
    }

    /// Whether the list can be run.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self) -> Result<(), Misfit> {
        self.misfit.clone().map_or(Ok(()), Err)
    }

    pub(super) fn entry(&self, kind: &str) -> Option<&Entry> {
        self.entries.get(kind)
    }

    pub(super) fn schedules(&self) -> &[Schedule] {
        &self.schedules
    }

    pub(super) fn schedule(&self, kind: &str) -> Option<&Schedule> {
        self.schedules.iter().find(|schedule| schedule.kind == kind)
    }

    pub(super) fn lanes(&self) -> Vec<Lane> {
        let mut lanes: Vec<Lane> = Vec::new();
        for entry in self.entries.values() {
            if lanes.iter().all(|lane| lane.name != entry.lane.name) {
                lanes.push(entry.lane);
            }
        }
        lanes
    }

    /// The kinds of a lane, as a JSON array: the form in which a statement takes a list on both databases.
    pub(super) fn kinds(&self, lane: Lane) -> String {
        let kinds =
            self.entries.iter().filter(|(_, entry)| entry.lane.name == lane.name).map(|(kind, _)| *kind);
        serde_json::Value::from(kinds.collect::<Vec<_>>()).to_string()
    }
}

/// The dedupe key of a scheduled job: at most one waits among all nodes.
fn scheduled() -> NewJob {
    NewJob::once("schedule")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize, Default)]
    struct Fits;
    impl Job for Fits {
        const KIND: &'static str = "test.fits";
    }

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Slow;
    impl Job for Slow {
        const KIND: &'static str = "test.slow";
        const TIMEOUT: Duration = Duration::from_secs(91);
    }

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Other;
    impl Job for Other {
        const KIND: &'static str = "test.other";
        const LANE: Lane = Lane { workers: 9, ..Lane::DEFAULT };
    }

    async fn done<J>(_: Hub, _: J) -> Outcome {
        Outcome::Done
    }

    #[test]
    fn a_list_that_does_not_fit_is_refused() {
        assert_eq!(Registry::new().add(done::<Fits>).check(), Ok(()));
        assert_eq!(Registry::new().add(done::<Slow>).check(), Err(Misfit::Lease("test.slow")));
        assert_eq!(
            Registry::new().add(done::<Fits>).add(done::<Fits>).check(),
            Err(Misfit::Twice("test.fits"))
        );
        assert_eq!(
            Registry::new().add(done::<Fits>).add(done::<Other>).check(),
            Err(Misfit::Lane("default"))
        );
    }
}
