//! What an operator sets: read whole, and everything that is wrong said at once.

use std::fs;
use std::time::Duration;

use insta::assert_snapshot;
use jiff::civil::time;
use secrecy::ExposeSecret;
use sekoia_chatops::config::{Config, Faults, LogConfig, SlackWayIn, StoreConfig, StorePlace, VARIABLES};
use sekoia_chatops::domain::action::Kind;
use sekoia_chatops::domain::approval::{Notify, Reveal, Rule};
use sekoia_chatops::domain::working_time::WorkingTime;
use sekoia_chatops::sekoia::Region;

type Env<'a> = &'a [(&'a str, &'a str)];

/// 32 bytes in base64.
const KEY: &str = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTEyMzQ=";
const NEEDED: Env<'static> =
    &[("SEKOIA_API_KEY", "canary-key"), ("SLACK_SIGNING_SECRET", "canary-signing"), ("SLACK_BOT_TOKEN", "xoxb-canary")];

fn of(env: Env<'_>) -> impl Fn(&str) -> Option<String> {
    move |name| env.iter().rfind(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
}

fn read(env: Env<'_>) -> Result<Config, Faults> {
    Config::read(of(env))
}

/// With everything that `serve` needs.
fn with(env: Env<'_>) -> Result<Config, Faults> {
    read(&[NEEDED, env].concat())
}

fn faults(env: Env<'_>) -> String {
    with(env).expect_err("a configuration that is wrong").to_string()
}

/// Reads a TOML file of these lines, with this environment over it; the directory's name is cut
/// out of the faults.
fn with_file(lines: &str, env: Env<'_>) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chatops.toml");
    fs::write(&path, lines).unwrap();
    let env = [env, &[("CHATOPS_CONFIG", path.to_str().unwrap())]].concat();
    read(&env).map_err(|faults| faults.to_string().replace(&format!("{}/", directory.path().display()), ""))
}

const FILE: &str = r#"
sekoia_api_key = "file-key"
sekoia_region = "MCO1"
slack_signing_secret = "file-signing"
slack_bot_token = "xoxb-file"
chatops_approvers = ["slack:U0ALICE", "slack-group:S0SOC"]
"#;

#[test]
fn nothing_set_asks_for_everything_at_once() {
    assert_snapshot!(read(&[]).unwrap_err(), @"
    SEKOIA_API_KEY: is missing; create one in Sekoia under Settings > Workspace > API Keys
    SLACK_… or MATTERMOST_…: no chat platform is configured; set SLACK_BOT_TOKEN and SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP), or MATTERMOST_URL and MATTERMOST_BOT_TOKEN, or both
    ");
}

#[test]
fn every_fault_is_said_at_once() {
    let wrong = read(&[
        ("SEKOIA_REGION", "FRA9"),
        ("SEKOIA_API_URL", "http://api.sekoia.io"),
        ("SLACK_SIGNING_SECRET", "canary signing"),
        ("SLACK_BOT_TOKEN", "xoxb-canary\nAuthorization: canary"),
        ("SLACK_API_URL", "http://slack.com/api"),
        ("CHATOPS_LISTEN", "8080"),
        ("CHATOPS_STORE", "postgres://bot:canary@db"),
        ("CHATOPS_STORE_CONNECTIONS", "1"),
        ("CHATOPS_STORE_TIMEOUT", "5"),
        ("CHATOPS_SECRET_KEY", &format!("{KEY},Y2FuYXJ5")),
        ("CHATOPS_OPERATORS", "alice, slack:alice, slack:U0OK, slack-group:U0X, teams:U1, slack:"),
        ("CHATOPS_APPROVERS", "slack:U0A<script>"),
        ("CHATOPS_CHANNELS", "#soc-setup,C0SOC,general"),
    ]);
    assert_snapshot!(wrong.unwrap_err(), @r##"
    SEKOIA_API_KEY: is missing; create one in Sekoia under Settings > Workspace > API Keys
    SEKOIA_REGION: "FRA9" is not a region; give one of FRA1, FRA2, MCO1, UAE1, USA1, SGP1, or SELF for Sekoia Self-Hosted
    SEKOIA_API_URL: "http://api.sekoia.io" may not receive the key; give https://….sekoia.io, or a loopback address, or set SEKOIA_REGION=SELF for a Sekoia on your own host
    SLACK_SIGNING_SECRET: holds spaces or characters that no such secret has
    SLACK_BOT_TOKEN: holds spaces or characters that no such secret has
    SLACK_API_URL: "http://slack.com/api" may not receive the token; give https://, or http:// on a loopback address
    CHATOPS_LISTEN: "8080" is not an address such as 127.0.0.1:8080
    CHATOPS_STORE_CONNECTIONS: "1" is not a number from 2 to 200
    CHATOPS_STORE_TIMEOUT: "5" is not a time from 1s to 30s
    CHATOPS_STORE: names no database; give postgres://USER:PASSWORD@HOST/DATABASE
    CHATOPS_SECRET_KEY: key 2 has 6 bytes, not 32
    CHATOPS_OPERATORS: "alice" has no platform; write slack:U…, slack-group:S…, mattermost:… or mattermost-group:…
    CHATOPS_OPERATORS: "slack:alice" is not a Slack user id, which begins with U or W (not a name)
    CHATOPS_OPERATORS: "slack-group:U0X" is not a Slack user group id, which begins with S
    CHATOPS_OPERATORS: "teams" is not a platform; write slack:U…, slack-group:S…, mattermost:… or mattermost-group:…
    CHATOPS_OPERATORS: "slack:" has no id of letters and digits; write slack:U…, slack-group:S…, mattermost:… or mattermost-group:…
    CHATOPS_APPROVERS: "slack:U0A<script>" has no id of letters and digits; write slack:U…, slack-group:S…, mattermost:… or mattermost-group:…
    CHATOPS_CHANNELS: "#soc-setup" is not a Slack channel id, which begins with C or G (not a name), nor mattermost: and a channel id
    CHATOPS_CHANNELS: "general" is not a Slack channel id, which begins with C or G (not a name), nor mattermost: and a channel id
    "##);
}

#[test]
fn only_sekoia_and_the_machine_itself_get_the_key() {
    for bad in [
        "http://api.sekoia.io",
        "https://evil.example",
        "https://api.sekoia.io.evil.example",
        "mailto:a@sekoia.io",
        "nonsense",
    ] {
        assert!(faults(&[("SEKOIA_API_URL", bad)]).contains("SEKOIA_API_URL"), "{bad}");
    }
    for good in
        ["http://127.0.0.1:9090", "http://[::1]:9090", "http://localhost:9090", "https://app.fra2.sekoia.io/api"]
    {
        assert_eq!(with(&[("SEKOIA_API_URL", good)]).unwrap().sekoia.api_url, good.parse().unwrap());
    }
    for bad in ["ws://app.sekoia.io/live/", "wss://evil.example/", "https://app.sekoia.io/live/", "nonsense"] {
        assert!(faults(&[("SEKOIA_LIVE_URL", bad)]).contains("SEKOIA_LIVE_URL"), "{bad}");
    }
    let live = |set: &[(&str, &str)]| with(set).unwrap().sekoia.live_url.to_string();
    assert_eq!(live(&[]), "wss://app.sekoia.io/live/");
    assert_eq!(live(&[("SEKOIA_REGION", "uae1")]), "wss://app.uae1.sekoia.io/live/");
    assert_eq!(live(&[("SEKOIA_API_URL", "http://127.0.0.1:9090/api")]), "ws://127.0.0.1:9090/live/");
    assert_eq!(live(&[("SEKOIA_LIVE_URL", "ws://localhost:9/x")]), "ws://localhost:9/x");
}

#[test]
fn slack_may_be_reached_in_the_clear_on_the_machine_itself_only() {
    assert!(with(&[("SLACK_API_URL", "http://127.0.0.1:9/api/")]).is_ok());
    assert!(faults(&[("SLACK_API_URL", "http://10.0.0.1/api")]).contains("may not receive the token"));
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = with(&[]).unwrap();
    assert_eq!(config.sekoia.region, Region::Fra1);
    assert_eq!(config.sekoia.api_url.as_str(), "https://api.sekoia.io/");
    assert_eq!(config.slack.expect("it is on").api_url.as_str(), "https://slack.com/api");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.store.place, StorePlace::Sqlite("sekoia-chatops.db".into()));
    assert!(config.store.keys.is_none());
    assert!(config.access.operators.is_empty() && config.access.approvers.is_empty());
    assert!(config.access.channels.is_empty());
    assert_eq!(LogConfig::read(of(&[])).unwrap(), LogConfig { filter: "info".into(), json: false });
    assert_eq!(with(&[("SEKOIA_REGION", "usa1")]).unwrap().sekoia.api_url.as_str(), "https://api.usa1.sekoia.io/");
}

#[test]
fn stores_and_lists_are_read_as_documented() {
    let place = |store| StoreConfig::read(of(&[("CHATOPS_STORE", store)])).map(|config| config.place);
    assert_eq!(place("memory"), Ok(StorePlace::Memory));
    assert_eq!(place("sqlite:/var/lib/bot.db"), Ok(StorePlace::Sqlite("/var/lib/bot.db".into())));
    assert!(place("sqlite:").is_err() && place("/var/lib/bot.db").is_err());
    let server = |url, more: &[(&str, &str)]| {
        let set = [&[("CHATOPS_STORE", url), ("CHATOPS_SECRET_KEY", KEY)], more].concat();
        match StoreConfig::read(of(&set)).map(|config| config.place) {
            Ok(StorePlace::Postgres(place)) => format!("{place:?}"),
            other => format!("{other:?}"),
        }
    };
    assert_snapshot!(
        server("postgres://bot:canary@db.example.com/chatops?sslmode=verify-full", &[]),
        @"postgres: chatops at db.example.com:5432, Limits { connections: 10, patience: 5s }"
    );
    let limits = [("CHATOPS_STORE_CONNECTIONS", "40"), ("CHATOPS_STORE_TIMEOUT", "12s")];
    assert_snapshot!(
        server("postgresql://bot@db:6432/chatops", &limits),
        @"postgres: chatops at db:6432, Limits { connections: 40, patience: 12s }"
    );
    assert_snapshot!(
        StoreConfig::read(of(&[("CHATOPS_STORE", "postgres://bot:canary@db/chatops")])).unwrap_err().to_string().trim(),
        @"CHATOPS_SECRET_KEY: is missing; with PostgreSQL every replica needs the same key; make one with `openssl rand -base64 32`"
    );
    let config = with(&[
        ("CHATOPS_SECRET_KEY", &format!(" {KEY} , {KEY},")),
        ("CHATOPS_OPERATORS", "slack:U0ALICE, mattermost:abc ,"),
        ("CHATOPS_CHANNELS", "slack:C0SOC, G0OLD"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.store.keys.unwrap().len(), 2);
    assert_eq!(config.access.operators, ["slack:U0ALICE", "mattermost:abc"].map(|p| p.parse().unwrap()));
    assert_eq!(config.access.channels, ["C0SOC".into(), "G0OLD".into()]);
}

const OIDC: Env<'static> = &[
    ("CHATOPS_OIDC_ISSUER", "https://id.example.com/realms/soc"),
    ("CHATOPS_OIDC_CLIENT_ID", "chatops"),
    ("CHATOPS_OIDC_CLIENT_SECRET", "canary-oidc"),
    ("CHATOPS_PUBLIC_URL", "https://bot.example.com"),
];

#[test]
fn an_identity_provider_is_whole_or_a_fault() {
    let config = with(OIDC).unwrap();
    let oidc = config.oidc.expect("it is on");
    assert_eq!((oidc.issuer.as_str(), oidc.client_id.as_str()), ("https://id.example.com/realms/soc", "chatops"));
    assert!(oidc.acr.is_empty() && oidc.subjects.is_empty() && with(&[]).unwrap().oidc.is_none());
    let strong = with(&[OIDC, &[("CHATOPS_OIDC_ACR", " urn:a  urn:b ")]].concat()).unwrap();
    assert_eq!(strong.oidc.unwrap().acr, ["urn:a", "urn:b"]);
    assert_snapshot!(faults(&OIDC[..1]), @"
    CHATOPS_OIDC_CLIENT_ID: is missing; the other CHATOPS_OIDC_… rest on it; register the bot at your identity provider, which shows it
    CHATOPS_OIDC_CLIENT_SECRET: is missing; the other CHATOPS_OIDC_… rest on it; register the bot at your identity provider, which shows it
    CHATOPS_PUBLIC_URL: is missing; give the https:// address by which people reach this bot: they prove there who they are
    ");
    assert_snapshot!(faults(&[("CHATOPS_OIDC_ACR", "urn:a")]), @"
    CHATOPS_OIDC_ISSUER: is missing; the other CHATOPS_OIDC_… rest on it; give the address that your identity provider is known by
    CHATOPS_OIDC_CLIENT_ID: is missing; the other CHATOPS_OIDC_… rest on it; register the bot at your identity provider, which shows it
    CHATOPS_OIDC_CLIENT_SECRET: is missing; the other CHATOPS_OIDC_… rest on it; register the bot at your identity provider, which shows it
    CHATOPS_PUBLIC_URL: is missing; give the https:// address by which people reach this bot: they prove there who they are
    ");
    let plain = [("CHATOPS_OIDC_ISSUER", "http://id.example.com"), ("CHATOPS_PUBLIC_URL", "http://bot.example.com")];
    assert_snapshot!(faults(&[OIDC, &plain].concat()), @r#"
    CHATOPS_OIDC_ISSUER: "http://id.example.com" may not receive who people are; give https://, or http:// on a loopback address
    CHATOPS_PUBLIC_URL: "http://bot.example.com/" is not encrypted, so no one can prove their identity there; give https://
    "#);
    let on_machine = [("CHATOPS_OIDC_ISSUER", "http://127.0.0.1:9"), ("CHATOPS_PUBLIC_URL", "http://localhost:8080")];
    assert!(with(&[OIDC, &on_machine].concat()).is_ok());
}

#[test]
fn who_approves_proves_who_they_are_if_there_is_where() {
    let text = "[approval]\nsecond_factor = true\n[approval.invite]\nsecond_factor = false\n\
                [approval.key_create]\nreveal = \"page\"\n\
                [oidc.subjects]\n\"slack:U0BOB\" = \"bob-1\"\n\"mattermost:abc\" = \"bob-1\"\n";
    let config = with_file(text, &[NEEDED, OIDC].concat()).unwrap();
    let policy = config.approval;
    assert!(policy.usual.second_factor && !policy.rule(Kind::Invite).second_factor);
    assert_eq!([Kind::KeyCreate, Kind::KeyRotate].map(|kind| policy.rule(kind).reveal), [Reveal::Page, Reveal::Chat]);
    assert_eq!(config.oidc.unwrap().subjects.len(), 2);
    assert_snapshot!(with_file(text, NEEDED).unwrap_err(), @"
    CHATOPS_OIDC_ISSUER: is missing; second_factor and reveal rest on it; give the address that your identity provider is known by
    CHATOPS_OIDC_CLIENT_ID: is missing; second_factor and reveal rest on it; register the bot at your identity provider, which shows it
    CHATOPS_OIDC_CLIENT_SECRET: is missing; second_factor and reveal rest on it; register the bot at your identity provider, which shows it
    CHATOPS_PUBLIC_URL: is missing; give the https:// address by which people reach this bot: they prove there who they are
    ");
    let wrong = "[approval]\nreveal = \"wall\"\n[approval.invite]\nreveal = \"page\"\nsecond_factor = \"maybe\"\n\
                 [oidc]\nsubject = 1\n[oidc.subjects]\n\"slack:U0BOB\" = \"b\"\n\"slack:U0CAROL\" = \"b\"\n\
                 \"bob\" = \"c\"\n\"slack-group:S0SOC\" = \"d\"\n\"slack:U0DAN\" = 7\n\"slack:U0EVE\" = \" \"\n";
    assert_snapshot!(with_file(wrong, &[NEEDED, OIDC].concat()).unwrap_err(), @r#"
    [approval] reveal: "wall" is neither chat nor page
    [approval.invite] reveal: is for key_create and key_rotate alone: no other action makes a secret
    [approval.invite] second_factor: "maybe" is not true or false
    [oidc] subject: is unknown; give the table [oidc.subjects]
    [oidc.subjects] bob: "bob" has no platform; write slack:U…, slack-group:S…, mattermost:… or mattermost-group:…
    [oidc.subjects] slack-group:S0SOC: is a group; a subject belongs to one person
    [oidc.subjects] slack:U0CAROL: has the same subject as slack:U0BOB; each person has their own
    [oidc.subjects] slack:U0DAN: is not the text that your identity provider has as the person's subject (sub)
    [oidc.subjects] slack:U0EVE: is not the text that your identity provider has as the person's subject (sub)
    "#);
    assert_snapshot!(with_file("[oidcs]\na = 1\n", NEEDED).unwrap_err(), @"  CHATOPS_CONFIG: chatops.toml: unknown table [oidcs]; did you mean [oidc.subjects]?");
}

#[test]
fn an_empty_value_is_one_that_is_not_set() {
    let mut empty = NEEDED.to_vec();
    let others = VARIABLES.iter().filter(|v| v.name != "CHATOPS_CONFIG" && NEEDED.iter().all(|(n, _)| *n != v.name));
    empty.extend(others.map(|v| (v.name, " ")));
    assert_eq!(read(&empty).map(|config| config.listen.port()), Ok(8080));
    assert_eq!(LogConfig::read(of(&empty)).unwrap(), LogConfig { filter: "info".into(), json: false });
    assert!(read(&[("SEKOIA_API_KEY", "")]).unwrap_err().to_string().contains("SEKOIA_API_KEY: is missing"));
}

#[test]
fn an_empty_name_of_a_file_is_no_file() {
    assert_eq!(with(&[("CHATOPS_CONFIG", "")]).map(|config| config.listen.port()), Ok(8080));
}

#[test]
fn a_secret_is_in_no_fault_and_in_no_debug_output() {
    let config = with(&[("CHATOPS_SECRET_KEY", KEY)]).unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("canary") && !shown.contains(KEY), "{shown}");
    // The bytes of the key, as a list of numbers.
    assert!(!shown.contains("99, 97, 110"), "{shown}");
    assert_eq!(config.sekoia.key.expose_secret(), "canary-key");
    for (name, value) in [
        ("SEKOIA_API_KEY", "canary key"),
        ("SLACK_SIGNING_SECRET", "canary\u{e9}"),
        ("SLACK_BOT_TOKEN", "canary\u{7}"),
        ("CHATOPS_SECRET_KEY", "canary"),
        ("CHATOPS_SECRET_KEY", "Y2FuYXJ5"),
        ("CHATOPS_STORE", "postgres://bot:canary@db"),
        ("CHATOPS_STORE", "postgres://bot:canary@db:port/chatops"),
        ("CHATOPS_STORE", "postgres://bot:canary@db/chatops?sslmode=canary"),
        ("CHATOPS_STORE", "postgres://bot@db/chatops?passwrd=canary"),
        ("CHATOPS_STORE", "mysql://bot:canary@db/chatops"),
    ] {
        let text = faults(&[(name, value)]);
        assert!(text.contains(name) && !text.contains("canary") && !text.contains("Y2FuYXJ5"), "{text}");
    }
}

#[test]
fn an_address_with_a_password_is_refused_without_repeating_it() {
    let shown = |(name, value)| match with(&[(name, value)]) {
        Ok(config) => format!("accepted: {config:?}"),
        Err(faults) => faults.to_string(),
    };
    let all = [
        ("SEKOIA_API_URL", "https://bot:canary@api.sekoia.io"),
        ("SEKOIA_API_URL", "https://:canary@api.sekoia.io"),
        ("SLACK_API_URL", "https://bot:canary@slack.com/api"),
    ];
    let leaks: Vec<String> = all.map(shown).into_iter().filter(|text| text.contains("canary")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn a_file_has_the_same_names_and_the_environment_wins() {
    let config = with_file(FILE, &[]).unwrap();
    assert_eq!(config.sekoia.key.expose_secret(), "file-key");
    assert_eq!(config.sekoia.region, Region::Mco1);
    assert_eq!(config.access.approvers, ["slack:U0ALICE", "slack-group:S0SOC"].map(|p| p.parse().unwrap()));
    let config = with_file(FILE, &[("SEKOIA_REGION", "UAE1"), ("SEKOIA_API_KEY", "env-key")]).unwrap();
    assert_eq!(config.sekoia.region, Region::Uae1);
    assert_eq!(config.sekoia.key.expose_secret(), "env-key");
}

#[test]
fn an_empty_variable_leaves_the_files_value() {
    let config = with_file(FILE, &[("SEKOIA_API_KEY", "")]).unwrap();
    assert_eq!(config.sekoia.key.expose_secret(), "file-key");
}

#[test]
fn a_file_that_is_not_right_says_where_and_repeats_no_value() {
    let unknown = format!("{FILE}sekoia_regoin = \"canary\"\nchatops_listen = {{ port = 8080 }}\n");
    assert_snapshot!(with_file(&unknown, &[]).unwrap_err(), @r#"
    CHATOPS_CONFIG: chatops.toml: chatops_listen is not a text, a number, or a list of texts
    CHATOPS_CONFIG: chatops.toml: unknown setting "sekoia_regoin"; did you mean "sekoia_region"?
    "#);
    let missing = read(&[("CHATOPS_CONFIG", "/nowhere/chatops.toml")]).unwrap_err().to_string();
    assert_snapshot!(missing.lines().next().unwrap(), @"  CHATOPS_CONFIG: /nowhere/chatops.toml: No such file or directory (os error 2)");
    for (line, text) in [
        (2, "sekoia_region = \"FRA1\"\nslack_bot_token = \"canary\n"),
        (1, "slack_bot_token = xoxb-canary"),
        (3, "sekoia_region = \"FRA1\"\n\nslack_bot_token \"canary\"\n"),
    ] {
        let faults = with_file(text, NEEDED).unwrap_err();
        assert_eq!(faults, format!("  CHATOPS_CONFIG: chatops.toml, line {line}: not TOML"), "{text}");
    }
}

#[test]
fn a_fault_at_the_beginning_of_a_line_has_that_lines_number() {
    for text in
        ["sekoia_region = \"FRA1\"\n\n= \"canary\"\n", "sekoia_region = \"FRA1\"\n\nsekoia_region = \"canary\"\n"]
    {
        assert_eq!(with_file(text, NEEDED).unwrap_err(), "  CHATOPS_CONFIG: chatops.toml, line 3: not TOML", "{text}");
    }
}

#[test]
fn the_address_for_prometheus_is_one_of_its_own() {
    let with = |more: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> = NEEDED.iter().chain(more).copied().collect();
        Config::read(of(&all)).map(|config| config.metrics_listen).map_err(|faults| faults.to_string())
    };
    assert_eq!(with(&[]), Ok(None));
    assert_eq!(with(&[("CHATOPS_METRICS_LISTEN", "[::1]:9464")]), Ok(Some("[::1]:9464".parse().unwrap())));
    let wrong = with(&[("CHATOPS_METRICS_LISTEN", "9464")]).unwrap_err();
    assert_eq!(wrong, "  CHATOPS_METRICS_LISTEN: \"9464\" is not an address such as 127.0.0.1:9464");
    let same = with(&[("CHATOPS_METRICS_LISTEN", "127.0.0.1:8080")]).unwrap_err();
    assert_eq!(same, "  CHATOPS_METRICS_LISTEN: 127.0.0.1:8080 is the address of CHATOPS_LISTEN; give another port");
}

#[test]
fn a_log_that_cannot_be_is_refused() {
    let wrong = LogConfig::read(of(&[("CHATOPS_LOG", "sekoia_chatops=loud"), ("CHATOPS_LOG_FORMAT", "xml")]));
    assert_snapshot!(wrong.unwrap_err(), @r#"
    CHATOPS_LOG: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
    CHATOPS_LOG_FORMAT: "xml" is not a format; give text or json
    "#);
    let json = LogConfig::read(of(&[("CHATOPS_LOG", "warn,sekoia_chatops=debug"), ("CHATOPS_LOG_FORMAT", "json")]));
    assert!(json.unwrap().json);
}

#[test]
fn rules_of_approval_are_read_for_all_and_for_each_kind() {
    let text = "chatops_approvals_required = 2\nchatops_approval_ttl = \"8h\"\n\
                [approval.invite]\nrequired = 1\nself_approval = true\n\
                [approval.key_create]\nrequired_sensitive = 3\nttl = \"30m\"\napprovers = [\"slack-group:S0KEYS\"]\n\
                requesters = [\"slack:U0DAN\", \"slack-group:S0PLATFORM\"]\n";
    let policy = with_file(text, NEEDED).unwrap().approval;
    let hours = |n| std::time::Duration::from_hours(n);
    let usual = policy.rule(Kind::RoleCreate);
    assert_eq!((usual.needed(false), usual.needed(true), usual.self_approval, usual.ttl), (2, 2, false, hours(8)));
    let invite = policy.rule(Kind::Invite);
    assert_eq!((invite.needed(false), invite.needed(true), invite.self_approval, invite.ttl), (1, 2, true, hours(8)));
    let key = policy.rule(Kind::KeyCreate);
    assert_eq!((key.needed(false), key.needed(true), key.ttl), (2, 3, hours(1) / 2));
    assert_eq!((key.approvers.as_ref().map(Vec::len), key.requesters.as_ref().map(Vec::len)), (Some(1), Some(2)));
    assert_eq!((&usual.requesters, &invite.requesters), (&None, &None));
    assert_eq!((usual.notify, invite.notify), (Notify::Mention, Notify::Mention));
    let text = "[approval]\nnotify = \"none\"\n[approval.invite]\nrequired = 1\n[approval.plan]\nnotify = \"both\"\n";
    let policy = with_file(text, NEEDED).unwrap().approval;
    let notify = [Kind::KeyCreate, Kind::Invite, Kind::Plan].map(|kind| policy.rule(kind).notify);
    assert_eq!(notify, [Notify::None, Notify::None, Notify::Both]);
}

#[test]
fn rules_of_approval_that_cannot_be_are_all_reported() {
    let text = "chatops_approvals_required = 0\nchatops_self_approval = \"maybe\"\nchatops_approval_ttl = \"soon\"\n";
    assert_snapshot!(with_file(text, NEEDED).unwrap_err(), @r#"
    CHATOPS_APPROVALS_REQUIRED: "0" is not a number from 1 to 20
    CHATOPS_SELF_APPROVAL: "maybe" is not true or false
    CHATOPS_APPROVAL_TTL: "soon" is not such a time; give one such as 30m, 24h or 7d, from 1m to 30d
    "#);
    let text = "[approval.invite]\nrequired = 99\nneeded = 2\napprovers = []\nttl = \"1s\"\n[approval.invites]\nrequired = 1\n";
    assert_snapshot!(with_file(text, NEEDED).unwrap_err(), @r#"
    [approval.invite] approvers: names nobody: then nobody could approve it; leave it out for CHATOPS_APPROVERS
    [approval.invite] needed: is unknown; give required, required_sensitive, self_approval, ttl, approvers, requesters, notify, remind, second_factor, reveal, escalate_after or escalate_to
    [approval.invite] required: "99" is not a number from 1 to 20
    [approval.invite] ttl: "1s" is not such a time; give one such as 30m, 24h or 7d, from 1m to 30d
    [approval.invites]: is not a table of an action; the actions are invite, community_create, role_create, key_create, key_revoke, key_rotate, plan; did you mean [approval.invite]?
    "#);
    let text = "[approval]\nnotify = \"loud\"\n[approval.invite]\nrequesters = []\n[approval.key_create]\nrequesters = [\"slack:U0DAN\", \"dan\"]\n";
    assert_snapshot!(with_file(text, NEEDED).unwrap_err(), @r#"
    [approval] notify: "loud" is none of mention, direct, both, none
    [approval.invite] requesters: names nobody: then nobody could ask for it; leave it out for the operators
    [approval.key_create] requesters: "dan" has no platform; write slack:U…, slack-group:S…, mattermost:… or mattermost-group:…
    "#);
}

/// With names of the environment that nobody asks for.
fn named(names: Env<'_>) -> Result<(), String> {
    let names = names.iter().copied();
    Config::read_from(of(NEEDED), NEEDED.iter().copied().chain(names)).map(|_| ()).map_err(|faults| faults.to_string())
}

#[test]
fn what_is_not_decided_goes_to_further_people() {
    let text = "[approval]\nremind = false\nescalate_after = \"4h\"\nescalate_to = [\"slack:U0DAN\"]\n\
                [approval.invite]\nremind = [\"half\", \"15m\"]\nescalate_after = \"never\"\n\
                [approval.key_create]\nremind = true\nescalate_after = \"30m\"\nescalate_to = [\"slack-group:S0LEADS\", \"slack:U0BOB\"]\n";
    let policy = with_file(text, NEEDED).unwrap().approval;
    let of = |kind| {
        let Rule { remind, escalate_after, escalate_to, .. } = policy.rule(kind);
        let to: Vec<String> = escalate_to.iter().map(ToString::to_string).collect();
        format!("{remind:?} {escalate_after:?} {to:?}")
    };
    assert_snapshot!(of(Kind::Plan), @r#"[] Some(14400s) ["slack:U0DAN"]"#);
    assert_snapshot!(of(Kind::Invite), @"[Half, Before(900s)] None []");
    assert_snapshot!(of(Kind::KeyCreate), @r#"[Half, Before(3600s)] Some(1800s) ["slack-group:S0LEADS", "slack:U0BOB"]"#);
    let text = "[approval]\nremind = \"often\"\nescalate_after = \"4h\"\n\
                [approval.invite]\nescalate_to = []\n\
                [approval.key_create]\nescalate_to = [\"dan\"]\n\
                [approval.key_rotate]\nescalate_after = \"never\"\nescalate_to = [\"slack:U0DAN\"]\n\
                [approval.role_create]\nttl = \"2h\"\nescalate_to = [\"slack:U0DAN\"]\n";
    assert_snapshot!(with_file(text, NEEDED).unwrap_err(), @r#"
    [approval] remind: "often" is neither half nor a time before the end, such as 1h; or give true or false
    [approval] escalate_after: has no escalate_to; name the people or groups who may decide from then on, or remove it
    [approval.invite] escalate_to: names no one; name people or groups, or remove it together with escalate_after
    [approval.key_create] escalate_to: "dan" has no platform; write slack:U…, slack-group:S…, mattermost:… or mattermost-group:…
    [approval.key_rotate] escalate_to: has no escalate_after; give the time after which they may decide, such as 4h, or remove it
    [approval.role_create] escalate_after: 4h is not shorter than the time that a request waits, 2h (ttl)
    "#);
}

#[test]
fn when_people_may_be_reminded_stands_in_a_table_of_its_own() {
    let of = |text: &str| with_file(text, NEEDED).map(|config| config.approval.working);
    assert_eq!(of("").unwrap(), WorkingTime::default());
    let text = "[reminders]\nzone = \"paris\"\nquiet = \"18:30-9:00\"\ndays = [\"sun-tue\", \"Thursday\"]\n";
    let WorkingTime { zone, quiet, days } = of(text).unwrap();
    assert_eq!(zone.iana_name(), Some("Europe/Paris"));
    assert_eq!(quiet, Some((time(18, 30, 0, 0), time(9, 0, 0, 0))));
    assert_eq!(days, [true, true, false, true, false, false, true]);
    assert_eq!(of("[reminders]\nquiet = \"none\"\ndays = \"mon-sun\"\n").unwrap(), WorkingTime::ALWAYS);
    let text =
        "[reminders]\nzone = \"Europe/Pariss\"\nquiet = \"19:00-19:00\"\ndays = []\nzones = \"UTC\"\n[reminder]\n";
    assert_snapshot!(of(text).unwrap_err(), @r#"
    CHATOPS_CONFIG: chatops.toml: unknown table [reminder]; did you mean [reminders]?
    [reminders] days: names no day: give at least one, such as mon-fri
    [reminders] quiet: "19:00-19:00" ends when it begins; give two times, or none for no quiet hours
    [reminders] zone: "Europe/Pariss" is not a time zone: did you mean Europe/Paris?
    [reminders] zones: is unknown; give zone, quiet or days; did you mean zone?
    "#);
    let text = "[reminders]\nzone = \"CET+1\"\nquiet = \"evenings\"\ndays = \"mon-fry\"\n";
    assert_snapshot!(of(text).unwrap_err(), @r#"
    [reminders] days: "mon-fry" is not a day or days; give them as in mon-fri, or mon, wed, sat-sun
    [reminders] quiet: "evenings" is not two times; give them as in 19:00-08:00, or none
    [reminders] zone: "CET+1" is not a time zone: write a region and city such as Europe/Paris, or UTC
    "#);
    assert_snapshot!(of("[reminders]\nzone = \"+02:00\"\nquiet = 19\n").unwrap_err(), @r#"
    [reminders] quiet: "19" is not two times; give them as in 19:00-08:00, or none
    [reminders] zone: "+02:00" is not one place; give a region and city such as Europe/Paris, or UTC
    "#);
}

#[test]
fn a_mistyped_name_in_the_environment_is_a_fault() {
    let wrong = named(&[
        ("CHATOPS_CHANNEL", "C0SOC"),
        ("CHATOPS_APPROVAL_REQUIRED", "2"),
        ("CHATOPS_SELF_APROVAL", "canary"),
        ("CHATOP_APPROVERS", "slack:U0ALICE"),
        ("SEKIOA_REGION", "FRA2"),
        ("SEKOIA_APIKEY", "canary"),
        ("SEKOIA_URL", "https://api.sekoia.io"),
        ("SLACK_TOKEN", "xoxb-canary"),
        ("SLACK_WEBHOOK", "canary"),
        ("MATTERMOST_COMMAND_TOKENS", "canary"),
        ("MATERMOST_URL", "https://chat.example"),
        ("chatops_channels", "C0SOC"),
        ("CHATOPS_COLOUR_SCHEME", "canary"),
    ]);
    assert_snapshot!(wrong.unwrap_err(), @"
    CHATOPS_APPROVAL_REQUIRED: is not a setting; did you mean CHATOPS_APPROVALS_REQUIRED?
    CHATOPS_CHANNEL: is not a setting; did you mean CHATOPS_CHANNELS?
    CHATOPS_COLOUR_SCHEME: is not a setting. Remove it, or look the name up in the documentation
    CHATOPS_SELF_APROVAL: is not a setting; did you mean CHATOPS_SELF_APPROVAL?
    CHATOP_APPROVERS: is not a setting; did you mean CHATOPS_APPROVERS?
    MATERMOST_URL: is not a setting; did you mean MATTERMOST_URL?
    MATTERMOST_COMMAND_TOKENS: is not a setting; did you mean MATTERMOST_COMMAND_TOKEN?
    SEKIOA_REGION: is not a setting; did you mean SEKOIA_REGION?
    SEKOIA_APIKEY: is not a setting; did you mean SEKOIA_API_KEY?
    SEKOIA_URL: is not a setting; did you mean SEKOIA_APP_URL?
    SLACK_TOKEN: is not a setting; did you mean SLACK_BOT_TOKEN?
    SLACK_WEBHOOK: is not a setting. Remove it, or look the name up in the documentation
    chatops_channels: is not a setting; write CHATOPS_CHANNELS, in capital letters
    ");
}

#[test]
fn names_that_others_set_do_not_keep_it_from_starting() {
    let others = [
        // Kubernetes, for services named sekoia-chatops, chatops and mattermost.
        ("SEKOIA_CHATOPS_SERVICE_HOST", "10.96.1.2"),
        ("SEKOIA_CHATOPS_SERVICE_PORT", "8080"),
        ("SEKOIA_CHATOPS_SERVICE_PORT_HTTP", "8080"),
        ("SEKOIA_CHATOPS_PORT", "tcp://10.96.1.2:8080"),
        ("SEKOIA_CHATOPS_PORT_8080_TCP", "tcp://10.96.1.2:8080"),
        ("SEKOIA_CHATOPS_PORT_8080_TCP_PROTO", "tcp"),
        ("SEKOIA_CHATOPS_PORT_8080_TCP_PORT", "8080"),
        ("SEKOIA_CHATOPS_PORT_8080_TCP_ADDR", "10.96.1.2"),
        ("CHATOPS_PORT", "tcp://10.96.1.2:8080"),
        ("CHATOPS_SERVICE_HOST", "10.96.1.2"),
        ("MATTERMOST_SERVICE_HOST", "10.96.1.3"),
        ("MATTERMOST_PORT_8065_TCP_PORT", "8065"),
        ("MATTERMOST_PORT", "tcp://10.96.1.3:8065"),
        ("MATTERMOST_ADMIN_TOKEN", "canary"),
        ("MATTERMOST_DIR", "/opt/mattermost"),
        ("https_proxy", "http://proxy.example:3128"),
        ("FTP_PROXY", "http://proxy.example:3128"),
        ("NO_PROXY", "localhost"),
        ("CHATOPS_METRICS_LISTEN", "[::1]:9"),
        ("CHATOPS_CHANEL", "  "),
        ("PATH", "/usr/bin"),
        ("HOME", "/root"),
    ];
    assert_eq!(named(&others), Ok(()));
    // What only looks like it.
    for (name, value) in [("CHATOPS_PORT", "8080"), ("CHATOPS_PORT_TCP", "1"), ("SLACK_PORT_X_TCP", "1")] {
        assert!(named(&[(name, value)]).is_err(), "{name}");
    }
}

#[test]
fn a_mistyped_name_in_the_file_is_a_fault_wherever_it_stands() {
    let text = "chatops_channel = \"C0SOC\"\nsekoia_apikey = \"canary\"\nnonsense = 1\n\
                [approval.key_creat]\nrequired = 1\n\
                [approval.invite]\nrequired_sensitiv = 3\nself_aproval = true\nchatops_channels = [\"C0SOC\"]\n\
                [aproval.key_create]\nrequired = 2\n";
    assert_snapshot!(with_file(text, NEEDED).unwrap_err(), @r#"
    CHATOPS_CONFIG: chatops.toml: unknown table [aproval]; did you mean [approval.<action>]?
    CHATOPS_CONFIG: chatops.toml: unknown setting "chatops_channel"; did you mean "chatops_channels"?
    CHATOPS_CONFIG: chatops.toml: unknown setting "nonsense"
    CHATOPS_CONFIG: chatops.toml: unknown setting "sekoia_apikey"; did you mean "sekoia_api_key"?
    [approval.invite] chatops_channels: is not a setting of an action: it belongs above the first [table] of the file
    [approval.invite] required_sensitiv: is unknown; give required, required_sensitive, self_approval, ttl, approvers, requesters, notify, remind, second_factor, reveal, escalate_after or escalate_to; did you mean required_sensitive?
    [approval.invite] self_aproval: is unknown; give required, required_sensitive, self_approval, ttl, approvers, requesters, notify, remind, second_factor, reveal, escalate_after or escalate_to; did you mean self_approval?
    [approval.key_creat]: is not a table of an action; the actions are invite, community_create, role_create, key_create, key_revoke, key_rotate, plan; did you mean [approval.key_create]?
    "#);
}

#[test]
fn a_file_that_is_not_toml_is_reported_with_what_does_not_depend_on_it() {
    let text = "sekoia_api_key = \"file-key\"\nslack_bot_token = xoxb-canary\n";
    // What is missing may stand in the file.
    assert_snapshot!(with_file(text, &[]).unwrap_err(), @"  CHATOPS_CONFIG: chatops.toml, line 2: not TOML");
    assert_snapshot!(with_file(text, &[("CHATOPS_LISTEN", "8080"), ("SEKOIA_REGION", "FRA9")]).unwrap_err(), @r#"
    CHATOPS_CONFIG: chatops.toml, line 2: not TOML
    SEKOIA_REGION: "FRA9" is not a region; give one of FRA1, FRA2, MCO1, UAE1, USA1, SGP1, or SELF for Sekoia Self-Hosted
    CHATOPS_LISTEN: "8080" is not an address such as 127.0.0.1:8080
    "#);
}

#[test]
fn a_secret_that_cannot_be_one_is_a_fault_or_a_warning_without_it() {
    let mut all = String::new();
    for (name, value) in [
        ("SLACK_SIGNING_SECRET", "\"8f742231b10e8888abcd99yyyzzz85a5\""),
        ("SLACK_SIGNING_SECRET", "'8f742231b10e8888"),
        ("SLACK_SIGNING_SECRET", "xoxb-canary"),
        ("SLACK_SIGNING_SECRET", "canary\\n"),
        ("SLACK_BOT_TOKEN", "\u{201c}xoxb-canary\u{201d}"),
        ("SLACK_BOT_TOKEN", "xoxp-canary"),
        ("SLACK_BOT_TOKEN", "xapp-1-canary"),
        ("SLACK_BOT_TOKEN", "8f742231b10e888888888888888885a5"),
        ("SLACK_BOT_TOKEN", "canary"),
        ("SLACK_BOT_TOKEN", "${SLACK_BOT_TOKEN}"),
        ("SEKOIA_API_KEY", "xoxb-canary"),
        ("SEKOIA_API_KEY", "Bearer canary"),
        ("SEKOIA_API_KEY", "<canary>"),
        ("CHATOPS_CHANNELS", "\"C0SOC\""),
    ] {
        all += &faults(&[(name, value)]);
        all.push('\n');
    }
    for (name, value) in [("MATTERMOST_BOT_TOKEN", "xoxb-canary"), ("MATTERMOST_COMMAND_TOKEN", "a,xoxb-canary,'b'")] {
        all += &read(&[MATTERMOST, &[(name, value)]].concat()).unwrap_err().to_string();
        all.push('\n');
    }
    assert!(!all.contains("canary") && !all.contains("8f742231"), "{all}");
    assert_snapshot!(all, @"
    SLACK_SIGNING_SECRET: is in quotation marks, which count as a part of it: remove them
    SLACK_SIGNING_SECRET: holds quotation marks; many programs that read an env file keep them: give it without
    SLACK_SIGNING_SECRET: is a bot's token (xoxb-); copy the Signing Secret from the app's Basic Information page
    SLACK_SIGNING_SECRET: holds a backslash, which no such secret has: give it as it was shown to you
    SLACK_BOT_TOKEN: is in quotation marks, which count as a part of it: remove them
    SLACK_BOT_TOKEN: is a user's token (xoxp-); copy the Bot User OAuth Token, which begins with xoxb-
    SLACK_BOT_TOKEN: is an app-level token (xapp-), which is for Socket Mode; copy the Bot User OAuth Token, which begins with xoxb-
    SLACK_BOT_TOKEN: looks like the signing secret; copy the Bot User OAuth Token, which begins with xoxb-
    SLACK_BOT_TOKEN: does not begin with xoxb-; copy the Bot User OAuth Token, which begins with xoxb-
    SLACK_BOT_TOKEN: is a placeholder that nothing was put in for
    SEKOIA_API_KEY: is a bot's token (xoxb-), of Slack
    SEKOIA_API_KEY: holds spaces or characters that no such secret has
    SEKOIA_API_KEY: is a placeholder that nothing was put in for
    CHATOPS_CHANNELS: is in quotation marks, which count as a part of it: remove them
    MATTERMOST_BOT_TOKEN: is a bot's token (xoxb-), of Slack
    MATTERMOST_COMMAND_TOKEN: is a bot's token (xoxb-), of Slack
    MATTERMOST_COMMAND_TOKEN: holds quotation marks; many programs that read an env file keep them: give it without
    ");
    // White space around a value is not a part of it.
    let hex = "8f742231b10e888888888888888885a5";
    let config =
        with(&[("SLACK_SIGNING_SECRET", &format!(" {hex}\r\n")), ("SLACK_BOT_TOKEN", "xoxe.xoxb-1-c\n")]).unwrap();
    assert_eq!(config.unusual(), [""; 0]);
    let SlackWayIn::Http { signing_secret } = config.slack.unwrap().way_in else { panic!("over HTTP") };
    assert_eq!(signing_secret.expose_secret(), hex);
    let unusual = read(&[NEEDED, MATTERMOST].concat()).unwrap().unusual();
    assert_snapshot!(unusual.join("\n"), @"
    SLACK_SIGNING_SECRET is not 32 hexadecimal digits, as Slack's signing secrets are: every request may be refused
    MATTERMOST_BOT_TOKEN is not 26 letters and digits, as Mattermost's tokens are: it may be refused
    MATTERMOST_COMMAND_TOKEN is not 26 letters and digits, as Mattermost's tokens are: it may be refused
    ");
}

const MATTERMOST: Env<'static> = &[
    ("SEKOIA_API_KEY", "canary-key"),
    ("MATTERMOST_URL", "https://chat.example/base/"),
    ("MATTERMOST_BOT_TOKEN", "canary-bot"),
    ("MATTERMOST_COMMAND_TOKEN", "canary-one, canary-two"),
    ("CHATOPS_PUBLIC_URL", "http://bot.internal:8080/"),
];

#[test]
fn mattermost_may_be_served_alone_or_beside_slack() {
    let alone = read(MATTERMOST).unwrap();
    let mattermost = alone.mattermost.unwrap();
    assert!(alone.slack.is_none() && mattermost.sources.is_empty());
    assert_eq!(mattermost.trigger, "sekoia");
    let other = read(&[MATTERMOST, &[("MATTERMOST_TRIGGER", "/SOC")]].concat()).unwrap();
    assert_eq!(other.mattermost.unwrap().trigger, "soc");
    assert_eq!(mattermost.url.as_str(), "https://chat.example/base");
    assert_eq!(mattermost.public_url.as_ref().unwrap().as_str(), "http://bot.internal:8080/");
    let tokens: Vec<&str> = mattermost.command_tokens.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(tokens, ["canary-one", "canary-two"]);
    let both = read(&[NEEDED, MATTERMOST, &[("MATTERMOST_SOURCES", "10.1.2.3, 10.2.0.0/16, ::1")]].concat()).unwrap();
    assert!(both.slack.is_some());
    assert_eq!(both.mattermost.unwrap().sources.len(), 3);
}

#[test]
fn mattermost_is_wholly_configured_or_not_at_all() {
    assert_snapshot!(faults(&[("MATTERMOST_URL", "http://chat.example")]), @r#"
    MATTERMOST_URL: "http://chat.example" may not receive the token; give https://, or http:// on a loopback address
    MATTERMOST_BOT_TOKEN: is missing; `sekoia-chatops mattermost install` prints it
    "#);
    let wrong = [
        ("MATTERMOST_COMMAND_TOKEN", "can ary"),
        ("MATTERMOST_SOURCES", "chat.example,10.0.0.0/33"),
        ("MATTERMOST_TRIGGER", "two words"),
        ("CHATOPS_PUBLIC_URL", "bot.example"),
        ("CHATOPS_CHANNELS", "mattermost:soc-setup"),
    ];
    assert_snapshot!(read(&[MATTERMOST, &wrong].concat()).unwrap_err(), @r#"
    CHATOPS_PUBLIC_URL: not an address: relative URL without a base
    MATTERMOST_COMMAND_TOKEN: holds spaces or characters that no such secret has
    MATTERMOST_SOURCES: "chat.example" is not an address or a network such as 10.1.2.0/24
    MATTERMOST_SOURCES: "10.0.0.0/33" is not an address or a network such as 10.1.2.0/24
    MATTERMOST_TRIGGER: "two words" is not one word, such as sekoia
    CHATOPS_CHANNELS: "mattermost:soc-setup" is not a Mattermost channel id, which has 26 letters and digits (not a name)
    "#);
}

#[test]
fn a_mattermost_server_that_cannot_call_the_bot_needs_no_token_of_a_command() {
    let alone = |more: Env<'_>| {
        let env = [&MATTERMOST[..3], more].concat();
        read(&env).map(|config| (config.unusual(), config.public_url.is_some(), config.mattermost.unwrap()))
    };
    let (unusual, _, mattermost) = alone(&[]).unwrap();
    assert!(mattermost.only_mentions() && mattermost.public_url.is_none());
    assert!(!unusual.iter().any(|line| line.contains("MATTERMOST_COMMAND_TOKEN")), "{unusual:?}");
    // The address is for Sekoia's webhooks then.
    let (unusual, reached, mattermost) =
        alone(&[("CHATOPS_PUBLIC_URL", "https://bot.example"), ("MATTERMOST_SOURCES", "10.0.0.1")]).unwrap();
    assert!(mattermost.only_mentions() && mattermost.public_url.is_none() && reached);
    assert!(unusual.contains(&"MATTERMOST_SOURCES has no effect without MATTERMOST_COMMAND_TOKEN".to_owned()));
    assert_snapshot!(alone(&[("MATTERMOST_COMMAND_TOKEN", "canary-one")]).unwrap_err(), @"  CHATOPS_PUBLIC_URL: is missing; give the address under which the Mattermost server reaches this bot, or remove MATTERMOST_COMMAND_TOKEN if it cannot");
}

#[test]
fn personal_values_are_kept_for_a_day_at_least() {
    let kept = |time| with(&[("CHATOPS_RETENTION", time)]).unwrap().retention;
    assert_eq!(with(&[]).unwrap().retention, None);
    assert_eq!((kept("365d"), kept("1d")), (Some(Duration::from_hours(365 * 24)), Some(Duration::from_hours(24))));
    assert_snapshot!(faults(&[("CHATOPS_RETENTION", "12h")]), @r#"  CHATOPS_RETENTION: "12h" is less than a day; give one such as 365d, or remove it to keep everything for good"#);
    assert_snapshot!(faults(&[("CHATOPS_RETENTION", "a while")]), @r#"  CHATOPS_RETENTION: "a while" is not a time; give one such as 365d, 26weeks or 2y, or remove it to keep everything for good"#);
}

#[test]
fn a_folder_of_templates_has_to_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    assert_eq!(with(&[("CHATOPS_PLANS", path)]).unwrap().plans.as_deref(), Some(directory.path()));
    assert_eq!(with(&[]).unwrap().plans, None);
    assert_snapshot!(faults(&[("CHATOPS_PLANS", "/nowhere/plans")]), @r#"  CHATOPS_PLANS: "/nowhere/plans" is not a folder that can be read: No such file or directory (os error 2)"#);
    let file = directory.path().join("a.toml");
    fs::write(&file, "").unwrap();
    let fault = faults(&[("CHATOPS_PLANS", file.to_str().unwrap())]);
    assert!(fault.starts_with("  CHATOPS_PLANS: ") && fault.contains("is not a folder that can be read"), "{fault}");
}

#[test]
fn a_sekoia_on_ones_own_host_needs_all_three_of_its_addresses() {
    const OWN: Env<'static> = &[
        ("SEKOIA_REGION", "self"),
        ("SEKOIA_API_URL", "https://soc.bank.example/api"),
        ("SEKOIA_APP_URL", "https://soc.bank.example"),
        ("SEKOIA_LIVE_URL", "wss://soc.bank.example/live/"),
    ];
    let own = |more: Env<'_>| with(&[OWN, more].concat());
    let sekoia = own(&[]).unwrap().sekoia;
    assert_eq!(sekoia.region, Region::SelfHosted);
    assert_eq!(
        [sekoia.api_url, sekoia.app_url, sekoia.live_url].map(|url| url.to_string()),
        ["https://soc.bank.example/api", "https://soc.bank.example/", "wss://soc.bank.example/live/"]
    );
    assert_snapshot!(faults(&[("SEKOIA_REGION", "SELF")]), @"
    SEKOIA_API_URL: is missing; with SEKOIA_REGION=SELF, give the address of its API, such as https://sekoia.example.com/api
    SEKOIA_APP_URL: is missing; with SEKOIA_REGION=SELF, give the address where people log in, such as https://sekoia.example.com
    SEKOIA_LIVE_URL: is missing; with SEKOIA_REGION=SELF, give the address of its live events, such as wss://sekoia.example.com/live/
    ");
    let wrong = own(&[
        ("SEKOIA_API_URL", "http://soc.bank.example/api"),
        ("SEKOIA_APP_URL", "ftp://soc.bank.example"),
        ("SEKOIA_LIVE_URL", "https://soc.bank.example/live/"),
    ]);
    assert_snapshot!(wrong.unwrap_err(), @r#"
    SEKOIA_API_URL: "http://soc.bank.example/api" may not receive the key; give https://, or http:// on a loopback address
    SEKOIA_APP_URL: "ftp://soc.bank.example" may not receive the key; give https://, or http:// on a loopback address
    SEKOIA_LIVE_URL: "https://soc.bank.example/live/" may not receive the key; give wss://, or ws:// on a loopback address
    "#);
    for (name, bad) in [
        ("SEKOIA_API_URL", "https://"),
        ("SEKOIA_API_URL", "mailto:a@bank.example"),
        ("SEKOIA_API_URL", "https://key@soc.bank.example/api"),
        ("SEKOIA_APP_URL", "soc.bank.example"),
        ("SEKOIA_LIVE_URL", "ws://10.0.0.1/live/"),
        ("SEKOIA_LIVE_URL", " "),
    ] {
        assert!(own(&[(name, bad)]).unwrap_err().to_string().contains(name), "{name} {bad}");
    }
    for (name, good) in [
        ("SEKOIA_API_URL", "http://127.0.0.1:9/api"),
        ("SEKOIA_APP_URL", "http://localhost:9"),
        ("SEKOIA_LIVE_URL", "ws://[::1]:9/live/"),
        ("SEKOIA_API_URL", "https://10.1.2.3/api"),
    ] {
        assert!(own(&[(name, good)]).is_ok(), "{name} {good}");
    }
    // Without SELF, people are sent to Sekoia's own hosts only.
    assert!(faults(&[("SEKOIA_APP_URL", "https://soc.bank.example")]).contains("SEKOIA_APP_URL"));
    assert!(with(&[("SEKOIA_APP_URL", "https://app.test.sekoia.io")]).is_ok());
}

#[test]
fn slack_comes_in_by_one_way() {
    let of = |set: &[(&str, &str)]| {
        let base = [("SEKOIA_API_KEY", "canary"), ("SLACK_BOT_TOKEN", "xoxb-canary"), ("CHATOPS_STORE", "memory")];
        let all: Vec<_> = base.iter().chain(set).copied().collect();
        let read = Config::read(|wanted| all.iter().find(|(name, _)| *name == wanted).map(|(_, v)| (*v).to_owned()));
        read.map(|config| matches!(config.slack.unwrap().way_in, SlackWayIn::SocketMode { .. }))
            .map_err(|faults| faults.to_string())
    };
    assert_eq!(of(&[("SLACK_APP_TOKEN", "xapp-1-A0-1-c")]), Ok(true));
    assert_eq!(of(&[("SLACK_SIGNING_SECRET", "8f742231b10e888888888888888885a5")]), Ok(false));
    let faults = [
        &[][..],
        &[("SLACK_APP_TOKEN", "xapp-1-canary"), ("SLACK_SIGNING_SECRET", "canary")],
        &[("SLACK_APP_TOKEN", "xoxb-canary")],
        &[("SLACK_APP_TOKEN", "8f742231b10e888888888888888885a5")],
        &[("SLACK_APP_TOKEN", "canary")],
        &[("SLACK_SIGNING_SECRET", "xapp-1-canary")],
    ];
    let faults = faults.map(|set| of(set).unwrap_err()).join("\n");
    assert!(!faults.contains("canary"), "{faults}");
    assert_snapshot!(faults, @"
    SLACK_SIGNING_SECRET: is missing; copy it from the Slack app's Basic Information page, or set SLACK_APP_TOKEN for Socket Mode
    SLACK_APP_TOKEN: is set, and SLACK_SIGNING_SECRET too; for Socket Mode remove SLACK_SIGNING_SECRET, for HTTP remove this one
    SLACK_APP_TOKEN: is a bot's token (xoxb-); copy the app-level token, which begins with xapp-, from the app's Basic Information page
    SLACK_APP_TOKEN: looks like the signing secret; copy the app-level token, which begins with xapp-, from the app's Basic Information page
    SLACK_APP_TOKEN: does not begin with xapp-; copy the app-level token, which begins with xapp-, from the app's Basic Information page
    SLACK_SIGNING_SECRET: is an app-level token (xapp-), which is for Socket Mode; copy the Signing Secret from the app's Basic Information page
    ");
}

#[test]
fn a_proxy_that_cannot_be_used_is_a_fault() {
    assert_snapshot!(faults(&[("HTTPS_PROXY", "socks5://canary@proxy:1080"), ("http_proxy", "ftp://canary")]), @"
    HTTPS_PROXY: is a SOCKS proxy, which the bot cannot use; give an address such as http://proxy.example.com:3128
    http_proxy: is not the address of a proxy; give an address such as http://proxy.example.com:3128
    ");
}

#[test]
fn authorities_are_read_from_a_pem_file_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let file = path.to_str().unwrap();
    let wrong = |content: Option<&str>| {
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        faults(&[("CHATOPS_CA_FILE", file)]).replace(&format!("{}/", directory.path().display()), "")
    };
    assert_snapshot!(wrong(None), @"  CHATOPS_CA_FILE: ca.pem: No such file or directory (os error 2)");
    assert_snapshot!(wrong(Some("")), @"  CHATOPS_CA_FILE: ca.pem holds no certificate; give a PEM file with BEGIN CERTIFICATE in it");
    assert_snapshot!(wrong(Some("-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n")), @"  CHATOPS_CA_FILE: ca.pem holds no certificate; give a PEM file with BEGIN CERTIFICATE in it");
    assert_snapshot!(wrong(Some("-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n")), @"  CHATOPS_CA_FILE: ca.pem holds a certificate that cannot be used: invalid peer certificate: BadEncoding");
    assert_snapshot!(wrong(Some("-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n")), @"  CHATOPS_CA_FILE: ca.pem is not a PEM file of certificates");
}
