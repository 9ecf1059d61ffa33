//! What a chat platform said lately of people, channels and groups.
//!
//! What is asked for often is fetched again before it expires, so that a busy channel never waits
//! for the platform; what was not asked for in time is old, and the next request waits for a new answer. Where
//! that is allowed, the old one is used while the platform asks to wait.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use moka::future::Cache;

use crate::chat::ChatError;
use crate::timing::platform::{ANSWER_PATIENCE, ASKED_AGAIN, FAILURE_KEPT};

/// Entries, of each kind: a large workspace's worth.
const MOST: u64 = 50_000;

pub struct Remembered<V> {
    cache: Cache<Box<str>, Arc<Entry<V>>>,
    life: Duration,
    /// How old it may be while the platform asks to wait.
    limited: Duration,
    patience: Duration,
    /// What could not be had lately, where that is remembered too.
    failures: Option<Cache<Box<str>, ChatError>>,
}

struct Entry<V> {
    value: V,
    /// When the platform said it.
    said: Instant,
    /// It is young from then on.
    at: Instant,
    renewing: AtomicBool,
}

impl<V: Clone + Send + Sync + 'static> Remembered<V> {
    /// Nothing older than `life` is believed; from half of it on, it is fetched again meanwhile.
    pub fn new(life: Duration) -> Self {
        Self::lasting(life, life)
    }

    /// The same, but up to `limited` it is believed as long as the platform asks to wait instead of answering.
    pub fn lasting(life: Duration, limited: Duration) -> Self {
        let cache = Cache::builder().max_capacity(MOST).time_to_live(limited).build();
        Self { cache, life, limited, patience: ANSWER_PATIENCE, failures: None }
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
            if entry.said.elapsed() < self.limited {
                return self.instead_of(entry, key, fetch()).await;
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

    /// A new answer; the old one, for a while, if the platform asks to wait.
    async fn instead_of<F>(&self, old: Arc<Entry<V>>, key: &str, fetched: F) -> Result<V, ChatError>
    where
        F: Future<Output = Result<V, ChatError>> + Send + 'static,
    {
        let (life, limited) = (self.life, self.limited);
        self.cache.invalidate(key).await;
        let answered = async move {
            match fetched.await {
                Err(ChatError::RateLimited) if old.said.elapsed() < limited => Ok(old.again(life)),
                fetched => fetched.map(Entry::new),
            }
        };
        let entry = self.cache.try_get_with(key.into(), answered).await;
        entry.map(|entry| entry.value.clone()).map_err(|error| ChatError::clone(&error))
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
        let now = Instant::now();
        Arc::new(Self { value, said: now, at: now, renewing: AtomicBool::new(false) })
    }

    /// It is believed for a little longer, and asked again after that.
    fn again(&self, life: Duration) -> Arc<Self>
    where
        V: Clone,
    {
        let now = Instant::now();
        let at = now.checked_sub(life.saturating_sub(ASKED_AGAIN)).unwrap_or(now);
        // Nobody asks before that.
        Arc::new(Self { value: self.value.clone(), said: self.said, at, renewing: AtomicBool::new(true) })
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

    #[tokio::test]
    async fn an_answer_is_believed_for_longer_only_while_the_platform_asks_to_wait() {
        let (life, limited) = (Duration::from_millis(20), Duration::from_millis(400));
        let channels = Remembered::<u8>::lasting(life, limited);
        let get = async |answer: Result<u8, ChatError>| channels.get("C0", move || async move { answer }).await;
        assert_eq!(get(Ok(1)).await, Ok(1));
        tokio::time::sleep(life).await;
        assert_eq!(get(Err(ChatError::RateLimited)).await, Ok(1));
        // It is not asked at once again.
        assert_eq!(get(Ok(2)).await, Ok(1));
        channels.put("C0", 3).await;
        tokio::time::sleep(life).await;
        let gone = ChatError::Unavailable("gone".into());
        assert_eq!(get(Err(gone.clone())).await, Err(gone));
        assert_eq!(get(Ok(4)).await, Ok(4));
        tokio::time::sleep(limited).await;
        assert_eq!(get(Err(ChatError::RateLimited)).await, Err(ChatError::RateLimited));
    }
}
