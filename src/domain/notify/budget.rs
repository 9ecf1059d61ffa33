//! How often what has to be polled can honestly be looked at.
//!
//! Background work has one call a minute for the whole deployment (docs/src/design.md). A part of it is
//! reserved for what is not polled, see [`RESERVED`]; the rest is shared here. Each kind of rule that
//! a community waits for brings one share to its kind, and a kind is looked at equally often in all
//! communities. So each community takes what it needs, one without such rules takes nothing, and a
//! kind that takes many calls for one look does not slow the others down.
//!
//! The poller keeps these intervals, and `notify` says them: both ask [`intervals`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::trigger::Trigger;
use crate::chat::text::count;

/// Calls an hour that background work may make.
pub const CALLS_AN_HOUR: usize = 60;
/// Of these, what is left for the lists of alerts, which are read every ten minutes and whenever
/// something was heard, for the setup watch, and for what a look asks beside its lists: searches
/// for a suspect, the errors of a run. They are not held to it: an alert that was heard of is read.
pub const RESERVED: usize = 15;
/// Entries of one page of Sekoia's lists.
pub const PAGE: usize = 100;

/// What there is to look at in a community. None: nobody has counted it yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    pub intakes: Option<usize>,
    pub playbooks: Option<usize>,
    /// What starts the playbooks: each has a log of its own.
    pub triggers: Option<usize>,
    pub connectors: Option<usize>,
    /// Whether any rule waits for it.
    pub silence: bool,
    pub playbook_errors: bool,
    pub connector_errors: bool,
}

/// How often one kind is looked at in a community.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    pub kind: Polled,
    /// Calls that one look takes.
    pub calls: usize,
    pub every: Duration,
    /// What is looked at; none if nobody has counted it yet.
    pub of: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

impl Load {
    /// The kinds that some rule waits for, with the calls of a look and what it looks at.
    fn looks(&self) -> impl Iterator<Item = (Polled, usize, Option<usize>)> {
        let pages = |n: Option<usize>| n.unwrap_or_default().div_ceil(PAGE).max(1);
        let kinds = [
            // The list, and one answer with the counters of all of them.
            (self.silence, Polled::Silence, pages(self.intakes) + 1, self.intakes),
            // Failed runs since the last look, and which playbooks switched themselves off.
            (self.playbook_errors, Polled::PlaybookErrors, pages(self.playbooks) + 1, self.playbooks),
            (
                self.playbook_errors,
                Polled::PlaybookCrashes,
                pages(self.playbooks) + self.triggers.or(self.playbooks).unwrap_or_default(),
                self.playbooks,
            ),
            (self.connector_errors, Polled::ConnectorErrors, pages(self.connectors), self.connectors),
        ];
        kinds.into_iter().filter(|(wanted, ..)| *wanted).map(|(_, kind, calls, of)| (kind, calls, of))
    }
}

/// How often each community's kinds are looked at, never more than once a minute. `minute`: how
/// long one lasts.
pub fn intervals<K: Ord + Copy>(loads: &BTreeMap<K, Load>, minute: Duration) -> BTreeMap<K, Vec<Interval>> {
    // By kind: how many communities wait for it, and the calls of a look at all of them.
    let mut kinds: BTreeMap<Polled, (usize, usize)> = BTreeMap::new();
    for (kind, calls, _) in loads.values().flat_map(Load::looks) {
        let (communities, all) = kinds.entry(kind).or_default();
        *communities += 1;
        *all += calls;
    }
    let shares: usize = kinds.values().map(|(communities, _)| communities).sum();
    let every = |kind: Polled| {
        let (communities, calls) = kinds.get(&kind).copied().unwrap_or((1, 1));
        let minutes = (calls * shares * 60).div_ceil(communities * (CALLS_AN_HOUR - RESERVED)).max(1);
        minute.saturating_mul(u32::try_from(minutes).unwrap_or(u32::MAX))
    };
    let of =
        |load: &Load| load.looks().map(|(kind, calls, of)| Interval { kind, calls, every: every(kind), of }).collect();
    loads.iter().map(|(community, load)| (*community, of(load))).collect()
}

impl Interval {
    /// For `notify`: what a reader may expect.
    pub fn sentence(&self) -> String {
        let (what, one, many) = match self.kind {
            Polled::Silence => ("Silence", "intake", "intakes"),
            Polled::PlaybookErrors => ("Failed runs", "playbook", "playbooks"),
            Polled::PlaybookCrashes => ("Crashes", "playbook", "playbooks"),
            Polled::ConnectorErrors => ("Errors", "connector", "connectors"),
        };
        let Some(of) = self.of else {
            return format!(
                "{what} of {many}: polled. The interval depends on how many there are, which the first poll shows; it is still to come."
            );
        };
        let (about, time, once) = spoken(self.every);
        let every = if once { time.trim_start_matches("1 ") } else { &*time };
        let late = match self.kind {
            Polled::Silence => format!("a rule `for 1h` tells you up to {time} after that hour"),
            _ => format!("you are told up to {time} after it happened"),
        };
        format!("{what} of {}: looked at {about}every {every}, so {late}.", count(of, one, many))
    }
}

/// Whether it is only about so long, the time in words, and whether it is one unit of them.
fn spoken(time: Duration) -> (&'static str, String, bool) {
    let whole = |unit: u64| usize::try_from(time.as_millis().div_ceil(u128::from(unit) * 1000)).unwrap_or(usize::MAX);
    let (about, n, one, many) = match time.as_secs() {
        0..60 => ("", whole(1), "second", "seconds"),
        60..=7200 => ("", whole(60), "minute", "minutes"),
        seconds => ("about ", usize::try_from((seconds + 1800) / 3600).unwrap_or(usize::MAX), "hour", "hours"),
    };
    (about, count(n, one, many), n == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const SILENCE: Load = Load {
        intakes: Some(12),
        playbooks: None,
        triggers: None,
        connectors: None,
        silence: true,
        playbook_errors: false,
        connector_errors: false,
    };

    fn minutes(loads: &[Load]) -> Vec<Vec<u64>> {
        let loads: BTreeMap<usize, Load> = loads.iter().copied().enumerate().collect();
        let all = intervals(&loads, MINUTE);
        // Looks in 1,000 hours.
        let looks = |i: &Interval| 3_600_000 / usize::try_from(i.every.as_secs()).unwrap();
        let calls: usize = all.values().flatten().map(|i| i.calls * looks(i)).sum();
        assert!(calls <= (CALLS_AN_HOUR - RESERVED) * 1000, "{calls}");
        all.values().map(|all| all.iter().map(|i| i.every.as_secs() / 60).collect()).collect()
    }

    #[test]
    fn what_is_promised_can_be_kept() {
        assert_eq!(minutes(&[SILENCE]), [[3]]);
        let both = Load { playbooks: Some(40), triggers: Some(40), playbook_errors: true, ..SILENCE };
        // Crashes are dear, and the others do not pay for them.
        assert_eq!(minutes(&[both]), [[8, 8, 164]]);
        assert_eq!(minutes(&[Load { intakes: Some(950), ..SILENCE }]), [[15]]);
        assert_eq!(minutes(&[Load { connector_errors: true, ..SILENCE }]), [[6, 3]]);
        assert_eq!(minutes(&[Load::default()]), [Vec::<u64>::new()]);
    }

    #[test]
    fn forty_communities_share_by_what_they_need() {
        let mut loads = vec![SILENCE; 40];
        assert_eq!(minutes(&loads), vec![[107]; 40]);
        // Those that wait for nothing take nothing.
        loads.extend([Load::default(); 40]);
        assert_eq!(minutes(&loads)[0], [107]);
        // A large one is looked at as often as the others.
        loads[0].intakes = Some(950);
        assert_eq!((minutes(&loads)[0].clone(), minutes(&loads)[1].clone()), (vec![119], vec![119]));
        // Another kind of one community takes one share.
        loads[1].connector_errors = true;
        assert_eq!(minutes(&loads)[1], [122, 55]);
    }

    #[test]
    fn it_is_said_in_a_sentence() {
        let many = Load { playbooks: Some(300), triggers: Some(320), playbook_errors: true, ..SILENCE };
        let say = |load: Load, minute| {
            let all = intervals(&BTreeMap::from([((), load)]), minute);
            all[&()].iter().map(Interval::sentence).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(say(many, MINUTE), @"
        Silence of 12 intakes: looked at every 8 minutes, so a rule `for 1h` tells you up to 8 minutes after that hour.
        Failed runs of 300 playbooks: looked at every 16 minutes, so you are told up to 16 minutes after it happened.
        Crashes of 300 playbooks: looked at about every 22 hours, so you are told up to 22 hours after it happened.
        ");
        // In the demo, a minute is short.
        insta::assert_snapshot!(say(SILENCE, Duration::from_secs(4)), @"Silence of 12 intakes: looked at every 12 seconds, so a rule `for 1h` tells you up to 12 seconds after that hour.");
        let rest = Load { intakes: None, connectors: Some(1), connector_errors: true, ..SILENCE };
        insta::assert_snapshot!(say(rest, Duration::from_millis(333)), @"
        Silence of intakes: polled. The interval depends on how many there are, which the first poll shows; it is still to come.
        Errors of 1 connector: looked at every second, so you are told up to 1 second after it happened.
        ");
    }
}
