//! Who has a place among the connections, and who gives theirs up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// What a process takes at the same time, and how long it waits.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections on which every route is served.
    pub connections: usize,
    /// Further ones, on which only `GET /healthz` and `/readyz` are served.
    pub reserve: usize,
    /// From the first byte of a request, or the beginning of its connection, to the end of its head.
    pub head: Duration,
    /// Between two requests. Longer than the proxies' usual times, so that it is they who close.
    pub idle: Duration,
}

impl Bounds {
    /// Half of the files that the process may open, and not more than anybody needs: the other half
    /// is for its own calls and its store.
    pub fn of_process() -> Self {
        const MOST: usize = 1_000;
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let files = files.map_or(MOST * 2, |files| usize::try_from(files).unwrap_or(usize::MAX));
        Self {
            connections: (files / 2).clamp(16, MOST),
            reserve: 16,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(150),
        }
    }
}

/// What a connection does: at work on a request, waiting for the rest of a head, at rest.
pub(super) const AT_WORK: u64 = 0;
pub(super) const HEAD: u64 = 1;
pub(super) const REST: u64 = 2;

/// One connection, as the others see it.
pub(super) struct Own {
    /// What it does, in the two lowest bits, and since when: milliseconds of [`millis`].
    state: AtomicU64,
    /// It brought a whole request.
    served: AtomicBool,
    /// Its place was given away.
    closing: AtomicBool,
    /// Only the health routes.
    pub(super) reserve: bool,
    pub(super) close: Notify,
}

fn millis() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX >> 2)
}

impl Own {
    fn new(reserve: bool) -> Self {
        Self {
            state: AtomicU64::new(millis() << 2 | HEAD),
            served: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            reserve,
            close: Notify::new(),
        }
    }

    pub(super) fn set(&self, state: u64) {
        self.state.store(millis() << 2 | state, Ordering::Relaxed);
    }

    pub(super) fn answered(&self) {
        self.served.store(true, Ordering::Relaxed);
        self.set(REST);
    }

    /// Since when it waits, and for what; none if it is at work.
    pub(super) fn waits(&self) -> Option<(u64, u64)> {
        let state = self.state.load(Ordering::Relaxed);
        (state & 3 != AT_WORK).then_some((state & 3, state >> 2))
    }

    /// It was asked to close, and may have got a request since.
    pub(super) fn may_close(&self) -> bool {
        let waits = self.waits().is_some();
        self.closing.store(waits, Ordering::Relaxed);
        waits
    }

    fn ask_to_close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.close.notify_one();
    }
}

/// All connections.
#[derive(Default)]
pub(super) struct Open {
    all: Mutex<HashMap<u64, Arc<Own>>>,
    next: AtomicU64,
}

/// A connection among the others, while it lives.
pub(super) struct Place {
    open: Arc<Open>,
    number: u64,
    pub(super) own: Arc<Own>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.all().remove(&self.number);
    }
}

impl Open {
    fn all(&self) -> MutexGuard<'_, HashMap<u64, Arc<Own>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection: a free one, one that another gives up, or one of the reserve.
    pub(super) fn place(self: &Arc<Self>, bounds: Bounds) -> Option<Place> {
        let mut all = self.all();
        let staying = |reserve: bool| {
            all.values().filter(move |own| own.reserve == reserve && !own.closing.load(Ordering::Relaxed))
        };
        // The longest waiting, of those that never brought a request if there are any.
        let given_up = |reserve: bool| {
            let waiting = staying(reserve).filter_map(|own| Some((own, own.waits()?.1)));
            waiting.min_by_key(|(own, since)| (own.served.load(Ordering::Relaxed), *since)).map(|(own, _)| own)
        };
        let mut found = None;
        for (reserve, most) in [(false, bounds.connections), (true, bounds.reserve)] {
            if staying(reserve).count() < most {
                found = Some(reserve);
            } else if let Some(own) = given_up(reserve) {
                own.ask_to_close();
                found = Some(reserve);
            }
            if found.is_some() {
                break;
            }
        }
        let own = Arc::new(Own::new(found?));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        all.insert(number, Arc::clone(&own));
        drop(all);
        Some(Place { open: Arc::clone(self), number, own })
    }

    pub(super) fn close_expired(&self, bounds: Bounds) {
        let now = millis();
        for own in self.all().values() {
            let Some((what, since)) = own.waits() else { continue };
            let most = if what == HEAD { bounds.head } else { bounds.idle };
            if Duration::from_millis(now.saturating_sub(since)) >= most {
                own.ask_to_close();
            }
        }
    }
}
