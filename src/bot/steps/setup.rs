//! `setup`: opens a channel for one community, or binds it to another.

use std::sync::Arc;

use crate::bot::delivery::outbox::Place;
use crate::bot::failure::{Failure, instead};
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{Found, count, find, fold, natural, quoted, shown};
use crate::chat::view::{Block, Choice, Control, Line, Style, View};
use crate::chat::{ChatError, Community};
use crate::command::{LIST, Source};
use crate::domain::checklist::{Command, Mode, Refusal, Session, StepId};
use crate::sekoia;
use crate::state::sessions::ChangeError;

/// Entries of a menu: fewer than Slack's 100.
const MENU: usize = 90;

/// What somebody said behind `setup`.
pub(in crate::bot) struct SetupWish<'a> {
    pub wanted: Option<&'a str>,
    pub page: usize,
    pub confirmed: bool,
    /// If a community is called so, it is meant, unconfirmed.
    pub whole: Option<&'a str>,
    /// The template that the plan is made of.
    pub from: Option<&'a Source>,
}

impl Bot {
    pub(in crate::bot) async fn setup(&self, ask: &Ask<'_>, wish: SetupWish<'_>) -> CommandResult {
        let SetupWish { wanted, page, confirmed, whole, from } = wish;
        if wanted.is_none()
            && page == 1
            && let Some(session) = self.sessions.read(ask.channel).await?
        {
            self.show_progress(ask.channel, true).await?;
            return Err(Refusal::AlreadyOpen(session.community.name.clone()).into());
        }
        let (root, mut children) = self.workspace().await?;
        children.sort_by_cached_key(|c| natural(c.name()));
        let mode = match root.parent_community_uuid {
            // The key belongs to a unit of a larger workspace.
            Some(_) => Mode::MultiTenant,
            None => crate::domain::checklist::steps::communities::mode(&root, children.len()),
        };
        let mut all = vec![root];
        all.extend(children);
        let (wanted, confirmed) = match whole {
            Some(whole) if called(&all, whole).is_some() => (Some(whole), false),
            _ => (wanted, confirmed),
        };
        let chosen = match (wanted, all.as_slice()) {
            (None, [only]) => only,
            (None, all) => return Ok(menu(all, page)),
            (Some(wanted), all) => choose(all, wanted)?,
        };
        let community = Community { uuid: chosen.uuid, name: chosen.name().into() };
        // A template that is not good opens no channel.
        let template = match from {
            Some(from) => Some(self.plan_text(ask, from).await?),
            None => None,
        };
        if !confirmed
            && let Some(session) = self.sessions.read(ask.channel).await?
            && session.community.uuid != community.uuid
            && !session.is_untouched()
        {
            return Ok(sure(&session, &community, from));
        }
        let before = self.sessions.read(ask.channel).await?;
        let changed = self.change(ask, Command::Open { community, mode }).await;
        let changed = match changed {
            Err(Failure::Change(ChangeError::Refused(Refusal::AlreadyOpen(_)))) if template.is_some() => None,
            Err(Failure::Change(ChangeError::Refused(refusal @ Refusal::AlreadyOpen(_)))) => {
                self.show_progress(ask.channel, true).await?;
                return Err(refusal.into());
            }
            other => Some(other?),
        };
        let session = match &changed {
            Some(changed) => Arc::clone(&changed.state),
            None => self.session(ask).await?,
        };
        if before.is_some_and(|before| before.community.uuid != session.community.uuid) {
            self.forget_plan(ask).await?;
        }
        let session = &*session;
        let name = shown(&session.community.name, 80);
        let mut view = View::new(format!("This channel is set up for {name}")).line(
            Line::new().say("This channel now works on ").strong(name).say(match mode {
                Mode::SingleTenant => ", a single-tenant workspace. Step 3 does not apply to it.",
                Mode::MultiTenant => ", in a multi-tenant workspace.",
            }),
        );
        view = match self.show_progress(ask.channel, false).await {
            Ok(()) => view.line("I keep the checklist up to date in one message in this channel."),
            Err(Failure::Instead(why)) => view.line(why.summary),
            Err(other) => return Err(other),
        };
        if let Some((text, origin)) = template {
            let planned = self.take_in(ask, &text, origin).await?;
            view.blocks.extend(planned.blocks);
            return Ok(view);
        }
        let first = session.next().unwrap_or(StepId::Quickstart);
        Ok(view.controls(vec![
            Control::primary("Before you start", "step prerequisites check"),
            Control::button(format!("Open {first}"), format!("step {}", first.name())),
        ]))
    }

    /// Posts or edits the channel's message now, and says why if that does not work.
    pub(super) async fn show_progress(&self, channel: &crate::chat::ChannelKey, anew: bool) -> Result<(), Failure> {
        match self.show(&Place::Checklist(channel.clone()), anew).await? {
            Ok(()) => Ok(()),
            Err(ChatError::NotInChannel) => Err(instead(Line::marked(&format!(
                "I am not in this channel yet, so I cannot post the checklist here. Type {}, then `/sekoia refresh`.",
                self.chats.wording(channel).await.invite()
            )))),
            Err(error) => {
                let line = format!(
                    "I could not update the channel's message ({error}). Nothing is lost, and I will try again by myself. "
                );
                let advice = error.advice(&self.chats.wording(channel).await);
                Err(instead(Line::new().say(line).append(Line::marked(&advice))))
            }
        }
    }
}

/// The words that name a template again.
fn said(from: &Source) -> String {
    let Source::Template { name, parameters } = from else { return String::new() };
    let values: Vec<String> = parameters.iter().map(|(name, value)| format!(" {name}={}", quoted(value))).collect();
    format!(" from {}{}", quoted(name), values.concat())
}

/// Another community opens every step again: that is asked first.
fn sure(session: &Session, community: &Community, from: Option<&Source>) -> View {
    let from = from.map(said).unwrap_or_default();
    View::sentence(format!(
        "This channel works on {}. For {} every step opens again, because what was proven of one community says nothing of another, and the plan starts anew; who does what by when stays.",
        shown(&session.community.name, 80),
        shown(&community.name, 80)
    ))
    .controls(vec![Control::Button {
        label: "Change the community".into(),
        words: format!("setup {} confirm{from}", quoted(&community.uuid.to_string())).into(),
        style: Style::Danger,
        confirm: None,
    }])
}

/// The communities of this uuid or whole name.
fn called<'a>(all: &'a [sekoia::Community], wanted: &str) -> Option<Vec<&'a sekoia::Community>> {
    let named: Vec<(String, &sekoia::Community)> = all.iter().map(|c| (c.uuid.to_string(), c)).collect();
    match find(wanted, &named, |(uuid, _)| uuid, |(_, c)| c.name()) {
        Found::Nothing => None,
        Found::One((_, one)) => Some(vec![*one]),
        Found::Several(several) => Some(several.into_iter().map(|(_, c)| *c).collect()),
    }
}

/// By uuid, by whole name, or by the beginning of one name only.
fn choose<'a>(all: &'a [sekoia::Community], wanted: &str) -> Result<&'a sekoia::Community, Failure> {
    let folded = fold(wanted);
    let begun = || all.iter().filter(|c| !folded.is_empty() && fold(c.name()).starts_with(&folded)).collect();
    let found: Vec<_> = called(all, wanted).unwrap_or_else(begun);
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let mut view = menu(all, 1);
            let line = format!("The key sees no community called \"{}\".", shown(wanted, 80));
            view.summary = line.clone().into();
            view.blocks.insert(0, Block::Line(None, line.into()));
            Err(Failure::Instead(Box::new(view)))
        }
        several => {
            let lines = several
                .iter()
                .take(20)
                .map(|c| Line::new().strong(shown(c.name(), 80)).say(" ").code(format!("/sekoia setup {}", c.uuid)));
            let shown_of = count(several.len(), "community", "communities");
            let view = View::sentence(format!("{shown_of} match \"{}\". Say which one by its id:", shown(wanted, 80)))
                .bullets(lines.collect());
            let more = several.len().saturating_sub(20);
            Err(Failure::Instead(Box::new(if more > 0 {
                view.note(format!("And {more} more: give a longer name."))
            } else {
                view
            })))
        }
    }
}

fn menu(all: &[sekoia::Community], page: usize) -> View {
    let page = crate::bot::paging::Page::of(all, page, MENU);
    let options =
        page.items.iter().map(|c| Choice { label: shown(c.name(), 70).into(), value: c.uuid.to_string().into() });
    let view = View::sentence(format!(
        "The key sees {}. Which one is this channel about? Steps 4 to 7 touch that one alone.",
        count(all.len(), "community", "communities")
    ))
    .controls(vec![Control::Menu {
        label: "Choose a community".into(),
        words: "setup".into(),
        options: options.collect(),
    }]);
    page.foot(view, &format!("setup {LIST}"))
}
