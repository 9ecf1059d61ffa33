//! What waits in the store and does not get further: messages that a chat refuses, and what the bot did
//! not write.

use crate::bot::delivery::dead_letters;
use crate::chat::diagnosis::{Check, harmless};
use crate::chat::text::count;
use crate::store::Store;

/// Listed in full.
const LISTED: usize = 3;

pub async fn examine(store: &dyn Store) -> Vec<Check> {
    let (letters, aside) = tokio::join!(refused(store), set_aside(store));
    vec![letters, aside]
}

async fn refused(store: &dyn Store) -> Check {
    let (id, subject) = ("messages.refused", "Messages: refused");
    let letters = match dead_letters(store).await {
        Ok(letters) => letters,
        Err(error) => return unread(id, subject, &error),
    };
    if letters.is_empty() {
        return Check::pass(id, subject, "Every message was taken by its chat.");
    }
    let listed: Vec<String> =
        letters.iter().take(LISTED).map(|line| harmless(line.plain().trim_start_matches("⚠️ "))).collect();
    let all = count(letters.len(), "message was", "messages were");
    Check::warn(
        id,
        subject,
        &format!("{all} not taken: {}.", listed.join("; ")),
        "Correct what it says, mostly by inviting the bot again. The bot keeps trying, and at once when a command is typed there.",
    )
}

async fn set_aside(store: &dyn Store) -> Check {
    let (id, subject) = ("messages.set_aside", "Messages: set aside");
    match store.set_aside(1).await {
        Ok((0, _)) => Check::pass(id, subject, "Nothing that is stored was set aside."),
        Ok((n, first)) => {
            let first = first.first().map_or(String::new(), |aside| {
                let about = format!("{}: {}", aside.what, aside.why);
                format!(" The last one is {} ({}).", harmless(&about), aside.reference)
            });
            let n = count(usize::try_from(n).unwrap_or(usize::MAX), "row", "rows");
            Check::fail(
                id,
                subject,
                &format!("{n} in the store were not written by the bot, and are not acted upon.{first}"),
                "Run `sekoia-chatops audit verify`, which lists them, and find out who writes to the database.",
            )
        }
        Err(error) => unread(id, subject, &error),
    }
}

pub(super) fn unread(id: &str, subject: &str, error: &crate::store::StoreError) -> Check {
    let found = format!("Not examined: the store could not be read ({}).", harmless(&error.to_string()));
    Check::warn(id, subject, &found, "Correct what is said of the store first.")
}

/// The start of a list in words: `a, b and 3 more`.
pub(super) fn some(all: &[String], most: usize) -> String {
    let listed = all.iter().take(most).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(most) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}
