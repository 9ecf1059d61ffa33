//! The core of a request, whatever people, Sekoia and time do to it and in whatever order.

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sekoia_chatops::chat::{Actor, ChannelKey, Community, UserId};
use sekoia_chatops::domain::action::{Action, BundlePart, Grant, Invitee, Named, NewCommunity};
use sekoia_chatops::domain::approval::{
    Absent, Approval, ApprovalId, Audience, BundleRef, Command, Event, Gone, How, Item, Outcome, Part, Proof, Recorded,
    Refusal, Request, Stage, Status, decide,
};
use sekoia_chatops::domain::plan::Lifetime;
use uuid::Uuid;

const TTL: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn start() -> Timestamp {
    "2026-07-01T08:00:00.123Z".parse().expect("an instant")
}

pub(super) fn user(name: &str) -> UserId {
    UserId::slack(name)
}

fn named(name: &str) -> Named {
    Named::new(Uuid::from_u128(7).to_string(), name)
}

fn key(replaces: Option<Named>) -> Action {
    let permissions = vec![named("View alerts")];
    let (community, name, description) = (named("Nimbus"), "siem".into(), "Reads the alerts".into());
    Action::CreateKey { community, name, description, permissions, expires: None, replaces }
}

pub(super) fn actions() -> Vec<Action> {
    let grants = vec![Grant { community: named("Nimbus"), role: named("Analyst") }];
    let people = vec!["a@x.example".into(), "b@x.example".into(), "c@x.example".into()];
    let revoke = Action::RevokeKey { community: named("Nimbus"), key: named("old") };
    vec![
        Action::Invite { people, grants, replaces: vec![], groups: vec![] },
        key(None),
        key(Some(named("old"))),
        revoke,
        bundle(),
    ]
}

/// A community, somebody who goes there, a key.
fn bundle() -> Action {
    let new = NewCommunity { name: "Cards".into(), description: "Cards".into() };
    let invitee = Invitee { address: "cy@x.example".into(), role: "Guest".into(), communities: vec!["Cards".into()] };
    let parts = vec![
        BundlePart::Communities { parent: named("Nimbus"), communities: vec![new] },
        BundlePart::Invite { people: vec![invitee] },
        BundlePart::Key {
            name: "siem".into(),
            description: "Reads the alerts".into(),
            permissions: vec![named("View alerts")],
            expires: Lifetime::Days(30),
            owner: Some(user("U0CAROL")),
        },
    ];
    Action::Bundle { community: named("Nimbus"), parts }
}

pub(super) fn request(action: Action, needed: u8, self_approval: bool) -> Request {
    Request {
        channel: ChannelKey::slack("T0SOC", "C0SOC"),
        community: Community { uuid: Uuid::from_u128(7), name: "Nimbus".into() },
        hash: action.hash(""),
        salt: "".into(),
        action,
        because: None,
        risks: vec![],
        account: vec![],
        needed,
        self_approval,
        expires: start() + TTL,
        bundle: None,
        audience: Audience::default(),
        reminders: vec![],
        second_factor: false,
        escalates: Some(start() + TTL / 2),
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let why = || Box::<str>::from("why");
    select(vec![
        Outcome::NotSent { why: why() },
        Outcome::Unclear { why: why() },
        Outcome::ProvenAbsent,
        Outcome::Created { uuid: "k".into(), until: start() + TTL },
        Outcome::Withdrawn { why: why() },
        Outcome::Done { uuid: None, how: How::Answered },
        Outcome::Done { uuid: None, how: How::Found },
        Outcome::Failed { why: why() },
        Outcome::ByHand { why: why() },
        Outcome::Unknown { why: why() },
    ])
}

pub(super) fn command() -> impl Strategy<Value = Command> {
    let who = || select(vec!["U0ALICE", "U0BOB", "U0CAROL"]).prop_map(user);
    prop_oneof![
        6 => (who(), proof()).prop_map(|(by, proof)| Command::Approve { by, proof }),
        1 => (who(), select(vec!["", "no"])).prop_map(|(by, why)| Command::Reject { by, reason: why.into() }),
        1 => who().prop_map(|by| Command::Cancel { by }),
        1 => Just(Command::Expire),
        2 => Just(Command::Escalate { to: vec!["slack:U0DAN".into()] }),
        6 => Just(Command::Start),
        4 => (0..2usize, who()).prop_map(|(item, by)| Command::Press { item, by, clock: None }),
        8 => (0..4usize, outcome()).prop_map(|(item, outcome)| Command::Report { item, sends: None, outcome }),
        1 => outcome().prop_map(|outcome| Command::ReportRest { outcome }),
        3 => (0..2usize).prop_map(|item| Command::Shown { item }),
        3 => who().prop_map(|by| Command::Saved { by, key: None }),
        1 => who().prop_map(|by| Command::Lost { by, key: None }),
        2 => Just(Command::Withdraw { item: 0, why: "why".into() }),
        2 => Just(Command::Again),
        4 => (0..3usize, select(vec!["0badcafe", "1badcafe"]))
            .prop_map(|(item, child)| Command::StartPart { item, child: ApprovalId::from(child) }),
        3 => absent().prop_map(|who| Command::Hold { who }),
        2 => Just(Command::Release),
    ]
}

/// None, or that of one of three identities.
fn proof() -> impl Strategy<Value = Option<Box<Proof>>> {
    let of = |subject: &str| Proof {
        issuer: "https://id.example".into(),
        subject: subject.into(),
        auth_time: start(),
        acr: Some("2".into()),
        amr: vec!["pwd".into(), "otp".into()],
    };
    proptest::option::of(select(vec!["a", "b", "c"]).prop_map(move |subject| Box::new(of(subject))))
}

/// Somebody who is gone, or two.
fn absent() -> impl Strategy<Value = Vec<Absent>> {
    let one = (
        select(vec!["U0ALICE", "U0BOB", "U0CAROL"]),
        select(vec![Part::Requester, Part::Approver]),
        select(vec![Gone::Deactivated, Gone::NoRight, Gone::Unread]),
    );
    vec(one.prop_map(|(id, part, why)| Absent { user: user(id), part, why }), 0..3)
}

/// Somebody asks, then everything happens.
fn story() -> impl Strategy<Value = (Request, Vec<(Command, i64)>)> {
    let later = prop_oneof![6 => 0..600i64, 1 => 0..100_000i64];
    (select(actions()), 1..=2u8, any::<bool>(), vec((command(), later), 0..40))
        .prop_map(|(action, needed, own, commands)| (request(action, needed, own), commands))
}

/// Who does this.
pub(super) fn actor(command: &Command) -> Actor {
    match command {
        Command::Approve { by, .. }
        | Command::Press { by, .. }
        | Command::Saved { by, .. }
        | Command::Lost { by, .. } => Actor::Person(by.clone()),
        Command::Reject { by, .. } | Command::Cancel { by } => Actor::Person(by.clone()),
        Command::Ask { .. } => Actor::Person(user("U0ALICE")),
        _ => Actor::Bot,
    }
}

fn play(request: &Request, commands: &[(Command, i64)]) -> Vec<(Option<Approval>, Recorded, Approval)> {
    let mut at = start();
    let ask = Command::Ask { id: ApprovalId::from("0badcafe"), request: Box::new(request.clone()) };
    let all = [(ask, 0)].into_iter().chain(commands.iter().cloned());
    let (mut state, mut turns): (Option<Approval>, Vec<_>) = (None, Vec::new());
    for (command, seconds) in all {
        at += SignedDuration::from_secs(seconds);
        let by = actor(&command);
        for event in decide(state.as_ref(), command, at).unwrap_or_default() {
            let recorded = Recorded { event, by: by.clone(), at };
            let before = state.clone();
            state = Approval::apply(state, &recorded);
            turns.push((before, recorded, state.clone().expect("it began")));
        }
    }
    turns
}

proptest! {
    #[test]
    fn nothing_counts_without_a_proof_where_one_is_wanted((request, commands) in story()) {
        let request = Request { second_factor: true, ..request };
        for (_, recorded, after) in play(&request, &commands) {
            prop_assert!(after.votes.iter().all(|vote| vote.proof.is_some()));
            if let Event::Approved { proof, .. } | Event::Confirmed { proof, .. } = &recorded.event {
                prop_assert!(proof.is_some());
            }
            // One identity is one vote, whatever the accounts.
            let mut subjects: Vec<_> = after.votes.iter().filter_map(|vote| Some(&vote.proof.as_ref()?.subject)).collect();
            let all = subjects.len();
            subjects.sort();
            subjects.dedup();
            prop_assert_eq!(subjects.len(), all);
        }
        // Nor does a part of a bundle whose votes have none.
        let votes = vec![sekoia_chatops::domain::approval::Vote { by: user("U0BOB"), at: start(), proof: None }];
        let ask = Command::AskApproved {
            id: ApprovalId::from("1badcafe"),
            request: Box::new(request),
            asked: user("U0ALICE"),
            votes,
            escalated: None,
        };
        prop_assert_eq!(decide(None, ask, start()), Err(Refusal::NeedsProof));
    }

    #[test]
    fn folding_the_events_gives_the_state_and_json_keeps_both((request, commands) in story()) {
        let turns = play(&request, &commands);
        let folded = turns.iter().fold(None, |state, (_, recorded, _)| Approval::apply(state, recorded));
        let last = turns.last().map(|(_, _, after)| after.clone());
        prop_assert_eq!(&folded, &last);
        let json = serde_json::to_string(&last).expect("JSON");
        prop_assert_eq!(&serde_json::from_str::<Option<Approval>>(&json).expect("the same"), &last);
        for (_, recorded, _) in &turns {
            let json = serde_json::to_string(&recorded.event).expect("JSON");
            prop_assert_eq!(&serde_json::from_str::<Event>(&json).expect("the same"), &recorded.event);
        }
    }

    #[test]
    fn nothing_starts_before_enough_different_people_approved((request, commands) in story()) {
        for (before, recorded, _) in play(&request, &commands) {
            let (Event::Started { .. }, Some(before)) = (&recorded.event, before) else { continue };
            let mut voters: Vec<_> = before.votes.iter().map(|vote| vote.by.clone()).collect();
            voters.sort();
            voters.dedup();
            prop_assert!(voters.len() >= usize::from(request.needed));
            prop_assert!(request.self_approval || !voters.contains(&user("U0ALICE")));
            prop_assert!(before.votes.iter().all(|vote| vote.at < request.expires));
        }
    }

    #[test]
    fn a_call_is_announced_again_only_if_the_last_one_did_nothing((request, commands) in story()) {
        // Nothing is sent for a bundle: its parts' requests are held to this.
        if request.action.is_bundle() {
            return Ok(());
        }
        let mut open = vec![false; request.action.items()];
        for (_, recorded, after) in play(&request, &commands) {
            match recorded.event {
                Event::Started { item, .. } => {
                    prop_assert!(!open[item], "sent twice");
                    open[item] = true;
                }
                // The only ways back: refused, proven absent, or revoked.
                Event::NotSent { item, .. } | Event::ProvenAbsent { item } | Event::Failed { item, .. } => open[item] = false,
                Event::ByHand { item, .. } | Event::Withdrawn { item, .. } => open[item] = false,
                // A person looked at what nobody could tell, and wants it sent.
                Event::Again => {
                    for (open, item) in open.iter_mut().zip(&after.items) {
                        *open &= !matches!(item, Item::Waiting);
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn what_is_done_stays_done((request, commands) in story()) {
        for (before, recorded, after) in play(&request, &commands) {
            let Some(before) = before else { continue };
            for (b, a) in before.items.iter().zip(&after.items) {
                prop_assert!(!b.is_done() || a == b);
            }
            let decided = matches!(before.stage, Stage::Rejected { .. } | Stage::Cancelled { .. } | Stage::Expired { .. });
            prop_assert!(!decided || before.stage == after.stage);
            // Of one who is gone, somebody else takes the place; nobody else's vote goes.
            if let Event::Confirmed { replaces, .. } = &recorded.event {
                prop_assert!(before.votes.iter().all(|vote| after.votes.contains(vote) || replaces.as_ref() == Some(&vote.by)));
                prop_assert!(before.votes.len() <= after.votes.len());
                continue;
            }
            prop_assert!(before.votes.iter().zip(&after.votes).all(|(b, a)| a == b) && before.votes.len() <= after.votes.len());
        }
    }

    #[test]
    fn nothing_starts_while_somebody_is_gone((request, commands) in story()) {
        for (before, recorded, after) in play(&request, &commands) {
            let Some(before) = before else { continue };
            if let Event::Started { .. } = &recorded.event {
                prop_assert_eq!(&before.held, &None);
            }
            // Only an approver, or their coming back, ends it.
            if before.needs_somebody() && after.held.is_none() {
                let ends = matches!(recorded.event, Event::Confirmed { .. } | Event::Released);
                prop_assert!(ends, "{:?}", recorded.event);
            }
        }
    }

    #[test]
    fn who_confirms_is_somebody_else_than_who_approved_or_asked((request, commands) in story()) {
        for (before, recorded, after) in play(&request, &commands) {
            let (Event::Confirmed { replaces, excuses, .. }, Some(before)) = (&recorded.event, before) else { continue };
            let Actor::Person(by) = &recorded.by else { panic!("a person") };
            prop_assert!(request.self_approval || before.requester() != Some(by));
            if let Some(gone) = replaces {
                prop_assert!(before.votes.iter().all(|vote| vote.by != *by));
                prop_assert!(after.votes.iter().all(|vote| vote.by != *gone));
                let mut voters: Vec<_> = after.votes.iter().map(|vote| vote.by.clone()).collect();
                voters.sort();
                voters.dedup();
                prop_assert_eq!(voters.len(), after.votes.len());
            }
            // Nobody who could only not be looked up is taken for gone.
            let held = before.held.expect("it was held");
            let gone = |user: &UserId| held.who.iter().any(|a| a.user == *user && a.why != Gone::Unread);
            prop_assert!(replaces.iter().chain(excuses).all(gone));
            // A new key goes to who asked, so nobody answers for them.
            prop_assert!(excuses.is_none() || !before.request.action.is_secret(0) || before.items[0].is_done());
        }
    }

    #[test]
    fn a_part_begins_when_no_earlier_one_is_under_way((request, commands) in story()) {
        for (before, recorded, _) in play(&request, &commands) {
            let (Event::Started { item, child: Some(child), .. }, Some(before)) = (&recorded.event, before) else {
                continue;
            };
            // What was begun before goes on; the rest is in order.
            let goes_on = before.child(*item) == Some(child) && !matches!(before.items[*item], Item::Waiting);
            let earlier = &before.items[..*item];
            let in_order = earlier.iter().all(|i| !matches!(i, Item::Waiting | Item::Started { .. }));
            prop_assert!(goes_on || in_order, "{before:?}");
        }
    }

    #[test]
    fn a_secret_key_is_pressed_for_by_who_asked_alone((request, commands) in story()) {
        for (before, recorded, _) in play(&request, &commands) {
            let (Event::Started { item, .. }, Some(before)) = (&recorded.event, before) else { continue };
            if before.waits_for_a_press(*item) {
                prop_assert_eq!(&recorded.by, &before.asked.by);
                prop_assert!(*item == 0 || before.items[0].is_done());
            }
        }
    }
}

#[test]
fn an_action_that_was_edited_after_the_approval_is_not_carried_out() {
    let asked = request(actions().swap_remove(0), 1, false);
    let turns = play(&asked, &[(Command::Approve { by: user("U0BOB"), proof: None }, 1)]);
    let mut approved = turns.last().expect("it was approved").2.clone();
    assert_eq!(approved.status(), Status::Approved);
    let Action::Invite { people, .. } = &mut approved.request.action else { panic!("an invitation") };
    people.push("mallory@evil.example".into());
    approved.items.push(Item::Waiting);
    let refused = decide(Some(&approved), Command::Start, start());
    assert_eq!(refused, Err(sekoia_chatops::domain::approval::Refusal::Altered));
}

/// A bundle that was approved.
fn approved_bundle() -> Approval {
    let asked = request(bundle(), 1, false);
    play(&asked, &[(Command::Approve { by: user("U0BOB"), proof: None }, 1)]).pop().expect("it was approved").2
}

fn begins(item: usize, child: &str) -> Command {
    Command::StartPart { item, child: ApprovalId::from(child) }
}

#[test]
fn a_bundle_that_was_edited_after_the_approval_begins_no_part() {
    let mut approved = approved_bundle();
    assert_eq!(approved.parts_due(), [0]);
    assert!(decide(Some(&approved), begins(0, "1badcafe"), start()).is_ok());
    let Action::Bundle { parts, .. } = &mut approved.request.action else { panic!("a bundle") };
    let BundlePart::Invite { people } = &mut parts[1] else { panic!("an invitation") };
    people[0].role = "Admin".into();
    let altered = Err(sekoia_chatops::domain::approval::Refusal::Altered);
    assert_eq!(decide(Some(&approved), begins(0, "1badcafe"), start()), altered);
}

#[test]
fn a_part_of_a_bundle_rests_on_its_votes_and_on_who_keeps_the_key() {
    let approved = approved_bundle();
    let (bundle, keeper) = (approved.id.clone(), user("U0CAROL"));
    let of = |asked: UserId| {
        let by = user("U0ALICE");
        let child =
            Request { bundle: Some(BundleRef { id: bundle.clone(), item: 2, by }), ..request(key(None), 1, false) };
        let votes = approved.votes.clone();
        let ask = Command::AskApproved {
            id: ApprovalId::from("1badcafe"),
            request: Box::new(child),
            asked,
            votes,
            escalated: None,
        };
        let events = decide(None, ask, start()).expect("it begins");
        let recorded = |event| Recorded { event, by: Actor::Bot, at: start() };
        events.into_iter().fold(None, |state, event| Approval::apply(state, &recorded(event))).expect("a request")
    };
    let child = of(keeper.clone());
    assert_eq!((child.status(), child.next_call()), (Status::Approved, None));
    let on = |asked: &Approval| {
        asked.rests_on().into_iter().map(|(user, part)| (user.to_string(), part)).collect::<Vec<_>>()
    };
    assert_eq!(
        on(&child),
        [
            (keeper.to_string(), Part::Owner),
            (user("U0ALICE").to_string(), Part::Requester),
            (user("U0BOB").to_string(), Part::Approver)
        ]
    );
    assert_eq!(on(&of(user("U0ALICE")))[0], (user("U0ALICE").to_string(), Part::Requester));
    // The key is for who keeps it, and for nobody else.
    let press = |by: UserId| decide(Some(&child), Command::Press { item: 0, by, clock: None }, start());
    assert_eq!(press(user("U0ALICE")), Err(Refusal::NotKeeper));
    assert!(press(keeper.clone()).is_ok());
    // Without them nobody can confirm it; without who asked, somebody can.
    let held = |who: UserId, part| {
        let hold = Command::Hold { who: vec![Absent { user: who, part, why: Gone::Deactivated }] };
        let events = decide(Some(&child), hold, start()).expect("it is held");
        let recorded = Recorded { event: events[0].clone(), by: Actor::Bot, at: start() };
        Approval::apply(Some(child.clone()), &recorded).expect("a request")
    };
    assert!(!held(keeper, Part::Owner).can_be_confirmed());
    let without_alice = held(user("U0ALICE"), Part::Requester);
    assert!(without_alice.can_be_confirmed());
    assert!(decide(Some(&without_alice), Command::Approve { by: user("U0DAVE"), proof: None }, start()).is_ok());
    // Who asked for the bundle may take a part of it back.
    assert!(decide(Some(&child), Command::Cancel { by: user("U0ALICE") }, start()).is_ok());
}

#[test]
fn the_hash_is_of_the_exact_action() {
    let hashes: Vec<_> = actions().iter().map(|action| action.hash("")).collect();
    let mut different = hashes.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), hashes.len());
    assert_eq!(key(None).hash(""), key(None).hash(""));
    assert_ne!(key(None).hash("salt:1"), key(None).hash(""));
    // What is stored today is verified tomorrow: the JSON that is hashed never changes.
    insta::assert_snapshot!(key(None).hash(""), @"5e3c9bb28398bd79db37c63bbfa0a1734f20d1e37d087e0b3d58718ad994f992");
    insta::assert_snapshot!(bundle().hash(""), @"338e2167761ef910049c375530b20477d779af42ce6ef02b429983f8f0ccedaa");
}

#[test]
fn a_key_is_never_waited_for_longer_than_before() {
    let asked = request(key(None), 1, false);
    let until = start() + TTL;
    let created = Outcome::Created { uuid: "k".into(), until };
    let steps = [
        Command::Approve { by: user("U0BOB"), proof: None },
        Command::Press { item: 0, by: user("U0ALICE"), clock: None },
        Command::Report { item: 0, sends: None, outcome: created },
    ];
    let state = play(&asked, &steps.map(|command| (command, 1))).pop().expect("it was asked").2;
    assert!(matches!(state.items[0], Item::Created { .. }), "{:?}", state.items);
    let confirm_by = |until| decide(Some(&state), Command::ConfirmBy { item: 0, until }, start());
    let minute = SignedDuration::from_mins(1);
    assert_eq!(confirm_by(until - minute), Ok(vec![Event::ConfirmBy { item: 0, until: until - minute }]));
    for later in [until, until + minute] {
        assert_eq!(confirm_by(later), Err(Refusal::NothingToDo));
    }
}

#[test]
fn a_request_that_waits_longer_than_any_can_is_over() {
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    // The longest that may be set, and one that was asked for while the clock was a year ahead.
    for (expires, over) in [(days(30), false), (days(366), true)] {
        let request = Request { expires: start() + expires, ..request(key(None), 1, false) };
        let asked = play(&request, &[]).pop().expect("it was asked").2;
        let approve = decide(Some(&asked), Command::Approve { by: user("U0BOB"), proof: None }, start());
        let expire = decide(Some(&asked), Command::Expire, start());
        assert_eq!((approve.is_err(), expire.is_ok()), (over, over), "{expires:?}");
    }
}
