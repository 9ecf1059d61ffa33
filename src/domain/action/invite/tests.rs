use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::domain::action::invite::*;
use crate::domain::action::people;

fn roles() -> Vec<Role> {
    let role = |uuid: &str, name: &str, own: Option<&str>| -> Role {
        serde_json::from_value(json!({ "uuid": uuid, "name": name, "community_uuid": own })).unwrap()
    };
    vec![role("g", "Guest", None), role("n", "Analyst", None), role("d", "Admin", None), role("s", "SOC", Some("a"))]
}

fn members() -> Vec<Avatar> {
    let member = |email: &str, confirmed: bool| -> Avatar {
        serde_json::from_value(json!({ "uuid": email, "user": { "email": email, "confirmed": confirmed } })).unwrap()
    };
    vec![member("In@n.example", true), member("soon@n.example", false)]
}

/// Asks for what a list says, in the community A of a workspace of A and B.
fn asked(list: &str, role: Option<&str>, gaps: Gaps) -> Result<Prepared, String> {
    let (roles, members) = (roles(), members());
    let (a, b) = (Named::new("a", "Alpha"), Named::new("b", "Beta"));
    let facts = InviteFacts {
        usual: vec![a.clone()],
        communities: vec![(a.clone(), members.as_slice(), roles.as_slice()), (b.clone(), &[], roles.as_slice())],
        workspace: vec![a, b],
    };
    invite(&people::read("", list).unwrap(), role, &facts, gaps).map_err(|p| p.text.plain())
}

/// Who gets what.
fn given(prepared: &Prepared) -> Vec<String> {
    let action = &prepared.action;
    let grants = |item| -> Vec<String> {
        action.grants(item).iter().map(|g| format!("{}:{}", g.community.name, g.role.name)).collect()
    };
    (0..action.items()).map(|item| format!("{} {}", action.target(item), grants(item).join(" "))).collect()
}

const REFUSE: Gaps = Gaps::Refuse("say so");

#[test]
fn each_row_gets_its_own_role_and_communities() {
    let list = "E-mail;Role;Community\nana@n.example;Admin;Alpha\nbo@n.example;;\ncy@n.example;guest;\"Beta; Alpha\"\ndi@n.example;Admin;alpha\nana@n.example;Analyst;Beta";
    let prepared = asked(list, Some("Analyst"), REFUSE).unwrap();
    assert_eq!(
        given(&prepared),
        [
            "ana@n.example Alpha:Admin Beta:Analyst",
            "bo@n.example Alpha:Analyst",
            "cy@n.example Beta:Guest Alpha:Guest",
            "di@n.example Alpha:Admin",
        ]
    );
    assert_eq!(prepared.action.title(), "Invite 4 people: 2 as Admin, 1 as Analyst and 1 as Guest");
    assert!(prepared.sensitive);
    assert_eq!(
        prepared.risks[..].iter().map(|r| &**r).collect::<Vec<_>>(),
        [
            "Admin (ana@n.example, di@n.example): may do everything, users, roles, keys and single sign-on included",
            "gives some of them access to 2 communities",
        ]
    );
    assert_eq!(prepared.account, ["5 of 5 rows".into()]);
    let body = prepared.action.call(2).unwrap().body.unwrap();
    assert_eq!(body, json!({ "email": "cy@n.example", "communities": { "b": ["g"], "a": ["g"] } }));
}

#[test]
fn people_of_the_same_stand_together_and_keep_what_they_get() {
    let list = "E-mail,Role\nana@n.example,Guest\nbo@n.example,Analyst\ncy@n.example,Guest";
    let prepared = asked(list, None, REFUSE).unwrap();
    assert_eq!(
        given(&prepared),
        ["ana@n.example Alpha:Guest", "cy@n.example Alpha:Guest", "bo@n.example Alpha:Analyst"]
    );
    let json = serde_json::to_string(&prepared.action).unwrap();
    assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), prepared.action);
    // Whoever edits what is stored changes what was approved.
    assert!(json.contains(r#""groups":[{"people":2"#), "{json}");
    let other: Action = serde_json::from_str(&json.replace(r#""people":2"#, r#""people":1"#)).unwrap();
    assert_ne!(other.hash(""), prepared.action.hash(""));
}

#[test]
fn an_invitation_of_before_is_the_same_still() {
    let stored = r#"{"action":"invite","people":["ana@n.example"],"grants":[{"community":{"uuid":"a","name":"Alpha"},"role":{"uuid":"n","name":"Analyst"}}]}"#;
    let action: Action = serde_json::from_str(stored).unwrap();
    assert_eq!(serde_json::to_string(&action).unwrap(), stored);
    assert_eq!((action.grants(0).len(), action.grants(1).len()), (1, 0));
    assert_eq!(asked("ana@n.example", None, REFUSE).unwrap().action, action);
}

#[test]
fn a_row_that_asks_for_what_there_is_not_is_left_out_with_what_there_is() {
    let list = "E-mail,Role,Community\nana@n.example,Janitor,Alpha\nbo@n.example,Analist,Alpha\ncy@n.example,Guest,Gamma\ndi@n.example,Guest,Beta";
    let account = "1 of 4 rows; 3 left out: row 2: There is no role called \"Janitor\". There are: Guest, Analyst, Admin, SOC; row 3: There is no role called \"Analist\". Did you mean \"Analyst\"?; row 4: There is no community called \"Gamma\". There are: Alpha, Beta.";
    assert_eq!(asked(list, None, REFUSE), Err(format!("{account} Correct the list, or say so.")));
    let prepared = asked(list, None, Gaps::LeaveOut).unwrap();
    assert_eq!((given(&prepared), prepared.account.len()), (vec!["di@n.example Beta:Guest".into()], 4));
}

#[test]
fn rows_that_contradict_each_other_are_left_out_and_repeats_are_counted() {
    let list = "E-mail,Role\nana@n.example,Admin\nbo@n.example,Guest\nANA@n.example,Guest\nbo@n.example,Guest";
    assert_eq!(
        asked(list, None, REFUSE),
        Err("1 of 4 rows; 1 of somebody named before; 2 left out: row 2: ana@n.example is named in several rows with different roles; row 4: ana@n.example is named in several rows with different roles. Correct the list, or say so.".into())
    );
    assert_eq!(given(&asked(list, None, Gaps::LeaveOut).unwrap()), ["bo@n.example Alpha:Guest"]);
}

#[test]
fn who_is_in_or_invited_needs_no_invitation() {
    let prepared = asked("ana@n.example in@n.example soon@n.example", None, REFUSE).unwrap();
    assert_eq!(given(&prepared), ["ana@n.example Alpha:Analyst"]);
    assert_eq!(
        prepared.account.iter().map(|l| &**l).collect::<Vec<_>>(),
        [
            "1 of 3 entries; 2 already in or invited",
            "in@n.example is a member already",
            "soon@n.example is invited and not in yet"
        ]
    );
    assert_eq!(
        asked("in@n.example", None, REFUSE),
        Err("There is nobody to invite. 0 of 1 entry; 1 already in or invited: in@n.example is a member already."
            .into())
    );
    let both = asked("E-mail,Community\nin@n.example,\"Alpha, Beta\"", None, Gaps::LeaveOut);
    assert!(both.unwrap_err().contains("row 2: in@n.example is already in some of these communities"));
}

#[test]
fn the_second_address_of_a_cell_is_asked_about() {
    let list = "Name,E-mail\nAna,\"ana@n.example; a@n.example\"\nBo,bo@n.example";
    let doubt = "2 of 2 rows; 1 to check: row 2 has 2 addresses: ana@n.example is taken, a@n.example is not.";
    assert_eq!(asked(list, None, REFUSE), Err(format!("{doubt} Correct the list, or say so.")));
    let prepared = asked(list, None, Gaps::LeaveOut).unwrap();
    assert_eq!(given(&prepared), ["ana@n.example Alpha:Analyst", "bo@n.example Alpha:Analyst"]);
}

#[test]
fn an_international_domain_is_a_risk_that_names_both_forms() {
    let prepared = asked("zoe@nіmbus.example", None, REFUSE).unwrap();
    let risk = prepared.risks.iter().find(|r| r.contains("check that none")).unwrap();
    assert!(risk.starts_with("nіmbus.example is xn--"), "{risk}");
}

proptest! {
    #[test]
    fn the_counts_add_up_to_the_rows(rows in vec(
        (select(vec!["ana@n.example", "bo@n.example", "in@n.example", "soon@n.example", "nobody", "", "a@n.example; b@n.example"]),
         select(vec!["", "Guest", "Admin", "Janitor"]), select(vec!["", "Alpha", "Beta", "Alpha; Beta", "Gamma"])),
        1..25,
    )) {
        let line = |(mail, role, to): &(&str, &str, &str)| format!("x,\"{mail}\",{role},\"{to}\"");
        let list = rows.iter().map(line).collect::<Vec<_>>().join("\n");
        let said = match asked(&format!("Name,E-mail,Role,Community\n{list}"), None, Gaps::LeaveOut) {
            Ok(prepared) => prepared.account[0].to_string(),
            Err(text) => text.trim_start_matches("There is nobody to invite. ").split(": ").next().unwrap().to_owned(),
        };
        let number = |part: &str| part.split(' ').next().unwrap().parse::<usize>().unwrap();
        let mut parts = said.split("; ");
        let first = parts.next().unwrap();
        let all: usize = first.split(' ').nth(2).unwrap().parse().unwrap();
        let others: usize = parts.filter(|part| !part.contains("to check")).map(number).sum();
        prop_assert_eq!(all, rows.len(), "{}", said);
        prop_assert_eq!(number(first) + others, all, "{}", said);
    }
}
