//! What comes next: the quick start of each licensed product, point by point, and on its way to the analysts.

use std::time::Duration;

use insta::assert_snapshot;
use sekoia_chatops::sandbox::world::{AlertStatus, Badly, World};
use sekoia_chatops::sandbox::{Fault, FaultKind};

use crate::harness::{Choice, Platform, Stage, on_both, steady, usual};

/// Whoever is on the chat too.
fn has_address(world: &mut World, first: &str, address: &str) {
    let member = world.members.iter_mut().find(|member| member.user.firstname.as_deref() == Some(first));
    member.expect("a member").user.email = Some(address.into());
}

/// Sells nothing but these.
fn licensed_for(world: &mut World, modules: &[&str]) {
    let of = |title: &str| modules.iter().any(|module| title.starts_with(module));
    world.licences.retain(|licence| licence.plan.as_ref().is_some_and(|plan| of(&plan.title)));
}

on_both!(every_point_says_how_it_stands);
fn every_point_says_how_it_stands(on: Platform) {
    usual(on, async |s| {
        s.sekoia.edit(|world| {
            let root = world.root;
            let intake = world.intake("Office firewall").expect("an intake").uuid;
            world.first_steps.badly_parsed = vec![Badly { intake, warnings: 10, invalid: 42 }];
            world.first_steps.rules_off.insert(root, 12);
            world.first_steps.assets.clear();
            world.alerts.iter_mut().for_each(|alert| alert.status = AlertStatus::Pending);
            world.runs.iter_mut().for_each(|run| run.status = "error".into());
        });
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "quickstart").await.text(), @"
        What comes next
        *Defend*, about an hour and a half:
        • ✅ Connect a first source (Admin, or intake permissions; 10–20 min) · 5 intakes
        • ☐ Check that events arrive (5–10 min) · missing: events that are parsed: 4.1 % of Office firewall are invalid (below 1 % is expected)
        • ☐ Enable detection rules (10–15 min) · missing: detection rules: 12 of 420 Elementary and Intermediate rules are off
        • ☐ Triage a first alert (15–30 min) · missing: a first triage: alerts arrive, and nobody took one up yet
        • ☐ Automate with a playbook (15–20 min) · missing: a run of a playbook that succeeded: of 3 playbooks, none did of late
        *Intelligence*, half an hour:
        • ✅ Explore the threat database (15–20 min) · the threat database answers
        • ✅ Investigate, and pass reports on (15–20 min) · 1 feed of your own
        *Reveal*:
        • ☐ Discover assets: switch the module on for each community that should, and connect a source · missing: assets: switch Reveal on for this community, and connect a telemetry source or an asset connector
        ⚠️ Step 6 is still open: create the keys before intakes are configured.
        Sekoia shows: Defend: 5 intakes; Intelligence: the threat database answers, 1 feed of your own.
        See: Defend <https://docs.sekoia.com/xdr/xdr_quick_start/>, Intelligence <https://docs.sekoia.com/cti/>
        [Done] [Send to the analysts…]
        ");
        let refused = s.ask("alice", "done quickstart").await;
        assert_snapshot!(refused.text(), @r#"
        Sekoia does not confirm quickstart yet: Defend: 5 intakes; Intelligence: the threat database answers, 1 feed of your own.
        • Missing: events that are parsed: 4.1 % of Office firewall are invalid (below 1 % is expected)
        • Missing: detection rules: 12 of 420 Elementary and Intermediate rules are off
        • Missing: a first triage: alerts arrive, and nobody took one up yet
        • Missing: a run of a playbook that succeeded: of 3 playbooks, none did of late
        • Missing: assets: switch Reveal on for this community, and connect a telemetry source or an asset connector
        Nothing was changed. You can mark it as done on your word; it will say "attested".
        [Check again] [Mark as done on my word?]
        "#);
        // A viewer reads the same, and is offered nothing.
        assert!(!s.ask("dan", "quickstart").await.text().contains("Send to the analysts"));
    });
}

on_both!(what_the_key_may_not_see_is_for_a_person_to_tell);
fn what_the_key_may_not_see_is_for_a_person_to_tell(on: Platform) {
    usual(on, async |s| {
        for part in ["rules-catalog/counters", "events-by-status", "playbook-runs", "inthreat", "asset-management"] {
            let refused = FaultKind::Status { code: 403, retry_after: None, body: None };
            s.sekoia.faults().add(Fault::new(refused).on(part).times(99));
        }
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "quickstart").await.text(), @r#"
        What comes next
        *Defend*, about an hour and a half:
        • ✅ Connect a first source (Admin, or intake permissions; 10–20 min) · 5 intakes
        • ✅ Check that events arrive (5–10 min) · events arrive
        • ❔ Enable detection rules (10–15 min) · only you can tell: the bot's key lacks "View Rules Catalog"
        • ✅ Triage a first alert (15–30 min) · alerts are taken up
        • ✅ Automate with a playbook (15–20 min) · 3 playbooks
        *Intelligence*, half an hour:
        • ❔ Explore the threat database (15–20 min) · only you can tell: it is done in the console, and the bot's key lacks "View intelligence"
        • ❔ Investigate, and pass reports on (15–20 min) · only you can tell: the bot's key lacks "View feeds"
        *Reveal*:
        • ❔ Discover assets: switch the module on for each community that should, and connect a source · only you can tell: the bot's key may not see assets
        ⚠️ Step 6 is still open: create the keys before intakes are configured.
        Sekoia confirms it: Defend: 5 intakes, events arrive, alerts are taken up, 3 playbooks.
        ⚠️ 2 intakes send nothing or report an error
        ⚠️ how events are parsed: the bot's key may not see it
        ⚠️ whether playbooks run: the bot's key lacks "View playbook runs"
        ⚠️ only you can tell of "Enable detection rules": the bot's key lacks "View Rules Catalog"
        ⚠️ only you can tell of "Explore the threat database": it is done in the console, and the bot's key lacks "View intelligence"
        ⚠️ only you can tell of "Investigate, and pass reports on": the bot's key lacks "View feeds"
        ⚠️ only you can tell of "Discover assets": the bot's key may not see assets
        See: Defend <https://docs.sekoia.com/xdr/xdr_quick_start/>, Intelligence <https://docs.sekoia.com/cti/>
        [Done] [Send to the analysts…]
        "#);
        assert_snapshot!(steady(s.ask("alice", "done quickstart").await.text()), @r#"
        Sekoia confirms it: Defend: 5 intakes, events arrive, alerts are taken up, 3 playbooks.
        What comes next
        *Nimbus Payments*
        ✅ verified with Sekoia: Defend: 5 intakes, events arrive, alerts are taken up, 3 playbooks · @alice · <date> <time> UTC
        • ⚠️ 2 intakes send nothing or report an error
        • ⚠️ how events are parsed: the bot's key may not see it
        • ⚠️ whether playbooks run: the bot's key lacks "View playbook runs"
        • ⚠️ only you can tell of "Enable detection rules": the bot's key lacks "View Rules Catalog"
        • ⚠️ only you can tell of "Explore the threat database": it is done in the console, and the bot's key lacks "View intelligence"
        • ⚠️ only you can tell of "Investigate, and pass reports on": the bot's key lacks "View feeds"
        • ⚠️ only you can tell of "Discover assets": the bot's key may not see assets
        Once the workspace is configured, analysts follow the quick start of their product.
        The bot posts the quick start and checks that intakes, alerts and playbooks are there.
        In Sekoia: Intakes, Alerts and Playbooks in the console · See: Defend <https://docs.sekoia.com/xdr/xdr_quick_start/>, Intelligence <https://docs.sekoia.com/cti/>
        [Next step]! [Check with Sekoia] [Show details] [Reopen]
        "#);
        read_on(s).await;
    });
}

on_both!(a_workspace_of_intelligence_alone_is_not_asked_for_intakes);
fn a_workspace_of_intelligence_alone_is_not_asked_for_intakes(on: Platform) {
    usual(on, async |s| {
        s.sekoia.edit(|world| licensed_for(world, &["Intelligence"]));
        s.set_up().await;
        let before = s.sekoia.calls().len();
        assert_snapshot!(s.ask("alice", "quickstart").await.text(), @"
        What comes next
        *Intelligence*, half an hour:
        • ✅ Explore the threat database (15–20 min) · the threat database answers
        • ✅ Investigate, and pass reports on (15–20 min) · 1 feed of your own
        ⚠️ Step 6 is still open: create the keys before intakes are configured.
        Sekoia confirms it: Intelligence: the threat database answers, 1 feed of your own.
        See: Defend <https://docs.sekoia.com/xdr/xdr_quick_start/>, Intelligence <https://docs.sekoia.com/cti/>
        [Done] [Send to the analysts…]
        ");
        let asked: Vec<String> = s.sekoia.calls()[before..].iter().map(|call| call.path.clone()).collect();
        assert!(asked.iter().all(|path| !path.contains("/sic/") && !path.contains("/symphony/")), "{asked:?}");
        let done = s.ask("alice", "done quickstart").await.text();
        assert!(done.contains("Sekoia confirms it: Intelligence: the threat database answers"), "{done}");
        read_on(s).await;
    });
}

on_both!(own_indicators_are_told_with_their_limit);
fn own_indicators_are_told_with_their_limit(on: Platform) {
    usual(on, async |s| {
        s.sekoia.edit(|world| {
            let root = world.root;
            world.first_steps.indicators.insert(root, 9_400);
        });
        s.set_up().await;
        let planned = s.ask("alice", "plan products current").await.text();
        assert!(planned.contains("9400 of 10000 own indicators are used"), "{planned}");
        s.checklist("✅ *1 Verify your subscription*").await;
        assert!(s.whole_report("alice").await.contains("own indicators: 9400 of 10000"));
    });
}

on_both!(the_quick_start_goes_to_the_channel_and_to_members_in_the_chat);
fn the_quick_start_goes_to_the_channel_and_to_members_in_the_chat(on: Platform) {
    usual(on, async |s| {
        s.chat.tells_addresses();
        s.sekoia.edit(|world| {
            has_address(world, "Ada", "alice@nimbus.example");
            has_address(world, "Chloé", "Dan@Nimbus.example");
        });
        s.set_up().await;
        let preview = s.ask("alice", "quickstart send").await;
        assert_snapshot!(preview.text(), @"
        The quick start of Defend, Intelligence, Reveal would be posted in this channel, and sent to 1 person who are members at Sekoia and in this chat.
        [Send?]!
        ");
        let sent = s.click("alice", &preview, "Send").await;
        assert_snapshot!(sent.text(), @"The quick start of Defend, Intelligence, Reveal is posted in this channel, and goes to 1 person who are members at Sekoia and in this chat.");
        let (mut posted, mut told) = (None, None);
        while posted.is_none() || told.is_none() {
            let seen = s.next_within(Duration::from_secs(20)).await;
            assert!(seen.text().contains("What comes next"), "{seen}");
            *(if seen.is_direct() { &mut told } else { &mut posted }) = Some(seen.text());
        }
        let posted = posted.unwrap_or_default();
        assert_snapshot!(posted, @"
        What comes next
        The workspace is set up. Log in at https://app.sekoia.io <https://app.sekoia.io> and go on:
        *Defend*, about an hour and a half:
        • Connect a first source (Admin, or intake permissions; 10–20 min)
        • Check that events arrive (5–10 min)
        • Enable detection rules (10–15 min)
        • Triage a first alert (15–30 min)
        • Automate with a playbook (15–20 min)
        *Intelligence*, half an hour:
        • Explore the threat database (15–20 min)
        • Investigate, and pass reports on (15–20 min)
        *Reveal*:
        • Discover assets: switch the module on for each community that should, and connect a source
        See: Defend <https://docs.sekoia.com/xdr/xdr_quick_start/>, Intelligence <https://docs.sekoia.com/cti/>
        Sent by @alice
        ");
        let to_one = posted.replace("Sent by @alice", "Sent to you by @alice from #soc-setup");
        assert_eq!(told.unwrap_or_default(), to_one);
        assert!(s.ask("alice", "audit 1").await.text().contains("quick start of Defend, Intelligence, Reveal posted"));
        let shown = steady(s.ask("alice", "quickstart defend").await.text());
        assert!(shown.contains("Sent to the analysts by @alice · <date> <time> UTC"), "{shown}");
    });
}

on_both!(without_addresses_the_quick_start_is_posted_and_says_so);
fn without_addresses_the_quick_start_is_posted_and_says_so(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let sent = s.ask("alice", "quickstart send confirm").await.text();
        let why = match on {
            Platform::Slack => {
                "Nobody is written to: without the scope users:read.email, the chat does not tell the app who has which address."
            }
            _ => "Nobody is written to: no other member's address is known in this chat.",
        };
        assert!(sent.contains("is posted in this channel.") && sent.contains(why), "{sent}");
        s.next_post("What comes next").await;
        assert_snapshot!(s.ask("dan", "quickstart send").await.text(), @"That is for operators. Ask your bot administrator to add `chat:dan` to CHATOPS_OPERATORS. `/sekoia whoami` shows your rights.");
    });
}

on_both!(an_invitation_is_sent_again_from_the_step_that_waits_for_it);
fn an_invitation_is_sent_again_from_the_step_that_waits_for_it(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let waits = s.ask("alice", "plan people current").await;
        s.progress().await;
        assert!(waits.text().contains("[Send an invitation again ▾]"), "{waits}");
        let checked = s.ask("alice", "step users check").await;
        let asked =
            s.choose("alice", &checked, "Send an invitation again", Choice::Option("nadia.osman@nimbus.example")).await;
        assert!(asked.text().contains("Asked: "), "{asked}");
        read_on(s).await;
        assert!(!s.ask("dan", "step users check").await.text().contains("Send an invitation again"));
    });
}

async fn read_on(s: &Stage) {
    s.rounds(3).await;
    while !s.chat.unread().is_empty() {
        s.next_within(Duration::from_secs(5)).await;
    }
}
