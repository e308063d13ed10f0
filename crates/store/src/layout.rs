//! The only file that spells paths.
//!
//! ```text
//! <lake>/traillake.json                    format version
//! <lake>/sources/<name>.json               where rows come from; <name>.note.json: the last look
//! <lake>/looks/<id of a store>/<uuid>.json  what was looked at for it
//! <lake>/stores/<name>/store.json          who the store is; written when all its tables exist
//! <lake>/stores/<name>.<number>.json       what it is set to; the highest number counts
//! <lake>/stores/<name>/<table>/_delta_log/ the table's log
//! <lake>/stores/<name>/<table>/<column>=<YYYY-MM>/part-<uuid>.parquet      as ingested
//! <lake>/stores/<name>/<table>/<column>=<YYYY-MM>/part-<uuid>.r<n>.parquet  rewritten n times
//! <lake>/stores/<name>/rounds/<number>-<uuid>.json
//! <lake>/stores/<name>/expired/<table>-<version>-<uuid>.json       what has left a table
//! ```

use object_store::path::Path;
use uuid::Uuid;

/// The newest format of a lake that this version reads and writes.
pub const FORMAT: u64 = 1;

/// Name of the file that makes a folder a lake.
pub(crate) const LAKE_FILE: &str = "traillake.json";

/// Folders of a store that are no tables.
pub(crate) const ROUNDS: &str = "rounds";
pub(crate) const EXPIRED: &str = "expired";

/// Folder of a table's log, under the table's own.
pub(crate) const LOG: &str = "_delta_log";
const LAST_CHECKPOINT: &str = "_last_checkpoint";

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

    /// The folder of sources.
    pub(crate) fn sources(&self) -> Path {
        self.root.clone().join("sources")
    }

    /// The file of a source.
    pub(crate) fn source(&self, name: &str) -> Path {
        self.sources().join(format!("{name}.json"))
    }

    /// The note of how the last look at a source went.
    pub(crate) fn source_note(&self, name: &str) -> Path {
        self.sources().join(format!("{name}.note.json"))
    }

    /// The folder of what was looked at for a store. A store that comes after another of its name
    /// has another id.
    pub(crate) fn looks(&self, id: Uuid) -> Path {
        self.root.clone().join("looks").join(id.to_string())
    }

    /// The folder of a store.
    pub(crate) fn store(&self, store: &str) -> Path {
        self.stores().join(store)
    }

    /// The file that makes it a store.
    pub(crate) fn store_file(&self, store: &str) -> Path {
        self.store(store).join("store.json")
    }

    /// The file of the change of that number to what a store is set to.
    pub(crate) fn settings(&self, store: &str, number: u64) -> Path {
        self.stores().join(format!("{store}.{number:08}.json"))
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

/// The number of a change to what the store of that name is set to; none for other files.
pub(crate) fn settings_number(path: &Path, store: &str) -> Option<u64> {
    let number = path.filename()?.strip_prefix(store)?.strip_prefix('.')?.strip_suffix(".json")?;
    (number.len() >= 8).then(|| number.parse().ok()).flatten()
}

/// Whether a file beside the folders of stores is of the settings of one.
pub(crate) fn is_settings(path: &Path) -> bool {
    let store = path.filename().and_then(|name| name.split_once('.')).map(|(store, _)| store);
    store.is_some_and(|store| is_store_name(store) && settings_number(path, store).is_some())
}

/// The folder of what has left the tables of a store; `table` is the folder of one.
pub(crate) fn tombstones(table: &Path) -> Path {
    let mut parts: Vec<_> = table.parts().collect();
    parts.pop();
    Path::from_iter(parts).join(EXPIRED)
}

/// What the commit `commit` took out of a table, as of `version`. Twenty digits, as in logs.
pub(crate) fn tombstone(folder: &Path, table: &str, version: u64, commit: Uuid) -> Path {
    tombstones(folder).join(format!("{table}-{version:020}-{commit}.json"))
}

/// The version and the commit in a tombstone's name; none when it is not of that table.
pub(crate) fn tombstone_of(path: &Path, table: &str) -> Option<(u64, Uuid)> {
    let name = path.filename()?.strip_prefix(table)?.strip_prefix('-')?.strip_suffix(".json")?;
    let (version, commit) = name.split_once('-')?;
    Some((version.parse().ok().filter(|_| version.len() == 20)?, commit.parse().ok()?))
}

/// The round number in a manifest's name.
pub(crate) fn manifest_number(path: &Path) -> Option<i64> {
    path.filename()?.split_once('-')?.0.parse().ok()
}

/// A new data file in a table's folder; `partition` is column and value, `rewrites` how often the
/// rows in it have been rewritten.
pub(crate) fn data_file(
    folder: &Path,
    partition: Option<(&str, Option<&str>)>,
    rewrites: u32,
) -> Path {
    let name = match rewrites {
        0 => format!("part-{}.parquet", Uuid::new_v4()),
        _ => format!("part-{}.r{rewrites}.parquet", Uuid::new_v4()),
    };
    partition_folder(folder, partition).join(name)
}

/// The folder of a partition's data files.
pub(crate) fn partition_folder(folder: &Path, partition: Option<(&str, Option<&str>)>) -> Path {
    match partition {
        Some((column, value)) => {
            folder.clone().join(format!("{column}={}", value.unwrap_or(NO_VALUE)))
        }
        None => folder.clone(),
    }
}

/// How often rows of a data file have been rewritten, at most: its name tells.
pub(crate) fn rewrites(path: &Path) -> u32 {
    let name = path.filename().and_then(|name| name.strip_suffix(".parquet"));
    let number = name.and_then(|name| name.rsplit_once(".r")?.1.parse().ok());
    number.unwrap_or(0)
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
    log(folder).join(commit_name(version))
}

/// The log under a table's folder.
pub(crate) fn log(folder: &Path) -> Path {
    folder.clone().join(LOG)
}

/// The name of the commit file of a version.
pub(crate) fn commit_name(version: u64) -> String {
    format!("{version:020}.json")
}

/// A name in a log after which the files of `version` and later ones follow.
pub(crate) fn before_version(folder: &Path, version: u64) -> Path {
    log(folder).join(format!("{version:020}"))
}

/// How long a file stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// A data file: no other ever has its name.
    Always,
    /// A commit or a checkpoint: while it is listed with the same tag. Another lake in the same
    /// place has files of the same names.
    Listed,
    /// Anything else.
    Never,
}

/// How long the file of that name stays as it is.
pub(crate) fn kept(path: &Path) -> Kept {
    let name = path.filename().unwrap_or_default();
    if commit_version(path).is_some() || checkpoint_version(path).is_some() {
        Kept::Listed
    } else if name.starts_with("part-") && name.ends_with(".parquet") {
        Kept::Always
    } else {
        Kept::Never
    }
}

/// The file that names a table's newest checkpoint, under the table's folder.
pub(crate) fn last_checkpoint_file(folder: &Path) -> Path {
    log(folder).join(LAST_CHECKPOINT)
}

/// Whether a path names a log's newest checkpoint.
pub(crate) fn is_last_checkpoint(path: &Path) -> bool {
    path.filename() == Some(LAST_CHECKPOINT)
}

/// The checkpoint of a version, under the table's folder.
pub(crate) fn checkpoint_file(folder: &Path, version: u64) -> Path {
    folder.clone().join(LOG).join(format!("{version:020}.checkpoint.parquet"))
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

/// Schemas that every lake has in SQL: a store of that name could never be asked.
const SCHEMAS: [&str; 2] = ["system", "information_schema"];

/// Whether `name` can be the name of a store: it is a folder, a word in SQL, and part of an ARN.
pub(crate) fn is_store_name(name: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    let bytes = name.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes.iter().all(|c| allowed(*c))
        && (bytes[0].is_ascii_lowercase() || bytes[0].is_ascii_digit())
        && !SCHEMAS.contains(&name)
}
