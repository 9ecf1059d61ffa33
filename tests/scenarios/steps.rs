//! Steps are ticked, skipped, reopened, given to somebody.

use insta::assert_snapshot;

use crate::harness::{Call, ChatFault, Choice, Platform, everywhere, steady, usual};

everywhere!(a_step_is_done_because_sekoia_confirms_it);
fn a_step_is_done_because_sekoia_confirms_it(on: Platform) {
    usual(on, async |s| {
        let progress = s.set_up().await;
        let card = s.choose("alice", &progress, "Open a step", Choice::Option("1 Verify your subscription")).await;
        assert_snapshot!(card, @"
        to alice alone in #soc-setup
        Step 1 of 7 · Verify your subscription
        *Nimbus Payments*
        ☐ open
        No plan: it can be seen or attested, not verified. `/sekoia plan products`
        Which products and modules are active, until when and for how many assets decides what the team can use.
        The bot reads the licences, warns by Sekoia's own expiry thresholds and keeps the evidence.
        In Sekoia: Settings > Workspace > Subscriptions · See: Understand your subscription <https://docs.sekoia.com/getting_started/subscriptions/>
        [Done]! [Check with Sekoia] [Show details] [Plan] [Skip…] [Assign to ▾] [Due date 📅]
        ");
        let seen = s.click("alice", &card, "Done").await;
        assert_snapshot!(steady(&seen), @"
        to alice alone in #soc-setup
        Sekoia shows: Defend Prime until <date>, Intelligence until <date>, Reveal until <date>. Nobody said yet whether this is all that is needed.
        Step 1 of 7 · Verify your subscription
        *Nimbus Payments*
        👁️ seen, not verified: Defend Prime until <date>, Intelligence until <date>, Reveal until <date>; nobody said whether this is all · @alice · <date> <time> UTC
        No plan: it can be seen or attested, not verified. `/sekoia plan products`
        Which products and modules are active, until when and for how many assets decides what the team can use.
        The bot reads the licences, warns by Sekoia's own expiry thresholds and keeps the evidence.
        In Sekoia: Settings > Workspace > Subscriptions · See: Understand your subscription <https://docs.sekoia.com/getting_started/subscriptions/>
        As a plan, that is 3 products: Defend Prime, Intelligence, Reveal.
        [Done]! [Check with Sekoia] [Show details] [Plan] [Skip…] [Assign to ▾] [Due date 📅] [These 3 products are enough]! [More is needed…]
        ");
        assert!(s.progress().await.text().contains("👁️ *1 Verify your subscription* · seen: "));
        let done = s.click("alice", &seen, "These 3 products are enough").await;
        assert_snapshot!(steady(done), @"
        to alice alone in #soc-setup
        Sekoia confirms it: 3 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until <date>.
        Step 1 of 7 · Verify your subscription
        *Nimbus Payments*
        ✅ verified with Sekoia: 3 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until <date> · @alice · <date> <time> UTC
        Plan: 3 products, said to be all by @alice · <date> <time> UTC
        Which products and modules are active, until when and for how many assets decides what the team can use.
        The bot reads the licences, warns by Sekoia's own expiry thresholds and keeps the evidence.
        In Sekoia: Settings > Workspace > Subscriptions · See: Understand your subscription <https://docs.sekoia.com/getting_started/subscriptions/>
        [Next step]! [Check with Sekoia] [Show details] [Plan] [Reopen]
        ");
        assert_snapshot!(steady(s.progress().await), @"
        #soc-setup (updated)
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓▓░░░░░  1 of 7 done · 1 not applicable
        ☐ *Before you start*
        ✅ *1 Verify your subscription* · 3 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until <date>
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

everywhere!(all_steps_are_worked_through);
fn all_steps_are_worked_through(on: Platform) {
    usual(on, async |s| {
        s.sekoia.edit(|world| world.members.iter_mut().for_each(|member| member.user.confirmed = true));
        s.set_up().await;
        let mut last = String::new();
        for words in [
            "done 0 as ada.nwosu@nimbus.example",
            "done region anyway",
            "done 4",
            "plan PEOPLE current",
            "plan keys current",
            "done notifications anyway",
            "plan products current",
            "plan roles current",
        ] {
            s.ask("alice", words).await;
            last = s.progress().await.text();
        }
        assert_snapshot!(steady(last), @"
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓▓▓▓▓▓▓  6 of 7 done · 1 not applicable
        ✅ *Before you start* · the key is valid and has 85 permissions; who says so is an Admin with MFA or single sign-on · ⚠️ 1
        ✅ *1 Verify your subscription* · 3 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until <date>
        ☑️ *2 Confirm your region* · attested by @alice
        ➖ *3 Create communities* · not applicable
        ✅ *4 Define roles* · 5 roles as planned; 3 built-in roles, 2 custom roles · ⚠️ 1
        ✅ *5 Invite users* · 7 people as planned; 7 active members, 0 pending invitations · ⚠️ 3
        ✅ *6 Create API keys* · 5 keys as planned; 6 active keys, 5 of them for integrations · ⚠️ 2
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
        • ✅ Connect a first source (Admin, or intake permissions; 10–20 min) · 5 intakes
        • ✅ Check that events arrive (5–10 min) · events arrive and are parsed
        • ✅ Enable detection rules (10–15 min) · all 420 Elementary and Intermediate rules are on
        • ✅ Triage a first alert (15–30 min) · alerts are taken up
        • ✅ Automate with a playbook (15–20 min) · 3 playbooks
        Sekoia confirms it: Defend: 5 intakes, events arrive and are parsed, all 420 Elementary and Intermediate rules are on, alerts are taken up, 3 playbooks; Intelligence: the threat database answers, 1 feed of your own; Reveal: 420 assets.
        ⚠️ 2 intakes send nothing or report an error
        See: Defend <https://docs.sekoia.com/xdr/xdr_quick_start/>, Intelligence <https://docs.sekoia.com/cti/>
        [Done] [Send to the analysts…]
        ");
    });
}

everywhere!(one_press_leads_from_each_done_step_to_the_next);
fn one_press_leads_from_each_done_step_to_the_next(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        assert!(s.ask("alice", "next").await.text().starts_with("Before you start\n"));
        let done = s.ask("alice", "done 0 anyway").await;
        s.progress().await;
        let next = s.click("alice", &done, "Next step").await;
        assert!(next.text().starts_with("Step 1 of 7"), "{next}");
        let seen = s.click("alice", &next, "Done").await;
        assert!(s.progress().await.text().contains("👁️ *1 Verify your subscription* · seen"));
        let done = s.click("alice", &seen, "These 3 products are enough").await;
        s.progress().await;
        let next = s.click("alice", &done, "Next step").await;
        assert!(next.text().starts_with("Step 2 of 7"), "{next}");
        assert!(!next.text().contains("[Next step]"), "{next}");
    });
}

everywhere!(a_due_date_that_nobody_would_see_is_refused_and_an_assignee_is_shown);
fn a_due_date_that_nobody_would_see_is_refused_and_an_assignee_is_shown(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask("alice", "plan products current").await;
        s.progress().await;
        assert_snapshot!(s.ask("alice", "due 1 +7d").await.text(), @"Already verified: step 1 (subscription). Only an open step has a due date: `/sekoia reopen subscription` first.");
        let card = s.ask("bob", "assign 1 @bob").await;
        assert!(card.text().contains("In hand · @bob"), "{card}");
        s.progress().await;
    });
}

everywhere!(what_sekoia_does_not_confirm_needs_somebodys_word);
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
        No plan: it can be seen or attested, not verified. `/sekoia plan people`
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        [Next step]! [Check with Sekoia] [Show details] [Plan] [Reopen]
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

everywhere!(a_step_is_skipped_with_a_reason_from_a_form);
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
        Plan: the three triggers that Sekoia names.
        Urgent alerts, silent intakes and failed playbooks should reach somebody without anybody looking.
        The bot watches by this channel's own rules, takes in what Sekoia's rules post to its webhook, and ticks this step when a rule has fired or its sample has arrived; Sekoia's public API cannot list the rules of its console.
        In Sekoia: Settings > Notifications · See: Notifications <https://docs.sekoia.com/getting_started/notification_concept/>, Examples <https://docs.sekoia.com/getting_started/notifications-Examples/>
        [Next step]! [Check the rules] [Show details] [Plan] [Reopen]
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
        Plan: the three triggers that Sekoia names.
        Urgent alerts, silent intakes and failed playbooks should reach somebody without anybody looking.
        The bot watches by this channel's own rules, takes in what Sekoia's rules post to its webhook, and ticks this step when a rule has fired or its sample has arrived; Sekoia's public API cannot list the rules of its console.
        In Sekoia: Settings > Notifications · See: Notifications <https://docs.sekoia.com/getting_started/notification_concept/>, Examples <https://docs.sekoia.com/getting_started/notifications-Examples/>
        [Done]! [Check the rules] [Show details] [Plan] [Add a rule…] [Skip…] [Assign to ▾] [Due date 📅]
        ");
        s.progress().await;
        assert_snapshot!(steady(s.ask("alice", "reopen 7").await.text()), @"Already open: step 7 (notifications).");
    });
}

everywhere!(a_step_is_given_to_somebody_with_a_due_date);
fn a_step_is_given_to_somebody_with_a_due_date(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = s.ask("alice", "step 5").await;
        let assigned = s.choose("alice", &card, "Assign to", Choice::User("bob")).await;
        s.direct().await;
        s.progress().await;
        let due = s.choose("alice", &assigned, "Due date", Choice::Date("2099-12-01")).await;
        assert_snapshot!(due.text(), @"
        Due on 2099-12-01.
        Step 5 of 7 · Invite users
        *Nimbus Payments*
        ☐ open
        No plan: it can be seen or attested, not verified. `/sekoia plan people`
        In hand · @bob · due 2099-12-01
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        [Done]! [Check with Sekoia] [Show details] [Plan] [Invite people…] [Skip…] [Assign to ▾] [Due date 📅]
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
        No plan: it can be seen or attested, not verified. `/sekoia plan people`
        In hand · @carol
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        [Done]! [Check with Sekoia] [Show details] [Plan] [Invite people…] [Skip…] [Assign to ▾] [Due date 📅]
        ");
        s.direct().await;
        s.progress().await;
        assert_snapshot!(s.ask("alice", "assign users nobody").await.text(), @"
        Assigned to nobody.
        Step 5 of 7 · Invite users
        *Nimbus Payments*
        ☐ open
        No plan: it can be seen or attested, not verified. `/sekoia plan people`
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        [Done]! [Check with Sekoia] [Show details] [Plan] [Invite people…] [Skip…] [Assign to ▾] [Due date 📅]
        ");
        s.progress().await;
    });
}

everywhere!(the_checklist_starts_over);
fn the_checklist_starts_over(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "reset").await.text(), @"There is nothing to reset: no step was touched yet.");
        s.ask("alice", "plan products current").await;
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
        • 4 · <date> <time> UTC · @alice · subscription verified: 3 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until 2…
        • 3 · <date> <time> UTC · the bot · progress message posted
        • 2 · <date> <time> UTC · @alice · communities not applicable
        • 1 · <date> <time> UTC · @alice · opened for Nimbus Payments
        Your bot administrator can prove the whole history with `sekoia-chatops audit verify`.
        ");
    });
}

everywhere!(the_progress_message_is_posted_again_when_somebody_deleted_it);
fn the_progress_message_is_posted_again_when_somebody_deleted_it(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.chat.posts_are_deleted();
        s.ask("alice", "plan products current").await;
        assert!(s.progress().await.to_string().starts_with("#soc-setup (posted)"));
    });
}

everywhere!(a_report_that_cannot_be_a_file_is_text);
fn a_report_that_cannot_be_a_file_is_text(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.chat.fault(Call::Upload, ChatFault::Refuses);
        let report = s.ask("dan", "report").await;
        assert!(report.text().contains("# Sekoia workspace readiness: Nimbus Payments"), "{report}");
        assert!(report.text().contains("The file could not be sent: "), "{report}");
        assert_eq!(s.chat.pictures().len(), 0);
    });
}

everywhere!(the_report_holds_every_step);
fn the_report_holds_every_step(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask("alice", "plan products current").await;
        s.progress().await;
        s.ask("bob", "skip 7 [later](http://x) <b>").await;
        s.progress().await;
        let report = s.ask("dan", "report").await;
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        assert_snapshot!(report.text().replace(&today, "<date>"), @"
        The report is in your direct messages: `readiness-nimbus-payments-<date>.md`
        *Nimbus Payments* · 1 of 7 done, 0 seen, 1 skipped, 1 not applicable
        [As JSON] [Show it here]
        ");
        s.direct().await;
        let file = s.chat.pictures().pop().expect("a file");
        assert!(file.name.starts_with("readiness-nimbus-payments-2") && file.name.ends_with(".md"), "{}", file.name);
        let text = String::from_utf8(file.content).unwrap();
        for wanted in [
            "# Sekoia workspace readiness: Nimbus Payments",
            "## 1. Verify your subscription",
            "- Status: verified",
            "- By: alice (",
            r"- Reason: \[later\](http://x) \<b\>",
            "- Status: not applicable",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in\n{text}");
        }
        let first = s.click("dan", &report, "Show it here").await;
        let same = first.text().split("```").nth(1).expect("code").trim().lines().next().map(str::to_owned);
        assert_eq!(same.as_deref(), text.lines().next());
        let as_json = s.click("dan", &report, "As JSON").await;
        s.direct().await;
        let file = s.chat.pictures().pop().expect("a file");
        assert!(file.name.ends_with(".json"), "{}", file.name);
        let whole: serde_json::Value = serde_json::from_slice(&file.content).unwrap();
        let mut json = String::new();
        let mut page = s.click("dan", &as_json, "Show it here").await;
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
        assert_eq!(report["progress"], whole["progress"]);
        assert_eq!(report["progress"]["done"], 1);
        assert_eq!(report["steps"].as_array().unwrap().len(), 10);
        assert_eq!(report["steps"][7]["state"]["status"], "skipped");
        assert_eq!(report["channel"], "chat:soc-setup");
    });
}
