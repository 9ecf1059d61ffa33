//! Where settings come from, and what was wrong with them.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;

/// One variable of the contract.
#[derive(Debug)]
pub struct Variable {
    pub name: &'static str,
    /// It belongs to a later version and has no effect in this one.
    pub later: bool,
}

const fn now(name: &'static str) -> Variable {
    Variable { name, later: false }
}

const fn later(name: &'static str) -> Variable {
    Variable { name, later: true }
}

/// Every variable. In the TOML file the same names stand in lower case.
pub static VARIABLES: &[Variable] = &[
    now("SEKOIA_API_KEY"),
    now("SEKOIA_REGION"),
    now("SEKOIA_API_URL"),
    now("SEKOIA_LIVE_URL"),
    now("SLACK_SIGNING_SECRET"),
    now("SLACK_BOT_TOKEN"),
    later("SLACK_APP_TOKEN"),
    now("SLACK_API_URL"),
    now("MATTERMOST_URL"),
    now("MATTERMOST_BOT_TOKEN"),
    now("MATTERMOST_COMMAND_TOKEN"),
    now("MATTERMOST_SOURCES"),
    now("CHATOPS_LISTEN"),
    later("CHATOPS_METRICS_LISTEN"),
    now("CHATOPS_PUBLIC_URL"),
    now("CHATOPS_STORE"),
    now("CHATOPS_SECRET_KEY"),
    now("CHATOPS_APPROVERS"),
    now("CHATOPS_OPERATORS"),
    now("CHATOPS_CHANNELS"),
    now("CHATOPS_APPROVALS_REQUIRED"),
    now("CHATOPS_SELF_APPROVAL"),
    now("CHATOPS_APPROVAL_TTL"),
    now("CHATOPS_CONFIG"),
    now("CHATOPS_LOG"),
    now("CHATOPS_LOG_FORMAT"),
];

/// Everything that is wrong, one line a fault.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, name: &str, what: impl fmt::Display) {
        self.0.push(format!("{name}: {what}"));
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Settings by name, and the faults found so far.
pub(super) struct Source {
    values: BTreeMap<&'static str, String>,
    /// `[approval.<action>]` of the file.
    pub approval: toml::Table,
    pub faults: Faults,
}

impl Source {
    pub fn open(env: impl Fn(&str) -> Option<String>) -> Self {
        let mut source = Self { values: BTreeMap::new(), approval: toml::Table::new(), faults: Faults::default() };
        // An empty value is how a compose file leaves a variable out.
        let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        if let Some(path) = set("CHATOPS_CONFIG") {
            source.file(&path);
        }
        for variable in VARIABLES {
            if let Some(value) = set(variable.name) {
                source.values.insert(variable.name, value);
            }
        }
        source
    }

    fn file(&mut self, path: &str) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) => return self.faults.add("CHATOPS_CONFIG", format!("{path}: {e}")),
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            // The parser's own message shows the line, which may hold a secret.
            Err(e) => {
                let before = e.span().map_or("", |span| text.get(..span.start).unwrap_or_default());
                let line = before.matches('\n').count() + 1;
                return self.faults.add("CHATOPS_CONFIG", format!("{path}, line {line}: not TOML"));
            }
        };
        for (name, value) in table {
            if let (true, toml::Value::Table(rules)) = (name.eq_ignore_ascii_case("approval"), &value) {
                self.approval = rules.clone();
                continue;
            }
            let Some(variable) = VARIABLES.iter().find(|v| v.name.eq_ignore_ascii_case(&name)) else {
                self.faults.add("CHATOPS_CONFIG", format!("{path}: unknown setting {name:?}"));
                continue;
            };
            match flat(&value) {
                Some(value) => {
                    self.values.insert(variable.name, value);
                }
                None => self
                    .faults
                    .add("CHATOPS_CONFIG", format!("{path}: {name} is not a text, a number, or a list of texts")),
            }
        }
    }

    /// Whether any of these is set.
    pub fn holds_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.holds(name))
    }

    /// Whether it is set, wherever.
    pub fn holds(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A setting with a default; a fault and none if it cannot be read.
    pub fn parse<T>(
        &mut self,
        name: &'static str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.values.get(name).map_or(default, |v| v.trim());
        match read(value) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.faults.add(name, fault);
                None
            }
        }
    }

    pub fn optional<T>(&mut self, name: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let value = self.values.get(name)?.trim().to_owned();
        match read(&value) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.faults.add(name, fault);
                None
            }
        }
    }

    /// A secret that must be there. It goes into a header, so it must be printable ASCII.
    pub fn secret(&mut self, name: &'static str, how: &str) -> Option<SecretString> {
        let value = self.required(name, how)?;
        if value.bytes().all(|b| b.is_ascii_graphic()) {
            return Some(SecretString::from(value));
        }
        self.faults.add(name, "holds spaces or characters that no such secret has");
        None
    }

    /// A setting without a default: missing, it is a fault.
    pub fn required(&mut self, name: &'static str, how: &str) -> Option<String> {
        let value = self.values.get(name).map(|v| v.trim().to_owned());
        if value.is_none() {
            self.faults.add(name, format!("is missing; {how}"));
        }
        value
    }

    /// A comma list; every entry that cannot be read is a fault of its own.
    pub fn list<T>(&mut self, name: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let value = self.values.get(name).cloned().unwrap_or_default();
        let entries = value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let mut good = Vec::new();
        for entry in entries {
            match read(entry) {
                Ok(entry) => good.push(entry),
                Err(fault) => self.faults.add(name, fault),
            }
        }
        good
    }
}

pub(super) fn flat(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(s) => Some(s.clone()),
        toml::Value::Integer(n) => Some(n.to_string()),
        toml::Value::Boolean(b) => Some(b.to_string()),
        toml::Value::Array(list) => {
            let items: Option<Vec<&str>> = list.iter().map(toml::Value::as_str).collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}
