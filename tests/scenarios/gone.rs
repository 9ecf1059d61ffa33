//! People on whom a request rests, and who are gone when it is carried out.

use insta::assert_snapshot;
use sekoia_chatops::domain::approval::{Policy, Rule};

use crate::harness::{Call, ChatFault, Platform, Seen, Setting, Stage, nameless, on_both, run, usual};

/// Frozen, so that something can happen between the approval and the call.
async fn approved_while_frozen(s: &Stage, ask: &str) -> Seen {
    s.ask("carol", "freeze \"a change of people\"").await;
    s.announced("This holds in every channel").await;
    s.approved(ask, "Approved").await
}

on_both!(who_asked_is_gone_so_an_approver_confirms_it);
fn who_asked_is_gone_so_an_approver_confirms_it(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        approved_while_frozen(s, "invite ana@nimbus.example").await;
        s.chat.deactivated("alice");
        s.ask("carol", "unfreeze").await;
        s.announced("The freeze was lifted").await;
        let card = s.card("Confirmation needed").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (updated)
        Confirmation needed
        *Invite ana@nimbus.example as Analyst*
        In *Nimbus Payments* as *Analyst*
        • ana@nimbus.example
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice
        • ✅ Approved by @bob · <date> <time> UTC
        ⏸️ @alice, who asked for it, is deactivated. Nothing more is sent until another approver confirms it, or it is rejected.
        Request <id> · SHA-256 <hash>…
        [Confirm?]! [Reject…]✗ [Withdraw]
        ");
        assert_snapshot!(nameless(s.direct().await), @"
        direct message to bob (posted)
        *Invite ana@nimbus.example as Analyst*
        ⏸️ @alice, who asked for it, is deactivated. Nothing more is sent until another approver confirms it, or it is rejected.
        In #soc-setup · request <id> · Open the card <message>
        ");
        assert_eq!(s.writes().len(), 0);
        assert_snapshot!(nameless(s.click("bob", &card, "Confirm").await.text()), @"You confirmed: *Invite ana@nimbus.example as Analyst*. It is carried out now.");
        s.card("ana@nimbus.example* · not accepted yet").await;
        s.checklist_at_rest().await;
        // Slack opens no conversation with somebody who is gone.
        if s.chat.platform() == Platform::Mattermost {
            s.direct().await;
        }
        assert_eq!(s.writes().len(), 1);
    });
}

on_both!(who_approved_is_gone_so_somebody_else_has_to);
fn who_approved_is_gone_so_somebody_else_has_to(on: Platform) {
    let two = Rule { required: 2, ..Rule::default() };
    let approval = Policy { usual: two, ..Policy::default() };
    run(on, Setting { approval, approvers: "bob,carol,dan", ..Setting::default() }, async |s| {
        s.set_up().await;
        s.ask("dan", "freeze \"a change of people\"").await;
        s.announced("This holds in every channel").await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("1 so far").await;
        s.click("carol", &card, "Approve").await;
        s.card("Approved by @carol").await;
        s.chat.deactivated("carol");
        s.ask("dan", "unfreeze").await;
        s.announced("The freeze was lifted").await;
        let card = s.card("Confirmation needed").await;
        assert!(card.text().contains("@carol, who approved it, is deactivated."), "{card}");
        let told = [s.direct().await.text(), s.direct().await.text()];
        assert!(told.iter().all(|told| told.contains("is deactivated")), "{told:?}");
        // One approval is bob's already: the two have to be two people's.
        assert!(s.click("bob", &card, "Confirm").await.text().contains("You already approved this"));
        assert!(s.click("alice", &card, "Confirm").await.text().contains("You asked for this yourself"));
        assert_eq!(s.writes().len(), 0);
        s.click("dan", &card, "Confirm").await;
        let card = s.card("ana@nimbus.example* · not accepted yet").await;
        assert!(card.text().contains("Approved by @dan") && !card.text().contains("Approved by @carol"), "{card}");
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

on_both!(a_guest_or_one_without_the_right_is_gone_too_and_may_be_rejected);
fn a_guest_or_one_without_the_right_is_gone_too_and_may_be_rejected(on: Platform) {
    for (change, says) in [
        (Box::new(|s: &Stage| s.chat.becomes_guest("bob")) as Box<dyn Fn(&Stage)>, "is a guest now"),
        (Box::new(|s: &Stage| s.chat.approvers(&["carol"])), "is no longer an approver"),
    ] {
        usual(on, async |s| {
            s.set_up().await;
            approved_while_frozen(s, "key revoke log-forwarder").await;
            change(s);
            s.ask("carol", "unfreeze").await;
            s.announced("The freeze was lifted").await;
            let card = s.card("Confirmation needed").await;
            assert!(card.text().contains(&format!("@bob, who approved it, {says}.")), "{card}");
            s.direct().await;
            s.ask("carol", &format!("reject {} \"bob has left\"", crate::harness::id_in(&card))).await;
            s.card("Rejected").await;
            s.direct().await;
            s.checklist_at_rest().await;
            assert_eq!(s.writes().len(), 0);
        });
    }
}

on_both!(a_key_goes_to_nobody_when_its_approver_is_gone);
fn a_key_goes_to_nobody_when_its_approver_is_gone(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.request_for("alice", "key create siem for read-alerts expires 30d").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("ready to be created").await;
        s.direct().await;
        s.chat.deactivated("bob");
        let told = s.outcome("alice", &card, "Create and show").await.text();
        assert!(
            told.contains("@bob, who approved it, is deactivated.") && told.contains("Nothing was created."),
            "{told}"
        );
        let card = s.card("Confirmation needed").await;
        s.direct().await;
        assert_eq!((s.writes().len(), s.sekoia.secrets().len()), (0, 0));
        let told = s.click("carol", &card, "Confirm").await.text();
        assert!(told.contains("You confirmed") && told.contains("@alice may create it now."), "{told}");
        let card = s.card("ready to be created").await;
        s.direct().await;
        let shown = s.opens("alice", &card, "Create and show").await;
        s.card("shown; revoked unless").await;
        s.submit("alice", &shown, &[]).await;
        s.card("created, shown once and saved").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

on_both!(who_cannot_be_looked_up_is_waited_for);
fn who_cannot_be_looked_up_is_waited_for(on: Platform) {
    run(on, Setting { approvers: "bob,carol", ..Setting::default() }, async |s| {
        s.set_up().await;
        approved_while_frozen(s, "invite ana@nimbus.example").await;
        for _ in 0..200 {
            s.chat.fault(Call::ReadPerson, ChatFault::Fails);
        }
        s.ask("carol", "unfreeze").await;
        s.announced("The freeze was lifted").await;
        let card = s.card("could not be looked up").await;
        assert!(card.text().contains("I try again by myself"), "{card}");
        assert_eq!(s.writes().len(), 0);
        s.chat.mend();
        s.card("ana@nimbus.example* · not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(s.writes().len(), 1);
    });
}

on_both!(who_is_there_again_needs_no_confirmation);
fn who_is_there_again_needs_no_confirmation(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.request_for("alice", "key create siem for read-alerts expires 30d").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("ready to be created").await;
        s.direct().await;
        s.chat.deactivated("bob");
        s.outcome("alice", &card, "Create and show").await;
        let card = s.card("Confirmation needed").await;
        s.direct().await;
        s.chat.reactivated("bob");
        let shown = s.outcome("alice", &card, "Create and show").await;
        assert!(shown.text().contains("Your new API key"), "{shown}");
        s.card("shown; revoked unless").await;
        s.submit("alice", &shown, &[]).await;
        s.card("created, shown once and saved").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}
