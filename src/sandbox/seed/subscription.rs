//! What the communities have bought: plans, modules, a trial about to end, and one that has ended.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{creator, days_before, units};
use crate::sandbox::dice::Dice;
use crate::sandbox::world::{Licence, Module, Plan, World};

/// Title, module and what the module is for.
type Product = (&'static str, &'static str, &'static str);

const PRIME: Product = ("Defend Prime", "Defend", "Detection and response");
const CORE: Product = ("Defend Core", "Defend", "Detection and response");
const INTELLIGENCE: Product = ("Intelligence", "Intelligence", "Threat intelligence");
const REVEAL: Product = ("Reveal", "Reveal", "Assets and exposure");
const ELEVATE: Product = ("Elevate", "Elevate", "Automation by agents");

struct Sale {
    product: Product,
    kind: &'static str,
    /// From the first day to the last.
    days: i32,
    ends_in: i32,
    limits: Value,
}

pub(super) fn licences(world: &mut World) {
    let root = world.root;
    let year = |product, ends_in, limits| Sale { product, kind: "commercial", days: 365, ends_in, limits };
    sell(world, root, year(PRIME, 200, json!({ "assets": 5000 })));
    sell(world, root, year(INTELLIGENCE, 200, Value::Null));
    sell(world, root, year(REVEAL, 200, json!({})));
    sell(world, root, year(CORE, -165, json!({ "assets": 3000 })));
    for unit in [units::RETAIL, units::MARKETS, units::PAYMENTS] {
        let Some(community) = world.community(unit.name).map(|found| found.uuid) else {
            continue;
        };
        match unit.slug {
            "retail" => sell(world, community, year(CORE, 75, json!({ "assets": 2000 }))),
            "markets" => {
                sell(world, community, year(PRIME, 200, json!({ "assets": 800 })));
                sell(world, community, year(ELEVATE, 200, Value::Null));
            }
            _ => {
                let trial =
                    Sale { product: PRIME, kind: "trial", days: 45, ends_in: 4, limits: json!({ "assets": 1000 }) };
                sell(world, community, trial);
            }
        }
    }
}

fn sell(world: &mut World, beneficiary: Uuid, sale: Sale) {
    let dice = world.dice;
    let today: Date = world.start.to_zoned(TimeZone::UTC).date();
    let end = today.saturating_add(i64::from(sale.ends_in).days());
    let start = end.saturating_sub(i64::from(sale.days).days());
    let (title, module, about) = sale.product;
    let label = format!("licence/{beneficiary}/{title}/{}", sale.ends_in);
    world.licences.push(Licence {
        uuid: dice.uuid(&label),
        license_type: sale.kind.to_owned(),
        plan: Some(plan(title, module, about)),
        properties: json!({ "hot_storage_days": if sale.kind == "trial" { 7 } else { 90 } }),
        limits: sale.limits,
        start: Some(start),
        end: Some(end),
        duration: Some(sale.days.into()),
        management_community_uuid: world.root,
        beneficiary_community_uuid: Some(beneficiary),
        created_at: days_before(world.start, (sale.days - sale.ends_in).into()),
        created_by: creator(world),
        is_upsell: module == "Reveal" || module == "Elevate",
        // Recognisable, so that a test finds it wherever a client lets it slip.
        signed_license_content: Some(format!("signed-licence-{}", dice.hex(&format!("{label}/signature"), 32))),
    });
}

/// Plans are Sekoia's, not a workspace's: the same uuids whatever the seed.
fn plan(title: &str, module: &str, about: &str) -> Plan {
    let sekoia = Dice::new(0);
    Plan {
        uuid: sekoia.uuid(&format!("plan/{title}")),
        title: title.to_owned(),
        module: Some(Module {
            uuid: sekoia.uuid(&format!("module/{module}")),
            name: module.to_owned(),
            description: about.to_owned(),
        }),
    }
}
