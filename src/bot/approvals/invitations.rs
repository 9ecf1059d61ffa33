//! Invitations after they were sent: pending until their people come, a reminder when the link's
//! 24 hours are over.

use jiff::Timestamp;
use tracing::{debug, error, warn};

use super::read_back::uuid;
use crate::bot::Bot;
use crate::domain::action::Action;
use crate::domain::action::people::normal;
use crate::domain::approval::{Approval, ApprovalId, Command, Guest, Item};
use crate::sekoia::{Avatar, SekoiaError};
use crate::store::{Commit, StoreError, WorkKind};
use crate::timing::approvals::{INVITATION_LINK_LIVES, INVITATIONS_LOOKED_AT_EVERY, INVITATIONS_WAITED_FOR};

const BATCH: u32 = 8;

impl Bot {
    pub(in crate::bot) async fn track_due(&self, now: Timestamp) -> Result<(), StoreError> {
        for work in self.sessions.store().due(WorkKind::Track, now, BATCH).await? {
            let id = ApprovalId::from(work.key.as_str());
            let finished = Commit { finished: vec![work.finished()], ..Commit::default() };
            let again =
                Commit { postponed: vec![(work.finished(), now + INVITATIONS_LOOKED_AT_EVERY)], ..Commit::default() };
            let commit = match self.approvals.read(&id).await {
                Err(error) => {
                    error!(%error, "a request cannot be read");
                    again
                }
                Ok(None) => finished,
                Ok(Some(approval)) => match self.guests(&approval, now).await {
                    Ok(Some(guests)) => {
                        let waits = guests
                            .iter()
                            .enumerate()
                            .any(|(i, g)| approval.items[i].is_done() && !matches!(g, Guest::Accepted));
                        self.commit_as_bot(&id, Command::Guests { guests }).await?;
                        let over = now > approval.asked.at + INVITATIONS_WAITED_FOR;
                        if waits && !over { again } else { finished }
                    }
                    Ok(None) => finished,
                    Err(error) => {
                        warn!(%error, request = id.as_str(), "it is not known yet who accepted");
                        if now > approval.asked.at + INVITATIONS_WAITED_FOR { finished } else { again }
                    }
                },
            };
            self.sessions.store().commit(commit).await.map(|_| ()).map_err(crate::bot::inbox::only_store)?;
            debug!(request = id.as_str(), "looked who came");
        }
        Ok(())
    }

    /// What became of the invited people, item by item; none if it is no invitation.
    async fn guests(&self, approval: &Approval, now: Timestamp) -> Result<Option<Vec<Guest>>, SekoiaError> {
        let Action::Invite { people, .. } = &approval.request.action else { return Ok(None) };
        // One link lets somebody into all of their communities: the first tells.
        let mut members: Vec<(Box<str>, Vec<Avatar>)> = Vec::new();
        for group in approval.request.action.invitations() {
            let Some(first) = group.grants.first().map(|g| &g.community) else { return Ok(None) };
            if !members.iter().any(|(known, _)| *known == first.uuid) {
                members.push((first.uuid.clone(), self.sekoia.avatars(uuid(first)?).await?));
            }
        }
        Ok(Some(came(people, approval, &members, now)))
    }
}

/// What became of each invited person, by what Sekoia lists now.
fn came(people: &[Box<str>], approval: &Approval, members: &[(Box<str>, Vec<Avatar>)], now: Timestamp) -> Vec<Guest> {
    let of = |item: usize| {
        let first = approval.request.action.grants(item).first();
        members.iter().find(|(uuid, _)| first.is_some_and(|g| g.community.uuid == *uuid)).map_or(&[][..], |(_, m)| m)
    };
    let guests = people.iter().zip(&approval.items).enumerate().map(|(i, (person, item))| {
        let before = approval.guests.get(i).copied().unwrap_or_default();
        let Item::Done { at, .. } = item else { return before };
        let member = of(i).iter().find(|m| m.email().is_some_and(|e| normal(e) == **person));
        match member {
            // Whoever came and left again did not miss the link.
            _ if before == Guest::Accepted => before,
            Some(member) if !member.is_pending() => Guest::Accepted,
            _ if now >= *at + INVITATION_LINK_LIVES => Guest::Lapsed,
            Some(_) => Guest::Pending,
            None => before,
        }
    });
    guests.collect()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use serde_json::json;

    use super::*;
    use crate::chat::{Actor, ChannelKey, Community, UserId};
    use crate::domain::action::{Grant, Named};
    use crate::domain::approval::{ApprovalId, Audience, Event, How, Recorded, Request};

    #[test]
    fn people_come_or_miss_their_link() {
        let start: Timestamp = "2026-07-01T08:00:00Z".parse().unwrap();
        let people: Vec<Box<str>> = ["ana", "bo", "cy", "di"].map(|p| format!("{p}@x.example").into()).into();
        let grants = vec![Grant { community: Named::new("c", "Nimbus"), role: Named::new("r", "Analyst") }];
        let action = Action::Invite { people: people.clone(), grants, replaces: vec![], groups: vec![] };
        let request = Request {
            channel: ChannelKey::slack("T0SOC", "C0SOC"),
            community: Community { uuid: uuid::Uuid::nil(), name: "Nimbus".into() },
            hash: action.hash(""),
            salt: "".into(),
            action,
            because: None,
            risks: vec![],
            account: vec![],
            needed: 1,
            self_approval: false,
            expires: start + INVITATION_LINK_LIVES,
            bundle: None,
            audience: Audience::default(),
            reminders: vec![],
            second_factor: false,
            escalates: None,
        };
        let asked = Event::Requested { id: ApprovalId::of("1"), request: Box::new(request) };
        let done = |item| Event::Done { item, uuid: None, how: How::Answered };
        let by = Actor::Person(UserId::slack("U0ALICE"));
        let mut approval = [asked, done(0), done(1), done(2)]
            .into_iter()
            .fold(None, |state, event| Approval::apply(state, &Recorded { event, by: by.clone(), at: start }))
            .unwrap();
        let member = |email: &str, confirmed: bool| -> Avatar {
            serde_json::from_value(json!({ "uuid": email, "user": { "email": email, "confirmed": confirmed } }))
                .unwrap()
        };
        let listed = [member("ANA@x.example", true), member("bo@x.example", false)];
        // Cy is not listed yet, Di was never invited.
        let of = |members: &[Avatar]| vec![("c".into(), members.to_vec())];
        let soon = came(&people, &approval, &of(&listed), start + SignedDuration::from_hours(1));
        assert_eq!(soon, [Guest::Accepted, Guest::Pending, Guest::Sent, Guest::Sent]);
        approval.guests = soon;
        // Ana came and left again.
        let later = came(&people, &approval, &of(&listed[1..]), start + INVITATION_LINK_LIVES);
        assert_eq!(later, [Guest::Accepted, Guest::Lapsed, Guest::Lapsed, Guest::Sent]);
    }
}
