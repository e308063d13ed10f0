//! The names in a store's folder, and which there can be.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::layout;

/// What a store's folder holds.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// By table.
    pub tables: BTreeMap<String, Names>,
    /// Manifests of rounds.
    pub manifests: Vec<Path>,
    /// What no store has.
    pub strangers: Vec<Path>,
    /// What file managers leave behind.
    pub leftovers: Vec<Path>,
}

/// What a table's folder holds.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Data files with their sizes.
    pub data: HashMap<Path, u64>,
}

/// What a name in a store's folder can be of.
enum Name<'a> {
    StoreFile,
    Data(&'a str),
    Log(&'a str),
    Manifest,
    Tombstone,
    Stranger,
}

/// Lists the folder of a store.
pub(super) async fn list(objects: &Arc<dyn ObjectStore>, folder: &Path) -> Result<Listed> {
    let failed = |error| Error::storage(format!("list `{folder}`"), error);
    let mut found = objects.list(Some(folder));
    let mut listed = Listed::default();
    while let Some(meta) = found.try_next().await.map_err(failed)? {
        let path = meta.location;
        let parts: Vec<String> = path
            .prefix_match(folder)
            .map(|parts| parts.map(|part| part.as_ref().to_string()).collect())
            .unwrap_or_default();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match of(&parts) {
            Name::StoreFile | Name::Tombstone => {}
            Name::Manifest => listed.manifests.push(path),
            Name::Stranger if is_leftover(&parts) => listed.leftovers.push(path),
            Name::Stranger => listed.strangers.push(path),
            Name::Log(table) => {
                listed.tables.entry(table.to_string()).or_default();
            }
            Name::Data(table) => {
                let table = listed.tables.entry(table.to_string()).or_default();
                table.data.insert(path, meta.size);
            }
        }
    }
    listed.manifests.sort();
    listed.strangers.sort();
    Ok(listed)
}

fn of<'a>(parts: &[&'a str]) -> Name<'a> {
    match parts {
        ["store.json"] => Name::StoreFile,
        [layout::ROUNDS, name] if is_manifest(name) => Name::Manifest,
        [layout::EXPIRED, name] if is_tombstone(name) => Name::Tombstone,
        [layout::ROUNDS | layout::EXPIRED, ..] => Name::Stranger,
        [table, layout::LOG, name] if is_of_log(name) => Name::Log(table),
        [table, name] if is_data(name) => Name::Data(table),
        [table, partition, name] if is_data(name) && partition.contains('=') => Name::Data(table),
        _ => Name::Stranger,
    }
}

fn is_leftover(parts: &[&str]) -> bool {
    let name = parts.last().copied().unwrap_or_default();
    name.starts_with("._") || [".DS_Store", "Thumbs.db", "desktop.ini"].contains(&name)
}

/// `part-<uuid>.parquet`, or `part-<uuid>.r<n>.parquet` of rows that were rewritten.
fn is_data(name: &str) -> bool {
    let rest = name.strip_prefix("part-").and_then(|rest| rest.strip_suffix(".parquet"));
    let (id, rewrites) = match rest.and_then(|rest| rest.split_once(".r")) {
        Some((id, rewrites)) => (Some(id), rewrites.parse::<u32>().is_ok()),
        None => (rest, true),
    };
    rewrites && id.is_some_and(|id| id.len() == 36 && Uuid::try_parse(id).is_ok())
}

/// `<number>-<uuid>.json`
fn is_manifest(name: &str) -> bool {
    let id = name.strip_suffix(".json").and_then(|rest| rest.split_once('-'));
    id.is_some_and(|(number, id)| number.len() == 20 && Uuid::try_parse(id).is_ok())
}

/// `<table>-<version>-<uuid>.json`
fn is_tombstone(name: &str) -> bool {
    let table = name.split_once('-').map(|(table, _)| table).unwrap_or_default();
    layout::tombstone_of(&Path::from(name), table).is_some()
}

fn is_of_log(name: &str) -> bool {
    let path = Path::from(name);
    name == "_last_checkpoint"
        || layout::commit_version(&path).is_some()
        || (layout::checkpoint_version(&path).is_some() && name.ends_with(".parquet"))
}
