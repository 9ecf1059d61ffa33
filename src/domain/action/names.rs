//! From a name that somebody typed to the one thing that is called so.

use super::{Problem, problem};
use crate::chat::text::{self, Found, clean, fold, shown};
use crate::chat::view::Line;

/// Names shown when nothing was found.
const SHOWN: usize = 12;

/// The one of `all` that is called `wanted`, by identifier or by a name that looks so. Otherwise what
/// to say instead: the nearest names, or the identifiers of those who share it.
pub fn one_of<'a, T>(
    field: &'static str,
    what: &str,
    wanted: &str,
    all: &'a [T],
    uuid: impl Fn(&T) -> &str,
    name: impl Fn(&T) -> &str,
) -> Result<&'a T, Problem> {
    match text::find(wanted, all, &uuid, &name) {
        Found::One(one) => Ok(one),
        Found::Nothing => {
            let names = all.iter().map(&name);
            Err(problem(
                field,
                format!("There is no {what} called \"{}\". {}", shown(wanted, 60), instead(wanted, names)),
            ))
        }
        Found::Several(several) => {
            let alike = several.iter().any(|t| name(t).trim() != name(several[0]).trim());
            let text = format!("Several are called \"{}\". Say which {what} by its id: ", shown(wanted, 60));
            let mut line = Line::new().say(text);
            for (i, t) in several.iter().take(SHOWN).enumerate() {
                line = if i > 0 { line.say(", ") } else { line };
                line = line.code(shown(uuid(t), 40));
                line = if alike { line.say(format!(" ({})", shown(name(t), 40))) } else { line };
            }
            Err(problem(field, line.say(".")))
        }
    }
}

/// `Did you mean "Analyst"?`, or what there is.
pub fn instead<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let wanted = fold(text::first(wanted.trim(), 80));
    let mut near: Vec<(usize, &str)> = names
        .iter()
        .map(|n| (*n, fold(n)))
        .filter_map(|(n, lower)| {
            let distance = strsim::damerau_levenshtein(&wanted, &lower);
            let like = distance <= (lower.chars().count() / 3).max(1);
            let part = wanted.len() >= 3 && lower.contains(&wanted);
            (like || part).then_some((distance, n))
        })
        .collect();
    near.sort_unstable();
    if near.is_empty() {
        if names.is_empty() {
            return "There is none at all.".into();
        }
        let listed: Vec<String> = names.iter().take(SHOWN).map(|n| shown(n, 40)).collect();
        let more = if names.len() > SHOWN { ", …" } else { "" };
        return format!("There are: {}{more}.", listed.join(", "));
    }
    let listed: Vec<String> = near.iter().take(3).map(|(_, n)| format!("\"{}\"", shown(n, 60))).collect();
    format!("Did you mean {}?", listed.join(" or "))
}

/// A name as it is sent: one line, trimmed, without what nobody sees, not empty, at most `max`
/// characters.
pub fn name(field: &'static str, what: &str, typed: &str, max: usize) -> Result<Box<str>, Problem> {
    let name = clean(typed).split_whitespace().collect::<Vec<_>>().join(" ");
    let length = name.chars().count();
    if name.is_empty() {
        return Err(problem(field, format!("The {what} needs a name.")));
    }
    if length > max {
        return Err(problem(field, format!("A {what}'s name may have {max} characters here; this one has {length}.")));
    }
    if let Some(c) = name.chars().find(|c| crate::chat::text::visible(c.encode_utf8(&mut [0; 4])) != c.to_string()) {
        return Err(problem(
            field,
            format!("The name holds a character that nobody can see (U+{:04X}).", u32::from(c)),
        ));
    }
    Ok(name.into())
}

/// How many characters a thing's texts may have.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub name: usize,
    /// Of a description: at least and at most.
    pub about: (usize, usize),
}

/// A description within its bounds.
pub fn description(text: &str, (min, max): (usize, usize)) -> Result<Box<str>, Problem> {
    let text = clean(text);
    let text = text.trim();
    let length = text.chars().count();
    if (min..=max).contains(&length) {
        return Ok(text.into());
    }
    let what = if length < min { "too short" } else { "too long" };
    Err(problem(
        "about",
        format!("The description is {what}: Sekoia takes {min} to {max} characters, this one has {length}."),
    ))
}
