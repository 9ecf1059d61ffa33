//! Messages that are owed to the chat: said at least once, stood there once, and never lost.

use std::time::Duration;

use insta::assert_snapshot;

use crate::harness::slack::Fault as SlackFault;
use crate::harness::{SOC, Setting, nameless, run, usual};

#[tokio::test]
async fn a_card_whose_post_was_not_confirmed_is_found_and_not_posted_twice() {
    usual(async |s| {
        s.set_up().await;
        s.slack.fault("chat.postMessage", SlackFault::LoseReply);
        s.request("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        // Found by its mark, then edited in place.
        let found = s.card("Approval needed").await;
        assert_eq!(found.text(), card.text());
        s.checklist("⏳").await;
        s.click("bob", &card, "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(s.slack.standing(SOC).len(), 2, "the checklist and one card");
    })
    .await;
}

#[tokio::test]
async fn news_are_told_once_although_slack_did_not_confirm_them() {
    usual(async |s| {
        s.set_up().await;
        let id = s.request("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.slack.fault("chat.postMessage", SlackFault::LoseReply);
        s.ask("bob", &format!("reject {id} no")).await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        s.slack.wait_for_calls("conversations.history", 1).await;
        assert_eq!(s.slack.standing_alone("alice").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn limits_are_kept_and_superseded_edits_are_dropped() {
    usual(async |s| {
        s.set_up().await;
        s.request("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        let edits = s.slack.calls("chat.update");
        s.slack.fault("chat.update", SlackFault::RateLimited { retry_after: 2 });
        s.click("bob", &card, "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        // One refused; the card and the checklist, each with what came together in one edit.
        assert!(s.slack.calls("chat.update") - edits <= 5, "{}", s.slack.calls("chat.update") - edits);
    })
    .await;
}

#[tokio::test]
async fn what_fails_for_good_is_put_aside_and_told_to_an_operator() {
    run(Setting { durable: true, ..Setting::default() }, async |s| {
        s.set_up().await;
        let id = s.request("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.slack.edit(|world| {
            let bot = world.app.user_id.clone();
            world.channel(SOC).members.remove(&bot);
        });
        s.ask("bob", &format!("reject {id} no")).await;
        // The news go to alice alone, who is told of the card too, once it was tried three times.
        let mut told = Vec::new();
        for _ in 0..3 {
            told.push(s.slack.next_within(Duration::from_secs(20)).await.text());
        }
        told.sort();
        assert_snapshot!(nameless(told.join("\n\n")), @r#"
        I could not bring the card of request <id> in C0SOC up to date: the bot is not in this channel. Type "/invite @Sekoia" there and try again. I try again when something changes there, and after a restart.

        I could not bring the checklist of C0SOC up to date: the bot is not in this channel. Type "/invite @Sekoia" there and try again. I try again when something changes there, and after a restart.

        Rejected by @bob: *Invite ana@nimbus.example as Analyst*. Reason: no
        In #soc-setup · request <id>
        "#);
        // Mended, and started again: everything tells the truth.
        s.slack.edit(|world| {
            let bot = world.app.user_id.clone();
            world.channel(SOC).members.insert(bot);
        });
        assert!(s.ask("alice", "overview").await.text().contains("not delivered (card"));
        s.stop().await;
        s.start().await;
        s.card("Rejected").await;
        s.checklist_at_rest().await;
    })
    .await;
}
