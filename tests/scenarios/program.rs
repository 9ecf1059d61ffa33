//! The program as an operator runs it: its subcommands, exit codes and what it prints where.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use insta::assert_snapshot;
use jiff::Timestamp;
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::{Commit, NewRecord, SqliteStore, State, Store, StreamId, Write, keyfile};
use serde_json::Value;
use sqlx::Connection;
use tempfile::TempDir;

pub(super) type Env<'a> = &'a [(&'a str, &'a str)];

/// Nothing answers there: the bot must not need it to start.
pub(super) const SERVE: Env<'static> = &[
    ("SEKOIA_API_KEY", "canary-key"),
    ("SEKOIA_API_URL", "http://127.0.0.1:1"),
    ("SLACK_SIGNING_SECRET", "canary-signing"),
    ("SLACK_BOT_TOKEN", "xoxb-canary"),
    ("SLACK_API_URL", "http://127.0.0.1:1/api"),
    ("CHATOPS_LISTEN", "127.0.0.1:0"),
    ("CHATOPS_STORE", "memory"),
];

/// The program in a directory of its own and with this environment alone.
pub(super) fn program(directory: &Path, arguments: &str, env: Env<'_>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"));
    command.args(arguments.split_whitespace()).env_clear().envs(env.iter().copied()).current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(super) fn run(arguments: &str, env: Env<'_>) -> Ran {
    let directory = TempDir::new().unwrap();
    run_in(directory.path(), arguments, env)
}

pub(super) fn run_in(directory: &Path, arguments: &str, env: Env<'_>) -> Ran {
    let mut running = Running(program(directory, arguments, env).spawn().unwrap());
    let (mut stdout, mut stderr) = (running.0.stdout.take().unwrap(), running.0.stderr.take().unwrap());
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut out, mut err) = (String::new(), String::new());
        let read = stdout.read_to_string(&mut out).and_then(|_| stderr.read_to_string(&mut err));
        ended.send(read.map(|_| (out, err)))
    });
    let (out, err) = end.recv_timeout(LONG).expect("it ends").unwrap();
    Ran { code: running.0.wait().unwrap().code().expect("an exit code"), out, err }
}

/// A running program, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Far beyond what it takes; a program that does not stop fails the test instead of hanging it.
const LONG: Duration = Duration::from_secs(60);

/// What it left: its exit code, and what it said.
pub(super) struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n{}{}", self.code, self.out, self.err)
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in ["", "frobnicate", "serve --fast", "audit", "manifest slack", "sandbox --listen nowhere"] {
        let ran = run(arguments, &[]);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{arguments}: {ran}");
        assert!(ran.err.contains("--help"), "{arguments}: {ran}");
    }
    let version = run("--version", &[]);
    let number = format!("sekoia-chatops {} (commit ", env!("CARGO_PKG_VERSION"));
    assert!(version.code == 0 && version.out.starts_with(&number) && version.out.ends_with(")\n"), "{version}");
}

#[test]
fn serve_without_settings_says_everything_that_is_missing() {
    assert_snapshot!(run("serve", &[]), @"
    exit 2
    error: the configuration is not complete or not right:
      SEKOIA_API_KEY: is missing; create one in Sekoia under Settings > Workspace > API Keys
      SLACK_… or MATTERMOST_…: no chat platform is configured; set SLACK_BOT_TOKEN and SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP), or MATTERMOST_URL and MATTERMOST_BOT_TOKEN, or both
    ");
}

#[test]
fn serve_says_what_is_wrong_with_the_log_together_with_the_rest() {
    let ran = run("serve", &[("CHATOPS_LOG_FORMAT", "xml")]);
    assert!(ran.code == 2 && ran.err.contains("SEKOIA_API_KEY") && ran.err.contains("CHATOPS_LOG_FORMAT"), "{ran}");
}

#[test]
fn serve_without_a_place_for_its_store_fails() {
    let env = [SERVE, &[("CHATOPS_STORE", "sqlite:/nowhere/bot.db"), ("CHATOPS_LOG", "error")]].concat();
    assert_snapshot!(run("serve", &env), @"
    exit 1
    error: Cannot open the store /nowhere/bot.db: there is no folder /nowhere. Create it, or set CHATOPS_STORE to a file in another folder.
    ");
}

#[test]
fn a_mistyped_name_keeps_serve_and_audit_from_starting() {
    let env = [SERVE, &[("CHATOPS_CHANNEL", "C0SOC"), ("MATTERMOST_PORT", "tcp://10.0.0.1:8065")]].concat();
    assert_snapshot!(run("serve", &env), @"
    exit 2
    error: the configuration is not complete or not right:
      CHATOPS_CHANNEL: is not a setting; did you mean CHATOPS_CHANNELS?
    ");
    assert_snapshot!(run("audit verify", &[("CHATOPS_STOER", "sqlite:bot.db")]), @"
    exit 2
    error: the configuration is not complete or not right:
      CHATOPS_STOER: is not a setting; did you mean CHATOPS_STORE?
    ");
}

/// Starts `serve` and waits until it serves; what it said until then, and the rest of it.
fn served(directory: &Path, env: Env<'_>) -> (Running, String, BufReader<std::process::ChildStderr>) {
    let mut running = Running(program(directory, "serve", env).spawn().unwrap());
    let mut log = BufReader::new(running.0.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("serving address=") {
        assert!(log.read_line(&mut said).unwrap() > 0, "it ended:\n{said}");
    }
    (running, said, log)
}

#[test]
fn a_second_serve_on_the_same_file_says_so_and_ends() {
    let directory = TempDir::new().unwrap();
    let env = [SERVE, &[("CHATOPS_STORE", "sqlite:bot.db")]].concat();
    let (mut first, _, _log) = served(directory.path(), &env);
    let second = run_in(directory.path(), "serve", &env);
    let expected = format!("error: Another sekoia-chatops (process {}) has the store bot.db.", first.0.id());
    assert!(second.code == 2 && second.err.contains(&expected), "{second}");
    let demo = run_in(directory.path(), "demo --listen 127.0.0.1:0 --store bot.db", &[]);
    assert!(demo.code == 2 && demo.err.contains("Another sekoia-chatops"), "{demo}");
    // Reading the history meanwhile is fine.
    assert_eq!(run_in(directory.path(), "audit verify", STORE).code, 0);
    // A crash leaves no lock behind.
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    served(directory.path(), &env);
}

#[test]
fn the_start_says_what_it_starts_with() {
    let more = [
        ("CHATOPS_APPROVERS", "slack:U0BOB,slack:U0CAROL,slack-group:S0SOC"),
        ("CHATOPS_CHANNELS", "C0SOC"),
        ("SEKOIA_REGION", "USA1"),
    ];
    let (mut running, said, mut log) = served(TempDir::new().unwrap().path(), &[SERVE, &more].concat());
    let lines: Vec<&str> =
        said.lines().filter_map(|line| line.split_once("sekoia_chatops::cli::serve: ")).map(|l| l.1).collect();
    // Only a build for release is told its commit.
    let commit = format!("commit={:?}", option_env!("SOURCE_COMMIT").unwrap_or("unknown"));
    assert_snapshot!(lines[..lines.len() - 1].join("\n").replace(&commit, "commit=…"), @r#"
    SLACK_SIGNING_SECRET is not 32 hexadecimal digits, as Slack's signing secrets are: every request may be refused
    sekoia-chatops starts version="0.1.0" commit=… region=USA1 execution="not frozen"
    store: memory; everything is forgotten at the end
    platforms: Slack
    approvers: 2 people, 1 user group
    operators: the approvers
    channels: 1 channel in CHATOPS_CHANNELS
    "#);
    // A minute is not waited for: the last count comes with the end.
    let address = said.split_once("serving address=").unwrap().1.split_whitespace().next().unwrap();
    for _ in 0..3 {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        std::io::Write::write_all(
            &mut stream,
            b"POST /slack/commands HTTP/1.1\r\nHost: b\r\nContent-Length: 6\r\nConnection: close\r\n\r\ncanary",
        )
        .unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().unwrap();
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    running.0.wait().unwrap();
    // A busy machine may need more than one count for them.
    let counts: Vec<&str> =
        rest.lines().filter_map(|line| line.split_once("requests were refused ")).map(|l| l.1).collect();
    let refused = |count: &&str| -> u32 {
        let (unauthorized, others) = count.strip_prefix("unauthorized=").unwrap().split_once(' ').unwrap();
        assert_eq!(others, "unknown=0 malformed=0 too_large=0 overloaded=0");
        unauthorized.parse().unwrap()
    };
    assert_eq!(counts.iter().map(refused).sum::<u32>(), 3, "{rest}");
    assert!(!rest.contains("canary"), "{rest}");
}

#[test]
fn hundreds_of_idle_connections_keep_nobody_from_an_answer() {
    let directory = TempDir::new().unwrap();
    // Few files, so that few connections are many.
    let mut serve = program(directory.path(), "serve", SERVE);
    let binary = serve.get_program().to_owned();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 128; exec \"$0\" serve"]).arg(binary).env_clear().envs(SERVE.iter().copied());
    limited.env("PATH", "/usr/bin:/bin").current_dir(directory.path());
    limited.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    serve = limited;
    let mut running = Running(serve.spawn().unwrap());
    let mut log = BufReader::new(running.0.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("serving address=") {
        assert!(log.read_line(&mut said).unwrap() > 0, "it ended:\n{said}");
    }
    let address = said.split_once("serving address=").unwrap().1.split_whitespace().next().unwrap();
    let connect = || std::net::TcpStream::connect(address).unwrap();
    let mut idle = Vec::new();
    for n in 0..500 {
        let mut stream = connect();
        if n % 2 == 0 {
            let _ = std::io::Write::write_all(&mut stream, b"POST /slack/commands HTTP/1.1\r\nHo");
        }
        idle.push(stream);
    }
    for path in ["/healthz", "/readyz"] {
        let mut stream = connect();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
}

#[test]
fn an_address_that_is_taken_is_said_by_its_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for name in ["CHATOPS_LISTEN", "CHATOPS_METRICS_LISTEN"] {
        let mut env: Vec<(&str, &str)> = SERVE.iter().copied().filter(|(of, _)| *of != name).collect();
        env.push((name, &address));
        let ran = run("serve", &env);
        let says = format!("{name}: {address} is in use by another program; stop that one, or give another port");
        assert!(ran.code == 2 && ran.err.contains(&says), "{}", ran.err);
    }
    let mut env = SERVE.to_vec();
    // Of the block for documentation: no machine has it.
    env.push(("CHATOPS_METRICS_LISTEN", "192.0.2.1:9464"));
    let ran = run("serve", &env);
    let says = "CHATOPS_METRICS_LISTEN: 192.0.2.1 is no address of this machine";
    assert!(ran.code == 2 && ran.err.contains(says), "{}", ran.err);
}

#[test]
fn the_slack_manifest_has_the_address_that_was_given() {
    let ran = run("manifest slack --url https://bot.example.org/", &[]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
    for wanted in [
        "url: https://bot.example.org/slack/commands\n",
        "request_url: https://bot.example.org/slack/events\n",
        "request_url: https://bot.example.org/slack/interactivity\n",
        "should_escape: true\n",
    ] {
        assert_eq!(ran.out.matches(wanted).count(), 1, "{wanted}\n{}", ran.out);
    }
    assert!(!ran.out.contains("example.com"), "{}", ran.out);
    for bad in ["http://x", "bot.example.org", "https://bot.example.org?a", "https://me@bot.example.org"] {
        assert_eq!(run(&format!("manifest slack --url {bad}"), &[]).code, 2, "{bad}");
    }
}

#[test]
fn the_slack_manifest_for_socket_mode_has_no_address() {
    let ran = run("manifest slack --socket-mode", &[]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
    // YAML, the same but for the addresses.
    let http = run("manifest slack --url https://bot.example.org/", &[]).out;
    let left: Vec<&str> = http.lines().filter(|line| !line.contains("bot.example.org")).collect();
    let expected = left.join("\n").replace("socket_mode_enabled: false", "socket_mode_enabled: true");
    assert_eq!(ran.out, expected + "\n");
    assert_eq!(ran.out.matches("socket_mode_enabled: true\n").count(), 1, "{}", ran.out);
    assert!(!ran.out.lines().any(|line| line.trim_start().starts_with("url:") || line.contains("request_url")));
    assert_eq!(run("manifest slack --socket-mode --url https://bot.example.org/", &[]).code, 2);
}

#[test]
fn the_sandbox_stays_on_the_machine() {
    assert_snapshot!(run("sandbox --listen 0.0.0.0:0", &[]), @"
    exit 1
    error: 0.0.0.0:0 is not a loopback address: the sandbox prints its keys and takes faults from anybody
    ");
}

#[test]
fn an_audit_without_a_history_says_what_to_set() {
    assert_snapshot!(run("audit verify", &[("CHATOPS_STORE", "memory")]), @"
    exit 1
    error: The memory store keeps no history: set CHATOPS_STORE=sqlite:PATH
    ");
    assert_snapshot!(run("audit verify", &[]), @"
    exit 1
    error: There is no store at sekoia-chatops.db: set CHATOPS_STORE=sqlite:PATH
    ");
    assert_snapshot!(run("audit export", &[("CHATOPS_STORE", "sqlite:bot.db")]), @"
    exit 1
    error: There is no store at bot.db: set CHATOPS_STORE=sqlite:PATH
    ");
    assert_snapshot!(run("audit verify", &[("CHATOPS_STORE", "/var/lib/bot.db")]), @"
    exit 2
    error: the configuration is not complete or not right:
      CHATOPS_STORE: give sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE or memory
    ");
}

const STORE: Env<'static> = &[("CHATOPS_STORE", "sqlite:bot.db")];

/// A directory with a store that somebody wrote these records into (actor, body).
async fn written(records: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    let keys = keyfile::beside(&path).unwrap();
    let store = SqliteStore::open(&path, Chain::new(&keys)).await.unwrap();
    let at: Timestamp = "2026-07-01T08:00:00Z".parse().unwrap();
    let records = records
        .iter()
        .map(|(actor, body)| NewRecord { at, actor: (*actor).into(), kind: "step.verified", body: (*body).into() })
        .collect();
    let stream = StreamId::new("session", "slack:T0SOC:C0SOC");
    let state = State { schema: 1, json: "{}".into() };
    let write = Write { stream, expected: 0, state, records, beside: Vec::new() };
    store.commit(Commit { writes: vec![write], ..Commit::default() }).await.unwrap();
    store.close().await;
    directory
}

#[tokio::test]
async fn an_audit_is_good_until_somebody_edits_a_record() {
    let directory = written(&[("slack:U0ALICE", "{}"), ("slack:U0BOB", "{\"n\":1}")]).await;
    assert_snapshot!(run_in(directory.path(), "audit verify", STORE), @"
    exit 0
    2 records in 1 stream, 0 faults
    bot.db.heads remembers where 1 stream stood when it was last written: within a minute of every change, and at every stop.
    Not provable from here: changes by a holder of the key, or a database put back together with that file. Compare with an export kept elsewhere.
    ");
    let path = directory.path().join("bot.db");
    let mut database = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql("UPDATE record SET body = '{\"n\":2}' WHERE seq = 2").execute(&mut database).await.unwrap();
    let ran = run_in(directory.path(), "audit verify", STORE);
    assert_eq!(ran.code, 1);
    assert_snapshot!(ran, @"
    exit 1
    session/slack:T0SOC:C0SOC: record 2 was edited, or does not follow the one before it
    2 records in 1 stream, 1 fault
    bot.db.heads remembers where 1 stream stood when it was last written: within a minute of every change, and at every stop.
    Not provable from here: changes by a holder of the key, or a database put back together with that file. Compare with an export kept elsewhere.
    error: The history was tampered with, or is damaged
    ");
}

#[tokio::test]
async fn what_is_missing_from_a_history_is_found_by_what_is_remembered_beside_it() {
    let work = "INSERT INTO work (kind, key, due, attempts, body) VALUES ('inbound', 'D1', 0, 0, '{}')";
    let all = "DELETE FROM record; DELETE FROM stream; DELETE FROM whole";
    let last = "DELETE FROM record WHERE seq = 2";
    let mut report = String::new();
    for (what, sql) in
        [("a forged request", work), ("all removed", all), ("the last record removed", last), ("an empty file", "")]
    {
        let directory = written(&[("slack:U0ALICE", "{}"), ("slack:U0BOB", "{\"n\":1}")]).await;
        let path = directory.path().join("bot.db");
        if sql.is_empty() {
            std::fs::write(&path, "").unwrap();
        } else {
            let mut database = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
            database.close().await.unwrap();
        }
        let ran = run_in(directory.path(), "audit verify", STORE);
        assert_eq!(ran.code, 1, "{what}: {ran}");
        let faults: Vec<&str> = ran.out.lines().take_while(|line| !line.contains("remembers where")).collect();
        report.push_str(&format!("{what}:\n  {}\n", faults.join("\n  ")));
        // Looking at it changes nothing of what is remembered.
        assert_eq!(run_in(directory.path(), "audit verify", STORE).out, ran.out, "{what}");
    }
    assert_snapshot!(report.replace("session/slack:T0SOC:C0SOC", "S"), @"
    a forged request:
      inbound D1: it has no seal: this bot did not write it
      2 records in 1 stream, 1 fault
    all removed:
      S: it was removed whole: record 2 is remembered beside the database
      0 records in 0 streams, 1 fault
    the last record removed:
      S: record 2 is missing at the end: the state has seen it
      S: the state does not belong to its last record
      1 record in 1 stream, 2 faults
    an empty file:
      S: it was removed whole: record 2 is remembered beside the database
      0 records in 0 streams, 1 fault
    ");
}

#[tokio::test]
async fn an_audit_without_the_key_is_refused_rather_than_trusted() {
    let directory = written(&[("slack:U0ALICE", "{}")]).await;
    std::fs::remove_file(directory.path().join("bot.db.key")).unwrap();
    let ran = run_in(directory.path(), "audit verify", STORE);
    assert!(ran.code == 1 && ran.err.contains("Cannot read the audit key"), "{ran}");
    assert!(!directory.path().join("bot.db.key").exists());
}

#[tokio::test]
async fn an_export_holds_every_record_and_no_formula() {
    let hostile = ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a,\"b\"\n=c"];
    let directory = written(&hostile.map(|text| (text, text))).await;
    let csv = run_in(directory.path(), "audit export --format csv", STORE);
    assert_eq!((csv.code, &*csv.err), (0, ""));
    let mut reader = csv::Reader::from_reader(csv.out.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["stream", "seq", "at", "actor", "kind", "body", "key", "seal"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), hostile.len());
    for (row, text) in rows.iter().zip(hostile) {
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{row:?}");
        let cell = if text.starts_with('a') { text.to_owned() } else { format!("'{text}") };
        assert_eq!((&row[3], &row[5]), (&*cell, &*cell));
    }
    let json = run_in(directory.path(), "audit export --format json", STORE);
    let all: Vec<Value> = serde_json::from_str(&json.out).unwrap();
    assert_eq!(all.iter().map(|r| r["actor"].as_str().unwrap()).collect::<Vec<_>>(), hostile);
    assert_eq!((&all[0]["seq"], &all[0]["stream"]), (&1.into(), &"session/slack:T0SOC:C0SOC".into()));
    let empty = written(&[]).await;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&run_in(empty.path(), "audit export", STORE).out).unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_answers_without_sekoia_or_slack_and_stops_when_asked() {
    let directory = TempDir::new().unwrap();
    let env = [SERVE, &[("CHATOPS_STORE", "sqlite:bot.db")]].concat();
    let mut running = Running(program(directory.path(), "serve", &env).spawn().unwrap());
    let mut log = BufReader::new(running.0.stderr.take().unwrap());
    let mut said = String::new();
    let address = loop {
        let from = said.len();
        assert!(log.read_line(&mut said).unwrap() > 0, "it ended:\n{said}");
        if let Some((_, rest)) = said[from..].split_once("serving address=") {
            break rest.split_whitespace().next().unwrap().to_owned();
        }
    };
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        log.read_to_string(&mut rest).map(|_| rest)
    });
    assert!(said.contains("nobody may set a channel up"), "{said}");

    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let get = async |path: &str| http.get(format!("http://{address}{path}")).send().await.unwrap();
    assert_eq!(get("/healthz").await.status(), 200);
    let ready = get("/readyz").await;
    assert_eq!(ready.status(), 200);
    let ready: Value = ready.json().await.unwrap();
    for part in ["status", "store", "sekoia", "slack", "refused"] {
        assert!(ready.get(part).is_some(), "{part} in {ready}");
    }
    assert_eq!(get("/slack/commands").await.status(), 405);
    let forged = http.post(format!("http://{address}/slack/commands")).body("text=status").send().await.unwrap();
    assert_eq!((forged.status().as_u16(), forged.text().await.unwrap()), (401, String::new()));

    let kill = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let stopped = tokio::task::spawn_blocking(move || running.0.wait().map(|status| (status, running)));
    let (status, mut running) = tokio::time::timeout(LONG, stopped).await.expect("it stops").unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    let (mut out, rest) = (String::new(), rest.join().unwrap().unwrap());
    running.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(out, "", "standard output is nobody's");
    assert!(rest.contains("stopped"), "{rest}");
    assert!(!format!("{said}{rest}").contains("canary"), "{said}{rest}");
}

#[test]
fn a_plan_is_checked_from_a_terminal() {
    let directory = TempDir::new().unwrap();
    let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let check = |arguments: &str| run_in(directory.path(), &format!("plan check {arguments}"), &[]);
    put(
        "bank.toml",
        "products = [\"Defend\"]\nregion = \"fra1\"\nroles = []\n\
         [[keys]]\nname = \"forwarder\"\nfor = \"intake-forwarder\"\n",
    );
    assert_snapshot!(check("bank.toml"), @"
    exit 0
    products: 1 (Defend)
    region: FRA1
    communities: open
    roles: none
    people: open
    keys: 1 (forwarder)
    notifications: open
    hardening: open
    ");
    put("wrong.toml", "region = \"FRA9\"\n[[people]]\nemail = \"ana@\"\n");
    assert_snapshot!(check("wrong.toml"), @r#"
    exit 1
    wrong.toml:1:10: "FRA9" is no region of Sekoia. Did you mean "FRA1" or "FRA2"?
    wrong.toml:3:9: "ana@" is no e-mail address. Write it like ana@example.com.
    error: 2 faults in wrong.toml
    "#);
    let people: String = (1..=6).map(|n| format!("[[people]]\nemail = \"p{n}@{{{{domain}}}}\"\n")).collect();
    put("template.toml", &format!("products = [\"Defend\"]\nroles = []\n[hardening]\nsso = true\n{people}"));
    assert_snapshot!(check("template.toml --set domain=bank.example"), @"
    exit 0
    products: 1 (Defend)
    region: open
    communities: open
    roles: none
    people: 6 (p1@bank.example, p2@bank.example, p3@bank.example, p4@bank.example, p5@bank.example, …)
    keys: open
    notifications: open
    hardening: sso
    ");
    assert_snapshot!(check("template.toml"), @r#"
    exit 1
    template.toml:6:13: The template needs domain. Give it, like domain="Acme".
    This is a template: give --set domain=… to check it.
    error: 1 fault in template.toml
    "#);
    assert_snapshot!(check("template.toml --set client=Acme"), @r#"
    exit 1
    template.toml:1:1: The template has no parameter called "client". There are: domain.
    template.toml:6:13: The template needs domain. Give it, like domain="Acme".
    This is a template: give --set domain=… to check it.
    error: 2 faults in template.toml
    "#);
    assert_snapshot!(check("template.toml --set domain=a.example --set domain=b.example"), @"
    exit 2
    error: --set domain is given twice. Give each parameter once.
    ");
    assert_snapshot!(check("nowhere.toml"), @"
    exit 2
    error: Cannot read nowhere.toml: No such file or directory (os error 2)
    ");
    std::fs::write(directory.path().join("book.toml"), b"PK\x03\x04").unwrap();
    assert_snapshot!(check("book.toml"), @"
    exit 1
    book.toml:1:1: This is a workbook or another archive, not text. Save the plan as plain text in UTF-8 and choose that file.
    error: 1 fault in book.toml
    ");
    for wrong in ["", "template.toml --set domain", "template.toml --set =x"] {
        let ran = check(wrong);
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains("--help"), "{wrong}: {ran}");
    }
}

#[test]
fn a_health_check_says_whether_the_bot_is_ready() {
    let directory = TempDir::new().unwrap();
    let (_running, said, _log) = served(directory.path(), SERVE);
    let address = said.split_once("serving address=").unwrap().1.split_whitespace().next().unwrap();
    let ran = run("healthcheck", &[("CHATOPS_LISTEN", address)]);
    assert_snapshot!(ran, @"
    exit 0
    ready
    ");
}

#[test]
fn a_health_check_of_a_bot_that_does_not_run_fails() {
    let ran = run("healthcheck", &[("CHATOPS_LISTEN", "127.0.0.1:1")]);
    assert_snapshot!(ran, @"
    exit 1
    error: The bot does not answer on 127.0.0.1:1: Connection refused (os error 111)
    ");
    let ran = run("healthcheck", &[("CHATOPS_LISTEN", "nowhere")]);
    assert_snapshot!(ran, @r#"
    exit 2
    error: the configuration is not complete or not right:
      CHATOPS_LISTEN: "nowhere" is not an address such as 127.0.0.1:8080
    "#);
}

#[test]
fn a_health_check_says_why_the_bot_is_not_ready_and_whom_it_met() {
    for (answer, expected) in [
        (
            "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"status\":\"failing\"}",
            "error: The bot is not ready (503): {\"status\":\"failing\"}\n",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "another program listens there\n"),
    ] {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap().to_string();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = other.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        });
        let ran = run("healthcheck", &[("CHATOPS_LISTEN", &address)]);
        answering.join().unwrap();
        assert!(ran.code == 1 && ran.err.ends_with(expected), "{ran}");
    }
}
