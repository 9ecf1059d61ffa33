//! What is scheduled, by what was committed; and what a change has to schedule.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::chat::Actor;
use sekoia_chatops::domain::approval::{Approval, Item, Stage, Status};
use sekoia_chatops::domain::checklist::{Event, Session};
use sekoia_chatops::state::stream::Folded;
use sekoia_chatops::store::{Commit, RowKind, Schedule, Store, Work, WorkKind, Write};

use super::ALL;
use super::reference::{Expected, Model, STREAMS, channel, request};

/// Done steps are verified again.
const WATCH: SignedDuration = SignedDuration::from_hours(6);

#[derive(Default)]
pub struct Ledger {
    work: BTreeMap<(WorkKind, String), Work>,
    /// Everything that was scheduled, done or not.
    ever: Vec<Work>,
    versions: BTreeMap<String, u64>,
}

impl Ledger {
    /// Something that was scheduled at some time; the largest number is the last.
    pub fn nth(&self, n: usize) -> Option<Work> {
        let last = self.ever.len().checked_sub(1)?;
        self.ever.get(if n > last && n < usize::MAX { n % (last + 1) } else { n.min(last) }).cloned()
    }

    pub fn has(&self, kind: WorkKind, key: &str) -> bool {
        self.work.contains_key(&(kind, key.to_owned()))
    }

    /// Whether it was neither done nor scheduled anew.
    pub fn is_present(&self, work: &Work) -> bool {
        let there = self.work.get(&(work.kind, work.key.clone()));
        there.is_some_and(|there| there.generation == work.generation)
    }

    /// Notes what was committed since, in an order in which it can have been.
    pub async fn enter(&mut self, mut committed: Vec<(Commit, Vec<u64>)>, store: &dyn Store, model: &Model) {
        let mut scheduled: BTreeMap<(WorkKind, String), Vec<u64>> = BTreeMap::new();
        while !committed.is_empty() {
            let version = |write: &Write| self.versions.get(write.stream.as_str()).copied().unwrap_or_default();
            let fits = |(commit, _): &(Commit, _)| commit.writes.iter().all(|write| version(write) == write.expected);
            let next = committed.iter().position(fits).expect("of two changes of one version, one is committed");
            let (commit, generations) = committed.remove(next);
            owes_what_it_should(&commit, model);
            for (new, generation) in commit.schedule.iter().zip(&generations) {
                scheduled.entry((new.kind, new.key.clone())).or_default().push(*generation);
            }
            self.note(commit, &generations);
        }
        // Of two that scheduled the same at the same time, either may have been the last.
        for (place, generations) in scheduled.into_iter().filter(|(_, generations)| generations.len() > 1) {
            let there = store.find(place.0, &place.1).await.unwrap();
            if let (Some(there), Some(noted)) = (there, self.work.get_mut(&place))
                && generations.contains(&there.generation)
            {
                noted.generation = there.generation;
            }
        }
    }

    fn note(&mut self, commit: Commit, generations: &[u64]) {
        for write in commit.writes {
            self.versions.insert(write.stream.as_str().to_owned(), write.expected + write.records.len() as u64);
        }
        for done in commit.finished {
            let RowKind::Work(kind) = done.kind else { continue };
            let place = (kind, done.key);
            if self.work.get(&place).is_some_and(|work| work.generation == done.generation) {
                self.work.remove(&place);
            }
        }
        for (put_off, due) in commit.postponed {
            let RowKind::Work(kind) = put_off.kind else { continue };
            let work = self.work.get_mut(&(kind, put_off.key));
            if let Some(work) = work.filter(|work| work.generation == put_off.generation) {
                work.due = due;
                work.attempts += 1;
            }
        }
        assert_eq!(commit.schedule.len(), generations.len());
        for (Schedule { kind, key, due, attempts, body }, generation) in commit.schedule.into_iter().zip(generations) {
            let again = |ever: &Work| (ever.kind, &ever.key, ever.generation) == (kind, &key, *generation);
            assert!(!self.ever.iter().any(again), "{} {key} has a generation of before", kind.name());
            let work = Work { kind, key: key.clone(), due, attempts, body, generation: *generation };
            self.ever.push(work.clone());
            self.work.insert((kind, key), work);
        }
    }

    /// The store has this work, and no other.
    pub async fn check(&self, store: &dyn Store, now: Timestamp) {
        let all = |kind| self.work.values().filter(move |work| work.kind == kind);
        let due = store.backlog(&WorkKind::ALL, now).await.unwrap();
        for (found, all_of_it) in due.iter().zip(store.backlog(&WorkKind::ALL, Timestamp::MAX).await.unwrap()) {
            let kind = found.kind;
            assert_eq!(found.count, all(kind).filter(|work| work.due <= now).count() as u64, "{} due", kind.name());
            assert_eq!(all_of_it.count, all(kind).count() as u64, "{} in all", kind.name());
            if all_of_it.count > 0 {
                let mut there: Vec<Work> = all(kind).cloned().collect();
                there.sort_by_key(|work| (work.due, work.generation));
                assert_eq!(store.due(kind, Timestamp::MAX, ALL).await.unwrap(), there);
            }
        }
    }
}

/// The state before and after a write, if it is one of these streams.
fn around<'m, S: Folded>(
    all: &'m [Expected<S>],
    write: &Write,
    key: impl Fn(usize) -> String,
) -> Option<Around<'m, S>> {
    let on = (0..STREAMS).find(|on| write.stream.family() == S::FAMILY && write.stream.key() == key(*on))?;
    let version = write.expected + write.records.len() as u64;
    let after = all[on].states.get(&version).expect("what was committed is what was predicted");
    Some((on, version, all[on].states.get(&write.expected), after))
}

type Around<'m, S> = (usize, u64, Option<&'m S>, &'m S);

/// What is committed with a change is what it leads to.
fn owes_what_it_should(commit: &Commit, model: &Model) {
    for write in &commit.writes {
        if let Some((on, version, _, after)) = around(&model.sessions, write, |on| channel(on).as_str().to_owned()) {
            let mut owed = owed_by_session(on, version, after, write);
            let mut there: Vec<_> = commit.schedule.iter().map(|new| (new.kind, new.key.clone(), new.due)).collect();
            owed.sort();
            there.sort();
            assert_eq!(there, owed, "owed because of {:?}", write.records);
        }
        if let Some((on, _, before, after)) = around(&model.requests, write, |on| request(on).as_str().to_owned()) {
            owed_by_request(on, before, after, write, &commit.schedule);
        }
    }
}

type Owed = (WorkKind, String, Timestamp);

/// The message, what those are told whose step it is, their reminders, and when it is looked at again.
fn owed_by_session(on: usize, version: u64, after: &Session, write: &Write) -> Vec<Owed> {
    let channel = channel(on);
    let at = write.records[0].at;
    let events: Vec<Event> = write.records.iter().map(|r| serde_json::from_str(&r.body).unwrap()).collect();
    let shown = |event: &&Event| {
        !matches!(event, Event::ProgressPosted { .. } | Event::AccountGiven { .. } | Event::AddressShared { .. })
    };
    let mut owed = Vec::new();
    if events.iter().any(|event| shown(&event)) {
        owed.push((WorkKind::Progress, channel.as_str().to_owned(), at));
    }
    for event in &events {
        if let Event::Assigned { to: Some(to), .. } = event
            && Actor::Person(to.clone()).name() != write.records[0].actor
        {
            owed.push((WorkKind::Notice, format!("assigned/{channel}/{version}"), at));
        }
        if let Some(step) = event.step().map(|step| after.step(step))
            && let (Some(assignee), Some(_), false) = (&step.assignee, step.due, step.status.is_settled())
        {
            owed.push((WorkKind::Reminder, format!("{assignee}/anew"), at));
        }
    }
    if events.iter().any(|event| matches!(event, Event::Verified { .. })) {
        owed.push((WorkKind::Drift, channel.as_str().to_owned(), at + WATCH));
    }
    owed
}

/// It is open until its time is out, whoever is to see to its calls does, and the checklist shows it.
fn owed_by_request(on: usize, before: Option<&Approval>, after: &Approval, write: &Write, schedule: &[Schedule]) {
    let at = write.records[0].at;
    let of = |kind| schedule.iter().find(|new| new.kind == kind && new.key == request(on).as_str()).map(|new| new.due);
    let status = after.status();
    let changed = before.map(Approval::status) != Some(status);
    let open = match status {
        Status::Requested | Status::Approved | Status::Held => after.request.expires,
        status if status.is_open() => Timestamp::MAX,
        _ => at,
    };
    assert_eq!(of(WorkKind::Open), changed.then_some(open), "{status:?}: open until");
    if changed {
        assert_eq!(of(WorkKind::ChecklistSync), Some(at));
        assert!(of(WorkKind::Card).is_some(), "its card is edited");
    }
    let under_way = |item: &Item| matches!(item, Item::Started { .. } | Item::Unclear { .. } | Item::Created { .. });
    let carried_out = !after.is_bundle() && after.items.iter().any(under_way);
    let execute = of(WorkKind::Execute);
    if !matches!(after.stage, Stage::Approved) {
        assert_eq!(execute, None, "{status:?}: nothing is carried out");
    } else if after.held.is_none() && after.next_call().is_some() {
        assert!(execute.is_some_and(|due| due <= at), "{status:?}: it is carried out now, not {execute:?}");
    } else {
        assert_eq!(execute.is_some(), carried_out, "{status:?}: somebody looks at its calls");
    }
}
