//! Who may do what, and what the others are told.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::watching::until;
use crate::harness::{Call, Platform, SOC, Setting, Stage, everywhere, on_both, on_slack, run, usual};

everywhere!(viewers_look_and_operators_act);
fn viewers_look_and_operators_act(on: Platform) {
    usual(on, async |s| {
        assert_snapshot!(s.ask("dan", "setup").await.text(), @"That is for operators. Ask your bot administrator to add `chat:dan` to CHATOPS_OPERATORS. `/sekoia whoami` shows your rights.");
        let progress = s.set_up().await;
        assert_snapshot!(s.ask("dan", "done region").await.text(), @"That is for operators. Ask your bot administrator to add `chat:dan` to CHATOPS_OPERATORS. `/sekoia whoami` shows your rights.");
        assert_snapshot!(s.ask("dan", "users").await.text(), @"That is for operators. Ask your bot administrator to add `chat:dan` to CHATOPS_OPERATORS. `/sekoia whoami` shows your rights.");
        assert_snapshot!(s.ask("dan", "whoami").await.text(), @"
        You are @dan, `chat:dan`.
        • viewer: you may look at this channel's checklist
        CHATOPS_OPERATORS makes operators, CHATOPS_APPROVERS makes approvers; both list ids like yours.
        ");
        assert_snapshot!(s.ask("bob", "whoami").await.text(), @"
        You are @bob, `chat:bob`.
        • viewer: you may look at this channel's checklist
        • operator: you may open channels, tick, skip, assign and ask for changes
        • approver: you may approve or reject what others ask for, and freeze everything
        ");
        assert_snapshot!(s.ask("alice", "freeze now").await.text(), @"That is for approvers. Ask your bot administrator to add `chat:alice` to CHATOPS_APPROVERS. `/sekoia whoami` shows your rights.");
        // A viewer may press what only looks, and sees no button that changes.
        let card = s.click("dan", &progress, "Next").await;
        assert!(!card.text().contains("[Done]"), "{card}");
        // The card of an operator, pressed after the right was taken away, is refused.
        let card = s.ask("alice", "step 1").await;
        assert!(card.text().contains("[Done]"), "{card}");
    });
}

everywhere!(guests_bots_strangers_and_the_deactivated_have_no_rights);
fn guests_bots_strangers_and_the_deactivated_have_no_rights(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let mut told = Vec::new();
        for who in ["gina", "uma", "otto", "robo"] {
            told.push(format!("{who}: {}", s.ask(who, "status").await.text()));
        }
        assert_snapshot!(told.join("\n"), @"
        gina: Guests have no rights here. Ask a full member of the workspace. Your id is `chat:gina`.
        uma: Guests have no rights here. Ask a full member of the workspace. Your id is `chat:uma`.
        otto: This account is deactivated and has no rights. Its id is `chat:otto`.
        robo: Bots have no rights here. This account's id is `chat:robo`.
        ");
        let told = s.ask("eve", "status").await.text();
        assert!(
            told.starts_with("Your account belongs to another") && told.ends_with("Your id is `chat:eve`."),
            "{told}"
        );
    });
}

everywhere!(nobody_may_do_anything_until_somebody_is_configured);
fn nobody_may_do_anything_until_somebody_is_configured(on: Platform) {
    run(on, Setting { operators: "", approvers: "", ..Setting::default() }, async |s| {
        assert_snapshot!(s.ask("alice", "setup").await.text(), @"Nobody is an operator yet. Ask your bot administrator to set CHATOPS_OPERATORS or CHATOPS_APPROVERS, for example to `chat:alice`, which is your id.");
    });
}

everywhere!(approvers_are_operators_where_none_are_named);
fn approvers_are_operators_where_none_are_named(on: Platform) {
    run(on, Setting { operators: "", ..Setting::default() }, async |s| {
        assert_snapshot!(s.ask("alice", "overview").await.text(), @"That is for operators. Ask your bot administrator to add `chat:alice` to CHATOPS_OPERATORS. `/sekoia whoami` shows your rights.");
        assert_snapshot!(s.ask("bob", "overview").await.text(), @"No channel is set up yet. `/sekoia setup` opens one.");
        assert_eq!(s.chat.calls(Call::ReadGroup), 1, "the group is remembered");
    });
}

#[test]
fn a_group_that_cannot_be_read_makes_nobody_an_operator() {
    on_slack(Setting { operators: "", ..Setting::default() }, async |s| {
        // Before the bot looks at them: what it read is remembered for a while.
        s.stop().await;
        s.chat.groups_become_unreadable();
        s.start().await;
        assert_snapshot!(s.ask("bob", "overview").await.text(), @"I cannot tell whether you are an operator, because slack-group:S0APPROVERS of CHATOPS_APPROVERS could not be read (the app lacks the scope usergroups:read). Nothing was done. Ask your bot administrator to add that scope to the app in Slack and to install it again. Your id is `chat:bob`.");
    });
}

everywhere!(a_group_that_cannot_be_read_denies_nothing_that_does_not_depend_on_it);
fn a_group_that_cannot_be_read_denies_nothing_that_does_not_depend_on_it(on: Platform) {
    let setting = Setting { operators: "alice,@approvers", approvers: "bob,@approvers", ..Setting::default() };
    run(on, setting, async |s| {
        // Before the bot looks at them: what it read is remembered for a while.
        s.stop().await;
        s.chat.groups_become_unreadable();
        s.start().await;
        // Who is listed by id, and who only looks.
        s.set_up().await;
        assert!(s.ask("dan", "status").await.text().contains("Sekoia workspace setup"));
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        for who in ["dan", "carol"] {
            let refused = s.ask(who, "users").await.text();
            assert!(refused.starts_with("I cannot tell whether you are an operator, because "), "{refused}");
            assert!(refused.contains(" of CHATOPS_OPERATORS could not be read ("), "{refused}");
        }
        let refused = s.ask("carol", "freeze now").await.text();
        assert!(refused.contains("an approver, because "), "{refused}");
        assert!(refused.contains(" of CHATOPS_APPROVERS could not be read ("), "{refused}");
        let approved = s.click("bob", &card, "Approve").await.text();
        assert!(approved.starts_with("You approved"), "{approved}");
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

#[test]
fn what_depends_on_a_group_that_is_gone_is_refused_naming_it() {
    let setting =
        Setting { operators: "alice,@approvers", approvers: "bob,@approvers", durable: true, ..Setting::default() };
    on_slack(setting, async |s| {
        // Before anything is read of it: what was read is known for a while.
        s.stop().await;
        s.slack().edit(|state| state.groups.clear());
        s.start().await;
        s.set_up().await;
        assert_snapshot!(s.ask("carol", "users").await.text(), @"I cannot tell whether you are an operator, because slack-group:S0APPROVERS of CHATOPS_OPERATORS could not be read (the chat platform answered no_such_subteam). Nothing was done. If it was deleted, your bot administrator takes it out of CHATOPS_OPERATORS. Your id is `chat:carol`.");
        assert_snapshot!(s.ask("carol", "whoami").await.text(), @"
        You are @carol, `chat:carol`.
        • viewer: you may look at this channel's checklist
        • perhaps more, which I cannot tell: slack-group:S0APPROVERS of CHATOPS_APPROVERS could not be read (the chat platform answered no_such_subteam). If it was deleted, your bot administrator takes it out of CHATOPS_APPROVERS.
        • perhaps more, which I cannot tell: slack-group:S0APPROVERS of CHATOPS_OPERATORS could not be read (the chat platform answered no_such_subteam). If it was deleted, your bot administrator takes it out of CHATOPS_OPERATORS.
        CHATOPS_OPERATORS makes operators, CHATOPS_APPROVERS makes approvers; both list ids like yours.
        ");
        assert_snapshot!(s.ask("alice", "overview").await.text(), @"
        All channels
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • ⚠️ slack-group:S0APPROVERS of CHATOPS_OPERATORS and CHATOPS_APPROVERS could not be read (the chat platform answered no_such_subteam). If it was deleted, your bot administrator takes it out of CHATOPS_OPERATORS and CHATOPS_APPROVERS.
        Channels 1 to 1
        ");
        // One of two is known: whether there is another nobody can tell.
        assert_snapshot!(s.ask("alice", "invite ana@nimbus.example as Admin").await.text(), @"I cannot tell whether this could be approved: it needs 2 approvals (required_sensitive in [approval.invite]), as far as I can tell only 1 person may approve it, and slack-group:S0APPROVERS of CHATOPS_APPROVERS could not be read (the chat platform answered no_such_subteam). If it was deleted, your bot administrator takes it out of CHATOPS_APPROVERS. Nothing was asked.");
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        assert_snapshot!(s.click("carol", &card, "Approve").await.text(), @"I cannot tell whether you are an approver, because slack-group:S0APPROVERS of CHATOPS_APPROVERS could not be read (the chat platform answered no_such_subteam). Nothing was done. If it was deleted, your bot administrator takes it out of CHATOPS_APPROVERS. Your id is `chat:carol`.");
        assert_snapshot!(s.click("alice", &card, "Approve").await.text(), @"You asked for this yourself, so you cannot decide it. These people can: @bob, and perhaps others: slack-group:S0APPROVERS of CHATOPS_APPROVERS could not be read (the chat platform answered no_such_subteam).");
        // Health looks at the start, and then now and then.
        s.stop().await;
        s.start().await;
        let ready = async || -> Value {
            s.http.get(format!("http://{}/readyz", s.address())).send().await.unwrap().json().await.unwrap()
        };
        until("health shows it", s, async || ready().await["unread_groups"] == json!(["slack-group:S0APPROVERS"]))
            .await;
        assert_eq!(ready().await["status"], "ok");
    });
}

#[test]
fn a_member_of_our_workspace_may_be_at_home_in_another_one() {
    on_slack(Setting::default(), async |s| {
        s.slack().edit(|state| {
            let alice = state.user("alice");
            (alice.team_id, alice.enterprise_teams) = ("T0HOME".into(), vec!["T0HOME".into(), "T0SOC".into()]);
            let dan = state.user("dan");
            (dan.team_id, dan.enterprise_teams) = (String::new(), vec!["T0SOC".into()]);
            let eve = state.user("eve");
            (eve.is_stranger, eve.enterprise_teams) = (false, vec!["T0EVIL".into()]);
        });
        until("the bot knows its workspace", s, async || {
            let ready = s.http.get(format!("http://{}/readyz", s.address())).send().await.unwrap();
            ready.json::<Value>().await.unwrap()["slack"] == "ok"
        })
        .await;
        // Her requests name the workspace where she works.
        s.set_up().await;
        assert!(s.ask("dan", "status").await.text().contains("Sekoia workspace setup"));
        assert!(s.ask("bob", "status").await.text().contains("Sekoia workspace setup"));
        let told = s.ask("eve", "status").await.text();
        assert!(told.starts_with("Your account belongs to another"), "{told}");
        // A request of an organisation-wide install names none.
        let card = s.ask("alice", "step roles").await;
        let pressed = s.chat.click("alice", &card, "Done");
        let (_, payload) = form_urlencoded::parse(&pressed.body).find(|(name, _)| name == "payload").unwrap();
        let mut payload: Value = serde_json::from_str(&payload).unwrap();
        (payload["team"], payload["is_enterprise_install"]) = (Value::Null, json!(true));
        payload["enterprise"] = json!({ "id": "E0NIMBUS", "name": "Nimbus" });
        let body =
            form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
        let now = jiff::Timestamp::now().as_second();
        let form = "application/x-www-form-urlencoded";
        s.taken(&s.slack().signed("/slack/interactivity", form, body.into_bytes(), now)).await;
        assert!(s.reply().await.text().contains("Sekoia shows: "));
        s.checklist("👁️ *4 Define roles*").await;
    });
}

on_both!(people_and_groups_that_do_not_exist_end_the_start);
fn people_and_groups_that_do_not_exist_end_the_start(on: Platform) {
    run(on, Setting { durable: true, ..Setting::default() }, async |s| {
        s.stop().await;
        let (zed, ghosts) = (on.principals("zed"), on.principals("@ghosts"));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("chatops.toml");
        let table = format!(
            "[approval.invite]\nescalate_after = \"1h\"\nescalate_to = [\"{zed}\", \"{ghosts}\"]\n[oidc.subjects]\n\"{zed}\" = \"zed-1\"\n"
        );
        std::fs::write(&file, table).unwrap();
        let operators = on.principals("alice,zed");
        let more = [
            ("CHATOPS_OPERATORS", &*operators),
            ("CHATOPS_CONFIG", file.to_str().unwrap()),
            ("CHATOPS_PUBLIC_URL", "http://127.0.0.1:1"),
            ("CHATOPS_OIDC_ISSUER", "http://127.0.0.1:1"),
            ("CHATOPS_OIDC_CLIENT_ID", "chatops"),
            ("CHATOPS_OIDC_CLIENT_SECRET", "canary"),
        ];
        let ended = s.serve_to_its_end_with(&more).await;
        assert_eq!(ended.status.code(), Some(2));
        let said = String::from_utf8(ended.stderr).unwrap();
        let faults: Vec<&str> = said.split_once("right:\n").expect("faults").1.lines().map(str::trim).collect();
        let [person, group] = faults.as_slice() else { panic!("{said}") };
        let says = format!(
            "CHATOPS_OPERATORS and [oidc.subjects] and escalate_to in [approval.invite]: {zed} does not exist there ("
        );
        assert!(person.starts_with(&says) && person.ends_with("; correct the id, or take it out"), "{said}");
        assert!(group.starts_with(&format!("escalate_to in [approval.invite]: {ghosts} does not exist")), "{said}");
        // `doctor` says it before.
        let found = String::from_utf8(s.doctor("", &more).await.stdout).unwrap();
        assert!(found.contains("unknown people") && found.contains(&*ghosts), "{found}");
        // Of whom nothing is known, it may be known later.
        s.chat.groups_become_unreadable();
        s.start_program_with(&[("CHATOPS_OPERATORS", &*ghosts)]).await;
        s.kill_program();
    });
}

#[test]
fn a_token_of_an_organisation_wide_install_is_refused_at_start() {
    on_slack(Setting { durable: true, ..Setting::default() }, async |s| {
        s.stop().await;
        s.slack().edit(|state| state.organisation_wide = true);
        let ended = s.serve_to_its_end().await;
        assert_eq!(ended.status.code(), Some(2));
        let said = String::from_utf8(ended.stderr).unwrap();
        let faults = said.split_once("error: ").expect("an error").1;
        assert_snapshot!(faults, @"
        the configuration is not complete or not right:
          SLACK_BOT_TOKEN: the bot's token is of an organisation-wide install, which belongs to no workspace; install the app into the one workspace where it is used, and set the bot token of that install
        ");
        // One that is set later, in the place of another, stands in the health and is said.
        s.start().await;
        let told = s.ask("alice", "status").await.text();
        for says in
            ["organisation-wide install", "Ask your bot administrator to install the app into the one workspace"]
        {
            assert!(told.contains(says), "{told}");
        }
        let ready = async || -> Value {
            s.http.get(format!("http://{}/readyz", s.address())).send().await.unwrap().json().await.unwrap()
        };
        until("health shows it", s, async || ready().await["wrong"] == json!({ "slack": "SLACK_BOT_TOKEN" })).await;
    });
}

everywhere!(a_dead_token_of_the_chat_stands_in_the_health_until_it_works);
fn a_dead_token_of_the_chat_stands_in_the_health_until_it_works(on: Platform) {
    run(on, Setting { durable: true, ..Setting::default() }, async |s| {
        let (part, setting) = match s.chat.platform() {
            Platform::Slack => ("slack", "SLACK_BOT_TOKEN"),
            Platform::Mattermost => ("mattermost", "MATTERMOST_BOT_TOKEN"),
        };
        let ready = async |s: &Stage| -> Value {
            s.http.get(format!("http://{}/readyz", s.address())).send().await.unwrap().json().await.unwrap()
        };
        s.stop().await;
        s.chat.refuse_token(true);
        s.start().await;
        until("health shows it", s, async || ready(s).await["wrong"] == json!({ part: setting })).await;
        until("Sekoia was looked at", s, async || ready(s).await["sekoia"] != "unknown").await;
        let body = ready(s).await;
        assert_eq!((&body[part], &body["sekoia"]), (&json!("failing"), &json!("ok")), "{body}");
        s.stop().await;
        s.chat.refuse_token(false);
        s.start().await;
        until("it works", s, async || ready(s).await[part] == "ok").await;
        assert_eq!(ready(s).await["wrong"], Value::Null);
    });
}

everywhere!(a_key_or_token_that_is_refused_stands_in_the_health);
fn a_key_or_token_that_is_refused_stands_in_the_health(on: Platform) {
    run(on, Setting { token: "revoked", ..Setting::default() }, async |s| {
        let ready = async || -> Value {
            s.http.get(format!("http://{}/readyz", s.address())).send().await.unwrap().json().await.unwrap()
        };
        until("health shows it", s, async || ready().await["wrong"] == json!({ "sekoia": "SEKOIA_API_KEY" })).await;
        assert_eq!(ready().await["sekoia"], "failing");
    });
}

#[test]
fn another_id_of_somebody_who_is_listed_is_named_and_gives_no_rights() {
    on_slack(Setting { approvers: "bob,carol", ..Setting::default() }, async |s| {
        s.slack().edit(|state| {
            let mut bob = state.user("bob").clone();
            bob.name = "bob-of-old".into();
            (bob.enterprise_teams, bob.enterprise_id) = (vec!["T0SOC".into()], Some("U0BOB".into()));
            state.users.insert("W0BOB".into(), bob);
        });
        assert_snapshot!(s.ask("W0BOB", "freeze now").await.text(), @"That is for approvers, and CHATOPS_APPROVERS lists another id of yours, `chat:bob`. Your id is now `slack:W0BOB`: your bot administrator puts it in the place of the other one.");
    });
}

everywhere!(shared_and_unlisted_channels_are_refused);
fn shared_and_unlisted_channels_are_refused(on: Platform) {
    usual(on, async |s| {
        assert_snapshot!(s.ask_in("shared", "alice", "setup").await.text(), @"This channel is shared with another organisation, so I do not work here. Your bot administrator can allow it by adding `chat:shared` to CHATOPS_CHANNELS. Your id is `chat:alice`.");
    });
    run(on, Setting { channels: &["shared"], ..Setting::default() }, async |s| {
        assert_snapshot!(s.ask_in(SOC, "alice", "setup").await.text(), @"I work only in the channels that CHATOPS_CHANNELS lists, and `chat:soc-setup` is not one of them. Your id is `chat:alice`.");
        s.ask_in("shared", "alice", "setup").await;
        assert!(s.progress().await.to_string().starts_with("#shared (posted)"));
    });
}

everywhere!(who_left_decides_nothing_and_an_archived_channel_is_over);
fn who_left_decides_nothing_and_an_archived_channel_is_over(on: Platform) {
    run(on, Setting { durable: true, ..Setting::default() }, async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.chat.deactivated("bob");
        // What was read of people and channels is remembered for minutes at most.
        s.stop().await;
        s.start().await;
        assert_snapshot!(s.click("bob", &card, "Approve").await.text(), @"This account is deactivated and has no rights. Its id is `chat:bob`.");
        s.chat.archived(SOC);
        s.stop().await;
        s.start().await;
        assert_snapshot!(s.click("carol", &card, "Approve").await.text(), @"This channel is archived.");
        assert!(s.sekoia.calls().iter().all(|call| call.method == "GET"));
    });
}
