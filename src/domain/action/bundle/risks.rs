//! What is risky about a bundle: what several parts have in common is said once.

use super::some;

/// Risks in the order in which they were found, each with what it is about.
#[derive(Default)]
pub(super) struct Risks(Vec<(Box<str>, Vec<Box<str>>)>);

impl Risks {
    /// Of a part that needs no name: the risk says what it is about.
    pub fn plain(&mut self, risks: &[Box<str>]) {
        for risk in risks {
            self.entry(risk);
        }
    }

    /// `about`: what bears the risk.
    pub fn of(&mut self, about: &str, risks: &[Box<str>]) {
        for risk in risks {
            self.entry(risk).push(about.into());
        }
    }

    fn entry(&mut self, risk: &str) -> &mut Vec<Box<str>> {
        let at = self.0.iter().position(|(known, _)| **known == *risk).unwrap_or_else(|| {
            self.0.push((risk.into(), Vec::new()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    pub fn lines(self) -> Vec<Box<str>> {
        let said = |(risk, about): (Box<str>, Vec<Box<str>>)| {
            let names: Vec<&str> = about.iter().map(|name| &**name).collect();
            if names.is_empty() { risk } else { format!("{}: {risk}", some(&names)).into() }
        };
        self.0.into_iter().map(said).collect()
    }
}
