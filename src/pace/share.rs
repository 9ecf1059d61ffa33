//! The part of a deployment's budgets that this process may use.
//!
//! It is counted with every beat, shrinks at once and grows only after everybody has seen the change. It is good
//! for a while only: a process that was halted finds nothing left when it wakes, because others may use its part
//! by then, and makes no call before the next beat. The clock is the monotonic one: it goes on while a process is
//! halted, but not while the whole machine is suspended, which is noticed by the next beat only.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::timing::Beats;
use crate::timing::pace::LONGEST_WINDOW;

/// What of the budgets is this process's; everything, if processes are not counted.
#[derive(Debug, Default)]
pub struct Share(Mutex<Option<Counted>>);

/// What is known of those who use the same budgets.
#[derive(Debug, Default)]
struct Counted {
    /// When they were counted last.
    at: Option<Instant>,
    /// What this process could have used since then, the latest last.
    could: VecDeque<(Instant, Part)>,
    beats: Beats,
}

/// A part of the budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// One of so many; 0: none.
    of: usize,
    /// With what is left over after dividing.
    rest: bool,
}

impl Part {
    const NONE: Self = Self { of: 0, rest: false };

    /// What is in both.
    fn least(self, other: Self) -> Self {
        let of = if self.of == 0 || other.of == 0 { 0 } else { self.of.max(other.of) };
        Self { of, rest: self.rest && other.rest }
    }

    /// Of `max` turns in a window: so many, in a window of that length.
    fn turns(self, max: usize, window: Duration) -> (usize, Duration) {
        let Self { of, rest } = self;
        if of == 0 {
            return (0, window);
        }
        if max < of {
            // Each in its turn: together they are not more than `max` in a window.
            let longer = u32::try_from(of.div_ceil(max)).unwrap_or(u32::MAX);
            return (1, window * longer);
        }
        (max / of + if rest { max % of } else { 0 }, window)
    }
}

impl Share {
    /// Others may use the same budgets: no call is made before they are counted.
    pub fn withhold(&self) {
        *self.counted() = Some(Counted::default());
    }

    /// `processes`: how many there are, this one included. `rest`: this one also has what is left over after
    /// dividing. The look `began` and was over `by`: the share is good from the one, and what changed is known
    /// to have changed at the other.
    pub fn beat(&self, processes: usize, rest: bool, began: Instant, by: Instant, beats: Beats) {
        self.counted().get_or_insert_default().beat(Part { of: processes, rest }, began, by, beats);
    }

    /// By how many the budgets are divided; 0 while no call may be made.
    pub fn processes(&self, now: Instant) -> usize {
        self.counted().as_ref().map_or(1, |counted| counted.part(now, counted.beats.settled).of)
    }

    /// What this process may use of `max` turns in a window: so many, in a window of that length.
    pub fn of(&self, max: usize, window: Duration, now: Instant) -> (usize, Duration) {
        self.counted().as_ref().map_or((max, window), |counted| counted.of(max, window, now))
    }

    // Changed whole under its lock: a poisoned lock guards sound data.
    fn counted(&self) -> MutexGuard<'_, Option<Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn beat(&mut self, seen: Part, began: Instant, by: Instant, beats: Beats) {
        let part = Part { of: seen.of, rest: seen.rest || seen.of == 1 };
        // A process that starts when there is no other need not wait. Who could not look for a while does
        // not know who came and went meanwhile.
        if self.is_stale(began) && (part.of > 1 || self.at.is_some()) {
            self.could = [(by, Part::NONE)].into();
        }
        if self.could.back().is_none_or(|(_, last)| *last != part) {
            self.could.push_back((by, part));
        }
        (self.at, self.beats) = (Some(began), beats);
        let kept = self.known_after(LONGEST_WINDOW);
        while self.could.get(1).is_some_and(|(until, _)| by.duration_since(*until) >= kept) {
            self.could.pop_front();
        }
    }

    fn is_stale(&self, now: Instant) -> bool {
        self.at.is_none_or(|at| now.duration_since(at) > self.beats.stale)
    }

    /// After a change: until what others used before it has left the window.
    fn known_after(&self, window: Duration) -> Duration {
        self.beats.settled.max(self.beats.stale + window)
    }

    /// The least of what it could have used in the last `time`; nothing if it has not looked for too long.
    fn part(&self, now: Instant, time: Duration) -> Part {
        if self.is_stale(now) {
            return Part::NONE;
        }
        // Each was in force until the next one.
        let ends = self.could.iter().skip(1).map(|(until, _)| Some(*until)).chain([None]);
        let recent = self.could.iter().zip(ends).filter_map(|((_, part), until)| {
            until.is_none_or(|until| now.duration_since(until) < time).then_some(*part)
        });
        recent.reduce(Part::least).unwrap_or(Part::NONE)
    }

    fn of(&self, max: usize, window: Duration, now: Instant) -> (usize, Duration) {
        let certain = self.part(now, self.known_after(window)).turns(max, window);
        // Half of a new part is used at once: a new process must not be silent for a minute. If those who were
        // there before had just used up the whole, it is too much, and the other side says how long to wait.
        let (whole, longer) = self.part(now, self.beats.settled).turns(max, window);
        let half = (whole.div_ceil(2), longer);
        if half.0 > certain.0 { half } else { certain }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_mins(1);
    /// Sekoia's.
    const WINDOW: Duration = Duration::from_millis(1_050);

    fn beats() -> Beats {
        Beats::default()
    }

    fn part(of: usize, rest: bool) -> Part {
        Part { of, rest }
    }

    impl Counted {
        /// A look that takes no time.
        fn saw(&mut self, of: usize, rest: bool, now: Instant) {
            self.beat(part(of, rest), now, now, beats());
        }

        fn settled(&self, now: Instant) -> Part {
            self.part(now, self.beats.settled)
        }
    }

    #[test]
    fn all_shares_together_are_never_more_than_the_budget() {
        for max in 1..12 {
            for processes in 1..30 {
                // In the longest of the windows, each goes so often.
                let ((most, window), (others, _)) =
                    (part(processes, true).turns(max, SECOND), part(processes, false).turns(max, SECOND));
                let windows = window.as_millis().div_ceil(SECOND.as_millis()) as usize;
                assert!(most + others * (processes - 1) <= max * windows, "{max} {processes}");
                assert!(most >= others && others > 0);
            }
        }
    }

    #[test]
    fn who_is_alone_on_a_store_has_everything_and_whoever_shares_one_nothing_until_all_are_counted() {
        let (share, now) = (Share::default(), Instant::now());
        for later in [Duration::ZERO, 60 * MINUTE] {
            assert_eq!((share.of(5, SECOND, now + later), share.processes(now + later)), ((5, SECOND), 1));
        }
        share.withhold();
        assert_eq!((share.of(5, SECOND, now).0, share.processes(now)), (0, 0));
        share.beat(1, false, now, now, beats());
        assert_eq!((share.of(5, SECOND, now).0, share.processes(now)), (5, 1));
        share.withhold();
        assert_eq!(share.of(5, SECOND, now).0, 0);
    }

    #[test]
    fn who_comes_waits_until_the_others_know_and_who_stays_shrinks_at_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut first, mut second) = (Counted::default(), Counted::default());
        first.saw(1, false, at(0));
        assert_eq!(first.settled(at(0)), part(1, true), "nobody else is there");
        second.saw(2, false, at(1));
        assert_eq!(second.settled(at(1)), Part::NONE);
        for second_of in 1..=8 {
            first.saw(2, true, at(second_of));
            second.saw(2, false, at(second_of));
            assert_eq!(first.settled(at(second_of)), part(2, true));
            let waits = second_of < 6;
            assert_eq!(second.settled(at(second_of)) == Part::NONE, waits, "{second_of}");
        }
        // The second one goes: what it had is the first one's when it certainly uses it no more.
        for second_of in 9..=15 {
            first.saw(1, true, at(second_of));
            let of = if second_of < 14 { 2 } else { 1 };
            assert_eq!(first.settled(at(second_of)).of, of, "{second_of}");
        }
    }

    #[test]
    fn a_share_is_good_for_a_while_after_a_beat_and_who_wakes_later_comes_anew() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for others in [0, 1] {
            let mut counted = Counted::default();
            counted.saw(1, false, at(0));
            assert_eq!(counted.of(5, WINDOW, at(3)).0, 5);
            // Halted: another one may count it no more.
            assert_eq!(counted.of(5, WINDOW, at(4)).0, 0);
            assert_eq!(counted.of(5, WINDOW, at(60)).0, 0);
            for second_of in 60..65 {
                counted.saw(1 + others, false, at(second_of));
                assert_eq!(counted.of(5, WINDOW, at(second_of)).0, 0, "{second_of}");
            }
            counted.saw(1 + others, false, at(65));
            assert_eq!(counted.of(5, WINDOW, at(65)).0, 5 / (1 + others));
        }
    }

    #[test]
    fn a_look_that_took_long_counts_from_where_it_is_safe() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut counted = Counted::default();
        // The others cannot have seen it before it was over.
        counted.beat(part(2, false), at(0), at(2), beats());
        for second_of in 2..7 {
            counted.saw(2, false, at(second_of));
            assert_eq!(counted.settled(at(second_of)), Part::NONE, "{second_of}");
        }
        counted.beat(part(2, false), at(7), at(9), beats());
        assert_eq!(counted.settled(at(9)), part(2, false));
        // It is as old as its beginning.
        assert_eq!(counted.settled(at(11)), Part::NONE);
        // Halted in the middle of it.
        counted.beat(part(2, false), at(10), at(70), beats());
        assert_eq!(counted.settled(at(70)), Part::NONE);
    }

    #[test]
    fn what_is_left_over_is_handed_over_like_the_rest() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut counted = Counted::default();
        for second_of in 0..10 {
            counted.saw(2, second_of >= 7, at(second_of));
        }
        assert_eq!(counted.settled(at(10)), part(2, false), "the other one had it a moment ago");
        for second_of in 10..13 {
            counted.saw(2, true, at(second_of));
        }
        assert_eq!(counted.settled(at(12)), part(2, true));
    }

    #[test]
    fn of_a_minute_half_is_used_at_once_and_the_whole_when_the_minute_is_over() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut stays, mut comes) = (Counted::default(), Counted::default());
        for second_of in 0..100 {
            stays.saw(2, false, at(second_of));
            comes.saw(2, false, at(second_of));
            let turns = match second_of {
                ..5 => 0,
                5..63 => 25,
                _ => 50,
            };
            assert_eq!(comes.of(100, MINUTE, at(second_of)), (turns, MINUTE), "{second_of}");
            // Even the smallest part is not nothing.
            assert_eq!(comes.of(2, MINUTE, at(second_of)).0, usize::from(second_of >= 5), "{second_of}");
        }
        // The other one went, and may have used all of its half before.
        for second_of in 100..200 {
            stays.saw(1, false, at(second_of));
            let turns = if second_of < 163 { 50 } else { 100 };
            assert_eq!(stays.of(100, MINUTE, at(second_of)), (turns, MINUTE), "{second_of}");
            // Sekoia's second is over soon.
            let turns = if second_of < 105 { 2 } else { 5 };
            assert_eq!(stays.of(5, WINDOW, at(second_of)), (turns, WINDOW), "{second_of}");
        }
    }

    /// What happens to a process.
    #[derive(Debug, Clone, Copy)]
    enum Fate {
        /// Another one stands in its place.
        Start,
        /// For so many milliseconds.
        Halt(u64),
        Leave,
        Kill,
    }

    /// A process that uses whatever it may at once.
    struct Process {
        counted: Counted,
        rest: bool,
        /// Which of the leases is its own.
        lease: usize,
        looks_at: u64,
        halted_until: u64,
        sent: Vec<u64>,
    }

    impl Process {
        /// `leases`: until when each one is held.
        fn look(&mut self, leases: &mut [u64], start: Instant, now: u64) {
            let (beats, at) = (beats(), start + Duration::from_millis(now));
            leases[self.lease] = now + millis(beats.lapse);
            let alive = leases.iter().filter(|until| **until > now).count();
            self.counted.beat(part(alive, self.rest), at, at, beats);
            self.looks_at = now + millis(beats.every);
        }
    }

    /// Milliseconds of one round.
    const ROUND: u64 = 50;

    fn millis(time: Duration) -> u64 {
        u64::try_from(time.as_millis()).unwrap()
    }

    /// When calls arrive, if processes on three places have these fates, in milliseconds.
    fn arrivals(max: usize, window: Duration, fates: &[(u64, usize, Fate)], end: u64) -> Vec<u64> {
        let start = Instant::now();
        let (mut leases, mut arrived, mut left) = (Vec::<u64>::new(), Vec::new(), None::<u64>);
        let mut places: [Option<Process>; 3] = [None, None, None];
        for now in (0..end).step_by(usize::try_from(ROUND).unwrap()) {
            for process in places.iter_mut().flatten().filter(|process| process.halted_until <= now) {
                // Before the beat: that is the worst that a process can do that wakes.
                let (turns, window) = process.counted.of(max, window, start + Duration::from_millis(now));
                process.sent.retain(|sent| now - *sent < millis(window));
                for _ in process.sent.len()..turns {
                    process.sent.push(now);
                    arrived.push(now);
                }
                if process.looks_at <= now {
                    process.look(&mut leases, start, now);
                }
            }
            for (_, place, fate) in fates.iter().filter(|(when, ..)| *when / ROUND == now / ROUND) {
                let process = &mut places[*place];
                match *fate {
                    // Whoever starts alone knows nothing of who left just now: a start takes longer than a call.
                    Fate::Start if process.is_none() && left.is_none_or(|left| now - left >= millis(WINDOW)) => {
                        let (counted, lease, sent) = (Counted::default(), leases.len(), Vec::new());
                        leases.push(now);
                        let mut new =
                            Process { counted, rest: *place == 0, lease, looks_at: now, halted_until: now, sent };
                        new.look(&mut leases, start, now);
                        *process = Some(new);
                    }
                    Fate::Start => {}
                    Fate::Halt(time) => {
                        if let Some(process) = process {
                            process.halted_until = now + time;
                        }
                    }
                    Fate::Leave => {
                        if let Some(gone) = process.take() {
                            leases[gone.lease] = now;
                            left = Some(now);
                        }
                    }
                    Fate::Kill => *process = None,
                }
            }
        }
        arrived
    }

    fn most(arrived: &[u64], window: Duration) -> usize {
        let from = |i: usize| arrived[i..].iter().take_while(|at| **at < arrived[i] + millis(window)).count();
        (0..arrived.len()).map(from).max().unwrap_or(0)
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            3 => Just(Fate::Start),
            2 => (0_u64..30_000).prop_map(Fate::Halt),
            1 => Just(Fate::Leave),
            1 => Just(Fate::Kill),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whoever_comes_goes_or_is_halted_no_second_has_more_calls_than_allowed(
            fates in proptest::collection::vec((0_u64..80_000, 0_usize..3, fate()), 0..24),
        ) {
            let fates: Vec<_> = [(0, 0, Fate::Start), (0, 1, Fate::Start)].into_iter().chain(fates).collect();
            let arrived = arrivals(5, WINDOW, &fates, 100_000);
            prop_assert!(most(&arrived, WINDOW) <= 5, "{:?}", fates);
        }
    }

    #[test]
    fn a_rolling_restart_under_full_load_exceeds_a_minutes_limit_by_half_at_most() {
        let rolling = |from: u64| {
            [
                (from, 0, Fate::Leave),
                (from + 2_000, 0, Fate::Start),
                (from + 15_000, 1, Fate::Leave),
                (from + 17_000, 1, Fate::Start),
            ]
        };
        let fates: Vec<_> = [(0, 0, Fate::Start), (0, 1, Fate::Start)].into_iter().chain(rolling(130_000)).collect();
        let arrived = arrivals(240, MINUTE, &fates, 400_000);
        let within = |from: u64, to: u64| {
            let these: Vec<u64> = arrived.iter().copied().filter(|at| (from..to).contains(at)).collect();
            (these.len(), most(&these, MINUTE))
        };
        assert!(within(0, 400_000).1 <= 360);
        assert!(within(70_000, 130_000).1 <= 240);
        assert!(within(215_000, 400_000).1 <= 240);
        // The new one is not silent while the other one goes, too; in the end all of the limit is used.
        assert_eq!(within(132_000, 147_000).0, 60);
        assert_eq!(within(280_000, 340_000).0, 240);
    }
}
