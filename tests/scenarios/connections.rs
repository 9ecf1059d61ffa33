//! Connections that are too many, too slow, or that say nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use sekoia_chatops::platform::intake::Intake;
use sekoia_chatops::server::{self, Bounds, Surface};
use sekoia_chatops::telemetry::{Figures, Metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::{SOC, Setting, on_slack};

/// Beyond every time that is waited for here.
const LONG: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// Lets `/slow` answer.
    gate: Arc<Semaphore>,
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
}

async fn serve(bounds: Bounds) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let gate = Arc::new(Semaphore::new(0));
    let slow = {
        let gate = Arc::clone(&gate);
        move || async move {
            let _permit = gate.acquire().await;
            "slow"
        }
    };
    let stream = || async {
        let pieces = futures_util::stream::iter(0..3).then(|n| async move {
            tokio::time::sleep(Duration::from_millis(400)).await;
            Ok::<_, std::io::Error>(format!("{n}"))
        });
        axum::body::Body::from_stream(pieces)
    };
    use futures_util::StreamExt;
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/slow", post(slow))
        .route("/stream", get(stream))
        .route("/quick", get(|| async { "quick" }));
    let intake = Arc::new(Intake::default());
    let metrics = Arc::new(Metrics::on("0", "0"));
    let surface = Surface::new(router, Arc::clone(&intake), Arc::clone(&metrics));
    let task = tokio::spawn(server::serve(listener, surface, bounds, stop.clone()));
    Served { address, stop, task, gate, intake, metrics }
}

fn bounds(connections: usize) -> Bounds {
    Bounds { connections, reserve: 2, head: LONG, idle: LONG }
}

/// A request and everything that comes back until the server closes or the answer is whole.
async fn ask(stream: &mut TcpStream, line: &str) -> std::io::Result<String> {
    stream.write_all(format!("{line} HTTP/1.1\r\nHost: bot\r\n\r\n").as_bytes()).await?;
    read(stream).await
}

async fn read(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = tokio::time::timeout(LONG, stream.read(&mut chunk)).await.expect("something happens")?;
        answer.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&answer);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            length.is_some_and(|length: usize| body.len() >= length)
        });
        if n == 0 || whole {
            return Ok(text.into_owned());
        }
    }
}

async fn connect(served: &Served) -> TcpStream {
    TcpStream::connect(served.address).await.unwrap()
}

/// Whether the server closed it.
async fn closed(stream: &mut TcpStream) -> bool {
    matches!(tokio::time::timeout(LONG, stream.read(&mut [0; 1])).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn idle_connections_give_their_place_to_new_ones() {
    let served = serve(bounds(8)).await;
    let mut kept = connect(&served).await;
    assert!(ask(&mut kept, "GET /quick").await.unwrap().ends_with("quick"));
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(connect(&served).await);
        let mut asks = connect(&served).await;
        assert!(ask(&mut asks, "GET /healthz").await.unwrap().starts_with("HTTP/1.1 200"));
    }
    for stream in &mut idle[..190] {
        assert!(closed(stream).await);
    }
    // Whoever asked before stays for longer than those who never did.
    assert!(ask(&mut kept, "GET /quick").await.unwrap().ends_with("quick"));
}

#[tokio::test]
async fn health_is_answered_while_all_places_are_at_work() {
    let served = serve(bounds(4)).await;
    let mut busy = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(&served).await;
        stream.write_all(b"POST /slow HTTP/1.1\r\nHost: bot\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        busy.push(stream);
    }
    // The server has read them when it has no place for another one.
    let mut refused = String::new();
    let started = Instant::now();
    while !refused.starts_with("HTTP/1.1 503") {
        assert!(started.elapsed() < LONG, "{refused}");
        refused = ask(&mut connect(&served).await, "GET /quick").await.unwrap_or_default();
    }
    assert!(refused.contains("retry-after: 1") && refused.contains("connection: close"), "{refused}");
    assert!(served.intake.refused.counts().overloaded > 0);
    // A refused request is one that was answered: operators see it by its outcome.
    let counted = served.metrics.text(&Figures::default());
    assert!(counted.contains("requests_total{route=\"other\",outcome=\"unavailable\"}"), "{counted}");
    // Idle ones in the reserve make room as well.
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(connect(&served).await);
        let health = ask(&mut connect(&served).await, "GET /healthz/").await.unwrap();
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    }
    served.gate.add_permits(10);
    for stream in &mut busy {
        assert!(read(stream).await.unwrap().ends_with("slow"));
    }
    assert!(ask(&mut busy[0], "GET /quick").await.unwrap().ends_with("quick"));
}

#[tokio::test]
async fn who_is_too_slow_is_let_go_and_who_is_at_work_is_not() {
    let short = Duration::from_millis(300);
    let served = serve(Bounds { head: short, idle: short * 3, ..bounds(100) }).await;
    let started = Instant::now();
    let (mut silent, mut slow, mut at_work) = (connect(&served).await, connect(&served).await, connect(&served).await);
    slow.write_all(b"GET /quick HTTP/1.1\r\nHo").await.unwrap();
    at_work.write_all(b"POST /slow HTTP/1.1\r\nHost: bot\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let mut resting = connect(&served).await;
    assert!(ask(&mut resting, "GET /quick").await.unwrap().ends_with("quick"));
    assert!(closed(&mut silent).await && closed(&mut slow).await);
    assert!(started.elapsed() >= short);
    // A stream is at work until its end, however long there is nothing to say.
    let mut stream = connect(&served).await;
    stream.write_all(b"GET /stream HTTP/1.1\r\nHost: bot\r\n\r\n").await.unwrap();
    assert!(closed(&mut resting).await);
    assert!(started.elapsed() >= short * 3);
    let streamed = read(&mut stream).await.unwrap();
    assert!(["0", "1", "2"].iter().all(|n| streamed.contains(&format!("\r\n{n}\r\n"))), "{streamed}");
    served.gate.add_permits(1);
    assert!(read(&mut at_work).await.unwrap().ends_with("slow"));
}

#[tokio::test]
async fn a_stop_answers_what_was_asked_and_takes_nothing_new() {
    let served = serve(bounds(100)).await;
    let (mut resting, mut at_work) = (connect(&served).await, connect(&served).await);
    assert!(ask(&mut resting, "GET /quick").await.unwrap().ends_with("quick"));
    at_work.write_all(b"POST /slow HTTP/1.1\r\nHost: bot\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    tokio::task::yield_now().await;
    let mut other = connect(&served).await;
    assert!(ask(&mut other, "GET /quick").await.unwrap().ends_with("quick"), "what came before was read");
    served.stop.cancel();
    assert!(closed(&mut resting).await);
    assert!(!served.task.is_finished());
    served.gate.add_permits(1);
    assert!(read(&mut at_work).await.unwrap().ends_with("slow"));
    tokio::time::timeout(LONG, served.task).await.expect("it ends").unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[test]
fn a_proxys_slashes_lead_to_the_same_routes() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        let usual = s.slack().slash("alice", SOC, "help status");
        for path in ["//slack/commands", "/slack/commands/", "/slack//commands//"] {
            let answer = s.send(&crate::harness::SignedRequest { path: path.into(), ..usual.clone() }).await;
            assert_eq!(answer.status(), 200, "{path}");
            assert!(answer.text().await.unwrap().contains("status"), "{path}");
        }
        let health = s.http.get(format!("http://{}//healthz/", s.address())).send().await.unwrap();
        assert_eq!(health.text().await.unwrap(), "ok");
    });
}

#[test]
fn what_is_not_signed_is_refused_before_its_body_is_read() {
    on_slack(Setting::default(), async |s| {
        for headers in [
            "",
            "X-Slack-Signature: v0=00\r\n",
            "X-Slack-Request-Timestamp: 1\r\nX-Slack-Signature: v0=0000000000000000000000000000000000000000000000000000000000000000\r\n",
        ] {
            let mut stream = TcpStream::connect(s.address()).await.unwrap();
            let head =
                format!("POST /slack/commands HTTP/1.1\r\nHost: bot\r\nContent-Length: 1000000\r\n{headers}\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            // Not a byte of the body was sent.
            let answer = read(&mut stream).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        }
    });
}
