//! The engine under sessions, requests and rules, with the smallest state that there is.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use sekoia_chatops::chat::Actor;
use sekoia_chatops::state::moved::LaterIds;
use sekoia_chatops::state::stream::{self, ChangeError, Changed, Folded, Next, RACES, Streams};
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::{Commit, MemoryStore, Schedule, State, Store, StoreError, WorkKind, Write};
use serde::{Deserialize, Serialize};

use super::{at, key, record};

/// What was added up since it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Total {
    sum: i64,
    last: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Opened,
    Added { n: i64 },
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("not open")]
    NotOpen,
    #[error("more than it has")]
    TooMuch,
}

impl Folded for Total {
    const FAMILY: &'static str = "total";
    const SCHEMA: u32 = 1;
    type Event = Event;
    type Refusal = Refusal;

    fn kind(event: &Event) -> &'static str {
        match event {
            Event::Opened => "total.opened",
            Event::Added { .. } => "total.added",
        }
    }

    fn fold(state: Option<Self>, event: &Event, _: &Actor, at: Timestamp) -> Option<Self> {
        match event {
            Event::Opened => Some(Self { sum: 0, last: at }),
            Event::Added { n } => state.map(|total| Self { sum: total.sum + n, last: at }),
        }
    }

    fn not_begun() -> Option<Refusal> {
        Some(Refusal::NotOpen)
    }
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Chain::new(&[key(1)])))
}

/// What two processes are to the engine: one keeps streams in memory, the other does not.
fn processes(store: &Arc<dyn Store>) -> [Streams<Total>; 2] {
    [Streams::new(Arc::clone(store), 4).cached(), Streams::new(Arc::clone(store), 1)]
}

/// The memory store never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing else holds the stream")
}

fn open(streams: &Streams<Total>) {
    let opening = |_: Option<&Total>| Ok(vec![Event::Opened]);
    at_once(streams.change("T", &Actor::Bot, at(0), opening, |_| Commit::default())).unwrap();
}

/// Adds, never below nothing.
fn decide(total: Option<&Total>, n: i64) -> Result<Vec<Event>, Refusal> {
    let total = total.ok_or(Refusal::NotOpen)?;
    if total.sum + n < 0 { Err(Refusal::TooMuch) } else { Ok(vec![Event::Added { n }]) }
}

fn add(streams: &Streams<Total>, n: i64) -> Result<Changed<Total>, ChangeError<Refusal>> {
    at_once(streams.change("T", &Actor::Bot, at(1), |total| decide(total, n), |_| Commit::default()))
}

/// The sum of what is on record, which is what is stored.
fn recorded(store: &dyn Store) -> (u64, i64) {
    let records = at_once(store.history(&stream::id::<Total>("T"), 0, 9_999)).unwrap();
    let folded = records.iter().fold(None, |state, record| {
        Total::fold(state, &serde_json::from_str(&record.body).unwrap(), &Actor::Bot, record.at().unwrap())
    });
    let slot = at_once(stream::load::<Total>(store, "T")).unwrap();
    assert_eq!(slot.state.as_deref(), folded.as_ref());
    assert_eq!(slot.version, records.len() as u64);
    (slot.version, folded.unwrap().sum)
}

#[test]
fn a_change_that_lost_is_decided_again_on_what_was_left() {
    for mine in [0, 1] {
        for lost in 0..RACES {
            let store = memory();
            let (both, others) = (processes(&store), processes(&store));
            open(&both[mine]);
            let asked = AtomicUsize::new(0);
            // Another process commits while this one decides.
            let decide = |total: Option<&Total>| {
                if asked.fetch_add(1, Ordering::Relaxed) < lost {
                    add(&others[1], 10).unwrap();
                }
                decide(total, 1 - total.unwrap().sum)
            };
            let beside = |next: &Next<'_, Total>| {
                assert_eq!(next.after.sum, 1, "decided on what the others left");
                let body = format!("{} {}", next.before.unwrap().sum, next.version);
                let key = "beside".to_owned();
                let schedule = vec![Schedule { kind: WorkKind::Progress, key, due: next.at, attempts: 0, body }];
                Commit { schedule, ..Commit::default() }
            };
            let changed = at_once(both[mine].change("T", &Actor::Bot, at(1), decide, beside)).unwrap();
            let before = 10 * i64::try_from(lost).unwrap();
            assert_eq!(asked.into_inner(), lost + 1);
            assert_eq!((changed.version, changed.state.sum), (lost as u64 + 2, 1));
            assert_eq!(changed.events, [Event::Added { n: 1 - before }]);
            assert_eq!(recorded(&*store), (changed.version, 1));
            assert_eq!(at_once(both[mine].read("T")).unwrap().version, changed.version);
            // Of what was to be committed beside it, only the last is.
            let work = at_once(store.due(WorkKind::Progress, at(9), 9)).unwrap();
            assert_eq!(
                work.iter().map(|work| &*work.body).collect::<Vec<_>>(),
                [format!("{before} {}", changed.version)]
            );
        }
    }
}

#[test]
fn one_that_always_loses_gives_up_and_leaves_nothing() {
    let store = memory();
    let [mine, other] = processes(&store);
    open(&mine);
    let asked = AtomicUsize::new(0);
    let losing = |total: Option<&Total>| {
        asked.fetch_add(1, Ordering::Relaxed);
        add(&other, 1).unwrap();
        decide(total, 1_000)
    };
    let lost = at_once(mine.change("T", &Actor::Bot, at(1), losing, |_| Commit::default()));
    assert!(matches!(lost, Err(ChangeError::Contended)));
    assert_eq!(asked.into_inner(), RACES);
    assert_eq!(recorded(&*store), (1 + RACES as u64, i64::try_from(RACES).unwrap()));
    // It knows what the others left, and goes on from there.
    assert_eq!(add(&mine, 5).unwrap().state.sum, 5 + i64::try_from(RACES).unwrap());
}

#[test]
fn what_is_refused_or_begins_nothing_is_not_committed() {
    let store = memory();
    for streams in processes(&store) {
        let never = |_: &Next<'_, Total>| -> Commit { panic!("nothing is committed") };
        let refused = at_once(streams.change("T", &Actor::Bot, at(1), |_| Err(Refusal::TooMuch), never));
        assert!(matches!(refused, Err(ChangeError::Refused(Refusal::TooMuch))));
        // Events without a beginning, and no events at all.
        for events in [vec![Event::Added { n: 1 }], Vec::new()] {
            let begins_nothing = at_once(streams.change("T", &Actor::Bot, at(1), |_| Ok(events.clone()), never));
            assert!(matches!(begins_nothing, Err(ChangeError::Refused(Refusal::NotOpen))));
        }
        let slot = at_once(streams.read("T")).unwrap();
        assert_eq!((slot.version, slot.state), (0, None));
    }
    // A state that begins with any event has no word for it.
    let streams = Streams::<LaterIds>::new(Arc::clone(&store), 1);
    let nothing = at_once(streams.change("C1", &Actor::Bot, at(1), |_| Ok(Vec::new()), |_| Commit::default()));
    assert!(matches!(nothing, Err(ChangeError::Contended)));
    assert_eq!(at_once(store.all_streams()).unwrap(), []);
}

#[test]
fn a_newer_release_and_a_broken_store_are_told_apart() {
    let stored = |schema, json: &str| {
        let store = memory();
        let state = State { schema, json: json.into() };
        let write = Write {
            stream: stream::id::<Total>("T"),
            expected: 0,
            state,
            records: vec![record("alice")],
            beside: Vec::new(),
        };
        at_once(store.commit(Commit { writes: vec![write], ..Commit::default() })).unwrap();
        store
    };
    let change = |store: &Arc<dyn Store>, process: usize| {
        let undecided = |_: Option<&Total>| -> Result<Vec<Event>, Refusal> { panic!("there is nothing to decide on") };
        at_once(processes(store)[process].change("T", &Actor::Bot, at(1), undecided, |_| Commit::default()))
    };
    let total = format!(r#"{{"sum":3,"last":"{}"}}"#, at(0));
    let (newer, broken) = (stored(2, &total), stored(1, "{}"));
    for process in [0, 1] {
        assert!(matches!(change(&newer, process), Err(ChangeError::Newer)));
        let slot = at_once(processes(&newer)[process].read("T")).unwrap();
        assert_eq!((slot.newer, slot.state.unwrap().sum), (true, 3));
        assert!(matches!(change(&broken, process), Err(ChangeError::Store(StoreError::Corrupt { .. }))));
    }
}

#[test]
fn times_are_as_they_are_sealed() {
    let streams = &processes(&memory())[0];
    let now = at(7) + std::time::Duration::from_nanos(1_999_999);
    let sealed = at(7) + std::time::Duration::from_millis(1);
    let beside = |next: &Next<'_, Total>| {
        assert!(next.before.is_none());
        assert_eq!((next.at, next.after.last, next.version, next.events), (sealed, sealed, 1, &[Event::Opened][..]));
        Commit::default()
    };
    let opened = at_once(streams.change("T", &Actor::Bot, now, |_| Ok(vec![Event::Opened]), beside)).unwrap();
    assert_eq!(opened.state.last, sealed);
}

#[test]
fn a_turn_keeps_out_changes_of_the_stream_and_no_reader() {
    let store = memory();
    for streams in processes(&store) {
        open(&streams);
        let turn = at_once(streams.turn("T"));
        let mut waiting =
            pin!(streams.change("T", &Actor::Bot, at(1), |total| decide(total, 1), |_| Commit::default()));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(at_once(streams.read("T")).unwrap().state.unwrap().sum, 0);
        let mine = at_once(turn.change(&Actor::Bot, at(1), |total| decide(total, 5), |_| Commit::default()));
        assert_eq!(mine.unwrap().state.sum, 5);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(turn);
        assert_eq!(at_once(waiting).unwrap().state.sum, 6);
    }
}

#[test]
fn what_another_process_changed_is_seen_when_it_is_read_anew() {
    let store = memory();
    let [cached, other] = processes(&store);
    open(&cached);
    add(&other, 4).unwrap();
    let sum = |slot: Result<stream::Slot<Total>, StoreError>| slot.unwrap().state.unwrap().sum;
    assert_eq!(sum(at_once(cached.read("T"))), 0);
    assert_eq!(sum(at_once(cached.read_anew("T"))), 4);
    assert_eq!(sum(at_once(cached.read("T"))), 4);
    add(&cached, 1).unwrap();
    assert_eq!(sum(at_once(other.read("T"))), 5);
}

proptest! {
    /// Processes add in any order, and into each other's decisions: what was granted is on record
    /// once, what was not is not there.
    #[test]
    fn every_granted_change_lands_once(steps in vec((0..2_usize, -9..9_i64, vec((0..2_usize, -9..9_i64), 0..12)), 1..20)) {
        let store = memory();
        // The one that decides holds its own stream: another process of each kind commits meanwhile.
        let (deciding, meanwhile) = (processes(&store), processes(&store));
        open(&deciding[0]);
        let (mut granted, mut sum) = (1, 0);
        for (mine, n, rivals) in steps {
            let (rivals, landed) = (std::sync::Mutex::new(rivals), std::sync::Mutex::new(Vec::new()));
            let decide = |total: Option<&Total>| {
                if let Some((other, n)) = rivals.lock().unwrap().pop() {
                    landed.lock().unwrap().extend(add(&meanwhile[other], n).is_ok().then_some(n));
                }
                decide(total, n)
            };
            let changed = at_once(deciding[mine].change("T", &Actor::Bot, at(1), decide, |_| Commit::default()));
            let landed = landed.into_inner().unwrap();
            granted += landed.len() as u64;
            sum += landed.iter().sum::<i64>();
            match changed {
                Ok(changed) => {
                    granted += 1;
                    sum += n;
                    prop_assert_eq!((changed.version, changed.state.sum), (granted, sum));
                }
                Err(ChangeError::Refused(Refusal::TooMuch)) => prop_assert!(n < 0),
                // What it has in memory may be old the first time.
                Err(ChangeError::Contended) => prop_assert!(landed.len() + 1 >= RACES),
                Err(error) => panic!("{error}"),
            }
            prop_assert_eq!(recorded(&*store), (granted, sum));
        }
    }
}
