//! `store copy`: everything that a store holds is carried to another one.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::Timestamp;
use secrecy::SecretSlice;

use super::history::{self, Verified};
use super::{Unusable, asked_to_stop, env, environment, pairs};
use crate::app::open_place;
use crate::bot::REPLICA_LEASES;
use crate::chat::text;
use crate::config::{Faults, StorePair, StorePlace};
use crate::store::audit::Chain;
use crate::store::moving::{self, Move, Part, Tally};
use crate::store::{self, Hold, Store, keyfile};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Copy everything from one store to another: the history with its seals, every state, and what is
    /// pending. Stop the bot first. Both histories are verified. A copy that was interrupted is completed by
    /// the same command. Exit code 1 if something is wrong with either, 2 if nothing was begun
    Copy(CopyArgs),
}

#[derive(clap::Args)]
pub struct CopyArgs {
    /// The store that the bot has: sqlite:PATH or postgres://USER@HOST/DATABASE. A password is better in
    /// PGPASSWORD: other users of the machine can read a command line
    from: String,
    /// The store that it is to have: a new or empty one, or one that an earlier copy was made to
    to: String,
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Copy(args) = command;
    let pair = StorePair::read_from((&args.from, &args.to), env, pairs(&environment()))?;
    let keys = keys(&pair)?;
    let _holds = (hold(&pair.from)?, hold(&pair.to)?);
    let from = open_place("FROM", &pair.from, &keys).await?;
    let copied = tokio::select! {
        copied = copy(&pair, &keys, &from) => copied,
        () = asked_to_stop() => {
            Err(anyhow::anyhow!("Stopped. What was copied until now stays; the same command goes on from there"))
        }
    };
    from.close().await;
    copied
}

/// The keys of both sides.
fn keys(pair: &StorePair) -> anyhow::Result<Vec<SecretSlice<u8>>> {
    if let StorePlace::Sqlite(path) = &pair.from
        && !path.exists()
    {
        return Err(Faults::one("FROM", format_args!("there is no store at {}", path.display())).into());
    }
    if is_same(&pair.from, &pair.to) {
        return Err(Unusable("FROM and TO are the same store.".into()).into());
    }
    let (None, StorePlace::Sqlite(from)) = (&pair.keys, &pair.from) else {
        return Ok(pair.keys.clone().unwrap_or_default());
    };
    let keys = keyfile::existing(from)?;
    if let StorePlace::Sqlite(to) = &pair.to
        && keyfile::path(to).exists()
        && !keyfile::are_same(&keys, &keyfile::existing(to)?)
    {
        let (from, to) = (keyfile::path(from), keyfile::path(to));
        let what = format!(
            "{} holds another key than {}: the store there is another bot's. Give another file as TO.",
            to.display(),
            from.display()
        );
        return Err(Unusable(what).into());
    }
    Ok(keys)
}

fn is_same(from: &StorePlace, to: &StorePlace) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match (from, to) {
        (StorePlace::Sqlite(from), StorePlace::Sqlite(to)) => real(from) == real(to),
        _ => false,
    }
}

/// No bot may serve a file meanwhile.
fn hold(place: &StorePlace) -> anyhow::Result<Option<Hold>> {
    match place {
        StorePlace::Sqlite(path) => Ok(Some(store::hold(path)?)),
        StorePlace::Memory | StorePlace::Postgres(_) => Ok(None),
    }
}

/// Nor a database.
async fn refuse_if_served(store: &dyn Store, place: &StorePlace) -> anyhow::Result<()> {
    let replicas = store.leases(REPLICA_LEASES, Timestamp::now()).await;
    let replicas = replicas.with_context(|| format!("Cannot read {place}"))?.len();
    if replicas > 0 {
        let what = format!(
            "{} of the bot {} {place}: stop every replica first. One that was killed counts for some seconds more.",
            text::count(replicas, "process", "processes"),
            if replicas == 1 { "serves" } else { "serve" }
        );
        return Err(Unusable(what).into());
    }
    Ok(())
}

async fn copy(pair: &StorePair, keys: &[SecretSlice<u8>], from: &Arc<dyn Store>) -> anyhow::Result<()> {
    let chain = Chain::new(keys);
    refuse_if_served(&**from, &pair.from).await?;
    let source = verified("Source", &pair.from, &**from, &chain).await?;
    if !source.faults.is_empty() {
        bail!("The source was tampered with, or is damaged. Nothing was copied");
    }
    let to = open_place("TO", &pair.to, keys).await?;
    let done = carry(pair, &chain, &source, &**from, &*to).await;
    to.close().await;
    done
}

async fn carry(
    pair: &StorePair,
    chain: &Chain,
    source: &Verified,
    from: &dyn Store,
    to: &dyn Store,
) -> anyhow::Result<()> {
    refuse_if_served(to, &pair.to).await?;
    let moving = Move::new(from, to);
    let carried = async {
        transfer(&moving, pair).await?;
        // A bot that was not stopped is named.
        refuse_if_served(from, &pair.from).await?;
        refuse_if_served(to, &pair.to).await?;
        let target = verified("Target", &pair.to, to, chain).await?;
        if !target.faults.is_empty() {
            bail!("The target was tampered with, or is damaged. Copy to an empty store");
        }
        let (there, here) = (moving::tally(from).await?, moving::tally(to).await?);
        if (target.streams, target.records, &here) != (source.streams, source.records, &there) {
            println!("Pending at the source: {}", pending(&there));
            println!("Pending at the target: {}", pending(&here));
            bail!(
                "The two stores differ: a bot changed one of them meanwhile. Stop it, and run the same command again"
            );
        }
        // Until here no bot starts on it.
        moving.end().await?;
        println!("Pending, on both sides: {}", pending(&here));
        println!("The target holds what the source holds.\n{}", next(pair));
        Ok(())
    };
    let carried = carried.await;
    moving.let_go().await;
    carried
}

async fn transfer(moving: &Move<'_>, pair: &StorePair) -> anyhow::Result<()> {
    let missing = moving.compare().await?;
    if let (None, StorePlace::Sqlite(from), StorePlace::Sqlite(to)) = (&pair.keys, &pair.from, &pair.to) {
        keyfile::copy(from, to)?;
    }
    moving.begin().await?;
    let moved = moving.streams(&missing).await?;
    for part in Part::ALL {
        moving.rows(part).await?;
    }
    println!(
        "Copied {} of {}.",
        text::count(usize::try_from(moved.records).unwrap_or(usize::MAX), "record", "records"),
        text::count(usize::try_from(moved.streams).unwrap_or(usize::MAX), "stream", "streams"),
    );
    Ok(())
}

/// What a side holds, and every fault in it, for people.
async fn verified(side: &str, place: &StorePlace, store: &dyn Store, chain: &Chain) -> anyhow::Result<Verified> {
    let verified = history::verify(store, chain).await.with_context(|| format!("Cannot read {place}"))?;
    for fault in &verified.faults {
        println!("{fault}");
    }
    println!("{side} {place}: {}", verified.summary());
    Ok(verified)
}

fn pending([deliveries, work, kept]: &[Tally; 3]) -> String {
    let count = |tally: &Tally, one, many| text::count(usize::try_from(tally.count).unwrap_or(usize::MAX), one, many);
    format!(
        "{}, {}, {}",
        count(work, "due task", "due tasks"),
        count(kept, "kept row", "kept rows"),
        count(deliveries, "recorded delivery", "recorded deliveries")
    )
}

/// What is left to do.
fn next(pair: &StorePair) -> String {
    let key = match (&pair.keys, &pair.from, &pair.to) {
        (Some(_), ..) => "Keep CHATOPS_SECRET_KEY as it is.".to_owned(),
        (None, _, StorePlace::Sqlite(to)) => format!("The key is in {} too.", keyfile::path(to).display()),
        (None, StorePlace::Sqlite(from), _) => format!(
            "Set CHATOPS_SECRET_KEY to what is in {}, with a comma between two lines: the target is sealed with the same key.",
            keyfile::path(from).display()
        ),
        (None, ..) => String::new(),
    };
    format!("{key} Set CHATOPS_STORE to the new address, start the bot, and keep the old store until it runs.")
}
