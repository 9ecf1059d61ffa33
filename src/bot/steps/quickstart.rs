//! What comes next: the quick start of each licensed product, what of it is there, and how analysts get it.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{cards, finding_lines};
use crate::bot::failure::Failure;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::count;
use crate::chat::view::{Confirm, Control, Line, Style, View};
use crate::chat::{Actor, ChatError, ChatPlatform, UserId};
use crate::domain::action::people;
use crate::domain::checklist::steps::quickstart::{
    Defend, Elevate, Facts, Intelligence, Licensed, Point, Product, Reveal, Stands,
};
use crate::domain::checklist::steps::{Finding, subscription};
use crate::domain::checklist::{Command, Session, Status, StepId, decide};
use crate::domain::plan::Present;
use crate::pace::Rank;
use crate::sekoia::SekoiaError;
use crate::state::owed::{Notice, PostedQuickStart};
use crate::state::stream::encode;
use crate::store::{Schedule, WorkKind};

/// How long events are looked at, for how well they are parsed.
const PARSED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// As far back as telemetry reaches, with a day to spare.
const INVESTIGATED: SignedDuration = SignedDuration::from_hours(365 * 24);
/// People who are looked up and written to; Slack lets an app do about fifty of either a minute.
const MOST_PEOPLE: usize = 100;

impl Bot {
    pub(in crate::bot) async fn quickstart(&self, ask: &Ask<'_>, product: Option<Product>) -> CommandResult {
        let session = self.session(ask).await?;
        let licensed = self.licensed(session.community.uuid, ask.now).await?;
        let facts = self.first_steps(session.community.uuid, licensed, ask.now).await?;
        let mut view = View::new("What comes next").heading("What comes next");
        for product in product.map_or_else(|| licensed.products(), |product| vec![product]) {
            view = view.line(headline(product)).bullets(points(product, facts.stands(product)));
        }
        if !session.step(StepId::Keys).status.is_settled() {
            view = view.line("⚠️ Step 6 is still open: create the keys before intakes are configured.");
        }
        // What is missing stands with its point.
        let finding = match facts.finding() {
            Finding::Wanting { summary, .. } => Finding::Wanting { summary, missing: Vec::new() },
            other => other,
        };
        for line in finding_lines(StepId::Quickstart, &finding) {
            view = view.line(line);
        }
        if let Some(sent) = &session.sent {
            let line = crate::bot::approvals::lines::by(Line::new().say("Sent to the analysts by "), &sent.by);
            view = view.line(line.say(" · ").moment(sent.at));
        }
        let mut controls = Vec::new();
        if ask.rights.operator {
            if session.step(StepId::Quickstart).status == Status::Open {
                controls.push(Control::button("Done", "done quickstart"));
            }
            controls.push(Control::button("Send to the analysts…", "quickstart send"));
        }
        Ok(view.note(cards::see(Line::new(), StepId::Quickstart.spec())).controls(controls))
    }

    /// Posts the quick start for everybody in the channel, and writes to the members of the community who are in
    /// the chat; before it is confirmed, says to how many.
    pub(in crate::bot) async fn quickstart_send(&self, ask: &Ask<'_>, confirmed: bool) -> CommandResult {
        let session = self.session(ask).await?;
        let licensed = self.licensed(session.community.uuid, ask.now).await?;
        let products: Box<[Product]> = licensed.products().into();
        let chat = self.chats.of_channel(ask.channel).map_err(Failure::Chat)?;
        let readers = self.readers(chat, &session, ask.actor).await?;
        let names: Vec<&str> = products.iter().map(|product| product.name()).collect();
        let of = format!("The quick start of {}", names.join(", "));
        if !confirmed {
            let send = Control::Button {
                label: "Send".into(),
                words: "quickstart send confirm".into(),
                style: Style::Primary,
                confirm: Some(Confirm {
                    title: "Send the quick start?".into(),
                    text: "Everybody in the channel sees it.".into(),
                    yes: "Send".into(),
                }),
            };
            let said = format!("{of} would be posted in this channel{}.", readers.also("sent to"));
            return Ok(readers.noted(View::sentence(said)).controls(vec![send]));
        }
        let by = Actor::Person(ask.actor.clone());
        let brief = Command::Brief { products: products.clone(), people: readers.found.len() };
        let on = |state: Option<&Session>| decide(state, brief.clone(), ask.now);
        let key = format!("quickstart/{}/{}", ask.channel, ask.delivery);
        let owed = || {
            let work = |kind, key, body| Schedule { kind, key, due: ask.now, attempts: 0, body };
            let posted =
                PostedQuickStart { quick_start_in: ask.channel.clone(), by: by.clone(), products: products.clone() };
            let notice = |(number, to): (usize, &UserId)| {
                let (to, from, by) = (to.clone(), ask.channel.clone(), by.clone());
                let body = encode(&Notice::QuickStart { to, from, by, products: products.clone() });
                work(WorkKind::Notice, format!("{key}/{number}"), body)
            };
            let mut owed = vec![work(WorkKind::Announce, key.clone(), encode(&posted))];
            owed.extend(readers.found.iter().enumerate().map(notice));
            owed
        };
        self.sessions.change_and(ask.channel, &by, ask.now, ask.settles.row(), on, owed).await?;
        ask.settles.end();
        self.outbox.wake();
        let said = format!("{of} is posted in this channel{}.", readers.also("goes to"));
        Ok(readers.noted(View::sentence(said)))
    }

    /// The active members of the community who are in the chat, without who asks.
    async fn readers(&self, chat: &dyn ChatPlatform, session: &Session, own: &UserId) -> Result<Readers, Failure> {
        let Some(members) = self.members_if_allowed(session.community.uuid).await? else {
            return Ok(Readers { hidden: Some(Hidden::Members), ..Readers::default() });
        };
        let active: Vec<String> =
            members.iter().filter(|member| member.is_active()).filter_map(|m| m.email()).map(people::normal).collect();
        let mut readers = Readers { left_out: active.len().saturating_sub(MOST_PEOPLE), ..Readers::default() };
        for address in active.iter().take(MOST_PEOPLE) {
            match chat.by_address(address).await {
                Ok(Some(user)) if user != *own => {
                    let person = chat.person(&user).await.map_err(Failure::Chat)?;
                    if person.active && !person.guest && !person.bot && !readers.found.contains(&user) {
                        readers.found.push(user);
                    }
                }
                Ok(_) => {}
                Err(ChatError::MissingScope(scope)) => {
                    readers.hidden = Some(Hidden::Addresses(scope));
                    break;
                }
                Err(error) => return Err(Failure::Chat(error)),
            }
        }
        Ok(readers)
    }

    /// What Sekoia tells of the licensed products' quick starts.
    pub(super) async fn first_steps(
        &self,
        community: Uuid,
        licensed: Licensed,
        now: Timestamp,
    ) -> Result<Facts, Failure> {
        let mut facts = Facts::default();
        let (sekoia, rank) = (&self.sekoia, Rank::Person);
        if licensed.defend {
            let intakes = sekoia.intakes(community, rank).await?;
            let silent = self.silent_intakes(community, &intakes, now).await?;
            let parsing = seen(sekoia.parsing(community, now - PARSED, now, rank).await)?;
            let worked_on = sekoia.worked_on_alerts(community, rank).await?;
            facts.defend = Some(Defend {
                silent,
                parsing,
                rules: seen(sekoia.first_rules(community, rank).await)?,
                alerts: worked_on || !sekoia.newest_alerts(community, 1, rank).await?.is_empty(),
                worked_on,
                playbooks: sekoia.playbooks(community, rank).await?,
                runs: seen(sekoia.newest_runs(community, rank).await)?,
                intakes,
            });
        }
        if licensed.intelligence {
            let indicators = seen(sekoia.indicators(rank).await)?;
            facts.intelligence = Some(Intelligence { indicators, feeds: seen(sekoia.feeds(rank).await)? });
        }
        if licensed.reveal {
            facts.reveal = Some(Reveal { assets: seen(sekoia.assets(community, rank).await)? });
        }
        if licensed.elevate {
            let investigations = seen(sekoia.investigations(community, now - INVESTIGATED, now, rank).await)?;
            facts.elevate = Some(Elevate { investigations });
        }
        Ok(facts)
    }

    /// The evidence of the subscription, with what is used of it where the API tells.
    pub(super) async fn with_usage(
        &self,
        session: &Session,
        present: &Present,
        finding: Finding,
        now: Timestamp,
    ) -> Result<Finding, Failure> {
        let Present::Products(licences) = present else { return Ok(finding) };
        if !matches!(finding, Finding::Confirmed(_)) || !Licensed::of(licences, now).intelligence {
            return Ok(finding);
        }
        let own = seen(self.sekoia.own_indicators(session.community.uuid, Rank::Person).await)?;
        Ok(own.map_or(finding.clone(), |own| subscription::with_usage(finding, own)))
    }
}

/// None where the key may not look, or this Sekoia does not have it.
fn seen<T>(answer: Result<T, SekoiaError>) -> Result<Option<T>, SekoiaError> {
    match answer {
        Ok(seen) => Ok(Some(seen)),
        Err(SekoiaError::Forbidden { .. } | SekoiaError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The quick start, for those who work by it.
pub(in crate::bot) fn brief(products: &[Product], app: &str) -> View {
    let mut view = View::new("What comes next").heading("What comes next").line(
        Line::new().say("The workspace is set up. Log in at ").link(app.to_owned(), app.to_owned()).say(" and go on:"),
    );
    for product in products {
        view = view.line(headline(*product)).bullets(points(*product, None));
    }
    view.note(cards::see(Line::new(), StepId::Quickstart.spec()))
}

fn headline(product: Product) -> Line {
    let line = Line::new().strong(product.name());
    if product.duration().is_empty() { line.say(":") } else { line.say(format!(", {}:", product.duration())) }
}

/// `stands`: none where nothing is known of them.
fn points(product: Product, stands: Option<Vec<Stands>>) -> Vec<Line> {
    let known = stands.into_iter().flatten().map(Some).chain(std::iter::repeat(None));
    let line = |(point, stands): (&Point, Option<Stands>)| {
        let sign = match &stands {
            Some(Stands::There(_)) => "✅ ",
            Some(Stands::Missing(_)) => "☐ ",
            Some(Stands::Unknown(_)) => "❔ ",
            None => "",
        };
        let line = Line::new().say(format!("{sign}{}", point.title));
        let line = if point.effort.is_empty() { line } else { line.say(format!(" ({})", point.effort)) };
        match stands {
            Some(Stands::There(what)) => line.say(format!(" · {what}")),
            Some(Stands::Missing(what)) => line.say(format!(" · missing: {what}")),
            Some(Stands::Unknown(why)) => line.say(format!(" · only you can tell: {why}")),
            None => line,
        }
    };
    product.points().iter().zip(known).map(line).collect()
}

/// Who is written to.
#[derive(Default)]
struct Readers {
    found: Vec<UserId>,
    /// Members beyond those who are looked up.
    left_out: usize,
    hidden: Option<Hidden>,
}

enum Hidden {
    /// The key may not list members.
    Members,
    /// The chat does not tell whose address it is; the scope that is missing.
    Addresses(String),
}

impl Readers {
    fn also(&self, verb: &str) -> String {
        match self.found.len() {
            0 => String::new(),
            people => {
                let people = count(people, "person", "people");
                format!(", and {verb} {people} who are members at Sekoia and in this chat")
            }
        }
    }

    /// With why it reaches fewer than it might.
    fn noted(&self, view: View) -> View {
        let mut view = match &self.hidden {
            Some(Hidden::Members) => view.line("Nobody is written to: the bot's key lacks COMMUNITY_LIST_MEMBER."),
            Some(Hidden::Addresses(scope)) => view.line(format!(
                "Nobody is written to: without the scope {scope}, the chat does not tell the app who has which address."
            )),
            None if self.found.is_empty() => {
                view.line("Nobody is written to: no other member's address is known in this chat.")
            }
            None => view,
        };
        if self.left_out > 0 {
            let more = count(self.left_out, "further member is", "further members are");
            view = view.line(format!("{more} not looked up."));
        }
        view
    }
}
