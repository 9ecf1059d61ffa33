//! New communities under a workspace.

use super::names::{description, name};
use super::{Action, Named, NewCommunity, Prepared, Problem, problem};
use crate::chat::text::{self, count, shown};
use crate::domain::checklist::Mode;
use crate::domain::checklist::steps::communities::mode;
use crate::sekoia::Community;

/// Communities of one request.
const MOST: usize = 20;
/// Characters of a name; Sekoia's own bound is not documented.
const NAME: usize = 100;
const ABOUT: (usize, usize) = (1, 1_000);

/// # Errors
/// What is wrong with the request, by field.
pub fn communities(
    names: &[String],
    about: Option<&str>,
    root: &Community,
    children: &[Community],
) -> Result<Prepared, Problem> {
    if mode(root, children.len()) == Mode::SingleTenant {
        return Err(problem(
            "names",
            "This workspace is single-tenant and cannot hold communities. Your Sekoia contact can switch the mode.",
        ));
    }
    let mut made: Vec<NewCommunity> = Vec::new();
    for typed in names {
        let name = name("names", "community", typed, NAME)?;
        let same = |other: &str| text::same(other, &name);
        if let Some(taken) = children.iter().map(Community::name).chain([root.name()]).find(|other| same(other)) {
            return Err(problem("names", format!("There is already a community called \"{}\".", shown(taken, 60))));
        }
        if made.iter().any(|m| same(&m.name)) {
            return Err(problem("names", format!("\"{}\" is named twice.", shown(&name, 60))));
        }
        let about = match about.map(str::trim).filter(|a| !a.is_empty()) {
            Some(about) => description(about, ABOUT.0, ABOUT.1)?,
            None => format!("{name}, set up from chat").into(),
        };
        made.push(NewCommunity { name, description: about });
    }
    if made.is_empty() {
        return Err(problem("names", "Give at least one name."));
    }
    if made.len() > MOST {
        return Err(problem(
            "names",
            format!("These are {} communities; one request takes at most {MOST}.", made.len()),
        ));
    }
    let risks = vec![
        format!(
            "{} under {} that the API cannot delete again",
            count(made.len(), "community", "communities"),
            shown(root.name(), 60)
        )
        .into(),
    ];
    let parent = Named::new(root.uuid.to_string(), root.name());
    Ok(Prepared {
        action: Action::CreateCommunities { parent, communities: made },
        risks,
        sensitive: false,
        notes: vec![],
        account: vec![],
    })
}
