//! Invitations.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::access::available;
use super::body::{Fields, missing, uuids};
use crate::sandbox::Sandbox;
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::{ADD_MEMBER, MANAGE_SUB_COMMUNITIES};
use crate::sandbox::error::ApiError;
use crate::sandbox::world::{InvitationBody, World};

/// A community, and the roles that people get there.
type Place = (Uuid, Vec<Uuid>);

pub(in crate::sandbox) async fn invite(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    caller.may_write(ADD_MEMBER)?;
    caller.require(ADD_MEMBER)?;
    let fields = Fields::parse(&body)?;
    let mut world = sandbox.world();
    let emails = emails(&fields, world.invitations)?;
    let places = places(&fields, &caller, &world)?;
    for (community, _) in &places {
        // How Sekoia answers this is documented nowhere: 204 would be as likely.
        if let Some(email) = emails.iter().find(|email| world.is_member(*community, email)) {
            return Err(ApiError::bad_request(format!("{email} is already a member")));
        }
    }
    // Only now, so that a refused call has done nothing.
    let now = sandbox.now();
    for (community, roles) in places {
        for email in &emails {
            // An address that comes twice in one list is one person.
            if !world.is_member(community, email) {
                world.invite(community, email, roles.clone(), now);
            }
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The addresses, in the form that is taken at present.
fn emails(fields: &Fields, form: InvitationBody) -> Result<Vec<&str>, ApiError> {
    let by_list = match form {
        InvitationBody::Email => false,
        InvitationBody::Emails => true,
        InvitationBody::Both => fields.get("emails").is_some(),
    };
    let emails: Vec<&str> = if by_list {
        let list = fields.get("emails").and_then(Value::as_array).filter(|list| !list.is_empty());
        list.ok_or_else(|| missing("emails"))?.iter().map(|item| item.as_str().unwrap_or_default()).collect()
    } else {
        vec![fields.required_text("email")?]
    };
    match emails.iter().find(|email| !is_address(email)) {
        Some(wrong) => Err(ApiError::bad_request(format!("{wrong:?} is not an e-mail address"))),
        None => Ok(emails),
    }
}

fn is_address(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |part: &str| !part.is_empty() && !part.contains(|letter: char| letter.is_whitespace() || letter == '@');
    plain(name) && domain.contains('.') && domain.split('.').all(plain)
}

fn places(fields: &Fields, caller: &Caller, world: &World) -> Result<Vec<Place>, ApiError> {
    let places = fields.get("communities").and_then(Value::as_object).filter(|places| !places.is_empty());
    let mut found = vec![];
    for (community, roles) in places.ok_or_else(|| missing("communities"))? {
        let community = caller.community(world, community)?.uuid;
        // The documentation asks for this in sub-communities; all that a key sees beyond its own
        // community is below it.
        if community != caller.community {
            caller.require(MANAGE_SUB_COMMUNITIES)?;
        }
        found.push((community, roles_there(world, community, roles)?));
    }
    Ok(found)
}

/// The roles of one community in the body. That there must be at least one is not documented.
fn roles_there(world: &World, community: Uuid, wanted: &Value) -> Result<Vec<Uuid>, ApiError> {
    let unknown = || ApiError::bad_request("Unknown role");
    let wanted = uuids(wanted).filter(|wanted| !wanted.is_empty()).ok_or_else(unknown)?;
    let mut roles = vec![];
    for uuid in wanted {
        let role = world.roles.iter().find(|role| role.uuid == uuid && available(role, community));
        roles.push(role.ok_or_else(unknown)?);
    }
    // A custom role drops the built-in ones.
    if roles.iter().any(|role| role.community_uuid.is_some()) {
        roles.retain(|role| role.community_uuid.is_some());
    }
    Ok(roles.into_iter().map(|role| role.uuid).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sandbox::Options;
    use crate::sandbox::probe::Probe;

    const PATH: &str = "/v1/invitations";
    const LEA: &str = "lea.martin@partner.example";

    fn body(probe: &Probe, email: &str, community: &str, role: &str) -> Value {
        json!({ "email": email, "communities": communities(probe, community, role) })
    }

    fn communities(probe: &Probe, community: &str, role: &str) -> Value {
        json!({ (probe.community(community).to_string()): [probe.role(role)] })
    }

    #[tokio::test]
    async fn an_invited_person_is_pending_until_they_accept() {
        let probe = Probe::new(Options::default());
        let answer = probe.post(PATH, &body(&probe, LEA, "Banque Rivoli", "Analyst")).await;
        assert_eq!((answer.status, answer.body), (204, Value::Null));
        let newest = || probe.sandbox.edit(|world| world.members.last().unwrap().clone());
        let member = newest();
        assert_eq!(member.roles, [probe.role("Analyst")]);
        assert_eq!((member.user.confirmed, member.user.email.as_deref()), (false, None));
        assert_eq!(member.user.invited_email.as_deref(), Some(LEA));
        probe.sandbox.edit(|world| world.accept_invitation(LEA));
        let member = newest();
        assert_eq!((member.user.confirmed, member.user.email.as_deref()), (true, Some(LEA)));
        assert_eq!(member.user.mfa_enabled, Some(false));
    }

    #[tokio::test]
    async fn an_invitation_by_hand_is_in_the_way_of_another() {
        let probe = Probe::new(Options::default());
        let (root, guest) = (probe.community("Banque Rivoli"), probe.role("Guest"));
        probe.sandbox.edit(|world| world.add_pending(root, LEA, guest));
        let answer = probe.post(PATH, &body(&probe, LEA, "Banque Rivoli", "Guest")).await;
        assert_eq!(answer.refusal(), format!("400 {LEA} is already a member"));
    }

    #[tokio::test]
    async fn a_person_with_an_account_elsewhere_joins_at_once() {
        let probe = Probe::new(Options::default());
        let answer = probe.post(PATH, &body(&probe, "Ada.Nwosu@nimbus.example", "Banque Rivoli", "Guest")).await;
        assert_eq!(answer.status, 204);
        let adas = probe.sandbox.edit(|world| {
            let adas = world.members.iter().filter(|member| member.name.as_deref() == Some("Ada Nwosu"));
            adas.map(|member| (member.uuid, member.user.uuid, member.user.confirmed)).collect::<Vec<_>>()
        });
        assert_eq!(adas.len(), 2);
        assert_ne!(adas[0].0, adas[1].0);
        assert_eq!((adas[0].1, adas[0].2), (adas[1].1, adas[1].2));
    }

    #[tokio::test]
    async fn the_world_says_which_body_is_taken() {
        let probe = Probe::new(Options::default());
        let one = body(&probe, LEA, "Banque Rivoli", "Guest");
        let list = json!({
            "emails": ["a@partner.example", "b@partner.example", "a@partner.example"],
            "communities": communities(&probe, "Banque Rivoli", "Guest"),
        });
        assert_eq!(probe.post(PATH, &list).await.refusal(), "400 The field email is required");
        probe.sandbox.edit(|world| world.invitations = InvitationBody::Emails);
        assert_eq!(probe.post(PATH, &one).await.refusal(), "400 The field emails is required");
        probe.sandbox.edit(|world| world.invitations = InvitationBody::Both);
        let before = probe.sandbox.edit(|world| world.members.len());
        assert_eq!(probe.post(PATH, &one).await.status, 204);
        assert_eq!(probe.post(PATH, &list).await.status, 204);
        assert_eq!(probe.sandbox.edit(|world| world.members.len()), before + 3);
    }

    #[tokio::test]
    async fn a_refused_invitation_does_nothing() {
        let probe = Probe::new(Options::default());
        let before = probe.state();
        let mut both = body(&probe, "claire.dubreuil@banque-rivoli.example", "Rivoli Markets", "Guest");
        both["communities"][probe.community("Banque Rivoli").to_string()] = json!([probe.role("Guest")]);
        let nowhere = json!({ "email": LEA, "communities": { (Uuid::nil().to_string()): [probe.role("Guest")] } });
        for (body, refusal) in [
            (json!([]), "400 The body must be a JSON object"),
            (json!({ "email": LEA }), "400 The field communities is required"),
            (json!({ "email": LEA, "communities": {} }), "400 The field communities is required"),
            (
                body(&probe, "not an address", "Banque Rivoli", "Guest"),
                "400 \"not an address\" is not an e-mail address",
            ),
            (body(&probe, "lea@localhost", "Banque Rivoli", "Guest"), "400 \"lea@localhost\" is not an e-mail address"),
            (nowhere, "404 Unknown community"),
            (body(&probe, LEA, "Banque Rivoli", "Trading Desk Watch"), "400 Unknown role"),
            (
                body(&probe, "J.Weber@audit-partner.example", "Banque Rivoli", "Guest"),
                "400 J.Weber@audit-partner.example is already a member",
            ),
            (both, "400 claire.dubreuil@banque-rivoli.example is already a member"),
        ] {
            assert_eq!(probe.post(PATH, &body).await.refusal(), refusal, "{body}");
        }
        assert_eq!(probe.state(), before);
    }

    #[tokio::test]
    async fn sub_communities_need_a_permission_more() {
        let probe = Probe::new(Options::default());
        let body = |community: &str| body(&probe, LEA, community, "Guest");
        let answer = probe.with("reader").post(PATH, &body("Banque Rivoli")).await;
        assert_eq!(answer.refusal(), "403 The permission COMMUNITY_ADD_MEMBER is required");
        probe.forbid(MANAGE_SUB_COMMUNITIES);
        let answer = probe.post(PATH, &body("Rivoli Retail")).await;
        assert_eq!(answer.refusal(), "403 The permission COMMUNITY_MANAGE_SUB_COMMUNITIES is required");
        assert_eq!(probe.post(PATH, &body("Banque Rivoli")).await.status, 204);
    }
}
