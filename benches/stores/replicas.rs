//! One process and two on one PostgreSQL: how many changes they carry out, and how long somebody waits for
//! `status` while changes come at a constant rate.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::changes::{channel, rate};
use crate::chat::{Bot, Slack};
use crate::place::{Engine, Places};
use crate::processes::Process;
use crate::{median, percentile, seed};

const SESSIONS: usize = 1_000;
/// Channels that are used: Slack allows no more than 100 questions a minute about channels, for all together, and a
/// process that just ended counts for a while.
const CHANNELS: usize = 16;
const CLIENTS: usize = 16;
const ROUNDS: usize = 5;
const CLOSED: Duration = Duration::from_secs(4);
const SECONDS: u32 = 8;
/// Changes a second meanwhile, and looks.
const CHANGES: u32 = 40;
const LOOKS: u32 = 100;
/// By then one that joins the other knows of it.
const SETTLED: Duration = Duration::from_secs(6);

#[derive(Default)]
struct Measured {
    changes: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

pub async fn measure(places: &Places) {
    println!(
        "replicas on PostgreSQL, {SESSIONS} sessions of which {CHANNELS} are used, {ROUNDS} rounds: `status` in ms, {LOOKS} a second, during {CHANGES} changes a second"
    );
    let place = places.make(Engine::Postgres).await;
    let store = place.store().await;
    seed::sessions(&*store, SESSIONS).await;
    store.close().await;
    let (slack, http) = (Slack::start().await, reqwest::Client::new());
    let (mut one, mut two) = (Measured::default(), Measured::default());
    for round in 0..=ROUNDS {
        let first = Process::start(&place, &slack);
        sleep(SETTLED).await;
        let alone = under_load(&slack, &[first.bot(&http)]).await;
        let second = Process::start(&place, &slack);
        sleep(SETTLED).await;
        let both = under_load(&slack, &[first.bot(&http), second.bot(&http)]).await;
        // The first round warms everything up.
        if round > 0 {
            one.add(alone);
            two.add(both);
        }
    }
    one.print("one");
    two.print("two");
    let ratio =
        |of: fn(&Measured) -> &Vec<f64>| median(of(&two).iter().zip(of(&one)).map(|(two, one)| two / one).collect());
    for (name, (ratio, least, most)) in
        [("changes", ratio(|m| &m.changes)), ("p50", ratio(|m| &m.p50)), ("p99", ratio(|m| &m.p99))]
    {
        println!("  two to one, {name}: {ratio:.2} [{least:.2}..{most:.2}]");
    }
}

impl Measured {
    fn add(&mut self, (changes, p50, p99): (f64, f64, f64)) {
        self.changes.push(changes);
        self.p50.push(p50);
        self.p99.push(p99);
    }

    fn print(&self, name: &str) {
        let (changes, p50, p99) = (median(self.changes.clone()), median(self.p50.clone()), median(self.p99.clone()));
        println!("  {name}: {:.0} changes a second; `status` p50 {:.2}, p99 {:.2}", changes.0, p50.0, p99.0);
    }
}

/// Changes that are carried out in a second, and how long `status` takes while there are fewer of them.
async fn under_load(slack: &Slack, bots: &[Bot]) -> (f64, f64, f64) {
    // Each has every session in memory.
    for bot in bots {
        for i in 0..CHANNELS {
            slack.status(bot, i).await;
        }
    }
    let reached = rate(CLIENTS, CLOSED, |i| slack.change(&bots[i % bots.len()], channel(i, CHANNELS))).await;
    let (took, mut tasks) = (Arc::<Mutex<Vec<f64>>>::default(), JoinSet::new());
    let began = Instant::now();
    let all = SECONDS * (CHANGES + LOOKS);
    for i in 0..all {
        // From the time at which it was to be sent: what waits for another one waits.
        let at = began + Duration::from_secs(1) * i / (CHANGES + LOOKS);
        sleep_until(at).await;
        let (slack, bot, took) = (slack.clone(), bots[i as usize % bots.len()].clone(), Arc::clone(&took));
        tasks.spawn(async move {
            if i * CHANGES % (CHANGES + LOOKS) < CHANGES {
                slack.change(&bot, channel(0, CHANNELS)).await;
                return;
            }
            slack.status(&bot, channel(0, CHANNELS)).await;
            took.lock().expect("sound").push(at.elapsed().as_secs_f64() * 1e3);
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("it is answered");
    }
    let mut took = took.lock().expect("sound").clone();
    took.sort_by(f64::total_cmp);
    (reached, percentile(&took, 50), percentile(&took, 99))
}
