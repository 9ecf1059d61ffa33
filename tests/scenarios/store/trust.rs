//! Somebody who can write the database, and has no key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::{
    Commit, CommitError, Finished, KeptKind, Schedule, SqliteStore, Store, StoreError, StreamId, Work, WorkKind, heads,
};
use sqlx::Connection;
use tempfile::TempDir;

use super::audit::tamper;
use super::{at, key, one, record, soc, sqlite, todo};

pub(super) struct Bot {
    pub store: Arc<dyn Store>,
    pub path: PathBuf,
    pub _directory: TempDir,
}

impl Bot {
    pub async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("bot.db");
        Self { store: sqlite(&path, &[key(1)]).await, path, _directory: directory }
    }

    pub async fn tamper(&self, sql: &str) {
        tamper(&self.path, sql).await;
    }

    /// Stopped and started again.
    pub async fn restart(&mut self) {
        self.store.close().await;
        self.store = sqlite(&self.path, &[key(1)]).await;
    }

    /// A request that is recorded and not settled.
    async fn recorded(&self, id: &str) -> Finished {
        let commit = Commit {
            schedule: vec![Schedule { kind: WorkKind::Inbound, ..todo(id, 0, "{\"words\":\"unfreeze\"}") }],
            delivery: Some((id.into(), at(0))),
            ..Commit::default()
        };
        let generation = self.store.commit(commit).await.unwrap()[0];
        Finished { kind: WorkKind::Inbound.into(), key: id.into(), generation }
    }

    async fn settle(&self, finished: Finished) {
        self.store.commit(Commit { finished: vec![finished], ..Commit::default() }).await.unwrap();
    }

    async fn inbound(&self) -> Vec<String> {
        self.due(WorkKind::Inbound, 9).await.into_iter().map(|work| work.key).collect()
    }

    async fn due(&self, kind: WorkKind, limit: u32) -> Vec<Work> {
        self.store.due(kind, at(0), limit).await.unwrap()
    }

    /// What was set aside, and why.
    pub async fn aside(&self) -> Vec<(String, String)> {
        let (count, all) = self.store.set_aside(200).await.unwrap();
        assert_eq!(count, all.len() as u64);
        all.into_iter().map(|aside| (aside.what, aside.why)).collect()
    }
}

const INSERT: &str = "INSERT INTO work (kind, key, due, attempts, body, delivered, seal)";

#[tokio::test]
async fn recorded_work_that_nobody_sealed_is_never_done_and_stops_nothing() {
    let forgeries = [
        ("made up", format!("{INSERT} VALUES ('inbound', 'X', 0, 0, '{{}}', 0, '')")),
        ("made up with a seal", format!("{INSERT} VALUES ('inbound', 'X', 0, 0, '{{}}', 0, 'f90db2cb:00')")),
        (
            "copied to another key",
            format!("{INSERT} SELECT kind, 'X', due, attempts, body, delivered, seal FROM work WHERE key = 'D1'"),
        ),
        (
            "copied from another kind",
            format!(
                "{INSERT} SELECT 'inbound', 'X', due, attempts, body, delivered, seal FROM work WHERE kind = 'progress'"
            ),
        ),
        (
            "made of no delivery",
            format!("{INSERT} SELECT kind, 'X', due, attempts, body, 0, seal FROM work WHERE key = 'D1'"),
        ),
    ];
    for (what, sql) in forgeries {
        let bot = Bot::new().await;
        bot.recorded("D1").await;
        bot.store.commit(Commit { schedule: vec![todo("p", 0, "{}")], ..Commit::default() }).await.unwrap();
        bot.tamper(&sql).await;
        assert_eq!(bot.inbound().await, ["D1"], "{what}");
        let aside = bot.aside().await;
        assert_eq!((aside.len(), &*aside[0].0), (1, "inbound X"), "{what}");
        // It is gone from the list, and is not found by its key either.
        assert!(bot.store.find(WorkKind::Inbound, "X").await.unwrap().is_none(), "{what}");
        assert_eq!(bot.aside().await.len(), 1, "{what}");
    }
}

#[tokio::test]
async fn no_part_of_recorded_work_can_be_edited() {
    let edits = [
        "body = '{\"words\":\"approve\"}'",
        "due = due - 1",
        "attempts = 9",
        "key = 'D2'",
        "generation = generation + 5",
        "delivered = 0",
        "seal = ''",
    ];
    for edit in edits {
        let bot = Bot::new().await;
        bot.recorded("D1").await;
        bot.recorded("D9").await;
        bot.tamper(&format!("UPDATE work SET {edit} WHERE key = 'D1'")).await;
        assert_eq!(bot.inbound().await, ["D9"], "{edit}");
        assert_eq!(bot.aside().await.len(), 1, "{edit}");
    }
    // The same of every kind of work.
    for kind in WorkKind::ALL {
        let bot = Bot::new().await;
        let schedule = vec![Schedule { kind, ..todo("a", 0, "{}") }, Schedule { kind, ..todo("b", 0, "{}") }];
        bot.store.commit(Commit { schedule, ..Commit::default() }).await.unwrap();
        bot.tamper("UPDATE work SET body = '{\"n\":1}' WHERE key = 'a'").await;
        assert!(bot.store.find(kind, "a").await.unwrap().is_none(), "{}", kind.name());
        let due: Vec<String> = bot.due(kind, 9).await.into_iter().map(|work| work.key).collect();
        assert_eq!(due, ["b"], "{}", kind.name());
    }
}

#[tokio::test]
async fn a_heap_of_forgeries_keeps_nothing_from_its_turn() {
    let bot = Bot::new().await;
    bot.recorded("D1").await;
    let heap = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)";
    bot.tamper(&format!("{INSERT} {heap} SELECT 'inbound', 'X' || i, -1, 0, '{{}}', 0, '' FROM n")).await;
    let mut rounds = 0;
    while bot.inbound().await.is_empty() {
        rounds += 1;
        assert!(rounds < 20, "it never comes");
    }
    assert_eq!(bot.due(WorkKind::Inbound, 200).await.len(), 1);
    assert_eq!(bot.aside().await.len(), 100);
}

#[tokio::test]
async fn a_forged_row_that_is_put_off_gets_no_seal() {
    let bot = Bot::new().await;
    bot.tamper(&format!("{INSERT} VALUES ('inbound', 'X', 0, 0, '{{}}', 0, '')")).await;
    let forged = Finished { kind: WorkKind::Inbound.into(), key: "X".into(), generation: 1 };
    bot.store.commit(Commit { postponed: vec![(forged, at(-9))], ..Commit::default() }).await.unwrap();
    assert_eq!(bot.inbound().await, [""; 0]);
}

/// Keeps what is in a table now, to put it back later.
const KEEP: &str = "CREATE TABLE kept_work AS SELECT * FROM work; CREATE TABLE kept_delivery AS SELECT * FROM delivery";
const WORK_BACK: &str = "INSERT INTO work SELECT * FROM kept_work";
const DELIVERY_BACK: &str = "INSERT OR REPLACE INTO delivery SELECT * FROM kept_delivery";

#[tokio::test]
async fn a_settled_request_that_is_put_back_is_not_done_again() {
    let ways = [
        ("alone", WORK_BACK.to_owned()),
        ("without its delivery", format!("{WORK_BACK}; DELETE FROM delivery")),
        ("with its delivery", format!("{WORK_BACK}; {DELIVERY_BACK}")),
        ("with its number forgotten", format!("{WORK_BACK}; {DELIVERY_BACK}; UPDATE sqlite_sequence SET seq = 0")),
    ];
    for (what, sql) in ways {
        for restarted in [false, true] {
            let mut bot = Bot::new().await;
            let request = bot.recorded("D1").await;
            bot.tamper(KEEP).await;
            bot.settle(request).await;
            if restarted {
                bot.restart().await;
            }
            bot.tamper(&sql).await;
            if restarted {
                bot.restart().await;
            }
            assert_eq!(bot.inbound().await, [""; 0], "{what}, restarted: {restarted}");
            let aside = bot.aside().await;
            let why = "it was settled before and put back";
            assert_eq!(aside, [("inbound D1".to_owned(), why.to_owned())], "{what}, restarted: {restarted}");
        }
    }
}

#[tokio::test]
async fn a_request_that_waits_across_a_restart_is_done() {
    let mut bot = Bot::new().await;
    let first = bot.recorded("D1").await;
    bot.recorded("D2").await;
    bot.settle(first).await;
    bot.recorded("D3").await;
    bot.restart().await;
    assert_eq!(bot.inbound().await, ["D2", "D3"]);
    let put_off = bot.due(WorkKind::Inbound, 9).await.iter().map(|work| (work.finished(), at(0))).collect();
    bot.store.commit(Commit { postponed: put_off, ..Commit::default() }).await.unwrap();
    bot.restart().await;
    assert_eq!(bot.inbound().await, ["D2", "D3"]);
    assert_eq!(bot.aside().await, []);
}

#[tokio::test]
async fn a_delivery_that_nobody_sealed_suppresses_nothing() {
    let bot = Bot::new().await;
    bot.tamper("INSERT INTO delivery (id, at, settled, seal) VALUES ('D1', 0, 1, '')").await;
    bot.recorded("D1").await;
    assert_eq!(bot.inbound().await, ["D1"]);
    let again = Commit { delivery: Some(("D1".into(), at(0))), ..Commit::default() };
    assert!(matches!(bot.store.commit(again).await, Err(CommitError::Delivered)));
}

#[tokio::test]
async fn a_lease_that_nobody_sealed_is_nobodys() {
    let bot = Bot::new().await;
    let lease = async |who: &str| bot.store.lease("duty", who, at(0), at(30)).await.unwrap();
    bot.tamper("INSERT INTO lease (name, holder, until, seal) VALUES ('duty', 'eve', 1780000030000, '')").await;
    assert!(lease("one").await);
    assert!(!lease("two").await);
    bot.tamper("UPDATE lease SET holder = 'two'").await;
    assert!(lease("one").await);
}

async fn loads(bot: &Bot, stream: &StreamId) -> Result<Option<String>, String> {
    match bot.store.load(stream).await {
        Ok(loaded) => Ok(loaded.map(|loaded| loaded.state.json)),
        Err(error @ StoreError::Corrupt { .. }) => Err(error.to_string()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn an_edited_state_is_not_acted_upon_whatever_its_stream() {
    for family in ["session", "approval", "rules", "control"] {
        let stream = StreamId::new(family, "a");
        for edit in [
            "state = '{\"edited\":1}'",
            "schema = 2",
            "version = 2",
            "seal = ''",
            "head = ''",
            "seal = (SELECT seal FROM stream WHERE id LIKE '%/b')",
        ] {
            let bot = Bot::new().await;
            bot.store.commit(one(&stream, 0, "{}", &["ann"])).await.unwrap();
            bot.store.commit(one(&StreamId::new(family, "b"), 0, "{}", &["ann"])).await.unwrap();
            bot.tamper(&format!("UPDATE stream SET {edit} WHERE id LIKE '%/a'")).await;
            let refused = loads(&bot, &stream).await.unwrap_err();
            assert!(refused.starts_with(stream.as_str()), "{edit}: {refused}");
            assert_eq!(loads(&bot, &StreamId::new(family, "b")).await, Ok(Some("{}".into())), "{edit}");
            assert_eq!(bot.aside().await.len(), 1, "{edit}");
        }
    }
}

#[tokio::test]
async fn a_state_that_is_put_back_with_its_records_or_removed_is_not_acted_upon() {
    let put_back = "DELETE FROM record WHERE seq > 1; \
        UPDATE stream SET (version, schema, state, head, seal) = (SELECT version, schema, state, head, seal FROM kept_stream)";
    let ways = [
        ("put back", put_back, "it stops at record 1, and"),
        ("removed", "DELETE FROM record; DELETE FROM stream", "it stops at record 0, and"),
    ];
    for (what, sql, says) in ways {
        for restarted in [false, true] {
            let mut bot = Bot::new().await;
            bot.store.commit(one(&soc(), 0, "1", &["ann"])).await.unwrap();
            bot.tamper("CREATE TABLE kept_stream AS SELECT * FROM stream").await;
            bot.store.commit(one(&soc(), 1, "2", &["bob"])).await.unwrap();
            if restarted {
                bot.restart().await;
            }
            bot.tamper(sql).await;
            if restarted {
                bot.restart().await;
            }
            let refused = loads(&bot, &soc()).await.unwrap_err();
            assert!(refused.contains(says) && refused.contains("remove that file"), "{what}: {refused}");
            assert_eq!(bot.aside().await.len(), 1, "{what}");
        }
    }
    // A backup that was restored on purpose.
    let mut bot = Bot::new().await;
    bot.store.commit(one(&soc(), 0, "1", &["ann"])).await.unwrap();
    bot.tamper("CREATE TABLE kept_stream AS SELECT * FROM stream").await;
    bot.store.commit(one(&soc(), 1, "2", &["bob"])).await.unwrap();
    bot.tamper(put_back).await;
    bot.store.close().await;
    std::fs::remove_file(heads::path(&bot.path)).unwrap();
    bot.store = sqlite(&bot.path, &[key(1)]).await;
    assert_eq!(loads(&bot, &soc()).await, Ok(Some("1".into())));
}

/// A database with the tables of an earlier release.
pub(super) async fn with_tables(path: &Path, files: &[&str]) -> sqlx::SqliteConnection {
    let directory = TempDir::new().unwrap();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations");
    for file in files {
        std::fs::copy(all.join(file), directory.path().join(file)).unwrap();
    }
    let migrations = sqlx::migrate::Migrator::new(directory.path()).await.unwrap();
    let url = format!("sqlite:{}?mode=rwc", path.display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
    migrations.run_direct(None, &mut database, false).await.unwrap();
    database
}

/// A database as the release before the seals left it: a session, and a request that waits.
async fn old_release(path: &Path) {
    let mut database = with_tables(path, &["0001_streams.sql", "0002_lease.sql"]).await;
    let chain = Chain::new(&[key(1)]);
    for record in chain.seal(&soc(), 0, "", &[record("ann")]) {
        sqlx::query(
            "INSERT INTO record (stream, seq, at, actor, kind, body, key, seal) VALUES (?, 1, ?, ?, ?, ?, ?, ?)",
        )
        .bind(soc().as_str())
        .bind(record.at)
        .bind(record.actor)
        .bind(record.kind)
        .bind(record.body)
        .bind(record.key)
        .bind(record.seal)
        .execute(&mut database)
        .await
        .unwrap();
    }
    database.close().await.unwrap();
    tamper(
        path,
        "INSERT INTO stream (id, version, schema, state) VALUES ('session/slack:T0SOC:C0SOC', 1, 1, '{}');
         INSERT INTO delivery (id, at) VALUES ('D1', 1780000000000), ('D0', 1780000000000);
         INSERT INTO work (kind, key, due, attempts, body) VALUES ('inbound', 'D1', 0, 0, '{}'), ('card', 'c', 0, 0, ''), ('source', 's', 253402207200999, 0, '{}');
         INSERT INTO lease (name, holder, until) VALUES ('duty', 'somebody', 1780000030000)",
    )
    .await;
}

#[tokio::test]
async fn what_an_earlier_release_left_is_sealed_once_and_nothing_after_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    old_release(&path).await;
    let mut bot = Bot { store: sqlite(&path, &[key(1)]).await, path, _directory: directory };
    let unsealed = "SELECT COUNT(*) FROM (SELECT seal FROM stream UNION ALL SELECT seal FROM work UNION ALL SELECT seal FROM delivery) WHERE seal = ''";
    let mut database = sqlx::SqliteConnection::connect(bot.path.to_str().unwrap()).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(unsealed).fetch_one(&mut database).await.unwrap(), 0);
    database.close().await.unwrap();
    assert_eq!(bot.inbound().await, ["D1"]);
    assert_eq!(bot.due(WorkKind::Card, 9).await.len(), 1);
    assert!(bot.store.kept(KeptKind::Source, "s").await.unwrap().is_some());
    assert_eq!(loads(&bot, &soc()).await, Ok(Some("{}".into())));
    let again = Commit { delivery: Some(("D0".into(), at(0))), ..Commit::default() };
    assert!(matches!(bot.store.commit(again).await, Err(CommitError::Delivered)));
    // It goes on from there.
    bot.store.commit(one(&soc(), 1, "[]", &["bob"])).await.unwrap();
    bot.settle(bot.due(WorkKind::Inbound, 9).await[0].finished()).await;

    // Whatever has no seal from now on is not ours, also if it is made to look as before.
    let forged = format!("{INSERT} VALUES ('inbound', 'X', 0, 0, '{{}}', 0, '')");
    let unmarked = format!("DELETE FROM whole; {forged}");
    let as_before =
        format!("{unmarked}; UPDATE stream SET seal = ''; UPDATE work SET seal = ''; UPDATE delivery SET seal = ''");
    for sql in [forged, unmarked, as_before] {
        bot.tamper(&sql).await;
        bot.restart().await;
        assert_eq!(bot.inbound().await, [""; 0], "{sql}");
    }
    assert!(loads(&bot, &soc()).await.is_err());
}

#[tokio::test]
async fn after_a_start_with_both_keys_the_old_one_is_needed_for_the_history_alone() {
    let mut bot = Bot::new().await;
    bot.recorded("D1").await;
    bot.store.commit(one(&soc(), 0, "{}", &["ann"])).await.unwrap();
    bot.tamper("UPDATE work SET body = '{\"edited\":1}'").await;
    bot.store.close().await;
    bot.store = sqlite(&bot.path, &[key(2), key(1)]).await;
    // What was edited before gets no seal by the rotation.
    assert_eq!(bot.inbound().await, [""; 0]);
    bot.recorded("D2").await;
    bot.store.close().await;
    bot.store = sqlite(&bot.path, &[key(2)]).await;
    assert_eq!(bot.inbound().await, ["D2"]);
    assert_eq!(loads(&bot, &soc()).await, Ok(Some("{}".into())));
    bot.store.close().await;
    // With another key nothing is taken for forged: it is not opened at all.
    let refused = SqliteStore::open(&bot.path, Chain::new(&[key(3)])).await.err().unwrap().to_string();
    assert!(refused.contains("which is not configured; add that key"), "{refused}");
    bot.store = sqlite(&bot.path, &[key(2)]).await;
    assert_eq!(bot.inbound().await, ["D2"]);
}
