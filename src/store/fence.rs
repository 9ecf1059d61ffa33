//! What is done under a lease, and must not be done any more once another process has it.
//!
//! Work that goes on for long (messages to the chat, approved calls, the watch over Sekoia) runs under
//! the lease that lets this process do it. Every commit that it makes names that lease, and the store
//! refuses it in its transaction when somebody else has it: a process that was halted and wakes later
//! commits nothing. Tasks that it spawns take it along with [`carried`].

use std::sync::Arc;

use super::{Commit, Fence};

#[derive(Clone)]
struct Under {
    fence: Fence,
    held: Arc<dyn Fn() -> bool + Send + Sync>,
}

tokio::task_local! {
    static UNDER: Under;
}

/// Runs `work` under a lease; `held` says whether this process may still take it for its own.
pub async fn under<T>(fence: Fence, held: Arc<dyn Fn() -> bool + Send + Sync>, work: impl Future<Output = T>) -> T {
    UNDER.scope(Under { fence, held }, work).await
}

/// The same work in a task of its own, under the lease of whoever spawns it.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let under = UNDER.try_with(Clone::clone).ok();
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
    UNDER.try_with(|under| (under.held)()).unwrap_or(true)
}

impl Commit {
    /// The commit under the lease that it is made under.
    pub(super) fn fenced(mut self) -> Self {
        if self.fence.is_none() {
            self.fence = UNDER.try_with(|under| under.fence.clone()).ok();
        }
        self
    }
}
