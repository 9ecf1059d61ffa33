//! What is done under a lease, and must not be done any more once another process has it.
//!
//! Work that goes on for long (messages to the chat, approved calls, the watch over Sekoia) runs under
//! the lease that lets this process do it. Every commit that it makes names that lease, and the store
//! refuses it in its transaction when somebody else has it: a process that was halted and wakes later
//! commits nothing. Tasks that it spawns take it along with [`carried`].

use std::sync::Arc;

use jiff::Timestamp;

use super::{Commit, Fence};

/// Since when this process has a lease; none if it does not, or may not.
pub type HeldSince = Arc<dyn Fn() -> Option<Timestamp> + Send + Sync>;

#[derive(Clone)]
struct Under {
    fence: Fence,
    held: HeldSince,
    which: Which,
}

/// Which of the times that this process has the lease.
#[derive(Clone, Copy)]
enum Which {
    /// Any: a loop asks each time that it begins something.
    Any,
    /// The one in which a task was spawned; another process may have had the lease before it is held again.
    Since(Option<Timestamp>),
}

impl Under {
    fn holds(&self) -> bool {
        match ((self.held)(), self.which) {
            (held, Which::Any) => held.is_some(),
            (held, Which::Since(began)) => held.is_some() && held == began,
        }
    }

    fn for_task(mut self) -> Self {
        if matches!(self.which, Which::Any) {
            self.which = Which::Since((self.held)());
        }
        self
    }

    fn fence(&self) -> Fence {
        let is_over = matches!(self.which, Which::Since(_)) && !self.holds();
        // No process has this name: the store refuses it like what another one has.
        let holder = if is_over { "".into() } else { Arc::clone(&self.fence.holder) };
        Fence { lease: self.fence.lease, holder }
    }
}

tokio::task_local! {
    static UNDER: Under;
}

/// Runs `work` under a lease; `held` says whether this process may still take it for its own.
pub async fn under<T>(fence: Fence, held: HeldSince, work: impl Future<Output = T>) -> T {
    UNDER.scope(Under { fence, held, which: Which::Any }, work).await
}

/// The same work in a task of its own, under the lease of the one that spawns it, as long as that is held without a
/// gap.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let under = UNDER.try_with(|under| under.clone().for_task()).ok();
    async move {
        match under {
            Some(under) => UNDER.scope(under, work).await,
            None => work.await,
        }
    }
}

/// Whether what is about to leave this process may still leave it: it is under no lease, or under one
/// that has not lapsed.
pub fn holds() -> bool {
    UNDER.try_with(Under::holds).unwrap_or(true)
}

impl Commit {
    /// The commit under the lease that it is made under.
    pub(super) fn fenced(mut self) -> Self {
        if self.fence.is_none() {
            self.fence = UNDER.try_with(Under::fence).ok();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn a_task_holds_only_the_lease_that_it_was_spawned_under() {
        let held = Arc::new(Mutex::new(Some(Timestamp::UNIX_EPOCH)));
        let since: HeldSince = {
            let held = Arc::clone(&held);
            Arc::new(move || *held.lock().unwrap())
        };
        let fence = || Commit::default().fenced().fence.map(|fence| fence.holder.to_string());
        let seen = || (holds(), fence());
        let (me, nobody) = (Some("me".to_owned()), Some(String::new()));
        assert_eq!(seen(), (true, None));
        let of = Fence { lease: "duty", holder: "me".into() };
        under(of, since, async {
            assert_eq!(seen(), (true, me.clone()));
            let task = carried(async {
                let first = seen();
                *held.lock().unwrap() = None;
                let lost = seen();
                // Another process had it meanwhile.
                *held.lock().unwrap() = Some(Timestamp::MAX);
                [first, lost, seen()]
            });
            assert_eq!(task.await, [(true, me.clone()), (false, nobody.clone()), (false, nobody)]);
            // A new one may.
            assert_eq!(seen(), (true, me.clone()));
            assert_eq!(carried(async { seen() }).await, (true, me));
        })
        .await;
    }
}
