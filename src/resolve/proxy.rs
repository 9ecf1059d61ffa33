//! Which connections go through a proxy, as curl and most other programs read it from the environment:
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capital or small letters.
//!
//! The machine itself is never reached through a proxy: only there may a token go in the clear.

use std::error::Error;
use std::sync::Arc;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::Url;

use super::is_loopback;

/// For addresses of https and wss, the first that is set counts.
const FOR_HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const FOR_HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPT: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The rules. Names and passwords of proxies are in it, and in nothing that it shows.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Option<Arc<Rules>>);

#[derive(Debug)]
struct Rules {
    matcher: Matcher,
    /// The variables that count.
    https: &'static str,
    http: &'static str,
}

/// The proxy of one connection.
#[derive(Debug, Clone)]
pub struct Via {
    proxy: Intercept,
    variable: &'static str,
}

impl Proxies {
    /// Reads the environment.
    ///
    /// # Errors
    /// The variables that name no proxy, each with what is wrong with it; its value is not repeated.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<(&'static str, String)>> {
        let first = |names: &[&'static str]| {
            let set = |name: &&'static str| Some((*name, env(name).filter(|value| !value.trim().is_empty())?));
            names.iter().find_map(set).map(|(name, value)| (name, value.trim().to_owned()))
        };
        let (https, http) = (first(&FOR_HTTPS), first(&FOR_HTTP));
        let mut faults: Vec<_> =
            [&https, &http].into_iter().flatten().filter_map(|(name, value)| Some((*name, fault(value)?))).collect();
        faults.dedup();
        if !faults.is_empty() {
            return Err(faults);
        }
        if https.is_none() && http.is_none() {
            return Ok(Self::default());
        }
        let (https, https_proxy) = https.unwrap_or_default();
        let (http, http_proxy) = http.unwrap_or_default();
        let except = first(&EXCEPT).map(|(_, value)| value).unwrap_or_default();
        let matcher = Matcher::builder().https(https_proxy).http(http_proxy).no(except).build();
        Ok(Self(Some(Arc::new(Rules { matcher, https, http }))))
    }

    /// The proxy of connections to this address; none if they go there directly.
    pub fn of(&self, url: &Url) -> Option<Via> {
        let rules = self.0.as_ref()?;
        if is_loopback(url) {
            return None;
        }
        let (scheme, variable) = match url.scheme() {
            "https" | "wss" => ("https", rules.https),
            "http" | "ws" => ("http", rules.http),
            _ => return None,
        };
        let target: Uri = format!("{scheme}://{}/", url.host_str()?).parse().ok()?;
        Some(Via { proxy: rules.matcher.intercept(&target)?, variable })
    }

    /// The same rules for a client of reqwest, which otherwise reads the environment by itself.
    pub(super) fn of_reqwest(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let Some(rules) = &self.0 else { return builder.no_proxy() };
        // The name and the password are the same for every address of a scheme.
        let rule = |scheme: &'static str| {
            let proxies = self.clone();
            let proxy = reqwest::Proxy::custom(move |url| {
                let via = proxies.of(url).filter(|_| url.scheme() == scheme)?;
                Some(via.proxy.uri().to_string())
            });
            let any: Uri = Uri::from_static(if scheme == "https" { "https://a.invalid" } else { "http://a.invalid" });
            match rules.matcher.intercept(&any).as_ref().and_then(Intercept::basic_auth) {
                Some(auth) => proxy.custom_http_auth(auth.clone()),
                None => proxy,
            }
        };
        builder.proxy(rule("https")).proxy(rule("http"))
    }
}

/// What is wrong with a proxy's address.
fn fault(value: &str) -> Option<String> {
    let target = Uri::from_static("https://a.invalid/");
    let scheme = Matcher::builder().all(value).build().intercept(&target);
    let scheme = scheme.as_ref().and_then(|proxy| proxy.uri().scheme_str());
    let example = "give an address such as http://proxy.example.com:3128";
    match scheme {
        Some("http" | "https") => None,
        Some(_) => Some(format!("is a SOCKS proxy, which the bot cannot use; {example}")),
        None => Some(format!("is not the address of a proxy; {example}")),
    }
}

impl Via {
    pub(super) fn uri(&self) -> &Uri {
        self.proxy.uri()
    }

    pub(super) fn auth(&self) -> Option<&HeaderValue> {
        self.proxy.basic_auth()
    }

    pub(super) fn fault(&self, to: &str, why: ProxyRefusal) -> ProxyFault {
        let host = self.uri().authority().map_or("", |authority| authority.as_str());
        ProxyFault { proxy: host.into(), variable: self.variable, to: to.into(), why }
    }

    /// What an error of reqwest says about the proxy; none if the fault lies behind it.
    pub(super) fn fault_in(&self, error: &reqwest::Error, to: &str) -> Option<ProxyFault> {
        if !error.is_connect() {
            return None;
        }
        let chain = std::iter::successors(error.source(), |error| (*error).source());
        // The type is private to hyper-util: what it says is all there is.
        let why = chain.map(ToString::to_string).find_map(|said| match said.strip_prefix("tunnel error: ")? {
            "proxy authorization required" => Some(ProxyRefusal::Credentials),
            "unsuccessful" => Some(ProxyRefusal::Target { status: None }),
            "failed to create underlying connection" => Some(ProxyRefusal::Unreachable),
            _ => Some(ProxyRefusal::Broken),
        });
        let why = why.or(error.is_timeout().then_some(ProxyRefusal::Unreachable))?;
        Some(self.fault(to, why))
    }
}

/// A connection that its proxy did not make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the proxy {proxy} ({variable}) {}", .why.said(to))]
pub struct ProxyFault {
    /// Host and port.
    proxy: Box<str>,
    variable: &'static str,
    to: Box<str>,
    why: ProxyRefusal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyRefusal {
    Unreachable,
    Credentials,
    /// The proxy will not connect there.
    Target {
        status: Option<u16>,
    },
    Broken,
}

impl ProxyRefusal {
    fn said(self, to: &str) -> String {
        match self {
            Self::Unreachable => "cannot be reached".to_owned(),
            Self::Credentials => "wants a name and a password, or refuses those that are set (407)".to_owned(),
            Self::Target { status: Some(status) } => format!("refuses a connection to {to} ({status})"),
            Self::Target { status: None } => format!("refuses a connection to {to}"),
            Self::Broken => "does not answer as a proxy does".to_owned(),
        }
    }
}

impl ProxyFault {
    /// What to do about it.
    pub fn advice(&self) -> String {
        let Self { variable, to, .. } = self;
        match self.why {
            ProxyRefusal::Credentials => {
                format!("Set {variable} to http://NAME:PASSWORD@HOST:PORT and restart the bot.")
            }
            ProxyRefusal::Target { .. } => {
                format!("Ask the administrator of the proxy to allow {to}, or list that host in NO_PROXY.")
            }
            ProxyRefusal::Unreachable | ProxyRefusal::Broken => {
                format!(
                    "Check the address in {variable}; a host that is reached without the proxy belongs in NO_PROXY."
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> Result<Proxies, Vec<(&'static str, String)>> {
        Proxies::read(|wanted| env.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned()))
    }

    /// Host and port of the proxy, and the variable.
    fn via(env: &[(&str, &str)], url: &str) -> Option<(String, &'static str)> {
        let via = read(env).unwrap().of(&url.parse().unwrap())?;
        Some((via.uri().authority().unwrap().to_string(), via.variable))
    }

    #[test]
    fn the_first_variable_that_is_set_counts() {
        let all = [("HTTPS_PROXY", "http://one:1"), ("https_proxy", "two:2"), ("ALL_PROXY", "three:3")];
        assert_eq!(via(&all, "https://slack.com/api"), Some(("one:1".into(), "HTTPS_PROXY")));
        assert_eq!(via(&all, "wss://slack.com/"), Some(("one:1".into(), "HTTPS_PROXY")));
        assert_eq!(via(&all, "http://example.com/"), Some(("three:3".into(), "ALL_PROXY")));
        assert_eq!(
            via(&[("HTTPS_PROXY", "  "), ("https_proxy", "two:2")], "https://a.example").unwrap().1,
            "https_proxy"
        );
        assert_eq!(via(&[("HTTP_PROXY", "http://one:1")], "https://a.example"), None);
        assert_eq!(via(&[], "https://a.example"), None);
    }

    #[test]
    fn what_no_proxy_names_is_reached_directly() {
        let direct = |except: &str, url: &str| via(&[("HTTPS_PROXY", "p:1"), ("no_proxy", except)], url).is_none();
        for (except, url) in [
            ("slack.com", "https://slack.com/api"),
            (".slack.com", "wss://wss-primary.slack.com/link"),
            ("a.example, slack.com", "https://hooks.slack.com"),
            ("10.0.0.0/8", "https://10.2.3.4:8443/"),
            ("fd00::/8", "https://[fd00::1]/"),
            ("*", "https://api.sekoia.io/"),
        ] {
            assert!(direct(except, url), "{except} {url}");
        }
        for (except, url) in [
            ("lack.com", "https://slack.com/api"),
            ("10.0.0.0/8", "https://11.2.3.4/"),
            ("", "https://slack.com/"),
            ("*.io", "https://api.sekoia.io/"),
        ] {
            assert!(!direct(except, url), "{except} {url}");
        }
        // A token that may go in the clear on the machine itself must not leave it.
        for url in ["http://127.0.0.1:8080/", "http://localhost/", "https://[::1]:1/", "ws://127.1.2.3/"] {
            assert_eq!(via(&[("ALL_PROXY", "p:1")], url), None, "{url}");
        }
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let proxies = read(&[("HTTPS_PROXY", "http://bot:s%40cret@proxy.example:3128")]).unwrap();
        let via = proxies.of(&"https://slack.com".parse().unwrap()).unwrap();
        assert_eq!(via.auth().unwrap(), "Basic Ym90OnNAY3JldA==");
        let fault = via.fault("slack.com", ProxyRefusal::Credentials);
        assert_eq!(
            format!("{fault}. {}", fault.advice()),
            "the proxy proxy.example:3128 (HTTPS_PROXY) wants a name and a password, or refuses those that are set (407). \
             Set HTTPS_PROXY to http://NAME:PASSWORD@HOST:PORT and restart the bot."
        );
        let shown = format!("{proxies:?} {via:?} {fault:?}");
        assert!(!shown.contains("cret") && !shown.contains("Ym90"), "{shown}");
    }

    #[test]
    fn what_is_no_proxy_is_a_fault_that_does_not_repeat_it() {
        for (value, says) in [
            ("socks5://canary@proxy:1080", "is a SOCKS proxy, which the bot cannot use"),
            ("ftp://canary", "is not the address of a proxy"),
            ("http://", "is not the address of a proxy"),
            ("http://canary:pass word@proxy", "is not the address of a proxy"),
        ] {
            let faults = read(&[("HTTPS_PROXY", value)]).unwrap_err();
            assert_eq!(faults.len(), 1, "{value}");
            assert!(faults[0].0 == "HTTPS_PROXY" && faults[0].1.starts_with(says), "{faults:?}");
            assert!(!faults[0].1.contains("canary"), "{faults:?}");
        }
        assert_eq!(read(&[("all_proxy", "socks5h://a:1")]).unwrap_err().len(), 1);
    }
}
