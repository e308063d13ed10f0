//! The engine that answers, set up as flags and settings ask.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use chrono::{DateTime, Utc};
use traillake_cloudtrail::schema::FINGERPRINT;
use traillake_query::{Engine, EngineOptions, ListedDays, Looks, Lookup, Rebuild};
use traillake_store::{At, Lake, Look};

use crate::failure::Problem;
use crate::machine;
use crate::session::Session;
use crate::spills;
use crate::times::parse_time;

/// What a command asks of its engine; what it leaves open, the settings say.
#[derive(Clone, Default)]
pub struct Limits {
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The longest a query may take.
    pub timeout: Option<Duration>,
    /// The most rows an answer may have.
    pub rows_max: Option<u64>,
    /// Only events at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Only events before this time.
    pub until: Option<DateTime<Utc>>,
    /// An older state of the lake.
    pub at: Option<At>,
    /// Tables beside the lake.
    pub lookups: Vec<Lookup>,
}

/// Returns an engine on `store` of `lake`.
pub async fn engine(
    session: &Session,
    lake: &Lake,
    store: &str,
    limits: Limits,
) -> anyhow::Result<Engine> {
    let settings = &session.settings;
    let memory = limits.memory_bytes.or_else(|| settings.size("query.memory"));
    let options = EngineOptions {
        store: store.to_owned(),
        memory_bytes: memory.unwrap_or_else(|| machine::memory_bytes() / 2),
        temp_dir: spills::folder(),
        timeout: limits.timeout.or_else(|| settings.duration("query.timeout")),
        rows_max: limits.rows_max.or_else(|| settings.count("query.rows-max")),
        at: limits.at,
        now: session.now,
        since: limits.since,
        until: limits.until,
        rebuild: Arc::new(OriginalBytes),
        looks: Some(Arc::new(Collected)),
        lookups: limits.lookups,
        system_tables: Vec::new(),
        aliases: settings.aliases(),
        partitions: machine::cores(),
        outline: Some(traillake_ingest::store_spec()),
    };
    Ok(Engine::new(lake.clone(), options).await?)
}

/// Returns the state of a lake that `--at` names: the number of a round, or a time.
pub fn parse_at(text: &str, now: DateTime<Utc>) -> anyhow::Result<At> {
    match text.parse() {
        Ok(token) => Ok(At::Token(token)),
        Err(_) => Ok(At::Time(parse_time(text, now).map_err(Problem::new)?)),
    }
}

/// Says which days the looks that the lake keeps have covered.
#[derive(Debug)]
struct Collected;

impl Looks for Collected {
    fn days(&self, files: &[Look]) -> Result<Vec<ListedDays>, String> {
        let looks = traillake_ingest::Looks::of_files(files.iter().map(|look| &*look.text))?;
        let days = looks.days().into_iter().map(|run| ListedDays {
            account: run.account,
            region: run.region,
            first_day: run.first_day,
            last_day: run.last_day,
            listed: run.listed,
        });
        Ok(days.collect())
    }
}

/// Makes the original bytes of records for the engine, which knows nothing of their shape. What is not
/// what was ingested is an error: nothing else may pass for evidence.
#[derive(Debug)]
pub struct OriginalBytes;

impl Rebuild for OriginalBytes {
    fn columns(&self) -> &[&str] {
        static COLUMNS: LazyLock<Vec<&str>> = LazyLock::new(|| {
            let columns = traillake_cloudtrail::rebuild_columns().iter().copied();
            columns.chain([FINGERPRINT]).collect()
        });
        &COLUMNS
    }

    fn rebuild(&self, rows: &RecordBatch) -> Result<ArrayRef, String> {
        let records = traillake_cloudtrail::rebuild_all(rows).map_err(|error| error.to_string())?;
        let fingerprints = rows.column_by_name(FINGERPRINT);
        let fingerprints = fingerprints.and_then(|column| column.as_primitive_opt::<Int64Type>());
        for (row, fingerprint) in fingerprints.into_iter().flatten().enumerate() {
            if fingerprint.is_some_and(|of| of != traillake_ingest::fingerprint(records.value(row)))
            {
                let ids = rows.column_by_name("eventID").and_then(|ids| ids.as_string_opt::<i32>());
                let id = ids.filter(|ids| ids.is_valid(row)).map_or("", |ids| ids.value(row));
                return Err(format!(
                    "the record of event `{id}` is not what was ingested: its file is damaged; \
                     `traillake check --read-data` names it"
                ));
            }
        }
        Ok(Arc::new(records))
    }
}
