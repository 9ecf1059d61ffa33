//! Which column of a table holds the addresses of the people to invite: by what its cells are,
//! then by its heading. Where two could be meant, it is asked.

use super::cell::Cell;
use super::heading::{Heading, Whose, heading, whose};
use super::quoted;

/// What the columns of a table are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub address: usize,
    pub role: Option<usize>,
    pub community: Option<usize>,
    /// What was decided, where there was something to decide.
    pub note: Option<String>,
}

struct Candidate {
    at: usize,
    rows: usize,
    whose: Whose,
}

/// Cells that hold something, and those that hold addresses, of one column.
fn counted(body: &[(usize, Vec<Cell>)], at: usize) -> (usize, usize) {
    let cells = || body.iter().filter_map(|(_, cells)| cells.get(at));
    (cells().filter(|c| !c.text.is_empty()).count(), cells().filter(|c| !c.addresses.is_empty()).count())
}

/// # Errors
/// No column or more than one could be meant: which, and what to do.
pub(super) fn choose(
    headings: Option<&[String]>,
    body: &[(usize, Vec<Cell>)],
    width: usize,
) -> Result<Columns, String> {
    let head = |at: usize| headings.and_then(|h| h.get(at)).map_or("", |h| h.as_str());
    let name = |at: usize| match head(at) {
        "" => format!("column {}", at + 1),
        heading => quoted(heading, 60),
    };
    let mut candidates: Vec<Candidate> = Vec::new();
    // Columns that are headed as one of addresses and hold none.
    let mut empty: Vec<(usize, Whose)> = Vec::new();
    for at in 0..width {
        let (filled, rows) = counted(body, at);
        let (is_mail, whose) = (heading(head(at)) == Heading::Mail, whose(head(at)));
        if matches!(heading(head(at)), Heading::Role | Heading::Community) {
            continue;
        }
        if rows > 0 && (is_mail || rows * 2 >= filled) {
            candidates.push(Candidate { at, rows, whose });
        } else if is_mail {
            empty.push((at, whose));
        }
    }
    let most = candidates.iter().map(|c| c.rows).max().unwrap_or_default();
    // Untold columns with an address here and there are remarks.
    candidates.retain(|c| c.whose != Whose::Untold || c.rows * 5 >= most);
    candidates.sort_by_key(|c| c.whose);
    let role = only(headings, Heading::Role, "role")?;
    let community = only(headings, Heading::Community, "community")?;
    let columns = |address, note| Columns { address, role, community, note };
    let Some(best) = candidates.first() else {
        return match empty.first() {
            Some((at, _)) => Ok(columns(*at, None)),
            None => Err("I found no column with e-mail addresses. Give it the heading \"E-mail\".".into()),
        };
    };
    if best.whose == Whose::SomebodyElse {
        return Err(format!(
            "The only addresses stand under {}, which seems to be somebody else's. Give the column of the people to invite the heading \"E-mail\".",
            name(best.at)
        ));
    }
    if best.whose == Whose::Private
        && let Some((at, _)) = empty.iter().find(|(_, whose)| *whose < Whose::Private)
    {
        return Err(format!(
            "{} holds no addresses, {} does. Rename the one that is meant \"Work e-mail\" and remove the other.",
            name(*at),
            name(best.at)
        ));
    }
    let equals: Vec<&Candidate> = candidates.iter().filter(|c| c.whose == best.whose).collect();
    let Some(chosen) = equals.iter().find(|c| equals.iter().all(|other| agree(body, c.at, other.at))) else {
        let names: Vec<String> = equals.iter().take(4).map(|c| name(c.at)).collect();
        return Err(format!(
            "Addresses stand in {}, and either could be meant. Rename the one that is meant \"Work e-mail\", or remove the others.",
            names.join(" and in ")
        ));
    };
    let private = chosen.whose == Whose::Private;
    let note = (candidates.len() > 1 || private).then(|| format!("Addresses are from {}.", name(chosen.at)));
    Ok(columns(chosen.at, note))
}

/// Whether `one` has every address that `other` has.
fn agree(body: &[(usize, Vec<Cell>)], one: usize, other: usize) -> bool {
    let of = |cells: &[Cell], at: usize| cells.get(at).map(|c| c.addresses.clone()).unwrap_or_default();
    one == other || body.iter().all(|(_, cells)| of(cells, other).is_empty() || of(cells, one) == of(cells, other))
}

/// The column with this heading.
fn only(headings: Option<&[String]>, wanted: Heading, what: &str) -> Result<Option<usize>, String> {
    let all = headings.unwrap_or_default();
    let found: Vec<usize> = (0..all.len()).filter(|at| heading(&all[*at]) == wanted).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => {
            let names: Vec<String> = several.iter().take(4).map(|at| quoted(&all[*at], 60)).collect();
            Err(format!("{} could each be the {what}. Rename or remove all but one.", names.join(" and ")))
        }
    }
}
