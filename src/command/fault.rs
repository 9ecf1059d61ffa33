//! Why words were not understood, and what to type instead.

use std::fmt;

use super::spec::Spec;
use crate::chat::text::shown;
use crate::chat::view::Line;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Unknown {
        word: String,
        near: Option<&'static str>,
        /// What followed it.
        rest: String,
    },
    Missing {
        spec: &'static Spec,
        what: &'static str,
    },
    BadValue {
        spec: &'static Spec,
        value: String,
        what: &'static str,
        /// The program's own words, in which backticks mark what can be typed.
        hint: String,
        /// The whole command, if it is known which was meant.
        instead: Option<String>,
    },
    Leftover {
        spec: &'static Spec,
        text: String,
    },
    /// In what was filled into one of a form's fields.
    Answer {
        field: &'static str,
        fault: Box<Fault>,
    },
    /// The words of a form that was not filled in, or of one that an older release opened.
    NoForm {
        spec: &'static Spec,
    },
}

impl Fault {
    /// The name of the form's field that it is about, if it is about one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Fault::Answer { field, .. } => Some(field),
            _ => None,
        }
    }

    /// The right way to say it, if the command was recognised.
    pub fn usage(&self) -> Option<String> {
        match self {
            Fault::Unknown { .. } => None,
            Fault::Answer { fault, .. } => fault.usage(),
            Fault::Missing { spec, .. }
            | Fault::BadValue { spec, .. }
            | Fault::Leftover { spec, .. }
            | Fault::NoForm { spec } => Some(spec.usage()),
        }
    }

    /// What to type instead, after `/sekoia`.
    pub fn example(&self) -> Option<String> {
        match self {
            Fault::Unknown { near, rest, .. } => near.map(|near| meant(near, rest)),
            Fault::Answer { fault, .. } => fault.example(),
            Fault::BadValue { instead: Some(instead), .. } => Some(shown(instead, MOST_SHOWN)),
            Fault::Missing { spec, .. }
            | Fault::BadValue { spec, .. }
            | Fault::Leftover { spec, .. }
            | Fault::NoForm { spec } => Some(spec.example.to_owned()),
        }
    }

    /// The same sentence with what can be typed as code; what was typed is never markup.
    pub fn line(&self) -> Line {
        let quoted = |text: &str| Line::new().say(format!("\"{}\"", shown(text, 60)));
        match self {
            Fault::Answer { fault, .. } => fault.line(),
            Fault::Unknown { word, near, rest } => {
                let line = Line::new().say("Unknown command ").append(quoted(word));
                match near {
                    Some(near) => line.say(". Did you mean ").code(meant(near, rest)).say("?"),
                    None => line.say(". ").code("/sekoia help").say(" lists the commands."),
                }
            }
            Fault::Missing { spec, what } => {
                Line::new().code(spec.name).say(" needs to know ").append(Line::marked(what)).say(".")
            }
            Fault::BadValue { value, what, hint, .. } => {
                let stop = if hint.ends_with('?') { "" } else { "." };
                quoted(value).say(format!(" is not {what}: ")).append(Line::marked(hint)).say(stop)
            }
            Fault::NoForm { spec } => {
                let line = Line::new().say("This form was opened before an upgrade, or was not filled in. Type ");
                line.code(format!("/sekoia {}", spec.name)).say(" to open it again.")
            }
            Fault::Leftover { spec, text } => {
                Line::new().code(spec.name).say(" does not take ").append(quoted(text)).say(".")
            }
        }
    }
}

/// Characters of a command that is suggested.
const MOST_SHOWN: usize = 200;

fn meant(near: &str, rest: &str) -> String {
    shown(format!("{near} {rest}").trim_end(), MOST_SHOWN)
}

/// One sentence, harmless to show.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Answer { fault, .. } => fault.fmt(f),
            Fault::Unknown { word, near: Some(near), rest } => {
                write!(f, "Unknown command \"{}\". Did you mean \"{}\"?", shown(word, 60), meant(near, rest))
            }
            Fault::Unknown { word, near: None, .. } => {
                write!(f, "Unknown command \"{}\". \"/sekoia help\" lists the commands.", shown(word, 60))
            }
            Fault::Missing { spec, what } => write!(f, "\"{}\" needs to know {what}.", spec.name),
            Fault::BadValue { value, what, hint, .. } => {
                let stop = if hint.ends_with('?') { "" } else { "." };
                write!(f, "\"{}\" is not {what}: {hint}{stop}", shown(value, 60))
            }
            Fault::NoForm { spec } => write!(
                f,
                "This form was opened before an upgrade, or was not filled in. Type \"/sekoia {}\" to open it again.",
                spec.name
            ),
            Fault::Leftover { spec, text } => {
                write!(f, "\"{}\" does not take \"{}\".", spec.name, shown(text, 60))
            }
        }
    }
}
