//! Tables: CSV as Excel, PowerShell, directories and chats write it.

use std::io::Read;

use super::cell::Cell;
use super::column::{self, Columns};
use super::heading::{Heading, heading};
use super::list::{self, Item};
use super::{Entry, People, Place, Row, quoted};
use crate::chat::text::count;

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Lines by which the delimiter is chosen, and among which the headings are.
const SAMPLE: usize = 300;
const BEFORE_HEADINGS: usize = 30;

/// Rows with their number, as a spreadsheet counts.
type Grid = Vec<(usize, Vec<Cell>)>;

/// The people of a table; none if the text is no table. `forced`: the delimiter that it names.
pub(super) fn read(text: &str, forced: Option<u8>) -> Option<Result<People, String>> {
    let sample: String = text.split_inclusive('\n').take(SAMPLE).collect();
    let mut unclosed = None;
    let mut fits = |delimiter: u8| match grid(&sample, delimiter) {
        Ok(grid) => Some((fit(&grid)?, delimiter)),
        Err(why) => {
            unclosed = Some(why);
            None
        }
    };
    let found = match forced {
        Some(delimiter) => fits(delimiter),
        // The first of equals.
        None => DELIMITERS.into_iter().rev().filter_map(&mut fits).max(),
    };
    let Some((_, delimiter)) = found else { return unclosed.map(Err) };
    let grid = match grid(text, delimiter) {
        Ok(grid) => grid,
        Err(why) => return Some(Err(why)),
    };
    Some(people(&grid))
}

/// `sep=;`, by which Excel is told; it shows no row for it.
pub(super) fn separator(text: &str) -> (Option<u8>, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let sign = first.trim_matches(['"', ' ']).strip_prefix("sep=").or_else(|| first.trim().strip_prefix("SEP="));
    match sign.map(str::as_bytes) {
        Some([delimiter]) if DELIMITERS.contains(delimiter) => (Some(*delimiter), rest),
        // A tab is trimmed away.
        Some([]) if first.contains('\t') => (Some(b'\t'), rest),
        _ => (None, text),
    }
}

fn grid(text: &str, delimiter: u8) -> Result<Grid, String> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes().chain(b"\n".as_slice()));
    let mut grid = Grid::new();
    // Lines within cells: the spreadsheet counts rows.
    let mut within = 0;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| format!("The file cannot be read as a table ({error})."))? {
        let inner: usize = record.iter().map(|cell| cell.matches('\n').count()).sum();
        // Where it ends: before it, empty lines may have been passed over.
        let next = usize::try_from(reader.position().line()).unwrap_or(usize::MAX);
        let row = next.saturating_sub(1 + inner + within);
        within += inner;
        for cell in &record {
            if cell.contains('\n') && cell.contains('@') && cell.contains(char::from(delimiter)) {
                return Err(format!("Row {row} has a quotation mark (\") that is not closed. Remove it, or close it."));
            }
        }
        let cells: Vec<Cell> = record.iter().map(Cell::new).collect();
        if cells.iter().any(|c| c.text.chars().any(|c| !" -–—=:_.".contains(c))) {
            grid.push((row, cells));
        }
    }
    Ok(grid)
}

fn width(grid: &[(usize, Vec<Cell>)]) -> usize {
    grid.iter().map(|(_, cells)| cells.len()).max().unwrap_or_default()
}

fn filled(cells: &[Cell]) -> usize {
    cells.iter().filter(|c| !c.text.is_empty()).count()
}

/// Where the headings are: a row without addresses that names a column of addresses, or stands
/// right above one.
fn headings(grid: &Grid) -> Option<usize> {
    let has_address = |cells: &[Cell]| cells.iter().any(|c| !c.addresses.is_empty());
    let beginning = || grid.iter().take(BEFORE_HEADINGS).enumerate();
    let named = |(at, (_, cells)): &(usize, &(usize, Vec<Cell>))| {
        let mail = |c: &Cell| heading(&c.text) == Heading::Mail;
        (!has_address(cells) && cells.iter().any(mail) && filled(cells) > 1).then_some(*at)
    };
    if let Some(at) = beginning().find_map(|row| named(&row)) {
        return Some(at);
    }
    let first = beginning().find(|(_, (_, cells))| has_address(cells))?.0;
    let above = first.checked_sub(1)?;
    let column = grid[first].1.iter().position(|c| !c.addresses.is_empty())?;
    let cells = &grid[above].1;
    // Words that nobody knows are headings if they look like some, over a row of one person.
    let short = cells.iter().all(|c| c.text.split_whitespace().count() <= 3 && !c.text.contains('@'));
    let alone = grid[first].1.iter().filter(|c| !c.addresses.is_empty()).count() == 1;
    let fits = short && alone && cells.len() == grid[first].1.len();
    let over = fits && cells.get(column).is_some_and(|c| !c.text.is_empty());
    let known = |c: &Cell| matches!(heading(&c.text), Heading::Role | Heading::Community | Heading::Name);
    (filled(cells) > 1 && (over || cells.iter().any(known))).then_some(above)
}

/// How well a text is a table with some delimiter: more is better. None if it is none.
fn fit(grid: &Grid) -> Option<(bool, usize, usize, usize)> {
    let width = width(grid);
    if width < 2 {
        return None;
    }
    let head = headings(grid);
    let body = &grid[head.map_or(0, |at| at + 1)..];
    let with =
        |at: usize| body.iter().filter(|(_, cells)| cells.get(at).is_some_and(|c| !c.addresses.is_empty())).count();
    let addresses = (0..width).map(with).max().unwrap_or_default();
    let same = body.iter().filter(|(_, cells)| cells.len() == width).count();
    if head.is_none() {
        // Without headings it has to look like one: several rows, most of them of several cells,
        // and a column that is not of addresses.
        let several = body.iter().filter(|(_, cells)| filled(cells) > 1).count();
        let words = |at: usize| {
            body.iter().filter(|(_, c)| c.get(at).is_some_and(|c| !c.text.is_empty() && c.addresses.is_empty())).count()
        };
        let other = (0..width).map(words).max().unwrap_or_default();
        let most = |n: usize| n * 5 >= body.len() * 3;
        if body.len() < 2 || !(most(several) && most(addresses) && most(other)) {
            return None;
        }
    }
    let mail = head.is_some_and(|at| grid[at].1.iter().any(|c| heading(&c.text) == Heading::Mail));
    Some((mail, addresses, same, width))
}

fn people(grid: &Grid) -> Result<People, String> {
    let head = headings(grid);
    let body = &grid[head.map_or(0, |at| at + 1)..];
    let headings: Option<Vec<String>> = head.map(|at| grid[at].1.iter().map(|c| c.text.clone()).collect());
    let columns = column::choose(headings.as_deref(), body, width(grid))?;
    let above = grid[..head.unwrap_or_default()].iter().filter_map(|(row, cells)| {
        let address = cells.iter().find_map(|c| c.addresses.first())?;
        Some(Row::left_out(Place::Row(*row), format!("stands above the headings ({address})")))
    });
    let mut rows: Vec<Row> = above.collect();
    for (number, cells) in body {
        let again = headings.as_ref().is_some_and(|h| h.iter().eq(cells.iter().map(|c| &c.text)));
        if !again {
            rows.push(person(Place::Row(*number), cells, headings.as_deref(), &columns));
        }
    }
    Ok(People { rows, notes: columns.note.into_iter().collect(), counted: true })
}

fn person(place: Place, cells: &[Cell], headings: Option<&[String]>, columns: &Columns) -> Row {
    let expected = headings.map_or(cells.len(), <[String]>::len);
    let text = |at: Option<usize>| at.and_then(|at| cells.get(at)).map_or("", |c| c.text.as_str());
    let cell = cells.get(columns.address).filter(|c| !c.text.is_empty());
    // A row of another length lost a cell or has a comma too many: what is where is not certain.
    let shifted = cells.len() != expected && cell.is_none_or(|c| c.addresses.is_empty());
    if shifted {
        let mut all = cells.iter().filter(|c| !c.addresses.is_empty());
        return match (all.next(), all.next()) {
            (Some(cell), None) if columns.role.is_none() && columns.community.is_none() => of_cell(place, cell),
            (Some(_), _) => {
                let (has, wants) = (count(cells.len(), "cell", "cells"), expected);
                Row::left_out(
                    place,
                    format!("has {has} where the headings have {wants}, so its columns are not certain"),
                )
            }
            (None, _) => Row::nobody(place, &first_words(cells)),
        };
    }
    let Some(cell) = cell else { return Row::nobody(place, &first_words(cells)) };
    let mut row = of_cell(place, cell);
    if let Ok(entry) = &mut row.found {
        entry.role = Some(text(columns.role)).filter(|t| !t.is_empty()).map(str::to_owned);
        entry.communities = text(columns.community)
            .split([';', '|', '\n'])
            .map(|c| c.trim().to_owned())
            .filter(|c| !c.is_empty())
            .collect();
    }
    row
}

/// Of a row without an address, what tells which one it is.
fn first_words(cells: &[Cell]) -> String {
    let words: Vec<&str> = cells.iter().map(|c| c.text.as_str()).filter(|t| !t.is_empty()).take(2).collect();
    words.join(" ")
}

fn of_cell(place: Place, cell: &Cell) -> Row {
    let mut others = cell.addresses.clone();
    if others.is_empty() {
        return match list::cell(&cell.text).into_iter().find(|item| !matches!(item, Item::Loose(_))) {
            Some(Item::Wrong(word, why)) => Row::wrong(place, &word, why),
            Some(Item::Two(one, other)) => {
                Row::left_out(place, format!("names two addresses, {one} and {other}: keep the one that is meant"))
            }
            _ => Row::wrong(place, &cell.text, "is no e-mail address"),
        };
    }
    let odd = list::cell(&cell.text).into_iter().find(|item| !matches!(item, Item::Person(_)));
    if odd.is_some() {
        return Row::left_out(place, format!(": {} is more than an address", quoted(&cell.text, 80)));
    }
    let address = others.remove(0);
    Row::person(place, Entry { address, others, ..Entry::default() })
}
