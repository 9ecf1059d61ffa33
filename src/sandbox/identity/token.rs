//! The key set and ID tokens (RFC 7515, RFC 7517; OpenID Connect Core §2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use ring::signature::{EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Code, IdentityProvider, IdentityWorld, Signing};

const KEY_ID: &str = "demo";
/// How long a token is good.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);

impl IdentityProvider {
    /// The key set.
    pub(super) fn keys(&self) -> Value {
        // An uncompressed point: 0x04, then x and y (SEC 1 §2.3.3).
        let point = self.0.key.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({ "keys": [{
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": KEY_ID,
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
        }] })
    }

    /// The ID token that a code is exchanged for; none if the person is gone or nothing can be signed.
    pub(super) fn id_token(&self, world: &IdentityWorld, code: &Code) -> Option<String> {
        let person = world.person(&code.subject)?;
        let now = world.now();
        let claims = json!({
            "iss": self.issuer(),
            "aud": self.0.client.id,
            "sub": person.subject,
            "name": person.name,
            "email": person.email,
            "email_verified": person.email_verified,
            "iat": now.as_second(),
            "exp": (now + GOOD_FOR).as_second(),
            "auth_time": code.at.as_second(),
            "nonce": code.sign_in.nonce,
            "acr": code.sign_in.acr.as_deref().unwrap_or("0"),
            "amr": ["demo"],
        });
        let Value::Object(mut claims) = claims else { return None };
        if let Some(change) = &world.claims {
            change(&mut claims);
        }
        let algorithm = match world.signing {
            Signing::Own | Signing::Foreign => "ES256",
            Signing::Unsigned => "none",
            Signing::Shared => "HS256",
        };
        let header = json!({ "typ": "JWT", "alg": algorithm, "kid": KEY_ID });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&Value::Object(claims)));
        let signature = match world.signing {
            Signing::Own => self.es256(&self.0.key, &signed)?,
            Signing::Foreign => self.es256(&self.0.foreign, &signed)?,
            Signing::Unsigned => Vec::new(),
            Signing::Shared => {
                let mut mac = Hmac::<Sha256>::new_from_slice(self.0.client.secret.as_bytes()).ok()?;
                mac.update(signed.as_bytes());
                mac.finalize().into_bytes().to_vec()
            }
        };
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn es256(&self, key: &EcdsaKeyPair, signed: &str) -> Option<Vec<u8>> {
        Some(key.sign(&self.0.random, signed.as_bytes()).ok()?.as_ref().to_vec())
    }
}

/// What a verifier is known by (RFC 7636 §4.2, `S256`).
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}
