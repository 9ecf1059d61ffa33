//! How often what has to be polled can honestly be looked at.
//!
//! Background work has one call a minute for the whole deployment (docs/design.md). It is shared
//! by the kinds of rules that need polling; a kind that takes many calls for one look does not
//! slow the others down.

use std::time::Duration;

use super::trigger::Trigger;

/// Calls an hour that background work may make.
pub const CALLS_AN_HOUR: usize = 60;
/// Entries of one page of Sekoia's lists.
pub const PAGE: usize = 100;

/// What there is to look at, over all channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    pub intakes: usize,
    pub playbooks: usize,
    pub connectors: usize,
    /// Whether any rule waits for it.
    pub silence: bool,
    pub playbook_errors: bool,
    /// Some rule waits for crashes: every playbook's trigger has a log of its own.
    pub crashes: bool,
    pub connector_errors: bool,
    /// Calls an hour that other background work takes.
    pub others: usize,
}

/// How often one kind is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    pub kind: Polled,
    /// Calls that one look takes.
    pub calls: usize,
    pub every: Duration,
    /// For `notify`: what a reader may expect.
    pub sentence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Polled {
    Silence,
    PlaybookErrors,
    PlaybookCrashes,
    ConnectorErrors,
}

impl Polled {
    pub fn trigger(self) -> Trigger {
        match self {
            Polled::Silence => Trigger::NoEvents,
            Polled::PlaybookErrors | Polled::PlaybookCrashes => Trigger::PlaybookError,
            Polled::ConnectorErrors => Trigger::ConnectorError,
        }
    }
}

/// The intervals of the kinds that some rule waits for, none shorter than a minute.
pub fn intervals(load: &Load) -> Vec<Interval> {
    let pages = |n: usize| n.div_ceil(PAGE).max(1);
    let kinds = [
        // The list, and one answer with the counters of all of them.
        (load.silence, Polled::Silence, pages(load.intakes) + 1),
        // Failed runs since the last look, and which playbooks switched themselves off.
        (load.playbook_errors || load.crashes, Polled::PlaybookErrors, pages(load.playbooks) + 1),
        (load.crashes, Polled::PlaybookCrashes, load.playbooks.max(1)),
        (load.connector_errors, Polled::ConnectorErrors, pages(load.connectors)),
    ];
    let wanted: Vec<_> = kinds.into_iter().filter(|(wanted, ..)| *wanted).collect();
    // Other work never takes everything: rules that are looked at rarely are better than never.
    let left = CALLS_AN_HOUR.saturating_sub(load.others).max(CALLS_AN_HOUR / 4);
    wanted
        .iter()
        .map(|(_, kind, calls)| {
            let minutes = (calls * wanted.len() * 60).div_ceil(left).max(1);
            let every = Duration::from_mins(u64::try_from(minutes).unwrap_or(u64::MAX / 60));
            Interval { kind: *kind, calls: *calls, every, sentence: sentence(*kind, load, minutes) }
        })
        .collect()
}

fn sentence(kind: Polled, load: &Load, minutes: usize) -> String {
    use crate::text::count;
    let what = match kind {
        Polled::Silence => format!("Silence of {}", count(load.intakes, "intake", "intakes")),
        Polled::PlaybookErrors => format!("Failed runs of {}", count(load.playbooks, "playbook", "playbooks")),
        Polled::PlaybookCrashes => format!("Crashes of {}", count(load.playbooks, "playbook", "playbooks")),
        Polled::ConnectorErrors => format!("Errors of {}", count(load.connectors, "connector", "connectors")),
    };
    let (about, time) = match minutes {
        0..=120 => ("", count(minutes, "minute", "minutes")),
        _ => ("about ", count((minutes + 30) / 60, "hour", "hours")),
    };
    let every = if minutes == 1 { "minute" } else { &*time };
    let late = match kind {
        Polled::Silence => format!("a rule `for 1h` tells you up to {time} after that hour"),
        _ => format!("you are told up to {time} after it happened"),
    };
    format!("{what}: looked at {about}every {every}, so {late}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(load: Load) -> Vec<u64> {
        intervals(&load).iter().map(|i| i.every.as_secs() / 60).collect()
    }

    #[test]
    fn what_is_promised_can_be_kept() {
        let silence = Load { intakes: 12, silence: true, ..Load::default() };
        assert_eq!(minutes(silence), [2]);
        let both = Load { playbooks: 40, playbook_errors: true, ..silence };
        assert_eq!(minutes(both), [4, 4]);
        // Crashes are dear, and the others do not pay for them.
        assert_eq!(minutes(Load { crashes: true, ..both }), [6, 6, 120]);
        assert_eq!(minutes(Load { intakes: 950, ..silence }), [11]);
        assert_eq!(minutes(Load { others: 30, ..silence }), [4]);
        assert_eq!(minutes(Load { others: 500, ..silence }), [8]);
        assert!(minutes(Load::default()).is_empty());
        for load in [silence, both, Load { crashes: true, connector_errors: true, others: 7, ..both }] {
            // Looks in 1,000 hours.
            let looks = |i: &Interval| 3_600_000 / usize::try_from(i.every.as_secs()).unwrap();
            let calls: usize = intervals(&load).iter().map(|i| i.calls * looks(i)).sum();
            assert!(calls + load.others * 1000 <= CALLS_AN_HOUR * 1000, "{calls}");
        }
    }

    #[test]
    fn it_is_said_in_a_sentence() {
        let load = Load { intakes: 12, playbooks: 300, silence: true, crashes: true, ..Load::default() };
        let said: Vec<String> = intervals(&load).into_iter().map(|i| i.sentence).collect();
        insta::assert_snapshot!(said.join("\n"), @"
        Silence of 12 intakes: looked at every 6 minutes, so a rule `for 1h` tells you up to 6 minutes after that hour.
        Failed runs of 300 playbooks: looked at every 12 minutes, so you are told up to 12 minutes after it happened.
        Crashes of 300 playbooks: looked at about every 15 hours, so you are told up to 15 hours after it happened.
        ");
    }
}
