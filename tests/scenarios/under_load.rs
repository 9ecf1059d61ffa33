//! Two processes on one PostgreSQL, people who go on working, and one thing after another that breaks.
//! What was acknowledged is there in the end, once; what was approved is at Sekoia, once; and every message
//! stands in the chat once: counted at both ends.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use sekoia_chatops::sandbox::{self, Fault, FaultKind};
use sekoia_chatops::store::StreamId;

use crate::harness::{Call, Chat, ChatFault, Platform, SOC, Seen, Setting, SignedRequest, Stage};

/// What somebody waits for an answer, as Slack does.
const WAITS: Duration = Duration::from_secs(3);
/// How long people work between two things that break.
const PAUSE: Duration = Duration::from_secs(2);
/// Longer than a lease, and than a process is believed to be there without a word.
const HALT: Duration = Duration::from_secs(6);
/// By then everything has come to rest: a request that was recorded and then lost is taken up after two minutes.
const LONG: Duration = Duration::from_secs(240);
/// Of those who wait for something, how often they look, and how often they do it again.
const LOOKS: (Duration, usize) = (Duration::from_millis(50), 240);
/// Requests at least, and how many people are invited with each.
const REQUESTS: usize = 2;
const PEOPLE: usize = 3;

/// What breaks while people work.
#[derive(Debug, Clone, Copy)]
enum Breaks {
    /// `kill -9` of the process with the background work, or of the other one; another one takes its place.
    Killed {
        leads: bool,
    },
    /// It halts, and goes on when another one has its work.
    Halted {
        leads: bool,
    },
    /// SIGTERM to one after the other, each replaced before the next is told.
    Replaced,
    Database,
    Sekoia(fn() -> FaultKind),
    Chat(ChatFault),
}

const TABLE: &[Breaks] = &[
    Breaks::Replaced,
    Breaks::Killed { leads: true },
    Breaks::Sekoia(|| FaultKind::LoseReply),
    Breaks::Chat(ChatFault::LosesReply),
    Breaks::Halted { leads: true },
    Breaks::Sekoia(|| FaultKind::Status { code: 429, retry_after: Some(1), body: None }),
    Breaks::Chat(ChatFault::LimitedFor(1)),
    Breaks::Database,
    Breaks::Sekoia(|| FaultKind::Status { code: 503, retry_after: None, body: None }),
    Breaks::Chat(ChatFault::Fails),
    Breaks::Killed { leads: false },
    Breaks::Sekoia(|| FaultKind::Reset),
    Breaks::Halted { leads: false },
    Breaks::Chat(ChatFault::Hangs),
    Breaks::Replaced,
];

/// People, and the load balancer before the processes.
#[derive(Clone)]
struct Crowd {
    chat: Chat,
    http: reqwest::Client,
    doors: Arc<Mutex<Vec<SocketAddr>>>,
    turn: Arc<AtomicUsize>,
    works: Arc<AtomicBool>,
}

/// What somebody knows of what they asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It was taken: it is done, or will be.
    Acknowledged,
    Refused,
    /// No answer came, or one that says that it is not known.
    Nothing,
}

impl Crowd {
    fn new(stage: &mut Stage) -> Self {
        let crowd = Self {
            chat: stage.chat.clone(),
            http: stage.http.clone(),
            doors: Arc::default(),
            turn: Arc::default(),
            works: Arc::new(AtomicBool::new(true)),
        };
        crowd.go_to(stage);
        crowd
    }

    /// From here on, requests go where the processes are now.
    fn go_to(&self, stage: &mut Stage) {
        let door = |number| {
            stage.through(number);
            stage.address()
        };
        *self.doors.lock().expect("sound") = [0, 1].map(door).to_vec();
    }

    /// Sends a request to one of the processes, or to another one where that takes no connection; its answer.
    async fn send(&self, request: &SignedRequest) -> Option<String> {
        let mut doors = self.doors.lock().expect("sound").clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % doors.len();
        doors.rotate_left(turn);
        for door in doors {
            let mut sent = self.http.post(format!("http://{door}{}", request.path)).timeout(WAITS);
            for (name, value) in &request.headers {
                sent = sent.header(name, value);
            }
            match sent.body(request.body.clone()).send().await {
                Err(error) if error.is_connect() => {}
                Err(_) => return None,
                Ok(answer) => return if answer.status() == 200 { answer.text().await.ok() } else { None },
            }
        }
        None
    }

    /// Gives a step another date, again and again; what is known of each of them.
    async fn plan(self, user: &'static str, step: u8) -> Vec<(String, Known)> {
        let mut known = Vec::new();
        while self.works.load(Ordering::Relaxed) {
            // Nobody else gives this one.
            let first = date(2040 + 10 * i16::from(step), 1, 1);
            let day = (first + i64::try_from(known.len()).expect("few").days()).to_string();
            let said = self.send(&self.chat.slash(user, SOC, &format!("due {step} {day}"))).await;
            known.push((day, said.map_or(Known::Nothing, |said| understood(&said))));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        known
    }

    /// Has one list of people after another invited, each approved by somebody else; the lists.
    async fn invite(self) -> Vec<Vec<String>> {
        let mut invited = Vec::new();
        while self.works.load(Ordering::Relaxed) || invited.len() < REQUESTS {
            let people: Vec<String> = (0..PEOPLE).map(|i| format!("p{}-{i}@nimbus.example", invited.len())).collect();
            let card = || cards(&self.chat, &people).into_iter().next();
            let asked = AtomicBool::new(false);
            let ask = async || {
                // Whoever was told that it is asked for does not ask again.
                if !asked.load(Ordering::Relaxed) {
                    let said = format!("invite {} as Analyst", people.join(" "));
                    let said = self.send(&self.chat.slash("alice", SOC, &said)).await;
                    let known = said.map_or(Known::Nothing, |said| understood(&said));
                    asked.store(known == Known::Acknowledged, Ordering::Relaxed);
                }
            };
            self.until(&format!("a card for {people:?}"), || card().is_some(), ask).await;
            let decided = || card().is_some_and(|card| !card.text().contains("Approval needed"));
            let approve = async || {
                let Some(card) = card().filter(|card| card.text().contains("[Approve")) else { return };
                let press = self.chat.click("bob", &card, "Approve");
                self.send(&press).await;
                // Where the platform asks first, it does so at once.
                tokio::time::sleep(Duration::from_millis(200)).await;
                if let Some(question) = self.chat.question(&press) {
                    self.send(&self.chat.submit("bob", &question, &[])).await;
                }
            };
            self.until(&format!("the approval for {people:?}"), decided, approve).await;
            invited.push(people);
        }
        invited
    }

    /// Does something until it shows, and again if it does not for long.
    async fn until(&self, what: &str, shows: impl Fn() -> bool, act: impl AsyncFn()) {
        let began = Instant::now();
        while !shows() {
            assert!(began.elapsed() < LONG, "{what} never came:\n{}", self.chat.dump());
            act().await;
            for _ in 0..LOOKS.1 {
                if shows() {
                    return;
                }
                tokio::time::sleep(LOOKS.0).await;
            }
        }
    }
}

/// The cards of the request to invite these people, as they stand in the channel.
fn cards(chat: &Chat, people: &[String]) -> Vec<Seen> {
    let is_card = |seen: &Seen| {
        let text = seen.text();
        text.contains("SHA-256") && people.iter().all(|person| text.contains(person))
    };
    chat.standing(SOC).into_iter().filter(is_card).collect()
}

/// What an answer tells.
fn understood(said: &str) -> Known {
    if said.contains("it is not certain yet") {
        return Known::Nothing;
    }
    let refused = ["nothing was done", "will not be done"].iter().any(|no| said.contains(no));
    if refused { Known::Refused } else { Known::Acknowledged }
}

/// Breaks one thing, and leaves it as it would be in the end.
async fn strike(s: &mut Stage, crowd: &Crowd, what: Breaks) {
    let number = async |s: &Stage, leads: bool| if leads { s.leader().await } else { 1 - s.leader().await };
    match what {
        Breaks::Killed { leads } => {
            let number = number(s, leads).await;
            s.replace_replica(number).await;
        }
        Breaks::Halted { leads } => {
            let number = number(s, leads).await;
            s.signal(number, "STOP");
            tokio::time::sleep(HALT).await;
            s.signal(number, "CONT");
        }
        Breaks::Replaced => {
            for number in [0, 1] {
                s.signal(number, "TERM");
                assert!(s.ended(number).await, "{}", s.log_of(number));
                s.replace_replica(number).await;
                crowd.go_to(s);
            }
        }
        Breaks::Database => {
            s.server().kill();
            tokio::time::sleep(Duration::from_millis(500)).await;
            s.server().start_again().await;
        }
        Breaks::Sekoia(kind) => s.sekoia.faults().add(Fault::new(kind()).method("POST").times(2)),
        Breaks::Chat(fault) => {
            for call in [Call::Post, Call::Edit] {
                crowd.chat.fault(call, fault);
            }
        }
    }
    crowd.go_to(s);
    tokio::time::sleep(PAUSE).await;
}

async fn whatever_breaks_nothing_is_lost_and_nothing_doubled(on: Platform) {
    let mut stage =
        Stage::begin(on, Setting { server: true, operators: "alice,bob,carol", ..Setting::default() }).await;
    for _ in 0..2 {
        stage.start_replica().await;
    }
    stage.set_up().await;
    let crowd = Crowd::new(&mut stage);
    let planning =
        [("alice", 1), ("bob", 4), ("carol", 7)].map(|(user, step)| tokio::spawn(crowd.clone().plan(user, step)));
    let breaking = async {
        for what in TABLE {
            strike(&mut stage, &crowd, *what).await;
        }
        crowd.works.store(false, Ordering::Relaxed);
    };
    let (invited, ()) = tokio::join!(crowd.clone().invite(), breaking);
    let mut known = BTreeMap::new();
    for planned in planning {
        known.extend(planned.await.expect("no panic"));
    }
    come_to_rest(&stage, &crowd, &invited, &known).await;
    at_sekoia(&stage, &invited);
    in_the_chat(&stage, &invited);
    stage.verify_audit();
}

/// The dates that the history of the channel has, and how often.
async fn recorded(stage: &Stage) -> BTreeMap<String, usize> {
    let (store, stream) = (stage.store().await, StreamId::new("session", stage.channel(SOC).as_str()));
    let (mut dates, mut after) = (BTreeMap::new(), 0);
    loop {
        let page = store.history(&stream, after, 500).await.expect("the history");
        let Some(last) = page.last() else { break };
        after = last.seq;
        for record in page {
            let text = record.text();
            let day = text.split('"').find(|word| word.len() == 10 && word.parse::<Date>().is_ok());
            if let Some(day) = day {
                *dates.entry(day.to_owned()).or_default() += 1;
            }
        }
    }
    store.close().await;
    dates
}

/// Waits until whatever was acknowledged was done, and holds what was done against what people know.
async fn come_to_rest(stage: &Stage, crowd: &Crowd, invited: &[Vec<String>], known: &BTreeMap<String, Known>) {
    let began = Instant::now();
    let end = format!("{PEOPLE} of {PEOPLE} done");
    let done = |people: &[String]| cards(&stage.chat, people).iter().any(|card| card.text().contains(&end));
    loop {
        let recorded = recorded(stage).await;
        let all = |wanted: Known| known.iter().filter(move |(_, known)| **known == wanted).map(|(day, _)| day);
        let missing: Vec<&String> = all(Known::Acknowledged).filter(|day| !recorded.contains_key(*day)).collect();
        let open: Vec<&Vec<String>> = invited.iter().filter(|people| !done(people)).collect();
        let rests = stage.chat.standing(SOC).iter().all(|seen| !seen.text().contains('⏳'));
        if missing.is_empty() && open.is_empty() && rests && news(&stage.chat) >= invited.len() {
            let twice: Vec<_> = recorded.iter().filter(|(_, times)| **times > 1).collect();
            assert!(twice.is_empty(), "done twice: {twice:?}");
            let refused: Vec<_> = all(Known::Refused).filter(|day| recorded.contains_key(*day)).collect();
            assert!(refused.is_empty(), "refused and done: {refused:?}");
            let count = |wanted| all(wanted).count();
            println!(
                "{} changes acknowledged, {} refused, {} without an answer; {} recorded; {} lists of people",
                count(Known::Acknowledged),
                count(Known::Refused),
                count(Known::Nothing),
                recorded.len(),
                invited.len(),
            );
            // Somebody could work all the time.
            assert!(count(Known::Acknowledged) > 100, "too little was done to tell anything");
            return;
        }
        // Sekoia may have failed so often that the bot leaves it to people.
        for card in open.iter().flat_map(|people| cards(&stage.chat, people)) {
            if card.text().contains("[Retry failed") {
                crowd.send(&stage.chat.click("alice", &card, "Retry failed")).await;
            }
        }
        assert!(began.elapsed() < LONG, "lost: {missing:?} {open:?}\n{}", stage.chat.dump());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Sekoia took each invitation once, and holds it once.
fn at_sekoia(stage: &Stage, invited: &[Vec<String>]) {
    let holds = |person: &String| {
        stage.sekoia.edit(|world| {
            let is = |user: &sandbox::world::User| user.invited_email.as_ref() == Some(person);
            world.members.iter().filter(|member| is(&member.user)).count()
        })
    };
    let held = invited.iter().flatten().map(|person| (person, holds(person)));
    let wrong: Vec<_> = held.filter(|(_, held)| *held != 1).collect();
    assert!(wrong.is_empty(), "not once: {wrong:?}");
    let calls = stage.sekoia.calls();
    let taken =
        calls.iter().filter(|call| call.method == "POST" && call.path == "/v1/invitations" && call.status == 204);
    assert_eq!(taken.count(), invited.len() * PEOPLE, "invitations that Sekoia took");
}

/// How often alice was told that a list is done.
fn news(chat: &Chat) -> usize {
    let says = format!("Done: *Invite {PEOPLE} people");
    chat.standing_alone("alice").iter().filter(|seen| seen.text().contains(&says)).count()
}

/// Every message stands there once. What the chat did and did not confirm, the bot looks for before it
/// posts again.
fn in_the_chat(stage: &Stage, invited: &[Vec<String>]) {
    for people in invited {
        assert_eq!(cards(&stage.chat, people).len(), 1, "the card for {people:?}:\n{}", stage.chat.dump());
    }
    assert_eq!(news(&stage.chat), invited.len(), "{}", stage.chat.dump());
    let standing = stage.chat.standing(SOC);
    let checklists = standing.iter().filter(|seen| seen.text().starts_with("Sekoia workspace setup")).count();
    assert_eq!(checklists, 1, "{}", stage.chat.dump());
    assert_eq!(stage.chat.violations(), Vec::<String>::new());
}

#[test]
#[ignore = "needs PostgreSQL"]
fn on_slack() {
    under_load(Platform::Slack);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn on_mattermost() {
    under_load(Platform::Mattermost);
}

fn under_load(on: Platform) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(whatever_breaks_nothing_is_lost_and_nothing_doubled(on));
}
