//! One function a call, one file a family. The writes are those that set a workspace up or answer an
//! alert: any other on a known path answers 405.

pub(super) mod access;
pub(super) mod activity;
pub(super) mod alerts;
mod body;
pub(super) mod community;
pub(super) mod create;
pub(super) mod first_steps;
pub(super) mod invitations;
pub(super) mod keys;
pub(super) mod me;
pub(super) mod playbooks;
pub(super) mod search;
pub(super) mod telemetry;

use axum::Json;
use serde_json::Value;

use super::error::ApiError;

type Reply = Result<Json<Value>, ApiError>;
