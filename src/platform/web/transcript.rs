//! The conversation in a file: written whole, a moment after it changed, by a thread of its own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tracing::error;

use super::conversation::Kept;

/// Changes that come together are written together.
const TOGETHER: Duration = Duration::from_millis(200);

pub(super) struct Transcript {
    to_write: Mutex<Option<Sender<Vec<u8>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Transcript {
    /// Reads what the file holds.
    pub fn open(path: PathBuf) -> anyhow::Result<(Self, Vec<Kept>)> {
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
                    match receiver.recv_timeout(TOGETHER) {
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

    pub fn save<'a>(&self, messages: impl Iterator<Item = &'a Kept>) {
        let messages: Vec<&Kept> = messages.collect();
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
