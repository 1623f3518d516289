//! The certificate of the server, from files that somebody else renews.
//!
//! Invariant: a renewed pair is taken up without a restart, and one that does not fit together is not: the old one stays, and the log
//! says why. Nothing older than TLS 1.2 is spoken.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use akia_core::settings::TlsFiles;
use akia_io::files::read_limited;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::access::Stamp;

/// Longest file.
const LONGEST: u64 = 1 << 20;
/// How often the files are looked at, at most.
const LOOK: Duration = Duration::from_secs(10);

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Tls {
    files: TlsFiles,
    look: Duration,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug)]
struct Kept {
    config: Arc<ServerConfig>,
    stamps: [Option<Stamp>; 2],
    looked_at: Instant,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificate {certificate} with the key {key} cannot be used: {why}", certificate = .files.certificate.display(), key = .files.key.display())]
pub struct TlsError {
    files: TlsFiles,
    why: String,
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// When one is not there, is no PEM, or they do not fit together.
    pub fn open(files: &TlsFiles) -> Result<Self, TlsError> {
        let stamps = stamps(files);
        let config = load(files).map_err(|why| TlsError { files: files.clone(), why })?;
        let kept = Kept { config: Arc::new(config), stamps, looked_at: Instant::now() };
        Ok(Self { files: files.clone(), look: LOOK, kept: Arc::new(Mutex::new(kept)) })
    }

    /// Looks for another certificate that often, at most.
    #[must_use]
    pub fn looking_every(mut self, look: Duration) -> Self {
        self.look = look;
        self
    }

    /// What greets the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.looked_at.elapsed() >= self.look {
            kept.looked_at = Instant::now();
            let stamps = stamps(&self.files);
            if stamps != kept.stamps {
                match load(&self.files) {
                    Ok(config) => {
                        tracing::info!("the certificate has been read again");
                        (kept.config, kept.stamps) = (Arc::new(config), stamps);
                    }
                    // Perhaps one of the two is written already, and the other not yet: it is tried again.
                    Err(why) => tracing::warn!(%why, "the new certificate cannot be used, and the old one stays"),
                }
            }
        }
        TlsAcceptor::from(Arc::clone(&kept.config))
    }
}

fn stamps(files: &TlsFiles) -> [Option<Stamp>; 2] {
    [&files.certificate, &files.key].map(|path| Stamp::of(path).ok())
}

fn load(files: &TlsFiles) -> Result<ServerConfig, String> {
    let read = |path: &Path| {
        let bytes = read_limited(path, LONGEST).map_err(|error| error.to_string())?;
        bytes.ok_or_else(|| format!("{} is not there", path.display()))
    };
    let chain = CertificateDer::pem_slice_iter(&read(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{} is no PEM: {error}", files.certificate.display()))?;
    if chain.is_empty() {
        return Err(format!("{} holds no certificate", files.certificate.display()));
    }
    // The words of the reader about a key are not repeated.
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|_| format!("{} holds no private key in PEM", files.key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
