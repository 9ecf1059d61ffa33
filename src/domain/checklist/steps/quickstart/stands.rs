//! What Sekoia tells of the points of each quick start, and how they stand by that.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::Stands;
use crate::chat::text::{count, shown};
use crate::chat::view::minute;
use crate::domain::checklist::facts::{Fact, Print};
use crate::sekoia::{Feed, Intake, Parsing, Playbook, PlaybookRun, RuleCounts};

/// Intakes that send nothing, by identifier, with since when if that is known.
pub type Silent = BTreeMap<Box<str>, Option<Timestamp>>;

/// Where there is none, the bot's key may not look.
#[derive(Debug, Default)]
pub struct Defend {
    pub intakes: Vec<Intake>,
    pub silent: Silent,
    /// Of the last days, by intake.
    pub parsing: Option<HashMap<String, Parsing>>,
    pub rules: Option<RuleCounts>,
    /// Whether there is an alert.
    pub alerts: bool,
    /// Whether one was taken up.
    pub worked_on: bool,
    pub playbooks: Vec<Playbook>,
    /// The newest.
    pub runs: Option<Vec<PlaybookRun>>,
}

#[derive(Debug, Default)]
pub struct Intelligence {
    pub indicators: Option<u64>,
    pub feeds: Option<Vec<Feed>>,
}

#[derive(Debug, Default)]
pub struct Reveal {
    pub assets: Option<u64>,
}

#[derive(Debug, Default)]
pub struct Elevate {
    pub investigations: Option<u64>,
}

/// A rate of so few events says nothing.
const ENOUGH_EVENTS: u64 = 100;
/// What Sekoia's quick start allows, in percent.
const MOST_WARNINGS: u64 = 3;
const MOST_INVALID: u64 = 1;

impl Defend {
    pub(super) fn stands(&self) -> Vec<Stands> {
        vec![self.source(), self.reception(), self.rules(), self.triage(), self.automation()]
    }

    fn source(&self) -> Stands {
        if self.intakes.is_empty() {
            return Stands::Missing("an intake: connect a first source".into());
        }
        Stands::There(count(self.intakes.len(), "intake", "intakes"))
    }

    fn reception(&self) -> Stands {
        if self.intakes.is_empty() {
            return Stands::Missing("events: they arrive once a source is connected".into());
        }
        if self.intakes.iter().all(|intake| quiet(intake, &self.silent).is_some()) {
            return Stands::Missing("events: no intake sends any".into());
        }
        let Some(parsing) = &self.parsing else { return Stands::There("events arrive".into()) };
        let of = |intake: &Intake| parsing.get(&intake.uuid).copied().unwrap_or_default();
        let badly: Vec<String> = self.intakes.iter().filter_map(|intake| badly_parsed(intake, of(intake))).collect();
        if badly.is_empty() {
            return Stands::There("events arrive and are parsed".into());
        }
        Stands::Missing(format!("events that are parsed: {}", badly.join(", ")))
    }

    fn rules(&self) -> Stands {
        match self.rules {
            None => Stands::Unknown("the bot's key lacks \"View Rules Catalog\"".into()),
            Some(RuleCounts { total: 0, .. }) => Stands::Unknown("Sekoia shows no rule".into()),
            Some(RuleCounts { total, enabled }) if enabled >= total => {
                Stands::There(format!("all {total} Elementary and Intermediate rules are on"))
            }
            Some(RuleCounts { total, enabled }) => Stands::Missing(format!(
                "detection rules: {} of {total} Elementary and Intermediate rules are off",
                total - enabled
            )),
        }
    }

    fn triage(&self) -> Stands {
        match (self.alerts, self.worked_on) {
            (_, true) => Stands::There("alerts are taken up".into()),
            (true, false) => Stands::Missing("a first triage: alerts arrive, and nobody took one up yet".into()),
            (false, false) => {
                Stands::Missing("a first alert: enable detection rules and check that events arrive".into())
            }
        }
    }

    fn automation(&self) -> Stands {
        let playbooks = count(self.playbooks.len(), "playbook", "playbooks");
        if self.playbooks.is_empty() {
            return Stands::Missing("a playbook: automate a first reaction".into());
        }
        match &self.runs {
            Some(runs) if !runs.iter().any(|run| run.finished_at.is_some() && !run.failed()) => {
                Stands::Missing(format!("a run of a playbook that succeeded: of {playbooks}, none did of late"))
            }
            _ => Stands::There(playbooks),
        }
    }

    /// What is accepted with the rest.
    pub(super) fn exceptions(&self) -> Vec<String> {
        let mut exceptions = Vec::new();
        let some = self.intakes.iter().filter(|intake| quiet(intake, &self.silent).is_some()).count();
        if some > 0 {
            let (one, many) = ("intake sends nothing or reports an error", "intakes send nothing or report an error");
            exceptions.push(count(some, one, many));
        }
        if self.parsing.is_none() {
            exceptions.push("how events are parsed: the bot's key may not see it".into());
        }
        match &self.runs {
            None => exceptions.push("whether playbooks run: the bot's key lacks \"View playbook runs\"".into()),
            Some(runs) => {
                if let Some(newest) = runs.first().filter(|run| run.failed()) {
                    let name = newest.playbook_name.as_deref().unwrap_or("a playbook");
                    exceptions.push(format!("the newest run of a playbook failed: {}", shown(name, 60)));
                }
            }
        }
        exceptions
    }

    pub(super) fn facts(&self) -> Vec<Fact> {
        let facts = self.intakes.iter().map(|intake| Fact::Intake {
            id: Print::of(&intake.uuid),
            name: intake.name().into(),
            quiet: quiet(intake, &self.silent).map(Into::into),
        });
        let held = self.playbooks.iter().map(|playbook| Fact::Held {
            id: format!("playbook {}", playbook.uuid).into(),
            gone: format!("the playbook {} is gone", shown(playbook.name(), 60)).into(),
        });
        facts.chain(held).collect()
    }
}

impl Intelligence {
    pub(super) fn stands(&self) -> Vec<Stands> {
        let explored = match self.indicators {
            Some(_) => Stands::There("the threat database answers".into()),
            None => Stands::Unknown("it is done in the console, and the bot's key lacks \"View intelligence\"".into()),
        };
        let passed_on = match &self.feeds {
            None => Stands::Unknown("the bot's key lacks \"View feeds\"".into()),
            Some(feeds) => match feeds.iter().filter(|feed| feed.community_uuid.is_some()).count() {
                0 => Stands::Missing("a feed of your own: pass intelligence on to your other tools".into()),
                own => Stands::There(count(own, "feed of your own", "feeds of your own")),
            },
        };
        vec![explored, passed_on]
    }
}

impl Reveal {
    pub(super) fn stands(&self) -> Stands {
        match self.assets {
            None => Stands::Unknown("the bot's key may not see assets".into()),
            Some(0) => Stands::Missing(
                "assets: switch Reveal on for this community, and connect a telemetry source or an asset connector"
                    .into(),
            ),
            Some(1) => Stands::There("1 asset".into()),
            Some(assets) => Stands::There(format!("{assets} assets")),
        }
    }
}

impl Elevate {
    pub(super) fn stands(&self) -> Stands {
        match self.investigations {
            None => Stands::Unknown("the bot's key may not see how AI is used".into()),
            Some(0) => Stands::Missing(
                "a first investigation by an agent: switch it on in Settings > AI agents, for one community first"
                    .into(),
            ),
            Some(1) => Stands::There("1 investigation by an agent".into()),
            Some(runs) => Stands::There(format!("{runs} investigations by an agent")),
        }
    }
}

/// More warnings or invalid events than Sekoia's quick start allows; none where all is well.
fn badly_parsed(intake: &Intake, parsing: Parsing) -> Option<String> {
    let Parsing { total, warnings, invalid } = parsing;
    if total < ENOUGH_EVENTS {
        return None;
    }
    let over = |some: u64, most: u64| some.saturating_mul(100) >= total.saturating_mul(most);
    let (rate, what, most) = match (over(invalid, MOST_INVALID), over(warnings, MOST_WARNINGS)) {
        (true, _) => (invalid, "are invalid", MOST_INVALID),
        (_, true) => (warnings, "have warnings", MOST_WARNINGS),
        _ => return None,
    };
    let per_mille = rate.saturating_mul(1_000) / total;
    let name = shown(intake.name(), 60);
    Some(format!("{}.{} % of {name} {what} (below {most} % is expected)", per_mille / 10, per_mille % 10))
}

fn quiet(intake: &Intake, silent: &Silent) -> Option<String> {
    match (silent.get(&*intake.uuid), intake.status.as_deref()) {
        (Some(Some(since)), _) => Some(format!("sends nothing since {}", minute(*since))),
        (Some(None), _) => Some("sends nothing for a day".into()),
        (None, Some("STOPPED")) => Some("is stopped".into()),
        (None, Some("ERROR" | "CRITICAL_ERROR")) => Some("reports an error".into()),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::checklist::steps::Finding;
    use crate::domain::checklist::steps::quickstart::{Facts, Product};

    fn intake(name: &str) -> Intake {
        serde_json::from_value(json!({ "uuid": name, "name": name })).unwrap()
    }

    fn whole() -> Defend {
        let run = json!({ "uuid": "r", "status": "finished", "finished_at": "2026-03-01T09:00:00Z" });
        Defend {
            intakes: vec![intake("Firewall")],
            parsing: Some(HashMap::new()),
            rules: Some(RuleCounts { total: 4, enabled: 4 }),
            alerts: true,
            worked_on: true,
            playbooks: vec![serde_json::from_value(json!({ "uuid": "p", "name": "Block" })).unwrap()],
            runs: Some(vec![serde_json::from_value(run).unwrap()]),
            ..Defend::default()
        }
    }

    fn finding(defend: Defend) -> Finding {
        Facts { defend: Some(defend), ..Facts::default() }.finding()
    }

    #[test]
    fn a_product_stands_as_it_has_points() {
        let facts = Facts {
            defend: Some(Defend::default()),
            intelligence: Some(Intelligence::default()),
            reveal: Some(Reveal::default()),
            elevate: Some(Elevate::default()),
        };
        for product in Product::ALL {
            assert_eq!(facts.stands(product).unwrap().len(), product.points().len(), "{}", product.name());
        }
    }

    #[test]
    fn every_point_has_to_be_there_and_says_what_is_missing() {
        let Finding::Confirmed(evidence) = finding(whole()) else { panic!("all is there") };
        assert_eq!(
            &*evidence.summary,
            "Defend: 1 intake, events arrive and are parsed, all 4 Elementary and Intermediate rules are on, \
             alerts are taken up, 1 playbook"
        );
        let failed = json!({ "uuid": "r", "status": "error", "finished_at": "2026-03-01T09:00:00Z" });
        let lacking: [(&str, Defend); 6] = [
            ("an intake:", Defend { intakes: vec![], ..whole() }),
            ("events: no intake", Defend { silent: BTreeMap::from([("Firewall".into(), None)]), ..whole() }),
            ("detection rules: 1 of 4", Defend { rules: Some(RuleCounts { total: 4, enabled: 3 }), ..whole() }),
            ("a first triage", Defend { worked_on: false, ..whole() }),
            ("a playbook", Defend { playbooks: vec![], ..whole() }),
            ("a run of a playbook", Defend { runs: Some(vec![serde_json::from_value(failed).unwrap()]), ..whole() }),
        ];
        for (says, defend) in lacking {
            let Finding::Wanting { missing, .. } = finding(defend) else { panic!("{says}") };
            assert!(missing.iter().any(|missing| missing.starts_with(says)), "{missing:?}");
        }
    }

    #[test]
    fn rates_count_from_a_hundred_events_on() {
        let parsed = |total, warnings, invalid| badly_parsed(&intake("Firewall"), Parsing { total, warnings, invalid });
        assert_eq!(parsed(99, 99, 99), None);
        assert_eq!(parsed(1_000, 29, 9), None);
        assert_eq!(parsed(1_000, 0, 10).unwrap(), "1.0 % of Firewall are invalid (below 1 % is expected)");
        assert_eq!(parsed(1_000, 42, 0).unwrap(), "4.2 % of Firewall have warnings (below 3 % is expected)");
    }

    #[test]
    fn what_the_key_may_not_see_is_an_exception_and_never_missing() {
        let Finding::Confirmed(evidence) = finding(Defend { parsing: None, rules: None, runs: None, ..whole() }) else {
            panic!("the rest is there")
        };
        assert_eq!(evidence.exceptions.len(), 3);
        let nothing = Facts { intelligence: Some(Intelligence::default()), ..Facts::default() };
        assert!(matches!(nothing.finding(), Finding::CannotTell { .. }));
    }

    #[test]
    fn sekoias_own_feed_is_nobodys() {
        let feed = |community: Option<&str>| {
            serde_json::from_value::<Feed>(json!({ "id": "f", "community_uuid": community })).unwrap()
        };
        let of = |feeds| Intelligence { indicators: Some(9), feeds: Some(feeds) }.stands().remove(1);
        assert!(matches!(of(vec![feed(None)]), Stands::Missing(_)));
        assert_eq!(of(vec![feed(None), feed(Some("c"))]), Stands::There("1 feed of your own".into()));
    }
}
