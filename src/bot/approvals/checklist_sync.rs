//! What the channel's checklist and history say of a request: derived from the request, so that
//! a crash between the two is made good by doing it again.

use jiff::Timestamp;
use tracing::warn;

use crate::bot::Bot;
use crate::chat::Actor;
use crate::domain::approval::{Approval, ApprovalId, Stage, Status};
use crate::domain::checklist::{Command, Concluded, Refusal, Session, Status as StepStatus, decide};
use crate::state::sessions::ChangeError;

impl Bot {
    /// Brings the session in line with one of its requests, as that is stored now. No one changes the
    /// request meanwhile: what was read of it before a decision would be recorded after it.
    pub(in crate::bot) async fn sync_checklist(&self, id: &ApprovalId, now: Timestamp) {
        let _turn = self.approvals.turn(id).await;
        match self.approvals.read(id).await {
            Ok(Some(approval)) => self.reflect_read(&approval, now).await,
            Ok(None) => {}
            Err(error) => warn!(%error, request = id.as_str(), "the checklist does not show this request yet"),
        }
    }

    async fn reflect_read(&self, approval: &Approval, now: Timestamp) {
        let channel = &approval.request.channel;
        let step = approval.request.action.kind().step();
        let status = approval.status();
        let command = if status.is_open() {
            Command::Wait { step, on: waiting_for(approval, status) }
        } else {
            Command::Conclude { step, concluded: Box::new(concluded(approval, status)) }
        };
        let decide = |session: Option<&Session>| {
            let session = session.ok_or(Refusal::NoSession)?;
            if session.community.uuid != approval.request.community.uuid {
                return Err(Refusal::Meanwhile(step));
            }
            // One step waits for one request at a time: the first.
            if let (Command::Wait { .. }, StepStatus::Waiting { on }) = (&command, &session.step(step).status)
                && !on.contains(approval.id.as_str())
            {
                return Err(Refusal::AlreadyConcluded);
            }
            decide(Some(session), command.clone(), now)
        };
        match self.sessions.change(channel, &Actor::Bot, now, None, decide).await {
            Ok(_) => self.outbox.wake_chat(),
            Err(ChangeError::Refused(_)) => {}
            Err(error) => warn!(%error, request = approval.id.as_str(), "the checklist does not show this request yet"),
        }
    }
}

fn waiting_for(approval: &Approval, status: Status) -> Box<str> {
    let what = match status {
        Status::ByHand => "a person to do it by hand: ",
        Status::Unknown => "a person to look at it: ",
        _ => "",
    };
    format!("{what}request {}: {}", approval.id, approval.request.action.title()).into()
}

fn concluded(approval: &Approval, status: Status) -> Concluded {
    let (ended_by, reason) = match &approval.stage {
        Stage::Rejected { reason, change } => (Some(change.by.clone()), Some(reason.clone())),
        Stage::Cancelled { change } => (Some(change.by.clone()), None),
        Stage::Requested | Stage::Approved | Stage::Expired { .. } => (None, None),
    };
    Concluded {
        request: approval.id.as_str().into(),
        what: approval.request.action.title().into(),
        hash: approval.request.hash.clone(),
        outcome: status.name().into(),
        asked_by: approval.asked.by.clone(),
        approvers: approval.votes.iter().map(|vote| vote.by.clone()).collect(),
        ended_by,
        reason,
        risks: approval.request.risks.iter().cloned().collect(),
    }
}
