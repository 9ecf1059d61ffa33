//! Times on record that lie further ahead than they rightly can: the clock was ahead, then right.

use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::store::{Commit, Keep, KeptKind, Schedule, WorkKind, horizon};

use super::{at, on_every_store, todo};

#[tokio::test]
async fn a_lease_that_ends_later_than_any_can_is_over() {
    on_every_store(async |store| {
        let lease = async |who: &str, now: i64, until: i64| store.lease("duty", who, at(now), at(until)).await.unwrap();
        // Taken while the clock was a day ahead, by somebody who is gone.
        assert!(lease("gone", 86_400, 86_425).await);
        assert!(lease("heir", 0, 25).await);
        // What can be is kept.
        assert!(!lease("late", 10, 35).await);
        // Nobody gets a longer one, whatever they ask for.
        assert!(lease("late", 30, 3_600).await);
        assert!(!lease("heir", 89, 100).await);
        assert!(lease("heir", 90, 100).await);
    })
    .await;
}

#[tokio::test]
async fn what_is_planned_for_later_than_can_be_is_planned_anew() {
    on_every_store(async |store| {
        let plan = |kind, key: &str, due: Timestamp| Schedule { kind, due, ..todo(key, 0, "") };
        let (hour, year) = (SignedDuration::from_hours(1), SignedDuration::from_hours(365 * 24));
        let now = at(0);
        let mut schedule: Vec<Schedule> =
            WorkKind::ALL.into_iter().map(|kind| plan(kind, "ahead", now + year)).collect();
        schedule.extend(WorkKind::ALL.into_iter().map(|kind| plan(kind, "never", Timestamp::MAX)));
        schedule.extend([
            plan(WorkKind::Inbound, "rightly", now + SignedDuration::from_mins(2)),
            plan(WorkKind::Execute, "rightly", now + SignedDuration::from_mins(15)),
            plan(WorkKind::Execute, "later than a key waits", now + SignedDuration::from_mins(17)),
            plan(WorkKind::Execute, "an hour back", now + hour + SignedDuration::from_secs(12)),
            plan(WorkKind::Open, "rightly", now + hour * 24 * 30),
            plan(WorkKind::Digest, "rightly", now + hour * 24 * 7),
        ]);
        store.commit(Commit { schedule, ..Commit::default() }).await.unwrap();
        assert!(horizon::sweep(&*store, now).await.unwrap() > 0);
        let due = async |kind| -> Vec<String> {
            store.due(kind, now, 9).await.unwrap().into_iter().map(|work| work.key).collect()
        };
        for kind in WorkKind::ALL {
            let expected: &[&str] = match kind {
                WorkKind::Execute => &["ahead", "later than a key waits", "an hour back"],
                _ => &["ahead"],
            };
            assert_eq!(due(kind).await, expected, "{}", kind.name());
            let never = store.find(kind, "never").await.unwrap().unwrap();
            assert_eq!(never.due, Timestamp::MAX, "{}", kind.name());
        }
        assert_eq!(horizon::sweep(&*store, now).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_for_longer_than_can_be_is_forgotten_in_its_time() {
    on_every_store(async |store| {
        let (day, year) = (SignedDuration::from_hours(24), SignedDuration::from_hours(365 * 24));
        let now = at(0);
        let keep = |kind, key: &str, until| Keep { kind, key: key.into(), body: "{}".into(), until };
        let mut kept: Vec<Keep> = KeptKind::ALL.map(|kind| keep(kind, "ahead", Some(now + year))).into();
        kept.extend(KeptKind::ALL.map(|kind| keep(kind, "for good", None)));
        kept.push(keep(KeptKind::Known, "rightly", Some(now + day * 2)));
        store.commit(Commit { keep: kept, ..Commit::default() }).await.unwrap();
        assert_eq!(horizon::sweep(&*store, now).await.unwrap(), 3);
        for kind in KeptKind::ALL {
            let then = match kind {
                // What was told is not told again.
                KeptKind::Known => day * 2,
                KeptKind::Replaced => day * 180,
                // Nobody comes back from a sign-in that long ago.
                KeptKind::Proof => SignedDuration::ZERO,
                _ => year,
            };
            let until = async |key| store.kept(kind, key).await.unwrap().unwrap().until;
            assert_eq!(until("ahead").await, Some(now + then), "{}", kind.name());
            assert_eq!(until("for good").await, None, "{}", kind.name());
        }
        assert_eq!(horizon::sweep(&*store, now).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_is_remembered_as_long_as_its_request_waits() {
    on_every_store(async |store| {
        let work = Schedule { kind: WorkKind::Inbound, ..todo("D1", 0, "") };
        let recorded = Commit { schedule: vec![work], delivery: Some(("D1".into(), at(0))), ..Commit::default() };
        store.commit(recorded.clone()).await.unwrap();
        assert_eq!(store.forget_deliveries(at(90_000)).await.unwrap(), 0);
        let waiting = store.due(WorkKind::Inbound, at(0), 9).await.unwrap();
        assert_eq!(waiting.len(), 1);
        let finished = vec![waiting[0].finished()];
        store.commit(Commit { finished, ..Commit::default() }).await.unwrap();
        assert_eq!(store.forget_deliveries(at(90_000)).await.unwrap(), 1);
    })
    .await;
}
