//! Replicas whose key is rotated while they go on.

use std::collections::BTreeSet;
use std::sync::Arc;

use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::postgres::Limits;
use sekoia_chatops::store::seal::Row;
use sekoia_chatops::store::{Commit, CommitError, Keep, KeptKind, PostgresStore, Schedule, Store, StreamId, WorkKind};
use sqlx::Connection;

use super::{at, key, postgres_store, todo, write};
use crate::harness::postgres::{Cluster, sql};

const OLD: u8 = 1;
const NEW: u8 = 2;

/// A replica with these keys, the first of which seals.
async fn replica(url: &str, keys: &[u8]) -> Arc<dyn Store> {
    let keys: Vec<_> = keys.iter().map(|byte| key(*byte)).collect();
    postgres_store(url, &keys).await
}

/// By what seals name a key.
fn name_of(byte: u8) -> String {
    let seal = Chain::new(&[key(byte)]).seal_row(&Row::Whole);
    seal.split(':').next().unwrap().to_owned()
}

fn names_of(keys: &[u8]) -> BTreeSet<String> {
    keys.iter().map(|byte| name_of(*byte)).collect()
}

/// The keys that seal anything but records and leases.
async fn sealed_with(url: &str) -> BTreeSet<String> {
    let mut database = sqlx::PgConnection::connect(url).await.unwrap();
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT split_part(seal, ':', 1) FROM (SELECT seal FROM stream UNION ALL SELECT seal FROM work \
         UNION ALL SELECT seal FROM kept UNION ALL SELECT seal FROM delivery UNION ALL SELECT seal FROM whole) AS sealed",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    database.close().await.unwrap();
    names.into_iter().collect()
}

/// Records one of everything that is sealed: a state, a request that came in a delivery, something that is kept.
async fn record_all(store: &dyn Store, name: &str) {
    let commit = Commit {
        writes: vec![write(&StreamId::new("session", name), 0, "{}", &["ann"])],
        schedule: vec![Schedule { kind: WorkKind::Inbound, ..todo(name, 0, "{}") }],
        keep: vec![Keep { kind: KeptKind::Source, key: name.into(), body: "{}".into(), until: None }],
        delivery: Some((name.into(), at(0))),
        ..Commit::default()
    };
    store.commit(commit).await.unwrap();
}

/// All of it is believed.
async fn reads_all(store: &dyn Store, names: &[&str]) {
    for name in names {
        assert!(store.load(&StreamId::new("session", name)).await.unwrap().is_some(), "{name}: the state");
        assert!(store.find(WorkKind::Inbound, name).await.unwrap().is_some(), "{name}: the request");
        assert!(store.kept(KeptKind::Source, name).await.unwrap().is_some(), "{name}: what is kept");
        let again = Commit { delivery: Some(((*name).into(), at(0))), ..Commit::default() };
        assert!(matches!(store.commit(again).await, Err(CommitError::Delivered)), "{name}: the delivery");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_key_is_rotated_in_two_steps_while_every_replica_goes_on() {
    let cluster = Cluster::start().await;
    let url = cluster.url("postgres");
    let (one, two) = (replica(&url, &[OLD]).await, replica(&url, &[OLD]).await);
    record_all(&*one, "a").await;
    one.close().await;

    // The first step: everybody learns the new key, and nobody seals with it.
    let one = replica(&url, &[OLD, NEW]).await;
    record_all(&*one, "b").await;
    reads_all(&*two, &["a", "b"]).await;
    two.close().await;
    let two = replica(&url, &[OLD, NEW]).await;
    assert_eq!(sealed_with(&url).await, names_of(&[OLD]));

    // The second step: one after the other seals with it.
    one.close().await;
    let one = replica(&url, &[NEW, OLD]).await;
    assert_eq!(sealed_with(&url).await, names_of(&[NEW]));
    record_all(&*one, "c").await;
    record_all(&*two, "d").await;
    assert_eq!(sealed_with(&url).await, names_of(&[OLD, NEW]));
    reads_all(&*one, &["a", "b", "c", "d"]).await;
    reads_all(&*two, &["a", "b", "c", "d"]).await;
    // What the other one wrote meanwhile is sealed with the new key, which the other one does not undo.
    one.maintain().await.unwrap();
    assert_eq!(sealed_with(&url).await, names_of(&[NEW]));
    two.maintain().await.unwrap();
    assert_eq!(sealed_with(&url).await, names_of(&[NEW]));
    // Not every look after the store reads everything.
    record_all(&*two, "e").await;
    one.maintain().await.unwrap();
    assert_eq!(sealed_with(&url).await, names_of(&[OLD, NEW]));
    two.close().await;
    let two = replica(&url, &[NEW, OLD]).await;
    assert_eq!(sealed_with(&url).await, names_of(&[NEW]));

    // The third: the old one is dropped.
    one.close().await;
    let one = replica(&url, &[NEW]).await;
    record_all(&*two, "f").await;
    two.close().await;
    reads_all(&*one, &["a", "b", "c", "d", "e", "f"]).await;
    assert_eq!(one.inspect().await.unwrap().0, Vec::<String>::new());
    one.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_start_that_cannot_renew_every_seal_leaves_no_transaction_open() {
    let cluster = Cluster::start().await;
    let url = cluster.url("postgres");
    let one = replica(&url, &[OLD]).await;
    record_all(&*one, "a").await;
    one.close().await;
    sql(
        &url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$",
    )
    .await;
    sql(&url, "CREATE TRIGGER refuse BEFORE UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION refuse()").await;
    let one = replica(&url, &[NEW, OLD]).await;
    reads_all(&*one, &["a"]).await;
    let refused = one.maintain().await.unwrap_err().to_string();
    assert!(refused.contains("not now"), "{refused}");
    let mut database = sqlx::PgConnection::connect(&url).await.unwrap();
    let open: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert_eq!(open, 0);
    database.close().await.unwrap();
    // While anything is left, the new key alone opens nothing.
    let alone = PostgresStore::open(url.parse().unwrap(), Limits::default(), Chain::new(&[key(NEW)])).await;
    let refused = alone.err().unwrap().to_string();
    assert!(refused.contains("which is not configured; add that key"), "{refused}");
    sql(&url, "DROP TRIGGER refuse ON kept").await;
    one.maintain().await.unwrap();
    assert_eq!(sealed_with(&url).await, names_of(&[NEW]));
    reads_all(&*replica(&url, &[NEW]).await, &["a"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_lease_under_a_key_that_is_not_known_is_somebodys_until_it_lapses() {
    let cluster = Cluster::start().await;
    let url = cluster.url("postgres");
    let (one, two) = (replica(&url, &[OLD]).await, replica(&url, &[NEW, OLD]).await);
    let lease =
        async |store: &dyn Store, who: &str, now: i64| store.lease("duty", who, at(now), at(now + 30)).await.unwrap();
    assert!(lease(&*two, "two", 0).await);
    assert!(!lease(&*one, "one", 0).await);
    assert_eq!(one.leases("", at(0)).await.unwrap(), ["duty"]);
    assert!(lease(&*one, "one", 31).await, "it lapsed");
    assert!(!lease(&*two, "two", 32).await);
    // One that lasts longer than any lease can is nobody's.
    assert!(lease(&*two, "two", 70).await);
    assert_eq!(one.leases("", at(20)).await.unwrap(), [""; 0]);
    assert!(lease(&*one, "one", 20).await);
    // Nor is one that does not fit a key that is known.
    sql(&url, &format!("UPDATE lease SET seal = '{}:00'", name_of(OLD))).await;
    assert_eq!(one.leases("", at(21)).await.unwrap(), [""; 0]);
    assert!(lease(&*one, "another", 21).await);
}
