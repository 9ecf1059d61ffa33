//! What every store promises.

mod audit;
mod faults;
mod kept;
mod moving;
mod rotation;
mod sessions;
mod streams;
mod times;
mod trust;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretSlice;
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::postgres::Limits;
use sekoia_chatops::store::{
    Commit, CommitError, Found, Loaded, MemoryStore, NewRecord, Personal, PostgresStore, Schedule, SqliteStore, State,
    Store, StreamId, WorkKind, Write,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::harness::postgres;

fn key(byte: u8) -> SecretSlice<u8> {
    vec![byte; 32].into()
}

async fn sqlite(path: &Path, keys: &[SecretSlice<u8>]) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(path, Chain::new(keys)).await.unwrap())
}

/// The same test on every store.
async fn on_every_store(test: impl AsyncFn(Arc<dyn Store>)) {
    println!("the memory store:");
    test(Arc::new(MemoryStore::new(Chain::new(&[key(1)])))).await;
    println!("the SQLite store:");
    let directory = TempDir::new().unwrap();
    test(sqlite(&directory.path().join("bot.db"), &[key(1)]).await).await;
    if let Some(server) = postgres::for_stages() {
        println!("the PostgreSQL store:");
        test(postgres_store(&postgres::schema(&server).await, &[key(1)]).await).await;
    }
}

async fn postgres_store(url: &str, keys: &[SecretSlice<u8>]) -> Arc<dyn Store> {
    let options = url.parse().expect("an address");
    Arc::new(PostgresStore::open(options, Limits::default(), Chain::new(keys)).await.unwrap())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + seconds).unwrap()
}

fn record(actor: &str) -> NewRecord {
    NewRecord { at: at(0), actor: actor.into(), kind: "test.happened", body: format!("{{\"by\":\"{actor}\"}}") }
}

/// `who` does one thing each to a stream whose state becomes `json`.
fn write(stream: &StreamId, expected: u64, json: &str, who: &[&str]) -> Write {
    let records = who.iter().map(|who| record(who)).collect();
    Write {
        stream: stream.clone(),
        expected,
        state: State { schema: 1, json: json.into() },
        records,
        beside: Vec::new(),
    }
}

fn one(stream: &StreamId, expected: u64, json: &str, who: &[&str]) -> Commit {
    Commit { writes: vec![write(stream, expected, json, who)], ..Commit::default() }
}

fn soc() -> StreamId {
    StreamId::new("session", "slack:T0SOC:C0SOC")
}

fn todo(key: &str, due: i64, body: &str) -> Schedule {
    Schedule { kind: WorkKind::Progress, key: key.into(), due: at(due), attempts: 0, body: body.into() }
}

async fn actors(store: &dyn Store, stream: &StreamId, after: u64, limit: u32) -> Vec<(u64, String)> {
    store.history(stream, after, limit).await.unwrap().into_iter().map(|r| (r.seq, r.actor)).collect()
}

/// What is due by a second, in order: key, body, attempts.
async fn due(store: &dyn Store, by: i64, limit: u32) -> Vec<String> {
    let work = store.due(WorkKind::Progress, at(by), limit).await.unwrap();
    work.iter().map(|w| format!("{} {} {}", w.key, w.body, w.attempts)).collect()
}

#[tokio::test]
async fn what_rests_on_work_that_changed_is_not_committed() {
    on_every_store(async |store| {
        let rests_on = |key: &str, generation| Found { kind: WorkKind::Progress.into(), key: key.into(), generation };
        let commit = |found: Found| Commit {
            schedule: vec![todo("a", 1, "mine")],
            rests_on: vec![found],
            ..one(&soc(), 0, "{}", &["ann"])
        };
        let theirs = store.commit(Commit { schedule: vec![todo("a", 1, "theirs")], ..Commit::default() }).await;
        let generation = theirs.unwrap()[0];
        for wrong in [None, Some(generation + 1)] {
            let lost = store.commit(commit(rests_on("a", wrong))).await;
            assert!(matches!(&lost, Err(CommitError::Conflict(what)) if what == "progress a"), "{lost:?}");
        }
        let lost = store.commit(commit(rests_on("b", Some(generation)))).await;
        assert!(matches!(lost, Err(CommitError::Conflict(_))), "{lost:?}");
        assert_eq!(due(&*store, 1, 9).await, ["a theirs 0"]);
        assert_eq!(store.load(&soc()).await.unwrap(), None);
        // That it was put off changes nothing of it.
        let put_off = store.find(WorkKind::Progress, "a").await.unwrap().unwrap().finished();
        store.commit(Commit { postponed: vec![(put_off, at(1))], ..Commit::default() }).await.unwrap();
        let mut won = commit(rests_on("a", Some(generation)));
        won.rests_on.push(rests_on("b", None));
        store.commit(won).await.unwrap();
        assert_eq!(due(&*store, 1, 9).await, ["a mine 0"]);
    })
    .await;
}

#[tokio::test]
async fn personal_values_stand_beside_the_records_until_they_are_erased() {
    on_every_store(async |store| {
        let streams = ["a", "b", "c"].map(|key| StreamId::new("session", key));
        for (n, stream) in (0..).zip(&streams) {
            let mut write = write(stream, 0, "{}", &["ann", "bob"]);
            write.records[0].at = at(n);
            write.records[0].body = r#"{"why":"ask ana@x.example or bo@x.example"}"#.into();
            store.commit(Commit { writes: vec![write], ..Commit::default() }).await.unwrap();
        }
        let remembering = async |before, after, limit| store.remembering(at(before), after, limit).await.unwrap();
        assert_eq!(remembering(0, None, 9).await, []);
        assert_eq!(remembering(2, None, 9).await, streams[..2]);
        assert_eq!(remembering(9, None, 2).await, streams[..2]);
        assert_eq!(remembering(9, Some(&streams[0]), 9).await, streams[1..]);
        let mut first = store.history(&streams[1], 0, 1).await.unwrap().remove(0);
        assert!(!first.body.contains('@'), "{}", first.body);
        assert_eq!(first.text(), r#"{"why":"ask ana@x.example or bo@x.example"}"#);
        for (version, gone, left) in [(2, "ana", "ask [erased] or bo@x.example"), (3, "bo", "ask [erased] or [erased]")]
        {
            assert_eq!(first.personal.retain(|value| !value.starts_with(gone)), 1);
            let mut write = write(&streams[1], version, "{}", &["bot"]);
            write.beside = vec![(1, first.personal.clone())];
            // Whoever loses the race erases nothing.
            let late = Write { expected: 1, beside: vec![(1, Personal::default())], ..write.clone() };
            let lost = store.commit(Commit { writes: vec![late], ..Commit::default() }).await;
            assert!(matches!(lost, Err(CommitError::Conflict(_))), "{lost:?}");
            store.commit(Commit { writes: vec![write], ..Commit::default() }).await.unwrap();
            first = store.history(&streams[1], 0, 1).await.unwrap().remove(0);
            assert_eq!(first.text(), format!("{{\"why\":\"{left}\"}}"));
        }
        assert_eq!(remembering(9, None, 9).await, [streams[0].clone(), streams[2].clone()]);
        assert!(store.scrub(true).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_was_committed_is_loaded_with_its_history() {
    on_every_store(async |store| {
        assert_eq!(store.load(&soc()).await.unwrap(), None);
        store.commit(one(&soc(), 0, "{}", &["ann", "bob"])).await.unwrap();
        store.commit(one(&soc(), 2, "[]", &["eve"])).await.unwrap();
        let state = State { schema: 1, json: "[]".into() };
        assert_eq!(store.load(&soc()).await.unwrap(), Some(Loaded { version: 3, state }));
        let pair = |seq, actor: &str| (seq, actor.to_owned());
        assert_eq!(actors(&*store, &soc(), 0, 2).await, [pair(1, "ann"), pair(2, "bob")]);
        assert_eq!(actors(&*store, &soc(), 2, 9).await, [pair(3, "eve")]);
        assert_eq!(actors(&*store, &soc(), 3, 9).await, []);
        let last = store.history(&soc(), 2, 1).await.unwrap().remove(0);
        assert_eq!((&*last.kind, &*last.body, last.at().unwrap()), ("test.happened", "{\"by\":\"eve\"}", at(0)));
    })
    .await;
}

#[tokio::test]
async fn of_two_writers_on_one_version_one_wins() {
    on_every_store(async |store| {
        for expected in [0, 1] {
            let (a, b) = tokio::join!(
                store.commit(one(&soc(), expected, "\"a\"", &["ann"])),
                store.commit(one(&soc(), expected, "\"b\"", &["bob"]))
            );
            assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
            assert!(matches!(a.and(b), Err(CommitError::Conflict(stream)) if stream == soc().as_str()));
            assert_eq!(store.load(&soc()).await.unwrap().unwrap().version, expected + 1);
        }
        for wrong in [0, 1, 3] {
            assert!(matches!(store.commit(one(&soc(), wrong, "{}", &["eve"])).await, Err(CommitError::Conflict(_))));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_writers_that_try_again_all_land() {
    on_every_store(async |store| {
        let mut writers = JoinSet::new();
        for n in 0..16 {
            let store = Arc::clone(&store);
            writers.spawn(async move {
                loop {
                    let (expected, count) = match store.load(&soc()).await.unwrap() {
                        Some(loaded) => (loaded.version, loaded.state.json.parse::<u64>().unwrap()),
                        None => (0, 0),
                    };
                    let json = (count + 1).to_string();
                    match store.commit(one(&soc(), expected, &json, &[&n.to_string()])).await {
                        Ok(_) => return,
                        Err(CommitError::Conflict(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        writers.join_all().await;
        let Loaded { version, state } = store.load(&soc()).await.unwrap().unwrap();
        assert_eq!((version, &*state.json), (16, "16"));
        let who: BTreeSet<String> = actors(&*store, &soc(), 0, 99).await.into_iter().map(|(_, actor)| actor).collect();
        assert_eq!(who.len(), 16);
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_conflicts_anywhere_does_nothing_at_all() {
    on_every_store(async |store| {
        let other = StreamId::new("session", "other");
        let first = Commit { schedule: vec![todo("old", 0, "kept")], ..one(&soc(), 0, "{}", &["ann"]) };
        store.commit(first).await.unwrap();
        let old = store.due(WorkKind::Progress, at(0), 1).await.unwrap().remove(0);
        let all = |expected| Commit {
            writes: vec![write(&other, 0, "{}", &["bob"]), write(&soc(), expected, "[]", &["bob"])],
            schedule: vec![todo("new", 0, "")],
            finished: vec![old.finished()],
            delivery: Some(("D1".into(), at(0))),
            ..Commit::default()
        };
        assert!(matches!(store.commit(all(0)).await, Err(CommitError::Conflict(stream)) if stream == soc().as_str()));
        assert_eq!(store.load(&other).await.unwrap(), None);
        assert_eq!(actors(&*store, &other, 0, 9).await, []);
        assert_eq!(store.load(&soc()).await.unwrap().unwrap().state.json, "{}");
        assert_eq!(due(&*store, 0, 9).await, ["old kept 0"]);
        // Nor was the delivery noted: the same request, decided again, is done.
        store.commit(all(1)).await.unwrap();
        assert_eq!(due(&*store, 0, 9).await, ["new  0"]);
    })
    .await;
}

#[tokio::test]
async fn a_stream_cannot_be_written_twice_in_one_commit() {
    on_every_store(async |store| {
        let writes = vec![write(&soc(), 0, "1", &["ann"]), write(&soc(), 0, "2", &["bob"])];
        let twice = store.commit(Commit { writes, ..Commit::default() }).await;
        assert!(matches!(twice, Err(CommitError::Conflict(_))), "{twice:?}");
        assert_eq!(store.load(&soc()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_second_delivery_changes_nothing_until_it_is_forgotten() {
    on_every_store(async |store| {
        let delivered = |id: &str, when, expected| Commit {
            delivery: Some((id.into(), at(when))),
            schedule: vec![todo("progress", 0, id)],
            ..one(&soc(), expected, "{}", &["ann"])
        };
        store.commit(delivered("D1", 0, 0)).await.unwrap();
        store.commit(delivered("D2", 9, 1)).await.unwrap();
        for (id, expected) in [("D1", 2), ("D1", 0), ("D2", 2)] {
            assert!(matches!(store.commit(delivered(id, 9, expected)).await, Err(CommitError::Delivered)), "{id}");
        }
        assert_eq!(store.load(&soc()).await.unwrap().unwrap().version, 2);
        assert_eq!(due(&*store, 0, 9).await, ["progress D2 0"]);
        assert_eq!(store.forget_deliveries(at(9)).await.unwrap(), 1);
        assert!(store.commit(delivered("D2", 9, 2)).await.is_err());
        assert!(store.commit(delivered("D1", 9, 2)).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn work_is_due_in_order_and_once_a_key() {
    on_every_store(async |store| {
        let schedule = |all: Vec<Schedule>| store.commit(Commit { schedule: all, ..Commit::default() });
        schedule(vec![todo("c", 3, ""), todo("b", 2, ""), todo("a", 2, "first"), todo("late", 9, "")]).await.unwrap();
        let inbound = Schedule { kind: WorkKind::Inbound, ..todo("b", 0, "") };
        let generations = schedule(vec![todo("a", 2, "again"), inbound]).await.unwrap();
        assert_eq!(due(&*store, 3, 9).await, ["b  0", "a again 0", "c  0"]);
        assert_eq!(due(&*store, 3, 2).await, ["b  0", "a again 0"]);
        assert_eq!(due(&*store, 1, 9).await, Vec::<String>::new());
        let inbound = store.due(WorkKind::Inbound, at(0), 9).await.unwrap();
        assert_eq!(inbound.iter().map(|w| w.generation).collect::<Vec<_>>(), generations[1..]);
    })
    .await;
}

#[tokio::test]
async fn what_was_scheduled_again_is_not_touched_by_who_did_the_old() {
    on_every_store(async |store| {
        let schedule = |body| store.commit(Commit { schedule: vec![todo("a", 0, body)], ..Commit::default() });
        let found = async || store.due(WorkKind::Progress, at(0), 1).await.unwrap().remove(0).finished();
        schedule("old").await.unwrap();
        let old = found().await;
        schedule("new").await.unwrap();
        let new = found().await;
        let done = |it: &_| store.commit(Commit { finished: vec![Clone::clone(it)], ..Commit::default() });
        let put_off = |it: &_| store.commit(Commit { postponed: vec![(Clone::clone(it), at(5))], ..Commit::default() });
        done(&old).await.unwrap();
        put_off(&old).await.unwrap();
        assert_eq!(due(&*store, 0, 9).await, ["a new 0"]);
        put_off(&new).await.unwrap();
        assert_eq!((due(&*store, 4, 9).await, due(&*store, 5, 9).await), (vec![], vec!["a new 1".to_owned()]));
        done(&new).await.unwrap();
        assert_eq!(due(&*store, 9, 9).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_familys_streams_are_listed_in_pages_and_without_its_neighbours() {
    on_every_store(async |store| {
        let family = |name: &str, keys: &[&str]| keys.iter().map(|k| StreamId::new(name, k)).collect::<Vec<_>>();
        let sessions = family("session", &["0", "a", "b", "é"]);
        let neighbours = ["session0", "sessions", "sessio", "session-", "session.x", "Session", "sessioN", "approval"];
        for stream in neighbours.iter().flat_map(|name| family(name, &["a", "zz"])).chain(sessions.clone()) {
            store.commit(one(&stream, 0, "{}", &["ann"])).await.unwrap();
        }
        assert_eq!(store.streams("session", None, 99).await.unwrap(), sessions);
        assert_eq!(store.streams("session", None, 2).await.unwrap(), sessions[..2]);
        assert_eq!(store.streams("session", Some(&sessions[1]), 2).await.unwrap(), sessions[2..]);
        assert_eq!(store.streams("session", Some(&sessions[3]), 2).await.unwrap(), []);
        assert_eq!(store.streams("session%", None, 99).await.unwrap(), []);
        assert_eq!(store.streams("session0", None, 99).await.unwrap(), family("session0", &["a", "zz"]));
        assert_eq!(store.all_streams().await.unwrap().len(), 20);
    })
    .await;
}

#[tokio::test]
async fn everything_is_there_after_a_reopening() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    let first = Commit {
        schedule: vec![todo("a", 0, "owed")],
        delivery: Some(("D1".into(), at(0))),
        ..one(&soc(), 0, "{\"é\":1}", &["ann"])
    };
    let before = sqlite(&path, &[key(1)]).await;
    before.commit(first.clone()).await.unwrap();
    let seen = (before.load(&soc()).await.unwrap(), before.history(&soc(), 0, 9).await.unwrap());
    drop(before);
    let after = sqlite(&path, &[key(1)]).await;
    assert_eq!((after.load(&soc()).await.unwrap(), after.history(&soc(), 0, 9).await.unwrap()), seen);
    assert_eq!(due(&*after, 0, 9).await, ["a owed 0"]);
    assert!(matches!(after.commit(first).await, Err(CommitError::Delivered)));
}

#[tokio::test]
async fn work_is_found_by_its_key_whether_it_is_due_or_not() {
    on_every_store(async |store| {
        let kept = Schedule { due: Timestamp::MAX, ..todo("later", 0, "kept") };
        store.commit(Commit { schedule: vec![kept, todo("now", 0, "x")], ..Commit::default() }).await.unwrap();
        let found = store.find(WorkKind::Progress, "later").await.unwrap().unwrap();
        assert_eq!((found.key.as_str(), found.body.as_str()), ("later", "kept"));
        assert!(store.find(WorkKind::Card, "later").await.unwrap().is_none());
        assert_eq!(due(&*store, 10, 10).await, ["now x 0"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_due_is_counted_without_being_read() {
    on_every_store(async |store| {
        let other = Schedule { kind: WorkKind::Notice, ..todo("n", 5, "x") };
        let schedule = vec![todo("b", 20, ""), todo("a", 10, ""), todo("later", 100, ""), other];
        store.commit(Commit { schedule, ..one(&soc(), 0, "{}", &["alice"]) }).await.unwrap();
        let counted = async |by: i64| {
            let kinds = [WorkKind::Notice, WorkKind::Progress, WorkKind::Card];
            let all = store.backlog(&kinds, at(by)).await.unwrap();
            assert_eq!(all.iter().map(|of| of.kind).collect::<Vec<_>>(), kinds);
            all.iter().map(|of| (of.count, of.oldest)).collect::<Vec<_>>()
        };
        assert_eq!(counted(0).await, [(0, None), (0, None), (0, None)]);
        assert_eq!(counted(20).await, [(1, Some(at(5))), (2, Some(at(10))), (0, None)]);
        let all = store.backlog(&[WorkKind::Progress], Timestamp::MAX).await.unwrap();
        assert_eq!((all[0].count, all[0].oldest), (3, Some(at(10))));
        let neighbour = StreamId::new("session0", "x");
        store.commit(one(&neighbour, 0, "{}", &["alice"])).await.unwrap();
        let mut families = Vec::new();
        for family in ["session", "session0", "approval"] {
            families.push(store.count(family).await.unwrap());
        }
        assert_eq!(families, [1, 1, 0]);
    })
    .await;
}

#[tokio::test]
async fn a_lease_has_one_holder_until_it_ends() {
    on_every_store(async |store| {
        let lease =
            async |who: &str, now: i64, until: i64| store.lease("watch", who, at(now), at(until)).await.unwrap();
        assert!(lease("one", 0, 30).await);
        assert!(!lease("two", 10, 40).await);
        // Kept by whoever has it, taken when it ends.
        assert!(lease("one", 20, 50).await);
        assert!(!lease("two", 49, 79).await);
        assert!(lease("two", 50, 80).await);
        assert!(!lease("one", 51, 81).await);
        assert!(store.lease("other", "one", at(51), at(81)).await.unwrap());
    })
    .await;
}
