//! A bundle carried out: its parts become requests when their turn comes, by what Sekoia lacks
//! then, and what those come to is recorded of the parts.

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::facts::Needs;
use crate::bot::Bot;
use crate::bot::approvals::execute::StopReason;
use crate::bot::approvals::submit::salt_for;
use crate::chat::text::{same, shown};
use crate::domain::action::{BundleFacts, BundlePart, Lacks, Named, Prepared};
use crate::domain::approval::{
    Approval, ApprovalId, Audience, BundleRef, Command, Event, How, Item, Outcome, Request, Stage, Status, decide,
};
use crate::sekoia::{SekoiaError, in_background};
use crate::state::approvals::{ChangeError, PartChange};
use crate::store::StoreError;
use crate::timing::approvals::{ABSENT_LOOKED_AT_AFTER, CALL_LONGEST_WAIT, FROZEN_LOOK};

impl Bot {
    /// Does the next thing that there is to do of a bundle.
    pub(in crate::bot::approvals) async fn bundle_step(&self, bundle: &Approval) -> Result<(), StopReason> {
        if self.follow_parts(bundle).await? {
            return Ok(());
        }
        let due = bundle.parts_due();
        if due.is_empty() {
            return Err(StopReason::Rest);
        }
        if !bundle.is_as_approved() {
            error!(request = bundle.id.as_str(), "the stored action is not the one that was approved");
            let why = "the stored action is not the one that was approved".into();
            self.commit_as_bot(&bundle.id, Command::ReportRest { outcome: Outcome::Failed { why } }).await?;
            return Err(StopReason::Rest);
        }
        if let Some(held) = &self.still(bundle).await?.held {
            let wait = if held.needs_somebody() { ABSENT_LOOKED_AT_AFTER } else { self.approvals.timing.lease };
            return Err(StopReason::Until(Timestamp::now() + wait));
        }
        if self.approvals.frozen().await?.is_some() {
            return Err(StopReason::Until(Timestamp::now() + FROZEN_LOOK));
        }
        let Some(own) = own(bundle) else { return Err(StopReason::Rest) };
        let needs = Needs::of_parts(due.iter().filter_map(|item| bundle.part(*item)), &own);
        let lists = match in_background(self.bundle_lists(&own, &needs)).await {
            Ok(lists) => lists,
            Err(SekoiaError::Paused { wait } | SekoiaError::Busy { wait }) => {
                return Err(StopReason::Until(Timestamp::now() + wait));
            }
            Err(error) if error.may_pass() => {
                warn!(%error, "it is not known what is missing; the bundle goes on later");
                let wait = self.timing.execution.until_gone.min(CALL_LONGEST_WAIT);
                return Err(StopReason::Until(Timestamp::now() + wait));
            }
            Err(error) => {
                let why: Box<str> = format!("Sekoia did not say what is there: {error}").into();
                for item in due {
                    let outcome = Outcome::Failed { why: why.clone() };
                    self.commit_as_bot(&bundle.id, Command::Report { item, sends: None, outcome }).await?;
                }
                return Ok(());
            }
        };
        let facts = lists.facts(own, Timestamp::now());
        for item in due {
            self.begin_part(bundle, item, &facts).await?;
        }
        Ok(())
    }

    /// Records what parts came to; false if there is nothing new.
    async fn follow_parts(&self, bundle: &Approval) -> Result<bool, StoreError> {
        let mut changed = false;
        for (item, child) in self.children(bundle).await? {
            let command = match (&bundle.items[item], Command::follow(item, &child)) {
                // Wanted again: begun when its turn comes.
                (Item::Waiting | Item::Done { .. }, _) => continue,
                (_, Some(report)) => report,
                // Somebody saw to it by its own id.
                (_, None) => Command::StartPart { item, child: child.id.clone() },
            };
            if decide(Some(bundle), command.clone(), Timestamp::now()).is_ok() {
                changed |= self.commit_as_bot(&bundle.id, command).await?.is_some();
            }
        }
        Ok(changed)
    }

    /// Begins a part whose turn it is: with the request that it had, with a new one, or without,
    /// because nothing is missing or something that it needs is.
    async fn begin_part(&self, bundle: &Approval, item: usize, facts: &BundleFacts<'_>) -> Result<(), StoreError> {
        let now = Timestamp::now();
        if let Some(id) = bundle.child(item)
            && let Some((version, child)) = self.approvals.read_with_version(id).await?
        {
            let command = match Command::follow(item, &child) {
                None => Some(Command::StartPart { item, child: id.clone() }),
                Some(report) if child.status() == Status::Succeeded => Some(report),
                Some(_) => None,
            };
            if let Some(command) = command {
                return self.commit_as_bot(&bundle.id, command).await.map(|_| ());
            }
            if let Ok(events) = decide(Some(&child), Command::Again, now) {
                let id = id.clone();
                return self.start_part(bundle, item, PartChange { id, version, state: Some(child), events }).await;
            }
        }
        let Some(part) = bundle.part(item) else { return Ok(()) };
        let outcome = match part.prepare(facts) {
            Ok(Some(prepared)) => {
                let Some(change) = new_request(bundle, item, prepared, now) else { return Ok(()) };
                return self.start_part(bundle, item, change).await;
            }
            Ok(None) => Outcome::Done { uuid: None, how: How::There },
            Err(lacks) => Outcome::Failed { why: self.reason(bundle, &lacks).await? },
        };
        self.commit_as_bot(&bundle.id, Command::Report { item, sends: None, outcome }).await.map(|_| ())
    }

    /// Commits that a part begins, with the request that carries it out.
    async fn start_part(&self, bundle: &Approval, item: usize, part: PartChange) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let command = Command::StartPart { item, child: part.id.clone() };
        let on = |state: Option<&Approval>| decide(state, command.clone(), now);
        match self.approvals.change_with_part(&bundle.id, now, on, &part).await {
            Ok(changed) => {
                self.note_changes("bot", &changed);
                Ok(())
            }
            Err(ChangeError::Store(error)) => Err(error),
            // Somebody changed one of the two: it is looked at again.
            Err(error) => {
                info!(%error, request = bundle.id.as_str(), "a part does not begin now");
                Ok(())
            }
        }
    }

    /// Why a part cannot be carried out: what it needs is a part that came to nothing, or is gone.
    async fn reason(&self, bundle: &Approval, lacks: &Lacks) -> Result<Box<str>, StoreError> {
        let (what, name, item) = match lacks {
            Lacks::Wrong(problem) => return Ok(problem.text.plain().into()),
            Lacks::Community(name) => {
                let creates = |part: &BundlePart| matches!(part, BundlePart::Communities { communities, .. } if communities.iter().any(|c| same(&c.name, name)));
                ("community", name, bundle.request.action.parts().iter().position(creates))
            }
            Lacks::Role { role, .. } => {
                let creates = |part: &BundlePart| matches!(part, BundlePart::Role { name, .. } if same(name, role));
                ("role", role, bundle.request.action.parts().iter().position(creates))
            }
        };
        let needed = format!("it needs the {what} {}", shown(name, 60));
        let Some(item) = item else { return Ok(format!("{needed}, which Sekoia does not show any more").into()) };
        let child = match bundle.child(item) {
            Some(id) => self.approvals.read(id).await?,
            None => None,
        };
        let why = child.and_then(|child| {
            let target = (0..child.items.len()).find(|i| same(child.request.action.target(*i), name))?;
            said(&child.items[target])
        });
        let why = why.or_else(|| bundle.items.get(item).and_then(said));
        Ok(match why {
            Some(why) => format!("{needed}, which was not created: {why}").into(),
            None => format!("{needed}, which Sekoia does not show").into(),
        })
    }
}

fn said(item: &Item) -> Option<Box<str>> {
    match item {
        Item::Failed { why, .. } | Item::ByHand { why, .. } | Item::Unknown { why, .. } => Some(why.clone()),
        _ => None,
    }
}

fn own(bundle: &Approval) -> Option<Named> {
    match &bundle.request.action {
        crate::domain::action::Action::Bundle { community, .. } => Some(community.clone()),
        _ => None,
    }
}

/// The request that carries out a part: approved, because the bundle is.
fn new_request(bundle: &Approval, item: usize, prepared: Prepared, now: Timestamp) -> Option<PartChange> {
    let by = bundle.requester()?.clone();
    let owner = match bundle.part(item)? {
        BundlePart::Key { owner, .. } => owner.clone(),
        _ => None,
    };
    // One that came to an end without being carried out is followed by another.
    let id = ApprovalId::of(&format!("{}/{item}/{}", bundle.id, now.as_nanosecond()));
    let salt = salt_for(&prepared.action);
    let request = Box::new(Request {
        hash: prepared.action.hash(&salt),
        salt,
        action: prepared.action,
        risks: prepared.risks,
        account: prepared.account,
        bundle: Some(BundleRef { id: bundle.id.clone(), item, by: by.clone() }),
        // Those who decide heard of the bundle.
        audience: Audience::default(),
        reminders: Vec::new(),
        escalates: None,
        ..bundle.request.clone()
    });
    let (votes, escalated) = (bundle.votes.clone(), bundle.escalated.clone());
    let ask = Command::AskApproved { id: id.clone(), request, asked: owner.unwrap_or(by), votes, escalated };
    let events: Vec<Event> = decide(None, ask, now).ok()?;
    matches!(bundle.stage, Stage::Approved).then_some(PartChange { id, version: 0, state: None, events })
}
