//! The part of a deployment's budgets that this process may use.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How many processes use the same budgets, and whether this one has what cannot be divided. A process
/// that is alone has everything.
#[derive(Debug)]
pub struct Share(AtomicUsize);

impl Default for Share {
    fn default() -> Self {
        Self(AtomicUsize::new(packed(1, true)))
    }
}

fn packed(processes: usize, rest: bool) -> usize {
    processes << 1 | usize::from(rest)
}

impl Share {
    /// `processes`: how many there are; 0: that is not known, and nobody goes. `rest`: this one also has
    /// what is left over after dividing.
    pub fn set(&self, processes: usize, rest: bool) {
        self.0.store(packed(processes, rest), Ordering::Relaxed);
    }

    /// How many there are; 0 while that is not known.
    pub fn processes(&self) -> usize {
        self.0.load(Ordering::Relaxed) >> 1
    }

    /// What this process may use of `max` turns in a window: so many, in a window of that length.
    pub fn of(&self, max: usize, window: Duration) -> (usize, Duration) {
        let packed = self.0.load(Ordering::Relaxed);
        let (processes, rest) = (packed >> 1, packed & 1 == 1);
        if processes == 0 {
            return (0, window);
        }
        if max < processes {
            // Each in its turn: together they are not more than `max` in a window.
            let longer = u32::try_from(processes.div_ceil(max)).unwrap_or(u32::MAX);
            return (1, window * longer);
        }
        (max / processes + if rest { max % processes } else { 0 }, window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_together_are_never_more_than_the_budget() {
        const WINDOW: Duration = Duration::from_secs(1);
        for max in 1..12 {
            for processes in 1..30 {
                let share = Share::default();
                let each = |rest| {
                    share.set(processes, rest);
                    share.of(max, WINDOW)
                };
                // In the longest of the windows, each goes so often.
                let ((most, window), (others, _)) = (each(true), each(false));
                let windows = window.as_millis().div_ceil(WINDOW.as_millis()) as usize;
                assert!(most + others * (processes - 1) <= max * windows, "{max} {processes}");
                assert!(most >= others && others > 0);
            }
        }
        let alone = Share::default();
        assert_eq!((alone.of(5, WINDOW), alone.processes()), ((5, WINDOW), 1));
        alone.set(0, false);
        assert_eq!(alone.of(5, WINDOW).0, 0);
    }
}
