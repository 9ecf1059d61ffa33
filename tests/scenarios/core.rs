//! The checklist's core, whatever people ask of it and in whatever order.

use insta::assert_snapshot;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sekoia_chatops::chat::{Actor, Change, Community, MessageId, UserId};
use sekoia_chatops::domain::checklist::facts::Fact;
use sekoia_chatops::domain::checklist::{
    Command, Event, Evidence, MAX_REASON, Mode, Recorded, Refusal, Session, Status, StepId, decide,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Somebody asks for something at some time.
#[derive(Debug, Clone)]
struct Asked {
    command: Command,
    by: Actor,
    at: Timestamp,
}

/// What was asked, what came of it, and the session on both sides of it.
struct Turn {
    asked: Asked,
    before: Option<Session>,
    outcome: Result<Vec<Event>, Refusal>,
    after: Option<Session>,
    /// How much had happened after it.
    happened: usize,
}

fn play(all: Vec<Asked>) -> Vec<Turn> {
    recorded(all).0
}

/// The turns, and everything that happened in them.
fn recorded(all: Vec<Asked>) -> (Vec<Turn>, Vec<Recorded>) {
    let (mut state, mut turns, mut history) = (None, Vec::new(), Vec::new());
    for asked in all {
        let before = state.clone();
        let outcome = decide(state.as_ref(), asked.command.clone(), asked.at);
        for event in outcome.iter().flatten() {
            let recorded = Recorded { event: event.clone(), by: asked.by.clone(), at: asked.at };
            state = Session::apply(state, &recorded);
            history.push(recorded);
        }
        turns.push(Turn { asked, before, outcome, after: state.clone(), happened: history.len() });
    }
    (turns, history)
}

fn fold(history: &[Recorded]) -> Option<Session> {
    history.iter().fold(None, Session::apply)
}

fn start() -> Timestamp {
    "2026-07-01T08:00:00.123456Z".parse().unwrap()
}

fn community(n: u128) -> Community {
    Community { uuid: Uuid::from_u128(n), name: format!("Nimbus {n}").into() }
}

fn evidence(summary: &str) -> Evidence {
    Evidence { summary: summary.into(), ..Evidence::default() }
}

fn step() -> impl Strategy<Value = StepId> {
    select(StepId::all().collect::<Vec<_>>())
}

fn words() -> impl Strategy<Value = Box<str>> {
    let length = MAX_REASON - 1..=MAX_REASON + 1;
    prop_oneof![
        8 => vec(any::<char>(), 0..20).prop_map(String::from_iter),
        1 => select(vec!["", " ", "\n\t"]).prop_map(String::from),
        1 => length.prop_map(|n| "é".repeat(n)),
    ]
    .prop_map(Into::into)
}

pub(super) fn user() -> impl Strategy<Value = UserId> {
    select(vec!["U0ALICE", "U0BOB"]).prop_map(UserId::slack)
}

pub(super) fn opening() -> impl Strategy<Value = Command> {
    (1..=2u128, select(vec![Mode::SingleTenant, Mode::MultiTenant]))
        .prop_map(|(n, mode)| Command::Open { community: community(n), mode })
}

pub(super) fn command() -> impl Strategy<Value = Command> {
    let fact = (words(), words()).prop_map(|(id, gone)| Fact::Held { id, gone });
    let facts = prop::option::of(vec(fact, 0..3).prop_map(Into::into));
    let found = (words(), vec(words(), 0..3), facts).prop_map(|(summary, exceptions, facts)| Evidence {
        summary,
        exceptions: exceptions.into(),
        facts,
        ..Evidence::default()
    });
    let found = found.boxed();
    let another = (words(), words()).prop_map(|(summary, detail)| Evidence {
        summary,
        details: [detail].into(),
        ..Evidence::default()
    });
    let day = (-3..12i64).prop_map(|n| start().to_zoned(TimeZone::UTC).date().saturating_add(n.days()));
    prop_oneof![
        1 => opening(),
        4 => (step(), found.clone()).prop_map(|(step, evidence)| Command::Verify { step, evidence }),
        2 => (step(), another).prop_map(|(step, evidence)| Command::See { step, evidence }),
        1 => (step(), found.clone(), found).prop_map(|(step, seen, evidence)| Command::Reverify { step, seen, evidence }),
        1 => words().prop_map(|app| Command::Share { app }),
        1 => words().prop_map(|address| Command::Account { address }),
        4 => (step(), prop::option::of(words())).prop_map(|(step, note)| Command::Attest { step, note }),
        4 => (step(), words()).prop_map(|(step, reason)| Command::Skip { step, reason }),
        2 => (step(), words()).prop_map(|(step, why)| Command::Exempt { step, why }),
        2 => (step(), words()).prop_map(|(step, on)| Command::Wait { step, on }),
        6 => step().prop_map(|step| Command::Reopen { step }),
        4 => (step(), prop::option::of(user())).prop_map(|(step, to)| Command::Assign { step, to }),
        4 => (step(), prop::option::of(day)).prop_map(|(step, due)| Command::SetDue { step, due }),
        1 => words().prop_map(|id| Command::Posted { message: MessageId(id), replaces: None }),
        1 => Just(Command::Reset),
    ]
}

/// A morning to a few weeks of people asking for things; the clock may stand still, never go back.
fn requests() -> impl Strategy<Value = Vec<Asked>> {
    let by = prop_oneof![3 => user().prop_map(Actor::Person), 1 => Just(Actor::Bot)];
    let later = prop_oneof![Just(0), 0..100_000i64];
    let first = prop::option::weighted(0.9, opening());
    (first, vec((command(), by, later), 0..30)).prop_map(|(first, rest)| {
        let opened = first.map(|command| Asked { command, by: Actor::Bot, at: start() });
        let mut at = start();
        let rest = rest.into_iter().map(|(command, by, seconds)| {
            at += SignedDuration::from_secs(seconds);
            Asked { command, by, at }
        });
        opened.into_iter().chain(rest).collect()
    })
}

proptest! {
    #[test]
    fn the_events_and_the_stored_json_both_give_the_state(asked in requests()) {
        let (turns, history) = recorded(asked);
        for turn in turns {
            prop_assert_eq!(&fold(&history[..turn.happened]), &turn.after);
            let stored: Option<Session> = serde_json::from_str(&serde_json::to_string(&turn.after).unwrap()).unwrap();
            prop_assert_eq!(&stored, &turn.after);
        }
    }

    #[test]
    fn a_step_that_is_not_open_says_who_made_it_so_and_when(asked in requests()) {
        let (turns, history) = recorded(asked);
        for Turn { after, happened, .. } in turns {
            let Some(session) = after else { continue };
            for id in StepId::all() {
                let step = session.step(id);
                let moved = |r: &&Recorded| {
                    r.event.step() == Some(id) && !matches!(r.event, Event::Assigned { .. } | Event::DueSet { .. })
                };
                let last = history[..happened].iter().rfind(moved).map(|r| Change { by: r.by.clone(), at: r.at });
                if step.status != Status::Open {
                    prop_assert!(step.changed.is_some(), "{} is {:?}", id, step.status);
                    prop_assert_eq!(&step.changed, &last);
                }
            }
        }
    }

    #[test]
    fn a_refusal_changes_nothing_and_says_why_in_a_sentence(asked in requests()) {
        for Turn { asked, before, outcome, after, .. } in play(asked) {
            match outcome {
                Ok(events) => prop_assert!(!events.is_empty(), "{:?} was granted and did nothing", asked),
                Err(refusal) => {
                    prop_assert_eq!(before, after);
                    let text = refusal.to_string();
                    prop_assert!(text.len() > 10 && text.ends_with(['.', '?', '!']), "{}", text);
                }
            }
        }
    }

    #[test]
    fn what_is_settled_stays_until_it_is_reopened(asked in requests()) {
        for Turn { asked, before, outcome, .. } in play(asked) {
            let Some(before) = before else { continue };
            let status = |step| &before.step(step).status;
            match asked.command {
                Command::Verify { step, .. } => {
                    let may = !status(step).is_settled() || matches!(status(step), Status::Attested { .. });
                    prop_assert_eq!(outcome.is_ok(), may);
                }
                Command::Attest { step, .. }
                | Command::Skip { step, .. }
                | Command::Exempt { step, .. }
                | Command::Wait { step, .. } if status(step).is_settled() => {
                    prop_assert_eq!(outcome, Err(Refusal::AlreadySettled(step, status(step).name())));
                }
                Command::Reopen { step } => prop_assert_eq!(outcome.is_ok(), *status(step) != Status::Open),
                _ => {}
            }
        }
    }

    #[test]
    fn an_assignment_or_a_due_date_must_be_new_and_possible(asked in requests()) {
        for Turn { asked, before, outcome, .. } in play(asked) {
            let Some(before) = before else { continue };
            match asked.command {
                Command::Assign { step, to } => prop_assert_eq!(outcome.is_ok(), before.step(step).assignee != to),
                Command::SetDue { step, due } => {
                    // It may still be yesterday where somebody is.
                    let yesterday = asked.at.to_zoned(TimeZone::UTC).date().yesterday().unwrap();
                    // A date that no card would show is refused.
                    let open = !before.step(step).status.is_settled();
                    let possible = due.is_none_or(|due| open && due >= yesterday);
                    let may = before.step(step).due != due && possible;
                    prop_assert_eq!(outcome.is_ok(), may);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_single_tenant_workspace_begins_without_the_communities_step(asked in requests()) {
        for Turn { asked, outcome, after, .. } in play(asked) {
            if outcome.is_ok() && matches!(asked.command, Command::Open { .. } | Command::Reset) {
                let session = after.unwrap();
                let status = &session.step(StepId::Communities).status;
                prop_assert_eq!(
                    matches!(status, Status::NotApplicable { .. }),
                    session.mode == Mode::SingleTenant,
                    "{:?}", status
                );
            }
        }
    }

    #[test]
    fn progress_and_next_agree_with_the_steps(asked in requests()) {
        for session in play(asked).into_iter().filter_map(|turn| turn.after) {
            let progress = session.progress();
            let settled = StepId::numbered().filter(|id| session.step(*id).status.is_settled()).count();
            prop_assert_eq!((progress.settled(), progress.total), (settled, 7));
            let first = StepId::numbered().find(|id| !session.step(*id).status.is_settled());
            prop_assert_eq!(session.next(), first);
            let before = StepId::Prerequisites;
            let first = if session.step(before).status.is_settled() { first } else { Some(before) };
            prop_assert_eq!(session.next_to_do(), first);
            prop_assert_eq!(session.next().is_none(), settled == progress.total);
        }
    }

    #[test]
    fn a_field_that_a_later_release_stores_does_not_disturb(asked in requests()) {
        let (turns, history) = recorded(asked);
        for Recorded { event, .. } in &history {
            let json = serde_json::to_value(event).unwrap();
            prop_assert_eq!(&serde_json::from_value::<Event>(json.clone()).unwrap(), event);
            prop_assert_eq!(&serde_json::from_value::<Event>(with_more(json)).unwrap(), event);
        }
        for Turn { after, .. } in turns {
            let json = with_more(serde_json::to_value(&after).unwrap());
            prop_assert_eq!(serde_json::from_value::<Option<Session>>(json).unwrap(), after);
        }
    }
}

/// A field more in every object that stands for a struct: `steps` has names, `by` one variant.
fn with_more(mut json: Value) -> Value {
    fn add(json: &mut Value, is_struct: bool) {
        let Value::Object(object) = json else { return };
        for (name, value) in object.iter_mut() {
            if name != "by" {
                add(value, name != "steps");
            }
        }
        if is_struct {
            object.insert("from_a_later_release".into(), json!({ "deep": [1, "two"] }));
        }
    }
    add(&mut json, true);
    json
}

/// What a fresh session of this mode answers to the last command, after the others went well.
fn refused(mode: Mode, commands: &[Command]) -> Refusal {
    let (last, before) = commands.split_last().unwrap();
    let opened = Command::Open { community: community(1), mode };
    let asked = [&opened].into_iter().chain(before);
    let asked = asked.map(|command| Asked { command: command.clone(), by: Actor::Bot, at: start() });
    let turns = play(asked.collect());
    for turn in &turns {
        turn.outcome.as_ref().unwrap();
    }
    decide(turns.last().unwrap().after.as_ref(), last.clone(), start()).unwrap_err()
}

#[test]
fn every_refusal_says_what_to_do_instead() {
    use Command::{Assign, Attest, Open, Reopen, Reset, SetDue, Skip, Verify};
    let (step, bob) = (StepId::Users, UserId::slack("U0BOB"));
    let due = |day: &str| SetDue { step, due: Some(day.parse::<Date>().unwrap()) };
    let multi = |commands: &[Command]| refused(Mode::MultiTenant, commands).to_string();
    let done = Verify { step, evidence: evidence("3 members") };
    let texts = [
        decide(None, Reset, start()).unwrap_err().to_string(),
        multi(&[Open { community: community(1), mode: Mode::MultiTenant }]),
        multi(&[done.clone(), Attest { step, note: None }]),
        multi(&[done.clone(), done]),
        refused(Mode::SingleTenant, &[Skip { step: StepId::Communities, reason: "later".into() }]).to_string(),
        multi(&[Reopen { step }]),
        multi(&[Reopen { step: StepId::Quickstart }]),
        multi(&[Skip { step, reason: " \n".into() }]),
        multi(&[Skip { step, reason: "x".repeat(MAX_REASON + 1).into() }]),
        multi(&[Assign { step, to: Some(bob.clone()) }, Assign { step, to: Some(bob) }]),
        multi(&[Assign { step, to: None }]),
        multi(&[due("2026-06-29")]),
        multi(&[due("2026-07-09"), due("2026-07-09")]),
        multi(&[SetDue { step, due: None }]),
        multi(&[Attest { step, note: None }, due("2026-07-09")]),
        multi(&[Reset]),
    ];
    assert_snapshot!(texts.join("\n"), @"
    This channel is not set up yet. An operator opens it with `/sekoia setup`.
    This channel is already set up for Nimbus 1. `/sekoia status` shows where it stands.
    Already verified: step 5 (users). `/sekoia reopen users` first if that has to change.
    Already verified: step 5 (users). `/sekoia reopen users` first if that has to change.
    Already not applicable: step 3 (communities). `/sekoia reopen communities` first if that has to change.
    Already open: step 5 (users).
    Already open: quickstart.
    A skipped step needs a reason that others understand: `/sekoia skip users <reason>`.
    A reason may have 500 characters; this one has 501.
    Already assigned to slack:U0BOB: step 5 (users).
    Nobody is assigned to step 5 (users).
    2026-06-29 is in the past. Give today or a later day, for example `/sekoia due users +7d`.
    Already due on 2026-07-09: step 5 (users).
    There is no due date on step 5 (users).
    Already attested: step 5 (users). Only an open step has a due date: `/sekoia reopen users` first.
    There is nothing to reset: no step was touched yet.
    ");
}

#[test]
fn a_fresh_single_tenant_session_has_nothing_to_reset() {
    assert_eq!(refused(Mode::SingleTenant, &[Command::Reset]), Refusal::NothingToReset);
}

#[test]
fn a_yesterday_is_accepted_because_it_may_still_be_today_somewhere() {
    let asked = |day: &str| Command::SetDue { step: StepId::Keys, due: Some(day.parse().unwrap()) };
    let session = fold(&[Recorded {
        event: Event::Opened { community: community(1), mode: Mode::MultiTenant },
        by: Actor::Bot,
        at: start(),
    }]);
    assert!(decide(session.as_ref(), asked("2026-06-30"), start()).is_ok());
    assert!(decide(session.as_ref(), asked("2026-06-29"), start()).is_err());
}

#[test]
fn another_community_keeps_who_and_by_when_but_no_status() {
    let step = StepId::Keys;
    let bob = UserId::slack("U0BOB");
    let due: Date = "2026-07-09".parse().unwrap();
    let commands = [
        Command::Open { community: community(1), mode: Mode::MultiTenant },
        Command::SetDue { step, due: Some(due) },
        Command::Verify { step, evidence: evidence("2 keys") },
        Command::Assign { step, to: Some(bob.clone()) },
        Command::Open { community: community(2), mode: Mode::SingleTenant },
    ];
    let turns = play(commands.map(|command| Asked { command, by: Actor::Bot, at: start() }).into());
    let session = turns.last().unwrap().after.clone().unwrap();
    assert_eq!(session.community, community(2));
    let keys = session.step(step);
    assert_eq!((&keys.status, &keys.changed), (&Status::Open, &None));
    assert_eq!((&keys.assignee, keys.due), (&Some(bob), Some(due)));
}
