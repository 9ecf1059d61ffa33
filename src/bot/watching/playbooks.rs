//! Playbooks: runs that failed, playbooks that switched themselves off, triggers that crashed.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::source::{PollContext, PollError, RANK, Report, Source};
use crate::chat::text::count;
use crate::domain::notify::{self, Named, Trigger, What};
use crate::sekoia::{Id, LogLine, Playbook, PlaybookRun, SekoiaError};
use crate::timing::watching::{LONGEST_RUN, OLDEST_RUN};

const KEPT: &str = "playbooks";
const CRASHES: &str = "crashes";
/// Runs of one look whose errors are read, a call each.
const MOST_READ: usize = 5;
/// A trigger's crashes that are known.
const MOST_KNOWN: usize = 40;
/// Triggers of one look whose logs cannot be read, before the rest is left for the next one.
const MOST_FAILED: usize = 5;

/// Failed runs, and playbooks that switched themselves off.
pub(super) struct Failures;
/// Crashed triggers: each has a log of its own.
pub(super) struct Crashes;

#[derive(Default, Clone, PartialEq, Serialize, Deserialize)]
struct RunCursor {
    /// When they were looked at last.
    since: Option<Timestamp>,
    /// Failed runs that are known, by when they began.
    #[serde(default)]
    runs: BTreeMap<String, Timestamp>,
    /// Whether each playbook is on.
    #[serde(default)]
    on: BTreeMap<String, bool>,
}

#[derive(Default, Clone, PartialEq, Serialize, Deserialize)]
struct CrashCursor {
    /// By trigger, the lines that are known.
    #[serde(default)]
    lines: BTreeMap<String, Vec<String>>,
    /// Triggers whose logs could not be read.
    #[serde(default)]
    failed: BTreeSet<String>,
}

#[async_trait]
impl Source for Failures {
    fn triggers(&self) -> &'static [Trigger] {
        &[Trigger::PlaybookError]
    }

    async fn look(&self, ground: &PollContext<'_>) -> Result<Report, PollError> {
        let Some(asked) = ground.watched.since(&[Trigger::PlaybookError], ground.now) else {
            return Ok(Report::default());
        };
        let before: RunCursor = ground.kept(KEPT).await?.unwrap_or_default();
        let mut kept = before.clone();
        let mut report = Report::default();
        // What failed before anybody waited for it is no news, whatever was looked at long ago.
        let since = before.since.unwrap_or(asked).max(asked).max(ground.now - OLDEST_RUN).min(ground.now);
        let from = since - LONGEST_RUN;
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
            if at.as_second() < asked.max(ground.now - OLDEST_RUN).as_second() {
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
        let playbooks = listed(ground).await?;
        let on: BTreeMap<String, bool> = playbooks.iter().map(|p| (p.uuid.clone(), p.runs())).collect();
        // Of one that nobody waited for meanwhile it is not known when it gave up.
        let fresh = before.since.is_some_and(|since| since >= asked);
        for playbook in playbooks.iter().filter(|playbook| fresh && before.on.get(&playbook.uuid) == Some(&true)) {
            if gave_up(playbook) {
                let at = playbook.updated_at.unwrap_or(ground.now);
                let id = format!("playbook-off-{}-{}", playbook.uuid, at.as_second());
                let what = crashed(playbook, playbook.status_message.as_deref());
                report.occurrences.push(ground.occurrence(id, at, what));
            }
        }
        kept.on = on;
        kept.since = Some(ground.now);
        report.kept.push(ground.keep(KEPT, &kept));
        Ok(report)
    }
}

#[async_trait]
impl Source for Crashes {
    fn triggers(&self) -> &'static [Trigger] {
        &[Trigger::PlaybookError]
    }

    fn name(&self) -> &'static str {
        CRASHES
    }

    async fn look(&self, ground: &PollContext<'_>) -> Result<Report, PollError> {
        let Some(asked) = ground.watched.since(&[Trigger::PlaybookError], ground.now) else {
            return Ok(Report::default());
        };
        let before: CrashCursor = ground.kept(CRASHES).await?.unwrap_or_default();
        let playbooks = listed(ground).await?;
        let each = |playbook| triggers(playbook).map(move |trigger| (playbook, trigger));
        let mut all: Vec<(&Playbook, &str)> = playbooks.iter().flat_map(each).collect();
        // Those that failed come last: Sekoia is left alone for a while after errors.
        all.sort_by_key(|(_, trigger)| before.failed.contains(*trigger));
        let mut report = Report::default();
        let mut kept = CrashCursor::default();
        let mut why: Option<SekoiaError> = None;
        let (mut read, mut left, mut stop) = (0_usize, 0_usize, false);
        for (playbook, trigger) in all {
            let known = before.lines.get(trigger);
            let looked = if stop { None } else { Some(crashes_of(ground, trigger).await) };
            let crashes = match looked {
                Some(Ok(crashes)) => Some(crashes),
                // Deleted meanwhile.
                Some(Err(SekoiaError::NotFound { .. })) => continue,
                Some(Err(error @ (SekoiaError::Forbidden { .. } | SekoiaError::Unauthorized { .. }))) => {
                    return Err(error.into());
                }
                Some(Err(error)) => {
                    // That is not this trigger's fault.
                    stop = matches!(
                        error,
                        SekoiaError::RateLimited { .. } | SekoiaError::Paused { .. } | SekoiaError::Busy { .. }
                    );
                    if !stop {
                        kept.failed.insert(trigger.to_owned());
                        stop = kept.failed.len() >= MOST_FAILED;
                    }
                    why.get_or_insert(error);
                    None
                }
                None => None,
            };
            let Some(crashes) = crashes else {
                // What is known of it stays so.
                left += 1;
                kept.failed.extend(before.failed.get(trigger).cloned());
                kept.lines.extend(known.map(|known| (trigger.to_owned(), known.clone())));
                continue;
            };
            read += 1;
            // What a log holds that was never read may be old.
            let since = if known.is_some() { asked } else { asked.max(ground.now - OLDEST_RUN) };
            let mut now_known = Vec::new();
            for line in crashes {
                let date = line.date.unwrap_or(ground.now);
                let name = line.uuid.clone().unwrap_or_else(|| date.to_string());
                let news = known.is_none_or(|known| !known.contains(&name));
                if news && date.as_second() >= since.as_second() {
                    let what = crashed(playbook, line.message.as_deref());
                    report.occurrences.push(ground.occurrence(format!("playbook-crash-{name}"), date, what));
                }
                now_known.push(name);
            }
            now_known.truncate(MOST_KNOWN);
            kept.lines.insert(trigger.to_owned(), now_known);
        }
        let remark = match why {
            Some(error) if read == 0 && kept.failed == before.failed => return Err(error.into()),
            Some(error) => {
                let logs = count(left, "trigger's log", "triggers' logs");
                Some(format!("{logs} could not be read ({error}); tried again at the next look"))
            }
            None => None,
        };
        ground.bot.notifications.health.remark(
            ground.community,
            Trigger::PlaybookError,
            self.name(),
            remark.as_deref(),
        );
        if kept != before {
            report.kept.push(ground.keep(CRASHES, &kept));
        }
        Ok(report)
    }
}

/// The playbooks, counted for how often they can be looked at.
async fn listed(ground: &PollContext<'_>) -> Result<Vec<Playbook>, PollError> {
    let playbooks = ground.bot.sekoia().playbooks(ground.community, RANK).await?;
    ground.bot.notifications.health.count(ground.community, |counted| {
        counted.playbooks = Some(playbooks.len());
        counted.triggers = Some(playbooks.iter().flat_map(triggers).count());
    });
    Ok(playbooks)
}

fn triggers(playbook: &Playbook) -> impl Iterator<Item = &str> {
    playbook.trigger_configurations.iter().map(|trigger| trigger.uuid.as_str())
}

async fn crashes_of(ground: &PollContext<'_>, trigger: &str) -> Result<Vec<LogLine>, SekoiaError> {
    let Some(id) = Id::parse(trigger) else { return Ok(Vec::new()) };
    ground.bot.sekoia().trigger_crashes(ground.community, &id, RANK).await
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
async fn error_of(ground: &PollContext<'_>, run: &PlaybookRun) -> Result<Option<Box<str>>, PollError> {
    let Some(id) = Id::parse(&run.uuid) else { return Ok(None) };
    match ground.bot.sekoia().run_errors(ground.community, &id, RANK).await {
        Ok(errors) => Ok(errors.first().map(|error| error.as_str().into())),
        // Nothing more would be read now.
        Err(
            error @ (SekoiaError::Unauthorized { .. }
            | SekoiaError::RateLimited { .. }
            | SekoiaError::Paused { .. }
            | SekoiaError::Busy { .. }),
        ) => Err(error.into()),
        // That it failed is worth more than why.
        Err(_) => Ok(None),
    }
}
