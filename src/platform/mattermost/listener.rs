//! Mentions of the bot in channels, threads and direct messages: heard on the server's WebSocket, and read
//! after it was lost, each acted upon once.
//!
//! Nobody sends a post again. So whatever a mention asks is recorded before anything is done, under the
//! post's id: what was recorded is answered after a crash too, and a post that is heard and read is
//! recorded once. What is read after a loss can therefore be more than what was missed. It begins ten
//! minutes before the last moment of which is known that nothing was missed, but not before the bot first
//! listened with this store. A mention that is read late is not acted upon: who wrote it is asked to say it
//! again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::client::MattermostClient;
use super::inbound::{as_sent, key, names};
use super::mentions::{Post, after_mention};
use super::socket::{Socket, SocketEvent, SocketTiming};
use crate::bot::Responder;
use crate::chat::{ChannelKey, ChatError, Inbound, ReplyTo, UserId, Words, is_mattermost_id};
use crate::command::INBOX;
use crate::config::MattermostConfig;
use crate::pace::retry::wait_after;
use crate::resolve::network::Dialer;
use crate::state::listening::Listening;
use crate::store::StoreError;
use crate::timing::Rhythm;
use crate::timing::mattermost::{
    ANSWER_WITHIN, MENTIONS_ANSWERED, MENTIONS_READ_BACK, READ_AGAIN_AFTER, READ_AGAIN_LONGEST,
};

/// What the store knows it by.
const PLATFORM: &str = "mattermost";
/// Events that wait to be looked at; beyond, the server has to keep them.
const ROOM: usize = 1_024;
/// Posts of a page, as many as the server gives at once.
const PAGE: usize = 200;
/// Pages of one channel that are read at most.
const PAGES: usize = 50;
/// People that one message may name.
const NAMED: usize = 100;
/// Posts that were looked at lately and are not looked at again.
const REMEMBERED: u64 = 20_000;

/// Hears and reads mentions until it is stopped.
pub struct Listener {
    socket: Socket,
    reader: Reader,
}

struct Reader {
    client: Arc<MattermostClient>,
    responder: Responder,
    rhythm: Rhythm,
    /// With a new store, mentions count from here on.
    began: Timestamp,
    /// As far as it was asked of the store.
    listening: Option<Listening>,
    /// Posts whose mention was taken, or refused, in this process.
    taken: Cache<Box<str>, ()>,
    /// What was asked last in each channel and is not answered yet.
    answering: HashMap<Box<str>, JoinHandle<()>>,
}

/// Why posts could not be read.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Chat(#[from] ChatError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A channel that the bot is in.
#[derive(Deserialize)]
struct Joined {
    id: Box<str>,
    #[serde(rename = "type", default)]
    kind: Box<str>,
    /// Milliseconds since 1970.
    #[serde(default)]
    last_post_at: i64,
}

/// When posts are to be read, and how often that failed.
#[derive(Default)]
struct Owed {
    at: Option<Instant>,
    failures: u32,
}

impl Listener {
    pub fn new(
        client: Arc<MattermostClient>,
        config: &MattermostConfig,
        responder: Responder,
        dialer: Dialer,
        rhythm: Rhythm,
    ) -> Self {
        let socket = Socket::new(&config.url, config.bot_token.clone(), SocketTiming::of(rhythm), dialer);
        let kept = Duration::try_from(MENTIONS_READ_BACK * 2).unwrap_or_default();
        let taken = Cache::builder().max_capacity(REMEMBERED).time_to_live(kept).build();
        let reader = Reader {
            client,
            responder,
            rhythm,
            began: Timestamp::now(),
            listening: None,
            taken,
            answering: HashMap::new(),
        };
        Self { socket, reader }
    }

    /// Runs until `stop`. It may end anywhere: what was not recorded is read after the next start.
    pub async fn run(self, stop: CancellationToken) {
        let Self { socket, mut reader } = self;
        let (out, events) = mpsc::channel(ROOM);
        let client = Arc::clone(&reader.client);
        // A connection whose token was refused for a while tells nothing any more, and stands.
        let listening = async {
            while !out.is_closed() {
                tokio::select! {
                    () = socket.listen(&out) => {}
                    () = client.counts_again() => info!("the bot's token counts again; connecting again"),
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = listening => {}
            () = reader.hear(events) => {}
        }
        reader.leave().await;
    }
}

impl Reader {
    async fn hear(&mut self, mut events: mpsc::Receiver<SocketEvent>) {
        let (mut owed, mut connected) = (Owed::default(), false);
        loop {
            // What was written before is done before.
            if connected && owed.at.is_some_and(|at| at <= Instant::now()) {
                self.read_missed(&mut owed).await;
            }
            let due = owed.at.unwrap_or_else(Instant::now);
            tokio::select! {
                event = events.recv() => match event {
                    None => return,
                    Some(SocketEvent::Connected) => {
                        connected = true;
                        self.client.hears(None);
                        owed = Owed { at: Some(Instant::now()), failures: 0 };
                    }
                    Some(SocketEvent::Lost(why)) => {
                        if std::mem::take(&mut connected) && owed.at.is_none() && !self.client.is_refused() {
                            self.heard_until(Timestamp::now());
                        }
                        self.client.hears(Some(why));
                    }
                    Some(SocketEvent::Missed) => owed.at = Some(Instant::now()),
                    Some(SocketEvent::Posted { post, direct }) => {
                        if let Err(error) = self.take(&post, direct, None).await {
                            warn!(%error, "a mention could not be understood yet");
                            owed.again(self.rhythm);
                        }
                    }
                    Some(SocketEvent::Added { user, channel }) => match self.added(&user, &channel).await {
                        Ok(true) => owed.at = Some(Instant::now()),
                        Ok(false) => {}
                        Err(error) => error!(%error, %channel, "a channel cannot be welcomed"),
                    },
                },
                () = sleep_until(due), if connected && owed.at.is_some() => {}
            }
        }
    }

    /// Nothing was missed until then.
    fn heard_until(&mut self, until: Timestamp) {
        if let Some(listening) = &mut self.listening {
            listening.until = Some(until);
        }
    }

    /// Keeps until when nothing was missed, so that the next process reads no more than it must.
    async fn leave(&mut self) {
        self.keep().await.unwrap_or_else(|error| warn!(%error, "more than what was missed is read after the start"));
    }

    async fn keep(&self) -> Result<(), StoreError> {
        match &self.listening {
            Some(listening) => listening.keep(&**self.responder.bot().sessions().store(), PLATFORM).await,
            None => Ok(()),
        }
    }

    /// Whether it is the bot that was added to a channel: what was said to it there a moment before counts
    /// from now on.
    async fn added(&self, user: &str, channel: &str) -> Result<bool, Unread> {
        if *self.client.facts().me().await? != *user {
            return Ok(false);
        }
        let delivery = format!("mattermost:added-{channel}");
        self.responder.bot().added_to(&ChannelKey::mattermost(channel), &delivery, Timestamp::now()).await?;
        Ok(true)
    }

    async fn read_missed(&mut self, owed: &mut Owed) {
        match self.catch_up().await {
            Ok(()) => *owed = Owed::default(),
            Err(error) => {
                warn!(%error, "what was said on Mattermost meanwhile could not be read yet");
                owed.again(self.rhythm);
            }
        }
    }

    /// Reads what was written lately in the channels that the bot is in. One that cannot be read keeps none
    /// of the others waiting.
    async fn catch_up(&mut self) -> Result<(), Unread> {
        let now = Timestamp::now();
        let listening = match self.listening {
            Some(known) => known,
            None => Listening::on(&**self.responder.bot().sessions().store(), PLATFORM, self.began).await?,
        };
        self.listening = Some(listening);
        let until = listening.until.unwrap_or(now).clamp(now - MENTIONS_ANSWERED, now);
        let since = listening.since.max(until - MENTIONS_READ_BACK).as_millisecond();
        let joined: Vec<Joined> = self.client.api().get_beside("/users/me/channels").await?;
        let mut failed = Ok(());
        for channel in joined.iter().filter(|channel| channel.last_post_at >= since && is_mattermost_id(&channel.id)) {
            match self.catch_up_in(channel, since).await {
                // It was removed from there meanwhile.
                Err(Unread::Chat(ChatError::NotInChannel)) | Ok(()) => {}
                error => failed = error,
            }
        }
        failed?;
        self.heard_until(now);
        Ok(self.keep().await?)
    }

    async fn catch_up_in(&mut self, channel: &Joined, since: i64) -> Result<(), Unread> {
        for post in self.posts(&channel.id, since).await? {
            // Who edited it, and when, nobody says: what was heard is as it was written.
            if post.edit_at == 0 {
                let written = Timestamp::from_millisecond(post.create_at).unwrap_or_default();
                let age = Timestamp::now().duration_since(written);
                self.take(&post, &*channel.kind == "D", Some(age).filter(|age| *age > MENTIONS_READ_BACK)).await?;
            }
        }
        Ok(())
    }

    /// What was written in a channel since, oldest first.
    async fn posts(&self, channel: &str, since: i64) -> Result<Vec<Post>, ChatError> {
        #[derive(Deserialize)]
        struct Page {
            /// The newest first.
            order: Vec<Box<str>>,
            posts: HashMap<Box<str>, Post>,
        }
        let (mut found, mut before) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let path = format!("/channels/{channel}/posts?per_page={PAGE}{before}");
            let Page { order, mut posts } = self.client.api().get_beside(&path).await?;
            let here: Vec<Post> = order.iter().filter_map(|id| posts.remove(id)).collect();
            let reached = here.iter().any(|post| post.create_at < since);
            found.extend(here.into_iter().filter(|post| post.create_at >= since && post.is_whole()));
            match order.last().filter(|id| order.len() >= PAGE && !reached && is_mattermost_id(id)) {
                Some(last) => before = format!("&before={last}"),
                None => break,
            }
        }
        found.sort_by_key(|post| post.create_at);
        Ok(found)
    }

    /// Acts upon a post if it is a person's and mentions the bot, once. `late`: how long ago it was written
    /// if that is too long.
    ///
    /// # Errors
    /// When it could not be found out what it means; nothing was done.
    async fn take(&mut self, post: &Post, direct: bool, late: Option<SignedDuration>) -> Result<(), Unread> {
        if self.taken.contains_key(&post.id) || !post.is_a_persons() {
            return Ok(());
        }
        let facts = self.client.facts();
        let words = match after_mention(&post.message, &facts.mentioned_as().await?) {
            Some(words) => words,
            // Nobody else can be meant there. Anything more could be a note to oneself.
            None if direct && asks_for_inbox(&post.message) => INBOX,
            None => return Ok(()),
        };
        let actor = UserId::mattermost(&post.user_id);
        // Programs that answer each other never end.
        if *post.user_id == *facts.me().await? || facts.person(&actor).await?.person.bot {
            return Ok(());
        }
        let mut named: Vec<&str> = names(words).map(|(_, name)| name).collect();
        named.truncate(NAMED);
        let people = facts.named(&named).await?;
        let people: Vec<(&str, &str)> = people.iter().map(|(name, id)| (&**name, &**id)).collect();
        let root = Some(&post.root_id).filter(|root| is_mattermost_id(root));
        let inbound = Inbound {
            delivery: format!("mattermost:post-{}", post.id).into(),
            actor,
            channel: key(&post.channel_id, direct),
            words: Words::Typed(as_sent(words, &people)),
            pressed: None,
            trigger: None,
            reply_to: ReplyTo::Private { thread: root.cloned() },
            at: Timestamp::now(),
        };
        if let Some(age) = late {
            return Ok(self.responder.bot().too_late(&inbound, words, age).await?);
        }
        self.taken.insert(post.id.clone(), ());
        self.answered(&post.channel_id).await;
        if let Some(answer) = self.responder.take_once(inbound).await {
            self.answering.retain(|_, answer| !answer.is_finished());
            self.answering.insert(post.channel_id.clone(), answer);
        }
        Ok(())
    }

    /// Waits, but not for long, until what was asked before in a channel is done: people write one thing
    /// after the other, and mean it so.
    async fn answered(&mut self, channel: &str) {
        if let Some(answer) = self.answering.remove(channel) {
            let _ = tokio::time::timeout(ANSWER_WITHIN, answer).await;
        }
    }
}

/// Whether a message is that one word.
fn asks_for_inbox(message: &str) -> bool {
    message.trim().eq_ignore_ascii_case(INBOX)
}

impl Owed {
    fn again(&mut self, rhythm: Rhythm) {
        let wait = wait_after(self.failures, rhythm.of(READ_AGAIN_AFTER), rhythm.of(READ_AGAIN_LONGEST));
        self.failures = self.failures.saturating_add(1);
        self.at = Some(Instant::now() + wait);
    }
}
