//! Whether there are as many people as every policy needs: active, full members of the team. A platform at
//! a time, because a request is decided where it was asked for.

use std::collections::BTreeMap;

use super::messages::some;
use super::{Doctor, title};
use crate::chat::diagnosis::{Check, Verdict, harmless};
use crate::chat::text::count;
use crate::chat::{ChatError, ChatPlatform, UserId};
use crate::domain::access::{APPROVERS, Denial, OPERATORS, Principal, Unread, refuse_outsiders};
use crate::domain::action::Kind;
use crate::domain::approval::{self, Rule};

/// More than any rule wants: large groups are not looked through.
const ENOUGH: usize = 30;
/// Named in one check.
const NAMED: usize = 4;

/// Whom a setting names, on one platform.
#[derive(Default)]
struct Resolved {
    able: Vec<UserId>,
    /// Named by id, and without rights.
    unable: Vec<String>,
    /// Members of a group without rights.
    left_out: usize,
    unread: Vec<Unread>,
    /// Of whom the platform says that they do not exist.
    unknown: Vec<String>,
}

pub async fn examine(doctor: &Doctor<'_>, chat: &dyn ChatPlatform) -> Vec<Check> {
    let Some(policy) = doctor.approval else { return Vec::new() };
    let access = doctor.access;
    let (place, id) = (title(chat.name()), chat.name());
    if let Err(error) = chat.check().await {
        let found = format!("Not examined: {}.", harmless(&error.to_string()));
        let advice = format!("Correct what is said of {place} first.");
        return vec![Check::warn(format!("{id}.people"), format!("{place}: people"), &found, &advice)];
    }
    let mut checks = Vec::new();
    let usual = resolve(&access.approvers, APPROVERS, chat).await;
    let operators = match access.operators.as_slice() {
        [] => None,
        operators => Some(resolve(operators, OPERATORS, chat).await),
    };
    let who_asks = operators.as_ref().map_or(&usual.able, |operators| &operators.able);
    checks.push(operate(chat, who_asks, operators.as_ref().unwrap_or(&usual), access.operators.is_empty()));
    let (mut own, mut asking, mut further) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for kind in Kind::ALL {
        if let Some(requesters) = policy.rule(kind).requesters.as_deref() {
            let setting = format!("requesters in [approval.{}]", kind.name());
            let resolved = resolve(requesters, &setting, chat).await;
            checks.extend(nobody_asks(chat.name(), kind, &setting, &resolved));
            asking.insert(kind, resolved);
        }
        if let Some(approvers) = policy.rule(kind).approvers.as_deref() {
            let setting = format!("approvers in [approval.{}]", kind.name());
            own.insert(kind, resolve(approvers, &setting, chat).await);
        }
        let to = &policy.rule(kind).escalate_to;
        if !to.is_empty() {
            let setting = format!("escalate_to in [approval.{}]", kind.name());
            let usual = *to == policy.usual.escalate_to;
            let setting = if usual { "escalate_to in [approval]".into() } else { setting };
            further.insert(kind, resolve(to, &setting, chat).await);
        }
    }
    checks.extend(nobody_more(chat.name(), &further));
    for (kinds, rule) in alike(policy) {
        let approvers = kinds.first().and_then(|kind| own.get(kind)).unwrap_or(&usual);
        let names: Vec<String> = kinds.iter().map(|kind| format!("`{}`", kind.name())).collect();
        let all = kinds.len() == Kind::ALL.len();
        let subject = format!("{place}: {}", if all { "approvers" } else { "approvers of some" });
        let id = match kinds.first() {
            Some(kind) if !all => format!("{id}.approvers.{}", kind.name()),
            _ => format!("{id}.approvers"),
        };
        let about = if all { String::new() } else { format!("For {}: ", some(&names, Kind::ALL.len())) };
        let requesters = kinds.first().and_then(|kind| asking.get(kind)).map_or(who_asks, |those| &those.able);
        let further = kinds.first().and_then(|kind| further.get(kind));
        let check = enough((id, subject), &about, approvers, requesters, rule, &kinds);
        checks.push(further.map_or_else(|| check.clone(), |further| once_escalated(&check, approvers, further, rule)));
    }
    let resolved =
        [&usual].into_iter().chain(&operators).chain(own.values()).chain(asking.values()).chain(further.values());
    checks.extend(without_rights(chat, resolved));
    checks
}

/// Kinds of action that the same rule counts for, in the order of the settings.
fn alike(policy: &approval::Policy) -> Vec<(Vec<Kind>, &Rule)> {
    let mut groups: Vec<(Vec<Kind>, &Rule)> = Vec::new();
    for kind in Kind::ALL {
        let rule = policy.rule(kind);
        match groups.iter_mut().find(|(_, known)| *known == rule) {
            Some((kinds, _)) => kinds.push(kind),
            None => groups.push((vec![kind], rule)),
        }
    }
    groups
}

/// Whether requests of this kind may need more approvals than usual.
fn may_be_sensitive(kind: Kind) -> bool {
    matches!(kind, Kind::Invite | Kind::KeyCreate | Kind::KeyRotate | Kind::Plan)
}

fn operate(chat: &dyn ChatPlatform, able: &[UserId], of: &Resolved, are_approvers: bool) -> Check {
    let (id, subject) = (format!("{}.operators", chat.name()), format!("{}: operators", title(chat.name())));
    let setting = if are_approvers { APPROVERS } else { OPERATORS };
    if able.is_empty() {
        let found =
            format!("Nobody may set up a channel or ask for anything: {setting} names nobody who can{}.", left(of));
        return Check::fail(id, subject, &found, &name_people(OPERATORS));
    }
    let who = if are_approvers { " (the approvers)" } else { "" };
    Check::pass(id, subject, &format!("{} may set up channels{who}{}.", people(able.len()), left(of)))
}

/// That the people whom a setting lets ask for an action cannot.
fn nobody_asks(chat: &str, kind: Kind, setting: &str, requesters: &Resolved) -> Option<Check> {
    requesters.able.is_empty().then(|| {
        let (id, subject) = (format!("{chat}.requesters.{}", kind.name()), format!("{}: requesters", title(chat)));
        let found =
            format!("Nobody may ask for `{}`: {setting} names nobody who can{}.", kind.name(), left(requesters));
        Check::fail(id, subject, &found, &name_people(setting))
    })
}

fn enough(
    (id, subject): (String, String),
    about: &str,
    approvers: &Resolved,
    who_asks: &[UserId],
    rule: &Rule,
    kinds: &[Kind],
) -> Check {
    let able = approvers.able.len();
    let needed = usize::from(rule.required);
    let sensitive = kinds.iter().any(|kind| may_be_sensitive(*kind));
    let most = if sensitive { usize::from(rule.needed(true)) } else { needed };
    let asks = |user: &&UserId| approvers.able.contains(user);
    let some_ask = !rule.self_approval && who_asks.iter().any(|user| asks(&user));
    let all_ask = some_ask && who_asks.iter().all(|user| asks(&user));
    let others = able - usize::from(some_ask && able > 0);
    let setting = if rule.approvers.is_some() { "approvers of that [approval.…] table" } else { APPROVERS };
    let who = format!("{about}{} can approve{}", people(able), left(approvers));
    let advice = name_people(setting);
    let own = "nobody may approve their own request";
    if able == 0 {
        return Check::fail(
            id,
            subject,
            &format!(
                "{about}{} can approve anything{}.",
                if about.is_empty() { "Nobody" } else { "nobody" },
                left(approvers)
            ),
            &advice,
        );
    }
    if able < needed || (all_ask && others < needed) {
        let has_to = if needed == 1 { "has to" } else { "have to" };
        let why = if able < needed { String::new() } else { format!(": {own}, and all who can ask are approvers") };
        return Check::fail(id, subject, &format!("{who}, and {needed} {has_to}{why}."), &advice);
    }
    if others < needed {
        let found = format!("{who}, and {needed} have to. When one of them asks, too few are left: {own}.");
        return Check::warn(id, subject, &found, &advice);
    }
    if others < most {
        let count =
            if able < most { "too few".to_owned() } else { format!("too few when one of them asks, because {own}") };
        let found = format!("{who}. A key without expiry and an invitation as Admin need {most}, which is {count}.");
        return Check::warn(id, subject, &found, &advice);
    }
    let sensitive =
        if most > needed { format!(", {most} for an Admin or a key without expiry") } else { String::new() };
    Check::pass(
        id,
        subject,
        &format!("{who}; {} needed{sensitive}.", if needed == 1 { "1 is".into() } else { format!("{needed} are") }),
    )
}

/// That nobody to whom requests are escalated can decide them.
fn nobody_more(chat: &str, further: &BTreeMap<Kind, Resolved>) -> Option<Check> {
    let kinds: Vec<String> = further
        .iter()
        .filter(|(_, resolved)| resolved.able.is_empty())
        .map(|(kind, _)| format!("`{}`", kind.name()))
        .collect();
    if kinds.is_empty() {
        return None;
    }
    let found = format!("Escalating {} has no effect: escalate_to names no one who can decide.", some(&kinds, NAMED));
    let (id, subject) = (format!("{chat}.escalation"), format!("{}: escalation", title(chat)));
    Some(Check::warn(id, subject, &found, &name_people("escalate_to")))
}

/// Too few approvers may be enough when a request is escalated.
fn once_escalated(check: &Check, approvers: &Resolved, further: &Resolved, rule: &Rule) -> Check {
    let more = further.able.iter().filter(|user| !approvers.able.contains(user)).count();
    let needed = usize::from(rule.required);
    if check.verdict != Verdict::Fail || approvers.able.len() + more < needed {
        return check.clone();
    }
    let found = format!("{} With {} more once a request is escalated, there are enough.", check.found, people(more));
    Check::warn(check.id.clone(), check.subject.clone(), &found, &name_people("the approvers"))
}

fn people(n: usize) -> String {
    match n {
        ENOUGH.. => format!("At least {ENOUGH} people"),
        n => count(n, "person", "people"),
    }
}

fn name_people(setting: &str) -> String {
    format!("Add people to {setting}: active, full members. `/sekoia whoami` shows each their id. Restart the bot.")
}

/// How many members of groups do not count.
fn left(of: &Resolved) -> String {
    match of.left_out {
        0 => String::new(),
        n => format!(" ({n} in its groups cannot: left, guest or bot)"),
    }
}

/// People whom settings name and who have no rights, and what cannot be read.
fn without_rights<'r>(chat: &dyn ChatPlatform, all: impl Iterator<Item = &'r Resolved>) -> Vec<Check> {
    let (mut unable, mut unknown, mut unread) = (Vec::<String>::new(), Vec::<String>::new(), Vec::<Unread>::new());
    for resolved in all {
        unable.extend(resolved.unable.iter().cloned());
        unknown.extend(resolved.unknown.iter().cloned());
        unread.extend(resolved.unread.iter().cloned());
    }
    for names in [&mut unable, &mut unknown] {
        names.sort();
        names.dedup();
    }
    let (name, place) = (chat.name(), title(chat.name()));
    let mut checks = Vec::new();
    if !unable.is_empty() {
        checks.push(Check::warn(
            format!("{name}.people"),
            format!("{place}: people without rights"),
            &format!("{}.", some(&unable, NAMED)),
            "Take them out of the setting, or make them active, full members.",
        ));
    }
    if !unknown.is_empty() {
        checks.push(Check::fail(
            format!("{name}.unknown"),
            format!("{place}: unknown people"),
            &format!("They do not exist: {}.", some(&unknown, NAMED)),
            "Correct the ids, or take them out: the bot does not start with them.",
        ));
    }
    if let Some(first) = unread.first() {
        let more = match unread.len() - 1 {
            0 => String::new(),
            more => format!(" {more} more cannot be read either."),
        };
        let advice = match first.why {
            ChatError::Refused(_) => format!("If it was deleted, take it out of {}.", first.setting),
            ChatError::MissingScope(_) => "Give the app that scope, and install it again.".into(),
            _ => format!("Correct what is said of {place} first."),
        };
        checks.push(Check::fail(
            format!("{name}.groups"),
            format!("{place}: groups"),
            &format!("{}, so who has rights by it alone has none.{more}", harmless(&first.to_string())),
            &advice,
        ));
    }
    checks
}

async fn resolve(principals: &[Principal], setting: &str, chat: &dyn ChatPlatform) -> Resolved {
    let mut resolved = Resolved::default();
    let here = || principals.iter().filter(|principal| principal.is_on(chat.name()));
    let team = match chat.team().await {
        Ok(team) => team,
        Err(why) => {
            resolved.unread.extend(here().next().map(|first| Unread::new(first, setting, why)));
            return resolved;
        }
    };
    let mut looked: Vec<UserId> = Vec::new();
    for principal in here() {
        let members = match principal.members(chat).await {
            Ok(members) => members,
            Err(why) => {
                resolved.unread.push(Unread::new(principal, setting, why));
                continue;
            }
        };
        for user in members {
            if resolved.able.len() >= ENOUGH || looked.contains(&user) {
                continue;
            }
            looked.push(user.clone());
            let why = match chat.person(&user).await.map(|person| refuse_outsiders(&person, &team, &user)) {
                Ok(Ok(())) => {
                    resolved.able.push(user);
                    continue;
                }
                Ok(Err(denial)) => called(&denial),
                Err(error) if chat.says_unknown(&error) && !principal.is_group() => {
                    resolved.unknown.push(format!("`{user}` of {setting}"));
                    continue;
                }
                Err(ChatError::Refused(_)) => "is unknown there",
                Err(why) => {
                    resolved.unread.push(Unread::new(&Principal::User(user), setting, why));
                    continue;
                }
            };
            if principal.is_group() {
                resolved.left_out += 1;
            } else {
                resolved.unable.push(format!("`{user}` of {setting} {why}"));
            }
        }
    }
    resolved
}

fn called(denial: &Denial) -> &'static str {
    match denial {
        Denial::Inactive(_) => "is deactivated",
        Denial::Bot(_) => "is a bot",
        Denial::Guest(_) => "is a guest",
        _ => "belongs to another team",
    }
}
