//! Why words were not understood, and what to type instead.

use std::fmt;

use super::table::Spec;
use crate::text::shown;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Unknown {
        word: String,
        near: Option<&'static str>,
    },
    Missing {
        spec: &'static Spec,
        what: &'static str,
    },
    BadValue {
        spec: &'static Spec,
        value: String,
        what: &'static str,
        hint: String,
    },
    Leftover {
        spec: &'static Spec,
        text: String,
    },
    /// In the answer to one of a form's questions, by its place.
    Answer {
        place: usize,
        fault: Box<Fault>,
    },
}

impl Fault {
    /// The place of the form's field that it is about; the first one if it does not say.
    pub fn place(&self) -> usize {
        match self {
            Fault::Answer { place, .. } => *place,
            _ => 0,
        }
    }

    /// The right way to say it, if the command was recognised.
    pub fn usage(&self) -> Option<String> {
        match self {
            Fault::Unknown { .. } => None,
            Fault::Answer { fault, .. } => fault.usage(),
            Fault::Missing { spec, .. } | Fault::BadValue { spec, .. } | Fault::Leftover { spec, .. } => {
                Some(spec.usage())
            }
        }
    }

    pub fn example(&self) -> Option<&'static str> {
        match self {
            Fault::Unknown { near, .. } => *near,
            Fault::Answer { fault, .. } => fault.example(),
            Fault::Missing { spec, .. } | Fault::BadValue { spec, .. } | Fault::Leftover { spec, .. } => {
                Some(spec.example)
            }
        }
    }
}

/// One sentence, harmless to show.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Answer { fault, .. } => fault.fmt(f),
            Fault::Unknown { word, near: Some(near) } => {
                write!(f, "I do not know \"{}\". Did you mean \"{near}\"?", shown(word, 60))
            }
            Fault::Unknown { word, near: None } => {
                write!(f, "I do not know \"{}\". \"help\" lists what I understand.", shown(word, 60))
            }
            Fault::Missing { spec, what } => write!(f, "\"{}\" needs to know {what}.", spec.name),
            Fault::BadValue { value, what, hint, .. } => {
                let stop = if hint.ends_with('?') { "" } else { "." };
                write!(f, "\"{}\" is not {what}: {hint}{stop}", shown(value, 60))
            }
            Fault::Leftover { spec, text } => {
                write!(f, "\"{}\" does not take \"{}\".", spec.name, shown(text, 60))
            }
        }
    }
}
