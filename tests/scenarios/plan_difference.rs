//! The difference between a plan and what Sekoia has.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use proptest::collection::{hash_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sekoia_chatops::chat::text::fold;
use sekoia_chatops::chat::{Actor, Change};
use sekoia_chatops::domain::action::Preset;
use sekoia_chatops::domain::notify::{LastFired, Rule, Rules, Trigger, Watch, Webhook};
use sekoia_chatops::domain::plan::difference::{
    Line, Mark, communities, hardening, keys, people, products, region, roles, triggers,
};
use sekoia_chatops::domain::plan::{
    Hardening, Lifetime, Part, Plan, PlannedCommunity, PlannedKey, PlannedPerson, PlannedRole,
};
use sekoia_chatops::sekoia::{ApiKey, Avatar, Community, Licence, Permission, Region, Role};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

fn now() -> Timestamp {
    "2026-10-20T08:00:00Z".parse().unwrap()
}

fn of<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn shown(lines: &[Line]) -> String {
    let line = |line: &Line| {
        let detail = line.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        format!("{} {}{detail}\n", line.mark.sign(), line.what)
    };
    lines.iter().map(line).collect()
}

const OWN: &str = "Nimbus";
const KEY: &str = "the bot's";

/// All that the presets know of, and two of one title.
fn catalogue() -> Vec<Permission> {
    let presets = sekoia_chatops::domain::action::PRESETS.iter().flat_map(|preset| preset.titles.iter());
    let mut titles: Vec<&str> = presets.map(String::as_str).collect();
    titles.sort_unstable();
    titles.dedup();
    titles.extend(["Twice", "Twice"]);
    let permission = |(at, title): (usize, &&str)| permission(at, title);
    titles.iter().enumerate().map(permission).collect()
}

fn permission(at: usize, title: &str) -> Permission {
    of(json!({ "uuid": format!("00000000-0000-0000-0000-{at:012x}"), "title": title,
               "name": format!("P{at}_{}", title.to_uppercase().replace(' ', "_")) }))
}

fn held(names: &[&str]) -> Vec<Permission> {
    let all = catalogue();
    let called = |name: &&str| all.iter().find(|p| p.is(name)).unwrap_or_else(|| panic!("{name}")).clone();
    names.iter().map(called).collect()
}

fn named(names: &[&str]) -> Vec<Box<str>> {
    names.iter().map(|name| Box::from(*name)).collect()
}

fn community(name: &str) -> Community {
    of(json!({ "uuid": Uuid::new_v4(), "name": name }))
}

fn role(name: &str, built_in: bool, permissions: &[Permission]) -> Role {
    let mut role: Role =
        of(json!({ "uuid": format!("role {name}"), "name": name, "community_uuid": (!built_in).then_some("c") }));
    role.permissions = permissions.to_vec();
    role
}

fn member(address: &str, roles: &[&str], more: Value) -> Avatar {
    let roles: Vec<Value> = roles.iter().map(|name| json!({ "uuid": format!("role {name}"), "name": name })).collect();
    let mut user = json!({ "email": address, "confirmed": true });
    let mut avatar = json!({ "uuid": format!("avatar {address} {roles:?} {more}"), "roles": roles });
    for (field, value) in more.as_object().unwrap() {
        let place = if field == "status" { &mut avatar } else { &mut user };
        place[field] = value.clone();
    }
    avatar["user"] = user;
    of(avatar)
}

fn key(name: &str, days: Option<i64>, permissions: &[Permission], more: Value) -> ApiKey {
    let created = now() - SignedDuration::from_hours(24);
    let expires = days.map(|days| created + SignedDuration::from_hours(24 * days));
    let mut json = json!({ "uuid": format!("key {name} {days:?} {more}"), "name": name, "created_at": created,
                           "expires_at": expires });
    json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut key: ApiKey = of(json);
    key.permissions = permissions.to_vec();
    key
}

fn planned_key(name: &str, preset: Option<&str>, with: &[&str], expires: Lifetime) -> PlannedKey {
    PlannedKey { name: name.into(), preset: preset.map(Box::from), permissions: named(with), expires, owner: None }
}

fn person(address: &str, role: &str, communities: &[&str]) -> PlannedPerson {
    PlannedPerson { address: address.into(), role: role.into(), communities: named(communities) }
}

#[test]
fn a_product_is_there_if_an_active_licence_has_its_words() {
    let licence = |title: &str, module: &str, kind: &str, from: &str, to: &str, properties: Value| -> Licence {
        of(json!({ "license_type": kind, "plan": { "title": title, "module": { "name": module } },
                   "properties": properties, "start": from, "end": to }))
    };
    let licences = [
        licence("Defend Prime", "xdr", "PAYG", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", json!({})),
        licence("Defend Prime", "xdr", "PAYG", "2026-01-01T00:00:00Z", "2027-06-01T00:00:00Z", json!({})),
        licence(
            "Bundle",
            "x",
            "PAYG",
            "2026-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
            json!({ "reveal_assets": 500, "elevate": false, "score": 0, "endpoint": true }),
        ),
        licence("Intelligence", "cti", "TRIAL", "2026-01-01T00:00:00Z", "2026-10-01T00:00:00Z", json!({})),
        licence("Elevate", "ai", "PAYG", "2026-11-01T00:00:00Z", "2027-11-01T00:00:00Z", json!({})),
    ];
    let planned = named(&[
        "Defend",
        "prime DEFEND",
        "Defend Core",
        "reveal",
        "Score",
        "core",
        "cti",
        "Elevate",
        "Endpoint",
        "Fend",
        "!",
    ]);
    assert_snapshot!(shown(&products(&planned, &licences, now())), @"
    = Defend: Defend Prime until 2027-06-01
    = prime DEFEND: Defend Prime until 2027-06-01
    + Defend Core: no active licence; your Sekoia contact can tell what was ordered
    = reveal: Bundle until 2027-01-01
    + Score: no active licence; your Sekoia contact can tell what was ordered
    + core: no active licence; your Sekoia contact can tell what was ordered
    + cti: the licence ended on 2026-10-01
    … Elevate: the licence starts on 2026-11-01
    = Endpoint: Bundle until 2027-01-01
    + Fend: no active licence; your Sekoia contact can tell what was ordered
    + !: no active licence; your Sekoia contact can tell what was ordered
    - Bundle
    ");
    assert_snapshot!(shown(&products(&[], &licences, now())), @"
    - Defend Prime
    - Bundle
    ");
    assert_snapshot!(shown(&products(&named(&["Defend"]), &[], now())), @"+ Defend: no active licence; your Sekoia contact can tell what was ordered");
}

#[test]
fn a_region_is_the_one_where_the_key_works() {
    assert_snapshot!(shown(&[region("fra1", Region::Fra1), region("MCO1", Region::Fra1)].concat()), @"
    = fra1
    ~ MCO1: the bot's key works in FRA1
    ");
}

#[test]
fn a_community_is_there_by_its_name() {
    let planned = ["Bank North", "bank  SOUTH", "Bank West"];
    let planned = planned.map(|name| PlannedCommunity { name: name.into(), about: Some("words".into()) });
    let children = ["BANK NORTH", "Bank South", "bank south", "Shop"].map(community);
    assert_snapshot!(shown(&communities(&planned, &children)), @"
    = Bank North
    = bank  SOUTH: 2 communities are called so
    + Bank West
    - Shop
    ");
}

#[test]
fn a_role_is_there_with_exactly_its_permissions() {
    let planned = |name: &str, with: Option<&[&str]>| PlannedRole {
        name: name.into(),
        about: None,
        permissions: with.map(named),
    };
    let there = [
        role("Analyst", true, &[]),
        role("Guest", true, &[]),
        role("Reader", false, &held(&["View alerts", "View cases"])),
        role("Writer", false, &held(&["View alerts", "Manage intakes", "View cases"])),
        role("Report reader", false, &held(&["View alerts"])),
        role("report  reader", false, &held(&["View cases"])),
        role("Nothing", false, &[]),
    ];
    let by_name = catalogue().iter().find(|p| p.is("View cases")).unwrap().name.clone().unwrap();
    let planned = [
        planned("analyst", None),
        planned("Auditor", None),
        planned("Reader", Some(&["view ALERTS", &by_name])),
        planned("Writer", Some(&["View alerts", "View intakes", "no such", "Twice"])),
        planned("Report reader", Some(&["View cases"])),
        planned("Hunter", Some(&["View cases"])),
    ];
    assert_snapshot!(shown(&roles(&planned, &there, &catalogue())), @"
    = analyst
    + Auditor: the plan does not say its permissions
    = Reader
    ~ Writer: lacks no such, Twice, View intakes; has also Manage intakes, View cases
    = Report reader
    + Hunter
    - Nothing
    ");
    // A catalogue that cannot be read: by what Sekoia calls the permissions of the role.
    assert_snapshot!(shown(&roles(&planned[2..4], &there, &[])), @"
    = Reader
    ~ Writer: lacks no such, Twice, View intakes; has also Manage intakes, View cases
    - Report reader
    - report  reader
    - Nothing
    ");
}

#[test]
fn a_person_is_a_member_of_every_community_with_the_role_alone() {
    let bank = [
        member("Ana@Nimbus.example", &["Analyst"], json!({})),
        member("bo@nimbus.example", &["Analyst"], json!({ "confirmed": false })),
        member("cy@nimbus.example", &["Guest"], json!({})),
        member("di@nimbus.example", &["Analyst", "Admin"], json!({})),
        member("ed@nimbus.example", &["Analyst"], json!({ "status": "disabled" })),
        member("fay@nimbus.example", &["Guest"], json!({ "confirmed": false })),
        member("gus@nimbus.example", &[], json!({})),
        member("zoe@müller.example", &["Analyst"], json!({})),
        member("twice@nimbus.example", &["Analyst"], json!({ "status": "disabled" })),
        member("twice@nimbus.example", &["Analyst"], json!({})),
        member("more@nimbus.example", &["Admin"], json!({})),
        member("gone@nimbus.example", &["Admin"], json!({ "status": "disabled" })),
        of(json!({ "uuid": "1", "name": "A robot", "roles": [] })),
    ];
    let shop =
        [member("ana@nimbus.example", &["Guest"], json!({})), member("more@nimbus.example", &["Admin"], json!({}))];
    let there: [(Box<str>, &[Avatar]); 2] = [("Bank".into(), &bank), ("Shop".into(), &shop)];
    let mut planned: Vec<PlannedPerson> = ["bo", "cy", "di", "ed", "fay", "gus", "twice", "hal"]
        .map(|name| person(&format!("{name}@nimbus.example"), "analyst", &[]))
        .into();
    planned.push(person("zoe@xn--mller-kva.example", "Analyst", &["BANK"]));
    planned.push(person("ana@nimbus.example", "Analyst", &["Bank", "Shop", "Later", "Other"]));
    assert_snapshot!(shown(&people(&planned, "bank", &there)), @"
    … bo@nimbus.example: as analyst in bank: invited, not accepted yet; the link is good for 24 hours
    ~ cy@nimbus.example: is Guest instead of analyst in bank
    ~ di@nimbus.example: is analyst and also Admin in bank
    ~ ed@nimbus.example: is disabled in bank
    ~ fay@nimbus.example: is invited as Guest instead of analyst in bank
    ~ gus@nimbus.example: has no role instead of analyst in bank
    = twice@nimbus.example: as analyst in bank
    + hal@nimbus.example: as analyst in bank
    = zoe@xn--mller-kva.example: as Analyst in BANK
    = ana@nimbus.example: as Analyst in Bank
    ~ ana@nimbus.example: is Guest instead of Analyst in Shop
    + ana@nimbus.example: as Analyst in Later, Other
    - more@nimbus.example: as Admin in Bank, Shop
    - gone@nimbus.example: disabled, as Admin in Bank
    - A robot: without a role in Bank
    ");
    // Planned somewhere else: here they are not in the plan.
    let elsewhere = [person("ana@nimbus.example", "Analyst", &["Bank"])];
    assert_snapshot!(shown(&people(&elsewhere, "Bank", &there[1..])), @"
    + ana@nimbus.example: as Analyst in Bank
    - ana@nimbus.example: as Guest in Shop
    - more@nimbus.example: as Admin in Shop
    ");
}

#[test]
fn a_key_is_there_with_no_permission_and_no_day_beyond_the_plan() {
    let read = held(&["View alerts"]);
    let more = held(&["View alerts", "Manage intakes"]);
    let date = |text: &str| Lifetime::On(text.parse().unwrap());
    let half_year = Lifetime::default();
    let there = [
        key("exact", Some(180), &read, json!({})),
        key("shorter", Some(30), &read, json!({})),
        key("longer", Some(181), &read, json!({})),
        key("for ever", None, &read, json!({})),
        key("until", Some(100), &read, json!({})),
        key("too late", Some(100), &read, json!({})),
        key("excess", Some(180), &more, json!({})),
        key("lacking", Some(180), &held(&["View alerts"]), json!({})),
        key("expired", Some(0), &read, json!({})),
        key("revoked", Some(180), &read, json!({ "revoked": true })),
        key("both", Some(0), &read, json!({ "revoked": true })),
        key("both", Some(0), &read, json!({})),
        key("unsaved", Some(180), &more, json!({})),
        key("again", Some(180), &more, json!({})),
        key("Again", Some(180), &read, json!({})),
        key("chatops", None, &more, json!({ "uuid": KEY })),
        key("sekoia", None, &more, json!({ "internal": true })),
        key("forgotten", None, &more, json!({})),
    ];
    let of_preset = |name: &str, expires| planned_key(name, Some("read-alerts"), &[], expires);
    let mut planned: Vec<PlannedKey> = [
        "exact", "shorter", "longer", "for ever", "excess", "expired", "revoked", "both", "unsaved", "asked", "again",
        "none",
    ]
    .map(|name| of_preset(name, half_year))
    .into();
    planned.extend([
        of_preset("until", date("2027-01-27")),
        of_preset("too late", date("2027-01-26")),
        planned_key("lacking", Some("read-alerts"), &["Manage intakes"], half_year),
        planned_key("ChatOps", None, &["View alerts"], half_year),
        planned_key("exact 2", Some("gone"), &["View alerts"], Lifetime::Never),
    ]);
    let there = [&there[..], &[key("exact 2", None, &read, json!({}))]].concat();
    let unsaved = [("Unsaved", "@dan has not saved it yet"), ("asked", "the approval of 3f2a")];
    let unsaved = unsaved.map(|(name, what)| (Box::from(name), Box::from(what)));
    assert_snapshot!(shown(&keys(&planned, &there, Some(KEY), &unsaved, &catalogue(), now())), @"
    = exact: until 2027-04-17
    = shorter: until 2026-11-18
    ~ longer: expires on 2027-04-18, planned for 180 days
    ~ for ever: never expires, planned for 180 days
    ~ excess: has also Manage intakes
    + expired: the one of this name has expired
    + revoked: the one of this name was revoked
    + both: the one of this name has expired
    … unsaved: @dan has not saved it yet
    … asked: the approval of 3f2a
    = again: until 2027-04-17
    + none
    = until: until 2027-01-27
    ~ too late: expires on 2027-01-27, planned until 2027-01-26
    ~ lacking: lacks Manage intakes
    ~ ChatOps: this is the name of the bot's own key; choose another
    ~ exact 2: the preset gone is unknown
    - again: until 2027-04-17
    - forgotten: never expires
    ");
}

#[test]
fn a_trigger_is_there_once_a_rule_of_it_was_tested() {
    let rule = |number, trigger, paused, tested: bool| Rule {
        number,
        watch: Watch::new(trigger),
        paused,
        muted_until: None,
        by: Actor::Bot,
        at: now(),
        sample: None,
        tested: tested.then_some(Change { by: Actor::Bot, at: now() }),
    };
    let mut rules = Rules {
        rules: vec![
            rule(1, Trigger::AlertRaised, true, true),
            rule(2, Trigger::AlertRaised, false, false),
            rule(3, Trigger::AlertRaised, false, true),
            rule(4, Trigger::NoEvents, true, true),
            rule(5, Trigger::NoEvents, false, false),
            rule(6, Trigger::CaseCreated, true, true),
            rule(7, Trigger::CaseEdited, false, true),
        ],
        ..Rules::default()
    };
    let planned = [
        Trigger::AlertRaised,
        Trigger::NoEvents,
        Trigger::CaseCreated,
        Trigger::PlaybookError,
        Trigger::ReportAvailable,
    ];
    let nothing = LastFired::new();
    assert_snapshot!(shown(&triggers(&planned, &rules, &nothing)), @"
    = alert: rule 3
    … silent: rule 5 has not fired, and no sample of it arrived
    ~ case: rule 6 is paused
    + playbook
    + report: needs this channel's webhook and a rule in Sekoia's console
    ");
    // What happened proves as much as a sample, unless the rule is paused.
    let fired = LastFired::from([(5, now()), (6, now())]);
    assert_snapshot!(shown(&triggers(&planned[1..3], &rules, &fired)), @"
    = silent: rule 5, which fired
    ~ case: rule 6 is paused
    ");
    rules.webhook = Some(Webhook { hash: "x".into(), made: Change { by: Actor::Bot, at: now() } });
    assert_snapshot!(shown(&triggers(&planned[4..], &rules, &nothing)), @"… report: Sekoia does not say whether a rule of its own posts to this channel");
}

#[test]
fn hardening_is_read_where_sekoia_says_it() {
    let all = Hardening { mfa: Some(true), session_timeout: Some(480), inactive_accounts: Some(true), sso: Some(true) };
    let community = |more: Value| -> Community {
        let mut json = json!({ "uuid": Uuid::nil() });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of(json)
    };
    let on = community(json!({ "is_mfa_enforced": true, "session_timeout": 480, "disable_inactive_avatars": true }));
    let off = community(json!({ "is_mfa_enforced": false, "session_timeout": 481, "disable_inactive_avatars": false }));
    let [local, sso] = [json!({}), json!({ "auth_provider": "oidc" })].map(|more| member("a@x.example", &[], more));
    let pending = member("b@x.example", &[], json!({ "confirmed": false }));
    let mut said = String::new();
    for (community, members) in [
        (&on, Some(vec![sso.clone(), pending.clone()])),
        (&off, Some(vec![sso, local])),
        (&community(json!({})), Some(vec![pending])),
        (&on, None),
    ] {
        said += &shown(&hardening(all, community, members.as_deref()));
        said += "--\n";
    }
    let off_wanted = Hardening { mfa: Some(false), session_timeout: Some(60 * 24 * 31), ..Hardening::default() };
    said += &shown(&hardening(off_wanted, &on, None));
    said += &shown(&hardening(off_wanted, &community(json!({})), None));
    assert_snapshot!(said, @"
    = mfa: MFA is enforced
    = session-timeout: sessions end after 8 hours
    = inactive-accounts: inactive accounts are disabled after 90 days
    = sso: everybody logs in by single sign-on
    --
    ~ mfa: MFA is not enforced
    ~ session-timeout: sessions end after 481 minutes, planned after at most 8 hours
    ~ inactive-accounts: inactive accounts stay enabled
    ~ sso: 1 of 2 members without single sign-on
    --
    … mfa: Sekoia does not say
    ~ session-timeout: sessions end after Sekoia's default of a month, planned after at most 8 hours
    … inactive-accounts: Sekoia does not say
    … sso: nobody is a member yet
    --
    = mfa: MFA is enforced
    = session-timeout: sessions end after 8 hours
    = inactive-accounts: inactive accounts are disabled after 90 days
    … sso: the bot's key may not list the members
    --
    ~ mfa: MFA is enforced
    = session-timeout: sessions end after 8 hours
    … mfa: Sekoia does not say
    = session-timeout: sessions end after Sekoia's default of a month
    ");
}

/// What Sekoia has, small enough that plans meet it.
#[derive(Debug, Clone)]
struct World {
    licences: Vec<Licence>,
    children: Vec<Community>,
    roles: Vec<Role>,
    members: Vec<(Box<str>, Vec<Avatar>)>,
    keys: Vec<ApiKey>,
    rules: Rules,
}

const PRODUCTS: [&str; 4] = ["Defend Prime", "Defend", "Reveal", "Intelligence"];
const COMMUNITIES: [&str; 5] = ["North", "south", "East Wing", "West", "Ünit"];
const ROLES: [&str; 5] = ["Guest", "Analyst", "Admin", "Reader", "Hunter"];
const PEOPLE: [&str; 6] = ["ana", "bo", "cy", "di", "ed", "fay"];
const KEYS: [&str; 6] = ["forwarder", "Reader", "soar", "mcp", "chatops", "Internal"];
const MAY: [&str; 5] = ["View alerts", "View cases", "Manage intakes", "View intakes", "no such permission"];

fn pick<T: Clone + std::fmt::Debug + 'static>(all: &[T]) -> impl Strategy<Value = Vec<T>> + use<T> {
    subsequence(all.to_vec(), 0..=all.len()).prop_shuffle()
}

fn lifetime() -> impl Strategy<Value = Lifetime> {
    prop_oneof![
        (1..=365u16).prop_map(Lifetime::Days),
        Just(Lifetime::Never),
        Just(Lifetime::On("2026-12-31".parse().unwrap()))
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let role = |name: &'static str| {
        let may = proptest::option::of(subsequence(MAY.to_vec(), 1..=4));
        may.prop_map(move |may| PlannedRole { name: name.into(), about: None, permissions: may.map(|may| named(&may)) })
    };
    let person = |name: &'static str| {
        (select(ROLES.to_vec()), subsequence(COMMUNITIES.to_vec(), 0..=3))
            .prop_map(move |(role, communities)| person(&format!("{name}@x.example"), role, &communities))
    };
    let key = |name: &'static str| {
        let preset = proptest::option::of(select(vec!["read-alerts", "intake-forwarder"]));
        (preset, subsequence(MAY.to_vec(), 0..=3), lifetime())
            .prop_map(move |(preset, with, expires)| planned_key(name, preset, &with, expires))
    };
    let triggers: Vec<Trigger> = Trigger::all().collect();
    let things = (
        pick(&PRODUCTS),
        pick(&COMMUNITIES),
        pick(&ROLES).prop_flat_map(move |names| names.into_iter().map(role).collect::<Vec<_>>()),
        pick(&PEOPLE).prop_flat_map(move |names| names.into_iter().map(person).collect::<Vec<_>>()),
        pick(&KEYS).prop_flat_map(move |names| names.into_iter().map(key).collect::<Vec<_>>()),
        pick(&triggers),
    );
    things.prop_map(|(products, communities, roles, people, keys, triggers)| Plan {
        products: Some(named(&products)),
        communities: Some(
            communities.into_iter().map(|name| PlannedCommunity { name: name.into(), about: None }).collect(),
        ),
        roles: Some(roles),
        people: Some(people),
        keys: Some(keys),
        triggers: Some(triggers),
        ..Plan::default()
    })
}

fn avatars() -> impl Strategy<Value = Vec<Avatar>> {
    let state = select(vec![json!({}), json!({ "confirmed": false }), json!({ "status": "disabled" })]);
    let one = (select(PEOPLE.to_vec()), subsequence(ROLES.to_vec(), 0..=2), state)
        .prop_map(|(name, roles, state)| member(&format!("{}@X.example", name.to_uppercase()), &roles, state));
    vec(one, 0..6)
}

fn world() -> impl Strategy<Value = World> {
    let licence = (select(PRODUCTS.to_vec()), select(vec!["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]))
        .prop_map(|(title, end)| of::<Licence>(json!({ "plan": { "title": title }, "end": end })));
    let known = [&MAY[..4], &["View events"]].concat();
    let may = subsequence(known, 0..=5).prop_map(|may| held(&may));
    let role = (select(ROLES.to_vec()), may.clone())
        .prop_map(|(name, may)| role(&name.to_uppercase(), ["Guest", "Analyst", "Admin"].contains(&name), &may));
    let more =
        vec![json!({}), json!({}), json!({ "revoked": true }), json!({ "internal": true }), json!({ "uuid": KEY })];
    let key = (select(KEYS.to_vec()), proptest::option::of(0..400i64), may, select(more))
        .prop_map(|(name, days, may, more)| key(name, days, &may, more));
    let children = hash_set(select(COMMUNITIES.to_vec()), 0..4);
    (vec(licence, 0..3), children, vec(role, 0..6), vec(key, 0..6), vec(avatars(), 6)).prop_map(
        |(licences, children, roles, keys, mut avatars)| {
            let own = (Box::from(OWN), avatars.pop().unwrap());
            let members = children.iter().map(|name| (Box::from(*name), avatars.pop().unwrap()));
            World {
                licences,
                members: members.chain([own]).collect(),
                children: children.into_iter().map(community).collect(),
                roles,
                keys,
                rules: Rules::default(),
            }
        },
    )
}

fn difference(plan: &Plan, world: &World) -> Vec<Line> {
    let catalogue = catalogue();
    let members: Vec<(Box<str>, &[Avatar])> =
        world.members.iter().map(|(name, members)| (name.clone(), members.as_slice())).collect();
    [
        products(plan.products.as_ref().unwrap(), &world.licences, now()),
        communities(plan.communities.as_ref().unwrap(), &world.children),
        roles(plan.roles.as_ref().unwrap(), &world.roles, &catalogue),
        people(plan.people.as_ref().unwrap(), OWN, &members),
        keys(plan.keys.as_ref().unwrap(), &world.keys, Some(KEY), &[], &catalogue, now()),
        triggers(plan.triggers.as_ref().unwrap(), &world.rules, &LastFired::new()),
    ]
    .concat()
}

/// Does at Sekoia what the lines to create lead to.
fn apply(plan: &Plan, lines: &[Line], world: &mut World) {
    let created = |part: Part| -> BTreeSet<&str> {
        lines.iter().filter(|l| l.part == part && l.mark == Mark::Create).map(|l| &*l.what).collect()
    };
    let known = |names: &[Box<str>]| {
        let all = catalogue();
        names.iter().filter_map(|name| all.iter().find(|p| p.is(name)).cloned()).collect::<Vec<_>>()
    };
    for title in created(Part::Products) {
        world.licences.push(of(json!({ "plan": { "title": title } })));
    }
    for name in created(Part::Communities) {
        world.children.push(community(name));
        world.members.push((name.into(), vec![]));
    }
    for planned in plan.roles.iter().flatten().filter(|planned| created(Part::Roles).contains(&*planned.name)) {
        let may = known(planned.permissions.as_deref().unwrap_or_default());
        world.roles.push(role(&planned.name, false, &may));
    }
    for planned in plan.people.iter().flatten().filter(|planned| created(Part::People).contains(&*planned.address)) {
        let own = [Box::from(OWN)];
        for name in if planned.communities.is_empty() { &own[..] } else { &planned.communities } {
            let at = world.members.iter().position(|(community, _)| fold(community) == fold(name));
            let at = at.unwrap_or_else(|| {
                world.members.push((name.clone(), vec![]));
                world.members.len() - 1
            });
            let members = &mut world.members[at].1;
            let is_in = |m: &Avatar| m.email().is_some_and(|email| email.eq_ignore_ascii_case(&planned.address));
            if !members.iter().any(is_in) {
                members.push(member(&planned.address, &[&planned.role], json!({ "confirmed": false })));
            }
        }
    }
    for planned in plan.keys.iter().flatten().filter(|planned| created(Part::Keys).contains(&*planned.name)) {
        let titles = planned.preset.as_deref().and_then(Preset::find).map_or(&[][..], |preset| &preset.titles);
        let mut may = known(&titles.iter().map(|title| Box::from(title.as_str())).collect::<Vec<_>>());
        may.extend(known(&planned.permissions));
        let expires = match planned.expires {
            Lifetime::Never => None,
            Lifetime::Days(days) => Some(now() + SignedDuration::from_hours(24 * i64::from(days))),
            Lifetime::On(date) => Some(date.at(23, 59, 59, 0).in_tz("UTC").unwrap().timestamp()),
        };
        let made = json!({ "created_at": now(), "expires_at": expires, "uuid": Uuid::new_v4() });
        world.keys.push(key(&planned.name, None, &may, made));
    }
    let made = || Change { by: Actor::Bot, at: now() };
    for trigger in created(Part::Notifications).into_iter().filter_map(Trigger::find) {
        if !trigger.spec().evaluated {
            world.rules.webhook = Some(Webhook { hash: "x".into(), made: made() });
            continue;
        }
        let number = world.rules.next;
        world.rules.next += 1;
        let watch = Watch::new(trigger);
        let rule = Rule {
            number,
            watch,
            paused: false,
            muted_until: None,
            by: Actor::Bot,
            at: now(),
            sample: None,
            tested: None,
        };
        world.rules.rules.push(rule);
    }
}

fn turned<T: Clone>(all: &[T], by: usize) -> Vec<T> {
    let mut all = all.to_vec();
    if !all.is_empty() {
        let by = by % all.len();
        all.rotate_left(by);
        all.reverse();
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_missing_is_missing_once((plan, mut world) in (plan(), world())) {
        let first = difference(&plan, &world);
        apply(&plan, &first, &mut world);
        let second = difference(&plan, &world);
        let left: Vec<&Line> = second.iter().filter(|line| line.mark == Mark::Create).collect();
        prop_assert!(left.is_empty(), "{left:?}");
        apply(&plan, &second, &mut world);
        prop_assert_eq!(difference(&plan, &world), second);
    }

    #[test]
    fn the_order_of_things_does_not_matter((plan, world, by) in (plan(), world(), 0..6usize)) {
        let mut other = plan.clone();
        other.products = plan.products.as_ref().map(|all| turned(all, by));
        other.communities = plan.communities.as_ref().map(|all| turned(all, by));
        other.roles = plan.roles.as_ref().map(|all| turned(all, by));
        other.people = plan.people.as_ref().map(|all| turned(all, by));
        other.keys = plan.keys.as_ref().map(|all| turned(all, by));
        other.triggers = plan.triggers.as_ref().map(|all| turned(all, by));
        let turned_world = World {
            licences: turned(&world.licences, by),
            children: turned(&world.children, by),
            roles: turned(&world.roles, by),
            members: turned(&world.members, by).into_iter().map(|(name, all)| (name, turned(&all, by))).collect(),
            keys: turned(&world.keys, by),
            rules: world.rules.clone(),
        };
        let sorted = |mut lines: Vec<Line>| {
            lines.sort();
            lines
        };
        prop_assert_eq!(sorted(difference(&plan, &world)), sorted(difference(&other, &turned_world)));
    }

    #[test]
    fn nothing_outside_the_plan_is_touched((plan, world) in (plan(), world())) {
        for line in difference(&plan, &world) {
            let planned = plan.names(line.part).iter().any(|name| fold(name) == fold(&line.what));
            match line.mark {
                Mark::Extra => prop_assert!(!planned || matches!(line.part, Part::People | Part::Keys), "{line:?}"),
                _ => prop_assert!(planned, "{line:?}"),
            }
        }
        let names = |lines: &[Line]| -> BTreeSet<(Part, Box<str>)> {
            lines.iter().filter(|l| l.mark != Mark::Extra).map(|l| (l.part, l.what.clone())).collect()
        };
        let all = names(&difference(&plan, &world));
        let planned = Part::ALL.into_iter().flat_map(|part| plan.names(part).into_iter().map(move |n| (part, Box::from(n))));
        prop_assert_eq!(all, planned.collect::<BTreeSet<_>>(), "each planned thing has its line");
    }
}
