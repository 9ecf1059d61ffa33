//! What a chat platform said lately of people, channels and groups.
//!
//! What is asked for often is fetched again before it expires, so that a busy channel never waits
//! for the platform; what was not asked for in time is gone, and whoever asks next waits.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use moka::future::Cache;

use crate::chat::ChatError;
use crate::timing::platform::{ANSWER_PATIENCE, FAILURE_KEPT};

/// Entries, of each kind: a large workspace's worth.
const MOST: u64 = 50_000;

pub struct Remembered<V> {
    cache: Cache<Box<str>, Arc<Entry<V>>>,
    life: Duration,
    patience: Duration,
    /// What could not be had lately, where that is remembered too.
    failures: Option<Cache<Box<str>, ChatError>>,
}

struct Entry<V> {
    value: V,
    at: Instant,
    renewing: AtomicBool,
}

impl<V: Clone + Send + Sync + 'static> Remembered<V> {
    /// Nothing older than `life` is believed; from half of it on, it is fetched again meanwhile.
    pub fn new(life: Duration) -> Self {
        let cache = Cache::builder().max_capacity(MOST).time_to_live(life).build();
        Self { cache, life, patience: ANSWER_PATIENCE, failures: None }
    }

    /// The same for what must not hold up those who do not depend on it: an answer that does not
    /// come within [`ANSWER_PATIENCE`] is an error, and an error is remembered for [`FAILURE_KEPT`].
    pub fn guarded(life: Duration) -> Self {
        let failures = Cache::builder().max_capacity(MOST).time_to_live(FAILURE_KEPT).build();
        Self { failures: Some(failures), ..Self::new(life) }
    }

    /// The value, from memory if it is young enough. Of several who ask at once, one fetches. An
    /// error is not remembered, unless this is [`guarded`](Self::guarded).
    pub async fn get<F>(&self, key: &str, fetch: impl FnOnce() -> F) -> Result<V, ChatError>
    where
        F: Future<Output = Result<V, ChatError>> + Send + 'static,
    {
        if let Some(entry) = self.cache.get(key).await {
            let age = entry.at.elapsed();
            if age < self.life {
                if age > self.life / 2 && !entry.renewing.swap(true, Ordering::Relaxed) {
                    self.renew(key, Arc::clone(&entry), fetch());
                }
                return Ok(entry.value.clone());
            }
        }
        let Some(failures) = &self.failures else { return self.fetched(key, fetch()).await };
        if let Some(error) = failures.get(key).await {
            return Err(error);
        }
        let (fetched, patience) = (fetch(), self.patience);
        let patient = async move {
            let late = || ChatError::Unavailable(format!("no answer within {} s", patience.as_secs_f64()));
            tokio::time::timeout(patience, fetched).await.unwrap_or_else(|_| Err(late()))
        };
        let fetched = self.fetched(key, patient).await;
        if let Err(error) = &fetched {
            failures.insert(key.into(), error.clone()).await;
        }
        fetched
    }

    async fn fetched<F>(&self, key: &str, fetched: F) -> Result<V, ChatError>
    where
        F: Future<Output = Result<V, ChatError>> + Send + 'static,
    {
        self.cache
            .try_get_with(key.into(), async move { fetched.await.map(Entry::new) })
            .await
            .map(|entry| entry.value.clone())
            .map_err(|error| ChatError::clone(&error))
    }

    /// What somebody just asked.
    pub async fn put(&self, key: &str, value: V) {
        self.cache.insert(key.into(), Entry::new(value)).await;
    }

    /// Whoever asks next has it fetched.
    pub async fn forget(&self, key: &str) {
        self.cache.invalidate(key).await;
        if let Some(failures) = &self.failures {
            failures.invalidate(key).await;
        }
    }

    fn renew<F>(&self, key: &str, old: Arc<Entry<V>>, fetched: F)
    where
        F: Future<Output = Result<V, ChatError>> + Send + 'static,
    {
        let (cache, key) = (self.cache.clone(), Box::<str>::from(key));
        tokio::spawn(async move {
            match fetched.await {
                Ok(value) => cache.insert(key, Entry::new(value)).await,
                // The old one ends when its time comes; whoever asks next may try again.
                Err(_) => old.renewing.store(false, Ordering::Relaxed),
            }
        });
    }
}

impl<V> Entry<V> {
    fn new(value: V) -> Arc<Self> {
        Arc::new(Self { value, at: Instant::now(), renewing: AtomicBool::new(false) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_not_waited_for_twice() {
        let patience = Duration::from_millis(50);
        let groups = Remembered::<u8> { patience, ..Remembered::guarded(Duration::from_mins(1)) };
        let asked = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let asked = Arc::clone(&asked);
            async move {
                asked.fetch_add(1, Ordering::Relaxed);
                std::future::pending().await
            }
        };
        let first = groups.get("S0", ask).await;
        assert_eq!(first, Err(ChatError::Unavailable("no answer within 0.05 s".into())));
        assert_eq!(groups.get("S0", ask).await, first);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(groups.get("S1", || async { Ok(7) }).await, Ok(7));
    }
}
