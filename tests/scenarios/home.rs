//! Slack's App Home: what waits for one person, published when they open it and when it changes, over HTTP and by
//! Socket Mode.

use insta::assert_snapshot;

use crate::harness::slack::Fault;
use crate::harness::{Seen, Setting, Stage, by_socket, nameless, on_slack};

/// One scenario over both ways in.
macro_rules! either_way {
    ($scenario:ident) => {
        mod $scenario {
            use super::{by_socket, durable, on_slack};

            #[test]
            fn http() {
                insta::allow_duplicates! { on_slack(durable(), async |s| super::$scenario(s).await) }
            }

            #[test]
            fn socket() {
                insta::allow_duplicates! { by_socket(|| on_slack(durable(), async |s| super::$scenario(s).await)) }
            }
        }
    };
}

fn durable() -> Setting {
    Setting { durable: true, ..Setting::default() }
}

/// Somebody looks at their page; what it shows.
async fn opens(s: &Stage, user: &str) -> Seen {
    s.acknowledged(&s.slack().opens_tab(user, "home")).await;
    s.home(user, "").await
}

/// Alice asks for something; the request's id.
async fn asked(s: &Stage, text: &str) -> String {
    let id = s.request_for("alice", text).await;
    s.card("Approval needed").await;
    s.checklist("⏳").await;
    id
}

either_way!(it_shows_what_waits_and_follows_what_changes);
async fn it_shows_what_waits_and_follows_what_changes(s: &mut Stage) {
    assert_snapshot!(nameless(opens(s, "bob").await), @"
    home of bob
    What waits for you
    Nothing waits for you.
    You are in no channel that is set up. An operator types `/sekoia setup` in a channel to begin.
    ");
    s.set_up().await;
    s.home("bob", "1 of 7 settled").await;
    // The other tab is the conversation with the bot.
    s.acknowledged(&s.slack().opens_tab("bob", "messages")).await;
    asked(s, "invite ana@nimbus.example").await;
    let home = s.home("bob", "ana@nimbus.example").await;
    assert_snapshot!(nameless(&home), @"
    home of bob
    What waits for you
    *Requests that you can decide*
    *Invite ana@nimbus.example as Analyst* · #soc-setup · `<id>` · asked by @alice · needs 1 approval until <date> <time> UTC (in 23 h)
    [Approve?]! [Reject…]✗ [Details]
    *Your channels*
    #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites · Open the checklist <message>
    ");
    let said = s.in_window("bob", &home, "Approve").await;
    assert_snapshot!(nameless(&said), @"
    form for bob
    Sekoia
    You approved: *Invite ana@nimbus.example as Analyst*. It is carried out now.
    [My inbox]
    [Close]
    ");
    s.card("not accepted yet").await;
    s.direct().await;
    s.checklist_at_rest().await;
    let home = s.home("bob", "Nothing waits for you.").await;
    assert!(!home.text().contains("ana@nimbus.example"), "{home}");
    assert_eq!(s.writes(), ["POST 204"]);
    s.stop().await;
    s.verify_audit();
}

either_way!(a_request_is_read_and_rejected_in_one_window);
async fn a_request_is_read_and_rejected_in_one_window(s: &mut Stage) {
    s.set_up().await;
    asked(s, "invite ana@nimbus.example").await;
    let home = opens(s, "bob").await;
    let details = s.in_window("bob", &home, "Details").await;
    assert_snapshot!(nameless(&details), @"
    form for bob
    Sekoia
    Request <id> · requested
    *Invite ana@nimbus.example as Analyst*
    In *Nimbus Payments* as *Analyst*
    • ana@nimbus.example
    SHA-256 of what was asked for:
    ```
    <hash>
    ```
    [Approve?]! [Reject…]✗ [My inbox]
    [Close]
    ");
    s.taken(&s.chat.click("bob", &details, "Reject…")).await;
    let form = s.filled().await;
    assert_snapshot!(nameless(s.submit("bob", &form, &[("Why not?", "she left")]).await), @"
    to bob alone in direct message to bob
    You rejected: *Invite ana@nimbus.example as Analyst*. The requester will see your reason.
    ");
    s.card("Rejected").await;
    s.direct().await;
    s.checklist_at_rest().await;
    s.home("bob", "Nothing waits for you.").await;
}

either_way!(a_key_is_collected_there_and_its_page_never_holds_it);
async fn a_key_is_collected_there_and_its_page_never_holds_it(s: &mut Stage) {
    s.set_up().await;
    opens(s, "alice").await;
    let id = asked(s, "key create forwarder for intake-forwarder expires 30d").await;
    s.ask("bob", &format!("approve {id}")).await;
    s.card("ready to be created").await;
    s.direct().await;
    let home = s.home("alice", "[Create and show]").await;
    let shown = s.opens("alice", &home, "Create and show").await;
    s.card("shown; revoked unless").await;
    s.home("alice", "[I saved it]").await;
    s.submit("alice", &shown, &[]).await;
    s.card("created, shown once and saved").await;
    s.direct().await;
    s.checklist_at_rest().await;
    s.home("alice", "Nothing waits for you.").await;
    let said = s.chat.dump_without_forms();
    assert!(said.contains("views.publish"));
    assert!(s.sekoia.secrets().iter().all(|secret| !said.contains(secret.as_str())));
}

either_way!(a_restart_and_a_refusal_lose_no_page);
async fn a_restart_and_a_refusal_lose_no_page(s: &mut Stage) {
    s.set_up().await;
    opens(s, "carol").await;
    let id = asked(s, "invite ana@nimbus.example").await;
    s.home("carol", "[Approve?]").await;
    s.crash().await;
    // Nobody tells the bot that a group changed.
    s.chat.leaves_the_approvers("carol");
    s.start().await;
    let home = s.home("carol", "Nothing waits for you.").await;
    assert!(!home.text().contains(&id), "{home}");
    // What Slack does not take is published later.
    s.slack().fault("views.publish", Fault::Error("internal_error"));
    s.acknowledged(&s.slack().opens_tab("bob", "home")).await;
    s.ask("bob", &format!("reject {id} later")).await;
    s.card("Rejected").await;
    s.direct().await;
    s.checklist_at_rest().await;
    s.home("bob", "Nothing waits for you.").await;
}

either_way!(who_has_no_rights_reads_why);
async fn who_has_no_rights_reads_why(s: &mut Stage) {
    s.set_up().await;
    asked(s, "invite ana@nimbus.example").await;
    assert_snapshot!(nameless(opens(s, "gina").await), @"
    home of gina
    Guests have no rights here. Ask a full member of the workspace. Your id is `chat:gina`.
    ");
}
