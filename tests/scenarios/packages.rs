//! What a package holds beside the program: completions and manual pages; and versions that are the program's.

use std::path::Path;
use std::process::Command;

use sekoia_chatops::config::VARIABLES;
use serde_json::Value;
use tempfile::TempDir;

use super::program::{run, run_in};

const SUBCOMMANDS: [&str; 8] = ["serve", "demo", "sandbox", "manifest", "mattermost", "audit", "completions", "man"];

#[test]
fn every_shell_gets_a_script_that_knows_every_subcommand() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run(&format!("completions {shell}"), &[]);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{shell}");
        let missing: Vec<_> = SUBCOMMANDS.iter().filter(|name| !ran.out.contains(**name)).collect();
        assert!(missing.is_empty(), "{shell}: {missing:?}");
    }
    let ran = run("completions csh", &[]);
    assert!(ran.code == 2 && ran.err.contains("bash, elvish, fish, powershell, zsh"), "{ran}");
}

/// What bash offers behind these words, the last of which is not finished.
fn offered(words: &[&str]) -> String {
    let directory = TempDir::new().unwrap();
    let script = directory.path().join("script");
    std::fs::write(&script, run("completions bash", &[]).out).unwrap();
    let ask = r#"
        source "$1"; shift
        COMP_WORDS=(sekoia-chatops "$@"); COMP_CWORD=$#
        function_of=$(complete -p sekoia-chatops | sed -E 's/.*-F ([^ ]+) .*/\1/')
        "$function_of" sekoia-chatops "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        echo "${COMPREPLY[*]}"
    "#;
    let out = Command::new("bash").args(["-c", ask, "bash"]).arg(&script).args(words).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

#[test]
fn bash_completes_subcommands_and_their_options() {
    assert_eq!(offered(&["aud"]), "audit");
    assert_eq!(offered(&["audit", "ver"]), "verify");
    assert_eq!(offered(&["audit", "export", "--format", ""]), "json csv");
    assert_eq!(offered(&["manifest", "slack", "--ur"]), "--url");
}

#[test]
fn the_manual_page_names_every_subcommand_and_every_setting() {
    let ran = run("man", &[]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
    let text = ran.out.replace('\\', "");
    for section in [".SH NAME", ".SH SYNOPSIS", ".SH SUBCOMMANDS", ".SH VERSION", ".SH ENVIRONMENT", ".SH EXIT STATUS"]
    {
        assert_eq!(text.lines().filter(|line| *line == section).count(), 1, "{section}\n{text}");
    }
    let subcommands = SUBCOMMANDS.iter().map(|name| format!("sekoia-chatops-{name}(1)"));
    let settings = VARIABLES.iter().map(|variable| variable.name.to_owned());
    let missing: Vec<String> = subcommands.chain(settings).filter(|name| !text.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}\n{text}");
}

#[test]
fn every_page_that_the_manual_refers_to_is_written() {
    let directory = TempDir::new().unwrap();
    let ran = run_in(directory.path(), "man --output share/man1", &[]);
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "", ""));
    let folder = directory.path().join("share/man1");
    let main = std::fs::read_to_string(folder.join("sekoia-chatops.1")).unwrap();
    assert_eq!(main, run("man", &[]).out);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let page = std::fs::read_to_string(entry.unwrap().path()).unwrap().replace('\\', "");
        let names = page.split_whitespace().filter_map(|word| word.split_once("(1)")).map(|(name, _)| name);
        for name in names.filter(|name| name.starts_with("sekoia-chatops-")) {
            assert!(folder.join(format!("{name}.1")).is_file(), "{name}");
        }
    }
    assert!(folder.join("sekoia-chatops-audit-verify.1").is_file());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("taken"), "").unwrap();
    let ran = run_in(directory.path(), "man --output taken", &[]);
    assert_eq!((ran.code, &*ran.out), (1, ""));
    assert!(ran.err.starts_with("error: Cannot write the pages into taken: "), "{ran}");
}

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_chart_and_the_compose_file_are_of_this_version_and_the_image_of_this_rust() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = file("manifests/helm/sekoia-chatops/Chart.yaml");
    for line in [format!("version: {version}"), format!("appVersion: {version}")] {
        assert!(chart.lines().any(|found| found == line), "Chart.yaml has no line {line:?}");
    }
    let image = format!("sekoia-chatops:{version}");
    assert!(file("manifests/container/compose.yaml").contains(&image), "compose.yaml names no {image}");
    let rust = format!("rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(file("manifests/container/Containerfile").contains(&rust), "Containerfile names no {rust}");
}

#[test]
fn the_chart_refuses_every_secret_among_its_settings() {
    let schema: Value = serde_json::from_str(&file("manifests/helm/sekoia-chatops/values.schema.json")).unwrap();
    let settings = &schema["properties"]["settings"]["properties"];
    let is_secret = |name: &str| ["_KEY", "_SECRET", "_TOKEN"].iter().any(|end| name.ends_with(end));
    let secrets = VARIABLES.iter().map(|variable| variable.name).filter(|name| is_secret(name));
    let accepted: Vec<&str> = secrets.filter(|name| settings[*name] != Value::Bool(false)).collect();
    assert!(accepted.is_empty(), "{accepted:?}");
}
