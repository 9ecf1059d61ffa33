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
    let mut fields = Fields::default();
    let mut check = false;
    for (name, value) in form_urlencoded::parse(body.as_bytes()) {
        match &*name {
            "team_id" => fields.team = value,
            "enterprise_id" => fields.enterprise = value,
            "channel_id" => fields.channel = value,
            "user_id" => fields.user = value,
            "text" => fields.text = value,
            "trigger_id" => fields.trigger = value,
            "response_url" => fields.url = value,
            "ssl_check" => check = value == "1",
            _ => {}
        }
    }
    if check {
        return Ok(Slash::Check);
    }
    fields.command(fallback_id, at).map(Slash::Command)
}

/// The same fields as an object, in Socket Mode.
pub fn slash_payload(json: &str, fallback_id: &str, at: Timestamp) -> Result<Inbound, Malformed> {
    #[derive(Deserialize)]
    struct Payload {
        team_id: Option<String>,
        enterprise_id: Option<String>,
        channel_id: Option<String>,
        user_id: Option<String>,
        text: Option<String>,
        trigger_id: Option<String>,
        response_url: Option<String>,
    }
    let payload: Payload = serde_json::from_str(json).map_err(|_| Malformed)?;
    let field = |value: Option<String>| Cow::Owned(value.unwrap_or_default());
    let fields = Fields {
        team: field(payload.team_id),
        enterprise: field(payload.enterprise_id),
        channel: field(payload.channel_id),
        user: field(payload.user_id),
        text: field(payload.text),
        trigger: field(payload.trigger_id),
        url: field(payload.response_url),
    };
    fields.command(fallback_id, at)
}

/// What a slash command brings; what is not there is empty.
#[derive(Default)]
struct Fields<'a> {
    team: Cow<'a, str>,
    enterprise: Cow<'a, str>,
    channel: Cow<'a, str>,
    user: Cow<'a, str>,
    text: Cow<'a, str>,
    trigger: Cow<'a, str>,
    url: Cow<'a, str>,
}

impl Fields<'_> {
    fn command(self, fallback_id: &str, at: Timestamp) -> Result<Inbound, Malformed> {
        let Self { team, enterprise, channel, user, text, trigger, url } = self;
        // An organisation-wide install may name no workspace.
        let team = if team.is_empty() { enterprise } else { team };
        if !(is_id(&team) && is_id(&channel) && is_id(&user)) {
            return Err(Malformed);
        }
        let id = if trigger.is_empty() { fallback_id } else { &trigger };
        Ok(Inbound {
            delivery: format!("slack:{id}").into(),
            actor: UserId::slack(&user),
            channel: ChannelKey::slack(&team, &channel),
            words: Words::Typed(text.into_owned()),
            pressed: None,
            trigger: (!trigger.is_empty()).then(|| trigger.into()),
            reply_to: reply_to(Some(url.into_owned()), false),
            at,
        })
    }
}

/// What somebody did with a message or a form.
pub enum Interaction {
    Said(Inbound),
    /// On their page of the app, which is no channel: the words' channel is their conversation with the bot,
    /// whose id the payload does not bring.
    SaidAtHome(Inbound),
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
    #[serde(rename = "type", default)]
    kind: String,
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
    interaction_payload(&payload, fallback_id, at)
}

/// What the form's one field holds; in Socket Mode, the whole of it.
pub fn interaction_payload(json: &str, fallback_id: &str, at: Timestamp) -> Result<Interaction, Malformed> {
    let payload: Payload = serde_json::from_str(json).map_err(|_| Malformed)?;
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
    let channel = payload.channel.map(|c| c.id).or_else(|| container.and_then(|c| c.channel_id.clone()));
    // Organisation-wide installs send no team: the person's own, or else the organisation.
    let team = payload.team.map(|t| t.id).or_else(|| payload.user.team_id.clone());
    let team = team.or(payload.enterprise.map(|e| e.id)).ok_or(Malformed)?;
    if !(is_id(&team) && is_id(&payload.user.id)) {
        return Err(Malformed);
    }
    let id = payload.trigger_id.as_deref().unwrap_or(fallback_id);
    let delivery: Box<str> = format!("slack:{id}").into();
    // Of a person from another workspace the team says nothing; `users.info` tells.
    let actor = UserId::slack(&payload.user.id);
    let Some(channel) = channel else {
        let view = payload.view.ok_or(Malformed)?;
        let home = view.kind == "home";
        let channel = if home {
            ChannelKey::slack(&team, &payload.user.id)
        } else {
            serde_json::from_str::<FormState>(&view.private_metadata).map_err(|_| Malformed)?.channel
        };
        let inbound = Inbound {
            delivery,
            actor,
            channel,
            words,
            pressed: None,
            trigger: payload.trigger_id.map(Into::into),
            reply_to: ReplyTo::Window { opened: (!home).then(|| view.id.into()) },
            at,
        };
        return Ok(if home { Interaction::SaidAtHome(inbound) } else { Interaction::Said(inbound) });
    };
    if !is_id(&channel) {
        return Err(Malformed);
    }
    let ephemeral = container.is_some_and(|c| c.is_ephemeral);
    let reply_to = match payload.response_url {
        // A private message is replaced by what its button led to; the channel's message stays.
        Some(url) => reply_to(Some(url), ephemeral),
        None => ReplyTo::Private { thread: container.and_then(|c| c.thread_ts.as_deref().map(Into::into)) },
    };
    let message = container.and_then(|c| c.message_ts.as_deref()).filter(|_| !ephemeral);
    Ok(Interaction::Said(Inbound {
        delivery,
        actor,
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
