//! What only a debug build does, so that the tests can end the built program at exact points and
//! need not wait for minutes. A release build holds none of it.

/// Ends the process as `kill -9` does, after so many commits.
#[cfg(debug_assertions)]
const CRASH_AFTER: &str = "CHATOPS_REHEARSE_CRASH_AFTER_COMMITS";
/// Milliseconds: the lease, the proof, the time between two reads, the time to confirm; and, if it
/// is there, how long a minute of the watch lasts; with 0, nothing is watched.
#[cfg(debug_assertions)]
pub const TIMING: &str = "CHATOPS_REHEARSE_TIMING";

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
