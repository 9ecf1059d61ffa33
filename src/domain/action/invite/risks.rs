//! What is risky about inviting these people, person by person.

use super::{InviteFacts, Invited};
use crate::chat::text::{count, same, shown};
use crate::domain::action::Named;
use crate::domain::action::people::{domain, unicode_domain};
use crate::domain::checklist::steps::roles::{BUILT_IN, TRAP};
use crate::sekoia::Role;

/// A sentence for each risk, and whether they ask for the higher number of approvals.
pub(super) fn of(people: &[Invited], facts: &InviteFacts<'_>) -> (Vec<Box<str>>, bool) {
    let mut risks: Vec<Box<str>> = Vec::new();
    let listed = |all: &[&str], most: usize| {
        let listed: Vec<String> = all.iter().take(most).map(|s| shown(s, 60)).collect();
        let more = if all.len() > most { format!(" and {} more", all.len() - most) } else { String::new() };
        format!("{}{more}", listed.join(", "))
    };
    let admins: Vec<&str> =
        people.iter().filter(|p| p.grants.iter().any(|g| is_admin(&g.role))).map(|p| p.address.as_str()).collect();
    if !admins.is_empty() {
        let whose = if admins.len() < people.len() { format!(" ({})", listed(&admins, 5)) } else { String::new() };
        risks.push(format!("Admin{whose}: may do everything, users, roles, keys and single sign-on included").into());
    }
    let own: Vec<String> = facts
        .communities
        .iter()
        .flat_map(|(_, avatars, _)| avatars.iter())
        .filter(|a| a.is_active())
        .filter_map(|a| a.email().map(|e| domain(e).to_lowercase()))
        .collect();
    let mut external: Vec<&str> = people.iter().map(|p| domain(&p.address)).collect();
    external.sort_unstable();
    external.dedup();
    external.retain(|d| !own.iter().any(|o| o == d));
    if !external.is_empty() {
        risks.push(format!("external domain: no member has an address at {}", listed(&external, 20)).into());
    }
    let mut foreign: Vec<(String, &str)> =
        people.iter().filter_map(|p| Some((unicode_domain(&p.address)?, domain(&p.address)))).collect();
    foreign.sort_unstable();
    foreign.dedup();
    for (unicode, ascii) in foreign.iter().take(5) {
        let unicode = shown(unicode, 60);
        risks.push(format!("{unicode} is {ascii}: check that none of its letters only looks like another").into());
    }
    let most = people.iter().map(|p| p.grants.len()).max().unwrap_or_default();
    if most > 1 {
        let same = people.iter().all(|p| p.grants.len() == most);
        let whom = if same { "gives access to" } else { "gives some of them access to" };
        risks.push(format!("{whom} {most} communities").into());
    }
    for (name, n) in custom_roles(people, facts) {
        let role = if has_one_role(people) { "custom role".to_owned() } else { format!("custom role {name}") };
        risks.push(format!("{role} with {}. {TRAP}", count(n, "permission", "permissions")).into());
    }
    (risks, !admins.is_empty())
}

/// By its name alone: that a built-in role has no community is inferred.
fn is_admin(role: &Named) -> bool {
    same(&role.name, BUILT_IN[2])
}

fn has_one_role(people: &[Invited]) -> bool {
    let mut roles = people.iter().flat_map(|p| &p.grants).map(|g| &g.role.name);
    let first = roles.next();
    roles.all(|role| Some(role) == first)
}

/// The custom roles that people get, with how many permissions they have.
fn custom_roles(people: &[Invited], facts: &InviteFacts<'_>) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    let given = |community: &Named, role: &Role| {
        people.iter().flat_map(|p| &p.grants).any(|g| g.community.uuid == community.uuid && *g.role.uuid == *role.uuid)
    };
    for (community, _, roles) in &facts.communities {
        for role in roles.iter().filter(|r| !r.is_built_in() && given(community, r)) {
            let entry = (shown(role.name(), 60), role.permissions.len());
            if !found.iter().any(|(name, _)| *name == entry.0) {
                found.push(entry);
            }
        }
    }
    found
}
