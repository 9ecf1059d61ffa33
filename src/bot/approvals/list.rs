//! What is not settled in a channel, and one request in full.

use super::bundle::card::{in_full, part_of};
use super::card::{accounted, everything, outcomes, proofs, risks, votes, what};
use super::controls::controls_for;
use super::lines::escalated_line;
use super::waiting::Reader;
use crate::bot::paging::Page;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{count, shown};
use crate::chat::view::{Control, Line, View};
use crate::domain::approval::Approval;

const REQUESTS: usize = 10;
/// Lines of one request in full.
const DETAILS: usize = 25;
/// Buttons under a bundle; more of its keys are asked for by command.
const MOST_CONTROLS: usize = 8;

impl Bot {
    /// What is not settled in this channel; `mine`: what waits for who asks, and what they asked for.
    pub(in crate::bot) async fn approvals_list(&self, ask: &Ask<'_>, mine: bool, page: usize) -> CommandResult {
        self.may_see_requests(ask).await?;
        let session = self.session(ask).await?;
        let frozen = self.approvals.frozen().await?.is_some();
        let mut listed: Vec<(Approval, Reader)> = Vec::new();
        for approval in self.approvals.open().await? {
            if approval.request.channel == *ask.channel {
                let reader = self.reader_of(ask, &approval).await;
                listed.push((approval, reader));
            }
        }
        let total = listed.len();
        if mine {
            listed.retain(|(approval, reader)| reader.asked || reader.is_waited_for(approval));
            listed.sort_by_key(|(approval, reader)| !reader.is_waited_for(approval));
        }
        let page = Page::of(&listed, page, REQUESTS);
        let heading = if mine { "Your requests" } else { "Requests" };
        let mut line = Line::new().strong(shown(&session.community.name, 80));
        line = line.say(format!(" · {} not settled", count(total, "request", "requests")));
        if mine {
            line = line.say(format!(", {} of them for you", listed.len()));
        }
        let mut view = View::new(heading).heading(heading).line(line);
        let mut section = None;
        for (approval, reader) in page.items {
            let of = if reader.is_waited_for(approval) { "Waiting for your decision" } else { "Asked for by you" };
            if mine && section.replace(of) != Some(of) {
                view = view.line(Line::new().strong(of));
            }
            let mut controls = controls_for(approval, *reader);
            controls.push(Control::button("Details", format!("approvals {}", approval.id)));
            view = view.line(self.request_line(approval, frozen, ask.now).await).item_controls(controls);
        }
        if listed.is_empty() {
            view = view.line(Line::marked(if mine && total > 0 {
                "None of them waits for your decision, and none is yours. `/sekoia approvals` lists all of them."
            } else {
                "Nothing waits. `/sekoia audit` shows what was decided."
            }));
        }
        let view = page.foot(view, if mine { "approvals mine" } else { "approvals page" });
        let other = if mine {
            Control::button("All requests", "approvals")
        } else {
            Control::button("Only mine", "approvals mine")
        };
        Ok(if total > 0 { view.controls(vec![other]) } else { view })
    }

    /// One request in full, with every approver and the outcome of every call.
    pub(in crate::bot) async fn approvals_one(&self, ask: &Ask<'_>, id: &str, page: usize) -> CommandResult {
        self.may_see_requests(ask).await?;
        let approval = self.request_of(ask, id).await?;
        // Whoever approves can read all of it before, whoever asks what became of it after.
        let children = self.children(&approval).await?;
        let (lines, _) = outcomes(&approval, usize::MAX);
        let undecided = lines.is_empty();
        let lines = if approval.is_bundle() {
            in_full(&approval, &children)
        } else if undecided {
            [risks(&approval), everything(&approval.request.action)].concat()
        } else {
            lines
        };
        let lines = [lines, if approval.is_bundle() { Vec::new() } else { accounted(&approval) }].concat();
        let page = Page::of(&lines, page, DETAILS);
        let status = approval.status();
        let mut view = View::new(format!("Request {}", approval.id))
            .heading(format!("Request {} · {}", approval.id, status.name()))
            .line(Line::new().strong(approval.request.action.title()));
        if page.number == 1 {
            view = what(view, &approval.request.action, 0);
            if let Some(line) = escalated_line(&approval) {
                view = view.line(line);
            }
            view = view.bullets([votes(&approval), proofs(&approval)].concat());
            if let Some(line) = part_of(&approval) {
                view = view.line(line);
            }
        }
        view = view.bullets(page.items.to_vec());
        if page.number == 1 {
            view = view.line("SHA-256 of what was asked for:").code(approval.request.hash.to_string());
        }
        let view = page.foot(view, &format!("approvals {}", approval.id));
        let reader = self.reader_of(ask, &approval).await;
        let mut controls = controls_for(&approval, reader);
        for (_, child) in &children {
            let theirs = child.requester() == Some(ask.actor) && child.request.action.is_secret(0);
            if theirs && controls.len() < MOST_CONTROLS {
                controls.extend(controls_for(child, self.reader_of(ask, child).await));
            }
        }
        Ok(view.controls(controls))
    }
}
