//! Whether Sekoia has what was asked for: by e-mail, by name, by identifier.

use jiff::Timestamp;

use crate::bot::failure::{Failure, instead};
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::shown;
use crate::chat::view::View;
use crate::domain::action::people::normal;
use crate::domain::action::{Action, Named};
use crate::domain::approval::{Approval, Command, How, Item, Outcome};
use crate::sekoia::{ApiKey, Avatar, Community, KeyStatus, Role, SekoiaError};
use crate::timing::approvals::CLOCK_SKEW;

/// What a look brought.
pub(super) enum Seen {
    There {
        uuid: Box<str>,
    },
    Absent,
    /// A key that is neither listed nor found by its identifier. Lists are empty for other reasons
    /// too: it is revoked if a second look says the same.
    Gone,
    /// There is something, and nobody can tell whether it is this.
    Unsure(&'static str),
}

/// What Sekoia lists, read once for however many calls.
enum Lists {
    /// Of each community that people were invited to, by its identifier.
    Members(Vec<(Box<str>, Vec<Avatar>)>),
    Communities(Vec<Community>),
    Roles(Vec<Role>),
    Keys(Vec<ApiKey>),
}

/// What a look at everything that a person could have settled came to.
pub(super) struct Looked {
    pub done: usize,
    pub missing: Vec<String>,
}

impl Bot {
    /// Looks for what a call was to bring.
    pub(super) async fn look(&self, approval: &Approval, item: usize, since: Timestamp) -> Result<Seen, SekoiaError> {
        let lists = self.lists(&approval.request.action).await?;
        // Sekoia dates keys by its own clock, whatever ours showed.
        let begun = approval.clock.unwrap_or(since) - CLOCK_SKEW;
        self.by_itself(approval, item, seen(approval, item, begun, &lists, Timestamp::now())).await
    }

    /// A key that its list does not show is asked for by its identifier.
    async fn by_itself(&self, approval: &Approval, item: usize, seen: Seen) -> Result<Seen, SekoiaError> {
        match (&seen, &approval.request.action) {
            (
                Seen::Gone,
                Action::RevokeKey { community, key } | Action::CreateKey { community, replaces: Some(key), .. },
            ) if !approval.request.action.is_secret(item) => self.key(community, &key.uuid).await,
            _ => Ok(seen),
        }
    }

    async fn key(&self, community: &Named, key: &str) -> Result<Seen, SekoiaError> {
        match self.sekoia.api_key(uuid(community)?, parsed(key)?).await {
            Ok(found) if found.uuid.eq_ignore_ascii_case(key) => Ok(revoked(&found, Timestamp::now())),
            Ok(_) => Err(SekoiaError::Malformed { what: "another key than the one that was asked for".into() }),
            Err(SekoiaError::NotFound { .. }) => Ok(Seen::Gone),
            Err(error) => Err(error),
        }
    }

    async fn lists(&self, action: &Action) -> Result<Lists, SekoiaError> {
        Ok(match action {
            Action::Invite { .. } => {
                let mut members = Vec::new();
                for community in action.communities() {
                    members.push((community.uuid.clone(), self.sekoia.avatars(uuid(community)?).await?));
                }
                Lists::Members(members)
            }
            Action::CreateCommunities { parent, .. } => {
                Lists::Communities(self.sekoia.sub_communities(uuid(parent)?).await?)
            }
            Action::Bundle { .. } => Lists::Communities(Vec::new()),
            Action::CreateRole { community, .. } => Lists::Roles(self.sekoia.roles(uuid(community)?).await?),
            Action::CreateKey { community, .. } | Action::RevokeKey { community, .. } => {
                Lists::Keys(self.sekoia.api_keys(uuid(community)?).await?)
            }
        })
    }

    /// Whether a key no longer works. One that is gone does not, if two looks say so.
    pub(super) async fn is_revoked(&self, community: &Named, key: &str) -> Result<bool, SekoiaError> {
        for look in 0..2 {
            if look > 0 {
                tokio::time::sleep(self.approvals.timing.between).await;
            }
            match listed(&self.sekoia.api_keys(uuid(community)?).await?, key, Timestamp::now()) {
                Seen::Gone => {}
                seen => return Ok(matches!(seen, Seen::There { .. })),
            }
            match self.key(community, key).await? {
                Seen::Gone => {}
                seen => return Ok(matches!(seen, Seen::There { .. })),
            }
        }
        Ok(true)
    }

    /// `I did it`, or somebody wants to know: what Sekoia shows is taken as done, nothing else is.
    pub(in crate::bot) async fn check(&self, ask: &Ask<'_>, id: &str) -> CommandResult {
        let approval = self.request_of(ask, id).await?;
        let Looked { done, missing } = if approval.is_bundle() {
            self.settle_parts(ask, &approval).await?
        } else {
            self.settle_seen(ask, &approval).await?
        };
        match (done, missing.as_slice()) {
            (0, []) => Err(instead("There is nothing left to look for on this request.")),
            (_, []) => Ok(View::sentence("Sekoia has it. Thank you.")),
            (_, missing) => {
                let listed = missing.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
                let more = if missing.len() > 5 { ", …" } else { "" };
                let found = if done > 0 { format!("Found {done}. ") } else { String::new() };
                Err(instead(format!("{found}Sekoia does not show: {listed}{more}. Nothing was marked as done for it.")))
            }
        }
    }

    /// Marks as done what a person could have settled and Sekoia shows.
    pub(super) async fn settle_seen(&self, ask: &Ask<'_>, approval: &Approval) -> Result<Looked, Failure> {
        let mut looked = Looked { done: 0, missing: Vec::new() };
        let open = |i: &Item| matches!(i, Item::ByHand { .. } | Item::Unknown { .. } | Item::Failed { .. });
        if !approval.items.iter().any(open) {
            return Ok(looked);
        }
        for (item, state, seen) in self.seen_of(approval, open).await? {
            // A key whose secret is lost is not done by being there, but by being gone.
            if approval.request.action.is_secret(item) && matches!(state, Item::Unknown { .. }) {
                if !matches!(seen, Seen::Absent | Seen::Gone) {
                    return Err(instead(
                        "A key of this name is there, and nobody has its secret: revoke it in Sekoia's console, then look again.",
                    ));
                }
                let outcome = Outcome::Withdrawn { why: "it is gone".into() };
                self.change_request(ask, &approval.id, Command::Report { item, sends: None, outcome }).await?;
                looked.done += 1;
                continue;
            }
            match seen {
                Seen::There { uuid } => {
                    let outcome = Outcome::Done { uuid: Some(uuid), how: How::ByHand };
                    self.change_request(ask, &approval.id, Command::Report { item, sends: None, outcome }).await?;
                    looked.done += 1;
                }
                Seen::Gone => {
                    let outcome = Outcome::Done { uuid: None, how: How::ByHand };
                    self.change_request(ask, &approval.id, Command::Report { item, sends: None, outcome }).await?;
                    looked.done += 1;
                }
                Seen::Absent | Seen::Unsure(_) => {
                    looked.missing.push(shown(approval.request.action.target(item), 60));
                }
            }
        }
        Ok(looked)
    }

    /// What Sekoia shows of the calls that are `open`. What is taken for gone is so at two looks.
    async fn seen_of<'a>(
        &self,
        approval: &'a Approval,
        open: fn(&Item) -> bool,
    ) -> Result<Vec<(usize, &'a Item, Seen)>, SekoiaError> {
        let begun = approval.clock.map_or(approval.asked.at, |clock| clock.min(approval.asked.at)) - CLOCK_SKEW;
        let lost = |(item, state, seen): &(usize, &Item, Seen)| match seen {
            Seen::Gone => true,
            // The key whose secret is lost.
            Seen::Absent => approval.request.action.is_secret(*item) && matches!(state, Item::Unknown { .. }),
            Seen::There { .. } | Seen::Unsure(_) => false,
        };
        let mut before: Option<Vec<bool>> = None;
        loop {
            let lists = self.lists(&approval.request.action).await?;
            let mut found = Vec::new();
            for (item, state) in approval.items.iter().enumerate().filter(|(_, state)| open(state)) {
                let seen = seen(approval, item, begun, &lists, Timestamp::now());
                found.push((item, state, self.by_itself(approval, item, seen).await?));
            }
            let said: Vec<bool> = found.iter().map(lost).collect();
            if !said.contains(&true) || before.as_ref() == Some(&said) {
                return Ok(found);
            }
            before = Some(said);
            tokio::time::sleep(self.approvals.timing.between).await;
        }
    }
}

/// Whether the lists show what a call was to bring. What it made is dated after `begun`.
fn seen(approval: &Approval, item: usize, begun: Timestamp, lists: &Lists, now: Timestamp) -> Seen {
    let target = approval.request.action.target(item);
    match (&approval.request.action, lists) {
        (Action::Invite { .. }, Lists::Members(communities)) => {
            let grants = approval.request.action.grants(item);
            let meant = communities.iter().filter(|(uuid, _)| grants.iter().any(|g| g.community.uuid == *uuid));
            // What was to be replaced is not what replaces it.
            // Whoever sends one again in the console keeps it.
            let by_hand = matches!(approval.items.get(item), Some(Item::ByHand { .. }));
            let old = |m: &Avatar| !by_hand && approval.request.action.replaced(item).any(|r| *r.avatar == *m.uuid);
            let is = |m: &&Avatar| m.email().is_some_and(|e| normal(e) == target) && !old(m);
            let mut found: Vec<&Avatar> = meant.filter_map(|(_, members)| members.iter().find(is)).collect();
            match found.pop() {
                Some(member) if found.len() + 1 == grants.len() => Seen::There { uuid: member.uuid.as_str().into() },
                Some(_) => Seen::Unsure("it is in some of the communities and not in all"),
                None => Seen::Absent,
            }
        }
        (Action::CreateCommunities { .. }, Lists::Communities(all)) => {
            one(all.iter().filter(|c| c.name() == target).map(|c| c.uuid.to_string()))
        }
        (Action::CreateRole { .. }, Lists::Roles(all)) => {
            one(all.iter().filter(|r| !r.is_built_in() && r.name() == target).map(|r| r.uuid.clone()))
        }
        (Action::CreateKey { permissions, .. }, Lists::Keys(all)) if item == 0 => {
            let named: Vec<&ApiKey> =
                all.iter().filter(|k| k.name() == target && k.status(now) == KeyStatus::Active).collect();
            // Made by this call: no older than it, with exactly these permissions.
            let ours = |k: &ApiKey| {
                let held: Vec<&str> = k.permissions.iter().filter_map(|p| p.uuid.as_deref()).collect();
                let same = held.len() == permissions.len() && permissions.iter().all(|p| held.contains(&&*p.uuid));
                same && k.created_at.is_some_and(|at| at >= begun)
            };
            match named.as_slice() {
                [] => Seen::Absent,
                [key] if ours(key) => Seen::There { uuid: key.uuid.as_str().into() },
                _ => Seen::Unsure("a key of this name is there, and it is not certain whose it is"),
            }
        }
        (Action::CreateKey { replaces: Some(key), .. } | Action::RevokeKey { key, .. }, Lists::Keys(all)) => {
            listed(all, &key.uuid, now)
        }
        _ => Seen::Unsure("there is no such call"),
    }
}

/// Whether a list shows a key as revoked.
fn listed(all: &[ApiKey], key: &str, now: Timestamp) -> Seen {
    all.iter().find(|k| k.uuid == key).map_or(Seen::Gone, |key| revoked(key, now))
}

/// Whether a key works no longer.
fn revoked(key: &ApiKey, now: Timestamp) -> Seen {
    match key.status(now) {
        KeyStatus::Active => Seen::Absent,
        KeyStatus::Expired | KeyStatus::Revoked => Seen::There { uuid: key.uuid.as_str().into() },
    }
}

fn one(mut found: impl Iterator<Item = String>) -> Seen {
    match (found.next(), found.next()) {
        (Some(uuid), None) => Seen::There { uuid: uuid.into() },
        (None, _) => Seen::Absent,
        (Some(_), Some(_)) => Seen::Unsure("several have this name: look which one is meant"),
    }
}

pub(super) fn uuid(named: &Named) -> Result<uuid::Uuid, SekoiaError> {
    parsed(&named.uuid)
}

pub(super) fn parsed(uuid: &str) -> Result<uuid::Uuid, SekoiaError> {
    uuid.parse().map_err(|_| SekoiaError::Malformed { what: "an identifier that is none".into() })
}
