//! An alert acknowledged at Sekoia, by a button of its card or by words.

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tracing::{info, warn};

use crate::bot::failure::{Failure, instead};
use crate::bot::watching::{self, Batch};
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::shown;
use crate::chat::view::{Line, View};
use crate::chat::{Actor, ChannelKey};
use crate::domain::notify::{self, Card, Event, Rules};
use crate::pace::Rank;
use crate::sekoia::{Alert, AlertStatus, Id, SekoiaError, Unwritten, move_alert, says_moved};
use crate::state::kept::decode;
use crate::state::stream::RACES;
use crate::store::{StoreError, Work, WorkKind};
use crate::timing::rules::BETWEEN_LOOKS;

/// Looks at an alert of which nobody said whether it was moved.
const LOOKS: u32 = 3;

impl Bot {
    pub(in crate::bot) async fn acknowledge(&self, ask: &Ask<'_>, alert: &str) -> CommandResult {
        let session = self.session(ask).await?;
        let Some(id) = Id::parse(alert.trim()) else {
            return Err(instead(Line::marked(
                "That is not an alert's id. Alerts are named like `ALa1b2c3d4e5`, as on their cards and in Sekoia's list.",
            )));
        };
        let found = match self.sekoia.alert(&id, Rank::Person).await {
            Ok(found) => found,
            Err(SekoiaError::NotFound { .. }) => {
                let known = self.told_of(ask.channel, id.as_str()).await?;
                if let Some(alert) = &known {
                    self.alert_gone(ask.channel, &alert.uuid, Vec::new()).await?;
                }
                let name = known.and_then(|alert| alert.short_id).unwrap_or_else(|| id.as_str().into());
                return Err(instead(Line::new().say("Sekoia knows no alert ").code(shown(&name, 80)).say(
                    ". It may have been deleted, or the bot's key does not see its community. Nothing was changed.",
                )));
            }
            Err(error) => return Err(error.into()),
        };
        let here = session.community.uuid.to_string();
        if found.community_uuid.as_deref().is_none_or(|community| !community.eq_ignore_ascii_case(&here)) {
            return Err(instead(Line::new().say("The alert ").code(id.to_string()).say(format!(
                " does not belong to {}, on which this channel works. Nothing was changed.",
                shown(&session.community.name, 80)
            ))));
        }
        match found.status() {
            Some(AlertStatus::Pending) => {}
            Some(AlertStatus::Acknowledged) => {
                self.is_acknowledged(ask, &found, None).await?;
                return Ok(View::sentence(named(&found).say(" is acknowledged at Sekoia already.")));
            }
            status => {
                let name =
                    status.map(AlertStatus::name).or_else(|| found.status_name()).unwrap_or("of an unknown status");
                self.is_acknowledged(ask, &found, None).await?;
                let name = shown(name, 40);
                let line = named(&found).say(format!(
                    " is {name} at Sekoia already; acknowledging would set it back. Nothing was changed."
                ));
                return Err(instead(line));
            }
        }
        let turn = self.sekoia.admit(Rank::Person).await?;
        // On record before it is done: what cannot be recorded is not done.
        let to: Box<str> = AlertStatus::Acknowledged.name().into();
        self.on_record(ask, Event::AlertMoving { alert: found.uuid.as_str().into(), to: to.clone() }).await?;
        let call_id = Id::parse(&found.uuid).unwrap_or_else(|| id.clone());
        let outcome = match self.sekoia.write(turn, &move_alert(&call_id, AlertStatus::Acknowledged, None)).await {
            Ok(answer) => {
                let body = answer.body.expose_secret();
                if says_moved(&found.uuid, AlertStatus::Acknowledged, answer.status, body) {
                    Ok(())
                } else {
                    let what = format!("{} without the acknowledged alert", answer.status);
                    self.moved_after_all(&call_id, SekoiaError::Malformed { what }).await
                }
            }
            Err(Unwritten::Refused(error)) => Err(error),
            Err(Unwritten::Unclear(error)) => self.moved_after_all(&call_id, error).await,
        };
        let said: Box<str> = match &outcome {
            Ok(()) => to,
            Err(error) => error.to_string().into(),
        };
        let recorded =
            self.on_record(ask, Event::AlertMoved { alert: found.uuid.as_str().into(), outcome: said }).await;
        outcome?;
        if let Err(error) = recorded {
            warn!(%error, "what became of an alert could not be recorded");
        }
        info!(alert = found.uuid, actor = ask.actor.as_str(), "acknowledged");
        let by = Actor::Person(ask.actor.clone());
        self.is_acknowledged(ask, &found, Some(by)).await?;
        Ok(View::sentence(Line::new().say("Acknowledged at Sekoia: ").strong(shown(found.title(), 200)).say(".")))
    }

    /// The alert of this name of which a message stands in the channel. People type the short name,
    /// by which nothing is stored: it is looked for among all that is kept.
    async fn told_of(&self, channel: &ChannelKey, id: &str) -> Result<Option<notify::Alert>, Failure> {
        let store = self.sessions.store();
        let of = |work: &Work| {
            let card = decode::<Card>(work).filter(|card| card.channel == *channel && card.swarm.is_none())?;
            card.occurrence.what.alert().cloned()
        };
        if let Some(work) = store.find(WorkKind::News, &Card::alert_key(channel, id)).await? {
            return Ok(of(&work));
        }
        let kept = store.due(WorkKind::News, Timestamp::MAX, u32::MAX).await?;
        let mut named = kept.iter().filter(|work| work.body.contains(id)).filter_map(of);
        Ok(named.find(|alert| alert.short_id.as_deref() == Some(id)))
    }

    async fn on_record(&self, ask: &Ask<'_>, event: Event) -> Result<(), Failure> {
        let by = Actor::Person(ask.actor.clone());
        let decide = |_: &Rules| Ok(vec![event.clone()]);
        self.notifications.change(ask.channel, &by, Timestamp::now(), None, decide, |_| Vec::new()).await?;
        Ok(())
    }

    /// Whether Sekoia moved an alert although it did not say so, but something else.
    async fn moved_after_all(&self, id: &Id, said: SekoiaError) -> Result<(), SekoiaError> {
        warn!(%said, "it is unknown whether an alert was acknowledged; it is read again");
        for _ in 0..LOOKS {
            tokio::time::sleep(BETWEEN_LOOKS).await;
            if let Ok(alert) = self.sekoia.alert(id, Rank::Person).await
                && alert.status() == Some(AlertStatus::Acknowledged)
            {
                return Ok(());
            }
        }
        Err(said)
    }

    /// Brings the alert's card up to date, if there is one, and counts how long it waited.
    async fn is_acknowledged(&self, ask: &Ask<'_>, alert: &Alert, by: Option<Actor>) -> Result<(), Failure> {
        let _keeping = self.notifications.keeping.lock().await;
        for _ in 0..RACES {
            let mut batch = Batch::new(&**self.sessions.store());
            shown_as_acknowledged(&mut batch, ask, alert, by.as_ref()).await?;
            if batch.commit(Vec::new(), Vec::new()).await? {
                self.outbox.wake_news();
                return Ok(());
            }
        }
        Err(StoreError::Contended.into())
    }
}

async fn shown_as_acknowledged(
    batch: &mut Batch<'_>,
    ask: &Ask<'_>,
    alert: &Alert,
    by: Option<&Actor>,
) -> Result<(), StoreError> {
    let (key, now) = (Card::alert_key(ask.channel, &alert.uuid), batch.now);
    let Some(card) = batch.card(&key).await? else { return Ok(()) };
    let before = card.clone();
    let noted = card.read(watching::notify_alert(alert), by, now);
    if *card != before {
        batch.changed(&key);
    }
    batch.note(ask.channel, noted, now).await
}

fn named(alert: &Alert) -> Line {
    Line::new().strong(shown(alert.title(), 200))
}
