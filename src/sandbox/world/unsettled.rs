//! What no public source settles, and a test may choose.

/// The bodies that an invitation may have. The other one is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvitationBody {
    /// `email`, one address: what the documentation shows.
    #[default]
    Email,
    /// `emails`, a list: what the activity log of 2026 suggests.
    Emails,
    /// Either.
    Both,
}

/// The field of a created key that works as a bearer token. The other one gets 401.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkingSecret {
    /// `key`; then `short_key` is the beginning of it, for display.
    #[default]
    Key,
    /// `short_key`; then `key` is another, longer form.
    ShortKey,
}

/// Events are counted in bins of an hour, a day, a week or a month. What becomes of those that the
/// asked time cuts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bins {
    /// They are counted whole: whoever asks for the last ten minutes gets the whole hour.
    #[default]
    Whole,
    /// Nothing outside of the asked time is counted.
    Cut,
}
