//! Whether the bot still is in the channels that are set up, and in those that it is limited to.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::messages::{some, unread};
use super::{Doctor, title};
use crate::chat::diagnosis::{Check, harmless};
use crate::chat::text::count;
use crate::chat::{ChannelKey, ChatPlatform, is_mattermost_id};
use crate::state::sessions::Sessions;
use crate::store::{Store, StoreError};

/// Channels that are looked at.
const MOST: u32 = 5_000;
/// Named in one check.
const NAMED: usize = 5;

pub async fn examine(doctor: &Doctor<'_>, chat: &dyn ChatPlatform) -> Vec<Check> {
    let (id, subject) = (format!("{}.channels", chat.name()), format!("{}: channels", title(chat.name())));
    let present: BTreeSet<ChannelKey> = match chat.channels().await {
        Ok(Some(channels)) => channels.into_iter().collect(),
        Ok(None) => return Vec::new(),
        Err(error) => {
            let found = format!("Not examined: {}.", harmless(&error.to_string()));
            return vec![Check::warn(
                id,
                subject,
                &found,
                &format!("Correct what is said of {} first.", title(chat.name())),
            )];
        }
    };
    let Ok(store) = &doctor.store else { return vec![Check::pass(id, subject, &is_in(&present))] };
    let open = match set_up(store, chat).await {
        Ok(open) => open,
        Err(error) => return vec![unread(&id, &subject, &error)],
    };
    let mut missing: Vec<ChannelKey> = open.iter().filter(|channel| !present.contains(*channel)).cloned().collect();
    for listed in &doctor.access.channels {
        let known = present.iter().chain(&open).any(|channel| channel.channel() == &**listed);
        if let Some(channel) = by_id(chat, listed).await.filter(|_| !known) {
            missing.push(channel);
        }
    }
    if missing.is_empty() {
        let open = match open.len() {
            0 => "None is".to_owned(),
            n => count(n, "channel is", "channels are"),
        };
        return vec![Check::pass(id, subject, &format!("{} {open} set up.", is_in(&present)))];
    }
    let mut names = Vec::new();
    for channel in missing.iter().take(NAMED) {
        names.push(format!("`{}`", harmless(&named(chat, channel).await)));
    }
    names.extend(missing.iter().skip(NAMED).map(|channel| channel.channel().to_owned()));
    vec![Check::warn(
        id,
        subject,
        &format!("{} It is not in {}, which the bot is to serve.", is_in(&present), some(&names, NAMED)),
        &format!("Type {} there.", chat.wording().await.invite()),
    )]
}

fn is_in(present: &BTreeSet<ChannelKey>) -> String {
    format!("The bot is in {}.", count(present.len(), "channel", "channels"))
}

async fn set_up(store: &Arc<dyn Store>, chat: &dyn ChatPlatform) -> Result<Vec<ChannelKey>, StoreError> {
    let all = Sessions::new(Arc::clone(store)).channels(None, MOST).await?;
    Ok(all.into_iter().filter(|channel| channel.platform() == chat.name() && !chat.is_direct(channel)).collect())
}

/// A channel of this platform by the id that `CHATOPS_CHANNELS` lists.
async fn by_id(chat: &dyn ChatPlatform, id: &str) -> Option<ChannelKey> {
    match chat.name() {
        "slack" if !is_mattermost_id(id) => Some(ChannelKey::slack(&chat.team().await.ok()?, id)),
        "mattermost" if is_mattermost_id(id) => Some(ChannelKey::mattermost(id)),
        _ => None,
    }
}

/// A channel's name where the platform gives it, its id otherwise.
async fn named(chat: &dyn ChatPlatform, channel: &ChannelKey) -> String {
    match chat.channel(channel).await {
        Ok(facts) if !facts.name.is_empty() => format!("#{}", facts.name),
        _ => channel.channel().to_owned(),
    }
}
