//! What was bought.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use uuid::Uuid;

/// Something bought, for a time.
#[derive(Clone, Debug)]
pub struct Licence {
    /// Identifier.
    pub uuid: Uuid,
    /// `trial` and so on; no list of values is public.
    pub license_type: String,
    /// What was bought.
    pub plan: Option<Plan>,
    /// Free-form settings.
    pub properties: Value,
    /// Free-form limits, such as `{"assets": 5000}`.
    pub limits: Value,
    /// First day.
    pub start: Option<Date>,
    /// Last day.
    pub end: Option<Date>,
    /// Days.
    pub duration: Option<i64>,
    /// The community that pays and allocates.
    pub management_community_uuid: Uuid,
    /// The community that uses it.
    pub beneficiary_community_uuid: Option<Uuid>,
    /// Creation.
    pub created_at: Timestamp,
    /// The user who created it.
    pub created_by: Uuid,
    /// Whether it only adds to another licence.
    pub is_upsell: bool,
    /// Never to be shown by a client.
    pub signed_license_content: Option<String>,
}

/// A product of Sekoia's price list.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Identifier.
    pub uuid: Uuid,
    /// `Defend Prime` and so on.
    pub title: String,
    /// The module it belongs to.
    pub module: Option<Module>,
}

/// A module that a plan switches on.
#[derive(Clone, Debug)]
pub struct Module {
    /// Identifier.
    pub uuid: Uuid,
    /// `Reveal` and so on.
    pub name: String,
    /// Free text.
    pub description: String,
}
