//! Intakes that fall silent, and come back: counted by the hour, searched where that is not enough.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::source::{Ground, RANK, Report, Source, Trouble};
use crate::bot::Bot;
use crate::bot::failure::Failure;
use crate::checklist::steps::quickstart::Silent;
use crate::notifications::decode;
use crate::notify::silence::{Intake, Look, Memory, REACH, Wanted, wanted};
use crate::notify::{Trigger, What};
use crate::pace::Rank;
use crate::sekoia::{self, Id, SekoiaError};
use crate::store::WorkKind;

const KEPT: &str = "silence";
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// So long is too long where no rule says it.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A search takes five calls and more.
const SEARCHES: usize = 3;

pub(super) struct Silences;

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    memory: Memory,
    /// The hour of the last look.
    hour: Option<Timestamp>,
    /// By intake: its newest hour with events, and how many.
    #[serde(default)]
    newest: BTreeMap<Box<str>, (Timestamp, u64)>,
}

type Counts = BTreeMap<Box<str>, BTreeMap<Timestamp, u64>>;

#[async_trait]
impl Source for Silences {
    fn triggers(&self) -> &'static [Trigger] {
        &[Trigger::NoEvents]
    }

    async fn look(&self, ground: &Ground<'_>) -> Result<Report, Trouble> {
        let wanted: Vec<Wanted> = ground.watched.channels.iter().flat_map(|(_, rules)| wanted(rules)).collect();
        if wanted.is_empty() {
            return Ok(Report::default());
        }
        let mut kept: Kept = ground.kept(KEPT).await?.unwrap_or_default();
        let listed = ground.bot.sekoia().intakes(ground.community, RANK).await?;
        let health = &ground.bot.notifications.health;
        let playbooks = health.count(ground.community).map_or(0, |counted| counted.playbooks);
        health.counted(ground.community, listed.len(), playbooks);
        let intakes: Vec<Intake> = listed
            .iter()
            .map(|i| Intake { uuid: i.uuid.as_str().into(), name: i.name().into(), created: i.created_at })
            .collect();
        let counts = counts(ground, &mut kept, &intakes).await?;
        kept.newest.retain(|uuid, _| intakes.iter().any(|intake| intake.uuid == *uuid));
        let mut look = Look { intakes, counts, ..Look::default() };
        let mut memory = kept.memory.clone();
        let mut found = memory.look(&look, &wanted, ground.now);
        if !found.suspects.is_empty() {
            for suspect in found.suspects.iter().take(SEARCHES) {
                look.searched.extend(search(ground, suspect, &wanted).await?);
            }
            memory = kept.memory.clone();
            found = memory.look(&look, &wanted, ground.now);
        }
        kept.memory = memory;
        let occurrences = found.changes.into_iter().filter_map(|what| {
            let (word, silence) = match &what {
                What::Silent(silence) => ("silent", silence),
                What::Resumed(silence) => ("back", silence),
                _ => return None,
            };
            let intake = silence.intake.uuid.as_deref().unwrap_or_default();
            let since = silence.since.unwrap_or(ground.now).as_second();
            let id = format!("{word}-{intake}-{}-{since}", silence.minutes);
            Some(ground.occurrence(id, ground.now, what))
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
        let row = self.sessions.store().find(WorkKind::Source, &format!("{KEPT}|{community}")).await?;
        // Where nobody waits for silence any more, nobody looks.
        let fresh = |kept: &Kept| kept.hour.is_some_and(|hour| hour >= hour_of(now) - HOUR);
        if let Some(kept) = row.and_then(|row| decode::<Kept>(&row)).filter(fresh) {
            let silent = kept.memory.silent(DAY, now);
            return Ok(silent.map(|(uuid, since)| (uuid.into(), Some(since))).collect());
        }
        let counted = match self.sekoia.events(community, now - DAY, now, Rank::Person).await {
            Ok(events) => events.by_intake,
            // Without that permission only the intakes' own status tells.
            Err(SekoiaError::Forbidden { .. } | SekoiaError::NotFound { .. } | SekoiaError::Refused { .. }) => {
                return Ok(Silent::new());
            }
            Err(error) => return Err(error.into()),
        };
        let old = |intake: &&sekoia::Intake| intake.created_at.is_none_or(|at| at < now - DAY);
        let none = |intake: &&sekoia::Intake| counted.get(&intake.uuid).is_none_or(|n| *n == 0);
        Ok(intakes.iter().filter(old).filter(none).map(|intake| (intake.uuid.as_str().into(), None)).collect())
    }
}

/// When an intake's last event came, as far as a search tells.
async fn search(
    ground: &Ground<'_>,
    suspect: &str,
    wanted: &[Wanted],
) -> Result<Option<(Box<str>, Option<Timestamp>)>, Trouble> {
    let Some(id) = Id::parse(suspect) else { return Ok(None) };
    let least = wanted.iter().map(|wanted| wanted.minutes).min().unwrap_or(60);
    match ground.bot.sekoia().heard_from(&id, u32::from(least), RANK).await {
        // It may have been at any time since: silence is told late rather than wrongly.
        Ok(heard) => Ok(Some((suspect.into(), heard.then_some(ground.now)))),
        // Without that permission the counters alone have to do, an hour and more.
        Err(SekoiaError::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The hours that are new since the last look; of intakes of which nothing is known, the newest
/// hour that had events.
async fn counts(ground: &Ground<'_>, kept: &mut Kept, intakes: &[Intake]) -> Result<Counts, Trouble> {
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

async fn count(ground: &Ground<'_>, hour: Timestamp, counts: &mut Counts) -> Result<(), Trouble> {
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
