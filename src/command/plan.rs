//! The words of plans: what follows `plan`.
//!
//! A line of a plan's form reads like what is typed: `Night shift with View alerts` is a role.

use std::collections::BTreeMap;

use super::args::{Args, is, list, text};
use super::asking::expiry;
use super::lexer::{Word, lex};
use super::spec::Spec;
use super::{Command, Fault};
use crate::chat::text::fold;
use crate::domain::action::{Expiry, PRESETS, people};
use crate::domain::notify::{TRIGGERS, Trigger};
use crate::domain::plan::{Hardening, Lifetime, Part, Plan, PlannedCommunity, PlannedKey, PlannedPerson, PlannedRole};
use crate::sekoia::Region;

type Parsed = Result<Command, Fault>;

/// What somebody wants of the channel's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanWish {
    /// All of it, in short.
    Show,
    /// One part, beside what Sekoia has.
    Part {
        part: Part,
        page: usize,
    },
    /// What Sekoia has now is the plan, and all of it; `print`: of what somebody looked at.
    Current {
        part: Part,
        print: Option<String>,
    },
    /// What is planned of the part is all of it.
    Complete {
        part: Part,
    },
    /// This is the part, and all of it.
    Set {
        part: Part,
        plan: Box<Plan>,
    },
    /// These as well.
    Add {
        part: Part,
        plan: Box<Plan>,
    },
    /// Opens the form of a part.
    Edit {
        part: Part,
    },
    Drop {
        part: Part,
        name: Option<String>,
    },
    Export,
    Import(Source),
    /// Checks every step against the plan, and ticks those that match.
    Verify,
}

/// Where a plan is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A form asks for it.
    Form,
    Text(String),
    /// The name of a file that the requester attached to a message.
    File(String),
    Template {
        name: String,
        parameters: BTreeMap<String, String>,
    },
}

/// The field of a part's form, and those of a plan to be read.
pub const ENTRIES: &str = "entries";
pub const PLAN_FILE: &str = "file";
pub const PLAN_TEXT: &str = "text";

const CURRENT: &str = "current";
const COMPLETE: &str = "complete";
const EDIT: &str = "edit";

/// `plan`, `plan <step>`.
pub(super) fn plan(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let Some(word) = args.next() else { return Ok(Command::Plan(PlanWish::Show)) };
    let part = part(args, &word)?;
    Ok(Command::Plan(PlanWish::Part { part, page: args.page()? }))
}

fn part(args: &Args<'_>, word: &Word) -> Result<Part, Fault> {
    Part::find(word.text()).ok_or_else(|| {
        let names: Vec<&str> = Part::ALL.into_iter().map(Part::name).collect();
        args.bad(word.text(), "a part of the plan", format!("write {}", names.join(", ")))
    })
}

/// `plan products Defend, Reveal`, and the same for every part.
pub(super) fn of_part(spec: &'static Spec, args: &mut Args<'_>) -> Parsed {
    // The row is called after its part.
    let part = Part::find(spec.name.rsplit(' ').next().unwrap_or_default()).unwrap_or(Part::Products);
    if args.form()? {
        let lines = args.answer(ENTRIES).unwrap_or_default();
        let plan =
            entries(part, &lines, args).map_err(|fault| Fault::Answer { field: ENTRIES, fault: Box::new(fault) })?;
        return Ok(Command::Plan(PlanWish::Set { part, plan: Box::new(plan) }));
    }
    let wish = match args.all() {
        [] => PlanWish::Part { part, page: 1 },
        [page, number] if is(page, super::args::PAGE) && number.text().parse::<usize>().is_ok() => {
            PlanWish::Part { part, page: args.page()? }
        }
        [word] if is(word, EDIT) => PlanWish::Edit { part },
        [word] if is(word, COMPLETE) => PlanWish::Complete { part },
        [word, ..] if is(word, CURRENT) => {
            args.keyword(CURRENT);
            return Ok(Command::Plan(PlanWish::Current { part, print: args.value() }));
        }
        _ => PlanWish::Set { part, plan: Box::new(typed(part, args)?) },
    };
    if !matches!(wish, PlanWish::Set { .. }) {
        args.take();
    }
    Ok(Command::Plan(wish))
}

/// A whole part as it is typed in one line.
fn typed(part: Part, args: &mut Args<'_>) -> Result<Plan, Fault> {
    let mut plan = Plan::default();
    match part {
        Part::People => {
            let words = args.until(&["as", "to"]);
            let role = args.behind("as", &["to"])?.map_or_else(|| "Analyst".to_owned(), text);
            let communities: Vec<Box<str>> =
                args.behind("to", &["as"])?.map(list).unwrap_or_default().into_iter().map(Into::into).collect();
            let mut people = Vec::new();
            for word in list(words).iter().flat_map(|entry| entry.split_whitespace()) {
                people.push(person(args, word, &role, &communities)?);
            }
            plan.people = Some(people);
        }
        Part::Hardening => {
            let entries = list(args.take());
            plan.hardening = Some(hardening(args, entries)?);
        }
        Part::Keys => {
            let words = args.take();
            let mut keys = Vec::new();
            for name in list(words) {
                keys.push(key(&mut Args::new(args.spec, vec![Word::Value(name)], args.platform()))?);
            }
            plan.keys = Some(keys);
        }
        _ => {
            for entry in list(args.take()) {
                plan.merge(&of_name(part, args, &entry)?);
            }
        }
    }
    Ok(plan)
}

/// One thing that a name alone says.
fn of_name(part: Part, args: &Args<'_>, name: &str) -> Result<Plan, Fault> {
    let mut plan = Plan::default();
    match part {
        Part::Products => plan.products = Some(vec![name.into()]),
        Part::Region => {
            let region: Region = name.parse().map_err(|_| {
                let all = Region::ALL.map(Region::name).join(", ");
                args.bad(name, "a region of Sekoia", format!("write one of {all}"))
            })?;
            plan.region = Some(region.name().into());
        }
        Part::Communities => plan.communities = Some(vec![PlannedCommunity { name: name.into(), about: None }]),
        Part::Roles => plan.roles = Some(vec![PlannedRole::as_it_is(name)]),
        Part::Notifications => {
            let trigger = Trigger::find(name).filter(|trigger| trigger.spec().evaluated).ok_or_else(|| {
                let all: Vec<&str> = TRIGGERS.iter().filter(|spec| spec.evaluated).map(|spec| spec.words).collect();
                args.bad(name, "a trigger that a rule can wait for", format!("write some of {}", all.join(", ")))
            })?;
            plan.triggers = Some(vec![trigger]);
        }
        Part::People | Part::Keys | Part::Hardening => {}
    }
    Ok(plan)
}

/// The lines of a part's form.
fn entries(part: Part, lines: &str, args: &Args<'_>) -> Result<Plan, Fault> {
    let mut plan = Plan::default();
    // Nothing in it means that there should be nothing.
    match part {
        Part::Products => plan.products = Some(Vec::new()),
        Part::Communities => plan.communities = Some(Vec::new()),
        Part::Roles => plan.roles = Some(Vec::new()),
        Part::People => plan.people = Some(Vec::new()),
        Part::Keys => plan.keys = Some(Vec::new()),
        Part::Notifications => plan.triggers = Some(Vec::new()),
        Part::Region | Part::Hardening => {}
    }
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut of_line = Args::new(args.spec, lex(line), args.platform());
        plan.merge(&one(part, &mut of_line)?);
        of_line.finish()?;
    }
    Ok(plan)
}

/// One thing with everything that is said of it.
fn one(part: Part, args: &mut Args<'_>) -> Result<Plan, Fault> {
    let mut plan = Plan::default();
    match part {
        Part::Communities => {
            let name = text(args.until(&["about"]));
            let about = args.behind("about", &[])?.map(|words| text(words).into());
            plan.communities = Some(vec![PlannedCommunity { name: named(args, name)?, about }]);
        }
        Part::Roles => {
            let name = text(args.until(&["with", "about"]));
            let with = args.behind("with", &["about"])?.map(list);
            let about = args.behind("about", &[])?.map(|words| text(words).into());
            let permissions = with.map(|with| with.into_iter().map(Into::into).collect());
            plan.roles = Some(vec![PlannedRole { name: named(args, name)?, about, permissions }]);
        }
        Part::People => {
            let who = text(args.until(&["as", "to"]));
            let role = args.behind("as", &["to"])?.map_or_else(|| "Analyst".to_owned(), text);
            let communities: Vec<Box<str>> =
                args.behind("to", &["as"])?.map(list).unwrap_or_default().into_iter().map(Into::into).collect();
            plan.people = Some(vec![person(args, &who, &role, &communities)?]);
        }
        Part::Keys => plan.keys = Some(vec![key(args)?]),
        Part::Hardening => {
            let entries = list(args.take());
            plan.hardening = Some(hardening(args, entries)?);
        }
        Part::Products | Part::Region | Part::Notifications => {
            let name = text(args.take());
            plan = of_name(part, args, &name)?;
        }
    }
    Ok(plan)
}

fn named(args: &Args<'_>, name: String) -> Result<Box<str>, Fault> {
    if name.is_empty() { Err(args.missing("a name")) } else { Ok(name.into()) }
}

fn person(args: &Args<'_>, word: &str, role: &str, communities: &[Box<str>]) -> Result<PlannedPerson, Fault> {
    let address = people::address(word)
        .map_err(|_| args.bad(word, "an e-mail address", "write one such as `ana@bank.example`".into()))?;
    Ok(PlannedPerson { address: address.into(), role: role.into(), communities: communities.to_vec() })
}

/// `forwarder for intake-forwarder expires 180d owner @dan`.
fn key(args: &mut Args<'_>) -> Result<PlannedKey, Fault> {
    const WORDS: [&str; 4] = ["for", "with", "expires", "owner"];
    let name = text(args.until(&WORDS));
    let name = named(args, name)?;
    let mut key = PlannedKey { name, preset: None, permissions: Vec::new(), expires: Lifetime::default(), owner: None };
    loop {
        if let Some(words) = args.behind("for", &WORDS)? {
            let preset = text(words);
            let known = crate::domain::action::Preset::find(&preset).ok_or_else(|| {
                let all: Vec<&str> = PRESETS.iter().map(|preset| preset.id.as_str()).collect();
                args.bad(&preset, "a preset of permissions", format!("write one of {}", all.join(", ")))
            })?;
            key.preset = Some(known.id.as_str().into());
        } else if let Some(words) = args.behind("with", &WORDS)? {
            key.permissions = list(words).into_iter().map(Into::into).collect();
        } else if let Some(words) = args.behind("expires", &WORDS)? {
            key.expires = match expiry(args, &text(words))? {
                Expiry::Days(days) => Lifetime::Days(days),
                Expiry::On(date) => Lifetime::On(date),
                Expiry::Never => Lifetime::Never,
            };
        } else if args.keyword("owner") {
            key.owner = args.person()?;
        } else {
            return Ok(key);
        }
    }
}

/// `mfa on`, `session-timeout 8h`, `inactive-accounts on`, `sso off`.
fn hardening(args: &Args<'_>, entries: Vec<String>) -> Result<Hardening, Fault> {
    let mut settings = Hardening::default();
    for entry in entries {
        let folded = fold(&entry).replace('=', " ");
        let (name, value) = folded.split_once(' ').unwrap_or((&folded, "on"));
        let switch = || match value.trim() {
            "on" | "yes" | "true" | "enforced" => Ok(Some(true)),
            "off" | "no" | "false" => Ok(Some(false)),
            _ => Err(args.bad(&entry, "a setting", format!("write `{name} on` or `{name} off`"))),
        };
        match name {
            Hardening::MFA => settings.mfa = switch()?,
            Hardening::INACTIVE_ACCOUNTS => settings.inactive_accounts = switch()?,
            Hardening::SSO => settings.sso = switch()?,
            Hardening::SESSION_TIMEOUT => {
                let minutes = minutes(value.trim());
                settings.session_timeout =
                    Some(minutes.ok_or_else(|| {
                        args.bad(&entry, "a time", "write `session-timeout 8h`: from 15m to 31d".into())
                    })?);
            }
            _ => {
                let all = [Hardening::MFA, Hardening::SESSION_TIMEOUT, Hardening::INACTIVE_ACCOUNTS, Hardening::SSO];
                return Err(args.bad(&entry, "a setting", format!("write some of {}", all.join(", "))));
            }
        }
    }
    Ok(settings)
}

/// From a quarter of an hour to a month, which are Sekoia's bounds.
fn minutes(text: &str) -> Option<u32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u32 = number.trim().parse().ok()?;
    let minutes = match unit {
        "m" => number,
        "h" => number.checked_mul(60)?,
        "d" => number.checked_mul(1_440)?,
        _ => return None,
    };
    (15..=31 * 1_440).contains(&minutes).then_some(minutes)
}

/// `plan role …`, `plan community …`, `plan person …`, `plan key …`: one thing more; alone, the part's form.
pub(super) fn of_thing(spec: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let part = Part::find(spec.name.rsplit(' ').next().unwrap_or_default()).unwrap_or(Part::Products);
    if args.is_empty() {
        return Ok(Command::Plan(PlanWish::Edit { part }));
    }
    let plan = Box::new(one(part, args)?);
    Ok(Command::Plan(PlanWish::Add { part, plan }))
}

pub(super) fn drop(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let word = args.next().ok_or_else(|| args.missing("which part, and what of it"))?;
    let part = part(args, &word)?;
    Ok(Command::Plan(PlanWish::Drop { part, name: args.rest() }))
}

pub(super) fn export(_: &'static Spec, _: &mut Args) -> Parsed {
    Ok(Command::Plan(PlanWish::Export))
}

pub(super) fn import(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    if args.form()? {
        let plan = args.answer(PLAN_FILE).or_else(|| args.answer(PLAN_TEXT)).unwrap_or_default();
        return Ok(Command::Plan(PlanWish::Import(Source::Text(plan))));
    }
    args.keyword("from");
    if args.keyword("template") {
        return Ok(Command::Plan(PlanWish::Import(template(args)?)));
    }
    let source = args.rest().map_or(Source::Form, Source::File);
    Ok(Command::Plan(PlanWish::Import(source)))
}

/// `bank client="Acme"`: a template, and what stands in it for its parameters.
pub(super) fn template(args: &mut Args<'_>) -> Result<Source, Fault> {
    let name = args.value().ok_or_else(|| args.missing("which template"))?;
    let mut parameters = BTreeMap::new();
    for word in args.take() {
        let Some((key, value)) =
            word.text().split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty())
        else {
            let text = word.text().to_owned();
            return Err(args.bad(&text, "a parameter", "write `client=\"Acme\"`".into()));
        };
        let value = value.trim_matches('"');
        if parameters.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(args.bad(key, "a parameter that is given once", "leave the other one out".into()));
        }
    }
    Ok(Source::Template { name, parameters })
}

pub(super) fn verify(_: &'static Spec, _: &mut Args) -> Parsed {
    Ok(Command::Plan(PlanWish::Verify))
}

impl PlanWish {
    /// Whether it changes what is stored.
    pub fn changes(&self) -> bool {
        match self {
            PlanWish::Current { .. }
            | PlanWish::Complete { .. }
            | PlanWish::Set { .. }
            | PlanWish::Add { .. }
            | PlanWish::Drop { .. }
            | PlanWish::Verify
            | PlanWish::Import(Source::Text(_) | Source::File(_) | Source::Template { .. }) => true,
            PlanWish::Show
            | PlanWish::Part { .. }
            | PlanWish::Edit { .. }
            | PlanWish::Export
            | PlanWish::Import(Source::Form) => false,
        }
    }
}
