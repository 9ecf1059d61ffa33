//! `backup`: a copy of the store, made while the bot runs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::{Builder, NamedTempFile};

use super::{Unusable, asked_to_stop, env, environment, pairs};
use crate::chat::text::{count, shown};
use crate::config::{Faults, StoreConfig, StorePlace};
use crate::store::{self, Copied, StoreError, folder, keyfile, why_not_made};

#[derive(clap::Args)]
pub struct Args {
    /// The copy, which must not exist; readable by its owner alone
    file: PathBuf,
    /// Copy the key beside the database too, to FILE.key. Whoever has both can forge the history: without
    /// this, keep the key in another place
    #[arg(long)]
    with_key: bool,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = StoreConfig::read_from(env, pairs(&environment()))?;
    let database = database(&config)?;
    let key = match (args.with_key, config.keys.is_some()) {
        (false, _) => None,
        (true, false) => Some(keyfile::path(database)),
        (true, true) => {
            let what =
                "The key is in CHATOPS_SECRET_KEY and not in a file. Leave out --with-key, and keep that setting.";
            return Err(Unusable(what.into()).into());
        }
    };
    let new = New::at(&args.file)?;
    let new_key = match &key {
        Some(_) => {
            // Whether it is one, and nobody else's.
            keyfile::existing(database)?;
            Some(New::at(&keyfile::path(&args.file))?)
        }
        None => None,
    };
    let copied = tokio::select! {
        copied = store::copy(database, new.path()) => copied.map_err(|error| new.failed(&error))?,
        () = asked_to_stop() => anyhow::bail!("Stopped: nothing was copied"),
    };
    let key_kept = match (key, new_key) {
        (Some(key), Some(new)) => {
            std::fs::copy(&key, new.path()).with_context(|| format!("Cannot copy the key to {}", new.shown()))?;
            Some(new.keep()?)
        }
        _ => None,
    };
    if let Err(error) = new.keep() {
        // A key alone is no backup.
        if let Some(key) = key_kept {
            let _ = std::fs::remove_file(key);
        }
        return Err(error);
    }
    println!("{}", said(&copied, database, &args, &config));
    Ok(())
}

/// The file that is configured, if it is there.
fn database(config: &StoreConfig) -> Result<&Path, Faults> {
    let fault = |what: String| Err(Faults::one("CHATOPS_STORE", what));
    match &config.place {
        StorePlace::Memory => fault("is memory, of which there is nothing to copy; set sqlite:PATH".into()),
        StorePlace::Postgres(_) => fault("is a PostgreSQL database, which its own tools copy: use pg_dump".into()),
        StorePlace::Sqlite(path) if !path.exists() => {
            fault(format!("there is no store at {}; set sqlite:PATH", path.display()))
        }
        StorePlace::Sqlite(path) => Ok(path),
    }
}

/// A file that is made under another name and gets its own when it is whole.
struct New {
    place: PathBuf,
    file: NamedTempFile,
}

impl New {
    fn at(place: &Path) -> Result<Self, Unusable> {
        let cannot = |why: &str| Unusable(format!("Cannot write {}: {why}", shown(&place.to_string_lossy(), 200)));
        if place.symlink_metadata().is_ok() {
            return Err(cannot("it exists already, and a backup overwrites nothing. Give another name."));
        }
        // Readable by its owner alone.
        let made = Builder::new().prefix(".sekoia-chatops-").suffix(".part").tempfile_in(folder(place));
        let file = made.map_err(|error| {
            cannot(&format!("{}, or give a file in another folder.", why_not_made(place, &unwrapped(&error))))
        })?;
        Ok(Self { place: place.to_owned(), file })
    }

    fn path(&self) -> &Path {
        self.file.path()
    }

    fn shown(&self) -> String {
        shown(&self.place.to_string_lossy(), 200)
    }

    fn failed(&self, error: &StoreError) -> anyhow::Error {
        let place = self.shown();
        let elsewhere = "or give a file in another folder. Nothing was left there.";
        match sqlite(error) {
            Some(FULL) => {
                let folder = folder(&self.place).display();
                anyhow::anyhow!(
                    "Cannot write {place}: there is no room left in the folder {folder}. Make room, {elsewhere}"
                )
            }
            Some(FAILED) => anyhow::anyhow!(
                "Cannot write {place}: the disk failed, or a limit on the size of files was reached. Look into it, {elsewhere}"
            ),
            Some(FOREIGN) => anyhow::anyhow!(
                "Nothing was copied to {place}: what CHATOPS_STORE names is damaged, or not a database."
            ),
            _ => anyhow::anyhow!("The store was not copied to {place}: {error}. Nothing was left there."),
        }
    }

    /// Gives it its name; where it is then.
    fn keep(self) -> anyhow::Result<PathBuf> {
        let about = format!("Cannot write {}", self.shown());
        self.file.as_file().sync_all().context(about.clone())?;
        match self.file.persist_noclobber(&self.place) {
            Ok(_) => Ok(self.place),
            Err(failed) if failed.error.kind() == ErrorKind::AlreadyExists => {
                anyhow::bail!("{about}: it was made by another program meanwhile. Give another name.")
            }
            Err(failed) => Err(failed.error).context(about),
        }
    }
}

/// What the system said: `tempfile` adds a name that is nobody's business.
fn unwrapped(error: &std::io::Error) -> std::io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), std::io::Error::from_raw_os_error)
}

/// SQLite's own codes.
const FAILED: u32 = 10;
const FULL: u32 = 13;
const FOREIGN: u32 = 26;

fn sqlite(error: &StoreError) -> Option<u32> {
    let StoreError::Database(error) = error else { return None };
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

fn said(copied: &Copied, database: &Path, args: &Args, config: &StoreConfig) -> String {
    let (from, to) = (database.display(), args.file.display());
    let size = copied.bytes.div_ceil(1024);
    let records = count(usize::try_from(copied.records).unwrap_or(usize::MAX), "record", "records");
    let key = match (args.with_key, config.keys.is_some()) {
        (true, _) => format!("The key is in {}.", keyfile::path(&args.file).display()),
        (false, true) => "The key is not in it: keep CHATOPS_SECRET_KEY in another place.".to_owned(),
        (false, false) => format!(
            "The key is not in it: keep {} in another place. Nothing can be restored without it.",
            keyfile::path(database).display()
        ),
    };
    format!("Copied {from} to {to}: {records}, {size} KiB.\n{key}")
}
