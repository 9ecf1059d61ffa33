//! Stored state in memory: loaded from the store, changed by commit-then-apply.

pub mod approvals;
pub mod control;
pub mod erase;
pub mod families;
pub mod feed;
pub mod fired;
pub mod freeze;
pub mod hint;
pub mod kept;
pub mod listening;
pub mod moved;
pub mod owed;
pub mod plans;
pub mod rule_health;
pub mod rules;
pub mod sessions;
pub mod stream;
pub mod templates;
mod webhooks;
