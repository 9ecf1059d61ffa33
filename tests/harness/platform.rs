//! What differs between the platforms by name only: ids, calls, ways to fail.

use super::{mattermost, slack};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    Slack,
    Mattermost,
}

/// What the bot asks of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Post,
    Edit,
    /// Of a channel, to find a post again.
    History,
    /// By the one-time address of a command.
    Answer,
    OpenForm,
    /// Whoever opens the finished form opens it then.
    FillForm,
    ReadPerson,
    ReadGroup,
    /// Of a picture's bytes, or for where to bring them.
    Upload,
    /// Whether the platform answers at all.
    Check,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatFault {
    /// Asked to wait, in seconds.
    LimitedFor(u64),
    Fails,
    Hangs,
    /// Does what was asked, and fails then.
    LosesReply,
    /// Will not have it: a message, a form's trigger, a right.
    Refuses,
    /// The bot's token is worth nothing any more.
    TokenDead,
}

const PEOPLE: [&str; 9] = ["alice", "bob", "carol", "dan", "gina", "uma", "otto", "eve", "robo"];
/// Channels, with their ids on Slack.
const CHANNELS: [(&str, &str); 6] = [
    ("soc-setup", "C0SOC"),
    ("nimbus-payments", "C0NIMBUS"),
    ("shared", "C0SHARED"),
    ("quiet", "C0QUIET"),
    ("private", "G0PRIV"),
    ("old", "C0OLD"),
];

impl Platform {
    /// As it stands before the `:` of its ids.
    pub fn prefix(self) -> &'static str {
        match self {
            Platform::Slack => "slack",
            Platform::Mattermost => "mattermost",
        }
    }

    pub fn user(self, name: &str) -> String {
        match self {
            Platform::Slack => format!("U0{}", name.to_uppercase()),
            Platform::Mattermost => mattermost::id(name),
        }
    }

    pub fn channel(self, name: &str) -> String {
        let known = CHANNELS.iter().find(|(known, _)| *known == name);
        match (self, known) {
            (Platform::Slack, Some((_, id))) => (*id).to_owned(),
            (Platform::Mattermost, Some(_)) => mattermost::id(name),
            (_, None) => panic!("no channel is called {name:?}"),
        }
    }

    /// `alice,@approvers` as the setting that means them.
    pub fn principals(self, names: &str) -> String {
        let one = |name: &str| match (name.strip_prefix('@'), self) {
            (Some(group), Platform::Slack) => format!("slack-group:S0{}", group.to_uppercase()),
            (Some(group), Platform::Mattermost) => format!("mattermost-group:{}", mattermost::id(group)),
            (None, _) => format!("{}:{}", self.prefix(), self.user(name)),
        };
        names.split(',').filter(|name| !name.is_empty()).map(one).collect::<Vec<_>>().join(",")
    }

    /// Channels as `CHATOPS_CHANNELS` lists them.
    pub fn channels(self, names: &[&str]) -> String {
        let one = |name: &&str| format!("{}:{}", self.prefix(), self.channel(name));
        names.iter().map(one).collect::<Vec<_>>().join(",")
    }

    /// A text in which everybody's id, which differs between the platforms, is `chat:alice`, and a
    /// channel's `chat:soc-setup`.
    pub fn neutral(self, text: &str) -> String {
        let mut text = match self {
            Platform::Slack => text.replace("slack:T0SOC:", ""),
            Platform::Mattermost => text.replace("mattermost:server:", ""),
        };
        text = addresses(text);
        let people = PEOPLE.map(|name| (name, self.user(name)));
        let channels = CHANNELS.map(|(name, _)| (name, self.channel(name)));
        for (name, id) in people.into_iter().chain(channels) {
            if text.contains(&id) {
                let (plain, typed) = (format!("chat:{name}"), format!("@{id}"));
                text = text.replace(&format!("{}:{id}", self.prefix()), &plain);
                // What somebody typed as a mention is nobody's id.
                text = text.replace(&typed, "@\0").replace(&id, &plain).replace("@\0", &typed);
            }
        }
        text
    }

    /// As what this platform's world knows a call.
    pub(super) fn named(self, call: Call) -> &'static str {
        match (self, call) {
            (Platform::Slack, Call::Post) => "chat.postMessage",
            (Platform::Slack, Call::Edit) => "chat.update",
            (Platform::Slack, Call::History) => "conversations.history",
            (Platform::Slack, Call::OpenForm) => "views.open",
            (Platform::Slack, Call::FillForm) => "views.update",
            (Platform::Slack, Call::ReadPerson) => "users.info",
            (Platform::Slack, Call::Upload) => "files.getUploadURLExternal",
            (Platform::Slack, Call::Check) => "auth.test",
            (Platform::Slack, Call::ReadGroup) => "usergroups.users.list",
            (Platform::Mattermost, Call::Post) => "POST /posts",
            (Platform::Mattermost, Call::Edit) => "PUT /posts/{id}/patch",
            (Platform::Mattermost, Call::History) => "GET /channels/{id}/posts",
            (Platform::Mattermost, Call::OpenForm | Call::FillForm) => "POST /actions/dialogs/open",
            (Platform::Mattermost, Call::ReadPerson) => "GET /users/{id}",
            (Platform::Mattermost, Call::Upload) => "POST /files",
            (Platform::Mattermost, Call::Check) => "GET /users/me",
            (Platform::Mattermost, Call::ReadGroup) => "GET /groups/{id}/members",
            (_, Call::Answer) => "response_url",
        }
    }
}

/// Where messages are is different at every run.
fn addresses(mut text: String) -> String {
    for site in ["https://nimbus.slack.com/archives/", "http://chat.nimbus.example/nimbus/pl/"] {
        while let Some(at) = text.find(&format!("<{site}")) {
            let end = text[at..].find('>').map_or(text.len(), |end| at + end + 1);
            text.replace_range(at..end, "<message>");
        }
    }
    text
}

impl ChatFault {
    pub(super) fn on_slack(self, call: Call) -> slack::Fault {
        match self {
            ChatFault::LimitedFor(retry_after) => slack::Fault::RateLimited { retry_after },
            ChatFault::Fails => slack::Fault::Status(503),
            ChatFault::Hangs => slack::Fault::Hang,
            ChatFault::LosesReply => slack::Fault::LoseReply,
            ChatFault::TokenDead => slack::Fault::Error("token_revoked"),
            ChatFault::Refuses => slack::Fault::Error(match call {
                Call::Post | Call::Edit | Call::Answer => "invalid_blocks",
                Call::OpenForm => "expired_trigger_id",
                Call::FillForm => "not_found",
                Call::History => "not_in_channel",
                Call::ReadPerson => "user_not_found",
                Call::Upload => "restricted_action",
                Call::ReadGroup => "missing_scope",
                Call::Check => "invalid_auth",
            }),
        }
    }

    pub(super) fn on_mattermost(self, call: Call) -> mattermost::Fault {
        match self {
            ChatFault::LimitedFor(retry_after) => mattermost::Fault::RateLimited { retry_after },
            ChatFault::Fails => mattermost::Fault::Status(503),
            ChatFault::Hangs => mattermost::Fault::Hang,
            ChatFault::LosesReply => mattermost::Fault::LoseReply,
            ChatFault::TokenDead => mattermost::Fault::Error(401, "api.context.session_expired.app_error"),
            ChatFault::Refuses => match call {
                Call::Post | Call::Edit => {
                    mattermost::Fault::Error(400, "model.post.is_valid.message_length.app_error")
                }
                Call::Answer => mattermost::Fault::Error(400, "web.command_webhook.general.app_error"),
                Call::OpenForm | Call::FillForm => {
                    mattermost::Fault::Error(400, "interactive_message.decode_trigger_id.expired")
                }
                Call::History | Call::Upload => mattermost::Fault::Error(403, "api.context.permissions.app_error"),
                Call::ReadPerson => mattermost::Fault::Error(404, "app.user.missing_account.const"),
                Call::ReadGroup => mattermost::Fault::Error(501, "api.license_error"),
                Call::Check => mattermost::Fault::Error(401, "api.context.session_expired.app_error"),
            },
        }
    }
}
