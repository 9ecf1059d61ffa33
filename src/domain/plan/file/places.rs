//! From a byte of a text to its line and column.

use super::Fault;

#[derive(Debug, Clone)]
pub(in crate::domain::plan) struct Places {
    text: Box<str>,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl Places {
    pub fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = [0].into_iter().chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { text: text.into(), starts }
    }

    /// From 1.
    pub fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// What was found at these bytes, in the order of the text.
    pub fn faults(&self, mut found: Vec<(usize, String)>) -> Vec<Fault> {
        found.sort();
        found.dedup();
        // One pass over the text, however many there are in a line.
        let (mut last, mut column, mut line) = (0, 1, 0);
        let fault = |(at, text): (usize, String)| {
            let now = self.line(at);
            if now != line {
                (line, last, column) = (now, self.starts[now - 1], 1);
            }
            column += self.text.get(last..at).map_or(0, |between| between.chars().count());
            last = at;
            Fault { line, column, text }
        };
        found.into_iter().map(fault).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let text = "é=1\n\nab€c\n";
        let found = [0, 2, 3, 4, 5, 11, 12, 13].map(|at| (at, at.to_string())).to_vec();
        let faults = Places::new(text).faults(found);
        let places: Vec<(usize, usize)> = faults.iter().map(|f| (f.line, f.column)).collect();
        assert_eq!(places, [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (3, 4), (3, 5), (4, 1)]);
    }
}
