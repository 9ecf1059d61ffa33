//! Every route in one place, the log of calls, and the playing of faults.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::DATE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};

use super::calls::Call;
use super::error::ApiError;
use super::faults::FaultKind;
use super::handlers::{
    access, activity, alerts, community, create, first_steps, invitations, keys, me, playbooks, search, telemetry,
};
use super::hook::Stage;
use super::listener::Abort;
use super::spoil::{cut, doubled, endless, first_page, instead, instead_of_work};
use super::{Sandbox, control, live};

/// The whole sandbox as one service.
///
/// Faults that close the connection need [`serve`](super::serve()): called without a connection,
/// they answer 500 and say so.
pub fn router(sandbox: Arc<Sandbox>) -> Router {
    Router::new()
        .merge(sekoia())
        // Regions differ in whether their API sits below `/api`.
        .nest("/api", sekoia())
        .route("/live", get(live::upgrade))
        .route("/live/", get(live::upgrade))
        .fallback(async || ApiError::not_found("The path does not exist"))
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(middleware::from_fn_with_state(sandbox.clone(), observe))
        // After the layer: what steers the sandbox is neither logged nor spoilt.
        .merge(control::routes())
        .with_state(sandbox)
}

fn sekoia() -> Router<Arc<Sandbox>> {
    let of_community = Router::new()
        .route("/", get(community::one))
        .route("/sub-communities", get(community::below).post(create::sub_community))
        .route("/permissions/", get(community::permissions))
        .route("/licenses", get(community::licences))
        .route("/licenses/alerting", get(community::alerting))
        .route("/roles", get(access::roles).post(create::role))
        .route("/roles/{role}", get(access::role))
        .route("/avatars/", get(access::avatars))
        .route("/avatars/{avatar}", get(access::avatar).delete(access::remove))
        .route("/api-keys", get(access::keys).post(keys::create))
        .route("/api-keys/{key}", get(access::key).delete(keys::revoke));
    Router::new()
        .route("/v1/auth/validate", get(me::validate))
        .route("/v1/me", get(me::profile))
        .route("/v1/me/permissions", get(me::permissions))
        .route("/v1/me/communities", get(me::communities))
        .route("/v1/invitations", post(invitations::invite))
        .route("/v1/communities", get(community::list))
        .nest("/v1/communities/{community}", of_community)
        .route("/v1/sic/conf/intakes", get(activity::intakes))
        .route("/v1/sic/conf/intakes/{intake}", get(activity::intake))
        .route("/v1/sic/conf/events/search/jobs", post(search::create))
        .route("/v1/sic/conf/events/search/jobs/{job}", get(search::job))
        .route("/v1/sic/conf/events/search/jobs/{job}/events", get(search::events))
        .route("/v1/sic/alerts", get(alerts::alerts))
        .route("/v1/sic/alerts/{alert}", get(alerts::one))
        .route("/v1/sic/alerts/{alert}/workflow", patch(alerts::workflow))
        .route("/v1/sic/alerts/{alert}/comments", post(alerts::comment))
        .route("/v1/symphony/playbooks", get(playbooks::playbooks))
        .route("/v1/symphony/playbooks/{playbook}", get(playbooks::playbook))
        .route("/v1/symphony/playbooks/{playbook}/logs", get(playbooks::logs))
        .route("/v1/symphony/trigger-configurations/{trigger}/logs", get(playbooks::trigger_logs))
        .route("/v1/symphony/playbook-runs", get(playbooks::runs))
        .route("/v1/symphony/playbook-runs/{run}", get(playbooks::run))
        .route("/v1/symphony/playbook-runs/{run}/details", get(playbooks::run_details))
        .route("/v1/symphony/connector-configurations", get(activity::connectors))
        .route("/v1/telemetry/events/counters", post(telemetry::counters))
        .route("/v1/telemetry/events-by-status/counters", post(telemetry::parsing))
        .route("/v1/telemetry/ai-usage/counters", post(telemetry::ai_usage))
        .route("/v1/sic/conf/statistics/rules-catalog/counters", get(first_steps::rule_counters))
        .route("/v2/asset-management/assets", get(first_steps::assets))
        .route("/v2/inthreat/statistics/count/indicator", get(first_steps::indicators))
        .route("/v2/inthreat/feeds", get(first_steps::feeds))
        .route("/v2/inthreat/ioc-collections/count-total-iocs", get(first_steps::own_indicators))
}

async fn observe(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    let call = Call {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        status: 0,
    };
    let number = sandbox.calls.begin(call.clone());
    sandbox.hook.run(&call, Stage::Arrived);
    let abort = request.extensions().get::<ConnectInfo<Abort>>().cloned();
    let done = |mut response: Response| {
        if let Some(date) = date(&sandbox) {
            response.headers_mut().insert(DATE, date);
        }
        let status = response.status().as_u16();
        sandbox.calls.end(number, status);
        sandbox.hook.run(&Call { status, ..call.clone() }, Stage::Done);
        response
    };
    match sandbox.faults.take(&call.method, &format!("{}?{}", call.path, call.query)) {
        None | Some(FaultKind::Live(_)) => done(next.run(request).await),
        Some(FaultKind::Latency { ms }) => {
            let response = done(next.run(request).await);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            response
        }
        Some(FaultKind::Status { code, retry_after, body }) => done(instead(code, retry_after, body)),
        Some(FaultKind::Odd(odd)) => done(instead_of_work(odd)),
        Some(FaultKind::Endless) => done(endless(next.run(first_page(request)).await).await),
        Some(FaultKind::Doubled) => done(doubled(next.run(request).await).await),
        Some(FaultKind::Malformed) => done(cut(next.run(request).await).await),
        Some(FaultKind::Reset) => close(abort),
        Some(FaultKind::LoseReply) => {
            done(next.run(request).await);
            close(abort)
        }
    }
}

/// By its own clock, which a test may have set.
fn date(sandbox: &Sandbox) -> Option<HeaderValue> {
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&sandbox.now()).ok()?;
    HeaderValue::from_str(&date).ok()
}

fn close(connection: Option<ConnectInfo<Abort>>) -> Response {
    match connection {
        // The answer is never written: the connection ends at the first attempt.
        Some(ConnectInfo(abort)) => {
            abort.raise();
            StatusCode::NO_CONTENT.into_response()
        }
        None => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "this fault closes a connection, and there is none without sandbox::serve",
        )
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::sandbox::probe::Probe;
    use crate::sandbox::{Fault, Options, Writes};

    fn roles_path(probe: &Probe) -> String {
        format!("/v1/communities/{}/roles", probe.community("Banque Rivoli"))
    }

    #[tokio::test]
    async fn a_lost_reply_is_of_work_that_was_done() {
        let probe = Probe::new(Options::default());
        let path = roles_path(&probe);
        probe.sandbox.faults().add(Fault::new(FaultKind::LoseReply).method("POST").on("/roles").times(1));
        let before = probe.get(&path).await.body["total"].as_u64().unwrap();
        // Without a connection to close, the fault says so with a 500.
        let body = json!({ "name": "Night Watch" });
        assert_eq!(probe.post(&path, &body).await.status, 500);
        let (total, latest) = probe.sandbox.latest_calls(1);
        assert_eq!((total, latest[0].method.as_str(), latest[0].status), (2, "POST", 201));
        assert_eq!(latest[0].path, path);
        assert_eq!(probe.get(&path).await.body["total"], before + 1);
        assert_eq!(probe.post(&path, &body).await.status, 400);
    }

    #[tokio::test]
    async fn where_keys_may_not_write_every_write_is_refused_and_reads_stay() {
        let probe = Probe::new(Options { writes: Writes::Refused, ..Options::default() });
        let before = probe.state();
        let community = format!("/v1/communities/{}", Uuid::nil());
        for (path, permission) in [
            ("/v1/invitations".to_owned(), "COMMUNITY_ADD_MEMBER"),
            (format!("{community}/sub-communities"), "COMMUNITY_MANAGE_SUB_COMMUNITIES"),
            (format!("{community}/roles"), "COMMUNITY_WRITE_ROLE"),
            (format!("{community}/api-keys"), "COMMUNITY_WRITE_APIKEY"),
        ] {
            let refusal = format!("403 The permission {permission} is required: an API key may not do this");
            assert_eq!(probe.post(&path, &json!([])).await.refusal(), refusal);
        }
        let answer = probe.delete(&format!("{community}/api-keys/{}", Uuid::nil())).await;
        let refusal = "403 The permission COMMUNITY_WRITE_APIKEY is required: an API key may not do this";
        assert_eq!(answer.refusal(), refusal);
        assert_eq!(probe.get(&roles_path(&probe)).await.status, 200);
        assert_eq!(probe.bearing("nonsense").post("/v1/invitations", &json!([])).await.status, 401);
        assert_eq!(probe.state(), before);
    }

    #[tokio::test]
    async fn a_hook_sees_a_call_before_and_after_the_work() {
        let probe = Probe::new(Options::default());
        let seen = Arc::new(Mutex::new(vec![]));
        let (log, sandbox) = (Arc::clone(&seen), Arc::clone(&probe.sandbox));
        probe.sandbox.on_call(move |call, stage| {
            let roles = sandbox.edit(|world| world.roles.len());
            let entry = (call.method.clone(), stage, call.status, roles);
            log.lock().unwrap().push(entry);
        });
        let roles = probe.sandbox.edit(|world| world.roles.len());
        let path = roles_path(&probe);
        probe.post(&path, &json!({ "name": "Night Watch" })).await;
        let post = || "POST".to_owned();
        assert_eq!(*seen.lock().unwrap(), [(post(), Stage::Arrived, 0, roles), (post(), Stage::Done, 201, roles + 1)]);
    }
}
