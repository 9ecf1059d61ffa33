//! Licences, with the plan and module inside.

use serde_json::{Value, json};

use super::rfc3339;
use crate::sandbox::world::{Licence, Plan};

pub(in crate::sandbox) fn licence(licence: &Licence) -> Value {
    json!({
        "uuid": licence.uuid,
        "license_type": licence.license_type,
        "plan": licence.plan.as_ref().map(plan),
        "properties": licence.properties,
        "limits": licence.limits,
        "start": licence.start,
        "end": licence.end,
        "duration": licence.duration,
        "pay_as_you_go": false,
        "transaction_id": null,
        "management_community_uuid": licence.management_community_uuid,
        "beneficiary_community_uuid": licence.beneficiary_community_uuid,
        "created_at": rfc3339(licence.created_at),
        "created_by": licence.created_by,
        "created_by_type": "user",
        "is_upsell": licence.is_upsell,
        "signed_license_content": licence.signed_license_content,
    })
}

fn plan(plan: &Plan) -> Value {
    let module = plan.module.as_ref().map(|module| {
        json!({
            "uuid": module.uuid,
            "name": module.name,
            "description": module.description,
        })
    });
    json!({
        "uuid": plan.uuid,
        "title": plan.title,
        "required_properties": [],
        "optional_properties": [],
        "allowed_usage_policies": [],
        "limits": ["assets"],
        "module": module,
    })
}
