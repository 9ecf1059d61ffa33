//! The same words after a mention, in channels and threads.

use insta::assert_snapshot;

use crate::harness::{Platform, SOC, Setting, on_both, on_slack, steady, usual};

on_both!(a_mention_is_answered_where_it_was_said);
fn a_mention_is_answered_where_it_was_said(on: Platform) {
    usual(on, async |s| {
        let posted = s.set_up().await;
        s.mention("alice", None, "plan products current").await;
        assert_snapshot!(steady(s.reply().await), @"
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
        s.progress().await;
        s.mention("dan", Some(&posted), "Next").await;
        let next = s.reply().await;
        let shown = match on {
            Platform::Slack => next.on_slack().to_string(),
            Platform::Mattermost => next.on_mattermost().to_string(),
        };
        assert!(shown.starts_with("ephemeral to dan in #soc-setup, in a thread"), "{next}");
    });
}

on_both!(a_mention_opens_no_form_and_says_what_to_type);
fn a_mention_opens_no_form_and_says_what_to_type(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.mention("alice", None, "skip 7").await;
        assert_snapshot!(s.reply().await.text(), @r#"That takes more words. Type: `/sekoia skip notifications "your reason"`"#);
        s.mention("alice", None, "invite").await;
        assert_snapshot!(s.reply().await.text(), @"That takes more words. Type: `/sekoia invite <e-mail…, from <file>> [as <role>] [to <community, …>] [because <reason>] [--leave-out] [--dry-run]`");
    });
}

on_both!(a_mention_of_unknown_words_is_answered);
fn a_mention_of_unknown_words_is_answered(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.mention("dan", None, "stauts").await;
        assert_snapshot!(s.reply().await.text(), @r#"
        Unknown command "stauts". Did you mean `status`?
        Try: `/sekoia status`
        "#);
        if on == Platform::Mattermost {
            // Names are all that a post has.
            s.mention("alice", None, "assign 5 @Bob").await;
            let told = s.reply().await;
            assert!(told.text().contains("Assigned to @bob."), "{told}");
            s.direct().await;
            s.progress().await;
        }
    });
}

#[test]
fn a_repeated_event_is_done_once() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        let event = s.slack().mention("alice", SOC, None, "plan products current");
        s.acknowledged(&event).await;
        s.reply().await;
        s.progress().await;
        s.acknowledged(&event.retried(1, "http_timeout")).await;
    });
}
