//! After step 7: what of the product's quick start is there.

use super::Finding;
use crate::text::count;

/// How much of each there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub intakes: usize,
    /// Whether there is at least one.
    pub alerts: bool,
    pub playbooks: usize,
}

pub fn check(facts: Facts) -> Finding {
    let alerts = if facts.alerts { "alerts arrive" } else { "no alert yet" };
    let summary = format!(
        "{}, {alerts}, {}",
        count(facts.intakes, "intake", "intakes"),
        count(facts.playbooks, "playbook", "playbooks")
    );
    let mut missing = Vec::new();
    if facts.intakes == 0 {
        missing.push("an intake: connect a first source".to_owned());
    }
    if !facts.alerts {
        missing.push("a first alert: enable detection rules and check that events arrive".to_owned());
    }
    if facts.playbooks == 0 {
        missing.push("a playbook: automate a first reaction".to_owned());
    }
    if missing.is_empty() { Finding::confirmed(summary, vec![]) } else { Finding::Wanting { summary, missing } }
}
