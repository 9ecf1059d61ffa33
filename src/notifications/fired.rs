//! How a channel's rules fired lately, as it is kept.

use serde::{Deserialize, Serialize};

use crate::notify::Journal;

/// Of one channel, in a row of [`WorkKind::Fired`](crate::store::WorkKind::Fired) under its key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FiredLog {
    /// What summaries are counted from.
    pub journal: Journal,
}
