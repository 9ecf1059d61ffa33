//! Fidelity: signatures, decoding by a real client, captured payloads.

use slack_morphism::prelude as morphism;

use super::*;

/// The example of Slack's own documentation.
#[test]
fn signatures_are_slacks() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
        &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
        &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands\
        %2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let secret = "8f742231b10e8888abcd99yyyzzz85a5";
    let request = SignedRequest::new(secret, "/", "text/plain", body.into(), 1_531_420_618);
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    assert!(request.headers.contains(&("x-slack-signature".into(), signature.into())));
}

/// The app decodes with this client: whatever it requires must be there.
#[tokio::test]
async fn a_real_client_decodes_the_answers() {
    fn decodes<T: serde::de::DeserializeOwned>(answer: Value) {
        assert_eq!(answer["ok"], true, "{answer:#}");
        serde_json::from_value::<T>(answer).unwrap();
    }
    let world = SlackWorld::start().await;
    decodes::<morphism::SlackApiAuthTestResponse>(call(&world, "auth.test", json!({})).await);
    for user in ["U0ALICE", "U0OTTO", "U0EVE"] {
        // This method the client calls by GET.
        let url = format!("{}/users.info?user={user}", world.api_url());
        let info = client().get(url).bearer_auth(world.bot_token()).send().await.unwrap();
        decodes::<morphism::SlackApiUsersInfoResponse>(info.json().await.unwrap());
    }
    for channel in ["C0SOC", "C0OLD"] {
        let info = call(&world, "conversations.info", json!({ "channel": channel })).await;
        decodes::<morphism::SlackApiConversationsInfoResponse>(info);
    }
    let open = call(&world, "conversations.open", json!({ "users": "U0BOB", "return_im": true })).await;
    decodes::<morphism::SlackApiConversationsOpenResponse<morphism::SlackChannelInfo>>(open);
    let group = call(&world, "usergroups.users.list", json!({ "usergroup": "S0APPROVERS" })).await;
    decodes::<morphism::SlackApiUserGroupsUsersListResponse>(group);
    let posted = call(&world, "chat.postMessage", json!({ "channel": "C0SOC", "text": "x", "blocks": card() })).await;
    decodes::<morphism::SlackApiChatPostMessageResponse>(posted.clone());
    let edit = json!({ "channel": "C0SOC", "ts": posted["ts"], "text": "y" });
    decodes::<morphism::SlackApiChatUpdateResponse>(call(&world, "chat.update", edit).await);
    let history = json!({ "channel": "C0SOC", "include_all_metadata": true });
    let history = call(&world, "conversations.history", history).await;
    decodes::<morphism::SlackApiConversationsHistoryResponse>(history);
    let slash = form(&world.slash("alice", "soc-setup", ""));
    let open = json!({ "trigger_id": slash["trigger_id"], "view": modal() });
    decodes::<morphism::SlackApiViewsOpenResponse>(call(&world, "views.open", open).await);
}

/// What the app may do here is what an operator grants it.
#[test]
fn scopes_are_those_of_the_manifest() {
    let manifest = include_str!("../../../../manifests/slack/app.yaml");
    let (_, bot) = manifest.split_once("    bot:\n").unwrap();
    let (bot, optional) = bot.split_once("    bot_optional:\n").unwrap();
    assert!(optional.contains("- users:read.email") && optional.contains("- pins:write"));
    let asked = bot.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split(' ').next());
    let asked: Vec<&str> = asked.collect();
    let granted = State::new().scopes;
    assert_eq!(granted.iter().map(String::as_str).collect::<Vec<_>>(), asked);
}

/// The captured payloads and the fake's own must not drift apart.
#[tokio::test]
async fn fixtures_have_the_fields_of_live_payloads() {
    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }
    let world = SlackWorld::start().await;
    let fixture = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let slash = world.slash("alice", "soc-setup", "setup");
    let captured = include_str!("../../../data/slack/slash_command.form").trim_end();
    let captured = world.signed(&slash.path, "application/x-www-form-urlencoded", captured.into(), 1_795_417_165);
    assert_eq!(keys(&form(&captured)), keys(&form(&slash)));

    let answer = world.answer(json!({ "blocks": card_with_button("Go") }));
    let live = interaction(&world.click("alice", &answer, "Go"));
    let captured = fixture(include_str!("../../../data/slack/block_actions_ephemeral.json"));
    assert_eq!(keys(&captured), keys(&live));

    call(&world, "chat.postMessage", json!({ "channel": "C0SOC", "text": "x", "blocks": card() })).await;
    let live = interaction(&world.click("bob", &world.next().await, "Next"));
    let captured = fixture(include_str!("../../../data/slack/block_actions_message.json"));
    assert_eq!(keys(&captured), keys(&live));
    assert_eq!(keys(&captured["message"]), keys(&live["message"]));

    let open = json!({ "trigger_id": live["trigger_id"], "view": modal() });
    call(&world, "views.open", open).await;
    let live = interaction(&world.submit("bob", &world.next().await, &[("Name", "ci")]));
    let captured = fixture(include_str!("../../../data/slack/view_submission.json"));
    assert_eq!(keys(&captured), keys(&live));
    assert_eq!(keys(&captured["view"]), keys(&live["view"]));

    let live = fixture(&String::from_utf8(world.mention("carol", "soc-setup", Some("1.2"), "help").body).unwrap());
    let captured = fixture(include_str!("../../../data/slack/app_mention.json"));
    assert_eq!(keys(&captured), keys(&live));
    assert_eq!(keys(&captured["event"]), keys(&live["event"]));
    assert_eq!(fixture(include_str!("../../../data/slack/url_verification.json"))["type"], "url_verification");
}
