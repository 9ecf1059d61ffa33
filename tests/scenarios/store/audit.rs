//! What the audit finds, and the keys that it needs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use insta::assert_snapshot;
use secrecy::{ExposeSecret, SecretSlice};
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::{SqliteStore, Store, keyfile};
use sqlx::Connection;
use tempfile::TempDir;

use super::{key, one, soc, sqlite};

/// What the audit says of the stream, one line a fault.
async fn verify(store: &SqliteStore, keys: &[SecretSlice<u8>]) -> String {
    let (records, state) = (store.history(&soc(), 0, 99).await.unwrap(), store.as_stored(&soc()).await.unwrap());
    let faults = Chain::new(keys).verify(&soc(), &records, state.as_ref());
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

async fn open(path: &Path, keys: &[SecretSlice<u8>]) -> SqliteStore {
    SqliteStore::open(path, Chain::new(keys)).await.unwrap()
}

/// Does what somebody with the file, and without the key, can do.
pub(super) async fn tamper(path: &Path, sql: &str) {
    let mut database = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
}

#[tokio::test]
async fn whatever_is_done_to_the_history_is_found_and_named() {
    let copy =
        "INSERT INTO record SELECT stream, 5, at, actor, kind, body, key, seal, personal FROM record WHERE seq = 4";
    let make_room = "UPDATE record SET seq = seq + 10 WHERE seq > 2; UPDATE record SET seq = seq - 9 WHERE seq > 10";
    let tampering = [
        ("nothing", String::new()),
        ("edit a body", "UPDATE record SET body = '{\"by\":\"eve\"}' WHERE seq = 2".into()),
        ("edit an actor", "UPDATE record SET actor = 'eve' WHERE seq = 2".into()),
        ("edit a time", "UPDATE record SET at = '2020-01-01T00:00:00.000Z' WHERE seq = 1".into()),
        ("move a field's border", "UPDATE record SET actor = 'an', kind = 'ntest.happened' WHERE seq = 1".into()),
        ("delete the first", "DELETE FROM record WHERE seq = 1".into()),
        ("delete two in the middle", "DELETE FROM record WHERE seq IN (2, 3)".into()),
        ("delete the last", "DELETE FROM record WHERE seq = 4".into()),
        ("delete them all", "DELETE FROM record".into()),
        ("swap two", "UPDATE record SET seq = CASE seq WHEN 2 THEN 30 ELSE 2 END WHERE seq IN (2, 3); UPDATE record SET seq = 3 WHERE seq = 30".into()),
        ("copy one to the end", copy.into()),
        ("copy one to the end and count it", format!("{copy}; UPDATE stream SET version = 5")),
        ("copy one into the middle", format!("{make_room}; INSERT INTO record SELECT stream, 3, at, actor, kind, body, key, seal, personal FROM record WHERE seq = 2; UPDATE stream SET version = 5")),
        ("put the state back", "UPDATE stream SET version = 3".into()),
        ("forget the state", "DELETE FROM stream".into()),
        ("empty a seal", "UPDATE record SET seal = '' WHERE seq = 4".into()),
        ("name another key", "UPDATE record SET key = '00000000' WHERE seq = 3".into()),
    ];
    let mut report = String::new();
    for (what, sql) in tampering {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("bot.db");
        let store = open(&path, &[key(1)]).await;
        store.commit(one(&soc(), 0, "{}", &["ann", "bob"])).await.unwrap();
        store.commit(one(&soc(), 2, "{}", &["ann", "bob"])).await.unwrap();
        tamper(&path, &sql).await;
        report.push_str(&format!("{what}:{}\n", verify(&store, &[key(1)]).await));
    }
    assert_snapshot!(report.replace(soc().as_str(), "S"), @"
    nothing:
    edit a body:
      S: record 2 was edited, or does not follow the one before it
    edit an actor:
      S: record 2 was edited, or does not follow the one before it
    edit a time:
      S: record 1 was edited, or does not follow the one before it
    move a field's border:
      S: record 1 was edited, or does not follow the one before it
    delete the first:
      S: record 1 is missing
    delete two in the middle:
      S: records 2 to 3 are missing
    delete the last:
      S: record 4 is missing at the end: the state has seen it
    delete them all:
      S: records 1 to 4 are missing at the end: the state has seen 4
    swap two:
      S: record 2 was edited, or does not follow the one before it
      S: record 3 was edited, or does not follow the one before it
      S: record 4 was edited, or does not follow the one before it
    copy one to the end:
      S: record 5 was edited, or does not follow the one before it
      S: the state stops at record 4, the records go on to 5: the state was put back
    copy one to the end and count it:
      S: record 5 was edited, or does not follow the one before it
    copy one into the middle:
      S: record 3 was edited, or does not follow the one before it
      S: record 4 was edited, or does not follow the one before it
      S: record 5 was edited, or does not follow the one before it
    put the state back:
      S: the state stops at record 3, the records go on to 4: the state was put back
    forget the state:
      S: the state stops at record 0, the records go on to 4: the state was put back
    empty a seal:
      S: record 4 was edited, or does not follow the one before it
    name another key:
      S: record 3 is sealed with key 00000000, which is not among the configured keys
    ");
}

#[tokio::test]
async fn a_gap_at_the_end_stays_when_the_history_goes_on() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    let store = open(&path, &[key(1)]).await;
    store.commit(one(&soc(), 0, "{}", &["ann", "bob"])).await.unwrap();
    tamper(&path, "DELETE FROM record WHERE seq = 2").await;
    store.commit(one(&soc(), 2, "{}", &["ann"])).await.unwrap();
    assert_snapshot!(verify(&store, &[key(1)]).await.trim(), @"session/slack:T0SOC:C0SOC: record 2 is missing");
}

#[tokio::test]
async fn an_old_key_still_verifies_and_an_unknown_one_is_named() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bot.db");
    sqlite(&path, &[key(1)]).await.commit(one(&soc(), 0, "{}", &["ann"])).await.unwrap();
    let rotated = open(&path, &[key(2), key(1)]).await;
    rotated.commit(one(&soc(), 1, "{}", &["bob"])).await.unwrap();
    assert_eq!(verify(&rotated, &[key(2), key(1)]).await, "");
    assert_eq!(verify(&rotated, &[key(1), key(2)]).await, "");
    assert_snapshot!(verify(&rotated, &[key(2)]).await.trim(), @"session/slack:T0SOC:C0SOC: record 1 is sealed with key f90db2cb, which is not among the configured keys");
    // Whoever has another key and knows the id of ours has nothing.
    tamper(&path, "UPDATE record SET key = (SELECT key FROM record WHERE seq = 1) WHERE seq = 2").await;
    assert_snapshot!(verify(&rotated, &[key(1)]).await.trim(), @"session/slack:T0SOC:C0SOC: record 2 was edited, or does not follow the one before it");
}

#[test]
fn the_key_beside_the_file_is_its_owners_alone() {
    let directory = TempDir::new().unwrap();
    let (database, file) = (directory.path().join("bot.db"), directory.path().join("bot.db.key"));
    assert!(keyfile::existing(&database).is_err());
    let bytes = |keys: Vec<SecretSlice<u8>>| keys.iter().map(|k| k.expose_secret().to_vec()).collect::<Vec<_>>();
    let made = bytes(keyfile::beside(&database).unwrap());
    assert_eq!((made.len(), made[0].len()), (1, 32));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(bytes(keyfile::beside(&database).unwrap()), made);
    assert_eq!(bytes(keyfile::existing(&database).unwrap()), made);
    fs::write(&file, "not a key\n").unwrap();
    let refused =
        || format!("{:#}", keyfile::beside(&database).unwrap_err()).replace(directory.path().to_str().unwrap(), "");
    assert_snapshot!(refused(), @"Line 1 of the audit key /bot.db.key is not 32 bytes in base64");
    fs::write(&file, "\n").unwrap();
    assert_snapshot!(refused(), @"The audit key /bot.db.key is empty");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_snapshot!(refused(), @"The audit key /bot.db.key may be read by others: run chmod 600 /bot.db.key");
}
