//! Intakes that fall silent, and come back: counted by the hour, searched where that is not enough.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::source::{PollContext, PollError, RANK, Report, Source};
use crate::bot::Bot;
use crate::bot::failure::Failure;
use crate::domain::checklist::steps::quickstart::Silent;
use crate::domain::notify::silence::{Intake, Look, Memory, REACH, Suspect, WatchedIntake, wanted};
use crate::domain::notify::{Silence, Trigger, What};
use crate::pace::Rank;
use crate::sekoia::{self, Id, SekoiaError};
use crate::state::kept::decode;
use crate::store::KeptKind;
use crate::timing::watching::LONGEST_SILENCE;

const KEPT: &str = "silence";
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// A search takes five calls and more.
const SEARCHES: usize = 3;
const BLIND: &str =
    "without the permission \"View events\", silence shorter than an hour is reported only after an hour";

pub(super) struct Silences;

#[derive(Default, Serialize, Deserialize)]
struct SilenceCursor {
    memory: Memory,
    /// The hour of the last look.
    hour: Option<Timestamp>,
    /// By intake: its newest hour with events, and how many.
    #[serde(default)]
    newest: BTreeMap<Box<str>, (Timestamp, u64)>,
    /// By intake: when a search for its last event failed.
    #[serde(default)]
    failed: BTreeMap<Box<str>, Timestamp>,
    /// The last search was refused to the key.
    #[serde(default)]
    refused: bool,
}

type Counts = BTreeMap<Box<str>, BTreeMap<Timestamp, u64>>;

#[async_trait]
impl Source for Silences {
    fn triggers(&self) -> &'static [Trigger] {
        &[Trigger::NoEvents]
    }

    async fn look(&self, ground: &PollContext<'_>) -> Result<Report, PollError> {
        let channels = ground.watched.channels.iter();
        let wanted: Vec<WatchedIntake> =
            channels.flat_map(|(channel, rules)| wanted(channel, rules, ground.now)).collect();
        let health = &ground.bot.notifications.health;
        if wanted.is_empty() {
            return Ok(Report::default());
        }
        let mut kept: SilenceCursor = ground.kept(KEPT).await?.unwrap_or_default();
        let listed = ground.bot.sekoia().intakes(ground.community, RANK).await?;
        health.count(ground.community, |counted| counted.intakes = Some(listed.len()));
        let intakes: Vec<Intake> = listed
            .iter()
            .map(|i| Intake { uuid: i.uuid.as_str().into(), name: i.name().into(), created: i.created_at })
            .collect();
        let counts = counts(ground, &mut kept, &intakes).await?;
        kept.newest.retain(|uuid, _| intakes.iter().any(|intake| intake.uuid == *uuid));
        let mut look = Look { intakes, counts, ..Look::default() };
        let mut memory = kept.memory.clone();
        let mut found = memory.look(&look, &wanted, ground.now);
        let mut failed = None;
        if !found.suspects.is_empty() {
            failed = search(ground, found.suspects, &mut kept, &mut look).await;
            memory = kept.memory.clone();
            found = memory.look(&look, &wanted, ground.now);
        }
        let precise = wanted.iter().any(|wanted| wanted.minutes < 60);
        let remark = if precise && kept.refused { Some(BLIND) } else { failed.as_deref() };
        health.remark(ground.community, Trigger::NoEvents, self.name(), remark);
        kept.memory = memory;
        let occurrences = found.changes.into_iter().filter_map(|what| {
            let (word, silence, at) = match &what {
                // Whoever is told of it later is told of the same.
                What::Silent(silence) => ("silent", silence, reached(silence, ground.now)),
                What::Resumed(silence) => ("back", silence, ground.now),
                _ => return None,
            };
            let intake = silence.intake.uuid.as_deref().unwrap_or_default();
            let since = silence.since.unwrap_or(ground.now).as_second();
            let id = format!("{word}-{intake}-{}-{since}", silence.minutes);
            Some(ground.occurrence(id, at, what))
        });
        Ok(Report { occurrences: occurrences.collect(), kept: vec![ground.keep(KEPT, &kept)], ..Report::default() })
    }
}

impl Bot {
    /// The intakes that send nothing: as the watch for the rules knows, or else by one look at a
    /// day's counters.
    pub(in crate::bot) async fn silent_intakes(
        &self,
        community: Uuid,
        intakes: &[sekoia::Intake],
        now: Timestamp,
    ) -> Result<Silent, Failure> {
        let row = self.sessions.store().kept(KeptKind::Source, &format!("{KEPT}|{community}")).await?;
        // Where nobody waits for silence any more, nobody looks.
        let fresh = |kept: &SilenceCursor| kept.hour.is_some_and(|hour| hour >= hour_of(now) - HOUR);
        if let Some(kept) = row.and_then(|row| decode::<SilenceCursor>(&row)).filter(fresh) {
            let silent = kept.memory.silent(LONGEST_SILENCE, now);
            return Ok(silent.map(|(uuid, since)| (uuid.into(), Some(since))).collect());
        }
        let counted = match self.sekoia.events(community, now - LONGEST_SILENCE, now, Rank::Person).await {
            Ok(events) => events.by_intake,
            // Without that permission only the intakes' own status tells.
            Err(SekoiaError::Forbidden { .. } | SekoiaError::NotFound { .. } | SekoiaError::Refused { .. }) => {
                return Ok(Silent::new());
            }
            Err(error) => return Err(error.into()),
        };
        let old = |intake: &&sekoia::Intake| intake.created_at.is_none_or(|at| at < now - LONGEST_SILENCE);
        let none = |intake: &&sekoia::Intake| counted.get(&intake.uuid).is_none_or(|n| *n == 0);
        Ok(intakes.iter().filter(old).filter(none).map(|intake| (intake.uuid.as_str().into(), None)).collect())
    }
}

/// When it had been silent for so long.
fn reached(silence: &Silence, now: Timestamp) -> Timestamp {
    let time = SignedDuration::from_mins(silence.minutes.into());
    silence.since.and_then(|since| since.checked_add(time).ok()).map_or(now, |at| at.min(now))
}

/// Searches for the last events of some suspects. What fails for one is said, and keeps none of the
/// others from being decided: that one is searched for after them the next time.
async fn search(
    ground: &PollContext<'_>,
    mut suspects: Vec<Suspect>,
    kept: &mut SilenceCursor,
    look: &mut Look,
) -> Option<String> {
    kept.failed.retain(|intake, _| suspects.iter().any(|suspect| suspect.intake == *intake));
    suspects.sort_by_key(|suspect| kept.failed.get(&suspect.intake).copied());
    let mut failed = None;
    for Suspect { intake, minutes } in suspects.iter().take(SEARCHES) {
        let heard = match Id::parse(intake) {
            Some(id) => ground.bot.sekoia().heard_from(ground.community, &id, u32::from(*minutes), RANK).await,
            None => Err(SekoiaError::Malformed { what: "the id of an intake".into() }),
        };
        match heard {
            // It may have been at any time since: silence is told late rather than wrongly.
            Ok(heard) => {
                kept.failed.remove(intake);
                kept.refused = false;
                look.searched.insert(intake.clone(), heard.then_some(ground.now));
            }
            // Without that permission the counters alone have to do.
            Err(SekoiaError::Forbidden { .. }) => {
                kept.refused = true;
                look.unsearched.extend(suspects.iter().map(|suspect| suspect.intake.clone()));
                break;
            }
            Err(error) => {
                kept.failed.insert(intake.clone(), ground.now);
                look.unsearched.insert(intake.clone());
                let name = look.intakes.iter().find(|known| known.uuid == *intake).map(|known| &*known.name);
                failed = Some(format!(
                    "the last events of {} could not be searched for ({error}); its silence is reported after an hour",
                    name.unwrap_or(intake)
                ));
                // The next one would meet with the same.
                if !matches!(error, SekoiaError::Timeout { .. } | SekoiaError::Malformed { .. }) {
                    break;
                }
            }
        }
    }
    failed
}

/// The hours that are new since the last look; of intakes of which nothing is known, the newest
/// hour that had events.
async fn counts(ground: &PollContext<'_>, kept: &mut SilenceCursor, intakes: &[Intake]) -> Result<Counts, PollError> {
    let mut counts = Counts::new();
    let current = hour_of(ground.now);
    let begin = kept.hour.unwrap_or(current).max(current - REACH).min(current);
    let mut hour = begin;
    while hour <= current {
        count(ground, hour, &mut counts).await?;
        hour += HOUR;
    }
    let mut unknown: BTreeSet<&str> = BTreeSet::new();
    for intake in intakes {
        let newest = counts.get(&intake.uuid).and_then(|hours| hours.iter().next_back());
        if let Some((hour, count)) = newest {
            kept.newest.insert(intake.uuid.clone(), (*hour, *count));
            continue;
        }
        match kept.newest.get(&intake.uuid) {
            // It was counted before, and is not any more: Sekoia thinks otherwise now.
            Some((hour, _)) if *hour >= begin => {
                kept.newest.remove(&intake.uuid);
                kept.memory.forget(&intake.uuid);
                unknown.insert(&intake.uuid);
            }
            Some(_) => {}
            None if !kept.memory.knows(&intake.uuid) => {
                unknown.insert(&intake.uuid);
            }
            None => {}
        }
    }
    if !unknown.is_empty() {
        let ever = ground.bot.sekoia().events(ground.community, current - REACH, ground.now, RANK).await?;
        unknown.retain(|uuid| ever.by_intake.get(*uuid).is_some_and(|count| *count > 0));
    }
    let mut hour = begin - HOUR;
    while !unknown.is_empty() && hour >= current - REACH {
        count(ground, hour, &mut counts).await?;
        unknown.retain(|uuid| match counts.get(*uuid).and_then(|hours| hours.get(&hour)) {
            Some(count) => {
                kept.newest.insert((*uuid).into(), (hour, *count));
                false
            }
            None => true,
        });
        hour -= HOUR;
    }
    kept.hour = Some(current);
    Ok(counts)
}

async fn count(ground: &PollContext<'_>, hour: Timestamp, counts: &mut Counts) -> Result<(), PollError> {
    // The next hour is another one: where bins are whole, its first second would bring all of it.
    let until = (hour + HOUR - SignedDuration::from_secs(1)).min(ground.now);
    let events = ground.bot.sekoia().events(ground.community, hour, until, RANK).await?;
    for (intake, n) in events.by_intake {
        if n > 0 {
            counts.entry(intake.into()).or_default().insert(hour, n);
        }
    }
    Ok(())
}

fn hour_of(at: Timestamp) -> Timestamp {
    let hour = at.as_second() - at.as_second().rem_euclid(3600);
    Timestamp::from_second(hour).unwrap_or(at)
}
