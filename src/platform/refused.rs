//! Requests that were not let in, by what was wrong. Nothing of their content is kept.

use crate::timing::platform::REFUSALS_LOGGED_EVERY;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How many requests were refused since the start.
#[derive(Debug, Default)]
pub struct Refused {
    unauthorized: AtomicU64,
    /// Tokens of webhooks that never were or are no more.
    unknown: AtomicU64,
    malformed: AtomicU64,
    too_large: AtomicU64,
    /// There was no room for them.
    overloaded: AtomicU64,
}

/// The same at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub unauthorized: u64,
    pub unknown: u64,
    pub malformed: u64,
    pub too_large: u64,
    pub overloaded: u64,
}

impl Refused {
    /// Counts a refusal by its status, which is all that its sender learns.
    pub fn count(&self, status: StatusCode) -> StatusCode {
        let counter = match status {
            StatusCode::UNAUTHORIZED => &self.unauthorized,
            StatusCode::NOT_FOUND => &self.unknown,
            StatusCode::PAYLOAD_TOO_LARGE => &self.too_large,
            StatusCode::SERVICE_UNAVAILABLE => &self.overloaded,
            _ => &self.malformed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        debug!(status = status.as_u16(), "a request was refused");
        status
    }

    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            unauthorized: of(&self.unauthorized),
            unknown: of(&self.unknown),
            malformed: of(&self.malformed),
            too_large: of(&self.too_large),
            overloaded: of(&self.overloaded),
        }
    }

    pub fn json(&self) -> Value {
        let Counts { unauthorized, unknown, malformed, too_large, overloaded } = self.counts();
        json!({
            "unauthorized": unauthorized,
            "unknown": unknown,
            "malformed": malformed,
            "too_large": too_large,
            "overloaded": overloaded,
        })
    }

    /// Logs once a minute how many were refused, if any were, and a last time at `stop`.
    pub async fn log(&self, stop: CancellationToken) {
        let mut before = Counts::default();
        loop {
            let ended = tokio::select! {
                () = tokio::time::sleep(REFUSALS_LOGGED_EVERY) => false,
                () = stop.cancelled() => true,
            };
            let now = self.counts();
            if let Some(Counts { unauthorized, unknown, malformed, too_large, overloaded }) = now.since(before) {
                warn!(unauthorized, unknown, malformed, too_large, overloaded, "requests were refused");
            }
            if ended {
                return;
            }
            before = now;
        }
    }
}

impl Counts {
    /// Each by its name.
    pub fn named(self) -> [(&'static str, u64); 5] {
        [
            ("unauthorized", self.unauthorized),
            ("unknown", self.unknown),
            ("malformed", self.malformed),
            ("too_large", self.too_large),
            ("overloaded", self.overloaded),
        ]
    }

    /// What came since `before`; none if nothing did.
    pub fn since(self, before: Counts) -> Option<Counts> {
        let new = Counts {
            unauthorized: self.unauthorized - before.unauthorized,
            unknown: self.unknown - before.unknown,
            malformed: self.malformed - before.malformed,
            too_large: self.too_large - before.too_large,
            overloaded: self.overloaded - before.overloaded,
        };
        (new != Counts::default()).then_some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_reported() {
        let refused = Refused::default();
        assert_eq!(refused.counts().since(Counts::default()), None);
        refused.count(StatusCode::UNAUTHORIZED);
        refused.count(StatusCode::REQUEST_TIMEOUT);
        let first = refused.counts();
        let expected = Counts { unauthorized: 1, malformed: 1, ..Counts::default() };
        assert_eq!(first.since(Counts::default()), Some(expected));
        assert_eq!(refused.counts().since(first), None);
        refused.count(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.counts().since(first), Some(Counts { overloaded: 1, ..Counts::default() }));
    }
}
