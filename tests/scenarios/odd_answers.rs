//! Sekoia answers success and did nothing: nothing is claimed that is not so, and nothing is done
//! twice.

use sekoia_chatops::sandbox::{Fault, FaultKind, NewAlert, Odd, Tenant};

use crate::harness::{Platform, Setting, Stage, on_both, run, usual};

const ODD: [Odd; 6] = [Odd::Html, Odd::Queued, Odd::Empty, Odd::Cut, Odd::Other, Odd::Accepted];

fn status(odd: Odd) -> u16 {
    if odd == Odd::Accepted { 202 } else { 200 }
}

fn odd_once(s: &Stage, odd: Odd, method: &str, path: &str) {
    s.sekoia.faults().add(Fault::new(FaultKind::Odd(odd)).method(method).on(path).times(1));
}

/// Asked for and approved, answered oddly at first: in the end it is there once.
async fn done_after(
    s: &Stage,
    odd: Odd,
    ask: &str,
    path: &str,
    says: &str,
    good: u16,
    there: impl Fn(&Stage) -> usize,
) {
    let before = s.writes().len();
    odd_once(s, odd, "POST", path);
    let card = s.approved(ask, says).await;
    assert!(!card.text().contains("found in Sekoia"), "{odd:?}: {card}");
    assert_eq!(there(s), 1, "{odd:?}");
    let post = |status| format!("POST {status}");
    assert_eq!(s.writes()[before..], [post(status(odd)), post(good)], "{odd:?}");
    s.direct().await;
    s.checklist_at_rest().await;
}

on_both!(of_an_invitation);
fn of_an_invitation(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for (i, odd) in ODD.into_iter().enumerate() {
            let address = format!("ana{i}@nimbus.example");
            let there = |s: &Stage| {
                s.sekoia.edit(|world| {
                    world.members.iter().filter(|m| m.user.invited_email.as_deref() == Some(&*address)).count()
                })
            };
            let says = format!("✅ *{address}* · not accepted yet");
            done_after(s, odd, &format!("invite {address}"), "/v1/invitations", &says, 204, there).await;
        }
    });
}

on_both!(of_a_community);
fn of_a_community(on: Platform) {
    run(on, Setting { tenant: Tenant::Multi, ..Setting::default() }, async |s| {
        s.ask("alice", "setup \"Banque Rivoli\"").await;
        s.checklist("").await;
        for (i, odd) in ODD.into_iter().enumerate() {
            let name = format!("Rivoli Cards {i}");
            let there = |s: &Stage| s.sekoia.edit(|world| world.communities.iter().filter(|c| c.name == name).count());
            done_after(
                s,
                odd,
                &format!("community create \"{name}\""),
                "/sub-communities",
                &format!("✅ *{name}*"),
                200,
                there,
            )
            .await;
        }
    });
}

on_both!(of_a_role);
fn of_a_role(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for (i, odd) in ODD.into_iter().enumerate() {
            let name = format!("Night {i}");
            let there = |s: &Stage| s.sekoia.edit(|world| world.roles.iter().filter(|r| r.name == name).count());
            let ask = format!("role create \"{name}\" with read-alerts");
            done_after(s, odd, &ask, "/roles", &format!("✅ *{name}*"), 201, there).await;
        }
    });
}

/// Another active key.
fn another_key(s: &Stage, name: &str) {
    s.sekoia.edit(|world| {
        let mut key = world.keys.iter().find(|k| k.name == "log-forwarder").expect("a key").clone();
        key.uuid = uuid::Uuid::new_v4();
        key.name = name.into();
        world.keys.push(key);
    });
}

on_both!(of_a_new_key);
fn of_a_new_key(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for (i, odd) in ODD.into_iter().enumerate() {
            let name = format!("siem-{i}");
            let before = s.writes().len();
            let card =
                s.approved(&format!("key create {name} for read-alerts expires 30d"), "ready to be created").await;
            s.direct().await;
            odd_once(s, odd, "POST", "/api-keys");
            let told = s.outcome("alice", &card, "Create and show").await.text();
            assert!(told.contains("If the key exists, it is revoked"), "{odd:?}: {told}");
            assert!(!told.contains("sandbox-key"), "{odd:?}: a secret that opens nothing");
            assert!(s.direct().await.text().contains("was not created"), "{odd:?}");
            let card = s.card("ready to be created").await;
            assert_eq!((s.active_keys(&name), s.writes()[before..].len()), (0, 1), "{odd:?}");
            let shown = s.opens("alice", &card, "Create and show").await;
            s.card("shown; revoked unless").await;
            s.submit("alice", &shown, &[]).await;
            s.card("created, shown once and saved").await;
            s.direct().await;
            s.checklist_at_rest().await;
            assert_eq!((s.active_keys(&name), s.writes()[before..].len()), (1, 2), "{odd:?}");
        }
    });
}

on_both!(of_a_revocation);
fn of_a_revocation(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for (i, odd) in ODD.into_iter().enumerate() {
            let name = format!("stale-{i}");
            another_key(s, &name);
            let before = s.writes().len();
            odd_once(s, odd, "DELETE", "/api-keys");
            s.approved(&format!("key revoke {name}"), &format!("✅ *{name}*")).await;
            let delete = |status| format!("DELETE {status}");
            assert_eq!(s.writes()[before..], [delete(status(odd)), delete(200)], "{odd:?}");
            assert_eq!(s.active_keys(&name), 0, "{odd:?}");
            s.direct().await;
            s.checklist_at_rest().await;
        }
    });
}

on_both!(of_the_revocation_that_ends_a_rotation);
fn of_the_revocation_that_ends_a_rotation(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = s.approved("key rotate log-forwarder expires 90d", "ready to be created").await;
        s.direct().await;
        let shown = s.opens("alice", &card, "Create and show").await;
        s.card("shown; revoked unless").await;
        let saved = s.submit("alice", &shown, &[]).await;
        s.card("New key in use").await;
        odd_once(s, Odd::Queued, "DELETE", "/api-keys");
        let told = s.click("alice", &saved, "Revoke the old key").await.text();
        assert!(told.contains("did not say so"), "{told}");
        // Found to be there still, it may be pressed again.
        let card = s.card("New key in use").await;
        assert_eq!(s.active_keys("log-forwarder"), 1);
        s.click("alice", &card, "Revoke the old key").await;
        s.card("Done\n").await;
        assert_eq!(s.active_keys("log-forwarder"), 0);
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

on_both!(one_empty_list_after_a_lost_revocation_proves_nothing);
fn one_empty_list_after_a_lost_revocation_proves_nothing(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        another_key(s, "stale");
        s.request_for("alice", "key revoke stale").await;
        let card = s.card("Approval needed").await;
        let sekoia = std::sync::Arc::clone(&s.sekoia);
        // The connection is reset; the next look sees nothing at all, by list and by identifier.
        s.sekoia.on_call(move |call, stage| {
            if call.method == "DELETE" && stage == sekoia_chatops::sandbox::Stage::Arrived {
                let nothing = |code, body: &str| FaultKind::Status { code, retry_after: None, body: Some(body.into()) };
                let empty = nothing(200, r#"{"items":[],"total":0}"#);
                sekoia.faults().add(Fault::new(empty).method("GET").on("/api-keys?").times(1));
                sekoia.faults().add(Fault::new(nothing(404, "{}")).method("GET").on("/api-keys/").times(1));
            }
        });
        s.sekoia.faults().add(Fault::new(FaultKind::Reset).method("DELETE").times(1));
        s.click("bob", &card, "Approve").await;
        s.card("✅ *stale*").await;
        assert_eq!(s.active_keys("stale"), 0);
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(s.writes().iter().filter(|call| call.ends_with(" 200")).count(), 1);
    });
}

on_both!(a_key_that_is_gone_at_two_looks_is_revoked);
fn a_key_that_is_gone_at_two_looks_is_revoked(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        another_key(s, "stale");
        s.request_for("alice", "key revoke stale").await;
        let card = s.card("Approval needed").await;
        let sekoia = std::sync::Arc::clone(&s.sekoia);
        // Somebody removes it for good at that very moment.
        s.sekoia.on_call(move |call, stage| {
            if call.method == "DELETE" && stage == sekoia_chatops::sandbox::Stage::Arrived {
                sekoia.edit(|world| world.keys.retain(|key| key.name != "stale"));
            }
        });
        s.sekoia.faults().add(Fault::new(FaultKind::Reset).method("DELETE").times(1));
        s.click("bob", &card, "Approve").await;
        let card = s.card("✅ *stale*").await;
        assert!(card.text().contains("found in Sekoia by reading back"), "{card}");
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(s.writes().len(), 1);
    });
}

on_both!(of_an_acknowledgement);
fn of_an_acknowledgement(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for odd in ODD {
            let alert = s.sekoia.raise_alert(&NewAlert::default());
            let says = format!("acknowledge {}", alert.short_id);
            odd_once(s, odd, "PATCH", "/workflow");
            let told = s.ask("alice", &says).await.text();
            assert!(told.contains("could not be read") && !told.contains("Acknowledged at Sekoia"), "{odd:?}: {told}");
            assert!(s.ask("alice", &says).await.text().contains("Acknowledged at Sekoia"), "{odd:?}");
        }
    });
}

on_both!(done_although_the_answer_was_odd);
fn done_although_the_answer_was_odd(on: Platform) {
    run(on, Setting { tenant: Tenant::Multi, ..Setting::default() }, async |s| {
        s.ask("alice", "setup \"Banque Rivoli\"").await;
        s.checklist("").await;
        s.sekoia.faults().add(Fault::new(FaultKind::Malformed).on("/sub-communities").method("POST").times(1));
        let card = s.approved("community create \"Rivoli Cards\"", "✅ *Rivoli Cards*").await;
        assert!(card.text().contains("no clear answer; found in Sekoia by reading back"), "{card}");
        assert_eq!(s.writes().len(), 1);
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

on_both!(a_key_whose_answer_was_lost_is_found_whatever_the_clock_shows);
/// Whichever way the bot's clock is wrong, a key that it made is found and revoked.
fn a_key_whose_answer_was_lost_is_found_whatever_the_clock_shows(on: Platform) {
    for hours in [-1, 1] {
        usual(on, async |s| {
            s.set_up().await;
            let card = s.approved("key create siem for read-alerts expires 30d", "ready to be created").await;
            s.direct().await;
            // Sekoia's clock and ours are an hour apart, in its dates and in its headers.
            s.sekoia.set_clock(jiff::SignedDuration::from_hours(hours));
            s.sekoia.faults().add(Fault::new(FaultKind::LoseReply).on("/api-keys").method("POST").times(1));
            s.outcome("alice", &card, "Create and show").await;
            assert!(s.direct().await.text().contains("the key was revoked"));
            s.card("ready to be created").await;
            assert_eq!(s.active_keys("siem"), 0);
            s.checklist("⏳").await;
        });
    }
}
