//! What somebody asked for, in their own words: nothing of it was looked up yet.

use jiff::civil::Date;

use crate::domain::plan::Plan;

/// A request as it was typed or filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub wanted: RequestedAction,
    /// Why, for whoever approves.
    pub because: Option<String>,
    /// The community that a form was opened for.
    pub community: Option<String>,
    /// Only show what would be sent.
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedAction {
    Invite {
        /// People as they were typed or pasted.
        addresses: String,
        /// The text of an uploaded list.
        csv: String,
        /// The name of a file that the requester attached to a message.
        file: Option<String>,
        role: Option<String>,
        communities: Vec<String>,
        /// Rows that are no people are left out, instead of nothing being asked for.
        leave_out: bool,
    },
    /// Invitations that were not taken are sent again.
    Resend {
        /// Addresses, or the id of the request that invited them.
        whose: String,
    },
    Communities {
        names: Vec<String>,
        about: Option<String>,
    },
    Role {
        name: String,
        about: Option<String>,
        /// Presets, roles to copy, permissions.
        with: Vec<String>,
    },
    Key {
        name: String,
        preset: Option<String>,
        with: Vec<String>,
        about: Option<String>,
        expires: Option<Expiry>,
    },
    Revoke {
        key: String,
    },
    Rotate {
        key: String,
        name: Option<String>,
        expires: Option<Expiry>,
    },
    /// Everything that a plan names and Sekoia lacks; without one, the channel's own.
    Plan {
        plan: Option<Box<Plan>>,
    },
}

/// Until when a key is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    Days(u16),
    On(Date),
    Never,
}
