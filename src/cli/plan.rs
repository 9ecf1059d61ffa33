//! `plan check`: whether a plan's file is right, before anybody imports it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::Unusable;
use crate::chat::text::{count, shown};
use crate::domain::plan::file::{self, Fault, MOST_BYTES, decode};
use crate::domain::plan::template::{fill, parameters};
use crate::domain::plan::{Part, Plan};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Check a plan or a template of one; exit code 1 if it has faults, 2 if it cannot be read
    Check {
        /// The plan, in TOML
        file: PathBuf,
        /// A value for a parameter of the template, such as client=Acme; one for each
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
        set: Vec<(Box<str>, Box<str>)>,
    },
}

/// Names of a part that are listed.
const NAMED: usize = 5;

pub fn run(command: Command) -> anyhow::Result<()> {
    let Command::Check { file, set } = command;
    let bytes = contents(&file)?;
    let mut values = BTreeMap::new();
    for (name, value) in set {
        if values.insert(name.clone(), value).is_some() {
            return Err(Unusable(format!("--set {name} is given twice. Give each parameter once.")).into());
        }
    }
    match decode(&bytes).map_err(|fault| (vec![fault], Vec::new())).and_then(|text| check(&text, &values)) {
        Ok(plan) => {
            for line in summary(&plan) {
                println!("{line}");
            }
            Ok(())
        }
        Err((faults, missing)) => {
            for fault in &faults {
                println!("{}:{fault}", file.display());
            }
            if !missing.is_empty() {
                let set: Vec<String> = missing.iter().map(|name| format!("--set {name}=…")).collect();
                eprintln!("This is a template: give {} to check it.", set.join(" "));
            }
            bail!("{} in {}", count(faults.len(), "fault", "faults"), file.display())
        }
    }
}

/// A plan; or its faults, and the parameters that have no value.
type Checked = Result<Plan, (Vec<Fault>, Vec<Box<str>>)>;

fn check(text: &str, values: &BTreeMap<Box<str>, Box<str>>) -> Checked {
    let missing = || parameters(text).into_iter().filter(|name| !values.contains_key(name)).collect();
    let filled = fill(text, values).map_err(|faults| (faults, missing()))?;
    file::read(&filled).map_err(|faults| (faults, Vec::new()))
}

/// One byte more than a plan may have, at most.
fn contents(path: &Path) -> Result<Vec<u8>, Unusable> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Unusable(format!("Cannot read {}: {error}", path.display()))),
    }
}

/// A line for each part.
fn summary(plan: &Plan) -> Vec<String> {
    let line = |part: Part| {
        let name = part.name();
        let Some(things) = plan.count(part) else { return format!("{name}: open") };
        let names = plan.names(part);
        let mut listed: Vec<String> = names.iter().take(NAMED).map(|name| shown(name, 60)).collect();
        if names.len() > NAMED {
            listed.push("…".into());
        }
        match (part, things) {
            (_, 0) => format!("{name}: none"),
            (Part::Region | Part::Hardening, _) => format!("{name}: {}", listed.join(", ")),
            (_, things) => format!("{name}: {things} ({})", listed.join(", ")),
        }
    };
    Part::ALL.into_iter().map(line).collect()
}

fn setting(text: &str) -> Result<(Box<str>, Box<str>), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().into(), value.into())),
        _ => Err("give a name and a value, such as client=Acme".into()),
    }
}
