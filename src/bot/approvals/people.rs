//! Lists of people on their way to an invitation: files fetched, names looked up, the account said.

use super::read_back;
use crate::bot::Bot;
use crate::bot::failure::{Failure, instead};
use crate::chat::text::shown;
use crate::chat::view::Line;
use crate::chat::{ChannelKey, ChatError, ChatPlatform, UserId};
use crate::domain::action::people::{self, People};
use crate::domain::action::{self, Gaps, InviteFacts, Named, Prepared, Problem, communities_of, one_of};
use crate::domain::approval::ApprovalId;
use crate::sekoia::{Avatar, Role};

impl Bot {
    /// The text of a file that the requester attached to a message in the channel.
    pub(in crate::bot) async fn attached(
        &self,
        chat: &dyn ChatPlatform,
        channel: &ChannelKey,
        actor: &UserId,
        name: &str,
    ) -> Result<String, Failure> {
        if chat.forms_take_files() {
            let form = "Type `/sekoia invite` without a file: the form that opens takes it. Nothing was asked.";
            return Err(instead(Line::marked(form)));
        }
        match chat.attached(channel, actor, name).await {
            Ok(Some(bytes)) => people::decode(&bytes).map_err(|why| {
                Failure::Wrong(Problem { field: "addresses", text: format!("{}: {why}", shown(name, 80)).into() })
            }),
            Ok(None) => Err(instead(format!(
                "I found no file {} among your latest messages here. Attach it to a message in this channel, then type the same again.",
                shown(name, 80)
            ))),
            Err(ChatError::Refused(why)) => {
                Err(instead(format!("I could not read {} ({why}). Nothing was asked.", shown(name, 80))))
            }
            Err(error) => Err(instead(Line::marked(&format!(
                "I could not read {} ({error}). Nothing was asked. {}",
                shown(name, 80).replace('`', "'"),
                error.advice(&chat.wording().await)
            )))),
        }
    }

    /// Looks up the members and roles of every community that is meant.
    pub(super) async fn prepare_invitations(
        &self,
        own: &Named,
        people: &People,
        role: Option<&str>,
        communities: &[String],
        gaps: Gaps,
    ) -> Result<Result<Prepared, Problem>, Failure> {
        let usual = self.communities_meant(own, communities).await?;
        let names_some = people.rows.iter().flat_map(|row| &row.found).any(|entry| !entry.communities.is_empty());
        let workspace = if names_some { self.all_communities().await? } else { Vec::new() };
        let mut meant = usual.clone();
        for community in communities_of(people, &workspace)? {
            if !meant.iter().any(|known| known.uuid == community.uuid) {
                meant.push(community);
            }
        }
        let mut read: Vec<(Named, Vec<Avatar>, Vec<Role>)> = Vec::new();
        for community in meant {
            let uuid = read_back::uuid(&community)?;
            read.push((community, self.sekoia.avatars(uuid).await?, self.sekoia.roles(uuid).await?));
        }
        let communities = read.iter().map(|(c, a, r)| (c.clone(), a.as_slice(), r.as_slice())).collect();
        Ok(action::invite(people, role, &InviteFacts { usual, communities, workspace }, gaps))
    }

    async fn all_communities(&self) -> Result<Vec<Named>, Failure> {
        let (root, children) = self.workspace().await?;
        Ok([&root].into_iter().chain(&children).map(|c| Named::new(c.uuid.to_string(), c.name())).collect())
    }

    /// The communities that an invitation names; without a name, the channel's own.
    async fn communities_meant(&self, own: &Named, names: &[String]) -> Result<Vec<Named>, Failure> {
        if names.is_empty() || names.iter().all(|n| **n == *own.uuid) {
            return Ok(vec![own.clone()]);
        }
        let all = self.all_communities().await?;
        let mut meant: Vec<Named> = Vec::new();
        for name in names {
            let found =
                one_of("communities", "community", name, &all, |c| &c.uuid, |c| &c.name).map_err(Failure::Wrong)?;
            if !meant.contains(found) {
                meant.push(found.clone());
            }
        }
        Ok(meant)
    }
}

/// A field that holds as much as it can was cut by the chat: the last address may be half of one.
pub(super) fn cut_off(addresses: &str, csv: &str, takes_files: bool) -> Result<(), Problem> {
    let full = |field, how: &str| Problem {
        field,
        text: format!("This field is full with 3,000 characters, so the end of your list may be missing. {how}").into(),
    };
    let attach = "Attach it to a message here as a file and type /sekoia invite from its-name.csv.";
    if people::is_full(addresses) {
        let how = if takes_files { "Use the file field below for long lists." } else { attach };
        return Err(full("addresses", how));
    }
    if !takes_files && people::is_full(csv) {
        return Err(full("csv", attach));
    }
    Ok(())
}

/// The account of a list in one sentence; none if there is nothing to say of it.
pub(super) fn account(account: &[Box<str>], id: Option<&ApprovalId>) -> Option<Line> {
    if account.is_empty() {
        return None;
    }
    let line = Line::new().say(shown(&said(account), 1_000));
    Some(match id {
        Some(id) if account.len() > 6 => line.say(" All: ").code(format!("/sekoia approvals {id}")),
        _ => line,
    })
}

pub(super) fn said(account: &[Box<str>]) -> String {
    account.split_first().map_or_else(String::new, |(summary, details)| people::sentence(summary, details))
}
