//! Step 3: single-tenant workspaces cannot hold communities.

use super::{Finding, names};
use crate::chat::text::{count, shown};
use crate::domain::checklist::Mode;
use crate::domain::checklist::facts::{Fact, Print};
use crate::sekoia::Community;

/// Whether a workspace holds several communities: `is_parent`, or children where it is missing.
pub fn mode(root: &Community, children: usize) -> Mode {
    if root.is_parent.unwrap_or(children > 0) { Mode::MultiTenant } else { Mode::SingleTenant }
}

/// `planned`: a plan says which are needed, so that none may be enough.
pub fn check(root: &Community, children: &[Community], planned: bool) -> Finding {
    if mode(root, children.len()) == Mode::SingleTenant {
        return Finding::NotApplicable {
            why: "the workspace is single-tenant: it has one community and cannot hold more".into(),
        };
    }
    if children.is_empty() && !planned {
        return Finding::wanting(
            format!("{} is multi-tenant and holds no community yet", shown(root.name(), 80)),
            "one community for each client or unit".into(),
        );
    }
    let listed = names(children.iter().map(Community::name));
    let of = if children.is_empty() { "" } else { ": " };
    let summary =
        format!("{} under {}{of}{listed}", count(children.len(), "community", "communities"), shown(root.name(), 80));
    let open: Vec<&str> = children.iter().filter(|c| c.is_mfa_enforced == Some(false)).map(Community::name).collect();
    let exceptions =
        if open.is_empty() { vec![] } else { vec![format!("MFA is not enforced in {}", names(open.into_iter()))] };
    let facts = children.iter().map(|c| Fact::Community {
        id: Print::of(&c.uuid.to_string()),
        name: c.name().into(),
        no_mfa: c.is_mfa_enforced == Some(false),
    });
    Finding::confirmed(summary, exceptions, facts.collect())
}
