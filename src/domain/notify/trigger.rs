//! Sekoia's twelve triggers, by their documented meaning, and the conditions that each takes.
//!
//! Five of them only Sekoia itself can tell of, and what it posts then does not say which it was: no
//! rule here could fire for them. They are known nevertheless, to say what to do instead.

use serde::{Deserialize, Serialize};

use crate::chat::text::{fold, same};

/// What a rule waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    AlertRaised,
    AlertUpdated,
    /// Automatically: cases that people open are not meant.
    CaseCreated,
    CaseEdited,
    /// A detection rule raised 30 different alerts in 30 seconds and is held for 30 minutes.
    RuleRateLimited,
    /// In Sekoia's catalogue.
    RuleAdded,
    RuleToBeDeprecated,
    RuleDeprecated,
    ReportAvailable,
    /// An intake fell silent.
    NoEvents,
    PlaybookError,
    ConnectorError,
}

/// What can be asked of an occurrence. `Crashed` alone is a word without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    Urgency,
    Status,
    Rule,
    Entity,
    Asset,
    Community,
    Intake,
    Playbook,
    For,
    Crashed,
}

/// One row of the table of triggers.
#[derive(Debug)]
pub struct TriggerSpec {
    pub trigger: Trigger,
    /// As it is typed.
    pub words: &'static str,
    pub aliases: &'static [&'static str],
    /// As it is shown.
    pub title: &'static str,
    pub takes: &'static [Key],
    /// The condition that a bare name after the trigger stands for.
    pub names: Option<Key>,
    /// Evaluated here. Otherwise only a rule of Sekoia's own can tell of it.
    pub evaluated: bool,
}

/// What to do about a trigger that is not evaluated here.
pub(super) const BY_WEBHOOK: &str = "Sekoia's API does not tell of this; make a notification rule in Sekoia's console that posts to this channel's webhook: what it posts is shown here. `/sekoia notify webhook` shows how";

const ALERT: &[Key] = &[Key::Urgency, Key::Status, Key::Rule, Key::Entity, Key::Asset, Key::Community];
const ANYWHERE: &[Key] = &[Key::Community];

const fn here(trigger: Trigger, words: &'static str, title: &'static str, takes: &'static [Key]) -> TriggerSpec {
    TriggerSpec { trigger, words, aliases: &[], title, takes, names: None, evaluated: true }
}

const fn webhook(trigger: Trigger, words: &'static str, title: &'static str) -> TriggerSpec {
    TriggerSpec { trigger, words, aliases: &[], title, takes: ANYWHERE, names: None, evaluated: false }
}

impl TriggerSpec {
    const fn aka(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn named(mut self, key: Key) -> Self {
        self.names = Some(key);
        self
    }

    /// What may follow its words, for whoever typed something else.
    pub fn usage(&self) -> String {
        let example = |key: &Key| match (self.trigger, key) {
            // No other can be.
            (Trigger::AlertRaised, Key::Status) => "status=Pending",
            (_, key) => key.example(),
        };
        let examples: Vec<String> = self.takes.iter().map(|key| format!("`{}`", example(key))).collect();
        format!("`{}` takes {}", self.words, examples.join(", "))
    }
}

/// In Sekoia's order; the place of a row is its trigger.
pub static TRIGGERS: [TriggerSpec; Trigger::COUNT] = [
    here(Trigger::AlertRaised, "alert", "Alert raised", ALERT).aka(&["alerts", "alert raised", "alert created"]),
    here(Trigger::AlertUpdated, "alert updated", "Alert updated", ALERT).aka(&["alert update", "alert changed"]),
    here(Trigger::CaseCreated, "case", "Case created automatically", ANYWHERE).aka(&["cases", "case created"]),
    here(Trigger::CaseEdited, "case edited", "Automatic case edited", ANYWHERE).aka(&["case updated", "case changed"]),
    webhook(Trigger::RuleRateLimited, "rule limited", "Detection rule rate-limited").aka(&["rule rate-limited"]),
    webhook(Trigger::RuleAdded, "rule new", "New rule in the catalogue").aka(&["rule added"]),
    webhook(Trigger::RuleToBeDeprecated, "rule deprecating", "Rule to be deprecated").aka(&["rule to-be-deprecated"]),
    webhook(Trigger::RuleDeprecated, "rule deprecated", "Rule deprecated"),
    webhook(Trigger::ReportAvailable, "report", "Report available").aka(&["reports", "report available"]),
    here(Trigger::NoEvents, "silent", "No events received", &[Key::Intake, Key::For, Key::Community])
        .aka(&["silence", "silent intake"])
        .named(Key::Intake),
    here(Trigger::PlaybookError, "playbook", "Playbook error", &[Key::Playbook, Key::Crashed, Key::Community])
        .aka(&["playbooks", "playbook error"])
        .named(Key::Playbook),
    here(Trigger::ConnectorError, "connector", "Connector error", ANYWHERE).aka(&["connectors", "connector error"]),
];

impl Trigger {
    pub const COUNT: usize = 12;

    pub fn all() -> impl Iterator<Item = Trigger> {
        TRIGGERS.iter().map(|spec| spec.trigger)
    }

    pub fn spec(self) -> &'static TriggerSpec {
        &TRIGGERS[self as usize]
    }

    /// By the words that are typed for it, in any case.
    pub fn find(words: &str) -> Option<Trigger> {
        let words = fold(words);
        let row = TRIGGERS.iter().find(|s| s.words == words || s.aliases.contains(&words.as_str()));
        row.map(|spec| spec.trigger)
    }
}

impl Key {
    pub const ALL: [Key; 10] = [
        Key::Urgency,
        Key::Status,
        Key::Rule,
        Key::Entity,
        Key::Asset,
        Key::Community,
        Key::Intake,
        Key::Playbook,
        Key::For,
        Key::Crashed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Key::Urgency => "urgency",
            Key::Status => "status",
            Key::Rule => "rule",
            Key::Entity => "entity",
            Key::Asset => "asset",
            Key::Community => "community",
            Key::Intake => "intake",
            Key::Playbook => "playbook",
            Key::For => "for",
            Key::Crashed => "crashed",
        }
    }

    /// How it is typed.
    pub fn example(self) -> &'static str {
        match self {
            Key::Urgency => "urgency>=75",
            Key::Status => "status=Closed",
            Key::Rule => "rule=\"Brute force\"",
            Key::Entity => "entity=\"HQ\"",
            Key::Asset => "asset=<UUID>",
            Key::Community => "community=\"Nimbus\"",
            Key::Intake => "intake=\"Okta\"",
            Key::Playbook => "playbook=\"Enrich IPs\"",
            Key::For => "for 30m",
            Key::Crashed => "crashed",
        }
    }

    pub fn find(name: &str) -> Option<Key> {
        Key::ALL.into_iter().find(|key| same(key.name(), name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_triggers_and_words_are_unique() {
        let mut words = Vec::new();
        for (i, spec) in TRIGGERS.iter().enumerate() {
            assert_eq!(spec.trigger as usize, i);
            words.push(spec.words);
            words.extend(spec.aliases);
        }
        assert!(words.iter().all(|w| Trigger::find(&w.to_uppercase()).is_some()));
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
        assert_eq!(Trigger::all().filter(|t| t.spec().evaluated).count(), 7);
    }
}
