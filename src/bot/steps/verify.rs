//! Asks Sekoia what a step's check needs to know.

use uuid::Uuid;

use crate::bot::Bot;
use crate::bot::failure::Failure;
use crate::chat::ChannelKey;
use crate::domain::checklist::steps::{self, Finding};
use crate::domain::checklist::{Session, StepId};
use crate::pace::Rank;
use crate::sekoia::{Avatar, Community, Licence, SekoiaError};

impl Bot {
    /// What Sekoia says about a step now, or the channel's own rules.
    pub(super) async fn verify(
        &self,
        channel: &ChannelKey,
        session: &Session,
        step: StepId,
        now: jiff::Timestamp,
    ) -> Result<Finding, Failure> {
        let community = session.community.uuid;
        let sekoia = &self.sekoia;
        Ok(match step {
            StepId::Prerequisites => {
                sekoia.validate(Rank::Person).await?;
                let permissions = sekoia.my_permissions().await?;
                let members = self.members_if_allowed(community).await?;
                let admins = members.as_deref().map(steps::users::admins_without_mfa);
                steps::prerequisites::check(&permissions, admins)
            }
            StepId::Subscription => steps::subscription::check(&self.licences_of(community).await?, now),
            StepId::Region => {
                sekoia.validate(Rank::Person).await?;
                steps::region::check(sekoia.region, sekoia.base().as_str())
            }
            StepId::Communities => {
                let (root, children) = self.workspace().await?;
                steps::communities::check(&root, &children)
            }
            StepId::Roles => {
                let members = self.members_if_allowed(community).await?;
                steps::roles::check(&sekoia.roles(community).await?, members.as_deref())
            }
            StepId::Users => steps::users::check(&sekoia.avatars(community).await?),
            StepId::Keys => {
                let own = sekoia.validate(Rank::Person).await?;
                steps::keys::check(&sekoia.api_keys(community).await?, own.key_uuid(), now)
            }
            StepId::Notifications => steps::notifications::check(&self.notifications.read(channel).await?, now),
            StepId::Quickstart => {
                let intakes = sekoia.intakes(community, Rank::Person).await?;
                let silent = self.silent_intakes(community, &intakes, now).await?;
                let alerts = !sekoia.newest_alerts(community, 1, Rank::Person).await?.is_empty();
                let playbooks = sekoia.playbooks(community, Rank::Person).await?;
                steps::quickstart::check(&intakes, &silent, alerts, &playbooks)
            }
        })
    }

    /// The community that the key belongs to, and those under it.
    pub(in crate::bot) async fn workspace(&self) -> Result<(Community, Vec<Community>), SekoiaError> {
        let own = match self.sekoia.me().await?.community {
            Some(uuid) => uuid,
            None => self.sekoia.my_communities().await?.first().map(|c| c.uuid).ok_or_else(|| {
                SekoiaError::NotFound { code: String::new(), message: "the key belongs to no community".into() }
            })?,
        };
        let root = self.sekoia.community(own).await?;
        let mut children =
            if root.is_parent == Some(false) { Vec::new() } else { self.sekoia.sub_communities(own).await? };
        // Listed under itself, it would be there twice.
        children.retain(|child| child.uuid != root.uuid);
        Ok((root, children))
    }

    /// The licences that a community benefits from: a parent's list also holds its units'.
    pub(super) async fn licences_of(&self, community: Uuid) -> Result<Vec<Licence>, SekoiaError> {
        let mut licences = self.sekoia.licences(community).await?;
        licences.retain(|l| l.beneficiary_community_uuid.is_none_or(|b| b == community));
        Ok(licences)
    }

    /// Everybody of a community, if the key may list them.
    pub(super) async fn members_if_allowed(&self, community: Uuid) -> Result<Option<Vec<Avatar>>, SekoiaError> {
        match self.sekoia.avatars(community).await {
            Ok(members) => Ok(Some(members)),
            Err(SekoiaError::Forbidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Members of a community.
    pub(super) async fn members_of(&self, community: Uuid) -> Result<Vec<Avatar>, SekoiaError> {
        let mut members = self.sekoia.avatars(community).await?;
        members
            .sort_by_cached_key(|m| (m.is_disabled(), m.is_pending(), crate::chat::text::natural(&m.display_name())));
        Ok(members)
    }
}
