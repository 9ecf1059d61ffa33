//! Words that want to be more than words.

use insta::assert_snapshot;

use crate::harness::{Platform, SOC, everywhere, steady, usual};

const NASTY: &str =
    "@all ~old @robo *bold* <!channel> <@U0BOB> </script> =cmd() \u{202e}gpj\u{200b} \u{1b}[31mred :tada: `x` &amp;";

everywhere!(markup_in_names_is_shown_as_typed);
fn markup_in_names_is_shown_as_typed(on: Platform) {
    usual(on, async |s| {
        s.sekoia.edit(|world| {
            let root = world.root;
            for community in &mut world.communities {
                community.name = NASTY.into();
            }
            for role in world.roles.iter_mut().filter(|r| r.community_uuid.is_some()) {
                role.name = NASTY.into();
                role.description = "x".repeat(10_000);
            }
            for key in world.keys.iter_mut().filter(|k| k.community_uuid == root) {
                key.name = NASTY.into();
            }
            for member in &mut world.members {
                member.user.firstname = Some(NASTY.into());
            }
        });
        assert_snapshot!(s.ask("alice", "setup").await, @"
        to alice alone in #soc-setup
        This channel now works on *@all ~old @robo *bold* <!channel> <@U0BOB> </script> =cmd() [U+202E]gpj[U+200B]…*, a single-tenant workspace. Step 3 does not apply to it.
        I keep the checklist up to date in one message in this channel.
        [Before you start]! [Open step 1 (subscription)]
        ");
        assert_snapshot!(s.progress().await.text().lines().nth(1).unwrap(), @"*@all ~old @robo *bold* <!channel> <@U0BOB> </script> =cmd() [U+202E]gpj[U+200B]…* · single-tenant");
        // The harness fails on anything that Slack would take for a mention of everybody.
        for words in [
            "roles",
            "users",
            "keys",
            "communities",
            "report 1",
            "step 4 check",
            "step 5 check",
            "step 6 check",
            "overview",
        ] {
            s.ask("alice", words).await;
        }
    });
}

everywhere!(markup_in_a_reason_is_shown_as_typed);
fn markup_in_a_reason_is_shown_as_typed(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let typed = "skip 7 \"@all <!channel> *Approved by* <@U0BOB> \u{202e}evil \u{1b}[2J\"";
        let told = s.ask("alice", typed).await.text();
        assert_snapshot!(steady(told.lines().nth(3).unwrap()), @"⏭️ skipped: @all <!channel> *Approved by* <@U0BOB> [U+202E]evil ␛[2J · @alice · <date> <time> UTC");
        assert_snapshot!(s.progress().await.text().lines().rev().nth(1).unwrap(), @"⏭️ *7 Configure notifications* · skipped: @all <!channel> *Approved by* <@U0BOB> [U+202E]evil ␛[2J");
    });
}

everywhere!(very_long_words_are_answered);
fn very_long_words_are_answered(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for text in
            ["x".repeat(100_000), format!("skip 7 {}", "y".repeat(20_000)), format!("help {}", "<".repeat(50_000))]
        {
            let answer = s.ask_in(SOC, "alice", &text).await.text();
            assert!(answer.len() < 600, "{answer}");
        }
    });
}
