//! The one policy of sending again: which failed calls are sent again, how often, and after how
//! long. What failed, and whether it may be sent twice, is for the caller to say.

use std::fmt::Display;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use tracing::warn;

use super::Seldom;
use crate::timing::retry::FIRST_WAIT;

/// Sends of one call, the first included.
const ATTEMPTS: usize = 3;
/// While the other side cannot be reached, every call is sent again.
static SENT_AGAIN: Seldom = Seldom::new();

/// Whether the same call may be sent again when its outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    Idempotent,
    /// It would be seen twice.
    MayDuplicate,
}

/// A send that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed<E> {
    pub error: E,
    pub next: Next,
}

/// What follows from the failure of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same again would fail the same way.
    Stop,
    /// It may have arrived, and the fault may be over soon.
    Passing,
    /// It was not taken; the other side asked to wait this long.
    Wait(Duration),
}

impl<E> Failed<E> {
    pub fn stop(error: E) -> Self {
        Self { error, next: Next::Stop }
    }
}

/// Sends a call until it succeeds, but at most three times. A passing fault is tried again after a
/// growing, jittered wait, if that is harmless. A wait that was asked for is kept if it is no longer
/// than `patience`; otherwise the caller decides what to do with the time.
pub async fn send<T, E: Display, F>(
    again: Retry,
    patience: Duration,
    mut attempt: impl FnMut() -> F + Send,
) -> Result<T, E>
where
    F: Future<Output = Result<T, Failed<E>>> + Send,
{
    let waits = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_jitter().with_max_times(ATTEMPTS - 1);
    // Boxed: the caller's future is otherwise as large as everything that happens in it.
    (|| Box::pin(attempt()))
        .retry(waits)
        .when(|failed| match failed.next {
            Next::Stop => false,
            Next::Passing => again == Retry::Idempotent,
            Next::Wait(wait) => wait <= patience,
        })
        .adjust(|failed, wait| match failed.next {
            // None after the last attempt.
            Next::Wait(asked) => wait.map(|_| asked),
            Next::Stop | Next::Passing => wait,
        })
        .notify(|failed, wait| {
            if let Some(missed) = SENT_AGAIN.now() {
                warn!(error = %failed.error, wait_ms = wait.as_millis(), missed, "sent again");
            }
        })
        .await
        .map_err(|failed| failed.error)
}

/// Between attempts to connect, without end: doubling, with jitter.
pub fn waits(first: Duration, longest: Duration) -> impl Iterator<Item = Duration> + use<> {
    let waits = ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).with_factor(2.0);
    waits.with_jitter().without_max_times().build()
}

/// How long work that is stored waits after it failed: doubled with each failure before.
pub fn wait_after(failures: u32, first: Duration, longest: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failures)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent, if the sends fail like this and then succeed; and how long it takes.
    async fn sends(again: Retry, failures: &[Next]) -> (Result<(), &'static str>, usize) {
        let mut sends = 0;
        let sent = send(again, Duration::from_millis(50), || {
            let next = failures.get(sends).copied();
            sends += 1;
            async move { next.map_or(Ok(()), |next| Err(Failed { error: "refused", next })) }
        });
        (sent.await, sends)
    }

    #[tokio::test]
    async fn a_call_is_sent_again_where_that_is_harmless() {
        use Next::{Passing, Stop, Wait};
        let short = Wait(Duration::from_millis(1));
        assert_eq!(sends(Retry::Idempotent, &[]).await, (Ok(()), 1));
        assert_eq!(sends(Retry::Idempotent, &[Passing, short]).await, (Ok(()), 3));
        assert_eq!(sends(Retry::Idempotent, &[short, short, short]).await, (Err("refused"), 3));
        assert_eq!(sends(Retry::Idempotent, &[Stop]).await, (Err("refused"), 1));
        // What was not taken is not there twice.
        assert_eq!(sends(Retry::MayDuplicate, &[short]).await, (Ok(()), 2));
        assert_eq!(sends(Retry::MayDuplicate, &[Passing]).await, (Err("refused"), 1));
    }

    #[tokio::test]
    async fn a_longer_wait_is_not_kept() {
        assert_eq!(sends(Retry::Idempotent, &[Next::Wait(Duration::from_secs(1))]).await, (Err("refused"), 1));
    }

    #[test]
    fn stored_work_waits_longer_with_each_failure() {
        let waits = [0, 1, 2, 10, 40, u32::MAX]
            .map(|failures| wait_after(failures, Duration::from_secs(2), Duration::from_mins(10)).as_secs());
        assert_eq!(waits, [2, 4, 8, 600, 600, 600]);
    }
}
