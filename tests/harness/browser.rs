//! The demo's page in headless Chromium, by Debian's `chromium` and `chromium-driver`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::demo::Demo;

/// Longer than anything takes that works, on a machine that does other things too.
const LONG: Duration = Duration::from_mins(1);

/// One test at a time has browsers: two cores do not carry more.
static TURN: Mutex<()> = Mutex::const_new(());

/// The driver, ended with the test.
pub struct Browsers {
    driver: Child,
    address: String,
    _turn: MutexGuard<'static, ()>,
}

/// Somebody's window, spoken to by WebDriver (W3C): the few commands that these tests need.
pub struct Page {
    http: reqwest::Client,
    /// Of the session, with a slash at its end.
    address: String,
}

/// A key that is pressed, as WebDriver writes it.
#[derive(Debug, Clone, Copy)]
pub enum Key {
    Tab = 0xe004,
    Enter = 0xe007,
    Escape = 0xe00c,
    Down = 0xe015,
}

impl Browsers {
    pub async fn start() -> Self {
        let turn = TURN.lock().await;
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: install Debian's chromium and chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let port = lines.find_map(|l| Some(l.split_once("successfully on port ")?.1.trim_end_matches('.').to_owned()));
        let address = format!("http://127.0.0.1:{}/", port.expect("a port"));
        // Read on, or the driver would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { driver, address, _turn: turn }
    }

    /// Opens the demo as `person` in a window of this size.
    pub async fn open(&self, demo: &Demo, person: &str, (width, height): (u32, u32)) -> Page {
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--lang=en-GB",
            "--hide-scrollbars",
        ];
        let options = json!({ "browserName": "chrome", "goog:chromeOptions": { "args": arguments } });
        let mut page = Page { http: reqwest::Client::new(), address: self.address.clone() };
        let session = page.send("session", json!({ "capabilities": { "alwaysMatch": options } })).await;
        let id = session.expect("a browser")["sessionId"].as_str().expect("a session").to_owned();
        page.address = format!("{}session/{id}/", self.address);
        // A real window cannot be as narrow as a phone.
        page.cdp(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        )
        .await;
        page.go_home(demo, person).await;
        page
    }
}

impl Drop for Browsers {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Page {
    /// One command: its value, or what went wrong.
    async fn send(&self, command: &str, parameters: Value) -> Result<Value, String> {
        let sent = self.http.post(format!("{}{command}", self.address)).json(&parameters).send().await;
        let answer = sent.expect("the driver answers");
        let fine = answer.status().is_success();
        let mut body: Value = answer.json().await.expect("JSON");
        let value = body["value"].take();
        if fine { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
    }

    /// A command of Chromium's own protocol, by the driver.
    pub async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.send("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await.expect(command)
    }

    pub async fn dark(&self) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
        self.cdp("Emulation.setEmulatedMedia", features).await;
    }

    /// As wide as a phone.
    pub async fn phone(&self) {
        let metrics = json!({ "width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub async fn reload(&self) {
        self.send("refresh", json!({})).await.expect("the page");
    }

    pub async fn close(self) {
        let address = self.address.trim_end_matches('/');
        self.http.delete(address).send().await.expect("closed");
    }

    pub async fn visit(&self, url: &str) {
        self.send("url", json!({ "url": url })).await.expect("the page");
    }

    /// The demo's page, as one of its people.
    pub async fn go_home(&self, demo: &Demo, person: &str) {
        self.visit(&format!("{}/?as={person}", demo.url)).await;
        self.see("body[data-ready=true]").await;
    }

    /// Waits for an element, and gives its name in WebDriver.
    pub async fn see(&self, css: &str) -> String {
        let until = Instant::now() + LONG;
        loop {
            match self.send("element", json!({ "using": "css selector", "value": css })).await {
                // The one key of the answer is the same for every element.
                Ok(element) => {
                    let named = element.as_object().and_then(|fields| fields.values().next());
                    return named.and_then(Value::as_str).expect("an element").to_owned();
                }
                Err(error) => assert!(Instant::now() < until, "{css}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until an element says this, and gives its whole text.
    pub async fn reads(&self, css: &str, text: &str) -> String {
        let until = Instant::now() + LONG;
        loop {
            let said = self.said(css).await;
            if said.contains(text) {
                return said;
            }
            assert!(Instant::now() < until, "{css} does not say {text:?} but {said:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The text of every element that fits, as it is seen.
    pub async fn said(&self, css: &str) -> String {
        let script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText).join('\\n')";
        self.run(script, vec![json!(css)]).await.as_str().expect("text").to_owned()
    }

    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.send("execute/sync", json!({ "script": script, "args": arguments })).await.expect("a script that runs")
    }

    /// The same for a script that calls its last argument with its result.
    pub async fn run_async(&self, script: &str) -> Value {
        self.send("execute/async", json!({ "script": script, "args": [] })).await.expect("a script that runs")
    }

    pub async fn click(&self, css: &str) {
        let until = Instant::now() + LONG;
        // A message may be replaced between finding and pressing.
        loop {
            let element = self.see(css).await;
            let Err(error) = self.send(&format!("element/{element}/click"), json!({})).await else { return };
            assert!(Instant::now() < until, "{css}: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn keys(&self, css: &str, keys: &str) {
        let element = self.see(css).await;
        let typed = self.send(&format!("element/{element}/value"), json!({ "text": keys })).await;
        typed.unwrap_or_else(|e| panic!("{css}: {e}"));
    }

    pub async fn key(&self, css: &str, key: Key) {
        let code = char::from_u32(key as u32).expect("a character");
        self.keys(css, &code.to_string()).await;
    }

    /// Types into the composer and presses Enter.
    pub async fn say(&self, text: &str) {
        self.keys("#composer", text).await;
        self.key("#composer", Key::Enter).await;
        let until = Instant::now() + LONG;
        while self.run("return document.querySelector('#composer').value", vec![]).await != "" {
            assert!(Instant::now() < until, "{text:?} was not sent: {}", self.said(".composer .error").await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Takes the picture of what is seen.
    pub async fn picture(&self) -> Vec<u8> {
        let answer = self.cdp("Page.captureScreenshot", json!({ "format": "png" })).await;
        STANDARD.decode(answer["data"].as_str().expect("a picture")).expect("base64")
    }
}

/// The last private card.
pub const CARD: &str = "#messages article[data-only]:last-of-type";
