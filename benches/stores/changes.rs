//! Changes that are acknowledged and carried out in a second, by people who each wait for their answer,
//! against the bare loop with as many.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sekoia_chatops::app::App;
use sekoia_chatops::store::Store;

use crate::bare::Bare;
use crate::chat::{Bot, Slack};
use crate::place::{Engine, Places};
use crate::support::{app_of, config};
use crate::{median, seed};

const CHANNELS: [usize; 2] = [1, 1_000];
const CLIENTS: usize = 16;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(2);

pub async fn measure(places: &Places) {
    println!("changes a second, {CLIENTS} people at a time; of the bare loop of the same rows, {ROUNDS} rounds");
    for engine in Engine::ALL {
        for channels in CHANNELS {
            let (place, floor) = (places.make(engine).await, places.make(engine).await);
            for place in [&place, &floor] {
                let store = place.store().await;
                seed::sessions(&*store, channels).await;
                store.close().await;
            }
            let bare = Bare::new(&floor, channels).await;
            let slack = Slack::start().await;
            let app = started(&slack, place.store().await);
            let bot = Bot::Here(app.surface().clone());
            let (mut of_bot, mut of_bare, mut ratios) = (vec![], vec![], vec![]);
            // The first round warms everything up.
            for round in 0..=ROUNDS {
                let floor = rate(CLIENTS, ROUND, |i| bare.change(channel(i, channels))).await;
                let reached = rate(CLIENTS, ROUND, |i| slack.change(&bot, channel(i, channels))).await;
                if round > 0 {
                    of_bot.push(reached);
                    of_bare.push(floor);
                    ratios.push(reached / floor);
                }
            }
            let (ratio, least, most) = median(ratios);
            println!(
                "  {:<10} {channels:>5} channels: {ratio:.2} [{least:.2}..{most:.2}]  ({:.0} of {:.0} a second)",
                engine.name(),
                median(of_bot).0,
                median(of_bare).0,
            );
        }
    }
}

/// A bot that takes requests, and does nothing beside them.
pub fn started(slack: &Slack, store: Arc<dyn Store>) -> App {
    let mut config = config(&slack.url, None);
    // This Slack answers whatever it is asked.
    config.timing.calls.slack_methods = Duration::from_millis(1);
    config.access.operators = (0..10).map(operator).map(|id| id.parse().expect("a person")).collect();
    let mut app = app_of(config, store);
    app.begin_to_count();
    app
}

pub fn operator(i: usize) -> String {
    format!("slack:U0PERF{i:04}")
}

/// One of so many, any.
pub fn channel(_: usize, channels: usize) -> usize {
    rand::random_range(0..channels)
}

/// How often something was done in a second, by so many at a time, each one thing after the other.
pub async fn rate<F: Future<Output = bool>>(clients: usize, time: Duration, once: impl Fn(usize) -> F) -> f64 {
    let began = Instant::now();
    let client = async |i: usize| {
        let mut done = 0_u32;
        while began.elapsed() < time {
            done += u32::from(once(i).await);
        }
        done
    };
    let done: u32 = join_all((0..clients).map(client)).await.iter().sum();
    f64::from(done) / began.elapsed().as_secs_f64()
}
