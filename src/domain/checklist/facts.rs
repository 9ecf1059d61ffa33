//! What a step's check saw, thing by thing, so that a later look can tell what became of each.
//!
//! Who reads evidence never reads facts: they know things by fingerprints, and the names in them are
//! for the one message to whoever has the step in hand.

use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A short fingerprint of an identifier, or of several in any order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Print(Box<str>);

impl Print {
    pub fn of(id: &str) -> Self {
        Self::of_all([id])
    }

    pub fn of_all<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let mut ids: Vec<&str> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self(hex::encode(&Sha256::digest(ids.join("\n"))[..6]).into())
    }
}

/// One thing that a check saw. Stored: a variant or a field is added, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A role that somebody made; `may` is what it permits.
    Role {
        id: Print,
        name: Box<str>,
        may: Print,
    },
    Member(Member),
    Key(Key),
    Licence {
        id: Print,
        name: Box<str>,
        end: Option<Timestamp>,
        near: Near,
    },
    Community {
        id: Print,
        name: Box<str>,
        no_mfa: bool,
    },
    /// `quiet`: that it sends nothing, in words.
    Intake {
        id: Print,
        name: Box<str>,
        quiet: Option<Box<str>>,
    },
    /// What is told when it is there no more.
    Held {
        id: Box<str>,
        gone: Box<str>,
    },
    /// What is told when it is new.
    Sign {
        id: Box<str>,
        says: Box<str>,
    },
    /// Of a newer release.
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: Print,
    pub name: Box<str>,
    pub active: bool,
    pub roles: Print,
    pub admin: bool,
    pub no_mfa: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub id: Print,
    pub name: Box<str>,
    /// None while it works.
    pub ended: Option<Ended>,
    pub expires: Option<Timestamp>,
    /// It will soon.
    pub near: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Revoked,
    Expired,
}

/// How near the end of a licence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Near {
    Far,
    Soon,
    VerySoon,
}

/// Facts that a step remembers: more are not worth the room in every commit of its session.
pub(super) const MOST: usize = 1_000;

impl Fact {
    /// What it is about: of a sort, one.
    pub(super) fn key(&self) -> Option<(Discriminant<Self>, &str)> {
        let id = match self {
            Fact::Role { id, .. }
            | Fact::Member(Member { id, .. })
            | Fact::Key(Key { id, .. })
            | Fact::Licence { id, .. }
            | Fact::Community { id, .. }
            | Fact::Intake { id, .. } => &id.0,
            Fact::Held { id, .. } | Fact::Sign { id, .. } => id,
            Fact::Unknown => return None,
        };
        Some((discriminant(self), id))
    }

    /// Whether anything can become worse of it.
    fn matters(&self) -> bool {
        match self {
            Fact::Member(member) => member.active,
            Fact::Key(key) => key.ended.is_none(),
            _ => true,
        }
    }

    /// Whether it is told when nothing was known of it.
    fn is_told_anew(&self) -> bool {
        match self {
            Fact::Sign { .. } => true,
            Fact::Member(member) => member.is_exposed(),
            Fact::Key(key) => key.near,
            Fact::Licence { near, .. } => *near > Near::Far,
            _ => false,
        }
    }

    /// Whether it is about one of these keys.
    pub fn is_key(&self, of: &HashSet<Print>) -> bool {
        matches!(self, Fact::Key(key) if of.contains(&key.id))
    }
}

impl Member {
    /// An Admin without MFA.
    pub(super) fn is_exposed(&self) -> bool {
        self.active && self.admin && self.no_mfa
    }
}

/// What of these is kept. What would be told anew if it were not comes first.
pub fn kept(facts: Vec<Fact>) -> Box<[Fact]> {
    let (mut first, rest): (Vec<Fact>, Vec<Fact>) =
        facts.into_iter().filter(Fact::matters).partition(Fact::is_told_anew);
    first.extend(rest);
    first.truncate(MOST);
    first.into()
}
