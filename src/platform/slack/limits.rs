//! Slack's limits by method: the tiers of its documentation, and a post a second in a channel.

use std::sync::Arc;

use dashmap::DashMap;

use crate::pace::{Pace, Share};
use crate::timing::Calls;

/// One budget a method, as Slack counts them (by app and workspace; we serve one workspace).
pub struct Limits {
    methods: DashMap<&'static str, Arc<Pace>>,
    posts: DashMap<Box<str>, Arc<Pace>>,
    /// How long that is in which so many are allowed.
    calls: Calls,
    /// The part of it that is this process's.
    share: Arc<Share>,
}

impl Limits {
    pub fn new(calls: Calls, share: Arc<Share>) -> Self {
        Self { methods: DashMap::new(), posts: DashMap::new(), calls, share }
    }

    pub fn method(&self, method: &'static str) -> Arc<Pace> {
        if let Some(pace) = self.methods.get(method) {
            return Arc::clone(&pace);
        }
        let new = || Arc::new(Pace::shared(per_minute(method), self.calls.slack_methods, Arc::clone(&self.share)));
        Arc::clone(&self.methods.entry(method).or_insert_with(new))
    }

    /// `chat.postMessage`: about one a second in a channel, short bursts allowed.
    pub fn posts(&self, channel: &str) -> Arc<Pace> {
        if let Some(pace) = self.posts.get(channel) {
            return Arc::clone(&pace);
        }
        let new = || Arc::new(Pace::shared(3, self.calls.slack_posts, Arc::clone(&self.share)));
        Arc::clone(&self.posts.entry(channel.into()).or_insert_with(new))
    }
}

/// Calls a minute: tier 2 is 20, tier 3 is 50, tier 4 is 100. Slack calls them minimums: reads,
/// which cost nothing but a wait when Slack does limit them, may go up to twice that.
fn per_minute(method: &str) -> usize {
    match method {
        "usergroups.users.list" => 40,
        "chat.update" | "conversations.history" | "conversations.replies" | "conversations.open" => 50,
        "users.info" => 200,
        "chat.postMessage" => 240,
        _ => 100,
    }
}
