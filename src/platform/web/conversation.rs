//! What was said, and who sees it live.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{broadcast, watch};

use super::people::{BOT, on_slack, sees};
use super::render;
use super::transcript::Transcript;
use crate::platform::slack;
use crate::view::View;

/// Messages that are kept; beyond it the oldest are forgotten.
const KEPT: usize = 3_000;
/// What a window may lag behind before it starts again with everything.
const LAG: usize = 512;

/// A message as the page gets it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Message {
    pub id: u64,
    pub channel: String,
    /// The message in whose thread it stands.
    pub thread: Option<u64>,
    /// A person, or [`BOT`].
    pub from: String,
    /// The only person who sees it.
    pub only: Option<String>,
    pub at: Timestamp,
    pub edited: Option<Timestamp>,
    /// Whether Slack's JSON of it can be had.
    pub slack: bool,
    pub body: Box<RawValue>,
}

/// A message as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub message: Message,
    /// What Slack would receive.
    pub slack: Option<Box<RawValue>>,
    /// What the page called the act, so that the same sent again is said once.
    pub act: Option<String>,
}

/// What a window is told.
#[derive(Debug, Clone)]
pub(super) enum Live {
    Message(Arc<Message>),
    /// A dialog opens, or gets its content, in one window.
    Form {
        window: Box<str>,
        json: Box<str>,
    },
}

/// Where a message of the bot goes.
pub(super) struct Place<'a> {
    pub channel: &'a str,
    pub thread: Option<u64>,
    pub only: Option<&'a str>,
}

/// The chat that the page shows.
pub struct WebChat {
    messages: Mutex<BTreeMap<u64, Kept>>,
    live: broadcast::Sender<Live>,
    transcript: Option<Transcript>,
    stopped: watch::Sender<bool>,
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
            transcript,
            stopped: watch::Sender::new(false),
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

    pub(super) fn stopped(&self) -> watch::Receiver<bool> {
        self.stopped.subscribe()
    }

    // Every change is made whole under the lock: a poisoned lock guards sound data.
    fn messages(&self) -> MutexGuard<'_, BTreeMap<u64, Kept>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that `person` sees, and what comes after it.
    pub(super) fn join(&self, person: &str) -> (Vec<Message>, broadcast::Receiver<Live>) {
        let messages = self.messages();
        // Under the lock: nothing is said between the two.
        let live = self.live.subscribe();
        let seen = messages.values().filter(|kept| visible_to(&kept.message, person));
        (seen.map(|kept| kept.message.clone()).collect(), live)
    }

    /// A message that `person` sees.
    pub(super) fn find(&self, id: u64, person: &str) -> Option<Kept> {
        self.messages().get(&id).filter(|kept| visible_to(&kept.message, person)).cloned()
    }

    /// What a person typed, unless it stands there already.
    pub(super) fn typed(&self, from: &str, place: &Place<'_>, text: &str, act: &str) {
        let mut messages = self.messages();
        if !messages.values().any(|kept| kept.act.as_deref() == Some(act)) {
            self.add(&mut messages, from, place, render::typed(text), None, Some(act.to_owned()));
        }
    }

    /// What the bot says.
    pub(super) fn said(&self, place: &Place<'_>, view: &View) -> u64 {
        let slack = as_slack(view, place.only.is_some());
        self.add(&mut self.messages(), BOT, place, render::body(view), Some(slack), None)
    }

    fn add(
        &self,
        messages: &mut BTreeMap<u64, Kept>,
        from: &str,
        place: &Place<'_>,
        body: Box<RawValue>,
        slack: Option<Box<RawValue>>,
        act: Option<String>,
    ) -> u64 {
        let id = messages.last_key_value().map_or(1, |(last, _)| last + 1);
        let message = Message {
            id,
            channel: place.channel.to_owned(),
            thread: place.thread,
            from: from.to_owned(),
            only: place.only.map(str::to_owned),
            at: Timestamp::now(),
            edited: None,
            slack: slack.is_some(),
            body,
        };
        messages.insert(id, Kept { message: message.clone(), slack, act });
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
        let message = kept.message.clone();
        self.changed(&messages, message);
        true
    }

    fn changed(&self, messages: &BTreeMap<u64, Kept>, message: Message) {
        if let Some(transcript) = &self.transcript {
            transcript.save(messages.values());
        }
        // Without a window nobody listens.
        let _ = self.live.send(Live::Message(Arc::new(message)));
    }

    pub(super) fn show_form(&self, window: &str, dialog: &render::Dialog<'_>) {
        // Own types: strings, numbers and maps with string keys.
        let json = serde_json::to_string(dialog).expect("own types serialize").into();
        let _ = self.live.send(Live::Form { window: window.into(), json });
    }
}

pub(super) fn visible_to(message: &Message, person: &str) -> bool {
    sees(person, &message.channel) && message.only.as_deref().is_none_or(|only| only == person)
}

fn as_slack(view: &View, private: bool) -> Box<RawValue> {
    slack::preview(&on_slack(view), private)
}
