//! Alerts: their list, caught up with by date, and one or some of them.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::entries::{MOST_PAGES, PAGE, distinct};
use super::lenient::Page;
use super::listing::MOST_BYTES;
use super::monitor::{Id, second};
use super::transport::{Call, Read, Verb};
use super::{Alert, AlertStatus, Listed, Sekoia, SekoiaError};
use crate::pace::Rank;
use crate::timing::sekoia::LISTED_WITHIN;

const ALERTS: &str = "/v1/sic/alerts";
const VIEW_ALERTS: &str = "View alerts";

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

/// Whether an answer of success says that the alert stands there now. What Sekoia answers is not
/// documented: only the alert itself is believed.
pub fn says_moved(alert: &str, to: AlertStatus, status: u16, body: &str) -> bool {
    let answered: Option<Alert> = serde_json::from_str(body).ok();
    status == 200 && answered.is_some_and(|a| a.uuid.eq_ignore_ascii_case(alert) && a.status() == Some(to))
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
        Ok(distinct(page.items))
    }

    /// The alerts of a stretch of time, at least `most` of them and some beyond `query.beyond`, if
    /// there are so many. Pages go on from the last date rather than by number, so that an alert
    /// that is deleted meanwhile makes no other one slip through.
    pub async fn alerts(&self, query: &AlertQuery, most: usize, rank: Rank) -> Result<AlertList, SekoiaError> {
        let mut alerts: Vec<Alert> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let (mut from, mut offset) = (query.from.as_second(), 0);
        let mut reach = Reach { read: query.from, settled: query.from };
        let mut bytes = 0;
        // What the page before began with, if it was of the same stretch.
        let mut before: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let (page, size) = self.alerts_page(query, from, offset, rank).await?;
            let got = page.items.len();
            bytes += size;
            let first = page.items.first().map(|alert| alert.uuid.clone());
            if first.is_some() && first == before {
                let what = "the same alerts again and again instead of further pages".into();
                return Err(SekoiaError::Malformed { what });
            }
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
            if bytes >= MOST_BYTES || (alerts.len() >= most && reach.read > query.beyond) {
                return Ok(AlertList { alerts, complete: false, settled: reach.settled });
            }
            match last.map(Timestamp::as_second) {
                Some(last) if last > from => (from, offset, before) = (last, 0, None),
                _ => (offset, before) = (offset + got, first),
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
    ) -> Result<(Page<Alert>, usize), SekoiaError> {
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
        let (name, needs) = (ALERTS, VIEW_ALERTS);
        let read = Read { name, path: ALERTS.into(), query: asked, body: None, needs, within: None };
        self.transport.get_sized(rank, &read).await
    }

    /// These alerts as they are now, at most a hundred; those that are not there are left out.
    pub async fn alerts_named(&self, uuids: &[&str], rank: Rank) -> Listed<Alert> {
        let query = vec![("match[uuid]", uuids.join(",")), ("limit", PAGE.to_string()), ("with_count", "false".into())];
        let page: Page<Alert> = self.one(rank, ALERTS, ALERTS.into(), query, VIEW_ALERTS).await?;
        Ok(distinct(page.items))
    }

    /// One alert as it is now; [`SekoiaError::NotFound`] if it is gone.
    pub async fn alert(&self, id: &Id, rank: Rank) -> Result<Alert, SekoiaError> {
        let parts = ["stix", "comments", "history", "countermeasures"];
        let query = parts.map(|part| (part, "false".to_owned())).to_vec();
        self.one(rank, "/v1/sic/alerts/{id}", format!("{ALERTS}/{id}"), query, VIEW_ALERTS).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_list_is_settled_up_to_where_nothing_can_come_late() {
        let mut reach = Reach { read: at(100), settled: at(100) };
        // Far behind: whatever was read is settled.
        reach.page(at(110), at(200));
        reach.page(at(120), at(201));
        assert_eq!(reach.settled, at(120));
        // Near its end it is not yet, and a later page does not make up for an earlier one.
        reach.page(at(199), at(202));
        assert_eq!(reach.settled, at(197));
        reach.page(at(202), at(230));
        assert_eq!((reach.read, reach.settled), (at(202), at(197)));
    }

    #[test]
    fn a_clock_that_goes_back_unsettles_nothing_that_was() {
        let mut reach = Reach { read: at(100), settled: at(100) };
        reach.page(at(110), at(50));
        assert_eq!((reach.read, reach.settled), (at(110), at(100)));
    }
}
