//! The LiveAPI: a WebSocket that tells what changed. Sekoia's own triggers use it; nothing about it
//! is promised.
//!
//! `socket` takes a connection and speaks on it, `frames` writes what is said. What Sekoia does
//! with somebody who reads too slowly is unknown: here the connection ends.

mod frames;
mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

pub(super) use socket::upgrade;

/// So many events may wait for a slow reader.
const WAITING: usize = 16_384;

/// Something that changed, as it is told.
#[derive(Debug)]
pub(super) struct Notice {
    /// `alert`, `case` and so on.
    pub kind: &'static str,
    /// `created`, `updated` and so on.
    pub action: &'static str,
    pub attributes: Value,
    pub uuid: Uuid,
    pub at: Timestamp,
    pub community: Uuid,
}

/// Everybody who listens.
#[derive(Debug)]
pub(super) struct Live {
    out: broadcast::Sender<Arc<Notice>>,
    /// How often everybody was hung up on.
    ended: watch::Sender<u64>,
    open: AtomicUsize,
    opened: AtomicUsize,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            out: broadcast::Sender::new(WAITING),
            ended: watch::Sender::default(),
            open: AtomicUsize::default(),
            opened: AtomicUsize::default(),
        }
    }
}

impl Live {
    pub(super) fn tell(&self, notice: &Arc<Notice>) {
        // Nobody may listen.
        let _ = self.out.send(Arc::clone(notice));
    }

    /// Ends every connection, as a server that stops does.
    pub(super) fn hang_up(&self) {
        self.ended.send_modify(|times| *times += 1);
    }

    /// Connections that are upgraded and open, and how many ever were.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.open.load(Ordering::Acquire), self.opened.load(Ordering::Acquire))
    }

    fn join(&self) -> Joined<'_> {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.opened.fetch_add(1, Ordering::AcqRel);
        Joined(self)
    }
}

/// Counts a listener, however it ends.
struct Joined<'a>(&'a Live);

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}
