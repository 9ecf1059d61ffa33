//! The settings one by one: what could be read of them, whatever is wrong with the others.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::source::{Faults, Source};
use super::{Config, LogConfig, MattermostConfig, OidcConfig, SekoiaConfig, SlackConfig, SlackWayIn, StoreConfig};
use super::{
    approvals, channels, folder, listening, log, metrics, names, oidc, platforms, principals, public_address,
    retention, secrets,
};
use super::{sekoia, store};
use crate::domain::access::Policy;
use crate::domain::approval;
use crate::resolve::network::Network;
use crate::resolve::proxy::Proxies;
use crate::resolve::tls::Tls;

/// None: it has a fault, or is not set.
#[derive(Debug)]
pub struct Parts {
    pub sekoia: Option<SekoiaConfig>,
    pub slack: Option<SlackConfig>,
    pub mattermost: Option<MattermostConfig>,
    pub public_url: Option<Url>,
    pub listen: Option<SocketAddr>,
    pub metrics_listen: Option<SocketAddr>,
    pub store: Option<StoreConfig>,
    pub retention: Option<Duration>,
    pub access: Policy,
    pub approval: Option<approval::Policy>,
    pub oidc: Option<OidcConfig>,
    pub plans: Option<PathBuf>,
    pub log: Option<LogConfig>,
    /// How every outgoing connection is made.
    pub network: Network,
    /// Everything that is set and must not be shown, whether it is right or not.
    pub secrets: Vec<SecretString>,
}

impl Parts {
    /// Reads each of them; every name of `environment` that looks like a setting and is none is a fault.
    pub fn read_from<'a>(
        env: impl Fn(&str) -> Option<String>,
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> (Self, Faults) {
        let proxies = Proxies::read(&env);
        let mut source = Source::open(env);
        names::check(&mut source.faults, environment);
        let proxies = proxies.unwrap_or_else(|faults| {
            for (name, what) in &faults {
                source.faults.add(name, what);
            }
            Proxies::default()
        });
        let parts = Self::gather(&mut source, proxies);
        (parts, source.faults)
    }

    fn gather(source: &mut Source, proxies: Proxies) -> Self {
        let tls = source.optional("CHATOPS_CA_FILE", Tls::of_file).unwrap_or_default();
        let network = Network { tls, proxies };
        let sekoia = sekoia::read(source, &network);
        let public_url = source.optional("CHATOPS_PUBLIC_URL", public_address);
        let (slack, mattermost) = platforms(source, public_url.as_ref(), &network);
        let listen = listening(source);
        let metrics_listen = metrics::read(source, listen);
        let store = store::store(source);
        let retention = retention(source);
        let access = Policy {
            operators: principals(source, "CHATOPS_OPERATORS"),
            approvers: principals(source, "CHATOPS_APPROVERS"),
            channels: channels(source),
        };
        let approval = approvals::read(source);
        let oidc = oidc::read(source, public_url.as_ref(), approval.as_ref(), &network);
        let plans = source.optional("CHATOPS_PLANS", folder);
        let log = log(source);
        let secrets = source.secrets();
        Self {
            sekoia,
            slack,
            mattermost,
            public_url,
            listen,
            metrics_listen,
            store,
            retention,
            access,
            approval,
            oidc,
            plans,
            log,
            network,
            secrets,
        }
    }

    /// All of them, where none has a fault.
    pub(super) fn whole(self) -> Option<Config> {
        let Self { slack, mattermost, public_url, retention, access, oidc, plans, .. } = self;
        Some(Config {
            sekoia: self.sekoia?,
            slack,
            mattermost,
            public_url,
            listen: self.listen?,
            metrics_listen: self.metrics_listen,
            store: self.store?,
            retention,
            access,
            approval: self.approval?,
            oidc,
            plans,
            timing: crate::timing::timing(),
            log: self.log?,
        })
    }

    /// As [`Config::is_called`]; a platform that has a fault is meant to be there.
    pub fn is_called(&self) -> bool {
        let unread = self.slack.is_none() && self.mattermost.is_none();
        unread || is_called(self.slack.as_ref(), self.mattermost.as_ref())
    }

    /// As [`Config::unusual`].
    pub fn unusual(&self) -> Vec<String> {
        secrets::unusual(self.slack.as_ref(), self.mattermost.as_ref())
    }
}

/// Whether a chat platform sends its requests to the bot's address.
pub(super) fn is_called(slack: Option<&SlackConfig>, mattermost: Option<&MattermostConfig>) -> bool {
    let by_http = |slack: &SlackConfig| matches!(slack.way_in, SlackWayIn::Http { .. });
    mattermost.is_some_and(|on| !on.only_mentions()) || slack.is_some_and(by_http)
}
