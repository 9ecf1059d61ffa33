//! A request that nobody decides goes to further people, who count from then on.

use std::time::Duration;

use insta::assert_snapshot;
use jiff::{Timestamp, ToSpan};
use sekoia_chatops::domain::access::Principal;
use sekoia_chatops::domain::approval::{ApprovalId, Notify, Policy, Rule};
use sekoia_chatops::domain::working_time::WorkingTime;
use sekoia_chatops::state::approvals::stream;

use crate::harness::{Platform, SOC, Seen, Setting, Stage, everywhere, nameless, on_both, run};

/// As the settings name people on this platform.
pub(super) fn named(on: Platform, names: &str) -> Vec<Principal> {
    on.principals(names).split(',').map(|name| name.parse().expect("a principal")).collect()
}

/// Soon enough for a test, whatever day and hour it is.
pub(super) fn soon(to: Vec<Principal>) -> Rule {
    Rule { escalate_after: Some(Duration::from_millis(2_500)), escalate_to: to, ..Rule::default() }
}

fn by(rule: Rule) -> Setting {
    let approval = Policy { usual: rule, working: WorkingTime::ALWAYS, ..Policy::default() };
    Setting { approval, durable: true, ..Setting::default() }
}

async fn asked(s: &mut Stage) -> String {
    let id = s.request_for("alice", "invite ana@nimbus.example as Analyst").await;
    s.card("Approval needed").await;
    s.checklist("⏳").await;
    id
}

/// The card once it says so, and what its thread says then.
async fn escalated(s: &Stage) -> (Seen, Seen) {
    let card = s.card("Escalated on").await;
    (card, s.announced("Escalated: ").await)
}

fn said(s: &Stage) -> usize {
    s.chat.standing(SOC).iter().filter(|seen| seen.text().contains("Escalated: ")).count()
}

everywhere!(what_nobody_decides_goes_to_further_people_who_count_then);
fn what_nobody_decides_goes_to_further_people_who_count_then(on: Platform) {
    run(on, by(soon(named(on, "dan,bob,@approvers"))), async |s| {
        s.set_up().await;
        let id = asked(s).await;
        let (card, thread) = escalated(s).await;
        assert_snapshot!(nameless(card.text()), @"
        Approval needed
        *Invite ana@nimbus.example as Analyst*
        In *Nimbus Payments* as *Analyst*
        • ana@nimbus.example
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        ⏫ Escalated on <date> <time> UTC to @dan, @bob and 1 user group
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        ");
        assert_snapshot!(nameless(thread.text()), @"
        Escalated: *Invite ana@nimbus.example as Analyst* · needs 1 approval until <date> <time> UTC (in 23 h)
        For @dan to decide
        ");
        s.rounds(2).await;
        s.crash().await;
        s.start().await;
        s.rounds(3).await;
        assert_eq!(said(s), 1);
        assert_snapshot!(nameless(s.click("dan", &card, "Approve").await.text()), @"You approved: *Invite ana@nimbus.example as Analyst*. It is carried out now.");
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        s.stop().await;
        let records = s.store().await.history(&stream(&ApprovalId::from(&*id)), 0, 20).await.unwrap();
        let escalated: Vec<_> = records.iter().filter(|record| &*record.kind == "approval.escalated").collect();
        let [record] = escalated.as_slice() else { panic!("{records:?}") };
        assert_eq!(&*record.actor, "bot");
        assert!(record.body.contains(&on.principals("dan")), "{record:?}");
        s.verify_audit();
    });
}

on_both!(until_then_they_do_not_count);
fn until_then_they_do_not_count(on: Platform) {
    let rule = Rule { escalate_after: Some(Duration::from_hours(20)), ..soon(named(on, "dan")) };
    run(on, by(rule), async |s| {
        s.set_up().await;
        let id = asked(s).await;
        let told = s.ask("dan", &format!("approve {id}")).await.text();
        assert_eq!(told, "You cannot decide this. These people can: @bob or @carol.");
        // What is settled by then is not escalated.
        s.ask("bob", &format!("reject {id} no")).await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        s.rounds(2).await;
        s.stop().await;
        let store = s.store().await;
        let due = store.due(sekoia_chatops::store::WorkKind::Escalation, Timestamp::MAX, 9).await.unwrap();
        assert!(due.is_empty(), "{due:?}");
    });
}

on_both!(they_are_written_to_where_that_is_wanted_and_find_it_in_their_inbox);
fn they_are_written_to_where_that_is_wanted_and_find_it_in_their_inbox(on: Platform) {
    run(on, Setting { approvers: "bob", ..by(Rule { notify: Notify::Direct, ..soon(named(on, "dan")) }) }, async |s| {
        s.set_up().await;
        asked(s).await;
        assert!(s.direct().await.is_for("bob"));
        s.card("Escalated on").await;
        let direct = s.direct().await;
        assert_snapshot!(nameless(&direct), @"
        direct message to dan (posted)
        Escalated to you: *Invite ana@nimbus.example as Analyst* · needs 1 approval until <date> <time> UTC (in 23 h)
        Asked by @alice
        In #soc-setup · request <id> · Open the card <message>
        [Approve?]! [Reject…]✗
        ");
        let inbox = s.ask("dan", "inbox").await.text();
        assert!(inbox.contains("Invite ana@nimbus.example") && inbox.contains("[Approve?]"), "{inbox}");
        s.click("dan", &direct, "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(said(s), 0);
    });
    // Where nobody is to hear of it, they count all the same.
    run(on, by(Rule { notify: Notify::None, ..soon(named(on, "dan")) }), async |s| {
        s.set_up().await;
        let id = asked(s).await;
        s.card("Escalated on").await;
        s.ask("dan", &format!("approve {id}")).await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(said(s), 0);
    });
}

on_both!(nobody_becomes_an_approver_of_their_own_request);
fn nobody_becomes_an_approver_of_their_own_request(on: Platform) {
    for self_approval in [false, true] {
        let rule = Rule { self_approval, ..soon(named(on, "alice,dan")) };
        run(on, Setting { approvers: "bob", ..by(rule) }, async |s| {
            s.set_up().await;
            let id = asked(s).await;
            let (_, thread) = escalated(s).await;
            assert!(thread.text().contains("For @dan to decide"), "{thread}");
            let told = s.ask("alice", &format!("approve {id}")).await.text();
            assert!(told.ends_with("These people can: @bob or @dan."), "{told}");
        });
    }
}

on_both!(quiet_hours_hold_back_the_message_and_not_who_counts);
fn quiet_hours_hold_back_the_message_and_not_who_counts(on: Platform) {
    let here = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let mut setting = by(soon(named(on, "dan")));
    let quiet = Some(((here.clone() - 1.hour()).time(), (here + 3.hours()).time()));
    setting.approval.working = WorkingTime { quiet, ..WorkingTime::ALWAYS };
    run(on, setting, async |s| {
        s.set_up().await;
        let id = asked(s).await;
        s.card("Escalated on").await;
        s.rounds(3).await;
        assert_eq!(said(s), 0);
        s.ask("dan", &format!("approve {id}")).await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

on_both!(a_quorum_may_need_the_escalation);
fn a_quorum_may_need_the_escalation(on: Platform) {
    let rule =
        |required| Rule { required, escalate_after: Some(Duration::from_hours(4)), ..soon(named(on, "dan,alice")) };
    run(on, Setting { approvers: "bob", ..by(rule(2)) }, async |s| {
        s.set_up().await;
        let told = s.ask("alice", "invite ana@nimbus.example as Analyst").await.text();
        let said = told.lines().next().unwrap();
        assert_snapshot!(nameless(said), @"Asked: *Invite ana@nimbus.example as Analyst*. It needs 2 approvals by @bob, and from <date> <time> UTC on by @dan, until <date> <time> UTC.");
        s.card("Approval needed").await;
        s.checklist("⏳").await;
    });
    run(on, Setting { approvers: "bob", ..by(rule(3)) }, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "invite ana@nimbus.example as Analyst").await.text(), @"This could never be approved: it needs 3 approvals (CHATOPS_APPROVALS_REQUIRED), and only 2 people may approve it (CHATOPS_APPROVERS and escalate_to in [approval]). Nothing was asked. Ask your bot administrator to change one of the two.");
    });
}
