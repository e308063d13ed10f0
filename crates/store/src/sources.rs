//! Where a lake's rows come from, as whoever keeps it wrote down: a small file for each source, and
//! beside it a note of how the last look at it went. What they say is the caller's business.

use futures::future::try_join_all;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::error::{Error, Result};
use crate::lake::{Lake, get, put_new, remove_file};

impl Lake {
    /// The sources by name, each with its file.
    ///
    /// # Errors
    /// When they cannot be listed or read.
    pub async fn sources(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let folder = self.layout().sources();
        let listed = self.objects().list_with_delimiter(Some(&folder)).await;
        let listed = listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
        let files = listed.objects.into_iter().map(|object| async move {
            let name = object.location.filename().and_then(|name| name.strip_suffix(".json"));
            // A note has another dot, which no name has.
            let Some(name) = name.filter(|name| !name.contains('.')) else { return Ok(None) };
            let bytes = get(self.objects(), &object.location).await?;
            Ok::<_, Error>(bytes.map(|bytes| (name.to_owned(), bytes)))
        });
        let mut sources: Vec<_> = try_join_all(files).await?.into_iter().flatten().collect();
        sources.sort();
        Ok(sources)
    }

    /// Adds a source; false when there is one of that name, which stays as it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn add_source(&self, name: &str, text: String) -> Result<bool> {
        self.check_commits().await?;
        put_new(self.objects(), &self.layout().source(name), text).await
    }

    /// Removes a source and its note; false when there is none of that name.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn remove_source(&self, name: &str) -> Result<bool> {
        let path = self.layout().source(name);
        if get(self.objects(), &path).await?.is_none() {
            return Ok(false);
        }
        for path in [path, self.layout().source_note(name)] {
            remove_file(self.objects(), &path).await?;
        }
        Ok(true)
    }

    /// Notes how a look at a source went; the last note counts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn note_source(&self, name: &str, text: String) -> Result<()> {
        let path = self.layout().source_note(name);
        let put = self.objects().put(&path, text.into()).await;
        put.map(drop).map_err(|error| Error::storage(format!("write `{path}`"), error))
    }

    /// The last note about a source.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn source_note(&self, name: &str) -> Result<Option<Vec<u8>>> {
        get(self.objects(), &self.layout().source_note(name)).await
    }
}
