//! Messages that the platform refuses for good: put aside with the reason, told to an operator,
//! tried again after a restart. A channel that takes no news at all is only put on record: its news
//! wait where they are, and it is tried again by itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::error;

use super::Bot;
use super::inbox::only_store;
use super::outbox::Place;
use crate::approvals::Notice;
use crate::checklist::Actor;
use crate::notifications::{News, decode, row, row_due};
use crate::platform::{ChannelKey, ChatError, UserId};
use crate::sessions::progress_due;
use crate::store::{Commit, Finished, Schedule, StoreError, Work, WorkKind};
use crate::streams::encode;

/// Listed at once.
const LISTED: u32 = 32;
/// Tried again at once.
const PAGE: u32 = 200;

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
        if let Some((to, channel, text)) = self.about_parked(work, why).await.filter(|_| !again) {
            let body = encode(&Notice::Line { to, text, about: Some(channel) });
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
    async fn about_parked(&self, work: &Work, why: &ChatError) -> Option<(UserId, ChannelKey, String)> {
        if work.kind == WorkKind::Digest {
            return self.about_digest(work, why).await;
        }
        if work.kind == WorkKind::News {
            let channel = decode::<News>(work)?.channel;
            let again = "I try it again after a restart; what else there is to tell there goes on.";
            let (to, text) = self.about_news(&channel, "something that happened at Sekoia", why, again).await?;
            return Some((to, channel, text));
        }
        let (by, channel, what) = match Place::of(work)? {
            Place::Checklist(channel) => {
                let session = self.sessions.read(&channel).await.ok()??;
                let what = format!("the checklist of {}", channel.channel());
                (session.opened.by.clone(), channel, what)
            }
            Place::Card(id) => {
                let approval = self.approvals.read(&id).await.ok()??;
                let channel = approval.request.channel;
                let what = format!("the card of request {id} in {}", channel.channel());
                (approval.asked.by, channel, what)
            }
        };
        let Actor::Person(to) = by else { return None };
        let text = format!(
            "I could not bring {what} up to date: {why}. {} I try again when something changes there, and after a restart.",
            why.advice().replace('`', "\"").replace(" here ", " there ")
        );
        Some((to, channel, text))
    }

    async fn about_news(
        &self,
        channel: &ChannelKey,
        what: &str,
        why: &ChatError,
        again: &str,
    ) -> Option<(UserId, String)> {
        let session = self.sessions.read(channel).await.ok()??;
        let Actor::Person(to) = session.opened.by.clone() else { return None };
        let advice = why.advice().replace('`', "\"").replace(" here ", " there ");
        Some((to, format!("I cannot tell {} {what}: {why}. {advice} {again}", channel.channel())))
    }

    /// The channel takes no news, whatever they are: on record, and told once.
    pub(super) async fn channel_refuses_news(&self, channel: &ChannelKey, why: &ChatError) -> Result<(), StoreError> {
        let key = news_of(channel);
        if self.is_parked(&key).await {
            return Ok(());
        }
        error!(error = %why, channel = channel.as_str(), "a channel takes no news; they wait");
        let parked = Parked {
            kind: WorkKind::News.name().into(),
            key: channel.as_str().into(),
            why: why.to_string(),
            body: String::new(),
        };
        let mut schedule = vec![row(WorkKind::Parked, key.clone(), &parked)];
        let again =
            "I try again by myself, every ten minutes at least; what is older than seven days by then is dropped.";
        if let Some((to, text)) = self.about_news(channel, "what happens at Sekoia", why, again).await {
            schedule.push(row_due(
                WorkKind::Notice,
                format!("parked/{key}"),
                &Notice::Line { to, text, about: Some(channel.clone()) },
                Timestamp::now(),
            ));
        }
        self.commit_work(Commit { schedule, ..Commit::default() }).await?;
        self.outbox.wake();
        Ok(())
    }

    /// It takes news, whatever is on record.
    pub(super) async fn channel_takes_news(&self, channel: &ChannelKey) -> Result<(), StoreError> {
        let parked = self.sessions.store().find(WorkKind::Parked, &news_of(channel)).await?;
        let finished: Vec<_> = parked.iter().map(Work::finished).collect();
        if finished.is_empty() { Ok(()) } else { self.commit_work(Commit { finished, ..Commit::default() }).await }
    }

    async fn commit_work(&self, commit: Commit) -> Result<(), StoreError> {
        self.sessions.store().commit(commit).await.map(|_| ()).map_err(only_store)
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
        loop {
            // A channel on record is never due: its news are tried again without that.
            let page = self.sessions.store().due(WorkKind::Parked, now, PAGE).await?;
            for work in &page {
                let mut commit = Commit { finished: vec![work.finished()], ..Commit::default() };
                if let Ok(parked) = serde_json::from_str::<Parked>(&work.body) {
                    let again = |kind| Schedule {
                        kind,
                        key: parked.key.clone(),
                        due: now,
                        attempts: 1,
                        body: parked.body.clone(),
                    };
                    commit.schedule = match &*parked.kind {
                        "card" => vec![again(WorkKind::Card)],
                        "notice" => vec![again(WorkKind::Notice)],
                        "digest" => vec![again(WorkKind::Digest)],
                        "announce" => vec![again(WorkKind::Announce)],
                        "welcome" => vec![again(WorkKind::Welcome)],
                        "news" => {
                            let news = again(WorkKind::News);
                            let (wanted, shown) = self.still_news(&parked, now).await?;
                            commit.finished.extend(shown);
                            if wanted { vec![news] } else { Vec::new() }
                        }
                        _ => vec![progress_due(&ChannelKey::from(parked.key.clone()), now)],
                    };
                }
                self.commit_work(commit).await?;
            }
            if page.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// Whether news that were put aside are to be told yet; if they are too old, what is to be
    /// forgotten with them.
    async fn still_news(&self, parked: &Parked, now: Timestamp) -> Result<(bool, Option<Finished>), StoreError> {
        let store = self.sessions.store();
        // More came of it meanwhile: that is told, or was.
        if store.find(WorkKind::News, &parked.key).await?.is_some() {
            return Ok((false, None));
        }
        let news: Option<News> = serde_json::from_str(&parked.body).ok();
        if news.is_some_and(|news| now < news.kept_until(false)) {
            return Ok((true, None));
        }
        let shown = store.find(WorkKind::Posted, &parked.key).await?;
        Ok((false, shown.map(|shown| shown.finished())))
    }
}

/// The key under which it is on record that a channel takes no news.
fn news_of(channel: &ChannelKey) -> String {
    format!("{}/{channel}", WorkKind::News.name())
}
