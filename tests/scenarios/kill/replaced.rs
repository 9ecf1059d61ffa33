//! The same where the chat lets the bot edit nothing: every change is a message of its own, which
//! replaces the one before. However often it is killed, none is replaced twice.

use super::*;

const PEOPLE: &str = "Invite ana@nimbus.example as Analyst";
const CHECKLIST: &str = "Sekoia workspace setup";

impl Story {
    /// The newest message in the channel that says so.
    fn newest(&self, says: &str) -> Option<Seen> {
        self.stage.chat.standing(SOC).into_iter().rev().find(|seen| is_about(seen, says))
    }

    async fn tell_without_edits(mut self) -> bool {
        self.stage.chat.close_edits(true);
        let ask = Act::say("alice", "invite ana@nimbus.example");
        let card = self.until("the card", |s| s.newest(PEOPLE), ask).await;
        let approve = Act::press("bob", &card, "Approve");
        let approved = |s: &mut Self| s.newest(PEOPLE).filter(|card| !card.text().contains("Approval needed"));
        self.until("the approval", approved, approve).await;
        let done = |s: &mut Self| s.newest(PEOPLE).filter(|card| card.text().starts_with("Done"));
        self.until("the end of the invitation", done, None).await;
        let rests = |s: &mut Self| s.newest(CHECKLIST).filter(|seen| !seen.text().contains('⏳'));
        self.until("the checklist at rest", rests, None).await;
        let news = |s: &mut Self| s.news("Done: *Invite ana@nimbus.example").then_some(());
        self.until("the news", news, None).await;
        // As they stand there, with the addresses that they name.
        let standing = self.stage.chat.standing(SOC);
        let named: Vec<String> = standing.iter().filter_map(replaced).collect();
        let mut once = named.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), named.len(), "one was replaced twice:\n{}", self.stage.chat.dump());
        for says in [PEOPLE, CHECKLIST] {
            let first = standing.iter().filter(|seen| is_about(seen, says) && replaced(seen).is_none()).count();
            assert_eq!(first, 1, "messages that replace none and say {says:?}:\n{}", self.stage.chat.dump());
        }
        let sent = self.stage.sekoia.edit(|world| {
            let ana = |m: &&sandbox::world::Member| m.user.invited_email.as_deref() == Some("ana@nimbus.example");
            world.members.iter().filter(ana).count()
        });
        assert_eq!(sent, 1);
        assert_eq!(self.stage.chat.violations(), Vec::<String>::new());
        self.killed
    }
}

/// The address of the message that this one replaces.
fn replaced(seen: &Seen) -> Option<String> {
    let text = seen.as_shown();
    let (_, rest) = text.split_once("This message replaces an earlier one <")?;
    rest.split_once('>').map(|(address, _)| address.to_owned())
}

fn all_without_edits(platform: Platform, point: impl Fn(usize) -> Point + Copy + Send + 'static) -> usize {
    all_of(platform, point, |story| Box::pin(story.tell_without_edits()))
}

#[test]
fn without_edits_after_every_commit() {
    let points = all_without_edits(Platform::Slack, Point::Commit);
    assert!(points > 8, "only {points} commits");
}

on_both!(without_edits_after_every_call_to_the_chat);
fn without_edits_after_every_call_to_the_chat(on: Platform) {
    let points = all_without_edits(on, |n| Point::Chat(n, At::Done));
    assert!(points > 8, "only {points} calls");
}
