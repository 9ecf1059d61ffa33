//! The words: whatever somebody types is a command, or a fault that says what to type instead.

use insta::assert_snapshot;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sekoia_chatops::chat::{Answers, Words};
use sekoia_chatops::command::{Command, Fault, ParsedCommand, Spec, TABLE, read};
use sekoia_chatops::domain::checklist::StepId;

use super::rooms;

fn typed(text: &str) -> Result<ParsedCommand, Fault> {
    read(&Words::Typed(text.to_owned()), "slack")
}

/// As Slack sends it: `@bob` is an id by then.
fn example(spec: &Spec) -> String {
    spec.example.replace("@bob", "<@U0BOB|bob>")
}

/// What the parser makes of each text, one line each.
fn understood(texts: &[&str]) -> String {
    let line = |text: &&str| match typed(text) {
        Ok(said) => format!("{text} -> {:?}", said.command),
        Err(fault) => format!("{text} -> {fault}"),
    };
    texts.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// One sentence that shows on one line, whatever was typed.
fn reads_well(fault: &Fault) -> Result<(), TestCaseError> {
    let text = fault.to_string();
    prop_assert!(!text.is_empty() && text.chars().count() < 400, "{}", text);
    prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
    prop_assert!(text.ends_with(['.', '?']), "{}", text);
    prop_assert!(!text.ends_with("?."), "{}", text);
    Ok(())
}

/// Commands, keywords, chat forms and rubbish, in any order.
fn anything() -> impl Strategy<Value = String> {
    let known: Vec<String> = TABLE
        .iter()
        .flat_map(|spec| [spec.name, spec.example])
        .chain(TABLE.iter().flat_map(|s| s.aliases.iter().copied()))
        .map(Into::into)
        .collect();
    let forms = [
        "<@U0BOB|bob>",
        "<@",
        "<mailto:a@x.com|a@x.com>",
        "<!channel>",
        "&lt;",
        "&amp;amp;",
        "“",
        "\"",
        "\\",
        "anyway",
        "confirm",
        "+7d",
        "99999999999999999999",
        "2026-02-30",
        "-1",
        "İ",
        "\u{202e}",
        "\u{1b}[31m",
        "\0",
    ];
    let slip = (select(vec!["help", "done", "skip", "step", "due", ""]), select(known.clone()), 0..9usize);
    let slip = slip.prop_map(|(command, word, at)| {
        let slipped = word.chars().enumerate().filter(|(i, _)| *i != at).map(|(_, c)| c);
        format!("{command} {}", slipped.collect::<String>())
    });
    let piece = prop_oneof![
        4 => select(known),
        2 => slip,
        2 => select(forms.to_vec()).prop_map(String::from),
        2 => any::<String>(),
        1 => (any::<char>(), 1..200usize).prop_map(|(c, n)| c.to_string().repeat(n)),
    ];
    let gap = select(vec![" ", "", "\n", "\u{a0}", "\t  "]);
    vec((piece, gap), 0..6).prop_map(|all| all.into_iter().map(|(piece, gap)| piece + gap).collect())
}

proptest! {
    #[test]
    fn whatever_is_typed_is_a_command_or_a_fault_that_reads_well(text in anything()) {
        if let Err(fault) = typed(&text) {
            reads_well(&fault)?;
            let usage = fault.usage().unwrap_or_default();
            prop_assert!(usage.is_empty() || usage.starts_with("/sekoia "));
        }
    }

    #[test]
    fn whatever_is_answered_in_a_form_is_a_value_and_never_a_word(
        answer in prop_oneof![3 => anything(), 1 => select(vec!["anyway", "ANYWAY", "confirm"]).prop_map(String::from)],
    ) {
        let answered = |words: &str| {
            let chosen = read(&Words::Answered { words: words.into(), answers: vec![answer.clone()] }, "slack");
            let answers = Answers::from([("reason".into(), answer.clone())]);
            let filled = read(&Words::Filled { words: words.into(), answers }, "slack");
            if words.starts_with("skip") {
                assert_eq!(filled, chosen, "in a form and with a control");
            }
            chosen
        };
        let reason = Some(answer.trim().to_owned()).filter(|reason| !reason.is_empty());
        prop_assert_eq!(answered("skip 3").unwrap().command, Command::Skip { step: StepId::Communities, reason });
        if !answer.trim().is_empty() {
            let fault = answered("done 3").unwrap_err();
            prop_assert!(matches!(fault, Fault::Leftover { .. }), "{:?}", fault);
        }
    }

    #[test]
    fn case_and_spaces_do_not_matter(
        spec in select(TABLE.iter().collect::<Vec<_>>()),
        upper in vec(any::<bool>(), 32),
        spaces in vec(select(vec![" ", "  ", "\t", "\n", "\u{a0} "]), 8),
        slash in select(vec!["", "/"]),
    ) {
        let plain = example(spec);
        let rest = plain.strip_prefix(spec.name).unwrap();
        let mut spaces = spaces.into_iter();
        let mut gap = || spaces.next().unwrap().to_owned();
        let name: String = spec.name.chars().zip(upper).map(|(c, upper)| match c {
            ' ' => gap(),
            c if upper => c.to_ascii_uppercase().to_string(),
            c => c.to_string(),
        }).collect();
        let said = format!("{}{slash}{name}{}{}", gap(), rest.replacen(' ', &gap(), 1), gap());
        prop_assert_eq!(typed(&said), typed(&plain));
    }
}

#[test]
fn a_long_text_of_anything_is_parsed_as_fast_as_it_is_read() {
    for kind in ["<", "\"", "&", "a ", "\\", "&amp;", "<@U1>", "“", "<a", "\"<", "\\\"", "/", " ", "é", "<|", "“x” "]
    {
        let nasty = kind.repeat(300_000 / kind.len());
        for command in ["", "skip 3 ", "role show ", "help ", "due 1 ", "skip 3 \""] {
            // What is checked is that this ends: anything quadratic would take many minutes.
            if let Err(fault) = typed(&format!("{command}{nasty}")) {
                reads_well(&fault).unwrap();
            }
        }
    }
}

#[test]
fn every_example_is_a_use_of_its_row() {
    for spec in TABLE {
        let said = typed(&example(spec)).unwrap_or_else(|fault| panic!("{}: {fault}", spec.example));
        assert_eq!(said.spec, spec, "{}", spec.example);
    }
}

#[test]
fn every_name_and_alias_means_one_row() {
    let mut words: Vec<&str> = TABLE.iter().flat_map(|s| s.aliases.iter().copied().chain([s.name])).collect();
    words.sort_unstable();
    let twice: Vec<_> = words.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
    for spec in TABLE {
        for alias in spec.aliases {
            assert_eq!(typed(&example(spec).replacen(spec.name, alias, 1)).unwrap().spec, spec, "{alias}");
        }
    }
}

#[test]
fn a_slip_gets_the_nearest_word_and_a_bad_value_the_good_ones() {
    let slips = [
        "staus",
        "reprot",
        "stp 3",
        "key crate x",
        "key",
        "frobnicate the widgets",
        "/sekoia",
        "/sekoia status",
        "/",
        "don 4",
        "skpi 3 because \"one tenant\" & more",
        "asign users @bob",
        "assign usres <@U0BOB|bob>",
        "skip",
        "skip 9 because",
        "done region now please",
        "users -1",
        "users 99999999999999",
        "audit 51",
        "due 1",
        "due 1 someday",
        "due 1 2026-02-30",
        "due 1 +9999d",
        "assign 1",
        "assign 1 bob",
        "assign 1 <@bob>",
        "help foo",
        "role show",
        "role show \"\"",
        "role shwo Analyst",
        "quickstart xdrr",
        "invite",
        "unfreeze now",
        "reset confirm please",
    ];
    assert_snapshot!(understood(&slips), @r#"
    staus -> Unknown command "staus". Did you mean "status"?
    reprot -> Unknown command "reprot". Did you mean "report"?
    stp 3 -> Unknown command "stp". Did you mean "step 3"?
    key crate x -> Unknown command "key crate". Did you mean "key create x"?
    key -> Unknown command "key". Did you mean "keys"?
    frobnicate the widgets -> Unknown command "frobnicate". "/sekoia help" lists the commands.
    /sekoia -> Help(Start)
    /sekoia status -> Status
    / -> Unknown command "/". "/sekoia help" lists the commands.
    don 4 -> Unknown command "don". Did you mean "done 4"?
    skpi 3 because "one tenant" & more -> Unknown command "skpi". Did you mean "skip 3 because "one tenant" & more"?
    asign users @bob -> Unknown command "asign". Did you mean "assign users @bob"?
    assign usres <@U0BOB|bob> -> "usres" is not a step: did you mean `users`?
    skip -> "skip" needs to know which step.
    skip 9 because -> "9" is not a step: 1 to 7, or a name such as `users`.
    done region now please -> "done" does not take "now please".
    users -1 -> "-1" is not a page: give a number from 1 to 10000.
    users 99999999999999 -> "99999999999999" is not a page: give a number from 1 to 10000.
    audit 51 -> "51" is not a number of records: give a number from 1 to 50.
    due 1 -> "due" needs to know by when.
    due 1 someday -> "someday" is not a date: write 2026-12-01, today, tomorrow, friday, +7d, or none.
    due 1 2026-02-30 -> "2026-02-30" is not a date: write 2026-12-01, today, tomorrow, friday, +7d, or none.
    due 1 +9999d -> "+9999d" is not a date: write 2026-12-01, today, tomorrow, friday, +7d, or none.
    assign 1 -> "assign" needs to know who.
    assign 1 bob -> "bob" is not a person: pick the name that the chat offers after `@`, or `nobody`.
    assign 1 <@bob> -> "bob" is not a person: pick the name that the chat offers after `@`, or `nobody`.
    help foo -> "foo" is not a topic: give a command, a step, or `all` for the list.
    role show -> "role show" needs to know which role.
    role show "" -> "role show" needs to know which role.
    role shwo Analyst -> Unknown command "role shwo". Did you mean "role show Analyst"?
    quickstart xdrr -> "xdrr" is not a product: give `defend`, `intelligence`, `reveal` or `elevate`.
    invite -> Ask { kind: Invite, request: None, said: None }
    unfreeze now -> "unfreeze" does not take "now".
    reset confirm please -> "reset" does not take "please".
    "#);
}

#[test]
fn chat_forms_and_keyboards_quotes_are_what_they_mean() {
    let said = [
        "",
        "STATUS",
        "assign 1 <@U0BOB|bob>",
        "assign users to <@W0EVE>",
        "assign 1 nobody",
        "skip 3 “one tenant”",
        "skip 3 «one tenant» for now",
        "skip 3 it's fine",
        r#"skip 3 "say \"hi\" \\ \o/""#,
        "skip 3 &lt;b&gt; &amp;amp;",
        "skip 3 ask <mailto:a@x.com|a@x.com>",
        "skip 3 see <https://x.y|z>",
        "skip 3 <!channel> <#C0SOC|soc> <@U0BOB|bob>",
        "setup ‘Nimbus Payments’",
        "setup page 2",
        "setup --page 2",
        "setup page one",
        "setup Red Team confirm",
        "setup \"Red Team\" confirm",
        "role show Tier 2",
        "role show Tier page 2",
        "role show \"Tier\" page 2",
        "role show \"Tier 2\"",
        "role show Health check",
        "users page 2",
        "due 1 on friday",
        "due users in 7 days",
        "due users none",
        "step 0",
        "open LICENCES check",
        "done region anyway",
        "report json 2",
        "help 3",
        "help key create",
    ];
    assert_snapshot!(understood(&said), @r#"
     -> Help(Start)
    STATUS -> Status
    assign 1 <@U0BOB|bob> -> Assign { step: Subscription, to: Some(UserId("slack:U0BOB")) }
    assign users to <@W0EVE> -> Assign { step: Users, to: Some(UserId("slack:W0EVE")) }
    assign 1 nobody -> Assign { step: Subscription, to: None }
    skip 3 “one tenant” -> Skip { step: Communities, reason: Some("one tenant") }
    skip 3 «one tenant» for now -> Skip { step: Communities, reason: Some("one tenant for now") }
    skip 3 it's fine -> Skip { step: Communities, reason: Some("it's fine") }
    skip 3 "say \"hi\" \\ \o/" -> Skip { step: Communities, reason: Some("say \"hi\" \\ \\o/") }
    skip 3 &lt;b&gt; &amp;amp; -> Skip { step: Communities, reason: Some("<b> &amp;") }
    skip 3 ask <mailto:a@x.com|a@x.com> -> Skip { step: Communities, reason: Some("ask a@x.com") }
    skip 3 see <https://x.y|z> -> Skip { step: Communities, reason: Some("see z") }
    skip 3 <!channel> <#C0SOC|soc> <@U0BOB|bob> -> Skip { step: Communities, reason: Some("@channel #soc @bob") }
    setup ‘Nimbus Payments’ -> Setup { community: Some("Nimbus Payments"), page: 1, confirmed: false, whole: None, from: None }
    setup page 2 -> Setup { community: None, page: 2, confirmed: false, whole: Some("page 2"), from: None }
    setup --page 2 -> Setup { community: None, page: 2, confirmed: false, whole: None, from: None }
    setup page one -> Setup { community: Some("page one"), page: 1, confirmed: false, whole: None, from: None }
    setup Red Team confirm -> Setup { community: Some("Red Team"), page: 1, confirmed: true, whole: Some("Red Team confirm"), from: None }
    setup "Red Team" confirm -> Setup { community: Some("Red Team"), page: 1, confirmed: true, whole: None, from: None }
    role show Tier 2 -> RoleShow { role: "Tier", page: 2, whole: Some("Tier 2") }
    role show Tier page 2 -> RoleShow { role: "Tier", page: 2, whole: Some("Tier page 2") }
    role show "Tier" page 2 -> RoleShow { role: "Tier", page: 2, whole: None }
    role show "Tier 2" -> RoleShow { role: "Tier 2", page: 1, whole: None }
    role show Health check -> RoleShow { role: "Health check", page: 1, whole: None }
    users page 2 -> Users { page: 2 }
    due 1 on friday -> Due { step: Subscription, due: Some(Next(Friday)) }
    due users in 7 days -> Due { step: Users, due: Some(In(7)) }
    due users none -> Due { step: Users, due: None }
    step 0 -> Step { step: Prerequisites, check: false }
    open LICENCES check -> Step { step: Subscription, check: true }
    done region anyway -> Done { step: Region, anyway: true, address: None }
    report json 2 -> Report { json: true, page: Some(2) }
    help 3 -> Help(Step(Communities))
    help key create -> Help(Command(Spec("key create")))
    "#);
}

/// What people paste instead of a command, and what they mean.
#[test]
fn a_command_is_taken_with_what_was_pasted_around_it() {
    let ways = [
        "\"{}\"",
        "“{}”",
        "'{}'",
        "*{}*",
        "_{}_",
        "~{}~",
        "**{}**",
        "`{}`",
        "```{}```",
        "```\n{}\n```",
        "*`{}`*",
        "`{}`.",
        "{}.",
        "{}!",
        "&gt; {}",
        "/sekoia {}",
        "/SEKOIA  {}",
        "/sekoia /sekoia {}",
        "@sekoia {}",
        "@Sekoia: {}",
        "<@U0BOT|sekoia> {}",
        "`/sekoia {}`",
        "/sekoia `{}`",
        "\u{200b}{}\u{200b}",
        "\u{feff}{}",
        "\u{2060}`{}`\u{2060}",
        "/sekoia\u{a0}{}",
    ];
    for command in ["status", "done region", "due users +7d", "role show Analyst", "notify digest daily 08:30 Paris"] {
        let meant = typed(command);
        assert!(meant.is_ok(), "{command}: {meant:?}");
        // A name may end in a full stop: what it means is found out when it is looked up.
        let named = command.contains("Analyst");
        for way in ways.iter().filter(|way| !named || !way.ends_with(['.', '!']) || way.contains('`')) {
            assert_eq!(typed(&way.replace("{}", command)), meant, "{way} {command}");
        }
        let letters: Vec<String> = command.chars().map(|c| format!("{c}\u{200b}")).collect();
        assert_eq!(typed(&letters.concat()), meant);
        let wide = |c: char| char::from_u32(u32::from(c) + 0xfee0).filter(|_| c.is_ascii_lowercase()).unwrap_or(c);
        if !named {
            assert_eq!(typed(&command.chars().map(wide).collect::<String>()), meant, "{command}");
        }
    }
    for (text, command) in [("*role show* Tier", "role show Tier"), ("\"role show\" Tier", "role show Tier")] {
        assert_eq!(typed(text), typed(command));
    }
    // What belongs to a reason stays in it.
    let reason = |text: &str| match typed(text).unwrap().command {
        Command::Skip { reason, .. } => reason.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason("skip 3 *we* use `that`."), "*we* use `that`.");
    assert_eq!(reason("skip 3 \"said \\\"so\\\"\""), "said \"so\"");
    assert_eq!(reason("*skip* 3 really?"), "really?");
}

#[test]
fn a_name_that_holds_a_keyword_is_read_again_among_the_names() {
    let names = ["Out to lunch", "Syslog as backup", "Doors for staff", "Analyst", "As"];
    let among = |text: &str| {
        let Command::Ask { request: Some(first), said, .. } = typed(text).unwrap().command else { panic!("{text}") };
        let again = said.and_then(|said| said.among(names.into_iter()));
        let meant = again.as_ref().unwrap_or(&first);
        let because = meant.because.as_deref().unwrap_or("–");
        format!("{text} -> {:?} because {because}", meant.wanted)
    };
    let said = [
        "key revoke Out to lunch because it leaked",
        "key revoke out TO\u{a0}lunch",
        "key rotate Syslog as backup as Syslog",
        "key rotate Syslog as new",
        "invite a@x.com as Out to lunch to Paris",
        "invite a@x.com to Paris, Doors for staff as Analyst",
        "role create Lead with Syslog as backup, Doors for staff",
        "key revoke \"Out\" because lunch",
    ];
    assert_snapshot!(said.map(among).join("\n"), @r#"
    key revoke Out to lunch because it leaked -> Revoke { key: "Out to lunch" } because it leaked
    key revoke out TO lunch -> Revoke { key: "out TO lunch" } because –
    key rotate Syslog as backup as Syslog -> Rotate { key: "Syslog as backup", name: Some("Syslog"), expires: None } because –
    key rotate Syslog as new -> Rotate { key: "Syslog", name: Some("new"), expires: None } because –
    invite a@x.com as Out to lunch to Paris -> Invite { addresses: "a@x.com", csv: "", file: None, role: Some("Out to lunch"), communities: ["Paris"], leave_out: false } because –
    invite a@x.com to Paris, Doors for staff as Analyst -> Invite { addresses: "a@x.com", csv: "", file: None, role: Some("Analyst"), communities: ["Paris", "Doors for staff"], leave_out: false } because –
    role create Lead with Syslog as backup, Doors for staff -> Role { name: "Lead", about: None, with: ["Syslog as backup", "Doors for staff"] } because –
    key revoke "Out" because lunch -> Revoke { key: "Out" } because lunch
    "#);
}

#[test]
fn a_suggestion_ends_with_its_question_mark() {
    assert_snapshot!(understood(&["skip comunities because", "help statsu"]), @r#"
    skip comunities because -> "comunities" is not a step: did you mean `communities`?
    help statsu -> "statsu" is not a topic: did you mean `status`?
    "#);
}

#[test]
fn what_is_not_known_is_shown_even_if_it_is_quoted_or_a_person() {
    for (text, shown) in
        [("\"statsu\"", "statsu"), ("“frobnicate it”", "frobnicate it"), ("<@U0BOB|bob> status", "bob")]
    {
        let fault = typed(text).unwrap_err().to_string();
        assert!(fault.contains(shown), "{text} -> {fault}");
    }
}

#[test]
fn a_keyword_where_it_means_nothing_is_not_ignored() {
    let texts = ["due 1 friday days", "due 1 on in 7", "report json markdown"];
    let taken: Vec<_> = texts.iter().filter(|text| typed(text).is_ok()).collect();
    assert!(taken.is_empty(), "{taken:?}");
}

/// Commands in the code spans of these lines that cannot be copied as they stand: without what calls
/// the bot. A step has the name of a command; alone it is the step.
fn bare_commands(source: &str) -> Vec<&str> {
    let program = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
    let spans = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    let is_step = |span: &str| StepId::all().any(|step| step.name() == span);
    let is_command = |span: &&str| {
        let first = span.split(' ').next().unwrap_or_default();
        TABLE.iter().any(|spec| spec.name.split(' ').next() == Some(first)) && !is_step(span)
    };
    spans.filter(is_command).collect()
}

#[test]
fn commands_in_messages_are_written_as_they_are_typed() {
    for (module, source) in rooms::sources(&rooms::src()) {
        // The sandbox speaks of fields, and these two say what follows the word that calls the bot.
        let apart = module[0] == "sandbox" || ["command/table", "command/tasks"].contains(&&*module.join("/"));
        let bare = if apart { Vec::new() } else { bare_commands(&source) };
        assert!(bare.is_empty(), "{}: {bare:?}", module.join("/"));
    }
    let lines =
        "// `status`\n\"`status` shows it, `/sekoia next` and `users` do not: `users 2`\"\n#[cfg(test)]\n`next`";
    assert_eq!(bare_commands(lines), ["status", "users 2"]);
}
