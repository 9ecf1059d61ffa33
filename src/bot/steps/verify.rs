//! Asks Sekoia what a step's check needs to know, and compares it with the plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::lists::Lists;
use crate::bot::Bot;
use crate::bot::failure::Failure;
use crate::chat::text::fold;
use crate::chat::{ChannelKey, UserId};
use crate::domain::action::{Action, people};
use crate::domain::approval::{Item, Status};
use crate::domain::checklist::steps::quickstart::Licensed;
use crate::domain::checklist::steps::{self, Finding};
use crate::domain::checklist::{Session, StepId};
use crate::domain::plan::difference::Line;
use crate::domain::plan::{ChannelPlan, Part, Plan, Present, verdict};
use crate::pace::Rank;
use crate::sekoia::{Avatar, Community, Licence, SekoiaError};
use crate::store::StoreError;

/// A step, as Sekoia and the plan see it.
pub(in crate::bot) struct Comparison {
    /// Without regard to the plan.
    pub base: Finding,
    pub finding: Finding,
    /// How Sekoia differs from the plan: it names people and keys.
    pub lines: Vec<Line>,
    /// What there is, as a plan; none where the step has no part of it.
    pub proposal: Option<(Part, Plan)>,
    /// Addresses in the channel's own community whose invitation is not accepted.
    pub pending: Vec<Box<str>>,
}

impl From<Finding> for Comparison {
    fn from(finding: Finding) -> Self {
        Self { base: finding.clone(), finding, lines: Vec::new(), proposal: None, pending: Vec::new() }
    }
}

impl Bot {
    /// What Sekoia says about a step now, or the channel's own rules, and how that differs from the plan.
    /// `by`: who says that the step is done.
    pub(in crate::bot) async fn compare(
        &self,
        channel: &ChannelKey,
        session: &Session,
        step: StepId,
        by: Option<&UserId>,
        now: Timestamp,
    ) -> Result<Comparison, Failure> {
        let planned = self.plans.read(channel).await?;
        let Some(part) = Part::of(step) else {
            return Ok(self.unplanned(session, step, &planned.plan, by, now).await?.into());
        };
        let lists = Lists::of(self);
        let present = self.present(channel, session, part, &planned.plan, &lists).await?;
        // The three triggers that Sekoia names are the plan of a channel that says nothing else.
        let complete = part == Part::Notifications || !planned.is_open(part);
        let lines = present.difference(&planned.plan, now);
        let base = self.with_usage(session, &present, present.finding(complete, now), now).await?;
        let finding = verdict(base.clone(), part, &lines, complete);
        let pending = present.pending();
        Ok(Comparison { base, finding, lines, proposal: Some((part, present.proposal(now))), pending })
    }

    /// The steps that no plan speaks of.
    async fn unplanned(
        &self,
        session: &Session,
        step: StepId,
        plan: &Plan,
        by: Option<&UserId>,
        now: Timestamp,
    ) -> Result<Finding, Failure> {
        let community = session.community.uuid;
        let sekoia = &self.sekoia;
        if step == StepId::Prerequisites {
            sekoia.validate(Rank::Person).await?;
            let permissions = sekoia.my_permissions().await?;
            let mut members = self.members_if_allowed(community).await?;
            // Who works for several communities is an administrator of the workspace's own.
            if let (Some(root), Some(members)) = (sekoia.me().await?.community, &mut members)
                && root != community
            {
                members.extend(self.members_if_allowed(root).await?.unwrap_or_default());
            }
            let person = self.account_of(session, by).await;
            let needed = plan.parts().filter_map(writes).collect::<Vec<_>>();
            return Ok(steps::prerequisites::check(&permissions, &needed, &person, members.as_deref()));
        }
        let licensed = self.licensed(community, now).await?;
        Ok(self.first_steps(community, licensed, now).await?.finding())
    }

    /// The products that the community has; if the key may not read licences, it may be all of them.
    pub(super) async fn licensed(&self, community: Uuid, now: Timestamp) -> Result<Licensed, SekoiaError> {
        match self.licences_of(community).await {
            Ok(licences) => Ok(Licensed::of(&licences, now)),
            Err(SekoiaError::Forbidden { .. }) => {
                Ok(Licensed { defend: true, intelligence: true, reveal: false, elevate: false })
            }
            Err(error) => Err(error),
        }
    }

    /// Whose account at Sekoia somebody's is: as they said, or as the chat tells.
    async fn account_of(&self, session: &Session, by: Option<&UserId>) -> steps::prerequisites::Person {
        let Some(user) = by else { return steps::prerequisites::Person::default() };
        let by_chat = match self.chats.of_user(user) {
            Ok(chat) => chat.person(user).await.ok().and_then(|person| person.email),
            Err(_) => None,
        };
        let by_chat = by_chat.map(|address| Box::<str>::from(people::normal(&address)));
        let typed = session.account_of(user).map(Box::<str>::from);
        let doubtful = typed.is_some() && typed != by_chat;
        steps::prerequisites::Person { address: typed.or(by_chat), typed: doubtful }
    }

    /// What Sekoia and the channel show of a part, with what the plan needs to be compared.
    pub(in crate::bot) async fn present(
        &self,
        channel: &ChannelKey,
        session: &Session,
        part: Part,
        plan: &Plan,
        lists: &Lists<'_>,
    ) -> Result<Present, Failure> {
        let community = session.community.uuid;
        let sekoia = &self.sekoia;
        Ok(match part {
            Part::Products => Present::Products(self.licences_of(community).await?),
            Part::Region => {
                lists.own().await?;
                let region = sekoia.region;
                let shared = session.shared.as_deref() == Some(&*sekoia.app);
                Present::Region { region, api: sekoia.base().as_str().into(), app: sekoia.app.to_string(), shared }
            }
            Part::Communities => {
                let (root, children) = lists.workspace().await?.clone();
                Present::Communities { root, children }
            }
            Part::Roles => {
                let members = lists.members_if_allowed(community).await?;
                let roles = sekoia.roles(community).await?;
                let named = plan.roles.iter().flatten().any(|role| role.permissions.is_some());
                let catalogue = if named { lists.permissions(community).await?.clone() } else { Vec::new() };
                Present::Roles { roles, members, catalogue }
            }
            Part::People => Present::People(self.people_of(session, plan, lists).await?),
            Part::Keys => {
                let own = lists.own().await?.key_uuid().map(Box::from);
                let keys = sekoia.api_keys(community).await?;
                let planned = plan.keys.as_ref().is_some_and(|keys| !keys.is_empty());
                let catalogue = if planned { lists.permissions(community).await?.clone() } else { Vec::new() };
                let unsaved = self.unsaved(channel, session).await?;
                Present::Keys { keys, own, unsaved, catalogue }
            }
            Part::Notifications => self.present_rules(channel).await?,
            Part::Hardening => Present::Hardening {
                members: lists.members_if_allowed(community).await?,
                community: sekoia.community(community).await?,
            },
        })
    }

    /// The members of the channel's community, and of every other that planned people belong to.
    async fn people_of(
        &self,
        session: &Session,
        plan: &Plan,
        lists: &Lists<'_>,
    ) -> Result<Vec<(Box<str>, Arc<Vec<Avatar>>)>, Failure> {
        let own = &session.community;
        let mut people = vec![(own.name.clone(), lists.members(own.uuid).await?)];
        let named: BTreeSet<String> =
            plan.people.iter().flatten().flat_map(|person| &person.communities).map(|name| fold(name)).collect();
        if named.iter().all(|name| *name == fold(&own.name)) {
            return Ok(people);
        }
        let (root, children) = lists.workspace().await?;
        for community in std::iter::once(root).chain(children) {
            if community.uuid != own.uuid && named.contains(&fold(community.name())) {
                people.push((community.name().into(), lists.members(community.uuid).await?));
            }
        }
        Ok(people)
    }

    /// Keys that were asked for in this channel and are not in their owner's hands yet.
    async fn unsaved(&self, channel: &ChannelKey, session: &Session) -> Result<Vec<(Box<str>, Box<str>)>, StoreError> {
        let open = self.approvals.open().await?;
        let here = open.iter().filter(|approval| {
            approval.request.channel == *channel && approval.request.community.uuid == session.community.uuid
        });
        let unsaved = here.filter_map(|approval| {
            let Action::CreateKey { name, .. } = &approval.request.action else { return None };
            let on = match (approval.status(), approval.items.first()) {
                (_, Some(Item::Done { .. })) => return None,
                (Status::Requested, _) => "an approval",
                (Status::Approved, _) => "its owner to create it",
                (Status::ByHand, _) => "somebody to make it by hand",
                (Status::Handover, _) => "its owner to say that it is saved",
                _ => "its request to come to an end",
            };
            Some((name.clone(), format!("{on} (request {})", approval.id).into()))
        });
        Ok(unsaved.collect())
    }

    /// What the plan says of a part, in one line.
    pub(in crate::bot) fn plan_line(planned: &ChannelPlan, part: Part) -> crate::chat::view::Line {
        use crate::chat::text::count;
        use crate::chat::view::Line;
        let (one, many) = part.nouns();
        let things = planned.plan.count(part).unwrap_or_default();
        match planned.complete.get(&part) {
            Some(change) => {
                let line = Line::new().say(format!("Plan: {}, said to be all by ", count(things, one, many)));
                crate::bot::approvals::lines::by(line, &change.by).say(" · ").moment(change.at)
            }
            None if part == Part::Notifications => "Plan: the three triggers that Sekoia names.".into(),
            None => {
                let so_far = if things > 0 { format!(" ({things} so far)") } else { String::new() };
                Line::new()
                    .say(format!("No plan{so_far}: it can be seen or attested, not verified. "))
                    .code(format!("/sekoia plan {}", part.name()))
            }
        }
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
        let built_in = |community: &Community| self.sekoia.region.is_self_hosted() && community.is_built_in();
        if built_in(&root) {
            let name = root.name();
            let message = format!(
                "the bot's key belongs to the built-in community \"{name}\", which is no workspace; create a key in your own community"
            );
            return Err(SekoiaError::NotFound { code: String::new(), message });
        }
        let mut children =
            if root.is_parent == Some(false) { Vec::new() } else { self.sekoia.sub_communities(own).await? };
        // Listed under itself, it would be there twice.
        children.retain(|child| child.uuid != root.uuid && !built_in(child));
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

/// The permission that the bot's key needs to bring about what is planned of a part.
fn writes(part: Part) -> Option<&'static str> {
    let [communities, roles, people, keys] = steps::prerequisites::WRITES;
    match part {
        Part::Communities => Some(communities),
        Part::Roles => Some(roles),
        Part::People => Some(people),
        Part::Keys => Some(keys),
        Part::Products | Part::Region | Part::Notifications | Part::Hardening => None,
    }
}
