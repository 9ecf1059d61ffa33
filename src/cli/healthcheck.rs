//! `healthcheck`: whether the bot in this container is ready, for a container's own health check.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

use super::env;
use crate::chat::text::visible;
use crate::config;

/// `/readyz` answers from memory.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than any answer of `/readyz` has.
const MOST_BYTES: u64 = 64 * 1024;

/// Asks `/readyz` of the bot that listens on `CHATOPS_LISTEN`.
///
/// # Errors
/// Nothing listens there, or it is not ready: with its reason.
pub fn run() -> anyhow::Result<()> {
    let address = reachable(config::listen(env)?);
    let (status, body) = ask(address).with_context(|| format!("The bot does not answer on {address}"))?;
    if status != 200 {
        bail!("The bot is not ready ({status}): {}", visible(&body));
    }
    println!("ready");
    Ok(())
}

/// An address that listens on every interface is asked on the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

fn ask(address: SocketAddr) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // At once: who answers the first part and hangs up is still read.
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status.context("another program listens there")?, body.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_is_asked_on_loopback() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(asked("[::]:80"), "[::1]:80");
        assert_eq!(asked("10.0.0.5:8080"), "10.0.0.5:8080");
    }
}
