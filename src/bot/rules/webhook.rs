//! The address that Sekoia's own rules post to. It is a secret: shown once, in a form, and kept as
//! a hash alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rand::RngExt;
use secrecy::SecretString;
use tracing::{error, warn};
use url::Url;

use super::all_rules;
use super::list::by;
use crate::bot::failure::{Failure, instead};
use crate::bot::{Answer, Ask, Bot, Reveal};
use crate::chat::view::{Control, Line, Style, View};
use crate::chat::{Actor, ChannelKey, ChatError, FormContent, SecretForm, UserId};
use crate::command::WebhookWish;
use crate::domain::notify::{Command, Refusal, Rules, decide, token_hash};
use crate::sekoia::Region;
use crate::state::rules::ChangeError;

/// An address that may be made now, in a form that is to be opened.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAddress {
    /// Whose rules they are, wherever the form is.
    channel: ChannelKey,
    by: UserId,
    base: Url,
    /// The hash of the one that it comes instead of.
    instead_of: Option<Box<str>>,
}

/// Why there is no webhook where nobody said how the bot is reached.
fn no_address(region: Region) -> String {
    let from =
        if region.is_self_hosted() { "Your Sekoia posts from its own host" } else { "Sekoia posts from the internet" };
    format!(
        "{from}, and I do not know under which address it reaches me. Ask your bot administrator to set CHATOPS_PUBLIC_URL, for example to https://bot.example.com, and to restart the bot."
    )
}

impl Bot {
    pub(in crate::bot) async fn notify_webhook(&self, ask: &Ask<'_>, wish: WebhookWish) -> Result<Answer, Failure> {
        self.session(ask).await?;
        let confirmed = match wish {
            WebhookWish::Make { confirmed } => confirmed,
            WebhookWish::Revoke => {
                self.change_rules(ask, Command::RevokeWebhook).await?;
                let view = View::sentence("The webhook is revoked: its address answers as if it had never been.");
                return Ok(view.line("Remove the action from Sekoia's rules too.").controls(vec![all_rules()]).into());
            }
        };
        let Some(base) = &self.public_url else { return Err(instead(no_address(self.sekoia.region))) };
        let rules = self.notifications.read(ask.channel).await?;
        if let (Some(webhook), false) = (&rules.webhook, confirmed) {
            let line = by(Line::new().say("This channel has a webhook, made by "), &webhook.made.by);
            let view = View::sentence(line.say(" ").moment(webhook.made.at).say("."))
                .line("Its address was shown once and cannot be shown again. A new one replaces it: the old one stops working at once, and Sekoia's rules need the new one.");
            let button = |label: &'static str, words: &'static str, style| Control::Button {
                label: label.into(),
                words: words.into(),
                style,
                confirm: None,
            };
            return Ok(view
                .controls(vec![
                    button("Replace it", "notify webhook rotate confirm", Style::Danger),
                    button("Revoke it", "notify webhook revoke", Style::Danger),
                ])
                .into());
        }
        Ok(Answer::Secret(Reveal::Webhook(NewAddress {
            channel: ask.channel.clone(),
            by: ask.actor.clone(),
            base: base.clone(),
            instead_of: rules.webhook.map(|webhook| webhook.hash),
        })))
    }

    /// Makes the address and shows it in the open form. What is wrong instead is to be said there.
    pub(in crate::bot) async fn reveal_webhook(
        &self,
        new: &NewAddress,
        opened: &str,
        channel: &ChannelKey,
    ) -> Option<View> {
        let token = SecretString::from(URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>()));
        let hash = token_hash(secrecy::ExposeSecret::expose_secret(&token));
        let by = Actor::Person(new.by.clone());
        let now = Timestamp::now();
        let make = |rules: &Rules| {
            // What was agreed to is to replace that one, and no other.
            if rules.webhook.as_ref().map(|webhook| &webhook.hash) != new.instead_of.as_ref() {
                return Err(Refusal::OtherWebhook);
            }
            decide(rules, Command::MakeWebhook { hash: hash.clone() }, now)
        };
        match self.notifications.change(&new.channel, &by, now, None, make, |_| Vec::new()).await {
            Ok(_) => tracing::info!(actor = new.by.as_str(), channel = new.channel.as_str(), "webhook made"),
            Err(ChangeError::Store(error)) => {
                let reference = crate::bot::failure::reference();
                error!(reference, %error, "a webhook could not be recorded, so there is none");
                let line = "My storage failed, so no address was made. Please try again in a minute.";
                return Some(View::sentence(line).note(format!("Reference for your bot administrator: {reference}")));
            }
            Err(refused) => return Some(View::sentence(Line::marked(&refused.to_string()))),
        }
        let form = form(&new.base, &token, &self.sekoia.app, self.sekoia.region);
        drop(token);
        let shown = match self.chats.of_channel(channel) {
            Ok(chat) => chat.fill_form(opened, FormContent::Secret(&form), channel).await,
            Err(error) => Err(error),
        };
        drop(form);
        let error = shown.err()?;
        warn!(%error, "a webhook's address could not be shown; it is revoked");
        let now = Timestamp::now();
        let revoke = |rules: &Rules| {
            if rules.webhook.as_ref().is_none_or(|webhook| webhook.hash != hash) {
                return Err(Refusal::OtherWebhook);
            }
            decide(rules, Command::RevokeWebhook, now)
        };
        let revoked = self.notifications.change(&new.channel, &Actor::Bot, now, None, revoke, |_| Vec::new()).await;
        if let Err(error) = revoked {
            // Nobody has it: it is worth nothing, it only looks as if there were one.
            warn!(%error, "the address that nobody saw is still listed");
        }
        let line =
            "The address could not be shown here, so it is worth nothing. `/sekoia notify webhook` makes another one.";
        Some(View::sentence(Line::marked(line)))
    }
}

fn form(base: &Url, token: &SecretString, console: &str, region: Region) -> SecretForm {
    let token = secrecy::ExposeSecret::expose_secret(token);
    let address = format!("{}/hooks/sekoia/{token}", base.as_str().trim_end_matches('/'));
    // No page of the console has a documented address: the way there is said instead.
    let intro = Line::new()
        .say("In ")
        .link("Sekoia's console", console.to_owned())
        .say(": 1. Open Settings > Notifications and create a rule. 2. Choose its trigger and conditions. 3. Add the action \"Webhook\" and paste this address. 4. Save the rule. It is shown here once, and nowhere else:");
    let reach = if base.scheme() == "https" {
        ""
    } else if region.is_self_hosted() {
        " ⚠️ It is not https: set CHATOPS_PUBLIC_URL to an address that your Sekoia reaches, encrypted."
    } else {
        " ⚠️ It is not https: Sekoia posts from the internet, so set CHATOPS_PUBLIC_URL to an address that it reaches, encrypted."
    };
    SecretForm {
        title: "Webhook address".into(),
        intro,
        secret: SecretString::from(address),
        note: Line::new().say(format!(
            "Whoever has it can make me look at an alert of this community, which I read at Sekoia before I say anything, or say here that a rule of Sekoia's reported something else, which I cannot look up. No more.{reach}"
        )),
        words: "notify".into(),
        submit: "Done".into(),
    }
}

impl NewAddress {
    /// Nobody can open the form: nothing was made.
    pub(in crate::bot) fn needs_a_form(error: Option<&ChatError>) -> View {
        let why = error.map_or(String::new(), |error| format!(" ({error})"));
        let line = Line::new().say(format!(
            "The address is a secret, so it is shown in a form, and I could not open one{why}. Nothing was made or replaced. Type "
        ));
        View::sentence(line.code("/sekoia notify webhook").say(", not in a thread."))
    }
}
