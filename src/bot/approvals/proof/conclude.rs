//! What a proof leads to: whether it is the person of the link, whether they still may, and then the vote, or
//! the key.

use futures_util::FutureExt;
use jiff::Timestamp;
use secrecy::SecretString;

use super::{Part, Purpose, Returned, Wish};
use crate::bot::approvals::reveal::NewKey;
use crate::bot::failure::{Failure, instead};
use crate::bot::{Ask, Bot, Settles};
use crate::chat::Words;
use crate::chat::view::{Line, View};
use crate::command::read;
use crate::domain::approval::{Proof, Refusal};
use crate::telemetry::trace::reference;

/// Who the identity provider says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub proof: Proof,
    /// An address of which the provider says that it is the person's.
    pub email: Option<Box<str>>,
}

/// What came of a proof.
pub enum Proven {
    Approved(Vec<Part>),
    Key(PageKey),
}

/// A new key, for the one page that shows it.
pub struct PageKey {
    pub name: String,
    /// `expires on 2027-01-01`.
    pub lives: String,
    pub secret: SecretString,
    /// Until then somebody has to say that it is saved.
    pub confirm: Timestamp,
    pub request: String,
}

/// Nothing came of it, and why.
pub struct Unproven(pub Vec<Part>);

impl Bot {
    /// Does what the proof is for, if it is the person who pressed, and if they still may.
    pub async fn prove(&self, returned: Returned, identity: Identity) -> Result<Proven, Unproven> {
        let wish = returned.wish.clone();
        let done = self.act_on_proof(&returned, identity).boxed().await;
        let Err(failure) = done else { return done.map_err(|_| Unproven(Vec::new())) };
        self.unproven(returned).await;
        let view = self.in_words(failure, &wish).boxed().await;
        let line = view.summary.plain();
        tracing::info!(actor = wish.user.as_str(), request = wish.request.as_str(), why = line, "nothing was proven");
        Err(Unproven(self.parts(&view).boxed().await))
    }

    async fn act_on_proof(&self, returned: &Returned, identity: Identity) -> Result<Proven, Failure> {
        let wish = &returned.wish;
        let approval = self.approvals.read(&wish.request).await?.ok_or(Refusal::NoSuch)?;
        if approval.request.hash != wish.hash {
            return Err(Refusal::Altered.into());
        }
        let chat = self.chats.of_user(&wish.user).map_err(Failure::Chat)?;
        // Whoever was removed since the press has no rights any more, whatever is remembered.
        let lists = self.deciding_lists(&self.deciding(&approval, Some(&wish.user)));
        let principals = lists.iter().flat_map(|(principals, _)| principals.iter());
        let groups: Vec<&str> = principals.filter_map(|principal| principal.group_on(chat.name())).collect();
        chat.forget(&wish.user, &groups).await;
        let rights = self.policy.rights(&self.chats, &wish.user, &wish.channel).await?;
        self.is_person(wish, &identity).await?;
        let ask = Ask {
            actor: &wish.user,
            channel: &wish.channel,
            now: Timestamp::now(),
            rights,
            delivery: "",
            settles: Settles::new(Some(returned.finished.clone())),
        };
        match wish.purpose {
            Purpose::Approve => {
                self.may_decide(&ask, &approval).await?;
                let view = self.approve_with(&ask, &approval, Some(Box::new(identity.proof))).boxed().await?;
                Ok(Proven::Approved(self.parts(&view).boxed().await))
            }
            Purpose::Reveal => {
                let key = NewKey::new(wish.request.clone(), wish.user.clone());
                let made = Box::pin(self.key_for_page(&key, returned.finished.clone())).await;
                made.map(Proven::Key).map_err(|view| Failure::Instead(Box::new(view)))
            }
        }
    }

    /// Whether the identity is that of the person who pressed.
    async fn is_person(&self, wish: &Wish, identity: &Identity) -> Result<(), Failure> {
        let subjects = self.identities.as_ref().map(|identities| &identities.subjects);
        let subject = &identity.proof.subject;
        if let Some(listed) = subjects.and_then(|subjects| subjects.get(&wish.user)) {
            return if listed == subject { Ok(()) } else { Err(other()) };
        }
        let platform = wish.user.platform();
        if subjects.is_some_and(|all| all.iter().any(|(user, of)| of == subject && user.platform() == platform)) {
            return Err(other());
        }
        let chat = self.chats.of_user(&wish.user).map_err(Failure::Chat)?;
        let person = chat.person(&wish.user).await.map_err(Failure::Chat)?;
        if !chat.confirms_addresses().await.map_err(Failure::Chat)? {
            let why = "The chat lets people set an e-mail address that they have not confirmed";
            return Err(unlisted(wish, why));
        }
        match (&person.email, &identity.email) {
            (None, _) => Err(unlisted(wish, "The chat does not tell your e-mail address")),
            (_, None) => {
                Err(unlisted(wish, "Your identity provider does not say that your e-mail address is verified"))
            }
            (Some(here), Some(there)) if here.trim().eq_ignore_ascii_case(there.trim()) => Ok(()),
            _ => Err(other()),
        }
    }

    /// Why not, in the words of the platform where it was pressed.
    async fn in_words(&self, failure: Failure, wish: &Wish) -> View {
        if failure.is_ours() {
            let reference = reference();
            tracing::error!(reference, error = %failure, "the store failed after a sign-in at the identity provider");
            return View::sentence("My storage failed, so nothing was done. Press the button again in a minute.")
                .note(format!("Reference for your bot administrator: {reference}"));
        }
        let words = match wish.purpose {
            Purpose::Approve => format!("approve {}", wish.request),
            Purpose::Reveal => format!("show {}", wish.request),
        };
        match read(&Words::Typed(words), wish.channel.platform()) {
            Ok(said) => self.explain(failure, &said, &wish.channel).await,
            Err(_) => View::sentence("Nothing was done."),
        }
    }
}

fn other() -> Failure {
    instead(
        "You signed in as another person than the one this link is for, so nothing was done. Sign out of the identity provider, press the button in the chat again, and sign in as yourself.",
    )
}

/// No e-mail address connects the two.
fn unlisted(wish: &Wish, why: &str) -> Failure {
    instead(Line::marked(&format!(
        "{why}, so the bot cannot tell whether it is you, and nothing was done. Ask your bot administrator to list `{}` under [oidc.subjects].",
        wish.user
    )))
}
