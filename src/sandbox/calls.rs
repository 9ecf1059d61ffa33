//! The log of calls: what was asked and how it was answered, never a header or a body.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// A sandbox left running forgets its oldest calls rather than growing for ever.
const KEPT: usize = 10_000;

/// A call that the sandbox received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// `GET` and so on.
    pub method: String,
    /// The path as it came, with the `/api` prefix if there was one.
    pub path: String,
    /// The query as it came, still percent-encoded; empty when there was none.
    pub query: String,
    /// The status that the work ended with, even if the reply was lost on purpose; 0 while it is
    /// under way, and for ever when the connection was closed before any work.
    pub status: u16,
}

#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    forgotten: usize,
    kept: VecDeque<Call>,
}

impl Calls {
    /// Notes a call on arrival, so that one whose caller gives up is not missed.
    pub(super) fn begin(&self, call: Call) -> usize {
        let mut log = self.log();
        if log.kept.len() == KEPT {
            log.kept.pop_front();
            log.forgotten += 1;
        }
        log.kept.push_back(call);
        log.forgotten + log.kept.len() - 1
    }

    pub(super) fn end(&self, number: usize, status: u16) {
        let mut log = self.log();
        let index = number.checked_sub(log.forgotten);
        if let Some(call) = index.and_then(|index| log.kept.get_mut(index)) {
            call.status = status;
        }
    }

    /// How many calls there were, and the latest, newest first.
    pub(super) fn latest(&self, most: usize) -> (usize, Vec<Call>) {
        let log = self.log();
        (log.forgotten + log.kept.len(), log.kept.iter().rev().take(most).cloned().collect())
    }

    pub(super) fn list(&self) -> Vec<Call> {
        self.log().kept.iter().cloned().collect()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_calls_are_forgotten() {
        let calls = Calls::default();
        for number in 0..=KEPT {
            let id =
                calls.begin(Call { method: "GET".into(), path: format!("/{number}"), query: String::new(), status: 0 });
            calls.end(id, 200);
        }
        calls.end(0, 500);
        let kept = calls.list();
        assert_eq!((kept.len(), kept[0].path.as_str()), (KEPT, "/1"));
        assert!(kept.iter().all(|call| call.status == 200));
    }
}
