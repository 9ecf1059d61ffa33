//! The identity provider at which people prove who they are.

use std::collections::BTreeMap;

use secrecy::SecretString;
use url::Url;

use super::confidential;
use super::source::Source;
use crate::chat::UserId;
use crate::domain::access::Principal;
use crate::domain::approval;
use crate::resolve::is_loopback;
use crate::resolve::network::Network;

const ISSUER: &str = "CHATOPS_OIDC_ISSUER";
const CLIENT_ID: &str = "CHATOPS_OIDC_CLIENT_ID";
const CLIENT_SECRET: &str = "CHATOPS_OIDC_CLIENT_SECRET";
const ACR: &str = "CHATOPS_OIDC_ACR";

#[derive(Debug, Clone)]
pub struct OidcConfig {
    /// As the provider writes it: it is compared letter by letter.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: SecretString,
    /// Values of `acr`, one of which a proof has to have; none: whatever the provider asks for is enough.
    pub acr: Vec<String>,
    /// The provider's own id of a person, where no e-mail address connects the two.
    pub subjects: BTreeMap<UserId, Box<str>>,
    /// Where the provider sends people back to.
    pub public_url: Url,
    pub network: Network,
}

/// On if anything of it is set; then all of it has to be.
pub(super) fn read(
    source: &mut Source,
    public_url: Option<&Url>,
    policy: Option<&approval::Policy>,
    network: &Network,
) -> Option<OidcConfig> {
    let table = std::mem::take(&mut source.oidc);
    let is_needed = policy.is_some_and(approval::Policy::needs_identities);
    if !is_needed && table.is_empty() && !source.holds_any(&[ISSUER, CLIENT_ID, CLIENT_SECRET, ACR]) {
        return None;
    }
    let why = if is_needed { "second_factor and reveal rest on it" } else { "the other CHATOPS_OIDC_… rest on it" };
    let issuer = source.required(ISSUER, &format!("{why}; give the address that your identity provider is known by"));
    let issuer = issuer.and_then(|_| source.parse(ISSUER, "", issuer_address));
    let how = &format!("{why}; register the bot at your identity provider, which shows it");
    let client_id = source.required(CLIENT_ID, how);
    let client_secret = source.secret(CLIENT_SECRET, how, |_| Ok(()));
    let acr = source.parse(ACR, "", |s| Ok(s.split_whitespace().map(str::to_owned).collect::<Vec<_>>()));
    let subjects = subjects(source, table);
    if public_url.is_none() && !source.holds("CHATOPS_PUBLIC_URL") {
        let how = "give the https:// address by which people reach this bot: they prove there who they are";
        source.required("CHATOPS_PUBLIC_URL", how);
    }
    if let Some(url) = public_url
        && url.scheme() != "https"
        && !is_loopback(url)
    {
        let what =
            format!("{:?} is not encrypted, so no one can prove their identity there; give https://", url.as_str());
        source.faults.add("CHATOPS_PUBLIC_URL", what);
        return None;
    }
    Some(OidcConfig {
        issuer: issuer?,
        client_id: client_id?,
        client_secret: client_secret?,
        acr: acr?,
        subjects,
        public_url: public_url?.clone(),
        network: network.clone(),
    })
}

/// An address as OpenID Connect has them: without a query, and compared as it is written.
fn issuer_address(s: &str) -> Result<String, String> {
    let url = confidential(s, "who people are")?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{s:?} holds a ? or a #, which no issuer has"));
    }
    Ok(s.to_owned())
}

/// `[oidc.subjects]`.
fn subjects(source: &mut Source, mut table: toml::Table) -> BTreeMap<UserId, Box<str>> {
    let mut subjects: BTreeMap<UserId, Box<str>> = BTreeMap::new();
    let listed = table.remove("subjects");
    for name in table.keys() {
        source.faults.add(&format!("[oidc] {name}"), "is unknown; give the table [oidc.subjects]");
    }
    let listed = match listed {
        None => return subjects,
        Some(toml::Value::Table(listed)) => listed,
        Some(_) => {
            source.faults.add("[oidc] subjects", "is not a table of \"slack:U…\" = \"subject\"");
            return subjects;
        }
    };
    for (person, subject) in listed {
        let place = format!("[oidc.subjects] {person}");
        let user = match person.parse::<Principal>() {
            Ok(Principal::User(user)) => user,
            Ok(Principal::Group { .. }) => {
                source.faults.add(&place, "is a group; a subject belongs to one person");
                continue;
            }
            Err(fault) => {
                source.faults.add(&place, fault);
                continue;
            }
        };
        let Some(subject) = subject.as_str().map(str::trim).filter(|subject| !subject.is_empty()) else {
            source.faults.add(&place, "is not the text that your identity provider has as the person's subject (sub)");
            continue;
        };
        // The same person may be on two platforms; of two on one platform, one would vote as the other.
        let other = subjects.iter().find(|(other, of)| &***of == subject && other.platform() == user.platform());
        if let Some((other, _)) = other {
            source.faults.add(&place, format!("has the same subject as {other}; each person has their own"));
            continue;
        }
        subjects.insert(user, subject.into());
    }
    subjects
}
