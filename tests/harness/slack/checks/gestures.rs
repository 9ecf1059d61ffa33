//! Reading and pressing: transcripts, clicks, modals.

use super::*;

#[tokio::test]
async fn a_message_reads_as_a_person_sees_it() {
    let world = SlackWorld::start().await;
    call(&world, "chat.postMessage", json!({ "channel": "C0SOC", "text": "Set-up", "blocks": card() })).await;
    let card = world.next().await;
    insta::assert_snapshot!(card, @r"
    #soc-setup (posted)
    Set-up & more
    *Owner* @alice in #soc-setup, see docs <https://docs.example> <3
    a | b [Open ↗]
    *Done* by @bob🎉1 Nov
      2. `second`
    ```
    secret
    ```
    > x <https://x.example>
    ---
    Region | FRA1
    small  (logo)
    [Open a step ▾] [Assign ▾] [Select a date 📅] [Next]! [Reset?]✗ [⋯ Skip]
    ");
    assert_eq!(card.options("Open a step"), ["Region"]);
    assert_eq!(card.text(), read(&card.payload));
    assert!(world.unread().is_empty());
    assert_eq!(world.violations(), [""; 0]);
}

#[tokio::test]
async fn gestures_refer_to_what_is_there() {
    let world = SlackWorld::start().await;
    call(&world, "chat.postMessage", json!({ "channel": "C0SOC", "text": "Set-up", "blocks": card() })).await;
    let card = world.next().await;
    let Kind::Posted { channel, ts, thread_ts: None } = &card.kind else { panic!("{card}") };

    let click = interaction(&world.click("bob", &card, "Next"));
    assert_eq!(click["actions"][0]["value"], "v");
    assert_eq!(click["container"]["message_ts"], *ts);
    assert_eq!(click["message"], world.message(channel, ts).unwrap());
    let chosen = interaction(&world.choose("bob", &card, "Assign", Choice::User("carol")));
    assert_eq!(chosen["actions"][0]["selected_user"], "U0CAROL");
    let chosen = interaction(&world.choose("bob", &card, "Open a step", Choice::Option("Region")));
    assert_eq!(chosen["state"]["values"]["controls"]["step"]["selected_option"]["value"], "2");
    let chosen = interaction(&world.choose("bob", &card, "Select a date", Choice::Date("2026-12-01")));
    assert_eq!(chosen["actions"][0]["selected_date"], "2026-12-01");
    let chosen = interaction(&world.choose("bob", &card, "⋯", Choice::Option("Skip")));
    assert_eq!(chosen["actions"][0]["selected_option"]["value"], "s");

    world.slash("alice", "soc-setup", "help");
    let answer = world.answer(json!({ "blocks": card_with_button("Go") }));
    assert_eq!(answer.to_string(), "ephemeral to alice in #soc-setup\n[Go]");
    let click = interaction(&world.click_nth("alice", &answer, "Go", 0));
    assert_eq!(click["container"]["is_ephemeral"], true);
    assert!(click.get("message").is_none());

    let again = world.mention("eve", "shared", Some(ts), "hi <b>").retried(1, "http_timeout");
    assert!(again.headers.contains(&("x-slack-retry-num".into(), "1".into())));
    let event: Value = serde_json::from_slice(&again.body).unwrap();
    assert_eq!(event["event"]["text"], "<@U0BOT> hi &lt;b&gt;");
    assert_eq!((&event["event"]["user_team"], &event["is_ext_shared_channel"]), (&json!("T0EVIL"), &json!(true)));
}

/// A form with every kind of input.
fn form_of_all_kinds() -> Value {
    let text = |text: &str| json!({ "type": "plain_text", "text": text });
    let option = |says: &str, value: &str| json!({ "text": text(says), "value": value });
    let input = |id: &str, label: &str, optional: bool, element: Value| {
        let label = text(label);
        json!({ "type": "input", "block_id": id, "label": label, "optional": optional, "element": element })
    };
    let (analyst, nimbus) = (option("Analyst", "a"), option("Nimbus", "n"));
    json!({
        "type": "modal", "title": text("Invite people"), "submit": text("Ask"), "blocks": [
            input("to", "Addresses", true, json!({ "type": "plain_text_input", "action_id": "v", "multiline": true })),
            input("csv", "Or a file", true, json!({
                "type": "file_input", "action_id": "v", "filetypes": ["csv", "txt"], "max_files": 1,
            })),
            input("role", "Role", false, json!({
                "type": "static_select", "action_id": "v", "initial_option": analyst, "option_groups": [
                    { "label": text("Built-in"), "options": [analyst, option("Admin", "b")] },
                    { "label": text("Own"), "options": [option("Tier 1, nights", "c")] },
                ],
            })),
            input("where", "Communities", false, json!({
                "type": "multi_static_select", "action_id": "v", "initial_options": [nimbus],
                "options": [nimbus, option("Acme", "x"), option("Acme, Inc.", "m")],
            })),
        ],
    })
}

#[tokio::test]
async fn every_kind_of_input_is_filled_in() {
    let world = SlackWorld::start().await;
    let slash = form(&world.slash("alice", "soc-setup", "invite"));
    let open = json!({ "trigger_id": slash["trigger_id"], "view": form_of_all_kinds() });
    assert_eq!(call(&world, "views.open", open).await["ok"], true);
    let view = world.next().await;
    insta::assert_snapshot!(view, @r"
    modal for alice (opened)
    Invite people
    Addresses (optional): [____]
    Or a file (optional): [Add a file: csv, txt]
    Role: [Analyst ▾]
      ▾ Built-in: Analyst | Admin
      ▾ Own: Tier 1, nights
    Communities: [Nimbus ▾…]
      ▾ Nimbus | Acme | Acme, Inc.
    [×] [Ask]!
    ");
    assert_eq!(view.options("Role"), ["Analyst", "Admin", "Tier 1, nights"]);

    let untouched = interaction(&world.submit("alice", &view, &[]));
    let value = |payload: &Value, id: &str, key: &str| payload["view"]["state"]["values"][id]["v"][key].clone();
    assert_eq!((value(&untouched, "to", "value"), value(&untouched, "csv", "files")), (Value::Null, json!([])));
    assert_eq!(value(&untouched, "role", "selected_option")["value"], "a");
    assert_eq!(untouched["view"]["blocks"][0]["label"]["text"], "Addresses");

    let filled = [("Or a file", "é@b.example"), ("Role", "Tier 1, nights"), ("Communities", "Acme, Inc., Nimbus")];
    let submitted = interaction(&world.submit("alice", &view, &filled));
    assert_eq!(value(&submitted, "role", "selected_option")["value"], "c");
    let chosen = value(&submitted, "where", "selected_options");
    assert_eq!((&chosen[0]["value"], &chosen[1]["value"]), (&json!("m"), &json!("n")));
    let files = value(&submitted, "csv", "files");
    let file = &files[0];
    assert_eq!((&file["filetype"], &file["size"]), (&json!("csv"), &json!(12)));
    let url = file["url_private_download"].as_str().unwrap();
    let content = client().get(url).bearer_auth(world.bot_token()).send().await.unwrap();
    assert_eq!(content.text().await.unwrap(), "é@b.example");
    // Led to a sign-in page, which the fake does not have.
    assert_eq!(client().get(url).send().await.unwrap().status(), 404);

    let corrected = world.answer(json!({ "response_action": "errors", "errors": { "csv": "Not text" } })).text();
    assert!(corrected.contains("Or a file (optional): [upload.csv]\n  ⚠ Not text\n"), "{corrected}");
    assert!(corrected.contains("Communities: [Acme, Inc., Nimbus ▾…]\n"), "{corrected}");
    assert_eq!(world.violations(), [""; 0]);
}

#[tokio::test]
async fn a_modal_is_filled_in_and_corrected() {
    let world = SlackWorld::start().await;
    let slash = form(&world.slash("alice", "soc-setup", "key create"));
    let trigger = &slash["trigger_id"];
    let opened = call(&world, "views.open", json!({ "trigger_id": trigger, "view": modal() })).await;
    let view = world.next().await;
    let Kind::ViewOpened { view_id, trigger_id } = &view.kind else { panic!("{view}") };
    assert_eq!((trigger, &opened["view"]["id"]), (&json!(trigger_id), &json!(view_id)));
    let again = call(&world, "views.open", json!({ "trigger_id": trigger, "view": modal() })).await;
    assert_eq!(again["error"], "exchanged_trigger_id");

    let submitted = interaction(&world.submit("alice", &view, &[("Name", "ci"), ("Preset", "Read")]));
    let values = &submitted["view"]["state"]["values"];
    assert_eq!(
        (&values["name"]["v"]["value"], &values["preset"]["v"]["selected_option"]["value"]),
        (&json!("ci"), &json!("r"))
    );
    let corrected = world.answer(json!({ "response_action": "errors", "errors": { "name": "Taken" } }));
    insta::assert_snapshot!(corrected, @r"
    modal for alice (updated)
    Create a key
    Name: [ci]
      Unique
      ⚠ Taken
    Preset (optional): [Read ▾]
      ▾ Read
    [×] [Request]!
    ");

    let stale = json!({ "view_id": view_id, "hash": "1.x", "view": modal() });
    assert_eq!(call(&world, "views.update", stale).await["error"], "hash_conflict");
    let fresh = json!({ "view_id": view_id, "hash": opened["view"]["hash"], "view": modal() });
    assert_eq!(call(&world, "views.update", fresh).await["ok"], true);
    assert_eq!(world.next().await.kind, Kind::ViewUpdated { view_id: view_id.clone() });
    let closed = interaction(&world.close("alice", &view).unwrap());
    assert_eq!(closed["type"], "view_closed");
    assert_eq!(
        call(&world, "views.update", json!({ "view_id": view_id, "view": modal() })).await["error"],
        "not_found"
    );

    let slash = form(&world.slash("alice", "soc-setup", "key create"));
    world.edit(|state| state.trigger_life = Duration::ZERO);
    let late = call(&world, "views.open", json!({ "trigger_id": slash["trigger_id"], "view": modal() })).await;
    assert_eq!(late["error"], "expired_trigger_id");
    assert_eq!(world.violations(), [""; 0]);
}
