//! Counts of bounded size: by name, and of lengths of time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::chat::text::first;

/// Names that are kept apart.
pub const MOST_NAMES: usize = 32;
/// Characters of a kept name.
const NAME: usize = 80;
/// Parts in which a doubling of time is counted: a median is off by a tenth at most.
const PARTS: f64 = 4.0;

/// How often each name. With too many of them the rarest, and of these the one that is longest
/// ago, goes to the others: a frequent name stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    #[serde(default)]
    names: BTreeMap<Box<str>, Seen>,
    /// Counted without a name.
    #[serde(default)]
    pub others: u64,
}

/// How often, and when last in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seen(u64, i64);

impl Tally {
    pub fn count(&mut self, name: &str, at: Timestamp) {
        let name = first(name, NAME);
        let second = at.as_second();
        if let Some(seen) = self.names.get_mut(name) {
            *seen = Seen(seen.0.saturating_add(1), seen.1.max(second));
            return;
        }
        if self.names.len() >= MOST_NAMES {
            let rarest = self.names.iter().min_by_key(|(_, seen)| (seen.0, seen.1)).map(|(name, _)| name.clone());
            if let Some(seen) = rarest.and_then(|name| self.names.remove(&name)) {
                self.others = self.others.saturating_add(seen.0);
            }
        }
        self.names.insert(name.into(), Seen(1, second));
    }

    /// Names with their counts, in no order of frequency.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.names.iter().map(|(name, seen)| (&**name, seen.0))
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.others == 0
    }
}

/// How many lengths of time of about the same length: every doubling counted in a few parts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Times(BTreeMap<u8, u32>);

impl Times {
    pub fn count(&mut self, seconds: u64) {
        let n = self.0.entry(part(seconds)).or_default();
        *n = n.saturating_add(1);
    }

    pub fn add(&mut self, other: &Times) {
        for (part, n) in &other.0 {
            let mine = self.0.entry(*part).or_default();
            *mine = mine.saturating_add(*n);
        }
    }

    /// Takes away what is in `other`.
    pub fn subtract(&mut self, other: &Times) {
        for (part, n) in &other.0 {
            if let Some(mine) = self.0.get_mut(part) {
                *mine = mine.saturating_sub(*n);
            }
        }
        self.0.retain(|_, n| *n > 0);
    }

    pub fn total(&self) -> u64 {
        self.0.values().map(|n| u64::from(*n)).sum()
    }

    /// About: as exact as they are counted.
    pub fn median(&self) -> Option<SignedDuration> {
        let half = self.total().div_ceil(2);
        let mut seen = 0;
        let middle = self.0.iter().find(|(_, n)| {
            seen += u64::from(**n);
            seen >= half
        });
        middle.map(|(part, _)| SignedDuration::from_secs_f64(middle_of(*part).round()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Part 0 is less than a second; a part is a fixed share longer than the one before it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "from 0 to 255"
)]
fn part(seconds: u64) -> u8 {
    if seconds == 0 { 0 } else { (1.0 + (seconds as f64).log2() * PARTS).min(255.0) as u8 }
}

fn middle_of(part: u8) -> f64 {
    if part == 0 { 0.0 } else { ((f64::from(part) - 0.5) / PARTS).exp2() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequent_name_stays_among_many_rare_ones() {
        let mut tally = Tally::default();
        let now = Timestamp::UNIX_EPOCH;
        for i in 0..10_000 {
            tally.count(&format!("host {i}"), now + SignedDuration::from_secs(i));
            if i % 20 == 0 {
                tally.count("noisy", now + SignedDuration::from_secs(i));
            }
        }
        let noisy = tally.iter().find(|(name, _)| *name == "noisy").map(|(_, n)| n);
        assert_eq!((tally.len(), noisy), (MOST_NAMES, Some(500)));
        assert_eq!(tally.iter().map(|(_, n)| n).sum::<u64>() + tally.others, 10_500);
    }

    #[test]
    fn a_median_is_off_by_a_tenth_at_most() {
        for exact in [1, 2, 7, 59, 60, 3600, 100_000, 2_592_000_u32] {
            let mut times = Times::default();
            times.count(exact.into());
            let exact = f64::from(exact);
            let median = times.median().unwrap().as_secs_f64();
            assert!((median - exact).abs() <= 0.5 + exact / 10.0, "{exact}: {median}");
        }
    }
}
