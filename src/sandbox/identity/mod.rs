//! An embedded identity provider (OpenID Connect Core 1.0): whoever is chosen on its page is who they say.
//!
//! It stands in for an organisation's own one in the demo and in the tests. Written from the standards alone
//! (OpenID Connect Core and Discovery, RFC 6749, RFC 7636, RFC 9207), it shares no type with the bot's client. It
//! knows one client, and asks for no password: nothing else may trust it.

mod page;
mod routes;
mod token;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Map, Value};
use url::Url;

/// Sign-ins that are remembered at the same time; the oldest is forgotten.
const MOST: usize = 256;
/// How long a code may be exchanged (RFC 6749 §4.1.2 recommends ten minutes at most).
const CODE_KEPT: SignedDuration = SignedDuration::from_mins(1);

/// The only application that it knows.
#[derive(Clone)]
pub struct Client {
    pub id: String,
    pub secret: String,
    pub redirect_uri: Url,
}

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub subject: String,
    pub name: String,
    pub email: String,
    pub email_verified: bool,
}

/// What it answers; cloned, it is the same one.
#[derive(Clone)]
pub struct IdentityProvider(Arc<Inner>);

struct Inner {
    issuer: Url,
    client: Client,
    key: EcdsaKeyPair,
    /// A key that is in no key set.
    foreign: EcdsaKeyPair,
    random: SystemRandom,
    world: Mutex<IdentityWorld>,
}

/// How an ID token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signing {
    /// ES256, with the key of the key set.
    #[default]
    Own,
    /// ES256, with another key under the same name.
    Foreign,
    /// `alg: none`, without a signature.
    Unsigned,
    /// HS256 with the client's secret.
    Shared,
}

/// Something that it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Discovery,
    Keys,
    Authorize,
    Token,
}

/// Changes the claims of the next ID tokens before they are signed.
pub type Claims = Box<dyn Fn(&mut Map<String, Value>) + Send>;

/// What can be changed about it while it runs.
pub struct IdentityWorld {
    pub people: Vec<Identity>,
    pub signing: Signing,
    pub claims: Option<Claims>,
    /// Ahead of this machine's clock by so much.
    pub clock: SignedDuration,
    /// The issuer that its discovery document names instead of its own.
    pub named_issuer: Option<String>,
    /// The issuer that it names beside a code instead of its own.
    pub answering_issuer: Option<String>,
    /// These answer 503.
    pub down: HashSet<Endpoint>,
    /// What the last authorization request asked for.
    pub asked: HashMap<String, String>,
    pending: Vec<(String, SignIn)>,
    codes: Vec<(String, Code)>,
}

/// An authorization request, checked.
#[derive(Clone)]
struct SignIn {
    state: String,
    nonce: Option<String>,
    challenge: String,
    acr: Option<String>,
}

/// A code that was not exchanged yet.
struct Code {
    subject: String,
    sign_in: SignIn,
    at: Timestamp,
}

impl IdentityProvider {
    /// `issuer`: the address under which [`router`](Self::router) is served, without a slash at its end.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn new(issuer: Url, client: Client, people: Vec<Identity>) -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let world = IdentityWorld {
            people,
            signing: Signing::Own,
            claims: None,
            clock: SignedDuration::ZERO,
            named_issuer: None,
            answering_issuer: None,
            down: HashSet::new(),
            asked: HashMap::new(),
            pending: Vec::new(),
            codes: Vec::new(),
        };
        let (key, foreign) = (new_key(&random)?, new_key(&random)?);
        Ok(Self(Arc::new(Inner { issuer, client, key, foreign, random, world: Mutex::new(world) })))
    }

    /// Its routes, relative to the issuer.
    pub fn router(&self) -> axum::Router {
        routes::router(self.clone())
    }

    /// Looks at it, or changes how it answers.
    pub fn edit<T>(&self, change: impl FnOnce(&mut IdentityWorld) -> T) -> T {
        change(&mut self.world())
    }

    pub fn issuer(&self) -> &str {
        self.0.issuer.as_str().trim_end_matches('/')
    }

    fn world(&self) -> MutexGuard<'_, IdentityWorld> {
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page's address below the issuer.
    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityProvider").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}

impl IdentityWorld {
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.clock
    }

    fn person(&self, subject: &str) -> Option<&Identity> {
        self.people.iter().find(|person| person.subject == subject)
    }

    /// Remembers a request until its person is chosen; the name it is found by.
    fn begin(&mut self, sign_in: SignIn) -> String {
        let name = unguessable();
        if self.pending.len() >= MOST {
            self.pending.remove(0);
        }
        self.pending.push((name.clone(), sign_in));
        name
    }

    fn take_pending(&mut self, name: &str) -> Option<SignIn> {
        let at = self.pending.iter().position(|(known, _)| known == name)?;
        Some(self.pending.remove(at).1)
    }

    /// A code for who was chosen.
    fn grant(&mut self, subject: &str, sign_in: SignIn) -> String {
        let (code, at) = (unguessable(), self.now());
        if self.codes.len() >= MOST {
            self.codes.remove(0);
        }
        self.codes.push((code.clone(), Code { subject: subject.to_owned(), sign_in, at }));
        code
    }

    /// A code is good once.
    fn take_code(&mut self, code: &str) -> Option<Code> {
        let at = self.codes.iter().position(|(known, _)| known == code)?;
        let (_, code) = self.codes.remove(at);
        (self.now().duration_since(code.at) < CODE_KEPT).then_some(code)
    }
}

fn new_key(random: &SystemRandom) -> anyhow::Result<EcdsaKeyPair> {
    let failed = |_| anyhow::anyhow!("the identity provider's key could not be made");
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random).map_err(failed)?;
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), random)
        .map_err(|_| anyhow::anyhow!("the identity provider's key could not be read"))
}

fn unguessable() -> String {
    hex::encode(rand::rng().random::<[u8; 16]>())
}
