//! The log of a channel, as it is stored: one row a channel, written in the commit of the messages that it
//! speaks of.

use super::kept::keep;
use crate::chat::ChannelKey;
use crate::domain::notify::ChannelLog;
use crate::store::{Keep, KeptKind};

/// A [`KeptKind::Fired`] row, whose key is the channel.
pub fn log_row(log: &ChannelLog, channel: &ChannelKey) -> Keep {
    keep(KeptKind::Fired, channel.as_str(), log)
}
