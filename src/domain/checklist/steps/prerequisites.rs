//! Before step 1: the bot's key is good and may read, and Admins have MFA on.

use super::Finding;
use crate::chat::text::count;
use crate::domain::checklist::facts::Fact;
use crate::sekoia::Permission;

/// Permissions without which some step cannot be read, by the name or title that Sekoia gives them.
pub const READS: [&str; 7] = [
    "Read community licenses",
    "COMMUNITY_READ_ROLE",
    "COMMUNITY_LIST_MEMBER",
    "COMMUNITY_READ_APIKEY",
    "View intakes",
    "View alerts",
    "View playbooks",
];

/// Permissions without which something is left to be done by hand.
pub const WRITES: [&str; 4] =
    ["COMMUNITY_MANAGE_SUB_COMMUNITIES", "COMMUNITY_WRITE_ROLE", "COMMUNITY_ADD_MEMBER", "COMMUNITY_WRITE_APIKEY"];

/// Of [`READS`], what the key lacks. Sekoia documents titles for some and names for others, so
/// each is looked for in both.
pub fn lacking(permissions: &[Permission]) -> Vec<&'static str> {
    READS.into_iter().filter(|wanted| !permissions.iter().any(|p| p.is(wanted))).collect()
}

/// `admins_without_mfa`: none if the key may not list members.
pub fn check(permissions: &[Permission], admins_without_mfa: Option<usize>) -> Finding {
    let lacking = lacking(permissions);
    let summary = format!("the key is valid and has {}", count(permissions.len(), "permission", "permissions"));
    let mut missing = Vec::new();
    if !lacking.is_empty() {
        missing.push(format!("permissions of the bot's key: {}", lacking.join(", ")));
    }
    match admins_without_mfa {
        Some(0) => {}
        Some(admins) => missing.push(format!("MFA for {}; \"users\" shows whom", count(admins, "Admin", "Admins"))),
        None => missing.push("a look at the Admins' MFA: the key may not list members".into()),
    }
    if missing.is_empty() {
        let by_hand: Vec<&str> =
            WRITES.into_iter().filter(|wanted| !permissions.iter().any(|p| p.is(wanted))).collect();
        let exceptions = match by_hand.as_slice() {
            [] => vec![],
            some => vec![format!("without {}: what needs them is done by hand", some.join(", "))],
        };
        let facts = by_hand.iter().map(|wanted| Fact::Sign {
            id: (*wanted).into(),
            says: format!("the bot's key is without {wanted}").into(),
        });
        Finding::confirmed(format!("{summary}; every Admin has MFA on"), exceptions, facts.collect())
    } else {
        Finding::Wanting { summary, missing }
    }
}
