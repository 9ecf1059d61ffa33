//! The words of sensitive requests: typed with keywords, or the answers of a form in its order.

use super::args::{Args, is, list, text};
use super::lexer::Word;
use super::parse::days;
use super::spec::Spec;
use super::{Command, Fault};
use crate::chat::text::fold;
use crate::domain::action::{Expiry, Kind, Request, RequestedAction};
use crate::domain::approval::ApprovalId;

type Parsed = Result<Command, Fault>;

/// Stands before the answers of a form: what a person types never begins so by accident.
pub const FORM: &str = "--form";
const BECAUSE: &str = "because";
/// Everything that ends a name which was typed without quotes.
const KEYWORDS: [&str; 7] = ["as", "to", "with", "for", "about", "expires", BECAUSE];

/// A request as it was typed. `key revoke Out to lunch because it leaked` is read again once it is
/// known what things are called: a name that holds a keyword is then one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    spec: &'static Spec,
    words: Vec<Word>,
}

impl Typed {
    /// None where no name could be mistaken.
    fn of(spec: &'static Spec, words: &[Word]) -> Option<Self> {
        let doubtful = words.iter().any(|word| KEYWORDS.iter().any(|keyword| is(word, keyword)));
        doubtful.then(|| Self { spec, words: words.to_vec() })
    }

    /// The request if these are names; none if that changes nothing, or leads nowhere.
    pub fn among<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<Request> {
        // A name of one word that is a keyword takes quotes.
        let doubtful = |name: &String| name.contains(' ') && name.split(' ').any(|word| KEYWORDS.contains(&word));
        let names = names.map(fold).filter(doubtful);
        let mut names: Vec<Vec<String>> = names.map(|name| name.split(' ').map(str::to_owned).collect()).collect();
        names.sort_unstable_by_key(|name| std::cmp::Reverse(name.len()));
        if names.is_empty() {
            return None;
        }
        let mut words = Vec::new();
        let mut rest = self.words.as_slice();
        while let Some(word) = rest.first() {
            if let Some(name) = names.iter().find(|name| begins(rest, name)) {
                let (taken, behind) = rest.split_at(name.len());
                let said = text(taken.to_vec());
                words.push(Word::Value(said.trim_end_matches(',').to_owned()));
                if said.ends_with(',') {
                    words.push(Word::Bare(",".into()));
                }
                rest = behind;
            } else {
                words.push(word.clone());
                rest = &rest[1..];
            }
        }
        if words == self.words {
            return None;
        }
        let mut args = Args::new(self.spec, words, "");
        let command = (self.spec.parse)(self.spec, &mut args).ok()?;
        args.finish().ok()?;
        match command {
            Command::Ask { request, .. } => request,
            _ => None,
        }
    }
}

/// Whether the first words are this name, a comma behind it set aside.
fn begins(words: &[Word], name: &[String]) -> bool {
    let bare = |(i, word): (usize, &Word)| match word {
        Word::Bare(text) if i + 1 == name.len() => fold(text.trim_end_matches(',')) == name[i],
        Word::Bare(text) => fold(text) == name[i],
        Word::Value(_) | Word::Person { .. } => false,
    };
    words.len() >= name.len() && words.iter().take(name.len()).enumerate().all(bare)
}

/// Without anything, or with what a form answered, or with words.
fn ask(
    kind: Kind,
    args: &mut Args<'_>,
    answered: impl FnOnce(&mut Args<'_>) -> Result<RequestedAction, Fault>,
    typed: impl FnOnce(&mut Args<'_>) -> Result<RequestedAction, Fault>,
) -> Parsed {
    let said = Typed::of(args.spec, args.all());
    let dry_run = args.flag("dry-run");
    if args.is_empty() {
        return Ok(Command::Ask { kind, request: None, said: None });
    }
    let form = args.keyword(FORM);
    let said = said.filter(|_| !form);
    let community = if form { args.answer() } else { None };
    let wanted = if form { answered(args)? } else { typed(args)? };
    let because = if form {
        args.answer()
    } else if args.keyword(BECAUSE) {
        Some(args.rest().ok_or_else(|| args.missing("the reason"))?)
    } else {
        None
    };
    Ok(Command::Ask { kind, request: Some(Request { wanted, because, community, dry_run }), said })
}

/// The values of a choice of several.
fn chosen(args: &mut Args<'_>) -> Vec<String> {
    let answer = args.answer().unwrap_or_default();
    answer.split(',').map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()).collect()
}

/// What a form answers where rows that are no people are left out.
pub const LEAVE_OUT: &str = "leave-out";

pub(super) fn invite(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let mut parsed = ask(
        Kind::Invite,
        args,
        |args| {
            let (addresses, csv) = (args.answer().unwrap_or_default(), args.answer().unwrap_or_default());
            let (role, communities) = (args.answer(), chosen(args));
            Ok(RequestedAction::Invite { addresses, csv, file: None, role, communities, leave_out: false })
        },
        |args| {
            let leave_out = args.flag(LEAVE_OUT);
            let words = args.until(&["as", "to", BECAUSE]);
            let (file, addresses) = match words.split_first() {
                Some((Word::Bare(from), name)) if from.eq_ignore_ascii_case("from") => {
                    let name = text(name.to_vec());
                    if name.is_empty() {
                        return Err(args.missing("the name of the file"));
                    }
                    (Some(name), String::new())
                }
                _ => (None, pasted(words)),
            };
            if file.is_none() && addresses.is_empty() {
                return Err(args.missing("at least one e-mail address"));
            }
            let mut role = args.behind("as", &["to", BECAUSE])?.map(text);
            let communities = args.behind("to", &["as", BECAUSE])?.map(list).unwrap_or_default();
            if role.is_none() {
                role = args.behind("as", &[BECAUSE])?.map(text);
            }
            Ok(RequestedAction::Invite { addresses, csv: String::new(), file, role, communities, leave_out })
        },
    )?;
    // The form's last field: forms that were opened by an older version do not have it.
    if let Command::Ask { request: Some(Request { wanted, community: Some(_), .. }), .. } = &mut parsed
        && let RequestedAction::Invite { leave_out, .. } = wanted
    {
        *leave_out = args.answer().as_deref() == Some(LEAVE_OUT);
    }
    Ok(parsed)
}

/// People as they were pasted: the quotes around a name belong to the list.
fn pasted(words: Vec<Word>) -> String {
    let quoted = |word| match word {
        Word::Value(name) if !name.contains(['@', '"']) => Word::Bare(format!("\"{name}\"")),
        word => word,
    };
    text(words.into_iter().map(quoted).collect())
}

pub(super) fn resend(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    if args.is_empty() {
        return Err(args.missing("whose invitation: an e-mail address, or a request's id"));
    }
    let typed = |args: &mut Args<'_>| Ok(RequestedAction::Resend { whose: text(args.until(&[BECAUSE])) });
    ask(Kind::Invite, args, typed, typed)
}

pub(super) fn community_create(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    ask(
        Kind::CommunityCreate,
        args,
        |args| {
            let names = args.answer().unwrap_or_default();
            let names = names.lines().map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect();
            Ok(RequestedAction::Communities { names, about: args.answer() })
        },
        |args| {
            let names = list(args.until(&["about", BECAUSE]));
            if names.is_empty() {
                return Err(args.missing("a name"));
            }
            Ok(RequestedAction::Communities { names, about: args.behind("about", &[BECAUSE])?.map(text) })
        },
    )
}

pub(super) fn role_create(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    ask(
        Kind::RoleCreate,
        args,
        |args| {
            let (name, about) = (args.answer().unwrap_or_default(), args.answer());
            let mut with: Vec<String> = args.answer().into_iter().collect();
            with.extend(chosen(args));
            Ok(RequestedAction::Role { name, about, with })
        },
        |args| {
            let name = text(args.until(&["with", "about", BECAUSE]));
            if name.is_empty() {
                return Err(args.missing("a name"));
            }
            let with = args.behind("with", &["about", BECAUSE])?.map(list).unwrap_or_default();
            Ok(RequestedAction::Role { name, with, about: args.behind("about", &[BECAUSE])?.map(text) })
        },
    )
}

pub(super) fn key_create(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    const WORDS: [&str; 5] = ["for", "with", "about", "expires", BECAUSE];
    ask(
        Kind::KeyCreate,
        args,
        |args| {
            let (name, about, preset) = (args.answer().unwrap_or_default(), args.answer(), args.answer());
            let with = chosen(args);
            let expires = args.answer().map(|word| expiry(args, &word)).transpose()?;
            Ok(RequestedAction::Key { name, preset, with, about, expires })
        },
        |args| {
            let name = text(args.until(&WORDS));
            if name.is_empty() {
                return Err(args.missing("a name"));
            }
            let (mut preset, mut with, mut about, mut expires) = (None, Vec::new(), None, None);
            // In whatever order they come.
            loop {
                if let Some(words) = args.behind("for", &WORDS)? {
                    preset = Some(text(words));
                } else if let Some(words) = args.behind("with", &WORDS)? {
                    with = list(words);
                } else if let Some(words) = args.behind("about", &WORDS)? {
                    about = Some(text(words));
                } else if let Some(words) = args.behind("expires", &WORDS)? {
                    expires = Some(expiry(args, &text(words))?);
                } else {
                    return Ok(RequestedAction::Key { name, preset, with, about, expires });
                }
            }
        },
    )
}

pub(super) fn key_revoke(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    ask(
        Kind::KeyRevoke,
        args,
        |args| Ok(RequestedAction::Revoke { key: args.answer().unwrap_or_default() }),
        |args| Ok(RequestedAction::Revoke { key: text(args.until(&[BECAUSE])) }),
    )
}

pub(super) fn key_rotate(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    ask(
        Kind::KeyRotate,
        args,
        |args| {
            let (key, name) = (args.answer().unwrap_or_default(), args.answer());
            let expires = args.answer().map(|word| expiry(args, &word)).transpose()?;
            Ok(RequestedAction::Rotate { key, name, expires })
        },
        |args| {
            let key = text(args.until(&["as", "expires", BECAUSE]));
            let name = args.behind("as", &["expires", BECAUSE])?.map(text);
            let expires = match args.behind("expires", &["as", BECAUSE])? {
                Some(words) => Some(expiry(args, &text(words))?),
                None => None,
            };
            Ok(RequestedAction::Rotate { key, name, expires })
        },
    )
}

fn expiry(args: &Args<'_>, word: &str) -> Result<Expiry, Fault> {
    let lower = fold(word);
    match lower.as_str() {
        "never" | "none" => Ok(Expiry::Never),
        "1y" => Ok(Expiry::Days(365)),
        other => other.parse().ok().map(Expiry::On).or_else(|| days(other).map(Expiry::Days)).ok_or_else(|| {
            args.bad(word, "an expiry", "write 30d, 180d, 365d, a date such as 2027-06-30, or never".into())
        }),
    }
}

fn id(args: &mut Args<'_>) -> Result<String, Fault> {
    let word = args.next().ok_or_else(|| args.missing("the id of a request"))?;
    let id = fold(word.text().trim_matches(['`', '*', '#', '"', '.', ',']));
    let fits = (4..=ApprovalId::LENGTH).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
    if fits {
        Ok(id)
    } else {
        Err(args.bad(word.text(), "the id of a request", "`/sekoia approvals` lists them".into()))
    }
}

pub(super) fn approvals(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let mine = args.keyword("mine");
    if mine || args.is_empty() || args.keyword("page") {
        return Ok(Command::Approvals { mine, page: args.page()? });
    }
    Ok(Command::Approval { id: id(args)?, page: args.page()? })
}

pub(super) fn approve(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Approve { id: id(args)? })
}

pub(super) fn reject(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Reject { id: id(args)?, reason: args.rest() })
}

pub(super) fn cancel(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Cancel { id: id(args)? })
}

pub(super) fn show(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Show { id: id(args)? })
}

pub(super) fn saved(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let id = id(args)?;
    Ok(Command::Saved { id, key: args.answer() })
}

pub(super) fn retire(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Retire { id: id(args)? })
}

pub(super) fn retry(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Retry { id: id(args)? })
}

pub(super) fn by_hand(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::ByHand { id: id(args)? })
}

pub(super) fn check(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Check { id: id(args)? })
}

pub(super) fn freeze(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let reason = args.rest().ok_or_else(|| args.missing("the reason"))?;
    if reason.chars().count() > crate::domain::checklist::MAX_REASON {
        let most = crate::domain::checklist::MAX_REASON;
        return Err(args.bad(&reason, "a reason", format!("it may have {most} characters")));
    }
    Ok(Command::Freeze { reason })
}

pub(super) fn unfreeze(_: &'static Spec, _: &mut Args) -> Parsed {
    Ok(Command::Unfreeze)
}
