//! Steps are ticked, skipped, reopened, given to somebody.

use insta::assert_snapshot;

use crate::harness::{Choice, Platform, on_both, steady, usual};

on_both!(a_step_is_done_because_sekoia_confirms_it);
fn a_step_is_done_because_sekoia_confirms_it(on: Platform) {
    usual(on, async |s| {
        let progress = s.set_up().await;
        let card = s.choose("alice", &progress, "Open a step", Choice::Option("1 Verify your subscription")).await;
        assert_snapshot!(card, @"
        to alice alone in #soc-setup
        Step 1 of 7 · Verify your subscription
        *Nimbus Payments*
        ☐ open
        Which products and modules are active, until when and for how many assets decides what the team can use.
        The bot reads the licences, warns by Sekoia's own expiry thresholds and keeps the evidence.
        In Sekoia: Settings > Workspace > Subscriptions · See: Understand your subscription <https://docs.sekoia.com/getting_started/subscriptions/>
        [Done]! [Check with Sekoia] [Show details] [Skip…] [Assign to ▾] [Due date 📅]
        ");
        let done = s.click("alice", &card, "Done").await;
        assert_snapshot!(steady(done), @"
        to alice alone in #soc-setup
        Sekoia confirms it: Defend Prime until <date>, Intelligence until <date>, Reveal until <date>.
        Step 1 of 7 · Verify your subscription
        *Nimbus Payments*
        ✅ verified with Sekoia: Defend Prime until <date>, Intelligence until <date>, Reveal until <date> · @alice · <date> <time> UTC
        Which products and modules are active, until when and for how many assets decides what the team can use.
        The bot reads the licences, warns by Sekoia's own expiry thresholds and keeps the evidence.
        In Sekoia: Settings > Workspace > Subscriptions · See: Understand your subscription <https://docs.sekoia.com/getting_started/subscriptions/>
        [Next step]! [Check with Sekoia] [Show details] [Reopen]
        ");
        assert_snapshot!(steady(s.progress().await), @"
        #soc-setup (updated)
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓▓░░░░░  1 of 7 done · 1 not applicable
        ☐ *Before you start*
        ✅ *1 Verify your subscription* · Defend Prime until <date>, Intelligence until <date>, Reveal until <date>
        ☐ *2 Confirm your region*
        ➖ *3 Create communities* · not applicable
        ☐ *4 Define roles*
        ☐ *5 Invite users*
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        [Open a step ▾] [Next]! [Refresh]
        ");
        let again = s.ask("bob", "done 1").await;
        assert_snapshot!(again, @"
        to bob alone in #soc-setup
        Already verified: step 1 (subscription). `/sekoia reopen subscription` first if that has to change.
        ");
    });
}

on_both!(all_steps_are_worked_through);
fn all_steps_are_worked_through(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let mut last = String::new();
        for words in [
            "done 0 anyway",
            "done region",
            "done 4",
            "done USERS",
            "done 6",
            "done notifications anyway",
            "done subscription",
        ] {
            s.ask("alice", words).await;
            last = s.progress().await.text();
        }
        assert_snapshot!(steady(last), @"
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓▓▓▓▓▓▓  6 of 7 done · 1 not applicable
        ☑️ *Before you start* · attested by @alice
        ✅ *1 Verify your subscription* · Defend Prime until <date>, Intelligence until <date>, Reveal until <date>
        ✅ *2 Confirm your region* · FRA1 (France): the key is accepted; people log in at https://app.sekoia.io · ⚠️ 1
        ➖ *3 Create communities* · not applicable
        ✅ *4 Define roles* · 3 built-in roles, 2 custom roles · ⚠️ 1
        ✅ *5 Invite users* · 5 active members, 2 pending invitations · ⚠️ 3
        ✅ *6 Create API keys* · 6 active keys, 5 of them for integrations · ⚠️ 2
        ☑️ *7 Configure notifications* · attested by @alice
        ☐ *What comes next*
        [Open a step ▾] [Next]! [Refresh]
        ");
        assert_snapshot!(s.ask("alice", "next").await.text(), @"
        Every step is settled. What comes next is your product's quick start.
        What comes next
        *Nimbus Payments*
        ☐ open
        Once the workspace is configured, analysts follow the quick start of their product.
        The bot posts the quick start and checks that intakes, alerts and playbooks are there.
        In Sekoia: Intakes, Alerts and Playbooks in the console · See: Defend <https://docs.sekoia.com/xdr/xdr_quick_start/>, Intelligence <https://docs.sekoia.com/cti/>
        [Done]! [Check with Sekoia] [Show details] [Skip…] [Assign to ▾] [Due date 📅]
        ");
        assert_snapshot!(s.ask("alice", "quickstart defend").await.text(), @"
        What comes next
        *Defend*, about an hour and a half:
        • Connect a first source (Admin, or intake permissions; 10–20 min)
        • Check that events arrive (5–10 min)
        • Enable detection rules (10–15 min)
        • Triage a first alert (15–30 min)
        • Automate with a playbook (15–20 min)
        Sekoia confirms it: 5 intakes, alerts arrive, 3 playbooks.
        ⚠️ 2 intakes send nothing or report an error
        See: Defend <https://docs.sekoia.com/xdr/xdr_quick_start/>, Intelligence <https://docs.sekoia.com/cti/>
        [Done]
        ");
    });
}

on_both!(one_press_leads_from_each_done_step_to_the_next);
fn one_press_leads_from_each_done_step_to_the_next(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        assert!(s.ask("alice", "next").await.text().starts_with("Before you start\n"));
        let done = s.ask("alice", "done 0 anyway").await;
        s.progress().await;
        let next = s.click("alice", &done, "Next step").await;
        assert!(next.text().starts_with("Step 1 of 7"), "{next}");
        let done = s.click("alice", &next, "Done").await;
        s.progress().await;
        let next = s.click("alice", &done, "Next step").await;
        assert!(next.text().starts_with("Step 2 of 7"), "{next}");
        assert!(!next.text().contains("[Next step]"), "{next}");
    });
}

on_both!(a_due_date_that_nobody_would_see_is_refused_and_an_assignee_is_shown);
fn a_due_date_that_nobody_would_see_is_refused_and_an_assignee_is_shown(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask("alice", "done region").await;
        s.progress().await;
        assert_snapshot!(s.ask("alice", "due region +7d").await.text(), @"Already verified: step 2 (region). Only an open step has a due date: `/sekoia reopen region` first.");
        let card = s.ask("alice", "assign region @bob").await;
        assert!(card.text().contains("In hand · @bob"), "{card}");
        s.progress().await;
    });
}

on_both!(what_sekoia_does_not_confirm_needs_somebodys_word);
fn what_sekoia_does_not_confirm_needs_somebodys_word(on: Platform) {
    usual(on, async |s| {
        s.sekoia.edit(|world| world.members.truncate(1));
        s.set_up().await;
        let not_yet = s.ask("alice", "done users").await;
        assert_snapshot!(not_yet, @r#"
        to alice alone in #soc-setup
        Sekoia does not confirm step 5 (users) yet: 1 active member, 0 pending invitations.
        • Missing: colleagues: nobody but the first administrator is in
        Nothing was changed. You can mark it as done on your word; it will say "attested".
        [Check again] [Mark as done on my word?]
        "#);
        let attested = s.click("alice", &not_yet, "Mark as done on my word").await;
        assert_snapshot!(steady(attested), @"
        to alice alone in #soc-setup
        Marked as done on your word.
        Step 5 of 7 · Invite users
        *Nimbus Payments*
        ☑️ attested, not verified · @alice · <date> <time> UTC
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        [Next step]! [Check with Sekoia] [Show details] [Reopen]
        ");
        assert_snapshot!(steady(s.progress().await.text()), @"
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓▓░░░░░  1 of 7 done · 1 not applicable
        ☐ *Before you start*
        ☐ *1 Verify your subscription*
        ☐ *2 Confirm your region*
        ➖ *3 Create communities* · not applicable
        ☐ *4 Define roles*
        ☑️ *5 Invite users* · attested by @alice
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        [Open a step ▾] [Next]! [Refresh]
        ");
    });
}

on_both!(a_step_is_skipped_with_a_reason_from_a_form);
fn a_step_is_skipped_with_a_reason_from_a_form(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = s.ask("alice", "step notifications").await;
        let form = s.opens("alice", &card, "Skip…").await;
        assert_snapshot!(form, @"
        form for alice
        Skip a step
        *Configure notifications* · Nimbus Payments
        Why is it left out?: [____]
          Stays on record, with your name.
        [Cancel] [Skip it]!
        ");
        let refused = s.refused("alice", &form, &[("Why is it left out?", "   ")]).await;
        assert_snapshot!(refused, @r#"{"reason":"Give a reason that others will understand."}"#);
        let skipped = s.submit("alice", &form, &[("Why is it left out?", "We \"have\" our own\nalerting")]).await;
        assert_snapshot!(steady(skipped), @r#"
        to alice alone in #soc-setup
        Skipped.
        Step 7 of 7 · Configure notifications
        *Nimbus Payments*
        ⏭️ skipped: We "have" our own alerting · @alice · <date> <time> UTC
        Urgent alerts, silent intakes and failed playbooks should reach somebody without anybody looking.
        The bot watches by this channel's own rules, takes in what Sekoia's rules post to its webhook, and ticks this step when a sample has arrived; Sekoia's public API cannot list the rules of its console.
        In Sekoia: Settings > Notifications · See: Notifications <https://docs.sekoia.com/getting_started/notification_concept/>, Examples <https://docs.sekoia.com/getting_started/notifications-Examples/>
        [Next step]! [Check the rules] [Show details] [Reopen]
        "#);
        assert_snapshot!(steady(s.progress().await.text()), @r#"
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓▓░░░░░  0 of 7 done · 1 skipped · 1 not applicable
        ☐ *Before you start*
        ☐ *1 Verify your subscription*
        ☐ *2 Confirm your region*
        ➖ *3 Create communities* · not applicable
        ☐ *4 Define roles*
        ☐ *5 Invite users*
        ☐ *6 Create API keys*
        ⏭️ *7 Configure notifications* · skipped: We "have" our own alerting
        [Open a step ▾] [Next]! [Refresh]
        "#);
        // The typed equal, and why not twice.
        assert_snapshot!(s.ask("alice", "skip 7 because").await.text(), @"Already skipped: step 7 (notifications). `/sekoia reopen notifications` first if that has to change.");
        assert_snapshot!(steady(s.ask("alice", "reopen 7").await.text()), @"
        Open again.
        Step 7 of 7 · Configure notifications
        *Nimbus Payments*
        ☐ open · @alice · <date> <time> UTC
        Urgent alerts, silent intakes and failed playbooks should reach somebody without anybody looking.
        The bot watches by this channel's own rules, takes in what Sekoia's rules post to its webhook, and ticks this step when a sample has arrived; Sekoia's public API cannot list the rules of its console.
        In Sekoia: Settings > Notifications · See: Notifications <https://docs.sekoia.com/getting_started/notification_concept/>, Examples <https://docs.sekoia.com/getting_started/notifications-Examples/>
        [Done]! [Check the rules] [Show details] [Add a rule…] [Skip…] [Assign to ▾] [Due date 📅]
        ");
        s.progress().await;
        assert_snapshot!(steady(s.ask("alice", "reopen 7").await.text()), @"Already open: step 7 (notifications).");
    });
}

on_both!(a_step_is_given_to_somebody_with_a_due_date);
fn a_step_is_given_to_somebody_with_a_due_date(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = s.ask("alice", "step 5").await;
        let assigned = s.choose("alice", &card, "Assign to", Choice::User("bob")).await;
        s.progress().await;
        let due = s.choose("alice", &assigned, "Due date", Choice::Date("2099-12-01")).await;
        assert_snapshot!(due.text(), @"
        Due on 2099-12-01.
        Step 5 of 7 · Invite users
        *Nimbus Payments*
        ☐ open
        In hand · @bob · due 2099-12-01
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        [Done]! [Check with Sekoia] [Show details] [Invite people…] [Skip…] [Assign to ▾] [Due date 📅]
        ");
        assert_snapshot!(steady(s.progress().await.text()), @"
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓░░░░░░  0 of 7 done · 1 not applicable
        ☐ *Before you start*
        ☐ *1 Verify your subscription*
        ☐ *2 Confirm your region*
        ➖ *3 Create communities* · not applicable
        ☐ *4 Define roles*
        ☐ *5 Invite users* · @bob · due 2099-12-01
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        [Open a step ▾] [Next]! [Refresh]
        ");
        assert_snapshot!(s.ask("alice", "due 5 2020-01-01").await.text(), @"2020-01-01 is in the past. Give today or a later day, for example `/sekoia due users +7d`.");
        assert_snapshot!(s.ask("alice", "due 5 someday").await.text(), @r#"
        "someday" is not a date: write 2026-12-01, today, tomorrow, friday, +7d, or none.
        Usage: `/sekoia due <step> <date or none>`
        Try: `/sekoia due users +7d`
        "#);
        s.ask("alice", "due 5 none").await;
        s.progress().await;
        assert_snapshot!(s.ask("alice", "assign users @carol").await.text(), @"
        Assigned to @carol.
        Step 5 of 7 · Invite users
        *Nimbus Payments*
        ☐ open
        In hand · @carol
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        [Done]! [Check with Sekoia] [Show details] [Invite people…] [Skip…] [Assign to ▾] [Due date 📅]
        ");
        s.progress().await;
        assert_snapshot!(s.ask("alice", "assign users nobody").await.text(), @"
        Assigned to nobody.
        Step 5 of 7 · Invite users
        *Nimbus Payments*
        ☐ open
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        [Done]! [Check with Sekoia] [Show details] [Invite people…] [Skip…] [Assign to ▾] [Due date 📅]
        ");
        s.progress().await;
    });
}

on_both!(the_checklist_starts_over);
fn the_checklist_starts_over(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "reset").await.text(), @"There is nothing to reset: no step was touched yet.");
        s.ask("alice", "done region").await;
        s.progress().await;
        let sure = s.ask("alice", "reset").await;
        assert_snapshot!(sure, @"
        to alice alone in #soc-setup
        This opens all steps again (2 of 7 are settled) and forgets who does what by when. The history stays.
        [Start over]✗
        ");
        assert_snapshot!(s.click("alice", &sure, "Start over").await.text(), @"
        The checklist starts over. The history stays.
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓░░░░░░  0 of 7 done · 1 not applicable
        ☐ *Before you start*
        ☐ *1 Verify your subscription*
        ☐ *2 Confirm your region*
        ➖ *3 Create communities* · not applicable
        ☐ *4 Define roles*
        ☐ *5 Invite users*
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        [Open a step ▾] [Next]! [Refresh]
        ");
        s.progress().await;
        assert_snapshot!(steady(s.ask("alice", "audit").await.text()), @"
        History
        *Nimbus Payments* · the last 6 entries, newest first; the channel's last record is number 6
        • 6 · <date> <time> UTC · @alice · communities not applicable
        • 5 · <date> <time> UTC · @alice · started over
        • 4 · <date> <time> UTC · @alice · region verified: FRA1 (France): the key is accepted; people log in at https://app.sekoia.io
        • 3 · <date> <time> UTC · the bot · progress message posted
        • 2 · <date> <time> UTC · @alice · communities not applicable
        • 1 · <date> <time> UTC · @alice · opened for Nimbus Payments
        Your bot administrator can prove the whole history with `sekoia-chatops audit verify`.
        ");
    });
}

on_both!(the_progress_message_is_posted_again_when_somebody_deleted_it);
fn the_progress_message_is_posted_again_when_somebody_deleted_it(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.chat.posts_are_deleted();
        s.ask("alice", "done region").await;
        assert!(s.progress().await.to_string().starts_with("#soc-setup (posted)"));
    });
}

on_both!(the_report_holds_every_step);
fn the_report_holds_every_step(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask("alice", "done region").await;
        s.progress().await;
        s.ask("bob", "skip 7 [later](http://x) <b>").await;
        s.progress().await;
        let report = s.ask("dan", "report").await;
        let text = report.text();
        for wanted in [
            "# Sekoia workspace readiness: Nimbus Payments",
            "## 2. Confirm your region",
            "- Status: verified",
            "- By: alice on",
            r"- Reason: \[later\](http://x) \<b\>",
            "- Status: not applicable",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in\n{text}");
        }
        let mut json = String::new();
        let mut page = s.click("dan", &report, "As JSON").await;
        loop {
            let text = page.text();
            let code = text.split("```").nth(1).unwrap_or_else(|| panic!("no code in {text}"));
            json.push_str(code);
            if !text.contains("[Next page]") {
                break;
            }
            page = s.click("dan", &page, "Next page").await;
        }
        let report: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(report["progress"]["done"], 1);
        assert_eq!(report["steps"].as_array().unwrap().len(), 9);
        assert_eq!(report["steps"][7]["state"]["status"], "skipped");
        assert_eq!(report["channel"], "chat:soc-setup");
    });
}
