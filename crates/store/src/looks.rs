//! What was looked at to fill a store, as whoever looks writes it down. What the files say is the
//! caller's business, but this holds: what several say counts together.
//!
//! Nobody writes to a file that is there. Who adds something takes in what others say, puts one new
//! file and only then removes those it has taken in. So nothing is lost when two add at once, or
//! when one of them stops half way: the same is then said twice.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::lake::{get, put_new, remove_file};
use crate::round::StoreWriter;
use crate::store::Store;

/// How often the files are listed again because one of them was taken in meanwhile.
const ATTEMPTS_MAX: usize = 10;

/// What one file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    path: Path,
    /// Its bytes.
    pub text: Vec<u8>,
}

impl Store {
    /// What was looked at: every file counts.
    ///
    /// # Errors
    /// When the files cannot be listed or read.
    pub async fn looks(&self) -> Result<Vec<Look>> {
        read(self.object_store(), &self.looks_folder()).await
    }
}

impl StoreWriter {
    /// As [`Store::looks`].
    ///
    /// # Errors
    /// As [`Store::looks`].
    pub async fn looks(&self) -> Result<Vec<Look>> {
        read(self.objects(), &self.looks_folder()).await
    }

    /// Adds a file that says all that `replaced` say, which are removed then.
    ///
    /// # Errors
    /// When it cannot be written. What cannot be removed stays, and does no harm.
    pub async fn add_look(&self, text: String, replaced: &[Look]) -> Result<()> {
        let path = self.looks_folder().join(format!("{}.json", Uuid::new_v4()));
        put_new(self.objects(), &path, text).await?;
        for look in replaced {
            if let Err(error) = remove_file(self.objects(), &look.path).await {
                tracing::warn!(error = error.spelled_out(), "what was taken in stays");
            }
        }
        Ok(())
    }
}

/// Files that are there together. One that is gone before it is read was taken in by another.
async fn read(objects: &Arc<dyn ObjectStore>, folder: &Path) -> Result<Vec<Look>> {
    let failed = |error| Error::storage(format!("list `{folder}`"), error);
    'again: for _ in 0..ATTEMPTS_MAX {
        let listed: Vec<_> = objects.list(Some(folder)).try_collect().await.map_err(failed)?;
        let mut looks = Vec::new();
        for meta in listed.into_iter().filter(|meta| meta.location.extension() == Some("json")) {
            let Some(text) = get(objects, &meta.location).await? else { continue 'again };
            looks.push(Look { path: meta.location, text });
        }
        looks.sort_by(|a, b| a.path.cmp(&b.path));
        return Ok(looks);
    }
    let busy = std::io::Error::other("its files are replaced all the time");
    let source = Box::new(busy);
    Err(failed(object_store::Error::Generic { store: "lake", source }))
}
