//! The map in `src/lib.rs` tells the truth: imports go down it, never up, and the domain is pure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rooms that the top of `src` may have, with `main.rs` and without `lib.rs`.
const MOST_ROOMS: usize = 18;

/// What nothing in `domain/` may name: it neither waits nor asks nor reads a clock.
const IMPURE: [&str; 16] = [
    "tokio",
    "sqlx",
    "reqwest",
    "axum",
    "hyper",
    "async",
    "await",
    "async_trait",
    "futures_util",
    "ChatPlatform",
    "Chats",
    "SystemTime",
    "Instant",
    "now",
    "fs",
    "env",
];

/// The rooms of the map, the topmost first.
fn map() -> Vec<String> {
    let lib = std::fs::read_to_string(src().join("lib.rs")).unwrap();
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let rooms: Vec<String> = rows.filter_map(|row| Some(row.split_once("`]")?.0.to_owned())).collect();
    let declared: BTreeSet<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(rooms.iter().map(String::as_str).collect::<BTreeSet<_>>(), declared, "the map lists every room");
    assert!(rooms.len() < MOST_ROOMS, "{} rooms", rooms.len());
    ["main".to_owned()].into_iter().chain(rooms).collect()
}

pub(super) fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file below `folder`, by its path in `src` without `.rs` and `mod`.
pub(super) fn sources(folder: &Path) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path.strip_prefix(src()).unwrap().with_extension("");
            let mut module: Vec<String> = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            module.pop_if(|last| last == "mod");
            found.push((module, std::fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// A file's words and signs, without its comments. What stands in strings counts too: rather an
/// import too many than one too few.
fn words(source: &str) -> Vec<&str> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut words = Vec::new();
    for line in code {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let name = |c: char| c.is_alphanumeric() || c == '_';
            let length = match rest.find(|c| !name(c)) {
                _ if rest.starts_with("::") => 2,
                Some(0) => first.len_utf8(),
                Some(end) => end,
                None => rest.len(),
            };
            words.push(&rest[..length]);
            rest = rest[length..].trim_start();
        }
    }
    words
}

/// What a file of the module at this depth names of the crate's root: `crate::bot`, the parts of
/// `crate::{bot, chat}`, and `super::bot` from a file at the top.
fn named(words: &[&str], depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let supers = words[at..].chunks(2).take_while(|pair| *pair == ["super", "::"]).count();
        let (root, length) = match words[at..] {
            ["crate" | "sekoia_chatops", "::", ..] => (true, 2),
            // Deeper inside a file, in its tests, one `super` more leads to the root: whatever has a
            // room's name is taken for it.
            _ if supers > 0 => (supers >= depth, 2 * supers),
            _ => (false, 1),
        };
        at += length;
        if !root {
            continue;
        }
        match words.get(at) {
            Some(&"{") => {
                let mut inside = 0;
                for (place, word) in words.iter().enumerate().skip(at) {
                    match *word {
                        "{" => inside += 1,
                        "}" => inside -= 1,
                        _ => {}
                    }
                    if inside == 0 {
                        break;
                    }
                    if inside == 1 && matches!(*word, "{" | ",") {
                        found.extend(words.get(place + 1).map(|&word| word.to_owned()));
                    }
                }
            }
            Some(word) => found.push((*word).to_owned()),
            None => {}
        }
    }
    found
}

/// The imports of a file that do not go down the map.
fn upwards(map: &[String], module: &[String], source: &str) -> Vec<String> {
    let Some(room) = module.first().filter(|first| *first != "lib") else { return Vec::new() };
    let floor = |name: &str| map.iter().position(|other| other == name);
    let here = floor(room).unwrap_or_else(|| panic!("{room} is not on the map"));
    let names = named(&words(source), module.len());
    let up = names.into_iter().filter(|name| floor(name).is_some_and(|there| there < here));
    up.map(|name| format!("{} imports {name}", module.join("::"))).collect()
}

/// What makes a file of the domain impure.
fn impurities(source: &str) -> Vec<&str> {
    let words = words(source);
    let places = words.iter().enumerate().filter(|(place, word)| match **word {
        // Fields and arguments may be called so.
        "now" | "fs" | "env" => *place > 0 && words[place - 1] == "::",
        word => IMPURE.contains(&word),
    });
    places.map(|(_, word)| *word).collect()
}

#[test]
fn imports_go_down_the_map() {
    let map = map();
    let all = sources(&src());
    assert!(all.len() > 200, "{} files", all.len());
    let up: Vec<String> = all.iter().flat_map(|(module, source)| upwards(&map, module, source)).collect();
    assert!(up.is_empty(), "{up:#?}");
}

#[test]
fn the_domain_neither_waits_nor_asks_nor_reads_a_clock() {
    let all = sources(&src().join("domain"));
    assert!(all.len() > 50, "{} files", all.len());
    for (module, source) in &all {
        assert_eq!(impurities(source), [""; 0], "{}", module.join("::"));
    }
}

#[test]
fn an_import_that_goes_up_is_found_however_it_is_written() {
    let map = map();
    let up = |module: &str, source: &str| {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        upwards(&map, &module, source).len()
    };
    assert_eq!(up("domain::notify", "use crate::bot::Bot;"), 1);
    assert_eq!(up("domain::notify", "use crate::{chat::{self, view::View}, bot, state::{rules, feed}};"), 2);
    assert_eq!(up("domain::notify", "fn f() -> crate::bot::Bot { todo!() }"), 1);
    assert_eq!(up("domain::notify", "use super::super::store::Store;\n    use super::super::bot::Bot;"), 1);
    assert_eq!(up("pace", "use super::bot;"), 1);
    assert_eq!(up("bot", "pub(in crate::bot) fn f() {}\nuse crate::platform::slack;"), 1);
    assert_eq!(up("bot", "use crate::chat::ids; use crate::config::Config; use super::pace; use self::access;"), 0);
    assert_eq!(up("chat::view", "// use crate::bot::Bot;\n/// See [`crate::bot`].\nuse crate::pace::Rank;"), 0);
    assert_eq!(up("main", "fn main() { sekoia_chatops::cli::run() }"), 0);
}

#[test]
fn what_is_impure_is_found() {
    for bad in [
        "async fn f() {}",
        "use tokio::sync::Mutex;",
        "let now = Timestamp::now();",
        "let at = jiff::Zoned::now();",
        "use sqlx::query;",
        "fn f(_: &dyn ChatPlatform) {}",
        "let read = std::fs::read(path);",
        "let home = std::env::var(\"HOME\");",
    ] {
        assert_eq!(impurities(bad).len(), 1, "{bad}");
    }
    assert!(impurities("/// Not [`Timestamp::now`].\nfn f(now: Timestamp) -> bool { self.now <= now }").is_empty());
}
