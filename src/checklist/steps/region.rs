//! Step 2: the region is right when the key works there.

use super::Finding;
use crate::sekoia::Region;

/// The key was accepted at `api`.
pub fn check(region: Region, api: &str) -> Finding {
    let mut exceptions = Vec::new();
    if !region.api_candidates().iter().any(|c| c.trim_end_matches('/') == api.trim_end_matches('/')) {
        exceptions.push(format!(
            "the API is called at {api} by SEKOIA_API_URL, which is not a documented address of {region}"
        ));
    }
    Finding::confirmed(
        format!("{region} ({}): the key is accepted; people log in at {}", region.place(), region.app()),
        exceptions,
    )
}
