//! What a change of a request owes: its card, its place on the checklist, notices to people, calls to be made, a time to end.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::approvals::Approvals;
use super::freeze::Announcement;
use super::stream::{self, Next};
use crate::chat::{Actor, ChannelKey, UserId};
use crate::domain::action::Action;
use crate::domain::approval::{Approval, ApprovalId, Command, Event, Guest, Item, SECRET_LOST, Stage, Status};
use crate::domain::checklist::StepId;
use crate::domain::checklist::steps::quickstart::Product;
use crate::store::{Schedule, WorkKind};

/// The second part of the key of a [`WorkKind::VoteReminder`] that says that a request was escalated.
pub const ESCALATED: &str = "escalated";

/// What one person is to be told of a request, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestUpdate {
    /// It is new, and the reader can decide it.
    ToDecide,
    /// It still waits for a decision, which can be the reader's.
    Reminder,
    /// It was not decided in time, so that the reader can decide it too.
    Escalated,
    /// A key may be created now.
    Ready,
    /// It came to this.
    Outcome,
    /// It was asked for, and provably did not come into being.
    NotCreated,
    /// A secret was lost and its key revoked.
    Withdrawn,
    /// The same, because the requester said so.
    SecretLost,
    /// Invitations were not taken within their 24 hours.
    Lapsed,
    /// Somebody on whom it rests is gone, so that it is not carried out.
    Held,
}

/// The body of a [`WorkKind::Notice`]: what one person is owed, in a conversation of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// Who asked for the request that the key begins with, or somebody else whom it concerns.
    Request {
        /// Of an earlier name.
        #[serde(rename = "news")]
        update: RequestUpdate,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<UserId>,
    },
    /// The quick start, as it was posted in a channel.
    QuickStart { to: UserId, from: ChannelKey, by: Actor, products: Box<[Product]> },
    /// A step is theirs now.
    Assigned { to: UserId, channel: ChannelKey, step: StepId, by: Actor },
    /// Steps of theirs are due, on the day of the reminder or soon after it.
    Reminder { to: UserId, on: Date },
    Line {
        to: UserId,
        text: String,
        /// Where the text names this channel by its id, its name is shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<ChannelKey>,
        /// What a link leads to, in that channel.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        see: Option<See>,
    },
}

/// The body of a [`WorkKind::Announce`] that says where people log in, for everybody in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedAddress {
    pub shared_in: ChannelKey,
    pub by: Actor,
}

/// The body of a [`WorkKind::Announce`] that brings the quick start to everybody in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedQuickStart {
    pub quick_start_in: ChannelKey,
    pub by: Actor,
    pub products: Box<[Product]>,
}

/// The body of a [`WorkKind::VoteReminder`]: for which moment it is planned, however long it is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedReminder {
    pub at: Timestamp,
}

/// The body of a [`WorkKind::Announce`] that reminds in the thread of a request's card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadReminder {
    pub remind_in: ChannelKey,
    pub of: ApprovalId,
    /// It is for those alone to whom the request was escalated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalated: bool,
}

/// What a [`WorkKind::Announce`] may say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Announced {
    Address(SharedAddress),
    QuickStart(PostedQuickStart),
    Reminder(ThreadReminder),
    Freeze(Announcement),
}

impl Announced {
    /// Where it is said; none: in every open channel.
    pub fn channel(&self) -> Option<&ChannelKey> {
        match self {
            Self::Address(shared) => Some(&shared.shared_in),
            Self::QuickStart(posted) => Some(&posted.quick_start_in),
            Self::Reminder(reminder) => Some(&reminder.remind_in),
            Self::Freeze(announcement) => announcement.channel.as_ref(),
        }
    }
}

/// A message of the bot's that stands in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum See {
    Checklist,
    Card(ApprovalId),
}

impl Approvals {
    /// What is owed because of a change.
    pub(super) fn owed(&self, next: &Next<'_, Approval>) -> Vec<Schedule> {
        let Next { before, after, version, events, at: now } = *next;
        let id = after.id.as_str();
        let work = |kind, due| Schedule { kind, key: id.to_owned(), due, attempts: 0, body: String::new() };
        let mut owed = Vec::new();
        let status = after.status();
        let new_status = before.map(Approval::status) != Some(status);
        let posted = events.iter().all(|event| matches!(event, Event::CardPosted { .. }));
        if new_status || (!posted && is_milestone(after)) {
            if shows(after) {
                let due = now + card_delay(after, self.timing.delivery.outcome);
                owed.push(Schedule { key: card_of(after).as_str().to_owned(), ..work(WorkKind::Card, due) });
            }
            owed.push(work(WorkKind::ChecklistSync, now));
        }
        if let Some(bundle) = &after.request.bundle
            && new_status
            && [before, Some(after)].into_iter().flatten().any(came_to_something)
        {
            owed.push(Schedule { key: bundle.id.as_str().to_owned(), ..work(WorkKind::Execute, now) });
        }
        if new_status {
            owed.push(work(WorkKind::Open, open_until(after, status, now)));
            owed.extend(vote_reminder(before, after, now));
            owed.extend(escalation(before, after, now));
        }
        if events.iter().any(|event| matches!(event, Event::Escalated { .. })) {
            let (key, body) = (format!("{id}/{ESCALATED}"), stream::encode(&PlannedReminder { at: now }));
            owed.push(Schedule { key, body, ..work(WorkKind::VoteReminder, now) });
        }
        if let Some(due) = self.execution_due(after, now) {
            owed.push(work(WorkKind::Execute, due));
        }
        let invited = matches!(after.request.action, Action::Invite { .. }) && after.items.iter().any(Item::is_done);
        if new_status && invited && status != Status::Executing {
            owed.push(work(WorkKind::Track, now));
        }
        if let Some(update) = update(before, after, events) {
            let body = stream::encode(&Notice::Request { update, to: after.requester().cloned() });
            owed.push(Schedule { kind: WorkKind::Notice, key: format!("{id}/{version}"), due: now, attempts: 0, body });
        }
        // When its card is there: the message leads to it.
        let new = before.is_some_and(|before| before.card.is_none() && before.replaces.is_none());
        let new_card = new && after.card.is_some() && status == Status::Requested;
        let deciders = after.request.audience.direct.iter().filter(|_| new_card).cloned();
        let deciders = deciders.map(|user| (RequestUpdate::ToDecide, user));
        let concerned = concerned(after, events).into_iter().map(|user| (RequestUpdate::Held, user));
        for (n, (update, to)) in deciders.chain(concerned).enumerate() {
            let body = stream::encode(&Notice::Request { update, to: Some(to) });
            let key = format!("{id}/{version}/{n}");
            owed.push(Schedule { kind: WorkKind::Notice, key, due: now, attempts: 0, body });
        }
        owed
    }

    /// When somebody has to look at the calls, if nobody does meanwhile.
    fn execution_due(&self, approval: &Approval, now: Timestamp) -> Option<Timestamp> {
        if !matches!(approval.stage, Stage::Approved) {
            return None;
        }
        let after = |at: Timestamp| at + self.timing.lease;
        let items = approval.items.iter().filter_map(|item| match item {
            // A part's request makes the bundle due.
            _ if approval.is_bundle() => None,
            Item::Started { at } => Some(after(*at)),
            Item::Unclear { .. } => Some(now),
            Item::Created { lost: Some(_), .. } => Some(now),
            Item::Created { at, shown: false, .. } => Some(after(*at)),
            Item::Created { until, shown: true, .. } => Some(*until),
            _ => None,
        });
        // What is held waits for an approver, or is looked at again later.
        let next = approval.next_call().filter(|_| approval.held.is_none());
        items.chain(next.map(|_| now)).min()
    }
}

/// The request on whose card this one stands.
pub fn card_of(approval: &Approval) -> &ApprovalId {
    approval.request.bundle.as_ref().map_or(&approval.id, |bundle| &bundle.id)
}

/// Whether a bundle's card says more because of this change of one of its parts: of a call under
/// way it says nothing, and what it came to, the bundle itself records.
fn shows(approval: &Approval) -> bool {
    let quiet = match approval.status() {
        Status::Approved => !approval.waits_for_a_press(0),
        Status::Executing => approval.items.len() == 1 && approval.unclear().count() == 0,
        _ => false,
    };
    approval.request.bundle.is_none() || !quiet
}

/// Whether a bundle is to take note of one of its parts.
fn came_to_something(part: &Approval) -> bool {
    Command::follow(0, part).is_some()
}

/// What will have an outcome in a moment is not shown before it: every edit costs one of the few
/// that Slack allows a minute.
fn card_delay(approval: &Approval, outcome: Duration) -> Duration {
    let silent = approval.items.iter().any(|i| matches!(i, Item::Unclear { .. }));
    let started = approval.items.iter().any(|i| matches!(i, Item::Started { .. }));
    if !silent && (started || approval.next_call().is_some()) { outcome } else { Duration::ZERO }
}

/// Whether a change is worth an edit of the card: of a long list, not every call is.
fn is_milestone(approval: &Approval) -> bool {
    const EVERY: usize = 10;
    let under_way = approval.items.len() > 1 && approval.status() == Status::Executing;
    let silent = approval.items.iter().any(|i| matches!(i, Item::Unclear { .. }));
    !under_way || silent || approval.count(Item::is_settled).is_multiple_of(EVERY)
}

/// When its time runs out. What only a person can settle has all the time; what is settled is
/// taken off the list at once.
fn open_until(approval: &Approval, status: Status, now: Timestamp) -> Timestamp {
    match status {
        Status::Requested | Status::Approved | Status::Held => approval.request.expires,
        status if status.is_open() => Timestamp::MAX,
        _ => now,
    }
}

/// The next reminder of a request. What was planned for one that waits for nobody any more is cleared away.
fn vote_reminder(before: Option<&Approval>, after: &Approval, now: Timestamp) -> Option<Schedule> {
    let planned = |due, body| {
        let key = after.id.as_str().to_owned();
        Schedule { kind: WorkKind::VoteReminder, key, due, attempts: 0, body }
    };
    if let Some(at) = after.next_reminder(now) {
        return Some(planned(at, stream::encode(&PlannedReminder { at })));
    }
    let had = before.is_some_and(|before| before.waits_for_votes() && !before.request.reminders.is_empty());
    (had && !after.waits_for_votes()).then(|| planned(now, String::new()))
}

/// When a request that begins goes to further approvers; one that waits for nobody any more does not.
fn escalation(before: Option<&Approval>, after: &Approval, now: Timestamp) -> Option<Schedule> {
    let at = after.request.escalates.filter(|_| after.escalated.is_none())?;
    let due = match (before, after.waits_for_votes()) {
        (None, true) => at,
        (Some(before), false) if before.waits_for_votes() => now,
        _ => return None,
    };
    let key = after.id.as_str().to_owned();
    Some(Schedule { kind: WorkKind::Escalation, key, due, attempts: 0, body: String::new() })
}

/// Who is told that it is held: those on whom it rests and who are there.
fn concerned(after: &Approval, events: &[Event]) -> Vec<UserId> {
    let held = events.iter().any(|event| matches!(event, Event::Held { .. }));
    let Some(held_now) = after.held.as_ref().filter(|_| held && after.needs_somebody()) else { return Vec::new() };
    let mut people: Vec<UserId> = after.rests_on().into_iter().map(|(user, _)| user).collect();
    people.retain(|user| held_now.who.iter().all(|absent| absent.user != *user));
    people.sort();
    people.dedup();
    people
}

/// What who asked is told of a change.
fn update(before: Option<&Approval>, after: &Approval, events: &[Event]) -> Option<RequestUpdate> {
    let withdrawn = events.iter().find_map(|event| match event {
        Event::Withdrawn { why, .. } => Some(&**why),
        _ => None,
    });
    if let Some(why) = withdrawn {
        return Some(if why == SECRET_LOST { RequestUpdate::SecretLost } else { RequestUpdate::Withdrawn });
    }
    let lapsed = |a: &Approval| a.guests.iter().filter(|g| matches!(g, Guest::Lapsed)).count();
    if before.is_some_and(|before| lapsed(after) > lapsed(before)) {
        return Some(RequestUpdate::Lapsed);
    }
    let status = after.status();
    if before.map(Approval::status) == Some(status) {
        return None;
    }
    match status {
        Status::Approved if after.waits_for_a_press(0) => match before.map(Approval::status) {
            Some(Status::Requested) | None => Some(RequestUpdate::Ready),
            // Whoever was gone came back: it is as it was before.
            Some(Status::Held) => {
                events.iter().any(|e| matches!(e, Event::Confirmed { .. })).then_some(RequestUpdate::Ready)
            }
            // What was not even sent, its form has said.
            _ if events.iter().any(|e| matches!(e, Event::NotSent { .. })) => None,
            _ => Some(RequestUpdate::NotCreated),
        },
        // What becomes of a part is the bundle's to say, but for a key, which is its owner's.
        _ if after.request.bundle.is_some() && !after.request.action.is_secret(0) => None,
        // Only keys are left, which take their time.
        Status::Handover if after.lacks_parts() => Some(RequestUpdate::Outcome),
        Status::Succeeded | Status::Failed | Status::ByHand | Status::Unknown | Status::Rejected | Status::Expired => {
            Some(RequestUpdate::Outcome)
        }
        Status::Requested
        | Status::Approved
        | Status::Held
        | Status::Executing
        | Status::Handover
        | Status::Cancelled => None,
    }
}
