//! How long things take and how often they are done, for a whole deployment; and what the tests
//! have instead.

pub mod rehearsal;

use std::time::Duration;

/// How long a write is left alone before its outcome is read back, and how fast background work
/// goes. What a release has is the default; tests have less of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Longer than any call takes: after it, the process that announced a call is not making it any more.
    pub lease: Duration,
    /// After a call without any answer, its absence is believed only this long after it: longer
    /// than the proxies on the way keep a request.
    pub proof: Duration,
    /// Between two reads that have to agree.
    pub between: Duration,
    /// A shown key whose secret is not confirmed stays so long.
    pub confirm: Duration,
    /// How often done steps are verified again.
    pub drift: Duration,
    /// How fast the watch over Sekoia goes.
    pub watch: Rhythm,
    /// The loops beside the requests.
    pub loops: Loops,
    /// Messages to the chat.
    pub delivery: Delivery,
    /// Calls that were approved.
    pub execution: Execution,
    /// Calls to Sekoia and to the chat.
    pub calls: Calls,
    /// Slack's WebSockets.
    pub socket_mode: SocketModeTiming,
    /// Whether the chat can be reached.
    pub reach: Reach,
    /// Proofs of who somebody is.
    pub proving: Proving,
    /// How processes on one store know of each other.
    pub beats: Beats,
}

/// How processes on one store know of each other, to share what there is only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beats {
    /// How often a process says that it is there, and looks who else is.
    pub every: Duration,
    /// One that could not for so long uses nothing of what is shared.
    pub stale: Duration,
    /// By then everybody has seen a change, or uses nothing, and Sekoia's second is over: longer than `stale`
    /// and that together. Budgets with a longer window wait for it.
    pub settled: Duration,
    /// Without a word for so long, a process counts no more.
    pub lapse: Duration,
}

impl Default for Beats {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            stale: Duration::from_secs(3),
            settled: Duration::from_secs(5),
            lapse: Duration::from_secs(10),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(12),
            proof: Duration::from_secs(75),
            between: Duration::from_secs(5),
            confirm: Duration::from_mins(15),
            drift: Duration::from_hours(6),
            watch: Rhythm::default(),
            loops: Loops::default(),
            delivery: Delivery::default(),
            execution: Execution::default(),
            calls: Calls::default(),
            socket_mode: SocketModeTiming::default(),
            reach: Reach::default(),
            proving: Proving::RELEASE,
            beats: Beats::default(),
        }
    }
}

/// Proofs of who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proving {
    /// A link is good for so long.
    pub link: Duration,
    /// So long somebody may take at the identity provider.
    pub sign_in: Duration,
}

impl Proving {
    const RELEASE: Self = Self { link: Duration::from_mins(2), sign_in: Duration::from_mins(10) };
}

/// Whether the chat can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// How often each platform is asked.
    pub asked_every: Duration,
    /// The process is not ready when no platform could be reached for so long.
    pub given_up_after: Duration,
}

impl Default for Reach {
    fn default() -> Self {
        Self { asked_every: Duration::from_secs(30), given_up_after: Duration::from_mins(2) }
    }
}

/// How fast the watch over Sekoia goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Whether this process watches at all, if no other one does. A release does; a test that is
    /// about something else need not.
    pub on: bool,
    /// How long a minute of its intervals lasts: a minute, but for those who cannot wait.
    pub minute: Duration,
    /// So long it is the only one that watches, unless it says again that it does. Another one asks
    /// ten times as often, and has taken over within half a minute.
    pub lease: Duration,
    /// What comes so close together is looked at once.
    pub gather: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            on: true,
            minute: Duration::from_mins(1),
            lease: Duration::from_secs(25),
            gather: Duration::from_millis(500),
        }
    }
}

impl Rhythm {
    /// A time of everyday, in this rhythm.
    pub fn of(&self, time: Duration) -> Duration {
        time.mul_f64(self.minute.as_secs_f64() / 60.0)
    }
}

/// The loops beside the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loops {
    /// How often they look when they are not woken.
    pub tick: Duration,
    /// The same for work that another process may have added without waking this one.
    pub shared: Duration,
    /// How often a process without the lease looks whether it has it now.
    pub soon: Duration,
}

impl Default for Loops {
    fn default() -> Self {
        Self { tick: Duration::from_secs(2), shared: Duration::from_millis(500), soon: Duration::from_millis(200) }
    }
}

/// Messages to the chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The first wait after a failure; it doubles.
    pub first_wait: Duration,
    /// So long a card waits for what will have an outcome in a moment.
    pub outcome: Duration,
}

impl Default for Delivery {
    fn default() -> Self {
        Self { first_wait: Duration::from_secs(2), outcome: Duration::from_secs(1) }
    }
}

/// Calls that were approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// The first wait between two sends of a call; it doubles.
    pub first_wait: Duration,
    /// From a call without an answer to the first look: what is there by then was done.
    pub first_look: Duration,
    /// The first wait between two attempts to revoke a key that must not stay; it doubles. Also
    /// between those to record that one was shown.
    pub revoke: Duration,
    /// After those: until it is tried again.
    pub until_gone: Duration,
    /// After the store failed in the middle of a request: it goes on soon when there is room again.
    pub store_failed: Duration,
}

impl Default for Execution {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_secs(2),
            first_look: Duration::from_secs(1),
            revoke: Duration::from_secs(1),
            until_gone: Duration::from_secs(30),
            store_failed: Duration::from_secs(5),
        }
    }
}

/// Calls to Sekoia and to the chat: how many go out, and how long one takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// In which Sekoia gets as many calls as it allows a second.
    pub sekoia: Duration,
    /// The first pause after two errors of Sekoia in a row; it doubles.
    pub pause: Duration,
    /// The longest that a call to Sekoia takes: its firewall flags what takes more than ten seconds.
    pub longest: Duration,
    /// In which a channel of Slack gets three new messages.
    pub slack_posts: Duration,
    /// In which a method of Slack gets as many calls as it allows a minute.
    pub slack_methods: Duration,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            // A call may be on its way for longer than the one after it.
            sekoia: Duration::from_millis(1_050),
            pause: Duration::from_secs(10),
            longest: Duration::from_secs(9),
            slack_posts: Duration::from_secs(3),
            slack_methods: Duration::from_mins(1),
        }
    }
}

/// Slack's WebSockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketModeTiming {
    /// Until Slack's hello.
    pub connect: Duration,
    /// An envelope is acknowledged by then, whatever becomes of it. Slack waits for three seconds.
    pub acknowledge: Duration,
    /// Between two pings of ours. Slack sends its own, too.
    pub ping: Duration,
    /// A connection on which nothing came for so long is dead.
    pub silent: Duration,
    /// One that has a successor serves for so long: Slack closes it by then.
    pub replaced: Duration,
    /// Until a frame is sent, or the other side has closed.
    pub close: Duration,
    /// Before the first attempt to connect again, doubling up to `longest_wait`.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// After what does not change by itself.
    pub refused_wait: Duration,
    /// A connection that lasted so long was a good one: waiting begins anew.
    pub stable: Duration,
}

impl SocketModeTiming {
    const RELEASE: Self = Self {
        connect: Duration::from_secs(10),
        acknowledge: Duration::from_millis(2_500),
        ping: Duration::from_secs(15),
        silent: Duration::from_secs(40),
        replaced: Duration::from_secs(10),
        close: Duration::from_secs(5),
        first_wait: Duration::from_millis(500),
        longest_wait: Duration::from_secs(30),
        refused_wait: Duration::from_mins(1),
        stable: Duration::from_mins(1),
    };
}

impl Default for SocketModeTiming {
    fn default() -> Self {
        Self::RELEASE
    }
}

impl Timing {
    /// For those who cannot wait: the tests, and the processes that they end. A minute of the watch
    /// lasts as long as ever.
    pub const QUICK: Self = Self {
        lease: Duration::from_millis(400),
        proof: Duration::from_millis(900),
        between: Duration::from_millis(100),
        confirm: Duration::from_mins(15),
        drift: Duration::from_hours(6),
        watch: Rhythm {
            on: true,
            minute: Duration::from_mins(1),
            lease: Duration::from_secs(3),
            gather: Duration::from_millis(20),
        },
        loops: Loops {
            tick: Duration::from_millis(100),
            shared: Duration::from_millis(100),
            soon: Duration::from_millis(20),
        },
        delivery: Delivery { first_wait: Duration::from_millis(100), outcome: Duration::from_millis(200) },
        execution: Execution {
            first_wait: Duration::from_millis(100),
            first_look: Duration::from_millis(100),
            revoke: Duration::from_millis(100),
            until_gone: Duration::from_millis(500),
            store_failed: Duration::from_millis(200),
        },
        calls: Calls {
            sekoia: Duration::from_millis(50),
            pause: Duration::from_millis(500),
            longest: Duration::from_secs(9),
            slack_posts: Duration::from_millis(50),
            slack_methods: Duration::from_mins(1),
        },
        socket_mode: SocketModeTiming {
            first_wait: Duration::from_millis(20),
            longest_wait: Duration::from_millis(200),
            refused_wait: Duration::from_millis(300),
            replaced: Duration::from_millis(100),
            ..SocketModeTiming::RELEASE
        },
        // A test that is about something else is not asked about in between.
        reach: Reach { asked_every: Duration::from_secs(30), given_up_after: Duration::from_mins(2) },
        proving: Proving::RELEASE,
        beats: Beats {
            every: Duration::from_millis(250),
            stale: Duration::from_millis(2_500),
            settled: Duration::from_secs(3),
            lapse: Duration::from_secs(4),
        },
    };
}

#[cfg(debug_assertions)]
pub fn timing() -> Timing {
    use rehearsal::TIMING;

    let set = std::env::var(TIMING).unwrap_or_default();
    let times: Vec<u64> = set.split(',').filter_map(|ms| ms.parse().ok()).collect();
    match times.as_slice() {
        [lease, proof, between, confirm, rest @ ..] => Timing {
            lease: Duration::from_millis(*lease),
            proof: Duration::from_millis(*proof),
            between: Duration::from_millis(*between),
            confirm: Duration::from_millis(*confirm),
            watch: match rest {
                [0, ..] => Rhythm { on: false, ..Timing::QUICK.watch },
                [minute, ..] => Rhythm { minute: Duration::from_millis(*minute), ..Timing::QUICK.watch },
                // What comes close together is gathered as ever; a successor waits for no long lease.
                [] => Rhythm { lease: Timing::QUICK.watch.lease, ..Rhythm::default() },
            },
            ..Timing::QUICK
        },
        _ => Timing::default(),
    }
}

#[cfg(not(debug_assertions))]
pub fn timing() -> Timing {
    Timing::default()
}

/// The organisation's identity provider.
pub mod identity {
    use std::time::Duration;

    /// The longest that a call to it takes; somebody waits before their browser.
    pub const ASKED_WITHIN: Duration = Duration::from_secs(8);
    /// What it says of itself is believed for so long.
    pub const METADATA_KEPT: Duration = Duration::from_mins(10);
    /// Seconds by which its clock and the bot's may differ.
    pub const CLOCK_SKEW: i64 = 60;
    /// So long the start waits for it.
    pub const ASKED_AT_START: Duration = Duration::from_secs(5);
}

/// Messages that are owed to the chat.
pub mod delivery {
    use jiff::SignedDuration;
    use std::time::Duration;

    /// Clocks of the bot and of the chat may differ.
    pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);
    /// A row that cannot be read is looked at again, by a newer release.
    pub const UNREADABLE_WAITS: SignedDuration = SignedDuration::from_hours(1);
    /// A message that counts and may not be edited is posted anew no more often.
    pub const BETWEEN_REPLACEMENTS: SignedDuration = SignedDuration::from_mins(10);
    /// How long the requester waits to hear whether the card stands.
    pub const CARD_PATIENCE: Duration = Duration::from_secs(2);
    /// How often it is looked whether another process posted it.
    pub const CARD_LOOK: Duration = Duration::from_millis(200);
    /// So long it is remembered what a settled message shows.
    pub const SETTLED_KEPT: Duration = Duration::from_mins(1);
    /// How far back an unrecorded post is looked for.
    pub const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);
    /// The longest wait after a failure.
    pub const LONGEST_WAIT: Duration = Duration::from_mins(10);
    /// The longest one where nothing but another message or another release of the bot helps.
    pub const LONGEST_OF_ALL: Duration = Duration::from_hours(6);
    /// That a message was replaced is remembered for so long: a button of Mattermost's lives no longer.
    pub const REPLACED_KEPT: SignedDuration = SignedDuration::from_hours(180 * 24);
}

/// Requests, and the calls that were approved.
pub mod approvals {
    use jiff::SignedDuration;
    use std::time::Duration;

    /// The longest wait before a checklist that could not be changed is tried again.
    pub const SYNC_LONGEST_WAIT: Duration = Duration::from_mins(10);
    /// What cannot be read now is looked at again then.
    pub const UNREADABLE_LOOKED_AT_AFTER: Duration = Duration::from_mins(5);
    /// A block at Sekoia's firewall lasts up to ten minutes.
    pub const CALL_LONGEST_WAIT: Duration = Duration::from_mins(10);
    /// So long reading back is tried, once it could prove something.
    pub const READ_BACK_FOR: Duration = Duration::from_mins(3);
    /// At a stop, a call that is being made has so long: every one does.
    pub const LAST_CALL: Duration = Duration::from_secs(9);
    /// How often a freeze is looked at by what waits for its end; lifting it wakes all.
    pub const FROZEN_LOOK: Duration = Duration::from_mins(1);
    /// Before it is looked at again whether a person who was gone is back.
    pub const ABSENT_LOOKED_AT_AFTER: Duration = Duration::from_mins(5);
    /// A long list of calls is not held up by looking for every one of them.
    pub const PRESENCE_BELIEVED: Duration = Duration::from_secs(30);
    /// How often Sekoia is asked who came.
    pub const INVITATIONS_LOOKED_AT_EVERY: Duration = Duration::from_hours(1);
    /// Then they are not waited for any more.
    pub const INVITATIONS_WAITED_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);
    /// Sekoia's documentation: the link lives so long.
    pub const INVITATION_LINK_LIVES: SignedDuration = SignedDuration::from_hours(24);
    /// Clocks differ: what was created so long before the call may still be of the call.
    pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);
    /// The longest wait between two attempts to revoke a key that must not stay.
    pub const REVOKE_LONGEST_WAIT: Duration = Duration::from_secs(4);
}

/// Events at Sekoia.
pub mod watching {
    use jiff::SignedDuration;
    use std::time::Duration;

    /// Sekoia's clock may be ahead.
    pub const CLOCK_AHEAD: SignedDuration = SignedDuration::from_hours(1);
    /// A rule fires for nothing from before, however late it is first looked at.
    pub const FIRST_LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
    /// For so long it is known what a channel was notified of. A hint is tried for about a day.
    pub const SAID_KEPT: SignedDuration = SignedDuration::from_hours(48);
    /// The longest wait of a hint that cannot be followed.
    pub const HINT_LONGEST_WAIT: Duration = Duration::from_mins(5);
    /// How often alerts are read while nothing is heard.
    pub const READ_WHILE_NOTHING_IS_HEARD: Duration = Duration::from_mins(1);
    /// How often they are read although everything seems to be heard.
    pub const READ_WHILE_HEARD: Duration = Duration::from_mins(10);
    /// Before what failed is tried again, if Sekoia does not say.
    pub const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(20);
    /// How often hints are looked for without being woken.
    pub const HINT_TICK: Duration = Duration::from_secs(2);
    /// At a stop there is so long for what is not said yet.
    pub const LAST_WORDS: Duration = Duration::from_secs(5);
    /// A run is listed by its start, and may fail as long after it.
    pub const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(2);
    /// Nothing older is reported, however long Sekoia could not be read.
    pub const OLDEST_RUN: SignedDuration = SignedDuration::from_hours(24);
    /// How often it is asked whether something is due.
    pub const POLL_TICK: Duration = Duration::from_secs(2);
    /// What failed is tried again after its interval, but after so long if that is longer.
    pub const POLL_LONGEST_WAIT: Duration = Duration::from_mins(10);
    /// How often it is stored how the rules do, if that changed.
    pub const HEALTH_STORED_EVERY: Duration = Duration::from_secs(3);
    /// How often it is stored although nothing changed.
    pub const HEALTH_REPEATED_EVERY: Duration = Duration::from_mins(1);
    /// A process that stored nothing for so long does not watch any more.
    pub const HEALTH_STALE_AFTER: Duration = Duration::from_mins(3);
    /// Another process may have changed rules.
    pub const RULES_READ_EVERY: Duration = Duration::from_secs(5);
    /// The same where other processes change them.
    pub const SHARED_RULES_READ_EVERY: Duration = Duration::from_secs(1);
    /// Where it is unknown since when events are waited for, so much counts as new.
    pub const NEW_IF_UNKNOWN: SignedDuration = SignedDuration::from_hours(24);
    /// So long is too long where no rule says it.
    pub const LONGEST_SILENCE: SignedDuration = SignedDuration::from_hours(24);
}

/// Notification rules.
pub mod rules {
    use std::time::Duration;

    /// Between two looks at an alert of which it is not known whether it was moved.
    pub const BETWEEN_LOOKS: Duration = Duration::from_millis(700);
    /// So long the chart is waited for before the text is shown without it.
    pub const SUMMARY_PATIENCE: Duration = Duration::from_secs(12);
}

/// The checklist's commands.
pub mod steps {
    use std::time::Duration;

    /// Help waits no longer for the reader's rights.
    pub const HELP_PATIENCE: Duration = Duration::from_millis(1_500);
    /// An answer waits no longer for the reader's rights.
    pub const WELCOME_PATIENCE: Duration = Duration::from_secs(2);
}

/// Commands, the worker and the lease.
pub mod bot {
    use std::time::Duration;

    /// A recorded change that waits longer is taken up again: the request that brought it must have
    /// died, for no request takes that long.
    pub const TAKEN_UP_AFTER: Duration = Duration::from_mins(2);
    /// Slack waits three seconds for an acknowledgement: what is not recorded by then is not recorded.
    pub const RECORDED_WITHIN: Duration = Duration::from_secs(2);
    /// An answer for which a shared store is asked stands in the acknowledgement if it comes within this time.
    pub const ANSWERED_AT_ONCE: Duration = Duration::from_millis(250);
    /// An answer waits no longer for a name.
    pub const NAMES_PATIENCE: Duration = Duration::from_secs(2);
    /// Deliveries are remembered for longer than any platform repeats them.
    pub const DELIVERIES_KEPT: Duration = Duration::from_hours(24);
}

/// Reminders of steps that are due.
pub mod reminders {
    use std::time::Duration;

    /// A plan is made again at least so often: people move, and clocks are set.
    pub const REPLANNED_AFTER: Duration = Duration::from_hours(7 * 24);
    /// The chat does not say by which clock somebody lives: it is asked again then.
    pub const AGAIN_AFTER: Duration = Duration::from_mins(10);
    /// The chat does not say who can decide a request: it is asked again then, and they are reminded.
    pub const DECIDERS_AGAIN_AFTER: Duration = Duration::from_mins(1);
}

/// Pages of what waits for one person.
pub mod homes {
    use std::time::Duration;

    use jiff::SignedDuration;

    /// How often one is looked at although nothing changed here: who is in which group, and what is late.
    pub const LOOKED_AT_EVERY: Duration = Duration::from_mins(10);
    /// The same after the platform did not take it.
    pub const AGAIN_AFTER: Duration = Duration::from_mins(1);
    /// One that nobody opened for so long is forgotten until it is opened again.
    pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
}

/// Slack's calls, and what is remembered of its answers.
pub mod slack {
    use std::time::Duration;

    /// One call, sent once. slack-morphism has no time-out of its own.
    pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);
    /// A longer `Retry-After` is not waited for: the caller decides what to do with the time.
    pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);
    /// Who somebody is, and whether a channel is shared: Slack itself lets nobody act who left.
    pub const FACTS_KEPT: Duration = Duration::from_mins(5);
    /// Whether a channel is shared, while Slack lets the bot ask about no more channels.
    pub const CHANNELS_KEPT: Duration = Duration::from_mins(30);
    /// Who is an operator or approver by a group.
    pub const MEMBERSHIP_KEPT: Duration = Duration::from_mins(1);
    /// What is asked before a request is acknowledged, for which Slack waits three seconds in all.
    pub const BEFORE_ACKNOWLEDGED: Duration = Duration::from_millis(1_500);
    /// A message that names the bot waits no longer for its name.
    pub const NAME_PATIENCE: Duration = Duration::from_millis(500);
    /// A person's conversation with the app stays the same.
    pub const DIRECT_KEPT: Duration = Duration::from_hours(1);
    /// A form waits for three seconds in all.
    pub const FILE_TIMEOUT: Duration = Duration::from_secs(2);
}

/// Mattermost's calls, and what is remembered of its answers.
pub mod mattermost {
    use jiff::SignedDuration;
    use std::time::Duration;

    /// One call, sent once.
    pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);
    /// A longer `Retry-After` is not waited for: the caller decides what to do with the time.
    pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);
    /// A press is read anew before it counts; this is for everything else that names people.
    pub const FACTS_KEPT: Duration = Duration::from_mins(1);
    /// An administrator may change them meanwhile.
    pub const SETTINGS_KEPT: Duration = Duration::from_mins(5);
    /// The answer to a command waits no longer for its author to be known.
    pub const AUTHOR_PATIENCE: Duration = Duration::from_millis(500);
    /// A person's conversation with the bot stays the same.
    pub const DIRECT_KEPT: Duration = Duration::from_hours(1);
    /// In which a server takes a hundred calls.
    pub const CALLS_WITHIN: Duration = Duration::from_secs(10);
    /// An answer that comes by then stands in the reply; a later one follows.
    pub const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);
    /// Where nothing can follow, the reply is waited for as long as Mattermost waits.
    pub const LONGEST_ANSWER: Duration = Duration::from_secs(25);
    /// A message may stand for months before a person presses something on it.
    pub const BUTTON_LIVES: SignedDuration = SignedDuration::from_hours(24 * 180);
    /// A person who fills in a form is done with it by then.
    pub const FORM_LIVES: SignedDuration = SignedDuration::from_hours(1);
    /// A mention that was not heard is acted upon if it is no older when it is read. Clocks may differ by as
    /// much: so long before the last moment that was heard, reading begins.
    pub const MENTIONS_READ_BACK: SignedDuration = SignedDuration::from_mins(10);
    /// An older one is answered. Shorter than deliveries are remembered.
    pub const MENTIONS_ANSWERED: SignedDuration = SignedDuration::from_hours(12);
    /// Before posts that could not be read are read again; doubling up to the longest.
    pub const READ_AGAIN_AFTER: Duration = Duration::from_secs(2);
    pub const READ_AGAIN_LONGEST: Duration = Duration::from_mins(1);
}

/// The demo's page.
pub mod page {
    use std::time::Duration;

    /// A window that lost its server looks for it this often.
    pub const RECONNECT_AFTER: Duration = Duration::from_millis(500);
    /// Changes that come together are written together.
    pub const GATHERED_WITHIN: Duration = Duration::from_millis(200);
    /// A window without a stream, and without anything to show, for so long was closed.
    pub const WINDOW_KEPT: Duration = Duration::from_mins(2);
}

/// What every platform does alike.
pub mod platform {
    use std::time::Duration;

    /// A peer that stops in the middle of its body is let go.
    pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);
    /// The log has one line for what was refused in such a time.
    pub const REFUSALS_LOGGED_EVERY: Duration = Duration::from_mins(1);
    /// How long an answer that only some need is waited for.
    pub const ANSWER_PATIENCE: Duration = Duration::from_secs(3);
    /// How long it is then not asked for again.
    pub const FAILURE_KEPT: Duration = Duration::from_secs(10);
    /// An older answer is believed so long before it is asked again, while the platform asks to wait.
    pub const ASKED_AGAIN: Duration = Duration::from_secs(30);
    /// They are counted again after such a time.
    pub const WEBHOOK_WINDOW: Duration = Duration::from_secs(1);
}

/// Sekoia's calls.
pub mod sekoia {
    use jiff::SignedDuration;
    use std::time::Duration;

    /// So long after its date, by Sekoia's clock, an alert is in the list for sure. Not documented:
    /// an alert is dated before it is indexed, which takes a moment.
    pub const LISTED_WITHIN: SignedDuration = SignedDuration::from_secs(5);
    /// Before each look at a search.
    pub const SEARCH_PAUSE: Duration = Duration::from_millis(700);
    /// A connection stands within this time, or is given up.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
    /// A person waits this long for a pause to end; a longer one is an error at once.
    pub const LONGEST_PAUSE_WAITED: Duration = Duration::from_secs(3);
    /// So long a call waits for its turn among others.
    pub const TURN_PATIENCE: Duration = Duration::from_secs(10);
    /// How long a 403 is remembered: a key's permissions cannot change.
    pub const FORBIDDEN_FOR: Duration = Duration::from_mins(10);
    /// Two errors within this time: pause (Sekoia's WAF guidance).
    pub const ERRORS_WITHIN: Duration = Duration::from_secs(10);
    /// The longest pause after errors in a row.
    pub const LONGEST_PAUSE: Duration = Duration::from_mins(5);
}

/// The HTTP server and its health.
pub mod server {
    use std::time::Duration;

    /// How often Sekoia is asked how it is doing.
    pub const CHECKED_EVERY: Duration = Duration::from_mins(1);
    /// How often something is written to see whether it can be.
    pub const STORE_PROBED_EVERY: Duration = Duration::from_secs(10);
    /// The same while it cannot.
    pub const STORE_PROBED_AGAIN: Duration = Duration::from_secs(2);
    /// What is stored is read no more often for who measures it.
    pub const FIGURES_KEPT: Duration = Duration::from_secs(2);
    /// How long `/metrics` waits for the store.
    pub const FIGURES_PATIENCE: Duration = Duration::from_secs(2);
    /// Sessions are counted one by one.
    pub const SESSIONS_COUNTED_EVERY: Duration = Duration::from_mins(1);
}

/// Spans.
pub mod telemetry {
    use std::time::Duration;

    /// How long a call to the collector takes at most, unless the environment says otherwise.
    pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
    /// At the end the last spans have this long.
    pub const LAST_SPANS: Duration = Duration::from_secs(5);
}

/// The store.
pub mod store {
    use std::time::Duration;

    /// No lease is longer: one that ends later was taken while the clock was ahead, and is over.
    pub const MOST_LEASE: Duration = Duration::from_mins(1);
    /// How long a commit in the background may wait for other programs.
    pub const COMMIT_PATIENCE: Duration = Duration::from_secs(5);
    /// How long a page that is moved from another store may take.
    pub const MOVE_PATIENCE: Duration = Duration::from_mins(1);
    /// The same where a person waits for an answer, or the next attempt comes soon.
    pub const COMMIT_IMPATIENCE: Duration = Duration::from_secs(2);
    /// How long one attempt to begin waits for another program: a wait that is given up ends by then.
    pub const ATTEMPT_PATIENCE: Duration = Duration::from_millis(200);
    /// How long a server's answer to a commit is waited for, and then for what it recorded.
    pub const SETTLED_WITHIN: Duration = Duration::from_secs(3);
    /// A transaction of which nothing was heard for so long is ended by the server: its process is halted or gone.
    pub const LEFT_ALONE: Duration = Duration::from_secs(10);
    /// Between two attempts after a lost race or connection, on average.
    pub const LOST_RACE: Duration = Duration::from_millis(40);
    /// Where other processes hear of channels' new ids too, they are read again after so long.
    pub const MOVED_READ_EVERY: Duration = Duration::from_secs(1);
    /// How long a look at a version may take before what is in memory is taken instead.
    pub const VERSION_PATIENCE: Duration = Duration::from_secs(1);
    /// How soon what is sealed with another key is looked for again while there is any, and after a start: a
    /// replica takes less to stop once another one is in its place.
    pub const RESEAL_SOON: Duration = Duration::from_mins(1);
    /// How seldom, once there was none for a while.
    pub const RESEAL_SELDOM: Duration = Duration::from_hours(1);
}

/// The start and the end of the program.
pub mod program {
    use std::time::Duration;

    /// After the stop, requests in flight have this long.
    pub const LAST_REQUESTS: Duration = Duration::from_secs(5);
    /// At the end the worker and the watch have this long for the calls that they are making.
    pub const LAST_CALLS: Duration = Duration::from_secs(10);
    /// Then what was acknowledged has this long: longer than any call to Sekoia or Slack.
    pub const LAST_ANSWERS: Duration = Duration::from_secs(20);
    /// At the end a scrape of the metrics, taking leave of the other replicas and the store's closing have this long each.
    pub const LAST_MOMENT: Duration = Duration::from_secs(1);
    /// So long a platform is waited for before the bot serves without having asked it.
    pub const CHAT_ASKED_AT_START: Duration = Duration::from_secs(3);
}

/// What `doctor` waits for.
pub mod doctor {
    use std::time::Duration;

    use jiff::SignedDuration;

    /// One part of it, with every call that it makes.
    pub const EXAMINED_WITHIN: Duration = Duration::from_secs(20);
    /// The bot's own public address.
    pub const REACHED_WITHIN: Duration = Duration::from_secs(6);
    /// A WebSocket that takes the bot's token.
    pub const HEARD_WITHIN: Duration = Duration::from_secs(8);
    /// The port of the bot on the same machine.
    pub const KNOCKED_WITHIN: Duration = Duration::from_secs(2);
    /// A watch that was not heard of for so long has ended: it says every minute that it goes on.
    pub const WATCH_STALE: SignedDuration = SignedDuration::from_mins(5);
    /// A source that was not read whole for so long is behind: the slowest is read more often.
    pub const WATCH_BEHIND: SignedDuration = SignedDuration::from_hours(1);
}

/// Turns of a budget.
pub mod pace {
    use std::time::Duration;

    /// A longer wait that the other side asks for is not believed.
    pub const LONGEST_HOLD: Duration = Duration::from_mins(15);
    /// How often background work looks whether the people are gone.
    pub const YIELD: Duration = Duration::from_millis(20);
    /// No budget that processes share has a longer window: it is remembered for so long what they could use.
    pub const LONGEST_WINDOW: Duration = Duration::from_mins(1);
}

/// Names of hosts.
pub mod resolve {
    use std::time::Duration;

    /// How long an address is shared.
    pub const ADDRESS_KEPT: Duration = Duration::from_secs(10);
    /// How long it is that there was none.
    pub const FAILURE_KEPT: Duration = Duration::from_secs(3);
}

/// What is sent again.
pub mod retry {
    use std::time::Duration;

    /// Before the second send, at least; twice as long before the third.
    pub const FIRST_WAIT: Duration = Duration::from_millis(300);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_has_taken_over_within_half_a_minute() {
        let lease = Rhythm::default().lease;
        assert!(lease + lease / 10 < Duration::from_secs(30));
    }

    #[test]
    fn what_grows_does_so_when_a_second_is_over_and_is_remembered_for_the_longest_window() {
        for Timing { calls, beats, .. } in [Timing::default(), Timing::QUICK] {
            assert!(beats.settled >= beats.stale + calls.sekoia);
            // Whoever is not counted any more has nothing by then.
            assert!(beats.lapse > beats.stale);
            for window in [calls.sekoia, calls.slack_posts, calls.slack_methods, mattermost::CALLS_WITHIN] {
                assert!(window <= pace::LONGEST_WINDOW);
            }
        }
    }
}
