//! What became worse between two readings of a step.
//!
//! Facts are compared by their fields, never by sentences: a check may be worded anew. What gets
//! better is reported to no one.

use std::collections::HashMap;

use super::facts::{Ended, Fact, Key, Member, Near};
use crate::chat::text::{count, shown};
use crate::chat::view::day;

/// Something that is worse than it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regression {
    named: String,
    /// People and keys, which not everybody may know by name, are counted: one, and many.
    counted: Option<(&'static str, &'static str)>,
}

/// Changes that are listed one by one.
const TOLD: usize = 5;
/// Characters of a name.
const NAME: usize = 60;

/// What became worse since.
pub fn regressions<'a>(
    before: impl IntoIterator<Item = &'a Fact>,
    now: impl IntoIterator<Item = &'a Fact>,
) -> Vec<Regression> {
    let mut known: HashMap<_, &Fact> = before.into_iter().filter_map(|fact| Some((fact.key()?, fact))).collect();
    let mut changes = Vec::new();
    for fact in now {
        let was = fact.key().and_then(|key| known.remove(&key));
        changes.extend(became(was, fact));
    }
    let mut gone: Vec<Regression> = known.into_values().filter_map(vanished).collect();
    gone.sort_by(|a, b| a.named.cmp(&b.named));
    changes.extend(gone);
    changes
}

/// For whoever has the step in hand: with the names.
pub fn owner_text(changes: &[Regression]) -> String {
    sentence(changes.iter().map(|change| change.named.clone()).collect())
}

/// For everybody: people and keys are counted.
pub fn public_text(changes: &[Regression]) -> String {
    let mut lines = Vec::new();
    let mut counted: Vec<((&str, &str), usize)> = Vec::new();
    for change in changes {
        match change.counted {
            None => lines.push(change.named.clone()),
            Some(words) => match counted.iter_mut().find(|(other, _)| *other == words) {
                Some((_, n)) => *n += 1,
                None => counted.push((words, 1)),
            },
        }
    }
    let mut all: Vec<String> = counted.into_iter().map(|((one, many), n)| count(n, one, many)).collect();
    all.extend(lines);
    sentence(all)
}

fn sentence(mut lines: Vec<String>) -> String {
    let more = lines.len().saturating_sub(TOLD);
    if more > 0 {
        lines.truncate(TOLD);
        lines.push(format!("and {}", count(more, "more change", "more changes")));
    }
    lines.join("; ")
}

fn named(text: String) -> Regression {
    Regression { named: text, counted: None }
}

fn counted(named: String, one: &'static str, many: &'static str) -> Regression {
    Regression { named, counted: Some((one, many)) }
}

fn name(name: &str) -> String {
    shown(name, NAME)
}

/// What is still listed.
fn became(was: Option<&Fact>, now: &Fact) -> Vec<Regression> {
    let one = match (was, now) {
        (Some(Fact::Role { may: before, .. }), Fact::Role { name: n, may, .. }) if before != may => {
            named(format!("the role {} can do other things than before", name(n)))
        }
        (was, Fact::Member(now)) => {
            let was = if let Some(Fact::Member(was)) = was { Some(was) } else { None };
            return member(was, now);
        }
        (was, Fact::Key(now)) => {
            let was = if let Some(Fact::Key(was)) = was { Some(was) } else { None };
            return key(was, now).into_iter().collect();
        }
        (was, Fact::Licence { name: n, end: Some(end), near, .. }) => {
            // One that was renewed since is not the one that was accepted.
            let accepted = match was {
                Some(Fact::Licence { end: before, near, .. }) if *before == Some(*end) => *near,
                _ => Near::Far,
            };
            if *near <= accepted {
                return Vec::new();
            }
            named(format!("{} ends on {}", name(n), day(*end)))
        }
        (Some(Fact::Community { no_mfa: false, .. }), Fact::Community { name: n, no_mfa: true, .. }) => {
            named(format!("MFA is no longer enforced in {}", name(n)))
        }
        (Some(Fact::Intake { quiet: None, .. }), Fact::Intake { name: n, quiet: Some(quiet), .. }) => {
            named(format!("{} {quiet}", name(n)))
        }
        (None, Fact::Sign { says, .. }) => named(says.to_string()),
        _ => return Vec::new(),
    };
    vec![one]
}

fn member(was: Option<&Member>, now: &Member) -> Vec<Regression> {
    let who = name(&now.name);
    let mut changes = Vec::new();
    if let Some(was) = was {
        if was.active && !now.active {
            return vec![counted(
                format!("{who} was deactivated"),
                "member was deactivated",
                "members were deactivated",
            )];
        }
        if now.active && was.roles != now.roles {
            let (one, many) = ("member has other roles than before", "members have other roles than before");
            changes.push(counted(format!("{who} has other roles than before"), one, many));
        }
        if now.active && !now.admin && now.no_mfa && !was.no_mfa {
            let (one, many) = ("member has no MFA any more", "members have no MFA any more");
            changes.push(counted(format!("{who} has no MFA any more"), one, many));
        }
    }
    // Whoever they are and whenever they came.
    if now.is_exposed() && !was.is_some_and(Member::is_exposed) {
        changes.push(counted(format!("{who} is an Admin without MFA"), "Admin without MFA", "Admins without MFA"));
    }
    changes
}

fn key(was: Option<&Key>, now: &Key) -> Option<Regression> {
    let which = name(&now.name);
    match now.ended {
        None if now.near && !was.is_some_and(|was| was.near) => {
            let when = now.expires.map_or_else(|| "soon".into(), |at| format!("on {}", day(at)));
            Some(counted(format!("the key {which} expires {when}"), "key expires soon", "keys expire soon"))
        }
        None => None,
        Some(_) if was.is_none() => None,
        Some(Ended::Revoked) => {
            Some(counted(format!("the key {which} was revoked"), "key was revoked", "keys were revoked"))
        }
        Some(Ended::Expired) => {
            Some(counted(format!("the key {which} has expired"), "key has expired", "keys have expired"))
        }
    }
}

/// What is not listed any more.
fn vanished(was: &Fact) -> Option<Regression> {
    Some(match was {
        Fact::Role { name: n, .. } => named(format!("the role {} is gone", name(n))),
        Fact::Member(was) => {
            let (one, many) = ("member is gone", "members are gone");
            counted(format!("{} is no longer a member", name(&was.name)), one, many)
        }
        Fact::Key(was) => counted(format!("the key {} is gone", name(&was.name)), "key is gone", "keys are gone"),
        Fact::Licence { name: n, .. } => named(format!("{} is no longer active", name(n))),
        Fact::Community { name: n, .. } => named(format!("the community {} is gone", name(n))),
        Fact::Intake { name: n, .. } => named(format!("the intake {} is gone", name(n))),
        Fact::Held { gone, .. } => named(gone.to_string()),
        Fact::Sign { .. } | Fact::Unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::checklist::facts::{MOST, Print, kept};

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).unwrap()
    }

    fn member(id: &str, roles: &str, no_mfa: bool) -> Fact {
        let (id, roles, admin) = (Print::of(id), Print::of(roles), roles == "Admin");
        Fact::Member(Member { id, name: "Bob Martin".into(), active: true, roles, admin, no_mfa })
    }

    fn key(name: &str, ended: Option<Ended>, near: bool) -> Fact {
        Fact::Key(Key { id: Print::of(name), name: name.into(), ended, expires: Some(at(30)), near })
    }

    fn licence(end: i64, near: Near) -> Fact {
        Fact::Licence { id: Print::of("1"), name: "Defend".into(), end: Some(at(end)), near }
    }

    fn said(before: &[Fact], now: &[Fact]) -> String {
        owner_text(&regressions(before, now))
    }

    #[test]
    fn what_gets_better_or_stays_is_no_change() {
        let before = [member("1", "Admin", true), key("a", None, true), licence(30, Near::Soon)];
        assert_eq!(said(&before, &before), "");
        let now = [
            member("1", "Admin", false),
            member("2", "Guest", true),
            key("a", None, true),
            key("b", None, false),
            licence(400, Near::Far),
        ];
        assert_eq!(said(&before, &now), "");
        assert_eq!(said(&[], &[member("1", "Guest", true), key("b", None, false)]), "");
    }

    #[test]
    fn opposite_changes_do_not_cancel() {
        let (bob, eve) = (member("1", "Guest", false), member("2", "Guest", false));
        assert_eq!(said(&[bob], &[eve]), "Bob Martin is no longer a member");
        let now = [key("a", Some(Ended::Revoked), false), key("b", None, true)];
        let changes = regressions(&[key("a", None, false)], &now);
        assert_eq!(owner_text(&changes), "the key a was revoked; the key b expires on 1970-01-31");
        assert_eq!(public_text(&changes), "1 key was revoked; 1 key expires soon");
    }

    #[test]
    fn an_admin_without_mfa_is_told_whenever_they_came() {
        assert_eq!(said(&[], &[member("1", "Admin", true)]), "Bob Martin is an Admin without MFA");
        let promoted = said(&[member("1", "Guest", true)], &[member("1", "Admin", true)]);
        assert_eq!(promoted, "Bob Martin has other roles than before; Bob Martin is an Admin without MFA");
    }

    #[test]
    fn a_licence_that_was_renewed_nears_its_end_anew() {
        assert_eq!(said(&[licence(30, Near::Soon)], &[licence(30, Near::VerySoon)]), "Defend ends on 1970-01-31");
        assert_eq!(said(&[licence(30, Near::Soon)], &[licence(395, Near::Soon)]), "Defend ends on 1971-01-31");
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_a_newer_release_knows_is_passed_over() {
        let mut many: Vec<Fact> = (0..2_000).map(|n| member(&n.to_string(), "Guest", false)).collect();
        many.push(Fact::Sign { id: "no_admin".into(), says: "nobody".into() });
        many.push(key("gone", Some(Ended::Expired), false));
        let kept = kept(many.clone());
        assert_eq!(kept.len(), MOST);
        assert_eq!(regressions(&*kept, &many), []);
        let unknown: Fact = serde_json::from_str(r#"{"fact":"weather","id":"1"}"#).unwrap();
        assert_eq!(regressions([&unknown], &[]), []);
    }
}
