//! Invitations: one or hundreds of addresses, one role, one or several communities.

use super::address::{Addresses, domain};
use super::names::one_of;
use super::{Action, Grant, Named, Prepared, Problem, problem};
use crate::checklist::steps::roles::{BUILT_IN, TRAP};
use crate::sekoia::{Avatar, Role};
use crate::text::{count, same, shown};
use crate::view::Line;

/// One request asks for at most so many people: more would hold the shared five calls a second for
/// minutes, and nobody can look such a list through before approving it.
pub const MOST_ADDRESSES: usize = 500;

/// What is known of the communities that people are invited to, the channel's own first.
pub struct InviteFacts<'a> {
    pub communities: Vec<(Named, &'a [Avatar], &'a [Role])>,
}

/// # Errors
/// What is wrong with the request, by field.
pub fn invite(addresses: &str, csv: &str, role: Option<&str>, facts: &InviteFacts<'_>) -> Result<Prepared, Problem> {
    let field = if addresses.trim().is_empty() && !csv.trim().is_empty() { "csv" } else { "addresses" };
    let found = Addresses::typed(addresses).and(Addresses::csv(csv)).unique();
    if !found.bad.is_empty() {
        let bad: Vec<String> = found.bad.iter().take(5).map(|b| format!("\"{}\"", shown(b, 60))).collect();
        let more = if found.bad.len() > 5 { format!(" and {} more", found.bad.len() - 5) } else { String::new() };
        return Err(problem(field, format!("Not an e-mail address: {}{more}.", bad.join(", "))));
    }
    if found.good.is_empty() {
        return Err(problem(field, "Give at least one e-mail address."));
    }
    if found.good.len() > MOST_ADDRESSES {
        return Err(problem(
            field,
            format!(
                "These are {} addresses; one request takes at most {MOST_ADDRESSES}. Ask in parts.",
                found.good.len()
            ),
        ));
    }
    let wanted = role.unwrap_or("Analyst");
    let mut grants = Vec::new();
    let mut roles = Vec::new();
    for (community, _, known) in &facts.communities {
        let role = one_of("role", "role", wanted, known, |r| &r.uuid, Role::name).map_err(|mut p| {
            if facts.communities.len() > 1 {
                p.text = Line::new().say(format!("In {}: ", shown(&community.name, 60))).append(p.text);
            }
            p
        })?;
        grants.push(Grant { community: community.clone(), role: Named::new(role.uuid.as_str(), role.name()) });
        roles.push(role);
    }
    let mut notes: Vec<Box<str>> = Vec::new();
    if role.is_none() {
        notes.push("No role was given, so it is Analyst.".into());
    }
    if found.twice > 0 {
        notes.push(format!("{} left out.", count(found.twice, "repeated address", "repeated addresses")).into());
    }
    let people = newcomers(found.good, facts, &mut notes)?;
    let (risks, sensitive) = risks(&people, &roles, facts);
    Ok(Prepared { action: Action::Invite { people, grants, replaces: vec![] }, risks, sensitive, notes })
}

/// Those who are neither members nor invited yet, in every community that is meant.
fn newcomers(
    addresses: Vec<String>,
    facts: &InviteFacts<'_>,
    notes: &mut Vec<Box<str>>,
) -> Result<Vec<Box<str>>, Problem> {
    let (mut people, mut members, mut pending) = (Vec::new(), Vec::new(), Vec::new());
    for address in addresses {
        let known: Vec<&Avatar> = facts
            .communities
            .iter()
            .filter_map(|(_, avatars, _)| {
                avatars.iter().find(|a| a.email().is_some_and(|e| e.eq_ignore_ascii_case(&address)))
            })
            .collect();
        if known.is_empty() {
            people.push(address.into_boxed_str());
        } else if known.len() < facts.communities.len() {
            return Err(problem(
                "addresses",
                format!(
                    "{} is already in some of these communities. Invite them to the others in a request of their own.",
                    shown(&address, 80)
                ),
            ));
        } else if known.iter().all(|a| a.is_pending()) {
            pending.push(address);
        } else {
            members.push(address);
        }
    }
    let list = |some: &[String]| {
        let listed: Vec<String> = some.iter().take(5).map(|a| shown(a, 60)).collect();
        let more = if some.len() > 5 { format!(" and {} more", some.len() - 5) } else { String::new() };
        format!("{}{more}", listed.join(", "))
    };
    if people.is_empty() {
        return Err(problem(
            "addresses",
            if pending.is_empty() {
                Line::new().say(format!("Already in: {}. There is nobody to invite.", list(&members)))
            } else {
                let all = [members, pending.clone()].concat();
                let again = pending.iter().take(5).cloned().collect::<Vec<_>>().join(" ");
                Line::new()
                    .say(format!("Already in or invited: {}. There is nobody to invite. ", list(&all)))
                    .code(format!("resend {again}"))
                    .say(" sends what is not accepted yet again.")
            },
        ));
    }
    if !members.is_empty() {
        notes.push(format!("Already in, left out: {}.", list(&members)).into());
    }
    if !pending.is_empty() {
        notes.push(
            format!(
                "Invited and not in yet, left out: {}. \"resend <e-mail…>\" sends their invitations again.",
                list(&pending)
            )
            .into(),
        );
    }
    Ok(people)
}

fn risks(people: &[Box<str>], roles: &[&Role], facts: &InviteFacts<'_>) -> (Vec<Box<str>>, bool) {
    let mut risks: Vec<Box<str>> = Vec::new();
    // By its name alone: that a built-in role has no community is inferred.
    let admin = roles.iter().any(|r| same(r.name(), BUILT_IN[2]));
    if admin {
        risks.push("Admin: may do everything, users, roles, keys and single sign-on included".into());
    }
    let own: Vec<String> = facts
        .communities
        .iter()
        .flat_map(|(_, avatars, _)| avatars.iter())
        .filter(|a| a.is_active())
        .filter_map(|a| a.email().map(|e| domain(e).to_lowercase()))
        .collect();
    let mut external: Vec<&str> = people.iter().map(|p| domain(p)).filter(|d| !own.iter().any(|o| o == d)).collect();
    external.sort_unstable();
    external.dedup();
    if !external.is_empty() {
        let listed: Vec<String> = external.iter().take(20).map(|d| shown(d, 60)).collect();
        let more = if external.len() > 20 { format!(" and {} more", external.len() - 20) } else { String::new() };
        risks.push(format!("external domain: no member has an address at {}{more}", listed.join(", ")).into());
    }
    if facts.communities.len() > 1 {
        risks.push(format!("gives access to {} communities", facts.communities.len()).into());
    }
    if let Some(custom) = roles.iter().find(|r| !r.is_built_in()) {
        let n = custom.permissions.len();
        risks.push(format!("custom role with {}. {TRAP}", count(n, "permission", "permissions")).into());
    }
    (risks, admin)
}
