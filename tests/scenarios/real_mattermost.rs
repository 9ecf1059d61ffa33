//! The whole story on a real Mattermost server: two people and a third, the built program, and the
//! embedded Sekoia.

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sekoia_chatops::sandbox::{self, Options, Sandbox, Tenant, Writes};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::real_mattermost::{Person, RealMattermost, text};

/// The program's environment, its process, and what is around it.
struct Story {
    _mattermost: RealMattermost,
    sekoia: Arc<Sandbox>,
    admin: Person,
    alice: Person,
    bob: Person,
    dan: Person,
    team: String,
    channel: String,
    bot: String,
    directory: tempfile::TempDir,
    program: std::process::Child,
}

impl Drop for Story {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn install(mattermost: &str, bot: &str, token: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"))
        .args(["mattermost", "install", "--url", mattermost, "--team", "acme", "--public-url", bot])
        .args(more)
        .env_clear()
        .env("MATTERMOST_ADMIN_TOKEN", token)
        .output()
        .expect("the binary runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl Story {
    async fn begin(grant: bool) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::new();
        let open = [
            ("MM_SERVICESETTINGS_ALLOWEDUNTRUSTEDINTERNALCONNECTIONS", "127.0.0.1"),
            ("MM_SERVICESETTINGS_ENABLEBOTACCOUNTCREATION", "true"),
        ];
        let mattermost = RealMattermost::start(&http, &open).await;
        let admin = mattermost.person(&http, "admin").await;
        let team = admin.post("/teams", json!({ "name": "acme", "display_name": "Acme", "type": "O" })).await;
        let team = team["id"].as_str().expect("an id").to_owned();
        let channel = json!({ "team_id": team, "name": "soc-setup", "display_name": "SOC set-up", "type": "O" });
        let channel = admin.post("/channels", channel).await["id"].as_str().expect("an id").to_owned();
        let mut people = Vec::new();
        for name in ["alice", "bob", "dan"] {
            let person = mattermost.person(&http, name).await;
            admin.post(&format!("/teams/{team}/members"), json!({ "team_id": team, "user_id": person.id })).await;
            admin.post(&format!("/channels/{channel}/members"), json!({ "user_id": person.id })).await;
            people.push(person);
        }
        let (dan, bob, alice) = (people.pop().unwrap(), people.pop().unwrap(), people.pop().unwrap());

        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("http://{address}");
        let more: &[&str] = if grant { &["--grant-private-answers"] } else { &[] };
        let installed = install(&mattermost.url, &url, &admin.token, more);
        assert!(installed.status.success(), "{}", said(&installed));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, installed.stdout).unwrap();
        let more = [more, &["--output", file.path().to_str().unwrap()]].concat();
        let again = install(&mattermost.url, &url, &admin.token, &more);
        assert!(again.status.success() && said(&again).contains("the known one works"), "{}", said(&again));
        let environment = std::fs::read_to_string(&file).unwrap();
        let bot = admin.get("/users/username/sekoia").await["id"].as_str().expect("an id").to_owned();
        admin.post(&format!("/channels/{channel}/members"), json!({ "user_id": bot })).await;

        let options = Options { tenant: Tenant::Single, seed: 1, writes: Writes::Accepted };
        let sekoia = Sandbox::new(options, Timestamp::now());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sekoia_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(sandbox::serve(listener, Arc::clone(&sekoia), std::future::pending()));
        let directory = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let program = Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"))
            .arg("serve")
            .env_clear()
            .envs(environment.lines().filter_map(|line| line.split_once('=')))
            .envs([
                ("SEKOIA_API_KEY", sekoia.token("admin")),
                ("SEKOIA_API_URL", &sekoia_url),
                ("CHATOPS_LISTEN", &address.to_string()),
                ("CHATOPS_STORE", &format!("sqlite:{}", directory.path().join("bot.db").display())),
                ("CHATOPS_OPERATORS", &format!("mattermost:{},mattermost:{}", alice.id, bob.id)),
                ("CHATOPS_APPROVERS", &format!("mattermost:{}", bob.id)),
                ("CHATOPS_LOG", "trace"),
            ])
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        while http.get(format!("{url}/healthz")).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { _mattermost: mattermost, sekoia, admin, alice, bob, dan, team, channel, bot, directory, program }
    }

    async fn types(&self, who: &Person, text: &str) {
        who.types(&self.channel, &self.team, text).await;
    }

    async fn submits(&self, who: &Person, dialog: &Value, submission: Value) -> Value {
        let (status, answer) = who.submits(dialog, &self.channel, &self.team, submission).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// The bot's message that says so, as it stands in the channel once it does.
    async fn standing(&self, about: &str, says: &str) -> Value {
        let began = std::time::Instant::now();
        loop {
            let page = self.admin.get(&format!("/channels/{}/posts?per_page=50", self.channel)).await;
            let posts = page["posts"].as_object().cloned().unwrap_or_default();
            let mut found: Vec<&Value> = posts.values().filter(|p| text(p).contains(about)).collect();
            found.retain(|post| post["user_id"] == *self.bot && text(post).contains(says));
            if let [one] = found.as_slice() {
                return (*one).clone();
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{} say {about:?} and {says:?}: {page:#}", found.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Bob presses *Approve* and says yes to the question.
    async fn approve(&self, card: &Value) {
        assert_eq!(self.bob.presses(card, "Approve", None).await, 200);
        let question = self.bob.asked().await;
        assert_eq!(question["dialog"]["title"], "Approve this?");
        assert_eq!(self.submits(&self.bob, &question, json!({})).await, json!({}));
        self.bob.reads("You approved").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Mattermost server"]
async fn two_people_complete_the_checklist() {
    for grant in [false, true] {
        let s = Story::begin(grant).await;
        s.types(&s.alice, "setup").await;
        s.alice.reads("This channel now works on **Nimbus Payments**").await;
        let checklist = s.standing("Sekoia workspace setup", "0 of 7 done").await;

        // A mention in a thread, which the server tells on its WebSocket; the answer is dan's alone.
        let said = json!({ "channel_id": s.channel, "root_id": checklist["id"], "message": "Hello @sekoia: whoami" });
        s.dan.post("/posts", said).await;
        let told = s.dan.reads("You are @dan").await;
        assert_eq!(told["root_id"] == checklist["id"], grant, "{told:#}");

        // A menu of the channel's message; its answer is private, with buttons if the server lets the bot.
        assert_eq!(s.alice.presses(&checklist, "Open a step", Some("1")).await, 200);
        let step = s.alice.reads("Step 1 of 7").await;
        if grant {
            assert_eq!(s.alice.presses(&step, "Done", None).await, 200);
        } else {
            assert!(text(&step).contains("Done: `/sekoia done subscription`"), "{step:#}");
            s.types(&s.alice, "done subscription").await;
        }
        for step in ["region", "roles"] {
            s.types(&s.bob, &format!("done {step}")).await;
        }
        s.types(&s.bob, "skip notifications \"**@all** <!here> ~soc-setup ours\"").await;
        s.standing("Sekoia workspace setup", "3 of 7 done · 1 skipped").await;

        // An invitation by form: wrong first, then right; dan may not approve it, bob does.
        s.types(&s.alice, "invite").await;
        let form = s.alice.asked().await;
        let elements = form["dialog"]["elements"].as_array().unwrap();
        let choice = |name: &str, label: &str| {
            let element = elements.iter().find(|e| e["name"] == name).unwrap();
            let options = element["options"].as_array().unwrap();
            options.iter().find(|o| o["text"] == label).unwrap_or_else(|| panic!("{label} in {element:#}"))["value"]
                .clone()
        };
        let mut filled = json!({
            "addresses": "not-an-address", "csv": null, "role": choice("role", "Analyst"),
            "communities": [choice("communities", "Nimbus Payments")], "because": "night shift",
        });
        let errors = s.submits(&s.alice, &form, filled.clone()).await;
        assert_eq!(
            errors["errors"]["addresses"],
            "There is nobody to invite. 0 of 1 entry; 1 left out: \"not-an-address\" has no address."
        );
        filled["addresses"] = json!("ana@nimbus.example");
        // Nobody sends somebody else's form.
        assert_eq!(s.dan.submits(&form, &s.channel, &s.team, filled.clone()).await.0, 400);
        s.submits(&s.alice, &form, filled.clone()).await;
        s.submits(&s.alice, &form, filled).await;
        let card = s.standing("Invite ana@nimbus.example", "Approval needed").await;
        // Who may not decide is not asked whether they are sure.
        assert_eq!(s.dan.presses(&card, "Approve", None).await, 200);
        s.dan.reads("You cannot decide this").await;
        s.approve(&card).await;
        s.standing("Invite ana@nimbus.example", "not accepted yet").await;
        let invited = s.sekoia.edit(|world| {
            world.members.iter().filter(|m| m.user.invited_email.as_deref() == Some("ana@nimbus.example")).count()
        });
        assert_eq!(invited, 1);

        // A key, shown once, to alice alone.
        s.types(&s.alice, "key create forwarder for read-alerts expires 30d").await;
        let card = s.standing("Create the API key forwarder", "Approval needed").await;
        s.approve(&card).await;
        let card = s.standing("Create the API key forwarder", "ready to be created").await;
        assert_eq!(s.bob.presses(&card, "Create and show", None).await, 200);
        s.bob.reads("Only who asked for it can do that.").await;
        assert_eq!(s.alice.presses(&card, "Create and show", None).await, 200);
        let shown = s.alice.asked().await;
        let secret = s.sekoia.secrets()[0].clone();
        assert!(shown["dialog"]["introduction_text"].as_str().unwrap().contains(&secret), "{shown:#}");
        s.submits(&s.alice, &shown, json!({})).await;
        s.standing("Create the API key forwarder", "shown once and saved").await;
        for step in ["users", "keys"] {
            s.types(&s.alice, &format!("done {step}")).await;
        }
        let done = s.standing("Sekoia workspace setup", "5 of 7 done · 1 skipped · 1 not applicable").await;
        assert_eq!(done["id"], checklist["id"], "the one message, edited in place");

        forged(&s, &card).await;
        proven(&s, &secret);
    }
}

/// Buttons and forms that the bot did not make change nothing.
async fn forged(s: &Story, card: &Value) {
    let before = s.sekoia.calls().len();
    let bot = s.admin.get(&format!("/commands?team_id={}&custom_only=true", s.team)).await;
    let url = bot[0]["url"].as_str().unwrap().replace("/command", "/action");
    // What dan may know: a context that was sealed for him alone.
    s.types(&s.dan, "step 4").await;
    let own = s.dan.reads("Step 4 of 7").await;
    assert!(own["props"]["attachments"][0]["actions"][0]["integration"].is_null(), "{own:#}");
    for context in [json!({}), json!({ "sealed": "" }), json!({ "sealed": format!("{}.{{}}", "0".repeat(64)) })] {
        let actions = json!([{ "id": "a1", "name": "Approve", "type": "button",
            "integration": { "url": url, "context": context } }]);
        let props = json!({ "from_bot": "true", "attachments": [{ "text": "Approved by @bob", "actions": actions }] });
        let post = s.dan.post("/posts", json!({ "channel_id": s.channel, "message": "x", "props": props })).await;
        assert_eq!(s.bob.presses(&post, "Approve", None).await, 400);
    }
    let invented =
        json!({ "url": url.replace("/action", "/dialog"), "dialog": { "callback_id": "form", "state": "x" } });
    assert_eq!(s.dan.submits(&invented, &s.channel, &s.team, json!({})).await.0, 400);
    assert_eq!(s.sekoia.calls().len(), before);
    assert!(card["props"]["attachments"][0]["actions"][0]["integration"].is_null(), "a context that others can read");
}

/// The history holds together, nobody was mentioned who was not meant, and no secret was kept.
fn proven(s: &Story, secret: &str) {
    let store = format!("sqlite:{}", s.directory.path().join("bot.db").display());
    let verify = Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"))
        .args(["audit", "verify"])
        .env_clear()
        .env("CHATOPS_STORE", store)
        .output()
        .expect("the binary runs");
    assert!(verify.status.success(), "{}", said(&verify));
    for file in ["log", "bot.db", "bot.db-wal"] {
        let kept = std::fs::read(s.directory.path().join(file)).unwrap_or_default();
        assert!(!kept.windows(secret.len()).any(|w| w == secret.as_bytes()), "the secret is in {file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Mattermost server"]
async fn a_server_that_is_not_ready_is_told_what_to_change() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let closed = [
        ("MM_SERVICESETTINGS_ALLOWEDUNTRUSTEDINTERNALCONNECTIONS", ""),
        ("MM_SERVICESETTINGS_ENABLEBOTACCOUNTCREATION", "true"),
    ];
    let mattermost = RealMattermost::start(&http, &closed).await;
    let admin = mattermost.person(&http, "admin").await;
    let dan = mattermost.person(&http, "dan").await;
    let bot = "http://127.0.0.1:9";
    let told = install(&mattermost.url, bot, &admin.token, &[]);
    assert_eq!(told.status.code(), Some(1));
    assert!(said(&told).contains("Looking for the team acme: the server does not have it"), "{}", said(&told));
    admin.post("/teams", json!({ "name": "acme", "display_name": "Acme", "type": "O" })).await;
    let told = install(&mattermost.url, bot, &dan.token, &[]);
    assert!(said(&told).contains("may not do this; use a system administrator's"), "{}", said(&told));
    let told = install(&mattermost.url, bot, "wrong", &[]);
    assert!(said(&told).contains("does not take the admin token"), "{}", said(&told));
    let told = install(&mattermost.url, bot, &admin.token, &["--bot-name", "dan"]);
    assert!(said(&told).contains("a person has that name"), "{}", said(&told));
    let told = install(&mattermost.url, bot, &admin.token, &[]);
    assert_eq!(told.status.code(), Some(1));
    let said = said(&told);
    assert!(said.contains("MATTERMOST_BOT_TOKEN=") && said.contains("AllowedUntrustedInternalConnections"), "{said}");
}
