//! What is sent once.

use std::sync::atomic::Ordering;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::transport::{Answer, Call, Turn, Unwritten, Verb, validate_at};
use super::{CreatedKey, Sekoia, SekoiaError};
use crate::pace::Rank;

/// Where invitations go. The only administrative write that Sekoia documents for API keys.
pub const INVITATIONS: &str = "/v1/invitations";

/// The invitation of one person: to each community, with roles.
pub fn invitation(email: &str, communities: &Value) -> Call {
    Call {
        name: INVITATIONS,
        method: Verb::Post,
        path: INVITATIONS.into(),
        body: Some(json!({ "email": email, "communities": communities })),
        needs: "COMMUNITY_ADD_MEMBER",
    }
}

impl Sekoia {
    /// Waits for a turn to write; people's writes go before background work.
    pub async fn admit(&self, rank: Rank) -> Result<Turn, SekoiaError> {
        self.transport.admit(rank).await
    }

    /// Sends a write, once. An invitation that is refused for the form of its body is sent in the
    /// other form: nothing was done by the first.
    pub async fn write(&self, turn: Turn, call: &Call) -> Result<Answer, Unwritten> {
        if call.name != INVITATIONS {
            return self.transport.write(turn, call).await;
        }
        let by_list = self.by_list.load(Ordering::Relaxed);
        let refused = match self.transport.write(turn, &in_form(call, by_list)).await {
            Err(Unwritten::Refused(error @ SekoiaError::Refused { .. })) if names_the_form(&error) => error,
            result => return result,
        };
        let Ok(turn) = self.transport.admit(Rank::Person).await else { return Err(Unwritten::Refused(refused)) };
        match self.transport.write(turn, &in_form(call, !by_list)).await {
            // Neither form: the first refusal says more.
            Err(Unwritten::Refused(SekoiaError::Refused { .. })) => Err(Unwritten::Refused(refused)),
            Ok(body) => {
                self.by_list.store(!by_list, Ordering::Relaxed);
                Ok(body)
            }
            unclear => unclear,
        }
    }

    /// How long calls are paused, because Sekoia asked for it.
    pub fn paused_for(&self) -> std::time::Duration {
        self.transport.pause()
    }

    /// What Sekoia's clock showed at the last read; none if it does not say. It dates things by that
    /// clock, and ours may be changed at any moment.
    pub fn clock(&self) -> Option<jiff::Timestamp> {
        self.transport.its_clock()
    }

    /// The one of a new key's two strings that Sekoia takes as a key; none if it takes neither.
    pub async fn working(&self, created: CreatedKey) -> Result<Option<SecretString>, SekoiaError> {
        for secret in [created.key, created.short_key].into_iter().flatten() {
            match self.takes(&secret).await {
                Ok(()) => return Ok(Some(secret)),
                Err(SekoiaError::Unauthorized { .. } | SekoiaError::Forbidden { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether Sekoia takes a key: asked again if it fails for the moment.
    async fn takes(&self, secret: &SecretString) -> Result<(), SekoiaError> {
        let mut attempt = 1;
        loop {
            let _turn = self.admit(Rank::Person).await?;
            match validate_at(&self.transport, self.base(), secret).await {
                Err(error) if error.may_pass() && attempt < 3 => attempt += 1,
                result => return result,
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    }
}

/// Two forms are known: `email`, which the quick start documents, and `emails`, which the activity
/// log of 2026 shows.
fn in_form(call: &Call, by_list: bool) -> Call {
    let mut call = call.clone();
    if let Some(Value::Object(body)) = &mut call.body
        && by_list
        && let Some(email) = body.remove("email")
    {
        body.insert("emails".into(), json!([email]));
    }
    call
}

fn names_the_form(error: &SekoiaError) -> bool {
    let SekoiaError::Refused { status: 400 | 422, message } = error else { return false };
    message.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| matches!(word, "email" | "emails"))
}
