//! What `doctor` finds, on the command line and in a channel: each thing that can be wrong, and nothing of a
//! secret.

use std::process::Output;
use std::time::Duration;

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::bot::doctor;
use sekoia_chatops::chat::diagnosis::Check;
use sekoia_chatops::resolve::network::Network;
use sekoia_chatops::sandbox::{self, Options, Sandbox, Tenant, Writes};
use sekoia_chatops::sekoia::{Region, Sekoia, Site};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::harness::slack::Fault;
use crate::harness::{Platform, Setting, Stage, by_socket, on_both, on_mattermost, on_slack, run, steady};

/// Enough people for every rule, and a database of its own.
fn usual() -> Setting {
    Setting { approvers: "bob,carol,dan", durable: true, file: true, ..Setting::default() }
}

/// What an operator reads, without what differs between machines.
fn table(output: &Output) -> String {
    let text = steady(String::from_utf8_lossy(&output.stdout));
    let one = |line: &str| match line.rfind("  ").filter(|_| line.ends_with(" are free.")) {
        Some(at) => format!("{}<n> GiB are free.", &line[..at + 2]),
        None => line.to_owned(),
    };
    text.lines().map(one).collect::<Vec<_>>().join("\n")
}

/// The rows that did not pass, with what belongs to them.
fn troubles(output: &Output) -> String {
    let text = table(output);
    let mut shown = false;
    let kept = text.lines().filter(|line| {
        if !line.starts_with(' ') {
            shown = line.starts_with("WARN") || line.starts_with("FAIL");
        }
        shown
    });
    kept.collect::<Vec<_>>().join("\n")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A check of a run with `--json`.
fn found<'j>(json: &'j Value, id: &str) -> &'j Value {
    let checks = json["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id} in {json:#}"))
}

#[test]
fn everything_is_examined_beside_a_running_bot() {
    on_slack(usual(), async |s| {
        s.set_up().await;
        let output = s.doctor("", &[]).await;
        assert_snapshot!(table(&output), @"
        PASS  Settings                        Every setting is understood.
        PASS  Settings: form of secrets       Every secret has the usual form.
        PASS  Store: database                 bot.db is of this release (tables 5), 76 KiB.
        PASS  Store: write and read           A row was written and read back.
        PASS  Store: history                  The last 3 records of 1 stream follow each other, unchanged.
        PASS  Store: free disk                <n> GiB are free.
        PASS  Sekoia: API key                 127.0.0.1 answers and takes the key.
        PASS  Sekoia: region                  FRA1 (France), at 127.0.0.1.
        PASS  Sekoia: end of the key          The bot's key ends on <date>, in 300 days.
        PASS  Sekoia: key for subscription    Enough for `subscription`.
        PASS  Sekoia: key for communities     Enough for `community create`.
        PASS  Sekoia: key for roles           Enough for `roles`, `role show`, `role create`.
        PASS  Sekoia: key for users           Enough for `users`, `invite`, `resend`.
        PASS  Sekoia: key for keys            Enough for `keys`, `key create`, `key revoke`, `key rotate`.
        PASS  Sekoia: key for notifications   Enough for `notify add`.
        PASS  Sekoia: key for quickstart      Enough for `quickstart`, `quickstart send`.
        PASS  Sekoia: key for other commands  Enough for `plan request`, `acknowledge`.
        PASS  Slack: token                    @sekoia in the workspace nimbus (T0SOC).
        WARN  Slack: scopes                   The app lacks pins:write, users:read.email, which it can do
                                              without.
                                              → Add them under OAuth & Permissions (`sekoia-chatops manifest
                                                slack` prints all), then press Reinstall to Workspace.
        PASS  Slack: clock                    This machine's clock agrees with Slack's.
        PASS  Slack: channels                 The bot is in 3 channels. 1 channel is set up.
        PASS  Slack: operators                2 people may set up channels.
        PASS  Slack: approvers                3 people can approve; 1 is needed, 2 for an Admin or a key
                                              without expiry.
        WARN  Public address: form            http://127.0.0.1:<port> is not encrypted.
                                              → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to
                                                its https:// address. Slack and Sekoia call no other.
        PASS  Public address: reached         The bot answers at http://127.0.0.1:<port>.
        PASS  Messages: refused               Every message was taken by its chat.
        PASS  Messages: set aside             Nothing that is stored was set aside.
        PASS  Watch over Sekoia               No rule waits for anything at Sekoia.

        28 checks: 26 passed, 2 warnings, 0 failed.
        ");
        assert_eq!((code(&output), String::from_utf8_lossy(&output.stderr).as_ref()), (0, ""));
        // The bot goes on, and its history is whole.
        s.ask("alice", "next").await;
        s.verify_audit();
    });
}

#[test]
fn everything_is_examined_on_mattermost() {
    on_mattermost(usual(), async |s| {
        let output = s.doctor("", &[]).await;
        assert_snapshot!(table(&output), @"
        PASS  Settings                        Every setting is understood.
        PASS  Settings: form of secrets       Every secret has the usual form.
        PASS  Store: database                 bot.db is of this release (tables 5), 76 KiB.
        PASS  Store: write and read           A row was written and read back.
        PASS  Store: history                  Nothing is recorded yet.
        PASS  Store: free disk                <n> GiB are free.
        PASS  Sekoia: API key                 127.0.0.1 answers and takes the key.
        PASS  Sekoia: region                  FRA1 (France), at 127.0.0.1.
        PASS  Sekoia: end of the key          The bot's key ends on <date>, in 300 days.
        PASS  Sekoia: key for subscription    Enough for `subscription`.
        PASS  Sekoia: key for communities     Enough for `community create`.
        PASS  Sekoia: key for roles           Enough for `roles`, `role show`, `role create`.
        PASS  Sekoia: key for users           Enough for `users`, `invite`, `resend`.
        PASS  Sekoia: key for keys            Enough for `keys`, `key create`, `key revoke`, `key rotate`.
        PASS  Sekoia: key for notifications   Enough for `notify add`.
        PASS  Sekoia: key for quickstart      Enough for `quickstart`, `quickstart send`.
        PASS  Sekoia: key for other commands  Enough for `plan request`, `acknowledge`.
        PASS  Mattermost: token               The token is of the bot account @sekoia.
        PASS  Mattermost: version             Mattermost 11.2.0.
        PASS  Mattermost: commands            Custom slash commands are on.
        PASS  Mattermost: bot accounts        Bot accounts can be created.
        PASS  Mattermost: private answers     The bot may show a post to one person alone.
        PASS  Mattermost: edits               The bot may edit its messages, however old.
        WARN  Mattermost: calls to the bot    127.0.0.1 is inside a private network. Whether the server may
                                              call it cannot be read with the bot's token.
                                              → An administrator of the server can see whether System
                                                Console > Environment > Developer > Allow untrusted internal
                                                connections
                                                (ServiceSettings.AllowedUntrustedInternalConnections) lists
                                                127.0.0.1, or try a command in a channel.
        PASS  Mattermost: mentions            The server's WebSocket takes the token, so mentions are read.
        PASS  Mattermost: channels            The bot is in 3 channels. None is set up.
        PASS  Mattermost: operators           2 people may set up channels.
        PASS  Mattermost: approvers           3 people can approve; 1 is needed, 2 for an Admin or a key
                                              without expiry.
        WARN  Public address: form            http://127.0.0.1:<port> is not encrypted.
                                              → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to
                                                its https:// address. Slack and Sekoia call no other.
        PASS  Public address: reached         The bot answers at http://127.0.0.1:<port>.
        PASS  Messages: refused               Every message was taken by its chat.
        PASS  Messages: set aside             Nothing that is stored was set aside.
        PASS  Watch over Sekoia               No rule waits for anything at Sekoia.

        33 checks: 31 passed, 2 warnings, 0 failed.
        ");
        assert_eq!(code(&output), 0);
    });
}

/// What is in the way with this in the environment, but for the address of a test.
async fn with(s: &Stage, more: &[(&str, &str)]) -> String {
    let all = troubles(&s.doctor("", more).await);
    all.split("WARN  Public address:").next().unwrap_or_default().trim_end().to_owned()
}

fn on_slack_quietly(setting: Setting, scenario: impl AsyncFnOnce(&mut Stage)) {
    on_slack(setting, async |s| {
        // Everything that the manifest asks for.
        s.slack().edit(|state| state.scopes.extend(["pins:write".into(), "users:read.email".into()]));
        scenario(s).await;
    });
}

#[test]
fn a_key_that_sekoia_refuses() {
    on_slack_quietly(usual(), async |s| {
        let output = s.doctor("", &[("SEKOIA_API_KEY", "canary-of-another-sekoia")]).await;
        assert_eq!(code(&output), 1);
        assert_snapshot!(troubles(&output), @"
        FAIL  Sekoia: API key            Sekoia does not accept the key at 127.0.0.1 (401 T300).
                                         → Check SEKOIA_API_KEY and SEKOIA_REGION: a key works in its own
                                           region only. `/sekoia region probe` tries the others.
        WARN  Public address: form       http://127.0.0.1:<port> is not encrypted.
                                         → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to its
                                           https:// address. Slack and Sekoia call no other.
        ");
        for token in ["expired", "revoked"] {
            let key = s.sekoia.token(token).to_owned();
            let found = with(s, &[("SEKOIA_API_KEY", &key)]).await;
            assert!(found.contains(&format!("was {token}")) || found.contains(&format!("has {token}")), "{found}");
        }
        assert_snapshot!(with(s, &[("SEKOIA_API_URL", "http://127.0.0.1:1")]).await, @"
        FAIL  Sekoia: API key            Sekoia could not be reached (127.0.0.1).
                                         → Let the bot reach that host by HTTPS, through the proxy if there
                                           is one; CHATOPS_CA_FILE names a private authority.
                                           https://status.sekoia.io shows known incidents.
        ");
    });
}

#[test]
fn a_key_of_another_region() {
    run(Platform::Slack, Setting::default(), async |s| {
        let right =
            Sandbox::new(Options { tenant: Tenant::Single, seed: 2, writes: Writes::Accepted }, Timestamp::now());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(sandbox::serve(listener, right.clone(), std::future::pending()));
        let api = s.sekoia_url().parse().unwrap();
        let site = Site { region: Region::Fra1, api, app: "https://app.sekoia.io".parse().unwrap() };
        let candidates = vec![(Region::Usa1, vec![address.parse().unwrap()])];
        let key = right.token("admin");
        let sekoia = Sekoia::new(site, key.into(), candidates, &Network::default()).unwrap();
        let [check] = &doctor::sekoia::examine(&sekoia, true, Timestamp::now()).await[..] else { panic!("one check") };
        assert_snapshot!(said(check), @"FAIL Sekoia: region: Sekoia does not accept the key at 127.0.0.1 (401 T300). It is a key of USA1 (United States). → Set SEKOIA_REGION=USA1 and restart the bot.");
        // In a channel a person confirms that first.
        let [check] = &doctor::sekoia::examine(&sekoia, false, Timestamp::now()).await[..] else { panic!("one check") };
        assert_snapshot!(said(check), @"FAIL Sekoia: API key: Sekoia does not accept the key at 127.0.0.1 (401 T300). → Check SEKOIA_API_KEY and SEKOIA_REGION: a key works in its own region only. `/sekoia region probe` tries the others.");
    });
}

fn said(check: &Check) -> String {
    let advice = check.advice.as_deref().unwrap_or_default();
    format!("{} {}: {} → {advice}", check.verdict.sign(), check.subject, check.found)
}

#[test]
fn a_key_that_may_too_little() {
    on_slack_quietly(Setting { token: "limited", ..usual() }, async |s| {
        let output = s.doctor("", &[]).await;
        assert_eq!(code(&output), 1);
        assert_snapshot!(troubles(&output), @r#"
        WARN  Sekoia: end of the key          When the key ends cannot be read: Sekoia refuses this to the
                                              bot's API key (403): it lacks the permission
                                              "COMMUNITY_READ_APIKEY".
                                              → Look it up in Sekoia under Settings > Workspace > API Keys.
        FAIL  Sekoia: key for subscription    The key lacks Read community licenses: not enough for
                                              `subscription`.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        WARN  Sekoia: key for communities     The key lacks COMMUNITY_MANAGE_SUB_COMMUNITIES: not enough for
                                              `community create`. Approved requests become tasks for a
                                              person.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        WARN  Sekoia: key for roles           The key lacks COMMUNITY_WRITE_ROLE: not enough for `role
                                              create`. Approved requests become tasks for a person.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        FAIL  Sekoia: key for users           The key lacks COMMUNITY_ADD_MEMBER, COMMUNITY_LIST_MEMBER,
                                              COMMUNITY_REMOVE_MEMBER: not enough for `users`, `invite`,
                                              `resend`.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        FAIL  Sekoia: key for keys            The key lacks COMMUNITY_READ_APIKEY, COMMUNITY_WRITE_APIKEY:
                                              not enough for `keys`, `key create`, `key revoke`, `key
                                              rotate`.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        FAIL  Sekoia: key for quickstart      The key lacks COMMUNITY_LIST_MEMBER: not enough for
                                              `quickstart send`.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        FAIL  Sekoia: key for other commands  The key lacks COMMUNITY_ADD_MEMBER, COMMUNITY_LIST_MEMBER,
                                              COMMUNITY_MANAGE_SUB_COMMUNITIES, COMMUNITY_READ_APIKEY,
                                              COMMUNITY_WRITE_APIKEY, COMMUNITY_WRITE_ROLE, Update alert
                                              status: not enough for `plan request`, `acknowledge`.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        WARN  Public address: form            http://127.0.0.1:<port> is not encrypted.
                                              → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to
                                                its https:// address. Slack and Sekoia call no other.
        "#);
    });
}

#[test]
fn a_key_that_may_only_read_is_a_warning() {
    on_slack_quietly(Setting { token: "reader", ..usual() }, async |s| {
        let output = s.doctor("", &[]).await;
        assert_eq!(code(&output), 0);
        assert_snapshot!(troubles(&output), @"
        WARN  Sekoia: key for communities     The key lacks COMMUNITY_MANAGE_SUB_COMMUNITIES: not enough for
                                              `community create`. Approved requests become tasks for a
                                              person.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        WARN  Sekoia: key for roles           The key lacks COMMUNITY_WRITE_ROLE: not enough for `role
                                              create`. Approved requests become tasks for a person.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        WARN  Sekoia: key for users           The key lacks COMMUNITY_ADD_MEMBER, COMMUNITY_REMOVE_MEMBER:
                                              not enough for `invite`, `resend`. Approved requests become
                                              tasks for a person.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        WARN  Sekoia: key for keys            The key lacks COMMUNITY_WRITE_APIKEY: not enough for `key
                                              create`, `key revoke`, `key rotate`. Approved requests become
                                              tasks for a person.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        WARN  Sekoia: key for other commands  The key lacks COMMUNITY_ADD_MEMBER,
                                              COMMUNITY_MANAGE_SUB_COMMUNITIES, COMMUNITY_WRITE_APIKEY,
                                              COMMUNITY_WRITE_ROLE, Update alert status: not enough for
                                              `plan request`, `acknowledge`. Approved requests become tasks
                                              for a person.
                                              → Create a key with these too, set SEKOIA_API_KEY and restart.
        WARN  Public address: form            http://127.0.0.1:<port> is not encrypted.
                                              → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to
                                                its https:// address. Slack and Sekoia call no other.
        ");
    });
}

#[test]
fn what_is_wrong_at_slack() {
    on_slack_quietly(usual(), async |s| {
        let slack = s.slack().clone();
        slack.edit(|state| {
            state.scopes.remove("chat:write");
            state.scopes.remove("usergroups:read");
            state.clock_ahead = -90;
        });
        let output = s.doctor("", &[]).await;
        assert_eq!(code(&output), 1);
        assert_snapshot!(troubles(&output), @"
        FAIL  Slack: scopes                   The app lacks chat:write, usergroups:read.
                                              → Add them under OAuth & Permissions (`sekoia-chatops manifest
                                                slack` prints all), then press Reinstall to Workspace.
        WARN  Slack: clock                    This machine's clock is 90 seconds ahead of Slack's.
                                              → Let the machine set its clock by NTP, for example with
                                                `timedatectl set-ntp true`.
        WARN  Public address: form            http://127.0.0.1:<port> is not encrypted.
                                              → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to
                                                its https:// address. Slack and Sekoia call no other.
        ");
        slack.edit(|state| {
            state.scopes.extend(["chat:write".into(), "usergroups:read".into()]);
            state.scopes.remove("channels:read");
            state.clock_ahead = 400;
        });
        assert_snapshot!(with(s, &[]).await, @"
        FAIL  Slack: scopes                   The app lacks channels:read.
                                              → Add them under OAuth & Permissions (`sekoia-chatops manifest
                                                slack` prints all), then press Reinstall to Workspace.
        FAIL  Slack: clock                    This machine's clock is 400 seconds behind Slack's. Every
                                              request of Slack's is refused as too old.
                                              → Let the machine set its clock by NTP, for example with
                                                `timedatectl set-ntp true`.
        WARN  Slack: channels                 Not examined: the app lacks the scope channels:read.
                                              → Correct what is said of Slack first.
        ");
        slack.edit(|state| {
            state.scopes.insert("channels:read".into());
            state.clock_ahead = 0;
            state.token_refused = true;
        });
        assert_snapshot!(with(s, &[]).await, @"
        FAIL  Slack: token                    Slack does not accept the token (invalid_auth).
                                              → Install the app in the workspace again, set SLACK_BOT_TOKEN
                                                to the new token and restart the bot.
        WARN  Slack: channels                 Not examined: the chat platform no longer accepts the bot's
                                              token: invalid_auth.
                                              → Correct what is said of Slack first.
        WARN  Slack: people                   Not examined: the chat platform no longer accepts the bot's
                                              token: invalid_auth.
                                              → Correct what is said of Slack first.
        ");
        slack.edit(|state| (state.token_refused, state.organisation_wide) = (false, true));
        assert_snapshot!(with(s, &[]).await, @"
        FAIL  Slack: token                    Slack takes it, but the bot's token is of an organisation-wide
                                              install, which belongs to no workspace.
                                              → Install the app into the one workspace where it is used, and
                                                set SLACK_BOT_TOKEN to the token of that install.
        WARN  Slack: channels                 Not examined: the bot's token is of an organisation-wide
                                              install, which belongs to no workspace.
                                              → Correct what is said of Slack first.
        WARN  Slack: people                   Not examined: the bot's token is of an organisation-wide
                                              install, which belongs to no workspace.
                                              → Correct what is said of Slack first.
        ");
        slack.edit(|state| state.organisation_wide = false);
        assert_snapshot!(with(s, &[("SLACK_SIGNING_SECRET", "canary-too-short")]).await, @"
        WARN  Settings: form of secrets       SLACK_SIGNING_SECRET is not 32 hexadecimal digits, as Slack's
                                              signing secrets are: every request may be refused.
                                              → Compare SLACK_SIGNING_SECRET with what the platform shows,
                                                and set it again if it is another one.
        ");
        assert_snapshot!(with(s, &[("SLACK_API_URL", "http://127.0.0.1:1/api")]).await, @"
        FAIL  Slack: token                    Slack does not answer: no connection.
                                              → Let the bot reach slack.com by HTTPS, through the proxy if
                                                there is one.
        WARN  Slack: channels                 Not examined: the chat platform did not answer: no connection.
                                              → Correct what is said of Slack first.
        WARN  Slack: people                   Not examined: the chat platform did not answer: no connection.
                                              → Correct what is said of Slack first.
        ");
    });
}

#[test]
fn what_is_wrong_with_socket_mode() {
    by_socket(|| {
        on_slack_quietly(Setting { public_url: None, ..usual() }, async |s| {
            let no_address = [("CHATOPS_PUBLIC_URL", "")];
            let output = s.doctor("--json", &no_address).await;
            let json = json(&output);
            assert_eq!((code(&output), json["warned"].as_u64()), (0, Some(0)), "{json:#}");
            let of = |id: &str| found(&json, id)["found"].as_str().unwrap().to_owned();
            assert_snapshot!(of("slack.socket"), @"Slack takes SLACK_APP_TOKEN and offers a WebSocket.");
            assert_snapshot!(of("public_url.reached"), @"Nothing calls the bot, so it needs no public address.");
            let wrong = [("SLACK_APP_TOKEN", "xapp-1-canary-of-another-app")];
            let output = s.doctor("", &[no_address, wrong].concat()).await;
            assert_eq!(code(&output), 1);
            assert_snapshot!(troubles(&output), @"
            FAIL  Slack: Socket Mode              Slack says that the token is not an app-level token
                                                  (not_allowed_token_type).
                                                  → Create a token with the scope connections:write at
                                                    api.slack.com/apps under Basic Information > App-Level
                                                    Tokens, set SLACK_APP_TOKEN and restart the bot.
            ");
            let slack = s.slack().clone();
            let mut found = Vec::new();
            for error in ["token_revoked", "missing_scope", "access_denied", "ratelimited"] {
                slack.fault("apps.connections.open", Fault::Error(error));
                found.push(with(s, &no_address).await);
            }
            assert_snapshot!(found.join("\n"), @"
            FAIL  Slack: Socket Mode              Slack does not accept the app-level token: token_revoked.
                                                  → Create a token with the scope connections:write at
                                                    api.slack.com/apps under Basic Information > App-Level
                                                    Tokens, set SLACK_APP_TOKEN and restart the bot.
            FAIL  Slack: Socket Mode              SLACK_APP_TOKEN lacks the scope connections:write.
                                                  → Create a token with the scope connections:write at
                                                    api.slack.com/apps under Basic Information > App-Level
                                                    Tokens, set SLACK_APP_TOKEN and restart the bot.
            FAIL  Slack: Socket Mode              Slack refuses a WebSocket: access_denied.
                                                  → Look this up at
                                                    https://docs.slack.dev/reference/methods/apps.connections.open.
            WARN  Slack: Socket Mode              Slack asks to wait for 1 s.
                                                  → Run doctor again after that.
            ");
            // Nothing is signed by the time, so it only warns.
            slack.edit(|state| state.clock_ahead = 400);
            assert_snapshot!(with(s, &no_address).await, @"
            WARN  Slack: clock                    This machine's clock is 400 seconds behind Slack's.
                                                  → Let the machine set its clock by NTP, for example with
                                                    `timedatectl set-ntp true`.
            ");
        });
    });
}

#[test]
fn everything_is_examined_through_a_proxy() {
    let setting = Setting { behind_proxy: Some("bot:canary-of-the-proxy"), ..usual() };
    on_slack_quietly(setting, async |s| {
        let output = s.doctor("", &[]).await;
        assert_snapshot!(troubles(&output), @"
        WARN  Public address: form            http://127.0.0.1:<port> is not encrypted.
                                              → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to
                                                its https:// address. Slack and Sekoia call no other.
        ");
        let proxy = s.proxy().address.to_string();
        let at = |login: &str| format!("http://{login}@{proxy}");
        let mut refused = Vec::new();
        for set in [at("bot:canary-of-another"), "http://bot:canary@127.0.0.1:1".into()] {
            let output = s.doctor("", &[("HTTPS_PROXY", &set)]).await;
            assert_eq!(code(&output), 1);
            refused.push(troubles(&output).replace(&proxy, "<proxy>"));
        }
        let refused = refused.join("\n\n");
        assert!(!refused.contains("canary"), "{refused}");
        assert_snapshot!(refused, @"
        FAIL  Sekoia: API key            Sekoia could not be reached: the proxy 127.0.0.1:<port>
                                         (HTTPS_PROXY) wants a name and a password, or refuses those that
                                         are set (407) (api.sekoia.io).
                                         → Set HTTPS_PROXY to http://NAME:PASSWORD@HOST:PORT and restart the
                                           bot.
        FAIL  Slack: token               Slack does not answer: the proxy 127.0.0.1:<port> (HTTPS_PROXY)
                                         wants a name and a password, or refuses those that are set (407).
                                         → Let the bot reach slack.com by HTTPS, through the proxy if there
                                           is one.
        WARN  Slack: channels            Not examined: the chat platform did not answer: the proxy
                                         127.0.0.1:<port> (HTTPS_PROXY) wants a name and a password, or
                                         refuses those that are set (407).
                                         → Correct what is said of Slack first.
        WARN  Slack: people              Not examined: the chat platform did not answer: the proxy
                                         127.0.0.1:<port> (HTTPS_PROXY) wants a name and a password, or
                                         refuses those that are set (407).
                                         → Correct what is said of Slack first.
        WARN  Public address: form       http://127.0.0.1:<port> is not encrypted.
                                         → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to its
                                           https:// address. Slack and Sekoia call no other.

        FAIL  Sekoia: API key            Sekoia could not be reached: the proxy 127.0.0.1:<port> (HTTPS_PROXY)
                                         cannot be reached (api.sekoia.io).
                                         → Check the address in HTTPS_PROXY; a host that is reached without
                                           the proxy belongs in NO_PROXY.
        FAIL  Slack: token               Slack does not answer: the proxy 127.0.0.1:<port> (HTTPS_PROXY) cannot
                                         be reached.
                                         → Let the bot reach slack.com by HTTPS, through the proxy if there
                                           is one.
        WARN  Slack: channels            Not examined: the chat platform did not answer: the proxy
                                         127.0.0.1:<port> (HTTPS_PROXY) cannot be reached.
                                         → Correct what is said of Slack first.
        WARN  Slack: people              Not examined: the chat platform did not answer: the proxy
                                         127.0.0.1:<port> (HTTPS_PROXY) cannot be reached.
                                         → Correct what is said of Slack first.
        WARN  Public address: form       http://127.0.0.1:<port> is not encrypted.
                                         → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to its
                                           https:// address. Slack and Sekoia call no other.
        ");
    });
}

#[test]
fn what_is_wrong_at_mattermost() {
    on_mattermost(usual(), async |s| {
        s.mattermost().edit(|state| {
            state.bot_may_post_ephemerals = false;
            state.settings = [
                ("Version", "10.11.2"),
                ("EnableCommands", "false"),
                ("EnableBotAccountCreation", "false"),
                ("PostEditTimeLimit", "300"),
            ]
            .into();
        });
        let output = s.doctor("", &[("MATTERMOST_COMMAND_TOKEN", "canary-short")]).await;
        assert_eq!(code(&output), 1);
        assert_snapshot!(troubles(&output), @"
        WARN  Settings: form of secrets       MATTERMOST_COMMAND_TOKEN is not 26 letters and digits, as
                                              Mattermost's tokens are: it may be refused.
                                              → Compare MATTERMOST_COMMAND_TOKEN with what the platform
                                                shows, and set it again if it is another one.
        WARN  Mattermost: version             Mattermost 10.11.2 is older than 11: in forms, fields for
                                              several choices take one.
                                              → Upgrade the server to Mattermost 11.
        FAIL  Mattermost: commands            Custom slash commands are off, so nobody can call the bot by
                                              one.
                                              → System Console > Integrations > Integration Management >
                                                Enable Custom Slash Commands
                                                (ServiceSettings.EnableCommands).
        WARN  Mattermost: bot accounts        Bot accounts cannot be created. The one that there is keeps
                                              working.
                                              → To run `sekoia-chatops mattermost install` again: System
                                                Console > Integrations > Bot Accounts > Enable Bot Account
                                                Creation (ServiceSettings.EnableBotAccountCreation).
        WARN  Mattermost: private answers     The bot may not show a post to one person alone: answers to a
                                              pressed button come as text without buttons.
                                              → Run `sekoia-chatops mattermost install
                                                --grant-private-answers` to give it the right
                                                create_post_ephemeral.
        WARN  Mattermost: edits               Messages may be edited for 300 seconds only, so each card that
                                              changes later becomes a new message.
                                              → System Console > User Management > Permissions > System
                                                Scheme > All Members > Manage Posts > Edit Posts, the time
                                                limit; or `mmctl config set
                                                ServiceSettings.PostEditTimeLimit -1`.
        WARN  Mattermost: calls to the bot    127.0.0.1 is inside a private network. Whether the server may
                                              call it cannot be read with the bot's token.
                                              → An administrator of the server can see whether System
                                                Console > Environment > Developer > Allow untrusted internal
                                                connections
                                                (ServiceSettings.AllowedUntrustedInternalConnections) lists
                                                127.0.0.1, or try a command in a channel.
        WARN  Public address: form            http://127.0.0.1:<port> is not encrypted.
                                              → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to
                                                its https:// address. Slack and Sekoia call no other.
        ");
        s.mattermost().edit(|state| {
            state.may_edit = false;
            state.settings = [("SiteURL", "")].into();
        });
        assert_snapshot!(with(s, &[]).await, @"
        FAIL  Mattermost: commands            The server has no Site URL, without which late answers to
                                              commands fail.
                                              → System Console > Environment > Web Server > Site URL
                                                (ServiceSettings.SiteURL).
        WARN  Mattermost: private answers     The bot may not show a post to one person alone: answers to a
                                              pressed button come as text without buttons.
                                              → Run `sekoia-chatops mattermost install
                                                --grant-private-answers` to give it the right
                                                create_post_ephemeral.
        WARN  Mattermost: edits               The bot may not edit its messages, so each changed card
                                              becomes a new message.
                                              → Run `sekoia-chatops mattermost install --grant-edits`, or
                                                allow it to everybody: System Console > User Management >
                                                Permissions > System Scheme > All Members > Manage Posts >
                                                Edit Posts.
        WARN  Mattermost: calls to the bot    127.0.0.1 is inside a private network. Whether the server may
                                              call it cannot be read with the bot's token.
                                              → An administrator of the server can see whether System
                                                Console > Environment > Developer > Allow untrusted internal
                                                connections
                                                (ServiceSettings.AllowedUntrustedInternalConnections) lists
                                                127.0.0.1, or try a command in a channel.
        ");
        s.mattermost().edit(|state| {
            state.settings = [("AllowEditPost", "never")].into();
            state
                .faults
                .entry("POST /roles/names".into())
                .or_default()
                .push_back(crate::harness::mattermost::Fault::Error(403, "api.context.permissions.app_error"));
        });
        assert_snapshot!(with(s, &[]).await, @"
        WARN  Mattermost: private answers     Whether the bot may show a post to one person alone cannot be
                                              read with the bot's token.
                                              → An administrator of the server can see whether the role
                                                system_post_all has create_post_ephemeral, and the bot has
                                                that role.
        WARN  Mattermost: edits               Nobody may edit messages, so each changed card becomes a new
                                              message.
                                              → System Console > User Management > Permissions > System
                                                Scheme > All Members > Manage Posts > Edit Posts
                                                (ServiceSettings.AllowEditPost).
        WARN  Mattermost: calls to the bot    127.0.0.1 is inside a private network. Whether the server may
                                              call it cannot be read with the bot's token.
                                              → An administrator of the server can see whether System
                                                Console > Environment > Developer > Allow untrusted internal
                                                connections
                                                (ServiceSettings.AllowedUntrustedInternalConnections) lists
                                                127.0.0.1, or try a command in a channel.
        ");
        s.mattermost().edit(|state| state.token_refused = true);
        assert_snapshot!(with(s, &[]).await, @"
        FAIL  Mattermost: token               127.0.0.1 does not accept the token.
                                              → Make another one with `sekoia-chatops mattermost install
                                                --new-token`, set MATTERMOST_BOT_TOKEN and restart the bot.
        WARN  Mattermost: channels            Not examined: the chat platform no longer accepts the bot's
                                              token: api.context.session_expired.app_error.
                                              → Correct what is said of Mattermost first.
        WARN  Mattermost: people              Not examined: the chat platform no longer accepts the bot's
                                              token: api.context.session_expired.app_error.
                                              → Correct what is said of Mattermost first.
        ");
    });
}

#[test]
fn a_mattermost_server_whose_posts_are_not_heard() {
    on_mattermost(Setting { only_mentions: true, ..usual() }, async |s| {
        let no_address = [("CHATOPS_PUBLIC_URL", ""), ("MATTERMOST_SOURCES", "10.0.0.0/8")];
        let output = s.doctor("--json", &no_address).await;
        assert_eq!(code(&output), 0);
        let json = json(&output);
        let ids = ["config.effect", "mattermost.commands", "mattermost.mentions", "public_url.reached"];
        let all = ids.map(|id| found(&json, id)["found"].as_str().unwrap().to_owned());
        assert_snapshot!(all.join("\n"), @"
        MATTERMOST_SOURCES has no effect without MATTERMOST_COMMAND_TOKEN.
        The server does not call the bot, which reads commands after mentions alone.
        The server's WebSocket takes the token, so mentions are read.
        Nothing calls the bot, so it needs no public address.
        ");
        s.mattermost().cut_sockets(Some(502)).await;
        let output = s.doctor("", &no_address[..1]).await;
        assert_eq!(code(&output), 1);
        assert_snapshot!(troubles(&output), @"
        FAIL  Mattermost: mentions            Mentions are not read: the Mattermost server's address
                                              answered 502 to a WebSocket.
                                              → A proxy before the server must pass WebSockets on at
                                                /api/v4/websocket, as the server's own clients need it to.
        ");
        s.mattermost().sockets_stand();
    });
    on_mattermost(usual(), async |s| {
        s.mattermost().cut_sockets(None).await;
        let json = json(&s.doctor("--json", &[]).await);
        let check = found(&json, "mattermost.mentions");
        assert_snapshot!(format!("{} {}", check["verdict"], check["found"]), @r#""warn" "Mentions are not read: the Mattermost server does not take the bot's token on its WebSocket. Slash commands work all the same.""#);
        s.mattermost().sockets_stand();
    });
}

on_both!(approvers_who_cannot_approve);
fn approvers_who_cannot_approve(on: Platform) {
    run(on, Setting { durable: true, file: true, ..Setting::default() }, async |s| {
        let people = |names: &str| on.principals(names);
        // Rows without their padding, which depends on the platform's name.
        let read = async |more: &[(&str, &str)]| {
            let mut rows: Vec<String> = Vec::new();
            for line in with(s, more).await.lines() {
                let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
                match rows.last_mut().filter(|_| line.starts_with(' ')) {
                    Some(row) => row.push_str(&format!(" {words}")),
                    None => rows.push(words),
                }
            }
            rows.retain(|row| [": operators", ": approvers", ": people", ": groups"].iter().any(|of| row.contains(of)));
            let text = on.neutral(&rows.join("\n")).replace("Mattermost: ", "Chat: ").replace("Slack: ", "Chat: ");
            text.replace(&people("@gone"), "<group>").replace("app.group.no_rows", "no_such_subteam")
        };
        // Two approvers, and one of them may ask.
        assert_snapshot!(read(&[]).await, @"WARN Chat: approvers 2 people can approve. A key without expiry and an invitation as Admin need 2, which is too few when one of them asks, because nobody may approve their own request. → Add people to CHATOPS_APPROVERS: active, full members. `/sekoia whoami` shows each their id. Restart the bot.");
        // A guest, and one who left.
        let set = people("gina,otto,bob");
        assert_snapshot!(read(&[("CHATOPS_APPROVERS", &set), ("CHATOPS_OPERATORS", &set)]).await, @"
        FAIL Chat: approvers 1 person can approve, and 1 has to: nobody may approve their own request, and all who can ask are approvers. → Add people to CHATOPS_APPROVERS: active, full members. `/sekoia whoami` shows each their id. Restart the bot.
        WARN Chat: people without rights `chat:gina` of CHATOPS_APPROVERS is a guest, `chat:gina` of CHATOPS_OPERATORS is a guest, `chat:otto` of CHATOPS_APPROVERS is deactivated, `chat:otto` of CHATOPS_OPERATORS is deactivated. → Take them out of the setting, or make them active, full members.
        ");
        // Nobody at all.
        assert_snapshot!(read(&[("CHATOPS_APPROVERS", ""), ("CHATOPS_OPERATORS", "")]).await, @"
        FAIL Chat: operators Nobody may set up a channel or ask for anything: CHATOPS_APPROVERS names nobody who can. → Add people to CHATOPS_OPERATORS: active, full members. `/sekoia whoami` shows each their id. Restart the bot.
        FAIL Chat: approvers Nobody can approve anything. → Add people to CHATOPS_APPROVERS: active, full members. `/sekoia whoami` shows each their id. Restart the bot.
        ");
        // More approvals than people, and who asks may count.
        let more = [("CHATOPS_APPROVALS_REQUIRED", "4"), ("CHATOPS_SELF_APPROVAL", "true")];
        assert_snapshot!(read(&more).await, @"FAIL Chat: approvers 2 people can approve, and 4 have to. → Add people to CHATOPS_APPROVERS: active, full members. `/sekoia whoami` shows each their id. Restart the bot.");
        // A group that is not there.
        let gone = people("@gone");
        assert_snapshot!(read(&[("CHATOPS_APPROVERS", &gone)]).await, @"
        FAIL Chat: approvers Nobody can approve anything. → Add people to CHATOPS_APPROVERS: active, full members. `/sekoia whoami` shows each their id. Restart the bot.
        FAIL Chat: groups <group> of CHATOPS_APPROVERS could not be read (the chat platform answered no_such_subteam), so who has rights by it alone has none. → If it was deleted, take it out of CHATOPS_APPROVERS.
        ");
        // Rules of single actions.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bot.toml");
        let rules = format!(
            "[approval.key_create]\nrequired = 2\napprovers = [\"{}\"]\n[approval.invite]\nself_approval = true\nrequired_sensitive = 1\n",
            people("dan")
        );
        std::fs::write(&file, rules).unwrap();
        assert_snapshot!(read(&[("CHATOPS_CONFIG", file.to_str().unwrap())]).await, @"
        WARN Chat: approvers of some For `community_create`, `role_create`, `key_revoke`, `key_rotate`, `plan`: 2 people can approve. A key without expiry and an invitation as Admin need 2, which is too few when one of them asks, because nobody may approve their own request. → Add people to CHATOPS_APPROVERS: active, full members. `/sekoia whoami` shows each their id. Restart the bot.
        FAIL Chat: approvers of some For `key_create`: 1 person can approve, and 2 have to. → Add people to approvers of that [approval.…] table: active, full members. `/sekoia whoami` shows each their id. Restart the bot.
        ");
    });
}

#[test]
fn a_store_that_cannot_be_used() {
    on_slack_quietly(usual(), async |s| {
        s.set_up().await;
        s.stop().await;
        let database = s.database().unwrap();
        let whole = std::fs::read(&database).unwrap();
        // Somebody edited a record.
        s.sql("UPDATE record SET actor = 'somebody' WHERE seq = 2").await;
        let output = s.doctor("", &[]).await;
        assert_eq!(code(&output), 1);
        assert_snapshot!(troubles(&output), @"
        FAIL  Store: history                  session/slack:T0SOC:C0SOC: record 2 was edited, or does not
                                              follow the one before it.
                                              → Run `sekoia-chatops audit verify`, which reads everything,
                                                and compare with an export kept elsewhere.
        WARN  Public address: reached         No bot runs here yet: nothing listens at 127.0.0.1:<port>, and
                                              https://bot.example.com cannot be connected to.
                                              → Start `sekoia-chatops serve`, and run doctor again.
        ");
        std::fs::write(&database, &whole).unwrap();
        // SQLite writes to no file that a later release of it marked so.
        let mut marked = whole.clone();
        marked[18] = 3;
        std::fs::write(&database, &marked).unwrap();
        assert_snapshot!(with(s, &[]).await, @"
        FAIL  Store: write and read           Nothing can be written: the database did not do it: error
                                              returned from database: (code: 8) attempt to write a readonly
                                              database.
                                              → Let the bot's user (doctor runs as user 0) write to the file
                                                and its folder, and make room on the disk.
        ");
        std::fs::write(&database, &whole).unwrap();
        let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7; 32]);
        let sealed = with(s, &[("CHATOPS_SECRET_KEY", &key)]).await;
        let own = sealed.split("with key ").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
        assert_snapshot!(sealed.replace(own, "<key>"), @"
        FAIL  Store: database                 bot.db cannot be trusted: it is sealed with key <key>,
                                              which is not configured; add that key after the first in
                                              CHATOPS_SECRET_KEY.
                                              → Set CHATOPS_SECRET_KEY, or put the key file beside it, as it
                                                was when the bot wrote it.
        ");
        s.sql("UPDATE _sqlx_migrations SET version = 99 WHERE version = 5").await;
        assert_snapshot!(with(s, &[]).await, @"
        FAIL  Store: database                 bot.db is of a later release (tables 99, here 5). This one
                                              cannot use it.
                                              → Run the release that wrote it, or a later one.
        ");
        s.sql("DELETE FROM _sqlx_migrations WHERE version = 99").await;
        assert_snapshot!(with(s, &[]).await, @"
        WARN  Store: database                 bot.db is of an earlier release (tables 4, here 5). What is in
                                              it was not examined.
                                              → Make a backup, then start this release with `sekoia-chatops
                                                serve`, which brings it up to date.
        ");
        std::fs::write(&database, "what somebody else keeps here, and it is no database at all").unwrap();
        assert_snapshot!(with(s, &[]).await, @"
        FAIL  Store: database                 bot.db cannot be read: the database did not do it: error
                                              returned from database: (code: 26) file is not a database.
                                              → Run doctor as the bot's own user, who must own the file and
                                                its folder. A restored copy needs all of its files.
        ");
        let after: Vec<u8> = std::fs::read(&database).unwrap();
        assert!(after.starts_with(b"what somebody else"), "doctor repairs nothing");
        assert_snapshot!(with(s, &[("CHATOPS_STORE", "sqlite:missing/bot.db")]).await, @"
        FAIL  Store: database                 Cannot open the store missing/bot.db: there is no folder
                                              missing. Create it, or set CHATOPS_STORE to a file in another
                                              folder.
                                              → Correct the folder and run doctor again.
        ");
        let fresh = with(s, &[("CHATOPS_STORE", "sqlite:fresh.db")]).await;
        assert!(!fresh.contains("Store"), "{fresh}");
        assert!(!database.with_file_name("fresh.db").exists(), "doctor makes no store");
        assert_snapshot!(with(s, &[("CHATOPS_STORE", "memory")]).await, @"
        WARN  Store: database                 Everything is kept in memory and forgotten when the bot stops.
                                              → Set CHATOPS_STORE=sqlite:PATH to keep it.
        ");
    });
}

#[test]
fn a_store_that_another_program_holds() {
    on_slack_quietly(usual(), async |s| {
        s.stop().await;
        use sqlx::{ConnectOptions, Connection, Executor};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(s.database().unwrap());
        let mut other = options.connect().await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let output = s.doctor("", &[]).await;
        assert_snapshot!(troubles(&output), @"
        FAIL  Store: write and read           Another program holds the database: nothing could be written
                                              for 5 s.
                                              → End that program. Only the bot writes to its database.
        WARN  Public address: reached         No bot runs here yet: nothing listens at 127.0.0.1:<port>, and
                                              https://bot.example.com cannot be connected to.
                                              → Start `sekoia-chatops serve`, and run doctor again.
        ");
        other.execute("ROLLBACK").await.unwrap();
        other.close().await.unwrap();
    });
}

on_both!(messages_that_a_chat_refuses);
fn messages_that_a_chat_refuses(on: Platform) {
    run(on, usual(), async |s| {
        s.set_up().await;
        s.chat.bot_leaves("soc-setup");
        s.try_say("alice", "skip quickstart later").await;
        let refused = async {
            loop {
                let json = json(&s.doctor("--json", &[]).await);
                let check = found(&json, "messages.refused").clone();
                if check["verdict"] == "warn" {
                    return (check, found(&json, &format!("{}.channels", on.prefix())).clone());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let (refused, channels) =
            tokio::time::timeout(Duration::from_secs(40), refused).await.expect("it is set aside");
        assert_snapshot!(steady(on.neutral(refused["found"].as_str().unwrap())), @"1 message was not taken: not delivered (checklist in chat:soc-setup): the bot is not in this channel, since <date> <time> UTC.");
        assert_snapshot!(on.neutral(channels["found"].as_str().unwrap()), @"The bot is in 2 channels. It is not in `#soc-setup`, which the bot is to serve.");
        while !s.chat.unread().is_empty() {
            s.next_within(Duration::from_secs(5)).await;
        }
    });
}

#[test]
fn a_public_address_that_does_not_lead_to_the_bot() {
    on_slack_quietly(usual(), async |s| {
        let reached = |text: String| {
            text.lines()
                .skip_while(|line| !line.contains("Public address"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join("\n")
        };
        // Something else is there.
        let other = s.sekoia_url().to_owned();
        assert_snapshot!(reached(troubles(&s.doctor("", &[("CHATOPS_PUBLIC_URL", &other)]).await)), @"
        WARN  Public address: form            http://127.0.0.1:<port> is not encrypted.
                                              → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to
                                                its https:// address. Slack and Sekoia call no other.
        FAIL  Public address: reached         http://127.0.0.1:<port> is answered by something else (404 Not
                                              Found for /healthz).
                                              → Let that address lead to CHATOPS_LISTEN through the proxy
                                                before the bot, or correct CHATOPS_PUBLIC_URL. If only
                                                machines outside can use it, try it from one of them.
        ");
        // Nothing is, and the bot runs.
        assert_snapshot!(reached(troubles(&s.doctor("", &[("CHATOPS_PUBLIC_URL", "https://127.0.0.1:1")]).await)), @"
        WARN  Public address: form            https://127.0.0.1:<port> leads to 127.0.0.1, which is inside a
                                              network: Slack and Sekoia cannot call it.
                                              → Set CHATOPS_PUBLIC_URL to an address that is reached from
                                                outside. A Mattermost server in the same network needs it in
                                                AllowedUntrustedInternalConnections.
        FAIL  Public address: reached         https://127.0.0.1:<port> cannot be connected to.
                                              → Let that address lead to CHATOPS_LISTEN through the proxy
                                                before the bot, or correct CHATOPS_PUBLIC_URL. If only
                                                machines outside can use it, try it from one of them.
        ");
        // Nothing is, because no bot runs.
        assert_snapshot!(reached(troubles(&s.doctor("", &[("CHATOPS_PUBLIC_URL", "https://127.0.0.1:1"), ("CHATOPS_LISTEN", "127.0.0.1:2")]).await)), @"
        WARN  Public address: form            https://127.0.0.1:<port> leads to 127.0.0.1, which is inside a
                                              network: Slack and Sekoia cannot call it.
                                              → Set CHATOPS_PUBLIC_URL to an address that is reached from
                                                outside. A Mattermost server in the same network needs it in
                                                AllowedUntrustedInternalConnections.
        WARN  Public address: reached         No bot runs here yet: nothing listens at 127.0.0.1:<port>, and
                                              https://127.0.0.1:<port> cannot be connected to.
                                              → Start `sekoia-chatops serve`, and run doctor again.
        ");
        assert_snapshot!(reached(troubles(&s.doctor("", &[("CHATOPS_PUBLIC_URL", "")]).await)), @"
        WARN  Public address: reached         CHATOPS_PUBLIC_URL is not set, so nobody can try the address
                                              by which the chat calls the bot.
                                              → Set it to the address in the app's manifest. `/sekoia notify
                                                webhook` needs it too.
        ");
    });
}

#[test]
fn metrics_that_cannot_be_read() {
    on_slack_quietly(Setting { metrics: true, ..usual() }, async |s| {
        let listens = s.metrics_address().to_string();
        let found = async |more: &[(&str, &str)]| {
            let json = json(&s.doctor("--json", more).await);
            let check = found(&json, "metrics");
            let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
            steady(format!("{} {} → {}", text("verdict"), text("found"), text("advice")))
        };
        assert_snapshot!(found(&[("CHATOPS_METRICS_LISTEN", &listens)]).await, @"pass They can be read at http://127.0.0.1:<port>/metrics. →");
        // Another program has the port, and the bot runs without this setting.
        let other = s.sekoia_url().trim_start_matches("http://").to_owned();
        assert_snapshot!(found(&[("CHATOPS_METRICS_LISTEN", &other)]).await, @"fail 127.0.0.1:<port> is answered by something else (404 Not Found for /metrics). → Restart the bot with this CHATOPS_METRICS_LISTEN. If another program has the port, set another one.");
        assert_snapshot!(found(&[("CHATOPS_METRICS_LISTEN", "127.0.0.1:1")]).await, @"fail 127.0.0.1:<port> cannot be connected to. → Restart the bot with this CHATOPS_METRICS_LISTEN. If another program has the port, set another one.");
        let none_runs = [("CHATOPS_METRICS_LISTEN", "127.0.0.1:1"), ("CHATOPS_LISTEN", "127.0.0.1:2")];
        assert_snapshot!(found(&none_runs).await, @"warn No bot runs here yet: nothing listens at 127.0.0.1:<port>. → Start `sekoia-chatops serve`, and run doctor again.");
    });
}

#[test]
fn a_watch_that_nobody_keeps() {
    let mut setting = usual();
    setting.timing.watch.on = false;
    on_slack(setting, async |s| {
        s.set_up().await;
        s.ask("alice", "notify add alert urgency>=75").await;
        let json_ = json(&s.doctor("--json", &[]).await);
        assert_snapshot!(found(&json_, "watch")["found"].as_str().unwrap(), @"1 kind of event is waited for, and nothing was looked at yet.");
        s.stop().await;
        s.watches(true);
        s.start().await;
        s.rounds(3).await;
        // How the rules do is stored every few seconds.
        let stored = async {
            loop {
                let json = json(&s.doctor("--json", &[]).await);
                if found(&json, "watch")["verdict"] == "pass" {
                    return found(&json, "watch")["found"].clone();
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let pass = tokio::time::timeout(Duration::from_secs(30), stored).await.expect("it watches");
        assert_snapshot!(pass.as_str().unwrap(), @"1 kind of event is waited for, and nothing is behind.");
        s.stop().await;
        let store = s.store().await;
        let later = Timestamp::now() + SignedDuration::from_mins(6);
        let checks = doctor::watch::examine(&store, later).await;
        store.close().await;
        assert_snapshot!(steady(said(&checks[0])).split_once(" since ").unwrap().0, @"WARN Watch over Sekoia: Sekoia is not watched");
        while !s.chat.unread().is_empty() {
            s.next_within(Duration::from_secs(5)).await;
        }
    });
}

#[test]
fn how_long_personal_values_are_kept_is_shown_where_it_is_set() {
    on_slack_quietly(usual(), async |s| {
        let output = s.doctor("--json", &[("CHATOPS_RETENTION", "365d")]).await;
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_snapshot!(found(&json, "config.retention")["found"].as_str().unwrap(), @"Personal values that are not in force any more are erased after 365 days.");
    });
}

#[test]
fn settings_with_faults_are_said_and_the_rest_is_examined() {
    on_slack_quietly(usual(), async |s| {
        let bad = [("SEKOIA_REGION", "FRA9"), ("CHATOPS_APPROVAL_TTL", "soon"), ("CHATOPS_OPERATOR", "slack:U0X")];
        let output = s.doctor("", &bad).await;
        assert_eq!(code(&output), 2);
        assert_snapshot!(troubles(&output), @r#"
        FAIL  Settings                   CHATOPS_OPERATOR: is not a setting; did you mean CHATOPS_OPERATORS?
                                         → Correct it and run doctor again.
        FAIL  Settings                   SEKOIA_REGION: "FRA9" is not a region; give one of FRA1, FRA2,
                                         MCO1, UAE1, USA1, SGP1, or SELF for Sekoia Self-Hosted.
                                         → Correct it and run doctor again.
        FAIL  Settings                   CHATOPS_APPROVAL_TTL: "soon" is not such a time; give one such as
                                         30m, 24h or 7d, from 1m to 30d.
                                         → Correct it and run doctor again.
        WARN  Public address: form       http://127.0.0.1:<port> is not encrypted.
                                         → Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to its
                                           https:// address. Slack and Sekoia call no other.
        "#);
        let json = json(&s.doctor("--json", &bad).await);
        assert_eq!(
            (found(&json, "slack.token")["verdict"].as_str(), json["verdict"].as_str()),
            (Some("pass"), Some("fail"))
        );
        let output = s.doctor("", &[("CHATOPS_CONFIG", "missing.toml")]).await;
        assert_eq!(code(&output), 2);
    });
}

#[test]
fn programs_read_the_same() {
    on_slack_quietly(usual(), async |s| {
        let output = s.doctor("--json", &[]).await;
        let json = json(&output);
        assert_eq!((code(&output), json["schema"].as_u64()), (0, Some(1)));
        let checks = json["checks"].as_array().unwrap();
        let of = |verdict: &str| checks.iter().filter(|check| check["verdict"] == verdict).count() as u64;
        assert_eq!(json["passed"], of("pass"));
        assert_eq!(json["warned"], of("warn"));
        assert_eq!(json["failed"], of("fail"));
        let ids: Vec<&str> = checks.iter().filter_map(|check| check["id"].as_str()).collect();
        assert_snapshot!(ids.join(" "), @"config config.secrets store.database store.writes store.history store.disk sekoia.key sekoia.region sekoia.expiry sekoia.permissions.subscription sekoia.permissions.communities sekoia.permissions.roles sekoia.permissions.users sekoia.permissions.keys sekoia.permissions.notifications sekoia.permissions.quickstart sekoia.permissions.others slack.token slack.scopes slack.clock slack.channels slack.operators slack.approvers public_url.form public_url.reached messages.refused messages.set_aside watch");
        // As many rows as checks.
        let text = table(&s.doctor("", &[]).await);
        assert_eq!(
            text.lines().filter(|line| ["PASS", "WARN", "FAIL"].iter().any(|sign| line.starts_with(sign))).count(),
            checks.len()
        );
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let narrow = table(&s.doctor("", &[("COLUMNS", "80")]).await);
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    });
}

on_both!(an_operator_reads_it_in_a_channel);
fn an_operator_reads_it_in_a_channel(on: Platform) {
    let setting = Setting { token: "reader", ..usual() };
    run(on, setting, async |s| {
        s.set_up().await;
        if let Platform::Slack = on {
            s.slack().edit(|state| state.scopes.extend(["pins:write".into(), "users:read.email".into()]));
        }
        let answer = s.ask("alice", "doctor").await.text();
        let sekoia: Vec<&str> = answer
            .lines()
            .filter(|line| !line.contains("Public") && !line.contains("Mattermost: calls") && !line.contains("checks:"))
            .collect();
        assert_snapshot!(steady(sekoia.join("\n")), @"
        Doctor: something does not work
        *Failed*
        *Warnings*
        • *Sekoia: key for communities*: The key lacks COMMUNITY_MANAGE_SUB_COMMUNITIES: not enough for `community create`. Approved requests become tasks for a person. → Create a key with these too, set SEKOIA_API_KEY and restart.
        • *Sekoia: key for roles*: The key lacks COMMUNITY_WRITE_ROLE: not enough for `role create`. Approved requests become tasks for a person. → Create a key with these too, set SEKOIA_API_KEY and restart.
        • *Sekoia: key for users*: The key lacks COMMUNITY_ADD_MEMBER, COMMUNITY_REMOVE_MEMBER: not enough for `invite`, `resend`. Approved requests become tasks for a person. → Create a key with these too, set SEKOIA_API_KEY and restart.
        • *Sekoia: key for keys*: The key lacks COMMUNITY_WRITE_APIKEY: not enough for `key create`, `key revoke`, `key rotate`. Approved requests become tasks for a person. → Create a key with these too, set SEKOIA_API_KEY and restart.
        • *Sekoia: key for other commands*: The key lacks COMMUNITY_ADD_MEMBER, COMMUNITY_MANAGE_SUB_COMMUNITIES, COMMUNITY_WRITE_APIKEY, COMMUNITY_WRITE_ROLE, Update alert status: not enough for `plan request`, `acknowledge`. Approved requests become tasks for a person. → Create a key with these too, set SEKOIA_API_KEY and restart.
        `sekoia-chatops doctor` on the bot's machine shows every check.
        ");
        assert!(answer.contains("Public address"), "{answer}");
        // Nobody else learns how the bot is set up.
        let denied = s.ask("carol", "doctor").await.text();
        assert!(denied.contains("operator") && !denied.contains("Sekoia: key"), "{denied}");
    });
}

#[test]
fn no_secret_is_printed_whatever_fails() {
    // What each secret is, in none of its forms to be seen.
    let secrets = [
        ("SEKOIA_API_KEY", "canary-sekoia-0123456789"),
        ("SLACK_SIGNING_SECRET", "canary-signing-0123456789"),
        ("SLACK_BOT_TOKEN", "xoxb-canary-0123456789"),
        ("MATTERMOST_BOT_TOKEN", "canary-mattermost-0123456789"),
        ("MATTERMOST_COMMAND_TOKEN", "canary-command-0123456789,canary-command-of-team-2"),
        ("CHATOPS_SECRET_KEY", "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmE="),
    ];
    let marks = ["canary", "Y2FuYXJ5"];
    on_slack(Setting { durable: true, file: true, ..Setting::default() }, async |s| {
        s.set_up().await;
        let echo = echo().await;
        let reachable = [("MATTERMOST_URL", echo.as_str()), ("CHATOPS_PUBLIC_URL", echo.as_str())];
        let nowhere = [
            ("MATTERMOST_URL", "http://127.0.0.1:1"),
            ("SLACK_API_URL", "http://127.0.0.1:1/api"),
            ("SEKOIA_API_URL", "http://127.0.0.1:1"),
            ("CHATOPS_PUBLIC_URL", "http://127.0.0.1:1"),
        ];
        let echoing = [
            ("MATTERMOST_URL", echo.as_str()),
            ("SLACK_API_URL", echo.as_str()),
            ("SEKOIA_API_URL", echo.as_str()),
            ("CHATOPS_PUBLIC_URL", echo.as_str()),
        ];
        let userinfo = [
            ("MATTERMOST_URL", "https://canary:canary@chat.example.com"),
            ("SLACK_API_URL", "https://canary:canary@slack.example.com/api"),
            ("SEKOIA_API_URL", "https://canary:canary@api.sekoia.io"),
            ("CHATOPS_PUBLIC_URL", "https://canary:canary@bot.example.com"),
            ("HTTPS_PROXY", "http://canary:canary@127.0.0.1:1"),
        ];
        let proxied = [
            ("HTTPS_PROXY", "http://canary:canary@127.0.0.1:1"),
            ("MATTERMOST_URL", "https://chat.example.com"),
            ("SLACK_API_URL", "https://slack.com/api"),
            ("SEKOIA_API_URL", "https://api.sekoia.io"),
            ("CHATOPS_PUBLIC_URL", "https://bot.example.com"),
        ];
        let wrong = [
            ("SLACK_APP_TOKEN", "xapp-canary-2"),
            ("SLACK_BOT_TOKEN", "xapp-canary-1"),
            ("SLACK_SIGNING_SECRET", "\"canary quoted\""),
            ("MATTERMOST_BOT_TOKEN", "${canary}"),
            ("CHATOPS_SECRET_KEY", "canary-no-base64"),
            ("CHATOPS_STORE", "postgres://canary:canary@db/bot"),
        ];
        for more in [&reachable[..], &nowhere[..], &echoing[..], &userinfo[..], &proxied[..], &wrong[..]] {
            for args in ["", "--json"] {
                let env: Vec<(&str, &str)> = secrets.iter().chain(more).copied().collect();
                let output = s.doctor(args, &env).await;
                let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
                let text = String::from_utf8_lossy(&all);
                assert!(text.contains("fail") || text.contains("FAIL"), "{text}");
                for mark in marks {
                    assert!(!text.contains(mark), "{mark} is in:\n{text}");
                }
            }
        }
    });
}

/// A server that answers everything with what it was sent, headers and all.
async fn echo() -> String {
    use axum::http::{HeaderMap, StatusCode, Uri};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = async |uri: Uri, headers: HeaderMap, body: String| {
        let sent = format!("{uri} {headers:?} {body}");
        let json = serde_json::json!({
            "ok": false, "error": sent, "code": sent, "message": sent, "id": sent, "detail": sent,
        });
        let status = if uri.path().contains("auth.test") { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        (status, axum::Json(json))
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    address
}
