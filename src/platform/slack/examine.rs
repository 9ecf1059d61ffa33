//! What an operator should know of the app at Slack: its token and team, what it was granted, whether it gets a
//! WebSocket, and how the clocks compare. The headers of `auth.test` say most of it.

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap};
use serde::Deserialize;

use super::api::Api;
use super::socket::{Down, Opener};
use crate::chat::ChatError;
use crate::chat::diagnosis::{Check, harmless};
use crate::chat::text::count;

const TOKEN: (&str, &str) = ("slack.token", "Slack: token");
const SCOPES: (&str, &str) = ("slack.scopes", "Slack: scopes");
const SOCKET: (&str, &str) = ("slack.socket", "Slack: Socket Mode");
const CLOCK: (&str, &str) = ("slack.clock", "Slack: clock");
/// Further apart, and requests may come late; further still, and every one is refused: its signature is
/// five minutes old.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);
const CLOCKS_REFUSE: SignedDuration = SignedDuration::from_mins(5);
const MANIFEST: &str = include_str!("../../../manifests/slack/app.yaml");

#[derive(Deserialize)]
struct Tested {
    #[serde(default)]
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    team: String,
    #[serde(default)]
    team_id: Option<String>,
    #[serde(default)]
    user: String,
    #[serde(default)]
    is_enterprise_install: bool,
}

/// The scopes that the manifest asks for: those without which something does not work, and the others.
struct Wanted {
    needed: Vec<&'static str>,
    optional: Vec<&'static str>,
}

/// `opener`: in Socket Mode.
pub(super) async fn examine(api: &Api, opener: Option<&Opener>) -> Vec<Check> {
    let (mut checks, socket) = tokio::join!(app(api, opener.is_none()), async {
        match opener {
            Some(opener) => Some(socket(opener).await),
            None => None,
        }
    });
    checks.extend(socket);
    checks
}

/// `signed`: requests come with a signature, which is of a time.
async fn app(api: &Api, signed: bool) -> Vec<Check> {
    let (id, subject) = TOKEN;
    let (headers, body) = match api.test().await {
        Ok(answer) => answer,
        Err(error) => {
            let advice = "Let the bot reach slack.com by HTTPS, through the proxy if there is one.";
            let found = match error {
                ChatError::Unavailable(why) => format!("Slack does not answer: {}.", harmless(&why)),
                error => format!("Slack did not check the token: {}.", harmless(&error.to_string())),
            };
            return vec![Check::fail(id, subject, &found, advice)];
        }
    };
    let Ok(tested) = serde_json::from_slice::<Tested>(&body) else {
        let found = "What answers at SLACK_API_URL is not Slack.";
        return vec![Check::fail(id, subject, found, "Remove SLACK_API_URL, or correct the proxy on the way.")];
    };
    let mut checks = vec![token(&tested)];
    if tested.ok {
        checks.push(scopes(headers.get("x-oauth-scopes").and_then(|scopes| scopes.to_str().ok())));
    }
    checks.extend(date(&headers).map(|slack| clock(slack, Timestamp::now(), signed)));
    checks
}

/// Slack gives the address of a WebSocket, which nobody opens then.
async fn socket(opener: &Opener) -> Check {
    let (id, subject) = SOCKET;
    match opener.check().await {
        Ok(()) => Check::pass(id, subject, "Slack takes SLACK_APP_TOKEN and offers a WebSocket."),
        Err(down @ Down::Limited(_)) => Check::warn(id, subject, &format!("{down}."), "Run doctor again after that."),
        Err(Down::MissingScope) => {
            Check::fail(id, subject, "SLACK_APP_TOKEN lacks the scope connections:write.", Down::MissingScope.advice())
        }
        Err(down) => {
            let advice = match down {
                Down::Unreachable(_) => {
                    "Let the bot reach slack.com by HTTPS and wss-primary.slack.com by WebSocket (wss, port 443), through the proxy if there is one."
                }
                Down::Refused(_) => "Look this up at https://docs.slack.dev/reference/methods/apps.connections.open.",
                _ => down.advice(),
            };
            // What is said of a proxy ends with what to do, and a full stop.
            let found = harmless(down.to_string().trim_end_matches('.'));
            Check::fail(id, subject, &format!("{found}."), advice)
        }
    }
}

fn token(tested: &Tested) -> Check {
    let (id, subject) = TOKEN;
    if !tested.ok {
        let found = format!("Slack does not accept the token ({}).", harmless(&tested.error));
        let advice =
            "Install the app in the workspace again, set SLACK_BOT_TOKEN to the new token and restart the bot.";
        return Check::fail(id, subject, &found, advice);
    }
    let team = tested.team_id.as_deref().unwrap_or_default();
    if tested.is_enterprise_install || team.is_empty() || team.starts_with('E') {
        let found = format!("Slack takes it, but {}.", ChatError::OrganisationWide);
        let advice = "Install the app into the one workspace where it is used, and set SLACK_BOT_TOKEN to the token of that install.";
        return Check::fail(id, subject, &found, advice);
    }
    let (team_name, user) = (harmless(&tested.team), harmless(&tested.user));
    Check::pass(id, subject, &format!("@{user} in the workspace {team_name} ({}).", harmless(team)))
}

/// `granted`: as Slack lists them; none if it does not.
fn scopes(granted: Option<&str>) -> Check {
    let (id, subject) = SCOPES;
    let reinstall = "Add them under OAuth & Permissions (`sekoia-chatops manifest slack` prints all), then press Reinstall to Workspace.";
    let Some(granted) = granted else {
        let advice = "Compare OAuth & Permissions with what `sekoia-chatops manifest slack` prints.";
        return Check::warn(id, subject, "Slack did not say which scopes the app has.", advice);
    };
    let granted: Vec<&str> = granted.split(',').map(str::trim).filter(|scope| !scope.is_empty()).collect();
    let Wanted { needed, optional } = wanted();
    let lacking = |wanted: &[&'static str]| -> Vec<&'static str> {
        wanted.iter().copied().filter(|scope| !granted.contains(scope)).collect()
    };
    let (missing, without) = (lacking(&needed), lacking(&optional));
    if !missing.is_empty() {
        return Check::fail(id, subject, &format!("The app lacks {}.", missing.join(", ")), reinstall);
    }
    if !without.is_empty() {
        let found = format!("The app lacks {}, which it can do without.", without.join(", "));
        return Check::warn(id, subject, &found, reinstall);
    }
    let further = granted.iter().filter(|scope| !needed.contains(scope) && !optional.contains(scope)).count();
    let further = match further {
        0 => String::new(),
        n => format!(", and {} that it does not use", count(n, "further one", "further ones")),
    };
    Check::pass(id, subject, &format!("The app has every scope of its manifest{further}."))
}

fn clock(slack: Timestamp, here: Timestamp, signed: bool) -> Check {
    let (id, subject) = CLOCK;
    let ahead = here.duration_since(slack);
    let apart = ahead.abs();
    // Slack's is in whole seconds, and the answer took its time.
    let seconds = (apart.as_secs() + 5) / 10 * 10;
    let way = if ahead.is_negative() { "behind" } else { "ahead of" };
    let found = format!("This machine's clock is {seconds} seconds {way} Slack's.");
    let advice = "Let the machine set its clock by NTP, for example with `timedatectl set-ntp true`.";
    if signed && apart > CLOCKS_REFUSE {
        return Check::fail(id, subject, &format!("{found} Every request of Slack's is refused as too old."), advice);
    }
    if apart > CLOCKS_DIFFER {
        return Check::warn(id, subject, &found, advice);
    }
    Check::pass(id, subject, "This machine's clock agrees with Slack's.")
}

/// RFC 9110, section 6.6.1.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp())
}

/// Reads the manifest's lists of scopes, one a line.
fn wanted() -> Wanted {
    let list = |name: &'static str| {
        let lines = MANIFEST.lines().skip_while(move |line| line.trim() != name).skip(1);
        let items = lines.map_while(|line| line.trim().strip_prefix("- "));
        items.filter_map(|item| item.split_whitespace().next()).collect()
    };
    Wanted { needed: list("bot:"), optional: list("bot_optional:") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::diagnosis::Verdict;

    #[test]
    fn the_scopes_are_those_of_the_manifest() {
        let Wanted { needed, optional } = wanted();
        assert_eq!((needed.len(), optional.as_slice()), (13, ["pins:write", "users:read.email"].as_slice()));
        assert!(needed.contains(&"app_mentions:read") && needed.contains(&"users:read"), "{needed:?}");
    }

    #[test]
    fn scopes_are_compared_with_the_manifest() {
        let Wanted { needed, optional } = wanted();
        let all = [needed, optional].concat();
        let without = |lacks: &str| all.iter().copied().filter(|scope| *scope != lacks).collect::<Vec<_>>().join(",");
        let verdict = |granted: Option<&str>| scopes(granted).verdict;
        assert_eq!(verdict(Some(&without(""))), Verdict::Pass);
        assert_eq!(verdict(Some(&without("chat:write"))), Verdict::Fail);
        assert_eq!(verdict(Some(&without("pins:write"))), Verdict::Warn);
        assert_eq!((verdict(None), verdict(Some(""))), (Verdict::Warn, Verdict::Fail));
        let more = scopes(Some(&format!("{}, admin", without("")))).found;
        assert_eq!(more, "The app has every scope of its manifest, and 1 further one that it does not use.");
    }

    #[test]
    fn clocks_apart_are_found_both_ways() {
        let here = Timestamp::from_second(1_795_000_000).unwrap();
        let of = |seconds| clock(here - SignedDuration::from_secs(seconds), here, true);
        for (seconds, verdict) in
            [(0, Verdict::Pass), (60, Verdict::Pass), (61, Verdict::Warn), (300, Verdict::Warn), (301, Verdict::Fail)]
        {
            assert_eq!((of(seconds).verdict, of(-seconds).verdict), (verdict, verdict), "{seconds} s");
        }
        let socket = clock(here - SignedDuration::from_secs(301), here, false);
        assert_eq!(socket.verdict, Verdict::Warn, "nothing is signed in Socket Mode");
        assert!(of(90).found.contains("90 seconds ahead of"), "{}", of(90).found);
        assert!(of(-90).found.contains("90 seconds behind"), "{}", of(-90).found);
    }
}
