//! The conversation in a file: written whole, a moment after it changed, by a thread of its own.

use crate::timing::page::GATHERED_WITHIN;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::error;

/// A message as the page gets it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Message {
    pub id: u64,
    pub channel: String,
    /// The message in whose thread it stands.
    pub thread: Option<u64>,
    /// A person, or [`BOT`](super::people::BOT).
    pub from: String,
    /// The only person who sees it.
    pub only: Option<String>,
    pub at: Timestamp,
    pub edited: Option<Timestamp>,
    /// Whether it can be had as Slack and Mattermost would receive it.
    pub slack: bool,
    pub body: Box<RawValue>,
}

/// A message as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredMessage {
    pub message: Message,
    /// What Slack would receive.
    pub slack: Option<Box<RawValue>>,
    /// What Mattermost would. Older transcripts have none.
    #[serde(default)]
    pub mattermost: Option<Box<RawValue>>,
    /// What the page called the act, so that the same sent again is said once.
    pub act: Option<String>,
    /// What the bot finds its own message again by. Older transcripts have none.
    #[serde(default)]
    pub mark: Option<String>,
    /// Of a picture that is still there, the same in words.
    #[serde(default)]
    pub picture: Option<String>,
}

pub(super) struct Transcript {
    to_write: Mutex<Option<Sender<Vec<u8>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Transcript {
    /// Reads what the file holds.
    pub fn open(path: PathBuf) -> anyhow::Result<(Self, Vec<StoredMessage>)> {
        let messages = match std::fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).with_context(|| {
                format!("{} does not hold a conversation; move it away to start anew", path.display())
            })?,
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(e).with_context(|| format!("Cannot read {}", path.display())),
        };
        let (sender, receiver) = mpsc::channel::<Vec<u8>>();
        let writer = std::thread::Builder::new().name("transcript".into()).spawn(move || {
            while let Ok(mut json) = receiver.recv() {
                let ended = loop {
                    match receiver.recv_timeout(GATHERED_WITHIN) {
                        Ok(newer) => json = newer,
                        Err(RecvTimeoutError::Timeout) => break false,
                        Err(RecvTimeoutError::Disconnected) => break true,
                    }
                };
                if let Err(error) = write(&path, &json) {
                    error!(%error, path = %path.display(), "the conversation could not be written");
                }
                if ended {
                    return;
                }
            }
        })?;
        Ok((Self { to_write: Mutex::new(Some(sender)), writer: Mutex::new(Some(writer)) }, messages))
    }

    pub fn save<'a>(&self, messages: impl Iterator<Item = &'a StoredMessage>) {
        let messages: Vec<&StoredMessage> = messages.collect();
        // Own types: strings, numbers and maps with string keys.
        let json = serde_json::to_vec(&messages).expect("own types serialize");
        if let Some(writer) = &*self.to_write.lock().unwrap_or_else(PoisonError::into_inner) {
            // Its receiver goes only together with the process.
            let _ = writer.send(json);
        }
    }

    /// Waits until the last change is written.
    pub fn finish(&self) {
        self.to_write.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = writer.join();
        }
    }
}

/// The old file or the new one, never half of one.
fn write(path: &Path, json: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, json)?;
    std::fs::rename(&beside, path)
}
