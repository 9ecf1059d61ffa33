//! The audit key beside a SQLite file, for whoever configures none.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt;
use secrecy::{ExposeSecret, SecretSlice};

use super::place;

/// `<database>.key`.
pub fn path(database: &Path) -> PathBuf {
    place::beside(database, "key")
}

/// 32 random bytes.
pub fn new_key() -> SecretSlice<u8> {
    let mut bytes = vec![0; 32];
    rand::rng().fill(&mut bytes[..]);
    SecretSlice::from(bytes)
}

/// The keys in `<database>.key`, which is made with one key and mode 0600 if it is not there.
/// The first key seals; a further line is a key that only verifies.
///
/// # Errors
/// When the file cannot be made or read, when others may read it, when it holds no key.
pub fn beside(database: &Path) -> anyhow::Result<Vec<SecretSlice<u8>>> {
    let path = path(database);
    let shown = path.display();
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            let key = new_key();
            writeln!(file, "{}", STANDARD.encode(key.expose_secret()))
                .and_then(|()| file.sync_all())
                .with_context(|| format!("Cannot write the audit key {shown}"))?;
            Ok(vec![key])
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => read(&path),
        Err(e) => Err(place::unwritable(database, &e)),
    }
}

/// The keys in an existing file.
///
/// # Errors
/// When it cannot be read, when others may read it, when it holds no key.
pub fn existing(database: &Path) -> anyhow::Result<Vec<SecretSlice<u8>>> {
    read(&path(database))
}

/// Gives another database the same keys: its file is made, with mode 0600, unless it is there already.
///
/// # Errors
/// When it cannot be made.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let (from, to) = (path(from), path(to));
    let shown = to.display();
    let text = fs::read(&from).with_context(|| format!("Cannot read the audit key {}", from.display()))?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to) {
        Ok(mut file) => file.write_all(&text).and_then(|()| file.sync_all()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    }
    .with_context(|| format!("Cannot write the audit key {shown}"))
}

/// Whether two lists hold the same keys, in the same order.
pub fn are_same(a: &[SecretSlice<u8>], b: &[SecretSlice<u8>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.expose_secret() == b.expose_secret())
}

fn read(path: &Path) -> anyhow::Result<Vec<SecretSlice<u8>>> {
    let shown = path.display();
    let mode = fs::metadata(path).with_context(|| format!("Cannot read the audit key {shown}"))?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("The audit key {shown} may be read by others: run chmod 600 {shown}");
    }
    let text = fs::read_to_string(path).with_context(|| format!("Cannot read the audit key {shown}"))?;
    let mut keys = Vec::new();
    for (i, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        match STANDARD.decode(line) {
            Ok(bytes) if bytes.len() == 32 => keys.push(SecretSlice::from(bytes)),
            _ => bail!("Line {} of the audit key {shown} is not 32 bytes in base64", i + 1),
        }
    }
    if keys.is_empty() {
        bail!("The audit key {shown} is empty");
    }
    Ok(keys)
}
