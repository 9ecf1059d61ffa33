//! Those who can decide a request and have not are reminded of it: in its card's thread, or by direct message.
//!
//! A request that waits has one row, which is due at its next reminder. When that comes, the messages and the
//! row of the reminder after it are one commit. Who is reminded is looked up when it is sent.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::{info, warn};

use super::approvers::Approvers;
use super::waiting::standing;
use crate::bot::Bot;
use crate::bot::failure::Failure;
use crate::chat::view::{Line, View};
use crate::chat::{ChannelKey, ChatError, MessageId};
use crate::domain::approval::remind::latest;
use crate::domain::approval::{Approval, ApprovalId, Audience};
use crate::state::kept::row_due;
use crate::state::owed::{ESCALATED, Notice, PlannedReminder, RequestUpdate, ThreadReminder, card_of};
use crate::store::{Commit, CommitError, Schedule, StoreError, Work, WorkKind};
use crate::timing::reminders::DECIDERS_AGAIN_AFTER;

const BATCH: u32 = 32;

impl Bot {
    pub(in crate::bot) async fn vote_reminders_due(&self, now: Timestamp) -> Result<(), StoreError> {
        for work in self.sessions.store().due(WorkKind::VoteReminder, now, BATCH).await? {
            let commit = match self.reminder_commit(&work, now).await {
                Ok(commit) => Commit { rests_on: vec![work.found()], ..commit },
                Err(error) => {
                    warn!(%error, request = work.key, "the store failed; a reminder has to wait");
                    continue;
                }
            };
            match self.sessions.store().commit(commit).await {
                Ok(_) => self.outbox.wake(),
                // It was planned anew meanwhile.
                Err(CommitError::Conflict(_) | CommitError::Delivered) => {}
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// What comes of a reminder whose time has come.
    async fn reminder_commit(&self, work: &Work, now: Timestamp) -> Result<Commit, StoreError> {
        let over = Commit { finished: vec![work.finished()], ..Commit::default() };
        let (id, escalated) = match work.key.split_once('/') {
            Some((id, ESCALATED)) => (id, true),
            _ => (&*work.key, false),
        };
        let id = ApprovalId::from(id);
        let Ok(PlannedReminder { at }) = serde_json::from_str(&work.body) else { return Ok(over) };
        let Some(approval) = self.approvals.read(&id).await? else { return Ok(over) };
        if !approval.waits_for_votes() || approval.is_over(now) {
            return Ok(over);
        }
        let next = approval.next_reminder(at).filter(|_| !escalated);
        let followed = match next {
            Some(at) => {
                let row = row_due(WorkKind::VoteReminder, id.as_str(), &PlannedReminder { at }, at);
                Commit { schedule: vec![row], ..Commit::default() }
            }
            None => over,
        };
        let latest = latest(next.unwrap_or(approval.request.expires));
        let zone = self.zone_of_channel(&approval.request.channel).await?;
        let allowed = self.approval_policy.working.next_allowed(now, zone.as_ref()).filter(|at| *at <= latest);
        let Some(allowed) = allowed else {
            info!(request = id.as_str(), "people are not at work before it is too late for a reminder");
            return Ok(followed);
        };
        if allowed > now {
            return Ok(Commit { postponed: vec![(work.finished(), allowed)], ..Commit::default() });
        }
        let messages = if escalated {
            self.escalation_messages(&approval, now).await
        } else {
            self.reminder_messages(&approval, at, now).await
        };
        match messages {
            Ok(messages) => {
                let schedule = [messages, followed.schedule].concat();
                Ok(Commit { schedule, ..followed })
            }
            Err(error) if error.is_passing() => {
                warn!(%error, request = id.as_str(), "it is not known who can decide; a reminder waits");
                let then = (now + DECIDERS_AGAIN_AFTER).min(latest.max(now));
                Ok(Commit { postponed: vec![(work.finished(), then)], ..Commit::default() })
            }
            Err(error) => {
                warn!(%error, request = id.as_str(), "it is not known who can decide; nobody is reminded");
                Ok(followed)
            }
        }
    }

    async fn reminder_messages(
        &self,
        approval: &Approval,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Schedule>, ChatError> {
        let (id, notify) = (&approval.id, self.approval_policy.notify(&approval.request.action));
        let mut messages = Vec::new();
        if notify.mentions() {
            let remind_in = approval.request.channel.clone();
            let reminder = ThreadReminder { remind_in, of: id.clone(), escalated: false };
            messages.push(row_due(WorkKind::Announce, format!("reminder/{id}/{at}"), &reminder, now));
        }
        if notify.writes() {
            for (n, to) in self.undecided(approval).await?.able.into_iter().enumerate() {
                let notice = Notice::Request { update: RequestUpdate::Reminder, to: Some(to) };
                messages.push(row_due(WorkKind::Notice, format!("{id}/reminder/{at}/{n}"), &notice, now));
            }
        }
        Ok(messages)
    }

    /// The message in a card's thread, and the card; none if there is nobody to remind, or no card.
    pub(in crate::bot) async fn reminder(
        &self,
        reminder: &ThreadReminder,
        now: Timestamp,
    ) -> Result<Result<Option<(MessageId, View)>, ChatError>, StoreError> {
        let Some(approval) = self.approvals.read(&reminder.of).await? else { return Ok(Ok(None)) };
        if !approval.waits_for_votes() || approval.is_over(now) {
            return Ok(Ok(None));
        }
        let card = self.approvals.read(card_of(&approval)).await?.and_then(|approval| approval.card);
        let Some(card) = card else { return Ok(Ok(None)) };
        let audience =
            if reminder.escalated { self.escalated_audience(&approval).await } else { self.reminded(&approval).await };
        let audience = match audience {
            Ok(audience) => audience,
            Err(error) => return Ok(Err(error)),
        };
        let Some(mention) = audience.mention else { return Ok(Ok(None)) };
        let frozen = self.approvals.frozen().await?.is_some();
        let line = if reminder.escalated { "Escalated: " } else { "Reminder: " };
        let view = View::sentence(about(line, &approval, frozen, now)).line(mention.line());
        Ok(Ok(Some((card, view))))
    }

    async fn reminded(&self, approval: &Approval) -> Result<Audience, ChatError> {
        let chat = self.chats.of_channel(&approval.request.channel)?;
        let left = self.undecided(approval).await?;
        let lists = self.deciding_lists(&self.deciding(approval, None));
        Ok(Self::audience(self.approval_policy.notify(&approval.request.action), &lists, &left, chat))
    }

    /// Those who can decide it and have not.
    pub(super) async fn undecided(&self, approval: &Approval) -> Result<Approvers, ChatError> {
        let chat = self.chats.of_channel(&approval.request.channel)?;
        let mut all = match self.who_decides(approval, chat).await {
            Ok(all) => all,
            Err(Failure::Chat(error)) => return Err(error),
            Err(_) => return Err(ChatError::Unavailable("the approvers could not be looked up".into())),
        };
        all.able.retain(|user| approval.may_still_decide(user));
        match all.unread.first() {
            Some(unread) if all.able.is_empty() => Err(unread.why.clone()),
            _ => Ok(all),
        }
    }

    /// By which clock a channel lives, if it has a digest.
    async fn zone_of_channel(&self, channel: &ChannelKey) -> Result<Option<TimeZone>, StoreError> {
        let rules = match self.notifications.read(channel).await {
            Ok(rules) => rules,
            Err(StoreError::Corrupt { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(rules.daily.as_ref().or(rules.weekly.as_ref()).map(|planned| planned.digest.zone().clone()))
    }
}

/// `Reminder: Invite ana@nimbus.example as Analyst · needs 1 approval until …`
pub fn about(why: &'static str, approval: &Approval, frozen: bool, now: Timestamp) -> Line {
    let line = Line::new().say(why).strong(approval.request.action.title()).say(" · ");
    standing(line, approval, frozen, now)
}
