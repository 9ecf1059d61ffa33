//! A request that is not decided in time: further people count as approvers of it, and hear of it.

use jiff::Timestamp;

use super::approvers::{Approvers, Deciding};
use crate::bot::Bot;
use crate::bot::failure::Failure;
use crate::chat::ChatError;
use crate::domain::access::Principal;
use crate::domain::approval::{Approval, ApprovalId, Audience, Command};
use crate::state::kept::row_due;
use crate::state::owed::{Notice, RequestUpdate, ThreadReminder};
use crate::store::{Commit, Schedule, StoreError, WorkKind};

const BATCH: u32 = 32;

impl Bot {
    /// Who counts is not held back by anything: only the messages about it are.
    pub(in crate::bot) async fn escalate_due(&self, now: Timestamp) -> Result<(), StoreError> {
        for work in self.sessions.store().due(WorkKind::Escalation, now, BATCH).await? {
            let approval = self.approvals.read(&ApprovalId::from(work.key.as_str())).await;
            let approval = match approval {
                Ok(approval) => approval,
                // As of one whose time cannot run out.
                Err(StoreError::Corrupt { .. }) => None,
                Err(error) => return Err(error),
            };
            // It was planned anew because the clock was ahead.
            if let Some(at) = approval.as_ref().and_then(|approval| approval.request.escalates)
                && at > now
                && approval.as_ref().is_some_and(Approval::waits_for_votes)
            {
                self.keep(Commit { postponed: vec![(work.finished(), at)], ..Commit::default() }).await?;
                continue;
            }
            let action = approval.as_ref().map(|approval| &approval.request.action);
            let to = action.map_or_else(Vec::new, |action| self.approval_policy.escalate_to(action));
            let to = to.into_iter().map(|principal| principal.to_string().into()).collect();
            self.change_due(&work, Command::Escalate { to }, now).await?;
        }
        Ok(())
    }

    /// What those to whom it was escalated are owed.
    pub(super) async fn escalation_messages(
        &self,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<Vec<Schedule>, ChatError> {
        let (id, notify) = (&approval.id, self.approval_policy.notify(&approval.request.action));
        let mut messages = Vec::new();
        if notify.mentions() {
            let remind_in = approval.request.channel.clone();
            let reminder = ThreadReminder { remind_in, of: id.clone(), escalated: true };
            messages.push(row_due(WorkKind::Announce, format!("escalated/{id}"), &reminder, now));
        }
        if notify.writes() {
            for (n, to) in self.escalated_to(approval).await?.able.into_iter().enumerate() {
                let notice = Notice::Request { update: RequestUpdate::Escalated, to: Some(to) };
                messages.push(row_due(WorkKind::Notice, format!("{id}/escalated/{n}"), &notice, now));
            }
        }
        Ok(messages)
    }

    pub(super) async fn escalated_audience(&self, approval: &Approval) -> Result<Audience, ChatError> {
        let chat = self.chats.of_channel(&approval.request.channel)?;
        let to = self.escalated_to(approval).await?;
        let notify = self.approval_policy.notify(&approval.request.action);
        // Of several kinds, no group is these people.
        let one = self.approval_policy.kinds(&approval.request.action).len() == 1;
        let listed = one.then(|| (self.further_of(approval).into(), String::new()));
        Ok(Self::audience(notify, listed.as_slice(), &to, chat))
    }

    /// Those who can decide a request since it was escalated, and could not before.
    async fn escalated_to(&self, approval: &Approval) -> Result<Approvers, ChatError> {
        let chat = self.chats.of_channel(&approval.request.channel)?;
        let further = self.approvers(vec![(self.further_of(approval).into(), String::new())], chat).await;
        let Approvers { able, or_more, unread } = further.map_err(|failure| match failure {
            Failure::Chat(error) => error,
            _ => ChatError::Unavailable("the approvers could not be looked up".into()),
        })?;
        if let (true, Some(unread)) = (able.is_empty(), unread.first()) {
            return Err(unread.why.clone());
        }
        let before = Deciding::of(self.approval_policy.kinds(&approval.request.action));
        let mut since = Vec::new();
        for user in able {
            let now = self.is_among_all(&self.deciding(approval, Some(&user)), chat, &user).await;
            let could = self.is_among_all(&before, chat, &user).await;
            if now == Ok(true) && could == Ok(false) && approval.may_still_decide(&user) {
                since.push(user);
            }
        }
        Ok(Approvers { able: since, or_more, unread })
    }

    /// The people and groups to whom it was escalated, as far as the settings still say so.
    fn further_of(&self, approval: &Approval) -> Vec<Principal> {
        let recorded = approval.escalated_for(None);
        let still = self.approval_policy.escalate_to(&approval.request.action).into_iter();
        still.filter(|principal| recorded.iter().any(|name| **name == *principal.to_string())).cloned().collect()
    }
}
