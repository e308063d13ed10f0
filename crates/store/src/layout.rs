//! The only file that spells paths.
//!
//! ```text
//! <lake>/traillake.json                    format version
//! <lake>/stores/<name>/store.json          who the store is; written when all its tables exist
//! <lake>/stores/<name>/<table>/_delta_log/ the table's log
//! <lake>/stores/<name>/<table>/<column>=<YYYY-MM>/part-<uuid>.parquet
//! <lake>/stores/<name>/rounds/<number>-<uuid>.json
//! ```

use object_store::path::Path;
use uuid::Uuid;

/// The newest format of a lake that this version reads and writes.
pub const FORMAT: u64 = 1;

/// Name of the file that makes a folder a lake.
pub(crate) const LAKE_FILE: &str = "traillake.json";

/// The folder of a store that is no table.
pub(crate) const ROUNDS: &str = "rounds";

/// Folder of a table's log, under the table's own.
pub(crate) const LOG: &str = "_delta_log";

/// How Delta and Hive spell a partition without value in a path.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// Paths of one lake in its object store.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: Path,
}

impl Layout {
    /// The lake under `root`.
    pub(crate) fn new(root: Path) -> Layout {
        Layout { root }
    }

    /// The lake's own folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The file that makes it a lake.
    pub(crate) fn lake_file(&self) -> Path {
        self.root.clone().join(LAKE_FILE)
    }

    /// The folder of all stores.
    pub(crate) fn stores(&self) -> Path {
        self.root.clone().join("stores")
    }

    /// The folder of a store.
    pub(crate) fn store(&self, store: &str) -> Path {
        self.stores().join(store)
    }

    /// The file that makes it a store.
    pub(crate) fn store_file(&self, store: &str) -> Path {
        self.store(store).join("store.json")
    }

    /// The folder of a table.
    pub(crate) fn table(&self, store: &str, table: &str) -> Path {
        self.store(store).join(table)
    }

    /// The folder of manifests.
    pub(crate) fn rounds(&self, store: &str) -> Path {
        self.store(store).join(ROUNDS)
    }

    /// The manifest of a round. Twenty digits, so that names sort by number.
    pub(crate) fn manifest(&self, store: &str, number: i64, round: Uuid) -> Path {
        self.rounds(store).join(format!("{number:020}-{round}.json"))
    }
}

/// The round number in a manifest's name.
pub(crate) fn manifest_number(path: &Path) -> Option<i64> {
    path.filename()?.split_once('-')?.0.parse().ok()
}

/// A new data file in a table's folder; `partition` is column and value.
pub(crate) fn data_file(folder: &Path, partition: Option<(&str, Option<&str>)>) -> Path {
    let name = format!("part-{}.parquet", Uuid::new_v4());
    match partition {
        Some((column, value)) => {
            let part = format!("{column}={}", value.unwrap_or(NO_VALUE));
            folder.clone().join(part).join(name)
        }
        None => folder.clone().join(name),
    }
}

/// A path under a table's folder, as the log spells it; none outside of it.
pub(crate) fn relative(folder: &Path, path: &Path) -> Option<String> {
    let parts: Vec<String> =
        path.prefix_match(folder)?.map(|part| part.as_ref().to_string()).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// A path as the log spells it, from the root of the lake's object store.
pub(crate) fn absolute(folder: &Path, relative: &str) -> Path {
    relative.split('/').fold(folder.clone(), |path, part| path.join(part))
}

/// The commit file of a version, under a table's folder.
pub(crate) fn commit_file(folder: &Path, version: u64) -> Path {
    folder.clone().join(LOG).join(format!("{version:020}.json"))
}

/// The file that names a table's newest checkpoint, under the table's folder.
pub(crate) fn last_checkpoint_file(folder: &Path) -> Path {
    folder.clone().join(LOG).join("_last_checkpoint")
}

/// The version in a checkpoint's name.
pub(crate) fn checkpoint_version(path: &Path) -> Option<u64> {
    let (version, rest) = path.filename()?.split_once('.')?;
    (version.len() == 20 && rest.starts_with("checkpoint.")).then(|| version.parse().ok()).flatten()
}

/// The version in a commit file's name.
pub(crate) fn commit_version(path: &Path) -> Option<u64> {
    let name = path.filename()?.strip_suffix(".json")?;
    (name.len() == 20).then(|| name.parse().ok()).flatten()
}

/// Whether `name` can be the name of a store: it is a folder, a word in SQL, and part of an ARN.
pub(crate) fn is_store_name(name: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    let bytes = name.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes.iter().all(|c| allowed(*c))
        && (bytes[0].is_ascii_lowercase() || bytes[0].is_ascii_digit())
        && name != "system"
}
