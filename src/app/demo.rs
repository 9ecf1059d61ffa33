//! The demo: the bot on its own chat page, against an embedded Sekoia.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::{App, House, WaysIn, one_tls_provider, open_store};
use crate::bot::doctor::Surroundings;
use crate::chat::{ChatPlatform, Chats};
use crate::config::{OidcConfig, SekoiaConfig, StoreConfig};
use crate::domain::action::Kind;
use crate::domain::approval::{Policy, Reveal, Rule};
use crate::platform::web::{self, Origins, Web, WebChat};
use crate::sandbox::Sandbox;
use crate::server;
use crate::timing::{Rhythm, Timing};

/// What the demo runs with.
pub struct Demo {
    pub sekoia: SekoiaConfig,
    pub sandbox: Arc<Sandbox>,
    pub store: StoreConfig,
    pub chat: Arc<WebChat>,
    /// Where people prove who they are, if they can.
    pub oidc: Option<OidcConfig>,
    /// Where the page is reached, and the webhook with it.
    pub public_url: Url,
    /// Where the page may be opened.
    pub origins: Origins,
    /// The folder of plan templates.
    pub plans: PathBuf,
    /// What the page says about what is kept.
    pub kept: String,
}

impl App {
    /// The bot on the demo's chat page, against an embedded Sekoia.
    pub async fn demo(demo: Demo) -> anyhow::Result<Self> {
        one_tls_provider();
        let store = open_store(&demo.store, &demo.store.keys()?).await?;
        let platform: Arc<dyn ChatPlatform> = demo.chat.clone();
        let chats = Chats::new([platform]);
        // The embedded Sekoia has nothing to do but to answer, and a visitor will not wait for minutes.
        let watch = Rhythm { minute: Duration::from_secs(4), ..Rhythm::default() };
        let house = House {
            access: web::policy(),
            approval: policy(demo.oidc.is_some()),
            timing: Timing { watch, ..Timing::default() },
            public_url: Some(demo.public_url),
            oidc: demo.oidc,
            plans: Some(demo.plans),
            metrics: Arc::default(),
            share: Arc::default(),
            retention: None,
            surroundings: Surroundings::default(),
        };
        Self::around(demo.sekoia, house, store, chats, |responder, _, _| {
            let web = Arc::new(Web::new(demo.chat, responder, demo.sandbox, demo.kept));
            WaysIn { routes: server::demo::routes(web, Arc::new(demo.origins)), listeners: Vec::new() }
        })
    }
}

/// `proving`: a new key is approved with a proof of identity, and shown on a page of its own. One that replaces
/// another is not, so that both ways can be tried.
fn policy(proving: bool) -> Policy {
    let mut policy = Policy::default();
    if proving {
        policy.per.insert(Kind::KeyCreate, Rule { second_factor: true, reveal: Reveal::Page, ..Rule::default() });
    }
    policy
}
