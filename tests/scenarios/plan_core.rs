//! The pure core of plans: what is stored gives the state, and what nobody said is never complete.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sekoia_chatops::chat::{Actor, UserId};
use sekoia_chatops::domain::plan::{
    ChannelPlan, Command, Event, Hardening, Part, Plan, PlannedCommunity, PlannedPerson, PlannedRole, Recorded, decide,
};

fn names() -> impl Strategy<Value = Vec<Box<str>>> {
    vec(select(&["Cards", "Retail", "cards", "Night shift", "Analyst"][..]), 0..4)
        .prop_map(|names| names.into_iter().map(Into::into).collect())
}

fn plan() -> impl Strategy<Value = Plan> {
    let community = |name: Box<str>| PlannedCommunity { name, about: None };
    let person = |name: Box<str>| PlannedPerson {
        address: format!("{}@x.example", name.replace(' ', ".").to_lowercase()).into(),
        role: "Analyst".into(),
        communities: Vec::new(),
    };
    let part = prop::option::of(names()).boxed();
    (part.clone(), part.clone(), part.clone(), part, prop::option::of(any::<bool>())).prop_map(
        move |(products, communities, roles, people, mfa)| Plan {
            products,
            communities: communities.map(|names| names.into_iter().map(community).collect()),
            roles: roles.map(|names| names.into_iter().map(PlannedRole::as_it_is).collect()),
            people: people.map(|names| names.into_iter().map(person).collect()),
            hardening: mfa.map(|mfa| Hardening { mfa: Some(mfa), ..Hardening::default() }),
            ..Plan::default()
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let part = || select(&Part::ALL[..]);
    prop_oneof![
        3 => (part(), plan()).prop_map(|(part, plan)| Command::Set { part, plan: Box::new(plan) }),
        3 => plan().prop_map(|plan| Command::Add { plan: Box::new(plan) }),
        2 => (0..5u8, plan()).prop_map(|(request, plan)| Command::Join {
            request: format!("request{request}").into(),
            plan: Box::new(plan),
            without: None,
        }),
        2 => (part(), prop::option::of(select(&["Cards", "Analyst", "mfa"][..])))
            .prop_map(|(part, name)| Command::Drop { part, name: name.map(Into::into) }),
        1 => Just(Command::Clear),
        1 => plan().prop_map(|plan| Command::Import { plan: Box::new(plan), origin: None }),
    ]
}

fn apply(state: Option<ChannelPlan>, event: Event) -> ChannelPlan {
    let by = Actor::Person(UserId::slack("U0ALICE"));
    ChannelPlan::apply(state, &Recorded { event, by, at: Timestamp::UNIX_EPOCH })
}

proptest! {
    #[test]
    fn the_stored_json_gives_the_plan_and_its_events(commands in vec(command(), 0..20)) {
        let mut state: Option<ChannelPlan> = None;
        for command in commands {
            let Ok(events) = decide(state.as_ref(), command) else { continue };
            for event in events {
                let read: Event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
                prop_assert_eq!(&read, &event);
                state = Some(apply(state, event));
            }
            let read: ChannelPlan = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
            prop_assert_eq!(Some(read), state.clone());
        }
    }

    /// Adding and joining never say that a part is all; only setting and importing do.
    #[test]
    fn what_nobody_said_is_never_complete(commands in vec(command(), 0..20)) {
        let mut state = ChannelPlan::default();
        for command in commands {
            let says_all = matches!(command, Command::Set { .. } | Command::Import { .. });
            let before = state.complete.len();
            let Ok(events) = decide(Some(&state), command) else { continue };
            state = events.into_iter().fold(state, |state, event| apply(Some(state), event));
            prop_assert!(says_all || state.complete.len() <= before);
        }
    }

    /// The same said twice changes nothing the second time.
    #[test]
    fn the_same_said_again_is_refused(plan in plan(), part in select(&Part::ALL[..])) {
        for command in [
            Command::Set { part, plan: Box::new(plan.clone()) },
            Command::Import { plan: Box::new(plan.clone()), origin: None },
            Command::Add { plan: Box::new(plan.clone()) },
        ] {
            let Ok(events) = decide(None, command.clone()) else { continue };
            let state = events.into_iter().fold(None, |state, event| Some(apply(state, event)));
            prop_assert!(decide(state.as_ref(), command).is_err());
        }
    }

    /// What somebody took out is not brought back by the request that once brought it.
    #[test]
    fn a_request_joins_once(plan in plan()) {
        let join = Command::Join { request: "7f3a".into(), plan: Box::new(plan), without: None };
        let events = decide(None, join.clone()).unwrap();
        let state = events.into_iter().fold(None, |state, event| Some(apply(state, event)));
        prop_assert!(decide(state.as_ref(), join).is_err());
    }
}
