//! What a database held when it was last looked at, kept beside it in `<database>.heads`: each
//! stream's number and the seal of its last record, and up to where recorded requests are settled.
//!
//! A database alone cannot show that something was cut off at its end, or put back as it was
//! before: this file can, as long as it is not put back together with it. It is sealed, so that
//! nobody without the key writes one that agrees with an edited database.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::StreamId;
use super::audit::Chain;
use super::seal::{Row, Unsealed};

/// A stream's last record: its number and its seal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head(pub u64, pub String);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heads {
    /// Recorded requests with a lower generation are settled.
    #[serde(default)]
    pub settled: u64,
    #[serde(default)]
    pub streams: BTreeMap<String, Head>,
}

/// The file: what it says, and the seal of exactly that text.
#[derive(Serialize, Deserialize)]
struct Sealed {
    seal: String,
    heads: Box<RawValue>,
}

#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("it cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Seal(Unsealed),
}

impl Heads {
    /// Takes in what another one knows: of two numbers, the higher.
    pub fn merge(&mut self, other: Heads) {
        self.settled = self.settled.max(other.settled);
        for (stream, head) in other.streams {
            self.follow(stream, head);
        }
    }

    /// A stream went on; false if that was known.
    pub fn follow(&mut self, stream: String, head: Head) -> bool {
        match self.streams.get_mut(&stream) {
            Some(known) if known.0 >= head.0 => false,
            Some(known) => {
                *known = head;
                true
            }
            None => {
                self.streams.insert(stream, head);
                true
            }
        }
    }

    pub fn version(&self, stream: &StreamId) -> u64 {
        self.streams.get(stream.as_str()).map_or(0, |head| head.0)
    }
}

pub fn path(database: &Path) -> PathBuf {
    beside(database, ".heads")
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// What is remembered of a database; none if nothing is.
///
/// # Errors
/// When the file cannot be read, or was not written by a holder of the key.
pub fn read(database: &Path, chain: &Chain) -> Result<Option<Heads>, HeadsError> {
    let text = match fs::read_to_string(path(database)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let file: Sealed = serde_json::from_str(&text)?;
    chain.check_row(&Row::Heads { json: file.heads.get() }, &file.seal).map_err(HeadsError::Seal)?;
    Ok(Some(serde_json::from_str(file.heads.get())?))
}

/// Replaces the file as a whole, readable by its owner alone. What stands in it already and is
/// newer stays: another process may write it too. A file that is not ours is kept as
/// `<database>.heads.aside`.
///
/// # Errors
/// When it cannot be written.
pub fn write(database: &Path, chain: &Chain, heads: &Heads) -> Result<(), HeadsError> {
    let mut heads = heads.clone();
    match read(database, chain) {
        Ok(Some(there)) => heads.merge(there),
        Ok(None) => {}
        Err(HeadsError::Io(error)) => return Err(error.into()),
        Err(HeadsError::Json(_) | HeadsError::Seal(_)) => {
            fs::rename(path(database), beside(database, ".heads.aside"))?;
        }
    }
    let json = serde_json::value::to_raw_value(&heads)?;
    let seal = chain.seal_row(&Row::Heads { json: json.get() });
    let text = serde_json::to_vec(&Sealed { seal, heads: json })?;
    let new = beside(database, ".heads.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&new, path(database))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn chain(byte: u8) -> Chain {
        Chain::new(&[vec![byte; 32].into()])
    }

    fn heads(settled: u64, version: u64) -> Heads {
        let streams = [("session/a".to_owned(), Head(version, format!("seal {version}")))].into();
        Heads { settled, streams }
    }

    #[test]
    fn the_newer_of_two_stays_whoever_writes_last() {
        let directory = tempfile::TempDir::new().unwrap();
        let database = directory.path().join("bot.db");
        assert_eq!(read(&database, &chain(1)).unwrap(), None);
        write(&database, &chain(1), &heads(5, 9)).unwrap();
        write(&database, &chain(1), &heads(6, 3)).unwrap();
        assert_eq!(read(&database, &chain(1)).unwrap(), Some(heads(6, 9)));
        let mode = fs::metadata(path(&database)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_nobody_with_the_key_wrote_is_not_believed() {
        let directory = tempfile::TempDir::new().unwrap();
        let database = directory.path().join("bot.db");
        write(&database, &chain(1), &heads(5, 9)).unwrap();
        assert!(matches!(read(&database, &chain(2)), Err(HeadsError::Seal(Unsealed::UnknownKey(_)))));
        let text = fs::read_to_string(path(&database)).unwrap();
        fs::write(path(&database), text.replace("[9,", "[8,")).unwrap();
        assert!(matches!(read(&database, &chain(1)), Err(HeadsError::Seal(Unsealed::Wrong))));
        // It is kept beside the next one.
        write(&database, &chain(1), &heads(5, 9)).unwrap();
        assert_eq!(read(&database, &chain(1)).unwrap(), Some(heads(5, 9)));
        assert!(fs::read_to_string(beside(&database, ".heads.aside")).unwrap().contains("[8,"));
    }
}
