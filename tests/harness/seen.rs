//! One thing that the bot said, on whichever platform.

use std::fmt;

use super::platform::Platform;
use super::{mattermost, slack};

/// What a person meets: the same on every platform, read from what each of them shows.
#[derive(Debug, Clone)]
pub struct Seen {
    pub kind: Kind,
    /// `#soc-setup`, `direct message to alice`, `to alice alone in #soc-setup`, `form for alice`.
    place: String,
    pub(super) native: Native,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Posted,
    Edited,
    /// Seen by one person only.
    Private,
    FormOpened,
    /// The next content of an open form.
    FormFilled,
    /// The page that a platform keeps for the bot.
    Home,
    Deleted,
}

#[derive(Debug, Clone)]
pub(super) enum Native {
    Slack(slack::Seen),
    Mattermost(mattermost::Seen),
}

impl Seen {
    pub(super) fn slack(seen: slack::Seen) -> Self {
        let (kind, place) = seen.scene();
        Self { kind, place, native: Native::Slack(seen) }
    }

    pub(super) fn mattermost(seen: mattermost::Seen) -> Self {
        let (kind, place) = seen.scene();
        Self { kind, place, native: Native::Mattermost(seen) }
    }

    /// How a person reads it, without the line that says where; ids, which differ, have names.
    pub fn text(&self) -> String {
        match &self.native {
            Native::Slack(seen) => Platform::Slack.neutral(&seen.text()),
            Native::Mattermost(seen) => Platform::Mattermost.neutral(&seen.text()),
        }
    }

    /// The same, with the addresses of messages and ids as the platform has them.
    pub fn as_shown(&self) -> String {
        match &self.native {
            Native::Slack(seen) => seen.text(),
            Native::Mattermost(seen) => seen.text(),
        }
    }

    /// The labels offered by a menu, found by its label in a form or its placeholder.
    pub fn options(&self, says: &str) -> Vec<String> {
        match &self.native {
            Native::Slack(seen) => seen.options(says),
            Native::Mattermost(seen) => seen.options(says),
        }
    }

    /// The id of a message that was posted.
    pub fn id(&self) -> Option<&str> {
        match &self.native {
            Native::Slack(slack::Seen { kind: slack::Kind::Posted { ts, .. }, .. }) => Some(ts),
            Native::Mattermost(mattermost::Seen { kind: mattermost::Kind::Posted { post_id, .. }, .. }) => {
                Some(post_id)
            }
            _ => None,
        }
    }

    /// In a conversation with the bot alone.
    pub fn is_direct(&self) -> bool {
        self.place.starts_with("direct message")
    }

    /// Whether nobody but this person and the bot sees it.
    pub fn is_for(&self, user: &str) -> bool {
        let alone = [format!("direct message to {user}"), format!("form for {user}")];
        self.place.starts_with(&format!("to {user} alone ")) || alone.contains(&self.place)
    }

    /// What Mattermost itself showed.
    ///
    /// # Panics
    /// On another platform.
    pub fn on_mattermost(&self) -> &mattermost::Seen {
        match &self.native {
            Native::Mattermost(seen) => seen,
            Native::Slack(seen) => panic!("not on Mattermost:\n{seen}"),
        }
    }

    /// What is pressed or sent here may be answered as a message in the conversation with the bot,
    /// where everything is private.
    pub(super) fn is_answered_alone(&self) -> bool {
        match &self.native {
            Native::Slack(_) => false,
            Native::Mattermost(seen) => seen.alone,
        }
    }

    pub fn is_post(&self) -> bool {
        matches!(self.kind, Kind::Posted | Kind::Edited)
    }

    /// What Slack itself showed.
    ///
    /// # Panics
    /// On another platform.
    pub fn on_slack(&self) -> &slack::Seen {
        match &self.native {
            Native::Slack(seen) => seen,
            Native::Mattermost(seen) => panic!("not on Slack:\n{seen}"),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        f.write_str(match self.kind {
            Kind::Posted => " (posted)",
            Kind::Edited => " (updated)",
            Kind::Deleted => " (deleted)",
            Kind::Private | Kind::FormOpened | Kind::FormFilled | Kind::Home => "",
        })?;
        let text = self.text();
        if text.is_empty() { Ok(()) } else { write!(f, "\n{text}") }
    }
}
