//! What the cards of the channel say and do.

use std::time::Duration;

use sekoia_chatops::sandbox::AlertChange;
use sekoia_chatops::sandbox::world::AlertStatus;

use super::watching::{alert, at_rest, durable, firings, message, rule, set_up, standing, until};
use crate::harness::{Platform, Setting, everywhere, run};

everywhere!(a_change_is_told_to_those_who_wait_for_changes);
fn a_change_is_told_to_those_who_wait_for_changes(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert updated urgency>=50 status=Ongoing"]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        let raised = alert(s, "Lateral movement", 80);
        // Sekoia dates by the second: what changes in the one in which it began is how it began.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        s.sekoia.update_alert(raised.uuid, AlertChange::Urgency(90));
        s.sekoia.update_alert(raised.uuid, AlertChange::Status(AlertStatus::Ongoing));
        let card = message(s, &["Lateral movement", "Ongoing"]).await;
        assert!(card.text().contains("Urgency 90 of 100"), "{card}");
        // Anything else that changes of it is an edit.
        s.sekoia.update_alert(raised.uuid, AlertChange::Urgency(95));
        message(s, &["Lateral movement", "Urgency 95 of 100"]).await;
        at_rest(s).await;
        assert_eq!(standing(s, &["Lateral movement"]).len(), 1);
        assert_eq!(firings(s).await, 1);
    });
}

everywhere!(a_rule_that_is_muted_from_its_card_tells_nothing_until_it_is_resumed);
fn a_rule_that_is_muted_from_its_card_tells_nothing_until_it_is_resumed(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert rule=\"Noisy\"", "alert rule=\"Other\""]).await;
        let first = alert(s, "Noisy", 80);
        let card = message(s, &[&first.short_id]).await;
        let muted = s.click("bob", &card, "Mute this rule 1 h").await.text();
        assert!(muted.contains("is quiet until"), "{muted}");
        let second = alert(s, "Noisy", 80);
        let other = alert(s, "Other", 80);
        message(s, &[&other.short_id]).await;
        at_rest(s).await;
        assert_eq!(standing(s, &[&second.short_id]).len(), 0);
        s.ask("alice", "notify resume 1").await;
        let third = alert(s, "Noisy", 80);
        message(s, &[&third.short_id]).await;
        at_rest(s).await;
    });
}

everywhere!(an_analyst_reads_a_card_and_changes_nothing);
fn an_analyst_reads_a_card_and_changes_nothing(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert"]).await;
        let raised = alert(s, "Impossible travel", 80);
        let card = message(s, &[&raised.short_id]).await;
        for button in ["Acknowledge", "Mute this rule 1 h"] {
            let told = s.click("dan", &card, button).await.text();
            assert!(told.contains("operator"), "{told}");
        }
        at_rest(s).await;
        assert!(!standing(s, &[&raised.short_id])[0].text().contains("Acknowledged"));
    });
}

everywhere!(a_card_leads_to_the_console_of_its_region);
fn a_card_leads_to_the_console_of_its_region(on: Platform) {
    run(on, Setting { region: "USA1", ..durable() }, async |s| {
        set_up(s, &["alert"]).await;
        let raised = alert(s, "Impossible travel", 80);
        let card = message(s, &[&raised.short_id]).await;
        let address = format!("https://app.usa1.sekoia.io/operations/alerts/{}", raised.short_id);
        assert!(card.text().contains(&address), "{card}");
        at_rest(s).await;
    });
}

everywhere!(every_channel_is_told_by_its_own_rules);
fn every_channel_is_told_by_its_own_rules(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=80"]).await;
        s.ask_in("nimbus-payments", "alice", "setup").await;
        s.progress().await;
        s.ask_in("nimbus-payments", "alice", "notify add alert urgency>=40").await;
        let (high, low) = (alert(s, "High", 90), alert(s, "Low", 50));
        let there =
            |says: &str| s.chat.standing("nimbus-payments").iter().filter(|seen| seen.text().contains(says)).count();
        until("both are told there", s, async || there(&high.short_id) + there(&low.short_id) == 2).await;
        message(s, &[&high.short_id]).await;
        rule(s, "alert rule=\"Low\"").await;
        at_rest(s).await;
        assert_eq!(standing(s, &[&low.short_id]).len(), 0);
    });
}
