//! Lines that a request's card shares with what else is said of requests.

use crate::chat::text::count;
use crate::chat::view::Line;
use crate::chat::{Actor, UserId};
use crate::domain::access::Principal;
use crate::domain::approval::{Approval, Part};

pub fn by(line: Line, actor: &Actor) -> Line {
    match actor {
        Actor::Person(user) => line.person(user),
        Actor::Bot => line.say("the bot"),
    }
}

/// Who is gone of those on whom it rests, and what that means.
pub fn held_line(approval: &Approval) -> Option<Line> {
    let held = approval.held.as_ref().filter(|_| approval.status().is_open())?;
    let mut line = Line::new().say("⏸️ ");
    for (i, absent) in held.who.iter().enumerate() {
        line = if i > 0 { line.say("; ") } else { line };
        let did = match absent.part {
            Part::Requester => "asked for it",
            Part::Approver => "approved it",
            Part::Owner => "is to keep it",
        };
        line = line.person(&absent.user).say(format!(", who {did}, {}", absent.why.says(absent.part)));
    }
    Some(line.say(if !held.needs_somebody() {
        ". Nothing is sent until then; I try again by myself."
    } else if approval.can_be_confirmed() {
        ". Nothing more is sent until another approver confirms it, or it is rejected."
    } else {
        ". A key is shown to who asked for it alone, so it is not created. Reject it, and let a colleague ask."
    }))
}

/// To whom it was escalated. Groups are counted: a message in the card's place would notify them again.
pub fn escalated_line(approval: &Approval) -> Option<Line> {
    const NAMED: usize = 5;
    let escalated = approval.escalated.as_ref()?;
    let (people, groups): (Vec<Principal>, Vec<Principal>) =
        escalated.on(approval.request.channel.platform()).partition(|principal| !principal.is_group());
    let mut parts: Vec<Line> = Vec::new();
    for principal in people.iter().take(NAMED) {
        if let Principal::User(user) = principal {
            parts.push(Line::new().person(user));
        }
    }
    let counted = [
        (people.len().saturating_sub(NAMED), "other person", "other people"),
        (groups.len(), "user group", "user groups"),
    ];
    parts.extend(counted.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, more)| Line::from(count(n, one, more))));
    let mut line = Line::new().say("⏫ Escalated on ").moment(escalated.at).say(" to ");
    let total = parts.len();
    for (i, part) in parts.into_iter().enumerate() {
        line = match i {
            0 => line,
            i if i + 1 == total => line.say(" and "),
            _ => line.say(", "),
        };
        line = line.append(part);
    }
    Some(if total == 0 { line.say("people on another chat platform") } else { line })
}

/// Names people, as far as a line has room.
pub fn people(mut line: Line, people: &[UserId]) -> Line {
    const MOST: usize = 8;
    for (i, user) in people.iter().take(MOST).enumerate() {
        line = if i > 0 { line.say(" or ") } else { line };
        line = line.person(user);
    }
    match people.len().saturating_sub(MOST) {
        0 => line,
        more => line.say(format!(" or {}", count(more, "other", "others"))),
    }
}
