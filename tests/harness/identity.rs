//! The organisation's identity provider, and the browsers in which people prove who they are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, REFRESH, SET_COOKIE};
use sekoia_chatops::sandbox::identity::{Client, Identity, IdentityProvider};
use url::Url;

use super::{Seen, Stage};

pub const CLIENT: &str = "chatops";
pub const CLIENT_SECRET: &str = "canary-oidc-secret";

/// How people prove who they are in a test.
#[derive(Debug, Clone, Copy)]
pub struct Proving {
    /// `CHATOPS_OIDC_ACR`.
    pub acr: &'static str,
    /// Names of people and their subjects, as `[oidc.subjects]`; the others are known by e-mail.
    pub subjects: &'static [(&'static str, &'static str)],
    /// At npm's `oidc-provider`, in which whoever was named by [`Stage::signs_in`] signs in.
    pub real: bool,
}

/// A provider, and the place where the bot is reached, whichever bot is there.
pub(super) struct Provided {
    provider: Option<IdentityProvider>,
    pub issuer: String,
    /// The program of the real one.
    node: Option<std::process::Child>,
    bot: SocketAddr,
    door: Option<std::net::TcpListener>,
}

impl Provided {
    pub async fn start() -> Self {
        let door = door();
        door.set_nonblocking(true).expect("a listener");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let callback = format!("http://{}/oidc/callback", door.local_addr().expect("an address"));
        let client = Client {
            id: CLIENT.into(),
            secret: CLIENT_SECRET.into(),
            redirect_uri: callback.parse().expect("an address"),
        };
        let person = |name: &str| Identity {
            subject: format!("{name}-1"),
            name: name.into(),
            email: format!("{name}@nimbus.example"),
            email_verified: true,
        };
        let people = ["alice", "bob", "carol", "dan"].map(person).into();
        let provider = IdentityProvider::new(issuer.parse().expect("an address"), client, people).expect("a provider");
        let router = provider.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let bot = door.local_addr().expect("an address");
        Self { provider: Some(provider), issuer, node: None, bot, door: Some(door) }
    }

    /// npm's certified `oidc-provider`.
    pub async fn start_real() -> Self {
        let door = door();
        door.set_nonblocking(true).expect("a listener");
        let bot = door.local_addr().expect("an address");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
        let (issuer, root) = (format!("http://{free}"), env!("CARGO_MANIFEST_DIR"));
        let node = std::process::Command::new("node")
            .arg(format!("{root}/tests/data/oidc-provider.mjs"))
            .arg(format!("{root}/target/oidc-provider/node_modules"))
            .args([&issuer, CLIENT, CLIENT_SECRET, &format!("http://{bot}/oidc/callback")])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("node, and npm install --prefix target/oidc-provider oidc-provider");
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(free).await.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Self { provider: None, issuer, node: Some(node), bot, door: Some(door) }
    }

    pub fn bot(&self) -> SocketAddr {
        self.bot
    }

    /// The bot's listener, which outlives each of them.
    pub fn listener(&self) -> std::net::TcpListener {
        self.door.as_ref().expect("no program listens there").try_clone().expect("a listener")
    }

    /// From here on, a program listens there by itself.
    pub fn leave_to_program(&mut self) {
        self.door = None;
    }
}

impl Drop for Provided {
    fn drop(&mut self) {
        if let Some(node) = &mut self.node {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

/// A port for the bot that no outgoing connection takes while a program starts again.
fn door() -> std::net::TcpListener {
    let mut ports = std::iter::repeat_with(|| rand::random_range(20_000..30_000_u16));
    let door = ports.find_map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).ok());
    door.expect("one of them is free")
}

/// What a browser shows.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub html: String,
    /// Where it goes on by itself.
    pub next: Option<Url>,
    pub headers: reqwest::header::HeaderMap,
}

impl Page {
    /// What a person reads, a line for each element.
    pub fn text(&self) -> String {
        let body = self.html.split_once("<main>").map_or(&*self.html, |(_, body)| body);
        let (mut out, mut in_tag) = (String::new(), false);
        for c in body.chars() {
            match c {
                '<' => {
                    in_tag = true;
                    out.push('\n');
                }
                '>' if in_tag => in_tag = false,
                c if !in_tag => out.push(c),
                _ => {}
            }
        }
        let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        let out = plain.iter().fold(out, |out, (from, to)| out.replace(from, to));
        let lines: Vec<&str> = out.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join("\n")
    }
}

/// A browser that keeps cookies and follows nothing by itself.
pub struct Browser {
    http: reqwest::Client,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    pub fn fresh() -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { http, cookies: Mutex::default() }
    }

    pub async fn get(&self, url: &str) -> Page {
        self.ask(self.http.get(url)).await
    }

    /// Presses the button of a link's page.
    pub async fn leave(&self, link: &str) -> Page {
        self.ask(self.http.post(link)).await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Page {
        self.try_ask(request).await.expect("an answer")
    }

    /// None if the bot was killed meanwhile.
    async fn try_ask(&self, request: reqwest::RequestBuilder) -> Option<Page> {
        let cookies: Vec<String> =
            self.cookies.lock().expect("a lock").iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header(COOKIE, cookies.join("; ")) };
        let answer = request.send().await.ok()?;
        let at = answer.url().clone();
        for set in answer.headers().get_all(SET_COOKIE) {
            let set = set.to_str().expect("a text");
            assert!(!set.contains("chatops-proof") || set.contains("; HttpOnly; SameSite=Lax"), "{set}");
            let (pair, rest) = set.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            let mut cookies = self.cookies.lock().expect("a lock");
            if rest.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let headers = answer.headers().clone();
        let header = |name| headers.get(name).map(|value| value.to_str().expect("a text").to_owned());
        let refresh = header(REFRESH).and_then(|refresh| refresh.split_once("url=").map(|(_, url)| url.to_owned()));
        let next = refresh.or(header(LOCATION)).map(|url| at.join(&url).expect("an address"));
        let status = answer.status().as_u16();
        Some(Page { status, html: answer.text().await.ok()?, next, headers })
    }

    /// Says at the provider who one is; the way back to the bot.
    pub async fn sign_in(&self, at: &Url, subject: &str) -> Url {
        let page = self.get(at.as_str()).await;
        let request = page.html.split_once("name=\"request\" value=\"").map(|(_, rest)| rest.split('"').next());
        let request = request.flatten().unwrap_or_else(|| panic!("no choice of people: {}", page.text()));
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("request", request)
            .append_pair("subject", subject)
            .finish();
        let to = at.as_str().split('?').next().expect("an address");
        let choice = self.http.post(to).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        self.ask(choice).await.next.expect("a way back")
    }

    /// The same at the real provider, which leads on by redirects alone.
    pub async fn prove_really(&self, link: &str) -> Page {
        let mut next = self.leave(link).await.next.expect("a way on");
        while next.path() != "/oidc/callback" {
            let page = self.get(next.as_str()).await;
            // Its redirects are relative.
            next = page.next.unwrap_or_else(|| panic!("no way on: {}", page.html));
        }
        self.get(next.as_str()).await
    }

    /// The whole way from the link to the page at its end.
    pub async fn prove(&self, link: &str, subject: &str) -> Page {
        assert_eq!(self.get(link).await.status, 200);
        let left = self.leave(link).await;
        let at = left.next.as_ref().unwrap_or_else(|| panic!("no way on: {}", left.text()));
        let back = self.sign_in(at, subject).await;
        self.get(back.as_str()).await
    }
}

/// The tokens of a way to a proof, for who looks where they are kept.
pub type Tokens = Mutex<Vec<String>>;

impl Browser {
    /// The same with a bot that may be killed on the way.
    pub async fn try_prove(&self, link: &str, subject: &str, tokens: &Tokens) -> Option<Page> {
        let note = |token: &str| tokens.lock().expect("a lock").push(token.to_owned());
        note(link.rsplit('/').next().expect("a token"));
        let at = self.try_ask(self.http.post(link)).await?.next?;
        let back = self.sign_in(&at, subject).await;
        back.query_pairs().filter(|(name, _)| *name == "state" || *name == "code").for_each(|(_, value)| note(&value));
        self.cookies.lock().expect("a lock").values().for_each(|value| note(value));
        self.try_ask(self.http.get(back.as_str())).await
    }
}

impl Stage {
    pub fn provider(&self) -> &IdentityProvider {
        let provided = self.provided.as_ref().expect("a stage where people prove who they are");
        provided.provider.as_ref().expect("the embedded one")
    }

    /// Who signs in at the real provider, and how strongly.
    pub async fn signs_in(&self, subject: &str, acr: &str) {
        let issuer = &self.provided.as_ref().expect("a stage where people prove who they are").issuer;
        assert!(
            self.http
                .get(format!("{issuer}/as/{subject}/{acr}"))
                .send()
                .await
                .expect("an answer")
                .status()
                .is_success()
        );
    }

    /// The link in a message.
    pub fn link_in(&self, seen: &Seen) -> String {
        self.any_link_in(seen).unwrap_or_else(|| panic!("no link in {seen}"))
    }

    pub fn any_link_in(&self, seen: &Seen) -> Option<String> {
        let bot = format!("http://{}/confirm/", self.provided.as_ref().expect("a provider").bot());
        let shown = seen.as_shown();
        shown.find(&bot).map(|at| shown[at..].chars().take(bot.len() + 43).collect())
    }
}
