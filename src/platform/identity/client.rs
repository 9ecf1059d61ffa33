//! The organisation's identity provider, asked as OpenID Connect Core 1.0 says: the authorization code flow
//! with PKCE, and an ID token of which everything is checked.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
    CoreClientAuthMethod, CoreGrantType, CoreIdToken, CoreIdTokenClaims, CoreJsonWebKey, CoreJsonWebKeySet,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AsyncHttpClient, AuthType, AuthenticationContextClass, AuthorizationCode,
    ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, Nonce, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, Scope,
    TokenResponse,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tracing::warn;
use url::Url;

use crate::bot::{Identity, Returned, SignIn};
use crate::config::OidcConfig;
use crate::domain::approval::Proof;
use crate::resolve::is_loopback;
use crate::timing::identity::{ASKED_WITHIN, CLOCK_SKEW, METADATA_KEPT};

/// Bytes of an answer of the provider.
const MOST: usize = 1024 * 1024;
/// Signatures that only the provider can make. Never `none`, and none by a secret that is shared.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What is read of the discovery document beside the standard's fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct More {
    /// RFC 9207: a code comes with the issuer's name.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Why a sign-in proves nothing. The text is for the person, and holds nothing that others typed.
#[derive(Debug, thiserror::Error)]
pub enum Unsure {
    #[error("The identity provider could not be reached, so nothing was done.")]
    Unreachable,
    #[error("The identity provider's answer could not be read, so nothing was done.")]
    Garbled,
    /// Its discovery document is another one's.
    #[error(
        "The identity provider's discovery document names another issuer than the configured one, so nothing was done."
    )]
    OtherIssuer { named: String },
    #[error("The identity provider refused the sign-in, so nothing was done.")]
    Refused,
    #[error("The answer is not from the configured identity provider, so nothing was done.")]
    MixedUp,
    #[error("The identity provider's ID token has no valid signature, so nothing was done.")]
    Signature,
    #[error("The identity provider's ID token is for another application, so nothing was done.")]
    Audience,
    #[error("The identity provider's ID token belongs to another sign-in, so nothing was done.")]
    Nonce,
    #[error("The identity provider's ID token has expired, or a clock is wrong, so nothing was done.")]
    Time,
    #[error("The identity provider did not ask you to sign in again, so nothing was done.")]
    AuthTime,
    #[error("You did not sign in as strongly as this needs, so nothing was done.")]
    Acr,
}

impl Unsure {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Unsure::Unreachable => "Press the button in the chat again in a few minutes.",
            Unsure::Refused => "Press the button in the chat again, and sign in.",
            Unsure::AuthTime | Unsure::Nonce => "Press the button in the chat again, and sign in when you are asked.",
            Unsure::Acr => "Press the button in the chat again, and sign in with your second factor.",
            Unsure::Time => {
                "Ask your bot administrator to compare the clocks of this bot and of the identity provider."
            }
            Unsure::Garbled | Unsure::OtherIssuer { .. } | Unsure::MixedUp | Unsure::Signature | Unsure::Audience => {
                "Ask your bot administrator to compare CHATOPS_OIDC_ISSUER and CHATOPS_OIDC_CLIENT_ID with the identity provider."
            }
        }
    }
}

/// The provider, as the bot knows it.
pub struct Provider {
    config: OidcConfig,
    http: reqwest::Client,
    redirect: RedirectUrl,
    known: Mutex<Option<(Instant, Metadata)>>,
}

/// What an answer of the provider could not be had for. The library wants an error of its own.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
pub struct NoAnswer;

impl Provider {
    /// # Errors
    /// No TLS client can be made, or an address is none.
    pub fn new(config: OidcConfig) -> anyhow::Result<Self> {
        let http = config.network.http()?.timeout(ASKED_WITHIN).build()?;
        let redirect = format!("{}/oidc/callback", config.public_url.as_str().trim_end_matches('/'));
        let redirect = RedirectUrl::new(redirect)?;
        Ok(Self { config, http, redirect, known: Mutex::default() })
    }

    /// Where people reach the bot's pages.
    pub fn public_url(&self) -> &Url {
        &self.config.public_url
    }

    /// The provider's host, for people.
    pub fn host(&self) -> String {
        let url = self.config.issuer.parse::<Url>().ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Reads the discovery document, whatever is known of it.
    pub async fn discover(&self) -> Result<(), Unsure> {
        let metadata = self.read_metadata().await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), metadata));
        Ok(())
    }

    /// What `doctor` says of the discovery document: values of `acr` that the provider does not offer.
    pub async fn examine(&self) -> Result<Vec<String>, Unsure> {
        let metadata = self.read_metadata().await?;
        if !metadata.id_token_signing_alg_values_supported().iter().any(|alg| ALGORITHMS.contains(alg)) {
            return Err(Unsure::Signature);
        }
        let offered = metadata.acr_values_supported();
        let missing = |acr: &&String| offered.is_some_and(|all| all.iter().all(|known| known.as_str() != acr.as_str()));
        Ok(self.config.acr.iter().filter(missing).cloned().collect())
    }

    async fn metadata(&self) -> Result<Metadata, Unsure> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((read, metadata)) if read.elapsed() < METADATA_KEPT => Ok(metadata),
            _ => {
                let metadata = self.read_metadata().await?;
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), metadata.clone()));
                Ok(metadata)
            }
        }
    }

    async fn read_metadata(&self) -> Result<Metadata, Unsure> {
        let issuer = &self.config.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let request = reqwest::Method::GET;
        let answer = self.ask(self.http.request(request, address)).await.map_err(|NoAnswer| Unsure::Unreachable)?;
        if answer.status().is_server_error() {
            return Err(Unsure::Unreachable);
        }
        if !answer.status().is_success() {
            return Err(Unsure::Garbled);
        }
        let metadata: Metadata = serde_json::from_slice(answer.body()).map_err(|error| {
            warn!(%error, "the identity provider's discovery document cannot be read");
            Unsure::Garbled
        })?;
        if metadata.issuer().as_str() != issuer {
            return Err(Unsure::OtherIssuer { named: metadata.issuer().to_string() });
        }
        let is_safe = |url: &Url| url.scheme() == "https" || is_loopback(url);
        let token = metadata.token_endpoint().map(|url| url.url().clone());
        let all =
            [Some(metadata.authorization_endpoint().url().clone()), token, Some(metadata.jwks_uri().url().clone())];
        if !all.iter().all(|url| url.as_ref().is_some_and(is_safe)) {
            warn!("the identity provider names an address without encryption, or no address for codes");
            return Err(Unsure::Garbled);
        }
        Ok(metadata)
    }

    fn client(&self, metadata: &Metadata, keys: CoreJsonWebKeySet) -> Client {
        let id = ClientId::new(self.config.client_id.clone());
        let secret = ClientSecret::new(self.config.client_secret.expose_secret().to_owned());
        let methods = metadata.token_endpoint_auth_methods_supported();
        // Basic is what holds if the provider says nothing.
        let in_body = methods.is_some_and(|all| {
            !all.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && all.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let client = CoreClient::from_provider_metadata(metadata.clone().set_jwks(keys), id, Some(secret))
            .set_redirect_uri(self.redirect.clone());
        if in_body { client.set_auth_type(AuthType::RequestBody) } else { client }
    }

    /// Whether the provider can be asked now.
    pub async fn is_there(&self) -> Result<(), Unsure> {
        self.metadata().await.map(|_| ())
    }

    /// The address at the provider where somebody signs in.
    pub async fn address(&self, sign_in: &SignIn) -> Result<Url, Unsure> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata, CoreJsonWebKeySet::new(Vec::new()));
        let verifier = PkceCodeVerifier::new(sign_in.verifier.clone());
        let (state, nonce) = (sign_in.state.clone(), sign_in.nonce.clone());
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client
            .authorize_url(flow, move || CsrfToken::new(state), move || Nonce::new(nonce))
            .add_scope(Scope::new("email".into()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .set_max_age(std::time::Duration::ZERO)
            // For providers that know no `max_age`.
            .add_prompt(CoreAuthPrompt::Login);
        for acr in &self.config.acr {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr.clone()));
        }
        Ok(request.url().0)
    }

    /// Whether a code comes from this provider (RFC 9207).
    pub async fn is_from(&self, issuer: Option<&str>) -> Result<(), Unsure> {
        let names_itself = self.metadata().await?.additional_metadata().authorization_response_iss_parameter_supported;
        match issuer {
            Some(issuer) if issuer == self.config.issuer => Ok(()),
            None if !names_itself => Ok(()),
            _ => Err(Unsure::MixedUp),
        }
    }

    /// Who it is, by the code that they came back with.
    pub async fn identity(&self, code: &str, returned: &Returned) -> Result<Identity, Unsure> {
        let metadata = self.metadata().await?;
        // Anew each time: keys change, and proofs are rare.
        let keys = CoreJsonWebKeySet::fetch_async(metadata.jwks_uri(), self).await.map_err(|error| {
            warn!(%error, "the identity provider's keys cannot be read");
            Unsure::Unreachable
        })?;
        let client = self.client(&metadata, keys);
        let exchange = client.exchange_code(AuthorizationCode::new(code.to_owned())).map_err(|_| Unsure::Garbled)?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(returned.verifier.clone()));
        let answer = exchange.request_async(self).await.map_err(|error| {
            use openidconnect::RequestTokenError::{Other, Parse, Request, ServerResponse};
            match error {
                Request(_) => Unsure::Unreachable,
                ServerResponse(_) => Unsure::Refused,
                Parse(..) | Other(_) => Unsure::Garbled,
            }
        })?;
        let token: &CoreIdToken = answer.id_token().ok_or(Unsure::Garbled)?;
        self.checked(&client, token, returned)
    }

    /// Everything that OpenID Connect Core §3.1.3.7 asks for, and how and when the person signed in.
    fn checked(&self, client: &Client, token: &CoreIdToken, returned: &Returned) -> Result<Identity, Unsure> {
        let now = Timestamp::now();
        let (past, skew) = (instant(now) - chrono::Duration::seconds(CLOCK_SKEW), CLOCK_SKEW);
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(move || past);
        let nonce = Nonce::new(returned.nonce.clone());
        let claims: &CoreIdTokenClaims = token.claims(&verifier, &nonce).map_err(|error| {
            warn!(%error, "an ID token is not good");
            match error {
                ClaimsVerificationError::InvalidIssuer(_) => Unsure::MixedUp,
                ClaimsVerificationError::InvalidAudience(_) => Unsure::Audience,
                ClaimsVerificationError::InvalidNonce(_) => Unsure::Nonce,
                ClaimsVerificationError::Expired(_) => Unsure::Time,
                _ => Unsure::Signature,
            }
        })?;
        if claims.authorized_party().is_some_and(|party| party.as_str() != self.config.client_id) {
            return Err(Unsure::Audience);
        }
        if claims.issue_time().timestamp() > now.as_second() + skew {
            return Err(Unsure::Time);
        }
        let signed_in = claims.auth_time().ok_or(Unsure::AuthTime)?.timestamp();
        if signed_in < returned.began.as_second() - skew {
            return Err(Unsure::AuthTime);
        }
        if signed_in > now.as_second() + skew {
            return Err(Unsure::Time);
        }
        let acr = claims.auth_context_ref().map(|acr| acr.as_str());
        let wanted = &self.config.acr;
        if !wanted.is_empty() && !acr.is_some_and(|acr| wanted.iter().any(|wanted| wanted == acr)) {
            return Err(Unsure::Acr);
        }
        let amr = claims.auth_method_refs().map(Vec::as_slice).unwrap_or_default();
        let verified = claims.email().filter(|_| claims.email_verified() == Some(true));
        Ok(Identity {
            proof: Proof {
                issuer: self.config.issuer.as_str().into(),
                subject: claims.subject().as_str().into(),
                auth_time: Timestamp::from_second(signed_in).map_err(|_| Unsure::AuthTime)?,
                acr: acr.map(Box::from),
                amr: amr.iter().map(|means| Box::from(means.as_str())).collect(),
            },
            email: verified.map(|email| Box::from(email.as_str())),
        })
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<HttpResponse, NoAnswer> {
        let no_answer = |error: reqwest::Error| {
            // Its own text would hold the address.
            warn!(error = %error.without_url(), "the identity provider does not answer");
            NoAnswer
        };
        let mut answer = request.send().await.map_err(no_answer)?;
        let mut whole = HttpResponse::new(Vec::new());
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = answer.headers().clone();
        while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
            if whole.body().len() + chunk.len() > MOST {
                warn!("the identity provider's answer is too long");
                return Err(NoAnswer);
            }
            whole.body_mut().extend_from_slice(&chunk);
        }
        Ok(whole)
    }
}

/// The library's requests by our own client, which knows our authorities and proxies and follows no redirect.
impl<'c> AsyncHttpClient<'c> for Provider {
    type Error = NoAnswer;
    type Future = BoxFuture<'c, Result<HttpResponse, NoAnswer>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let (parts, body) = request.into_parts();
        let request = self.http.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
        Box::pin(self.ask(request))
    }
}

fn instant(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(at.as_second(), 0).unwrap_or_default()
}
