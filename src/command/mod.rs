//! The words of the conversation: one table, and the parser that follows it.
//!
//! Text in, [`Command`] or [`Fault`] out. What a command does is `bot`'s; who may say it is
//! `access`'s. Help, the documentation's table and the parser all come from [`TABLE`].

mod args;
mod asking;
mod fault;
mod lexer;
mod parse;
mod plan;
mod rules;
mod spec;
mod suggest;
mod table;
mod tasks;

use jiff::civil::{Date, Time, Weekday};

pub use args::FORM;
pub use asking::{LEAVE_OUT, Typed};
pub use fault::Fault;
pub use lexer::{Word, lex};
pub use parse::{INBOX, LIST, parse, read};
pub use plan::{ENTRIES, PLAN_FILE, PLAN_TEXT, PlanWish, Source};
pub use rules::{RULE_FIELDS, TRIGGER, digest, rule};
pub use spec::Spec;
pub use table::{TABLE, find, table_in_markdown};
pub use tasks::Task;

use crate::chat::UserId;
use crate::domain::access::Right;
use crate::domain::action::{Kind, Request};
use crate::domain::checklist::StepId;
use crate::domain::checklist::steps::quickstart::Product;
use crate::domain::notify::{Digest, Every, Watch, Which};

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Help(Topic),
    WhoAmI,
    Status,
    Next,
    /// A step's card; `check` asks Sekoia first.
    Step {
        step: StepId,
        check: bool,
    },
    /// As Markdown, or as JSON; as a file, or a page of it as text.
    Report {
        json: bool,
        page: Option<usize>,
    },
    Quickstart(Option<Product>),
    /// Posts the quick start and writes to the members; without `confirmed`, says to whom.
    QuickstartSend {
        confirmed: bool,
    },
    Plan(PlanWish),
    /// Opens the channel for a community (by name or uuid), or binds it to another one, which is
    /// asked first.
    Setup {
        community: Option<String>,
        page: usize,
        confirmed: bool,
        /// All of it: if a community is called so, it is meant.
        whole: Option<String>,
        /// The template that its plan is made of.
        from: Option<Source>,
    },
    /// Done: verified if Sekoia confirms it; `anyway` attests it without Sekoia.
    Done {
        step: StepId,
        anyway: bool,
        /// The e-mail address of who says it, at Sekoia.
        address: Option<String>,
    },
    /// Without a reason, a form asks for it.
    Skip {
        step: StepId,
        reason: Option<String>,
    },
    Reopen(StepId),
    Assign {
        step: StepId,
        to: Option<UserId>,
    },
    Due {
        step: StepId,
        due: Option<Day>,
    },
    Reset {
        confirmed: bool,
    },
    Refresh,
    /// Whether the deployment works.
    Doctor,
    Overview {
        page: usize,
    },
    /// What waits for who asks, in every channel.
    Inbox {
        page: usize,
    },
    Subscription {
        page: usize,
    },
    Region,
    /// Posts the app's address for everybody in the channel.
    RegionShare,
    RegionProbe {
        confirmed: bool,
    },
    Communities {
        page: usize,
    },
    Roles {
        page: usize,
    },
    RoleShow {
        role: String,
        page: usize,
        /// The same with what was taken for the page: if a role is called so, it is meant.
        whole: Option<String>,
    },
    Users {
        page: usize,
    },
    Keys {
        page: usize,
    },
    Audit {
        last: usize,
    },
    /// A sensitive action; without a request, a form asks for it.
    Ask {
        kind: Kind,
        request: Option<Request>,
        /// The words of a typed one, which may hold a name that looks like several of them.
        said: Option<Typed>,
    },
    /// What is not settled in this channel, or of that what concerns who asks.
    Approvals {
        mine: bool,
        page: usize,
    },
    /// One request in full.
    Approval {
        id: String,
        page: usize,
    },
    Approve {
        id: String,
    },
    /// Without a reason, a form asks for it.
    Reject {
        id: String,
        reason: Option<String>,
    },
    Cancel {
        id: String,
    },
    /// Creates an approved key and shows it, in a form.
    Show {
        id: String,
    },
    /// `key`: the beginning of the key's identifier, where a form showed that one.
    Saved {
        id: String,
        key: Option<String>,
    },
    /// The secret of the shown key is lost. `key` as above.
    Lost {
        id: String,
        key: Option<String>,
    },
    /// Revokes the key that a new one replaces.
    Retire {
        id: String,
    },
    Retry {
        id: String,
    },
    ByHand {
        id: String,
    },
    /// Somebody did it by hand, or wants to know: Sekoia is asked.
    Check {
        id: String,
    },
    Freeze {
        reason: String,
    },
    Unfreeze,
    /// The channel's rules, and how they do.
    Notify {
        page: usize,
    },
    NotifySummary {
        hours: u16,
    },
    /// Without a rule, a form asks for it.
    NotifyAdd {
        watch: Option<Watch>,
    },
    NotifyRecommended {
        confirmed: bool,
    },
    /// Something with one rule.
    NotifyRule {
        number: u32,
        wish: RuleWish,
    },
    NotifyDigest(DigestWish),
    /// Shows where Sekoia's own rules post to, in a form, or revokes it.
    NotifyWebhook {
        wish: WebhookWish,
    },
    /// Acknowledges an alert at Sekoia.
    Acknowledge {
        alert: String,
    },
}

/// What somebody wants with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleWish {
    Remove,
    Pause,
    Resume,
    /// For so many minutes.
    Mute(u32),
    /// Sends a sample the way that occurrences go.
    Test,
    /// The sample arrived.
    Seen,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestWish {
    Set(Digest),
    /// Its time is of a place that has to be asked for: an offset or an abbreviation was said.
    Place {
        every: Every,
        at: Time,
        said: String,
    },
    Off(Which),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookWish {
    /// Makes an address, or another one in its place, which is asked first.
    Make {
        confirmed: bool,
    },
    Revoke,
}

/// A command, and the row of the table that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedCommand {
    pub spec: &'static Spec,
    pub command: Command,
    /// Said behind [`INBOX`]: the request that it is about is of its own channel, wherever this is said.
    pub anywhere: bool,
}

impl ParsedCommand {
    /// The right that it needs. Everybody who may look at the channel may look at a part of the plan, in
    /// whichever words.
    pub fn right(&self) -> Right {
        match self.command {
            Command::Plan(PlanWish::Part { .. }) => Right::Viewer,
            _ => self.spec.right,
        }
    }
}

/// What help is wanted about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// What one can do now.
    Start,
    /// Every command.
    All,
    Task(Task),
    Command(&'static Spec),
    Step(StepId),
}

/// A day as somebody says it; which date that is depends on when it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    On(Date),
    /// Days from today.
    In(u16),
    /// The next one after today.
    Next(Weekday),
}

impl Day {
    /// The date, said on `today`; none beyond the end of the calendar.
    pub fn date(self, today: Date) -> Option<Date> {
        match self {
            Day::On(date) => Some(date),
            Day::In(days) => today.checked_add(jiff::Span::new().days(days)).ok(),
            Day::Next(weekday) => today.nth_weekday(1, weekday).ok(),
        }
    }
}

impl Command {
    /// Whether it changes something that is stored, so that it is recorded before it is acknowledged
    /// and a second delivery is done once.
    pub fn changes(&self) -> bool {
        match self {
            Command::Setup { .. }
            | Command::RegionShare
            | Command::QuickstartSend { confirmed: true }
            | Command::Done { .. }
            | Command::Skip { reason: Some(_), .. }
            | Command::Reopen(_)
            | Command::Assign { .. }
            | Command::Due { .. }
            | Command::Ask { request: Some(Request { dry_run: false, .. }), .. }
            | Command::Approve { .. }
            | Command::Reject { reason: Some(_), .. }
            | Command::Cancel { .. }
            | Command::Saved { .. }
            | Command::Lost { .. }
            | Command::Retire { .. }
            | Command::Retry { .. }
            | Command::ByHand { .. }
            | Command::Check { .. }
            | Command::Freeze { .. }
            | Command::Unfreeze
            | Command::NotifyAdd { watch: Some(_) }
            | Command::NotifyRecommended { confirmed: true }
            | Command::NotifyRule { .. }
            | Command::NotifyDigest(DigestWish::Set(_) | DigestWish::Off(_))
            | Command::NotifyWebhook { wish: WebhookWish::Revoke }
            | Command::Acknowledge { .. }
            | Command::Reset { confirmed: true } => true,
            Command::Plan(wish) => wish.changes(),
            Command::Help(_)
            | Command::WhoAmI
            | Command::Status
            | Command::Next
            | Command::Step { .. }
            | Command::Report { .. }
            | Command::Quickstart(_)
            | Command::QuickstartSend { confirmed: false }
            | Command::Skip { reason: None, .. }
            | Command::Reset { confirmed: false }
            | Command::Refresh
            | Command::Overview { .. }
            | Command::Inbox { .. }
            | Command::Doctor
            | Command::Subscription { .. }
            | Command::Region
            | Command::RegionProbe { .. }
            | Command::Communities { .. }
            | Command::Roles { .. }
            | Command::RoleShow { .. }
            | Command::Users { .. }
            | Command::Keys { .. }
            | Command::Audit { .. }
            | Command::Ask { .. }
            | Command::Approvals { .. }
            | Command::Approval { .. }
            | Command::Reject { reason: None, .. }
            | Command::Notify { .. }
            | Command::NotifySummary { .. }
            | Command::NotifyDigest(DigestWish::Place { .. })
            | Command::NotifyAdd { watch: None }
            | Command::NotifyRecommended { confirmed: false }
            // What they do takes an open form, which nobody can open again later.
            | Command::NotifyWebhook { wish: WebhookWish::Make { .. } }
            | Command::Show { .. } => false,
        }
    }

    /// The id of the request that it is about.
    pub fn request(&self) -> Option<&str> {
        match self {
            Command::Approval { id, .. }
            | Command::Approve { id }
            | Command::Reject { id, .. }
            | Command::Cancel { id }
            | Command::Show { id }
            | Command::Saved { id, .. }
            | Command::Lost { id, .. }
            | Command::Retire { id }
            | Command::Retry { id }
            | Command::ByHand { id }
            | Command::Check { id } => Some(id),
            _ => None,
        }
    }

    /// Whether its answer is about requests and what becomes of them.
    pub fn is_about_requests(&self) -> bool {
        let lists =
            matches!(self, Command::Ask { request: Some(_), .. } | Command::Approvals { .. } | Command::Inbox { .. });
        lists || self.request().is_some()
    }

    /// Whether it is answered with a form: a placeholder should be opened while the trigger lives.
    pub fn opens_form(&self) -> bool {
        matches!(
            self,
            Command::Skip { reason: None, .. }
                | Command::Ask { request: None, .. }
                | Command::Reject { reason: None, .. }
                | Command::NotifyAdd { watch: None }
                | Command::Plan(PlanWish::Edit { .. } | PlanWish::Import(Source::Form))
                | Command::NotifyWebhook { wish: WebhookWish::Make { confirmed: true } }
                | Command::Show { .. }
        )
    }
}
