//! What is exported of each kind of event is what was stored: bytes in a trail, values in Parquet.

use std::fs::{self, File};
use std::io::{Cursor, Read as _};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::ipc::reader::StreamReader;
use arrow::util::pretty::pretty_format_batches;
use flate2::bufread::GzDecoder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{files, manifest};
use crate::folder::{BINARY, Folder, event, log};

const ACCOUNT: &str = "000000000001";

/// Tables with what a trail calls them, and events of each in the order of their times, spelled as
/// nobody would.
fn kinds() -> [(&'static str, &'static str, Vec<String>); 3] {
    let odd = ",\"awsRegion\":\"eu-west-1\",\n\
               \"requestParameters\" :{ \"k\":1376.0, \"k\":\"\\u003d\\/\" }";
    let events = (1..4).map(|id| event(id, "GetObject", odd)).collect();
    let insight = |id: u32, state: &str| {
        format!(
            "{{\"eventVersion\":\"1.08\",\"eventTime\":\"2024-01-01T00:0{id}:00Z\",\
             \"awsRegion\":\"eu-west-1\", \"eventID\":\"insight-{id}\",\
             \"eventType\":\"AwsCloudTrailInsight\",\"recipientAccountId\":\"{ACCOUNT}\",\
             \"sharedEventID\":\"of both\",\"insightDetails\":{{\"state\":\"{state}\",\
             \"eventSource\":\"ec2.amazonaws.com\",\"eventName\":\"RunInstances\",\
             \"insightType\":\"ApiCallRateInsight\",\"insightContext\":{{\"statistics\":{{\
             \"baseline\":{{\"average\":0.020}},\"insight\":{{\"average\":4.5E0}},\
             \"insightDuration\":{id}}}}}}},\"eventCategory\":\"Insight\",\"new\":[null, {{}}]}}"
        )
    };
    let insights = vec![insight(1, "Start"), insight(2, "End")];
    let aggregate = |id: u32| {
        format!(
            "{{\"eventVersion\":\"1.0\",\"accountId\":\"{ACCOUNT}\",\"eventId\":\"aggregate-{id}\",\
             \"eventCategory\":\"Aggregated\",\"eventType\":\"AwsAggregatedEvent\",\
             \"awsRegion\":\"eu-west-1\",\"eventSource\":\"s3.amazonaws.com\",\
             \"timeWindow\":{{\"windowStart\":\"2024-01-01T00:{id}0:00Z\",\
             \"windowEnd\":\"2024-01-01T00:{id}5:00Z\",\"windowSize\":\"PT5M\"}},\
             \"summary\":{{\"primaryDimension\":{{\"dimension\":\"resource\\u0041RN\",\
             \"statistics\":[ {{\"name\":\"n\",\"value\":{id}}} ]}}}}}}"
        )
    };
    let aggregated = (1..3).map(aggregate).collect();
    [
        ("events", "CloudTrail", events),
        ("insights", "CloudTrail-Insight", insights),
        ("aggregated", "CloudTrail-Aggregated", aggregated),
    ]
}

fn with_all_kinds() -> Folder {
    let here = Folder::new();
    let all: Vec<String> = kinds().into_iter().flat_map(|(.., events)| events).collect();
    here.write("logs/all.json", log(&all));
    here.run(&["ingest", "logs"]).done();
    here
}

#[test]
fn a_trail_of_each_kind_is_the_bytes_that_came_in() {
    let here = with_all_kinds();
    for (table, service, events) in kinds() {
        let by_sql = format!("SELECT eventJson FROM {table} ORDER BY eventTime");
        for (select, folder, service) in [
            (["--table", table], table.to_owned(), service),
            // What a statement does not select of an event's place stands in the event.
            (["--sql", by_sql.as_str()], format!("{table}-by-sql"), "CloudTrail"),
        ] {
            here.run(&["export", select[0], select[1], "-o", &folder]).done();
            let mut exported = files(&here.path(&folder));
            exported.retain(|path| !path.ends_with("manifest.json"));
            let [path] = &exported[..] else { panic!("{table}: {exported:?}") };
            let place = format!("{folder}/AWSLogs/{ACCOUNT}/{service}/eu-west-1/2024/01/01/");
            assert!(path.starts_with(here.path(&place)), "{table}: {path:?}");
            let packed = fs::read(path).unwrap();
            let (mut bytes, mut gzip) = (String::new(), GzDecoder::new(&packed[..]));
            gzip.read_to_string(&mut bytes).unwrap();
            assert_eq!(bytes, log(&events), "{table}");
            assert!(gzip.into_inner().is_empty(), "one member and nothing behind it");
            assert_eq!(manifest(&here, &folder)["events"], events.len(), "{table}");
        }
        // It comes in again as what it was, and beside the original it adds nothing.
        let rows = format!("SELECT eventJson FROM {table} ORDER BY eventTime");
        here.run(&["--lake", "again", "ingest", table]).done();
        let again = here.run(&["--lake", "again", "query", "--format", "csv", &rows]).done().stdout;
        assert_eq!(again, here.run(&["query", "--format", "csv", &rows]).done().stdout, "{table}");
        here.run(&["ingest", table]).done();
        let count = here.csv(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(count.trim(), events.len().to_string(), "{table}");
    }
}

#[test]
fn parquet_of_each_kind_has_the_values_that_were_stored() {
    let here = with_all_kinds();
    for (table, _, events) in kinds() {
        let folder = format!("{table}-parquet");
        here.run(&["export", "--table", table, "--format", "parquet", "-o", &folder]).done();
        let exported = read(&here, &format!("{folder}/{table}-00001.parquet"));
        let stored = asked(
            &here,
            &format!("SELECT * FROM {table} ORDER BY eventTime, eventID, _object, _index"),
        );
        let text = |batches: &[RecordBatch]| pretty_format_batches(batches).unwrap().to_string();
        assert_eq!(text(&exported), text(&stored), "{table}");
        assert_eq!(exported.iter().map(RecordBatch::num_rows).sum::<usize>(), events.len());

        let sql = format!("SELECT eventJson, eventID FROM {table} ORDER BY eventTime");
        let folder = format!("{table}-bytes");
        here.run(&["export", "--sql", &sql, "--format", "parquet", "-o", &folder]).done();
        let exported = read(&here, &format!("{folder}/rows-00001.parquet"));
        let bytes = exported.iter().flat_map(|batch| {
            let texts = cast(batch.column(0), &DataType::Utf8).unwrap();
            let texts = texts.as_string::<i32>();
            (0..texts.len()).map(|row| texts.value(row).to_owned()).collect::<Vec<_>>()
        });
        assert_eq!(bytes.collect::<Vec<_>>(), events, "{table}");
    }
}

/// The rows of a Parquet file, by our reader.
fn read(here: &Folder, name: &str) -> Vec<RecordBatch> {
    let file = File::open(here.path(name)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.map(|batch| batch.unwrap()).collect()
}

/// What a statement answers, as Arrow.
fn asked(here: &Folder, sql: &str) -> Vec<RecordBatch> {
    let ran = here.command(BINARY).args(["query", "--format", "arrow", sql]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let reader = StreamReader::try_new(Cursor::new(ran.stdout), None).unwrap();
    reader.map(|batch| batch.unwrap()).collect()
}
