//! The form of a rule: the trigger, then `RULE_FIELDS`.

use crate::bot::failure::Failure;
use crate::bot::{Ask, Bot};
use crate::chat::text::{natural, same, shown};
use crate::chat::view::{Choice, Field, FieldKind, Form, Group, Line, Text};
use crate::command::{FORM, RULE_FIELDS, TRIGGER, find};
use crate::domain::notify::{AlertStatus, Key, MAX_NAME, TRIGGERS};
use crate::pace::Rank;

/// Options of one group: Slack takes a hundred.
const GROUP: usize = 100;
/// Characters that every platform takes as a choice's value.
const VALUE: usize = 70;

impl Bot {
    pub(in crate::bot) async fn rule_form(&self, ask: &Ask<'_>) -> Result<Form, Failure> {
        let session = self.session(ask).await?;
        let community = session.community.uuid;
        // Without the lists, the rest of the form is still worth having: names can be typed.
        let (intakes, playbooks) =
            tokio::join!(self.sekoia.intakes(community, Rank::Person), self.sekoia.playbooks(community, Rank::Person));
        let intakes = intakes.map(|all| all.iter().map(|i| (i.name().to_owned(), i.uuid.clone())).collect());
        let playbooks = playbooks.map(|all| all.iter().map(|p| (p.name().to_owned(), p.uuid.clone())).collect());
        let triggers = TRIGGERS.iter().filter(|spec| spec.evaluated);
        let triggers = triggers.map(|spec| Choice { label: spec.title.into(), value: spec.words.into() });
        let mut fields = vec![Field {
            name: TRIGGER,
            label: "Tell this channel of".into(),
            hint: "What follows narrows it down. What else rules in Sekoia's console tell comes by webhook: /sekoia notify webhook".into(),
            optional: false,
            kind: one_of(&triggers.collect::<Vec<_>>()),
        }];
        fields.extend(RULE_FIELDS.into_iter().map(|key| match key {
            Key::Intake => named(key, intakes.as_ref().ok()),
            Key::Playbook => named(key, playbooks.as_ref().ok()),
            key => condition(key),
        }));
        let typed = find("notify add").map_or_else(String::new, crate::command::Spec::usage);
        Ok(Form {
            title: "Add a rule".into(),
            words: format!("notify add {FORM}").into(),
            typed: typed.into(),
            submit: "Add it".into(),
            intro: Line::new().say("For ").strong(shown(&session.community.name, 80)).say(", in this channel."),
            fields,
        })
    }
}

fn condition(key: Key) -> Field {
    let (label, hint, kind): (&'static str, &'static str, FieldKind) = match key {
        Key::Urgency => ("Urgency, at least", "Alerts: a number from 0 to 100. Sekoia recommends 75.", text(10)),
        Key::Status => {
            let options = AlertStatus::ALL.map(|s| Choice { label: s.name().into(), value: s.name().into() });
            let group = Group { label: "".into(), options: options.into() };
            let kind = FieldKind::Choice { groups: vec![group], several: true, initial: vec![] };
            ("Status", "Updated alerts: only when it becomes one of these.", kind)
        }
        Key::Rule => ("Detection rule", "Alerts: the whole name.", text(MAX_NAME)),
        Key::Entity => ("Entity", "Alerts: the whole name, or its UUID.", text(MAX_NAME)),
        Key::Asset => (
            "Asset",
            "Alerts: its UUID, as an alert's message here shows it. Alerts carry no names of assets.",
            text(40),
        ),
        Key::Community => ("Community", "That of this channel.", text(MAX_NAME)),
        Key::Intake => ("Intake", "No events received: only from this one.", text(MAX_NAME)),
        Key::Playbook => ("Playbook", "Playbook error: only of this one.", text(MAX_NAME)),
        Key::For => ("Silent for", "No events received: 15m to 24h; left empty, 1h.", text(10)),
        Key::Crashed => {
            let crashed = Choice { label: "Only when it crashed".into(), value: key.name().into() };
            ("Every error, or crashes", "Playbook error: left empty, every failed run.", one_of(&[crashed]))
        }
    };
    Field { name: key.name(), label: label.into(), hint: hint.into(), optional: true, kind }
}

/// A choice of what Sekoia lists, as far as it can be read and chosen from.
fn named(key: Key, all: Option<&Vec<(String, String)>>) -> Field {
    let field = condition(key);
    let Some(all) = all.filter(|all| !all.is_empty()) else { return field };
    let mut all = all.clone();
    all.sort_by_cached_key(|(name, _)| natural(name));
    let options = all.iter().map(|(name, uuid)| {
        let only = all.iter().filter(|(other, _)| same(other, name)).count();
        // By its name, as a rule is read best, where that says which.
        let value = if only == 1 && name.chars().count() <= VALUE { name.trim() } else { uuid };
        Choice { label: shown(name, VALUE).into(), value: Text::from(value.to_owned()) }
    });
    Field { kind: one_of(&options.collect::<Vec<_>>()), ..field }
}

fn text(max: usize) -> FieldKind {
    FieldKind::Text { multiline: false, max_length: u16::try_from(max).unwrap_or(u16::MAX), initial: "".into() }
}

fn one_of(options: &[Choice]) -> FieldKind {
    let several = options.len() > GROUP;
    let chunks = options.chunks(GROUP).enumerate();
    let groups = chunks.map(|(i, chunk)| Group {
        label: if several { format!("{} to {}", i * GROUP + 1, i * GROUP + chunk.len()).into() } else { "".into() },
        options: chunk.to_vec(),
    });
    FieldKind::Choice { groups: groups.collect(), several: false, initial: vec![] }
}
