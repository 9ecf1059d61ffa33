//! From words to an answer: who asks may, the command is carried out, whatever goes wrong is said.

use std::sync::Arc;

use jiff::Timestamp;

use super::failure::Failure;
use super::{Answer, Ask, Bot, Outcome, Settles, approvals, names, personal};
use crate::chat::view::{Line, View};
use crate::chat::{ChannelKey, Inbound, Wording, Words};
use crate::command::{Command, Fault, ParsedCommand, read};
use crate::domain::access::{Right, Rights};
use crate::telemetry::trace;

impl Bot {
    /// The answer. Never fails: what goes wrong is the answer then.
    /// `again`: no one waits for it any more, so that what may pass is tried again later.
    pub(super) async fn answer(
        &self,
        inbound: &Inbound,
        said: Result<ParsedCommand, Fault>,
        settles: Settles,
        again: bool,
    ) -> Outcome {
        let platform = inbound.channel.platform();
        let began = Timestamp::now();
        match self.noting_behind(self.answer_as_is(inbound, said, settles, again).await, began) {
            Outcome::Settled(Answer::Once(view)) => {
                Outcome::Settled(Answer::Once(Arc::new(self.native_to(platform, Arc::unwrap_or_clone(view)).await)))
            }
            Outcome::Settled(Answer::View(view)) if names::is_foreign_to(&view, platform) => {
                let view = self.native_to(platform, Arc::unwrap_or_clone(view)).await;
                Outcome::Settled(view.into())
            }
            outcome => outcome,
        }
    }

    async fn answer_as_is(
        &self,
        inbound: &Inbound,
        said: Result<ParsedCommand, Fault>,
        settles: Settles,
        again: bool,
    ) -> Outcome {
        let said = match said {
            Ok(said) => said,
            Err(fault) => return Outcome::Settled(misunderstood(&fault).into()),
        };
        match self.dispatch(inbound, &said, settles).await {
            Ok(answer) => Outcome::Settled(self.noting_freeze(&said.command, answer).await),
            Err(failure) if failure.is_not_set_up() => {
                let rights = self.policy.rights(&self.chats, &inbound.actor, &inbound.channel).await;
                Outcome::Settled(self.start(&inbound.channel, rights.ok()).await.into())
            }
            Err(failure) => {
                let unsettled = failure.is_ours() || (again && failure.is_passing());
                let denied = matches!(failure, Failure::Denied(_));
                let view = self.explain(failure, &said, &inbound.channel).await.into();
                match (unsettled, denied) {
                    (true, _) => Outcome::Unsettled(view),
                    (false, true) => Outcome::Settled(view),
                    (false, false) => Outcome::Settled(self.noting_freeze(&said.command, view).await),
                }
            }
        }
    }

    /// What went wrong, in the words of the platform where it is read.
    pub(super) async fn explain(&self, failure: Failure, said: &ParsedCommand, channel: &ChannelKey) -> View {
        if let Some(cause) = failure.cause() {
            self.metrics.failed_answer(cause);
            trace::failed(cause);
        }
        let wording = if failure.speaks_of_platform() { self.chats.wording(channel).await } else { Wording::default() };
        failure.view(said, &wording, self.sekoia.region)
    }

    /// While the store does not answer, what is read from memory may be out of date, and says so.
    fn noting_behind(&self, outcome: Outcome, began: Timestamp) -> Outcome {
        match (outcome, self.sessions.behind(began)) {
            (Outcome::Settled(Answer::View(view)), Some(since)) => {
                let since = since.strftime("%H:%M UTC on %-d %B");
                let note =
                    format!("My storage does not answer. This is what I knew at {since}, and may be out of date.");
                Outcome::Settled(Arc::unwrap_or_clone(view).note(note).into())
            }
            (outcome, _) => outcome,
        }
    }

    /// As long as nothing is carried out, every answer about requests says so.
    async fn noting_freeze(&self, command: &Command, answer: Answer) -> Answer {
        match answer {
            Answer::View(view) if command.is_about_requests() => match self.approvals.frozen().await {
                Ok(Some(frozen)) => approvals::card::noting(Arc::unwrap_or_clone(view), &frozen).into(),
                Ok(None) => Answer::View(view),
                Err(error) => {
                    tracing::warn!(%error, "an answer cannot say whether execution is frozen");
                    Answer::View(view)
                }
            },
            answer => answer,
        }
    }

    /// Why these words would come to nothing; none if they would, or if that is not known by now. Nothing
    /// is changed or recorded: a platform asks before it asks a question of its own.
    pub async fn refusal(&self, inbound: &Inbound) -> Option<View> {
        let said = read(&inbound.words, inbound.actor.platform()).ok()?;
        let failure = self.would_refuse(inbound, &said).await.err()?;
        if failure.is_ours() || failure.is_passing() {
            return None;
        }
        Some(self.explain(failure, &said, &inbound.channel).await)
    }

    async fn would_refuse(&self, inbound: &Inbound, said: &ParsedCommand) -> Result<(), Failure> {
        let Inbound { actor, at, delivery, .. } = inbound;
        let home = self.home_of(inbound, said).await?;
        let channel = home.as_ref().unwrap_or(&inbound.channel);
        if said.spec.right == Right::Anybody || self.is_inbox_of_direct(channel, &said.command) {
            return Ok(());
        }
        let rights = self.policy.rights(&self.chats, actor, channel).await?;
        let ask = Ask { actor, channel, now: *at, rights, delivery, settles: Settles::default() };
        match &said.command {
            Command::Approve { id } => self.may_approve(&ask, id).await,
            Command::Show { id } | Command::Saved { id, .. } | Command::Lost { id, .. }
                if self.keeps(actor, id).await? =>
            {
                Ok(())
            }
            Command::Cancel { id } | Command::Retire { id } if self.asked_as_requester(actor, id).await? => Ok(()),
            Command::Ask { kind, .. } => {
                self.may_ask(&ask.rights, actor, &self.approval_policy.kinds_at_first(*kind)).await
            }
            _ => Ok(self.policy.allow(&ask.rights, said.right(), actor)?),
        }
    }

    async fn dispatch(&self, inbound: &Inbound, said: &ParsedCommand, settles: Settles) -> Result<Answer, Failure> {
        let Inbound { actor, at, delivery, .. } = inbound;
        if let Some(message) = &inbound.pressed
            && let Some(view) = Box::pin(self.outdated(&inbound.channel, message)).await?
        {
            return Ok(view.into());
        }
        let home = self.home_of(inbound, said).await?;
        let channel = home.as_ref().unwrap_or(&inbound.channel);
        let rights = match said.right() {
            // Answered without asking anybody about them.
            Right::Anybody => Rights::NONE,
            // About no channel in particular: its handler asks about each.
            _ if self.is_inbox_of_direct(channel, &said.command) => Rights::NONE,
            right => {
                let rights = self.policy.rights(&self.chats, actor, channel).await?;
                // Who may see or decide a request depends on the request: its handler asks.
                let asked_there = match &said.command {
                    Command::Approve { .. }
                    | Command::Reject { .. }
                    | Command::Approvals { .. }
                    | Command::Approval { .. } => true,
                    // A key of an approved plan goes to whomever the plan names.
                    Command::Show { id } | Command::Saved { id, .. } | Command::Lost { id, .. } => {
                        self.keeps(actor, id).await?
                    }
                    Command::Cancel { id } | Command::Retire { id } => self.asked_as_requester(actor, id).await?,
                    Command::Ask { kind, .. } => {
                        self.may_ask(&rights, actor, &self.approval_policy.kinds_at_first(*kind)).await?;
                        true
                    }
                    _ => false,
                };
                if !asked_there {
                    self.policy.allow(&rights, right, actor)?;
                }
                rights
            }
        };
        let ask = Ask { actor, channel, now: *at, rights, delivery, settles };
        // Boxed, all but the most frequent: a request's future is as large as its largest branch.
        let view = match &said.command {
            Command::Help(topic) => Ok(Box::pin(self.help(&ask, *topic)).await),
            Command::WhoAmI => Ok(Box::pin(self.whoami(&ask)).await),
            Command::Skip { step, reason: None } => {
                return Box::pin(self.skip_form(&ask, *step)).await.map(Answer::Form);
            }
            Command::Ask { kind, request: None, .. } => {
                return Box::pin(self.request_form(&ask, *kind)).await.map(Answer::Form);
            }
            Command::Reject { id, reason: None } => {
                return Box::pin(self.reject_form(&ask, id)).await.map(Answer::Form);
            }
            Command::Show { id } => return Box::pin(self.show_key(&ask, id)).await,
            Command::Approve { id } => match Box::pin(self.approve(&ask, id)).await {
                Ok(Answer::View(view)) => Ok(Arc::unwrap_or_clone(view)),
                answer => return answer,
            },
            Command::Ask { request: Some(wish), said, .. } => Box::pin(self.request(&ask, wish, said.as_ref())).await,
            Command::Approvals { mine, page } => Box::pin(self.approvals_list(&ask, *mine, *page)).await,
            Command::Approval { id, page } => Box::pin(self.approvals_one(&ask, id, *page)).await,
            Command::Reject { id, reason: Some(reason) } => Box::pin(self.reject(&ask, id, reason)).await,
            Command::Cancel { id } => Box::pin(self.cancel(&ask, id)).await,
            Command::Saved { id, key } => Box::pin(self.saved(&ask, id, key.as_deref())).await,
            Command::Lost { id, key } => Box::pin(self.secret_lost(&ask, id, key.as_deref())).await,
            Command::Retire { id } => Box::pin(self.retire(&ask, id)).await,
            Command::Retry { id } => Box::pin(self.retry(&ask, id)).await,
            Command::ByHand { id } => Box::pin(self.by_hand(&ask, id)).await,
            Command::Check { id } => Box::pin(self.check(&ask, id)).await,
            Command::Freeze { reason } => Box::pin(self.freeze(&ask, Some(reason))).await,
            Command::Unfreeze => Box::pin(self.freeze(&ask, None)).await,
            Command::Setup { community, page, confirmed, whole, from } => {
                let wish = super::steps::setup::SetupWish {
                    wanted: community.as_deref(),
                    page: *page,
                    confirmed: *confirmed,
                    whole: whole.as_deref(),
                    from: from.as_ref(),
                };
                Box::pin(self.setup(&ask, wish)).await
            }
            Command::Plan(wish) => return Box::pin(self.planning(&ask, wish)).await,
            Command::Status => return self.status(&ask).await.map(Answer::View),
            Command::Next => Box::pin(self.next(&ask)).await,
            Command::Step { step, check } => Box::pin(self.step(&ask, *step, *check)).await,
            Command::Done { step, anyway, address } => {
                Box::pin(self.done_as(&ask, *step, *anyway, address.as_deref())).await
            }
            Command::Skip { step, reason: Some(reason) } => Box::pin(self.skip(&ask, *step, reason)).await,
            Command::Reopen(step) => Box::pin(self.reopen(&ask, *step)).await,
            Command::Assign { step, to } => Box::pin(self.assign(&ask, *step, to.as_ref())).await,
            Command::Due { step, due } => Box::pin(self.due(&ask, *step, *due)).await,
            Command::Reset { confirmed } => Box::pin(self.reset(&ask, *confirmed)).await,
            Command::Refresh => Box::pin(self.refresh(&ask)).await,
            Command::Report { json, page } => Box::pin(self.report(&ask, *json, *page)).await,
            Command::Inbox { page } => Box::pin(self.inbox(&ask, *page)).await,
            Command::Overview { page } => Box::pin(self.overview(&ask, *page)).await,
            Command::Doctor => Box::pin(self.doctor(&ask)).await,
            Command::Audit { last } => Box::pin(self.audit(&ask, *last)).await,
            Command::Subscription { page } => Box::pin(self.subscription(&ask, *page)).await,
            Command::Region => Box::pin(self.region(&ask)).await,
            Command::RegionShare => Box::pin(self.region_share(&ask)).await,
            Command::RegionProbe { confirmed } => Box::pin(self.region_probe(*confirmed)).await,
            Command::Communities { page } => Box::pin(self.communities(&ask, *page)).await,
            Command::Roles { page } => Box::pin(self.roles(&ask, *page)).await,
            Command::RoleShow { role, page, whole } => {
                Box::pin(self.role_show(&ask, role, *page, whole.as_deref())).await
            }
            Command::Users { page } => Box::pin(self.users(&ask, *page)).await,
            Command::Keys { page } => Box::pin(self.keys(&ask, *page)).await,
            Command::Quickstart(product) => Box::pin(self.quickstart(&ask, *product)).await,
            Command::QuickstartSend { confirmed } => Box::pin(self.quickstart_send(&ask, *confirmed)).await,
            Command::Notify { page } => Box::pin(self.notify_list(&ask, *page)).await,
            Command::NotifySummary { hours } => Box::pin(self.notify_summary(&ask, *hours)).await,
            Command::NotifyAdd { watch: Some(watch) } => Box::pin(self.notify_add(&ask, watch)).await,
            Command::NotifyAdd { watch: None } => return Box::pin(self.rule_form(&ask)).await.map(Answer::Form),
            Command::NotifyRecommended { confirmed } => Box::pin(self.notify_recommended(&ask, *confirmed)).await,
            Command::NotifyRule { number, wish } => Box::pin(self.notify_rule(&ask, *number, *wish)).await,
            Command::NotifyDigest(wish) => Box::pin(self.notify_digest(&ask, wish)).await,
            Command::NotifyWebhook { wish } => return Box::pin(self.notify_webhook(&ask, *wish)).await,
            Command::Acknowledge { alert } => Box::pin(self.acknowledge(&ask, alert)).await,
        };
        // A form stands alone, wherever it was opened; so does the one that shows a key.
        let form = matches!(inbound.words, Words::Filled { .. }) || matches!(said.command, Command::Saved { .. });
        let answer = if said.anywhere && !form { view.map(personal::from_anywhere) } else { view };
        answer.map(Answer::from)
    }

    /// Whether an inbox is asked for in a conversation that is no channel.
    fn is_inbox_of_direct(&self, channel: &ChannelKey, command: &Command) -> bool {
        let direct = || self.chats.of_channel(channel).is_ok_and(|chat| chat.is_direct(channel));
        matches!(command, Command::Inbox { .. }) && direct()
    }

    /// The channel of a request that is spoken of in a person's direct conversation with the bot, or in
    /// the words of an inbox.
    async fn home_of(&self, inbound: &Inbound, said: &ParsedCommand) -> Result<Option<ChannelKey>, Failure> {
        let direct = self.chats.of_channel(&inbound.channel).is_ok_and(|chat| chat.is_direct(&inbound.channel));
        let Some(id) = said.command.request().filter(|_| direct || said.anywhere) else { return Ok(None) };
        let home = self.approvals.find(id).await?.map(|approval| approval.request.channel);
        // What is on another platform is nobody's business here.
        Ok(home.filter(|home| home.platform() == inbound.channel.platform()))
    }

    async fn whoami(&self, ask: &Ask<'_>) -> View {
        let Ask { actor, channel, .. } = *ask;
        let view = View::new(Line::new().say("You are ").person(actor))
            .line(Line::new().say("You are ").person(actor).say(", ").code(actor.to_string()).say("."));
        match self.policy.rights(&self.chats, actor, channel).await {
            Ok(rights) => {
                let mut may = vec!["viewer: you may look at this channel's checklist"];
                if rights.operator {
                    may.push("operator: you may open channels, tick, skip, assign and ask for changes");
                }
                if rights.approver {
                    may.push("approver: you may approve or reject what others ask for, and freeze everything");
                }
                let lacks = match (rights.operator, rights.approver) {
                    (false, _) => Some(
                        "CHATOPS_OPERATORS makes operators, CHATOPS_APPROVERS makes approvers; both list ids like yours.",
                    ),
                    (true, false) => Some("CHATOPS_APPROVERS makes approvers; it lists ids like yours."),
                    (true, true) => None,
                };
                let mut lines: Vec<Line> = may.into_iter().map(Line::from).collect();
                for unread in &rights.unread {
                    let advice = unread.advice(&self.chats.wording(channel).await);
                    lines.push(Line::marked(&format!("perhaps more, which I cannot tell: {unread}. {advice}")));
                }
                let view = view.bullets(lines);
                match lacks {
                    Some(how) => view.note(how),
                    None => view,
                }
            }
            Err(denial) => view.line(denial.line(&self.chats.wording(channel).await)),
        }
    }
}

fn misunderstood(fault: &Fault) -> View {
    let mut view = View::sentence(fault.line());
    if let Some(usage) = fault.usage() {
        view = view.line(Line::new().say("Usage: ").code(usage));
    }
    if let Some(example) = fault.example() {
        view = view.line(Line::new().say("Try: ").code(format!("/sekoia {example}")));
    }
    view
}
