//! What is not settled in a channel, and one request in full.

use super::paging::Page;
use super::request_card::{everything, outcomes, risks, votes, what};
use super::request_controls::controls;
use super::{Ask, Bot, Told};
use crate::approval::Status;
use crate::text::{count, shown};
use crate::view::{Choice, Control, Line, View};

const REQUESTS: usize = 10;
/// Lines of one request in full.
const DETAILS: usize = 25;

impl Bot {
    pub(super) async fn approvals_list(&self, ask: &Ask<'_>, page: usize) -> Told {
        let session = self.session(ask).await?;
        let mut open = self.approvals.open().await?;
        open.retain(|approval| approval.request.channel == *ask.channel);
        let page = Page::of(&open, page, REQUESTS);
        let lines = page.items.iter().map(|approval| {
            let mut line = Line::new().code(approval.id.to_string()).say(" · ").strong(approval.request.action.title());
            line = line.say(format!(" · {}", approval.status().name()));
            if let Some(user) = approval.requester() {
                line = line.say(" · asked by ").person(user);
            }
            if matches!(approval.status(), Status::Requested | Status::Approved | Status::Held) {
                line = line.say(" · until ").moment(approval.request.expires);
            }
            line
        });
        let mut view = View::new("Requests").heading("Requests").line(
            Line::new()
                .strong(shown(&session.community.name, 80))
                .say(format!(" · {} not settled", count(open.len(), "request", "requests"))),
        );
        view = view.bullets(lines.collect());
        if open.is_empty() {
            view = view.line(Line::marked("Nothing waits. `audit` shows what was decided."));
        } else {
            let options = page.items.iter().map(|a| Choice {
                label: shown(&format!("{} {}", a.id, a.request.action.title()), 70).into(),
                value: a.id.to_string().into(),
            });
            view = view.controls(vec![Control::Menu {
                label: "Open a request".into(),
                words: "approvals".into(),
                options: options.collect(),
            }]);
        }
        Ok(page.foot(view, "approvals page"))
    }

    /// One request in full, with every approver and the outcome of every call.
    pub(super) async fn approvals_one(&self, ask: &Ask<'_>, id: &str, page: usize) -> Told {
        let approval = self.request_of(ask, id).await?;
        // Whoever approves can read all of it before, whoever asks what became of it after.
        let (lines, _) = outcomes(&approval, usize::MAX);
        let undecided = lines.is_empty();
        let lines = if undecided { [risks(&approval), everything(&approval.request.action)].concat() } else { lines };
        let page = Page::of(&lines, page, DETAILS);
        let status = approval.status();
        let mut view = View::new(format!("Request {}", approval.id))
            .heading(format!("Request {} · {}", approval.id, status.name()))
            .line(Line::new().strong(approval.request.action.title()));
        if page.number == 1 {
            view = what(view, &approval.request.action, 0).bullets(votes(&approval));
        }
        view = view.bullets(page.items.to_vec());
        if page.number == 1 {
            view = view.line("SHA-256 of what was asked for:").code(approval.request.hash.to_string());
        }
        let view = page.foot(view, &format!("approvals {}", approval.id));
        Ok(view.controls(controls(&approval, status)))
    }
}
