//! Templates of plans: parameters in texts.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use proptest::prelude::*;
use sekoia_chatops::domain::plan::file::read;
use sekoia_chatops::domain::plan::template::{fill, parameters};

const CLIENT: &str = r#"# For {{nobody}}.
[[communities]]
name = "{{client}}"
about = 'SOC of {{ client }}'

[[communities]]
name = "{{client}} {{unit-1}}"
about = """
{{client}}, "second\" line"""
"#;

fn values(all: &[(&str, &str)]) -> BTreeMap<Box<str>, Box<str>> {
    all.iter().map(|(name, value)| (Box::from(*name), Box::from(*value))).collect()
}

fn faults(text: &str, all: &[(&str, &str)]) -> String {
    let faults = fill(text, &values(all)).expect_err("faults");
    assert!(faults.is_sorted());
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

#[test]
fn parameters_are_filled_in_texts_alone() {
    assert_eq!(parameters(CLIENT).iter().map(|name| &**name).collect::<Vec<_>>(), ["client", "unit-1"]);
    let filled = fill(CLIENT, &values(&[("client", "Acme {{unit-1}} & Co"), ("unit-1", "A\" \\ é")])).unwrap();
    assert_snapshot!(filled, @r#"
    # For {{nobody}}.
    [[communities]]
    name = "Acme {{unit-1}} & Co"
    about = 'SOC of Acme {{unit-1}} & Co'

    [[communities]]
    name = "Acme {{unit-1}} & Co A\" \\ é"
    about = """
    Acme {{unit-1}} & Co, "second\" line"""
    "#);
    let communities = read(&filled).unwrap().communities.unwrap();
    assert_eq!(&*communities[1].name, "Acme {{unit-1}} & Co A\" \\ é");
    // A file without any is a plan.
    assert_eq!(fill("region = \"FRA1\"\n", &values(&[])).as_deref(), Ok("region = \"FRA1\"\n"));
}

#[test]
fn what_is_missing_or_too_much_is_said_at_once() {
    assert_snapshot!(faults(CLIENT, &[("clint", "Acme")]), @r#"
    1:1: The template has no parameter called "clint". Did you mean "client"?
    3:9: The template needs client. Give it, like client="Acme".
    7:20: The template needs unit-1. Give it, like unit-1="Acme".
    "#);
    assert_snapshot!(faults("region = \"FRA1\"\n", &[("client", "Acme")]), @r#"1:1: The template has no parameter called "client". It has none: leave it out."#);
    assert_snapshot!(faults(CLIENT, &[("client", "O'Neill"), ("unit-1", " ")]), @r#"
    4:17: The value of client has a '. Write this text in double quotes.
    7:20: The value of unit-1 is empty. Give it, like unit-1="Acme".
    "#);
    let long = "é".repeat(101);
    for (value, why) in
        [("a\nb", "U+000A"), ("a\u{202e}b", "U+202E"), ("a\0", "U+0000"), (long.as_str(), "101 characters")]
    {
        let said = faults(CLIENT, &[("client", value), ("unit-1", "x")]);
        assert!(said.starts_with("3:9: The value of client h") && said.contains(why), "{value:?}: {said}");
    }
    assert!(fill(CLIENT, &values(&[("client", &"é".repeat(100)), ("unit-1", "x")])).is_ok());
}

#[test]
fn what_looks_like_a_parameter_and_is_none_is_refused() {
    assert_snapshot!(faults(r#"
products = [{{product}}]
region = "{{}}"
[[communities]]
name = "{{client"
[[communities]]
name = "{{two words}} {{client}}"
[hardening]
session_timeout = "{{a\nb}}"
"#, &[]), @r#"
    2:13: A parameter outside of a text. Write a parameter in a text, like "{{client}} analysts".
    3:11: "{{}}" is no parameter: its name has letters, digits, - and _. Write a parameter in a text, like "{{client}} analysts".
    5:9: "{{client" is no parameter: its name has letters, digits, - and _. Write a parameter in a text, like "{{client}} analysts".
    7:9: "{{two words}} {{client}}" is no parameter: its name has letters, digits, - and _. Write a parameter in a text, like "{{client}} analysts".
    7:23: The template needs client. Give it, like client="Acme".
    9:20: "{{a\nb}}" is no parameter: its name has letters, digits, - and _. Write a parameter in a text, like "{{client}} analysts".
    "#);
    // Tables of one line mean what they always mean.
    assert_eq!(parameters("keys = [{ name = \"a\" }, {name=\"{{b}}\"}]\na = {b = {c = 1}}"), ["b".into()]);
}

proptest! {
    /// Whatever a value is, it changes nothing but the texts in which it stands.
    #[test]
    fn a_value_stays_in_its_text(value in "[\\PC\"\\\\'#=\\[\\]{}]{1,30}") {
        let template = "[[communities]]\nname = \"x\"\nabout = \"a {{v}} b\"\n[[roles]]\nname = \"y\"\nabout = \"\"\"0123456789\n{{v}}.\"\"\"\n";
        let Ok(filled) = fill(template, &values(&[("v", &value)])) else { return Ok(()) };
        let plan = read(&filled).unwrap();
        let text = format!("a {value} b");
        let about = plan.communities.unwrap().remove(0).about.unwrap();
        prop_assert_eq!(&*about, &*sekoia_chatops::chat::text::clean(&text));
        prop_assert_eq!(plan.roles.unwrap().len(), 1);
    }

    #[test]
    fn any_text_has_parameters_or_faults(text in "[a-z{}\"'#=\n \\\\é]{0,80}", value in "\\PC{1,10}") {
        let names = parameters(&text);
        let all = names.iter().map(|name| (name.clone(), Box::from(value.as_str()))).collect();
        if let Ok(filled) = fill(&text, &all) {
            prop_assert_eq!(filled.matches('\n').count(), text.matches('\n').count());
        }
    }
}
