//! Approved actions carried out: announced in the store, called once, and read back when nobody
//! said what became of a call.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, info, info_span, warn};

use super::read_back::Seen;
use crate::bot::Bot;
use crate::chat::Actor;
use crate::domain::approval::{Approval, ApprovalId, Command, Event, How, Item, Outcome, Stage, decide};
use crate::pace::Rank;
use crate::pace::retry::wait_after;
use crate::sekoia::{SekoiaError, Turn, Unwritten, Verb};
use crate::state::approvals::{ChangeError, Changed};
use crate::store::{Commit, StoreError, Work, WorkKind, fence};
use crate::timing::approvals::{
    ABSENT_LOOKED_AT_AFTER, CALL_LONGEST_WAIT, FROZEN_LOOK, LAST_CALL, PRESENCE_BELIEVED, READ_BACK_FOR,
};

/// Sends of one call that Sekoia refused for the moment, or provably did not do.
const ATTEMPTS: u32 = 4;
const BATCH: u32 = 32;

/// Why an execution stops before its end.
pub(super) enum StopReason {
    /// Nothing more to do now.
    Rest,
    /// It goes on then.
    Until(Timestamp),
    Store(StoreError),
}

impl From<StoreError> for StopReason {
    fn from(error: StoreError) -> Self {
        StopReason::Store(error)
    }
}

impl Bot {
    /// Starts or resumes what is due. Of one request, one task at a time.
    pub(in crate::bot) async fn execute_due(
        self: &Arc<Self>,
        now: Timestamp,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        // Those that are being worked on stay on the list, and must not keep others from it.
        let at_once = BATCH.saturating_add(u32::try_from(self.running.len()).unwrap_or(u32::MAX));
        for work in self.sessions.store().due(WorkKind::Execute, now, at_once).await? {
            let id = ApprovalId::from(work.key.as_str());
            if self.running.contains_key(&id) {
                continue;
            }
            let (bot, stop) = (Arc::clone(self), stop.clone());
            let span = info_span!("execute", request = work.key);
            let task = async move {
                let Some(_held) = bot.hold(&id) else { return };
                bot.execute(&id, work, &stop).await;
            };
            tasks.spawn(fence::carried(task.instrument(span)));
        }
        Ok(())
    }

    async fn execute(&self, id: &ApprovalId, work: Work, stop: &CancellationToken) {
        let patience_ends = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_CALL).await;
        };
        tokio::pin!(patience_ends);
        // When the people were looked at on whom it rests.
        let mut looked: Option<Instant> = None;
        let halt = loop {
            if stop.is_cancelled() {
                return;
            }
            tokio::select! {
                step = self.execute_step(id, &mut looked) => if let Err(halt) = step { break halt },
                // What it waits for takes longer: nothing is lost, the next start goes on.
                () = &mut patience_ends => return,
            }
        };
        let commit = match halt {
            StopReason::Rest => Commit { finished: vec![work.finished()], ..Commit::default() },
            StopReason::Until(then) => Commit { postponed: vec![(work.finished(), then)], ..Commit::default() },
            StopReason::Store(error) => {
                error!(%error, "the store failed in the middle of a request; it goes on later");
                Commit {
                    postponed: vec![(work.finished(), Timestamp::now() + self.timing.execution.store_failed)],
                    ..Commit::default()
                }
            }
        };
        // A row that was scheduled again meanwhile is left as it is.
        if let Err(error) = self.sessions.store().commit(commit).await {
            warn!(%error, "a finished execution stays on the list");
        }
    }

    /// Does the next thing that there is to do.
    async fn execute_step(&self, id: &ApprovalId, looked: &mut Option<Instant>) -> Result<(), StopReason> {
        let Some(approval) = self.approvals.read(id).await? else { return Err(StopReason::Rest) };
        if !matches!(approval.stage, Stage::Approved) {
            return Err(StopReason::Rest);
        }
        if approval.is_bundle() {
            return Box::pin(self.bundle_step(&approval)).await;
        }
        let now = Timestamp::now();
        if let Some((item, since)) = approval.unclear().next() {
            return self.reconcile(&approval, item, since).await;
        }
        if let Some(Item::Created { at, uuid, shown, until, lost }) = approval.items.first() {
            let timing = self.approvals.timing;
            // Shown while the clock was ahead: on record, so that it is waited for once, not each time.
            let latest = crate::state::stream::sealed(now + timing.confirm);
            if *shown && lost.is_none() && *until > latest + Duration::from_millis(1) {
                self.commit_as_bot(id, Command::ConfirmBy { item: 0, until: latest }).await?;
                return Ok(());
            }
            let left = if *shown {
                Duration::try_from(until.duration_since(now)).unwrap_or_default()
            } else {
                left_of(timing.lease, *at)
            };
            if lost.is_none() && !*shown && *at > now {
                // From the future: how long ago it was nobody knows, so all of it is waited for.
                tokio::time::sleep(timing.lease).await;
                let again = self.approvals.read(id).await?;
                if again.as_ref().and_then(|a| a.items.first()) != approval.items.first() {
                    return Ok(());
                }
            } else if lost.is_none() && !left.is_zero() {
                return Err(StopReason::Until(now + left));
            }
            let why = if *shown { NOT_CONFIRMED } else { NOT_SHOWN };
            return if self.withdraw(&approval, uuid, why).await? {
                Ok(())
            } else {
                Err(StopReason::Until(Timestamp::now() + self.timing.execution.until_gone))
            };
        }
        if approval.next_call().is_none() {
            return Err(StopReason::Rest);
        }
        if !approval.is_as_approved() {
            error!(request = id.as_str(), "the stored action is not the one that was approved");
            let why = "the stored action is not the one that was approved".into();
            self.commit_as_bot(id, Command::ReportRest { outcome: Outcome::Failed { why } }).await?;
            return Err(StopReason::Rest);
        }
        if looked.is_none_or(|looked| looked.elapsed() > PRESENCE_BELIEVED) {
            let approval = self.still(&approval).await?;
            if let Some(held) = &approval.held {
                let wait = if held.needs_somebody() { ABSENT_LOOKED_AT_AFTER } else { self.approvals.timing.lease };
                return Err(StopReason::Until(Timestamp::now() + wait));
            }
            *looked = Some(Instant::now());
        }
        self.send_next(&approval).await
    }

    /// Sends the next call, once.
    async fn send_next(&self, approval: &Approval) -> Result<(), StopReason> {
        // A single call is somebody's who waits; a long list lets others go first.
        let rank = if approval.items.len() == 1 { Rank::Person } else { Rank::Background };
        let turn = match self.sekoia.admit(rank).await {
            Ok(turn) => turn,
            Err(SekoiaError::Paused { wait } | SekoiaError::Busy { wait }) => {
                return Err(StopReason::Until(Timestamp::now() + wait));
            }
            Err(_) => return Err(StopReason::Until(Timestamp::now() + self.timing.execution.first_wait)),
        };
        // After every wait: whoever froze it meanwhile was told that nothing goes out.
        if self.approvals.frozen().await?.is_some() {
            return Err(StopReason::Until(Timestamp::now() + FROZEN_LOOK));
        }
        let began = Instant::now();
        let Some(started) = self.commit_events_as_bot(&approval.id, Command::Start).await? else { return Ok(()) };
        // The call of this commit: another replica may have announced another one.
        let item = started.events.iter().find_map(|event| match event {
            Event::Started { item, .. } => Some(*item),
            _ => None,
        });
        let (Some(item), started) = (item, started.state) else { return Ok(()) };
        // Whoever takes over reads back after so long: a process that was halted meanwhile sends nothing.
        let turn = turn.until(began + self.approvals.timing.lease);
        let (outcome, everybody) = self.carry_out(&started, item, turn).await;
        let sends = started.sends(item);
        match &outcome {
            Outcome::NotSent { why } if sends >= ATTEMPTS => {
                let outcome = Outcome::Failed { why: format!("{why} ({sends} attempts)").into() };
                self.conclude(&started, item, outcome, false).await?;
            }
            Outcome::NotSent { why } => {
                info!(sends, why = &**why, "nothing was done; it is tried again");
                self.conclude(&started, item, outcome, false).await?;
                let wait = wait_after(sends.saturating_sub(1), self.timing.execution.first_wait, CALL_LONGEST_WAIT);
                tokio::time::sleep(wait.max(self.sekoia.paused_for()).min(CALL_LONGEST_WAIT)).await;
            }
            _ => {
                self.conclude(&started, item, outcome, everybody).await?;
            }
        }
        Ok(())
    }

    /// Makes the call of an item that was announced. What is known of it, and whether every other
    /// call would meet with the same.
    pub(super) async fn carry_out(&self, approval: &Approval, item: usize, turn: Turn) -> (Outcome, bool) {
        let Some(call) = approval.request.action.call(item) else {
            return (Outcome::Failed { why: "there is no such call".into() }, false);
        };
        if let (Verb::Delete, Some(key)) = (call.method, call.path.rsplit('/').next())
            && let Err(otherwise) = self.may_revoke(approval, item, key).await
        {
            return (otherwise, false);
        }
        let turn = match self.withdraw_pending(approval, item, turn).await {
            Ok(turn) => turn,
            Err(otherwise) => return otherwise,
        };
        match self.sekoia.write(turn, &call).await {
            Ok(answer) => {
                let proven = approval.request.action.proven_by(item, answer.status, answer.body.expose_secret());
                let outcome = match proven {
                    Ok(uuid) => Outcome::Done { uuid, how: How::Answered },
                    Err(odd) => Outcome::Unclear { why: odd.into() },
                };
                (outcome, false)
            }
            Err(failed) => judged(&failed),
        }
    }

    /// Whether a key may be revoked now; otherwise what became of it without a call. It is seen
    /// before: that it is not there afterwards proves something then.
    async fn may_revoke(&self, approval: &Approval, item: usize, key: &str) -> Result<(), Outcome> {
        let unread = |error: SekoiaError| Outcome::NotSent { why: error.to_string().into() };
        // Whatever was asked when: the bot never revokes the key that it calls with.
        if self.may_be_own(key).await.map_err(unread)? {
            let why = "this may be the bot's own key, which it never revokes; do it in Sekoia's console";
            return Err(Outcome::Failed { why: why.into() });
        }
        match self.look(approval, item, Timestamp::now()).await.map_err(unread)? {
            Seen::Absent => Ok(()),
            Seen::There { uuid } => Err(Outcome::Done { uuid: Some(uuid), how: How::Found }),
            Seen::Gone => {
                Err(Outcome::Failed { why: "Sekoia does not know this key any more; nothing was sent".into() })
            }
            Seen::Unsure(why) => Err(Outcome::Unknown { why: why.into() }),
        }
    }

    /// Records what became of a call, and of those that would meet with the same. False if it is not
    /// this send any more that counts: another one was made since, or somebody settled it.
    pub(super) async fn conclude(
        &self,
        approval: &Approval,
        item: usize,
        outcome: Outcome,
        everybody: bool,
    ) -> Result<bool, StoreError> {
        let rest = everybody.then(|| outcome.clone());
        let sends = Some(approval.sends(item));
        let recorded = self.commit_as_bot(&approval.id, Command::Report { item, sends, outcome }).await?.is_some();
        if let Some(outcome) = rest {
            self.commit_as_bot(&approval.id, Command::ReportRest { outcome }).await?;
        }
        Ok(recorded)
    }

    /// The same of one call that was read back.
    async fn concluded(&self, approval: &Approval, item: usize, outcome: Outcome) -> Result<(), StopReason> {
        self.conclude(approval, item, outcome, false).await?;
        Ok(())
    }

    /// Commits something that the bot found out; none if it changes nothing any more.
    pub(super) async fn commit_as_bot(
        &self,
        id: &ApprovalId,
        command: Command,
    ) -> Result<Option<Approval>, StoreError> {
        let changed = self.commit_events_as_bot(id, command).await?;
        Ok(changed.map(|changed| Arc::unwrap_or_clone(changed.state)))
    }

    /// The same, with the events that were committed.
    async fn commit_events_as_bot(&self, id: &ApprovalId, command: Command) -> Result<Option<Changed>, StoreError> {
        let now = Timestamp::now();
        let on = |state: Option<&Approval>| decide(state, command.clone(), now);
        match self.approvals.change(id, &Actor::Bot, now, None, on).await {
            Ok(changed) => {
                self.note_changes("bot", &changed);
                Ok(Some(changed))
            }
            Err(ChangeError::Store(error)) => Err(error),
            Err(error) => {
                info!(%error, request = id.as_str(), "changes nothing any more");
                Ok(None)
            }
        }
    }

    /// Finds out what became of a call by reading, before anything is sent again. Time is counted
    /// from here, by a clock that nobody sets: the other one may have been wrong at the call or since.
    async fn reconcile(&self, approval: &Approval, item: usize, since: Timestamp) -> Result<(), StopReason> {
        let timing = self.approvals.timing;
        let begun = Instant::now();
        // Whoever announced it may still be making it.
        let announced = matches!(approval.items.get(item), Some(Item::Started { .. }));
        let first_look = if announced { timing.lease } else { timing.execution.first_look };
        tokio::time::sleep(left_of(first_look, since)).await;
        // Sekoia's own error is an end; silence is not, nor is what stands between: it may be
        // working on it still.
        let answered = matches!(approval.items.get(item), Some(Item::Unclear { why, .. }) if &**why == ANSWERED);
        let proof = begun + if answered { timing.lease } else { timing.proof };
        let give_up = proof + READ_BACK_FOR;
        let secret = approval.request.action.is_secret(item);
        let mut absent_since: Option<Instant> = None;
        let mut gone_since: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let seen = self.look(approval, item, since).await;
            if !matches!(seen, Ok(Seen::Gone)) {
                gone_since = None;
            }
            match seen {
                Ok(Seen::There { uuid }) if secret => {
                    // Whose secret is lost: on record before it is revoked.
                    let outcome = Outcome::Created { uuid, until: Timestamp::now() };
                    self.conclude(approval, item, outcome, false).await?;
                    self.commit_as_bot(&approval.id, Command::Withdraw { item, why: NOT_SHOWN.into() }).await?;
                    return Ok(());
                }
                Ok(Seen::There { uuid }) => {
                    let outcome = Outcome::Done { uuid: Some(uuid), how: How::Found };
                    return self.concluded(approval, item, outcome).await;
                }
                Ok(Seen::Gone) => {
                    let first = *gone_since.get_or_insert(now);
                    if now >= first + timing.between {
                        let outcome = Outcome::Done { uuid: None, how: How::Found };
                        return self.concluded(approval, item, outcome).await;
                    }
                }
                // Before that it proves nothing.
                Ok(Seen::Absent) if now < proof => {}
                Ok(Seen::Absent) => {
                    let first = *absent_since.get_or_insert(now);
                    if now >= first + timing.between {
                        let sends = approval.sends(item);
                        let outcome = if sends >= ATTEMPTS && !secret {
                            let why = format!("Sekoia did not do it in {sends} attempts, and does not show it");
                            Outcome::Failed { why: why.into() }
                        } else {
                            Outcome::ProvenAbsent
                        };
                        return self.concluded(approval, item, outcome).await;
                    }
                }
                Ok(Seen::Unsure(why)) => {
                    return self.concluded(approval, item, Outcome::Unknown { why: why.into() }).await;
                }
                // A key that nobody has the secret of is looked for until it is known to be gone.
                Err(error) if secret => {
                    warn!(%error, "it is not known yet whether a key was created");
                    absent_since = None;
                    tokio::time::sleep(self.timing.execution.until_gone).await;
                }
                Err(error) => {
                    absent_since = None;
                    warn!(%error, "reading back failed");
                    if now >= give_up || !error.may_pass() {
                        let why = format!("no answer, and it could not be read back: {error}");
                        return self.concluded(approval, item, Outcome::Unknown { why: why.into() }).await;
                    }
                }
            }
            // The next look: where it could prove something, and not before the two would agree.
            let next = match absent_since.or(gone_since) {
                Some(first) => first + timing.between,
                None if now < proof => proof,
                None => now + timing.between,
            };
            tokio::time::sleep_until(next.max(now + Duration::from_millis(200))).await;
        }
    }
}

/// The reason of an unclear call that Sekoia itself answered. A gateway's 502 to 504 is no such.
const ANSWERED: &str = "Sekoia failed (500)";
pub(super) const NOT_CONFIRMED: &str = "nobody confirmed that it was saved";
pub(super) const NOT_SHOWN: &str = "its secret was not shown";

/// What an error says about a call, and whether every other call would meet with it.
pub(super) fn judged(failed: &Unwritten) -> (Outcome, bool) {
    let error = match failed {
        Unwritten::Unclear(error) => return (Outcome::Unclear { why: error.to_string().into() }, false),
        Unwritten::Refused(error) => error,
    };
    let why: Box<str> = error.to_string().into();
    match error {
        SekoiaError::Paused { .. }
        | SekoiaError::Busy { .. }
        | SekoiaError::Unreachable
        | SekoiaError::ProxyFailed(_)
        | SekoiaError::RateLimited { .. } => (Outcome::NotSent { why }, false),
        // The right or the route: nothing that the bot could send would be taken.
        SekoiaError::Forbidden { .. } | SekoiaError::Refused { status: 405 | 415 | 501, .. } => {
            (Outcome::ByHand { why }, true)
        }
        // This body.
        SekoiaError::Refused { status: 422, .. } => (Outcome::ByHand { why }, false),
        SekoiaError::NotFound { message, .. } if names_the_route(message) => (Outcome::ByHand { why }, true),
        SekoiaError::Unauthorized { .. } => (Outcome::Failed { why }, true),
        _ => (Outcome::Failed { why }, false),
    }
}

/// Sekoia answers 404 for a path that it does not have, and for an object that it does not have.
fn names_the_route(message: &str) -> bool {
    let message = message.to_lowercase();
    ["path", "route", "url"].iter().any(|word| message.contains(word))
}

/// What is left of `whole` after something that happened at `since`, by a clock that may have been
/// set back meanwhile: never more than all of it.
pub(super) fn left_of(whole: Duration, since: Timestamp) -> Duration {
    let gone = Timestamp::now().duration_since(since);
    whole.saturating_sub(Duration::try_from(gone).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_wait_longer() {
        let (whole, hour) = (Duration::from_secs(12), jiff::SignedDuration::from_hours(1));
        assert_eq!(left_of(whole, Timestamp::now() + hour), whole);
        assert_eq!(left_of(whole, Timestamp::now() - hour), Duration::ZERO);
        let left = left_of(whole, Timestamp::now() - jiff::SignedDuration::from_secs(2));
        assert!(left > Duration::from_secs(9) && left <= Duration::from_secs(10), "{left:?}");
    }
}
