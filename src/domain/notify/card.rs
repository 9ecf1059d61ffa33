//! What a channel's message about something at Sekoia says, and where it stands.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::journal::Entry;
use super::log::Noted;
use super::occurrence::{Alert, Occurrence, What};
use super::storm::{Names, Swarm};
use super::values::AlertStatus;
use crate::chat::{Actor, ChannelKey};

/// More may come of a message for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// An intake that sends again after this is not waited for.
const SILENT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// One message: about an alert, a silence, a failed run and so on, or about a storm of them. Stored: a
/// field is added, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    pub channel: ChannelKey,
    /// As it was when it was last looked at. Of a storm: the last that joined.
    pub occurrence: Occurrence,
    /// The channel's rules that fired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<u32>,
    /// When a rule fired for it last, if that was later than its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired: Option<Timestamp>,
    /// A rule of Sekoia's own reported it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub webhook: bool,
    /// Counts what is to be shown.
    pub seq: u64,
    /// Many firings of one rule in one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm: Option<Swarm>,
    /// The firings waited for the chat, and came to be one message then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// Of a storm: it is over, and no longer counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
    /// Of a storm: intakes that send again.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub again: Names,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
    /// The alert was deleted at Sekoia.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Events came again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sample: bool,
    /// By Sekoia's clock, if the alert's beginning was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<Timestamp>,
    /// When it was first to be said: messages of a channel come in this order.
    pub first: Timestamp,
}

/// That somebody acknowledged an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// None: it was done in Sekoia's console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    pub at: Timestamp,
}

impl Card {
    pub fn new(channel: &ChannelKey, occurrence: Occurrence, first: Timestamp) -> Self {
        Self {
            channel: channel.clone(),
            occurrence,
            rules: Vec::new(),
            fired: None,
            webhook: false,
            seq: 1,
            swarm: None,
            late: false,
            over: false,
            again: Names::default(),
            acknowledged: None,
            gone: false,
            back: None,
            sample: false,
            raised: None,
            first,
        }
    }

    /// The sample of a rule.
    pub fn of_sample(channel: &ChannelKey, rule: u32, occurrence: &Occurrence, first: Timestamp) -> Self {
        Self { rules: vec![rule], sample: true, ..Self::new(channel, occurrence.clone(), first) }
    }

    /// The message that something is said in.
    pub fn key(channel: &ChannelKey, occurrence: &Occurrence) -> String {
        let what = match &occurrence.what {
            What::AlertRaised(alert) | What::AlertUpdated(alert) => format!("alert-{}", alert.uuid),
            What::Silent(silence) | What::Resumed(silence) => {
                let intake = silence.intake.uuid.as_deref().unwrap_or_default();
                format!("silent-{intake}-{}", silence.since.unwrap_or(occurrence.at).as_second())
            }
            What::PlaybookError(playbook) => match &playbook.run {
                Some(run) => format!("playbook-{run}"),
                None => occurrence.id.to_string(),
            },
            What::CaseCreated(case) | What::CaseUpdated(case) => format!("case-{}", case.uuid),
            What::ConnectorError(_) | What::Other { .. } | What::Reported { .. } => occurrence.id.to_string(),
        };
        key(channel, &what)
    }

    pub fn storm_key(channel: &ChannelKey, rule: u32, swarm: &Swarm) -> String {
        key(channel, &format!("storm-{rule}-{}", swarm.first.as_millisecond()))
    }

    /// Of the firings of a rule that waited for the chat.
    pub fn late_key(channel: &ChannelKey, rule: u32, first: Timestamp) -> String {
        key(channel, &format!("late-{rule}-{}", first.as_millisecond()))
    }

    pub fn sample_key(channel: &ChannelKey, rule: u32, occurrence: &Occurrence) -> String {
        key(channel, &format!("sample-{rule}-{}", occurrence.id))
    }

    pub fn alert_key(channel: &ChannelKey, uuid: &str) -> String {
        key(channel, &format!("alert-{uuid}"))
    }

    /// When its storm is over, if it still counts.
    pub fn ends(&self) -> Option<Timestamp> {
        self.swarm.as_ref().filter(|_| !self.over && !self.late).and_then(Swarm::ends)
    }

    /// Until when it is of use: an intake that is silent for long may still come back.
    pub fn kept_until(&self, shown: bool) -> Timestamp {
        let silence = matches!(self.occurrence.what, What::Silent(_) | What::Resumed(_));
        let back = match &self.swarm {
            Some(swarm) => self.again.total() >= swarm.count,
            None => self.back.is_some(),
        };
        // That it came back is still to be shown.
        self.first + if silence && !(back && shown) { SILENT } else { KEPT }
    }

    /// When it is looked at again once it is shown.
    pub fn rests_until(&self) -> Timestamp {
        self.ends().unwrap_or_else(|| self.kept_until(true))
    }

    /// Whether it is about something that is over.
    pub fn is_over(&self) -> bool {
        self.gone || self.back.is_some() || matches!(self.occurrence.what, What::Resumed(_))
    }

    /// The storm's message says that it is over, if nothing joined it in time. Whether it did not yet.
    pub fn close(&mut self, now: Timestamp) -> bool {
        let over = self.ends().is_some_and(|end| now >= end);
        self.over |= over;
        over
    }

    /// The alert is gone at Sekoia. Whether that is new.
    pub fn lose(&mut self) -> bool {
        !std::mem::replace(&mut self.gone, true)
    }

    /// The alert was read at `now`; `by`: it was acknowledged here. What the channel's log takes in.
    pub fn read(&mut self, mut alert: Alert, by: Option<&Actor>, now: Timestamp) -> Vec<Noted> {
        let acknowledged = AlertStatus::Acknowledged.name();
        if by.is_some() {
            alert.status = Some(acknowledged.into());
        }
        let is_acknowledged = alert.status.as_deref() == Some(acknowledged);
        self.occurrence.what = What::AlertUpdated(alert);
        self.gone = false;
        let mut noted = Vec::new();
        if is_acknowledged && self.acknowledged.is_none() {
            noted = self.waited(now);
            self.acknowledged = Some(Acknowledged { by: by.cloned(), at: now });
        }
        // Sekoia reported it before this did.
        if let (Some(done), Some(_)) = (&mut self.acknowledged, by) {
            done.by = by.cloned();
        }
        noted
    }

    /// How long each rule's alert waited until it was acknowledged: as Sekoia says, or else as it was seen.
    pub(super) fn waited(&self, at: Timestamp) -> Vec<Noted> {
        let raised = self.raised.unwrap_or(self.first);
        let seen = u64::try_from(at.duration_since(raised).as_secs()).unwrap_or_default();
        let said = self.occurrence.what.alert().and_then(|alert| alert.acknowledged_after);
        let seconds = said.unwrap_or(seen);
        let each = self.rules.iter().map(|rule| Entry::Acknowledged { rule: *rule, seconds });
        // One alert, however many rules fired for it.
        let once_more = self.rules.iter().skip(1).map(|_| Entry::AcknowledgedAgain { seconds });
        each.chain(once_more).map(Noted::Entry).collect()
    }
}

fn key(channel: &ChannelKey, what: &str) -> String {
    format!("{channel}|{what}")
}
