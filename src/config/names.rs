//! Names that are almost those of the contract: a restriction that is switched off by a typing
//! error is a fault.

use super::similar::{OURS, nearest};
use super::source::{Faults, VARIABLES};
use crate::timing::rehearsal;

/// What other programs read that share an environment with this one: `mattermost install`, the tests,
/// and the compose file of a Mattermost server.
const OTHERS: [&str; 12] = [
    "MATTERMOST_ADMIN_TOKEN",
    "MATTERMOST_DIR",
    "MATTERMOST_IMAGE",
    "MATTERMOST_IMAGE_TAG",
    "MATTERMOST_CONFIG_PATH",
    "MATTERMOST_DATA_PATH",
    "MATTERMOST_LOGS_PATH",
    "MATTERMOST_PLUGINS_PATH",
    "MATTERMOST_CLIENT_PLUGINS_PATH",
    "MATTERMOST_BLEVE_INDEXES_PATH",
    "MATTERMOST_CONTAINER_READONLY",
    "MATTERMOST_HELM_VERSION",
];

/// Adds a fault for every name of the environment that looks like a setting and is none. An empty
/// value is one that is not set. Values are only looked at for what Kubernetes sets, never shown.
pub(super) fn check<'a>(faults: &mut Faults, environment: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let mut unknown: Vec<&str> = environment
        .into_iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .filter(|(name, value)| is_meant(name) && !is_known(name) && !is_service_link(name, value))
        .map(|(name, _)| name)
        .collect();
    unknown.sort_unstable();
    for name in unknown {
        let upper = name.to_uppercase();
        let instead = if VARIABLES.iter().any(|v| v.name == upper) {
            format!("; write {upper}, in capital letters")
        } else {
            match nearest(&upper, VARIABLES.iter().map(|v| v.name)) {
                Some(near) => format!("; did you mean {near}?"),
                None => ". Remove it, or look the name up in the documentation".to_owned(),
            }
        };
        faults.add(name, format!("is not a setting{instead}"));
    }
}

fn is_known(name: &str) -> bool {
    VARIABLES.iter().any(|v| v.name == name) || OTHERS.contains(&name) || rehearsal::knows(name)
}

/// Ours by its beginning, or one of ours but for a letter or two.
fn is_meant(name: &str) -> bool {
    let upper = name.to_uppercase();
    OURS.iter().any(|prefix| upper.starts_with(prefix))
        || VARIABLES.iter().any(|v| {
            v.name.len().abs_diff(upper.len()) <= 2
                && upper.len() > 8
                && strsim::damerau_levenshtein(v.name, &upper) <= 2
        })
}

/// What Kubernetes sets for every service of a namespace, from the service's name: for
/// `sekoia-chatops`, `SEKOIA_CHATOPS_SERVICE_HOST`, `SEKOIA_CHATOPS_PORT_8080_TCP_ADDR` and so on.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_address = |value: &str| ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    if name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
        return true;
    }
    if name.ends_with("_PORT") && is_address(value) {
        return true;
    }
    let Some((_, port)) = name.rsplit_once("_PORT_").or_else(|| {
        // `…_PORT_8080_TCP_PORT` itself ends with one.
        name.strip_suffix("_PORT").and_then(|name| name.rsplit_once("_PORT_"))
    }) else {
        return false;
    };
    let mut parts = port.split('_');
    let number = parts.next().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    number && parts.next().is_some_and(|protocol| ["TCP", "UDP", "SCTP"].contains(&protocol))
}
