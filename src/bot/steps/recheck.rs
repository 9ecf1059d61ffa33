//! The setup watch: what Sekoia confirmed once is asked again, and a step that it no longer
//! confirms, or not as it did, is open again with what changed. Its owner is told once.
//!
//! What was attested or skipped is people's word and is left alone. What cannot be asked changes
//! nothing. Evidence that somebody accepted anew is what the next look compares with, so that
//! nothing is told twice: a licence that ends soon is told when it comes near, not every six hours.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{error, info, warn};

use crate::bot::Bot;
use crate::bot::failure::Failure;
use crate::bot::inbox::only_store;
use crate::chat::text::shown;
use crate::chat::{Actor, ChannelKey, UserId};
use crate::domain::action::Action;
use crate::domain::approval::{Approval, ApprovalId, Stage};
use crate::domain::checklist::facts::{Fact, Print};
use crate::domain::checklist::regression::{owner_text, public_text, regressions};
use crate::domain::checklist::steps::Finding;
use crate::domain::checklist::{Command, Evidence, Refusal, Session, Status, StepId, decide};
use crate::domain::plan::Part;
use crate::pace::Rank;
use crate::sekoia::{SekoiaError, in_background};
use crate::state::owed::{Notice, See};
use crate::state::sessions::ChangeError;
use crate::store::{Commit, Schedule, StoreError, Work, WorkKind};

const BATCH: u32 = 8;
/// Steps of one interval: with six hours, one a minute. Background work has no more calls.
const STEPS: u32 = 360;
/// Sekoia could not be asked: again after this part of the interval.
const SOONER: u32 = 12;
/// The steps that say of the bot's own key that it is good, the one whose owner is told first.
const ON_THE_KEY: [StepId; 2] = [StepId::Keys, StepId::Prerequisites];

/// What changed for the worse.
#[derive(Debug, PartialEq, Eq)]
struct Drift {
    /// For everybody in the channel.
    public_text: String,
    /// For the owner alone: with the names of people and keys.
    owner_text: String,
}

impl Drift {
    fn said(text: String) -> Self {
        Self { public_text: text.clone(), owner_text: text }
    }
}

impl Bot {
    pub(in crate::bot) async fn drift_due(&self, now: Timestamp) -> Result<(), StoreError> {
        let every = self.approvals.timing.drift;
        for work in self.sessions.store().due(WorkKind::Drift, now, BATCH).await? {
            let next = self.look_again(&work).await.unwrap_or_else(|error| {
                // It waits for its turn again, and keeps no other channel from having theirs.
                error!(%error, channel = work.key, "done steps could not be verified again");
                let corrupt = matches!(error, StoreError::Corrupt { .. });
                Some(if corrupt { every } else { every / SOONER })
            });
            let mut commit = Commit::default();
            match next {
                Some(wait) => commit.postponed.push((work.finished(), Timestamp::now() + wait)),
                // Nothing is verified there: the next confirmation schedules the next look.
                None => commit.finished.push(work.finished()),
            }
            self.sessions.store().commit(commit).await.map_err(only_store)?;
        }
        Ok(())
    }

    /// Verifies a channel's done steps; when the next look is due.
    async fn look_again(&self, work: &Work) -> Result<Option<Duration>, StoreError> {
        let channel = ChannelKey::from(work.key.clone());
        let every = self.approvals.timing.drift;
        let mut any = false;
        for step in StepId::all() {
            // As it is stored: by what this process remembers, a step may be open that another
            // one has ticked, and nobody would look at it again.
            let Some(session) = self.sessions.read_anew(&channel).await? else { return Ok(None) };
            let Status::Verified { evidence } = &session.step(step).status else { continue };
            if any {
                tokio::time::sleep(every / STEPS).await;
            }
            any = true;
            let now = Timestamp::now();
            match in_background(self.compare(&channel, &session, step, doer(&session, step), now)).await {
                Ok(compared) => {
                    // What became of the things that were there says more than that the plan is not met.
                    let drift = |expected: &HashSet<Print>| {
                        drifted(evidence, &compared.base, expected)
                            .or_else(|| drifted(evidence, &compared.finding, expected))
                    };
                    if drift(&HashSet::new()).is_none() {
                        continue;
                    }
                    let expected = self.revoked_here(&session, step).await?;
                    if let Some(drift) = drift(&expected) {
                        self.reopen_drifted(&channel, &session, step, evidence, &drift, now, true).await?;
                    }
                }
                Err(Failure::Sekoia(SekoiaError::Unauthorized { .. })) => {
                    return self.key_refused(&channel, &session, now).await.map(Some);
                }
                Err(error) if error.is_passing() || error.is_ours() => {
                    warn!(%error, channel = channel.as_str(), "done steps are verified later");
                    return Ok(Some(every / SOONER));
                }
                Err(error) => warn!(%error, channel = channel.as_str(), step = step.name(), "this cannot be verified"),
            }
        }
        Ok(any.then_some(every))
    }

    /// Sekoia does not take the bot's own key: that is one change, not one of every step.
    async fn key_refused(
        &self,
        channel: &ChannelKey,
        session: &Arc<Session>,
        now: Timestamp,
    ) -> Result<Duration, StoreError> {
        let every = self.approvals.timing.drift;
        // Asked twice before anybody is alarmed.
        let Err(error @ SekoiaError::Unauthorized { .. }) = in_background(self.sekoia.validate(Rank::Background)).await
        else {
            return Ok(every / SOONER);
        };
        warn!(%error, channel = channel.as_str(), "no step can be verified with this key");
        let public_text = shown(&error.to_string(), 300);
        let advice = error.advice(self.sekoia.region);
        let drift = Drift { owner_text: format!("{public_text}. {}", advice.trim_end_matches('.')), public_text };
        let mut told: Vec<UserId> = Vec::new();
        for step in ON_THE_KEY {
            let Status::Verified { evidence } = &session.step(step).status else { continue };
            let owner = owner(session, step);
            let tell = owner.as_ref().is_none_or(|owner| !told.contains(owner));
            self.reopen_drifted(channel, session, step, evidence, &drift, now, tell).await?;
            told.extend(owner);
        }
        Ok(every)
    }

    /// The keys that were revoked, or are about to be, because of a request that was approved since:
    /// whoever has the step in hand knows that.
    async fn revoked_here(&self, session: &Session, step: StepId) -> Result<HashSet<Print>, StoreError> {
        let mut revoked = HashSet::new();
        if step != StepId::Keys {
            return Ok(revoked);
        }
        let done = session.step(step).changed.as_ref().map_or(session.opened.at, |change| change.at);
        let mut note = |approval: &Approval| {
            if let Action::RevokeKey { key, .. } | Action::CreateKey { replaces: Some(key), .. } =
                &approval.request.action
                && approval.stage == Stage::Approved
            {
                revoked.insert(Print::of(&key.uuid));
            }
        };
        for (_, concluded) in session.requests.iter().filter(|(at, _)| *at >= done) {
            match self.approvals.read(&ApprovalId::from(&*concluded.request)).await {
                Ok(approval) => approval.iter().for_each(&mut note),
                Err(error @ StoreError::Corrupt { .. }) => error!(%error, "a request cannot be read"),
                Err(error) => return Err(error),
            }
        }
        self.approvals.open().await?.iter().for_each(note);
        Ok(revoked)
    }

    #[expect(clippy::too_many_arguments, reason = "what was seen, where, and what it means")]
    async fn reopen_drifted(
        &self,
        channel: &ChannelKey,
        session: &Session,
        step: StepId,
        seen: &Evidence,
        drift: &Drift,
        now: Timestamp,
        tell: bool,
    ) -> Result<(), StoreError> {
        let community = session.community.uuid;
        let what = &drift.public_text;
        let reopen = |state: Option<&Session>| {
            let same = state.is_some_and(|state| state.community.uuid == community);
            if !same {
                return Err(Refusal::Meanwhile(step));
            }
            decide(state, Command::Drift { step, seen: seen.clone(), what: what.as_str().into() }, now)
        };
        let told = || {
            let to = owner(session, step).filter(|_| tell);
            to.map(|to| notice(channel, session, step, to, &drift.owner_text, now)).into_iter().collect()
        };
        match self.sessions.change_and(channel, &Actor::Bot, now, None, reopen, told).await {
            Ok(_) => {
                info!(channel = channel.as_str(), step = step.name(), "a done step is open again");
                self.outbox.wake();
                Ok(())
            }
            Err(ChangeError::Store(error)) => Err(error),
            // Somebody saw to it meanwhile.
            Err(_) => Ok(()),
        }
    }
}

/// Who said that the step is done.
fn doer(session: &Session, step: StepId) -> Option<&UserId> {
    match &session.step(step).changed.as_ref()?.by {
        Actor::Person(user) => Some(user),
        Actor::Bot => None,
    }
}

/// Whoever has the step in hand, else who did it, else who opened the channel.
fn owner(session: &Session, step: StepId) -> Option<UserId> {
    let state = session.step(step);
    let done = state.changed.as_ref().map(|change| &change.by);
    let people = done.into_iter().chain([&session.opened.by]).filter_map(|by| match by {
        Actor::Person(user) => Some(user),
        Actor::Bot => None,
    });
    state.assignee.iter().chain(people).next().cloned()
}

fn notice(channel: &ChannelKey, session: &Session, step: StepId, to: UserId, what: &str, now: Timestamp) -> Schedule {
    let number = step.spec().number.map(|n| format!("Step {n}, ")).unwrap_or_default();
    let accept = match Part::of(step) {
        Some(Part::Notifications) | None => format!("done {}", step.name()),
        Some(part) => format!("plan {} current", part.name()),
    };
    let text = format!(
        "{number}\"{}\", of {} is open again: {what}. Look at it in {} with `/sekoia step {}`; `/sekoia {accept}` there accepts it as it is now.",
        step.spec().title,
        shown(&session.community.name, 60),
        channel.channel(),
        step.name(),
    );
    let body = crate::state::stream::encode(&Notice::Line {
        to,
        text,
        about: Some(channel.clone()),
        see: Some(See::Checklist),
    });
    let key = format!("drift/{channel}/{}/{}", step.name(), now.as_millisecond());
    Schedule { kind: WorkKind::Notice, key, due: now, attempts: 0, body }
}

/// What changed for the worse since the evidence; none if nothing did. `expected`: keys whose end
/// is no news.
fn drifted(before: &Evidence, finding: &Finding, expected: &HashSet<Print>) -> Option<Drift> {
    match finding {
        Finding::Wanting { summary, missing } => {
            let missing: Vec<String> = missing.iter().map(|m| shown(m, 200)).collect();
            let missing = missing.join("; ");
            let summary = shown(summary, 150);
            Some(Drift::said(format!("Sekoia no longer confirms it ({summary}); missing: {missing}")))
        }
        Finding::Confirmed(now) => {
            // Evidence of before there were facts says nothing that could be compared.
            let (before, now) = (before.facts.as_deref()?, now.facts.as_deref()?);
            let counts = |fact: &&Fact| !fact.is_key(expected);
            let regressions = regressions(before.iter().filter(counts), now.iter().filter(counts));
            (!regressions.is_empty())
                .then(|| Drift { public_text: public_text(&regressions), owner_text: owner_text(&regressions) })
        }
        // Somebody opened that part of the plan, or asked for more: who does says so.
        Finding::Seen(_) | Finding::Waiting { .. } => None,
        // Sekoia says nothing against it.
        Finding::NotApplicable { .. } | Finding::CannotTell { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(facts: Option<&[&str]>) -> Evidence {
        let sign = |id: &&str| Fact::Sign { id: (*id).into(), says: (*id).into() };
        let facts = facts.map(|facts| facts.iter().map(sign).collect());
        Evidence { summary: "3 roles".into(), facts, ..Evidence::default() }
    }

    fn change(before: &Evidence, now: &Finding) -> Option<String> {
        drifted(before, now, &HashSet::new()).map(|drift| drift.public_text)
    }

    #[test]
    fn evidence_without_facts_is_compared_with_nothing() {
        let now = Finding::Confirmed(evidence(Some(&["nobody is Admin"])));
        let old: Evidence =
            serde_json::from_str(r#"{"summary":"5 roles","exceptions":["1 Admin without MFA"]}"#).unwrap();
        assert_eq!(change(&old, &now), None);
        assert_eq!(change(&evidence(Some(&["nobody is Admin"])), &now), None);
        assert_eq!(change(&evidence(Some(&[])), &now).unwrap(), "nobody is Admin");
    }

    #[test]
    fn what_is_not_confirmed_any_more_is_told_whatever_was_before() {
        let wanting = Finding::Wanting { summary: "no role".into(), missing: vec!["a role".into()] };
        let told = change(&evidence(None), &wanting).unwrap();
        assert_eq!(told, "Sekoia no longer confirms it (no role); missing: a role");
        assert_eq!(change(&evidence(Some(&[])), &Finding::CannotTell { why: "x".into() }), None);
    }
}
