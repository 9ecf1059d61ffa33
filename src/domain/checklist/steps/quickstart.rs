//! After step 7: what of the product's quick start is there.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Finding;
use crate::chat::text::{count, shown};
use crate::chat::view::minute;
use crate::domain::checklist::facts::{Fact, Print};
use crate::sekoia::{Intake, Playbook};

/// Intakes that send nothing, by identifier, with since when if that is known.
pub type Silent = BTreeMap<Box<str>, Option<Timestamp>>;

/// `alerts`: whether there is at least one.
pub fn check(intakes: &[Intake], silent: &Silent, alerts: bool, playbooks: &[Playbook]) -> Finding {
    let summary = format!(
        "{}, {}, {}",
        count(intakes.len(), "intake", "intakes"),
        if alerts { "alerts arrive" } else { "no alert yet" },
        count(playbooks.len(), "playbook", "playbooks")
    );
    let mut missing = Vec::new();
    if intakes.is_empty() {
        missing.push("an intake: connect a first source".to_owned());
    }
    if !alerts {
        missing.push("a first alert: enable detection rules and check that events arrive".to_owned());
    }
    if playbooks.is_empty() {
        missing.push("a playbook: automate a first reaction".to_owned());
    }
    if !missing.is_empty() {
        return Finding::Wanting { summary, missing };
    }
    let quiet: Vec<Option<String>> = intakes.iter().map(|intake| quiet(intake, silent)).collect();
    let some = quiet.iter().flatten().count();
    let exceptions = if some == 0 {
        vec![]
    } else {
        vec![count(some, "intake sends nothing or reports an error", "intakes send nothing or report an error")]
    };
    let facts = intakes.iter().zip(quiet).map(|(intake, quiet)| Fact::Intake {
        id: Print::of(&intake.uuid),
        name: intake.name().into(),
        quiet: quiet.map(Into::into),
    });
    let held = playbooks.iter().map(|playbook| Fact::Held {
        id: format!("playbook {}", playbook.uuid).into(),
        gone: format!("the playbook {} is gone", shown(playbook.name(), 60)).into(),
    });
    Finding::confirmed(summary, exceptions, facts.chain(held).collect())
}

fn quiet(intake: &Intake, silent: &Silent) -> Option<String> {
    match (silent.get(&*intake.uuid), intake.status.as_deref()) {
        (Some(Some(since)), _) => Some(format!("sends nothing since {}", minute(*since))),
        (Some(None), _) => Some("sends nothing for a day".into()),
        (None, Some("STOPPED")) => Some("is stopped".into()),
        (None, Some("ERROR" | "CRITICAL_ERROR")) => Some("reports an error".into()),
        (None, _) => None,
    }
}
