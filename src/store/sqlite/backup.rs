//! A copy of the whole database as of one moment, made while others write to it.

use std::io::ErrorKind;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::rows::unsigned;
use crate::store::StoreError;
use crate::timing::store::COMMIT_PATIENCE;

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    pub records: u64,
    pub bytes: u64,
}

/// Copies a database into a file that is empty or not there, and checks that the copy is whole. Of what is
/// committed meanwhile, all of a commit is in it or nothing. The database itself is only read.
///
/// # Errors
/// When the database cannot be read, or the copy not written; [`StoreError::Corrupt`] if the copy is not
/// whole. What was written so far is left to the caller.
pub async fn copy(database: &Path, to: &Path) -> Result<Copied, StoreError> {
    let file = |why| StoreError::File { place: to.display().to_string(), why };
    let name = to.to_str().ok_or_else(|| file(ErrorKind::InvalidFilename.into()))?;
    // Whoever may only read a database leaves the files behind that it reads beside it.
    let options = SqliteConnectOptions::new().filename(database).busy_timeout(COMMIT_PATIENCE);
    let mut from = options.connect().await?;
    // One read transaction: in WAL mode it waits for nobody and nobody for it.
    let copied = sqlx::query("VACUUM INTO ?").bind(name).execute(&mut from).await;
    // Closed whatever came of it: only then are the files gone that SQLite keeps beside the database.
    let closed = from.close().await;
    copied?;
    closed?;
    let mut made = SqliteConnectOptions::new().filename(to).read_only(true).immutable(true).connect().await?;
    let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut made).await?;
    if found != "ok" {
        return Err(StoreError::Corrupt { place: "the copy".into(), why: found });
    }
    let records = sqlx::query("SELECT COUNT(*) AS records FROM record").fetch_one(&mut made).await?;
    let records = unsigned(&records, "records")?;
    made.close().await?;
    let written = std::fs::File::open(to).and_then(|made| made.sync_all().and_then(|()| made.metadata()));
    Ok(Copied { records, bytes: written.map_err(file)?.len() })
}
