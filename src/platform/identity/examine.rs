//! Whether the identity provider is the one that is configured, for `doctor`.

use std::sync::Arc;

use super::client::{Provider, Unsure};
use crate::bot::doctor::Examination;
use crate::chat::diagnosis::{Check, harmless};

const ID: &str = "identity.provider";
const SUBJECT: &str = "Identity provider";

/// Examines it whenever it is called.
pub fn examination(provider: Arc<Provider>) -> Examination {
    Arc::new(move || {
        let provider = Arc::clone(&provider);
        Box::pin(async move { vec![check(&provider).await] })
    })
}

async fn check(provider: &Provider) -> Check {
    let host = harmless(&provider.host());
    match provider.examine().await {
        Ok(missing) if missing.is_empty() => {
            Check::pass(ID, SUBJECT, &format!("{host} answers and is the configured issuer."))
        }
        Ok(missing) => Check::warn(
            ID,
            SUBJECT,
            &format!("{host} does not say that it offers {}.", harmless(&missing.join(", "))),
            "Compare CHATOPS_OIDC_ACR with what it offers: without such an acr no one can approve.",
        ),
        Err(Unsure::Unreachable) => Check::fail(
            ID,
            SUBJECT,
            &format!("{host} cannot be reached."),
            "Check the network between the bot and it. Until then no one can approve what needs a second factor.",
        ),
        Err(Unsure::OtherIssuer { named }) => Check::fail(
            ID,
            SUBJECT,
            &format!("{host} names another issuer: {}.", harmless(&named)),
            "Set CHATOPS_OIDC_ISSUER to exactly that, if it is yours.",
        ),
        Err(Unsure::Signature) => Check::fail(
            ID,
            SUBJECT,
            &format!("{host} offers no signature algorithm that is accepted here."),
            "Let it sign ID tokens with RS256, PS256, ES256 or EdDSA.",
        ),
        Err(_) => Check::fail(
            ID,
            SUBJECT,
            &format!("{host} gives no discovery document that can be used."),
            "Compare CHATOPS_OIDC_ISSUER with your identity provider.",
        ),
    }
}
