//! Personal values are erased from a stream: beside its records and in its state, in one commit with a
//! record that says so.
//!
//! The state is not edited: the records, without those values, are folded again, and what they lead to
//! is the state. The commit expects the version that was read like any other, so that nobody who decided
//! on the values writes them back.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::families::{Visit, visit};
use super::stream::{Folded, RACES, encode, folded, sealed};
use crate::domain::action::people::normal;
use crate::domain::approval::Approval;
use crate::store::personal::{self, Erasure, Why};
use crate::store::{
    Commit, CommitError, Keep, KeptKind, Loaded, NewRecord, Personal, Record, RowKind, Schedule, State, Store,
    StoreError, StreamId, WorkKind, Write,
};

/// Records read at a time.
const CHUNK: u32 = 1_000;
/// Rows of due work of one kind that are looked through.
const MOST_WORK: u32 = 100_000;

/// Which values.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// Everything that names somebody.
    Person(&'a Person),
    /// Whatever was recorded before, unless it is still in force.
    Before(Timestamp),
}

/// Somebody as values name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// In its stored form.
    pub address: String,
    /// As Sekoia shows them.
    pub names: Vec<String>,
}

/// What became of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// `sealed`: records of an earlier release that hold such values in their sealed bodies.
    Erased { values: usize, records: usize, sealed: usize },
    /// The request is open, or its invitations are still followed.
    UnderWay,
    /// Nothing can be erased in it. The text says why.
    Impossible(&'static str),
}

impl Outcome {
    const NOTHING: Self = Self::Erased { values: 0, records: 0, sealed: 0 };
}

impl Person {
    /// Whether a value names them: by their address, wherever it stands in it, or by a whole name.
    pub fn is_named(&self, value: &str) -> bool {
        let is = |name: &String| name.trim().to_lowercase() == value.trim().to_lowercase();
        personal::addresses(value).into_iter().any(|range| normal(&value[range]) == self.address)
            || self.names.iter().any(is)
    }
}

/// What is to be written of a stream.
struct Planned {
    state: State,
    beside: Vec<(u64, Personal)>,
    /// How many values of which records.
    records: Vec<(u64, usize)>,
    sealed: usize,
}

enum Plan {
    Write(Planned),
    Ends(Outcome),
}

/// Works out what is left of a stream.
struct Look<'a> {
    loaded: &'a Loaded,
    records: &'a [Record],
    what: What<'a>,
}

impl Visit for Look<'_> {
    type Out = Plan;

    fn of<S: Folded + PartialEq>(self) -> Plan {
        const NEWER: &str = "a newer release wrote it; erase with that one";
        let ends = |why| Plan::Ends(Outcome::Impossible(why));
        let Loaded { state, .. } = self.loaded;
        if state.schema > S::SCHEMA {
            return ends(NEWER);
        }
        let Ok(before) = serde_json::from_str::<S>(&state.json) else { return ends(NEWER) };
        let in_force = match (self.what, before.in_force()) {
            (What::Before(_), Some(in_force)) => personal::found(&encode(&in_force)),
            _ => BTreeSet::new(),
        };
        let goes = |record: &Record, value: &str| match self.what {
            What::Person(person) => person.is_named(value),
            What::Before(then) => record.at().is_ok_and(|at| at < then) && !in_force.contains(value),
        };
        let mut left = self.records.to_vec();
        let (mut beside, mut records, mut sealed) = (Vec::new(), Vec::new(), 0);
        for record in &mut left {
            let probe = record.clone();
            let values = record.personal.retain(|value| !goes(&probe, value));
            if values > 0 {
                beside.push((record.seq, record.personal.clone()));
                records.push((record.seq, values));
            }
            sealed += usize::from(personal::found(&record.body).iter().any(|value| goes(&probe, value)));
        }
        if records.is_empty() {
            return Plan::Ends(Outcome::Erased { values: 0, records: 0, sealed });
        }
        if matches!(self.what, What::Person(_)) && before.is_under_way() {
            return Plan::Ends(Outcome::UnderWay);
        }
        match folded::<S>(self.records) {
            Ok(Some(folded)) if folded == before => {}
            Ok(_) => return ends("its state does not follow from its records; run `sekoia-chatops audit verify`"),
            Err(_) => return ends(NEWER),
        }
        // Whatever it was, it still is: erased values are texts like others.
        let Ok(Some(after)) = folded::<S>(&left) else {
            return ends("its records cannot be read without these values");
        };
        let state = State { schema: S::SCHEMA, json: encode(&after) };
        Plan::Write(Planned { state, beside, records, sealed })
    }
}

/// Erases values of one stream. Whoever is first wins: it looks again after another change.
///
/// # Errors
/// The store failed, or the stream changed again and again.
pub async fn erase(
    store: &dyn Store,
    stream: &StreamId,
    what: What<'_>,
    by: Option<&str>,
    now: Timestamp,
) -> Result<Outcome, StoreError> {
    for _ in 0..RACES {
        let Some(loaded) = store.load(stream).await? else { return Ok(Outcome::NOTHING) };
        let records = history(store, stream).await?;
        if records.last().map(|record| record.seq) != Some(loaded.version) {
            continue;
        }
        if matches!(what, What::Before(_)) && is_followed(store, stream).await? {
            return Ok(Outcome::UnderWay);
        }
        let planned = match visit(stream, Look { loaded: &loaded, records: &records, what }) {
            Some(Plan::Write(planned)) => planned,
            Some(Plan::Ends(outcome)) => return Ok(outcome),
            None => return Ok(Outcome::Impossible("it is of a newer release; erase with that one")),
        };
        let Planned { state, beside, records, sealed } = planned;
        let (values, count) = (records.iter().map(|(_, values)| values).sum(), records.len());
        let commit = Commit {
            writes: vec![Write {
                stream: stream.clone(),
                expected: loaded.version,
                state,
                records: vec![record(what, values, records, by, now)],
                beside,
            }],
            ..Commit::default()
        };
        match store.commit(commit).await {
            Ok(_) => return Ok(Outcome::Erased { values, records: count, sealed }),
            Err(CommitError::Store(error)) => return Err(error),
            Err(CommitError::Conflict(_) | CommitError::Delivered) => {}
        }
    }
    Err(StoreError::Contended)
}

/// What says that values were erased, and of which records, but not whose.
fn record(what: What<'_>, values: usize, records: Vec<(u64, usize)>, by: Option<&str>, now: Timestamp) -> NewRecord {
    let why = if matches!(what, What::Person(_)) { Why::Redact } else { Why::Retention };
    let erasure = Erasure { why, values, records, by: by.map(str::to_owned) };
    NewRecord { at: sealed(now), actor: "bot".into(), kind: personal::KIND, body: encode(&erasure) }
}

/// Every record of a stream.
///
/// # Errors
/// The store failed.
pub async fn history(store: &dyn Store, stream: &StreamId) -> Result<Vec<Record>, StoreError> {
    let mut all: Vec<Record> = Vec::new();
    loop {
        let after = all.last().map_or(0, |record| record.seq);
        let chunk = store.history(stream, after, CHUNK).await?;
        let last = chunk.len() < CHUNK as usize;
        all.extend(chunk);
        if last {
            return Ok(all);
        }
    }
}

/// Whether the invitations of a request are looked for at Sekoia.
async fn is_followed(store: &dyn Store, stream: &StreamId) -> Result<bool, StoreError> {
    Ok(stream.family() == Approval::FAMILY && store.find(WorkKind::Track, stream.key()).await?.is_some())
}

/// What became of pending and kept rows of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    pub kind: RowKind,
    /// Rewritten without the values.
    pub erased: usize,
    /// They hold the values until they are done, or may be forgotten.
    pub left: usize,
}

/// Erases somebody in messages that wait to be sent, or that the chat refused. Other rows need what they
/// say, and are counted.
///
/// # Errors
/// The store failed.
pub async fn in_rows(store: &dyn Store, person: &Person) -> Result<Vec<Pending>, StoreError> {
    let without = |body: &str| personal::without(body, |value| person.is_named(value));
    let mut all = Vec::new();
    for kind in WorkKind::ALL {
        let mut pending = Pending { kind: kind.into(), erased: 0, left: 0 };
        for work in store.due(kind, Timestamp::MAX, MOST_WORK).await? {
            let Some(body) = without(&work.body) else { continue };
            let same = Schedule { kind, key: work.key.clone(), due: work.due, attempts: work.attempts, body };
            let commit = Commit { schedule: vec![same], rests_on: vec![work.found()], ..Commit::default() };
            pending.count(is_message(kind.into()) && is_committed(store, commit).await?);
        }
        all.push(pending);
    }
    for kind in KeptKind::ALL {
        let mut pending = Pending { kind: kind.into(), erased: 0, left: 0 };
        let mut after: Option<String> = None;
        loop {
            let page = store.all_kept(kind, after.as_deref(), CHUNK).await?;
            for kept in &page {
                let Some(body) = without(&kept.body) else { continue };
                let same = Keep { kind, key: kept.key.clone(), body, until: kept.until };
                let commit = Commit { keep: vec![same], rests_on: vec![kept.found()], ..Commit::default() };
                pending.count(is_message(kind.into()) && is_committed(store, commit).await?);
            }
            match page.last() {
                Some(last) if page.len() == CHUNK as usize => after = Some(last.key.clone()),
                _ => break,
            }
        }
        all.push(pending);
    }
    all.retain(|pending| pending.erased + pending.left > 0);
    Ok(all)
}

impl Pending {
    fn count(&mut self, erased: bool) {
        if erased {
            self.erased += 1;
        } else {
            self.left += 1;
        }
    }
}

/// Whether a row was rewritten: not if it is being sent.
async fn is_committed(store: &dyn Store, commit: Commit) -> Result<bool, StoreError> {
    match store.commit(commit).await {
        Ok(_) => Ok(true),
        Err(CommitError::Store(error)) => Err(error),
        Err(CommitError::Conflict(_) | CommitError::Delivered) => Ok(false),
    }
}

/// Whether its rows are words for people and nothing else.
fn is_message(kind: RowKind) -> bool {
    use WorkKind::{Announce, News, Notice};
    matches!(kind, RowKind::Work(Notice | Announce | News) | RowKind::Kept(KeptKind::DeadLetter))
}
