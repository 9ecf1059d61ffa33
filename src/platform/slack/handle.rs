//! What Slack sends, handed over in the same way whether it came over HTTP or by Socket Mode.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use moka::sync::Cache;
use serde_json::json;
use tracing::{error, warn};

use super::client::SlackClient;
use super::files::FileRef;
use super::inbound::Interaction;
use super::mentions::Event;
use super::render::Message;
use crate::bot::{Reply, Responder};
use crate::chat::view::View;
use crate::chat::{ChannelKey, ChatError, ChatPlatform as _, Inbound, ReplyTo, UserId, Words};
use crate::platform::intake::Intake;

/// What takes everything.
pub struct Slack {
    client: Arc<SlackClient>,
    responder: Responder,
    pub(super) intake: Arc<Intake>,
    sent: Sent,
}

/// What Slack is to be answered.
pub enum Outcome {
    /// That it arrived.
    Taken,
    /// What the person who typed the command reads.
    Answer { channel: ChannelKey, view: Arc<View> },
    /// The form stays open, with this at a field.
    FormError { field: String, text: String },
    /// To its check of the address.
    Challenge(String),
    /// Nothing was recorded: Slack is to deliver it again.
    Again,
}

/// Whom an answer goes to that came too late for the acknowledgement.
pub(super) struct Recipient {
    channel: ChannelKey,
    actor: UserId,
    to: ReplyTo,
}

/// Bytes of a usual reply: written without growing on the way.
const REPLY: usize = 6 * 1024;
/// Channels whose last reply is kept, if it may be asked for again.
const MOST_SENT: u64 = 512;

impl Slack {
    pub fn new(client: Arc<SlackClient>, responder: Responder, intake: Arc<Intake>) -> Self {
        Self { client, responder, intake, sent: Sent(Cache::new(MOST_SENT)) }
    }

    /// `inline`: whether Slack reads an answer in the reply.
    pub(super) async fn said(&self, mut inbound: Inbound, inline: bool) -> Outcome {
        if let Some(channel) = self.client.at_home(&inbound.channel, &inbound.actor).await {
            inbound.channel = channel;
        }
        inbound.channel = self.kept_as(inbound.channel).await;
        let channel = inbound.channel.clone();
        match self.responder.take(inbound, inline).await {
            Reply::Now(view) => Outcome::Answer { channel, view },
            Reply::Acknowledge => Outcome::Taken,
        }
    }

    pub(super) async fn interaction(&self, interaction: Interaction) -> Outcome {
        match interaction {
            Interaction::Said(inbound) => self.said(inbound, false).await,
            Interaction::SaidAtHome(mut inbound) => match self.client.direct(&inbound.actor).await {
                Ok(channel) => {
                    inbound.channel = channel;
                    self.said(inbound, false).await
                }
                Err(error) => {
                    warn!(%error, user = inbound.actor.as_str(), "what was pressed at home cannot be answered");
                    Outcome::Taken
                }
            },
            Interaction::Submitted { mut inbound, fields, files } => {
                inbound.channel = self.kept_as(inbound.channel).await;
                if let Some((field, text)) = self.field_error(&mut inbound, &fields, files).await {
                    return Outcome::FormError { field, text };
                }
                let Some(first) = fields.first() else { return self.said(inbound, false).await };
                match self.responder.take_form(inbound).await {
                    // It stays open: what was filled in can be sent again.
                    Err(view) => Outcome::FormError { field: first.clone(), text: view.plain() },
                    Ok(_) => Outcome::Taken,
                }
            }
            Interaction::Nothing => Outcome::Taken,
        }
    }

    pub(super) async fn event(&self, event: Event, now: Timestamp) -> Outcome {
        match event {
            Event::Challenge(challenge) => Outcome::Challenge(challenge),
            Event::Mention(inbound) => self.said(inbound, false).await,
            Event::Added { delivery, channel } => {
                let channel = self.kept_as(channel).await;
                if let Err(error) = self.responder.bot().added_to(&channel, &delivery, now).await {
                    error!(%error, channel = channel.as_str(), "a channel cannot be welcomed");
                    return Outcome::Again;
                }
                Outcome::Taken
            }
            Event::Moved { old, new } => match self.client.has_moved(&old, &new, now).await {
                Ok(()) => {
                    // Posts to the old id were refused meanwhile.
                    self.responder.bot().chat_is_back(old.platform()).await;
                    Outcome::Taken
                }
                Err(error) => {
                    error!(%error, channel = old.as_str(), "it is not recorded that a channel has another id now");
                    Outcome::Again
                }
            },
            Event::HomeOpened(user) => match self.responder.bot().home_opened(&user, now).await {
                Ok(()) => Outcome::Taken,
                Err(error) => {
                    error!(%error, user = user.as_str(), "a person's Home tab cannot be shown");
                    Outcome::Again
                }
            },
            Event::Nothing => Outcome::Taken,
        }
    }

    /// The body of the answer, in JSON; none if there is nothing to say in it.
    pub(super) fn body(&self, outcome: &Outcome) -> Option<Bytes> {
        match outcome {
            Outcome::Taken | Outcome::Again => None,
            Outcome::Answer { channel, view } => Some(self.sent.of(channel, view)),
            Outcome::FormError { field, text } => {
                Some(json!({"response_action": "errors", "errors": {field: text}}).to_string().into())
            }
            Outcome::Challenge(challenge) => Some(json!({ "challenge": challenge }).to_string().into()),
        }
    }

    /// Says what the acknowledgement can say no more.
    pub(super) async fn say_late(&self, recipient: &Recipient, outcome: Outcome) {
        let Recipient { channel, actor, to } = recipient;
        let (to, view) = match outcome {
            Outcome::Answer { view, .. } => (to.clone(), view),
            // The form has closed meanwhile.
            Outcome::FormError { text, .. } => {
                let text = format!("Your form was not accepted, and is closed now. {text}");
                (ReplyTo::Private { thread: None }, Arc::new(View::sentence(text)))
            }
            Outcome::Taken | Outcome::Challenge(_) | Outcome::Again => return,
        };
        let said = match self.responder.bot().chats().of_channel(channel) {
            Ok(chat) => chat.tell(channel, actor, &to, &view).await,
            Err(error) => Err(error),
        };
        if let Err(error) = said {
            warn!(%error, channel = channel.as_str(), "an answer that came late could not be delivered");
        }
    }

    /// The key that everything of the channel is kept under, whichever of its ids was sent.
    async fn kept_as(&self, channel: ChannelKey) -> ChannelKey {
        match self.client.kept_as(&channel).await {
            Ok(channel) => channel,
            // Nothing else can be read either; whatever is asked answers so.
            Err(error) => {
                error!(%error, channel = channel.as_str(), "a channel's other ids cannot be read");
                channel
            }
        }
    }

    /// What is wrong with a submitted form, and the field that shows it. The content of uploaded
    /// files becomes their fields' answers.
    async fn field_error(
        &self,
        inbound: &mut Inbound,
        fields: &[String],
        files: Vec<(String, FileRef)>,
    ) -> Option<(String, String)> {
        for (field, file) in files {
            match self.client.download(&file).await {
                Ok(content) => {
                    if let Words::Filled { answers, .. } = &mut inbound.words {
                        answers.insert(field.into(), content);
                    }
                }
                Err(error) => return Some((field, unreadable(error))),
            }
        }
        let error = self.responder.bot().field_error(inbound).await?;
        Some((error.shown_at(fields)?.to_owned(), error.text))
    }
}

impl Recipient {
    pub fn of(inbound: &Inbound) -> Self {
        Self { channel: inbound.channel.clone(), actor: inbound.actor.clone(), to: inbound.reply_to.clone() }
    }
}

fn unreadable(error: ChatError) -> String {
    let why = match error {
        ChatError::Refused(why) => why,
        other => other.to_string(),
    };
    let why = why.trim_end_matches('.');
    format!("I could not read the file: {why}. Or paste its content into the field above.")
}

/// What channels were sent lately, as Slack takes it: the checklist, which is the same for everybody
/// who asks between two changes.
struct Sent(Cache<ChannelKey, (Arc<View>, Bytes)>);

impl Sent {
    /// The view as Slack takes it.
    fn of(&self, channel: &ChannelKey, view: &Arc<View>) -> Bytes {
        // Whatever nobody else holds is said once.
        if Arc::strong_count(view) == 1 {
            return rendered(view);
        }
        if let Some((sent, json)) = self.0.get(channel)
            && Arc::ptr_eq(&sent, view)
        {
            return json;
        }
        let json = rendered(view);
        self.0.insert(channel.clone(), (Arc::clone(view), json.clone()));
        json
    }
}

fn rendered(view: &View) -> Bytes {
    let mut json = Vec::with_capacity(REPLY);
    // Strings and maps with string keys always serialize.
    serde_json::to_writer(&mut json, &Message::private(view, false)).expect("own types serialize");
    json.into()
}
