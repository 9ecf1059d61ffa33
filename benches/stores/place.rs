//! Databases to measure on.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretSlice;
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::postgres::Limits;
use sekoia_chatops::store::{PostgresStore, SqliteStore, Store};

use crate::postgres::{Cluster, for_stages, schema};

/// `CHATOPS_SECRET_KEY` of every one of them.
pub const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A database of its own.
#[derive(Debug, Clone)]
pub enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

/// Where databases are made.
pub struct Places {
    directory: tempfile::TempDir,
    cluster: Option<Cluster>,
    server: String,
}

impl Places {
    pub async fn open() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        if let Some(server) = for_stages() {
            return Self { directory, cluster: None, server };
        }
        // As it is by default: what is committed is on the disk.
        let cluster = Cluster::start_with(&["fsync=on"]).await;
        let server = cluster.url("postgres");
        Self { directory, cluster: Some(cluster), server }
    }

    pub async fn make(&self, engine: Engine) -> Place {
        match engine {
            Engine::Sqlite => Place::Sqlite(self.directory.path().join(format!("{:08x}.db", rand::random::<u32>()))),
            Engine::Postgres => Place::Postgres(schema(&self.server).await),
        }
    }

    /// Whether the server's CPU can be read: it is a child of this process.
    pub fn is_own_server(&self) -> bool {
        self.cluster.is_some()
    }
}

impl Place {
    pub async fn store(&self) -> Arc<dyn Store> {
        let chain = Chain::new(&[SecretSlice::from(vec![0; 32])]);
        match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path, chain).await.expect("a store")),
            Self::Postgres(url) => {
                let options = url.parse().expect("an address");
                Arc::new(PostgresStore::open(options, Limits::default(), chain).await.expect("a store"))
            }
        }
    }

    /// As `CHATOPS_STORE` names it.
    pub fn setting(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => url.clone(),
        }
    }
}
