//! For operators: all channels at a glance, and this channel's history.

use jiff::Timestamp;
use serde::Serialize;

use super::cards::today;
use super::{Ask, Bot, Told};
use crate::checklist::{Event, Session, StepId};
use crate::platform::{ChannelKey, UserId};
use crate::sessions::stream;
use crate::store::StoreError;
use crate::text::{count, shown};
use crate::view::{Control, Line, View, minute};

const CHANNELS: usize = 15;

/// A record of a channel's history, in words.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub seq: u64,
    pub at: Option<Timestamp>,
    /// A person's id, or `bot`.
    pub actor: String,
    pub what: String,
}

impl Bot {
    pub(super) async fn overview(&self, page: usize) -> Told {
        let first = (page - 1) * CHANNELS;
        // One more than shown tells whether there is a next page.
        let until = u32::try_from(first + CHANNELS + 1).unwrap_or(u32::MAX);
        let all = self.sessions.channels(None, until).await?;
        let mut lines = Vec::new();
        for channel in all.iter().skip(first).take(CHANNELS) {
            match self.sessions.read(channel).await {
                Ok(Some(session)) => lines.push(channel_line(channel, &session)),
                Ok(None) => {}
                // One that cannot be read hides none of the others.
                Err(StoreError::Corrupt { .. }) => {
                    lines.push(Line::new().channel(channel).say(" · this version cannot read its session"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        if lines.is_empty() {
            return Ok(View::sentence(if page == 1 {
                "No channel is set up yet. \"setup\" opens one."
            } else {
                "There is no such page; \"overview\" shows the first."
            }));
        }
        for parked in self.parked_messages().await? {
            let line = format!("⚠️ not delivered ({} {}): {}", parked.kind, parked.key, parked.why);
            lines.push(Line::from(shown(&line, 300)));
        }
        let mut controls = Vec::new();
        if page > 1 {
            controls.push(Control::button("Previous page", format!("overview {}", page - 1)));
        }
        if all.len() > first + CHANNELS {
            controls.push(Control::button("Next page", format!("overview {}", page + 1)));
        }
        Ok(View::new("All channels")
            .heading("All channels")
            .bullets(lines)
            .note(format!("Channels {} to {}", first + 1, all.len().min(first + CHANNELS)))
            .controls(controls))
    }

    /// The last records of a channel's history, newest first, and how many there are.
    pub async fn history(&self, channel: &ChannelKey, last: usize) -> Result<(u64, Vec<Entry>), StoreError> {
        let stream = stream(channel);
        let store = self.sessions.store();
        let version = store.load(&stream).await?.map_or(0, |loaded| loaded.version);
        let wanted = u32::try_from(last).unwrap_or(u32::MAX);
        let records = store.history(&stream, version.saturating_sub(last as u64), wanted).await?;
        let records = records.into_iter().rev().map(|record| Entry {
            seq: record.seq,
            at: record.at().ok(),
            what: serde_json::from_str::<Event>(&record.body).map_or_else(|_| record.kind.clone(), |e| told(&e)),
            actor: record.actor,
        });
        Ok((version, records.collect()))
    }

    pub(super) async fn audit(&self, ask: &Ask<'_>, last: usize) -> Told {
        let session = self.session(ask).await?;
        let (version, records) = self.history(ask.channel, last).await?;
        let lines = records.iter().map(|record| {
            let at = record.at.map_or_else(|| "?".to_owned(), minute);
            let line = Line::new().say(format!("{} · {at} · ", record.seq)).code(record.actor.clone());
            line.say(format!(" · {}", record.what))
        });
        Ok(View::new("History")
            .heading("History")
            .line(
                Line::new().strong(shown(&session.community.name, 80)).say(format!(
                    " · the last {} of {version}, newest first",
                    count(records.len(), "record", "records")
                )),
            )
            .bullets(lines.collect())
            .note("Whoever runs this bot proves the whole history with \"sekoia-chatops audit verify\"."))
    }
}

fn channel_line(channel: &ChannelKey, session: &Session) -> Line {
    let progress = session.progress();
    let mut line = Line::new().channel(channel).say(" · ").strong(shown(&session.community.name, 60)).say(format!(
        " · {} of {} settled",
        progress.settled(),
        progress.total
    ));
    if let Some(next) = session.next_to_do() {
        line = line.say(format!(" · next: {next}"));
    }
    let waiting = StepId::all().filter(|id| !session.step(*id).status.is_settled());
    let overdue = today(Timestamp::now());
    for id in waiting {
        let step = session.step(id);
        if let Some(user) = &step.assignee {
            line = line.say(format!(" · {} waits for ", id.name())).person(user);
        }
        if let Some(due) = step.due {
            line = line.say(format!(" · {} {} {due}", id.name(), if due < overdue { "overdue since" } else { "due" }));
        }
    }
    line
}

/// An event in words.
fn told(event: &Event) -> String {
    match event {
        Event::Opened { community, .. } => format!("opened for {}", shown(&community.name, 60)),
        Event::Rebound { community, .. } => format!("bound to {}", shown(&community.name, 60)),
        Event::ModeChanged { mode: crate::checklist::Mode::SingleTenant } => "the workspace is single-tenant".into(),
        Event::ModeChanged { mode: crate::checklist::Mode::MultiTenant } => "the workspace is multi-tenant".into(),
        Event::Verified { step, evidence } => format!("{} verified: {}", step.name(), shown(&evidence.summary, 100)),
        Event::Attested { step, .. } => format!("{} attested", step.name()),
        Event::Skipped { step, reason } => format!("{} skipped: {}", step.name(), shown(reason, 100)),
        Event::NotApplicable { step, .. } => format!("{} not applicable", step.name()),
        Event::Waiting { step, on } => format!("{} waits for {}", step.name(), shown(on, 60)),
        Event::Reopened { step } => format!("{} reopened", step.name()),
        Event::Drifted { step, what } => format!("{} open again: {}", step.name(), shown(what, 100)),
        Event::Assigned { step, to: Some(user) } => format!("{} assigned to {user}", step.name()),
        Event::Assigned { step, to: None } => format!("{} assigned to nobody", step.name()),
        Event::DueSet { step, due: Some(due) } => format!("{} due {due}", step.name()),
        Event::DueSet { step, due: None } => format!("{} without a due date", step.name()),
        Event::Concluded { concluded: c, .. } => {
            let by: Vec<&str> = c.approvers.iter().map(UserId::as_str).collect();
            let by = if by.is_empty() { String::new() } else { format!(", approved by {}", by.join(", ")) };
            let (what, hash) = (shown(&c.what, 100), crate::text::first(&c.hash, 12));
            format!("request {} {}: {what}, asked by {}{by}, SHA-256 {hash}…", c.request, c.outcome, c.asked_by.name())
        }
        Event::ProgressPosted { .. } => "progress message posted".into(),
        Event::Reset => "started over".into(),
    }
}
