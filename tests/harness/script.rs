//! What people do on a stage, and what they read then.

use std::time::Duration;

use super::mattermost::MattermostWorld;
use super::slack::SlackWorld;
use super::{Chat, Choice, Kind, SOC, Seen, SignedRequest, Stage, id_in};

/// How long a person waits for something to appear.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a form says that is opened before it is known what it asks.
const PLACEHOLDER: &str = "One moment";

impl Stage {
    /// What only Slack has.
    ///
    /// # Panics
    /// On another platform.
    pub fn slack(&self) -> &SlackWorld {
        match &self.chat {
            Chat::Slack(world) => world,
            Chat::Mattermost(_) => panic!("a scenario about Slack on another platform"),
        }
    }

    /// What only Mattermost has.
    ///
    /// # Panics
    /// On another platform.
    pub fn mattermost(&self) -> &MattermostWorld {
        match &self.chat {
            Chat::Mattermost(world) => world,
            Chat::Slack(_) => panic!("a scenario about Mattermost on another platform"),
        }
    }

    /// Sends a request as the platform does; what the bot answers.
    pub async fn send(&self, request: &SignedRequest) -> reqwest::Response {
        match self.by_socket(request) {
            Some(slack) => slack.deliver(request).await.into(),
            None => self.request(request).send().await.expect("an answer of the bot"),
        }
    }

    /// The Slack that sends this by Socket Mode.
    fn by_socket(&self, request: &SignedRequest) -> Option<&SlackWorld> {
        match &self.chat {
            Chat::Slack(slack) if slack.is_by_socket() && request.path.starts_with("/slack/") => Some(slack),
            _ => None,
        }
    }

    fn request(&self, request: &SignedRequest) -> reqwest::RequestBuilder {
        let mut builder = self.http.post(format!("http://{}{}", self.address(), request.path));
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        builder.body(request.body.clone())
    }

    /// Sends a request that must be taken. Whatever its answer shows is still to be read.
    pub async fn taken(&self, request: &SignedRequest) {
        let answer = self.send(request).await;
        assert_eq!(answer.status(), 200, "{}", request.path);
        self.heard(request, answer).await;
    }

    async fn heard(&self, request: &SignedRequest, answer: reqwest::Response) {
        let status = answer.status().as_u16();
        let kind =
            answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        if let Ok(body) = answer.bytes().await {
            self.chat.hear(request, status, &kind, &body);
        }
    }

    /// Sends a request that must be acknowledged with nothing to read.
    pub async fn acknowledged(&self, request: &SignedRequest) {
        let answer = self.send(request).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.expect("a body"), "");
    }

    /// Mentions the bot, in the thread under a message or not; the answer is still to be read.
    pub async fn mention(&self, user: &str, under: Option<&Seen>, text: &str) {
        match &self.chat {
            Chat::Slack(world) => {
                let thread = under.map(|seen| match &seen.on_slack().kind {
                    super::slack::Kind::Posted { ts, .. } => ts.as_str(),
                    _ => panic!("no thread under:\n{seen}"),
                });
                self.acknowledged(&world.mention(user, SOC, thread, text)).await;
            }
            Chat::Mattermost(world) => {
                let text = format!("@sekoia {text}");
                match under {
                    Some(seen) => world.write_under(user, seen.on_mattermost(), &text),
                    None => world.write(user, SOC, &text),
                };
            }
        }
    }

    /// Types `/sekoia …`; the answer is still to be read.
    pub async fn say(&self, user: &str, text: &str) {
        self.taken(&self.chat.slash(user, SOC, text)).await;
    }

    /// Types `/sekoia …` and reads the answer, wherever it comes.
    pub async fn ask_in(&self, channel: &str, user: &str, text: &str) -> Seen {
        self.taken(&self.chat.slash(user, channel, text)).await;
        self.reply().await
    }

    pub async fn ask(&self, user: &str, text: &str) -> Seen {
        self.ask_in(SOC, user, text).await
    }

    /// Presses a button, and agrees if a question is asked first; the answer is still to be read.
    pub async fn press(&self, user: &str, on: &Seen, label: &str) {
        let press = self.chat.click(user, on, label);
        self.taken(&press).await;
        if let Some(question) = self.chat.question(&press) {
            self.taken(&self.chat.submit(user, &question, &[])).await;
        }
    }

    /// Presses a button and reads what comes of it.
    pub async fn click(&self, user: &str, on: &Seen, label: &str) -> Seen {
        self.press(user, on, label).await;
        self.reply_to(on).await
    }

    /// Presses a button that opens a form.
    pub async fn opens(&self, user: &str, on: &Seen, label: &str) -> Seen {
        self.taken(&self.chat.click(user, on, label)).await;
        self.fields().await
    }

    /// Types a command that opens a form.
    pub async fn form_for(&self, user: &str, text: &str) -> Seen {
        self.say(user, text).await;
        self.fields().await
    }

    /// Presses a button that opens a form, unless there is something to be said instead.
    pub async fn outcome(&self, user: &str, on: &Seen, label: &str) -> Seen {
        self.taken(&self.chat.click(user, on, label)).await;
        self.form_or_words().await
    }

    pub async fn choose(&self, user: &str, on: &Seen, placeholder: &str, choice: Choice<'_>) -> Seen {
        let request = self.chat.choose(user, on, placeholder, choice);
        self.taken(&request).await;
        if let (Choice::Date(day), Some(form)) = (choice, self.chat.asked_for_a_day(&request)) {
            self.taken(&self.chat.submit(user, &form, &[("Day", day)])).await;
        }
        self.reply_to(on).await
    }

    /// Sends a form that must be taken; what comes of it is private.
    pub async fn submit(&self, user: &str, form: &Seen, values: &[(&str, &str)]) -> Seen {
        self.taken(&self.chat.submit(user, form, values)).await;
        self.chat.accepted(form);
        self.reply_to(form).await
    }

    /// Sends a form that must be refused; the fields' errors.
    pub async fn refused(&self, user: &str, form: &Seen, values: &[(&str, &str)]) -> String {
        let answer = self.send(&self.chat.submit(user, form, values)).await;
        assert_eq!(answer.status(), 200);
        let body: serde_json::Value = answer.json().await.expect("JSON");
        assert!(body["errors"].is_object(), "{body}");
        body["errors"].to_string()
    }

    /// The same of a bot that may die meanwhile.
    pub async fn try_say(&self, user: &str, text: &str) {
        self.tried(&self.chat.slash(user, SOC, text)).await;
    }

    pub async fn try_press(&self, user: &str, on: &Seen, label: &str) {
        let press = self.chat.click(user, on, label);
        self.tried(&press).await;
        if let Some(question) = self.chat.question(&press) {
            self.tried(&self.chat.submit(user, &question, &[])).await;
        }
    }

    pub async fn try_open(&self, user: &str, on: &Seen, label: &str) {
        self.tried(&self.chat.click(user, on, label)).await;
    }

    pub async fn try_submit(&self, user: &str, form: &Seen) {
        self.tried(&self.chat.submit(user, form, &[])).await;
    }

    async fn tried(&self, request: &SignedRequest) {
        let answer = async {
            match self.by_socket(request) {
                Some(slack) => Some(slack.deliver(request).await.into()),
                None => self.request(request).send().await.ok(),
            }
        };
        // Nobody answers if the bot dies.
        let answer: Result<Option<reqwest::Response>, _> = tokio::time::timeout(PATIENCE, answer).await;
        if let Ok(Some(answer)) = answer
            && answer.status() == 200
        {
            self.heard(request, answer).await;
        }
    }

    /// Asks for something; its request's id.
    pub async fn request_for(&self, user: &str, text: &str) -> String {
        let reply = self.ask(user, text).await;
        id_in(&reply)
    }

    async fn next_where(&self, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        self.chat.next_where(PATIENCE, what, wanted).await
    }

    /// The next unread thing, whatever it is, which may take its time.
    pub async fn next_within(&self, time: Duration) -> Seen {
        self.chat.next_where(time, "anything", |_| true).await
    }

    /// The next private answer; posts and edits stay unread.
    pub async fn reply(&self) -> Seen {
        self.next_where("private answer", |seen| seen.kind == Kind::Private).await
    }

    /// The next thing that only this person sees, in a channel or alone with the bot.
    pub async fn next_private(&self, user: &str) -> Seen {
        let theirs = |seen: &Seen| seen.is_for(user) && !matches!(seen.kind, Kind::FormOpened | Kind::FormFilled);
        self.next_where("private answer, wherever", theirs).await
    }

    /// The answer to what was pressed or sent.
    async fn reply_to(&self, on: &Seen) -> Seen {
        let alone = |seen: &Seen| on.is_answered_alone() && seen.kind == Kind::Posted && seen.is_direct();
        self.next_where("answer", |seen| seen.kind == Kind::Private || alone(seen)).await
    }

    /// The next post or edit in a channel.
    /// All pages of the readiness report.
    pub async fn whole_report(&self, user: &str) -> String {
        let mut report = String::new();
        for page in 1.. {
            let text = self.ask(user, &format!("report markdown {page}")).await.text();
            report.push_str(text.split("```").nth(1).expect("code"));
            if !text.contains("[Next page]") {
                break;
            }
        }
        report
    }

    /// The next message in a channel that says this.
    pub async fn next_post(&self, says: &str) -> Seen {
        self.next_where("a message", |seen| seen.is_post() && seen.text().contains(says)).await
    }

    pub async fn progress(&self) -> Seen {
        self.next_where("progress message", Seen::is_post).await
    }

    /// The request's card once it says so; what it said before is passed over, because how many
    /// edits there are depends on how fast they are sent.
    pub async fn card(&self, says: &str) -> Seen {
        self.message_saying("Request ", says).await
    }

    /// The same of the channel's checklist.
    pub async fn checklist(&self, says: &str) -> Seen {
        self.message_saying("Sekoia workspace setup", says).await
    }

    /// The checklist when no step waits for anything any more.
    pub async fn checklist_at_rest(&self) -> Seen {
        loop {
            let seen = self.checklist("").await;
            if !seen.text().contains('⏳') {
                return seen;
            }
        }
    }

    /// The next message in a channel, whichever it is, that says so.
    pub async fn announced(&self, says: &str) -> Seen {
        let about = |seen: &Seen| seen.kind == Kind::Posted && !seen.is_direct() && seen.text().contains(says);
        self.next_where(&format!("message that says {says:?}"), about).await
    }

    async fn message_saying(&self, which: &str, says: &str) -> Seen {
        let mut last = None;
        loop {
            let about = |seen: &Seen| seen.is_post() && !seen.is_direct() && seen.text().contains(which);
            let what = format!("message about {which:?} that says {says:?}, after {last:?}");
            let seen = self.next_where(&what, about).await;
            if seen.text().contains(says) {
                return seen;
            }
            last = Some(seen.text());
        }
    }

    /// The next message in somebody's conversation with the bot alone.
    pub async fn direct(&self) -> Seen {
        self.next_where("direct message", |seen| seen.kind == Kind::Posted && seen.is_direct()).await
    }

    /// Somebody's page, once it says so; what it said before is passed over, because how often it is
    /// published depends on how fast things follow each other.
    pub async fn home(&self, user: &str, says: &str) -> Seen {
        let mut last = None;
        loop {
            let theirs =
                |seen: &Seen| seen.kind == Kind::Home && seen.to_string().starts_with(&format!("home of {user}"));
            let seen = self.next_where(&format!("home of {user} that says {says:?}, after {last:?}"), theirs).await;
            if seen.text().contains(says) {
                return seen;
            }
            last = Some(seen.text());
        }
    }

    /// Presses a button whose answer stands in a window of its own.
    pub async fn in_window(&self, user: &str, on: &Seen, label: &str) -> Seen {
        self.taken(&self.chat.click(user, on, label)).await;
        self.form_or_words().await
    }

    /// A form once it has its fields: at once, or behind a placeholder.
    pub async fn fields(&self) -> Seen {
        let form = self.next_where("form", |seen| seen.kind == Kind::FormOpened).await;
        if form.text().contains(PLACEHOLDER) { self.filled().await } else { form }
    }

    /// The next content of an open form.
    pub async fn filled(&self) -> Seen {
        self.next_where("form's content", |seen| seen.kind == Kind::FormFilled).await
    }

    /// What comes of a press that may open a form: what the form says then, or a private answer.
    pub async fn form_or_words(&self) -> Seen {
        let either = |seen: &Seen| matches!(seen.kind, Kind::FormOpened | Kind::Private);
        let first = self.next_where("form or private answer", either).await;
        if first.text().contains(PLACEHOLDER) { self.filled().await } else { first }
    }

    /// `setup` by alice in #soc-setup, all the way; the progress message.
    pub async fn set_up(&self) -> Seen {
        let reply = self.ask("alice", "setup").await;
        assert!(reply.text().contains("This channel now works on"), "{reply}");
        self.progress().await
    }
}
