//! What a role or a key may do, as whoever approves it reads it: by its difference, and by presets.

use insta::assert_snapshot;

use crate::harness::{Platform, everywhere, nameless, usual};

everywhere!(a_role_is_shown_by_its_difference_to_the_nearest_one);
fn a_role_is_shown_by_its_difference_to_the_nearest_one(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let asked = s.ask("alice", "role create \"SOC lead\" with Analyst, \"Invite members\"").await;
        assert_snapshot!(nameless(asked.text()), @"
        Asked: *Create the role SOC lead*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        • The new role may: Analyst and 1 more: Invite members.
        Request <id>. Its card is in this channel.
        ");
        let card = s.card("Approval needed").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (posted)
        Approval needed
        *Create the role SOC lead*
        In *Nimbus Payments*
        May: Analyst and 1 more: Invite members
        Asked by @alice
        • ⚠️ can change things, as Analyst can
        • ⚠️ can administer the workspace: Invite members
        • ⚠️ A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        All 73, one by one: `/sekoia approvals <id>`
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        ");
        // The whole list, for who wants to read it.
        let whole = s.ask("bob", &format!("approvals {}", crate::harness::id_in(&card))).await;
        assert!(whole.text().contains("Comment on alerts") && whole.text().contains("Update alert status"), "{whole}");
        let dry = s.ask("alice", "role create \"Night lead\" with Analyst, \"Invite members\" --dry-run").await;
        assert!(dry.text().contains("May: Analyst and 1 more: Invite members"), "{dry}");
        s.checklist("⏳").await;

        s.click("bob", &card, "Approve").await;
        s.card("Done").await;
        s.direct().await;
        s.checklist_at_rest().await;
        let made = s.ask("dan", "role show \"SOC lead\"").await;
        assert!(made.text().contains("Analyst and 1 more: Invite members"), "{made}");
        // A built-in role is compared with nothing.
        let analyst = s.ask("dan", "role show Analyst").await;
        assert!(!analyst.text().contains("more: ") && !analyst.text().contains("without"), "{analyst}");
    });
}

everywhere!(a_role_that_exists_already_is_said_to);
fn a_role_that_exists_already_is_said_to(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let dry = s.ask("alice", "role create \"Second analyst\" with Analyst --dry-run").await.text();
        let shown: Vec<&str> = dry.lines().filter(|line| line.contains("Analyst")).take(4).collect();
        assert_snapshot!(shown.join("\n"), @"
        May: exactly the permissions of Analyst
        • ⚠️ can change things, as Analyst can
        • ⚠️ has exactly the permissions of Analyst: perhaps that role is enough
        • ⚠️ A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.
        ");
        // What no role is near to is listed.
        let dry = s.ask("alice", "role create Reader with read-alerts --dry-run").await;
        assert!(dry.text().contains("May: View alerts"), "{dry}");
    });
}

everywhere!(the_key_of_an_mcp_server_reads_and_no_more);
fn the_key_of_an_mcp_server_reads_and_no_more(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let asked = s.ask("alice", "key create mcp for mcp-readonly expires 90d").await;
        assert_snapshot!(nameless(asked.text()), @r#"
        Asked: *Create the API key mcp*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        • The MCP server is in early access, serves one community for each key, and offers the tools that the key's permissions allow; without the two query permissions SOL queries stay hidden. Its address ends in a slash: <API address>/v1/generative/mcp/. For threat intelligence alone "View intelligence" is enough. Revoke the key when nobody uses it.
        Request <id>. Its card is in this channel.
        "#);
        let card = s.card("Approval needed").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (posted)
        Approval needed
        *Create the API key mcp*
        In *Nimbus Payments* · expires on <date>
        Sekoia MCP server (read only), set up from chat
        May: View alerts, View cases, View events, View intelligence, View query builder data sources, Execute query, View Rules Catalog
        Asked by @alice
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        ");
        s.checklist("⏳").await;

        // Of the two titles that are published without an identifier, this workspace lacks one.
        s.sekoia.edit(|world| world.permissions.retain(|p| p.title != "Execute query"));
        let dry = s.ask("alice", "key create mcp2 for mcp-readonly expires 90d --dry-run").await;
        assert!(
            dry.text().contains("This workspace has no permission called \"Execute query\", which mcp-readonly would have too: it is left out."),
            "{dry}"
        );
        assert!(dry.text().contains("View query builder data sources"), "{dry}");
        // One that it needs is another matter.
        s.sekoia.edit(|world| world.permissions.retain(|p| p.title != "View cases"));
        let refused = s.ask("alice", "key create mcp2 for mcp-readonly expires 90d").await;
        assert!(refused.text().contains("There is no permission or preset called \"View cases\"."), "{refused}");
    });
}
