//! The other processes on the same store: who is there, and what of the shared budgets is whose.
//!
//! Each process has a lease of its own, which it renews with every beat, and counts those of the others
//! in the same look. What it may use follows from that (`pace::Share`): one that could not renew in time
//! uses nothing, so that a process that does not count it any more may use its part.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Bot;
use crate::pace::Share;
use crate::store::{Store, StoreError};
use crate::timing::Beats;

/// The names of the leases, before the process's own.
pub const PREFIX: &str = "replica/";

/// What is known of the others.
pub struct Replicas {
    /// This process's own, in leases and in what it records.
    name: Arc<str>,
    share: Arc<Share>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Everybody at the last beat, this one included.
    alive: BTreeSet<String>,
    /// When that was.
    at: Option<Instant>,
}

impl Replicas {
    pub fn new() -> Self {
        let name = format!("{:016x}", rand::random::<u64>()).into();
        Self { name, share: Arc::default(), seen: Mutex::default() }
    }

    /// By which this process is known to the others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a process that recorded something is certainly not there any more to see to it.
    pub fn is_gone(&self, name: &str, beats: Beats) -> bool {
        let seen = self.seen();
        seen.at.is_some_and(|at| at.elapsed() < beats.stale) && !seen.alive.contains(name)
    }

    // Changed whole under its lock: a poisoned lock guards sound data.
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With the budgets that are shared.
    #[must_use]
    pub fn sharing(self, share: Arc<Share>) -> Self {
        Self { share, ..self }
    }

    /// Renews this process's lease and looks who else is there.
    async fn beat(&self, store: &dyn Store, rest: bool, beats: Beats) -> Result<(), StoreError> {
        let (now, began) = (Timestamp::now(), Instant::now());
        let lease = format!("{PREFIX}{}", self.name);
        store.lease(&lease, &self.name, now, now + beats.lapse).await?;
        let there = store.leases(PREFIX, Timestamp::now()).await?;
        let mut alive: BTreeSet<String> =
            there.iter().filter_map(|lease| lease.strip_prefix(PREFIX).map(str::to_owned)).collect();
        alive.insert(self.name.to_string());
        self.share.beat(alive.len(), rest, began, Instant::now(), beats);
        *self.seen() = Seen { alive, at: Some(began) };
        Ok(())
    }
}

impl Bot {
    /// Looks who else is there until `stop`; alone on a store, there is nobody.
    pub async fn count_replicas(self: Arc<Self>, stop: CancellationToken) {
        let (store, beats) = (&**self.sessions.store(), self.timing.beats);
        if !store.is_shared() {
            return;
        }
        let mut logged = 0;
        while !stop.is_cancelled() {
            let rest = self.lease_since().is_some();
            match timeout(beats.stale, self.replicas.beat(store, rest, beats)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(%error, "it is not known which other processes share the limits"),
                Err(_) => warn!("it is not known which other processes share the limits: the store does not answer"),
            }
            let of = self.replicas.share.processes(Instant::now());
            if std::mem::replace(&mut logged, of) != of {
                info!(replicas = of, "the limits are shared by so many processes");
            }
            tokio::select! {
                () = tokio::time::sleep(beats.every) => {}
                () = stop.cancelled() => {}
            }
        }
        // The others need not wait until it lapses.
        let (lease, now) = (format!("{PREFIX}{}", self.replicas.name), Timestamp::now());
        self.replicas.share.withhold();
        if let Err(error) = store.lease(&lease, &self.replicas.name, now, now).await {
            warn!(%error, "this process counts for the others until its lease lapses");
        }
    }
}
