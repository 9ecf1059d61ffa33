//! The same words after a mention, in channels and threads: Slack has no commands in threads.

use insta::assert_snapshot;

use crate::harness::{SOC, Setting, on_slack, steady};

#[test]
fn a_mention_is_answered_where_it_was_said() {
    on_slack(Setting::default(), async |s| {
        let posted = s.set_up().await;
        s.acknowledged(&s.slack().mention("alice", SOC, None, "done region")).await;
        assert_snapshot!(steady(s.reply().await.on_slack()), @"
        ephemeral to alice in #soc-setup
        Sekoia confirms it: FRA1 (France): the key is accepted; people log in at https://app.sekoia.io.
        Step 2 of 7 · Confirm your region
        *Nimbus Payments*
        ✅ verified with Sekoia: FRA1 (France): the key is accepted; people log in at https://app.sekoia.io · @alice · <date> <time> UTC
        • ⚠️ the API is called at http://127.0.0.1:<port>/ by SEKOIA_API_URL, which is not a documented address of FRA1
        App, API and intake addresses all depend on the region; people with the wrong address cannot get in.
        The bot confirms that its key works in the configured region and posts the right addresses.
        In Sekoia: the address of the console itself · See: Regions <https://docs.sekoia.com/getting_started/regions/>
        [Next step]! [Check with Sekoia] [Show details] [Reopen]
        ");
        s.progress().await;
        let crate::harness::slack::Kind::Posted { ts, .. } = &posted.on_slack().kind else { panic!("{posted}") };
        s.acknowledged(&s.slack().mention("dan", SOC, Some(ts), "Next")).await;
        let next = s.reply().await;
        assert!(next.on_slack().to_string().starts_with("ephemeral to dan in #soc-setup, in a thread"), "{next}");
    });
}

#[test]
fn a_mention_opens_no_form_and_says_what_to_type() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        s.acknowledged(&s.slack().mention("alice", SOC, None, "skip 7")).await;
        assert_snapshot!(s.reply().await.text(), @r#"That takes more words. Type: `/sekoia skip notifications "your reason"`"#);
        s.acknowledged(&s.slack().mention("alice", SOC, None, "invite")).await;
        assert_snapshot!(s.reply().await.text(), @"That takes more words. Type: `/sekoia invite <e-mail…, from <file>> [as <role>] [to <community, …>] [because <reason>] [--leave-out] [--dry-run]`");
    });
}

#[test]
fn a_repeated_event_is_done_once() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        let event = s.slack().mention("alice", SOC, None, "done region");
        s.acknowledged(&event).await;
        s.reply().await;
        s.progress().await;
        s.acknowledged(&event.retried(1, "http_timeout")).await;
    });
}
