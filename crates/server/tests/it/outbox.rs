//! Answers that are wanted in a bucket: where they come to, in which form, and what is told of that.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use flate2::read::GzDecoder;
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};
use traillake_server::{Bucket, ServerOptions};
use traillake_testkit::s3::{S3, Spoiled};

use crate::lake_api::bench;
use crate::served::Served;
use crate::trino_rest::ENDLESS;

const WANTED: &str = "s3://results/lake/team";
/// Longer than any of these tests takes.
const NEVER: u64 = 600_000;

/// Lets a server put answers under `s3://results/lake`.
fn with(objects: Arc<dyn ObjectStore>) -> impl FnOnce(&mut ServerOptions) {
    move |options: &mut ServerOptions| {
        options.no_auth = true;
        options.rows_max = Some(5_000);
        options.outbox = vec![Bucket::new("s3://results/lake", objects).unwrap()];
    }
}

/// Starts a query whose answer is wanted in a bucket; returns its id.
async fn start(served: &Served, sql: &str, uri: &str) -> String {
    let body = json!({ "QueryStatement": sql, "DeliveryS3Uri": uri });
    served.done("StartQuery", body).await["QueryId"].as_str().unwrap().to_owned()
}

/// Waits until it is told what became of an answer; returns how its query is described.
async fn put(served: &Served, id: &str) -> Value {
    loop {
        let described = served.done("DescribeQuery", json!({ "QueryId": id })).await;
        if described["DeliveryStatus"] != "PENDING" {
            return described;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The status of an answer, once that is told.
async fn status(served: &Served, id: &str) -> String {
    put(served, id).await["DeliveryStatus"].as_str().unwrap().to_owned()
}

/// The key of an answer's file under the place that is wanted.
fn key(described: &Value) -> String {
    let created = described["QueryStatistics"]["CreationTime"].as_f64().unwrap();
    let day = DateTime::from_timestamp(created as i64, 0).unwrap().format("%Y/%m/%d");
    let id = described["QueryId"].as_str().unwrap();
    format!("lake/team/AWSLogs/000000000000/CloudTrail-Lake/Query/{day}/{id}/result_1.csv.gz")
}

fn inflated(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

async fn keys(objects: &InMemory) -> Vec<String> {
    let found = objects.list(None).map_ok(|object| object.location.to_string());
    let mut keys: Vec<String> = found.try_collect().await.unwrap();
    keys.sort();
    keys
}

#[tokio::test]
async fn an_answer_is_put_where_it_is_wanted_as_cloudtrail_lake_puts_it() {
    let bench = bench().await;
    let objects = Arc::new(InMemory::new());
    let served = bench.serve_with(with(objects.clone())).await;
    let many = "SELECT n, CASE n WHEN 1 THEN NULL WHEN 2 THEN '' WHEN 3 THEN 'a,\"b\"' \
                ELSE concat('é', CAST(n AS varchar)) END AS \"Na,me\" \
                FROM UNNEST(sequence(1, 2345)) AS t (n) ORDER BY n";
    let first = "n,\"Na,me\"\n1,\n2,\"\"\n3,\"a,\"\"b\"\"\"\n";
    let many_rows: String = (4..=2_345).map(|n| format!("{n},é{n}\n")).collect();
    let none = "SELECT eventID, eventName AS name FROM events WHERE eventName = 'Nothing'";
    let mut expected = Vec::new();
    for (sql, text) in [(many, first.to_owned() + &many_rows), (none, "eventID,name\n".to_owned())]
    {
        let id = start(&served, sql, &format!("{WANTED}/")).await;
        let described = put(&served, &id).await;
        let told = (&described["DeliveryStatus"], &described["DeliveryS3Uri"]);
        assert_eq!(told, (&json!("SUCCESS"), &json!(format!("{WANTED}/"))));
        let key = key(&described);
        let file = objects.get(&key.as_str().into()).await.unwrap().bytes().await.unwrap();
        assert_eq!(inflated(&file), text);
        expected.push(key);
    }
    let plain = served.run("SELECT 1").await;
    let plain = served.done("DescribeQuery", json!({ "QueryId": plain })).await;
    assert!(plain.get("DeliveryStatus").is_none() && plain.get("DeliveryS3Uri").is_none());
    for uri in [
        "s3://results",
        "s3://results/lake-2",
        "s3://results/lake/../other",
        "s3://results/lake//x",
        "s3://others/lake",
        "https://results/lake",
        "/tmp/lake",
    ] {
        let body = json!({ "QueryStatement": "SELECT 1", "DeliveryS3Uri": uri });
        let name = served.refused("StartQuery", body).await;
        assert_eq!(name, "OperationNotPermittedException", "{uri}");
    }
    // What gave no answer has none to put.
    let cancelled = start(&served, ENDLESS, WANTED).await;
    served.done("CancelQuery", json!({ "QueryId": cancelled })).await;
    assert_eq!(status(&served, &cancelled).await, "CANCELLED");
    let sql = "SELECT n FROM UNNEST(sequence(1, 6000)) AS t (n)";
    let failed = start(&served, sql, WANTED).await;
    let described = put(&served, &failed).await;
    let told = (&described["QueryStatus"], &described["DeliveryStatus"]);
    assert_eq!(told, (&json!("FAILED"), &json!("FAILED")));
    expected.sort();
    assert_eq!(keys(&objects).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_s3_says_is_told_in_awss_words_and_fails_no_query() {
    let bench = bench().await;
    let s3 = S3::start(&["results"]).await.unwrap();
    let served = bench.serve_with(with(Arc::new(s3.client("results").unwrap()))).await;
    for (refused, code, expected) in [
        (403, "AccessDenied", "ACCESS_DENIED"),
        (404, "NoSuchBucket", "RESOURCE_NOT_FOUND"),
        (400, "KeyTooLongError", "FAILED"),
        (500, "InternalError", "FAILED"),
    ] {
        s3.spoil(move |_, asked| {
            (asked.method == "PUT").then_some(Spoiled::Refused(refused, code))
        });
        let id = start(&served, "SELECT 1 AS one", WANTED).await;
        let described = put(&served, &id).await;
        let told = (&described["QueryStatus"], &described["DeliveryStatus"]);
        assert_eq!(told, (&json!("FINISHED"), &json!(expected)), "{code}");
        assert!(described.get("ErrorMessage").is_none(), "{described}");
        let page = served.done("GetQueryResults", json!({ "QueryId": id })).await;
        assert_eq!(page["QueryResultRows"], json!([[{"one": "1"}]]));
    }
    s3.heal();
    let id = start(&served, "SELECT 1 AS one", WANTED).await;
    let described = put(&served, &id).await;
    assert_eq!(described["DeliveryStatus"], "SUCCESS");
    let file = std::fs::read(s3.bucket_folder("results").join(key(&described))).unwrap();
    assert_eq!(inflated(&file), "one\n1\n");
}

/// Starts a query whose answer does not come into its bucket; returns its id when it is on its way.
async fn stuck(served: &Served, s3: &S3) -> String {
    s3.spoil(|_, asked| (asked.method == "PUT").then_some(Spoiled::Late(NEVER)));
    let id = start(served, "SELECT 1 AS one", WANTED).await;
    while s3.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    s3.heal();
    let described = served.done("DescribeQuery", json!({ "QueryId": id })).await;
    let told = (&described["QueryStatus"], &described["DeliveryStatus"]);
    assert_eq!(told, (&json!("FINISHED"), &json!("PENDING")));
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_server_puts_what_was_on_its_way() {
    let bench = bench().await;
    let s3 = S3::start(&["results"]).await.unwrap();
    let client = || Arc::new(s3.client("results").unwrap());
    let served = bench.serve_with(with(client())).await;
    let gone = stuck(&served, &s3).await;
    let whole = stuck(&served, &s3).await;
    served.kill().await;
    std::fs::remove_file(bench.state_file(&format!("results/{gone}.arrow"))).unwrap();
    let served = bench.serve_with(with(client())).await;
    assert_eq!(status(&served, &gone).await, "FAILED");
    let described = put(&served, &whole).await;
    assert_eq!(described["DeliveryStatus"], "SUCCESS");
    let file = s3.bucket_folder("results").join(key(&described));
    assert_eq!(inflated(&std::fs::read(&file).unwrap()), "one\n1\n");
    // The same query is described alike by the server after that, and put once.
    std::fs::remove_file(&file).unwrap();
    let unlisted = stuck(&served, &s3).await;
    served.kill().await;
    let served = bench.serve().await;
    assert_eq!(status(&served, &unlisted).await, "ACCESS_DENIED");
    assert_eq!(status(&served, &whole).await, "SUCCESS");
    assert!(!file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_an_answer_that_is_on_its_way() {
    let bench = bench().await;
    let s3 = S3::start(&["results"]).await.unwrap();
    let options = with(Arc::new(s3.client("results").unwrap()));
    let served = bench.serve_until(Duration::from_secs(600), options).await;
    s3.spoil(|_, asked| (asked.method == "PUT").then_some(Spoiled::Late(500)));
    let id = start(&served, "SELECT 1 AS one", WANTED).await;
    served.over(&id).await;
    let described = served.done("DescribeQuery", json!({ "QueryId": id })).await;
    served.stop().await.unwrap();
    assert!(s3.bucket_folder("results").join(key(&described)).exists(), "{described}");
}
