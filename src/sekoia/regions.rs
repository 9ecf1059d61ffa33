//! Sekoia's regions and their addresses.
//!
//! Source: the documentation's regions page; where it disagrees with the OpenAPI specification or
//! the quick start, every documented address is a candidate of the probe, in that order.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// A region of Sekoia.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    Fra1,
    Fra2,
    Mco1,
    Uae1,
    Usa1,
    Sgp1,
}

impl Region {
    pub const ALL: [Region; 6] = [Region::Fra1, Region::Fra2, Region::Mco1, Region::Uae1, Region::Usa1, Region::Sgp1];

    pub fn name(self) -> &'static str {
        match self {
            Region::Fra1 => "FRA1",
            Region::Fra2 => "FRA2",
            Region::Mco1 => "MCO1",
            Region::Uae1 => "UAE1",
            Region::Usa1 => "USA1",
            Region::Sgp1 => "SGP1",
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
        }
    }

    /// The part of host names that tells the region; FRA1 has none.
    fn infix(self) -> String {
        match self {
            Region::Fra1 => String::new(),
            other => format!("{}.", other.name().to_lowercase()),
        }
    }

    /// Where people log in.
    pub fn app(self) -> String {
        format!("https://app.{}sekoia.io", self.infix())
    }

    /// Bases of the API, the likeliest first.
    pub fn api_candidates(self) -> Vec<String> {
        let infix = self.infix();
        match self {
            Region::Fra1 => vec!["https://api.sekoia.io".into(), "https://app.sekoia.io/api".into()],
            Region::Usa1 | Region::Sgp1 => {
                vec![format!("https://api.{infix}sekoia.io"), format!("https://app.{infix}sekoia.io/api")]
            }
            _ => vec![format!("https://app.{infix}sekoia.io/api"), format!("https://api.{infix}sekoia.io/api")],
        }
    }

    /// The API's base unless `SEKOIA_API_URL` says otherwise.
    pub fn api(self) -> String {
        self.api_candidates().swap_remove(0)
    }

    /// Where the LiveAPI is, unless `SEKOIA_LIVE_URL` says otherwise. FRA1 has a second address,
    /// `wss://live.sekoia.io`; this one has the same form everywhere.
    pub fn live(self) -> String {
        format!("wss://app.{}sekoia.io/live/", self.infix())
    }

    /// Where events are sent by HTTP.
    pub fn intake(self) -> String {
        match self {
            Region::Fra1 => "https://intake.sekoia.io".into(),
            other => format!("https://intake.{}sekoia.io/api/v1/intake-http", other.infix()),
        }
    }

    pub fn syslog(self) -> String {
        format!("intake.{}sekoia.io:10514", self.infix())
    }

    pub fn relp(self) -> String {
        format!("intake.{}sekoia.io:11514", self.infix())
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
            .find(|r| r.name().eq_ignore_ascii_case(s.trim()))
            .ok_or_else(|| format!("{:?} is not a region; give one of FRA1, FRA2, MCO1, UAE1, USA1, SGP1", s.trim()))
    }
}

/// Whether an address may receive the API key: https to `*.sekoia.io`, or the machine itself.
pub fn may_receive_key(url: &Url, secure_schemes: &[&str], plain_schemes: &[&str]) -> bool {
    let secure = secure_schemes.contains(&url.scheme());
    if is_loopback(url) {
        return secure || plain_schemes.contains(&url.scheme());
    }
    let Some(url::Host::Domain(host)) = url.host() else { return false };
    secure && (host == "sekoia.io" || host.ends_with(".sekoia.io"))
}

/// Whether an address leads to this machine and nowhere else.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(host)) => host == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
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
            for url in region.api_candidates() {
                assert!(may_receive_key(&url.parse().unwrap(), &["https"], &[]), "{url}");
            }
            let live = region.live();
            assert!(may_receive_key(&live.parse().unwrap(), &["wss"], &[]), "{live}");
        }
    }
}
