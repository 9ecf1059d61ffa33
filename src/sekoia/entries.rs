//! The entries of a list: what tells them apart, and how many there may be.

use std::collections::HashSet;

use super::{
    Alert, ApiKey, Avatar, AvatarRole, Community, Connector, Feed, Intake, Licence, MyCommunity, Permission, Playbook,
    PlaybookRun, Role,
};

/// Sekoia's largest page.
pub(super) const PAGE: usize = 100;
/// Calls that one list may take.
pub(super) const MOST_PAGES: usize = 200;
/// Entries of one list, whatever the size of its pages.
pub(super) const MOST_ENTRIES: usize = MOST_PAGES * PAGE;

/// Something of a list that has an identifier: the same one again is the same thing again.
pub(super) trait Identified {
    /// None where Sekoia gives it none.
    fn key(&self) -> Option<Box<str>>;
}

macro_rules! identified_by_uuid {
    ($($thing:ty),*) => {
        $(impl Identified for $thing {
            fn key(&self) -> Option<Box<str>> {
                Some(self.uuid.to_string().into())
            }
        })*
    };
}

identified_by_uuid!(Alert, ApiKey, Avatar, Community, Connector, Intake, MyCommunity, Playbook, PlaybookRun, Role);

impl Identified for Permission {
    fn key(&self) -> Option<Box<str>> {
        self.uuid.as_deref().or(self.name.as_deref()).or(self.title.as_deref()).map(Box::from)
    }
}

impl Identified for AvatarRole {
    fn key(&self) -> Option<Box<str>> {
        self.uuid.as_deref().or(self.name.as_deref()).map(Box::from)
    }
}

impl Identified for Feed {
    fn key(&self) -> Option<Box<str>> {
        Some(self.id.as_str().into())
    }
}

impl Identified for Licence {
    fn key(&self) -> Option<Box<str>> {
        None
    }
}

/// The things of a list, each once: the first of those with the same identifier stays.
pub(super) fn distinct<T: Identified>(mut items: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::new();
    items.retain(|item| item.key().is_none_or(|key| seen.insert(key)));
    items
}
