//! Who somebody is, as the organisation's own identity provider proved it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Approval, Refusal};

/// What an identity provider says of a person who has just proven to it who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub issuer: Box<str>,
    /// The person, by the provider's own immutable id.
    pub subject: Box<str>,
    pub auth_time: Timestamp,
    /// How strong it was, if the provider tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<Box<str>>,
    /// By which means: `pwd`, `otp`, `hwk`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<Box<str>>,
}

/// Whether an approval may count with this proof, or without any.
pub(super) fn check(approval: &Approval, proof: Option<&Proof>) -> Result<(), Refusal> {
    let Some(proof) = proof else {
        return if approval.request.second_factor { Err(Refusal::NeedsProof) } else { Ok(()) };
    };
    let same = |other: &Proof| other.issuer == proof.issuer && other.subject == proof.subject;
    if approval.votes.iter().filter_map(|vote| vote.proof.as_deref()).any(same) {
        return Err(Refusal::SameIdentity);
    }
    Ok(())
}
