//! What is asked and changed over HTTP: alerts, intakes, counters, playbooks.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::pace::Rank;
use sekoia_chatops::sandbox::world::{self, Bins};
use sekoia_chatops::sandbox::{AlertChange, Fault, FaultKind, NewAlert, Options, Tenant, Writes};
use sekoia_chatops::sekoia::{
    AlertDate, AlertQuery, AlertStatus, Id, Sekoia, SekoiaError, Unwritten, Verb, move_alert,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Served;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn since(sekoia: &Served, from: Timestamp) -> AlertQuery {
    let to = Timestamp::now() + HOUR;
    AlertQuery { community: sekoia.root(), by: AlertDate::Created, from, to, beyond: from }
}

fn id(uuid: Uuid) -> Id {
    Id::parse(&uuid.to_string()).unwrap()
}

async fn raw(sekoia: &Served, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("http://{}{path}", sekoia.address);
    let mut request =
        reqwest::Client::new().request(method.parse().unwrap(), url).bearer_auth(sekoia.sandbox.token("admin"));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn a_storm_is_caught_up_with_and_nothing_comes_twice() {
    let sekoia = Served::new(Options::default()).await;
    let from = Timestamp::now() - SignedDuration::from_secs(2);
    // More than a page in one second.
    let raised: HashSet<String> = sekoia.sandbox.storm(None, 250).iter().map(Uuid::to_string).collect();
    let client = sekoia.client();
    let found = client.alerts(&since(&sekoia, from), 10_000, Rank::Background).await.unwrap();
    assert!(found.complete);
    assert_eq!(found.alerts.len(), 250);
    assert_eq!(found.alerts.iter().map(|a| a.uuid.clone()).collect::<HashSet<_>>(), raised);
    let some = client.alerts(&since(&sekoia, from), 50, Rank::Background).await.unwrap();
    assert_eq!((some.complete, some.alerts.len()), (false, 100));

    // What begins in the same second goes on until it has passed it.
    let known = found.alerts.iter().filter_map(|alert| alert.created_at).max().unwrap();
    let query = AlertQuery { beyond: known, ..since(&sekoia, from) };
    let all = client.alerts(&query, 50, Rank::Person).await.unwrap();
    assert_eq!((all.complete, all.alerts.len()), (true, 250));
    // Sekoia may still list something of these seconds.
    assert_eq!(all.settled, from);

    let changed = sekoia.sandbox.edit(|world| world.alerts[0].uuid);
    sekoia.sandbox.update_alert(changed, AlertChange::Urgency(5));
    let updated = AlertQuery { by: AlertDate::Updated, ..since(&sekoia, from) };
    let updated = client.alerts(&updated, 10_000, Rank::Person).await.unwrap();
    assert_eq!(updated.alerts.iter().map(|a| a.uuid.clone()).collect::<Vec<_>>(), [changed.to_string()]);
}

#[tokio::test]
async fn an_alert_is_read_by_either_id_and_gone_when_it_is_deleted() {
    let sekoia = Served::new(Options::default()).await;
    let raised = sekoia.sandbox.raise_alert(&NewAlert { rule: Some("Odd login".into()), ..NewAlert::default() });
    let client = sekoia.client();
    for id in [raised.uuid.to_string(), raised.short_id.clone()] {
        let alert = client.alert(&Id::parse(&id).unwrap(), Rank::Person).await.unwrap();
        assert_eq!(
            (alert.title(), alert.urgency(), alert.status()),
            ("Odd login", Some(85), Some(AlertStatus::Pending))
        );
        assert_eq!(alert.rule.unwrap().name.as_deref(), Some("Odd login"));
        assert_eq!(alert.entity.unwrap().name.as_deref(), Some("Banque Rivoli"));
        assert_eq!((alert.assets.len(), alert.intake_uuids.len()), (1, 1));
        assert!(alert.created_at.is_some() && alert.first_seen_at.is_some() && alert.last_seen_at.is_some());
    }
    assert!(sekoia.sandbox.delete_alert(raised.uuid));
    let gone = client.alert(&id(raised.uuid), Rank::Person).await;
    assert!(matches!(gone, Err(SekoiaError::NotFound { .. })), "{gone:?}");
}

async fn acknowledge(client: &Sekoia, alert: Uuid) -> Result<(), Unwritten> {
    let call = move_alert(&id(alert), AlertStatus::Acknowledged, Some("Mine"));
    assert_eq!(call.method, Verb::Patch);
    client.write(client.admit(Rank::Person).await.unwrap(), &call).await.map(|_| ())
}

#[tokio::test]
async fn an_acknowledgement_is_made_once_and_said_to_be_unclear_when_it_is() {
    let sekoia = Served::new(Options::default()).await;
    let alert = sekoia.sandbox.raise_alert(&NewAlert::default()).uuid;
    let client = sekoia.client();
    let state = |alert: Uuid| {
        sekoia.sandbox.edit(|world| {
            let alert = world.alerts.iter().find(|known| known.uuid == alert).unwrap();
            (alert.status, alert.comments.len())
        })
    };
    acknowledge(&client, alert).await.unwrap();
    assert_eq!(state(alert), (world::AlertStatus::Acknowledged, 1));
    assert_eq!(client.alert(&id(alert), Rank::Person).await.unwrap().status(), Some(AlertStatus::Acknowledged));

    let lost = sekoia.sandbox.raise_alert(&NewAlert::default()).uuid;
    sekoia.sandbox.faults().add(Fault::new(FaultKind::LoseReply).method("PATCH").times(1));
    let unclear = acknowledge(&client, lost).await;
    assert!(matches!(unclear, Err(Unwritten::Unclear(_))), "{unclear:?}");
    assert_eq!(state(lost), (world::AlertStatus::Acknowledged, 1));
    let gone = acknowledge(&client, Uuid::nil()).await;
    assert!(matches!(gone, Err(Unwritten::Refused(SekoiaError::NotFound { .. }))), "{gone:?}");

    let strict = Served::new(Options { writes: Writes::Refused, ..Options::default() }).await;
    let client = strict.client();
    for _ in 0..2 {
        let alert = strict.sandbox.raise_alert(&NewAlert::default()).uuid;
        let refused = acknowledge(&client, alert).await;
        let (permission, held) = ("Update alert status", Some(true));
        assert_eq!(refused, Err(Unwritten::Refused(SekoiaError::Forbidden { permission, held })));
    }
    let calls = strict.sandbox.calls().iter().filter(|call| call.method == "PATCH").count();
    assert_eq!(calls, 1, "a refusal is not of one alert");
}

#[tokio::test]
async fn the_workflow_takes_statuses_and_older_actions_and_nothing_else() {
    let sekoia = Served::new(Options::default()).await;
    let alert = sekoia.sandbox.raise_alert(&NewAlert::default());
    let path = format!("/v1/sic/alerts/{}/workflow", alert.short_id);
    for (action, name) in [
        ("937bdabf-6a08-434b-b6d3-d7447e4e452a", "Acknowledged"),
        ("c39a0a95-aa2c-4d0d-8d2e-d3decf426eea", "Ongoing"),
        ("1738b1c1-767d-489e-bada-19176621a007", "Closed"),
    ] {
        let (status, body) = raw(&sekoia, "PATCH", &path, Some(json!({ "action_uuid": action }))).await;
        assert_eq!((status, body["status"]["name"].as_str()), (200, Some(name)));
    }
    for body in [json!({}), json!({ "action_uuid": Uuid::nil() }), json!({ "action_uuid": 5 })] {
        assert_eq!(raw(&sekoia, "PATCH", &path, Some(body)).await.0, 400);
    }
    let path = format!("/v1/sic/alerts/{}/comments", alert.uuid);
    let (status, body) = raw(&sekoia, "POST", &path, Some(json!({ "content": "Hm", "author": "Marc" }))).await;
    assert_eq!((status, body["content"].as_str()), (200, Some("Hm")));
    let long = json!({ "content": "Hm", "author": "m".repeat(33) });
    assert_eq!(raw(&sekoia, "POST", &path, Some(long)).await.0, 400);
    let (_, full) = raw(&sekoia, "GET", &format!("/v1/sic/alerts/{}", alert.uuid), None).await;
    assert_eq!((full["comments"].as_array().unwrap().len(), full["history"].as_array().unwrap().len()), (1, 3));
    let (_, short) =
        raw(&sekoia, "GET", &format!("/v1/sic/alerts/{}?comments=false&cases=true", alert.uuid), None).await;
    assert_eq!((&short["comments"], &short["cases"]), (&Value::Null, &json!([])));
}

#[tokio::test]
async fn a_silent_intake_is_missing_from_the_counters() {
    let sekoia = Served::new(Options { tenant: Tenant::Single, ..Options::default() }).await;
    let (client, root, now) = (sekoia.client(), sekoia.root(), Timestamp::now());
    let intakes = client.intakes(root, Rank::Background).await.unwrap();
    let edr = intakes.iter().find(|intake| intake.name() == "Laptops EDR").unwrap();
    assert_eq!((edr.status.as_deref(), edr.connector_configuration_uuid.is_some()), (Some("RUNNING"), true));
    let before = client.events(root, now - HOUR, now, Rank::Background).await.unwrap();
    assert!(before.by_intake[&edr.uuid] >= 3_600 && before.total > before.by_intake[&edr.uuid]);
    let stopped = intakes.iter().find(|intake| intake.status.as_deref() == Some("STOPPED")).unwrap();
    assert!(!before.by_intake.contains_key(&stopped.uuid));

    let uuid: Uuid = edr.uuid.parse().unwrap();
    assert!(sekoia.sandbox.silence_intake(uuid, HOUR * 3));
    let silent = client.events(root, now - HOUR, now, Rank::Background).await.unwrap();
    assert!(!silent.by_intake.contains_key(&edr.uuid));
    assert!(client.events(root, now - HOUR * 6, now, Rank::Person).await.unwrap().by_intake.contains_key(&edr.uuid));
    assert!(sekoia.sandbox.wake_intake(uuid));
    sekoia.sandbox.edit(|world| world.bins = Bins::Cut);
    let back = client.events(root, now - HOUR, now, Rank::Person).await.unwrap();
    assert!(!back.by_intake.contains_key(&edr.uuid), "nothing came yet, and the begun hour is not counted whole");

    let path = "/v1/telemetry/events/counters";
    for (body, place) in [
        (json!({ "latest": now.to_string() }), "earliest"),
        (json!({ "earliest": now.to_string(), "latest": (now - HOUR).to_string() }), "later"),
        (json!({ "earliest": "soon", "latest": now.to_string() }), "body"),
    ] {
        let (status, body) = raw(&sekoia, "POST", path, Some(body)).await;
        assert!(status == 422 && body["detail"].to_string().contains(place), "{body}");
    }
    // Without `bin_size` a whole day is counted, and groups lie in groups.
    sekoia.sandbox.edit(|world| world.bins = Bins::Whole);
    let minute = now - SignedDuration::from_mins(1);
    let asked = json!({ "earliest": minute.to_string(), "latest": now.to_string(), "groups": ["community_uuid", "intake_uuid"] });
    let (_, by_day) = raw(&sekoia, "POST", path, Some(asked)).await;
    let group = &by_day["groups"][0];
    assert_eq!((&group["filter"]["attribute"], &group["total"]), (&json!("community_uuid"), &by_day["total"]));
    assert_eq!(group["groups"][0]["filter"]["attribute"], "intake_uuid");
}

#[tokio::test]
async fn one_intake_can_be_asked_about_to_the_minute() {
    let sekoia = Served::new(Options { tenant: Tenant::Single, ..Options::default() }).await;
    let client = sekoia.client();
    let uuid = sekoia.sandbox.edit(|world| world.intake("Laptops EDR").unwrap().uuid);
    assert!(client.heard_from(sekoia.root(), &id(uuid), 15, Rank::Person).await.unwrap());
    assert!(sekoia.sandbox.silence_intake(uuid, SignedDuration::from_mins(20)));
    assert!(!client.heard_from(sekoia.root(), &id(uuid), 15, Rank::Background).await.unwrap());
    assert!(client.heard_from(sekoia.root(), &id(uuid), 30, Rank::Background).await.unwrap());
}

#[tokio::test]
async fn a_search_that_is_refused_in_one_community_is_made_in_another() {
    let sekoia = Served::new(Options { tenant: Tenant::Single, ..Options::default() }).await;
    let client = sekoia.client();
    let uuid = sekoia.sandbox.edit(|world| world.intake("Laptops EDR").unwrap().uuid);
    let refused = FaultKind::Status { code: 403, retry_after: None, body: None };
    sekoia.sandbox.faults().add(Fault::new(refused).method("POST").on("/search/jobs").times(1));
    let here = async || client.heard_from(sekoia.root(), &id(uuid), 15, Rank::Background).await;
    assert!(matches!(here().await, Err(SekoiaError::Forbidden { .. })));
    assert!(client.heard_from(Uuid::from_u128(7), &id(uuid), 15, Rank::Background).await.unwrap());
    // Here it is known for a while.
    let calls = sekoia.sandbox.calls().len();
    assert!(matches!(here().await, Err(SekoiaError::Forbidden { .. })));
    assert_eq!(sekoia.sandbox.calls().len(), calls);
}

#[tokio::test]
async fn a_playbook_fails_five_times_and_is_off() {
    let sekoia = Served::new(Options { tenant: Tenant::Single, ..Options::default() }).await;
    let (client, root) = (sekoia.client(), sekoia.root());
    let from = Timestamp::now() - SignedDuration::from_mins(5);
    let name = "Enrich new alerts with CTI";
    let uuid = sekoia.sandbox.edit(|world| world.playbook(name).unwrap().uuid);
    for number in 1..=5 {
        assert!(sekoia.sandbox.fail_playbook(uuid).is_some(), "{number}");
    }
    assert!(sekoia.sandbox.fail_playbook(uuid).is_none(), "it does not run any more");
    let failed = client.failed_runs(root, from, Timestamp::now() + HOUR, Rank::Background).await.unwrap();
    assert_eq!(failed.len(), 5);
    assert!(failed.iter().all(|run| run.failed() && run.playbook_name.as_deref() == Some(name)));
    let errors = client.run_errors(sekoia.root(), &Id::parse(&failed[0].uuid).unwrap(), Rank::Person).await.unwrap();
    assert_eq!(errors, ["The action \"Block the address\" failed: HTTP 500"]);
    let playbooks = client.playbooks(root, Rank::Background).await.unwrap();
    let playbook = playbooks.iter().find(|playbook| playbook.uuid == uuid.to_string()).unwrap();
    assert!(!playbook.runs());
    assert_eq!(playbook.status_message.as_deref(), Some("Switched off after 5 failures in a row"));

    let trigger = Id::parse(&playbook.trigger_configurations[0].uuid).unwrap();
    assert!(client.trigger_crashes(sekoia.root(), &trigger, Rank::Background).await.unwrap().is_empty());
    assert!(sekoia.sandbox.crash_trigger(uuid));
    let crashes = client.trigger_crashes(sekoia.root(), &trigger, Rank::Background).await.unwrap();
    assert_eq!(crashes[0].message.as_deref(), Some("The trigger stopped: credentials refused"));

    assert!(sekoia.sandbox.run_playbook(uuid).is_some());
    let (_, one) = raw(&sekoia, "GET", &format!("/v1/symphony/playbooks/{uuid}"), None).await;
    assert_eq!(one["status"], "running");
    let (_, logs) =
        raw(&sekoia, "GET", &format!("/v1/symphony/playbooks/{uuid}/logs?match[log_level]=error"), None).await;
    assert_eq!((&logs["total"], &logs["errors"]), (&json!(5), &json!(5)));
}

#[tokio::test]
async fn a_connector_that_fails_takes_its_intake_along() {
    let sekoia = Served::new(Options { tenant: Tenant::Single, ..Options::default() }).await;
    let (client, root) = (sekoia.client(), sekoia.root());
    let failing = async || {
        let connectors = client.connectors(root, Rank::Background).await.unwrap();
        connectors.iter().filter(|c| c.fails()).map(|c| c.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(failing().await, ["Mail gateway <MX> & relay (pull)"]);
    let edr = sekoia.sandbox.edit(|world| world.intake("Laptops EDR").unwrap().connector_uuid.unwrap());
    assert!(sekoia.sandbox.break_connector(edr));
    assert_eq!(failing().await.len(), 2);
    assert!(sekoia.sandbox.edit(|world| world.intake("Laptops EDR").unwrap().is_silent()));
    assert!(sekoia.sandbox.mend_connector(edr));
    assert_eq!(failing().await.len(), 1);
}
