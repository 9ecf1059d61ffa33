//! What follows from something that happened: a card begins, changes or counts, and the channel's log
//! takes in what of it belongs there.
//!
//! Nothing is read here. [`happened`] says what it lacks; when that was read it is asked again, with all
//! that was read so far.

use jiff::Timestamp;

use super::card::{Acknowledged, Card};
use super::journal::Entry;
use super::log::{ChannelLog, Noted};
use super::occurrence::{Alert, Occurrence, Silence, What};
use super::storm::Place;
use super::values::AlertStatus;
use crate::chat::ChannelKey;

/// The rule that stands for Sekoia's own ones, of which nothing is known but that they fired.
const VENDOR_RULE: u32 = 0;

/// Something that happened, as one channel sees it.
#[derive(Debug, Clone, Copy)]
pub struct Firing<'a> {
    pub channel: &'a ChannelKey,
    pub occurrence: &'a Occurrence,
    /// The numbers of the channel's rules that fire for it; perhaps none.
    pub rules: &'a [u32],
    /// A rule of Sekoia's own reported it.
    pub webhook: bool,
}

/// What is stored of a channel, as far as it was read.
pub trait Stored {
    fn log(&self) -> Result<&ChannelLog, Missing>;
    /// The card of this key, if there is one.
    fn card(&self, key: &str) -> Result<Option<&Card>, Missing>;
    /// Whether the channel was notified of it before.
    fn is_known(&self, occurrence: &Occurrence) -> Result<bool, Missing>;
}

/// What has to be read first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    Log,
    Card(String),
    Known,
}

/// What follows, to be committed whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Cards as they are to be, by key. None is here that stays as it is.
    pub cards: Vec<(String, Card)>,
    pub log: Vec<Noted>,
    /// When that is noted.
    pub at: Timestamp,
    /// Something begins: from now on the occurrence is known.
    pub begins: bool,
}

/// What follows from it at `now`. `first`: the place of a message that begins, later than that of every
/// other message of the channel.
pub fn happened(
    firing: &Firing<'_>,
    stored: &impl Stored,
    now: Timestamp,
    first: Timestamp,
) -> Result<Outcome, Missing> {
    for key in firing.cards(stored)? {
        if let Some(card) = stored.card(&key)? {
            return Ok(firing.changes(key, card, now));
        }
    }
    let nothing = Outcome { cards: Vec::new(), log: Vec::new(), at: now, begins: false };
    // The end of something that was not said is not said either.
    let is_end = matches!(firing.occurrence.what, What::Resumed(_));
    if is_end || (firing.rules.is_empty() && !firing.webhook) || stored.is_known(firing.occurrence)? {
        return Ok(nothing);
    }
    firing.begins(stored, first)
}

impl Firing<'_> {
    /// The keys of the messages that it may belong to: to the first that is there.
    fn cards(&self, stored: &impl Stored) -> Result<Vec<String>, Missing> {
        let own = || Card::key(self.channel, self.occurrence);
        let (What::Silent(silence) | What::Resumed(silence)) = &self.occurrence.what else { return Ok(vec![own()]) };
        let running = stored.log()?.silent.get(&intake(silence)).cloned();
        let own = matches!(self.occurrence.what, What::Silent(_)).then(own);
        Ok(running.into_iter().chain(own).collect())
    }

    /// Something of which a message is there.
    fn changes(&self, key: String, before: &Card, now: Timestamp) -> Outcome {
        let occurrence = self.occurrence;
        let mut card = before.clone();
        let more: Vec<u32> = self.rules.iter().copied().filter(|rule| !card.rules.contains(rule)).collect();
        let last = card.fired.unwrap_or(card.first);
        // Of each thing, one firing is the first: one of these, if no rule fired before.
        let fresh = usize::from(card.rules.is_empty());
        card.rules.extend(&more);
        // A storm is of one rule, whatever else reports what is in it.
        card.webhook |= self.webhook && card.swarm.is_none();
        let mut entries: Vec<Entry> = more.iter().take(fresh).filter_map(|r| Entry::fired(*r, occurrence)).collect();
        for (i, rule) in more.iter().enumerate().skip(fresh) {
            entries.extend(Entry::fired_again(*rule, occurrence, if i == 0 { last } else { now }));
        }
        if !more.is_empty() {
            card.fired = Some(now);
        }
        let mut log: Vec<Noted> = entries.into_iter().map(Noted::Entry).collect();
        match &occurrence.what {
            What::Resumed(silence) => {
                match &card.swarm {
                    Some(_) => card.again.add(silence.intake.label()),
                    None => card.back = card.back.or(Some(occurrence.at)),
                }
                log.push(Noted::Resumed { intake: intake(silence) });
            }
            What::Silent(silence) if card.back.is_some() => {
                // It came again as if it had never ended.
                card.back = None;
                card.occurrence = occurrence.clone();
                log.push(Noted::Silent { intake: intake(silence), key: key.clone() });
            }
            // It was read before it was acknowledged here.
            What::AlertRaised(_) | What::AlertUpdated(_)
                if status(occurrence) == Some(AlertStatus::Pending)
                    && card.acknowledged.as_ref().is_some_and(|done| occurrence.at <= done.at) => {}
            What::AlertRaised(_) | What::AlertUpdated(_) => {
                // Every report is of the alert as it was when it was read.
                card.occurrence = shown(&card.occurrence, occurrence);
                card.gone = false;
                match status(occurrence) {
                    Some(AlertStatus::Acknowledged) if card.acknowledged.is_none() => {
                        let at = occurrence.at.min(now);
                        card.acknowledged = Some(Acknowledged { by: None, at });
                        log.extend(card.waited(at));
                    }
                    Some(AlertStatus::Pending) => card.acknowledged = None,
                    _ => {}
                }
            }
            // Late frames say how it was before.
            _ if occurrence.at >= card.occurrence.at => card.occurrence = shown(&card.occurrence, occurrence),
            _ => {}
        }
        log.extend(more.iter().map(|rule| Noted::Fired { rule: *rule }));
        let cards = if card == *before { Vec::new() } else { vec![(key, card)] };
        Outcome { cards, log, at: now, begins: false }
    }

    /// Something that nothing was said of yet.
    fn begins(&self, stored: &impl Stored, first: Timestamp) -> Result<Outcome, Missing> {
        let (channel, occurrence, rules) = (self.channel, self.occurrence, self.rules);
        let known = stored.log()?;
        let urgency = occurrence.what.alert().and_then(|alert| alert.urgency);
        let mut log = Vec::new();
        let mut own = false;
        let mut swarms = Vec::new();
        let vendors = (self.webhook && rules.is_empty()).then_some(VENDOR_RULE);
        for (i, rule) in rules.iter().copied().chain(vendors).enumerate() {
            let entries = match i {
                _ if rule == VENDOR_RULE => Vec::new(),
                0 => Entry::fired(rule, occurrence).into_iter().collect(),
                _ => Entry::fired_again(rule, occurrence, first),
            };
            log.extend(entries.into_iter().map(Noted::Entry));
            let mut storm = known.storms.get(&rule).cloned().unwrap_or_default();
            match storm.fired(urgency, occurrence.what.name(), first).1 {
                Place::OwnCard => own = true,
                Place::Starts(swarm) | Place::Joins(swarm) => swarms.push((rule, swarm)),
            }
            log.push(Noted::Storm { rule, storm });
        }
        log.extend(rules.iter().map(|rule| Noted::Fired { rule: *rule }));
        let silent = |key: &str| match &occurrence.what {
            What::Silent(silence) => Some(Noted::Silent { intake: intake(silence), key: key.to_owned() }),
            _ => None,
        };
        if own {
            let key = Card::key(channel, occurrence);
            log.extend(silent(&key));
            let mut card = Card::new(channel, occurrence.clone(), first);
            card.rules = rules.to_vec();
            card.webhook = self.webhook;
            if let What::AlertRaised(_) = occurrence.what {
                card.raised = Some(occurrence.at);
            }
            if status(occurrence) == Some(AlertStatus::Acknowledged) {
                card.acknowledged = Some(Acknowledged { by: None, at: occurrence.at });
            }
            return Ok(Outcome { cards: vec![(key, card)], log, at: first, begins: true });
        }
        let mut cards = Vec::new();
        for (rule, swarm) in swarms {
            let key = Card::storm_key(channel, rule, &swarm);
            log.extend(silent(&key));
            // Its end is not followed.
            if occurrence.what.alert().is_some() && rule != VENDOR_RULE {
                log.push(Noted::Entry(Entry::Swarmed { rule }));
            }
            let there = stored.card(&key)?.cloned();
            let mut card = there.unwrap_or_else(|| {
                let mut card = Card::new(channel, occurrence.clone(), first);
                card.rules = if rule == VENDOR_RULE { Vec::new() } else { vec![rule] };
                card.webhook = rule == VENDOR_RULE;
                card
            });
            (card.swarm, card.over) = (Some(swarm), false);
            card.occurrence = occurrence.clone();
            cards.push((key, card));
        }
        Ok(Outcome { cards, log, at: first, begins: true })
    }
}

/// The same message goes on: what a later report leaves out is as it was.
fn shown(before: &Occurrence, now: &Occurrence) -> Occurrence {
    let mut next = now.clone();
    next.community_name = next.community_name.or_else(|| before.community_name.clone());
    let shown = |what: &What| {
        what.alert().map(|alert| Alert { status_changed: None, acknowledged_after: None, ..alert.clone() })
    };
    if shown(&before.what).is_some() && shown(&before.what) == shown(&next.what) {
        // Nothing that is shown: not worth an edit.
        return before.clone();
    }
    next
}

fn status(occurrence: &Occurrence) -> Option<AlertStatus> {
    AlertStatus::find(occurrence.what.alert()?.status.as_deref()?)
}

fn intake(silence: &Silence) -> Box<str> {
    silence.intake.uuid.clone().unwrap_or_default()
}
