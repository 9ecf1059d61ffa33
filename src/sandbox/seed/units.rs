//! The people, roles, keys, sources and automations of each community, as tables.

/// A community and what is in it.
pub(super) struct Unit {
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) mfa_enforced: Option<bool>,
    pub(super) session_timeout: Option<i64>,
    pub(super) roles: &'static [CustomRole],
    pub(super) people: &'static [Person],
    pub(super) keys: &'static [Key],
    /// Name and status.
    pub(super) intakes: &'static [(&'static str, &'static str)],
    /// Name, status and why.
    pub(super) playbooks: &'static [(&'static str, &'static str, Option<&'static str>)],
    pub(super) alerts: u32,
}

pub(super) struct CustomRole {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) permissions: &'static [&'static str],
    /// Limited to the first intake of its community.
    pub(super) restricted: bool,
}

pub(super) struct Person {
    pub(super) first: &'static str,
    pub(super) last: &'static str,
    pub(super) email: &'static str,
    pub(super) roles: &'static [&'static str],
    pub(super) state: State,
}

pub(super) enum State {
    Active {
        mfa: bool,
        sso: bool,
        idle_days: i64,
    },
    /// Invited, not yet confirmed; the account may or may not show its address already.
    Pending {
        email_known: bool,
    },
    Disabled,
}

pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) permissions: &'static [&'static str],
    pub(super) created_days_ago: i64,
    pub(super) expires_in_days: Option<i64>,
    pub(super) revoked_days_ago: Option<i64>,
}

const fn person(
    first: &'static str,
    last: &'static str,
    email: &'static str,
    roles: &'static [&'static str],
    state: State,
) -> Person {
    Person { first, last, email, roles, state }
}

const fn active(mfa: bool, sso: bool, idle_days: i64) -> State {
    State::Active { mfa, sso, idle_days }
}

const SOC_LEVEL_1: CustomRole = CustomRole {
    name: "SOC Level 1",
    description: "Triage of alerts: reads everything about them, comments, changes their status",
    permissions: &[
        "SIC_READ_ALERTS",
        "SIC_WRITE_ALERTS_COMMENTS",
        "SIC_WRITE_ALERTS_WORKFLOW",
        "SIC_READ_INCIDENTS",
        "SIC_READ_INTAKES",
        "SIC_READ_EVENTS",
        "COMMUNITY_LIST_MEMBER",
    ],
    restricted: false,
};

const COMPLIANCE_AUDITOR: CustomRole = CustomRole {
    name: "Compliance Auditor",
    description: "Looks at who has access to what, for the yearly review",
    permissions: &["COMMUNITY_LIST_MEMBER", "COMMUNITY_READ_ROLE", "COMMUNITY_READ_APIKEY", "COMMUNITY_READ_LICENSE"],
    restricted: false,
};

const FRAUD_DESK: CustomRole = CustomRole {
    name: "Nimbus Fraud Desk",
    description: "Alerts and events of the payment gateway, and nothing else",
    permissions: &["SIC_READ_ALERTS", "SIC_READ_EVENTS", "SIC_READ_INTAKES"],
    restricted: true,
};

const INTEGRATION_KEYS: [Key; 5] = [
    Key {
        name: "log-forwarder",
        description: "Creates intakes for the log forwarder of the data centre",
        permissions: &["SIC_READ_INTAKES", "SIC_WRITE_INTAKES", "SIC_READ_ENTITIES"],
        created_days_ago: 410,
        expires_in_days: None,
        revoked_days_ago: None,
    },
    Key {
        name: "jira-tickets",
        description: "Opens a ticket for each new alert",
        permissions: &["SIC_READ_ALERTS", "SIC_WRITE_ALERTS_COMMENTS"],
        created_days_ago: 168,
        expires_in_days: Some(12),
        revoked_days_ago: None,
    },
    Key {
        name: "cti-enrichment",
        description: "Looks observables up for the mail gateway",
        permissions: &["INTHREAT_READ_OBJECTS", "INTHREAT_READ_OBSERVABLES"],
        created_days_ago: 10,
        expires_in_days: Some(170),
        revoked_days_ago: None,
    },
    Key {
        name: "old-siem-export",
        description: "Moved the alerts out of the former SIEM",
        permissions: &["SIC_READ_ALERTS", "SIC_WRITE_ALERTS"],
        created_days_ago: 200,
        expires_in_days: Some(-20),
        revoked_days_ago: None,
    },
    Key {
        name: "former-mssp",
        description: "Access of the provider before the change of contract",
        permissions: &["SIC_READ_ALERTS", "SIC_READ_INCIDENTS"],
        created_days_ago: 300,
        expires_in_days: Some(65),
        revoked_days_ago: Some(45),
    },
];

/// The parent of the multi-tenant workspace.
pub(super) const RIVOLI: Unit = Unit {
    slug: "rivoli",
    name: "Banque Rivoli",
    description: "Security operations centre of the group",
    mfa_enforced: Some(false),
    session_timeout: Some(720),
    roles: &[SOC_LEVEL_1, COMPLIANCE_AUDITOR],
    people: &[
        person("Claire", "Dubreuil", "claire.dubreuil@banque-rivoli.example", &["Admin"], active(true, true, 0)),
        person("Marc", "Lavigne", "marc.lavigne@banque-rivoli.example", &["Admin"], active(false, false, 2)),
        person("Sofia", "Benali", "sofia.benali@banque-rivoli.example", &["Admin"], active(false, true, 9)),
        person("Thomas", "O'Brien", "thomas.obrien@banque-rivoli.example", &["Analyst"], active(true, false, 1)),
        person("Inès", "Carpentier", "ines.carpentier@banque-rivoli.example", &["SOC Level 1"], active(true, false, 0)),
        person(
            "Hugo",
            "Petit",
            "hugo.petit@banque-rivoli.example",
            &["SOC Level 1", "Compliance Auditor"],
            active(false, false, 4),
        ),
        person("Élodie", "Marchand", "elodie.marchand@banque-rivoli.example", &["Guest"], State::Disabled),
        person(
            "Nadia",
            "Osman",
            "nadia.osman@banque-rivoli.example",
            &["Analyst"],
            State::Pending { email_known: true },
        ),
        person("Jonas", "Weber", "j.weber@audit-partner.example", &["Guest"], State::Pending { email_known: false }),
    ],
    keys: &INTEGRATION_KEYS,
    intakes: &[("Group Active Directory", "RUNNING")],
    playbooks: &[
        ("Enrich new alerts with CTI", "running", None),
        ("Weekly report to management", "error", Some("The mail server refused the connection")),
    ],
    alerts: 6,
};

/// A unit.
pub(super) const RETAIL: Unit = Unit {
    slug: "retail",
    name: "Rivoli Retail",
    description: "Branches and online banking",
    mfa_enforced: None,
    session_timeout: None,
    roles: &[],
    people: &[
        person("Claire", "Dubreuil", "claire.dubreuil@banque-rivoli.example", &["Admin"], active(true, true, 0)),
        person("Paul", "Girard", "paul.girard@retail.banque-rivoli.example", &["Admin"], active(false, false, 6)),
        person("Léa", "Fontaine", "lea.fontaine@retail.banque-rivoli.example", &["Analyst"], active(true, false, 1)),
        person("Karim", "Haddad", "karim.haddad@retail.banque-rivoli.example", &["Analyst"], active(false, false, 3)),
        person("Anne", "Morel", "anne.morel@retail.banque-rivoli.example", &["Guest"], active(false, false, 30)),
    ],
    keys: &[Key {
        name: "branch-dashboard",
        description: "Shows the number of alerts on the wall screen",
        permissions: &["SIC_READ_ALERTS", "SIC_READ_ALERT_STATS"],
        created_days_ago: 195,
        expires_in_days: Some(170),
        revoked_days_ago: None,
    }],
    intakes: &[("Online banking WAF", "RUNNING"), ("Branch firewalls <DMZ> & VPN", "ERROR")],
    playbooks: &[("Block card-testing addresses", "running", None)],
    alerts: 8,
};

/// A unit.
pub(super) const MARKETS: Unit = Unit {
    slug: "markets",
    name: "Rivoli Markets",
    description: "Trading floor and treasury",
    mfa_enforced: Some(true),
    session_timeout: Some(60),
    roles: &[CustomRole {
        name: "Trading Desk Watch",
        description: "Reads the alerts that concern the trading desk",
        permissions: &["SIC_READ_ALERTS", "SIC_READ_INCIDENTS"],
        restricted: false,
    }],
    people: &[
        person("Yann", "Le Goff", "yann.legoff@markets.banque-rivoli.example", &["Admin"], active(true, true, 0)),
        person("Mei", "Tanaka", "mei.tanaka@markets.banque-rivoli.example", &["Analyst"], active(true, true, 1)),
        person(
            "David",
            "Schmitt",
            "david.schmitt@markets.banque-rivoli.example",
            &["Trading Desk Watch"],
            active(true, true, 2),
        ),
    ],
    keys: &[],
    intakes: &[("Trading workstations EDR", "RUNNING")],
    playbooks: &[("Isolate a workstation", "stopped", None)],
    alerts: 7,
};

/// A unit, on trial.
pub(super) const PAYMENTS: Unit = Unit {
    slug: "payments",
    name: "Rivoli Payments (Nimbus)",
    description: "Card and instant payments, formerly Nimbus",
    mfa_enforced: Some(false),
    session_timeout: Some(1_440),
    roles: &[FRAUD_DESK],
    people: &[
        person("Marc", "Lavigne", "marc.lavigne@banque-rivoli.example", &["Admin"], active(false, false, 2)),
        person("Ada", "Nwosu", "ada.nwosu@nimbus.example", &["Admin"], active(true, false, 0)),
        person("Luis", "Ferreira", "luis.ferreira@nimbus.example", &["Analyst"], active(false, false, 5)),
        person("Chloé", "Roussel", "chloe.roussel@nimbus.example", &["Nimbus Fraud Desk"], active(true, false, 1)),
    ],
    keys: &[
        Key {
            name: "fraud-portal",
            description: "Lets the fraud portal look alerts up",
            permissions: &["SIC_READ_ALERTS"],
            created_days_ago: 18,
            expires_in_days: Some(12),
            revoked_days_ago: None,
        },
        Key {
            name: "status-page",
            description: "Publishes the state of the intakes",
            permissions: &["SIC_READ_INTAKES"],
            created_days_ago: 95,
            expires_in_days: None,
            revoked_days_ago: None,
        },
    ],
    intakes: &[("Payment gateway", "RUNNING"), ("Key management HSM", "STOPPED")],
    playbooks: &[
        ("Freeze a merchant account", "running", None),
        ("Notify the fraud desk", "error", Some("Switched off after 5 failures in a row")),
    ],
    alerts: 9,
};

/// The only community of the single-tenant workspace.
pub(super) const NIMBUS: Unit = Unit {
    slug: "nimbus",
    name: "Nimbus Payments",
    description: "Card and instant payments",
    mfa_enforced: Some(false),
    session_timeout: Some(720),
    roles: &[SOC_LEVEL_1, FRAUD_DESK],
    people: &[
        person("Ada", "Nwosu", "ada.nwosu@nimbus.example", &["Admin"], active(true, false, 0)),
        person("Bruno", "Keller", "bruno.keller@nimbus.example", &["Admin"], active(false, false, 3)),
        person("Luis", "Ferreira", "luis.ferreira@nimbus.example", &["Analyst"], active(false, false, 5)),
        person("Ingrid", "Solberg", "ingrid.solberg@nimbus.example", &["SOC Level 1"], active(true, true, 0)),
        person("Chloé", "Roussel", "chloe.roussel@nimbus.example", &["Nimbus Fraud Desk"], active(true, false, 1)),
        person("Piotr", "Zielinski", "piotr.zielinski@nimbus.example", &["Guest"], State::Disabled),
        person("Nadia", "Osman", "nadia.osman@nimbus.example", &["Analyst"], State::Pending { email_known: true }),
        person("Jonas", "Weber", "j.weber@audit-partner.example", &["Guest"], State::Pending { email_known: false }),
    ],
    keys: &INTEGRATION_KEYS,
    intakes: &[
        ("Payment gateway", "RUNNING"),
        ("Office firewall", "RUNNING"),
        ("Laptops EDR", "RUNNING"),
        ("Key management HSM", "STOPPED"),
        ("Mail gateway <MX> & relay", "ERROR"),
    ],
    playbooks: &[
        ("Enrich new alerts with CTI", "running", None),
        ("Freeze a merchant account", "stopped", None),
        ("Notify the fraud desk", "error", Some("Switched off after 5 failures in a row")),
    ],
    alerts: 30,
};
