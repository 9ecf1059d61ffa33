//! Discovery, keys, the page and the exchange of a code.

use std::collections::HashMap;

use axum::extract::{RawForm, RawQuery, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;

use super::token::challenge;
use super::{Endpoint, IdentityProvider, SignIn, page};

pub(super) fn router(provider: IdentityProvider) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(keys))
        .route("/authorize", get(authorize).post(chosen))
        .route("/token", post(token))
        .with_state(provider)
}

type Parameters = HashMap<String, String>;

fn parameters(encoded: &[u8]) -> Parameters {
    form_urlencoded::parse(encoded).into_owned().collect()
}

impl IdentityProvider {
    /// The answer of an endpoint that is down.
    fn if_down(&self, endpoint: Endpoint) -> Option<Response> {
        let down = self.world().down.contains(&endpoint);
        down.then(|| StatusCode::SERVICE_UNAVAILABLE.into_response())
    }

    /// Back to the application, with what it is to know.
    fn redirect(&self, answer: &[(&str, &str)]) -> Response {
        let mut to: Url = self.0.client.redirect_uri.clone();
        let issuer = self.world().answering_issuer.clone().unwrap_or_else(|| self.issuer().to_owned());
        to.query_pairs_mut().extend_pairs(answer).append_pair("iss", &issuer);
        (StatusCode::SEE_OTHER, [(LOCATION, String::from(to))]).into_response()
    }

    /// Checks an authorization request (OpenID Connect Core §3.1.2.2); what is wrong goes back to the
    /// application, unless it is not known which one that is.
    fn check(&self, asked: &Parameters) -> Result<SignIn, Box<Response>> {
        let of = |name: &str| asked.get(name).map(String::as_str);
        if of("client_id") != Some(&*self.0.client.id)
            || of("redirect_uri") != Some(self.0.client.redirect_uri.as_str())
        {
            return Err(Box::new(refused("The application, or the address it wants to be answered at, is unknown.")));
        }
        let state = of("state").unwrap_or_default();
        let wrong = |error: &str| Err(Box::new(self.redirect(&[("error", error), ("state", state)])));
        if of("response_type") != Some("code") {
            return wrong("unsupported_response_type");
        }
        if !of("scope").is_some_and(|scope| scope.split(' ').any(|one| one == "openid")) {
            return wrong("invalid_scope");
        }
        let Some(challenge) = of("code_challenge").filter(|_| of("code_challenge_method") == Some("S256")) else {
            return wrong("invalid_request");
        };
        Ok(SignIn {
            state: state.to_owned(),
            nonce: of("nonce").map(str::to_owned),
            challenge: challenge.to_owned(),
            acr: of("acr_values").and_then(|values| values.split(' ').next()).map(str::to_owned),
        })
    }

    /// Whether it is the application that exchanges a code: `client_secret_basic` or `client_secret_post`.
    fn knows(&self, headers: &HeaderMap, form: &Parameters) -> bool {
        let client = &self.0.client;
        let basic = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
        match basic.and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok()) {
            // Both halves are encoded as a form's values are (RFC 6749 §2.3.1).
            Some(pair) => pair.split_once(':').is_some_and(|(id, secret)| {
                let plain = |text: &str| {
                    form_urlencoded::parse(format!("v={text}").as_bytes()).next().map(|(_, v)| v.into_owned())
                };
                plain(id).as_deref() == Some(&client.id) && plain(secret).as_deref() == Some(&client.secret)
            }),
            None => form.get("client_id") == Some(&client.id) && form.get("client_secret") == Some(&client.secret),
        }
    }
}

fn html(page: String) -> Response {
    // No `form-action`: a form's answer leads back to the application, on whichever host that is.
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    let headers = [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Html(page)).into_response()
}

fn refused(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, html(page::refused(why))).into_response()
}

async fn discovery(State(provider): State<IdentityProvider>) -> Response {
    if let Some(down) = provider.if_down(Endpoint::Discovery) {
        return down;
    }
    let issuer = provider.world().named_issuer.clone().unwrap_or_else(|| provider.issuer().to_owned());
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": provider.address("/authorize"),
        "token_endpoint": provider.address("/token"),
        "jwks_uri": provider.address("/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "email", "profile"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "email", "email_verified"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
    .into_response()
}

async fn keys(State(provider): State<IdentityProvider>) -> Response {
    match provider.if_down(Endpoint::Keys) {
        Some(down) => down,
        None => Json(provider.keys()).into_response(),
    }
}

async fn authorize(State(provider): State<IdentityProvider>, RawQuery(query): RawQuery) -> Response {
    if let Some(down) = provider.if_down(Endpoint::Authorize) {
        return down;
    }
    let asked = parameters(query.unwrap_or_default().as_bytes());
    let sign_in = match provider.check(&asked) {
        Ok(sign_in) => sign_in,
        Err(answer) => return *answer,
    };
    let mut world = provider.world();
    world.asked = asked;
    let request = world.begin(sign_in);
    let people = world.people.clone();
    drop(world);
    html(page::choose(&provider.address("/authorize"), &request, &people))
}

async fn chosen(State(provider): State<IdentityProvider>, RawForm(form): RawForm) -> Response {
    let form = parameters(&form);
    let subject = form.get("subject").cloned().unwrap_or_default();
    let mut world = provider.world();
    let Some(sign_in) = form.get("request").and_then(|request| world.take_pending(request)) else {
        return refused("It was finished already, or it is too old. Begin again where you came from.");
    };
    let state = sign_in.state.clone();
    let code = world.person(&subject).is_some().then(|| world.grant(&subject, sign_in));
    drop(world);
    match code {
        Some(code) => provider.redirect(&[("code", &code), ("state", &state)]),
        None => provider.redirect(&[("error", "access_denied"), ("state", &state)]),
    }
}

async fn token(State(provider): State<IdentityProvider>, headers: HeaderMap, RawForm(form): RawForm) -> Response {
    if let Some(down) = provider.if_down(Endpoint::Token) {
        return down;
    }
    let form = parameters(&form);
    let wrong = |status: StatusCode, error: &str| (status, Json(json!({ "error": error }))).into_response();
    if !provider.knows(&headers, &form) {
        return wrong(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    if form.get("grant_type").map(String::as_str) != Some("authorization_code") {
        return wrong(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let mut world = provider.world();
    let code = form.get("code").and_then(|code| world.take_code(code));
    let known = code.filter(|code| {
        form.get("redirect_uri").map(String::as_str) == Some(provider.0.client.redirect_uri.as_str())
            && form.get("code_verifier").is_some_and(|verifier| challenge(verifier) == code.sign_in.challenge)
    });
    match known.and_then(|code| provider.id_token(&world, &code)) {
        Some(id_token) => {
            let body: Value = json!({
                "access_token": super::unguessable(),
                "token_type": "Bearer",
                "expires_in": 60,
                "id_token": id_token,
            });
            ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        None => wrong(StatusCode::BAD_REQUEST, "invalid_grant"),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use axum::http::header::CONTENT_TYPE;
    use tower::ServiceExt as _;

    use super::super::{Client, Identity};
    use super::*;

    fn provider() -> IdentityProvider {
        let client = Client {
            id: "chatops".into(),
            secret: "s3 cret".into(),
            redirect_uri: "https://bot.example/oidc/callback".parse().unwrap(),
        };
        let bob = Identity {
            subject: "bob-1".into(),
            name: "Bob <b>".into(),
            email: "bob@nimbus.example".into(),
            email_verified: true,
        };
        IdentityProvider::new("https://id.example".parse().unwrap(), client, vec![bob]).unwrap()
    }

    async fn ask(provider: &IdentityProvider, method: &str, address: &str, form: String) -> Response {
        let request =
            Request::builder().method(method).uri(address).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        provider.router().oneshot(request.body(Body::from(form)).unwrap()).await.unwrap()
    }

    async fn text(answer: Response) -> String {
        String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const REDIRECT: &str = "https%3A%2F%2Fbot.example%2Foidc%2Fcallback";

    /// The example of RFC 7636's appendix B.
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    async fn page(provider: &IdentityProvider) -> String {
        let query = format!(
            "client_id=chatops&redirect_uri={REDIRECT}&response_type=code&scope=openid+email&state=s1&nonce=n1&code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        text(ask(provider, "GET", &format!("/authorize?{query}"), String::new()).await).await
    }

    /// The code that a person's choice leads to.
    async fn code(provider: &IdentityProvider, page: &str) -> String {
        let request = page.split_once("name=\"request\" value=\"").unwrap().1.split_once('"').unwrap().0;
        let answer = ask(provider, "POST", "/authorize", format!("request={request}&subject=bob-1")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let to: Url = answer.headers()[LOCATION].to_str().unwrap().parse().unwrap();
        let answer: Parameters = to.query_pairs().into_owned().collect();
        assert_eq!((&*answer["state"], &*answer["iss"]), ("s1", "https://id.example"));
        answer["code"].clone()
    }

    async fn exchange(provider: &IdentityProvider, code: &str, verifier: &str) -> Value {
        let form = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={REDIRECT}&code_verifier={verifier}&client_id=chatops&client_secret=s3+cret"
        );
        serde_json::from_str(&text(ask(provider, "POST", "/token", form).await).await).unwrap()
    }

    #[tokio::test]
    async fn a_choice_becomes_a_token_once() {
        let provider = provider();
        let page = page(&provider).await;
        assert!(page.contains("Bob &lt;b&gt;") && page.contains("It asks for no password"), "{page}");
        let code = code(&provider, &page).await;
        let token = exchange(&provider, &code, VERIFIER).await;
        assert_eq!(token["id_token"].as_str().unwrap().split('.').count(), 3);
        assert_eq!(exchange(&provider, &code, VERIFIER).await["error"], "invalid_grant");
        // Nor is the page good again.
        let again = page.split_once("name=\"request\" value=\"").unwrap().1.split_once('"').unwrap().0;
        let answer = ask(&provider, "POST", "/authorize", format!("request={again}&subject=bob-1")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn a_code_is_of_no_use_without_its_verifier() {
        let provider = provider();
        let code = code(&provider, &page(&provider).await).await;
        assert_eq!(exchange(&provider, &code, "another").await["error"], "invalid_grant");
    }
}
