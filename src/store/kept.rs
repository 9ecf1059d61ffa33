//! Rows that nobody does anything for: what a channel was told of, where a source was read up to.
//!
//! There is one of a kind and key, and keeping it again supersedes it. It is kept for good, or until it
//! may be forgotten.

use jiff::Timestamp;

use super::{Finished, Found, WorkKind};

/// Kinds of what is kept. The name is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeptKind {
    /// Something at Sekoia that a channel was told of, so that it is not told again.
    Known,
    /// Where a message about something at Sekoia stands, and what of it is shown there.
    Posted,
    /// How a channel's rules fired lately, and what summaries count.
    Fired,
    /// What was last known of a source of a community.
    Source,
    /// A message that the chat refuses, with the reason, for an operator to see.
    DeadLetter,
    /// A message that could not be edited and that another one replaces.
    Replaced,
    /// A link to prove who one is, or a sign-in that came of it.
    Proof,
    /// Whose webhook a token is, by the token's hash.
    Webhook,
    /// That a copy to this store did not end.
    HalfCopy,
}

impl KeptKind {
    pub const ALL: [KeptKind; 9] = [
        KeptKind::Known,
        KeptKind::Posted,
        KeptKind::Fired,
        KeptKind::Source,
        KeptKind::DeadLetter,
        KeptKind::Replaced,
        KeptKind::Proof,
        KeptKind::Webhook,
        KeptKind::HalfCopy,
    ];

    pub fn name(self) -> &'static str {
        match self {
            KeptKind::Known => "known",
            KeptKind::Posted => "posted",
            KeptKind::Fired => "fired",
            KeptKind::Source => "source",
            // Of an earlier name.
            KeptKind::DeadLetter => "parked",
            KeptKind::Replaced => "replaced",
            KeptKind::Proof => "proof",
            KeptKind::Webhook => "webhook",
            KeptKind::HalfCopy => "half_copy",
        }
    }
}

/// Something to keep from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    pub kind: KeptKind,
    pub key: String,
    pub body: String,
    /// When it may be forgotten; none if it is kept for good.
    pub until: Option<Timestamp>,
}

/// What is kept, as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub kind: KeptKind,
    pub key: String,
    pub body: String,
    pub until: Option<Timestamp>,
    /// Tells it from what was kept earlier or later of the same kind and key.
    pub generation: u64,
}

impl Kept {
    pub fn found(&self) -> Found {
        Found { kind: self.kind.into(), key: self.key.clone(), generation: Some(self.generation) }
    }

    pub fn finished(&self) -> Finished {
        Finished { kind: self.kind.into(), key: self.key.clone(), generation: self.generation }
    }
}

/// Which rows a commit speaks of: due work, or what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKind {
    Work(WorkKind),
    Kept(KeptKind),
}

impl RowKind {
    /// No kind of work has the name of a kind that is kept.
    pub fn name(self) -> &'static str {
        match self {
            RowKind::Work(kind) => kind.name(),
            RowKind::Kept(kind) => kind.name(),
        }
    }
}

impl From<WorkKind> for RowKind {
    fn from(kind: WorkKind) -> Self {
        RowKind::Work(kind)
    }
}

impl From<KeptKind> for RowKind {
    fn from(kind: KeptKind) -> Self {
        RowKind::Kept(kind)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let work = WorkKind::ALL.map(WorkKind::name);
        let kept = KeptKind::ALL.map(KeptKind::name);
        let names: BTreeSet<&str> = work.iter().chain(&kept).copied().collect();
        assert_eq!(names.len(), work.len() + kept.len());
    }
}
