//! Which events a command leads to, or why it is refused.

use jiff::Timestamp;

use super::{Approval, Command, Event, How, Item, Outcome, Refusal, Stage, Status, bundle, held, proof};
use crate::chat::view::minute;
use crate::chat::{Actor, UserId};
use crate::domain::checklist::MAX_REASON;

/// Why a key is revoked whose requester says that the secret is lost.
pub const SECRET_LOST: &str = "the requester lost its secret";

/// Which events `command` leads to. `None` is a request that does not exist.
pub fn decide(state: Option<&Approval>, command: Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let Some(approval) = state else {
        return match command {
            Command::Ask { id, request } => Ok(vec![Event::Requested { id, request }]),
            Command::AskApproved { request, votes, .. }
                if request.second_factor && votes.iter().any(|vote| vote.proof.is_none()) =>
            {
                Err(Refusal::NeedsProof)
            }
            Command::AskApproved { id, request, asked, votes, escalated } => {
                Ok(vec![Event::AskedApproved { id, request, asked, votes, escalated }])
            }
            _ => Err(Refusal::NoSuch),
        };
    };
    let event = match command {
        Command::Ask { .. } | Command::AskApproved { .. } => {
            return Err(Refusal::Already("That was asked already.".into()));
        }
        Command::Posted { message, replaces } => Event::CardPosted { message, replaces },
        Command::Approve { by, proof } if approval.needs_somebody() => held::confirm(approval, &by, proof, now)?,
        Command::Approve { by, proof } => {
            requested(approval, now)?;
            if approval.requester() == Some(&by) && !approval.request.self_approval {
                return Err(Refusal::OwnRequest);
            }
            if approval.votes.iter().any(|vote| vote.by == by) {
                let left = usize::from(approval.request.needed) - approval.votes.len();
                return Err(Refusal::Twice(crate::chat::text::count(left, "approval", "approvals")));
            }
            if !approval.is_as_approved() {
                return Err(Refusal::Altered);
            }
            proof::check(approval, proof.as_deref())?;
            Event::Approved { hash: approval.request.hash.clone(), proof }
        }
        Command::Reject { by: _, reason } => {
            let held = approval.needs_somebody();
            if !held {
                requested(approval, now)?;
            }
            let reason = reason.trim();
            let length = reason.chars().count();
            if reason.is_empty() {
                return Err(Refusal::NoReason(approval.id.clone()));
            }
            if length > MAX_REASON {
                return Err(Refusal::ReasonTooLong(length));
            }
            if held && !approval.is_unbegun() {
                return Ok(held::give_up(approval, &format!("rejected: {reason}")));
            }
            Event::Rejected { reason: reason.into() }
        }
        Command::Cancel { by } => {
            if !approval.is_asked_by(&by) {
                return Err(Refusal::NotRequester);
            }
            if approval.is_bundle() && matches!(approval.stage, Stage::Approved) && !approval.is_unbegun() {
                return bundle::give_up(approval);
            }
            if approval.status() == Status::Held && !approval.is_unbegun() {
                return Ok(held::give_up(approval, "given up by who asked"));
            }
            if let Some(given_up) = given_up(approval) {
                return Ok(given_up);
            }
            cancellable(approval)?;
            Event::Cancelled
        }
        Command::Expire => {
            if !approval.is_over(now) {
                return Err(Refusal::NothingToDo);
            }
            match approval.status() {
                // Approved: a key that nobody came for, or something that was frozen all the time.
                Status::Requested | Status::Approved => Event::Expired,
                Status::Held if approval.is_unbegun() => Event::Expired,
                Status::Held => {
                    return Ok(held::give_up(approval, "nobody confirmed it in time"));
                }
                _ => return Err(Refusal::NothingToDo),
            }
        }
        Command::Escalate { to } => {
            requested(approval, now)?;
            let due = approval.request.escalates.is_some_and(|at| at <= now);
            if !due || approval.escalated.is_some() || to.is_empty() {
                return Err(Refusal::NothingToDo);
            }
            Event::Escalated { to }
        }
        Command::Start => {
            let item = approval.next_call().filter(|_| !approval.is_bundle()).ok_or(Refusal::NothingToDo)?;
            start(approval, item, None)?
        }
        Command::StartPart { item, child } => bundle::start_part(approval, item, child)?,
        Command::Press { item, by, clock } => press(approval, item, &by, clock, now)?,
        // An earlier send was given up, and another one may be under way.
        Command::Report { item, sends: Some(sends), .. } if sends != approval.sends(item) => {
            return Err(Refusal::NothingToDo);
        }
        Command::Report { item, outcome, .. } => report(approval, item, outcome)?,
        Command::ReportRest { outcome } => {
            let rest = (0..approval.items.len())
                .filter(|i| matches!(approval.items[*i], Item::Waiting) && !approval.waits_for_a_press(*i));
            let events = rest.filter_map(|item| match &outcome {
                Outcome::Failed { why } => Some(Event::Failed { item, why: why.clone() }),
                Outcome::ByHand { why } => Some(Event::ByHand { item, why: why.clone() }),
                _ => None,
            });
            let events: Vec<Event> = events.collect();
            return if events.is_empty() { Err(Refusal::NothingToDo) } else { Ok(events) };
        }
        Command::Shown { item } => match approval.items.get(item) {
            Some(Item::Created { shown: false, .. }) => Event::Shown { item },
            _ => return Err(Refusal::NothingToDo),
        },
        Command::ConfirmBy { item, until: by } => match approval.items.get(item) {
            Some(Item::Created { lost: None, until, .. }) if *until > by => Event::ConfirmBy { item, until: by },
            _ => return Err(Refusal::NothingToDo),
        },
        Command::Withdraw { item, why } => match approval.items.get(item) {
            Some(Item::Created { lost: None, .. }) => Event::Withdrawing { item, why },
            _ => return Err(Refusal::NothingToDo),
        },
        Command::Saved { by, key } => {
            if approval.requester() != Some(&by) {
                return Err(not_theirs(approval));
            }
            match approval.items.first() {
                Some(Item::Created { uuid, until, lost, .. }) => {
                    let other = key.is_some_and(|key| !uuid.starts_with(&*key));
                    if other || lost.is_some() || now >= *until {
                        return Err(Refusal::Revoked);
                    }
                    Event::Done { item: 0, uuid: None, how: How::Confirmed }
                }
                Some(Item::Done { .. }) => return Err(Refusal::Already("You already said that it is saved.".into())),
                Some(Item::Waiting) if matches!(approval.stage, Stage::Approved) => return Err(Refusal::Revoked),
                _ => return Err(Refusal::NothingToDo),
            }
        }
        Command::Lost { by, key } => {
            if approval.requester() != Some(&by) {
                return Err(not_theirs(approval));
            }
            match approval.items.first() {
                Some(Item::Created { uuid, shown: true, lost: None, .. })
                    if key.is_none_or(|key| uuid.starts_with(&*key)) =>
                {
                    Event::Withdrawing { item: 0, why: SECRET_LOST.into() }
                }
                Some(Item::Created { lost: Some(_), .. }) => {
                    return Err(Refusal::Already("The key is being revoked already.".into()));
                }
                Some(Item::Created { shown: true, .. }) => return Err(Refusal::Revoked),
                Some(Item::Waiting) if matches!(approval.stage, Stage::Approved) => {
                    return Err(Refusal::Already(
                        "There is no key whose secret could be lost: it is not created, or it was revoked.".into(),
                    ));
                }
                Some(Item::Done { .. }) => {
                    let saved =
                        "You already said that it is saved. To revoke it all the same, type `/sekoia key revoke`.";
                    return Err(Refusal::Already(saved.into()));
                }
                _ => return Err(Refusal::NothingToDo),
            }
        }
        Command::Again => {
            let again = |i: &Item| matches!(i, Item::Failed { .. } | Item::ByHand { .. } | Item::Unknown { .. });
            if !matches!(approval.stage, Stage::Approved) || !approval.items.iter().any(again) {
                return Err(Refusal::NothingToDo);
            }
            if approval.is_over(now) {
                return Err(Refusal::TooLate(minute(approval.request.expires)));
            }
            Event::Again
        }
        Command::Hold { who } => held::hold(approval, who)?,
        Command::Release if approval.held.is_some() => Event::Released,
        Command::Release => return Err(Refusal::NothingToDo),
        Command::Guests { guests } => {
            if guests == approval.guests {
                return Err(Refusal::NothingToDo);
            }
            Event::Guests { guests }
        }
    };
    Ok(vec![event])
}

/// Whether it still waits for a decision; otherwise who was first.
fn requested(approval: &Approval, now: Timestamp) -> Result<(), Refusal> {
    let decided = |what, by: &Actor, at| Refusal::Decided { what, by: by.clone(), at, reason: None };
    match &approval.stage {
        Stage::Requested if approval.is_over(now) => Err(Refusal::TooLate(minute(approval.request.expires))),
        Stage::Requested => Ok(()),
        Stage::Approved => Err(match approval.votes.last() {
            Some(vote) => decided("approved", &Actor::Person(vote.by.clone()), vote.at),
            None => Refusal::NothingToDo,
        }),
        Stage::Rejected { reason, change } => Err(Refusal::Decided {
            what: "rejected",
            by: change.by.clone(),
            at: change.at,
            reason: Some(reason.clone()),
        }),
        Stage::Cancelled { change } => Err(decided("withdrawn", &change.by, change.at)),
        Stage::Expired { at } => Err(Refusal::TooLate(minute(*at))),
    }
}

/// What is left to a person, and nobody is going to do: what is done stays done.
fn given_up(approval: &Approval) -> Option<Vec<Event>> {
    let some_done = approval.count(Item::is_done) > 0;
    let left = |i: &usize| match approval.items[*i] {
        Item::Unknown { .. } => true,
        Item::ByHand { .. } => some_done,
        _ => false,
    };
    let events: Vec<Event> = (0..approval.items.len())
        .filter(left)
        .map(|item| Event::Failed { item, why: "given up by who asked".into() })
        .collect();
    let open = matches!(approval.status(), Status::ByHand | Status::Unknown);
    (open && !events.is_empty()).then_some(events)
}

/// Nothing of it was sent, or the rest is a person's to do.
fn cancellable(approval: &Approval) -> Result<(), Refusal> {
    match approval.status() {
        Status::Requested | Status::Approved | Status::Held | Status::ByHand => Ok(()),
        Status::Executing => Err(Refusal::UnderWay),
        Status::Cancelled => Err(Refusal::Already("Already cancelled.".into())),
        Status::Handover => Err(Refusal::Already("The key exists already; `/sekoia key revoke` revokes it.".into())),
        status => Err(Refusal::Already(format!("Too late: it is {}.", status.name()))),
    }
}

fn start(approval: &Approval, item: usize, clock: Option<Timestamp>) -> Result<Event, Refusal> {
    if !approval.is_as_approved() {
        return Err(Refusal::Altered);
    }
    if approval.held.is_some() {
        return Err(Refusal::Held);
    }
    Ok(Event::Started { item, target: approval.request.action.target(item).into(), clock, child: None })
}

/// Why somebody else than the person whose key it is may not have it.
fn not_theirs(approval: &Approval) -> Refusal {
    if approval.request.bundle.is_some() { Refusal::NotKeeper } else { Refusal::NotRequester }
}

fn press(
    approval: &Approval,
    item: usize,
    by: &UserId,
    clock: Option<Timestamp>,
    now: Timestamp,
) -> Result<Event, Refusal> {
    if approval.requester() != Some(by) {
        return Err(not_theirs(approval));
    }
    match &approval.stage {
        Stage::Requested => return Err(Refusal::NotApproved),
        Stage::Approved => {}
        Stage::Rejected { .. } | Stage::Cancelled { .. } | Stage::Expired { .. } => {
            return requested(approval, now).and(Err(Refusal::NothingToDo));
        }
    }
    if !approval.waits_for_a_press(item) {
        return Err(Refusal::NothingToDo);
    }
    if item > 0 && !approval.items[..item].iter().all(Item::is_done) {
        return Err(Refusal::Already("Say first that the new key is saved.".into()));
    }
    match approval.items.get(item) {
        // The replaced key may be revoked whenever its owner is ready.
        Some(Item::Waiting) if item == 0 && approval.is_over(now) => {
            Err(Refusal::TooLate(minute(approval.request.expires)))
        }
        Some(Item::Waiting) => start(approval, item, clock),
        Some(Item::Started { .. } | Item::Unclear { .. }) => Err(Refusal::UnderWay),
        Some(Item::Created { .. }) => Err(Refusal::Already(
            "The key was created and shown. Say that it is saved, or wait: unconfirmed, it is revoked, and you may press again.".into(),
        )),
        Some(Item::Done { .. }) => Err(Refusal::Already("That is done already.".into())),
        _ => Err(Refusal::NothingToDo),
    }
}

/// A report fits the state that it is about, so that a late one changes nothing.
fn report(approval: &Approval, item: usize, outcome: Outcome) -> Result<Event, Refusal> {
    let current = approval.items.get(item).ok_or(Refusal::NothingToDo)?;
    let under_way = matches!(current, Item::Started { .. } | Item::Unclear { .. });
    let fits = match &outcome {
        Outcome::NotSent { .. } | Outcome::ProvenAbsent | Outcome::Created { .. } | Outcome::Failed { .. } => under_way,
        Outcome::Unclear { .. } => matches!(current, Item::Started { .. }),
        Outcome::ByHand { .. } => under_way || matches!(current, Item::Failed { .. }),
        Outcome::Unknown { .. } => under_way || matches!(current, Item::Created { .. }),
        Outcome::Withdrawn { .. } => under_way || matches!(current, Item::Created { .. } | Item::Unknown { .. }),
        // Whatever was thought of it: Sekoia has it.
        Outcome::Done { .. } => !current.is_done(),
    };
    let fits = if approval.is_bundle() { bundle::is_new(current, &outcome) } else { fits };
    if !fits {
        return Err(Refusal::NothingToDo);
    }
    Ok(match outcome {
        Outcome::NotSent { why } => Event::NotSent { item, why },
        Outcome::Unclear { why } => Event::Unclear { item, why },
        Outcome::ProvenAbsent => Event::ProvenAbsent { item },
        Outcome::Created { uuid, until } => Event::Created { item, uuid, until },
        Outcome::Withdrawn { why } => Event::Withdrawn { item, why },
        Outcome::Done { uuid, how } => Event::Done { item, uuid, how },
        Outcome::Failed { why } => Event::Failed { item, why },
        Outcome::ByHand { why } => Event::ByHand { item, why },
        Outcome::Unknown { why } => Event::Unknown { item, why },
    })
}
