//! Who may decide which request.

use std::borrow::Cow;

use super::lines::people;
use crate::bot::access::among;
use crate::bot::failure::{Failure, instead};
use crate::bot::{Ask, Bot};
use crate::chat::view::Line;
use crate::chat::{ChatError, ChatPlatform, UserId};
use crate::domain::access::{Denial, Principal, Unread, refuse_outsiders};
use crate::domain::action::Kind;
use crate::domain::approval::{Approval, Audience, Deciders, Notify};

/// Approvers that are looked up.
const ENOUGH: usize = 30;

/// By whose settings something is decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::bot) struct Deciding {
    pub kinds: Vec<Kind>,
    /// Of `escalate_to`, those who count besides the approvers.
    pub escalated: Vec<Box<str>>,
}

impl Deciding {
    /// By the approvers alone.
    pub fn of(kinds: Vec<Kind>) -> Self {
        Self { kinds, escalated: Vec::new() }
    }
}

/// People of a setting, and its name.
pub(super) type List<'a> = (Cow<'a, [Principal]>, String);

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
        let chat = self.chats.of_user(ask.actor).map_err(Failure::Chat)?;
        let own = approval.is_asked_by(ask.actor) && !approval.request.self_approval;
        // Who asked may not decide, whatever cannot be read.
        match self.is_among_all(&self.deciding(approval, Some(ask.actor)), chat, ask.actor).await {
            Ok(true) if !own => return Ok(()),
            Err(unread) if !own => {
                let (user, unread) = (ask.actor.clone(), Box::new(unread));
                return Err(Denial::Unread { user, what: "an approver", unread }.into());
            }
            _ => {}
        }
        let Approvers { able, unread, .. } = self.who_decides(approval, chat).await?;
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

    /// By whose settings a request is decided, as far as it is about `user`.
    pub(in crate::bot) fn deciding(&self, approval: &Approval, user: Option<&UserId>) -> Deciding {
        let kinds = self.approval_policy.kinds(&approval.request.action);
        Deciding { kinds, escalated: approval.escalated_for(user).to_vec() }
    }

    /// Whether somebody is among the approvers of each kind of action.
    pub(in crate::bot) async fn is_among_all(
        &self,
        deciding: &Deciding,
        chat: &dyn ChatPlatform,
        user: &UserId,
    ) -> Result<bool, Unread> {
        for (principals, setting) in self.deciding_lists(deciding) {
            if !among(&principals, &setting, chat, user).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Those who may decide a request and can. Who asked is among them if they may.
    pub(super) async fn who_decides(&self, approval: &Approval, chat: &dyn ChatPlatform) -> Result<Approvers, Failure> {
        let mut all = self.approvers(self.deciding_lists(&self.deciding(approval, None)), chat).await?;
        let own: Vec<UserId> = all.able.iter().filter(|user| approval.is_asked_by(user)).cloned().collect();
        for user in own {
            let among = self.is_among_all(&self.deciding(approval, Some(&user)), chat, &user).await;
            if !approval.request.self_approval || among != Ok(true) {
                all.able.retain(|able| *able != user);
            }
        }
        Ok(all)
    }

    /// Those who are in all of these lists and can approve: active, full members of the team.
    pub(super) async fn approvers(&self, lists: Vec<List<'_>>, chat: &dyn ChatPlatform) -> Result<Approvers, Failure> {
        let mut lists = lists.into_iter();
        let Some((principals, setting)) = lists.next() else {
            return Ok(Approvers { able: Vec::new(), or_more: false, unread: Vec::new() });
        };
        let (mut all, mut unread): (Vec<UserId>, _) = (Vec::new(), Vec::new());
        for principal in &*principals {
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
                match among(&principals, &setting, chat, &user).await {
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

    /// Who hears of a request, of those who can decide it and are in `lists`.
    pub(super) fn audience(
        notify: Notify,
        lists: &[List<'_>],
        approvers: &Approvers,
        chat: &dyn ChatPlatform,
    ) -> Audience {
        let (mut groups, mut named): (Vec<Box<str>>, Vec<UserId>) = (Vec::new(), Vec::new());
        // Of several lists, those who are in all of them decide: no group is these people.
        if let [(principals, _)] = lists {
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
        Audience::of(notify, deciders)
    }

    /// Those whom the settings let approve, and the name of the setting.
    pub(super) fn principals(&self, kind: Kind) -> (&[Principal], String) {
        match self.approval_policy.rule(kind).approvers.as_deref() {
            Some(approvers) => (approvers, format!("approvers in [approval.{}]", kind.name())),
            None => (&self.policy.approvers, "CHATOPS_APPROVERS".into()),
        }
    }

    /// Those who decide by the settings of several kinds, each list once.
    pub(super) fn deciding_lists(&self, deciding: &Deciding) -> Vec<List<'_>> {
        let mut lists: Vec<List<'_>> = Vec::new();
        for kind in &deciding.kinds {
            let (approvers, setting) = self.principals(*kind);
            let (further, whose) = self.further(*kind);
            let counts =
                |principal: &&Principal| deciding.escalated.iter().any(|name| **name == *principal.to_string());
            let further: Vec<Principal> = further.iter().filter(counts).cloned().collect();
            let list = if further.is_empty() {
                (Cow::Borrowed(approvers), setting)
            } else {
                (Cow::Owned([approvers, &further].concat()), format!("{setting} and {whose}"))
            };
            if lists.iter().all(|(known, _)| *known != list.0) {
                lists.push(list);
            }
        }
        lists
    }

    /// Those to whom the settings escalate requests of a kind, and the name of the setting.
    pub(super) fn further(&self, kind: Kind) -> (&[Principal], String) {
        let (usual, own) = (&self.approval_policy.usual.escalate_to, &self.approval_policy.rule(kind).escalate_to);
        let table = if own == usual { "[approval]".into() } else { format!("[approval.{}]", kind.name()) };
        (own, format!("escalate_to in {table}"))
    }
}
