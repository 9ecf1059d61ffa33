//! A list of several pages: each thing once, and an end to every list.

use std::collections::HashSet;

use super::SekoiaError;
use super::entries::{Identified, MOST_ENTRIES, MOST_PAGES, PAGE};
use super::lenient::Page;

/// Bytes of one list over all its pages.
pub(super) const MOST_BYTES: usize = 48 * 1024 * 1024;

/// What was read of a list so far.
pub(super) struct Listing<T> {
    items: Vec<T>,
    seen: HashSet<Box<str>>,
    /// What each page began with.
    firsts: HashSet<Box<str>>,
    /// Entries that came, repeated ones included: pages are counted by them.
    received: usize,
    bytes: usize,
    pages: usize,
}

impl<T: Identified> Listing<T> {
    pub fn new() -> Self {
        Self { items: Vec::new(), seen: HashSet::new(), firsts: HashSet::new(), received: 0, bytes: 0, pages: 0 }
    }

    /// Where the next page begins.
    pub fn offset(&self) -> usize {
        self.received
    }

    /// Takes in a page of so many bytes. True if there are more pages.
    ///
    /// # Errors
    /// The list has no end, or ends before it is whole. What was read is never taken for all of it.
    pub fn page(&mut self, page: Page<T>, bytes: usize) -> Result<bool, SekoiaError> {
        let cut = |what: String| Err(SekoiaError::Malformed { what });
        let got = page.items.len();
        self.pages += 1;
        self.received += got;
        self.bytes += bytes;
        let first = page.items.first().and_then(T::key);
        // Something new at the front moves a list by as much, and not by a whole page.
        if let Some(first) = first
            && !self.firsts.insert(first)
        {
            return cut("the same entries again and again instead of further pages".into());
        }
        for item in page.items {
            if item.key().is_none_or(|key| self.seen.insert(key)) {
                self.items.push(item);
            }
        }
        if self.received > MOST_ENTRIES {
            return cut(format!("more than {MOST_ENTRIES} entries in one list"));
        }
        if self.bytes > MOST_BYTES {
            return cut(format!("more than {} MiB in one list", MOST_BYTES / (1024 * 1024)));
        }
        let more = match page.total {
            Some(total) if total <= self.received => false,
            Some(total) if got == 0 => return cut(format!("{} of {total} entries", self.received)),
            Some(_) => true,
            None => page.has_more.unwrap_or(got >= PAGE) && got > 0,
        };
        if more && self.pages >= MOST_PAGES {
            return cut(format!("more than {MOST_PAGES} pages in one list"));
        }
        Ok(more)
    }

    pub fn into_items(self) -> Vec<T> {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sekoia::Role;
    use crate::sekoia::entries::distinct;

    #[derive(Debug, Clone, PartialEq)]
    struct Thing(String);

    impl Identified for Thing {
        fn key(&self) -> Option<Box<str>> {
            Some(self.0.as_str().into())
        }
    }

    fn page(ids: impl IntoIterator<Item = usize>, total: Option<usize>) -> Page<Thing> {
        let items = ids.into_iter().map(|id| Thing(id.to_string())).collect();
        Page { items, total, has_more: None }
    }

    fn why(result: Result<bool, SekoiaError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_list_ends_at_its_total_and_asks_for_nothing_beyond() {
        let mut list = Listing::new();
        assert!(list.page(page(0..100, Some(200)), 1).unwrap());
        assert!(!list.page(page(100..200, Some(200)), 1).unwrap());
        assert_eq!(list.into_items().len(), 200);
        // Whoever ignores `limit` and says that this is all is believed.
        assert!(!Listing::new().page(page(0..250, Some(250)), 1).unwrap());
    }

    #[test]
    fn a_thing_that_is_listed_twice_is_there_once_and_counts_for_the_total() {
        let mut list = Listing::new();
        assert!(!list.page(page([1, 2, 1], Some(3)), 1).unwrap());
        assert_eq!(list.into_items(), [Thing("1".into()), Thing("2".into())]);
        assert_eq!(distinct(page([1, 2, 1], None).items).len(), 2);
    }

    #[test]
    fn a_role_that_holds_a_permission_twice_holds_it_once() {
        let permission = serde_json::json!({ "uuid": "p", "title": "View alerts" });
        let role = serde_json::json!({ "uuid": "r", "permissions": [permission, permission] });
        assert_eq!(serde_json::from_value::<Role>(role).unwrap().permissions.len(), 1);
    }

    #[test]
    fn a_list_that_begins_again_is_an_error_at_the_second_page() {
        for total in [None, Some(1_000)] {
            let mut list = Listing::new();
            assert!(list.page(page(0..100, total), 1).unwrap());
            assert!(why(list.page(page(0..100, total), 1)).contains("again and again"));
        }
    }

    #[test]
    fn what_came_to_the_front_meanwhile_is_no_repetition() {
        let mut list = Listing::new();
        assert!(list.page(page(0..100, None), 1).unwrap());
        // Everything moved by one: the page begins with what the last one ended with.
        assert!(!list.page(page(99..150, None), 1).unwrap());
        assert_eq!(list.into_items().len(), 150);
    }

    #[test]
    fn a_list_that_is_cut_short_is_an_error() {
        let mut list = Listing::new();
        assert!(list.page(page(0..100, Some(150)), 1).unwrap());
        assert!(why(list.page(page([], Some(150)), 1)).contains("100 of 150 entries"));
    }

    #[test]
    fn entries_and_bytes_and_pages_are_bounded() {
        assert!(why(Listing::new().page(page(0..=MOST_ENTRIES, None), 1)).contains("20000 entries"));
        let mut list = Listing::new();
        assert!(list.page(page(0..100, None), MOST_BYTES).unwrap());
        assert!(why(list.page(page(100..200, None), 1)).contains("48 MiB"));
        let mut list = Listing::new();
        let one = |n: usize| page([n], Some(usize::MAX));
        assert!((1..MOST_PAGES).all(|n| list.page(one(n), 1).unwrap()));
        assert!(why(list.page(one(0), 1)).contains("200 pages"));
    }

    proptest! {
        /// Whatever a server does with `limit`, `offset` and `total`: the list ends, and if it is no
        /// error, it is all that there is.
        #[test]
        fn every_list_ends_whole_or_as_an_error(
            length in 0_usize..500,
            limit in 1_usize..=200,
            heeds_offset: bool,
            says_total: bool,
        ) {
            let mut list = Listing::new();
            let mut calls = 0;
            let whole = loop {
                calls += 1;
                prop_assert!(calls <= MOST_PAGES);
                let from = if heeds_offset { list.offset().min(length) } else { 0 };
                let total = says_total.then_some(length);
                match list.page(page(from..(from + limit).min(length), total), 1) {
                    Ok(true) => {}
                    Ok(false) => break true,
                    Err(_) => break false,
                }
            };
            // A page of fewer than asked for that says nothing else is the last one.
            if whole && (says_total || limit >= PAGE) {
                prop_assert_eq!(list.into_items().len(), length);
            }
        }
    }
}
