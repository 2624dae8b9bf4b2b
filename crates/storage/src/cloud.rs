//! S3 and its look-alikes, Google Cloud Storage and Azure Blob Storage, through `object_store`.
//!
//! What is ours here: exact keys and tolerant listings ([`wire`]), parts of an upload ([`upload`]), the meaning of errors
//! ([`errors`]), and the choice of options. Nothing conditional is ever asked for, no bulk deletes (look-alikes differ), and to S3
//! payloads are signed, so that a byte that changes on the way is refused by the server.

mod azure;
mod build;
mod errors;
mod gcs;
mod s3;
mod upload;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutOptions, PutPayload,
};

use crate::backend::{Backend, Opened, WriteObject};
use crate::byte_budget::ByteBudget;
use crate::error::{Attempt, StorageError};
use crate::name;
use crate::storage::{Level, ObjectInfo};

/// Deletes under way at once when a folder is deleted.
const DELETES_AT_ONCE: usize = 16;

/// On top of the client's own, which has pauses.
const DELETE_RETRIES_MAX: u32 = 2;

/// The limit of S3 and of Google, in bytes of UTF-8.
const KEY_BYTES_MAX: usize = 1024;

/// What an `s3://` URL says.
#[derive(Debug, Clone)]
pub(crate) struct S3Place {
    pub(crate) bucket: String,
    /// Without a slash at the end.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) path_style: Option<bool>,
}

/// What a `gs://` URL says.
#[derive(Debug, Clone)]
pub(crate) struct GcsPlace {
    pub(crate) bucket: String,
    /// Without a slash at the end. `None`: Google's.
    pub(crate) endpoint: Option<String>,
}

/// What an `az://` URL says.
#[derive(Debug, Clone)]
pub(crate) struct AzurePlace {
    pub(crate) container: String,
    /// `None`: `AZURE_STORAGE_ACCOUNT_NAME` of the environment.
    pub(crate) account: Option<String>,
    /// Without a slash at the end. `None`: Azure's own for the account.
    pub(crate) endpoint: Option<String>,
}

/// Whose rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    S3,
    Gcs,
    Azure,
}

/// A bucket or container.
#[derive(Clone)]
pub(crate) struct Cloud {
    service: Service,
    store: Arc<dyn ObjectStore>,
    bucket: String,
    endpoint: Option<String>,
    storage_class: Option<String>,
    part_bytes: usize,
    /// What all writers share.
    under_way: ByteBudget,
    request_timeout: Duration,
}

impl Cloud {
    fn attempt(&self, action: &str, key: &str) -> Attempt {
        Attempt::new(&self.location(""), format!("{action} {key:?}"))
    }

    fn attributes(&self) -> Attributes {
        self.storage_class.iter().map(|class| (Attribute::StorageClass, AttributeValue::from(class.clone()))).collect()
    }

    fn path(&self, attempt: &Attempt, key: &str) -> Result<Path, StorageError> {
        Path::parse(wire::escape(key)).map_err(|error| StorageError::BadName {
            location: attempt.location.clone(),
            name: key.to_owned(),
            reason: error.to_string(),
        })
    }

    async fn put_attempted(&self, attempt: &Attempt, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        let options = PutOptions { attributes: self.attributes(), ..Default::default() };
        let result = self.store.put_opts(&self.path(attempt, key)?, PutPayload::from_bytes(bytes), options).await;
        result.map(|_| ()).map_err(|error| errors::meaning(attempt, key, &error))
    }

    async fn meta(&self, attempt: &Attempt, key: &str) -> Result<ObjectMeta, StorageError> {
        let path = self.path(attempt, key)?;
        match self.store.head(&path).await {
            Ok(meta) => Ok(meta),
            // The answer to HEAD has no body, so it cannot say what is missing: object or bucket, right or credentials.
            Err(_) => match self.store.get_opts(&path, GetOptions::default()).await {
                Ok(found) => Ok(found.meta),
                Err(error) => Err(errors::meaning(attempt, key, &error)),
            },
        }
    }
}

#[async_trait]
impl Backend for Cloud {
    fn location(&self, folder: &str) -> String {
        let place = name::join(&self.bucket, folder);
        let scheme = match self.service {
            Service::S3 => "s3",
            Service::Gcs => "gs",
            Service::Azure => "az",
        };
        match &self.endpoint {
            Some(endpoint) => format!("{scheme}://{place} ({endpoint})"),
            None => format!("{scheme}://{place}"),
        }
    }

    fn problem(&self, key: &str) -> Option<String> {
        if self.service != Service::Azure && key.len() > KEY_BYTES_MAX {
            let whose = if self.service == Service::S3 { "S3" } else { "Google" };
            return Some(format!("with its prefix it has {} bytes, and {whose} allows {KEY_BYTES_MAX}", key.len()));
        }
        let problem = match self.service {
            Service::S3 => None,
            Service::Gcs => gcs::problem(key),
            Service::Azure => azure::problem(key),
        };
        problem.or_else(|| wire::problem(key))
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        self.put_attempted(&self.attempt("write", key), key, bytes).await
    }

    async fn writer(&self, key: &str) -> Result<Box<dyn WriteObject>, StorageError> {
        Ok(Box::new(upload::Upload::new(self.clone(), self.attempt("write", key), key.to_owned())))
    }

    async fn open(&self, key: &str, offset: u64) -> Result<Opened, StorageError> {
        let attempt = self.attempt("read", key);
        let range = (offset > 0).then_some(GetRange::Offset(offset));
        let options = GetOptions { range, ..Default::default() };
        let found = self.store.get_opts(&self.path(&attempt, key)?, options).await;
        let found = found.map_err(|error| errors::meaning(&attempt, key, &error))?;
        let (bytes, version) = (found.meta.size, found.meta.e_tag.clone());
        let stream = impatient(found.into_stream(), self.request_timeout, attempt, key.to_owned());
        Ok(Opened { bytes, version, stream })
    }

    async fn stat(&self, key: &str) -> Result<ObjectInfo, StorageError> {
        let meta = self.meta(&self.attempt("look at", key), key).await?;
        Ok(ObjectInfo { name: key.to_owned(), bytes: meta.size, modified: Some(meta.last_modified.into()) })
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        let attempt = self.attempt("list", folder);
        let prefix = self.path(&attempt, folder)?;
        collect(self.store.list(Some(&prefix)), &attempt, folder).await
    }

    async fn list_after(&self, folder: &str, after: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        let attempt = self.attempt("list", folder);
        let (prefix, offset) = (self.path(&attempt, folder)?, self.path(&attempt, after)?);
        collect(self.store.list_with_offset(Some(&prefix), &offset), &attempt, folder).await
    }

    async fn level(&self, folder: &str) -> Result<Level, StorageError> {
        let attempt = self.attempt("list", folder);
        let prefix = self.path(&attempt, folder)?;
        let found = self.store.list_with_delimiter(Some(&prefix)).await.map_err(|error| errors::meaning(&attempt, folder, &error))?;
        let mut level = Level::default();
        for meta in found.objects {
            level.objects.extend(listed(meta, &attempt)?);
        }
        for prefix in found.common_prefixes {
            let key = wire::listed_key(&prefix).map_err(|cause| StorageError::Other { at: attempt.because(cause) })?;
            let key = key.strip_suffix('/').unwrap_or(&key).to_owned();
            if name::problem(&key).is_none() {
                level.folders.push(key);
            }
        }
        Ok(level)
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let attempt = self.attempt("delete", key);
        let path = self.path(&attempt, key)?;
        let mut tries = 0;
        loop {
            let result = self.store.delete(&path).await.map_err(|error| errors::meaning(&attempt, key, &error));
            match result {
                // Some look-alikes answer 404 where S3 says it is done.
                Err(StorageError::NotFound { .. }) => return Ok(()),
                // The client does not repeat a delete whose connection broke, and for us it is no matter whether it was done.
                Err(StorageError::Unavailable { .. }) if tries < DELETE_RETRIES_MAX => tries += 1,
                result => return result,
            }
        }
    }

    async fn delete_under(&self, folder: &str) -> Result<usize, StorageError> {
        let found = self.list(folder).await?;
        let count = found.len();
        let deletes = stream::iter(found).map(|object| async move { self.delete(&object.name).await });
        deletes.buffer_unordered(DELETES_AT_ONCE).try_collect::<()>().await?;
        Ok(count)
    }
}

async fn collect(
    mut listing: BoxStream<'static, object_store::Result<ObjectMeta>>,
    attempt: &Attempt,
    folder: &str,
) -> Result<Vec<ObjectInfo>, StorageError> {
    let mut found = Vec::new();
    while let Some(meta) = listing.try_next().await.map_err(|error| errors::meaning(attempt, folder, &error))? {
        found.extend(listed(meta, attempt)?);
    }
    Ok(found)
}

/// One entry of a listing. Folder markers (`a/`) and the like are left out: consoles make them; they are no objects of ours or PBM's.
fn listed(meta: ObjectMeta, attempt: &Attempt) -> Result<Option<ObjectInfo>, StorageError> {
    let key = wire::listed_key(&meta.location).map_err(|cause| StorageError::Other { at: attempt.because(cause) })?;
    let object = ObjectInfo { name: key, bytes: meta.size, modified: Some(meta.last_modified.into()) };
    Ok(name::problem(&object.name).is_none().then_some(object))
}

/// The stream, with an error as soon as it gives nothing for `patience` while somebody waits for it.
fn impatient(
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    patience: Duration,
    attempt: Attempt,
    key: String,
) -> BoxStream<'static, Result<Bytes, StorageError>> {
    let pieces = stream::unfold(Some(stream), move |stream| {
        let (attempt, key) = (attempt.clone(), key.clone());
        async move {
            let mut stream = stream?;
            let piece = match tokio::time::timeout(patience, stream.next()).await {
                Ok(piece) => piece?.map_err(|error| errors::meaning(&attempt, &key, &error)),
                Err(_) => {
                    let cause = format!("nothing more arrived for {} s", patience.as_secs_f32());
                    Err(StorageError::Unavailable { at: attempt.because(cause) })
                }
            };
            // After an error the stream is over: the reader asks for the rest anew.
            let rest = piece.is_ok().then_some(stream);
            Some((piece, rest))
        }
    });
    pieces.boxed()
}
