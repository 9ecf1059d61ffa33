//! For operators: all channels at a glance.

use jiff::Timestamp;

use super::cards::today;
use super::{Bot, Told};
use crate::checklist::{Session, StepId};
use crate::platform::ChannelKey;
use crate::store::StoreError;
use crate::text::shown;
use crate::view::{Control, Line, View};

const CHANNELS: usize = 15;
/// What was set aside, listed at once.
const ASIDE: u32 = 5;

impl Bot {
    pub(super) async fn overview(&self, page: usize) -> Told {
        let first = (page - 1) * CHANNELS;
        // One more than shown tells whether there is a next page.
        let until = u32::try_from(first + CHANNELS + 1).unwrap_or(u32::MAX);
        let all = self.sessions.channels(None, until).await?;
        let mut lines = Vec::new();
        for channel in all.iter().skip(first).take(CHANNELS) {
            match self.sessions.read(channel).await {
                Ok(Some(session)) => lines.push(channel_line(channel, &session)),
                Ok(None) => {}
                // One that cannot be read hides none of the others.
                Err(StoreError::Corrupt { .. }) => {
                    lines.push(Line::new().channel(channel).say(" · this version cannot read its session"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        if lines.is_empty() {
            return Ok(View::sentence(Line::marked(if page == 1 {
                "No channel is set up yet. `setup` opens one."
            } else {
                "There is no such page; `overview` shows the first."
            })));
        }
        for parked in self.parked_messages().await? {
            let line = format!("⚠️ not delivered ({} {}): {}", parked.kind, parked.key, parked.why);
            lines.push(Line::from(shown(&line, 300)));
        }
        for unread in self.unread_groups().await {
            lines.push(Line::marked(&format!("⚠️ {unread}. {}", unread.advice())));
        }
        let (count, aside) = self.sessions.store().set_aside(ASIDE).await?;
        for one in &aside {
            let line = format!("⚠️ set aside, not done ({}): {}: {}", one.reference, one.what, one.why);
            lines.push(Line::from(shown(&line, 300)));
        }
        if count > aside.len() as u64 {
            lines.push(Line::from(format!("⚠️ set aside, not done: {count} in all; \"audit verify\" lists them")));
        }
        let mut controls = Vec::new();
        if page > 1 {
            controls.push(Control::button("Previous page", format!("overview {}", page - 1)));
        }
        if all.len() > first + CHANNELS {
            controls.push(Control::button("Next page", format!("overview {}", page + 1)));
        }
        Ok(View::new("All channels")
            .heading("All channels")
            .bullets(lines)
            .note(format!("Channels {} to {}", first + 1, all.len().min(first + CHANNELS)))
            .controls(controls))
    }
}

fn channel_line(channel: &ChannelKey, session: &Session) -> Line {
    let progress = session.progress();
    let mut line = Line::new().channel(channel).say(" · ").strong(shown(&session.community.name, 60)).say(format!(
        " · {} of {} settled",
        progress.settled(),
        progress.total
    ));
    if let Some(next) = session.next_to_do() {
        line = line.say(format!(" · next: {next}"));
    }
    let waiting = StepId::all().filter(|id| !session.step(*id).status.is_settled());
    let overdue = today(Timestamp::now());
    for id in waiting {
        let step = session.step(id);
        if let Some(user) = &step.assignee {
            line = line.say(format!(" · {} waits for ", id.name())).person(user);
        }
        if let Some(due) = step.due {
            line = line.say(format!(" · {} {} {due}", id.name(), if due < overdue { "overdue since" } else { "due" }));
        }
    }
    line
}
