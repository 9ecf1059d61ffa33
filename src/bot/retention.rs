//! Personal values whose time is over: erased a page of streams at a time, wherever they are not in force.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Bot;
use crate::chat::ChannelKey;
use crate::domain::checklist::Session;
use crate::state::erase::{Outcome, What, erase};
use crate::state::stream::Folded;
use crate::store::{StoreError, StreamId};

/// Streams that are looked at in one sweep.
const PAGE: u32 = 500;

/// How long personal values are kept.
#[derive(Debug, Default)]
pub(super) struct Retention {
    after: Option<Duration>,
    /// The stream that was looked at last. Held by the one sweep that goes on.
    at: Mutex<Option<StreamId>>,
}

impl Bot {
    /// Personal values are erased so long after they were recorded; none: never.
    #[must_use]
    pub fn forgetting_after(mut self, after: Option<Duration>) -> Self {
        self.retention.after = after;
        self
    }

    /// Erases what is too old in the next page of streams.
    pub(super) async fn forget_personal(&self, now: Timestamp, stop: &CancellationToken) {
        let Some(after) = self.retention.after else { return };
        // The last sweep may still be at it.
        let Ok(mut at) = self.retention.at.try_lock() else { return };
        // Longer than there has been time: nothing is that old.
        let Ok(before) = now.checked_sub(after) else { return };
        if let Err(error) = self.forget_page(&mut at, before, now, stop).await {
            error!(%error, "personal values whose time is over are not erased yet");
        }
    }

    async fn forget_page(
        &self,
        at: &mut Option<StreamId>,
        before: Timestamp,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let store = self.sessions.store();
        let page = store.remembering(before, at.as_ref(), PAGE).await?;
        // From the beginning again next time.
        let last = page.len() < PAGE as usize;
        let mut erased = 0;
        for stream in page {
            if stop.is_cancelled() {
                break;
            }
            match erase(&**store, &stream, What::Before(before), None, now).await {
                Ok(Outcome::Erased { values, .. }) if values > 0 => {
                    erased += values;
                    if stream.family() == Session::FAMILY {
                        self.sessions.read_anew(&ChannelKey::from(stream.key().to_owned())).await?;
                    }
                }
                Ok(Outcome::Erased { .. } | Outcome::UnderWay) => {}
                Ok(Outcome::Impossible(why)) => {
                    error!(%stream, why, "personal values whose time is over cannot be erased");
                }
                // One that cannot be read keeps no other.
                Err(error @ (StoreError::Corrupt { .. } | StoreError::Contended)) => {
                    error!(%stream, %error, "personal values whose time is over are not erased yet");
                }
                Err(error) => return Err(error),
            }
            *at = Some(stream);
        }
        if last {
            *at = None;
        }
        if erased > 0 {
            info!(values = erased, "personal values whose time is over were erased");
            store.scrub(false).await?;
        }
        Ok(())
    }
}
