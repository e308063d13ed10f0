//! An S3 Inventory: what a bucket held on some day, in files that S3 writes.
//!
//! It (Amazon S3 User Guide, "Amazon S3 Inventory") lists a bucket of half a billion objects
//! without half a million requests. Its manifest names its files, CSV or Parquet, which are read
//! one after the other. One in a bucket is set aside on disk first: Parquet is read from its end,
//! and what breaks off half way is asked for again before anything of it counts. So does nothing of a
//! file that is not, by size and MD5, the one that the manifest names: files of one name from two
//! inventories are easily mixed up, and what is missing in a list is missed nowhere else.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use md5::{Digest, Md5};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Deserialize;
use tokio::runtime::Handle;
use traillake_store::spelled_out;

use super::super::fetch::{ATTEMPTS_MAX, PAUSE, broken, patiently};
use super::super::walk::Met;
use super::super::{Bucket, Reading, refusal};
use super::csv::Columns;
use super::{fault, rows};

/// An inventory of a bucket.
#[derive(Debug, Clone)]
pub struct Inventory {
    format: Format,
    files: Vec<InventoryFile>,
}

#[derive(Debug, Clone)]
enum Format {
    Csv(Columns),
    Parquet,
}

#[derive(Debug, Clone)]
struct InventoryFile {
    place: Place,
    size: Option<u64>,
    md5: Option<String>,
}

#[derive(Debug, Clone)]
enum Place {
    Here(PathBuf),
    There(Arc<dyn ObjectStore>, Path),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    source_bucket: String,
    file_format: String,
    file_schema: String,
    files: Vec<ManifestFile>,
}

#[derive(Deserialize)]
struct ManifestFile {
    key: String,
    size: Option<u64>,
    #[serde(rename = "MD5checksum")]
    md5: Option<String>,
}

impl Inventory {
    /// Reads a `manifest.json` on this machine; its files lie in `data/` beside its folder, as in
    /// S3. Returns the bucket it is of, too.
    ///
    /// # Errors
    /// In words, when it is no manifest of an inventory in CSV or Parquet.
    pub fn open(manifest: &FilePath) -> Result<(String, Inventory), String> {
        let bytes = std::fs::read(manifest).map_err(|error| error.to_string())?;
        let folder = manifest.parent().unwrap_or_else(|| FilePath::new("."));
        Inventory::parse(&bytes, |ManifestFile { key, size, .. }| {
            let name = key.rsplit('/').next().unwrap_or(key);
            let places = ["../data", "data", "."].map(|place| folder.join(place).join(name));
            let is_right = |place: &&PathBuf| {
                place.metadata().is_ok_and(|found| size.is_none_or(|size| found.len() == size))
            };
            let found = places.iter().find(is_right);
            let found = found.or(places.iter().find(|place| place.exists()));
            Place::Here(found.unwrap_or(&places[2]).clone())
        })
    }

    /// Reads a manifest in the bucket that inventories are delivered to.
    ///
    /// # Errors
    /// As [`Inventory::open`].
    pub async fn fetch(
        objects: Arc<dyn ObjectStore>,
        key: &str,
    ) -> Result<(String, Inventory), String> {
        let path = Path::parse(key).map_err(|error| error.to_string())?;
        let got = objects.get(&path).await.map_err(|error| error.to_string())?;
        let bytes = got.bytes().await.map_err(|error| error.to_string())?;
        let place = |named: &ManifestFile| Path::from(named.key.as_str());
        Inventory::parse(&bytes, |named| Place::There(objects.clone(), place(named)))
    }

    fn parse(
        bytes: &[u8],
        place: impl Fn(&ManifestFile) -> Place,
    ) -> Result<(String, Inventory), String> {
        let manifest: Manifest = serde_json::from_slice(bytes)
            .map_err(|error| format!("no manifest of an S3 Inventory: {error}"))?;
        let format = match manifest.file_format.as_str() {
            "CSV" => Format::Csv(Columns::of(&manifest.file_schema)?),
            "Parquet" => Format::Parquet,
            other => {
                return Err(format!("the inventory is in {other}; CSV and Parquet can be read"));
            }
        };
        let file = |named: ManifestFile| {
            let place = place(&named);
            let md5 = named.md5.filter(|md5| !md5.is_empty());
            InventoryFile { place, size: named.size, md5 }
        };
        let files = manifest.files.into_iter().map(file).collect();
        Ok((manifest.source_bucket, Inventory { format, files }))
    }

    /// Calls `met` with every object under the bucket's prefix, until it returns false. Blocks.
    pub(super) fn list(
        &self,
        bucket: &Bucket,
        reading: &Reading,
        met: &mut dyn FnMut(Met) -> bool,
    ) {
        for file in &self.files {
            let name = file.name();
            let wrong = |reason: String| fault(&name, reason);
            let goes_on = match (file.open(reading), &self.format) {
                (Err(reason), _) => met(wrong(reason)),
                (Ok(file), Format::Csv(columns)) => columns.list(file, bucket, &wrong, met),
                (Ok(file), Format::Parquet) => rows::list(file, bucket, &wrong, met),
            };
            if !goes_on {
                return;
            }
        }
    }
}

impl InventoryFile {
    fn name(&self) -> String {
        match &self.place {
            Place::Here(path) => path.display().to_string(),
            Place::There(_, path) => path.to_string(),
        }
    }

    /// Opens it; one in a bucket is a file here that goes when it is closed.
    ///
    /// # Errors
    /// In words, when it cannot be had, or is another than the manifest names.
    fn open(&self, reading: &Reading) -> Result<File, String> {
        let mut file = match &self.place {
            Place::Here(path) => File::open(path).map_err(|error| error.to_string()),
            Place::There(objects, path) => {
                let file = Handle::current().block_on(set_aside(objects, path, reading));
                file.map_err(|error| spelled_out(&error))
            }
        }?;
        match self.differs(&mut file) {
            Ok(None) => Ok(file),
            Ok(Some(how)) => Err(format!("it is not the file that the manifest names: {how}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Returns how it differs from what the manifest says of it, where that says anything.
    fn differs(&self, file: &mut File) -> io::Result<Option<String>> {
        if let Some(expected) = self.size {
            let size = file.metadata()?.len();
            if size != expected {
                return Ok(Some(format!("it has {size} bytes, not {expected}")));
            }
        }
        let Some(expected) = &self.md5 else { return Ok(None) };
        let mut hasher = Md5::new();
        io::copy(file, &mut hasher)?;
        file.rewind()?;
        let md5 = format!("{:x}", hasher.finalize());
        let differs = !md5.eq_ignore_ascii_case(expected);
        Ok(differs.then(|| format!("its MD5 is `{md5}`, not `{expected}`")))
    }
}

/// Sets an object aside, again when its body breaks off.
async fn set_aside(
    objects: &Arc<dyn ObjectStore>,
    path: &Path,
    reading: &Reading,
) -> object_store::Result<File> {
    let (mut attempt, mut pause) = (1, PAUSE);
    loop {
        match set_aside_once(objects, path, reading).await {
            Err(error) if attempt < ATTEMPTS_MAX && refusal::is_passing(&error) => {
                tracing::debug!(%path, %error, attempt, "read again");
                tokio::time::sleep(pause).await;
                (attempt, pause) = (attempt + 1, 2 * pause);
            }
            done => return done,
        }
    }
}

async fn set_aside_once(
    objects: &Arc<dyn ObjectStore>,
    path: &Path,
    reading: &Reading,
) -> object_store::Result<File> {
    let result = patiently(reading.patience, objects.get(path)).await?;
    let size = result.meta.size;
    let mut body = result.into_stream();
    let mut file = tempfile::tempfile_in(&reading.temp_dir).map_err(broken)?;
    while let Some(piece) = patiently(reading.patience, body.try_next()).await? {
        file.write_all(&piece).map_err(broken)?;
    }
    let bytes = file.stream_position().map_err(broken)?;
    if bytes != size {
        return Err(broken(io::Error::other(format!("{bytes} of {size} bytes came"))));
    }
    file.rewind().map_err(broken)?;
    Ok(file)
}
