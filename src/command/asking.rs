//! The words of sensitive requests: typed with keywords, or the answers of a form.

use super::args::{Args, is, list, text};
use super::lexer::Word;
use super::parse::days;
use super::spec::Spec;
use super::{Command, Fault};
use crate::chat::text::fold;
use crate::domain::action::{Expiry, Kind, Request, RequestedAction};
use crate::domain::approval::ApprovalId;

type Parsed = Result<Command, Fault>;

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
    let form = args.form()?;
    let said = said.filter(|_| !form);
    let community = if form { args.value() } else { None };
    let wanted = if form { answered(args)? } else { typed(args)? };
    let because = if form {
        args.answer(BECAUSE)
    } else if args.keyword(BECAUSE) {
        Some(args.rest().ok_or_else(|| args.missing("the reason"))?)
    } else {
        None
    };
    Ok(Command::Ask { kind, request: Some(Request { wanted, because, community, dry_run }), said })
}

/// The values of a choice of several.
fn chosen(args: &mut Args<'_>, field: &str) -> Vec<String> {
    let answer = args.answer(field).unwrap_or_default();
    answer.split(',').map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()).collect()
}

/// What a form answers where rows that are no people are left out.
pub const LEAVE_OUT: &str = "leave-out";

pub(super) fn invite(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    ask(
        Kind::Invite,
        args,
        |args| {
            Ok(RequestedAction::Invite {
                addresses: args.answer("addresses").unwrap_or_default(),
                csv: args.answer("csv").unwrap_or_default(),
                file: None,
                role: args.answer("role"),
                communities: chosen(args, "communities"),
                leave_out: args.answer("gaps").as_deref() == Some(LEAVE_OUT),
            })
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
    )
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
            let names = args.answer("names").unwrap_or_default();
            let names = names.lines().map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect();
            Ok(RequestedAction::Communities { names, about: args.answer("about") })
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
            let mut with: Vec<String> = args.answer("preset").into_iter().collect();
            with.extend(chosen(args, "with"));
            let name = args.answer("name").unwrap_or_default();
            Ok(RequestedAction::Role { name, about: args.answer("about"), with })
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
            Ok(RequestedAction::Key {
                name: args.answer("name").unwrap_or_default(),
                preset: args.answer("preset"),
                with: chosen(args, "with"),
                about: args.answer("about"),
                expires: expires(args)?,
            })
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
        |args| Ok(RequestedAction::Revoke { key: args.answer("key").unwrap_or_default() }),
        |args| Ok(RequestedAction::Revoke { key: text(args.until(&[BECAUSE])) }),
    )
}

pub(super) fn key_rotate(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    ask(
        Kind::KeyRotate,
        args,
        |args| {
            let key = args.answer("key").unwrap_or_default();
            Ok(RequestedAction::Rotate { key, name: args.answer("name"), expires: expires(args)? })
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

/// What a form's field says of it.
fn expires(args: &mut Args<'_>) -> Result<Option<Expiry>, Fault> {
    const FIELD: &str = "expires";
    let at = |fault| Fault::Answer { field: FIELD, fault: Box::new(fault) };
    args.answer(FIELD).map(|word| expiry(args, &word).map_err(at)).transpose()
}

pub(super) fn expiry(args: &Args<'_>, word: &str) -> Result<Expiry, Fault> {
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
    Ok(Command::Reject { id: id(args)?, reason: args.reason() })
}

pub(super) fn plan_request(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let dry_run = args.flag("dry-run");
    let because =
        if args.keyword(BECAUSE) { Some(args.rest().ok_or_else(|| args.missing("the reason"))?) } else { None };
    let wanted = RequestedAction::Plan { plan: None };
    let request = Some(Request { wanted, because, community: None, dry_run });
    Ok(Command::Ask { kind: Kind::Plan, request, said: None })
}

pub(super) fn cancel(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Cancel { id: id(args)? })
}

pub(super) fn show(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Show { id: id(args)? })
}

pub(super) fn saved(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let id = id(args)?;
    Ok(Command::Saved { id, key: args.value() })
}

pub(super) fn lost(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let id = id(args)?;
    Ok(Command::Lost { id, key: args.value() })
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
