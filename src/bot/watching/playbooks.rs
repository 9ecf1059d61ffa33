//! Playbooks: runs that failed, playbooks that switched themselves off, triggers that crashed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::source::{Ground, RANK, Report, Source, Trouble};
use crate::notify::{self, Named, Trigger, What};
use crate::sekoia::{Id, Playbook, PlaybookRun, SekoiaError};

const KEPT: &str = "playbooks";
const KEPT_CRASHES: &str = "crashes";
/// A run is listed by its start, and may fail as long after it.
const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(2);
/// Runs of one look whose errors are read, a call each.
const MOST_READ: usize = 5;
/// A trigger's crashes that are known.
const MOST_KNOWN: usize = 40;

/// Failed runs, and playbooks that switched themselves off.
pub(super) struct Failures;
/// Crashed triggers: each has a log of its own.
pub(super) struct Crashes;

#[derive(Default, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// Runs that ended later were not looked at yet.
    since: Option<Timestamp>,
    /// Failed runs that are known, by when they began.
    #[serde(default)]
    runs: BTreeMap<String, Timestamp>,
    /// Whether each playbook is on.
    #[serde(default)]
    on: BTreeMap<String, bool>,
}

#[derive(Default, Clone, PartialEq, Serialize, Deserialize)]
struct KeptCrashes {
    since: Option<Timestamp>,
    /// By trigger, the lines that are known.
    #[serde(default)]
    lines: BTreeMap<String, Vec<String>>,
}

#[async_trait]
impl Source for Failures {
    fn triggers(&self) -> &'static [Trigger] {
        &[Trigger::PlaybookError]
    }

    async fn look(&self, ground: &Ground<'_>) -> Result<Report, Trouble> {
        let Some(asked) = ground.watched.since(&[Trigger::PlaybookError]) else { return Ok(Report::default()) };
        let before: Kept = ground.kept(KEPT).await?.unwrap_or_default();
        let mut kept = before.clone();
        let since = *kept.since.get_or_insert(asked);
        let mut report = Report::default();
        let from = since.max(ground.now - SignedDuration::from_hours(24)) - LONGEST_RUN;
        let mut failed = ground.bot.sekoia().failed_runs(ground.community, from, ground.now, RANK).await?;
        failed.retain(PlaybookRun::failed);
        failed.reverse();
        kept.runs.retain(|_, began| *began >= from);
        let mut read = 0;
        for run in failed {
            let began = run.started_at.unwrap_or(ground.now);
            if kept.runs.insert(run.uuid.clone(), began).is_some() {
                continue;
            }
            // Whole seconds, as everywhere.
            let at = run.finished_at.unwrap_or(began);
            if at.as_second() < since.as_second() {
                continue;
            }
            read += 1;
            let error = if read <= MOST_READ { error_of(ground, &run).await? } else { None };
            let what = What::PlaybookError(notify::Playbook {
                playbook: Named {
                    uuid: run.playbook_uuid.as_deref().map(Into::into),
                    name: run.playbook_name.as_deref().map(Into::into),
                },
                run: Some(run.uuid.as_str().into()),
                crashed: false,
                error,
            });
            report.occurrences.push(ground.occurrence(format!("playbook-{}", run.uuid), at, what));
        }
        let playbooks = ground.bot.sekoia().playbooks(ground.community, RANK).await?;
        let health = &ground.bot.notifications.health;
        let intakes = health.count(ground.community).map_or(0, |counted| counted.intakes);
        health.counted(ground.community, intakes, playbooks.len());
        let on: BTreeMap<String, bool> = playbooks.iter().map(|p| (p.uuid.clone(), p.runs())).collect();
        for playbook in playbooks.iter().filter(|playbook| before.on.get(&playbook.uuid) == Some(&true)) {
            if gave_up(playbook) {
                let at = playbook.updated_at.unwrap_or(ground.now);
                let id = format!("playbook-off-{}-{}", playbook.uuid, at.as_second());
                let what = crashed(playbook, playbook.status_message.as_deref());
                report.occurrences.push(ground.occurrence(id, at, what));
            }
        }
        kept.on = on;
        if kept != before {
            report.kept.push(ground.keep(KEPT, &kept));
        }
        Ok(report)
    }
}

#[async_trait]
impl Source for Crashes {
    fn triggers(&self) -> &'static [Trigger] {
        &[Trigger::PlaybookError]
    }

    async fn look(&self, ground: &Ground<'_>) -> Result<Report, Trouble> {
        let Some(asked) = ground.watched.since(&[Trigger::PlaybookError]) else { return Ok(Report::default()) };
        let before: KeptCrashes = ground.kept(KEPT_CRASHES).await?.unwrap_or_default();
        let mut kept = before.clone();
        let since = *kept.since.get_or_insert(asked);
        let mut report = Report::default();
        let mut lines = BTreeMap::new();
        for playbook in ground.bot.sekoia().playbooks(ground.community, RANK).await? {
            for trigger in &playbook.trigger_configurations {
                let Some(id) = Id::parse(&trigger.uuid) else { continue };
                let crashes = match ground.bot.sekoia().trigger_crashes(&id, RANK).await {
                    Ok(crashes) => crashes,
                    // Deleted meanwhile.
                    Err(SekoiaError::NotFound { .. }) => continue,
                    Err(error) => return Err(error.into()),
                };
                let known = kept.lines.remove(&trigger.uuid).unwrap_or_default();
                let mut now_known = Vec::new();
                for line in crashes {
                    let date = line.date.unwrap_or(ground.now);
                    let name = line.uuid.clone().unwrap_or_else(|| date.to_string());
                    if !known.contains(&name) && date.as_second() >= since.as_second() {
                        let what = crashed(&playbook, line.message.as_deref());
                        let id = format!("playbook-crash-{name}");
                        report.occurrences.push(ground.occurrence(id, date, what));
                    }
                    now_known.push(name);
                }
                now_known.truncate(MOST_KNOWN);
                lines.insert(trigger.uuid.clone(), now_known);
            }
        }
        kept.lines = lines;
        if kept != before {
            report.kept.push(ground.keep(KEPT_CRASHES, &kept));
        }
        Ok(report)
    }
}

/// The values are not documented: one that a person stopped has no reason.
fn gave_up(playbook: &Playbook) -> bool {
    let status = playbook.status.as_deref().unwrap_or_default().to_ascii_lowercase();
    let failed = status.contains("error") || status.contains("fail");
    !playbook.runs() && (failed || playbook.status_message.as_deref().is_some_and(|why| !why.trim().is_empty()))
}

fn crashed(playbook: &Playbook, why: Option<&str>) -> What {
    What::PlaybookError(notify::Playbook {
        playbook: Named::new(&playbook.uuid, playbook.name()),
        run: None,
        crashed: true,
        error: why.map(Into::into),
    })
}

/// What a run said, if it may be read.
async fn error_of(ground: &Ground<'_>, run: &PlaybookRun) -> Result<Option<Box<str>>, Trouble> {
    let Some(id) = Id::parse(&run.uuid) else { return Ok(None) };
    match ground.bot.sekoia().run_errors(&id, RANK).await {
        Ok(errors) => Ok(errors.first().map(|error| error.as_str().into())),
        Err(SekoiaError::Forbidden { .. } | SekoiaError::NotFound { .. } | SekoiaError::Malformed { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
