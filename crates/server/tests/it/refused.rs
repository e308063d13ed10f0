//! Statements that are refused before they can run: the history tells of each, whatever was wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::athena_session::{bench, request};
use crate::served::Served;
use crate::trino_rest::{Client, ENDLESS};

/// What the history says of all that was refused, oldest first: protocol, statement, message.
async fn history(served: &Served) -> Vec<[String; 3]> {
    let listed = served.got("/v1/queries").await;
    let queries = listed["queries"].as_array().unwrap().iter().rev();
    let failed = queries.filter(|query| query["status"] == "FAILED");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    failed
        .map(|query| [&query["protocol"], &query["sql"], &query["error"]["message"]].map(text))
        .collect()
}

#[tokio::test]
async fn whatever_is_wrong_with_a_statement_it_is_remembered() {
    let bench = bench().await;
    let served = bench.serve().await;
    let long = format!("SELECT '{}'", "é".repeat(140_000));
    let sql = ["Content-Type: application/sql"];
    let json = ["Content-Type: application/json"];
    let mut expected = Vec::new();

    request(&served, "POST", "/v1/query", &sql, &long).await;
    Client::of(&served).ask(&long).await;
    served
        .post("AmazonAthena.StartQueryExecution", &json!({ "QueryString": long }).to_string())
        .await;
    served.call("StartQuery", &json!({ "QueryStatement": long })).await;
    for protocol in ["http", "trino", "athena"] {
        expected.push((protocol, "SELECT 'éé", "280009 bytes; the limit is 262144"));
    }
    expected.push(("lake", "SELECT 'éé", "10000"));

    let body = r#"{"sql": "SELECT :a", "parameters": {"a": {"b": 1}}}"#;
    request(&served, "POST", "/v1/query", &json, body).await;
    expected.push(("http", "SELECT :a", "cannot be the value of a parameter"));
    request(&served, "GET", "/v1/query?sql=SELECT+7&timeout=-1", &[], "").await;
    expected.push(("http", "SELECT 7", "`timeout` cannot be -1 s"));
    request(&served, "GET", "/v1/query?sql=SELECT+8&timeout=soon", &[], "").await;
    expected.push(("http", "SELECT 8", "`timeout=soon` cannot be read"));
    request(&served, "POST", "/v1/query?p=1&p.a=2", &sql, "SELECT 9").await;
    expected.push(("http", "SELECT 9", "not both"));
    let body = json!({"QueryString": "SELECT ?", "ExecutionParameters": [""]});
    served.post("AmazonAthena.StartQueryExecution", &body.to_string()).await;
    expected.push(("athena", "SELECT ?", "ExecutionParameters"));
    let body = json!({"QueryStatement": "SELECT ?", "QueryParameters": vec!["1"; 11]});
    served.call("StartQuery", &body).await;
    expected.push(("lake", "SELECT ?", "more than 10 values"));
    let body = json!({"QueryStatement": "SELECT 1", "DeliveryS3Uri": "s3://elsewhere/x"});
    served.call("StartQuery", &body).await;
    expected.push(("lake", "SELECT 1", "no place that this server's configuration lists"));

    let found = history(&served).await;
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ([protocol, sql, message], (of, begins, told)) in found.iter().zip(expected) {
        assert_eq!(protocol, of, "{message}");
        assert!(sql.starts_with(begins) && message.contains(told), "{protocol}: {message}");
        // Of what is too long its beginning is kept.
        assert!(sql.len() < 1_100, "{protocol}: {}", sql.len());
    }
}

#[tokio::test]
async fn those_that_find_no_place_are_counted() {
    let bench = bench().await;
    let served = bench.serve_narrow().await;
    let start = async |sql: &str| {
        let body = json!({ "QueryString": sql }).to_string();
        served.post("AmazonAthena.StartQueryExecution", &body).await
    };
    start(ENDLESS).await;
    while start(ENDLESS).await.0 == 200 {}
    for _ in 0..20 {
        assert_eq!(start("SELECT 2").await.1["__type"], "TooManyRequestsException");
    }
    // However they fall into seconds, every one is told of.
    let told = "1 statements of yours wait already; the limit is 1";
    let counted = async || {
        let mut count = 0;
        for [_, _, message] in history(&served).await {
            let together = message.strip_prefix(told).expect("a refusal");
            count += match together.strip_prefix(" (") {
                None => 1,
                Some(rest) => {
                    let (many, rest) = rest.split_once(' ').unwrap();
                    assert_eq!(rest, "statements were refused so within a second)");
                    many.parse::<u32>().unwrap()
                }
            };
        }
        count
    };
    for _ in 0..600 {
        if counted().await == 21 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(counted().await, 21);
    assert!(history(&served).await.len() < 21, "one a second is remembered");
}
