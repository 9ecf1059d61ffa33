//! Dead letters: the record of messages that a platform refuses, for an operator to see in `overview`
//! and in a notice. The message itself stays pending, and is tried again by itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::error;

use super::About;
use super::outbox::Place;
use super::refusals::LONGEST_WAIT;
use crate::bot::Bot;
use crate::chat::text::shown;
use crate::chat::view::Line;
use crate::chat::{Actor, ChannelKey, ChatError, UserId};
use crate::domain::notify::Card;
use crate::state::kept::{decode, keep, row_due};
use crate::state::owed::{Notice, See};
use crate::state::sessions::progress_due;
use crate::store::{Commit, Finished, Keep, Kept, KeptKind, Schedule, Store, StoreError, Work, WorkKind};

/// How it goes on.
const AGAIN: &str = "I keep trying, and at once when a command is typed there.";
/// Listed at once.
const LISTED: u32 = 32;
/// Tried again at once.
const PAGE: u32 = 1_000;
/// Rows of the feed that are looked through.
const MOST_FEED_ROWS: u32 = 2_000;

/// A message that could not be delivered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DeadLetter {
    pub kind: Box<str>,
    pub key: String,
    pub why: String,
    /// What an earlier release took off the list of pending messages.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

impl Bot {
    /// The dead letter of a message that is refused, and the first time a notice about it.
    pub(super) async fn dead_letter(
        &self,
        work: &Work,
        about: &About,
        why: &ChatError,
        now: Timestamp,
    ) -> Result<(Keep, Option<Schedule>), StoreError> {
        let key = letter_key(work);
        let known = self.sessions.store().kept(KeptKind::DeadLetter, &key).await?;
        let before: Option<DeadLetter> = known.as_ref().and_then(decode);
        let first = before.is_none();
        let letter = DeadLetter {
            kind: work.kind.name().into(),
            key: work.key.clone(),
            why: why.to_string(),
            body: String::new(),
            channel: about.channel.clone(),
            to: about.to.clone(),
            since: before.and_then(|letter| letter.since).or(Some(now)),
        };
        let told = self.dead_letter_notice(work, why).await.filter(|_| first);
        let notice = told.map(|(to, channel, text)| {
            let see = match Place::of(work) {
                Some(Place::Checklist(_)) => Some(See::Checklist),
                Some(Place::Card(id)) => Some(See::Card(id)),
                None => None,
            };
            let notice = Notice::Line { to, text, about: Some(channel), see };
            row_due(WorkKind::Notice, notice_key(&key), &notice, now)
        });
        Ok((keep(KeptKind::DeadLetter, key, &letter), notice))
    }

    /// What is to be finished with a message that is delivered now: its dead letter, and the notice of
    /// it that is still pending.
    pub(super) async fn dead_letter_of(&self, work: &Work) -> Result<Vec<Finished>, StoreError> {
        self.rows_of(&letter_key(work)).await
    }

    /// A message is delivered now: it has no dead letter any more.
    pub(super) async fn forget_dead_letter(&self, work: &Work) -> Result<(), StoreError> {
        self.forget(self.dead_letter_of(work).await?).await
    }

    async fn forget(&self, finished: Vec<Finished>) -> Result<(), StoreError> {
        if finished.is_empty() {
            return Ok(());
        }
        self.keep(Commit { finished, ..Commit::default() }).await
    }

    async fn rows_of(&self, key: &str) -> Result<Vec<Finished>, StoreError> {
        let store = self.sessions.store();
        let Some(letter) = store.kept(KeptKind::DeadLetter, key).await? else { return Ok(Vec::new()) };
        let notice = notice_key(key);
        let pending = store.find(WorkKind::Notice, &notice).await?;
        self.outbox.failing.remove(&(WorkKind::Notice, notice));
        Ok(pending.iter().map(Work::finished).chain([letter.finished()]).collect())
    }

    /// Who set the channel up, or who asked, is an operator.
    async fn dead_letter_notice(&self, work: &Work, why: &ChatError) -> Option<(UserId, ChannelKey, String)> {
        if work.kind == WorkKind::Digest {
            return self.about_digest(work, why).await;
        }
        if work.kind == WorkKind::News {
            let channel = decode::<Card>(work)?.channel;
            let again = format!("{AGAIN} What else there is to tell there goes on.");
            let (to, text) = self.about_news(&channel, "something that happened at Sekoia", why, &again).await?;
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
        let text =
            format!("I could not bring {what} up to date: {why}. {} {AGAIN}", self.advice_there(&channel, why).await);
        Some((to, channel, text))
    }

    /// What to do in another channel, for a person who reads it elsewhere.
    pub(super) async fn advice_there(&self, channel: &ChannelKey, why: &ChatError) -> String {
        why.advice(&self.chats.wording(channel).await).replace(" here ", " there ")
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
        let advice = self.advice_there(channel, why).await;
        Some((to, format!("I cannot tell {} {what}: {why}. {advice} {again}", channel.channel())))
    }

    /// The channel takes nothing of its feed: a dead letter of the channel, with one notice about it.
    pub(super) async fn channel_refuses_feed(&self, channel: &ChannelKey, why: &ChatError) -> Result<(), StoreError> {
        let key = feed_key(channel);
        if self.is_recorded(&key).await {
            return Ok(());
        }
        error!(error = %why, channel = channel.as_str(), "a channel takes nothing of its feed, which waits");
        let letter = DeadLetter {
            kind: WorkKind::News.name().into(),
            key: channel.as_str().into(),
            why: why.to_string(),
            body: String::new(),
            channel: Some(channel.clone()),
            to: None,
            since: Some(Timestamp::now()),
        };
        let mut commit = Commit { keep: vec![keep(KeptKind::DeadLetter, key.clone(), &letter)], ..Commit::default() };
        let again =
            "I try again by myself, every ten minutes at least; what is older than seven days by then is dropped.";
        if let Some((to, text)) = self.about_news(channel, "what happens at Sekoia", why, again).await {
            commit.schedule.push(row_due(
                WorkKind::Notice,
                notice_key(&key),
                &Notice::Line { to, text, about: Some(channel.clone()), see: None },
                Timestamp::now(),
            ));
        }
        self.keep(commit).await?;
        self.outbox.wake();
        Ok(())
    }

    /// The channel takes its feed: it has no dead letter any more.
    pub(super) async fn channel_takes_feed(&self, channel: &ChannelKey) -> Result<(), StoreError> {
        self.outbox.failing.remove(&(WorkKind::News, channel.as_str().to_owned()));
        self.forget(self.rows_of(&feed_key(channel)).await?).await
    }

    /// The feed of a channel that took nothing of it is tried at once.
    pub(super) async fn retry_feed(&self, channel: &ChannelKey) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let soon = now + LONGEST_WAIT;
        let mut commit = Commit::default();
        for work in self.sessions.store().due(WorkKind::News, soon, MOST_FEED_ROWS).await? {
            if work.due > now && decode::<Card>(&work).is_some_and(|card| card.channel == *channel) {
                commit.postponed.push((work.finished(), now));
            }
        }
        self.keep(commit).await?;
        self.outbox.open_again.insert(channel.clone());
        self.outbox.wake_news();
        Ok(())
    }

    /// Whether a message has a dead letter.
    pub(super) async fn is_dead_letter(&self, work: &Work) -> bool {
        self.is_recorded(&letter_key(work)).await
    }

    async fn is_recorded(&self, key: &str) -> bool {
        matches!(self.sessions.store().kept(KeptKind::DeadLetter, key).await, Ok(Some(_)))
    }

    /// Messages that are not delivered, and why, a line each.
    pub(in crate::bot) async fn undelivered(&self) -> Result<Vec<Line>, StoreError> {
        let letters = recorded(&**self.sessions.store()).await?;
        let mut lines: Vec<Line> = letters.iter().map(DeadLetter::line).collect();
        let waiting = self.outbox.failing.iter().filter(|failing| {
            let (kind, key) = failing.key();
            !letters.iter().any(|letter| *letter.kind == *kind.name() && letter.key == *key)
        });
        lines.extend(waiting.take(LISTED as usize).map(|failing| {
            let (kind, key) = failing.key();
            let about = &failing.about;
            let line = what(
                Line::new().say("⏳ not delivered yet ("),
                kind.name(),
                key,
                about.channel.as_ref(),
                about.to.as_ref(),
            );
            line.say(format!("): {}", shown(&failing.error.to_string(), 300)))
        }));
        Ok(lines)
    }

    /// A process that begins to send what is due tries what was refused before: the token or the
    /// channel may have been put right.
    pub(in crate::bot) async fn retry_dead_letters(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.sessions.store().all_kept(KeptKind::DeadLetter, after.as_deref(), PAGE).await?;
            for kept in &page {
                self.retry_dead_letter(kept, now).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = Some(last.key.clone()),
                _ => break,
            }
        }
        self.outbox.wake();
        Ok(())
    }

    async fn retry_dead_letter(&self, kept: &Kept, now: Timestamp) -> Result<(), StoreError> {
        let Some(letter) = decode::<DeadLetter>(kept) else { return Ok(()) };
        let kinds = [
            WorkKind::Announce,
            WorkKind::Welcome,
            WorkKind::Card,
            WorkKind::Notice,
            WorkKind::Digest,
            WorkKind::News,
            WorkKind::Progress,
        ];
        let kind = kinds.into_iter().find(|kind| *kind.name() == *letter.kind);
        let Some(kind) = kind else { return Ok(()) };
        let mut commit = Commit { finished: vec![kept.finished()], ..Commit::default() };
        if letter.since.is_some() {
            return match kind {
                // Of a channel: the process that watches tries it.
                WorkKind::News if kept.key == feed_key(&ChannelKey::from(letter.key.clone())) => Ok(()),
                kind if self.sessions.store().find(kind, &letter.key).await?.is_some() => {
                    self.due_now(kind, &letter.key, now).await
                }
                // It is not wanted any more.
                _ => self.keep(commit).await,
            };
        }
        // An earlier release took it off the list of pending messages, and did not say since when.
        let again = Schedule { kind, key: letter.key.clone(), due: now, attempts: 1, body: letter.body.clone() };
        commit.schedule = match kind {
            WorkKind::Progress => vec![progress_due(&ChannelKey::from(letter.key.clone()), now)],
            WorkKind::News => {
                let (wanted, shown) = self.still_wanted(&letter, now).await?;
                commit.finished.extend(shown);
                if wanted { vec![again] } else { Vec::new() }
            }
            _ => vec![again],
        };
        self.keep(commit).await
    }

    /// Whether a message of the feed that an earlier release put aside is still to be sent; if it is too
    /// old, what is to be forgotten with it.
    async fn still_wanted(&self, letter: &DeadLetter, now: Timestamp) -> Result<(bool, Option<Finished>), StoreError> {
        let store = self.sessions.store();
        // More came of it meanwhile: that is sent, or was.
        if store.find(WorkKind::News, &letter.key).await?.is_some() {
            return Ok((false, None));
        }
        let card: Option<Card> = serde_json::from_str(&letter.body).ok();
        if card.is_some_and(|card| now < card.kept_until(false)) {
            return Ok((true, None));
        }
        let shown = store.kept(KeptKind::Posted, &letter.key).await?;
        Ok((false, shown.map(|shown| shown.finished())))
    }
}

async fn recorded(store: &dyn Store) -> Result<Vec<DeadLetter>, StoreError> {
    let kept = store.all_kept(KeptKind::DeadLetter, None, LISTED).await?;
    let mut letters: Vec<DeadLetter> = kept.iter().filter_map(decode).collect();
    letters.sort_by_key(|letter| letter.since);
    Ok(letters)
}

/// Messages that a chat refuses, a line each, as they are stored.
pub(in crate::bot) async fn dead_letters(store: &dyn Store) -> Result<Vec<Line>, StoreError> {
    Ok(recorded(store).await?.iter().map(DeadLetter::line).collect())
}

impl DeadLetter {
    fn line(&self) -> Line {
        let line =
            what(Line::new().say("⚠️ not delivered ("), &self.kind, &self.key, self.channel.as_ref(), self.to.as_ref());
        let line = line.say(format!("): {}", shown(&self.why, 300)));
        match self.since {
            Some(since) => line.say(", since ").moment(since),
            None => line,
        }
    }
}

/// Which message, and where it goes: people know no keys.
fn what(line: Line, kind: &str, key: &str, channel: Option<&ChannelKey>, to: Option<&UserId>) -> Line {
    let line = match kind {
        "card" => line.say(format!("card of request {}", shown(key, 20))),
        "progress" => line.say("checklist"),
        "notice" => line.say("direct message"),
        "announce" => line.say("announcement"),
        other => line.say(shown(other, 20)),
    };
    match (channel, to) {
        (Some(channel), _) => line.say(" in ").channel(channel),
        (None, Some(user)) => line.say(" to ").person(user),
        (None, None) => line,
    }
}

/// The key of a message's dead letter.
fn letter_key(work: &Work) -> String {
    format!("{}/{}", work.kind.name(), work.key)
}

/// The key of the notice about a dead letter. Stored, and of an earlier name.
fn notice_key(key: &str) -> String {
    format!("parked/{key}")
}

/// The key of the dead letter of a channel that takes nothing of its feed.
fn feed_key(channel: &ChannelKey) -> String {
    format!("{}/{channel}", WorkKind::News.name())
}
