//! The history of a store, read and verified.

use crate::chat::text;
use crate::state::erase::history;
use crate::state::families::follows;
use crate::store::audit::Chain;
use crate::store::{Loaded, Record, Store, StoreError, StreamId, personal};

/// What a verification found.
pub struct Verified {
    pub records: usize,
    pub streams: usize,
    /// In words.
    pub faults: Vec<String>,
    /// Personal values that are not there any more.
    pub erased: usize,
    /// Of how many streams is remembered beside the store where they stood.
    pub remembered: usize,
}

impl Verified {
    /// How much there is, and how much of it is wrong.
    pub fn summary(&self) -> String {
        let all = format!(
            "{} in {}, {}",
            text::count(self.records, "record", "records"),
            text::count(self.streams, "stream", "streams"),
            text::count(self.faults.len(), "fault", "faults")
        );
        if self.erased == 0 {
            return all;
        }
        let erased = text::count(self.erased, "personal value was", "personal values were");
        format!("{all}\n{erased} erased; what is sealed are their salted hashes.")
    }
}

/// Verifies every chain, every state and everything that is stored beside them. One stream is in memory at a
/// time.
pub async fn verify(store: &dyn Store, chain: &Chain) -> anyhow::Result<Verified> {
    let (mut faults, mut records, mut erased) = (Vec::new(), 0, 0);
    let streams = store.all_streams().await?;
    for stream in &streams {
        let (state, all) = settled(store, stream).await?;
        records += all.len();
        erased += all.iter().map(|r| personal::fit(&r.body, &r.personal).missing).sum::<usize>();
        faults.extend(chain.verify(stream, &all, state.as_ref()).iter().map(ToString::to_string));
        if let Some(state) = &state
            && !follows(stream, &all, &state.state)
        {
            faults.push(format!("{stream}: the state does not follow from its records: it was edited"));
        }
    }
    let (found, remembered) = store.inspect().await?;
    faults.extend(found);
    Ok(Verified { records, streams: streams.len(), faults, erased, remembered })
}

/// A stream's state and records as of one version: the bot may be writing meanwhile.
async fn settled(store: &dyn Store, stream: &StreamId) -> Result<(Option<Loaded>, Vec<Record>), StoreError> {
    loop {
        let before = store.as_stored(stream).await?;
        let records = history(store, stream).await?;
        let after = store.as_stored(stream).await?;
        if before == after {
            return Ok((after, records));
        }
    }
}
