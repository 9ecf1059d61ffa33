//! Where Prometheus reads.

use std::net::SocketAddr;

use super::source::Source;

/// `CHATOPS_METRICS_LISTEN`; none: nothing is measured. `listen`: where the bot itself is reached.
pub(super) fn read(source: &mut Source, listen: Option<SocketAddr>) -> Option<SocketAddr> {
    source.optional("CHATOPS_METRICS_LISTEN", |s| {
        let address = s.parse::<SocketAddr>().map_err(|_| format!("{s:?} is not an address such as 127.0.0.1:9464"))?;
        if address.port() != 0 && Some(address) == listen {
            return Err(format!("{s} is the address of CHATOPS_LISTEN; give another port"));
        }
        Ok(address)
    })
}
