//! What people decide about a bundle once its parts are requests: it goes to those whom it concerns.

use crate::bot::approvals::read_back::Looked;
use crate::bot::failure::Failure;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::count;
use crate::chat::view::{Line, View};
use crate::domain::approval::{Approval, Command, Item, Outcome, Refusal, Stage};
use crate::state::approvals::ChangeError;

impl Bot {
    /// The first part that is on hold where the bundle itself is not.
    pub(in crate::bot::approvals) async fn held_part(&self, bundle: &Approval) -> Result<Option<Approval>, Failure> {
        if !bundle.is_bundle() || bundle.needs_somebody() || !matches!(bundle.stage, Stage::Approved) {
            return Ok(None);
        }
        let mut children = self.children(bundle).await?.into_iter().map(|(_, child)| child);
        Ok(children.find(Approval::needs_somebody))
    }

    /// Decides about parts that are on hold where the bundle itself is not; none if there are none.
    pub(in crate::bot::approvals) async fn decide_on_held(
        &self,
        ask: &Ask<'_>,
        bundle: &Approval,
        command: Command,
    ) -> Result<Option<View>, Failure> {
        if self.held_part(bundle).await?.is_none() {
            return Ok(None);
        }
        let mut parts = 0;
        for (_, child) in self.children(bundle).await? {
            if child.needs_somebody() {
                self.change_request(ask, &child.id, command.clone()).await?;
                parts += 1;
            }
        }
        let said = if matches!(command, Command::Approve { .. }) { "You confirmed " } else { "You rejected " };
        let line = Line::new().say(format!("{said}{} of ", count(parts, "part", "parts")));
        Ok(Some(View::sentence(line.strong(bundle.request.action.title()).say("."))))
    }

    /// Gives up what was not begun, and what only waits for somebody.
    pub(in crate::bot::approvals) async fn cancel_bundle(&self, ask: &Ask<'_>, bundle: &Approval) -> CommandResult {
        let cancel = || Command::Cancel { by: ask.actor.clone() };
        let mut any = given_up(self.change_request(ask, &bundle.id, cancel()).await)?;
        for (_, child) in self.children(bundle).await? {
            if child.status().is_open() {
                any |= given_up(self.change_request(ask, &child.id, cancel()).await)?;
            }
        }
        if !any {
            return Err(Refusal::UnderWay.into());
        }
        let line = Line::new().say("Given up: ").strong(bundle.request.action.title());
        Ok(View::sentence(line.say(". What is done stays done; the card says what is not.")))
    }

    pub(in crate::bot::approvals) async fn retry_bundle(&self, ask: &Ask<'_>, bundle: &Approval) -> CommandResult {
        // Somebody may have done it by hand: what is there is not done again.
        self.settle_parts(ask, bundle).await?;
        let changed = self.change_request(ask, &bundle.id, Command::Again).await?.state;
        let left = changed.count(|i| matches!(i, Item::Waiting));
        Ok(View::sentence(format!("Trying {} again. What is done stays done.", count(left, "part", "parts"))))
    }

    /// Marks as done what a person could have settled of any part and Sekoia shows.
    pub(in crate::bot::approvals) async fn settle_parts(
        &self,
        ask: &Ask<'_>,
        bundle: &Approval,
    ) -> Result<Looked, Failure> {
        let mut looked = Looked { done: 0, missing: Vec::new() };
        for (item, child) in self.children(bundle).await? {
            if bundle.items[item].is_done() {
                continue;
            }
            let of_child = self.settle_seen(ask, &child).await?;
            looked.done += of_child.done;
            looked.missing.extend(of_child.missing);
        }
        Ok(looked)
    }

    /// What Sekoia refused of any part becomes a task for a person.
    pub(in crate::bot::approvals) async fn parts_by_hand(&self, ask: &Ask<'_>, bundle: &Approval) -> CommandResult {
        let mut any = false;
        for (_, child) in self.children(bundle).await? {
            for (item, state) in child.items.iter().enumerate() {
                if let (Item::Failed { why, .. }, Stage::Approved) = (state, &child.stage) {
                    let outcome = Outcome::ByHand { why: why.clone() };
                    self.change_request(ask, &child.id, Command::Report { item, sends: None, outcome }).await?;
                    any = true;
                }
            }
        }
        if !any {
            return Err(Refusal::NothingToDo.into());
        }
        Ok(View::sentence("The card now shows the exact values, and where to enter them."))
    }
}

/// Whether something was given up; that it cannot be is no failure.
fn given_up<T>(changed: Result<T, Failure>) -> Result<bool, Failure> {
    match changed {
        Ok(_) => Ok(true),
        Err(Failure::Request(ChangeError::Refused(_))) => Ok(false),
        Err(failure) => Err(failure),
    }
}
