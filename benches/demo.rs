//! The demo as somebody waits for it: from the start of the process to its first page, and from
//! one person's Enter to the other's window. Prints medians; `cargo bench --bench demo`. The last
//! figure, between two real windows, needs Debian's `chromium` and `chromium-driver`.

#[allow(dead_code, clippy::unwrap_used, clippy::panic, clippy::pedantic)]
#[path = "../tests/harness/browser.rs"]
mod browser;
#[allow(dead_code, clippy::unwrap_used, clippy::panic, clippy::pedantic)]
#[path = "../tests/harness/demo.rs"]
mod demo;

use std::time::{Duration, Instant};

use browser::Browsers;
use demo::{Demo, Window};

const STARTS: usize = 20;
const MESSAGES: usize = 300;
const SHOWN: usize = 40;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let begun = Instant::now();
            let demo = Demo::start(&[]);
            let page = reqwest::get(&demo.url).await.expect("a page").text().await.expect("text");
            starts.push(begun.elapsed());
            assert!(page.contains("main.js"));
        }
        print("start to the first page", starts);

        let demo = Demo::start(&[]);
        let (alice, mut bob) = (Window::open(&demo, "alice").await, Window::open(&demo, "bob").await);
        let mut said = Vec::new();
        for i in 0..MESSAGES {
            let begun = Instant::now();
            alice.say("soc-setup", &format!("message {i}")).await;
            bob.next().await.expect("the message");
            said.push(begun.elapsed());
        }
        print("said to told to the other window", said);

        if std::process::Command::new("chromedriver").arg("--version").output().is_ok() {
            print("Enter to shown in the other browser", between_browsers(&demo).await);
        }
    });
}

/// Both run on this machine: their clocks are one, to the millisecond.
async fn between_browsers(demo: &Demo) -> Vec<Duration> {
    const DESK: (u32, u32) = (1280, 800);
    let browsers = Browsers::start().await;
    let (alice, bob) = (browsers.open(demo, "alice", DESK).await, browsers.open(demo, "bob", DESK).await);
    let watch = "window.seen = {}; new MutationObserver(() => { const all = document.querySelectorAll('#messages .typed'); \
        const text = all[all.length - 1].textContent; window.seen[text] ??= Date.now(); }) \
        .observe(document.querySelector('#messages'), { childList: true, subtree: true })";
    bob.run(watch, vec![]).await;
    let mut times = Vec::new();
    for i in 0..SHOWN {
        let text = format!("shown {i}");
        let say = "const box = document.querySelector('#composer'); box.value = arguments[0]; const at = Date.now(); \
            document.querySelector('#send').click(); return at";
        let said = alice.run(say, vec![text.clone().into()]).await.as_f64().expect("a time");
        bob.reads("#messages", &text).await;
        let shown = bob.run("return window.seen[arguments[0]]", vec![text.into()]).await.as_f64().expect("a time");
        times.push(Duration::from_secs_f64((shown - said).max(0.0) / 1_000.0));
    }
    alice.close().await;
    bob.close().await;
    times
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{what}: median {:?}, p95 {:?}, of {}", at(50), at(95), times.len());
}
