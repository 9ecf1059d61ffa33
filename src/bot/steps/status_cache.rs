//! The checklists that were asked for lately, as they were shown.
//!
//! Between two changes everybody who asks for `status` is told the same. Bounded: a checklist that
//! is not here is made, which takes microseconds.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use moka::sync::Cache;

use super::cards;
use crate::chat::ChannelKey;
use crate::chat::view::View;
use crate::domain::checklist::Session;

/// Channels, a few KiB each.
const MOST: u64 = 512;

pub struct Checklists(Cache<ChannelKey, Shown>);

/// A checklist, and what it was made of.
#[derive(Clone)]
struct Shown {
    session: Arc<Session>,
    /// What is overdue depends on it.
    day: Date,
    view: Arc<View>,
}

impl Default for Checklists {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl Checklists {
    pub fn of(&self, channel: &ChannelKey, session: &Arc<Session>, now: Timestamp) -> Arc<View> {
        let day = cards::today(now);
        // A session is replaced as a whole when it changes: the same one says the same.
        if let Some(shown) = self.0.get(channel)
            && Arc::ptr_eq(&shown.session, session)
            && shown.day == day
        {
            return shown.view;
        }
        let view = Arc::new(cards::checklist(session, now));
        self.0.insert(channel.clone(), Shown { session: Arc::clone(session), day, view: Arc::clone(&view) });
        view
    }
}
