//! New communities under a workspace.

use super::names::{Bounds, description, name};
use super::{Action, Named, NewCommunity, Prepared, Problem, problem};
use crate::chat::text::{self, count, shown};
use crate::domain::checklist::Mode;
use crate::domain::checklist::steps::communities::mode;
use crate::sekoia::Community;

/// Communities of one request.
const MOST: usize = 20;
/// Sekoia's own bounds are not documented.
pub const COMMUNITY_BOUNDS: Bounds = Bounds { name: 100, about: (1, 1_000) };

/// # Errors
/// What is wrong with the request, by field.
pub fn communities(
    names: &[String],
    about: Option<&str>,
    root: &Community,
    children: &[Community],
) -> Result<Prepared, Problem> {
    let wanted = names.iter().map(|name| (name.as_str(), about));
    let (parent, communities) = new_communities(wanted, root, children)?;
    if communities.len() > MOST {
        return Err(problem(
            "names",
            format!("These are {} communities; one request takes at most {MOST}.", communities.len()),
        ));
    }
    let risks = vec![risk(communities.len(), &parent)];
    let action = Action::CreateCommunities { parent, communities };
    Ok(Prepared { action, risks, sensitive: false, notes: vec![], account: vec![] })
}

/// Communities with their descriptions, checked, and what they are to be under.
pub(super) fn new_communities<'a>(
    wanted: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    root: &Community,
    children: &[Community],
) -> Result<(Named, Vec<NewCommunity>), Problem> {
    if mode(root, children.len()) == Mode::SingleTenant {
        return Err(problem(
            "names",
            "This workspace is single-tenant and cannot hold communities. Your Sekoia contact can switch the mode.",
        ));
    }
    let mut made: Vec<NewCommunity> = Vec::new();
    for (typed, about) in wanted {
        let name = name("names", "community", typed, COMMUNITY_BOUNDS.name)?;
        let same = |other: &str| text::same(other, &name);
        if let Some(taken) = children.iter().map(Community::name).chain([root.name()]).find(|other| same(other)) {
            return Err(problem("names", format!("There is already a community called \"{}\".", shown(taken, 60))));
        }
        if made.iter().any(|m| same(&m.name)) {
            return Err(problem("names", format!("\"{}\" is named twice.", shown(&name, 60))));
        }
        let about = match about.map(str::trim).filter(|a| !a.is_empty()) {
            Some(about) => description(about, COMMUNITY_BOUNDS.about)?,
            None => format!("{name}, set up from chat").into(),
        };
        made.push(NewCommunity { name, description: about });
    }
    if made.is_empty() {
        return Err(problem("names", "Give at least one name."));
    }
    Ok((Named::new(root.uuid.to_string(), root.name()), made))
}

pub(super) fn risk(communities: usize, parent: &Named) -> Box<str> {
    format!(
        "{} under {} that the API cannot delete again",
        count(communities, "community", "communities"),
        shown(&parent.name, 60)
    )
    .into()
}
