//! What has to come of everything: the pure core, and a handful of rules about deliveries and leases.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::ReferenceStateMachine;
use sekoia_chatops::chat::{Actor, ChannelKey};
use sekoia_chatops::domain::approval::{self, Approval, ApprovalId};
use sekoia_chatops::domain::checklist::{self, Session};
use sekoia_chatops::state::stream::{Folded, encode, sealed};
use sekoia_chatops::store::{MOST_LEASE, StreamId};

use super::super::{core, requests_core};
use super::seen::Kill;

pub const REPLICAS: usize = 3;
/// Channels, and requests.
pub const STREAMS: usize = 2;
/// Clicks that are delivered, some of them again.
const CLICKS: u8 = 5;

pub fn channel(on: usize) -> ChannelKey {
    ChannelKey::slack("T0SOC", &format!("C{on}SOC"))
}

pub fn request(on: usize) -> ApprovalId {
    ApprovalId::from(&*format!("{on}badcafe"))
}

/// Somebody wants something of a session or of a request.
#[derive(Debug, Clone)]
pub struct Ask {
    pub on: usize,
    pub by: Actor,
    pub command: Command,
}

#[derive(Debug, Clone)]
pub enum Command {
    Session(checklist::Command),
    Request(approval::Command),
}

/// What a replica does.
#[derive(Debug, Clone)]
pub enum Op {
    Command(Ask),
    /// Recorded with its delivery, carried out, and taken off the list.
    Click {
        delivery: u8,
        ask: Ask,
    },
    /// Under the lease of long work, whoever has it.
    Fenced(Ask),
    /// Takes that lease, or keeps it.
    Lease {
        seconds: i64,
    },
}

#[derive(Debug, Clone)]
pub enum Step {
    One(usize, Op),
    /// At the same time; the seed says who is let go first.
    Both([(usize, Op); 2], u64),
    /// The replica ends at one of its commits, and is started again.
    Crash(usize, Op, Kill),
    /// Every replica is started anew, on what was stored.
    Restart,
    /// Goes on with a click that a replica left behind.
    TakeUp(usize),
    /// A replica is halted with a click that it recorded; another one carries it out, and it wakes.
    Overtaken {
        slow: usize,
        quick: usize,
        delivery: u8,
        ask: Ask,
    },
    /// Some work, scheduled by now or long ago, is done or put off.
    Settle {
        by: usize,
        nth: usize,
        put_off: Option<i64>,
    },
    /// A change that rests on such work.
    For {
        by: usize,
        nth: usize,
        ask: Ask,
    },
    /// What was delivered so many seconds ago is forgotten.
    Forget(usize, i64),
}

#[derive(Debug, Clone)]
pub struct Transition {
    /// Seconds since the last one; clocks may be set back.
    pub later: i64,
    pub step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    Leased(bool),
    Changed {
        version: u64,
        events: Vec<String>,
    },
    Refused(String),
    /// Another replica has the lease.
    TakenOver,
    /// What it rested on is done, or other work by now.
    Superseded,
}

/// An audit record: kind, actor, when, body.
pub type Entry = (String, String, Timestamp, String);

/// A stream as it is to be.
#[derive(Debug, Clone)]
pub struct Expected<S: Folded> {
    pub version: u64,
    pub state: Option<S>,
    pub records: Vec<Entry>,
    /// After which version it was what.
    pub states: BTreeMap<u64, S>,
}

impl<S: Folded> Default for Expected<S> {
    fn default() -> Self {
        Self { version: 0, state: None, records: Vec::new(), states: BTreeMap::new() }
    }
}

#[derive(Debug, Clone)]
pub struct Model {
    pub now: Timestamp,
    pub sessions: [Expected<Session>; STREAMS],
    pub requests: [Expected<Approval>; STREAMS],
    pub deliveries: BTreeMap<u8, Timestamp>,
    /// What each click asked for.
    pub clicks: BTreeMap<u8, Ask>,
    lease: Option<(usize, Timestamp)>,
}

/// The commits that a process has left.
struct Life(Option<Kill>);

impl Life {
    /// Whether the next commit is recorded, and whether the process lives on.
    fn commit(&mut self) -> (bool, bool) {
        match &mut self.0 {
            Some(Kill { at: 0, recorded }) => (*recorded, false),
            Some(Kill { at, .. }) => {
                *at -= 1;
                (true, true)
            }
            None => (true, true),
        }
    }
}

impl<S: Folded> Expected<S> {
    /// What becomes of a decision. `instead`: why it cannot be committed.
    fn change(
        &mut self,
        decided: Result<Vec<S::Event>, S::Refusal>,
        (by, at): (&Actor, Timestamp),
        instead: Option<Outcome>,
        life: &mut Life,
    ) -> Option<Outcome> {
        let events = match decided {
            Ok(events) => events,
            Err(refusal) => return Some(Outcome::Refused(refusal.to_string())),
        };
        let (recorded, lives) = life.commit();
        if let (true, Some(instead)) = (lives, &instead) {
            return Some(instead.clone());
        }
        if recorded && instead.is_none() {
            let state = events.iter().fold(self.state.take(), |state, event| S::fold(state, event, by, at));
            self.version += events.len() as u64;
            self.states.extend(state.clone().map(|state| (self.version, state)));
            self.state = state;
            let entry = |event| (S::kind(event).to_owned(), by.name().to_owned(), at, encode(event));
            self.records.extend(events.iter().map(entry));
        }
        lives.then(|| Outcome::Changed { version: self.version, events: events.iter().map(encode).collect() })
    }
}

impl Model {
    /// When what is asked for now is decided: clocks know more than is stored.
    pub fn decided_at(&self) -> Timestamp {
        self.now + SignedDuration::from_micros(456)
    }

    pub fn streams(&self) -> Vec<(StreamId, u64, &[Entry])> {
        let sessions = self
            .sessions
            .iter()
            .enumerate()
            .map(|(on, it)| (StreamId::new(Session::FAMILY, channel(on).as_str()), it.version, &*it.records));
        let requests = self
            .requests
            .iter()
            .enumerate()
            .map(|(on, it)| (StreamId::new(Approval::FAMILY, request(on).as_str()), it.version, &*it.records));
        sessions.chain(requests).filter(|(_, version, _)| *version > 0).collect()
    }

    /// What a replica is to answer; none if it does not live to do so.
    pub fn perform(&mut self, replica: usize, op: &Op, kill: Option<Kill>) -> Option<Outcome> {
        let life = &mut Life(kill);
        match op {
            Op::Command(ask) => self.change(ask, None, life),
            Op::Fenced(ask) => {
                let held = self.lease.is_some_and(|(holder, _)| holder == replica);
                self.change(ask, (!held).then_some(Outcome::TakenOver), life)
            }
            Op::Click { delivery, ask } => {
                if let Some(instead) = self.record(*delivery, ask, life)? {
                    return Some(instead);
                }
                self.carry_out(ask, life)
            }
            Op::Lease { seconds } => Some(Outcome::Leased(self.take_lease(replica, *seconds))),
        }
    }

    /// Notes a click, or says that it is there already.
    fn record(&mut self, delivery: u8, ask: &Ask, life: &mut Life) -> Option<Option<Outcome>> {
        let (recorded, lives) = life.commit();
        let again = self.deliveries.contains_key(&delivery);
        if recorded && !again {
            self.deliveries.insert(delivery, self.now);
            self.clicks.insert(delivery, ask.clone());
        }
        lives.then(|| again.then_some(Outcome::Delivered))
    }

    fn carry_out(&mut self, ask: &Ask, life: &mut Life) -> Option<Outcome> {
        let outcome = self.change(ask, None, life)?;
        let (_, lives) = life.commit();
        lives.then_some(outcome)
    }

    /// A click that another replica recorded is carried out.
    pub fn take_up(&mut self, delivery: u8) -> Option<Outcome> {
        let ask = self.clicks[&delivery].clone();
        self.carry_out(&ask, &mut Life(None))
    }

    /// A change that rests on work: on what is scheduled, or on what was.
    pub fn change_for(&mut self, ask: &Ask, present: bool) -> Option<Outcome> {
        self.change(ask, (!present).then_some(Outcome::Superseded), &mut Life(None))
    }

    fn change(&mut self, ask: &Ask, instead: Option<Outcome>, life: &mut Life) -> Option<Outcome> {
        let now = self.decided_at();
        let who = (&ask.by, sealed(now));
        match &ask.command {
            Command::Session(command) => {
                let stream = &mut self.sessions[ask.on];
                let decided = checklist::decide(stream.state.as_ref(), command.clone(), now);
                stream.change(decided, who, instead, life)
            }
            Command::Request(command) => {
                let stream = &mut self.requests[ask.on];
                let decided = approval::decide(stream.state.as_ref(), command.clone(), now);
                stream.change(decided, who, instead, life)
            }
        }
    }

    fn take_lease(&mut self, replica: usize, seconds: i64) -> bool {
        let longest = self.now + MOST_LEASE;
        let free = self.lease.is_none_or(|(holder, until)| {
            // One that ends later than any can was taken while the clock was ahead.
            holder == replica || until <= self.now || until > longest
        });
        if free {
            self.lease = Some((replica, longest.min(self.now + SignedDuration::from_secs(seconds))));
        }
        free
    }

    fn asks(&self) -> impl Strategy<Value = Ask> + use<> {
        let opened = self.sessions.each_ref().map(|session| session.version > 0);
        let asked = self.requests.each_ref().map(|request| request.version > 0);
        let on = || prop_oneof![3 => Just(0), 1 => Just(1)];
        let by = prop_oneof![3 => core::user().prop_map(Actor::Person), 1 => Just(Actor::Bot)];
        let session = (on(), by, core::opening(), core::command(), 0..8_u8);
        let session = session.prop_map(move |(on, by, opening, command, dice)| {
            let command = if opened[on] || dice == 0 { command } else { opening };
            Ask { on, by, command: Command::Session(command) }
        });
        let ask = (select(requests_core::actions()), 1..=2_u8, any::<bool>());
        let request = (on(), ask, requests_core::command(), 0..8_u8);
        let request = request.prop_map(move |(on, (action, needed, own), command, dice)| {
            let asks = if asked[on] { dice == 0 } else { dice > 0 };
            let request = requests_core::request(action, needed, own);
            let ask = approval::Command::Ask { id: self::request(on), request: Box::new(request) };
            let command = if asks { ask } else { command };
            Ask { on, by: requests_core::actor(&command), command: Command::Request(command) }
        });
        prop_oneof![session, request]
    }

    fn ops(&self) -> BoxedStrategy<Op> {
        prop_oneof![
            5 => self.asks().prop_map(Op::Command),
            4 => (0..CLICKS, self.asks()).prop_map(|(delivery, ask)| Op::Click { delivery, ask }),
            4 => self.asks().prop_map(Op::Fenced),
            2 => (-5..90_i64).prop_map(|seconds| Op::Lease { seconds }),
        ]
        .boxed()
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self {
            now: requests_core::start(),
            sessions: Default::default(),
            requests: Default::default(),
            deliveries: BTreeMap::new(),
            clicks: BTreeMap::new(),
            lease: None,
        })
        .boxed()
    }

    fn transitions(model: &Self) -> BoxedStrategy<Transition> {
        let replica = || 0..REPLICAS;
        let (op, ask) = (model.ops(), model.asks().boxed());
        let one = (replica(), op.clone());
        let kill = (0..4_usize, any::<bool>()).prop_map(|(at, recorded)| Kill { at, recorded });
        let overtaken = (replica(), 1..REPLICAS, 0..CLICKS, ask.clone());
        let nth = any::<prop::sample::Index>().prop_map(|n| n.index(1_000));
        let nth = prop_oneof![nth, Just(usize::MAX)].boxed();
        let step = prop_oneof![
            12 => one.clone().prop_map(|(replica, op)| Step::One(replica, op)),
            8 => (one.clone(), one, any::<u64>()).prop_map(|(a, b, seed)| Step::Both([a, b], seed)),
            4 => (replica(), op, kill).prop_map(|(replica, op, kill)| Step::Crash(replica, op, kill)),
            1 => Just(Step::Restart),
            2 => replica().prop_map(Step::TakeUp),
            2 => overtaken.prop_map(|(slow, next, delivery, ask)| Step::Overtaken {
                slow, quick: (slow + next) % REPLICAS, delivery, ask
            }),
            3 => (replica(), nth.clone(), prop::option::of(-60..600_i64))
                .prop_map(|(by, nth, put_off)| Step::Settle { by, nth, put_off }),
            2 => (replica(), nth, ask).prop_map(|(by, nth, ask)| Step::For { by, nth, ask }),
            1 => (replica(), 0..600_i64).prop_map(|(replica, ago)| Step::Forget(replica, ago)),
        ];
        let later = prop_oneof![4 => Just(0), 8 => 0..90_i64, 2 => 0..20_000_i64, 1 => -30..0_i64];
        (later, step).prop_map(|(later, step)| Transition { later, step }).boxed()
    }

    /// Where it does not know the order, or what is scheduled, it takes one: what is asked next only has to make
    /// sense most of the time.
    fn apply(mut model: Self, Transition { later, step }: &Transition) -> Self {
        model.now += SignedDuration::from_secs(*later);
        match step {
            Step::One(replica, op) => drop(model.perform(*replica, op, None)),
            Step::Both(ops, _) => {
                for (replica, op) in ops {
                    model.perform(*replica, op, None);
                }
            }
            Step::Crash(replica, op, kill) => drop(model.perform(*replica, op, Some(*kill))),
            Step::Overtaken { quick, delivery, ask, .. } => {
                model.perform(*quick, &Op::Click { delivery: *delivery, ask: ask.clone() }, None);
            }
            Step::Forget(_, ago) => {
                let before = model.now - SignedDuration::from_secs(*ago);
                model.deliveries.retain(|_, at| *at >= before);
            }
            Step::Restart | Step::TakeUp(_) | Step::Settle { .. } | Step::For { .. } => {}
        }
        model
    }
}
