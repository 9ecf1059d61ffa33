//! Steps 1 to 3, read side: subscription, region, communities.

use url::Url;

use super::cards;
use crate::bot::failure::reference;
use crate::bot::paging::Page;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::Actor;
use crate::chat::text::{count, natural, shown};
use crate::chat::view::{Confirm, Control, Line, Style, View, day};
use crate::domain::checklist::steps::communities::mode;
use crate::domain::checklist::steps::subscription::{self, Expiry};
use crate::domain::checklist::{Command, Mode, Session, Status, StepId, decide};
use crate::domain::plan::{self, Part, Plan};
use crate::pace::Rank;
use crate::sekoia::{Documented, Licence, Region, days_until};
use crate::state::owed::SharedAddress;
use crate::state::stream::encode;
use crate::store::{Schedule, WorkKind};

const LICENCES: usize = 8;
const COMMUNITIES: usize = 20;

impl Bot {
    pub(in crate::bot) async fn subscription(&self, ask: &Ask<'_>, page: usize) -> CommandResult {
        let session = self.session(ask).await?;
        let mut licences = self.licences_of(session.community.uuid).await?;
        licences.sort_by_key(|l| (subscription::expiry(l, ask.now) == Expiry::Expired, l.end));
        let page = Page::of(&licences, page, LICENCES);
        let mut view = View::new("Subscription").heading("Subscription").line(
            Line::new()
                .strong(shown(&session.community.name, 80))
                .say(format!(" · {}", count(licences.len(), "licence", "licences"))),
        );
        if licences.is_empty() {
            view =
                view.line("Sekoia lists no licence for this community. Your Sekoia contact can tell what was ordered.");
        }
        view = view.bullets(page.items.iter().map(|l| licence(l, ask)).collect());
        Ok(self.footed(ask, page.foot(view, "subscription"), StepId::Subscription).await)
    }

    pub(in crate::bot) async fn region(&self, ask: &Ask<'_>) -> CommandResult {
        self.session(ask).await?;
        let region = self.sekoia.region;
        self.sekoia.validate(Rank::Person).await?;
        let api = self.sekoia.base().as_str().trim_end_matches('/');
        let view = View::new(format!("Region {region}")).heading(format!("Region {region} · {}", region.place()));
        let view = match region.documented() {
            Some(documented) => view
                .line("The bot's key is accepted there. Share the first address before you invite people.")
                .bullets(addresses(&self.sekoia.app, api, &documented)),
            None => view
                .line("The bot's key is accepted there. On your own host there is no region to choose. Before you invite people, confirm three things:")
                .bullets(to_confirm(self.sekoia.base(), &self.sekoia.app))
                .line("The addresses:")
                .bullets(own_addresses(&self.sekoia.app, api)),
        };
        let view = self.footed(ask, view, StepId::Region).await;
        if !ask.rights.operator {
            return Ok(view);
        }
        Ok(view.controls(vec![Control::button("Share with the team", "region share")]))
    }

    /// Posts the app's address for everybody in the channel. The region is the planned one from then on.
    pub(in crate::bot) async fn region_share(&self, ask: &Ask<'_>) -> CommandResult {
        let session = self.session(ask).await?;
        self.sekoia.validate(Rank::Person).await?;
        let (region, by) = (self.sekoia.region, Actor::Person(ask.actor.clone()));
        let share = Command::Share { app: self.sekoia.app.clone() };
        let on = |state: Option<&Session>| decide(state, share.clone(), ask.now);
        let owed = || {
            let body = encode(&SharedAddress { shared_in: ask.channel.clone(), by: by.clone() });
            let key = format!("address/{}/{}", ask.channel, ask.delivery);
            vec![Schedule { kind: WorkKind::Announce, key, due: ask.now, attempts: 0, body }]
        };
        let recorded = ask.settles.row();
        if matches!(session.step(StepId::Region).status, Status::Verified { .. }) {
            self.sessions.change_and(ask.channel, &by, ask.now, recorded, on, owed).await?;
            ask.settles.end();
            self.outbox.wake();
            return Ok(View::sentence("The address is posted in this channel."));
        }
        self.sessions.change_first(ask.channel, &by, ask.now, recorded, on, owed).await?;
        self.outbox.wake();
        let plan = Box::new(Plan { region: Some(region.name().into()), ..Plan::default() });
        self.plan_set(ask, Part::Region, plan::Command::Set { part: Part::Region, plan }).await
    }

    pub(in crate::bot) async fn region_probe(&self, confirmed: bool) -> CommandResult {
        let region = self.sekoia.region;
        if region.is_self_hosted() {
            return Ok(View::sentence(Line::marked(
                "There is no other region to try: the key of a self-hosted Sekoia works at its own host only, and is sent nowhere else. `/sekoia region` shows the addresses.",
            )));
        }
        if !confirmed {
            return Ok(View::sentence(format!(
                "This sends the bot's API key to Sekoia's hosts of the {} regions other than {region}, one host a second, until one takes it.",
                Region::ALL.len() - 1
            ))
            .controls(vec![Control::Button {
                label: "Probe the regions".into(),
                words: "region probe confirm".into(),
                style: Style::Primary,
                confirm: Some(Confirm {
                    title: "Send the key there?".into(),
                    text: "Only hosts of sekoia.io get it.".into(),
                    yes: "Probe".into(),
                }),
            }]));
        }
        let here = self.sekoia.validate(Rank::Person).await;
        let mut view = View::new("Region probe").heading("Region probe");
        let mut lines = vec![match &here {
            Ok(_) => Line::new().say("✅ ").strong(region.name()).say(" (configured): the key is accepted"),
            Err(error) => Line::new().say("❌ ").strong(region.name()).say(format!(" (configured): {error}")),
        }];
        for probed in self.sekoia.probe().await {
            let name = probed.region.name();
            lines.push(match &probed.accepted_at {
                Some(url) => Line::new().say("✅ ").strong(name).say(": the key is accepted at ").code(url.to_string()),
                None => Line::new().say("➖ ").strong(name).say(format!(": {}", shown(&probed.answer, 200))),
            });
            if let (Some(_), Err(_)) = (&probed.accepted_at, &here) {
                tracing::warn!(reference = reference(), region = name, "the key belongs to another region");
                view = view.line(format!("The key belongs to {name}: set SEKOIA_REGION={name} and restart the bot."));
            }
        }
        Ok(view.bullets(lines))
    }

    pub(in crate::bot) async fn communities(&self, ask: &Ask<'_>, page: usize) -> CommandResult {
        let session = self.session(ask).await?;
        let (root, mut children) = self.workspace().await?;
        children.sort_by_cached_key(|c| natural(c.name()));
        let bound = session.community.uuid;
        let mark = |uuid| if uuid == bound { " · this channel's" } else { "" };
        let mut view = View::new("Communities").heading("Communities").line(
            Line::new().strong(shown(root.name(), 80)).say(match mode(&root, children.len()) {
                Mode::MultiTenant => {
                    format!(" · multi-tenant, {}{}", count(children.len(), "community", "communities"), mark(root.uuid))
                }
                Mode::SingleTenant if root.parent_community_uuid.is_some() => {
                    format!(" · a unit of a larger workspace; the key does not see the others{}", mark(root.uuid))
                }
                Mode::SingleTenant => {
                    format!(" · single-tenant: it cannot hold communities, so step 3 does not apply{}", mark(root.uuid))
                }
            }),
        );
        let page = Page::of(&children, page, COMMUNITIES);
        view = view.bullets(
            page.items
                .iter()
                .map(|c| {
                    let mut line = Line::new().strong(shown(c.name(), 80)).say(mark(c.uuid));
                    if let Some(about) = c.description.as_deref().filter(|d| !d.trim().is_empty()) {
                        line = line.say(format!(" · {}", shown(about, 120)));
                    }
                    if c.is_mfa_enforced == Some(false) {
                        line = line.say(" · ⚠️ MFA not enforced");
                    }
                    if let Some(at) = c.created_at {
                        line = line.say(format!(" · since {}", day(at)));
                    }
                    line
                })
                .collect(),
        );
        Ok(self.footed(ask, page.foot(view, "communities"), StepId::Communities).await)
    }

    /// Adds where to read on, and the way to the step.
    pub(in crate::bot) async fn footed(&self, ask: &Ask<'_>, view: View, step: StepId) -> View {
        let mut controls = vec![Control::button(format!("Open {step}"), format!("step {}", step.name()))];
        let open = match self.sessions.read(ask.channel).await {
            Ok(Some(session)) => !session.step(step).status.is_settled(),
            _ => false,
        };
        if open && ask.rights.operator {
            controls.insert(0, Control::primary("Done", format!("done {}", step.name())));
        }
        view.note(cards::see(Line::new(), step.spec())).controls(controls)
    }
}

fn licence(licence: &Licence, ask: &Ask<'_>) -> Line {
    let mut line = Line::new();
    let warning = subscription::warning(licence, ask.now);
    if warning.is_some() {
        line = line.say("⚠️ ");
    }
    line = line.strong(subscription::product(licence));
    if let Some(module) = subscription::module(licence) {
        line = line.say(format!(" · module {module}"));
    }
    line = line.say(match (licence.start, licence.end) {
        (Some(start), Some(end)) => format!(" · {} to {}", day(start), day(end)),
        (None, Some(end)) => format!(" · until {}", day(end)),
        (Some(start), None) => format!(" · since {}, without an end date", day(start)),
        (None, None) => " · without an end date".into(),
    });
    if let Some(end) = licence.end.filter(|end| *end > ask.now) {
        line = line.say(format!(", {} days left", days_until(end, ask.now)));
    }
    let mut settings = subscription::settings(&licence.limits);
    settings.extend(subscription::settings(&licence.properties));
    settings.truncate(8);
    if !settings.is_empty() {
        line = line.say(format!(" · {}", settings.join(", ")));
    }
    match warning {
        Some(warning) => line.say(format!(" · {warning}")),
        None => line,
    }
}

/// The addresses that a team needs.
fn addresses(app: &str, api: &str, documented: &Documented) -> Vec<Line> {
    vec![
        Line::new().say("App: ").link(app.to_owned(), app.to_owned()),
        Line::new().say("API: ").code(api.to_owned()),
        Line::new().say("HTTP intake: ").code(documented.intake.clone()),
        Line::new().say("Syslog: ").code(documented.syslog.clone()),
        Line::new().say("RELP: ").code(documented.relp.clone()),
    ]
}

/// The same on the customer's own host, whose load balancer takes events too. The path of its HTTP
/// intake is not documented.
fn own_addresses(app: &str, api: &str) -> Vec<Line> {
    let mut lines = vec![
        Line::new().say("App: ").link(app.to_owned(), app.to_owned()),
        Line::new().say("API: ").code(api.to_owned()),
    ];
    if let Some(host) = host(app) {
        lines.push(
            Line::new().say("HTTP intake: port 443 of ").code(host.clone()).say(", as an intake's page shows it"),
        );
        lines.push(Line::new().say("Syslog over TLS: ").code(format!("{host}:10514")));
        lines.push(Line::new().say("RELP over TLS: ").code(format!("{host}:11514")));
    }
    lines
}

/// What nobody but the customer can tell of their own host.
fn to_confirm(api: &Url, app: &str) -> Vec<Line> {
    let host = host(app).unwrap_or_else(|| app.to_owned());
    let certificate = if api.scheme() == "https" {
        "Certificate: the bot verified the API's; your members' browsers must trust the one of the app, or they get a warning."
    } else {
        "Certificate: the bot calls the API without one, on its own machine; your members' browsers must trust the one of the app."
    };
    vec![
        Line::new().say("Host: ").code(host).say(" is the one that your administrator of Sekoia gave you."),
        Line::from(certificate),
        Line::from("Name: members resolve it from where they work, over the VPN too."),
    ]
}

fn host(app: &str) -> Option<String> {
    Some(app.parse::<Url>().ok()?.host_str()?.to_owned())
}
