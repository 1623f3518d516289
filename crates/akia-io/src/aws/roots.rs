//! The certificates of an authority that alone is trusted for a server: a cluster signs those of its servers itself.

use aws_smithy_http_client::tls::TrustStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// At least one certificate, in PEM.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Roots(Vec<u8>);

impl Roots {
    /// Takes PEM that holds certificates. The error is a clause.
    pub(crate) fn parse(pem: Vec<u8>) -> Result<Self, String> {
        Self::check(&pem)?;
        Ok(Self(pem))
    }

    /// Finds out what the TLS library would panic on.
    pub(super) fn check(pem: &[u8]) -> Result<(), String> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| "not a file of pem certificates".to_owned())?;
            roots.add(certificate).map_err(|error| format!("a certificate in it cannot be read ({error})"))?;
        }
        if roots.is_empty() { Err("no certificate in it".to_owned()) } else { Ok(()) }
    }

    pub(super) fn store(&self) -> TrustStore {
        TrustStore::empty().with_pem_certificate(self.0.as_slice())
    }
}
