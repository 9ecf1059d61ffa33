//! Whether anything sensitive may be carried out, as it is stored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::stream::{Already, Folded};
use crate::chat::{Actor, Change};

/// Whether anything sensitive may be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Control {
    pub frozen: Option<Frozen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    pub reason: Box<str>,
    pub change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ControlEvent {
    Frozen { reason: Box<str> },
    Unfrozen,
}

impl Folded for Control {
    const FAMILY: &'static str = "control";
    const SCHEMA: u32 = 1;
    type Event = ControlEvent;
    type Refusal = Already;

    fn kind(event: &ControlEvent) -> &'static str {
        match event {
            ControlEvent::Frozen { .. } => "control.frozen",
            ControlEvent::Unfrozen => "control.unfrozen",
        }
    }

    fn fold(_: Option<Self>, event: &ControlEvent, by: &Actor, at: Timestamp) -> Option<Self> {
        let frozen = match event {
            ControlEvent::Frozen { reason } => {
                Some(Frozen { reason: reason.clone(), change: Change { by: by.clone(), at } })
            }
            ControlEvent::Unfrozen => None,
        };
        Some(Control { frozen })
    }
}
