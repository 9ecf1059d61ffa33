//! `kill -9` of the built program at every point where something can be half done.
//!
//! The table is not written by hand: one story is told again and again, killed after its first
//! commit, after its second, and so on until nothing is left to be killed; the same before and
//! after every call to Sekoia and to the chat. Then the program is started again, and the people do
//! what people do: they look, and press what is there to be pressed.

mod bundle;
mod proof;
mod replaced;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sekoia_chatops::sandbox;
use tokio::sync::Semaphore;

use crate::harness::hook::Stage as At;
use crate::harness::{Platform, SOC, Seen, Setting, Stage, id_in, on_both};

/// Where the program is killed.
#[derive(Debug, Clone, Copy)]
enum Point {
    Commit(usize),
    Sekoia(usize, sandbox::Stage),
    Chat(usize, At),
}

/// Points of a table that are tried together.
const AT_ONCE: usize = 8;
/// Programs that run at the same time, all tables together: each has its own and must be quick.
static RUNNING: Semaphore = Semaphore::const_new(10);
/// By then everything has come to rest, on a busy machine too.
const LONG: Duration = Duration::from_secs(120);

/// Ends a process as `kill -9` does.
fn kill(process: u32) {
    let _ = std::process::Command::new("sh").args(["-c", &format!("kill -9 {process}")]).status();
}

/// Whether a message is the card of this request, or the checklist.
fn is_about(seen: &Seen, says: &str) -> bool {
    let text = seen.text();
    text.contains(says) && (text.contains("SHA-256") || says.starts_with("Sekoia workspace"))
}

/// What somebody does.
enum Act {
    Say(&'static str, String),
    Press(&'static str, Seen, &'static str),
    /// A button that leads to a form.
    Open(&'static str, Seen, &'static str),
    Save(&'static str, Seen),
}

impl Act {
    fn say(user: &'static str, text: &str) -> Option<Self> {
        Some(Act::Say(user, text.to_owned()))
    }

    fn press(user: &'static str, on: &Seen, label: &'static str) -> Option<Self> {
        Some(Act::Press(user, on.clone(), label))
    }
}

/// The people, and what they see of the channel.
struct Story {
    stage: Stage,
    killed: bool,
    /// What the forms showed, in their order.
    forms: usize,
}

impl Story {
    /// A channel that is set up, and no bot: every story begins there.
    async fn set_up(platform: Platform) -> Stage {
        Self::set_up_with(platform, Setting { durable: true, file: true, ..Setting::default() }).await
    }

    /// The same on a server, where two processes serve it.
    async fn set_up_on_server(platform: Platform, joins: bool) -> Stage {
        Self::set_up_with(platform, Setting { server: true, joins, ..Setting::default() }).await
    }

    async fn set_up_with(platform: Platform, setting: Setting) -> Stage {
        let mut stage = Stage::begin(platform, setting).await;
        stage.start().await;
        stage.set_up().await;
        stage.stop().await;
        stage
    }

    /// The program about to be killed, on a copy of what was set up.
    async fn begin(set_up: &Stage, point: Point) -> Self {
        let mut stage = set_up.copy().await;
        let (process, calls) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicUsize::new(0)));
        let commits = match point {
            Point::Commit(n) => n.to_string(),
            Point::Sekoia(..) | Point::Chat(..) => usize::MAX.to_string(),
        };
        let crash = [("CHATOPS_REHEARSE_CRASH_AFTER_COMMITS", &*commits)];
        if stage.is_on_server() {
            // Beside another one, which goes on; people's requests reach the one that is to be killed.
            stage.start_pair(&crash).await;
        } else {
            stage.start_program_with(&crash).await;
        }
        // One that is killed after a commit may be gone by now.
        process.store(stage.process().unwrap_or(u32::MAX), Ordering::SeqCst);
        let shot = move |n: usize| {
            if calls.fetch_add(1, Ordering::SeqCst) + 1 == n {
                kill(process.load(Ordering::SeqCst));
            }
        };
        match point {
            Point::Commit(_) => {}
            Point::Sekoia(n, at) => stage.sekoia.on_call(move |_, stage| {
                if stage == at {
                    shot(n)
                }
            }),
            Point::Chat(n, at) => stage.chat.on_call(move |stage| {
                if stage == at {
                    shot(n)
                }
            }),
        }
        Self { stage, killed: false, forms: 0 }
    }

    /// Does something as a person does: an answer that does not come is a reason to look again.
    async fn act(&mut self, act: &Act) {
        self.revive().await;
        match act {
            Act::Say(user, text) => self.stage.try_say(user, text).await,
            Act::Press(user, on, label) => self.stage.try_press(user, on, label).await,
            Act::Open(user, on, label) => self.stage.try_open(user, on, label).await,
            Act::Save(user, form) => self.stage.try_submit(user, form).await,
        }
    }

    /// Starts the program again if it was killed.
    async fn revive(&mut self) {
        if self.stage.process().is_some() {
            return;
        }
        self.killed = true;
        if self.stage.is_on_server() {
            self.stage.through(1);
        } else {
            self.stage.start_program().await;
        }
    }

    /// The app's message in the channel that says so, as it stands there now.
    fn standing(&self, says: &str) -> Option<Seen> {
        self.stage.chat.standing(SOC).into_iter().find(|seen| is_about(seen, says))
    }

    /// How often somebody looks before they do it again. Where another process takes it up, that one
    /// first has to know that the first one is gone.
    fn pauses(&self) -> usize {
        if self.stage.is_on_server() { 240 } else { 60 }
    }

    /// Does something until it shows, however often that takes.
    async fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> Option<T>, act: Option<Act>) -> T {
        let began = Instant::now();
        loop {
            if let Some(act) = &act {
                self.act(act).await;
            }
            // A recorded request is taken up by the next start: nobody says it again at once.
            for _ in 0..self.pauses() {
                self.revive().await;
                if let Some(found) = look(self) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(began.elapsed() < LONG, "{what} never came:\n{}", self.stage.chat.dump());
        }
    }

    /// From the question to the end; whether the program was killed on the way.
    async fn tell(mut self) -> bool {
        let people = "Invite 2 people as Analyst";
        let card = self
            .until(
                "the first card",
                |s| s.standing(people),
                Act::say("alice", "invite ana@nimbus.example bob@nimbus.example"),
            )
            .await;
        self.until(
            "the approval",
            |s| s.standing(people).filter(|card| !card.text().contains("Approval needed")),
            Act::press("bob", &card, "Approve"),
        )
        .await;
        self.until(
            "the end of the invitations",
            |s| s.standing(people).filter(|card| card.text().contains("2 of 2 done")),
            None,
        )
        .await;

        // What was not approved never comes into being.
        let ghost = "Create the role Ghost";
        let card = self
            .until(
                "the card of the role",
                |s| s.standing(ghost),
                Act::say("alice", "role create Ghost with read-alerts"),
            )
            .await;
        let reject = format!("reject {} no", id_in(&card));
        self.until(
            "the rejection",
            |s| s.standing(ghost).filter(|card| card.text().starts_with("Rejected")),
            Act::say("bob", &reject),
        )
        .await;

        let key = "Create the API key forwarder";
        let card = self
            .until(
                "the second card",
                |s| s.standing(key),
                Act::say("alice", "key create forwarder for read-alerts expires 30d"),
            )
            .await;
        self.until(
            "the approval of the key",
            |s| s.standing(key).filter(|card| !card.text().contains("Approval needed")),
            Act::press("carol", &card, "Approve"),
        )
        .await;
        // Pressed again whenever the card offers it again; saved as soon as there is something.
        let began = Instant::now();
        while self.standing(key).is_none_or(|card| !card.text().contains("shown once and saved")) {
            self.revive().await;
            let card = self.standing(key).expect("a card");
            if card.text().contains("[Create and show]") {
                self.act(&Act::Open("alice", card, "Create and show")).await;
            } else if let Some(form) = self.secret_form() {
                self.act(&Act::Save("alice", form)).await;
            } else if card.text().contains("[I saved it]") {
                // Her answer to the form was lost with the program.
                self.act(&Act::Press("alice", card, "I saved it")).await;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            assert!(began.elapsed() < LONG, "the key never came:\n{}", self.stage.chat.dump());
        }
        self.until(
            "the checklist at rest",
            |s| s.standing("Sekoia workspace setup").filter(|c| !c.text().contains('⏳')),
            None,
        )
        .await;
        self.until("the last news", |s| s.news("Done: *Create the API key").then_some(()), None).await;
        self.check().await;
        self.killed
    }

    fn news(&self, says: &str) -> bool {
        self.stage.chat.standing_alone("alice").iter().any(|seen| seen.text().contains(says))
    }

    /// The newest form that shows a secret and was not sent yet.
    fn secret_form(&mut self) -> Option<Seen> {
        let forms = self.stage.chat.forms_saying("It is shown here once");
        let newest = forms.get(self.forms..)?.last()?.clone();
        self.forms = forms.len();
        Some(newest)
    }

    /// Sekoia holds exactly one of what was approved, every message tells the truth, once, and no
    /// secret is anywhere.
    async fn check(&mut self) {
        let s = &mut self.stage;
        let (invited, active, all) = s.sekoia.edit(|world| {
            let invited: Vec<usize> = ["ana@nimbus.example", "bob@nimbus.example"]
                .iter()
                .map(|a| world.members.iter().filter(|m| m.user.invited_email.as_deref() == Some(*a)).count())
                .collect();
            let named: Vec<_> = world.keys.iter().filter(|k| k.name == "forwarder").collect();
            (invited, named.iter().filter(|k| k.revoked_at.is_none()).count(), named.len())
        });
        assert_eq!((invited, active), (vec![1, 1], 1), "of {all} keys");
        assert!(s.sekoia.edit(|world| world.role("Ghost").is_none()), "a role that nobody approved");
        let posts = s.sekoia.calls().iter().filter(|c| c.path == "/v1/invitations" && c.status == 204).count();
        assert_eq!(posts, 2, "an invitation was sent twice");
        let cards = ["Invite 2 people as Analyst", "Create the role Ghost", "Create the API key forwarder"];
        for says in cards.into_iter().chain(["Sekoia workspace setup"]) {
            let standing = s.chat.standing(SOC).iter().filter(|seen| is_about(seen, says)).count();
            assert_eq!(standing, 1, "messages that say {says:?}");
        }
        let told = |says: &str| s.chat.standing_alone("alice").iter().filter(|n| n.text().contains(says)).count();
        for says in ["Done: *Invite 2 people", "Rejected by @bob", "Done: *Create the API key"] {
            assert_eq!(told(says), 1, "news that say {says:?}");
        }
        // That a key may be created is no news any more to somebody who pressed for it first.
        assert!(told("Approved: *Create the API key") <= 1);
        s.kill_program();
        s.verify_audit();
        let mut kept = s.chat.dump_without_forms().into_bytes();
        kept.extend(s.logs());
        if s.is_on_server() {
            kept.extend(s.contents().await.into_bytes());
        }
        for suffix in ["", "-wal"] {
            let Some(path) = s.database() else { break };
            kept.extend(std::fs::read(format!("{}{suffix}", path.display())).unwrap_or_default());
        }
        for secret in s.sekoia.secrets() {
            assert!(!kept.windows(secret.len()).any(|w| w == secret.as_bytes()), "a secret was kept");
        }
        assert_eq!(s.chat.violations(), Vec::<String>::new());
    }
}

/// Kills at the first point, the second, and so on, until the story ends before its point comes.
/// How many points there are.
fn all(platform: Platform, point: impl Fn(usize) -> Point + Copy + Send + 'static) -> usize {
    all_of(platform, point, |story| Box::pin(story.tell()))
}

/// The same of any story.
fn all_of(
    platform: Platform,
    point: impl Fn(usize) -> Point + Copy + Send + 'static,
    tell: fn(Story) -> BoxFuture<'static, bool>,
) -> usize {
    all_from(platform, || Story::set_up(platform), point, tell)
}

/// The same from another beginning.
fn all_from<S: Future<Output = Stage>>(
    platform: Platform,
    set_up: impl FnOnce() -> S,
    point: impl Fn(usize) -> Point + Copy + Send + 'static,
    tell: fn(Story) -> BoxFuture<'static, bool>,
) -> usize {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.expect("a runtime").block_on(async move { killed_at_each(platform, set_up().await, point, tell).await })
}

async fn killed_at_each(
    platform: Platform,
    set_up: Stage,
    point: impl Fn(usize) -> Point + Copy + Send + 'static,
    tell: fn(Story) -> BoxFuture<'static, bool>,
) -> usize {
    let (set_up, mut first) = (Arc::new(set_up), 1);
    loop {
        let told = (first..first + AT_ONCE).map(|n| {
            let set_up = Arc::clone(&set_up);
            tokio::spawn(async move {
                let _running = RUNNING.acquire().await.expect("it is never closed");
                tell(Story::begin(&set_up, point(n)).await).await
            })
        });
        let mut killed = Vec::new();
        for (n, story) in told.collect::<Vec<_>>().into_iter().enumerate() {
            killed.push(story.await.unwrap_or_else(|_| panic!("killed at {:?} on {platform:?}", point(first + n))));
        }
        let points = killed.iter().take_while(|killed| **killed).count();
        if points < AT_ONCE {
            return first + points - 1;
        }
        first += AT_ONCE;
    }
}

/// The same of one of two processes, of which the other one goes on.
fn all_on_server(joins: bool, point: impl Fn(usize) -> Point + Copy + Send + 'static) -> usize {
    let set_up = || Story::set_up_on_server(Platform::Slack, joins);
    all_from(Platform::Slack, set_up, point, |story| Box::pin(story.tell()))
}

#[test]
#[ignore = "needs PostgreSQL"]
fn one_of_two_after_every_commit() {
    let points = all_on_server(false, Point::Commit);
    assert!(points > 25, "only {points} commits");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn one_that_joined_another_after_every_commit() {
    // What is due is done by the other one: these are the commits of requests alone.
    let points = all_on_server(true, Point::Commit);
    assert!(points > 10, "only {points} commits");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn one_of_two_before_every_call_to_sekoia() {
    let points = all_on_server(false, |n| Point::Sekoia(n, sandbox::Stage::Arrived));
    assert!(points > 10, "only {points} calls");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn one_of_two_after_every_call_to_the_chat() {
    let points = all_on_server(false, |n| Point::Chat(n, At::Done));
    assert!(points > 10, "only {points} calls");
}

#[test]
fn after_every_commit() {
    let points = all(Platform::Slack, Point::Commit);
    assert!(points > 25, "only {points} commits");
}

#[test]
fn before_every_call_to_sekoia() {
    let points = all(Platform::Slack, |n| Point::Sekoia(n, sandbox::Stage::Arrived));
    assert!(points > 10, "only {points} calls");
}

#[test]
fn after_every_call_to_sekoia() {
    let points = all(Platform::Slack, |n| Point::Sekoia(n, sandbox::Stage::Done));
    assert!(points > 10, "only {points} calls");
}

on_both!(before_every_call_to_the_chat);
fn before_every_call_to_the_chat(on: Platform) {
    let points = all(on, |n| Point::Chat(n, At::Arrived));
    assert!(points > 10, "only {points} calls");
}

on_both!(after_every_call_to_the_chat);
fn after_every_call_to_the_chat(on: Platform) {
    let points = all(on, |n| Point::Chat(n, At::Done));
    assert!(points > 10, "only {points} calls");
}
