//! What Sekoia's answers mean for each step. One file a step; pure: facts and `now` in, a
//! [`Finding`] out. Who reads the facts and what is done with a finding is `bot`'s.

pub mod communities;
pub mod hardening;
pub mod keys;
pub mod notifications;
pub mod prerequisites;
pub mod quickstart;
pub mod region;
pub mod roles;
pub mod subscription;
pub mod users;

use super::Evidence;
use super::facts::Fact;

/// What Sekoia's answers say about a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Sekoia confirms it; the evidence may name exceptions that are accepted with it.
    Confirmed(Evidence),
    /// Sekoia shows something, and no plan says whether it is all that is needed.
    Seen(Evidence),
    /// Nothing is missing that does not come by itself or by somebody else: `on` is what it waits for.
    Waiting { summary: String, on: Vec<String> },
    /// Sekoia shows what is still missing.
    Wanting { summary: String, missing: Vec<String> },
    /// The step does not apply to this workspace.
    NotApplicable { why: String },
    /// Sekoia's API cannot tell; a person has to.
    CannotTell { why: String },
}

impl Finding {
    fn confirmed(summary: String, exceptions: Vec<String>, facts: Vec<Fact>) -> Self {
        Finding::Confirmed(Evidence {
            summary: summary.into(),
            details: Box::default(),
            exceptions: exceptions.into_iter().map(Into::into).collect(),
            facts: Some(facts.into()),
        })
    }

    fn wanting(summary: String, missing: String) -> Self {
        Finding::Wanting { summary, missing: vec![missing] }
    }
}

/// Names in one line: the first few, and how many more there are.
fn names<'a>(all: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 5;
    let total = all.len();
    let mut out = all.take(SHOWN).map(|n| crate::chat::text::shown(n, 60)).collect::<Vec<_>>().join(", ");
    if total > SHOWN {
        out.push_str(&format!(" and {} more", total - SHOWN));
    }
    out
}
