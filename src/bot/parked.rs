//! Messages that the platform refuses for good: put aside with the reason, told to an operator,
//! tried again after a restart.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Bot;
use super::outbox::Place;
use crate::approvals::Notice;
use crate::checklist::Actor;
use crate::notifications::{News, decode};
use crate::platform::{ChannelKey, ChatError, UserId};
use crate::sessions::progress_due;
use crate::store::{Commit, CommitError, Schedule, StoreError, Work, WorkKind};
use crate::streams::encode;

/// Listed at once.
const LISTED: u32 = 32;

/// A message that could not be delivered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Parked {
    pub kind: Box<str>,
    pub key: String,
    pub why: String,
    body: String,
}

impl Bot {
    /// What is kept of a message that cannot be delivered, and who is told.
    pub(super) async fn parked(&self, work: &Work, why: &ChatError, now: Timestamp) -> Vec<Schedule> {
        let parked = Parked {
            kind: work.kind.name().into(),
            key: work.key.clone(),
            why: why.to_string(),
            body: work.body.clone(),
        };
        let (key, body) = (format!("{}/{}", work.kind.name(), work.key), encode(&parked));
        let mut schedule = vec![Schedule { kind: WorkKind::Parked, key: key.clone(), due: now, attempts: 0, body }];
        // A digest fails every day until somebody mends it: its setter knows from the first time.
        let again = work.kind == WorkKind::Digest && self.is_parked(&key).await;
        if let Some((to, text)) = self.about_parked(work, why).await.filter(|_| !again) {
            let body = encode(&Notice::Line { to, text });
            schedule.push(Schedule {
                kind: WorkKind::Notice,
                key: format!("parked/{key}"),
                due: now,
                attempts: 0,
                body,
            });
        }
        schedule
    }

    /// Who set the channel up, or who asked, is an operator.
    async fn about_parked(&self, work: &Work, why: &ChatError) -> Option<(UserId, String)> {
        if work.kind == WorkKind::Digest {
            return self.about_digest(work, why).await;
        }
        if work.kind == WorkKind::News {
            // One word for all of a channel: whoever watches sees to that.
            let channel = decode::<News>(work)?.channel;
            let session = self.sessions.read(&channel).await.ok()??;
            let Actor::Person(to) = session.opened.by.clone() else { return None };
            let text = format!(
                "I cannot tell {} what happens at Sekoia: {why}. {} I try again after a restart.",
                channel.channel(),
                why.advice().replace('`', "\"").replace(" here ", " there ")
            );
            return Some((to, text));
        }
        let (by, what) = match Place::of(work)? {
            Place::Checklist(channel) => {
                let session = self.sessions.read(&channel).await.ok()??;
                (session.opened.by.clone(), format!("the checklist of {}", channel.channel()))
            }
            Place::Card(id) => {
                let approval = self.approvals.read(&id).await.ok()??;
                let channel = approval.request.channel.channel().to_owned();
                (approval.asked.by, format!("the card of request {id} in {channel}"))
            }
        };
        let Actor::Person(to) = by else { return None };
        let text = format!(
            "I could not bring {what} up to date: {why}. {} I try again when something changes there, and after a restart.",
            why.advice().replace('`', "\"").replace(" here ", " there ")
        );
        Some((to, text))
    }

    async fn is_parked(&self, key: &str) -> bool {
        matches!(self.sessions.store().find(WorkKind::Parked, key).await, Ok(Some(_)))
    }

    /// Messages that could not be delivered.
    pub(super) async fn parked_messages(&self) -> Result<Vec<Parked>, StoreError> {
        let parked = self.sessions.store().due(WorkKind::Parked, Timestamp::MAX, LISTED).await?;
        Ok(parked.iter().filter_map(|work| serde_json::from_str(&work.body).ok()).collect())
    }

    /// After a start, what was put aside is tried again: the token or the channel may be mended.
    pub(super) async fn try_parked_again(&self, now: Timestamp) -> Result<(), StoreError> {
        for work in self.sessions.store().due(WorkKind::Parked, Timestamp::MAX, u32::MAX).await? {
            let mut commit = Commit { finished: vec![work.finished()], ..Commit::default() };
            if let Ok(parked) = serde_json::from_str::<Parked>(&work.body) {
                let again =
                    |kind| Schedule { kind, key: parked.key.clone(), due: now, attempts: 1, body: parked.body.clone() };
                commit.schedule = match &*parked.kind {
                    "card" => vec![again(WorkKind::Card)],
                    "notice" => vec![again(WorkKind::Notice)],
                    "digest" => vec![again(WorkKind::Digest)],
                    "news" => vec![again(WorkKind::News)],
                    _ => vec![progress_due(&ChannelKey::from(parked.key.clone()), now)],
                };
            }
            match self.sessions.store().commit(commit).await {
                Err(CommitError::Store(error)) => return Err(error),
                Ok(_) | Err(CommitError::Conflict(_) | CommitError::Delivered) => {}
            }
        }
        Ok(())
    }
}
