//! Gestures, what they carry, and what the app's answers do.

use super::*;

#[tokio::test]
async fn a_command_is_what_a_server_sends() {
    let wire = Wire::new().await;
    let slash = wire.0.slash("alice", "soc-setup", "assign 7 @bob");
    let keys = "channel_id=.&channel_name=.&command=.&response_url=.&root_id=.&team_domain=.&team_id=.&text=.&token=.\
        &trigger_id=.&user_id=.&user_mentions=.&user_mentions_ids=.&user_name=.";
    let body = String::from_utf8(slash.body.clone()).unwrap();
    let sent_keys = body.split('&').map(|pair| format!("{}=.", pair.split('=').next().unwrap()));
    assert_eq!(sent_keys.collect::<Vec<_>>().join("&"), keys);
    let fields = sent(&slash);
    assert_eq!((&fields["user_mentions_ids"], &fields["root_id"]), (&json!(id("bob")), &json!("")));
    assert_eq!((&fields["command"], &fields["text"]), (&json!("/sekoia"), &json!("assign 7 @bob")));
    let token = format!("Token {}", wire.0.command_token());
    assert!(slash.headers.contains(&("authorization".into(), token)) && slash.path == "/mattermost/command");

    wire.answer(&slash, json!({ "text": "see <https://x.example|docs>" }));
    assert_eq!(wire.0.next().await.to_string(), "ephemeral to alice in #soc-setup\nsee docs <https://x.example>");
    wire.answer(&slash, json!({}));
    wire.0.answer(&slash, 200, "text/plain", b"");
    assert!(wire.0.unread().is_empty());

    let card = wire.card().await;
    let threaded = wire.0.slash_in_thread("dan", &card, "next");
    wire.answer(&threaded, json!({ "text": "Here", "response_type": "ephemeral" }));
    assert_eq!(wire.0.next().await.to_string(), "ephemeral to dan in #soc-setup, in a thread\nHere");
    wire.answer(&threaded, json!({ "text": "For all", "response_type": "in_channel" }));
    assert_eq!(wire.0.next().await.to_string(), "#soc-setup, in a thread (posted)\nFor all");
    assert_eq!(wire.0.standing("soc-setup").len(), 1, "what a command says is said by who typed it");
    assert_eq!(wire.0.violations(), [""; 0]);
    wire.answer(&slash, json!({ "text": "<!channel> up" }));
    wire.0.answer(&slash, 204, "", b"");
    assert_eq!(wire.0.violations(), ["broadcast: @channel", "/mattermost/command: answered 204"]);
}

#[tokio::test]
async fn a_response_url_is_good_for_five_answers() {
    let wire = Wire::new().await;
    let url = sent(&wire.0.slash("alice", "soc-setup", "status"))["response_url"].as_str().unwrap().to_owned();
    let respond =
        async |url: &str| wire.1.post(url).json(&json!({ "text": "later" })).send().await.unwrap().status().as_u16();
    for _ in 0..5 {
        assert_eq!(respond(&url).await, 200);
        assert_eq!(wire.0.next().await.to_string(), "ephemeral to alice in #soc-setup\nlater");
    }
    assert_eq!(respond(&url).await, 400);
    assert_eq!(respond(&format!("{}/hooks/commands/{}", wire.0.url(), id("none"))).await, 404);
    wire.0.fault("response_url", Fault::Status(503));
    assert_eq!(respond(&url).await, 503);
    assert_eq!(wire.0.calls("response_url"), 8);
}

#[tokio::test]
async fn a_press_carries_the_context_and_is_answered_in_its_reply() {
    let wire = Wire::new().await;
    let card = wire.card().await;
    assert_eq!(card.to_string(), "#soc-setup (posted)\nGo?\n[Approve?]! [Reject…]✗");
    let press = wire.0.click("bob", &card, "Approve");
    let body = sent(&press);
    let Kind::Posted { post_id, .. } = &card.kind else { panic!("{card}") };
    assert_eq!((&body["context"], &body["post_id"]), (&json!({ "sealed": "v1" }), &json!(post_id)));
    assert_eq!((&body["user_id"], press.path.as_str()), (&json!(id("bob")), "/mattermost/action"));
    assert!(!press.headers.iter().any(|(name, _)| name == "authorization"), "nothing is signed");

    wire.answer(&press, json!({ "ephemeral_text": "You approved." }));
    assert_eq!(wire.0.next().await.to_string(), "ephemeral to bob in #soc-setup, in a thread\nYou approved.");
    let update = json!({ "message": "Gone", "props": { "from_bot": "true" } });
    wire.answer(&press, json!({ "update": update }));
    assert_eq!(wire.0.next().await.to_string(), "#soc-setup (updated)\nGone");
    assert_eq!(wire.0.violations(), [""; 0]);
    wire.answer(&press, json!({ "update": { "message": "x", "props": {} } }));
    wire.0.answer(&press, 200, "text/plain", b"ok");
    wire.0.next().await;
    assert_eq!(wire.0.violations().len(), 2, "{:?}", wire.0.violations());
}

#[tokio::test]
async fn choices_are_those_of_the_menus() {
    let wire = Wire::new().await;
    let users = action("Assign to", json!({ "type": "select", "data_source": "users" }));
    let options = json!([{ "text": "Region", "value": "2" }]);
    let menu = action("Open a step", json!({ "id": "a3", "type": "select", "options": options }));
    let post = json!({ "channel_id": id("soc-setup"), "message": "x", "props": { "attachments": [{ "actions": [users, menu] }] } });
    wire.call("POST", "/posts", post).await;
    let card = wire.0.next().await;
    let chosen = sent(&wire.0.choose("bob", &card, "Assign to", Choice::User("carol")));
    assert_eq!((&chosen["context"]["selected_option"], &chosen["data_source"]), (&json!(id("carol")), &json!("users")));
    let chosen = sent(&wire.0.choose("bob", &card, "Open a step", Choice::Option("Region")));
    assert_eq!((&chosen["context"]["selected_option"], &chosen["type"]), (&json!("2"), &json!("select")));
    let day = action("Due date 📅", json!({}));
    let post =
        json!({ "channel_id": id("soc-setup"), "message": "x", "props": { "attachments": [{ "actions": [day] }] } });
    wire.call("POST", "/posts", post).await;
    let chosen = sent(&wire.0.choose("bob", &wire.0.next().await, "Due date", Choice::Date("2026-12-01")));
    assert_eq!(chosen["type"], "button");
}

#[tokio::test]
async fn an_ephemeral_can_be_pressed_and_not_edited() {
    let wire = Wire::new().await;
    let slash = wire.0.slash("alice", "soc-setup", "step 7");
    wire.answer(&slash, json!({ "text": "Step 7", "attachments": [{ "actions": [action("Skip…", json!({}))] }] }));
    let card = wire.0.next().await;
    assert_eq!(card.text(), "Step 7\n[Skip…]");
    let press = wire.0.click_nth("alice", &card, "Skip…", 0);
    wire.answer(&press, json!({ "ephemeral_text": "One" }));
    wire.0.next().await;
    assert_eq!(wire.0.violations(), [""; 0]);
    wire.answer(&press, json!({ "ephemeral_text": "lost", "update": { "message": "x" } }));
    assert!(wire.0.unread().is_empty());
    assert_eq!(wire.0.violations().len(), 1);

    let post = json!({ "user_id": id("dan"), "post": { "channel_id": id("soc-setup"), "message": "Psst" } });
    assert_eq!(wire.call("POST", "/posts/ephemeral", post.clone()).await.0, 201);
    assert_eq!(wire.0.next().await.to_string(), "ephemeral to dan in #soc-setup\nPsst");
    wire.0.edit(|state| state.bot_may_post_ephemerals = false);
    let (status, error) = wire.call("POST", "/posts/ephemeral", post).await;
    assert_eq!((status, &error["id"]), (403, &json!("api.context.permissions.app_error")));
}

#[tokio::test]
async fn a_dialog_is_refused_corrected_and_closed() {
    let wire = Wire::new().await;
    let press = wire.0.click("bob", &wire.card().await, "Reject…");
    for _ in 0..2 {
        assert_eq!(wire.call("POST", "/actions/dialogs/open", opening(&press, dialog(json!([reason()])))).await.0, 200);
    }
    wire.0.next().await;
    let form = wire.0.next().await;
    assert_eq!(form.opened_with(), MattermostWorld::trigger_of(&press).as_deref());
    let submitted = wire.0.submit("bob", &form, &[("Why", "x")]);
    wire.answer(&submitted, json!({ "errors": { "reason": "Too short." } }));
    assert_eq!(
        wire.0.next().await.to_string(),
        "form for bob (updated)\nSkip a step\n*Why*, then?\nWhy: [x]\n  Stays on record.\n  ⚠ Too short.\n[Cancel] [Skip it]!"
    );
    let next = json!({ "type": "form", "form": dialog(json!([])) });
    wire.answer(&submitted, next);
    let step = wire.0.next().await;
    assert!(step.is_question(), "{step}");
    let submitted = wire.0.submit("bob", &step, &[]);
    wire.answer(&submitted, json!({}));
    assert!(wire.0.cancel("bob", &wire.0.forms_saying("Stays on record")[0]).is_none());
    assert_eq!(wire.0.forms_saying("Skip a step").len(), 4);
    assert_eq!(wire.0.violations(), [""; 0]);
    let (forms, rest) = (wire.0.views_dump(), wire.0.dump_without_views());
    assert!(forms.contains("Stays on record") && !rest.contains("Stays on record"), "{rest}");
}
