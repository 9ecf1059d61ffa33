//! What Sekoia has of what a request may name, looked up before the request is checked.

use jiff::Timestamp;
use uuid::Uuid;

use crate::bot::Bot;
use crate::domain::action::{KeyFacts, Named, RequestedAction, RoleFacts};
use crate::pace::Rank;
use crate::sekoia::{ApiKey, KeyStatus, Permission, Role, SekoiaError, Validation};

/// Empty where the request names nothing of the kind.
#[derive(Default)]
pub(super) struct Facts {
    roles: Vec<Role>,
    keys: Vec<ApiKey>,
    catalogue: Vec<Permission>,
    /// What the bot's own key may do, and whose key it is.
    held: Vec<Permission>,
    me: Option<Validation>,
}

impl Bot {
    /// `typed`: names in it may still have to be separated from keywords.
    pub(super) async fn look_up(
        &self,
        wanted: &RequestedAction,
        community: Uuid,
        typed: bool,
    ) -> Result<Facts, SekoiaError> {
        let sekoia = &self.sekoia;
        let mut facts = Facts::default();
        match wanted {
            RequestedAction::Invite { .. } if typed => facts.roles = sekoia.roles(community).await?,
            RequestedAction::Invite { .. }
            | RequestedAction::Resend { .. }
            | RequestedAction::Communities { .. }
            | RequestedAction::Plan { .. } => {}
            RequestedAction::Role { .. } => {
                facts.roles = sekoia.roles(community).await?;
                facts.catalogue = sekoia.permissions(community).await?;
                facts.held = sekoia.my_permissions().await?;
            }
            RequestedAction::Key { .. } | RequestedAction::Rotate { .. } => {
                facts.keys = sekoia.api_keys(community).await?;
                facts.me = Some(sekoia.validate(Rank::Person).await?);
                facts.catalogue = sekoia.permissions(community).await?;
                facts.held = sekoia.my_permissions().await?;
            }
            RequestedAction::Revoke { .. } => {
                facts.keys = sekoia.api_keys(community).await?;
                facts.me = Some(sekoia.validate(Rank::Person).await?);
            }
        }
        Ok(facts)
    }
}

impl Facts {
    /// The names that what was typed may hold.
    pub fn names(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let active = self.keys.iter().filter(move |key| key.status(now) == KeyStatus::Active).map(ApiKey::name);
        self.roles.iter().map(Role::name).chain(active).chain(self.catalogue.iter().map(Permission::title))
    }

    pub fn of_roles(&self, community: Named) -> RoleFacts<'_> {
        RoleFacts { community, roles: &self.roles, catalogue: &self.catalogue, own: &self.held }
    }

    pub fn of_keys(&self, community: Named, now: Timestamp) -> KeyFacts<'_> {
        let own_key = self.me.as_ref().and_then(Validation::key_uuid);
        KeyFacts { community, keys: &self.keys, catalogue: &self.catalogue, own: &self.held, own_key, now }
    }
}
