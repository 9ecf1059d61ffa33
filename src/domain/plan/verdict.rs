//! What a step's check comes to against the plan.

use std::collections::{HashMap, HashSet};

use super::Part;
use super::difference::{Line, Mark};
use crate::chat::text::{count, shown};
use crate::domain::checklist::Evidence;
use crate::domain::checklist::steps::Finding;

/// Things that are named in one sentence.
const NAMED: usize = 5;

/// `finding`: what the check says without a plan. `lines`: how Sekoia differs from the plan.
/// `complete`: somebody said that the plan names everything. People and keys are counted, not named:
/// every viewer reads this.
pub fn verdict(finding: Finding, part: Part, lines: &[Line], complete: bool) -> Finding {
    let (Evidence { summary, details, exceptions, facts }, missing) = match finding {
        Finding::Confirmed(evidence) => (evidence, vec![]),
        Finding::Wanting { summary, missing } => (Evidence { summary: summary.into(), ..Evidence::default() }, missing),
        other => return other,
    };
    let mut exceptions = exceptions.into_vec();
    let of = |mark: Mark| lines.iter().filter(move |line| line.mark == mark);
    if !complete && missing.is_empty() {
        return Finding::Seen(Evidence { summary, details, exceptions: exceptions.into(), facts });
    }
    if !complete {
        return Finding::Wanting { summary: summary.into(), missing };
    }
    let (planned, there) = counted(lines);
    let (one, many) = part.nouns();
    let summary: Box<str> = match planned {
        0 => format!("no {many} planned; {summary}").into(),
        n if n == there => format!("{} as planned; {summary}", count(n, one, many)).into(),
        n => format!("{there} of {} as planned; {summary}", count(n, one, many)).into(),
    };
    let mut missing = missing;
    missing.extend(said(of(Mark::Create), part, "is not there", "are not there"));
    missing.extend(said(of(Mark::Change), part, "differs from the plan", "differ from the plan"));
    let (one, many) = match part {
        Part::People => ("to accept the invitation", "to accept their invitations"),
        Part::Keys => ("to reach its owner", "to reach their owners"),
        Part::Notifications => ("is not tested", "are not tested"),
        _ => ("to be complete", "to be complete"),
    };
    let on = said(of(Mark::Waiting), part, one, many);
    // A rule without a sample waits for nobody but who reads this.
    let (waiting, untested) = if part == Part::Notifications { (vec![], on) } else { (on, vec![]) };
    missing.extend(untested);
    if !missing.is_empty() {
        return Finding::Wanting { summary: summary.into(), missing };
    }
    if !waiting.is_empty() {
        return Finding::Waiting { summary: summary.into(), on: waiting };
    }
    exceptions
        .extend(said(of(Mark::Extra), part, "is not in the plan", "are not in the plan").into_iter().map(Into::into));
    Finding::Confirmed(Evidence { summary, details, exceptions: exceptions.into(), facts })
}

/// How many things are planned, and how many of them are there as planned, wherever they are planned.
fn counted(lines: &[Line]) -> (usize, usize) {
    let mut as_planned: HashMap<&str, bool> = HashMap::new();
    for line in lines.iter().filter(|line| line.mark != Mark::Extra) {
        *as_planned.entry(&line.what).or_insert(true) &= line.mark == Mark::There;
    }
    (as_planned.len(), as_planned.values().filter(|there| **there).count())
}

/// One sentence for each where everybody may know the names, else one for all.
fn said<'a>(lines: impl Iterator<Item = &'a Line>, part: Part, one: &str, many: &str) -> Vec<String> {
    let lines: Vec<&Line> = lines.collect();
    if lines.is_empty() {
        return Vec::new();
    }
    if part.is_personal() {
        let (noun, nouns) = part.nouns();
        // Who stands differently in two communities has two lines, and is one person.
        let whose = lines.iter().map(|line| &line.what).collect::<HashSet<_>>().len();
        let verb = if whose == 1 { one } else { many };
        return vec![format!("{} {verb}", count(whose, noun, nouns))];
    }
    let named = |line: &&Line| match &line.detail {
        Some(detail) => format!("{} {one}: {}", shown(&line.what, 60), shown(detail, 300)),
        None => format!("{} {one}", shown(&line.what, 60)),
    };
    let mut all: Vec<String> = lines.iter().take(NAMED).map(named).collect();
    if lines.len() > NAMED {
        all.push(format!("{} more", lines.len() - NAMED));
    }
    all
}

/// How Sekoia differs from the plan of a part, for every viewer: people and keys are counted.
pub fn public(part: Part, lines: &[Line]) -> Vec<String> {
    let of = |mark: Mark| lines.iter().filter(move |line| line.mark == mark);
    let mut all = said(of(Mark::Create), part, "is not there", "are not there");
    all.extend(said(of(Mark::Change), part, "differs from the plan", "differ from the plan"));
    all.extend(said(of(Mark::Waiting), part, "is on the way", "are on the way"));
    all.extend(said(of(Mark::Extra), part, "is not in the plan", "are not in the plan"));
    all
}
