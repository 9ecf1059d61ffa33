//! The JSON body of a write, field by field, so that every mistake in it gets Sekoia's error shape.
//!
//! Unknown fields are ignored and null is the same as absent; neither is documented.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::sandbox::error::ApiError;
use crate::sandbox::world::{Permission, World};

pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(ApiError::bad_request("The body must be a JSON object")),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(ApiError::bad_request(format!("{name} must be a string"))),
        }
    }

    pub(super) fn required_text(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name)?.filter(|text| !text.trim().is_empty()).ok_or_else(|| missing(name))
    }

    pub(super) fn is_set(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(ApiError::bad_request(format!("{name} must be true or false"))),
        }
    }

    /// A list of identifiers; empty when there is none.
    pub(super) fn uuids(&self, name: &str) -> Result<Vec<Uuid>, ApiError> {
        let Some(list) = self.get(name) else {
            return Ok(vec![]);
        };
        uuids(list).ok_or_else(|| ApiError::bad_request(format!("{name} must be a list of uuids")))
    }

    /// The field `permissions`, in the order of the catalogue.
    pub(super) fn permissions<'w>(&self, world: &'w World) -> Result<Vec<&'w Permission>, ApiError> {
        let wanted = self.uuids("permissions")?;
        if let Some(unknown) = wanted.iter().find(|uuid| world.permissions.iter().all(|known| known.uuid != **uuid)) {
            return Err(ApiError::bad_request(format!("Unknown permission {unknown}")));
        }
        Ok(world.permissions.iter().filter(|known| wanted.contains(&known.uuid)).collect())
    }
}

pub(super) fn missing(name: &str) -> ApiError {
    ApiError::bad_request(format!("The field {name} is required"))
}

/// The identifiers of a list, if it is one.
pub(super) fn uuids(list: &Value) -> Option<Vec<Uuid>> {
    list.as_array()?.iter().map(|item| item.as_str()?.parse::<Uuid>().ok()).collect()
}

/// Refuses a text that has too few or too many characters.
pub(super) fn check_length(name: &str, text: &str, allowed: &RangeInclusive<usize>) -> Result<(), ApiError> {
    let length = text.chars().count();
    if allowed.contains(&length) {
        return Ok(());
    }
    let (least, most) = (allowed.start(), allowed.end());
    Err(ApiError::bad_request(format!("{name} must have from {least} to {most} characters, not {length}")))
}
