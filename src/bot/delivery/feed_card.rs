//! What a channel is told of something at Sekoia.

use std::borrow::Cow;

use crate::chat::Actor;
use crate::chat::text::{count, shown};
use crate::chat::view::{Control, Line, Tone, View};
use crate::domain::notify::Card;
use crate::domain::notify::storm::Swarm;
use crate::domain::notify::{Alert, Named, Playbook, Rules, What, band, minutes};
use crate::sekoia::Id;

/// Characters of a title, a name, an error.
const TITLE: usize = 200;
const NAME: usize = 80;
const ERROR: usize = 600;
/// From here on Sekoia recommends a notification.
const URGENT: u8 = 75;
/// Assets that are named.
const ASSETS: usize = 5;

/// The message.
pub(super) fn card(card: &Card, rules: &Rules, app: &str) -> View {
    let mut view = match &card.swarm {
        Some(swarm) => storm(card, swarm, rules, app),
        None => match &card.occurrence.what {
            What::AlertRaised(alert) | What::AlertUpdated(alert) => self::alert(card, alert, app),
            What::Silent(silence) | What::Resumed(silence) => {
                let name = shown(silence.intake.label(), NAME);
                let headline = if card.is_over() { "Intake sends again" } else { "Silent intake" };
                let mut line = Line::new().say("No events");
                if let Some(since) = silence.since {
                    line = line.say(" since ").moment(since);
                }
                line = line.say(format!(", {} and more", minutes(silence.minutes)));
                if let Some(back) = card.back {
                    line = line.say("; they came again before ").moment(back);
                }
                linked(begin(headline, name).line(line.say(".")), card, OPEN_INTAKES, intakes(app))
            }
            What::PlaybookError(playbook) => linked(self::playbook(playbook), card, OPEN_PLAYBOOKS, playbooks(app)),
            What::CaseCreated(case) | What::CaseUpdated(case) => {
                let headline = match &card.occurrence.what {
                    What::CaseCreated(_) => "New case",
                    _ => "Case changed",
                };
                let id = case.short_id.as_deref().unwrap_or(&case.uuid);
                let title = case.title.as_deref().unwrap_or("(no title)");
                let mut line = Line::new().code(shown(id, NAME));
                if let Some(priority) = &case.priority {
                    line = line.say(format!(" · priority {}", shown(priority, 20)));
                }
                begin(headline, shown(title, TITLE)).line(line)
            }
            What::ConnectorError(connector) => {
                let view = begin("Connector error", shown(connector.connector.label(), NAME));
                linked(said(view, connector.error.as_deref()), card, OPEN_INTAKES, intakes(app))
            }
            What::Reported { kind, action } => {
                begin("Sekoia's own rule reported", format!("{} {}", shown(kind, NAME), shown(action, NAME)))
            }
            What::Other { trigger, title } => begin(trigger.spec().title, shown(title, TITLE)),
        },
    };
    if let (Some(name), None) = (&card.occurrence.community_name, card.occurrence.what.alert()) {
        view = view.line(format!("In {}", shown(name, NAME)));
    }
    if card.sample {
        let rule = card.rules.first().copied().unwrap_or_default();
        let note = Line::new()
            .say("This is a sample: nothing happened at Sekoia. It went the way of what does. If you see it, rule ")
            .say(rule.to_string())
            .say(" works.");
        return view.line(note).controls(vec![Control::primary("It arrived", format!("notify seen {rule}"))]);
    }
    view.note(why(card, rules)).controls(controls(card, rules)).toned(tone(card))
}

fn tone(card: &Card) -> Tone {
    let urgency = card.occurrence.what.alert().and_then(|alert| alert.urgency);
    match &card.occurrence.what {
        _ if card.is_over() || card.acknowledged.is_some() || card.gone => Tone::Done,
        _ if card.swarm.is_some() => Tone::Urgent,
        What::AlertRaised(_) | What::AlertUpdated(_) if urgency.is_some_and(|urgency| urgency >= URGENT) => {
            Tone::Urgent
        }
        What::PlaybookError(_) | What::ConnectorError(_) => Tone::Refused,
        _ => Tone::Waiting,
    }
}

fn begin(headline: impl Into<Cow<'static, str>>, title: String) -> View {
    let headline = headline.into();
    View::new(format!("{headline}: {title}")).heading(headline).line(Line::new().strong(title))
}

/// What something said of its failure: words of its own, as they came.
fn said(view: View, error: Option<&str>) -> View {
    match error.map(|error| shown(error, ERROR)).filter(|error| !error.trim().is_empty()) {
        Some(error) => view.code(error),
        None => view,
    }
}

fn playbook(playbook: &Playbook) -> View {
    let headline = if playbook.crashed { "Playbook crashed" } else { "Playbook failed" };
    said(begin(headline, shown(playbook.playbook.label(), NAME)), playbook.error.as_deref())
}

fn alert(card: &Card, alert: &Alert, app: &str) -> View {
    let name = alert.urgency.map_or("Alert".to_owned(), |urgency| format!("{} alert", band(urgency).name()));
    let headline = if card.gone {
        format!("{name}, deleted")
    } else if card.acknowledged.is_some() {
        format!("{name}, acknowledged")
    } else {
        name
    };
    let title = alert.title.as_deref().or(alert.rule.as_ref().and_then(|rule| rule.name.as_deref()));
    let mut facts: Vec<String> = Vec::new();
    if let Some(urgency) = alert.urgency {
        facts.push(format!("Urgency {urgency} of 100 ({})", band(urgency).name()));
    }
    facts.extend(alert.status.as_deref().map(|status| shown(status, 40)));
    facts.extend(card.occurrence.community_name.as_deref().map(|name| shown(name, NAME)));
    let mut bullets = Vec::new();
    let mut named = |what: &str, named: &Option<Named>| {
        if let Some(named) = named.as_ref().filter(|n| n.name.is_some() || n.uuid.is_some()) {
            bullets.push(Line::from(format!("{what}: {}", shown(named.label(), NAME))));
        }
    };
    named("Rule", &alert.rule);
    named("Entity", &alert.entity);
    if !alert.assets.is_empty() {
        let names: Vec<String> = alert.assets.iter().take(ASSETS).map(|a| shown(a.label(), NAME)).collect();
        let more = alert.assets.len().saturating_sub(ASSETS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        bullets.push(Line::from(format!("Assets: {}{more}", names.join(", "))));
    }
    let seen = match (alert.first_seen, alert.last_seen) {
        (Some(first), Some(last)) => Some(Line::new().say("Seen from ").moment(first).say(" to ").moment(last)),
        (Some(at), None) | (None, Some(at)) => Some(Line::new().say("Seen ").moment(at)),
        (None, None) => None,
    };
    bullets.extend(seen);
    let mut view =
        begin(headline, shown(title.unwrap_or("(no title)"), TITLE)).line(facts.join(" · ")).bullets(bullets);
    if let Some(done) = &card.acknowledged {
        let line = match &done.by {
            Some(Actor::Person(user)) => Line::new().say("Acknowledged by ").person(user),
            _ => Line::new().say("Acknowledged in Sekoia"),
        };
        view = view.line(line.say(" · ").moment(done.at));
    }
    let id = alert.short_id.as_deref().unwrap_or(&alert.uuid);
    if card.gone {
        return view.line("It is not at Sekoia any more.");
    }
    if card.sample || Id::parse(id).is_none() {
        return view;
    }
    view.line(Line::new().link(format!("Open {id} in Sekoia"), alert_url(app, id)))
}

/// Where an alert is in the app.
fn alert_url(app: &str, id: &str) -> String {
    format!("{}/{id}", alerts(app))
}

/// Labels of links to the pages below.
pub(in crate::bot) const OPEN_INTAKES: &str = "Open the intakes in Sekoia";
pub(in crate::bot) const OPEN_PLAYBOOKS: &str = "Open the playbooks in Sekoia";

/// Pages of the app. Those of one intake or playbook have no documented address.
fn alerts(app: &str) -> String {
    format!("{app}/operations/alerts")
}

pub(in crate::bot) fn intakes(app: &str) -> String {
    format!("{app}/operations/intakes")
}

pub(in crate::bot) fn playbooks(app: &str) -> String {
    format!("{app}/operations/playbooks")
}

/// With a link, unless it is about something that never was.
fn linked(view: View, card: &Card, label: &'static str, url: String) -> View {
    if card.sample { view } else { view.line(Line::new().link(label, url)) }
}

fn storm(card: &Card, swarm: &Swarm, rules: &Rules, app: &str) -> View {
    let rule = card.rules.first().copied();
    let what = rule.and_then(|n| rules.rule(n)).map_or("Sekoia's own rules".into(), |rule| rule.watch.to_string());
    let n = usize::try_from(swarm.count).unwrap_or(usize::MAX);
    let (storm, one, many, page) = kind(&card.occurrence.what, app);
    let times = count(n, one, many);
    let headline = if card.late { "While the chat could not be reached" } else { storm };
    let again = card.again.total();
    let mut line = Line::new().say(format!("{times} from ")).moment(swarm.first).say(" to ").moment(swarm.last);
    if let Some(worst) = swarm.worst {
        line = line.say(format!(", the most urgent {worst} of 100 ({})", band(worst).name()));
    }
    let mut view = View::new(format!("{headline}: {times} ({what})")).heading(headline);
    line = match (card.late, card.over) {
        (true, _) => line.say("."),
        (_, true) => line.say(". It is over since ").moment(swarm.last).say("."),
        (_, false) => line.say(". Still counting."),
    };
    view = view.line(Line::new().strong(what)).line(line);
    if !swarm.names.is_empty() {
        view = view.line(format!("{}: {}", of(&card.occurrence.what), swarm.names));
    }
    if again > 0 {
        let all = if again >= swarm.count { "All".into() } else { format!("{again} of {}", swarm.count) };
        view = view.line(format!("{all} sent events again: {}", card.again));
    }
    if let Some(last) = card.occurrence.what.alert() {
        view = view.line(format!("The last: {}", shown(last.title.as_deref().unwrap_or("(no title)"), TITLE)));
        if let Some(name) = &card.occurrence.community_name {
            view = view.line(format!("In {}", shown(name, NAME)));
        }
    }
    match page {
        Some((label, url)) => view.line(Line::new().link(label, url)),
        None => view,
    }
}

/// How a storm of these is called and counted, and where they are in Sekoia.
fn kind(what: &What, app: &str) -> (&'static str, &'static str, &'static str, Option<(&'static str, String)>) {
    let open_alerts = || Some(("Open the alerts in Sekoia", alerts(app)));
    let open_intakes = || Some((OPEN_INTAKES, intakes(app)));
    match what {
        What::AlertRaised(_) => ("Alert storm", "alert", "alerts", open_alerts()),
        What::AlertUpdated(_) => ("Alert storm", "changed alert", "changed alerts", open_alerts()),
        What::Silent(_) | What::Resumed(_) => {
            ("Many silent intakes", "silent intake", "silent intakes", open_intakes())
        }
        What::PlaybookError(_) => {
            let page = Some((OPEN_PLAYBOOKS, playbooks(app)));
            ("Many failed playbooks", "failed playbook", "failed playbooks", page)
        }
        What::CaseCreated(_) => ("Many cases", "new case", "new cases", None),
        What::CaseUpdated(_) => ("Many cases", "changed case", "changed cases", None),
        What::ConnectorError(_) => ("Many connector errors", "connector error", "connector errors", open_intakes()),
        What::Reported { .. } | What::Other { .. } => ("Many reports", "report", "reports", None),
    }
}

/// What a storm's names are.
fn of(what: &What) -> &'static str {
    match what {
        What::AlertRaised(_) | What::AlertUpdated(_) => "Rules",
        What::Silent(_) | What::Resumed(_) => "Intakes",
        What::PlaybookError(_) => "Playbooks",
        What::CaseCreated(_) | What::CaseUpdated(_) => "Cases",
        What::ConnectorError(_) => "Connectors",
        What::Reported { .. } | What::Other { .. } => "About",
    }
}

/// Which rules said so.
fn why(card: &Card, rules: &Rules) -> Line {
    let mut parts: Vec<String> = card
        .rules
        .iter()
        .take(ASSETS)
        .map(|n| match rules.rule(*n) {
            Some(rule) => format!("Rule {n}: {}", rule.watch),
            None => format!("Rule {n}, removed since"),
        })
        .collect();
    if card.rules.len() > ASSETS {
        parts.push(format!("{} rules more", card.rules.len() - ASSETS));
    }
    if card.webhook {
        parts.push("A rule of Sekoia's own, by webhook".into());
    }
    Line::from(parts.join(" · "))
}

fn controls(card: &Card, rules: &Rules) -> Vec<Control> {
    let mut controls = Vec::new();
    if let (Some(alert), None) = (card.occurrence.what.alert(), &card.swarm) {
        let waits = alert.status.as_deref().is_none_or(|status| status.eq_ignore_ascii_case("pending"));
        // By the name that its message is stored under: people type the short one.
        let id = Id::parse(&alert.uuid).or_else(|| Id::parse(alert.short_id.as_deref()?));
        if let Some(id) = id.filter(|_| waits && card.acknowledged.is_none() && !card.gone) {
            controls.push(Control::primary("Acknowledge", format!("acknowledge {id}")));
        }
    }
    let over = card.is_over() || card.acknowledged.is_some();
    if let Some(rule) = card.rules.iter().find(|n| rules.rule(**n).is_some())
        && !over
    {
        controls.push(Control::button("Mute this rule 1 h", format!("notify mute {rule} 1h")));
        controls.push(Control::button("Mute this rule 1 day", format!("notify mute {rule} 1d")));
    }
    controls
}
