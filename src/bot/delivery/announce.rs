//! Announcements, made once: to every open channel that execution was stopped, or is allowed again; to
//! one channel where people log in.

use jiff::Timestamp;
use tracing::{error, warn};

use super::message::Post;
use crate::bot::Bot;
use crate::bot::approvals::card::frozen_line;
use crate::bot::approvals::lines::by;
use crate::bot::inbox::only_store;
use crate::bot::steps::quickstart;
use crate::chat::text::shown;
use crate::chat::view::{Line, View};
use crate::chat::{ChannelKey, ChatError};
use crate::pace::Rank;
use crate::state::control::Frozen;
use crate::state::freeze::Announcement;
use crate::state::owed::{Announced, PostedQuickStart, SharedAddress, ThreadReminder};
use crate::store::{Commit, StoreError, Work};

/// Channels that are looked up at once.
const PAGE: u32 = 200;

impl Bot {
    pub(super) async fn announce(&self, work: &Work) -> Result<Result<(), ChatError>, StoreError> {
        match serde_json::from_str::<Announced>(&work.body) {
            Ok(Announced::Address(shared)) => Ok(self.share_address(&shared, work).await),
            Ok(Announced::QuickStart(posted)) => Ok(self.post_quick_start(&posted, work).await),
            Ok(Announced::Reminder(reminder)) => self.remind_in_thread(&reminder, work).await,
            Ok(Announced::Freeze(announcement)) => match &announcement.channel {
                Some(channel) => Ok(self.announce_in(channel, &announcement, work).await),
                None => self.spread(&announcement).await.map(Ok),
            },
            Err(_) => {
                error!("an announcement cannot be read; it is dropped");
                Ok(Ok(()))
            }
        }
    }

    /// Says in a channel what its analysts do next.
    async fn post_quick_start(&self, posted: &PostedQuickStart, work: &Work) -> Result<(), ChatError> {
        let PostedQuickStart { quick_start_in: channel, by: who, products } = posted;
        let view = quickstart::brief(products, &self.sekoia.app).note(by(Line::new().say("Sent by "), who));
        let post = Post::once(self, work, channel, work.key.clone(), Rank::Person);
        unless_gone(channel, self.post_once(&post, self.native_to(channel.platform(), view)).await.map(|_| ()))
    }

    /// Reminds in the thread of a request's card those who have not voted.
    async fn remind_in_thread(
        &self,
        reminder: &ThreadReminder,
        work: &Work,
    ) -> Result<Result<(), ChatError>, StoreError> {
        let channel = &reminder.remind_in;
        let (card, view) = match self.reminder(reminder, Timestamp::now()).await? {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        let post = Post { under: Some(card), ..Post::once(self, work, channel, work.key.clone(), Rank::Person) };
        let posted = self.post_once(&post, self.native_to(channel.platform(), view)).await.map(|_| ());
        Ok(unless_gone(channel, posted))
    }

    /// Says in a channel where people log in, and pins that where it is allowed.
    async fn share_address(&self, shared: &SharedAddress, work: &Work) -> Result<(), ChatError> {
        let SharedAddress { shared_in: channel, by: who } = shared;
        let region = self.sekoia.region;
        let app = self.sekoia.app.to_string();
        let other = if region.is_self_hosted() { "another Sekoia's" } else { "another region's" };
        let line = Line::new()
            .say("Log in to Sekoia at ")
            .link(app.clone(), app)
            .say(format!(". Bookmark this address before you accept an invitation: with {other}, you cannot get in."));
        let from = by(Line::new().say("Shared by "), who);
        let view = View::sentence(line).note(from.say(format!(" · region {region}, {}", region.place())));
        let post = Post::once(self, work, channel, work.key.clone(), Rank::Person);
        match self.post_once(&post, self.native_to(channel.platform(), view)).await {
            Ok(message) => {
                if let Err(error) = self.chats.of_channel(channel)?.pin(channel, &message).await {
                    tracing::info!(%error, channel = channel.as_str(), "the address is not pinned");
                }
                Ok(())
            }
            Err(error) => unless_gone(channel, Err(error)),
        }
    }

    /// Makes one row a channel: each waits for its own chat.
    async fn spread(&self, announcement: &Announcement) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let mut after: Option<ChannelKey> = None;
        loop {
            let channels = self.sessions.channels(after.as_ref(), PAGE).await?;
            let row =
                |channel: &ChannelKey| Announcement { channel: Some(channel.clone()), ..announcement.clone() }.row(now);
            let schedule = channels.iter().map(row).collect();
            let commit = Commit { schedule, ..Commit::default() };
            self.sessions.store().commit(commit).await.map_err(only_store)?;
            self.outbox.wake();
            if channels.len() < PAGE as usize {
                return Ok(());
            }
            after = channels.last().cloned();
        }
    }

    async fn announce_in(&self, channel: &ChannelKey, said: &Announcement, work: &Work) -> Result<(), ChatError> {
        let post = Post::once(self, work, channel, format!("freeze {}", said.version), Rank::Person);
        match self.post_once(&post, self.native_to(channel.platform(), view(said))).await {
            // Nobody reads it there, and the cards of requests say it too.
            Err(gone @ (ChatError::NotInChannel | ChatError::NotAChannel | ChatError::Archived)) => {
                warn!(error = %gone, channel = channel.as_str(), "a freeze is not announced in a channel");
                Ok(())
            }
            posted => posted.map(|_| ()),
        }
    }
}

/// What nobody would read is not posted.
fn unless_gone(channel: &ChannelKey, posted: Result<(), ChatError>) -> Result<(), ChatError> {
    match posted {
        Err(
            gone @ (ChatError::NotInChannel | ChatError::NotAChannel | ChatError::Archived | ChatError::MessageGone),
        ) => {
            warn!(error = %gone, channel = channel.as_str(), "this is not posted");
            Ok(())
        }
        other => other,
    }
}

fn view(said: &Announcement) -> View {
    let Some(reason) = &said.reason else {
        let line = by(Line::new().say("The freeze was lifted by "), &said.change.by);
        let line = line.say(" · ").moment(said.change.at).say(". Approved requests are carried out again.");
        let view = View::sentence(line);
        let Some(Frozen { reason, change }) = &said.ended else { return view };
        let was = by(Line::new().say("It was frozen by "), &change.by).say(" · ").moment(change.at);
        return view.note(was.say(format!(": {}", shown(reason, 200))));
    };
    let frozen = Frozen { reason: reason.clone(), change: said.change.clone() };
    View::sentence(frozen_line(&frozen)).line(Line::marked(
        "This holds in every channel until an approver types `/sekoia unfreeze`. You can still ask for requests and decide them. Keys whose secret was lost are still revoked.",
    ))
}
