//! Everything that a plan names and Sekoia lacks: one request of several parts.
//!
//! A part names things by what they are called, for some of them come into being only with an
//! earlier part. It is exact all the same: what is approved is what is made, less what is there by
//! then.

mod missing;
mod people;
mod prepare;
mod risks;

use serde::{Deserialize, Serialize};

pub use missing::bundle;
pub use prepare::Lacks;

use super::{Action, KeyFacts, Kind, Named, NewCommunity, RoleFacts};
use crate::chat::UserId;
use crate::chat::text::{count, same, shown};
use crate::domain::checklist::StepId;
use crate::domain::checklist::steps::roles::BUILT_IN;
use crate::domain::plan::Lifetime;
use crate::sekoia::{Avatar, Community, Role};

/// Names in a title or a line.
const NAMED: usize = 3;

/// One part of a bundle. Its JSON is hashed with the action: fields are added with a default, never
/// renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum BundlePart {
    Communities {
        parent: Named,
        communities: Vec<NewCommunity>,
    },
    Role {
        name: Box<str>,
        description: Option<Box<str>>,
        permissions: Vec<Named>,
    },
    /// People who wait for the same: for nothing, or for communities and roles of earlier parts.
    Invite {
        people: Vec<Invitee>,
    },
    Key {
        name: Box<str>,
        description: Box<str>,
        permissions: Vec<Named>,
        /// Counted from the day on which the key is made.
        expires: Lifetime,
        /// Who creates it and keeps it; none: who asked.
        owner: Option<UserId>,
    },
}

/// Somebody who is invited, by names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitee {
    pub address: Box<str>,
    pub role: Box<str>,
    pub communities: Vec<Box<str>>,
}

/// The order in which parts are carried out: each waits until the earlier ones came to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    Communities,
    Roles,
    Invitations,
    Keys,
}

/// What Sekoia has of what a plan or a part names. A list that nothing of it needs is empty.
pub struct BundleFacts<'a> {
    /// The workspace's own community and those under it.
    pub workspace: Option<(&'a Community, &'a [Community])>,
    /// Of the channel's community.
    pub roles: RoleFacts<'a>,
    pub keys: KeyFacts<'a>,
    /// Members and roles of every community that somebody is meant to be in.
    pub people: Vec<(Named, &'a [Avatar], &'a [Role])>,
}

impl BundleFacts<'_> {
    /// The channel's community.
    pub fn own(&self) -> &Named {
        &self.roles.community
    }

    /// The community that is called so: the channel's own first.
    pub fn called(&self, name: &str) -> Option<Named> {
        called(name, self.own(), self.workspace)
    }
}

/// The community that is called so: `own` first.
pub fn called(name: &str, own: &Named, workspace: Option<(&Community, &[Community])>) -> Option<Named> {
    if same(name, &own.name) {
        return Some(own.clone());
    }
    let (root, children) = workspace?;
    let mut all = children.iter().chain([root]);
    all.find(|c| same(c.name(), name)).map(|c| Named::new(c.uuid.to_string(), c.name()))
}

impl BundlePart {
    /// The kind of the request that it becomes: its rule is a rule of the bundle.
    pub fn kind(&self) -> Kind {
        match self {
            BundlePart::Communities { .. } => Kind::CommunityCreate,
            BundlePart::Role { .. } => Kind::RoleCreate,
            BundlePart::Invite { .. } => Kind::Invite,
            BundlePart::Key { .. } => Kind::KeyCreate,
        }
    }

    pub fn turn(&self) -> Turn {
        match self {
            BundlePart::Communities { .. } => Turn::Communities,
            BundlePart::Role { .. } => Turn::Roles,
            BundlePart::Invite { .. } => Turn::Invitations,
            BundlePart::Key { .. } => Turn::Keys,
        }
    }

    pub fn step(&self) -> StepId {
        match self {
            BundlePart::Communities { .. } => StepId::Communities,
            BundlePart::Role { .. } => StepId::Roles,
            BundlePart::Invite { .. } => StepId::Users,
            BundlePart::Key { .. } => StepId::Keys,
        }
    }

    /// Risky enough for the higher number of approvals.
    pub fn is_sensitive(&self) -> bool {
        match self {
            BundlePart::Communities { .. } | BundlePart::Role { .. } => false,
            BundlePart::Invite { people } => people.iter().any(|person| same(&person.role, BUILT_IN[2])),
            BundlePart::Key { expires, .. } => *expires == Lifetime::Never,
        }
    }

    /// What it is, in a few words, as the request is called that it becomes.
    pub fn title(&self) -> String {
        match self {
            BundlePart::Communities { communities, .. } => match communities.as_slice() {
                [one] => format!("Create the community {}", shown(&one.name, 60)),
                many => format!("Create {} communities", many.len()),
            },
            BundlePart::Role { name, .. } => format!("Create the role {}", shown(name, 60)),
            BundlePart::Invite { people } => invite_title(people),
            BundlePart::Key { name, .. } => format!("Create the API key {}", shown(name, 60)),
        }
    }
}

/// `Invite 2 people as Analyst to Cards`.
fn invite_title(people: &[Invitee]) -> String {
    let whom = match people {
        [one] => shown(&super::people::readable(&one.address), 120),
        many => count(many.len(), "person", "people"),
    };
    let roles = each_once(people.iter().map(|person| &*person.role));
    let communities = each_once(people.iter().flat_map(|person| &person.communities).map(|name| &**name));
    format!("Invite {whom} as {} to {}", some(&roles), some(&communities))
}

fn each_once<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once: Vec<&str> = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

/// `Cards, Loans and 2 others`.
pub fn some(names: &[&str]) -> String {
    let listed: Vec<String> = names.iter().take(NAMED).map(|name| shown(name, 60)).collect();
    match names.len().saturating_sub(NAMED) {
        0 => listed.join(", "),
        more => format!("{} and {}", listed.join(", "), count(more, "other", "others")),
    }
}

impl Action {
    /// The parts of a bundle; nothing else has any.
    pub fn parts(&self) -> &[BundlePart] {
        match self {
            Action::Bundle { parts, .. } => parts,
            _ => &[],
        }
    }

    pub fn is_bundle(&self) -> bool {
        matches!(self, Action::Bundle { .. })
    }
}

/// `Set up 2 communities, 1 role, 3 people and 2 API keys`.
pub(super) fn title(parts: &[BundlePart]) -> String {
    let sum = |of: fn(&BundlePart) -> usize| parts.iter().map(of).sum::<usize>();
    let counts = [
        (
            sum(|part| if let BundlePart::Communities { communities, .. } = part { communities.len() } else { 0 }),
            ("community", "communities"),
        ),
        (sum(|part| usize::from(matches!(part, BundlePart::Role { .. }))), ("role", "roles")),
        (sum(|part| if let BundlePart::Invite { people } = part { people.len() } else { 0 }), ("person", "people")),
        (sum(|part| usize::from(matches!(part, BundlePart::Key { .. }))), ("API key", "API keys")),
    ];
    let some: Vec<String> =
        counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, (one, many))| count(n, one, many)).collect();
    match some.split_last() {
        Some((last, [])) => format!("Set up {last}"),
        Some((last, rest)) => format!("Set up {} and {last}", rest.join(", ")),
        None => "Set up nothing".into(),
    }
}

#[cfg(test)]
mod tests;
