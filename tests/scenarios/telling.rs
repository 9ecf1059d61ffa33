//! Messages of the feed on their way into the channel: refused, late, many, over, gone.

use std::time::Duration;

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::chat::ChannelKey;
use sekoia_chatops::domain::notify::Card;
use sekoia_chatops::domain::notify::{self, ChannelLog};
use sekoia_chatops::state::feed::{Posted, card_row};
use sekoia_chatops::state::kept::decode;
use sekoia_chatops::store::{Commit, Keep, KeptKind, Schedule, Store, Work, WorkKind};
use serde_json::json;
use uuid::Uuid;

use super::watching::{alert, at_rest, durable, message, rule, set_up, soc, standing, until};
use crate::harness::{Call, ChatFault, Platform, Setting, Stage, on_both, run, steady};

fn titled(s: &Stage, number: u8, first: Timestamp) -> (String, Card) {
    let uuid = format!("waits-{number}");
    let alert = notify::Alert {
        uuid: uuid.as_str().into(),
        title: Some(format!("Waited {number}").into()),
        urgency: Some(80),
        ..notify::Alert::default()
    };
    let community = s.sekoia.edit(|world| world.root);
    let what = notify::What::AlertRaised(alert);
    let id = format!("alert-{number}").into();
    let mut news =
        Card::new(&soc(s), notify::Occurrence { id, at: first, community, community_name: None, what }, first);
    news.rules = vec![1];
    (Card::alert_key(&soc(s), &uuid), news)
}

async fn rows(store: &dyn Store, kind: WorkKind) -> Vec<Work> {
    store.due(kind, Timestamp::MAX, 100).await.unwrap()
}

async fn plan(store: &dyn Store, schedule: Vec<Schedule>) {
    store.commit(Commit { schedule, ..Commit::default() }).await.unwrap();
}

async fn fired(store: &dyn Store, channel: &ChannelKey) -> ChannelLog {
    decode(&store.kept(KeptKind::Fired, channel.as_str()).await.unwrap().unwrap()).unwrap()
}

on_both!(a_channel_without_the_bot_is_tried_until_it_takes_news_again);
fn a_channel_without_the_bot_is_tried_until_it_takes_news_again(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=1"]).await;
        s.chat.bot_leaves(crate::harness::SOC);
        for number in 0..8 {
            alert(s, &format!("Kept {number}"), 80);
        }
        let told = loop {
            let seen = s.next_within(Duration::from_secs(30)).await;
            if seen.is_direct() {
                break seen;
            }
        };
        assert_snapshot!(told.text(), @r#"I cannot tell #soc-setup what happens at Sekoia: the bot is not in this channel. Type `/invite @sekoia` there and try again. I try again by myself, every ten minutes at least; what is older than seven days by then is dropped."#);
        assert!(s.ask("alice", "overview").await.text().contains("not delivered (news"));
        let store = s.store().await;
        assert_eq!(store.count_kept(KeptKind::DeadLetter).await.unwrap(), 1);
        s.chat.bot_joins(crate::harness::SOC);
        message(s, &["Alert storm", "3 alerts", "Kept"]).await;
        at_rest(s).await;
        assert_eq!(standing(s, &["Urgency 80", "Kept"]).len(), 5);
        assert!(!s.ask("alice", "overview").await.text().contains("not delivered"));
        assert_eq!(s.chat.standing_alone("alice").len(), 1);
    });
}

#[test]
fn what_was_put_aside_overwrites_nothing_newer_and_does_not_stay_for_ever() {
    run(Platform::Slack, durable(), async |s| {
        set_up(s, &["alert urgency>=75"]).await;
        s.stop().await;
        let (store, now) = (s.store().await, Timestamp::now());
        let put_aside = |key: &str, news: &Card| {
            let body = serde_json::to_string(news).unwrap();
            let letter = json!({ "kind": "news", "key": key, "why": "it was refused", "body": body });
            let key = format!("news/{key}");
            Keep { kind: KeptKind::DeadLetter, key, body: letter.to_string(), until: None }
        };
        let (key, stale) = titled(s, 1, now);
        let mut newer = stale.clone();
        newer.seq = 2;
        newer.gone = true;
        let (old_key, old) = titled(s, 2, now - SignedDuration::from_hours(8 * 24));
        let (again_key, again) = titled(s, 3, now);
        let posted =
            Posted { message: sekoia_chatops::chat::MessageId("1.1".into()), seq: 1, replaces: None, at: None };
        let keep = vec![
            put_aside(&key, &stale),
            put_aside(&old_key, &old),
            posted.row(&old_key),
            put_aside(&again_key, &again),
        ];
        let schedule = vec![card_row(&newer, &key, now)];
        store.commit(Commit { schedule, keep, ..Commit::default() }).await.unwrap();
        s.start().await;
        message(s, &["Waited 1", "It is not at Sekoia any more."]).await;
        message(s, &["Waited 3"]).await;
        at_rest(s).await;
        assert_eq!(standing(s, &["Waited"]).len(), 2);
        assert_eq!(store.count_kept(KeptKind::DeadLetter).await.unwrap(), 0);
        assert_eq!(store.kept(KeptKind::Posted, &old_key).await.unwrap(), None);
        let stored: Card = decode(&store.find(WorkKind::News, &key).await.unwrap().unwrap()).unwrap();
        assert!(stored.gone && stored.seq == 2);
    });
}

#[test]
fn an_intake_that_was_silent_for_long_is_still_said_to_be_back() {
    run(Platform::Slack, durable(), async |s| {
        s.set_up().await;
        let intake = s.sekoia.edit(|w| w.intakes.iter().find(|i| i.name == "Payment gateway").unwrap().uuid);
        s.sekoia.silence_intake(intake, SignedDuration::from_mins(130));
        rule(s, "silent \"Payment gateway\" for 1h").await;
        message(s, &["Silent intake", "Payment gateway"]).await;
        at_rest(s).await;
        s.stop().await;
        // As if it had been said eight days ago.
        let store = s.store().await;
        let key = fired(&*store, &soc(s)).await.silent.into_values().next().unwrap();
        let mut news: Card = decode(&store.find(WorkKind::News, &key).await.unwrap().unwrap()).unwrap();
        news.first -= SignedDuration::from_hours(8 * 24);
        plan(&*store, vec![card_row(&news, &key, Timestamp::now())]).await;
        s.start().await;
        at_rest(s).await;
        s.sekoia.wake_intake(intake);
        message(s, &["Intake sends again", "Payment gateway"]).await;
        at_rest(s).await;
        // Then it is over.
        until("it is forgotten", s, async || store.find(WorkKind::News, &key).await.unwrap().is_none()).await;
        assert!(fired(&*store, &soc(s)).await.silent.is_empty());
        assert_eq!(store.kept(KeptKind::Posted, &key).await.unwrap(), None);
    });
}

#[test]
fn a_storm_of_silences_names_them_and_says_which_are_back() {
    run(Platform::Slack, durable(), async |s| {
        s.set_up().await;
        let silent: Vec<Uuid> = s.sekoia.edit(|world| {
            let model = world.intakes[0].clone();
            let new = (1..=9).map(|n| {
                let name = format!("Plant {n}");
                let uuid = Uuid::from_u128(n);
                sekoia_chatops::sandbox::world::Intake { uuid, name, silences: vec![], ..model.clone() }
            });
            world.intakes = new.collect();
            world.intakes.iter().map(|intake| intake.uuid).collect()
        });
        for intake in &silent {
            s.sekoia.silence_intake(*intake, SignedDuration::from_mins(130));
        }
        rule(s, "silent for 1h").await;
        let storm = message(s, &["Many silent intakes", "4 silent intakes"]).await;
        assert_snapshot!(steady(storm.text()), @"
        Many silent intakes
        *No events from any intake for 1 hour*
        4 silent intakes from <date> <time> UTC to <date> <time> UTC. Still counting.
        Intakes: Plant 6, Plant 7, Plant 8, Plant 9
        Open the intakes in Sekoia <https://app.sekoia.io/operations/intakes>
        In Nimbus Payments
        Rule 1: No events from any intake for 1 hour
        [Mute this rule 1 h] [Mute this rule 1 day]
        ");
        for intake in &silent[5..8] {
            s.sekoia.wake_intake(*intake);
        }
        message(s, &["Many silent intakes", "3 of 4 sent events again: Plant 6, Plant 7, Plant 8"]).await;
        s.sekoia.wake_intake(silent[8]);
        message(s, &["Many silent intakes", "All sent events again: Plant 6, Plant 7, Plant 8, Plant 9"]).await;
        at_rest(s).await;
        assert_eq!(standing(s, &["Many silent intakes"]).len(), 1);
        assert_eq!(standing(s, &["Silent intake"]).len(), 5);
    });
}

#[test]
fn a_storm_that_is_over_says_so() {
    run(Platform::Slack, durable(), async |s| {
        set_up(s, &["alert urgency>=1"]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        s.sekoia.storm(None, 20);
        message(s, &["Alert storm", "15 alerts", "Still counting."]).await;
        at_rest(s).await;
        s.stop().await;
        let store = s.store().await;
        let storms = |rows: Vec<Work>| rows.into_iter().find(|work| work.key.contains("storm-")).unwrap();
        let work = storms(rows(&*store, WorkKind::News).await);
        let mut news: Card = decode(&work).unwrap();
        // It is looked at when it may be over.
        let mut swarm = news.swarm.clone().unwrap();
        assert_eq!(Some(work.due.as_millisecond()), swarm.ends().map(Timestamp::as_millisecond));
        // As if eleven minutes had passed.
        swarm.last -= SignedDuration::from_mins(11);
        news.swarm = Some(swarm);
        plan(&*store, vec![card_row(&news, &work.key, Timestamp::now())]).await;
        s.start().await;
        let storm = message(s, &["Alert storm", "15 alerts", "It is over since"]).await;
        assert!(!storm.text().contains("Still counting"), "{storm}");
        at_rest(s).await;
        assert!(
            storms(rows(&*store, WorkKind::News).await).due > Timestamp::now() + SignedDuration::from_hours(6 * 24)
        );
        assert_eq!(standing(s, &["Alert storm"]).len(), 1);
    });
}

#[test]
fn a_chat_that_hangs_keeps_no_other_channel_waiting() {
    run(Platform::Slack, Setting { beside: Some(Platform::Mattermost), ..durable() }, async |s| {
        set_up(s, &["alert urgency>=75"]).await;
        s.go_to_the_other();
        set_up(s, &["alert urgency>=75"]).await;
        for _ in 0..20 {
            s.chat.fault(Call::Post, ChatFault::Hangs);
        }
        let one = alert(s, "One", 80);
        s.chat.wait_for_calls(Call::Post, 2).await;
        s.go_to_the_other();
        message(s, &[&one.short_id]).await;
        // Told while one and the same call hangs. On a slow machine that one may just have been given up.
        let mut told = None;
        for _ in 0..5 {
            s.go_to_the_other();
            let hanging = s.chat.calls(Call::Post);
            let two = alert(s, "Two", 80);
            s.go_to_the_other();
            message(s, &[&two.short_id]).await;
            s.go_to_the_other();
            let same = s.chat.calls(Call::Post) == hanging;
            if same {
                told = Some(two);
                break;
            }
            s.go_to_the_other();
        }
        let two = told.expect("a chat that hangs keeps the other one waiting");
        s.chat.mend();
        message(s, &[&two.short_id]).await;
        at_rest(s).await;
        s.go_to_the_other();
        at_rest(s).await;
    });
}

on_both!(an_alert_that_is_gone_is_said_to_be_by_its_own_button);
fn an_alert_that_is_gone_is_said_to_be_by_its_own_button(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75"]).await;
        for typed in [false, true] {
            let title = if typed { "Typed" } else { "Pressed" };
            let raised = alert(s, title, 90);
            let card = message(s, &[title, "[Acknowledge]"]).await;
            // Nobody tells of it.
            s.sekoia.edit(|world| world.alerts.retain(|known| known.uuid != raised.uuid));
            let told = if typed {
                s.ask("bob", &format!("acknowledge {}", raised.short_id)).await
            } else {
                s.click("bob", &card, "Acknowledge").await
            };
            assert!(told.text().contains(&format!("Sekoia knows no alert `{}`", raised.short_id)), "{told}");
            let gone = message(s, &[title, "It is not at Sekoia any more."]).await;
            assert!(!gone.text().contains("[Acknowledge]"), "{gone}");
            at_rest(s).await;
        }
    });
}
