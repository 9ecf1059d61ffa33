//! A disk that is full, a database that is held, a file that is gone, and what follows: nothing is
//! half done, and everything goes on without a restart.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::{Commit, CommitError, Schedule, SqliteStore, Store, StoreError, WorkKind};
use sqlx::{Connection, Executor};
use tempfile::TempDir;

use super::audit::tamper;
use super::{at, due, key, on_every_store, one, postgres_store, soc, sqlite, todo};
use crate::harness::postgres::Cluster;

/// Somebody else who writes, and does not come to an end.
async fn hold(path: &Path) -> sqlx::SqliteConnection {
    let mut other = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    other
}

fn work(key: &str) -> Commit {
    Commit { schedule: vec![todo(key, 0, "")], ..Commit::default() }
}

/// How much is due, by its keys.
async fn keys(store: &dyn Store) -> Vec<String> {
    due(store, 0, 99).await.iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_full_disk_fails_what_is_written_then_and_nothing_after_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    drop(sqlite(&path, &[key(1)]).await);
    // What is there is all that there is room for.
    let store = SqliteStore::open_within(&path, Chain::new(&[key(1)]), Some(1)).await.unwrap();
    tamper(&path, "CREATE TABLE junk AS SELECT zeroblob(400000)").await;
    store.commit(work("small")).await.unwrap();
    let large = |key: &str| Commit { schedule: vec![todo(key, 0, &"x".repeat(200_000))], ..Commit::default() };
    for attempt in 0..3 {
        let full = store.commit(large("large")).await.unwrap_err();
        assert!(matches!(&full, CommitError::Store(error) if error.may_pass()), "{attempt}: {full}");
        assert!(full.to_string().contains("full"), "{attempt}: {full}");
        // What fits is written.
        store.commit(work(&format!("small {attempt}"))).await.unwrap();
    }
    tamper(&path, "DROP TABLE junk").await;
    store.commit(large("large")).await.unwrap();
    let all = keys(&store).await;
    assert_eq!(all, ["small", "small", "small", "small", "large"]);
    assert!(store.probe().await.is_ok());
}

#[tokio::test]
async fn whatever_fails_in_a_commit_the_next_one_is_whole() {
    // Each leaves SQLite's transaction in another state: rolled back, open, open with a part done.
    for how in ["ROLLBACK", "ABORT", "FAIL"] {
        for (table, when) in [
            ("work", "INSERT"),
            ("work", "DELETE"),
            ("work", "UPDATE"),
            ("record", "INSERT"),
            ("stream", "UPDATE"),
            ("delivery", "INSERT"),
        ] {
            let directory = TempDir::new().unwrap();
            let path = directory.path().join("bot.db");
            let store = sqlite(&path, &[key(1)]).await;
            let before =
                Commit { schedule: vec![todo("old", 0, ""), todo("late", 0, "")], ..one(&soc(), 0, "0", &["ann"]) };
            store.commit(before).await.unwrap();
            let found = store.due(WorkKind::Progress, at(0), 9).await.unwrap();
            let all = || Commit {
                finished: vec![found[0].finished()],
                postponed: vec![(found[1].finished(), at(0))],
                schedule: vec![todo("new", 0, "")],
                delivery: Some(("D1".into(), at(0))),
                ..one(&soc(), 1, "1", &["bob"])
            };
            tamper(
                &path,
                &format!(
                    "CREATE TRIGGER full BEFORE {when} ON {table} BEGIN SELECT RAISE({how}, 'disk I/O error'); END"
                ),
            )
            .await;
            let what = format!("{how} on {when} of {table}");
            for _ in 0..2 {
                assert!(matches!(store.commit(all()).await, Err(CommitError::Store(_))), "{what}");
            }
            assert_eq!(store.load(&soc()).await.unwrap().unwrap().version, 1, "{what}");
            assert_eq!(keys(&*store).await, ["old", "late"], "{what}");
            tamper(&path, "DROP TRIGGER full").await;
            store.commit(all()).await.expect(&what);
            assert_eq!(store.load(&soc()).await.unwrap().unwrap().version, 2, "{what}");
            assert_eq!(keys(&*store).await, ["late", "new"], "{what}");
        }
    }
}

#[tokio::test]
async fn who_waits_hears_in_time_that_it_is_not_recorded_and_it_never_is() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    let store = sqlite(&path, &[key(1)]).await;
    let other = hold(&path).await;
    let began = Instant::now();
    // Several at once: the second waits for the first, not only for the file.
    let patience = Duration::from_millis(600);
    let (one, two) =
        tokio::join!(store.commit_within(work("one"), patience), store.commit_within(work("two"), patience));
    for given_up in [one, two] {
        assert!(matches!(given_up, Err(CommitError::Store(StoreError::Busy))), "{given_up:?}");
    }
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    // Whoever hangs up is not served later either.
    let gone = tokio::time::timeout(Duration::from_millis(100), store.commit(work("gone"))).await;
    assert!(gone.is_err());
    assert!(store.probe().await.is_err());
    let waits = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(work("patient")).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    other.close().await.unwrap();
    waits.await.unwrap().unwrap();
    store.probe().await.unwrap();
    assert_eq!(keys(&*store).await, ["patient"]);
}

#[tokio::test]
async fn a_file_that_is_gone_or_another_takes_nothing() {
    let directory = TempDir::new().unwrap();
    let (path, away) = (directory.path().join("bot.db"), directory.path().join("away.db"));
    let store = sqlite(&path, &[key(1)]).await;
    store.commit(work("before")).await.unwrap();
    for replaced in [false, true] {
        std::fs::rename(&path, &away).unwrap();
        if replaced {
            std::fs::write(&path, "").unwrap();
        }
        let lost = store.commit(work("lost")).await;
        assert!(matches!(lost, Err(CommitError::Store(StoreError::Gone(_)))), "{lost:?}");
        assert!(matches!(store.probe().await, Err(StoreError::Gone(_))));
        std::fs::rename(&away, &path).unwrap();
        store.probe().await.unwrap();
    }
    store.commit(work("after")).await.unwrap();
    assert_eq!(keys(&*store).await, ["before", "after"]);
}

#[tokio::test]
async fn a_database_that_is_held_when_the_bot_starts_is_opened_later() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    let before = sqlite(&path, &[key(1)]).await;
    before.commit(work("before")).await.unwrap();
    before.close().await;
    tamper(&path, "DELETE FROM whole").await;
    // It has to write, and cannot.
    let other = hold(&path).await;
    let store = sqlite(&path, &[key(1)]).await;
    other.close().await.unwrap();
    store.probe().await.unwrap();
    assert_eq!(keys(&*store).await, ["before"]);
}

#[tokio::test]
async fn the_files_are_their_owners_alone_and_one_of_them_after_a_stop() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    let mode = |suffix: &str| {
        let file = format!("{}{suffix}", path.display());
        std::fs::metadata(&file).map(|file| file.permissions().mode() & 0o777)
    };
    for wide in [false, true] {
        if wide {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        let store = sqlite(&path, &[key(1)]).await;
        store.commit(work("a")).await.unwrap();
        store.maintain().await.unwrap();
        for suffix in ["", "-wal", "-shm", ".heads"] {
            assert_eq!(mode(suffix).unwrap(), 0o600, "{suffix}");
        }
        store.close().await;
        // Nothing is left in the log.
        let log = std::fs::metadata(format!("{}-wal", path.display())).map_or(0, |file| file.len());
        assert_eq!(log, 0);
    }
}

#[tokio::test]
async fn every_store_can_be_probed_and_tended() {
    on_every_store(async |store| {
        store.commit(one(&soc(), 0, "{}", &["ann"])).await.unwrap();
        store.probe().await.unwrap();
        store.maintain().await.unwrap();
        let in_time = Commit { schedule: vec![Schedule { ..todo("a", 0, "") }], ..Commit::default() };
        store.commit_within(in_time, Duration::from_secs(2)).await.unwrap();
        assert_eq!(store.set_aside(9).await.unwrap(), (0, Vec::new()));
        // A probe is no change.
        assert_eq!(store.all_streams().await.unwrap(), [soc()]);
        store.close().await;
    })
    .await;
}

/// A directory whose files cannot be written until it is opened again. Root writes everywhere but on
/// a file system that is mounted read-only.
struct Guarded {
    directory: TempDir,
    mounted: bool,
}

impl Guarded {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let mounted = Self::run("mount", &["-t", "tmpfs", "-o", "size=4m", "tmpfs"], directory.path());
        Self { directory, mounted }
    }

    fn run(command: &str, arguments: &[&str], path: &Path) -> bool {
        let quiet = std::process::Stdio::null;
        let ran =
            std::process::Command::new(command).args(arguments).arg(path).stdout(quiet()).stderr(quiet()).status();
        ran.is_ok_and(|status| status.success())
    }

    fn writable(&self, writable: bool) {
        let path = self.directory.path();
        if self.mounted {
            let how = if writable { "remount,rw" } else { "remount,ro" };
            assert!(Self::run("mount", &["-o", how], path));
            return;
        }
        let mode = |bits| std::fs::Permissions::from_mode(if writable { bits | 0o200 } else { bits });
        for file in std::fs::read_dir(path).unwrap() {
            std::fs::set_permissions(file.unwrap().path(), mode(0o400)).unwrap();
        }
        std::fs::set_permissions(path, mode(0o500)).unwrap();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.mounted {
            Self::run("umount", &["-l"], self.directory.path());
        } else {
            self.writable(true);
        }
    }
}

#[tokio::test]
async fn a_bot_that_starts_where_nothing_can_be_written_writes_when_it_can() {
    for stopped_well in [false, true] {
        let (place, elsewhere) = (Guarded::new(), TempDir::new().unwrap());
        let path = place.directory.path().join("bot.db");
        let before = sqlite(&elsewhere.path().join("bot.db"), &[key(1)]).await;
        before.commit(work("before")).await.unwrap();
        if stopped_well {
            before.close().await;
        }
        // Otherwise as a crash leaves it: with its log.
        for file in std::fs::read_dir(elsewhere.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), place.directory.path().join(file.file_name())).unwrap();
        }
        place.writable(false);
        if std::fs::write(place.directory.path().join("probe"), "").is_ok() {
            eprintln!("root may write everywhere here, and may not mount: nothing to be seen");
            return;
        }
        let store = sqlite(&path, &[key(1)]).await;
        for _ in 0..2 {
            assert!(store.probe().await.is_err(), "stopped well: {stopped_well}");
            let refused = store.commit(work("lost")).await;
            assert!(matches!(&refused, Err(CommitError::Store(error)) if error.may_pass()), "{refused:?}");
        }
        place.writable(true);
        store.probe().await.unwrap();
        store.commit(work("after")).await.unwrap();
        assert_eq!(keys(&*store).await, ["before", "after"]);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn who_waited_for_a_lock_in_vain_leaves_nothing_waiting_at_the_server() {
    let cluster = Cluster::start().await;
    let url = cluster.url("postgres");
    let store = postgres_store(&url, &[key(1)]).await;
    let lease = async |who: &str| {
        let now = Timestamp::now();
        store.lease("duty", who, now, now + Duration::from_secs(1)).await
    };
    assert!(lease("ann").await.unwrap());
    let mut held = sqlx::PgConnection::connect(&url).await.unwrap();
    held.execute("BEGIN; SELECT * FROM lease FOR UPDATE").await.unwrap();
    for _ in 0..3 {
        let waited = lease("bob").await;
        assert!(matches!(waited, Err(StoreError::Silent)), "{waited:?}");
    }
    // Each gives up a moment after its process does.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let waiting = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    let waiting: i64 = waiting.fetch_one(&mut held).await.unwrap();
    assert_eq!(waiting, 0);
    held.execute("ROLLBACK").await.unwrap();
    assert!(lease("bob").await.unwrap());
}
