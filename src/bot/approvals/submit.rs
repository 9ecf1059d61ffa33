//! Sensitive requests on their way to approval: looked up, checked, previewed, posted.

use super::approvers::{Approvers, Deciding};
use super::card::what;
use super::lines::people;
use super::people::{account, cut_off};
use super::reveal::no_forms;
use crate::bot::failure::{Failure, instead};
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{SALT, count, shown};
use crate::chat::view::{Line, View};
use crate::chat::{ChannelKey, ChatPlatform, FieldError, Inbound, UserId};
use crate::command::{Command, Typed, read};
use crate::domain::action::{
    self, Action, Gaps, Kind, Named, Prepared, Problem, Replaced, Request as Wish, RequestedAction,
};
use crate::domain::approval::{self, ApprovalId, Request};
use crate::domain::checklist::{Session, StepId};
use crate::state::stream::encode;
use crate::store::personal;

/// Requests shown in full by a dry run.
const SAMPLES: usize = 3;

/// That people are invited before the steps that come first are settled.
fn order(kind: Kind, session: &Session) -> Option<String> {
    let first = [StepId::Subscription, StepId::Region, StepId::Communities, StepId::Roles];
    let open: Vec<String> = first
        .into_iter()
        .filter(|step| !session.step(*step).status.is_settled())
        .filter_map(|step| Some(step.spec().number?.to_string()))
        .collect();
    let steps = match open.as_slice() {
        [] => return None,
        [one] => format!("Step {one} is"),
        [all @ .., last] => format!("Steps {} and {last} are", all.join(", ")),
    };
    (kind == Kind::Invite)
        .then(|| format!("⚠️ {steps} still open: in Sekoia's order they are settled before people are invited."))
}

/// What an action's hash is salted with; nothing if it names no person.
pub(super) fn salt_for(action: &Action) -> Box<str> {
    if personal::found(&encode(action)).is_empty() {
        return "".into();
    }
    format!("{SALT}{:032x}", rand::random::<u128>()).into()
}

impl Bot {
    /// Checks a request and posts it for approval; a dry run shows what would be sent.
    pub(in crate::bot) async fn request(&self, ask: &Ask<'_>, wish: &Wish, said: Option<&Typed>) -> CommandResult {
        let session = self.session(ask).await?;
        if wish.community.as_deref().is_some_and(|of| of != session.community.uuid.to_string()) {
            return Err(instead(
                "Meanwhile this channel was bound to another community, so nothing was asked. Open the form again.",
            ));
        }
        let (prepared, because) = match self.prepared.remove(ask.delivery) {
            Some(found) if found.0 == session.community.uuid => (found.1.clone(), wish.because.clone()),
            _ => Box::pin(self.prepare(&session, wish, said, (ask.channel, ask.actor), ask.now)).await?,
        };
        let (policy, action) = (&self.approval_policy, &prepared.action);
        self.may_ask(&ask.rights, ask.actor, &policy.kinds(action)).await?;
        let (needed, whose) = policy.needed(action, prepared.sensitive);
        let second_factor = policy.second_factor(action);
        let (self_approval, ttl) = (policy.self_approval(action), policy.ttl(action));
        let (approvers, further) = self.quorum(&prepared, ask.actor, needed, whose).await?;
        if wish.dry_run {
            return Ok(self.dry_run(&prepared, needed, &[approvers.able, further].concat()));
        }
        if let Some(reason) = &because
            && reason.chars().count() > crate::domain::checklist::MAX_REASON
        {
            return Err(Failure::Wrong(Problem { field: "because", text: "Give a shorter reason.".into() }));
        }
        let no_form = || self.chats.of_channel(ask.channel).is_ok_and(ChatPlatform::only_mentions);
        let on_page = policy.reveal(action) == approval::Reveal::Page;
        if matches!(prepared.action, Action::CreateKey { .. }) && !on_page && no_form() {
            return Err(Failure::Instead(Box::new(no_forms())));
        }
        let id = ApprovalId::of(ask.delivery);
        if prepared.action.is_bundle()
            && let Some(open) = self.asked_before(ask.channel, &prepared.action).await?
            && open.id != id
        {
            let line = Line::new().say("Exactly this was asked for already, and is not settled: ");
            return Err(instead(line.code(format!("/sekoia approvals {}", open.id)).say(".")));
        }
        let chat = self.chats.of_user(ask.actor).map_err(Failure::Chat)?;
        let lists = self.deciding_lists(&Deciding::of(policy.kinds(&prepared.action)));
        let audience = Self::audience(policy.notify(&prepared.action), &lists, &approvers, chat);
        let expires = crate::state::stream::sealed(ask.now + ttl);
        let reminders = policy.reminders(&prepared.action, ask.now, expires);
        let escalates =
            policy.escalate_after(&prepared.action).map(|after| crate::state::stream::sealed(ask.now + after));
        let salt = salt_for(&prepared.action);
        let request = Box::new(Request {
            channel: ask.channel.clone(),
            community: session.community.clone(),
            hash: prepared.action.hash(&salt),
            salt,
            action: prepared.action,
            because: because.as_deref().map(|b| b.trim().into()),
            risks: prepared.risks,
            account: prepared.account.clone(),
            needed,
            self_approval,
            expires,
            bundle: None,
            audience,
            reminders: reminders.into_iter().map(crate::state::stream::sealed).collect(),
            second_factor,
            escalates,
        });
        let changed = self.change_request(ask, &id, approval::Command::Ask { id: id.clone(), request }).await?;
        let mut line = Line::new()
            .say("Asked: ")
            .strong(changed.state.request.action.title())
            .say(format!(". It needs {} by ", count(usize::from(needed), "approval", "approvals")));
        line = match (escalates.filter(|_| !further.is_empty()), approvers.able.is_empty()) {
            (Some(at), true) => people(line, &further).say(" from ").moment(at).say(" on,"),
            (Some(at), false) => {
                let line = people(line, &approvers.able).say(", and from ").moment(at).say(" on by ");
                people(line, &further).say(",")
            }
            (None, _) => people(line, &approvers.able),
        };
        line = line.say(" until ").moment(changed.state.request.expires).say(".");
        let order = order(changed.state.request.action.kind(), &session);
        let notes = prepared.notes.iter().map(|n| &**n).chain(order.as_deref()).map(|n| Line::from(shown(n, 400)));
        let mut view = View::sentence(line).bullets(notes.collect());
        if let Some(account) = account(&prepared.account, Some(&id)) {
            view = view.line(account);
        }
        Ok(view.note(self.where_the_card_is(ask.channel, &id).await?))
    }

    /// Where the card of a new request is. What keeps it from its channel keeps nobody from
    /// deciding.
    async fn where_the_card_is(&self, channel: &ChannelKey, id: &ApprovalId) -> Result<Line, Failure> {
        let line = Line::new().say(format!("Request {id}. "));
        let error = match self.card_stands(id).await? {
            Ok(true) => return Ok(line.say("Its card is in this channel.")),
            Ok(false) => return Ok(line.say("Its card will be in this channel in a moment.")),
            Err(error) => error,
        };
        let mut line = line.say(format!("Its card is not in this channel yet: {error}. "));
        if !error.is_passing() {
            let wording = self.chats.wording(channel).await;
            line.0.extend(Line::marked(&error.advice(&wording)).0);
            line = line.say(" ");
        }
        let line = line.say("I keep trying to post it by myself. Until then ").code(format!("/sekoia approvals {id}"));
        Ok(line.say(" shows the request, and ").code(format!("/sekoia approve {id}")).say(" approves it."))
    }

    /// Looks up what a request names, and says why it is asked for. Nothing is changed.
    ///
    /// `said`: what was typed is read again once the names are known that it may hold, so that
    /// `key revoke Out to lunch` is about the key of that name.
    async fn prepare(
        &self,
        session: &Session,
        wish: &Wish,
        said: Option<&Typed>,
        (channel, actor): (&ChannelKey, &UserId),
        now: jiff::Timestamp,
    ) -> Result<(Prepared, Option<String>), Failure> {
        let seen = self.look_up(&wish.wanted, session.community.uuid, said.is_some()).await?;
        let meant = said.and_then(|said| said.among(seen.names(now)));
        let wish = meant.as_ref().unwrap_or(wish);
        let own = Named::new(session.community.uuid.to_string(), &*session.community.name);
        let prepared = match &wish.wanted {
            RequestedAction::Invite { addresses, csv, file, role, communities, leave_out } => {
                let form = wish.community.is_some();
                let chat = self.chats.of_channel(channel).map_err(Failure::Chat)?;
                if form {
                    cut_off(addresses, csv, chat.forms_take_files()).map_err(Failure::Wrong)?;
                }
                let attached = match file {
                    Some(name) => self.attached(chat, channel, actor, name).await?,
                    None => String::new(),
                };
                let people = action::people::read(addresses, if file.is_some() { &attached } else { csv })?;
                let gaps = match (*leave_out || wish.dry_run, form) {
                    (true, _) => Gaps::LeaveOut,
                    (false, true) => Gaps::Refuse("choose \"Leave them out\" below"),
                    (false, false) => Gaps::Refuse("add `--leave-out` to ask for the others"),
                };
                self.prepare_invitations(&own, &people, role.as_deref(), communities, gaps).await?
            }
            RequestedAction::Resend { whose } => {
                let prepared = self.prepare_resend(session, whose).await?;
                return Ok((self.on_own_host(prepared), wish.because.clone()));
            }
            RequestedAction::Communities { names, about } => {
                let (root, children) = self.workspace().await?;
                action::communities(names, about.as_deref(), &root, &children)
            }
            RequestedAction::Plan { plan } => {
                let prepared = self.prepare_bundle(session, plan.as_deref(), channel).await?;
                return Ok((prepared, wish.because.clone()));
            }
            RequestedAction::Role { name, about, with } => {
                action::role(name, about.as_deref(), with, &seen.of_roles(own))
            }
            RequestedAction::Key { name, preset, with, about, expires } => {
                let facts = seen.of_keys(own, now);
                action::key(name, preset.as_deref(), with, about.as_deref(), *expires, &facts)
            }
            RequestedAction::Revoke { key } => action::revoke(key, &seen.of_keys(own, now)),
            RequestedAction::Rotate { key, name, expires } => {
                action::rotate(key, name.as_deref(), *expires, &seen.of_keys(own, now))
            }
        };
        let because = wish.because.clone();
        prepared.map(|prepared| (self.on_own_host(prepared), because)).map_err(Failure::Wrong)
    }

    /// What is different where Sekoia is self-hosted: it sends e-mail as its administrator set it up.
    fn on_own_host(&self, mut prepared: Prepared) -> Prepared {
        if self.sekoia.region.is_self_hosted() && prepared.action.kind() == Kind::Invite {
            let smtp = "the e-mail goes out through your own SMTP server, as it is set up in your Sekoia: nobody gets it while that is a placeholder";
            prepared.risks.push(smtp.into());
        }
        prepared
    }

    /// Who may approve this besides who asks, and who may when it is escalated if those are too few; if
    /// enough may.
    ///
    /// `kind`: whose rule needs so many.
    async fn quorum(
        &self,
        prepared: &Prepared,
        asker: &UserId,
        needed: u8,
        kind: Kind,
    ) -> Result<(Approvers, Vec<UserId>), Failure> {
        let rule = self.approval_policy.rule(kind);
        let self_approval = self.approval_policy.self_approval(&prepared.action);
        let kinds = self.approval_policy.kinds(&prepared.action);
        let chat = self.chats.of_user(asker).map_err(Failure::Chat)?;
        let lists = self.deciding_lists(&Deciding::of(kinds.clone()));
        let Approvers { mut able, or_more, unread } = self.approvers(lists, chat).await?;
        let asks = able.contains(asker);
        if !self_approval {
            able.retain(|user| user != asker);
        }
        if able.len() >= usize::from(needed) {
            return Ok((Approvers { able, or_more, unread }, Vec::new()));
        }
        let escalated = self.approval_policy.escalate_to(&prepared.action);
        let escalated = escalated.into_iter().map(|principal| principal.to_string().into()).collect();
        let lists = self.deciding_lists(&Deciding { kinds, escalated });
        let whose: Vec<String> = lists.iter().map(|(_, setting)| setting.clone()).collect();
        let mut further = self.approvers(lists, chat).await?.able;
        // Nobody becomes an approver of their own request.
        further.retain(|user| user != asker && !able.contains(user));
        if able.len() + further.len() >= usize::from(needed) {
            return Ok((Approvers { able, or_more, unread }, further));
        }
        let section = format!("[approval.{}]", kind.name());
        let whose = whose.join(" and ");
        let needs = match (prepared.sensitive && needed > rule.required, self.approval_policy.per.contains_key(&kind)) {
            (true, _) => format!("required_sensitive in {section}"),
            (false, true) => format!("required in {section}"),
            (false, false) => "CHATOPS_APPROVALS_REQUIRED".into(),
        };
        let have = match (able.len() + further.len(), asks && !self_approval) {
            (0, false) => "nobody may approve it".to_owned(),
            (0, true) => "nobody but you may approve it, and not your own request".into(),
            (n, false) => format!("only {} may approve it", count(n, "person", "people")),
            (n, true) => format!("only {} besides you may approve it", count(n, "person", "people")),
        };
        let needed = count(usize::from(needed), "approval", "approvals");
        if let Some(unread) = unread.first() {
            let advice = unread.advice(&chat.wording().await);
            return Err(instead(Line::marked(&format!(
                "I cannot tell whether this could be approved: it needs {needed} ({needs}), as far as I can tell {have}, and {unread}. {advice} Nothing was asked.",
            ))));
        }
        let hint = if asks && !self_approval { ", or to set CHATOPS_SELF_APPROVAL=true" } else { "" };
        Err(instead(format!(
            "This could never be approved: it needs {needed} ({needs}), and {have} ({whose}). Nothing was asked. Ask your bot administrator to change one of the two{hint}.",
        )))
    }

    fn dry_run(&self, prepared: &Prepared, needed: u8, approvers: &[UserId]) -> View {
        let action = &prepared.action;
        let view = View::new(format!("Dry run: {}", action.title()))
            .heading("Dry run: nothing was asked, nothing is sent")
            .line(Line::new().strong(action.title()));
        let mut view = what(view, action, 10)
            .bullets(prepared.risks.iter().map(|r| Line::new().say("⚠️ ").say(shown(r, 400))).collect())
            .bullets(prepared.notes.iter().map(|n| Line::from(shown(n, 400))).collect());
        if let Some(account) = account(&prepared.account, None) {
            view = view.line(account);
        }
        let base = self.sekoia.base().as_str().trim_end_matches('/').to_owned();
        for item in 0..action.items().min(SAMPLES) {
            for call in action.replaced(item).map(Replaced::call).chain(action.call(item)) {
                let body = call.body.map_or(String::new(), |b| serde_json::to_string_pretty(&b).unwrap_or_default());
                view = view.code(format!("{} {base}{}\n{body}", call.method.name(), call.path).trim_end().to_owned());
            }
        }
        let more = action.items().saturating_sub(SAMPLES);
        if more > 0 {
            view = view.line(format!("… and {} of the same form", count(more, "request", "requests")));
        }
        let line = Line::new().say(format!("Would need {} by ", count(usize::from(needed), "approval", "approvals")));
        view.line(people(line, approvers))
            .note("Header: Authorization: Bearer, with the bot's own key, which is never shown.")
    }

    /// What is wrong with a submitted form. What takes longer to find out than a form may wait is
    /// told in a message instead.
    pub async fn field_error(&self, inbound: &Inbound) -> Option<FieldError> {
        match read(&inbound.words, inbound.actor.platform()) {
            Err(fault) => Some(FieldError { field: fault.field(), text: fault.line().to_string() }),
            Ok(said) => match said.command {
                Command::Skip { reason: None, .. } | Command::Reject { reason: None, .. } => {
                    let text = "Give a reason that others will understand.".into();
                    Some(FieldError { field: Some("reason"), text })
                }
                Command::Ask { kind, request: Some(wish), .. } => {
                    // An uploaded file was fetched before: that time is gone.
                    // Later, its fields' errors come as a message.
                    let patience = self.chats.of_channel(&inbound.channel).ok()?.form_patience();
                    let gone = jiff::Timestamp::now().duration_since(inbound.at).unsigned_abs();
                    let left = patience.saturating_sub(gone);
                    let checked = tokio::time::timeout(left, self.check_wish(inbound, kind, &wish));
                    let problem = checked.await.ok()??;
                    Some(FieldError { field: Some(problem.field), text: problem.text.to_string() })
                }
                Command::NotifyAdd { watch: Some(watch) } => {
                    let patience = self.chats.of_channel(&inbound.channel).ok()?.form_patience();
                    tokio::time::timeout(patience, self.rule_problem(inbound, &watch)).await.ok()?
                }
                _ => None,
            },
        }
    }

    async fn check_wish(&self, inbound: &Inbound, kind: Kind, wish: &Wish) -> Option<Problem> {
        let rights = self.policy.rights(&self.chats, &inbound.actor, &inbound.channel).await.ok()?;
        self.may_ask(&rights, &inbound.actor, &self.approval_policy.kinds_at_first(kind)).await.ok()?;
        let session = self.sessions.read(&inbound.channel).await.ok()??;
        match self.prepare(&session, wish, None, (&inbound.channel, &inbound.actor), inbound.at).await {
            Ok((prepared, _)) => {
                // The request itself follows at once: it need not be looked up again.
                let prepared = std::sync::Arc::new((session.community.uuid, prepared));
                self.prepared.insert(inbound.delivery.clone(), prepared);
                None
            }
            Err(Failure::Wrong(problem)) => Some(problem),
            // Whatever else it is, it is told in a message.
            Err(_) => None,
        }
    }
}
