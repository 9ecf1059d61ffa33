//! Roles of a file, and lists of permissions.

use std::collections::HashMap;

use toml::de::DeTable;

use super::Named;
use super::reader::{At, Kind, Reader};
use crate::chat::text::{clean, fold, same, shown};
use crate::domain::action::{PRESETS, Preset, ROLE_BOUNDS};
use crate::domain::checklist::steps::roles::BUILT_IN;
use crate::domain::plan::{MOST_ROLES, Part, PlannedRole};

impl Reader<'_> {
    pub(super) fn roles(&mut self, table: &DeTable<'_>) -> Option<Vec<PlannedRole>> {
        const KIND: Kind = Kind { one: "a role", fields: &["name", "about", "permissions"] };
        let tables = self.tables(table, Part::Roles, MOST_ROLES)?;
        let mut seen = HashMap::new();
        let mut permitted: HashMap<usize, Option<Vec<String>>> = HashMap::new();
        let mut roles = Vec::new();
        for (start, role) in tables {
            self.only(role, &KIND);
            let name = self.needed((start, role), &KIND, "name", "Report reader");
            let about = self.text(role, "about", "Reads reports and nothing else");
            let permissions = self.texts(role, "permissions", "View alerts").map(|list| (list.is_empty(), list));
            if let Some((true, _)) = permissions {
                let at = role.get("permissions").map_or(start, |value| value.span().start);
                self.fault(at, "A role without permissions can do nothing. List them, or leave out \"permissions\" for a role that is at Sekoia already.");
            }
            let permissions = permissions.map(|(_, list)| self.permissions(&list, None));
            let Some((at, text)) = name else { continue };
            let Some((name, about)) = self.named(at, "role", ROLE_BOUNDS, text, about) else { continue };
            if let (Some(built_in), Some(_)) =
                (BUILT_IN.into_iter().find(|built_in| same(built_in, &name)), &permissions)
            {
                self.fault(at, format!("{built_in} is a role that Sekoia brings, with permissions that nobody can change. Leave out \"permissions\", or choose another name."));
            }
            let set = permissions.as_ref().map(|all| {
                let mut all: Vec<String> = all.iter().map(|name| fold(name)).collect();
                all.sort();
                all
            });
            let other = |line: usize| match permitted.get(&line) {
                Some(first) if *first != set => "It has other permissions there: keep one of the two.".into(),
                _ => "Name each role once.".into(),
            };
            if self.is_first(&mut seen, (at, &name), other) {
                permitted.insert(seen[&fold(&name)], set);
                roles.push(PlannedRole { name, about, permissions });
            }
        }
        Some(roles)
    }

    /// Permissions by title or name. `preset`: the field that takes a preset, if there is one.
    pub(super) fn permissions(&mut self, list: &[At<&str>], preset: Option<&str>) -> Vec<Box<str>> {
        let owner = self.permissions.last().map_or(0, |last| last.owner + 1);
        let mut seen = HashMap::new();
        let mut permissions: Vec<Box<str>> = Vec::new();
        for (at, text) in list {
            let name: Box<str> = clean(text.trim()).into();
            if let Some(found) = PRESETS.iter().find(|known| same(&known.id, &name)) {
                self.fault(*at, instead_of_preset(found, preset));
                continue;
            }
            if self.is_first(&mut seen, (*at, &name), |_| "Name each permission once.".into()) {
                self.permissions.push(Named { at: *at, name: name.clone(), owner });
                permissions.push(name);
            }
        }
        permissions
    }
}

fn instead_of_preset(preset: &Preset, field: Option<&str>) -> String {
    let id = shown(&preset.id, 60);
    match field {
        Some(field) => format!("\"{id}\" is a preset. Write {field} = \"{id}\"."),
        None => format!("\"{id}\" is a preset. Write its permissions: \"{}\".", preset.titles.join("\", \"")),
    }
}
