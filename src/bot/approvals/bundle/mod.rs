//! A plan's missing things as one request: each part becomes a request of its own, in the bundle's
//! order, and the bundle follows what those come to.

pub(super) mod card;
mod controls;
mod decide;
mod facts;
mod step;

use crate::bot::Bot;
use crate::bot::failure::{Failure, instead};
use crate::chat::text::{same, shown};
use crate::chat::view::Line;
use crate::chat::{ChannelKey, ChatError, UserId};
use crate::domain::access::refuse_outsiders;
use crate::domain::action::{self, Action, BundlePart, Named, Prepared};
use crate::domain::approval::Approval;
use crate::domain::checklist::Session;
use crate::domain::plan::Plan;
use crate::store::StoreError;

pub use card::{bundle_card, everything, what};
pub use controls::bundle_controls;
use facts::Needs;

impl Bot {
    /// Looks up what Sekoia lacks of a plan, the channel's own if none is given. Nothing is changed.
    pub(super) async fn prepare_bundle(
        &self,
        session: &Session,
        plan: Option<&Plan>,
        channel: &ChannelKey,
    ) -> Result<Prepared, Failure> {
        let own_plan;
        let plan = if let Some(plan) = plan {
            plan
        } else {
            own_plan = self.plans.read(channel).await?.plan;
            &own_plan
        };
        let own = Named::new(session.community.uuid.to_string(), &*session.community.name);
        let mut plan = plan.clone();
        let notes = self.without_keys_that_wait(session, &mut plan).await?;
        let lists = self.bundle_lists(&own, &Needs::of_plan(&plan, &own)).await?;
        let mut prepared = match action::bundle(&plan, &lists.facts(own, jiff::Timestamp::now())) {
            Ok(prepared) => prepared,
            Err(mut problem) => {
                problem.text = notes.iter().fold(problem.text, |text, note| text.say(format!(" {note}")));
                return Err(Failure::Wrong(problem));
            }
        };
        prepared.notes.extend(notes);
        for part in prepared.action.parts() {
            if let BundlePart::Key { name, owner: Some(owner), .. } = part {
                self.may_keep(owner, name, channel).await?;
            }
        }
        Ok(prepared)
    }

    /// Takes the keys out of a plan that were asked for already and are not there because they wait for
    /// somebody; says which.
    async fn without_keys_that_wait(&self, session: &Session, plan: &mut Plan) -> Result<Vec<Box<str>>, StoreError> {
        let mut notes = Vec::new();
        let Some(keys) = plan.keys.as_mut().filter(|keys| !keys.is_empty()) else { return Ok(notes) };
        for open in self.approvals.open().await? {
            let Action::CreateKey { community, name, .. } = &open.request.action else { continue };
            let before = keys.len();
            if *community.uuid == *session.community.uuid.to_string() {
                keys.retain(|key| !same(&key.name, name));
            }
            if keys.len() < before {
                notes.push(format!("The key \"{}\" waits already: request {}.", shown(name, 60), open.id).into());
            }
        }
        Ok(notes)
    }

    /// An open request for exactly the same.
    pub(super) async fn asked_before(
        &self,
        channel: &ChannelKey,
        action: &Action,
    ) -> Result<Option<Approval>, StoreError> {
        let same = |open: &Approval| open.request.action == *action && open.request.channel == *channel;
        Ok(self.approvals.open().await?.into_iter().find(same))
    }

    /// Whether somebody can be shown a key in this channel's chat.
    async fn may_keep(&self, owner: &UserId, key: &str, channel: &ChannelKey) -> Result<(), Failure> {
        let whose = || Line::new().say(format!("The key \"{}\" is to be kept by ", shown(key, 60))).person(owner);
        if owner.platform() != channel.platform() {
            return Err(instead(whose().say(", who is on another platform. Name somebody of this one in the plan.")));
        }
        let chat = self.chats.of_channel(channel).map_err(Failure::Chat)?;
        let team = chat.team().await.map_err(Failure::Chat)?;
        let stands = match chat.person(owner).await {
            Ok(person) => refuse_outsiders(&person, &team, owner).is_ok(),
            Err(ChatError::Refused(_)) => false,
            Err(error) => return Err(Failure::Chat(error)),
        };
        if stands {
            return Ok(());
        }
        Err(instead(whose().say(", who is no active, full member here. Name somebody else in the plan.")))
    }

    /// The requests that carry out a bundle's parts, with their parts.
    pub(in crate::bot) async fn children(&self, bundle: &Approval) -> Result<Vec<(usize, Approval)>, StoreError> {
        Ok(self.children_with_version(bundle).await?.0)
    }

    /// The same, and the sum of their versions: any change of one is seen in it.
    pub(in crate::bot) async fn children_with_version(
        &self,
        bundle: &Approval,
    ) -> Result<(Vec<(usize, Approval)>, u64), StoreError> {
        let (mut children, mut versions) = (Vec::new(), 0);
        for item in 0..bundle.items.len() {
            let Some(id) = bundle.child(item) else { continue };
            if let Some((version, child)) = self.approvals.read_with_version(id).await? {
                children.push((item, child));
                versions += version;
            }
        }
        Ok((children, versions))
    }

    /// Whether somebody may have this key although they have no right here: the approved bundle names
    /// them.
    pub(in crate::bot) async fn keeps(&self, user: &UserId, id: &str) -> Result<bool, StoreError> {
        let found = self.approvals.find(id).await?;
        let kept =
            found.is_some_and(|approval| approval.request.bundle.is_some() && approval.requester() == Some(user));
        Ok(kept || self.asked_as_requester(user, id).await?)
    }
}
