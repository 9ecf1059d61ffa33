//! Words to a [`Command`]: the name is looked up in the table, its row reads the rest.

use jiff::civil::{Date, Weekday};

use super::args::{Args, PAGE, is, text, typed};
use super::lexer::{Word, lex};
use super::spec::Spec;
use super::suggest::nearest;
use super::table::{TABLE, find};
use super::{Command, Day, Fault, ParsedCommand, RuleWish, Source, Task, Topic, WebhookWish};
use crate::chat::text::{first as beginning, fold, is_invisible};
use crate::chat::{Answers, Words};
use crate::domain::action::people;
use crate::domain::checklist::StepId;
use crate::domain::checklist::steps::quickstart::Product;

/// What somebody said or pressed, as a command. People in it are the platform's.
pub fn read(words: &Words, platform: &str) -> Result<ParsedCommand, Fault> {
    match words {
        Words::Typed(text) => {
            let text = undecorated(text);
            parse(lex(text), platform).or_else(|fault| match text.trim_end_matches(STOPS) {
                shorter if shorter.len() == text.len() => Err(fault),
                shorter => parse(lex(shorter), platform).map_err(|_| fault),
            })
        }
        Words::Answered { words, answers } => {
            let mut all = lex(words);
            all.extend(answers.iter().cloned().map(Word::Value));
            parse(all, platform)
        }
        Words::Filled { words, answers } => parse_filled(lex(words), Some(answers.clone()), platform),
    }
}

/// What ends a sentence.
const STOPS: [char; 5] = ['.', ',', ';', '!', '?'];
/// What a chat puts around words, the longer ones first. Other quotes are the lexer's.
const AROUND: [(&str, &str); 10] = [
    ("```", "```"),
    ("``", "``"),
    ("`", "`"),
    ("**", "**"),
    ("*", "*"),
    ("__", "__"),
    ("_", "_"),
    ("~~", "~~"),
    ("~", "~"),
    ("'", "'"),
];
/// What lists what waits for a person, in every channel; before a command about a request, what makes
/// it be taken in the request's own channel.
pub const INBOX: &str = "inbox";
/// The name of the slash command, and what the bot is called in most places.
const OURS: &str = "sekoia";

/// A command without what was pasted with it: marks around the whole of it, the sign of
/// a quotation, the slash command typed once more.
fn undecorated(text: &str) -> &str {
    let mut text = trimmed(text);
    // Every kind of mark once, and what is between them.
    for _ in 0..8 {
        let before = text;
        for quote in ["&gt;", ">"] {
            text = text.strip_prefix(quote).map_or(text, trimmed);
        }
        while let Some(behind) = behind_ours(text) {
            text = trimmed(behind);
        }
        for (open, close) in AROUND {
            let inner = text.trim_end_matches(STOPS).strip_prefix(open).and_then(|text| text.strip_suffix(close));
            if let Some(inner) = inner.filter(|inner| !inner.contains(open) && !inner.contains(close)) {
                text = trimmed(inner);
            }
        }
        if text.len() == before.len() {
            break;
        }
    }
    text
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// What stands behind `/sekoia` or `@sekoia`, if it begins so.
fn behind_ours(text: &str) -> Option<&str> {
    let word = text.split(char::is_whitespace).next().unwrap_or_default();
    let label = word.strip_prefix("<@").and_then(|word| word.strip_suffix('>')?.split_once('|')).map(|(_, name)| name);
    let name = label.or_else(|| word.strip_prefix(['/', '@'])).unwrap_or(word);
    name.trim_end_matches([',', ':']).eq_ignore_ascii_case(OURS).then(|| &text[word.len()..])
}

/// Never panics, never looks at a word more often than the table has rows.
pub fn parse(words: Vec<Word>, platform: &str) -> Result<ParsedCommand, Fault> {
    parse_filled(words, None, platform)
}

/// The same, with what was filled into a form.
fn parse_filled(mut words: Vec<Word>, filled: Option<Answers>, platform: &str) -> Result<ParsedCommand, Fault> {
    // `"role show" Analyst`: quotes around the name of a command are nobody's.
    if let Some(Word::Value(quoted)) = words.first() {
        let inner = lex(quoted);
        if command_of(&inner).is_some() {
            words.splice(..1, inner);
        }
    }
    if words.is_empty() {
        words.push(Word::Bare("help".into()));
    }
    let Some((spec, taken)) = command_of(&words) else { return Err(unknown(&words)) };
    let rest = words.split_off(taken.min(words.len()));
    // A request says by itself where it belongs; everything else is about the channel.
    if spec.name == INBOX
        && command_of(&rest).is_some_and(|(inner, _)| inner.name != INBOX)
        && let Ok(inner) = parse_filled(rest.clone(), filled.clone(), platform)
        && inner.command.request().is_some()
    {
        return Ok(ParsedCommand { anywhere: true, ..inner });
    }
    let mut args = Args::new(spec, rest, platform).filled(filled);
    let command = (spec.parse)(spec, &mut args)?;
    args.finish()?;
    Ok(ParsedCommand { spec, command, anywhere: false })
}

/// The row that the first words name, and how many they are.
fn command_of(words: &[Word]) -> Option<(&'static Spec, usize)> {
    let first = words.first().map(keyword).unwrap_or_default();
    let second = words.get(1).map(keyword).unwrap_or_default();
    let both = find(&format!("{first} {second}")).map(|spec| (spec, 2));
    both.or_else(|| find(&first).map(|spec| (spec, 1)))
}

/// A word as a keyword: folded, without marks, and short enough to compare.
fn keyword(word: &Word) -> String {
    match word {
        Word::Bare(text) => {
            let text = beginning(text, 40).trim_start_matches('/').trim_matches(['*', '_', '~', '`', '\'']);
            fold(text)
        }
        Word::Value(_) | Word::Person { .. } => String::new(),
    }
}

fn unknown(words: &[Word]) -> Fault {
    let said = words.first().map(|word| word.clone().said()).unwrap_or_default();
    let (first, second) =
        (words.first().map(keyword).unwrap_or_default(), words.get(1).map(keyword).unwrap_or_default());
    let both = format!("{first} {second}");
    let names = || TABLE.iter().flat_map(|s| s.aliases.iter().copied().chain([s.name]));
    // `key crate x`: the group is right, its second word is not.
    let group = TABLE.iter().any(|s| s.name.split_once(' ').is_some_and(|(group, _)| group == first));
    let near = nearest(&both, names().filter(|n| n.contains(' ')))
        .filter(|n| n.starts_with(&first) || !group)
        .map(|near| (near, 2))
        .or_else(|| nearest(&first, names().filter(|n| !n.contains(' '))).map(|near| (near, 1)))
        .or_else(|| {
            let of_group = TABLE.iter().map(|s| s.name).find(|n| group && n.starts_with(&format!("{first} ")));
            of_group.map(|near| (near, 2))
        });
    let rest = near.and_then(|(_, taken)| words.get(taken..)).map(typed).unwrap_or_default();
    let word = if group && !second.is_empty() { both } else { said };
    Fault::Unknown { word, near: near.map(|(near, _)| near), rest }
}

type Parsed = Result<Command, Fault>;

pub(super) fn help(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let Some(topic) = args.rest() else { return Ok(Command::Help(Topic::Start)) };
    let topic = fold(&topic);
    let name = undecorated(&topic);
    if let Some(spec) = find(name) {
        return Ok(Command::Help(Topic::Command(spec)));
    }
    if name == "all" {
        return Ok(Command::Help(Topic::All));
    }
    if let Some(task) = Task::find(name) {
        return Ok(Command::Help(Topic::Task(task)));
    }
    let step = name.strip_prefix("step ").unwrap_or(name);
    if let Some(id) = StepId::find(step) {
        return Ok(Command::Help(Topic::Step(id)));
    }
    let topics = TABLE.iter().map(|s| s.name).chain(StepId::all().map(StepId::name));
    let topics = topics.chain(Task::ALL.map(Task::name));
    Err(match nearest(name, topics) {
        Some(near) => args.slip(name, "a topic", near, ""),
        None => args.bad(name, "a topic", "give a command, a step, or `all` for the list".into()),
    })
}

pub(super) fn whoami(_: &'static Spec, _: &mut Args) -> Parsed {
    Ok(Command::WhoAmI)
}

pub(super) fn status(_: &'static Spec, _: &mut Args) -> Parsed {
    Ok(Command::Status)
}

pub(super) fn next(_: &'static Spec, _: &mut Args) -> Parsed {
    Ok(Command::Next)
}

pub(super) fn refresh(_: &'static Spec, _: &mut Args) -> Parsed {
    Ok(Command::Refresh)
}

pub(super) fn step(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Step { step: args.step()?, check: args.keyword("check") })
}

pub(super) fn report(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let json = args.keyword("json");
    if !json {
        args.keyword("markdown");
    }
    let page = if args.is_empty() { None } else { Some(args.page()?) };
    Ok(Command::Report { json, page })
}

pub(super) fn quickstart(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let Some(word) = args.next() else { return Ok(Command::Quickstart(None)) };
    match fold(word.text()).as_str() {
        "defend" | "xdr" => Ok(Command::Quickstart(Some(Product::Defend))),
        "intelligence" | "cti" => Ok(Command::Quickstart(Some(Product::Intelligence))),
        "reveal" => Ok(Command::Quickstart(Some(Product::Reveal))),
        "elevate" => Ok(Command::Quickstart(Some(Product::Elevate))),
        _ => Err(args.bad(word.text(), "a product", "give `defend`, `intelligence`, `reveal` or `elevate`".into())),
    }
}

pub(super) fn quickstart_send(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::QuickstartSend { confirmed: args.keyword("confirm") })
}

/// Stands before the page of a list of communities: no community is called so.
pub const LIST: &str = "--page";

/// A name may end in `confirm` or be called `page 2`: all of it is kept, to be tried first.
pub(super) fn setup(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    if args.keyword(LIST) {
        return Ok(Command::Setup { community: None, page: args.page()?, confirmed: false, whole: None, from: None });
    }
    let from = template_of(args)?;
    let whole = typed_name(args.all());
    let paged = match args.all() {
        [page] => is(page, PAGE),
        [page, number] => is(page, PAGE) && number.text().bytes().all(|b| b.is_ascii_digit()),
        _ => false,
    };
    if paged {
        return Ok(Command::Setup { community: None, page: args.page()?, confirmed: false, whole, from });
    }
    let confirmed = args.keyword_at_end("confirm");
    let whole = whole.filter(|_| confirmed && !matches!(args.all(), [Word::Value(_)]));
    Ok(Command::Setup { community: args.rest(), page: 1, confirmed, whole, from })
}

/// What stands behind the last `from`, if parameters or the end follow it as they follow a template.
fn template_of(args: &mut Args<'_>) -> Result<Option<Source>, Fault> {
    let words = args.all();
    let Some(at) = words.iter().rposition(|word| is(word, "from")) else { return Ok(None) };
    let behind = &words[at + 1..];
    if at == 0 || behind.is_empty() || !behind.iter().skip(1).all(|word| word.text().contains('=')) {
        return Ok(None);
    }
    let mut all = args.take();
    let behind = all.split_off(at);
    args.put_back(all);
    let mut of_template = Args::new(args.spec, behind.into_iter().skip(1).collect(), args.platform());
    super::plan::template(&mut of_template).map(Some)
}

pub(super) fn done(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let step = args.step()?;
    let address = match args.behind("as", &["anyway"])? {
        None => None,
        Some(words) => {
            let said = text(words);
            let read = people::address(&said);
            Some(read.map_err(|_| args.bad(&said, "an e-mail address", "write yours, as Sekoia has it".into()))?)
        }
    };
    Ok(Command::Done { step, anyway: args.keyword("anyway"), address })
}

pub(super) fn skip(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Skip { step: args.step()?, reason: args.reason() })
}

pub(super) fn reopen(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Reopen(args.step()?))
}

pub(super) fn assign(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let step = args.step()?;
    args.keyword("to");
    Ok(Command::Assign { step, to: args.person()? })
}

pub(super) fn due(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let step = args.step()?;
    let counted = args.keyword("in");
    if !counted {
        args.keyword("on");
    }
    // A platform without a control for days asks for one in a form.
    let word = match args.answer("day") {
        Some(day) => day,
        None => args.next().ok_or_else(|| args.missing("by when"))?.text().to_owned(),
    };
    let text = fold(&word);
    let due = match text.as_str() {
        "none" | "never" | "-" => None,
        "today" => Some(Day::In(0)),
        "tomorrow" => Some(Day::In(1)),
        other => {
            let day = other.parse::<Date>().ok().map(Day::On).or_else(|| days(other).map(Day::In));
            let hint = "write 2026-12-01, today, tomorrow, friday, +7d, or none";
            Some(day.or_else(|| weekday(other).map(Day::Next)).ok_or_else(|| args.bad(&word, "a date", hint.into()))?)
        }
    };
    if matches!(due, Some(Day::In(_))) && text.bytes().all(|b| b.is_ascii_digit()) {
        args.keyword("days");
    } else if counted {
        return Err(args.bad(&text, "a number of days", "write `/sekoia due users in 7 days`".into()));
    }
    Ok(Command::Due { step, due })
}

/// `+7d`, `7d`, `+2w`, `7`.
pub(super) fn days(text: &str) -> Option<u16> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (digits, times) = match text.strip_suffix('w') {
        Some(weeks) => (weeks, 7),
        None => (text.strip_suffix('d').unwrap_or(text), 1),
    };
    let n: u16 = digits.parse().ok()?;
    n.checked_mul(times).filter(|days| *days <= 3660)
}

pub(super) fn weekday(text: &str) -> Option<Weekday> {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let at = names.iter().position(|n| *n == text || (text.len() == 3 && n.starts_with(text)))?;
    Weekday::from_monday_zero_offset(i8::try_from(at).ok()?).ok()
}

pub(super) fn reset(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Reset { confirmed: args.keyword("confirm") })
}

pub(super) fn doctor(_: &'static Spec, _: &mut Args) -> Parsed {
    Ok(Command::Doctor)
}

pub(super) fn overview(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Overview { page: args.page()? })
}

pub(super) fn inbox(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Inbox { page: args.page()? })
}

pub(super) fn subscription(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Subscription { page: args.page()? })
}

pub(super) fn region(_: &'static Spec, _: &mut Args) -> Parsed {
    Ok(Command::Region)
}

pub(super) fn region_share(_: &'static Spec, _: &mut Args) -> Parsed {
    Ok(Command::RegionShare)
}

pub(super) fn region_probe(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::RegionProbe { confirmed: args.keyword("confirm") })
}

pub(super) fn communities(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Communities { page: args.page()? })
}

pub(super) fn roles(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Roles { page: args.page()? })
}

/// A role's name may have several words; a number after it is a page, unless it belongs to the
/// name.
pub(super) fn role_show(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let said = typed_name(args.all());
    let page = args.page_at_end();
    let whole = said.filter(|_| page.is_some() && !matches!(args.all(), [Word::Value(_)]));
    let role = args.rest().ok_or_else(|| args.missing("which role"))?;
    Ok(Command::RoleShow { role, page: page.unwrap_or(1), whole })
}

/// Everything as one name.
fn typed_name(words: &[Word]) -> Option<String> {
    Some(text(words.to_vec())).filter(|name| !name.is_empty())
}

pub(super) fn users(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Users { page: args.page()? })
}

pub(super) fn keys(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Keys { page: args.page()? })
}

pub(super) fn audit(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Audit { last: args.number("a number of records", 10, 1, 50)? })
}

pub(super) fn notify(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::Notify { page: args.page()? })
}

pub(super) fn notify_summary(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let Some(word) = args.next() else { return Ok(Command::NotifySummary { hours: 24 }) };
    let text = fold(word.text());
    let hours = match text.strip_suffix('h') {
        Some(hours) => hours.parse::<u16>().ok(),
        None => days(&text).filter(|_| text.ends_with(['d', 'w'])).and_then(|days| days.checked_mul(24)),
    };
    // More is not kept.
    match hours.filter(|hours| (1..=14 * 24).contains(hours)) {
        Some(hours) => Ok(Command::NotifySummary { hours }),
        None => Err(args.bad(word.text(), "a time that is kept", "write `24h` or `7d`, at most `14d`".into())),
    }
}

pub(super) fn notify_recommended(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    Ok(Command::NotifyRecommended { confirmed: args.keyword("confirm") })
}

fn rule_wish(args: &mut Args<'_>, wish: RuleWish) -> Parsed {
    let number = args.number("a rule's number", 0, 1, 1_000_000)?;
    if number == 0 {
        return Err(args.missing("which rule; `/sekoia notify` lists them"));
    }
    Ok(Command::NotifyRule { number: u32::try_from(number).unwrap_or(u32::MAX), wish })
}

pub(super) fn notify_remove(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    rule_wish(args, RuleWish::Remove)
}

pub(super) fn notify_pause(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    rule_wish(args, RuleWish::Pause)
}

pub(super) fn notify_resume(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    rule_wish(args, RuleWish::Resume)
}

pub(super) fn notify_test(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    rule_wish(args, RuleWish::Test)
}

pub(super) fn notify_seen(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    rule_wish(args, RuleWish::Seen)
}

pub(super) fn notify_mute(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let Command::NotifyRule { number, .. } = rule_wish(args, RuleWish::Mute(0))? else {
        return Err(args.missing("which rule"));
    };
    args.keyword("for");
    let word = args.next().ok_or_else(|| args.missing("for how long, such as `1h` or `1d`"))?;
    let text = fold(word.text());
    let minutes = match text.strip_suffix('h') {
        Some(hours) => hours.parse::<u32>().ok().and_then(|hours| hours.checked_mul(60)),
        None => days(&text).filter(|_| text.ends_with(['d', 'w'])).map(|days| u32::from(days) * 24 * 60),
    };
    match minutes.filter(|minutes| *minutes > 0) {
        Some(minutes) => Ok(Command::NotifyRule { number, wish: RuleWish::Mute(minutes) }),
        None => Err(args.bad(word.text(), "a time to be quiet", "write `1h`, `8h` or `1d`, at most `30d`".into())),
    }
}

pub(super) fn notify_webhook(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    if args.keyword("revoke") {
        return Ok(Command::NotifyWebhook { wish: WebhookWish::Revoke });
    }
    args.keyword("rotate");
    Ok(Command::NotifyWebhook { wish: WebhookWish::Make { confirmed: args.keyword("confirm") } })
}

pub(super) fn acknowledge(_: &'static Spec, args: &mut Args<'_>) -> Parsed {
    let word = args.next().ok_or_else(|| args.missing("which alert, such as ALa1b2c3"))?;
    Ok(Command::Acknowledge { alert: word.text().to_owned() })
}
