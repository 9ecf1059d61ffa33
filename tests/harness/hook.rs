//! A test's own function, run at exact points of a call.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It came in, and nothing was done yet.
    Arrived,
    /// It was done or refused, and the reply is not sent yet. A call that hangs never gets here.
    Done,
}

type Function = Arc<dyn Fn(&str, Stage) + Send + Sync>;

#[derive(Default)]
pub struct Hook(Mutex<Option<Function>>);

impl Hook {
    pub fn set(&self, function: impl Fn(&str, Stage) + Send + Sync + 'static) {
        let function: Function = Arc::new(function);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(function);
    }

    pub fn run(&self, method: &str, stage: Stage) {
        // Taken out first: the function may look at the world, wait, or set another.
        let function = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(function) = function {
            function(method, stage);
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
