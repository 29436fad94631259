//! Faults on demand: calls that fail, wait, hang or break, on LINE's API or on the webhook (CONTRACT 2).

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::Inner;
use crate::ids::Ids;

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Api,
    Webhook,
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Status,
    Delay,
    Hang,
    Reset,
    Duplicate,
    Reorder,
    LoseAnswer,
    /// Several events go out in one request.
    Batch,
}

impl Kind {
    pub(crate) const NAMES: [(&'static str, Self); 8] = [
        ("status", Self::Status),
        ("delay", Self::Delay),
        ("hang", Self::Hang),
        ("reset", Self::Reset),
        ("duplicate", Self::Duplicate),
        ("reorder", Self::Reorder),
        ("lose_answer", Self::LoseAnswer),
        ("batch", Self::Batch),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// A fault in force.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) id: String,
    pub(crate) on: On,
    pub(crate) method: Option<String>,
    /// A prefix of the path.
    pub(crate) path: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
    pub(crate) headers: Map<String, Value>,
    pub(crate) ms: u64,
    /// The share of matching calls that are struck, 0 to 1.
    pub(crate) rate: f64,
    /// For how many matching calls the fault holds; `None` means until deleted.
    pub(crate) times: Option<u64>,
    pub(crate) matched: u64,
    /// Cancelled when the fault is deleted: what hangs is then released with a reset.
    pub(crate) released: CancellationToken,
}

impl Fault {
    pub(crate) fn to_json(&self) -> Value {
        let mut value = json!({
            "id": self.id,
            "on": if self.on == On::Api { "api" } else { "webhook" },
            "kind": self.kind.name(),
            "rate": self.rate,
            "matched": self.matched,
        });
        let mut put = |name: &str, field: Option<Value>| {
            if let (Some(object), Some(field)) = (value.as_object_mut(), field) {
                object.insert(name.to_owned(), field);
            }
        };
        put("method", self.method.clone().map(Value::from));
        put("path", self.path.clone().map(Value::from));
        put("times", self.times.map(Value::from));
        put("body", self.body.clone());
        put("status", (self.kind == Kind::Status).then(|| self.status.into()));
        put("headers", (!self.headers.is_empty()).then(|| self.headers.clone().into()));
        put("ms", (self.ms > 0).then(|| self.ms.into()));
        value
    }

    fn matches(&self, on: On, method: &str, path: &str) -> bool {
        self.on == on
            && self.times.is_none_or(|times| self.matched < times)
            && self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path.as_deref().is_none_or(|prefix| path.starts_with(prefix))
    }

    /// How long a `delay` waits.
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_millis(self.ms)
    }
}

/// The fault that strikes this call, if any: the first that matches and wins its rate. Every match counts towards `times`.
pub(crate) fn strike(faults: &mut [Fault], ids: &Ids, on: On, method: &str, path: &str) -> Option<Fault> {
    faults.iter_mut().filter(|fault| fault.matches(on, method, path)).find_map(|fault| {
        fault.matched += 1;
        ids.chance(fault.rate).then(|| fault.clone())
    })
}

impl Inner {
    /// Changes the faults in force.
    pub(crate) fn change_faults<T>(&self, change: impl FnOnce(&mut Vec<Fault>) -> T) -> T {
        let mut world = self.world();
        let result = change(&mut world.faults);
        self.faulty.store(!world.faults.is_empty(), Ordering::Release);
        result
    }

    /// The fault that strikes a call, if any.
    pub(crate) fn strike(&self, on: On, method: &str, path: &str) -> Option<Fault> {
        if !self.faulty.load(Ordering::Acquire) {
            return None;
        }
        let mut world = self.world();
        strike(&mut world.faults, &self.ids, on, method, path)
    }
}
