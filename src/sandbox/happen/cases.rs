//! Cases: what is told of them, which is all that is known.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::Sandbox;
use crate::sandbox::json::rfc3339;
use crate::sandbox::live::Notice;
use crate::sandbox::world::{Case, World};

impl Sandbox {
    /// A case is opened around an alert; none if there is no such alert.
    pub fn open_case(&self, alert: Uuid, title: &str) -> Option<Case> {
        let mut world = self.world();
        let community_uuid = world.alerts.iter().find(|known| known.uuid == alert)?.community_uuid;
        let label = world.label("case");
        let case = Case {
            uuid: world.dice.uuid(&label),
            short_id: format!("CA{}", world.dice.hex(&format!("{label}/short"), 10)),
            title: title.to_owned(),
            priority: 2,
            manual: false,
            community_uuid,
            created_at: self.now(),
            tags: vec![],
            alerts: vec![alert],
        };
        world.cases.push(case.clone());
        self.tell_case(&mut world, &case, "created", None);
        self.tell_case(&mut world, &case, "alerts-updated", Some(alerts(&[alert], &[])));
        Some(case)
    }

    /// Another alert comes into a case; whether both are there.
    pub fn add_to_case(&self, case: Uuid, alert: Uuid) -> bool {
        let mut world = self.world();
        if world.alerts.iter().all(|known| known.uuid != alert) {
            return false;
        }
        let Some(found) = world.cases.iter_mut().find(|known| known.uuid == case) else { return false };
        found.alerts.push(alert);
        let found = found.clone();
        self.tell_case(&mut world, &found, "alerts-updated", Some(alerts(&[alert], &[])));
        true
    }

    /// The labels of a case change; whether there is one.
    pub fn tag_case(&self, case: Uuid, tags: &[&str]) -> bool {
        let mut world = self.world();
        let Some(found) = world.cases.iter_mut().find(|known| known.uuid == case) else { return false };
        found.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let found = found.clone();
        let updated = json!({ "tags": found.tags });
        self.tell_case(&mut world, &found, "updated", Some(updated));
        true
    }

    fn tell_case(&self, world: &mut World, case: &Case, action: &'static str, updated: Option<Value>) {
        let mut attributes = json!({
            "uuid": case.uuid,
            "short_id": case.short_id,
            "manual": case.manual,
            "title": case.title,
            "priority": case.priority,
            "created_at": rfc3339(case.created_at),
            "custom_priority_uuid": null,
        });
        if let Some(updated) = updated {
            attributes["updated"] = updated;
        }
        let label = world.label("notice");
        let uuid = world.dice.uuid(&label);
        self.tell(Notice { kind: "case", action, attributes, uuid, at: self.now(), community: case.community_uuid });
    }
}

fn alerts(added: &[Uuid], deleted: &[Uuid]) -> Value {
    json!({ "added_alerts_uuid": added, "deleted_alerts_uuid": deleted })
}
