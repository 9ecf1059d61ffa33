//! Posts that were tried and are not on record. Each may stand there: as long as it is not known, it is
//! looked for before it is posted again; once it is known, it is not posted again.

use dashmap::DashMap;

use super::message::{LiveMessage, Post, Unrecorded, WorkId};
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::chat::{ChannelKey, MessageId};
    use crate::pace::Rank;
    use crate::store::WorkKind;

    fn post(mark: &str) -> Post {
        Post {
            work: (WorkKind::Card, "r1".into()),
            channel: ChannelKey::slack("T0SOC", "C0SOC"),
            under: None,
            mark: mark.into(),
            rank: Rank::Person,
            since: Timestamp::MIN,
            in_doubt: false,
            insist: false,
        }
    }

    fn live(message: Option<MessageId>) -> LiveMessage {
        let view = View::sentence("One");
        LiveMessage { post: post("card r1"), view, again: None, message, replaces: None, original: None, reposts: true }
    }

    fn id(id: &str) -> MessageId {
        MessageId(id.into())
    }

    #[test]
    fn a_post_is_remembered_until_it_is_on_record() {
        let (attempts, post) = (Attempts::default(), post("card r1"));
        assert!(attempts.of(&post).is_none());
        attempts.begin(&post);
        assert!(attempts.of(&post).is_some_and(|attempt| attempt.posted.is_none()), "it may stand there");
        let posted = Unrecorded { message: id("1.1"), replaces: None, current: true };
        attempts.posted(&post, posted.clone(), &View::sentence("One"));
        assert_eq!(attempts.unrecorded(&live(None)), Some(posted.clone()));
        assert_eq!(attempts.unrecorded(&live(Some(id("0.9")))), Some(posted));
        assert_eq!(attempts.unrecorded(&live(Some(id("1.1")))), None, "another process recorded it");
        assert!(attempts.shows(&post, &View::sentence("One")));
        assert!(!attempts.shows(&post, &View::sentence("Two")), "it is to be edited");
        attempts.doubt(&post.work);
        assert!(attempts.of(&post).is_some() && attempts.unrecorded(&live(None)).is_none(), "it is looked up");
        attempts.recorded(&post.work);
        assert!(attempts.of(&post).is_none());
    }

    #[test]
    fn an_attempt_is_at_one_message() {
        let attempts = Attempts::default();
        attempts.begin(&post("card r1"));
        assert!(attempts.of(&post("card r1 after 1.1")).is_none());
    }

    #[test]
    fn what_a_message_shows_that_may_not_be_edited_is_not_known() {
        let (attempts, post, view) = (Attempts::default(), post("card r1"), View::sentence("One"));
        attempts.posted(&post, Unrecorded { message: id("1.1"), replaces: None, current: false }, &view);
        assert!(!attempts.shows(&post, &view));
    }
}
