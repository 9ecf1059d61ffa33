//! Custom roles.

use super::names::{description, name};
use super::permissions::{Sources, beyond, risks};
use super::{Action, Named, Prepared, Problem, problem};
use crate::chat::text::{self, shown};
use crate::chat::view::Line;
use crate::domain::checklist::steps::roles::{BUILT_IN, TRAP};
use crate::sekoia::{Permission, Role};

/// Characters of a name; Sekoia's own bound is not documented.
const NAME: usize = 100;
/// Sekoia's documentation: 10 to 1,000 characters.
const ABOUT: (usize, usize) = (10, 1_000);

pub struct RoleFacts<'a> {
    pub community: Named,
    pub roles: &'a [Role],
    pub catalogue: &'a [Permission],
    /// What the bot's own key may do.
    pub own: &'a [Permission],
}

/// # Errors
/// What is wrong with the request, by field.
pub fn role(typed: &str, about: Option<&str>, with: &[String], facts: &RoleFacts<'_>) -> Result<Prepared, Problem> {
    let name = name("name", "role", typed, NAME)?;
    let same = |other: &str| text::same(other, &name);
    if let Some(built_in) = BUILT_IN.into_iter().find(|other| same(other)) {
        return Err(problem("name", format!("{built_in} is a built-in role. Choose another name.")));
    }
    if let Some(taken) = facts.roles.iter().map(Role::name).find(|other| same(other)) {
        return Err(problem("name", format!("There is already a role called \"{}\".", shown(taken, 60))));
    }
    let description = match about.map(str::trim).filter(|a| !a.is_empty()) {
        Some(about) => Some(description(about, ABOUT.0, ABOUT.1)?),
        None => None,
    };
    let sources = Sources { catalogue: facts.catalogue, roles: facts.roles };
    let permissions = sources.resolve(with)?;
    if permissions.is_empty() {
        return Err(problem(
            "with",
            Line::marked(
                "Say which permissions it has: a preset such as `read-alerts`, a role to copy such as `Analyst`, or permissions.",
            ),
        ));
    }
    let beyond = beyond(&permissions, facts.own);
    if !beyond.is_empty() {
        let listed: Vec<String> = beyond.iter().take(5).map(|p| shown(p, 60)).collect();
        let why = "The bot's own key does not have this, so it gives it to nobody";
        return Err(problem("with", format!("{why}: {}.", listed.join(", "))));
    }
    let mut risks = risks(&permissions, facts.catalogue);
    risks.push(TRAP.into());
    let community = facts.community.clone();
    let action = Action::CreateRole { community, name, description, permissions };
    Ok(Prepared { action, risks, sensitive: false, notes: vec![], account: vec![] })
}
