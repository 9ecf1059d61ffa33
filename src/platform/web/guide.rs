//! What a newcomer may try, in the order of the checklist. The words are those that anybody types.

use serde::Serialize;

use crate::domain::checklist::StepId;
use crate::domain::plan::Part;

#[derive(Serialize)]
pub(super) struct Section {
    title: String,
    text: &'static str,
    chips: Vec<Chip>,
}

#[derive(Serialize)]
pub(super) struct Chip {
    pub words: String,
    /// What comes of it.
    text: &'static str,
    /// Who says it, and where; whoever reads this, where they are.
    #[serde(rename = "as")]
    pub by: Option<&'static str>,
    pub channel: Option<&'static str>,
}

const INVITE: &str = "invite ana@rivoli.example bo@rivoli.example cy@rivoli.example as Analyst because \"night shift\"";

fn chip(words: impl Into<String>, text: &'static str) -> Chip {
    Chip { words: format!("/sekoia {}", words.into()), text, by: None, channel: None }
}

fn by(person: &'static str, channel: &'static str, words: &str, text: &'static str) -> Chip {
    Chip { by: Some(person), channel: Some(channel), ..chip(words, text) }
}

/// `communities` are those of the workspace: the first is set up, the last in a second channel.
pub(super) fn sections(communities: &[String]) -> Vec<Section> {
    let setup = |community: Option<&String>| format!("setup \"{}\"", community.map_or("", String::as_str));
    let start = Section {
        title: "Open the channel".into(),
        text: "An operator binds this channel to one Sekoia community. Everybody in it sees the checklist.",
        chips: vec![
            by("alice", "soc-setup", &setup(communities.first()), "Opens the checklist"),
            chip("status", "The checklist, for you alone"),
            chip("next", "The first step that is open"),
        ],
    };
    let others = Section {
        title: "Somebody else".into(),
        text: "Rights are checked on every command and every button.",
        chips: vec![
            by("dan", "soc-setup", "done region", "Dan is an analyst: refused, with the reason"),
            by("dan", "soc-setup", "whoami", "His id and what he may do"),
            by("alice", "nimbus-payments", &setup(communities.last()), "A second channel, for its own community"),
            by("bob", "soc-setup", "overview", "All channels, and what waits for whom"),
            by("carol", "soc-setup", "freeze \"fire drill\"", "Stops everything that was approved"),
            by("carol", "soc-setup", "unfreeze", "Lets it go on"),
        ],
    };
    let plan = Section {
        title: "All of it from one file".into(),
        text: "What the workspace should be, from a template: one request, one approval, and steps that are verified against it.",
        chips: vec![
            by(
                "alice",
                "soc-setup",
                "plan import template bank client=\"Rivoli\" domain=\"rivoli.example\"",
                "Becomes the plan, and shows what Sekoia lacks",
            ),
            by("alice", "soc-setup", "plan request because \"day one\"", "One card: Bob or Carol approves"),
            chip("plan", "The plan, part by part"),
            by("alice", "soc-setup", "plan verify", "Every step against the plan"),
            by("alice", "soc-setup", "plan export", "The plan as a file"),
        ],
    };
    let wrong = Section {
        title: "Make mistakes".into(),
        text: "Nothing is done by halves, and every refusal says what to type instead.",
        chips: vec![
            chip("stauts", "A typing error"),
            chip("due users yesterday", "A date that cannot be read"),
            chip("invite ana@ as Analist", "An address that is none"),
            chip("key create x for read-alerts expires 400d", "Longer than Sekoia takes"),
            chip("audit 10", "What is on record"),
        ],
    };
    std::iter::once(start).chain(StepId::all().map(of_step)).chain([plan, others, wrong]).collect()
}

fn of_step(id: StepId) -> Section {
    let spec = id.spec();
    let title = match spec.number {
        Some(n) => format!("{n} · {}", spec.title),
        None => spec.title.to_owned(),
    };
    let looks = spec.shows.map(|words| chip(words, "What Sekoia says"));
    let more = match id {
        StepId::Prerequisites => vec![chip("step prerequisites check", "Asks Sekoia, ticks nothing")],
        StepId::Communities => vec![
            by("alice", "soc-setup", "community create \"Rivoli Insurance\" --dry-run", "What exactly would be sent"),
            by("alice", "soc-setup", "community create \"Rivoli Insurance\"", "Asks for an approval"),
        ],
        StepId::Roles => vec![
            chip("role show Analyst", "One role, with its permissions"),
            by(
                "alice",
                "soc-setup",
                "role create \"SOC lead\" with Analyst, \"View members\"",
                "Its risks are on the card",
            ),
        ],
        StepId::Users => vec![
            by("alice", "soc-setup", INVITE, "Three people: Bob or Carol approves"),
            by("alice", "soc-setup", "invite eve@partner.example as Admin", "Risky: needs two approvals"),
            chip("assign users @bob", "Bob does it"),
            chip("due users +7d", "In a week"),
        ],
        StepId::Keys => vec![
            by(
                "alice",
                "soc-setup",
                "key create forwarder for intake-forwarder expires 180d",
                "Bob or Carol approves, and proves who they are; then it is shown on a page, once",
            ),
            by("bob", "soc-setup", "approvals", "What waits for Bob"),
        ],
        StepId::Notifications => vec![
            by(
                "alice",
                "soc-setup",
                "notify recommended",
                "Sekoia's own three; then let something happen, under Sekoia",
            ),
            chip("notify summary 24h", "How the rules do, with a chart"),
            chip("skip notifications", "Asks for the reason in a form"),
        ],
        StepId::Quickstart => vec![chip("report", "The readiness report")],
        StepId::Region => vec![chip("region share", "Posts the address for everybody; that is what the step asks for")],
        StepId::Subscription | StepId::Hardening => Vec::new(),
    };
    let tick = match (id, Part::of(id)) {
        (StepId::Notifications | StepId::Region, _) => Vec::new(),
        (_, Some(part)) => vec![
            chip(format!("done {}", id.name()), "What Sekoia shows; whether it is all, nobody said yet"),
            chip(format!("plan {} current", part.name()), "It is all: ticks the step"),
        ],
        (_, None) => vec![chip(format!("done {}", id.name()), "Ticks it if Sekoia confirms it")],
    };
    Section { title, text: spec.why, chips: looks.into_iter().chain(more).chain(tick).collect() }
}
