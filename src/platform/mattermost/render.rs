//! Neutral views as posts: text as Markdown, controls as actions of attachments.
//!
//! What stands before the first controls is the post's own text, which notifications show and
//! search finds; every row of controls is an attachment, with the text that leads to it. How things
//! stand is the attachment's color: the small print of such a message stands in it. The rest never
//! does, because clients fold an attachment's text away behind "Show more".

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::limits::{MESSAGE, OPTIONS, SAID};
use super::markdown::{block, escaped, line, table};
use super::names::{Names, mentioned};
use super::seal::{Asked, BUTTON_LIVES, Pressed, Sealer};
use crate::chat::ChannelKey;
use crate::chat::text::{clip, first, shown};
use crate::chat::view::{Block, CALL, Control, Line, Style, Tone, View};

/// A post's text and its attachments.
#[derive(Debug, Serialize)]
pub struct Said {
    pub text: String,
    pub attachments: Vec<Attachment>,
}

#[derive(Debug, Default, Serialize)]
pub struct Attachment {
    fallback: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<&'static str>,
    text: String,
    actions: Vec<Action>,
}

#[derive(Debug, Serialize)]
struct Action {
    /// Letters and digits: it becomes part of a path.
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tooltip: Option<&'static str>,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    style: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_source: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<Choice>,
    integration: Integration,
}

#[derive(Debug, Serialize)]
pub(super) struct Choice {
    pub text: String,
    pub value: String,
}

/// An action that is chosen from.
const MENU: &str = "select";

#[derive(Debug, Serialize)]
struct Integration {
    url: String,
    context: Context,
}

#[derive(Debug, Serialize)]
struct Context {
    sealed: String,
}

/// What a message's controls are sealed for.
#[derive(Clone, Copy)]
pub struct RenderContext<'a> {
    pub sealer: &'a Sealer,
    /// Where presses go; none: nothing can be pressed, and what can be typed instead is said.
    pub url: Option<&'a str>,
    pub about: &'a ChannelKey,
    /// Mattermost's id of the channel in which it stands.
    pub place: &'a str,
    pub mark: Option<&'a str>,
    pub only: Option<&'a str>,
    pub now: Timestamp,
}

/// A message, within Mattermost's limits. What does not fit is said, never just left out.
pub fn said(view: &View, names: &Names, standing: RenderContext<'_>) -> Said {
    let mut parts = Parts::default();
    let mut room = SAID;
    let color = color(view.tone);
    let boxed = color.and_then(|_| small_print(&view.blocks));
    let mut parts_in_order: Vec<(usize, &Block)> = view.blocks.iter().enumerate().collect();
    if let (None, Some(small)) = (standing.url, boxed) {
        // What is typed instead of pressed is no small print.
        let small = parts_in_order.remove(small);
        parts_in_order.push(small);
    }
    for (i, part) in parts_in_order {
        if let (Block::Controls(controls), Some(url)) = (part, standing.url) {
            let actions = controls.iter().enumerate();
            let mut actions: Vec<Action> =
                actions.map(|(j, c)| action(format!("b{i}c{j}"), c, url, standing)).collect();
            // Clients give a menu a line of its own, which would tear a row of buttons apart.
            actions.sort_by_key(|action| action.r#type != MENU);
            parts.controls(actions);
            continue;
        }
        if boxed == Some(i) {
            parts.end();
        }
        let text = markdown(part, names);
        let length = text.chars().count();
        if length > room {
            parts.text(first(&text, room), part);
            parts.text("The rest does not fit into one message.", &Block::Note("".into()));
            break;
        }
        room -= length;
        parts.text(&text, part);
    }
    let (text, mut attachments) = parts.done();
    if let Some(last) = attachments.last_mut() {
        last.color = color;
    }
    // The room is smaller than a message; it could be exceeded by blank lines only.
    Said { text: clip(&text, MESSAGE).into_owned(), attachments }
}

/// The same for a reply that takes text alone: what could be pressed is what can be typed.
pub fn words(view: &View, names: &Names) -> String {
    let mut parts = Parts::default();
    for part in &view.blocks {
        parts.text(&markdown(part, names), part);
    }
    clip(&parts.done().0, SAID).into_owned()
}

/// A message as Mattermost would receive it, for somebody who wants to look at it.
pub fn preview(view: &View, sealer: &Sealer, channel: &ChannelKey, only: Option<&str>) -> Box<RawValue> {
    #[derive(Serialize)]
    struct Posted<'a> {
        channel_id: &'a str,
        message: &'a str,
        props: Props,
    }
    #[derive(Serialize)]
    struct Props {
        attachments: Vec<Attachment>,
    }
    let standing = RenderContext {
        sealer,
        url: Some("https://bot.example.com/mattermost/action"),
        about: channel,
        place: channel.channel(),
        mark: only.is_none().then_some("demo"),
        only,
        now: Timestamp::now(),
    };
    let (people, channels) = mentioned(view);
    let names = Names {
        people: people.into_iter().map(|user| (user.clone(), user.native().into())).collect(),
        channels: channels.into_iter().map(|place| (place.clone(), place.channel().into())).collect(),
        call: None,
    };
    let Said { text, attachments } = said(view, &names, standing);
    let posted = Posted { channel_id: channel.channel(), message: &text, props: Props { attachments } };
    // Strings and maps with string keys always serialize.
    to_raw_value(&posted).expect("own types serialize")
}

fn markdown(part: &Block, names: &Names) -> String {
    match part {
        Block::Heading(text) => format!("#### {}", escaped(text)),
        Block::Line(_, said) | Block::Note(said) => line(said, names),
        Block::Bullets(lines) => {
            lines.iter().map(|said| format!("* {}", line(said, names))).collect::<Vec<_>>().join("\n")
        }
        Block::Code(text) => block(text),
        Block::Table(said) | Block::List(said, _) => table(said),
        Block::Controls(controls) => {
            controls.iter().map(|control| format!("* {}", typed(control, names))).collect::<Vec<_>>().join("\n")
        }
    }
}

/// Text and controls as they come, in the order in which they are to stand.
#[derive(Default)]
struct Parts {
    /// Each text with the controls that end it.
    done: Vec<(String, Vec<Action>)>,
    text: String,
    /// What was said last ends only at a blank line.
    open: bool,
}

impl Parts {
    fn text(&mut self, text: &str, part: &Block) {
        let own =
            matches!(part, Block::Bullets(_) | Block::Code(_) | Block::Table(_) | Block::List(..) | Block::Controls(_));
        if !self.text.is_empty() {
            self.text.push_str(if own || self.open { "\n\n" } else { "\n" });
        }
        self.text.push_str(text);
        self.open = own;
    }

    fn controls(&mut self, actions: Vec<Action>) {
        self.open = false;
        self.done.push((std::mem::take(&mut self.text), actions));
    }

    /// What comes next stands in a box of its own.
    fn end(&mut self) {
        if !self.text.is_empty() {
            self.controls(Vec::new());
        }
    }

    fn done(mut self) -> (String, Vec<Attachment>) {
        self.end();
        let mut parts = self.done.into_iter();
        let Some((message, actions)) = parts.next() else { return (String::new(), Vec::new()) };
        let first = (!actions.is_empty()).then(|| attachment(String::new(), actions));
        let rest = parts.map(|(text, actions)| attachment(text, actions));
        (message, first.into_iter().chain(rest).collect())
    }
}

/// Clients without attachments show the fallback.
fn attachment(text: String, actions: Vec<Action>) -> Attachment {
    let names: Vec<&str> = actions.iter().map(|action| action.name.as_str()).collect();
    let fallback = if text.is_empty() { names.join(" · ") } else { clip(&text, 200).into_owned() };
    Attachment { fallback, color: None, text, actions }
}

/// As the bar beside an attachment.
fn color(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Plain => None,
        Tone::Waiting => Some("#f5ab00"),
        Tone::Done => Some("#2fa36b"),
        Tone::Refused => Some("#b04a4a"),
        Tone::Urgent => Some("#e8242f"),
    }
}

/// The small print at the end, which only controls follow.
fn small_print(blocks: &[Block]) -> Option<usize> {
    let last = blocks.iter().rposition(|block| !matches!(block, Block::Controls(_)))?;
    (last > 0 && matches!(blocks[last], Block::Note(_))).then_some(last)
}

fn action(id: String, control: &Control, url: &str, standing: RenderContext<'_>) -> Action {
    let sealed = |words: &str, ask: Option<Asked>| {
        standing.sealer.seal(&Pressed {
            words: words.to_owned(),
            about: standing.about.clone(),
            place: standing.place.to_owned(),
            mark: standing.mark.map(str::to_owned),
            only: standing.only.map(str::to_owned),
            ask,
            until: (standing.now + BUTTON_LIVES).as_second(),
        })
    };
    let (label, words, ask) = match control {
        Control::Button { label, words, confirm, .. } => (label, words, confirm.as_ref().map(Asked::from)),
        Control::Menu { label, words, .. } | Control::Person { label, words } => (label, words, None),
        Control::Day { label, words } => (label, words, Some(Asked::Day { label: label.clone().into_owned() })),
    };
    let name = match control {
        Control::Day { .. } => format!("{} 📅", shown(label, 70)),
        _ => shown(label, 75),
    };
    Action {
        id,
        name,
        tooltip: matches!(control, Control::Button { confirm: Some(_), .. }).then_some("Asks you before it counts"),
        r#type: if matches!(control, Control::Menu { .. } | Control::Person { .. }) { MENU } else { "button" },
        style: match control {
            Control::Button { style: Style::Primary, .. } => Some("primary"),
            Control::Button { style: Style::Danger, .. } => Some("danger"),
            _ => None,
        },
        data_source: matches!(control, Control::Person { .. }).then_some("users"),
        options: match control {
            Control::Menu { options, .. } => options
                .iter()
                .take(OPTIONS)
                .map(|option| Choice { text: shown(&option.label, 75), value: option.value.clone().into_owned() })
                .collect(),
            _ => Vec::new(),
        },
        integration: Integration { url: url.to_owned(), context: Context { sealed: sealed(words, ask) } },
    }
}

/// A control as what somebody types instead.
fn typed(control: &Control, names: &Names) -> String {
    let says = |label: &str, words: &str| {
        line(&Line::new().say(shown(label, 75)).say(": ").code(format!("{CALL} {words}")), names)
    };
    match control {
        Control::Button { label, words, .. } => says(label, words),
        Control::Person { label, words } => says(label, &format!("{words} @somebody")),
        Control::Day { label, words } => says(label, &format!("{words} +7d")),
        Control::Menu { label, words, options } => {
            let values: Vec<String> = options.iter().take(10).map(|option| said_as(&option.value)).collect();
            let more = if options.len() > values.len() { ", …" } else { "" };
            format!("{} – one of {}{more}", says(label, &format!("{words} …")), values.join(", "))
        }
    }
}

fn said_as(value: &str) -> String {
    let quoted = if value.contains(char::is_whitespace) { format!("\"{value}\"") } else { value.to_owned() };
    line(&Line::new().code(quoted), &Names::default())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretSlice;

    use super::*;
    use crate::chat::view::{Choice as Option, Column, Confirm, Table};

    fn render(view: &View) -> serde_json::Value {
        let sealer = Sealer::new(&[SecretSlice::from(vec![7; 32])]);
        serde_json::from_str(preview(view, &sealer, &ChannelKey::mattermost("c"), None).get()).unwrap()
    }

    #[test]
    fn everything_that_can_be_pressed_stands_in_one_box_and_menus_come_first() {
        let view = View::sentence("Hello")
            .bullets(vec!["one".into(), "two".into()])
            .line("after")
            .controls(vec![Control::primary("Go", "next")])
            .note("small print")
            .controls(vec![Control::Person { label: "Assign to".into(), words: "assign 1".into() }]);
        let json = render(&view);
        assert_eq!(json["message"], "Hello\n\n* one\n* two\n\nafter\nsmall print");
        let attachments = json["props"]["attachments"].as_array().unwrap();
        assert_eq!((attachments.len(), &attachments[0]["color"]), (1, &serde_json::Value::Null));
        let actions = attachments[0]["actions"].as_array().unwrap();
        assert_eq!((&actions[0]["data_source"], &actions[1]["style"]), (&"users".into(), &"primary".into()));
        let id = actions[0]["id"].as_str().unwrap();
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
    }

    #[test]
    fn how_things_stand_is_a_color_beside_the_small_print() {
        let view = |tone| View::sentence("Approval needed").line("ana").note("Request 7").toned(tone);
        let json = render(&view(Tone::Waiting).controls(vec![Control::primary("Approve", "approve 7")]));
        assert_eq!(json["message"], "Approval needed\nana");
        let attachments = json["props"]["attachments"].as_array().unwrap();
        assert_eq!((attachments.len(), &attachments[0]["text"]), (1, &"Request 7".into()));
        assert_eq!(attachments[0]["color"], "#f5ab00");
        // Without anything to press, too.
        let done = render(&view(Tone::Done));
        assert_eq!(done["props"]["attachments"][0]["color"], "#2fa36b");
        assert_eq!(render(&view(Tone::Plain))["message"], "Approval needed\nana\nRequest 7");
    }

    #[test]
    fn what_asks_first_says_so_beside_its_name() {
        let confirm = Confirm { title: "Approve this?".into(), text: "It is.".into(), yes: "Approve".into() };
        let sure = Control::Button {
            label: "Approve".into(),
            words: "approve 7".into(),
            style: Style::Primary,
            confirm: Some(confirm),
        };
        let json = render(&View::sentence("Card").controls(vec![sure]));
        let action = &json["props"]["attachments"][0]["actions"][0];
        assert_eq!((&action["name"], &action["tooltip"]), (&"Approve".into(), &"Asks you before it counts".into()));
    }

    #[test]
    fn a_command_has_the_word_that_the_server_has_for_the_bot() {
        let names = Names { call: Some("/soc".into()), ..Names::default() };
        let view =
            View::sentence(Line::marked("Type `/sekoia setup`.")).controls(vec![Control::button("Next", "next")]);
        assert_eq!(words(&view, &names), "Type `/soc setup`.\n\n* Next: `/soc next`");
    }

    #[test]
    fn a_table_stands_alone_between_blank_lines() {
        let columns = vec![Column::numbers("Fired"), Column::words("Rule")];
        let rows = vec![vec!["3".into(), "Brute|force".into()]];
        let json = render(&View::sentence("Hello").table(Table { columns, rows }).line("after"));
        let table = "| Fired | Rule |\n| ---: | :--- |\n| 3 | Brute&#124;force |";
        assert_eq!(json["message"], format!("Hello\n\n{table}\n\nafter"));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let json = render(&View::sentence("x".repeat(20_000)).line("never seen"));
        let text = json["message"].as_str().unwrap();
        assert!(text.ends_with("The rest does not fit into one message."), "{}", &text[text.len() - 80..]);
        assert!(text.chars().count() <= MESSAGE && !text.contains("never seen"));
    }

    #[test]
    fn where_nothing_can_be_pressed_a_message_says_what_to_type_above_its_small_print() {
        let sealer = Sealer::new(&[SecretSlice::from(vec![7; 32])]);
        let about = ChannelKey::mattermost("c");
        let now = Timestamp::UNIX_EPOCH;
        let context =
            RenderContext { sealer: &sealer, url: None, about: &about, place: "c", mark: None, only: None, now };
        let names = Names { call: Some("@sekoia".into()), ..Names::default() };
        let view = View::sentence("Approval needed")
            .note("Request 7")
            .toned(Tone::Waiting)
            .controls(vec![Control::primary("Approve", "approve 7")]);
        let shown = said(&view, &names, context);
        assert_eq!(shown.text, "Approval needed\n\n* Approve: `@sekoia approve 7`");
        let [small] = shown.attachments.as_slice() else { panic!("{shown:?}") };
        assert_eq!((small.text.as_str(), small.actions.len(), small.color), ("Request 7", 0, Some("#f5ab00")));
    }

    #[test]
    fn what_could_be_pressed_can_be_typed() {
        let confirm = Confirm { title: "Sure?".into(), text: "It is.".into(), yes: "Yes".into() };
        let sure = Control::Button {
            label: "Start over".into(),
            words: "reset confirm".into(),
            style: Style::Danger,
            confirm: Some(confirm),
        };
        let options = vec![Option { label: "One *tenant*".into(), value: "One tenant".into() }];
        let menu = Control::Menu { label: "Choose".into(), words: "setup".into(), options };
        let view = View::sentence(Line::new().say("Well")).controls(vec![sure, menu]);
        assert_eq!(
            words(&view, &Names::default()),
            "Well\n\n* Start over: `/sekoia reset confirm`\n* Choose: `/sekoia setup …` – one of `\"One tenant\"`"
        );
    }
}
