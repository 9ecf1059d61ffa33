//! The documentation: its links lead somewhere, and what it quotes from the program is in the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use sekoia_chatops::command::table_in_markdown;
use sekoia_chatops::config::VARIABLES;

use super::rooms;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn book() -> PathBuf {
    root().join("docs/src")
}

/// Every file below `folder` with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Not through the link to the pictures.
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn events(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// What a page links to, pictures too, but for other hosts.
fn links(text: &str) -> Vec<String> {
    let to = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
        _ => None,
    };
    let elsewhere = |link: &String| ["https://", "http://", "mailto:"].iter().any(|start| link.starts_with(start));
    events(text).filter_map(to).filter(|link| !elsewhere(link)).collect()
}

/// The headings of a page: level, text, and whether all of it is code.
fn headings(text: &str) -> Vec<(HeadingLevel, String, bool)> {
    let mut found = Vec::new();
    let mut open: Option<(HeadingLevel, String, bool)> = None;
    for event in events(text) {
        match (event, &mut open) {
            (Event::Start(Tag::Heading { level, .. }), _) => open = Some((level, String::new(), true)),
            (Event::End(TagEnd::Heading(_)), _) => found.extend(open.take()),
            (Event::Code(code), Some((_, text, _))) => text.push_str(&code),
            (Event::Text(words), Some((_, text, code))) => {
                text.push_str(&words);
                *code = false;
            }
            _ => {}
        }
    }
    found
}

/// The anchors of a page, as mdBook and GitHub make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let anchor = |(_, heading, _): (HeadingLevel, String, bool)| {
        let heading = heading.to_lowercase();
        let kept = heading.chars().filter_map(|c| match c {
            c if c.is_whitespace() => Some('-'),
            c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c),
            _ => None,
        });
        let name: String = kept.collect();
        let before = times.entry(name.clone()).or_default();
        *before += 1;
        if *before == 1 { name } else { format!("{name}-{}", *before - 1) }
    };
    headings(text).into_iter().map(anchor).collect()
}

/// Without `..`, and without asking the file system.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// What is wrong with a link of the page at `from`.
fn dead(from: &Path, text: &str, link: &str) -> Option<String> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let to = if path.is_empty() { from.to_owned() } else { plain(&from.parent()?.join(path)) };
    if !to.exists() {
        return Some("there is no such file".to_owned());
    }
    if from.starts_with(book()) && !to.starts_with(book()) {
        return Some("it leads out of the book, which is published alone".to_owned());
    }
    let there = if to == from { text.to_owned() } else { anchor.map_or_else(String::new, |_| read(&to)) };
    let found = anchor.is_none_or(|anchor| anchors(&there).contains(anchor));
    (!found).then(|| "there is no such heading".to_owned())
}

#[test]
fn no_link_is_dead() {
    let mut pages = files(&book(), "md");
    pages.extend(files(&root().join("manifests"), "md"));
    pages.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)));
    let mut count = 0;
    let mut faults = Vec::new();
    for page in &pages {
        let text = read(page);
        for link in links(&text) {
            count += 1;
            faults.extend(dead(page, &text, &link).map(|why| format!("{}: {link}: {why}", page.display())));
        }
    }
    assert!(count > 50, "{count} links");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_dead_link_is_found() {
    let page = book().join("introduction.md");
    let text = "# Here\n\n[a](nowhere.md) [b](#here) [c](#there) [d](commands.md#commands) [e](commands.md#nothing) \
                [f](../../README.md) ![g](images/none.png) [h](https://example.com)";
    let wrong: Vec<String> = links(text).into_iter().filter(|link| dead(&page, text, link).is_some()).collect();
    assert_eq!(wrong, ["nowhere.md", "#there", "commands.md#nothing", "../../README.md", "images/none.png"]);
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let summary = book().join("SUMMARY.md");
    let listed: Vec<PathBuf> = links(&read(&summary)).iter().map(|link| book().join(link)).collect();
    let once: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), once.len(), "a page is listed twice");
    let pages: BTreeSet<_> = files(&book(), "md").into_iter().filter(|page| *page != summary).collect();
    assert_eq!(once, pages);
}

/// What a newcomer has to find in the README itself.
const FROM_THE_README: [&str; 12] = [
    "commands.md",
    "configuration.md",
    "install/kubernetes.md",
    "install/mattermost.md",
    "install/network.md",
    "install/slack.md",
    "operating/doctor.md",
    "operating/monitoring.md",
    "operating/upkeep.md",
    "permissions.md",
    "security.md",
    "troubleshooting.md",
];

#[test]
fn the_readme_is_short_and_leads_everywhere() {
    let path = root().join("README.md");
    let text = read(&path);
    let page = |link: String| link.split('#').next().map(|path| root().join(path));
    let there: BTreeSet<PathBuf> = links(&text).into_iter().filter_map(page).collect();
    for name in FROM_THE_README {
        assert!(there.contains(&book().join(name)), "README.md has no link to docs/src/{name}");
    }
    let words = text.split_whitespace().count();
    assert!(words < 700, "README.md has {words} words, which nobody reads in three minutes: move some into the book");
}

/// What stands in code: a line each.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut block = false;
    for event in events(text) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => block = true,
            Event::End(TagEnd::CodeBlock) => block = false,
            Event::Text(words) if block => code.push_str(&words),
            Event::Code(words) => code.push_str(&format!("{words}\n")),
            _ => {}
        }
    }
    code.replace("\\\n", " ")
}

/// The program's own command lines in a text, without its name. A line can have several, and the name can be
/// a user's or a container's: then it is not followed by a word.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    const ENDS: [&str; 5] = ["|", ">", "&&", ";", "#"];
    let is_word = |word: &str| word.chars().all(|c| c.is_ascii_lowercase());
    let mut found = Vec::new();
    for line in code(text).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for (at, word) in words.iter().enumerate() {
            let user = at > 0 && words[at - 1] == "-u";
            let rest = words[at + 1..].iter().copied().take_while(|word| !ENDS.contains(word));
            let rest: Vec<String> = rest.map(str::to_owned).collect();
            let is_ours = *word == "sekoia-chatops" || word.ends_with("/sekoia-chatops");
            if is_ours && !user && rest.first().is_some_and(|first| is_word(first)) {
                found.push(rest);
            }
        }
    }
    found
}

/// What `--help` says behind these subcommands.
fn help(subcommands: &[String]) -> String {
    let program = Command::new(env!("CARGO_BIN_EXE_sekoia-chatops")).args(subcommands).arg("--help").output().unwrap();
    assert!(program.status.success(), "{subcommands:?}");
    String::from_utf8(program.stdout).unwrap()
}

/// The names of subcommands in a help text.
fn subcommands(help: &str) -> Vec<&str> {
    let list = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    list.lines().map_while(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect()
}

#[test]
fn the_command_lines_in_the_documents_exist() {
    let mut pages = files(&book(), "md");
    pages.extend(files(&root().join("manifests"), "md"));
    pages.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut count = 0;
    for page in &pages {
        for line in command_lines(&read(page)) {
            count += 1;
            let mut path = Vec::new();
            let mut said = helps.entry(path.clone()).or_insert_with_key(|path| help(path)).clone();
            while let Some(next) = line.get(path.len()).filter(|next| subcommands(&said).contains(&next.as_str())) {
                path.push(next.clone());
                said = helps.entry(path.clone()).or_insert_with_key(|path| help(path)).clone();
            }
            assert!(!path.is_empty(), "{}: {line:?} is no subcommand", page.display());
            for option in line.iter().filter(|word| word.len() > 2 && word.starts_with("--")) {
                let option = option.split('=').next().unwrap_or_default();
                assert!(said.contains(option), "{}: {path:?} has no {option}", page.display());
            }
        }
    }
    assert!(count > 30, "{count} command lines");
}

#[test]
fn a_command_line_is_found_where_it_is_one() {
    let text = "`sekoia-chatops audit verify` sekoia-chatops is\n\n```sh\nsudo -u sekoia-chatops env A=b sekoia-chatops \\\n  \
                backup a.db --with-key && podman exec sekoia-chatops /usr/bin/sekoia-chatops serve\nhelm upgrade sekoia-chatops \
                manifests/helm\n```";
    let lines: Vec<String> = command_lines(text).iter().map(|line| line.join(" ")).collect();
    assert_eq!(lines, ["audit verify", "backup a.db --with-key", "serve"]);
}

/// What the program may say: its sources, with strings that go on in the next line put together.
fn said_by_the_program() -> String {
    let mut all = String::new();
    for (_, source) in rooms::sources(&rooms::src()) {
        let mut rest = source.as_str();
        while let Some((before, after)) = rest.split_once("\\\n") {
            all.push_str(before);
            rest = after.trim_start();
        }
        all.push_str(rest);
    }
    all.replace("\\\"", "\"")
}

#[test]
fn the_messages_in_troubleshooting_are_the_programs() {
    let said = said_by_the_program();
    let page = read(&book().join("troubleshooting.md"));
    let messages: Vec<String> =
        headings(&page).into_iter().filter(|(_, _, code)| *code).map(|(_, text, _)| text).collect();
    assert!(messages.len() > 30, "{}", messages.len());
    for message in messages {
        for part in message.split('…').map(|part| part.trim_matches([' ', '?'])).filter(|part| !part.is_empty()) {
            assert!(said.contains(part), "{message:?}: nothing says {part:?}");
        }
    }
}

/// The names of settings in a text: words that begin as settings do.
fn settings(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    let ours = ["CHATOPS_", "SEKOIA_", "SLACK_", "MATTERMOST_"];
    words
        .filter(|word| ours.iter().any(|prefix| word.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty())))
        .collect()
}

/// Names that are no settings of the bot: of its tests, and of one of its subcommands.
const OTHERS: [&str; 2] = ["MATTERMOST_DIR", "MATTERMOST_ADMIN_TOKEN"];

#[test]
fn the_settings_in_the_documents_and_manifests_exist() {
    let known: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).chain(OTHERS).collect();
    let mut places = files(&book(), "md");
    places.push(root().join("README.md"));
    for extension in ["md", "yaml", "tpl", "json", "txt", "service", "toml"] {
        places.extend(files(&root().join("manifests"), extension));
    }
    for place in ["container/Containerfile", "container/Caddyfile"] {
        places.push(root().join("manifests").join(place));
    }
    for place in places {
        let text = read(&place);
        // A name that is cut, as in `MATTERMOST_…`, is none.
        let unknown: Vec<&str> = settings(&text).into_iter().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", place.display());
    }
}

#[test]
fn the_configuration_lists_every_setting_once() {
    let page = read(&book().join("configuration.md"));
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let rows: Vec<&str> = cells.flat_map(|cell| cell.split(['`', ',', ' '])).collect();
    for variable in VARIABLES {
        let count = rows.iter().filter(|row| **row == variable.name).count();
        assert_eq!(count, 1, "{} has {count} rows in docs/src/configuration.md", variable.name);
    }
}

const BEGIN: &str = "<!-- commands -->";
const END: &str = "<!-- /commands -->";

#[test]
fn the_commands_of_the_book_are_the_tables() {
    let path = book().join("commands.md");
    let page = read(&path);
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (block, after) = rest.split_once(END)?;
        Some((before, block, after))
    });
    let Some((before, block, after)) = parts else {
        panic!(
            "docs/src/commands.md has no block between {BEGIN} and {END}: put the two markers where the commands go"
        );
    };
    let table = table_in_markdown();
    if block.trim() == table.trim() {
        return;
    }
    if std::env::var_os("UPDATE_BOOK").is_some() {
        fs::write(&path, format!("{before}{BEGIN}\n{}\n{END}{after}", table.trim())).expect("the page can be written");
        return;
    }
    panic!(
        "docs/src/commands.md does not list the commands as src/command/table.rs has them. Correct it with:\n\n    \
         UPDATE_BOOK=1 cargo test --test it -- the_commands_of_the_book\n"
    );
}
