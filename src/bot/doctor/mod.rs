//! Whether a deployment works, and how to correct what does not: the same checks for the command line
//! and for a channel. Everything is read, nothing is changed at Sekoia or in the chat.

mod channels;
mod messages;
mod metrics;
mod people;
mod permissions;
mod public_url;
pub mod sekoia;
pub mod watch;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use jiff::Timestamp;

use super::{Ask, Bot, CommandResult};
use crate::chat::Chats;
use crate::chat::diagnosis::{Check, Diagnosis};
use crate::domain::access::Policy;
use crate::domain::approval;
use crate::resolve::network::Network;
use crate::sekoia::Sekoia;
use crate::store::Store;
use crate::timing::doctor::EXAMINED_WITHIN;
pub use public_url::Reach;

/// What is examined. What is missing is not: why, stands among the settings.
pub struct Doctor<'a> {
    /// What was found in the settings.
    pub settings: Vec<Check>,
    /// Otherwise what was found of the store, which cannot be read.
    pub store: Result<Arc<dyn Store>, Vec<Check>>,
    pub sekoia: Option<&'a Sekoia>,
    /// Whether the other regions are asked when Sekoia refuses the key.
    pub probes_regions: bool,
    pub chats: &'a Chats,
    pub access: &'a Policy,
    pub approval: Option<&'a approval::Policy>,
    pub reach: Reach<'a>,
    /// Of the identity provider, if there is one.
    pub identity: Option<Examination>,
}

/// Something to be examined of which this room knows nothing.
pub type Examination = Arc<dyn Fn() -> BoxFuture<'static, Vec<Check>> + Send + Sync>;

/// What the bot knows of its settings, for `doctor`.
#[derive(Default)]
pub struct Surroundings {
    /// What was found in the settings.
    pub settings: Vec<Check>,
    pub network: Network,
    /// Whether a chat platform calls the bot by its public address.
    pub called: bool,
    /// `CHATOPS_METRICS_LISTEN`.
    pub metrics: Option<std::net::SocketAddr>,
    pub identity: Option<Examination>,
}

impl Doctor<'_> {
    /// Everything that is examined, by the name that stands for it when it does not end. Independent of
    /// each other.
    fn all(&self) -> Vec<(&'static str, BoxFuture<'_, Vec<Check>>)> {
        let now = Timestamp::now();
        let mut all: Vec<(&'static str, BoxFuture<'_, Vec<Check>>)> = vec![("store", self.stored().boxed())];
        if let Some(sekoia) = self.sekoia {
            all.push(("sekoia", sekoia::examine(sekoia, self.probes_regions, now).boxed()));
        }
        for chat in self.chats.iter() {
            all.push((chat.name(), chat.examine(now).boxed()));
            all.push((chat.name(), channels::examine(self, chat).boxed()));
            all.push((chat.name(), people::examine(self, chat).boxed()));
        }
        all.push(("public_url", public_url::examine(&self.reach).boxed()));
        if let Some(identity) = &self.identity {
            all.push(("identity", identity()));
        }
        if let Some(at) = self.reach.metrics {
            let found = async move { vec![metrics::examine(at, &self.reach).await] };
            all.push(("metrics", found.boxed()));
        }
        if let Ok(store) = &self.store {
            all.push(("messages", messages::examine(&**store).boxed()));
            all.push(("watch", watch::examine(store, now).boxed()));
        }
        all
    }

    /// Does all of it at once, and waits for none longer than [`EXAMINED_WITHIN`].
    pub async fn examine(&self) -> Diagnosis {
        let found = join_all(self.all().into_iter().map(|(name, check)| within(EXAMINED_WITHIN, name, check))).await;
        let checks = self.settings.iter().cloned().chain(found.into_iter().flatten()).collect();
        Diagnosis::new(checks, Timestamp::now())
    }

    async fn stored(&self) -> Vec<Check> {
        match &self.store {
            Ok(store) => store.examine().await,
            Err(found) => found.clone(),
        }
    }
}

async fn within(time: Duration, name: &str, check: BoxFuture<'_, Vec<Check>>) -> Vec<Check> {
    match tokio::time::timeout(time, check).await {
        Ok(found) => found,
        Err(_) => vec![Check::fail(
            format!("{name}.time"),
            format!("{}: no answer", title(name)),
            &format!("This was not examined: no answer came within {} s.", time.as_secs()),
            "Check the network between the bot and that service, and run doctor again.",
        )],
    }
}

/// `slack`, as people write it.
pub(super) fn title(name: &str) -> &str {
    match name {
        "slack" => "Slack",
        "mattermost" => "Mattermost",
        "web" => "Chat page",
        "sekoia" => "Sekoia",
        "store" => "Store",
        "public_url" => "Public address",
        "messages" => "Messages",
        "metrics" => "Metrics",
        "watch" => "Watch",
        "identity" => "Identity provider",
        other => other,
    }
}

impl Bot {
    /// With what its settings say beside what it needs to run.
    #[must_use]
    pub fn surrounded_by(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    pub(super) async fn doctor(&self, _: &Ask<'_>) -> CommandResult {
        let Surroundings { settings, network, called, metrics, identity } = &self.surroundings;
        let doctor = Doctor {
            settings: settings.clone(),
            store: Ok(Arc::clone(self.sessions.store())),
            sekoia: Some(&self.sekoia),
            // A person confirms that first: `region probe`.
            probes_regions: false,
            chats: &self.chats,
            access: &self.policy,
            approval: Some(&self.approval_policy),
            reach: Reach { url: self.public_url.as_ref(), called: *called, metrics: *metrics, runs_at: None, network },
            identity: identity.clone(),
        };
        Ok(doctor.examine().await.without(&[self.sekoia.key().clone()]).view())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::diagnosis::Verdict;

    #[tokio::test]
    async fn what_does_not_end_fails_by_itself() {
        let time = Duration::from_millis(5);
        let hangs = within(time, "sekoia", std::future::pending().boxed()).await;
        assert_eq!((hangs[0].id.as_str(), hangs[0].verdict), ("sekoia.time", Verdict::Fail));
        let ends = within(time, "sekoia", async { Vec::new() }.boxed()).await;
        assert_eq!(ends, []);
    }
}
