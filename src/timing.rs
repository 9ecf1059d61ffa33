//! How long things take and how often they are done, for a whole deployment; and what the tests
//! have instead.

use std::time::Duration;

/// How long a write is left alone before its outcome is read back, and how fast background work
/// goes. What a release has is the default; tests have less of everything.
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
    /// The loops beside the requests.
    pub loops: Loops,
    /// Messages to the chat.
    pub delivery: Delivery,
    /// Calls that were approved.
    pub execution: Execution,
    /// Calls to Sekoia and to the chat.
    pub calls: Calls,
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
            loops: Loops::default(),
            delivery: Delivery::default(),
            execution: Execution::default(),
            calls: Calls::default(),
        }
    }
}

/// How fast the watch over Sekoia goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Whether this process watches at all, if no other one does. A release does; a test that is
    /// about something else need not.
    pub on: bool,
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
        Self {
            on: true,
            minute: Duration::from_mins(1),
            lease: Duration::from_secs(25),
            gather: Duration::from_millis(500),
        }
    }
}

impl Rhythm {
    /// A time of everyday, in this rhythm.
    pub fn of(&self, time: Duration) -> Duration {
        time.mul_f64(self.minute.as_secs_f64() / 60.0)
    }
}

/// The loops beside the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loops {
    /// How often they look when nobody says that there is something to do.
    pub tick: Duration,
    /// How often a process without the lease looks whether it has it now.
    pub soon: Duration,
}

impl Default for Loops {
    fn default() -> Self {
        Self { tick: Duration::from_secs(2), soon: Duration::from_millis(200) }
    }
}

/// Messages to the chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The first wait after a failure; it doubles.
    pub first_wait: Duration,
    /// So long a card waits for what will have an outcome in a moment.
    pub outcome: Duration,
}

impl Default for Delivery {
    fn default() -> Self {
        Self { first_wait: Duration::from_secs(2), outcome: Duration::from_secs(1) }
    }
}

/// Calls that were approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// The first wait between two sends of a call; it doubles.
    pub first_wait: Duration,
    /// From a call without an answer to the first look: what is there by then was done.
    pub first_look: Duration,
    /// The first wait between two attempts to revoke a key that must not stay; it doubles. Also
    /// between those to record that one was shown.
    pub revoke: Duration,
    /// After those: until it is tried again.
    pub until_gone: Duration,
    /// After the store failed in the middle of a request: it goes on soon when there is room again.
    pub store_failed: Duration,
}

impl Default for Execution {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_secs(2),
            first_look: Duration::from_secs(1),
            revoke: Duration::from_secs(1),
            until_gone: Duration::from_secs(30),
            store_failed: Duration::from_secs(5),
        }
    }
}

/// Calls to Sekoia and to the chat: how many go out, and how long one takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// In which Sekoia gets as many calls as it allows a second.
    pub sekoia: Duration,
    /// The first pause after two errors of Sekoia in a row; it doubles.
    pub pause: Duration,
    /// The longest that a call to Sekoia takes: its firewall flags what takes more than ten seconds.
    pub longest: Duration,
    /// In which a channel of Slack gets three new messages.
    pub slack_posts: Duration,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            sekoia: Duration::from_secs(1),
            pause: Duration::from_secs(10),
            longest: Duration::from_secs(9),
            slack_posts: Duration::from_secs(3),
        }
    }
}

impl Timing {
    /// For those who cannot wait: the tests, and the processes that they end. A minute of the watch
    /// lasts as long as ever.
    pub const QUICK: Self = Self {
        lease: Duration::from_millis(400),
        proof: Duration::from_millis(900),
        between: Duration::from_millis(100),
        confirm: Duration::from_mins(15),
        drift: Duration::from_hours(6),
        watch: Rhythm {
            on: true,
            minute: Duration::from_mins(1),
            lease: Duration::from_secs(3),
            gather: Duration::from_millis(20),
        },
        loops: Loops { tick: Duration::from_millis(100), soon: Duration::from_millis(20) },
        delivery: Delivery { first_wait: Duration::from_millis(100), outcome: Duration::from_millis(200) },
        execution: Execution {
            first_wait: Duration::from_millis(100),
            first_look: Duration::from_millis(100),
            revoke: Duration::from_millis(100),
            until_gone: Duration::from_millis(500),
            store_failed: Duration::from_millis(200),
        },
        calls: Calls {
            sekoia: Duration::from_millis(50),
            pause: Duration::from_millis(500),
            longest: Duration::from_secs(9),
            slack_posts: Duration::from_millis(50),
        },
    };
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
                [0, ..] => Rhythm { on: false, ..Timing::QUICK.watch },
                [minute, ..] => Rhythm { minute: Duration::from_millis(*minute), ..Timing::QUICK.watch },
                // What comes close together is gathered as ever; a successor waits for no long lease.
                [] => Rhythm { lease: Timing::QUICK.watch.lease, ..Rhythm::default() },
            },
            ..Timing::QUICK
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
