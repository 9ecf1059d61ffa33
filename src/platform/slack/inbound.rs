//! What people type, press and submit, as our own structs, and as neutral [`Inbound`].
//!
//! slack-morphism's models of inbound payloads lose data that is needed here (selected users and
//! dates, `view.id`, channel names) and fail on nulls that Slack does send.

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::files::FileRef;
use super::forms::{ANSWER, FORM, FormState};
use super::ids::is_id;
use crate::chat::{Answers, ChannelKey, Inbound, MessageId, ReplyTo, UserId, Words};

/// The request could not be understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// A slash command, or Slack's own check of the address.
pub enum Slash {
    Check,
    Command(Inbound),
}

/// `POST /slack/commands`. `fallback_id` tells a delivery without a trigger.
pub fn slash(body: &[u8], fallback_id: &str, at: Timestamp) -> Result<Slash, Malformed> {
    let body = std::str::from_utf8(body).map_err(|_| Malformed)?;
    let (mut team, mut enterprise) = (Cow::Borrowed(""), Cow::Borrowed(""));
    let (mut channel, mut user) = (Cow::Borrowed(""), Cow::Borrowed(""));
    let (mut text, mut trigger, mut url) = (Cow::Borrowed(""), Cow::Borrowed(""), Cow::Borrowed(""));
    let mut check = false;
    for (name, value) in form_urlencoded::parse(body.as_bytes()) {
        match &*name {
            "team_id" => team = value,
            "enterprise_id" => enterprise = value,
            "channel_id" => channel = value,
            "user_id" => user = value,
            "text" => text = value,
            "trigger_id" => trigger = value,
            "response_url" => url = value,
            "ssl_check" => check = value == "1",
            _ => {}
        }
    }
    if check {
        return Ok(Slash::Check);
    }
    // An organisation-wide install may name no workspace.
    let team = if team.is_empty() { enterprise } else { team };
    if !(is_id(&team) && is_id(&channel) && is_id(&user)) {
        return Err(Malformed);
    }
    let id = if trigger.is_empty() { fallback_id } else { &trigger };
    Ok(Slash::Command(Inbound {
        delivery: format!("slack:{id}").into(),
        actor: UserId::slack(&user),
        channel: ChannelKey::slack(&team, &channel),
        words: Words::Typed(text.into_owned()),
        pressed: None,
        trigger: (!trigger.is_empty()).then(|| trigger.into()),
        reply_to: reply_to(Some(url.into_owned()), false),
        at,
    }))
}

/// What somebody did with a message or a form.
pub enum Interaction {
    Said(Inbound),
    /// The form that was submitted, by the name of its fields.
    Submitted {
        inbound: Inbound,
        fields: Vec<String>,
        /// Uploaded files, by the name of the field whose answer their content is to be.
        files: Vec<(String, FileRef)>,
    },
    /// Nothing that needs doing: a link was followed, a form was closed.
    Nothing,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    user: Person,
    team: Option<Id>,
    enterprise: Option<Id>,
    channel: Option<Id>,
    container: Option<Container>,
    view: Option<View>,
    #[serde(default)]
    actions: Vec<Action>,
    trigger_id: Option<String>,
    response_url: Option<String>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Person {
    id: String,
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    is_ephemeral: bool,
    channel_id: Option<String>,
    message_ts: Option<String>,
    thread_ts: Option<String>,
}

#[derive(Deserialize)]
struct View {
    id: String,
    #[serde(default)]
    callback_id: String,
    #[serde(default)]
    private_metadata: String,
    state: Option<ViewState>,
    #[serde(default)]
    blocks: Vec<ViewBlock>,
}

#[derive(Deserialize)]
struct ViewState {
    values: HashMap<String, HashMap<String, Value>>,
}

#[derive(Default, Deserialize)]
struct Value {
    value: Option<String>,
    selected_option: Option<OptionValue>,
    selected_options: Option<Vec<OptionValue>>,
    files: Option<Vec<File>>,
}

#[derive(Deserialize)]
struct File {
    url_private_download: Option<String>,
    url_private: Option<String>,
    size: Option<u64>,
}

/// Gives the fields their order. Nothing else of a block is ever read: Slack sends the whole form
/// back, and one that showed a secret still holds it.
#[derive(Deserialize)]
struct ViewBlock {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    block_id: String,
}

#[derive(Deserialize)]
struct Action {
    action_id: String,
    value: Option<String>,
    selected_option: Option<OptionValue>,
    selected_user: Option<String>,
    selected_date: Option<String>,
}

#[derive(Deserialize)]
struct OptionValue {
    value: String,
}

/// `POST /slack/interactivity`.
pub fn interaction(body: &[u8], fallback_id: &str, at: Timestamp) -> Result<Interaction, Malformed> {
    std::str::from_utf8(body).map_err(|_| Malformed)?;
    let payload = form_urlencoded::parse(body).find(|(name, _)| name == "payload").ok_or(Malformed)?.1;
    let payload: Payload = serde_json::from_str(&payload).map_err(|_| Malformed)?;
    match payload.kind.as_str() {
        "block_actions" => pressed(payload, fallback_id, at),
        "view_submission" => submitted(payload, at),
        _ => Ok(Interaction::Nothing),
    }
}

fn pressed(payload: Payload, fallback_id: &str, at: Timestamp) -> Result<Interaction, Malformed> {
    let Some(action) = payload.actions.into_iter().next() else { return Err(Malformed) };
    let Some(words) = action.words() else { return Ok(Interaction::Nothing) };
    let container = payload.container.as_ref();
    let channel =
        payload.channel.map(|c| c.id).or_else(|| container.and_then(|c| c.channel_id.clone())).ok_or(Malformed)?;
    // Organisation-wide installs send no team: the person's own, or else the organisation.
    let team = payload.team.map(|t| t.id).or_else(|| payload.user.team_id.clone());
    let team = team.or(payload.enterprise.map(|e| e.id)).ok_or(Malformed)?;
    if !(is_id(&team) && is_id(&channel) && is_id(&payload.user.id)) {
        return Err(Malformed);
    }
    let ephemeral = container.is_some_and(|c| c.is_ephemeral);
    let reply_to = match payload.response_url {
        // A private message is replaced by what its button led to; the channel's message stays.
        Some(url) => reply_to(Some(url), ephemeral),
        None => ReplyTo::Private { thread: container.and_then(|c| c.thread_ts.as_deref().map(Into::into)) },
    };
    let message = container.and_then(|c| c.message_ts.as_deref()).filter(|_| !ephemeral);
    let id = payload.trigger_id.as_deref().unwrap_or(fallback_id);
    Ok(Interaction::Said(Inbound {
        delivery: format!("slack:{id}").into(),
        // Of a person from another workspace the team says nothing; `users.info` tells.
        actor: UserId::slack(&payload.user.id),
        channel: ChannelKey::slack(&team, &channel),
        words,
        pressed: message.map(|ts| MessageId(ts.into())),
        trigger: payload.trigger_id.map(Into::into),
        reply_to,
        at,
    }))
}

fn submitted(payload: Payload, at: Timestamp) -> Result<Interaction, Malformed> {
    let view = payload.view.ok_or(Malformed)?;
    if view.callback_id != FORM || !is_id(&payload.user.id) {
        return Ok(Interaction::Nothing);
    }
    let state: FormState = serde_json::from_str(&view.private_metadata).map_err(|_| Malformed)?;
    let mut values = view.state.map(|s| s.values).unwrap_or_default();
    let fields: Vec<String> = view.blocks.into_iter().filter(|b| b.kind == "input").map(|b| b.block_id).collect();
    let (mut answers, mut files) = (Answers::new(), Vec::new());
    for field in &fields {
        let mut value = values.remove(field).and_then(|mut given| given.remove(ANSWER)).unwrap_or_default();
        files.extend(value.file().map(|file| (field.clone(), file)));
        answers.insert(field.as_str().into(), value.text());
    }
    let inbound = Inbound {
        // A form is submitted once, however often its button is pressed.
        delivery: format!("slack:{}", view.id).into(),
        actor: UserId::slack(&payload.user.id),
        channel: state.channel,
        words: Words::Filled { words: state.words, answers },
        pressed: None,
        trigger: None,
        reply_to: ReplyTo::Private { thread: None },
        at,
    };
    Ok(Interaction::Submitted { inbound, fields, files })
}

impl Value {
    /// What was uploaded; inputs take one file each.
    fn file(&mut self) -> Option<FileRef> {
        let file = self.files.take()?.into_iter().next()?;
        let url = file.url_private_download.or(file.url_private).unwrap_or_default();
        Some(FileRef { url, size: file.size.unwrap_or_default() })
    }

    /// What was typed or chosen.
    fn text(self) -> String {
        let one = self.value.or(self.selected_option.map(|option| option.value));
        one.unwrap_or_else(|| {
            let several = self.selected_options.unwrap_or_default().into_iter().map(|option| option.value);
            several.collect::<Vec<_>>().join(",")
        })
    }
}

impl Action {
    /// The words that the control stands for, with what was chosen; none for a link.
    fn words(self) -> Option<Words> {
        if let Some((_, words)) = self.action_id.split_once(':') {
            let answer = self.selected_option.map(|o| o.value).or(self.selected_user).or(self.selected_date)?;
            return Some(Words::Answered { words: words.to_owned(), answers: vec![answer] });
        }
        self.value.map(Words::Typed)
    }
}

fn reply_to(url: Option<String>, replace: bool) -> ReplyTo {
    match url {
        Some(url) if !url.is_empty() => ReplyTo::Url { url, replace },
        _ => ReplyTo::Private { thread: None },
    }
}
