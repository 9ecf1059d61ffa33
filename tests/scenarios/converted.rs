//! Slack gives a channel another id when it is made private or shared: everything of it goes on.

use serde_json::json;

use crate::harness::{SOC, Setting, Stage, on_slack};

/// The channel `soc-setup`, which is `old`, is made private and is `new` from then on.
pub async fn converted(s: &Stage, old: &str, new: &str) {
    s.slack().edit(|world| world.convert(SOC, new));
    let event = json!({
        "type": "channel_id_changed", "old_channel_id": old, "new_channel_id": new, "event_ts": "1762000000.000100",
    });
    s.acknowledged(&s.slack().event(event.clone())).await;
    // Slack may deliver it again.
    s.acknowledged(&s.slack().event(event)).await;
}

#[test]
fn a_channel_that_is_converted_keeps_its_checklist_and_its_requests() {
    // The list still names the id that it had.
    on_slack(Setting { durable: true, channels: &[SOC], ..Setting::default() }, async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        converted(s, "C0SOC", "G0SOC").await;
        let status = s.ask("dan", "status").await.text();
        assert!(status.contains("⏳ *5 Invite users*"), "{status}");
        // What is pressed there is decided, and what stood there is edited in place.
        let standing = s.chat.standing(SOC);
        let card = standing.iter().find(|seen| seen.text().contains("SHA-256")).expect("the card");
        s.click("bob", card, "Approve").await;
        let done = s.card("not accepted yet").await;
        assert!(done.to_string().starts_with("#soc-setup (updated)"), "{done}");
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(s.chat.standing(SOC).len(), 2, "the checklist and the card");
        // And so after a restart, and after it was converted again.
        s.stop().await;
        s.start().await;
        converted(s, "G0SOC", "C9SOC").await;
        let region = s.ask("alice", "step roles").await;
        s.click("alice", &region, "Done").await;
        let checklist = s.checklist("👁️ *4 Define roles*").await;
        assert!(checklist.to_string().starts_with("#soc-setup (updated)"), "{checklist}");
        // Forms know the channel by what it is kept under.
        let form = s.form_for("alice", "skip 7").await;
        s.submit("alice", &form, &[("Why is it left out?", "not now")]).await;
        s.checklist("⏭️ *7 Configure notifications*").await;
        assert_eq!(s.chat.standing(SOC).len(), 2);
        s.stop().await;
        s.verify_audit();
        s.start().await;
    });
}

#[test]
fn a_converted_channel_may_be_listed_by_its_new_id() {
    on_slack(Setting { channels: &["private"], ..Setting::default() }, async |s| {
        assert!(s.ask("alice", "setup").await.text().starts_with("I work only in the channels that CHATOPS_CHANNELS"));
        s.slack().edit(|world| drop(world.channels.remove("G0PRIV")));
        converted(s, "C0SOC", "G0PRIV").await;
        s.ask("alice", "setup").await;
        assert!(s.progress().await.to_string().starts_with("#soc-setup (posted)"));
    });
}

#[test]
fn what_was_set_up_under_the_new_id_meanwhile_stays_by_itself() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        // The event comes late: somebody began there anew.
        s.slack().edit(|world| world.convert(SOC, "G0SOC"));
        assert!(s.ask("alice", "status").await.text().contains("This channel is not set up yet"));
        s.ask("alice", "setup").await;
        s.progress().await;
        s.ask("alice", "skip 7 \"not now\"").await;
        s.checklist("⏭️ *7 Configure notifications*").await;
        let event = json!({
            "type": "channel_id_changed", "old_channel_id": "C0SOC", "new_channel_id": "G0SOC",
            "event_ts": "1762000000.000100",
        });
        s.acknowledged(&s.slack().event(event)).await;
        assert!(s.ask("alice", "status").await.text().contains("⏭️ *7 Configure notifications*"));
    });
}
