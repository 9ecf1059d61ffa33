//! Who may ask for which action.

use crate::bot::access::among;
use crate::bot::failure::Failure;
use crate::bot::{Ask, Bot};
use crate::chat::UserId;
use crate::domain::access::{APPROVERS, Denial, OPERATORS, Principal, Right, Rights};
use crate::domain::action::Kind;
use crate::store::StoreError;

impl Bot {
    /// Whether somebody may ask for each of these kinds of action.
    pub(in crate::bot) async fn may_ask(&self, rights: &Rights, user: &UserId, kinds: &[Kind]) -> Result<(), Failure> {
        for kind in kinds {
            let Some(requesters) = self.approval_policy.rule(*kind).requesters.as_deref() else {
                self.policy.allow(rights, Right::Operator, user)?;
                continue;
            };
            let chat = self.chats.of_user(user).map_err(Failure::Chat)?;
            let setting = setting(*kind);
            let user = user.clone();
            match among(requesters, &setting, chat, &user).await {
                Ok(true) => {}
                Ok(false) => return Err(Denial::NotRequester { user, setting: setting.into() }.into()),
                Err(unread) => {
                    let (what, unread) = ("somebody who may ask for this", Box::new(unread));
                    return Err(Denial::Unread { user, what, unread }.into());
                }
            }
        }
        Ok(())
    }

    /// Whether somebody may ask for any kind of action that has requesters of its own. What cannot be
    /// looked up now is a "no".
    pub(super) async fn is_a_requester(&self, ask: &Ask<'_>) -> bool {
        for (kind, rule) in &self.approval_policy.per {
            if rule.requesters.is_some() && self.may_ask(&ask.rights, ask.actor, &[*kind]).await.is_ok() {
                return true;
            }
        }
        false
    }

    /// Whether this is a request of theirs which they may have made without being an operator.
    pub(in crate::bot) async fn asked_as_requester(&self, user: &UserId, id: &str) -> Result<bool, StoreError> {
        let found = self.approvals.find(id).await?;
        let own = found.filter(|approval| approval.is_asked_by(user));
        Ok(own.is_some_and(|approval| self.approval_policy.has_requesters(&approval.request.action)))
    }

    /// Those whom the settings let ask for these kinds of action, each list once.
    pub(super) fn requesters_of(&self, kinds: &[Kind]) -> Vec<&[Principal]> {
        let mut lists: Vec<&[Principal]> = Vec::new();
        for kind in kinds {
            let (principals, _) = self.requesters(*kind);
            if !lists.contains(&principals) {
                lists.push(principals);
            }
        }
        lists
    }

    /// Those whom the settings let ask for a kind of action, and the name of the setting.
    pub(super) fn requesters(&self, kind: Kind) -> (&[Principal], String) {
        match self.approval_policy.rule(kind).requesters.as_deref() {
            Some(requesters) => (requesters, setting(kind)),
            None if self.policy.operators.is_empty() => (&self.policy.approvers, APPROVERS.into()),
            None => (&self.policy.operators, OPERATORS.into()),
        }
    }
}

fn setting(kind: Kind) -> String {
    format!("requesters in [approval.{}]", kind.name())
}
