//! The rules of a channel: listed, added, changed, tested; the webhook's address.

mod acknowledge;
mod add;
mod form;
mod list;
pub(super) mod summary;
mod webhook;

use std::time::Duration;

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};

use super::failure::{Failure, instead};
use super::{Ask, Bot, CommandResult};
use crate::chat::text::shown;
use crate::chat::view::{Control, Line, View};
use crate::chat::{Actor, ChannelKey};
use crate::command::{DigestWish, RuleWish};
use crate::domain::checklist::StepId;
use crate::domain::notify::Card;
use crate::domain::notify::{Command, Digest, Every, Refusal, Rule, Rules, Which, decide, sample, zone};
use crate::domain::plan::difference::Mark;
use crate::state::hint::Hint;
use crate::state::rules::{ChangeError, Changed};
use crate::store::{Finished, KeptKind, Schedule, StoreError, WorkKind};

pub(super) use webhook::NewAddress;

/// Characters of a rule's words: no rule that can be has more.
const WORDS: usize = 2_000;
/// Between looks for a sample that somebody saw: it may stand in the channel a moment before that is
/// on record.
const RECORDED: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(600)];

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Rules(ChangeError::Refused(refusal))
    }
}

/// The row that a channel's digest is planned by.
fn digest_key(channel: &ChannelKey, which: Which) -> String {
    format!("{channel}/{}", which.name())
}

/// A button that shows all of them.
fn all_rules() -> Control {
    Control::button("All rules", "notify")
}

impl Bot {
    /// Decides on the channel's rules, in the name of who asks.
    async fn change_rules(&self, ask: &Ask<'_>, command: Command) -> Result<Changed, Failure> {
        self.change_rules_and(ask, command, Vec::new(), Vec::new()).await
    }

    /// The same, with rows that begin and rows that end in the same commit.
    async fn change_rules_and(
        &self,
        ask: &Ask<'_>,
        command: Command,
        owed: Vec<Schedule>,
        ended: Vec<Finished>,
    ) -> Result<Changed, Failure> {
        let by = Actor::Person(ask.actor.clone());
        let finished: Vec<Finished> = ask.settles.row().into_iter().chain(ended).collect();
        let decide = |rules: &Rules| decide(rules, command.clone(), ask.now);
        let changed = self.notifications.change(ask.channel, &by, ask.now, finished, decide, |_| owed.clone()).await?;
        ask.settles.end();
        for event in &changed.events {
            let (actor, channel) = (ask.actor.as_str(), ask.channel.as_str());
            tracing::info!(actor, channel, kind = event.kind(), "changed");
        }
        Ok(changed)
    }

    pub(super) async fn notify_rule(&self, ask: &Ask<'_>, number: u32, wish: RuleWish) -> CommandResult {
        self.session(ask).await?;
        let rules = self.notifications.read(ask.channel).await?;
        // Whatever is wished, it is of a rule that is there.
        decide(&rules, Command::Remove { number }, ask.now)?;
        let Some(rule) = rules.rule(number) else { return Err(instead("This rule is gone.")) };
        match wish {
            RuleWish::Remove => {
                self.change_rules(ask, Command::Remove { number }).await?;
                let line = Line::new().say(format!("Rule {number} is removed: {}. It comes back with ", rule.watch));
                let line = line.code(format!("/sekoia notify add {}", shown(&rule.watch.words(), WORDS))).say(".");
                Ok(View::sentence(line).controls(vec![all_rules()]))
            }
            RuleWish::Pause => {
                self.change_rules(ask, Command::Pause { number }).await?;
                Ok(View::sentence(format!("Rule {number} is paused until someone resumes it: {}.", rule.watch))
                    .controls(vec![Control::button("Resume", format!("notify resume {number}")), all_rules()]))
            }
            RuleWish::Resume => {
                self.change_rules(ask, Command::Resume { number }).await?;
                Ok(View::sentence(format!("Rule {number} is active again: {}.", rule.watch))
                    .controls(vec![all_rules()]))
            }
            RuleWish::Mute(minutes) => {
                let time = SignedDuration::from_mins(i64::from(minutes));
                let until = crate::state::stream::sealed(ask.now).checked_add(time).unwrap_or(Timestamp::MAX);
                self.change_rules(ask, Command::Mute { number, until }).await?;
                let line = Line::new().say(format!("Rule {number} is quiet until ")).moment(until);
                Ok(View::sentence(line.say(format!(": {}.", rule.watch)))
                    .controls(vec![Control::button("Resume", format!("notify resume {number}")), all_rules()]))
            }
            RuleWish::Test => self.test_rule(ask, rule).await,
            RuleWish::Seen => self.rule_seen(ask, rule).await,
        }
    }

    /// Puts a sample where what Sekoia reports is taken from.
    async fn test_rule(&self, ask: &Ask<'_>, rule: &Rule) -> CommandResult {
        let session = self.session(ask).await?;
        let number = rule.number;
        if rule.paused {
            let line = format!(
                "Rule {number} is paused: a sample would not arrive. `/sekoia notify resume {number}` resumes it."
            );
            return Err(instead(Line::marked(&line)));
        }
        if let Some(until) = rule.muted_until.filter(|_| rule.is_muted(ask.now)) {
            let line = Line::new().say(format!("Rule {number} is muted until ")).moment(until);
            let line = line.say(": a sample would not arrive. ").code(format!("/sekoia notify resume {number}"));
            return Err(instead(line.say(" resumes it.")));
        }
        let occurrence = sample(rule, session.community.uuid, &session.community.name, ask.now);
        let key = Card::sample_key(ask.channel, number, &occurrence).into();
        let hint = Hint::Sample { channel: ask.channel.clone(), rule: number, occurrence };
        self.change_rules_and(ask, Command::Sample { number, key }, vec![hint.row(ask.now)], Vec::new()).await?;
        let line = Line::new().say(format!(
            "A sample is on its way through rule {number} into this channel: {}. It is marked as a sample. When you see it, press \"It arrived\" on it, or type ",
            rule.watch
        ));
        Ok(View::sentence(line.code(format!("/sekoia notify seen {number}")).say(".")))
    }

    /// Whether the rule's last sample stands in the channel.
    async fn sample_came(&self, rule: &Rule) -> Result<bool, StoreError> {
        let Some(key) = &rule.sample else { return Ok(false) };
        for wait in RECORDED {
            tokio::time::sleep(wait).await;
            if self.notifications.store().kept(KeptKind::Posted, key).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn rule_seen(&self, ask: &Ask<'_>, rule: &Rule) -> CommandResult {
        let session = self.session(ask).await?;
        let number = rule.number;
        if !self.sample_came(rule).await? {
            // Its last one may still be on its way.
            return Err(Refusal::NoSample(number).into());
        }
        self.change_rules(ask, Command::Tested { number }).await?;
        let view = View::sentence(format!("Noted: the sample of rule {number} arrived ({}).", rule.watch));
        let name = StepId::Notifications.name();
        if session.step(StepId::Notifications).status.is_settled() {
            return Ok(view.controls(vec![all_rules()]));
        }
        let planned = self.plans.read(ask.channel).await?;
        let rules = self.present_rules(ask.channel).await?;
        let left = rules.difference(&planned.plan, ask.now).into_iter().filter(|line| line.mark != Mark::There);
        let left: Vec<String> = left
            .map(|line| match line.detail {
                Some(detail) => format!("{} ({detail})", line.what),
                None => format!("{} (no rule)", line.what),
            })
            .collect();
        if !left.is_empty() {
            let line = format!("Step 7 also needs a sample of: {}.", left.join(", "));
            return Ok(view.line(line).controls(vec![all_rules()]));
        }
        Ok(view
            .line(Line::marked(&format!("`/sekoia done {name}` ticks step 7, with this as its evidence.")))
            .controls(vec![Control::primary("Tick step 7", format!("done {name}")), all_rules()]))
    }

    pub(super) async fn notify_digest(&self, ask: &Ask<'_>, wish: &DigestWish) -> CommandResult {
        self.session(ask).await?;
        match wish {
            DigestWish::Set(digest) => {
                let Some(next) = digest.next_after(ask.now) else {
                    return Err(instead(Line::marked(
                        "That time never comes. Give another one, such as `daily 08:30`.",
                    )));
                };
                let key = digest_key(ask.channel, Which::from(digest.every));
                let row = Schedule { kind: WorkKind::Digest, key, due: next, attempts: 0, body: String::new() };
                let command = Command::SetDigest { digest: digest.clone() };
                self.change_rules_and(ask, command, vec![row], Vec::new()).await?;
                let line = Line::new().say(format!("{digest}, a digest comes here. The next one: ")).moment(next);
                let which = Which::from(digest.every).name();
                let end = Line::marked(&format!("`/sekoia notify digest {which} off` ends it."));
                Ok(View::sentence(line.say(".")).line(end).controls(vec![all_rules()]))
            }
            DigestWish::Place { every, at, said } => Ok(which_place(*every, *at, said, ask.now)),
            DigestWish::Off(which) => {
                let row = self.notifications.store().find(WorkKind::Digest, &digest_key(ask.channel, *which)).await?;
                let ended = row.iter().map(crate::store::Work::finished).collect();
                self.change_rules_and(ask, Command::ClearDigest { which: *which }, Vec::new(), ended).await?;
                Ok(View::sentence(format!("The {} digest comes no more.", which.name())).controls(vec![all_rules()]))
            }
        }
    }
}

/// Asks of which place's clock an offset or an abbreviation is.
fn which_place(every: Every, at: Time, said: &str, now: Timestamp) -> View {
    let offers = zone::offers(said, now);
    let line = format!("\"{}\" is the clock of several places, now or for a part of the year.", shown(said, 60));
    let view = View::sentence(Line::new().say(line).say(if offers.is_empty() {
        " Write a region and city instead."
    } else {
        " Which one do you mean?"
    }));
    let words = |zone: &str| {
        let digest = Digest::new(every, at, zone).ok()?;
        Some(format!("notify digest {}", digest.words()))
    };
    let buttons = offers.iter().filter_map(|offer| {
        let label = format!("{} ({})", offer.zone, zone::distance(offer.offset));
        Some(Control::button(label, words(&offer.zone)?))
    });
    let example = words(offers.first().map_or("Europe/Paris", |offer| &*offer.zone)).unwrap_or_default();
    let other = Line::new().say("For another place, write its region and city: ").code(format!("/sekoia {example}"));
    view.controls(buttons.collect()).note(other.say("."))
}
