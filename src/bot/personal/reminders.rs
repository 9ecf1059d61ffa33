//! Reminders of steps that are due: planned for each person, one message a day at most, once over restarts.
//!
//! A person has one row, which is due when they are to be reminded next, and which holds when they were
//! last. What changes about their steps adds another that has the first planned anew: who changes a
//! step does not know by which clock its assignee lives.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use super::{Inbox, Looked, MOST_CHANNELS};
use crate::bot::Bot;
use crate::bot::failure::Failure;
use crate::chat::{ChannelKey, ChatError, UserId};
use crate::domain::checklist::StepId;
use crate::domain::checklist::reminders::{due_now, next_after};
use crate::domain::notify::zone;
use crate::state::kept::{decode, row_due};
use crate::state::owed::Notice;
use crate::state::sessions::{REPLAN, reminders_changed};
use crate::store::{Commit, CommitError, StoreError, Work, WorkKind};
use crate::timing::reminders::{AGAIN_AFTER, REPLANNED_AFTER};

const BATCH: u32 = 32;

/// What a person's row holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Plan {
    /// The day of the last reminder, by their clock.
    #[serde(default)]
    last: Option<Date>,
}

impl Bot {
    /// Whoever has a step with a due date has a row, whichever release set it.
    pub(in crate::bot) async fn plan_reminders(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut missing: Vec<UserId> = Vec::new();
        for channel in self.sessions.channels(None, MOST_CHANNELS).await? {
            let session = match self.sessions.read(&channel).await {
                Ok(Some(session)) => session,
                Ok(None) | Err(StoreError::Corrupt { .. }) => continue,
                Err(error) => return Err(error),
            };
            for id in StepId::all() {
                let step = session.step(id);
                if let (Some(user), Some(_), false) = (&step.assignee, step.due, step.status.is_settled())
                    && !missing.contains(user)
                    && self.sessions.store().find(WorkKind::Reminder, user.as_str()).await?.is_none()
                {
                    missing.push(user.clone());
                }
            }
        }
        let schedule = missing.iter().map(|user| reminders_changed(user, now)).collect();
        self.keep(Commit { schedule, ..Commit::default() }).await
    }

    pub(in crate::bot) async fn reminders_due(&self, now: Timestamp) -> Result<(), StoreError> {
        for work in self.sessions.store().due(WorkKind::Reminder, now, BATCH).await? {
            if let Err(error) = self.remind(&work, now).await {
                warn!(%error, key = work.key, "the store failed; a reminder has to wait");
            }
        }
        Ok(())
    }

    /// Sends a reminder if one is due, and plans the next one.
    async fn remind(&self, work: &Work, now: Timestamp) -> Result<(), StoreError> {
        let (person, replan) = match work.key.strip_suffix(REPLAN).and_then(|key| key.strip_suffix('/')) {
            Some(person) => (person, true),
            None => (&*work.key, false),
        };
        let user = UserId::from(person.to_owned());
        let row =
            if replan { self.sessions.store().find(WorkKind::Reminder, person).await? } else { Some(work.clone()) };
        // What is set anew after nine reminds of nothing today, unless a reminder of today waits.
        let waits = row.as_ref().is_some_and(|row| row.due <= now);
        let plan: Plan = row.as_ref().and_then(decode).unwrap_or_default();
        let dues = self.dues_of(&user).await?;
        let zone = match self.zone_of(&user).await {
            Ok(zone) => zone,
            Err(error) => {
                warn!(%error, user = user.as_str(), "it is not known by which clock somebody lives; a reminder waits");
                let postponed = vec![(work.finished(), now + AGAIN_AFTER)];
                return self.keep(Commit { postponed, ..Commit::default() }).await;
            }
        };
        let today = zone.as_ref().filter(|_| waits).and_then(|zone| due_now(&dues, zone, plan.last, now));
        let last = today.or(plan.last);
        let next = zone.as_ref().and_then(|zone| next_after(&dues, zone, last, now));
        let day = zone.map(|zone| now.to_zoned(zone).date());
        let reminded_today = day.is_some_and(|day| last >= Some(day));
        let mut commit = Commit { rests_on: vec![work.found()], ..Commit::default() };
        if replan {
            commit.finished.push(work.finished());
        }
        match (next, &row) {
            (Some(next), _) => {
                let due = next.min(now + REPLANNED_AFTER);
                commit.schedule.push(row_due(WorkKind::Reminder, person, &Plan { last }, due));
            }
            // Until another day begins, it is known that there was one.
            (None, _) if reminded_today => {
                let plan = Plan { last };
                commit.schedule.push(row_due(WorkKind::Reminder, person, &plan, now + REPLANNED_AFTER));
            }
            (None, Some(row)) if waits => commit.finished.push(row.finished()),
            (None, _) => {}
        }
        if let Some(on) = today {
            let notice = Notice::Reminder { to: user.clone(), on };
            commit.schedule.push(row_due(WorkKind::Notice, format!("reminder/{user}/{on}"), &notice, now));
            info!(user = user.as_str(), %on, "somebody is reminded of their steps");
        }
        match self.sessions.store().commit(commit).await {
            Ok(_) => {
                self.outbox.wake();
                Ok(())
            }
            // It was planned anew meanwhile.
            Err(CommitError::Conflict(_) | CommitError::Delivered) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// By which clock somebody lives: by the chat's word, else by UTC. None for somebody who left.
    async fn zone_of(&self, user: &UserId) -> Result<Option<TimeZone>, ChatError> {
        match self.chats.of_user(user)?.person(user).await {
            Ok(person) if !person.active => Ok(None),
            Ok(person) => Ok(Some(person.zone.and_then(|name| zone::find(&name)).unwrap_or(TimeZone::UTC))),
            Err(ChatError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The due dates of somebody's open steps, in all channels.
    async fn dues_of(&self, user: &UserId) -> Result<Vec<Date>, StoreError> {
        let mut dues = Vec::new();
        for channel in self.sessions.channels(None, MOST_CHANNELS).await? {
            match self.sessions.read(&channel).await {
                Ok(Some(session)) => {
                    dues.extend(super::assigned(&session, user).filter_map(|step| session.step(step).due));
                }
                Ok(None) => {}
                Err(error @ StoreError::Corrupt { .. }) => error!(%error, "nobody is reminded of a channel's steps"),
                Err(error) => return Err(error),
            }
        }
        Ok(dues)
    }

    /// What a reminder shows when it is sent: what was done meanwhile is not in it.
    pub(in crate::bot) async fn steps_of(&self, user: &UserId) -> Result<Inbox, Failure> {
        let chat = self.chats.of_user(user).map_err(Failure::Chat)?;
        let team = chat.team().await.map_err(Failure::Chat)?;
        let mut looked = Looked::new(chat, user, &team);
        let mut inbox = Inbox::default();
        self.add_channels(&mut looked, &mut inbox).await?;
        inbox.steps.sort_by_key(|step| (step.due.is_none(), step.due));
        Ok(inbox)
    }

    /// One step of somebody's, as it stands now; none if it is theirs no more.
    pub(in crate::bot) async fn step_of(
        &self,
        user: &UserId,
        channel: &ChannelKey,
        step: StepId,
    ) -> Result<Option<super::AssignedStep>, StoreError> {
        let Some(session) = self.sessions.read(channel).await? else { return Ok(None) };
        if !super::assigned(&session, user).any(|id| id == step) {
            return Ok(None);
        }
        let link = self.link_to(channel, session.progress.as_ref(), super::OPEN_CHECKLIST).await;
        let (community, due) = (session.community.name.clone(), session.step(step).due);
        Ok(Some(super::AssignedStep { channel: channel.clone(), community, step, due, link }))
    }
}
