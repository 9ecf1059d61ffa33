//! Whatever is erased, the records still lead to the state, and the chain verifies.

use std::sync::Arc;

use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sekoia_chatops::chat::{Actor, ChannelKey, Community, UserId};
use sekoia_chatops::domain::action::Action;
use sekoia_chatops::domain::approval::{self, Approval, ApprovalId};
use sekoia_chatops::domain::checklist::facts::{Fact, Member, Print};
use sekoia_chatops::domain::checklist::{self, Concluded, Evidence, Mode, Session, StepId};
use sekoia_chatops::domain::plan::{self, ChannelPlan, Part, Plan, PlannedPerson};
use sekoia_chatops::state::erase::{Outcome, Person, What, erase, history};
use sekoia_chatops::state::families::follows;
use sekoia_chatops::state::stream::{self, Folded};
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::personal;
use sekoia_chatops::store::{Commit, Loaded, MemoryStore, SqliteStore, Store, StreamId};
use sha2::Sha256;
use uuid::Uuid;

const PEOPLE: [&str; 3] = ["ana@nimbus.example", "bo@nimbus.example", "cy.d+x@elsewhere.example"];
const NAMES: [&str; 3] = ["Ana Lopez", "Bo Li", "Cy Dee"];
const SALT: &str = "salt:00112233445566778899aabbccddeeff";

fn chain() -> Chain {
    Chain::new(&[vec![1; 32].into()])
}

fn start() -> Timestamp {
    "2026-07-01T08:00:00Z".parse().unwrap()
}

fn after(hours: usize) -> Timestamp {
    start() + SignedDuration::from_hours(i64::try_from(hours).unwrap())
}

/// The memory store never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the memory store")
}

fn texts() -> impl Strategy<Value = Box<str>> {
    let person = || select(&PEOPLE[..]);
    prop_oneof![
        person().prop_map(String::from),
        (person(), person()).prop_map(|(one, other)| format!("Ask {}, not \"{other}\"", one.to_uppercase())),
        ".{0,12}",
    ]
    .prop_map(Into::into)
}

/// Commits the events, one an hour, and returns the store and the stream.
fn recorded<S: Folded>(events: &[S::Event]) -> (Arc<dyn Store>, StreamId) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(chain()));
    let (mut state, mut version) = (None, 0);
    for (n, event) in events.iter().enumerate() {
        let by = Actor::Person(UserId::slack("U0ALICE"));
        let event = std::slice::from_ref(event);
        let Some((write, next)) = stream::write::<S>("0badcafe", version, state.clone(), event, &by, after(n)) else {
            continue;
        };
        at_once(store.commit(Commit { writes: vec![write], ..Commit::default() })).unwrap();
        (state, version) = (Some(next), version + 1);
    }
    (store, stream::id::<S>("0badcafe"))
}

fn loaded(store: &dyn Store, stream: &StreamId) -> Option<Loaded> {
    at_once(store.load(stream)).unwrap()
}

/// Nothing is wrong with the stream, and the records lead to the state.
fn is_sound(store: &dyn Store, stream: &StreamId) -> Result<(), TestCaseError> {
    let Some(loaded) = loaded(store, stream) else { return Ok(()) };
    let records = at_once(history(store, stream)).unwrap();
    prop_assert_eq!(chain().verify(stream, &records, Some(&loaded)), vec![]);
    prop_assert!(follows(stream, &records, &loaded.state));
    for record in records {
        prop_assert!(personal::found(&record.body).is_empty(), "{}", record.body);
    }
    Ok(())
}

/// Erases somebody, then what is old, and looks after each.
fn erased<S: Folded>(events: &[S::Event], who: usize, hours: usize) -> Result<(), TestCaseError> {
    let (store, stream) = recorded::<S>(events);
    is_sound(&*store, &stream)?;
    let person = Person { address: PEOPLE[who].into(), names: vec![NAMES[who].to_lowercase()] };
    let outcome = at_once(erase(&*store, &stream, What::Person(&person), None, after(100))).unwrap();
    is_sound(&*store, &stream)?;
    if outcome != Outcome::UnderWay {
        let named = |json: &str| personal::found(json).iter().any(|value| person.is_named(value));
        let state = loaded(&*store, &stream).map_or(String::new(), |loaded| loaded.state.json);
        prop_assert!(!named(&state), "{}", state);
        for record in at_once(history(&*store, &stream)).unwrap() {
            prop_assert!(!named(&record.text()), "{}", record.text());
        }
        // Done once, it is done.
        let again = at_once(erase(&*store, &stream, What::Person(&person), None, after(101))).unwrap();
        prop_assert_eq!(again, Outcome::Erased { values: 0, records: 0, sealed: 0 });
    }
    let before = loaded(&*store, &stream).and_then(|loaded| serde_json::from_str::<S>(&loaded.state.json).ok());
    at_once(erase(&*store, &stream, What::Before(after(hours)), None, after(102))).unwrap();
    is_sound(&*store, &stream)?;
    // What is in force is as it was.
    let left = loaded(&*store, &stream).and_then(|loaded| serde_json::from_str::<S>(&loaded.state.json).ok());
    let in_force =
        |state: Option<S>| state.and_then(|state| state.in_force()).map(|state| serde_json::to_string(&state).unwrap());
    prop_assert_eq!(in_force(left), in_force(before));
    Ok(())
}

fn of_session() -> impl Strategy<Value = checklist::Event> {
    use checklist::Event;
    let step = || select(StepId::all().collect::<Vec<_>>());
    let member = select(&NAMES[..]).prop_map(|name| {
        let (id, roles) = (Print::of(name), Print::of("Admin"));
        Fact::Member(Member { id, name: name.into(), active: true, roles, admin: true, no_mfa: false })
    });
    let evidence = (texts(), vec(member, 0..3)).prop_map(|(summary, facts)| Evidence {
        summary,
        facts: Some(facts.into()),
        ..Evidence::default()
    });
    let concluded =
        (texts(), prop::option::of(texts()), vec(texts(), 0..2)).prop_map(|(what, reason, risks)| Concluded {
            request: "1badcafe".into(),
            what,
            hash: "00".into(),
            outcome: "rejected".into(),
            asked_by: Actor::Bot,
            approvers: [].into(),
            ended_by: None,
            reason,
            risks: risks.into(),
        });
    prop_oneof![
        3 => (step(), evidence).prop_map(|(step, evidence)| Event::Verified { step, evidence }),
        2 => (step(), prop::option::of(texts())).prop_map(|(step, note)| Event::Attested { step, note }),
        2 => (step(), texts()).prop_map(|(step, reason)| Event::Skipped { step, reason }),
        1 => (step(), texts()).prop_map(|(step, on)| Event::Waiting { step, on: format!("1badcafe {on}").into() }),
        2 => texts().prop_map(|address| Event::AccountGiven { address }),
        2 => (step(), concluded).prop_map(|(step, concluded)| Event::Concluded { step, concluded: Box::new(concluded) }),
        1 => Just(Event::Reset),
    ]
}

fn of_request() -> impl Strategy<Value = approval::Event> {
    use approval::Event;
    let item = || 0..3_usize;
    prop_oneof![
        (item(), texts()).prop_map(|(item, target)| Event::Started { item, target, clock: None, child: None }),
        (item(), texts()).prop_map(|(item, why)| Event::Failed { item, why }),
        (item(), texts()).prop_map(|(item, why)| Event::ByHand { item, why }),
        (item(), texts()).prop_map(|(item, why)| Event::Unclear { item, why }),
        texts().prop_map(|reason| Event::Rejected { reason }),
        Just(Event::Cancelled),
    ]
}

fn of_plan() -> impl Strategy<Value = plan::Event> {
    use plan::Event;
    let person = || {
        select(&PEOPLE[..]).prop_map(|address| PlannedPerson {
            address: address.into(),
            role: "Analyst".into(),
            communities: Vec::new(),
        })
    };
    let plan =
        move || vec(person(), 0..4).prop_map(|people| Box::new(Plan { people: Some(people), ..Plan::default() }));
    prop_oneof![
        plan().prop_map(|plan| Event::PartSet { part: Part::People, plan }),
        plan().prop_map(|plan| Event::Added { plan }),
        (texts(), plan()).prop_map(|(request, plan)| Event::Joined { request, plan, without: None }),
        texts().prop_map(|name| Event::Dropped { part: Part::People, name }),
        plan().prop_map(|plan| Event::Imported { plan, origin: None }),
        Just(Event::PartOpened { part: Part::People }),
    ]
}

fn opened() -> checklist::Event {
    let community = Community { uuid: Uuid::from_u128(1), name: "Nimbus".into() };
    checklist::Event::Opened { community, mode: Mode::SingleTenant }
}

fn requested(account: Vec<Box<str>>) -> approval::Event {
    let action = Action::Invite {
        people: PEOPLE.map(Into::into).into(),
        grants: Vec::new(),
        replaces: Vec::new(),
        groups: Vec::new(),
    };
    let request = approval::Request {
        channel: ChannelKey::slack("T0SOC", "C0SOC"),
        community: Community { uuid: Uuid::from_u128(1), name: "Nimbus".into() },
        hash: action.hash(SALT),
        salt: SALT.into(),
        action,
        because: Some("ask bo@nimbus.example".into()),
        risks: vec!["elsewhere.example is external: cy.d+x@elsewhere.example".into()],
        account,
        needed: 1,
        self_approval: false,
        expires: after(1_000),
        bundle: None,
        audience: approval::Audience::default(),
        reminders: Vec::new(),
        second_factor: false,
        escalates: None,
    };
    approval::Event::Requested { id: ApprovalId::from("0badcafe"), request: Box::new(request) }
}

proptest! {
    #[test]
    fn sessions_are_sound_whatever_is_erased(events in vec(of_session(), 0..25), who in 0..3_usize, hours in 0..26_usize) {
        let events: Vec<_> = std::iter::once(opened()).chain(events).collect();
        erased::<Session>(&events, who, hours)?;
    }

    #[test]
    fn requests_are_sound_whatever_is_erased(
        events in vec(of_request(), 0..8),
        account in vec(texts(), 0..3),
        who in 0..3_usize,
        hours in 0..10_usize,
    ) {
        let events: Vec<_> = std::iter::once(requested(account)).chain(events).collect();
        erased::<Approval>(&events, who, hours)?;
    }

    #[test]
    fn plans_are_sound_whatever_is_erased(events in vec(of_plan(), 1..20), who in 0..3_usize, hours in 0..21_usize) {
        erased::<ChannelPlan>(&events, who, hours)?;
    }
}

#[test]
fn a_cached_state_is_not_written_back() {
    let (store, stream) =
        recorded::<Session>(&[opened(), checklist::Event::AccountGiven { address: PEOPLE[0].into() }]);
    let stale = loaded(&*store, &stream).unwrap();
    let person = Person { address: PEOPLE[0].into(), names: Vec::new() };
    let outcome = at_once(erase(&*store, &stream, What::Person(&person), None, after(5))).unwrap();
    assert_eq!(outcome, Outcome::Erased { values: 1, records: 1, sealed: 0 });
    let state: Session = serde_json::from_str(&stale.state.json).unwrap();
    let event = checklist::Event::Reset;
    let (write, _) = stream::write("0badcafe", stale.version, Some(state), &[event], &Actor::Bot, after(6)).unwrap();
    let lost = at_once(store.commit(Commit { writes: vec![write], ..Commit::default() }));
    assert!(matches!(lost, Err(sekoia_chatops::store::CommitError::Conflict(_))), "{lost:?}");
    // The account is gone, not "[erased]".
    let state: Session = serde_json::from_str(&loaded(&*store, &stream).unwrap().state.json).unwrap();
    assert_eq!(state.accounts, vec![]);
}

#[test]
fn whoever_takes_a_value_away_or_changes_it_is_found() {
    let (store, stream) = recorded::<Session>(&[
        opened(),
        checklist::Event::AccountGiven { address: PEOPLE[0].into() },
        checklist::Event::AccountGiven { address: PEOPLE[1].into() },
    ]);
    let person = Person { address: PEOPLE[0].into(), names: Vec::new() };
    at_once(erase(&*store, &stream, What::Person(&person), None, after(5))).unwrap();
    let (records, state) = (at_once(history(&*store, &stream)).unwrap(), loaded(&*store, &stream));
    let faults = |records: &[sekoia_chatops::store::Record]| -> Vec<String> {
        chain().verify(&stream, records, state.as_ref()).iter().map(ToString::to_string).collect()
    };
    assert_eq!(faults(&records), [""; 0]);
    let mut taken = records.clone();
    taken[2].personal = personal::Personal::default();
    assert_eq!(
        faults(&taken),
        ["session/0badcafe: beside record 3, 1 personal value is missing, and the history says that 0 were erased"]
    );
    let mut changed = records.clone();
    changed[2].personal = personal::Personal::read(&records[2].personal.column().replace("bo@", "eve@"));
    assert_eq!(
        faults(&changed),
        ["session/0badcafe: a personal value beside record 3 is not the one that was recorded"]
    );
    assert!(changed[2].text().contains("[altered]"));
    // The end alone is verified likewise.
    let end = chain().verify_after(&stream, (1, &records[0].seal), &records[1..], state.as_ref());
    assert_eq!(end, []);
}

/// A seal as an earlier release made it, over a body with the values in it.
fn old_seal(record: &sekoia_chatops::store::Record, previous: &str) -> String {
    let keyed = |key: &[u8]| <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    let derived = keyed(&[1; 32]).chain_update(b"sekoia-chatops audit chain v1").finalize().into_bytes();
    let mut mac = keyed(&derived);
    let seq = record.seq.to_string();
    let fields =
        [previous, record.stream.as_str(), &seq, &record.at, &record.actor, &record.kind, &record.body, &record.key];
    for field in fields {
        mac.update(&(field.len() as u64).to_be_bytes());
        mac.update(field.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn records_of_an_earlier_release_verify_and_keep_what_is_sealed_in_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bot.db");
    let store = SqliteStore::open(&path, chain()).await.unwrap();
    let events = [opened(), checklist::Event::AccountGiven { address: PEOPLE[0].into() }];
    let (write, _) =
        stream::write::<Session>("old", 0, None, &events, &Actor::Person(UserId::slack("U1")), start()).unwrap();
    store.commit(Commit { writes: vec![write], ..Commit::default() }).await.unwrap();
    let stream = stream::id::<Session>("old");
    let mut records = history(&store, &stream).await.unwrap();
    store.close().await;
    records[1].body = records[1].text();
    let seal = old_seal(&records[1], &records[0].seal);
    // As that release left it: its rows are sealed as they are found.
    let sql = format!(
        "UPDATE record SET body = '{}', personal = '', seal = '{seal}' WHERE seq = 2; \
         UPDATE stream SET head = '', seal = ''; DELETE FROM whole",
        records[1].body
    );
    let mut database = <sqlx::SqliteConnection as sqlx::Connection>::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
    sqlx::Connection::close(database).await.unwrap();
    std::fs::remove_file(sekoia_chatops::store::heads::path(&path)).unwrap();

    let store = SqliteStore::open(&path, chain()).await.unwrap();
    // It goes on under this release.
    let state = store.load(&stream).await.unwrap().unwrap();
    let read: Session = serde_json::from_str(&state.state.json).unwrap();
    let event = checklist::Event::Skipped { step: StepId::Roles, reason: "ask ana@nimbus.example".into() };
    let (write, _) = stream::write("old", 2, Some(read), &[event], &Actor::Bot, after(1)).unwrap();
    store.commit(Commit { writes: vec![write], ..Commit::default() }).await.unwrap();
    let person = Person { address: PEOPLE[0].into(), names: Vec::new() };
    let outcome = erase(&store, &stream, What::Person(&person), None, after(2)).await.unwrap();
    assert_eq!(outcome, Outcome::Erased { values: 1, records: 1, sealed: 1 });
    let (records, loaded) = (history(&store, &stream).await.unwrap(), store.load(&stream).await.unwrap().unwrap());
    assert_eq!(chain().verify(&stream, &records, Some(&loaded)), []);
    assert!(follows(&stream, &records, &loaded.state));
    assert!(loaded.state.json.contains("ask [erased]") && loaded.state.json.contains("ana@nimbus.example"));
    // A new key changes nothing of what stands beside the records.
    store.close().await;
    let rotated = Chain::new(&[vec![2; 32].into(), vec![1; 32].into()]);
    let store = SqliteStore::open(&path, rotated.clone()).await.unwrap();
    let (records, loaded) = (history(&store, &stream).await.unwrap(), store.load(&stream).await.unwrap().unwrap());
    assert_eq!(rotated.verify(&stream, &records, Some(&loaded)), []);
    assert!(records[2].text().contains("ask [erased]"));
    store.close().await;
}
