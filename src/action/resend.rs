//! Invitations that were not taken, sent again. Sekoia's API has no call for that: the pending one
//! is withdrawn, and its person invited anew, with the roles that it had.

use serde::{Deserialize, Serialize};

use super::{Action, Grant, Named, Prepared, Problem, problem};
use crate::sekoia::{Avatar, Call, Verb};
use crate::text::{count, shown};
use crate::view::Line;

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
    Request { people: Vec<&'a str>, grants: &'a [Grant] },
}

/// What is known of the communities that people were invited to, the channel's own first.
pub struct ResendFacts<'a> {
    pub communities: Vec<(Named, &'a [Avatar])>,
}

/// # Errors
/// What is wrong with the request.
pub fn resend(whose: &Whose<'_>, facts: &ResendFacts<'_>) -> Result<Prepared, Problem> {
    let asked = match whose {
        Whose::Addresses(people) | Whose::Request { people, .. } => people,
    };
    let mut people: Vec<Box<str>> = Vec::new();
    let (mut replaces, mut notes, mut grants) = (Vec::new(), Vec::new(), Vec::new());
    for address in asked {
        let person: Box<str> = address.trim().to_lowercase().into();
        if people.contains(&person) {
            continue;
        }
        let is = |a: &&Avatar| a.email().is_some_and(|e| e.eq_ignore_ascii_case(&person));
        let known: Vec<(&Named, &Avatar)> =
            facts.communities.iter().filter_map(|(c, all)| Some((c, all.iter().find(is)?))).collect();
        let pending: Vec<&(&Named, &Avatar)> = known.iter().filter(|(_, avatar)| avatar.is_pending()).collect();
        if pending.is_empty() {
            let what = if known.is_empty() { "has no pending invitation here" } else { "is in already" };
            let text = format!("{} {what}", shown(&person, 80));
            match whose {
                Whose::Addresses(_) => {
                    let line = Line::new().say(format!("{text}. ")).code("users").say(" shows who is.");
                    return Err(problem("addresses", line));
                }
                Whose::Request { .. } => notes.push(format!("{text}, left out.").into()),
            }
            continue;
        }
        if let Whose::Addresses(_) = whose {
            let had = roles_of(&pending, &person)?;
            if !grants.is_empty() && grants != had {
                let text = format!(
                    "{} was invited with another role than {}. Send these again in requests of their own.",
                    shown(&person, 80),
                    shown(people.first().map_or("", |first| first), 80)
                );
                return Err(problem("addresses", text));
            }
            grants = had;
        }
        replaces.extend(pending.iter().map(|(community, avatar)| Replaced {
            person: person.clone(),
            community: community.uuid.clone(),
            avatar: avatar.uuid.as_str().into(),
        }));
        people.push(person);
    }
    if people.is_empty() {
        return Err(problem("addresses", "All of them are in: there is no invitation to send again."));
    }
    if let Whose::Request { grants: given, .. } = whose {
        grants = given.to_vec();
    }
    let what = count(people.len(), "pending invitation is", "pending invitations are");
    let risks = vec![format!("{what} withdrawn first, so the links in the earlier mails stop working").into()];
    let admin = grants.iter().any(|grant| grant.role.name.eq_ignore_ascii_case("admin"));
    Ok(Prepared { action: Action::Invite { people, grants, replaces }, risks, sensitive: admin, notes })
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
        let Action::Invite { people, grants, replaces } = &sent.action else { panic!("an invitation") };
        assert_eq!((people.len(), &*grants[0].role.name, &*replaces[0].avatar), (1, "Guest", "of ana@x.example"));
        assert!(!sent.sensitive);
        assert!(resend(&Whose::Addresses(vec!["cy@x.example"]), &facts).unwrap().sensitive);
        let why = |addresses: Vec<&str>| resend(&Whose::Addresses(addresses), &facts).unwrap_err().text.plain();
        assert!(why(vec!["bo@x.example"]).contains("is in already"));
        assert!(why(vec!["di@x.example"]).contains("no pending invitation"));
        assert!(why(vec!["ana@x.example", "cy@x.example"]).contains("requests of their own"));
        // Of a request, who came meanwhile is left out.
        let people = vec!["ana@x.example", "bo@x.example"];
        let sent = resend(&Whose::Request { people, grants }, &facts).unwrap();
        assert_eq!((sent.action.items(), sent.notes.len()), (1, 1));
    }
}
