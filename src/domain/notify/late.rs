//! Many cards of one rule that waited for the chat become one.

use std::collections::BTreeMap;

use super::card::Card;
use super::log::Noted;
use super::occurrence::What;
use super::storm::{Names, OWN_CARDS, Swarm};
use crate::chat::ChannelKey;

/// One card in the place of many.
#[derive(Debug, Clone, PartialEq)]
pub struct Late {
    pub key: String,
    pub card: Card,
    /// The keys of those that it takes the place of.
    pub replaces: Vec<String>,
    pub log: Vec<Noted>,
}

/// Makes one card of what waits for the chat, if it is much. `waiting`: with their keys, the oldest
/// first. The first is left out: it may have been posted already.
pub fn gather(channel: &ChannelKey, waiting: &[(&str, &Card)]) -> Option<Late> {
    let mut by_rule: BTreeMap<u32, Vec<(&str, &Card)>> = BTreeMap::new();
    for (key, card) in waiting.iter().skip(1) {
        // A storm that counts is one message already.
        let counts = card.swarm.is_some() && !card.late;
        if let Some(rule) = card.rules.first().filter(|_| !card.sample && !counts) {
            by_rule.entry(*rule).or_default().push((key, card));
        }
    }
    let (rule, cards) = by_rule.into_iter().find(|(_, cards)| cards.len() > OWN_CARDS)?;
    let ((_, oldest), (_, newest)) = (cards.first()?, cards.last()?);
    let key = Card::late_key(channel, rule, oldest.first);
    let mut late = Card::new(channel, newest.occurrence.clone(), oldest.first);
    let mut swarm = Swarm { count: 0, first: oldest.first, last: newest.first, worst: None, names: Names::default() };
    let mut log = Vec::new();
    for (of, card) in &cards {
        let what = &card.occurrence.what;
        if let Some(many) = &card.swarm {
            swarm.count += many.count;
            swarm.worst = swarm.worst.max(many.worst);
            swarm.first = swarm.first.min(many.first);
            swarm.names.join(&many.names);
            late.again.join(&card.again);
        } else {
            swarm.count += 1;
            swarm.worst = swarm.worst.max(what.alert().and_then(|alert| alert.urgency));
            swarm.first = swarm.first.min(card.first);
            swarm.names.add(what.name());
            if card.back.is_some() {
                late.again.add(what.name());
            }
        }
        if let What::Silent(_) | What::Resumed(_) = what {
            // Their end is to be told where they are.
            log.push(Noted::Moved { from: (*of).to_owned(), to: key.clone() });
        }
    }
    (late.rules, late.swarm, late.late) = (vec![rule], Some(swarm), true);
    let replaces = cards.iter().map(|(of, _)| (*of).to_owned()).filter(|of| *of != key).collect();
    Some(Late { key, card: late, replaces, log })
}
