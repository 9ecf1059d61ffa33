//! Direct messages, histories, and what can be watched from outside.

use super::*;

fn marked(channel: &str, mark: &str) -> Value {
    let metadata = json!({ "event_type": "sekoia_test", "event_payload": { "mark": mark } });
    json!({ "channel": channel, "text": mark, "metadata": metadata, "blocks": card_with_button("Go") })
}

#[tokio::test]
async fn a_history_is_read_in_pages_from_its_end() {
    let world = SlackWorld::start().await;
    let opened = call(&world, "conversations.open", json!({ "users": "U0ALICE" })).await;
    assert_eq!(opened["channel"]["id"], "D0ALICE");
    for mark in ["one", "two", "three"] {
        assert_eq!(call(&world, "chat.postMessage", marked("D0ALICE", mark)).await["ok"], true);
    }
    let history = async |args: Value| call(&world, "conversations.history", args).await;
    let page = history(json!({ "channel": "D0ALICE", "limit": 2, "include_all_metadata": true })).await;
    let marks: Vec<_> = page["messages"].as_array().unwrap().iter().map(|m| &m["metadata"]["event_payload"]).collect();
    assert_eq!(marks, [&json!({ "mark": "three" }), &json!({ "mark": "two" })]);
    let cursor = &page["response_metadata"]["next_cursor"];
    let rest = history(json!({ "channel": "D0ALICE", "limit": "2", "cursor": cursor })).await;
    assert_eq!((&page["has_more"], &rest["has_more"]), (&json!(true), &json!(false)));
    assert_eq!((&rest["messages"][0]["text"], rest["messages"][0].get("metadata")), (&json!("one"), None));
    assert_eq!(rest["response_metadata"]["next_cursor"], "");

    // This method the client calls by GET.
    let oldest = page["messages"][1]["ts"].as_str().unwrap();
    for (inclusive, count) in [("true", 2), ("false", 1)] {
        let url = format!("{}/conversations.history", world.api_url());
        let query = [("channel", "D0ALICE"), ("oldest", oldest), ("inclusive", inclusive), ("limit", "200")];
        let page = client().get(url).query(&query).bearer_auth(world.bot_token()).send().await.unwrap();
        let page: Value = page.json().await.unwrap();
        assert_eq!(page["messages"].as_array().unwrap().len(), count, "{page:#}");
    }
    for (channel, error) in
        [("C0QUIET", "not_in_channel"), ("G0PRIV", "missing_scope"), ("D0ALICE", "missing_scope"), ("C0SOC", "")]
    {
        world.edit(|state| state.scopes.retain(|scope| !scope.ends_with(":history") || scope == "channels:history"));
        assert_eq!(history(json!({ "channel": channel })).await["error"].as_str().unwrap_or_default(), error);
    }
    world.fault("conversations.history", Fault::Error("fatal_error"));
    assert_eq!(history(json!({ "channel": "C0SOC" })).await["error"], "fatal_error");
    assert_eq!(world.violations(), [""; 0]);
}

#[tokio::test]
async fn a_direct_message_can_be_pressed() {
    let world = SlackWorld::start().await;
    call(&world, "conversations.open", json!({ "users": "U0ALICE" })).await;
    call(&world, "chat.postMessage", marked("D0ALICE", "one")).await;
    let posted = world.next().await;
    assert_eq!(posted.to_string(), "direct message to alice (posted)\n[Go]");
    let click = interaction(&world.click("alice", &posted, "Go"));
    assert_eq!(click["channel"], json!({ "id": "D0ALICE", "name": "directmessage" }));
    assert_eq!(click["container"]["channel_id"], "D0ALICE");
    let url = click["response_url"].as_str().unwrap();
    assert_eq!(respond(url, json!({ "text": "Done" })).await, 200);
    assert_eq!(world.next().await.text(), "Done");
}

#[tokio::test]
async fn metadata_is_a_name_and_texts() {
    let world = SlackWorld::start().await;
    let wrong = [
        json!({ "event_type": "Bad-Type", "event_payload": { "mark": "a" } }),
        json!({ "event_type": "good", "event_payload": { "mark": 1 } }),
        json!({ "event_type": "good", "event_payload": {} }),
        json!({ "event_type": "good" }),
        json!("good"),
    ];
    let count = wrong.len();
    for metadata in wrong {
        let posted =
            call(&world, "chat.postMessage", json!({ "channel": "C0SOC", "text": "x", "metadata": metadata })).await;
        assert!(posted["ok"] == false, "{metadata}");
    }
    let posted = call(&world, "chat.postMessage", marked("C0SOC", "kept")).await;
    let edit = json!({ "channel": "C0SOC", "ts": posted["ts"], "text": "y" });
    let edited = call(&world, "chat.update", edit).await;
    assert_eq!(edited["message"]["metadata"]["event_payload"]["mark"], "kept");
    let refused = world.calls("chat.postMessage") - 1;
    assert_eq!((refused, world.messages("soc-setup").len()), (count, 1));
}

#[tokio::test]
async fn a_call_is_watched_before_and_after() {
    let world = SlackWorld::start().await;
    let watched = Arc::new(Mutex::new(Vec::new()));
    world.on_call({
        let (watched, world) = (Arc::clone(&watched), world.clone());
        move |method: &str, stage: Stage| {
            watched.lock().unwrap().push((method.to_owned(), stage, world.messages("soc-setup").len()));
        }
    });
    call(&world, "chat.postMessage", marked("C0SOC", "one")).await;
    let slash = form(&world.slash("alice", "soc-setup", "status"));
    respond(slash["response_url"].as_str().unwrap(), json!({ "text": "Hi" })).await;
    let seen = watched.lock().unwrap().clone();
    let wanted = [
        ("chat.postMessage".to_owned(), Stage::Arrived, 0),
        ("chat.postMessage".to_owned(), Stage::Done, 1),
        ("response_url".to_owned(), Stage::Arrived, 1),
        ("response_url".to_owned(), Stage::Done, 1),
    ];
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn what_modals_hold_is_told_from_the_rest() {
    let world = SlackWorld::start().await;
    let slash = form(&world.slash("alice", "soc-setup", "key create"));
    call(&world, "views.open", json!({ "trigger_id": slash["trigger_id"], "view": modal() })).await;
    call(&world, "chat.postMessage", json!({ "channel": "C0NONE", "text": "refused" })).await;
    let (views, rest) = (world.views_dump(), world.dump_without_views());
    assert!(views.contains("Create a key") && !views.contains("refused"), "{views}");
    assert!(rest.contains("refused") && !rest.contains("Create a key"), "{rest}");
    assert!(world.dump().contains("Create a key"));
}
