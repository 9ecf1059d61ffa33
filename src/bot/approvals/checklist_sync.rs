//! What the channel's checklist and history say of a request: derived from the request, as due work
//! that is committed with the change of the request and finished with that of the checklist. So a
//! crash between the two, or a store that failed, loses nothing, and no change is recorded twice.

use jiff::Timestamp;
use tracing::warn;

use crate::bot::Bot;
use crate::chat::Actor;
use crate::domain::approval::{Approval, ApprovalId, Stage, Status};
use crate::domain::checklist::{Command, Concluded, Refusal, Session, Status as StepStatus, decide};
use crate::pace::retry::wait_after;
use crate::state::sessions::ChangeError;
use crate::store::{Commit, StoreError, Work, WorkKind};
use crate::timing::approvals::SYNC_LONGEST_WAIT;

/// Requests that are looked at in one round.
const BATCH: u32 = 32;

impl Bot {
    /// Brings the checklist in line with a request that changed, if that is still to be done. What fails
    /// now is done later.
    pub(in crate::bot) async fn sync_checklist(&self, id: &ApprovalId) {
        if let Err(error) = self.sync(id).await {
            warn!(%error, request = id.as_str(), "the checklist does not show this request yet");
        }
    }

    /// Brings checklists in line with requests that changed and whose change was followed by nothing:
    /// the bot changed them, the process ended, or the store failed.
    pub(in crate::bot) async fn sync_checklists_due(&self) -> Result<(), StoreError> {
        let now = Timestamp::now();
        for work in self.sessions.store().due(WorkKind::ChecklistSync, now, BATCH).await? {
            let Err(error) = self.sync(&ApprovalId::from(work.key.as_str())).await else { continue };
            let wait = wait_after(work.attempts, self.timing.delivery.first_wait, SYNC_LONGEST_WAIT);
            warn!(%error, request = work.key, wait_s = wait.as_secs(), "the checklist does not show this request yet");
            // It keeps no other waiting.
            self.keep(Commit { postponed: vec![(work.finished(), now + wait)], ..Commit::default() }).await?;
        }
        Ok(())
    }

    async fn sync(&self, id: &ApprovalId) -> Result<(), ChangeError> {
        // No one of this process changes the request meanwhile: what was read of it before a decision
        // would be recorded after it. For other processes the commit rests on the work.
        let _turn = self.approvals.turn(id).await;
        let store = self.sessions.store();
        let Some(work) = store.find(WorkKind::ChecklistSync, id.as_str()).await? else { return Ok(()) };
        if let Some(approval) = self.approvals.read(id).await?
            && self.sync_with(&approval, &work).await?
        {
            self.outbox.wake_chat();
            return Ok(());
        }
        Ok(self.keep(Commit { finished: vec![work.finished()], ..Commit::default() }).await?)
    }

    /// Changes the checklist as a request says; false if there is nothing to be changed.
    async fn sync_with(&self, approval: &Approval, work: &Work) -> Result<bool, ChangeError> {
        let channel = &approval.request.channel;
        let step = approval.request.action.step();
        let status = approval.status();
        // A bundle is of several steps, each of which waits for the parts.
        if approval.is_bundle() && status.is_open() {
            return Ok(false);
        }
        let command = if status.is_open() {
            Command::Wait { step, on: waiting_for(approval, status) }
        } else {
            Command::Conclude { step, concluded: Box::new(concluded(approval, status)) }
        };
        let now = Timestamp::now();
        if matches!(approval.stage, Stage::Approved)
            && let Some(session) = self.sessions.read_anew(channel).await?
            && session.community.uuid == approval.request.community.uuid
        {
            self.join_plan(approval, &session, now).await?;
        }
        let decide = |session: Option<&Session>| {
            let session = session.ok_or(Refusal::NoSession)?;
            if session.community.uuid != approval.request.community.uuid {
                return Err(Refusal::Meanwhile(step));
            }
            // One step waits for one request at a time: the first.
            if let (Command::Wait { .. }, StepStatus::Waiting { on }) = (&command, &session.step(step).status)
                && on.contains("request ")
                && !on.contains(approval.id.as_str())
            {
                return Err(Refusal::AlreadyConcluded);
            }
            decide(Some(session), command.clone(), now)
        };
        // As it is stored: another process may have changed it.
        self.sessions.read_anew(channel).await?;
        match self.sessions.change_for(channel, &Actor::Bot, now, work, decide).await {
            Ok(_) => Ok(true),
            Err(ChangeError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn waiting_for(approval: &Approval, status: Status) -> Box<str> {
    let what = match status {
        Status::ByHand => "a person to do it by hand: ",
        Status::Unknown => "a person to look at it: ",
        _ => "",
    };
    format!("{what}request {}: {}", approval.id, titled(approval)).into()
}

/// What it is, and of which bundle it is a part.
fn titled(approval: &Approval) -> String {
    let title = approval.request.action.title();
    match &approval.request.bundle {
        Some(bundle) => format!("{title} (part of request {})", bundle.id),
        None => title,
    }
}

fn concluded(approval: &Approval, status: Status) -> Concluded {
    let (ended_by, reason) = match &approval.stage {
        Stage::Rejected { reason, change } => (Some(change.by.clone()), Some(reason.clone())),
        Stage::Cancelled { change } => (Some(change.by.clone()), None),
        Stage::Requested | Stage::Approved | Stage::Expired { .. } => (None, None),
    };
    Concluded {
        request: approval.id.as_str().into(),
        what: titled(approval).into(),
        hash: approval.request.hash.clone(),
        outcome: status.name().into(),
        asked_by: approval.asked.by.clone(),
        approvers: approval.votes.iter().map(|vote| vote.by.clone()).collect(),
        ended_by,
        reason,
        // Of a bundle, its parts have them.
        risks: approval.request.risks.iter().filter(|_| !approval.is_bundle()).cloned().collect(),
    }
}
