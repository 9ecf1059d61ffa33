//! Roles and their permissions.

use std::collections::{HashMap, HashSet};

use super::catalogue::Catalogue;
use super::{Line, Mark};
use crate::chat::text::fold;
use crate::domain::plan::{Part, PlannedRole};
use crate::sekoia::{Permission, Role};

/// A role that is planned without permissions is there if one of its name is. Sekoia's own roles,
/// which are always there, are never too many.
pub fn roles(planned: &[PlannedRole], roles: &[Role], catalogue: &[Permission]) -> Vec<Line> {
    let catalogue = Catalogue::new(catalogue);
    let mut there: HashMap<String, Vec<&Role>> = HashMap::new();
    for role in roles {
        there.entry(fold(role.name())).or_default().push(role);
    }
    let names: HashSet<String> = planned.iter().map(|role| fold(&role.name)).collect();
    let none = Vec::new();
    let line = |role: &PlannedRole| {
        let called = there.get(&fold(&role.name)).unwrap_or(&none);
        let line = |mark| Line::new(mark, Part::Roles, &role.name);
        let Some(permissions) = &role.permissions else {
            return if called.is_empty() {
                line(Mark::Create).because("the plan does not say its permissions")
            } else {
                line(Mark::There)
            };
        };
        let compare = |role: &&Role| catalogue.compare(permissions.iter().map(|p| &**p), &role.permissions);
        // Of several that are called so, the one that is as planned.
        match called.iter().map(compare).map(|beside| beside.sentences().join("; ")).min() {
            None => line(Mark::Create),
            Some(none) if none.is_empty() => line(Mark::There),
            Some(differs) => line(Mark::Change).because(differs),
        }
    };
    let extra = roles.iter().filter(|role| !role.is_built_in() && !names.contains(&fold(role.name())));
    let extra = extra.map(|role| Line::new(Mark::Extra, Part::Roles, role.name()));
    planned.iter().map(line).chain(extra).collect()
}
