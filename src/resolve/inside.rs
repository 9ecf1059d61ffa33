//! Whether an address is one that only machines of the same network reach.

use std::net::IpAddr;

use tokio::net::lookup_host;
use url::Url;

/// What a name stands for now; none if nobody knows.
pub async fn addresses(url: &Url) -> Vec<IpAddr> {
    let Some(host) = url.host_str() else { return Vec::new() };
    let port = url.port_or_known_default().unwrap_or(443);
    let found = lookup_host((host.trim_matches(['[', ']']), port)).await;
    let mut all: Vec<IpAddr> = found.map(|found| found.map(|a| a.ip()).collect()).unwrap_or_default();
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether it is of the machine itself or of a private network.
pub fn is_inside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_private_networks_are_inside() {
        for ip in ["127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(is_inside(ip.parse().unwrap()), "{ip}");
        }
        assert!(!is_inside("51.15.1.1".parse().unwrap()));
    }
}
