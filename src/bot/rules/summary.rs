//! What a channel's rules did, as a message and as a chart.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tracing::warn;

use crate::bot::delivery::feed_card::{OPEN_INTAKES, OPEN_PLAYBOOKS, intakes, playbooks};
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{count, shown};
use crate::chat::view::{Column, Control, Line, Table, View};
use crate::chat::{ChannelKey, ChatError, MessageId, Picture};
use crate::domain::notify::chart::{self, Chart};
use crate::domain::notify::{Bands, ChannelLog, Count, Journal, Period, RuleLine, Rules, Summary, summary};
use crate::state::kept::decode;
use crate::store::{KeptKind, StoreError};
use crate::timing::rules::SUMMARY_PATIENCE;

/// Rules in the table; the others are counted.
const ROWS: usize = 20;
/// Characters of a rule in the table.
const RULE: usize = 44;
/// Names in one line.
const NAMES: usize = 5;

impl Bot {
    pub(in crate::bot) async fn notify_summary(&self, ask: &Ask<'_>, hours: u16) -> CommandResult {
        let rules = self.notifications.read(ask.channel).await?;
        let zone = zone_of(&rules);
        let summary = self.summed_up(ask.channel, &rules, Period::last(hours, ask.now), &zone, ask.now).await?;
        let days = hours / 24;
        let heading = if hours == 24 {
            "Notifications of the last 24 hours".to_owned()
        } else {
            format!("Notifications of the last {days} days")
        };
        let view = summary_view(heading, &summary, &rules, &self.sekoia.app);
        let other = if hours == 24 {
            Control::button("Last 7 days", "notify summary 7d")
        } else {
            Control::button("Last 24 hours", "notify summary 24h")
        };
        if summary.total() == 0 {
            return Ok(view.controls(vec![other]));
        }
        let sent = tokio::time::timeout(SUMMARY_PATIENCE, self.chart_to(ask, &summary, &zone)).await;
        let view = view.note(match sent {
            Ok(Ok(())) => "The chart is in your direct messages.".to_owned(),
            Ok(Err(error)) => {
                warn!(%error, "a chart could not be sent");
                without_chart(&error)
            }
            Err(_) => "The chart is not there yet: the chat platform takes too long.".to_owned(),
        });
        Ok(view.controls(vec![other]))
    }

    /// Counts what is kept of the channel.
    pub(in crate::bot) async fn summed_up(
        &self,
        channel: &ChannelKey,
        rules: &Rules,
        period: Period,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Summary, StoreError> {
        let kept = self.sessions.store().kept(KeptKind::Fired, channel.as_str()).await?;
        let log: Option<ChannelLog> = kept.as_ref().and_then(decode);
        // Nothing fired yet: it is known since the first rule.
        let since = rules.rules.iter().map(|rule| rule.at).min().unwrap_or(now);
        let journal = log.map_or_else(|| Journal::new(since), |log| log.journal);
        Ok(summary(&journal, rules, period, zone))
    }

    async fn chart_to(&self, ask: &Ask<'_>, summary: &Summary, zone: &TimeZone) -> Result<(), ChatError> {
        let chat = self.chats.of_user(ask.actor)?;
        let alone = chat.direct(ask.actor).await?;
        self.send_chart(&alone, None, summary, zone).await
    }

    /// Draws and shows the chart; drawing takes milliseconds that no other task should wait for.
    pub(in crate::bot) async fn send_chart(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        summary: &Summary,
        zone: &TimeZone,
    ) -> Result<(), ChatError> {
        let (drawn, in_zone) = (summary.clone(), zone.clone());
        let png = tokio::task::spawn_blocking(move || chart::draw(&drawn, Chart::ByTime, &in_zone)).await;
        let png = match png {
            Ok(Ok(png)) => png,
            Ok(Err(error)) => return Err(ChatError::Rejected(error.to_string())),
            Err(_) => return Err(ChatError::Rejected("the chart could not be drawn".into())),
        };
        let alt = chart::alt(summary, Chart::ByTime, zone);
        let picture = Picture { name: "notifications.png".into(), title: "Notifications over time".into(), alt, png };
        self.chats.of_channel(channel)?.picture(channel, under, &picture).await
    }
}

/// What is said instead of the chart.
pub(in crate::bot) fn without_chart(why: &ChatError) -> String {
    match why {
        ChatError::MissingScope(scope) => {
            format!(
                "The chart could not be sent: the app lacks the scope {scope}. Ask your bot administrator to add it and to install the app again."
            )
        }
        why => format!("The chart could not be sent: {why}."),
    }
}

/// That of the channel's digest: somebody said there when their day begins.
fn zone_of(rules: &Rules) -> TimeZone {
    let planned = rules.daily.as_ref().or(rules.weekly.as_ref());
    planned.map_or(TimeZone::UTC, |planned| planned.digest.zone().clone())
}

/// The summary as a message.
pub(in crate::bot) fn summary_view(heading: impl Into<String>, summary: &Summary, rules: &Rules, app: &str) -> View {
    let heading: String = heading.into();
    let total = count(summary.total() as usize, "notification", "notifications");
    let view = View::new(format!("{heading}: {total}")).heading(heading);
    if summary.rules.is_empty() {
        return view.line(Line::marked(
            "There is nothing to sum up: this channel has no rules yet. `/sekoia notify recommended` adds the three that Sekoia recommends.",
        ));
    }
    let mut first = Line::new();
    first = if summary.total() == 0 { first.say("Nothing fired") } else { first.strong(total) };
    if let Some(change) = summary.change() {
        // "as before" stands alone.
        let before = if change.starts_with("as") { "" } else { " in the time before" };
        first = first.say(format!(", {change}{before}"));
    }
    let mut view = view.line(first.say("."));
    if summary.total() > 0 {
        view = view.line(format!("By urgency: {}.", summary.bands)).table(table(summary));
        let more = summary.rules.iter().filter(|line| line.bands.total() > 0).count().saturating_sub(ROWS);
        if more > 0 {
            view = view.note(format!("{} fired more rarely.", count(more, "more rule", "more rules")));
        }
    }
    let mut facts: Vec<Line> = Vec::new();
    if let Some(median) = summary.median_to_acknowledge {
        let n = usize::try_from(summary.acknowledged).unwrap_or(usize::MAX);
        // They have no cards, by which it would be seen when somebody takes them.
        let storms = match summary.swarmed {
            (0, _) => String::new(),
            (n, all) => format!("; without {n} of {all} alerts that came in storms"),
        };
        facts.push(Line::from(format!(
            "Acknowledged: {}; median time to acknowledge: {}{storms}",
            count(n, "alert", "alerts"),
            time(median)
        )));
    }
    facts.extend(named("Noisiest entities", &summary.entities));
    let linked = |line: Line, label, url| line.say(" · ").link(label, url);
    facts.extend(
        named("Intakes that fell silent", &summary.silent).map(|line| linked(line, OPEN_INTAKES, intakes(app))),
    );
    facts.extend(
        named("Playbooks that failed", &summary.playbooks).map(|line| linked(line, OPEN_PLAYBOOKS, playbooks(app))),
    );
    let numbers = |lines: Vec<&RuleLine>| lines.iter().map(|l| l.number.to_string()).collect::<Vec<_>>().join(", ");
    let quiet: Vec<&RuleLine> = summary.never_fired().collect();
    if !quiet.is_empty() {
        facts.push(format!("Did not fire: {} {}", word(quiet.len()), numbers(quiet)).into());
    }
    for line in summary.failing().take(NAMES) {
        let times = count(line.failed as usize, "time", "times");
        let fact = format!("⚠️ Rule {} could not be looked at {times}; ", line.number);
        facts.push(Line::new().say(fact).code("/sekoia notify").say(" says why"));
    }
    let paused: Vec<&RuleLine> = summary.rules.iter().filter(|line| line.paused).collect();
    if !paused.is_empty() {
        facts.push(format!("Paused: {} {}", word(paused.len()), numbers(paused)).into());
    }
    view = view.bullets(facts);
    if summary.total() == 0 && rules.rules.is_empty() {
        view = view.line(Line::marked(
            "All rules were removed. `/sekoia notify recommended` adds the three that Sekoia recommends.",
        ));
    }
    if summary.counted_from > summary.period.from {
        let since = Line::new().say("Counted since ").moment(summary.counted_from);
        view = view.note(since.say("; nothing is known of the time before."));
    }
    view
}

fn word(rules: usize) -> &'static str {
    if rules == 1 { "rule" } else { "rules" }
}

/// Names with how often.
fn named(what: &str, counts: &[Count]) -> Option<Line> {
    let names = counts.iter().take(NAMES).map(|c| format!("{} ({})", c.name, c.count));
    let mut names: Vec<String> = names.collect();
    if counts.len() > NAMES {
        names.push(format!("and {} more", counts.len() - NAMES));
    }
    (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")).into())
}

/// Rules that fired, the noisiest first. Numbers come first: what a phone has no room for is the
/// end of the words.
fn table(summary: &Summary) -> Table {
    let columns = vec![
        Column::numbers("#"),
        Column::numbers("Fired"),
        Column::words("By urgency"),
        Column::numbers("Before"),
        Column::numbers("Ack. after"),
        Column::words("Rule"),
    ];
    let fired = summary.rules.iter().filter(|line| line.bands.total() > 0);
    let row = |line: &RuleLine| {
        vec![
            line.number.to_string(),
            line.bands.total().to_string(),
            split(&line.bands),
            line.before.map_or("-".into(), |n| n.to_string()),
            line.median_to_acknowledge.map_or("-".into(), time),
            line.what.as_deref().map_or("(removed)".into(), |what| shown(what, RULE)),
        ]
    };
    Table { columns, rows: fired.take(ROWS).map(row).collect() }
}

/// The bands that occurred; what has no urgency has no split.
fn split(bands: &Bands) -> String {
    if bands.unrated == bands.total() { "-".into() } else { bands.to_string() }
}

/// `40 s`, `12 min`, `5 h`, `3 days`.
fn time(length: SignedDuration) -> String {
    match length.as_secs() {
        s @ ..90 => format!("{s} s"),
        s @ ..5_400 => format!("{} min", (s + 30) / 60),
        s @ ..129_600 => format!("{} h", (s + 1_800) / 3_600),
        s => format!("{} days", (s + 43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let said = |s: i64| time(SignedDuration::from_secs(s));
        assert_eq!(
            [40, 90, 719, 5_400, 18_000, 259_200].map(said),
            ["40 s", "2 min", "12 min", "2 h", "5 h", "3 days"]
        );
    }
}
