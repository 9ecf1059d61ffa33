//! The rules of one channel, with its webhook and its digests, as they are kept.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::digest::{Digest, Due, Every};
use super::watch::Watch;
use crate::chat::{Actor, Change};

/// A longer silence is a pause, which `notify` shows as such.
pub const LONGEST_MUTE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One rule of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// From 1, in the order in which rules were made; never given again.
    pub number: u32,
    #[serde(flatten)]
    pub watch: Watch,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
    pub by: Actor,
    pub at: Timestamp,
    /// Where its last sample is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Box<str>>,
    /// A sample went the whole way and somebody confirmed that it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<Change>,
}

/// By the rule's number, when it fired last.
pub type LastFired = BTreeMap<u32, Timestamp>;

/// How it is known that what a rule watches arrives in the channel, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Somebody confirmed that a sample arrived.
    Sample(Timestamp),
    Fired(Timestamp),
}

/// Where Sekoia's own rules post to. The token itself is shown once and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// [`token_hash`] of the token.
    pub hash: Box<str>,
    pub made: Change,
}

/// A digest and the last one that was sent of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    pub digest: Digest,
    pub set: Change,
    /// The planned instant of the last one sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Timestamp>,
}

/// Everything of one channel. How well its rules can be evaluated changes with every look and is
/// therefore not in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// The number of the next rule.
    pub next: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<Planned>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<Planned>,
}

/// Which of the two digests of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    Daily,
    Weekly,
}

impl Which {
    pub fn name(self) -> &'static str {
        match self {
            Which::Daily => "daily",
            Which::Weekly => "weekly",
        }
    }
}

impl From<Every> for Which {
    fn from(every: Every) -> Self {
        match every {
            Every::Day => Which::Daily,
            Every::Week { .. } => Which::Weekly,
        }
    }
}

/// Clocks that are rightly set differ by less.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// Whether something that is past, was noted while the clock was ahead.
pub fn is_ahead(noted: Timestamp, now: Timestamp) -> bool {
    noted.duration_since(now) > AHEAD
}

/// A time further ahead than anybody can set is one of a clock that was ahead: it is over.
pub(super) fn muted(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_some_and(|until| now < until && until.duration_since(now) <= LONGEST_MUTE)
}

impl Rule {
    pub fn is_muted(&self, now: Timestamp) -> bool {
        muted(self.muted_until, now)
    }

    /// The evidence of step 7.
    pub fn proof(&self, fired: &LastFired) -> Option<Proof> {
        let sample = self.tested.as_ref().map(|change| Proof::Sample(change.at));
        sample.or_else(|| fired.get(&self.number).map(|at| Proof::Fired(*at)))
    }

    /// Whether it may say something.
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.paused && !self.is_muted(now)
    }
}

impl Planned {
    /// Since when one can have been missed. What was sent or set later than now, was so while the
    /// clock was ahead: what it says is not believed, and the last planned one counts as missed.
    pub fn since(&self, now: Timestamp) -> Timestamp {
        let known = [self.sent, Some(self.set.at)].into_iter().flatten().filter(|at| !is_ahead(*at, now)).max();
        let before_last = || self.digest.last_before(self.digest.last_before(now)? - SignedDuration::from_secs(1));
        known.or_else(before_last).unwrap_or(now)
    }

    /// The digest that has to be sent now.
    pub fn due(&self, now: Timestamp) -> Option<Due> {
        self.digest.due(self.since(now), now)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self { rules: Vec::new(), next: 1, webhook: None, daily: None, weekly: None }
    }
}

impl Rules {
    pub fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.number == number)
    }

    pub fn planned(&self, which: Which) -> Option<&Planned> {
        match which {
            Which::Daily => self.daily.as_ref(),
            Which::Weekly => self.weekly.as_ref(),
        }
    }

    /// The rule that fires for the same as `watch`.
    pub fn same_as(&self, watch: &Watch) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.watch.is_same(watch))
    }

    /// What Sekoia recommends and is not there yet.
    pub fn missing(&self) -> Vec<Watch> {
        Watch::recommended().into_iter().filter(|watch| self.same_as(watch).is_none()).collect()
    }
}

/// What is kept of a webhook's token, and what a received one is looked up by.
pub fn token_hash(token: &str) -> Box<str> {
    hex::encode(Sha256::digest(token.as_bytes())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mute_that_lasts_longer_than_any_can_is_over() {
        let now = Timestamp::from_second(1_780_000_000).unwrap();
        let (day, tick) = (SignedDuration::from_hours(24), SignedDuration::from_secs(1));
        for (until, is) in
            [(tick, true), (day * 30, true), (day * 30 + tick, false), (day * 365, false), (-tick, false)]
        {
            assert_eq!(muted(Some(now + until), now), is, "{until:?}");
        }
        assert!(!muted(None, now));
    }

    #[test]
    fn a_digest_that_was_sent_or_set_while_the_clock_was_ahead_comes_all_the_same() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-07-10T08:00:30Z");
        let digest = Digest::new(Every::Day, jiff::civil::time(8, 0, 0, 0), "UTC").unwrap();
        let due = |set: &str, sent: Option<&str>| {
            let set = Change { by: Actor::Bot, at: at(set) };
            Planned { digest: digest.clone(), set, sent: sent.map(at) }.due(now).map(|due| (due.at, due.from))
        };
        let (today, yesterday) = (at("2026-07-10T08:00:00Z"), at("2026-07-09T08:00:00Z"));
        let long_ago = "2026-07-01T00:00:00Z";
        assert_eq!(due(long_ago, Some("2026-07-10T08:00:00Z")), None);
        assert_eq!(due(long_ago, Some("2026-07-09T08:00:00Z")), Some((today, yesterday)));
        // Sent in a month: since it was set, as far as anybody knows.
        assert_eq!(due(long_ago, Some("2026-08-10T08:00:00Z")), Some((today, at("2026-06-30T08:00:00Z"))));
        assert_eq!(due("2026-08-01T00:00:00Z", Some("2026-08-10T08:00:00Z")), Some((today, yesterday)));
        // Sent today, which is known.
        assert_eq!(due("2026-08-01T00:00:00Z", Some("2026-07-10T08:00:00Z")), None);
    }
}
