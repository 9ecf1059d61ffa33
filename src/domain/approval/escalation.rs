//! A request that is not decided in time goes to further approvers, who count from then on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Approval;
use crate::chat::UserId;
use crate::domain::access::Principal;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalated {
    pub at: Timestamp,
    /// People and groups as the settings named them then.
    pub to: Vec<Box<str>>,
}

impl Escalated {
    /// Those of them who are on this chat platform.
    pub fn on<'a>(&'a self, chat: &'a str) -> impl Iterator<Item = Principal> + 'a {
        self.to.iter().filter_map(|name| name.parse::<Principal>().ok()).filter(move |principal| principal.is_on(chat))
    }
}

impl Approval {
    /// Who counts as an approver of it, besides the approvers, where `user` is asked about: nobody becomes
    /// an approver of their own request.
    pub fn escalated_for(&self, user: Option<&UserId>) -> &[Box<str>] {
        match &self.escalated {
            Some(escalated) if !user.is_some_and(|user| self.is_asked_by(user)) => &escalated.to,
            _ => &[],
        }
    }
}
