//! A router, and what holds for each of its requests: a normal path, and a number in the metrics.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use tower::ServiceExt;

use super::paths;
use crate::platform::intake::Intake;
use crate::telemetry::Metrics;

/// Cheap to clone: each connection has its own.
#[derive(Clone)]
pub struct Surface {
    router: Router,
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
}

impl Surface {
    /// `intake` counts what is refused for want of places.
    pub fn new(router: Router, intake: Arc<Intake>, metrics: Arc<Metrics>) -> Self {
        Self { router, intake, metrics }
    }

    /// Not a layer around the router: that would box the future of every request once more.
    pub fn answer(&self, request: Request) -> impl Future<Output = Response> + use<> {
        self.answer_from(request, false)
    }

    /// `reserve`: on a connection beyond the bound, where only health is answered.
    pub(super) fn answer_from(&self, mut request: Request, reserve: bool) -> impl Future<Output = Response> + use<> {
        paths::normalize(request.uri_mut());
        let path = request.uri().path();
        let counted = self.metrics.is_on().then(|| (Arc::clone(&self.metrics), paths::route(path), Instant::now()));
        let answering = if reserve && !paths::is_health(path) {
            let mut refused = self.intake.refuse(StatusCode::SERVICE_UNAVAILABLE);
            refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            Err(refused)
        } else {
            Ok(self.router.clone().oneshot(request))
        };
        async move {
            let response = match answering {
                Ok(answering) => answering.await.unwrap_or_else(|never| match never {}),
                Err(refused) => refused,
            };
            if let Some((metrics, route, began)) = counted {
                metrics.request(route, response.status().as_u16(), began.elapsed());
            }
            response
        }
    }
}
