//! From a plan to the parts that Sekoia lacks.

use super::people::Newcomers;
use super::risks::Risks;
use super::{BundleFacts, BundlePart};
use crate::chat::text::{same, shown};
use crate::chat::view::Line;
use crate::domain::action::community::{self, new_communities};
use crate::domain::action::key::taken;
use crate::domain::action::{Action, Expiry, MOST_ADDRESSES, Prepared, Problem, key, problem, role};
use crate::domain::checklist::steps::roles::TRAP;
use crate::domain::plan::{Lifetime, Plan, PlannedRole};
use crate::sekoia::{Community, KeyStatus};

/// Everything that the plan names and Sekoia lacks. What is there is left as it is, whether or not
/// it is as the plan wants it.
///
/// # Errors
/// What is wrong with the plan, or that nothing is missing.
pub fn bundle(plan: &Plan, facts: &BundleFacts<'_>) -> Result<Prepared, Problem> {
    let (mut parts, mut risks, mut notes) = (Vec::new(), Risks::default(), Vec::new());
    communities(plan, facts, &mut parts, &mut risks)?;
    roles(plan, facts, &mut parts, &mut risks)?;
    let newcomers = Newcomers::of(plan, facts)?;
    risks.plain(&newcomers.risks(facts));
    parts.extend(newcomers.groups().map(|people| BundlePart::Invite { people }));
    keys(plan, facts, &mut parts, &mut risks, &mut notes)?;
    if parts.is_empty() {
        let nothing = "Nothing is missing: Sekoia has all communities, roles, people and keys that the plan names.";
        return Err(problem("plan", [vec![nothing.into()], notes].concat().join(" ")));
    }
    let people = |part: &BundlePart| if let BundlePart::Invite { people } = part { people.len() } else { 0 };
    let people: usize = parts.iter().map(people).sum();
    if people > MOST_ADDRESSES {
        return Err(problem(
            "people",
            format!("These are {people} people; one request takes at most {MOST_ADDRESSES}."),
        ));
    }
    let sensitive = parts.iter().any(BundlePart::is_sensitive);
    let action = Action::Bundle { community: facts.own().clone(), parts };
    let notes = notes.into_iter().map(String::into_boxed_str).collect();
    Ok(Prepared { action, risks: risks.lines(), sensitive, notes, account: vec![] })
}

/// The same problem, with what it is about.
fn about(what: &str, name: &str, problem: Problem) -> Problem {
    let text = Line::new().say(format!("The {what} \"{}\": ", shown(name, 60))).append(problem.text);
    Problem { field: "plan", text }
}

fn twice<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Problem> {
    let mut known: Vec<String> = names.map(crate::chat::text::fold).collect();
    known.sort_unstable();
    match known.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(problem("plan", format!("The plan has two {what} called \"{}\".", shown(&pair[0], 60)))),
        None => Ok(()),
    }
}

fn communities(
    plan: &Plan,
    facts: &BundleFacts<'_>,
    parts: &mut Vec<BundlePart>,
    risks: &mut Risks,
) -> Result<(), Problem> {
    let planned = plan.communities.as_deref().unwrap_or_default();
    twice("communities", planned.iter().map(|c| &*c.name))?;
    // Without any planned, the workspace need not have been read.
    let Some((root, children)) = facts.workspace.filter(|_| !planned.is_empty()) else { return Ok(()) };
    let there = |name: &str| children.iter().chain([root]).any(|c: &Community| same(c.name(), name));
    let missing: Vec<(&str, Option<&str>)> =
        planned.iter().filter(|c| !there(&c.name)).map(|c| (&*c.name, c.about.as_deref())).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (parent, communities) = new_communities(missing.into_iter(), root, children)
        .map_err(|found| problem("plan", Line::new().say("The communities: ").append(found.text)))?;
    risks.plain(&[community::risk(communities.len(), &parent)]);
    parts.push(BundlePart::Communities { parent, communities });
    Ok(())
}

fn roles(plan: &Plan, facts: &BundleFacts<'_>, parts: &mut Vec<BundlePart>, risks: &mut Risks) -> Result<(), Problem> {
    let planned = plan.roles.as_deref().unwrap_or_default();
    twice("roles", planned.iter().map(|r| &*r.name))?;
    let there = |wanted: &&PlannedRole| !facts.roles.roles.iter().any(|r| same(r.name(), &wanted.name));
    for wanted in planned.iter().filter(there) {
        let Some(permissions) = &wanted.permissions else {
            let text = "Sekoia has no such role. Say in the plan which permissions it has.";
            return Err(about("role", &wanted.name, problem("with", text)));
        };
        let with: Vec<String> = permissions.iter().map(ToString::to_string).collect();
        let prepared = role(&wanted.name, wanted.about.as_deref(), &with, &facts.roles)
            .map_err(|found| about("role", &wanted.name, found))?;
        let Action::CreateRole { name, description, permissions, .. } = prepared.action else { continue };
        // What is no permission of one role is said of all.
        let (trap, own): (Vec<_>, Vec<_>) = prepared.risks.into_iter().partition(|r| **r == *TRAP);
        risks.of(&name, &own);
        risks.plain(&trap);
        parts.push(BundlePart::Role { name, description, permissions });
    }
    Ok(())
}

fn keys(
    plan: &Plan,
    facts: &BundleFacts<'_>,
    parts: &mut Vec<BundlePart>,
    risks: &mut Risks,
    notes: &mut Vec<String>,
) -> Result<(), Problem> {
    let planned = plan.keys.as_deref().unwrap_or_default();
    twice("keys", planned.iter().map(|k| &*k.name))?;
    for wanted in planned {
        if let Some(there) = taken(&wanted.name, &facts.keys) {
            if there.status(facts.keys.now) == KeyStatus::Expired {
                notes.push(format!(
                    "The key \"{}\" is there and has expired, and Sekoia wants names to be unique: revoke it in Sekoia's console, or give it another name in the plan.",
                    shown(&wanted.name, 60)
                ));
            }
            continue;
        }
        let with: Vec<String> = wanted.permissions.iter().map(ToString::to_string).collect();
        let prepared =
            key(&wanted.name, wanted.preset.as_deref(), &with, None, Some(wanted.expires.into()), &facts.keys)
                .map_err(|found| about("key", &wanted.name, found))?;
        notes.extend(prepared.notes.iter().map(ToString::to_string));
        let Action::CreateKey { name, description, permissions, .. } = prepared.action else { continue };
        risks.of(&name, &prepared.risks);
        let (expires, owner) = (wanted.expires, wanted.owner.clone());
        parts.push(BundlePart::Key { name, description, permissions, expires, owner });
    }
    notes.dedup();
    Ok(())
}

impl From<Lifetime> for Expiry {
    fn from(life: Lifetime) -> Self {
        match life {
            Lifetime::Days(days) => Expiry::Days(days),
            Lifetime::On(date) => Expiry::On(date),
            Lifetime::Never => Expiry::Never,
        }
    }
}
