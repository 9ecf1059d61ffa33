//! What Mattermost refuses, what it forgets, and what it only pretends to take.

use std::sync::Mutex;

use super::*;

#[tokio::test]
async fn nothing_goes_without_the_token_but_dialogs() {
    let wire = Wire::new().await;
    let get = async |path: &str| wire.1.get(format!("{}/api/v4{path}", wire.0.url())).send().await.unwrap();
    assert_eq!(get("/users/me").await.status(), 401);
    assert_eq!(get("/system/ping").await.status(), 200);
    assert_eq!(get("/config/client?format=old").await.status(), 200);
    let slash = wire.0.slash("alice", "soc-setup", "skip 7");
    let open = async |body: Value| {
        let answer =
            wire.1.post(format!("{}/api/v4/actions/dialogs/open", wire.0.url())).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["id"].clone())
    };
    assert_eq!(open(opening(&slash, dialog(json!([reason()])))).await.0, 200);
    let mut forged = opening(&slash, dialog(json!([])));
    forged["trigger_id"] = json!("YWJj");
    assert_eq!(open(forged).await.1, "interactive_message.decode_trigger_id.verify_signature_failed");
    wire.0.edit(|state| state.trigger_life = Duration::ZERO);
    assert_eq!(open(opening(&slash, dialog(json!([])))).await.1, "interactive_message.decode_trigger_id.expired");
    wire.0.next().await;
}

#[tokio::test]
async fn people_channels_and_groups_are_described() {
    let wire = Wire::new().await;
    let user = async |name: &str| wire.get(&format!("/users/{}", id(name))).await.1;
    assert_eq!(wire.get("/users/me").await.1["is_bot"], true);
    assert_eq!(user("gina").await["roles"], "system_guest");
    assert!(user("otto").await["delete_at"].as_i64() > Some(0) && user("alice").await.get("is_bot").is_none());
    assert_ne!(user("eve").await["remote_id"], "");
    assert_eq!(wire.get(&format!("/users/{}", id("nobody"))).await.0, 404);
    assert_eq!(wire.get("/users/nobody").await.0, 400);
    assert_eq!(wire.get("/users/username/bob").await.1["id"], id("bob"));
    let ids = wire.call("POST", "/users/ids", json!([id("bob"), id("nobody")])).await.1;
    let names = wire.call("POST", "/users/usernames", json!(["bob", "nobody"])).await.1;
    assert_eq!((ids.as_array().unwrap().len(), &ids), (1, &names));

    let channel = async |name: &str| wire.get(&format!("/channels/{}", id(name))).await;
    assert_eq!(channel("shared").await.1["shared"], true);
    assert!(channel("old").await.1["delete_at"].as_i64() > Some(0));
    assert_eq!((channel("quiet").await.0, channel("private").await.0, channel("none").await.0), (200, 403, 404));
    let member = async |at: &str, who: &str| wire.get(&format!("/channels/{}/members/{}", id(at), id(who))).await.0;
    assert_eq!((member("soc-setup", "otto").await, member("quiet", "bob").await), (200, 403));
    wire.0.edit(|state| {
        state.user("dan").deactivated = true;
        state.channel("soc-setup").members.remove(&id("dan"));
    });
    assert_eq!(member("soc-setup", "dan").await, 404);
    assert!(user("dan").await["delete_at"].as_i64() > Some(0));

    let group = async || wire.get(&format!("/groups/{}/members?page=0&per_page=1", id("approvers"))).await;
    let (_, members) = group().await;
    assert_eq!((&members["members"][0]["username"], &members["total_member_count"]), (&json!("bob"), &json!(2)));
    wire.0.edit(|state| state.licensed = false);
    assert_eq!((group().await.0, &group().await.1["id"]), (501, &json!("api.license_error")));
}

#[tokio::test]
async fn what_is_read_back_has_lost_where_its_buttons_lead() {
    let wire = Wire::new().await;
    let (_, posted) = wire.call("POST", "/posts", card("soc-setup")).await;
    let path = format!("/posts/{}", posted["id"].as_str().unwrap());
    let read = wire.get(&path).await.1;
    assert_eq!((read.clone(), &read["props"]["from_bot"]), (posted, &json!("true")));
    let action = &read["props"]["attachments"][0]["actions"][0];
    assert!(action.get("integration").is_none() && action["name"] == "Approve", "{action}");

    let mut patched = card("soc-setup")["props"].clone();
    patched["from_bot"] = json!("true");
    let patch = async |body: Value| wire.call("PUT", &format!("{path}/patch"), body).await;
    assert_eq!(patch(json!({ "message": "One" })).await.0, 200);
    assert_eq!(patch(json!({ "message": "Two", "props": patched })).await.1["message"], "Two");
    assert_eq!(wire.0.violations(), [""; 0]);
    assert_eq!(patch(json!({ "props": read["props"] })).await.0, 200);
    assert_eq!(wire.0.violations().len(), 4, "two buttons without an integration: {:#?}", wire.0.violations());
    assert_eq!(wire.call("PUT", &path, json!({ "id": "x", "message": "Three" })).await.1["props"], json!({}));
    assert!(wire.0.violations().last().unwrap().contains("from_bot"));

    assert_eq!(wire.call("DELETE", &path, Value::Null).await.0, 200);
    assert_eq!((patch(json!({ "message": "x" })).await.0, wire.get(&path).await.0), (403, 404));
    assert_eq!(wire.0.unread().len(), 6);
    assert!(wire.0.standing("soc-setup").is_empty());
}

#[tokio::test]
async fn histories_are_paged_and_posts_are_not_made_twice() {
    let wire = Wire::new().await;
    let ends = json!([id("sekoia"), id("alice")]);
    let direct = wire.call("POST", "/channels/direct", ends.clone()).await.1["id"].as_str().unwrap().to_owned();
    assert_eq!(wire.call("POST", "/channels/direct", ends).await.1["id"], direct);
    let mut ids = Vec::new();
    for n in [1, 2, 2, 3] {
        let post = json!({ "channel_id": direct, "message": format!("{n}"), "pending_post_id": format!("{}:{n}", id("sekoia")) });
        ids.push(wire.call("POST", "/posts", post).await.1["id"].clone());
    }
    assert_eq!(ids[1], ids[2]);
    assert_eq!(wire.0.next().await.to_string(), "direct message to alice (posted)\n1");
    assert_eq!(wire.0.standing_alone("alice").len(), 3);
    let posts = async |query: &str| wire.get(&format!("/channels/{direct}/posts?{query}")).await.1;
    let page = posts("page=0&per_page=2").await;
    assert_eq!(page["order"], json!([ids[3], ids[1]]));
    assert_eq!(page["posts"][ids[1].as_str().unwrap()]["message"], "2");
    assert_eq!(posts("page=1&per_page=2").await["order"], json!([ids[0]]));
    let since = page["posts"][ids[1].as_str().unwrap()]["update_at"].as_u64().unwrap();
    assert_eq!(posts(&format!("since={since}")).await["order"], json!([ids[3]]));
    assert_eq!(wire.0.violations(), [""; 0]);
}

#[tokio::test]
async fn places_that_cannot_be_posted_in() {
    let wire = Wire::new().await;
    let post = async |channel: &str, more: Value| {
        let mut post = json!({ "channel_id": id(channel), "message": "x" });
        post.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        let (status, answer) = wire.call("POST", "/posts", post).await;
        (status, answer["id"].as_str().unwrap().to_owned())
    };
    assert_eq!(post("old", json!({})).await, (400, "api.post.create_post.can_not_post_to_deleted.error".into()));
    assert_eq!(post("quiet", json!({})).await, (403, "api.context.permissions.app_error".into()));
    let unknown = post("soc-setup", json!({ "root_id": id("none") })).await;
    assert_eq!(unknown, (400, "api.post.create_post.root_id.app_error".into()));
    let long = |runes: usize| json!({ "message": "é".repeat(runes) });
    assert_eq!(post("soc-setup", long(16_383)).await.0, 201);
    assert_eq!(wire.0.violations(), [""; 0]);
    assert_eq!(post("soc-setup", long(16_384)).await, (400, "model.post.is_valid.message_length.app_error".into()));
    assert_eq!(post("soc-setup", json!({ "message": "x".repeat(300_001) })).await.0, 413);
    assert_eq!(wire.call("GET", "/nowhere", Value::Null).await.0, 404);
    assert_eq!(wire.0.violations().len(), 2);
}

#[tokio::test]
async fn limits_that_only_people_would_notice_are_violations() {
    let wire = Wire::new().await;
    let long = |n: usize| "x".repeat(n);
    let elements = json!([
        { "display_name": long(25), "name": "a", "type": "text", "placeholder": long(151), "default": long(151) },
        { "display_name": "b", "name": "a", "type": "select", "options": [] },
        { "display_name": "c", "name": "c", "type": "file", "help_text": long(151) },
    ]);
    let mut wrong = dialog(elements);
    wrong["title"] = json!(long(25));
    let slash = wire.0.slash("alice", "soc-setup", "skip 7");
    assert_eq!(wire.call("POST", "/actions/dialogs/open", opening(&slash, wrong)).await.0, 200);
    assert_eq!(wire.0.violations().len(), 8, "{:#?}", wire.0.violations());
    let mut post = card("soc-setup");
    post["props"]["attachments"][0]["actions"][0]["id"] = json!("not-good");
    post["props"]["attachments"][0]["actions"][1]["colour"] = json!("red");
    wire.call("POST", "/posts", post).await;
    assert_eq!(wire.0.violations().len(), 10, "{:#?}", wire.0.violations());
    wire.call("POST", "/posts", json!({ "channel_id": id("soc-setup"), "message": wire.0.bot_token() })).await;
    assert!(wire.0.violations().last().unwrap().contains("a secret of the app"));
    assert!(wire.0.dump().contains("unread"));
}

#[tokio::test]
async fn faults_hit_one_call_and_calls_are_watched() {
    let wire = Wire::new().await;
    let watched = Arc::new(Mutex::new(Vec::new()));
    wire.0.on_call({
        let (watched, world) = (Arc::clone(&watched), wire.0.clone());
        move |endpoint: &str, stage: Stage| {
            watched.lock().unwrap().push((endpoint.to_owned(), stage, world.standing("soc-setup").len()));
        }
    });
    wire.0.fault("POST /posts", Fault::RateLimited { retry_after: 2 });
    wire.0.fault("POST /posts", Fault::Error(501, "api.command.disabled.app_error"));
    wire.0.fault("*", Fault::LoseReply);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(wire.call("POST", "/posts", card("soc-setup")).await.0);
    }
    assert_eq!(statuses, [429, 501, 500]);
    wire.0.wait_for_calls("POST /posts", 3).await;
    assert_eq!(
        watched.lock().unwrap()[4..],
        [("POST /posts".to_owned(), Stage::Arrived, 0), ("POST /posts".to_owned(), Stage::Done, 1),]
    );
    let found = wire.0.next_where("post", |seen| matches!(seen.kind, Kind::Posted { .. })).await;
    assert!(found.at.elapsed() < PATIENCE && found.payload["message"] == "#### Go?");
    wire.0.fault("POST /posts", Fault::Hang);
    let call = wire.call("POST", "/posts", card("soc-setup"));
    tokio::time::timeout(Duration::from_millis(50), call).await.unwrap_err();
    assert!(wire.0.unread().is_empty());
}
