//! What only Mattermost has: requests that nobody signs, rights that a bot may lack, threads.

use insta::assert_snapshot;
use sekoia_chatops::chat::ChannelKey;
use sekoia_chatops::platform::mattermost::seal::{Filled, Pressed, Sealer};
use sekoia_chatops::store::keyfile;
use serde_json::{Value, json};

use crate::harness::mattermost::id;
use crate::harness::{Kind, Platform, SOC, Seen, Setting, SignedRequest, Stage, id_in, on_mattermost, steady};

/// The request with something else in its JSON.
fn edited(request: &SignedRequest, edit: impl FnOnce(&mut Value)) -> SignedRequest {
    let mut body: Value = serde_json::from_slice(&request.body).unwrap();
    edit(&mut body);
    let mut request = SignedRequest { body: body.to_string().into_bytes(), ..request.clone() };
    request.headers.retain(|(name, _)| name != "content-length");
    request
}

/// Refused with nothing to read.
async fn refused_as(s: &Stage, request: &SignedRequest, status: u16) {
    let answer = s.send(request).await;
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (status, String::new()));
}

async fn waiting(s: &Stage) -> Seen {
    s.set_up().await;
    s.request_for("alice", "invite ana@nimbus.example").await;
    let card = s.card("Approval needed").await;
    s.checklist("⏳").await;
    card
}

#[test]
fn a_command_without_its_token_does_not_pass() {
    on_mattermost(Setting::default(), async |s| {
        let good = s.chat.slash("alice", SOC, "setup");
        let token = s.mattermost().command_token().to_owned();
        let body = String::from_utf8(good.body.clone()).unwrap();
        let with = |body: String, header: Option<&str>| {
            let mut request = SignedRequest { body: body.into_bytes(), ..good.clone() };
            request.headers.retain(|(name, _)| name != "content-length");
            if let Some(header) = header {
                request.headers.retain(|(name, _)| name != "authorization");
                request.headers.push(("authorization".into(), format!("Token {header}")));
            }
            request
        };
        refused_as(s, &with(body.replace(&token, &id("other")), None), 401).await;
        refused_as(s, &with(body.replace(&token, ""), None), 401).await;
        refused_as(s, &with(body.clone(), Some(&id("other"))), 401).await;
        assert!(s.ask("alice", "status").await.text().contains("not set up yet"));
    });
}

#[test]
fn a_forged_press_changes_nothing() {
    on_mattermost(Setting::default(), async |s| {
        let card = waiting(s).await;
        let press = s.chat.click("bob", &card, "Approve");
        let sealed = |body: &Value| body["context"]["sealed"].as_str().map(str::to_owned);
        let altered = |body: &mut Value| {
            let mut seal = sealed(body).expect("a sealed context");
            let last = if seal.pop() == Some('A') { 'B' } else { 'A' };
            seal.push(last);
            body["context"]["sealed"] = json!(seal);
        };
        // Somebody crafts a post of their own with the bot's address and what they found.
        refused_as(s, &edited(&press, altered), 401).await;
        refused_as(s, &edited(&press, |body| body["context"] = json!({ "sealed": "approve" })), 401).await;
        refused_as(s, &edited(&press, |body| body["channel_id"] = json!(id("nimbus-payments"))), 401).await;
        for body in [&b""[..], b"{", b"[]", br#"{"user_id":"../me"}"#] {
            refused_as(s, &SignedRequest { body: body.to_vec(), headers: Vec::new(), ..press.clone() }, 400).await;
        }
        let card = s.ask("bob", "approvals").await.text();
        assert!(card.contains("1 request"), "{card}");
        assert!(s.sekoia.calls().iter().all(|call| call.method == "GET"));
    });
}

#[test]
fn a_form_belongs_to_whom_it_was_opened_for_and_counts_once() {
    on_mattermost(Setting::default(), async |s| {
        let card = waiting(s).await;
        let form = s.opens("bob", &card, "Reject…").await;
        let submit = s.chat.submit("bob", &form, &[("Why not?", "no")]);
        refused_as(s, &edited(&submit, |body| body["user_id"] = json!(id("carol"))), 401).await;
        refused_as(s, &edited(&submit, |body| body["state"] = json!("reject 1")), 401).await;
        s.taken(&submit).await;
        assert!(s.reply().await.text().starts_with("You rejected"));
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        // Sent again, word for word.
        let again = s.send(&submit).await;
        assert_eq!((again.status().as_u16(), again.text().await.unwrap()), (200, "{}".into()));
    });
}

#[test]
fn what_was_sealed_for_a_time_is_worth_nothing_after_it() {
    on_mattermost(Setting { durable: true, file: true, ..Setting::default() }, async |s| {
        let card = waiting(s).await;
        let keys = keyfile::existing(&s.database().unwrap()).unwrap();
        let (sealer, about) = (Sealer::new(&keys), ChannelKey::mattermost(&id(SOC)));
        let until = jiff::Timestamp::now().as_second() - 1;
        let (by, nonce) = (id("bob"), "n".to_owned());
        let words = format!("approve {}", id_in(&card));
        let place = id(SOC);
        let pressed =
            Pressed { words: words.clone(), about: about.clone(), place, mark: None, only: None, ask: None, until };
        let press = s.chat.click("bob", &card, "Approve");
        let late = edited(&press, |body| body["context"] = json!({ "sealed": sealer.seal(&pressed) }));
        let told: Value = s.send(&late).await.json().await.unwrap();
        assert_eq!(told["ephemeral_text"], "This button is too old. Type `/sekoia status` for a new one.");
        let filled = Filled { words, about, by, fields: vec![], nonce, until };
        let form = s.opens("bob", &card, "Reject…").await;
        let submit = s.chat.submit("bob", &form, &[("Why not?", "no")]);
        let late = edited(&submit, |body| body["state"] = json!(sealer.seal(&filled)));
        let told: Value = s.send(&late).await.json().await.unwrap();
        assert_eq!(told["error"], "This form is older than an hour. Copy what you wrote, and open it again.");
        assert!(s.ask("bob", "approvals").await.text().contains("1 request"));
    });
}

#[test]
fn only_the_listed_sources_may_call() {
    on_mattermost(Setting { sources: "192.0.2.1, 198.51.100.0/24", ..Setting::default() }, async |s| {
        refused_as(s, &s.chat.slash("alice", SOC, "setup"), 401).await;
    });
    on_mattermost(Setting { sources: "192.0.2.1, 127.0.0.0/8", ..Setting::default() }, async |s| {
        assert!(s.ask("alice", "status").await.text().contains("not set up yet"));
    });
}

#[test]
fn who_left_the_channel_presses_nothing_there() {
    on_mattermost(Setting::default(), async |s| {
        let card = waiting(s).await;
        let press = s.chat.click("bob", &card, "Approve");
        s.mattermost().edit(|state| {
            state.channel(SOC).members.remove(&id("bob"));
        });
        s.taken(&press).await;
        assert_snapshot!(s.reply().await.text(), @"You are not in that channel, so I did nothing.");
    });
}

#[test]
fn without_the_right_to_ephemerals_everything_can_still_be_done() {
    on_mattermost(Setting::default(), async |s| {
        s.mattermost().edit(|state| state.bot_may_post_ephemerals = false);
        let card = waiting(s).await;
        s.press("bob", &card, "Approve").await;
        let told = s.next_private("bob").await;
        assert!(told.text().contains("You approved: *Invite ana@nimbus.example as Analyst*."), "{told}");
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

#[test]
fn without_a_licence_people_are_named_one_by_one() {
    on_mattermost(Setting::default(), async |s| {
        s.mattermost().edit(|state| state.licensed = false);
        s.set_up().await;
        let told = s.ask("bob", "freeze now").await.text();
        assert!(told.contains("licence") && told.contains("Nothing was done"), "{told}");
    });
    on_mattermost(Setting { approvers: "bob,carol", ..Setting::default() }, async |s| {
        s.mattermost().edit(|state| state.licensed = false);
        let card = waiting(s).await;
        s.click("carol", &card, "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

#[test]
fn a_command_in_a_thread_is_answered_there() {
    on_mattermost(Setting::default(), async |s| {
        let posted = s.set_up().await;
        let request = s.mattermost().slash_in_thread("dan", posted.on_mattermost(), "next");
        s.taken(&request).await;
        let next = s.reply().await;
        assert!(next.on_mattermost().to_string().starts_with("ephemeral to dan in #soc-setup, in a thread"), "{next}");
        assert_eq!(next.kind, Kind::Private);
        assert!(steady(next).contains("Before you start"));
    });
}

#[test]
fn one_bot_serves_both_and_nothing_of_one_is_seen_on_the_other() {
    on_mattermost(Setting { beside: Some(Platform::Slack), ..Setting::default() }, async |s| {
        s.set_up().await;
        s.ask("alice", "skip keys \"on Mattermost\"").await;
        s.checklist("skipped: on Mattermost").await;
        s.go_to_the_other();
        assert!(s.ask("alice", "status").await.text().contains("not set up yet"));
        s.set_up().await;
        s.ask("bob", "skip keys \"on Slack\"").await;
        let checklist = s.checklist("skipped: on Slack").await;
        assert!(!checklist.text().contains("on Mattermost"), "{checklist}");
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;

        // Who may approve is asked where the request is; elsewhere nobody sees it.
        s.go_to_the_other();
        let told = s.ask("bob", &format!("approve {}", id_in(&card))).await;
        assert!(told.text().contains("There is no request with that id"), "{told}");
        assert!(s.ask("alice", "status").await.text().contains("skipped: on Mattermost"));
        s.go_to_the_other();
        s.click("bob", &card, "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        let overview = s.ask("bob", "overview").await;
        assert_eq!(overview.text().matches("Nimbus Payments").count(), 2, "{overview}");
    });
}

#[test]
fn who_may_not_decide_is_told_so_before_being_asked() {
    on_mattermost(Setting::default(), async |s| {
        let card = waiting(s).await;
        // No operator, and the one who asked.
        for (who, says) in
            [("dan", "You cannot decide this. These people can: "), ("alice", "You asked for this yourself")]
        {
            s.taken(&s.chat.click(who, &card, "Approve")).await;
            let told = s.reply().await;
            assert!(told.text().starts_with(says), "{told}");
        }
        assert!(s.mattermost().forms_saying("Approve this?").is_empty());
        s.press("bob", &card, "Approve").await;
        assert_eq!(s.mattermost().forms_saying("Approve this?").len(), 1);
        assert!(s.next_private("bob").await.text().starts_with("You approved"));
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        // Too late: nothing is left to be sure of.
        s.taken(&s.chat.click("carol", &card, "Approve")).await;
        assert!(s.reply().await.text().starts_with("Already approved by @bob"));
        assert_eq!(s.mattermost().forms_saying("Approve this?").len(), 1);
    });
}

#[test]
fn a_requests_color_says_how_it_stands() {
    on_mattermost(Setting::default(), async |s| {
        let card = waiting(s).await;
        assert_eq!(card.on_mattermost().color(), "#f5ab00");
        s.click("bob", &card, "Approve").await;
        assert_eq!(s.card("not accepted yet").await.on_mattermost().color(), "#2fa36b");
        s.direct().await;
        s.checklist_at_rest().await;
        s.request_for("alice", "invite eli@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.ask("bob", &format!("reject {} no", id_in(&card))).await;
        assert_eq!(s.card("Rejected").await.on_mattermost().color(), "#b04a4a");
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

#[test]
fn the_answer_to_a_command_is_the_bots() {
    on_mattermost(Setting { durable: true, file: true, ..Setting::default() }, async |s| {
        let posted = s.set_up().await;
        assert_eq!(s.ask("dan", "next").await.on_mattermost().author(), "sekoia");
        // Where the server lets integrations have no name of their own, the bot shows it itself.
        s.mattermost().edit(|state| state.overrides = false);
        s.stop().await;
        s.start().await;
        let told = s.ask("dan", "next").await;
        assert_eq!(
            (told.on_mattermost().author().as_str(), s.mattermost().calls("POST /posts/ephemeral")),
            ("sekoia", 1)
        );
        let request = s.mattermost().slash_in_thread("dan", posted.on_mattermost(), "next");
        s.taken(&request).await;
        let told = s.reply().await;
        assert!(told.on_mattermost().to_string().starts_with("ephemeral to dan in #soc-setup, in a thread"), "{told}");
        // Neither: better under the reader's name than nowhere.
        s.mattermost().edit(|state| state.bot_may_post_ephemerals = false);
        assert_eq!(s.ask("dan", "next").await.on_mattermost().author(), "dan");
    });
}

#[test]
fn messages_name_the_word_that_calls_the_bot() {
    on_mattermost(Setting { trigger: "soc", ..Setting::default() }, async |s| {
        assert_snapshot!(s.ask("dan", "status").await.text(), @"
        *This channel is not set up yet.*
        I set up Sekoia workspaces from a channel: seven steps, each checked with Sekoia's API, approvals by button for what is sensitive, and a record of who did what.
        @alice or @bob can set it up with `/soc setup`.
        ");
        assert!(s.ask("dan", "help setup").await.text().contains("`/soc setup"));
        s.set_up().await;
        let help = s.ask("dan", "help").await.text();
        assert!(
            !help.contains("Slack") && !help.contains("/sekoia") && help.contains("Type them after `/soc` or"),
            "{help}"
        );
        assert_snapshot!(s.ask("alice", "skip").await.text(), @r#"
        `skip` needs to know which step.
        Usage: `/soc skip <step> <reason>`
        Try: `/soc skip notifications "we use our own alerting"`
        "#);
    });
}

#[test]
fn nothing_speaks_of_another_platform() {
    on_mattermost(Setting::default(), async |s| {
        s.mattermost().edit(|state| state.user("sekoia").name = "soc-bot".into());
        let told = s.ask_in("private", "alice", "setup").await;
        assert_snapshot!(told.text(), @"I cannot see this channel. Type `/invite @soc-bot` here and try again.");
    });
}

#[test]
fn lists_are_tables() {
    on_mattermost(Setting::default(), async |s| {
        s.set_up().await;
        s.sekoia.edit(|world| {
            let role = world.roles.iter_mut().find(|role| role.community_uuid.is_some()).expect("a custom role");
            role.name = "Tier 10 | @all".into();
        });
        assert_snapshot!(steady(s.ask("alice", "roles").await.text()), @"
        Roles
        *Nimbus Payments* · 5 roles
        ```
        Role               Kind                                Permissions  Members                                       About
        Admin              built in                                     85  2 members                                     Full access, management included
        Analyst            built in                                     72  1 member, 1 open invitation                   Read and write access
        Guest              built in                                     38  0 members, 1 open invitation, 1 switched off  Read-only access
        Nimbus Fraud Desk  custom, restricted to some intakes            3  1 member                                      Alerts and events of the payment gateway, and nothing else
        Tier 10 | @all     custom                                        7  1 member                                      Triage of alerts: reads everything about them, comments, changes their status
        ```
        A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.
        See: Roles <https://docs.sekoia.com/getting_started/roles/>, Custom roles <https://docs.sekoia.com/getting_started/custom_roles/>
        [Show a role ▾] [Done]! [Open step 4 (roles)]
        ");
        assert_snapshot!(steady(s.ask("alice", "users").await.text()), @"
        Users
        *Nimbus Payments* · 5 members · 2 pending invitations · 1 switched off · 2 without MFA
        ```
        Name                           E-mail                          Roles              State                 Last active
        Ada Nwosu                      ada.nwosu@nimbus.example        Admin              active                <date>
        Bruno Keller                   bruno.keller@nimbus.example     Admin              ⚠️ Admin without MFA  <date>
        Chloé Roussel                  chloe.roussel@nimbus.example    Nimbus Fraud Desk  active                <date>
        Ingrid Solberg                 ingrid.solberg@nimbus.example   Tier 10 | @all     active                <date>
        Luis Ferreira                  luis.ferreira@nimbus.example    Analyst            no MFA                <date>
        j.weber@audit-partner.example  j.weber@audit-partner.example   Guest              ⏳ invited
        nadia.osman@nimbus.example     nadia.osman@nimbus.example      Analyst            ⏳ invited
        Piotr Zielinski                piotr.zielinski@nimbus.example  Guest              switched off
        ```
        See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        [Done]! [Open step 5 (users)] [Send an invitation again ▾]
        ");
        assert_snapshot!(steady(s.ask("alice", "keys").await.text()), @"
        API keys
        *Nimbus Payments* · 10 keys, 6 active
        ```
        Key                            State    Expires                      Permissions
        cti-enrichment                 active   <date>, 170 days left              2
        jira-tickets                   active   ⚠️ <date>, 12 days left            2
        log-forwarder                  active   ⚠️ never                               3
        sandbox-admin (the bot's own)  active   <date>, 300 days left             85
        sandbox-limited                active   <date>, 300 days left             37
        sandbox-reader                 active   <date>, 300 days left             40
        old-siem-export                expired  <date>
        sandbox-expired                expired  <date>
        former-mssp                    revoked
        sandbox-revoked                revoked
        ```
        See: Manage API keys <https://docs.sekoia.com/getting_started/manage_api_keys/>
        [Done]! [Open step 6 (keys)]
        ");
    });
}
