//! From an approved part to the request that carries it out, by what Sekoia has by then.

use super::people::Members;
use super::{BundleFacts, BundlePart, Invitee};
use crate::chat::text::{count, same, shown};
use crate::domain::action::community;
use crate::domain::action::invite::risks_of;
use crate::domain::action::key::{taken, until};
use crate::domain::action::people::readable;
use crate::domain::action::permissions::{beyond, risks};
use crate::domain::action::{Action, Grant, InviteFacts, Named, NewCommunity, Prepared, Problem, problem};
use crate::domain::checklist::steps::roles::TRAP;
use crate::domain::plan::Lifetime;
use crate::sekoia::Permission;

/// Why a part cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lacks {
    /// There is no community of this name.
    Community(Box<str>),
    Role {
        role: Box<str>,
        community: Named,
    },
    Wrong(Problem),
}

impl BundlePart {
    /// The request for what is still missing of this part; none if nothing is.
    ///
    /// # Errors
    /// Something that it needs is not there, or not there any more.
    pub fn prepare(&self, facts: &BundleFacts<'_>) -> Result<Option<Prepared>, Lacks> {
        match self {
            BundlePart::Communities { parent, communities } => Ok(left_to_create(parent, communities, facts)),
            BundlePart::Role { name, description, permissions } => {
                if facts.roles.roles.iter().any(|known| same(known.name(), name)) {
                    return Ok(None);
                }
                held(permissions, facts.roles.own)?;
                let mut risks = risks(permissions, facts.roles.catalogue);
                risks.push(TRAP.into());
                Ok(Some(ordinary(
                    Action::CreateRole {
                        community: facts.own().clone(),
                        name: name.clone(),
                        description: description.clone(),
                        permissions: permissions.clone(),
                        base: None,
                    },
                    risks,
                )))
            }
            BundlePart::Invite { people } => left_to_invite(people, facts),
            BundlePart::Key { name, description, permissions, expires, .. } => {
                if taken(name, &facts.keys).is_some() {
                    return Ok(None);
                }
                held(permissions, facts.keys.own)?;
                let mut risks = risks(permissions, facts.keys.catalogue);
                if *expires == Lifetime::Never {
                    risks.push("never expires".into());
                }
                let expires = until((*expires).into(), facts.keys.now).map_err(Lacks::Wrong)?;
                Ok(Some(ordinary(
                    Action::CreateKey {
                        community: facts.own().clone(),
                        name: name.clone(),
                        description: description.clone(),
                        permissions: permissions.clone(),
                        expires,
                        replaces: None,
                    },
                    risks,
                )))
            }
        }
    }
}

/// Approved as part of a bundle: what it asks of approvers was asked there.
fn ordinary(action: Action, risks: Vec<Box<str>>) -> Prepared {
    Prepared { action, risks, sensitive: false, notes: vec![], account: vec![] }
}

fn held(permissions: &[Named], own: &[Permission]) -> Result<(), Lacks> {
    let beyond = beyond(permissions, own);
    if beyond.is_empty() {
        return Ok(());
    }
    let listed: Vec<String> = beyond.iter().take(5).map(|p| shown(p, 60)).collect();
    let why = "the bot's own key does not have this any more, so it gives it to nobody";
    Err(Lacks::Wrong(problem("with", format!("{why}: {}", listed.join(", ")))))
}

/// What was there already, as the account of the request.
fn account(left: usize, one: &str, many: &str, there: Vec<String>) -> Vec<Box<str>> {
    if there.is_empty() {
        return Vec::new();
    }
    let all = count(left + there.len(), one, many);
    let summary = format!("{left} of {all}; {} there already", there.len());
    [summary].into_iter().chain(there).map(String::into_boxed_str).collect()
}

fn left_to_create(parent: &Named, communities: &[NewCommunity], facts: &BundleFacts<'_>) -> Option<Prepared> {
    let children = facts.workspace.map(|(_, children)| children).unwrap_or_default();
    let there = |wanted: &NewCommunity| children.iter().any(|c| same(c.name(), &wanted.name));
    let (there, left): (Vec<_>, Vec<_>) = communities.iter().cloned().partition(there);
    if left.is_empty() {
        return None;
    }
    let said = there.iter().map(|c| format!("{} is there already", shown(&c.name, 60))).collect();
    let (risks, account) =
        (vec![community::risk(left.len(), parent)], account(left.len(), "community", "communities", said));
    let action = Action::CreateCommunities { parent: parent.clone(), communities: left };
    Some(Prepared { account, ..ordinary(action, risks) })
}

fn left_to_invite(people: &[Invitee], facts: &BundleFacts<'_>) -> Result<Option<Prepared>, Lacks> {
    let members = Members::of(facts);
    let (mut left, mut there) = (Vec::<(Box<str>, Vec<Grant>)>::new(), Vec::new());
    for person in people {
        let mut grants = Vec::new();
        for community in &person.communities {
            grants.extend(members.grant(&person.address, &person.role, community)?);
        }
        if grants.is_empty() {
            there.push(format!("{} is in or invited already", shown(&readable(&person.address), 120)));
        } else {
            left.push((person.address.clone(), grants));
        }
    }
    if left.is_empty() {
        return Ok(None);
    }
    let account = account(left.len(), "person", "people", there);
    let communities = facts.people.iter().map(|(c, avatars, roles)| (c.clone(), *avatars, *roles)).collect();
    let risks = risks_of(&left, &InviteFacts { usual: Vec::new(), communities, workspace: Vec::new() });
    Ok(Some(Prepared { account, ..ordinary(Action::invite(left, Vec::new()), risks) }))
}
