//! Rules by words, buttons and a form; samples; the webhook's address and what is posted to it.

use std::time::Duration;

use insta::assert_snapshot;
use proptest::prelude::*;
use sekoia_chatops::chat::Actor;
use sekoia_chatops::command::{find, lex, rule};
use sekoia_chatops::domain::notify::{Event, Rule, Rules, Trigger, Watch, matches, sample};
use sekoia_chatops::sandbox::{Fault, FaultKind};
use sekoia_chatops::state::hint::Hint;
use sekoia_chatops::state::kept::decode;
use sekoia_chatops::state::rules::Notifications;
use sekoia_chatops::store::{Work, WorkKind};
use sekoia_chatops::timing::{Rhythm, Timing};

use crate::harness::{
    Call, ChatFault, Choice, Platform, QUICK, SOC, Seen, Setting, Stage, on_both, run, steady, usual,
};

/// Longer than anything takes that works.
const LONG: Duration = Duration::from_secs(20);

/// The rows of hints that are stored and not seen to.
async fn hints(s: &Stage) -> Vec<Hint> {
    rows(s, WorkKind::Hint).await.iter().filter_map(decode).collect()
}

async fn rows(s: &Stage, kind: WorkKind) -> Vec<Work> {
    s.store().await.due(kind, jiff::Timestamp::MAX, 100).await.unwrap()
}

fn durable() -> Setting {
    Setting { durable: true, file: true, ..Setting::default() }
}

fn unwatched() -> Setting {
    let timing = Timing { watch: Rhythm { on: false, ..QUICK.watch }, ..QUICK };
    Setting { timing, ..durable() }
}

/// The address in the form that shows it.
fn address(form: &Seen) -> String {
    let text = form.text();
    let line = text.lines().find(|line| line.starts_with("http") && line.contains("/hooks/sekoia/"));
    line.unwrap_or_else(|| panic!("no address in {form}")).to_owned()
}

/// Asks for the webhook's address; the form that shows it.
async fn shown(s: &Stage, words: &str) -> Seen {
    s.form_for("alice", words).await
}

/// Posts to the webhook; status and body.
async fn post(s: &Stage, address: &str, body: &str) -> (u16, Vec<u8>) {
    let path = &address[address.find("/hooks/").expect("the bot's address")..];
    let answer = s.http.post(format!("http://{}{path}", s.address())).body(body.to_owned()).send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

const RAISED: &str = r#"{"type":"alert","action":"created","attributes":{"uuid":"5f0c1e0a-0000-4000-8000-000000000001","short_id":"ALa1b2c3"},"metadata":{"version":2,"created_at":"2026-11-23T09:30:00Z","community_uuid":"5f0c1e0a-0000-4000-8000-000000000002","avatar_uuid":null,"user_uuid":null,"permissions":[]}}"#;

on_both!(rules_are_added_listed_changed_and_removed);
fn rules_are_added_listed_changed_and_removed(on: Platform) {
    run(on, unwatched(), async |s| {
        assert_snapshot!(s.ask("alice", "notify").await.text(), @"
        *This channel is not set up yet.*
        I set up Sekoia workspaces from a channel: seven steps, each checked with Sekoia's API, approvals by button for what is sensitive, and a record of who did what.
        You can set it up: press the button, or type `/sekoia setup`.
        [Set up this channel]!
        ");
        s.set_up().await;
        assert_snapshot!(steady(s.ask("alice", "notify").await.text()), @"
        Notifications
        *Nimbus Payments* · 0 rules
        No rule yet: nothing is posted here. `/sekoia notify recommended` adds the three that Sekoia recommends, `/sekoia notify add alert urgency>=75` any other.
        • No digest: `/sekoia notify digest daily <time> Europe/Paris` sets one.
        • No webhook for Sekoia's own rules: `/sekoia notify webhook` makes one.
        See: Notifications <https://docs.sekoia.com/getting_started/notification_concept/>, Examples <https://docs.sekoia.com/getting_started/notifications-Examples/>
        [Add a rule…] [Recommended] [Summary] [Done]! [Open step 7 (notifications)]
        ");
        assert_snapshot!(s.ask("alice", "notify add alert urgency>=75 rule=\"Brute force\"").await.text(), @r#"
        Rule 1: Alert raised, urgency 75 or more, rule "Brute force".
        It is compared with what Sekoia's LiveAPI tells, which is at once.
        [Send a sample]! [All rules]
        "#);
        assert_snapshot!(s.ask("alice", "notify add silent for 30m").await.text(), @"
        Rule 2: No events from any intake for 30 minutes.
        Sekoia sends no events for this: I poll for them. `/sekoia notify` says how often.
        [Send a sample]! [All rules]
        ");
        assert!(s.ask("alice", "notify add connector").await.text().starts_with("Rule 3: Connector error."));
        let list = s.ask("alice", "notify").await;
        assert_snapshot!(steady(list.text()), @r#"
        Notifications
        *Nimbus Payments* · 3 rules, all active
        • *1* Alert raised, urgency 75 or more, rule "Brute force" · by @alice · LiveAPI, not evaluated yet · not fired yet · not tested
        • *2* No events from any intake for 30 minutes · by @alice · polled, not evaluated yet · not fired yet · not tested
        • *3* Connector error · by @alice · polled, not evaluated yet · not fired yet · not tested
        How they are evaluated:
        • Alerts and cases: ⚠️ Sekoia's LiveAPI is not listened to at the moment
        • Silence of intakes: polled. The interval depends on how many there are, which the first poll shows; it is still to come.
        • Errors of connectors: polled. The interval depends on how many there are, which the first poll shows; it is still to come.
        • No digest: `/sekoia notify digest daily <time> Europe/Paris` sets one.
        • No webhook for Sekoia's own rules: `/sekoia notify webhook` makes one.
        See: Notifications <https://docs.sekoia.com/getting_started/notification_concept/>, Examples <https://docs.sekoia.com/getting_started/notifications-Examples/>
        [Add a rule…] [Recommended] [Summary] [Test a rule ▾] [Pause a rule ▾] [Remove a rule ▾] [Done]! [Open step 7 (notifications)]
        "#);
        assert_snapshot!(s.choose("alice", &list, "Pause a rule", Choice::Option("2 No events from any intake for 30 minutes")).await.text(), @"
        Rule 2 is paused until someone resumes it: No events from any intake for 30 minutes.
        [Resume] [All rules]
        ");
        assert_snapshot!(s.ask("alice", "notify pause 2").await.text(), @"Rule 2 is paused already. `/sekoia notify resume 2` resumes it.");
        assert_snapshot!(steady(s.ask("alice", "notify mute 1 1h").await.text()), @r#"
        Rule 1 is quiet until <date> <time> UTC: Alert raised, urgency 75 or more, rule "Brute force".
        [Resume] [All rules]
        "#);
        assert_snapshot!(steady(s.ask("alice", "notify").await.text()), @r#"
        Notifications
        *Nimbus Payments* · 3 rules, 1 active
        • *1* Alert raised, urgency 75 or more, rule "Brute force" · 🔇 muted until <date> <time> UTC · by @alice · LiveAPI, not evaluated yet · not fired yet · not tested
        • *2* No events from any intake for 30 minutes · ⏸️ paused · by @alice · polled, not evaluated yet · not fired yet · not tested
        • *3* Connector error · by @alice · polled, not evaluated yet · not fired yet · not tested
        How they are evaluated:
        • Alerts and cases: ⚠️ Sekoia's LiveAPI is not listened to at the moment
        • Errors of connectors: polled. The interval depends on how many there are, which the first poll shows; it is still to come.
        • No digest: `/sekoia notify digest daily <time> Europe/Paris` sets one.
        • No webhook for Sekoia's own rules: `/sekoia notify webhook` makes one.
        See: Notifications <https://docs.sekoia.com/getting_started/notification_concept/>, Examples <https://docs.sekoia.com/getting_started/notifications-Examples/>
        [Add a rule…] [Recommended] [Summary] [Test a rule ▾] [Pause a rule ▾] [Resume a rule ▾] [Remove a rule ▾] [Done]! [Open step 7 (notifications)]
        "#);
        assert_snapshot!(s.ask("alice", "notify test 2").await.text(), @"Rule 2 is paused: a sample would not arrive. `/sekoia notify resume 2` resumes it.");
        assert_snapshot!(steady(s.ask("alice", "notify test 1").await.text()), @"Rule 1 is muted until <date> <time> UTC: a sample would not arrive. `/sekoia notify resume 1` resumes it.");
        assert_snapshot!(s.ask("alice", "notify resume 2").await.text(), @"
        Rule 2 is active again: No events from any intake for 30 minutes.
        [All rules]
        ");
        assert_snapshot!(s.ask("alice", "notify resume 1").await.text(), @r#"
        Rule 1 is active again: Alert raised, urgency 75 or more, rule "Brute force".
        [All rules]
        "#);
        assert_snapshot!(s.ask("alice", "notify resume 1").await.text(), @"Rule 1 is neither paused nor muted.");
        assert_snapshot!(s.ask("alice", "notify mute 1 60d").await.text(), @"A rule is muted until a time to come, for 30 days at most. `/sekoia notify pause 1` stops it until someone resumes it.");
        let removed = s.ask("alice", "notify remove 1").await;
        assert_snapshot!(removed.text(), @r#"
        Rule 1 is removed: Alert raised, urgency 75 or more, rule "Brute force". It comes back with `/sekoia notify add alert urgency>=75 rule="Brute force"`.
        [All rules]
        "#);
        assert_snapshot!(s.ask("alice", "notify remove 1").await.text(), @"There is no rule 1. `/sekoia notify` lists them.");
        // The words that it gives make the same rule.
        let words = "notify add alert urgency>=75 rule=\"Brute force\"";
        assert!(removed.text().contains(words), "{removed}");
        assert!(s.ask("alice", words).await.text().starts_with("Rule 4: Alert raised, urgency 75 or more"));
    });
}

on_both!(what_cannot_be_is_refused_with_what_to_type);
fn what_cannot_be_is_refused_with_what_to_type(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let mut told = Vec::new();
        for words in [
            "notify add alrt",
            "notify add alert urgency>=101",
            "notify add alert urgency>75",
            "notify add alert urgency=high",
            "notify add alert status=Closed",
            "notify add alert updated status=Clsed",
            "notify add alert for 30m",
            "notify add silent for 10m",
            "notify add silent for 2d",
            "notify add silent \"Ofice firewall\" for 1h",
            "notify add playbook \"Freeze a merchant\" crashed",
            "notify add playbook urgency>=3",
            "notify add alert community=Elsewhere",
            "notify add alert asset=srv-1",
            "notify add report urgency>=3",
            "notify add report",
            "notify remove 9",
            "notify pause",
            "notify mute 1 never",
            "notify digest daily 25:00",
            "notify digest daily 08:30 Europe/Pari",
            "notify digest hourly 08:30",
            "notify digest daily off",
            "notify webhook revoke",
            "notify test 1",
            "notify seen 1",
        ] {
            let text = s.ask("alice", words).await.text();
            told.push(format!("{words}: {}", text.lines().next().unwrap_or_default()));
        }
        assert_snapshot!(told.join("\n"), @r#"
        notify add alrt: "alrt" is not something to wait for: did you mean `alert`?
        notify add alert urgency>=101: "101" is not an urgency: give a number from 0 to 100, such as `urgency>=75`.
        notify add alert urgency>75: "urgency>75" is not how urgencies are compared: write `urgency>=76`.
        notify add alert urgency=high: "urgency=high" is not how urgencies are compared: a rule has a least urgency: `urgency>=75`.
        notify add alert status=Closed: "status=Closed" is not possible when an alert is raised: it begins as Pending; write `alert updated status=Closed`.
        notify add alert updated status=Clsed: "Clsed" is not a status of alerts: did you mean `status=Closed`?
        notify add alert for 30m: "for 30m" is not a condition of this trigger: `alert` takes `urgency>=75`, `status=Pending`, `rule="Brute force"`, `entity="HQ"`, `asset=<UUID>`, `community="Nimbus"`.
        notify add silent for 10m: "10m" is not a time of silence: the shortest is 15 minutes: `for 15m`.
        notify add silent for 2d: "2d" is not a time of silence: the longest is 24 hours: `for 24h`.
        notify add silent "Ofice firewall" for 1h: There is no intake called "Ofice firewall". Did you mean "Office firewall"?
        notify add playbook "Freeze a merchant" crashed: There is no playbook called "Freeze a merchant". Did you mean "Freeze a merchant account"?
        notify add playbook urgency>=3: "urgency 3" is not a condition of this trigger: `playbook` takes `playbook="Enrich IPs"`, `crashed`, `community="Nimbus"`.
        notify add alert community=Elsewhere: This channel is about Nimbus Payments, and so are its rules: nothing is posted here about "Elsewhere". Set that community up in a channel of its own, with `/sekoia setup` there, and add the rule in it.
        notify add alert asset=srv-1: "srv-1" is not the UUID of an asset: Sekoia's alerts carry the UUIDs of their assets, not the names; an alert's message here shows them under "Assets".
        notify add report urgency>=3: "urgency 3" is not a condition of this trigger: Sekoia's API does not tell of this; make a notification rule in Sekoia's console that posts to this channel's webhook: what it posts is shown here. `/sekoia notify webhook` shows how.
        notify add report: A rule for "Report available" could never fire here. Sekoia's API does not tell of this; make a notification rule in Sekoia's console that posts to this channel's webhook: what it posts is shown here. `/sekoia notify webhook` shows how.
        notify remove 9: There is no rule 9. This channel has none yet: `/sekoia notify recommended` adds three.
        notify pause: `notify pause` needs to know which rule; `/sekoia notify` lists them.
        notify mute 1 never: "never" is not a time to be quiet: write `1h`, `8h` or `1d`, at most `30d`.
        notify digest daily 25:00: "25:00" is not a time of day: write hours and minutes, from 00:00 to 23:59, such as 08:30.
        notify digest daily 08:30 Europe/Pari: "Europe/Pari" is not a time zone: did you mean `Europe/Paris`?
        notify digest hourly 08:30: "hourly" is not how often a digest comes: write `daily` or `weekly`.
        notify digest daily off: There is no daily digest here. `/sekoia notify digest daily 08:30 Europe/Paris` sets one.
        notify webhook revoke: There is no webhook to revoke. `/sekoia notify webhook` makes one.
        notify test 1: There is no rule 1. This channel has none yet: `/sekoia notify recommended` adds three.
        notify seen 1: There is no rule 1. This channel has none yet: `/sekoia notify recommended` adds three.
        "#);
        s.ask("alice", "notify add alert").await;
        assert_snapshot!(s.ask("alice", "notify add alerts").await.text(), @"Rule 1 says that already. `/sekoia notify` lists the rules.");
        // Sekoia does not say what there is: the rule is added, and that is said.
        s.sekoia
            .faults()
            .add(Fault::new(FaultKind::Status { code: 500, retry_after: None, body: None }).on("/intakes"));
        assert_snapshot!(s.ask("alice", "notify add silent Okta").await.text(), @r#"
        Rule 2: No events from intake "Okta" for 1 hour.
        Sekoia sends no events for this: I poll for them. `/sekoia notify` says how often.
        ⚠️ I could not ask Sekoia whether the names in it exist (Sekoia failed (500)).
        [Send a sample]! [All rules]
        "#);
    });
}

on_both!(what_only_sekoia_tells_of_is_explained_and_a_stored_rule_for_it_stays_readable);
/// An earlier version may have stored one.
fn what_only_sekoia_tells_of_is_explained_and_a_stored_rule_for_it_stays_readable(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        for words in ["rule limited", "rule new", "rule deprecating", "rule deprecated", "report community=Nimbus"] {
            let told = s.ask("alice", &format!("notify add {words}")).await.text();
            assert!(told.contains("could never fire here.") && told.contains("`/sekoia notify webhook`"), "{told}");
        }
        let told = s.ask("alice", "notify add report available").await;
        assert_snapshot!(told.text(), @r#"
        A rule for "Report available" could never fire here. Sekoia's API does not tell of this; make a notification rule in Sekoia's console that posts to this channel's webhook: what it posts is shown here. `/sekoia notify webhook` shows how.
        [Webhook]
        "#);
        let guide = s.opens("alice", &told, "Webhook").await;
        assert!(guide.text().contains("Settings > Notifications"), "{guide}");
        s.stop().await;
        let kept = Notifications::new(s.store().await);
        let stored = |_: &Rules| Ok(vec![Event::Added { number: 1, watch: Watch::new(Trigger::ReportAvailable) }]);
        kept.change(&s.channel(SOC), &Actor::Bot, jiff::Timestamp::now(), None, stored, |_| Vec::new()).await.unwrap();
        s.start().await;
        assert!(s.ask("alice", "notify").await.text().contains("*1* Report available"));
        assert!(s.ask("alice", "notify test 1").await.text().starts_with("A rule for \"Report available\""));
        assert!(s.ask("alice", "notify remove 1").await.text().starts_with("Rule 1 is removed: Report available."));
    });
}

on_both!(a_rule_is_about_the_community_of_its_channel);
fn a_rule_is_about_the_community_of_its_channel(on: Platform) {
    let multi = Setting { tenant: sekoia_chatops::sandbox::Tenant::Multi, ..Setting::default() };
    run(on, multi, async |s| {
        s.ask("alice", "setup \"Banque Rivoli\"").await;
        s.progress().await;
        // A parent's channel hears of none of its units.
        let refused = s.ask("alice", "notify add alert community=\"Rivoli Retail\"").await;
        assert_snapshot!(refused.text(), @r#"
        This channel is about Banque Rivoli, and so are its rules: nothing is posted here about "Rivoli Retail". Set that community up in a channel of its own, with `/sekoia setup` there, and add the rule in it.
        Usage: `/sekoia notify add <trigger> [conditions]`
        Nothing was added.
        "#);
        let retail = s.sekoia.edit(|world| world.community("Rivoli Retail").unwrap().uuid);
        assert!(
            s.ask("alice", &format!("notify add alert community={retail}")).await.text().contains("Nothing was added")
        );
        let own = s.sekoia.edit(|world| world.community("Banque Rivoli").unwrap().uuid);
        let told = s.ask("alice", "notify add alert community=\"banque rivoli\"").await.text();
        assert!(told.starts_with("Rule 1: Alert raised, community \"banque rivoli\"."), "{told}");
        assert!(s.ask("alice", &format!("notify add case community={own}")).await.text().starts_with("Rule 2: "));
    });
}

on_both!(a_form_asks_for_a_rule_and_says_what_is_wrong_where);
fn a_form_asks_for_a_rule_and_says_what_is_wrong_where(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let form = s.form_for("alice", "notify add").await;
        assert_snapshot!(form.text(), @"
        Add a rule
        For *Nimbus Payments*, in this channel.
        Tell this channel of: [Select an option ▾]
          ▾ Alert raised | Alert updated | Case created automatically | Automatic case edited | No events received | Playbook error | Connector error
          What follows narrows it down. What else rules in Sekoia's console tell comes by webhook: /sekoia notify webhook
        Urgency, at least (optional): [____]
          Alerts: a number from 0 to 100. Sekoia recommends 75.
        Status (optional): [Select options ▾…]
          ▾ Pending | Acknowledged | Ongoing | Rejected | Closed
          Updated alerts: only when it becomes one of these.
        Detection rule (optional): [____]
          Alerts: the whole name.
        Entity (optional): [____]
          Alerts: the whole name, or its UUID.
        Asset (optional): [____]
          Alerts: its UUID, as an alert's message here shows it. Alerts carry no names of assets.
        Intake (optional): [Select an option ▾]
          ▾ Key management HSM | Laptops EDR | Mail gateway <MX> & relay | Office firewall | Payment gateway
          No events received: only from this one.
        Silent for (optional): [____]
          No events received: 15m to 24h; left empty, 1h.
        Playbook (optional): [Select an option ▾]
          ▾ Enrich new alerts with CTI | Freeze a merchant account | Notify the fraud desk
          Playbook error: only of this one.
        Every error, or crashes (optional): [Select an option ▾]
          ▾ Only when it crashed
          Playbook error: left empty, every failed run.
        [Cancel] [Add it]!
        ");
        let trigger = |label| ("Tell this channel of", label);
        let urgency = |text| ("Urgency, at least", text);
        let silent = |text| ("Silent for", text);
        let values = [trigger("Alert raised"), urgency("high")];
        assert_snapshot!(s.refused("alice", &form, &values).await, @r#"{"urgency":"\"high\" is not an urgency: give a number from 0 to 100, such as \"urgency>=75\"."}"#);
        let values = [trigger("Alert raised"), urgency("75"), silent("30m")];
        assert_snapshot!(s.refused("alice", &form, &values).await, @r#"{"for":"\"for 30m\" is not a condition of this trigger: \"alert\" takes \"urgency>=75\", \"status=Pending\", rule=\"Brute force\", entity=\"HQ\", \"asset=<UUID>\", community=\"Nimbus\"."}"#);
        let values = [trigger("No events received"), urgency(""), silent("3 days")];
        assert_snapshot!(s.refused("alice", &form, &values).await, @r#"{"for":"\"3 days\" is not a time of silence: the longest is 24 hours: \"for 24h\"."}"#);
        let values = [trigger("No events received"), urgency("75"), silent("45m")];
        assert_snapshot!(s.refused("alice", &form, &values).await, @r#"{"urgency":"\"urgency 75\" is not a condition of this trigger: \"silent\" takes intake=\"Okta\", \"for 30m\", community=\"Nimbus\"."}"#);
        let values = [trigger("Alert raised"), urgency("75"), silent(""), ("Status", "Closed")];
        assert_snapshot!(s.refused("alice", &form, &values).await, @r#"{"status":"\"status=Closed\" is not possible when an alert is raised: it begins as Pending; write \"alert updated status=Closed\"."}"#);
        let values = [trigger("Alert updated"), urgency("75"), silent(""), ("Status", "Closed"), ("Asset", "srv-1")];
        assert_snapshot!(s.refused("alice", &form, &values).await, @r#"{"asset":"\"srv-1\" is not the UUID of an asset: Sekoia's alerts carry the UUIDs of their assets, not the names; an alert's message here shows them under \"Assets\"."}"#);
        let values = [trigger("Alert updated"), urgency("75"), silent(""), ("Status", "Closed"), ("Asset", "")];
        let told = s.submit("alice", &form, &values).await;
        assert_snapshot!(told.text(), @"
        Rule 1: Alert updated, urgency 75 or more, status Closed.
        It is compared with what Sekoia's LiveAPI tells, which is at once.
        [Send a sample]! [All rules]
        ");
        // Where no form can be opened, the same is typed.
        s.chat.fault(Call::OpenForm, ChatFault::Refuses);
        assert_snapshot!(s.ask("alice", "notify add").await.text(), @"I could not open the form (the form's trigger expired). Type it instead: `/sekoia notify add <trigger> [conditions]`");
    });
}

on_both!(the_recommended_three_come_after_one_confirmation);
fn the_recommended_three_come_after_one_confirmation(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let proposed = s.ask("alice", "notify recommended").await;
        assert_snapshot!(proposed.text(), @r#"
        Sekoia recommends these three rules to begin with:
        • Alert raised, urgency 75 or more
        • No events from any intake for 1 hour
        • Error of any playbook
        An urgency is a number up to 100; `/sekoia notify add alert urgency>=80` takes another one. For EDR and Active Directory, Sekoia recommends 15 to 30 minutes of silence: `/sekoia notify add silent "<intake>" for 15m`.
        [Add them]!
        "#);
        assert_snapshot!(s.click("alice", &proposed, "Add them").await.text(), @"
        Added: 3 rules.
        • *1* Alert raised, urgency 75 or more
        • *2* No events from any intake for 1 hour
        • *3* Error of any playbook
        `/sekoia notify test 1` sends a sample the whole way into this channel.
        [Send a sample]! [All rules]
        ");
        assert_snapshot!(s.ask("alice", "notify recommended").await.text(), @"The three rules that Sekoia recommends are here already. `/sekoia notify` lists them.");
        s.ask("alice", "notify remove 3").await;
        assert_snapshot!(s.ask("alice", "notify recommended").await.text(), @r#"
        Of the three rules that Sekoia recommends, these are not here yet:
        • Error of any playbook
        An urgency is a number up to 100; `/sekoia notify add alert urgency>=80` takes another one. For EDR and Active Directory, Sekoia recommends 15 to 30 minutes of silence: `/sekoia notify add silent "<intake>" for 15m`.
        [Add them]!
        "#);
    });
}

on_both!(viewers_look_and_operators_change);
fn viewers_look_and_operators_change(on: Platform) {
    run(on, unwatched(), async |s| {
        s.set_up().await;
        s.ask("alice", "notify recommended confirm").await;
        let list = s.ask("dan", "notify").await;
        assert!(list.text().contains("[Summary]"), "{list}");
        for button in ["Add a rule", "Pause", "Remove", "Test"] {
            assert!(!list.text().contains(button), "{list}");
        }
        for words in [
            "notify add alert",
            "notify add",
            "notify remove 1",
            "notify pause 1",
            "notify resume 1",
            "notify mute 1 1h",
            "notify test 1",
            "notify seen 1",
            "notify recommended confirm",
            "notify digest daily 08:30",
            "notify webhook",
            "notify webhook rotate confirm",
            "notify webhook revoke",
        ] {
            // Where a form would open, it says so.
            s.say("dan", words).await;
            let text = s.form_or_words().await.text();
            assert!(text.contains("That is for operators."), "{words}: {text}");
        }
    });
}

on_both!(a_digest_is_planned_with_its_schedule_and_ends_with_it);
fn a_digest_is_planned_with_its_schedule_and_ends_with_it(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        assert_snapshot!(steady(s.ask("alice", "notify digest daily 08:30 Europe/Paris").await.text()), @"
        Every day at <time> (Europe/Paris), a digest comes here. The next one: <date> <time> UTC.
        `/sekoia notify digest daily off` ends it.
        [All rules]
        ");
        assert_snapshot!(s.ask("alice", "notify digest daily 08:30 Europe/Paris").await.text(), @"That digest is set already. `/sekoia notify` shows when it comes.");
        s.ask("alice", "notify digest weekly 07:00").await;
        let keys: Vec<String> = rows(s, WorkKind::Digest).await.into_iter().map(|row| row.key).collect();
        assert_eq!(keys.len(), 2);
        assert!(keys.iter().any(|key| key.ends_with("/daily")), "{keys:?}");
        assert_snapshot!(s.ask("alice", "notify digest daily off").await.text(), @"
        The daily digest comes no more.
        [All rules]
        ");
        let left = rows(s, WorkKind::Digest).await;
        assert_eq!(left.len(), 1);
        assert!(left[0].key.ends_with("/weekly") && left[0].due > jiff::Timestamp::now());
        s.stop().await;
        s.verify_audit();
    });
}

on_both!(a_sample_that_arrived_ticks_step_7);
fn a_sample_that_arrived_ticks_step_7(on: Platform) {
    run(on, durable(), async |s| {
        // Nothing falls silent or fails: nothing else is to be told here.
        s.sekoia.edit(|world| {
            world.intakes.clear();
            world.playbooks.clear();
        });
        s.set_up().await;
        s.ask("alice", "plan notifications silent").await;
        assert_snapshot!(s.ask("alice", "done notifications").await.text(), @r#"
        Nothing confirms step 7 (notifications) yet: 0 of 1 trigger as planned; 0 rules.
        • Missing: a rule: "/sekoia notify recommended" adds the three that Sekoia recommends, "/sekoia notify add" any other
        • Missing: silent is not there
        • ➕ *silent* · no rule waits for it
        Nothing was changed. You can mark it as done on your word; it will say "attested".
        [Check again] [Mark as done on my word?]
        "#);
        s.ask("alice", "notify recommended confirm").await;
        assert_snapshot!(steady(s.ask("alice", "step 7 check").await.text()), @r#"
        This channel has: 0 of 1 trigger as planned; 3 rules; no digest; no webhook.
        Missing: a sample that arrived: "/sekoia notify test 1" sends one, and "It arrived" on it confirms that
        Missing: silent is not tested: rule 2 has not fired, and no sample of it arrived
        ⏳ *silent* · rule 2 has not fired, and no sample of it arrived
        Step 7 of 7 · Configure notifications
        *Nimbus Payments*
        ☐ open
        Plan: 1 trigger, said to be all by @alice · <date> <time> UTC
        Urgent alerts, silent intakes and failed playbooks should reach somebody without anybody looking.
        The bot watches by this channel's own rules, takes in what Sekoia's rules post to its webhook, and ticks this step when a rule has fired or its sample has arrived; Sekoia's public API cannot list the rules of its console.
        In Sekoia: Settings > Notifications · See: Notifications <https://docs.sekoia.com/getting_started/notification_concept/>, Examples <https://docs.sekoia.com/getting_started/notifications-Examples/>
        [Done]! [Check the rules] [Show details] [Plan] [Add a rule…] [Skip…] [Assign to ▾] [Due date 📅]
        "#);
        // Nobody can have seen what never came.
        assert_snapshot!(s.ask("alice", "notify seen 2").await.text(), @"No sample of rule 2 has come here. `/sekoia notify test 2` sends one.");
        s.stop().await;
        s.watches(false);
        s.start().await;
        assert_snapshot!(s.ask("alice", "notify test 2").await.text(), @r#"A sample is on its way through rule 2 into this channel: No events from any intake for 1 hour. It is marked as a sample. When you see it, press "It arrived" on it, or type `/sekoia notify seen 2`."#);
        let waiting = hints(s).await;
        let [Hint::Sample { rule: 2, occurrence, .. }] = &waiting[..] else { panic!("{waiting:?}") };
        assert_eq!(occurrence.what.trigger(), Some(Trigger::NoEvents));
        assert_snapshot!(s.ask("alice", "notify seen 2").await.text(), @"No sample of rule 2 has come here. `/sekoia notify test 2` sends one.");
        s.stop().await;
        s.watches(true);
        s.start().await;
        let sample = s.chat.next_where(LONG, "the sample", |seen| seen.text().contains("[It arrived]")).await;
        assert_snapshot!(steady(sample.text()), @"
        Silent intake
        *Sample intake*
        No events since <date> <time> UTC, 1 hour and more.
        In Nimbus Payments
        This is a sample: nothing happened at Sekoia. It went the way of what does. If you see it, rule 2 works.
        [It arrived]!
        ");
        // Another rule's sample is not this one's.
        assert_snapshot!(s.ask("alice", "notify seen 1").await.text(), @"No sample of rule 1 has come here. `/sekoia notify test 1` sends one.");
        let seen = s.click("alice", &sample, "It arrived").await;
        assert_snapshot!(seen.text(), @"
        Noted: the sample of rule 2 arrived (No events from any intake for 1 hour).
        `/sekoia done notifications` ticks step 7, with this as its evidence.
        [Tick step 7]! [All rules]
        ");
        assert_snapshot!(steady(s.click("alice", &seen, "Tick step 7").await.text()), @"
        A sample that arrived confirms it: 1 trigger as planned; 3 rules; rule 2 tested on <date>; no digest; no webhook.
        Step 7 of 7 · Configure notifications
        *Nimbus Payments*
        ✅ verified by a sample: 1 trigger as planned; 3 rules; rule 2 tested on <date>; no digest; no webhook · @alice · <date> <time> UTC
        Plan: 1 trigger, said to be all by @alice · <date> <time> UTC
        • ⚠️ 2 rules not tested
        Urgent alerts, silent intakes and failed playbooks should reach somebody without anybody looking.
        The bot watches by this channel's own rules, takes in what Sekoia's rules post to its webhook, and ticks this step when a rule has fired or its sample has arrived; Sekoia's public API cannot list the rules of its console.
        In Sekoia: Settings > Notifications · See: Notifications <https://docs.sekoia.com/getting_started/notification_concept/>, Examples <https://docs.sekoia.com/getting_started/notifications-Examples/>
        [Next step]! [Check the rules] [Show details] [Plan] [Reopen]
        ");
        let progress = s.progress().await;
        assert!(progress.text().contains("✅ *7 Configure notifications*"), "{progress}");
        s.ask("alice", "notify pause 2").await;
        s.ask("alice", "reopen 7").await;
        s.progress().await;
        assert_snapshot!(s.ask("alice", "done 7").await.text(), @r#"
        Nothing confirms step 7 (notifications) yet: 0 of 1 trigger as planned; 3 rules; no digest; no webhook.
        • Missing: a tested rule that is not paused: "/sekoia notify resume 2" resumes one that was tested
        • Missing: silent differs from the plan: rule 2 is paused
        • ✏️ *silent* · rule 2 is paused
        Nothing was changed. You can mark it as done on your word; it will say "attested".
        [Check again] [Mark as done on my word?]
        "#);
    });
}

on_both!(a_webhooks_address_is_shown_once_replaced_and_revoked);
fn a_webhooks_address_is_shown_once_replaced_and_revoked(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let form = shown(s, "notify webhook").await;
        let first = address(&form);
        // An address that is not encrypted is shown with a warning.
        let text = form.text().replace(&first, "<address>");
        let (guide, _) = text.split_once(" No more.").expect("a guide");
        assert_snapshot!(guide, @r#"
        Webhook address
        In Sekoia's console <https://app.sekoia.io>: 1. Open Settings > Notifications and create a rule. 2. Choose its trigger and conditions. 3. Add the action "Webhook" and paste this address. 4. Save the rule. It is shown here once, and nowhere else:
        ```
        <address>
        ```
        Whoever has it can make me look at an alert of this community, which I read at Sekoia before I say anything, or say here that a rule of Sekoia's reported something else, which I cannot look up.
        "#);
        assert_eq!(post(s, &first, RAISED).await, (200, vec![]));
        assert!(s.submit("alice", &form, &[]).await.text().contains("last called"));
        let again = s.ask("alice", "notify webhook").await;
        assert_snapshot!(steady(again.text()), @"
        This channel has a webhook, made by @alice <date> <time> UTC.
        Its address was shown once and cannot be shown again. A new one replaces it: the old one stops working at once, and Sekoia's rules need the new one.
        [Replace it]✗ [Revoke it]✗
        ");

        // Replaced: the old one is as if it had never been.
        let second = address(&s.opens("alice", &again, "Replace it").await);
        assert_ne!(first, second);
        let never = format!("https://bot.example.com/hooks/sekoia/{}", "A".repeat(43));
        let unknown = post(s, &never, RAISED).await;
        assert_eq!(unknown, (404, vec![]));
        assert_eq!(post(s, &first, RAISED).await, unknown);
        assert_eq!(post(s, &second, RAISED).await, (200, vec![]));
        for odd in ["%ff%fe", "x", "..%2F..", "%00"] {
            assert_eq!(post(s, &format!("https://bot.example.com/hooks/sekoia/{odd}"), "").await, unknown, "{odd}");
        }

        // A restart knows it from the store; a revoked one stays revoked.
        s.stop().await;
        s.start().await;
        assert_eq!(post(s, &second, RAISED).await.0, 200);
        assert_snapshot!(s.ask("alice", "notify webhook revoke").await.text(), @"
        The webhook is revoked: its address answers as if it had never been.
        Remove the action from Sekoia's rules too.
        [All rules]
        ");
        assert_eq!(post(s, &second, RAISED).await, unknown);
        assert_snapshot!(s.ask("alice", "notify webhook revoke").await.text(), @"There is no webhook to revoke. `/sekoia notify webhook` makes one.");

        // The token is nowhere but in the forms.
        let token = second.rsplit('/').next().unwrap();
        assert!(s.chat.forms_dump().contains(token));
        assert!(!s.chat.dump_without_forms().contains(token));
        let database = std::fs::read(s.database().unwrap()).unwrap();
        assert!(!database.windows(token.len()).any(|window| window == token.as_bytes()));
    });
}

on_both!(what_is_posted_is_kept_once_or_refused);
fn what_is_posted_is_kept_once_or_refused(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let form = shown(s, "notify webhook").await;
        let address = address(&form);
        // The same said twice, in both spellings of the date, is one hint.
        let other = RAISED.replace("created_at", "created");
        for body in [RAISED, RAISED, &other] {
            assert_eq!(post(s, &address, body).await.0, 200);
        }
        let kept = hints(s).await;
        assert!(kept.len() <= 1, "{kept:?}");
        for bad in [
            "",
            "{",
            "[]",
            r#"{"type":"alert"}"#,
            &RAISED.replace("2,", "1,"),
            &RAISED.replace("5f0c1e0a-0000-4000-8000-000000000001", "../x"),
        ] {
            assert_eq!(post(s, &address, bad).await, (400, vec![]), "{bad}");
        }
        assert_eq!(post(s, &address, &" ".repeat(1024 * 1024 + 1)).await.0, 413);
        let path = format!("http://{}{}", s.address(), &address[address.find("/hooks/").unwrap()..]);
        assert_eq!(s.http.get(path).send().await.unwrap().status(), 405);
        let ready: serde_json::Value =
            s.http.get(format!("http://{}/readyz", s.address())).send().await.unwrap().json().await.unwrap();
        assert_eq!(ready["refused"]["malformed"], 6);
        assert_eq!(ready["refused"]["too_large"], 1);
    });
}

on_both!(without_an_address_or_a_form_there_is_no_webhook);
fn without_an_address_or_a_form_there_is_no_webhook(on: Platform) {
    run(Platform::Slack, Setting { public_url: None, ..Setting::default() }, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "notify webhook").await.text(), @"Sekoia posts from the internet, and I do not know under which address it reaches me. Ask your bot administrator to set CHATOPS_PUBLIC_URL, for example to https://bot.example.com, and to restart the bot.");
    });
    usual(on, async |s| {
        s.set_up().await;
        s.chat.fault(Call::OpenForm, ChatFault::Refuses);
        let told = s.ask("alice", "notify webhook").await.text();
        // Before anything is made, or after: where the form is opened with all that it says.
        let nothing = ["Nothing was made or replaced. Type `/sekoia notify webhook`", "so it is worth nothing."];
        assert!(nothing.iter().any(|said| told.contains(said)), "{told}");
        assert!(s.ask("alice", "notify").await.text().contains("No webhook"));
    });
    // Where a form is opened first and filled later, that can fail too.
    run(Platform::Slack, Setting::default(), async |s| {
        s.set_up().await;
        s.chat.fault(Call::FillForm, ChatFault::Refuses);
        s.say("alice", "notify webhook").await;
        assert_snapshot!(s.form_or_words().await.text(), @"
        Sekoia
        The address could not be shown here, so it is worth nothing. `/sekoia notify webhook` makes another one.
        [Close]
        ");
        assert!(s.ask("alice", "notify").await.text().contains("No webhook"));
    });
}

proptest! {
    /// Whatever a rule waits for, its sample makes it fire.
    #[test]
    fn a_rule_fires_for_its_sample(
        trigger in proptest::sample::select(Trigger::all().collect::<Vec<_>>()),
        conditions in proptest::collection::vec((proptest::sample::select(vec![
            "urgency>=0", "urgency>=40", "urgency>=100", "status=Pending", "status=Closed,Ongoing", "rule=\"ABÇ \\\"x\"",
            "entity=HQ", "asset=5F0C1E0A-0000-4000-8000-000000000003", "community=\"nimbus payments\"",
            "community=00000000-0000-0000-0000-000000000007", "intake=\"OKTA\"", "playbook=\"Enrich İPs\"",
            "for 15m", "for 24h", "crashed",
        ]), any::<bool>()), 0..6),
    ) {
        let mut words = trigger.spec().words.to_owned();
        for (condition, taken) in conditions {
            let longer = format!("{words} {condition}");
            // What is not of this trigger is left out.
            if taken && rule(find("notify add").unwrap(), lex(&longer)).is_ok() {
                words = longer;
            }
        }
        let watch = rule(find("notify add").unwrap(), lex(&words)).unwrap();
        let now: jiff::Timestamp = "2026-11-23T09:30:00Z".parse().unwrap();
        let rule = Rule { number: 7, watch, paused: false, muted_until: None, by: Actor::Bot, at: now, sample: None, tested: None };
        let community = uuid::Uuid::from_u128(7);
        let sample = sample(&rule, community, "Nimbus Payments", now);
        prop_assert!(matches(&rule, &sample, now), "{words}");
        prop_assert_eq!(sample.community, community);
    }
}
