//! Whether a request still rests on the people who asked for it and approved it: read again when it
//! is carried out, because accounts and rights end meanwhile.

use std::borrow::Cow;

use crate::bot::Bot;
use crate::bot::access::among;
use crate::chat::{ChatError, ChatPlatform, UserId};
use crate::domain::access::{Denial, Principal, refuse_outsiders};
use crate::domain::approval::{Absent, Approval, Gone, Part};
use crate::store::StoreError;

impl Bot {
    /// Reads again who asked and who approved. The request as it is now; its `held` says whether
    /// anything may be sent.
    pub(super) async fn still(&self, approval: &Approval) -> Result<Approval, StoreError> {
        let mut absent = Vec::new();
        for (user, part) in approval.rests_on() {
            if let Some(why) = self.absence(approval, &user, part).await {
                absent.push(Absent { user, part, why });
                // The platform does not answer: the others are asked about when it does.
                if why == Gone::Unread {
                    break;
                }
            }
        }
        let Some(command) = approval.held_by(absent) else { return Ok(approval.clone()) };
        match self.commit_as_bot(&approval.id, command).await? {
            Some(changed) => Ok(changed),
            // As it was.
            None => Ok(self.approvals.read(&approval.id).await?.unwrap_or_else(|| approval.clone())),
        }
    }

    /// Why somebody no longer counts, asked of the platform now.
    async fn absence(&self, approval: &Approval, user: &UserId, part: Part) -> Option<Gone> {
        let lists: Vec<Cow<'_, [Principal]>> = match part {
            Part::Approver => {
                let lists = self.deciding_lists(&self.deciding(approval, Some(user)));
                lists.into_iter().map(|(principals, _)| principals).collect()
            }
            Part::Requester => {
                let kinds = self.approval_policy.kinds(&approval.request.action);
                self.requesters_of(&kinds).into_iter().map(Cow::Borrowed).collect()
            }
            // Keeping a key takes no right.
            Part::Owner => vec![],
        };
        let found = match self.chats.of_user(user) {
            Ok(chat) => stands(chat, user, &lists).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(gone) => gone,
            Err(error) => {
                tracing::warn!(%error, user = user.as_str(), request = approval.id.as_str(), "could not be looked up");
                Some(Gone::Unread)
            }
        }
    }
}

/// `lists`: the user is to be in each of them.
async fn stands(
    chat: &dyn ChatPlatform,
    user: &UserId,
    lists: &[Cow<'_, [Principal]>],
) -> Result<Option<Gone>, ChatError> {
    let groups: Vec<&str> =
        lists.iter().flat_map(|list| list.iter()).filter_map(|principal| principal.group_on(chat.name())).collect();
    chat.forget(user, &groups).await;
    let team = chat.team().await?;
    let person = match chat.person(user).await {
        Ok(person) => person,
        // Nobody that the platform knows.
        Err(ChatError::Refused(_)) => return Ok(Some(Gone::Deactivated)),
        Err(error) => return Err(error),
    };
    Ok(match refuse_outsiders(&person, &team, user) {
        Ok(()) => {
            for principals in lists {
                if !among(principals, "", chat, user).await.map_err(|unread| unread.why)? {
                    return Ok(Some(Gone::NoRight));
                }
            }
            None
        }
        Err(Denial::Inactive(_)) => Some(Gone::Deactivated),
        Err(Denial::Bot(_)) => Some(Gone::Bot),
        Err(Denial::OtherTeam(_)) => Some(Gone::Elsewhere),
        Err(_) => Some(Gone::Guest),
    })
}
