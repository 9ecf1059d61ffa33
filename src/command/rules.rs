//! The words of notification rules and digests: what follows `notify add` and `notify digest`.

use jiff::civil::{Time, Weekday};

use super::args::{Args, text, typed};
use super::lexer::Word;
use super::parse::weekday;
use super::spec::Spec;
use super::suggest::nearest;
use super::{Command, DigestWish, Fault};
use crate::chat::text::fold;
use crate::domain::notify::{Digest, Every, Impossible, Key, Place, TRIGGERS, Trigger, Watch, Which, zone};

/// What the form of a rule asks for after the trigger.
pub const RULE_FIELDS: [Key; 9] =
    [Key::Urgency, Key::Status, Key::Rule, Key::Entity, Key::Asset, Key::Intake, Key::For, Key::Playbook, Key::Crashed];
/// The field of a rule's form that says what it waits for.
pub const TRIGGER: &str = "trigger";
/// The comparisons that somebody may write, longer ones first.
const SIGNS: [&str; 6] = [">=", "<=", "≥", ">", "<", "="];

/// `notify add`; alone, a form asks for the rule.
pub(super) fn notify_add(spec: &'static Spec, args: &mut Args<'_>) -> Result<Command, Fault> {
    if args.form()? {
        return Ok(Command::NotifyAdd { watch: Some(answered(args)?) });
    }
    let words = args.take();
    let watch = if words.is_empty() { None } else { Some(rule(spec, words)?) };
    Ok(Command::NotifyAdd { watch })
}

/// The rule that a form asked for: its trigger, then the conditions of [`RULE_FIELDS`].
fn answered(args: &mut Args<'_>) -> Result<Watch, Fault> {
    let at = |field: &'static str, fault: Fault| Fault::Answer { field, fault: Box::new(fault) };
    let said = args.answer(TRIGGER).unwrap_or_default();
    let trigger = Trigger::find(&said)
        .ok_or_else(|| at(TRIGGER, args.bad(&said, "something to wait for", "choose one of the list".into())))?;
    let mut watch = Watch::new(trigger);
    for key in RULE_FIELDS {
        let Some(answer) = args.answer(key.name()) else { continue };
        watch.set(key, &answer).map_err(|e| at(key.name(), fault(args, e)))?;
    }
    // What is left to be wrong is how a trigger and a status go together.
    watch.finished().map_err(|e| at(Key::Status.name(), fault(args, e)))
}

/// `notify digest`, also `notify digest daily off`.
pub(super) fn notify_digest(spec: &'static Spec, args: &mut Args<'_>) -> Result<Command, Fault> {
    let words = args.take();
    let off = words.last().is_some_and(|word| matches!(word, Word::Bare(w) if w.eq_ignore_ascii_case("off")));
    if !off {
        return planned(spec, words).map(Command::NotifyDigest);
    }
    let which = match words.first().map(|word| fold(word.text())).as_deref() {
        Some("daily") if words.len() == 2 => Which::Daily,
        Some("weekly") if words.len() == 2 => Which::Weekly,
        _ => {
            let said = words.iter().map(Word::text).collect::<Vec<_>>().join(" ");
            return Err(args.bad(
                &said,
                "a digest",
                "write `/sekoia notify digest daily off` or `/sekoia notify digest weekly off`".into(),
            ));
        }
    };
    Ok(Command::NotifyDigest(DigestWish::Off(which)))
}

/// A rule: its trigger, then its conditions in any order.
pub fn rule(spec: &'static Spec, words: Vec<Word>) -> Result<Watch, Fault> {
    let mut args = Args::new(spec, words, "");
    let mut watch = Watch::new(trigger(&mut args)?);
    let takes_name = watch.trigger.spec().names;
    while let Some(word) = args.next() {
        let text = match word {
            Word::Bare(text) => text,
            Word::Value(text) => {
                let key = takes_name.ok_or_else(|| no_condition(&args, &watch, &text))?;
                set(&args, &mut watch, key, &text)?;
                continue;
            }
            person @ Word::Person { .. } => return Err(no_condition(&args, &watch, &person.said())),
        };
        if let Some((key, sign, value)) = comparison(&mut args, &text) {
            let key = Key::find(&key).ok_or_else(|| no_condition(&args, &watch, &key))?;
            let value = if value.is_empty() { args.next().map_or(value, |w| w.text().to_owned()) } else { value };
            compared(&args, key, sign, &value)?;
            set(&args, &mut watch, key, &value)?;
        } else if text.eq_ignore_ascii_case(Key::Crashed.name()) {
            set(&args, &mut watch, Key::Crashed, "")?;
        } else if text.eq_ignore_ascii_case(Key::For.name()) {
            let time = time_of(&mut args)?;
            set(&args, &mut watch, Key::For, &time)?;
        } else if let Some(key) = takes_name {
            let name = bare_name(&mut args, &watch, text)?;
            set(&args, &mut watch, key, &name)?;
        } else {
            return Err(no_condition(&args, &watch, &text));
        }
    }
    watch.finished().map_err(|e| fault(&args, e))
}

/// When a digest comes: `daily 08:30`, `weekly monday 08:30 Europe/Paris`.
pub fn digest(spec: &'static Spec, words: Vec<Word>) -> Result<Digest, Fault> {
    match planned(spec, words)? {
        DigestWish::Set(digest) => Ok(digest),
        DigestWish::Place { said, .. } => {
            let hint = "write a region and city such as `Europe/Paris`".to_owned();
            Err(Fault::BadValue { spec, value: said, what: "a place's time zone", hint, instead: None })
        }
        DigestWish::Off(_) => Err(Fault::Missing { spec, what: "when a digest comes" }),
    }
}

fn planned(spec: &'static Spec, words: Vec<Word>) -> Result<DigestWish, Fault> {
    let mut args = Args::new(spec, words, "");
    let word = args.next().ok_or_else(|| args.missing("how often: `daily` or `weekly`"))?;
    let every = match fold(word.text()).as_str() {
        "daily" => Every::Day,
        "weekly" => {
            let named = args.peek().and_then(|word| weekday(&fold(word.text())));
            if named.is_some() {
                args.next();
            }
            Every::Week { on: named.unwrap_or(Weekday::Monday) }
        }
        _ => return Err(args.bad(word.text(), "how often a digest comes", "write `daily` or `weekly`".into())),
    };
    args.keyword("at");
    let word = args.next().ok_or_else(|| args.missing("at what time, such as 08:30"))?;
    let at = time(&fold(word.text())).ok_or_else(|| {
        args.bad(word.text(), "a time of day", "write hours and minutes, from 00:00 to 23:59, such as 08:30".into())
    })?;
    let words = args.take();
    let said = text(words.clone());
    match zone::read(if said.is_empty() { "UTC" } else { &said }) {
        Ok(Place::Zone(zone)) => Digest::new(every, at, &zone).map(DigestWish::Set).map_err(|e| fault(&args, e)),
        Ok(Place::Unclear) => Ok(DigestWish::Place { every, at, said }),
        // A zone, and more behind it.
        Err(_) if words.len() > 1 && matches!(zone::read(words[0].text()), Ok(Place::Zone(_))) => {
            Err(Fault::Leftover { spec, text: text(words[1..].to_vec()) })
        }
        Err(impossible) => Err(fault(&args, impossible)),
    }
}

/// `8:30`, `08:30`; seconds are nobody's business.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |t: &str| (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || minute.len() != 2 || !digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// One or two words. `alert "x"` is the trigger and a value.
fn trigger(args: &mut Args<'_>) -> Result<Trigger, Fault> {
    let word = args.next().ok_or_else(|| args.missing("what to wait for, such as `alert`, `silent` or `playbook`"))?;
    let first = word.text();
    if let Some(Word::Bare(second)) = args.peek()
        && let Some(trigger) = Trigger::find(&format!("{first} {second}"))
    {
        args.next();
        return Ok(trigger);
    }
    if let Some(trigger) = Trigger::find(first) {
        return Ok(trigger);
    }
    let said = args.peek().map_or_else(|| first.to_owned(), |second| format!("{first} {}", second.text()));
    let names = || TRIGGERS.iter().flat_map(|s| s.aliases.iter().copied().chain([s.words]));
    let near = nearest(&said, names().filter(|n| n.contains(' ')))
        .or_else(|| nearest(first, names().filter(|n| !n.contains(' '))))
        .and_then(Trigger::find);
    if let Some(near) = near {
        let words = near.spec().words;
        let taken = usize::from(words.contains(' ')).min(args.all().len());
        return Err(args.slip(first, "something to wait for", words, &typed(&args.all()[taken..])));
    }
    let all: Vec<String> = TRIGGERS.iter().filter(|s| s.evaluated).map(|s| format!("`{}`", s.words)).collect();
    Err(args.bad(first, "something to wait for", format!("write {}", all.join(", "))))
}

/// `urgency>=75`, also with spaces around the sign; the value is empty if it is the next word.
fn comparison(args: &mut Args<'_>, text: &str) -> Option<(String, &'static str, String)> {
    if let Some((key, sign, value)) = split(text) {
        return (!key.is_empty()).then(|| (key.to_owned(), sign, value.to_owned()));
    }
    let Some(Word::Bare(next)) = args.peek() else { return None };
    let (before, sign, value) = split(next)?;
    if Key::find(text).is_none() || !before.is_empty() {
        return None;
    }
    let value = value.to_owned();
    args.next();
    Some((text.to_owned(), sign, value))
}

fn split(text: &str) -> Option<(&str, &'static str, &str)> {
    let places = SIGNS.iter().enumerate().filter_map(|(i, sign)| Some((text.find(sign)?, i, *sign)));
    let (at, _, sign) = places.min()?;
    Some((&text[..at], sign, &text[at + sign.len()..]))
}

/// Urgencies are compared by "at least", everything else by "is".
fn compared(args: &Args<'_>, key: Key, sign: &str, value: &str) -> Result<(), Fault> {
    let said = format!("{}{sign}{value}", key.name());
    match (key, sign) {
        (Key::Urgency, ">=" | "≥") => Ok(()),
        (Key::Urgency, ">") => {
            let more = value.parse::<u8>().map_or(75, |n| n.saturating_add(1)).min(100);
            Err(args.bad(&said, "how urgencies are compared", format!("write `urgency>={more}`")))
        }
        (Key::Urgency, _) => {
            let hint = format!("a rule has a least urgency: `urgency>={}`", value.parse::<u8>().unwrap_or(75).min(100));
            Err(args.bad(&said, "how urgencies are compared", hint))
        }
        (_, "=") if key != Key::Crashed => Ok(()),
        _ => Err(args.bad(&said, "a condition", format!("write `{}`", key.example()))),
    }
}

/// `30m`, or `30 minutes`.
fn time_of(args: &mut Args<'_>) -> Result<String, Fault> {
    let number = args.next().ok_or_else(|| args.missing("for how long, such as `for 30m`"))?;
    let mut text = number.text().to_owned();
    if text.bytes().all(|b| b.is_ascii_digit())
        && let Some(Word::Bare(unit)) = args.peek()
        && unit.bytes().all(|b| b.is_ascii_alphabetic())
    {
        text.push_str(unit);
        args.next();
    }
    Ok(text)
}

/// A name without quotes runs to the next condition; a slip of the finger is not taken for one.
fn bare_name(args: &mut Args<'_>, watch: &Watch, first: String) -> Result<String, Fault> {
    let mut name = first;
    while let Some(Word::Bare(next)) = args.peek() {
        if ends_name(args.all(), next) {
            break;
        }
        name.push(' ');
        name.push_str(next);
        args.next();
    }
    let spec = watch.trigger.spec();
    let group = TRIGGERS.iter().filter_map(|s| s.words.split_once(' ')).filter(|(g, _)| *g == spec.words);
    let words = spec.takes.iter().map(|key| key.name()).chain(group.map(|(_, second)| second));
    match nearest(&name, words) {
        Some(near) => {
            Err(args.bad(&name, "a condition", format!("did you mean `{near}`? A name like that goes in quotes")))
        }
        None => Ok(name),
    }
}

/// Whether a condition begins here. In "Doors for staff" and "Restart crashed hosts" none does.
fn ends_name(words: &[Word], next: &str) -> bool {
    let behind = words.get(1);
    match Key::find(next) {
        _ if split(next).is_some() => true,
        Some(Key::For) => behind.is_none_or(|word| word.text().starts_with(|c: char| c.is_ascii_digit())),
        Some(Key::Crashed) => match behind {
            Some(Word::Bare(word)) => split(word).is_some() || Key::find(word).is_some(),
            _ => true,
        },
        _ => false,
    }
}

fn set(args: &Args<'_>, watch: &mut Watch, key: Key, value: &str) -> Result<(), Fault> {
    watch.set(key, value).map_err(|e| fault(args, e))
}

fn no_condition(args: &Args<'_>, watch: &Watch, said: &str) -> Fault {
    let spec = watch.trigger.spec();
    let seconds = TRIGGERS.iter().filter_map(|s| s.words.split_once(' ')).filter(|(g, _)| *g == spec.words);
    let words = Key::ALL.into_iter().map(Key::name).chain(seconds.map(|(_, second)| second));
    let hint = match nearest(said, words) {
        Some(near) => {
            let example = Key::find(near).map_or_else(|| format!("{} {near}", spec.words), |k| k.example().into());
            format!("did you mean `{example}`?")
        }
        None => spec.usage(),
    };
    args.bad(said, "a condition of this trigger", hint)
}

fn fault(args: &Args<'_>, impossible: Impossible) -> Fault {
    args.bad(&impossible.value, impossible.what, impossible.hint)
}
