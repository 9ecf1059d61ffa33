//! How the store, Sekoia and the chat are doing, as it was last seen.
//!
//! Looked at on a schedule, not when somebody asks: `/readyz` needs no authentication and must
//! cause no call.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::bot::Bot;
use crate::chat::{ChatError, ChatPlatform, Chats, Wording};
use crate::domain::access::Unread;
use crate::pace::Rank;
use crate::sekoia::SekoiaError;
use crate::store::Store;
use crate::timing::Reach;
use crate::timing::server::{CHECKED_EVERY, STORE_PROBED_AGAIN, STORE_PROBED_EVERY};

/// Looks between two looks at the user groups of the settings.
const GROUPS_EVERY: u64 = 5;

#[derive(Debug)]
pub struct Health {
    store: Seen,
    sekoia: Seen,
    /// By the platform's name.
    chats: Vec<(&'static str, Seen)>,
    reach: Reach,
    /// User groups of the settings that cannot be read, with what was said of each.
    unread: Mutex<Vec<Unread>>,
    /// What is refused because a key or token is wrong, by its part.
    refused: Mutex<BTreeMap<&'static str, &'static str>>,
    /// What is in the store and was not stored by the bot.
    set_aside: AtomicU64,
}

/// How something was when it was last looked at, and since when; none: not looked at yet.
#[derive(Debug, Default)]
struct Seen(Mutex<Option<Look>>);

#[derive(Debug, Clone, Copy)]
struct Look {
    well: bool,
    since: Timestamp,
    /// The same by a clock that nobody sets.
    from: Instant,
}

impl Seen {
    /// Whether it was failing, and is well again.
    fn now<E: Display>(&self, what: &'static str, result: Result<(), E>) -> bool {
        let well = result.is_ok();
        let before = {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let before = *seen;
            let before = before.map(|look| look.well);
            if before != Some(well) {
                *seen = Some(Look { well, since: Timestamp::now(), from: Instant::now() });
            }
            before
        };
        let recovered = well && before == Some(false);
        match result {
            Err(error) if before != Some(false) => warn!(%error, "{what} is failing"),
            Ok(()) if recovered => info!("{what} is well again"),
            _ => {}
        }
        recovered
    }

    fn well(&self) -> Option<bool> {
        locked(&self.0).map(|look| look.well)
    }

    fn name(&self) -> &'static str {
        match self.well() {
            None => "unknown",
            Some(true) => "ok",
            Some(false) => "failing",
        }
    }

    fn failing(&self) -> Option<Look> {
        locked(&self.0).filter(|look| !look.well)
    }

    fn failing_since(&self) -> Option<Timestamp> {
        self.failing().map(|look| look.since)
    }

    fn fails_for(&self, time: Duration) -> bool {
        self.failing().is_some_and(|look| look.from.elapsed() >= time)
    }
}

impl Health {
    pub fn new(chats: &Chats, reach: Reach) -> Self {
        let chats = chats.iter().map(|chat| (chat.name(), Seen::default())).collect();
        Self {
            store: Seen::default(),
            sekoia: Seen::default(),
            chats,
            reach,
            unread: Mutex::default(),
            refused: Mutex::default(),
            set_aside: AtomicU64::new(0),
        }
    }

    /// What is failing is in the log; here stands only that it is, since when, and what only its
    /// administrator can put right: a key or token that is refused, a user group that cannot be read.
    pub fn json(&self) -> Value {
        let reason = self.reason();
        let mut body = json!({ "status": if reason.is_none() { "ok" } else { "failing" } });
        if let Some(reason) = reason {
            body["reason"] = reason.into();
        }
        let mut since = Map::new();
        let parts = [("store", &self.store), ("sekoia", &self.sekoia)];
        for (part, seen) in parts.into_iter().chain(self.chats.iter().map(|(name, seen)| (*name, seen))) {
            body[part] = seen.name().into();
            if let Some(at) = seen.failing_since() {
                since.insert(part.to_owned(), format!("{at:.0}").into());
            }
        }
        let refused = locked(&self.refused);
        if !refused.is_empty() {
            body["wrong"] = json!(*refused);
        }
        let unread = locked(&self.unread);
        if !unread.is_empty() {
            body["unread_groups"] = unread.iter().map(|unread| &*unread.who).collect();
        }
        body["since"] = since.into();
        body["set_aside"] = self.set_aside.load(Ordering::Relaxed).into();
        body
    }

    /// Why the process cannot do its work. Without Sekoia it can still answer.
    pub fn reason(&self) -> Option<String> {
        // Without its store the bot records nothing, so it does nothing.
        if let Some(since) = self.store.failing_since() {
            return Some(format!("the store has not taken a write since {since:.0}"));
        }
        let gone = |(_, seen): &(&str, Seen)| seen.fails_for(self.reach.given_up_after);
        let last = self.chats.iter().filter_map(|(_, seen)| seen.failing_since()).max()?;
        self.chats.iter().all(gone).then(|| {
            let names: Vec<&str> = self.chats.iter().map(|(name, _)| *name).collect();
            format!("{} could not be reached since {last:.0}", names.join(" and "))
        })
    }

    /// How much is in the store and was not stored by the bot.
    pub fn set_aside(&self) -> u64 {
        self.set_aside.load(Ordering::Relaxed)
    }

    /// What was looked at, and whether it was well.
    pub fn well(&self) -> Vec<(&'static str, bool)> {
        let chats = self.chats.iter().map(|(name, seen)| (*name, seen));
        let parts = [("store", &self.store), ("sekoia", &self.sekoia)].into_iter().chain(chats);
        parts.filter_map(|(part, seen)| Some((part, seen.well()?))).collect()
    }

    /// Notes whether a key or token is refused: that is said loudly, once, and does not pass by itself.
    fn key(&self, part: &'static str, setting: &'static str, refused: Option<&dyn Display>) {
        let mut wrong = locked(&self.refused);
        let Some(why) = refused else {
            wrong.remove(part);
            return;
        };
        if wrong.insert(part, setting).is_none() {
            error!(%why, "{setting} is refused by {part}: nothing works until it is right; set it and restart");
        }
    }

    /// Notes which groups cannot be read.
    fn groups(&self, unread: Vec<Unread>) {
        let mut before = locked(&self.unread);
        for new in unread.iter().filter(|new| !before.iter().any(|old| old.who == new.who)) {
            warn!("{new}; who has rights by it alone has none until it can be. {}", new.advice(&Wording::default()));
        }
        for old in before.iter().filter(|old| !unread.iter().any(|new| old.who == new.who)) {
            info!(group = &*old.who, "a user group can be read again");
        }
        *before = unread;
    }

    /// Looks until `stop`.
    pub async fn watch(&self, bot: &Bot, stop: CancellationToken) {
        // Apart: a chat that hangs hides nothing of the store.
        let chats = self.chats.iter().zip(bot.chats().iter());
        let chats = join_all(chats.map(|((_, seen), chat)| self.watch_chat(chat, seen, bot, &stop)));
        tokio::join!(self.watch_store(&**bot.sessions().store(), &stop), chats, self.watch_sekoia(bot, &stop));
    }

    async fn watch_store(&self, store: &dyn Store, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let probed = store.probe().await;
            let pause = if probed.is_ok() { STORE_PROBED_EVERY } else { STORE_PROBED_AGAIN };
            self.store.now("the store", probed);
            if let Ok((count, _)) = store.set_aside(0).await {
                self.set_aside.store(count, Ordering::Relaxed);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn watch_chat(&self, chat: &dyn ChatPlatform, seen: &Seen, bot: &Bot, stop: &CancellationToken) {
        let platform = chat.name();
        while !stop.is_cancelled() {
            let checked = match chat.check().await {
                // That is an answer.
                Err(ChatError::RateLimited) => Ok(()),
                checked => checked,
            };
            let dead = checked.as_ref().err().filter(|error| {
                matches!(error, ChatError::TokenDead(_) | ChatError::AppTokenDead(_) | ChatError::OrganisationWide)
            });
            let setting = match dead {
                Some(ChatError::AppTokenDead(_)) => "SLACK_APP_TOKEN",
                _ => token(platform),
            };
            self.key(platform, setting, dead.map(|error| error as &dyn Display));
            if seen.now(platform, checked) {
                bot.chat_is_back(platform).await;
            }
            tokio::select! {
                () = tokio::time::sleep(self.reach.asked_every) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn watch_sekoia(&self, bot: &Bot, stop: &CancellationToken) {
        for look in 0_u64.. {
            let checked = bot.sekoia().validate(Rank::Background).await.map(|_| ());
            let refused = checked.as_ref().err().filter(|error| matches!(error, SekoiaError::Unauthorized { .. }));
            self.key("sekoia", "SEKOIA_API_KEY", refused.map(|error| error as &dyn Display));
            self.sekoia.now("Sekoia", checked);
            // A group is read for whoever acts as well: now and then is enough while all is well.
            if look % GROUPS_EVERY == 0 || !locked(&self.unread).is_empty() {
                self.groups(bot.unread_groups().await);
            }
            tokio::select! {
                () = tokio::time::sleep(CHECKED_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// The setting that holds a platform's token.
pub fn token(platform: &str) -> &'static str {
    match platform {
        "slack" => "SLACK_BOT_TOKEN",
        _ => "MATTERMOST_BOT_TOKEN",
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
