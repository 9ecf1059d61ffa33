//! What waits for one person, on the page that their platform keeps for the bot (Slack's App Home): shown when it
//! is opened, and again when it changes.
//!
//! A person who opened theirs has a row, which is due when the page is looked at again. After a change all
//! pages are looked at, and those that show something else now are published. No change names whom it concerns:
//! that depends on groups and channels, which only the platform knows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::view;
use crate::bot::Bot;
use crate::bot::failure::Failure;
use crate::chat::view::View;
use crate::chat::{ChatError, UserId};
use crate::domain::access::Denial;
use crate::state::kept::{decode, row_due};
use crate::state::sessions::ChangeError;
use crate::store::{Commit, CommitError, StoreError, Work, WorkKind};
use crate::timing::homes::{AGAIN_AFTER, KEPT, LOOKED_AT_EVERY};

/// Pages that are kept up to date.
const MOST: u32 = 1_000;

/// What a person's row holds.
#[derive(Debug, Serialize, Deserialize)]
struct Home {
    opened: Timestamp,
    /// The [fingerprint](View::fingerprint) of what was published last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shows: Option<Box<str>>,
}

impl Bot {
    /// Somebody opened their page: it is published as soon as it is known what it has to show.
    ///
    /// # Errors
    /// It could not be recorded, so that nothing will be shown.
    pub async fn home_opened(&self, user: &UserId, now: Timestamp) -> Result<(), StoreError> {
        let row = row_due(WorkKind::Home, user.as_str(), &Home { opened: now, shows: None }, now);
        self.keep(Commit { schedule: vec![row], ..Commit::default() }).await?;
        self.outbox.wake_chat();
        Ok(())
    }

    /// Publishes pages that show something else now: those that are due, or all after a change.
    pub(in crate::bot) async fn homes_due(&self, changed: bool, now: Timestamp) -> Result<(), StoreError> {
        let until = if changed { now + LOOKED_AT_EVERY } else { now };
        for work in self.sessions.store().due(WorkKind::Home, until, MOST).await? {
            self.show_home(&work, now).await?;
        }
        Ok(())
    }

    async fn show_home(&self, work: &Work, now: Timestamp) -> Result<(), StoreError> {
        let user = UserId::from(work.key.clone());
        let home = decode::<Home>(work).filter(|home| now.duration_since(home.opened) < KEPT);
        let Some(Home { opened, shows }) = home else {
            return self
                .settle_home(work, Commit { finished: vec![work.finished()], ..Commit::default() })
                .await
                .map(|_| ());
        };
        let row = |shows, due| {
            let schedule = vec![row_due(WorkKind::Home, user.as_str(), &Home { opened, shows }, due)];
            Commit { schedule, ..Commit::default() }
        };
        let view = match self.home_view(&user, now).await {
            Ok(view) => view,
            Err(Failure::Change(ChangeError::Store(error))) => return Err(error),
            Err(Failure::Chat(error)) => return self.home_waits(work, &error, now).await,
            Err(error) => {
                return self.home_waits(work, &ChatError::Unavailable(error.to_string()), now).await;
            }
        };
        let (fingerprint, mut work) = (view.fingerprint(), work.clone());
        if shows.as_deref() != Some(&*fingerprint) {
            // What is published and not recorded is published again, by this process or the next.
            if shows.is_some() {
                match self.settle_home(&work, row(None, now)).await? {
                    Some(generation) => work.generation = generation,
                    None => return Ok(()),
                }
            }
            if let Err(error) = self.publish(&user, &view).await {
                return self.home_waits(&work, &error, now).await;
            }
        }
        self.settle_home(&work, row(Some(fingerprint), now + LOOKED_AT_EVERY)).await.map(|_| ())
    }

    /// Looks at a page again later, unless its owner is gone: they open nothing any more.
    async fn home_waits(&self, work: &Work, error: &ChatError, now: Timestamp) -> Result<(), StoreError> {
        let commit = if let ChatError::Refused(_) = error {
            Commit { finished: vec![work.finished()], ..Commit::default() }
        } else {
            warn!(%error, user = work.key, "a person's page is not up to date");
            Commit { postponed: vec![(work.finished(), now + AGAIN_AFTER)], ..Commit::default() }
        };
        self.settle_home(work, commit).await.map(|_| ())
    }

    /// Changes a row, unless its page was opened meanwhile: then it is due anyway. The generation of what was
    /// scheduled.
    async fn settle_home(&self, work: &Work, commit: Commit) -> Result<Option<u64>, StoreError> {
        match self.sessions.store().commit(Commit { rests_on: vec![work.found()], ..commit }).await {
            Ok(generations) => Ok(Some(generations.first().copied().unwrap_or_default())),
            Err(CommitError::Conflict(_) | CommitError::Delivered) => Ok(None),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    async fn publish(&self, user: &UserId, view: &View) -> Result<(), ChatError> {
        self.chats.of_user(user)?.publish_home(user, view).await
    }

    /// What the page shows; to whom it may show nothing, why.
    async fn home_view(&self, user: &UserId, now: Timestamp) -> Result<View, Failure> {
        let rights = match self.policy.rights_anywhere(&self.chats, user).await {
            Ok(rights) => rights,
            Err(Denial::Unknown { why, .. }) => return Err(Failure::Chat(why)),
            Err(denial) => {
                let chat = self.chats.of_user(user).map_err(Failure::Chat)?;
                return Ok(View::sentence(denial.line(&chat.wording().await)));
            }
        };
        Ok(view::home(&self.inbox_of(user, &rights).await?, now))
    }
}
