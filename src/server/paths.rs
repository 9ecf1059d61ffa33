//! Paths as reverse proxies pass them on: `//slack/commands` and `/slack/commands/` are
//! `/slack/commands`.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Takes away slashes that stand for nothing. Signatures are over bodies: they stay good.
pub fn normalize(uri: &mut Uri) {
    let path = uri.path();
    let usual = !path.contains("//") && (path.len() == 1 || !path.ends_with('/'));
    if usual {
        return;
    }
    let mut short = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty()) {
        short.push('/');
        short.push_str(part);
    }
    if short.is_empty() {
        short.push('/');
    }
    if let Some(query) = uri.query() {
        short.push('?');
        short.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    // What was a path before is one without some of its slashes.
    if let Ok(path) = short.parse::<PathAndQuery>() {
        parts.path_and_query = Some(path);
        if let Ok(normal) = Uri::from_parts(parts) {
            *uri = normal;
        }
    }
}

/// The routes that are counted by their own names.
const ROUTES: [&str; 9] = [
    "/slack/commands",
    "/slack/interactivity",
    "/slack/events",
    "/mattermost/command",
    "/mattermost/action",
    "/mattermost/dialog",
    "/oidc/callback",
    "/healthz",
    "/readyz",
];

/// The route that a path leads to, as it is counted. Nothing that a caller made up is in it.
pub fn route(path: &str) -> &'static str {
    match ROUTES.iter().find(|route| **route == path) {
        Some(route) => route,
        None if path.starts_with("/hooks/sekoia/") => "/hooks/sekoia/{token}",
        None if path.starts_with("/confirm/") => "/confirm/{token}",
        None => "other",
    }
}

/// Whether this path is answered however busy the process is.
pub fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_counted_by_its_name_and_a_token_by_none() {
        for (path, expected) in [
            ("/slack/commands", "/slack/commands"),
            ("/readyz", "/readyz"),
            ("/hooks/sekoia/0123456789abcdef", "/hooks/sekoia/{token}"),
            ("/hooks/sekoia/", "/hooks/sekoia/{token}"),
            ("/confirm/0123456789abcdef", "/confirm/{token}"),
            ("/slack/commands/x", "other"),
            ("/", "other"),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
    }

    #[test]
    fn slashes_that_stand_for_nothing_are_taken_away() {
        for (given, expected) in [
            ("/slack/commands", "/slack/commands"),
            ("//slack/commands", "/slack/commands"),
            ("/slack/commands/", "/slack/commands"),
            ("///slack//commands///?a=//b/", "/slack/commands?a=//b/"),
            ("/", "/"),
            ("//", "/"),
            ("/?x=1", "/?x=1"),
            ("http://bot.example//healthz/", "http://bot.example/healthz"),
            ("/slack%2Fcommands/", "/slack%2Fcommands"),
            ("*", "*"),
        ] {
            let mut uri: Uri = given.parse().expect("an address");
            normalize(&mut uri);
            assert_eq!(uri.to_string(), expected, "{given}");
        }
    }
}
