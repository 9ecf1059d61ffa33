//! Everything is carried to another store: `store copy`.

use std::path::Path;

use insta::assert_snapshot;
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::moving::{Move, Part};
use sekoia_chatops::store::{
    Commit, Keep, KeptKind, NewRecord, Schedule, SqliteStore, State, Store, StreamId, WorkKind, Write, hold, keyfile,
};
use sqlx::Connection;
use tempfile::TempDir;

use super::program::{Env, Ran, SERVE, program, run_in};
use crate::harness::{Call, ChatFault, Platform, Setting, Stage, on_both, postgres, run};

const KEY: (&str, &str) = ("CHATOPS_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");

fn stream(name: &str) -> StreamId {
    StreamId::new("test", name)
}

fn write(name: &str, expected: u64, records: u64) -> Write {
    let record = |n| NewRecord {
        at: "2026-07-01T08:00:00Z".parse().unwrap(),
        actor: "bot".into(),
        kind: "test.happened",
        body: format!("{{\"n\":{}}}", expected + n),
    };
    let state = State { schema: 1, json: format!("{{\"n\":{}}}", expected + records) };
    Write { stream: stream(name), expected, state, records: (1..=records).map(record).collect(), beside: Vec::new() }
}

async fn add(store: &dyn Store, write: Write) {
    store.commit(Commit { writes: vec![write], ..Commit::default() }).await.unwrap();
}

async fn open(folder: &Path, name: &str) -> SqliteStore {
    let keys = keyfile::beside(&folder.join("bot.db")).unwrap();
    SqliteStore::open(&folder.join(name), Chain::new(&keys)).await.unwrap()
}

/// A folder with a store: a long stream and a short one, a recorded request, work and a kept row.
async fn filled() -> TempDir {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path(), "bot.db").await;
    add(&store, write("long", 0, 2_500)).await;
    add(&store, write("short", 0, 2)).await;
    let at = "2026-07-01T08:00:00Z".parse().unwrap();
    let due = |kind, key: &str| Schedule { kind, key: key.into(), due: at, attempts: 3, body: "{}".into() };
    let request =
        Commit { schedule: vec![due(WorkKind::Inbound, "D1")], delivery: Some(("D1".into(), at)), ..Commit::default() };
    store.commit(request).await.unwrap();
    let rest = Commit {
        schedule: vec![due(WorkKind::Card, "b"), due(WorkKind::Card, "a")],
        keep: vec![Keep { kind: KeptKind::Source, key: "alerts".into(), body: "{}".into(), until: None }],
        ..Commit::default()
    };
    store.commit(rest).await.unwrap();
    store.close().await;
    folder
}

fn copy(folder: &TempDir, to: &str, env: Env<'_>) -> Ran {
    run_in(folder.path(), &format!("store copy sqlite:bot.db {to}"), env)
}

fn verify(folder: &TempDir, store: &str, env: Env<'_>) -> Ran {
    run_in(folder.path(), "audit verify", &[env, &[("CHATOPS_STORE", store)]].concat())
}

#[tokio::test]
async fn everything_is_carried_and_verified_on_both_sides() {
    let folder = filled().await;
    assert_snapshot!(copy(&folder, "sqlite:new.db", &[]), @"
    exit 0
    Source sqlite: bot.db: 2502 records in 2 streams, 0 faults
    Copied 2502 records of 2 streams.
    Target sqlite: new.db: 2502 records in 2 streams, 0 faults
    Pending, on both sides: 3 due tasks, 1 kept row, 1 recorded delivery
    The target holds what the source holds.
    The key is in new.db.key too. Set CHATOPS_STORE to the new address, start the bot, and keep the old store until it runs.
    ");
    let verified = verify(&folder, "sqlite:new.db", &[]);
    assert!(verified.code == 0 && verified.out.starts_with("2502 records in 2 streams, 0 faults"), "{verified}");
    let (old, new) = (open(folder.path(), "bot.db").await, open(folder.path(), "new.db").await);
    for name in ["long", "short"] {
        assert_eq!(
            old.history(&stream(name), 0, 9_999).await.unwrap(),
            new.history(&stream(name), 0, 9_999).await.unwrap()
        );
        assert_eq!(old.load(&stream(name)).await.unwrap(), new.load(&stream(name)).await.unwrap());
    }
    // Work waits in the order in which it waited there.
    let due = new.due(WorkKind::Card, "2027-01-01T00:00:00Z".parse().unwrap(), 9).await.unwrap();
    assert_eq!(due.iter().map(|work| (&*work.key, work.attempts)).collect::<Vec<_>>(), [("b", 3), ("a", 3)]);
    assert!(new.find(WorkKind::Inbound, "D1").await.unwrap().is_some(), "it came in a delivery that is there too");
    let again = Commit { delivery: Some(("D1".into(), due[0].due)), ..Commit::default() };
    assert!(new.commit(again).await.is_err(), "it was delivered before");
    assert!(new.kept(KeptKind::Source, "alerts").await.unwrap().is_some());
}

#[tokio::test]
async fn a_copy_is_made_again_and_goes_on_where_the_target_ends() {
    let folder = filled().await;
    assert_eq!(copy(&folder, "sqlite:new.db", &[]).code, 0);
    assert!(copy(&folder, "sqlite:new.db", &[]).out.contains("\nCopied 0 records of 0 streams.\n"));
    let store = open(folder.path(), "bot.db").await;
    add(&store, write("long", 2_500, 3)).await;
    add(&store, write("later", 0, 1)).await;
    let work = store.find(WorkKind::Card, "a").await.unwrap().unwrap();
    store.commit(Commit { finished: vec![work.finished()], ..Commit::default() }).await.unwrap();
    store.close().await;
    let ran = copy(&folder, "sqlite:new.db", &[]);
    assert!(ran.code == 0 && ran.out.contains("\nCopied 4 records of 2 streams.\n"), "{ran}");
    assert!(ran.out.contains("on both sides: 2 due tasks, 1 kept row, 1 recorded delivery\n"), "{ran}");
    assert_eq!(verify(&folder, "sqlite:new.db", &[]).code, 0);
}

#[tokio::test]
async fn a_copy_that_ends_in_the_middle_is_not_served_and_the_next_one_completes_it() {
    let folder = filled().await;
    // After the mark; within the long stream; before the work.
    for commits in ["1", "2", "5"] {
        let crash = [("CHATOPS_REHEARSE_CRASH_AFTER_COMMITS", commits), ("PATH", "/usr/bin:/bin")];
        let to = format!("sqlite:new{commits}.db");
        let mut killed = program(folder.path(), &format!("store copy sqlite:bot.db {to}"), &crash);
        assert!(!killed.status().unwrap().success(), "it was killed");
        let served = run_in(folder.path(), "serve", &[SERVE, &[("CHATOPS_STORE", &*to)]].concat());
        assert!(served.code == 1 && served.err.contains("error: This store is half a copy: "), "{commits}: {served}");
        let ran = copy(&folder, &to, &[]);
        assert!(ran.code == 0 && ran.out.contains("The target holds what the source holds."), "{commits}: {ran}");
        assert_eq!(verify(&folder, &to, &[]).code, 0);
    }
    // A half copy is copied from by nobody.
    let (from, to) = (open(folder.path(), "bot.db").await, open(folder.path(), "half.db").await);
    let moving = Move::new(&from, &to);
    let missing = moving.compare().await.unwrap();
    moving.begin().await.unwrap();
    moving.streams(&missing).await.unwrap();
    moving.rows(Part::Deliveries).await.unwrap();
    from.close().await;
    to.close().await;
    std::fs::copy(folder.path().join("bot.db.key"), folder.path().join("half.db.key")).unwrap();
    let refused = run_in(folder.path(), "store copy sqlite:half.db sqlite:other.db", &[]);
    assert!(refused.code == 1 && refused.err.starts_with("error: The source is half a copy itself"), "{refused}");
}

#[tokio::test]
async fn a_target_that_went_another_way_is_left_as_it_is() {
    let folder = filled().await;
    assert_eq!(copy(&folder, "sqlite:new.db", &[]).code, 0);
    let new = open(folder.path(), "new.db").await;
    add(&new, write("short", 2, 5)).await;
    new.close().await;
    let before = verify(&folder, "sqlite:new.db", &[]).out;
    let ran = copy(&folder, "sqlite:new.db", &[]);
    assert_snapshot!(ran, @"
    exit 1
    Source sqlite: bot.db: 2502 records in 2 streams, 0 faults
    error: test/short: the target has record 7, and the source stops at record 2. A bot has served the target since it was copied: go on with the target, or copy to an empty store. Nothing was copied
    ");
    assert_eq!(verify(&folder, "sqlite:new.db", &[]).out, before);
    // And where both went on, each its own way.
    let old = open(folder.path(), "bot.db").await;
    add(&old, write("short", 2, 4)).await;
    add(&old, write("short", 6, 4)).await;
    old.close().await;
    let other = open(folder.path(), "other.db").await;
    let mut others = write("short", 0, 3);
    others.records[0].actor = "eve".into();
    add(&other, others).await;
    other.close().await;
    assert_snapshot!(copy(&folder, "sqlite:other.db", &[]).err, @"
    error: test/short: record 3 of the target is not record 3 of the source, which stops at record 10. The target is another store: copy to an empty one. Nothing was copied
    ");
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_before_anything_is_begun() {
    let folder = filled().await;
    let ran =
        |arguments: &str, env: Env<'_>| run_in(folder.path(), &format!("store copy {arguments}"), env).to_string();
    assert_snapshot!(ran("memory what:ever", &[]), @"
    exit 2
    error: the configuration is not complete or not right:
      FROM: is memory, which ends with the bot; give sqlite:PATH or postgres://…
      TO: give sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE or memory
    ");
    assert_snapshot!(ran("sqlite:nowhere.db sqlite:new.db", &[]), @"
    exit 2
    error: the configuration is not complete or not right:
      FROM: there is no store at nowhere.db
    ");
    assert_snapshot!(ran("sqlite:bot.db sqlite:./bot.db", &[]), @"
    exit 2
    error: FROM and TO are the same store.
    ");
    assert_snapshot!(ran("postgres://bot@127.0.0.1:1/bot sqlite:new.db", &[]), @"
    exit 2
    error: the configuration is not complete or not right:
      CHATOPS_SECRET_KEY: is missing; set the key of the bot that FROM is the store of
    ");
    assert_snapshot!(ran("sqlite:bot.db sqlite:nowhere/new.db", &[]), @"
    exit 1
    error: Cannot open the store nowhere/new.db: there is no folder nowhere. Create it, or set CHATOPS_STORE to a file in another folder.
    ");
    std::fs::write(folder.path().join("other.db.key"), format!("{}\n", KEY.1)).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(folder.path().join("other.db.key"), private).unwrap();
    assert_snapshot!(ran("sqlite:bot.db sqlite:other.db", &[]), @"
    exit 2
    error: other.db.key holds another key than bot.db.key: the store there is another bot's. Give another file as TO.
    ");
    let held = hold(&folder.path().join("bot.db")).unwrap();
    let served = ran("sqlite:bot.db sqlite:new.db", &[]);
    assert!(served.starts_with("exit 2\nerror: Another sekoia-chatops (process "), "{served}");
    drop(held);
    // Sealed with another key than the one that is set.
    let other = ran("sqlite:bot.db sqlite:new.db", &[KEY]);
    assert!(other.starts_with("exit 1\n"), "{other}");
    let database = folder.path().join("bot.db");
    let mut bot = sqlx::SqliteConnection::connect(&format!("sqlite:{}", database.display())).await.unwrap();
    let edit = sqlx::query("UPDATE record SET actor = 'eve' WHERE stream = 'test/short' AND seq = 1");
    edit.execute(&mut bot).await.unwrap();
    bot.close().await.unwrap();
    assert_snapshot!(ran("sqlite:bot.db sqlite:new.db", &[]), @"
    exit 1
    test/short: record 1 was edited, or does not follow the one before it
    Source sqlite: bot.db: 2502 records in 2 streams, 1 fault
    error: The source was tampered with, or is damaged. Nothing was copied
    ");
    assert!(!folder.path().join("new.db").exists(), "nothing was begun");
}

#[tokio::test]
async fn a_store_goes_to_postgresql_and_back() {
    let Some(server) = postgres::for_stages() else { return };
    let folder = filled().await;
    let url = postgres::schema(&server).await;
    let ran = copy(&folder, &url, &[]);
    assert!(ran.code == 0, "{ran}");
    assert!(
        ran.out.contains("Set CHATOPS_SECRET_KEY to what is in bot.db.key, with a comma between two lines"),
        "{ran}"
    );
    let key = std::fs::read_to_string(folder.path().join("bot.db.key")).unwrap();
    assert!(!ran.to_string().contains(key.trim()));
    let env = [("CHATOPS_SECRET_KEY", key.trim())];
    let verified = verify(&folder, &url, &env);
    assert!(verified.code == 0 && verified.out.starts_with("2502 records in 2 streams, 0 faults"), "{verified}");
    assert!(copy(&folder, &url, &[]).out.contains("\nCopied 0 records of 0 streams.\n"));
    let same = run_in(folder.path(), &format!("store copy {url} {url}"), &env);
    assert!(same.code == 1 && same.err.contains("both addresses lead to the same database"), "{same}");
    let back = run_in(folder.path(), &format!("store copy {url} sqlite:back.db"), &env);
    assert!(back.code == 0 && back.out.contains("Copied 2502 records of 2 streams."), "{back}");
    assert_eq!(verify(&folder, "sqlite:back.db", &env).code, 0);
    // A bot serves it: it says so every second.
    let keys = keyfile::existing(&folder.path().join("bot.db")).unwrap();
    let store = sekoia_chatops::store::PostgresStore::open(
        url.parse().unwrap(),
        sekoia_chatops::store::postgres::Limits::default(),
        Chain::new(&keys),
    );
    let (store, now) = (store.await.unwrap(), jiff::Timestamp::now());
    let until = now + std::time::Duration::from_secs(30);
    assert!(store.lease("replica/one", "one", now, until).await.unwrap());
    for arguments in [format!("store copy {url} sqlite:served.db"), format!("store copy sqlite:back.db {url}")] {
        let ran = run_in(folder.path(), &arguments, &env);
        assert!(ran.code == 2 && ran.err.contains("1 process of the bot serves postgres: "), "{ran}");
        assert!(ran.err.contains("stop every replica first"), "{ran}");
    }
}

on_both!(a_bot_on_the_copy_goes_on_where_it_was);
fn a_bot_on_the_copy_goes_on_where_it_was(on: Platform) {
    let durable = Setting { durable: true, file: true, ..Setting::default() };
    run(on, durable, async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        for _ in 0..20 {
            s.chat.fault(Call::Edit, ChatFault::Hangs);
            s.chat.fault(Call::Post, ChatFault::Hangs);
        }
        s.ask("bob", &format!("reject {id} \"not now\"")).await;
        s.chat.wait_for_calls(Call::Edit, 1).await;
        let before = s.ask("dan", "status").await.text();
        s.crash().await;
        s.chat.mend();
        replace(s);
        s.start().await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        let history = s.ask("alice", "audit 50").await.text();
        assert_eq!(history.matches("rejected by @bob").count(), 1, "{history}");
        assert_eq!(s.ask("dan", "status").await.text(), before);
        s.stop().await;
        s.verify_audit();
    });
}

on_both!(what_is_erased_between_two_copies_is_erased_on_both_sides);
fn what_is_erased_between_two_copies_is_erased_on_both_sides(on: Platform) {
    let durable = Setting { durable: true, file: true, ..Setting::default() };
    run(on, durable, async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.ask("alice", &format!("cancel {id}")).await;
        s.card("Withdrawn").await;
        s.checklist_at_rest().await;
        s.stop().await;
        let database = s.database().expect("a durable stage");
        let folder = database.parent().unwrap();
        let ran = |arguments: &str, store| {
            let ran = run_in(folder, arguments, &[("CHATOPS_STORE", store)]);
            assert_eq!(ran.code, 0, "{ran}");
            ran.out
        };
        ran("store copy sqlite:bot.db sqlite:copy.db", "memory");
        assert!(ran("audit export", "sqlite:copy.db").contains("ana@nimbus.example"));
        ran("audit redact ana@nimbus.example", "sqlite:bot.db");
        ran("store copy sqlite:bot.db sqlite:copy.db", "memory");
        let export = ran("audit export", "sqlite:copy.db");
        assert!(export.contains("[erased]") && !export.contains("ana@nimbus.example"), "{export}");
        ran("audit verify", "sqlite:copy.db");
    });
}

/// The bot's store gives way to its copy.
fn replace(s: &Stage) {
    let database = s.database().expect("a durable stage");
    let folder = database.parent().unwrap();
    let ran = run_in(folder, "store copy sqlite:bot.db sqlite:copy.db", &[]);
    assert_eq!(ran.code, 0, "{ran}");
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if name.starts_with("bot.db") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    for name in ["", ".key", ".heads"] {
        std::fs::rename(folder.join(format!("copy.db{name}")), folder.join(format!("bot.db{name}"))).unwrap();
    }
}
