//! What only a debug build does, so that the tests can end the built program at exact points and
//! need not wait for minutes. A release build holds none of it.

#[cfg(debug_assertions)]
use crate::pace::Rhythm;
use crate::state::approvals::Timing;

/// Ends the process as `kill -9` does, after so many commits.
#[cfg(debug_assertions)]
const CRASH_AFTER: &str = "CHATOPS_REHEARSE_CRASH_AFTER_COMMITS";
/// Milliseconds: the lease, the proof, the time between two reads, the time to confirm; and, if it
/// is there, how long a minute of the watch lasts.
#[cfg(debug_assertions)]
const TIMING: &str = "CHATOPS_REHEARSE_TIMING";

/// Whether a variable of the environment is one of these.
#[cfg(debug_assertions)]
pub fn knows(name: &str) -> bool {
    [CRASH_AFTER, TIMING].contains(&name)
}

#[cfg(not(debug_assertions))]
pub fn knows(_: &str) -> bool {
    false
}

/// A commit is durable.
#[cfg(debug_assertions)]
pub fn committed() {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static LAST: LazyLock<Option<u64>> = LazyLock::new(|| std::env::var(CRASH_AFTER).ok()?.parse().ok());
    static COMMITS: AtomicU64 = AtomicU64::new(0);
    let Some(last) = *LAST else { return };
    if COMMITS.fetch_add(1, Ordering::SeqCst) + 1 >= last {
        let kill = format!("kill -9 {}", std::process::id());
        let _ = std::process::Command::new("sh").args(["-c", &kill]).status();
        // Without a shell it ends all the same, and as abruptly.
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub fn committed() {}

#[cfg(debug_assertions)]
pub fn timing() -> Timing {
    use std::time::Duration;

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
