//! The stage: the real router, clients and signatures between an in-process Slack and the
//! embedded Sekoia. A test is what people type and press, and what they read.

pub mod browser;
pub mod demo;
pub mod real_mattermost;
pub mod slack;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use sekoia_chatops::access::Policy;
use sekoia_chatops::app::App;
use sekoia_chatops::approval;
use sekoia_chatops::approvals::Timing;
use sekoia_chatops::config::{Config, LogConfig, SekoiaConfig, SlackConfig, StoreConfig, StorePlace};
use sekoia_chatops::pace::Rhythm;
use sekoia_chatops::sandbox::{self, Sandbox};
use sekoia_chatops::sekoia::Region;
use slack::{Choice, Kind, Seen, SignedRequest, SlackWorld};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const SOC: &str = "soc-setup";

/// What a test wants to differ from the usual stage.
pub struct Setting {
    pub tenant: sandbox::Tenant,
    /// Name of the sandbox's token that the bot has.
    pub token: &'static str,
    pub operators: &'static str,
    pub approvers: &'static str,
    pub channels: &'static [&'static str],
    pub approval: approval::Policy,
    /// Whether the sandbox lets API keys create and revoke.
    pub writes: sandbox::Writes,
    pub timing: Timing,
    /// SQLite in a directory of the test's own, so that a restart finds it.
    pub durable: bool,
}

impl Default for Setting {
    /// A single-tenant workspace; alice is an operator, bob and carol approve.
    fn default() -> Self {
        Self {
            tenant: sandbox::Tenant::Single,
            token: "admin",
            operators: "slack:U0ALICE,slack:U0BOB",
            approvers: "slack-group:S0APPROVERS",
            channels: &[],
            approval: approval::Policy::default(),
            writes: sandbox::Writes::Accepted,
            timing: QUICK,
            durable: false,
        }
    }
}

/// As [`Timing::default`], for those who cannot wait minutes.
pub const QUICK: Timing = Timing {
    lease: Duration::from_millis(400),
    proof: Duration::from_millis(900),
    between: Duration::from_millis(100),
    confirm: Duration::from_mins(15),
    watch: Rhythm {
        minute: Duration::from_millis(600),
        lease: Duration::from_secs(3),
        gather: Duration::from_millis(20),
    },
};

pub struct Stage {
    pub slack: SlackWorld,
    pub sekoia: Arc<Sandbox>,
    pub http: reqwest::Client,
    setting: Setting,
    sekoia_url: String,
    directory: Option<tempfile::TempDir>,
    running: Option<Running>,
    program: Option<Program>,
}

/// The built binary, as an operator runs it.
struct Program {
    child: std::process::Child,
    address: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        // Gone already, or a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A bot in a runtime of its own, so that ending the runtime ends everything that it started.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    runtime: Runtime,
}

/// A text in which dates, times and ports, which differ between runs, have names.
pub fn steady(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.'))) {
        let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len();
        let (core, tail) = word.split_at(end);
        let shape: String = core.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        match (shape.as_str(), core.split_once("127.0.0.1:")) {
            ("0000-00-00", _) if !core.starts_with("2099") => out.push_str("<date>"),
            ("00:00", _) => out.push_str("<time>"),
            (_, Some((before, _))) => out.push_str(&format!("{before}127.0.0.1:<port>")),
            _ => out.push_str(core),
        }
        out.push_str(tail);
    }
    out
}

/// The id of the request that a message is about.
pub fn id_in(seen: &Seen) -> String {
    let text = seen.text();
    let found = text.split("Request ").nth(1).and_then(|rest| rest.get(..8));
    let hex = |id: &&str| id.bytes().all(|b| b.is_ascii_hexdigit());
    found.filter(hex).unwrap_or_else(|| panic!("no request in {seen}")).to_owned()
}

/// A text in which requests' ids and hashes have names too.
pub fn nameless(text: impl std::fmt::Display) -> String {
    let mut out = String::new();
    for word in steady(text).split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len();
        let (core, tail) = word.split_at(end);
        let hex = core.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        out.push_str(match core.len() {
            8 if hex => "<id>",
            12 | 16 | 64 if hex => "<hash>",
            _ => core,
        });
        out.push_str(tail);
    }
    out
}

/// Runs a scenario and then makes sure that everything it caused was looked at.
pub async fn run(setting: Setting, scenario: impl AsyncFnOnce(&mut Stage)) {
    let mut stage = Stage::begin(setting).await;
    stage.start().await;
    scenario(&mut stage).await;
    stage.finish().await;
}

/// A scenario on the usual stage.
pub async fn usual(scenario: impl AsyncFnOnce(&mut Stage)) {
    run(Setting::default(), scenario).await;
}

impl Stage {
    /// The stage without the bot: for those who start it in their own way.
    pub async fn begin(setting: Setting) -> Self {
        let sekoia = Sandbox::new(
            sandbox::Options { tenant: setting.tenant, seed: 1, writes: setting.writes },
            Timestamp::now(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let sekoia_url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(sandbox::serve(listener, Arc::clone(&sekoia), std::future::pending()));
        let directory = setting.durable.then(|| tempfile::tempdir().expect("a temporary directory"));
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            slack: SlackWorld::start().await,
            sekoia,
            http: reqwest::Client::new(),
            setting,
            sekoia_url,
            directory,
            running: None,
            program: None,
        }
    }

    /// Starts the bot, as `serve` does.
    pub async fn start(&mut self) {
        let list = |s: &str| s.split(',').filter(|p| !p.is_empty()).map(|p| p.parse().expect("a principal")).collect();
        let place = match self.database() {
            Some(path) => StorePlace::Sqlite(path),
            None => StorePlace::Memory,
        };
        let sekoia_url: url::Url = self.sekoia_url.parse().expect("an address");
        let config = Config {
            sekoia: SekoiaConfig {
                key: SecretString::from(self.sekoia.token(self.setting.token).to_owned()),
                region: Region::Fra1,
                api_url: sekoia_url.clone(),
                live_url: format!("{}/live/", self.sekoia_url.replacen("http", "ws", 1)).parse().expect("an address"),
                candidates: vec![
                    (Region::Fra1, vec![sekoia_url.clone()]),
                    // Port 1 of the loopback: nobody answers.
                    (Region::Fra2, vec!["http://127.0.0.1:1".parse().expect("an address")]),
                    (Region::Usa1, vec![sekoia_url]),
                ],
            },
            slack: Some(SlackConfig {
                signing_secret: SecretString::from(self.slack.signing_secret().to_owned()),
                bot_token: SecretString::from(self.slack.bot_token().to_owned()),
                api_url: self.slack.api_url().parse().expect("an address"),
            }),
            mattermost: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            store: StoreConfig { place, keys: None },
            access: Policy {
                operators: list(self.setting.operators),
                approvers: list(self.setting.approvers),
                channels: self.setting.channels.iter().map(|c| (*c).into()).collect(),
            },
            approval: self.setting.approval.clone(),
            timing: self.setting.timing,
            log: LogConfig { filter: "off".into(), json: false },
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (told, address) = tokio::sync::oneshot::channel();
        let task = runtime.spawn(async move {
            let listener = TcpListener::bind(config.listen).await?;
            told.send(listener.local_addr()?).expect("the test waits for it");
            App::build(config).await?.serve(listener, async move { stopped.cancelled().await }).await
        });
        let address = address.await.expect("the bot starts");
        self.running = Some(Running { address, stop, task, runtime });
    }

    /// Stops the bot as SIGTERM does.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.cancel();
            running.task.await.expect("the bot does not panic").expect("the bot stops well");
            running.runtime.shutdown_background();
        }
    }

    /// Ends the bot between two instructions: nothing is drained.
    pub async fn crash(&mut self) {
        if let Some(running) = self.running.take() {
            running.runtime.shutdown_background();
            // Nothing of it runs any more when its task is gone.
            assert!(running.task.await.is_err());
        }
    }

    /// Starts the built binary, with the most talkative log there is. Needs a durable stage.
    pub async fn start_program(&mut self) {
        self.start_program_with(&[]).await;
    }

    /// The same, with more of an environment.
    pub async fn start_program_with(&mut self, more: &[(&str, &str)]) {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let store = format!("sqlite:{}", self.database().expect("a durable stage").display());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("a log file");
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"))
            .arg("serve")
            .env_clear()
            .envs([
                ("SEKOIA_API_KEY", self.sekoia.token(self.setting.token)),
                ("SEKOIA_API_URL", &self.sekoia_url),
                ("SLACK_SIGNING_SECRET", self.slack.signing_secret()),
                ("SLACK_BOT_TOKEN", self.slack.bot_token()),
                ("SLACK_API_URL", &self.slack.api_url()),
                ("CHATOPS_OPERATORS", self.setting.operators),
                ("CHATOPS_APPROVERS", self.setting.approvers),
                ("CHATOPS_REHEARSE_TIMING", "400,900,100,60000"),
                ("PATH", "/usr/bin:/bin"),
                ("CHATOPS_LISTEN", &address.to_string()),
                ("CHATOPS_STORE", &store),
                ("CHATOPS_LOG", "trace"),
            ])
            .envs(more.iter().copied())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        self.program = Some(Program { child, address });
        let up = async {
            while self.http.get(format!("http://{address}/healthz")).send().await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), up).await.expect("the binary answers");
    }

    /// The binary's process, while it runs.
    pub fn process(&mut self) -> Option<u32> {
        let program = self.program.as_mut()?;
        matches!(program.child.try_wait(), Ok(None)).then(|| program.child.id())
    }

    /// `kill -9`.
    pub fn kill_program(&mut self) {
        self.program = None;
    }

    /// Runs another subcommand of the binary on this store.
    pub fn program(&self, args: &[&str]) -> std::process::Output {
        let store = format!("sqlite:{}", self.database().expect("a durable stage").display());
        std::process::Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"))
            .args(args)
            .env_clear()
            .env("CHATOPS_STORE", store)
            .output()
            .expect("the binary runs")
    }

    /// `audit verify` finds nothing wrong.
    pub fn verify_audit(&self) {
        let output = self.program(&["audit", "verify"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    /// What the binary logged.
    pub fn log(&self) -> PathBuf {
        self.directory.as_ref().expect("a durable stage").path().join("log")
    }

    /// Nothing is left that nobody looked at, nothing was said that must not be.
    async fn finish(mut self) {
        self.stop().await;
        self.kill_program();
        let unread: Vec<String> = self.slack.unread().iter().map(ToString::to_string).collect();
        assert!(unread.is_empty(), "messages that the test did not read:\n\n{}", unread.join("\n\n"));
        assert_eq!(self.slack.violations(), Vec::<String>::new(), "Slack would not have it");
        let said = self.slack.dump();
        assert!(!said.contains(self.sekoia.token(self.setting.token)), "the API key was said");
        let alerting = self.sekoia.calls().into_iter().find(|c| c.path.ends_with("/licenses/alerting"));
        assert!(alerting.is_none(), "a call that creates a team");
    }

    pub fn database(&self) -> Option<PathBuf> {
        self.directory.as_ref().map(|d| d.path().join("bot.db"))
    }

    pub fn address(&self) -> SocketAddr {
        let program = self.program.as_ref().map(|program| program.address);
        program.unwrap_or_else(|| self.running.as_ref().expect("a running bot").address)
    }

    /// Sends a request as Slack does; what the bot answers.
    pub async fn send(&self, request: &SignedRequest) -> reqwest::Response {
        let mut builder =
            self.http.post(format!("http://{}{}", self.address(), request.path)).body(request.body.clone());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        builder.send().await.expect("an answer of the bot")
    }

    /// The same to a bot that may die meanwhile.
    pub async fn try_send(&self, request: &SignedRequest) -> Option<reqwest::Response> {
        let mut builder = self.http.post(format!("http://{}{}", self.address(), request.path));
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        builder.body(request.body.clone()).timeout(Duration::from_secs(5)).send().await.ok()
    }

    /// Sends a request that must be acknowledged with nothing to read.
    pub async fn acknowledged(&self, request: &SignedRequest) {
        let answer = self.send(request).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.expect("a body"), "");
    }

    /// Types `/sekoia …` and reads the answer, wherever it comes.
    pub async fn ask_in(&self, channel: &str, user: &str, text: &str) -> Seen {
        let answer = self.send(&self.slack.slash(user, channel, text)).await;
        assert_eq!(answer.status(), 200);
        let body = answer.bytes().await.expect("a body");
        if body.is_empty() {
            return self.reply().await;
        }
        self.slack.answer(serde_json::from_slice(&body).expect("JSON"))
    }

    pub async fn ask(&self, user: &str, text: &str) -> Seen {
        self.ask_in(SOC, user, text).await
    }

    /// The next private answer; posts and edits stay unread.
    pub async fn reply(&self) -> Seen {
        self.slack
            .next_where("private answer", |seen| matches!(seen.kind, Kind::Responded { .. } | Kind::Ephemeral { .. }))
            .await
    }

    /// The next post or edit in a channel.
    pub async fn progress(&self) -> Seen {
        self.slack
            .next_where("progress message", |seen| matches!(seen.kind, Kind::Posted { .. } | Kind::Updated { .. }))
            .await
    }

    /// The request's card once it says so; what it said before is passed over, because how many
    /// edits there are depends on how fast they are sent.
    pub async fn card(&self, says: &str) -> Seen {
        self.message_saying("Request ", says).await
    }

    /// The same of the channel's checklist.
    pub async fn checklist(&self, says: &str) -> Seen {
        self.message_saying("Sekoia workspace setup", says).await
    }

    /// The checklist when no step waits for anything any more.
    pub async fn checklist_at_rest(&self) -> Seen {
        loop {
            let seen = self.checklist("").await;
            if !seen.text().contains('⏳') {
                return seen;
            }
        }
    }

    async fn message_saying(&self, which: &str, says: &str) -> Seen {
        let mut last = None;
        loop {
            let about = |seen: &Seen| {
                matches!(&seen.kind, Kind::Posted { channel, .. } | Kind::Updated { channel, .. } if channel.starts_with('C'))
                    && seen.text().contains(which)
            };
            let what = format!("message about {which:?} that says {says:?}, after {last:?}");
            let seen = self.slack.next_where(&what, about).await;
            if seen.text().contains(says) {
                return seen;
            }
            last = Some(seen.text());
        }
    }

    /// The next message in somebody's conversation with the bot alone.
    pub async fn direct(&self) -> Seen {
        let alone = |seen: &Seen| matches!(&seen.kind, Kind::Posted { channel, .. } if channel.starts_with('D'));
        self.slack.next_where("direct message", alone).await
    }

    /// The next form that opens.
    pub async fn form(&self) -> Seen {
        self.slack.next_where("form", |seen| matches!(seen.kind, Kind::ViewOpened { .. })).await
    }

    /// The next content of an open form.
    pub async fn filled(&self) -> Seen {
        self.slack.next_where("form's content", |seen| matches!(seen.kind, Kind::ViewUpdated { .. })).await
    }

    /// What comes of a press that may open a form: what the form says then, or a private answer
    /// where there was an answer at once.
    pub async fn outcome(&self) -> Seen {
        let first = self
            .slack
            .next_where("form or private answer", |seen| {
                matches!(seen.kind, Kind::ViewOpened { .. } | Kind::Responded { .. } | Kind::Ephemeral { .. })
            })
            .await;
        if first.text().contains("One moment") { self.filled().await } else { first }
    }

    /// A form once it has its fields: at once, or behind a placeholder.
    pub async fn fields(&self) -> Seen {
        let form = self.form().await;
        if form.text().contains("One moment") { self.filled().await } else { form }
    }

    /// Sends a form that must be taken; what comes of it is private.
    pub async fn submit(&self, user: &str, form: &Seen, values: &[(&str, &str)]) -> Seen {
        self.acknowledged(&self.slack.submit(user, form, values)).await;
        self.slack.accepted(form);
        self.reply().await
    }

    /// Sends a form that must be refused; the fields' errors.
    pub async fn refused(&self, user: &str, form: &Seen, values: &[(&str, &str)]) -> String {
        let answer = self.send(&self.slack.submit(user, form, values)).await;
        assert_eq!(answer.status(), 200);
        let body: serde_json::Value = answer.json().await.expect("JSON");
        assert_eq!(body["response_action"], "errors", "{body}");
        body["errors"].to_string()
    }

    /// Asks for something; its request's id.
    pub async fn request(&self, user: &str, text: &str) -> String {
        let reply = self.ask(user, text).await;
        id_in(&reply)
    }

    /// Presses a button and reads what comes of it.
    pub async fn click(&self, user: &str, on: &Seen, label: &str) -> Seen {
        self.acknowledged(&self.slack.click(user, on, label)).await;
        self.reply().await
    }

    pub async fn choose(&self, user: &str, on: &Seen, placeholder: &str, choice: Choice<'_>) -> Seen {
        self.acknowledged(&self.slack.choose(user, on, placeholder, choice)).await;
        self.reply().await
    }

    /// `setup` by alice in #soc-setup, all the way; the progress message.
    pub async fn set_up(&self) -> Seen {
        let reply = self.ask("alice", "setup").await;
        assert!(reply.text().contains("This channel now works on"), "{reply}");
        self.progress().await
    }
}
