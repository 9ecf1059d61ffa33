//! Decisions: approve, reject, withdraw, freeze; and the end of a request's time.

use std::sync::Arc;

use jiff::Timestamp;

use super::card::frozen_line;
use super::controls::controls_for;
use super::lines::held_line;
use super::proof::Purpose;
use super::resend;
use crate::bot::failure::{Failure, instead};
use crate::bot::{Answer, Ask, Bot, CommandResult};
use crate::chat::Actor;
use crate::chat::text::{count, shown};
use crate::chat::view::{Control, Line, View};
use crate::domain::approval::{Approval, ApprovalId, Command, Item, Outcome, Proof, Refusal, Status, decide};
use crate::state::approvals::{ChangeError, Changed};
use crate::store::{Commit, StoreError, Work};
use crate::timing::approvals::UNREADABLE_LOOKED_AT_AFTER;

impl Bot {
    /// The request that an id names, if it belongs to this channel.
    pub(super) async fn request_of(&self, ask: &Ask<'_>, id: &str) -> Result<Approval, Failure> {
        let found = self.approvals.find(id).await?.ok_or(Refusal::NoSuch)?;
        if found.request.channel == *ask.channel {
            return Ok(found);
        }
        // What is on another platform is nobody's business here.
        if found.request.channel.platform() != ask.channel.platform() {
            return Err(Refusal::NoSuch.into());
        }
        Err(instead(
            Line::new().say("That request belongs to ").channel(&found.request.channel).say(". Decide it there."),
        ))
    }

    /// Commits one command on a request. The checklist shows what follows before the person is
    /// answered.
    pub(super) async fn change_request(
        &self,
        ask: &Ask<'_>,
        id: &ApprovalId,
        command: Command,
    ) -> Result<Changed, Failure> {
        let by = Actor::Person(ask.actor.clone());
        let on = |state: Option<&Approval>| decide(state, command.clone(), ask.now);
        let changed = self.approvals.change(id, &by, ask.now, ask.settles.row(), on).await?;
        ask.settles.end();
        self.note_changes(ask.actor.as_str(), &changed);
        self.sync_checklist(id).await;
        Ok(changed)
    }

    pub(super) fn note_changes(&self, actor: &str, changed: &Changed) {
        for event in &changed.events {
            let request = changed.state.id.as_str();
            tracing::info!(actor, request, kind = event.kind(), "changed");
        }
        self.outbox.wake();
    }

    pub(in crate::bot) async fn approve(&self, ask: &Ask<'_>, id: &str) -> Result<Answer, Failure> {
        let approval = self.request_of(ask, id).await?;
        self.may_decide(ask, &approval).await?;
        if approval.request.second_factor {
            self.would_count(ask, &approval).await?;
            let link = self.link_to_prove(ask, &approval, Purpose::Approve).await?;
            return Ok(Answer::Once(Arc::new(link)));
        }
        self.approve_with(ask, &approval, None).await.map(Answer::from)
    }

    /// Whoever asks may decide it, and has proven who they are where the request wants that.
    pub(super) async fn approve_with(
        &self,
        ask: &Ask<'_>,
        approval: &Approval,
        proof: Option<Box<Proof>>,
    ) -> CommandResult {
        let approve = Command::Approve { by: ask.actor.clone(), proof };
        if let Some(view) = self.decide_on_held(ask, approval, approve.clone()).await? {
            return Ok(view);
        }
        let changed = self.change_request(ask, &approval.id, approve).await?.state;
        let title = changed.request.action.title();
        let left = usize::from(changed.request.needed).saturating_sub(changed.votes.len());
        let said = if approval.needs_somebody() { "You confirmed: " } else { "You approved: " };
        let line = Line::new().say(said).strong(title);
        if let Some(held) = held_line(&changed) {
            return Ok(View::sentence(line.say(".")).line(held));
        }
        let frozen = self.approvals.frozen().await?;
        let line = match (left, changed.waits_for_a_press(0)) {
            (0, _) if frozen.is_some() => line.say(". It has to wait until the freeze is lifted."),
            (0, true) => {
                let line = line.say(". ");
                match changed.requester() {
                    Some(user) => line.person(user).say(" may create it now."),
                    None => line,
                }
            }
            (0, false) => line.say(". It is carried out now."),
            (left, _) => line.say(format!(". {} still needed.", count(left, "approval is", "approvals are"))),
        };
        Ok(View::sentence(line))
    }

    /// Whether this person's approval would count now.
    pub(in crate::bot) async fn may_approve(&self, ask: &Ask<'_>, id: &str) -> Result<(), Failure> {
        let approval = self.request_of(ask, id).await?;
        self.may_decide(ask, &approval).await?;
        self.would_count(ask, &approval).await
    }

    /// Whether their approval would count, with a proof where the request wants one.
    async fn would_count(&self, ask: &Ask<'_>, approval: &Approval) -> Result<(), Failure> {
        let held = self.held_part(approval).await?;
        let approve = Command::Approve { by: ask.actor.clone(), proof: None };
        match decide(Some(held.as_ref().unwrap_or(approval)), approve, ask.now) {
            // Said last: nothing else is missing.
            Ok(_) | Err(Refusal::NeedsProof) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    pub(in crate::bot) async fn reject(&self, ask: &Ask<'_>, id: &str, reason: &str) -> CommandResult {
        let approval = self.request_of(ask, id).await?;
        self.may_decide(ask, &approval).await?;
        let command = Command::Reject { by: ask.actor.clone(), reason: reason.into() };
        if let Some(view) = self.decide_on_held(ask, &approval, command.clone()).await? {
            return Ok(view);
        }
        let changed = self.change_request(ask, &approval.id, command).await?;
        let line = Line::new().say("You rejected: ").strong(changed.state.request.action.title());
        Ok(View::sentence(line.say(". The requester will see your reason.")))
    }

    pub(in crate::bot) async fn cancel(&self, ask: &Ask<'_>, id: &str) -> CommandResult {
        let approval = self.request_of(ask, id).await?;
        if !approval.children.is_empty() {
            return self.cancel_bundle(ask, &approval).await;
        }
        let changed = self.change_request(ask, &approval.id, Command::Cancel { by: ask.actor.clone() }).await?;
        let title = changed.state.request.action.title();
        if changed.state.status() == Status::Cancelled {
            let line = Line::new().say("Withdrawn: ").strong(title).say(". Nothing of it was done.");
            return Ok(View::sentence(line));
        }
        let line = Line::new().say("Given up: ").strong(title);
        Ok(View::sentence(line.say(". What is done stays done; the card says what is not.")))
    }

    pub(in crate::bot) async fn saved(&self, ask: &Ask<'_>, id: &str, key: Option<&str>) -> CommandResult {
        let approval = self.request_of(ask, id).await?;
        let saved = Command::Saved { by: ask.actor.clone(), key: key.map(Box::from) };
        let changed = self.change_request(ask, &approval.id, saved).await?.state;
        let line = Line::new().say("Noted: ").strong(shown(changed.request.action.target(0), 80)).say(" is saved.");
        let mut view = View::sentence(line);
        if changed.is_rotation() {
            view = view
                .line(
                    Line::new()
                        .say("Put it into use; ")
                        .strong(shown(changed.request.action.target(1), 80))
                        .say(" works on until you revoke it."),
                )
                .controls(controls_for(&changed, self.reader_of(ask, &changed).await));
        }
        Ok(view)
    }

    pub(in crate::bot) async fn retry(&self, ask: &Ask<'_>, id: &str) -> CommandResult {
        let approval = self.request_of(ask, id).await?;
        if approval.is_bundle() {
            return self.retry_bundle(ask, &approval).await;
        }
        // Somebody may have done it by hand: what is there is not done again.
        let looked = self.settle_seen(ask, &approval).await?;
        if looked.done > 0 && looked.missing.is_empty() {
            return Ok(View::sentence("Sekoia has it already: nothing was sent."));
        }
        if approval.status() == Status::Succeeded && resend::waits_for_guests(&approval) {
            let view = View::sentence("Everything was sent, and not everybody has accepted yet.")
                .line("Send again replaces their invitations by new ones, after an approval.");
            return Ok(view.controls(vec![Control::button("Send again", resend::words(&approval.id))]));
        }
        let changed = self.change_request(ask, &approval.id, Command::Again).await?.state;
        let left = changed.count(|i| matches!(i, Item::Waiting));
        let line = if changed.waits_for_a_press(0) {
            "You may press \"Create and show\" again.".to_owned()
        } else {
            format!("Trying {} again. What is done stays done.", count(left, "call", "calls"))
        };
        Ok(View::sentence(line))
    }

    /// What Sekoia refused becomes a task for a person.
    pub(in crate::bot) async fn by_hand(&self, ask: &Ask<'_>, id: &str) -> CommandResult {
        let approval = self.request_of(ask, id).await?;
        if approval.is_bundle() {
            return self.parts_by_hand(ask, &approval).await;
        }
        let mut changed = None;
        for (item, state) in approval.items.iter().enumerate() {
            if let Item::Failed { why, .. } = state {
                let outcome = Outcome::ByHand { why: why.clone() };
                changed =
                    Some(self.change_request(ask, &approval.id, Command::Report { item, sends: None, outcome }).await?);
            }
        }
        if changed.is_none() {
            return Err(Refusal::NothingToDo.into());
        }
        Ok(View::sentence("The card now shows the exact values, and where to enter them."))
    }

    pub(in crate::bot) async fn freeze(&self, ask: &Ask<'_>, reason: Option<&str>) -> CommandResult {
        let by = Actor::Person(ask.actor.clone());
        let reason = reason.map(str::trim);
        let changed = self.approvals.freeze(reason, &by, ask.now, ask.settles.row()).await?;
        // Where it is so already, nothing was committed.
        if changed {
            ask.settles.end();
        }
        tracing::warn!(actor = ask.actor.as_str(), frozen = reason.is_some(), changed, "execution");
        self.outbox.wake();
        let waiting = self.approvals.open().await?.len();
        Ok(match (reason, changed) {
            (Some(_), true) => View::sentence(Line::marked(&format!(
                "Frozen: nothing sensitive is carried out in any channel until an approver types `/sekoia unfreeze`. Every open channel reads it, with your name and your reason. {} not settled. Keys whose secret was lost are still revoked.",
                count(waiting, "request is", "requests are")
            ))),
            (None, true) => View::sentence(
                "Unfrozen: what was approved is carried out again. Every open channel reads it, with your name.",
            ),
            (Some(_), false) => match self.approvals.frozen().await? {
                Some(frozen) => View::sentence(frozen_line(&frozen)),
                None => View::sentence("Frozen."),
            },
            (None, false) => View::sentence("Nothing is frozen."),
        })
    }

    /// What time does to requests: it runs out.
    pub(in crate::bot) async fn expire_due(&self, now: Timestamp) -> Result<(), StoreError> {
        for work in self.sessions.store().due(crate::store::WorkKind::Open, now, 32).await? {
            self.change_due(&work, Command::Expire, now).await?;
        }
        Ok(())
    }

    /// Changes the request whose work is due because of its time.
    pub(super) async fn change_due(&self, work: &Work, command: Command, now: Timestamp) -> Result<(), StoreError> {
        let id = ApprovalId::from(work.key.as_str());
        let change = |state: Option<&Approval>| decide(state, command.clone(), now);
        let (mut finished, mut postponed) = (Vec::new(), Vec::new());
        match self.approvals.change(&id, &Actor::Bot, now, Some(work.finished()), change).await {
            Ok(changed) => {
                self.note_changes("bot", &changed);
                return Ok(());
            }
            // One that cannot be read or changed keeps nobody else waiting.
            Err(
                error @ (ChangeError::Store(_) | ChangeError::Newer | ChangeError::Contended | ChangeError::Superseded),
            ) => {
                tracing::error!(%error, request = id.as_str(), kind = work.kind.name(), "its time has to wait");
                postponed.push((work.finished(), now + UNREADABLE_LOOKED_AT_AFTER));
            }
            // It was settled, or is under way: its time means nothing any more.
            Err(ChangeError::Refused(_)) => finished.push(work.finished()),
        }
        let commit = Commit { finished, postponed, ..Commit::default() };
        self.sessions.store().commit(commit).await.map(|_| ()).map_err(crate::bot::inbox::only_store)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Request(ChangeError::Refused(refusal))
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(error) => error.into(),
            error => Failure::Request(error),
        }
    }
}
