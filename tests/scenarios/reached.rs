//! Those who can decide a new request hear of it, once.

use insta::assert_snapshot;
use sekoia_chatops::domain::approval::{Notify, Policy, Rule};

use crate::harness::{Platform, Seen, Setting, Stage, everywhere, nameless, on_both, run};

fn by(notify: Notify) -> Setting {
    let usual = Rule { notify, ..Rule::default() };
    Setting { approval: Policy { usual, ..Policy::default() }, durable: true, ..Setting::default() }
}

async fn asked(s: &mut Stage) -> Seen {
    s.request_for("alice", "invite ana@nimbus.example as Analyst").await;
    s.card("Approval needed").await
}

everywhere!(a_new_card_mentions_those_who_can_decide_and_no_edit_does);
fn a_new_card_mentions_those_who_can_decide_and_no_edit_does(on: Platform) {
    let two = Rule { required: 2, ..Rule::default() };
    let approval = Policy { usual: two, ..Policy::default() };
    let setting = || Setting { approval: approval.clone(), approvers: "@approvers,alice", ..by(Notify::Mention) };
    run(on, setting(), async |s| {
        s.set_up().await;
        // Alice is an approver, and may not decide her own.
        let card = asked(s).await;
        assert!(card.text().contains("For @bob and @carol to decide"), "{card}");
        s.checklist("⏳").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("1 so far").await;
        assert!(!card.text().contains("to decide"), "{card}");
    });
    // Another message in its place notifies nobody again.
    run(on, setting(), async |s| {
        s.set_up().await;
        let card = asked(s).await;
        s.checklist("⏳").await;
        s.chat.close_edits(true);
        s.click("bob", &card, "Approve").await;
        let card = s.card("1 so far").await;
        assert!(card.text().contains("This message replaces") && !card.text().contains("to decide"), "{card}");
    });
}

on_both!(a_restart_mentions_nobody_again);
fn a_restart_mentions_nobody_again(on: Platform) {
    run(on, by(Notify::Both), async |s| {
        s.set_up().await;
        let card = asked(s).await;
        assert!(card.text().contains("For @bob and @carol to decide"), "{card}");
        let told = [s.direct().await.to_string(), s.direct().await.to_string()];
        s.checklist("⏳").await;
        assert!(["bob", "carol"].iter().all(|name| told.iter().any(|told| told.contains(name))), "{told:?}");
        s.crash().await;
        s.start().await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("ana@nimbus.example* · not accepted yet").await;
        assert!(!card.text().contains("to decide"), "{card}");
        assert!(s.direct().await.text().contains("Done"));
        s.checklist_at_rest().await;
    });
}

everywhere!(each_decides_from_a_direct_message);
fn each_decides_from_a_direct_message(on: Platform) {
    run(on, Setting { approvers: "alice,bob", ..by(Notify::Direct) }, async |s| {
        s.set_up().await;
        let card = asked(s).await;
        assert!(!card.text().contains("to decide"), "{card}");
        s.checklist("⏳").await;
        let direct = s.direct().await;
        assert_snapshot!(nameless(&direct), @"
        direct message to bob (posted)
        Approval needed: *Invite ana@nimbus.example as Analyst*
        Asked by @alice
        Needs 1 approval until <date> <time> UTC
        In #soc-setup · request <id> · Open the card <message>
        [Approve?]! [Reject…]✗
        ");
        assert_snapshot!(nameless(s.click("bob", &direct, "Approve").await.text()), @"You approved: *Invite ana@nimbus.example as Analyst*. It is carried out now.");
        s.card("ana@nimbus.example* · not accepted yet").await;
        assert!(s.direct().await.text().contains("Done"));
        s.checklist_at_rest().await;
        // Its buttons are of no use any more, and say so.
        assert_snapshot!(nameless(s.click("bob", &direct, "Approve").await.text()), @"Already approved by @bob · <date> <time> UTC.");
    });
}

on_both!(many_are_counted_and_nobody_is_bothered_where_that_is_wanted);
fn many_are_counted_and_nobody_is_bothered_where_that_is_wanted(on: Platform) {
    run(on, by(Notify::Mention), async |s| {
        s.chat.crowd(50);
        s.set_up().await;
        let card = asked(s).await;
        let says = match on {
            Platform::Slack => "For <!subteam^S0APPROVERS> to decide",
            Platform::Mattermost => "At least 30 people can approve this",
        };
        assert!(card.text().contains(says), "{card}");
        s.checklist("⏳").await;
    });
    run(on, by(Notify::None), async |s| {
        s.set_up().await;
        let card = asked(s).await;
        assert!(!card.text().contains("decide") && !card.text().contains("can approve"), "{card}");
        s.checklist("⏳").await;
    });
}
