//! What happens to channels and people while the bot is at work.

use super::chat::Chat;

impl Chat {
    /// The bot is added to a channel.
    pub fn bot_joins(&self, channel: &str) {
        match self {
            Chat::Slack(world) => world.edit(|state| {
                let bot = state.app.user_id.clone();
                state.channel(channel).members.insert(bot);
            }),
            Chat::Mattermost(world) => world.edit(|state| {
                let bot = state.bot();
                state.channel(channel).members.insert(bot);
            }),
        }
    }

    /// Somebody removes the bot from a channel.
    pub fn bot_leaves(&self, channel: &str) {
        match self {
            Chat::Slack(world) => world.edit(|state| {
                let bot = state.app.user_id.clone();
                state.channel(channel).members.remove(&bot);
            }),
            Chat::Mattermost(world) => world.edit(|state| {
                let bot = state.bot();
                state.channel(channel).members.remove(&bot);
            }),
        }
    }

    /// Somebody is taken out of the group of approvers.
    pub fn leaves_the_approvers(&self, user: &str) {
        let (group, user) = match self {
            Chat::Slack(_) => ("S0APPROVERS".to_owned(), self.platform().user(user)),
            Chat::Mattermost(_) => (super::mattermost::id("approvers"), self.platform().user(user)),
        };
        match self {
            Chat::Slack(world) => {
                world.edit(|state| state.groups.get_mut(&group).expect("the group").retain(|member| *member != user));
            }
            Chat::Mattermost(world) => {
                world.edit(|state| state.groups.get_mut(&group).expect("the group").retain(|member| *member != user));
            }
        }
    }

    /// So many people more become approvers.
    pub fn crowd(&self, people: usize) {
        let group = match self {
            Chat::Slack(_) => "S0APPROVERS".to_owned(),
            Chat::Mattermost(_) => super::mattermost::id("approvers"),
        };
        for name in (0..people).map(|n| format!("colleague{n}")) {
            let (id, bob) = (self.platform().user(&name), self.platform().user("bob"));
            match self {
                Chat::Slack(world) => world.edit(|state| {
                    let mut user = state.users[&bob].clone();
                    user.name = name;
                    state.users.insert(id.clone(), user);
                    state.groups.get_mut(&group).expect("the group").push(id);
                }),
                Chat::Mattermost(world) => world.edit(|state| {
                    let mut user = state.users[&bob].clone();
                    user.name = name;
                    state.users.insert(id.clone(), user);
                    state.groups.get_mut(&group).expect("the group").push(id);
                }),
            }
        }
    }

    /// Nobody tells the bot any more who is in a group.
    pub fn groups_become_unreadable(&self) {
        match self {
            Chat::Slack(world) => world.edit(|state| {
                state.scopes.remove("usergroups:read");
            }),
            Chat::Mattermost(world) => world.edit(|state| state.licensed = false),
        }
    }

    /// Every message of the bot is deleted.
    pub fn posts_are_deleted(&self) {
        match self {
            Chat::Slack(world) => world.edit(|state| state.messages.clear()),
            Chat::Mattermost(world) => world.edit(|state| state.delete_posts()),
        }
    }

    /// A channel is archived.
    pub fn archived(&self, channel: &str) {
        match self {
            Chat::Slack(world) => world.edit(|state| state.channel(channel).is_archived = true),
            Chat::Mattermost(world) => world.edit(|state| state.channel(channel).archived = true),
        }
    }

    /// Somebody's account is switched off.
    pub fn deactivated(&self, user: &str) {
        match self {
            Chat::Slack(world) => world.edit(|state| state.user(user).deleted = true),
            Chat::Mattermost(world) => world.edit(|state| state.user(user).deactivated = true),
        }
    }
}
