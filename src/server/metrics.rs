//! `GET /metrics`, on a listener of its own, for Prometheus.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::health::Health;
use super::places::Bounds;
use crate::bot::Bot;
use crate::platform::intake::Intake;
use crate::telemetry::{Figures, Metrics, metrics};
use crate::timing::server::{FIGURES_KEPT, FIGURES_PATIENCE, SESSIONS_COUNTED_EVERY};

/// Scrapers are few.
pub const BOUNDS: Bounds =
    Bounds { connections: 16, reserve: 0, head: Duration::from_secs(10), idle: Duration::from_secs(150) };

/// What `/metrics` shows.
pub struct Exposition {
    pub metrics: Arc<Metrics>,
    pub bot: Arc<Bot>,
    pub health: Arc<Health>,
    pub intake: Arc<Intake>,
    kept: Mutex<Kept>,
}

/// What was read lately: however often Prometheus asks, the store is not read more often.
#[derive(Default)]
struct Kept {
    figures: Option<(Instant, Figures)>,
    sessions: Option<(Instant, u64)>,
}

impl Exposition {
    pub fn new(metrics: Arc<Metrics>, bot: Arc<Bot>, health: Arc<Health>, intake: Arc<Intake>) -> Self {
        Self { metrics, bot, health, intake, kept: Mutex::default() }
    }

    pub fn router(self) -> Router {
        Router::new().route("/metrics", get(show)).with_state(Arc::new(self))
    }

    /// Everything, as Prometheus reads it.
    async fn text(&self) -> String {
        let mut figures = self.figures().await;
        figures.set_aside = self.health.set_aside();
        figures.well = self.health.well();
        figures.refused = self.intake.refused.counts().named().to_vec();
        self.metrics.text(&figures)
    }

    /// What is stored. A store that hangs hides nothing of what is counted.
    async fn figures(&self) -> Figures {
        let mut kept = self.kept.lock().await;
        if let Some((at, figures)) = &kept.figures
            && at.elapsed() < FIGURES_KEPT
        {
            return figures.clone();
        }
        let read = async {
            let sessions = match kept.sessions {
                Some((at, count)) if at.elapsed() < SESSIONS_COUNTED_EVERY => Some((at, count)),
                _ => self.bot.session_count().await.ok().map(|count| (Instant::now(), count)),
            };
            (self.bot.figures(Timestamp::now()).await, sessions)
        };
        let (figures, sessions) = tokio::time::timeout(FIGURES_PATIENCE, read).await.unwrap_or_default();
        let figures = Figures { sessions: sessions.map(|(_, count)| count), ..figures };
        *kept = Kept { figures: Some((Instant::now(), figures.clone())), sessions };
        figures
    }
}

async fn show(State(shown): State<Arc<Exposition>>) -> Response {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], shown.text().await).into_response()
}
