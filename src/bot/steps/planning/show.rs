//! A plan as it is shown: in short, one part beside what Sekoia has, and as lines that can be typed.

use crate::bot::paging::Page;
use crate::bot::steps::verify::Comparison;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{count, quoted, shown};
use crate::chat::view::{Choice, Control, Line, View};
use crate::domain::checklist::steps::Finding;
use crate::domain::plan::difference::{self, Mark};
use crate::domain::plan::{ChannelPlan, Hardening, Lifetime, Part, Plan};

/// Things of a part on one page.
const ENTRIES: usize = 20;
/// Differences beside something else.
const BESIDE: usize = 10;

impl Bot {
    /// The whole plan, in short.
    pub(super) async fn plan_show(&self, ask: &Ask<'_>) -> CommandResult {
        let session = self.session(ask).await?;
        let planned = self.plans.read(ask.channel).await?;
        let lines = Part::ALL.into_iter().map(|part| {
            let sign = if planned.is_open(part) { "☐ " } else { "☑️ " };
            Line::new().say(sign).strong(title(part)).say(" · ").append(summary(&planned, part))
        });
        let mut view = View::new("The plan")
            .heading("The plan")
            .line(Line::new().strong(shown(&session.community.name, 80)).say(" · what this workspace should be"))
            .bullets(lines.collect());
        if let Some(line) = self.template_line(&planned).await {
            view = view.line(line);
        }
        let options = Part::ALL.into_iter().map(|part| Choice { label: title(part).into(), value: part.name().into() });
        let mut controls =
            vec![Control::Menu { label: "Open a part".into(), words: "plan".into(), options: options.collect() }];
        if ask.rights.operator {
            controls.push(Control::primary("Check everything", "plan verify"));
            controls.push(Control::button("Export", "plan export"));
            controls.push(Control::button("Import…", "plan import"));
        }
        Ok(view.controls(controls))
    }

    /// One part, beside what Sekoia has.
    pub(super) async fn plan_part(&self, ask: &Ask<'_>, part: Part, page: usize, news: Vec<Line>) -> CommandResult {
        let session = self.session(ask).await?;
        self.may_read(ask, part)?;
        let planned = self.plans.read(ask.channel).await?;
        let compared = self.compare(ask.channel, &session, part.step(), Some(ask.actor), ask.now).await?;
        let heading = format!("The plan · {}", title(part));
        let mut view = View::new(news.first().cloned().unwrap_or_else(|| heading.clone().into()));
        for line in news {
            view = view.line(line);
        }
        view = view
            .heading(heading)
            .line(Line::new().strong(shown(&session.community.name, 80)))
            .line(Self::plan_line(&planned, part));
        let page = Page::of(&compared.lines, page, ENTRIES);
        view = view.bullets(page.items.iter().map(difference_line).collect());
        view = page.foot(view, &format!("plan {}", part.name()));
        let entries = planned.plan.count(part).is_some();
        if let Finding::Seen(evidence) = &compared.finding {
            view = view.line(format!("Sekoia shows: {}.", shown(&evidence.summary, 500)));
        }
        let create = compared.lines.iter().any(|line| line.mark == Mark::Create);
        let mut controls = super::controls(ask, part, planned.is_open(part), entries);
        if create && ask.rights.operator && part.can_be_asked() {
            controls.insert(0, Control::primary("Ask for what is missing", "plan request"));
        }
        view = proposing(ask, view, &compared);
        Ok(if controls.is_empty() { view } else { view.controls(controls) })
    }
}

/// How Sekoia differs from the plan, for those who may read names.
pub(in crate::bot::steps) fn difference_lines(ask: &Ask<'_>, lines: &[difference::Line]) -> Vec<Line> {
    let differs = |line: &&difference::Line| line.mark != Mark::There;
    let readable = |line: &&difference::Line| !line.part.is_personal() || ask.rights.operator;
    let all: Vec<&difference::Line> = lines.iter().filter(differs).filter(readable).collect();
    let mut out: Vec<Line> = all.iter().take(BESIDE).map(|line| difference_line(line)).collect();
    if let (true, Some(first)) = (all.len() > BESIDE, all.first()) {
        let line = Line::new().say(format!("… and {} more: ", all.len() - BESIDE));
        out.push(line.code(format!("/sekoia plan {}", first.part.name())));
    }
    out
}

/// What Sekoia shows as the plan, where nobody said yet whether it is all.
pub(in crate::bot::steps) fn proposing(ask: &Ask<'_>, view: View, compared: &Comparison) -> View {
    let (Finding::Seen(_), Some((part, proposal))) = (&compared.finding, &compared.proposal) else { return view };
    if !ask.rights.operator {
        return view;
    }
    let names = proposal.names(*part);
    let things = if *part == Part::Hardening { names.len() } else { proposal.count(*part).unwrap_or_default() };
    let (one, many) = part.nouns();
    let mut listed: Vec<String> = names.iter().take(BESIDE).map(|name| shown(name, 60)).collect();
    if names.len() > BESIDE {
        listed.push(format!("and {} more", names.len() - BESIDE));
    }
    let view = match things {
        0 => view,
        n => view.line(format!("As a plan, that is {}: {}.", count(n, one, many), listed.join(", "))),
    };
    let label = match things {
        0 => format!("No {one} is needed"),
        1 => format!("This {one} is enough"),
        n => format!("These {n} {many} are enough"),
    };
    view.controls(vec![
        Control::primary(label, format!("plan {} current {}", part.name(), proposal.print())),
        Control::button("More is needed…", format!("plan {} edit", part.name())),
    ])
}

pub(in crate::bot::steps) fn difference_line(line: &difference::Line) -> Line {
    let sign = match line.mark {
        Mark::Create => "➕ ",
        Mark::Change => "✏️ ",
        Mark::There => "🟰 ",
        Mark::Waiting => "⏳ ",
        Mark::Extra => "➖ ",
    };
    let said = Line::new().say(sign).strong(shown(&line.what, 120));
    let detail = match (line.mark, &line.detail) {
        (_, Some(detail)) => format!(" · {}", shown(detail, 300)),
        (Mark::Create, None) if line.part == Part::Notifications => " · no rule waits for it".into(),
        (Mark::Create, None) => " · Sekoia does not have it".into(),
        (Mark::Extra, None) => " · not in the plan".into(),
        _ => String::new(),
    };
    said.say(detail)
}

pub(super) fn title(part: Part) -> &'static str {
    match part {
        Part::Products => "Products and modules",
        Part::Region => "Region",
        Part::Communities => "Communities",
        Part::Roles => "Roles",
        Part::People => "People",
        Part::Keys => "API keys",
        Part::Notifications => "Notifications",
        Part::Hardening => "Hardening",
    }
}

/// What is planned of a part, without the names of people and keys.
fn summary(planned: &ChannelPlan, part: Part) -> Line {
    const LISTED: usize = 6;
    let (one, many) = part.nouns();
    let things = planned.plan.count(part);
    let names = planned.plan.names(part);
    let listed: Vec<String> = names.iter().take(LISTED).map(|name| shown(name, 40)).collect();
    let more = names.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let of = match things {
        None if part == Part::Notifications => "the three triggers that Sekoia names".into(),
        None => "open".into(),
        Some(0) => format!("no {many}"),
        Some(n) if part.is_personal() => count(n, one, many),
        Some(_) => format!("{}{more}", listed.join(", ")),
    };
    let line = Line::new().say(of);
    match planned.complete.get(&part) {
        Some(change) => {
            crate::bot::approvals::lines::by(line.say(" · all, says "), &change.by).say(" · ").moment(change.at)
        }
        None if things.is_some() => line.say(" · nobody said yet whether this is all"),
        None => line,
    }
}

/// A name as it is typed: in quotes where it would be read as something else.
fn word(name: &str) -> String {
    const KEYWORDS: [&str; 7] = ["about", "with", "as", "to", "for", "expires", "owner"];
    let doubtful = name.contains([',', '"', '“', '”', '«', '‘', '<', '&', '\\'])
        || name.split_whitespace().any(|word| KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)))
        || name.split(' ').any(str::is_empty);
    if doubtful { quoted(name) } else { name.to_owned() }
}

/// A part as lines that can be typed again.
pub(super) fn typed(plan: &Plan, part: Part) -> String {
    let list = |all: &[Box<str>]| all.iter().map(|one| word(one)).collect::<Vec<_>>().join(", ");
    let mut lines: Vec<String> = Vec::new();
    match part {
        Part::Products => lines.extend(plan.products.iter().flatten().map(|name| word(name))),
        Part::Region => lines.extend(plan.region.iter().map(ToString::to_string)),
        Part::Communities => lines.extend(plan.communities.iter().flatten().map(|community| {
            let about = community.about.as_deref().map(|about| format!(" about {}", word(about)));
            format!("{}{}", word(&community.name), about.unwrap_or_default())
        })),
        Part::Roles => lines.extend(plan.roles.iter().flatten().map(|role| {
            let with = role.permissions.as_deref().map(|all| format!(" with {}", list(all)));
            let about = role.about.as_deref().map(|about| format!(" about {}", word(about)));
            format!("{}{}{}", word(&role.name), with.unwrap_or_default(), about.unwrap_or_default())
        })),
        Part::People => lines.extend(plan.people.iter().flatten().map(|person| {
            let to = if person.communities.is_empty() {
                String::new()
            } else {
                format!(" to {}", list(&person.communities))
            };
            format!("{} as {}{to}", person.address, word(&person.role))
        })),
        Part::Keys => lines.extend(plan.keys.iter().flatten().map(|key| {
            let preset = key.preset.as_deref().map(|preset| format!(" for {preset}")).unwrap_or_default();
            let with =
                if key.permissions.is_empty() { String::new() } else { format!(" with {}", list(&key.permissions)) };
            let expires = match key.expires {
                Lifetime::Days(days) => format!("{days}d"),
                Lifetime::On(date) => date.to_string(),
                Lifetime::Never => "never".into(),
            };
            let owner = key.owner.as_ref().map(|owner| format!(" owner {}", owner.native())).unwrap_or_default();
            format!("{}{preset}{with} expires {expires}{owner}", word(&key.name))
        })),
        Part::Notifications => {
            lines.extend(plan.triggers.iter().flatten().map(|trigger| trigger.spec().words.to_owned()));
        }
        Part::Hardening => lines.extend(plan.hardening.map(settings).unwrap_or_default()),
    }
    lines.join("\n")
}

fn settings(hardening: Hardening) -> Vec<String> {
    let switch = |on: bool| if on { "on" } else { "off" };
    let mut all = Vec::new();
    all.extend(hardening.mfa.map(|on| format!("{} {}", Hardening::MFA, switch(on))));
    all.extend(hardening.session_timeout.map(|minutes| format!("{} {minutes}m", Hardening::SESSION_TIMEOUT)));
    all.extend(hardening.inactive_accounts.map(|on| format!("{} {}", Hardening::INACTIVE_ACCOUNTS, switch(on))));
    all.extend(hardening.sso.map(|on| format!("{} {}", Hardening::SSO, switch(on))));
    all
}

/// A line of a part's form.
pub(super) fn sample(part: Part) -> &'static str {
    match part {
        Part::Products => "Defend Prime",
        Part::Region => "FRA1",
        Part::Communities => "Retail about \"The retail branch\"",
        Part::Roles => "Night shift with View alerts, View events",
        Part::People => "ana@bank.example as Analyst to Retail",
        Part::Keys => "forwarder for intake-forwarder expires 180d",
        Part::Notifications => "alert",
        Part::Hardening => "session-timeout 8h",
    }
}

/// What is typed where no form can be opened.
pub(super) fn example(part: Part) -> String {
    match part {
        Part::Keys => format!("/sekoia plan key {}", sample(part)),
        Part::Roles => format!("/sekoia plan role {}", sample(part)),
        Part::People => format!("/sekoia plan person {}", sample(part)),
        Part::Communities => format!("/sekoia plan community {}", sample(part)),
        other => format!("/sekoia plan {} {}", other.name(), sample(part)),
    }
}
