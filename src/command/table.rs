//! Every command: its words, its usage, its help, the right and the Sekoia permissions it needs.

use super::spec::{Spec, row};
use super::{asking, parse, plan, rules};
use crate::domain::access::Right;
use crate::domain::checklist::StepId;

use Right::{Anybody, Approver, Operator, Viewer};
use StepId::{Communities, Keys, Notifications, Quickstart, Region, Roles, Subscription, Users};

/// The table, in the order in which help shows it.
pub static TABLE: &[Spec] = &[
    row(
        "help",
        "[all, task, command or step]",
        Anybody,
        parse::help,
        "What you can do here now; with `all`, every command; or help on a task, a command or a step.",
        "help skip",
    ),
    row("whoami", "", Anybody, parse::whoami, "Your id and your rights here.", "whoami"),
    row(
        "setup",
        "[community] [from <template> <parameters>]",
        Operator,
        parse::setup,
        "Opens the checklist in this channel for one Sekoia community, or binds it to another one; with the plan of a template.",
        "setup \"Nimbus Payments\"",
    ),
    row("status", "", Viewer, parse::status, "The checklist as it stands.", "status"),
    row("next", "", Viewer, parse::next, "The first step that is still open; the prerequisites come first.", "next"),
    row(
        "step",
        "<1-7 or name> [check]",
        Viewer,
        parse::step,
        "A step's card; with `check`, what Sekoia says about it now.",
        "step 1 check",
    )
    .aka(&["open"]),
    row(
        "done",
        "<step> [as <your e-mail>] [anyway]",
        Operator,
        parse::done,
        "Ticks a step that Sekoia confirms, against the plan; with `anyway`, on your word alone. `as`: your account at Sekoia, if the chat does not tell it.",
        "done region",
    )
    .aka(&["tick", "complete"]),
    row(
        "skip",
        "<step> <reason>",
        Operator,
        parse::skip,
        "Leaves a step out, for a reason that stays on record.",
        "skip notifications \"we use our own alerting\"",
    ),
    row("reopen", "<step>", Operator, parse::reopen, "Makes a done or skipped step open again.", "reopen 3"),
    row("assign", "<step> <@user or nobody>", Operator, parse::assign, "Says who does a step.", "assign users @bob"),
    row(
        "due",
        "<step> <date or none>",
        Operator,
        parse::due,
        "Says by when: 2026-12-01, tomorrow, friday, +7d.",
        "due users +7d",
    ),
    row(
        "refresh",
        "",
        Viewer,
        parse::refresh,
        "Brings the channel's progress message up to date, or posts it again.",
        "refresh",
    ),
    row(
        "report",
        "[markdown or json] [page]",
        Viewer,
        parse::report,
        "The readiness report, as a file to you alone: every step, evidence, who and when, exceptions, in Markdown or JSON. With a page, as text here.",
        "report",
    ),
    row(
        "inbox",
        "[page]",
        Viewer,
        parse::inbox,
        "What waits for you, in all channels: requests that you can decide, keys to collect, steps that are yours. Also in direct messages.",
        "inbox",
    ),
    row("overview", "[page]", Operator, parse::overview, "All channels, and what waits for whom.", "overview"),
    row(
        "doctor",
        "",
        Operator,
        parse::doctor,
        "Whether the bot works: store, Sekoia, chat, public address, people; what fails, and how to correct it.",
        "doctor",
    ),
    row(
        "reset",
        "",
        Operator,
        parse::reset,
        "Starts the checklist over, after a confirmation. The history stays.",
        "reset",
    ),
    row(
        "plan",
        "[step]",
        Viewer,
        plan::plan,
        "What this workspace should be; of one step, beside what Sekoia has.",
        "plan 4",
    ),
    row(
        "plan products",
        "[names, current, complete or edit]",
        Operator,
        plan::of_part,
        "The products and modules that are needed. `current`: those that Sekoia shows; `edit`: a form.",
        "plan products Defend, Intelligence, Reveal",
    )
    .of(Subscription),
    row(
        "plan region",
        "[code or current]",
        Operator,
        plan::of_part,
        "The region that the workspace should be in.",
        "plan region FRA1",
    )
    .of(Region),
    row(
        "plan communities",
        "[names, current, complete or edit]",
        Operator,
        plan::of_part,
        "The communities that are needed, and no others.",
        "plan communities Retail, Cards",
    )
    .of(Communities),
    row(
        "plan community",
        "<name> [about <description>]",
        Operator,
        plan::of_thing,
        "One community more. Without arguments, opens a form.",
        "plan community Retail about \"The retail branch\"",
    )
    .of(Communities),
    row(
        "plan roles",
        "[names, current, complete or edit]",
        Operator,
        plan::of_part,
        "The roles that are needed: Sekoia's own by their names.",
        "plan roles Analyst, Guest",
    )
    .of(Roles),
    row(
        "plan role",
        "<name> [with <permissions>] [about <description>]",
        Operator,
        plan::of_thing,
        "One role more. Without arguments, opens a form.",
        "plan role \"Night shift\" with View alerts, View events",
    )
    .of(Roles),
    row(
        "plan people",
        "[e-mails as <role>, current, complete or edit]",
        Operator,
        plan::of_part,
        "The people who should be members.",
        "plan people ana@bank.example ben@bank.example as Analyst",
    )
    .of(Users),
    row(
        "plan person",
        "<e-mail> [as <role>] [to <communities>]",
        Operator,
        plan::of_thing,
        "One person more. Without arguments, opens a form.",
        "plan person ana@bank.example as Analyst to Retail, Cards",
    )
    .of(Users),
    row(
        "plan keys",
        "[current, complete or edit]",
        Operator,
        plan::of_part,
        "The API keys that are needed, one for each use.",
        "plan keys",
    )
    .of(Keys),
    row(
        "plan key",
        "<name> [for <preset>] [with <permissions>] [expires <30d, date or never>] [owner <@user>]",
        Operator,
        plan::of_thing,
        "One key more. Without arguments, opens a form.",
        "plan key forwarder for intake-forwarder expires 180d",
    )
    .of(Keys),
    row(
        "plan notifications",
        "[triggers, current, complete or edit]",
        Operator,
        plan::of_part,
        "The triggers that rules should wait for, in the place of the three that Sekoia names.",
        "plan notifications alert, silent, playbook",
    )
    .of(Notifications),
    row(
        "plan hardening",
        "[settings, current or edit]",
        Operator,
        plan::of_part,
        "The security settings that the community should have: mfa, session-timeout, inactive-accounts, sso.",
        "plan hardening mfa on, session-timeout 8h, inactive-accounts on",
    )
    .of(StepId::Hardening),
    row(
        "plan drop",
        "<part> [name]",
        Operator,
        plan::drop,
        "Takes something out of the plan; without a name, the whole part. Nothing changes at Sekoia.",
        "plan drop people eve@partner.example",
    ),
    row("plan export", "", Operator, plan::export, "The plan as a file in TOML.", "plan export"),
    row(
        "plan import",
        "[file name, or template <name> <parameters>]",
        Operator,
        plan::import,
        "Reads a plan, and shows what differs. Without arguments, opens a form.",
        "plan import bank.toml",
    ),
    row(
        "plan verify",
        "",
        Operator,
        plan::verify,
        "Checks every step against the plan, and ticks those that match.",
        "plan verify",
    ),
    row(
        "subscription",
        "[page]",
        Viewer,
        parse::subscription,
        "Licences: products, modules, limits, expiry.",
        "subscription",
    )
    .aka(&["licences", "licenses"])
    .of(Subscription)
    .needs(&["Read community licenses"]),
    row("region", "", Viewer, parse::region, "The region and its addresses.", "region").of(Region),
    row(
        "region share",
        "",
        Operator,
        parse::region_share,
        "Posts the address of Sekoia's app in the channel, and pins it where that is allowed.",
        "region share",
    )
    .of(Region),
    row(
        "region probe",
        "",
        Operator,
        parse::region_probe,
        "Tries the key in the other regions, one host a second, after a confirmation.",
        "region probe",
    )
    .of(Region),
    row(
        "communities",
        "[page]",
        Viewer,
        parse::communities,
        "Single- or multi-tenant, and the communities.",
        "communities",
    )
    .of(Communities),
    row(
        "community create",
        "<name, …> [about <description>] [because <reason>] [--dry-run]",
        Operator,
        asking::community_create,
        "Creates one community or several, after an approval. Without arguments, opens a form.",
        "community create \"Rivoli Retail\"",
    )
    .of(Communities)
    .needs(&["COMMUNITY_MANAGE_SUB_COMMUNITIES"]),
    row("roles", "[page]", Viewer, parse::roles, "Roles with their permissions and members.", "roles")
        .of(Roles)
        .needs(&["COMMUNITY_READ_ROLE"]),
    row(
        "role show",
        "<name> [page]",
        Viewer,
        parse::role_show,
        "One role, with all its permissions.",
        "role show Analyst",
    )
    .of(Roles)
    .needs(&["COMMUNITY_READ_ROLE"]),
    row(
        "role create",
        "<name> [with <preset, role or permissions>] [about <description>] [because <reason>] [--dry-run]",
        Operator,
        asking::role_create,
        "Creates a custom role, after an approval. Without arguments, opens a form.",
        "role create \"SOC lead\" with Analyst",
    )
    .of(Roles)
    .needs(&["COMMUNITY_READ_ROLE", "COMMUNITY_WRITE_ROLE"]),
    row("users", "[page]", Operator, parse::users, "Members, pending invitations, MFA.", "users")
        .aka(&["members"])
        .of(Users)
        .needs(&["COMMUNITY_LIST_MEMBER"]),
    row(
        "invite",
        "<e-mail…, from <file>> [as <role>] [to <community, …>] [because <reason>] [--leave-out] [--dry-run]",
        Operator,
        asking::invite,
        "Invites one person or hundreds, after an approval. Without arguments, opens a form, which takes a file too.",
        "invite ana@example.com as Analyst",
    )
    .of(Users)
    .needs(&["COMMUNITY_LIST_MEMBER", "COMMUNITY_ADD_MEMBER", "COMMUNITY_READ_ROLE"]),
    row(
        "resend",
        "<e-mail… or request id> [because <reason>] [--dry-run]",
        Operator,
        asking::resend,
        "Sends invitations again that were not accepted, after an approval: each is replaced by a new one.",
        "resend ana@example.com",
    )
    .of(Users)
    .needs(&["COMMUNITY_LIST_MEMBER", "COMMUNITY_ADD_MEMBER", "COMMUNITY_REMOVE_MEMBER"]),
    row(
        "plan request",
        "[because <reason>] [--dry-run]",
        Operator,
        asking::plan_request,
        "Asks for everything that the channel's plan names and Sekoia lacks, as one request with one approval.",
        "plan request",
    )
    .needs(&[
        "COMMUNITY_MANAGE_SUB_COMMUNITIES",
        "COMMUNITY_READ_ROLE",
        "COMMUNITY_WRITE_ROLE",
        "COMMUNITY_LIST_MEMBER",
        "COMMUNITY_ADD_MEMBER",
        "COMMUNITY_READ_APIKEY",
        "COMMUNITY_WRITE_APIKEY",
    ]),
    row("keys", "[page]", Operator, parse::keys, "API keys: status, expiry, days left.", "keys")
        .of(Keys)
        .needs(&["COMMUNITY_READ_APIKEY"]),
    row(
        "key create",
        "<name> [for <preset>] [with <permissions>] [about <description>] [expires <30d,180d,365d,date,never>] [because <reason>] [--dry-run]",
        Operator,
        asking::key_create,
        "Creates an API key, after an approval, and shows it once, to who asked. Without arguments, opens a form.",
        "key create forwarder for intake-forwarder",
    )
    .of(Keys)
    .needs(&["COMMUNITY_READ_APIKEY", "COMMUNITY_WRITE_APIKEY"]),
    row(
        "key revoke",
        "<name> [because <reason>] [--dry-run]",
        Operator,
        asking::key_revoke,
        "Revokes an API key, after an approval.",
        "key revoke forwarder",
    )
    .of(Keys)
    .needs(&["COMMUNITY_READ_APIKEY", "COMMUNITY_WRITE_APIKEY"]),
    row(
        "key rotate",
        "<name> [as <new name>] [expires <30d,180d,365d,date,never>] [because <reason>] [--dry-run]",
        Operator,
        asking::key_rotate,
        "Replaces an API key, after an approval: the new one is shown, both work until you retire the old one.",
        "key rotate forwarder",
    )
    .of(Keys)
    .needs(&["COMMUNITY_READ_APIKEY", "COMMUNITY_WRITE_APIKEY"]),
    row("audit", "[n]", Operator, parse::audit, "The last records of this channel's history.", "audit 20"),
    row(
        "notify",
        "[page]",
        Viewer,
        parse::notify,
        "The channel's notification rules: what they watch, how often, when they last fired, what fails.",
        "notify",
    )
    .aka(&["notify list"])
    .of(Notifications),
    row(
        "notify summary",
        "[24h or 7d]",
        Viewer,
        parse::notify_summary,
        "What the rules did: how often, how urgent, what was noisy, how soon it was acknowledged; with a chart.",
        "notify summary 7d",
    )
    .of(Notifications),
    row(
        "notify add",
        "<trigger> [conditions]",
        Operator,
        rules::notify_add,
        "Adds a rule. Without arguments, opens a form.",
        "notify add alert urgency>=75",
    )
    .of(Notifications)
    .needs(&["View alerts", "View intakes", "View playbook runs"]),
    row("notify remove", "<n>", Operator, parse::notify_remove, "Removes a rule.", "notify remove 2").of(Notifications),
    row("notify pause", "<n>", Operator, parse::notify_pause, "Stops a rule until it is resumed.", "notify pause 2")
        .of(Notifications),
    row("notify resume", "<n>", Operator, parse::notify_resume, "Ends a pause or a mute.", "notify resume 2")
        .of(Notifications),
    row(
        "notify mute",
        "<n> <1h, 1d>",
        Operator,
        parse::notify_mute,
        "Keeps a rule quiet for a time.",
        "notify mute 2 1h",
    )
    .of(Notifications),
    row(
        "notify test",
        "<n>",
        Operator,
        parse::notify_test,
        "Sends a sample through a rule, the whole way into the channel.",
        "notify test 1",
    )
    .of(Notifications),
    row("notify seen", "<n>", Operator, parse::notify_seen, "Says that a rule's sample arrived.", "notify seen 1")
        .of(Notifications),
    row(
        "notify recommended",
        "",
        Operator,
        parse::notify_recommended,
        "Adds the three rules that Sekoia recommends, after a confirmation.",
        "notify recommended",
    )
    .of(Notifications),
    row(
        "notify digest",
        "<daily or weekly [day]> <HH:MM or off> [zone]",
        Operator,
        rules::notify_digest,
        "Posts a summary at a local time, or no more.",
        "notify digest daily 08:30 Europe/Paris",
    )
    .of(Notifications),
    row(
        "notify webhook",
        "[rotate or revoke]",
        Operator,
        parse::notify_webhook,
        "The address for Sekoia's own rules, shown once; how to use it; another one, or none.",
        "notify webhook",
    )
    .of(Notifications),
    row(
        "acknowledge",
        "<alert>",
        Operator,
        parse::acknowledge,
        "Acknowledges an alert at Sekoia.",
        "acknowledge ALa1b2c3",
    )
    .aka(&["ack"])
    .needs(&["View alerts", "Update alert status"]),
    row(
        "approvals",
        "[mine or id] [page]",
        Operator,
        asking::approvals,
        "Requests that are not settled, with buttons; those that you can decide or asked for; or one of them in full. Approvers may see them too.",
        "approvals mine",
    ),
    row("cancel", "<id>", Operator, asking::cancel, "Withdraws your own request.", "cancel 7f3a"),
    row("approve", "<id>", Approver, asking::approve, "Approves a request, exactly as its card says.", "approve 7f3a"),
    row("reject", "<id> <reason>", Approver, asking::reject, "Rejects a request.", "reject 7f3a \"not now\""),
    row("show", "<id>", Operator, asking::show, "Creates an approved key and shows it, to who asked for it or keeps it alone.", "show 7f3a"),
    row("saved", "<id>", Operator, asking::saved, "Says that a shown key is saved.", "saved 7f3a"),
    row("lost", "<id>", Operator, asking::lost, "Revokes the key that you were shown and did not save; then you may create it again.", "lost 7f3a"),
    row("retire", "<id>", Operator, asking::retire, "Revokes the key that a new one replaces.", "retire 7f3a"),
    row("retry", "<id>", Operator, asking::retry, "Tries again what Sekoia refused.", "retry 7f3a"),
    row("by hand", "<id>", Operator, asking::by_hand, "Turns what Sekoia refused into a task for a person.", "by hand 7f3a"),
    row("check", "<id>", Operator, asking::check, "Looks in Sekoia whether it is done, by hand or otherwise.", "check 7f3a"),
    row(
        "freeze",
        "<reason>",
        Approver,
        asking::freeze,
        "Stops all sensitive execution.",
        "freeze \"incident 42\"",
    ),
    row("unfreeze", "", Approver, asking::unfreeze, "Allows it again.", "unfreeze"),
    row(
        "quickstart",
        "[defend, intelligence, reveal or elevate]",
        Viewer,
        parse::quickstart,
        "What comes next: the quick start of each licensed product, and what of it is there.",
        "quickstart defend",
    )
    .of(Quickstart)
    .needs(&["View intakes", "View alerts", "View playbooks", "View playbook runs", "View Rules Catalog"]),
    row(
        "quickstart send",
        "",
        Operator,
        parse::quickstart_send,
        "Sends the quick start to the analysts: posts it here and writes to the members who are in this chat, after a confirmation.",
        "quickstart send",
    )
    .of(Quickstart)
    .needs(&["COMMUNITY_LIST_MEMBER"]),
];

/// A row by its name or an alias.
pub fn find(name: &str) -> Option<&'static Spec> {
    TABLE.iter().find(|spec| spec.name == name || spec.aliases.contains(&name))
}

/// The table of commands, as the documentation has it.
pub fn table_in_markdown() -> String {
    let mut out =
        String::from("| Command | Right | Sekoia permissions of the bot's key | |\n| --- | --- | --- | --- |\n");
    for spec in TABLE {
        let usage = spec.usage().replace("/sekoia ", "").replace('|', "\\|");
        let needs = if spec.needs.is_empty() { "–".into() } else { spec.needs.join(", ") };
        out.push_str(&format!("| `{usage}` | {} | {needs} | {} |\n", spec.right.name(), spec.help));
    }
    out
}
