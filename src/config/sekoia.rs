//! Where Sekoia is: one of its regions, or the customer's own host.

use secrecy::SecretString;
use url::Url;

use super::source::Source;
use super::{SekoiaConfig, address, secrets};
use crate::resolve::is_loopback;
use crate::resolve::network::Network;
use crate::sekoia::{Documented, Region, Sekoia, may_receive_key};

const API: &str = "SEKOIA_API_URL";
const APP: &str = "SEKOIA_APP_URL";
const LIVE: &str = "SEKOIA_LIVE_URL";

/// The schemes of an address: encrypted, and in the clear on the machine itself.
struct Schemes {
    secure: &'static str,
    plain: &'static str,
}

const HTTP: Schemes = Schemes { secure: "https", plain: "http" };
const WEBSOCKET: Schemes = Schemes { secure: "wss", plain: "ws" };

struct Addresses {
    api: Url,
    app: Url,
    live: Url,
}

pub(super) fn read(source: &mut Source, network: &Network) -> Option<SekoiaConfig> {
    let how = "create one in Sekoia under Settings > Workspace > API Keys";
    let key: Option<SecretString> = source.secret("SEKOIA_API_KEY", how, secrets::not_of_slack);
    let region = source.parse("SEKOIA_REGION", "FRA1", str::parse::<Region>);
    // Of a region that could not be read, the addresses are checked all the same.
    let documented = match region {
        Some(region) => region.documented(),
        None => Region::Fra1.documented(),
    };
    let addresses = match documented {
        Some(documented) => in_region(source, &documented),
        None => on_own_host(source),
    };
    let Addresses { api, app, live } = addresses?;
    Some(SekoiaConfig {
        key: key?,
        region: region?,
        api_url: api,
        app_url: app,
        live_url: live,
        candidates: Sekoia::documented_addresses(),
        network: network.clone(),
    })
}

/// The region's addresses, each of which a setting may replace by another of Sekoia's hosts.
fn in_region(source: &mut Source, documented: &Documented) -> Option<Addresses> {
    let default = documented.api.first().map_or("", String::as_str);
    let api = source.parse(API, default, |s| of_sekoia(s, &HTTP));
    let app = source.parse(APP, &documented.app, |s| of_sekoia(s, &HTTP));
    let live = source.parse(LIVE, &live_beside(api.as_ref(), documented), |s| of_sekoia(s, &WEBSOCKET));
    Some(Addresses { api: api?, app: app?, live: live? })
}

/// Sekoia Self-Hosted: nothing is guessed, because the key goes there.
fn on_own_host(source: &mut Source) -> Option<Addresses> {
    let api = own(source, API, &HTTP, "of its API, such as https://sekoia.example.com/api");
    let app = own(source, APP, &HTTP, "where people log in, such as https://sekoia.example.com");
    let live = own(source, LIVE, &WEBSOCKET, "of its live events, such as wss://sekoia.example.com/live/");
    Some(Addresses { api: api?, app: app?, live: live? })
}

fn own(source: &mut Source, name: &'static str, schemes: &Schemes, what: &str) -> Option<Url> {
    source.required(name, &format!("with SEKOIA_REGION=SELF, give the address {what}"))?;
    source.parse(name, "", |s| {
        let url = address(s)?;
        let secure = url.scheme() == schemes.secure || (url.scheme() == schemes.plain && is_loopback(&url));
        if url.host().is_none() || !secure {
            let Schemes { secure, plain } = schemes;
            return Err(format!(
                "{s:?} may not receive the key; give {secure}://, or {plain}:// on a loopback address"
            ));
        }
        Ok(url)
    })
}

/// An address of one of Sekoia's own hosts, or of the machine itself.
fn of_sekoia(s: &str, schemes: &Schemes) -> Result<Url, String> {
    let url = address(s)?;
    if url.cannot_be_a_base() || !may_receive_key(&url, &[schemes.secure], &[schemes.plain]) {
        let loopback = if schemes.plain == "ws" { "ws:// on a loopback address" } else { "a loopback address" };
        return Err(format!(
            "{s:?} may not receive the key; give {}://….sekoia.io, or {loopback}, or set SEKOIA_REGION=SELF for a Sekoia on your own host",
            schemes.secure
        ));
    }
    Ok(url)
}

/// The region's LiveAPI, or that of the machine itself if the API is there: the key of a sandbox is
/// not for Sekoia, nor the other way round.
fn live_beside(api: Option<&Url>, documented: &Documented) -> String {
    let beside = api.filter(|api| is_loopback(api)).and_then(|api| {
        let mut live = api.join("/live/").ok()?;
        let scheme = if api.scheme() == "https" { "wss" } else { "ws" };
        live.set_scheme(scheme).ok()?;
        Some(live.to_string())
    });
    beside.unwrap_or_else(|| documented.live.clone())
}
