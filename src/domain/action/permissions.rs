//! Permissions by name, title, preset or another role.

use super::base::Base;
use super::names::{instead, one_of};
use super::preset::Preset;
use super::{Named, Problem, problem};
use crate::chat::text::{Found, count, find, shown};
use crate::sekoia::{Permission, Role};

/// What may be named.
pub struct Sources<'a> {
    pub catalogue: &'a [Permission],
    /// Roles whose permissions may be copied.
    pub roles: &'a [Role],
}

/// What was found.
pub struct Resolved {
    pub permissions: Vec<Named>,
    /// A sentence for each permission that a preset names and this workspace does not have.
    pub absent: Vec<Box<str>>,
}

impl Sources<'_> {
    /// The permissions that `with` names, each once, in the order of the catalogue.
    ///
    /// # Errors
    /// What is not known, or is known twice.
    pub fn resolve(&self, with: &[String]) -> Result<Resolved, Problem> {
        let mut chosen: Vec<&Permission> = Vec::new();
        let mut absent = Vec::new();
        for wanted in with.iter().map(|w| w.trim()).filter(|w| !w.is_empty()) {
            if let Some(preset) = Preset::find(wanted) {
                chosen.extend(self.of_preset(preset)?);
                for title in &preset.optional {
                    match self.called(title) {
                        Found::Nothing => absent.push(format!("This workspace has no permission called \"{title}\", which {} would have too: it is left out.", preset.id).into()),
                        Found::One(_) | Found::Several(_) => chosen.push(self.one(title)?),
                    }
                }
            } else if let Some(role) = self.role(wanted)? {
                let held = |p: &&Permission| role.permissions.iter().any(|h| h.uuid == p.uuid);
                chosen.extend(self.catalogue.iter().filter(held));
            } else {
                chosen.push(self.one(wanted)?);
            }
        }
        let named = self.catalogue.iter().filter(|p| chosen.iter().any(|c| c.uuid == p.uuid)).filter_map(named);
        Ok(Resolved { permissions: named.collect(), absent })
    }

    /// The permissions of a preset, which are documented by title.
    fn of_preset(&self, preset: &Preset) -> Result<Vec<&Permission>, Problem> {
        preset.titles.iter().map(|title| self.one(title)).collect()
    }

    /// A role to copy; of two that look the same, asked which.
    fn role(&self, wanted: &str) -> Result<Option<&Role>, Problem> {
        match find(wanted, self.roles, |r| &r.uuid, Role::name) {
            Found::Nothing => Ok(None),
            Found::One(role) => Ok(Some(role)),
            Found::Several(_) => one_of("with", "role", wanted, self.roles, |r| &r.uuid, Role::name).map(Some),
        }
    }

    /// By its uuid or name, or else by its title.
    fn called(&self, wanted: &str) -> Found<'_, Permission> {
        let by = |name: fn(&Permission) -> &str| {
            find(wanted, self.catalogue, |p| p.uuid.as_deref().unwrap_or_default(), name)
        };
        match by(|p| p.name.as_deref().unwrap_or_default()) {
            Found::Nothing => by(|p| p.title.as_deref().unwrap_or_default()),
            found => found,
        }
    }

    fn one(&self, wanted: &str) -> Result<&Permission, Problem> {
        match self.called(wanted) {
            Found::One(one) => Ok(one),
            Found::Several(several) => {
                let names: Vec<String> =
                    several.iter().filter_map(|p| p.name.as_deref()).map(|n| shown(n, 60)).collect();
                let (wanted, names) = (shown(wanted, 60), names.join(", "));
                Err(problem("with", format!("Several permissions are called \"{wanted}\". Say which: {names}.")))
            }
            Found::Nothing => {
                let names = self.catalogue.iter().map(Permission::title);
                let text = format!("There is no permission or preset called \"{}\". ", shown(wanted, 60));
                Err(problem("with", text + &instead(wanted, names)))
            }
        }
    }
}

fn named(permission: &Permission) -> Option<Named> {
    Some(Named::new(permission.uuid.as_deref()?, permission.title()))
}

/// Titles of the permissions that `held` lacks.
pub fn beyond<'a>(wanted: &'a [Named], held: &[Permission]) -> Vec<&'a str> {
    let lacks = |w: &&Named| !held.iter().any(|h| h.uuid.as_deref() == Some(&*w.uuid));
    wanted.iter().filter(lacks).map(|w| &*w.name).collect()
}

/// Whether a permission lets its holder change something, as far as its title tells.
fn writes(title: &str) -> bool {
    let title = title.to_lowercase();
    // A query in SOL reads and does nothing else.
    title != "execute query" && !["view", "read", "list"].iter().any(|verb| title.starts_with(verb))
}

/// Permissions of whoever may change who has access to what.
fn administers(permission: &Named, catalogue: &[Permission]) -> bool {
    let known = catalogue.iter().find(|p| p.uuid.as_deref() == Some(&*permission.uuid));
    known.is_some_and(|p| p.feature.as_deref() == Some("Community")) && writes(&permission.name)
}

/// What is risky about granting these.
pub fn risks(granted: &[Named], catalogue: &[Permission]) -> Vec<Box<str>> {
    let mut risks = Vec::new();
    let admin: Vec<&str> = granted.iter().filter(|p| administers(p, catalogue)).map(|p| &*p.name).collect();
    if !admin.is_empty() {
        risks.push(format!("can administer the workspace: {}", some(&admin)).into());
    }
    let write: Vec<&str> =
        granted.iter().filter(|p| writes(&p.name) && !admin.contains(&&*p.name)).map(|p| &*p.name).collect();
    if !write.is_empty() {
        risks.push(format!("can change things: {}", some(&write)).into());
    }
    risks
}

/// The same of a role that is like another one: what it may do beyond that is named, the rest is said by
/// that role's name.
pub fn risks_beyond(granted: &[Named], base: &Base, catalogue: &[Permission]) -> Vec<Box<str>> {
    let (more, shared): (Vec<Named>, Vec<Named>) = granted.iter().cloned().partition(|p| base.more.contains(&p.name));
    let name = shown(&base.role.name, 60);
    let mut as_base = Vec::new();
    if shared.iter().any(|p| administers(p, catalogue)) {
        as_base.push(format!("can administer the workspace, as {name} can").into());
    }
    if shared.iter().any(|p| writes(&p.name) && !administers(p, catalogue)) {
        as_base.push(format!("can change things, as {name} can").into());
    }
    as_base.extend(risks(&more, catalogue));
    as_base
}

fn some(names: &[&str]) -> String {
    const MOST: usize = 20;
    let listed: Vec<String> = names.iter().take(MOST).map(|n| shown(n, 60)).collect();
    let more = names.len().saturating_sub(MOST);
    if more > 0 { format!("{} and {}", listed.join(", "), count(more, "other", "others")) } else { listed.join(", ") }
}

/// Permissions under their feature, both in the catalogue's order.
pub fn by_feature(catalogue: &[Permission]) -> Vec<(String, Vec<&Permission>)> {
    let mut groups: Vec<(String, Vec<&Permission>)> = Vec::new();
    for permission in catalogue {
        let feature = permission.feature.as_deref().unwrap_or("Other");
        match groups.iter_mut().find(|(name, _)| name == feature) {
            Some((_, group)) => group.push(permission),
            None => groups.push((feature.to_owned(), vec![permission])),
        }
    }
    groups
}
