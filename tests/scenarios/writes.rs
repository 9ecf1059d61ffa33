//! Sekoia fails, refuses, or does not say what it did: nothing is done twice, nothing is claimed
//! that is not so.

use std::time::Duration;

use insta::assert_snapshot;
use sekoia_chatops::sandbox::world::InvitationBody;
use sekoia_chatops::sandbox::{Fault, FaultKind, Writes};
use sekoia_chatops::timing::{Calls, Timing};

use crate::harness::{Platform, QUICK, Setting, Stage, id_in, nameless, on_both, run, usual};

const POST: &str = "POST";

/// The channel of a bank with several communities.
async fn bank(s: &Stage) {
    s.ask("alice", "setup \"Banque Rivoli\"").await;
    s.checklist("").await;
}

/// Somebody makes another community of the same name; twice: and takes it away again.
fn twin(s: &Stage, name: &str) {
    s.sekoia.edit(|world| match world.communities.iter().position(|c| c.name == name) {
        Some(twin) => {
            world.communities.remove(twin);
        }
        None => {
            let mut twin = world.communities[1].clone();
            twin.uuid = uuid::Uuid::new_v4();
            twin.name = name.into();
            world.communities.push(twin);
        }
    });
}

/// The statuses of the calls that would change something, in order.
fn statuses(s: &Stage) -> Vec<u16> {
    s.sekoia.calls().iter().filter(|c| c.method != "GET").map(|c| c.status).collect()
}

fn community(s: &Stage, name: &str) -> usize {
    s.sekoia.edit(|world| world.communities.iter().filter(|c| c.name == name).count())
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status { code, retry_after: None, body: None }
}

fn multi() -> Setting {
    Setting { tenant: sekoia_chatops::sandbox::Tenant::Multi, ..Setting::default() }
}

/// What goes wrong with the first call; the community is there once all the same.
fn done_once_in_spite_of(on: Platform, fault: Fault, sent: &[u16], says: &str) {
    // Nobody waits for long for a call that takes long.
    let timing = Timing { calls: Calls { longest: Duration::from_secs(3), ..QUICK.calls }, ..QUICK };
    run(on, Setting { timing, ..multi() }, async |s| {
        bank(s).await;
        s.sekoia.faults().add(fault.clone().on("/sub-communities").method(POST).times(1));
        s.request_for("alice", "community create \"Rivoli Cards\"").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("✅ *Rivoli Cards*").await;
        assert!(card.text().contains(says), "{card}");
        assert_eq!(community(s, "Rivoli Cards"), 1);
        assert_eq!(statuses(s), sent);
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

on_both!(asked_to_wait_then_taken);
fn asked_to_wait_then_taken(on: Platform) {
    let wait = FaultKind::Status { code: 429, retry_after: Some(1), body: None };
    done_once_in_spite_of(on, Fault::new(wait), &[429, 200], "");
}

on_both!(an_error_then_taken);
fn an_error_then_taken(on: Platform) {
    done_once_in_spite_of(on, Fault::new(status(500)), &[500, 200], "");
}

on_both!(a_reset_connection_then_taken);
fn a_reset_connection_then_taken(on: Platform) {
    done_once_in_spite_of(on, Fault::new(FaultKind::Reset), &[0, 200], "");
}

on_both!(done_and_the_reply_lost);
fn done_and_the_reply_lost(on: Platform) {
    done_once_in_spite_of(on, Fault::new(FaultKind::LoseReply), &[200], "found in Sekoia by reading back");
}

on_both!(done_and_the_reply_garbled);
fn done_and_the_reply_garbled(on: Platform) {
    done_once_in_spite_of(on, Fault::new(FaultKind::Malformed), &[200], "Rivoli Cards");
}

on_both!(slower_than_anybody_waits);
fn slower_than_anybody_waits(on: Platform) {
    done_once_in_spite_of(on, Fault::new(FaultKind::Latency { ms: 60_000 }), &[200], "found in Sekoia by reading back");
}

on_both!(errors_that_go_on_end_as_failed_and_may_be_tried_again);
fn errors_that_go_on_end_as_failed_and_may_be_tried_again(on: Platform) {
    run(on, multi(), async |s| {
        bank(s).await;
        let refused = FaultKind::Status {
            code: 400,
            retry_after: None,
            body: Some("{\"code\":\"C12\",\"message\":\"The name is <!channel> reserved\"}".into()),
        };
        s.sekoia.faults().add(Fault::new(refused).on("/sub-communities").method(POST).times(1));
        let card = s.approved("community create \"Rivoli Cards\", \"Rivoli Loans\"", "Retry failed").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (updated)
        Done in part
        *Create 2 communities*
        Under *Banque Rivoli*
        Asked by @alice
        • ⚠️ 2 communities under Banque Rivoli that the API cannot delete again
        1 of 2 done · 1 failed
        • ✅ Approved by @bob · <date> <time> UTC
        • ❌ *Rivoli Cards* · Sekoia refuses the request (400): The name is <!channel> reserved
        • ✅ *Rivoli Loans* · <date> <time> UTC
        Request <id> · SHA-256 <hash>…
        [Retry failed]! [Do it by hand]
        ");
        assert_snapshot!(nameless(s.direct().await.text()), @"
        Done in part: *Create 2 communities*
        • ❌ *Rivoli Cards* · Sekoia refuses the request (400): The name is <!channel> reserved
        • ✅ *Rivoli Loans* · <date> <time> UTC
        In #soc-setup · request <id> · Open the card <message>
        ");
        s.checklist_at_rest().await;
        assert_eq!((community(s, "Rivoli Cards"), community(s, "Rivoli Loans")), (0, 1));
        assert_snapshot!(s.click("alice", &card, "Retry failed").await.text(), @"Trying 1 call again. What is done stays done.");
        s.card("2 of 2 done").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!((community(s, "Rivoli Cards"), community(s, "Rivoli Loans")), (1, 1));
        assert_eq!(statuses(s), [400, 200, 200]);
    });
}

on_both!(what_cannot_be_read_back_is_left_to_a_person);
fn what_cannot_be_read_back_is_left_to_a_person(on: Platform) {
    run(on, multi(), async |s| {
        bank(s).await;
        let id = s.request_for("alice", "community create \"Rivoli Cards\"").await;
        let card = s.card("Approval needed").await;
        s.sekoia.faults().add(Fault::new(FaultKind::LoseReply).on("/sub-communities").method(POST).times(1));
        // Somebody makes another one of the same name meanwhile.
        twin(s, "Rivoli Cards");
        s.click("bob", &card, "Approve").await;
        let card = s.card("Outcome unknown").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (updated)
        Outcome unknown
        *Create the community Rivoli Cards*
        Under *Banque Rivoli*
        Asked by @alice
        • ⚠️ 1 community under Banque Rivoli that the API cannot delete again
        • ✅ Approved by @bob · <date> <time> UTC
        • ❓ *Rivoli Cards* · several have this name: look which one is meant
        Request <id> · SHA-256 <hash>…
        [Look in Sekoia]! [Send it again?] [Give up]
        ");
        s.direct().await;
        s.checklist("⏳").await;
        assert_snapshot!(s.click("alice", &card, "Look in Sekoia").await.text(), @"Sekoia does not show: Rivoli Cards. Nothing was marked as done for it.");
        twin(s, "Rivoli Cards");
        assert_snapshot!(s.ask("bob", &format!("check {id}")).await.text(), @"Sekoia has it. Thank you.");
        s.card("✅ *Rivoli Cards*").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(statuses(s), [200]);
    });
}

on_both!(where_keys_may_not_write_a_person_does_it_and_sekoia_confirms_it);
fn where_keys_may_not_write_a_person_does_it_and_sekoia_confirms_it(on: Platform) {
    run(on, Setting { writes: Writes::Refused, ..multi() }, async |s| {
        bank(s).await;
        let card = s.approved("invite ana@rivoli.example bob@rivoli.example as \"Analyst\"", "To do by hand").await;
        assert_snapshot!(nameless(&card), @r#"
        #soc-setup (updated)
        To do by hand
        *Invite 2 people as Analyst*
        In *Banque Rivoli* as *Analyst*
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice
        • ⚠️ external domain: no member has an address at rivoli.example
        0 of 2 done · 2 by hand
        • ✅ Approved by @bob · <date> <time> UTC
        • ✋ *ana@rivoli.example* · Sekoia refuses API keys here (403): the bot's key has the permission "COMMUNITY_ADD_MEMBER"
        • ✋ *bob@rivoli.example* · Sekoia refuses API keys here (403): the bot's key has the permission "COMMUNITY_ADD_MEMBER"
        In Sekoia's console <https://app.sekoia.io>: Settings > Workspace > Users, Add new users. Enter exactly this, then press "I did it": I look whether Sekoia has it.
        ```
        ana@rivoli.example
        bob@rivoli.example

        Banque Rivoli as Analyst
        ```
        Request <id> · SHA-256 <hash>…
        [I did it]! [Try again] [Give up]
        "#);
        // The first refusal is remembered: the second is not sent.
        assert_eq!(statuses(s), [403]);
        assert_snapshot!(nameless(s.direct().await.text()), @r#"
        Sekoia does not let the bot do this, so it has to be done by hand: *Invite 2 people as Analyst*
        • ✋ *ana@rivoli.example* · Sekoia refuses API keys here (403): the bot's key has the permission "COMMUNITY_ADD_MEMBER"
        • ✋ *bob@rivoli.example* · Sekoia refuses API keys here (403): the bot's key has the permission "COMMUNITY_ADD_MEMBER"
        In #soc-setup · request <id> · Open the card <message>
        "#);
        s.checklist("a person to do it by hand:").await;
        let told = s.ask("alice", "overview").await.text();
        assert!(told.contains("an operator has to do it by hand, as its card says"), "{told}");
        assert_snapshot!(s.click("alice", &card, "I did it").await.text(), @"Sekoia does not show: ana@rivoli.example, bob@rivoli.example. Nothing was marked as done for it.");
        s.sekoia.edit(|world| {
            let (root, role) = (world.root, world.role("Analyst").expect("a role").uuid);
            world.add_pending(root, "ana@rivoli.example", role);
        });
        assert_snapshot!(s.click("alice", &card, "I did it").await.text(), @"Found 1. Sekoia does not show: bob@rivoli.example. Nothing was marked as done for it.");
        s.card("1 of 2 done").await;
        s.sekoia.edit(|world| {
            let (root, role) = (world.root, world.role("Analyst").expect("a role").uuid);
            world.add_pending(root, "bob@rivoli.example", role);
        });
        assert_snapshot!(s.click("alice", &card, "I did it").await.text(), @"Sekoia has it. Thank you.");
        s.card("bob@rivoli.example* · done by hand, found in Sekoia · not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;

        // A key that the bot may not create shows its values instead, and no secret is involved.
        s.request_for("alice", "key create siem for read-alerts expires 30d").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("ready to be created").await;
        s.direct().await;
        let told = s.outcome("alice", &card, "Create and show").await.text();
        for says in [
            r#"Sekoia refuses API keys here (403): the bot's key has the permission "COMMUNITY_WRITE_APIKEY"."#,
            "The request's card shows how to do it by hand.",
        ] {
            assert!(told.contains(says), "{told}");
        }
        let card = s.card("To do by hand").await;
        assert!(card.text().contains("Name: siem"), "{card}");
        s.direct().await;
        s.checklist("a person to do it by hand:").await;
    });
}

on_both!(an_invitation_is_sent_in_whichever_form_sekoia_takes);
fn an_invitation_is_sent_in_whichever_form_sekoia_takes(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.sekoia.edit(|world| world.invitations = InvitationBody::Emails);
        s.approved("invite ana@nimbus.example bob@nimbus.example", "bob@nimbus.example* · not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        // Learnt once.
        assert_eq!(statuses(s), [400, 204, 204]);
    });
}

on_both!(people_are_tracked_until_they_come);
fn people_are_tracked_until_they_come(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = s.approved("invite ana@nimbus.example", "not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        let again = s.ask("alice", "invite ANA@nimbus.example zoe@nimbus.example").await;
        assert!(
            again
                .text()
                .contains("1 of 2 entries; 1 already in or invited: ana@nimbus.example is invited and not in yet."),
            "{again}"
        );
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        let one = s.ask("bob", &format!("approvals {}", id_in(&card))).await;
        assert_snapshot!(nameless(one.text()), @"
        Request <id> · succeeded
        *Invite ana@nimbus.example as Analyst*
        In *Nimbus Payments* as *Analyst*
        • ✅ Approved by @bob · <date> <time> UTC
        • ✅ *ana@nimbus.example* · not accepted yet · <date> <time> UTC
        SHA-256 of what was asked for:
        ```
        <hash>
        ```
        [Send again]
        ");
    });
}

on_both!(a_freeze_holds_what_waits_for_its_next_attempt);
fn a_freeze_holds_what_waits_for_its_next_attempt(on: Platform) {
    run(on, multi(), async |s| {
        bank(s).await;
        let wait = FaultKind::Status { code: 429, retry_after: Some(1), body: None };
        s.sekoia.faults().add(Fault::new(wait).on("/sub-communities").method(POST).times(1));
        s.request_for("alice", "community create \"Rivoli Cards\"").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        while statuses(s) != [429] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        s.ask("carol", "freeze \"incident 42\"").await;
        s.announced("This holds in every channel").await;
        s.card("Nothing is carried out").await;
        // What Sekoia asked for is over.
        tokio::time::sleep(Duration::from_secs(1)).await;
        s.rounds(3).await;
        assert_eq!((statuses(s), community(s, "Rivoli Cards")), (vec![429], 0));
        s.ask("bob", "unfreeze").await;
        s.announced("The freeze was lifted").await;
        s.card("✅ *Rivoli Cards*").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(community(s, "Rivoli Cards"), 1);
    });
}

on_both!(what_nobody_can_tell_is_given_up_or_sent_again_by_a_person);
fn what_nobody_can_tell_is_given_up_or_sent_again_by_a_person(on: Platform) {
    run(on, multi(), async |s| {
        bank(s).await;
        let id = s.request_for("alice", "community create \"Rivoli Cards\"").await;
        let card = s.card("Approval needed").await;
        s.sekoia.faults().add(Fault::new(FaultKind::LoseReply).on("/sub-communities").method(POST).times(1));
        twin(s, "Rivoli Cards");
        s.click("bob", &card, "Approve").await;
        s.card("Outcome unknown").await;
        s.direct().await;
        let told = s.ask("alice", "overview").await.text();
        assert!(told.contains("unknown whether it was done: an operator has to look in Sekoia"), "{told}");
        // It is there already: trying again looks first.
        twin(s, "Rivoli Cards");
        assert_snapshot!(s.ask("alice", &format!("retry {id}")).await.text(), @"Sekoia has it already: nothing was sent.");
        s.card("✅ *Rivoli Cards*").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(statuses(s), [200]);
    });
}

on_both!(a_rotation_that_is_refused_is_done_by_hand_or_given_up);
fn a_rotation_that_is_refused_is_done_by_hand_or_given_up(on: Platform) {
    run(on, Setting { writes: Writes::Refused, ..Setting::default() }, async |s| {
        s.set_up().await;
        s.request_for("alice", "key rotate log-forwarder expires 90d").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("ready to be created").await;
        s.direct().await;
        let told = s.outcome("alice", &card, "Create and show").await;
        assert!(told.text().contains("how to do it by hand"), "{told}");
        let card = s.card("To do by hand").await;
        assert!(card.text().contains("Name: log-forwarder"), "{card}");
        s.direct().await;
        s.checklist("a person to do it by hand:").await;
        assert_snapshot!(nameless(s.click("alice", &card, "Give up").await.text()), @"Withdrawn: *Replace the API key log-forwarder by log-forwarder <date>*. Nothing of it was done.");
        s.card("Withdrawn").await;
        s.checklist_at_rest().await;
    });
}
