//! Where the store is, and with which keys it is sealed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{SecretSlice, SecretString};
use sqlx::postgres::PgConnectOptions;
use url::Url;

use super::names;
use super::source::{Faults, Source};
use crate::store::postgres::{self, Limits};

/// What may stand after the `?` of a database's address.
const PARAMETERS: [&str; 12] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

#[derive(Debug)]
pub struct StoreConfig {
    pub place: StorePlace,
    /// `CHATOPS_SECRET_KEY`; none: kept beside the file.
    pub keys: Option<Vec<SecretSlice<u8>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorePlace {
    Memory,
    Sqlite(PathBuf),
    Postgres(Box<PostgresPlace>),
}

/// A PostgreSQL database, and how it is used.
#[derive(Clone)]
pub struct PostgresPlace {
    pub options: PgConnectOptions,
    pub limits: Limits,
}

impl fmt::Debug for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}, {:?}", self.limits)
    }
}

/// Without its password.
impl fmt::Display for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&postgres::shown(&self.options))
    }
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorePlace::Memory => f.write_str("memory"),
            StorePlace::Sqlite(path) => write!(f, "sqlite: {}", path.display()),
            StorePlace::Postgres(place) => place.fmt(f),
        }
    }
}

impl PartialEq for PostgresPlace {
    fn eq(&self, other: &Self) -> bool {
        (self.to_string(), self.limits) == (other.to_string(), other.limits)
    }
}

impl Eq for PostgresPlace {}

impl StoreConfig {
    /// # Errors
    /// [`Faults`], one line a fault.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        Self::read_from(env, [])
    }

    /// The store alone, for the commands that work on the history. Names are checked as in
    /// [`Config::read_from`](super::Config::read_from).
    ///
    /// # Errors
    /// [`Faults`], one line a fault.
    pub fn read_from<'a>(
        env: impl Fn(&str) -> Option<String>,
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Faults> {
        let mut source = Source::open(env);
        names::check(&mut source.faults, environment);
        match store(&mut source) {
            Some(config) if source.faults.is_empty() => Ok(config),
            _ => Err(source.faults),
        }
    }
}

/// Two places, and the keys that both are sealed with.
#[derive(Debug)]
pub struct StorePair {
    pub from: StorePlace,
    pub to: StorePlace,
    /// `CHATOPS_SECRET_KEY`; none: kept beside the file that is copied from.
    pub keys: Option<Vec<SecretSlice<u8>>>,
}

impl StorePair {
    /// Two places that are named on the command line; how they are used comes from the environment.
    ///
    /// # Errors
    /// [`Faults`], one line a fault.
    pub fn read_from<'a>(
        (from, to): (&str, &str),
        env: impl Fn(&str) -> Option<String>,
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Faults> {
        let mut source = Source::open(env);
        names::check(&mut source.faults, environment);
        let (limits, authorities) = surroundings(&mut source);
        let keys = keys(&mut source);
        let mut place = |name: &str, text: &str| match StorePlace::parse(text, limits, authorities.as_deref()) {
            Ok(StorePlace::Memory) => {
                source.faults.add(name, "is memory, which ends with the bot; give sqlite:PATH or postgres://…");
                None
            }
            Ok(place) => Some(place),
            Err(what) => {
                source.faults.add(name, what);
                None
            }
        };
        let places = (place("FROM", from), place("TO", to));
        if keys.is_none() && matches!(places.0, Some(StorePlace::Postgres(_))) {
            source.faults.add("CHATOPS_SECRET_KEY", "is missing; set the key of the bot that FROM is the store of");
        }
        match places {
            (Some(from), Some(to)) if source.faults.is_empty() => Ok(Self { from, to, keys }),
            _ => Err(source.faults),
        }
    }
}

impl StorePlace {
    /// The place that a text names, as `CHATOPS_STORE` does.
    ///
    /// # Errors
    /// What to write instead. The text may hold a password: it is not repeated.
    pub fn parse(text: &str, limits: Limits, authorities: Option<&str>) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            Some(("sqlite", path)) if !path.is_empty() => {
                Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            Some(("postgres" | "postgresql", _)) => {
                let options = database(text, authorities)?;
                Ok(Self::Postgres(Box::new(PostgresPlace { options, limits })))
            }
            _ => Err("give sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE or memory".into()),
        }
    }
}

/// A database's address, with the authorities of `CHATOPS_CA_FILE` unless it names its own.
fn database(text: &str, authorities: Option<&str>) -> Result<PgConnectOptions, String> {
    let url: Url = text.parse().map_err(|error| {
        format!("is no address ({error}); give postgres://USER:PASSWORD@HOST/DATABASE, with %40 for @ in a password")
    })?;
    if url.path().trim_matches('/').is_empty() {
        return Err("names no database; give postgres://USER:PASSWORD@HOST/DATABASE".into());
    }
    // The library logs what it does not know, with its value, and its own message may hold one.
    let is_known = |name: &str| PARAMETERS.contains(&name) || name.starts_with("options[");
    let known = url.query_pairs().all(|(name, _)| is_known(&name));
    let options = known.then(|| text.parse::<PgConnectOptions>().ok()).flatten().ok_or_else(|| {
        let (last, others) = PARAMETERS.split_last().unwrap_or((&"", &[]));
        format!("has a parameter that cannot be understood; known are {} and {last}", others.join(", "))
    })?;
    Ok(match authorities {
        Some(file) if !url.query_pairs().any(|(name, _)| name == "sslrootcert") => options.ssl_root_cert(file),
        _ => options,
    })
}

/// The passwords in a database's address, which are secrets although their setting's name is none.
pub(super) fn passwords(place: &str) -> Vec<SecretString> {
    let Ok(url) = place.parse::<Url>() else { return Vec::new() };
    let named = url.query_pairs().filter(|(name, _)| name == "password").map(|(_, password)| password.into_owned());
    url.password().map(str::to_owned).into_iter().chain(named).map(SecretString::from).collect()
}

/// How any place is used, whichever it is.
fn surroundings(source: &mut Source) -> (Limits, Option<String>) {
    let default = Limits::default();
    let connections = source.parse("CHATOPS_STORE_CONNECTIONS", &default.connections.to_string(), |s| {
        s.parse().ok().filter(|n| (2..=200).contains(n)).ok_or_else(|| format!("{s:?} is not a number from 2 to 200"))
    });
    let patience = source.parse("CHATOPS_STORE_TIMEOUT", "5s", |s| match humantime::parse_duration(s) {
        Ok(time) if (Duration::from_secs(1)..=Duration::from_secs(30)).contains(&time) => Ok(time),
        _ => Err(format!("{s:?} is not a time from 1s to 30s")),
    });
    let limits = Limits {
        connections: connections.unwrap_or(default.connections),
        patience: patience.unwrap_or(default.patience),
    };
    (limits, source.text("CHATOPS_CA_FILE"))
}

fn keys(source: &mut Source) -> Option<Vec<SecretSlice<u8>>> {
    source.optional("CHATOPS_SECRET_KEY", |s| {
        // What is wrong with a key is told by its place, never by its content.
        let keys = s.split(',').map(str::trim).filter(|k| !k.is_empty()).enumerate().map(|(i, key)| {
            match STANDARD.decode(key) {
                Ok(bytes) if bytes.len() == 32 => Ok(SecretSlice::from(bytes)),
                Ok(bytes) => Err(format!("key {} has {} bytes, not 32", i + 1, bytes.len())),
                Err(_) => Err(format!("key {} is not base64; make one with `openssl rand -base64 32`", i + 1)),
            }
        });
        let keys = keys.collect::<Result<Vec<_>, String>>()?;
        if keys.is_empty() { Err("no key in the list".into()) } else { Ok(keys) }
    })
}

pub(super) fn store(source: &mut Source) -> Option<StoreConfig> {
    let (limits, authorities) = surroundings(source);
    let place = source
        .parse("CHATOPS_STORE", "sqlite:sekoia-chatops.db", |s| StorePlace::parse(s, limits, authorities.as_deref()));
    let keys = keys(source);
    let place = place?;
    if matches!(place, StorePlace::Postgres(_)) {
        source.required(
            "CHATOPS_SECRET_KEY",
            "with PostgreSQL every replica needs the same key; make one with `openssl rand -base64 32`",
        )?;
    }
    Some(StoreConfig { place, keys })
}
