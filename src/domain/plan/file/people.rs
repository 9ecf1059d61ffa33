//! People of a file.

use std::collections::HashMap;

use toml::de::DeTable;

use super::reader::{Kind, Reader};
use crate::chat::text::shown;
use crate::domain::action::people::address;
use crate::domain::action::{COMMUNITY_BOUNDS, ROLE_BOUNDS};
use crate::domain::checklist::steps::roles::BUILT_IN;
use crate::domain::plan::{MOST_PEOPLE, Part, PlannedPerson};

impl Reader<'_> {
    pub(super) fn people(&mut self, table: &DeTable<'_>) -> Option<Vec<PlannedPerson>> {
        const KIND: Kind = Kind { one: "a person", fields: &["email", "role", "communities"] };
        let tables = self.tables(table, Part::People, MOST_PEOPLE)?;
        let mut seen = HashMap::new();
        let mut people = Vec::new();
        for (start, person) in tables {
            self.only(person, &KIND);
            let email = self.needed((start, person), &KIND, "email", "ana@example.com");
            let role = match self.text(person, "role", BUILT_IN[1]) {
                Some((at, role)) => self.name(at, "role", role, ROLE_BOUNDS.name),
                None => Some(BUILT_IN[1].into()),
            };
            let communities = self.communities_of(person);
            let Some((at, text)) = email else { continue };
            let address: Box<str> = match address(text) {
                Ok(address) => address.into(),
                Err(why) => {
                    self.fault(at, format!("\"{}\" {why}. Write it like ana@example.com.", shown(text, 60)));
                    continue;
                }
            };
            let once = |line| format!("Name everybody once: give line {line} all communities.");
            if self.is_first(&mut seen, (at, &address), once) {
                people.push(PlannedPerson { address, role: role.unwrap_or_default(), communities });
            }
        }
        Some(people)
    }

    fn communities_of(&mut self, person: &DeTable<'_>) -> Vec<Box<str>> {
        let mut seen = HashMap::new();
        let mut communities = Vec::new();
        for (at, text) in self.texts(person, "communities", "Bank North").unwrap_or_default() {
            let Some(name) = self.name(at, "community", text, COMMUNITY_BOUNDS.name) else { continue };
            if self.is_first(&mut seen, (at, &name), |_| "Name each community once.".into()) {
                communities.push(name);
            }
        }
        communities
    }
}
