//! What a chat platform said lately of people, channels and groups.
//!
//! What is asked for often is fetched again before it expires, so that a busy channel never waits
//! for the platform; what was not asked for in time is gone, and whoever asks next waits.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use moka::future::Cache;

use super::ChatError;

/// Entries, of each kind: a large workspace's worth.
const MOST: u64 = 50_000;

pub struct Remembered<V> {
    cache: Cache<Box<str>, Arc<Entry<V>>>,
    life: Duration,
}

struct Entry<V> {
    value: V,
    at: Instant,
    renewing: AtomicBool,
}

impl<V: Clone + Send + Sync + 'static> Remembered<V> {
    /// Nothing older than `life` is believed; from half of it on, it is fetched again meanwhile.
    pub fn new(life: Duration) -> Self {
        Self { cache: Cache::builder().max_capacity(MOST).time_to_live(life).build(), life }
    }

    /// The value, from memory if it is young enough. Of several who ask at once, one fetches. An
    /// error is not remembered.
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
        let fetched = fetch();
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
