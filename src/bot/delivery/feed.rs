//! The feed: what happens at Sekoia, sent to the channels. Each message is posted once and edited in
//! place, the oldest first.
//!
//! Only the process that watches sends it: two would send everything twice. A message may have been
//! posted, unrecorded, by the process that watched before; it carries a mark by which it is found.
//! Channels do not wait for each other: one whose chat hangs delays no other.

use std::collections::{HashMap, HashSet};
use std::pin::pin;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tracing::{debug, error, warn};

use super::feed_health::{FeedHealth, FeedRefusal};
use super::message::{LiveMessage, Outcome, Post, Unrecorded};
use super::refusals::MOST_REFUSALS;
use super::replaced::Original;
use super::{About, feed_card};
use crate::bot::Bot;
use crate::bot::figures::source;
use crate::bot::inbox::only_store;
use crate::bot::watching::Batch;
use crate::chat::{ChannelKey, ChatError};
use crate::domain::notify::Card;
use crate::domain::notify::What;
use crate::domain::notify::storm::OWN_CARDS;
use crate::pace::Rank;
use crate::state::feed::Posted;
use crate::state::kept::decode;
use crate::store::{Commit, Kept, KeptKind, StoreError, Work, WorkKind};
use crate::timing::delivery::{BETWEEN_REPLACEMENTS, CLOCK_SKEW, UNREADABLE_WAITS};

/// Rows that are looked at in one round; of one channel, those that are sent.
const BATCH: u32 = 2_000;
const IN_A_ROW: usize = 5;

type Due = HashMap<ChannelKey, Vec<(Work, Card)>>;

impl Bot {
    /// Sends the feed until it is dropped. `since`: no other process sends anything of it from then on.
    pub(in crate::bot) async fn send_feed(&self, since: Timestamp) {
        let mut healths: HashMap<ChannelKey, FeedHealth> = HashMap::new();
        let mut busy: HashSet<ChannelKey> = HashSet::new();
        let mut sending = FuturesUnordered::new();
        let (turns, mut turn) = (self.rounds.of("feed"), None);
        loop {
            turn.get_or_insert_with(|| turns.round());
            let mut sent = Vec::new();
            // They go on meanwhile: one that has a connection to the store and stands still would
            // keep it from the one that waits here.
            let due = {
                let mut due = pin!(self.due_feed(&busy));
                loop {
                    tokio::select! {
                        due = &mut due => break due,
                        Some(one) = sending.next() => sent.push(one),
                    }
                }
            };
            let due = due.unwrap_or_else(|error| {
                error!(%error, "the feed could not be read");
                Due::new()
            });
            for (channel, rows) in due {
                let mut health = healths.remove(&channel).unwrap_or_default();
                if self.outbox.open_again.remove(&channel).is_some() {
                    health.try_now();
                }
                if health.waits() {
                    healths.insert(channel, health);
                    continue;
                }
                busy.insert(channel.clone());
                sending.push(self.feed_channel(channel, rows, since, health));
            }
            if sent.is_empty() {
                // What is being sent belongs to the round that began it.
                if sending.is_empty() {
                    turn = None;
                }
                tokio::select! {
                    Some(one) = sending.next() => sent.push(one),
                    () = self.outbox.news(self.timing.loops.tick) => {}
                }
            }
            // There may be more to send there.
            for (channel, health, _) in sent {
                busy.remove(&channel);
                healths.insert(channel, health);
            }
        }
    }

    /// Sends what there is to send now. What is older is looked up: the feed was interrupted in between.
    pub(in crate::bot) async fn send_rest_of_feed(&self) {
        let mut healths: HashMap<ChannelKey, FeedHealth> = HashMap::new();
        let since = Timestamp::now();
        let mut more = true;
        while std::mem::take(&mut more) {
            let Ok(due) = self.due_feed(&HashSet::new()).await else { return };
            let due = due.into_iter().map(|(channel, rows)| {
                let health = healths.remove(&channel).unwrap_or_default();
                (channel, rows, health)
            });
            let (waiting, ready): (Vec<_>, Vec<_>) = due.partition(|(_, _, health)| health.waits());
            healths.extend(waiting.into_iter().map(|(channel, _, health)| (channel, health)));
            let sending =
                ready.into_iter().map(|(channel, rows, health)| self.feed_channel(channel, rows, since, health));
            for (channel, health, left) in join_all(sending).await {
                healths.insert(channel, health);
                more |= left;
            }
        }
    }

    /// What is to be looked at now, but for channels that are being served.
    async fn due_feed(&self, busy: &HashSet<ChannelKey>) -> Result<Due, StoreError> {
        let now = Timestamp::now();
        let mut due = Due::new();
        let mut unreadable = Commit::default();
        for work in self.sessions.store().due(WorkKind::News, now, BATCH).await? {
            match decode::<Card>(&work) {
                Some(card) if busy.contains(&card.channel) => {}
                Some(card) => due.entry(card.channel.clone()).or_default().push((work, card)),
                None => unreadable.postponed.push((work.finished(), now + UNREADABLE_WAITS)),
            }
        }
        if !unreadable.postponed.is_empty() {
            self.sessions.store().commit(unreadable).await.map_err(only_store)?;
        }
        Ok(due)
    }

    /// Serves one channel; whether there is more to send there at once.
    async fn feed_channel(
        &self,
        channel: ChannelKey,
        rows: Vec<(Work, Card)>,
        since: Timestamp,
        mut health: FeedHealth,
    ) -> (ChannelKey, FeedHealth, bool) {
        let more = match self.feed_in_order(&channel, rows, since, &mut health).await {
            Ok(more) => more,
            Err(error) => {
                error!(%error, channel = channel.as_str(), "a channel's feed could not be sent");
                health.wait(self.timing.loops.tick);
                false
            }
        };
        (channel, health, more)
    }

    async fn feed_in_order(
        &self,
        channel: &ChannelKey,
        mut rows: Vec<(Work, Card)>,
        since: Timestamp,
        health: &mut FeedHealth,
    ) -> Result<bool, StoreError> {
        rows.sort_by(|(a, x), (b, y)| (x.first, &a.key).cmp(&(y.first, &b.key)));
        // What is new goes before what only changes.
        let (mut new, mut shown) = (Vec::new(), Vec::new());
        for (work, card) in rows {
            let row = self.sessions.store().kept(KeptKind::Posted, &work.key).await?;
            if Timestamp::now() >= card.kept_until(row.as_ref().is_some_and(|row| is_shown(row, &card))) {
                self.drop_message(&work, &card, row).await?;
            } else if row.is_some() {
                shown.push((work, card));
            } else {
                new.push((work, card));
            }
        }
        if new.len() > OWN_CARDS && self.coalesce(channel, &new).await? {
            return Ok(true);
        }
        let posts = new.len();
        if health.edits_wait() {
            shown.clear();
        }
        new.append(&mut shown);
        let rows = new;
        for (at, (work, card)) in rows.iter().enumerate().take(IN_A_ROW) {
            let refused = match self.feed_message(work, card, since).await? {
                Ok(true) => {
                    if health.is_in_doubt() {
                        self.channel_takes_feed(channel).await?;
                    }
                    health.took();
                    self.forget_dead_letter(work).await?;
                    continue;
                }
                // Nobody asked the chat.
                Ok(false) => continue,
                Err(refused) => refused,
            };
            let key = (WorkKind::News, channel.as_str().to_owned());
            let about = About { channel: Some(channel.clone()), to: None };
            self.outbox.fails(key, refused.clone(), about.clone(), true);
            let known = refused.is_for_good() && self.is_dead_letter(work).await;
            let (wait, dead) = match health.refused(&refused, at >= posts, known, self.timing.delivery.first_wait) {
                FeedRefusal::EditsWait => return Ok(false),
                FeedRefusal::PassedOver => {
                    let often = Work { attempts: work.attempts.max(MOST_REFUSALS), ..work.clone() };
                    let (commit, _) = self.postpone_refused(&often, &about, &refused, Timestamp::now()).await?;
                    self.keep(commit).await?;
                    self.outbox.wake();
                    continue;
                }
                FeedRefusal::AllWait { wait, dead } => (wait, dead),
            };
            warn!(error = %refused, channel = channel.as_str(), wait_s = wait.as_secs(), "a channel's feed has to wait");
            if dead {
                if health.dies() {
                    self.channel_refuses_feed(channel, &refused).await?;
                }
                // Not looked at in every round until then: there may be many.
                let then = Timestamp::now() + wait.saturating_sub(self.timing.loops.tick / 2);
                let postponed = rows.iter().map(|(work, _)| (work.finished(), then)).collect();
                let commit = Commit { postponed, ..Commit::default() };
                self.sessions.store().commit(commit).await.map_err(only_store)?;
            }
            // What comes after it waits too: everything is sent in its order.
            return Ok(false);
        }
        Ok(rows.len() > IN_A_ROW)
    }

    /// Makes one message show what is stored; whether the chat was asked to.
    async fn feed_message(
        &self,
        work: &Work,
        card: &Card,
        since: Timestamp,
    ) -> Result<Result<bool, ChatError>, StoreError> {
        let store = self.sessions.store();
        let row = store.kept(KeptKind::Posted, &work.key).await?;
        if row.as_ref().is_some_and(|row| is_shown(row, card)) {
            return self.rests(work, card).await.map(|()| Ok(false));
        }
        let posted: Option<Posted> = row.as_ref().and_then(decode);
        let is_new = posted.is_none();
        // A storm that counts would be a new message at every step.
        let counting = card.ends().zip(posted.as_ref().and_then(|posted| posted.at));
        if let Some((end, at)) = counting
            && Timestamp::now() < at + BETWEEN_REPLACEMENTS
        {
            let then = end.min(at + BETWEEN_REPLACEMENTS);
            self.keep(Commit { postponed: vec![(work.finished(), then)], ..Commit::default() }).await?;
            return Ok(Ok(false));
        }
        let rules = self.notifications.read(&card.channel).await?;
        let view = feed_card::card(card, &rules, &self.sekoia.app);
        let live = LiveMessage {
            post: Post {
                work: (work.kind, work.key.clone()),
                channel: card.channel.clone(),
                under: None,
                mark: mark(&work.key),
                rank: Rank::Background,
                since: card.first - CLOCK_SKEW,
                in_doubt: card.first < since,
                insist: false,
            },
            view,
            again: None,
            message: posted.as_ref().map(|posted| posted.message.clone()),
            replaces: posted.as_ref().and_then(|posted| posted.replaces.clone()),
            original: Some(Original::News { key: work.key.clone() }),
            reposts: false,
        };
        let outcome = match self.bring_up_to_date(&live).await? {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(error)),
        };
        let shown = match outcome {
            Outcome::InPlace(message) => {
                let at = posted.and_then(|posted| posted.at);
                Posted { message, seq: card.seq, replaces: live.replaces, at }
            }
            Outcome::Posted(Unrecorded { message, replaces, current }) => {
                if is_new {
                    let lag = Timestamp::now().duration_since(card.occurrence.at);
                    self.metrics.notification(source(card), lag.try_into().unwrap_or_default());
                }
                let at = replaces.is_some().then(Timestamp::now);
                Posted { message, seq: if current { card.seq } else { 0 }, replaces, at }
            }
        };
        debug!(key = work.key, "sent");
        let mut commit = Commit { keep: vec![shown.row(&work.key)], ..Commit::default() };
        if shown.seq >= card.seq {
            // One that changed meanwhile stays due.
            commit.postponed.push((work.finished(), card.rests_until().max(Timestamp::now())));
        }
        store.commit(commit).await.map_err(only_store)?;
        self.outbox.attempts.recorded(&live.post.work);
        Ok(Ok(true))
    }

    /// What is shown is left alone until something comes of it, or its storm is over.
    async fn rests(&self, work: &Work, card: &Card) -> Result<(), StoreError> {
        let now = Timestamp::now();
        if card.ends().is_none_or(|end| now < end) {
            let commit = Commit { postponed: vec![(work.finished(), card.rests_until())], ..Commit::default() };
            return self.sessions.store().commit(commit).await.map(|_| ()).map_err(only_store);
        }
        let _keeping = self.notifications.keeping.lock().await;
        let mut batch = Batch::new(&**self.sessions.store());
        // It may have begun to count again.
        if batch.card(&work.key).await?.is_some_and(|card| card.close(now)) {
            batch.changed(&work.key);
        }
        // Another process was first: it is looked at again.
        batch.commit(Vec::new(), Vec::new()).await.map(|_| ())
    }

    /// Nothing more is expected of it.
    async fn drop_message(&self, work: &Work, card: &Card, posted: Option<Kept>) -> Result<(), StoreError> {
        let finished = posted.iter().map(Kept::finished).chain([work.finished()]).collect();
        self.outbox.attempts.recorded(&(work.kind, work.key.clone()));
        let _keeping = self.notifications.keeping.lock().await;
        let mut batch = Batch::new(&**self.sessions.store());
        if let What::Silent(_) | What::Resumed(_) = card.occurrence.what {
            batch.log(&card.channel).await?.silent.retain(|_, of| *of != work.key);
        }
        batch.commit(Vec::new(), finished).await.map(|_| ())
    }
}

/// Whether a message shows what is stored.
fn is_shown(posted: &Kept, card: &Card) -> bool {
    decode::<Posted>(posted).is_some_and(|posted| posted.seq >= card.seq)
}

/// By which a message is found again.
fn mark(key: &str) -> String {
    format!("news {}", key.split_once('|').map_or(key, |(_, what)| what))
}
