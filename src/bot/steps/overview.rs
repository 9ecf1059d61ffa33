//! For operators: all channels at a glance, and what waits for whom.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::cards::{menu_label, owner, today};
use crate::bot::approvals::card::frozen_line;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::ChannelKey;
use crate::chat::text::shown;
use crate::chat::view::{Control, Line, View};
use crate::domain::approval::Approval;
use crate::domain::checklist::{Session, StepId};
use crate::store::StoreError;

const CHANNELS: usize = 15;
/// What was set aside, listed at once.
const ASIDE: u32 = 5;
/// What waits: lines of one channel, and of all of a page.
const WAITING: usize = 8;
const LINES: usize = 40;

impl Bot {
    pub(in crate::bot) async fn overview(&self, ask: &Ask<'_>, page: usize) -> CommandResult {
        let first = (page - 1) * CHANNELS;
        // One more than shown tells whether there is a next page.
        let until = u32::try_from(first + CHANNELS + 1).unwrap_or(u32::MAX);
        let all = self.sessions.channels(None, until).await?;
        if all.len() <= first {
            return Ok(View::sentence(Line::marked(if page == 1 {
                "No channel is set up yet. `/sekoia setup` opens one."
            } else {
                "There is no such page; `/sekoia overview` shows the first."
            })));
        }
        let mut view = View::new("All channels").heading("All channels");
        let frozen = self.approvals.frozen().await?;
        if let Some(frozen) = &frozen {
            view = view.line(frozen_line(frozen));
        }
        let mut open: HashMap<ChannelKey, Vec<Approval>> = HashMap::new();
        for approval in self.approvals.open().await? {
            open.entry(approval.request.channel.clone()).or_default().push(approval);
        }
        let mut room = LINES;
        for channel in all.iter().skip(first).take(CHANNELS) {
            let session = match self.sessions.read(channel).await {
                Ok(Some(session)) => session,
                Ok(None) => continue,
                // One that cannot be read hides none of the others.
                Err(StoreError::Corrupt { .. }) => {
                    view = view.line(Line::new().channel(channel).say(" · this version cannot read its session"));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let requests = open.remove(channel).unwrap_or_default();
            let mut lines = self.waiting_in(&session, &requests, frozen.is_some(), &mut room, ask.now).await;
            view = view.line(channel_line(channel, &session));
            // A plan that cannot be read hides nothing else.
            if let Ok(planned) = self.plans.read(channel).await {
                lines.extend(self.template_line(&planned).await);
            }
            view = view.bullets(lines);
        }
        view = view.bullets(self.faults(ask.channel).await?);
        let mut controls = Vec::new();
        if page > 1 {
            controls.push(Control::button("Previous page", format!("overview {}", page - 1)));
        }
        if all.len() > first + CHANNELS {
            controls.push(Control::button("Next page", format!("overview {}", page + 1)));
        }
        let last = all.len().min(first + CHANNELS);
        Ok(view.note(format!("Channels {} to {last}", first + 1)).controls(controls))
    }

    /// What stands still or is not to be trusted: messages, user groups, what is stored.
    async fn faults(&self, channel: &ChannelKey) -> Result<Vec<Line>, StoreError> {
        let mut lines = self.undelivered().await?;
        for unread in self.unread_groups().await {
            let advice = unread.advice(&self.chats.wording(channel).await);
            lines.push(Line::marked(&format!("⚠️ {unread}. {advice}")));
        }
        let (count, aside) = self.sessions.store().set_aside(ASIDE).await?;
        for one in &aside {
            let line = format!("⚠️ set aside, not done ({}): {}: {}", one.reference, one.what, one.why);
            lines.push(Line::from(shown(&line, 300)));
        }
        if count > aside.len() as u64 {
            let line = Line::new().say(format!("⚠️ set aside, not done: {count} in all; "));
            lines.push(line.code("sekoia-chatops audit verify").say(" lists them"));
        }
        Ok(lines)
    }

    /// Requests that are not settled, and steps that somebody has in hand or that are late.
    async fn waiting_in(
        &self,
        session: &Session,
        requests: &[Approval],
        frozen: bool,
        room: &mut usize,
        now: Timestamp,
    ) -> Vec<Line> {
        let steps = StepId::all().filter(|id| {
            let step = session.step(*id);
            // A step that waits for a request is told by the request.
            let open = !step.status.is_settled();
            open && (step.assignee.is_some() || step.due.is_some())
        });
        let mut steps: Vec<StepId> = steps.collect();
        // What is late is not what is left out.
        steps.sort_by_key(|id| !is_late(session.step(*id).due, now));
        let steps: Vec<Line> = steps.into_iter().map(|id| step_line(session, id, now)).collect();
        let total = requests.len() + steps.len();
        let fit = total.min(WAITING).min(*room);
        *room -= fit;
        let mut lines = Vec::new();
        for approval in requests.iter().take(fit) {
            lines.push(self.request_line(approval, frozen, now).await);
        }
        lines.extend(steps);
        lines.truncate(fit);
        if total > fit {
            lines.push(Line::marked(&format!(
                "… and {} more: `/sekoia approvals` and `/sekoia status` there",
                total - fit
            )));
        }
        lines
    }
}

fn channel_line(channel: &ChannelKey, session: &Session) -> Line {
    let progress = session.progress();
    let line = Line::new().channel(channel).say(" · ").strong(shown(&session.community.name, 60)).say(format!(
        " · {} of {} settled",
        progress.settled(),
        progress.total
    ));
    match session.next_to_do() {
        Some(next) => line.say(format!(" · next: {next}")),
        None => line,
    }
}

fn is_late(due: Option<Date>, now: Timestamp) -> bool {
    due.is_some_and(|due| due < today(now))
}

fn step_line(session: &Session, id: StepId, now: Timestamp) -> Line {
    let step = session.step(id);
    let late = is_late(step.due, now);
    let line = if late { Line::new().say("⚠️ ") } else { Line::new() };
    owner(line.strong(menu_label(id)), step, today(now))
}
