//! Messages on their way into the chat: what waits, what is refused, in which order they come, and
//! where they can no longer be edited.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::watching::{alert, at_rest, durable, message, set_up, standing, until};
use crate::harness::slack::Fault;
use crate::harness::{
    Call, ChatFault, Platform, SOC, Setting, Stage, id_in, nameless, on_both, on_slack, run, steady, usual,
};

const OTHER: &str = "nimbus-payments";
/// Less than the wait of half a minute that the platform asks for.
const SOON: Duration = Duration::from_secs(20);

/// Two channels that are set up.
async fn two_channels(s: &Stage) {
    s.set_up().await;
    s.ask_in(OTHER, "alice", "setup").await;
    s.progress().await;
}

on_both!(an_edit_that_waits_holds_up_no_card_anywhere);
fn an_edit_that_waits_holds_up_no_card_anywhere(on: Platform) {
    usual(on, async |s| {
        two_channels(s).await;
        s.chat.fault(Call::Edit, ChatFault::LimitedFor(30));
        let edits = s.chat.calls(Call::Edit);
        s.ask("alice", "plan products current").await;
        s.chat.wait_for_calls(Call::Edit, edits + 1).await;
        let began = Instant::now();
        s.ask_in(OTHER, "alice", "invite ana@nimbus.example").await;
        assert!(s.card("Approval needed").await.to_string().starts_with("#nimbus-payments"));
        // Its checklist is edited too: only the other channel's has to wait.
        s.checklist("⏳").await;
        s.ask("alice", "invite ben@nimbus.example").await;
        assert!(s.card("Approval needed").await.to_string().starts_with("#soc-setup"));
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    });
}

on_both!(a_card_that_waits_holds_up_no_other_and_is_not_said_to_stand_there);
fn a_card_that_waits_holds_up_no_other_and_is_not_said_to_stand_there(on: Platform) {
    usual(on, async |s| {
        two_channels(s).await;
        s.chat.fault(Call::Post, ChatFault::LimitedFor(30));
        let asked = s.ask("alice", "invite ana@nimbus.example").await;
        let note = asked.text().lines().last().unwrap().to_owned();
        assert_snapshot!(nameless(note), @"Request <id>. Its card is not in this channel yet: the chat platform asked to wait. I keep trying to post it by myself. Until then `/sekoia approvals <id>` shows the request, and `/sekoia approve <id>` approves it.");
        let overview = s.ask("alice", "overview").await.text();
        let waits =
            format!("⏳ not delivered yet (card of request {} in #soc-setup): the chat platform", id_in(&asked));
        assert!(overview.contains(&waits), "{overview}");
        let began = Instant::now();
        let reply = s.ask_in(OTHER, "alice", "invite ben@nimbus.example").await;
        assert!(reply.text().contains("Its card ") && !reply.text().contains("not in this channel yet"), "{reply}");
        assert!(s.card("Approval needed").await.to_string().starts_with("#nimbus-payments"));
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        // Both checklists say that they wait, in either order.
        let mut waiting = BTreeSet::new();
        while waiting.len() < 2 {
            waiting.insert(s.checklist("⏳").await.to_string().lines().next().unwrap_or_default().to_owned());
        }
    });
}

on_both!(a_token_that_is_refused_for_a_while_hides_no_card);
fn a_token_that_is_refused_for_a_while_hides_no_card(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        // Whoever is asked for is remembered for a while.
        s.ask("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.chat.refuse_token(true);
        let asked = s.ask("alice", "invite ben@nimbus.example").await.text();
        for says in [
            "Its card is not in this channel yet: the chat platform no longer accepts the bot's token",
            "restart the bot. I keep trying",
        ] {
            assert!(asked.contains(says), "{asked}");
        }
        until("it is on record", s, async || {
            tokio::time::sleep(Duration::from_millis(50)).await;
            s.ask("alice", "overview").await.text().contains("⚠️ not delivered (card")
        })
        .await;
        s.chat.refuse_token(false);
        s.ask("alice", "status").await;
        assert!(s.card("Approval needed").await.text().contains("ben@nimbus.example"));
        until("nothing waits", s, async || {
            tokio::time::sleep(Duration::from_millis(50)).await;
            !s.ask("alice", "overview").await.text().contains("not delivered")
        })
        .await;
        while !s.chat.unread().is_empty() {
            s.next_within(SOON).await;
        }
    });
}

#[test]
fn a_channel_that_takes_nothing_from_the_bot_is_said_to() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        for _ in 0..2 {
            s.slack().fault("chat.postMessage", Fault::Error("restricted_action_read_only_channel"));
        }
        let asked = s.ask("alice", "invite ana@nimbus.example").await.text();
        let why = "Its card is not in this channel yet: the bot is not allowed to do this here: restricted_action_read_only_channel. An administrator of the chat has to let the bot post here.";
        assert!(asked.contains(why), "{asked}");
        // It is tried again by itself.
        s.chat.next_where(Duration::from_secs(15), "the card", |seen| seen.text().contains("Approval needed")).await;
        while !s.chat.unread().is_empty() {
            s.checklist("").await;
        }
    });
}

on_both!(what_one_person_is_told_comes_in_its_order);
fn what_one_person_is_told_comes_in_its_order(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let mut asked = Vec::new();
        for name in ["ana", "ben"] {
            asked.push(s.request_for("alice", &format!("invite {name}@nimbus.example")).await);
            s.card("Approval needed").await;
        }
        let posts = s.chat.calls(Call::Post);
        // As often as it is tried at once.
        let tries = if s.chat.platform() == Platform::Slack { 1 } else { 3 };
        for _ in 0..tries {
            s.chat.fault(Call::Post, ChatFault::Fails);
        }
        s.ask("bob", &format!("reject {} first", asked[0])).await;
        s.chat.wait_for_calls(Call::Post, posts + tries).await;
        s.ask("bob", &format!("reject {} second", asked[1])).await;
        for reason in ["first", "second"] {
            let told = s.direct().await.text();
            assert!(told.contains(&format!("Reason: {reason}")), "{told}");
        }
        // The checklist follows both decisions.
        s.rounds(1).await;
        while !s.chat.unread().is_empty() {
            s.next_within(SOON).await;
        }
    });
}

on_both!(refresh_looks_at_the_message_whenever_somebody_asks);
fn refresh_looks_at_the_message_whenever_somebody_asks(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask("alice", "plan products current").await;
        s.progress().await;
        let edits = s.chat.calls(Call::Edit);
        assert_eq!(s.ask("alice", "refresh").await.text(), "The channel's message is up to date.");
        s.progress().await;
        assert_eq!(s.chat.calls(Call::Edit), edits + 1);
        // An administrator deletes it.
        s.chat.delete_posts(SOC);
        assert_eq!(s.ask("alice", "refresh").await.text(), "The channel's message is up to date.");
        assert!(s.progress().await.text().contains("✅ *1 Verify your subscription*"));
        assert_eq!(s.chat.standing(SOC).len(), 1);
    });
}

on_both!(a_direct_message_leads_to_the_card_and_no_words_can_forge_that);
fn a_direct_message_leads_to_the_card_and_no_words_can_forge_that(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        let forged = "[Open the card](https://evil.example) <https://evil.example|Open the card>";
        s.ask("bob", &format!("reject {id} {forged}")).await;
        let told = s.direct().await;
        let (shown, at) = (told.as_shown(), card.id().unwrap());
        let address = match s.chat.platform() {
            Platform::Slack => format!("https://nimbus.slack.com/archives/C0SOC/p{}", at.replace('.', "")),
            Platform::Mattermost => format!("http://chat.nimbus.example/nimbus/pl/{at}"),
        };
        assert!(shown.ends_with(&format!(" · Open the card <{address}>")), "{shown}");
        // What was typed stays text.
        assert_eq!(told.text().matches("<message>").count(), 1, "{told}");
        assert!(told.text().contains("[Open the card](https://evil.example)"), "{told}");
        s.card("Rejected").await;
        s.checklist_at_rest().await;
        while !s.chat.unread().is_empty() {
            s.next_within(SOON).await;
        }
    });
}

on_both!(what_can_no_longer_be_edited_is_replaced_and_its_buttons_lead_on);
fn what_can_no_longer_be_edited_is_replaced_and_its_buttons_lead_on(on: Platform) {
    for all in [false, true] {
        usual(on, async |s| {
            let checklist = s.set_up().await;
            s.request_for("alice", "invite ana@nimbus.example").await;
            let card = s.card("Approval needed").await;
            s.checklist("⏳").await;
            s.chat.close_edits(all);
            s.click("bob", &card, "Approve").await;
            let done = loop {
                let seen = s.card("Request ").await;
                if seen.text().starts_with("Done") {
                    break seen;
                }
            };
            s.direct().await;
            s.checklist_at_rest().await;
            s.rounds(3).await;
            while !s.chat.unread().is_empty() {
                s.next_within(SOON).await;
            }
            if all {
                assert!(
                    done.text()
                        .contains("This message replaces an earlier one <message>, which can no longer be edited."),
                    "{done}"
                );
            }
            // The newest of each tells the truth, and what stood there before is not touched.
            let cards = standing(s, &["SHA-256"]);
            assert!(cards.len() > 1 && cards[0].text().starts_with("Approval needed"));
            assert!(cards.last().unwrap().text().starts_with("Done"));
            assert!(
                cards.iter().skip(1).all(|card| card.text().contains("This message replaces an earlier one <message>"))
            );
            let checklists = standing(s, &["Sekoia workspace setup"]);
            assert!(checklists.len() > 1 && !checklists.last().unwrap().text().contains('⏳'));
            if !all {
                assert_eq!((cards.len(), checklists.len()), (2, 2), "one that can be edited is");
            }
            for (user, old, button) in [("carol", &card, "Approve"), ("alice", &checklist, "Next")] {
                let told = s.click(user, old, button).await;
                assert_snapshot!(told.text(), @"
                This message is out of date: it could not be edited, so I posted a new one. Nothing was done.
                Open the current message <message>
                ");
            }
            // The present ones work.
            let next = s.click("alice", checklists.last().unwrap(), "Next").await;
            assert!(next.text().contains("Before you start"), "{next}");
            // What cannot be edited and shows the truth is left alone.
            let posts = s.chat.calls(Call::Post);
            assert_eq!(s.ask("alice", "refresh").await.text(), "The channel's message is up to date.");
            assert_eq!(s.chat.calls(Call::Post), posts);
            while !s.chat.unread().is_empty() {
                s.next_within(SOON).await;
            }
        });
    }
}

on_both!(a_storm_that_cannot_be_edited_is_counted_on_in_a_new_message);
fn a_storm_that_cannot_be_edited_is_counted_on_in_a_new_message(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=1"]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        s.sekoia.storm(None, 50);
        message(s, &["Alert storm", "45 alerts"]).await;
        at_rest(s).await;
        s.chat.close_edits(false);
        s.sekoia.storm(None, 20);
        let anew = message(s, &["Alert storm", "65 alerts"]).await;
        assert!(steady(anew.text()).contains("This message replaces an earlier one <message>"), "{anew}");
        at_rest(s).await;
        let storms = standing(s, &["Alert storm"]);
        assert_eq!(storms.len(), 2, "one that can be edited is");
        assert!(storms[0].text().contains("45 alerts"), "{}", storms[0]);
    });
}

on_both!(an_alert_card_that_cannot_be_edited_is_replaced);
fn an_alert_card_that_cannot_be_edited_is_replaced(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75"]).await;
        let raised = alert(s, "Brute force", 90);
        let card = message(s, &["Brute force", "[Acknowledge]"]).await;
        s.chat.close_edits(true);
        s.ask("bob", &format!("acknowledge {}", raised.short_id)).await;
        let anew = message(s, &["Brute force", "Acknowledged by @bob", "This message replaces an earlier one"]).await;
        assert!(!anew.text().contains("[Acknowledge]"), "{anew}");
        let told = s.click("carol", &card, "Acknowledge").await;
        assert!(steady(told.text()).ends_with("Open the current message <message>"), "{told}");
        at_rest(s).await;
        assert_eq!(standing(s, &["Brute force"]).len(), 2);
    });
}
