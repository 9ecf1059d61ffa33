//! What people paste: names that look the same, the forms in which a chat sends links and people,
//! marks, and words that mean something else at first sight.

use insta::assert_snapshot;

use crate::harness::{Platform, SOC, Seen, Setting, Stage, everywhere, nameless, on_slack, run, steady, usual};

/// Custom roles, by their names.
fn roles(s: &Stage, names: &[&str]) {
    s.sekoia.edit(|world| {
        let custom = world.roles.iter().find(|role| role.community_uuid.is_some()).cloned().expect("a custom role");
        for (i, name) in names.iter().enumerate() {
            let mut role = custom.clone();
            role.uuid = uuid::Uuid::from_u128(0x1000 + i as u128);
            role.name = (*name).into();
            world.roles.push(role);
        }
    });
}

/// The first line of an answer.
fn first(seen: &Seen) -> String {
    seen.text().lines().next().unwrap_or_default().to_owned()
}

everywhere!(a_name_that_ends_in_a_number_is_not_a_page);
fn a_name_that_ends_in_a_number_is_not_a_page(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        roles(s, &["Tier", "Tier 1", "Landing page", "Landing page 2", "Health check"]);
        let mut shown = Vec::new();
        for words in [
            "role show Tier",
            "role show Tier 1",
            "role show tier 1 page 2",
            "role show Tier 7",
            "role show \"Tier\" 1",
            "role show Landing page",
            "role show Landing page 2",
            "role show Health check",
            "role show `Tier 1`",
            "role show Tier 1.",
            "role show Tear 1",
        ] {
            shown.push(format!("{words}: {}", first(&s.ask("alice", words).await)));
        }
        assert_snapshot!(shown.join("\n"), @r#"
        role show Tier: Tier
        role show Tier 1: Tier 1
        role show tier 1 page 2: Tier 1
        role show Tier 7: Tier
        role show "Tier" 1: Tier
        role show Landing page: Landing page
        role show Landing page 2: Landing page 2
        role show Health check: Health check
        role show `Tier 1`: Tier 1
        role show Tier 1.: Tier 1
        role show Tear 1: There is no role called "Tear 1". There are: Admin, Analyst, Guest, Health check, Landing page, Landing page 2, Nimbus Fraud Desk, SOC Level 1, Tier, Tier 1.
        "#);
    });
}

everywhere!(the_pages_of_a_role_are_those_of_that_role);
fn the_pages_of_a_role_are_those_of_that_role(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        roles(s, &["Tier", "Tier 2"]);
        s.sekoia.edit(|world| {
            let all: Vec<_> = world.permissions.iter().map(|p| p.uuid).collect();
            for role in world.roles.iter_mut().filter(|role| role.name == "Tier") {
                role.permissions = all.clone();
            }
        });
        let page = s.ask("alice", "role show Tier").await;
        let next = s.click("alice", &page, "Next page").await;
        assert!(first(&next).contains("Tier") && !first(&next).contains("Tier 2"), "{next}");
        assert!(next.text().contains("page 2 of"), "{next}");
        let back = s.click("alice", &next, "Previous page").await;
        assert!(back.text().contains("page 1 of"), "{back}");
    });
}

everywhere!(names_that_look_the_same_are_the_same);
fn names_that_look_the_same_are_the_same(on: Platform) {
    usual(on, async |s| {
        roles(s, &["Élise & Co", "Straße", "Same", "SAME"]);
        s.set_up().await;
        let mut shown = Vec::new();
        for words in [
            "role show SOC\u{2060} Level\u{200b} 1",
            "role show SOC\u{a0}Level\u{a0}1",
            "role show E\u{301}lise & Co",
            "role show ÉLISE & CO",
            "role show STRASSE",
            "role show Ａｎａｌｙｓｔ",
            "role show Same",
            "setup Nimbus\u{2060}\u{a0}payments",
        ] {
            shown.push(format!("{}: {}", words.escape_unicode_names(), first(&s.ask("alice", words).await)));
        }
        s.checklist("").await;
        assert_snapshot!(shown.join("\n"), @r"
        role show SOC\u{2060} Level\u{200b} 1: SOC Level 1
        role show SOC\u{a0}Level\u{a0}1: SOC Level 1
        role show E\u{301}lise & Co: Élise & Co
        role show ÉLISE & CO: Élise & Co
        role show STRASSE: Straße
        role show Ａｎａｌｙｓｔ: Analyst
        role show Same: Same
        setup Nimbus\u{2060}\u{a0}payments: This channel is already set up for Nimbus Payments. `/sekoia status` shows where it stands.
        ");
        // Two that differ in case alone are asked for, with both names and ids.
        assert_snapshot!(s.ask("alice", "role show same").await.text(), @r#"
        2 roles are called "same". Say which one by its id:
        • `/sekoia role show "00000000-0000-0000-0000-000000001002"` *Same* · custom · 7 permissions
        • `/sekoia role show "00000000-0000-0000-0000-000000001003"` *SAME* · custom · 7 permissions
        "#);
    });
}

trait Named {
    /// With what nobody sees by its number.
    fn escape_unicode_names(&self) -> String;
}

impl Named for str {
    fn escape_unicode_names(&self) -> String {
        let shown =
            |c: char| if c.is_ascii() || c.is_alphabetic() { c.to_string() } else { c.escape_unicode().to_string() };
        self.chars().map(shown).collect()
    }
}

everywhere!(a_name_is_taken_however_it_is_written);
fn a_name_is_taken_however_it_is_written(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let mut refused = Vec::new();
        for words in [
            "key create log-forwarder\u{200b} for read-alerts",
            "key create ＬＯＧ-forwarder for read-alerts",
            "role create soc\u{a0}level 1 with read-alerts",
            "role create anal\u{ad}yst with read-alerts",
        ] {
            refused.push(first(&s.ask("alice", words).await));
        }
        assert_snapshot!(refused.join("\n"), @r#"
        There is already a key called "log-forwarder". Sekoia wants names to be unique.
        There is already a key called "log-forwarder". Sekoia wants names to be unique.
        There is already a role called "SOC Level 1".
        Analyst is a built-in role. Choose another name.
        "#);
        // What is made is called what was seen.
        let dry = s.ask("alice", "key create cafe\u{301}\u{200b} \u{2060}bar for read-alerts --dry-run").await;
        assert_snapshot!(dry.text().lines().nth(1).unwrap(), @"*Create the API key café bar*");
    });
}

#[test]
fn what_a_chat_makes_of_words_is_kept_as_they_were_read() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        let sent = [
            "see <#C0SOC|soc-setup> and <#C0OTHER|>",
            "<!subteam^S0SOC|@soc-team> said so, <!here>",
            "ask <@U0BOB|bob> or <@U0EVE>",
            "call <tel:+33123456789|+33 1 23 45 67 89>",
            "until <!date^1392734382^{date_short}|Feb 18, 2014>",
            "as in <http://wiki.example|wiki.example> and <https://x.y/z?a=1&amp;b=2>",
            "mail <mailto:ana@x.com|ana@x.com> R&amp;D &lt;b&gt;",
        ];
        let mut kept = Vec::new();
        for text in sent {
            s.taken(&s.slack().slash("alice", SOC, &format!("skip 7 {text}"))).await;
            let said = s.reply().await.text();
            let line = said.lines().find(|line| line.contains("skipped: ")).unwrap_or_default();
            kept.push(line.split("skipped: ").nth(1).and_then(|line| line.split(" · ").next()).unwrap().to_owned());
            s.checklist("skipped: ").await;
            s.ask("alice", "reopen 7").await;
            s.checklist("").await;
        }
        assert_snapshot!(kept.join("\n"), @"
        see #soc-setup and #C0OTHER
        @soc-team said so, @here
        ask @bob or @U0EVE
        call +33 1 23 45 67 89
        until Feb 18, 2014
        as in wiki.example and https://x.y/z?a=1&b=2
        mail ana@x.com R&D <b>
        ");
        let create = "key create <http://forwarder.example|forwarder.example> for read-alerts --dry-run";
        s.taken(&s.slack().slash("alice", SOC, create)).await;
        assert_snapshot!(s.reply().await.text().lines().nth(1).unwrap(), @"*Create the API key forwarder.example*");
    });
}

everywhere!(backticks_of_people_are_no_markup);
fn backticks_of_people_are_no_markup(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.sekoia.edit(|world| {
            let key = world.keys.iter_mut().find(|key| key.name == "log-forwarder").expect("the key");
            key.name = "a `b` *c".into();
        });
        let mut shown = Vec::new();
        for words in [
            "role show `x` `y",
            "key revoke a `b` *d",
            "due users `x`",
            "notify add alert urgency>=`75`",
            "stat `x`",
            "status `x`",
            "notify add playbook `x`",
        ] {
            shown.push(format!("{words}: {}", s.ask("alice", words).await.text().lines().next().unwrap_or_default()));
        }
        assert_snapshot!(shown.join("\n"), @r#"
        role show `x` `y: There is no role called "`x` `y". There are: Admin, Analyst, Guest, Nimbus Fraud Desk, SOC Level 1.
        key revoke a `b` *d: There is no active key called "a `b` *d". Did you mean "a `b` *c"?
        due users `x`: "`x`" is not a date: write 2026-12-01, today, tomorrow, friday, +7d, or none.
        notify add alert urgency>=`75`: "`75`" is not an urgency: give a number from 0 to 100, such as `urgency>=75`.
        stat `x`: Unknown command "stat". Did you mean `status `x``?
        status `x`: `status` does not take "`x`".
        notify add playbook `x`: There is no playbook called "`x`". There are: Enrich new alerts with CTI, Freeze a merchant account, Notify the fraud desk.
        "#);
    });
}

everywhere!(a_slip_keeps_what_followed_it);
fn a_slip_keeps_what_followed_it(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let mut shown = Vec::new();
        for words in
            ["don 4", "assign usres @bob", "notify add alrt urgency>=80", "skpi 3 \"one tenant\"", "help statsu"]
        {
            shown.push(s.ask("alice", words).await.text());
        }
        assert_snapshot!(shown.join("\n\n"), @r#"
        Unknown command "don". Did you mean `done 4`?
        Try: `/sekoia done 4`

        "usres" is not a step: did you mean `users`?
        Usage: `/sekoia assign <step> <@user or nobody>`
        Try: `/sekoia assign users @bob`

        "alrt" is not something to wait for: did you mean `alert`?
        Usage: `/sekoia notify add <trigger> [conditions]`
        Try: `/sekoia notify add alert urgency>=80`

        Unknown command "skpi". Did you mean `skip 3 "one tenant"`?
        Try: `/sekoia skip 3 "one tenant"`

        "statsu" is not a topic: did you mean `status`?
        Usage: `/sekoia help [all, task, command or step]`
        Try: `/sekoia help status`
        "#);
    });
}

everywhere!(a_pasted_command_is_a_command);
fn a_pasted_command_is_a_command(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for words in [
            "/sekoia whoami",
            "`/sekoia whoami`",
            "*whoami*",
            "\"whoami\"",
            "who\u{200b}ami\u{2060}",
            "```/sekoia whoami```",
            "whoami.",
        ] {
            let said = s.ask("alice", words).await;
            assert!(said.text().starts_with("You are"), "{words}: {said}");
        }
    });
}

everywhere!(a_key_that_holds_a_keyword_in_its_name_is_found);
fn a_key_that_holds_a_keyword_in_its_name_is_found(on: Platform) {
    run(on, Setting::default(), async |s| {
        s.set_up().await;
        s.sekoia.edit(|world| {
            let key = world.keys.iter_mut().find(|key| key.name == "log-forwarder").expect("the key");
            key.name = "Out for lunch".into();
        });
        let dry = s.ask("alice", "key revoke out for lunch because it leaked --dry-run").await;
        assert_snapshot!(dry.text().lines().nth(1).unwrap(), @"*Revoke the API key Out for lunch*");
        let asked = s.ask("alice", "key revoke out for lunch because it leaked").await;
        assert!(asked.text().starts_with("Asked: *Revoke the API key Out for lunch*"), "{asked}");
        let card = s.card("Approval needed").await;
        assert!(nameless(&card).contains("it leaked"), "{card}");
        s.checklist("⏳").await;
    });
}

everywhere!(an_offset_asks_for_the_place);
fn an_offset_asks_for_the_place(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let asked = s.ask("alice", "notify digest daily 08:30 IST").await;
        let zones = asked.to_string();
        for zone in ["Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"] {
            assert!(zones.contains(zone), "{asked}");
        }
        assert!(!zones.contains("Istanbul"), "{asked}");
        assert_snapshot!(asked.text().lines().next().unwrap(), @r#""IST" is the clock of several places, now or for a part of the year. Which one do you mean?"#);
        let set = s.click("alice", &asked, "Asia/Kolkata (UTC+05:30)").await;
        assert_snapshot!(steady(set.text().lines().next().unwrap()), @"Every day at <time> (Asia/Kolkata), a digest comes here. The next one: <date> <time> UTC.");
        let mut shown = Vec::new();
        for zone in ["GMT+2", "CET", "new york", "Istanbull"] {
            let said = s.ask("alice", &format!("notify digest weekly 09:00 {zone}")).await;
            assert!(!said.to_string().contains("Etc/"), "{said}");
            shown.push(steady(first(&said)));
        }
        assert_snapshot!(shown.join("\n"), @r#"
        "GMT+2" is the clock of several places, now or for a part of the year. Which one do you mean?
        "CET" is the clock of several places, now or for a part of the year. Which one do you mean?
        Every Monday at <time> (America/New_York), a digest comes here. The next one: <date> <time> UTC.
        "Istanbull" is not a time zone: did you mean `Europe/Istanbul`?
        "#);
    });
}
