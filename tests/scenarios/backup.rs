//! The store is copied while the bot runs, and put back.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use insta::assert_snapshot;
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::{Commit, NewRecord, SqliteStore, State, Store, StreamId, Write, keyfile};
use tempfile::TempDir;

use crate::harness::{Call, ChatFault, Kind, Platform, Setting, Stage, on_both, run};

fn durable() -> Setting {
    Setting { durable: true, file: true, ..Setting::default() }
}

/// The program on a store, in a folder.
fn program(folder: &Path, store: &str, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"));
    command.args(args).env_clear().env("CHATOPS_STORE", store).envs(env.iter().copied()).current_dir(folder);
    command.output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().map_or("none".into(), |code| code.to_string());
    format!("exit {code}\n{}{}", text(&output.stdout), text(&output.stderr))
}

fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).expect("a file").permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let all = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = all.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The bot's files give way to a copy and its key.
fn put_back(s: &Stage, copy: &Path) {
    let database = s.database().expect("a durable stage");
    for file in names(database.parent().unwrap()).iter().filter(|name| name.starts_with("bot.db")) {
        std::fs::remove_file(database.with_file_name(file)).unwrap();
    }
    std::fs::copy(copy, &database).unwrap();
    std::fs::copy(keyfile::path(copy), keyfile::path(&database)).unwrap();
}

on_both!(a_copy_that_is_made_while_the_bot_writes_is_whole);
fn a_copy_that_is_made_while_the_bot_writes_is_whole(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let folder = TempDir::new().unwrap();
        let (from, to) = (format!("sqlite:{}", s.database().unwrap().display()), folder.path().to_owned());
        static DONE: AtomicBool = AtomicBool::new(false);
        DONE.store(false, Ordering::SeqCst);
        let copies = std::thread::spawn(move || {
            let made = (0..4).map(|n| said(&program(&to, &from, &["backup", &format!("{n}.db"), "--with-key"], &[])));
            let made: Vec<String> = made.collect();
            DONE.store(true, Ordering::SeqCst);
            made
        });
        let mut day = 0;
        while day < 20 || !DONE.load(Ordering::SeqCst) {
            day += 1;
            s.ask("alice", &format!("due 5 +{day}d")).await;
        }
        let mut records = Vec::new();
        for (n, said) in copies.join().unwrap().into_iter().enumerate() {
            assert!(said.starts_with("exit 0\n"), "{said}");
            let verified = program(folder.path(), &format!("sqlite:{n}.db"), &["audit", "verify"], &[]);
            assert!(verified.status.success(), "{}", self::said(&verified));
            assert_eq!(mode(&folder.path().join(format!("{n}.db.key"))), 0o600);
            let line = said.split(" records").next().unwrap();
            records.push(line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
        }
        assert!(records.is_sorted() && records[0] < records[3], "the bot wrote meanwhile: {records:?}");
        s.ask("alice", "skip 7 \"the end\"").await;
        s.checklist("the end").await;
    });
}

/// A rejection that nobody has seen yet: the card, the checklist and the message to alice are pending.
async fn owing(s: &Stage) {
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
}

fn copied(s: &Stage, folder: &TempDir) -> PathBuf {
    let copy = folder.path().join("copy.db");
    let made = s.program(&["backup", copy.to_str().unwrap(), "--with-key"]);
    assert!(made.status.success(), "{}", said(&made));
    assert_eq!((mode(&copy), mode(&keyfile::path(&copy))), (0o600, 0o600));
    copy
}

on_both!(what_was_pending_in_a_copy_is_sent_once_after_it_was_put_back);
fn what_was_pending_in_a_copy_is_sent_once_after_it_was_put_back(on: Platform) {
    run(on, durable(), async |s| {
        let folder = TempDir::new().unwrap();
        owing(s).await;
        let copy = copied(s, &folder);
        s.crash().await;
        s.chat.mend();
        put_back(s, &copy);
        s.start().await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        s.rounds(2).await;
        let history = s.ask("alice", "audit 50").await.text();
        assert_eq!(history.matches("rejected by @bob").count(), 1, "{history}");
        s.stop().await;
        s.verify_audit();
    });
}

on_both!(what_was_sent_after_a_copy_was_made_is_not_sent_again);
fn what_was_sent_after_a_copy_was_made_is_not_sent_again(on: Platform) {
    run(on, durable(), async |s| {
        let folder = TempDir::new().unwrap();
        owing(s).await;
        let copy = copied(s, &folder);
        s.crash().await;
        s.chat.mend();
        s.start().await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        s.stop().await;
        put_back(s, &copy);
        s.start().await;
        s.rounds(2).await;
        // What stands is edited once more, and says the same.
        for _ in s.chat.unread() {
            let seen = s.next_within(std::time::Duration::from_secs(1)).await;
            assert_eq!(seen.kind, Kind::Edited, "{seen}");
        }
        s.stop().await;
        s.verify_audit();
    });
}

/// A folder with a store that holds one record.
async fn written() -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bot.db");
    let store = SqliteStore::open(&path, Chain::new(&keyfile::beside(&path).unwrap())).await.unwrap();
    let at = "2026-07-01T08:00:00Z".parse().unwrap();
    let records = vec![NewRecord { at, actor: "bot".into(), kind: "step.verified", body: "{}".into() }];
    let state = State { schema: 1, json: "x".repeat(200_000) };
    let write = Write {
        stream: StreamId::new("session", "slack:T0SOC:C0SOC"),
        expected: 0,
        state,
        records,
        beside: Vec::new(),
    };
    store.commit(Commit { writes: vec![write], ..Commit::default() }).await.unwrap();
    store.close().await;
    folder
}

#[tokio::test]
async fn a_copy_says_what_it_holds_and_where_the_key_is() {
    let folder = written().await;
    let steady = |output: &Output| {
        let said = said(output);
        let (before, size) = said.split_once("1 record, ").expect("a size");
        format!("{before}1 record, … KiB{}", size.split_once(" KiB").expect("a size").1)
    };
    assert_snapshot!(steady(&program(folder.path(), "sqlite:bot.db", &["backup", "copy.db"], &[])), @"
    exit 0
    Copied bot.db to copy.db: 1 record, … KiB.
    The key is not in it: keep bot.db.key in another place. Nothing can be restored without it.
    ");
    assert_snapshot!(steady(&program(folder.path(), "sqlite:bot.db", &["backup", "both.db", "--with-key"], &[])), @"
    exit 0
    Copied bot.db to both.db: 1 record, … KiB.
    The key is in both.db.key.
    ");
    let key = ("CHATOPS_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_snapshot!(steady(&program(folder.path(), "sqlite:bot.db", &["backup", "set.db"], &[key])), @"
    exit 0
    Copied bot.db to set.db: 1 record, … KiB.
    The key is not in it: keep CHATOPS_SECRET_KEY in another place.
    ");
    assert!(!folder.path().join("copy.db.key").exists());
    assert_eq!(mode(&folder.path().join("copy.db")), 0o600);
    let keys = ["bot.db.key", "both.db.key"].map(|name| std::fs::read(folder.path().join(name)).unwrap());
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_leaves_nothing_and_says_what_to_change() {
    let folder = written().await;
    let put = |name: &str| std::fs::write(folder.path().join(name), "not ours").unwrap();
    put("there.db");
    put("half.db.key");
    let before = names(folder.path());
    let tried = |store: &str, args: &[&str], env: &[(&str, &str)]| {
        let args = [&["backup"], args].concat();
        said(&program(folder.path(), store, &args, env))
    };
    let bot = "sqlite:bot.db";
    assert_snapshot!(tried("memory", &["copy.db"], &[]), @"
    exit 2
    error: the configuration is not complete or not right:
      CHATOPS_STORE: is memory, of which there is nothing to copy; set sqlite:PATH
    ");
    assert_snapshot!(tried("sqlite:nowhere.db", &["copy.db"], &[]), @"
    exit 2
    error: the configuration is not complete or not right:
      CHATOPS_STORE: there is no store at nowhere.db; set sqlite:PATH
    ");
    assert_snapshot!(tried(bot, &["there.db"], &[]), @"
    exit 2
    error: Cannot write there.db: it exists already, and a backup overwrites nothing. Give another name.
    ");
    assert_snapshot!(tried(bot, &["bot.db"], &[]), @"
    exit 2
    error: Cannot write bot.db: it exists already, and a backup overwrites nothing. Give another name.
    ");
    assert_snapshot!(tried(bot, &["half.db", "--with-key"], &[]), @"
    exit 2
    error: Cannot write half.db.key: it exists already, and a backup overwrites nothing. Give another name.
    ");
    assert_snapshot!(tried(bot, &["nowhere/copy.db"], &[]), @"
    exit 2
    error: Cannot write nowhere/copy.db: there is no folder nowhere. Create it, or give a file in another folder.
    ");
    assert_snapshot!(tried(bot, &["there.db/copy.db"], &[]), @"
    exit 2
    error: Cannot write there.db/copy.db: there.db is not a folder. Make it one, or give a file in another folder.
    ");
    let key = ("CHATOPS_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_snapshot!(tried(bot, &["copy.db", "--with-key"], &[key]), @"
    exit 2
    error: The key is in CHATOPS_SECRET_KEY and not in a file. Leave out --with-key, and keep that setting.
    ");
    assert!(tried(bot, &[], &[]).starts_with("exit 2\n"));
    std::fs::write(folder.path().join("junk.db"), "x".repeat(9_000)).unwrap();
    assert_snapshot!(tried("sqlite:junk.db", &["copy.db"], &[]), @"
    exit 1
    error: Nothing was copied to copy.db: what CHATOPS_STORE names is damaged, or not a database.
    ");
    std::fs::remove_file(folder.path().join("junk.db")).unwrap();
    std::fs::remove_file(folder.path().join("bot.db.key")).unwrap();
    assert_snapshot!(tried(bot, &["copy.db", "--with-key"], &[]), @"
    exit 1
    error: Cannot read the audit key bot.db.key: No such file or directory (os error 2)
    ");
    let left: Vec<String> = names(folder.path()).into_iter().filter(|name| !name.contains("bot.db")).collect();
    assert_eq!(left, before.into_iter().filter(|name| !name.contains("bot.db")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_disk_that_is_full_leaves_no_half_copy() {
    let folder = written().await;
    let before = names(folder.path());
    // A limit on the size of a file is what a test can have of a full disk; 64 KiB, in half KiB.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" backup copy.db --with-key"])
        .arg(env!("CARGO_BIN_EXE_sekoia-chatops"))
        .env_clear()
        .env("CHATOPS_STORE", "sqlite:bot.db")
        .current_dir(folder.path())
        .output()
        .expect("a shell");
    assert_snapshot!(said(&output), @"
    exit 1
    error: Cannot write copy.db: the disk failed, or a limit on the size of files was reached. Look into it, or give a file in another folder. Nothing was left there.
    ");
    assert_eq!(names(folder.path()), before);
}
