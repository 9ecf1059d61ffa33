//! The routes of the demo's page.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::platform::intake::{BODY_LIMIT, BODY_TIMEOUT};
use crate::platform::web::{self, Origins, Web};

/// The demo's page and what it calls. Nothing is answered that was not asked from the page.
pub fn routes(web: Arc<Web>, origins: Arc<Origins>) -> Router {
    Router::new()
        .route("/", get(web::index))
        .route("/assets/{name}", get(web::asset))
        .route("/demo/events", get(web::events))
        .route("/demo/say", post(web::say))
        .route("/demo/press", post(web::press))
        .route("/demo/submit", post(web::submit))
        .route("/demo/messages/{id}/{vendor}", get(web::as_received))
        .route("/demo/side", get(web::side))
        .route("/demo/console", get(web::console))
        .route("/demo/faults", post(web::switch_fault))
        .route("/demo/happen", post(web::happen))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(web)
        .layer(middleware::from_fn_with_state(origins, web::guard))
}
