//! What is kept and never done: found, listed, superseded, forgotten, and believed only as it was sealed.

use std::path::Path;

use jiff::Timestamp;
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::seal::Row;
use sekoia_chatops::store::{Commit, CommitError, Found, Keep, Kept, KeptKind, SqliteStore, Store, WorkKind};
use sqlx::Connection;
use tempfile::TempDir;

use super::trust::{Bot, with_tables};
use super::{at, key, on_every_store, one, soc, sqlite, todo};

const GOOD: Option<Timestamp> = None;

fn keep(kind: KeptKind, key: &str, body: &str, until: Option<Timestamp>) -> Keep {
    Keep { kind, key: key.into(), body: body.into(), until }
}

async fn keep_all(store: &dyn Store, keep: Vec<Keep>) -> Vec<u64> {
    store.commit(Commit { keep, ..Commit::default() }).await.unwrap()
}

async fn body(store: &dyn Store, kind: KeptKind, key: &str) -> Option<String> {
    store.kept(kind, key).await.unwrap().map(|kept| kept.body)
}

/// The keys of a kind, read in pages of two.
async fn keys(store: &dyn Store, kind: KeptKind) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let page = store.all_kept(kind, all.last().map(String::as_str), 2).await.unwrap();
        all.extend(page.iter().map(|kept| kept.key.clone()));
        if page.len() < 2 {
            return all;
        }
    }
}

#[tokio::test]
async fn what_is_kept_is_found_by_its_kind_and_key_and_is_no_work() {
    on_every_store(async |store| {
        let first = keep_all(&*store, vec![keep(KeptKind::Fired, "a", "1", GOOD)]).await;
        let commit = Commit {
            schedule: vec![todo("a", 0, "work")],
            keep: vec![keep(KeptKind::Fired, "a", "2", Some(at(9))), keep(KeptKind::Source, "a", "3", GOOD)],
            ..Commit::default()
        };
        let generations = store.commit(commit).await.unwrap();
        let kept = store.kept(KeptKind::Fired, "a").await.unwrap().unwrap();
        let expected = Kept {
            kind: KeptKind::Fired,
            key: "a".into(),
            body: "2".into(),
            until: Some(at(9)),
            // After the work of the same commit.
            generation: generations[1],
        };
        assert_eq!(kept, expected);
        assert_ne!(first[0], generations[1]);
        assert_eq!(body(&*store, KeptKind::Source, "a").await.as_deref(), Some("3"));
        assert_eq!(body(&*store, KeptKind::Known, "a").await, None);
        assert_eq!(body(&*store, KeptKind::Fired, "b").await, None);
        let waiting = store.backlog(&WorkKind::ALL, Timestamp::MAX).await.unwrap();
        assert_eq!(waiting.iter().map(|of| of.count).sum::<u64>(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_kind_is_listed_in_pages_by_its_keys_and_counted() {
    on_every_store(async |store| {
        let all = ["b", "a", "é", "a|2", "C"].map(|key| keep(KeptKind::DeadLetter, key, "", GOOD));
        keep_all(&*store, all.into()).await;
        keep_all(&*store, vec![keep(KeptKind::Known, "aa", "", GOOD)]).await;
        assert_eq!(keys(&*store, KeptKind::DeadLetter).await, ["C", "a", "a|2", "b", "é"]);
        assert_eq!(keys(&*store, KeptKind::Known).await, ["aa"]);
        assert_eq!(keys(&*store, KeptKind::Posted).await, [""; 0]);
        let page = store.all_kept(KeptKind::DeadLetter, Some("a"), 1).await.unwrap();
        assert_eq!(page[0].key, "a|2");
        assert_eq!(store.count_kept(KeptKind::DeadLetter).await.unwrap(), 5);
        assert_eq!(store.count_kept(KeptKind::Posted).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_over_is_forgotten_and_nothing_else() {
    on_every_store(async |store| {
        let mut all = vec![keep(KeptKind::Known, "later", "", Some(at(11))), keep(KeptKind::Known, "good", "", GOOD)];
        for kind in KeptKind::ALL {
            all.push(keep(kind, "over", "", Some(at(10))));
        }
        all.extend((0..1_200).map(|number| keep(KeptKind::Known, &format!("alert-{number}"), "", Some(at(9)))));
        keep_all(&*store, all).await;
        assert_eq!(store.forget_kept(at(8)).await.unwrap(), 0);
        assert_eq!(store.forget_kept(at(10)).await.unwrap(), 1_200 + KeptKind::ALL.len() as u64);
        assert_eq!(keys(&*store, KeptKind::Known).await, ["good", "later"]);
        assert_eq!(store.forget_kept(at(10)).await.unwrap(), 0);
        // What was kept again has its new time.
        keep_all(&*store, vec![keep(KeptKind::Known, "later", "", Some(at(99)))]).await;
        assert_eq!(store.forget_kept(at(50)).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn how_long_something_is_kept_is_changed_unless_it_was_kept_again() {
    on_every_store(async |store| {
        keep_all(&*store, vec![keep(KeptKind::Known, "a", "old", Some(at(100)))]).await;
        let beyond = async |instant| store.kept_beyond(KeptKind::Known, at(instant), 9).await.unwrap();
        assert_eq!(beyond(100).await, []);
        let old = beyond(99).await.remove(0);
        let put_off = |of: &Kept| Commit { postponed: vec![(of.finished(), at(50))], ..Commit::default() };
        store.commit(put_off(&old)).await.unwrap();
        let kept = store.kept(KeptKind::Known, "a").await.unwrap().unwrap();
        assert_eq!(kept, Kept { until: Some(at(50)), ..old.clone() });
        keep_all(&*store, vec![keep(KeptKind::Known, "a", "new", GOOD)]).await;
        store.commit(put_off(&old)).await.unwrap();
        assert_eq!(store.kept(KeptKind::Known, "a").await.unwrap().unwrap().until, None);
        assert_eq!(beyond(0).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_commit_rests_on_what_is_kept_or_on_that_nothing_is() {
    on_every_store(async |store| {
        let found = |key: &str, generation| Found { kind: KeptKind::Known.into(), key: key.into(), generation };
        let commit = |found: Found| Commit {
            keep: vec![keep(KeptKind::Known, "a", "mine", GOOD)],
            rests_on: vec![found],
            ..one(&soc(), 0, "{}", &["ann"])
        };
        // Work of the same key is another row.
        store.commit(Commit { schedule: vec![todo("a", 1, "work")], ..Commit::default() }).await.unwrap();
        let theirs = keep_all(&*store, vec![keep(KeptKind::Known, "a", "theirs", GOOD)]).await[0];
        for wrong in [found("a", None), found("a", Some(theirs + 1)), found("b", Some(theirs))] {
            let lost = store.commit(commit(wrong.clone())).await;
            let expected = format!("known {}", wrong.key);
            assert!(matches!(&lost, Err(CommitError::Conflict(what)) if *what == expected), "{lost:?}");
        }
        assert_eq!(body(&*store, KeptKind::Known, "a").await.as_deref(), Some("theirs"));
        assert_eq!(store.load(&soc()).await.unwrap(), None);
        let now = store.kept(KeptKind::Known, "a").await.unwrap().unwrap();
        let mut won = commit(now.found());
        won.rests_on.push(found("b", None));
        store.commit(won).await.unwrap();
        assert_eq!(body(&*store, KeptKind::Known, "a").await.as_deref(), Some("mine"));
    })
    .await;
}

#[tokio::test]
async fn what_was_kept_again_is_not_dropped_by_who_found_the_old() {
    on_every_store(async |store| {
        let found = async || store.kept(KeptKind::Posted, "a").await.unwrap().unwrap().finished();
        let drop = |it: &_| store.commit(Commit { finished: vec![Clone::clone(it)], ..Commit::default() });
        store.commit(Commit { schedule: vec![todo("a", 0, "work")], ..Commit::default() }).await.unwrap();
        keep_all(&*store, vec![keep(KeptKind::Posted, "a", "old", GOOD)]).await;
        let old = found().await;
        keep_all(&*store, vec![keep(KeptKind::Posted, "a", "new", GOOD)]).await;
        drop(&old).await.unwrap();
        assert_eq!(body(&*store, KeptKind::Posted, "a").await.as_deref(), Some("new"));
        drop(&found().await).await.unwrap();
        assert_eq!(body(&*store, KeptKind::Posted, "a").await, None);
        assert!(store.find(WorkKind::Progress, "a").await.unwrap().is_some());
        // Dropped and kept anew in one commit, it is there.
        keep_all(&*store, vec![keep(KeptKind::Posted, "a", "1", GOOD)]).await;
        let both = Commit {
            finished: vec![found().await],
            keep: vec![keep(KeptKind::Posted, "a", "2", GOOD)],
            ..Commit::default()
        };
        store.commit(both).await.unwrap();
        assert_eq!(body(&*store, KeptKind::Posted, "a").await.as_deref(), Some("2"));
    })
    .await;
}

#[tokio::test]
async fn of_a_commit_that_conflicts_nothing_is_kept_or_dropped() {
    on_every_store(async |store| {
        store.commit(one(&soc(), 0, "{}", &["ann"])).await.unwrap();
        keep_all(&*store, vec![keep(KeptKind::Source, "old", "", GOOD)]).await;
        let old = store.kept(KeptKind::Source, "old").await.unwrap().unwrap();
        let lost = Commit {
            keep: vec![keep(KeptKind::Source, "new", "", GOOD)],
            finished: vec![old.finished()],
            ..one(&soc(), 0, "[]", &["bob"])
        };
        assert!(matches!(store.commit(lost).await, Err(CommitError::Conflict(_))));
        assert_eq!(keys(&*store, KeptKind::Source).await, ["old"]);
    })
    .await;
}

#[tokio::test]
async fn no_part_of_what_is_kept_can_be_edited() {
    let edits = [
        "body = '{\"n\":1}'",
        "until = until + 1",
        "until = NULL",
        "key = 'a2'",
        "kind = 'other'",
        "generation = generation + 9",
        "seal = ''",
        "seal = (SELECT seal FROM kept WHERE key = 'b')",
    ];
    for kind in KeptKind::ALL {
        for edit in edits {
            let bot = Bot::new().await;
            let all = ["a", "b", "c"].map(|key| keep(kind, key, "{}", Some(at(99))));
            keep_all(&*bot.store, all.into()).await;
            bot.tamper(&format!("UPDATE kept SET {edit} WHERE key = 'a'")).await;
            let what = format!("{}: {edit}", kind.name());
            assert_eq!(keys(&*bot.store, kind).await, ["b", "c"], "{what}");
            for key in ["a", "a2"] {
                assert_eq!(body(&*bot.store, kind, key).await, None, "{what}");
            }
            // Nobody asks for another kind.
            let aside = if edit.starts_with("kind") { 0 } else { 1 };
            assert_eq!(bot.aside().await.len(), aside, "{what}");
        }
    }
}

#[tokio::test]
async fn a_forged_row_is_set_aside_gets_no_seal_and_stops_nothing() {
    let bot = Bot::new().await;
    keep_all(&*bot.store, vec![keep(KeptKind::Known, "z", "{}", GOOD)]).await;
    let heap = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)";
    let forge = format!(
        "INSERT INTO kept (kind, key, until, body, seal) {heap} SELECT 'known', 'a' || i, 5, '{{}}', '' FROM n"
    );
    bot.tamper(&forge).await;
    let forged = Found { kind: KeptKind::Known.into(), key: "a1".into(), generation: None };
    // It stands in its place until it is read.
    let lost = bot.store.commit(Commit { rests_on: vec![forged], ..Commit::default() }).await;
    assert!(matches!(lost, Err(CommitError::Conflict(_))), "{lost:?}");
    let put_off = Kept { kind: KeptKind::Known, key: "a1".into(), body: "{}".into(), until: None, generation: 2 };
    bot.store.commit(Commit { postponed: vec![(put_off.finished(), at(50))], ..Commit::default() }).await.unwrap();
    assert_eq!(body(&*bot.store, KeptKind::Known, "a1").await, None);
    let page = bot.store.all_kept(KeptKind::Known, None, 2).await.unwrap();
    assert_eq!(page.iter().map(|kept| &*kept.key).collect::<Vec<_>>(), ["z"]);
    assert_eq!(bot.aside().await.len(), 100);
    assert_eq!(bot.store.count_kept(KeptKind::Known).await.unwrap(), 1);
}

#[tokio::test]
async fn the_audit_names_what_was_edited() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    let store = SqliteStore::open(&path, Chain::new(&[key(1)])).await.unwrap();
    keep_all(&store, vec![keep(KeptKind::Fired, "a", "{}", GOOD), keep(KeptKind::Fired, "b", "{}", GOOD)]).await;
    assert_eq!(store.inspect().await.unwrap().0, [""; 0]);
    super::audit::tamper(&path, "UPDATE kept SET body = '' WHERE key = 'a'").await;
    let found = store.inspect().await.unwrap().0;
    assert_eq!(found, ["fired a: its seal does not fit: it was edited or copied without the key"]);
    assert_eq!(body(&store, KeptKind::Fired, "a").await, None);
    let found = store.inspect().await.unwrap().0;
    assert!(found.len() == 1 && found[0].starts_with("fired a: set aside and not done"), "{found:?}");
}

#[tokio::test]
async fn after_a_start_with_both_keys_what_is_kept_needs_the_new_one_alone() {
    let mut bot = Bot::new().await;
    keep_all(&*bot.store, ["a", "b"].map(|key| keep(KeptKind::Source, key, "{}", Some(at(9)))).into()).await;
    bot.tamper("UPDATE kept SET body = '' WHERE key = 'a'").await;
    for keys in [vec![key(2), key(1)], vec![key(2)]] {
        bot.store.close().await;
        bot.store = sqlite(&bot.path, &keys).await;
    }
    assert_eq!(keys(&*bot.store, KeptKind::Source).await, ["b"]);
    assert_eq!(bot.aside().await.len(), 1);
}

const NEVER: i64 = 253_402_207_200_999;

/// A database as the release before left it, which kept these among the due work: kind, key, due time,
/// attempts.
async fn former_release(path: &Path, rows: &[(&str, &str, i64, u32)]) {
    let tables = ["0001_streams.sql", "0002_lease.sql", "0003_seals.sql"];
    let mut database = with_tables(path, &tables).await;
    let chain = Chain::new(&[key(1)]);
    sqlx::query("INSERT INTO whole (id, seal) VALUES (1, ?)")
        .bind(chain.seal_row(&Row::Whole))
        .execute(&mut database)
        .await
        .unwrap();
    for (generation, &(kind, key, due, attempts)) in (1..).zip(rows) {
        let row = Row::Work { kind, key, generation, due, attempts, body: "{}", delivered: false };
        sqlx::query(
            "INSERT INTO work (generation, kind, key, due, attempts, body, delivered, seal) VALUES (?, ?, ?, ?, ?, '{}', 0, ?)",
        )
        .bind(i64::try_from(generation).unwrap())
        .bind(kind)
        .bind(key)
        .bind(due)
        .bind(attempts)
        .bind(chain.seal_row(&row))
        .execute(&mut database)
        .await
        .unwrap();
    }
    database.close().await.unwrap();
}

#[tokio::test]
async fn what_the_release_before_kept_among_the_due_work_is_moved() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    let then = at(50).as_millisecond();
    let rows = [
        ("known", "a", then, 0),
        // Its time was set anew, as a clock was ahead.
        ("known", "b", then, 3),
        ("known", "listening", NEVER, 0),
        ("replaced", "r", then, 0),
        ("proof", "p", then, 0),
        ("posted", "m", NEVER, 0),
        ("fired", "c", NEVER, 0),
        ("source", "s", NEVER, 0),
        ("parked", "news/1", NEVER, 0),
        // Put aside by a release still older, whose time was that of the refusal.
        ("parked", "news/2", at(-50).as_millisecond(), 0),
        ("news", "1", 0, 2),
    ];
    former_release(&path, &rows).await;
    let mut bot = Bot { store: sqlite(&path, &[key(1)]).await, path, _directory: directory };
    let mut moved = Vec::new();
    for restarted in [false, true] {
        if restarted {
            bot.restart().await;
        }
        let mut all = Vec::new();
        for kind in KeptKind::ALL {
            all.extend(bot.store.all_kept(kind, None, 99).await.unwrap());
        }
        let shown: Vec<_> = all.iter().map(|kept| (kept.kind.name(), &*kept.key, kept.until)).collect();
        let (good, then) = (None, Some(at(50)));
        let expected = [
            ("known", "a", then),
            ("known", "b", then),
            ("known", "listening", good),
            ("posted", "m", good),
            ("fired", "c", good),
            ("source", "s", good),
            ("parked", "news/1", good),
            ("parked", "news/2", good),
            ("replaced", "r", then),
            ("proof", "p", then),
        ];
        assert_eq!(shown, expected);
        assert!(all.iter().all(|kept| kept.body == "{}"));
        moved.push(all);
    }
    assert_eq!(moved[0], moved[1]);
    assert_eq!(bot.aside().await, []);
    // Work stays work.
    assert_eq!(bot.store.find(WorkKind::News, "1").await.unwrap().unwrap().attempts, 2);
    assert_eq!(bot.store.forget_kept(at(50)).await.unwrap(), 4);
}

#[tokio::test]
async fn an_edited_row_is_not_trusted_because_it_is_moved() {
    let edits = [
        "body = '{\"n\":1}'",
        "due = due - 1",
        "attempts = 1",
        "key = 'c'",
        "kind = 'proof'",
        "delivered = 1",
        "generation = generation + 9",
        "seal = ''",
        "seal = (SELECT seal FROM work WHERE key = 'b')",
    ];
    for edit in edits {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("bot.db");
        former_release(&path, &[("known", "a", 9, 0), ("known", "b", 9, 0), ("known", "d", 9, 0)]).await;
        super::audit::tamper(&path, &format!("UPDATE work SET {edit} WHERE key = 'a'")).await;
        let bot = Bot { store: sqlite(&path, &[key(1)]).await, path, _directory: directory };
        assert_eq!(keys(&*bot.store, KeptKind::Known).await, ["b", "d"], "{edit}");
        assert_eq!(keys(&*bot.store, KeptKind::Proof).await, [""; 0], "{edit}");
        assert_eq!(bot.aside().await.len(), 1, "{edit}");
    }
}

#[tokio::test]
async fn a_row_of_the_release_before_that_is_put_back_replaces_nothing() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    former_release(&path, &[("fired", "a", NEVER, 0)]).await;
    super::audit::tamper(&path, "CREATE TABLE before AS SELECT * FROM work").await;
    let mut bot = Bot { store: sqlite(&path, &[key(1)]).await, path, _directory: directory };
    keep_all(&*bot.store, vec![keep(KeptKind::Fired, "a", "newer", GOOD)]).await;
    bot.tamper("INSERT INTO work SELECT * FROM before").await;
    bot.restart().await;
    assert_eq!(body(&*bot.store, KeptKind::Fired, "a").await.as_deref(), Some("newer"));
    assert_eq!(bot.aside().await, [("fired a".to_owned(), "it was settled before and put back".to_owned())]);
}
