//! Who a request rests on, looked at again when it is carried out.

use jiff::Timestamp;

use super::{Absent, Approval, Command, Event, Gone, Held, Item, Part, Proof, Refusal, Stage, proof};
use crate::chat::UserId;

impl Approval {
    /// Those on whom the request rests: who asked, who is to keep a key, and who approved.
    pub fn rests_on(&self) -> Vec<(UserId, Part)> {
        let mut asked: Vec<(UserId, Part)> = Vec::new();
        asked.extend(self.requester().map(|user| (user.clone(), Part::Requester)));
        if let (Some(bundle), Some((_, part))) = (&self.request.bundle, asked.first_mut())
            && self.requester() != Some(&bundle.by)
        {
            *part = Part::Owner;
            asked.push((bundle.by.clone(), Part::Requester));
        }
        asked.retain(|(user, _)| !self.excused.contains(user));
        asked.into_iter().chain(self.votes.iter().map(|vote| (vote.by.clone(), Part::Approver))).collect()
    }

    /// What follows from who is absent now; none if it may be carried out.
    pub fn held_by(&self, absent: Vec<Absent>) -> Option<Command> {
        match &self.held {
            None if absent.is_empty() => None,
            Some(_) if absent.is_empty() => Some(Command::Release),
            _ => Some(Command::Hold { who: absent }),
        }
    }

    /// Whether a person has to decide once more before anything is sent.
    pub fn needs_somebody(&self) -> bool {
        matches!(self.stage, Stage::Approved) && self.held.as_ref().is_some_and(Held::needs_somebody)
    }

    /// Whether an approver can put an end to it: a secret goes to who asked, and to nobody else.
    pub fn can_be_confirmed(&self) -> bool {
        let secret = self.request.action.is_secret(0) && !self.items.first().is_some_and(Item::is_done);
        let receives = |absent: &Absent| self.requester() == Some(&absent.user);
        let gone = |held: &Held, part| held.gone(part).is_some_and(receives);
        let nobody = |held: &Held| gone(held, Part::Requester) || gone(held, Part::Owner);
        self.needs_somebody() && !(secret && self.held.as_ref().is_some_and(nobody))
    }

    /// Whether nothing of it was sent, or is known of it.
    pub(super) fn is_unbegun(&self) -> bool {
        self.items.iter().all(|item| matches!(item, Item::Waiting))
    }
}

pub(super) fn hold(approval: &Approval, mut who: Vec<Absent>) -> Result<Event, Refusal> {
    // Somebody may have taken their place meanwhile.
    let on = approval.rests_on();
    who.retain(|absent| on.contains(&(absent.user.clone(), absent.part)));
    let same = approval.held.as_ref().is_some_and(|held| held.who == who);
    if same || who.is_empty() || !matches!(approval.stage, Stage::Approved) {
        return Err(Refusal::NothingToDo);
    }
    Ok(Event::Held { who })
}

/// An approver takes the place of one who is gone, or answers for who asked.
pub(super) fn confirm(
    approval: &Approval,
    by: &UserId,
    proof: Option<Box<Proof>>,
    now: Timestamp,
) -> Result<Event, Refusal> {
    let held = approval.held.as_ref().ok_or(Refusal::NothingToDo)?;
    if !approval.can_be_confirmed() {
        return Err(Refusal::NobodyToReceive);
    }
    if now >= approval.request.expires {
        return Err(Refusal::TooLate(crate::chat::view::minute(approval.request.expires)));
    }
    if !approval.is_as_approved() {
        return Err(Refusal::Altered);
    }
    if approval.is_asked_by(by) && !approval.request.self_approval {
        return Err(Refusal::OwnRequest);
    }
    if held.who.iter().any(|absent| absent.user == *by && absent.why != Gone::Unread) {
        return Err(Refusal::Held);
    }
    let replaces = held.gone(Part::Approver).map(|absent| absent.user.clone());
    if replaces.is_some() && approval.votes.iter().any(|vote| vote.by == *by) {
        return Err(Refusal::Twice(crate::chat::text::count(1, "approval", "approvals")));
    }
    proof::check(approval, proof.as_deref())?;
    let excuses = held.gone(Part::Requester).map(|absent| absent.user.clone());
    Ok(Event::Confirmed { hash: approval.request.hash.clone(), replaces, excuses, proof })
}

/// Whatever was not sent is not going to be.
pub(super) fn give_up(approval: &Approval, why: &str) -> Vec<Event> {
    let waiting = |i: &usize| matches!(approval.items[*i], Item::Waiting);
    (0..approval.items.len()).filter(waiting).map(|item| Event::Failed { item, why: why.into() }).collect()
}
