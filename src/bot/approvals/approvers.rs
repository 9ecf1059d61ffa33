//! Who may decide which request.

use futures_util::future::join_all;

use super::lines::people;
use crate::bot::access::among;
use crate::bot::failure::{Failure, instead};
use crate::bot::{Ask, Bot};
use crate::chat::view::Line;
use crate::chat::{ChatError, ChatPlatform, UserId};
use crate::domain::access::{Denial, Principal, Unread, refuse_outsiders};
use crate::domain::action::{Action, Kind};
use crate::domain::approval::{Approval, Audience, Deciders};

/// Approvers that are looked up.
const ENOUGH: usize = 30;

/// Those who may approve a kind of action, as far as the platform can tell.
pub(super) struct Approvers {
    pub able: Vec<UserId>,
    /// There are so many that not all were looked up.
    pub or_more: bool,
    /// There may be more among these.
    pub unread: Vec<Unread>,
}

impl Bot {
    /// Whether who asks may decide this request; otherwise who may.
    pub(super) async fn may_decide(&self, ask: &Ask<'_>, approval: &Approval) -> Result<(), Failure> {
        let kinds = self.approval_policy.kinds(&approval.request.action);
        let chat = self.chats.of_user(ask.actor).map_err(Failure::Chat)?;
        let own = approval.is_asked_by(ask.actor) && !approval.request.self_approval;
        // Who asked may not decide, whatever cannot be read.
        match self.is_among_all(&kinds, chat, ask.actor).await {
            Ok(true) if !own => return Ok(()),
            Err(unread) if !own => {
                let (user, unread) = (ask.actor.clone(), Box::new(unread));
                return Err(Denial::Unread { user, what: "an approver", unread }.into());
            }
            _ => {}
        }
        let Approvers { mut able, unread, .. } = self.approvers(&kinds, chat).await?;
        if !approval.request.self_approval {
            able.retain(|user| !approval.is_asked_by(user));
        }
        let line = Line::new().say(if own {
            "You asked for this yourself, so you cannot decide it. These people can: "
        } else {
            "You cannot decide this. These people can: "
        });
        match (able.is_empty(), unread.first()) {
            (true, None) => {
                Err(instead("Nobody may decide this any more. Ask your bot administrator to set CHATOPS_APPROVERS."))
            }
            (true, Some(unread)) => {
                let advice = unread.advice(&self.chats.wording(ask.channel).await);
                let line = format!("You cannot decide this, and I cannot tell who can: {unread}. {advice}");
                Err(instead(Line::marked(&line)))
            }
            (false, None) => Err(instead(people(line, &able).say("."))),
            (false, Some(unread)) => Err(instead(people(line, &able).say(format!(", and perhaps others: {unread}.")))),
        }
    }

    /// Whether somebody is among the approvers of each of these kinds.
    pub(in crate::bot) async fn is_among_all(
        &self,
        kinds: &[Kind],
        chat: &dyn ChatPlatform,
        user: &UserId,
    ) -> Result<bool, Unread> {
        for (principals, setting) in self.principals_of(kinds) {
            if !among(principals, &setting, chat, user).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Those who may approve all of these kinds of action and can: active, full members of the team.
    pub(super) async fn approvers(&self, kinds: &[Kind], chat: &dyn ChatPlatform) -> Result<Approvers, Failure> {
        let mut lists = self.principals_of(kinds).into_iter();
        let Some((principals, setting)) = lists.next() else {
            return Ok(Approvers { able: Vec::new(), or_more: false, unread: Vec::new() });
        };
        let (mut all, mut unread): (Vec<UserId>, _) = (Vec::new(), Vec::new());
        for principal in principals {
            match principal.members(chat).await {
                Ok(members) => all.extend(members),
                Err(why) => unread.push(Unread::new(principal, &setting, why)),
            }
        }
        all.sort();
        all.dedup();
        for (principals, setting) in lists {
            let mut both = Vec::new();
            for user in all {
                match among(principals, &setting, chat, &user).await {
                    Ok(true) => both.push(user),
                    Ok(false) => {}
                    Err(why) => unread.push(why),
                }
            }
            all = both;
        }
        let team = chat.team().await.map_err(Failure::Chat)?;
        let (mut able, mut or_more) = (Vec::new(), false);
        for user in all {
            // Enough to tell whom to ask, and more than any rule wants: large groups are not
            // looked through.
            if able.len() >= ENOUGH {
                or_more = true;
                break;
            }
            match chat.person(&user).await {
                Ok(person) if refuse_outsiders(&person, &team, &user).is_ok() => able.push(user),
                // Left, a guest, or nobody that the platform knows: cannot approve.
                Ok(_) | Err(ChatError::Refused(_)) => {}
                Err(why) => unread.push(Unread::new(&Principal::User(user), &setting, why)),
            }
        }
        Ok(Approvers { able, or_more, unread })
    }

    /// Who hears of a new request, of those who can decide it.
    pub(super) fn audience(&self, action: &Action, approvers: &Approvers, chat: &dyn ChatPlatform) -> Audience {
        let lists = self.principals_of(&self.approval_policy.kinds(action));
        let (mut groups, mut named): (Vec<Box<str>>, Vec<UserId>) = (Vec::new(), Vec::new());
        // Of several lists, those who are in all of them decide: no group is these people.
        if let [(principals, _)] = lists.as_slice() {
            for principal in principals.iter().filter(|principal| principal.is_on(chat.name())) {
                match principal {
                    Principal::User(user) => named.push(user.clone()),
                    Principal::Group { id, .. } if chat.mentions_groups() => groups.push(id.clone()),
                    Principal::Group { .. } => {}
                }
            }
        }
        let Approvers { able, or_more, .. } = approvers;
        let deciders = Deciders { able, or_more: *or_more, groups: &groups, named: &named };
        Audience::of(self.approval_policy.notify(action), deciders)
    }

    /// Those whom the settings let approve, and the name of the setting.
    pub(super) fn principals(&self, kind: Kind) -> (&[Principal], String) {
        match self.approval_policy.rule(kind).approvers.as_deref() {
            Some(approvers) => (approvers, format!("approvers in [approval.{}]", kind.name())),
            None => (&self.policy.approvers, "CHATOPS_APPROVERS".into()),
        }
    }

    /// The same of several kinds, each list once.
    pub(super) fn principals_of(&self, kinds: &[Kind]) -> Vec<(&[Principal], String)> {
        let mut lists: Vec<(&[Principal], String)> = Vec::new();
        for kind in kinds {
            let (principals, setting) = self.principals(*kind);
            if lists.iter().all(|(known, _)| *known != principals) {
                lists.push((principals, setting));
            }
        }
        lists
    }

    /// User groups of the settings that cannot be read at present; none if all can.
    pub async fn unread_groups(&self) -> Vec<Unread> {
        let mut named: Vec<(&Principal, String)> = Vec::new();
        let mut name = |group, setting: &str| match named.iter_mut().find(|(known, _)| *known == group) {
            Some((_, settings)) => *settings = format!("{settings} and {setting}"),
            None => named.push((group, setting.to_owned())),
        };
        for (group, setting) in self.policy.groups() {
            name(group, setting);
        }
        for kind in Kind::ALL.into_iter().filter(|kind| self.approval_policy.rule(*kind).approvers.is_some()) {
            let (principals, setting) = self.principals(kind);
            for group in principals.iter().filter(|principal| principal.is_group()) {
                name(group, &setting);
            }
        }
        for kind in Kind::ALL.into_iter().filter(|kind| self.approval_policy.rule(*kind).requesters.is_some()) {
            let (principals, setting) = self.requesters(kind);
            for group in principals.iter().filter(|principal| principal.is_group()) {
                name(group, &setting);
            }
        }
        let read = named.into_iter().map(async |(group, setting)| {
            let mut chats = self.chats.iter().filter(|chat| group.is_on(chat.name()));
            let chat = chats.next()?;
            group.members(chat).await.err().map(|why| Unread::new(group, &setting, why))
        });
        join_all(read).await.into_iter().flatten().collect()
    }
}
