//! The client of the unit tests: straight into the router, without a connection.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::AUTHORIZATION;
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

use super::{Options, Sandbox, router};

/// A status, and a body that is null when it was no JSON.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    /// Status and message of an error.
    pub(super) fn refusal(&self) -> String {
        format!("{} {}", self.status, self.body["message"].as_str().unwrap_or_default())
    }
}

/// A sandbox, and a token for it.
pub(super) struct Probe {
    pub(super) sandbox: Arc<Sandbox>,
    token: String,
}

impl Probe {
    /// A new sandbox, with the token that may do everything.
    pub(super) fn new(options: Options) -> Self {
        let sandbox = Sandbox::new(options, "2026-03-01T09:00:00Z".parse().unwrap());
        let token = sandbox.token("admin").to_owned();
        Self { sandbox, token }
    }

    /// The same sandbox with another of its own tokens.
    pub(super) fn with(&self, name: &str) -> Self {
        self.bearing(self.sandbox.token(name))
    }

    /// The same sandbox with any token.
    pub(super) fn bearing(&self, token: &str) -> Self {
        Self { sandbox: Arc::clone(&self.sandbox), token: token.to_owned() }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Body::empty()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Body::from(body.to_string())).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, Body::empty()).await
    }

    async fn call(&self, method: &str, path: &str, body: Body) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, authorization).body(body);
        let response = router(Arc::clone(&self.sandbox)).oneshot(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    pub(super) fn community(&self, name: &str) -> Uuid {
        self.sandbox.edit(|world| world.community(name).unwrap().uuid)
    }

    pub(super) fn role(&self, name: &str) -> Uuid {
        self.sandbox.edit(|world| world.role(name).unwrap().uuid)
    }

    pub(super) fn permission(&self, name: &str) -> Uuid {
        self.sandbox.edit(|world| world.permissions.iter().find(|known| known.name == name).unwrap().uuid)
    }

    /// Takes a permission away from every key.
    pub(super) fn forbid(&self, permission: &str) {
        let permission = self.permission(permission);
        self.sandbox.edit(|world| {
            for key in &mut world.keys {
                key.permissions.retain(|held| *held != permission);
            }
        });
    }

    /// Everything there is, to see whether a call changed something.
    pub(super) fn state(&self) -> String {
        self.sandbox.edit(|world| format!("{world:?}"))
    }
}
