//! The report as a file, for who asked alone.

use jiff::Timestamp;
use tracing::warn;

use crate::bot::{Ask, Bot};
use crate::chat::text::shown;
use crate::chat::view::{Control, Line, View};
use crate::chat::{ChatError, Document};
use crate::domain::checklist::Session;
use crate::timing::rules::SUMMARY_PATIENCE;

/// Characters of the community's name in that of the file.
const NAME: usize = 60;

impl Bot {
    /// Sends the report to who asked and says so. None where the chat shows no files; a sentence if it does and
    /// this one could not be sent.
    pub(super) async fn report_file(
        &self,
        ask: &Ask<'_>,
        session: &Session,
        as_json: bool,
        text: &str,
    ) -> Result<Option<View>, String> {
        let (extension, in_words, other) = if as_json {
            ("json", "report json 1", Control::button("As Markdown", "report markdown"))
        } else {
            ("md", "report markdown 1", Control::button("As JSON", "report json"))
        };
        let community = shown(&session.community.name, 80);
        let document = Document {
            name: format!("{}.{extension}", name("readiness", &session.community.name, ask.now)).into(),
            title: format!("Readiness report of {community}").into(),
            text: text.to_owned(),
        };
        if !self.send_file(ask, &document).await? {
            return Ok(None);
        }
        let progress = session.progress();
        let line = Line::new().say("The report is in your direct messages: ").code(document.name.into_owned());
        let view = View::sentence(line).line(Line::new().strong(community).say(format!(
            " · {} of {} done, {} seen, {} skipped, {} not applicable",
            progress.done, progress.total, progress.seen, progress.skipped, progress.not_applicable
        )));
        Ok(Some(view.controls(vec![other, Control::button("Show it here", in_words)])))
    }

    /// Sends a file to who asked, alone; false where the chat shows no files.
    ///
    /// # Errors
    /// A sentence that says why it could not be sent.
    pub(in crate::bot::steps) async fn send_file(&self, ask: &Ask<'_>, document: &Document) -> Result<bool, String> {
        let Ok(chat) = self.chats.of_user(ask.actor) else { return Ok(false) };
        if !chat.shows_files() {
            return Ok(false);
        }
        let sending = async {
            let alone = chat.direct(ask.actor).await?;
            chat.document(&alone, document).await
        };
        match tokio::time::timeout(SUMMARY_PATIENCE, sending).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(error)) => {
                warn!(%error, "a file could not be sent");
                Err(without_file(&error))
            }
            Err(_) => Err("The file could not be sent: the chat platform takes too long.".into()),
        }
    }
}

/// Why the file is shown as text instead.
fn without_file(why: &ChatError) -> String {
    match why {
        ChatError::MissingScope(scope) => format!(
            "The file could not be sent: the app lacks the scope {scope}. Ask your bot administrator to add it and to install the app again."
        ),
        why => format!("The file could not be sent: {why}."),
    }
}

/// `readiness-nimbus-payments-2026-11-27`: nothing that a file system or a shell reads as anything else.
pub(in crate::bot::steps) fn name(what: &str, community: &str, now: Timestamp) -> String {
    let mut slug = String::new();
    for c in community.chars().flat_map(char::to_lowercase) {
        match c {
            c if c.is_alphanumeric() => slug.push(c),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    let slug: String = slug.chars().take(NAME).collect();
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() { "workspace" } else { slug };
    format!("{what}-{slug}-{}", crate::bot::steps::cards::today(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_after_the_community_and_the_day() {
        let at: Timestamp = "2026-11-27T23:30:00Z".parse().unwrap();
        let named = |community: &str| name("readiness", community, at);
        assert_eq!(named("Rivoli Payments (Nimbus)"), "readiness-rivoli-payments-nimbus-2026-11-27");
        assert_eq!(named("../../etc/passwd; rm -rf \u{202e}~"), "readiness-etc-passwd-rm-rf-2026-11-27");
        assert_eq!(named("Société Générale"), "readiness-société-générale-2026-11-27");
        assert_eq!(named("<>"), "readiness-workspace-2026-11-27");
        assert!(named(&"x".repeat(500)).len() < 100);
    }
}
