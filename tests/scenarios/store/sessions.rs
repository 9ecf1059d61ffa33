//! Sessions over a store: many people and two processes at the same time, two releases.

use std::sync::Arc;

use insta::assert_snapshot;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use sekoia_chatops::chat::{Actor, ChannelKey, Community, UserId};
use sekoia_chatops::domain::checklist::{self, Mode, Recorded, Session, StepId, decide};
use sekoia_chatops::state::sessions::{self, ChangeError, Changed, Sessions};
use sekoia_chatops::store::{Commit, Loaded, Schedule, State, Store, Work, WorkKind, Write};
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{at, key, on_every_store, record, sqlite};

fn channel() -> ChannelKey {
    ChannelKey::slack("T0SOC", "C0SOC")
}

async fn change(sessions: &Sessions, who: &str, command: checklist::Command) -> Result<Changed, ChangeError> {
    let by = Actor::Person(UserId::slack(who));
    sessions.change(&channel(), &by, at(0), None, |session| decide(session, command.clone(), at(0))).await
}

async fn open(sessions: &Sessions) {
    let community = Community { uuid: Uuid::from_u128(1), name: "Nimbus".into() };
    change(sessions, "U0", checklist::Command::Open { community, mode: Mode::MultiTenant }).await.unwrap();
}

/// Something that nobody else asks for.
fn nth(n: i32) -> checklist::Command {
    let day = at(0).to_zoned(TimeZone::UTC).date().saturating_add(n.days());
    let step = StepId::all().nth(n as usize % StepId::COUNT).unwrap();
    if n % 2 == 0 {
        checklist::Command::SetDue { step, due: Some(day) }
    } else {
        checklist::Command::Assign { step, to: Some(UserId::slack(&format!("U{n}"))) }
    }
}

/// The history holds the opening and every granted change once, and gives the stored state.
async fn all_landed_once(store: &dyn Store, granted: Vec<Changed>) {
    let records = store.history(&sessions::stream(&channel()), 0, 999).await.unwrap();
    let history: Vec<Recorded> = records
        .iter()
        .map(|r| Recorded {
            event: serde_json::from_str(&r.body).unwrap(),
            by: Actor::Person(serde_json::from_value(r.actor.clone().into()).unwrap()),
            at: r.at().unwrap(),
        })
        .collect();
    assert_eq!(history.len(), granted.len() + 1);
    for event in granted.iter().flat_map(|changed| &changed.events) {
        assert_eq!(history.iter().filter(|r| r.event == *event).count(), 1, "{event:?}");
    }
    let Loaded { version, state } = store.load(&sessions::stream(&channel())).await.unwrap().unwrap();
    assert_eq!(version, history.len() as u64);
    let stored: Session = serde_json::from_str(&state.json).unwrap();
    assert_eq!(history.iter().fold(None, Session::apply), Some(stored));
    assert_eq!(store.due(WorkKind::Progress, at(0), 9).await.unwrap().len(), 1, "one progress message is owed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_people_at_the_same_time_all_land_once() {
    on_every_store(async |store| {
        let sessions = Arc::new(Sessions::new(Arc::clone(&store)));
        open(&sessions).await;
        let mut people = JoinSet::new();
        for n in 1..=32 {
            let sessions = Arc::clone(&sessions);
            people.spawn(async move { change(&sessions, "U0", nth(n)).await.unwrap() });
        }
        all_landed_once(&*store, people.join_all().await).await;
        let read = sessions.read_with_version(&channel()).await.unwrap().unwrap();
        assert_eq!(read.0, 33);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_on_one_store_reload_what_they_lost_and_both_land() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    let store = sqlite(&path, &[key(1)]).await;
    let processes = [Sessions::new(Arc::clone(&store)), Sessions::new(sqlite(&path, &[key(1)]).await)].map(Arc::new);
    open(&processes[0]).await;
    let mut granted = Vec::new();
    // By turns: whoever comes has always missed what the other one did.
    for n in 1..=6 {
        granted.push(change(&processes[n as usize % 2], "U0", nth(n)).await.unwrap());
    }
    let mut people = JoinSet::new();
    for n in 7..=30 {
        let sessions = Arc::clone(&processes[n as usize % 2]);
        people.spawn(async move { change(&sessions, "U0", nth(n)).await });
    }
    for outcome in people.join_all().await {
        match outcome {
            Ok(changed) => granted.push(changed),
            // Honest, as long as nothing of it is there.
            Err(ChangeError::Contended) => {}
            Err(error) => panic!("{error}"),
        }
    }
    all_landed_once(&*store, granted).await;
}

#[tokio::test]
async fn the_first_of_two_changes_for_a_request_leaves_its_end_to_the_second() {
    on_every_store(async |store| {
        let sessions = Sessions::new(Arc::clone(&store));
        open(&sessions).await;
        let new = Schedule { kind: WorkKind::Inbound, key: "D1".into(), due: at(0), attempts: 0, body: String::new() };
        store.commit(Commit { schedule: vec![new], ..Commit::default() }).await.unwrap();
        let recorded = store.find(WorkKind::Inbound, "D1").await.unwrap().unwrap().finished();
        let wait = |on: &'static str| {
            move |session: Option<&Session>| {
                decide(session, checklist::Command::Wait { step: StepId::Users, on: on.into() }, at(0))
            }
        };
        let first = async |on| {
            sessions.change_first(&channel(), &Actor::Bot, at(0), Some(recorded.clone()), wait(on), Vec::new).await
        };
        first("request r1").await.unwrap();
        assert!(store.find(WorkKind::Inbound, "D1").await.unwrap().is_some());
        sessions.change(&channel(), &Actor::Bot, at(0), Some(recorded.clone()), wait("request r2")).await.unwrap();
        assert_eq!(store.find(WorkKind::Inbound, "D1").await.unwrap(), None);
        // Another process carried it out meanwhile.
        assert!(matches!(first("request r3").await, Err(ChangeError::Superseded)));
    })
    .await;
}

#[tokio::test]
async fn work_that_another_process_superseded_changes_nothing() {
    on_every_store(async |store| {
        let sessions = Sessions::new(Arc::clone(&store));
        open(&sessions).await;
        let (kind, request) = (WorkKind::ChecklistSync, "r1");
        let schedule = async || {
            let new = Schedule { kind, key: request.into(), due: at(0), attempts: 0, body: String::new() };
            store.commit(Commit { schedule: vec![new], ..Commit::default() }).await.unwrap();
            store.find(kind, request).await.unwrap().unwrap()
        };
        let carry_out = async |work: &Work, on: &str| {
            let wait = checklist::Command::Wait { step: StepId::Users, on: on.into() };
            let decide = |session: Option<&Session>| decide(session, wait.clone(), at(0));
            sessions.change_for(&channel(), &Actor::Bot, at(0), work, decide).await.map(|changed| changed.version)
        };
        let stale = schedule().await;
        let present = schedule().await;
        assert!(matches!(carry_out(&stale, "what was read before").await, Err(ChangeError::Superseded)));
        assert_eq!(store.find(kind, request).await.unwrap(), Some(present.clone()));
        assert_eq!(carry_out(&present, "request r1").await.unwrap(), 2);
        assert_eq!(store.find(kind, request).await.unwrap(), None, "it is finished in the same commit");
        assert!(matches!(carry_out(&present, "request r1 again").await, Err(ChangeError::Superseded)));
        assert_eq!(store.load(&sessions::stream(&channel())).await.unwrap().unwrap().version, 2);
    })
    .await;
}

#[tokio::test]
async fn what_a_newer_release_wrote_is_read_and_not_changed() {
    on_every_store(async |store| {
        let (old, sessions) = (Sessions::new(Arc::clone(&store)), Sessions::new(Arc::clone(&store)));
        open(&old).await;
        let stream = sessions::stream(&channel());
        let Loaded { version, mut state } = store.load(&stream).await.unwrap().unwrap();
        state.schema = 999;
        let newer = Write {
            stream: stream.clone(),
            expected: version,
            state,
            records: vec![record("newer")],
            beside: Vec::new(),
        };
        store.commit(Commit { writes: vec![newer], ..Commit::default() }).await.unwrap();
        assert_eq!(&*sessions.read(&channel()).await.unwrap().unwrap().community.name, "Nimbus");
        // One had the older state in memory, the other had nothing.
        for sessions in [&old, &sessions] {
            assert!(matches!(change(sessions, "U0", nth(1)).await, Err(ChangeError::Newer)));
        }
        let events = store.history(&stream, version + 1, 9).await.unwrap();
        assert!(events.is_empty(), "{events:?}");
    })
    .await;
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_said_to_be_so() {
    on_every_store(async |store| {
        for (channel, schema) in [("C1", 1), ("C2", 999)] {
            let stream = sessions::stream(&ChannelKey::slack("T0SOC", channel));
            let state = State { schema, json: "{\"steps\":{\"an eighth\":{}}}".into() };
            let write = Write { stream, expected: 0, state, records: vec![record("newer")], beside: Vec::new() };
            store.commit(Commit { writes: vec![write], ..Commit::default() }).await.unwrap();
        }
        let sessions = Sessions::new(store);
        let error = async |channel| sessions.read(&ChannelKey::slack("T0SOC", channel)).await.unwrap_err().to_string();
        let (older, newer) = (error("C1").await, error("C2").await);
        insta::allow_duplicates! {
            assert_snapshot!(older, @r#"session/slack:T0SOC:C1 holds what cannot be read: unknown step "an eighth" at line 1 column 21"#);
            assert_snapshot!(newer, @"session/slack:T0SOC:C2 holds what cannot be read: a newer release wrote it; upgrade this one");
        }
    })
    .await;
}
