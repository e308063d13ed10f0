//! The lines of a commit file: the part of the Delta protocol that we write, and read back.
//!
//! One JSON object a line (Delta protocol, "Actions"). Written here and not by a library, so that
//! what stands in a lake for ever is exactly what this file says.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// Reader and writer version of every table; no table features.
pub(super) const PROTOCOL: (i64, i64) = (1, 2);

/// The key of the round's UUID in `commitInfo`.
const ROUND: &str = "traillake.round";

/// The key, in a ledger commit's `commitInfo`, of the last round of every table.
const TABLES: &str = "traillake.tables";

/// The key of a file's checksum in the tags of its `add` action.
pub(super) const CHECKSUM: &str = "traillake.xxh3";

/// A data file to be added, as a manifest keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Addition {
    /// Path from the table's folder.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Value of the partition column.
    pub(crate) partition: Option<String>,
    /// Statistics as Delta spells them, row count included.
    pub(crate) stats: String,
    /// What its bytes hash to, where its writer said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<String>,
}

/// A commit to be made.
#[derive(Debug, Clone)]
pub(crate) struct Commit<'a> {
    /// What made it, for `DESCRIBE HISTORY` and people.
    pub(crate) operation: &'static str,
    /// Its UUID: found in the log means committed.
    pub(crate) round: Uuid,
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// Application transactions: id and version.
    pub(crate) tokens: &'a [(String, i64)],
    /// The last round of every table once this commit stands; told by the ledger's, which is last.
    pub(crate) tables: Option<&'a BTreeMap<String, i64>>,
    /// Files to add.
    pub(crate) adds: &'a [Addition],
    /// Paths to remove, from the table's folder, with size and partition.
    pub(crate) removes: &'a [Addition],
    /// Whether rows come or go; false when they are only moved between files.
    pub(crate) data_change: bool,
}

impl Commit<'_> {
    /// The commit file's bytes.
    pub(super) fn lines(&self, partition_column: Option<&str>) -> String {
        let at = self.at.timestamp_millis();
        let partition = |file: &Addition| -> HashMap<String, Option<String>> {
            partition_column
                .map(|column| (column.to_string(), file.partition.clone()))
                .into_iter()
                .collect()
        };
        let mut info = json!({
            "timestamp": at,
            "operation": self.operation,
            "operationParameters": {},
            "operationMetrics": {
                "numAddedFiles": self.adds.len().to_string(),
                "numRemovedFiles": self.removes.len().to_string(),
            },
            "isBlindAppend": false,
            "engineInfo": concat!("traillake/", env!("CARGO_PKG_VERSION")),
            ROUND: self.round,
        });
        if let Some(tables) = self.tables {
            info[TABLES] = json!(tables);
        }
        let mut lines = vec![json!({ "commitInfo": info })];
        lines.extend(self.tokens.iter().map(|(application, version)| {
            json!({ "txn": { "appId": application, "version": version, "lastUpdated": at } })
        }));
        lines.extend(self.removes.iter().map(|file| {
            json!({ "remove": {
                "path": file.path,
                "deletionTimestamp": at,
                "dataChange": self.data_change,
                "extendedFileMetadata": true,
                "partitionValues": partition(file),
                "size": file.size,
            }})
        }));
        lines.extend(self.adds.iter().map(|file| {
            let mut add = json!({
                "path": file.path,
                "partitionValues": partition(file),
                "size": file.size,
                "modificationTime": at,
                "dataChange": self.data_change,
                "stats": file.stats,
            });
            if let Some(checksum) = &file.checksum {
                add["tags"] = json!({ CHECKSUM: checksum });
            }
            json!({ "add": add })
        }));
        join(&lines)
    }
}

/// The first commit of a table.
pub(super) fn first_commit(
    schema: &str,
    partition_column: Option<&str>,
    stats_columns: &[&str],
    at: DateTime<Utc>,
) -> String {
    let at = at.timestamp_millis();
    let mut configuration = HashMap::new();
    if !stats_columns.is_empty() {
        configuration.insert("delta.dataSkippingStatsColumns", stats_columns.join(","));
    }
    join(&[
        json!({ "commitInfo": {
            "timestamp": at,
            "operation": "CREATE TABLE",
            "operationParameters": {},
            "engineInfo": concat!("traillake/", env!("CARGO_PKG_VERSION")),
        }}),
        json!({ "protocol": {
            "minReaderVersion": PROTOCOL.0,
            "minWriterVersion": PROTOCOL.1,
        }}),
        json!({ "metaData": {
            "id": Uuid::new_v4(),
            "format": { "provider": "parquet", "options": {} },
            "schemaString": schema,
            "partitionColumns": partition_column.into_iter().collect::<Vec<_>>(),
            "configuration": configuration,
            "createdTime": at,
        }}),
    ])
}

fn join(lines: &[Value]) -> String {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

/// What we need of a commit that stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// Its UUID, where it is one of ours.
    pub(crate) round: Option<Uuid>,
    /// The last round of every table, in a commit of the ledger.
    pub(crate) tables: Option<BTreeMap<String, i64>>,
    /// How many files it says it adds and removes.
    announced: Option<(usize, usize)>,
    /// When, as its writer said.
    pub(crate) at: Option<DateTime<Utc>>,
    /// Application transactions.
    pub(crate) tokens: HashMap<String, i64>,
    /// Files it added.
    pub(crate) adds: Vec<Addition>,
    /// Paths of the files it removed.
    pub(crate) removed: Vec<String>,
    /// Protocol it asks for, and features.
    pub(crate) protocol: Option<Value>,
    /// Whether it changes the table's schema or properties.
    pub(crate) has_metadata: bool,
}

impl Entry {
    /// Reads a commit file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Entry, serde_json::Error> {
        let mut entry = Entry::default();
        for line in serde_json::Deserializer::from_slice(bytes).into_iter::<Line>() {
            let line = line?;
            if let Some(info) = line.commit_info {
                entry.at = info.timestamp.and_then(DateTime::from_timestamp_millis);
                entry.round = info.round.and_then(|text| text.parse().ok());
                entry.announced = info.metrics.as_ref().and_then(announced);
                entry.tables = info.tables;
            }
            if let Some(txn) = line.txn {
                entry.tokens.insert(txn.app_id, txn.version);
            }
            if let Some(add) = line.add {
                entry.adds.push(Addition {
                    path: add.path,
                    size: add.size,
                    partition: add.partition_values.into_values().next().flatten(),
                    stats: add.stats.unwrap_or_default(),
                    checksum: add.tags.and_then(|mut tags| tags.remove(CHECKSUM)).flatten(),
                });
            }
            entry.removed.extend(line.remove.map(|remove| remove.path));
            entry.protocol = line.protocol.or(entry.protocol);
            entry.has_metadata |= line.meta_data.is_some();
        }
        Ok(entry)
    }

    /// Whether it is whole: a file that was cut short between two lines is well-formed, and nobody
    /// else would miss what is gone.
    pub(super) fn is_whole(&self) -> bool {
        self.announced.is_none_or(|counts| counts == (self.adds.len(), self.removed.len()))
    }
}

fn announced(metrics: &Value) -> Option<(usize, usize)> {
    let count = |key: &str| metrics[key].as_str()?.parse().ok();
    Some((count("numAddedFiles")?, count("numRemovedFiles")?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    commit_info: Option<InfoLine>,
    txn: Option<TxnLine>,
    add: Option<AddLine>,
    remove: Option<RemoveLine>,
    protocol: Option<Value>,
    meta_data: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct InfoLine {
    timestamp: Option<i64>,
    #[serde(rename = "traillake.round")]
    round: Option<String>,
    #[serde(rename = "traillake.tables")]
    tables: Option<BTreeMap<String, i64>>,
    #[serde(rename = "operationMetrics")]
    metrics: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TxnLine {
    app_id: String,
    version: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddLine {
    path: String,
    #[serde(default)]
    partition_values: HashMap<String, Option<String>>,
    size: u64,
    stats: Option<String>,
    tags: Option<HashMap<String, Option<String>>>,
}

#[derive(Deserialize)]
struct RemoveLine {
    path: String,
}
