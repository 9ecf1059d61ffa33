//! Step 4: the roles, and the trap of the built-in ones.
//!
//! Giving a custom role drops the built-in ones (Sekoia's documentation): somebody who gets
//! "Report reader" beside Analyst is no analyst any more.

use super::{Finding, names};
use crate::chat::text::count;
use crate::domain::checklist::facts::{Fact, Print};
use crate::sekoia::{Avatar, Role};

pub const BUILT_IN: [&str; 3] = ["Guest", "Analyst", "Admin"];

/// Said wherever roles are given.
pub const TRAP: &str =
    "A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.";

/// Who has a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holders {
    pub active: usize,
    /// Their invitation is not accepted yet.
    pub invited: usize,
    pub disabled: usize,
}

impl Holders {
    pub fn of(role: &Role, members: &[Avatar]) -> Self {
        let has = |member: &&Avatar| member.roles.iter().any(|r| r.uuid.as_deref() == Some(role.uuid.as_str()));
        let mut holders = Self::default();
        for member in members.iter().filter(has) {
            let number = if member.is_pending() {
                &mut holders.invited
            } else if member.is_disabled() {
                &mut holders.disabled
            } else {
                &mut holders.active
            };
            *number += 1;
        }
        holders
    }
}

/// `members`: everybody of the community, if the key may list them. Without, Sekoia's own number
/// counts people who have not accepted their invitation as well.
pub fn check(roles: &[Role], members: Option<&[Avatar]>) -> Finding {
    let (built_in, custom): (Vec<&Role>, Vec<&Role>) = roles.iter().partition(|r| r.is_built_in());
    let absent: Vec<&str> =
        BUILT_IN.into_iter().filter(|name| !built_in.iter().any(|r| r.name().eq_ignore_ascii_case(name))).collect();
    if roles.is_empty() {
        return Finding::wanting(
            "Sekoia lists no role".into(),
            "at least the built-in roles; check the key's community".into(),
        );
    }
    let summary = format!(
        "{}, {}",
        count(built_in.len(), "built-in role", "built-in roles"),
        count(custom.len(), "custom role", "custom roles")
    );
    let empty: Vec<&str> = custom.iter().filter(|r| r.permissions.is_empty()).map(|r| r.name()).collect();
    if !empty.is_empty() {
        return Finding::Wanting {
            summary,
            missing: vec![format!(
                "permissions in {}: people with that role alone can do nothing",
                names(empty.into_iter())
            )],
        };
    }
    let mut exceptions = Vec::new();
    let mut facts: Vec<Fact> = custom.iter().map(|role| fact(role)).collect();
    facts.extend(absent.iter().map(|name| Fact::Sign {
        id: format!("without {name}").into(),
        says: format!("the role {name} is not listed").into(),
    }));
    if !absent.is_empty() {
        exceptions.push(format!("not listed: {}", absent.join(", ")));
    }
    if let Some(admin) = built_in.iter().find(|r| r.name().eq_ignore_ascii_case("admin")) {
        let holders = members.map(|members| Holders::of(admin, members).active as u64);
        let few = match holders.or(admin.total_members) {
            Some(0) => Some(("no Admin", "nobody has the Admin role")),
            Some(1) => {
                Some(("one Admin", "one person alone has the Admin role: nobody can help when that account is locked"))
            }
            _ => None,
        };
        if let Some((id, says)) = few {
            facts.push(Fact::Sign { id: id.into(), says: says.into() });
            exceptions.push(says.into());
        }
    }
    let held: Vec<&str> = custom.iter().filter(|r| r.total_members.unwrap_or(0) > 0).map(|r| r.name()).collect();
    if !held.is_empty() {
        exceptions.push(format!("built-in roles do not count for members of {}", names(held.into_iter())));
    }
    Finding::confirmed(summary, exceptions, facts)
}

/// Of a role that somebody made: what Sekoia adds to the built-in ones is Sekoia's.
fn fact(role: &Role) -> Fact {
    let may = role.permissions.iter().map(|p| p.uuid.as_deref().unwrap_or_else(|| p.title()));
    let limits = role.is_restricted.filter(|restricted| *restricted).map(|_| "restricted");
    Fact::Role { id: Print::of(&role.uuid), name: role.name().into(), may: Print::of_all(may.chain(limits)) }
}
