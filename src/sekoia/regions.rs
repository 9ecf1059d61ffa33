//! Sekoia's regions and their addresses, and a Sekoia on the customer's own host.
//!
//! Source: the documentation's regions page; where it disagrees with the OpenAPI specification or
//! the quick start, every documented address is a candidate of the probe, in that order.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::resolve::is_loopback;

/// A region of Sekoia, or none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    Fra1,
    Fra2,
    Mco1,
    Uae1,
    Usa1,
    Sgp1,
    /// Sekoia Self-Hosted: the customer's own host, whose addresses are configured.
    SelfHosted,
}

/// Where one workspace is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub region: Region,
    /// The base of the API.
    pub api: Url,
    /// Where people log in.
    pub app: Url,
}

/// The addresses that Sekoia documents for one of its regions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documented {
    /// Where people log in, without a slash at the end.
    pub app: String,
    /// Bases of the API, the likeliest first.
    pub api: Vec<String>,
    /// Where the LiveAPI is. FRA1 has a second address, `wss://live.sekoia.io`; this one has the same
    /// form everywhere.
    pub live: String,
    /// Where events are sent by HTTP, syslog and RELP.
    pub intake: String,
    pub syslog: String,
    pub relp: String,
}

impl Region {
    /// Those that Sekoia runs.
    pub const ALL: [Region; 6] = [Region::Fra1, Region::Fra2, Region::Mco1, Region::Uae1, Region::Usa1, Region::Sgp1];

    /// As `SEKOIA_REGION` has it.
    pub fn name(self) -> &'static str {
        match self {
            Region::Fra1 => "FRA1",
            Region::Fra2 => "FRA2",
            Region::Mco1 => "MCO1",
            Region::Uae1 => "UAE1",
            Region::Usa1 => "USA1",
            Region::Sgp1 => "SGP1",
            Region::SelfHosted => "SELF",
        }
    }

    pub fn place(self) -> &'static str {
        match self {
            Region::Fra1 => "France",
            Region::Fra2 => "France, SecNumCloud",
            Region::Mco1 => "Monaco",
            Region::Uae1 => "United Arab Emirates",
            Region::Usa1 => "United States",
            Region::Sgp1 => "Singapore",
            Region::SelfHosted => "Sekoia Self-Hosted",
        }
    }

    pub fn is_self_hosted(self) -> bool {
        self == Region::SelfHosted
    }

    /// None for a Sekoia on the customer's own host.
    pub fn documented(self) -> Option<Documented> {
        // The part of host names that shows the region; FRA1 has none.
        let infix = match self {
            Region::SelfHosted => return None,
            Region::Fra1 => String::new(),
            other => format!("{}.", other.name().to_lowercase()),
        };
        let app = format!("https://app.{infix}sekoia.io");
        let api = match self {
            Region::Fra1 | Region::Usa1 | Region::Sgp1 => {
                vec![format!("https://api.{infix}sekoia.io"), format!("{app}/api")]
            }
            _ => vec![format!("{app}/api"), format!("https://api.{infix}sekoia.io/api")],
        };
        let intake = match self {
            Region::Fra1 => "https://intake.sekoia.io".into(),
            _ => format!("https://intake.{infix}sekoia.io/api/v1/intake-http"),
        };
        Some(Documented {
            live: format!("wss://app.{infix}sekoia.io/live/"),
            app,
            api,
            intake,
            syslog: format!("intake.{infix}sekoia.io:10514"),
            relp: format!("intake.{infix}sekoia.io:11514"),
        })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Region {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Region::ALL
            .into_iter()
            .chain([Region::SelfHosted])
            .find(|r| r.name().eq_ignore_ascii_case(s.trim()))
            .ok_or_else(|| format!("{:?} is not a region; give one of FRA1, FRA2, MCO1, UAE1, USA1, SGP1, or SELF for Sekoia Self-Hosted", s.trim()))
    }
}

/// Whether an address may receive the API key of one of Sekoia's regions: https to `*.sekoia.io`, or
/// the machine itself.
pub fn may_receive_key(url: &Url, secure_schemes: &[&str], plain_schemes: &[&str]) -> bool {
    let secure = secure_schemes.contains(&url.scheme());
    if is_loopback(url) {
        return secure || plain_schemes.contains(&url.scheme());
    }
    let Some(url::Host::Domain(host)) = url.host() else { return false };
    secure && (host == "sekoia.io" || host.ends_with(".sekoia.io"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_goes_to_sekoia_and_to_the_machine_itself_only() {
        let may = |url: &str| may_receive_key(&url.parse().unwrap(), &["https"], &["http"]);
        for good in [
            "https://api.sekoia.io",
            "https://app.fra2.sekoia.io/api",
            "http://127.0.0.1:9090",
            "http://[::1]:1",
            "http://localhost:9",
        ] {
            assert!(may(good), "{good}");
        }
        for bad in [
            "http://api.sekoia.io",
            "https://sekoia.io.evil.example",
            "https://evilsekoia.io",
            "https://10.0.0.1",
            "https://user@evil.example/api.sekoia.io",
        ] {
            assert!(!may(bad), "{bad}");
        }
    }

    #[test]
    fn every_documented_address_is_sekoias() {
        for region in Region::ALL {
            let documented = region.documented().unwrap();
            for url in documented.api.iter().chain([&documented.app, &documented.intake]) {
                assert!(may_receive_key(&url.parse().unwrap(), &["https"], &[]), "{url}");
            }
            let live = documented.live;
            assert!(may_receive_key(&live.parse().unwrap(), &["wss"], &[]), "{live}");
        }
        assert_eq!(Region::SelfHosted.documented(), None);
    }
}
