//! What a role is most like: its difference to that is read sooner than all of its permissions.

use serde::{Deserialize, Serialize};

use super::Named;
use crate::chat::text::shown;
use crate::sekoia::Role;

/// Titles of one difference that are listed.
const LISTED: usize = 25;

/// The existing role that a role is nearest to, and how it differs from it. Stored with the action:
/// fields are added with a default, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    pub role: Named,
    /// Titles of the permissions that it has beyond that role's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Box<str>>,
    /// Titles of those that it lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<Box<str>>,
}

impl Base {
    /// Of the roles, the one with the fewest differences; of several, one that is contained whole.
    /// None if no difference is shorter than the permissions themselves.
    pub fn nearest<'a>(permissions: &[Named], roles: impl IntoIterator<Item = &'a Role>) -> Option<Self> {
        let to = |role: &Role| {
            let held = |uuid: &str| role.permissions.iter().any(|p| p.uuid.as_deref() == Some(uuid));
            let has = |uuid: Option<&str>| permissions.iter().any(|p| uuid == Some(&*p.uuid));
            Self {
                role: Named::new(role.uuid.as_str(), role.name()),
                more: permissions.iter().filter(|p| !held(&p.uuid)).map(|p| p.name.clone()).collect(),
                without: role
                    .permissions
                    .iter()
                    .filter(|p| !has(p.uuid.as_deref()))
                    .map(|p| p.title().into())
                    .collect(),
            }
        };
        let near = roles.into_iter().map(to).min_by_key(|base| (base.differences(), base.without.len()))?;
        // One permission is no shorter said as "nothing of Guest, and that one".
        let shorter = near.differences() < permissions.len() || near.is_equal();
        (shorter && !permissions.is_empty()).then_some(near)
    }

    fn differences(&self) -> usize {
        self.more.len() + self.without.len()
    }

    /// Whether both have exactly the same permissions.
    pub fn is_equal(&self) -> bool {
        self.differences() == 0
    }

    /// `Analyst and 1 more: View members; without 2: Manage alerts, Manage cases`, escaped by none.
    pub fn line(&self) -> String {
        let name = shown(&self.role.name, 60);
        if self.is_equal() {
            return format!("exactly the permissions of {name}");
        }
        let mut line = name;
        if !self.more.is_empty() {
            line.push_str(&format!(" and {} more: {}", self.more.len(), listed(&self.more)));
        }
        if !self.without.is_empty() {
            let and = if self.more.is_empty() { "" } else { ";" };
            line.push_str(&format!("{and} without {}: {}", self.without.len(), listed(&self.without)));
        }
        line
    }
}

fn listed(titles: &[Box<str>]) -> String {
    let some: Vec<String> = titles.iter().take(LISTED).map(|t| shown(t, 60)).collect();
    let left = titles.len().saturating_sub(LISTED);
    if left > 0 { format!("{} and {left} others", some.join(", ")) } else { some.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, permissions: &[&str]) -> Role {
        let held: Vec<_> = permissions.iter().map(|p| serde_json::json!({ "uuid": p, "title": p })).collect();
        serde_json::from_value(serde_json::json!({ "uuid": name, "name": name, "permissions": held })).unwrap()
    }

    fn line(permissions: &[&str], roles: &[Role]) -> Option<String> {
        let permissions: Vec<Named> = permissions.iter().map(|p| Named::new(*p, *p)).collect();
        Base::nearest(&permissions, roles).map(|base| base.line())
    }

    #[test]
    fn the_nearest_role_is_the_one_with_the_fewest_differences() {
        let roles = [role("Guest", &["a", "b"]), role("Analyst", &["a", "b", "c", "d", "e"]), role("Empty", &[])];
        let line = |permissions: &[&str]| line(permissions, &roles);
        assert_eq!(line(&["e", "d", "c", "b", "a"]).unwrap(), "exactly the permissions of Analyst");
        assert_eq!(line(&["a", "b", "c", "d", "e", "f"]).unwrap(), "Analyst and 1 more: f");
        assert_eq!(line(&["a", "b", "c", "d"]).unwrap(), "Analyst without 1: e");
        assert_eq!(line(&["a", "c", "d", "e", "f"]).unwrap(), "Analyst and 1 more: f; without 1: b");
        // Of two as near, the one that is contained.
        assert_eq!(line(&["a", "b", "f", "g"]).unwrap(), "Guest and 2 more: f, g");
        // Nothing is shorter than the permissions themselves.
        for own in [&["x"][..], &["a"], &[], &["x", "y", "z"]] {
            assert_eq!(line(own), None, "{own:?}");
        }
        assert_eq!(super::tests::line(&["a"], &[]), None);
    }

    #[test]
    fn a_long_difference_is_cut() {
        let many: Vec<String> = (0..60).map(|n| format!("p{n:02}")).collect();
        let mut wanted: Vec<&str> = many.iter().map(String::as_str).collect();
        let base = role("Base", &wanted[..31]);
        let said = line(&wanted, std::slice::from_ref(&base)).unwrap();
        assert!(said.starts_with("Base and 29 more: p31, ") && said.ends_with("p55 and 4 others"), "{said}");
        wanted.truncate(2);
        assert_eq!(line(&wanted, &[base]), None);
    }
}
