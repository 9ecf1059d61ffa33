//! Lists of people: read as they arrive, accounted for before anything is asked and on the card.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use insta::assert_snapshot;
use sekoia_chatops::sandbox::{Tenant, Writes};

use crate::harness::{Platform, SOC, Setting, Stage, everywhere, nameless, on_mattermost, on_slack, run, usual};

const NIGHT: &str = "Name,Team,E-mail\nAna Roy,night,ana@nimbus.example\nBo Lind,day,\nCy Park,day,cy@nimbus.example\n";

fn multi() -> Setting {
    Setting { tenant: Tenant::Multi, ..Setting::default() }
}

/// A file as it is uploaded into a form that takes files.
fn bytes(content: &[u8]) -> String {
    format!("data:;base64,{}", STANDARD.encode(content))
}

/// What the sandbox knows somebody to be: community and role.
fn granted(s: &Stage, address: &str) -> Vec<String> {
    s.sekoia.edit(|world| {
        let theirs = world
            .members
            .iter()
            .filter(|m| m.user.email.as_deref() == Some(address) || m.user.invited_email.as_deref() == Some(address));
        let name = |member: &sekoia_chatops::sandbox::world::Member| {
            let community = world.communities.iter().find(|c| c.uuid == member.community_uuid).map(|c| c.name.clone());
            let roles: Vec<String> =
                world.roles.iter().filter(|r| member.roles.contains(&r.uuid)).map(|r| r.name.clone()).collect();
            format!("{} {}", community.unwrap_or_default(), roles.join("+"))
        };
        theirs.map(name).collect()
    })
}

everywhere!(rows_without_an_address_are_seen_before_and_after);
fn rows_without_an_address_are_seen_before_and_after(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let form = s.form_for("alice", "invite").await;
        let refused = s.refused("alice", &form, &[("E-mail addresses", ""), ("Or a file", NIGHT)]).await;
        assert_snapshot!(refused, @r#"{"csv":"2 of 3 rows; 1 left out: row 3 has no address (Bo Lind day). Correct the list, or choose \"Leave them out\" below."}"#);
        let asked = s
            .submit(
                "alice",
                &form,
                &[("E-mail addresses", ""), ("Or a file", NIGHT), ("Rows that are unclear", "Leave them out")],
            )
            .await;
        assert_snapshot!(nameless(asked.text()), @"
        Asked: *Invite 2 people as Analyst*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        • ⚠️ Steps 1, 2 and 4 are still open: in Sekoia's order they are settled before people are invited.
        2 of 3 rows; 1 left out: row 3 has no address (Bo Lind day).
        Request <id>. Its card is in this channel.
        ");
        let card = s.card("Approval needed").await;
        assert_snapshot!(nameless(card.text()), @"
        Approval needed
        *Invite 2 people as Analyst*
        In *Nimbus Payments* as *Analyst*
        • ana@nimbus.example
        • cy@nimbus.example
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        2 of 3 rows; 1 left out: row 3 has no address (Bo Lind day).
        Asked by @alice
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        ");
        s.checklist("⏳").await;
        let whole = s.ask("bob", &format!("approvals {}", crate::harness::id_in(&card))).await;
        assert_snapshot!(nameless(whole.text()), @"
        Request <id> · requested
        *Invite 2 people as Analyst*
        In *Nimbus Payments* as *Analyst*
        • ana@nimbus.example
        • cy@nimbus.example
        • 2 of 3 rows; 1 left out
        • row 3 has no address (Bo Lind day)
        SHA-256 of what was asked for:
        ```
        <hash>
        ```
        [Approve?]! [Reject…]✗
        ");
    });
}

everywhere!(typed_lists_say_what_they_are_taken_for);
fn typed_lists_say_what_they_are_taken_for(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let mut told = Vec::new();
        for case in [
            "invite Roy, Ana <ana.roy@nimbus.example>; bob; <cy@nimbus.example> --dry-run",
            "invite ana@nimbus.example nobody",
            "invite *ana@nimbus.example",
            "invite \"ana@nimbus.example\" <eve@evil.example>",
            "invite from",
        ] {
            let answer = s.ask("alice", case).await.text();
            told.push(format!("{case}\n  {}", nameless(answer).replace('\n', "\n  ")));
        }
        assert_snapshot!(told.join("\n"), @r#"
        invite Roy, Ana <ana.roy@nimbus.example>; bob; <cy@nimbus.example> --dry-run
          Dry run: nothing was asked, nothing is sent
          *Invite 2 people as Analyst*
          In *Nimbus Payments* as *Analyst*
          • ana.roy@nimbus.example
          • cy@nimbus.example
          • No role was given, so it is Analyst.
          2 of 3 entries; 1 left out: "bob" has no address.
          ```
          POST http://127.0.0.1:<port>/v1/invitations
          {
            "communities": {
              "<id>-517c-4ba2-8a01-<hash>": [
                "<id>-ba02-4be5-bdd9-<hash>"
              ]
            },
            "email": "ana.roy@nimbus.example"
          }
          ```
          ```
          POST http://127.0.0.1:<port>/v1/invitations
          {
            "communities": {
              "<id>-517c-4ba2-8a01-<hash>": [
                "<id>-ba02-4be5-bdd9-<hash>"
              ]
            },
            "email": "cy@nimbus.example"
          }
          ```
          Would need 1 approval by @bob or @carol
          Header: Authorization: Bearer, with the bot's own key, which is never shown.
        invite ana@nimbus.example nobody
          1 of 2 entries; 1 left out: "nobody" has no address. Correct the list, or add `--leave-out` to ask for the others.
          Usage: `/sekoia invite <e-mail…, from <file>> [as <role>] [to <community, …>] [because <reason>] [--leave-out] [--dry-run]`
          Nothing was asked.
        invite *ana@nimbus.example
          There is nobody to invite. 0 of 1 entry; 1 left out: "*ana@nimbus.example" begins or ends before the @ with a sign that addresses do not have there.
          Usage: `/sekoia invite <e-mail…, from <file>> [as <role>] [to <community, …>] [because <reason>] [--leave-out] [--dry-run]`
          Nothing was asked.
        invite "ana@nimbus.example" <eve@evil.example>
          There is nobody to invite. 0 of 1 entry; 1 left out: names two addresses, ana@nimbus.example and eve@evil.example: keep the one that is meant.
          Usage: `/sekoia invite <e-mail…, from <file>> [as <role>] [to <community, …>] [because <reason>] [--leave-out] [--dry-run]`
          Nothing was asked.
        invite from
          `invite` needs to know the name of the file.
          Usage: `/sekoia invite <e-mail…, from <file>> [as <role>] [to <community, …>] [because <reason>] [--leave-out] [--dry-run]`
          Try: `/sekoia invite ana@example.com as Analyst`
        "#);
        let list = "invite Roy, Ana <ana.roy@nimbus.example>; \"Lind, Bo\" <bo.lind@nimbus.example>; mailto:Zoe@MÜLLER.example?subject=Hi nobody --leave-out as Guest";
        assert_snapshot!(nameless(s.ask("alice", list).await.text()), @r#"
        Asked: *Invite 3 people as Guest*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        • ⚠️ Steps 1, 2 and 4 are still open: in Sekoia's order they are settled before people are invited.
        3 of 4 entries; 1 left out: "nobody" has no address.
        Request <id>. Its card is in this channel.
        "#);
        assert_snapshot!(nameless(s.card("Approval needed").await.text()), @r#"
        Approval needed
        *Invite 3 people as Guest*
        In *Nimbus Payments* as *Guest*
        • ana.roy@nimbus.example
        • bo.lind@nimbus.example
        • zoe@müller.example (zoe@xn--mller-kva.example)
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        3 of 4 entries; 1 left out: "nobody" has no address.
        Asked by @alice
        • ⚠️ external domain: no member has an address at xn--mller-kva.example
        • ⚠️ müller.example is xn--mller-kva.example: check that none of its letters only looks like another
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        "#);
        s.checklist("⏳").await;
    });
}

everywhere!(every_row_gets_its_own_role_and_community);
fn every_row_gets_its_own_role_and_community(on: Platform) {
    run(on, multi(), async |s| {
        s.ask("alice", "setup \"Banque Rivoli\"").await;
        s.checklist("").await;
        let list = "Nom;Courriel;Rôle;Communauté\nAna;ana@rivoli.example;Analyst;Rivoli Retail\nBo;bo@rivoli.example;guest;\nCy;cy@rivoli.example;Janitor;Rivoli Retail\nDi;di@rivoli.example;Analyst;\"Rivoli Retail; Rivoli Markets\"\nEd;ed@rivoli.example;Guest;Rivoli Retial\n";
        let form = s.form_for("alice", "invite").await;
        let values = [("Or a file", list), ("Rows that are unclear", "Leave them out")];
        assert_snapshot!(s.refused("alice", &form, &values[..1]).await, @r#"{"csv":"3 of 5 rows; 2 left out: row 4: There is no role called \"Janitor\". There are: Admin, Analyst, Guest; row 6: There is no community called \"Rivoli Retial\". Did you mean \"Rivoli Retail\"? Correct the list, or choose \"Leave them out\" below."}"#);
        assert_snapshot!(nameless(s.submit("alice", &form, &values).await.text()), @r#"
        Asked: *Invite 3 people: 2 as Analyst and 1 as Guest*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        • ⚠️ Steps 1, 2, 3 and 4 are still open: in Sekoia's order they are settled before people are invited.
        3 of 5 rows; 2 left out: row 4: There is no role called "Janitor". There are: Admin, Analyst, Guest; row 6: There is no community called "Rivoli Retial". Did you mean "Rivoli Retail"?
        Request <id>. Its card is in this channel.
        "#);
        let card = s.card("Approval needed").await;
        assert_snapshot!(nameless(card.text()), @r#"
        Approval needed
        *Invite 3 people: 2 as Analyst and 1 as Guest*
        In *Rivoli Retail* as *Analyst*
        • ana@rivoli.example
        In *Banque Rivoli* as *Guest*
        • bo@rivoli.example
        In *Rivoli Retail* as *Analyst*
        In *Rivoli Markets* as *Analyst*
        • di@rivoli.example
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        3 of 5 rows; 2 left out: row 4: There is no role called "Janitor". There are: Admin, Analyst, Guest; row 6: There is no community called "Rivoli Retial". Did you mean "Rivoli Retail"?
        Asked by @alice
        • ⚠️ external domain: no member has an address at rivoli.example
        • ⚠️ gives some of them access to 2 communities
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        "#);
        s.checklist("⏳").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("not accepted yet").await;
        assert_snapshot!(nameless(card.text()), @r#"
        Done
        *Invite 3 people: 2 as Analyst and 1 as Guest*
        In *Rivoli Retail* as *Analyst*
        In *Banque Rivoli* as *Guest*
        In *Rivoli Retail* as *Analyst*
        In *Rivoli Markets* as *Analyst*
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        3 of 5 rows; 2 left out: row 4: There is no role called "Janitor". There are: Admin, Analyst, Guest; row 6: There is no community called "Rivoli Retial". Did you mean "Rivoli Retail"?
        Asked by @alice
        • ⚠️ external domain: no member has an address at rivoli.example
        • ⚠️ gives some of them access to 2 communities
        3 of 3 done · 0 accepted so far
        • ✅ Approved by @bob · <date> <time> UTC
        • ✅ *ana@rivoli.example* · not accepted yet · <date> <time> UTC
        • ✅ *bo@rivoli.example* · not accepted yet · <date> <time> UTC
        • ✅ *di@rivoli.example* · not accepted yet · <date> <time> UTC
        Request <id> · SHA-256 <hash>…
        [Send again]
        "#);
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(granted(s, "ana@rivoli.example"), ["Rivoli Retail Analyst"]);
        assert_eq!(granted(s, "bo@rivoli.example"), ["Banque Rivoli Guest"]);
        assert_eq!(granted(s, "di@rivoli.example"), ["Rivoli Retail Analyst", "Rivoli Markets Analyst"]);
        assert_eq!(granted(s, "cy@rivoli.example"), Vec::<String>::new());
    });
}

everywhere!(by_hand_too_everybody_has_their_own);
fn by_hand_too_everybody_has_their_own(on: Platform) {
    run(on, Setting { writes: Writes::Refused, ..Setting::default() }, async |s| {
        s.set_up().await;
        let list =
            "E-mail,Role\nana@nimbus.example,Guest\nbo@nimbus.example,Analyst\ncy@nimbus.example,Guest\nnobody,Guest\n";
        let form = s.form_for("alice", "invite").await;
        s.submit("alice", &form, &[("Or a file", list), ("Rows that are unclear", "Leave them out")]).await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("To do by hand").await.text();
        assert_snapshot!(card.split("```").nth(1).unwrap_or_default().trim(), @r#"
        ana@nimbus.example
        cy@nimbus.example

        Nimbus Payments as Guest

        bo@nimbus.example

        Nimbus Payments as Analyst

        3 of 4 rows; 1 left out: row 5: "nobody" is no e-mail address.
        "#);
        s.direct().await;
        s.checklist("a person to do it by hand:").await;
    });
}

everywhere!(two_columns_that_could_be_meant_are_asked_about);
fn two_columns_that_could_be_meant_are_asked_about(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let form = s.form_for("alice", "invite").await;
        let list = |heads: &str| format!("Name,{heads}\nAna,ana@nimbus.example,ana@home.example\n");
        assert_snapshot!(s.refused("alice", &form, &[("Or a file", &list("E-mail,Mail"))]).await, @r#"{"csv":"Addresses stand in \"E-mail\" and in \"Mail\", and either could be meant. Rename the one that is meant \"Work e-mail\", or remove the others."}"#);
        let asked = s.submit("alice", &form, &[("Or a file", &list("Work e-mail,Private e-mail"))]).await;
        assert_snapshot!(nameless(asked.text()), @r#"
        Asked: *Invite ana@nimbus.example as Analyst*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        • ⚠️ Steps 1, 2 and 4 are still open: in Sekoia's order they are settled before people are invited.
        1 of 1 row: Addresses are from "Work e-mail".
        Request <id>. Its card is in this channel.
        "#);
        s.card("Approval needed").await;
        s.checklist("⏳").await;
    });
}

#[test]
fn files_of_every_usual_encoding_are_read_on_slack() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        let form = s.form_for("alice", "invite").await;
        let workbook = bytes(b"PK\x03\x04\x14\0\x06\0");
        assert_snapshot!(s.refused("alice", &form, &[("Or a file", &workbook)]).await, @r#"{"csv":"I could not read the file: This is a workbook or another archive, not text. Save it as CSV (in Excel: File, Save As, \"CSV UTF-8\") and choose that file. Or paste its content into the field above."}"#);
        let text = "Prénom;Nom;Courriel\r\nZoé;Müller;zoe@nimbus.example\r\n";
        let western: Vec<u8> = text.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let asked = s.submit("alice", &form, &[("Or a file", &bytes(&western))]).await;
        assert!(asked.text().contains("Invite zoe@nimbus.example as Analyst"), "{asked}");
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        let text = "name\temail\r\nAna\tana@nimbus.example\r\nBo\tbo@nimbus.example\r\n";
        let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let form = s.form_for("alice", "invite").await;
        let asked = s.submit("alice", &form, &[("Or a file", &bytes(&wide))]).await;
        assert!(asked.text().contains("Invite 2 people as Analyst"), "{asked}");
        s.card("Approval needed").await;
    });
}

everywhere!(five_hundred_people_are_invited_in_one_request);
fn five_hundred_people_are_invited_in_one_request(on: Platform) {
    let list: String = (1..=500).map(|i| format!("Person {i},person.number.{i}@nimbus.example\n")).collect();
    let list = format!("Name,E-mail\n{list}");
    usual(on, async |s| {
        s.set_up().await;
        let asked = match s.chat.platform() {
            Platform::Slack => {
                let form = s.form_for("alice", "invite").await;
                s.submit("alice", &form, &[("Or a file", &list), ("Role", "Guest")]).await
            }
            Platform::Mattermost => {
                s.mattermost().attach("alice", SOC, "People 2027.csv", list.as_bytes());
                s.ask("alice", "invite from \"people 2027.csv\" as Guest").await
            }
        };
        assert_snapshot!(nameless(asked.text()), @"
        Asked: *Invite 500 people as Guest*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        • ⚠️ Steps 1, 2 and 4 are still open: in Sekoia's order they are settled before people are invited.
        500 of 500 rows.
        Request <id>. Its card is in this channel.
        ");
        let card = s.card("Approval needed").await;
        assert!(card.text().contains("500 of 500 rows.") && card.text().contains("… and 485 more"), "{card}");
        s.checklist("⏳").await;
    });
}

everywhere!(a_list_that_was_cut_by_the_form_is_not_believed);
fn a_list_that_was_cut_by_the_form_is_not_believed(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let form = s.form_for("alice", "invite").await;
        let full: String =
            (0..200).map(|i| format!("person{i}@nimbus.example\n")).collect::<String>().chars().take(3_000).collect();
        let told = s.refused("alice", &form, &[("E-mail addresses", &full)]).await;
        match s.chat.platform() {
            Platform::Slack => {
                assert_snapshot!(told, @r#"{"addresses":"This field is full with 3,000 characters, so the end of your list may be missing. Use the file field below for long lists."}"#)
            }
            Platform::Mattermost => {
                assert_snapshot!(told, @r#"{"addresses":"This field is full with 3,000 characters, so the end of your list may be missing. Attach it to a message here as a file and type /sekoia invite from its-name.csv."}"#);
                let pasted = s.refused("alice", &form, &[("E-mail addresses", ""), ("Or a file", &full)]).await;
                assert!(pasted.starts_with(r#"{"csv":"This field is full"#), "{pasted}");
            }
        }
    });
}

#[test]
fn only_ones_own_file_is_read_on_mattermost() {
    on_mattermost(Setting::default(), async |s| {
        s.set_up().await;
        let attach = |user: &str, name: &str, content: &[u8]| s.mattermost().attach(user, SOC, name, content);
        attach("alice", "people.csv", b"ana@nimbus.example\n");
        attach("alice", "people.csv", b"Nom;Courriel\nZo\xe9;zoe@nimbus.example\n");
        attach("bob", "people.csv", b"eve@evil.example\n");
        attach("alice", "people.xlsx", b"PK\x03\x04");
        let asked = s.ask("alice", "invite from people.csv").await.text();
        assert!(asked.starts_with("Asked: *Invite zoe@nimbus.example as Analyst*"), "{asked}");
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        assert_snapshot!(s.ask("alice", "invite from people.xlsx").await.text(), @r#"
        people.xlsx: This is a workbook or another archive, not text. Save it as CSV (in Excel: File, Save As, "CSV UTF-8") and choose that file.
        Usage: `/sekoia invite <e-mail…, from <file>> [as <role>] [to <community, …>] [because <reason>] [--leave-out] [--dry-run]`
        Nothing was asked.
        "#);
        assert_snapshot!(s.ask("alice", "invite from others.csv as Guest").await.text(), @"I found no file others.csv among your latest messages here. Attach it to a message in this channel, then type the same again.");
    });
}

#[test]
fn where_forms_take_files_the_form_is_named() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "invite from people.csv").await.text(), @"Type `/sekoia invite` without a file: the form that opens takes it. Nothing was asked.");
    });
}
