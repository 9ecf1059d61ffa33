//! What Sekoia's own rules post to a channel's webhook: believed when Sekoia says so, told once.

use jiff::Timestamp;
use sekoia_chatops::sandbox::{Fault, FaultKind, NewAlert, Tenant, WebhookDate};
use sekoia_chatops::state::hint::{Hint, MOST_WAITING};
use sekoia_chatops::store::{Commit, Work, WorkKind};
use uuid::Uuid;

use super::watching::{LONG, alert, at_rest, durable, firings, message, rule, set_up, soc, standing, until};
use crate::harness::{Platform, Setting, Stage, on_both, run};

/// As the webhook's route does it.
async fn hint(s: &Stage, action: &str, uuid: Uuid) {
    let hint = Hint::Webhook {
        channel: soc(s),
        kind: "alert".into(),
        action: action.into(),
        uuid: uuid.to_string().into(),
        short_id: None,
        created_at: Timestamp::now(),
        community: None,
    };
    let commit = Commit { schedule: vec![hint.row(Timestamp::now())], ..Commit::default() };
    s.store().await.commit(commit).await.unwrap();
}

on_both!(a_webhook_is_believed_when_sekoia_says_so);
fn a_webhook_is_believed_when_sekoia_says_so(on: Platform) {
    run(on, Setting { tenant: Tenant::Multi, ..durable() }, async |s| {
        s.ask("alice", "setup \"Rivoli Retail\"").await;
        s.progress().await;
        // A rule that fires for nothing: without any, nobody watches the channel.
        rule(s, "alert rule=\"Nothing\"").await;
        let retail = s.sekoia.edit(|w| w.communities.iter().find(|c| c.name == "Rivoli Retail").unwrap().uuid);
        let raise = |name: &str| {
            let wanted = NewAlert { community: Some(retail), rule: Some(name.into()), urgency: Some(42) };
            s.sekoia.raise_alert(&wanted)
        };
        let (told, deleted, foreign) = (raise("By webhook"), raise("Deleted meanwhile"), alert(s, "Not theirs", 99));
        s.sekoia.delete_alert(deleted.uuid);
        hint(s, "created", deleted.uuid).await;
        hint(s, "created", foreign.uuid).await;
        hint(s, "created", Uuid::nil()).await;
        hint(s, "created", told.uuid).await;
        hint(s, "updated", told.uuid).await;
        let card = message(s, &["By webhook"]).await;
        assert!(card.text().contains("A rule of Sekoia's own, by webhook"), "{card}");
        at_rest(s).await;
        assert_eq!(standing(s, &["alert"]).len(), 1);
        s.sekoia.delete_alert(told.uuid);
        hint(s, "deleted", told.uuid).await;
        message(s, &["By webhook", "It is not at Sekoia any more."]).await;
        at_rest(s).await;
    });
}

/// Sekoia posts to the channel's webhook from now on.
async fn posts(s: &Stage) {
    let form = s.form_for("alice", "notify webhook").await;
    let text = form.text();
    let shown = text.lines().find(|line| line.starts_with("http") && line.contains("/hooks/sekoia/")).unwrap();
    let path = &shown[shown.find("/hooks/").unwrap()..];
    s.sekoia.add_webhook(&format!("http://{}{path}", s.address()), WebhookDate::CreatedAt).unwrap();
}

on_both!(a_storm_that_is_posted_too_is_counted_once);
fn a_storm_that_is_posted_too_is_counted_once(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=1"]).await;
        posts(s).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        let calls = s.sekoia.calls().len();
        s.sekoia.storm(None, 700);
        until("everything was posted", s, async || s.sekoia.deliveries().len() == 700).await;
        message(s, &["Alert storm", "695 alerts"]).await;
        at_rest(s).await;
        assert_eq!(standing(s, &["Alert storm"]).len(), 1);
        message(s, &["Alert storm", "695 alerts"]).await;
        let alone = s.sekoia.calls()[calls..].iter().filter(|call| call.path.contains("/sic/alerts/")).count();
        assert_eq!(alone, 0);
        assert_eq!(firings(s).await, 700);
    });
}

on_both!(a_backlog_of_hints_keeps_nothing_else_waiting);
fn a_backlog_of_hints_keeps_nothing_else_waiting(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert rule=\"Live\"", "alert rule=\"By webhook\""]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        let posted = s.sekoia.raise_alert(&NewAlert { rule: Some("By webhook".into()), ..NewAlert::default() });
        message(s, &["By webhook"]).await;
        // Many that are of another community's alerts, or of none.
        let mut commit = Commit::default();
        for number in 0..600_u32 {
            let hint = Hint::Webhook {
                channel: soc(s),
                kind: "alert".into(),
                action: format!("updated-{number}").into(),
                uuid: posted.uuid.to_string().into(),
                short_id: None,
                created_at: Timestamp::now(),
                community: None,
            };
            commit.schedule.push(hint.row(Timestamp::now()));
        }
        let store = s.store().await;
        store.commit(commit).await.unwrap();
        let live = alert(s, "Live", 80);
        message(s, &[&live.short_id]).await;
        let left = store.due(WorkKind::Hint, Timestamp::now(), 1_000).await.unwrap().len();
        assert!(left > 0, "it was told after all of the hints");
        at_rest(s).await;
    });
}

on_both!(what_sekoia_cannot_be_asked_about_is_told_as_it_was_posted);
fn what_sekoia_cannot_be_asked_about_is_told_as_it_was_posted(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert rule=\"Nothing\""]).await;
        let form = s.form_for("alice", "notify webhook").await;
        let text = form.text();
        let path = text.lines().find_map(|line| line.find("/hooks/sekoia/").map(|at| &line[at..])).unwrap();
        let post = async |action: &str, at: &str| {
            let body = format!(
                r#"{{"type":"content-proposal","action":"{action}","attributes":{{"uuid":"{}"}},"metadata":{{"version":2,"created_at":"{at}"}}}}"#,
                Uuid::nil()
            );
            let answer = s.http.post(format!("http://{}{path}", s.address())).body(body).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        };
        post("created", "2026-11-23T09:30:00Z").await;
        post("created", "2026-11-23T09:30:00Z").await;
        let card = message(s, &["Sekoia's own rule reported", "content-proposal created"]).await;
        assert!(card.text().contains("A rule of Sekoia's own, by webhook"), "{card}");
        // The same of another day is another one.
        post("created", "2026-11-24T09:30:00Z").await;
        until("both are told", s, async || standing(s, &["content-proposal created"]).len() == 2).await;
        at_rest(s).await;
    });
}

on_both!(a_hint_waits_for_sekoia_and_is_followed_once);
fn a_hint_waits_for_sekoia_and_is_followed_once(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert rule=\"Nothing\""]).await;
        let raised = alert(s, "By webhook", 42);
        s.sekoia
            .faults()
            .add(Fault::new(FaultKind::Status { code: 503, retry_after: None, body: None }).on("match%5Buuid%5D"));
        hint(s, "created", raised.uuid).await;
        let asked = || s.sekoia.calls().iter().filter(|call| call.query.contains("match%5Buuid%5D")).count();
        until("it is tried", s, async || asked() >= 3).await;
        assert_eq!(standing(s, &["By webhook"]).len(), 0);
        s.sekoia.faults().clear();
        tokio::time::timeout(LONG, message(s, &["By webhook"])).await.unwrap();
        at_rest(s).await;
        assert_eq!(standing(s, &["By webhook"]).len(), 1);
    });
}

on_both!(who_has_the_address_of_a_webhook_cannot_fill_the_store);
fn who_has_the_address_of_a_webhook_cannot_fill_the_store(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert rule=\"Nothing\""]).await;
        let form = s.form_for("alice", "notify webhook").await;
        let text = form.text();
        let path = text.lines().find_map(|line| line.find("/hooks/sekoia/").map(|at| &line[at..])).unwrap();
        let url = format!("http://{}{path}", s.address());
        // None of them can be followed, and many are there already.
        let down = FaultKind::Status { code: 503, retry_after: None, body: None };
        s.sekoia.faults().add(Fault::new(down).on("match%5Buuid%5D"));
        let row = |number: u32| {
            let hint = Hint::Webhook {
                channel: soc(s),
                kind: "alert".into(),
                action: format!("updated-{number}").into(),
                uuid: Uuid::nil().to_string().into(),
                short_id: None,
                created_at: Timestamp::now(),
                community: None,
            };
            hint.row(Timestamp::now())
        };
        let schedule = (0..MOST_WAITING as u32 - 10).map(row).collect();
        let store = s.store().await;
        store.commit(Commit { schedule, ..Commit::default() }).await.unwrap();
        let post = async |number: u32| {
            let body = format!(
                r#"{{"type":"alert","action":"created-{number}","attributes":{{"uuid":"{}"}},"metadata":{{"version":2,"created_at":"2026-11-23T09:30:00Z"}}}}"#,
                Uuid::nil()
            );
            s.http.post(&url).body(body).send().await.unwrap().status().as_u16()
        };
        // As many as it lets come before it counts, and more.
        for number in 0..MOST_WAITING as u32 + 100 {
            assert_eq!(post(number).await, 200, "{number}");
        }
        let waiting = store.due(WorkKind::Hint, Timestamp::MAX, 9_999).await.unwrap().len();
        assert!(waiting < 2 * MOST_WAITING, "{waiting}");
        assert_eq!(post(9_999).await, 200);
        let after = store.due(WorkKind::Hint, Timestamp::MAX, 9_999).await.unwrap().len();
        assert_eq!(after, waiting, "there is no room");
        let told = s.ask("alice", "notify").await.text();
        assert!(told.contains("dropped, because 2000 were waiting, the last "), "{told}");
        // When they are gone, there is room again.
        let all = store.due(WorkKind::Hint, Timestamp::MAX, 9_999).await.unwrap();
        let finished = all.iter().map(Work::finished).collect();
        store.commit(Commit { finished, ..Commit::default() }).await.unwrap();
        until("there is room", s, async || {
            assert_eq!(post(10_000).await, 200);
            let waiting = store.due(WorkKind::Hint, Timestamp::MAX, 9_999).await.unwrap();
            waiting.iter().any(|hint| hint.body.contains("created-10000"))
        })
        .await;
    });
}
