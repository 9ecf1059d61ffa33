//! How long things take and how often they are done, for a whole deployment; and what the tests
//! have instead.

use std::time::Duration;

/// How long a write is left alone before its outcome is read back, and how fast background work goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Longer than any call takes: after it, the process that announced a call is not making it any more.
    pub lease: Duration,
    /// After a call without any answer, its absence is believed only this long after it: longer
    /// than the proxies on the way keep a request.
    pub proof: Duration,
    /// Between two reads that have to agree.
    pub between: Duration,
    /// A shown key whose secret is not confirmed stays so long.
    pub confirm: Duration,
    /// How often done steps are verified again.
    pub drift: Duration,
    /// How fast the watch over Sekoia goes.
    pub watch: Rhythm,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(12),
            proof: Duration::from_secs(75),
            between: Duration::from_secs(5),
            confirm: Duration::from_mins(15),
            drift: Duration::from_hours(6),
            watch: Rhythm::default(),
        }
    }
}

/// How fast the watch over Sekoia goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// How long a minute of its intervals lasts: a minute, but for those who cannot wait.
    pub minute: Duration,
    /// So long it is the only one that watches, unless it says again that it does. Another one asks
    /// ten times as often, and has taken over within half a minute.
    pub lease: Duration,
    /// What comes so close together is looked at once.
    pub gather: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { minute: Duration::from_mins(1), lease: Duration::from_secs(25), gather: Duration::from_millis(500) }
    }
}

impl Rhythm {
    /// A time of everyday, in this rhythm.
    pub fn of(&self, time: Duration) -> Duration {
        time.mul_f64(self.minute.as_secs_f64() / 60.0)
    }
}

#[cfg(debug_assertions)]
pub fn timing() -> Timing {
    use std::time::Duration;

    #[cfg(debug_assertions)]
    use crate::rehearsal::TIMING;

    let set = std::env::var(TIMING).unwrap_or_default();
    let times: Vec<u64> = set.split(',').filter_map(|ms| ms.parse().ok()).collect();
    match times.as_slice() {
        [lease, proof, between, confirm, rest @ ..] => Timing {
            lease: Duration::from_millis(*lease),
            proof: Duration::from_millis(*proof),
            between: Duration::from_millis(*between),
            confirm: Duration::from_millis(*confirm),
            watch: match rest {
                [minute, ..] => Rhythm {
                    minute: Duration::from_millis(*minute),
                    lease: Duration::from_secs(3),
                    gather: Duration::from_millis(20),
                },
                // A minute of its usual length, and a successor that does not wait for one.
                [] => Rhythm { lease: Duration::from_secs(3), ..Rhythm::default() },
            },
            ..Timing::default()
        },
        _ => Timing::default(),
    }
}

#[cfg(not(debug_assertions))]
pub fn timing() -> Timing {
    Timing::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_has_taken_over_within_half_a_minute() {
        let lease = Rhythm::default().lease;
        assert!(lease + lease / 10 < Duration::from_secs(30));
    }
}
