//! The rules of a channel: listed, added, changed; the webhook's address.

use super::failure::instead;
use super::{Ask, Bot, Told};
use crate::command::{DigestWish, RuleWish, WebhookWish};
use crate::notify::Watch;

impl Bot {
    pub(super) async fn notify_list(&self, ask: &Ask<'_>, page: usize) -> Told {
        let _ = (ask, page);
        Err(instead("…"))
    }

    pub(super) async fn notify_add(&self, ask: &Ask<'_>, watch: &Watch) -> Told {
        let _ = (ask, watch);
        Err(instead("…"))
    }

    pub(super) async fn notify_recommended(&self, ask: &Ask<'_>, confirmed: bool) -> Told {
        let _ = (ask, confirmed);
        Err(instead("…"))
    }

    pub(super) async fn notify_rule(&self, ask: &Ask<'_>, number: u32, wish: RuleWish) -> Told {
        let _ = (ask, number, wish);
        Err(instead("…"))
    }

    pub(super) async fn notify_digest(&self, ask: &Ask<'_>, wish: &DigestWish) -> Told {
        let _ = (ask, wish);
        Err(instead("…"))
    }

    pub(super) async fn notify_webhook(&self, ask: &Ask<'_>, wish: WebhookWish) -> Told {
        let _ = (ask, wish);
        Err(instead("…"))
    }
}
