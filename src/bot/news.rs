//! News told to their channels: each message posted once and edited in place, the oldest first.
//!
//! Only the process that watches tells them: two would tell everything twice. A message may have
//! been posted by whoever watched before, unrecorded; it carries a mark by which it is found.
//! Channels do not wait for each other: one whose chat hangs keeps nobody else from the news.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::{debug, error, warn};

use super::inbox::only_store;
use super::outbox::{FIRST_WAIT, LONGEST_WAIT, LOOK_BACK, MOST_REFUSALS};
use super::{Bot, news_card, watching::Batch};
use crate::notifications::{News, Posted, decode};
use crate::notify::What;
use crate::notify::storm::OWN_CARDS;
use crate::pace::Rank;
use crate::platform::{ChannelKey, ChatError, MessageId};
use crate::store::{Commit, StoreError, Work, WorkKind};
use crate::view::View;

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
    /// Nothing on record says that it takes nothing.
    takes: bool,
    /// That is on record.
    dead: bool,
}

impl Standing {
    fn waits(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    fn wait(&mut self, time: Duration) {
        self.until = Some(Instant::now() + time);
    }
}

type Due = HashMap<ChannelKey, Vec<(Work, News)>>;

impl Bot {
    /// Tells what there is to tell until it is dropped. `since`: nobody else tells anything from
    /// then on.
    pub(super) async fn tell_news(&self, since: Timestamp) {
        let mut standings: HashMap<ChannelKey, Standing> = HashMap::new();
        let mut busy: HashSet<ChannelKey> = HashSet::new();
        let mut telling = FuturesUnordered::new();
        loop {
            let mut told = Vec::new();
            // They go on meanwhile: one that has a connection to the store and stands still would
            // keep it from whoever waits for one here.
            let due = {
                let mut due = pin!(self.due_news(&busy));
                loop {
                    tokio::select! {
                        due = &mut due => break due,
                        Some(one) = telling.next() => told.push(one),
                    }
                }
            };
            let due = due.unwrap_or_else(|error| {
                error!(%error, "news could not be read");
                Due::new()
            });
            for (channel, rows) in due {
                let standing = standings.remove(&channel).unwrap_or_default();
                if standing.waits() {
                    standings.insert(channel, standing);
                    continue;
                }
                busy.insert(channel.clone());
                telling.push(self.tell_channel(channel, rows, since, standing));
            }
            if told.is_empty() {
                tokio::select! {
                    Some(one) = telling.next() => told.push(one),
                    () = self.outbox.news(TICK) => {}
                }
            }
            // There may be more to tell there.
            for (channel, standing, _) in told {
                busy.remove(&channel);
                standings.insert(channel, standing);
            }
        }
    }

    /// Tells what there is to tell now. Whoever was told before is looked up: it ended in between.
    pub(super) async fn tell_rest(&self) {
        let mut standings: HashMap<ChannelKey, Standing> = HashMap::new();
        let since = Timestamp::now();
        let mut more = true;
        while std::mem::take(&mut more) {
            let Ok(due) = self.due_news(&HashSet::new()).await else { return };
            let due = due.into_iter().map(|(channel, rows)| {
                let standing = standings.remove(&channel).unwrap_or_default();
                (channel, rows, standing)
            });
            let (waiting, ready): (Vec<_>, Vec<_>) = due.partition(|(_, _, standing)| standing.waits());
            standings.extend(waiting.into_iter().map(|(channel, _, standing)| (channel, standing)));
            let telling =
                ready.into_iter().map(|(channel, rows, standing)| self.tell_channel(channel, rows, since, standing));
            for (channel, standing, left) in join_all(telling).await {
                standings.insert(channel, standing);
                more |= left;
            }
        }
    }

    /// What is to be looked at now, but for channels that are being told.
    async fn due_news(&self, busy: &HashSet<ChannelKey>) -> Result<Due, StoreError> {
        let now = Timestamp::now();
        let mut due = Due::new();
        let mut unreadable = Commit::default();
        for work in self.sessions.store().due(WorkKind::News, now, AT_ONCE).await? {
            match decode::<News>(&work) {
                Some(news) if busy.contains(&news.channel) => {}
                Some(news) => due.entry(news.channel.clone()).or_default().push((work, news)),
                None => unreadable.postponed.push((work.finished(), now + UNREADABLE)),
            }
        }
        if !unreadable.postponed.is_empty() {
            self.sessions.store().commit(unreadable).await.map_err(only_store)?;
        }
        Ok(due)
    }

    /// Tells one channel; whether there is more to tell there at once.
    async fn tell_channel(
        &self,
        channel: ChannelKey,
        rows: Vec<(Work, News)>,
        since: Timestamp,
        mut standing: Standing,
    ) -> (ChannelKey, Standing, bool) {
        let more = match self.tell_in_order(&channel, rows, since, &mut standing).await {
            Ok(more) => more,
            Err(error) => {
                error!(%error, channel = channel.as_str(), "news could not be told");
                standing.wait(TICK);
                false
            }
        };
        (channel, standing, more)
    }

    async fn tell_in_order(
        &self,
        channel: &ChannelKey,
        mut rows: Vec<(Work, News)>,
        since: Timestamp,
        standing: &mut Standing,
    ) -> Result<bool, StoreError> {
        rows.sort_by(|(a, x), (b, y)| (x.first, &a.key).cmp(&(y.first, &b.key)));
        // What is new goes before what only changes.
        let (mut new, mut shown) = (Vec::new(), Vec::new());
        for (work, news) in rows {
            let row = self.sessions.store().find(WorkKind::Posted, &work.key).await?;
            if Timestamp::now() >= news.kept_until(row.as_ref().is_some_and(|row| is_shown(row, &news))) {
                self.forget_news(&work, &news, row).await?;
            } else if row.is_some() {
                shown.push((work, news));
            } else {
                new.push((work, news));
            }
        }
        if new.len() > OWN_CARDS && self.gather_late(channel, &new).await? {
            return Ok(true);
        }
        new.append(&mut shown);
        let rows = new;
        for (work, news) in rows.iter().take(IN_A_ROW) {
            let refused = match self.tell_one(work, news, since).await? {
                Ok(true) => {
                    if !standing.takes {
                        self.channel_takes_news(channel).await?;
                    }
                    *standing = Standing { takes: true, ..Standing::default() };
                    continue;
                }
                // Nobody asked the chat.
                Ok(false) => continue,
                Err(refused) => refused,
            };
            standing.failures += 1;
            standing.takes = false;
            let often = standing.failures >= MOST_REFUSALS;
            if often && !refused.is_passing() && !refused.is_of_channel() {
                error!(error = %refused, key = work.key, "this cannot be said; it is put aside");
                let schedule = self.parked(work, &refused, Timestamp::now()).await;
                let commit = Commit { schedule, finished: vec![work.finished()], ..Commit::default() };
                self.sessions.store().commit(commit).await.map_err(only_store)?;
                self.outbox.settled(work);
                self.outbox.wake();
                standing.failures = 0;
                continue;
            }
            let wait = FIRST_WAIT.saturating_mul(1 << standing.failures.saturating_sub(1).min(10)).min(LONGEST_WAIT);
            warn!(error = %refused, channel = channel.as_str(), wait_s = wait.as_secs(), "news have to wait");
            standing.wait(wait);
            if often && refused.is_of_channel() {
                if !std::mem::replace(&mut standing.dead, true) {
                    self.channel_refuses_news(channel, &refused).await?;
                }
                // Not looked at in every round until then: there may be many.
                let then = Timestamp::now() + wait.saturating_sub(TICK / 2);
                let postponed = rows.iter().map(|(work, _)| (work.finished(), then)).collect();
                let commit = Commit { postponed, ..Commit::default() };
                self.sessions.store().commit(commit).await.map_err(only_store)?;
            }
            // What comes after it waits too: everything is told in its order.
            return Ok(false);
        }
        Ok(rows.len() > IN_A_ROW)
    }

    /// Makes one message show what is stored; whether the chat was asked to.
    async fn tell_one(
        &self,
        work: &Work,
        news: &News,
        since: Timestamp,
    ) -> Result<Result<bool, ChatError>, StoreError> {
        let store = self.sessions.store();
        let row = store.find(WorkKind::Posted, &work.key).await?;
        if row.as_ref().is_some_and(|row| is_shown(row, news)) {
            return self.rests(work, news).await.map(|()| Ok(false));
        }
        let posted: Option<Posted> = row.as_ref().and_then(decode);
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
            None => self.post_news(work, news, &view, &mark, since).await,
        };
        let message = match shown {
            Ok(message) => message,
            Err(error) => return Ok(Err(error)),
        };
        debug!(key = work.key, "told");
        let commit = Commit {
            schedule: vec![Posted { message, seq: news.seq }.row(&work.key)],
            // One that changed meanwhile stays due.
            postponed: vec![(work.finished(), news.rests_until().max(Timestamp::now()))],
            ..Commit::default()
        };
        store.commit(commit).await.map_err(only_store)?;
        self.outbox.settled(work);
        Ok(Ok(true))
    }

    async fn post_news(
        &self,
        work: &Work,
        news: &News,
        view: &View,
        mark: &str,
        since: Timestamp,
    ) -> Result<MessageId, ChatError> {
        let chat = self.chats.of_channel(&news.channel)?;
        let tried = self.outbox.tries(work);
        if news.first < since || tried {
            let from = (news.first - SKEW).max(Timestamp::now() - LOOK_BACK);
            if let Some(message) = chat.find_post(&news.channel, mark, from).await? {
                debug!("an unrecorded post was found");
                chat.update(&news.channel, &message, view, mark, Rank::Background).await?;
                return Ok(message);
            }
        }
        chat.post(&news.channel, view, mark, Rank::Background).await
    }

    /// What is shown is left alone until something comes of it, or its storm is over.
    async fn rests(&self, work: &Work, news: &News) -> Result<(), StoreError> {
        let now = Timestamp::now();
        if news.ends().is_none_or(|end| now < end) {
            let commit = Commit { postponed: vec![(work.finished(), news.rests_until())], ..Commit::default() };
            return self.sessions.store().commit(commit).await.map(|_| ()).map_err(only_store);
        }
        let _keeping = self.notifications.keeping.lock().await;
        let mut batch = Batch::new(&**self.sessions.store());
        // It may have begun to count again.
        if let Some(news) = batch.news(&work.key).await?
            && news.ends().is_some_and(|end| now >= end)
        {
            news.over = true;
            batch.changed(&work.key);
        }
        // Another process was first: it is looked at again.
        batch.commit(Vec::new(), Vec::new()).await.map(|_| ())
    }

    /// Nothing more is expected of it.
    async fn forget_news(&self, work: &Work, news: &News, posted: Option<Work>) -> Result<(), StoreError> {
        let finished = posted.iter().map(Work::finished).chain([work.finished()]).collect();
        self.outbox.settled(work);
        let _keeping = self.notifications.keeping.lock().await;
        let mut batch = Batch::new(&**self.sessions.store());
        if let What::Silent(_) | What::Resumed(_) = news.occurrence.what {
            batch.log(&news.channel).await?.silent.retain(|_, of| *of != work.key);
        }
        batch.commit(Vec::new(), finished).await.map(|_| ())
    }
}

/// Whether a message shows what is stored.
fn is_shown(posted: &Work, news: &News) -> bool {
    decode::<Posted>(posted).is_some_and(|posted| posted.seq >= news.seq)
}

/// By which a message is found again.
fn mark(key: &str) -> String {
    format!("news {}", key.split_once('|').map_or(key, |(_, what)| what))
}

/// Whether it is about something that is over.
pub(super) fn is_over(news: &News) -> bool {
    news.gone || news.back.is_some() || matches!(news.occurrence.what, What::Resumed(_))
}
