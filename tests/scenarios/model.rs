//! Sessions and requests on every store, whatever people, replicas, crashes and clocks do and in whatever
//! order: nothing comes of it but what the pure core says.

mod ledger;
mod reference;
mod seen;

use std::marker::PhantomData;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::test_runner::Config;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use sekoia_chatops::domain::approval::{self, Approval};
use sekoia_chatops::domain::checklist::{self, Session};
use sekoia_chatops::state::approvals::Approvals;
use sekoia_chatops::state::sessions::Sessions;
use sekoia_chatops::state::stream::{ChangeError, Changed, Folded, encode};
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::postgres::Limits;
use sekoia_chatops::store::{
    Commit, CommitError, Fence, Finished, MemoryStore, PostgresStore, Schedule, SqliteStore, Store, StoreError,
    WorkKind, fence,
};
use sekoia_chatops::timing::Timing;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::harness::postgres;
use ledger::Ledger;
use reference::{Ask, Command, Entry, Expected, Model, Op, Outcome, REPLICAS, Step, Transition, channel, request};
use seen::{Log, Seen};

/// What long work runs under.
const LEASE: &str = "duty";
/// What is recorded and not carried out is taken up so much later.
const TAKEN_UP_AFTER: SignedDuration = SignedDuration::from_secs(120);
const ALL: u32 = 9_999;

/// Where everything is stored.
trait Place: Sized {
    async fn begin() -> Self;
    /// As a replica opens it.
    async fn open(&mut self) -> Arc<dyn Store>;
    /// Every replica ended.
    async fn restart(&mut self) {}
}

fn chain() -> Chain {
    Chain::new(&[vec![1; 32].into()])
}

struct Memory(Arc<dyn Store>);

impl Place for Memory {
    async fn begin() -> Self {
        Self(Arc::new(MemoryStore::new(chain())))
    }

    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::clone(&self.0)
    }
}

/// One process has the file: it stays open as long as there is a replica.
struct Sqlite(TempDir, Option<Arc<dyn Store>>);

impl Place for Sqlite {
    async fn begin() -> Self {
        Self(TempDir::new().unwrap(), None)
    }

    async fn open(&mut self) -> Arc<dyn Store> {
        if let Some(store) = &self.1 {
            return Arc::clone(store);
        }
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&self.0.path().join("bot.db"), chain()).await.unwrap());
        Arc::clone(self.1.insert(store))
    }

    async fn restart(&mut self) {
        self.1 = None;
    }
}

/// A schema of its own, which every replica opens for itself.
struct Postgres(String);

impl Place for Postgres {
    async fn begin() -> Self {
        Self(postgres::schema(&postgres::for_stages().expect("a server")).await)
    }

    async fn open(&mut self) -> Arc<dyn Store> {
        let limits = Limits { connections: 3, ..Limits::default() };
        Arc::new(PostgresStore::open(self.0.parse().unwrap(), limits, chain()).await.unwrap())
    }
}

struct Replica {
    name: Arc<str>,
    store: Arc<Seen>,
    sessions: Sessions,
    approvals: Approvals,
}

fn answer<S: Folded>(result: Result<Changed<S>, ChangeError<S::Refusal>>) -> Outcome {
    match result {
        Ok(Changed { version, events, .. }) => {
            Outcome::Changed { version, events: events.iter().map(encode).collect() }
        }
        Err(ChangeError::Refused(refusal)) => Outcome::Refused(refusal.to_string()),
        Err(ChangeError::Store(StoreError::TakenOver)) => Outcome::TakenOver,
        Err(ChangeError::Superseded) => Outcome::Superseded,
        Err(error) => panic!("{error}"),
    }
}

fn decides(command: &checklist::Command, now: Timestamp) -> impl Fn(Option<&Session>) -> Decided<Session> {
    move |session| checklist::decide(session, command.clone(), now)
}

type Decided<S> = Result<Vec<<S as Folded>::Event>, <S as Folded>::Refusal>;

impl Replica {
    fn new(number: usize, store: Arc<dyn Store>, log: &Log) -> Self {
        let store = Arc::new(Seen::new(store, Arc::clone(log)));
        Self {
            name: format!("replica {number}").into(),
            sessions: Sessions::new(Arc::clone(&store) as _),
            approvals: Approvals::new(Arc::clone(&store) as _, Timing::default()),
            store,
        }
    }

    async fn perform(&self, op: &Op, model: &Model) -> Outcome {
        match op {
            Op::Command(ask) => self.change(ask, model, None).await,
            Op::Fenced(ask) => {
                let fence = Fence { lease: LEASE, holder: Arc::clone(&self.name) };
                fence::under(fence, Arc::new(|| Some(Timestamp::UNIX_EPOCH)), self.change(ask, model, None)).await
            }
            Op::Click { delivery, ask } => match self.record(*delivery, model.now).await {
                Some(click) => self.carry_out(ask, model, click).await,
                None => Outcome::Delivered,
            },
            Op::Lease { seconds } => {
                let until = model.now + SignedDuration::from_secs(*seconds);
                Outcome::Leased(self.store.lease(LEASE, &self.name, model.now, until).await.unwrap())
            }
        }
    }

    async fn change(&self, ask: &Ask, model: &Model, finished: Option<Finished>) -> Outcome {
        let now = model.decided_at();
        match &ask.command {
            Command::Session(command) => {
                let decide = decides(command, now);
                answer(self.sessions.change(&channel(ask.on), &ask.by, now, finished, decide).await)
            }
            Command::Request(command) => {
                let decide = |request: Option<&Approval>| approval::decide(request, command.clone(), now);
                answer(self.approvals.change(&request(ask.on), &ask.by, now, finished, decide).await)
            }
        }
    }

    /// Notes a click, unless it was delivered before.
    async fn record(&self, delivery: u8, now: Timestamp) -> Option<Finished> {
        let (kind, key) = (WorkKind::Inbound, delivery.to_string());
        let work = Schedule { kind, key: key.clone(), due: now + TAKEN_UP_AFTER, attempts: 0, body: String::new() };
        let delivery = Some((key.clone(), now));
        match self.store.commit(Commit { schedule: vec![work], delivery, ..Commit::default() }).await {
            Ok(generations) => Some(Finished { kind: kind.into(), key, generation: generations[0] }),
            Err(CommitError::Delivered) => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn carry_out(&self, ask: &Ask, model: &Model, click: Finished) -> Outcome {
        let outcome = self.change(ask, model, Some(click.clone())).await;
        self.store.commit(Commit { finished: vec![click], ..Commit::default() }).await.unwrap();
        outcome
    }
}

/// Replicas on one store, what has to come of them, and what was committed.
struct World<P> {
    place: P,
    replicas: Vec<Replica>,
    log: Log,
    model: Model,
    ledger: Ledger,
}

impl<P: Place> World<P> {
    async fn begin(model: &Model) -> Self {
        let place = P::begin().await;
        let (model, ledger) = (model.clone(), Ledger::default());
        let mut world = Self { place, replicas: Vec::new(), log: Log::default(), model, ledger };
        world.start().await;
        world
    }

    async fn start(&mut self) {
        for number in self.replicas.len()..REPLICAS {
            self.replicas.push(Replica::new(number, self.place.open().await, &self.log));
        }
    }

    async fn step(&mut self, Transition { later, step }: Transition) {
        self.model.now += SignedDuration::from_secs(later);
        match step {
            Step::One(replica, op) => {
                let told = self.replicas[replica].perform(&op, &self.model).await;
                assert_eq!(Some(told), self.model.perform(replica, &op, None));
            }
            Step::Both(ops, seed) => self.at_the_same_time(&ops, seed).await,
            Step::Crash(replica, op, kill) => {
                let dying = &self.replicas[replica];
                dying.store.dies(kill);
                let told = tokio::select! {
                    told = dying.perform(&op, &self.model) => Some(told),
                    () = dying.store.died.notified() => None,
                };
                assert_eq!(told, self.model.perform(replica, &op, Some(kill)));
                self.replicas[replica] = Replica::new(replica, self.place.open().await, &self.log);
            }
            Step::Restart => {
                self.replicas.clear();
                self.place.restart().await;
                self.start().await;
            }
            Step::TakeUp(replica) => {
                let replica = &self.replicas[replica];
                let left = replica.store.due(WorkKind::Inbound, self.model.now, 1).await.unwrap();
                if let Some(click) = left.first() {
                    let delivery = click.key.parse().unwrap();
                    let told = replica.carry_out(&self.model.clicks[&delivery], &self.model, click.finished()).await;
                    assert_eq!(Some(told), self.model.take_up(delivery));
                }
            }
            Step::Overtaken { slow, quick, delivery, ask } => {
                let expected = self.model.perform(quick, &Op::Click { delivery, ask: ask.clone() }, None);
                let [slow, quick] = [slow, quick].map(|n| &self.replicas[n]);
                match slow.record(delivery, self.model.now).await {
                    None => assert_eq!(expected, Some(Outcome::Delivered)),
                    Some(click) => {
                        let told = quick.carry_out(&ask, &self.model, click.clone()).await;
                        assert_eq!(Some(told), expected);
                        let late = slow.carry_out(&ask, &self.model, click).await;
                        assert!(!matches!(late, Outcome::Changed { .. }), "done twice: {late:?}");
                    }
                }
            }
            Step::Settle { by, nth, put_off } => {
                let Some(work) = self.ledger.nth(nth) else { return };
                let mut commit = Commit::default();
                match put_off {
                    Some(seconds) => {
                        commit.postponed.push((work.finished(), self.model.now + SignedDuration::from_secs(seconds)));
                    }
                    None => commit.finished.push(work.finished()),
                }
                self.replicas[by].store.commit(commit).await.unwrap();
            }
            Step::For { by, nth, ask } => {
                let (Some(work), Command::Session(command)) = (self.ledger.nth(nth), &ask.command) else { return };
                let now = self.model.decided_at();
                let sessions = &self.replicas[by].sessions;
                let told = sessions.change_for(&channel(ask.on), &ask.by, now, &work, decides(command, now)).await;
                assert_eq!(Some(answer(told)), self.model.change_for(&ask, self.ledger.is_present(&work)));
            }
            Step::Forget(replica, ago) => {
                let before = self.model.now - SignedDuration::from_secs(ago);
                let forgotten = self.replicas[replica].store.forget_deliveries(before).await.unwrap();
                let had = self.model.deliveries.len();
                let waits = |delivery: &u8| self.ledger.has(WorkKind::Inbound, &delivery.to_string());
                self.model.deliveries.retain(|delivery, at| *at >= before || waits(delivery));
                assert_eq!(forgotten, (had - self.model.deliveries.len()) as u64, "deliveries forgotten");
            }
        }
        let committed = std::mem::take(&mut *self.log.lock().unwrap());
        self.ledger.enter(committed, &*self.replicas[0].store, &self.model).await;
    }

    /// What two replicas tell is what they would have told one after the other, in one of the two orders.
    async fn at_the_same_time(&mut self, ops: &[(usize, Op); 2], seed: u64) {
        let [(one, first), (other, second)] = ops;
        let ours = [one, other].map(|n| &self.replicas[*n]);
        for (replica, seed) in ours.iter().zip([seed, seed.rotate_left(32)]) {
            replica.store.lets_others_go_first(seed);
        }
        let told = tokio::join!(ours[0].perform(first, &self.model), ours[1].perform(second, &self.model));
        let told = [Some(told.0), Some(told.1)];
        for replica in ours {
            replica.store.lets_others_go_first(0);
        }
        let orders = [[0, 1], [1, 0]].map(|order| {
            let (mut model, mut expected) = (self.model.clone(), [None, None]);
            for n in order {
                let (replica, op) = &ops[n];
                expected[n] = model.perform(*replica, op, None);
            }
            (model, expected)
        });
        let either = orders.each_ref().map(|(_, expected)| expected.clone());
        let order = orders.into_iter().find(|(_, expected)| *expected == told);
        self.model = order.unwrap_or_else(|| panic!("told: {told:#?}\nexpected, in either order: {either:#?}")).0;
    }

    /// Every replica has the state that the core predicts, and what is scheduled is what was committed.
    async fn check(&self) {
        for replica in &self.replicas {
            for (on, expected) in self.model.sessions.iter().enumerate() {
                let read = replica.sessions.read_with_version(&channel(on)).await.unwrap();
                let read = read.map(|(version, session)| (version, Arc::unwrap_or_clone(session)));
                assert_eq!(read, present(expected), "the session {on} as {} has it", replica.name);
            }
            for (on, expected) in self.model.requests.iter().enumerate() {
                let read = replica.approvals.read_with_version(&request(on)).await.unwrap();
                assert_eq!(read, present(expected), "the request {on} as {} has it", replica.name);
            }
        }
        // The last of them looks: the first one may have done it.
        self.ledger.check(&*self.replicas[REPLICAS - 1].store, self.model.now).await;
    }

    /// The history of everything is whole, and gives the state.
    async fn end(self) {
        let store = &*self.replicas[0].store;
        let expected = self.model.streams();
        let mut streams: Vec<_> = expected.iter().map(|(stream, ..)| stream.clone()).collect();
        streams.sort();
        assert_eq!(store.all_streams().await.unwrap(), streams);
        for (stream, version, entries) in expected {
            let records = store.history(&stream, 0, ALL).await.unwrap();
            let there: Vec<Entry> =
                records.iter().map(|r| (r.kind.clone(), r.actor.clone(), r.at().unwrap(), r.text())).collect();
            assert_eq!(there, entries, "{stream}");
            let loaded = store.as_stored(&stream).await.unwrap();
            assert_eq!(loaded.as_ref().map(|loaded| loaded.version), Some(version));
            assert_eq!(chain().verify(&stream, &records, loaded.as_ref()), []);
        }
        folded(&self.model.sessions);
        folded(&self.model.requests);
        assert_eq!(store.set_aside(ALL).await.unwrap(), (0, vec![]));
        assert_eq!(store.inspect().await.unwrap().0, Vec::<String>::new());
    }
}

fn present<S: Folded>(expected: &Expected<S>) -> Option<(u64, S)> {
    expected.state.clone().map(|state| (expected.version, state))
}

/// What is on record gives the state.
fn folded<S: Folded + PartialEq + std::fmt::Debug>(all: &[Expected<S>]) {
    for expected in all {
        let folded = expected.records.iter().fold(None, |state, (_, actor, at, body)| {
            let by = sekoia_chatops::state::stream::actor(actor);
            S::fold(state, &serde_json::from_str(body).unwrap(), &by, *at)
        });
        assert_eq!(folded, expected.state);
    }
}

/// The replicas on one kind of store.
struct On<P>(PhantomData<P>);

impl<P: Place> StateMachineTest for On<P> {
    type SystemUnderTest = (Runtime, World<P>);
    type Reference = Model;

    fn init_test(model: &Model) -> Self::SystemUnderTest {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = runtime.block_on(World::begin(model));
        (runtime, world)
    }

    fn apply((runtime, mut world): Self::SystemUnderTest, _: &Model, transition: Transition) -> Self::SystemUnderTest {
        runtime.block_on(world.step(transition));
        (runtime, world)
    }

    fn check_invariants((runtime, world): &Self::SystemUnderTest, _: &Model) {
        runtime.block_on(world.check());
    }

    fn teardown((runtime, world): Self::SystemUnderTest, _: Model) {
        runtime.block_on(world.end());
    }
}

/// One story for so many cases that other properties have (`PROPTEST_CASES`); what fails is made shorter for a
/// while.
fn stories(one_of: u32) -> Config {
    let cases = Config::default().cases / one_of;
    Config { cases, max_shrink_iters: 20 * cases, failure_persistence: None, ..Config::default() }
}

/// No story where there is no server.
fn on_a_server(stories: Config) -> Config {
    let cases = if postgres::for_stages().is_some() { stories.cases } else { 0 };
    Config { cases, ..stories }
}

prop_state_machine! {
    #![proptest_config(stories(4))]
    #[test]
    fn nothing_but_what_the_core_says_comes_of_it_in_memory(sequential 1..50 => On<Memory>);
}

prop_state_machine! {
    #![proptest_config(stories(32))]
    #[test]
    fn nothing_but_what_the_core_says_comes_of_it_on_sqlite(sequential 20..50 => On<Sqlite>);
}

prop_state_machine! {
    #![proptest_config(on_a_server(stories(32)))]
    #[test]
    fn nothing_but_what_the_core_says_comes_of_it_on_postgres(sequential 20..50 => On<Postgres>);
}
