//! What a rule watches for: a trigger with its conditions, checked, and as words.
//!
//! Reading the words that somebody typed is `command`'s; what they may mean is decided here, for
//! typed words and forms alike.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::trigger::{BY_WEBHOOK, Key, Trigger};
use super::values::{AlertStatus, Impossible, asset, impossible, name, short, silence, statuses, urgency};
use crate::chat::text::{fold, shown};

/// A trigger and its conditions, all of which have to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    pub trigger: Trigger,
    #[serde(default)]
    pub conditions: Conditions,
}

/// Names are compared whole, in any case; Sekoia's identifiers do as well.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conditions {
    /// At least this number, of 100; labels are not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<u8>,
    /// Any of these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub status: BTreeSet<AlertStatus>,
    /// The detection rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Box<str>>,
    /// By its UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intake: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<Box<str>>,
    /// Minutes without events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_for: Option<u16>,
    /// Not every failed run: only when it crashed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub crashed: bool,
}

/// As `command::Fault` says it.
impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stop = if self.hint.ends_with('?') { "" } else { "." };
        write!(f, "\"{}\" is not {}: {}{stop}", shown(&self.value, 60), self.what, self.hint)
    }
}

/// Without `for`: what Sekoia recommends.
const SILENCE_DEFAULT: u16 = 60;

impl Watch {
    pub fn new(trigger: Trigger) -> Self {
        Self { trigger, conditions: Conditions::default() }
    }

    /// The three rules that Sekoia recommends.
    pub fn recommended() -> [Watch; 3] {
        let mut alert = Watch::new(Trigger::AlertRaised);
        alert.conditions.urgency = Some(75);
        let mut silent = Watch::new(Trigger::NoEvents);
        silent.conditions.silent_for = Some(SILENCE_DEFAULT);
        [alert, silent, Watch::new(Trigger::PlaybookError)]
    }

    /// Adds a condition as it was typed or answered.
    pub fn set(&mut self, key: Key, value: &str) -> Result<(), Impossible> {
        let said = || if key == Key::Crashed { key.name().to_owned() } else { format!("{} {value}", key.name()) };
        self.takes(key, said)?;
        if self.has(key) {
            return Err(impossible(&said(), "possible here", format!("`{}` was given already", key.name())));
        }
        let conditions = &mut self.conditions;
        match key {
            Key::Urgency => conditions.urgency = Some(urgency(value)?),
            Key::Status => conditions.status = statuses(value)?,
            Key::Rule => conditions.rule = Some(name(value)?),
            Key::Entity => conditions.entity = Some(name(value)?),
            Key::Asset => conditions.asset = Some(asset(value)?),
            Key::Community => conditions.community = Some(name(value)?),
            Key::Intake => conditions.intake = Some(name(value)?),
            Key::Playbook => conditions.playbook = Some(name(value)?),
            Key::For => conditions.silent_for = Some(silence(value)?),
            Key::Crashed => conditions.crashed = true,
        }
        Ok(())
    }

    /// The rule that was meant, once nothing more is said: complete and possible.
    pub fn finished(mut self) -> Result<Self, Impossible> {
        if self.trigger == Trigger::NoEvents {
            self.conditions.silent_for.get_or_insert(SILENCE_DEFAULT);
        }
        // Every alert has it.
        self.conditions.urgency = self.conditions.urgency.filter(|n| *n > 0);
        self.check()?;
        Ok(self)
    }

    /// Whether a rule like this can ever fire.
    pub fn check(&self) -> Result<(), Impossible> {
        for key in Key::ALL.into_iter().filter(|key| self.has(*key)) {
            self.takes(key, || key.example().to_owned())?;
        }
        let conditions = &self.conditions;
        for text in conditions.names().into_iter().flatten() {
            name(text)?;
        }
        if let Some(text) = &conditions.asset {
            asset(text)?;
        }
        if let Some(n) = conditions.urgency {
            urgency(&n.to_string())?;
        }
        match conditions.silent_for {
            Some(minutes) => silence(&short(minutes)).map(|_| ())?,
            None if self.trigger == Trigger::NoEvents => silence("").map(|_| ())?,
            None => {}
        }
        let later = conditions.status.iter().find(|status| **status != AlertStatus::Pending);
        match (self.trigger, later) {
            (Trigger::AlertRaised, Some(status)) => Err(impossible(
                &format!("status={}", status.name()),
                "possible when an alert is raised",
                format!("it begins as Pending; write `alert updated status={}`", status.name()),
            )),
            _ => Ok(()),
        }
    }

    fn takes(&self, key: Key, said: impl Fn() -> String) -> Result<(), Impossible> {
        let spec = self.trigger.spec();
        if spec.takes.contains(&key) {
            return Ok(());
        }
        let hint = if spec.evaluated { spec.usage() } else { BY_WEBHOOK.into() };
        Err(impossible(&said(), "a condition of this trigger", hint))
    }

    fn has(&self, key: Key) -> bool {
        let c = &self.conditions;
        match key {
            Key::Urgency => c.urgency.is_some(),
            Key::Status => !c.status.is_empty(),
            Key::Rule => c.rule.is_some(),
            Key::Entity => c.entity.is_some(),
            Key::Asset => c.asset.is_some(),
            Key::Community => c.community.is_some(),
            Key::Intake => c.intake.is_some(),
            Key::Playbook => c.playbook.is_some(),
            Key::For => c.silent_for.is_some(),
            Key::Crashed => c.crashed,
        }
    }

    /// Whether both fire for the same.
    pub fn is_same(&self, other: &Watch) -> bool {
        let (a, b) = (&self.conditions, &other.conditions);
        self.trigger == other.trigger
            && (a.urgency, &a.status, a.silent_for, a.crashed) == (b.urgency, &b.status, b.silent_for, b.crashed)
            && a.names().map(|n| n.map(fold)) == b.names().map(|n| n.map(fold))
    }
}

impl Conditions {
    fn names(&self) -> [Option<&str>; 6] {
        [&self.rule, &self.entity, &self.asset, &self.community, &self.intake, &self.playbook].map(Option::as_deref)
    }
}
