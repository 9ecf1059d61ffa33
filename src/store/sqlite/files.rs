//! The database's files: its owner's alone, and still the ones that were opened.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tracing::{info, warn};

/// Device and inode.
pub type Identity = (u64, u64);

pub fn identity(path: &Path) -> io::Result<Identity> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Makes the file if there is none. SQLite gives its other files the same mode.
///
/// # Errors
/// When there is none and it cannot be made.
pub fn make(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // A file system that takes no writes may say so first.
        Err(_) if path.exists() => Ok(()),
        Err(error) => Err(error),
    }
}

/// The database and its log hold addresses: nobody else is to read them.
pub fn tighten(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let file = with(path, suffix);
        let Ok(metadata) = fs::metadata(&file) else { continue };
        let others = metadata.permissions().mode() & 0o077;
        if others == 0 {
            continue;
        }
        let shown = file.display();
        match fs::set_permissions(&file, Permissions::from_mode(0o600)) {
            Ok(()) => info!("others could read {shown}; now only its owner can"),
            Err(error) => warn!(%error, "others can read {shown}; run chmod 600 on it"),
        }
    }
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
