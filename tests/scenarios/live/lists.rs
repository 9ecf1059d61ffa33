//! Lists that do not end, that come twice, and that are too large.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::pace::Rank;
use sekoia_chatops::resolve::network::Network;
use sekoia_chatops::sandbox::{Fault, FaultKind, Options};
use sekoia_chatops::sekoia::{AlertDate, AlertQuery, Region, Sekoia, SekoiaError, Site};

use super::Served;

/// Reads every list that has pages; the numbers of their entries, or why not.
async fn read(sekoia: &Sekoia, community: uuid::Uuid) -> Vec<(&'static str, Result<usize, SekoiaError>)> {
    let now = Timestamp::now();
    let (from, to) = (now - SignedDuration::from_hours(24 * 365), now + SignedDuration::from_hours(1));
    let query = AlertQuery { community, by: AlertDate::Created, from, to, beyond: from };
    let p = Rank::Person;
    vec![
        ("/v1/communities?", sekoia.communities().await.map(|l| l.len())),
        ("/roles", sekoia.roles(community).await.map(|l| l.len())),
        ("/permissions/", sekoia.permissions(community).await.map(|l| l.len())),
        ("/avatars/", sekoia.avatars(community).await.map(|l| l.len())),
        ("/api-keys", sekoia.api_keys(community).await.map(|l| l.len())),
        ("/intakes", sekoia.intakes(community, p).await.map(|l| l.len())),
        ("/connector-configurations", sekoia.connectors(community, p).await.map(|l| l.len())),
        ("/playbooks", sekoia.playbooks(community, p).await.map(|l| l.len())),
        ("/playbook-runs", sekoia.failed_runs(community, from, to, p).await.map(|l| l.len())),
        ("/alerts", sekoia.alerts(&query, usize::MAX, p).await.map(|l| l.alerts.len())),
        ("/sub-communities", sekoia.sub_communities(community).await.map(|l| l.len())),
        ("/me/permissions", sekoia.my_permissions().await.map(|l| l.len())),
        ("/me/communities", sekoia.my_communities().await.map(|l| l.len())),
    ]
}

#[tokio::test]
async fn a_list_that_begins_again_ends_after_a_few_calls() {
    let sekoia = Served::new(Options::default()).await;
    let client = sekoia.client();
    let whole = read(&client, sekoia.root()).await;
    let before = sekoia.sandbox.calls().len();
    sekoia.sandbox.faults().add(Fault::new(FaultKind::Endless));
    let mut cut = 0;
    for ((name, whole), (_, endless)) in whole.into_iter().zip(read(&client, sekoia.root()).await) {
        match endless {
            // Nothing in it, or one call that brings it all.
            Ok(entries) => assert_eq!(Ok(entries), whole, "{name}"),
            Err(error) => {
                cut += 1;
                assert!(error.to_string().contains("again and again"), "{name}: {error}");
            }
        }
    }
    assert!(cut >= 8, "{cut}");
    let calls = sekoia.sandbox.calls().len() - before;
    assert!(calls <= 3 * 13, "{calls} calls");
}

#[tokio::test]
async fn what_is_listed_twice_is_there_once() {
    let sekoia = Served::new(Options::default()).await;
    let client = sekoia.client();
    let whole = read(&client, sekoia.root()).await;
    sekoia.sandbox.faults().add(Fault::new(FaultKind::Doubled));
    for ((name, whole), (_, doubled)) in whole.into_iter().zip(read(&client, sekoia.root()).await) {
        // Of a full page, half of the places are taken twice: what is beyond is not there.
        if whole.as_ref().is_ok_and(|entries| *entries < 100) {
            assert_eq!(doubled, whole, "{name}");
        }
    }
}

/// A server whose every page holds another hundred roles with descriptions of this size.
async fn verbose(size: usize) -> (Sekoia, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let page = move || async move {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        let about = "x".repeat(size);
        let items: Vec<_> = (0..100)
            .map(|n| serde_json::json!({ "uuid": format!("{call}-{n}"), "name": "r", "description": about }))
            .collect();
        axum::Json(serde_json::json!({ "items": items, "total": 1_000_000 }))
    };
    let router = Router::new().route("/v1/communities/{c}/roles", get(page));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: url::Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let site = Site { region: Region::Fra1, app: base.clone(), api: base };
    tokio::spawn(async move { axum::serve(listener, router).await });
    let _ = rustls::crypto::ring::default_provider().install_default();
    (Sekoia::new(site, "key".to_owned().into(), Vec::new(), &Network::default()).unwrap(), calls)
}

#[tokio::test]
async fn a_list_of_large_pages_ends_before_it_fills_the_memory() {
    let (sekoia, calls) = verbose(100_000).await;
    let error = sekoia.roles(uuid::Uuid::nil()).await.unwrap_err();
    assert!(error.to_string().contains("more than 48 MiB in one list"), "{error}");
    assert_eq!(calls.load(Ordering::Relaxed), 6);
}
