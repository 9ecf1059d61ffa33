//! The difference between a provider's plan and its workspace: 40 communities, 500 people, 60 keys.
//! It has to take less than 50 ms; reading a plan's file stands beside it.

use std::hint::black_box;

use divan::Bencher;
use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::domain::action::PRESETS;
use sekoia_chatops::domain::plan::difference::{Line, communities, keys, people, roles};
use sekoia_chatops::domain::plan::{Lifetime, PlannedCommunity, PlannedKey, PlannedPerson, PlannedRole};
use sekoia_chatops::sekoia::{ApiKey, Avatar, Community, Permission, Role};
use serde_json::{from_value, json};
use uuid::Uuid;

const COMMUNITIES: usize = 40;
const PEOPLE: usize = 500;
const KEYS: usize = 60;
const ROLES: usize = 20;
const OWN: &str = "Nimbus";

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50)
}

struct Planned {
    communities: Vec<PlannedCommunity>,
    roles: Vec<PlannedRole>,
    people: Vec<PlannedPerson>,
    keys: Vec<PlannedKey>,
}

struct There {
    catalogue: Vec<Permission>,
    communities: Vec<Community>,
    roles: Vec<Role>,
    members: Vec<(Box<str>, Vec<Avatar>)>,
    keys: Vec<ApiKey>,
}

fn of<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    from_value(value).expect("it has the form")
}

fn unit(n: usize) -> String {
    format!("Unit {} of the bänk", n % COMMUNITIES)
}

/// Everybody is planned in every fourth community.
fn planned() -> Planned {
    let titles: Vec<Box<str>> = PRESETS.iter().flat_map(|p| p.titles.iter()).map(|t| t.as_str().into()).collect();
    let person = |n: usize| PlannedPerson {
        address: format!("person.{n}@bank.example").into(),
        role: format!("Role {}", n % ROLES).into(),
        communities: (0..COMMUNITIES / 4).map(|m| unit(n + 4 * m).into()).collect(),
    };
    let key = |n: usize| PlannedKey {
        name: format!("key {n}").into(),
        preset: Some(PRESETS[n % PRESETS.len()].id.as_str().into()),
        permissions: titles.iter().take(20).cloned().collect(),
        expires: Lifetime::default(),
        owner: None,
    };
    Planned {
        communities: (0..COMMUNITIES).map(|n| PlannedCommunity { name: unit(n).into(), about: None }).collect(),
        roles: (0..ROLES)
            .map(|n| PlannedRole {
                name: format!("Role {n}").into(),
                about: None,
                permissions: Some(titles.iter().skip(n % 10).cloned().collect()),
            })
            .collect(),
        people: (0..PEOPLE).map(person).collect(),
        keys: (0..KEYS).map(key).collect(),
    }
}

/// As planned for the most part; everybody is in every second community.
fn there() -> There {
    let titles: Vec<&str> = PRESETS.iter().flat_map(|p| p.titles.iter()).map(String::as_str).collect();
    let permission = |n: usize| -> Permission {
        let title = titles.get(n).map_or(format!("Permission {n}"), |title| (*title).to_owned());
        of(json!({ "uuid": Uuid::from_u128(n as u128), "name": format!("PERMISSION_{n}"), "title": title }))
    };
    let catalogue: Vec<Permission> = (0..300).map(permission).collect();
    let role = |n: usize| {
        let mut role: Role = of(json!({ "uuid": format!("r{n}"), "name": format!("Role {n}"), "community_uuid": "c" }));
        role.permissions = catalogue.iter().skip(n % 12).take(100).cloned().collect();
        role
    };
    let member = |n: usize| -> Avatar {
        of(json!({
            "uuid": format!("a{n}"),
            "roles": [{ "uuid": "r", "name": format!("Role {}", n % (ROLES + 1)) }],
            "user": { "email": format!("Person.{n}@Bank.example"), "confirmed": !n.is_multiple_of(10) },
        }))
    };
    let key = |n: usize| {
        let mut key: ApiKey = of(json!({ "uuid": format!("k{n}"), "name": format!("Key {n}"), "created_at": now() }));
        key.permissions = catalogue.iter().skip(n % 20).take(30).cloned().collect();
        key
    };
    let members = |m: usize| (0..PEOPLE).filter(|n| n % 2 == m % 2).map(member).collect();
    There {
        communities: (0..COMMUNITIES).map(|n| of(json!({ "uuid": Uuid::nil(), "name": unit(n) }))).collect(),
        roles: (0..ROLES).map(role).collect(),
        members: (0..COMMUNITIES).map(|m| (unit(m).into(), members(m))).collect(),
        keys: (0..KEYS).map(key).collect(),
        catalogue,
    }
}

fn difference(planned: &Planned, there: &There) -> Vec<Line> {
    let members: Vec<(Box<str>, &[Avatar])> =
        there.members.iter().map(|(name, members)| (name.clone(), members.as_slice())).collect();
    [
        communities(&planned.communities, &there.communities),
        roles(&planned.roles, &there.roles, &there.catalogue),
        people(&planned.people, OWN, &members),
        keys(&planned.keys, &there.keys, None, &[], &there.catalogue, now()),
    ]
    .concat()
}

#[divan::bench]
fn difference_of_a_large_plan(bencher: Bencher) {
    let (planned, there) = (planned(), there());
    bencher.bench(|| difference(black_box(&planned), black_box(&there)).len());
}

fn main() {
    divan::main();
}
