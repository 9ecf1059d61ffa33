//! Reading: Markdown, attachments, dialogs; and what nobody should have to read.

use super::*;

async fn said(message: &str) -> (String, Vec<String>) {
    let wire = Wire::new().await;
    wire.call("POST", "/posts", json!({ "channel_id": id("soc-setup"), "message": message })).await;
    (wire.0.next().await.text(), wire.0.violations())
}

#[tokio::test]
async fn a_post_reads_as_a_person_sees_it() {
    let wire = Wire::new().await;
    let users = action("Assign to", json!({ "id": "a3", "type": "select", "data_source": "users" }));
    let options = json!([{ "text": "Region", "value": "2" }]);
    let menu = action("Open a step", json!({ "id": "a4", "type": "select", "options": options }));
    let day = action("Due date 📅", json!({ "id": "a5" }));
    let sure = action("Reset", json!({ "id": "a2", "style": "danger", "tooltip": "Really?" }));
    let next = action("Next", json!({ "style": "primary" }));
    let post = json!({
        "channel_id": id("soc-setup"),
        "message": "#### Set-up & more\n**Owner** @alice in ~soc-setup, see [docs](https://docs.example) <https://x.example>\n\n\
            - one `code`\n- two \\*not bold\\*\n\n```\nsecret & <b>\n```\n> quoted\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n1. first\n2. second",
        "props": { "attachments": [
            { "text": "_small_", "actions": [users, menu, next, sure, day] },
            { "text": "See: [Regions](https://docs.example/r)", "footer": "the end" },
        ] },
    });
    wire.call("POST", "/posts", post).await;
    let seen = wire.0.next().await;
    insta::assert_snapshot!(seen, @"
    #soc-setup (posted)
    Set-up & more
    *Owner* @alice in #soc-setup, see docs <https://docs.example> <https://x.example>
    • one `code`
    • two *not bold*
    ```
    secret & <b>
    ```
    > quoted
    ```
    a  b
    1  2
    ```
    1. first
    2. second
    _small_
    [Next]! [Reset?]✗ [Assign to ▾] [Open a step ▾] [Due date 📅]
    See: Regions <https://docs.example/r>
    the end
    ");
    assert_eq!(seen.options("Open a step"), ["Region"]);
    assert!(seen.asks("Reset") && !seen.asks("Next"));
    assert_eq!(wire.0.violations(), [""; 0]);
}

#[tokio::test]
async fn a_menu_among_buttons_is_caught() {
    let wire = Wire::new().await;
    let users = action("Assign to", json!({ "id": "a2", "type": "select", "data_source": "users" }));
    let attachments = json!([{ "actions": [action("Next", json!({})), users] }]);
    let post = json!({ "channel_id": id("soc-setup"), "message": "x", "props": { "attachments": attachments } });
    wire.call("POST", "/posts", post).await;
    assert_eq!(wire.0.next().await.text(), "x\n[Next] [Assign to ▾]");
    assert_eq!(wire.0.violations(), ["a menu stands behind a button"]);
}

#[tokio::test]
async fn words_that_want_to_be_more_are_caught() {
    let faults = [
        ("@all look", "broadcast: @all"),
        ("look, @here.", "broadcast: @here"),
        ("(@Channel)", "broadcast: @Channel"),
        ("@all-hands", "broadcast: @all"),
        ("ask @robo", "@robo is mentioned, whom nothing here is about"),
        ("\\@robo", "@robo is mentioned, whom nothing here is about"),
        ("in ~old", "~old is linked, which nothing here is about"),
        ("![x](https://x.example/x.png)", "an image: https://x.example/x.png"),
        ("a <b>b", "raw HTML: <b>"),
        ("[x](javascript:alert)", "a link that leads to javascript:alert"),
    ];
    for (message, fault) in faults {
        assert_eq!(said(message).await.1, [fault], "{message}");
    }
    for (message, reads) in [
        ("ana@all.example", "ana@all.example"),
        ("@\u{2060}all, ~\u{2060}old, :\u{2060}tada:", "@all, ~old, :tada:"),
        ("`@all` 12:30:45 <@U0BOB> \\<b\\> &lt;i&gt;", "`@all` 12:30:45 <@U0BOB> <b> <i>"),
        ("@nobody ~nowhere", "@nobody ~nowhere"),
        (":tada:", "🎉"),
    ] {
        assert_eq!(said(message).await, (reads.to_owned(), Vec::new()), "{message}");
    }
}

#[tokio::test]
async fn a_dialog_reads_as_a_person_sees_it() {
    let wire = Wire::new().await;
    let slash = wire.0.slash("alice", "soc-setup", "skip 7");
    let options = json!([{ "text": "Admin", "value": "r1" }, { "text": "Guest", "value": "r2" }]);
    let elements = json!([
        reason(),
        { "display_name": "Name", "name": "name", "type": "text", "default": "siem", "optional": true },
        { "display_name": "Role", "name": "role", "type": "select", "options": options, "default": "r2" },
        { "display_name": "Several", "name": "some", "type": "select", "multiselect": true, "options": options, "default": "r1,r2" },
        { "display_name": "Sure", "name": "sure", "type": "bool", "placeholder": "Yes", "default": "true" },
        { "display_name": "One", "name": "one", "type": "radio", "options": options, "default": "r1" },
        { "display_name": "Day", "name": "day", "type": "date" },
    ]);
    assert_eq!(wire.call("POST", "/actions/dialogs/open", opening(&slash, dialog(elements))).await.0, 200);
    let form = wire.0.next().await;
    insta::assert_snapshot!(form, @"
    form for alice (opened)
    Skip a step
    *Why*, then?
    Why: [____]
      Stays on record.
    Name (optional): [siem]
    Role: [Guest ▾]
      ▾ Admin | Guest
    Several: [Admin, Guest ▾…]
      ▾ Admin | Guest
    Sure: [x] Yes
    One: (•) Admin ( ) Guest
    Day: [Select a date 📅]
    [Cancel] [Skip it]!
    ");
    let values =
        [("Why", "because"), ("Several", "Guest, Admin"), ("Role", "Admin"), ("Day", "2026-12-01"), ("Name", "")];
    let submitted = sent(&wire.0.submit("alice", &form, &values));
    let wanted = json!({ "reason": "because", "name": "", "role": "r1", "some": ["r2", "r1"], "sure": true, "one": "r1",
        "day": "2026-12-01" });
    assert_eq!(submitted["submission"], wanted);
    assert_eq!((&submitted["state"], &submitted["cancelled"]), (&json!("sealed"), &json!(false)));
    assert_eq!(wire.0.violations(), [""; 0]);
}
