//! Custom roles.

use super::base::Base;
use super::names::{Bounds, description, name};
use super::permissions::{Resolved, Sources, beyond, risks, risks_beyond};
use super::{Action, Named, Prepared, Problem, problem};
use crate::chat::text::{self, shown};
use crate::chat::view::Line;
use crate::domain::checklist::steps::roles::{BUILT_IN, TRAP};
use crate::sekoia::{Permission, Role};

/// Of a name, Sekoia's own bound is not documented. Of a description, its documentation says 10 to
/// 1,000 characters.
pub const ROLE_BOUNDS: Bounds = Bounds { name: 100, about: (10, 1_000) };

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
    let name = name("name", "role", typed, ROLE_BOUNDS.name)?;
    let same = |other: &str| text::same(other, &name);
    if let Some(built_in) = BUILT_IN.into_iter().find(|other| same(other)) {
        return Err(problem("name", format!("{built_in} is a built-in role. Choose another name.")));
    }
    if let Some(taken) = facts.roles.iter().map(Role::name).find(|other| same(other)) {
        return Err(problem("name", format!("There is already a role called \"{}\".", shown(taken, 60))));
    }
    let description = match about.map(str::trim).filter(|a| !a.is_empty()) {
        Some(about) => Some(description(about, ROLE_BOUNDS.about)?),
        None => None,
    };
    let sources = Sources { catalogue: facts.catalogue, roles: facts.roles };
    let Resolved { permissions, absent } = sources.resolve(with)?;
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
    let base = Base::nearest(&permissions, facts.roles);
    let mut risks = match &base {
        Some(base) => risks_beyond(&permissions, base, facts.catalogue),
        None => risks(&permissions, facts.catalogue),
    };
    if let Some(base) = base.as_ref().filter(|base| base.is_equal()) {
        let same = shown(&base.role.name, 60);
        risks.push(format!("has exactly the permissions of {same}: perhaps that role is enough").into());
    }
    risks.push(TRAP.into());
    let difference = base.as_ref().map(|base| format!("The new role may: {}.", base.line()).into());
    let notes = difference.into_iter().chain(absent).collect();
    let community = facts.community.clone();
    let action = Action::CreateRole { community, name, description, permissions, base };
    Ok(Prepared { action, risks, sensitive: false, notes, account: vec![] })
}
