//! What the notifications ask Sekoia beside alerts.

use std::fmt;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::activity::{Counters, RunDetails, SearchJob};
use super::lenient::Page;
use super::transport::Read;
use super::{Connector, EventCounts, Intake, Listed, LogLine, Playbook, PlaybookRun, Sekoia, SekoiaError};
use crate::pace::Rank;
use crate::timing::sekoia::SEARCH_PAUSE;

const VIEW_EVENTS: &str = "View events";
const JOBS: &str = "/v1/sic/conf/events/search/jobs";
const JOB: &str = "/v1/sic/conf/events/search/jobs/{id}";
const JOB_EVENTS: &str = "/v1/sic/conf/events/search/jobs/{id}/events";
/// A search is looked at so often, with so long a pause before each time.
const SEARCH_LOOKS: u32 = 10;
const VIEW_RUNS: &str = "View playbook runs";
const RUN_DETAILS: &str = "/v1/symphony/playbook-runs/{id}/details";
const TRIGGER_LOGS: &str = "/v1/symphony/trigger-configurations/{id}/logs";

/// An identifier that Sekoia, or somebody who claims to be, sent. It goes into paths, so it holds
/// nothing that leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Id(String);

impl Id {
    /// A uuid, or a short id such as `ALa1b2c3`; none if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Sekoia {
    /// The sources of a community, with the status of each.
    pub async fn intakes(&self, community: Uuid, rank: Rank) -> Listed<Intake> {
        let query = vec![("match[community_uuid]", community.to_string()), ("with_status", "true".into())];
        self.list(rank, "/v1/sic/conf/intakes", "/v1/sic/conf/intakes".into(), query, "View intakes").await
    }

    /// How many events each intake of a community got. Counted by the hour: whether a begun hour
    /// is counted whole, and how late an event is counted, is not documented.
    pub async fn events(
        &self,
        community: Uuid,
        from: Timestamp,
        to: Timestamp,
        rank: Rank,
    ) -> Result<EventCounts, SekoiaError> {
        let name = "/v1/telemetry/events/counters";
        let body = json!({
            "earliest": second(from),
            "latest": second(to),
            "groups": ["intake_uuid"],
            "filters": { "community_uuid": [community] },
            "bin_size": "hour",
        });
        let path = name.into();
        let read = Read { name, path, query: vec![], body: Some(body), needs: "access to telemetry", within: None };
        let counters: Counters = self.transport.get(rank, &read).await?;
        Ok(counters.into())
    }

    /// Whether an intake got any event in the last minutes. More precise than the counters, and five
    /// calls or more: for one intake that is suspected, not for all.
    pub async fn heard_from(
        &self,
        community: Uuid,
        intake: &Id,
        minutes: u32,
        rank: Rank,
    ) -> Result<bool, SekoiaError> {
        let body = json!({
            "term": format!("sekoiaio.intake.uuid:\"{intake}\""),
            "earliest_time": format!("-{minutes}m"),
            "latest_time": "now",
            "date_field": "event.created",
            "max_last_events": 1,
            "visible": false,
            "results_ttl": 60,
        });
        // A search changes nothing that anybody sees: it may be made again like any read.
        let (path, within) = (JOBS.into(), Some(community));
        let read = Read { name: JOBS, path, query: vec![], body: Some(body), needs: VIEW_EVENTS, within };
        let job: SearchJob = self.transport.get(rank, &read).await?;
        let job = Id::parse(&job.uuid).ok_or_else(|| SekoiaError::Malformed { what: "the id of a search".into() })?;
        for _ in 0..SEARCH_LOOKS {
            tokio::time::sleep(SEARCH_PAUSE).await;
            let path = format!("{JOBS}/{job}");
            let now: SearchJob = self.one_within(community, rank, JOB, path, vec![], VIEW_EVENTS).await?;
            match now.status {
                Some(2) => {
                    let path = format!("{JOBS}/{job}/events");
                    let page: Page<serde::de::IgnoredAny> =
                        self.one_within(community, rank, JOB_EVENTS, path, vec![], VIEW_EVENTS).await?;
                    return Ok(!page.items.is_empty());
                }
                Some(ended @ (3 | 4)) => {
                    return Err(SekoiaError::Malformed { what: format!("a search that ended with {ended}") });
                }
                _ => {}
            }
        }
        Err(SekoiaError::Timeout { after: SEARCH_PAUSE * SEARCH_LOOKS })
    }

    /// What pulls events into the intakes of a community.
    pub async fn connectors(&self, community: Uuid, rank: Rank) -> Listed<Connector> {
        let path = "/v1/symphony/connector-configurations";
        let query = vec![("match[community_uuid]", community.to_string())];
        self.list(rank, path, path.into(), query, "View intakes").await
    }

    pub async fn playbooks(&self, community: Uuid, rank: Rank) -> Listed<Playbook> {
        let query = vec![("match[community_uuid]", community.to_string())];
        self.list(rank, "/v1/symphony/playbooks", "/v1/symphony/playbooks".into(), query, "View playbooks").await
    }

    /// The runs that failed since then, newest first.
    pub async fn failed_runs(
        &self,
        community: Uuid,
        from: Timestamp,
        to: Timestamp,
        rank: Rank,
    ) -> Listed<PlaybookRun> {
        let path = "/v1/symphony/playbook-runs";
        let query = vec![
            ("match[community_uuid]", community.to_string()),
            ("match[status]", "error".into()),
            ("date[started_at]", format!("{},{}", second(from), second(to))),
            ("sort", "started_at".into()),
            ("direction", "desc".into()),
        ];
        self.list(rank, path, path.into(), query, VIEW_RUNS).await
    }

    /// What the nodes of a run that failed said.
    pub async fn run_errors(&self, community: Uuid, run: &Id, rank: Rank) -> Listed<String> {
        let (name, path) = (RUN_DETAILS, format!("/v1/symphony/playbook-runs/{run}/details"));
        let details: RunDetails = self.one_within(community, rank, name, path, vec![], VIEW_RUNS).await?;
        Ok(details.errors())
    }

    /// The critical lines of a trigger's log, at most 20: that it crashed.
    pub async fn trigger_crashes(&self, community: Uuid, trigger: &Id, rank: Rank) -> Listed<LogLine> {
        let path = format!("/v1/symphony/trigger-configurations/{trigger}/logs");
        let query = vec![("match[log_level]", "critical".to_owned()), ("limit", "20".into())];
        let page: Page<LogLine> = self.one_within(community, rank, TRIGGER_LOGS, path, query, VIEW_RUNS).await?;
        Ok(page.items.into_iter().filter(LogLine::is_critical).collect())
    }
}

/// Whole seconds: what the documentation's examples show.
pub(super) fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_leads_nowhere_else() {
        for good in ["ALa1b2c3d4e5", "2efc4930-1442-4abb-acf2-58ba219a4fd0"] {
            assert_eq!(Id::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "..", "a/b", "a?b", "a%2fb", "a b", "é", &"a".repeat(65)] {
            assert_eq!(Id::parse(bad), None, "{bad}");
        }
    }
}
