//! What the app sends: refusals, faults, membership.

use reqwest::header::AUTHORIZATION;

use super::*;

#[tokio::test]
async fn a_response_url_works_five_times_and_without_a_token() {
    let world = SlackWorld::start().await;
    let slash = form(&world.slash("alice", "soc-setup", "status"));
    let url = slash["response_url"].as_str().unwrap();
    for _ in 0..5 {
        assert_eq!(respond(url, json!({ "response_type": "in_channel", "text": "Hello" })).await, 200);
        assert_eq!(world.next().await.to_string(), "#soc-setup (response: new message)\nHello");
    }
    assert_eq!(respond(url, json!({ "text": "Hello" })).await, 404);
    assert_eq!(world.messages("soc-setup").len(), 5);

    let slash = form(&world.slash("alice", "soc-setup", "status"));
    let url = slash["response_url"].as_str().unwrap();
    client().post(url).header(AUTHORIZATION, "Bearer x").json(&json!({ "text": "Hi" })).send().await.unwrap();
    assert_eq!(world.next().await.to_string(), "ephemeral to alice in #soc-setup (response: new message)\nHi");
    assert_eq!(respond(url, json!({ "blocks": [{ "type": "nope" }] })).await, 500);
    assert_eq!(world.violations().len(), 2);
    assert_eq!(world.calls("response_url"), 8);
}

#[tokio::test]
async fn membership_tokens_and_edits_are_as_in_slack() {
    let world = SlackWorld::start().await;
    let post = |channel: &str| json!({ "channel": channel, "text": "x" });
    for (channel, error) in [
        ("C0QUIET", "not_in_channel"),
        ("G0PRIV", "not_in_channel"),
        ("C0OLD", "is_archived"),
        ("C0NONE", "channel_not_found"),
    ] {
        assert_eq!(call(&world, "chat.postMessage", post(channel)).await["error"], error);
    }
    assert_eq!(call(&world, "conversations.info", json!({ "channel": "G0PRIV" })).await["error"], "channel_not_found");
    world.edit(|state| {
        state.user("dan").is_restricted = true;
        state.channel("soc-setup").members.remove("U0DAN");
        state.scopes.remove("usergroups:read");
    });
    let whisper = json!({ "channel": "C0SOC", "user": "U0DAN", "text": "x" });
    assert_eq!(call(&world, "chat.postEphemeral", whisper).await["error"], "user_not_in_channel");
    let group = json!({ "usergroup": "S0APPROVERS" });
    assert_eq!(call(&world, "usergroups.users.list", group).await["error"], "missing_scope");
    assert_eq!(call(&world, "users.info", json!({ "user": "U0DAN" })).await["user"]["is_restricted"], true);

    let stranger = client().get(format!("{}/auth.test", world.api_url())).send().await.unwrap();
    assert_eq!(stranger.json::<Value>().await.unwrap()["error"], "not_authed");

    let posted =
        call(&world, "chat.postMessage", json!({ "channel": "U0ALICE", "text": "psst", "blocks": card() })).await;
    assert!(world.next().await.to_string().starts_with("direct message to alice (posted)\n"));
    let edit = |content: Value| {
        let mut args = content;
        args["channel"] = posted["channel"].clone();
        args["ts"] = posted["ts"].clone();
        args
    };
    let long = "x".repeat(4_001);
    assert_eq!(call(&world, "chat.update", edit(json!({ "text": long }))).await["error"], "msg_too_long");
    let plain = json!({ "text": "x", "blocks": card_with_button("Go") });
    assert_eq!(call(&world, "chat.update", edit(plain)).await["error"], "block_mismatch");
    assert_eq!(call(&world, "chat.update", edit(json!({ "text": "x" }))).await["ok"], true);
    assert!(matches!(world.next().await.kind, Kind::Updated { .. }));
    assert_eq!(call(&world, "chat.delete", edit(json!({}))).await["ok"], true);
    assert_eq!(world.next().await.to_string(), "direct message to alice (deleted)");
    assert_eq!(call(&world, "chat.update", edit(json!({ "text": "x" }))).await["error"], "message_not_found");
    assert_eq!(world.violations().len(), 2);
}

#[tokio::test]
async fn faults_come_once_each() {
    let world = SlackWorld::start().await;
    let post = json!({ "channel": "C0SOC", "text": "x" });
    let send = || {
        client().post(format!("{}/chat.postMessage", world.api_url())).bearer_auth(world.bot_token()).json(&post).send()
    };
    world.fault("chat.postMessage", Fault::RateLimited { retry_after: 7 });
    let limited = send().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    world.fault("*", Fault::Status(503));
    assert_eq!(send().await.unwrap().status(), 503);
    world.fault("chat.postMessage", Fault::LoseReply);
    assert_eq!(send().await.unwrap().status(), 500);
    let posted = world.next_where("message", |seen| matches!(seen.kind, Kind::Posted { .. })).await;
    assert_eq!(posted.text(), "x");
    assert!(posted.at.elapsed() < PATIENCE);
    world.fault("chat.postMessage", Fault::Hang);
    tokio::time::timeout(Duration::from_millis(50), send()).await.unwrap_err();
    world.fault("chat.postMessage", Fault::Error("token_revoked"));
    assert_eq!(call(&world, "chat.postMessage", post.clone()).await["error"], "token_revoked");
    assert_eq!(world.calls("chat.postMessage"), 5);
    assert!(world.unread().is_empty());
}

#[tokio::test]
async fn what_slack_refuses_is_refused_and_remembered() {
    let world = SlackWorld::start().await;
    let section = |text: &str| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
    let button = |label: &str| card_with_button(label)[0].clone();
    let refused = [
        (json!([{ "type": "alert" }]), "unsupported type: alert"),
        (json!([section(&"x".repeat(3_001))]), "must be less than 3001 characters"),
        (json!([section("")]), "must be more than 0 characters"),
        (json!(vec![section("x"); 51]), "no more than 50 items allowed"),
        (json!([button(&"x".repeat(76))]), "must be less than 76 characters"),
        (json!([{ "type": "actions", "elements": [] }]), "no less than 1 items allowed"),
        (json!([{ "type": "header", "text": { "type": "mrkdwn", "text": "x" } }]), "must be plain_text"),
        (json!([{ "type": "divider", "block_id": "a" }, { "type": "divider", "block_id": "a" }]), "already exists"),
        (json!([{ "type": "divider", "colour": "red" }]), "invalid additional property: colour"),
        (
            json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [{ "type": "text", "text": "" }] }] }]),
            "must be more than 0 characters",
        ),
    ];
    let count = refused.len();
    for (blocks, why) in refused {
        let answer =
            call(&world, "chat.postMessage", json!({ "channel": "C0SOC", "text": "x", "blocks": blocks })).await;
        assert_eq!(answer["error"], "invalid_blocks", "{why}");
        let message = answer["response_metadata"]["messages"][0].as_str().unwrap();
        assert!(message.contains(why), "{message}");
    }
    let long = json!(vec![section(&"x".repeat(3_000)); 5]);
    let answer = call(&world, "chat.postMessage", json!({ "channel": "C0SOC", "text": "x", "blocks": long })).await;
    assert_eq!(answer["error"], "msg_blocks_too_long");
    assert_eq!(world.violations().len(), count + 1);

    let loud = json!({ "channel": "C0SOC", "text": "<!here> up", "blocks": [section("<!channel>")] });
    assert_eq!(call(&world, "chat.postMessage", loud).await["ok"], true);
    assert_eq!(world.next().await.text(), "<!channel>");
    let canary = json!({ "channel": "C0SOC", "text": world.bot_token() });
    call(&world, "chat.postMessage", canary).await;
    assert_eq!(world.unread().len(), 1);
    let new = world.violations().split_off(count + 1);
    let leak = "chat.postMessage: a secret of the app is in the query or the body";
    assert_eq!(new, ["broadcast: <!channel>", "broadcast: <!here> up", leak]);
}
