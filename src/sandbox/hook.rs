//! A test's own function, run at exact points of a call.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::calls::Call;

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It came in, and nothing was done yet.
    Arrived,
    /// It was done or refused, and the reply is not sent yet. A connection that a fault closes
    /// before any work never gets here.
    Done,
}

type Function = Arc<dyn Fn(&Call, Stage) + Send + Sync>;

#[derive(Default)]
pub(super) struct Hook(Mutex<Option<Function>>);

impl Hook {
    pub(super) fn set(&self, function: impl Fn(&Call, Stage) + Send + Sync + 'static) {
        let function: Function = Arc::new(function);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(function);
    }

    pub(super) fn run(&self, call: &Call, stage: Stage) {
        // Taken out first: the function may look at the sandbox, wait, or set another.
        let function = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(function) = function {
            function(call, stage);
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
