//! A plan as TOML that people read and change.

use std::fmt::Write as _;

use crate::chat::text::{shown, visible};
use crate::domain::plan::{ChannelPlan, Hardening, Lifetime, Part, Plan, PlannedKey, PlannedPerson, PlannedRole};

/// Items of a list in one line.
const IN_LINE: usize = 3;

/// `title`: whose plan it is. [`read`](super::read) gives the plan back; that a part is open is
/// said in a comment.
pub fn write(channel: &ChannelPlan, title: &str) -> String {
    let mut out = format!(
        "# Plan of {}.\n# A part that is left out is open: it says nothing. What is in a file counts as all of its part.\n",
        shown(title, 100)
    );
    let plan = &channel.plan;
    // Single values and empty lists have to stand before the first table.
    for part in Part::ALL {
        match top(plan, part) {
            Some(line) => {
                out.push('\n');
                comment(&mut out, channel, part);
                out.push_str(&line);
                out.push('\n');
            }
            None if plan.count(part).is_none() => {
                let _ = writeln!(out, "\n# {}: open, nobody has said what is wanted.", part.name());
            }
            None => {}
        }
    }
    for part in Part::ALL.into_iter().filter(|part| top(plan, *part).is_none() && plan.count(*part).is_some()) {
        let tables = tables(plan, part);
        for (place, table) in tables.iter().enumerate() {
            out.push('\n');
            if place == 0 {
                comment(&mut out, channel, part);
            }
            out.push_str(table);
        }
    }
    out
}

fn comment(out: &mut String, channel: &ChannelPlan, part: Part) {
    if channel.is_open(part) {
        let _ = writeln!(out, "# {}: open, nobody has said that this is all.", part.name());
    }
}

/// A part that is one line.
fn top(plan: &Plan, part: Part) -> Option<String> {
    match part {
        Part::Products => plan.products.as_ref().map(|all| format!("products = {}", list(all))),
        Part::Region => plan.region.as_ref().map(|region| format!("region = {}", quoted(region))),
        Part::Notifications | Part::Hardening => None,
        part => (plan.count(part) == Some(0)).then(|| format!("{} = []", part.name())),
    }
}

/// Its tables, each with its heading.
fn tables(plan: &Plan, part: Part) -> Vec<String> {
    match part {
        Part::Products | Part::Region => Vec::new(),
        Part::Communities => plan
            .communities
            .iter()
            .flatten()
            .map(|c| table("[communities]", [field("name", Some(&c.name)), field("about", c.about.as_deref())]))
            .collect(),
        Part::Roles => plan.roles.iter().flatten().map(role).collect(),
        Part::People => plan.people.iter().flatten().map(person).collect(),
        Part::Keys => plan.keys.iter().flatten().map(key).collect(),
        Part::Notifications => {
            let words: Vec<Box<str>> = plan.triggers.iter().flatten().map(|t| t.spec().words.into()).collect();
            vec![table("notifications", [Some(format!("triggers = {}", list(&words)))])]
        }
        Part::Hardening => plan.hardening.iter().map(hardening).collect(),
    }
}

fn role(role: &PlannedRole) -> String {
    let permissions = role.permissions.as_ref().map(|all| format!("permissions = {}", list(all)));
    table("[roles]", [field("name", Some(&role.name)), field("about", role.about.as_deref()), permissions])
}

fn person(person: &PlannedPerson) -> String {
    let communities = (!person.communities.is_empty()).then(|| format!("communities = {}", list(&person.communities)));
    table("[people]", [field("email", Some(&person.address)), field("role", Some(&person.role)), communities])
}

fn key(key: &PlannedKey) -> String {
    let expires = match key.expires {
        Lifetime::Days(days) => format!("{days}d"),
        Lifetime::On(date) => date.to_string(),
        Lifetime::Never => "never".into(),
    };
    let fields = [
        field("name", Some(&key.name)),
        field("for", key.preset.as_deref()),
        (!key.permissions.is_empty()).then(|| format!("with = {}", list(&key.permissions))),
        field("expires", Some(&expires)),
        field("owner", key.owner.as_ref().map(crate::chat::UserId::as_str)),
    ];
    table("[keys]", fields)
}

fn hardening(hardening: &Hardening) -> String {
    let switch = |name: &str, on: Option<bool>| on.map(|on| format!("{name} = {on}"));
    let timeout = |minutes: u32| match minutes {
        m if m.is_multiple_of(1_440) => format!("{}d", m / 1_440),
        m if m.is_multiple_of(60) => format!("{}h", m / 60),
        m => format!("{m}m"),
    };
    let fields = [
        switch("mfa", hardening.mfa),
        field("session_timeout", hardening.session_timeout.map(timeout).as_deref()),
        switch("inactive_accounts", hardening.inactive_accounts),
        switch("sso", hardening.sso),
    ];
    table("hardening", fields)
}

fn table<const N: usize>(heading: &str, fields: [Option<String>; N]) -> String {
    let mut out = format!("[{heading}]\n");
    for field in fields.into_iter().flatten() {
        out.push_str(&field);
        out.push('\n');
    }
    out
}

fn field(name: &str, value: Option<&str>) -> Option<String> {
    value.map(|value| format!("{name} = {}", quoted(value)))
}

fn list(items: &[Box<str>]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    if items.len() <= IN_LINE {
        return format!("[{}]", items.join(", "));
    }
    items.iter().fold("[\n".to_owned(), |list, item| list + "  " + item + ",\n") + "]"
}

/// A text in quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// A text as it stands between double quotes: what nobody sees is written by its number.
pub(in crate::domain::plan) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if visible(c.encode_utf8(&mut [0; 4])) == c.to_string() => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out
}
