//! Whoever is given a step is written to, and reminded of it when it is due.

use insta::assert_snapshot;
use jiff::Timestamp;
use jiff::civil::Date;
use sekoia_chatops::store::{Commit, Schedule, Store, WorkKind};

use crate::harness::{Chat, Platform, Setting, Stage, everywhere, nameless, on_both, run};

fn durable() -> Setting {
    Setting { durable: true, ..Setting::default() }
}

everywhere!(who_is_given_a_step_reads_of_it_once);
fn who_is_given_a_step_reads_of_it_once(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.ask("alice", "due users 2099-01-30").await;
        s.progress().await;
        s.ask("alice", "assign users @dan").await;
        assert_snapshot!(nameless(s.direct().await), @"
        direct message to dan (posted)
        @alice assigned a step to you: *5 Invite users* in #soc-setup · Nimbus Payments · due 2099-01-30 · Open the checklist <message>
        /sekoia inbox shows everything that waits for you.
        ");
        s.checklist("@dan").await;
        // Who takes a step knows it.
        s.ask("bob", "assign roles @bob").await;
        s.checklist("@bob").await;
        s.stop().await;
        s.start().await;
        s.rounds(3).await;
        assert_eq!((s.chat.standing_alone("dan").len(), s.chat.standing_alone("bob").len()), (1, 0));
    });
}

/// Puts somebody where it is noon now; the day there.
fn lives_where_it_is_noon(s: &Stage, user: &str) -> Date {
    let hours = 12 - i64::from(Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour());
    // These are named the other way round.
    let zone = match hours {
        0 => "Etc/GMT".to_owned(),
        east if east > 0 => format!("Etc/GMT-{east}"),
        west => format!("Etc/GMT+{}", -west),
    };
    let id = s.chat.platform().user(user);
    match &s.chat {
        Chat::Slack(world) => world.edit(|state| state.users.get_mut(&id).unwrap().zone.clone_from(&zone)),
        Chat::Mattermost(world) => world.edit(|state| state.users.get_mut(&id).unwrap().zone.clone_from(&zone)),
    }
    Timestamp::now().in_tz(&zone).unwrap().date()
}

/// The time has come that was planned for somebody's next reminder.
async fn time_comes(store: &dyn Store, user: &str) {
    let now = Timestamp::now();
    let commit = match store.find(WorkKind::Reminder, user).await.unwrap() {
        Some(work) => Commit { postponed: vec![(work.finished(), now)], ..Commit::default() },
        None => {
            let (key, body) = (user.to_owned(), "{}".to_owned());
            let row = Schedule { kind: WorkKind::Reminder, key, due: now, attempts: 0, body };
            Commit { schedule: vec![row], ..Commit::default() }
        }
    };
    store.commit(commit).await.unwrap();
}

everywhere!(a_reminder_gathers_everything_and_comes_once_a_day);
fn a_reminder_gathers_everything_and_comes_once_a_day(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let today = lives_where_it_is_noon(s, "bob");
        for step in ["users", "roles"] {
            s.ask("bob", &format!("assign {step} @bob")).await;
            s.progress().await;
            s.ask("alice", &format!("due {step} {today}")).await;
            s.progress().await;
        }
        s.ask("bob", "assign keys @bob").await;
        s.progress().await;
        // Nine o'clock is over: what is set now is no news today.
        s.rounds(3).await;
        let bob = s.person("bob");
        let comes = async |s: &mut Stage| {
            s.stop().await;
            time_comes(&*s.store().await, bob.as_str()).await;
            s.start().await;
        };
        comes(s).await;
        assert_snapshot!(nameless(s.direct().await), @"
        direct message to bob (posted)
        Steps of yours are due:
        • *4 Define roles* · #soc-setup · Nimbus Payments · due today · Open the checklist <message>
        • *5 Invite users* · #soc-setup · Nimbus Payments · due today · Open the checklist <message>
        /sekoia inbox shows everything that waits for you.
        ");
        // Neither a restart, nor a plan that is made anew, nor its time once more.
        comes(s).await;
        s.ask("alice", &format!("due keys {today}")).await;
        s.progress().await;
        s.rounds(3).await;
        comes(s).await;
        s.rounds(3).await;
        assert_eq!(s.chat.standing_alone("bob").len(), 1);
    });
}

on_both!(what_is_done_by_then_is_not_reminded_of);
fn what_is_done_by_then_is_not_reminded_of(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let today = lives_where_it_is_noon(s, "bob");
        s.ask("bob", "assign users @bob").await;
        s.progress().await;
        s.ask("bob", &format!("due users {today}")).await;
        s.progress().await;
        s.ask("bob", "skip users \"later\"").await;
        s.progress().await;
        s.stop().await;
        time_comes(&*s.store().await, s.person("bob").as_str()).await;
        s.start().await;
        s.rounds(3).await;
        assert_eq!(s.chat.standing_alone("bob").len(), 0);
    });
}
