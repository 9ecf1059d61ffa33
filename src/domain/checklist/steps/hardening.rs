//! After the seven steps: what keeps a stolen password small.

use super::Finding;
use crate::chat::text::count;
use crate::domain::checklist::facts::Fact;
use crate::sekoia::{Avatar, Community};

/// `members`: none if the key may not list them.
pub fn check(community: &Community, members: Option<&[Avatar]>) -> Finding {
    let mut parts = Vec::new();
    let mut weak: Vec<(&str, String)> = Vec::new();
    match community.is_mfa_enforced {
        Some(true) => parts.push("MFA is enforced".to_owned()),
        Some(false) => weak.push(("mfa", "MFA is not enforced".into())),
        None => parts.push("Sekoia does not say whether MFA is enforced".into()),
    }
    parts.push(match community.session_timeout {
        Some(minutes) => format!("sessions end after {}", duration(minutes)),
        None => "sessions end after Sekoia's default of a month".into(),
    });
    match community.disable_inactive_avatars {
        Some(true) => parts.push("inactive accounts are disabled after 90 days".into()),
        Some(false) => weak.push(("inactive", "inactive accounts stay enabled".into())),
        None => parts.push("Sekoia does not say what becomes of inactive accounts".into()),
    }
    if let Some(members) = members {
        let active: Vec<&Avatar> = members.iter().filter(|m| m.is_active()).collect();
        let local = active.iter().filter(|m| !m.is_single_sign_on()).count();
        parts.push(match local {
            0 => "everybody logs in by single sign-on".into(),
            local => format!("{local} of {} without single sign-on", count(active.len(), "member", "members")),
        });
    }
    let facts = weak.iter().map(|(id, says)| Fact::Sign { id: (*id).into(), says: says.as_str().into() }).collect();
    Finding::confirmed(parts.join(", "), weak.into_iter().map(|(_, says)| says).collect(), facts)
}

/// Minutes as people say them.
pub fn duration(minutes: u32) -> String {
    match minutes {
        m if m % 1_440 == 0 && m > 0 => count((m / 1_440) as usize, "day", "days"),
        m if m % 60 == 0 && m > 0 => count((m / 60) as usize, "hour", "hours"),
        m => count(m as usize, "minute", "minutes"),
    }
}
