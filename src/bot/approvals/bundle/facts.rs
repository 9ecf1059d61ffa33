//! What Sekoia has of what a bundle names, each list read once.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::bot::Bot;
use crate::bot::approvals::read_back::uuid;
use crate::domain::action::{BundleFacts, BundlePart, KeyFacts, Named, RoleFacts, called};
use crate::domain::plan::Plan;
use crate::sekoia::{ApiKey, Avatar, Community, Permission, Role, SekoiaError};

/// Which lists are needed.
#[derive(Default)]
pub(super) struct Needs {
    workspace: bool,
    roles: bool,
    keys: bool,
    /// Names of communities that somebody is meant to be in.
    people: BTreeSet<Box<str>>,
}

impl Needs {
    pub fn of_plan(plan: &Plan, own: &Named) -> Self {
        let mut needs = Self {
            workspace: plan.communities.as_ref().is_some_and(|all| !all.is_empty()),
            roles: plan.roles.as_ref().is_some_and(|all| !all.is_empty()),
            keys: plan.keys.as_ref().is_some_and(|all| !all.is_empty()),
            people: BTreeSet::new(),
        };
        for person in plan.people.iter().flatten() {
            match person.communities.as_slice() {
                [] => needs.invites(&own.name, own),
                some => some.iter().for_each(|name| needs.invites(name, own)),
            }
        }
        needs
    }

    pub fn of_parts<'a>(parts: impl Iterator<Item = &'a BundlePart>, own: &Named) -> Self {
        let mut needs = Self::default();
        for part in parts {
            match part {
                BundlePart::Communities { .. } => needs.workspace = true,
                BundlePart::Role { .. } => needs.roles = true,
                BundlePart::Invite { people } => {
                    people.iter().flat_map(|person| &person.communities).for_each(|name| needs.invites(name, own));
                }
                BundlePart::Key { .. } => needs.keys = true,
            }
        }
        needs
    }

    fn invites(&mut self, community: &str, own: &Named) {
        self.workspace |= *community != *own.name;
        self.people.insert(community.into());
    }
}

#[derive(Default)]
pub(super) struct Lists {
    workspace: Option<(Community, Vec<Community>)>,
    roles: Vec<Role>,
    keys: Vec<ApiKey>,
    catalogue: Vec<Permission>,
    /// What the bot's own key may do.
    held: Vec<Permission>,
    people: Vec<(Named, Vec<Avatar>, Vec<Role>)>,
}

impl Lists {
    pub fn facts(&self, own: Named, now: Timestamp) -> BundleFacts<'_> {
        let (catalogue, held) = (self.catalogue.as_slice(), self.held.as_slice());
        BundleFacts {
            workspace: self.workspace.as_ref().map(|(root, children)| (root, children.as_slice())),
            keys: KeyFacts { community: own.clone(), keys: &self.keys, catalogue, own: held, own_key: None, now },
            roles: RoleFacts { community: own, roles: &self.roles, catalogue, own: held },
            people: self.people.iter().map(|(c, members, roles)| (c.clone(), &members[..], &roles[..])).collect(),
        }
    }
}

impl Bot {
    pub(super) async fn bundle_lists(&self, own: &Named, needs: &Needs) -> Result<Lists, SekoiaError> {
        let (sekoia, community) = (&self.sekoia, uuid(own)?);
        let mut lists = Lists::default();
        if needs.workspace {
            lists.workspace = Some(self.workspace().await?);
        }
        if needs.roles || needs.keys {
            lists.catalogue = sekoia.permissions(community).await?;
            lists.held = sekoia.my_permissions().await?;
        }
        if needs.keys {
            lists.keys = sekoia.api_keys(community).await?;
        }
        if needs.roles {
            lists.roles = sekoia.roles(community).await?;
        }
        let workspace = lists.workspace.as_ref().map(|(root, children)| (root, children.as_slice()));
        let mut people: Vec<(Named, Vec<Avatar>, Vec<Role>)> = Vec::new();
        for name in &needs.people {
            let Some(meant) = called(name, own, workspace) else { continue };
            if people.iter().any(|(known, ..)| known.uuid == meant.uuid) {
                continue;
            }
            let there = uuid(&meant)?;
            let members = sekoia.avatars(there).await?;
            let known = needs.roles && there == community;
            let roles = if known { lists.roles.clone() } else { sekoia.roles(there).await? };
            people.push((meant, members, roles));
        }
        lists.people = people;
        Ok(lists)
    }
}
