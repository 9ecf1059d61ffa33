//! Where settings come from, and what was wrong with them.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;

use super::{secrets, similar, store};

/// One variable of the contract.
#[derive(Debug)]
pub struct Variable {
    pub name: &'static str,
}

const fn named(name: &'static str) -> Variable {
    Variable { name }
}

/// Every variable. In the TOML file the same names stand in lower case.
pub static VARIABLES: &[Variable] = &[
    named("SEKOIA_API_KEY"),
    named("SEKOIA_REGION"),
    named("SEKOIA_API_URL"),
    named("SEKOIA_APP_URL"),
    named("SEKOIA_LIVE_URL"),
    named("SLACK_SIGNING_SECRET"),
    named("SLACK_APP_TOKEN"),
    named("SLACK_BOT_TOKEN"),
    named("SLACK_API_URL"),
    named("MATTERMOST_URL"),
    named("MATTERMOST_BOT_TOKEN"),
    named("MATTERMOST_COMMAND_TOKEN"),
    named("MATTERMOST_SOURCES"),
    named("MATTERMOST_TRIGGER"),
    named("CHATOPS_LISTEN"),
    named("CHATOPS_METRICS_LISTEN"),
    named("CHATOPS_PUBLIC_URL"),
    named("CHATOPS_STORE"),
    named("CHATOPS_STORE_CONNECTIONS"),
    named("CHATOPS_STORE_TIMEOUT"),
    named("CHATOPS_SECRET_KEY"),
    named("CHATOPS_RETENTION"),
    named("CHATOPS_APPROVERS"),
    named("CHATOPS_OPERATORS"),
    named("CHATOPS_CHANNELS"),
    named("CHATOPS_APPROVALS_REQUIRED"),
    named("CHATOPS_SELF_APPROVAL"),
    named("CHATOPS_APPROVAL_TTL"),
    named("CHATOPS_OIDC_ISSUER"),
    named("CHATOPS_OIDC_CLIENT_ID"),
    named("CHATOPS_OIDC_CLIENT_SECRET"),
    named("CHATOPS_OIDC_ACR"),
    named("CHATOPS_PLANS"),
    named("CHATOPS_CA_FILE"),
    named("CHATOPS_CONFIG"),
    named("CHATOPS_LOG"),
    named("CHATOPS_LOG_FORMAT"),
];

/// Everything that is wrong, one line a fault.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn one(name: &str, what: impl fmt::Display) -> Self {
        let mut faults = Self::default();
        faults.add(name, what);
        faults
    }

    pub fn all<N: AsRef<str>>(faults: impl IntoIterator<Item = (N, String)>) -> Self {
        let mut all = Self::default();
        for (name, what) in faults {
            all.add(name.as_ref(), what);
        }
        all
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
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
    /// `[reminders]` of the file.
    pub reminders: toml::Table,
    /// `[oidc]` of the file.
    pub oidc: toml::Table,
    pub faults: Faults,
    /// The file could not be read: what is missing may stand in it.
    incomplete: bool,
}

impl Source {
    pub fn open(env: impl Fn(&str) -> Option<String>) -> Self {
        let mut source = Self {
            values: BTreeMap::new(),
            approval: toml::Table::new(),
            reminders: toml::Table::new(),
            oidc: toml::Table::new(),
            faults: Faults::default(),
            incomplete: false,
        };
        let mut environment = BTreeMap::new();
        for variable in VARIABLES {
            // An empty value is how a compose file leaves a variable out.
            let Some(value) = env(variable.name).filter(|value| !value.trim().is_empty()) else { continue };
            let value = match secrets::unquoted(value.trim()) {
                Some(inner) => {
                    source.faults.add(variable.name, "is in quotation marks, which count as a part of it: remove them");
                    inner.to_owned()
                }
                None => value,
            };
            environment.insert(variable.name, value);
        }
        if let Some(path) = environment.get("CHATOPS_CONFIG") {
            source.file(path);
        }
        source.values.append(&mut environment);
        source
    }

    /// Whether everything that is set could be read: only then is what is missing a fault.
    pub fn is_complete(&self) -> bool {
        !self.incomplete
    }

    fn file(&mut self, path: &str) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) => {
                self.incomplete = true;
                return self.faults.add("CHATOPS_CONFIG", format!("{path}: {e}"));
            }
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            // The parser's own message shows the line, which may hold a secret.
            Err(e) => {
                let before = e.span().map_or("", |span| text.get(..span.start).unwrap_or_default());
                let line = before.matches('\n').count() + 1;
                self.incomplete = true;
                return self.faults.add("CHATOPS_CONFIG", format!("{path}, line {line}: not TOML"));
            }
        };
        for (name, value) in table {
            if let (true, toml::Value::Table(rules)) = (name.eq_ignore_ascii_case("approval"), &value) {
                self.approval = rules.clone();
                continue;
            }
            if let (true, toml::Value::Table(settings)) = (name.eq_ignore_ascii_case("reminders"), &value) {
                self.reminders = settings.clone();
                continue;
            }
            if let (true, toml::Value::Table(identities)) = (name.eq_ignore_ascii_case("oidc"), &value) {
                self.oidc = identities.clone();
                continue;
            }
            let Some(variable) = VARIABLES.iter().find(|v| v.name.eq_ignore_ascii_case(&name)) else {
                self.faults.add("CHATOPS_CONFIG", format!("{path}: {}", unknown_in_file(&name, &value)));
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

    /// Every value that is a secret by its name, good or not, each of a list by itself.
    pub fn secrets(&self) -> Vec<SecretString> {
        let named = |name: &str| ["_KEY", "_SECRET", "_TOKEN"].iter().any(|end| name.ends_with(end));
        let secret = self.values.iter().filter(|(name, _)| named(name));
        let each = secret.flat_map(|(_, value)| value.split(',').map(str::trim)).filter(|value| !value.is_empty());
        let passwords = self.values.get("CHATOPS_STORE").map_or_else(Vec::new, |place| store::passwords(place));
        each.map(|value| SecretString::from(value.to_owned())).chain(passwords).collect()
    }

    /// Whether any of these is set.
    pub fn holds_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.holds(name))
    }

    /// Whether it is set, wherever.
    pub fn holds(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A setting as it stands there; none if it is not set.
    pub fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|value| value.trim().to_owned())
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

    /// A secret that must be there, and that `check` has nothing against.
    pub fn secret(
        &mut self,
        name: &'static str,
        how: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<SecretString> {
        let value = self.required(name, how)?;
        match secrets::plain(&value).map_err(str::to_owned).and_then(|()| check(&value)) {
            Ok(()) => Some(SecretString::from(value)),
            Err(fault) => {
                self.faults.add(name, fault);
                None
            }
        }
    }

    /// A setting without a default: missing, it is a fault.
    pub fn required(&mut self, name: &'static str, how: &str) -> Option<String> {
        let value = self.values.get(name).map(|v| v.trim().to_owned());
        if value.is_none() && self.is_complete() {
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

/// What is wrong with a name that the file has and nobody reads.
fn unknown_in_file(name: &str, value: &toml::Value) -> String {
    let shown = if value.is_table() { format!("unknown table [{name}]") } else { format!("unknown setting {name:?}") };
    let tables = ["approval", "reminders", "oidc"].map(String::from);
    let known: Vec<String> = VARIABLES.iter().map(|v| v.name.to_lowercase()).chain(tables).collect();
    match similar::nearest(&name.to_lowercase(), known.iter().map(String::as_str)) {
        Some("approval") => format!("{shown}; did you mean [approval.<action>]?"),
        Some("reminders") => format!("{shown}; did you mean [reminders]?"),
        Some("oidc") => format!("{shown}; did you mean [oidc.subjects]?"),
        Some(near) => format!("{shown}; did you mean {near:?}?"),
        None => shown,
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
