//! Sekoia's lists, each read at most once for one look at several parts of the plan.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::bot::Bot;
use crate::pace::Rank;
use crate::sekoia::{Avatar, Community, Permission, SekoiaError, Validation};

/// For as long as one command is answered.
pub(in crate::bot) struct Lists<'b> {
    bot: &'b Bot,
    workspace: OnceCell<(Community, Vec<Community>)>,
    permissions: OnceCell<Vec<Permission>>,
    own: OnceCell<Validation>,
    members: DashMap<Uuid, Arc<Vec<Avatar>>>,
}

impl<'b> Lists<'b> {
    pub fn of(bot: &'b Bot) -> Self {
        Self {
            bot,
            workspace: OnceCell::new(),
            permissions: OnceCell::new(),
            own: OnceCell::new(),
            members: DashMap::new(),
        }
    }

    /// The community that the key belongs to, and those under it.
    pub async fn workspace(&self) -> Result<&(Community, Vec<Community>), SekoiaError> {
        self.workspace.get_or_try_init(|| self.bot.workspace()).await
    }

    /// Every permission that there is; which community asks makes no difference.
    pub async fn permissions(&self, community: Uuid) -> Result<&Vec<Permission>, SekoiaError> {
        self.permissions.get_or_try_init(|| self.bot.sekoia.permissions(community)).await
    }

    /// Whose the bot's key is: it works.
    pub async fn own(&self) -> Result<&Validation, SekoiaError> {
        self.own.get_or_try_init(|| self.bot.sekoia.validate(Rank::Person)).await
    }

    pub async fn members(&self, community: Uuid) -> Result<Arc<Vec<Avatar>>, SekoiaError> {
        if let Some(known) = self.members.get(&community) {
            return Ok(Arc::clone(&known));
        }
        let members = Arc::new(self.bot.sekoia.avatars(community).await?);
        self.members.insert(community, Arc::clone(&members));
        Ok(members)
    }

    /// The same, if the key may list them.
    pub async fn members_if_allowed(&self, community: Uuid) -> Result<Option<Arc<Vec<Avatar>>>, SekoiaError> {
        match self.members(community).await {
            Ok(members) => Ok(Some(members)),
            Err(SekoiaError::Forbidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
