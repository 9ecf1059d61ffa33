//! The way from a press to a proof of who pressed: a link that is good once, a sign-in at the identity
//! provider, and what was pressed for.
//!
//! Rows of the store carry each of them to the next step. They are found by hashes: neither the link's token
//! nor the sign-in's state is stored.

mod conclude;
mod facts;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;

pub use conclude::{Identity, PageKey, Proven, Unproven};
pub use facts::{Confirmation, Part};

use crate::bot::failure::{Failure, instead};
use crate::bot::{Ask, Bot};
use crate::chat::view::{Line, View};
use crate::chat::{ChannelKey, UserId};
use crate::domain::approval::{Approval, ApprovalId};
use crate::state::kept::{decode, keep_until};
use crate::state::sessions::ChangeError;
use crate::store::{Commit, CommitError, Finished, Kept, KeptKind, StoreError};

/// Characters of 32 bytes in base64.
const TOKEN: usize = 43;

/// Who is who at the identity provider.
#[derive(Debug, Clone)]
pub struct Identities {
    /// Where people reach this bot's pages.
    pub public_url: Url,
    /// The provider's own ids of people, where no e-mail address connects the two.
    pub subjects: BTreeMap<UserId, Box<str>>,
}

/// What the proof is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Approve,
    Reveal,
}

/// Who pressed what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Wish {
    request: ApprovalId,
    /// Of what is approved.
    hash: Box<str>,
    user: UserId,
    /// Where the request is decided.
    channel: ChannelKey,
    purpose: Purpose,
}

/// The body of a [`KeptKind::Proof`] row, which is kept until it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
enum Row {
    /// By the hash of the link's token.
    Link { wish: Wish, expires: Timestamp },
    /// Somebody went to the identity provider. By the hash of the sign-in's state.
    SignIn {
        wish: Wish,
        /// Hash of the cookie of the browser that went there.
        browser: Box<str>,
        began: Timestamp,
        expires: Timestamp,
    },
    /// Somebody came back: a second time is one too many.
    Returned,
}

/// A sign-in that begins. What goes into the address, and what only the browser holds.
pub struct SignIn {
    pub state: String,
    pub cookie: String,
    pub nonce: String,
    pub verifier: String,
    pub lives: Duration,
}

/// A sign-in that came back, for this task alone.
pub struct Returned {
    wish: Wish,
    finished: Finished,
    pub began: Timestamp,
    pub nonce: String,
    pub verifier: String,
}

/// Why a link leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum NoLink {
    /// Used, over, or nobody's.
    #[error("the link is not good")]
    Gone,
    /// It came back to another browser than the one that went.
    #[error("another browser")]
    OtherBrowser,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Bot {
    /// With people who can prove who they are.
    #[must_use]
    pub fn proving(mut self, identities: Option<Identities>) -> Self {
        self.identities = identities;
        self
    }

    /// A link for who presses, good once and for a short time.
    pub(in crate::bot) async fn link_to_prove(
        &self,
        ask: &Ask<'_>,
        approval: &Approval,
        purpose: Purpose,
    ) -> Result<View, Failure> {
        let Some(identities) = &self.identities else {
            return Err(instead(
                "This needs a proof of who you are, and no identity provider is configured any more. Ask your bot administrator to set CHATOPS_OIDC_ISSUER and the settings beside it.",
            ));
        };
        let token = unguessable();
        let expires = Timestamp::now() + self.timing.proving.link;
        let wish = Wish {
            request: approval.id.clone(),
            hash: approval.request.hash.clone(),
            user: ask.actor.clone(),
            channel: ask.channel.clone(),
            purpose,
        };
        let row = keep_until(KeptKind::Proof, hashed("link", &token), &Row::Link { wish, expires }, expires);
        let recorded = ask.settles.row();
        let rests_on = recorded.as_ref().and_then(Finished::basis).into_iter().collect();
        let commit =
            Commit { keep: vec![row], finished: recorded.into_iter().collect(), rests_on, ..Commit::default() };
        self.sessions.store().commit(commit).await.map_err(|error| match error {
            CommitError::Store(error) => ChangeError::Store(error),
            CommitError::Conflict(_) | CommitError::Delivered => ChangeError::Superseded,
        })?;
        ask.settles.end();
        let url = format!("{}/confirm/{token}", identities.public_url.as_str().trim_end_matches('/'));
        let (what, label) = match purpose {
            Purpose::Approve => ("Prove that it is you, then your approval counts: ", "Confirm with your identity"),
            Purpose::Reveal => {
                ("The key is created and shown on a page, after you prove that it is you: ", "Open the page")
            }
        };
        let good = "The link is good once, for 2 minutes, for you.";
        Ok(View::sentence(Line::new().say(what).link(label, url)).note(good))
    }

    /// What a link asks to be confirmed. Nothing is used up: programs that look at links come here, too.
    pub async fn confirmation(&self, token: &str) -> Result<Confirmation, NoLink> {
        let (_, wish) = self.link(token).await?;
        let approval = self.wished(&wish).await?;
        Ok(self.facts(&wish, &approval).await)
    }

    /// Uses a link up, and begins the sign-in that it is for.
    pub async fn begin_sign_in(&self, token: &str) -> Result<SignIn, NoLink> {
        let (kept, wish) = self.link(token).await?;
        self.wished(&wish).await?;
        let (state, cookie, lives) = (unguessable(), unguessable(), self.timing.proving.sign_in);
        let (nonce, verifier) = (derived("nonce", &cookie, &state), derived("verifier", &cookie, &state));
        let began = Timestamp::now();
        let expires = began + lives;
        let row = Row::SignIn { wish, browser: hashed("browser", &cookie).into(), began, expires };
        let commit = Commit {
            keep: vec![keep_until(KeptKind::Proof, hashed("state", &state), &row, expires)],
            finished: vec![kept.finished()],
            rests_on: vec![kept.found()],
            ..Commit::default()
        };
        self.sessions.store().commit(commit).await.map_err(lost)?;
        Ok(SignIn { state, cookie, nonce, verifier, lives })
    }

    /// Takes a sign-in that comes back. It does so once, whatever becomes of it.
    pub async fn returned(&self, state: &str, cookie: Option<&str>) -> Result<Returned, NoLink> {
        let key = looked_up("state", state)?;
        let kept = self.sessions.store().kept(KeptKind::Proof, &key).await?.ok_or(NoLink::Gone)?;
        let now = Timestamp::now();
        let Some(Row::SignIn { wish, browser, began, expires }) = decode::<Row>(&kept) else {
            return Err(NoLink::Gone);
        };
        if !is_good(now, expires, self.timing.proving.sign_in) {
            return Err(NoLink::Gone);
        }
        let mine = |cookie: &str| bool::from(hashed("browser", cookie).as_bytes().ct_eq(browser.as_bytes()));
        let cookie = cookie.filter(|cookie| mine(cookie));
        let row = keep_until(KeptKind::Proof, key.clone(), &Row::Returned, expires);
        let commit = Commit { keep: vec![row], rests_on: vec![kept.found()], ..Commit::default() };
        let generations = self.sessions.store().commit(commit).await.map_err(lost)?;
        let generation = generations.first().copied().unwrap_or_default();
        let finished = Finished { kind: KeptKind::Proof.into(), key, generation };
        let Some(cookie) = cookie else {
            self.forget_row(finished).await;
            return Err(NoLink::OtherBrowser);
        };
        let (nonce, verifier) = (derived("nonce", cookie, state), derived("verifier", cookie, state));
        Ok(Returned { wish, finished, began, nonce, verifier })
    }

    /// Ends a sign-in that proves nothing.
    pub async fn unproven(&self, returned: Returned) {
        self.forget_row(returned.finished).await;
    }

    async fn forget_row(&self, finished: Finished) {
        let commit = Commit { finished: vec![finished], ..Commit::default() };
        if let Err(error) = self.sessions.store().commit(commit).await {
            // It leads nowhere, and is swept.
            tracing::warn!(%error, "a used sign-in stays until it is over");
        }
    }

    async fn link(&self, token: &str) -> Result<(Kept, Wish), NoLink> {
        let key = looked_up("link", token)?;
        let kept = self.sessions.store().kept(KeptKind::Proof, &key).await?.ok_or(NoLink::Gone)?;
        match decode::<Row>(&kept) {
            Some(Row::Link { wish, expires }) if is_good(Timestamp::now(), expires, self.timing.proving.link) => {
                Ok((kept, wish))
            }
            _ => Err(NoLink::Gone),
        }
    }

    /// The request, as long as it asks for what was pressed for.
    async fn wished(&self, wish: &Wish) -> Result<Approval, NoLink> {
        let approval = self.approvals.read(&wish.request).await?;
        approval.filter(|approval| approval.request.hash == wish.hash).ok_or(NoLink::Gone)
    }
}

/// One that ends later than any can was made while the clock was ahead: it is over.
fn is_good(now: Timestamp, expires: Timestamp, lives: Duration) -> bool {
    now < expires && expires <= now + lives
}

/// Somebody else was first.
fn lost(error: CommitError) -> NoLink {
    match error {
        CommitError::Store(error) => NoLink::Store(error),
        CommitError::Conflict(_) | CommitError::Delivered => NoLink::Gone,
    }
}

fn unguessable() -> String {
    URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>())
}

/// What is stored instead of a token of this use.
fn hashed(used_as: &str, token: &str) -> String {
    hex::encode(Sha256::digest(format!("{used_as} {token}")))
}

/// The row's key, if it looks like a token of ours at all.
fn looked_up(used_as: &str, token: &str) -> Result<String, NoLink> {
    let fits = token.len() == TOKEN && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if fits { Ok(hashed(used_as, token)) } else { Err(NoLink::Gone) }
}

/// Known only where the browser's cookie is: neither the store nor who sees the addresses can tell it.
fn derived(used_as: &str, cookie: &str, state: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{used_as} {cookie} {state}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_never_alike_and_hashes_tell_their_use() {
        let token = unguessable();
        assert_eq!(token.len(), TOKEN);
        assert_ne!(token, unguessable());
        assert_ne!(hashed("link", &token), hashed("state", &token));
        assert!(looked_up("link", &token).is_ok());
        for wrong in ["", "x", &token[1..], &format!("{token}x"), &format!("{}/", &token[1..])] {
            assert!(looked_up("link", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_row_is_good_for_its_time_and_not_if_the_clock_was_ahead() {
        let now: Timestamp = "2026-11-28T08:00:00Z".parse().unwrap();
        let lives = Duration::from_mins(2);
        let good = |seconds: i64| is_good(now, now + jiff::SignedDuration::from_secs(seconds), lives);
        assert_eq!([-1, 0, 1, 120, 121, 3_600].map(good), [false, false, true, true, false, false]);
    }
}
