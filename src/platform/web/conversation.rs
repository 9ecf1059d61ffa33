//! What was said, and who sees it live.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::sync::{broadcast, watch};

use super::people::{BOT, on_slack, sees};
use super::render;
use super::transcript::{Message, StoredMessage, Transcript};
use super::windows::Windows;
use crate::chat::view::View;
use crate::chat::{ChannelKey, Picture};
use crate::platform::mattermost::seal::Sealer;
use crate::platform::{mattermost, slack};
use crate::store::keyfile;

/// Messages that are kept; beyond it the oldest are forgotten.
const KEPT: usize = 3_000;
/// Pictures that are kept; each is as large as hundreds of messages.
const PICTURES: usize = 20;
/// What a window may lag behind before it starts again with everything.
const LAG: usize = 512;

/// Where a message of the bot goes.
pub(super) struct Place<'a> {
    pub channel: &'a str,
    pub thread: Option<u64>,
    pub only: Option<&'a str>,
}

/// The chat that the page shows.
pub struct WebChat {
    messages: Mutex<BTreeMap<u64, StoredMessage>>,
    live: broadcast::Sender<Arc<Message>>,
    windows: Windows,
    transcript: Option<Transcript>,
    stopped: watch::Sender<bool>,
    /// For what is only looked at: nobody opens it.
    sealer: Sealer,
}

impl WebChat {
    /// A chat that forgets, or one that is kept in a file.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn open(kept: Option<PathBuf>) -> anyhow::Result<Self> {
        let (transcript, messages) = match kept {
            Some(path) => {
                let (transcript, messages) = Transcript::open(path)?;
                (Some(transcript), messages)
            }
            None => (None, Vec::new()),
        };
        Ok(Self {
            messages: Mutex::new(messages.into_iter().map(|kept| (kept.message.id, kept)).collect()),
            live: broadcast::Sender::new(LAG),
            windows: Windows::default(),
            transcript,
            stopped: watch::Sender::new(false),
            sealer: Sealer::new(&[keyfile::new_key()]),
        })
    }

    /// Ends the windows' streams, which would hold a stop up.
    pub fn close(&self) {
        self.stopped.send_replace(true);
    }

    /// Waits until what is to be kept is written. Nothing may be said any more.
    pub fn finish(&self) {
        if let Some(transcript) = &self.transcript {
            transcript.finish();
        }
    }

    pub(super) fn windows(&self) -> &Windows {
        &self.windows
    }

    pub(super) fn stopped(&self) -> watch::Receiver<bool> {
        self.stopped.subscribe()
    }

    // Every change is made whole under the lock: a poisoned lock guards sound data.
    fn messages(&self) -> MutexGuard<'_, BTreeMap<u64, StoredMessage>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that `person` sees, and what comes after it.
    pub(super) fn join(&self, person: &str) -> (Vec<Message>, broadcast::Receiver<Arc<Message>>) {
        let messages = self.messages();
        // Under the lock: nothing is said between the two.
        let live = self.live.subscribe();
        let seen = messages.values().filter(|kept| visible_to(&kept.message, person));
        (seen.map(|kept| kept.message.clone()).collect(), live)
    }

    /// A message that `person` sees.
    pub(super) fn find(&self, id: u64, person: &str) -> Option<StoredMessage> {
        self.messages().get(&id).filter(|kept| visible_to(&kept.message, person)).cloned()
    }

    /// The newest message in `channel` that carries `mark`, if it was said at or after `since`.
    pub(super) fn find_mark(&self, channel: &str, mark: &str, since: Timestamp) -> Option<u64> {
        let carries = |kept: &&StoredMessage| kept.mark.as_deref() == Some(mark) && kept.message.channel == channel;
        let messages = self.messages();
        let newest = messages.values().rev().find(carries)?;
        (newest.message.at >= since).then_some(newest.message.id)
    }

    /// What a person typed, unless it stands there already.
    pub(super) fn typed(&self, from: &str, place: &Place<'_>, text: &str, act: &str) {
        let mut messages = self.messages();
        if !messages.values().any(|kept| kept.act.as_deref() == Some(act)) {
            let message = next_message(&messages, from, place, render::typed(text));
            let act = Some(act.to_owned());
            self.add(
                &mut messages,
                StoredMessage { message, slack: None, mattermost: None, act, mark: None, picture: None },
            );
        }
    }

    /// What the bot says.
    pub(super) fn said(&self, place: &Place<'_>, view: &View, mark: Option<&str>) -> u64 {
        let slack = Some(as_slack(view, place.only.is_some()));
        let mattermost = Some(self.as_mattermost(view, place.channel, place.only));
        let mut messages = self.messages();
        let message = Message { slack: true, ..next_message(&messages, BOT, place, render::body(view)) };
        self.add(
            &mut messages,
            StoredMessage { message, slack, mattermost, act: None, mark: mark.map(str::to_owned), picture: None },
        )
    }

    /// A picture of the bot's. It stands in the message itself, so that a restart finds it; of the
    /// oldest only the words are kept.
    pub(super) fn pictured(&self, place: &Place<'_>, picture: &Picture) {
        let alt = Some(picture.alt.clone());
        let mut messages = self.messages();
        let shown: Vec<u64> = messages.values().filter(|k| k.picture.is_some()).map(|k| k.message.id).collect();
        for id in shown.iter().take((shown.len() + 1).saturating_sub(PICTURES)) {
            let Some(kept) = messages.get_mut(id) else { continue };
            let Some(alt) = kept.picture.take() else { continue };
            kept.message.body = render::body(&View::sentence(alt));
            let message = kept.message.clone();
            self.changed(&messages, message);
        }
        let message = next_message(&messages, BOT, place, render::picture(picture));
        self.add(
            &mut messages,
            StoredMessage { message, slack: None, mattermost: None, act: None, mark: None, picture: alt },
        );
    }

    fn add(&self, messages: &mut BTreeMap<u64, StoredMessage>, kept: StoredMessage) -> u64 {
        let message = kept.message.clone();
        let id = message.id;
        messages.insert(id, kept);
        while messages.len() > KEPT {
            messages.pop_first();
        }
        self.changed(messages, message);
        id
    }

    /// Replaces what the bot said; false if that is gone.
    pub(super) fn edit(&self, id: u64, view: &View) -> bool {
        let mut messages = self.messages();
        let Some(kept) = messages.get_mut(&id) else { return false };
        kept.message.body = render::body(view);
        kept.message.edited = Some(Timestamp::now());
        kept.slack = Some(as_slack(view, kept.message.only.is_some()));
        kept.mattermost = Some(self.as_mattermost(view, &kept.message.channel, kept.message.only.as_deref()));
        let message = kept.message.clone();
        self.changed(&messages, message);
        true
    }

    fn as_mattermost(&self, view: &View, channel: &str, only: Option<&str>) -> Box<RawValue> {
        mattermost::preview(view, &self.sealer, &ChannelKey::mattermost(channel), only)
    }

    fn changed(&self, messages: &BTreeMap<u64, StoredMessage>, message: Message) {
        if let Some(transcript) = &self.transcript {
            transcript.save(messages.values());
        }
        // Without a window nobody listens.
        let _ = self.live.send(Arc::new(message));
    }
}

fn next_message(
    messages: &BTreeMap<u64, StoredMessage>,
    from: &str,
    place: &Place<'_>,
    body: Box<RawValue>,
) -> Message {
    Message {
        id: messages.last_key_value().map_or(1, |(last, _)| last + 1),
        channel: place.channel.to_owned(),
        thread: place.thread,
        from: from.to_owned(),
        only: place.only.map(str::to_owned),
        at: Timestamp::now(),
        edited: None,
        slack: false,
        body,
    }
}

pub(super) fn visible_to(message: &Message, person: &str) -> bool {
    sees(person, &message.channel) && message.only.as_deref().is_none_or(|only| only == person)
}

fn as_slack(view: &View, private: bool) -> Box<RawValue> {
    slack::preview(&on_slack(view), private)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_oldest_pictures_the_words_are_kept() {
        let chat = WebChat::open(None).unwrap();
        let place = Place { channel: "soc-setup", thread: None, only: None };
        for n in 0..=PICTURES {
            let picture = Picture { name: "x.png".into(), title: "x".into(), alt: format!("<b>{n}</b>"), png: vec![1] };
            chat.pictured(&place, &picture);
        }
        let messages = chat.messages();
        let bodies: Vec<&str> = messages.values().map(|kept| kept.message.body.get()).collect();
        let images = bodies.iter().filter(|body| body.contains("data:image/png;base64,AQ==")).count();
        assert_eq!(images, PICTURES);
        assert!(bodies[0].contains("<b>0</b>") && !bodies[0].contains("base64"), "{}", bodies[0]);
    }
}
