//! What an action brings, as part of a plan.

use jiff::tz::TimeZone;

use super::{Action, Named};
use crate::chat::text::same;
use crate::chat::{Community, UserId};
use crate::domain::plan::{Lifetime, Plan, PlannedCommunity, PlannedKey, PlannedPerson, PlannedRole};

impl Action {
    /// None where it brings nothing that a plan names. `here`: the channel's community. `owner`: who gets
    /// to see a key.
    pub fn planned(&self, here: &Community, owner: Option<&UserId>) -> Option<Plan> {
        let mut plan = Plan::default();
        match self {
            Action::Invite { people, .. } => {
                plan.people = Some((0..people.len()).filter_map(|item| self.person(item, here)).collect());
            }
            Action::CreateCommunities { communities, .. } => {
                let planned = communities
                    .iter()
                    .map(|c| PlannedCommunity { name: c.name.clone(), about: Some(c.description.clone()) });
                plan.communities = Some(planned.collect());
            }
            Action::CreateRole { name, description, permissions, .. } => {
                let permissions = called(permissions);
                let role =
                    PlannedRole { name: name.clone(), about: description.clone(), permissions: Some(permissions) };
                plan.roles = Some(vec![role]);
            }
            Action::CreateKey { name, permissions, expires, .. } => {
                let expires = expires.map_or(Lifetime::Never, |at| Lifetime::On(at.to_zoned(TimeZone::UTC).date()));
                let key = PlannedKey {
                    name: name.clone(),
                    preset: None,
                    permissions: called(permissions),
                    expires,
                    owner: owner.cloned(),
                };
                plan.keys = Some(vec![key]);
            }
            // A bundle is made of a plan.
            Action::RevokeKey { .. } | Action::Bundle { .. } => return None,
        }
        Some(plan)
    }

    /// The planned key that is not needed any more once it is carried out.
    pub fn unplanned(&self) -> Option<&str> {
        match self {
            Action::RevokeKey { key, .. } | Action::CreateKey { replaces: Some(key), .. } => Some(&key.name),
            _ => None,
        }
    }

    fn person(&self, item: usize, here: &Community) -> Option<PlannedPerson> {
        let grants = self.grants(item);
        // One role a person: what the plan can say.
        let role = grants.first()?.role.name.clone();
        let here = here.uuid.to_string();
        let only_here = grants.iter().all(|grant| *grant.community.uuid == *here);
        let communities =
            if only_here { Vec::new() } else { grants.iter().map(|grant| grant.community.name.clone()).collect() };
        Some(PlannedPerson { address: self.target(item).into(), role, communities })
    }
}

/// Titles; of those that share one, the identifiers.
fn called(permissions: &[Named]) -> Vec<Box<str>> {
    let shared = |one: &Named| permissions.iter().filter(|other| same(&other.name, &one.name)).count() > 1;
    permissions.iter().map(|p| if shared(p) { p.uuid.clone() } else { p.name.clone() }).collect()
}
