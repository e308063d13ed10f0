//! How does a file come into its bucket? Whole or not at all: a short one in one request, a long one
//! in parts, which are an object when the last of them is there.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, Result};

/// Bytes of a part. S3 takes 10,000 parts, of at least 5 MiB
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const PART: usize = 8 << 20;

/// A file on its way.
pub(super) struct Upload {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    /// Those that were sent; none while one request may do.
    parts: Option<Box<dyn MultipartUpload>>,
    /// Bytes that fill no part yet.
    waiting: Vec<u8>,
}

impl Upload {
    pub(super) fn new(objects: &Arc<dyn ObjectStore>, path: Path) -> Upload {
        Upload { objects: Arc::clone(objects), path, parts: None, waiting: Vec::new() }
    }

    /// Takes the next bytes, and sends the parts that they fill.
    ///
    /// # Errors
    /// Those of the bucket.
    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.waiting.extend_from_slice(bytes);
        while self.waiting.len() >= PART {
            let rest = self.waiting.split_off(PART);
            let part = std::mem::replace(&mut self.waiting, rest);
            if self.parts.is_none() {
                let options = PutMultipartOptions::default();
                self.parts = Some(self.objects.put_multipart_opts(&self.path, options).await?);
            }
            if let Some(parts) = &mut self.parts {
                parts.put_part(part.into()).await?;
            }
        }
        Ok(())
    }

    /// Sends what is left: the object is there, in the place of one of the same key.
    ///
    /// # Errors
    /// Those of the bucket; then there is no such object, or still the one that was there before.
    pub(super) async fn finish(&mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.waiting);
        match &mut self.parts {
            None => {
                let options = PutOptions::default();
                self.objects.put_opts(&self.path, rest.into(), options).await?;
            }
            Some(parts) => {
                if !rest.is_empty() {
                    parts.put_part(rest.into()).await?;
                }
                parts.complete().await?;
            }
        }
        Ok(())
    }

    /// Removes parts that will never be an object, as far as the bucket lets it.
    pub(super) async fn give_up(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            let _ = parts.abort().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn a_file_is_there_when_all_of_it_is() {
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for (length, piece) in [
            (0, 1),
            (1_000, 7),
            (PART, PART / 2),
            (PART + 1, PART),
            (2 * PART + 5, 3 * PART),
            (2 * PART + 5, 1 << 20),
        ] {
            let path = Path::from(format!("{length}/{piece}"));
            let bytes: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
            let mut upload = Upload::new(&objects, path.clone());
            for piece in bytes.chunks(piece) {
                upload.push(piece).await.unwrap();
                assert!(objects.head(&path).await.is_err(), "{path} is there too soon");
            }
            upload.finish().await.unwrap();
            let found = objects.get(&path).await.unwrap().bytes().await.unwrap();
            assert!(found == bytes, "{path}");
        }
    }
}
