//! Requests that no client would send: each gets an answer, and none is a fault of the server.

use std::time::Duration;

use serde_json::{Map, Value, json};
use traillake_testkit::random::Random;

use super::athena_session::{bench, call, request, run};
use super::served::Served;

const OPERATIONS: &[&str] = &[
    "StartQueryExecution",
    "GetQueryExecution",
    "BatchGetQueryExecution",
    "ListQueryExecutions",
    "StopQueryExecution",
    "GetQueryResults",
    "GetQueryRuntimeStatistics",
    "GetDataCatalog",
    "ListDataCatalogs",
    "GetDatabase",
    "ListDatabases",
    "GetTableMetadata",
    "ListTableMetadata",
    "GetWorkGroup",
    "ListWorkGroups",
    "ListEngineVersions",
    "CreateNamedQuery",
    "",
];

/// Every member of every request, with a value that is as it should be.
fn whole(id: &str) -> Value {
    json!({
        "QueryString": "SELECT 1 WHERE 1 = ?",
        "ExecutionParameters": ["1"],
        "ClientRequestToken": "0123456789abcdef0123456789abcdef",
        "QueryExecutionContext": {"Database": "default", "Catalog": "AwsDataCatalog"},
        "ResultConfiguration": {"OutputLocation": "s3://bucket/prefix/"},
        "WorkGroup": "primary",
        "QueryExecutionId": id,
        "QueryExecutionIds": [id],
        "NextToken": null,
        "MaxResults": 10,
        "QueryResultType": "DATA_ROWS",
        "Name": "AwsDataCatalog",
        "CatalogName": "AwsDataCatalog",
        "DatabaseName": "default",
        "TableName": "events",
        "Expression": "*",
    })
}

fn anything(random: &mut Random, depth: u64) -> Value {
    let texts = [
        "",
        "x",
        "'",
        "''",
        "'a' OR 1=1",
        "s3://",
        "s3://b/../..",
        "../../state.db",
        "*",
        ".*|^$\\",
        "%00",
        "\u{0}",
        "☃\u{202e}",
        "SELECT",
        "SELECT ?",
        "DROP TABLE events",
        "cmVzdWx0cyAx",
        "-1",
        "TIMESTAMP ''",
        "DATE 'x'",
        "1e999",
        "00000000-0000-0000-0000-000000000000",
    ];
    match random.below(if depth > 3 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => json!(random.chance(0.5)),
        2 => json!(random.pick(&[0_i64, 1, -1, 2, 50, 51, 1000, 1001, i64::MAX, i64::MIN])),
        3 => json!(random.pick(&[0.5, -1e300, 1e18])),
        4 => json!(random.pick(&texts)),
        5 => json!(random.pick(&texts).repeat(random.below(2000) as usize)),
        6 => (0..random.below(4)).map(|_| anything(random, depth + 1)).collect(),
        _ => {
            let names = ["Database", "Catalog", "OutputLocation", "Key", ""];
            let entries = (0..random.below(4))
                .map(|_| (random.pick(&names).to_owned(), anything(random, depth + 1)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(60), work).await;
    done.unwrap_or_else(|_| panic!("no answer: {what}"))
}

async fn lives(served: &Served) {
    assert_eq!(request(served, "GET", "/health", &[], "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_body_gets_an_answer() {
    let bench = bench().await;
    let served = bench.serve().await;
    let id = run(&served, "SELECT 1").await;
    let mut random = Random::new(7);
    for _ in 0..600 {
        let operation = random.pick(OPERATIONS);
        let mut body = whole(&id);
        let members = body.as_object_mut().unwrap();
        let names: Vec<String> = members.keys().cloned().collect();
        for _ in 0..random.below(4) {
            let name = names[random.below(names.len() as u64) as usize].clone();
            match random.chance(0.2) {
                true => drop(members.remove(&name)),
                false => drop(members.insert(name, anything(&mut random, 0))),
            }
        }
        if random.chance(0.05) {
            let link = random.pick(&["+1", "::varchar", " UNION ALL SELECT 1", " OR true", "[1]"]);
            let sql = format!("SELECT 1{}", link.repeat(random.below(20_000) as usize));
            body["QueryString"] = json!(sql);
        }
        let told = format!("{operation} {body}");
        let (status, answer) = within(&told, call(&served, operation, &body)).await;
        match status {
            200 => assert!(answer.is_object(), "{told}: {answer}"),
            400..=499 => assert!(answer["__type"].is_string(), "{told}: {answer}"),
            _ => panic!("{status} {told}: {answer}"),
        }
    }
    lives(&served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_gets_an_answer() {
    let bench = bench().await;
    let served = bench.serve().await;
    let id = run(&served, "SELECT 1").await;
    let mut random = Random::new(11);
    let parts = [
        "",
        ".",
        "..",
        "%2e%2e",
        "%2F",
        "%00",
        "%ff",
        "bucket",
        "traillake_results",
        "v1",
        "%zz",
        "+",
        "a".repeat(900).leak() as &str,
        "☃",
        "state.db",
        "results",
    ];
    let queries = [
        "",
        "?list-type=2",
        "?list-type=2&max-keys=-1",
        "?list-type=2&prefix=%00&delimiter=%ff",
        "?list-type=2&max-keys=0",
        "?location",
        "?delete",
        "?acl",
        "?a=b=c&&=",
        "?list-type=3",
        "?list-type=2&delimiter=s&prefix=%E2%98%83",
    ];
    let ranges = [
        "",
        "Range: bytes=0-",
        "Range: bytes=-",
        "Range: x",
        "Range: bytes=9-1",
        "If-Match: ",
        "If-None-Match: *",
        "Range: bytes=99999999999999999999-",
    ];
    for _ in 0..600 {
        let mut path = String::new();
        for _ in 0..random.below(4) + 1 {
            path += "/";
            path += &match random.chance(0.2) {
                true => format!("{id}.csv"),
                // A request's line is ASCII.
                false => random.pick(&parts).replace('☃', "%E2%98%83"),
            };
        }
        let method = random.pick(&["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "OPTIONS"]);
        let path = path + random.pick(&queries);
        let header = random.pick(&ranges);
        let headers: &[&str] = if header.is_empty() { &[] } else { &[header] };
        let body = random.pick(&["", "<Delete><Object><Key>", "<Key>&;&#x110000;</Key>", "{}"]);
        let told = format!("{method} {path} {header}");
        let answer = within(&told, request(&served, method, &path, headers, body)).await;
        assert!(answer.status < 500 || answer.status == 501, "{} {told}", answer.status);
    }
    lives(&served).await;
}
