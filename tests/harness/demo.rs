//! `sekoia-chatops demo` as somebody starts it, and windows of its page without a browser.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

/// Longer than anything takes that works.
const LONG: Duration = Duration::from_mins(1);

/// A running demo, ended with the test.
pub struct Demo {
    child: Child,
    /// Without a slash at the end.
    pub url: String,
    /// What it printed when it was ready.
    pub said: String,
}

impl Demo {
    /// On a free port, with these further arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", arguments)
    }

    pub fn start_at(listen: &str, arguments: &[&str]) -> Self {
        // For whoever speaks with it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut command = command(arguments);
        command.args(["--listen", listen]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the built binary");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let first = lines.next().expect("a first line");
        let rest: Vec<String> = lines.by_ref().take(5).collect();
        let url = first.split_whitespace().nth(1).expect("an address").trim_end_matches('/').to_owned();
        Self { child, url, said: format!("{first}\n{}", rest.join("\n")) }
    }

    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// As Ctrl-C does it; waits for the end.
    pub fn stop(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
        assert!(self.child.wait().expect("an end").success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"));
    command.arg("demo").args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// What a demo that does not start says, and its exit code.
pub fn refused(arguments: &[&str]) -> (i32, String) {
    let mut child = command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the built binary");
    let mut said = String::new();
    child.stderr.take().expect("its errors").read_to_string(&mut said).expect("text");
    (child.wait().expect("an end").code().expect("a code"), said)
}

/// Ids that the page makes.
pub fn token() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test{:08}", NEXT.fetch_add(1, Ordering::Relaxed) + u64::from(std::process::id()) * 1_000)
}

/// One window: the page's requests and its stream.
pub struct Window {
    pub person: &'static str,
    pub id: String,
    pub hello: Value,
    url: String,
    http: reqwest::Client,
    stream: Response,
    /// A chunk may end in the middle of a character.
    pending: Vec<u8>,
}

impl Window {
    pub async fn open(demo: &Demo, person: &'static str) -> Self {
        let (http, id) = (reqwest::Client::new(), token());
        let events = format!("{}/demo/events?as={person}&window={id}", demo.url);
        let stream = http.get(events).send().await.expect("a stream");
        assert_eq!(stream.status(), 200);
        let mut window =
            Self { person, id, hello: Value::Null, url: demo.url.clone(), http, stream, pending: Vec::new() };
        let (name, hello) = window.next().await.expect("a first event");
        assert_eq!(name, "hello");
        window.hello = hello;
        window
    }

    /// The next event; none when the stream ends.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        tokio::time::timeout(LONG, self.event()).await.expect("an event in time")
    }

    async fn event(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|two| two == b"\n\n") {
                let event = String::from_utf8(self.pending.drain(..end + 2).collect()).expect("UTF-8");
                let field = |name: &str| {
                    event.lines().find_map(|l| {
                        l.strip_prefix(name)?.strip_prefix(": ").or(l.strip_prefix(name)?.strip_prefix(':'))
                    })
                };
                let found = field("event").map(|name| {
                    let data = field("data").expect("data");
                    (name.to_owned(), serde_json::from_str(data).expect("JSON"))
                });
                match found {
                    Some(found) => return Some(found),
                    // A comment that keeps the connection alive.
                    None => continue,
                }
            }
            let chunk = self.stream.chunk().await.ok()??;
            self.pending.extend_from_slice(&chunk);
        }
    }

    /// The next message of the bot; what people typed is passed over.
    pub async fn reply(&mut self) -> Value {
        loop {
            let (name, event) = self.next().await.expect("a stream that goes on");
            if name == "message" && event["from"] == "sekoia" {
                return event;
            }
        }
    }

    /// The next edit of a message that everybody sees.
    pub async fn edit_of(&mut self, posted: &Value) -> Value {
        loop {
            let message = self.reply().await;
            if message["id"] == posted["id"] && message["edited"] != Value::Null {
                return message;
            }
        }
    }

    /// The next private message of the bot.
    pub async fn private(&mut self) -> Value {
        loop {
            let message = self.reply().await;
            if message["only"] == self.person {
                return message;
            }
        }
    }

    pub async fn form(&mut self) -> Value {
        loop {
            let (name, event) = self.next().await.expect("a stream that goes on");
            if name == "form" && event["waiting"] != true {
                return event;
            }
        }
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).header("origin", &self.url).json(body);
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// What the page sends for something said.
    pub fn saying(&self, channel: &str, text: &str) -> Value {
        let Self { person, id, .. } = self;
        json!({ "as": person, "window": id, "id": token(), "channel": channel, "thread": null, "text": text })
    }

    pub async fn say(&self, channel: &str, text: &str) {
        let (status, body) = self.post("/demo/say", &self.saying(channel, text)).await;
        assert_eq!((status.as_u16(), &body), (202, &json!({})), "{text}");
    }

    /// Types it and reads the private answer.
    pub async fn ask(&mut self, channel: &str, text: &str) -> Value {
        self.say(channel, text).await;
        self.private().await
    }

    pub async fn press(&self, message: &Value, words: &str, answers: &[&str]) {
        let Self { person, id, .. } = self;
        let press = json!({
            "as": person, "window": id, "id": token(), "message": message["id"], "words": words, "answers": answers,
        });
        let (status, body) = self.post("/demo/press", &press).await;
        assert_eq!((status.as_u16(), &body), (202, &json!({})), "{words}");
    }

    /// A form with these answers to its first fields.
    pub fn filling(&self, form: &Value, answers: &[&str]) -> Value {
        let Self { person, id, .. } = self;
        let names = form["fields"].as_array().into_iter().flatten().filter_map(|field| field["name"].as_str());
        let answers: BTreeMap<&str, &str> = names.zip(answers.iter().copied()).collect();
        // A form that shows a secret has words as well, and nothing to fill in.
        let words = form.get("words").unwrap_or(&form["secret"]["words"]);
        let (form, channel) = (&form["id"], &form["channel"]);
        json!({ "as": person, "window": id, "form": form, "channel": channel, "words": words, "answers": answers })
    }
}

/// A message as it is read.
pub fn text(message: &Value) -> String {
    let spans = |spans: &Value| -> String {
        let text = |span: &Value| {
            let known = ["text", "person", "channel"].into_iter().find_map(|part| span[part].as_str());
            let text = known.expect("a span").to_owned();
            span["url"].as_str().map_or(text.clone(), |url| format!("{text} ({url})"))
        };
        spans.as_array().expect("spans").iter().map(text).collect()
    };
    let mut lines = Vec::new();
    for block in message["body"]["blocks"].as_array().expect("blocks") {
        match block["type"].as_str().expect("a type") {
            "heading" => lines.push(format!("# {}", block["text"].as_str().expect("text"))),
            "line" | "note" => lines.push(spans(&block["spans"])),
            "bullets" => {
                let bullets = block["lines"].as_array().expect("lines").iter();
                lines.extend(bullets.map(|line| format!("• {}", spans(line))));
            }
            "image" => {
                assert!(block["src"].as_str().expect("a source").starts_with("data:image/png;base64,"));
                lines.push(format!("(picture: {})", block["alt"].as_str().expect("words")));
            }
            "code" | "text" => lines.push(block["text"].as_str().expect("text").to_owned()),
            "controls" => {
                let labels = block["controls"].as_array().expect("controls").iter();
                lines.push(
                    labels
                        .map(|c| format!("[{}]", c["label"].as_str().expect("a label")))
                        .collect::<Vec<_>>()
                        .join(" "),
                );
            }
            other => panic!("no block is a {other}"),
        }
    }
    undated(&lines.join("\n"))
}

/// A text in which instants, which differ between runs, are `<moment>`.
fn undated(text: &str) -> String {
    const FORM: &str = "0000-00-00 00:00 UTC";
    let (mut out, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let shape = rest.get(..FORM.len()).map(|head| head.replace(|c: char| c.is_ascii_digit(), "0"));
        let taken = if shape.as_deref() == Some(FORM) { FORM.len() } else { c.len_utf8() };
        out.push_str(if taken == FORM.len() { "<moment>" } else { &rest[..taken] });
        rest = &rest[taken..];
    }
    out
}

/// The database of a test, in its own directory.
pub fn database(directory: &Path) -> String {
    directory.join("demo.db").display().to_string()
}
