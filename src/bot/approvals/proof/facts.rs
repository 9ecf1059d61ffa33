//! What a link's page says: exactly what is approved or created, for whom, who asks.

use super::{Purpose, Wish};
use crate::bot::Bot;
use crate::bot::approvals::card::{LISTED_TITLES, asked, everything, risks, what};
use crate::chat::UserId;
use crate::chat::view::{Block, Line, View};
use crate::domain::action::Action;
use crate::domain::approval::Approval;

/// What somebody is to confirm, in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    pub purpose: Purpose,
    pub title: String,
    pub parts: Vec<Part>,
    /// Whom the link is for.
    pub person: String,
    pub community: String,
    pub request: String,
    /// SHA-256 of what is approved.
    pub hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Line(String),
    Bullets(Vec<String>),
}

impl Bot {
    pub(super) async fn facts(&self, wish: &Wish, approval: &Approval) -> Confirmation {
        let request = &approval.request;
        let mut view = what(View::default(), &request.action, usize::MAX);
        let is_shortened = match &request.action {
            Action::CreateRole { .. } | Action::Bundle { .. } => true,
            Action::CreateKey { permissions, .. } => permissions.len() > LISTED_TITLES,
            _ => false,
        };
        if is_shortened {
            view = view.bullets(everything(&request.action));
        }
        view = view.line(asked(approval)).bullets(risks(approval));
        let person = self.names([&wish.user], []).await.person(&wish.user);
        Confirmation {
            purpose: wish.purpose,
            title: request.action.title(),
            parts: self.parts(&view).await,
            person,
            community: request.community.name.to_string(),
            request: approval.id.to_string(),
            hash: request.hash.to_string(),
        }
    }

    /// What a message says, for a page: people by their names.
    pub(super) async fn parts(&self, view: &View) -> Vec<Part> {
        let people: Vec<&UserId> = view.lines().flat_map(Line::people).collect();
        let names = self.names(people, []).await;
        let plain = |line: &Line| line.plain_with(&|user| Some(format!("@{}", names.person(user))));
        let part = |block: &Block| match block {
            Block::Line(_, line) | Block::Note(line) => Some(Part::Line(plain(line))),
            Block::Bullets(lines) | Block::List(_, lines) => Some(Part::Bullets(lines.iter().map(plain).collect())),
            Block::Heading(text) => Some(Part::Line(text.to_string())),
            Block::Code(text) => Some(Part::Line(text.clone())),
            Block::Table(_) | Block::Controls(_) => None,
        };
        view.blocks.iter().filter_map(part).collect()
    }
}
