//! What a window is told: everything when it comes, then whatever changes.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

use super::conversation::{WebChat, visible_to};
use super::guide::{self, Section};
use super::happenings::{BUTTONS, Button};
use super::people::{self, BOT, Channel, PEOPLE, Somebody};
use super::routes::{Refusal, Web, is_token, no};
use super::side::{SWITCHES, Switch};
use super::transcript::Message;
use crate::command::TABLE;
use crate::timing::page::RECONNECT_AFTER;

#[derive(Deserialize)]
pub struct Joining {
    r#as: String,
    window: String,
}

/// Everything that a window starts with.
#[derive(Serialize)]
struct Hello<'a> {
    you: &'a str,
    people: &'static [Somebody],
    bot: Author,
    channels: Vec<Channel>,
    commands: Vec<Command>,
    guide: Vec<Section>,
    faults: &'static [Switch],
    happenings: &'static [Button],
    kept: &'a str,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct Author {
    id: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Command {
    name: &'static str,
    usage: String,
    args: &'static str,
    help: &'static str,
    right: &'static str,
    example: &'static str,
    aliases: &'static [&'static str],
}

fn commands() -> Vec<Command> {
    let command = |spec: &'static crate::command::Spec| Command {
        name: spec.name,
        usage: spec.usage(),
        args: spec.args,
        help: spec.help,
        right: spec.right.name(),
        example: spec.example,
        aliases: spec.aliases,
    };
    TABLE.iter().map(command).collect()
}

/// `GET /demo/events`: everything, then whatever changes.
pub async fn events(State(web): State<Arc<Web>>, Query(joining): Query<Joining>) -> Result<Response, Refusal> {
    let Some(person) = people::find(&joining.r#as) else {
        return no(StatusCode::NOT_FOUND, "Nobody here has that name. Be alice, bob, carol or dan.");
    };
    if !is_token(&joining.window) {
        return no(StatusCode::BAD_REQUEST, "That window has no id. Reload the page.");
    }
    let dialogs = web.chat.windows().enter(&joining.window, person.id);
    let (messages, live) = web.chat.join(person.id);
    let communities: Vec<_> = web.sandbox().edit(|world| world.communities.iter().map(|c| c.name.clone()).collect());
    let hello = Hello {
        you: person.id,
        people: &PEOPLE,
        bot: Author { id: BOT, name: "Sekoia" },
        channels: people::channels(person.id),
        commands: commands(),
        guide: guide::sections(&communities),
        faults: &SWITCHES,
        happenings: &BUTTONS,
        kept: &web.kept,
        messages,
    };
    let hello = event("hello", &hello).retry(RECONNECT_AFTER);
    Ok(Sse::new(told(&web.chat, hello, live, dialogs, person.id)).keep_alive(KeepAlive::default()).into_response())
}

/// Own types: strings, numbers and maps with string keys.
fn event(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).json_data(data).expect("own types serialize")
}

/// What one window is told, until the server stops or the window lags too far behind: it comes
/// back then and gets everything.
fn told(
    chat: &WebChat,
    hello: Event,
    live: broadcast::Receiver<Arc<Message>>,
    dialogs: mpsc::Receiver<SecretString>,
    person: &'static str,
) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let state = (Some(hello), live, dialogs, chat.stopped());
    stream::unfold(state, async move |(hello, mut live, mut dialogs, mut stopped)| {
        if let Some(hello) = hello {
            return Some((Ok(hello), (None, live, dialogs, stopped)));
        }
        loop {
            let event = tokio::select! {
                next = live.recv() => match next {
                    Ok(message) if visible_to(&message, person) => event("message", &*message),
                    Ok(_) => continue,
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
                },
                // No more of them once the window has a newer stream.
                Some(dialog) = dialogs.recv() => Event::default().event("form").data(dialog.expose_secret()),
                _ = stopped.wait_for(|stopped| *stopped) => return None,
            };
            return Some((Ok(event), (None, live, dialogs, stopped)));
        }
    })
}
