//! What waits for one person, in every channel: shown to them alone, and nothing that they may not see.

use insta::assert_snapshot;
use sekoia_chatops::domain::approval::{Policy, Rule};

use crate::harness::{
    Call, Chat, ChatFault, Platform, SOC, Seen, Setting, Stage, everywhere, id_in, nameless, on_mattermost, run, usual,
};

const OTHER: &str = "nimbus-payments";

fn durable() -> Setting {
    Setting { durable: true, ..Setting::default() }
}

/// Alice asks for an invitation; the request's id.
async fn asked(s: &Stage) -> String {
    let id = s.request_for("alice", "invite ana@nimbus.example").await;
    s.card("Approval needed").await;
    s.checklist("⏳").await;
    id
}

async fn inbox(s: &Stage, user: &str) -> String {
    nameless(s.ask(user, "inbox").await.text())
}

/// Somebody is in a channel no more.
fn leaves(s: &Stage, user: &str, channel: &str) {
    let id = s.chat.platform().user(user);
    match &s.chat {
        Chat::Slack(world) => world.edit(|state| {
            state.channel(channel).members.remove(&id);
        }),
        Chat::Mattermost(world) => world.edit(|state| {
            state.channel(channel).members.remove(&id);
        }),
    }
}

/// The channel is shared with another organisation.
fn shared(s: &Stage, channel: &str) {
    match &s.chat {
        Chat::Slack(world) => world.edit(|state| state.channel(channel).is_ext_shared = true),
        Chat::Mattermost(world) => world.edit(|state| state.channel(channel).shared = true),
    }
}

everywhere!(each_reads_what_waits_for_them_until_it_is_decided);
fn each_reads_what_waits_for_them_until_it_is_decided(on: Platform) {
    usual(on, async |s| {
        // Before anything is set up, nothing is.
        assert_snapshot!(inbox(s, "dan").await, @"
        What waits for you
        Nothing waits for you.
        ");
        s.set_up().await;
        asked(s).await;
        s.ask("alice", "due users 2031-01-31").await;
        s.progress().await;
        s.ask("alice", "assign users @alice").await;
        s.progress().await;
        // Who asked does not decide it; what is hers is there.
        assert_snapshot!(inbox(s, "alice").await, @"
        What waits for you
        *Steps that are yours*
        *5 Invite users* · #soc-setup · Nimbus Payments · due <date> · Open the checklist <message>
        *Your channels*
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites · Open the checklist <message>
        ");
        // Who may only look sees no request.
        assert_snapshot!(inbox(s, "dan").await, @"
        What waits for you
        Nothing waits for you.
        *Your channels*
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites · Open the checklist <message>
        ");
        let bobs = s.ask("bob", "inbox").await;
        assert_snapshot!(nameless(&bobs), @"
        to bob alone in #soc-setup
        What waits for you
        *Requests that you can decide*
        *Invite ana@nimbus.example as Analyst* · #soc-setup · `<id>` · asked by @alice · needs 1 approval until <date> <time> UTC (in 23 h)
        [Approve?]! [Reject…]✗ [Details]
        *Your channels*
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites · Open the checklist <message>
        ");
        assert_snapshot!(nameless(s.click("bob", &bobs, "Approve").await.text()), @"
        You approved: *Invite ana@nimbus.example as Analyst*. It is carried out now.
        [My inbox]
        ");
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_snapshot!(inbox(s, "bob").await, @"
        What waits for you
        Nothing waits for you.
        *Your channels*
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites · Open the checklist <message>
        ");
        assert_snapshot!(inbox(s, "carol").await, @"
        What waits for you
        Nothing waits for you.
        *Your channels*
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites · Open the checklist <message>
        ");
        assert_eq!(s.writes(), ["POST 204"]);
    });
}

everywhere!(from_another_channel_everything_works_that_works_there);
fn from_another_channel_everything_works_that_works_there(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let id = asked(s).await;
        // Typed there, it is still refused: a short id could be meant for that channel.
        let refused = s.ask_in(OTHER, "bob", &format!("approve {id}")).await.text();
        assert!(refused.starts_with("That request belongs to #soc-setup."), "{refused}");
        let bobs = s.ask_in(OTHER, "bob", "inbox").await;
        let details = s.click("bob", &bobs, "Details").await;
        assert_snapshot!(nameless(&details), @"
        to bob alone in #nimbus-payments
        Request <id> · requested
        *Invite ana@nimbus.example as Analyst*
        In *Nimbus Payments* as *Analyst*
        • ana@nimbus.example
        SHA-256 of what was asked for:
        ```
        <hash>
        ```
        [Approve?]! [Reject…]✗ [My inbox]
        ");
        let form = s.opens("bob", &details, "Reject…").await;
        assert_snapshot!(s.submit("bob", &form, &[("Why not?", "she left")]).await.text(), @"You rejected: *Invite ana@nimbus.example as Analyst*. The requester will see your reason.");
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;

        // A key is collected from there, too.
        let key = s.request_for("alice", "key create forwarder for intake-forwarder expires 30d").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        assert_snapshot!(nameless(s.ask_in(OTHER, "carol", &format!("inbox approve {key}")).await.text()), @"
        You approved: *Create the API key forwarder*. @alice may create it now.
        [My inbox]
        ");
        s.card("ready to be created").await;
        s.direct().await;
        let hers = s.ask_in(OTHER, "alice", "inbox").await;
        assert_snapshot!(nameless(&hers), @"
        to alice alone in #nimbus-payments
        What waits for you
        *Requests of yours*
        *Create the API key forwarder* · #soc-setup · `<id>` · asked by @alice · approved: @alice collects the key until <date> <time> UTC (in 23 h) · ⚠️ 1 risk
        [Create and show]! [Withdraw] [Details]
        *Your channels*
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites · Open the checklist <message>
        ");
        let shown = s.opens("alice", &hers, "Create and show").await;
        s.card("shown; revoked unless").await;
        let first = s.submit("alice", &shown, &[]).await.text();
        s.card("created, shown once and saved").await;
        let second = s.direct().await.text();
        let noted = if first.starts_with("Noted") { first } else { second };
        assert_snapshot!(noted, @"Noted: *forwarder* is saved.");
        s.checklist_at_rest().await;
        assert!(inbox(s, "alice").await.contains("Nothing waits for you."));
        s.stop().await;
        s.verify_audit();
    });
}

everywhere!(who_approves_and_asked_decides_it_only_where_that_is_allowed);
fn who_approves_and_asked_decides_it_only_where_that_is_allowed(on: Platform) {
    let setting = |self_approval| Setting {
        approval: Policy { usual: Rule { self_approval, ..Rule::default() }, ..Policy::default() },
        ..Setting::default()
    };
    for allowed in [false, true] {
        run(on, setting(allowed), async |s| {
            s.set_up().await;
            s.request_for("bob", "invite ana@nimbus.example").await;
            s.card("Approval needed").await;
            s.checklist("⏳").await;
            let hers = inbox(s, "carol").await;
            assert!(hers.contains("Requests that you can decide") && hers.contains("[Approve?]"), "{hers}");
            let his = inbox(s, "bob").await;
            assert_eq!(his.contains("[Approve?]"), allowed, "{his}");
            assert_eq!(his.contains("Nothing waits for you."), !allowed, "{his}");
        });
    }
}

everywhere!(a_channel_that_somebody_may_not_see_is_not_in_their_inbox);
fn a_channel_that_somebody_may_not_see_is_not_in_their_inbox(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.chat.bot_joins("private");
        leaves(s, "dan", "private");
        s.ask_in("private", "alice", "setup").await;
        s.progress().await;
        let theirs = |seen: &Seen| seen.text().matches("settled").count();
        assert_eq!(theirs(&s.ask("alice", "inbox").await), 2);
        let dans = s.ask("dan", "inbox").await;
        assert!(theirs(&dans) == 1 && !dans.text().contains("private"), "{dans}");

        // Where the bot does not work any more, nobody sees or decides anything.
        let reply = s.ask_in("private", "alice", "invite ana@nimbus.example").await;
        let id = id_in(&reply);
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        assert!(inbox(s, "bob").await.contains("#private"));
        shared(s, "private");
        s.stop().await;
        s.start().await;
        let bobs = inbox(s, "bob").await;
        assert!(bobs.contains("Nothing waits for you.") && !bobs.contains("private"), "{bobs}");
        let refused = s.ask("bob", &format!("inbox approve {id}")).await.text();
        assert!(refused.starts_with("This channel is shared with another organisation"), "{refused}");
        // Guests see nothing at all.
        assert!(s.ask("gina", "inbox").await.text().starts_with("Guests have no rights here."));
        assert_eq!(s.writes(), Vec::<String>::new());
    });
}

everywhere!(an_inbox_is_read_in_the_conversation_with_the_bot_and_by_mention);
fn an_inbox_is_read_in_the_conversation_with_the_bot_and_by_mention(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let id = asked(s).await;
        s.mention("bob", None, "inbox").await;
        assert!(s.reply().await.text().contains("[Approve?]"));
        s.ask("bob", &format!("reject {id} later")).await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        let alone = s.chat.alone_with("alice");
        s.taken(&s.chat.slash("alice", &alone, "inbox")).await;
        assert_snapshot!(nameless(s.next_private("alice").await.text()), @"
        What waits for you
        Nothing waits for you.
        *Your channels*
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites · Open the checklist <message>
        ");
        s.taken(&s.chat.slash("alice", &alone, "status")).await;
        assert!(s.next_private("alice").await.text().starts_with("I work in channels, not in direct messages."));
    });
}

everywhere!(a_group_that_cannot_be_read_hides_what_it_would_let_somebody_decide);
fn a_group_that_cannot_be_read_hides_what_it_would_let_somebody_decide(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        asked(s).await;
        s.stop().await;
        for _ in 0..8 {
            s.chat.fault(Call::ReadGroup, ChatFault::Refuses);
        }
        s.start().await;
        let hers = inbox(s, "carol").await;
        assert!(!hers.contains("[Approve?]") && hers.contains("Perhaps more, which I cannot tell"), "{hers}");
        s.chat.mend();
    });
}

everywhere!(a_long_inbox_has_pages);
fn a_long_inbox_has_pages(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for step in ["1", "2", "4", "5", "6", "7"] {
            s.ask("bob", &format!("assign {step} @bob")).await;
            s.progress().await;
        }
        for n in 0..7 {
            s.request_for("alice", &format!("invite ana{n}@nimbus.example")).await;
            s.card("Approval needed").await;
        }
        let first = s.ask("bob", "inbox").await;
        assert_eq!(first.text().matches("[Approve?]").count(), 7);
        assert!(first.text().contains("1–12 of 14 · page 1 of 2"), "{first}");
        let second = s.click("bob", &first, "Next page").await;
        let text = second.text();
        assert!(!text.contains("[Approve?]") && text.contains("*7 Configure notifications*"), "{second}");
        assert!(text.contains("13–14 of 14 · page 2 of 2") && text.contains("Your channels"), "{second}");
        while !s.chat.unread().is_empty() {
            s.checklist("").await;
        }
    });
}

#[test]
fn alone_with_the_bot_on_mattermost_the_word_is_enough() {
    on_mattermost(Setting::default(), async |s| {
        s.set_up().await;
        let id = asked(s).await;
        // Elsewhere, and in other words, it is nobody's command.
        s.mattermost().write("bob", SOC, "inbox");
        s.mattermost().write_alone("bob", "my inbox is full");
        s.mattermost().write_alone("bob", " Inbox ");
        let his = s.direct().await;
        assert!(his.is_for("bob") && his.text().contains("[Approve?]"), "{his}");
        s.press("bob", &his, "Approve").await;
        assert!(s.next_private("bob").await.text().starts_with("You approved:"));
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(s.writes(), ["POST 204"], "{id}");
    });
}
