//! This channel's history in words: its own records, the votes on its requests, and when execution
//! was frozen.

use jiff::Timestamp;

use crate::bot::approvals::card::proof_in_words;
use crate::bot::approvals::lines::by;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{count, first, shown};
use crate::chat::view::{Line, View};
use crate::chat::{Actor, ChannelKey, UserId};
use crate::domain::approval::{Approval, ApprovalId};
use crate::domain::checklist::{Concluded, Event, Mode, Session};
use crate::state::control::ControlEvent;
use crate::state::sessions::stream;
use crate::state::stream;
use crate::store::personal::{self, Erasure, Why};
use crate::store::{Record, StoreError};

/// Requests whose votes are looked up, beside those that are open.
const REQUESTS: usize = 50;

/// Something that happened, in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Tells it from every other entry of the channel.
    pub id: String,
    /// Its number among the channel's own records.
    pub seq: Option<u64>,
    pub at: Option<Timestamp>,
    pub by: Actor,
    pub what: Line,
}

impl Bot {
    /// The last entries of a channel's history, newest first, and how many records of its own the
    /// channel has.
    pub async fn history(&self, channel: &ChannelKey, last: usize) -> Result<(u64, Vec<Entry>), StoreError> {
        let stream = stream(channel);
        let store = self.sessions.store();
        let version = store.load(&stream).await?.map_or(0, |loaded| loaded.version);
        let wanted = u32::try_from(last).unwrap_or(u32::MAX);
        let own = store.history(&stream, version.saturating_sub(last as u64), wanted).await?;
        // What is older than those belongs to an older page.
        let Some(since) = own.first().and_then(|record| record.at().ok()) else { return Ok((version, Vec::new())) };
        let mut entries: Vec<Entry> = own.iter().map(recorded).collect();
        entries.extend(self.approvals.freezes(last).await?.iter().filter_map(frozen));
        for approval in self.requests_since(channel, since).await? {
            // The votes of a part are those of its bundle.
            if approval.request.bundle.is_none() {
                entries.extend(votes(&approval));
            }
        }
        entries.retain(|entry| entry.at.is_none_or(|at| at >= since));
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.seq)));
        entries.truncate(last);
        Ok((version, entries))
    }

    /// The channel's requests that are open, or came to their end since.
    async fn requests_since(&self, channel: &ChannelKey, since: Timestamp) -> Result<Vec<Approval>, StoreError> {
        let mut found = self.approvals.open().await?;
        found.retain(|approval| approval.request.channel == *channel);
        let Some(session) = self.sessions.read(channel).await? else { return Ok(found) };
        let ended = session.requests.iter().rev().take_while(|(at, _)| *at >= since).take(REQUESTS);
        for (_, concluded) in ended {
            match self.approvals.read(&ApprovalId::from(&*concluded.request)).await {
                Ok(Some(approval)) if found.iter().all(|known| known.id != approval.id) => found.push(approval),
                Ok(_) => {}
                // One that cannot be read hides none of the others.
                Err(error @ StoreError::Corrupt { .. }) => tracing::error!(%error, "a request cannot be read"),
                Err(error) => return Err(error),
            }
        }
        let named: Vec<ApprovalId> = found
            .iter()
            .filter_map(|approval| approval.request.bundle.as_ref().map(|bundle| bundle.id.clone()))
            .collect();
        for id in named {
            if found.iter().all(|known| known.id != id)
                && let Some(bundle) = self.approvals.read(&id).await?
            {
                found.push(bundle);
            }
        }
        Ok(found)
    }

    pub(in crate::bot) async fn audit(&self, ask: &Ask<'_>, last: usize) -> CommandResult {
        let session = self.session(ask).await?;
        let (version, entries) = self.history(ask.channel, last).await?;
        Ok(View::new("History")
            .heading("History")
            .line(about(&session, entries.len(), version))
            .bullets(entries.iter().map(Entry::line).collect())
            .note(Line::marked(
                "Your bot administrator can prove the whole history with `sekoia-chatops audit verify`.",
            )))
    }
}

fn about(session: &Session, entries: usize, version: u64) -> Line {
    let line = Line::new().strong(shown(&session.community.name, 80));
    line.say(format!(" · the last {entries} entries, newest first; the channel's last record is number {version}"))
}

impl Entry {
    fn line(&self) -> Line {
        let mut line = Line::new();
        if let Some(seq) = self.seq {
            line = line.say(format!("{seq} · "));
        }
        if let Some(at) = self.at {
            line = line.moment(at).say(" · ");
        }
        by(line, &self.by).say(" · ").append(self.what.clone())
    }
}

/// A record of the channel's own.
fn recorded(record: &Record) -> Entry {
    let what = match serde_json::from_str::<Event>(&record.text()) {
        _ if record.kind == personal::KIND => erased(record),
        Ok(event) => event_in_words(&event),
        Err(_) => Line::from(record.kind.clone()),
    };
    let (at, by) = (record.at().ok(), stream::actor(&record.actor));
    Entry { id: record.seq.to_string(), seq: Some(record.seq), at, by, what }
}

/// That personal data was erased: how much, and why.
fn erased(record: &Record) -> Line {
    let Ok(Erasure { why, values, .. }) = serde_json::from_str(&record.body) else { return record.kind.clone().into() };
    let why = match why {
        Why::Redact => "on request",
        Why::Retention => "its time is over",
    };
    format!("erased {} ({why})", count(values, "personal value", "personal values")).into()
}

fn frozen(record: &Record) -> Option<Entry> {
    let what = match serde_json::from_str::<ControlEvent>(&record.text()).ok()? {
        ControlEvent::Frozen { reason } => format!("🧊 froze all execution: {}", shown(&reason, 200)),
        ControlEvent::Unfrozen => "lifted the freeze".into(),
    };
    let (at, by) = (record.at().ok(), stream::actor(&record.actor));
    Some(Entry { id: format!("freeze {}", record.seq), seq: None, at, by, what: what.into() })
}

/// Approvals of a request. Who asked, and what it came to, stands in the channel's own records.
fn votes(approval: &Approval) -> impl Iterator<Item = Entry> + '_ {
    approval.votes.iter().enumerate().map(|(n, vote)| Entry {
        id: format!("{} {n}", approval.id),
        seq: None,
        at: Some(vote.at),
        by: Actor::Person(vote.by.clone()),
        what: Line::new()
            .say("approved request ")
            .code(approval.id.to_string())
            .say(format!(": {}", shown(&approval.request.action.title(), 100)))
            .say(vote.proof.as_deref().map_or(String::new(), |proof| format!(" · {}", proof_in_words(proof)))),
    })
}

fn event_in_words(event: &Event) -> Line {
    Line::from(match event {
        Event::Opened { community, .. } => format!("opened for {}", shown(&community.name, 60)),
        Event::Rebound { community, .. } => format!("bound to {}", shown(&community.name, 60)),
        Event::ModeChanged { mode: Mode::SingleTenant } => "the workspace is single-tenant".into(),
        Event::ModeChanged { mode: Mode::MultiTenant } => "the workspace is multi-tenant".into(),
        Event::Verified { step, evidence } => format!("{} verified: {}", step.name(), shown(&evidence.summary, 100)),
        Event::Seen { step, evidence } => format!("{} seen: {}", step.name(), shown(&evidence.summary, 100)),
        Event::Attested { step, .. } => format!("{} attested", step.name()),
        Event::Skipped { step, reason } => format!("{} skipped: {}", step.name(), shown(reason, 100)),
        Event::NotApplicable { step, .. } => format!("{} not applicable", step.name()),
        Event::Waiting { step, on } => format!("{} waits for {}", step.name(), shown(on, 60)),
        Event::Reopened { step } => format!("{} reopened", step.name()),
        Event::Drifted { step, what } => format!("{} open again: {}", step.name(), shown(what, 100)),
        Event::Assigned { step, to: Some(user) } => {
            return Line::new().say(format!("{} assigned to ", step.name())).person(user);
        }
        Event::Assigned { step, to: None } => format!("{} assigned to nobody", step.name()),
        Event::DueSet { step, due: Some(due) } => format!("{} due {due}", step.name()),
        Event::DueSet { step, due: None } => format!("{} without a due date", step.name()),
        Event::Concluded { concluded, .. } => return concluded_in_words(concluded),
        Event::AccountGiven { .. } => "said which account at Sekoia is theirs".into(),
        Event::AddressShared { app } => format!("address shared: {}", shown(app, 80)),
        Event::QuickStartSent { products, people } => {
            let products: Vec<&str> = products.iter().map(|product| product.name()).collect();
            format!("quick start of {} posted, and sent to {}", products.join(", "), count(*people, "person", "people"))
        }
        Event::ProgressPosted { .. } => "progress message posted".into(),
        Event::Reset => "started over".into(),
    })
}

/// Who did what about a request, and why.
fn concluded_in_words(c: &Concluded) -> Line {
    let mut line = Line::new().say("request ").code(c.request.to_string()).say(format!(" {}", c.outcome));
    if let Some(actor) = &c.ended_by {
        line = by(line.say(" by "), actor);
    }
    if let Some(reason) = &c.reason {
        line = line.say(format!(" (\"{}\")", shown(reason, 200)));
    }
    line = by(line.say(format!(": {}, asked by ", shown(&c.what, 100))), &c.asked_by);
    if !c.approvers.is_empty() {
        line = all(line.say(", approved by "), &c.approvers);
    }
    line.say(format!(", SHA-256 {}…", first(&c.hash, 12)))
}

fn all(line: Line, people: &[UserId]) -> Line {
    people.iter().enumerate().fold(line, |line, (i, user)| {
        let line = if i > 0 { line.say(" and ") } else { line };
        line.person(user)
    })
}
