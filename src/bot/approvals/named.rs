//! Everybody whom the settings name, and what the chat platforms say of them.

use futures_util::future::join_all;

use crate::bot::Bot;
use crate::domain::access::{APPROVERS, OPERATORS, Principal, Unread};
use crate::domain::action::Kind;

impl Bot {
    /// User groups of the settings that cannot be read at present; none if all can.
    pub async fn unread_groups(&self) -> Vec<Unread> {
        let groups = self.named().into_iter().filter(|(principal, _)| principal.is_group());
        let read = groups.map(async |(group, setting)| {
            let chat = self.chats.iter().find(|chat| group.is_on(chat.name()))?;
            group.members(chat).await.err().map(|why| Unread::new(&group, &setting, why))
        });
        join_all(read).await.into_iter().flatten().collect()
    }

    /// People and user groups of the settings of which their platform says that they do not exist. Of whom it
    /// says nothing, it may do so later.
    pub async fn unknown(&self) -> Vec<Unread> {
        let asked = self.named().into_iter().map(async |(principal, setting)| {
            let chat = self.chats.iter().find(|chat| principal.is_on(chat.name()))?;
            let error = match &principal {
                Principal::User(user) => chat.person(user).await.err()?,
                Principal::Group { id, .. } => chat.group(id).await.err()?,
            };
            chat.says_unknown(&error).then(|| Unread::new(&principal, &setting, error))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// Each once, with the settings that name them.
    fn named(&self) -> Vec<(Principal, String)> {
        let mut all: Vec<(Principal, Vec<String>)> = Vec::new();
        let proving = self.identities.iter().flat_map(|identities| identities.subjects.keys());
        let proving: Vec<Principal> = proving.cloned().map(Principal::User).collect();
        let lists = [
            (self.policy.operators.as_slice(), OPERATORS.to_owned()),
            (self.policy.approvers.as_slice(), APPROVERS.to_owned()),
            (proving.as_slice(), "[oidc.subjects]".to_owned()),
        ];
        let of_kinds = Kind::ALL.into_iter().flat_map(|kind| {
            let rule = self.approval_policy.rule(kind);
            let own = [
                rule.approvers.is_some().then(|| self.principals(kind)),
                rule.requesters.is_some().then(|| self.requesters(kind)),
                Some(self.further(kind)),
            ];
            own.into_iter().flatten()
        });
        for (principals, setting) in lists.into_iter().chain(of_kinds) {
            for principal in principals {
                match all.iter_mut().find(|(known, _)| known == principal) {
                    Some((_, settings)) if settings.contains(&setting) => {}
                    Some((_, settings)) => settings.push(setting.clone()),
                    None => all.push((principal.clone(), vec![setting.clone()])),
                }
            }
        }
        all.into_iter().map(|(principal, settings)| (principal, settings.join(" and "))).collect()
    }
}
