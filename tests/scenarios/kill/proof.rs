//! The same over a vote with a second factor: whenever it is killed, the vote is there once and proven, and
//! no token is kept.

use super::*;
use crate::harness::{Browser, Proving, Tokens};

const TITLE: &str = "Invite ana@nimbus.example as Analyst";

/// A channel that is set up, a chat that tells e-mail addresses, and no bot.
async fn set_up() -> Stage {
    let proving = Some(Proving { acr: "urn:mfa", subjects: &[], real: false });
    let setting = Setting { durable: true, file: true, proving, ..Setting::default() };
    let mut stage = Stage::begin(Platform::Slack, setting).await;
    stage.chat.tells_addresses();
    stage.start().await;
    stage.set_up().await;
    stage.stop().await;
    stage
}

impl Story {
    async fn tell_of_a_proof(mut self) -> bool {
        // Of what was set up, a copy has the messages alone.
        self.stage.chat.tells_addresses();
        let tokens = Tokens::default();
        let ask = Act::say("alice", "invite ana@nimbus.example as Analyst");
        self.until("the card", |s| s.standing(TITLE), ask).await;
        let (began, browser, mut known) = (Instant::now(), Browser::fresh(), Vec::new());
        let mut text = String::new();
        while self.standing(TITLE).is_none_or(|card| card.text().contains("Approval needed")) {
            self.revive().await;
            let card = self.standing(TITLE).expect("a card");
            // The vote of an earlier press may have come meanwhile.
            if !card.text().contains("Approval needed") {
                break;
            }
            self.act(&Act::Press("bob", card, "Approve")).await;
            for _ in 0..20 {
                self.revive().await;
                let new = |s: &Self| s.stage.chat.unread().iter().rev().find_map(|seen| s.stage.any_link_in(seen));
                if let Some(link) = new(&self).filter(|link| !known.contains(link)) {
                    known.push(link.clone());
                    let page = browser.try_prove(&link, "bob-1", &tokens).await;
                    text = page.map(|page| page.text()).unwrap_or_default();
                    assert!(!text.contains("another person"), "{text}");
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(began.elapsed() < LONG, "the vote never came: {text}\n{}", self.stage.chat.dump());
        }
        self.until("the end", |s| s.standing(TITLE).filter(|card| card.text().starts_with("Done")), None).await;
        let rests = |s: &mut Self| s.standing("Sekoia workspace setup").filter(|c| !c.text().contains('⏳'));
        self.until("the checklist at rest", rests, None).await;
        self.until("the news", |s| s.news("Done: *Invite ana@nimbus.example").then_some(()), None).await;
        self.check_proof(&tokens).await;
        self.killed
    }

    async fn check_proof(&mut self, tokens: &Tokens) {
        let card = self.standing(TITLE).expect("a card").text();
        assert_eq!((card.matches("Approved by").count(), card.matches("identity proven").count()), (1, 1), "{card}");
        let s = &mut self.stage;
        let posts = s.sekoia.calls().iter().filter(|c| c.path == "/v1/invitations" && c.status == 204).count();
        assert_eq!(posts, 1, "an invitation was sent twice");
        s.kill_program();
        s.verify_audit();
        let mut kept = std::fs::read(s.log()).expect("a log");
        for suffix in ["", "-wal"] {
            let path = format!("{}{suffix}", s.database().expect("a file").display());
            kept.extend(std::fs::read(path).unwrap_or_default());
        }
        for token in tokens.lock().expect("a lock").iter() {
            assert!(!kept.windows(token.len()).any(|w| w == token.as_bytes()), "a token was kept: {token}");
        }
        assert_eq!(s.chat.violations(), Vec::<String>::new());
    }
}

fn all_of_a_proof(point: impl Fn(usize) -> Point + Copy + Send + 'static) -> usize {
    all_from(Platform::Slack, set_up, point, |story| Box::pin(story.tell_of_a_proof()))
}

#[test]
fn after_every_commit_of_a_proof() {
    let points = all_of_a_proof(Point::Commit);
    assert!(points > 12, "only {points} commits");
}

#[test]
fn after_every_call_to_the_chat_of_a_proof() {
    let points = all_of_a_proof(|n| Point::Chat(n, At::Done));
    assert!(points > 10, "only {points} calls");
}
