//! Invitations that are sent again: the pending one is withdrawn before its person is invited anew.

use super::execute;
use super::read_back::{parsed, uuid};
use crate::bot::Bot;
use crate::bot::failure::{Failure, instead};
use crate::domain::action::{self, Action, Named, Prepared, Replaced, ResendFacts, Whose};
use crate::domain::approval::{Approval, ApprovalId, Guest, Item, Outcome};
use crate::domain::checklist::Session;
use crate::pace::Rank;
use crate::sekoia::{Avatar, SekoiaError, Turn};

impl Bot {
    /// Looks up whose invitations are meant. Nothing is changed.
    pub(super) async fn prepare_resend(&self, session: &Session, whose: &str) -> Result<Prepared, Failure> {
        let own = Named::new(session.community.uuid.to_string(), &*session.community.name);
        let invited = if whose.contains('@') { None } else { Some(self.invitations_of(session, whose).await?) };
        let communities = match &invited {
            Some(approval) => approval.request.action.communities().into_iter().cloned().collect(),
            None => vec![own],
        };
        let mut read: Vec<(Named, Vec<Avatar>)> = Vec::new();
        for community in communities {
            let members = self.sekoia.avatars(uuid(&community)?).await?;
            read.push((community, members));
        }
        let facts = ResendFacts { communities: read.iter().map(|(c, a)| (c.clone(), a.as_slice())).collect() };
        let whose = match invited.as_ref().map(|approval| (approval, &approval.request.action)) {
            Some((approval, action @ Action::Invite { people, .. })) => {
                let open = |i: usize| {
                    approval.items.get(i).is_some_and(Item::is_done)
                        && !matches!(approval.guests.get(i), Some(Guest::Accepted))
                };
                let people = people.iter().enumerate().filter(|(i, _)| open(*i));
                Whose::Request { people: people.map(|(i, p)| (&**p, action.grants(i))).collect() }
            }
            _ => Whose::Addresses(addresses(whose)),
        };
        action::resend(&whose, &facts).map_err(Failure::Wrong)
    }

    /// The request of this channel whose id is given.
    async fn invitations_of(&self, session: &Session, id: &str) -> Result<Approval, Failure> {
        let found = self.approvals.find(id).await?;
        let here = |approval: &Approval| approval.request.community.uuid == session.community.uuid;
        let invites = |approval: &Approval| matches!(approval.request.action, Action::Invite { .. });
        found.filter(|approval| here(approval) && invites(approval)).ok_or_else(|| {
            instead("Say whose invitation: an e-mail address, or the id of a request that invited people here.")
        })
    }

    /// Withdraws what an invitation replaces. Otherwise what became of the call without being made,
    /// and whether every other one would meet with the same.
    pub(super) async fn withdraw_pending(
        &self,
        approval: &Approval,
        item: usize,
        mut turn: Turn,
    ) -> Result<Turn, (Outcome, bool)> {
        let unread = |error: SekoiaError| (Outcome::NotSent { why: error.to_string().into() }, false);
        for replaced in approval.request.action.replaced(item) {
            // Whoever came meanwhile is a member, who is not to be removed.
            match self.stands(replaced).await.map_err(unread)? {
                Pending::Gone => continue,
                Pending::Taken => {
                    let why = "it was accepted meanwhile, so nothing was sent";
                    return Err((Outcome::Failed { why: why.into() }, false));
                }
                Pending::There => {}
            }
            let written = self.sekoia.write(turn, &replaced.call()).await;
            // 204 is what it documents; whatever it says, the invitation itself tells.
            match (written, self.stands(replaced).await) {
                (_, Ok(Pending::Gone)) => {}
                (Ok(_), Ok(_)) => {
                    let why = "Sekoia did not withdraw the pending invitation, so no other was sent";
                    return Err((Outcome::NotSent { why: why.into() }, false));
                }
                (Err(failed), Ok(_)) => {
                    let (outcome, everybody) = execute::judged(&failed);
                    let outcome = match outcome {
                        // It is known what became of it.
                        Outcome::Unclear { why } => Outcome::NotSent { why },
                        outcome => outcome,
                    };
                    return Err((outcome, everybody));
                }
                (_, Err(error)) => return Err(unread(error)),
            }
            turn = self.sekoia.admit(Rank::Background).await.map_err(unread)?;
        }
        Ok(turn)
    }

    async fn stands(&self, replaced: &Replaced) -> Result<Pending, SekoiaError> {
        match self.sekoia.avatar(parsed(&replaced.community)?, parsed(&replaced.avatar)?).await {
            Ok(found) if *found.uuid != *replaced.avatar => {
                Err(SekoiaError::Malformed { what: "another member than the one that was asked for".into() })
            }
            Ok(found) if found.is_pending() => Ok(Pending::There),
            Ok(_) => Ok(Pending::Taken),
            Err(SekoiaError::NotFound { .. }) => Ok(Pending::Gone),
            Err(error) => Err(error),
        }
    }
}

/// Where an invitation stands that is to be replaced.
enum Pending {
    There,
    Taken,
    Gone,
}

/// Addresses as they are typed, or as the chat makes links of them.
fn addresses(typed: &str) -> Vec<&str> {
    let words = typed.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';')).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let word = word.trim_matches(['<', '>']);
            let word = word.split('|').next().unwrap_or(word);
            word.strip_prefix("mailto:").unwrap_or(word)
        })
        .collect()
}

/// Whether a request invited somebody who is not in yet.
pub(super) fn waits_for_guests(approval: &Approval) -> bool {
    let waits = |guest: &Guest| matches!(guest, Guest::Pending | Guest::Lapsed);
    approval.guests.iter().zip(&approval.items).any(|(guest, item)| waits(guest) && item.is_done())
}

/// The words of a button that sends them again.
pub(in crate::bot) fn words(id: &ApprovalId) -> String {
    format!("resend {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_however_the_chat_sends_it() {
        let typed = "<mailto:ana@x.example|ana@x.example>, bo@x.example;<cy@x.example> mailto:di@x.example";
        assert_eq!(addresses(typed), ["ana@x.example", "bo@x.example", "cy@x.example", "di@x.example"]);
    }
}
