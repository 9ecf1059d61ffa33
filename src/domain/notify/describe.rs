//! A rule in plain words, and in the words that are typed for it.

use std::fmt;

use super::trigger::{Key, Trigger};
use super::values::{AlertStatus, short};
use super::watch::Watch;
use crate::chat::text::{quoted, shown};

/// Characters of a name in a sentence.
const NAME: usize = 60;

/// One line, harmless to show: `Alert raised, urgency 75 or more, rule "Brute force"`.
impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.conditions;
        let quoted = |name: &str| format!("\"{}\"", shown(name, NAME));
        match self.trigger {
            Trigger::NoEvents => {
                let intake =
                    c.intake.as_deref().map_or_else(|| "any intake".into(), |n| format!("intake {}", quoted(n)));
                write!(f, "No events from {intake} for {}", minutes(c.silent_for.unwrap_or_default()))?;
            }
            Trigger::PlaybookError => {
                let playbook =
                    c.playbook.as_deref().map_or_else(|| "any playbook".into(), |n| format!("playbook {}", quoted(n)));
                write!(f, "{} of {playbook}", if c.crashed { "Crash" } else { "Error" })?;
            }
            other => f.write_str(other.spec().title)?,
        }
        if let Some(n) = c.urgency {
            write!(f, ", urgency {n} or more")?;
        }
        if !c.status.is_empty() {
            let names: Vec<_> = c.status.iter().map(|s| s.name()).collect();
            write!(f, ", status {}", names.join(" or "))?;
        }
        let names = [("rule", &c.rule), ("entity", &c.entity), ("asset", &c.asset), ("community", &c.community)];
        for (what, name) in names {
            if let Some(name) = name {
                write!(f, ", {what} {}", quoted(name))?;
            }
        }
        Ok(())
    }
}

/// `30 minutes`, `1 hour`, `24 hours`.
pub fn minutes(n: u16) -> String {
    match n {
        60 => "1 hour".into(),
        n if n > 0 && n.is_multiple_of(60) => format!("{} hours", n / 60),
        n => crate::chat::text::count(n.into(), "minute", "minutes"),
    }
}

impl Watch {
    /// What is typed after `notify add` for this rule. Read again, it gives this rule.
    pub fn words(&self) -> String {
        let c = &self.conditions;
        let spec = self.trigger.spec();
        let mut words = spec.words.to_owned();
        let mut say = |word: String| {
            words.push(' ');
            words.push_str(&word);
        };
        if let Some(n) = c.urgency {
            say(format!("urgency>={n}"));
        }
        if !c.status.is_empty() {
            say(format!("status={}", c.status.iter().map(|s: &AlertStatus| s.name()).collect::<Vec<_>>().join(",")));
        }
        let names = [
            (Key::Intake, &c.intake),
            (Key::Playbook, &c.playbook),
            (Key::Rule, &c.rule),
            (Key::Entity, &c.entity),
            (Key::Asset, &c.asset),
            (Key::Community, &c.community),
        ];
        for (key, name) in names {
            let Some(name) = name else { continue };
            let name = quoted(name);
            say(if spec.names == Some(key) { name } else { format!("{}={name}", key.name()) });
        }
        if c.crashed {
            say(Key::Crashed.name().into());
        }
        if let Some(minutes) = c.silent_for {
            say(format!("for {}", short(minutes)));
        }
        words
    }
}
