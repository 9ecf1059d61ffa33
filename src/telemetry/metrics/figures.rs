//! What is stored or known, as it is when Prometheus asks.

/// Everything that is read and not counted. What could not be read is absent: it is not nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Work that is due, by its kind.
    pub work: Vec<Waiting>,
    /// Messages that the chat has not taken yet, by their kind, and for how long it has not.
    pub failing: Vec<Waiting>,
    /// Requests for approval that are not settled, by their state.
    pub approvals: Vec<(&'static str, u64)>,
    /// Channels with a checklist.
    pub sessions: Option<u64>,
    /// Messages that the chat refuses, kept for an operator.
    pub dead_letters: Option<u64>,
    /// What is in the store and was not stored by the bot.
    pub set_aside: u64,
    /// The store, Sekoia and each platform: whether it was well when it was last looked at.
    pub well: Vec<(&'static str, bool)>,
    /// Requests that were refused since the start, by the reason.
    pub refused: Vec<(&'static str, u64)>,
    /// By what rules wait for: seconds since the community that was looked at longest ago.
    pub looked: Vec<(&'static str, f64)>,
    /// Whether Sekoia's live events are heard; none if this process does not listen.
    pub live: Option<bool>,
    /// For so many seconds no call goes out to Sekoia, after errors or because it asked.
    pub sekoia_paused: f64,
    pub frozen: Option<bool>,
}

/// Work of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waiting {
    pub kind: &'static str,
    pub count: u64,
    /// Seconds for which the oldest has been waiting; 0 if there is none.
    pub oldest: f64,
}
