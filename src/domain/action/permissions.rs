//! Permissions by name, title, preset or another role.

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

impl Sources<'_> {
    /// The permissions that `with` names, each once, in the order of the catalogue.
    pub fn resolve(&self, with: &[String]) -> Result<Vec<Named>, Problem> {
        let mut chosen: Vec<&Permission> = Vec::new();
        for wanted in with.iter().map(|w| w.trim()).filter(|w| !w.is_empty()) {
            if let Some(preset) = Preset::find(wanted) {
                chosen.extend(self.of_preset(preset)?);
            } else if let Some(role) = self.role(wanted)? {
                let held = |p: &&Permission| role.permissions.iter().any(|h| h.uuid == p.uuid);
                chosen.extend(self.catalogue.iter().filter(held));
            } else {
                chosen.push(self.one(wanted)?);
            }
        }
        let named = self.catalogue.iter().filter(|p| chosen.iter().any(|c| c.uuid == p.uuid)).filter_map(named);
        Ok(named.collect())
    }

    /// The permissions of a preset, which are documented by title.
    pub fn of_preset(&self, preset: &Preset) -> Result<Vec<&Permission>, Problem> {
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

    fn one(&self, wanted: &str) -> Result<&Permission, Problem> {
        let by = |name: fn(&Permission) -> &str| {
            find(wanted, self.catalogue, |p| p.uuid.as_deref().unwrap_or_default(), name)
        };
        let (name, title) =
            (by(|p| p.name.as_deref().unwrap_or_default()), by(|p| p.title.as_deref().unwrap_or_default()));
        for found in [name, title] {
            match found {
                Found::Nothing => {}
                Found::One(one) => return Ok(one),
                Found::Several(several) => {
                    let names: Vec<String> =
                        several.iter().filter_map(|p| p.name.as_deref()).map(|n| shown(n, 60)).collect();
                    return Err(problem(
                        "with",
                        format!(
                            "Several permissions are called \"{}\". Say which: {}.",
                            shown(wanted, 60),
                            names.join(", ")
                        ),
                    ));
                }
            }
        }
        let names = self.catalogue.iter().map(Permission::title);
        let text = format!("There is no permission or preset called \"{}\". ", shown(wanted, 60));
        Err(problem("with", text + &instead(wanted, names)))
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
    !["view", "read", "list"].iter().any(|verb| title.starts_with(verb))
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
