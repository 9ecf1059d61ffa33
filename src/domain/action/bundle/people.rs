//! People of a plan: who is in already, and what the others get.

use std::collections::{HashMap, HashSet};

use super::{BundleFacts, Invitee, Lacks};
use crate::chat::text::{same, shown};
use crate::domain::action::invite::risks_of;
use crate::domain::action::people::normal;
use crate::domain::action::{Grant, InviteFacts, Named, Problem, problem};
use crate::domain::checklist::steps::roles::BUILT_IN;
use crate::domain::plan::{Plan, PlannedPerson};

/// Who is a member or invited, by community.
pub(super) struct Members<'a> {
    facts: &'a BundleFacts<'a>,
    addresses: HashMap<&'a str, HashSet<String>>,
}

impl<'a> Members<'a> {
    pub fn of(facts: &'a BundleFacts<'a>) -> Self {
        let addresses = facts.people.iter().map(|(community, avatars, _)| {
            let addresses = avatars.iter().filter_map(|avatar| avatar.email()).map(normal);
            (&*community.uuid, addresses.collect())
        });
        Self { facts, addresses: addresses.collect() }
    }

    /// What somebody gets in a community; none if they are in it, or invited, with whatever role.
    pub fn grant(&self, address: &str, role: &str, community: &str) -> Result<Option<Grant>, Lacks> {
        let Some(community) = self.facts.called(community) else { return Err(Lacks::Community(community.into())) };
        if self.addresses.get(&*community.uuid).is_some_and(|addresses| addresses.contains(&normal(address))) {
            return Ok(None);
        }
        let roles = self.facts.people.iter().find(|(c, ..)| c.uuid == community.uuid).map(|(_, _, roles)| *roles);
        let found = roles.unwrap_or_default().iter().find(|known| same(known.name(), role));
        let Some(found) = found else {
            return Err(Lacks::Role { role: role.into(), community });
        };
        Ok(Some(Grant { community, role: Named::new(found.uuid.as_str(), found.name()) }))
    }
}

/// People of a plan who lack something, by what they wait for.
#[derive(Default)]
pub(super) struct Newcomers {
    groups: Vec<(Vec<String>, Vec<Invitee>)>,
    given: Vec<(Box<str>, Vec<Grant>)>,
}

impl Newcomers {
    /// # Errors
    /// A community or a role that is neither at Sekoia nor going to be, or somebody who is named
    /// twice.
    pub fn of(plan: &Plan, facts: &BundleFacts<'_>) -> Result<Self, Problem> {
        let members = Members::of(facts);
        let (mut newcomers, mut known) = (Self::default(), HashSet::new());
        for person in plan.people.iter().flatten() {
            let address: Box<str> = normal(&person.address).into();
            if !known.insert(address.clone()) {
                return Err(problem("people", format!("{} is in the plan twice.", shown(&address, 120))));
            }
            newcomers.add(person, &address, plan, &members)?;
        }
        Ok(newcomers)
    }

    fn add(
        &mut self,
        person: &PlannedPerson,
        address: &str,
        plan: &Plan,
        members: &Members<'_>,
    ) -> Result<(), Problem> {
        let own = std::slice::from_ref(&members.facts.own().name);
        let meant = if person.communities.is_empty() { own } else { &person.communities };
        let (mut communities, mut grants, mut waits) = (Vec::new(), Vec::new(), Vec::new());
        for name in meant {
            let grant = match members.grant(address, &person.role, name) {
                Ok(Some(grant)) => grant,
                Ok(None) => continue,
                Err(lacks) => {
                    let (grant, wait) = planned(plan, &person.role, members.facts, lacks)
                        .map_err(|why| problem("people", format!("{}: {why}", shown(address, 120))))?;
                    waits.push(wait);
                    grant
                }
            };
            communities.push(grant.community.name.clone());
            grants.push(grant);
        }
        if grants.is_empty() {
            return Ok(());
        }
        let role = grants[0].role.name.clone();
        waits.sort();
        waits.dedup();
        let invitee = Invitee { address: address.into(), role, communities };
        match self.groups.iter_mut().find(|(known, _)| *known == waits) {
            Some((_, people)) => people.push(invitee),
            None => self.groups.push((waits, vec![invitee])),
        }
        self.given.push((address.into(), grants));
        Ok(())
    }

    pub fn risks(&self, facts: &BundleFacts<'_>) -> Vec<Box<str>> {
        let communities = facts.people.iter().map(|(c, avatars, roles)| (c.clone(), *avatars, *roles)).collect();
        risks_of(&self.given, &InviteFacts { usual: Vec::new(), communities, workspace: Vec::new() })
    }

    /// Those who wait for nothing first.
    pub fn groups(mut self) -> impl Iterator<Item = Vec<Invitee>> {
        self.groups.sort_by_key(|(waits, _)| !waits.is_empty());
        self.groups.into_iter().map(|(_, people)| people)
    }
}

/// What somebody gets once the plan is carried out, and what they wait for.
fn planned(plan: &Plan, role: &str, facts: &BundleFacts<'_>, lacks: Lacks) -> Result<(Grant, String), String> {
    match lacks {
        Lacks::Community(name) => {
            let mut planned = plan.communities.iter().flatten();
            let Some(community) = planned.find(|c| same(&c.name, &name)) else {
                let name = shown(&name, 60);
                return Err(format!("there is no community called \"{name}\", neither at Sekoia nor in the plan."));
            };
            // A custom role is of the community that it was made in.
            let Some(built_in) = BUILT_IN.into_iter().find(|known| same(known, role)) else {
                return Err(format!(
                    "\"{}\" is new, so it has only the roles that Sekoia brings: {}.",
                    shown(&name, 60),
                    BUILT_IN.join(", ")
                ));
            };
            let grant = Grant { community: Named::new("", &*community.name), role: Named::new("", built_in) };
            Ok((grant, format!("community {}", community.name)))
        }
        Lacks::Role { role, community } => {
            let mut planned = plan.roles.iter().flatten().filter(|r| r.permissions.is_some());
            match planned.find(|r| same(&r.name, &role)) {
                Some(planned) if community.uuid == facts.own().uuid => {
                    let role = Named::new("", &*planned.name);
                    Ok((Grant { community, role }, format!("role {}", planned.name)))
                }
                _ => {
                    Err(format!("there is no role called \"{}\" in {}.", shown(&role, 60), shown(&community.name, 60)))
                }
            }
        }
        Lacks::Wrong(problem) => Err(problem.text.plain()),
    }
}
