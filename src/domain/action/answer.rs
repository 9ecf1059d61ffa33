//! What Sekoia has to answer before it is believed that a call was carried out.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Action, Named};

/// Of whatever Sekoia answers about a thing, what tells which thing it is.
#[derive(Debug, Deserialize)]
struct Thing {
    uuid: Uuid,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    community_uuid: Option<String>,
    #[serde(default)]
    parent_community_uuid: Option<String>,
    #[serde(default)]
    permissions: Option<Vec<Value>>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    revoked: Option<bool>,
}

impl Thing {
    fn is(&self, uuid: &str) -> bool {
        self.uuid.to_string().eq_ignore_ascii_case(uuid)
    }

    fn is_called(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    fn is_revoked(&self) -> bool {
        self.revoked == Some(true) || self.status.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("revoked"))
    }

    /// Whether it may exactly this, where the answer says what it may.
    fn may(&self, wanted: &[Named]) -> bool {
        let Some(held) = &self.permissions else { return true };
        let held: Vec<&str> = held.iter().filter_map(|p| p.as_str().or_else(|| p["uuid"].as_str())).collect();
        held.len() == wanted.len() && wanted.iter().all(|w| held.contains(&&*w.uuid))
    }
}

/// Whether a field that may be missing says this.
fn says(field: Option<&str>, wanted: &str) -> bool {
    field.is_none_or(|value| value.eq_ignore_ascii_case(wanted))
}

impl Action {
    /// What an answer of success to a call proves: the identifier of what was made or revoked,
    /// where Sekoia documents that it answers with one.
    ///
    /// # Errors
    /// What is odd about the answer, for people: it proves nothing. Documented are 204 without a
    /// body for an invitation, the thing itself for everything else.
    pub fn proven_by(&self, item: usize, status: u16, body: &str) -> Result<Option<Box<str>>, String> {
        let odd = || format!("Sekoia answered {status}, but not that it was done");
        if matches!(self, Action::Invite { .. }) {
            return if status == 204 && body.is_empty() { Ok(None) } else { Err(odd()) };
        }
        // 200 and 201 differ between Sekoia's own endpoints for the same thing.
        let thing = Some(body).filter(|_| matches!(status, 200 | 201));
        let thing: Thing = thing.and_then(|body| serde_json::from_str(body).ok()).ok_or_else(odd)?;
        let matches = match self {
            Action::Invite { .. } | Action::Bundle { .. } => false,
            Action::CreateCommunities { parent, .. } => {
                thing.is_called(self.target(item)) && says(thing.parent_community_uuid.as_deref(), &parent.uuid)
            }
            Action::CreateRole { community, name, permissions, .. } => {
                thing.is_called(name)
                    && says(thing.community_uuid.as_deref(), &community.uuid)
                    && thing.may(permissions)
            }
            Action::CreateKey { replaces: Some(old), .. } if item == 1 => thing.is(&old.uuid) && thing.is_revoked(),
            Action::CreateKey { name, permissions, .. } => {
                thing.is_called(name) && thing.may(permissions) && !thing.is_revoked()
            }
            Action::RevokeKey { key, .. } => thing.is(&key.uuid) && thing.is_revoked(),
        };
        if matches { Ok(Some(thing.uuid.to_string().into())) } else { Err(odd()) }
    }
}

/// Whether an answer of success says that this key is revoked, whatever it was revoked for.
pub fn says_revoked(key: &str, status: u16, body: &str) -> bool {
    let thing: Option<Thing> = serde_json::from_str(body).ok();
    matches!(status, 200 | 201) && thing.is_some_and(|thing| thing.is(key) && thing.is_revoked())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::action::{Grant, NewCommunity};

    const MADE: &str = "5d5dd0b6-7a3c-4f57-8a3e-0d4d0c6c5f01";
    const KEY: &str = "5d5dd0b6-7a3c-4f57-8a3e-0d4d0c6c5f02";
    const HERE: &str = "5d5dd0b6-7a3c-4f57-8a3e-0d4d0c6c5f03";
    const ELSEWHERE: &str = "5d5dd0b6-7a3c-4f57-8a3e-0d4d0c6c5f04";
    const READ: &str = "5d5dd0b6-7a3c-4f57-8a3e-0d4d0c6c5f05";

    /// The six kinds of writes, the second call of a rotation beside them, and a good answer to each.
    fn writes() -> Vec<(Action, usize, u16, String)> {
        let here = || Named::new(HERE, "Nimbus");
        let old = || Named::new(KEY, "forwarder");
        let key = |replaces| Action::CreateKey {
            community: here(),
            name: "siem".into(),
            description: "Reads alerts".into(),
            permissions: vec![Named::new(READ, "View alerts")],
            expires: None,
            replaces,
        };
        let grants = vec![Grant { community: here(), role: Named::new("r", "Analyst") }];
        let communities = vec![NewCommunity { name: "Cards".into(), description: "Cards".into() }];
        let role = Action::CreateRole {
            community: here(),
            name: "Night".into(),
            description: None,
            permissions: vec![Named::new(READ, "View alerts")],
            base: None,
        };
        let may = json!([{ "uuid": READ, "name": "SIC_READ_ALERTS" }]);
        let made_key = json!({
            "uuid": MADE, "name": "siem", "permissions": may, "status": "active", "revoked": false, "key": "k",
        });
        let revoked = json!({ "uuid": KEY, "name": "forwarder", "status": "revoked", "revoked": true }).to_string();
        vec![
            (
                Action::Invite { people: vec!["ana@x.example".into()], grants, replaces: vec![], groups: vec![] },
                0,
                204,
                String::new(),
            ),
            (
                Action::CreateCommunities { parent: here(), communities },
                0,
                200,
                json!({ "uuid": MADE, "name": "Cards", "parent_community_uuid": HERE }).to_string(),
            ),
            (
                role,
                0,
                201,
                json!({ "uuid": MADE, "name": "Night", "community_uuid": HERE, "permissions": may }).to_string(),
            ),
            (key(None), 0, 200, made_key.to_string()),
            (key(Some(old())), 0, 200, made_key.to_string()),
            (key(Some(old())), 1, 200, revoked.clone()),
            (Action::RevokeKey { community: here(), key: old() }, 0, 200, revoked),
        ]
    }

    #[test]
    fn a_documented_answer_is_believed() {
        for (action, item, status, body) in writes() {
            let proven = action.proven_by(item, status, &body);
            let uuid = [MADE, KEY].into_iter().find(|uuid| body.contains(uuid)).map(Box::from);
            assert_eq!(proven, Ok(uuid), "{action:?}");
        }
    }

    #[test]
    fn no_write_takes_an_odd_answer_for_done() {
        let other = json!({
            "uuid": ELSEWHERE, "name": "other", "permissions": [{ "uuid": READ }], "revoked": true, "status": "revoked",
        });
        let odd = [
            (200, "<html><body>Please log in</body></html>".to_owned()),
            (200, r#"{"message":"queued"}"#.into()),
            (200, String::new()),
            (201, String::new()),
            (200, "null".into()),
            (200, "[]".into()),
            (200, r#"{"uuid":7}"#.into()),
            (200, other.to_string()),
            (202, "{}".into()),
        ];
        for (action, item, _, body) in writes() {
            let mut table = odd.to_vec();
            table.push((202, body.clone()));
            if !body.is_empty() {
                table.push((204, String::new()));
                table.extend((0..body.len()).map(|at| (200, body[..at].to_owned())));
            }
            for (status, body) in table {
                let proven = action.proven_by(item, status, &body);
                assert!(proven.is_err(), "{status} {body} is believed of {action:?}, item {item}");
            }
        }
    }

    #[test]
    fn an_answer_about_something_else_is_not_about_this() {
        // Whose it is, what it may, where it stands: each by itself tells that it is another.
        let changes = [
            ("name", json!("Siem")),
            ("name", json!(null)),
            ("permissions", json!([])),
            ("permissions", json!([{ "uuid": READ }, { "uuid": ELSEWHERE }])),
            ("community_uuid", json!(ELSEWHERE)),
            ("parent_community_uuid", json!(ELSEWHERE)),
            ("revoked", json!(true)),
            ("status", json!("revoked")),
        ];
        // (call, the changes that make its answer another's)
        let doubted: [(usize, &[usize]); 5] =
            [(1, &[0, 1, 5]), (2, &[0, 1, 2, 3, 4]), (3, &[0, 1, 2, 3, 6, 7]), (4, &[0, 1, 2, 3, 6, 7]), (6, &[])];
        let all = writes();
        for (call, wrong) in doubted {
            let (action, item, status, body) = &all[call];
            for change in wrong {
                let (field, value) = &changes[*change];
                let mut answer: Value = serde_json::from_str(body).unwrap();
                answer[*field] = value.clone();
                let proven = action.proven_by(*item, *status, &answer.to_string());
                assert!(proven.is_err(), "{field} = {value} is believed of {action:?}");
            }
        }
        // A key that is there and works is not revoked.
        for (field, value) in [("uuid", json!(ELSEWHERE)), ("revoked", json!(false))] {
            let mut answer = json!({ "uuid": KEY, "revoked": true });
            answer[field] = value;
            assert!(all[6].0.proven_by(0, 200, &answer.to_string()).is_err());
            assert!(!says_revoked(KEY, 200, &answer.to_string()));
        }
        assert!(says_revoked(KEY, 200, &all[6].3));
        assert!(!says_revoked(KEY, 202, &all[6].3));
    }
}
