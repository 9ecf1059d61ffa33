//! The same over a plan's missing things of all four kinds: whenever it is killed, every part is
//! there once, and in the bundle's order.

use super::*;
use crate::scenarios::bundle::{of_a_bank, plan_while_stopped};

const TITLE: &str = "Set up 2 communities, 1 role, 3 people and 1 API key";
const KEY: &str = "collector";

/// The channel of a bank with a plan, and no bot.
async fn set_up(platform: Platform) -> Stage {
    let setting = Setting { durable: true, file: true, tenant: sandbox::Tenant::Multi, ..Setting::default() };
    let mut stage = Stage::begin(platform, setting).await;
    stage.start().await;
    stage.ask("alice", "setup \"Banque Rivoli\"").await;
    stage.checklist("").await;
    stage.stop().await;
    let mut plan = of_a_bank(stage.person("alice"));
    if let Some(keys) = &mut plan.keys {
        keys.truncate(1);
    }
    plan_while_stopped(&stage, plan).await;
    stage
}

impl Story {
    async fn tell_of_a_bundle(mut self) -> bool {
        let ask = Act::say("alice", "plan request");
        let card = self.until("the card", |s| s.standing(TITLE), ask).await;
        let approve = Act::press("bob", &card, "Approve");
        let approved = |s: &mut Self| s.standing(TITLE).filter(|card| !card.text().contains("Approval needed"));
        self.until("the approval", approved, approve).await;
        // Pressed again whenever the card offers it again; saved as soon as there is something.
        let began = Instant::now();
        while self.standing(TITLE).is_none_or(|card| !card.text().starts_with("Done")) {
            self.revive().await;
            let card = self.standing(TITLE).expect("a card");
            if card.text().contains("[Create and show collector]") {
                self.act(&Act::Open("alice", card, "Create and show collector")).await;
            } else if let Some(form) = self.secret_form() {
                self.act(&Act::Save("alice", form)).await;
            } else if card.text().contains("[I saved collector]") {
                self.act(&Act::Press("alice", card, "I saved collector")).await;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            assert!(began.elapsed() < LONG, "the end never came:\n{}", self.stage.chat.dump());
        }
        let rests = |s: &mut Self| s.standing("Sekoia workspace setup").filter(|c| !c.text().contains('⏳'));
        self.until("the checklist at rest", rests, None).await;
        self.until("the news", |s| s.news("Done: *Set up").then_some(()), None).await;
        self.check_bundle().await;
        self.killed
    }

    async fn check_bundle(&mut self) {
        let s = &mut self.stage;
        let once = s.sekoia.edit(|world| {
            let community = |name: &str| world.communities.iter().filter(|c| c.name == name).count();
            let invited = |address: &str| {
                world.members.iter().filter(|m| m.user.invited_email.as_deref() == Some(address)).count()
            };
            let role = world.roles.iter().filter(|r| r.name == "Night watch").count();
            let keys = world.keys.iter().filter(|k| k.name == KEY && k.revoked_at.is_none()).count();
            let people = ["ana", "bo", "cy"].map(|name| invited(&format!("{name}@rivoli.example")));
            ([community("Rivoli Cards"), community("Rivoli Loans"), role, keys], people)
        });
        assert_eq!(once, ([1; 4], [1; 3]));
        let done: Vec<String> =
            s.sekoia.calls().iter().filter(|c| c.method == "POST" && c.status < 300).map(|c| c.path.clone()).collect();
        let sent = |path: &str| done.iter().filter(|sent| sent.ends_with(path)).count();
        assert_eq!((sent("/sub-communities"), sent("/roles"), sent("/invitations")), (2, 1, 3), "{done:?}");
        let turn = |path: &String| {
            ["/sub-communities", "/roles", "/invitations", "/api-keys"].iter().position(|end| path.ends_with(end))
        };
        assert!(done.iter().map(turn).is_sorted(), "{done:?}");
        // One card, and none of a part.
        let cards = s.chat.standing(SOC).iter().filter(|seen| seen.text().contains("SHA-256")).count();
        assert_eq!(cards, 1, "{}", s.chat.dump());
        let told = |says: &str| s.chat.standing_alone("alice").iter().filter(|n| n.text().contains(says)).count();
        assert_eq!((told("Done: *Set up"), told("Done: *Create the API key"), told("Done: *Invite")), (1, 1, 0));
        s.kill_program();
        s.verify_audit();
        assert_eq!(s.chat.violations(), Vec::<String>::new());
    }
}

fn all_of_a_bundle(point: impl Fn(usize) -> Point + Copy + Send + 'static) -> usize {
    let on = Platform::Slack;
    all_from(on, || set_up(on), point, |story| Box::pin(story.tell_of_a_bundle()))
}

#[test]
fn after_every_commit_of_a_bundle() {
    let points = all_of_a_bundle(Point::Commit);
    assert!(points > 30, "only {points} commits");
}

#[test]
fn before_every_call_to_sekoia_of_a_bundle() {
    let points = all_of_a_bundle(|n| Point::Sekoia(n, sandbox::Stage::Arrived));
    assert!(points > 20, "only {points} calls");
}

#[test]
fn after_every_call_to_sekoia_of_a_bundle() {
    let points = all_of_a_bundle(|n| Point::Sekoia(n, sandbox::Stage::Done));
    assert!(points > 20, "only {points} calls");
}
