//! Who somebody is: asked of the chat platform, for the rights to be decided on.

use crate::chat::{ChannelKey, ChatError, ChatPlatform, Chats, Person, UserId};
use crate::domain::access::{APPROVERS, Denial, OPERATORS, Policy, Principal, Rights, Unread, refuse_outsiders};

impl Policy {
    /// What `user` may do in `channel`: asks the platform, which remembers group
    /// membership for at most 60 s.
    pub async fn rights(&self, chats: &Chats, user: &UserId, channel: &ChannelKey) -> Result<Rights, Denial> {
        let unknown = |why| Denial::of(why, user);
        let chat = chats.of_channel(channel).map_err(unknown)?;
        let team = chat.team().await.map_err(unknown)?;
        if channel.team() != &*team {
            return Err(Denial::OtherTeam(user.clone()));
        }
        let person = chat.person(user).await.map_err(unknown)?;
        refuse_outsiders(&person, &team, user)?;
        self.admits(chat, user, channel).await?;
        Ok(self.rights_of(chat, user, person).await)
    }

    /// What `user` may do wherever the bot works, said in no channel.
    pub async fn rights_anywhere(&self, chats: &Chats, user: &UserId) -> Result<Rights, Denial> {
        let unknown = |why| Denial::of(why, user);
        let chat = chats.of_user(user).map_err(unknown)?;
        let team = chat.team().await.map_err(unknown)?;
        let person = chat.person(user).await.map_err(unknown)?;
        refuse_outsiders(&person, &team, user)?;
        Ok(self.rights_of(chat, user, person).await)
    }

    async fn rights_of(&self, chat: &dyn ChatPlatform, user: &UserId, person: Person) -> Rights {
        let mut unread = Vec::new();
        let mut known = |found: Result<bool, Unread>| {
            found.unwrap_or_else(|error| {
                unread.push(error);
                false
            })
        };
        let approver = known(among(&self.approvers, APPROVERS, chat, user).await);
        let operator = match self.operators.as_slice() {
            [] => approver,
            operators => known(among(operators, OPERATORS, chat, user).await),
        };
        let named = |id: &UserId| {
            self.operators.iter().chain(&self.approvers).any(|p| matches!(p, Principal::User(user) if user == id))
        };
        Rights { operator, approver, unread, listed: person.also.filter(named) }
    }

    /// Whether the bot works in this channel at all, for anyone.
    pub async fn works_in(&self, chat: &dyn ChatPlatform, channel: &ChannelKey) -> Result<bool, ChatError> {
        let facts = chat.channel(channel).await?;
        let listed = chat.is_among(channel, &self.channels).await?;
        Ok(!facts.archived && (listed || (self.channels.is_empty() && !facts.external)))
    }

    /// Whether the bot works in this channel at all.
    async fn admits(&self, chat: &dyn ChatPlatform, user: &UserId, channel: &ChannelKey) -> Result<(), Denial> {
        let facts = chat.channel(channel).await.map_err(|why| Denial::of(why, user))?;
        let id: Box<str> = channel.channel().into();
        let listed = chat.is_among(channel, &self.channels).await.map_err(|why| Denial::of(why, user))?;
        if facts.archived {
            return Err(Denial::Archived);
        }
        if facts.external && !listed {
            return Err(Denial::External { channel: id, user: user.clone() });
        }
        if !self.channels.is_empty() && !listed {
            return Err(Denial::NotListed { channel: id, user: user.clone() });
        }
        Ok(())
    }
}

impl Principal {
    /// Everybody who is meant, on the chat's platform.
    pub async fn members(&self, chat: &dyn ChatPlatform) -> Result<Vec<UserId>, ChatError> {
        match self {
            Principal::User(user) if user.platform() == chat.name() => Ok(vec![user.clone()]),
            Principal::Group { platform, id } if *platform == chat.name() => Ok(chat.group(id).await?.to_vec()),
            Principal::User(_) | Principal::Group { .. } => Ok(Vec::new()),
        }
    }
}

/// Whether `user` is one of these, which `setting` names. People named by id first: they need no
/// call. A group that cannot be read counts only for a person who is found nowhere else.
pub async fn among(
    principals: &[Principal],
    setting: &str,
    chat: &dyn ChatPlatform,
    user: &UserId,
) -> Result<bool, Unread> {
    if principals.iter().any(|p| matches!(p, Principal::User(u) if u == user)) {
        return Ok(true);
    }
    let mut failed = None;
    for principal in principals {
        if let Principal::Group { platform, id } = principal
            && user.platform() == *platform
        {
            match chat.group(id).await {
                Ok(members) if members.contains(user) => return Ok(true),
                Ok(_) => {}
                Err(why) => failed = Some(Unread::new(principal, setting, why)),
            }
        }
    }
    failed.map_or(Ok(false), Err)
}
