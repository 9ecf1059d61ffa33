//! What is done beside the requests: messages that are owed, approved calls, recorded requests,
//! what is planned, expiry, clean-ups.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use super::Bot;
use super::inbox::TAKEN_UP_AFTER;
use crate::store::{StoreError, fence, horizon};
use crate::timing::bot::DELIVERIES_KEPT;

/// Ticks between two clean-ups.
const SWEEP: u32 = 900;
/// Ticks between two looks at what the store itself needs.
const TEND: u32 = 30;

/// When these were done last.
#[derive(Default)]
struct Upkeep {
    tended: Option<Instant>,
    swept: Option<Instant>,
}

/// Whether it was done long enough ago; then it is done now.
fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}

/// Does what is owed: messages, approved calls, recorded requests, expiry, clean-ups.
pub struct Worker {
    bot: Arc<Bot>,
    /// What was recorded before has nobody else to do it; what comes later has its request.
    began: Timestamp,
}

impl Worker {
    /// To be made before the first request is taken.
    pub fn new(bot: Arc<Bot>) -> Self {
        Self { bot, began: Timestamp::now() }
    }

    /// Runs until `stop`; finishes the round that it is in.
    pub async fn run(self, stop: CancellationToken) {
        let bot = &self.bot;
        // The store counts milliseconds: one less, so that this millisecond's requests are left.
        let before = self.began - Duration::from_millis(1) + TAKEN_UP_AFTER;
        let (tasks, messages) = (TaskTracker::new(), TaskTracker::new());
        if let Err(error) = bot.notifications.index_webhooks().await {
            error!(%error, "webhooks of an earlier release are not found");
        }
        let store = &**bot.sessions.store();
        if !store.is_shared() {
            if let Err(error) = horizon::sweep(store, Timestamp::now()).await {
                error!(%error, "what was planned while the clock was ahead waits");
            }
            if let Err(error) = bot.take_up_due(before, &tasks).await {
                error!(%error, "requests from before the restart could not be taken up");
            }
        }
        let work = async {
            // Apart, because a chat that hangs keeps nobody from what was approved, nor the other way.
            // What is planned goes beside them: it is long, and nobody waits for it.
            tokio::join!(
                bot.deliver(&stop, &messages),
                self.work(&stop, &tasks),
                self.digests(&stop),
                self.homes(&stop),
                self.watch_setup(&stop)
            );
            // Whatever the last requests changed is shown before the process ends.
            bot.deliver_rest(&messages).await;
        };
        tokio::select! {
            () = bot.hold_lease() => {}
            () = bot.outbox.lease.guard(store, work) => {}
        }
        bot.give_back_lease().await;
    }

    async fn work(&self, stop: &CancellationToken, tasks: &TaskTracker) {
        let (turns, mut upkeep) = (self.bot.rounds.of("work"), Upkeep::default());
        while !stop.is_cancelled() {
            if self.bot.may_work() {
                let _turn = turns.round();
                if let Err(error) = self.round(&mut upkeep, tasks, stop).await {
                    error!(%error, "the worker's round failed");
                }
            }
            tokio::select! {
                () = self.bot.outbox.something_to_do(self.bot.tick()) => {}
                () = stop.cancelled() => {}
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn digests(&self, stop: &CancellationToken) {
        let (turns, mut began) = (self.bot.rounds.of("digests"), None);
        while !stop.is_cancelled() {
            let now = Timestamp::now();
            let since = self.bot.lease_since();
            // A look without the lease does nothing, and is no round.
            let turn = since.map(|_| turns.round());
            if since.is_some() && since != began {
                began = since;
                if let Err(error) = self.bot.retry_dead_letters(now).await {
                    error!(%error, "messages that were put aside are left there");
                }
                if let Err(error) = self.bot.plan_digests(now).await {
                    error!(%error, "digests without a plan are not sent");
                }
                if let Err(error) = self.bot.plan_reminders(now).await {
                    error!(%error, "reminders without a plan are not sent");
                }
            }
            if since.is_some()
                && let Err(error) = self.bot.digests_due(now).await
            {
                error!(%error, "digests could not be sent");
            }
            if since.is_some()
                && let Err(error) = self.bot.reminders_due(now).await
            {
                error!(%error, "reminders could not be sent");
            }
            if since.is_some()
                && let Err(error) = self.bot.vote_reminders_due(now).await
            {
                error!(%error, "approvers could not be reminded");
            }
            drop(turn);
            let loops = self.bot.timing.loops;
            let pause = if since.is_some() { loops.tick } else { loops.soon };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn homes(&self, stop: &CancellationToken) {
        // What changed before this process had the lease was shown by nobody, perhaps.
        let (turns, mut changed) = (self.bot.rounds.of("homes"), true);
        while !stop.is_cancelled() {
            if self.bot.lease_since().is_some() {
                let _turn = turns.round();
                tokio::select! {
                    // Nothing but reads and whole commits: it may end anywhere.
                    shown = self.bot.homes_due(changed, Timestamp::now()) => {
                        changed = shown.is_err();
                        if let Err(error) = shown {
                            error!(%error, "what waits for people could not be shown on their pages");
                        }
                    }
                    () = stop.cancelled() => {}
                }
            }
            let loops = self.bot.timing.loops;
            tokio::select! {
                quiet = self.bot.outbox.nothing_changed(loops.tick) => changed |= !quiet,
                () = stop.cancelled() => {}
            }
            if changed {
                // Changes that come together are shown together.
                tokio::select! {
                    () = tokio::time::sleep(loops.soon) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    async fn watch_setup(&self, stop: &CancellationToken) {
        let turns = self.bot.rounds.of("setup");
        while !stop.is_cancelled() {
            let turn = turns.round();
            let watched = async {
                match self.bot.lease_since() {
                    Some(_) => self.bot.drift_due(Timestamp::now()).await,
                    None => Ok(()),
                }
            };
            tokio::select! {
                // Nothing but reads and whole commits: it may end anywhere.
                watched = watched => {
                    if let Err(error) = watched {
                        error!(%error, "done steps could not be verified again");
                    }
                }
                () = stop.cancelled() => {}
            }
            drop(turn);
            tokio::select! {
                () = tokio::time::sleep(self.bot.timing.loops.tick) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn round(
        &self,
        upkeep: &mut Upkeep,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let (now, tick) = (Timestamp::now(), self.bot.timing.loops.tick);
        self.bot.execute_due(now, tasks, stop).await?;
        self.bot.take_up_due(now, tasks).await?;
        self.bot.expire_due(now).await?;
        self.bot.escalate_due(now).await?;
        self.bot.sync_checklists_due().await?;
        if self.bot.lease_since().is_some() {
            self.bot.track_due(now).await?;
        }
        if is_due(&mut upkeep.tended, tick * TEND) {
            horizon::sweep(&**self.bot.sessions.store(), now).await?;
            self.bot.sessions.store().maintain().await?;
        }
        if is_due(&mut upkeep.swept, tick * SWEEP) {
            self.bot.sessions.store().forget_deliveries(now - DELIVERIES_KEPT).await?;
            self.bot.sessions.store().forget_kept(now).await?;
            let (bot, stop) = (Arc::clone(&self.bot), stop.clone());
            // It may be long, and nobody waits for it.
            tasks.spawn(fence::carried(async move { bot.forget_personal(now, &stop).await }));
        }
        Ok(())
    }
}
