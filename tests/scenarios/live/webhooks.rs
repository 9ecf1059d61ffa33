//! What Sekoia's own rules send, and what people let happen at the embedded Sekoia.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use sekoia_chatops::sandbox::{AlertChange, Delivery, NewAlert, Options, WebhookDate};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Served, until};
use crate::harness::demo::{Demo, Window};

type Received = Arc<Mutex<Vec<Value>>>;

/// An address that takes notifications, and what it took.
async fn address() -> (String, Received) {
    let received = Received::default();
    let take = async |State(received): State<Received>, Json(payload): Json<Value>| {
        received.lock().unwrap().push(payload);
        StatusCode::NO_CONTENT
    };
    let app = Router::new().route("/hooks/sekoia/secret", post(take)).with_state(Arc::clone(&received));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks/sekoia/secret", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, received)
}

#[tokio::test]
async fn notifications_come_with_either_spelling_of_their_date() {
    let sekoia = Served::new(Options::default()).await;
    for (date, spelt, other) in
        [(WebhookDate::CreatedAt, "created_at", "created"), (WebhookDate::Created, "created", "created_at")]
    {
        let (url, received) = address().await;
        sekoia.sandbox.add_webhook(&url, date).unwrap();
        let alert = sekoia.sandbox.raise_alert(&NewAlert::default());
        sekoia.sandbox.update_alert(alert.uuid, AlertChange::Urgency(10));
        sekoia.sandbox.comment_alert(alert.uuid, "Not a matter of alerts", "Marc");
        sekoia.sandbox.delete_alert(alert.uuid);
        until("three notifications", || received.lock().unwrap().len() == 3).await;
        let received = received.lock().unwrap().clone();
        let actions: Vec<&str> = received.iter().map(|payload| payload["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["created", "updated", "deleted"]);
        for payload in &received {
            assert_eq!(payload["type"], "alert");
            assert_eq!(payload["attributes"], json!({ "uuid": alert.uuid, "short_id": alert.short_id }));
            let metadata = &payload["metadata"];
            assert_eq!((&metadata["version"], &metadata[other]), (&json!(2), &Value::Null));
            assert!(metadata[spelt].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
            assert_eq!(metadata["community_uuid"], json!(sekoia.root()));
        }
        sekoia.sandbox.clear_webhooks();
    }
    until("all deliveries are known", || sekoia.sandbox.deliveries().len() == 6).await;
    let first = Delivery { kind: "alert".into(), action: "created".into(), status: Some(204) };
    assert_eq!(sekoia.sandbox.deliveries()[0], first);
}

#[tokio::test]
async fn only_the_machine_itself_is_notified_and_a_silent_address_holds_nothing_up() {
    let sekoia = Served::new(Options::default()).await;
    for foreign in ["https://example.org/", "http://10.0.0.1/", "ftp://127.0.0.1/", "http://localhost.example/", "x"] {
        assert!(sekoia.sandbox.add_webhook(foreign, WebhookDate::CreatedAt).is_err(), "{foreign}");
    }
    // Nobody is at port 1.
    sekoia.sandbox.add_webhook("http://127.0.0.1:1/x", WebhookDate::CreatedAt).unwrap();
    sekoia.sandbox.raise_alert(&NewAlert::default());
    until("a delivery failed", || sekoia.sandbox.deliveries().iter().any(|delivery| delivery.status.is_none())).await;
}

#[tokio::test]
async fn people_let_things_happen_by_one_line_of_json() {
    let sekoia = Served::new(Options::default()).await;
    let (url, received) = address().await;
    let http = reqwest::Client::new();
    let send = async |path: &str, body: Value| {
        let sent = http.post(format!("http://{}/_sandbox/{path}", sekoia.address)).body(body.to_string());
        let answer = sent.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
        let said = body["what"].as_str().or(body["message"].as_str()).unwrap_or_default().to_owned();
        (status, said)
    };
    assert_eq!(send("webhooks", json!({ "url": url, "date": "created" })).await.0, 201);
    assert_eq!(send("webhooks", json!({ "url": "http://example.org/" })).await.0, 400);
    for (event, says) in [
        (
            json!({ "event": "alert", "community": "Rivoli Retail", "rule": "Odd login", "urgency": 42 }),
            "Odd login, urgency 42",
        ),
        (json!({ "event": "alert_updated", "status": "ongoing", "urgency": 50 }), "The alert changed"),
        (json!({ "event": "alert_commented", "content": "Hm" }), "The comment is there"),
        (json!({ "event": "case" }), "is open"),
        (json!({ "event": "alert_deleted" }), "The alert is gone"),
        (json!({ "event": "storm", "count": 3 }), "3 alerts arrived"),
        (json!({ "event": "intake_silent" }), "Group Active Directory is silent, for 120 minutes already"),
        (json!({ "event": "intake_back", "intake": "Group Active Directory" }), "gets events again"),
        (json!({ "event": "playbook_fails", "times": 5 }), "Enrich new alerts with CTI failed 5 times"),
        (json!({ "event": "playbook_works", "playbook": "Enrich new alerts with CTI" }), "works"),
        (json!({ "event": "trigger_crashes" }), "The trigger of Enrich new alerts with CTI crashed"),
        (json!({ "event": "connector_fails" }), "cannot pull any more"),
        (json!({ "event": "connector_works" }), "pulls again"),
    ] {
        let (status, said) = send("events", event.clone()).await;
        assert!(status == 200 && said.contains(says), "{event}: {status} {said}");
    }
    for (event, says) in [
        (json!({ "event": "flood" }), "unknown variant `flood`"),
        (json!({ "event": "storm" }), "missing field `count`"),
        (json!({ "event": "alert", "urgnecy": 1 }), "unknown field `urgnecy`"),
        (json!({ "event": "intake_silent", "intake": "Nowhere" }), "there is no \"Nowhere\""),
        (json!({ "event": "alert_updated" }), "give `urgency` or `status`"),
    ] {
        let (status, said) = send("events", event.clone()).await;
        assert!(status == 400 && said.contains(says), "{event}: {status} {said}");
    }
    // Raised, changed twice, deleted, and a storm of three.
    until("all notifications", || received.lock().unwrap().len() == 7).await;
    let listed = http.get(format!("http://{}/_sandbox/webhooks", sekoia.address)).send().await.unwrap();
    let listed = listed.text().await.unwrap();
    assert!(listed.contains("\"addresses\":1") && !listed.contains("secret"), "{listed}");
}

#[tokio::test]
async fn the_demo_has_a_button_for_what_happens() {
    let demo = Demo::start(&[]);
    let alice = Window::open(&demo, "alice").await;
    let buttons = alice.hello["happenings"].as_array().unwrap().clone();
    assert_eq!(buttons.len(), 8);
    for button in buttons {
        let (status, body) = alice.post("/demo/happen", &json!({ "id": button["id"] })).await;
        assert!(status.is_success() && !body["what"].as_str().unwrap().is_empty(), "{button}: {body}");
    }
    assert_eq!(alice.post("/demo/happen", &json!({ "id": "volcano" })).await.0, 404);
}
