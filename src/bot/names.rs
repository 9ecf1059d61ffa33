//! Names of people and channels, for text in which nobody can be mentioned by id: reports, and
//! messages on another platform than theirs.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::Bot;
use crate::chat::view::{Span, View};
use crate::chat::{ChannelKey, UserId};
use crate::timing::bot::NAMES_PATIENCE;

/// People and channels that are looked up for one text.
const MOST: usize = 200;

/// What is known of people and channels; whoever is not known is shown by id.
#[derive(Debug, Default)]
pub struct Names {
    people: BTreeMap<UserId, Box<str>>,
    channels: BTreeMap<ChannelKey, Box<str>>,
}

impl Names {
    /// Somebody's name; with the id where another one has the same name.
    pub fn person(&self, user: &UserId) -> String {
        let Some(name) = self.people.get(user) else { return user.to_string() };
        let alone = self.people.values().filter(|other| *other == name).count() == 1;
        if alone { name.to_string() } else { format!("{name} ({user})") }
    }

    /// Somebody's name with their id, which alone says for good who it is.
    pub fn person_and_id(&self, user: &UserId) -> String {
        self.people.get(user).map_or_else(|| user.to_string(), |name| format!("{name} ({user})"))
    }

    pub fn channel(&self, channel: &ChannelKey) -> String {
        self.channels.get(channel).map_or_else(|| channel.to_string(), |name| format!("#{name}"))
    }

    /// Everybody's name by id.
    pub fn people(&self) -> &BTreeMap<UserId, Box<str>> {
        &self.people
    }
}

impl Bot {
    pub(super) async fn names<'a>(
        &self,
        people: impl IntoIterator<Item = &'a UserId>,
        channels: impl IntoIterator<Item = &'a ChannelKey>,
    ) -> Names {
        let people: BTreeSet<&UserId> = people.into_iter().take(MOST).collect();
        let channels: BTreeSet<&ChannelKey> = channels.into_iter().take(MOST).collect();
        let person = |user: &'a UserId| async move {
            let asked = self.chats.of_user(user).ok()?.person(user);
            let name = tokio::time::timeout(NAMES_PATIENCE, asked).await.ok()?.ok()?.name;
            (!name.is_empty()).then(|| (user.clone(), name))
        };
        let channel = |channel: &'a ChannelKey| async move {
            let asked = self.chats.of_channel(channel).ok()?.channel(channel);
            let name = tokio::time::timeout(NAMES_PATIENCE, asked).await.ok()?.ok()?.name;
            (!name.is_empty()).then(|| (channel.clone(), name))
        };
        let people = join_all(people.into_iter().map(person));
        let channels = join_all(channels.into_iter().map(channel));
        let (people, channels) = tokio::join!(people, channels);
        Names { people: people.into_iter().flatten().collect(), channels: channels.into_iter().flatten().collect() }
    }

    /// The same message with names in place of what `platform` cannot mention.
    pub(super) async fn native_to(&self, platform: &str, mut view: View) -> View {
        let (mut people, mut channels) = (Vec::new(), Vec::new());
        for span in view.lines().flat_map(|line| &line.0).filter(|span| is_foreign(span, platform)) {
            match span {
                Span::Person(user) => people.push(user.clone()),
                Span::Channel(channel) => channels.push(channel.clone()),
                _ => {}
            }
        }
        let names = self.names(&people, &channels).await;
        for line in view.lines_mut() {
            for span in line.0.iter_mut().filter(|span| is_foreign(span, platform)) {
                let name = match &*span {
                    Span::Person(user) => format!("@{}", names.person(user)),
                    Span::Channel(channel) => names.channel(channel),
                    _ => continue,
                };
                *span = Span::Strong(name.into());
            }
        }
        view
    }
}

/// Whether a message names somebody whom its readers' platform does not know.
pub fn is_foreign_to(view: &View, platform: &str) -> bool {
    view.lines().flat_map(|line| &line.0).any(|span| is_foreign(span, platform))
}

fn is_foreign(span: &Span, platform: &str) -> bool {
    match span {
        Span::Person(user) => user.platform() != platform,
        Span::Channel(channel) => channel.platform() != platform,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_one_name_are_told_apart_and_nobody_is_left_out() {
        let [ana, bo, cy] = ["U1", "U2", "U3"].map(UserId::slack);
        let named = [(ana.clone(), "Ana".into()), (bo.clone(), "Ana".into())];
        let names = Names { people: named.into(), channels: BTreeMap::new() };
        let said = [&ana, &bo, &cy].map(|user| names.person(user));
        assert_eq!(said, ["Ana (slack:U1)", "Ana (slack:U2)", "slack:U3"]);
    }
}
