//! The way out through a proxy: every client takes it, and says so when the proxy refuses.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use jiff::Timestamp;
use sekoia_chatops::app::App;
use sekoia_chatops::config::Config;
use sekoia_chatops::pace::Rank;
use sekoia_chatops::resolve::network::Network;
use sekoia_chatops::resolve::proxy::Proxies;
use sekoia_chatops::resolve::tls::Tls;
use sekoia_chatops::sandbox::{self, Options, Sandbox};
use sekoia_chatops::sekoia::live::{Live, LiveEvent};
use sekoia_chatops::sekoia::{Sekoia, Site};
use tokio::net::TcpListener;

use super::program::run as run_program;
use super::rooms::{sources, src};
use super::socket_mode::logged;
use super::watching::{alert, at_rest, message, rule};
use crate::harness::front::{before, certificate};
use crate::harness::proxy::{Proxy, Rules};
use crate::harness::{Platform, Setting, by_socket, everywhere, on_slack, run};

everywhere!(every_client_goes_through_the_proxy);
fn every_client_goes_through_the_proxy(on: Platform) {
    let setting = Setting { behind_proxy: Some("bot:canary"), durable: true, ..Setting::default() };
    run(on, setting, async |s| {
        s.set_up().await;
        // Answered after Sekoia was asked: by the command's own address.
        let roles = s.ask("alice", "roles").await;
        assert!(roles.text().contains("Analyst"), "{roles}");
        // A file goes out, and Sekoia's live events come in.
        s.ask("alice", "report").await;
        s.direct().await;
        rule(s, "alert").await;
        alert(s, "Behind the proxy", 60);
        message(s, &["Behind the proxy"]).await;
        at_rest(s).await;
        if on == Platform::Mattermost {
            // What is posted comes in by a WebSocket, which finds the way only there.
            s.mention("dan", None, "whoami").await;
            let told = s.reply().await;
            assert!(told.text().contains("You are @dan"), "{told}");
        }
        let own = match on {
            Platform::Slack => "CONNECT slack.com:443",
            Platform::Mattermost => "CONNECT chat.nimbus.example:443",
        };
        let mut expected = vec!["CONNECT api.sekoia.io:443", "CONNECT app.sekoia.io:443", own];
        expected.extend(s.chat.socket_address().map(|_| "CONNECT wss-primary.slack.com:443"));
        assert_eq!(s.proxy().targets().into_iter().collect::<Vec<_>>(), expected);
    });
}

#[test]
fn a_file_of_a_form_comes_through_the_proxy() {
    let setting = Setting { behind_proxy: Some("bot:canary"), ..Setting::default() };
    on_slack(setting, async |s| {
        s.set_up().await;
        let form = s.form_for("alice", "invite").await;
        let refused = s.refused("alice", &form, &[("E-mail addresses", ""), ("Or a file", "name,email\nBo,\n")]).await;
        assert!(refused.contains("row 2 has no address"), "{refused}");
    });
}

/// What each client says of a proxy: Sekoia's API, its live events, Slack and Mattermost.
async fn said(proxy: &str, trusted: &str) -> [String; 4] {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), trusted).unwrap();
    let mut settings = BTreeMap::from([
        ("SEKOIA_API_KEY", "canary"),
        ("SLACK_BOT_TOKEN", "xoxb-canary"),
        ("SLACK_SIGNING_SECRET", "canary"),
        ("MATTERMOST_URL", "https://chat.nimbus.example"),
        ("MATTERMOST_BOT_TOKEN", "canary"),
        ("MATTERMOST_COMMAND_TOKEN", "canary"),
        ("CHATOPS_STORE", "memory"),
        ("CHATOPS_PUBLIC_URL", "https://bot.example.com"),
        ("HTTPS_PROXY", proxy),
    ]);
    if !trusted.is_empty() {
        settings.insert("CHATOPS_CA_FILE", file.path().to_str().unwrap());
    }
    let config = Config::read(|wanted| settings.get(wanted).map(ToString::to_string)).unwrap();
    let of = &config.sekoia;
    let site = Site { region: of.region, api: of.api_url.clone(), app: of.app_url.clone() };
    let sekoia = Sekoia::new(site, of.key.clone(), vec![], &of.network).unwrap();
    let api = match sekoia.validate(Rank::Person).await {
        Ok(_) => "reached".to_owned(),
        Err(error) => format!("{error}. {}", error.advice(of.region)),
    };
    let (out, mut events) = tokio::sync::mpsc::channel(4);
    let live = Live::new(of.live_url.clone(), of.key.clone()).through(of.network.dialer().unwrap());
    let listening = tokio::spawn(live.run(out, tokio_util::sync::CancellationToken::new()));
    let live = match events.recv().await {
        Some(LiveEvent::Lost { why, .. }) => format!("{why}. {}", why.advice()),
        _ => "reached".to_owned(),
    };
    listening.abort();
    let app = App::build(config).await.unwrap();
    let chats: Vec<_> = app.bot().chats().iter().collect();
    let (slack, mattermost) = tokio::join!(chats[0].check(), chats[1].check());
    let told = |result: Result<(), sekoia_chatops::chat::ChatError>| match result {
        Ok(()) => "reached".to_owned(),
        Err(error) => error.to_string(),
    };
    let said = [api, live, told(slack), told(mattermost)];
    assert!(!said.iter().any(|said| said.contains("canary")), "{said:?}");
    let address = proxy.rsplit_once(['@', '/']).map_or(proxy, |(_, address)| address);
    said.map(|said| said.replace(address, "<proxy>"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_refuses_is_named() {
    let start = async |rules| Proxy::start(rules).await;
    let strict = start(Rules { login: Some("bot:right"), ..Rules::default() }).await;
    assert_snapshot!(said(&format!("http://{}", strict.address), "").await.join("\n"), @"
    Sekoia could not be reached: the proxy <proxy> (HTTPS_PROXY) wants a name and a password, or refuses those that are set (407). Set HTTPS_PROXY to http://NAME:PASSWORD@HOST:PORT and restart the bot.
    Sekoia's LiveAPI could not be reached: the proxy <proxy> (HTTPS_PROXY) wants a name and a password, or refuses those that are set (407). Set HTTPS_PROXY to http://NAME:PASSWORD@HOST:PORT and restart the bot.
    the chat platform did not answer: the proxy <proxy> (HTTPS_PROXY) wants a name and a password, or refuses those that are set (407)
    the chat platform did not answer: the proxy <proxy> (HTTPS_PROXY) wants a name and a password, or refuses those that are set (407)
    ");
    assert_snapshot!(said(&format!("http://bot:canary@{}", strict.address), "").await.join("\n"), @"
    Sekoia could not be reached: the proxy <proxy> (HTTPS_PROXY) wants a name and a password, or refuses those that are set (407). Set HTTPS_PROXY to http://NAME:PASSWORD@HOST:PORT and restart the bot.
    Sekoia's LiveAPI could not be reached: the proxy <proxy> (HTTPS_PROXY) wants a name and a password, or refuses those that are set (407). Set HTTPS_PROXY to http://NAME:PASSWORD@HOST:PORT and restart the bot.
    the chat platform did not answer: the proxy <proxy> (HTTPS_PROXY) wants a name and a password, or refuses those that are set (407)
    the chat platform did not answer: the proxy <proxy> (HTTPS_PROXY) wants a name and a password, or refuses those that are set (407)
    ");
    let closed = start(Rules::default()).await;
    assert_snapshot!(said(&format!("http://{}", closed.address), "").await.join("\n"), @"
    Sekoia could not be reached: the proxy <proxy> (HTTPS_PROXY) refuses a connection to api.sekoia.io. Ask the administrator of the proxy to allow api.sekoia.io, or list that host in NO_PROXY.
    Sekoia's LiveAPI could not be reached: the proxy <proxy> (HTTPS_PROXY) refuses a connection to app.sekoia.io (403). Ask the administrator of the proxy to allow app.sekoia.io, or list that host in NO_PROXY.
    the chat platform did not answer: the proxy <proxy> (HTTPS_PROXY) refuses a connection to slack.com (403)
    the chat platform did not answer: the proxy <proxy> (HTTPS_PROXY) refuses a connection to chat.nimbus.example
    ");
    let garbage = start(Rules { garbage: true, ..Rules::default() }).await;
    assert_snapshot!(said(&format!("http://{}", garbage.address), "").await.join("\n"), @"
    Sekoia could not be reached: the proxy <proxy> (HTTPS_PROXY) refuses a connection to api.sekoia.io. Ask the administrator of the proxy to allow api.sekoia.io, or list that host in NO_PROXY.
    Sekoia's LiveAPI could not be reached: the proxy <proxy> (HTTPS_PROXY) does not answer as a proxy does. Check the address in HTTPS_PROXY; a host that is reached without the proxy belongs in NO_PROXY.
    the chat platform did not answer: the proxy <proxy> (HTTPS_PROXY) does not answer as a proxy does
    the chat platform did not answer: the proxy <proxy> (HTTPS_PROXY) refuses a connection to chat.nimbus.example
    ");
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    assert_snapshot!(said(&format!("http://{nobody}"), "").await.join("\n"), @"
    Sekoia could not be reached: the proxy <proxy> (HTTPS_PROXY) cannot be reached. Check the address in HTTPS_PROXY; a host that is reached without the proxy belongs in NO_PROXY.
    Sekoia's LiveAPI could not be reached: the proxy <proxy> (HTTPS_PROXY) cannot be reached. Check the address in HTTPS_PROXY; a host that is reached without the proxy belongs in NO_PROXY.
    the chat platform did not answer: the proxy <proxy> (HTTPS_PROXY) cannot be reached
    the chat platform did not answer: the proxy <proxy> (HTTPS_PROXY) cannot be reached
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_may_speak_tls_itself() {
    let sandbox = Sandbox::new(Options::default(), Timestamp::now());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = listener.local_addr().unwrap();
    tokio::spawn(sandbox::serve(listener, sandbox, std::future::pending()));
    let (config, trusted) = certificate(&["api.sekoia.io", "app.sekoia.io", "localhost"], false);
    let sekoia = before(plain, &config).await;
    let hosts = BTreeMap::from([("api.sekoia.io", sekoia), ("app.sekoia.io", sekoia)]);
    let rules = Rules { hosts, login: Some("bot:right"), garbage: false };
    let proxy = Proxy::start_tls(rules, config).await;
    let address = format!("https://bot:right@localhost:{}", proxy.address.port());
    // The key is none of the sandbox's; behind the proxy it is Sekoia that says so.
    let said = said(&address, &trusted).await;
    assert!(said[0].starts_with("Sekoia does not accept the bot's API key (401"), "{said:?}");
    assert!(said[1].starts_with("Sekoia's LiveAPI does not accept the bot's API key (401)"), "{said:?}");
    assert!(said[2].contains("refuses a connection to slack.com"), "{said:?}");
    assert!(said[3].contains("refuses a connection to chat.nimbus.example"), "{said:?}");
}

/// Nothing that the bot calls today is in the clear, except on the machine itself.
#[tokio::test]
async fn what_is_in_the_clear_is_asked_of_the_proxy_whole() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let router = axum::Router::new().fallback(async |headers: axum::http::HeaderMap| {
        assert!(!headers.contains_key("proxy-authorization"));
        "behind"
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let hosts = BTreeMap::from([("collector.example", behind)]);
    let proxy = Proxy::start(Rules { hosts, login: Some("bot:s%cret"), garbage: false }).await;
    let set = BTreeMap::from([("http_proxy", format!("bot:s%25cret@{}", proxy.address))]);
    let proxies = Proxies::read(|name| set.get(name).cloned()).unwrap();
    let client = Network { tls: Tls::default(), proxies }.http().unwrap().build().unwrap();
    let answer = client.get("http://collector.example:4318/v1/traces?a=1").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "behind");
    // The machine itself is asked directly.
    let answer = client.get(format!("http://{behind}/")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "behind");
    assert_eq!(proxy.requests(), ["GET http://collector.example:4318/v1/traces?a=1"]);
}

#[test]
fn the_password_of_the_proxy_stands_in_no_log() {
    let setting = Setting { behind_proxy: Some("bot:canary-of-the-proxy"), durable: true, ..Setting::default() };
    on_slack(setting, async |s| {
        s.stop().await;
        s.start_program().await;
        s.set_up().await;
        s.kill_program();
        let log = std::fs::read_to_string(s.log()).unwrap();
        for form in ["canary-of-the-proxy", "Ym90OmNhbmFyeS1vZi10aGUtcHJveHk="] {
            assert!(!log.contains(form), "{form}");
        }
        assert!(s.proxy().targets().contains("CONNECT slack.com:443"));
    });
}

#[test]
fn a_proxy_that_refuses_slacks_websockets_is_named() {
    by_socket(|| {
        let setting = Setting { behind_proxy: Some("bot:canary"), durable: true, ..Setting::default() };
        on_slack(setting, async |s| {
            s.stop().await;
            // Whoever allows slack.com alone forgets this one.
            s.proxy().forbid("wss-primary.slack.com");
            s.start_program().await;
            let line = logged(s, "refuses a connection to wss-primary.slack.com (403)").await;
            assert!(line.contains("Ask the administrator of the proxy to allow wss-primary.slack.com"), "{line}");
            s.proxy().allow_all();
            s.set_up().await;
        });
    });
}

#[test]
fn the_installer_for_mattermost_goes_through_the_proxy() {
    let install = "mattermost install --url https://chat.nimbus.example --admin-token canary --team soc --public-url https://bot.example.com";
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let ran = run_program(install, &[("HTTPS_PROXY", &format!("http://bot:canary@{nobody}"))]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains(&format!("the proxy {nobody} (HTTPS_PROXY) cannot be reached")), "{}", ran.err);
    assert!(!ran.err.contains("canary"), "{}", ran.err);
    let ran = run_program(install, &[("HTTPS_PROXY", "socks5://canary")]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("HTTPS_PROXY: is a SOCKS proxy") && !ran.err.contains("canary"), "{}", ran.err);
}

/// A client that is built elsewhere would know neither the proxy nor the private authorities.
#[test]
fn connections_are_made_in_one_place() {
    const MAKES: [&str; 6] =
        ["Client::builder", "Client::new()", "reqwest::get", "TcpStream::connect", "connect_async", "HttpConnector"];
    // The sandbox stays on the machine; two checks knock where the bot itself listens.
    let may = |module: &[String]| {
        let module = module.join("::");
        module.starts_with("resolve")
            || module.starts_with("sandbox")
            || ["bot::doctor::public_url", "cli::healthcheck"].contains(&&*module)
    };
    let elsewhere: Vec<String> = (sources(&src()).into_iter())
        .filter(|(module, text)| !may(module) && MAKES.iter().any(|makes| text.contains(makes)))
        .map(|(module, _)| module.join("::"))
        .collect();
    assert_eq!(elsewhere, [""; 0]);
}
