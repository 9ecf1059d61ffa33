//! The setup watch: what was verified is asked again.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::chat::{Actor, ChannelKey, Community, UserId};
use sekoia_chatops::domain::checklist::{Command, Evidence, Mode, StepId, decide};
use sekoia_chatops::sandbox::world::{ApiKey, Licence, Member, Silence, World};
use sekoia_chatops::sandbox::{Fault, FaultKind};
use sekoia_chatops::state::sessions::{ChangeError, Sessions, watch_due};
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::{
    Commit, MemoryStore, NewRecord, Schedule, State, Store, StreamId, WorkKind, Write, keyfile,
};
use sekoia_chatops::timing::Timing;
use uuid::Uuid;

use crate::harness::{Platform, QUICK, SOC, Setting, Stage, on_both, run};

/// Longer than a look and the worker's tick.
const LONG: Duration = Duration::from_secs(40);

fn watchful() -> Setting {
    Setting {
        timing: Timing { drift: Duration::from_millis(300), ..QUICK },
        durable: true,
        file: true,
        ..Setting::default()
    }
}

/// The next message to somebody alone, which takes a look and a tick.
async fn told_alone(s: &Stage) -> String {
    let began = std::time::Instant::now();
    loop {
        let seen = s.next_within(LONG).await;
        if seen.is_direct() {
            return seen.text();
        }
        assert!(began.elapsed() < LONG, "{}", s.chat.dump());
    }
}

/// Looks go on and nothing is said.
async fn several_looks(s: &Stage) {
    looked(s, 2).await;
}

/// So many looks, whole, from now on: each says when the next one is due.
async fn looked(s: &Stage, times: usize) {
    let (store, channel) = (s.store().await, s.channel(SOC));
    let due = async || store.find(WorkKind::Drift, channel.as_str()).await.expect("a store").map(|work| work.due);
    // One that is under way does not count.
    for _ in 0..=times {
        let before = due().await;
        tokio::time::timeout(LONG, async {
            while due().await == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the watch looks");
    }
    s.rounds(1).await;
}

/// The watch asks so often.
async fn asks(s: &Stage, calls: usize) {
    let asked = s.sekoia.calls().len();
    tokio::time::timeout(LONG, async {
        while s.sekoia.calls().len() < asked + calls {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the watch asks");
}

/// Whatever there is to read is read.
async fn read_on(s: &Stage) {
    s.rounds(2).await;
    while !s.chat.unread().is_empty() {
        s.next_within(LONG).await;
    }
}

/// What says that a step is as it should be now.
fn accepts(step: &str) -> String {
    match step {
        "subscription" => "plan products current".into(),
        "communities" | "roles" | "keys" | "hardening" => format!("plan {step} current"),
        "users" => "plan people current".into(),
        "prerequisites" => "done prerequisites as ada.nwosu@nimbus.example".into(),
        other => format!("done {other}"),
    }
}

/// Invitations are accepted, so that nobody has to be waited for.
fn everybody_comes(world: &mut World) {
    for member in &mut world.members {
        member.user.confirmed = true;
    }
}

/// The step, done before, drifts: everybody reads what changed, the owner is told once and by name.
async fn drifts(s: &Stage, step: &str, change: impl FnOnce(&mut World), openly: &str, by_name: &str) {
    s.set_up().await;
    if step == "users" {
        s.sekoia.edit(everybody_comes);
    }
    // It is looked at as long as the test lasts.
    let another = if step == "subscription" { "plan roles current" } else { "plan products current" };
    s.ask("alice", another).await;
    let done = s.ask("alice", &accepts(step)).await.text();
    assert!(done.contains("confirms it"), "{done}");
    several_looks(s).await;
    s.sekoia.edit(change);
    let told = told_alone(s).await;
    assert!(told.contains(&format!("is open again: {by_name}. Look at it in ")), "{told}");
    assert!(told.contains(&format!("/sekoia step {step}")), "{told}");
    several_looks(s).await;
    assert_eq!(s.chat.standing_alone("alice").len(), 1, "{}", s.chat.dump());
    read_on(s).await;
    let card = s.ask("dan", &format!("step {step}")).await.text();
    assert!(card.contains(&format!("☐ ⚠️ open again: {openly}")), "{card}");
    // Accepted as it is, it is told no more.
    let done = s.ask("alice", &accepts(step)).await.text();
    assert!(done.contains("confirms it"), "{done}");
    several_looks(s).await;
    assert_eq!(s.chat.standing_alone("alice").len(), 1, "{}", s.chat.dump());
    read_on(s).await;
}

fn member<'w>(world: &'w mut World, firstname: &str) -> &'w mut Member {
    let named = |m: &&mut Member| m.user.firstname.as_deref() == Some(firstname);
    world.members.iter_mut().find(named).expect("a member")
}

fn key<'w>(world: &'w mut World, name: &str) -> &'w mut ApiKey {
    world.keys.iter_mut().find(|key| key.name == name).expect("a key")
}

fn in_days(days: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(24 * days)
}

/// Another key appears.
fn add_key(world: &mut World, name: &str) {
    let mut new = key(world, "cti-enrichment").clone();
    (new.uuid, new.name, new.revoked_at) = (Uuid::new_v4(), name.to_owned(), None);
    world.keys.push(new);
}

on_both!(a_licence_that_nears_its_end);
fn a_licence_that_nears_its_end(on: Platform) {
    run(on, watchful(), async |s| {
        let end = in_days(20);
        let ends = format!("Intelligence ends on {}", end.strftime("%Y-%m-%d"));
        let change = |world: &mut World| {
            let is = |l: &&mut Licence| l.plan.as_ref().is_some_and(|plan| plan.title == "Intelligence");
            world.licences.iter_mut().find(is).expect("a licence").end = Some(end.to_zoned(TimeZone::UTC).date());
        };
        drifts(s, "subscription", change, &ends, &ends).await;
    });
}

on_both!(a_key_that_nears_its_end_while_another_one_is_gone);
fn a_key_that_nears_its_end_while_another_one_is_gone(on: Platform) {
    run(on, watchful(), async |s| {
        let end = in_days(3);
        let by_name =
            format!("the key cti-enrichment expires on {}; the key jira-tickets is gone", end.strftime("%Y-%m-%d"));
        let change = |world: &mut World| {
            key(world, "cti-enrichment").expires_at = Some(end);
            world.keys.retain(|key| key.name != "jira-tickets");
        };
        drifts(s, "keys", change, "1 key expires soon; 1 key is gone", &by_name).await;
    });
}

on_both!(a_key_that_was_revoked_though_another_one_is_new);
fn a_key_that_was_revoked_though_another_one_is_new(on: Platform) {
    run(on, watchful(), async |s| {
        let change = |world: &mut World| {
            add_key(world, "cti-export");
            key(world, "cti-enrichment").revoked_at = Some(Timestamp::now());
        };
        drifts(s, "keys", change, "1 key was revoked", "the key cti-enrichment was revoked").await;
    });
}

on_both!(an_admin_without_mfa_though_another_one_has_it_now);
fn an_admin_without_mfa_though_another_one_has_it_now(on: Platform) {
    run(on, watchful(), async |s| {
        let change = |world: &mut World| {
            member(world, "Bruno").user.mfa_enabled = Some(true);
            member(world, "Ada").user.mfa_enabled = Some(false);
        };
        drifts(s, "users", change, "1 Admin without MFA", "Ada Nwosu is an Admin without MFA").await;
    });
}

on_both!(a_role_that_can_do_other_things);
fn a_role_that_can_do_other_things(on: Platform) {
    run(on, watchful(), async |s| {
        let change = |world: &mut World| {
            let more = world.role("Admin").expect("a role").permissions[0];
            let role = world.roles.iter_mut().find(|role| role.name == "SOC Level 1").expect("a role");
            role.permissions.pop();
            role.permissions.push(more);
        };
        let said = "the role SOC Level 1 can do other things than before";
        drifts(s, "roles", change, said, said).await;
    });
}

on_both!(a_member_who_was_given_another_role);
fn a_member_who_was_given_another_role(on: Platform) {
    run(on, watchful(), async |s| {
        let change = |world: &mut World| {
            let guest = world.role("Guest").expect("a role").uuid;
            member(world, "Luis").roles = vec![guest];
        };
        let openly = "1 member has other roles than before";
        drifts(s, "users", change, openly, "Luis Ferreira has other roles than before").await;
    });
}

on_both!(a_member_who_was_deactivated_though_another_one_came);
fn a_member_who_was_deactivated_though_another_one_came(on: Platform) {
    run(on, watchful(), async |s| {
        let change = |world: &mut World| {
            member(world, "Chloé").enabled = false;
            let root = world.root;
            world.add_members(root, 1);
        };
        drifts(s, "users", change, "1 member was deactivated", "Chloé Roussel was deactivated").await;
    });
}

on_both!(an_intake_that_sends_nothing_for_a_day);
fn an_intake_that_sends_nothing_for_a_day(on: Platform) {
    run(on, watchful(), async |s| {
        let change = |world: &mut World| {
            let intake = world.intakes.iter_mut().find(|intake| intake.name == "Office firewall").expect("an intake");
            let from = Timestamp::now() - SignedDuration::from_hours(26);
            intake.silences.push(Silence { from, until: None });
        };
        let said = "Office firewall sends nothing for a day";
        drifts(s, "quickstart", change, said, said).await;
    });
}

on_both!(an_intake_that_is_silent_for_as_long_as_a_rule_waits);
fn an_intake_that_is_silent_for_as_long_as_a_rule_waits(on: Platform) {
    run(on, watchful(), async |s| {
        s.set_up().await;
        let asked = s.sekoia.calls().len();
        s.ask("alice", "notify add silent \"Office firewall\" for 1h").await;
        // The watch has looked.
        let looks = || s.sekoia.calls()[asked..].iter().filter(|call| call.path.contains("/conf/intakes")).count();
        super::watching::until("it is looked at", s, async || looks() >= 2).await;
        assert!(s.ask("alice", "done quickstart").await.text().contains("confirms it"));
        several_looks(s).await;
        let intake = s.sekoia.edit(|world| world.intake("Office firewall").expect("an intake").uuid);
        s.sekoia.silence_intake(intake, SignedDuration::from_hours(3));
        let told = told_alone(s).await;
        assert!(told.contains("is open again: Office firewall sends nothing since 20"), "{told}");
        s.rounds(5).await;
        assert_eq!(s.chat.standing_alone("alice").len(), 1);
        read_on(s).await;
    });
}

on_both!(the_bots_own_key_that_was_revoked_is_one_change);
fn the_bots_own_key_that_was_revoked_is_one_change(on: Platform) {
    run(on, watchful(), async |s| {
        s.set_up().await;
        s.sekoia.edit(everybody_comes);
        for step in ["prerequisites", "roles", "users", "keys"] {
            let done = s.ask("alice", &accepts(step)).await.text();
            assert!(done.contains("confirms it"), "{done}");
        }
        several_looks(s).await;
        s.sekoia.edit(|world| key(world, "sandbox-admin").revoked_at = Some(Timestamp::now()));
        let told = told_alone(s).await;
        assert!(told.contains("\"Create API keys\"") && told.contains("T302"), "{told}");
        assert!(told.contains("set SEKOIA_API_KEY"), "{told}");
        several_looks(s).await;
        read_on(s).await;
        let status = s.ask("dan", "status").await.text();
        assert!(status.contains("☐ *6 Create API keys* · ⚠️ open again: Sekoia does not accept"), "{status}");
        assert!(status.contains("✅ *4 Define roles*") && status.contains("✅ *5 Invite users*"), "{status}");
        let before = s.ask("dan", "step prerequisites").await.text();
        assert!(before.contains("⚠️ open again: Sekoia does not accept"), "{before}");
        assert_eq!(s.chat.standing_alone("alice").len(), 1, "{}", s.chat.dump());
    });
}

on_both!(what_the_bot_did_after_an_approval_is_no_drift);
fn what_the_bot_did_after_an_approval_is_no_drift(on: Platform) {
    run(on, watchful(), async |s| {
        s.set_up().await;
        s.ask("alice", "plan keys current").await;
        s.request_for("alice", "key revoke log-forwarder").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        s.card("✅ *log-forwarder*").await;
        assert!(s.direct().await.text().contains("Done: "));
        several_looks(s).await;
        read_on(s).await;
        assert!(s.ask("dan", "status").await.text().contains("✅ *6 Create API keys*"));
        assert_eq!(s.chat.standing_alone("alice").len(), 1, "{}", s.chat.dump());
        // What somebody else does is.
        s.sekoia.edit(|world| key(world, "cti-enrichment").revoked_at = Some(Timestamp::now()));
        let told = told_alone(s).await;
        assert!(told.contains("is open again: the key cti-enrichment was revoked. Look"), "{told}");
        read_on(s).await;
    });
}

on_both!(a_mute_and_a_rule_that_is_new_are_no_drift_and_a_pause_is);
fn a_mute_and_a_rule_that_is_new_are_no_drift_and_a_pause_is(on: Platform) {
    run(on, watchful(), async |s| {
        s.set_up().await;
        s.ask("alice", "plan notifications alert").await;
        s.ask("alice", "notify add alert urgency>=75").await;
        s.ask("alice", "notify test 1").await;
        s.ask("alice", "notify seen 1").await;
        assert!(s.ask("alice", "done notifications").await.text().contains("confirms it"));
        s.ask("alice", "notify mute 1 1d").await;
        s.ask("alice", "notify add alert urgency>=90").await;
        several_looks(s).await;
        read_on(s).await;
        assert!(s.ask("dan", "status").await.text().contains("✅ *7 Configure notifications*"));
        assert_eq!(s.chat.standing_alone("alice").len(), 0);
        s.ask("alice", "notify pause 1").await;
        assert!(told_alone(s).await.contains("a tested rule that is not paused"));
        read_on(s).await;
    });
}

#[test]
fn channels_that_cannot_be_read_keep_nobody_waiting() {
    run(Platform::Slack, watchful(), async |s| {
        s.set_up().await;
        s.ask("alice", "plan roles current").await;
        s.checklist("✅ *4 Define roles*").await;
        s.stop().await;
        let store = s.store().await;
        for n in 0..9 {
            let channel = ChannelKey::slack("T0SOC", &format!("C0NEWER{n}"));
            let record =
                NewRecord { at: Timestamp::now(), actor: "bot".into(), kind: "session.opened", body: "{}".into() };
            let write = Write {
                stream: StreamId::new("session", channel.as_str()),
                expected: 0,
                state: State { schema: 99, json: "[]".into() },
                records: vec![record],
                beside: Vec::new(),
            };
            let schedule = vec![watch_due(&channel, Timestamp::now() - SignedDuration::from_hours(1))];
            store.commit(Commit { writes: vec![write], schedule, ..Commit::default() }).await.expect("a commit");
        }
        drop_custom_role(s);
        s.start().await;
        assert!(told_alone(s).await.contains("is open again: the role "));
        read_on(s).await;
        // They wait for their turn, and for a release that can read them.
        let waiting = store.due(WorkKind::Drift, Timestamp::MAX, 20).await.expect("a store");
        assert_eq!(waiting.iter().filter(|work| work.key.contains("C0NEWER") && work.attempts > 0).count(), 9);
    });
}

#[tokio::test]
async fn of_two_processes_that_look_at_the_same_time_one_opens_the_step_and_tells() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Chain::new(&[keyfile::new_key()])));
    let channel = ChannelKey::slack("T0SOC", "C0SOC");
    let alice = Actor::Person(UserId::slack("U0ALICE"));
    let community = Community { uuid: Uuid::nil(), name: "Nimbus".into() };
    let now = Timestamp::now();
    let seen = Evidence { summary: "2 roles".into(), facts: Some(Box::default()), ..Evidence::default() };
    let processes = [Sessions::new(Arc::clone(&store)), Sessions::new(Arc::clone(&store))];
    let [first, second] = &processes;
    let step = StepId::Roles;
    for command in
        [Command::Open { community, mode: Mode::SingleTenant }, Command::Verify { step, evidence: seen.clone() }]
    {
        first.change(&channel, &alice, now, None, |state| decide(state, command.clone(), now)).await.expect("a change");
    }
    // Both know the step as done.
    second.read(&channel).await.expect("a session");
    let mut refused = 0;
    for process in &processes {
        let drift = |state: Option<&_>| {
            decide(state, Command::Drift { step, seen: seen.clone(), what: "the role X is gone".into() }, now)
        };
        let key = format!("drift/{}", now.as_millisecond() + refused);
        let notice =
            || vec![Schedule { kind: WorkKind::Notice, key: key.clone(), due: now, attempts: 0, body: "".into() }];
        match process.change_and(&channel, &Actor::Bot, now, None, drift, notice).await {
            Ok(_) => {}
            Err(ChangeError::Refused(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, 1);
    assert_eq!(store.due(WorkKind::Notice, Timestamp::MAX, 9).await.expect("a store").len(), 1);
    // Ticked again by one, it is looked at by the other.
    first
        .change(&channel, &alice, now, None, |state| {
            decide(state, Command::Verify { step, evidence: seen.clone() }, now)
        })
        .await
        .expect("a change");
    let known = second.read_anew(&channel).await.expect("a store").expect("a session");
    assert!(known.step(step).status.is_done());
}

fn drop_custom_role(s: &Stage) {
    s.sekoia.edit(|world| {
        let custom = world.roles.iter().position(|role| role.community_uuid.is_some()).expect("a custom role");
        world.roles.remove(custom);
    });
}

on_both!(a_role_that_is_gone_opens_its_step_and_the_owner_is_told_once);
fn a_role_that_is_gone_opens_its_step_and_the_owner_is_told_once(on: Platform) {
    run(on, watchful(), async |s| {
        s.set_up().await;
        assert!(s.ask("alice", "plan roles current").await.text().contains("Sekoia confirms it"));
        s.checklist("✅ *4 Define roles*").await;
        several_looks(s).await;
        drop_custom_role(s);
        let told = told_alone(s).await;
        assert!(told.starts_with("Step 4, \"Define roles\", of Nimbus Payments is open again: the role "), "{told}");
        let status = s.ask("dan", "status").await.text();
        assert!(status.contains("☐ *4 Define roles* · ⚠️ open again: the role "), "{status}");
        assert!(s.ask("alice", "audit").await.text().contains("roles open again: the role "));
        // A restart in between says nothing again.
        s.stop().await;
        s.start().await;
        s.rounds(3).await;
        assert_eq!(s.chat.standing_alone("alice").len(), 1);
        // Accepted as it is, it stays.
        assert!(s.ask("alice", "plan roles current").await.text().contains("Sekoia confirms it"));
        several_looks(s).await;
        assert!(s.ask("dan", "status").await.text().contains("✅ *4 Define roles*"));
        s.checklist("✅ *4 Define roles*").await;
        assert_eq!(s.chat.standing_alone("alice").len(), 1);
    });
}

on_both!(the_assignee_is_told_rather_than_who_ticked_it);
fn the_assignee_is_told_rather_than_who_ticked_it(on: Platform) {
    run(on, watchful(), async |s| {
        s.set_up().await;
        s.ask("bob", "assign roles @bob").await;
        s.ask("alice", "plan roles current").await;
        drop_custom_role(s);
        told_alone(s).await;
        assert_eq!(s.chat.standing_alone("bob").len(), 1, "{}", s.chat.dump());
        assert_eq!(s.chat.standing_alone("alice").len(), 0);
        s.ask("alice", "skip roles \"later\"").await;
        s.checklist("skipped: later").await;
    });
}

on_both!(what_people_attested_or_skipped_is_left_alone);
fn what_people_attested_or_skipped_is_left_alone(on: Platform) {
    run(on, watchful(), async |s| {
        s.set_up().await;
        s.ask("alice", "done roles anyway").await;
        s.ask("alice", "skip users \"not now\"").await;
        s.ask("alice", "plan products current").await;
        drop_custom_role(s);
        several_looks(s).await;
        let status = s.ask("dan", "status").await.text();
        assert!(status.contains("attested") && status.contains("skipped: not now"), "{status}");
        assert!(status.contains("✅ *1 Verify your subscription*"), "{status}");
        s.checklist("✅ *1 Verify your subscription*").await;
        assert!(!s.sekoia.calls().iter().any(|call| call.path.ends_with("/roles")), "nobody asked for roles");
    });
}

on_both!(a_sekoia_that_fails_changes_nothing);
fn a_sekoia_that_fails_changes_nothing(on: Platform) {
    run(on, watchful(), async |s| {
        s.set_up().await;
        s.ask("alice", "plan roles current").await;
        s.checklist("✅ *4 Define roles*").await;
        drop_custom_role(s);
        s.sekoia.faults().add(Fault::new(FaultKind::Reset).on("/roles"));
        asks(s, 1).await;
        several_looks(s).await;
        assert!(s.ask("dan", "status").await.text().contains("✅ *4 Define roles*"));
        assert_eq!(s.chat.standing_alone("alice").len(), 0);
    });
}
