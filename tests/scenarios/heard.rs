//! What is said to the bot on Mattermost's WebSocket, and what is read after that was lost: each once.

use std::time::Duration;

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::sandbox::{Fault, FaultKind};
use sekoia_chatops::state::listening::Listening;
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::{SqliteStore, Store, keyfile};
use sekoia_chatops::timing::{Reach, Timing};
use serde_json::json;

use super::socket_mode::logged;
use crate::harness::mattermost::Seen as Shown;
use crate::harness::{Call, ChatFault, QUICK, SOC, Setting, Stage, on_mattermost};

fn durable() -> Setting {
    Setting { durable: true, file: true, ..Setting::default() }
}

/// How often something was skipped, by the history.
async fn skipped(s: &Stage) -> usize {
    s.ask("alice", "audit 50").await.text().matches("skipped").count()
}

/// What is said next is answered, and whatever was said before has been looked at by then.
async fn is_alive(s: &Stage) {
    s.mattermost().write("dan", SOC, "@sekoia whoami");
    let told = s.reply().await;
    assert!(told.text().contains("You are @dan"), "{told}");
}

#[test]
fn only_what_people_say_to_the_bot_counts() {
    on_mattermost(Setting::default(), async |s| {
        s.set_up().await;
        let world = s.mattermost();
        world.is_listened_to().await;
        let skip = |how: &str| json!({ "message": format!("@sekoia skip 7 \"{how}\"") });
        let by = |how: &str, more: serde_json::Value| {
            let mut post = skip(how);
            post.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            world.write_as("alice", SOC, post);
        };
        world.write_as("sekoia", SOC, skip("its own"));
        world.write_as("robo", SOC, skip("another bot"));
        for name in ["from_webhook", "from_bot", "from_plugin", "from_oauth_app"] {
            by(name, json!({ "props": { (name): "true" } }));
        }
        by("the server", json!({ "type": "system_add_to_channel" }));
        by("a plugin", json!({ "type": "custom_poll" }));
        for text in ["skip 7 nobody", "@sekoia-test skip 7 x", "`@sekoia skip 7 x`", "@all skip 7 x"] {
            world.write("alice", SOC, text);
        }
        let edited = world.write("alice", SOC, "nothing");
        world.rewrite(&edited, "@sekoia skip 7 \"edited\"");
        // Where it is not, it hears nothing.
        world.write("alice", "quiet", "@sekoia skip 7 elsewhere");
        is_alive(s).await;
        assert_eq!(skipped(s).await, 0);
        // A guest is told so.
        world.write("gina", SOC, "Hello @sekoia: skip 7 x");
        assert_snapshot!(s.reply().await.text(), @"Guests have no rights here. Ask a full member of the workspace. Your id is `chat:gina`.");
    });
}

#[test]
fn what_is_said_while_the_connection_is_lost_is_done_once() {
    on_mattermost(durable(), async |s| {
        let posted = s.set_up().await;
        let world = s.mattermost();
        world.is_listened_to().await;
        world.cut_sockets(None).await;
        let edited = world.write("alice", SOC, "@sekoia skip 5 \"as it was not heard\"");
        world.rewrite(&edited, "@sekoia skip 5 \"edited\"");
        world.write("alice", SOC, "@sekoia skip 7 \"not now\"");
        world.write_under("alice", posted.on_mattermost(), "@sekoia reopen 7");
        world.sockets_stand();
        // In the order in which it was said, and where.
        assert!(s.reply().await.text().contains("skipped"));
        let shown: Shown = s.reply().await.on_mattermost().clone();
        assert!(shown.to_string().starts_with("ephemeral to alice in #soc-setup, in a thread"), "{shown}");
        s.checklist("☐ *7 Configure notifications*").await;
        // Read again, it is known.
        for _ in 0..2 {
            world.cut_sockets(None).await;
            world.sockets_stand();
            world.is_listened_to().await;
            is_alive(s).await;
        }
        s.stop().await;
        s.start().await;
        s.mattermost().is_listened_to().await;
        is_alive(s).await;
        assert_eq!(skipped(s).await, 1);
    });
}

#[test]
fn what_is_said_while_the_bot_is_stopped_is_done_once_and_by_a_new_bot_never() {
    on_mattermost(durable(), async |s| {
        s.set_up().await;
        s.mattermost().is_listened_to().await;
        is_alive(s).await;
        s.stop().await;
        s.mattermost().write("alice", SOC, "@sekoia skip 7 \"not now\"");
        s.start().await;
        assert!(s.reply().await.text().contains("skipped"));
        s.checklist("not now").await;
        s.stop().await;
        s.start().await;
        s.mattermost().is_listened_to().await;
        is_alive(s).await;
        assert_eq!(skipped(s).await, 1);
    });
    // One that remembers nothing does nothing that was said before it.
    on_mattermost(Setting::default(), async |s| {
        s.stop().await;
        s.mattermost().write("alice", SOC, "@sekoia setup");
        s.start().await;
        is_alive(s).await;
        assert!(s.ask("alice", "status").await.text().contains("not set up yet"));
    });
}

#[test]
fn what_is_read_too_late_is_not_done_and_said_so_once() {
    on_mattermost(durable(), async |s| {
        s.set_up().await;
        s.mattermost().is_listened_to().await;
        is_alive(s).await;
        s.stop().await;
        // The store has known the bot for a day, and heard everything until three hours ago.
        let ago = |minutes| (Timestamp::now() - SignedDuration::from_mins(minutes)).as_millisecond();
        listened(s, 24 * 60, 3 * 60).await;
        let write = |minutes, text: &str| {
            s.mattermost().write_as("alice", SOC, json!({ "message": text, "create_at": ago(minutes) }));
        };
        write(13 * 60, "@sekoia skip 6 \"half a day ago\"");
        write(191, "@sekoia skip 6 \"before that\"");
        write(130, "@sekoia skip 7 \"long ago\"");
        write(11, "@sekoia");
        write(9, "@sekoia skip 7 \"not now\"");
        s.start().await;
        assert_snapshot!(s.reply().await.text(), @r#"
        I read this only now, 2 hours after you wrote it, and did nothing: `skip 7 "long ago"`
        I was not connected to this chat until now. Type it again if you still want it.
        "#);
        assert_snapshot!(s.reply().await.text(), @"
        I read this only now, 11 minutes after you wrote it, and did nothing.
        I was not connected to this chat until now. Type it again if you still want it.
        ");
        assert!(s.reply().await.text().contains("skipped"));
        s.checklist("not now").await;
        // Once; and nothing is read that is older than the store knows.
        s.stop().await;
        listened(s, 24 * 60, 20 * 60).await;
        s.start().await;
        assert!(
            s.reply().await.text().contains("3 hours after you wrote it, and did nothing: `skip 6 \"before that\"`")
        );
        is_alive(s).await;
        assert_eq!(skipped(s).await, 1);
    });
}

/// The bot is stopped; by its store it has listened since, and heard everything until, so many minutes ago.
async fn listened(s: &Stage, since: i64, until: i64) {
    let database = s.database().expect("a durable stage");
    let store = SqliteStore::open(&database, Chain::new(&keyfile::beside(&database).unwrap())).await.unwrap();
    let ago = |minutes| Timestamp::now() - SignedDuration::from_mins(minutes);
    Listening { since: ago(since), until: Some(ago(until)) }.keep(&store, "mattermost").await.unwrap();
    store.close().await;
}

#[test]
fn what_was_heard_is_answered_after_a_crash_in_its_thread() {
    on_mattermost(durable(), async |s| {
        let posted = s.set_up().await;
        s.mattermost().is_listened_to().await;
        s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 60_000 }).on("/licenses"));
        // One that only looks, and one that changes something.
        let before = s.sekoia.calls().len();
        s.mattermost().write_under("dan", posted.on_mattermost(), "@sekoia subscription");
        s.mattermost().write_under("alice", posted.on_mattermost(), "@sekoia plan products current");
        while s.sekoia.calls().len() < before + 2 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        s.crash().await;
        s.sekoia.faults().clear();
        s.start().await;
        for _ in 0..2 {
            let shown = s.reply().await.on_mattermost().to_string();
            assert!(shown.starts_with("ephemeral to ") && shown.contains(" in #soc-setup, in a thread"), "{shown}");
        }
        s.checklist("✅ *1 Verify your subscription*").await;
        is_alive(s).await;
    });
}

#[test]
fn what_the_server_does_not_tell_is_read() {
    on_mattermost(Setting::default(), async |s| {
        s.set_up().await;
        let world = s.mattermost();
        world.is_listened_to().await;
        // An event is dropped; the next one has a number that does not follow.
        world.edit(|state| state.drops_event = true);
        world.write("dan", SOC, "@sekoia status");
        world.write("alice", SOC, "never mind");
        assert!(s.reply().await.text().contains("Sekoia workspace setup"));
        // A connection that only seems to stand.
        let connections = world.calls("GET /websocket");
        world.edit(|state| state.sockets_hang = true);
        world.write("dan", SOC, "@sekoia whoami");
        assert!(s.reply().await.text().contains("You are @dan"));
        assert!(world.calls("GET /websocket") > connections);
        world.edit(|state| state.sockets_hang = false);
        is_alive(s).await;
    });
}

#[test]
fn a_long_talk_is_read_to_its_beginning() {
    on_mattermost(Setting::default(), async |s| {
        s.set_up().await;
        let world = s.mattermost();
        world.is_listened_to().await;
        world.cut_sockets(Some(502)).await;
        world.write("dan", SOC, "@sekoia status");
        for n in 0..450 {
            world.write("bob", SOC, &format!("and another thing: {n}"));
        }
        world.sockets_stand();
        assert!(s.reply().await.text().contains("Sekoia workspace setup"));
        assert!(world.calls("GET /channels/{id}/posts (pages)") >= 3);
    });
}

#[test]
fn what_cannot_be_read_now_is_read_later() {
    on_mattermost(Setting::default(), async |s| {
        s.set_up().await;
        let world = s.mattermost();
        world.is_listened_to().await;
        world.cut_sockets(None).await;
        world.write("dan", SOC, "@sekoia status");
        for endpoint in ["GET /users/me/channels", "GET /channels/{id}/posts (pages)"] {
            for _ in 0..4 {
                world.fault(endpoint, crate::harness::mattermost::Fault::Status(503));
            }
        }
        world.sockets_stand();
        assert!(s.reply().await.text().contains("Sekoia workspace setup"));
        // Who is meant cannot be asked for a while.
        for _ in 0..4 {
            world.fault("POST /users/usernames", crate::harness::mattermost::Fault::Status(503));
        }
        world.write("bob", SOC, "@sekoia assign 5 @bob");
        assert!(s.reply().await.text().contains("@bob"));
        s.progress().await;
    });
}

#[test]
fn a_token_that_is_refused_is_tried_again() {
    on_mattermost(durable(), async |s| {
        s.set_up().await;
        is_alive(s).await;
        s.stop().await;
        s.chat.refuse_token(true);
        s.start().await;
        s.mattermost().wait_for_calls("GET /websocket", 3).await;
        s.mattermost().write("dan", SOC, "@sekoia status");
        s.chat.refuse_token(false);
        assert!(s.reply().await.text().contains("Sekoia workspace setup"));
    });
}

#[test]
fn what_is_said_while_the_token_is_refused_is_read_when_it_counts_again() {
    let reach = Reach { asked_every: Duration::from_millis(50), ..Reach::default() };
    on_mattermost(Setting { timing: Timing { reach, ..QUICK }, ..Setting::default() }, async |s| {
        s.set_up().await;
        let world = s.mattermost();
        world.is_listened_to().await;
        let connections = world.calls("GET /websocket");
        s.chat.refuse_token(true);
        world.write("dan", SOC, "@sekoia whoami");
        world.wait_for_calls("GET /users/me", world.calls("GET /users/me") + 2).await;
        assert_eq!(world.calls("GET /websocket"), connections, "the connection stands");
        s.chat.refuse_token(false);
        assert!(s.reply().await.text().contains("You are @dan"));
        assert_eq!(world.calls("GET /websocket"), connections + 1);
    });
}

#[test]
fn why_mentions_are_not_heard_is_in_the_log() {
    on_mattermost(durable(), async |s| {
        s.stop().await;
        let world = s.mattermost().clone();
        world.cut_sockets(Some(403)).await;
        s.start_program().await;
        let line = logged(s, "answered 403 to a WebSocket").await;
        assert!(line.contains("WARN") && line.contains("must pass WebSockets on at /api/v4/websocket"), "{line}");
        world.sockets_stand();
        logged(s, "listening to Mattermost").await;
        s.kill_program();
        s.chat.refuse_token(true);
        s.start_program().await;
        let line = logged(s, "does not take the bot's token on its WebSocket").await;
        assert!(line.contains("WARN") && line.contains("Check MATTERMOST_BOT_TOKEN"), "{line}");
        s.kill_program();
        assert!(!std::fs::read_to_string(s.log()).unwrap().contains(world.bot_token()));
    });
}

#[test]
fn a_channel_that_the_bot_is_added_to_is_welcomed_and_heard() {
    on_mattermost(Setting::default(), async |s| {
        let world = s.mattermost();
        world.is_listened_to().await;
        world.write("alice", "quiet", "@sekoia whoami");
        world.add_bot("alice", "quiet");
        assert!(s.reply().await.text().contains("You are @alice"));
        assert_snapshot!(s.announced("I set up Sekoia").await.text(), @"
        Hello, I am Sekoia's setup bot
        I set up Sekoia workspaces from a channel: seven steps, each checked with Sekoia's API, approvals by button for what is sensitive, and a record of who did what.
        @alice or @bob can set it up with `/sekoia setup`.
        [Set up this channel]! [Help]
        ");
        world.write("alice", "quiet", "@sekoia setup");
        assert!(s.reply().await.text().contains("This channel now works on"));
        s.progress().await;
        // Another person who is added is nobody's business.
        world.edit(|state| {
            state.channel("quiet").members.insert("x".into());
        });
        is_alive(s).await;
    });
}

#[test]
fn a_mention_alone_with_the_bot_is_answered_there() {
    on_mattermost(Setting::default(), async |s| {
        let world = s.mattermost();
        world.is_listened_to().await;
        world.write_alone("alice", "hello");
        world.write_alone("alice", "@sekoia whoami");
        let told = s.direct().await;
        assert!(told.text().contains("You are @alice"), "{told}");
    });
}

fn without_calls() -> Setting {
    Setting { only_mentions: true, ..Setting::default() }
}

#[test]
fn a_server_that_cannot_call_the_bot_is_served_by_mentions_alone() {
    on_mattermost(without_calls(), async |s| {
        let world = s.mattermost();
        let says = async |who: &str, text: &str| {
            world.write(who, SOC, &format!("@sekoia {text}"));
            s.reply().await
        };
        assert_snapshot!(says("alice", "status").await.text(), @"
        *This channel is not set up yet.*
        I set up Sekoia workspaces from a channel: seven steps, each checked with Sekoia's API, approvals by button for what is sensitive, and a record of who did what.
        You can set it up: type `@sekoia setup`.
        • Set up this channel: `@sekoia setup`
        ");
        assert!(says("alice", "setup").await.text().contains("This channel now works on"));
        assert_snapshot!(crate::harness::steady(s.progress().await.text()), @"
        Sekoia workspace setup
        *Nimbus Payments* · single-tenant
        ▓░░░░░░  0 of 7 done · 1 not applicable
        ☐ *Before you start*
        ☐ *1 Verify your subscription*
        ☐ *2 Confirm your region*
        ➖ *3 Create communities* · not applicable
        ☐ *4 Define roles*
        ☐ *5 Invite users*
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        • Open a step: `@sekoia step …` – one of `prerequisites`, `subscription`, `region`, `communities`, `roles`, `users`, `keys`, `notifications`, `quickstart`, `hardening`
        • Next: `@sekoia next`
        • Refresh: `@sekoia refresh`
        ");
        let help = says("alice", "help").await;
        assert!(
            help.text().contains("Type them after `@sekoia`, also in threads. This chat server cannot call me"),
            "{help}"
        );
        assert_snapshot!(says("alice", "skip").await.text(), @r#"
        `skip` needs to know which step.
        Usage: `@sekoia skip <step> <reason>`
        Try: `@sekoia skip notifications "we use our own alerting"`
        "#);
        // A form has a typed equal.
        assert_snapshot!(says("alice", "invite").await.text(), @"That takes more words. Type: `@sekoia invite <e-mail…, from <file>> [as <role>] [to <community, …>] [because <reason>] [--leave-out] [--dry-run]`");
        let asked = says("alice", "invite ana@nimbus.example").await;
        let id = crate::harness::id_in(&asked);
        let card = s.card("Approval needed").await;
        assert!(card.text().contains(&format!("Approve: `@sekoia approve {id}`")), "{card}");
        s.checklist("⏳").await;
        assert!(says("bob", &format!("approve {id}")).await.text().starts_with("You approved"));
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        // What only a form can show is not asked for.
        assert_snapshot!(says("alice", "key create forwarder for read-alerts expires 30d").await.text(), @"
        A secret is shown in a form, and I can open no forms here, because this chat server cannot call me. Nothing was created.
        Use a channel of another chat that I serve, or ask your bot administrator to let the server call me.
        ");
        assert!(
            says("alice", "key create forwarder for read-alerts expires 30d --dry-run").await.text().contains("POST")
        );
        // Nothing can be pressed anywhere, and nothing is listened to that nobody calls.
        assert!(!world.dump_without_views().contains("\"integration\""));
        for path in ["command", "action", "dialog"] {
            let answer = s.http.post(format!("http://{}/mattermost/{path}", s.address())).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{path}");
        }
    });
}

#[test]
fn where_nothing_can_be_shown_to_one_person_the_answer_is_a_message_to_them() {
    on_mattermost(without_calls(), async |s| {
        s.mattermost().edit(|state| state.bot_may_post_ephemerals = false);
        s.mattermost().write("dan", SOC, "@sekoia whoami");
        let told = s.direct().await;
        assert!(told.text().starts_with("In #soc-setup:") && told.text().contains("You are @dan"), "{told}");
        // The bot's token lacks the right to write at all for a moment.
        s.chat.fault(Call::Post, ChatFault::Fails);
        s.mattermost().write("dan", SOC, "@sekoia whoami");
        s.direct().await;
    });
}
