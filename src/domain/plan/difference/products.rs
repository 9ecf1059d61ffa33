//! Products and modules against licences; the region.

use jiff::Timestamp;

use super::{Line, Mark};
use crate::chat::text::fold;
use crate::chat::view::day;
use crate::domain::checklist::steps::subscription::{Expiry, expiry, is_active, product};
use crate::domain::plan::Part;
use crate::sekoia::{Licence, Region};
use serde_json::Value;

/// A licence and the words that a product may be found by.
struct Words<'a> {
    licence: &'a Licence,
    /// Of its plan, module and type.
    names: Vec<String>,
    /// Of what is switched on in it.
    switches: Vec<String>,
}

impl<'a> Words<'a> {
    fn new(licence: &'a Licence) -> Self {
        let plan = licence.plan.as_ref();
        let module = plan.and_then(|plan| plan.module.as_ref()?.name.as_deref());
        let names = [plan.and_then(|plan| plan.title.as_deref()), module, licence.license_type.as_deref()];
        let names = names.into_iter().flatten().flat_map(words).collect();
        let on = |value: &Value| !matches!(value, Value::Null | Value::Bool(false)) && value.as_f64() != Some(0.0);
        let switches = licence.properties.as_object().into_iter().flatten();
        let switches = switches.filter(|(_, value)| on(value)).flat_map(|(name, _)| words(name)).collect();
        Self { licence, names, switches }
    }

    /// Whether every word is one of it, or the beginning of one.
    fn hold(&self, wanted: &[String], switches: bool) -> bool {
        let more = if switches { self.switches.as_slice() } else { &[] };
        let among = |word: &String| self.names.iter().chain(more).any(|known| known.starts_with(word.as_str()));
        !wanted.is_empty() && wanted.iter().all(among)
    }
}

fn words(name: &str) -> Vec<String> {
    let name = fold(name);
    name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A planned product is there if an active licence has all of its words: `Defend` is in
/// `Defend Prime`, not the other way round.
pub fn products(planned: &[Box<str>], licences: &[Licence], now: Timestamp) -> Vec<Line> {
    let known: Vec<Words<'_>> = licences.iter().map(Words::new).collect();
    let wanted: Vec<Vec<String>> = planned.iter().map(|name| words(name)).collect();
    let line = |name: &str, wanted: &[String]| {
        let fits: Vec<&Licence> = known.iter().filter(|w| w.hold(wanted, true)).map(|w| w.licence).collect();
        let line = |mark| Line::new(mark, Part::Products, name);
        let active = fits.iter().filter(|licence| is_active(licence, now));
        if let Some(longest) = active.max_by_key(|licence| (licence.end.unwrap_or(Timestamp::MAX), product(licence))) {
            let until = match longest.end {
                Some(end) => format!("{} until {}", product(longest), day(end)),
                None => format!("{} without an end date", product(longest)),
            };
            return line(Mark::There).because(until);
        }
        let coming = fits.iter().filter(|licence| expiry(licence, now) == Expiry::NotStarted);
        if let Some(first) = coming.filter_map(|licence| licence.start).min() {
            return line(Mark::Waiting).because(format!("the licence starts on {}", day(first)));
        }
        match fits.iter().filter_map(|licence| licence.end).max() {
            Some(end) => line(Mark::Create).because(format!("the licence ended on {}", day(end))),
            None => line(Mark::Create).because("no active licence; your Sekoia contact can tell what was ordered"),
        }
    };
    let mut lines: Vec<Line> = planned.iter().zip(&wanted).map(|(name, wanted)| line(name, wanted)).collect();
    let mut extra: Vec<String> = Vec::new();
    for licence in known.iter().filter(|w| is_active(w.licence, now)) {
        let name = product(licence.licence);
        if !wanted.iter().any(|words| licence.hold(words, false)) && !extra.contains(&name) {
            extra.push(name);
        }
    }
    lines.extend(extra.iter().map(|name| Line::new(Mark::Extra, Part::Products, name)));
    lines
}

/// `region`: where the bot's key works.
pub fn region(planned: &str, region: Region) -> Vec<Line> {
    let line = |mark| Line::new(mark, Part::Region, planned);
    if fold(planned) == fold(region.name()) {
        return vec![line(Mark::There)];
    }
    vec![line(Mark::Change).because(format!("the bot's key works in {}", region.name()))]
}
