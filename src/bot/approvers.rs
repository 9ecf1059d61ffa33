//! Who may decide which request.

use super::asking::people;
use super::failure::{Failure, instead};
use super::{Ask, Bot};
use crate::access::{Denial, Principal, among, standing};
use crate::action::Kind;
use crate::approval::Approval;
use crate::platform::{ChatError, ChatPlatform, UserId};
use crate::view::Line;

/// Approvers that are looked up.
const ENOUGH: usize = 30;

impl Bot {
    /// Whether who asks may decide this request; otherwise who may.
    pub(super) async fn may_decide(&self, ask: &Ask<'_>, approval: &Approval) -> Result<(), Failure> {
        let kind = approval.request.action.kind();
        let chat = self.chats.of_user(ask.actor).map_err(Failure::Chat)?;
        let among = among(self.principals(kind), chat, ask.actor).await.map_err(|why| unknown(ask.actor, why))?;
        let own = approval.requester() == Some(ask.actor) && !approval.request.self_approval;
        if among && !own {
            return Ok(());
        }
        let mut able = self.approvers(kind, chat).await?;
        if !approval.request.self_approval {
            able.retain(|user| approval.requester() != Some(user));
        }
        let line = Line::new().say(if own {
            "You asked for this yourself, so you cannot decide it. These people can: "
        } else {
            "You cannot decide this. These people can: "
        });
        if able.is_empty() {
            return Err(instead("Nobody may decide this any more. Whoever runs this bot sets CHATOPS_APPROVERS."));
        }
        Err(instead(people(line, &able).say(".")))
    }

    /// Those who may approve this kind of action and can: active, full members of the team.
    pub(super) async fn approvers(&self, kind: Kind, chat: &dyn ChatPlatform) -> Result<Vec<UserId>, Failure> {
        let mut all: Vec<UserId> = Vec::new();
        for principal in self.principals(kind) {
            all.extend(principal.members(chat).await.map_err(Failure::Chat)?);
        }
        all.sort();
        all.dedup();
        let team = chat.team().await.map_err(Failure::Chat)?;
        let mut able = Vec::new();
        for user in all {
            // Enough to tell whom to ask, and more than any rule wants: large groups are not
            // looked through.
            if able.len() >= ENOUGH {
                break;
            }
            match chat.person(&user).await {
                Ok(person) if standing(&person, &team, &user).is_ok() => able.push(user),
                // Left, a guest, or nobody that the platform knows: cannot approve.
                Ok(_) | Err(ChatError::Refused(_)) => {}
                Err(why) => return Err(Failure::Chat(why)),
            }
        }
        Ok(able)
    }

    pub(super) fn principals(&self, kind: Kind) -> &[Principal] {
        self.approval_policy.rule(kind).approvers.as_deref().unwrap_or(&self.policy.approvers)
    }
}

fn unknown(user: &UserId, why: ChatError) -> Failure {
    Failure::Denied(Denial::Unknown { user: user.clone(), why })
}
