//! An environment file: read, changed a name at a time, and replaced as a whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;

/// `NAME=value` lines, as shells and systemd read them; every other line is kept as it is.
#[derive(Debug, Default)]
pub struct EnvFile {
    lines: Vec<String>,
}

impl EnvFile {
    pub fn parse(text: &str) -> Self {
        Self { lines: text.lines().map(str::to_owned).collect() }
    }

    /// The value of a name, without quotes; of several, the last, as a shell would have it.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = |line: &String| named(line).filter(|(known, _)| *known == name).map(|(_, value)| unquoted(value));
        self.lines.iter().rev().find_map(value).filter(|value| !value.is_empty())
    }

    /// Whether a line speaks of this name, be it a comment.
    pub fn mentions(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.contains(name))
    }

    /// Sets a name where it stands, or at the end.
    pub fn set(&mut self, name: &str, value: &str) {
        let mut found = false;
        for line in &mut self.lines {
            if named(line).is_some_and(|(known, _)| known == name) {
                let export = if line.trim_start().starts_with("export ") { "export " } else { "" };
                *line = format!("{export}{name}={}", quoted(value));
                found = true;
            }
        }
        if !found {
            self.lines.push(format!("{name}={}", quoted(value)));
        }
    }

    pub fn comment(&mut self, text: &str) {
        self.lines.push(format!("# {text}"));
    }

    pub fn text(&self) -> String {
        let mut text = self.lines.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }
}

fn named(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (name, value) = line.split_once('=')?;
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then_some((name, value.trim()))
}

fn unquoted(value: &str) -> String {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value).to_owned()
}

/// In single quotes where a shell would read more into it. No value of ours holds one.
fn quoted(value: &str) -> String {
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b":/._,@%+=-[]~".contains(&b));
    if plain { value.to_owned() } else { format!("'{}'", value.replace('\'', "%27")) }
}

/// A file that is about to be replaced: its place is proved to take one before anything is done
/// whose outcome must not be lost.
pub struct Replacement {
    path: PathBuf,
    new: NamedTempFile,
}

impl Replacement {
    /// What stands in the file now, and the place for what will.
    pub fn of(path: &Path) -> anyhow::Result<(EnvFile, Self)> {
        let about = || format!("{} cannot be used", path.display());
        // What a link leads to is replaced, not the link.
        let path = if path.exists() { path.canonicalize().with_context(about)? } else { path.to_owned() };
        let now = match std::fs::read_to_string(&path) {
            Ok(text) => EnvFile::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => EnvFile::default(),
            Err(error) => return Err(error).with_context(about),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Readable and writable by its owner alone.
        let new = NamedTempFile::new_in(folder).with_context(about)?;
        Ok((now, Self { path, new }))
    }

    /// At once: whoever reads the file sees the old text or the new one.
    pub fn write(mut self, file: &EnvFile) -> anyhow::Result<()> {
        let about = format!("{} could not be written", self.path.display());
        self.new.write_all(file.text().as_bytes()).context(about.clone())?;
        self.new.as_file().sync_all().context(about.clone())?;
        self.new.persist(&self.path).map_err(|failed| failed.error).context(about)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# ours\nexport CHATOPS_APPROVERS='a,b'\n\nMATTERMOST_BOT_TOKEN=\"old\"\nBROKEN LINE\nURL=x=y\n";

    #[test]
    fn what_is_not_set_stays_as_it_is() {
        let mut file = EnvFile::parse(TEXT);
        assert_eq!(file.get("CHATOPS_APPROVERS").as_deref(), Some("a,b"));
        assert_eq!(file.get("MATTERMOST_BOT_TOKEN").as_deref(), Some("old"));
        assert_eq!((file.get("URL").as_deref(), file.get("ours"), file.get("BROKEN LINE")), (Some("x=y"), None, None));
        file.set("MATTERMOST_BOT_TOKEN", "new");
        file.set("CHATOPS_APPROVERS", "c");
        file.set("ADDED", "a b");
        let expected =
            "# ours\nexport CHATOPS_APPROVERS=c\n\nMATTERMOST_BOT_TOKEN=new\nBROKEN LINE\nURL=x=y\nADDED='a b'\n";
        assert_eq!(file.text(), expected);
        assert_eq!(EnvFile::parse(&file.text()).get("ADDED").as_deref(), Some("a b"));
    }

    #[test]
    fn the_last_of_several_counts_and_an_empty_one_does_not() {
        let file = EnvFile::parse("A=1\nA=2\nB=\n#C=3\n");
        assert_eq!((file.get("A").as_deref(), file.get("B"), file.get("C")), (Some("2"), None, None));
        assert!(file.mentions("C") && !file.mentions("D"));
    }
}
