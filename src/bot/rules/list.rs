//! `notify`: the rules in plain words, how each is evaluated, and how it does.

use jiff::Timestamp;
use uuid::Uuid;

use crate::bot::paging::Page;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{count, shown};
use crate::chat::view::{Choice, Control, Line, View};
use crate::chat::{Actor, ChannelKey};
use crate::domain::checklist::StepId;
use crate::domain::notify::budget::Interval;
use crate::domain::notify::{ChannelLog, LastFired, Planned, Rule, Rules, Trigger};
use crate::domain::plan::Present;
use crate::state::hint::MOST_WAITING;
use crate::state::kept::decode;
use crate::state::rule_health::{Live, Look, Snapshot};
use crate::store::{KeptKind, StoreError};

const RULES: usize = 10;

/// Where what a rule waits for comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Sekoia tells of it at once.
    Live,
    /// Sekoia is asked now and then.
    Asked,
    /// A rule of Sekoia's own posts it.
    Webhook,
}

fn source_of(trigger: Trigger) -> Source {
    match trigger {
        Trigger::AlertRaised | Trigger::AlertUpdated | Trigger::CaseCreated | Trigger::CaseEdited => Source::Live,
        Trigger::NoEvents | Trigger::PlaybookError | Trigger::ConnectorError => Source::Asked,
        Trigger::RuleRateLimited
        | Trigger::RuleAdded
        | Trigger::RuleToBeDeprecated
        | Trigger::RuleDeprecated
        | Trigger::ReportAvailable => Source::Webhook,
    }
}

/// How a new rule is evaluated, in one sentence.
pub(super) fn source(trigger: Trigger, webhook: bool) -> String {
    match (source_of(trigger), webhook) {
        (Source::Live, _) => "It is compared with what Sekoia's LiveAPI tells, which is at once.".into(),
        (Source::Asked, _) => "Sekoia sends no events for this: I poll for them. `/sekoia notify` says how often.".into(),
        (Source::Webhook, true) => {
            "Sekoia's API does not tell of this: it comes from a notification rule of Sekoia's own that posts to this channel's webhook.".into()
        }
        (Source::Webhook, false) => {
            "Sekoia's API does not tell of this: it needs a notification rule of Sekoia's own and a webhook. `/sekoia notify webhook` makes one.".into()
        }
    }
}

/// How many of the rules are neither paused nor muted.
fn active(live: usize, all: usize) -> String {
    match (live, all) {
        (_, 0) => String::new(),
        (live, all) if live == all => ", all active".into(),
        (live, _) => format!(", {live} active"),
    }
}

impl Bot {
    /// When the channel's rules fired last.
    async fn last_fired(&self, channel: &ChannelKey) -> Result<LastFired, StoreError> {
        let log = self.sessions.store().kept(KeptKind::Fired, channel.as_str()).await?;
        Ok(log.and_then(|kept| decode::<ChannelLog>(&kept)).map(|log| log.fired).unwrap_or_default())
    }

    /// The channel's rules, as a plan is compared with them.
    pub(in crate::bot) async fn present_rules(&self, channel: &ChannelKey) -> Result<Present, StoreError> {
        let rules = self.notifications.read(channel).await?;
        Ok(Present::Notifications { rules, fired: self.last_fired(channel).await? })
    }

    pub(in crate::bot) async fn notify_list(&self, ask: &Ask<'_>, page: usize) -> CommandResult {
        let session = self.session(ask).await?;
        let rules = self.notifications.read(ask.channel).await?;
        let health = self.health_now().await?;
        let community = session.community.uuid;
        let fired = self.last_fired(ask.channel).await?;
        let heard = self.notifications.health.last_heard(ask.channel);
        let page = Page::of(&rules.rules, page, RULES);
        let live = rules.rules.iter().filter(|rule| rule.is_live(ask.now)).count();
        let mut view = View::new("Notifications").heading("Notifications").line(
            Line::new().strong(shown(&session.community.name, 80)).say(format!(
                " · {}{}",
                count(rules.rules.len(), "rule", "rules"),
                active(live, rules.rules.len())
            )),
        );
        if rules.rules.is_empty() {
            view = view.line(Line::marked(
                "No rule yet: nothing is posted here. `/sekoia notify recommended` adds the three that Sekoia recommends, `/sekoia notify add alert urgency>=75` any other.",
            ));
        }
        let dropped = self.notifications.health.last_dropped(ask.channel);
        let shape = Shape { health, fired, heard, dropped, community, rules: &rules, ask };
        view = view.bullets(page.items.iter().map(|rule| shape.rule(rule)).collect());
        if page.number == 1 {
            let sources = self.sources(&shape).await?;
            if !sources.is_empty() {
                view = view.line("How they are evaluated:").bullets(sources);
            }
            view = view.bullets(shape.besides());
        }
        let view = page.foot(view, "notify").controls(controls(&rules, ask));
        Ok(self.footed(ask, view, StepId::Notifications).await)
    }

    /// The sources of the channel's rules, and how often those can be looked at that are asked.
    async fn sources(&self, shape: &Shape<'_>) -> Result<Vec<Line>, StoreError> {
        let waits = |source: Source| shape.rules.rules.iter().any(|rule| source_of(rule.watch.trigger) == source);
        let mut lines = Vec::new();
        if waits(Source::Live) {
            let line = Line::new().say("Alerts and cases: ");
            lines.push(match &shape.health.live {
                Live::Connected { since } => {
                    line.say("Sekoia's LiveAPI tells of them at once; connected since ").moment(*since)
                }
                Live::Lost { why, since } => line
                    .say("⚠️ Sekoia's LiveAPI is not connected since ")
                    .moment(*since)
                    .say(format!(" ({}); until it is, I poll for alerts", shown(why, 200))),
                Live::Off => line.say("⚠️ Sekoia's LiveAPI is not listened to at the moment"),
            });
        }
        if waits(Source::Asked) {
            let awake: Vec<Trigger> =
                shape.rules.rules.iter().filter(|rule| !rule.paused).map(|rule| rule.watch.trigger).collect();
            let mut all = self.polled(&shape.health, shape.community).await?;
            all.retain(|interval| awake.contains(&interval.kind.trigger()));
            lines.extend(all.iter().map(Interval::sentence).map(Line::from));
        }
        if waits(Source::Webhook) {
            lines.push("Everything else: rules of Sekoia's own, made in its console, post it to the webhook.".into());
        }
        Ok(lines)
    }
}

/// What the lines of a list are made of.
struct Shape<'a> {
    health: Snapshot,
    fired: LastFired,
    /// When Sekoia called the webhook last, since this process started.
    heard: Option<Timestamp>,
    /// How many of its calls were dropped, and the last one.
    dropped: Option<(u64, Timestamp)>,
    community: Uuid,
    rules: &'a Rules,
    ask: &'a Ask<'a>,
}

impl Shape<'_> {
    fn rule(&self, rule: &Rule) -> Line {
        let line = Line::new().strong(rule.number.to_string()).say(format!(" {}", rule.watch));
        let line = match rule.muted_until {
            _ if rule.paused => line.say(" · ⏸️ paused"),
            Some(until) if rule.is_muted(self.ask.now) => line.say(" · 🔇 muted until ").moment(until),
            _ => line,
        };
        let line = by(line.say(" · by "), &rule.by);
        let line = self.evaluated(line, rule);
        let line = match self.fired.get(&rule.number) {
            Some(at) => line.say(" · last fired ").moment(*at),
            None => line.say(" · not fired yet"),
        };
        match &rule.tested {
            Some(change) => line.say(" · sample arrived ").moment(change.at),
            None => line.say(" · not tested"),
        }
    }

    fn evaluated(&self, line: Line, rule: &Rule) -> Line {
        let trigger = rule.watch.trigger;
        let line = match source_of(trigger) {
            Source::Live => line.say(" · LiveAPI"),
            Source::Asked => line.say(" · polled"),
            Source::Webhook if self.rules.webhook.is_none() => {
                return line.say(" · ⚠️ needs the webhook, and there is none");
            }
            Source::Webhook => {
                return match self.heard {
                    Some(at) => line.say(" · webhook, last called ").moment(at),
                    None => line.say(" · webhook, not called since I started"),
                };
            }
        };
        let looks: Vec<&Look> = self.health.looks(self.community, trigger).collect();
        let mut line = match looks.iter().filter_map(|look| look.evaluated).max() {
            Some(at) => line.say(", last evaluated ").moment(at),
            None => line.say(", not evaluated yet"),
        };
        for look in looks {
            if let Some(upto) = look.behind {
                line = line.say(" · ⚠️ there is more than I may read at once; compared up to ").moment(upto);
            }
            if let Some(remark) = &look.remark {
                line = line.say(format!(" · ⚠️ {}", shown(remark, 200)));
            }
            if let Some((why, at)) = &look.failed {
                line = line.say(format!(" · ⚠️ {} ", shown(why, 200))).moment(*at);
            }
        }
        line
    }

    /// The digests and the webhook.
    fn besides(&self) -> Vec<Line> {
        let now = self.ask.now;
        let next = |planned: &Planned| {
            let line = Line::new().say(format!("Digest: {}", planned.digest));
            match planned.digest.next_after(now) {
                Some(at) => line.say(", next ").moment(at),
                None => line,
            }
        };
        let mut lines: Vec<Line> = [&self.rules.daily, &self.rules.weekly].into_iter().flatten().map(next).collect();
        if lines.is_empty() {
            lines.push(Line::marked("No digest: `/sekoia notify digest daily 08:30 Europe/Paris` sets one."));
        }
        lines.push(match &self.rules.webhook {
            Some(webhook) => {
                let line = by(Line::new().say("Webhook for Sekoia's own rules: made by "), &webhook.made.by);
                let line = line.say(" ").moment(webhook.made.at);
                let line = match self.heard {
                    Some(at) => line.say(", last called ").moment(at),
                    None => line.say(", not called since I started"),
                };
                match self.dropped {
                    Some((dropped, at)) => line
                        .say(format!(
                            " · ⚠️ {} of it dropped, because {MOST_WAITING} were waiting, the last ",
                            count(usize::try_from(dropped).unwrap_or(usize::MAX), "call was", "calls were"),
                        ))
                        .moment(at),
                    None => line,
                }
            }
            None => Line::marked("No webhook for Sekoia's own rules: `/sekoia notify webhook` makes one."),
        });
        lines
    }
}

pub(super) fn by(line: Line, actor: &Actor) -> Line {
    match actor {
        Actor::Person(user) => line.person(user),
        Actor::Bot => line.say("the bot"),
    }
}

fn controls(rules: &Rules, ask: &Ask<'_>) -> Vec<Control> {
    let summary = Control::button("Summary", "notify summary");
    if !ask.rights.operator {
        return vec![summary];
    }
    let mut controls = vec![Control::button("Add a rule…", "notify add")];
    if !rules.missing().is_empty() {
        controls.push(Control::button("Recommended", "notify recommended"));
    }
    controls.push(summary);
    let live = |rule: &&Rule| rule.is_live(ask.now);
    controls.extend(menu("Test a rule", "notify test", rules.rules.iter().filter(live)));
    controls.extend(menu("Pause a rule", "notify pause", rules.rules.iter().filter(|rule| !rule.paused)));
    controls.extend(menu("Resume a rule", "notify resume", rules.rules.iter().filter(|rule| !live(rule))));
    controls.extend(menu("Remove a rule", "notify remove", rules.rules.iter()));
    controls
}

/// A menu of rules; none without any.
fn menu<'a>(label: &'static str, words: &'static str, rules: impl Iterator<Item = &'a Rule>) -> Option<Control> {
    let options: Vec<Choice> = rules
        .map(|rule| Choice {
            label: shown(&format!("{} {}", rule.number, rule.watch), 70).into(),
            value: rule.number.to_string().into(),
        })
        .collect();
    (!options.is_empty()).then(|| Control::Menu { label: label.into(), words: words.into(), options })
}
