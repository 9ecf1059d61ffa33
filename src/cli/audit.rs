//! `audit verify`, `audit export`, `audit redact`: the history that the store holds.

mod redact;

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::history;
use super::{env, environment, pairs};
use crate::app::open_store;
use crate::chat::text;
use crate::config::{StoreConfig, StorePlace};
use crate::state::erase::history as records;
use crate::store::audit::Chain;
use crate::store::{Record, Store, heads, keyfile};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Look for edited, missing and reordered records; exit code 1 if there are any
    Verify,
    /// Write every record to standard output
    Export {
        #[arg(long, value_enum, default_value = "json")]
        format: Format,
    },
    /// Erase an e-mail address from every record, state and pending message; exit code 1 if something still holds it
    Redact(redact::Args),
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    Json,
    Csv,
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    // What is typed wrongly is said before anything is opened.
    let person = match &command {
        Command::Redact(args) => Some(args.person()?),
        Command::Verify | Command::Export { .. } => None,
    };
    let config = StoreConfig::read_from(env, pairs(&environment()))?;
    let remembered = match &config.place {
        StorePlace::Memory => bail!("The memory store keeps no history: set CHATOPS_STORE=sqlite:PATH"),
        StorePlace::Sqlite(path) if !path.exists() => {
            bail!("There is no store at {}: set CHATOPS_STORE=sqlite:PATH", path.display())
        }
        StorePlace::Sqlite(path) => Some(heads::path(path)),
        StorePlace::Postgres(_) => None,
    };
    let keys = match (&config.keys, &config.place) {
        // A command that only reads makes no key.
        (None, StorePlace::Sqlite(path)) => keyfile::existing(path)?,
        _ => config.keys()?,
    };
    let (store, chain) = (open_store(&config, &keys).await?, Chain::new(&keys));
    match (command, person) {
        (Command::Export { format }, _) => export(&*store, format).await,
        (_, Some(person)) => redact::run(&*store, &person).await,
        (_, None) => verify(&*store, &chain, remembered.as_deref()).await,
    }
}

async fn verify(store: &dyn Store, chain: &Chain, beside: Option<&Path>) -> anyhow::Result<()> {
    let verified = history::verify(store, chain).await?;
    for fault in &verified.faults {
        println!("{fault}");
    }
    println!("{}", verified.summary());
    match (beside.map(Path::display), verified.remembered) {
        (None, _) => println!(
            "Nothing beside the database remembers where it stood: streams removed whole, or put back together with \
             their records, cannot be found."
        ),
        (Some(file), 0) => println!(
            "{file} remembers nothing: a stream removed whole, or put back together with its records, cannot be found."
        ),
        (Some(file), count) => println!(
            "{file} remembers where {} stood when it was last written: within a minute of every change, and at every stop.",
            text::count(count, "stream", "streams")
        ),
    }
    let together = if beside.is_some() { ", or a database put back together with that file" } else { "" };
    println!(
        "Not provable from here: changes by a holder of the key{together}. \
         Compare with an export kept elsewhere."
    );
    if !verified.faults.is_empty() {
        bail!("The history was tampered with, or is damaged");
    }
    Ok(())
}

async fn export(store: &dyn Store, format: Format) -> anyhow::Result<()> {
    let out = BufWriter::new(std::io::stdout().lock());
    let written = match format {
        Format::Json => json(store, out).await,
        Format::Csv => csv(store, out).await,
    };
    written.context("Cannot write the export")
}

/// As people read it: personal values in their places, erased ones as erased.
fn readable(record: Record) -> Record {
    Record { body: record.text(), ..record }
}

async fn json(store: &dyn Store, mut out: impl Write) -> anyhow::Result<()> {
    let mut first = true;
    out.write_all(b"[")?;
    for stream in store.all_streams().await? {
        for record in records(store, &stream).await? {
            out.write_all(if first { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut out, &readable(record))?;
            first = false;
        }
    }
    out.write_all(b"\n]\n")?;
    Ok(out.flush()?)
}

async fn csv(store: &dyn Store, out: impl Write) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["stream", "seq", "at", "actor", "kind", "body", "key", "seal"])?;
    for stream in store.all_streams().await? {
        for r in records(store, &stream).await?.into_iter().map(readable) {
            let seq = r.seq.to_string();
            let row = [r.stream.as_str(), &seq, &r.at, &r.actor, &r.kind, &r.body, &r.key, &r.seal];
            csv.write_record(row.map(harmless))?;
        }
    }
    Ok(csv.flush()?)
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}
