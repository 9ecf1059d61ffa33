//! The log of a channel, as it is stored: one row a channel, written in the commit of the messages that it
//! speaks of.

use super::kept::row;
use crate::chat::ChannelKey;
use crate::domain::notify::ChannelLog;
use crate::store::{Schedule, WorkKind};

/// A [`WorkKind::Fired`] row, whose key is the channel.
pub fn log_row(log: &ChannelLog, channel: &ChannelKey) -> Schedule {
    row(WorkKind::Fired, channel.as_str(), log)
}
