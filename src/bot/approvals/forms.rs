//! The forms of sensitive requests. `command::asking` reads what is filled in, by the fields' names.

use jiff::Timestamp;

use crate::bot::failure::{Failure, instead};
use crate::bot::{Ask, Bot};
use crate::chat::text::{natural, same, shown};
use crate::chat::view::{Choice, Field, FieldKind, Form, Group, Line, Text};
use crate::command::{FORM, INBOX, LEAVE_OUT, find};
use crate::domain::action::{Kind, PRESETS, by_feature};
use crate::domain::checklist::Session;
use crate::pace::Rank;
use crate::sekoia::{ApiKey, KeyStatus, Permission};

/// Options of one group: Slack takes a hundred.
const GROUP: usize = 100;

impl Bot {
    pub(in crate::bot) async fn request_form(&self, ask: &Ask<'_>, kind: Kind) -> Result<Form, Failure> {
        let session = self.session(ask).await?;
        let uuid = session.community.uuid;
        let (title, words, fields) = match kind {
            Kind::Invite => {
                let roles = self.sekoia.roles(uuid).await?;
                let options = in_order(roles.iter().map(|r| choice(r.name(), &r.uuid)).collect());
                let analyst = roles.iter().find(|r| r.is_built_in() && same(r.name(), "Analyst"));
                let role = FieldKind::Choice {
                    groups: grouped(options),
                    several: false,
                    initial: analyst.map(|r| Text::from(r.uuid.clone())).into_iter().collect(),
                };
                (
                    "Invite people",
                    "invite",
                    vec![
                        field(
                            "addresses",
                            "E-mail addresses",
                            "Pasted from anywhere, with names or without. At most 3,000 characters.",
                            true,
                            text(true, 3_000, ""),
                        ),
                        field(
                            "csv",
                            "Or a file",
                            "CSV or text. Columns headed Role and Community are followed.",
                            true,
                            FieldKind::File { extensions: &["csv", "txt", "tsv"], instead: PASTE },
                        ),
                        field("role", "Role", "What they may do.", false, role),
                        self.communities_field(&session).await?,
                    ],
                )
            }
            Kind::CommunityCreate => (
                "Create communities",
                "community create",
                vec![
                    field("names", "Names", "One a line.", false, text(true, 2_000, "")),
                    field("about", "Description", "The same for each of them.", true, text(true, 1_000, "")),
                ],
            ),
            Kind::RoleCreate => {
                let roles = self.sekoia.roles(uuid).await?;
                let catalogue = self.sekoia.permissions(uuid).await?;
                let copies = in_order(roles.iter().map(|r| choice(&format!("As {}", r.name()), r.name())).collect());
                let groups = vec![
                    Group { label: "Presets".into(), options: presets() },
                    Group { label: "A copy of a role".into(), options: copies },
                ];
                (
                    "Create a role",
                    "role create",
                    vec![
                        field("name", "Name", "", false, text(false, 100, "")),
                        field("about", "Description", "10 to 1,000 characters.", true, text(true, 1_000, "")),
                        field(
                            "preset",
                            "Start from",
                            "Permissions below are added to it.",
                            true,
                            FieldKind::Choice { groups, several: false, initial: vec![] },
                        ),
                        permissions(&catalogue),
                    ],
                )
            }
            Kind::KeyCreate => {
                let catalogue = self.sekoia.permissions(uuid).await?;
                let preset = FieldKind::Choice { groups: grouped(presets()), several: false, initial: vec![] };
                (
                    "Create an API key",
                    "key create",
                    vec![
                        field("name", "Name", "Unique in the community.", false, text(false, 100, "")),
                        field("about", "Description", "10 to 100 characters.", false, text(false, 100, "")),
                        field("preset", "For", "What an integration of this kind needs, and no more.", true, preset),
                        permissions(&catalogue),
                        field("expires", "Expires", EXPIRES, false, text(false, 20, "180d")),
                    ],
                )
            }
            Kind::Plan => {
                let how = "Type `/sekoia plan request`: it asks for everything that the plan names and Sekoia lacks.";
                return Err(instead(Line::marked(how)));
            }
            Kind::KeyRevoke => ("Revoke an API key", "key revoke", vec![self.keys_field(&session, ask.now).await?]),
            Kind::KeyRotate => (
                "Replace an API key",
                "key rotate",
                vec![
                    self.keys_field(&session, ask.now).await?,
                    field(
                        "name",
                        "Name of the new key",
                        "Left empty: the old name with today's date.",
                        true,
                        text(false, 100, ""),
                    ),
                    field("expires", "Expires", EXPIRES, false, text(false, 20, "180d")),
                ],
            ),
        };
        let mut fields = fields;
        let why = "The approvers see it; it stays on record.";
        fields.push(field("because", "Why", why, true, text(true, 500, "")));
        if kind == Kind::Invite {
            fields.push(gaps());
        }
        let typed = find(words).map_or_else(String::new, crate::command::Spec::usage);
        Ok(Form {
            title: title.into(),
            words: format!("{words} {FORM} {uuid}").into(),
            typed: typed.into(),
            submit: "Ask for approval".into(),
            intro: Line::new()
                .say("In ")
                .strong(shown(&session.community.name, 80))
                .say(". A colleague approves it first."),
            fields,
        })
    }

    async fn communities_field(&self, session: &Session) -> Result<Field, Failure> {
        let own = session.community.uuid.to_string();
        let mut options = vec![choice(&session.community.name, &own)];
        let (root, children) = self.workspace().await?;
        let others = [&root].into_iter().chain(&children).filter(|c| c.uuid != session.community.uuid);
        options.extend(in_order(others.map(|c| choice(c.name(), &c.uuid.to_string())).collect()));
        let kind = FieldKind::Choice { groups: grouped(options), several: true, initial: vec![own.into()] };
        Ok(field("communities", "Communities", "Where they get this role.", false, kind))
    }

    async fn keys_field(&self, session: &Session, now: Timestamp) -> Result<Field, Failure> {
        let keys = self.sekoia.api_keys(session.community.uuid).await?;
        let own = self.sekoia.validate(Rank::Person).await?;
        let other = |k: &&ApiKey| k.status(now) == KeyStatus::Active && own.key_uuid() != Some(k.uuid.as_str());
        let options = in_order(keys.iter().filter(other).map(|k| choice(k.name(), &k.uuid)).collect());
        let kind = FieldKind::Choice { groups: grouped(options), several: false, initial: vec![] };
        Ok(field("key", "Key", "Active keys; never the bot's own.", false, kind))
    }

    pub(in crate::bot) async fn reject_form(&self, ask: &Ask<'_>, id: &str) -> Result<Form, Failure> {
        let approval = self.request_of(ask, id).await?;
        self.may_decide(ask, &approval).await?;
        Ok(Form {
            title: "Reject a request".into(),
            words: format!("{INBOX} reject {}", approval.id).into(),
            typed: format!("/sekoia reject {} \"your reason\"", approval.id).into(),
            submit: "Reject it".into(),
            intro: Line::new().strong(approval.request.action.title()),
            fields: vec![field(
                "reason",
                "Why not?",
                "For who asked; stays on record, with your name.",
                false,
                text(true, u16::try_from(crate::domain::checklist::MAX_REASON).unwrap_or(u16::MAX), ""),
            )],
        })
    }
}

/// Of a list, where a form takes no file.
const PASTE: &str = "Paste at most 3,000 characters of it. For more, attach it to a message here and type /sekoia invite from its-name.csv";

/// What becomes of rows that are no people.
fn gaps() -> Field {
    let options = vec![choice("Ask for nothing and show me", "refuse"), choice("Leave them out", LEAVE_OUT)];
    let kind = FieldKind::Choice { groups: grouped(options), several: false, initial: vec!["refuse".into()] };
    field("gaps", "Rows that are unclear", "Those without an address, say. The card names them.", false, kind)
}

const EXPIRES: &str = "30d, 180d, 365d, a date such as 2027-06-30, or never.";

fn field(name: &'static str, label: &'static str, hint: &'static str, optional: bool, kind: FieldKind) -> Field {
    Field { name, label: label.into(), hint: hint.into(), optional, kind }
}

fn text(multiline: bool, max_length: u16, initial: &'static str) -> FieldKind {
    FieldKind::Text { multiline, max_length, initial: initial.into() }
}

fn choice(label: &str, value: &str) -> Choice {
    Choice { label: shown(label, 70).into(), value: value.to_owned().into() }
}

fn presets() -> Vec<Choice> {
    PRESETS.iter().map(|p| choice(&p.label, &p.id)).collect()
}

/// In the order in which people count.
fn in_order(mut options: Vec<Choice>) -> Vec<Choice> {
    options.sort_by_cached_key(|option| natural(&option.label));
    options
}

/// One group without a label, or several where one would be too long.
fn grouped(options: Vec<Choice>) -> Vec<Group> {
    if options.len() <= GROUP {
        return vec![Group { label: "".into(), options }];
    }
    let chunks = options.chunks(GROUP).enumerate();
    chunks
        .map(|(i, chunk)| Group {
            label: format!("{} to {}", i * GROUP + 1, i * GROUP + chunk.len()).into(),
            options: chunk.to_vec(),
        })
        .collect()
}

/// The catalogue by feature, to be searched.
fn permissions(catalogue: &[Permission]) -> Field {
    let twice = |title: &str| catalogue.iter().filter(|p| p.title() == title).count() > 1;
    let option = |p: &&Permission| {
        let uuid = p.uuid.as_deref()?;
        let title = p.title();
        let label =
            if twice(title) { format!("{title} ({})", p.name.as_deref().unwrap_or_default()) } else { title.into() };
        Some(choice(&label, uuid))
    };
    let groups = by_feature(catalogue)
        .iter()
        .map(|(feature, of)| Group {
            label: shown(feature, 70).into(),
            options: of.iter().filter_map(option).collect(),
        })
        .collect();
    let kind = FieldKind::Choice { groups, several: true, initial: vec![] };
    field("with", "Permissions", "Type to search.", true, kind)
}
