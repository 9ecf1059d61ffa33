//! Step 2: the region is right when the key works there.

use super::Finding;
use crate::domain::checklist::facts::Fact;
use crate::sekoia::Region;

/// The key was accepted at `api`; people log in at `app`. `shared`: that address was posted in the channel.
pub fn check(region: Region, api: &str, app: &str, shared: bool) -> Finding {
    let (api, app) = (api.trim_end_matches('/'), app.trim_end_matches('/'));
    let summary = format!("{region} ({}): the key is accepted; people log in at {app}", region.place());
    if !shared {
        let missing = "the app's address in this channel: \"/sekoia region share\" posts it, before anybody is invited";
        return Finding::wanting(summary, missing.into());
    }
    let sign = |id: &str, says: &str| Fact::Sign { id: id.into(), says: says.into() };
    let mut exceptions = Vec::new();
    let mut facts = vec![sign(region.name(), &format!("the region is {region} now"))];
    if let Some(documented) = region.documented() {
        if !documented.api.iter().any(|c| c == api) {
            let elsewhere =
                format!("the API is called at {api} by SEKOIA_API_URL, which is not a documented address of {region}");
            facts.push(sign("address", &elsewhere));
            exceptions.push(elsewhere);
        }
        if documented.app != app {
            let elsewhere = format!(
                "people log in at {app} by SEKOIA_APP_URL, while {} is the documented address of {region}",
                documented.app
            );
            facts.push(sign("app", &elsewhere));
            exceptions.push(elsewhere);
        }
    } else {
        // There is nothing to compare with but what was configured when the step was done.
        facts.push(sign(&format!("api {api}"), &format!("the API is called at {api} now")));
        facts.push(sign(&format!("app {app}"), &format!("people log in at {app} now")));
    }
    Finding::confirmed(summary, exceptions, facts)
}
