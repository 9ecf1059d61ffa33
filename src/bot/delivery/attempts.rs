//! Posts that were tried and are not on record. Each may stand there: as long as it is not known, it is
//! looked for before it is posted again; once it is known, it is not posted again.

use dashmap::DashMap;

use super::post::{LiveMessage, Post, Unrecorded, WorkId};
use crate::chat::view::View;
use crate::store::Work;

/// By the pending work that they are for.
#[derive(Debug, Default)]
pub(super) struct Attempts(DashMap<WorkId, Attempt>);

#[derive(Debug, Clone)]
pub(super) struct Attempt {
    mark: String,
    /// It does stand there.
    pub posted: Option<Unrecorded>,
    /// The fingerprint of what it shows, if that is known.
    shows: Option<Box<str>>,
}

impl Attempts {
    /// A post is about to be tried.
    pub fn begin(&self, post: &Post) {
        let attempt = Attempt { mark: post.mark.clone(), posted: None, shows: None };
        self.0.insert(post.work.clone(), attempt);
    }

    /// It stands there.
    pub fn posted(&self, post: &Post, posted: Unrecorded, view: &View) {
        let shows = posted.current.then(|| view.fingerprint());
        let attempt = Attempt { mark: post.mark.clone(), posted: Some(posted), shows };
        self.0.insert(post.work.clone(), attempt);
    }

    /// It cannot be recorded: whether it is wanted is looked up again.
    pub fn doubt(&self, work: &WorkId) {
        if let Some(mut attempt) = self.0.get_mut(work) {
            (attempt.posted, attempt.shows) = (None, None);
        }
    }

    /// What became of it is on record.
    pub fn recorded(&self, work: &WorkId) {
        self.0.remove(work);
    }

    /// The attempt at this message, if there was one.
    pub fn of(&self, post: &Post) -> Option<Attempt> {
        self.0.get(&post.work).filter(|attempt| attempt.mark == post.mark).map(|attempt| attempt.clone())
    }

    /// Whether there was any for this work.
    pub fn of_work(&self, work: &Work) -> bool {
        self.0.contains_key(&(work.kind, work.key.clone()))
    }

    /// A message that stands there, other than the one on record.
    pub fn unrecorded(&self, live: &LiveMessage) -> Option<Unrecorded> {
        let posted = self.0.get(&live.post.work)?.posted.clone();
        posted.filter(|posted| live.message.as_ref() != Some(&posted.message))
    }

    /// Whether the message that stands there is known to show this.
    pub fn shows(&self, post: &Post, view: &View) -> bool {
        self.of(post).is_some_and(|attempt| attempt.shows.is_some_and(|shows| shows == view.fingerprint()))
    }
}
