//! The same commands with few and with many sessions, and with a long history.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use sekoia_chatops::app::App;
use sekoia_chatops::state::sessions::Sessions;
use sekoia_chatops::store::WorkKind;
use tokio::time::sleep;

use crate::changes::started;
use crate::chat::{Bot, Slack};
use crate::place::{Engine, Place, Places};
use crate::processes::{Process, own_cpu, server_cpu};
use crate::{median, seed};

/// Sessions, and records beside their own in each of the first hundred.
const SIZES: [(usize, usize); 4] = [(10, 0), (1_000, 0), (10_000, 0), (10_000, 10_000)];
const LONG: usize = 100;
const ROUNDS: usize = 9;
/// So often something is done in a round.
const CHANGES: usize = 50;
const LOOKS: usize = 200;
const STARTS: usize = 7;
/// A process that began so long ago has done what it does once.
const CALM: Duration = Duration::from_secs(12);
const AT_REST: Duration = Duration::from_secs(15);

struct Size {
    place: Place,
    sessions: usize,
    app: App,
    bot: Bot,
    /// Channels that are looked at: in memory already.
    some: Vec<usize>,
}

/// What is measured of a size, in milliseconds.
#[derive(Default, Clone)]
struct Figures([Vec<f64>; 6]);

const NAMES: [&str; 6] =
    ["a change", "  its CPU", "status", "first read of a channel", "what is due, all kinds", "start of serve"];

pub async fn measure(places: &Places) {
    println!("with 10, 1,000, 10,000 sessions, and 10,000 with 1,000,000 records: ms, and to the first");
    for engine in Engine::ALL {
        let slack = Slack::start().await;
        let mut sizes = Vec::new();
        let mut figures = vec![Figures::default(); SIZES.len()];
        for (sessions, records) in SIZES {
            let place = places.make(engine).await;
            let store = place.store().await;
            seed::sessions(&*store, sessions).await;
            seed::records(&*store, LONG.min(sessions), records).await;
            store.close().await;
            sizes.push((place, sessions));
        }
        // What was written so far is no part of it.
        let _ = std::process::Command::new("sync").status();
        for start in 0..=STARTS {
            for ((place, _), figures) in sizes.iter().zip(&mut figures) {
                let process = Process::start(place, &slack);
                if start > 0 {
                    figures.0[5].push(process.started_in.as_secs_f64() * 1e3);
                }
                process.stop();
            }
        }
        let mut rest = Vec::new();
        for (place, _) in &sizes {
            rest.push(at_rest(place, &slack).await);
        }
        let mut open = Vec::new();
        for (place, sessions) in sizes {
            let app = started(&slack, place.store().await);
            let bot = Bot::Here(app.surface().clone());
            let some = (0..10).map(|_| rand::random_range(0..sessions.min(LONG))).collect();
            open.push(Size { place, sessions, app, bot, some });
        }
        for round in 0..=ROUNDS {
            for (size, figures) in open.iter().zip(&mut figures) {
                let of_round = once(size, &slack).await;
                if round > 0 {
                    for (all, one) in figures.0.iter_mut().zip(of_round) {
                        all.push(one);
                    }
                }
            }
        }
        print(engine, &figures, &rest, places.is_own_server());
    }
}

/// Time in milliseconds of what is done in a size.
async fn once(size: &Size, slack: &Slack) -> [f64; 5] {
    let (began, cpu) = (Instant::now(), cpu_of(&size.place, own_cpu()));
    for i in 0..CHANGES {
        slack.change(&size.bot, size.some[i % size.some.len()]).await;
    }
    let (change, change_cpu) =
        (each(began.elapsed(), CHANGES), each(cpu_of(&size.place, own_cpu()).saturating_sub(cpu), CHANGES));
    let began = Instant::now();
    for i in 0..LOOKS {
        slack.status(&size.bot, size.some[i % size.some.len()]).await;
    }
    let status = each(began.elapsed(), LOOKS);
    let store = size.app.bot().sessions().store();
    let cold = Sessions::new(std::sync::Arc::clone(store));
    let began = Instant::now();
    for _ in 0..LOOKS.min(size.sessions) {
        let channel = seed::channel(rand::random_range(0..size.sessions));
        // What another one read is not in this one's memory.
        assert!(cold.read_anew(&channel).await.expect("an answer").is_some());
    }
    let read = each(began.elapsed(), LOOKS.min(size.sessions));
    let began = Instant::now();
    for kind in WorkKind::ALL {
        store.due(kind, Timestamp::now(), 32).await.expect("an answer");
    }
    [change, change_cpu, status, read, each(began.elapsed(), 1)]
}

fn each(all: Duration, of: usize) -> f64 {
    all.as_secs_f64() * 1e3 / f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}

/// With that of the database's server, where there is one.
fn cpu_of(place: &Place, process: Duration) -> Duration {
    match place {
        Place::Sqlite(_) => process,
        Place::Postgres(_) => process + server_cpu(),
    }
}

/// Of a second, how many milliseconds of CPU an idle process takes, with its database.
async fn at_rest(place: &Place, slack: &Slack) -> f64 {
    let process = Process::start(place, slack);
    sleep(CALM).await;
    let before = cpu_of(place, process.cpu());
    sleep(AT_REST).await;
    cpu_of(place, process.cpu()).saturating_sub(before).as_secs_f64() * 1e3 / AT_REST.as_secs_f64()
}

fn print(engine: Engine, figures: &[Figures], rest: &[f64], is_own_server: bool) {
    println!("  {}", engine.name());
    let line = |name: &str, of: &[f64]| {
        let shown: Vec<String> = of.iter().map(|n| format!("{n:.2} ({:.2})", n / of[0])).collect();
        println!("    {name:<24} {}", shown.join("   "));
    };
    for (i, name) in NAMES.iter().enumerate() {
        let medians: Vec<f64> = figures.iter().map(|size| median(size.0[i].clone()).0).collect();
        line(name, &medians);
    }
    line("CPU at rest, ms a second", rest);
    if engine == Engine::Postgres && !is_own_server {
        println!("    the server's CPU is not known");
    }
}
