//! Alerts that come, change and go.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::Sandbox;
use crate::sandbox::live::Notice;
use crate::sandbox::seed::{Sighting, detected};
use crate::sandbox::world::{Alert, AlertStatus, Change, Comment, World};

/// What a test decides about an alert; the rest is made up.
#[derive(Clone, Debug, Default)]
pub struct NewAlert {
    /// Where; the root without it.
    pub community: Option<Uuid>,
    /// The name of the rule, which is the title too.
    pub rule: Option<String>,
    /// From 0 to 100; 85 without it.
    pub urgency: Option<u8>,
}

/// What may change about an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertChange {
    /// Where it stands.
    Status(AlertStatus),
    /// How urgent it is, by a new context.
    Urgency(u8),
}

impl Sandbox {
    /// An alert arrives.
    pub fn raise_alert(&self, wanted: &NewAlert) -> Alert {
        let mut world = self.world();
        let rule = wanted.rule.as_deref();
        raise(self, &mut world, wanted.community, rule, wanted.urgency.unwrap_or(85).min(100))
    }

    /// Many alerts of one rule arrive at once.
    pub fn storm(&self, community: Option<Uuid>, count: usize) -> Vec<Uuid> {
        let mut world = self.world();
        let urgencies = (0..count).map(|number| u8::try_from(60 + number % 40).unwrap_or(60));
        urgencies.map(|urgency| raise(self, &mut world, community, Some("Password spraying"), urgency).uuid).collect()
    }

    /// An alert changes; whether there is one.
    pub fn update_alert(&self, alert: Uuid, change: AlertChange) -> bool {
        let mut world = self.world();
        let by = world.root;
        self.change_alert(&mut world, alert, change, by)
    }

    /// Somebody deletes an alert; whether there was one.
    pub fn delete_alert(&self, alert: Uuid) -> bool {
        let mut world = self.world();
        let Some(index) = world.alerts.iter().position(|known| known.uuid == alert) else { return false };
        let gone = world.alerts.remove(index);
        for case in &mut world.cases {
            case.alerts.retain(|known| *known != alert);
        }
        let notice = notice(self, &mut world, &gone, "deleted", names(&gone));
        self.tell(notice);
        true
    }

    /// Somebody writes about an alert; whether there is one.
    pub fn comment_alert(&self, alert: Uuid, content: &str, author: &str) -> bool {
        let mut world = self.world();
        let by = world.root;
        self.write_comment(&mut world, alert, content, author, by).is_some()
    }

    pub(in crate::sandbox) fn change_alert(
        &self,
        world: &mut World,
        alert: Uuid,
        change: AlertChange,
        by: Uuid,
    ) -> bool {
        let label = world.label("alert-change");
        let uuid = world.dice.uuid(&label);
        let now = self.now();
        let Some(changed) = world.alerts.iter_mut().find(|known| known.uuid == alert) else { return false };
        changed.updated_at = Some(now);
        let mut attributes = names(changed);
        attributes["updated"] = match change {
            AlertChange::Status(after) => {
                changed.history.push(Change { uuid, at: now, by, before: changed.status, after });
                changed.status = after;
                json!({ "status": after.uuid(), "status_name": after.name() })
            }
            AlertChange::Urgency(urgency) => {
                changed.urgency = urgency.min(100);
                json!({ "dynamic_urgency_value": changed.urgency })
            }
        };
        let changed = changed.clone();
        let notice = notice(self, world, &changed, "updated", attributes);
        self.tell(notice);
        true
    }

    pub(in crate::sandbox) fn write_comment(
        &self,
        world: &mut World,
        alert: Uuid,
        content: &str,
        author: &str,
        by: Uuid,
    ) -> Option<Comment> {
        let label = world.label("comment");
        let (uuid, at) = (world.dice.uuid(&label), self.now());
        let found = world.alerts.iter_mut().find(|known| known.uuid == alert)?;
        let comment =
            Comment { uuid, content: content.to_owned(), author: author.to_owned(), created_by: by, date: at };
        found.comments.push(comment.clone());
        let attributes = json!({
            "uuid": uuid,
            "alert_uuid": alert,
            "alert_short_id": found.short_id,
            "content": content,
            "created_by": by,
            "created_by_type": "apikey",
        });
        let community = found.community_uuid;
        self.tell(Notice { kind: "alert-comment", action: "created", attributes, uuid, at, community });
        Some(comment)
    }
}

fn raise(sandbox: &Sandbox, world: &mut World, community: Option<Uuid>, rule: Option<&str>, urgency: u8) -> Alert {
    let label = world.label("alert");
    let community = community.unwrap_or(world.root);
    let entity = world.intakes.iter().find(|intake| intake.community_uuid == community);
    let (entity, entity_uuid) = if let Some(intake) = entity {
        (intake.entity.clone(), intake.entity_uuid)
    } else {
        let name = world.communities.iter().find(|known| known.uuid == community).map(|c| c.name.clone());
        (name.unwrap_or_default(), world.dice.uuid(&format!("entity/{community}")))
    };
    let alert = detected(
        world,
        &Sighting {
            label: &label,
            community,
            entity: &entity,
            entity_uuid,
            rule,
            urgency,
            status: AlertStatus::Pending,
            created_at: sandbox.now(),
        },
    );
    world.alerts.push(alert.clone());
    let notice = notice(sandbox, world, &alert, "created", names(&alert));
    sandbox.tell(notice);
    alert
}

fn names(alert: &Alert) -> Value {
    json!({ "uuid": alert.uuid, "short_id": alert.short_id })
}

fn notice(sandbox: &Sandbox, world: &mut World, alert: &Alert, action: &'static str, attributes: Value) -> Notice {
    let at: Timestamp = sandbox.now();
    let label = world.label("notice");
    let uuid = world.dice.uuid(&label);
    Notice { kind: "alert", action, attributes, uuid, at, community: alert.community_uuid }
}
