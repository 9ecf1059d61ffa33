//! `GET /confirm/{token}` shows what a link is for, `POST` uses it up and leads to the identity provider, which
//! leads back to `GET /oidc/callback`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, REFERRER_POLICY, REFRESH, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::client::{Provider, Unsure};
use super::page;
use crate::bot::{Bot, NoLink, Part, Proven, Returned, Unproven};
use crate::platform::intake::Intake;
use crate::resolve::is_loopback;
use crate::telemetry::trace::reference;

/// What the routes need.
#[derive(Clone)]
pub struct Pages {
    pub bot: Arc<Bot>,
    pub provider: Arc<Provider>,
    pub intake: Arc<Intake>,
    /// What was begun ends, even if the browser goes.
    pub tasks: TaskTracker,
}

const GONE: &str = "This link is not good any more: it was used, it is too old, or it is not whole.";
const AGAIN: &str = "Press the button in the chat again.";
const STORE: &str = "My storage failed, so nothing was done. Press the button in the chat again in a minute.";

/// `GET /confirm/{token}`. Nothing is used up by looking.
pub async fn confirm(State(pages): State<Pages>, token: Result<Path<String>, PathRejection>) -> Response {
    let Ok(Path(token)) = token else { return pages.gone() };
    match pages.bot.confirmation(&token).await {
        Ok(confirmation) => {
            let action = format!("{}/confirm/{token}", pages.provider.public_url().path().trim_end_matches('/'));
            html(StatusCode::OK, page::confirm(&confirmation, &action, &pages.provider.host()))
        }
        Err(why) => pages.no_link(&why),
    }
}

/// `POST /confirm/{token}`. A page leads on and not a redirect: browsers hold every address that a redirect
/// after a form leads to against `form-action`, and where a provider sends people on to is its own affair.
pub async fn leave(State(pages): State<Pages>, token: Result<Path<String>, PathRejection>) -> Response {
    let Ok(Path(token)) = token else { return pages.gone() };
    // Asked before: a provider that is down costs nobody their link.
    if let Err(why) = pages.provider.is_there().await {
        return unsure(&why);
    }
    let sign_in = match pages.bot.begin_sign_in(&token).await {
        Ok(sign_in) => sign_in,
        Err(why) => return pages.no_link(&why),
    };
    let address = match pages.provider.address(&sign_in).await {
        Ok(address) => address,
        Err(why) => return unsure(&why),
    };
    let mut response = html(StatusCode::OK, page::leave(address.as_str(), &pages.provider.host()));
    let cookie = pages.cookie(&sign_in.state, &sign_in.cookie, sign_in.lives.as_secs());
    let headers = response.headers_mut();
    for (name, value) in [(REFRESH, format!("0; url={address}")), (SET_COOKIE, cookie)] {
        match HeaderValue::from_str(&value) {
            Ok(value) => headers.insert(name, value),
            Err(_) => return unsure(&Unsure::Garbled),
        };
    }
    response
}

/// `GET /oidc/callback`.
pub async fn callback(State(pages): State<Pages>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let said: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let Some(state) = said.get("state").cloned() else { return pages.gone() };
    let cookie = cookie_of(&headers, &pages.cookie_name(&state));
    let returned = match pages.bot.returned(&state, cookie.as_deref()).await {
        Ok(returned) => returned,
        Err(why) => return pages.no_link(&why),
    };
    let over = pages.cookie(&state, "", 0);
    // A task of its own: the browser may go, and what was begun is not left half done.
    let tasks = pages.tasks.clone();
    let mut response = match tasks.spawn(async move { pages.conclude(returned, &said).await }).await {
        Ok(response) => response,
        Err(error) => {
            error!(%error, "a proof was not concluded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    if let Ok(over) = HeaderValue::from_str(&over) {
        response.headers_mut().insert(SET_COOKIE, over);
    }
    response
}

impl Pages {
    async fn conclude(&self, returned: Returned, said: &HashMap<String, String>) -> Response {
        let identity = async {
            self.provider.is_from(said.get("iss").map(String::as_str)).await?;
            let code = said.get("code").filter(|_| !said.contains_key("error")).ok_or(Unsure::Refused)?;
            self.provider.identity(code, &returned).boxed().await
        };
        let identity = match identity.await {
            Ok(identity) => identity,
            Err(why) => {
                self.bot.unproven(returned).await;
                return unsure(&why);
            }
        };
        match self.bot.prove(returned, identity).await {
            Ok(Proven::Approved(said)) => html(StatusCode::OK, page::approved(&said)),
            Ok(Proven::Key(key)) => html(StatusCode::OK, page::key(&key)),
            Err(Unproven(said)) => html(StatusCode::FORBIDDEN, page::refused(&said)),
        }
    }

    fn gone(&self) -> Response {
        let counted = self.intake.refuse(StatusCode::NOT_FOUND).status();
        html(counted, page::refused(&[line(GONE), line(AGAIN)]))
    }

    fn no_link(&self, why: &NoLink) -> Response {
        match why {
            NoLink::Gone => self.gone(),
            NoLink::OtherBrowser => {
                let other = "You came back in another browser than the one that you left with, so nothing was done.";
                html(StatusCode::FORBIDDEN, page::refused(&[line(other), line(AGAIN)]))
            }
            NoLink::Store(error) => {
                let reference = reference();
                error!(reference, %error, "the store failed, so a link could not be followed");
                html(StatusCode::SERVICE_UNAVAILABLE, page::refused(&[line(STORE), referred(&reference)]))
            }
        }
    }

    fn is_encrypted(&self) -> bool {
        !(self.provider.public_url().scheme() == "http" && is_loopback(self.provider.public_url()))
    }

    /// One for each sign-in, so that two in one browser do not meet.
    fn cookie_name(&self, state: &str) -> String {
        let mark = hex::encode(&Sha256::digest(state.as_bytes())[..6]);
        // The prefix keeps other hosts from setting it; browsers take it over TLS alone.
        let prefix = if self.is_encrypted() { "__Host-" } else { "" };
        format!("{prefix}chatops-proof-{mark}")
    }

    fn cookie(&self, state: &str, value: &str, seconds: u64) -> String {
        let secure = if self.is_encrypted() { "; Secure" } else { "" };
        let name = self.cookie_name(state);
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }
}

fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

fn unsure(why: &Unsure) -> Response {
    let reference = reference();
    warn!(reference, %why, "a sign-in proved nothing");
    let status = match why {
        Unsure::Unreachable | Unsure::Garbled | Unsure::OtherIssuer { .. } => StatusCode::BAD_GATEWAY,
        _ => StatusCode::FORBIDDEN,
    };
    html(status, page::refused(&[line(&why.to_string()), line(why.advice()), referred(&reference)]))
}

fn line(text: &str) -> Part {
    Part::Line(text.to_owned())
}

fn referred(reference: &str) -> Part {
    Part::Line(format!("Reference for your bot administrator: {reference}"))
}

/// A page that may do nothing but show itself and send its own form here.
fn html(status: StatusCode, page: String) -> Response {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let style = STANDARD.encode(Sha256::digest(page::STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        );
        HeaderValue::from_str(&policy).expect("letters, digits and signs")
    });
    let fixed: [(HeaderName, HeaderValue); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, fixed, page).into_response()
}
