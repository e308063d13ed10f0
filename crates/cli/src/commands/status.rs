//! `traillake status`

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};
use traillake_query::Engine;
use traillake_store::{Lake, StoreInfo};
use traillake_trino::Parameters;

use crate::answers;
use crate::commands::store::describe::as_json;
use crate::config::Origin;
use crate::engines::{self, Limits};
use crate::failure::Outcome;
use crate::intake::stored::{self, Note, StoredSource};
use crate::lakes;
use crate::output::{Cell, Report, ReportArgs};
use crate::quantities::{count_of, show_count, show_duration, show_size};
use crate::session::Session;
use crate::times::show_second;

/// The tables whose rows are records that were stored.
const RECORD_TABLES: [&str; 3] = ["events", "insights", "aggregated"];
/// What becomes of a record, as the ledger's columns are called.
const FATES: [&str; 6] = ["stored", "duplicates", "respelled", "variants", "deselected", "rejects"];

/// How far before the newest delivery that a look has found the newest in the ledger is asked for
/// first: the whole ledger may have millions of rows.
const LATELY: TimeDelta = TimeDelta::days(7);

/// What can be typed after `traillake status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake status
  traillake status --format json
  traillake --lake ./lake status")]
pub struct StatusArgs {
    #[command(flatten)]
    report: ReportArgs,
}

/// Shows every store, or the one that `--store` names: time range, rows and sizes, objects, records
/// and whether they add up.
pub async fn run(session: &Session, args: StatusArgs) -> anyhow::Result<Outcome> {
    let lake = lakes::open(session).await?;
    let (stores, mut text) = match named(session) {
        Some(name) => (vec![lake.store_info(name).await?], format!("lake {}\n", lake.location())),
        None => {
            let stores = lake.stores().await?;
            let count = count_of(stores.len() as u64, "store");
            (stores, format!("lake {}: {count}\n", lake.location()))
        }
    };
    let mut described = Vec::new();
    let mut sound = true;
    let sources = stored::stored(&lake).await?;
    for store in &stores {
        if let Some(until) = store.settings.restorable_until() {
            let how = match store.settings.removal_began_at {
                Some(at) => format!("being removed since {}", show_second(at)),
                None => format!("to be deleted after {}", show_second(until)),
            };
            text += &format!("\nstore {}, {how}\n", store.name);
            described.push(as_json(store));
            continue;
        }
        let mut status = match StoreStatus::read(session, &lake, store).await {
            Ok(status) => status,
            // The other stores are asked for too: one that is damaged must not hide them.
            Err(error) => {
                session.talk.error(&error);
                text += &format!("\nstore {}\n  could not be read: {error}\n", store.name);
                described.push(json!({"store": store.name, "error": error.to_string()}));
                sound = false;
                continue;
            }
        };
        let ours = sources.iter().filter(|(_, source)| source.store == store.name);
        for (name, source) in ours {
            status.sources.push(SourceStatus::read(session, &lake, name, source).await?);
        }
        sound &= status.adds_up();
        text += &status.text();
        described.push(status.json());
    }
    let json = json!({"lake": lake.location(), "stores": described});
    let outcome = if sound { Outcome::Done } else { Outcome::DoneWithFailures };
    outcome.after(Report { text, json }.print(args.report.format, session.terminal.stdout))
}

/// Returns the store that `--store` names. What stands in the environment or a file says which one
/// is worked on, not which is looked at.
fn named(session: &Session) -> Option<&str> {
    let mut settings = session.settings.iter();
    let (_, value) = settings.find(|(setting, _)| setting.key == "store")?;
    matches!(value.origin, Origin::Flag(_)).then_some(value.text.as_str())
}

struct StoreStatus {
    name: String,
    rounds: i64,
    tables: Vec<Table>,
    first_event_at: Cell,
    last_event_at: Cell,
    /// Objects by state.
    objects: Vec<(String, u64)>,
    records: u64,
    fates: Vec<u64>,
    sources: Vec<SourceStatus>,
}

/// A source that the lake keeps: how far it has come in.
struct SourceStatus {
    name: String,
    url: String,
    note: Note,
    /// Delivery of the newest object that is in the ledger.
    newest_delivery: Cell,
    newest_delivery_age_seconds: Option<i64>,
}

impl SourceStatus {
    async fn read(
        session: &Session,
        lake: &Lake,
        name: &str,
        source: &StoredSource,
    ) -> anyhow::Result<SourceStatus> {
        let engine = engines::engine(session, lake, &source.store, Limits::default()).await?;
        let note = stored::note_of(lake, name).await?;
        let mut newest = (None, None);
        let lately = note.newest_delivery.and_then(|at| at.checked_sub_signed(LATELY));
        if lately.is_some() {
            // Where this cannot be asked, all of it is.
            newest = newest_delivery(&engine, &source.url, lately).await.unwrap_or_default();
        }
        if newest.0.is_none() {
            newest = newest_delivery(&engine, &source.url, None).await?;
        }
        let (newest_delivery, seconds) = newest;
        Ok(SourceStatus {
            name: name.to_owned(),
            url: source.url.clone(),
            note,
            newest_delivery,
            newest_delivery_age_seconds: seconds
                .map(|at| (session.now.timestamp() - at as i64).max(0)),
        })
    }

    fn text(&self) -> String {
        let mut text =
            format!("  source {}: {}, {}", self.name, self.url, self.note.last_success());
        if let Some(age) = self.newest_delivery_age_seconds {
            let age = Duration::from_secs(age.unsigned_abs());
            text += &format!(", newest delivery {} ago", show_age(age));
        }
        if let Some(backlog) = self.note.backlog {
            text += &format!(", {} wait", count_of(backlog, "message"));
        }
        let sweep = self.note.sweep.clone().unwrap_or_default();
        // What the last look and the last sweep could not take in may be the same.
        let failed = self.note.objects_failed.max(sweep.objects_failed);
        for (count, what) in [(failed, "object failed"), (self.note.refused, "message refused")] {
            if count > 0 {
                let (noun, verb) = what.split_once(' ').unwrap_or((what, ""));
                text += &format!(", {} {verb}", count_of(count, noun));
            }
        }
        if let Some(failure) = &self.note.failure {
            text += &format!("; last look failed: {failure}");
        }
        if let Some(failure) = &sweep.failure {
            text += &format!("; last sweep failed: {failure}");
        }
        text + "\n"
    }

    fn json(&self) -> Value {
        json!({
            "source": self.name, "url": self.url, "last": self.note,
            "newest_delivery": self.newest_delivery,
            "newest_delivery_age_seconds": self.newest_delivery_age_seconds,
        })
    }
}

struct Table {
    name: String,
    rows: u64,
    files: u64,
    bytes: u64,
    /// Rows that it had and that are past retention.
    expired: u64,
}

impl StoreStatus {
    async fn read(
        session: &Session,
        lake: &Lake,
        store: &StoreInfo,
    ) -> anyhow::Result<StoreStatus> {
        let snapshot = lake.store(&store.name).await?.snapshot(None).await?;
        let mut tables = Vec::new();
        for table in snapshot.tables() {
            let files = table.files().await?;
            tables.push(Table {
                name: table.name().to_owned(),
                rows: files.iter().map(|file| file.rows).sum(),
                files: files.len() as u64,
                bytes: files.iter().map(|file| file.size).sum(),
                // What never had a setting never lost a row.
                expired: match store.settings.number {
                    0 => 0,
                    _ => table.expired().await?.rows,
                },
            });
        }
        let at = Some(traillake_store::At::Token(snapshot.token)).filter(|_| snapshot.token > 0);
        let limits = Limits { at, ..Limits::default() };
        let engine = engines::engine(session, lake, &store.name, limits).await?;
        let mut range = one(&engine, "SELECT min(eventTime), max(eventTime) FROM events").await?;
        let sums = FATES.map(|fate| format!("coalesce(sum({fate}), 0)")).join(", ");
        let sql = format!("SELECT coalesce(sum(records), 0), {sums} FROM system.objects");
        let mut fates = one(&engine, &sql).await?.into_iter().map(number);
        let sql = "SELECT state, count(*) FROM system.objects GROUP BY 1 ORDER BY 2 DESC, 1";
        let objects = answers::rows(&engine, sql, &Parameters::default()).await?;
        Ok(StoreStatus {
            name: store.name.clone(),
            rounds: snapshot.token,
            tables,
            last_event_at: range.pop().flatten(),
            first_event_at: range.pop().flatten(),
            objects: (objects.into_iter())
                .map(|mut row| (number(row.pop().flatten()), row.pop().flatten()))
                .map(|(count, state)| (state.unwrap_or_default(), count))
                .collect(),
            records: fates.next().unwrap_or(0),
            fates: fates.collect(),
            sources: Vec::new(),
        })
    }

    /// Returns the rows that the tables of stored records hold, or have held.
    fn rows(&self) -> u64 {
        let of_records = |table: &&Table| RECORD_TABLES.contains(&table.name.as_str());
        self.tables.iter().filter(of_records).map(|table| table.rows + table.expired).sum()
    }

    /// Returns how many of them have expired.
    fn expired(&self) -> u64 {
        let of_records = |table: &&Table| RECORD_TABLES.contains(&table.name.as_str());
        self.tables.iter().filter(of_records).map(|table| table.expired).sum()
    }

    /// Returns whether every record is accounted for and every stored one is there.
    fn adds_up(&self) -> bool {
        self.records == self.fates.iter().sum::<u64>() && self.fates.first() == Some(&self.rows())
    }

    fn text(&self) -> String {
        let mut text = format!("\nstore {}, round {}\n", self.name, self.rounds);
        if let (Some(first), Some(last)) = (&self.first_event_at, &self.last_event_at) {
            text += &format!("  events from {first} to {last}\n");
        }
        for table in self.tables.iter().filter(|table| table.rows > 0) {
            text += &table_line(&table.name, table.rows, table.files, table.bytes);
        }
        let objects: u64 = self.objects.iter().map(|(_, count)| count).sum();
        let states: Vec<String> = (self.objects.iter())
            .map(|(state, count)| {
                let several = state == "copy" && *count != 1;
                let state = if several { "copies" } else { state.as_str() };
                format!("{} {state}", show_count(*count))
            })
            .collect();
        if objects > 0 {
            text += &format!("  {} = {}\n", count_of(objects, "object"), states.join(" + "));
        }
        let fates: Vec<String> = (FATES.iter().zip(&self.fates))
            .filter(|(name, count)| **count > 0 || **name == "stored")
            .map(|(name, count)| format!("{} {name}", show_count(*count)))
            .collect();
        text += &format!("  {} = {}\n", count_of(self.records, "record"), fates.join(" + "));
        if self.expired() > 0 {
            let (stored, expired) = (self.rows(), self.expired());
            let rows = show_count(stored - expired);
            text += &format!(
                "  {} stored = {rows} present + {} expired\n",
                show_count(stored),
                show_count(expired)
            );
        }
        if !self.adds_up() {
            text += &format!(
                "  DAMAGED: these numbers do not add up; {} of records are or were in the tables\n",
                count_of(self.rows(), "row")
            );
        }
        self.sources.iter().for_each(|source| text += &source.text());
        text
    }

    fn json(&self) -> Value {
        let sources: Vec<Value> = self.sources.iter().map(SourceStatus::json).collect();
        let tables: Vec<Value> = (self.tables.iter())
            .map(|table| {
                json!({"table": table.name, "rows": table.rows, "files": table.files,
                       "bytes": table.bytes, "expired": table.expired})
            })
            .collect();
        let objects: serde_json::Map<String, Value> =
            self.objects.iter().map(|(state, count)| (state.clone(), json!(count))).collect();
        let mut records = json!({"records": self.records});
        for (name, count) in FATES.iter().zip(&self.fates) {
            records[*name] = json!(count);
        }
        json!({
            "store": self.name, "rounds": self.rounds, "tables": tables,
            "first_event_at": self.first_event_at, "last_event_at": self.last_event_at,
            "objects": objects, "records": records, "adds_up": self.adds_up(),
            "sources": sources,
        })
    }
}

/// Returns how old something is: in days from two of them on.
fn show_age(age: Duration) -> String {
    match age.as_secs() / 86_400 {
        0 | 1 => show_duration(age),
        days => count_of(days, "day"),
    }
}

/// Returns one line about a table.
pub fn table_line(name: &str, rows: u64, files: u64, bytes: u64) -> String {
    let (rows, files) = (count_of(rows, "row"), count_of(files, "file"));
    format!("  {name:<10} {rows}, {files}, {}\n", show_size(bytes))
}

/// Returns when the newest object in the ledger that came from the place at `url` was delivered, as
/// it is shown and in seconds since 1970; none when there is none. Only objects delivered `since`
/// count where that is said, and only files of the ledger with such are read.
async fn newest_delivery(
    engine: &Engine,
    url: &str,
    since: Option<DateTime<Utc>>,
) -> anyhow::Result<(Cell, Option<f64>)> {
    let (lately, parameters) = match since.map(|since| since.timestamp_micros()) {
        Some(since) => {
            let since = traillake_trino::Value::Timestamp(since);
            ("delivered_at >= :since AND ", Parameters::from_names([("since", since)]))
        }
        None => ("", Parameters::default()),
    };
    // A file, what is in a folder, or in an archive; `s3://days-2` is not in `s3://days`.
    let url = url.trim_end_matches('/');
    let (length, next) = (url.chars().count(), url.chars().count() + 1);
    let sql = format!(
        "SELECT max(delivered_at), max(to_unixtime(delivered_at)) FROM system.objects \
         WHERE {lately}substr(object_key, 1, {length}) = '{}' \
         AND (substr(object_key, {next}, 1) IN ('', '/') OR substr(object_key, {next}, 2) = '!/')",
        url.replace('\'', "''"),
    );
    let rows = answers::rows(engine, &sql, &parameters).await?;
    let mut newest = rows.into_iter().next().unwrap_or_default().into_iter();
    let shown = newest.next().flatten();
    let seconds = newest.next().flatten().and_then(|text| text.parse::<f64>().ok());
    Ok((shown, seconds))
}

async fn one(engine: &Engine, sql: &str) -> anyhow::Result<Vec<Cell>> {
    let rows = answers::rows(engine, sql, &Parameters::default()).await?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

fn number(cell: Cell) -> u64 {
    cell.and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_told_in_days() {
        for (hours, told) in
            [(1, "60 min 0 s"), (47, "47 h 0 min"), (48, "2 days"), (6232, "259 days")]
        {
            assert_eq!(show_age(Duration::from_secs(hours * 3600)), told);
        }
    }
}
