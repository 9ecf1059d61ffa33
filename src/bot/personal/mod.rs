//! What waits for one person, in every channel: found out with the rights that they have there; and what
//! they are reminded of.

mod home;
mod reminders;
mod view;

pub(super) use view::{assigned_view, from_anywhere, reminder_view};

use std::collections::HashMap;

use jiff::civil::Date;

use super::approvals::approvers::Deciding;
use super::approvals::waiting::Reader;
use super::failure::Failure;
use super::{Ask, Bot, CommandResult};
use crate::chat::view::Line;
use crate::chat::{ChannelKey, ChatError, ChatPlatform, UserId};
use crate::domain::access::{Rights, Unread};
use crate::domain::approval::{Approval, Status};
use crate::domain::checklist::{Progress, Session, StepId};
use crate::store::StoreError;

/// Channels that are looked through.
const MOST_CHANNELS: u32 = 1_000;
const OPEN_CHECKLIST: &str = "Open the checklist";

/// What waits for one person.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Requests that they can decide, the one whose time runs out first at the front.
    pub decide: Vec<(Approval, Reader)>,
    /// Requests of theirs that nobody else can go on with.
    pub own: Vec<(Approval, Reader)>,
    /// Steps that are theirs, by their due dates.
    pub steps: Vec<AssignedStep>,
    /// Channels that they are in.
    pub channels: Vec<Place>,
    pub unread: Vec<Unread>,
    /// Channels about which the chat platform did not answer.
    pub unknown: usize,
    pub frozen: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct AssignedStep {
    pub channel: ChannelKey,
    pub community: Box<str>,
    pub step: StepId,
    pub due: Option<Date>,
    /// To the channel's checklist.
    pub link: Option<Line>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub channel: ChannelKey,
    pub community: Box<str>,
    pub progress: Progress,
    pub next: Option<StepId>,
    pub link: Option<Line>,
}

/// What is asked again and again while an inbox is put together.
struct Looked<'a> {
    chat: &'a dyn ChatPlatform,
    user: &'a UserId,
    team: &'a str,
    /// Whether the bot works in a channel, where that is known.
    channels: HashMap<ChannelKey, bool>,
    /// Whether they are among those who decide by these settings.
    approves: HashMap<Deciding, bool>,
}

impl<'a> Looked<'a> {
    fn new(chat: &'a dyn ChatPlatform, user: &'a UserId, team: &'a str) -> Self {
        Self { chat, user, team, channels: HashMap::new(), approves: HashMap::new() }
    }
}

impl Bot {
    pub(super) async fn inbox(&self, ask: &Ask<'_>, page: usize) -> CommandResult {
        let rights = self.policy.rights_anywhere(&self.chats, ask.actor).await?;
        let inbox = self.inbox_of(ask.actor, &rights).await?;
        Ok(view::inbox(&inbox, page, ask.now))
    }

    /// Only of channels in which the bot works, and only what the person may see wherever they ask.
    async fn inbox_of(&self, user: &UserId, rights: &Rights) -> Result<Inbox, Failure> {
        let chat = self.chats.of_user(user).map_err(Failure::Chat)?;
        let team = chat.team().await.map_err(Failure::Chat)?;
        let mut inbox = Inbox { frozen: self.approvals.frozen().await?.is_some(), ..Inbox::default() };
        let mut looked = Looked::new(chat, user, &team);
        for approval in self.approvals.open().await? {
            if approval.request.channel.platform() != chat.name() {
                continue;
            }
            let reader = self.reader_anywhere(&mut looked, &approval, rights, &mut inbox).await;
            let (decides, own) = (reader.is_waited_for(&approval), reader.asked && waits_for_requester(&approval));
            if (decides || own) && self.is_admitted(&mut looked, &approval.request.channel, &mut inbox).await {
                if decides { &mut inbox.decide } else { &mut inbox.own }.push((approval, reader));
            }
        }
        self.add_channels(&mut looked, &mut inbox).await?;
        inbox.steps.sort_by_key(|step| (step.due.is_none(), step.due));
        Ok(inbox)
    }

    /// The steps that are theirs, and the channels that they are in.
    async fn add_channels(&self, looked: &mut Looked<'_>, inbox: &mut Inbox) -> Result<(), Failure> {
        let mut open = Vec::new();
        for channel in self.sessions.channels(None, MOST_CHANNELS).await? {
            if channel.platform() != looked.chat.name() {
                continue;
            }
            match self.sessions.read(&channel).await {
                Ok(Some(session)) => open.push((channel, session)),
                // One that cannot be read hides none of the others.
                Ok(None) | Err(StoreError::Corrupt { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let all: Vec<ChannelKey> = open.iter().map(|(channel, _)| channel.clone()).collect();
        let joined = looked.chat.joined(looked.user, &all).await.unwrap_or_else(|_| {
            inbox.unknown = inbox.unknown.max(all.len());
            Vec::new()
        });
        for (channel, session) in open {
            let steps: Vec<StepId> = assigned(&session, looked.user).collect();
            let is_in = joined.contains(&channel);
            if (steps.is_empty() && !is_in) || !self.is_admitted(looked, &channel, inbox).await {
                continue;
            }
            let checklist = session.progress.as_ref().filter(|_| is_in);
            let link = self.link_to(&channel, checklist, OPEN_CHECKLIST).await;
            let community = &session.community.name;
            inbox.steps.extend(steps.into_iter().map(|step| AssignedStep {
                channel: channel.clone(),
                community: community.clone(),
                step,
                due: session.step(step).due,
                link: link.clone(),
            }));
            if is_in {
                let (progress, next) = (session.progress(), session.next_to_do());
                inbox.channels.push(Place { channel, community: community.clone(), progress, next, link });
            }
        }
        Ok(())
    }

    /// What they may do about a request. Where it cannot be found out whether they are an approver, they
    /// are none: what they may not see is not shown to them.
    async fn reader_anywhere(
        &self,
        looked: &mut Looked<'_>,
        approval: &Approval,
        rights: &Rights,
        inbox: &mut Inbox,
    ) -> Reader {
        let own = approval.is_asked_by(looked.user) && !approval.request.self_approval;
        let undecided = matches!(approval.status(), Status::Requested | Status::Held);
        let decides = undecided && !own && self.approves(looked, approval, inbox).await;
        let voted = approval.status() == Status::Requested && approval.votes.iter().any(|vote| vote.by == *looked.user);
        Reader { asked: approval.requester() == Some(looked.user), decides, voted, operator: rights.operator }
    }

    async fn approves(&self, looked: &mut Looked<'_>, approval: &Approval, inbox: &mut Inbox) -> bool {
        let deciding = self.deciding(approval, Some(looked.user));
        if let Some(known) = looked.approves.get(&deciding) {
            return *known;
        }
        let approves = match self.is_among_all(&deciding, looked.chat, looked.user).await {
            Ok(approves) => approves,
            Err(unread) => {
                if !inbox.unread.contains(&unread) {
                    inbox.unread.push(unread);
                }
                false
            }
        };
        looked.approves.insert(deciding, approves);
        approves
    }

    /// Whether the bot works there at all.
    async fn is_admitted(&self, looked: &mut Looked<'_>, channel: &ChannelKey, inbox: &mut Inbox) -> bool {
        if channel.team() != looked.team {
            return false;
        }
        if let Some(known) = looked.channels.get(channel) {
            return *known;
        }
        let admitted = match self.policy.works_in(looked.chat, channel).await {
            Ok(works) => works,
            Err(ChatError::NotInChannel | ChatError::NotAChannel | ChatError::Archived) => false,
            Err(_) => {
                inbox.unknown += 1;
                false
            }
        };
        looked.channels.insert(channel.clone(), admitted);
        admitted
    }
}

/// Steps of a channel that are theirs and not settled.
fn assigned<'a>(session: &'a Session, user: &'a UserId) -> impl Iterator<Item = StepId> + 'a {
    StepId::all().filter(move |id| {
        let step = session.step(*id);
        step.assignee.as_ref() == Some(user) && !step.status.is_settled()
    })
}

/// Whether who asked has to do something about it. What becomes of a part is the bundle's to say, but
/// for a key, which is its owner's.
fn waits_for_requester(approval: &Approval) -> bool {
    if approval.request.bundle.is_some() && !approval.request.action.is_secret(0) {
        return false;
    }
    match approval.status() {
        Status::Approved => approval.waits_for_a_press(0),
        // Its keys have requests of their own.
        Status::Handover => !approval.is_bundle(),
        Status::ByHand | Status::Unknown => true,
        _ => false,
    }
}
