//! A second factor: who approves proves at the organisation's identity provider who they are.

use insta::assert_snapshot;
use jiff::SignedDuration;
use sekoia_chatops::domain::approval::{Policy, Reveal, Rule};
use sekoia_chatops::sandbox::identity::{Endpoint, Signing};
use serde_json::{Map, Value, json};

use crate::harness::{
    Browser, Page, Platform, Proving, Seen, Setting, Stage, everywhere, nameless, on_both, on_slack, run,
};

const ACR: &str = "urn:mfa";

fn proving() -> Setting {
    let usual = Rule { second_factor: true, ..Rule::default() };
    Setting {
        approval: Policy { usual, ..Policy::default() },
        proving: Some(Proving { acr: ACR, subjects: &[], real: false }),
        durable: true,
        file: true,
        ..Setting::default()
    }
}

/// Alice asks for an invitation; its card.
async fn asked(s: &Stage) -> Seen {
    s.request_for("alice", "invite ana@nimbus.example as Analyst").await;
    let card = s.card("Approval needed").await;
    s.checklist("⏳").await;
    card
}

/// A stage where a request waits and the chat tells e-mail addresses.
async fn begun(s: &Stage) -> Seen {
    s.chat.tells_addresses();
    s.set_up().await;
    asked(s).await
}

/// The link that somebody gets for a press.
async fn link(s: &Stage, who: &str, card: &Seen) -> String {
    let told = s.click(who, card, "Approve").await;
    assert!(told.is_for(who), "{told}");
    s.link_in(&told)
}

/// Nothing of it was done, and nobody voted.
async fn nothing_happened(s: &Stage, card: &Seen, why: &str) {
    assert_eq!(s.writes(), Vec::<String>::new(), "{why}");
    let id = crate::harness::id_in(card);
    let shown = s.ask("carol", &format!("approvals {id}")).await.text();
    assert!(shown.contains("· requested") && !shown.contains("Approved by"), "{why}: {shown}");
}

/// A page without steps of its own.
fn is_strict(page: &Page) {
    let header = |name: &str| page.headers[name].to_str().expect("a text").to_owned();
    let policy = header("content-security-policy");
    for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "'sha256-"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(!page.html.contains("<script") && page.html.contains("width=device-width"), "{}", page.html);
}

everywhere!(an_approval_counts_when_who_pressed_has_proven_who_they_are);
fn an_approval_counts_when_who_pressed_has_proven_who_they_are(on: Platform) {
    run(on, proving(), async |s| {
        let card = begun(s).await;
        assert!(card.text().contains("Needs 1 approval with a proof of identity until"), "{card}");
        let told = s.click("bob", &card, "Approve").await;
        let link = s.link_in(&told);
        assert!(told.is_for("bob"), "{told}");
        assert_snapshot!(nameless(told.text().replace(&link, "<link>")), @"
        Prove that it is you, then your approval counts: Confirm with your identity <<link>>
        The link is good once, for 2 minutes, for you.
        ");
        let bob = Browser::fresh();
        let page = bob.get(&link).await;
        is_strict(&page);
        assert_snapshot!(nameless(page.text()), @"
        Approve this?
        Invite ana@nimbus.example as Analyst
        In Nimbus Payments as Analyst
        ana@nimbus.example
        Asked by @alice
        Community
        Nimbus Payments
        For
        bob
        Request
        <id>
        SHA-256
        <hash>
        Continue to 127.0.0.1
        Your approval counts when you have signed in there. If you did not press the button in the chat yourself, close this page and tell your bot administrator.
        ");
        // Programs that look at links use nothing up.
        for _ in 0..3 {
            assert_eq!(Browser::fresh().get(&link).await.status, 200);
        }
        let left = bob.leave(&link).await;
        is_strict(&left);
        let at = left.next.clone().expect("a way to the provider");
        let back = bob.sign_in(&at, "bob-1").await;
        let asked = s.provider().edit(|world| world.asked.clone());
        assert_eq!((&*asked["max_age"], &*asked["acr_values"], &*asked["scope"]), ("0", ACR, "openid email"));
        let done = bob.get(back.as_str()).await;
        is_strict(&done);
        assert_snapshot!(nameless(done.text()), @"
        Approved
        You approved: Invite ana@nimbus.example as Analyst. It is carried out now.
        You may close this page.
        ");
        let card = s.card("not accepted yet").await;
        assert!(nameless(&card).contains("• ✅ Approved by @bob · <date> <time> UTC · identity proven"), "{card}");
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(s.writes(), ["POST 204"]);
        // Neither a reload nor the link again does anything.
        assert_eq!(bob.get(back.as_str()).await.status, 404);
        assert_eq!(bob.get(&link).await.status, 404);
        assert_eq!(bob.leave(&link).await.status, 404);
        assert_eq!(s.writes(), ["POST 204"]);

        let id = crate::harness::id_in(&card);
        let shown = s.ask("alice", &format!("approvals {id}")).await.text();
        let proof = shown.lines().find(|line| line.contains("identity proven by")).expect("a proof");
        assert_snapshot!(nameless(proof), @"• @bob: identity proven by http://127.0.0.1:<port> as bob-1 · signed in <date> <time> UTC · acr urn:mfa · amr demo");
        let history = s.ask("alice", "audit 6").await.text();
        assert!(history.contains("identity proven by http"), "{history}");
        s.stop().await;
        s.verify_audit();
    });
}

on_both!(the_words_and_the_inbox_lead_to_the_same_link);
fn the_words_and_the_inbox_lead_to_the_same_link(on: Platform) {
    run(on, proving(), async |s| {
        let card = begun(s).await;
        let id = crate::harness::id_in(&card);
        let typed = s.ask("bob", &format!("approve {id}")).await;
        let inbox = s.ask("carol", "inbox").await;
        let pressed = s.click("carol", &inbox, "Approve").await;
        assert_ne!(s.link_in(&typed), s.link_in(&pressed));
        // Whoever could not decide gets none.
        let told = s.ask("dan", &format!("approve {id}")).await.text();
        assert!(told.contains("You cannot decide this."), "{told}");
        let told = s.ask("alice", &format!("approve {id}")).await.text();
        assert!(told.contains("You asked for this yourself"), "{told}");
        let page = Browser::fresh().prove(&s.link_in(&pressed), "carol-1").await;
        assert_eq!(page.status, 200, "{}", page.text());
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        // Too late for the other one.
        let page = Browser::fresh().prove(&s.link_in(&typed), "bob-1").await;
        assert_eq!(page.status, 403);
        assert!(page.text().contains("Already approved by @carol"), "{}", page.text());
    });
}

on_both!(a_stolen_chat_session_approves_nothing);
fn a_stolen_chat_session_approves_nothing(on: Platform) {
    run(on, proving(), async |s| {
        let card = begun(s).await;
        // Dan sits at Carol's chat, and can prove only to be Dan.
        let carols = link(s, "carol", &card).await;
        let page = Browser::fresh().prove(&carols, "dan-1").await;
        assert_eq!(page.status, 403);
        assert_snapshot!(page.text(), @"
        Nothing was done
        You signed in as another person than the one this link is for, so nothing was done. Sign out of the identity provider, press the button in the chat again, and sign in as yourself.
        ");
        nothing_happened(s, &card, "another person").await;
        // It is used up by the attempt.
        assert_eq!(Browser::fresh().get(&carols).await.status, 404);
        // Somebody who may approve, but is not the one who pressed.
        let bobs = link(s, "bob", &card).await;
        assert_eq!(Browser::fresh().prove(&bobs, "carol-1").await.status, 403);
        nothing_happened(s, &card, "somebody else's link").await;
        // Nor does a link of nobody's lead anywhere.
        let made_up = format!("{}{}", &bobs[..bobs.len() - 43], "A".repeat(43));
        for wrong in [made_up, bobs[..bobs.len() - 1].to_owned(), format!("{bobs}%ff")] {
            let page = Browser::fresh().get(&wrong).await;
            assert_eq!(page.status, 404, "{wrong}");
            is_strict(&page);
        }
        assert_snapshot!(Browser::fresh().get(&bobs).await.text(), @"
        Nothing was done
        This link is not good any more: it was used, it is too old, or it is not whole.
        Press the button in the chat again.
        ");
    });
}

on_both!(nothing_counts_that_the_provider_did_not_say_now_and_to_this_bot);
fn nothing_counts_that_the_provider_did_not_say_now_and_to_this_bot(on: Platform) {
    type Change = fn(&mut Map<String, Value>);
    run(on, proving(), async |s| {
        let card = begun(s).await;
        let wrong: [(&str, Change, &str); 14] = [
            ("nonce", |claims| claims["nonce"] = json!("another"), "belongs to another sign-in"),
            ("no nonce", |claims| drop(claims.remove("nonce")), "belongs to another sign-in"),
            ("audience", |claims| claims["aud"] = json!("another"), "for another application"),
            ("audiences", |claims| claims["aud"] = json!(["chatops", "another"]), "for another application"),
            ("azp", |claims| drop(claims.insert("azp".into(), json!("another"))), "for another application"),
            ("issuer", |claims| claims["iss"] = json!("https://other.example"), "not from the configured"),
            ("auth_time", |claims| claims["auth_time"] = json!(1_000_000), "did not ask you to sign in again"),
            ("no auth_time", |claims| drop(claims.remove("auth_time")), "did not ask you to sign in again"),
            ("acr", |claims| claims["acr"] = json!("urn:password"), "as strongly as this needs"),
            ("no acr", |claims| drop(claims.remove("acr")), "as strongly as this needs"),
            ("expiry", |claims| claims["exp"] = json!(1_000_000), "has expired"),
            ("unverified", |claims| claims["email_verified"] = json!(false), "e-mail address is verified"),
            ("no e-mail", |claims| drop(claims.remove("email")), "e-mail address is verified"),
            ("e-mail", |claims| claims["email"] = json!("dan@nimbus.example"), "another person"),
        ];
        for (what, change, says) in wrong {
            s.provider().edit(|world| world.claims = Some(Box::new(change)));
            let page = Browser::fresh().prove(&link(s, "bob", &card).await, "bob-1").await;
            assert_eq!(page.status, 403, "{what}");
            assert!(page.text().contains(says), "{what}: {}", page.text());
            is_strict(&page);
        }
        s.provider().edit(|world| world.claims = None);
        for signing in [Signing::Unsigned, Signing::Shared, Signing::Foreign] {
            s.provider().edit(|world| world.signing = signing);
            let page = Browser::fresh().prove(&link(s, "bob", &card).await, "bob-1").await;
            assert!(page.text().contains("has no valid signature"), "{signing:?}: {}", page.text());
        }
        s.provider().edit(|world| world.signing = Signing::Own);
        for minutes in [-10, 10] {
            s.provider().edit(|world| world.clock = SignedDuration::from_mins(minutes));
            let page = Browser::fresh().prove(&link(s, "bob", &card).await, "bob-1").await;
            assert_eq!(page.status, 403, "{}", page.text());
            assert!(page.text().contains("clock"), "{minutes}: {}", page.text());
        }
        s.provider().edit(|world| world.clock = SignedDuration::ZERO);
        s.provider().edit(|world| world.answering_issuer = Some("https://other.example".into()));
        let page = Browser::fresh().prove(&link(s, "bob", &card).await, "bob-1").await;
        assert!(page.text().contains("not from the configured"), "{}", page.text());
        s.provider().edit(|world| world.answering_issuer = None);
        // Who does not sign in proves nothing either.
        let page = Browser::fresh().prove(&link(s, "bob", &card).await, "").await;
        assert!(page.text().contains("refused the sign-in"), "{}", page.text());
        nothing_happened(s, &card, "none of them").await;
        // A minute of difference between clocks is none.
        s.provider().edit(|world| world.clock = SignedDuration::from_secs(40));
        assert_eq!(Browser::fresh().prove(&link(s, "bob", &card).await, "bob-1").await.status, 200);
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

on_both!(a_provider_that_is_down_proves_nothing_and_costs_no_link);
fn a_provider_that_is_down_proves_nothing_and_costs_no_link(on: Platform) {
    run(on, proving(), async |s| {
        let card = begun(s).await;
        let down = |endpoint: Option<Endpoint>| s.provider().edit(|world| world.down = endpoint.into_iter().collect());
        down(Some(Endpoint::Discovery));
        let first = link(s, "bob", &card).await;
        let page = Browser::fresh().leave(&first).await;
        assert_eq!(page.status, 502);
        assert_snapshot!(nameless(page.text()), @"
        Nothing was done
        The identity provider could not be reached, so nothing was done.
        Press the button in the chat again in a few minutes.
        Reference for your bot administrator: <id>
        ");
        down(None);
        // It was not used up.
        let bob = Browser::fresh();
        let at = bob.leave(&first).await.next.expect("a way on");
        for endpoint in [Endpoint::Keys, Endpoint::Token] {
            let back = bob.sign_in(&at, "bob-1").await;
            down(Some(endpoint));
            let page = bob.get(back.as_str()).await;
            assert!(page.status == 502 || page.status == 403, "{endpoint:?}: {}", page.text());
            assert!(page.text().contains("so nothing was done"), "{endpoint:?}: {}", page.text());
            down(None);
            // The sign-in is over with the attempt.
            assert_eq!(bob.get(back.as_str()).await.status, 404, "{endpoint:?}");
            if endpoint == Endpoint::Keys {
                let link = link(s, "bob", &card).await;
                let at = bob.leave(&link).await.next.expect("a way on");
                let back = bob.sign_in(&at, "bob-1").await;
                down(Some(Endpoint::Token));
                assert_eq!(bob.get(back.as_str()).await.status, 502);
                down(None);
                break;
            }
        }
        nothing_happened(s, &card, "a provider that is down").await;
    });
}

on_both!(a_sign_in_is_of_one_browser_and_good_once);
fn a_sign_in_is_of_one_browser_and_good_once(on: Platform) {
    run(on, proving(), async |s| {
        let card = begun(s).await;
        let (bob, other) = (Browser::fresh(), Browser::fresh());
        let at = bob.leave(&link(s, "bob", &card).await).await.next.expect("a way on");
        let back = bob.sign_in(&at, "bob-1").await;
        let page = other.get(back.as_str()).await;
        assert_eq!(page.status, 403);
        assert_snapshot!(page.text(), @"
        Nothing was done
        You came back in another browser than the one that you left with, so nothing was done.
        Press the button in the chat again.
        ");
        // The attempt used it up, for the right browser too.
        assert_eq!(bob.get(back.as_str()).await.status, 404);
        nothing_happened(s, &card, "another browser").await;
        // Two at the same time in one browser do not meet.
        let (one, two) = (link(s, "bob", &card).await, link(s, "bob", &card).await);
        let (one, two) = (bob.leave(&one).await, bob.leave(&two).await);
        let (one, two) = (one.next.expect("a way on"), two.next.expect("a way on"));
        let back = bob.sign_in(&one, "bob-1").await;
        bob.sign_in(&two, "bob-1").await;
        // Of two loads of the same page, one counts.
        let (left, right) = tokio::join!(bob.get(back.as_str()), bob.get(back.as_str()));
        let mut both = [left.status, right.status];
        both.sort_unstable();
        assert_eq!(both, [200, 404]);
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

on_both!(a_link_is_over_after_its_time);
fn a_link_is_over_after_its_time(on: Platform) {
    let mut setting = proving();
    setting.timing.proving.link = std::time::Duration::ZERO;
    run(on, setting, async |s| {
        let card = begun(s).await;
        let old = link(s, "bob", &card).await;
        assert_eq!(Browser::fresh().get(&old).await.status, 404);
        assert_eq!(Browser::fresh().leave(&old).await.status, 404);
        nothing_happened(s, &card, "an old link").await;
    });
}

on_both!(what_changed_between_the_press_and_the_proof_counts);
fn what_changed_between_the_press_and_the_proof_counts(on: Platform) {
    run(on, proving(), async |s| {
        let card = begun(s).await;
        let bob = Browser::fresh();
        let at = bob.leave(&link(s, "bob", &card).await).await.next.expect("a way on");
        let back = bob.sign_in(&at, "bob-1").await;
        s.chat.approvers(&["carol"]);
        let page = bob.get(back.as_str()).await;
        assert_eq!(page.status, 403);
        assert!(page.text().contains("You cannot decide this. These people can: @carol."), "{}", page.text());
        s.chat.approvers(&["bob", "carol"]);
        let carols = link(s, "carol", &card).await;
        let at = bob.leave(&carols).await.next.expect("a way on");
        let back = bob.sign_in(&at, "carol-1").await;
        let id = crate::harness::id_in(&card);
        s.ask("carol", &format!("reject {id} \"not now\"")).await;
        s.card("Rejected").await;
        s.direct().await;
        s.checklist_at_rest().await;
        let page = bob.get(back.as_str()).await;
        assert_eq!(page.status, 403);
        assert!(page.text().contains("Already rejected by @carol"), "{}", page.text());
        assert_eq!(s.writes(), Vec::<String>::new());
    });
}

on_both!(a_table_says_who_is_who_where_no_address_does);
fn a_table_says_who_is_who_where_no_address_does(on: Platform) {
    let proving_by_table = Proving { acr: "", subjects: &[("bob", "bob-1"), ("alice", "alice-1")], real: false };
    run(on, Setting { proving: Some(proving_by_table), ..proving() }, async |s| {
        s.set_up().await;
        let card = asked(s).await;
        // The chat tells no addresses, and Carol is not in the table.
        let page = Browser::fresh().prove(&link(s, "carol", &card).await, "carol-1").await;
        assert_eq!(page.status, 403);
        let carol = s.person("carol").to_string();
        assert_snapshot!(page.text().replace(&carol, "<carol>"), @"
        Nothing was done
        The chat does not tell your e-mail address, so the bot cannot tell whether it is you, and nothing was done. Ask your bot administrator to list <carol> under [oidc.subjects].
        ");
        // Another subject than the listed one, whatever its address.
        assert_eq!(Browser::fresh().prove(&link(s, "bob", &card).await, "carol-1").await.status, 403);
        // One that is listed for another.
        assert_eq!(Browser::fresh().prove(&link(s, "carol", &card).await, "bob-1").await.status, 403);
        nothing_happened(s, &card, "nobody in the table").await;
        assert_eq!(Browser::fresh().prove(&link(s, "bob", &card).await, "bob-1").await.status, 200);
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

#[test]
fn an_address_that_people_set_themselves_proves_nothing() {
    run(Platform::Mattermost, proving(), async |s| {
        let card = begun(s).await;
        s.mattermost().edit(|state| {
            state.settings.insert("RequireEmailVerification", "false");
        });
        s.stop().await;
        s.start().await;
        let page = Browser::fresh().prove(&link(s, "bob", &card).await, "bob-1").await;
        assert_eq!(page.status, 403);
        assert!(page.text().contains("an e-mail address that they have not confirmed"), "{}", page.text());
        nothing_happened(s, &card, "an address").await;
    });
}

fn on_page() -> Setting {
    let usual = Rule { reveal: Reveal::Page, ..Rule::default() };
    Setting { approval: Policy { usual, ..Policy::default() }, ..proving() }
}

/// A key that Bob approved; its card.
async fn key_approved(s: &Stage) -> Seen {
    s.chat.tells_addresses();
    s.set_up().await;
    s.request_for("alice", "key create forwarder for intake-forwarder expires 30d").await;
    let card = s.card("Approval needed").await;
    s.checklist("⏳").await;
    s.click("bob", &card, "Approve").await;
    s.card("ready to be created").await
}

/// The link that Alice gets in the place of the key.
async fn key_link(s: &Stage, on: &Seen) -> String {
    let told = s.outcome("alice", on, "Create and show").await;
    s.link_in(&told)
}

everywhere!(a_key_is_shown_on_a_page_that_the_chat_never_sees);
fn a_key_is_shown_on_a_page_that_the_chat_never_sees(on: Platform) {
    run(on, on_page(), async |s| {
        let card = key_approved(s).await;
        let direct = s.direct().await;
        let told = s.outcome("bob", &card, "Create and show").await;
        assert!(told.text().contains("Only who asked for it can do that."), "{told}");
        let told = s.outcome("alice", &direct, "Create and show").await;
        let link = s.link_in(&told);
        assert!(
            told.text().contains("The key is created and shown on a page, after you prove that it is you"),
            "{told}"
        );
        let alice = Browser::fresh();
        let page = alice.get(&link).await;
        is_strict(&page);
        assert_snapshot!(nameless(page.text()), @"
        Create this key?
        Create the API key forwarder
        In Nimbus Payments · expires on <date>
        Intake forwarder (provisioning), set up from chat
        May: View entities, Manage intakes, View intakes
        Asked by @alice
        ⚠️ can change things: Manage intakes
        Community
        Nimbus Payments
        For
        alice
        Request
        <id>
        SHA-256
        <hash>
        Continue to 127.0.0.1
        When you have signed in there, the key is created, and shown to you once. If you did not press the button in the chat yourself, close this page and tell your bot administrator.
        ");
        assert_eq!(s.writes(), Vec::<String>::new());
        let at = alice.leave(&link).await.next.expect("a way on");
        let back = alice.sign_in(&at, "alice-1").await;
        let page = alice.get(back.as_str()).await;
        is_strict(&page);
        let secret = s.sekoia.secrets()[0].clone();
        assert_snapshot!(nameless(page.text().replace(&secret, "<secret>")), @"
        Your new API key
        forwarder · expires on <date>
        It is shown here once, and nowhere else. Save it now:
        <secret>
        Then press “I saved it” on the card of request <id> in the chat. Unless you do so by <date> <time> UTC, the key is revoked.
        ");
        let card = s.card("shown; revoked unless").await;
        // A reload makes no second key, and shows none again.
        let again = alice.get(back.as_str()).await;
        assert_eq!((again.status, again.text().contains(&secret)), (404, false));
        assert_eq!((s.writes(), s.active_keys("forwarder")), (vec!["POST 200".to_owned()], 1));
        assert!(s.click("alice", &card, "I saved it").await.text().contains("Noted"));
        s.card("created, shown once and saved").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert!(!s.chat.dump().contains(&secret) && !s.chat.forms_dump().contains(&secret), "the chat saw it");
        s.stop().await;
        let database = std::fs::read(s.database().expect("a database")).expect("a file");
        assert!(!database.windows(secret.len()).any(|w| w == secret.as_bytes()), "it was stored");
        s.verify_audit();
    });
}

on_both!(a_key_is_shown_to_who_asked_for_it_alone);
fn a_key_is_shown_to_who_asked_for_it_alone(on: Platform) {
    run(on, on_page(), async |s| {
        let card = key_approved(s).await;
        s.direct().await;
        let page = Browser::fresh().prove(&key_link(s, &card).await, "bob-1").await;
        assert_eq!(page.status, 403);
        assert!(page.text().contains("another person"), "{}", page.text());
        assert_eq!((s.writes(), s.sekoia.secrets().len()), (Vec::<String>::new(), 0));
        // Two links, one key.
        let (one, two) = (key_link(s, &card).await, key_link(s, &card).await);
        assert_eq!(Browser::fresh().prove(&one, "alice-1").await.status, 200);
        let shown = s.card("shown; revoked unless").await;
        let page = Browser::fresh().prove(&two, "alice-1").await;
        assert_eq!(page.status, 403);
        assert!(page.text().contains("so nothing was created"), "{}", page.text());
        s.click("alice", &shown, "I lost it: revoke now").await;
        s.card("ready to be created").await;
        s.direct().await;
        assert_eq!(s.active_keys("forwarder"), 0);
    });
}

#[test]
fn a_provider_of_another_name_ends_the_start() {
    on_slack(Setting { durable: false, ..proving() }, async |s| {
        s.provider().edit(|world| world.named_issuer = Some("https://other.example".into()));
        let ended = s.serve_to_its_end_with(&[]).await;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        let fault = "CHATOPS_OIDC_ISSUER: its discovery document names another issuer, \"https://other.example\"";
        assert!(said.contains(fault), "{said}");
    });
}

#[test]
fn doctor_looks_at_the_provider() {
    on_slack(proving(), async |s| {
        let check = async |s: &Stage| {
            let ended = s.doctor("--json", &[]).await;
            let found: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
            let checks = found["checks"].as_array().expect("a list").clone();
            let check = checks.into_iter().find(|check| check["id"] == "identity.provider").expect("a check");
            (check["verdict"].as_str().map(str::to_owned), check["found"].as_str().map(str::to_owned))
        };
        let (verdict, found) = check(s).await;
        assert_eq!(verdict.as_deref(), Some("pass"), "{found:?}");
        s.provider().edit(|world| world.named_issuer = Some("https://other.example".into()));
        let (verdict, found) = check(s).await;
        assert_eq!(verdict.as_deref(), Some("fail"), "{found:?}");
        assert!(found.is_some_and(|found| found.contains("names another issuer: https://other.example")));
    });
}

#[test]
#[ignore = "needs Node.js"]
fn a_certified_provider_proves_it_too() {
    let real = Proving { acr: ACR, subjects: &[], real: true };
    on_slack(Setting { proving: Some(real), ..proving() }, async |s| {
        let card = begun(s).await;
        s.signs_in("bob", "urn:password").await;
        let page = Browser::fresh().prove_really(&link(s, "bob", &card).await).await;
        assert!(page.text().contains("as strongly as this needs"), "{}", page.text());
        s.signs_in("dan", ACR).await;
        let page = Browser::fresh().prove_really(&link(s, "bob", &card).await).await;
        assert!(page.text().contains("another person"), "{}", page.text());
        nothing_happened(s, &card, "a real provider").await;
        s.signs_in("bob", ACR).await;
        let page = Browser::fresh().prove_really(&link(s, "bob", &card).await).await;
        assert_eq!(page.status, 200, "{}", page.text());
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}
