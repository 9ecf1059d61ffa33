//! Messages that are owed to the chat: said at least once, stood there once, and never lost.

use std::time::Duration;

use insta::assert_snapshot;

use super::watching::until;
use crate::harness::{Call, ChatFault, Platform, SOC, Setting, nameless, on_both, run, usual};

on_both!(a_card_whose_post_was_not_confirmed_is_found_and_not_posted_twice);
fn a_card_whose_post_was_not_confirmed_is_found_and_not_posted_twice(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.chat.fault(Call::Post, ChatFault::LosesReply);
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        if s.chat.platform() == Platform::Slack {
            // Found by its mark, then edited in place. Mattermost knows a post that it gets twice.
            let found = s.card("Approval needed").await;
            assert_eq!(found.text(), card.text());
        }
        s.checklist("⏳").await;
        s.click("bob", &card, "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(s.chat.standing(SOC).len(), 2, "the checklist and one card");
    });
}

on_both!(news_are_told_once_although_nobody_confirmed_them);
fn news_are_told_once_although_nobody_confirmed_them(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.chat.fault(Call::Post, ChatFault::LosesReply);
        s.ask("bob", &format!("reject {id} no")).await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        match s.chat.platform() {
            Platform::Slack => s.chat.wait_for_calls(Call::History, 1).await,
            // The checklist, the card, and the news twice, as the same post.
            Platform::Mattermost => s.chat.wait_for_calls(Call::Post, 4).await,
        }
        assert_eq!(s.chat.standing_alone("alice").len(), 1);
    });
}

on_both!(a_notice_that_cannot_be_recorded_is_said_once);
fn a_notice_that_cannot_be_recorded_is_said_once(on: Platform) {
    run(on, Setting { durable: true, file: true, ..Setting::default() }, async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        // The disk is full, say, when it is to be recorded that it was said.
        s.sql(
            "CREATE TRIGGER full BEFORE DELETE ON work WHEN OLD.kind = 'notice' BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .await;
        s.ask("bob", &format!("reject {id} no")).await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        s.rounds(3).await;
        s.sql("DROP TRIGGER full").await;
        s.rounds(3).await;
        assert_eq!(s.chat.standing_alone("alice").len(), 1);
    });
}

on_both!(limits_are_kept_and_superseded_edits_are_dropped);
fn limits_are_kept_and_superseded_edits_are_dropped(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        let edits = s.chat.calls(Call::Edit);
        s.chat.fault(Call::Edit, ChatFault::LimitedFor(2));
        s.click("bob", &card, "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        // One refused; the card and the checklist, each with what came together in one edit.
        assert!(s.chat.calls(Call::Edit) - edits <= 5, "{}", s.chat.calls(Call::Edit) - edits);
    });
}

on_both!(what_is_refused_is_on_record_told_to_an_operator_and_tried_until_it_works);
fn what_is_refused_is_on_record_told_to_an_operator_and_tried_until_it_works(on: Platform) {
    run(on, Setting { durable: true, file: true, ..Setting::default() }, async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.chat.bot_leaves(SOC);
        s.ask("bob", &format!("reject {id} no")).await;
        // The news go to alice alone, who is told of the card too, once it was tried three times.
        let mut told = Vec::new();
        for _ in 0..3 {
            told.push(s.next_within(Duration::from_secs(20)).await.text());
        }
        told.sort();
        assert_snapshot!(nameless(told.join("\n\n")), @r#"
        I could not bring the card of request <id> in #soc-setup up to date: the bot is not in this channel. Type `/invite @sekoia` there and try again. I keep trying, and at once when a command is typed there.
        Open the card <message>

        I could not bring the checklist of #soc-setup up to date: the bot is not in this channel. Type `/invite @sekoia` there and try again. I keep trying, and at once when a command is typed there.
        Open the checklist <message>

        Rejected by @bob: *Invite ana@nimbus.example as Analyst*. Reason: no
        In #soc-setup · request <id> · Open the card <message>
        "#);
        let overview = s.ask("alice", "overview").await.text();
        let line =
            format!("⚠️ not delivered (card of request {id} in #soc-setup): the bot is not in this channel, since");
        assert!(overview.contains(&line), "{overview}");
        assert!(overview.contains("⚠️ not delivered (checklist in #soc-setup)"), "{overview}");
        // Once the bot is there again, anything that is typed there is enough.
        s.chat.bot_joins(SOC);
        s.ask("alice", "status").await;
        s.card("Rejected").await;
        s.checklist_at_rest().await;
        until("nothing is owed", s, async || !s.ask("alice", "overview").await.text().contains("not delivered")).await;
    });
}
