//! Settings that make accounts harder to take over.

use super::{Line, Mark};
use crate::chat::text::count;
use crate::domain::checklist::steps::hardening::duration;
use crate::domain::plan::{Hardening, Part};
use crate::sekoia::{Avatar, Community};

/// What Sekoia takes where no time is set: a month, the longest there is.
const DEFAULT_SESSION: u32 = 31 * 1_440;

/// `members`: of the community; none if the key may not list them.
pub fn hardening(planned: Hardening, community: &Community, members: Option<&[Avatar]>) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(wanted) = planned.mfa {
        let is = |on| if on { "MFA is enforced" } else { "MFA is not enforced" };
        lines.push(switch(Hardening::MFA, wanted, community.is_mfa_enforced, is));
    }
    if let Some(most) = planned.session_timeout {
        let line = |mark| Line::new(mark, Part::Hardening, Hardening::SESSION_TIMEOUT);
        let (now, says) = match community.session_timeout {
            Some(minutes) => (minutes, format!("sessions end after {}", duration(minutes))),
            None => (DEFAULT_SESSION, "sessions end after Sekoia's default of a month".into()),
        };
        lines.push(if now <= most {
            line(Mark::There).because(says)
        } else {
            line(Mark::Change).because(format!("{says}, planned after at most {}", duration(most)))
        });
    }
    if let Some(wanted) = planned.inactive_accounts {
        let is =
            |on| if on { "inactive accounts are disabled after 90 days" } else { "inactive accounts stay enabled" };
        lines.push(switch(Hardening::INACTIVE_ACCOUNTS, wanted, community.disable_inactive_avatars, is));
    }
    lines.extend(planned.sso.map(|wanted| single_sign_on(wanted, members)));
    lines
}

fn switch(name: &str, wanted: bool, now: Option<bool>, is: impl Fn(bool) -> &'static str) -> Line {
    let line = |mark| Line::new(mark, Part::Hardening, name);
    match now {
        None => line(Mark::Waiting).because("Sekoia does not say"),
        Some(now) if now == wanted => line(Mark::There).because(is(now)),
        Some(now) => line(Mark::Change).because(is(now)),
    }
}

fn single_sign_on(wanted: bool, members: Option<&[Avatar]>) -> Line {
    let line = |mark| Line::new(mark, Part::Hardening, Hardening::SSO);
    let Some(members) = members else { return line(Mark::Waiting).because("the bot's key may not list the members") };
    let active = members.iter().filter(|member| member.is_active());
    let (sso, local): (Vec<&Avatar>, Vec<&Avatar>) = active.partition(|member| member.is_single_sign_on());
    let all = sso.len() + local.len();
    if all == 0 {
        return line(Mark::Waiting).because("nobody is a member yet");
    }
    let says = match local.len() {
        0 => "everybody logs in by single sign-on".to_owned(),
        local => format!("{local} of {} without single sign-on", count(all, "member", "members")),
    };
    line(if local.is_empty() == wanted { Mark::There } else { Mark::Change }).because(says)
}
