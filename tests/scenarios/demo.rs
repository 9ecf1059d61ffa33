//! The demo, as its page speaks with it; `browser` looks at the page itself.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::demo::{Demo, Window, database, refused, text, token};
use crate::harness::{Browser, steady};

const SOC: &str = "soc-setup";

#[tokio::test]
async fn it_says_where_it_is_who_is_there_and_what_becomes_of_the_data() {
    let demo = Demo::start(&[]);
    assert_snapshot!(steady(&demo.said), @"
    Open http://127.0.0.1:<port>/ in a browser. Ctrl-C stops.

      People  Alice sets up and asks, Bob may approve, Carol may approve, Dan may look, not change
      Sekoia  embedded, http://127.0.0.1:<port>
      Sign-in embedded, http://127.0.0.1:<port>; who approves a new API key proves there who they are
      Data    in memory, gone when you stop it; keep it with --store FILE
    ");
    let page = reqwest::Client::new().get(&demo.url).send().await.unwrap();
    assert_snapshot!(page.headers()["content-security-policy"].to_str().unwrap(), @"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'");
}

#[tokio::test]
async fn what_alice_asks_nobody_else_sees_and_what_the_channel_gets_everybody_does() {
    let demo = Demo::start(&[]);
    let (mut alice, mut bob) = (Window::open(&demo, "alice").await, Window::open(&demo, "bob").await);
    let answer = alice.ask(SOC, "/sekoia setup \"Banque Rivoli\"").await;
    assert_eq!(answer["only"], "alice");
    assert_snapshot!(steady(text(&answer)), @"
    This channel now works on Banque Rivoli, in a multi-tenant workspace.
    I keep the checklist up to date in one message in this channel.
    [Before you start] [Open step 1 (subscription)]
    ");
    let posted = bob.reply().await;
    assert_eq!((&posted["only"], &posted["edited"]), (&Value::Null, &Value::Null));
    assert_snapshot!(steady(text(&posted)), @"
    # Sekoia workspace setup
    Banque Rivoli · multi-tenant
    ░░░░░░░  0 of 7 done
    ☐ Before you start
    ☐ 1 Verify your subscription
    ☐ 2 Confirm your region
    ☐ 3 Create communities
    ☐ 4 Define roles
    ☐ 5 Invite users
    ☐ 6 Create API keys
    ☐ 7 Configure notifications
    [Open a step] [Next] [Refresh]
    ");

    // A button in the channel answers whoever pressed it; the channel's message is edited in place.
    bob.press(&posted, "step", &["roles"]).await;
    let card = bob.private().await;
    assert_snapshot!(steady(text(&card)), @"
    # Step 4 of 7 · Define roles
    Banque Rivoli
    ☐ open
    No plan: it can be seen or attested, not verified. /sekoia plan roles
    Roles reviewed before inviting give people the right permissions from their first day.
    The bot lists the roles with their permissions and members, creates custom ones after an approval, and warns of the built-in-role trap.
    In Sekoia: Settings > Workspace > Roles · See: Roles (https://docs.sekoia.com/getting_started/roles/), Custom roles (https://docs.sekoia.com/getting_started/custom_roles/)
    [Done] [Check with Sekoia] [Show details] [Plan] [Create a role…] [Skip…] [Assign to] [Due date]
    ");
    bob.press(&card, "done roles", &[]).await;
    let done = bob.private().await;
    assert_eq!(done["id"], card["id"], "a private message is replaced by what its button led to");
    let edited = alice.edit_of(&posted).await;
    assert!(text(&edited).contains("👁️ 4 Define roles"), "{}", text(&edited));
    assert_eq!(Window::open(&demo, "dan").await.hello["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn everything_in_the_guide_works_as_typed_and_ends_with_a_finished_read_side() {
    let demo = Demo::start(&[]);
    let mut windows = Vec::new();
    for person in ["alice", "bob", "carol", "dan"] {
        windows.push(Window::open(&demo, person).await);
    }
    let guide = windows[0].hello["guide"].clone();
    let mut said = Vec::new();
    for section in guide.as_array().unwrap() {
        for chip in section["chips"].as_array().unwrap() {
            let (words, by) = (chip["words"].as_str().unwrap(), chip["as"].as_str().unwrap_or("alice"));
            let window = windows.iter_mut().find(|w| w.person == by).unwrap();
            let channel = chip["channel"].as_str().unwrap_or(SOC);
            window.say(channel, words).await;
            let summary = if words == "/sekoia skip notifications" {
                let form = window.form().await;
                let answers = ["we use our own alerting"];
                let (status, _) = window.post("/demo/submit", &window.filling(&form, &answers)).await;
                assert_eq!(status, 202);
                window.private().await
            } else {
                window.private().await
            };
            said.push(format!("{by}: {words}\n    {}", summary["body"]["summary"].as_str().unwrap()));
        }
    }
    assert_snapshot!(steady(said.join("\n")), @r#"
    alice: /sekoia setup "Banque Rivoli"
        This channel is set up for Banque Rivoli
    alice: /sekoia status
        Sekoia workspace setup of Banque Rivoli: 0 of 7 done
    alice: /sekoia next
        Before you start
    alice: /sekoia step prerequisites check
        Sekoia confirms it: the key is valid and has 85 permissions; who says so is an Admin with MFA or single sign-on.
    alice: /sekoia done prerequisites
        Sekoia confirms it: the key is valid and has 85 permissions; who says so is an Admin with MFA or single sign-on.
    alice: /sekoia subscription
        Subscription
    alice: /sekoia done subscription
        Sekoia shows: Defend Prime until <date>, Intelligence until <date>, Reveal until <date>. Nobody said yet whether this is all that is needed.
    alice: /sekoia plan products current
        Sekoia confirms it: 3 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until <date>.
    alice: /sekoia region
        Region FRA1
    alice: /sekoia region share
        Sekoia confirms it: 1 region as planned; FRA1 (France): the key is accepted; people log in at https://app.sekoia.io.
    alice: /sekoia communities
        Communities
    alice: /sekoia community create "Rivoli Insurance" --dry-run
        Dry run: Create the community Rivoli Insurance
    alice: /sekoia community create "Rivoli Insurance"
        Asked: Create the community Rivoli Insurance. It needs 1 approval by Bob or Carol until <date> <time> UTC.
    alice: /sekoia done communities
        Sekoia shows: 3 communities under Banque Rivoli: Rivoli Retail, Rivoli Markets, Rivoli Payments (Nimbus). Nobody said yet whether this is all that is needed.
    alice: /sekoia plan communities current
        Sekoia confirms it: 3 communities as planned; 3 communities under Banque Rivoli: Rivoli Retail, Rivoli Markets, Rivoli Payments (Nimbus).
    alice: /sekoia roles
        Roles
    alice: /sekoia role show Analyst
        Role Analyst
    alice: /sekoia role create "SOC lead" with Analyst, "View members"
        Asked: Create the role SOC lead. It needs 1 approval by Bob or Carol until <date> <time> UTC.
    alice: /sekoia done roles
        Sekoia shows: 3 built-in roles, 2 custom roles. Nobody said yet whether this is all that is needed.
    alice: /sekoia plan roles current
        Sekoia confirms it: 5 roles as planned; 3 built-in roles, 2 custom roles.
    alice: /sekoia users
        Users
    alice: /sekoia invite ana@rivoli.example bo@rivoli.example cy@rivoli.example as Analyst because "night shift"
        Asked: Invite 3 people as Analyst. It needs 1 approval by Bob or Carol until <date> <time> UTC.
    alice: /sekoia invite eve@partner.example as Admin
        Asked: Invite eve@partner.example as Admin. It needs 2 approvals by Bob or Carol until <date> <time> UTC.
    alice: /sekoia assign users @bob
        Assigned to Bob.
    alice: /sekoia due users +7d
        Due on <date>.
    alice: /sekoia done users
        Sekoia shows: 6 active members, 2 pending invitations. Nobody said yet whether this is all that is needed.
    alice: /sekoia plan people current
        Sekoia shows: 6 of 8 people as planned; 6 active members, 2 pending invitations.
    alice: /sekoia keys
        API keys
    alice: /sekoia key create forwarder for intake-forwarder expires 180d
        Asked: Create the API key forwarder. It needs 1 approval by Bob or Carol until <date> <time> UTC.
    bob: /sekoia approvals
        Requests
    alice: /sekoia done keys
        Sekoia shows: 6 active keys, 5 of them for integrations. Nobody said yet whether this is all that is needed.
    alice: /sekoia plan keys current
        Sekoia confirms it: 5 keys as planned; 6 active keys, 5 of them for integrations.
    alice: /sekoia notify
        Notifications
    alice: /sekoia notify recommended
        Sekoia recommends these three rules to begin with:
    alice: /sekoia notify summary 24h
        Notifications of the last 24 hours: 0 notifications
    alice: /sekoia skip notifications
        Skipped.
    alice: /sekoia quickstart
        What comes next
    alice: /sekoia report
        Readiness report
    alice: /sekoia done quickstart
        Sekoia confirms it: Defend: 1 intake, events arrive and are parsed, all 420 Elementary and Intermediate rules are on, alerts are taken up, 2 playbooks; Intelligence: the threat database answers, 1 feed of your own; Reveal: 420 assets.
    alice: /sekoia done hardening
        Sekoia shows: sessions end after 12 hours, inactive accounts are disabled after 90 days, 4 of 6 members without single sign-on. Nobody said yet whether this is all that is needed.
    alice: /sekoia plan hardening current
        Sekoia confirms it: 4 settings as planned; sessions end after 12 hours, inactive accounts are disabled after 90 days, 4 of 6 members without single sign-on.
    alice: /sekoia plan import template bank client="Rivoli" domain="rivoli.example"
        The plan is imported.
    alice: /sekoia plan request because "day one"
        Asked: Set up 2 communities, 1 role, 4 people and 2 API keys. It needs 1 approval by Bob or Carol until <date> <time> UTC.
    alice: /sekoia plan
        The plan
    alice: /sekoia plan verify
        2 of 7 done, checked against the plan
    alice: /sekoia plan export
        The plan, as a file
    dan: /sekoia done region
        That is for operators. Ask your bot administrator to add web:dan to CHATOPS_OPERATORS. /sekoia whoami shows your rights.
    dan: /sekoia whoami
        You are Dan
    alice: /sekoia setup "Rivoli Payments (Nimbus)"
        This channel is set up for Rivoli Payments (Nimbus)
    bob: /sekoia overview
        All channels
    carol: /sekoia freeze "fire drill"
        Frozen: nothing sensitive is carried out in any channel until an approver types /sekoia unfreeze. Every open channel reads it, with your name and your reason. 6 requests are not settled. Keys whose secret was lost are still revoked.
    carol: /sekoia unfreeze
        Unfrozen: what was approved is carried out again. Every open channel reads it, with your name.
    alice: /sekoia stauts
        Unknown command "stauts". Did you mean status?
    alice: /sekoia due users yesterday
        "yesterday" is not a date: write <date>, today, tomorrow, friday, +7d, or none.
    alice: /sekoia invite ana@ as Analist
        There is nobody to invite. 0 of 1 entry; 1 left out: "ana@" is no e-mail address.
    alice: /sekoia key create x for read-alerts expires 400d
        <date> is more than a year ahead, which Sekoia does not take.
    alice: /sekoia audit 10
        History
    "#);
    let status = windows[0].ask(SOC, "/sekoia status").await;
    assert_snapshot!(steady(text(&status)), @"
    # Sekoia workspace setup
    Banque Rivoli · multi-tenant
    ▓▓▓░░░░  2 of 7 done · 1 skipped
    ✅ Before you start · the key is valid and has 85 permissions; who says so is an Admin with MFA or single sign-on
    ✅ 1 Verify your subscription · 2 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until <date> · ⚠️ 1
    ✅ 2 Confirm your region · 1 region as planned; FRA1 (France): the key is accepted; people log in at https://app.sekoia.io · ⚠️ 1
    ☐ 3 Create communities · ⚠️ open again: the plan was changed
    ☐ 4 Define roles · ⚠️ open again: the plan was changed
    ⏳ 5 Invite users · waiting for 2 people to accept their invitations · bob · due <date>
    ☐ 6 Create API keys · ⚠️ open again: the plan was changed
    ⏭️ 7 Configure notifications · skipped: we use our own alerting
    [Open a step] [Next] [Refresh]
    ");
}

#[tokio::test]
async fn the_guide_knows_the_workspace_with_one_community() {
    let demo = Demo::start(&["--tenant", "single"]);
    let mut alice = Window::open(&demo, "alice").await;
    let words = alice.hello["guide"][0]["chips"][0]["words"].as_str().unwrap().to_owned();
    assert_eq!(words, "/sekoia setup \"Nimbus Payments\"");
    assert!(text(&alice.ask(SOC, &words).await).contains("This channel now works on Nimbus Payments"));
}

#[tokio::test]
async fn a_form_says_what_is_wrong_and_is_submitted_once() {
    let demo = Demo::start(&[]);
    let mut alice = Window::open(&demo, "alice").await;
    alice.ask(SOC, "/sekoia setup \"Banque Rivoli\"").await;
    alice.say(SOC, "/sekoia skip users").await;
    let form = alice.form().await;
    assert_snapshot!(form["fields"], @r#"[{"hint":"Stays on record, with your name.","initial":"","kind":"text","label":"Why is it left out?","max_length":500,"multiline":true,"name":"reason","optional":false}]"#);
    let (status, errors) = alice.post("/demo/submit", &alice.filling(&form, &["  "])).await;
    assert_snapshot!(format!("{status} {errors}"), @r#"422 Unprocessable Entity {"error":"Give a reason that others will understand.","field":"reason"}"#);
    let filled = alice.filling(&form, &["the bank invites its own"]);
    assert_eq!(alice.post("/demo/submit", &filled).await.0, 202);
    assert!(text(&alice.private().await).contains("skipped: the bank invites its own"));
    assert_eq!(alice.post("/demo/submit", &filled).await.0, 202);
    assert!(text(&alice.ask(SOC, "/sekoia audit 1").await).contains("users skipped"));
}

#[tokio::test]
async fn a_file_is_read_in_the_encoding_in_which_it_was_saved() {
    let demo = Demo::start(&[]);
    let mut alice = Window::open(&demo, "alice").await;
    alice.ask(SOC, "/sekoia setup \"Banque Rivoli\"").await;
    alice.say(SOC, "/sekoia invite").await;
    let form = alice.form().await;
    let chosen = |form: &Value, bytes: &[u8]| {
        let field = |field: &Value| {
            let answer = match field["name"].as_str() {
                Some("csv") => json!({ "file": format!("data:text/csv;base64,{}", STANDARD.encode(bytes)) }),
                _ => field["initial"].as_array().and_then(|all| all.first()).cloned().unwrap_or_else(|| json!("")),
            };
            (field["name"].as_str().expect("a name").to_owned(), answer)
        };
        let answers: serde_json::Map<String, Value> =
            form["fields"].as_array().expect("fields").iter().map(field).collect();
        let mut filled = alice.filling(form, &[]);
        filled["answers"] = json!(answers);
        filled
    };
    let workbook = chosen(&form, b"PK\x03\x04");
    let western = chosen(&form, b"Pr\xe9nom;Courriel\r\nZo\xe9;zoe@rivoli.example\r\n");
    let (status, error) = alice.post("/demo/submit", &workbook).await;
    assert_snapshot!(format!("{status} {error}"), @r#"422 Unprocessable Entity {"error":"This is a workbook or another archive, not text. Save it as CSV (in Excel: File, Save As, \"CSV UTF-8\") and choose that file.","field":"csv"}"#);
    assert_eq!(alice.post("/demo/submit", &western).await.0, 202);
    let asked = text(&alice.private().await);
    assert!(asked.contains("Invite zoe@rivoli.example as Analyst") && asked.contains("1 of 1 row."), "{asked}");
}

#[tokio::test]
async fn the_same_delivery_twice_is_done_once() {
    let demo = Demo::start(&[]);
    let mut alice = Window::open(&demo, "alice").await;
    alice.ask(SOC, "/sekoia setup \"Banque Rivoli\"").await;
    let skip = alice.saying(SOC, "/sekoia skip users \"later\"");
    alice.post("/demo/say", &skip).await;
    assert!(text(&alice.private().await).contains("Skipped."));
    alice.ask(SOC, "/sekoia reopen users").await;
    // Sent again because its answer was lost: it must not skip what was reopened.
    alice.post("/demo/say", &skip).await;
    let status = text(&alice.ask(SOC, "/sekoia status").await);
    assert!(status.contains("☐ 5 Invite users"), "{status}");
    let again = Window::open(&demo, "alice").await.hello["messages"].to_string();
    assert_eq!(again.matches("/sekoia skip users").count(), 2, "said twice: {again}"); // summary and text of one
}

#[tokio::test]
async fn in_a_direct_message_the_bot_says_where_it_works() {
    let demo = Demo::start(&[]);
    let mut alice = Window::open(&demo, "alice").await;
    let answer = alice.ask("dm-alice", "/sekoia status").await;
    assert_snapshot!(text(&answer), @"I work in channels, not in direct messages. Type it in the channel that you set up. Your id is web:alice.");
    assert_eq!(Window::open(&demo, "bob").await.hello["messages"], json!([]));
}

#[tokio::test]
async fn a_mention_in_a_thread_is_answered_in_the_thread() {
    let demo = Demo::start(&[]);
    let alice = Window::open(&demo, "alice").await;
    let mut bob = Window::open(&demo, "bob").await;
    alice.say(SOC, "Shall we begin?").await;
    let (_, said) = bob.next().await.unwrap();
    assert_eq!((&said["from"], text(&said).as_str()), (&json!("alice"), "Shall we begin?"));
    let mut in_thread = bob.saying(SOC, "@Sekoia whoami");
    in_thread["thread"] = said["id"].clone();
    assert_eq!(bob.post("/demo/say", &in_thread).await.0, 202);
    let answer = bob.private().await;
    assert_eq!(answer["thread"], said["id"]);
    assert_snapshot!(text(&answer), @"
    You are bob, web:bob.
    • viewer: you may look at this channel's checklist
    • operator: you may open channels, tick, skip, assign and ask for changes
    • approver: you may approve or reject what others ask for, and freeze everything
    ");
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let demo = Demo::start(&[]);
    let mut alice = Window::open(&demo, "alice").await;
    let hostile = "<script>alert(1)</script> \u{202e}evil\u{200b} <!channel> <@bob> [x](javascript:alert(1))";
    alice.say(SOC, hostile).await;
    let (_, message) = alice.next().await.unwrap();
    assert_snapshot!(text(&message), @"<script>alert(1)</script> [U+202E]evil[U+200B] <!channel> <@bob> [x](javascript:alert(1))");
    alice.ask(SOC, "/sekoia setup \"Banque Rivoli\"").await;
    let skipped = alice.ask(SOC, &format!("/sekoia skip users \"{hostile}\"")).await;
    let line = text(&skipped).lines().find(|l| l.contains("script")).unwrap().to_owned();
    assert_snapshot!(steady(line), @"⏭️ skipped: <script>alert(1)</script> [U+202E]evil <!channel> <@bob> [x](javascript:alert(1)) · alice · <moment>");
}

#[tokio::test]
async fn what_cannot_be_said_is_answered_and_nothing_is_done() {
    let demo = Demo::start(&[]);
    let alice = Window::open(&demo, "alice").await;
    let mut told = Vec::new();
    for (what, change) in [
        ("another command", json!({ "text": "/giphy cat" })),
        ("nothing", json!({ "text": "  " })),
        ("too much", json!({ "text": "x".repeat(12_001) })),
        ("a channel of somebody else", json!({ "channel": "dm-bob" })),
        ("no channel", json!({ "channel": "nowhere" })),
        ("no thread", json!({ "thread": 77 })),
        ("nobody", json!({ "as": "mallory" })),
        ("no id", json!({ "id": "../../x" })),
    ] {
        let mut say = alice.saying(SOC, "hello");
        say.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, body) = alice.post("/demo/say", &say).await;
        told.push(format!("{what}: {} {}", status.as_u16(), body["error"].as_str().unwrap_or_default()));
    }
    let press =
        json!({ "as": "alice", "window": token(), "id": token(), "message": 77, "words": "next", "answers": [] });
    let (status, body) = alice.post("/demo/press", &press).await;
    told.push(format!("a message that is gone: {} {}", status.as_u16(), body["error"].as_str().unwrap()));
    assert_snapshot!(told.join("\n"), @"
    another command: 422 /giphy is not a command here. Type /sekoia help.
    nothing: 422 Type something first, for example /sekoia help.
    too much: 413 That is longer than 12,000 characters. Say it in two parts.
    a channel of somebody else: 404 There is no such channel for you. Choose one at the left.
    no channel: 404 There is no such channel for you. Choose one at the left.
    no thread: 404 That thread is gone. Say it in the channel.
    nobody: 404 Nobody here has that name. Be alice, bob, carol or dan.
    no id: 400 The page sent something that I do not understand. Reload it.
    a message that is gone: 404 That message is gone. Type /sekoia status for the present one.
    ");
    assert_eq!(Window::open(&demo, "bob").await.hello["messages"], json!([]));
}

#[tokio::test]
async fn only_its_own_page_may_ask() {
    let demo = Demo::start(&[]);
    let own = demo.url.as_str();
    let (elsewhere, rebound) = ("http://evil.example", "evil.example");
    let by_name = format!("localhost:{}", demo.address().rsplit(':').next().unwrap());
    let http = reqwest::Client::new();
    let mut told = Vec::new();
    for (what, method, path, headers) in [
        ("the page", "GET", "/", vec![]),
        ("by name", "GET", "/", vec![("host", by_name.as_str())]),
        ("followed a link", "GET", "/", vec![("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]),
        ("rebound name", "GET", "/", vec![("host", rebound)]),
        (
            "rebound stream",
            "GET",
            "/demo/events?as=alice&window=abcdefgh",
            vec![("host", rebound), ("origin", elsewhere)],
        ),
        (
            "data from elsewhere",
            "GET",
            "/demo/side?channel=soc-setup",
            vec![("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")],
        ),
        ("data with another origin", "GET", "/demo/side?channel=soc-setup", vec![("origin", elsewhere)]),
        ("switch from elsewhere", "POST", "/demo/faults", vec![("origin", elsewhere)]),
        ("switch from nowhere", "POST", "/demo/faults", vec![]),
        ("switch from a sandboxed frame", "POST", "/demo/faults", vec![("origin", "null")]),
        ("a form's content type", "POST", "/demo/faults", vec![("origin", own), ("content-type", "text/plain")]),
        ("the page's switch", "POST", "/demo/faults", vec![("origin", own), ("content-type", "application/json")]),
    ] {
        let mut request = http.request(method.parse().unwrap(), format!("{own}{path}"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if method == "POST" {
            request = request.body(r#"{"id":"slow","on":false}"#);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["x-frame-options"], "DENY");
        told.push(format!("{what}: {}", answer.status().as_u16()));
    }
    assert_snapshot!(told.join("\n"), @"
    the page: 200
    by name: 200
    followed a link: 200
    rebound name: 421
    rebound stream: 421
    data from elsewhere: 403
    data with another origin: 403
    switch from elsewhere: 403
    switch from nowhere: 403
    switch from a sandboxed frame: 403
    a form's content type: 415
    the page's switch: 200
    ");
}

#[tokio::test]
async fn the_other_side_shows_calls_records_and_switches_but_no_secret() {
    let demo = Demo::start(&[]);
    let mut alice = Window::open(&demo, "alice").await;
    alice.ask(SOC, "/sekoia setup \"Banque Rivoli\"").await;
    let (status, body) = alice.post("/demo/faults", &json!({ "id": "fails", "on": true })).await;
    assert_eq!((status.as_u16(), body), (200, json!({ "faults": ["fails"] })));
    let failed = alice.ask(SOC, "/sekoia users").await;
    assert_snapshot!(text(&failed).lines().next().unwrap(), @"Sekoia failed (503).");
    let (_, side) = alice.get("/demo/side?channel=soc-setup").await;
    assert_eq!(side["faults"], json!(["fails"]));
    let latest = &side["calls"][0];
    assert_eq!((&latest["method"], &latest["status"]), (&json!("GET"), &json!(503)));
    let what: Vec<&str> = side["audit"].as_array().unwrap().iter().map(|r| r["what"].as_str().unwrap()).collect();
    assert_snapshot!(what.join("\n"), @"
    progress message posted
    opened for Banque Rivoli
    ");
    assert_eq!(side["audit"][0]["actor"], "bot");
    let all = side.to_string();
    assert!(!all.contains("Bearer") && !all.contains("eyJ"), "a token is shown");
    alice.post("/demo/faults", &json!({ "id": "fails", "on": false })).await;
    let (_, side) = alice.get("/demo/side?channel=soc-setup").await;
    assert_eq!(side["faults"], json!([]));
    assert_eq!(alice.post("/demo/faults", &json!({ "id": "volcano", "on": true })).await.0, 404);
}

#[tokio::test]
async fn every_message_of_the_bot_can_be_had_as_slack_would_receive_it() {
    let demo = Demo::start(&[]);
    let mut alice = Window::open(&demo, "alice").await;
    alice.ask(SOC, "/sekoia setup \"Banque Rivoli\"").await;
    let card = alice.ask(SOC, "/sekoia assign users @bob").await;
    let (_, slack) = alice.get(&format!("/demo/messages/{}/slack?as=alice", card["id"])).await;
    assert_eq!(slack["response_type"], "ephemeral");
    assert!(slack["blocks"].to_string().contains(r#"{"type":"user","user_id":"U0BOB"}"#), "{slack}");
    let types: HashSet<&str> =
        slack["blocks"].as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap()).collect();
    assert!(types.is_subset(&HashSet::from(["header", "rich_text", "context", "actions"])), "{types:?}");
    // Somebody else's private message is not theirs to see.
    assert_eq!(alice.get(&format!("/demo/messages/{}/slack?as=bob", card["id"])).await.0, 404);
}

#[tokio::test]
async fn with_a_store_a_restart_forgets_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = database(directory.path());
    let mut demo = Demo::start(&["--store", &store]);
    let address = demo.address().to_owned();
    let (mut alice, mut bob) = (Window::open(&demo, "alice").await, Window::open(&demo, "bob").await);
    alice.ask(SOC, "/sekoia setup \"Banque Rivoli\"").await;
    bob.reply().await;
    demo.stop();
    // The window learns of the stop at once.
    while alice.next().await.is_some() {}
    let demo = Demo::start_at(&address, &["--store", &store]);
    let (mut alice, mut bob) = (Window::open(&demo, "alice").await, Window::open(&demo, "bob").await);
    let before = alice.hello["messages"].as_array().unwrap().clone();
    let progress = before.iter().find(|m| m["only"].is_null()).expect("the progress message is still there").clone();
    alice.ask(SOC, "/sekoia skip users \"the bank does it\"").await;
    let edited = bob.edit_of(&progress).await;
    assert!(text(&edited).contains("the bank does it"));
}

#[test]
fn it_is_not_opened_to_others_by_mistake() {
    assert_snapshot!(refused(&["--listen", "0.0.0.0:0"]).1, @"error: 0.0.0.0:0 is not a loopback address, and everybody who reaches the page may speak as anybody in it. If that is meant, say under which name it is reached: --reachable-as HOST:PORT");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = refused(&["--listen", &address]);
    assert_eq!(code, 1);
    assert_snapshot!(steady(said), @"error: Cannot listen on 127.0.0.1:<port>; choose another address, for example --listen 127.0.0.1:<port>: Address already in use (os error 98)");
}

/// Over the wire as it is: nothing is compressed.
const MOST_BYTES: usize = 150_000;

#[tokio::test]
async fn the_page_is_small_and_nothing_of_it_is_missing() {
    let demo = Demo::start(&[]);
    let (mut wanted, mut bytes) = (vec!["/".to_owned()], 0);
    let mut seen = HashSet::new();
    while let Some(path) = wanted.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = reqwest::get(format!("{}{path}", demo.url)).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let text = answer.text().await.unwrap();
        bytes += text.len();
        for part in text.split(['"', '\'']) {
            let asset = part.strip_prefix("./").map(|name| format!("/assets/{name}"));
            wanted.extend(asset.or_else(|| part.starts_with("/assets/").then(|| part.to_owned())));
        }
    }
    assert!(seen.len() >= 10 && bytes < MOST_BYTES, "{seen:?}: {bytes} bytes");
}

#[tokio::test]
async fn under_another_name_it_answers_when_told_so() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let demo = Demo::start_at(&address, &["--reachable-as", "demo.example:8443"]);
    assert!(demo.said.starts_with("Open http://demo.example:8443/"), "{}", demo.said);
    for (host, status) in [("demo.example:8443", 200), ("demo.example", 421), ("evil.example:8443", 421)] {
        let page = reqwest::Client::new().get(format!("http://{address}")).header("host", host).send().await.unwrap();
        assert_eq!(page.status(), status, "{host}");
    }
}

#[tokio::test]
async fn alice_asks_bob_approves_with_a_proof_and_a_page_shows_the_key() {
    let demo = Demo::start(&[]);
    let (mut alice, mut bob) = (Window::open(&demo, "alice").await, Window::open(&demo, "bob").await);
    let mut elsewhere = Window::open(&demo, "alice").await;
    alice.ask(SOC, "/sekoia setup \"Banque Rivoli\"").await;
    alice.say(SOC, "/sekoia key create siem for read-alerts expires 30d").await;
    let card = saying(&mut bob, "Approval needed").await;
    let id = text(&card).split("Request ").nth(1).unwrap()[..8].to_owned();
    // Dan may do neither.
    let mut dan = Window::open(&demo, "dan").await;
    dan.press(&card, &format!("approve {id}"), &[]).await;
    assert_snapshot!(text(&dan.private().await), @"You cannot decide this. These people can: bob or carol.");
    assert_snapshot!(text(&dan.ask(SOC, "/sekoia invite eve@evil.example").await), @"That is for operators. Ask your bot administrator to add web:dan to CHATOPS_OPERATORS. /sekoia whoami shows your rights.");
    // Somebody has Carol's session, and not her identity.
    let browser = Browser::fresh();
    let mut stolen = Window::open(&demo, "carol").await;
    stolen.press(&card, &format!("approve {id}"), &[]).await;
    let page = browser.prove(&link_in(&stolen.private().await), "dan").await;
    assert!(page.status == 403 && page.text().contains("You signed in as another person"), "{}", page.text());
    bob.press(&card, &format!("approve {id}"), &[]).await;
    let page = browser.prove(&link_in(&bob.private().await), "bob").await;
    assert!(page.text().contains("You approved: Create the API key siem"), "{}", page.text());
    let alone = saying(&mut alice, "It is created when you press the button").await;
    assert_eq!(alone["channel"], "dm-alice");
    alice.press(&alone, &format!("show {id}"), &[]).await;
    let link = link_in(&alice.private().await);
    let page = browser.prove(&link, "alice").await;
    let secret =
        page.html.split_once("<pre>").and_then(|(_, rest)| rest.split_once("</pre>")).expect("a secret").0.to_owned();
    assert!(secret.starts_with("sandbox-key-"), "{secret}");
    assert_eq!(browser.get(&link).await.status, 404);
    alice.press(&alone, &format!("saved {id}"), &[]).await;
    saying(&mut bob, "created, shown once and saved").await;
    // Neither another window of hers, nor anybody's JSON, nor what is said at the side.
    let (_, side) = bob.get("/demo/side?as=bob&channel=soc-setup").await;
    let mut seen = side.to_string();
    let history = bob.ask(SOC, "/sekoia audit 30").await;
    assert!(text(&history).contains("identity proven by http://127.0.0.1:"), "{}", text(&history));
    for window in [&mut alice, &mut elsewhere, &mut bob, &mut stolen, &mut dan] {
        window.say(SOC, "that was it").await;
        loop {
            let (_, event) = window.next().await.expect("a stream that goes on");
            seen += &event.to_string();
            if event.to_string().contains("that was it") {
                break;
            }
        }
    }
    assert!(!seen.contains(&secret));
}

/// The address in a message where somebody proves who they are.
fn link_in(message: &Value) -> String {
    let said = message.to_string();
    let at = said.find("/confirm/").unwrap_or_else(|| panic!("no link in {said}"));
    let start = said[..at].rfind("http://").expect("an address");
    said[start..].chars().take_while(|c| *c != '"').collect()
}

/// The next message of the bot that says so.
async fn saying(window: &mut Window, says: &str) -> Value {
    loop {
        let message = window.reply().await;
        if text(&message).contains(says) {
            return message;
        }
    }
}
