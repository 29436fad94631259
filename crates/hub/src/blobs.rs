//! Media on disk: bytes in, a key out. The caller keeps the key and the content type in a row of its own.
//!
//! Bytes are written to a temporary file as they come and renamed when the last has arrived, so a key always means a
//! whole file that the disk has; memory holds one chunk. A blob is never changed.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};

use crate::clock::{Entropy, Timestamp};

/// Bytes gathered before they are written.
const CHUNK: usize = 256 * 1024;

/// Why a blob was not kept or not found.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// More bytes came than the caller allowed.
    #[error("file is larger than {0} bytes")]
    TooLarge(u64),
    /// The sender broke off.
    #[error("sender broke off")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no such blob.
    #[error("there is no such blob")]
    NotFound,
    /// The range lies outside the blob.
    #[error("range is outside the blob of {0} bytes")]
    Range(u64),
    /// The disk.
    #[error("disk refused")]
    Store(#[source] object_store::Error),
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            other => Self::Store(other),
        }
    }
}

/// Names a blob: `ab/cd/<random>`. Unguessable, and not derived from the content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlobKey(String);

impl BlobKey {
    fn new(entropy: &Entropy) -> Self {
        let hex: String = entropy.bytes::<20>().iter().map(|byte| format!("{byte:02x}")).collect();
        let (folders, name) = hex.split_at(4);
        let (first, second) = folders.split_at(2);
        Self(format!("{first}/{second}/{name}"))
    }

    /// Reads a key as it was stored; `None` for any other text, so that no text can leave the folder.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |part: &str, len| {
            part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let mut parts = text.split('/');
        let fits = [2, 2, 36].into_iter().all(|len| parts.next().is_some_and(|part| is_hex(part, len)));
        (fits && parts.next().is_none()).then(|| Self(text.to_owned()))
    }

    /// The key's text, to be stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn path(&self) -> object_store::path::Path {
        object_store::path::Path::from(self.0.as_str())
    }
}

/// A kept blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its key.
    pub key: BlobKey,
    /// Its size in bytes.
    pub size: u64,
}

/// A blob, or a part of it, being read.
pub struct Reading {
    /// The size of the whole blob in bytes.
    pub size: u64,
    /// Which bytes `body` gives.
    pub range: Range<u64>,
    /// The bytes.
    pub body: BoxStream<'static, Result<Bytes, BlobError>>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("size", &self.size)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// Which part of a blob: RFC 9110's single byte ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// From the first to the last byte, both included; the last may lie beyond the end.
    Bytes(u64, u64),
    /// From a byte to the end.
    From(u64),
    /// The last so many bytes.
    Last(u64),
}

/// Media on disk. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
}

impl Blobs {
    /// Opens the folder `blobs` in the data folder, making it where it is missing.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(data_dir: &Path) -> Result<Self, BlobError> {
        let dir = data_dir.join("blobs");
        std::fs::create_dir_all(&dir).map_err(|error| {
            BlobError::Store(object_store::Error::Generic { store: "blobs", source: Box::new(error) })
        })?;
        let store = LocalFileSystem::new_with_prefix(dir)?.with_fsync(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// Keeps what `body` gives, at most `max` bytes.
    ///
    /// # Errors
    /// `TooLarge`, `Source` when the sender broke off, or the disk's fault; then nothing is kept.
    pub async fn put<S, E>(&self, entropy: &Entropy, body: S, max: u64) -> Result<Kept, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let key = BlobKey::new(entropy);
        let mut upload = self.store.put_multipart(&key.path()).await?;
        let written = async {
            let mut body = std::pin::pin!(body);
            let mut size = 0_u64;
            let mut chunk = BytesMut::new();
            while let Some(bytes) = body.next().await {
                let bytes = bytes.map_err(|error| BlobError::Source(error.into()))?;
                size = size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                if size > max {
                    return Err(BlobError::TooLarge(max));
                }
                chunk.extend_from_slice(&bytes);
                if chunk.len() >= CHUNK {
                    upload.put_part(chunk.split().freeze().into()).await?;
                }
            }
            if !chunk.is_empty() {
                upload.put_part(chunk.freeze().into()).await?;
            }
            upload.complete().await?;
            Ok(size)
        }
        .await;
        match written {
            Ok(size) => Ok(Kept { key, size }),
            Err(error) => {
                // Dropping the upload removes the temporary file as well; this only waits for it.
                drop(upload.abort().await);
                Err(error)
            }
        }
    }

    /// Opens a blob, or a part of it, for reading.
    ///
    /// # Errors
    /// `NotFound`, `Range` for a part that holds no byte of the blob, or the disk's fault.
    pub async fn get(&self, key: &BlobKey, part: Part) -> Result<Reading, BlobError> {
        let path = key.path();
        let range = match part {
            Part::Whole => None,
            Part::Bytes(first, last) => Some(GetRange::Bounded(first..last.saturating_add(1))),
            Part::From(first) => Some(GetRange::Offset(first)),
            Part::Last(count) => Some(GetRange::Suffix(count)),
        };
        if range.is_some() {
            let size = self.store.head(&path).await?.size;
            let empty = match part {
                Part::Bytes(first, last) => first >= size || last < first,
                Part::From(first) => first >= size,
                Part::Last(count) => count == 0 || size == 0,
                Part::Whole => false,
            };
            if empty {
                return Err(BlobError::Range(size));
            }
        }
        let result = self.store.get_opts(&path, GetOptions { range, ..GetOptions::default() }).await?;
        let (size, range) = (result.meta.size, result.range.clone());
        let body = result.into_stream().map(|bytes| bytes.map_err(BlobError::from)).boxed();
        Ok(Reading { size, range, body })
    }

    /// The blobs whose names begin with this byte and that were written before `before`.
    ///
    /// # Errors
    /// The disk's fault.
    pub async fn written_before(&self, first: u8, before: Timestamp) -> Result<Vec<BlobKey>, BlobError> {
        let folder = object_store::path::Path::from(format!("{first:02x}"));
        let mut list = self.store.list(Some(&folder));
        let mut found = Vec::new();
        while let Some(blob) = list.next().await.transpose()? {
            if blob.last_modified.timestamp_millis() < before.millis() {
                found.extend(BlobKey::parse(blob.location.as_ref()));
            }
        }
        Ok(found)
    }

    /// Deletes a blob; one that is gone already is no error.
    ///
    /// # Errors
    /// The disk's fault.
    pub async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        match self.store.delete(&key.path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{TryStreamExt as _, stream};

    use super::*;

    fn chunks(count: usize, len: usize) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
        stream::iter((0..count).map(move |n| Ok(Bytes::from(vec![u8::try_from(n % 251).unwrap(); len]))))
    }

    async fn read(blobs: &Blobs, key: &BlobKey, part: Part) -> Result<(Range<u64>, Vec<u8>), BlobError> {
        let reading = blobs.get(key, part).await?;
        let range = reading.range.clone();
        Ok((range, reading.body.try_collect::<Vec<_>>().await?.concat()))
    }

    fn files(dir: &Path) -> usize {
        std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| if path.is_dir() { files(&path) } else { 1 })
            .sum()
    }

    #[tokio::test]
    async fn bytes_come_back_whole_and_in_part() {
        let dir = tempfile::tempdir().unwrap();
        let (blobs, entropy) = (Blobs::open(dir.path()).unwrap(), Entropy::seeded(1));
        let kept = blobs.put(&entropy, chunks(50, 20_000), 1_000_000).await.unwrap();
        assert_eq!(kept.size, 1_000_000);
        assert_eq!(BlobKey::parse(kept.key.as_str()), Some(kept.key.clone()));
        let (range, all) = read(&blobs, &kept.key, Part::Whole).await.unwrap();
        assert_eq!((range, all.len()), (0..1_000_000, 1_000_000));
        let (range, part) = read(&blobs, &kept.key, Part::Bytes(19_999, 20_000)).await.unwrap();
        assert_eq!((range, part), (19_999..20_001, vec![0, 1]));
        assert_eq!(
            read(&blobs, &kept.key, Part::Bytes(999_999, u64::MAX)).await.unwrap().0,
            999_999..1_000_000
        );
        assert_eq!(read(&blobs, &kept.key, Part::From(999_990)).await.unwrap().1, vec![49; 10]);
        assert_eq!(read(&blobs, &kept.key, Part::Last(2_000_000)).await.unwrap().0, 0..1_000_000);
        for part in
            [Part::Bytes(1_000_000, 1_000_001), Part::Bytes(5, 4), Part::From(1_000_000), Part::Last(0)]
        {
            let refused = read(&blobs, &kept.key, part).await.unwrap_err();
            assert!(matches!(refused, BlobError::Range(1_000_000)), "{part:?} {refused:?}");
        }
        blobs.delete(&kept.key).await.unwrap();
        blobs.delete(&kept.key).await.unwrap();
        assert!(matches!(read(&blobs, &kept.key, Part::Whole).await, Err(BlobError::NotFound)));
    }

    #[tokio::test]
    async fn nothing_is_left_of_what_was_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (blobs, entropy) = (Blobs::open(dir.path()).unwrap(), Entropy::seeded(1));
        let refused = blobs.put(&entropy, chunks(50, 20_000), 999_999).await.unwrap_err();
        assert!(matches!(refused, BlobError::TooLarge(999_999)), "{refused:?}");
        let broken = chunks(20, 20_000).chain(stream::iter([Err(std::io::Error::other("cut"))]));
        let refused = blobs.put(&entropy, broken, 999_999).await.unwrap_err();
        assert!(matches!(refused, BlobError::Source(_)), "{refused:?}");
        assert_eq!(files(dir.path()), 0);
        // A file without a byte is a file.
        let kept = blobs.put(&entropy, chunks(0, 0), 10).await.unwrap();
        assert_eq!(kept.size, 0);
        assert_eq!(read(&blobs, &kept.key, Part::Whole).await.unwrap().1, Vec::<u8>::new());
        assert!(matches!(read(&blobs, &kept.key, Part::Last(1)).await, Err(BlobError::Range(0))));
    }

    #[test]
    fn no_text_leaves_the_folder() {
        let key = BlobKey::new(&Entropy::seeded(1));
        assert!(BlobKey::parse(key.as_str()).is_some());
        for text in
            ["", "../../etc/passwd", "ab/cd/../x", "/ab/cd", "AB/cd/x", &format!("{}/x", key.as_str())]
        {
            assert_eq!(BlobKey::parse(text), None, "{text}");
        }
    }
}
