//! Who has to agree to what: three variables, and a table for each kind of action.

use std::time::Duration;

use super::reminders;
use super::similar::nearest;
use super::source::{Source, VARIABLES, flat};
use crate::domain::access::Principal;
use crate::domain::action::Kind;
use crate::domain::approval::remind::When;
use crate::domain::approval::{Notify, Policy, Reveal, Rule};

const REQUIRED: &str = "CHATOPS_APPROVALS_REQUIRED";
const SELF_APPROVAL: &str = "CHATOPS_SELF_APPROVAL";
const TTL: &str = "CHATOPS_APPROVAL_TTL";

/// Of one kind of action.
const SETTINGS: [&str; 12] = [
    "required",
    "required_sensitive",
    "self_approval",
    "ttl",
    "approvers",
    "requesters",
    "notify",
    "remind",
    "second_factor",
    "reveal",
    "escalate_after",
    "escalate_to",
];
/// Of all kinds: they stand in `[approval]` itself.
const OF_ALL: [&str; 6] = ["notify", "remind", "second_factor", "reveal", "escalate_after", "escalate_to"];
/// The actions that make a secret.
const SECRET: [Kind; 2] = [Kind::KeyCreate, Kind::KeyRotate];
/// Most approvals that may be asked for.
const MOST: u8 = 20;

pub(super) fn read(source: &mut Source) -> Option<Policy> {
    let required = source.parse(REQUIRED, "1", number);
    let self_approval = source.parse(SELF_APPROVAL, "false", yes_or_no);
    let ttl = source.parse(TTL, "24h", duration);
    let working = reminders::read(source);
    let usual = Rule { required: required?, self_approval: self_approval?, ttl: ttl?, ..Rule::default() };
    let mut policy = Policy { usual, per: std::collections::BTreeMap::new(), working };
    let mut approval = std::mem::take(&mut source.approval);
    for setting in OF_ALL {
        if let Some(value) = approval.remove(setting)
            && let Err(fault) = set(&mut policy.usual, setting, &value)
        {
            source.faults.add(&format!("[approval] {setting}"), fault);
        }
    }
    check(&policy.usual, "[approval]", source);
    for (name, value) in approval {
        let place = format!("[approval.{name}]");
        let (Some(kind), toml::Value::Table(settings)) = (kind(&name), value) else {
            let known = Kind::ALL.map(Kind::name).join(", ");
            let meant = nearest(&name, Kind::ALL.into_iter().map(Kind::name)).filter(|near| *near != name);
            let meant = meant.map_or(String::new(), |near| format!("; did you mean [approval.{near}]?"));
            source.faults.add(&place, format!("is not a table of an action; the actions are {known}{meant}"));
            continue;
        };
        let mut rule = policy.usual.clone();
        for (setting, value) in settings {
            if setting == "reveal" && !SECRET.contains(&kind) {
                let only = "is for key_create and key_rotate alone: no other action makes a secret";
                source.faults.add(&format!("{place} reveal"), only);
                continue;
            }
            if let Err(fault) = set(&mut rule, &setting, &value) {
                source.faults.add(&format!("{place} {setting}"), fault);
            }
        }
        // What is wrong with all kinds was said.
        if (rule.escalate_after, &rule.escalate_to, rule.ttl) != as_usual(&policy.usual) {
            check(&rule, &place, source);
        }
        policy.per.insert(kind, rule);
    }
    Some(policy)
}

fn as_usual(usual: &Rule) -> (Option<Duration>, &Vec<Principal>, Duration) {
    (usual.escalate_after, &usual.escalate_to, usual.ttl)
}

/// What is wrong with settings that have to fit each other.
fn check(rule: &Rule, place: &str, source: &mut Source) {
    let shown = |time| humantime::format_duration(time).to_string();
    match (rule.escalate_after, rule.escalate_to.is_empty()) {
        (Some(_), true) => {
            let fault = "has no escalate_to; name the people or groups who may decide from then on, or remove it";
            source.faults.add(&format!("{place} escalate_after"), fault);
        }
        (None, false) => {
            let fault = "has no escalate_after; give the time after which they may decide, such as 4h, or remove it";
            source.faults.add(&format!("{place} escalate_to"), fault);
        }
        (Some(after), false) if after >= rule.ttl => {
            let (after, ttl) = (shown(after), shown(rule.ttl));
            let fault = format!("{after} is not shorter than the time that a request waits, {ttl} (ttl)");
            source.faults.add(&format!("{place} escalate_after"), fault);
        }
        _ => {}
    }
}

fn set(rule: &mut Rule, setting: &str, value: &toml::Value) -> Result<(), String> {
    let text = flat(value).ok_or("is not a text, a number, or a list of texts")?;
    match setting {
        "required" => rule.required = number(&text)?,
        "required_sensitive" => rule.required_sensitive = number(&text)?,
        "self_approval" => rule.self_approval = yes_or_no(&text)?,
        "ttl" => rule.ttl = duration(&text)?,
        "approvers" => {
            let nobody = "names nobody: then nobody could approve it; leave it out for CHATOPS_APPROVERS";
            rule.approvers = Some(principals(&text, nobody)?);
        }
        "requesters" => {
            let nobody = "names nobody: then nobody could ask for it; leave it out for the operators";
            rule.requesters = Some(principals(&text, nobody)?);
        }
        "notify" => {
            let meant = Notify::ALL.into_iter().find(|notify| notify.name() == text);
            rule.notify =
                meant.ok_or_else(|| format!("{text:?} is none of {}", Notify::ALL.map(Notify::name).join(", ")))?;
        }
        "remind" => rule.remind = moments(&text)?,
        "second_factor" => rule.second_factor = yes_or_no(&text)?,
        "reveal" => {
            let meant = Reveal::ALL.into_iter().find(|reveal| reveal.name() == text);
            rule.reveal = meant.ok_or_else(|| format!("{text:?} is neither chat nor page"))?;
        }
        // For one kind, where all others are escalated. An `escalate_to` beside it is a fault.
        "escalate_after" if text == "never" => (rule.escalate_after, rule.escalate_to) = (None, Vec::new()),
        "escalate_after" => rule.escalate_after = Some(duration(&text)?),
        "escalate_to" => {
            let nobody = "names no one; name people or groups, or remove it together with escalate_after";
            rule.escalate_to = principals(&text, nobody)?;
        }
        _ if VARIABLES.iter().any(|v| v.name.eq_ignore_ascii_case(setting)) => {
            return Err("is not a setting of an action: it belongs above the first [table] of the file".into());
        }
        _ => {
            let meant = nearest(setting, SETTINGS.into_iter());
            let meant = meant.map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(format!(
                "is unknown; give required, required_sensitive, self_approval, ttl, approvers, requesters, notify, remind, second_factor, reveal, escalate_after or escalate_to{meant}"
            ));
        }
    }
    Ok(())
}

/// When to remind: the usual, never, or a list.
fn moments(text: &str) -> Result<Vec<When>, String> {
    let one = |entry: &str| match (entry, duration(entry)) {
        ("half", _) => Ok(When::Half),
        (_, Ok(before)) => Ok(When::Before(before)),
        (_, Err(_)) => {
            Err(format!("{entry:?} is neither half nor a time before the end, such as 1h; or give true or false"))
        }
    };
    match text {
        "true" => Ok(When::USUAL.to_vec()),
        "false" => Ok(Vec::new()),
        _ => text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(one).collect(),
    }
}

/// People and groups, at least one.
fn principals(text: &str, nobody: &str) -> Result<Vec<Principal>, String> {
    let entries = text.split(',').map(str::trim).filter(|e| !e.is_empty());
    let all = entries.map(str::parse).collect::<Result<Vec<Principal>, String>>()?;
    if all.is_empty() { Err(nobody.into()) } else { Ok(all) }
}

fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

fn number(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(n) if (1..=MOST).contains(&n) => Ok(n),
        _ => Err(format!("{text:?} is not a number from 1 to {MOST}")),
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{text:?} is not true or false")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let expected = "give one such as 30m, 24h or 7d, from 1m to 30d";
    match humantime::parse_duration(text) {
        Ok(d) if (Duration::from_mins(1)..=Duration::from_hours(30 * 24)).contains(&d) => Ok(d),
        _ => Err(format!("{text:?} is not such a time; {expected}")),
    }
}
