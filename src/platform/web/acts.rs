//! What a window sends: something said, a pressed control, a filled form.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::conversation::Place;
use super::people::{self, BOT, PEOPLE, Somebody, sees};
use super::platform::trigger;
use super::routes::{Refusal, Web, is_token, no};
use crate::chat::{Answers, ChannelKey, Inbound, MessageId, ReplyTo, UserId, Words};
use crate::domain::action::people::decode;

/// Characters that somebody may say at once.
const MOST_TYPED: usize = 12_000;
/// Characters of one answer: it may be the content of a file.
const MOST_ANSWERED: usize = 200_000;
/// What a file's bytes stand behind, in base64, as a browser reads a file.
const FILE: &str = ";base64,";

/// Who does something, from where. `id` is the same when the same is sent again.
#[derive(Deserialize)]
pub struct Who {
    r#as: String,
    window: String,
    id: String,
}

impl Who {
    fn person(&self) -> Result<&'static Somebody, Refusal> {
        match people::find(&self.r#as) {
            Some(person) if is_token(&self.window) && is_token(&self.id) => Ok(person),
            Some(_) => no(StatusCode::BAD_REQUEST, "The page sent something that I do not understand. Reload it."),
            None => no(StatusCode::NOT_FOUND, "Nobody here has that name. Be alice, bob, carol or dan."),
        }
    }

    fn inbound(&self, person: &Somebody, channel: &str, words: Words, reply_to: ReplyTo) -> Inbound {
        let at = Timestamp::now();
        Inbound {
            delivery: format!("web:{}", self.id).into(),
            actor: UserId::web(person.id),
            channel: ChannelKey::web(channel),
            words,
            pressed: None,
            trigger: Some(trigger(&self.window, at)),
            reply_to,
            at,
        }
    }
}

#[derive(Deserialize)]
pub struct Say {
    #[serde(flatten)]
    who: Who,
    channel: String,
    thread: Option<u64>,
    text: String,
}

/// `POST /demo/say`: a command, or something said to the others.
pub async fn say(State(web): State<Arc<Web>>, Json(said): Json<Say>) -> Result<Response, Refusal> {
    let person = said.who.person()?;
    if !sees(person.id, &said.channel) {
        return no(StatusCode::NOT_FOUND, "There is no such channel for you. Choose one at the left.");
    }
    let text = said.text.trim();
    if text.is_empty() {
        return no(StatusCode::UNPROCESSABLE_ENTITY, "Type something first, for example /sekoia help.");
    }
    if text.chars().count() > MOST_TYPED {
        return no(StatusCode::PAYLOAD_TOO_LARGE, "That is longer than 12,000 characters. Say it in two parts.");
    }
    if said.thread.is_some_and(|id| web.chat.find(id, person.id).is_none()) {
        return no(StatusCode::NOT_FOUND, "That thread is gone. Say it in the channel.");
    }
    let (words, only) = match addressed(text) {
        Addressed::Command(words) => (Some(words), Some(person.id)),
        Addressed::Bot(words) => (Some(words), None),
        Addressed::Others => (None, None),
        Addressed::Unknown(command) => {
            let why = format!("{command} is not a command here. Type /sekoia help.");
            return no(StatusCode::UNPROCESSABLE_ENTITY, why);
        }
    };
    web.chat.typed(person.id, &Place { channel: &said.channel, thread: said.thread, only }, text, &said.who.id);
    if let Some(words) = words {
        let reply_to = ReplyTo::Private { thread: said.thread.map(|id| id.to_string().into()) };
        let words = Words::Typed(as_sent(words));
        web.responder.take(said.who.inbound(person, &said.channel, words, reply_to), false).await;
    }
    Ok(accepted())
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({}))).into_response()
}

/// Whom a text is for.
#[derive(Debug, PartialEq)]
enum Addressed<'a> {
    /// `/sekoia …`: seen by nobody else.
    Command(&'a str),
    /// `@Sekoia …`.
    Bot(&'a str),
    Others,
    /// Another `/…`.
    Unknown(&'a str),
}

fn addressed(text: &str) -> Addressed<'_> {
    if text.starts_with('/') {
        let (command, words) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        return if command.eq_ignore_ascii_case("/sekoia") {
            Addressed::Command(words)
        } else {
            Addressed::Unknown(crate::chat::text::first(command, 40))
        };
    }
    match mentions(text).find(|(_, name)| name.eq_ignore_ascii_case(BOT)) {
        Some((at, name)) => Addressed::Bot(text[at + 1 + name.len()..].trim_start_matches([' ', ',', ':'])),
        None => Addressed::Others,
    }
}

/// Where an `@name` begins a word, and its name.
fn mentions(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('@').filter_map(|(at, _)| {
        let begins = text[..at].chars().next_back().is_none_or(char::is_whitespace);
        let rest = &text[at + 1..];
        let name = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())];
        (begins && !name.is_empty()).then_some((at, name))
    })
}

/// As a chat platform sends it: typed markup escaped, people by their id.
fn as_sent(text: &str) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (at, name) in mentions(text) {
        if let Some(person) = PEOPLE.iter().find(|p| p.id.eq_ignore_ascii_case(name)) {
            out.push_str(&escape(&text[done..at]));
            out.push_str(&format!("<@{}>", person.id));
            done = at + 1 + name.len();
        }
    }
    out.push_str(&escape(&text[done..]));
    out
}

#[derive(Deserialize)]
pub struct Press {
    #[serde(flatten)]
    who: Who,
    message: u64,
    words: String,
    answers: Vec<String>,
}

/// `POST /demo/press`: a control of a message.
pub async fn press(State(web): State<Arc<Web>>, Json(pressed): Json<Press>) -> Result<Response, Refusal> {
    let person = pressed.who.person()?;
    let Some(message) = web.chat.find(pressed.message, person.id).map(|kept| kept.message) else {
        return no(StatusCode::NOT_FOUND, "That message is gone. Type /sekoia status for the present one.");
    };
    let reply_to = match message.only {
        // A private message is replaced by what its button led to; the channel's message stays.
        Some(_) => ReplyTo::Url { url: message.id.to_string(), replace: true },
        None => ReplyTo::Private { thread: message.thread.map(|id| id.to_string().into()) },
    };
    if pressed.answers.iter().any(|answer| is_too_long(answer)) {
        return no(StatusCode::PAYLOAD_TOO_LARGE, "That is longer than 200,000 characters. Choose something shorter.");
    }
    let words = match pressed.answers {
        none if none.is_empty() => Words::Typed(pressed.words),
        answers => Words::Answered { words: pressed.words, answers },
    };
    let mut inbound = pressed.who.inbound(person, &message.channel, words, reply_to);
    inbound.pressed = message.only.is_none().then(|| MessageId(message.id.to_string().into()));
    web.responder.take(inbound, false).await;
    Ok(accepted())
}

/// An answer that nobody would read.
fn is_too_long(answer: &str) -> bool {
    answer.chars().count() > MOST_ANSWERED
}

#[derive(Deserialize)]
pub struct Submit {
    r#as: String,
    window: String,
    form: String,
    channel: String,
    words: String,
    /// By the names of the fields. A form that only shows something has none.
    answers: BTreeMap<String, Answer>,
}

/// What stands in a field.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Text(String),
    /// A file as it is, whatever its encoding: `data:chat/text/csv;base64,…`.
    File {
        file: String,
    },
}

impl Answer {
    /// # Errors
    /// The file is not text; the message says what to do.
    fn text(self) -> Result<String, String> {
        let file = match self {
            Answer::Text(text) => return Ok(text),
            Answer::File { file } => file,
        };
        let (_, encoded) = file.split_once(FILE).unwrap_or_default();
        let bytes =
            BASE64.decode(encoded).map_err(|_| "That file did not arrive whole. Choose it again.".to_owned())?;
        decode(&bytes)
    }
}

/// `POST /demo/submit`: a filled form, or one that showed something and was confirmed.
pub async fn submit(State(web): State<Arc<Web>>, Json(form): Json<Submit>) -> Result<Response, Refusal> {
    // A form is submitted once, however often its button is pressed.
    let who = Who { r#as: form.r#as, window: form.window, id: form.form };
    let person = who.person()?;
    if !sees(person.id, &form.channel) {
        return no(StatusCode::NOT_FOUND, "There is no such channel for you. Choose one at the left.");
    }
    let fields: Vec<String> = form.answers.keys().cloned().collect();
    let mut answers = Answers::new();
    for (field, answer) in form.answers {
        match answer.text() {
            Ok(text) if is_too_long(&text) => {
                let why = "That is longer than 200,000 characters. Shorten it, or give it in two parts.";
                return Ok(wrong(StatusCode::PAYLOAD_TOO_LARGE, &field, why));
            }
            Ok(text) => answers.insert(field.into(), text),
            Err(why) => return Ok(wrong(StatusCode::UNPROCESSABLE_ENTITY, &field, &why)),
        };
    }
    let words = match answers {
        none if none.is_empty() => Words::Typed(form.words),
        answers => Words::Filled { words: form.words, answers },
    };
    let inbound = who.inbound(person, &form.channel, words, ReplyTo::Private { thread: None });
    if let Some(error) = web.bot().field_error(&inbound).await {
        // The page shows at the form what belongs to no field.
        let field = error.field.filter(|name| fields.iter().any(|field| field == name));
        return Ok(wrong(StatusCode::UNPROCESSABLE_ENTITY, field.unwrap_or_default(), &error.text));
    }
    web.responder.take(inbound, false).await;
    Ok(accepted())
}

/// What is wrong with one field.
fn wrong(status: StatusCode, field: &str, error: &str) -> Response {
    (status, Json(json!({ "field": field, "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_for_the_bot_or_for_the_others() {
        assert_eq!(addressed("/sekoia done 3"), Addressed::Command("done 3"));
        assert_eq!(addressed("/SEKOIA"), Addressed::Command(""));
        assert_eq!(addressed("/giphy cat"), Addressed::Unknown("/giphy"));
        assert_eq!(addressed("hello @Sekoia: status please"), Addressed::Bot("status please"));
        assert_eq!(addressed("write to soc@sekoia.example"), Addressed::Others);
    }

    #[test]
    fn people_are_sent_by_id_and_markup_as_text() {
        assert_eq!(as_sent("assign users @Bob"), "assign users <@bob>");
        assert_eq!(as_sent("skip 3 <@bob> & a@bob"), "skip 3 &lt;@bob&gt; &amp; a@bob");
        assert_eq!(as_sent("@nobody @dan, @"), "@nobody <@dan>, @");
    }

    #[test]
    fn a_file_is_sent_as_it_is_and_read_in_its_encoding() {
        let answers = r#"["a", {"file": "data:text/csv;base64,Wuk7em9lQHguZXhhbXBsZQ=="}, {"file": "data:application/pdf;base64,JVBERi0="}]"#;
        let answers: Vec<Answer> = serde_json::from_str(answers).unwrap();
        let read: Vec<_> = answers.into_iter().map(Answer::text).collect();
        assert_eq!(read[..2], [Ok("a".into()), Ok("Zé;zoe@x.example".into())]);
        assert!(read[2].as_ref().is_err_and(|why| why.contains("Save it as CSV")), "{read:?}");
    }

    #[test]
    fn an_answer_has_at_most_so_many_characters() {
        assert!(!is_too_long(&"é".repeat(MOST_ANSWERED)));
        assert!(is_too_long(&"é".repeat(MOST_ANSWERED + 1)));
    }
}
