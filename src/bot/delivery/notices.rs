//! Notices to one person, in a conversation of their own.

use std::future::ready;

use jiff::Timestamp;
use tracing::error;

use super::message::Post;
use crate::bot::Bot;
use crate::bot::approvals::card::{asked, noting, outcome_line, outcomes, risks, votes};
use crate::bot::approvals::controls::controls_for;
use crate::bot::approvals::lines::{self, held_line};
use crate::bot::approvals::reminders::about;
use crate::bot::approvals::resend;
use crate::bot::approvals::waiting::Reader;
use crate::bot::failure::Failure;
use crate::bot::personal::{assigned_view, reminder_view};
use crate::bot::steps::quickstart;
use crate::chat::text::{count, shown};
use crate::chat::view::{Control, Line, View};
use crate::chat::{ChannelKey, ChatError, UserId};
use crate::domain::approval::{Approval, ApprovalId, Guest, Item, Stage, Status};
use crate::pace::Rank;
use crate::state::owed::{Notice, RequestUpdate, See};
use crate::state::sessions::ChangeError;
use crate::store::{StoreError, Work};

const OPEN_CARD: &str = "Open the card";
/// Lines of outcomes; the card has them all.
const LISTED: usize = 5;

impl Bot {
    /// Sends one person a notice, in their own conversation with the bot.
    pub(super) async fn notify(&self, work: &Work) -> Result<Result<(), ChatError>, StoreError> {
        let Ok(notice) = serde_json::from_str::<Notice>(&work.body) else {
            error!("a notice cannot be read; it is dropped");
            return Ok(Ok(()));
        };
        let (to, view) = match notice {
            Notice::Line { to, text, about, see } => {
                let view = View::sentence(naming(&text, about.as_ref()));
                (to, self.with_link(view, about.as_ref(), see).await?)
            }
            Notice::QuickStart { to, from, by, products } => {
                let view = quickstart::brief(&products, &self.sekoia.app);
                let line = lines::by(Line::new().say("Sent to you by "), &by).say(" from ").channel(&from);
                (to, view.note(line))
            }
            Notice::Assigned { to, channel, step, by } => {
                // It may be somebody else's by now.
                let Some(step) = self.step_of(&to, &channel, step).await? else { return Ok(Ok(())) };
                (to, assigned_view(&step, &by))
            }
            Notice::Reminder { to, on } => match self.steps_of(&to).await {
                Ok(inbox) if inbox.unknown > 0 => {
                    return Ok(Err(ChatError::Unavailable("its channels could not be looked up".into())));
                }
                Ok(inbox) => {
                    let Some(view) = reminder_view(&inbox.steps, on) else { return Ok(Ok(())) };
                    (to, view)
                }
                Err(Failure::Chat(error)) => return Ok(Err(error)),
                Err(Failure::Change(ChangeError::Store(error))) => return Err(error),
                Err(_) => return Ok(Err(ChatError::Unavailable("its steps could not be looked up".into()))),
            },
            Notice::Request { update, to } => {
                let id = work.key.split('/').next().unwrap_or_default();
                let Some(approval) = self.approvals.read(&ApprovalId::from(id)).await? else { return Ok(Ok(())) };
                let Some(to) = to.or_else(|| approval.requester().cloned()) else { return Ok(Ok(())) };
                let card = match &approval.request.bundle {
                    Some(bundle) => self.approvals.read(&bundle.id).await?.and_then(|bundle| bundle.card),
                    None => approval.card.clone(),
                };
                let over = approval.is_over(Timestamp::now()) || !approval.may_still_decide(&to);
                if matches!(update, RequestUpdate::Reminder | RequestUpdate::Escalated) && over {
                    return Ok(Ok(()));
                }
                let link = self.link_to(&approval.request.channel, card.as_ref(), OPEN_CARD).await;
                let Some(mut view) = update_view(&approval, update, link) else { return Ok(Ok(())) };
                if approval.status().is_open()
                    && let Some(frozen) = self.approvals.frozen().await?
                {
                    view = self.native_to(to.platform(), noting(view, &frozen)).await;
                }
                (to, view)
            }
        };
        Ok(self.notify_person(&to, view, work).await)
    }

    /// With a link to what it is about, if that stands anywhere.
    async fn with_link(&self, view: View, about: Option<&ChannelKey>, see: Option<See>) -> Result<View, StoreError> {
        let (Some(channel), Some(see)) = (about, see) else { return Ok(view) };
        let (message, label) = match see {
            See::Checklist => (self.progress_of(channel).await?, "Open the checklist"),
            See::Card(id) => (self.approvals.read(&id).await?.and_then(|approval| approval.card), OPEN_CARD),
        };
        Ok(match self.link_to(channel, message.as_ref(), label).await {
            Some(link) => view.line(link),
            None => view,
        })
    }

    async fn notify_person(&self, to: &UserId, view: View, work: &Work) -> Result<(), ChatError> {
        let channel = self.chats.of_user(to)?.direct(to).await?;
        let post = Post::once(self, work, &channel, format!("notice {}", work.key), Rank::Person);
        self.post_once(&post, ready(view)).await.map(|_| ())
    }
}

/// The text, with the channel's name where its id stands: people know no ids.
fn naming(text: &str, channel: Option<&ChannelKey>) -> Line {
    match channel.and_then(|channel| Some((text.split_once(channel.channel())?, channel))) {
        Some(((before, after), channel)) => copyable(copyable(Line::new(), before).channel(channel), after),
        None => copyable(Line::new(), text),
    }
}

/// Commands in backticks can be copied; any other backtick is a person's own.
fn copyable(mut line: Line, mut text: &str) -> Line {
    while let Some((before, typed)) = text.split_once("`/") {
        let Some((typed, after)) = typed.split_once('`') else { break };
        line = if before.is_empty() { line } else { line.say(before.to_owned()) }.code(format!("/{typed}"));
        text = after;
    }
    if text.is_empty() { line } else { line.say(text.to_owned()) }
}

/// None if there is nothing to say of it any more.
fn update_view(approval: &Approval, update: RequestUpdate, link: Option<Line>) -> Option<View> {
    let title = approval.request.action.title();
    let mut place =
        Line::new().say("In ").channel(&approval.request.channel).say(format!(" · request {}", approval.id));
    if let Some(bundle) = &approval.request.bundle {
        place = place.say(format!(", part of {}", bundle.id));
    }
    if let Some(link) = link {
        place = place.say(" · ");
        place.0.extend(link.0);
    }
    let id = &approval.id;
    match update {
        RequestUpdate::ToDecide => {
            let status = approval.status();
            if status != Status::Requested {
                return None;
            }
            let view = View::sentence(Line::new().say("Approval needed: ").strong(title)).line(asked(approval));
            let view = view.bullets(risks(approval));
            let view = match outcome_line(approval, status) {
                Some(line) => view.line(line),
                None => view,
            };
            Some(view.line(place).controls(controls_for(approval, Reader::DECIDES)))
        }
        RequestUpdate::Reminder | RequestUpdate::Escalated => {
            let why = if update == RequestUpdate::Reminder { "Reminder: " } else { "Escalated to you: " };
            let view = View::sentence(about(why, approval, false, Timestamp::now()));
            let view = view.line(asked(approval)).bullets(risks(approval));
            Some(view.line(place).controls(controls_for(approval, Reader::DECIDES)))
        }
        RequestUpdate::Ready => {
            if approval.status() != Status::Approved {
                return None;
            }
            let line = Line::new()
                .say("Approved: ")
                .strong(title)
                .say(". It is created when you press the button, and shown to you once, until ");
            let view = View::sentence(line.moment(approval.request.expires)).bullets(votes(approval)).line(place);
            Some(view.controls(vec![Control::primary("Create and show", format!("show {id}"))]))
        }
        RequestUpdate::Held => {
            let line = held_line(approval)?;
            let view = View::sentence(Line::new().strong(title)).line(line).line(place);
            // Those who approve decide on the card, which knows who they are.
            Some(view)
        }
        RequestUpdate::NotCreated => {
            if approval.status() != Status::Approved {
                return None;
            }
            let line = Line::new()
                .strong(title)
                .say(": the key was not created. You may press again until ")
                .moment(approval.request.expires)
                .say(".");
            let again = vec![Control::primary("Create and show", format!("show {id}"))];
            Some(View::sentence(line).line(place).controls(again))
        }
        RequestUpdate::Withdrawn | RequestUpdate::SecretLost => {
            let why = match update {
                RequestUpdate::SecretLost => "you lost the key's secret",
                _ => "no one confirmed that the key's secret was saved",
            };
            let line = Line::new().strong(title).say(format!(": {why}, so the key was revoked."));
            let again = approval.status() == Status::Approved;
            let line = if again {
                line.say(" You may press again until ").moment(approval.request.expires).say(".")
            } else {
                line
            };
            let view = View::sentence(line).line(place);
            let controls = if again { vec![Control::primary("Create and show", format!("show {id}"))] } else { vec![] };
            Some(view.controls(controls))
        }
        RequestUpdate::Lapsed => {
            let lapsed: Vec<&str> = approval
                .guests
                .iter()
                .enumerate()
                .filter(|(_, g)| **g == Guest::Lapsed)
                .map(|(i, _)| approval.request.action.target(i))
                .collect();
            let listed: Vec<String> = lapsed.iter().take(10).map(|p| shown(p, 80)).collect();
            let more = if lapsed.len() > 10 { format!(" and {} more", lapsed.len() - 10) } else { String::new() };
            let line = format!(
                "{} not accepted within 24 hours, so the links have lapsed: {}{more}. Send again replaces them by new invitations, after an approval.",
                count(lapsed.len(), "invitation was", "invitations were"),
                listed.join(", ")
            );
            let again = vec![Control::button("Send again", resend::words(id))];
            Some(View::sentence(line).line(place).controls(again))
        }
        RequestUpdate::Outcome => {
            let status = approval.status();
            let line = match (&approval.stage, status) {
                (Stage::Rejected { reason, change }, _) => {
                    let line = Line::new().say("Rejected");
                    let line = match &change.by {
                        crate::chat::Actor::Person(user) => line.say(" by ").person(user),
                        crate::chat::Actor::Bot => line,
                    };
                    line.say(": ").strong(title).say(format!(". Reason: {}", shown(reason, 300)))
                }
                (Stage::Expired { .. }, _) => {
                    Line::new().say("Expired: ").strong(title).say(". Ask again if it is still wanted.")
                }
                (_, Status::Succeeded) => Line::new().say("Done: ").strong(title),
                (_, Status::Handover) => Line::new().say("Done in part: ").strong(title),
                (_, Status::Failed) if approval.count(Item::is_done) > 0 => {
                    Line::new().say("Done in part: ").strong(title)
                }
                (_, Status::Failed) => Line::new().say("Failed: ").strong(title),
                (_, Status::ByHand) => {
                    Line::new().say("Sekoia does not let the bot do this, so it has to be done by hand: ").strong(title)
                }
                (_, Status::Unknown) => Line::new().say("It is unknown whether this was done: ").strong(title),
                _ => return None,
            };
            let mut view = View::sentence(line);
            if status != Status::Succeeded {
                view = view.bullets(outcomes(approval, LISTED).0);
            }
            Some(view.line(place))
        }
    }
}
