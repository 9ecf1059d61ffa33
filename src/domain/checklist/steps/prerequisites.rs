//! Before step 1: who sets the workspace up is an administrator with a secured account, and the bot's
//! key is good for what is needed.

use super::Finding;
use crate::chat::text::count;
use crate::domain::action::people::normal;
use crate::domain::checklist::facts::{Fact, Member, Print};
use crate::sekoia::{Avatar, Permission};

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

/// Who says that the prerequisites are met.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// Their e-mail address, in its stored form.
    pub address: Option<Box<str>>,
    /// They said so themselves; the chat does not confirm it.
    pub typed: bool,
}

/// Of [`READS`], what the key lacks. Sekoia documents titles for some and names for others, so
/// each is looked for in both.
pub fn lacking(permissions: &[Permission]) -> Vec<&'static str> {
    READS.into_iter().filter(|wanted| !permissions.iter().any(|p| p.is(wanted))).collect()
}

/// `planned`: of [`WRITES`], what the plan needs. `members`: of the channel's community and of the
/// workspace's own; none if the key may not list them.
pub fn check(permissions: &[Permission], planned: &[&str], person: &Person, members: Option<&[Avatar]>) -> Finding {
    let lacking = lacking(permissions);
    let summary = format!("the key is valid and has {}", count(permissions.len(), "permission", "permissions"));
    let mut missing = Vec::new();
    if !lacking.is_empty() {
        missing.push(format!("permissions of the bot's key: {}", lacking.join(", ")));
    }
    let by_hand: Vec<&str> = WRITES.into_iter().filter(|wanted| !permissions.iter().any(|p| p.is(wanted))).collect();
    let (needed, unneeded): (Vec<&str>, Vec<&str>) = by_hand.iter().partition(|wanted| planned.contains(wanted));
    if !needed.is_empty() {
        missing.push(format!("permissions of the bot's key that the plan needs: {}", needed.join(", ")));
    }
    let accounts: Vec<&Avatar> = match (&person.address, members) {
        (None, _) => {
            missing.push("your account at Sekoia, as the chat does not tell your e-mail address: \"/sekoia done prerequisites as you@company.example\" says it once".into());
            Vec::new()
        }
        (Some(_), None) => {
            missing.push("a look at your account: the key may not list members".into());
            Vec::new()
        }
        (Some(address), Some(members)) => {
            let yours = members.iter().filter(|m| m.is_active() && m.email().is_some_and(|e| normal(e) == **address));
            let yours: Vec<&Avatar> = yours.collect();
            if yours.is_empty() {
                missing.push("your account: no active member has your e-mail address; \"/sekoia done prerequisites as you@company.example\" names another one".into());
            } else if !yours.iter().any(|account| account.has_role("Admin")) {
                missing.push("administrator access: your account does not have the role Admin".into());
            } else if yours.iter().all(|account| account.lacks_mfa()) {
                missing.push("MFA on your own account: see \"Secure your account\" below".into());
            }
            yours
        }
    };
    if !missing.is_empty() {
        return Finding::Wanting { summary, missing };
    }
    let mut exceptions = Vec::new();
    if !unneeded.is_empty() {
        exceptions.push(format!("without {}: what needs them is done by hand", unneeded.join(", ")));
    }
    if person.typed {
        exceptions.push("the e-mail address was typed; the chat does not confirm whose it is".into());
    }
    let mut facts: Vec<Fact> = by_hand
        .iter()
        .map(|wanted| Fact::Sign { id: (*wanted).into(), says: format!("the bot's key is without {wanted}").into() })
        .collect();
    facts.extend(accounts.iter().map(|account| {
        let roles = account.roles.iter().filter_map(|r| r.uuid.as_deref().or(r.name.as_deref()));
        Fact::Member(Member {
            id: Print::of(&account.uuid),
            name: account.display_name().into(),
            active: true,
            roles: Print::of_all(roles),
            admin: account.has_role("Admin"),
            no_mfa: account.lacks_mfa(),
        })
    }));
    Finding::confirmed(format!("{summary}; who says so is an Admin with MFA or single sign-on"), exceptions, facts)
}
