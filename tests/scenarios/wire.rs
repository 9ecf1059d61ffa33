//! What comes over the wire, and what must not pass.

use jiff::Timestamp;
use serde_json::Value;

use crate::harness::{SOC, Setting, SignedRequest, Stage, on_slack};

const FORM: &str = "application/x-www-form-urlencoded";

async fn refused(s: &Stage) -> Value {
    let body: Value = s.http.get(format!("http://{}/readyz", s.address())).send().await.unwrap().json().await.unwrap();
    body["refused"].clone()
}

#[test]
fn what_slack_did_not_sign_does_not_pass() {
    on_slack(Setting::default(), async |s| {
        let now = Timestamp::now().as_second();
        let good = s.slack().slash("alice", SOC, "help");
        let mut unsigned = good.clone();
        unsigned.headers.retain(|(name, _)| !name.to_lowercase().contains("signature"));
        let mut other_body = good.clone();
        other_body.body.extend_from_slice(b"&text=setup");
        other_body.headers.retain(|(name, _)| name != "content-length");
        let mut other_signature = good.clone();
        for (name, value) in &mut other_signature.headers {
            if name.to_lowercase() == "x-slack-signature" {
                *value = format!("v0={}", "0".repeat(64));
            }
        }
        let old = s.slack().signed(&good.path, FORM, good.body.clone(), now - 301);
        let early = s.slack().signed(&good.path, FORM, good.body.clone(), now + 305);
        let bad = [unsigned, other_body, other_signature, old, early];
        for request in &bad {
            for path in ["/slack/commands", "/slack/interactivity", "/slack/events"] {
                let answer = s.send(&SignedRequest { path: path.into(), ..request.clone() }).await;
                assert_eq!(answer.status(), 401, "{path} {:?}", request.headers);
                assert_eq!(answer.text().await.unwrap(), "");
            }
        }
        assert_eq!(refused(s).await["unauthorized"], 15);
        s.taken(&s.slack().signed(&good.path, FORM, good.body.clone(), now - 290)).await;
        assert!(s.reply().await.text().contains("This channel is not set up yet"));
    });
}

#[test]
fn what_cannot_be_understood_is_refused() {
    on_slack(Setting::default(), async |s| {
        let now = Timestamp::now().as_second();
        let send = async |path: &str, body: &[u8]| {
            let answer = s.send(&s.slack().signed(path, FORM, body.to_vec(), now)).await;
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        let bad: [(&str, &[u8]); 8] = [
            ("/slack/commands", b"\xff\xfe"),
            ("/slack/commands", b""),
            ("/slack/commands", b"{\"json\":1}"),
            ("/slack/commands", b"team_id=T0SOC&channel_id=../../etc&user_id=U0ALICE&text=help"),
            ("/slack/interactivity", b"payload=not+json"),
            ("/slack/interactivity", b"nothing=here"),
            ("/slack/interactivity", b"payload=%7B%22type%22%3A%22block_actions%22%7D"),
            ("/slack/events", b"{"),
        ];
        for (path, body) in bad {
            assert_eq!(send(path, body).await, (400, String::new()), "{path} {}", String::from_utf8_lossy(body));
        }
        let large = vec![b'a'; 1024 * 1024 + 1];
        assert_eq!(send("/slack/commands", &large).await.0, 413);
        assert_eq!(refused(s).await["malformed"], 8);
        assert_eq!(refused(s).await["too_large"], 1);
        assert_eq!(send("/slack/commands", b"ssl_check=1&token=x").await, (200, String::new()));
        let challenge = br#"{"type":"url_verification","token":"x","challenge":"3eZbrw1aB"}"#;
        assert_eq!(send("/slack/events", challenge).await, (200, r#"{"challenge":"3eZbrw1aB"}"#.into()));
        let unknown =
            br#"{"type":"event_callback","team_id":"T0SOC","event_id":"Ev1","event":{"type":"tokens_revoked"}}"#;
        assert_eq!(send("/slack/events", unknown).await, (200, String::new()));
    });
}

#[test]
fn captured_payloads_are_understood() {
    on_slack(Setting::default(), async |s| {
        let now = Timestamp::now().as_second();
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/slack");
        let read = |name: &str| std::fs::read(format!("{data}/{name}")).unwrap();
        let payload = |name: &str| {
            let json: Value = serde_json::from_slice(&read(name)).unwrap();
            form_urlencoded::Serializer::new(String::new())
                .append_pair("payload", &json.to_string())
                .finish()
                .into_bytes()
        };
        let requests = [
            ("/slack/commands", read("slash_command.form")),
            ("/slack/interactivity", payload("block_actions_message.json")),
            ("/slack/interactivity", payload("block_actions_ephemeral.json")),
            ("/slack/interactivity", payload("view_submission.json")),
            ("/slack/events", read("app_mention.json")),
            ("/slack/events", read("url_verification.json")),
        ];
        let mut answered = 0;
        for (path, body) in requests {
            let answer = s.send(&s.slack().signed(path, FORM, body, now)).await;
            assert_eq!(answer.status(), 200, "{path}");
            answered += usize::from(path == "/slack/commands" && !answer.text().await.unwrap().is_empty());
        }
        // Their reply addresses are Slack's own, which nothing here can reach: answers that are not in the
        // acknowledgement arrive as private messages.
        for _ in answered..3 {
            s.reply().await;
        }
        s.progress().await;
    });
}

#[test]
fn a_change_delivered_twice_is_done_once() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        let request = s.slack().slash("alice", SOC, "skip 7 \"not now\"");
        assert!(s.send(&request).await.text().await.unwrap().contains("Skipped."));
        s.progress().await;
        s.acknowledged(&request).await;
        let history = s.ask("alice", "audit").await.text();
        assert_eq!(history.matches("notifications skipped").count(), 1, "{history}");
    });
}

#[test]
fn a_reply_address_that_leads_elsewhere_is_not_called() {
    on_slack(Setting::default(), async |s| {
        let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/steal", elsewhere.local_addr().unwrap());
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("team_id", "T0SOC"),
                ("channel_id", "C0SOC"),
                ("user_id", "U0ALICE"),
                ("text", "status"),
                ("response_url", &url),
            ])
            .finish();
        let now = Timestamp::now().as_second();
        let answer = s.send(&s.slack().signed("/slack/commands", FORM, body.into_bytes(), now)).await;
        assert_eq!(answer.status(), 200);
        if answer.text().await.unwrap().is_empty() {
            assert!(s.reply().await.on_slack().to_string().starts_with("ephemeral to alice in #soc-setup\n"));
        }
        assert!(futures_util::FutureExt::now_or_never(elsewhere.accept()).is_none());
    });
}
