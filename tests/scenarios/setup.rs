//! A channel is set up.

use insta::assert_snapshot;
use sekoia_chatops::sandbox::Tenant;

use crate::harness::{Call, Choice, Platform, Setting, everywhere, run, usual};

everywhere!(a_channel_is_set_up);
fn a_channel_is_set_up(on: Platform) {
    usual(on, async |s| {
        assert_snapshot!(s.ask("alice", "setup").await, @"
        to alice alone in #soc-setup
        This channel now works on *Nimbus Payments*, a single-tenant workspace. Step 3 does not apply to it.
        I keep the checklist up to date in one message in this channel.
        [Before you start]! [Open step 1 (subscription)]
        ");
        assert_snapshot!(s.progress().await, @"
        #soc-setup (posted)
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓░░░░░░  0 of 7 done · 1 not applicable
        ☐ *Before you start*
        ☐ *1 Verify your subscription*
        ☐ *2 Confirm your region*
        ➖ *3 Create communities* · not applicable
        ☐ *4 Define roles*
        ☐ *5 Invite users*
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        [Open a step ▾] [Next]! [Refresh]
        ");
        // Everybody in the channel may look; the answer needs no call.
        assert_snapshot!(s.ask("dan", "status").await.text(), @"
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓░░░░░░  0 of 7 done · 1 not applicable
        ☐ *Before you start*
        ☐ *1 Verify your subscription*
        ☐ *2 Confirm your region*
        ➖ *3 Create communities* · not applicable
        ☐ *4 Define roles*
        ☐ *5 Invite users*
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        [Open a step ▾] [Next]! [Refresh]
        ");
        assert_snapshot!(s.ask("alice", "next").await, @"
        to alice alone in #soc-setup
        Before you start
        *Nimbus Payments*
        ☐ open
        The person who sets up the workspace needs administrator access and a secured account of their own.
        The bot checks that its API key is valid and has the permissions that the plan needs, and that who ticks this step is an Admin with MFA.
        In Sekoia: your own account, Security · See: Secure your account <https://docs.sekoia.com/getting_started/secure_your_account/>, Workspace setup overview <https://docs.sekoia.com/getting_started/>
        [Done]! [Check with Sekoia] [Skip…] [Assign to ▾] [Due date 📅]
        ");
    });
}

everywhere!(setup_again_says_what_is_there_and_edits_nothing_twice);
fn setup_again_says_what_is_there_and_edits_nothing_twice(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "setup").await, @"
        to alice alone in #soc-setup
        This channel is already set up for Nimbus Payments. `/sekoia status` shows where it stands.
        ");
        // It looks whether its message stands, and changes nothing of it.
        assert_eq!(s.chat.calls(Call::Edit), 1);
        s.checklist("0 of 7 done").await;
    });
}

everywhere!(of_several_communities_one_is_chosen);
fn of_several_communities_one_is_chosen(on: Platform) {
    run(on, Setting { tenant: Tenant::Multi, ..Setting::default() }, async |s| {
        let menu = s.ask("alice", "setup").await;
        assert_snapshot!(menu, @"
        to alice alone in #soc-setup
        The key sees 4 communities. Which one is this channel about? Steps 4 to 7 touch that one alone.
        [Choose a community ▾]
        ");
        assert_snapshot!(menu.options("Choose a community").join("\n"), @"
        Banque Rivoli
        Rivoli Markets
        Rivoli Payments (Nimbus)
        Rivoli Retail
        ");
        let chosen = s.choose("alice", &menu, "Choose a community", Choice::Option("Rivoli Markets")).await;
        assert_snapshot!(chosen, @"
        to alice alone in #soc-setup
        This channel now works on *Rivoli Markets*, in a multi-tenant workspace.
        I keep the checklist up to date in one message in this channel.
        [Before you start]! [Open step 1 (subscription)]
        ");
        assert_snapshot!(s.progress().await, @"
        #soc-setup (posted)
        Sekoia workspace setup
        *Rivoli Markets* · multi-tenant
        ░░░░░░░  0 of 7 done
        ☐ *Before you start*
        ☐ *1 Verify your subscription*
        ☐ *2 Confirm your region*
        ☐ *3 Create communities*
        ☐ *4 Define roles*
        ☐ *5 Invite users*
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        [Open a step ▾] [Next]! [Refresh]
        ");
    });
}

everywhere!(a_community_is_named);
fn a_community_is_named(on: Platform) {
    run(on, Setting { tenant: Tenant::Multi, ..Setting::default() }, async |s| {
        assert_snapshot!(s.ask("alice", "setup Rivoli Nowhere").await.text(), @r#"
        The key sees no community called "Rivoli Nowhere".
        The key sees 4 communities. Which one is this channel about? Steps 4 to 7 touch that one alone.
        [Choose a community ▾]
        "#);
        assert_snapshot!(s.ask("alice", "setup rivoli").await.text(), @r#"
        3 communities match "rivoli". Say which one by its id:
        • *Rivoli Markets* `/sekoia setup 5d3fe5de-132b-4a9a-917b-0a61c3b71389`
        • *Rivoli Payments (Nimbus)* `/sekoia setup 2a62ddd9-bff6-478c-9338-c3ab2985d6f4`
        • *Rivoli Retail* `/sekoia setup 579aa13b-8279-4d5c-803e-eb061b0bf249`
        "#);
        assert_snapshot!(s.ask("alice", "setup “rivoli retail”").await.text(), @"
        This channel now works on *Rivoli Retail*, in a multi-tenant workspace.
        I keep the checklist up to date in one message in this channel.
        [Before you start]! [Open step 1 (subscription)]
        ");
        s.progress().await;
        // Nothing was touched yet: another community takes no question.
        assert_snapshot!(s.ask("alice", "setup rivoli markets").await.text(), @"
        This channel now works on *Rivoli Markets*, in a multi-tenant workspace.
        I keep the checklist up to date in one message in this channel.
        [Before you start]! [Open step 1 (subscription)]
        ");
        assert_snapshot!(s.progress().await.text(), @"
        Sekoia workspace setup
        *Rivoli Markets* · multi-tenant
        ░░░░░░░  0 of 7 done
        ☐ *Before you start*
        ☐ *1 Verify your subscription*
        ☐ *2 Confirm your region*
        ☐ *3 Create communities*
        ☐ *4 Define roles*
        ☐ *5 Invite users*
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        [Open a step ▾] [Next]! [Refresh]
        ");
    });
}

everywhere!(forty_communities_fit_a_menu_and_two_hundred_its_pages);
fn forty_communities_fit_a_menu_and_two_hundred_its_pages(on: Platform) {
    run(on, Setting { tenant: Tenant::Multi, ..Setting::default() }, async |s| {
        s.sekoia.edit(|world| world.add_communities(40));
        let menu = s.ask("alice", "setup").await;
        assert!(menu.options("Choose a community").len() > 40);
        s.sekoia.edit(|world| world.add_communities(160));
        let menu = s.ask("alice", "setup").await;
        assert_eq!(menu.options("Choose a community").len(), 90);
        let second = s.click("alice", &menu, "Next page").await;
        assert_eq!(second.options("Choose a community").len(), 90);
        let third = s.click("alice", &second, "Next page").await;
        assert_eq!(third.options("Choose a community").len(), 204 - 180);
    });
}

everywhere!(without_the_bot_in_the_channel_it_says_how_to_invite_it);
fn without_the_bot_in_the_channel_it_says_how_to_invite_it(on: Platform) {
    usual(on, async |s| {
        assert_snapshot!(s.ask_in("quiet", "alice", "setup").await.text(), @"
        This channel now works on *Nimbus Payments*, a single-tenant workspace. Step 3 does not apply to it.
        I am not in this channel yet, so I cannot post the checklist here. Type `/invite @sekoia`, then `/sekoia refresh`.
        [Before you start]! [Open step 1 (subscription)]
        ");
        assert_snapshot!(s.ask_in("private", "alice", "setup").await.text(), @"I cannot see this channel. Type `/invite @sekoia` here and try again.");
        // Invited meanwhile: the session was not lost, its message is posted now.
        s.chat.bot_joins("quiet");
        assert_snapshot!(s.ask_in("quiet", "alice", "refresh").await.text(), @"The channel's message is up to date.");
        assert!(s.progress().await.to_string().starts_with("#quiet (posted)"));
    });
}

everywhere!(another_community_opens_every_step_again_after_a_question);
fn another_community_opens_every_step_again_after_a_question(on: Platform) {
    run(on, Setting { tenant: Tenant::Multi, ..Setting::default() }, async |s| {
        s.ask("alice", "setup rivoli retail").await;
        s.progress().await;
        s.ask("alice", "plan products current").await;
        s.progress().await;
        let question = s.ask("alice", "setup rivoli markets").await;
        assert_snapshot!(question, @"
        to alice alone in #soc-setup
        This channel works on Rivoli Retail. For Rivoli Markets every step opens again, because what was proven of one community says nothing of another, and the plan starts anew; who does what by when stays.
        [Change the community]✗
        ");
        assert!(s.ask("alice", "status").await.text().contains("*Rivoli Retail*"));
        assert_snapshot!(s.click("alice", &question, "Change the community").await.text(), @"
        This channel now works on *Rivoli Markets*, in a multi-tenant workspace.
        I keep the checklist up to date in one message in this channel.
        [Before you start]! [Open step 1 (subscription)]
        ");
        assert_snapshot!(s.progress().await.text(), @"
        Sekoia workspace setup
        *Rivoli Markets* · multi-tenant
        ░░░░░░░  0 of 7 done
        ☐ *Before you start*
        ☐ *1 Verify your subscription*
        ☐ *2 Confirm your region*
        ☐ *3 Create communities*
        ☐ *4 Define roles*
        ☐ *5 Invite users*
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        [Open a step ▾] [Next]! [Refresh]
        ");
    });
}

everywhere!(a_community_that_sekoia_lists_twice_is_there_once);
fn a_community_that_sekoia_lists_twice_is_there_once(on: Platform) {
    run(on, Setting { tenant: sekoia_chatops::sandbox::Tenant::Multi, ..Setting::default() }, async |s| {
        let doubled = sekoia_chatops::sandbox::FaultKind::Doubled;
        s.sekoia.faults().add(sekoia_chatops::sandbox::Fault::new(doubled).on("/sub-communities").method("GET"));
        // By its own id, which two of them would share.
        let retail = s.sekoia.edit(|world| {
            let named = world.communities.iter().find(|c| c.name == "Rivoli Retail");
            named.expect("a community").uuid
        });
        let told = s.ask("alice", &format!("setup {retail}")).await.text();
        assert!(told.contains("This channel now works on *Rivoli Retail*"), "{told}");
        s.checklist("").await;
        let listed = s.ask("alice", "communities").await.text();
        assert_eq!(listed.matches("*Rivoli Retail*").count(), 1, "{listed}");
    });
}
