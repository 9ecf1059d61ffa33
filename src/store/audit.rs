//! The audit chain: every record is sealed by an HMAC over itself and the seal before it.
//!
//! Personal values are not in it, but their salted hashes: see [`personal`].
//!
//! What it proves: nobody without the key edited, removed, inserted or reordered a record of a
//! stream, and the stream's state carries the number of its last record, so that records cut off
//! at the end show as long as the state was not put back as well. What it cannot prove: anything
//! against a holder of the key, or a state and its last records that were put back together; for
//! that, compare with an export kept elsewhere.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice};
use serde::Serialize;
use sha2::Sha256;

use super::personal::{self, Erasure, Personal};
use super::{Loaded, NewRecord, StoreError, StreamId};

/// One sealed record of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    pub stream: StreamId,
    /// From 1, without gaps.
    pub seq: u64,
    /// RFC 3339, as it was sealed.
    pub at: String,
    pub actor: String,
    pub kind: String,
    /// JSON, as it is sealed: with hashes in the place of personal values.
    pub body: String,
    /// The values themselves.
    #[serde(skip)]
    pub personal: Personal,
    /// Which key sealed it: eight hexadecimal digits derived from the key.
    pub key: String,
    /// 64 hexadecimal digits.
    pub seal: String,
}

/// Seals and verifies. The first key seals, every key verifies.
#[derive(Clone)]
pub struct Chain {
    keys: Vec<ChainKey>,
}

#[derive(Clone)]
pub(super) struct ChainKey {
    id: String,
    /// For records.
    mac: Hmac<Sha256>,
    /// For everything else that is stored.
    rows: Hmac<Sha256>,
}

/// What `audit verify` found wrong with a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub stream: StreamId,
    pub seq: u64,
    pub what: FaultKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    Edited,
    Missing {
        upto: u64,
    },
    Reordered {
        after: u64,
    },
    UnknownKey(String),
    CutOff {
        version: u64,
    },
    Ahead {
        version: u64,
    },
    /// A personal value beside it is not the one that was recorded.
    Altered,
    /// More personal values are gone than records say.
    Removed {
        missing: usize,
        erased: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { stream, seq, what } = self;
        match what {
            FaultKind::Edited => write!(f, "{stream}: record {seq} was edited, or does not follow the one before it"),
            FaultKind::Missing { upto } if upto == seq => write!(f, "{stream}: record {seq} is missing"),
            FaultKind::Missing { upto } => write!(f, "{stream}: records {seq} to {upto} are missing"),
            FaultKind::Reordered { after } => {
                write!(f, "{stream}: record {seq} stands after record {after}: reordered or repeated")
            }
            FaultKind::UnknownKey(key) => {
                write!(f, "{stream}: record {seq} is sealed with key {key}, which is not among the configured keys")
            }
            FaultKind::CutOff { version } if version == seq => {
                write!(f, "{stream}: record {seq} is missing at the end: the state has seen it")
            }
            FaultKind::CutOff { version } => {
                write!(f, "{stream}: records {seq} to {version} are missing at the end: the state has seen {version}")
            }
            FaultKind::Ahead { version } => write!(
                f,
                "{stream}: the state stops at record {version}, the records go on to {seq}: the state was put back"
            ),
            FaultKind::Altered => {
                write!(f, "{stream}: a personal value beside record {seq} is not the one that was recorded")
            }
            FaultKind::Removed { missing, erased } => write!(
                f,
                "{stream}: beside record {seq}, {missing} personal {} missing, and the history says that {erased} {} erased",
                if *missing == 1 { "value is" } else { "values are" },
                if *erased == 1 { "was" } else { "were" }
            ),
        }
    }
}

impl Chain {
    /// `keys`: at least one; the first seals.
    pub fn new(keys: &[SecretSlice<u8>]) -> Self {
        assert!(!keys.is_empty(), "an audit chain without a key");
        Self { keys: keys.iter().map(|key| ChainKey::derive(key.expose_secret())).collect() }
    }

    pub(super) fn first(&self) -> &ChainKey {
        &self.keys[0]
    }

    /// Those that verify and do not seal.
    pub(super) fn rest(&self) -> &[ChainKey] {
        &self.keys[1..]
    }

    pub(super) fn key(&self, id: &str) -> Option<&ChainKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Seals records that follow number `seq`, whose seal is `previous` (empty for the first).
    ///
    /// The number comes from the state, the seal from the last record that is there: records
    /// that somebody removed at the end leave a gap that stays.
    pub fn seal(&self, stream: &StreamId, mut seq: u64, previous: &str, new: &[NewRecord]) -> Vec<Record> {
        let key = &self.keys[0];
        let mut seal = previous.to_owned();
        new.iter()
            .map(|record| {
                seq += 1;
                let (body, personal) = personal::strip(&record.body, rand::random);
                let mut sealed = Record {
                    stream: stream.clone(),
                    seq,
                    at: instant(record.at),
                    actor: record.actor.clone(),
                    kind: record.kind.to_owned(),
                    body,
                    personal,
                    key: key.id.clone(),
                    seal: String::new(),
                };
                sealed.seal = hex::encode(mac(key, &seal, &sealed).finalize().into_bytes());
                seal.clone_from(&sealed.seal);
                sealed
            })
            .collect()
    }

    /// Checks a stream's records, in the order in which they are stored, against each other and
    /// against its state.
    pub fn verify(&self, stream: &StreamId, records: &[Record], state: Option<&Loaded>) -> Vec<Fault> {
        self.verify_after(stream, (0, ""), records, state)
    }

    /// The same of the last ones alone: those that follow the record of this number, with its seal.
    pub fn verify_after<'r>(
        &self,
        stream: &StreamId,
        mut previous: (u64, &'r str),
        records: &'r [Record],
        state: Option<&Loaded>,
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |seq, what| faults.push(Fault { stream: stream.clone(), seq, what });
        for record in records {
            if record.seq <= previous.0 {
                fault(record.seq, FaultKind::Reordered { after: previous.0 });
                continue;
            }
            let gap = record.seq > previous.0 + 1;
            if gap {
                fault(previous.0 + 1, FaultKind::Missing { upto: record.seq - 1 });
            }
            match self.keys.iter().find(|key| key.id == record.key) {
                None => fault(record.seq, FaultKind::UnknownKey(record.key.clone())),
                // Behind a gap the seal before it is unknown: the record cannot be checked.
                Some(_) if gap => {}
                Some(key) => {
                    let seal = hex::decode(&record.seal).unwrap_or_default();
                    if record.stream != *stream || mac(key, previous.1, record).verify_slice(&seal).is_err() {
                        fault(record.seq, FaultKind::Edited);
                    }
                }
            }
            previous = (record.seq, &record.seal);
        }
        for (seq, what) in misfits(records) {
            fault(seq, what);
        }
        match state.map(|state| state.version) {
            Some(version) if version > previous.0 => fault(previous.0 + 1, FaultKind::CutOff { version }),
            Some(version) if version < previous.0 => fault(previous.0, FaultKind::Ahead { version }),
            Some(_) => {}
            None if previous.0 > 0 => fault(previous.0, FaultKind::Ahead { version: 0 }),
            None => {}
        }
        faults
    }
}

/// Records beside which personal values were altered, or are missing although nothing says that they were
/// erased: whoever erases some says so in a later record.
fn misfits(records: &[Record]) -> Vec<(u64, FaultKind)> {
    let mut erased: BTreeMap<u64, usize> = BTreeMap::new();
    for record in records.iter().filter(|record| record.kind == personal::KIND) {
        let of = serde_json::from_str::<Erasure>(&record.body).map(|erasure| erasure.records).unwrap_or_default();
        for (seq, values) in of.into_iter().filter(|(seq, _)| *seq < record.seq) {
            *erased.entry(seq).or_default() += values;
        }
    }
    let mut found = Vec::new();
    for record in records {
        let fit = personal::fit(&record.body, &record.personal);
        if fit.altered > 0 {
            found.push((record.seq, FaultKind::Altered));
        }
        let erased = erased.get(&record.seq).copied().unwrap_or_default();
        if fit.missing > erased {
            found.push((record.seq, FaultKind::Removed { missing: fit.missing, erased }));
        }
    }
    found
}

impl ChainKey {
    fn derive(secret: &[u8]) -> Self {
        let derived = |label: &[u8]| keyed(secret).chain_update(label).finalize().into_bytes();
        let id = derived(b"sekoia-chatops audit key id v1");
        Self {
            id: hex::encode(&id[..4]),
            mac: keyed(&derived(b"sekoia-chatops audit chain v1")),
            rows: keyed(&derived(b"sekoia-chatops row seal v1")),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn row_mac(&self, fields: &[String]) -> Vec<u8> {
        self.of_fields(fields).finalize().into_bytes().to_vec()
    }

    pub(super) fn is_row_mac(&self, fields: &[String], mac: &[u8]) -> bool {
        self.of_fields(fields).verify_slice(mac).is_ok()
    }

    /// Every field behind its length, so that no two rows share an input.
    fn of_fields(&self, fields: &[String]) -> Hmac<Sha256> {
        let mut mac = self.rows.clone();
        update(&mut mac, fields.iter().map(String::as_str));
        mac
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("any key length")
}

/// Every field behind its length, so that no two records share an input.
fn mac(key: &ChainKey, previous: &str, record: &Record) -> Hmac<Sha256> {
    let mut mac = key.mac.clone();
    let seq = record.seq.to_string();
    let stream = record.stream.as_str();
    update(&mut mac, [previous, stream, &seq, &record.at, &record.actor, &record.kind, &record.body, &record.key]);
    mac
}

fn update<'a>(mac: &mut Hmac<Sha256>, fields: impl IntoIterator<Item = &'a str>) {
    for field in fields {
        mac.update(&(field.len() as u64).to_be_bytes());
        mac.update(field.as_bytes());
    }
}

/// An instant as it is sealed: RFC 3339 in UTC, to the millisecond. Texts are in the order of the instants.
pub(super) fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl Record {
    /// The body as it was recorded; what was erased since reads `[erased]`.
    pub fn text(&self) -> String {
        personal::fill(&self.body, &self.personal)
    }

    pub fn at(&self) -> Result<Timestamp, StoreError> {
        self.at.parse().map_err(|e| StoreError::Corrupt {
            place: format!("record {} of {}", self.seq, self.stream),
            why: format!("{:?} is not an instant: {e}", self.at),
        })
    }
}
