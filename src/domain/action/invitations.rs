//! Who gets what of an invitation.

use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Action, Grant, Named, Replaced};
use crate::chat::text::shown;

/// Roles that a title names.
const NAMED: usize = 4;

/// So many people, one after the other, who get the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub people: usize,
    pub grants: Vec<Grant>,
}

/// Some of an invitation's people, who get the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitations<'a> {
    pub items: Range<usize>,
    pub grants: &'a [Grant],
}

/// What tells one set of grants from another: its communities and roles by identifier.
type Granted = Vec<(Box<str>, Box<str>)>;

impl Action {
    /// The invitation of these people: one set of grants for all where they agree, otherwise groups
    /// in the order in which they came.
    pub fn invite(people: Vec<(Box<str>, Vec<Grant>)>, replaces: Vec<Replaced>) -> Self {
        let mut groups: Vec<(Vec<Grant>, Vec<Box<str>>)> = Vec::new();
        let mut places: HashMap<Granted, usize> = HashMap::new();
        for (address, grants) in people {
            let key = grants.iter().map(|g| (g.community.uuid.clone(), g.role.uuid.clone())).collect();
            let at = *places.entry(key).or_insert_with(|| {
                groups.push((grants, Vec::new()));
                groups.len() - 1
            });
            groups[at].1.push(address);
        }
        if groups.len() == 1
            && let Some((grants, people)) = groups.pop()
        {
            return Action::Invite { people, grants, replaces, groups: Vec::new() };
        }
        let (mut people, mut sizes) = (Vec::new(), Vec::new());
        for (grants, members) in groups {
            sizes.push(Group { people: members.len(), grants });
            people.extend(members);
        }
        Action::Invite { people, grants: Vec::new(), replaces, groups: sizes }
    }

    /// What the person of an invitation gets.
    pub fn grants(&self, item: usize) -> &[Grant] {
        self.invitations().into_iter().find(|group| group.items.contains(&item)).map_or(&[], |group| group.grants)
    }

    /// An invitation's people by what they get: usually all of them at once.
    pub fn invitations(&self) -> Vec<Invitations<'_>> {
        let Action::Invite { people, grants, groups, .. } = self else { return Vec::new() };
        if groups.is_empty() {
            return vec![Invitations { items: 0..people.len(), grants }];
        }
        let mut begin = 0_usize;
        let of = |group: &'_ Group| {
            // Stored numbers: never beyond the people.
            let end = begin.saturating_add(group.people).min(people.len());
            let items = begin..end;
            begin = end;
            items
        };
        let items: Vec<Range<usize>> = groups.iter().map(of).collect();
        items.into_iter().zip(groups).map(|(items, group)| Invitations { items, grants: &group.grants }).collect()
    }

    /// The communities of an invitation, each once.
    pub fn communities(&self) -> Vec<&Named> {
        let mut all: Vec<&Named> = Vec::new();
        for grant in self.invitations().iter().flat_map(|group| group.grants) {
            if !all.contains(&&grant.community) {
                all.push(&grant.community);
            }
        }
        all
    }

    /// ` as Analyst`, or `: 2 as Analyst and 1 as Guest`.
    pub(super) fn in_roles(&self) -> String {
        let roles = self.roles();
        let each = |(role, n): &(&str, usize)| format!("{n} as {}", shown(role, 60));
        match roles.as_slice() {
            [] => String::new(),
            [(one, _)] => format!(" as {}", shown(one, 60)),
            [all @ .., last] if roles.len() <= NAMED => {
                let all: Vec<String> = all.iter().map(each).collect();
                format!(": {} and {}", all.join(", "), each(last))
            }
            many => format!(" in {} roles", many.len()),
        }
    }

    /// The roles of an invitation, each with how many people get it first.
    fn roles(&self) -> Vec<(&str, usize)> {
        let mut roles: Vec<(&str, usize)> = Vec::new();
        for group in self.invitations() {
            let Some(role) = group.grants.first().map(|g| &*g.role.name) else { continue };
            match roles.iter_mut().find(|(known, _)| *known == role) {
                Some((_, n)) => *n += group.items.len(),
                None => roles.push((role, group.items.len())),
            }
        }
        roles
    }
}
