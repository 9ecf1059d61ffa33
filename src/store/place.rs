//! The folder that a SQLite file lies in: whether anything can be made there, and which process has
//! the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tracing::warn;

/// The file is this process's, until it is dropped or the process ends in whatever way.
#[derive(Debug)]
pub struct Hold(#[expect(dead_code, reason = "its lock is what counts")] Option<File>);

/// Another process has the file.
#[derive(Debug, thiserror::Error)]
#[error(
    "Another sekoia-chatops{of} has the store {store}. One process serves a database file: stop that one first, or set CHATOPS_STORE to another file.",
    store = .store.display(), of = .process.map_or(String::new(), |id| format!(" (process {id})"))
)]
pub struct InUse {
    pub store: PathBuf,
    pub process: Option<u32>,
}

/// Takes the database file, by a lock on `<database>.lock` beside it.
///
/// # Errors
/// [`InUse`] if another process has it; otherwise when nothing can be made in its folder.
pub fn hold(database: &Path) -> anyhow::Result<Hold> {
    let path = beside(&resolved(database), "lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = file.map_err(|error| unwritable(database, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let process = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(InUse { store: database.to_owned(), process }.into());
        }
        Err(TryLockError::Error(error)) => {
            let file = path.display();
            warn!(%file, %error, "this file system has no locks: make sure that only one process serves the store");
            return Ok(Hold(None));
        }
    }
    // For whoever comes second; that the lock is held does not depend on it.
    let noted = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = noted {
        warn!(%error, "the process's number could not be noted in the lock file");
    }
    Ok(Hold(Some(file)))
}

/// Whether a database can be made: something is made in its folder, and gone at once.
///
/// # Errors
/// Why not, and what to do about it.
pub fn takes_files(database: &Path) -> anyhow::Result<()> {
    tempfile::tempfile_in(folder(database)).map(drop).map_err(|error| unwritable(database, &error))
}

/// The same file by whichever name: links lead to one lock.
fn resolved(database: &Path) -> PathBuf {
    if let Ok(real) = database.canonicalize() {
        return real;
    }
    let folder = folder(database).canonicalize();
    match (folder, database.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => database.to_owned(),
    }
}

/// `<database>.<what>`.
pub(super) fn beside(database: &Path, what: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".");
    path.push(what);
    path.into()
}

/// The folder that a file lies in, or would.
pub fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Why nothing can be made beside the database: it is the folder that has to be put right.
pub(super) fn unwritable(database: &Path, error: &io::Error) -> anyhow::Error {
    let (store, why) = (database.display(), why_not_made(database, error));
    anyhow::anyhow!("Cannot open the store {store}: {why}, or set CHATOPS_STORE to a file in another folder.")
}

/// Why a file cannot be made where it should be, and what to do about its folder; without a full stop.
pub fn why_not_made(file: &Path, error: &io::Error) -> String {
    let shown = folder(file).display();
    match error.kind() {
        ErrorKind::NotFound => format!("there is no folder {shown}. Create it"),
        ErrorKind::NotADirectory => format!("{shown} is not a folder. Make it one"),
        ErrorKind::PermissionDenied => format!(
            "user {} may not write into the folder {shown}. Give that user the folder",
            rustix::process::geteuid().as_raw()
        ),
        ErrorKind::ReadOnlyFilesystem => {
            format!("the folder {shown} is on a read-only file system. Mount it for writing")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("there is no room left in the folder {shown}. Make room")
        }
        _ => format!("nothing can be made in the folder {shown}: {error}. Put that right"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_holder_by_whichever_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("bot.db");
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&database, &link).expect("a link");
        let first = hold(&database).expect("it is free");
        std::fs::write(&database, "").expect("a file");
        for name in [&database, &link, &folder.path().join(".").join("bot.db")] {
            let error = hold(name).expect_err("it is held");
            let in_use = error.downcast_ref::<InUse>().expect("that error");
            assert_eq!(in_use.process, Some(std::process::id()), "{}", name.display());
        }
        assert!(hold(&folder.path().join("other.db")).is_ok());
        drop(first);
        assert!(hold(&link).is_ok());
    }

    #[test]
    fn it_is_the_folder_that_is_named() {
        let said = |kind: ErrorKind| unwritable(Path::new("/data/bot.db"), &kind.into()).to_string();
        for (kind, expected) in [
            (ErrorKind::NotFound, "there is no folder /data. Create it, or set CHATOPS_STORE"),
            (ErrorKind::PermissionDenied, "may not write into the folder /data. Give that user the folder, or"),
            (ErrorKind::ReadOnlyFilesystem, "the folder /data is on a read-only file system"),
            (ErrorKind::StorageFull, "no room left in the folder /data"),
        ] {
            assert!(said(kind).contains(expected), "{}", said(kind));
        }
        assert!(unwritable(Path::new("bot.db"), &ErrorKind::NotFound.into()).to_string().contains("folder ."));
    }
}
