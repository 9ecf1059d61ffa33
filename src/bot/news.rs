//! News told to their channels: each message posted once and edited in place, the oldest first.
//!
//! Only the process that watches tells them: two would tell everything twice. A message may have
//! been posted by whoever watched before, unrecorded; it carries a mark by which it is found.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::{debug, error, warn};

use super::inbox::only_store;
use super::news_card;
use super::outbox::{FIRST_WAIT, LONGEST_WAIT, LOOK_BACK, MOST_REFUSALS};
use super::{Bot, watching::Batch};
use crate::notifications::{News, Posted, decode};
use crate::notify::What;
use crate::notify::storm::{OWN_CARDS, Swarm};
use crate::pace::Rank;
use crate::platform::{ChannelKey, ChatError, MessageId};
use crate::store::{Commit, StoreError, Work, WorkKind};

/// More may come of a message for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Rows that are looked at in one round; of one channel, those that are told.
const AT_ONCE: u32 = 2_000;
const IN_A_ROW: usize = 5;
/// Clocks of the bot and of the chat may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// A row that nobody can read is looked at again, by a newer release.
const UNREADABLE: SignedDuration = SignedDuration::from_hours(1);
/// How often it is looked whether there are any, when nobody says so.
const TICK: Duration = Duration::from_secs(2);

/// How a channel took what it was told.
#[derive(Default)]
struct Standing {
    failures: u32,
    until: Option<Instant>,
    /// Messages of which nobody knows whether they stand there.
    tried: Vec<String>,
    /// It was put on record that the channel takes nothing.
    dead: bool,
}

impl Bot {
    /// Tells what there is to tell until it is dropped. `since`: nobody else tells anything from
    /// then on.
    pub(super) async fn tell_news(&self, since: Timestamp) {
        let mut standings: HashMap<ChannelKey, Standing> = HashMap::new();
        loop {
            match self.news_round(since, &mut standings).await {
                Ok(true) => {}
                Ok(false) => self.outbox.news(TICK).await,
                Err(error) => {
                    error!(%error, "news could not be told");
                    tokio::time::sleep(TICK).await;
                }
            }
        }
    }

    /// Tells what there is to tell now. Whoever was told before is looked up: it ended in between.
    pub(super) async fn tell_rest(&self) {
        let mut standings = HashMap::new();
        let since = Timestamp::now();
        while let Ok(true) = self.news_round(since, &mut standings).await {}
    }

    /// One round; whether there may be more to tell at once.
    async fn news_round(
        &self,
        since: Timestamp,
        standings: &mut HashMap<ChannelKey, Standing>,
    ) -> Result<bool, StoreError> {
        let now = Timestamp::now();
        let mut channels: HashMap<ChannelKey, Vec<(Work, News)>> = HashMap::new();
        let mut unreadable = Commit::default();
        for work in self.sessions.store().due(WorkKind::News, now, AT_ONCE).await? {
            match decode::<News>(&work) {
                Some(news) => channels.entry(news.channel.clone()).or_default().push((work, news)),
                None => unreadable.postponed.push((work.finished(), now + UNREADABLE)),
            }
        }
        if !unreadable.postponed.is_empty() {
            self.sessions.store().commit(unreadable).await.map_err(only_store)?;
        }
        let telling = channels.into_iter().filter_map(|(channel, rows)| {
            let mut standing = standings.remove(&channel).unwrap_or_default();
            if standing.until.is_some_and(|until| Instant::now() < until) {
                standings.insert(channel, standing);
                return None;
            }
            Some(async move {
                let told = self.tell_channel(&channel, rows, since, &mut standing).await;
                (channel, standing, told)
            })
        });
        let telling: Vec<_> = telling.collect();
        let mut more = false;
        let mut failed = None;
        for (channel, standing, told) in join_all(telling).await {
            standings.insert(channel, standing);
            match told {
                Ok(left) => more |= left,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(more), Err)
    }

    async fn tell_channel(
        &self,
        channel: &ChannelKey,
        mut rows: Vec<(Work, News)>,
        since: Timestamp,
        standing: &mut Standing,
    ) -> Result<bool, StoreError> {
        rows.sort_by(|(a, x), (b, y)| (x.first, &a.key).cmp(&(y.first, &b.key)));
        if rows.len() > OWN_CARDS && self.gather_late(channel, &rows).await? {
            return Ok(true);
        }
        let more = rows.len() > IN_A_ROW;
        for (work, news) in rows.into_iter().take(IN_A_ROW) {
            let Err(refused) = self.tell_one(&work, &news, since, standing).await? else {
                (standing.failures, standing.until, standing.dead) = (0, None, false);
                continue;
            };
            standing.failures += 1;
            if !refused.is_passing() && (standing.dead || standing.failures >= MOST_REFUSALS) {
                error!(error = %refused, key = work.key, "this cannot be said; it is put aside");
                let mut schedule = self.parked(&work, &refused, Timestamp::now()).await;
                if standing.dead {
                    // Whoever is told of such things knows of this channel.
                    schedule.retain(|row| row.kind != WorkKind::Notice);
                }
                let commit = Commit { schedule, finished: vec![work.finished()], ..Commit::default() };
                self.sessions.store().commit(commit).await.map_err(only_store)?;
                self.outbox.wake();
                (standing.failures, standing.dead) = (0, true);
                continue;
            }
            let wait = FIRST_WAIT.saturating_mul(1 << standing.failures.saturating_sub(1).min(10)).min(LONGEST_WAIT);
            warn!(error = %refused, channel = channel.as_str(), wait_s = wait.as_secs(), "news have to wait");
            standing.until = Some(Instant::now() + wait);
            // What comes after it waits too: everything is told in its order.
            return Ok(false);
        }
        Ok(more)
    }

    /// Makes one message show what is stored.
    async fn tell_one(
        &self,
        work: &Work,
        news: &News,
        since: Timestamp,
        standing: &mut Standing,
    ) -> Result<Result<(), ChatError>, StoreError> {
        let store = self.sessions.store();
        let row = store.find(WorkKind::Posted, &work.key).await?;
        let posted: Option<Posted> = row.as_ref().and_then(decode);
        let keep = news.first + KEPT;
        let now = Timestamp::now();
        if posted.as_ref().is_some_and(|posted| posted.seq >= news.seq) {
            let mut commit = Commit::default();
            if now >= keep {
                commit.finished.extend(row.map(|row| row.finished()));
                commit.finished.push(work.finished());
            } else {
                commit.postponed.push((work.finished(), keep));
            }
            store.commit(commit).await.map_err(only_store)?;
            return Ok(Ok(()));
        }
        let rules = self.notifications.read(&news.channel).await?;
        let view = news_card::card(news, &rules, self.sekoia.region);
        let mark = mark(&work.key);
        let shown = match posted {
            Some(posted) => {
                let chat = match self.chats.of_channel(&news.channel) {
                    Ok(chat) => chat,
                    Err(error) => return Ok(Err(error)),
                };
                match chat.update(&news.channel, &posted.message, &view, &mark, Rank::Background).await {
                    // Somebody deleted it, and has read it.
                    Ok(()) | Err(ChatError::MessageGone) => Ok(posted.message),
                    Err(error) => Err(error),
                }
            }
            None => self.post_news(&work.key, news, &view, &mark, since, standing).await,
        };
        let message = match shown {
            Ok(message) => message,
            Err(error) => return Ok(Err(error)),
        };
        debug!(key = work.key, "told");
        let commit = Commit {
            schedule: vec![Posted { message, seq: news.seq }.row(&work.key)],
            // One that changed meanwhile stays due.
            postponed: vec![(work.finished(), keep.max(now))],
            ..Commit::default()
        };
        store.commit(commit).await.map_err(only_store)?;
        standing.tried.retain(|tried| *tried != work.key);
        Ok(Ok(()))
    }

    async fn post_news(
        &self,
        key: &str,
        news: &News,
        view: &crate::view::View,
        mark: &str,
        since: Timestamp,
        standing: &mut Standing,
    ) -> Result<MessageId, ChatError> {
        let chat = self.chats.of_channel(&news.channel)?;
        if news.first < since || standing.tried.iter().any(|tried| tried == key) {
            let from = (news.first - SKEW).max(Timestamp::now() - LOOK_BACK);
            if let Some(message) = chat.find_post(&news.channel, mark, from).await? {
                debug!("an unrecorded post was found");
                chat.update(&news.channel, &message, view, mark, Rank::Background).await?;
                return Ok(message);
            }
        } else {
            standing.tried.push(key.to_owned());
        }
        chat.post(&news.channel, view, mark, Rank::Background).await
    }

    /// Many firings of one rule that waited for the chat become one message. Not the first that
    /// waits: nobody knows whether it stands there already.
    async fn gather_late(&self, channel: &ChannelKey, rows: &[(Work, News)]) -> Result<bool, StoreError> {
        let store = self.sessions.store();
        let mut waiting: BTreeMap<u32, Vec<&(Work, News)>> = BTreeMap::new();
        let mut first = true;
        for row in rows {
            let (work, news) = row;
            if store.find(WorkKind::Posted, &work.key).await?.is_some() {
                continue;
            }
            if std::mem::take(&mut first) || news.sample || (news.swarm.is_some() && !news.late) {
                continue;
            }
            if let Some(rule) = news.rules.first() {
                waiting.entry(*rule).or_default().push(row);
            }
        }
        let Some((rule, rows)) = waiting.into_iter().find(|(_, rows)| rows.len() > OWN_CARDS) else { return Ok(false) };
        let _keeping = self.notifications.keeping.lock().await;
        let (Some((_, oldest)), Some((_, newest))) = (rows.first(), rows.last()) else { return Ok(false) };
        let mut news = News::new(channel, newest.occurrence.clone(), oldest.first);
        let mut swarm = Swarm { count: 0, first: oldest.first, last: newest.first, worst: None };
        for (_, row) in &rows {
            let urgency = row.occurrence.what.alert().and_then(|alert| alert.urgency);
            swarm.count += row.swarm.map_or(1, |swarm| swarm.count);
            swarm.worst = swarm.worst.max(row.swarm.map_or(urgency, |swarm| swarm.worst));
            swarm.first = swarm.first.min(row.swarm.map_or(row.first, |swarm| swarm.first));
        }
        (news.rules, news.swarm, news.late) = (vec![rule], Some(swarm), true);
        let key = News::late_key(channel, rule, oldest.first);
        let mut batch = Batch::new(&**store);
        batch.add(key.clone(), news);
        // One that changed meanwhile stays, with a message of its own.
        let done = rows.iter().filter(|(work, _)| work.key != key).map(|(work, _)| work.finished()).collect();
        batch.commit(Vec::new(), done).await?;
        Ok(true)
    }
}

/// By which a message is found again.
fn mark(key: &str) -> String {
    format!("news {}", key.split_once('|').map_or(key, |(_, what)| what))
}

/// Whether it is about something that is over.
pub(super) fn is_over(news: &News) -> bool {
    news.gone || news.back.is_some() || matches!(news.occurrence.what, What::Resumed(_))
}
