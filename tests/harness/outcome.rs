//! What came of it at Sekoia.

use super::{Seen, Stage};

impl Stage {
    /// Alice asks and bob approves; the card that says so.
    pub async fn approved(&self, ask: &str, until: &str) -> Seen {
        self.request_for("alice", ask).await;
        let card = self.card("Approval needed").await;
        self.click("bob", &card, "Approve").await;
        self.card(until).await
    }

    /// The calls that would change something, each with its answer's status: `POST 200`.
    pub fn writes(&self) -> Vec<String> {
        let calls = self.sekoia.calls();
        calls.iter().filter(|c| c.method != "GET").map(|c| format!("{} {}", c.method, c.status)).collect()
    }

    /// How many keys of this name work.
    pub fn active_keys(&self, name: &str) -> usize {
        self.sekoia.edit(|world| world.keys.iter().filter(|k| k.name == name && k.revoked_at.is_none()).count())
    }
}
