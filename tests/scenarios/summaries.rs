//! What rules did: asked for, and as digests that come by themselves.

use std::time::Duration;

use insta::assert_snapshot;
use jiff::civil::time;
use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::app::open_store;
use sekoia_chatops::chat::{Actor, ChannelKey, UserId};
use sekoia_chatops::config::{StoreConfig, StorePlace};
use sekoia_chatops::domain::notify::{
    About, ChannelLog, Command, Digest, Entry, Every, Journal, Trigger, Watch, decide,
};
use sekoia_chatops::state::kept::{keep, row_due};
use sekoia_chatops::state::rules::Notifications;
use sekoia_chatops::store::{Commit, KeptKind, Work, WorkKind};
use sekoia_chatops::timing::{Rhythm, Timing};
use serde_json::json;

use crate::harness::hook::Stage as At;
use crate::harness::slack::Fault;
use crate::harness::{Call, ChatFault, Kind, Platform, QUICK, SOC, Seen, Setting, Stage, on_both, on_slack, run};

const LONG: Duration = Duration::from_secs(40);

/// Nothing is watched: what the rules did is written into the store.
fn durable() -> Setting {
    let timing = Timing { watch: Rhythm { on: false, ..QUICK.watch }, ..QUICK };
    Setting { durable: true, file: true, timing, ..Setting::default() }
}

/// The bot's rules, seen from beside while it does not run.
struct Kept {
    notifications: Notifications,
    soc: ChannelKey,
    alice: UserId,
}

impl Kept {
    async fn of(s: &Stage) -> Self {
        let place = StorePlace::Sqlite(s.database().expect("a durable stage"));
        let config = StoreConfig { place, keys: None };
        let store = open_store(&config, &config.keys().expect("keys")).await.expect("a store");
        Self { notifications: Notifications::new(store), soc: s.channel(SOC), alice: s.person("alice") }
    }

    async fn change(&self, command: Command, at: Timestamp) {
        let by = Actor::Person(self.alice.clone());
        let decided = |rules: &_| decide(rules, command.clone(), at);
        self.notifications.change(&self.soc, &by, at, None, decided, |_| Vec::new()).await.expect("a change");
    }

    /// The three recommended rules, of which the first fired and was acknowledged and the third
    /// failed.
    async fn busy(&self, now: Timestamp) {
        self.change(Command::AddRecommended, now - SignedDuration::from_hours(72)).await;
        let mut journal = Journal::new(now - SignedDuration::from_hours(72));
        let before = now - SignedDuration::from_hours(30);
        journal.enter(Entry::Fired { rule: 1, urgency: Some(80), about: About::Nothing }, before);
        let at = now - SignedDuration::from_hours(3);
        for (n, entity) in [(2, "laptop-7"), (1, "mail`gateway` <!channel>")] {
            for urgency in [90, 76].into_iter().take(n) {
                let about = About::Entity(entity.into());
                journal.enter(Entry::Fired { rule: 1, urgency: Some(urgency), about }, at);
            }
        }
        journal.enter(Entry::Acknowledged { rule: 1, seconds: 700 }, at);
        journal.enter(Entry::Fired { rule: 2, urgency: None, about: About::Silent("Okta".into()) }, at);
        journal.enter(Entry::Failed { rule: 3 }, at);
        self.keep(journal).await;
    }

    async fn keep(&self, journal: Journal) {
        // As a newer release may write it: with more beside it.
        let log: ChannelLog =
            serde_json::from_value(json!({ "journal": journal, "storms": {}, "of a later release": 1 }))
                .expect("a log");
        let keep = vec![keep(KeptKind::Fired, self.soc.as_str(), &log)];
        self.commit(Commit { keep, ..Commit::default() }).await;
    }

    /// Set so long ago that one was missed.
    async fn missed(&self, now: Timestamp) {
        self.busy(now).await;
        self.change(daily("Europe/Paris"), now - SignedDuration::from_hours(60)).await;
    }

    /// The same, while the bot runs: it is due in a second.
    async fn due_soon(&self) {
        let now = Timestamp::now();
        self.change(daily("Europe/Paris"), now - SignedDuration::from_hours(60)).await;
        let due = row_due(WorkKind::Digest, self.daily_key(), &(), now + SignedDuration::from_secs(1));
        self.commit(Commit { schedule: vec![due], ..Commit::default() }).await;
    }

    /// The row that the daily digest is planned by.
    async fn planned(&self) -> Option<Work> {
        self.notifications.store().find(WorkKind::Digest, &self.daily_key()).await.unwrap()
    }

    fn daily_key(&self) -> String {
        format!("{}/daily", self.soc)
    }

    async fn commit(&self, commit: Commit) {
        self.notifications.store().commit(commit).await.expect("a commit");
    }
}

/// The bot stops, finds this, and starts.
async fn with(s: &mut Stage, prepare: impl AsyncFnOnce(&Kept)) {
    s.stop().await;
    prepare(&Kept::of(s).await).await;
    s.start().await;
}

async fn posted(s: &Stage, says: &str) -> Seen {
    loop {
        let seen = s.next_within(LONG).await;
        if seen.kind == Kind::Posted && seen.text().contains(says) {
            return seen;
        }
    }
}

fn daily(zone: &str) -> Command {
    let digest = Digest::new(Every::Day, time(8, 30, 0, 0), zone).expect("a digest");
    Command::SetDigest { digest }
}

on_both!(without_rules_the_summary_says_how_to_begin);
fn without_rules_the_summary_says_how_to_begin(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("dan", "notify summary").await.text(), @"
        Notifications of the last 24 hours
        There is nothing to sum up: this channel has no rules yet. `/sekoia notify recommended` adds the three that Sekoia recommends.
        [Last 7 days]
        ");
        assert_eq!(s.chat.pictures().len(), 0);
    });
}

on_both!(a_quiet_day_reads_well);
fn a_quiet_day_reads_well(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let now = Timestamp::now();
        with(s, async |kept| kept.change(Command::AddRecommended, now - SignedDuration::from_hours(60)).await).await;
        assert_snapshot!(s.ask("dan", "notify summary").await.text(), @"
        Notifications of the last 24 hours
        Nothing fired, as before.
        • Did not fire: rules 1, 2, 3
        [Last 7 days]
        ");
    });
}

on_both!(the_summary_counts_and_the_chart_goes_to_whoever_asked);
fn the_summary_counts_and_the_chart_goes_to_whoever_asked(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        with(s, async |kept| kept.busy(Timestamp::now()).await).await;
        assert_snapshot!(s.ask("dan", "notify summary").await.text(), @"
        Notifications of the last 24 hours
        *4 notifications*, up 3 from 1 in the time before.
        By urgency: 2 Urgent, 1 Major, 1 without urgency.
        ```
        #  Fired  By urgency         Before  Ack. after  Rule
        1      3  2 Urgent, 1 Major       1      11 min  Alert raised, urgency 75 or more
        2      1  -                       0           -  No events from any intake for 1 hour
        ```
        • Acknowledged: 1 alert; median time to acknowledge: 11 min
        • Noisiest entities: laptop-7 (2), mail`gateway` <!channel> (1)
        • Intakes that fell silent: Okta (1) · Open the intakes in Sekoia <https://app.sekoia.io/operations/intakes>
        • Did not fire: rule 3
        • ⚠️ Rule 3 could not be looked at 1 time; `/sekoia notify` says why
        The chart is in your direct messages.
        [Last 7 days]
        ");
        let chart = s.direct().await;
        assert!(chart.text().starts_with("(picture: Notifications, "), "{chart}");
        let shown = s.chat.pictures();
        assert_eq!(shown.len(), 1);
        assert_eq!((&*shown[0].name, shown[0].under.as_deref()), ("notifications.png", None));
        assert!(shown[0].content.starts_with(b"\x89PNG"));
        assert!(shown[0].alt.contains("4 notifications"), "{}", shown[0].alt);
    });
}

on_both!(a_table_holds_whatever_a_rule_is_called);
fn a_table_holds_whatever_a_rule_is_called(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let now = Timestamp::now();
        with(s, async |kept| {
            let names = ["|a|\n@channel `x`|", "**y** <!here> &#124;", "\\| ~~z~~ [k](http://k)"];
            let mut journal = Journal::new(now - SignedDuration::from_hours(72));
            for (number, name) in (1..).zip(names) {
                let mut watch = Watch::new(Trigger::AlertRaised);
                watch.conditions.rule = Some(name.into());
                kept.change(Command::Add { watch }, now - SignedDuration::from_hours(72)).await;
                for urgency in [100, 60, 59, 40].into_iter().skip(number as usize) {
                    let fired = Entry::Fired { rule: number, urgency: Some(urgency), about: About::Nothing };
                    journal.enter(fired, now - SignedDuration::from_hours(2));
                }
            }
            kept.keep(journal).await;
        })
        .await;
        assert_snapshot!(s.ask("dan", "notify summary").await.text(), @r#"
        Notifications of the last 24 hours
        *6 notifications*, up 6 from 0 in the time before.
        By urgency: 1 Major, 5 High.
        ```
        #  Fired  By urgency       Before  Ack. after  Rule
        1      3  1 Major, 2 High       0           -  Alert raised, rule "|a| @channel `x`|"
        2      2  2 High                0           -  Alert raised, rule "**y** <!here> &#124;"
        3      1  1 High                0           -  Alert raised, rule "\| ~~z~~ [k](http://k)"
        ```
        The chart is in your direct messages.
        [Last 7 days]
        "#);
        s.direct().await;
    });
}

on_both!(a_chart_that_cannot_be_sent_takes_no_words_away);
fn a_chart_that_cannot_be_sent_takes_no_words_away(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        with(s, async |kept| kept.busy(Timestamp::now()).await).await;
        for fault in [ChatFault::Refuses, ChatFault::TokenDead] {
            s.chat.fault(Call::Upload, fault);
            let told = s.ask("dan", "notify summary 7d").await.text();
            assert!(told.contains("*5 notifications*"), "{told}");
            assert!(told.contains("The chart could not be sent: "), "{told}");
        }
        assert_eq!(s.chat.pictures().len(), 0);
    });
}

/// Slack's apps have scopes, its files an address of their own, and titles.
#[test]
fn what_keeps_a_chart_from_slack_is_named() {
    on_slack(durable(), async |s| {
        s.set_up().await;
        with(s, async |kept| kept.busy(Timestamp::now()).await).await;
        s.slack().edit(|world| {
            world.scopes.remove("files:write");
        });
        let told = s.ask("dan", "notify summary 7d").await.text();
        assert!(told.contains("The chart could not be sent: the app lacks the scope files:write."), "{told}");
        s.slack().edit(|world| {
            world.scopes.insert("files:write".into());
        });
        s.slack().fault("upload", Fault::Status(500));
        let told = s.ask("dan", "notify summary").await.text();
        assert!(told.contains("The chart could not be sent: "), "{told}");
        s.slack().fault("files.completeUploadExternal", Fault::LoseReply);
        let told = s.ask("dan", "notify summary").await.text();
        assert!(told.contains("The chart could not be sent: the chat platform did not say"), "{told}");
        s.direct().await;
        let shown = s.slack().shown();
        assert_eq!(shown[0].title, "Notifications over time");
        assert!(shown[0].channel.starts_with('D'));
    });
}

on_both!(a_missed_digest_comes_once_with_its_chart_in_the_thread);
fn a_missed_digest_comes_once_with_its_chart_in_the_thread(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        with(s, async |kept| kept.missed(Timestamp::now()).await).await;
        let digest = posted(s, "Daily digest").await;
        assert!(digest.text().contains(" Europe/Paris\n"), "{digest}");
        assert!(digest.to_string().starts_with("#soc-setup (posted)"), "{digest}");
        posted(s, "(picture: ").await;
        assert_eq!(s.chat.pictures()[0].under.as_deref(), digest.id());
        s.stop().await;
        let kept = Kept::of(s).await;
        let daily = kept.notifications.read(&kept.soc).await.unwrap().daily.unwrap();
        assert!(daily.due(Timestamp::now()).is_none(), "it counts as sent");
        assert_eq!(Some(kept.planned().await.unwrap().due), daily.digest.next_after(Timestamp::now()));
        s.start().await;
        s.rounds(3).await;
        assert_eq!(s.chat.pictures().len(), 1);
    });
}

on_both!(a_digest_is_sent_once_over_a_crash_in_the_middle);
fn a_digest_is_sent_once_over_a_crash_in_the_middle(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        // Posted, and nobody hears of it.
        s.chat.fault(Call::Post, ChatFault::LosesReply);
        with(s, async |kept| kept.missed(Timestamp::now()).await).await;
        posted(s, "Daily digest").await;
        s.crash().await;
        s.start().await;
        posted(s, "(picture: ").await;
        let said = s.chat.standing(SOC);
        let digests = said.iter().filter(|seen| seen.text().contains("Daily digest")).count();
        assert_eq!((digests, s.chat.pictures().len()), (1, 1));
    });
}

on_both!(a_digest_that_cannot_be_recorded_is_posted_once);
/// On Mattermost, it is the same post when it is sent again.
fn a_digest_that_cannot_be_recorded_is_posted_once(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.sql(
            "CREATE TRIGGER full BEFORE DELETE ON work WHEN OLD.kind = 'digest' BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .await;
        let kept = Kept::of(s).await;
        kept.busy(Timestamp::now()).await;
        kept.due_soon().await;
        posted(s, "Daily digest").await;
        s.rounds(3).await;
        s.sql("DROP TRIGGER full").await;
        posted(s, "(picture: ").await;
        let said = s.chat.standing(SOC);
        let digests = said.iter().filter(|seen| seen.text().contains("Daily digest")).count();
        assert_eq!((digests, s.chat.pictures().len()), (1, 1));
    });
}

#[test]
fn of_two_processes_one_says_what_is_due() {
    on_slack(durable(), async |s| {
        s.set_up().await;
        let kept = Kept::of(s).await;
        kept.busy(Timestamp::now()).await;
        // The built binary on the same store; whoever is slow is still at it when the other one looks.
        s.start_program_with(&[("CHATOPS_REHEARSE_TIMING", "400,900,100,60000,0")]).await;
        s.slack().on_call(|method, at| {
            if method == "chat.postMessage" && at == At::Done {
                std::thread::sleep(Duration::from_millis(600));
            }
        });
        kept.due_soon().await;
        posted(s, "Daily digest").await;
        posted(s, "(picture: ").await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.ask("bob", &format!("reject {id} no")).await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        // Both look as often.
        s.rounds(10).await;
        let digests = |s: &Stage| s.chat.standing(SOC).iter().filter(|m| m.text().contains("Daily digest")).count();
        assert_eq!((digests(s), s.chat.pictures().len()), (1, 1));
        assert_eq!(s.chat.standing_alone("alice").len(), 1);
        // The one that is left takes over.
        s.slack().on_call(|_, _| {});
        s.crash().await;
        let id = s.request_for("alice", "invite bo@nimbus.example").await;
        s.checklist("⏳").await;
        s.ask("bob", &format!("reject {id} no")).await;
        s.direct().await;
        s.card("Rejected").await;
        s.checklist_at_rest().await;
        assert_eq!(s.chat.standing_alone("alice").len(), 2);
        let cards = s.chat.standing(SOC).iter().filter(|m| m.text().contains("Request ")).count();
        assert_eq!((digests(s), cards), (1, 2));
    });
}

on_both!(alerts_of_storms_are_said_to_be_left_out);
fn alerts_of_storms_are_said_to_be_left_out(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        with(s, async |kept| {
            kept.change(Command::AddRecommended, Timestamp::now() - SignedDuration::from_hours(72)).await;
            let at = Timestamp::now() - SignedDuration::from_hours(3);
            let mut journal = Journal::new(at);
            for number in 0..9 {
                journal.enter(Entry::Fired { rule: 1, urgency: Some(90), about: About::Nothing }, at);
                if number >= 5 {
                    journal.enter(Entry::Swarmed { rule: 1 }, at);
                }
            }
            journal.enter(Entry::Acknowledged { rule: 1, seconds: 700 }, at);
            kept.keep(journal).await;
        })
        .await;
        let told = s.ask("dan", "notify summary").await.text();
        let says = "1 alert; median time to acknowledge: 11 min; without 4 of 9 alerts that came in storms";
        assert!(told.contains(says), "{told}");
        s.direct().await;
    });
}

#[test]
fn a_chart_without_an_answer_is_not_sent_twice() {
    on_slack(durable(), async |s| {
        s.set_up().await;
        s.slack().fault("files.completeUploadExternal", Fault::LoseReply);
        with(s, async |kept| kept.missed(Timestamp::now()).await).await;
        posted(s, "(picture: ").await;
        s.rounds(3).await;
        assert_eq!(s.slack().shown().len(), 1);
    });
}

on_both!(a_digest_whose_chart_is_refused_says_so);
fn a_digest_whose_chart_is_refused_says_so(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.chat.fault(Call::Upload, ChatFault::Refuses);
        with(s, async |kept| kept.missed(Timestamp::now()).await).await;
        posted(s, "Daily digest").await;
        let edited = s.chat.next_where(LONG, "an edit", |seen| seen.kind == Kind::Edited).await;
        assert!(edited.text().contains("The chart could not be sent: "), "{edited}");
        assert!(edited.text().contains("Daily digest"), "{edited}");
        assert_eq!(s.chat.pictures().len(), 0);
    });
}

on_both!(a_digest_that_cannot_be_edited_is_replaced);
fn a_digest_that_cannot_be_edited_is_replaced(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.chat.close_edits(true);
        s.chat.fault(Call::Upload, ChatFault::Refuses);
        with(s, async |kept| kept.missed(Timestamp::now()).await).await;
        let first = posted(s, "Daily digest").await;
        let anew = posted(s, "The chart could not be sent: ").await.text();
        assert!(anew.contains("Daily digest"), "{anew}");
        assert!(anew.contains("This message replaces an earlier one"), "{anew}");
        let standing = s.chat.standing(SOC);
        let digests: Vec<_> = standing.iter().filter(|seen| seen.text().contains("Daily digest")).collect();
        assert_eq!(digests.len(), 2);
        assert_eq!(digests[0].text(), first.text());
    });
}

on_both!(a_digest_that_was_switched_off_is_dropped);
fn a_digest_that_was_switched_off_is_dropped(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        with(s, async |kept| {
            let now = Timestamp::now();
            kept.missed(now).await;
            let row = row_due(WorkKind::Digest, kept.daily_key(), &(), now - SignedDuration::from_hours(1));
            kept.commit(Commit { schedule: vec![row], ..Commit::default() }).await;
            kept.change(Command::ClearDigest { which: sekoia_chatops::domain::notify::Which::Daily }, now).await;
        })
        .await;
        s.rounds(3).await;
        assert_eq!(s.chat.standing(SOC).len(), 1, "the checklist alone");
        s.stop().await;
        assert!(Kept::of(s).await.planned().await.is_none());
        s.start().await;
    });
}

on_both!(a_digest_that_can_never_be_said_is_put_aside_and_told);
fn a_digest_that_can_never_be_said_is_put_aside_and_told(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.chat.bot_is_in(SOC, false);
        with(s, async |kept| kept.missed(Timestamp::now()).await).await;
        let told = posted(s, "daily digest").await.text();
        assert_snapshot!(told, @r#"I could not post the daily digest in #soc-setup: the bot is not in this channel. Type `/invite @sekoia` there and try again. I keep trying by myself; the next one is about this one's time as well."#);
        assert!(s.ask("alice", "overview").await.text().contains("not delivered (digest"));
        s.chat.bot_is_in(SOC, true);
        s.stop().await;
        s.start().await;
        posted(s, "Daily digest").await;
        posted(s, "(picture: ").await;
        s.rounds(1).await;
        assert!(!s.ask("alice", "overview").await.text().contains("not delivered"));
    });
}

/// Bytes first, then a post that refers to them, in the thread and with the words.
#[tokio::test]
async fn a_chart_on_mattermost_is_a_post_with_its_words() {
    use std::sync::{Arc, Mutex};

    use axum::body::Bytes;
    use axum::extract::Query;
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use sekoia_chatops::chat::{ChatError, ChatPlatform, MessageId, Picture};
    use sekoia_chatops::config::MattermostConfig;
    use sekoia_chatops::platform::mattermost::MattermostClient;
    use sekoia_chatops::platform::mattermost::seal::Sealer;
    use sekoia_chatops::store::keyfile;
    use serde_json::Value;

    let _ = rustls::crypto::ring::default_provider().install_default();
    let (said, posts) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (uploads, posted) = (Arc::clone(&said), Arc::clone(&posts));
    let upload = move |Query(query): Query<Value>, body: Bytes| async move {
        uploads.lock().unwrap().push((query, body.to_vec()));
        Json(json!({ "file_infos": [{ "id": "file1" }], "client_ids": [] }))
    };
    let new_post = move |Json(body): Json<Value>| async move {
        let mut posts = posted.lock().unwrap();
        posts.push(body);
        let status =
            if posts.len() == 1 { axum::http::StatusCode::CREATED } else { axum::http::StatusCode::BAD_GATEWAY };
        (status, Json(json!({ "id": "post2" })))
    };
    let me = get(|| async { Json(json!({ "id": "botbotbotbotbotbotbotbotbo", "username": "sekoia" })) });
    let router = Router::new()
        .route("/api/v4/users/me", me)
        .route("/api/v4/files", post(upload))
        .route("/api/v4/posts", post(new_post));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: url::Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = MattermostConfig {
        public_url: Some(url.clone()),
        url,
        bot_token: "canary".to_owned().into(),
        command_tokens: vec!["t".to_owned().into()],
        sources: vec![],
        trigger: "sekoia".into(),
        network: sekoia_chatops::resolve::network::Network::default(),
    };
    let client = MattermostClient::new(
        &config,
        Sealer::new(&[keyfile::new_key()]),
        std::sync::Arc::default(),
        std::sync::Arc::default(),
    )
    .unwrap();
    let place = "c".repeat(26);
    let alt = "Notifications: 4 of @all".to_owned();
    let picture = Picture { name: "a b.png".into(), title: "x".into(), alt, png: b"\x89PNG".to_vec() };
    let (channel, under) = (ChannelKey::mattermost(&place), MessageId("root1".into()));
    client.picture(&channel, Some(&under), &picture).await.unwrap();
    let (query, bytes) = said.lock().unwrap()[0].clone();
    assert_eq!((query, &*bytes), (json!({ "channel_id": place, "filename": "a b.png" }), &b"\x89PNG"[..]));
    let post = posts.lock().unwrap()[0].clone();
    assert_eq!(post["root_id"], "root1");
    assert_eq!(post["file_ids"], json!(["file1"]));
    let message = post["message"].as_str().unwrap();
    assert!(message.starts_with("Notifications: 4 of @") && !message.contains("@all"), "{message}");
    // The post's outcome is unknown: it may be there.
    assert_eq!(client.picture(&channel, None, &picture).await, Err(ChatError::Unclear));
}
