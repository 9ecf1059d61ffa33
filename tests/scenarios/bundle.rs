//! Everything that a plan names and Sekoia lacks: one card, one approval, each part once and in
//! order.

use std::time::Duration;

use insta::assert_snapshot;
use jiff::Timestamp;
use sekoia_chatops::chat::{Actor, UserId};
use sekoia_chatops::domain::access::Principal;
use sekoia_chatops::domain::action::Kind;
use sekoia_chatops::domain::approval::{Policy, Rule};
use sekoia_chatops::domain::plan::{
    Command, Lifetime, Plan, PlannedCommunity, PlannedKey, PlannedPerson, PlannedRole, decide,
};
use sekoia_chatops::domain::working_time::WorkingTime;
use sekoia_chatops::sandbox::{Fault, FaultKind, Tenant, Writes};
use sekoia_chatops::state::plans::Plans;

use crate::harness::{Platform, SOC, Seen, Setting, Stage, id_in, nameless, on_both, run};

fn setting() -> Setting {
    Setting { tenant: Tenant::Multi, durable: true, ..Setting::default() }
}

fn community(name: &str) -> PlannedCommunity {
    PlannedCommunity { name: name.into(), about: None }
}

fn role(name: &str, permissions: &[&str]) -> PlannedRole {
    let permissions = permissions.iter().map(|p| (*p).into()).collect();
    PlannedRole { name: name.into(), about: None, permissions: Some(permissions) }
}

fn person(address: &str, role: &str, communities: &[&str]) -> PlannedPerson {
    let communities = communities.iter().map(|c| (*c).into()).collect();
    PlannedPerson { address: address.into(), role: role.into(), communities }
}

fn key(name: &str, owner: Option<UserId>) -> PlannedKey {
    PlannedKey {
        name: name.into(),
        preset: Some("read-alerts".into()),
        permissions: vec![],
        expires: Lifetime::Days(30),
        owner,
    }
}

/// Two communities, a role, three people of whom one goes into a new community, two keys.
pub fn of_a_bank(owner: UserId) -> Plan {
    Plan {
        communities: Some(vec![community("Rivoli Cards"), community("Rivoli Loans")]),
        roles: Some(vec![role("Night watch", &["View alerts", "View cases"])]),
        people: Some(vec![
            person("ana@rivoli.example", "Analyst", &[]),
            person("bo@rivoli.example", "Night watch", &[]),
            person("cy@rivoli.example", "Guest", &["Rivoli Cards"]),
        ]),
        keys: Some(vec![key("collector", None), key("reporting", Some(owner))]),
        ..Plan::default()
    }
}

/// The channel of a bank with this plan.
pub async fn planned(s: &mut Stage, plan: Plan) {
    s.ask("alice", "setup \"Banque Rivoli\"").await;
    s.checklist("").await;
    s.stop().await;
    plan_while_stopped(s, plan).await;
    s.start().await;
}

pub async fn plan_while_stopped(s: &Stage, plan: Plan) {
    let (store, channel, by) = (s.store().await, s.channel(SOC), Actor::Person(s.person("alice")));
    let import = Command::Import { plan: Box::new(plan), origin: None };
    let plans = Plans::new(std::sync::Arc::clone(&store));
    plans.change(&channel, &by, Timestamp::now(), |state| decide(state, import.clone())).await.expect("a plan");
    store.close().await;
}

/// What Sekoia was asked to do, in order.
fn written(s: &Stage) -> Vec<String> {
    let calls = s.sekoia.calls();
    let writes = calls.iter().filter(|call| call.method != "GET");
    writes.map(|call| format!("{} {}", call.path.rsplit('/').next().unwrap_or_default(), call.status)).collect()
}

fn communities(s: &Stage, name: &str) -> usize {
    s.sekoia.edit(|world| world.communities.iter().filter(|c| c.name == name).count())
}

fn roles(s: &Stage, name: &str) -> usize {
    s.sekoia.edit(|world| world.roles.iter().filter(|r| r.name == name).count())
}

fn invited(s: &Stage, address: &str) -> usize {
    s.sekoia.edit(|world| world.members.iter().filter(|m| m.user.invited_email.as_deref() == Some(address)).count())
}

on_both!(everything_that_is_missing_with_one_approval);
fn everything_that_is_missing_with_one_approval(on: Platform) {
    run(on, setting(), async |s| {
        let owner = s.person("dan");
        planned(s, of_a_bank(owner)).await;
        let asked = s.ask("alice", "plan request because \"the bank starts on Monday\"").await;
        assert_snapshot!(nameless(&asked), @"
        to alice alone in #soc-setup
        Asked: *Set up 2 communities, 1 role, 3 people and 2 API keys*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        Request <id>. Its card is in this channel.
        ");
        let card = s.card("Approval needed").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (posted)
        Approval needed
        *Set up 2 communities, 1 role, 3 people and 2 API keys*
        In *Banque Rivoli*
        • *Create 2 communities*: Rivoli Cards, Rivoli Loans · under Banque Rivoli
        • *Create the role Night watch* · 2 permissions: View alerts, View cases
        • *Invite ana@rivoli.example as Analyst to Banque Rivoli*
        • *Invite bo@rivoli.example as Night watch to Banque Rivoli*
        • *Invite cy@rivoli.example as Guest to Rivoli Cards*
        • *Create the API key collector* · 1 permission: View alerts · expires after 30 days
        • *Create the API key reporting* · 1 permission: View alerts · expires after 30 days · for @dan
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice: the bank starts on Monday
        • ⚠️ 2 communities under Banque Rivoli that the API cannot delete again
        • ⚠️ A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.
        • ⚠️ external domain: no member has an address at rivoli.example
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        Every permission and every person, one by one: `/sekoia approvals <id>`
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        ");
        let full = s.ask("bob", &format!("approvals {}", id_in(&card))).await;
        assert_snapshot!(nameless(full.text()), @"
        Request <id> · requested
        *Set up 2 communities, 1 role, 3 people and 2 API keys*
        In *Banque Rivoli*
        • ⚠️ 2 communities under Banque Rivoli that the API cannot delete again
        • ⚠️ A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.
        • ⚠️ external domain: no member has an address at rivoli.example
        • *Create 2 communities*: Rivoli Cards, Rivoli Loans · under Banque Rivoli
        • ◦ Rivoli Cards · Rivoli Cards, set up from chat
        • ◦ Rivoli Loans · Rivoli Loans, set up from chat
        • *Create the role Night watch* · 2 permissions: View alerts, View cases
        • ◦ View alerts
        • ◦ View cases
        • *Invite ana@rivoli.example as Analyst to Banque Rivoli*
        • ◦ ana@rivoli.example · Analyst in Banque Rivoli
        • *Invite bo@rivoli.example as Night watch to Banque Rivoli*
        • ◦ bo@rivoli.example · Night watch in Banque Rivoli
        • *Invite cy@rivoli.example as Guest to Rivoli Cards*
        • ◦ cy@rivoli.example · Guest in Rivoli Cards
        • *Create the API key collector* · 1 permission: View alerts · expires after 30 days
        • ◦ View alerts
        • *Create the API key reporting* · 1 permission: View alerts · expires after 30 days · for @dan
        • ◦ View alerts
        SHA-256 of what was asked for:
        ```
        <hash>
        ```
        [Approve?]! [Reject…]✗
        ");
        assert_snapshot!(nameless(s.click("bob", &card, "Approve").await.text()), @"You approved: *Set up 2 communities, 1 role, 3 people and 2 API keys*. It is carried out now.");
        s.card("Keys to be created").await;
        let card = at_rest(s).await;
        assert_snapshot!(nameless(card.text()), @r#"
        Keys to be created
        *Set up 2 communities, 1 role, 3 people and 2 API keys*
        In *Banque Rivoli*
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice: the bank starts on Monday
        • ⚠️ 2 communities under Banque Rivoli that the API cannot delete again
        • ⚠️ A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.
        • ⚠️ external domain: no member has an address at rivoli.example
        5 of 7 parts done
        • ✅ Approved by @bob · <date> <time> UTC
        • 🔑 *Create the API key collector* · @alice creates it with "Create and show", until <date> <time> UTC
        • 🔑 *Create the API key reporting* · @dan creates it with "Create and show", until <date> <time> UTC
        • ✅ *Create 2 communities* · <date> <time> UTC
        • ✅ *Create the role Night watch* · <date> <time> UTC
        • ✅ *Invite ana@rivoli.example as Analyst to Banque Rivoli* · 0 of 1 accepted so far · <date> <time> UTC
        • ✅ *Invite bo@rivoli.example as Night watch to Banque Rivoli* · 0 of 1 accepted so far · <date> <time> UTC
        • ✅ *Invite cy@rivoli.example as Guest to Rivoli Cards* · 0 of 1 accepted so far · <date> <time> UTC
        Request <id> · SHA-256 <hash>…
        [Create and show collector]! [Create and show reporting]! [Send an invitation again ▾] [Give up the rest]
        "#);
        assert_eq!(
            written(s),
            [
                "sub-communities 200",
                "sub-communities 200",
                "roles 201",
                "invitations 204",
                "invitations 204",
                "invitations 204"
            ]
        );
        // Each key is told to who keeps it.
        let told = [s.direct().await, s.direct().await];
        for (who, key) in [("alice", "collector"), ("dan", "reporting")] {
            let said = told.iter().find(|seen| seen.is_for(who)).expect("a message").text();
            assert!(said.contains(&format!("Approved: *Create the API key {key}*")), "{said}");
            assert!(said.contains(", part of "), "{said}");
        }
        // Nobody gets the other one's.
        let refused = s.outcome("alice", &card, "Create and show reporting").await;
        assert!(refused.text().contains("The plan names somebody else for this key"), "{refused}");
        let form = s.opens("dan", &card, "Create and show reporting").await;
        s.card("I saved reporting").await;
        s.submit("dan", &form, &[]).await;
        let card = s.card("6 of 7 parts done").await;
        let form = s.opens("alice", &card, "Create and show collector").await;
        s.card("I saved collector").await;
        s.submit("alice", &form, &[]).await;
        s.card("Done\n").await;
        let card = at_rest(s).await;
        assert_snapshot!(nameless(card.text()), @"
        Done
        *Set up 2 communities, 1 role, 3 people and 2 API keys*
        In *Banque Rivoli*
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice: the bank starts on Monday
        • ⚠️ 2 communities under Banque Rivoli that the API cannot delete again
        • ⚠️ A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.
        • ⚠️ external domain: no member has an address at rivoli.example
        7 of 7 parts done
        • ✅ Approved by @bob · <date> <time> UTC
        • ✅ *Create 2 communities* · <date> <time> UTC
        • ✅ *Create the role Night watch* · <date> <time> UTC
        • ✅ *Invite ana@rivoli.example as Analyst to Banque Rivoli* · 0 of 1 accepted so far · <date> <time> UTC
        • ✅ *Invite bo@rivoli.example as Night watch to Banque Rivoli* · 0 of 1 accepted so far · <date> <time> UTC
        • ✅ *Invite cy@rivoli.example as Guest to Rivoli Cards* · 0 of 1 accepted so far · <date> <time> UTC
        • ✅ *Create the API key collector* · <date> <time> UTC
        • ✅ *Create the API key reporting* · <date> <time> UTC
        Request <id> · SHA-256 <hash>…
        [Send an invitation again ▾]
        ");
        let mut told = [s.direct().await.text(), s.direct().await.text(), s.direct().await.text()];
        told.sort();
        for (told, what) in told.iter().zip(["Create the API key collector", "Create the API key reporting", "Set up"])
        {
            assert!(told.contains(&format!("Done: *{what}")), "{told}");
        }
        assert_eq!((s.active_keys("collector"), s.active_keys("reporting")), (1, 1));
        // What an administrator finds later: the votes once, each part with the request that it is of.
        let history = s.ask("alice", "audit 30").await.text();
        assert_eq!(history.matches("approved request").count(), 1, "{history}");
        assert!(history.contains("Create the role Night watch (part of request"), "{history}");
        assert!(history.contains("succeeded: Set up 2 communities"), "{history}");
        let one = s.ask("alice", &format!("approvals {}", id_in(&card))).await.text();
        assert!(one.contains("*Create the role Night watch* is request"), "{one}");
        // Nothing is missing any more.
        assert_snapshot!(s.ask("alice", "plan request").await.text(), @"
        Nothing is missing: Sekoia has all communities, roles, people and keys that the plan names.
        Usage: `/sekoia plan request [because <reason>] [--dry-run]`
        Nothing was asked.
        ");
        s.stop().await;
        s.verify_audit();
    });
}

/// The card once nothing comes after it; how many edits led there depends on how fast they were.
async fn at_rest(s: &Stage) -> Seen {
    s.rounds(3).await;
    let edit = |seen: &Seen| seen.is_post() && !seen.is_direct();
    while s.chat.unread().iter().any(edit) {
        s.chat.next_where(Duration::from_secs(1), "an edit", edit).await;
    }
    let mut standing = s.chat.standing(SOC).into_iter().filter(|seen| seen.text().contains("SHA-256"));
    standing.next_back().expect("a card")
}

/// Without keys, which wait for a person.
fn without_keys() -> Plan {
    Plan { keys: None, ..of_a_bank(UserId::slack("U0NOBODY")) }
}

/// `plan request` by alice, approved by bob; the card as it was approved.
async fn approved(s: &Stage) -> Seen {
    s.request_for("alice", "plan request").await;
    let card = s.card("Approval needed").await;
    s.click("bob", &card, "Approve").await;
    card
}

fn add_role(s: &Stage, name: &str) {
    s.sekoia.edit(|world| {
        let mut role = world.roles.iter().find(|role| role.community_uuid.is_some()).expect("a custom role").clone();
        (role.uuid, role.name, role.community_uuid) = (uuid::Uuid::new_v4(), name.into(), Some(world.root));
        world.roles.push(role);
    });
}

on_both!(a_role_that_was_made_meanwhile_is_left_as_it_is);
fn a_role_that_was_made_meanwhile_is_left_as_it_is(on: Platform) {
    run(on, setting(), async |s| {
        planned(s, without_keys()).await;
        s.request_for("alice", "plan request").await;
        let card = s.card("Approval needed").await;
        add_role(s, "night WATCH");
        s.click("bob", &card, "Approve").await;
        let card = s.card("Done\n").await;
        let says = "✅ *Create the role Night watch* · there already, so nothing was sent";
        assert!(card.text().contains(says), "{card}");
        assert_eq!((roles(s, "Night watch"), roles(s, "night WATCH")), (0, 1));
        assert!(!written(s).contains(&"roles 201".to_owned()));
        // It is the role that people get.
        let role = s.sekoia.edit(|world| world.role("night WATCH").expect("a role").uuid);
        let has = s.sekoia.edit(|world| {
            world
                .members
                .iter()
                .any(|m| m.user.invited_email.as_deref() == Some("bo@rivoli.example") && m.roles.contains(&role))
        });
        assert!(has);
        s.direct().await;
        at_rest(s).await;
    });
}

on_both!(a_community_that_sekoia_refuses_fails_and_so_do_its_people);
fn a_community_that_sekoia_refuses_fails_and_so_do_its_people(on: Platform) {
    run(on, setting(), async |s| {
        planned(s, without_keys()).await;
        let refused = FaultKind::Status { code: 400, retry_after: None, body: None };
        s.sekoia.faults().add(Fault::new(refused).on("/sub-communities").method("POST").times(1));
        approved(s).await;
        s.card("Done in part").await;
        let card = at_rest(s).await;
        assert_snapshot!(nameless(card.text()), @"
        Done in part
        *Set up 2 communities, 1 role and 3 people*
        In *Banque Rivoli*
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice
        • ⚠️ 2 communities under Banque Rivoli that the API cannot delete again
        • ⚠️ A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.
        • ⚠️ external domain: no member has an address at rivoli.example
        3 of 5 parts done · 2 failed
        • ✅ Approved by @bob · <date> <time> UTC
        • ❌ *Create 2 communities* · 1 of 2 done; Rivoli Cards: Sekoia refuses the request (400): Bad Request
        • ❌ *Invite cy@rivoli.example as Guest to Rivoli Cards* · it needs the community Rivoli Cards, which was not created: Sekoia refuses the request (400): Bad Request
        • ✅ *Create the role Night watch* · <date> <time> UTC
        • ✅ *Invite ana@rivoli.example as Analyst to Banque Rivoli* · 0 of 1 accepted so far · <date> <time> UTC
        • ✅ *Invite bo@rivoli.example as Night watch to Banque Rivoli* · 0 of 1 accepted so far · <date> <time> UTC
        Request <id> · SHA-256 <hash>…
        [Retry failed]! [Do it by hand] [Send an invitation again ▾]
        ");
        assert_eq!((communities(s, "Rivoli Cards"), communities(s, "Rivoli Loans")), (0, 1));
        assert_eq!(["ana", "bo", "cy"].map(|name| invited(s, &format!("{name}@rivoli.example"))), [1, 1, 0]);
        assert_snapshot!(nameless(s.direct().await), @"
        direct message to alice (posted)
        Done in part: *Set up 2 communities, 1 role and 3 people*
        • ❌ *Create 2 communities* · 1 of 2 done; Rivoli Cards: Sekoia refuses the request (400): Bad Request
        • ❌ *Invite cy@rivoli.example as Guest to Rivoli Cards* · it needs the community Rivoli Cards, which was not created: Sekoia refuses the request (400): Bad Request
        • ✅ *Create the role Night watch* · <date> <time> UTC
        • ✅ *Invite ana@rivoli.example as Analyst to Banque Rivoli* · <date> <time> UTC
        • ✅ *Invite bo@rivoli.example as Night watch to Banque Rivoli* · <date> <time> UTC
        In #soc-setup · request <id> · Open the card <message>
        ");
        assert_snapshot!(s.click("alice", &card, "Retry failed").await.text(), @"Trying 2 parts again. What is done stays done.");
        let card = s.card("Done\n").await;
        assert!(card.text().contains("5 of 5 parts done"), "{card}");
        assert_eq!((communities(s, "Rivoli Cards"), communities(s, "Rivoli Loans")), (1, 1));
        assert_eq!(["ana", "bo", "cy"].map(|name| invited(s, &format!("{name}@rivoli.example"))), [1, 1, 1]);
        assert!(s.direct().await.text().contains("Done: *Set up"));
        at_rest(s).await;
    });
}

on_both!(a_part_whose_reply_was_lost_is_there_once);
fn a_part_whose_reply_was_lost_is_there_once(on: Platform) {
    run(on, setting(), async |s| {
        planned(s, without_keys()).await;
        for path in ["/sub-communities", "/roles", "/invitations"] {
            s.sekoia.faults().add(Fault::new(FaultKind::LoseReply).on(path).method("POST").times(1));
        }
        approved(s).await;
        s.card("Done\n").await;
        assert_eq!((communities(s, "Rivoli Cards"), communities(s, "Rivoli Loans")), (1, 1));
        assert_eq!(roles(s, "Night watch"), 1);
        assert_eq!(["ana", "bo", "cy"].map(|name| invited(s, &format!("{name}@rivoli.example"))), [1, 1, 1]);
        s.direct().await;
        at_rest(s).await;
    });
}

on_both!(a_freeze_in_the_middle_keeps_the_rest_until_it_is_lifted);
fn a_freeze_in_the_middle_keeps_the_rest_until_it_is_lifted(on: Platform) {
    run(on, setting(), async |s| {
        planned(s, without_keys()).await;
        // The first call takes so long that the freeze comes before what follows.
        let slow = FaultKind::Latency { ms: 1_500 };
        s.sekoia.faults().add(Fault::new(slow).on("/sub-communities").method("POST").times(1));
        approved(s).await;
        s.ask("carol", "freeze \"something is odd\"").await;
        s.announced("This holds in every channel").await;
        let card = s.card("🧊 Nothing is carried out").await;
        s.rounds(3).await;
        assert!(written(s).len() <= 1, "{:?}", written(s));
        assert_eq!((roles(s, "Night watch"), communities(s, "Rivoli Loans")), (0, 0), "{card}");
        s.ask("carol", "unfreeze").await;
        s.announced("carried out again").await;
        s.card("Done\n").await;
        assert_eq!(written(s).len(), 6, "{:?}", written(s));
        s.direct().await;
        at_rest(s).await;
    });
}

on_both!(what_is_rejected_is_not_begun);
fn what_is_rejected_is_not_begun(on: Platform) {
    run(on, setting(), async |s| {
        planned(s, without_keys()).await;
        let id = s.request_for("alice", "plan request").await;
        s.card("Approval needed").await;
        s.ask("bob", &format!("reject {id} \"not this year\"")).await;
        let card = s.card("Rejected").await;
        assert!(card.text().contains("Rejected by @bob"), "{card}");
        s.direct().await;
        at_rest(s).await;
        assert_eq!(written(s), Vec::<String>::new());
        let history = s.ask("alice", "audit 5").await.text();
        assert!(history.contains("rejected by @bob (\"not this year\"): Set up 2 communities"), "{history}");
    });
}

on_both!(who_asked_gives_up_the_rest);
fn who_asked_gives_up_the_rest(on: Platform) {
    run(on, setting(), async |s| {
        let owner = s.person("dan");
        planned(s, Plan { communities: None, people: None, ..of_a_bank(owner) }).await;
        approved(s).await;
        let card = s.card("Keys to be created").await;
        s.direct().await;
        s.direct().await;
        let told = s.click("alice", &card, "Give up the rest").await.text();
        assert!(told.starts_with("Given up: *Set up 1 role and 2 API keys*"), "{told}");
        let card = s.card("Done in part\n").await;
        assert_eq!(card.text().matches("withdrawn").count(), 2, "{card}");
        assert!(s.direct().await.text().contains("Done in part: *Set up"));
        s.say("dan", &format!("show {}", id_in(&card))).await;
        let told = s.form_or_words().await.text();
        assert!(told.contains("operator"), "{told}");
        at_rest(s).await;
        assert_eq!(s.active_keys("reporting"), 0);
    });
}

fn ruled(kind: Kind, rule: Rule) -> Setting {
    let per = [(kind, rule)].into_iter().collect();
    Setting { approval: Policy { per, ..Policy::default() }, ..setting() }
}

on_both!(a_bundle_needs_what_its_most_sensitive_part_needs);
fn a_bundle_needs_what_its_most_sensitive_part_needs(on: Platform) {
    let carol: Principal = format!("{}:{}", on.prefix(), on.user("carol")).parse().expect("a principal");
    let rule = Rule { approvers: Some(vec![carol]), ..Rule::default() };
    run(on, ruled(Kind::KeyCreate, rule), async |s| {
        planned(s, of_a_bank(s.person("dan"))).await;
        let asked = s.ask("alice", "plan request").await.text();
        assert!(asked.contains("It needs 1 approval by @carol until"), "{asked}");
        let card = s.card("Approval needed").await;
        let told = s.click("bob", &card, "Approve").await.text();
        assert_eq!(told, "You cannot decide this. These people can: @carol.");
        s.click("alice", &card, "Withdraw").await;
        s.card("Withdrawn").await;
        at_rest(s).await;
        // One Admin among the people makes all of it need two.
        s.stop().await;
        let mut plan = without_keys();
        plan.people.as_mut().expect("people")[0].role = "Admin".into();
        plan_while_stopped(s, plan.clone()).await;
        s.start().await;
        let told = s.ask("alice", "plan request").await.text();
        let never = "it needs 2 approvals (required_sensitive in [approval.invite]), and only 1 person may approve it (CHATOPS_APPROVERS and approvers in [approval.key_create])";
        assert!(told.contains(never), "{told}");
        s.stop().await;
        plan_while_stopped(s, Plan { keys: Some(vec![]), ..plan }).await;
        s.start().await;
        let asked = s.ask("alice", "plan request").await.text();
        assert!(asked.contains("It needs 2 approvals by @bob or @carol until"), "{asked}");
        s.card("Approval needed").await;
    });
}

on_both!(an_escalated_part_brings_further_people_for_that_part_alone);
fn an_escalated_part_brings_further_people_for_that_part_alone(on: Platform) {
    let named = |names| super::escalated::named(on, names);
    let rule = Rule { approvers: Some(named("carol")), ..super::escalated::soon(named("bob,dan")) };
    let mut setting = ruled(Kind::KeyCreate, rule);
    setting.approval.working = WorkingTime::ALWAYS;
    run(on, setting, async |s| {
        planned(s, of_a_bank(s.person("dan"))).await;
        s.ask("alice", "plan request").await;
        let card = s.card("Escalated on").await;
        // Dan may approve keys by now, and nothing else of it.
        let thread = s.announced("Escalated: ").await;
        assert!(thread.text().contains("For @bob to decide"), "{thread}");
        let told = s.click("dan", &card, "Approve").await.text();
        assert_eq!(told, "You cannot decide this. These people can: @bob or @carol.");
        // The parts rest on Bob's approval, too.
        s.click("bob", &card, "Approve").await;
        s.card("Keys to be created").await;
        s.direct().await;
        s.direct().await;
        at_rest(s).await;
    });
}

on_both!(what_a_plan_cannot_have_is_said_before_anything_is_asked);
fn what_a_plan_cannot_have_is_said_before_anything_is_asked(on: Platform) {
    run(on, setting(), async |s| {
        let bank = || of_a_bank(s.person("dan"));
        let of_people = |people| Plan { people: Some(people), ..bank() };
        let guest = s.person("gina");
        let wrong: [(Plan, &str); 6] = [
            (Plan { communities: Some(vec![]), ..Plan::default() }, "Nothing is missing"),
            (
                Plan { roles: Some(vec![role("Night watch", &["View everything"])]), ..bank() },
                "The role \"Night watch\": There is no permission or preset called \"View everything\".",
            ),
            (
                of_people(vec![person("cy@rivoli.example", "Guest", &["Rivoli Boats"])]),
                "cy@rivoli.example: there is no community called \"Rivoli Boats\", neither at Sekoia nor in the plan.",
            ),
            (
                of_people(vec![person("cy@rivoli.example", "Night watch", &["Rivoli Cards"])]),
                "\"Rivoli Cards\" is new, so it has only the roles that Sekoia brings: Guest, Analyst, Admin.",
            ),
            (
                of_people(vec![person("cy@rivoli.example", "Day watch", &[])]),
                "cy@rivoli.example: there is no role called \"Day watch\" in Banque Rivoli.",
            ),
            (of_a_bank(guest), "who is no active, full member here."),
        ];
        let mut begun = false;
        for (plan, says) in wrong {
            if begun {
                s.stop().await;
                plan_while_stopped(s, plan).await;
                s.start().await;
            } else {
                planned(s, plan).await;
            }
            begun = true;
            let told = s.ask("alice", "plan request").await.text();
            assert!(told.contains(says), "{told}");
        }
        // A dry run asks nobody either.
        s.stop().await;
        plan_while_stopped(s, of_a_bank(s.person("dan"))).await;
        s.start().await;
        let told = s.ask("alice", "plan request --dry-run").await.text();
        assert!(
            told.contains("Dry run: nothing was asked") && told.contains("*Create the role Night watch*"),
            "{told}"
        );
        assert_eq!(written(s), Vec::<String>::new());
    });
}

on_both!(who_keeps_a_key_gets_it_although_who_asked_is_gone);
fn who_keeps_a_key_gets_it_although_who_asked_is_gone(on: Platform) {
    run(on, setting(), async |s| {
        let plan = Plan { communities: None, people: None, roles: None, ..of_a_bank(s.person("dan")) };
        planned(s, plan).await;
        approved(s).await;
        let card = s.card("Keys to be created").await;
        s.direct().await;
        s.direct().await;
        s.chat.deactivated("alice");
        // The key of who stays, although who asked for it is gone: an approver confirms that.
        let told = s.outcome("dan", &card, "Create and show reporting").await.text();
        assert!(told.contains("@alice, who asked for it, is deactivated"), "{told}");
        let card = s.card("Confirmation needed").await;
        let told = [s.direct().await, s.direct().await];
        assert!(["bob", "dan"].iter().all(|who| told.iter().any(|seen| seen.is_for(who))), "{told:?}");
        let told = s.click("carol", &card, "Confirm").await.text();
        assert!(told.starts_with("You confirmed 1 part of *Set up 2 API keys*"), "{told}");
        let card = s.card("Create and show reporting").await;
        let form = s.opens("dan", &card, "Create and show reporting").await;
        s.card("I saved reporting").await;
        s.submit("dan", &form, &[]).await;
        s.card("1 of 2 parts done").await;
        assert_eq!(s.active_keys("reporting"), 1);
        at_rest(s).await;
        assert!(s.direct().await.text().contains("Approved: *Create the API key reporting*"));
        assert!(s.direct().await.text().contains("Done: *Create the API key reporting*"));
    });
}

on_both!(what_waits_already_is_not_asked_for_again);
fn what_waits_already_is_not_asked_for_again(on: Platform) {
    run(on, setting(), async |s| {
        planned(s, Plan { communities: None, people: None, ..of_a_bank(s.person("alice")) }).await;
        let id = s.request_for("alice", "plan request").await;
        s.card("Approval needed").await;
        let told = s.ask("alice", "plan request").await.text();
        let already = format!("Exactly this was asked for already, and is not settled: `/sekoia approvals {id}`.");
        assert_eq!(told, already);
        s.ask("bob", &format!("approve {id}")).await;
        s.card("Keys to be created").await;
        s.direct().await;
        s.direct().await;
        let told = s.ask("alice", "plan request").await.text();
        for key in ["collector", "reporting"] {
            assert!(told.contains(&format!("The key \"{key}\" waits already: request ")), "{told}");
        }
        at_rest(s).await;
    });
}

on_both!(more_keys_than_buttons_are_asked_for_by_command);
fn more_keys_than_buttons_are_asked_for_by_command(on: Platform) {
    run(on, setting(), async |s| {
        let keys = (1..=7).map(|n| key(&format!("collector {n}"), None)).collect();
        planned(s, Plan { keys: Some(keys), ..Plan::default() }).await;
        approved(s).await;
        s.card("2 keys wait without a button here").await;
        let card = at_rest(s).await;
        assert_eq!(card.text().matches("[Create and show collector").count(), 5, "{card}");
        for _ in 0..7 {
            assert!(s.direct().await.text().contains("Approved: *Create the API key collector"));
        }
        let (_, id) =
            card.text().split_once("`/sekoia show ").map(|(a, b)| (a.to_owned(), b[..8].to_owned())).expect("an id");
        s.say("alice", &format!("show {id}")).await;
        let form = s.fields().await;
        s.card("I saved collector").await;
        s.submit("alice", &form, &[]).await;
        s.card("1 of 7 parts done").await;
        at_rest(s).await;
        s.direct().await;
    });
}

on_both!(where_keys_may_not_write_people_do_the_parts);
fn where_keys_may_not_write_people_do_the_parts(on: Platform) {
    run(on, Setting { writes: Writes::Refused, ..setting() }, async |s| {
        planned(s, without_keys()).await;
        approved(s).await;
        s.card("To do by hand").await;
        let card = at_rest(s).await;
        for says in ["3 by hand", "Name: Rivoli Cards", "Name: Night watch", "which was not created"] {
            assert!(card.text().contains(says), "{says} in {card}");
        }
        s.direct().await;
        s.sekoia.edit(|world| {
            for name in ["Rivoli Cards", "Rivoli Loans"] {
                let mut made = world.communities[1].clone();
                (made.uuid, made.name) = (uuid::Uuid::new_v4(), name.into());
                world.communities.push(made);
            }
        });
        let told = s.click("alice", &card, "I did it").await.text();
        assert!(told.starts_with("Found 2. Sekoia does not show: Night watch, ana@rivoli.example"), "{told}");
        let card = s.card("✅ *Create 2 communities*").await;
        assert!(card.text().contains("To do by hand"), "{card}");
        at_rest(s).await;
    });
}
