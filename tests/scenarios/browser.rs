//! The demo's page in a browser: what people see, type and press.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::browser::{Browsers, CARD, Key, Page};
use crate::harness::demo::{Demo, database};
use crate::harness::steady;

const DESK: (u32, u32) = (1600, 1000);
const PHONE: (u32, u32) = (360, 740);

async fn set_up(page: &Page) {
    page.say("/sekoia setup \"Banque Rivoli\"").await;
    page.reads("#messages article:not([data-only])", "0 of 7 done").await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn two_people_go_through_the_seven_steps() {
    let (browsers, demo) = (Browsers::start().await, Demo::start(&[]));
    let alice = browsers.open(&demo, "alice", DESK).await;
    let bob = browsers.open(&demo, "bob", DESK).await;
    let progress = "#messages article:not([data-only]):not([data-from=alice]):not([data-from=bob])";
    set_up(&alice).await;

    // By suggestion, by button, by words, by menu; each shows live in the other window.
    alice.click("[data-said='/sekoia done prerequisites']").await;
    bob.reads(progress, "✅ Before you start").await;
    bob.click(&format!("{progress} [data-words=next]")).await;
    bob.reads(CARD, "Step 1 of 7").await;
    bob.click(&format!("{CARD} [data-words='done subscription']")).await;
    bob.reads(progress, "👁️ 1 Verify your subscription · seen").await;
    bob.click(&format!("{CARD} [data-words^='plan products current']")).await;
    alice.reads(progress, "✅ 1 Verify your subscription").await;
    alice.say("/sekoia region share").await;
    bob.reads(progress, "✅ 2 Confirm your region").await;
    for (step, name) in [("communities", "3 Create"), ("roles", "4 Define"), ("keys", "6 Create")] {
        let menu = format!("{progress} [data-words=step]");
        let script = "const menu = document.querySelector(arguments[0]); menu.value = arguments[1]; menu.dispatchEvent(new Event('input'))";
        alice.run(script, vec![json!(format!("{menu} select")), json!(step)]).await;
        alice.click(&format!("{menu} button")).await;
        alice.click(&format!("{CARD} [data-words='done {step}']")).await;
        alice.click(&format!("{CARD} [data-words^='plan {step} current']")).await;
        bob.reads(progress, &format!("✅ {name}")).await;
    }

    // A person and a day, then a tick.
    alice.say("/sekoia step users").await;
    let assign = format!("{CARD} [data-words='assign users']");
    alice.keys(&format!("{assign} select"), "Bob").await;
    alice.click(&format!("{assign} button")).await;
    bob.reads(progress, "5 Invite users · @Bob").await;
    let due = format!("{CARD} [data-words='due users']");
    let script = "const day = document.querySelector(arguments[0]); day.value = '2099-12-01'; day.dispatchEvent(new Event('input'))";
    alice.reads(CARD, "Assigned to @Bob").await;
    alice.run(script, vec![json!(format!("{due} input"))]).await;
    alice.click(&format!("{due} button")).await;
    bob.reads(progress, "due 2099-12-01").await;
    // Somebody has not accepted yet.
    bob.say("/sekoia plan people current").await;
    alice.reads(progress, "⏳ 5 Invite users").await;
    bob.say("/sekoia done users anyway").await;
    alice.reads(progress, "☑️ 5 Invite users").await;

    // The form asks for a reason, and insists on it.
    alice.say("/sekoia skip notifications").await;
    alice.see("#field-reason").await;
    alice.click("#form-submit").await;
    assert_snapshot!(alice.reads("#field-reason-error", "Fill").await, @"Fill this in.");
    let invalid = "const f = document.querySelector('#field-reason'); return [f.getAttribute('aria-invalid'), f === document.activeElement]";
    assert_eq!(alice.run(invalid, vec![]).await, json!(["true", true]));
    alice.keys("#field-reason", "we use our own alerting").await;
    alice.click("#form-submit").await;
    bob.reads(progress, "skipped: we use our own alerting").await;
    assert_eq!(alice.run("return document.querySelector('dialog[open]')", vec![]).await, Value::Null);
    alice.say("/sekoia done quickstart").await;
    alice.reads(CARD, "Sekoia confirms it: Defend: 1 intake").await;
    let checklist = steady(bob.reads(progress, "✅ What comes next").await);
    assert_snapshot!(checklist.lines().filter(|l| l.contains(['✅', '⏭', '☑', '▓'])).collect::<Vec<_>>().join("\n"), @"
    ▓▓▓▓▓▓▓  6 of 7 done · 1 skipped
    ✅ Before you start · the key is valid and has 85 permissions; who says so is an Admin with MFA or single sign-on
    ✅ 1 Verify your subscription · 3 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until <date>
    ✅ 2 Confirm your region · 1 region as planned; FRA1 (France): the key is accepted; people log in at https://app.sekoia.io · ⚠️ 1
    ✅ 3 Create communities · 3 communities as planned; 3 communities under Banque Rivoli: Rivoli Retail, Rivoli Markets, Rivoli Payments (… · ⚠️ 1
    ✅ 4 Define roles · 5 roles as planned; 3 built-in roles, 2 custom roles · ⚠️ 1
    ☑️ 5 Invite users · attested by @Bob
    ✅ 6 Create API keys · 5 keys as planned; 6 active keys, 5 of them for integrations · ⚠️ 2
    ⏭️ 7 Configure notifications · skipped: we use our own alerting
    ✅ What comes next · Defend: 1 intake, events arrive and are parsed, all 420 Elementary and Intermediate rules are on, alerts are …
    ");

    // Dan may look, and is told why he may do no more.
    alice.click("[data-person=dan]").await;
    alice.see("body[data-person=dan]").await;
    alice.say("/sekoia reopen 2").await;
    alice.reads(CARD, "That is for operators").await;
    assert!(!bob.said("#messages").await.contains("That is for operators"));
    alice.close().await;
    bob.close().await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_composer_completes_commands_and_people() {
    let (browsers, demo) = (Browsers::start().await, Demo::start(&[]));
    let page = browsers.open(&demo, "alice", DESK).await;
    let value = "return document.querySelector('#composer').value";
    page.keys("#composer", "/sekoia ro").await;
    assert_snapshot!(page.said("#completions [role=option] code").await, @"
    /sekoia roles [page]
    /sekoia role show <name> [page]
    /sekoia role create <name> [with <preset, role or permissions>] [about <description>] [because <reason>] [--dry-run]
    ");
    page.key("#composer", Key::Down).await;
    let marked = "const box = document.querySelector('#composer'); return [box.getAttribute('aria-expanded'), document.getElementById(box.getAttribute('aria-activedescendant')).innerText.split('\\n')[0]]";
    assert_eq!(page.run(marked, vec![]).await, json!(["true", "/sekoia role show <name> [page]"]));
    page.key("#composer", Key::Tab).await;
    assert_eq!(page.run(value, vec![]).await, "/sekoia role show ");
    assert_snapshot!(page.reads("#usage", "role show").await, @"/sekoia role show <name> [page] One role, with all its permissions.");
    page.key("#composer", Key::Escape).await;
    page.run("document.querySelector('#composer').value = ''", vec![]).await;
    page.keys("#composer", "/sekoia assign users @ca").await;
    page.key("#composer", Key::Tab).await;
    assert_eq!(page.run(value, vec![]).await, "/sekoia assign users @carol ");
    // What is not a command stays in the box, with the reason beside it.
    page.run("document.querySelector('#composer').value = ''", vec![]).await;
    page.keys("#composer", "/giphy cat").await;
    page.key("#composer", Key::Enter).await;
    page.reads(".composer .error", "/giphy is not a command here").await;
    assert_eq!(page.run(value, vec![]).await, "/giphy cat");
    page.close().await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn hostile_text_is_shown_as_text() {
    let (browsers, demo) = (Browsers::start().await, Demo::start(&[]));
    let page = browsers.open(&demo, "alice", DESK).await;
    let hostile = "<script>window.hit = 1</script><img src=x onerror=window.hit=1> \u{202e}evil\u{200b} [x](javascript:window.hit=1)";
    let long = format!("{hostile} {}", "x".repeat(10_000 - hostile.len()));
    page.run(
        "document.querySelector('#composer').value = arguments[0]; document.querySelector('#send').click()",
        vec![json!(long)],
    )
    .await;
    let shown = page.reads("#messages article[data-from=alice]", "xxxx").await;
    assert!(
        shown.contains("<script>window.hit = 1</script><img src=x onerror=window.hit=1> [U+202E]evil[U+200B]"),
        "{shown}"
    );
    assert!(shown.len() > 9_900);
    set_up(&page).await;
    page.run(
        "document.querySelector('#composer').value = arguments[0]; document.querySelector('#send').click()",
        vec![json!(format!("/sekoia skip users \"{hostile}\""))],
    )
    .await;
    page.reads("#messages article[data-from=sekoia]:not([data-only])", "skipped: <script>").await;
    let found = "return [window.hit ?? null, document.querySelectorAll('#messages script, #messages img, #messages a[href^=javascript]').length, document.documentElement.scrollWidth <= innerWidth]";
    assert_eq!(page.run(found, vec![]).await, json!([null, 0, true]));
    page.close().await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_page_comes_back_after_a_restart_of_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let store = database(directory.path());
    let (browsers, mut demo) = (Browsers::start().await, Demo::start(&["--store", &store]));
    let page = browsers.open(&demo, "alice", DESK).await;
    set_up(&page).await;
    page.keys("#composer", "half a sentence").await;
    let address = demo.address().to_owned();
    demo.stop();
    page.reads("#connection", "not answering").await;
    let _demo = Demo::start_at(&address, &["--store", &store]);
    let until = Instant::now() + Duration::from_mins(1);
    while !page.said("#connection").await.is_empty() {
        assert!(Instant::now() < until, "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    page.reads("#messages", "0 of 7 done").await;
    assert_eq!(page.run("return document.querySelector('#composer').value", vec![]).await, "half a sentence");
    page.click("#messages [data-words=next]").await;
    page.reads(CARD, "Before you start").await;
    page.close().await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn threads_the_slack_view_and_the_other_side() {
    let (browsers, demo) = (Browsers::start().await, Demo::start(&[]));
    let page = browsers.open(&demo, "alice", DESK).await;
    set_up(&page).await;
    page.click("#messages article[data-from=sekoia]:not([data-only]) .reply").await;
    page.keys("#thread-composer", "@Sekoia whoami").await;
    page.click("#thread-send").await;
    page.reads("#thread-messages", "You are @Alice").await;
    page.reads("#messages article:not([data-only]) .replies", "2 replies").await;
    page.click("#close-thread").await;

    page.click("#messages article[data-from=sekoia]:not([data-only]) .json").await;
    let json: Value = serde_json::from_str(&page.reads(".vendor-json", "blocks").await).unwrap();
    assert_eq!(json["blocks"][0]["type"], "header");
    page.click("[data-vendor=mattermost]").await;
    let json: Value = serde_json::from_str(&page.reads(".vendor-json", "sealed").await).unwrap();
    assert!(json["message"].as_str().unwrap().starts_with("#### Sekoia workspace setup"), "{json}");
    page.click(".copy").await;
    page.reads(".vendor [role=status]", "e").await;

    page.click("#tab-sekoia").await;
    page.reads("#calls", "GET /v1/me").await;
    page.click("[data-fault=fails]").await;
    page.say("/sekoia roles").await;
    page.reads(CARD, "Sekoia").await;
    page.reads("#calls", "503 unavailable").await;
    page.click("[data-fault=fails]").await;
    page.click("#tab-audit").await;
    page.reads("#records", "opened for Banque Rivoli").await;
    page.close().await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn on_a_phone_everything_is_within_reach() {
    let (browsers, demo) = (Browsers::start().await, Demo::start(&[]));
    let page = browsers.open(&demo, "alice", PHONE).await;
    set_up(&page).await;
    let fits = "return document.documentElement.scrollWidth";
    assert_eq!(page.run(fits, vec![]).await, 360);
    page.click("#open-right").await;
    page.click("[data-said='/sekoia next']").await;
    page.reads(CARD, "Before you start").await;
    page.click("#open-left").await;
    page.click("[data-channel=nimbus-payments]").await;
    page.reads("#channel-name", "#nimbus-payments").await;
    page.click("#open-left").await;
    page.click("[data-person=bob]").await;
    page.see("body[data-person=bob]").await;
    assert_eq!(page.run(fits, vec![]).await, 360);
    page.close().await;
}

/// From an empty page to the checklist by one button; forms keep their buttons in view, signs need no font,
/// pictures are in view, and links of the console stay in the demo.
#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_first_minute_on_an_empty_page() {
    let (browsers, demo) = (Browsers::start().await, Demo::start(&[]));
    let page = browsers.open(&demo, "dan", DESK).await;
    page.reads("#messages .empty", "Start here").await;
    page.click("#messages .empty button").await;
    page.see("body[data-person=alice]").await;
    page.reads(CARD, "Which one is this channel about?").await;
    set_up(&page).await;

    // Each sign is a drawing with a name, and what is copied is still the character.
    page.say("/sekoia done prerequisites anyway").await;
    page.reads("#messages article:not([data-only])", "☑️ Before you start").await;
    let drawn = "return [...document.querySelectorAll('article:not([data-only]) .sign svg')].map((s) => s.ariaLabel)";
    let names = page.run(drawn, vec![]).await;
    assert_eq!(names.as_array().map(Vec::len), Some(8), "{names}");
    assert_eq!(names[0], "attested");

    // The longest form: its button is in view before anybody scrolls.
    page.say("/sekoia key create").await;
    page.see("#form-submit").await;
    assert!(in_view(&page, "#form-submit").await);
    page.key("#field-name", Key::Escape).await;

    // An alert's link says where it would lead, with what the embedded Sekoia has there.
    page.say("/sekoia notify add alert").await;
    page.reads(CARD, "Rule 1").await;
    page.click("#tab-sekoia").await;
    page.click("[data-happens=alert]").await;
    page.click("#messages article:not([data-only]) [data-console]").await;
    page.reads("#console-kept", "\"short_id\"").await;
    page.reads("#console-at", "https://app.sekoia.io/operations/alerts/").await;
    page.click("#console-close").await;

    // A chart, when its conversation is opened.
    page.say("/sekoia notify summary").await;
    page.see("#channels [data-channel^=dm-].unread").await;
    page.click("#channels [data-channel^=dm-]").await;
    page.see("article img").await;
    let until = Instant::now() + Duration::from_secs(10);
    while !in_view(&page, "article img").await {
        assert!(Instant::now() < until, "the chart is not in view");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    page.close().await;
}

/// Whether all of an element is inside the window and nothing of it is covered in its middle.
async fn in_view(page: &Page, css: &str) -> bool {
    let script = "const e = document.querySelector(arguments[0]); const r = e.getBoundingClientRect(); const at = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2); return r.height > 0 && r.top >= 0 && r.bottom <= innerHeight && e.contains(at)";
    page.run(script, vec![json!(css)]).await == json!(true)
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn axe_finds_nothing_serious() {
    let axe = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/axe/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(axe).expect("axe-core: npm install --prefix target/axe axe-core");
    let (browsers, demo) = (Browsers::start().await, Demo::start(&[]));
    for (size, dark) in [(DESK, false), (DESK, true), (PHONE, false)] {
        let page = browsers.open(&demo, "alice", size).await;
        if dark {
            page.dark().await;
        }
        page.say("/sekoia setup \"Banque Rivoli\"").await;
        page.say("/sekoia step users").await;
        page.reads(CARD, "Step 5 of 7").await;
        page.run(&axe, vec![]).await;
        let mut places = vec![("channel", String::new()), ("completions", "/sekoia ro".to_owned())];
        if size == DESK {
            places.push(("other side", String::new()));
        }
        for (what, typed) in places {
            page.keys("#composer", &typed).await;
            if what == "other side" {
                page.click("#tab-sekoia").await;
                page.reads("#calls", "/v1/me").await;
            }
            violations(&page, &format!("{what} {size:?} dark: {dark}")).await;
        }
        page.run("document.querySelector('#composer').value = ''", vec![]).await;
        page.say("/sekoia skip users").await;
        page.see("#field-reason").await;
        page.click("#form-submit").await;
        page.reads("#field-reason-error", "Fill").await;
        violations(&page, &format!("form {size:?} dark: {dark}")).await;
        page.key("#field-reason", Key::Escape).await;
        page.say("/sekoia key create").await;
        page.see("#field-with-list").await;
        page.keys("#field-with", "intakes").await;
        violations(&page, &format!("picker {size:?} dark: {dark}")).await;
        page.close().await;
    }
}

/// Alice asks for people and a key, Bob approves with a button, for the key with a proof of who he is, and the key
/// is on one page.
#[tokio::test]
#[ignore = "needs Chromium"]
async fn approvals_and_a_key_shown_once() {
    let (browsers, demo) = (Browsers::start().await, Demo::start(&[]));
    let alice = browsers.open(&demo, "alice", DESK).await;
    let bob = browsers.open(&demo, "bob", DESK).await;
    set_up(&alice).await;
    // After the checklist, the first request's card and the second's.
    let first = "#messages article:not([data-only]) ~ article:not([data-only])";
    let second = &format!("{first} ~ article:not([data-only])");

    // A form: addresses, a role, and what is wrong at its field.
    alice.say("/sekoia invite").await;
    alice.see("#field-addresses").await;
    alice.keys("#field-addresses", "ana@rivoli.example bo@").await;
    alice.click("#form-submit").await;
    assert_snapshot!(alice.reads("#field-addresses-error", "bo@").await, @r#"1 of 2 entries; 1 left out: "bo@" is no e-mail address. Correct the list, or choose "Leave them out" below."#);
    alice.keys("#field-addresses", "rivoli.example").await;
    alice.click("#form-submit").await;
    bob.reads(first, "Approval needed").await;
    bob.click(&format!("{first} .controls button")).await;
    bob.click("#confirm-yes").await;
    bob.reads(first, "2 of 2 done").await;

    // A key: its permissions are searched for and chosen by keyboard alone.
    alice.say("/sekoia key create").await;
    alice.see("#field-with-list").await;
    alice.keys("#field-name", "siem").await;
    alice.keys("#field-about", "Reads the alerts").await;
    alice.keys("#field-with", "view alerts").await;
    alice.click("#field-with-list .choice:not([hidden]) input").await;
    assert!(alice.said("#field-with-count").await.contains('1'));
    alice.click("#form-submit").await;
    bob.reads(second, "Create the API key siem").await;
    bob.click(&format!("{second} .controls button")).await;
    bob.click("#confirm-yes").await;
    follow(&bob, "Prove that it is you").await;
    bob.reads("main", "Approve this?").await;
    bob.phone().await;
    keep(&bob, "proof", "").await;
    bob.click("form button").await;
    bob.reads("main", "It asks for no password").await;
    bob.click("button[value=bob]").await;
    bob.reads("main", "You approved: Create the API key siem").await;
    alice.reads(second, "ready to be created").await;
    alice.click(&format!("{second} .controls button")).await;
    follow(&alice, "shown on a page").await;
    alice.click("form button").await;
    alice.click("button[value=alice]").await;
    let secret = alice.reads("pre", "sandbox-key-").await;
    keep(&alice, "key", "").await;
    let everywhere = "return document.documentElement.outerHTML";
    // Neither shown again nor anywhere else.
    alice.reload().await;
    alice.reads("main", "not good any more").await;
    for (page, person) in [(&alice, "alice"), (&bob, "bob")] {
        page.go_home(&demo, person).await;
        page.reads(second, "shown").await;
        assert!(!page.run(everywhere, vec![]).await.to_string().contains(&secret));
    }
    alice.click(&format!("{second} .controls button")).await;
    alice.reads(second, "shown once and saved").await;
    alice.close().await;
    bob.close().await;
}

/// Opens the link of the last private message, once it says so.
async fn follow(page: &Page, says: &str) {
    page.reads(CARD, says).await;
    let link = page.run("return document.querySelector(arguments[0]).href", vec![json!(format!("{CARD} a"))]).await;
    page.visit(link.as_str().expect("an address")).await;
}

/// Serious ones, in words.
async fn violations(page: &Page, place: &str) {
    let script = "const done = arguments[arguments.length - 1]; axe.run().then((r) => done(r.violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`)))";
    assert_eq!(page.run_async(script).await, json!([]), "{place}");
}

/// The pictures of README and book; written with `UPDATE_IMAGES=1`, else only made.
#[tokio::test]
#[ignore = "needs Chromium"]
async fn pictures() {
    let (browsers, demo) = (Browsers::start().await, Demo::start(&[]));
    let page = browsers.open(&demo, "alice", (1280, 800)).await;
    set_up(&page).await;
    page.say("/sekoia done prerequisites").await;
    page.say("/sekoia plan products current").await;
    page.say("/sekoia region share").await;
    page.reads("#messages article:not([data-only])", "2 of 7 done").await;
    keep(&page, "checklist", "const m = document.querySelector('#messages'); m.scrollTop = document.querySelector('article[data-from=sekoia]:not([data-only])').offsetTop - 60").await;
    page.say("/sekoia step users check").await;
    page.reads(CARD, "Step 5 of 7").await;
    keep(&page, "step-card", "").await;
    page.dark().await;
    keep(&page, "dark", "").await;
    page.cdp("Emulation.setEmulatedMedia", json!({ "features": [] })).await;
    page.say("/sekoia skip notifications").await;
    page.see("#field-reason").await;
    page.click("#form-submit").await;
    page.reads("#field-reason-error", "Fill").await;
    keep(&page, "form", "").await;
    page.key("#field-reason", Key::Escape).await;
    page.say("/sekoia invite ana@rivoli.example bo@elsewhere.example as Analyst because \"night shift\"").await;
    page.reads("#messages article:not([data-only]) ~ article:not([data-only])", "Approval needed").await;
    keep(&page, "approval", "").await;
    page.close().await;
    let phone = browsers.open(&demo, "bob", PHONE).await;
    phone.say("/sekoia step users").await;
    phone.reads(CARD, "Step 5 of 7").await;
    keep(&phone, "phone", "").await;
    phone.close().await;
}

async fn keep(page: &Page, name: &str, before: &str) {
    page.run(before, vec![]).await;
    tokio::time::sleep(Duration::from_millis(1_700)).await;
    let picture = page.picture().await;
    assert!(picture.len() > 10_000, "{name} is empty");
    if std::env::var_os("UPDATE_IMAGES").is_some() {
        let images = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/images");
        std::fs::create_dir_all(&images).unwrap();
        std::fs::write(images.join(format!("{name}.png")), picture).unwrap();
    }
}
