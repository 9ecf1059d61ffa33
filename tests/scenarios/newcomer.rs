//! The first minute: what the bot says it is, what one can do, and where one stands.

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{Call, ChatFault, Platform, SOC, Setting, Stage, everywhere, nameless, on_slack, run, usual};

/// Somebody, or the bot, was added to a channel.
async fn joins(s: &Stage, user: &str, channel: &str) {
    let (user, channel) = (s.chat.platform().user(user), s.chat.platform().channel(channel));
    let user = if user == "U0SEKOIA" { "U0BOT".to_owned() } else { user };
    let event = json!({
        "type": "member_joined_channel", "user": user, "channel": channel, "channel_type": "C",
        "team": "T0SOC", "inviter": "U0ALICE", "event_ts": "1762000000.000100",
    });
    s.acknowledged(&s.slack().event(event)).await;
}

#[test]
fn a_channel_that_the_bot_is_added_to_is_welcomed_once() {
    on_slack(Setting { durable: true, ..Setting::default() }, async |s| {
        s.chat.bot_joins("quiet");
        joins(s, "dan", "quiet").await;
        joins(s, "sekoia", "quiet").await;
        let welcome = s.announced("setup bot").await;
        assert_snapshot!(welcome, @"
        #quiet (posted)
        Hello, I am Sekoia's setup bot
        I set up Sekoia workspaces from a channel: seven steps, each checked with Sekoia's API, approvals by button for what is sensitive, and a record of who did what.
        @alice or @bob can set it up with `/sekoia setup`.
        [Set up this channel]! [Help]
        ");
        // Removed and added again, it is known there.
        joins(s, "sekoia", "quiet").await;
        assert_snapshot!(s.click("dan", &welcome, "Set up this channel").await.text(), @"That is for operators. Ask your bot administrator to add `chat:dan` to CHATOPS_OPERATORS. `/sekoia whoami` shows your rights.");
        assert!(s.click("alice", &welcome, "Set up this channel").await.text().contains("now works on"));
        s.progress().await;
        // A channel that is set up needs no welcome, and one where the bot does not work gets none.
        s.set_up().await;
        joins(s, "sekoia", SOC).await;
        joins(s, "sekoia", "shared").await;
        s.stop().await;
        s.start().await;
        assert_eq!(s.chat.standing("quiet").len(), 2);
        assert_eq!(s.chat.standing(SOC).len(), 1);
        assert!(s.chat.standing("shared").is_empty());
    });
}

everywhere!(a_channel_that_is_not_set_up_answers_everything_with_how_it_begins);
fn a_channel_that_is_not_set_up_answers_everything_with_how_it_begins(on: Platform) {
    usual(on, async |s| {
        assert_snapshot!(s.ask("dan", "next").await.text(), @"
        *This channel is not set up yet.*
        I set up Sekoia workspaces from a channel: seven steps, each checked with Sekoia's API, approvals by button for what is sensitive, and a record of who did what.
        @alice or @bob can set it up with `/sekoia setup`.
        ");
        let start = s.ask("alice", "done 1").await;
        assert_snapshot!(start.text(), @"
        *This channel is not set up yet.*
        I set up Sekoia workspaces from a channel: seven steps, each checked with Sekoia's API, approvals by button for what is sensitive, and a record of who did what.
        You can set it up: press the button, or type `/sekoia setup`.
        [Set up this channel]!
        ");
        assert_eq!(s.ask("alice", "approvals mine").await.text(), start.text());
        assert!(s.ask("alice", "help").await.text().contains("You can set it up"));
        assert!(s.click("alice", &start, "Set up this channel").await.text().contains("now works on"));
        s.progress().await;
    });
    run(on, Setting { operators: "", approvers: "", ..Setting::default() }, async |s| {
        assert!(s.ask("dan", "status").await.text().contains("Nobody can set it up yet"));
    });
}

everywhere!(help_says_what_the_reader_may_do_now_by_task);
fn help_says_what_the_reader_may_do_now_by_task(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let mentioned = " or, also in threads, after mentioning me";
        let help = async |who: &str| s.ask(who, "").await.text().replace(mentioned, "");
        assert_snapshot!(help("alice").await, @"
        What you can do here
        *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • *Work through the checklist*: `setup`, `status`, `next`, `step`, `done` and 8 more: `/sekoia help checklist`
        • *Say what the workspace should be*: `plan`, `plan products`, `plan region`, `plan communities`, `plan community` and 13 more: `/sekoia help planning`
        • *Look at the workspace*: `subscription`, `region`, `region share`, `region probe`, `communities` and 5 more: `/sekoia help workspace`
        • *Change the workspace, after an approval*: `community create`, `role create`, `invite`, `key create`, `key revoke` and 1 more: `/sekoia help changes`
        • *Decide requests and follow them*: `approvals`, `cancel`, `show`, `saved`, `lost` and 4 more: `/sekoia help requests`
        • *Be notified of alerts, silent intakes and playbooks*: `notify`, `notify summary`, `notify add`, `notify remove`, `notify pause` and 8 more: `/sekoia help alerts`
        • *See who did what, and what waits*: `help`, `whoami`, `report`, `inbox`, `overview` and 2 more: `/sekoia help records`
        Type them after `/sekoia`. Everything that a button does can be typed. `/sekoia help all` lists every command, `/sekoia help requests` those of one task, `/sekoia help skip` explains one.
        [Next step]! [Checklist] [My requests]
        ");
        assert_snapshot!(help("dan").await, @"
        What you can do here
        *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • *Work through the checklist*: `status`, `next`, `step`, `refresh`, `quickstart`
        • *Say what the workspace should be*: `plan`
        • *Look at the workspace*: `subscription`, `region`, `communities`, `roles`, `role show`
        • *Be notified of alerts, silent intakes and playbooks*: `notify`, `notify summary`
        • *See who did what, and what waits*: `help`, `whoami`, `report`, `inbox`
        Type them after `/sekoia`. Everything that a button does can be typed. `/sekoia help all` lists every command, `/sekoia help requests` those of one task, `/sekoia help skip` explains one.
        [Next step]! [Checklist]
        ");
        assert_snapshot!(help("carol").await, @"
        What you can do here
        *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • *Work through the checklist*: `status`, `next`, `step`, `refresh`, `quickstart`
        • *Say what the workspace should be*: `plan`
        • *Look at the workspace*: `subscription`, `region`, `communities`, `roles`, `role show`
        • *Decide requests and follow them*: `approvals`, `approve`, `reject`, `freeze`, `unfreeze`
        • *Be notified of alerts, silent intakes and playbooks*: `notify`, `notify summary`
        • *See who did what, and what waits*: `help`, `whoami`, `report`, `inbox`
        Type them after `/sekoia`. Everything that a button does can be typed. `/sekoia help all` lists every command, `/sekoia help requests` those of one task, `/sekoia help skip` explains one.
        [Next step]! [Checklist] [My requests]
        ");
        assert_snapshot!(help("gina").await, @"
        Guests have no rights here. Ask a full member of the workspace. Your id is `chat:gina`.
        `/sekoia help all` lists what I understand, `/sekoia whoami` shows your id and your rights.
        ");
        assert_snapshot!(s.ask("dan", "help requests").await.text(), @"
        Decide requests and follow them
        You may use none of these commands.
        For others: `approvals`, `cancel`, `approve`, `reject`, `show`, `saved`, `lost`, `retire`, `retry`, `by hand`, `check`, `freeze`, `unfreeze`. `/sekoia whoami` shows your rights.
        ");
        assert_snapshot!(s.ask("carol", "help requests").await.text(), @"
        Decide requests and follow them
        • `approvals [mine or id] [page]` Requests that are not settled, with buttons; those that you can decide or asked for; or one of them in full. Approvers may see them too. (operator)
        • `approve <id>` Approves a request, exactly as its card says. (approver)
        • `reject <id> <reason>` Rejects a request. (approver)
        • `freeze <reason>` Stops all sensitive execution. (approver)
        • `unfreeze` Allows it again. (approver)
        For others: `cancel`, `show`, `saved`, `lost`, `retire`, `retry`, `by hand`, `check`. `/sekoia whoami` shows your rights.
        ");
        // Nobody is told of commands that they may not use.
        let told = help("dan").await;
        for word in ["invite", "users", "keys", "audit", "overview", "freeze", "approvals"] {
            assert!(!told.contains(&format!("`{word}")), "{word}: {told}");
        }
    });
}

everywhere!(help_answers_whatever_the_platform_does);
fn help_answers_whatever_the_platform_does(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for fault in [ChatFault::Fails, ChatFault::Hangs] {
            for _ in 0..6 {
                s.chat.fault(Call::ReadPerson, fault);
            }
            let told = s.ask("dan", "help").await.text();
            assert!(told.contains("I could not find out your rights just now") && told.contains("`invite`"), "{told}");
            s.chat.mend();
        }
        assert!(s.ask("dan", "help all").await.text().contains("`unfreeze`"));
    });
}

everywhere!(requests_are_decided_from_their_list_by_those_who_can);
fn requests_are_decided_from_their_list_by_those_who_can(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example as Admin").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.request_for("bob", "key create forwarder for intake-forwarder expires 30d").await;
        s.card("Approval needed").await;
        s.checklist("6 Create API keys* · waiting").await;
        assert_snapshot!(nameless(s.ask("alice", "approvals").await.text()), @"
        Requests
        *Nimbus Payments* · 2 requests not settled
        *Invite ana@nimbus.example as Admin* · `<id>` · asked by @alice · needs 2 approvals by @bob or @carol until <date> <time> UTC (in 23 h)
        [Withdraw] [Details]
        *Create the API key forwarder* · `<id>` · asked by @bob · needs 1 approval by @carol until <date> <time> UTC (in 23 h)
        [Details]
        [Only mine]
        ");
        let mine = s.ask("bob", "approvals mine").await;
        assert_snapshot!(nameless(mine.text()), @"
        Your requests
        *Nimbus Payments* · 2 requests not settled, 2 of them for you
        *Waiting for your decision*
        *Invite ana@nimbus.example as Admin* · `<id>` · asked by @alice · needs 2 approvals by @bob or @carol until <date> <time> UTC (in 23 h)
        [Approve?]! [Reject…]✗ [Details]
        *Asked for by you*
        *Create the API key forwarder* · `<id>` · asked by @bob · needs 1 approval by @carol until <date> <time> UTC (in 23 h)
        [Withdraw] [Details]
        [All requests]
        ");
        assert_snapshot!(s.ask("dan", "approvals").await.text(), @"That is for operators. Ask your bot administrator to add `chat:dan` to CHATOPS_OPERATORS. `/sekoia whoami` shows your rights.");
        assert!(s.click("bob", &mine, "Approve").await.text().starts_with("You approved"));
        s.card("(1 so far)").await;
        // Carol approves and is no operator: what she can decide is listed for her too.
        let mine = s.ask("carol", "approvals mine").await;
        assert_snapshot!(nameless(mine.text()), @"
        Your requests
        *Nimbus Payments* · 2 requests not settled, 2 of them for you
        *Waiting for your decision*
        *Invite ana@nimbus.example as Admin* · `<id>` · asked by @alice · needs 1 approval by @carol until <date> <time> UTC (in 23 h)
        [Approve?]! [Reject…]✗ [Details]
        *Create the API key forwarder* · `<id>` · asked by @bob · needs 1 approval by @carol until <date> <time> UTC (in 23 h)
        [Approve?]! [Reject…]✗ [Details]
        [All requests]
        ");
        assert_snapshot!(nameless(s.ask("bob", "approvals mine").await.text()), @"
        Your requests
        *Nimbus Payments* · 2 requests not settled, 1 of them for you
        *Asked for by you*
        *Create the API key forwarder* · `<id>` · asked by @bob · needs 1 approval by @carol until <date> <time> UTC (in 23 h)
        [Withdraw] [Details]
        [All requests]
        ");
    });
}

everywhere!(one_request_offers_its_reader_what_is_theirs_and_the_card_offers_all);
fn one_request_offers_its_reader_what_is_theirs_and_the_card_offers_all(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "invite ana@nimbus.example as Admin").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        let buttons = async |who: &str| {
            let text = s.ask(who, &format!("approvals {id}")).await.text();
            text.lines().filter(|line| line.starts_with('[')).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(buttons("alice").await, "[Withdraw]");
        assert_eq!(buttons("bob").await, "[Approve?]! [Reject…]✗");
        s.ask("bob", &format!("approve {id}")).await;
        let card = (card, s.card("(1 so far)").await);
        assert_eq!(buttons("bob").await, "[Reject…]✗");
        for card in [card.0, card.1] {
            assert!(card.text().ends_with("[Approve?]! [Reject…]✗ [Withdraw]"), "{card}");
        }
    });
}

everywhere!(the_overview_says_what_waits_for_whom);
fn the_overview_says_what_waits_for_whom(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask_in("nimbus-payments", "alice", "setup").await;
        s.progress().await;
        s.ask("bob", "assign users @bob").await;
        s.checklist("@bob").await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        let id = s.request_for("alice", "key create forwarder for intake-forwarder expires 30d").await;
        s.card("Approval needed").await;
        s.ask("bob", &format!("approve {id}")).await;
        s.card("ready to be created").await;
        s.direct().await;
        s.checklist("6 Create API keys* · waiting").await;
        s.ask_in("nimbus-payments", "alice", "due region 2099-01-31").await;
        s.progress().await;
        assert_snapshot!(nameless(s.ask("alice", "overview").await.text()), @"
        All channels
        #nimbus-payments · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • *2 Confirm your region* · due 2099-01-31
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • *Invite ana@nimbus.example as Analyst* · `<id>` · asked by @alice · needs 1 approval by @bob or @carol until <date> <time> UTC (in 23 h)
        • *Create the API key forwarder* · `<id>` · asked by @alice · approved: @alice collects the key until <date> <time> UTC (in 23 h)
        • *5 Invite users* · @bob
        Channels 1 to 2
        ");
        s.ask("carol", "freeze \"incident 42\"").await;
        s.announced("incident 42").await;
        s.announced("incident 42").await;
        let told = s.ask("alice", "overview").await.text();
        assert!(told.contains("frozen by @carol"), "{told}");
        // Both cards say so, in whichever order.
        let (mut asked, mut approved) = (false, false);
        while !(asked && approved) {
            let card = s.card("frozen by").await.text();
            asked |= card.starts_with("Approval needed");
            approved |= card.starts_with("Approved");
        }
    });
}

#[test]
fn who_is_on_another_platform_is_shown_by_name() {
    let both = Setting { beside: Some(Platform::Mattermost), ..Setting::default() };
    on_slack(both, async |s| {
        s.set_up().await;
        s.go_to_the_other();
        s.set_up().await;
        s.ask("bob", "assign users @bob").await;
        s.progress().await;
        s.ask("carol", "freeze \"incident 42\"").await;
        let here = s.announced("incident 42").await.text();
        assert!(here.contains("frozen by @carol"), "{here}");
        s.go_to_the_other();
        let there = s.announced("incident 42").await.text();
        assert!(there.contains("frozen by *@carol*"), "{there}");
        let told = s.ask("alice", "overview").await.text();
        assert_snapshot!(nameless(told), @"
        All channels
        🧊 Nothing is carried out: frozen by *@carol* · <date> <time> UTC: incident 42
        *#soc-setup* · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • *5 Invite users* · *@bob*
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        Channels 1 to 2
        ");
        assert!(s.ask("alice", "audit").await.text().contains("*@carol* · 🧊 froze"));
    });
}

everywhere!(a_report_names_people_and_a_program_is_given_their_ids);
fn a_report_names_people_and_a_program_is_given_their_ids(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask("alice", "plan products current").await;
        s.progress().await;
        s.ask("bob", "assign users @bob").await;
        s.progress().await;
        s.ask("alice", "report").await;
        s.direct().await;
        let report = String::from_utf8(s.chat.pictures().pop().expect("a file").content).unwrap();
        let id = |report: String, name: &str| report.replace(s.person(name).as_str(), &format!("<{name}'s id>"));
        let report = id(id(report, "alice"), "bob");
        let said: Vec<&str> = report
            .lines()
            .filter(|line| ["- Channel", "- Opened", "- By", "- Assigned"].iter().any(|w| line.starts_with(w)))
            .collect();
        assert_snapshot!(nameless(said.join("\n")), @r"
        - Channel: \#soc-setup
        - Opened: <date> <time> UTC by alice (<alice's id>)
        - By: alice (<alice's id>) on <date> <time> UTC
        - By: alice (<alice's id>) on <date> <time> UTC
        - Assigned to: bob (<bob's id>)
        ");
        let json = s.ask("alice", "report json 1").await.text() + &s.ask("alice", "report json 2").await.text();
        assert!(json.contains("\"assignee\": \"chat:bob\"") && json.contains("\"chat:bob\": \"bob\""), "{json}");
    });
}
