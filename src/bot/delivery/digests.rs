//! Digests: the summary of a planned period, posted into its channel once.
//!
//! The message carries a mark with its planned instant and is looked up before it is posted again;
//! that it was sent, its next time and its chart are then one commit. The chart carries no mark.
//! So it is noted before it is shown: after a crash, or when the platform did not say what became
//! of it, it is not sent again. The message has the same numbers, and a picture twice is noise; what
//! was refused for sure is tried again a few times and then said in the message.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use super::About;
use super::message::{LiveMessage, Post};
use super::refusals::after_refusal;
use crate::bot::Bot;
use crate::bot::inbox::only_store;
use crate::bot::rules::summary::{summary_view, without_chart};
use crate::chat::view::View;
use crate::chat::{Actor, ChannelKey, ChatError, MessageId, UserId};
use crate::domain::notify::{Command, Due, Event, Period, Planned, Rules, Which, decide};
use crate::pace::Rank;
use crate::state::kept::{decode, row_due};
use crate::state::rules::ChangeError;
use crate::store::{Commit, Schedule, StoreError, Work, WorkKind};
use crate::timing::delivery::LOOK_BACK;

const BATCH: u32 = 16;
/// Attempts at a chart.
const MOST_CHARTS: u32 = 6;
/// The third part of the key of an owed chart.
const CHART: &str = "chart";

/// A chart that a digest's thread is to have.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OwedChart {
    message: MessageId,
    from: Timestamp,
    at: Timestamp,
    /// An attempt that nobody recorded the end of may have shown it.
    #[serde(default)]
    begun: bool,
}

/// The row of a digest; none if it never comes again.
fn planned_row(channel: &ChannelKey, planned: &Planned, after: Timestamp) -> Option<Schedule> {
    let due = planned.digest.next_after(after)?;
    let key = key(channel, Which::from(planned.digest.every));
    Some(Schedule { kind: WorkKind::Digest, key, due, attempts: 0, body: String::new() })
}

fn key(channel: &ChannelKey, which: Which) -> String {
    format!("{channel}/{}", which.name())
}

/// Channel, digest, and whether it is about the digest's chart.
fn parts(key: &str) -> Option<(ChannelKey, Which, bool)> {
    let (rest, chart) = match key.strip_suffix(CHART).and_then(|key| key.strip_suffix('/')) {
        Some(rest) => (rest, true),
        None => (key, false),
    };
    let (channel, which) = rest.rsplit_once('/')?;
    let which = [Which::Daily, Which::Weekly].into_iter().find(|w| w.name() == which)?;
    Some((ChannelKey::from(channel.to_owned()), which, chart))
}

impl Bot {
    /// Every digest has its row, whichever process set it.
    pub(in crate::bot) async fn plan_digests(&self, now: Timestamp) -> Result<(), StoreError> {
        for channel in self.notifications.channels().await? {
            let rules = match self.notifications.read(&channel).await {
                Ok(rules) => rules,
                // One that cannot be read keeps none of the others from being planned.
                Err(error @ StoreError::Corrupt { .. }) => {
                    error!(%error, "a channel's digests are not planned");
                    continue;
                }
                Err(error) => return Err(error),
            };
            for planned in [&rules.daily, &rules.weekly].into_iter().flatten() {
                let key = key(&channel, Which::from(planned.digest.every));
                if self.sessions.store().find(WorkKind::Digest, &key).await?.is_some() {
                    continue;
                }
                let schedule = planned_row(&channel, planned, planned.since(now)).into_iter().collect();
                self.keep(Commit { schedule, ..Commit::default() }).await?;
                info!(key, %now, "a digest was planned");
            }
        }
        Ok(())
    }

    pub(in crate::bot) async fn digests_due(&self, now: Timestamp) -> Result<(), StoreError> {
        // Side by side: one channel's trouble is not another's.
        let due = self.sessions.store().due(WorkKind::Digest, now, BATCH).await?;
        join_all(due.iter().map(async |work| {
            let done = match parts(&work.key) {
                Some((channel, which, false)) => self.digest(work, &channel, which, now).await,
                Some((channel, which, true)) => self.owed_chart(work, &channel, which, now).await,
                None => {
                    error!(key = work.key, "this is no digest; it is dropped");
                    self.keep(Commit { finished: vec![work.finished()], ..Commit::default() }).await
                }
            };
            if let Err(error) = done {
                warn!(%error, key = work.key, "the store failed; the digest has to wait");
            }
        }))
        .await;
        Ok(())
    }

    async fn digest(&self, work: &Work, channel: &ChannelKey, which: Which, now: Timestamp) -> Result<(), StoreError> {
        let rules = self.notifications.read(channel).await?;
        let Some(planned) = rules.planned(which) else {
            // Switched off meanwhile.
            return self.keep(Commit { finished: vec![work.finished()], ..Commit::default() }).await;
        };
        let Some(due) = planned.due(now) else {
            // Sent already, or set to another time.
            let schedule = planned_row(channel, planned, now).into_iter().collect();
            return self.keep(Commit { finished: vec![work.finished()], schedule, ..Commit::default() }).await;
        };
        let (chart, view) = self.digest_view(channel, &rules, planned, &due, now).await?;
        match self.post_digest(work, channel, planned, due, &view, now).await {
            Ok((message, due)) => self.digest_sent(work, channel, which, &due, message, chart, now).await,
            Err(failed) => {
                let about = About { channel: Some(channel.clone()), to: None };
                let (commit, recorded) = self.postpone_refused(work, &about, &failed, now).await?;
                self.keep(commit).await?;
                if recorded {
                    self.outbox.wake();
                }
                Ok(())
            }
        }
    }

    /// Whether anything fired, and the message.
    async fn digest_view(
        &self,
        channel: &ChannelKey,
        rules: &Rules,
        planned: &Planned,
        due: &Due,
        now: Timestamp,
    ) -> Result<(bool, View), StoreError> {
        let (period, zone) = (Period::of(due), planned.digest.zone());
        let summary = self.summed_up(channel, rules, period, zone, now).await?;
        let name = match Which::from(planned.digest.every) {
            Which::Daily => "Daily digest",
            Which::Weekly => "Weekly digest",
        };
        let heading = format!("{name}, {}", period.in_words(zone));
        Ok((summary.total() > 0, summary_view(heading, &summary, rules, &self.sekoia.app)))
    }

    /// Posts it, unless it stands there already; so may an earlier one that nobody recorded.
    async fn post_digest(
        &self,
        work: &Work,
        channel: &ChannelKey,
        planned: &Planned,
        due: Due,
        view: &View,
        now: Timestamp,
    ) -> Result<(MessageId, Due), ChatError> {
        let which = Which::from(planned.digest.every);
        let post = Post::once(self, work, channel, mark(which, due.at), Rank::Background);
        if post.in_doubt || self.outbox.attempts.of_work(work) {
            let lately = Timestamp::now() - LOOK_BACK;
            let mut planned_at = Some(due);
            while let Some(due) = planned_at.filter(|due| due.at >= lately || due.at == work.due) {
                let earlier = Post { mark: mark(which, due.at), since: due.at, in_doubt: true, ..post.clone() };
                if let Some(message) = self.find_unrecorded(&earlier).await? {
                    return Ok((message, due));
                }
                let before = due.at - SignedDuration::from_secs(1);
                planned_at = planned.digest.due(planned.since(now), before);
            }
        }
        let message = self.post_new(&post, view, None).await?;
        Ok((message, due))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one record")]
    async fn digest_sent(
        &self,
        work: &Work,
        channel: &ChannelKey,
        which: Which,
        due: &Due,
        message: MessageId,
        chart: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sent = |rules: &Rules| decide(rules, Command::DigestSent { which, at: due.at }, now);
        let owed = |rules: &Rules| -> Vec<Schedule> {
            let next = rules.planned(which).and_then(|planned| planned_row(channel, planned, due.at));
            let owed = OwedChart { message: message.clone(), from: due.from, at: due.at, begun: false };
            let row = row_due(WorkKind::Digest, format!("{}/{CHART}", work.key), &owed, now);
            next.into_iter().chain(chart.then_some(row)).collect()
        };
        match self.notifications.change(channel, &Actor::Bot, now, Some(work.finished()), sent, owed).await {
            Ok(changed) => {
                let kinds: Vec<&str> = changed.events.iter().map(Event::kind).collect();
                info!(channel = channel.as_str(), ?kinds, "a digest was sent");
                self.outbox.attempts.recorded(&(work.kind, work.key.clone()));
                self.forget_dead_letter(work).await
            }
            Err(ChangeError::Store(error)) => Err(error),
            // Switched off or set anew while it was posted: the person who did so planned what comes next.
            Err(error) => {
                warn!(%error, "a digest is not recorded as sent");
                self.outbox.attempts.recorded(&(work.kind, work.key.clone()));
                self.keep(Commit { finished: vec![work.finished()], ..Commit::default() }).await
            }
        }
    }

    async fn owed_chart(
        &self,
        work: &Work,
        channel: &ChannelKey,
        which: Which,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let finished = Commit { finished: vec![work.finished()], ..Commit::default() };
        let Some(owed) = decode::<OwedChart>(work) else { return self.keep(finished).await };
        if owed.begun {
            info!(key = work.key, "an attempt at this chart has no end; it is not repeated");
            return self.keep(finished).await;
        }
        let rules = self.notifications.read(channel).await?;
        let Some(planned) = rules.planned(which) else { return self.keep(finished).await };
        let due = Due { at: owed.at, from: owed.from };
        let zone = planned.digest.zone();
        let summary = self.summed_up(channel, &rules, Period::of(&due), zone, now).await?;
        let noted = |begun, due| Schedule {
            attempts: work.attempts + 1,
            ..row_due(WorkKind::Digest, work.key.clone(), &OwedChart { begun, ..owed.clone() }, due)
        };
        let begun = Commit { schedule: vec![noted(true, now)], ..Commit::default() };
        let generation = self.sessions.store().commit(begun).await.map_err(only_store)?.first().copied();
        let mine = crate::store::Finished { generation: generation.unwrap_or_default(), ..work.finished() };
        let mut commit = Commit::default();
        match self.send_chart(channel, Some(&owed.message), &summary, zone).await {
            Ok(()) | Err(ChatError::Unclear) => commit.finished.push(mine),
            Err(error) if error.is_passing() && work.attempts + 1 < MOST_CHARTS => {
                warn!(%error, "a digest's chart has to wait");
                commit.schedule.push(noted(
                    false,
                    now + after_refusal(self.timing.delivery.first_wait, work.attempts, &error).wait(),
                ));
            }
            Err(error) => {
                warn!(%error, "a digest's chart could not be sent");
                let view = self.digest_view(channel, &rules, planned, &due, now).await?.1.note(without_chart(&error));
                let live = LiveMessage {
                    post: Post {
                        in_doubt: false,
                        ..Post::once(self, work, channel, mark(which, owed.at), Rank::Background)
                    },
                    view,
                    again: None,
                    message: Some(owed.message.clone()),
                    replaces: None,
                    original: None,
                    reposts: false,
                };
                if let Err(error) = self.bring_up_to_date(&live).await? {
                    warn!(%error, "nor could that be said");
                }
                self.outbox.attempts.recorded(&live.post.work);
                commit.finished.push(mine);
            }
        }
        self.keep(commit).await
    }

    /// Who set the digest, and what they read when it cannot be posted.
    pub(super) async fn about_digest(&self, work: &Work, why: &ChatError) -> Option<(UserId, ChannelKey, String)> {
        let (channel, which, _) = parts(&work.key)?;
        let rules = self.notifications.read(&channel).await.ok()?;
        let Actor::Person(to) = rules.planned(which)?.set.by.clone() else { return None };
        let text = format!(
            "I could not post the {} digest in {}: {why}. {} I keep trying by myself; the next one is about this one's time as well.",
            which.name(),
            channel.channel(),
            self.advice_there(&channel, why).await
        );
        Some((to, channel, text))
    }
}

fn mark(which: Which, at: Timestamp) -> String {
    format!("digest {} {}", which.name(), at.as_second())
}
