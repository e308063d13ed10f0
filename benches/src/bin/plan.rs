//! Measures planning against a full ledger: `plan --traillake PATH --work FOLDER`. Prints Markdown.
//!
//! A small lake is made by the program itself. Then its ledger gets files with the keys of a trail
//! of years, sorted and by month as upkeep leaves them, each row but for its key a copy of a real
//! one. An S3 Inventory names every so many of those keys and some new ones; `ingest --dry-run` has
//! to say which are which. No S3 is asked: the inventory has sizes and ETags.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::take;
use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use clap::Parser;
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression as Codec, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use serde_json::{Value, json};
use traillake_benches::process::size_of;
use traillake_benches::{Program, Workload, machine};

const BUCKET: &str = "bench";
const REGIONS: [&str; 10] = [
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-1",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "us-east-1",
    "us-east-2",
    "us-west-2",
];
/// Rows of a row group, and of a batch that is written.
const ROWS: usize = 262_144;
/// One listed key in so many is new.
const NEW: u64 = 10;
/// Size and ETag of every object.
const STAMP: (i64, &str) = (1_234, "0123456789abcdef0123456789abcdef");

/// Measures `ingest --dry-run` of an inventory against a ledger.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program to measure (a release build).
    #[arg(long)]
    traillake: PathBuf,
    /// Where lake and inventory are made; a lake that is there is removed.
    #[arg(long)]
    work: PathBuf,
    /// Keys in the ledger.
    #[arg(long, default_value_t = 100_000_000)]
    ledger: u64,
    /// Keys that are listed, spread evenly over the ledger's.
    #[arg(long, default_value_t = 10_000_000)]
    listed: u64,
    /// Months of the ledger.
    #[arg(long, default_value_t = 36)]
    months: u32,
    /// Accounts, each in ten regions.
    #[arg(long, default_value_t = 100)]
    accounts: u64,
}

/// Keys of a trail, numbered within each month in the order of their spelling.
#[derive(Debug, Clone, Copy)]
struct Keys {
    months: u32,
    accounts: u64,
    /// Keys of an account and region in a month.
    each: u64,
}

impl Keys {
    fn of(arguments: &Arguments) -> Keys {
        let Arguments { months, accounts, ledger, .. } = *arguments;
        let each = ledger / u64::from(months) / accounts / REGIONS.len() as u64;
        Keys { months, accounts, each: each.max(1) }
    }

    fn of_month(self) -> u64 {
        self.each * self.accounts * REGIONS.len() as u64
    }

    fn first_day(month: u32) -> Result<NaiveDate> {
        let first = NaiveDate::from_ymd_opt(2021, 1, 1).context("no such day")?;
        first.checked_add_months(Months::new(month)).context("no such month")
    }

    /// The logical key of a number, and when it was delivered.
    fn key(self, month: u32, number: u64) -> Result<(String, DateTime<Utc>)> {
        let place = number / self.each;
        let account = 100_000_000_000 + place / REGIONS.len() as u64 * 7_919;
        let region = REGIONS[(place % REGIONS.len() as u64) as usize];
        // The 28 days that every month has, a minute a key, or several keys a minute.
        let minute = (number % self.each) * (28 * 24 * 60) / self.each;
        let day = Keys::first_day(month)?.and_time(chrono::NaiveTime::MIN).and_utc();
        let at = day + TimeDelta::minutes(minute as i64);
        let noise = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(month) << 17;
        // What tells keys of one minute apart begins with their number, to be in order.
        let key = format!(
            "AWSLogs/o-bench/{account}/CloudTrail/{region}/{}/{account}_CloudTrail_{region}_{}_\
             {:04X}{noise:012X}.json.gz",
            at.format("%Y/%m/%d"),
            at.format("%Y%m%dT%H%MZ"),
            number % self.each % 0x1_0000,
        );
        Ok((key, at))
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let keys = Keys::of(&arguments);
    let (work, lake) = (&arguments.work, arguments.work.join("lake-plan"));
    fs::create_dir_all(work)?;
    if lake.exists() {
        fs::remove_dir_all(&lake)?;
    }
    let traillake = Program::at(&arguments.traillake)?;
    println!("{}", traillake.run(&["version".as_ref()])?.output.trim());
    println!("{}\n", machine());

    let trail = work.join("trail-plan");
    Workload::Tiny.trail(0.01).write_some(&trail, 1, 0..2)?;
    let with_lake: [&OsStr; 3] = ["--no-progress".as_ref(), "--lake".as_ref(), lake.as_ref()];
    let ingest =
        |more: &[&OsStr]| traillake.run(&[&with_lake[..], &["ingest".as_ref()], more].concat());
    ingest(&["--quiet".as_ref(), trail.as_ref()])?;
    fill_ledger(&lake, keys)?;
    let (manifest, new) = write_inventory(work, keys, arguments.listed)?;
    let (bytes, files) = size_of(&lake.join("stores/default/objects"))?;

    // Nobody answers there, nor has to.
    let dry: [&OsStr; 8] = [
        "--dry-run".as_ref(),
        "--inventory".as_ref(),
        manifest.as_ref(),
        "--no-sign-request".as_ref(),
        "--endpoint-url".as_ref(),
        "http://127.0.0.1:9".as_ref(),
        "--format".as_ref(),
        "json".as_ref(),
    ];
    let finished = ingest(&dry)?;
    let plan: Value = serde_json::from_str(&finished.output)?;
    let found = |what: &str| plan["total"][what].as_u64().unwrap_or_default();
    ensure!(found("new_objects") == new, "{new} are new: {}", plan["total"]);
    let listed = found("new_objects") + found("known_objects");
    ensure!(found("changed_objects") == 0 && listed >= arguments.listed, "{}", plan["total"]);
    println!("| keys listed | new | keys in the ledger | seconds | keys/s | peak MB |");
    println!("|--:|--:|--:|--:|--:|--:|");
    let seconds = finished.elapsed.as_secs_f64();
    println!(
        "| {listed} | {new} | {} | {seconds:.1} | {:.0} | {:.0} |",
        keys.of_month() * u64::from(keys.months),
        listed as f64 / seconds,
        finished.memory_bytes_max as f64 / 1e6,
    );
    println!("\n- the ledger: {:.1} MB, {files} files", bytes as f64 / 1e6);
    Ok(())
}

/// Adds a file for each month to the ledger, by one commit like the program's own.
fn fill_ledger(lake: &Path, keys: Keys) -> Result<()> {
    let table = lake.join("stores/default/objects");
    let log = table.join("_delta_log");
    let store: Value = serde_json::from_slice(&fs::read(lake.join("stores/default/store.json"))?)?;
    let newest = fs::read_dir(&log)?.filter_map(|entry| {
        entry.ok()?.file_name().to_str()?.strip_suffix(".json")?.parse::<u64>().ok()
    });
    let newest = newest.max().context("no commit")?;
    let text = fs::read_to_string(log.join(format!("{newest:020}.json")))?;
    let mut lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let add = lines.iter().find(|line| line.get("add").is_some()).context("no file")?.clone();
    let path = add["add"]["path"].as_str().context("no path")?;
    let file = File::open(table.join(path))?;
    let like = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(1).build()?;
    let like = like.into_iter().next().context("no row")??;
    lines.retain(|line| line.get("commitInfo").is_some());
    lines[0]["commitInfo"]["operation"] = json!("OPTIMIZE");
    lines[0]["commitInfo"]["operationMetrics"] =
        json!({"numAddedFiles": keys.months.to_string(), "numRemovedFiles": "0"});
    let application = format!("{}/rewrite", store["id"].as_str().unwrap_or_default());
    lines.push(json!({"txn": {"appId": application, "version": newest + 1}}));
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let written = std::thread::scope(|scope| {
        let work = |worker: u32| {
            let (table, like, add) = (&table, &like, &add);
            scope.spawn(move || {
                let months = (0..keys.months).filter(|month| month % workers == worker);
                months
                    .map(|month| add_month(table, like, add, keys, month))
                    .collect::<Result<Vec<_>>>()
            })
        };
        let workers: Vec<_> = (0..workers).map(work).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Result<Vec<Value>>>| {
            worker.join().map_err(|_| anyhow::anyhow!("a worker failed"))?
        };
        workers.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    lines.extend(written.into_iter().flatten());
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(log.join(format!("{:020}.json", newest + 1)), text.join("\n") + "\n")?;
    Ok(())
}

/// Writes the file of a month; returns what the log says of it.
fn add_month(
    table: &Path,
    like: &RecordBatch,
    add: &Value,
    keys: Keys,
    month: u32,
) -> Result<Value> {
    let day = Keys::first_day(month)?;
    let label = format!("{}-{:02}", day.year(), day.month());
    let name =
        format!("deliveredMonth={label}/part-{month:08x}-0000-4000-8000-000000000000.parquet");
    fs::create_dir_all(table.join(format!("deliveredMonth={label}")))?;
    let properties = WriterProperties::builder()
        .set_compression(Codec::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROWS))
        .set_column_dictionary_enabled(ColumnPath::from("logical_key"), false)
        .set_column_encoding(ColumnPath::from("logical_key"), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .build();
    let path = table.join(&name);
    let mut writer = ArrowWriter::try_new(File::create(&path)?, like.schema(), Some(properties))?;
    let count = keys.of_month();
    for from in (0..count).step_by(ROWS) {
        let numbers = from..count.min(from + ROWS as u64);
        writer.write(&rows(like, keys, month, numbers)?)?;
    }
    writer.close()?;
    let (first, since) = keys.key(month, 0)?;
    let (last, _) = keys.key(month, count - 1)?;
    let mut add = add.clone();
    let stats = add["add"]["stats"].as_str().context("no statistics")?;
    let mut stats: Value = serde_json::from_str(stats)?;
    stats["numRecords"] = json!(count);
    stats["minValues"]["logical_key"] = json!(first.chars().take(32).collect::<String>());
    stats["maxValues"]["logical_key"] =
        json!(last.chars().take(31).chain(['\u{10FFFF}']).collect::<String>());
    let text = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    stats["minValues"]["delivered_at"] = json!(text(since));
    stats["maxValues"]["delivered_at"] = json!(text(since + TimeDelta::days(28)));
    let add = add["add"].as_object_mut().context("no file")?;
    add.insert("stats".into(), json!(stats.to_string()));
    add.insert("partitionValues".into(), json!({"deliveredMonth": label}));
    add.insert("path".into(), json!(name));
    add.insert("size".into(), json!(fs::metadata(&path)?.len()));
    add.remove("tags");
    Ok(json!({ "add": add }))
}

/// Rows of the ledger: what is not about the key is as in `like`.
fn rows(
    like: &RecordBatch,
    keys: Keys,
    month: u32,
    numbers: std::ops::Range<u64>,
) -> Result<RecordBatch> {
    let count = (numbers.end - numbers.start) as usize;
    let spelled =
        numbers.clone().map(|number| keys.key(month, number)).collect::<Result<Vec<_>>>()?;
    let first = UInt32Array::from(vec![0; count]);
    let column = |(field, column): (&Arc<arrow::datatypes::Field>, &ArrayRef)| -> Result<ArrayRef> {
        Ok(match field.name().as_str() {
            "logical_key" => {
                Arc::new(StringArray::from_iter_values(spelled.iter().map(|(key, _)| key)))
            }
            "key_prefix" => Arc::new(StringArray::from(vec![format!("s3://{BUCKET}/"); count])),
            "size_bytes" => Arc::new(Int64Array::from(vec![STAMP.0; count])),
            "etag" => Arc::new(StringArray::from(vec![format!("\"{}\"", STAMP.1); count])),
            "object_id" => Arc::new(Int64Array::from_iter_values(
                numbers.clone().map(|number| (i64::from(month) << 32) + number as i64),
            )),
            "delivered_at" => {
                let times = spelled.iter().map(|(_, at)| at.timestamp_micros());
                let times = TimestampMicrosecondArray::from_iter_values(times);
                Arc::new(times.with_data_type(column.data_type().clone()))
            }
            _ => take(column, &first, None)?,
        })
    };
    let schema = like.schema();
    let columns = schema.fields().iter().zip(like.columns()).map(column).collect::<Result<_>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Writes an inventory of about so many keys; returns its manifest and how many of them are new.
fn write_inventory(work: &Path, keys: Keys, listed: u64) -> Result<(PathBuf, u64)> {
    let folder = work.join("inventory");
    fs::create_dir_all(folder.join("data"))?;
    let output = File::create(folder.join("data/keys.csv.gz"))?;
    let mut output = std::io::BufWriter::new(GzEncoder::new(output, Compression::fast()));
    let all = keys.of_month() * u64::from(keys.months);
    let (mut new, mut written) = (0, 0);
    for month in 0..keys.months {
        let from = listed * u64::from(month) / u64::from(keys.months);
        let until = listed * u64::from(month + 1) / u64::from(keys.months);
        for place in from..until {
            let number = (place - from) * keys.of_month() / (until - from);
            let (mut key, _) = keys.key(month, number)?;
            if place % NEW == 0 {
                key = key.replace(".json.gz", "N.json.gz");
                new += 1;
            }
            written += 1;
            writeln!(
                output,
                "\"{BUCKET}\",\"{key}\",\"{}\",\"2024-01-01T00:00:00.000Z\",\"{}\"",
                STAMP.0, STAMP.1
            )?;
        }
    }
    ensure!(written == listed && listed <= all, "{written} of {all} keys");
    output.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?;
    let mut hasher = Md5::new();
    let size = std::io::copy(&mut File::open(folder.join("data/keys.csv.gz"))?, &mut hasher)?;
    let md5 = format!("{:x}", hasher.finalize());
    let manifest = folder.join("manifest.json");
    let schema = "Bucket, Key, Size, LastModifiedDate, ETag";
    let text = json!({
        "sourceBucket": BUCKET, "fileFormat": "CSV", "fileSchema": schema,
        "files": [{"key": "data/keys.csv.gz", "size": size, "MD5checksum": md5}],
    });
    fs::write(&manifest, text.to_string())?;
    Ok((manifest, new))
}
