//! Who may ask for which action: people and groups, a list for each kind.

use insta::assert_snapshot;
use sekoia_chatops::domain::access::Principal;
use sekoia_chatops::domain::action::Kind;
use sekoia_chatops::domain::approval::{Policy, Rule};

use crate::harness::{Platform, Setting, everywhere, id_in, on_both, run};

/// Actions with requesters of their own.
fn asked_by(on: Platform, kinds: &[(Kind, &str)]) -> Setting {
    let principals = |names: &str| -> Vec<Principal> {
        let names = on.principals(names);
        names.split(',').map(|one| one.parse().expect("a principal")).collect()
    };
    let rule = |names: &str| Rule { requesters: Some(principals(names)), ..Rule::default() };
    let per = kinds.iter().map(|(kind, names)| (*kind, rule(names))).collect();
    Setting { approval: Policy { per, ..Policy::default() }, durable: true, ..Setting::default() }
}

everywhere!(only_its_requesters_ask_for_an_action);
fn only_its_requesters_ask_for_an_action(on: Platform) {
    run(on, asked_by(on, &[(Kind::KeyCreate, "dan")]), async |s| {
        s.set_up().await;
        // An operator is none of them, typed or by the form.
        let key = "key create forwarder for intake-forwarder expires 30d";
        let refused = s.ask("alice", key).await.text();
        assert_snapshot!(refused, @"You may not ask for this. Ask your bot administrator to add `chat:alice` to requesters in [approval.key_create]. `/sekoia whoami` shows your rights.");
        assert_eq!(s.ask("alice", "key create").await.text(), refused);
        assert_eq!(s.ask("alice", &format!("{key} --dry-run")).await.text(), refused);
        // Dan is no operator: this is all that he may ask for.
        assert_snapshot!(s.ask("dan", "invite ana@nimbus.example").await.text(), @"That is for operators. Ask your bot administrator to add `chat:dan` to CHATOPS_OPERATORS. `/sekoia whoami` shows your rights.");
        s.request_for("dan", key).await;
        let card = s.card("Approval needed").await;
        assert!(card.text().contains("Asked by @dan"), "{card}");
        let listed = s.ask("dan", "approvals").await.text();
        assert!(listed.contains(&id_in(&card)), "{listed}");
        s.click("bob", &card, "Approve").await;
        let card = s.card("ready to be created").await;
        let direct = s.direct().await;
        let shown = s.opens("dan", &direct, "Create and show").await;
        assert!(shown.text().contains(&s.sekoia.secrets()[0]));
        s.card("shown; revoked unless").await;
        let (first, second) = (s.submit("dan", &shown, &[]).await.text(), s.card("saved").await);
        assert!(second.text().contains("created, shown once and saved"), "{card}");
        let other = s.direct().await.text();
        assert!(first.starts_with("Noted") || other.starts_with("Noted"), "{first} {other}");
        s.checklist_at_rest().await;
        // His own request he may withdraw, and nobody else's.
        s.request_for("dan", "key create second for intake-forwarder expires 30d").await;
        let card = s.card("Approval needed").await;
        s.click("dan", &card, "Withdraw").await;
        s.card("Withdrawn").await;
        s.checklist_at_rest().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        assert!(s.click("dan", &card, "Withdraw").await.text().contains("That is for operators."));
        s.checklist("⏳").await;
    });
}

on_both!(a_group_of_requesters_changes_before_the_request_is_carried_out);
fn a_group_of_requesters_changes_before_the_request_is_carried_out(on: Platform) {
    run(on, asked_by(on, &[(Kind::Invite, "@approvers")]), async |s| {
        s.set_up().await;
        s.request_for("bob", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.chat.approvers(&["carol"]);
        s.click("carol", &card, "Approve").await;
        let held = s.card("Confirmation needed").await;
        assert!(held.text().contains("@bob, who asked for it, may not ask for it any more."), "{held}");
        // Carol approved it: she is told.
        s.direct().await;
        assert_eq!(s.writes(), Vec::<String>::new());
    });
}
