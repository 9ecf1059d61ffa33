//! E-mail addresses out of whatever was typed, pasted or uploaded.

use std::collections::HashSet;

/// Addresses in their normal form, each once, in the order in which they came; and what was meant
/// as one and is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    pub good: Vec<String>,
    pub bad: Vec<String>,
    pub twice: usize,
}

impl Addresses {
    /// A list separated by spaces, commas, semicolons or lines: bare addresses, or
    /// `Ana Silva <ana@example.com>`.
    pub fn typed(text: &str) -> Self {
        let mut found = Self::default();
        for entry in text.split([',', ';', '\n', '\r', '\t']) {
            let named = entry.contains('<');
            for word in entry.split_whitespace() {
                // Beside an address in brackets stand its owner's names.
                if named && !word.contains('@') {
                    continue;
                }
                found.add(word);
            }
        }
        found
    }

    /// A CSV file: the column whose heading speaks of mail, or of each row the first cell with an
    /// `@` in it. Semicolons, as some spreadsheets write them, count as commas.
    pub fn csv(text: &str) -> Self {
        let first = text.lines().next().unwrap_or_default();
        let delimiter = if first.matches(';').count() > first.matches(',').count() { b';' } else { b',' };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut found = Self::default();
        let mut column = None;
        for (i, row) in reader.records().filter_map(Result::ok).enumerate() {
            if i == 0
                && let Some(at) =
                    row.iter().position(|cell| cell.to_lowercase().contains("mail") && !cell.contains('@'))
            {
                column = Some(at);
                continue;
            }
            let cell = match column {
                Some(at) => row.get(at).unwrap_or_default(),
                None => row.iter().find(|cell| cell.contains('@')).or(row.get(0)).unwrap_or_default(),
            };
            let heading = i == 0 && column.is_none() && !cell.contains('@');
            if !cell.is_empty() && !heading {
                found.add(cell);
            }
        }
        found
    }

    pub fn and(mut self, other: Self) -> Self {
        for address in other.good {
            self.keep(address);
        }
        self.bad.extend(other.bad);
        self.twice += other.twice;
        self
    }

    fn add(&mut self, word: &str) {
        let around = |c: char| c.is_whitespace() || "<>()[]\"'“”".contains(c);
        let word = word.trim_start_matches(around).trim_end_matches(|c| around(c) || c == '.');
        let word = word.strip_prefix("mailto:").unwrap_or(word);
        if word.is_empty() {
            return;
        }
        match normal(word) {
            Some(address) => self.keep(address),
            None => self.bad.push(word.to_owned()),
        }
    }

    fn keep(&mut self, address: String) {
        // Lists are short enough to be looked through; hundreds are, thousands are refused.
        if self.good.len() < 64 && self.good.contains(&address) {
            self.twice += 1;
        } else {
            self.good.push(address);
        }
    }

    /// Each address once.
    pub fn unique(mut self) -> Self {
        let all = self.good.len();
        let mut seen = HashSet::with_capacity(all);
        self.good.retain(|address| seen.insert(address.clone()));
        self.twice += all - self.good.len();
        self
    }
}

/// An address in lower case; none if it is no address that a mail server would take.
fn normal(word: &str) -> Option<String> {
    let (local, domain) = word.rsplit_once('@')?;
    let fits = !local.is_empty()
        && local.len() <= 64
        && word.len() <= 254
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b));
    let labels: Vec<&str> = domain.split('.').collect();
    let domain_fits = labels.len() >= 2
        && labels.iter().all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
        && labels.last().is_some_and(|tld| tld.len() >= 2 && !tld.bytes().all(|b| b.is_ascii_digit()));
    (fits && domain_fits).then(|| word.to_ascii_lowercase())
}

/// What stands behind the `@`.
pub fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_however_they_were_pasted() {
        let found =
            Addresses::typed("Ana@Example.COM, Bob Roy <bob@example.com>;\n\"c.d+x@sub.example.org\". ana@example.com");
        assert_eq!(
            found.unique(),
            Addresses {
                good: vec!["ana@example.com".into(), "bob@example.com".into(), "c.d+x@sub.example.org".into()],
                bad: vec![],
                twice: 1,
            }
        );
    }

    #[test]
    fn what_is_no_address_is_named() {
        let found = Addresses::typed("ana@ @example.com bob carol@example a@b..com x@1.2 é@example.com .a@example.com");
        assert_eq!(found.good, Vec::<String>::new());
        assert_eq!(
            found.bad,
            ["ana@", "@example.com", "bob", "carol@example", "a@b..com", "x@1.2", "é@example.com", ".a@example.com"]
        );
    }

    #[test]
    fn a_file_is_read_by_its_heading_or_by_its_cells() {
        let good = |text| Addresses::csv(text).good;
        assert_eq!(
            good("name,E-Mail\nAna,ana@example.com\nBob,bob@example.com\n"),
            ["ana@example.com", "bob@example.com"]
        );
        assert_eq!(good("Ana;ana@example.com\r\nBob;bob@example.com"), ["ana@example.com", "bob@example.com"]);
        assert_eq!(good("ana@example.com\n\n\"bob@example.com\"\n"), ["ana@example.com", "bob@example.com"]);
        assert_eq!(Addresses::csv("email\nnobody\n").bad, ["nobody"]);
    }
}
