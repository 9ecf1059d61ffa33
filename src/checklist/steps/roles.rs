//! Step 4: the roles, and the trap of the built-in ones.
//!
//! Giving a custom role drops the built-in ones (Sekoia's documentation): somebody who gets
//! "Report reader" beside Analyst is no analyst any more.

use super::{Finding, names};
use crate::sekoia::Role;
use crate::text::count;

pub const BUILT_IN: [&str; 3] = ["Guest", "Analyst", "Admin"];

/// Said wherever roles are given.
pub const TRAP: &str = "Giving somebody a custom role takes their built-in role (Guest, Analyst, Admin) away; several custom roles add up.";

pub fn check(roles: &[Role]) -> Finding {
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
    if !absent.is_empty() {
        exceptions.push(format!("not listed: {}", absent.join(", ")));
    }
    if let Some(admin) = built_in.iter().find(|r| r.name().eq_ignore_ascii_case("admin")) {
        match admin.total_members {
            Some(0) => exceptions.push("nobody has the Admin role".into()),
            Some(1) => exceptions
                .push("one person alone has the Admin role: nobody can help when that account is locked".into()),
            _ => {}
        }
    }
    let held: Vec<&str> = custom.iter().filter(|r| r.total_members.unwrap_or(0) > 0).map(|r| r.name()).collect();
    if !held.is_empty() {
        exceptions.push(format!("built-in roles do not count for members of {}", names(held.into_iter())));
    }
    Finding::confirmed(summary, exceptions)
}
