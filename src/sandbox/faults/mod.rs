//! Faults on demand: what goes wrong, on which paths, how many times.
//!
//! This room keeps the list; `routes` plays the faults of calls, `live` those of the LiveAPI.

mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// One thing to go wrong. Of several that fit a call, the one added first is played, alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "wire::Wire", into = "wire::Wire")]
pub struct Fault {
    /// The method that a call must have, in capitals; all calls without it.
    pub method: Option<String>,
    /// Part of the path that a call must contain; all calls without it.
    pub path: Option<String>,
    /// How many calls it still spoils; until cleared without it.
    pub times: Option<u32>,
    /// What happens.
    pub kind: FaultKind,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The work is done at once and the reply comes late: a caller who gives up cannot know.
    Latency {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// This answer instead of the work.
    Status {
        /// From 200 to 599.
        code: u16,
        /// Seconds for a `Retry-After` header.
        retry_after: Option<u64>,
        /// The body; without it an HTML page for 429 and 502 to 504, which come from a proxy, else
        /// an error in Sekoia's usual shape.
        body: Option<String>,
    },
    /// The work is done and its JSON is cut in the middle.
    Malformed,
    /// Success is answered and nothing is done.
    Odd(Odd),
    /// A list whose every page is the first one, which never says how many there are.
    Endless,
    /// A list that has each of its entries twice.
    Doubled,
    /// The connection is closed before any work, without an answer.
    Reset,
    /// The work is done, then the connection is closed without an answer.
    LoseReply,
    /// Nothing to a call: the LiveAPI misbehaves. `times` counts connections or frames.
    Live(LiveFault),
}

/// An answer of success to a call that was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// 200 with a page of HTML, as of a proxy's login.
    Html,
    /// 200 with `{"message":"queued"}`.
    Queued,
    /// 200 with nothing.
    Empty,
    /// 200 with JSON that ends in the middle.
    Cut,
    /// 200 with an object of the right shape: of another name and identifier.
    Other,
    /// 202 with an empty object.
    Accepted,
}

/// What the LiveAPI does wrong. That it refuses, or answers late, is a fault of the call to `/live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveFault {
    /// A connection is taken, and told that it is not authenticated.
    Deny,
    /// A connection stops reading and writing, for ever, and stays open.
    Stall,
    /// A connection is closed, with a reason.
    Close,
    /// A connection ends in the middle, without one.
    Cut,
    /// A text that is no JSON comes before an event.
    Garbage,
    /// A binary frame comes before an event.
    Binary,
    /// A frame of 10 MB comes before an event.
    Huge,
    /// An event comes in version 1 only.
    Old,
    /// An event comes twice, with one identifier.
    Twice,
    /// An event comes after the next one, or a second later.
    Swap,
    /// An event does not come.
    Drop,
}

impl Fault {
    /// A fault for every call, until cleared.
    pub fn new(kind: FaultKind) -> Self {
        Self { method: None, path: None, times: None, kind }
    }

    /// Only for calls with this method, such as `POST`: many paths are both read and written.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only for calls whose path, with its query as it came, contains this.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Only for so many calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self.path.as_deref().is_none_or(|part| path.contains(part))
    }
}

/// The faults waiting to be played.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Mutex<Vec<Fault>>,
    /// Bumped at each change, for connections that must notice at once.
    changed: watch::Sender<u64>,
}

impl Faults {
    /// Adds a fault after those already there.
    pub fn add(&self, fault: Fault) {
        self.waiting().push(fault);
        self.tell();
    }

    /// Forgets the faults of one kind.
    pub fn remove(&self, kind: &FaultKind) {
        self.waiting().retain(|fault| fault.kind != *kind);
        self.tell();
    }

    /// Forgets all faults.
    pub fn clear(&self) {
        self.waiting().clear();
        self.tell();
    }

    /// The faults that are left, in the order in which they were added.
    pub fn list(&self) -> Vec<Fault> {
        self.waiting().clone()
    }

    /// The fault to play for a call with this method to this path, counted down.
    pub(super) fn take(&self, method: &str, path: &str) -> Option<FaultKind> {
        self.play(|fault| !matches!(fault.kind, FaultKind::Live(_)) && fault.fits(method, path))
    }

    /// Whether the LiveAPI does this now, counted down.
    pub(super) fn live(&self, wanted: LiveFault) -> bool {
        self.play(|fault| fault.kind == FaultKind::Live(wanted)).is_some()
    }

    /// Told of each change of the list.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn tell(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    fn play(&self, fits: impl Fn(&Fault) -> bool) -> Option<FaultKind> {
        let mut waiting = self.waiting();
        let index = waiting.iter().position(|fault| fault.times != Some(0) && fits(fault))?;
        let fault = &mut waiting[index];
        let kind = fault.kind.clone();
        if let Some(times) = &mut fault.times {
            *times -= 1;
            if *times == 0 {
                waiting.remove(index);
            }
        }
        Some(kind)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_played_as_often_as_asked_and_only_where_asked() {
        let faults = Faults::default();
        faults.add(Fault::new(FaultKind::Reset).on("/roles").times(2));
        assert_eq!(faults.take("GET", "/v1/me"), None);
        assert_eq!(faults.take("GET", "/v1/communities/x/roles"), Some(FaultKind::Reset));
        assert_eq!(faults.list()[0].times, Some(1));
        assert_eq!(faults.take("POST", "/v1/communities/x/roles"), Some(FaultKind::Reset));
        assert_eq!(faults.list(), []);
    }

    #[test]
    fn a_fault_may_spoil_the_write_and_spare_the_read() {
        let faults = Faults::default();
        faults.add(Fault::new(FaultKind::LoseReply).method("POST").on("/roles"));
        assert_eq!(faults.take("GET", "/v1/communities/x/roles"), None);
        assert_eq!(faults.take("POST", "/v1/communities/x/api-keys"), None);
        assert_eq!(faults.take("POST", "/v1/communities/x/roles"), Some(FaultKind::LoseReply));
    }
}
