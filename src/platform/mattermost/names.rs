//! Names of people and channels, which Mattermost's text mentions by name and not by id.

use std::collections::HashMap;
use std::sync::Arc;

use crate::chat::view::{CALL, Span, View};
use crate::chat::{ChannelKey, UserId};

/// What can be mentioned in one message.
#[derive(Debug, Default)]
pub struct Names {
    pub people: HashMap<UserId, Box<str>>,
    pub channels: HashMap<ChannelKey, Box<str>>,
    /// What calls the bot: `/sekoia`, unless the server has another word for it.
    pub call: Option<Arc<str>>,
}

impl Names {
    pub fn call(&self) -> &str {
        self.call.as_deref().unwrap_or(CALL)
    }
}

/// Whom and what a view mentions.
pub fn mentioned(view: &View) -> (Vec<&UserId>, Vec<&ChannelKey>) {
    let (mut people, mut channels) = (Vec::new(), Vec::new());
    for span in view.lines().flat_map(|line| &line.0) {
        match span {
            Span::Person(user) if !people.contains(&user) => people.push(user),
            Span::Channel(channel) if !channels.contains(&channel) => channels.push(channel),
            _ => {}
        }
    }
    (people, channels)
}
