use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::domain::action::{Action, NewCommunity, Prepared, Problem};
use crate::domain::plan::{Plan, PlannedCommunity, PlannedKey, PlannedPerson, PlannedRole};
use crate::sekoia::{ApiKey, Permission};

const ROOT: Uuid = Uuid::from_u128(1);
const READ: &str = "00000000-0000-0000-0000-0000000000a1";
const WRITE: &str = "00000000-0000-0000-0000-0000000000a2";

/// What Sekoia has.
#[derive(Clone)]
struct World {
    root: Community,
    children: Vec<Community>,
    roles: Vec<Role>,
    keys: Vec<ApiKey>,
    catalogue: Vec<Permission>,
    held: Vec<Permission>,
    /// By community.
    members: Vec<(Uuid, Vec<Avatar>)>,
}

fn of<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn community(uuid: Uuid, name: &str) -> Community {
    of(json!({ "uuid": uuid, "name": name, "is_parent": uuid == ROOT }))
}

fn role_of(community: Option<Uuid>, name: &str) -> Role {
    of(json!({ "uuid": format!("role {name}"), "name": name, "community_uuid": community }))
}

fn member(address: &str) -> Avatar {
    of(json!({ "uuid": address, "roles": [], "user": { "email": address, "confirmed": true } }))
}

impl World {
    fn new() -> Self {
        let catalogue: Vec<Permission> = vec![
            of(json!({ "uuid": READ, "name": "SIC_READ_ALERTS", "title": "View alerts" })),
            of(json!({ "uuid": WRITE, "name": "SIC_WRITE_ALERTS", "title": "Edit alerts" })),
        ];
        let roles = BUILT_IN.map(|name| role_of(None, name)).into();
        Self {
            root: community(ROOT, "Nimbus"),
            children: vec![community(Uuid::from_u128(2), "Retail")],
            roles,
            keys: vec![],
            held: catalogue.clone(),
            catalogue,
            members: vec![(ROOT, vec![member("zoe@x.example")])],
        }
    }

    fn facts(&self) -> BundleFacts<'_> {
        let own = Named::new(ROOT.to_string(), "Nimbus");
        let people = [&self.root].into_iter().chain(&self.children).map(|c| {
            let members = self.members.iter().find(|(of, _)| *of == c.uuid).map_or(&[][..], |(_, all)| all);
            (Named::new(c.uuid.to_string(), c.name()), members, &self.roles[..])
        });
        BundleFacts {
            workspace: Some((&self.root, &self.children)),
            roles: RoleFacts {
                community: own.clone(),
                roles: &self.roles,
                catalogue: &self.catalogue,
                own: &self.held,
            },
            keys: KeyFacts {
                community: own,
                keys: &self.keys,
                catalogue: &self.catalogue,
                own: &self.held,
                own_key: None,
                now: "2026-07-01T08:00:00Z".parse().unwrap(),
            },
            people: people.collect(),
        }
    }

    /// Everything that a request would do.
    fn carry_out(&mut self, action: &Action) {
        match action {
            Action::CreateCommunities { communities, .. } => {
                for NewCommunity { name, .. } in communities {
                    let uuid = Uuid::from_u128(100 + self.children.len() as u128);
                    self.children.push(community(uuid, name));
                }
            }
            Action::CreateRole { name, .. } => self.roles.push(role_of(Some(ROOT), name)),
            Action::Invite { people, .. } => {
                for (item, person) in people.iter().enumerate() {
                    for grant in action.grants(item) {
                        let uuid: Uuid = grant.community.uuid.parse().unwrap();
                        match self.members.iter_mut().find(|(of, _)| *of == uuid) {
                            Some((_, all)) => all.push(member(person)),
                            None => self.members.push((uuid, vec![member(person)])),
                        }
                    }
                }
            }
            Action::CreateKey { name, .. } => {
                self.keys.push(of(json!({ "uuid": format!("key {name}"), "name": name, "status": "active" })));
            }
            Action::RevokeKey { .. } | Action::Bundle { .. } => panic!("no part is that"),
        }
    }
}

fn person(address: &str, role: &str, communities: &[&str]) -> PlannedPerson {
    let communities = communities.iter().map(|c| (*c).into()).collect();
    PlannedPerson { address: address.into(), role: role.into(), communities }
}

fn role(name: &str, permissions: Option<&[&str]>) -> PlannedRole {
    let permissions = permissions.map(|all| all.iter().map(|p| (*p).into()).collect());
    PlannedRole { name: name.into(), about: None, permissions }
}

fn planned_key(name: &str, expires: Lifetime) -> PlannedKey {
    PlannedKey { name: name.into(), preset: None, permissions: vec!["View alerts".into()], expires, owner: None }
}

fn plan() -> Plan {
    Plan {
        communities: Some(vec![
            PlannedCommunity { name: "Retail".into(), about: None },
            PlannedCommunity { name: "Cards".into(), about: Some("For the cards".into()) },
        ]),
        roles: Some(vec![role("Analyst", None), role("Night", Some(&["View alerts", "Edit alerts"]))]),
        people: Some(vec![
            person("cy@x.example", "Guest", &["Cards", "Nimbus"]),
            person("zoe@x.example", "Admin", &[]),
            person("ana@x.example", "Analyst", &[]),
            person("bo@x.example", "Night", &[]),
            person("di@x.example", "Analyst", &["Retail"]),
        ]),
        keys: Some(vec![planned_key("siem", Lifetime::Days(30)), planned_key("soar", Lifetime::Never)]),
        ..Plan::default()
    }
}

fn parts(prepared: &Prepared) -> Vec<String> {
    prepared.action.parts().iter().map(BundlePart::title).collect()
}

fn refused(plan: &Plan, world: &World) -> String {
    bundle(plan, &world.facts()).unwrap_err().text.plain()
}

#[test]
fn what_is_missing_is_in_order_and_people_who_wait_are_apart() {
    let prepared = bundle(&plan(), &World::new().facts()).unwrap();
    assert_eq!(
        parts(&prepared),
        [
            "Create the community Cards",
            "Create the role Night",
            // Zoe is in, whatever role the plan has for her.
            "Invite 2 people as Analyst to Nimbus, Retail",
            "Invite cy@x.example as Guest to Cards, Nimbus",
            "Invite bo@x.example as Night to Nimbus",
            "Create the API key siem",
            "Create the API key soar",
        ]
    );
    assert!(prepared.sensitive, "a key that never expires");
    let risks = prepared.risks.join("\n");
    for says in ["Night: can change things: Edit alerts", "soar: never expires", "1 community under Nimbus"] {
        assert!(risks.contains(says), "{risks}");
    }
    assert_eq!(prepared.action.title(), "Set up 1 community, 1 role, 4 people and 2 API keys");
    let json = serde_json::to_string(&prepared.action).unwrap();
    assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), prepared.action);
}

#[test]
fn carried_out_once_nothing_is_missing_any_more() {
    let mut world = World::new();
    let prepared = bundle(&plan(), &world.facts()).unwrap();
    for part in prepared.action.parts() {
        let request = part.prepare(&world.facts()).unwrap().expect("something is missing");
        world.carry_out(&request.action);
        assert_eq!(part.prepare(&world.facts()), Ok(None), "{part:?}");
    }
    assert!(refused(&plan(), &world).starts_with("Nothing is missing"));
    // And nobody is in anything twice.
    for (_, members) in &world.members {
        let mut addresses: Vec<_> = members.iter().filter_map(Avatar::email).collect();
        let all = addresses.len();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), all);
    }
}

#[test]
fn what_came_meanwhile_is_left_out_and_said() {
    let mut world = World::new();
    let people = Plan {
        people: Some(vec![
            person("ana@x.example", "Analyst", &[]),
            person("bo@x.example", "Guest", &["Nimbus", "Retail"]),
        ]),
        ..Plan::default()
    };
    let prepared = bundle(&people, &world.facts()).unwrap();
    let [part] = prepared.action.parts() else { panic!("one part") };
    world.members[0].1.extend([member("ANA@x.example"), member("bo@x.example")]);
    let left = part.prepare(&world.facts()).unwrap().unwrap();
    assert_eq!(
        *left.account,
        ["1 of 2 people; 1 there already".into(), "ana@x.example is in or invited already".into()]
    );
    let Action::Invite { people, grants, .. } = &left.action else { panic!("an invitation") };
    assert_eq!(
        (people.as_slice(), grants.len(), &*grants[0].community.name),
        (&["bo@x.example".into()][..], 1, "Retail")
    );
}

#[test]
fn a_part_whose_needs_are_not_there_says_which() {
    let world = World::new();
    let prepared = bundle(&plan(), &world.facts()).unwrap();
    let lacks: Vec<Lacks> = prepared.action.parts().iter().filter_map(|p| p.prepare(&world.facts()).err()).collect();
    let own = Named::new(ROOT.to_string(), "Nimbus");
    assert_eq!(lacks, [Lacks::Community("Cards".into()), Lacks::Role { role: "Night".into(), community: own }]);
    // The bot gives no permission that it lost.
    let mut poorer = World::new();
    poorer.held.pop();
    let night = &prepared.action.parts()[1];
    let why = |problem: &Problem| problem.text.plain();
    let lost = night.prepare(&poorer.facts());
    assert!(matches!(&lost, Err(Lacks::Wrong(problem)) if why(problem).contains("Edit alerts")), "{lost:?}");
}

#[test]
fn what_a_plan_cannot_have_is_named() {
    let mut world = World::new();
    world.keys.push(of(json!({ "uuid": "k", "name": "SIEM", "expires_at": "2026-06-01T00:00:00Z" })));
    let with = |change: fn(&mut Plan)| {
        let mut changed = plan();
        change(&mut changed);
        changed
    };
    let cases: [(Plan, &str); 7] = [
        (with(|p| p.roles = Some(vec![role("Watch", None)])), "The role \"Watch\": Sekoia has no such role."),
        (with(|p| p.roles = Some(vec![role("Night", Some(&["Fly"]))])), "called \"Fly\""),
        (
            with(|p| {
                let one = role("Night", Some(&["View alerts"]));
                p.roles = Some(vec![role("night", Some(&["Edit alerts"])), one]);
            }),
            "The plan has two roles called",
        ),
        (
            with(|p| p.people = Some(vec![person("a@x.example", "Guest", &[]), person("A@x.example", "Guest", &[])])),
            "a@x.example is in the plan twice.",
        ),
        (
            with(|p| p.people = Some(vec![person("a@x.example", "Night", &["Cards"])])),
            "only the roles that Sekoia brings",
        ),
        (
            with(|p| p.people = Some(vec![person("a@x.example", "Night", &["Retail"])])),
            "no role called \"Night\" in Retail",
        ),
        (with(|p| p.keys = Some(vec![planned_key("soar", Lifetime::Days(400))])), "more than a year ahead"),
    ];
    for (plan, says) in cases {
        let told = refused(&plan, &world);
        assert!(told.contains(says), "{told}");
    }
    // A key that expired keeps its name.
    let prepared = bundle(&plan(), &world.facts()).unwrap();
    assert!(!parts(&prepared).contains(&"Create the API key siem".to_owned()));
    assert!(
        prepared.notes.iter().any(|note| note.contains("\"siem\" is there and has expired")),
        "{:?}",
        prepared.notes
    );
}
