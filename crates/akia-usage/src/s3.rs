//! S3 as a store of objects, reached the way akia reaches AWS: its credentials, endpoints, proxies and roots of trust.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AwsCredential, resolve_bucket_region};
use object_store::{Certificate, ClientOptions, CredentialProvider, ObjectStore};
use url::Url;

use crate::engine::Stores;

/// Who signs.
#[async_trait]
pub trait Signing: Send + Sync + fmt::Debug + 'static {
    /// Credentials that hold for some minutes yet.
    ///
    /// # Errors
    ///
    /// When there are none.
    async fn credentials(&self) -> Result<Signature, String>;
}

/// What a request is signed with. It has no `Debug`: it is a secret.
#[derive(Clone)]
pub struct Signature {
    /// The access key id.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// The token of a session.
    pub token: Option<String>,
}

/// How S3 is reached. The address of a proxy may hold a password, so there is no `Debug`.
#[derive(Clone, Default)]
pub struct Reach {
    /// An endpoint that replaces AWS's own.
    pub endpoint: Option<Url>,
    /// The region, where the bucket's own is not asked for.
    pub region: Option<String>,
    /// Roots of trust instead of the system's, as PEM.
    pub roots: Option<Vec<u8>>,
    /// The proxy.
    pub proxy: Option<String>,
    /// Hosts that are reached without it.
    pub no_proxy: Option<String>,
}

/// The buckets of S3.
pub struct S3 {
    reach: Reach,
    signing: Arc<dyn Signing>,
    regions: Mutex<HashMap<String, String>>,
}

impl fmt::Debug for S3 {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("S3").field("endpoint", &self.reach.endpoint).finish_non_exhaustive()
    }
}

impl S3 {
    /// Buckets that are reached like this.
    #[must_use]
    pub fn new(reach: Reach, signing: Arc<dyn Signing>) -> Self {
        Self { reach, signing, regions: Mutex::default() }
    }

    /// For questions about files of this machine: no bucket is reached, and nobody signs.
    #[must_use]
    pub fn unreached() -> Self {
        Self::new(Reach::default(), Arc::new(Nobody))
    }

    fn client(&self) -> Result<ClientOptions, String> {
        let mut options = ClientOptions::new();
        if let Some(pem) = &self.reach.roots {
            for root in Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())? {
                options = options.with_root_certificate(root);
            }
        }
        if let Some(proxy) = &self.reach.proxy {
            options = options.with_proxy_url(proxy);
            if let Some(except) = &self.reach.no_proxy {
                options = options.with_proxy_excludes(except);
            }
        }
        let plain = self.reach.endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme() == "http");
        Ok(options.with_allow_http(plain))
    }
}

#[async_trait]
impl Stores for S3 {
    /// Asks AWS for the region of a bucket, which its requests are signed for.
    async fn prepare(&self, bucket: &str) -> Result<(), String> {
        if self.reach.endpoint.is_none() {
            let region = resolve_bucket_region(bucket, &self.client()?).await.map_err(|error| error.to_string())?;
            self.regions.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.to_owned(), region);
        }
        Ok(())
    }

    fn bucket(&self, name: &str) -> Result<Arc<dyn ObjectStore>, String> {
        let known = self.regions.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let region = known.or_else(|| self.reach.region.clone()).unwrap_or_else(|| "us-east-1".to_owned());
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(region)
            .with_client_options(self.client()?)
            .with_credentials(Arc::new(Credentials(Arc::clone(&self.signing))));
        if let Some(endpoint) = &self.reach.endpoint {
            builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        Ok(Arc::new(builder.build().map_err(|error| error.to_string())?))
    }
}

/// Signs nothing.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Signing for Nobody {
    async fn credentials(&self) -> Result<Signature, String> {
        Err("no credentials were looked for".to_owned())
    }
}

#[derive(Debug)]
struct Credentials(Arc<dyn Signing>);

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let failed = |why: String| object_store::Error::Generic { store: "S3", source: why.into() };
        let Signature { key, secret, token } = self.0.credentials().await.map_err(failed)?;
        Ok(Arc::new(AwsCredential { key_id: key, secret_key: secret, token }))
    }
}
