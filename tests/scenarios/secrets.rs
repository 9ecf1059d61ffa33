//! A key's secret is in one form and nowhere else, whatever happens.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use insta::assert_snapshot;
use sekoia_chatops::sandbox::world::WorkingSecret;
use sekoia_chatops::sandbox::{Fault, FaultKind};
use sekoia_chatops::timing::Timing;

use crate::harness::{
    Call, ChatFault, Platform, QUICK, Seen, Setting, Stage, everywhere, id_in, nameless, on_slack, run, usual,
};

/// A key that alice asked for and carol approved: its card, ready to be created.
async fn ready(s: &Stage, ask: &str) -> Seen {
    s.request_for("alice", ask).await;
    let card = s.card("Approval needed").await;
    s.click("carol", &card, "Approve").await;
    let card = s.card("ready to be created").await;
    s.direct().await;
    card
}

/// Presses the button; what stands in the form then.
async fn press(s: &Stage, card: &Seen) -> Seen {
    s.opens("alice", card, "Create and show").await
}

/// Says that what a form showed is saved, and reads to the end.
async fn save(s: &Stage, shown: &Seen) {
    s.card("shown; revoked unless").await;
    s.submit("alice", shown, &[]).await;
    s.card("created, shown once and saved").await;
    s.direct().await;
    s.checklist_at_rest().await;
}

/// The forms in which a secret could hide in a text.
fn disguises(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned(), hex::encode(secret), hex::encode_upper(secret)];
    all.extend([STANDARD.encode(secret), URL_SAFE.encode(secret)].map(|b| b.trim_end_matches('=').to_owned()));
    all.push(serde_json::to_string(secret).expect("a text").trim_matches('"').to_owned());
    all
}

everywhere!(the_canary_is_nowhere);
fn the_canary_is_nowhere(on: Platform) {
    run(on, Setting { durable: true, file: true, ..Setting::default() }, async |s| {
        s.stop().await;
        s.start_program().await;
        s.set_up().await;
        let card = ready(s, "key create forwarder for intake-forwarder expires 30d").await;
        let shown = press(s, &card).await;
        save(s, &shown).await;
        let answers = s.ask("alice", "audit 50").await.text() + &s.ask("alice", "keys").await.text();
        let ready = s.http.get(format!("http://{}/readyz", s.address())).send().await.expect("an answer");
        let answers = answers + &ready.text().await.expect("a body");

        let mut places: Vec<(String, Vec<u8>)> = vec![
            ("answers".into(), answers.into_bytes()),
            ("chat".into(), s.chat.dump_without_forms().into_bytes()),
            ("log".into(), std::fs::read(s.log()).expect("a log")),
        ];
        for suffix in ["", "-wal", "-shm"] {
            let path = format!("{}{suffix}", s.database().expect("a file").display());
            places.push((path.clone(), std::fs::read(path).unwrap_or_default()));
        }
        s.kill_program();
        let database = std::fs::read(s.database().expect("a file")).expect("it is there");
        places.push(("database after the end".into(), database));
        places.push(("export".into(), s.program(&["audit", "export"]).stdout));
        let secrets = s.sekoia.secrets();
        assert_eq!(secrets.len(), 2);
        // The search finds what is there: the form shows it.
        assert!(s.chat.forms_dump().contains(&secrets[0]));
        for secret in &secrets {
            for disguise in disguises(secret) {
                for (place, content) in &places {
                    assert!(!content.is_empty() || place.contains('-'), "{place} was not searched");
                    let found = content.windows(disguise.len()).any(|w| w == disguise.as_bytes());
                    assert!(!found, "the secret is in {place}");
                }
            }
        }
    });
}

everywhere!(the_string_that_works_is_the_one_that_is_shown);
fn the_string_that_works_is_the_one_that_is_shown(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.sekoia.edit(|world| world.working_secret = WorkingSecret::ShortKey);
        let card = ready(s, "key create forwarder for read-alerts").await;
        let shown = press(s, &card).await;
        let works = s.sekoia.secrets()[1].clone();
        assert!(shown.text().contains(&works), "{shown}");
        save(s, &shown).await;
    });
}

#[test]
fn without_an_open_form_no_key_comes_into_being() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        let card = ready(s, "key create forwarder for read-alerts").await;
        s.checklist("⏳").await;
        s.chat.fault(Call::OpenForm, ChatFault::Refuses);
        let told = s.click("alice", &card, "Create and show").await;
        assert_snapshot!(nameless(told.text()), @r#"The key is shown in a form, and I could not open one (the form's trigger expired). Nothing was created. Press "Create and show" on the request's card, or type `/sekoia show <id>`."#);
        assert_eq!(s.active_keys("forwarder"), 0);
    });
}

everywhere!(a_key_that_cannot_be_shown_is_revoked_and_may_be_had_again);
fn a_key_that_cannot_be_shown_is_revoked_and_may_be_had_again(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = ready(s, "key create forwarder for read-alerts").await;
        s.chat.fault(Call::FillForm, ChatFault::Refuses);
        let told = s.outcome("alice", &card, "Create and show").await.text();
        assert!(told.contains("The key could not be shown here, so it was revoked. You may press again."), "{told}");
        assert_eq!(s.active_keys("forwarder"), 0);
        assert_snapshot!(nameless(s.direct().await.text()), @"
        *Create the API key forwarder*: no one confirmed that the key's secret was saved, so the key was revoked. You may press again until <date> <time> UTC.
        In #soc-setup · request <id> · Open the card <message>
        [Create and show]!
        ");
        let card = s.card("ready to be created").await;
        let shown = press(s, &card).await;
        save(s, &shown).await;
        assert_eq!(s.active_keys("forwarder"), 1);
    });
}

everywhere!(a_key_that_nobody_confirms_is_revoked);
fn a_key_that_nobody_confirms_is_revoked(on: Platform) {
    let timing = Timing { confirm: Duration::from_millis(500), ..QUICK };
    run(on, Setting { timing, ..Setting::default() }, async |s| {
        s.set_up().await;
        let card = ready(s, "key create forwarder for read-alerts").await;
        let shown = press(s, &card).await;
        s.card("shown; revoked unless").await;
        assert_eq!(s.active_keys("forwarder"), 1);
        assert_snapshot!(nameless(s.direct().await.text()), @"
        *Create the API key forwarder*: no one confirmed that the key's secret was saved, so the key was revoked. You may press again until <date> <time> UTC.
        In #soc-setup · request <id> · Open the card <message>
        [Create and show]!
        ");
        s.card("ready to be created").await;
        assert_eq!(s.active_keys("forwarder"), 0);
        // Too late: the form's button says so.
        assert_snapshot!(s.submit("alice", &shown, &[]).await.text(), @r#"Too late: that key was revoked, because nobody said in time that it was saved, or its secret was lost. Press "Create and show" again."#);
        s.checklist("⏳").await;
    });
}

everywhere!(a_key_whose_secret_is_lost_is_revoked_at_once);
fn a_key_whose_secret_is_lost_is_revoked_at_once(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = ready(s, "key create forwarder for read-alerts").await;
        let id = id_in(&card);
        assert_snapshot!(s.ask("alice", &format!("lost {id}")).await.text(), @"There is no key whose secret could be lost: it is not created, or it was revoked.");
        let first = press(s, &card).await;
        let card = s.card("shown; revoked unless").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (updated)
        Created: waiting to be saved
        *Create the API key forwarder*
        In *Nimbus Payments* · expires on <date>
        Read alerts, set up from chat
        May: View alerts
        Asked by @alice
        • ✅ Approved by @carol · <date> <time> UTC
        • 🔑 *forwarder* · shown; revoked unless it is confirmed to be saved until <date> <time> UTC
        Request <id> · SHA-256 <hash>…
        [I saved it]! [I lost it: revoke now?]✗
        ");
        // Only who asked can say so: it is their secret.
        assert_snapshot!(s.ask("bob", &format!("lost {id}")).await.text(), @"Only who asked for it can do that.");
        assert_eq!(s.active_keys("forwarder"), 1);
        let revoked = s.click("alice", &card, "I lost it: revoke now").await;
        assert_snapshot!(nameless(revoked.text()), @"
        *forwarder* is revoked. You may create it again.
        [Create and show]! [Withdraw]
        ");
        assert_eq!(s.active_keys("forwarder"), 0);
        assert_snapshot!(nameless(s.direct().await.text()), @"
        *Create the API key forwarder*: you lost the key's secret, so the key was revoked. You may press again until <date> <time> UTC.
        In #soc-setup · request <id> · Open the card <message>
        [Create and show]!
        ");
        let card = s.card("ready to be created").await;
        // The form of the revoked key says nothing of the next one, nor does a second press.
        assert_snapshot!(s.submit("alice", &first, &[]).await.text(), @r#"Too late: that key was revoked, because nobody said in time that it was saved, or its secret was lost. Press "Create and show" again."#);
        assert_snapshot!(s.ask("alice", &format!("lost {id}")).await.text(), @"There is no key whose secret could be lost: it is not created, or it was revoked.");

        press(s, &card).await;
        s.card("shown; revoked unless").await;
        assert_snapshot!(s.ask("alice", &format!("lost {id} 00000000")).await.text(), @r#"Too late: that key was revoked, because nobody said in time that it was saved, or its secret was lost. Press "Create and show" again."#);
        assert_eq!(s.active_keys("forwarder"), 1);
        s.ask("alice", &format!("lost {id}")).await;
        assert_eq!(s.active_keys("forwarder"), 0);
        s.direct().await;
        let card = s.card("ready to be created").await;
        let shown = press(s, &card).await;
        save(s, &shown).await;
        assert_snapshot!(s.ask("alice", &format!("lost {id}")).await.text(), @"You already said that it is saved. To revoke it all the same, type `/sekoia key revoke`.");
        assert_eq!(s.active_keys("forwarder"), 1);
    });
}

everywhere!(a_lost_secret_that_sekoia_does_not_revoke_yet_is_revoked_later);
fn a_lost_secret_that_sekoia_does_not_revoke_yet_is_revoked_later(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = ready(s, "key create forwarder for read-alerts").await;
        press(s, &card).await;
        let card = s.card("shown; revoked unless").await;
        let failing = FaultKind::Status { code: 500, retry_after: None, body: None };
        s.sekoia.faults().add(Fault::new(failing).method("DELETE").on("/api-keys"));
        let told = s.click("alice", &card, "I lost it: revoke now").await.text();
        assert!(told.contains("is being revoked: Sekoia did not do it yet"), "{told}");
        s.sekoia.faults().clear();
        s.card("ready to be created").await;
        let told = s.direct().await;
        assert!(told.text().contains("you lost the key's secret, so the key was revoked"), "{told}");
        assert_eq!(s.active_keys("forwarder"), 0);
        s.checklist("⏳").await;
    });
}

everywhere!(a_lost_reply_leaves_no_key_behind);
fn a_lost_reply_leaves_no_key_behind(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = ready(s, "key create forwarder for read-alerts").await;
        s.sekoia.faults().add(Fault::new(FaultKind::LoseReply).on("/api-keys").method("POST").times(1));
        let told = s.outcome("alice", &card, "Create and show").await.text();
        for says in [
            "Sekoia could not be reached.",
            "If the key exists, it is revoked, because nobody has its secret; then you may press again. I tell you.",
        ] {
            assert!(told.contains(says), "{told}");
        }
        assert_snapshot!(nameless(s.direct().await.text()), @"
        *Create the API key forwarder*: no one confirmed that the key's secret was saved, so the key was revoked. You may press again until <date> <time> UTC.
        In #soc-setup · request <id> · Open the card <message>
        [Create and show]!
        ");
        let card = s.card("ready to be created").await;
        assert_eq!(s.active_keys("forwarder"), 0);
        let shown = press(s, &card).await;
        save(s, &shown).await;
        assert_eq!(s.active_keys("forwarder"), 1);
    });
}

everywhere!(pressed_twice_there_is_one_key);
fn pressed_twice_there_is_one_key(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = ready(s, "key create forwarder for read-alerts").await;
        let press = || s.outcome("alice", &card, "Create and show");
        let (one, two) = tokio::join!(press(), press());
        let forms = vec![one, two];
        let secret = s.sekoia.secrets()[0].clone();
        let (with, without): (Vec<Seen>, Vec<Seen>) = forms.into_iter().partition(|f| f.text().contains(&secret));
        assert_eq!((with.len(), without.len()), (1, 1));
        save(s, &with[0]).await;
        assert_eq!(s.active_keys("forwarder"), 1);
        assert_eq!(s.sekoia.secrets().len(), 2, "one key: its two strings");
    });
}

everywhere!(a_rotation_keeps_both_keys_until_the_old_one_is_retired);
fn a_rotation_keeps_both_keys_until_the_old_one_is_retired(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = ready(s, "key rotate log-forwarder expires 90d").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (updated)
        Approved: ready to be created
        *Replace the API key log-forwarder by log-forwarder <date>*
        In *Nimbus Payments* · expires on <date>
        Creates intakes for the log forwarder of the data centre
        May: View entities, Manage intakes, View intakes
        Replaces *log-forwarder*, which works on until it is retired
        Asked by @alice
        • ⚠️ can change things: Manage intakes
        The key is created when @alice presses the button, until <date> <time> UTC
        • ✅ Approved by @carol · <date> <time> UTC
        Request <id> · SHA-256 <hash>…
        [Create and show]! [Withdraw]
        ");
        let id = id_in(&card);
        let shown = press(s, &card).await;
        s.card("shown; revoked unless").await;
        // Not before the new one is saved.
        assert_snapshot!(s.ask("alice", &format!("retire {id}")).await.text(), @"Say first that the new key is saved.");
        let saved = s.submit("alice", &shown, &[]).await;
        assert_snapshot!(nameless(saved.text()), @"
        Noted: *log-forwarder <date>* is saved.
        Put it into use; *log-forwarder* works on until you revoke it.
        [Revoke the old key?]✗
        ");
        s.card("New key in use").await;
        assert_eq!(s.active_keys("log-forwarder"), 1);
        assert_snapshot!(s.ask("bob", &format!("retire {id}")).await.text(), @"Only who asked for it can do that.");
        assert_snapshot!(s.click("alice", &saved, "Revoke the old key").await.text(), @"*log-forwarder* is revoked. The rotation is complete.");
        s.card("Done\n").await;
        assert_eq!(s.active_keys("log-forwarder"), 0);
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

everywhere!(the_bot_never_revokes_its_own_key);
fn the_bot_never_revokes_its_own_key(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "key revoke sandbox-admin").await.text(), @"
        That is the bot's own key. Your bot administrator replaces it in Sekoia's console.
        Usage: `/sekoia key revoke <name> [because <reason>] [--dry-run]`
        Nothing was asked.
        ");
        assert_snapshot!(s.ask("alice", "key rotate sandbox-admin").await.text(), @"
        That is the bot's own key. Your bot administrator replaces it in Sekoia's console.
        Usage: `/sekoia key rotate <name> [as <new name>] [expires <30d,180d,365d,date,never>] [because <reason>] [--dry-run]`
        Nothing was asked.
        ");
    });
}

everywhere!(an_older_form_confirms_nothing_of_a_newer_key);
fn an_older_form_confirms_nothing_of_a_newer_key(on: Platform) {
    // The card says that the key is shown before it is revoked, on a slow machine too.
    let timing = Timing { confirm: Duration::from_secs(2), ..QUICK };
    run(on, Setting { timing, ..Setting::default() }, async |s| {
        s.set_up().await;
        let card = ready(s, "key create forwarder for read-alerts").await;
        let older = press(s, &card).await;
        s.card("shown; revoked unless").await;
        s.direct().await;
        let card = s.card("ready to be created").await;
        press(s, &card).await;
        s.card("shown; revoked unless").await;
        assert!(s.submit("alice", &older, &[]).await.text().starts_with("Too late"));
        s.direct().await;
        s.card("ready to be created").await;
        assert_eq!(s.active_keys("forwarder"), 0);
        s.checklist("⏳").await;
    });
}
