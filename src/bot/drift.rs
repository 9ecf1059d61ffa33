//! The setup watch: what Sekoia confirmed once is asked again, and a step that it no longer
//! confirms, or not as it did, is open again with what changed. Its owner is told once.
//!
//! What was attested or skipped is people's word and is left alone. What cannot be asked changes
//! nothing. Evidence that somebody accepted anew is what the next look compares with, so that
//! nothing is told twice: a licence that ends soon is told when it comes near, not every six hours.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use super::Bot;
use super::inbox::only_store;
use crate::approvals::Notice;
use crate::checklist::steps::Finding;
use crate::checklist::{Actor, Command, Evidence, Session, Status, StepId, decide};
use crate::platform::{ChannelKey, UserId};
use crate::sekoia::in_background;
use crate::sessions::ChangeError;
use crate::store::{Commit, Schedule, StoreError, Work, WorkKind};
use crate::text::shown;

const AT_ONCE: u32 = 8;
/// Steps of one interval: with six hours, one a minute. Background work has no more calls.
const STEPS: u32 = 360;
/// Sekoia could not be asked: again after this part of the interval.
const SOONER: u32 = 12;
/// Invitations come and go and are tracked by themselves.
const PENDING: [&str; 2] = ["pending", "still to be accepted"];

impl Bot {
    pub(super) async fn drift_due(&self, now: Timestamp) -> Result<(), StoreError> {
        for work in self.sessions.store().due(WorkKind::Drift, now, AT_ONCE).await? {
            let next = self.look_again(&work).await?;
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
            let Some(session) = self.sessions.read(&channel).await? else { return Ok(None) };
            let Status::Verified { evidence } = &session.step(step).status else { continue };
            if any {
                tokio::time::sleep(every / STEPS).await;
            }
            any = true;
            let now = Timestamp::now();
            match in_background(self.verify(&channel, &session, step, now)).await {
                Ok(finding) => {
                    if let Some(what) = drifted(step, evidence, &finding) {
                        self.reopen_drifted(&channel, &session, step, evidence, &what, now).await?;
                    }
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

    async fn reopen_drifted(
        &self,
        channel: &ChannelKey,
        session: &Session,
        step: StepId,
        seen: &Evidence,
        what: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let community = session.community.uuid;
        let reopen = |state: Option<&Session>| {
            let same = state.is_some_and(|state| state.community.uuid == community);
            if !same {
                return Err(crate::checklist::Refusal::Meanwhile(step));
            }
            decide(state, Command::Drift { step, seen: seen.clone(), what: what.into() }, now)
        };
        let told =
            || owner(session, step).map(|to| notice(channel, session, step, to, what, now)).into_iter().collect();
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
    let text = format!(
        "{number}\"{}\", of {} is open again: {what}. Look at it in {} with \"/sekoia step {}\"; \"done {}\" there accepts it as it is now.",
        step.spec().title,
        shown(&session.community.name, 60),
        channel.channel(),
        step.name(),
        step.name()
    );
    let body = crate::streams::encode(&Notice::Line { to, text });
    let key = format!("drift/{channel}/{}/{}", step.name(), now.as_millisecond());
    Schedule { kind: WorkKind::Notice, key, due: now, attempts: 0, body }
}

/// What changed for the worse since the evidence; none if nothing did.
fn drifted(step: StepId, before: &Evidence, finding: &Finding) -> Option<String> {
    match finding {
        Finding::Wanting { summary, missing } => {
            let missing: Vec<String> = missing.iter().map(|m| shown(m, 200)).collect();
            Some(format!("Sekoia no longer confirms it ({}); missing: {}", shown(summary, 150), missing.join("; ")))
        }
        Finding::Confirmed(now) => {
            let new = now.exceptions.iter().filter(|e| is_new(e, &before.exceptions));
            let new = new.map(|e| format!("new: {}", shown(e, 200)));
            let changes: Vec<String> = less(step, &before.summary, &now.summary).into_iter().chain(new).collect();
            (!changes.is_empty()).then(|| changes.join("; "))
        }
        // Sekoia says nothing against it.
        Finding::NotApplicable { .. } | Finding::CannotTell { .. } => None,
    }
}

/// An exception of another kind than those that were accepted, or of more than were. That days go
/// by is not new; that Sekoia begins to warn more people is, for it says so in other words.
fn is_new(exception: &str, accepted: &[Box<str>]) -> bool {
    if PENDING.iter().any(|pending| exception.contains(pending)) {
        return false;
    }
    let words = kind(exception);
    let within = |accepted: &str| {
        let accepted = kind(accepted);
        words.split(' ').all(|word| accepted.split(' ').any(|other| other == word))
    };
    // Of names that were accepted, some are left.
    if counted(exception) == 0 && accepted.iter().any(|a| within(a)) {
        return false;
    }
    let same: Vec<&str> = accepted.iter().map(|a| &**a).filter(|a| kind(a) == kind(exception)).collect();
    same.iter().all(|a| counted(a) < counted(exception)) && (same.is_empty() || counted(exception) > 0)
}

/// What begins with a number counts things.
fn counted(text: &str) -> u64 {
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Of the parts of a summary, those of which there is less than before; of a subscription or a
/// region also what is gone.
fn less(step: StepId, before: &str, now: &str) -> Vec<String> {
    let parts = |text: &str| text.split([',', ';']).map(|part| part.trim().to_owned()).collect::<Vec<_>>();
    let (earlier, later) = (parts(before), parts(now));
    let mut changes = Vec::new();
    for part in earlier.iter().filter(|part| !PENDING.iter().any(|pending| part.contains(pending))) {
        match later.iter().find(|other| kind(other) == kind(part)) {
            Some(other) if number(other) < number(part) => {
                changes.push(format!("was {}, is {}", shown(part, 150), shown(other, 150)));
            }
            None if matches!(step, StepId::Subscription | StepId::Region) => {
                changes.push(format!("no longer there: {}", shown(part, 150)));
            }
            _ => {}
        }
    }
    changes
}

/// A text without its numbers and dates, one and many alike.
fn kind(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    let bare = words.map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric()));
    bare.map(|word| word.trim_end_matches("ies").trim_end_matches(['s', 'y'])).collect::<Vec<_>>().join(" ")
}

/// The first number that is no date.
fn number(text: &str) -> Option<u64> {
    text.split_whitespace().find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(summary: &str, exceptions: &[&str]) -> Evidence {
        Evidence { summary: summary.into(), exceptions: exceptions.iter().map(|e| (*e).into()).collect() }
    }

    fn change(step: StepId, before: &Evidence, now: &Evidence) -> Option<String> {
        drifted(step, before, &Finding::Confirmed(now.clone()))
    }

    #[test]
    fn what_gets_better_or_stays_is_no_drift() {
        let roles = evidence("3 built-in roles, 1 custom role", &["nobody has the Admin role"]);
        assert_eq!(change(StepId::Roles, &roles, &roles), None);
        assert_eq!(change(StepId::Roles, &roles, &evidence("3 built-in roles, 2 custom roles", &[])), None);
        let users = evidence("4 active members, 2 pending invitations", &["2 invitations still to be accepted: x"]);
        let joined = evidence("5 active members, 1 pending invitation", &["3 invitations still to be accepted: x"]);
        assert_eq!(change(StepId::Users, &users, &joined), None);
        let licence = |until: &str, left: &str| {
            let warning = format!("Defend Prime ends in {left}: Sekoia is warning workspace admins");
            evidence(&format!("Defend Prime until {until}"), &[&warning])
        };
        assert_eq!(
            change(StepId::Subscription, &licence("2026-11-23", "80 days"), &licence("2026-11-23", "1 day")),
            None
        );
        assert_eq!(
            change(StepId::Subscription, &licence("2026-11-23", "80 days"), &licence("2027-01-02", "89 days")),
            None
        );
    }

    #[test]
    fn what_gets_worse_is_told() {
        let told = |step, before: &Evidence, now: &Evidence| change(step, before, now).unwrap();
        let (two, one) =
            (evidence("3 built-in roles, 2 custom roles", &[]), evidence("3 built-in roles, 1 custom role", &[]));
        assert_eq!(told(StepId::Roles, &two, &one), "was 2 custom roles, is 1 custom role");
        let (all, fewer) = (
            evidence("4 active members, 0 pending invitations", &[]),
            evidence("3 active members, 0 pending invitations", &["1 Admin without MFA"]),
        );
        assert_eq!(
            told(StepId::Users, &all, &fewer),
            "was 4 active members, is 3 active members; new: 1 Admin without MFA"
        );
        let more = evidence("4 active members, 0 pending invitations", &["2 Admins without MFA"]);
        assert_eq!(told(StepId::Users, &fewer, &more), "new: 2 Admins without MFA");
        let (far, near) = (
            evidence("Defend until 2026-11-23, Reveal until 2026-11-23", &[]),
            evidence("Defend until 2026-11-23", &["Defend ends in 29 days: x"]),
        );
        assert_eq!(
            told(StepId::Subscription, &far, &near),
            "no longer there: Reveal until 2026-11-23; new: Defend ends in 29 days: x"
        );
    }
}
