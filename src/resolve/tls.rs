//! Whose certificates outgoing connections accept: the system's authorities, and those of
//! `CHATOPS_CA_FILE`. Verification cannot be switched off.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

/// The authorities that are accepted beside the system's. The same for every outgoing client.
#[derive(Clone, Default)]
pub struct Tls {
    further: Arc<[CertificateDer<'static>]>,
}

impl Tls {
    /// Every certificate of a PEM file.
    ///
    /// # Errors
    /// A sentence: the file cannot be read, or holds no certificate or one that no client could use.
    pub fn of_file(path: &str) -> Result<Self, String> {
        let pem = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
        let further = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let further = further.map_err(|_| format!("{path} is not a PEM file of certificates"))?;
        if further.is_empty() {
            return Err(format!("{path} holds no certificate; give a PEM file with BEGIN CERTIFICATE in it"));
        }
        let tls = Self { further: further.into() };
        tls.client().map_err(|e| format!("{path} holds a certificate that cannot be used: {e}"))?;
        Ok(tls)
    }

    /// The settings of a client, which verifies every server.
    ///
    /// # Errors
    /// When there is no authority at all, neither the system's nor a further one.
    pub fn client(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(default_provider());
        let verifier = Verifier::new_with_extra_roots(self.further.iter().cloned(), Arc::clone(&provider))?;
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        // "Dangerous" is any verifier but the library's own list of authorities: this one is the platform's.
        Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({} further authorities)", self.further.len())
    }
}
