//! Sessions, and a long history, written through the store itself.

use std::time::Duration;

use jiff::Timestamp;
use sekoia_chatops::chat::{Actor, ChannelKey, Community, UserId};
use sekoia_chatops::domain::checklist::{Command, Evidence, Mode, Recorded, Session, StepId, decide};
use sekoia_chatops::state::sessions::{stream, watch_due};
use sekoia_chatops::state::stream::write;
use sekoia_chatops::store::{Commit, NewRecord, Store, Write};

use crate::support::TEAM;

/// Sessions, or records, that are written in one transaction.
const PAGE: usize = 500;

pub fn channel(i: usize) -> ChannelKey {
    ChannelKey::slack(TEAM, &channel_id(i))
}

pub fn channel_id(i: usize) -> String {
    format!("C0PERF{i:06}")
}

/// Sessions of every age; the last step is open in each. Their steps are to be verified again in some hours.
pub async fn sessions(store: &dyn Store, count: usize) {
    let now = Timestamp::now();
    let by = Actor::Person(UserId::slack("U0PERF0000"));
    for first in (0..count).step_by(PAGE) {
        let mut commit = Commit::default();
        for i in first..count.min(first + PAGE) {
            let (mut session, mut events) = (None, Vec::new());
            for command in history(i) {
                for event in decide(session.as_ref(), command, now).expect("legal commands") {
                    session = Session::apply(session, &Recorded { event: event.clone(), by: by.clone(), at: now });
                    events.push(event);
                }
            }
            let (write, _) = write::<Session>(channel(i).as_str(), 0, None, &events, &by, now).expect("a session");
            commit.writes.push(write);
            commit.schedule.push(watch_due(&channel(i), now + Duration::from_hours(6)));
        }
        store.commit(commit).await.expect("a commit");
    }
}

fn history(i: usize) -> Vec<Command> {
    let name = format!("workspace-{i:06}").into();
    let community = Community { uuid: uuid::Uuid::from_u128(i as u128), name };
    let mut commands = vec![Command::Open { community, mode: Mode::MultiTenant }];
    for step in StepId::numbered().take(i % 7) {
        let evidence = Evidence {
            summary: "Defend Prime until 2027-06-11, Intelligence until 2027-06-11".into(),
            exceptions: ["Defend Prime ends in 20 days".into()].into(),
            ..Evidence::default()
        };
        commands.push(Command::Verify { step, evidence });
    }
    commands
}

/// So many more records in the history of the first channels, as if their steps had got other dates.
pub async fn records(store: &dyn Store, channels: usize, each: usize) {
    let at = Timestamp::now();
    for i in 0..channels {
        let stream = stream(&channel(i));
        for _ in (0..each).step_by(PAGE) {
            let there = store.load(&stream).await.expect("an answer").expect("a session");
            let record = |day: usize| NewRecord {
                at,
                actor: "slack:U0PERF0000".into(),
                kind: "due_set",
                body: format!(
                    "{{\"event\":\"due_set\",\"step\":\"notifications\",\"due\":\"2099-01-{:02}\"}}",
                    day % 28 + 1
                ),
            };
            let write = Write {
                stream: stream.clone(),
                expected: there.version,
                state: there.state,
                records: (0..PAGE).map(record).collect(),
                beside: Vec::new(),
            };
            store.commit(Commit { writes: vec![write], ..Commit::default() }).await.expect("a commit");
        }
    }
}
