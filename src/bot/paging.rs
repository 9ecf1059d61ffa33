//! Long lists, a page at a time: nothing is cut without saying so.

use crate::chat::view::{Control, View};

/// One page of a list.
pub struct Page<'a, T> {
    pub items: &'a [T],
    /// From 1.
    pub number: usize,
    pages: usize,
    first: usize,
    total: usize,
}

impl<'a, T> Page<'a, T> {
    /// The page asked for, or the last one where there are fewer.
    pub fn of(all: &'a [T], number: usize, size: usize) -> Self {
        let pages = all.len().div_ceil(size).max(1);
        let number = number.clamp(1, pages);
        let first = (number - 1) * size;
        let items = &all[first..(first + size).min(all.len())];
        Self { items, number, pages, first, total: all.len() }
    }

    /// Adds where in the list this is, and buttons to its neighbours: `words` and a page number.
    #[must_use]
    pub fn foot(&self, view: View, words: &str) -> View {
        if self.pages == 1 {
            return view;
        }
        let mut controls = Vec::new();
        if self.number > 1 {
            controls.push(Control::button("Previous page", format!("{words} {}", self.number - 1)));
        }
        if self.number < self.pages {
            controls.push(Control::button("Next page", format!("{words} {}", self.number + 1)));
        }
        let last = self.first + self.items.len();
        let place = format!("{}–{last} of {} · page {} of {}", self.first + 1, self.total, self.number, self.pages);
        view.note(place).controls(controls)
    }
}
