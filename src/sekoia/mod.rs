//! Sekoia's API, as far as the checklist needs it.
//!
//! Reads are typed and tried again; a write is a [`Call`] that is sent once and says what is known
//! of it. [`live`] listens instead of asking. Typed calls only; what an answer means for a step is decided in `checklist::steps`. The key is
//! sent to the configured address alone, and to `*.sekoia.io` when a person asks for a probe.

mod activity;
mod alert;
mod alerts;
mod entries;
mod error;
mod first_steps;
mod lenient;
mod listing;
pub mod live;
mod monitor;
mod regions;
mod transport;
mod types;
mod writes;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

pub use activity::*;
pub use alert::*;
pub use alerts::{AlertDate, AlertList, AlertQuery, move_alert, says_moved};
pub use error::SekoiaError;
pub use first_steps::{Feed, Parsing, RuleCounts, Usage};
pub use lenient::instant;
pub use monitor::Id;
pub use regions::{Documented, Region, Site, may_receive_key};
pub use transport::{Answer, Call, Turn, Unwritten, Verb, in_background};
pub use types::*;
pub use writes::{INVITATIONS, invitation};

use crate::pace::{Rank, Share};
use crate::resolve::network::Network;
use crate::telemetry::Metrics;
use crate::timing::Calls;
use entries::{Identified, PAGE};
use lenient::Page;
use listing::Listing;
use transport::{Read, Transport};

/// The client. Cheap to share behind an `Arc`; its budget is the whole process's.
pub struct Sekoia {
    transport: Transport,
    pub region: Region,
    /// Where people log in, without a slash at the end.
    pub app: Box<str>,
    /// Addresses that a probe of other regions tries, by region.
    candidates: Vec<(Region, Vec<Url>)>,
    /// Which of its two forms the invitation's body has; learnt from a refusal.
    by_list: AtomicBool,
}

/// What one region's addresses said to the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    pub region: Region,
    pub accepted_at: Option<Url>,
    /// What the last address answered otherwise.
    pub answer: String,
}

type Listed<T> = Result<Vec<T>, SekoiaError>;

impl Sekoia {
    /// `candidates`: where `region probe` looks; normally [`Sekoia::documented_addresses`].
    ///
    /// # Errors
    /// When no TLS client can be made.
    pub fn new(
        site: Site,
        key: SecretString,
        candidates: Vec<(Region, Vec<Url>)>,
        network: &Network,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            app: site.app.as_str().trim_end_matches('/').into(),
            region: site.region,
            transport: Transport::new(site.api, key, network)?,
            candidates,
            by_list: AtomicBool::new(false),
        })
    }

    /// With other times than those that Sekoia documents.
    #[must_use]
    pub fn timed(mut self, times: Calls) -> Self {
        self.transport.set_times(times);
        self
    }

    /// With its calls counted.
    #[must_use]
    pub fn sharing(mut self, share: Arc<Share>) -> Self {
        self.transport.set_share(share);
        self
    }

    /// With its calls counted.
    #[must_use]
    pub fn measured(mut self, metrics: Arc<Metrics>) -> Self {
        self.transport.set_metrics(metrics);
        self
    }

    /// How long no call goes out, after errors in a row or because Sekoia asked.
    pub fn pause(&self) -> Duration {
        self.transport.pause()
    }

    pub fn documented_addresses() -> Vec<(Region, Vec<Url>)> {
        let urls = |of: Documented| of.api.iter().filter_map(|url| url.parse().ok()).collect();
        Region::ALL.into_iter().filter_map(|region| Some((region, urls(region.documented()?)))).collect()
    }

    /// Where the API is called.
    pub fn base(&self) -> &Url {
        self.transport.base()
    }

    /// The key, so that everything that leaves the house can be checked for it.
    pub fn key(&self) -> &SecretString {
        self.transport.key()
    }

    /// Whether the key is good, and which key it is.
    pub async fn validate(&self, rank: Rank) -> Result<Validation, SekoiaError> {
        self.one(rank, "/v1/auth/validate", "/v1/auth/validate".into(), vec![], "").await
    }

    pub async fn me(&self) -> Result<Me, SekoiaError> {
        self.one(Rank::Person, "/v1/me", "/v1/me".into(), vec![], "").await
    }

    pub async fn my_permissions(&self) -> Listed<Permission> {
        let page: Page<Permission> =
            self.one(Rank::Person, "/v1/me/permissions", "/v1/me/permissions".into(), vec![], "").await?;
        page.whole()
    }

    pub async fn my_communities(&self) -> Listed<MyCommunity> {
        let page: Page<MyCommunity> =
            self.one(Rank::Person, "/v1/me/communities", "/v1/me/communities".into(), vec![], "").await?;
        page.whole()
    }

    pub async fn communities(&self) -> Listed<Community> {
        self.list(Rank::Person, "/v1/communities", "/v1/communities".into(), vec![], "").await
    }

    pub async fn community(&self, community: Uuid) -> Result<Community, SekoiaError> {
        self.one(Rank::Person, "/v1/communities/{c}", format!("/v1/communities/{community}"), vec![], "").await
    }

    /// Paging is not documented for this list: one call brings it all.
    pub async fn sub_communities(&self, parent: Uuid) -> Listed<Community> {
        let path = format!("/v1/communities/{parent}/sub-communities");
        let page: Page<Community> =
            self.one(Rank::Person, "/v1/communities/{c}/sub-communities", path, vec![], "").await?;
        page.whole()
    }

    pub async fn roles(&self, community: Uuid) -> Listed<Role> {
        let path = format!("/v1/communities/{community}/roles");
        self.list(Rank::Person, "/v1/communities/{c}/roles", path, vec![("sort", "name".into())], "COMMUNITY_READ_ROLE")
            .await
    }

    /// The catalogue of permissions that this community may grant.
    pub async fn permissions(&self, community: Uuid) -> Listed<Permission> {
        let path = format!("/v1/communities/{community}/permissions/");
        self.list(Rank::Person, "/v1/communities/{c}/permissions/", path, vec![], "").await
    }

    pub async fn licences(&self, community: Uuid) -> Listed<Licence> {
        let path = format!("/v1/communities/{community}/licenses");
        let page: Page<Licence> =
            self.one(Rank::Person, "/v1/communities/{c}/licenses", path, vec![], "Read community licenses").await?;
        page.whole()
    }

    /// Members, pending invitations and switched-off accounts.
    pub async fn avatars(&self, community: Uuid) -> Listed<Avatar> {
        let path = format!("/v1/communities/{community}/avatars/");
        self.list(Rank::Person, "/v1/communities/{c}/avatars/", path, vec![], "COMMUNITY_LIST_MEMBER").await
    }

    /// One membership, or pending invitation; [`SekoiaError::NotFound`] if it is gone.
    pub async fn avatar(&self, community: Uuid, avatar: Uuid) -> Result<Avatar, SekoiaError> {
        let path = format!("/v1/communities/{community}/avatars/{avatar}");
        self.one(Rank::Person, "/v1/communities/{c}/avatars/{a}", path, vec![], "COMMUNITY_LIST_MEMBER").await
    }

    pub async fn api_keys(&self, community: Uuid) -> Listed<ApiKey> {
        let path = format!("/v1/communities/{community}/api-keys");
        self.list(
            Rank::Person,
            "/v1/communities/{c}/api-keys",
            path,
            vec![("sort", "name".into())],
            "COMMUNITY_READ_APIKEY",
        )
        .await
    }

    /// One key as it is now; [`SekoiaError::NotFound`] if it is gone.
    pub async fn api_key(&self, community: Uuid, key: Uuid) -> Result<ApiKey, SekoiaError> {
        let path = format!("/v1/communities/{community}/api-keys/{key}");
        self.one(Rank::Person, "/v1/communities/{c}/api-keys/{k}", path, vec![], "COMMUNITY_READ_APIKEY").await
    }

    /// Which other regions take the key: one host a second, stopping at the first that does. The key
    /// of a self-hosted Sekoia is for its own host: nothing is asked, and nothing found.
    pub async fn probe(&self) -> Vec<Probed> {
        let mut found = Vec::new();
        if self.region.is_self_hosted() {
            return found;
        }
        for (region, urls) in self.candidates.iter().filter(|(region, _)| *region != self.region) {
            let mut probed = Probed { region: *region, accepted_at: None, answer: String::new() };
            for url in urls {
                match transport::validate_at(&self.transport, url, self.transport.key()).await {
                    Ok(()) => {
                        probed.accepted_at = Some(url.clone());
                        break;
                    }
                    Err(error) => probed.answer = error.to_string(),
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let accepted = probed.accepted_at.is_some();
            found.push(probed);
            if accepted {
                break;
            }
        }
        found
    }

    async fn one<T: DeserializeOwned>(
        &self,
        rank: Rank,
        name: &'static str,
        path: String,
        query: Vec<(&str, String)>,
        needs: &'static str,
    ) -> Result<T, SekoiaError> {
        self.transport.get(rank, &Read { name, path, query, body: None, needs, within: None }).await
    }

    /// The same for a path that does not tell which community it is about.
    async fn one_within<T: DeserializeOwned>(
        &self,
        community: Uuid,
        rank: Rank,
        name: &'static str,
        path: String,
        query: Vec<(&str, String)>,
        needs: &'static str,
    ) -> Result<T, SekoiaError> {
        self.transport.get(rank, &Read { name, path, query, body: None, needs, within: Some(community) }).await
    }

    /// Reads page after page: each thing once, the whole list or an error.
    async fn list<T: DeserializeOwned + Identified>(
        &self,
        rank: Rank,
        name: &'static str,
        path: String,
        mut query: Vec<(&str, String)>,
        needs: &'static str,
    ) -> Listed<T> {
        query.push(("limit", PAGE.to_string()));
        let mut call = Read { name, path, query, body: None, needs, within: None };
        let mut listing = Listing::new();
        loop {
            call.query.retain(|(name, _)| *name != "offset");
            call.query.push(("offset", listing.offset().to_string()));
            let (page, bytes): (Page<T>, usize) = self.transport.get_sized(rank, &call).await?;
            if !listing.page(page, bytes)? {
                return Ok(listing.into_items());
            }
        }
    }
}
