//! A plan as a file: what is read, what is refused and where, and back again.

use insta::assert_snapshot;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use sekoia_chatops::chat::text::fold;
use sekoia_chatops::chat::{Actor, Change, UserId};
use sekoia_chatops::domain::action::PRESETS;
use sekoia_chatops::domain::notify::Trigger;
use sekoia_chatops::domain::plan::file::{Fault, MOST_BYTES, decode, document, read, write};
use sekoia_chatops::domain::plan::{
    ChannelPlan, Hardening, Lifetime, MOST_COMMUNITIES, MOST_KEYS, MOST_PEOPLE, MOST_ROLES, Part, Plan,
    PlannedCommunity, PlannedKey, PlannedPerson, PlannedRole,
};
use sekoia_chatops::sekoia::Permission;
use serde_json::json;

const BANK: &str = r#"
products = ["Defend Prime", "Reveal"]
region = "fra1"

[[communities]]
name = "Bank North"
about = "The northern branches"

[[communities]]
name = "Bank South"

[[roles]]
name = "Analyst"

[[roles]]
name = "Report reader"
about = "Reads reports and nothing else"
permissions = ["View alerts", "View cases"]

[[people]]
email = "Ana@Bank.example"
role = "Admin"

[[people]]
email = "bo@bank.example"
communities = ["Bank North", "Bank South"]

[[keys]]
name = "forwarder"
for = "intake-forwarder"
with = ["View alerts"]
owner = "slack:U0DAN"

[[keys]]
name = "soar"
with = ["View alerts"]
expires = 2027-01-31

[[keys]]
name = "mcp"
for = "Read alerts"
expires = "never"

[notifications]
triggers = ["alert", "silent intake", "playbook"]

[hardening]
mfa = true
session_timeout = "8h"
sso = false
"#;

fn bank() -> Plan {
    let role = |name: &str, about: Option<&str>, with: Option<&[&str]>| PlannedRole {
        name: name.into(),
        about: about.map(Box::from),
        permissions: with.map(|with| with.iter().map(|name| Box::from(*name)).collect()),
    };
    let key = |name: &str, preset: Option<&str>, with: &[&str], expires, owner| PlannedKey {
        name: name.into(),
        preset: preset.map(Box::from),
        permissions: with.iter().map(|name| Box::from(*name)).collect(),
        expires,
        owner,
    };
    Plan {
        products: Some(vec!["Defend Prime".into(), "Reveal".into()]),
        region: Some("FRA1".into()),
        communities: Some(vec![
            PlannedCommunity { name: "Bank North".into(), about: Some("The northern branches".into()) },
            PlannedCommunity { name: "Bank South".into(), about: None },
        ]),
        roles: Some(vec![
            role("Analyst", None, None),
            role("Report reader", Some("Reads reports and nothing else"), Some(&["View alerts", "View cases"])),
        ]),
        people: Some(vec![
            PlannedPerson { address: "ana@bank.example".into(), role: "Admin".into(), communities: vec![] },
            PlannedPerson {
                address: "bo@bank.example".into(),
                role: "Analyst".into(),
                communities: vec!["Bank North".into(), "Bank South".into()],
            },
        ]),
        keys: Some(vec![
            key(
                "forwarder",
                Some("intake-forwarder"),
                &["View alerts"],
                Lifetime::Days(180),
                Some(UserId::slack("U0DAN")),
            ),
            key("soar", None, &["View alerts"], Lifetime::On("2027-01-31".parse().unwrap()), None),
            key("mcp", Some("read-alerts"), &[], Lifetime::Never, None),
        ]),
        triggers: Some(vec![Trigger::AlertRaised, Trigger::NoEvents, Trigger::PlaybookError]),
        hardening: Some(Hardening {
            mfa: Some(true),
            session_timeout: Some(480),
            inactive_accounts: None,
            sso: Some(false),
        }),
    }
}

fn faults(text: &str) -> String {
    said(&read(text).expect_err(text))
}

fn said(faults: &[Fault]) -> String {
    assert!(faults.is_sorted());
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

#[test]
fn a_file_is_read_whole() {
    assert_eq!(read(BANK), Ok(bank()));
    assert_eq!(read(""), Ok(Plan::default()));
    let nothing =
        "products = []\ncommunities = []\nroles = []\npeople = []\nkeys = []\n[notifications]\ntriggers = []\n";
    let plan = read(nothing).unwrap();
    let nothing: Vec<_> = Part::ALL.into_iter().map(|part| plan.count(part)).collect();
    let zero = Some(0);
    assert_eq!(nothing, [zero, None, zero, zero, zero, zero, zero, None]);
    // Windows' line ends, and a table of one line.
    let plan =
        read("region = \"MCO1\"\r\nkeys = [{ name = \"x\", for = \"read-alerts\", expires = \"30d\" }]\r\n").unwrap();
    assert_eq!(plan.keys.unwrap()[0].expires, Lifetime::Days(30));
}

#[test]
fn a_field_that_is_none_or_of_another_type_is_refused_with_what_to_write() {
    assert_snapshot!(faults(r#"product = ["Defend"]
products = "Defend"
region = 1
owner = true
communities = "x"
roles = ["Reader", { name = "Ok", abuot = "x" }]
hardening = true

[people]
email = ["a@x.example"]
mail = "a@x.example"

[[keys]]
name = 2026-01-01
for = 1.5
with = "View alerts"
expires = 180
owner = { id = 1 }

[notifications]
trigger = ["alert"]
"#), @r#"
    1:1: "product" is no field of a plan. Did you mean "products"?
    2:12: "products" is a text here. Write a list of texts: products = ["Defend Prime"].
    3:10: "region" is a number here. Write a text: region = "FRA1".
    4:1: "owner" is no field of a plan. There are: products, region, communities, roles, people, keys, notifications, hardening.
    5:15: "communities" is a text here. Write [[communities]] in double brackets before each community.
    6:10: "roles" is a text here. Write [[roles]] in double brackets before each role.
    6:35: "abuot" is no field of a role. Did you mean "about"?
    7:13: "hardening" is true or false here. Write [hardening] and its fields below.
    9:1: "people" is a table here. Write [[people]] in double brackets before each person.
    10:9: "email" is a list here. Write a text: email = "ana@example.com".
    11:1: "mail" is no field of a person. Did you mean "email"?
    14:8: "name" is a date here. Write a text: name = "forwarder".
    15:7: "for" is a number here. Write a text: for = "read-alerts".
    16:8: "with" is a text here. Write a list of texts: with = ["View alerts"].
    17:11: "expires" is a number here. Write a text: expires = "180d".
    18:9: "owner" is a table here. Write a text: owner = "slack:U0ALICE".
    20:1: [notifications] needs "triggers". Add triggers = ["alert"].
    21:1: "trigger" is no field of notifications. Did you mean "triggers"?
    "#);
    assert_snapshot!(faults(r#"
[hardening]
mfa = "yes"
session_timeout = 8
inactive = true
sso = 1

[notifications]
triggers = ["alert", 7, " "]
"#), @r#"
    3:7: "mfa" is a text here. Write mfa = true or mfa = false, without quotes.
    4:19: "session_timeout" is a number here. Write a text: session_timeout = "8h".
    5:1: "inactive" is no field of hardening. Did you mean "inactive_accounts"?
    6:7: "sso" is a number here. Write sso = true or sso = false, without quotes.
    9:22: "triggers" is a number here. Write a list of texts: triggers = ["alert"].
    9:25: An empty text in "triggers". Remove it.
    "#);
}

#[test]
fn what_is_missing_is_said_at_the_table() {
    assert_snapshot!(faults(r#"
[[communities]]
about = "words"

[[roles]]

[[people]]
role = "Analyst"

[[keys]]
expires = "30d"

[notifications]

[hardening]
"#), @r#"
    2:1: A community needs "name". Add name = "Bank North".
    5:1: A role needs "name". Add name = "Report reader".
    7:1: A person needs "email". Add email = "ana@example.com".
    10:1: A key needs "name". Add name = "forwarder".
    10:1: A key needs to say what it may do. Add for = "read-alerts" or with = ["View alerts"].
    13:1: [notifications] needs "triggers". Add triggers = ["alert"].
    15:1: [hardening] says nothing. Add mfa = true, or remove it.
    "#);
}

#[test]
fn what_contradicts_itself_is_refused_with_both_places() {
    assert_snapshot!(faults(r#"
products = ["Defend", "defend"]

[[communities]]
name = "Bank"

[[communities]]
name = "bank "

[[roles]]
name = "analyst"
permissions = ["View alerts"]

[[roles]]
name = "Reader"
permissions = ["View alerts", "view  ALERTS"]

[[roles]]
name = "Empty"
permissions = []

[[roles]]
name = "reader"
permissions = ["View cases"]

[[roles]]
name = "EMPTY"
permissions = []

[[people]]
email = "ana@x.example"
communities = ["Bank", "BANK"]

[[people]]
email = "<Ana@X.example>"

[[keys]]
name = "one"
with = ["View alerts", "View alerts", "read-alerts"]

[[keys]]
name = "One"
for = "read-alerts"

[[roles]]
name = "Preset"
permissions = ["read-alerts"]

[notifications]
triggers = ["alert", "alerts"]
"#), @r#"
    2:23: "defend" is on line 2 already. Name each product once.
    8:8: "bank" is on line 5 already. Name each community once.
    11:8: Analyst is a role that Sekoia brings, with permissions that nobody can change. Leave out "permissions", or choose another name.
    16:31: "view  ALERTS" is on line 16 already. Name each permission once.
    20:15: A role without permissions can do nothing. List them, or leave out "permissions" for a role that is at Sekoia already.
    23:8: "reader" is on line 15 already. It has other permissions there: keep one of the two.
    27:8: "EMPTY" is on line 19 already. Name each role once.
    28:15: A role without permissions can do nothing. List them, or leave out "permissions" for a role that is at Sekoia already.
    32:24: "BANK" is on line 32 already. Name each community once.
    35:9: "ana@x.example" is on line 31 already. Name everybody once: give line 31 all communities.
    39:24: "View alerts" is on line 39 already. Name each permission once.
    39:39: "read-alerts" is a preset. Write for = "read-alerts".
    42:8: "One" is on line 38 already. Name each key once.
    47:16: "read-alerts" is a preset. Write its permissions: "View alerts".
    50:22: "alert" is on line 50 already. Name each trigger once.
    "#);
}

#[test]
fn a_value_that_sekoia_does_not_know_is_refused_with_what_is_like_it() {
    let long = "x".repeat(101);
    assert_snapshot!(faults(&format!(r#"
region = "FRA9"
[[communities]]
name = "{long}"
[[communities]]
name = "a\u202Eb"
about = "{about}"
[[roles]]
name = " "
about = "short"
[[people]]
email = "ana@"
role = "{long}"
[[people]]
email = "ana@bo@x.example"
communities = ["{long}"]
[[keys]]
name = "{long}"
for = "read-alert"
expires = "soon"
owner = "dan"
[[keys]]
name = "a"
for = "nothing like it"
expires = "366d"
owner = "teams:U0DAN"
[[keys]]
name = "b"
for = "read-alerts"
expires = 2027-01-31T10:00:00Z
owner = "slack:dan<script>"
[notifications]
triggers = ["alrt", "\u001b[31m"]
[hardening]
session_timeout = "90s"
"#, about = "x".repeat(1_001))), @r#"
    2:10: "FRA9" is no region of Sekoia. Did you mean "FRA1" or "FRA2"?
    4:8: A community's name may have 100 characters here; this one has 101.
    6:8: The name holds a character that nobody can see (U+202E).
    7:9: The description is too long: Sekoia takes 1 to 1000 characters, this one has 1001.
    9:8: The role needs a name.
    10:9: The description is too short: Sekoia takes 10 to 1000 characters, this one has 5.
    12:9: "ana@" is no e-mail address. Write it like ana@example.com.
    13:8: A role's name may have 100 characters here; this one has 101.
    15:9: "ana@bo@x.example" has more than one @. Write it like ana@example.com.
    16:16: A community's name may have 100 characters here; this one has 101.
    18:8: A key's name may have 100 characters here; this one has 101.
    19:7: "read-alert" is no preset. Did you mean "read-alerts"?
    20:11: "soon" is no expiry. Write 1d to 365d, a date such as 2027-06-30, or never.
    21:9: "dan" is nobody's id. Write slack:U… or mattermost:…: "whoami" in the chat shows it.
    24:7: "nothing like it" is no preset. There are: read-alerts, alert-triage, alert-notifier, intake-forwarder, intake-health, cti-feed-consumer, cti-analyst-client, ioc-collection-writer, blocklist-reader, soar-playbook, soar-external, playbook-health, ….
    25:11: "366d" is no expiry. Write 1d to 365d, a date such as 2027-06-30, or never.
    26:9: "teams:U0DAN" is nobody's id. Write slack:U… or mattermost:…: "whoami" in the chat shows it.
    30:11: "expires" is a date here. Write a text: expires = "180d".
    31:9: "slack:dan<script>" is nobody's id. Write slack:U… or mattermost:…: "whoami" in the chat shows it.
    33:13: "alrt" is no trigger. Did you mean "alert"?
    33:21: "␛[31m" is no trigger. There are: alert, alert updated, case, case edited, rule limited, rule new, rule deprecating, rule deprecated, report, silent, playbook, connector.
    35:19: "90s" is no such time. Write whole minutes, hours or days: "30m", "8h", "7d".
    "#);
}

#[test]
fn communities_stand_under_the_workspace_alone() {
    assert_snapshot!(faults(r#"
[[communities]]
name = "A"
under = "B"
[[communities]]
name = "B"
under = "c"
[[communities]]
name = "C"
under = "a"
[[communities]]
name = "Self"
under = "self"
[[communities]]
name = "Below"
under = "A"
[[communities]]
name = "Deeper"
under = "Below"
[[communities]]
name = "Right"
under = "Nimbus"
"#), @r#"
    4:9: This community stands under "B", which leads back to it. Sekoia's communities all stand directly under the workspace: leave out "under" here.
    7:9: This community stands under "c", which leads back to it. Sekoia's communities all stand directly under the workspace: leave out "under" here.
    10:9: This community stands under "a", which leads back to it. Sekoia's communities all stand directly under the workspace: leave out "under" here.
    13:9: This community stands under itself. Sekoia's communities all stand directly under the workspace: leave out "under" here.
    16:9: No community can stand under "A". Sekoia's communities all stand directly under the workspace: leave out "under" here.
    19:9: No community can stand under "Below". Sekoia's communities all stand directly under the workspace: leave out "under" here.
    "#);
    let document = document(
        "[[communities]]\nname = \"A\"\nunder = \"nimbus\"\n[[communities]]\nname = \"B\"\nunder = \"Shop\"\n",
    );
    let document = document.unwrap();
    assert_eq!(document.plan.count(Part::Communities), Some(2));
    assert_snapshot!(said(&document.check_workspace("Nimbus")), @r#"6:9: "Shop" is not this workspace, which is "Nimbus". Sekoia's communities all stand directly under the workspace: leave out "under" here."#);
}

#[test]
fn a_line_that_is_no_toml_is_said_with_the_rest() {
    assert_snapshot!(faults(r#"region = FRA9
region = "FRA1"
products = ["Defend"

[[people]
email = "ana@x.example"

[[people]]
email = "bo@"
role = Analyst
colour = "red"
"#), @r#"
    1:10: Write texts in quotes, "…"; true and false without.
    2:1: This field is there already. Write each field once.
    5:1: The list before this is not closed, or lacks a comma. Write it like ["…", "…"].
    "#);
    assert_snapshot!(faults("region = \"FRA1\n"), @r#"1:15: This is not TOML: invalid basic string, expected `"`. Write fields like name = "…" and lists like ["…", "…"]."#);
    assert_snapshot!(faults("[[keys]]\nname \"x\"\nfor = \"read-alerts\"\n"), @r#"2:6: This is not TOML: key with no value, expected `=`. Write fields like name = "…" and lists like ["…", "…"]."#);
}

#[test]
fn a_plan_holds_so_many_things() {
    let many = |heading: &str, field: &dyn Fn(usize) -> String, n: usize| {
        (0..n).map(|n| format!("[[{heading}]]\n{}\n", field(n))).collect::<String>()
    };
    let name = |n: usize| format!("name = \"thing {n}\"");
    let email = |n: usize| format!("email = \"person.{n}@x.example\"");
    let key = |n: usize| format!("name = \"key {n}\"\nfor = \"read-alerts\"");
    let most = [
        many("communities", &name, MOST_COMMUNITIES),
        many("roles", &name, MOST_ROLES),
        many("people", &email, MOST_PEOPLE),
        many("keys", &key, MOST_KEYS),
    ];
    assert!(read(&most.concat()).is_ok());
    let more = [
        many("communities", &name, MOST_COMMUNITIES + 1),
        many("roles", &name, MOST_ROLES + 2),
        many("people", &email, 2_000),
        many("keys", &key, MOST_KEYS + 1),
    ];
    assert_snapshot!(faults(&more.concat()), @"
    201:1: A plan holds at most 100 communities, this file has 101. Leave out 1.
    403:1: A plan holds at most 100 roles, this file has 102. Leave out 2.
    1407:1: A plan holds at most 500 people, this file has 2000. Leave out 1500.
    4707:1: A plan holds at most 100 keys, this file has 101. Leave out 1.
    ");
    assert_snapshot!(faults(&"#".repeat(MOST_BYTES + 1)), @"1:1: A plan's file may have at most 256 KiB. Split it over several channels.");
    // Thousands of faults in one line, or one for each byte, are found in the time of a few.
    let hostile = format!("products = [{}]", "1,".repeat(60_000));
    assert_eq!(read(&hostile).unwrap_err().len(), 60_000);
    let fields = (0..20_000).map(|n| format!("a{n}=1\n")).collect::<String>();
    assert_eq!(read(&fields).unwrap_err().len(), 20_000);
}

#[test]
fn permissions_are_looked_up_where_they_stand() {
    let permission = |name: &str, title: &str| -> Permission {
        serde_json::from_value(json!({ "uuid": format!("u {name}"), "name": name, "title": title })).unwrap()
    };
    let catalogue = [
        permission("ALERTS_VIEW", "View alerts"),
        permission("CASES_VIEW", "View cases"),
        permission("A_TWICE", "Twice"),
        permission("B_TWICE", "Twice"),
    ];
    let text = r#"
[[roles]]
name = "Reader"
permissions = ["view alerts", "View casses", "alerts_view", "Twice", "a_twice"]
[[keys]]
name = "one"
with = [
  "View alerts",
  "\u001b",
]
"#;
    assert_snapshot!(said(&document(text).unwrap().check_permissions(&catalogue)), @r#"
    4:31: Sekoia has no permission called "View casses". Did you mean "View cases"?
    4:46: "alerts_view" is the permission of line 4. Name it once.
    4:61: Several permissions are called "Twice". Write which: A_TWICE, B_TWICE.
    9:3: Sekoia has no permission called "␛". There are: View alerts, View cases, Twice, Twice.
    "#);
    assert!(document(BANK).unwrap().check_permissions(&catalogue).is_empty());
}

#[test]
fn a_file_in_another_encoding_is_read_or_refused_whole() {
    let text = "[[communities]]\nname = \"Zoé\"\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
    };
    let western: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for bytes in [text.as_bytes(), &western, &marked, &utf16(u16::to_le_bytes), &utf16(u16::to_be_bytes)] {
        let plan = read(&decode(bytes).unwrap()).unwrap();
        assert_eq!(plan.communities.unwrap()[0].name.as_ref(), "Zoé");
    }
    let large = vec![b'#'; MOST_BYTES + 1];
    let refused = [b"PK\x03\x04".as_slice(), b"a\0b", &large].map(|bytes| decode(bytes).unwrap_err().to_string());
    assert_snapshot!(refused.join("\n"), @"
    1:1: This is a workbook or another archive, not text. Save the plan as plain text in UTF-8 and choose that file.
    1:1: This file is not text, or it is damaged. Save the plan as plain text in UTF-8 and choose that file.
    1:1: A plan's file may have at most 256 KiB. Split it over several channels.
    ");
}

fn complete(parts: &[Part]) -> ChannelPlan {
    let change = Change { by: Actor::Bot, at: jiff::Timestamp::UNIX_EPOCH };
    let complete = parts.iter().map(|part| (*part, change.clone())).collect();
    ChannelPlan { plan: bank(), complete, ..ChannelPlan::default() }
}

#[test]
fn a_plan_is_written_for_people() {
    let mut channel = complete(&[Part::Products, Part::Region, Part::Communities, Part::Keys, Part::Hardening]);
    channel.plan.region = None;
    channel.plan.communities = Some(vec![]);
    channel.plan.hardening = None;
    channel.plan.roles.as_mut().unwrap()[1].permissions =
        Some(["View alerts", "View cases", "A \"quoted\" one", "b\u{202e}c\\"].map(Box::from).into());
    let written = write(&channel, "Nimbus\nregion = \"x\"");
    assert_snapshot!(written, @r#"
    # Plan of Nimbus region = "x".
    # A part that is left out is open: it says nothing. What is in a file counts as all of its part.

    products = ["Defend Prime", "Reveal"]

    # region: open, nobody has said what is wanted.

    communities = []

    # hardening: open, nobody has said what is wanted.

    # roles: open, nobody has said that this is all.
    [[roles]]
    name = "Analyst"

    [[roles]]
    name = "Report reader"
    about = "Reads reports and nothing else"
    permissions = [
      "View alerts",
      "View cases",
      "A \"quoted\" one",
      "b\U0000202Ec\\",
    ]

    # people: open, nobody has said that this is all.
    [[people]]
    email = "ana@bank.example"
    role = "Admin"

    [[people]]
    email = "bo@bank.example"
    role = "Analyst"
    communities = ["Bank North", "Bank South"]

    [[keys]]
    name = "forwarder"
    for = "intake-forwarder"
    with = ["View alerts"]
    expires = "180d"
    owner = "slack:U0DAN"

    [[keys]]
    name = "soar"
    with = ["View alerts"]
    expires = "2027-01-31"

    [[keys]]
    name = "mcp"
    for = "read-alerts"
    expires = "never"

    # notifications: open, nobody has said that this is all.
    [notifications]
    triggers = ["alert", "silent", "playbook"]
    "#);
    assert_eq!(read(&written), Ok(channel.plan));
    assert_eq!(read(&write(&ChannelPlan::default(), "")), Ok(Plan::default()));
}

/// Names as forms and commands let them through.
fn name() -> impl Strategy<Value = Box<str>> {
    let odd = vec!["\"quoted\"", "back\\slash", "'x'", "#1", "[a]", "{{b}}", "é ü", "日本語", "=", "a = \"b\"", "👩‍💻"];
    let word = prop_oneof![select(odd).prop_map(String::from), "[a-zA-Z0-9._-]{1,12}"];
    vec(word, 1..4).prop_map(|words| words.join(" ").into())
}

fn different<T: std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<(Box<str>, T)>> {
    btree_map(name().prop_map(|name| fold(&name)), (name(), one), 0..4)
        .prop_map(|all| all.into_iter().map(|(folded, (_, one))| (folded.into(), one)).collect())
}

fn names() -> impl Strategy<Value = Vec<Box<str>>> {
    different(Just(())).prop_map(|all| all.into_iter().map(|(name, ())| name).collect())
}

fn permissions() -> impl Strategy<Value = Vec<Box<str>>> {
    names().prop_filter("no preset", |all| all.iter().all(|name| PRESETS.iter().all(|p| fold(&p.id) != fold(name))))
}

fn plan() -> impl Strategy<Value = Plan> {
    let community = different(option::of(name()))
        .prop_map(|all| all.into_iter().map(|(name, about)| PlannedCommunity { name, about }).collect::<Vec<_>>());
    let about = option::of("[a-z\"\\\\]{10}[a-z \n]{0,20}[a-z]".prop_map(Box::from));
    let role = different((about, option::of(permissions()))).prop_map(|all| {
        let role = |(name, (about, permissions)): (Box<str>, (_, Option<Vec<_>>))| {
            let permissions = permissions.filter(|all| !all.is_empty());
            let built_in = ["guest", "analyst", "admin"].contains(&&*name);
            PlannedRole { name, about, permissions: permissions.filter(|_| !built_in) }
        };
        all.into_iter().map(role).collect::<Vec<_>>()
    });
    let person = btree_map("[a-z]{1,8}", (name(), names()), 0..4).prop_map(|all| {
        let person = |(who, (role, communities)): (String, (Box<str>, Vec<Box<str>>))| PlannedPerson {
            address: format!("{who}@x.example").into(),
            role,
            communities,
        };
        all.into_iter().map(person).collect::<Vec<_>>()
    });
    let lifetime = prop_oneof![
        (1..=365u16).prop_map(Lifetime::Days),
        (0..400i64).prop_map(|n| Lifetime::On(jiff::civil::date(2026, 12, 31) + jiff::Span::new().days(n))),
        Just(Lifetime::Never)
    ];
    let ids: Vec<&str> = PRESETS.iter().map(|preset| preset.id.as_str()).collect();
    let owners = vec!["slack:U0DAN", "mattermost:abcdefghijklmnopqrstuvwxyz", "web:dan"];
    let owner = option::of(select(owners).prop_map(|id| UserId::from(id.to_owned())));
    let key = different((option::of(select(ids)), permissions(), lifetime, owner)).prop_map(|all| {
        let key = |(name, (preset, permissions, expires, owner)): (_, (Option<&str>, Vec<_>, _, _))| {
            let preset = preset.map(Box::from).or(permissions.is_empty().then(|| "read-alerts".into()));
            PlannedKey { name, preset, permissions, expires, owner }
        };
        all.into_iter().map(key).collect::<Vec<_>>()
    });
    let triggers = proptest::sample::subsequence(Trigger::all().collect::<Vec<_>>(), 0..5);
    let hardening =
        (option::of(any::<bool>()), option::of(1..527_040u32), option::of(any::<bool>()), option::of(any::<bool>()))
            .prop_map(|(mfa, session_timeout, inactive_accounts, sso)| Hardening {
                mfa,
                session_timeout,
                inactive_accounts,
                sso,
            })
            .prop_filter("says something", |h| !h.said().is_empty());
    let region = select(vec!["FRA1", "USA1"]).prop_map(Box::from);
    (
        option::of(names()),
        option::of(region),
        option::of(community),
        option::of(role),
        option::of(person),
        option::of(key),
        option::of(triggers),
        option::of(hardening),
    )
        .prop_map(|(products, region, communities, roles, people, keys, triggers, hardening)| Plan {
            products,
            region,
            communities,
            roles,
            people,
            keys,
            triggers,
            hardening,
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(plan in plan(), open in vec(any::<bool>(), 8), title in "\\PC{0,30}") {
        let mut channel = complete(&Part::ALL);
        channel.plan = plan;
        for (part, open) in Part::ALL.into_iter().zip(open) {
            if open {
                channel.complete.remove(&part);
            }
        }
        let written = write(&channel, &title);
        prop_assert_eq!(read(&written), Ok(channel.plan.clone()), "{}", written);
        for part in Part::ALL {
            let comment = format!("# {}: open", part.name());
            prop_assert_eq!(written.contains(&comment), channel.is_open(part) || channel.plan.count(part).is_none());
        }
    }

    #[test]
    fn any_text_is_read_or_has_faults_in_it(text in "[a-z\\[\\]\"'={}.,#\n 0-9é]{0,120}", cut in 0..BANK.len(), junk in "\\PC{0,8}") {
        let inside = format!("{}{junk}{}", &BANK[..cut], &BANK[cut..]);
        for text in [text, inside, BANK[..cut].to_owned()] {
            for fault in read(&text).err().into_iter().flatten() {
                let line = text.split('\n').nth(fault.line - 1).expect("a line of it");
                prop_assert!(fault.column <= line.chars().count() + 1, "{} in {:?}", fault, line);
            }
        }
    }
}
