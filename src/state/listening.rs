//! Since when, and until when, what people say is heard on a platform that does not tell it again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::kept::{decode, keep};
use crate::store::{Commit, CommitError, Found, Keep, KeptKind, Store, StoreError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Since when, with this store: what was said earlier was said to nobody.
    pub since: Timestamp,
    /// Everything until then was heard or read; none if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Listening {
    /// What is known of a platform; it begins now if it was never asked before.
    pub async fn on(store: &dyn Store, platform: &str, now: Timestamp) -> Result<Self, StoreError> {
        let key = key(platform);
        let begun = Self { since: now, until: None };
        for _ in 0..3 {
            if let Some(kept) = store.kept(KeptKind::Known, &key).await? {
                return Ok(decode(&kept).unwrap_or(begun));
            }
            let begin = Commit {
                keep: vec![begun.row(platform)],
                rests_on: vec![Found { kind: KeptKind::Known.into(), key: key.clone(), generation: None }],
                ..Commit::default()
            };
            match store.commit(begin).await {
                Ok(_) => return Ok(begun),
                // Another process was faster.
                Err(CommitError::Conflict(_) | CommitError::Delivered) => {}
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended)
    }

    /// Keeps it.
    pub async fn keep(&self, store: &dyn Store, platform: &str) -> Result<(), StoreError> {
        let commit = Commit { keep: vec![self.row(platform)], ..Commit::default() };
        match store.commit(commit).await {
            Ok(_) | Err(CommitError::Conflict(_) | CommitError::Delivered) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Kept for good.
    fn row(&self, platform: &str) -> Keep {
        keep(KeptKind::Known, key(platform), self)
    }
}

fn key(platform: &str) -> String {
    format!("listening/{platform}")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::store::MemoryStore;
    use crate::store::audit::Chain;

    #[tokio::test]
    async fn it_begins_once_for_each_platform() {
        let store = MemoryStore::new(Chain::new(&[vec![1; 32].into()]));
        let first: Timestamp = "2026-07-01T08:00:00Z".parse().unwrap();
        let later = first + SignedDuration::from_hours(1);
        let begun = Listening { since: first, until: None };
        assert_eq!(Listening::on(&store, "mattermost", first).await.unwrap(), begun);
        assert_eq!(Listening::on(&store, "mattermost", later).await.unwrap(), begun);
        assert_eq!(Listening::on(&store, "other", later).await.unwrap().since, later);
        let heard = Listening { until: Some(later), ..begun };
        heard.keep(&store, "mattermost").await.unwrap();
        assert_eq!(Listening::on(&store, "mattermost", later).await.unwrap(), heard);
    }
}
