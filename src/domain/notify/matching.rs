//! Which rules fire for an occurrence.
//!
//! Rules of all channels are kept by community and trigger, with their names folded: an
//! occurrence is compared with the few rules that may be about it, and only with numbers and
//! ready strings.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use uuid::Uuid;

use super::occurrence::{Named, Occurrence, What};
use super::state::{Rule, Rules, muted};
use super::trigger::Trigger;
use super::values::AlertStatus;
use crate::chat::ChannelKey;
use crate::chat::text::fold;

/// A rule of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleKey {
    pub channel: ChannelKey,
    pub number: u32,
}

/// The rules of many channels, ready to be compared.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    by: HashMap<(Uuid, Trigger), Vec<(RuleKey, Ready)>>,
}

/// Whether `rule` fires for `occurrence`, which is of a community of the rule's channel.
pub fn matches(rule: &Rule, occurrence: &Occurrence, now: Timestamp) -> bool {
    Some(rule.watch.trigger) == occurrence.what.trigger() && Ready::new(rule).fires(&Facts::new(occurrence), now)
}

impl RuleSet {
    /// Takes in a channel's rules, instead of those that it had. `communities`: those that the
    /// channel is about.
    pub fn set(&mut self, channel: &ChannelKey, communities: &[Uuid], rules: &Rules) {
        self.remove(channel);
        let communities: BTreeSet<&Uuid> = communities.iter().collect();
        for rule in rules.rules.iter().filter(|rule| !rule.paused) {
            for community in &communities {
                let key = RuleKey { channel: channel.clone(), number: rule.number };
                let place = self.by.entry((**community, rule.watch.trigger)).or_default();
                place.push((key, Ready::new(rule)));
            }
        }
    }

    pub fn remove(&mut self, channel: &ChannelKey) {
        self.by.retain(|_, rules| {
            rules.retain(|(key, _)| key.channel != *channel);
            !rules.is_empty()
        });
    }

    /// The rules that fire, channel by channel in the order in which they were taken in.
    pub fn fired(&self, occurrence: &Occurrence, now: Timestamp) -> Vec<&RuleKey> {
        let waiting = occurrence.what.trigger().and_then(|trigger| self.by.get(&(occurrence.community, trigger)));
        let Some(rules) = waiting else { return Vec::new() };
        let facts = Facts::new(occurrence);
        rules.iter().filter(|(_, rule)| rule.fires(&facts, now)).map(|(key, _)| key).collect()
    }

    /// Whether anybody waits for something of this trigger, anywhere.
    pub fn waits_for(&self, trigger: Trigger) -> bool {
        self.by.keys().any(|(_, waited)| *waited == trigger)
    }
}

/// A rule's conditions, ready to be compared.
#[derive(Debug, Clone)]
struct Ready {
    paused: bool,
    muted_until: Option<Timestamp>,
    urgency: u8,
    status: BTreeSet<AlertStatus>,
    rule: Option<Box<str>>,
    entity: Option<Box<str>>,
    asset: Option<Box<str>>,
    community: Option<Box<str>>,
    intake: Option<Box<str>>,
    playbook: Option<Box<str>>,
    silent_for: Option<u16>,
    crashed: bool,
}

impl Ready {
    fn new(rule: &Rule) -> Self {
        let c = &rule.watch.conditions;
        let folded = |name: &Option<Box<str>>| name.as_deref().map(|name| fold(name).into_boxed_str());
        Self {
            paused: rule.paused,
            muted_until: rule.muted_until,
            urgency: c.urgency.unwrap_or_default(),
            status: c.status.clone(),
            rule: folded(&c.rule),
            entity: folded(&c.entity),
            asset: folded(&c.asset),
            community: folded(&c.community),
            intake: folded(&c.intake),
            playbook: folded(&c.playbook),
            silent_for: c.silent_for,
            crashed: c.crashed,
        }
    }

    fn fires(&self, facts: &Facts<'_>, now: Timestamp) -> bool {
        if self.paused || muted(self.muted_until, now) {
            return false;
        }
        if !is(self.community.as_deref(), &facts.community) {
            return false;
        }
        match facts.what {
            What::AlertRaised(alert) | What::AlertUpdated(alert) => {
                // An alert whose urgency nobody knows is none of which it could be said.
                let urgent = self.urgency == 0 || alert.urgency.is_some_and(|n| n >= self.urgency);
                let status = self.status.is_empty()
                    || (alert.status_changed != Some(false) && facts.status.is_some_and(|s| self.status.contains(&s)));
                urgent
                    && status
                    && is(self.rule.as_deref(), &facts.rule)
                    && is(self.entity.as_deref(), &facts.entity)
                    && self.asset.as_deref().is_none_or(|name| facts.assets.iter().any(|asset| asset.is(name)))
            }
            What::Silent(silence) | What::Resumed(silence) => {
                self.silent_for == Some(silence.minutes) && is(self.intake.as_deref(), &facts.source)
            }
            What::PlaybookError(playbook) => {
                (playbook.crashed || !self.crashed) && is(self.playbook.as_deref(), &facts.source)
            }
            // Sekoia's triggers are about automatic cases.
            What::CaseCreated(case) | What::CaseUpdated(case) => case.manual != Some(true),
            What::ConnectorError(_) | What::Other { .. } | What::Reported { .. } => true,
        }
    }
}

fn is(wanted: Option<&str>, found: &Folded) -> bool {
    wanted.is_none_or(|wanted| found.is(wanted))
}

/// What an occurrence says, ready to be compared with many rules.
struct Facts<'a> {
    what: &'a What,
    community: Folded,
    status: Option<AlertStatus>,
    rule: Folded,
    entity: Folded,
    assets: Vec<Folded>,
    /// The intake or the playbook.
    source: Folded,
}

/// Name and identifier, folded.
#[derive(Default)]
struct Folded {
    name: Option<String>,
    uuid: Option<String>,
}

impl Folded {
    fn new(named: &Named) -> Self {
        let folded = |text: &Option<Box<str>>| text.as_deref().map(fold);
        Self { name: folded(&named.name), uuid: folded(&named.uuid) }
    }

    fn is(&self, wanted: &str) -> bool {
        self.name.as_deref() == Some(wanted) || self.uuid.as_deref() == Some(wanted)
    }
}

impl<'a> Facts<'a> {
    fn new(occurrence: &'a Occurrence) -> Self {
        let what = &occurrence.what;
        let name = occurrence.community_name.as_deref().map(fold);
        let community = Folded { name, uuid: Some(occurrence.community.to_string()) };
        let alert = what.alert();
        let folded = |named: Option<&Named>| named.map(Folded::new).unwrap_or_default();
        let source = match what {
            What::Silent(silence) | What::Resumed(silence) => Folded::new(&silence.intake),
            What::PlaybookError(playbook) => Folded::new(&playbook.playbook),
            _ => Folded::default(),
        };
        Self {
            what,
            community,
            status: alert.and_then(|a| AlertStatus::find(a.status.as_deref()?.trim())),
            rule: folded(alert.and_then(|a| a.rule.as_ref())),
            entity: folded(alert.and_then(|a| a.entity.as_ref())),
            assets: alert.map(|a| a.assets.iter().map(Folded::new).collect()).unwrap_or_default(),
            source,
        }
    }
}
