//! `audit redact`: erases what names somebody, and says what still does.

use anyhow::{Context, bail};
use jiff::Timestamp;

use crate::chat::text::{count, shown};
use crate::cli::Unusable;
use crate::domain::action::people::address;
use crate::domain::approval::Approval;
use crate::state::erase::{Outcome, Pending, Person, What, erase, in_rows};
use crate::state::stream::Folded;
use crate::store::{KeptKind, RowKind, Store, StoreError, StreamId, WorkKind};

#[derive(clap::Args)]
pub struct Args {
    /// The e-mail address
    #[arg(value_name = "E-MAIL")]
    address: String,
    /// The name under which Sekoia shows this person; can be given several times
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
}

impl Args {
    /// # Errors
    /// What was typed is no e-mail address, or an empty name.
    pub fn person(&self) -> anyhow::Result<Person> {
        let address = address(&self.address).map_err(|why| {
            Unusable(format!("\"{}\" {why}. Write it like ana@example.com.", shown(&self.address, 60)))
        })?;
        let names: Vec<String> = self.name.iter().map(|name| name.trim().to_owned()).collect();
        if names.iter().any(String::is_empty) {
            return Err(Unusable("--name is empty. Write it like --name \"Ana Lopez\", or leave it out.".into()).into());
        }
        Ok(Person { address, names })
    }
}

/// What was done, and what could not be.
#[derive(Default)]
struct Sum {
    values: usize,
    records: usize,
    streams: usize,
    /// Something still names the person.
    left: bool,
}

pub async fn run(store: &dyn Store, person: &Person) -> anyhow::Result<()> {
    let mut sum = Sum::default();
    for stream in store.all_streams().await? {
        one(store, &stream, person, &mut sum).await?;
    }
    let pending = in_rows(store, person).await?;
    let messages: usize = pending.iter().map(|pending| pending.erased).sum();
    if messages > 0 {
        println!("{}: erased", count(messages, "message that waits to be sent", "messages that wait to be sent"));
    }
    for pending in pending.iter().filter(|pending| pending.left > 0) {
        println!("{}", left(pending));
        sum.left = true;
    }
    let (aside, _) = store.set_aside(0).await?;
    if aside > 0 {
        let rows = count(usize::try_from(aside).unwrap_or(usize::MAX), "row that was", "rows that were");
        println!(
            "{rows} set aside may hold anything: look at them, then delete them (see `sekoia-chatops audit verify`)."
        );
    }
    if sum.streams + messages == 0 && !sum.left {
        println!("Nothing in this store names {}.", person.address);
    } else if sum.streams > 0 {
        let Sum { values, records, streams, .. } = sum;
        let (values, records) = (count(values, "value", "values"), count(records, "record", "records"));
        println!(
            "{values} erased in {records} of {}. The history verifies as before.",
            count(streams, "stream", "streams")
        );
    }
    if person.names.is_empty() {
        println!(
            "Names of members stand in the evidence of steps without an address: --name \"Ana Lopez\" erases one as well."
        );
    }
    println!("Backups, exports and messages in the chat are not changed.");
    let scrubbed = store.scrub(true).await.context("What was erased may still be in free places of the database")?;
    store.close().await;
    if !scrubbed {
        bail!("The database is in use: what was erased may still be in free places of its files. Run this again");
    }
    if sum.left {
        bail!("Something still names {}: see above", person.address);
    }
    Ok(())
}

async fn one(store: &dyn Store, stream: &StreamId, person: &Person, sum: &mut Sum) -> anyhow::Result<()> {
    let by = format!("user {} of the bot's host", rustix::process::getuid().as_raw());
    let why = match erase(store, stream, What::Person(person), Some(&by), Timestamp::now()).await {
        Ok(Outcome::Erased { values, records, sealed }) => {
            if values > 0 {
                println!(
                    "{stream}: {} erased in {}",
                    count(values, "value", "values"),
                    count(records, "record", "records")
                );
                sum.values += values;
                sum.records += records;
                sum.streams += 1;
            }
            if sealed == 0 {
                return Ok(());
            }
            let records = count(sealed, "record", "records");
            format!(
                "{records} of an earlier release hold it in what is sealed, and cannot be changed without breaking the chain"
            )
        }
        Ok(Outcome::UnderWay) if stream.family() == Approval::FAMILY => format!(
            "the request is open and needs it. Withdraw it with `/sekoia cancel {}`, or wait until it is settled; then run this again",
            stream.key()
        ),
        Ok(Outcome::UnderWay) => "it is under way and needs it; run this again later".into(),
        Ok(Outcome::Impossible(why)) => why.to_owned(),
        Err(error @ (StoreError::Corrupt { .. } | StoreError::Contended)) => error.to_string(),
        Err(error) => return Err(error.into()),
    };
    println!("{stream}: not erased: {why}.");
    sum.left = true;
    Ok(())
}

/// What holds it still, and when that goes.
fn left(pending: &Pending) -> String {
    let Pending { kind, left, .. } = *pending;
    let (one, many, goes) = match kind {
        RowKind::Work(WorkKind::Inbound) => ("recorded change", "recorded changes", "when done, in seconds"),
        RowKind::Kept(KeptKind::Fired) => ("count of fired rules", "counts of fired rules", "within 15 days"),
        RowKind::Kept(KeptKind::Known | KeptKind::Posted) => {
            ("note of what was posted", "notes of what was posted", "within 7 days")
        }
        RowKind::Kept(KeptKind::Proof) => ("sign-in", "sign-ins", "within 10 minutes"),
        RowKind::Work(WorkKind::Notice | WorkKind::Announce | WorkKind::News) | RowKind::Kept(KeptKind::DeadLetter) => {
            ("message that is being sent", "messages that are being sent", "when sent")
        }
        _ => ("piece of pending work", "pieces of pending work", "when done"),
    };
    format!("{}: not erased; gone {goes}.", count(left, one, many))
}
