//! The parts of a plan, and the steps of the checklist that they are verified in.

use serde::{Deserialize, Serialize};

use crate::chat::text::fold;
use crate::domain::checklist::StepId;

/// What a plan speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Products,
    Region,
    Communities,
    Roles,
    People,
    Keys,
    Notifications,
    Hardening,
}

impl Part {
    pub const ALL: [Part; 8] = [
        Part::Products,
        Part::Region,
        Part::Communities,
        Part::Roles,
        Part::People,
        Part::Keys,
        Part::Notifications,
        Part::Hardening,
    ];

    /// Its name in commands and in the file.
    pub fn name(self) -> &'static str {
        match self {
            Part::Products => "products",
            Part::Region => "region",
            Part::Communities => "communities",
            Part::Roles => "roles",
            Part::People => "people",
            Part::Keys => "keys",
            Part::Notifications => "notifications",
            Part::Hardening => "hardening",
        }
    }

    /// One thing of it, and several.
    pub fn nouns(self) -> (&'static str, &'static str) {
        match self {
            Part::Products => ("product", "products"),
            Part::Region => ("region", "regions"),
            Part::Communities => ("community", "communities"),
            Part::Roles => ("role", "roles"),
            Part::People => ("person", "people"),
            Part::Keys => ("key", "keys"),
            Part::Notifications => ("trigger", "triggers"),
            Part::Hardening => ("setting", "settings"),
        }
    }

    /// The step that is verified against it.
    pub fn step(self) -> StepId {
        match self {
            Part::Products => StepId::Subscription,
            Part::Region => StepId::Region,
            Part::Communities => StepId::Communities,
            Part::Roles => StepId::Roles,
            Part::People => StepId::Users,
            Part::Keys => StepId::Keys,
            Part::Notifications => StepId::Notifications,
            Part::Hardening => StepId::Hardening,
        }
    }

    /// Whether its names are for operators alone: people's and keys'.
    pub fn is_personal(self) -> bool {
        matches!(self, Part::People | Part::Keys)
    }

    /// Whether a request can bring what is missing of it.
    pub fn can_be_asked(self) -> bool {
        matches!(self, Part::Communities | Part::Roles | Part::People | Part::Keys)
    }

    /// The part that a step is verified against; none if it has none.
    pub fn of(step: StepId) -> Option<Part> {
        Part::ALL.into_iter().find(|part| part.step() == step)
    }

    /// By its own name, by that of one of its things, or by its step's.
    pub fn find(word: &str) -> Option<Part> {
        let word = fold(word);
        let named = |part: &Part| part.name() == word || part.nouns().0 == word || part.nouns().1 == word;
        Part::ALL.into_iter().find(named).or_else(|| Part::of(StepId::find(&word)?))
    }
}
