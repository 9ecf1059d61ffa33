//! The open windows. A dialog goes to the one window that it is for and to no other: it may show a
//! secret.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use secrecy::SecretString;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::dialog::Dialog;
use crate::chat::ChatError;
use crate::timing::page::WINDOW_KEPT;

/// What a window may lag behind.
const LAG: usize = 32;

#[derive(Default)]
pub(super) struct Windows {
    known: Mutex<HashMap<Box<str>, Window>>,
}

struct Window {
    /// Who looks at it.
    person: &'static str,
    /// Where its dialogs go: its newest stream.
    dialogs: Sender<SecretString>,
    /// Its last dialog, for a stream that comes after this one. Never a secret.
    last: Option<Box<str>>,
    used: Instant,
}

impl Windows {
    // Every change is made whole under the lock: a poisoned lock guards sound data.
    fn known(&self) -> MutexGuard<'_, HashMap<Box<str>, Window>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The dialogs of `window`, each as JSON, until it has a newer stream. The last one comes
    /// again: the stream before may have ended before it arrived.
    pub fn enter(&self, window: &str, person: &'static str) -> Receiver<SecretString> {
        let (dialogs, receiver) = mpsc::channel(LAG);
        let mut known = self.known();
        known.retain(|_, window| !window.dialogs.is_closed() || window.used.elapsed() < WINDOW_KEPT);
        let last = known.remove(window).filter(|before| before.person == person).and_then(|before| before.last);
        if let Some(last) = last.as_deref() {
            // Nothing fills a new channel.
            let _ = dialogs.try_send(last.into());
        }
        known.insert(window.into(), Window { person, dialogs, last, used: Instant::now() });
        receiver
    }

    /// Opens a dialog in `window`, or gives an open one its content.
    pub fn show(&self, window: &str, dialog: &Dialog<'_>) -> Result<(), ChatError> {
        // Own types: strings, numbers and maps with string keys.
        let json = serde_json::to_string(dialog).expect("own types serialize");
        let closed = || ChatError::Unavailable("the window was closed".into());
        let mut known = self.known();
        let window = known.get_mut(window).ok_or_else(closed)?;
        window.used = Instant::now();
        window.last = (!dialog.is_secret()).then(|| json.as_str().into());
        match window.dialogs.try_send(json.into()) {
            Ok(()) => Ok(()),
            // It comes back in a moment, or nobody looks any more.
            Err(TrySendError::Closed(_)) if window.last.is_some() => Ok(()),
            Err(TrySendError::Closed(_)) => Err(closed()),
            Err(TrySendError::Full(_)) => Err(ChatError::Unavailable("the window does not keep up".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::chat::SecretForm;
    use crate::chat::view::Line;

    fn next(dialogs: &mut Receiver<SecretString>) -> Option<String> {
        dialogs.try_recv().ok().map(|json| json.expose_secret().to_owned())
    }

    #[test]
    fn a_dialog_reaches_its_window_alone_and_again_after_a_lost_stream() {
        let windows = Windows::default();
        let (mut one, mut other) = (windows.enter("one", "alice"), windows.enter("other", "bob"));
        windows.show("one", &Dialog::waiting("form", "soc-setup")).unwrap();
        assert_eq!((next(&mut one).is_some(), next(&mut other)), (true, None));
        drop(one);
        windows.show("one", &Dialog::waiting("filled", "soc-setup")).unwrap();
        let mut one = windows.enter("one", "alice");
        assert!(next(&mut one).unwrap().contains("filled"));
        let mut newer = windows.enter("one", "alice");
        windows.show("one", &Dialog::waiting("newer", "soc-setup")).unwrap();
        assert_eq!(next(&mut one), None);
        assert!(next(&mut newer).is_some());
        // Somebody else looks at the same window now.
        assert_eq!(next(&mut windows.enter("one", "bob")), None);
        assert!(windows.show("gone", &Dialog::waiting("form", "soc-setup")).is_err());
    }

    #[test]
    fn a_secret_is_told_once() {
        let windows = Windows::default();
        let form = SecretForm {
            title: "New key".into(),
            intro: Line::new(),
            secret: "<s3cret>".into(),
            note: Line::new(),
            words: "key stored 1".into(),
            submit: "I have it".into(),
        };
        let secret = Dialog::secret("form", "soc-setup", &form);
        let mut window = windows.enter("one", "alice");
        windows.show("one", &secret).unwrap();
        assert!(next(&mut window).unwrap().contains("\"text\":\"<s3cret>\""));
        assert_eq!(next(&mut windows.enter("one", "alice")), None);
        assert!(windows.show("one", &secret).is_err(), "its stream has ended");
    }
}
