//! Those who can decide a request and have not are reminded of it.

use insta::assert_snapshot;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use sekoia_chatops::domain::approval::remind::When;
use sekoia_chatops::domain::approval::{Notify, Policy, Rule};
use sekoia_chatops::domain::working_time::WorkingTime;
use sekoia_chatops::store::{Commit, Work, WorkKind};

use crate::harness::{Call, ChatFault, Platform, SOC, Seen, Setting, Stage, everywhere, id_in, nameless, on_both, run};

/// Whatever day and hour it is when the test runs.
fn by(rule: Rule) -> Setting {
    let approval = Policy { usual: rule, working: WorkingTime::ALWAYS, ..Policy::default() };
    Setting { approval, durable: true, ..Setting::default() }
}

async fn asked(s: &mut Stage) -> (String, Seen) {
    let id = s.request_for("alice", "invite ana@nimbus.example as Analyst").await;
    let card = s.card("Approval needed").await;
    s.checklist("⏳").await;
    (id, card)
}

async fn planned(s: &Stage, id: &str) -> Option<Work> {
    s.store().await.find(WorkKind::VoteReminder, id).await.unwrap()
}

/// The time comes that the next reminder of a request is planned for.
async fn time_comes(s: &mut Stage, id: &str) {
    s.stop().await;
    becomes_due(s, id).await;
    s.start().await;
}

async fn becomes_due(s: &Stage, id: &str) {
    let work = planned(s, id).await.expect("a reminder is planned");
    let commit = Commit { postponed: vec![(work.finished(), Timestamp::now())], ..Commit::default() };
    s.store().await.commit(commit).await.unwrap();
}

/// The next reminder, which stands in the card's thread.
async fn reminder(s: &Stage) -> Seen {
    let seen = s.announced("Reminder: ").await;
    let shown = match s.chat.platform() {
        Platform::Slack => seen.on_slack().to_string(),
        Platform::Mattermost => seen.on_mattermost().to_string(),
    };
    assert!(shown.starts_with("#soc-setup, in a thread (posted)"), "{shown}");
    seen
}

fn reminders(s: &Stage) -> usize {
    s.chat.standing(SOC).iter().filter(|seen| seen.text().contains("Reminder: ")).count()
}

everywhere!(those_who_have_not_voted_are_reminded_twice);
fn those_who_have_not_voted_are_reminded_twice(on: Platform) {
    // Alice is an approver, and may not decide her own.
    let setting = Setting { approvers: "@approvers,alice", ..by(Rule { required: 2, ..Rule::default() }) };
    run(on, setting, async |s| {
        s.set_up().await;
        let (id, card) = asked(s).await;
        time_comes(s, &id).await;
        assert_snapshot!(nameless(reminder(s).await.text()), @"
        Reminder: *Invite ana@nimbus.example as Analyst* · needs 2 approvals until <date> <time> UTC (in 23 h)
        For @bob and @carol to decide
        ");
        s.click("bob", &card, "Approve").await;
        s.card("1 so far").await;
        s.rounds(2).await;
        s.crash().await;
        s.start().await;
        time_comes(s, &id).await;
        assert_snapshot!(nameless(reminder(s).await.text()), @"
        Reminder: *Invite ana@nimbus.example as Analyst* · needs 1 approval until <date> <time> UTC (in 23 h)
        For @carol to decide
        ");
        // There were two.
        assert!(planned(s, &id).await.is_none());
        s.rounds(3).await;
        assert_eq!(reminders(s), 2);
    });
}

on_both!(a_reminder_may_come_as_a_direct_message);
fn a_reminder_may_come_as_a_direct_message(on: Platform) {
    run(on, by(Rule { notify: Notify::Direct, ..Rule::default() }), async |s| {
        s.set_up().await;
        let (id, _) = asked(s).await;
        let mut first = [s.direct().await, s.direct().await].map(|seen| seen.is_for("bob"));
        first.sort_unstable();
        assert_eq!(first, [false, true]);
        time_comes(s, &id).await;
        let direct = [s.direct().await, s.direct().await];
        let bobs = direct.iter().find(|seen| seen.is_for("bob")).unwrap();
        assert_snapshot!(nameless(bobs), @"
        direct message to bob (posted)
        Reminder: *Invite ana@nimbus.example as Analyst* · needs 1 approval until <date> <time> UTC (in 23 h)
        Asked by @alice
        In #soc-setup · request <id> · Open the card <message>
        [Approve?]! [Reject…]✗
        ");
        s.click("bob", bobs, "Approve").await;
        s.card("not accepted yet").await;
        assert!(s.direct().await.text().contains("Done"));
        s.checklist_at_rest().await;
        s.rounds(2).await;
        assert!(planned(s, &id).await.is_none());
        assert_eq!(reminders(s), 0);
    });
    // Nobody hears of it, so nobody is reminded; nor where no reminder is wanted.
    for rule in [Rule { notify: Notify::None, ..Rule::default() }, Rule { remind: vec![], ..Rule::default() }] {
        run(on, by(rule), async |s| {
            s.set_up().await;
            let (id, _) = asked(s).await;
            assert!(planned(s, &id).await.is_none());
        });
    }
}

on_both!(what_is_settled_by_then_is_not_reminded_of);
fn what_is_settled_by_then_is_not_reminded_of(on: Platform) {
    run(on, by(Rule::default()), async |s| {
        s.set_up().await;
        let (id, _) = asked(s).await;
        s.ask("bob", &format!("reject {id} no")).await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        s.rounds(2).await;
        assert!(planned(s, &id).await.is_none());
        assert_eq!(reminders(s), 0);
    });
}

on_both!(who_is_reminded_is_looked_up_then);
fn who_is_reminded_is_looked_up_then(on: Platform) {
    run(on, by(Rule::default()), async |s| {
        s.set_up().await;
        let (id, _) = asked(s).await;
        s.chat.leaves_the_approvers("bob");
        time_comes(s, &id).await;
        let seen = reminder(s).await.text();
        assert!(seen.contains("For @carol to decide"), "{seen}");
        s.chat.crowd(50);
        time_comes(s, &id).await;
        let seen = reminder(s).await.text();
        let says = match on {
            Platform::Slack => "For <!subteam^S0APPROVERS> to decide",
            Platform::Mattermost => "At least 30 people can approve this",
        };
        assert!(seen.contains(says), "{seen}");
    });
}

on_both!(what_waits_for_a_confirmation_is_reminded_of);
fn what_waits_for_a_confirmation_is_reminded_of(on: Platform) {
    run(on, by(Rule::default()), async |s| {
        s.set_up().await;
        s.ask("carol", "freeze \"a change of people\"").await;
        s.announced("This holds in every channel").await;
        let card = s.approved("invite ana@nimbus.example", "Approved").await;
        s.chat.deactivated("alice");
        s.ask("carol", "unfreeze").await;
        s.announced("The freeze was lifted").await;
        let held = s.card("Confirmation needed").await;
        s.direct().await;
        becomes_due(s, &id_in(&card)).await;
        assert_snapshot!(nameless(reminder(s).await.text()), @"
        Reminder: *Invite ana@nimbus.example as Analyst* · ⏸️ @alice, who asked for it, is deactivated. Nothing more is sent until another approver confirms it, or it is rejected.
        For @bob and @carol to decide
        ");
        s.click("bob", &held, "Confirm").await;
        s.card("not accepted yet").await;
        s.checklist_at_rest().await;
        // Slack opens no conversation with somebody who is gone.
        if on == Platform::Mattermost {
            s.direct().await;
        }
    });
}

on_both!(a_reminder_whose_post_was_not_confirmed_is_found_in_its_thread);
fn a_reminder_whose_post_was_not_confirmed_is_found_in_its_thread(on: Platform) {
    run(on, by(Rule::default()), async |s| {
        s.set_up().await;
        let (id, _) = asked(s).await;
        s.chat.fault(Call::Post, ChatFault::LosesReply);
        time_comes(s, &id).await;
        reminder(s).await;
        s.crash().await;
        s.start().await;
        s.rounds(3).await;
        assert_eq!(reminders(s), 1);
    });
}

on_both!(quiet_hours_hold_a_reminder_back_over_the_change_to_summer_time);
fn quiet_hours_hold_a_reminder_back_over_the_change_to_summer_time(on: Platform) {
    let now = Timestamp::now();
    let here = now.to_zoned(TimeZone::UTC);
    // A place where the clock is put forward within these quiet hours, which would be over in four hours.
    let (day, hour) = (here.date().day_of_year() - 1, here.hour());
    let zone = TimeZone::posix(&format!("XST0XDT,{day}/{},{}/3", hour + 2, (day + 180) % 365)).unwrap();
    let quiet = Some(((here.clone() - 1.hour()).time(), (here.clone() + 4.hours()).time()));
    let quiet = quiet.map(|(from, to)| (from, to.with().minute(0).second(0).subsec_nanosecond(0).build().unwrap()));
    let setting = |zone, quiet, remind| {
        let mut setting = by(Rule { remind, ..Rule::default() });
        setting.approval.working = WorkingTime { zone, quiet, ..WorkingTime::ALWAYS };
        setting
    };
    run(on, setting(zone, quiet, vec![When::Half]), async |s| {
        s.set_up().await;
        // The request itself is not held back.
        let (id, _) = asked(s).await;
        time_comes(s, &id).await;
        s.rounds(2).await;
        let over = here.clone().with().minute(0).second(0).subsec_nanosecond(0).build().unwrap() + 3.hours();
        assert_eq!(planned(s, &id).await.unwrap().due, over.timestamp());
        assert_eq!(reminders(s), 0);
    });
    // What would wait until the end, or until the next reminder, is not sent at all.
    let nearly_always = Some(((here.clone() - 1.minute()).time(), (here.clone() - 2.minutes()).time()));
    let before = |hours| When::Before(std::time::Duration::from_hours(hours));
    run(on, setting(TimeZone::UTC, nearly_always, vec![before(23), before(22)]), async |s| {
        s.set_up().await;
        let (id, _) = asked(s).await;
        let first = planned(s, &id).await.unwrap().due;
        time_comes(s, &id).await;
        s.rounds(2).await;
        let next = planned(s, &id).await.unwrap().due;
        assert_eq!(next.duration_since(first), SignedDuration::from_hours(1));
        time_comes(s, &id).await;
        s.rounds(2).await;
        assert!(planned(s, &id).await.is_none());
        assert_eq!(reminders(s), 0);
    });
}

on_both!(a_channel_with_a_digest_has_the_clock_of_that_digest);
fn a_channel_with_a_digest_has_the_clock_of_that_digest(on: Platform) {
    let here = Timestamp::now().to_zoned(TimeZone::UTC);
    let mut setting = by(Rule::default());
    let quiet = Some(((here.clone() - 1.hour()).time(), (here + 1.hour()).time()));
    setting.approval.working = WorkingTime { quiet, ..WorkingTime::ALWAYS };
    run(on, setting, async |s| {
        s.set_up().await;
        let (id, _) = asked(s).await;
        // By the clock of the settings, people are to be left alone now.
        time_comes(s, &id).await;
        s.rounds(2).await;
        assert_eq!(reminders(s), 0);
        s.ask("alice", "notify digest daily 09:00 Asia/Tokyo").await;
        time_comes(s, &id).await;
        reminder(s).await;
    });
}
