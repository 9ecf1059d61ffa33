//! Slack by Socket Mode: two WebSockets, every envelope once and in time, whatever happens to them.
//!
//! What people read there is in the scenarios that run on every way in (`everywhere!`).

use std::time::Duration;

use insta::assert_snapshot;
use sekoia_chatops::timing::{SocketModeTiming, Timing};
use serde_json::{Value, json};

use crate::harness::slack::{Fault, Greeting};
use crate::harness::{Kind, QUICK, Setting, SignedRequest, Stage, by_socket, on_slack};

/// Slack's own limit.
const IN_TIME: Duration = Duration::from_secs(3);

fn usual(scenario: impl AsyncFnOnce(&mut Stage)) {
    by_socket(|| on_slack(Setting::default(), scenario));
}

fn with(change: impl FnOnce(&mut SocketModeTiming), scenario: impl AsyncFnOnce(&mut Stage)) {
    let mut timing: Timing = QUICK;
    change(&mut timing.socket_mode);
    by_socket(|| on_slack(Setting { timing, ..Setting::default() }, scenario));
}

/// What Slack waits for is long; a file that cannot be had takes longer than this.
fn hasty(timing: &mut SocketModeTiming) {
    timing.acknowledge = Duration::from_millis(300);
}

/// The built binary, whose log can be read.
fn as_program(scenario: impl AsyncFnOnce(&mut Stage)) {
    by_socket(|| {
        on_slack(Setting { durable: true, ..Setting::default() }, async |s| {
            s.stop().await;
            scenario(s).await;
        });
    });
}

pub(super) async fn logged(s: &Stage, says: &str) -> String {
    let there = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let log = std::fs::read_to_string(s.log()).unwrap();
            if let Some(line) = log.lines().find(|line| line.contains(says)) {
                return line.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    there.await.unwrap_or_else(|_| panic!("{says:?} is not in {}", std::fs::read_to_string(s.log()).unwrap()))
}

#[test]
fn no_route_of_slack_is_served_and_no_public_address_is_needed() {
    by_socket(|| {
        on_slack(Setting { public_url: None, ..Setting::default() }, async |s| {
            s.set_up().await;
            let request = s.chat.slash("alice", "soc-setup", "status");
            for path in ["commands", "interactivity", "events"] {
                let url = format!("http://{}/slack/{path}", s.address());
                let answer = s.http.post(url).body(request.body.clone()).send().await.unwrap();
                assert_eq!(answer.status(), 404, "{path}");
            }
        });
    });
}

#[test]
fn an_envelope_that_comes_twice_changes_things_once() {
    usual(async |s| {
        s.set_up().await;
        let slack = s.slack().clone();
        let asked = s.chat.slash("alice", "soc-setup", "invite ana@nimbus.example as Analyst");
        let first = slack.deliver_as("one", &asked).await;
        // On the other WebSocket.
        let again = slack.deliver_as("one", &asked).await;
        assert_ne!(first.socket, again.socket);
        // The same request in another envelope, as after an acknowledgement that was lost.
        slack.deliver(&asked).await;
        if first.payload.is_null() {
            s.reply().await;
        }
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        let approve = s.chat.click("bob", &card, "Approve");
        tokio::join!(slack.deliver(&approve), slack.deliver(&approve), slack.deliver(&approve));
        s.card("Done").await;
        let invited = |calls: Vec<sekoia_chatops::sandbox::Call>| {
            calls.iter().filter(|call| call.method == "POST" && call.path.contains("invit")).count()
        };
        s.rounds(2).await;
        assert_eq!(invited(s.sekoia.calls()), 1);
        while !s.chat.unread().is_empty() {
            s.next_within(Duration::ZERO).await;
        }
    });
}

#[test]
fn a_connection_that_is_refreshed_has_a_successor_before_it_ends() {
    with(
        |timing| timing.replaced = Duration::from_millis(500),
        async |s| {
            s.set_up().await;
            let slack = s.slack().clone();
            slack.wait_for_sockets(2, 2).await;
            for (opened, reason) in [(3, "refresh_requested"), (4, "warning"), (5, "something new")] {
                let oldest = slack.standing_sockets()[0];
                slack.disconnect(oldest, reason);
                // All three at once; each takes what comes.
                slack.wait_for_sockets(opened, 3).await;
                for _ in 0..3 {
                    let answer = slack.deliver(&s.chat.slash("alice", "soc-setup", "status")).await;
                    assert!(answer.payload["blocks"].is_array(), "{reason}: {}", answer.payload);
                }
                slack.wait_for_sockets(opened, 2).await;
                assert!(!slack.standing_sockets().contains(&oldest), "{reason}");
            }
            // One that Slack just closes.
            slack.close_socket(slack.standing_sockets()[0]);
            slack.wait_for_sockets(6, 2).await;
        },
    );
}

#[test]
fn a_dead_connection_is_replaced() {
    let quick = |timing: &mut SocketModeTiming| {
        (timing.silent, timing.ping) = (Duration::from_millis(1_500), Duration::from_millis(200));
        timing.connect = Duration::from_secs(2);
    };
    by_socket(|| {
        let mut timing: Timing = QUICK;
        quick(&mut timing.socket_mode);
        on_slack(Setting { timing, ..Setting::default() }, async |s| {
            s.stop().await;
            let slack = s.slack().clone();
            let before = slack.sockets_opened();
            // It takes the connection and its hello, and then nothing; another one not even that.
            slack.greets(Greeting::Dies);
            slack.greets(Greeting::Nothing);
            s.start().await;
            slack.wait_for_sockets(before + 4, 2).await;
            s.set_up().await;
        });
    });
    // In a release, too: Slack's own pings come every few seconds, and nobody waits for more than a minute.
    assert!(Timing::default().socket_mode.silent < Duration::from_mins(1));
}

#[test]
fn answers_go_back_in_the_acknowledgement() {
    usual(async |s| {
        s.set_up().await;
        let slack = s.slack().clone();
        let status = slack.deliver(&s.chat.slash("alice", "soc-setup", "status")).await;
        assert_eq!(status.payload["response_type"], "ephemeral", "{}", status.payload);
        let mention = slack.mention("alice", "soc-setup", None, "status");
        assert_eq!(slack.deliver(&mention).await.payload, Value::Null);
        s.reply().await;
        let form = s.form_for("alice", "invite").await;
        let submitted = s.chat.submit("alice", &form, &[("E-mail addresses", "nobody")]);
        let refused = slack.deliver(&submitted).await.payload;
        assert_eq!(refused["response_action"], "errors", "{refused}");
        // What Slack sends beside is acknowledged too.
        let closed = json!({"type": "view_closed", "user": {"id": "U0ALICE"}, "team": {"id": "T0SOC"}});
        for payload in [closed, json!({"type": "shortcut", "nothing": "else"})] {
            let mut form = form_urlencoded::Serializer::new(String::new());
            let body = form.append_pair("payload", &payload.to_string()).finish().into_bytes();
            let request = SignedRequest { body, ..submitted.clone() };
            assert_eq!(slack.deliver(&request).await.payload, Value::Null);
        }
    });
}

#[test]
fn a_slow_request_holds_up_neither_its_acknowledgement_nor_others() {
    with(hasty, async |s| {
        s.set_up().await;
        let slack = s.slack().clone();
        let form = s.form_for("alice", "invite").await;
        slack.fault("files", Fault::Hang);
        let list = [("E-mail addresses", ""), ("Or a file", "email\nana@nimbus.example\n")];
        let submitted = s.chat.submit("alice", &form, &list);
        let (slow, others) = tokio::join!(slack.deliver(&submitted), async {
            slack.wait_for_calls("files", 1).await;
            let mut answers = Vec::new();
            for _ in 0..6 {
                answers.push(slack.deliver(&s.chat.slash("alice", "soc-setup", "status")).await);
            }
            answers
        });
        assert!(slow.after < IN_TIME, "{slow:?}");
        assert_eq!(slow.payload, Value::Null);
        for other in others {
            assert!(other.after < slow.after && other.payload["blocks"].is_array(), "{other:?}");
        }
        s.chat.accepted(&form);
        let told = s.next_private("alice").await;
        assert_eq!(told.kind, Kind::Private);
        assert_snapshot!(told.text(), @"Your form was not accepted, and is closed now. I could not read the file: the chat platform did not answer: no answer in time. Or paste its content into the field above.");
    });
}

#[test]
fn a_stop_acknowledges_what_was_taken() {
    with(hasty, async |s| {
        s.set_up().await;
        let slack = s.slack().clone();
        let form = s.form_for("alice", "invite").await;
        slack.fault("files", Fault::Hang);
        let list = [("E-mail addresses", ""), ("Or a file", "email\nana@nimbus.example\n")];
        let submitted = s.chat.submit("alice", &form, &list);
        let taken = tokio::spawn({
            let slack = slack.clone();
            async move { slack.deliver(&submitted).await }
        });
        slack.wait_for_calls("files", 1).await;
        s.stop().await;
        // On the WebSocket on which it came: no other one is open any more.
        let taken = taken.await.unwrap();
        assert!(taken.after < IN_TIME, "{taken:?}");
        slack.wait_for_sockets(0, 0).await;
        s.chat.accepted(&form);
        s.next_private("alice").await;
    });
}

#[test]
fn too_many_connections_are_named() {
    as_program(async |s| {
        let slack = s.slack().clone();
        let opened = slack.sockets_opened();
        slack.greets(Greeting::Hello);
        slack.greets(Greeting::Disconnect("too_many_websockets"));
        s.start_program().await;
        let line = logged(s, "more WebSockets open").await;
        assert!(line.contains("WARN") && line.contains("standing=1"), "{line}");
        assert!(line.contains("Stop other programs that use the same app: each process of the bot needs 2"), "{line}");
        // One is enough to work with; the other one follows when there is room.
        slack.wait_for_sockets(opened + 3, 2).await;
        s.set_up().await;
    });
}

#[test]
fn a_socket_mode_that_is_switched_off_is_named() {
    as_program(async |s| {
        let slack = s.slack().clone();
        slack.greets(Greeting::Disconnect("link_disabled"));
        s.start_program().await;
        let line = logged(s, "switched off").await;
        assert!(line.contains("Switch it on at api.slack.com/apps under Settings > Socket Mode"), "{line}");
        s.set_up().await;
        // Nothing that lets somebody in stands in the log, the most talkative one that there is.
        let log = std::fs::read_to_string(s.log()).unwrap();
        for secret in [slack.app_token(), "xapp-", "ticket="] {
            assert!(!log.contains(secret), "{secret}");
        }
    });
}

#[test]
fn a_token_that_is_revoked_is_named_and_tried_again() {
    as_program(async |s| {
        let slack = s.slack().clone();
        s.start_program().await;
        s.set_up().await;
        slack.wait_for_sockets(2, 2).await;
        slack.fault("apps.connections.open", Fault::Error("token_revoked"));
        slack.close_socket(slack.standing_sockets()[0]);
        let line = logged(s, "does not accept the app-level token").await;
        assert!(line.contains("ERROR") && line.contains("token_revoked"), "{line}");
        assert!(line.contains("set SLACK_APP_TOKEN and restart the bot"), "{line}");
        slack.wait_for_sockets(3, 2).await;
    });
}

#[test]
fn a_token_that_never_works_ends_the_start() {
    let mut said = Vec::new();
    for error in ["invalid_auth", "not_allowed_token_type", "missing_scope"] {
        as_program(async |s| {
            s.slack().fault("apps.connections.open", Fault::Error(error));
            let ended = s.serve_to_its_end().await;
            assert_eq!(ended.status.code(), Some(2));
            let log = String::from_utf8(ended.stderr).unwrap();
            let (_, fault) = log.split_once("error: ").unwrap();
            said.push(fault.to_owned());
        });
    }
    assert_snapshot!(said.concat(), @"
    the configuration is not complete or not right:
      SLACK_APP_TOKEN: Slack does not accept the app-level token: invalid_auth. Create a token with the scope connections:write at api.slack.com/apps under Basic Information > App-Level Tokens, set SLACK_APP_TOKEN and restart the bot.
    the configuration is not complete or not right:
      SLACK_APP_TOKEN: Slack says that the token is not an app-level token (not_allowed_token_type). Create a token with the scope connections:write at api.slack.com/apps under Basic Information > App-Level Tokens, set SLACK_APP_TOKEN and restart the bot.
    the configuration is not complete or not right:
      SLACK_APP_TOKEN: the app-level token lacks the scope connections:write. Create a token with the scope connections:write at api.slack.com/apps under Basic Information > App-Level Tokens, set SLACK_APP_TOKEN and restart the bot.
    ");
}
