//! One function a call, one file a family. Reads only: a write on a known path answers 405.

pub(super) mod access;
pub(super) mod activity;
pub(super) mod community;
pub(super) mod me;

use axum::Json;
use serde_json::Value;

use super::error::ApiError;

type Reply = Result<Json<Value>, ApiError>;
