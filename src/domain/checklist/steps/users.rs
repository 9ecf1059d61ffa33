//! Step 5: who is in, who was invited, who has no MFA.
//!
//! Evidence is for every viewer, people's names are for operators: it counts and names nobody.

use super::Finding;
use crate::chat::text::count;
use crate::domain::checklist::facts::{Fact, Member, Print};
use crate::sekoia::Avatar;

/// How many active Admins have no MFA.
pub fn admins_without_mfa(members: &[Avatar]) -> usize {
    members.iter().filter(|m| m.is_active() && m.has_role("Admin") && m.lacks_mfa()).count()
}

/// `planned`: a plan says who is needed, so that one may be enough.
pub fn check(members: &[Avatar], planned: bool) -> Finding {
    let active = members.iter().filter(|m| m.is_active()).count();
    let pending = members.iter().filter(|m| m.is_pending()).count();
    let summary = format!(
        "{}, {}",
        count(active, "active member", "active members"),
        count(pending, "pending invitation", "pending invitations")
    );
    if active < 2 && !planned {
        return Finding::wanting(summary, "colleagues: nobody but the first administrator is in".into());
    }
    let mut exceptions = Vec::new();
    let admins = admins_without_mfa(members);
    if admins > 0 {
        exceptions.push(format!("{} without MFA", count(admins, "Admin", "Admins")));
    }
    let others = members.iter().filter(|m| m.is_active() && m.lacks_mfa()).count() - admins;
    if others > 0 {
        exceptions.push(format!("{} without MFA", count(others, "other member", "other members")));
    }
    if pending > 0 {
        exceptions.push(format!(
            "{} still to be accepted: the link is good for 24 hours",
            count(pending, "invitation", "invitations")
        ));
    }
    Finding::confirmed(summary, exceptions, members.iter().filter(|m| !m.is_pending()).map(fact).collect())
}

fn fact(member: &Avatar) -> Fact {
    let roles = member.roles.iter().filter_map(|r| r.uuid.as_deref().or(r.name.as_deref()));
    Fact::Member(Member {
        id: Print::of(&member.uuid),
        name: member.display_name().into(),
        active: member.is_active(),
        roles: Print::of_all(roles),
        admin: member.has_role("Admin"),
        no_mfa: member.lacks_mfa(),
    })
}
