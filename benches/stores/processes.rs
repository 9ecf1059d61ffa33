//! The program itself, in processes of its own, and how much of the processors something took.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::changes::operator;
use crate::chat::{Bot, Slack};
use crate::place::{KEY, Place};
use crate::support::SECRET;

/// By then it serves.
const PATIENCE: Duration = Duration::from_secs(30);

/// `serve`, killed when it is dropped.
pub struct Process {
    child: Child,
    address: SocketAddr,
    /// From its start until it served.
    pub started_in: Duration,
}

impl Process {
    /// Starts it on a place, with a Sekoia that nobody reaches.
    pub fn start(place: &Place, slack: &Slack) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a temporary file");
        let operators: Vec<String> = (0..10).map(operator).collect();
        let began = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"))
            .arg("serve")
            .env_clear()
            .env("SEKOIA_API_KEY", "bench")
            .env("SEKOIA_API_URL", "http://127.0.0.1:1")
            .env("SLACK_SIGNING_SECRET", SECRET)
            .env("SLACK_BOT_TOKEN", "xoxb-bench")
            .env("SLACK_API_URL", &slack.url)
            .env("CHATOPS_OPERATORS", operators.join(","))
            .env("CHATOPS_STORE", place.setting())
            .env("CHATOPS_SECRET_KEY", KEY)
            .env("CHATOPS_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(log.reopen().expect("a log file"))
            .spawn()
            .expect("the binary starts");
        let address = loop {
            let said = std::fs::read_to_string(log.path()).expect("a log file");
            if let Some(address) = served(&said) {
                break address;
            }
            assert!(began.elapsed() < PATIENCE, "it does not serve: {said}");
            std::thread::sleep(Duration::from_millis(1));
        };
        Self { child, address, started_in: began.elapsed() }
    }

    pub fn bot(&self, http: &reqwest::Client) -> Bot {
        Bot::There(http.clone(), self.address.to_string())
    }

    /// Ends it as an operator does: it tells the others, so that the next one need not wait for it.
    pub fn stop(mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }

    pub fn cpu(&self) -> Duration {
        stat(self.child.id()).map_or(Duration::ZERO, |stat| stat.own)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the line that says that the binary serves, once it is whole.
fn served(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log[..=log.rfind('\n')?].split_once("serving address=")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Of this process.
pub fn own_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// Of the database's server, with those of its processes that ended; nothing if it is no child of this process.
pub fn server_cpu() -> Duration {
    let all: Vec<Stat> = processes().filter_map(stat).collect();
    let Some(server) = all.iter().find(|stat| stat.parent == std::process::id() && stat.name == "postgres") else {
        return Duration::ZERO;
    };
    let sessions = all.iter().filter(|stat| stat.parent == server.id).map(|stat| stat.own);
    server.own + server.ended + sessions.sum::<Duration>()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A process, as the kernel tells of it.
struct Stat {
    id: u32,
    name: String,
    parent: u32,
    own: Duration,
    /// Of its children that ended.
    ended: Duration,
}

fn stat(id: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(PathBuf::from(format!("/proc/{id}/stat"))).ok()?;
    let (name, rest) = (text.split_once('(')?.1.rsplit_once(')')?.0, text.rsplit_once(')')?.1);
    let fields: Vec<u64> = rest.split_whitespace().skip(1).map(|field| field.parse().unwrap_or_default()).collect();
    let ticks = |first: usize| Some(fields.get(first)? + fields.get(first + 1)?);
    let time = |ticks: u64| Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second());
    Some(Stat {
        id,
        name: name.to_owned(),
        parent: u32::try_from(*fields.first()?).ok()?,
        own: time(ticks(10)?),
        ended: time(ticks(12)?),
    })
}
