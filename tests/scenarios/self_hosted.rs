//! Sekoia on the customer's own host: its addresses everywhere, the key nowhere else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use insta::assert_snapshot;
use jiff::Timestamp;
use sekoia_chatops::app::App;
use sekoia_chatops::config::Config;
use sekoia_chatops::pace::Rank;
use sekoia_chatops::resolve::network::Network;
use sekoia_chatops::sandbox::{self, Options, Sandbox, Tenant, Writes};
use sekoia_chatops::sekoia::live::{Live, LiveEvent, Lost};
use sekoia_chatops::sekoia::{Region, Sekoia, SekoiaError, Site};
use tokio::net::TcpListener;

use crate::harness::front::{before, certificate};
use crate::harness::{Chat, Platform, Setting, Stage, nameless, on_both, run, steady};

fn own_host() -> Setting {
    Setting { region: "SELF", tenant: Tenant::Multi, ..Setting::default() }
}

async fn bank(s: &mut Stage) {
    s.ask("alice", "setup \"Banque Rivoli\"").await;
    s.progress().await;
}

on_both!(every_address_is_the_customers_own);
fn every_address_is_the_customers_own(on: Platform) {
    run(on, Setting { writes: Writes::Refused, ..own_host() }, async |s| {
        bank(s).await;
        assert_snapshot!(steady(s.ask("dan", "region").await.text()), @"
        Region SELF · Sekoia Self-Hosted
        The bot's key is accepted there. On your own host there is no region to choose. Before you invite people, confirm three things:
        • Host: `soc.bank.example` is the one that your administrator of Sekoia gave you.
        • Certificate: the bot calls the API without one, on its own machine; your members' browsers must trust the one of the app.
        • Name: members resolve it from where they work, over the VPN too.
        The addresses:
        • App: https://soc.bank.example <https://soc.bank.example>
        • API: `http://127.0.0.1:<port>`
        • HTTP intake: port 443 of `soc.bank.example`, as an intake's page shows it
        • Syslog over TLS: `soc.bank.example:10514`
        • RELP over TLS: `soc.bank.example:11514`
        See: Regions <https://docs.sekoia.com/getting_started/regions/>
        [Open step 2 (region)]
        ");
        assert_snapshot!(s.ask("alice", "region probe").await.text(), @"There is no other region to try: the key of a self-hosted Sekoia works at its own host only, and is sent nowhere else. `/sekoia region` shows the addresses.");
        assert_snapshot!(s.ask("alice", "region probe confirm").await.text(), @"There is no other region to try: the key of a self-hosted Sekoia works at its own host only, and is sent nowhere else. `/sekoia region` shows the addresses.");
        s.ask("alice", "region share").await;
        let shared = s.next_post("Log in to Sekoia at").await;
        assert!(shared.text().contains("https://soc.bank.example"), "{shared}");
        let status = s.checklist("✅").await;
        assert!(
            status
                .text()
                .contains("SELF (Sekoia Self-Hosted): the key is accepted; people log in at https://soc.bank.example"),
            "{status}"
        );
        let report = s.ask("alice", "report 1").await;
        assert!(report.text().contains("https://soc.bank.example"), "{report}");

        s.request_for("alice", "invite ana@rivoli.example as Analyst").await;
        let card = s.card("Approval needed").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (posted)
        Approval needed
        *Invite ana@rivoli.example as Analyst*
        In *Banque Rivoli* as *Analyst*
        • ana@rivoli.example
        They log in at https://soc.bank.example <https://soc.bank.example>
        Asked by @alice
        • ⚠️ external domain: no member has an address at rivoli.example
        • ⚠️ the e-mail goes out through your own SMTP server, as it is set up in your Sekoia: nobody gets it while that is a placeholder
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        ");
        s.checklist("⏳").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("To do by hand").await;
        assert!(card.text().contains("In Sekoia's console <https://soc.bank.example>: "), "{card}");
        s.direct().await;
        s.checklist("by hand").await;

        // Nothing that people read leads to one of Sekoia's own hosts; its documentation stays.
        for message in s.chat.dump().lines() {
            assert!(!message.contains("sekoia.io"), "{message}");
        }
        let failing = sandbox::FaultKind::Status { code: 503, retry_after: None, body: None };
        s.sekoia.faults().add(sandbox::Fault::new(failing));
        let failed = s.ask("dan", "roles").await;
        assert!(failed.text().contains("ask the administrator of your Sekoia: SEKOIA_API_URL"), "{failed}");
    });
}

on_both!(the_two_built_in_communities_are_no_workspaces);
fn the_two_built_in_communities_are_no_workspaces(on: Platform) {
    let built_in = |s: &Stage| {
        s.sekoia.edit(|world| {
            let like = world.communities.iter().find(|c| c.parent_community_uuid.is_some()).expect("a unit").clone();
            for name in ["Administration Community", "sekoia community", "Bank (sekoia community)"] {
                world.communities.push(sandbox::world::Community {
                    uuid: uuid::Uuid::new_v4(),
                    name: name.to_owned(),
                    ..like.clone()
                });
            }
        });
    };
    run(on, own_host(), async |s| {
        built_in(s);
        let asked = s.ask("alice", "setup \"sekoia community\"").await;
        assert_snapshot!(asked.text(), @r#"
        The key sees no community called "sekoia community".
        The key sees 5 communities. Which one is this channel about? Steps 4 to 7 touch that one alone.
        [Choose a community ▾]
        "#);
        bank(s).await;
        let listed = s.ask("alice", "communities").await;
        assert!(
            listed.text().contains("Bank (sekoia community)") && listed.text().contains("4 communities"),
            "{listed}"
        );
        assert!(!listed.text().contains("Administration"), "{listed}");
    });
    // Elsewhere a customer may have named one so.
    run(on, Setting { region: "FRA1", ..own_host() }, async |s| {
        built_in(s);
        bank(s).await;
        let listed = s.ask("alice", "communities").await;
        assert!(
            listed.text().contains("Administration Community") && listed.text().contains("6 communities"),
            "{listed}"
        );
    });
}

on_both!(a_key_of_a_built_in_community_is_refused);
fn a_key_of_a_built_in_community_is_refused(on: Platform) {
    run(on, own_host(), async |s| {
        s.sekoia.edit(|world| {
            let root = world.root;
            let root = world.communities.iter_mut().find(|c| c.uuid == root).expect("the workspace");
            root.name = "Administration Community".into();
        });
        let refused = s.ask("alice", "setup").await;
        assert!(refused.text().contains("which is no workspace; create a key in your own community"), "{refused}");
    });
}

/// Counts the requests that reach it, and answers all of them with `status` and a place to go.
async fn answering(status: StatusCode, location: String) -> (SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let router = Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let location = location.clone();
        async move { (status, [("location", location)], "{}") }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, asked)
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let (elsewhere, reached) = answering(StatusCode::OK, String::new()).await;
    for status in [StatusCode::MOVED_PERMANENTLY, StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT] {
        let (own, asked) = answering(status, format!("http://{elsewhere}/v1/auth/validate")).await;
        let api: url::Url = format!("http://{own}/api").parse().unwrap();
        let site = Site { region: Region::SelfHosted, app: api.clone(), api };
        let sekoia = Sekoia::new(site, "canary".to_owned().into(), vec![], &Network::default()).unwrap();
        let error = sekoia.validate(Rank::Person).await.unwrap_err();
        assert_eq!(error, SekoiaError::Refused { status: status.as_u16(), message: "{}".into() });
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        // Nor are the regions of Sekoia asked.
        assert_eq!(sekoia.probe().await, vec![]);

        let (out, mut events) = tokio::sync::mpsc::channel(4);
        let live = Live::new(format!("ws://{own}/live/").parse().unwrap(), "canary".to_owned().into());
        let listening = tokio::spawn(live.run(out, tokio_util::sync::CancellationToken::new()));
        let lost = events.recv().await.unwrap();
        assert!(
            matches!(lost, LiveEvent::Lost { why: Lost::Failed { status: s }, .. } if s == status.as_u16()),
            "{lost:?}"
        );
        listening.abort();
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0);
}

/// Whether Sekoia, its live events, Slack and Mattermost are reached with these settings.
async fn reached(settings: &[(&'static str, String)]) -> [bool; 4] {
    let set = |wanted: &str| settings.iter().rfind(|(name, _)| *name == wanted).map(|(_, value)| value.clone());
    let config = Config::read(set).unwrap();
    let of = &config.sekoia;
    let site = Site { region: of.region, api: of.api_url.clone(), app: of.app_url.clone() };
    let sekoia = Sekoia::new(site, of.key.clone(), vec![], &of.network).unwrap();
    let api = match sekoia.validate(Rank::Person).await {
        Ok(_) => true,
        Err(SekoiaError::Unreachable) => false,
        Err(other) => panic!("{other}"),
    };
    let (out, mut events) = tokio::sync::mpsc::channel(4);
    let live = Live::new(of.live_url.clone(), of.key.clone()).through(of.network.dialer().unwrap());
    let listening = tokio::spawn(live.run(out, tokio_util::sync::CancellationToken::new()));
    let live = matches!(events.recv().await, Some(LiveEvent::Connected));
    listening.abort();
    let app = App::build(config).await.unwrap();
    let chats: Vec<_> = app.bot().chats().iter().collect();
    let (slack, mattermost) = tokio::join!(chats[0].check(), chats[1].check());
    [api, live, slack.is_ok(), mattermost.is_ok()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_accepts_the_authorities_of_the_file_and_no_others() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sandbox = Sandbox::new(Options::default(), Timestamp::now());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sekoia = listener.local_addr().unwrap();
    tokio::spawn(sandbox::serve(listener, Arc::clone(&sandbox), std::future::pending()));
    let (slack, mattermost) = (Chat::start(Platform::Slack).await, Chat::start(Platform::Mattermost).await);
    let chats: Vec<_> = slack.settings().into_iter().chain(mattermost.settings()).collect();
    for own_authority in [false, true] {
        let (config, trusted) = certificate(&["localhost"], own_authority);
        let port = before(sekoia, &config).await.port();
        let mut settings = vec![
            ("SEKOIA_API_KEY", sandbox.token("admin").to_owned()),
            ("SEKOIA_REGION", "SELF".to_owned()),
            ("SEKOIA_API_URL", format!("https://localhost:{port}")),
            ("SEKOIA_APP_URL", format!("https://localhost:{port}")),
            ("SEKOIA_LIVE_URL", format!("wss://localhost:{port}/live/")),
            ("CHATOPS_STORE", "memory".to_owned()),
            ("CHATOPS_PUBLIC_URL", "https://bot.example.com".to_owned()),
        ];
        for (name, value) in &chats {
            let value = match *name {
                "SLACK_API_URL" | "MATTERMOST_URL" => {
                    let mut url: url::Url = value.parse().unwrap();
                    let plain = format!("127.0.0.1:{}", url.port().unwrap()).parse().unwrap();
                    let port = before(plain, &config).await.port();
                    url.set_scheme("https").unwrap();
                    url.set_host(Some("localhost")).unwrap();
                    url.set_port(Some(port)).unwrap();
                    url.to_string()
                }
                _ => value.clone(),
            };
            settings.push((name, value));
        }
        let without = settings.clone();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("authorities.pem");
        let (_, unrelated) = certificate(&["localhost"], false);
        std::fs::write(&file, format!("Of the proxy:\n{unrelated}{trusted}")).unwrap();
        settings.push(("CHATOPS_CA_FILE", file.to_str().unwrap().to_owned()));
        assert_eq!(reached(&settings).await, [true; 4], "{own_authority}");
        std::fs::write(&file, unrelated).unwrap();
        let refused = tokio::join!(reached(&without), reached(&settings));
        assert_eq!(refused, ([false; 4], [false; 4]), "{own_authority}");
    }
}
