//! Invitations: one or hundreds of people, each with a role in one or several communities.

mod risks;

use std::collections::{HashMap, HashSet};

use super::names::one_of;
use super::people::{Account, Entry, MOST_DETAILS, People, Place, normal, readable};
use super::{Action, Grant, Named, Prepared, Problem, problem};
use crate::chat::text::shown;
use crate::chat::view::Line;
use crate::domain::checklist::steps::roles::BUILT_IN;
use crate::sekoia::{Avatar, Role};

/// One request asks for at most so many people: more would hold the shared five calls a second for
/// minutes, and nobody can look such a list through before approving it.
pub const MOST_ADDRESSES: usize = 500;
/// Communities whose members and roles are read for one request.
pub const MOST_COMMUNITIES: usize = 20;

/// What is known of the communities that people are invited to.
pub struct InviteFacts<'a> {
    /// Where people go whose row names no community.
    pub usual: Vec<Named>,
    /// Members and roles of every community that is meant.
    pub communities: Vec<(Named, &'a [Avatar], &'a [Role])>,
    /// All communities, for names that are not among them.
    pub workspace: Vec<Named>,
}

/// What is done with a list that has rows which are no people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    /// They are left out, and said.
    LeaveOut,
    /// Nothing is asked for; this says how to go on.
    Refuse(&'static str),
}

/// The communities that the rows of a list name, each once, with its own spelling.
///
/// # Errors
/// There are more than one request reaches.
pub fn communities_of(people: &People, workspace: &[Named]) -> Result<Vec<Named>, Problem> {
    let mut found: Vec<Named> = Vec::new();
    let mut known: HashSet<&str> = HashSet::new();
    for entry in people.rows.iter().filter_map(|row| row.found.as_ref().ok()) {
        for name in &entry.communities {
            if !known.insert(name) {
                continue;
            }
            for community in called(name, workspace).unwrap_or_default() {
                if !found.contains(&community) {
                    found.push(community);
                }
            }
        }
    }
    if found.len() > MOST_COMMUNITIES {
        return Err(problem(
            "csv",
            format!(
                "The list names {} communities; one request reaches at most {MOST_COMMUNITIES}. Ask in parts.",
                found.len()
            ),
        ));
    }
    Ok(found)
}

/// The community of this name, or those of a list of names.
fn called(name: &str, all: &[Named]) -> Result<Vec<Named>, Problem> {
    let one = |name: &str| one_of("csv", "community", name, all, |c| &c.uuid, |c| &c.name).cloned();
    match one(name) {
        Ok(found) => Ok(vec![found]),
        Err(problem) if name.contains(',') => name.split(',').map(one).collect::<Result<_, _>>().map_err(|_| problem),
        Err(problem) => Err(problem),
    }
}

/// Somebody, and everything that the rows say of them.
struct Invited {
    address: String,
    grants: Vec<Grant>,
    /// The rows that led to this.
    rows: Vec<Place>,
    /// They contradict each other.
    conflict: bool,
}

/// # Errors
/// What is wrong with the request, by field.
pub fn invite(people: &People, role: Option<&str>, facts: &InviteFacts<'_>, gaps: Gaps) -> Result<Prepared, Problem> {
    let field = if people.rows.iter().any(|row| matches!(row.place, Place::Row(_))) { "csv" } else { "addresses" };
    if people.rows.is_empty() {
        return Err(problem("addresses", "Give at least one e-mail address."));
    }
    let usual = usual_grants(people, role, facts)?;
    let mut account = Account::new(people);
    let mut invited: Vec<Invited> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in &people.rows {
        let entry = match &row.found {
            Ok(entry) => entry,
            Err(why) => {
                account.leave_out(row.place, why);
                continue;
            }
        };
        let grants = match grants(entry, role, &usual, facts) {
            Ok(grants) => grants,
            Err(why) => {
                account.leave_out(row.place, &format!(": {why}"));
                continue;
            }
        };
        if !entry.others.is_empty() {
            let (n, not) = (entry.others.len() + 1, entry.others.join(", "));
            account.doubt(row.place, &format!("has {n} addresses: {} is taken, {not} is not", entry.address));
        }
        if let Some(&at) = places.get(&entry.address) {
            again(&mut invited[at], row.place, grants, &mut account);
        } else {
            places.insert(entry.address.clone(), invited.len());
            let address = entry.address.clone();
            invited.push(Invited { address, grants, rows: vec![row.place], conflict: false });
        }
    }
    let (newcomers, pending) = newcomers(invited, facts, &mut account);
    refuse_gaps(field, &account, newcomers.len(), &pending, gaps)?;
    let mut notes: Vec<Box<str>> = Vec::new();
    if role.is_none() && people.rows.iter().any(|row| row.found.as_ref().is_ok_and(|e| e.role.is_none())) {
        notes.push("No role was given, so it is Analyst.".into());
    }
    let (risks, sensitive) = risks::of(&newcomers, facts);
    if !pending.is_empty() {
        notes.push(
            "`/sekoia resend <e-mail…>` sends the invitations again of those who are invited and not in yet.".into(),
        );
    }
    let people = newcomers.into_iter().map(|person| (person.address.into(), person.grants)).collect();
    let action = Action::invite(people, Vec::new());
    Ok(Prepared { action, risks, sensitive, notes, account: account.lines() })
}

/// What is risky about inviting these people with these grants, one sentence each.
pub(super) fn risks_of(people: &[(Box<str>, Vec<Grant>)], facts: &InviteFacts<'_>) -> Vec<Box<str>> {
    let invited = |(address, grants): &(Box<str>, Vec<Grant>)| Invited {
        address: address.to_string(),
        grants: grants.clone(),
        rows: Vec::new(),
        conflict: false,
    };
    let invited: Vec<Invited> = people.iter().map(invited).collect();
    risks::of(&invited, facts).0
}

/// What people get whose row names nothing else.
fn usual_grants(people: &People, role: Option<&str>, facts: &InviteFacts<'_>) -> Result<Vec<Grant>, Problem> {
    let needs = |e: &Entry| e.role.is_none() && e.communities.is_empty();
    if !people.rows.iter().any(|row| row.found.as_ref().is_ok_and(needs)) {
        return Ok(Vec::new());
    }
    let wanted = role.unwrap_or(BUILT_IN[1]);
    let grant = |community: &Named| {
        grant(community, wanted, facts).map_err(|mut p| {
            if facts.usual.len() > 1 {
                p.text = Line::new().say(format!("In {}: ", shown(&community.name, 60))).append(p.text);
            }
            p
        })
    };
    facts.usual.iter().map(grant).collect()
}

fn grant(community: &Named, role: &str, facts: &InviteFacts<'_>) -> Result<Grant, Problem> {
    let roles =
        facts.communities.iter().find(|(c, ..)| c.uuid == community.uuid).map_or(&[][..], |(_, _, roles)| roles);
    let role = one_of("role", "role", role, roles, |r| &r.uuid, Role::name)?;
    Ok(Grant { community: community.clone(), role: Named::new(role.uuid.as_str(), role.name()) })
}

/// What one row's person gets.
fn grants(entry: &Entry, role: Option<&str>, usual: &[Grant], facts: &InviteFacts<'_>) -> Result<Vec<Grant>, String> {
    if entry.role.is_none() && entry.communities.is_empty() {
        return Ok(usual.to_vec());
    }
    let mut communities: Vec<Named> = Vec::new();
    for name in &entry.communities {
        for community in called(name, &facts.workspace).map_err(|p| p.text.plain())? {
            if !communities.contains(&community) {
                communities.push(community);
            }
        }
    }
    if entry.communities.is_empty() {
        communities.clone_from(&facts.usual);
    }
    let role = entry.role.as_deref().or(role).unwrap_or(BUILT_IN[1]);
    communities
        .iter()
        .map(|community| {
            grant(community, role, facts).map_err(|p| match communities.len() {
                1 => p.text.plain(),
                _ => format!("In {}: {}", shown(&community.name, 60), p.text.plain()),
            })
        })
        .collect()
}

/// Somebody is named in another row: for another community, again, or with another role.
fn again(known: &mut Invited, place: Place, grants: Vec<Grant>, account: &mut Account) {
    let mut new = Vec::new();
    for grant in grants {
        match known.grants.iter().find(|g| g.community.uuid == grant.community.uuid) {
            None => new.push(grant),
            Some(same) if same.role.uuid == grant.role.uuid => {}
            Some(_) => {
                known.conflict = true;
                known.rows.push(place);
                return;
            }
        }
    }
    if new.is_empty() {
        account.repeats += 1;
    } else {
        known.grants.extend(new);
        known.rows.push(place);
    }
}

/// Those who are neither members nor invited yet, in any community that is meant for them.
/// Then those whose invitation is not accepted yet.
fn newcomers(invited: Vec<Invited>, facts: &InviteFacts<'_>, account: &mut Account) -> (Vec<Invited>, Vec<String>) {
    let members: Vec<(&Named, HashMap<String, bool>)> = facts
        .communities
        .iter()
        .map(|(community, avatars, _)| {
            let by_mail = avatars.iter().filter_map(|a| Some((normal(a.email()?), a.is_pending())));
            (community, by_mail.collect())
        })
        .collect();
    let (mut newcomers, mut waiting) = (Vec::new(), Vec::new());
    for person in invited {
        let who = shown(&readable(&person.address), 120);
        if person.conflict {
            for place in person.rows {
                account.leave_out(place, &format!(": {who} is named in several rows with different roles"));
            }
            continue;
        }
        let pending: Vec<bool> = members
            .iter()
            .filter(|(community, _)| person.grants.iter().any(|g| g.community.uuid == community.uuid))
            .filter_map(|(_, of)| of.get(&person.address).copied())
            .collect();
        if pending.is_empty() {
            account.taken += person.rows.len();
            newcomers.push(person);
        } else if pending.len() < person.grants.len() {
            let why = "is already in some of these communities. Invite them to the others in a request of their own";
            for place in person.rows {
                account.leave_out(place, &format!(": {who} {why}"));
            }
        } else {
            let what = if pending.iter().all(|p| *p) {
                waiting.push(person.address.clone());
                "is invited and not in yet"
            } else {
                "is a member already"
            };
            for place in person.rows {
                account.know(place, &format!("{who} {what}"));
            }
        }
    }
    (newcomers, waiting)
}

/// Nothing is asked for while rows are left out that nobody has seen.
fn refuse_gaps(
    field: &'static str,
    account: &Account,
    people: usize,
    pending: &[String],
    gaps: Gaps,
) -> Result<(), Problem> {
    if people > MOST_ADDRESSES {
        return Err(problem(
            field,
            format!("These are {people} people; one request takes at most {MOST_ADDRESSES}. Ask in parts."),
        ));
    }
    if account.open() > MOST_DETAILS {
        let (left, rows) = (account.left_out(), account.rows());
        return Err(problem(
            field,
            format!("{left} of {rows} rows cannot be used, so this does not look like a list of people. Check it."),
        ));
    }
    if people == 0 {
        let mut text = Line::new().say(format!("There is nobody to invite. {}", account.sentence()));
        if !pending.is_empty() {
            let whose = pending.iter().take(5).cloned().collect::<Vec<_>>().join(" ");
            text = text.say(" ").code(format!("/sekoia resend {whose}")).say(" sends what is not accepted yet again.");
        }
        return Err(problem(field, text));
    }
    match gaps {
        Gaps::Refuse(how) if account.open() > 0 => {
            let line = Line::new().say(format!("{} Correct the list, or ", account.sentence()));
            Err(problem(field, line.append(Line::marked(how)).say(".")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
