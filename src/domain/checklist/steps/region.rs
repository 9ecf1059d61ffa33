//! Step 2: the region is right when the key works there.

use super::Finding;
use crate::domain::checklist::facts::Fact;
use crate::sekoia::Region;

/// The key was accepted at `api`.
pub fn check(region: Region, api: &str) -> Finding {
    let mut exceptions = Vec::new();
    let place = region.to_string().into();
    let mut facts = vec![Fact::Sign { id: place, says: format!("the region is {region} now").into() }];
    if !region.api_candidates().iter().any(|c| c.trim_end_matches('/') == api.trim_end_matches('/')) {
        let elsewhere =
            format!("the API is called at {api} by SEKOIA_API_URL, which is not a documented address of {region}");
        facts.push(Fact::Sign { id: "address".into(), says: elsewhere.as_str().into() });
        exceptions.push(elsewhere);
    }
    Finding::confirmed(
        format!("{region} ({}): the key is accepted; people log in at {}", region.place(), region.app()),
        exceptions,
        facts,
    )
}
