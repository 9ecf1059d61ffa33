//! `audit verify`, `audit export`: the history that the store holds.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::{env, environment, pairs};
use crate::chat::text;
use crate::config::{StoreConfig, StorePlace};
use crate::domain::approval::Approval;
use crate::domain::checklist::Session;
use crate::domain::notify::Rules;
use crate::state::control::Control;
use crate::state::moved::LaterIds;
use crate::state::stream::{Folded, actor};
use crate::store::audit::Chain;
use crate::store::{Loaded, Record, Remembered, SqliteStore, Store, StreamId, heads, keyfile};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Look for edited, missing and reordered records; exit code 1 if there are any
    Verify,
    /// Write every record to standard output
    Export {
        #[arg(long, value_enum, default_value = "json")]
        format: Format,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    Json,
    Csv,
}

/// Records read at a time.
const CHUNK: u32 = 1_000;

pub async fn run(command: Command) -> anyhow::Result<()> {
    let config = StoreConfig::read_from(env, pairs(&environment()))?;
    let StorePlace::Sqlite(path) = &config.place else {
        bail!("The memory store keeps no history: set CHATOPS_STORE=sqlite:PATH");
    };
    if !path.exists() {
        bail!("There is no store at {}: set CHATOPS_STORE=sqlite:PATH", path.display());
    }
    let (store, chain) = open(&config, path).await?;
    match command {
        Command::Verify => verify(&store, &chain, path).await,
        Command::Export { format } => export(&store, format).await,
    }
}

async fn open(config: &StoreConfig, path: &Path) -> anyhow::Result<(SqliteStore, Chain)> {
    let keys = match &config.keys {
        Some(keys) => keys.clone(),
        None => keyfile::existing(path)?,
    };
    let store = SqliteStore::open(path, Chain::new(&keys)).await?;
    Ok((store, Chain::new(&keys)))
}

async fn records(store: &SqliteStore, stream: &StreamId) -> anyhow::Result<Vec<Record>> {
    let mut all: Vec<Record> = Vec::new();
    loop {
        let after = all.last().map_or(0, |record| record.seq);
        let chunk = store.history(stream, after, CHUNK).await?;
        let last = chunk.len() < CHUNK as usize;
        all.extend(chunk);
        if last {
            return Ok(all);
        }
    }
}

/// A stream's state and records as of one version: the bot may be writing meanwhile.
async fn settled(store: &SqliteStore, stream: &StreamId) -> anyhow::Result<(Option<Loaded>, Vec<Record>)> {
    loop {
        let before = store.as_stored(stream).await?;
        let records = records(store, stream).await?;
        let after = store.as_stored(stream).await?;
        if before == after {
            return Ok((after, records));
        }
    }
}

/// Whether a state is what its events lead to. Events of a newer release say nothing.
fn follows<S: Folded + PartialEq>(records: &[Record], state: &str) -> bool {
    let mut folded: Option<S> = None;
    for record in records {
        let (Ok(event), Ok(at)) = (serde_json::from_str(&record.body), record.at()) else { return true };
        folded = S::fold(folded, &event, &actor(&record.actor), at);
    }
    serde_json::from_str::<S>(state).ok() == folded
}

async fn verify(store: &SqliteStore, chain: &Chain, path: &Path) -> anyhow::Result<()> {
    let mut faults = 0;
    let mut count = 0;
    let streams = store.all_streams().await?;
    for stream in &streams {
        let (state, records) = settled(store, stream).await?;
        count += records.len();
        for fault in chain.verify(stream, &records, state.as_ref()) {
            println!("{fault}");
            faults += 1;
        }
        if let Some(state) = &state
            && !match stream.family() {
                Session::FAMILY => follows::<Session>(&records, &state.state.json),
                Approval::FAMILY => follows::<Approval>(&records, &state.state.json),
                Control::FAMILY => follows::<Control>(&records, &state.state.json),
                Rules::FAMILY => follows::<Rules>(&records, &state.state.json),
                LaterIds::FAMILY => follows::<LaterIds>(&records, &state.state.json),
                _ => true,
            }
        {
            println!("{stream}: the state does not follow from its records: it was edited");
            faults += 1;
        }
    }
    let (found, remembered) = store.inspect().await?;
    for fault in &found {
        println!("{fault}");
    }
    faults += found.len();
    println!(
        "{} in {}, {}",
        text::count(count, "record", "records"),
        text::count(streams.len(), "stream", "streams"),
        text::count(faults, "fault", "faults")
    );
    let file = heads::path(path);
    match remembered {
        Remembered::Streams(count) => println!(
            "{} remembers where {} stood when it was last written: within a minute of every change, and at every stop.",
            file.display(),
            text::count(count, "stream", "streams")
        ),
        Remembered::Nothing => println!(
            "{} remembers nothing: a stream removed whole, or put back together with its records, cannot be found.",
            file.display()
        ),
    }
    println!(
        "Not provable from here: changes by a holder of the key, or a database put back together with that file. \
         Compare with an export kept elsewhere."
    );
    if faults > 0 {
        bail!("The history was tampered with, or is damaged");
    }
    Ok(())
}

async fn export(store: &SqliteStore, format: Format) -> anyhow::Result<()> {
    let out = BufWriter::new(std::io::stdout().lock());
    let written = match format {
        Format::Json => json(store, out).await,
        Format::Csv => csv(store, out).await,
    };
    written.context("Cannot write the export")
}

async fn json(store: &SqliteStore, mut out: impl Write) -> anyhow::Result<()> {
    let mut first = true;
    out.write_all(b"[")?;
    for stream in store.all_streams().await? {
        for record in records(store, &stream).await? {
            out.write_all(if first { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut out, &record)?;
            first = false;
        }
    }
    out.write_all(b"\n]\n")?;
    Ok(out.flush()?)
}

async fn csv(store: &SqliteStore, out: impl Write) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["stream", "seq", "at", "actor", "kind", "body", "key", "seal"])?;
    for stream in store.all_streams().await? {
        for r in records(store, &stream).await? {
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
