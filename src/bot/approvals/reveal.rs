//! A secret lives in one task and in one form, and nowhere else: here, a key's.
//!
//! The form is open before the key exists. A key whose secret nobody can be sure to have saved is
//! revoked, frozen or not: the approval covers that.

use std::sync::Arc;

use jiff::Timestamp;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use tracing::{error, warn};

use super::controls::{LOST, controls_for};
use super::execute::NOT_SHOWN;
use super::lines::held_line;
use super::proof::{PageKey, Purpose};
use crate::bot::failure::{Failure, instead};
use crate::bot::rules::NewAddress;
use crate::bot::{Answer, Ask, Bot};
use crate::chat::text::{first, shown};
use crate::chat::view::{Line, View, day};
use crate::chat::{Actor, ChannelKey, ChatError, FormContent, SecretForm, UserId};
use crate::command::INBOX;
use crate::domain::action::{Action, Named, revocation, says_revoked};
use crate::domain::approval::{self, Approval, ApprovalId, Command, Item, Outcome, SECRET_LOST, decide};
use crate::pace::Rank;
use crate::pace::retry::wait_after;
use crate::sekoia::{CreatedKey, KeyStatus, SekoiaError, Unwritten};
use crate::store::{Finished, StoreError};
use crate::timing::approvals::REVOKE_LONGEST_WAIT;

/// Attempts to revoke a key that must not stay, before others have their turn.
const ATTEMPTS: u32 = 3;
/// Attempts to record that a key was shown.
const RECORDS: u32 = 5;
const STORE_FAILED: &str = "My storage failed, so nothing was created. Please try again in a minute.";

/// A secret that may come into being now, for one person, in a form that is to be opened.
#[derive(Debug, Clone, PartialEq)]
pub enum Reveal {
    Key(NewKey),
    Webhook(NewAddress),
}

/// An approved key.
#[derive(Debug, Clone, PartialEq)]
pub struct NewKey {
    id: ApprovalId,
    by: UserId,
}

impl NewKey {
    pub(super) fn new(id: ApprovalId, by: UserId) -> Self {
        Self { id, by }
    }
}

/// A key that exists, on its way to the one place where it is shown.
struct MadeKey {
    approval: Arc<Approval>,
    uuid: Box<str>,
    secret: SecretString,
    /// Until then somebody has to say that it is saved.
    until: Timestamp,
}

/// What is on record of a key that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noted {
    Shown,
    /// Another process of the bot took it for lost meanwhile, and revokes it.
    Lost,
    /// Nothing: the store failed all the time.
    Nothing,
}

impl Bot {
    /// The secret's form, or a link to the page that shows it instead.
    pub(in crate::bot) async fn show_key(&self, ask: &Ask<'_>, id: &str) -> Result<Answer, Failure> {
        let reveal = self.may_show(ask, id).await?;
        let approval = self.request_of(ask, id).await?;
        if self.approval_policy.reveal(&approval.request.action) == approval::Reveal::Chat {
            return Ok(Answer::Secret(reveal));
        }
        let link = self.link_to_prove(ask, &approval, Purpose::Reveal).await?;
        Ok(Answer::Once(Arc::new(link)))
    }

    /// Whether who asks may have the key created now.
    async fn may_show(&self, ask: &Ask<'_>, id: &str) -> Result<Reveal, Failure> {
        let approval = self.looked_at_again(self.request_of(ask, id).await?).await?;
        decide(Some(&approval), Command::Press { item: 0, by: ask.actor.clone(), clock: None }, ask.now)?;
        if let Some(frozen) = self.approvals.frozen().await? {
            return Err(instead(super::card::frozen_line(&frozen)));
        }
        Ok(Reveal::Key(NewKey { id: approval.id, by: ask.actor.clone() }))
    }

    /// One that is held, as it is now: whoever was gone may be there again.
    async fn looked_at_again(&self, approval: Approval) -> Result<Approval, Failure> {
        if approval.held.is_some() { Ok(self.still(&approval).await?) } else { Ok(approval) }
    }

    /// Makes the secret and shows it in the open form. What is wrong instead is to be said there.
    pub(in crate::bot) async fn reveal(&self, reveal: &Reveal, opened: &str, channel: &ChannelKey) -> Option<View> {
        match reveal {
            Reveal::Key(key) => Box::pin(self.reveal_key(key, opened, channel)).await,
            Reveal::Webhook(address) => Box::pin(self.reveal_webhook(address, opened, channel)).await,
        }
    }

    async fn reveal_key(&self, reveal: &NewKey, opened: &str, channel: &ChannelKey) -> Option<View> {
        // Nobody takes the key for lost while it is on its way into the form.
        let Some(_held) = self.hold(&reveal.id) else { return Some(View::sentence("It is being done right now.")) };
        let MadeKey { approval, uuid, secret, until } = match self.make_key(reveal, None).await {
            Ok(made) => made,
            Err(instead) => return Some(*instead),
        };
        let form = secret_form(&approval, secret, &uuid, until);
        let shown = match self.chats.of_channel(channel) {
            Ok(chat) => chat.fill_form(opened, FormContent::Secret(&form), channel).await,
            Err(error) => Err(error),
        };
        drop(form);
        if let Err(error) = shown {
            warn!(%error, "the key could not be shown; it is revoked");
            return Some(self.lost(&approval, &uuid, "The key could not be shown here").await);
        }
        match self.note_shown(&approval.id).await {
            Noted::Lost => Some(self.lost(&approval, &uuid, "It took too long to show the key").await),
            Noted::Shown | Noted::Nothing => None,
        }
    }

    /// Makes the secret for a page that shows it to who proved who they are. `finished`: that proof, which
    /// is good for one key.
    pub(super) async fn key_for_page(&self, reveal: &NewKey, finished: Finished) -> Result<PageKey, View> {
        let Some(_held) = self.hold(&reveal.id) else { return Err(View::sentence("It is being done right now.")) };
        let made = self.make_key(reveal, Some(finished)).await.map_err(|instead| *instead)?;
        // On record before the page goes out: nobody can tell whether it arrives, and unconfirmed it is revoked.
        if self.note_shown(&reveal.id).await != Noted::Shown {
            return Err(self.lost(&made.approval, &made.uuid, "The key could not be shown").await);
        }
        Ok(PageKey {
            name: shown(made.approval.request.action.target(0), 80),
            lives: lives(&made.approval),
            secret: made.secret,
            confirm: made.until,
            request: reveal.id.to_string(),
        })
    }

    /// Makes the secret, once it is on record who wants it. What is wrong instead is to be said where it would
    /// be shown.
    async fn make_key(&self, reveal: &NewKey, finished: Option<Finished>) -> Result<MadeKey, Box<View>> {
        let told = |line: &str| Err(Box::new(View::sentence(line.to_owned())));
        let nothing = |error: SekoiaError| {
            let said = format!("{error}. {} Nothing was created.", error.advice(self.sekoia.region));
            Err(Box::new(View::sentence(said)))
        };
        match self.missing_of(&reveal.id).await {
            Ok(None) => {}
            Ok(Some(line)) => return Err(Box::new(View::sentence(line).line("Nothing was created."))),
            Err(_) => return told(STORE_FAILED),
        }
        // Afterwards a key of this name can only be the one that is created now.
        match self.name_is_taken(&reveal.id).await {
            Ok(false) => {}
            Ok(true) => {
                return told(
                    "A key of this name is there already, and Sekoia wants names to be unique, so nothing was created. Revoke that key, or ask for one of another name.",
                );
            }
            Err(Failure::Sekoia(error)) => return nothing(error),
            Err(_) => return told(STORE_FAILED),
        }
        let turn = match self.sekoia.admit(Rank::Person).await {
            Ok(turn) => turn,
            Err(error) => return nothing(error),
        };
        match self.approvals.frozen().await {
            Ok(None) => {}
            Ok(Some(frozen)) => return Err(Box::new(View::sentence(super::card::frozen_line(&frozen)))),
            Err(_) => return told(STORE_FAILED),
        }
        let (now, began) = (Timestamp::now(), Instant::now());
        let by = Actor::Person(reveal.by.clone());
        let press = Command::Press { item: 0, by: reveal.by.clone(), clock: self.sekoia.clock() };
        let press = |state: Option<&Approval>| decide(state, press.clone(), now);
        let approval = match self.approvals.change(&reveal.id, &by, now, finished, press).await {
            Ok(changed) => {
                self.note_changes(reveal.by.as_str(), &changed);
                changed.state
            }
            Err(crate::state::approvals::ChangeError::Store(error)) => {
                error!(%error, "a key could not be announced, so it is not created");
                return told(STORE_FAILED);
            }
            Err(refused) => return Err(Box::new(View::sentence(Line::marked(&refused.to_string())))),
        };
        let Some(call) = approval.request.action.call(0) else { return told("There is nothing to create.") };
        // Whoever takes over reads back after so long: a process that was halted meanwhile sends nothing.
        let turn = turn.until(began + self.approvals.timing.lease);
        let answer = match self.sekoia.write(turn, &call).await {
            Ok(answer) => answer,
            Err(failed) => return Err(Box::new(self.not_created(&approval, failed).await)),
        };
        let proven = approval.request.action.proven_by(0, answer.status, answer.body.expose_secret());
        let created = proven.and_then(|_| {
            let created = serde_json::from_str::<CreatedKey>(answer.body.expose_secret());
            created.map_err(|_| "Sekoia's answer could not be read".to_owned())
        });
        drop(answer);
        let created = match created {
            Ok(created) => created,
            Err(odd) => {
                let line = format!(
                    "{odd}. If the key exists, it is revoked, because nobody has its secret; then you may press again. I tell you."
                );
                self.settle_call(&approval, Outcome::Unclear { why: odd.into() }).await;
                return Err(Box::new(View::sentence(line)));
            }
        };
        let uuid: Box<str> = created.uuid.as_str().into();
        let until = crate::state::stream::sealed(Timestamp::now() + self.approvals.timing.confirm);
        let recorded = self.settle_call(&approval, Outcome::Created { uuid: uuid.clone(), until }).await;
        if recorded == Some(false) {
            return Err(Box::new(self.disown(&approval, &uuid).await));
        }
        if recorded.is_none() {
            // Nothing would see to its end: it is found by its name, and revoked.
            return told(
                "My storage failed after the key was created, so it is not shown. It is being revoked. When it is gone, I tell you, and you may press again.",
            );
        }
        let secret = match self.sekoia.working(created).await {
            Ok(Some(secret)) => secret,
            Ok(None) => {
                return Err(Box::new(self.lost(&approval, &uuid, "Sekoia does not take the new key's secret").await));
            }
            Err(error) => {
                warn!(%error, "it is unknown which secret works");
                let why = "Sekoia did not say whether it takes the new key's secret";
                return Err(Box::new(self.lost(&approval, &uuid, why).await));
            }
        };
        Ok(MadeKey { approval, uuid, secret, until })
    }

    /// Records that a key is shown.
    async fn note_shown(&self, id: &ApprovalId) -> Noted {
        for _ in 0..RECORDS {
            let noted = match self.commit_as_bot(id, Command::Shown { item: 0 }).await {
                Ok(Some(_)) => return Noted::Shown,
                // An earlier try may have been recorded after all.
                Ok(None) => self.approvals.read(id).await,
                Err(error) => Err(error),
            };
            match noted {
                Ok(approval) => {
                    let key = approval.as_ref().and_then(|approval| approval.items.first());
                    let is_shown = matches!(key, Some(Item::Created { shown: true, lost: None, .. }));
                    return if is_shown { Noted::Shown } else { Noted::Lost };
                }
                Err(error) => warn!(%error, "it is not on record yet that the key was shown"),
            }
            tokio::time::sleep(self.timing.execution.revoke).await;
        }
        Noted::Nothing
    }

    /// A key that nobody has the secret of: what is told of it, when it is revoked or going to be.
    async fn lost(&self, approval: &Approval, uuid: &str, why: &str) -> View {
        let gone = self.withdraw(approval, uuid, NOT_SHOWN).await.unwrap_or(false);
        self.outbox.wake();
        let then = if gone {
            "it was revoked. You may press again."
        } else {
            "it is being revoked. When it is gone, I tell you, and you may press again."
        };
        View::sentence(format!("{why}, so {then}"))
    }

    /// Records what became of the call; false if this call does not count any more, none if the store
    /// failed.
    async fn settle_call(&self, approval: &Approval, outcome: Outcome) -> Option<bool> {
        let settled = self.conclude(approval, 0, outcome, false).await;
        self.outbox.wake();
        match settled {
            Ok(recorded) => Some(recorded),
            // The announcement stands: what became of it is found out by reading.
            Err(error) => {
                error!(%error, "the outcome of a call could not be recorded");
                None
            }
        }
    }

    /// Revokes a key of which nothing is on record: this process was halted for so long that it was
    /// taken for dead, and the key was created after it was found to be absent.
    async fn disown(&self, approval: &Approval, uuid: &str) -> View {
        let Action::CreateKey { community, name, .. } = &approval.request.action else {
            return View::sentence("There is nothing to create.");
        };
        let key = Named::new(uuid, &**name);
        for attempt in 1..=ATTEMPTS {
            match self.revoke_once(approval, community, &key).await {
                Ok(true) => {
                    return View::sentence(
                        "This took so long that it was given up, so the new key was revoked and is not shown. You may press again.",
                    );
                }
                Ok(false) => warn!(attempt, "a key that is not on record is still there"),
                Err(error) => warn!(%error, attempt, "a key that is not on record could not be revoked yet"),
            }
            tokio::time::sleep(wait_after(attempt - 1, self.timing.execution.revoke, REVOKE_LONGEST_WAIT)).await;
        }
        error!(request = approval.id.as_str(), key = uuid, "a key that is not on record is still there; revoke it");
        View::sentence(
            "This took so long that it was given up, and the new key could not be revoked. Its secret is not shown. Please revoke the key in Sekoia's console.",
        )
    }

    /// Who is gone of those on whom the request rests, in words; none if nobody is.
    async fn missing_of(&self, id: &ApprovalId) -> Result<Option<Line>, StoreError> {
        let Some(approval) = self.approvals.read(id).await? else { return Ok(None) };
        Ok(held_line(&self.still(&approval).await?))
    }

    /// Whether an active key bears the name of the one that is to be created.
    async fn name_is_taken(&self, id: &ApprovalId) -> Result<bool, Failure> {
        let Some(approval) = self.approvals.read(id).await? else { return Ok(false) };
        let Action::CreateKey { community, name, .. } = &approval.request.action else { return Ok(false) };
        let keys = self.sekoia.api_keys(super::read_back::uuid(community)?).await?;
        let now = Timestamp::now();
        Ok(keys.iter().any(|key| key.name() == &**name && key.status(now) == KeyStatus::Active))
    }

    async fn not_created(&self, approval: &Approval, failed: Unwritten) -> View {
        let (outcome, advice) = match &failed {
            Unwritten::Unclear(error) => {
                let advice = "If the key exists, it is revoked, because nobody has its secret; then you may press again. I tell you.";
                (Outcome::Unclear { why: error.to_string().into() }, advice.to_owned())
            }
            Unwritten::Refused(error) => match error {
                SekoiaError::Paused { .. }
                | SekoiaError::Busy { .. }
                | SekoiaError::Unreachable
                | SekoiaError::ProxyFailed(_)
                | SekoiaError::RateLimited { .. } => (
                    Outcome::NotSent { why: error.to_string().into() },
                    format!("{} Nothing was created.", error.advice(self.sekoia.region)),
                ),
                SekoiaError::Forbidden { .. } | SekoiaError::Refused { status: 405 | 415 | 422 | 501, .. } => {
                    let advice = "The request's card shows how to do it by hand.";
                    (Outcome::ByHand { why: error.to_string().into() }, advice.to_owned())
                }
                _ => {
                    let advice = "Nothing was created. The request's card says how to go on.";
                    (Outcome::Failed { why: error.to_string().into() }, advice.to_owned())
                }
            },
        };
        self.settle_call(approval, outcome).await;
        View::sentence(format!("{failed}.")).line(advice)
    }

    /// Revokes the key of a lost secret, which is on record before; who asked is told and may press
    /// again. False if it may still be there: then whoever carries requests out goes on with it.
    pub(super) async fn withdraw(&self, approval: &Approval, uuid: &str, why: &str) -> Result<bool, StoreError> {
        let Action::CreateKey { community, name, .. } = &approval.request.action else { return Ok(true) };
        self.commit_as_bot(&approval.id, Command::Withdraw { item: 0, why: why.into() }).await?;
        // Somebody may have said a moment before that it is saved.
        let current = self.approvals.read(&approval.id).await?;
        let Some(Item::Created { lost: Some(why), .. }) = current.as_ref().and_then(|a| a.items.first()) else {
            return Ok(true);
        };
        let key = Named::new(uuid, &**name);
        for attempt in 1..=ATTEMPTS {
            match self.revoke_once(approval, community, &key).await {
                Ok(true) => {
                    let outcome = Outcome::Withdrawn { why: why.clone() };
                    self.commit_as_bot(&approval.id, Command::Report { item: 0, sends: None, outcome }).await?;
                    return Ok(true);
                }
                Ok(false) => warn!(attempt, "a key that must not stay is still there"),
                Err(error) => warn!(%error, attempt, "a key that must not stay could not be revoked yet"),
            }
            tokio::time::sleep(wait_after(attempt - 1, self.timing.execution.revoke, REVOKE_LONGEST_WAIT)).await;
        }
        error!(request = approval.id.as_str(), "a key whose secret is lost is still there; it is tried again");
        Ok(false)
    }

    /// Revokes a shown key at once, because the requester does not have its secret.
    pub(in crate::bot) async fn secret_lost(
        &self,
        ask: &Ask<'_>,
        id: &str,
        key: Option<&str>,
    ) -> crate::bot::CommandResult {
        let approval = self.request_of(ask, id).await?;
        let lost = Command::Lost { by: ask.actor.clone(), key: key.map(Box::from) };
        decide(Some(&approval), lost.clone(), ask.now)?;
        let Some(_held) = self.hold(&approval.id) else { return Err(approval::Refusal::UnderWay.into()) };
        let changed = self.change_request(ask, &approval.id, lost).await?.state;
        let Some(Item::Created { uuid, .. }) = changed.items.first() else {
            return Err(approval::Refusal::NothingToDo.into());
        };
        let gone = self.withdraw(&changed, uuid, SECRET_LOST).await?;
        self.outbox.wake();
        let name = Line::new().strong(shown(changed.request.action.target(0), 80));
        if !gone {
            return Ok(View::sentence(
                name.say(" is being revoked: Sekoia did not do it yet, so I go on. When it is gone, I tell you."),
            ));
        }
        let view = View::sentence(name.say(" is revoked. You may create it again."));
        Ok(match self.approvals.read(&approval.id).await? {
            Some(now) => view.controls(controls_for(&now, self.reader_of(ask, &now).await)),
            None => view,
        })
    }

    /// Whether a key is the one that the bot itself calls with. If Sekoia does not say: it may be.
    pub(super) async fn may_be_own(&self, key: &str) -> Result<bool, SekoiaError> {
        let own = self.sekoia.validate(Rank::Person).await?;
        Ok(own.key_uuid().is_none_or(|own| own == key))
    }

    /// Whether the key is certainly gone.
    async fn revoke_once(&self, approval: &Approval, community: &Named, key: &Named) -> Result<bool, SekoiaError> {
        // Whatever is stored: never the key that this very call is made with.
        if self.may_be_own(&key.uuid).await? {
            error!(request = approval.id.as_str(), "the bot's own key is never revoked");
            return Ok(false);
        }
        let turn = self.sekoia.admit(Rank::Person).await?;
        match self.sekoia.write(turn, &revocation(community, key)).await {
            Ok(answer) if says_revoked(&key.uuid, answer.status, answer.body.expose_secret()) => Ok(true),
            // Revoked already, refused, or not said: its status tells.
            Ok(_) | Err(_) => self.is_revoked(community, &key.uuid).await,
        }
    }

    /// Revokes the replaced key of a rotation.
    pub(in crate::bot) async fn retire(&self, ask: &Ask<'_>, id: &str) -> crate::bot::CommandResult {
        let approval = self.looked_at_again(self.request_of(ask, id).await?).await?;
        decide(Some(&approval), Command::Press { item: 1, by: ask.actor.clone(), clock: None }, ask.now)?;
        let Some(_held) = self.hold(&approval.id) else { return Err(approval::Refusal::UnderWay.into()) };
        if let Some(line) = self.missing_of(&approval.id).await? {
            return Err(instead(line));
        }
        let turn = self.sekoia.admit(Rank::Person).await?;
        if let Some(frozen) = self.approvals.frozen().await? {
            return Err(instead(super::card::frozen_line(&frozen)));
        }
        let press = Command::Press { item: 1, by: ask.actor.clone(), clock: None };
        let began = Instant::now();
        let changed = self.change_request(ask, &approval.id, press).await?.state;
        let turn = turn.until(began + self.approvals.timing.lease);
        let (outcome, _) = self.carry_out(&changed, 1, turn).await;
        let done = matches!(outcome, Outcome::Done { .. });
        self.conclude(&changed, 1, outcome, false).await?;
        self.outbox.wake();
        let old = shown(approval.request.action.target(1), 80);
        Ok(if done {
            View::sentence(Line::new().strong(old).say(" is revoked. The rotation is complete."))
        } else {
            View::sentence("Sekoia did not do it, or did not say so. The request's card tells how it goes on.")
        })
    }
}

/// `expires on 2027-01-01`.
fn lives(approval: &Approval) -> String {
    match &approval.request.action {
        Action::CreateKey { expires: Some(at), .. } => format!("expires on {}", day(*at)),
        _ => "never expires".into(),
    }
}

fn secret_form(approval: &Approval, secret: SecretString, uuid: &str, confirm: Timestamp) -> SecretForm {
    let name = shown(approval.request.action.target(0), 80);
    let until = lives(approval);
    SecretForm {
        title: "Your new API key".into(),
        intro: Line::new()
            .strong(name)
            .say(format!(" · {until}. It is shown here once, and nowhere else. Save it now:")),
        secret,
        note: Line::new()
            .say("Unless you say by ")
            .moment(confirm)
            .say(format!(
                " that it is saved, it is revoked. If you lose it before, press \"{LOST}\" on the request's card, or type "
            ))
            .code(format!("/sekoia lost {}", approval.id))
            .say("."),
        // The press belongs to this key: an older form says nothing of a newer one.
        words: format!("{INBOX} saved {} {}", approval.id, first(uuid, 8)).into(),
        submit: "I saved it".into(),
    }
}

/// What is said instead of a secret where forms cannot be opened at all.
pub(in crate::bot) fn no_forms() -> View {
    View::sentence(
        "A secret is shown in a form, and I can open no forms here, because this chat server cannot call me. Nothing was created.",
    )
    .line("Use a channel of another chat that I serve, or ask your bot administrator to let the server call me.")
}

impl Reveal {
    /// Nobody can open the form: nothing came into being.
    pub(in crate::bot) fn needs_a_form(&self, error: Option<&ChatError>) -> View {
        let key = match self {
            Reveal::Key(key) => key,
            Reveal::Webhook(_) => return NewAddress::needs_a_form(error),
        };
        let why = error.map_or(String::new(), |error| format!(" ({error})"));
        let line = Line::new().say(format!(
            "The key is shown in a form, and I could not open one{why}. Nothing was created. Press \"Create and show\" on the request's card, or type "
        ));
        View::sentence(line.code(format!("/sekoia show {}", key.id)).say("."))
    }
}
