//! Connectors that fail.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::source::{PollContext, PollError, RANK, Report, Source};
use crate::domain::notify::{self, Named, Trigger, What};

const KEPT: &str = "connectors";

pub(super) struct Connectors;

/// The failing ones, since when; what failed before anybody looked is not news.
#[derive(Default, PartialEq, Clone, Serialize, Deserialize)]
struct ConnectorCursor {
    failing: BTreeMap<String, Timestamp>,
}

#[async_trait]
impl Source for Connectors {
    fn triggers(&self) -> &'static [Trigger] {
        &[Trigger::ConnectorError]
    }

    async fn look(&self, ground: &PollContext<'_>) -> Result<Report, PollError> {
        if !ground.watched.waits_for(Trigger::ConnectorError) {
            return Ok(Report::default());
        }
        let before: Option<ConnectorCursor> = ground.kept(KEPT).await?;
        let mut report = Report::default();
        let mut kept = ConnectorCursor::default();
        let connectors = ground.bot.sekoia().connectors(ground.community, RANK).await?;
        ground.bot.notifications.health.count(ground.community, |counted| counted.connectors = Some(connectors.len()));
        for connector in connectors {
            if !connector.fails() {
                continue;
            }
            let known = before.as_ref().and_then(|before| before.failing.get(&connector.uuid)).copied();
            let since = known.unwrap_or(ground.now);
            if known.is_none() && before.is_some() {
                let what = What::ConnectorError(notify::Connector {
                    connector: Named::new(&connector.uuid, connector.name()),
                    error: connector.status_message.as_deref().map(Into::into),
                });
                let id = format!("connector-{}-{}", connector.uuid, since.as_second());
                report.occurrences.push(ground.occurrence(id, since, what));
            }
            kept.failing.insert(connector.uuid, since);
        }
        if before.as_ref() != Some(&kept) {
            report.kept.push(ground.keep(KEPT, &kept));
        }
        Ok(report)
    }
}
