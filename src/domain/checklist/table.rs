//! The steps of Sekoia's "Workspace setup overview", as data.
//!
//! Source: that page (July 2026), in our own words. A step that Sekoia adds is a variant, a row
//! here and a file in `steps/`; nothing else lists the steps.

use std::fmt;

use crate::chat::text::fold;

/// One row of the checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StepId {
    Prerequisites,
    Subscription,
    Region,
    Communities,
    Roles,
    Users,
    Keys,
    Notifications,
    Quickstart,
    Hardening,
}

/// What a step is, for whoever has to do it.
#[derive(Debug)]
pub struct StepSpec {
    pub id: StepId,
    /// Its place in Sekoia's list; none before step 1 and after the last.
    pub number: Option<u8>,
    /// Its name in commands, in the stored state and in the report.
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub title: &'static str,
    pub why: &'static str,
    /// What the bot does for it today.
    pub bot: &'static str,
    /// Where it is done by hand in Sekoia's console.
    pub console: &'static str,
    /// The command that shows what Sekoia says; none where only the checklist knows.
    pub shows: Option<&'static str>,
    /// Sekoia's pages: label, path under [`DOCS`].
    pub see: &'static [(&'static str, &'static str)],
}

/// Root of Sekoia's documentation. Old slugs are used: redirects cover them on either side of the
/// reorganisation of July 2026.
pub const DOCS: &str = "https://docs.sekoia.com/";

pub const STEPS: [StepSpec; StepId::COUNT] = [
    StepSpec {
        id: StepId::Prerequisites,
        number: None,
        name: "prerequisites",
        aliases: &["0", "before", "prerequisite"],
        title: "Before you start",
        why: "The person who sets up the workspace needs administrator access and a secured account of their own.",
        bot: "checks that its API key is valid and has the permissions that the plan needs, and that who ticks this step is an Admin with MFA",
        console: "your own account, Security",
        shows: None,
        see: &[
            ("Secure your account", "getting_started/secure_your_account/"),
            ("Workspace setup overview", "getting_started/"),
        ],
    },
    StepSpec {
        id: StepId::Subscription,
        number: Some(1),
        name: "subscription",
        aliases: &["subscriptions", "licence", "licences", "license", "licenses"],
        title: "Verify your subscription",
        why: "Which products and modules are active, until when and for how many assets decides what the team can use.",
        bot: "reads the licences, warns by Sekoia's own expiry thresholds and keeps the evidence",
        console: "Settings > Workspace > Subscriptions",
        shows: Some("subscription"),
        see: &[("Understand your subscription", "getting_started/subscriptions/")],
    },
    StepSpec {
        id: StepId::Region,
        number: Some(2),
        name: "region",
        aliases: &["regions", "url"],
        title: "Confirm your region",
        why: "App, API and intake addresses all depend on the region; people with the wrong address cannot get in.",
        bot: "confirms that its key works in the configured region and posts the right addresses",
        console: "the address of the console itself",
        shows: Some("region"),
        see: &[("Regions", "getting_started/regions/")],
    },
    StepSpec {
        id: StepId::Communities,
        number: Some(3),
        name: "communities",
        aliases: &["community"],
        title: "Create communities",
        why: "In a multi-tenant workspace each client or unit has its own intakes, rules, alerts and people.",
        bot: "detects the mode, lists the communities and creates new ones after an approval; with only one tenant the step does not apply",
        console: "Settings > Workspace > General, New community",
        shows: Some("communities"),
        see: &[("Create a community", "getting_started/create_community/")],
    },
    StepSpec {
        id: StepId::Roles,
        number: Some(4),
        name: "roles",
        aliases: &["role"],
        title: "Define roles",
        why: "Roles reviewed before inviting give people the right permissions from their first day.",
        bot: "lists the roles with their permissions and members, creates custom ones after an approval, and warns of the built-in-role trap",
        console: "Settings > Workspace > Roles",
        shows: Some("roles"),
        see: &[("Roles", "getting_started/roles/"), ("Custom roles", "getting_started/custom_roles/")],
    },
    StepSpec {
        id: StepId::Users,
        number: Some(5),
        name: "users",
        aliases: &["user", "invite", "members", "people"],
        title: "Invite users",
        why: "The team needs accounts; the link in an invitation is good for 24 hours only.",
        bot: "invites one person or hundreds after an approval, tracks who came, and shows who has no MFA",
        console: "Settings > Workspace > Users, Add new users",
        shows: Some("users"),
        see: &[("Invite users", "getting_started/invite_users/")],
    },
    StepSpec {
        id: StepId::Keys,
        number: Some(6),
        name: "keys",
        aliases: &["key", "apikeys", "api-keys"],
        title: "Create API keys",
        why: "One key per integration, with the least permissions, keeps a leak small.",
        bot: "creates, rotates and revokes keys after an approval, shows a new one once, and flags those without expiry or about to expire",
        console: "Settings > Workspace > API Keys",
        shows: Some("keys"),
        see: &[("Manage API keys", "getting_started/manage_api_keys/")],
    },
    StepSpec {
        id: StepId::Notifications,
        number: Some(7),
        name: "notifications",
        aliases: &["notification", "notify"],
        title: "Configure notifications",
        why: "Urgent alerts, silent intakes and failed playbooks should reach somebody without anybody looking.",
        bot: "watches by this channel's own rules, takes in what Sekoia's rules post to its webhook, and ticks this step when a rule has fired or its sample has arrived; Sekoia's public API cannot list the rules of its console",
        console: "Settings > Notifications",
        shows: Some("notify"),
        see: &[
            ("Notifications", "getting_started/notification_concept/"),
            ("Examples", "getting_started/notifications-Examples/"),
        ],
    },
    StepSpec {
        id: StepId::Quickstart,
        number: None,
        name: "quickstart",
        aliases: &["next-steps", "after"],
        title: "What comes next",
        why: "Once the workspace is configured, analysts follow the quick start of their product.",
        bot: "posts the quick start and checks that intakes, alerts and playbooks are there",
        console: "Intakes, Alerts and Playbooks in the console",
        shows: Some("quickstart"),
        see: &[("Defend", "xdr/xdr_quick_start/"), ("Intelligence", "cti/")],
    },
    StepSpec {
        id: StepId::Hardening,
        number: None,
        name: "hardening",
        aliases: &["security", "harden"],
        title: "Harden the workspace",
        why: "Enforced MFA, short sessions, no forgotten accounts and single sign-on keep a stolen password small.",
        bot: "reads enforced MFA, the session time-out and the rule for inactive accounts, and who logs in without single sign-on",
        console: "Settings > Workspace > Workspace security",
        shows: None,
        see: &[("Workspace security", "getting_started/workspace_security/")],
    },
];

impl StepId {
    pub const COUNT: usize = 10;

    /// All rows, in order.
    pub fn all() -> impl DoubleEndedIterator<Item = StepId> {
        STEPS.iter().map(|s| s.id)
    }

    /// The steps that count: those with a number.
    pub fn numbered() -> impl DoubleEndedIterator<Item = StepId> {
        STEPS.iter().filter(|s| s.number.is_some()).map(|s| s.id)
    }

    pub fn spec(self) -> &'static StepSpec {
        &STEPS[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// By number, name or alias, in any case.
    pub fn find(word: &str) -> Option<StepId> {
        let word = fold(word);
        STEPS
            .iter()
            .find(|s| {
                s.name == word || s.aliases.contains(&word.as_str()) || s.number.is_some_and(|n| word.parse() == Ok(n))
            })
            .map(|s| s.id)
    }
}

/// How a step is called in a sentence: `step 2 (region)`.
impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spec().number {
            Some(n) => write!(f, "step {n} ({})", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_ids() {
        for (i, spec) in STEPS.iter().enumerate() {
            assert_eq!(spec.id as usize, i);
        }
        assert_eq!(StepId::numbered().count(), 7);
    }

    #[test]
    fn names_and_aliases_are_unique() {
        let mut words: Vec<&str> = STEPS.iter().flat_map(|s| s.aliases.iter().copied().chain([s.name])).collect();
        words.sort_unstable();
        let all = words.len();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
