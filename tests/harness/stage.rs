//! The bot between its chat and its Sekoia: started, stopped, crashed, killed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use sekoia_chatops::app::{App, open_store};
use sekoia_chatops::bot::Rounds;
use sekoia_chatops::chat::{ChannelKey, UserId};
use sekoia_chatops::config::{Config, LogConfig, StoreConfig};
use sekoia_chatops::sandbox::{self, Sandbox};
use sekoia_chatops::sekoia::Region;
use sekoia_chatops::store::Store;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::identity::{CLIENT, CLIENT_SECRET, Provided};
use super::postgres::Cluster;
use super::proxy::{Proxy, Rules};
use super::{Chat, Platform, Setting, front, postgres};

/// 32 bytes of one value.
const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// Longer than a round takes on any machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// A stop takes 45 seconds at most.
const ENDS: std::time::Duration = std::time::Duration::from_secs(60);

pub struct Stage {
    pub chat: Chat,
    /// The other platform, where the bot serves two.
    beside: Option<Chat>,
    pub sekoia: Arc<Sandbox>,
    pub http: reqwest::Client,
    setting: Setting,
    sekoia_url: String,
    directory: Option<tempfile::TempDir>,
    /// Its place at a server, if it keeps nothing in a file.
    postgres: Option<String>,
    /// That server, if it is the test's own.
    server: Option<Arc<Cluster>>,
    /// Processes that serve it together, and which of them people's requests reach.
    replicas: Vec<Replica>,
    through: usize,
    /// Where the templates of plans are.
    templates: tempfile::TempDir,
    /// The only way out, and what has to be trusted behind it.
    behind: Option<(Proxy, tempfile::NamedTempFile)>,
    pub(super) provided: Option<Provided>,
    running: Option<Running>,
    program: Option<Program>,
}

/// The built binary, as an operator runs it.
struct Program {
    child: std::process::Child,
    address: SocketAddr,
}

/// One of several processes, with a log of its own.
struct Replica {
    program: Program,
    log: PathBuf,
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
    /// Where Prometheus reads.
    metrics: Option<SocketAddr>,
    rounds: Arc<Rounds>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    runtime: Runtime,
}

impl Stage {
    /// The stage without the bot: for those who start it in their own way.
    pub async fn begin(platform: Platform, setting: Setting) -> Self {
        let sekoia = Sandbox::new(
            sandbox::Options { tenant: setting.tenant, seed: 1, writes: setting.writes },
            Timestamp::now(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let listening = listener.local_addr().expect("an address");
        let sekoia_url = format!("http://{listening}");
        tokio::spawn(sandbox::serve(listener, Arc::clone(&sekoia), std::future::pending()));
        let files = setting.durable || setting.server;
        let directory = files.then(|| tempfile::tempdir().expect("a temporary directory"));
        let server = match setting.server {
            true => Some(Arc::new(Cluster::start().await)),
            false => None,
        };
        let postgres = match (&server, postgres::for_stages()) {
            (Some(own), _) => Some(own.url("postgres")),
            (None, Some(shared)) if !setting.file => Some(postgres::schema(&shared).await),
            _ => None,
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let templates = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in setting.templates {
            std::fs::write(templates.path().join(format!("{name}.toml")), text).expect("a template");
        }
        let beside = match setting.beside {
            Some(other) => Some(Chat::start(other).await),
            None => None,
        };
        let chat = Chat::start(platform).await;
        let behind = match setting.behind_proxy {
            Some(login) => Some(behind_proxy(login, &chat, listening).await),
            None => None,
        };
        let provided = match setting.proving {
            Some(proving) if proving.real => Some(Provided::start_real().await),
            Some(_) => Some(Provided::start().await),
            None => None,
        };
        Self {
            chat,
            beside,
            sekoia,
            http: reqwest::Client::new(),
            setting,
            sekoia_url,
            directory,
            postgres,
            server,
            replicas: Vec::new(),
            through: 0,
            templates,
            behind,
            provided,
            running: None,
            program: None,
        }
    }

    /// Where the embedded Sekoia is.
    pub fn sekoia_url(&self) -> &str {
        &self.sekoia_url
    }

    /// Another stage where the same has happened in the chat and in the bot's database. The bot is
    /// stopped here.
    pub async fn copy(&self) -> Self {
        let setting = Setting { server: false, ..self.setting.clone() };
        let mut copy = Self::begin(self.chat.platform(), setting).await;
        copy.chat = self.chat.copy().await;
        if let Some(server) = &self.server {
            static NUMBER: AtomicU64 = AtomicU64::new(0);
            let name = format!("copy{}", NUMBER.fetch_add(1, Ordering::Relaxed));
            postgres::sql(&server.url("template1"), &format!("CREATE DATABASE {name} TEMPLATE postgres")).await;
            copy.postgres = Some(server.url(&name));
            copy.server = Some(Arc::clone(server));
            copy.directory = Some(tempfile::tempdir().expect("a temporary directory"));
            return copy;
        }
        let path = |stage: &Self| stage.directory.as_ref().expect("a durable stage").path().to_owned();
        for file in std::fs::read_dir(path(self)).expect("a directory") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), path(&copy).join(file.file_name())).expect("a copy");
        }
        copy
    }

    /// Whatever whoever runs the bot sets, so that it works on this stage.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let chats = || [&self.chat].into_iter().chain(&self.beside);
        let all = |of: &dyn Fn(Platform) -> String| {
            chats().map(|chat| of(chat.platform())).filter(|s| !s.is_empty()).collect::<Vec<_>>().join(",")
        };
        let store = self.postgres.clone();
        let store = store.or_else(|| self.database().map(|path| format!("sqlite:{}", path.display())));
        let store = store.unwrap_or_else(|| "memory".into());
        let mut settings = vec![
            ("SEKOIA_API_KEY", self.sekoia.token(self.setting.token).to_owned()),
            ("SEKOIA_API_URL", self.sekoia_url.clone()),
            ("SEKOIA_REGION", self.setting.region.to_owned()),
            ("CHATOPS_OPERATORS", all(&|platform| platform.principals(self.setting.operators))),
            ("CHATOPS_APPROVERS", all(&|platform| platform.principals(self.setting.approvers))),
            ("CHATOPS_CHANNELS", all(&|platform| platform.channels(self.setting.channels))),
            ("CHATOPS_STORE", store),
            ("CHATOPS_SECRET_KEY", if self.postgres.is_some() { KEY.into() } else { String::new() }),
            ("MATTERMOST_SOURCES", self.setting.sources.to_owned()),
            ("MATTERMOST_TRIGGER", self.setting.trigger.to_owned()),
        ];
        if !self.setting.templates.is_empty() {
            settings.push(("CHATOPS_PLANS", self.templates.path().display().to_string()));
        }
        if self.setting.region == "SELF" {
            settings.push(("SEKOIA_APP_URL", "https://soc.bank.example/".to_owned()));
            settings.push(("SEKOIA_LIVE_URL", format!("{}/live/", self.sekoia_url.replace("http://", "ws://"))));
        }
        if let (Platform::Slack, Some(url)) = (self.chat.platform(), self.setting.public_url) {
            settings.push(("CHATOPS_PUBLIC_URL", url.to_owned()));
        }
        settings.retain(|(_, value)| !value.is_empty());
        settings.extend(chats().flat_map(Chat::settings));
        if let Some((proxy, trusted)) = &self.behind {
            // Sekoia and Slack stand where they always do.
            settings.retain(|(name, _)| !["SEKOIA_API_URL", "SLACK_API_URL"].contains(name));
            let login = self.setting.behind_proxy.unwrap_or_default();
            settings.push(("HTTPS_PROXY", format!("http://{login}@{}", proxy.address)));
            settings.push(("CHATOPS_CA_FILE", trusted.path().display().to_string()));
        }
        if let (Some(proving), Some(provided)) = (self.setting.proving, &self.provided) {
            settings.push(("CHATOPS_OIDC_ISSUER", provided.issuer.clone()));
            settings.push(("CHATOPS_OIDC_CLIENT_ID", CLIENT.to_owned()));
            settings.push(("CHATOPS_OIDC_CLIENT_SECRET", CLIENT_SECRET.to_owned()));
            settings.push(("CHATOPS_OIDC_ACR", proving.acr.to_owned()));
            settings.retain(|(_, value)| !value.is_empty());
        }
        if self.setting.only_mentions {
            settings.retain(|(name, _)| !matches!(*name, "MATTERMOST_COMMAND_TOKEN" | "CHATOPS_PUBLIC_URL"));
        }
        settings
    }

    /// The only way out of the bot's network.
    pub fn proxy(&self) -> &Proxy {
        &self.behind.as_ref().expect("a stage behind a proxy").0
    }

    /// Somebody writes another text into a template of plans.
    pub fn template_changes(&self, name: &str, text: &str) {
        std::fs::write(self.templates.path().join(format!("{name}.toml")), text).expect("a template");
    }

    /// From here on, people act on the other platform.
    pub fn go_to_the_other(&mut self) {
        std::mem::swap(&mut self.chat, self.beside.as_mut().expect("a stage with two platforms"));
    }

    /// Starts the bot, as `serve` does.
    pub async fn start(&mut self) {
        let settings = self.settings();
        let set = |wanted: &str| settings.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone());
        let mut config = Config::read(set).expect("a good configuration");
        let sekoia_url: url::Url = self.sekoia_url.parse().expect("an address");
        config.sekoia.candidates = vec![
            (Region::Fra1, vec![sekoia_url.clone()]),
            // Port 1 of the loopback: nobody answers.
            (Region::Fra2, vec!["http://127.0.0.1:1".parse().expect("an address")]),
            (Region::Usa1, vec![sekoia_url]),
        ];
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.metrics_listen = self.setting.metrics.then_some(config.listen);
        config.approval = self.setting.approval.clone();
        config.timing = self.setting.timing;
        config.retention = self.setting.retention;
        if let (Some(proving), Some(provided), Some(oidc)) = (self.setting.proving, &self.provided, &mut config.oidc) {
            oidc.public_url = format!("http://{}", provided.bot()).parse().expect("an address");
            oidc.subjects = proving.subjects.iter().map(|(name, id)| (self.person(name), (*id).into())).collect();
        }
        let door = self.provided.as_ref().map(Provided::listener);
        config.log = LogConfig { filter: "off".into(), json: false };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (told, built) = tokio::sync::oneshot::channel();
        let task = runtime.spawn(async move {
            let listener = match door {
                Some(door) => TcpListener::from_std(door)?,
                None => TcpListener::bind(config.listen).await?,
            };
            let exposed = match config.metrics_listen {
                Some(address) => Some(TcpListener::bind(address).await?),
                None => None,
            };
            let metrics = exposed.as_ref().map(TcpListener::local_addr).transpose()?;
            let (address, app) = (listener.local_addr()?, App::build(config).await?.exposed_on(exposed));
            assert!(told.send((address, metrics, app.rounds())).is_ok(), "the test waits for it");
            app.serve(listener, async move { stopped.cancelled().await }).await
        });
        let (address, metrics, rounds) = built.await.expect("the bot starts");
        self.running = Some(Running { address, metrics, rounds, stop, task, runtime });
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
            // It may see the others go first, and take that for its own end.
            let _ = running.task.await;
        }
    }

    /// Starts the built binary, with the most talkative log there is. Needs a durable stage.
    pub async fn start_program(&mut self) {
        self.start_program_with(&[]).await;
    }

    /// The same, with more of an environment.
    pub async fn start_program_with(&mut self, more: &[(&str, &str)]) {
        let proving = self.program_proves();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("a log file");
        let before = log.metadata().expect("a log file").len() as usize;
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"))
            .arg("serve")
            .env_clear()
            .envs(self.settings())
            .envs([
                ("CHATOPS_REHEARSE_TIMING", "400,900,100,60000"),
                ("PATH", "/usr/bin:/bin"),
                ("CHATOPS_LISTEN", "127.0.0.1:0"),
                ("CHATOPS_LOG", "trace"),
            ])
            .envs(proving)
            .envs(more.iter().copied())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let mut program = Program { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        // It says which port it got: one that is found free before may be somebody else's by then.
        let up = async {
            loop {
                let log = std::fs::read(self.log()).expect("a log file");
                match served(&String::from_utf8_lossy(&log[before..])) {
                    Some(address) => return address,
                    None => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                }
            }
        };
        program.address =
            tokio::time::timeout(std::time::Duration::from_secs(20), up).await.expect("the binary serves");
        self.program = Some(program);
    }

    /// Starts one more process of the built binary on the same store; people's requests go on as before.
    pub async fn start_replica(&mut self) -> usize {
        self.start_replica_with(&[]).await
    }

    /// The same, with more of an environment.
    pub async fn start_replica_with(&mut self, more: &[(&str, &str)]) -> usize {
        let number = self.replicas.len();
        let log = self.directory.as_ref().expect("a stage with files").path().join(format!("log{number}"));
        let program = self.spawn(&log, more).await;
        self.replicas.push(Replica { program, log });
        number
    }

    /// Starts two: the first one, which people reach, with more of an environment.
    pub async fn start_pair(&mut self, more: &[(&str, &str)]) {
        if self.setting.joins {
            self.start_replica().await;
            self.start_replica_with(more).await;
            self.replicas.swap(0, 1);
        } else {
            self.start_replica_with(more).await;
            self.start_replica().await;
        }
    }

    /// Ends a process as `kill -9` does, and starts another one in its place.
    pub async fn replace_replica(&mut self, number: usize) {
        let log = self.replicas[number].log.clone();
        let _ = self.replicas[number].program.child.kill();
        self.replicas[number].program = self.spawn(&log, &[]).await;
    }

    /// From here on, people's requests reach this process.
    pub fn through(&mut self, number: usize) {
        self.through = number;
    }

    /// Sends a signal to one of the processes.
    pub fn signal(&self, number: usize, signal: &str) {
        let process = self.replicas[number].program.child.id();
        let sent = std::process::Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits until a process has ended; whether it ended well.
    pub async fn ended(&mut self, number: usize) -> bool {
        let child = &mut self.replicas[number].program.child;
        let began = std::time::Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("a process") {
                return status.success();
            }
            assert!(began.elapsed() < ENDS, "it does not end");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// What a process logged.
    pub fn log_of(&self, number: usize) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.replicas[number].log).unwrap_or_default()).into_owned()
    }

    /// Which of the processes does the background work: the last one that said so.
    pub async fn leader(&self) -> usize {
        let began = std::time::Instant::now();
        loop {
            let last = |number: usize| -> Option<String> {
                let log = self.log_of(number);
                let line = log.lines().rev().find(|line| line.contains("background work"))?.to_owned();
                line.contains("this process does the background work").then_some(line)
            };
            let said = (0..self.replicas.len()).filter_map(|number| Some((last(number)?, number))).max();
            if let Some((_, number)) = said {
                return number;
            }
            assert!(began.elapsed() < PATIENCE, "nobody does the background work");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// The server of the stage's own.
    pub fn server(&self) -> &Cluster {
        self.server.as_ref().expect("a stage with a server")
    }

    /// Whether it is served by several processes on such a server.
    pub fn is_on_server(&self) -> bool {
        self.server.is_some()
    }

    /// Everything that its database holds.
    pub async fn contents(&self) -> String {
        postgres::contents(self.postgres.as_ref().expect("a stage on a server")).await
    }

    async fn spawn(&self, log: &std::path::Path, more: &[(&str, &str)]) -> Program {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log file");
        let before = usize::try_from(file.metadata().expect("a log file").len()).expect("a short log");
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"))
            .arg("serve")
            .env_clear()
            .envs(self.settings())
            .envs([
                ("CHATOPS_REHEARSE_TIMING", "400,900,100,60000,0"),
                ("PATH", "/usr/bin:/bin"),
                ("CHATOPS_LISTEN", "127.0.0.1:0"),
                ("CHATOPS_LOG", "info"),
            ])
            .envs(more.iter().copied())
            .stderr(file)
            .spawn()
            .expect("the binary starts");
        let mut program = Program { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let up = async {
            loop {
                let said = std::fs::read(log).expect("a log file");
                match served(&String::from_utf8_lossy(&said[before..])) {
                    Some(address) => return address,
                    None => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                }
            }
        };
        program.address = tokio::time::timeout(PATIENCE, up).await.expect("the binary serves");
        program
    }

    /// What the program needs so that everybody proves who they are.
    fn program_proves(&mut self) -> Vec<(&'static str, String)> {
        let Some(provided) = &mut self.provided else { return Vec::new() };
        provided.leave_to_program();
        let bot = provided.bot();
        let file = self.directory.as_ref().expect("a durable stage").path().join("settings.toml");
        std::fs::write(&file, "[approval]\nsecond_factor = true\n").expect("a file");
        vec![
            ("CHATOPS_LISTEN", bot.to_string()),
            ("CHATOPS_PUBLIC_URL", format!("http://{bot}")),
            ("CHATOPS_CONFIG", file.display().to_string()),
        ]
    }

    /// The binary's process, while it runs.
    pub fn process(&mut self) -> Option<u32> {
        let program = self.replicas.first_mut().map(|replica| &mut replica.program).or(self.program.as_mut())?;
        matches!(program.child.try_wait(), Ok(None)).then(|| program.child.id())
    }

    /// `kill -9`.
    pub fn kill_program(&mut self) {
        self.program = None;
        for replica in &mut self.replicas {
            let _ = replica.program.child.kill();
            let _ = replica.program.child.wait();
        }
    }

    /// Runs another subcommand of the binary on this store.
    pub fn program(&self, args: &[&str]) -> std::process::Output {
        let store = self.settings().into_iter().filter(|(name, _)| name.starts_with("CHATOPS_S"));
        std::process::Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"))
            .args(args)
            .env_clear()
            .envs(store)
            .output()
            .expect("the binary runs")
    }

    /// `doctor` with all settings, and with more of an environment, in the database's folder.
    pub async fn doctor(&self, args: &str, more: &[(&str, &str)]) -> std::process::Output {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"));
        command.arg("doctor").args(args.split_whitespace()).env_clear().envs(self.settings());
        if let Some(directory) = &self.directory {
            // The same length on every machine.
            command.current_dir(directory).env("CHATOPS_STORE", "sqlite:bot.db");
        }
        if let Some(running) = &self.running {
            let address = running.address.to_string();
            command.env("CHATOPS_LISTEN", &address).env("CHATOPS_PUBLIC_URL", format!("http://{address}"));
        }
        command.envs(more.iter().copied());
        let ended = tokio::task::spawn_blocking(move || command.output().expect("the binary runs"));
        tokio::time::timeout(std::time::Duration::from_secs(60), ended).await.expect("it ends").expect("no panic")
    }

    /// `serve` with all settings, where it ends by itself.
    pub async fn serve_to_its_end(&self) -> std::process::Output {
        self.serve_to_its_end_with(&[]).await
    }

    /// The same, with more of an environment.
    pub async fn serve_to_its_end_with(&self, more: &[(&str, &str)]) -> std::process::Output {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"));
        command.arg("serve").env_clear().envs(self.settings()).env("CHATOPS_LISTEN", "127.0.0.1:0");
        command.envs(more.iter().copied());
        let ended = tokio::task::spawn_blocking(move || command.output().expect("the binary runs"));
        tokio::time::timeout(std::time::Duration::from_secs(20), ended).await.expect("it ends").expect("no panic")
    }

    /// `audit verify` finds nothing wrong.
    pub fn verify_audit(&self) {
        let output = self.program(&["audit", "verify"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    /// What all of its processes logged.
    pub fn logs(&self) -> Vec<u8> {
        let logs = self.replicas.iter().map(|replica| replica.log.clone()).chain([self.log()]);
        logs.flat_map(|log| std::fs::read(log).unwrap_or_default()).collect()
    }

    /// What the binary logged.
    pub fn log(&self) -> PathBuf {
        self.directory.as_ref().expect("a durable stage").path().join("log")
    }

    /// Nothing is left that nobody looked at, nothing was said that must not be.
    pub async fn finish(mut self) {
        self.stop().await;
        self.kill_program();
        self.replicas.clear();
        for chat in [&self.chat].into_iter().chain(&self.beside) {
            let unread: Vec<String> = chat.unread().iter().map(ToString::to_string).collect();
            assert!(unread.is_empty(), "messages that the test did not read:\n\n{}", unread.join("\n\n"));
            assert_eq!(chat.violations(), Vec::<String>::new(), "the platform would not have it");
            let said = chat.dump();
            assert!(!said.contains(self.sekoia.token(self.setting.token)), "the API key was said");
        }
        let alerting = self.sekoia.calls().into_iter().find(|c| c.path.ends_with("/licenses/alerting"));
        assert!(alerting.is_none(), "a call that creates a team");
    }

    pub fn database(&self) -> Option<PathBuf> {
        let file = self.directory.as_ref().filter(|_| self.postgres.is_none());
        file.map(|d| d.path().join("bot.db"))
    }

    /// The database of the bot, as whoever looks after it may open it.
    pub async fn sql(&self, statement: &'static str) {
        use sqlx::{ConnectOptions, Executor};
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.database().expect("a durable stage"))
            .busy_timeout(std::time::Duration::from_secs(5));
        let mut database = options.connect().await.expect("the database");
        database.execute(statement).await.expect("SQL");
    }

    /// The bot's store, seen from beside.
    pub async fn store(&self) -> std::sync::Arc<dyn Store> {
        let settings = self.settings();
        let set = |wanted: &str| settings.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone());
        let config = StoreConfig::read(set).expect("a good configuration");
        open_store(&config, &config.keys().expect("keys")).await.expect("a store")
    }

    /// Makes a call to Sekoia as the bot would; nobody reads the answer.
    pub async fn call_sekoia(&self, call: &sekoia_chatops::sekoia::Call) {
        let request = self.http.post(format!("{}{}", self.sekoia_url, call.path));
        let request = request.bearer_auth(self.sekoia.token(self.setting.token)).json(&call.body);
        assert!(request.send().await.expect("an answer").status().is_success());
    }

    /// How long personal values are kept from the bot's next start on.
    pub fn keeps_personal_values(&mut self, retention: std::time::Duration) {
        self.setting.retention = Some(retention);
    }

    /// Whether the bot watches Sekoia from its next start on.
    pub fn watches(&mut self, on: bool) {
        self.setting.timing.watch.on = on;
    }

    /// Whether the bot runs here, and not only as a program of its own.
    pub fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// Waits until everything that the bot does beside requests was done so often, whole, from now
    /// on, and every message that it began to send meanwhile was sent or refused. Whatever was due
    /// has happened then. Needs a bot that has the duty, and a chat that does not hang.
    pub async fn rounds(&self, times: usize) {
        let rounds = &self.running.as_ref().expect("a running bot").rounds;
        let watching: &[_] = if self.setting.timing.watch.on { &["feed", "listening", "polling"] } else { &[] };
        let loops: Vec<_> = ["delivery", "digests", "setup", "work"].iter().chain(watching).copied().collect();
        let absent = || {
            let running = rounds.running();
            loops.iter().copied().filter(|name| !running.contains(name)).collect()
        };
        none_left(absent).await;
        for _ in 0..times {
            let then = rounds.now();
            none_left(|| then.waits_for(1)).await;
        }
        let then = rounds.now();
        none_left(|| then.waits_for(0)).await;
    }

    /// A channel as the bot knows it.
    pub fn channel(&self, name: &str) -> ChannelKey {
        let id = self.chat.platform().channel(name);
        match self.chat.platform() {
            Platform::Slack => ChannelKey::slack("T0SOC", &id),
            Platform::Mattermost => ChannelKey::mattermost(&id),
        }
    }

    /// Somebody as the bot knows them.
    pub fn person(&self, name: &str) -> UserId {
        let id = self.chat.platform().user(name);
        match self.chat.platform() {
            Platform::Slack => UserId::slack(&id),
            Platform::Mattermost => UserId::mattermost(&id),
        }
    }

    /// Where Prometheus reads.
    pub fn metrics_address(&self) -> SocketAddr {
        self.running.as_ref().and_then(|running| running.metrics).expect("a running bot that is measured")
    }

    /// What Prometheus reads there.
    pub async fn metrics(&self) -> String {
        let answer = self.http.get(format!("http://{}/metrics", self.metrics_address())).send().await;
        answer.expect("an answer").text().await.expect("a text")
    }

    pub fn address(&self) -> SocketAddr {
        if let Some(replica) = self.replicas.get(self.through) {
            return replica.program.address;
        }
        let program = self.program.as_ref().map(|program| program.address);
        program.unwrap_or_else(|| self.running.as_ref().expect("a running bot").address)
    }
}

/// A proxy that leads to the chat and to Sekoia by the names under which everybody knows them, where
/// they speak TLS.
async fn behind_proxy(login: &'static str, chat: &Chat, sekoia: SocketAddr) -> (Proxy, tempfile::NamedTempFile) {
    const SOCKET: &str = "wss-primary.slack.com";
    const SEKOIA: [&str; 2] = ["api.sekoia.io", "app.sekoia.io"];
    let own = match chat.platform() {
        Platform::Slack => "slack.com",
        Platform::Mattermost => "chat.nimbus.example",
    };
    let socket = chat.socket_address();
    let plain = chat.reach_as(&format!("https://{own}"));
    let (config, trusted) = front::certificate(&[SEKOIA[0], SEKOIA[1], own, SOCKET], false);
    let (chat, sekoia) = (front::before(plain, &config).await, front::before(sekoia, &config).await);
    let mut hosts: BTreeMap<_, _> = SEKOIA.map(|host| (host, sekoia)).into_iter().chain([(own, chat)]).collect();
    if let Some(socket) = socket {
        hosts.insert(SOCKET, front::before(socket, &config).await);
    }
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), trusted).expect("it is written");
    (Proxy::start(Rules { hosts, login: Some(login), garbage: false }).await, file)
}

/// Waits until none of them is left.
async fn none_left(mut of: impl FnMut() -> Vec<&'static str>) {
    let began = std::time::Instant::now();
    loop {
        let left = of();
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "they do not go round: {left:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// The address in the line that says that the binary serves, once it is whole.
fn served(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log[..=log.rfind('\n')?].split_once("serving address=")?;
    rest.split_whitespace().next()?.parse().ok()
}
