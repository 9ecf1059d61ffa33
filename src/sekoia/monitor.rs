//! What the notifications ask Sekoia, and the one thing that they change: where an alert stands.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::activity::{Counters, RunDetails, SearchJob};
use super::lenient::Page;
use super::transport::{Call, Read, Verb};
use super::{
    Alert, AlertStatus, Connector, EventCounts, Intake, Listed, LogLine, MOST_PAGES, PAGE, Playbook, PlaybookRun,
    Sekoia, SekoiaError,
};
use crate::pace::Rank;

const ALERTS: &str = "/v1/sic/alerts";
const VIEW_ALERTS: &str = "View alerts";
const VIEW_EVENTS: &str = "View events";
const JOBS: &str = "/v1/sic/conf/events/search/jobs";
const JOB: &str = "/v1/sic/conf/events/search/jobs/{id}";
const JOB_EVENTS: &str = "/v1/sic/conf/events/search/jobs/{id}/events";
/// A search is looked at so often, with so long a pause before each time.
const SEARCH_LOOKS: u32 = 10;
const SEARCH_PAUSE: Duration = Duration::from_millis(700);
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

/// By which of its dates an alert is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertDate {
    Created,
    Updated,
}

impl AlertDate {
    /// That date of an alert, if Sekoia tells it.
    pub fn of(self, alert: &Alert) -> Option<Timestamp> {
        match self {
            Self::Created => alert.created_at,
            Self::Updated => alert.updated_at,
        }
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Created => ("date[created_at]", "created_at"),
            Self::Updated => ("date[updated_at]", "updated_at"),
        }
    }
}

/// Which alerts are looked for, both ends included. Sekoia's dates have no fractions: begin a
/// little earlier than you need, and end later than now, for its clock may be ahead.
#[derive(Debug, Clone, Copy)]
pub struct AlertQuery {
    pub community: Uuid,
    pub by: AlertDate,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Was read before, at least in part: a list that ends here would bring nothing new.
    pub beyond: Timestamp,
}

/// Alerts, oldest first, each once.
#[derive(Debug, Clone)]
pub struct AlertList {
    pub alerts: Vec<Alert>,
    /// False if there are more.
    pub complete: bool,
    /// Up to then everything was read, also what Sekoia lists late: go on from here.
    pub settled: Timestamp,
}

/// So long after its date, by Sekoia's clock, an alert is in the list for sure. Not documented:
/// an alert is dated before it is indexed, which takes a moment.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// How far a list was read, page by page.
struct Reach {
    read: Timestamp,
    /// Nothing comes to be listed before that any more.
    settled: Timestamp,
}

impl Reach {
    /// A page that ends with `last` was read when Sekoia's clock showed `clock`.
    fn page(&mut self, last: Timestamp, clock: Timestamp) {
        // What comes late to an earlier page is not on this one.
        if self.settled >= self.read {
            self.settled = self.settled.max(last.min(clock - LISTED_WITHIN));
        }
        self.read = self.read.max(last);
    }
}

/// Where an alert is to stand. Sekoia's own module sends a status where the field names an action.
pub fn move_alert(alert: &Id, status: AlertStatus, comment: Option<&str>) -> Call {
    let mut body = json!({ "action_uuid": status.uuid() });
    if let Some(comment) = comment {
        body["comment"] = comment.into();
    }
    Call {
        name: "/v1/sic/alerts/{id}/workflow",
        method: Verb::Patch,
        path: format!("{ALERTS}/{alert}/workflow"),
        body: Some(body),
        needs: "Update alert status",
    }
}

impl Sekoia {
    /// The newest alerts, at most `limit`. Counting them all is slow at Sekoia.
    pub async fn newest_alerts(&self, community: Uuid, limit: usize, rank: Rank) -> Listed<Alert> {
        let query = vec![
            ("match[community_uuid]", community.to_string()),
            ("limit", limit.to_string()),
            ("sort", "created_at".into()),
            ("direction", "desc".into()),
            ("with_count", "false".into()),
        ];
        let page: Page<Alert> = self.one(rank, ALERTS, ALERTS.into(), query, VIEW_ALERTS).await?;
        Ok(page.items)
    }

    /// The alerts of a stretch of time, at least `most` of them and some beyond `query.beyond`, if
    /// there are so many. Pages go on from the last date rather than by number, so that an alert
    /// that is deleted meanwhile makes no other one slip through.
    pub async fn alerts(&self, query: &AlertQuery, most: usize, rank: Rank) -> Result<AlertList, SekoiaError> {
        let mut alerts: Vec<Alert> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let (mut from, mut offset) = (query.from.as_second(), 0);
        let mut reach = Reach { read: query.from, settled: query.from };
        for _ in 0..MOST_PAGES {
            let page = self.alerts_page(query, from, offset, rank).await?;
            let got = page.items.len();
            let last = page.items.last().and_then(|alert| query.by.of(alert));
            if let Some(last) = last {
                reach.page(last, self.transport.clock());
            }
            for alert in page.items {
                if let Some(place) = places.get(&alert.uuid) {
                    // It changed meanwhile, or the page begins with what the last one ended with.
                    alerts[*place] = alert;
                } else {
                    places.insert(alert.uuid.clone(), alerts.len());
                    alerts.push(alert);
                }
            }
            if got == 0 || !page.has_more.unwrap_or(got >= PAGE) {
                return Ok(AlertList { alerts, complete: true, settled: reach.settled });
            }
            if alerts.len() >= most && reach.read > query.beyond {
                return Ok(AlertList { alerts, complete: false, settled: reach.settled });
            }
            match last.map(Timestamp::as_second) {
                Some(last) if last > from => (from, offset) = (last, 0),
                _ => offset += got,
            }
        }
        Ok(AlertList { alerts, complete: false, settled: reach.settled })
    }

    async fn alerts_page(
        &self,
        query: &AlertQuery,
        from: i64,
        offset: usize,
        rank: Rank,
    ) -> Result<Page<Alert>, SekoiaError> {
        let (date, sort) = query.by.names();
        let from = Timestamp::from_second(from).unwrap_or(query.from);
        let asked = vec![
            ("match[community_uuid]", query.community.to_string()),
            (date, format!("{},{}", second(from), second(query.to))),
            ("sort", sort.into()),
            ("direction", "asc".into()),
            ("limit", PAGE.to_string()),
            ("offset", offset.to_string()),
            ("with_count", "false".into()),
        ];
        self.one(rank, ALERTS, ALERTS.into(), asked, VIEW_ALERTS).await
    }

    /// These alerts as they are now, at most a hundred; those that are not there are left out.
    pub async fn alerts_named(&self, uuids: &[&str], rank: Rank) -> Listed<Alert> {
        let query = vec![("match[uuid]", uuids.join(",")), ("limit", PAGE.to_string()), ("with_count", "false".into())];
        let page: Page<Alert> = self.one(rank, ALERTS, ALERTS.into(), query, VIEW_ALERTS).await?;
        Ok(page.items)
    }

    /// One alert as it is now; [`SekoiaError::NotFound`] if it is gone.
    pub async fn alert(&self, id: &Id, rank: Rank) -> Result<Alert, SekoiaError> {
        let parts = ["stix", "comments", "history", "countermeasures"];
        let query = parts.map(|part| (part, "false".to_owned())).to_vec();
        self.one(rank, "/v1/sic/alerts/{id}", format!("{ALERTS}/{id}"), query, VIEW_ALERTS).await
    }

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
fn second(at: Timestamp) -> String {
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

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_list_is_settled_up_to_where_nothing_can_come_late() {
        let mut reach = Reach { read: second(100), settled: second(100) };
        // Far behind: whatever was read is settled.
        reach.page(second(110), second(200));
        reach.page(second(120), second(201));
        assert_eq!(reach.settled, second(120));
        // Near its end it is not yet, and a later page does not make up for an earlier one.
        reach.page(second(199), second(202));
        assert_eq!(reach.settled, second(197));
        reach.page(second(202), second(230));
        assert_eq!((reach.read, reach.settled), (second(202), second(197)));
    }

    #[test]
    fn a_clock_that_goes_back_unsettles_nothing_that_was() {
        let mut reach = Reach { read: second(100), settled: second(100) };
        reach.page(second(110), second(50));
        assert_eq!((reach.read, reach.settled), (second(110), second(100)));
    }
}
