//! An alert acknowledged at Sekoia, by a button of its card or by words.

use super::failure::instead;
use super::{Ask, Bot, Told};

impl Bot {
    pub(super) async fn acknowledge(&self, ask: &Ask<'_>, alert: &str) -> Told {
        let _ = (ask, alert);
        Err(instead("…"))
    }
}
