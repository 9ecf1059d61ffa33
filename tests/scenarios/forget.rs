//! Personal values are erased: of one person by `audit redact`, and when their time is over.

mod erased;

use std::time::Duration;

use insta::assert_snapshot;
use sekoia_chatops::store::{Store, WorkKind};

use super::program::run;
use crate::harness::{Platform, Setting, nameless, on_both, run as play};

fn durable() -> Setting {
    Setting { durable: true, ..Setting::default() }
}

/// What a subcommand of the program prints, and its exit code.
fn printed(output: &std::process::Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("an exit code");
    nameless(format!("exit {code}\n{}{}", text(&output.stdout), text(&output.stderr)))
}

/// The channel's id is another one on each platform, and ids of requests have no order.
fn in_order(printed: &str) -> String {
    let session = |line: &str| match line.split_once(": ") {
        Some((stream, rest)) if stream.starts_with("session/") => format!("session: {rest}"),
        Some((stream, rest)) if stream.starts_with("plan/") => format!("plan: {rest}"),
        _ => line.to_owned(),
    };
    let mut lines: Vec<String> = printed.lines().map(session).collect();
    let streams = lines.iter().filter(|line| line.starts_with("approval/")).count();
    lines[1..=streams].sort();
    lines.join("\n")
}

/// The files of the store that hold a text, in any case.
fn files_with(directory: &std::path::Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(directory).expect("a directory") {
        let file = file.expect("a file");
        let content = std::fs::read(file.path()).expect("its content").to_ascii_lowercase();
        if content.windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(file.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

on_both!(one_person_is_erased_everywhere_while_the_bot_runs);
fn one_person_is_erased_everywhere_while_the_bot_runs(on: Platform) {
    play(on, durable(), async |s| {
        s.set_up().await;
        // As long as a request is open, it needs the address.
        let alone = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        assert_snapshot!(in_order(&printed(&s.program(&["audit", "redact", "ANA@nimbus.example"]))), @r#"
        exit 1
        approval/<id>: not erased: the request is open and needs it. Withdraw it with `/sekoia cancel <id>`, or wait until it is settled; then run this again.
        session: 1 value erased in 1 record
        1 value erased in 1 record of 1 stream. The history verifies as before.
        Names of members stand in the evidence of steps without an address: --name "Ana Lopez" erases one as well.
        Backups, exports and messages in the chat are not changed.
        error: Something still names ana@nimbus.example: see above
        "#);
        s.ask("alice", &format!("cancel {alone}")).await;
        s.card("Withdrawn").await;
        s.checklist_at_rest().await;
        let both = "invite ana@nimbus.example bo@nimbus.example because \"ask Ana@Nimbus.example\"";
        let both = s.request_for("alice", both).await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.click("bob", &card, "Approve").await;
        s.card("bo@nimbus.example* · not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        let erased = printed(&s.program(&["audit", "redact", "ana@nimbus.example"]));
        assert_snapshot!(in_order(&erased), @r#"
        exit 0
        approval/<id>: 2 values erased in 1 record
        approval/<id>: 4 values erased in 2 records
        plan: 1 value erased in 1 record
        session: 1 value erased in 1 record
        8 values erased in 5 records of 4 streams. The history verifies as before.
        Names of members stand in the evidence of steps without an address: --name "Ana Lopez" erases one as well.
        Backups, exports and messages in the chat are not changed.
        "#);
        assert_snapshot!(printed(&s.program(&["audit", "redact", "ana@nimbus.example"])), @r#"
        exit 0
        Nothing in this store names ana@nimbus.example.
        Names of members stand in the evidence of steps without an address: --name "Ana Lopez" erases one as well.
        Backups, exports and messages in the chat are not changed.
        "#);

        assert_snapshot!(nameless(s.ask("alice", &format!("approvals {both}")).await.text()), @"
        Request <id> · succeeded
        *Invite 2 people as Analyst*
        In *Nimbus Payments* as *Analyst*
        • ✅ Approved by @bob · <date> <time> UTC
        • ✅ *[erased]* · not accepted yet · <date> <time> UTC
        • ✅ *bo@nimbus.example* · not accepted yet · <date> <time> UTC
        SHA-256 of what was asked for:
        ```
        <hash>
        ```
        [Send again]
        ");
        s.stop().await;
        s.start().await;
        let report = s.whole_report("alice").await;
        assert!(report.contains("erased") && !report.contains("ana@"), "{report}");
        assert!(s.ask("alice", "audit 20").await.text().contains("erased 1 personal value (on request)"));
        s.stop().await;
        s.verify_audit();
        let export = String::from_utf8(s.program(&["audit", "export"]).stdout).expect("a text");
        assert!(
            export.contains("[erased]") && export.contains("bo@nimbus.example") && !export.contains("ana@"),
            "{export}"
        );
        if let Some(store) = s.database() {
            let directory = store.parent().expect("its folder");
            assert_eq!(files_with(directory, "ana@nimbus.example"), [""; 0]);
            assert_eq!(files_with(directory, "bo@nimbus.example"), ["bot.db"]);
        }
    });
}

on_both!(what_is_settled_is_erased_when_its_time_is_over);
fn what_is_settled_is_erased_when_its_time_is_over(on: Platform) {
    play(on, durable(), async |s| {
        s.set_up().await;
        let rejected = s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        let form = s.opens("bob", &card, "Reject…").await;
        s.submit("bob", &form, &[("Why not?", "Ask cy@nimbus.example first")]).await;
        s.card("Rejected").await;
        s.direct().await;
        let open = s.request_for("alice", "invite bo@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist_at_rest().await;
        s.stop().await;
        s.keeps_personal_values(Duration::from_millis(1));
        s.start().await;
        let state = async |id: &str| {
            let store = s.store().await;
            let stream = sekoia_chatops::store::StreamId::new("approval", id);
            store.load(&stream).await.expect("a state").expect("a request").state.json
        };
        while state(&rejected).await.contains("nimbus.example\"") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let left = state(&rejected).await;
        assert!(left.contains("[erased]") && !left.contains('@'), "{left}");
        // What is asked for and not decided is as it was, and goes on.
        assert!(state(&open).await.contains("bo@nimbus.example"));
        s.click("bob", &card, "Approve").await;
        s.card("bo@nimbus.example* · not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_snapshot!(nameless(s.ask("alice", &format!("approvals {rejected}")).await.text()), @"
        Request <id> · rejected
        *Invite [erased] as Analyst*
        In *Nimbus Payments* as *Analyst*
        • [erased]
        SHA-256 of what was asked for:
        ```
        <hash>
        ```
        ");
        s.stop().await;
        s.verify_audit();
    });
}

#[test]
fn what_is_no_address_is_said_before_anything_is_opened() {
    let store = &[("CHATOPS_STORE", "sqlite:bot.db")];
    assert_snapshot!(run("audit redact ana", store), @r#"
    exit 2
    error: "ana" is no e-mail address. Write it like ana@example.com.
    "#);
    assert_snapshot!(run("audit redact ana@nimbus.example", store), @"
    exit 1
    error: There is no store at bot.db: set CHATOPS_STORE=sqlite:PATH
    ");
    assert_snapshot!(run("audit redact ana@nimbus.example", &[("CHATOPS_STORE", "memory")]), @"
    exit 1
    error: The memory store keeps no history: set CHATOPS_STORE=sqlite:PATH
    ");
    let none = run("audit redact", store);
    assert!(none.code == 2 && none.err.contains("<E-MAIL>"), "{none}");
}

#[test]
fn messages_that_wait_are_rewritten_and_other_work_is_named() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a folder");
    let database = directory.path().join("bot.db");
    runtime.block_on(async {
        let keys = sekoia_chatops::store::keyfile::beside(&database).expect("a key");
        let chain = sekoia_chatops::store::audit::Chain::new(&keys);
        let store = sekoia_chatops::store::SqliteStore::open(&database, chain).await.expect("a store");
        let work = |kind, key: &str| sekoia_chatops::store::Schedule {
            kind,
            key: key.into(),
            due: jiff::Timestamp::MAX,
            attempts: 3,
            body: r#"{"text":"Ask Ana@nimbus.example, or bo@nimbus.example"}"#.into(),
        };
        let schedule = vec![work(WorkKind::Notice, "n"), work(WorkKind::Inbound, "i")];
        let refused = sekoia_chatops::store::Keep {
            kind: sekoia_chatops::store::KeptKind::DeadLetter,
            key: "d".into(),
            body: work(WorkKind::Notice, "d").body,
            until: None,
        };
        let commit = sekoia_chatops::store::Commit { schedule, keep: vec![refused], ..Default::default() };
        store.commit(commit).await.expect("a commit");
        store.close().await;
    });
    let redact = super::program::run_in(
        directory.path(),
        "audit redact ana@nimbus.example",
        &[("CHATOPS_STORE", "sqlite:bot.db")],
    );
    assert_snapshot!(redact, @r#"
    exit 1
    2 messages that wait to be sent: erased
    1 recorded change: not erased; gone when done, in seconds.
    Names of members stand in the evidence of steps without an address: --name "Ana Lopez" erases one as well.
    Backups, exports and messages in the chat are not changed.
    error: Something still names ana@nimbus.example: see above
    "#);
    runtime.block_on(async {
        let keys = sekoia_chatops::store::keyfile::existing(&database).expect("a key");
        let chain = sekoia_chatops::store::audit::Chain::new(&keys);
        let store = sekoia_chatops::store::SqliteStore::open(&database, chain).await.expect("a store");
        let notice = store.find(WorkKind::Notice, "n").await.expect("a store").expect("it is there");
        assert_eq!((&*notice.body, notice.attempts), (r#"{"text":"Ask [erased], or bo@nimbus.example"}"#, 3));
        store.close().await;
    });
}
