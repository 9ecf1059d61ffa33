//! Urgency: the number decides, the band is how it is called.

use std::fmt;

use serde::{Deserialize, Serialize};

/// As Sekoia's API labels urgencies. Its newer documentation cuts elsewhere and has other names,
/// which is why rules compare the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    Low,
    Moderate,
    High,
    Major,
    Urgent,
}

impl Band {
    pub const ALL: [Band; 5] = [Band::Low, Band::Moderate, Band::High, Band::Major, Band::Urgent];

    pub fn name(self) -> &'static str {
        match self {
            Band::Low => "Low",
            Band::Moderate => "Moderate",
            Band::High => "High",
            Band::Major => "Major",
            Band::Urgent => "Urgent",
        }
    }
}

/// The band of an urgency from 0 to 100.
pub fn band(urgency: u8) -> Band {
    match urgency {
        0..20 => Band::Low,
        20..40 => Band::Moderate,
        40..60 => Band::High,
        60..80 => Band::Major,
        80.. => Band::Urgent,
    }
}

/// How many of each band; `unrated` had no urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bands {
    #[serde(default)]
    pub of: [u32; 5],
    #[serde(default)]
    pub unrated: u32,
}

impl Bands {
    pub fn count(&mut self, urgency: Option<u8>) {
        let place = match urgency {
            Some(n) => &mut self.of[band(n) as usize],
            None => &mut self.unrated,
        };
        *place = place.saturating_add(1);
    }

    pub fn add(&mut self, other: &Bands) {
        for (mine, theirs) in self.of.iter_mut().zip(other.of) {
            *mine = mine.saturating_add(theirs);
        }
        self.unrated = self.unrated.saturating_add(other.unrated);
    }

    /// Takes away what is in `other`.
    pub fn subtract(&mut self, other: &Bands) {
        for (mine, theirs) in self.of.iter_mut().zip(other.of) {
            *mine = mine.saturating_sub(theirs);
        }
        self.unrated = self.unrated.saturating_sub(other.unrated);
    }

    pub fn total(&self) -> u32 {
        self.of.iter().fold(self.unrated, |sum, n| sum.saturating_add(*n))
    }
}

/// `3 Urgent, 1 Low`; the most urgent first, none left out that has any.
impl fmt::Display for Bands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rated = Band::ALL.into_iter().rev().map(|band| (self.of[band as usize], band.name()));
        let parts: Vec<String> = rated
            .chain([(self.unrated, "without urgency")])
            .filter(|(n, _)| *n > 0)
            .map(|(n, name)| format!("{n} {name}"))
            .collect();
        f.write_str(if parts.is_empty() { "none" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_cut_where_the_api_cuts_them() {
        let cuts =
            [(0, "Low"), (19, "Low"), (20, "Moderate"), (40, "High"), (59, "High"), (60, "Major"), (80, "Urgent")];
        for (urgency, name) in cuts {
            assert_eq!(band(urgency).name(), name, "{urgency}");
        }
    }
}
