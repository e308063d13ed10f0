//! Retention: which records of a store leave now, and taking them out.
//!
//! Nothing leaves that nobody has said should: a store keeps everything until `store update
//! --retention-period` is confirmed. After that upkeep takes a day at a time; what would be more than
//! a month at once is left to somebody who looks, for it may be a clock that is wrong: unless events
//! of this very month say that it is right.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures::StreamExt as _;
use serde_json::{Value, json};
use traillake_query::{Engine, EngineOptions, Rebuild};
use traillake_store::{
    At, DueExpiry, Error, Expiry, Held, Lake, Settings, StoreInfo, StoreSnapshot, StoreWriter,
    TableExpiry,
};
use traillake_trino::Parameters;

use crate::engines;
use crate::failure::Problem;
use crate::machine;
use crate::quantities::{count_of, show_size};
use crate::spills;
use crate::times::show_second;

/// The most that leaves at once when nobody looks.
const STEP_MAX: TimeDelta = TimeDelta::days(31);
/// What is later than now by more than this claims a time to come, and vouches for no clock.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::days(1);
/// Files are of a month at most: after a longer pause what comes may be of any clock.
const PAUSE_MAX: TimeDelta = TimeDelta::days(62);
/// How often it is begun again because files were rewritten or settings changed meanwhile.
const ATTEMPTS_MAX: u32 = 5;
/// Records that holds may keep past retention: each takes some 20 bytes of memory.
const HELD_MAX: usize = 20_000_000;
/// Bytes of memory for rewriting a file, about.
const MEMORY_BYTES: usize = 512 << 20;

/// What leaves a store, or has left it.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// Records from before this time.
    pub before: DateTime<Utc>,
    /// Table by table.
    pub tables: Vec<TableExpiry>,
    /// Records that are older and stay, for a hold is in force.
    pub held: Option<u64>,
}

impl Leaving {
    /// Returns how many rows leave.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Returns lines for people, one a table that loses something; `verb` is `leave` or `left`.
    pub fn text(&self, verb: &str) -> String {
        let before = self.before.format("%Y-%m-%d");
        let mut text = String::new();
        for table in self.tables.iter().filter(|table| table.rows > 0) {
            let time = |micros: Option<i64>| {
                let at = micros.and_then(DateTime::from_timestamp_micros);
                at.map(show_second).unwrap_or_default()
            };
            text += &format!(
                "  {:<10} {} from before {before} {verb}, of {} to {}; {} ({}) whole, {} rewritten\n",
                table.table,
                count_of(table.rows, "row"),
                time(table.first),
                time(table.last),
                count_of(table.files_removed, "file"),
                show_size(table.bytes_removed),
                table.files_rewritten,
            );
        }
        if text.is_empty() {
            text += &format!("  no rows from before {before}\n");
        }
        if let Some(held) = self.held {
            text += &format!(
                "  {} older than that stay: a hold is in force\n",
                count_of(held, "event")
            );
        }
        text
    }

    /// Returns the same as JSON.
    pub fn json(&self) -> Value {
        let time = |micros: Option<i64>| {
            let at = micros.and_then(DateTime::from_timestamp_micros);
            at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        };
        let tables = self.tables.iter().map(|table| {
            json!({
                "table": table.table, "rows": table.rows, "files_removed": table.files_removed,
                "bytes_removed": table.bytes_removed, "files_rewritten": table.files_rewritten,
                "first_event_at": time(table.first), "last_event_at": time(table.last),
            })
        });
        json!({
            "before": self.before.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            "rows": self.rows(), "held": self.held, "tables": tables.collect::<Vec<_>>(),
        })
    }
}

/// Returns what would leave `store` if it were set to `settings`; none when nothing ever would.
pub async fn due(
    lake: &Lake,
    store: &StoreInfo,
    settings: &Settings,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Leaving>> {
    let writer = lake.writer(&store.name, &traillake_ingest::store_spec(), now).await?;
    let found = look(lake, store, settings, &writer, now).await?;
    Ok(found.map(|(before, due)| leaving(before, &due)))
}

fn leaving(before: DateTime<Utc>, due: &DueExpiry) -> Leaving {
    Leaving { before, tables: due.tables(), held: due.held() }
}

/// Returns what is past retention by `settings`, and since when.
async fn look(
    lake: &Lake,
    store: &StoreInfo,
    settings: &Settings,
    writer: &StoreWriter,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<(DateTime<Utc>, DueExpiry)>> {
    let Some(before) = settings.cutoff(now) else { return Ok(None) };
    let state = writer.latest().await?;
    let expiry = expiry(lake, store, settings, (before, now), &state).await?;
    let due = writer.expiry_due(&state, expiry).await?;
    Ok(Some((before, due)))
}

/// Takes out of a store what is past its retention; none when nothing ever leaves it. With `watched`
/// unset no more than a month goes at once.
pub async fn expire(
    lake: &Lake,
    store: &StoreInfo,
    now: DateTime<Utc>,
    watched: bool,
) -> anyhow::Result<Option<Leaving>> {
    let mut attempt = 1;
    loop {
        match expire_once(lake, store, now, watched).await {
            Err(error) if attempt < ATTEMPTS_MAX && is_overtaken(&error) => attempt += 1,
            done => return done,
        }
    }
}

fn is_overtaken(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<Error>();
    matches!(error, Some(Error::NotLive { .. } | Error::SettingsChanged { .. }))
}

async fn expire_once(
    lake: &Lake,
    store: &StoreInfo,
    now: DateTime<Utc>,
    watched: bool,
) -> anyhow::Result<Option<Leaving>> {
    // As it is set now; a hold that comes later ends this.
    let writer = lake.writer(&store.name, &traillake_ingest::store_spec(), now).await?;
    let settings = &writer.info().settings;
    let Some((before, due)) = look(lake, store, settings, &writer, now).await? else {
        return Ok(None);
    };
    if !watched {
        check_step(&writer, &due, before, now).await?;
    }
    writer.expire(&due, now).await?;
    Ok(Some(leaving(before, &due)))
}

/// Refuses to take more than a month at once, where no newer event vouches for the clock. Where logs
/// come in, one event that came very late must not keep all others in the store.
async fn check_step(
    writer: &StoreWriter,
    due: &DueExpiry,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let newest = due.newest(now + CLOCKS_DIFFER, PAUSE_MAX);
    let newest = newest.and_then(DateTime::from_timestamp_micros);
    if newest.is_some_and(|newest| now - newest <= STEP_MAX) {
        return Ok(());
    }
    for table in due.tables().iter().filter(|table| table.rows > 0) {
        let last = writer.expired(&table.table).await?.before;
        let from = table.first.max(last).and_then(DateTime::from_timestamp_micros);
        if from.is_none_or(|from| before - from > STEP_MAX) {
            let rows = count_of(table.rows, "row");
            let message = format!(
                "{rows} of `{}` from before {} are past retention, which is more than a month at once",
                table.table,
                before.format("%Y-%m-%d"),
            );
            let hint = "if the clock is right, `traillake maintain --yes` takes them out";
            return Err(Problem::new(message).hint(hint).into());
        }
    }
    Ok(())
}

async fn expiry(
    lake: &Lake,
    store: &StoreInfo,
    settings: &Settings,
    (before, now): (DateTime<Utc>, DateTime<Utc>),
    state: &StoreSnapshot,
) -> anyhow::Result<Expiry> {
    let mut held = None;
    for (name, condition) in &settings.holds {
        let found = records(lake, store, condition, (before, now), state.token).await;
        let found = found.map_err(|error| error.context(format!("hold `{name}`")))?;
        held.get_or_insert_with(Held::new).extend(found);
        if held.as_ref().is_some_and(|held| held.len() > HELD_MAX) {
            let message = format!("holds keep more than {HELD_MAX} events past retention");
            let hint =
                "keep events longer instead: `traillake store update --retention-period DAYS`";
            return Err(Problem::new(message).hint(hint).into());
        }
    }
    Ok(Expiry { before, held, memory_bytes: MEMORY_BYTES })
}

/// Returns the records from before a time for which a condition holds, as of round `token`.
async fn records(
    lake: &Lake,
    store: &StoreInfo,
    condition: &str,
    (before, now): (DateTime<Utc>, DateTime<Utc>),
    token: i64,
) -> anyhow::Result<HashSet<(i64, i64)>> {
    let mut found = HashSet::new();
    if token == 0 {
        return Ok(found);
    }
    let engine = engine(lake, store, Some(At::Token(token)), now).await?;
    // A condition may end in a comment.
    let sql = format!(
        "SELECT _object, _index FROM events WHERE eventTime < timestamp '{}' AND (\n{condition}\n)",
        before.format("%Y-%m-%d %H:%M:%S"),
    );
    let mut answer = engine.query(&sql, &Parameters::default()).await?;
    while let Some(batch) = answer.batches.next().await {
        let batch = batch?;
        let objects = cast(batch.column(0), &DataType::Int64)?;
        let indexes = cast(batch.column(1), &DataType::Int64)?;
        let (objects, indexes) =
            (objects.as_primitive::<Int64Type>(), indexes.as_primitive::<Int64Type>());
        found.extend(objects.values().iter().copied().zip(indexes.values().iter().copied()));
        if found.len() > HELD_MAX {
            break;
        }
    }
    Ok(found)
}

/// Returns how many events a condition holds for; an error says what is wrong with it.
pub async fn count(
    lake: &Lake,
    store: &StoreInfo,
    condition: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<u64> {
    let engine = engine(lake, store, None, now).await?;
    // One whole condition, and nothing that goes on behind a parenthesis of its own.
    let bare = format!("SELECT count(*) FROM events WHERE {condition}\n");
    engine.check(&bare, &Parameters::default(), engine.limits()).await?;
    let sql = format!("SELECT count(*) FROM events WHERE (\n{condition}\n)");
    let rows = crate::answers::rows(&engine, &sql, &Parameters::default()).await?;
    let count = rows.into_iter().next().and_then(|mut row| row.pop().flatten());
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or_default())
}

async fn engine(
    lake: &Lake,
    store: &StoreInfo,
    at: Option<At>,
    now: DateTime<Utc>,
) -> anyhow::Result<Engine> {
    let options = EngineOptions {
        store: store.name.clone(),
        memory_bytes: machine::memory_bytes() / 4,
        temp_dir: spills::folder(),
        timeout: None,
        rows_max: None,
        at,
        now,
        since: None,
        until: None,
        rebuild: Arc::new(engines::OriginalBytes) as Arc<dyn Rebuild>,
        lookups: Vec::new(),
        system_tables: Vec::new(),
        aliases: Vec::new(),
        looks: None,
        partitions: machine::cores(),
        outline: Some(traillake_ingest::store_spec()),
    };
    Ok(Engine::new(lake.clone(), options).await?)
}

#[cfg(test)]
mod tests;
