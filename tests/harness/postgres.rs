//! A PostgreSQL of the test's own, in a directory of its own, that listens on the loopback only.
//!
//! `STAGES_ON` names one that is running already: then every stage that is not about SQLite's file
//! keeps its state there, in a schema of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Connection, Executor};

/// The address of a running server that stages use.
pub const STAGES_ON: &str = "STAGES_ON";
/// By then a server that was started answers.
const LONG: Duration = Duration::from_mins(2);
const USER: &str = "owner";

pub struct Cluster {
    directory: tempfile::TempDir,
    port: u16,
    /// Settings of its server's own.
    settings: &'static [&'static str],
    server: Mutex<Option<Child>>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// PostgreSQL refuses to run as root: then it runs as its own account.
fn unprivileged(program: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

/// Debian keeps PostgreSQL's programs apart, by version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let newest = versions.filter_map(|entry| entry.ok().map(|e| e.path())).max();
    newest.expect("a version of PostgreSQL").join("bin")
}

impl Cluster {
    /// Makes a cluster and starts its server, which loses what it wrote last if its machine ends.
    pub async fn start() -> Self {
        Self::start_with(&["fsync=off"]).await
    }

    /// The same, with settings of its server's own.
    pub async fn start_with(settings: &'static [&'static str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = directory.path();
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o777)).expect("it is ours");
        let made = unprivileged(&programs().join("initdb"))
            .args(["-U", USER, "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
            .arg(root.join("data"))
            .current_dir(root)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let cluster = Self { directory, port, settings, server: Mutex::new(None) };
        cluster.start_again().await;
        cluster
    }

    /// Starts the server of a cluster that was made before.
    pub async fn start_again(&self) {
        let root = self.directory.path();
        let server = unprivileged(&programs().join("postgres"))
            .arg("-D")
            .arg(root.join("data"))
            .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={}", self.port)])
            .args(self.settings.iter().flat_map(|setting| ["-c", *setting]))
            .args(["-c", "max_connections=300", "-c", "max_wal_size=4GB", "-c"])
            .arg(format!("unix_socket_directories={}", root.display()))
            .current_dir(root)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PostgreSQL starts");
        *self.server.lock().expect("sound") = Some(server);
        let began = Instant::now();
        while sqlx::PgConnection::connect(&self.url("postgres")).await.is_err() {
            assert!(began.elapsed() < LONG, "PostgreSQL does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the server as a crash of its machine does.
    pub fn kill(&self) {
        let Some(mut server) = self.server.lock().expect("sound").take() else { return };
        // Its children end with it.
        let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
        let began = Instant::now();
        while matches!(server.try_wait(), Ok(None)) {
            if began.elapsed() > Duration::from_secs(10) {
                let _ = server.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

/// The server that stages use, if they use one.
pub fn for_stages() -> Option<String> {
    std::env::var(STAGES_ON).ok().filter(|url| !url.is_empty())
}

/// Everything that a database holds, row by row.
pub async fn contents(url: &str) -> String {
    let mut connection = sqlx::PgConnection::connect(url).await.expect("the database answers");
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT table_name::TEXT FROM information_schema.tables WHERE table_schema = 'public'")
            .fetch_all(&mut connection)
            .await
            .expect("SQL");
    let mut all = String::new();
    for table in tables {
        let rows: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT row_to_json(t)::TEXT FROM \"{table}\" t")))
                .fetch_all(&mut connection)
                .await
                .expect("SQL");
        all.extend(rows);
    }
    all
}

/// A schema of its own at a server: its address.
pub async fn schema(server: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("s{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    sql(server, &format!("CREATE SCHEMA {name}")).await;
    format!("{server}&options[search_path]={name}")
}

/// Runs a statement as whoever looks after a database may.
pub async fn sql(url: &str, statement: &str) {
    let mut connection = sqlx::PgConnection::connect(url).await.expect("the database answers");
    connection.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.expect("SQL");
    connection.close().await.expect("it is closed");
}
