//! What a node lets a plan touch. Whoever reaches its port can have it run any plan: it writes nothing, and reads no files but those of
//! folders that it was told of.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tokio::sync::OnceCell;
use url::Url;

use crate::engine::Stores;

/// The stores of a node.
#[derive(Debug)]
pub(super) struct Guard {
    known: DefaultObjectStoreRegistry,
    buckets: Arc<dyn Stores>,
    folders: Arc<[Path]>,
}

impl Guard {
    /// Buckets, and files beneath these folders.
    ///
    /// # Errors
    ///
    /// When there is no such folder.
    pub(super) fn new(buckets: Arc<dyn Stores>, folders: &[PathBuf]) -> io::Result<Self> {
        let folder = |folder: &PathBuf| Path::from_absolute_path(folder.canonicalize()?).map_err(io::Error::other);
        let folders = folders.iter().map(folder).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { known: DefaultObjectStoreRegistry::new(), buckets, folders: folders.into() })
    }
}

impl ObjectStoreRegistry for Guard {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        match (url.scheme(), url.host_str()) {
            ("s3", Some(bucket)) => {
                if let Ok(known) = self.known.get_store(url) {
                    return Ok(known);
                }
                let place =
                    Place::Bucket { of: Arc::clone(&self.buckets), name: bucket.to_owned(), open: OnceCell::new() };
                let store: Arc<dyn ObjectStore> = Arc::new(ReadOnly(Arc::new(place)));
                self.known.register_store(url, Arc::clone(&store));
                Ok(store)
            }
            ("file", _) => {
                let place = Place::Files { store: self.known.get_store(url)?, beneath: Arc::clone(&self.folders) };
                Ok(Arc::new(ReadOnly(Arc::new(place))))
            }
            _ => Err(DataFusionError::External(format!("{url} is neither a file of this node nor in S3").into())),
        }
    }
}

#[derive(Debug)]
enum Place {
    /// A bucket is opened when it is first read: its region has to be asked for.
    Bucket {
        of: Arc<dyn Stores>,
        name: String,
        open: OnceCell<Arc<dyn ObjectStore>>,
    },
    Files {
        store: Arc<dyn ObjectStore>,
        beneath: Arc<[Path]>,
    },
}

impl Place {
    /// The store, to read what lies at a path, or beneath it.
    async fn to_read(&self, path: &Path) -> object_store::Result<&Arc<dyn ObjectStore>> {
        match self {
            Self::Bucket { of, name, open } => {
                let opened = open.get_or_try_init(async || {
                    of.prepare(name).await?;
                    of.bucket(name)
                });
                opened.await.map_err(|why: String| Error::Generic { store: "S3", source: why.into() })
            }
            Self::Files { store, beneath } => {
                if beneath.iter().any(|folder| path.prefix_matches(folder)) {
                    return Ok(store);
                }
                let source = format!("/{path} lies in no folder of logs that this node was given").into();
                Err(Error::PermissionDenied { path: path.to_string(), source })
            }
        }
    }
}

/// A store that is never written.
#[derive(Debug)]
struct ReadOnly(Arc<Place>);

impl fmt::Display for ReadOnly {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Place::Bucket { name, .. } => write!(to, "the bucket {name}, to read"),
            Place::Files { .. } => to.write_str("files of this node, to read"),
        }
    }
}

fn unwritten() -> Error {
    Error::NotSupported { source: "a node of a cluster writes nothing".into() }
}

#[async_trait]
impl ObjectStore for ReadOnly {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.0.to_read(location).await?.get_opts(location, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let (place, prefix) = (Arc::clone(&self.0), prefix.cloned());
        stream::once(async move {
            let store = place.to_read(&prefix.clone().unwrap_or_default()).await?;
            Ok::<_, Error>(store.list(prefix.as_ref()))
        })
        .try_flatten()
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.0.to_read(&prefix.cloned().unwrap_or_default()).await?.list_with_delimiter(prefix).await
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> object_store::Result<PutResult> {
        Err(unwritten())
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Err(unwritten())
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        locations.map(|_| Err(unwritten())).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> object_store::Result<()> {
        Err(unwritten())
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    /// Buckets whose first request for a region fails.
    #[derive(Debug, Default)]
    struct Moody {
        store: Arc<InMemory>,
        asked: std::sync::atomic::AtomicUsize,
    }

    #[async_trait]
    impl Stores for Moody {
        async fn prepare(&self, bucket: &str) -> std::result::Result<(), String> {
            match self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => Err(format!("no region of {bucket} yet")),
                _ => Ok(()),
            }
        }

        fn bucket(&self, _: &str) -> std::result::Result<Arc<dyn ObjectStore>, String> {
            Ok(Arc::clone(&self.store) as Arc<dyn ObjectStore>)
        }
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_bucket_is_prepared_once_and_again_where_that_failed_and_never_written() {
        let buckets = Arc::new(Moody::default());
        buckets.store.put(&"AWSLogs/one".into(), "log".into()).await.unwrap();
        let guard = Guard::new(Arc::clone(&buckets) as Arc<dyn Stores>, &[]).unwrap();
        let store = guard.get_store(&url("s3://example-trail/AWSLogs/one")).unwrap();
        let refused = store.get(&"AWSLogs/one".into()).await.unwrap_err();
        assert!(refused.to_string().contains("no region of example-trail yet"), "{refused}");
        for _ in 0..3 {
            let store = guard.get_store(&url("s3://example-trail/AWSLogs/one")).unwrap();
            assert_eq!(store.get(&"AWSLogs/one".into()).await.unwrap().bytes().await.unwrap(), "log");
            assert_eq!(store.list(Some(&"AWSLogs".into())).count().await, 1);
        }
        assert_eq!(buckets.asked.load(std::sync::atomic::Ordering::Relaxed), 2);
        assert!(matches!(store.put(&"other".into(), "x".into()).await, Err(Error::NotSupported { .. })));
        assert!(matches!(store.delete(&"AWSLogs/one".into()).await, Err(Error::NotSupported { .. })));
        assert!(store.get(&"AWSLogs/one".into()).await.is_ok());
    }

    #[tokio::test]
    async fn files_are_read_beneath_the_folders_of_a_node_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["logs/one", "logs-of-others/two"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "log").unwrap();
        }
        let logs = folder.path().join("logs");
        let guard = Guard::new(Arc::new(Moody::default()), std::slice::from_ref(&logs)).unwrap();
        let store = guard.get_store(&url("file:///")).unwrap();
        let path = |name: &str| Path::from_absolute_path(folder.path().canonicalize().unwrap().join(name)).unwrap();
        assert!(store.get(&path("logs/one")).await.is_ok());
        assert_eq!(store.list(Some(&path("logs"))).count().await, 1);
        let refused = store.get(&path("logs-of-others/two")).await.unwrap_err();
        assert!(matches!(refused, Error::PermissionDenied { .. }), "{refused}");
        assert!(store.list(None).next().await.unwrap().is_err());
        assert!(store.list_with_delimiter(Some(&path("logs-of-others"))).await.is_err());
        assert!(Guard::new(Arc::new(Moody::default()), &[folder.path().join("absent")]).is_err());
    }
}
