//! Templates of plans: the TOML files of one folder, read anew each time.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::chat::text::{natural, shown};
use crate::domain::action::instead;
use crate::domain::plan::file::{Fault, MOST_BYTES, decode};

/// Templates that are listed.
const MOST: usize = 1_000;
/// Characters of a template's name.
const NAME: usize = 100;

/// The folder that `CHATOPS_PLANS` names.
#[derive(Debug, Clone)]
pub struct Templates {
    folder: PathBuf,
}

/// Why a template cannot be read. The text says what to do; paths are in no message.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("There is no template called \"{name}\". {instead}")]
    Unknown { name: String, instead: String },
    #[error("The template {name}: {}", fault.text)]
    Unfit { name: Box<str>, fault: Fault },
    #[error("The folder of templates cannot be read ({0}). Ask your bot administrator to check CHATOPS_PLANS.")]
    Folder(std::io::ErrorKind),
    #[error("The template {name} cannot be read ({kind}). Ask your bot administrator to check the file.")]
    File { name: Box<str>, kind: std::io::ErrorKind },
}

impl Templates {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Their names, in the order in which people count.
    ///
    /// # Errors
    /// [`TemplateError::Folder`].
    pub async fn list(&self) -> Result<Vec<Box<str>>, TemplateError> {
        let folder = self.folder.clone();
        blocking(move || names(&folder)).await.map_err(|error| TemplateError::Folder(error.kind()))
    }

    /// The text of a template, its parameters not filled in.
    ///
    /// # Errors
    /// There is none of this name, or it cannot be read.
    pub async fn read(&self, name: &str) -> Result<String, TemplateError> {
        let name = name.trim();
        if !is_plain(name) {
            return Err(self.unknown(name).await);
        }
        let path = self.folder.join(format!("{name}.toml"));
        let bytes = match blocking(move || contents(&path)).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(self.unknown(name).await),
            Err(error) => return Err(TemplateError::File { name: name.into(), kind: error.kind() }),
        };
        decode(&bytes).map_err(|fault| TemplateError::Unfit { name: name.into(), fault })
    }

    async fn unknown(&self, name: &str) -> TemplateError {
        let names = match self.list().await {
            Ok(names) => names,
            Err(error) => return error,
        };
        TemplateError::Unknown { name: shown(name, 60), instead: instead(name, names.iter().map(|name| &**name)) }
    }
}

async fn blocking<T: Send + 'static>(read: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

/// A file's name without its ending: nothing that leads out of the folder.
fn is_plain(name: &str) -> bool {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    !name.is_empty() && name.chars().count() <= NAME && !name.starts_with('.') && name.chars().all(good)
}

fn names(folder: &Path) -> std::io::Result<Vec<Box<str>>> {
    let mut names: Vec<Box<str>> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let ending = path.extension().is_some_and(|ending| ending == "toml");
        // Links count as what they lead to: so are files mounted.
        let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| ending && is_plain(name));
        if let Some(name) = name.filter(|_| path.is_file()) {
            names.push(name.into());
        }
    }
    names.sort_by_cached_key(|name| natural(name));
    names.truncate(MOST);
    Ok(names)
}

/// One byte more than a plan may have, at most.
fn contents(path: &Path) -> std::io::Result<Vec<u8>> {
    // Opening something else could wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
