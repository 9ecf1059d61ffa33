//! Invitations that were not taken, sent again. Sekoia's API has no call for that: the pending one
//! is withdrawn, and its person invited anew, with the roles that it had.

use serde::{Deserialize, Serialize};

use super::people::normal;
use super::{Action, Grant, Named, Prepared, Problem, problem};
use crate::chat::text::{count, shown};
use crate::chat::view::Line;
use crate::sekoia::{Avatar, Call, Verb};

/// A pending invitation that is withdrawn before its person is invited anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The address that was invited.
    pub person: Box<str>,
    pub community: Box<str>,
    /// Its membership that nobody has taken.
    pub avatar: Box<str>,
}

/// Whose invitations are sent again.
pub enum Whose<'a> {
    /// Of these addresses, with the roles that they were invited with.
    Addresses(Vec<&'a str>),
    /// Of those whom a request invited and who are not in, as it did.
    Request { people: Vec<(&'a str, &'a [Grant])> },
}

/// What is known of the communities that people were invited to, the channel's own first.
pub struct ResendFacts<'a> {
    pub communities: Vec<(Named, &'a [Avatar])>,
}

/// # Errors
/// What is wrong with the request.
pub fn resend(whose: &Whose<'_>, facts: &ResendFacts<'_>) -> Result<Prepared, Problem> {
    let asked: Vec<(&str, &[Grant])> = match whose {
        Whose::Addresses(people) => people.iter().map(|person| (*person, &[][..])).collect(),
        Whose::Request { people } => people.clone(),
    };
    let mut people: Vec<(Box<str>, Vec<Grant>)> = Vec::new();
    let (mut replaces, mut notes) = (Vec::new(), Vec::new());
    for (address, given) in asked {
        let person: Box<str> = normal(address).into();
        if people.iter().any(|(known, _)| *known == person) {
            continue;
        }
        let is = |a: &&Avatar| a.email().is_some_and(|e| normal(e) == *person);
        // Of a request, the communities that it gave them.
        let meant = |c: &Named| given.is_empty() || given.iter().any(|grant| grant.community.uuid == c.uuid);
        let here = facts.communities.iter().filter(|(c, _)| meant(c));
        let known: Vec<(&Named, &Avatar)> = here.filter_map(|(c, all)| Some((c, all.iter().find(is)?))).collect();
        let pending: Vec<&(&Named, &Avatar)> = known.iter().filter(|(_, avatar)| avatar.is_pending()).collect();
        if pending.is_empty() {
            let what = if known.is_empty() { "has no pending invitation here" } else { "is in already" };
            let text = format!("{} {what}", shown(&person, 80));
            match whose {
                Whose::Addresses(_) => {
                    let line = Line::new().say(format!("{text}. ")).code("/sekoia users").say(" shows who is.");
                    return Err(problem("addresses", line));
                }
                Whose::Request { .. } => notes.push(format!("{text}, left out.").into()),
            }
            continue;
        }
        let grants = match whose {
            Whose::Addresses(_) => roles_of(&pending, &person)?,
            Whose::Request { .. } => given.to_vec(),
        };
        if let (Whose::Addresses(_), Some((first, had))) = (whose, people.first())
            && *had != grants
        {
            let text = format!(
                "{} was invited with another role than {}. Send these again in requests of their own.",
                shown(&person, 80),
                shown(first, 80)
            );
            return Err(problem("addresses", text));
        }
        replaces.extend(pending.iter().map(|(community, avatar)| Replaced {
            person: person.clone(),
            community: community.uuid.clone(),
            avatar: avatar.uuid.as_str().into(),
        }));
        people.push((person, grants));
    }
    if people.is_empty() {
        return Err(problem("addresses", "All of them are in: there is no invitation to send again."));
    }
    let what = count(people.len(), "pending invitation is", "pending invitations are");
    let risks = vec![format!("{what} withdrawn first, so the links in the earlier mails stop working").into()];
    let is_admin = |grant: &Grant| grant.role.name.eq_ignore_ascii_case("admin");
    let admin = people.iter().flat_map(|(_, grants)| grants).any(is_admin);
    let action = Action::invite(people, replaces);
    Ok(Prepared { action, risks, sensitive: admin, notes, account: vec![] })
}

/// The roles of a pending invitation.
fn roles_of(pending: &[&(&Named, &Avatar)], person: &str) -> Result<Vec<Grant>, Problem> {
    let mut grants = Vec::new();
    for (community, avatar) in pending {
        let role = avatar.roles.iter().find_map(|role| Some(Named::new(role.uuid.as_deref()?, role.name.as_deref()?)));
        let role = role.ok_or_else(|| {
            let text = format!("Sekoia does not show with which role {} was invited.", shown(person, 80));
            problem("addresses", text)
        })?;
        grants.push(Grant { community: (*community).clone(), role });
    }
    Ok(grants)
}

impl Replaced {
    /// The withdrawal of the pending invitation.
    pub fn call(&self) -> Call {
        Call {
            name: "/v1/communities/{c}/avatars/{a}",
            method: Verb::Delete,
            path: format!("/v1/communities/{}/avatars/{}", self.community, self.avatar),
            body: None,
            needs: "COMMUNITY_REMOVE_MEMBER",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn avatar(email: &str, confirmed: bool, role: &str) -> Avatar {
        let roles = json!([{ "uuid": role, "name": role }]);
        let avatar = json!({ "uuid": format!("of {email}"), "roles": roles, "user": { "email": email, "confirmed": confirmed } });
        serde_json::from_value(avatar).unwrap()
    }

    #[test]
    fn what_is_pending_is_replaced_with_the_role_that_it_had() {
        let all = [
            avatar("ana@x.example", false, "Guest"),
            avatar("bo@x.example", true, "Guest"),
            avatar("cy@x.example", false, "Admin"),
        ];
        let facts = ResendFacts { communities: vec![(Named::new("c", "Nimbus"), &all)] };
        let sent = resend(&Whose::Addresses(vec!["ANA@x.example", "ana@x.example"]), &facts).unwrap();
        let Action::Invite { people, grants, replaces, .. } = &sent.action else { panic!("an invitation") };
        assert_eq!((people.len(), &*grants[0].role.name, &*replaces[0].avatar), (1, "Guest", "of ana@x.example"));
        assert!(!sent.sensitive);
        assert!(resend(&Whose::Addresses(vec!["cy@x.example"]), &facts).unwrap().sensitive);
        let why = |addresses: Vec<&str>| resend(&Whose::Addresses(addresses), &facts).unwrap_err().text.plain();
        assert!(why(vec!["bo@x.example"]).contains("is in already"));
        assert!(why(vec!["di@x.example"]).contains("no pending invitation"));
        assert!(why(vec!["ana@x.example", "cy@x.example"]).contains("requests of their own"));
        // Of a request, who came meanwhile is left out.
        let people = vec![("ana@x.example", grants.as_slice()), ("bo@x.example", grants)];
        let again = resend(&Whose::Request { people }, &facts).unwrap();
        assert_eq!((again.action.items(), again.notes.len()), (1, 1));
        // Everybody keeps what they were given.
        let mut admin = grants.clone();
        admin[0].role = Named::new("Admin", "Admin");
        let people = vec![("ana@x.example", grants.as_slice()), ("cy@x.example", &admin)];
        let again = resend(&Whose::Request { people }, &facts).unwrap();
        let role = |item: usize| again.action.grants(item)[0].role.name.to_string();
        assert_eq!((role(0), role(1), again.sensitive), ("Guest".into(), "Admin".into(), true));
    }
}
