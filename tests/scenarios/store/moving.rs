//! What is moved from one store to another is the same there.

use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::moving::{Move, MoveError, Part, is_half_copy, tally};
use sekoia_chatops::store::{Commit, CommitError, Keep, KeptKind, MemoryStore, Schedule, Store, WorkKind};

use super::{at, due, key, on_every_store, one, soc, todo};

async fn fill(store: &dyn Store) {
    store.commit(one(&soc(), 0, "{}", &["ann", "bob"])).await.unwrap();
    store.commit(one(&soc(), 2, "[]", &["eve"])).await.unwrap();
    let request = Schedule { kind: WorkKind::Inbound, key: "D1".into(), due: at(0), attempts: 0, body: "{}".into() };
    let delivery = Some(("D1".into(), at(0)));
    store.commit(Commit { schedule: vec![request], delivery, ..Commit::default() }).await.unwrap();
    let keep = Keep { kind: KeptKind::Known, key: "a".into(), body: "1".into(), until: Some(at(9)) };
    let schedule = vec![todo("b", 1, "first"), todo("a", 1, "second")];
    store.commit(Commit { schedule, keep: vec![keep], ..Commit::default() }).await.unwrap();
}

async fn carry(from: &dyn Store, to: &dyn Store) -> Result<(), MoveError> {
    let moving = Move::new(from, to);
    let moved = async {
        let missing = moving.compare().await?;
        moving.begin().await?;
        assert!(is_half_copy(to).await?, "until the end");
        moving.streams(&missing).await?;
        for part in Part::ALL {
            moving.rows(part).await?;
        }
        moving.end().await
    };
    let moved = moved.await;
    moving.let_go().await;
    moved?;
    assert_eq!((is_half_copy(to).await?, tally(from).await?), (false, tally(to).await?));
    Ok(())
}

async fn is_whole(store: &dyn Store) {
    let chain = Chain::new(&[key(1)]);
    let (records, state) = (store.history(&soc(), 0, 9).await.unwrap(), store.load(&soc()).await.unwrap());
    assert_eq!(chain.verify(&soc(), &records, state.as_ref()), []);
    assert_eq!((records.len(), state.unwrap().state.json.as_str()), (3, "[]"));
    assert_eq!(due(store, 1, 9).await, ["b first 0", "a second 0"]);
    assert!(store.find(WorkKind::Inbound, "D1").await.unwrap().is_some());
    let again = Commit { delivery: Some(("D1".into(), at(1))), ..Commit::default() };
    assert!(matches!(store.commit(again).await, Err(CommitError::Delivered)));
    assert_eq!(store.kept(KeptKind::Known, "a").await.unwrap().unwrap().until, Some(at(9)));
    let (found, _) = store.inspect().await.unwrap();
    assert_eq!(found, [] as [String; 0]);
}

#[tokio::test]
async fn what_is_moved_to_another_store_and_back_is_the_same() {
    on_every_store(async |store| {
        let [first, last] = [1, 1].map(|byte| MemoryStore::new(Chain::new(&[key(byte)])));
        fill(&first).await;
        carry(&first, &*store).await.unwrap();
        is_whole(&*store).await;
        // Again, with nothing new, and with what is pending done.
        carry(&first, &*store).await.unwrap();
        is_whole(&*store).await;
        carry(&*store, &last).await.unwrap();
        is_whole(&last).await;
        // It goes on there, and what went on takes nothing in.
        store.commit(one(&soc(), 3, "[1]", &["ann"])).await.unwrap();
        let refused = carry(&first, &*store).await;
        assert!(matches!(refused, Err(MoveError::WentOn { target: 4, source_has: 3, .. })), "{refused:?}");
        carry(&*store, &last).await.unwrap();
        assert_eq!(last.version(&soc()).await.unwrap(), 4);
        assert!(!is_half_copy(&*store).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_store_with_another_history_takes_nothing_in() {
    on_every_store(async |store| {
        let first = MemoryStore::new(Chain::new(&[key(1)]));
        fill(&first).await;
        store.commit(one(&soc(), 0, "{}", &["eve"])).await.unwrap();
        let refused = carry(&first, &*store).await;
        assert!(matches!(refused, Err(MoveError::Another { seq: 1, source_has: 3, .. })), "{refused:?}");
        assert_eq!(store.version(&soc()).await.unwrap(), 1);
        // And from half a copy nothing is taken.
        Move::new(&first, &MemoryStore::new(Chain::new(&[key(1)]))).compare().await.unwrap();
        let half = MemoryStore::new(Chain::new(&[key(1)]));
        Move::new(&first, &half).begin().await.unwrap();
        let refused = carry(&half, &*store).await;
        assert!(matches!(refused, Err(MoveError::HalfCopy)), "{refused:?}");
    })
    .await;
}
