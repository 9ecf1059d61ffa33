//! What an open request waits for, and what one reader may do about it.

use jiff::Timestamp;

use super::approvers::{Approvers, Deciding};
use super::lines::{by, held_line, people};
use crate::bot::failure::Failure;
use crate::bot::{Ask, Bot};
use crate::chat::text::{count, shown};
use crate::chat::view::{Line, ahead};
use crate::domain::access::Right;
use crate::domain::action::Kind;
use crate::domain::approval::{Approval, Item, Status};

/// What makes one reader of a request different from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// It is their own request.
    pub asked: bool,
    /// They are among those who may decide it.
    pub decides: bool,
    /// They approved it already.
    pub voted: bool,
    pub operator: bool,
}

impl Reader {
    /// Somebody who can decide a request of which nothing else is theirs.
    pub const DECIDES: Reader = Reader { asked: false, decides: true, voted: false, operator: false };

    /// Whether a control of the request is of any use to them, by the words that it stands for.
    pub fn may_press(self, words: &str) -> bool {
        match words.split(' ').next().unwrap_or_default() {
            "approve" => self.decides && !self.voted,
            "reject" => self.decides,
            "cancel" | "show" | "saved" | "lost" | "retire" => self.asked,
            _ => self.operator,
        }
    }

    /// Whether the request waits for their decision.
    pub fn is_waited_for(self, approval: &Approval) -> bool {
        matches!(approval.status(), Status::Requested | Status::Held) && self.decides && !self.voted
    }
}

impl Bot {
    pub(super) async fn reader_of(&self, ask: &Ask<'_>, approval: &Approval) -> Reader {
        let asked = approval.requester() == Some(ask.actor);
        let own = approval.is_asked_by(ask.actor) && !approval.request.self_approval;
        let decides = !own && self.is_approver(ask, &self.deciding(approval, Some(ask.actor))).await;
        // Who approved it may also confirm what was held since.
        let asked_once = approval.status() == Status::Requested;
        let voted = asked_once && approval.votes.iter().any(|vote| vote.by == *ask.actor);
        Reader { asked, decides, voted, operator: ask.rights.operator }
    }

    async fn is_approver(&self, ask: &Ask<'_>, deciding: &Deciding) -> bool {
        let Ok(chat) = self.chats.of_user(ask.actor) else { return false };
        // What cannot be looked up now is found out when they press.
        self.is_among_all(deciding, chat, ask.actor).await.unwrap_or(true)
    }

    /// Requests are listed for operators, and for those who may ask for or decide any of them.
    pub(super) async fn may_see_requests(&self, ask: &Ask<'_>) -> Result<(), Failure> {
        if ask.rights.operator || ask.rights.approver {
            return Ok(());
        }
        for kind in Kind::ALL {
            let (further, _) = self.further(kind);
            if further.is_empty() && !self.approval_policy.per.contains_key(&kind) {
                continue;
            }
            let escalated = further.iter().map(|principal| principal.to_string().into()).collect();
            if self.is_approver(ask, &Deciding { kinds: vec![kind], escalated }).await {
                return Ok(());
            }
        }
        if self.is_a_requester(ask).await {
            return Ok(());
        }
        Ok(self.policy.allow(&ask.rights, Right::Operator, ask.actor)?)
    }

    /// `Invite 3 people · 7f3a0b1c · asked by @alice · needs 1 approval by @bob until …`
    pub(in crate::bot) async fn request_line(&self, approval: &Approval, frozen: bool, now: Timestamp) -> Line {
        let title = shown(&approval.request.action.title(), 120);
        let mut line = Line::new().strong(title).say(" · ").code(approval.id.to_string());
        line = match &approval.request.bundle {
            Some(bundle) => line.say(" · part of ").code(bundle.id.to_string()).say(" · for "),
            None => line.say(" · asked by "),
        };
        let line = by(line, &approval.asked.by).say(" · ");
        self.waits_for(line, approval, frozen, now).await
    }

    async fn waits_for(&self, line: Line, approval: &Approval, frozen: bool, now: Timestamp) -> Line {
        if approval.status() != Status::Requested {
            return standing(line, approval, frozen, now);
        }
        let line = self.deciders(needs(line, approval).say(" by "), approval).await;
        until(line, approval.request.expires, now)
    }

    /// Who may still decide it.
    async fn deciders(&self, line: Line, approval: &Approval) -> Line {
        let able = match self.chats.of_channel(&approval.request.channel) {
            Ok(chat) => self.who_decides(approval, chat).await,
            Err(error) => Err(Failure::Chat(error)),
        };
        let Ok(Approvers { mut able, unread, .. }) = able else {
            return line.say("an approver (who that is cannot be looked up now)");
        };
        able.retain(|user| approval.votes.iter().all(|vote| vote.by != *user));
        match (able.is_empty(), unread.first()) {
            (true, None) => line.say("somebody, but nobody may approve it"),
            (true, Some(unread)) => line.say(format!("an approver ({unread})")),
            (false, _) => people(line, &able),
        }
    }
}

/// `needs 1 approval`
fn needs(line: Line, approval: &Approval) -> Line {
    let left = usize::from(approval.request.needed).saturating_sub(approval.votes.len());
    line.say(format!("needs {}", count(left, "approval", "approvals")))
}

fn until(line: Line, at: Timestamp, now: Timestamp) -> Line {
    line.say(" until ").moment(at).say(format!(" ({})", ahead(at, now)))
}

/// What a request waits for, without who may decide it.
pub fn standing(line: Line, approval: &Approval, frozen: bool, now: Timestamp) -> Line {
    let expires = approval.request.expires;
    let until = |line: Line, at| until(line, at, now);
    let requester = |line: Line| by(line, &approval.asked.by);
    match approval.status() {
        Status::Requested => until(needs(line, approval), expires),
        Status::Approved if approval.waits_for_a_press(0) => {
            until(requester(line.say("approved: ")).say(" collects the key"), expires)
        }
        Status::Approved if frozen => until(line.say("approved: it waits for the end of the freeze"), expires),
        Status::Approved | Status::Executing => line.say("approved: it is being carried out"),
        Status::Handover if approval.is_bundle() => line.say("all is done but keys, which wait for their people"),
        Status::Handover => match approval.items.first() {
            Some(Item::Created { until: confirm, shown: true, lost: None, .. }) => {
                until(requester(line.say("the key was shown: ")).say(" confirms that it is saved"), *confirm)
            }
            Some(Item::Done { .. }) => {
                requester(line.say("the new key is saved: ")).say(" revokes the old one when nothing uses it")
            }
            _ => line.say("the key is being created or revoked"),
        },
        Status::Held => match held_line(approval) {
            Some(held) => line.append(held),
            None => line.say("on hold"),
        },
        Status::ByHand => line.say("✋ an operator has to do it by hand, as its card says"),
        Status::Unknown => line.say("❓ unknown whether it was done: an operator has to look in Sekoia"),
        settled => line.say(settled.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_offered_what_is_theirs_to_press() {
        let nobody = Reader { asked: false, decides: false, voted: false, operator: false };
        let pressed = |reader: Reader| {
            let all = ["approve 7f3a", "reject 7f3a", "cancel 7f3a", "show 7f3a", "retry 7f3a", "by hand 7f3a"];
            all.into_iter().filter(|words| reader.may_press(words)).collect::<Vec<_>>()
        };
        assert!(pressed(nobody).is_empty());
        assert_eq!(pressed(Reader { decides: true, ..nobody }), ["approve 7f3a", "reject 7f3a"]);
        assert_eq!(pressed(Reader { decides: true, voted: true, ..nobody }), ["reject 7f3a"]);
        assert_eq!(pressed(Reader { asked: true, ..nobody }), ["cancel 7f3a", "show 7f3a"]);
        assert_eq!(pressed(Reader { operator: true, ..nobody }), ["retry 7f3a", "by hand 7f3a"]);
    }
}
