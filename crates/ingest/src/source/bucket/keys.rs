//! Objects of a bucket that somebody names: a list of keys, notices, or an S3 Inventory.
//!
//! An inventory (Amazon S3 User Guide, "Amazon S3 Inventory") lists a bucket of half a billion
//! objects without half a million requests. Its manifest names its files, which are read one after
//! the other: CSV, with keys URL-encoded and columns as `fileSchema` says, or Parquet.

mod rows;

use std::io::{BufRead, BufReader};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Deserialize;

use super::Bucket;
use super::lister::Stored;
use super::walk::Met;
use crate::notice::url_decoded;
use crate::report::FaultKind;
use crate::source::Found;

/// Which objects of a bucket.
#[derive(Debug, Clone)]
pub enum Keys {
    /// Those with these keys.
    Named(Vec<String>),
    /// Those in an inventory.
    Inventory(Inventory),
}

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

/// An object as an inventory tells of it.
#[derive(Debug, Default)]
struct Entry<'a> {
    bucket: Option<&'a str>,
    key: String,
    size: Option<u64>,
    modified_at: Option<DateTime<Utc>>,
    etag: Option<&'a str>,
    /// Another version of it is the latest, or it was deleted.
    is_gone: bool,
}

#[derive(Debug, Clone)]
enum InventoryFile {
    Here(PathBuf),
    There(Arc<dyn ObjectStore>, Path),
}

/// Where columns stand in a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Columns {
    bucket: Option<usize>,
    key: usize,
    size: Option<usize>,
    modified_at: Option<usize>,
    etag: Option<usize>,
    is_latest: Option<usize>,
    is_delete_marker: Option<usize>,
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
}

impl Inventory {
    /// Reads a `manifest.json` on this machine; its files lie in `data/` beside its folder, as in S3.
    /// Returns the bucket it is of, too.
    ///
    /// # Errors
    /// In words, when it is no manifest of an inventory in CSV or Parquet.
    pub fn open(manifest: &FilePath) -> Result<(String, Inventory), String> {
        let bytes = std::fs::read(manifest).map_err(|error| error.to_string())?;
        let folder = manifest.parent().unwrap_or_else(|| FilePath::new("."));
        Inventory::parse(&bytes, |key| {
            let name = key.rsplit('/').next().unwrap_or(key);
            let places = [folder.join("../data").join(name), folder.join("data").join(name)];
            let found = places.into_iter().find(|place| place.exists());
            InventoryFile::Here(found.unwrap_or_else(|| folder.join(name)))
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
        Inventory::parse(&bytes, |key| InventoryFile::There(objects.clone(), Path::from(key)))
    }

    fn parse(
        bytes: &[u8],
        file: impl Fn(&str) -> InventoryFile,
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
        let files = manifest.files.iter().map(|named| file(&named.key)).collect();
        Ok((manifest.source_bucket, Inventory { format, files }))
    }

    /// Calls `met` with every object under the bucket's prefix. Blocks.
    fn list(&self, bucket: &Bucket, met: &mut dyn FnMut(Met) -> bool) {
        for file in &self.files {
            let name = file.name();
            let wrong = |reason: String| {
                let (object, kind) = (name.clone(), FaultKind::Unreadable);
                Met::Found(Found::Fault { object, kind, reason })
            };
            let bytes = match file.open() {
                Ok(bytes) => bytes,
                Err(error) => {
                    met(wrong(error.to_string()));
                    continue;
                }
            };
            let goes_on = match &self.format {
                Format::Csv(columns) => columns.list(bytes, bucket, &wrong, met),
                Format::Parquet => rows::list(bytes, bucket, &wrong, met),
            };
            if !goes_on {
                return;
            }
        }
    }
}

impl InventoryFile {
    fn name(&self) -> String {
        match self {
            InventoryFile::Here(path) => path.display().to_string(),
            InventoryFile::There(_, path) => path.to_string(),
        }
    }

    fn open(&self) -> std::io::Result<Bytes> {
        match self {
            InventoryFile::Here(path) => std::fs::read(path).map(Bytes::from),
            InventoryFile::There(objects, path) => {
                let runtime = tokio::runtime::Handle::current();
                let bytes = runtime.block_on(async { objects.get(path).await?.bytes().await });
                bytes.map_err(std::io::Error::other)
            }
        }
    }
}

impl Entry<'_> {
    /// What it tells of; none when that is no object under the bucket's prefix today.
    fn met(self, bucket: &Bucket) -> Result<Option<Met>, String> {
        let Entry { bucket: name, key, size, modified_at, etag, is_gone } = self;
        if is_gone || name.is_some_and(|name| name != bucket.name) || !bucket.holds(&key) {
            return Ok(None);
        }
        let (Some(size), Some(modified_at), Some(etag)) = (size, modified_at, etag) else {
            return Ok(Some(Met::Key(key)));
        };
        // S3 spells the tag with its quotes everywhere else.
        let etag = Some(format!("\"{etag}\"")).filter(|_| !etag.is_empty());
        // An inventory is of yesterday: whether an archived object was restored S3 knows.
        Ok(Some(Met::Object(Stored { key, size, modified_at, etag, is_archived: false })))
    }
}

impl Columns {
    fn of(schema: &str) -> Result<Columns, String> {
        let names: Vec<&str> = schema.split(',').map(str::trim).collect();
        let place = |name: &str| names.iter().position(|found| *found == name);
        Ok(Columns {
            bucket: place("Bucket"),
            key: place("Key").ok_or("the inventory has no column `Key`")?,
            size: place("Size"),
            modified_at: place("LastModifiedDate"),
            etag: place("ETag"),
            is_latest: place("IsLatest"),
            is_delete_marker: place("IsDeleteMarker"),
        })
    }

    /// Calls `met` with what each line tells of, until it returns false; whether it never did.
    fn list(
        &self,
        bytes: Bytes,
        bucket: &Bucket,
        wrong: &dyn Fn(String) -> Met,
        met: &mut dyn FnMut(Met) -> bool,
    ) -> bool {
        for line in BufReader::new(MultiGzDecoder::new(bytes.reader())).lines() {
            let line = match line {
                Ok(line) => line,
                Err(error) => return met(wrong(error.to_string())),
            };
            let found = match self.object(&line, bucket) {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(reason) => wrong(format!("{reason}: `{line}`")),
            };
            if !met(found) {
                return false;
            }
        }
        true
    }

    fn object(&self, line: &str, bucket: &Bucket) -> Result<Option<Met>, String> {
        let fields = fields(line);
        let field =
            |place: Option<usize>| place.and_then(|place| fields.get(place)).map(String::as_str);
        let entry = Entry {
            bucket: field(self.bucket),
            key: url_decoded(field(Some(self.key)).ok_or("it has too few columns")?)?,
            size: field(self.size).and_then(|size| size.parse().ok()),
            modified_at: field(self.modified_at).and_then(|at| at.parse().ok()),
            etag: field(self.etag),
            is_gone: field(self.is_latest) == Some("false")
                || field(self.is_delete_marker) == Some("true"),
        };
        entry.met(bucket)
    }
}

/// The fields of a line of CSV; a quote within quotes is doubled.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

impl Keys {
    /// Calls `met` with each object until it returns false. Blocks.
    pub(super) fn list(&self, bucket: &Bucket, met: &mut dyn FnMut(Met) -> bool) {
        match self {
            Keys::Named(keys) => {
                let _ = keys.iter().all(|key| met(Met::Key(key.clone())));
            }
            Keys::Inventory(inventory) => inventory.list(bucket, met),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_an_inventory_names_an_object() {
        let schema =
            "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag";
        let columns = Columns::of(schema).unwrap();
        let bucket = Bucket::nowhere("trail", "logs");
        let check = |line: &str, expected: Option<(&str, u64)>| {
            let found = match columns.object(line, &bucket) {
                Ok(Some(Met::Object(object))) => Some((object.key, object.size)),
                Ok(None) => None,
                _ => panic!("{line}"),
            };
            let expected = expected.map(|(key, size)| (key.to_owned(), size));
            assert_eq!(found, expected, "{line}");
        };
        let rest = r#""","true","false","12","2024-05-06T07:08:09.000Z","abc""#;
        check(&format!(r#""trail","logs/a+b%2Bc.gz",{rest}"#), Some(("logs/a b+c.gz", 12)));
        check(&format!(r#""trail","logsx/a.gz",{rest}"#), None);
        check(&format!(r#""other","logs/a.gz",{rest}"#), None);
        check(r#""trail","logs/a.gz","","false","false","1","2024-05-06T07:08:09Z","x""#, None);
        check(r#""trail","logs/a.gz","","true","true","","2024-05-06T07:08:09Z","""#, None);
        assert!(columns.object(r#""trail""#, &bucket).is_err());
        assert!(Columns::of("Bucket, Size").is_err());
        assert_eq!(fields(r#""a""b,c",d,"#), ["a\"b,c", "d", ""]);
    }
}
