//! Bodies for the APIs of AWS that were JSON once: whatever bytes they have, each is answered, or
//! refused in AWS's words.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::athena_session::request;
use crate::lake_api::bench;
use crate::served::Served;
use crate::spoiled::spoiled;

/// What may stand in place of a piece: JSON's own signs, and what it does not allow.
const PIECES: &str = "[\\[\\]{}\",:]{0,3}|[0-9eE.+-]{1,4}|null|true|\\\\u[dD]8[0-9a-f]{2}|\\\\[nx/]|[\u{0}-\u{1f}]|é";
const LAKE: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.";
const ATHENA: &str = "AmazonAthena.";

/// A text with bytes that are none, or cut off.
fn broken(text: String) -> impl Strategy<Value = Vec<u8>> {
    let odd = prop_oneof![Just(0_u8), 0x80..=0xff_u8];
    (any::<prop::sample::Index>(), odd, 0..4_u8).prop_map(move |(at, byte, what)| {
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len() + 1);
        match what {
            0 => bytes.insert(at, byte),
            1 => bytes.truncate(at),
            _ => {}
        }
        bytes
    })
}

async fn check(served: &Served, target: &str, body: &[u8]) -> u16 {
    let told = format!("{target} {}", String::from_utf8_lossy(&body[..body.len().min(500)]));
    let lines =
        ["Content-Type: application/x-amz-json-1.1".to_owned(), format!("X-Amz-Target: {target}")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let asked = request(served, "POST", "/", &lines, body);
    let answer = tokio::time::timeout(Duration::from_secs(60), asked).await;
    let answer = answer.unwrap_or_else(|_| panic!("no answer: {told}"));
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match answer.status {
        200 => assert!(json.is_object(), "{told}: {json}"),
        400..=499 => assert!(json["__type"].is_string(), "{told}: {json}"),
        status => panic!("{status} {told}: {json}"),
    }
    answer.status
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_bytes_a_body_has_it_is_answered_or_refused() {
    let bench = bench().await;
    let served = bench.serve().await;
    let id = served.run("SELECT 1").await;
    let attributes = json!([{"AttributeKey": "EventName", "AttributeValue": "GetObject"}]);
    let bodies = [
        (LAKE, "StartQuery", json!({"QueryStatement": "SELECT 1", "QueryParameters": ["a"]})),
        (LAKE, "GetQueryResults", json!({"QueryId": id, "MaxQueryResults": 2})),
        (LAKE, "ListQueries", json!({"StartTime": 1.5e9, "QueryStatus": "FINISHED"})),
        (LAKE, "LookupEvents", json!({"LookupAttributes": attributes, "EndTime": 1.7e9})),
        (
            ATHENA,
            "StartQueryExecution",
            json!({
                "QueryString": "SELECT ?", "ExecutionParameters": ["1"],
                "QueryExecutionContext": {"Database": "default"},
                "ClientRequestToken": "0123456789abcdef0123456789abcdef",
            }),
        ),
        (ATHENA, "GetQueryResults", json!({"QueryExecutionId": id, "MaxResults": 1})),
        (ATHENA, "BatchGetQueryExecution", json!({"QueryExecutionIds": [id]})),
    ];
    let mut runner = TestRunner::deterministic();
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..60 {
        for (api, operation, body) in &bodies {
            let spoils = spoiled(body.to_string(), PIECES, 0..3).prop_flat_map(broken);
            let body = spoils.new_tree(&mut runner).unwrap().current();
            match check(&served, &format!("{api}{operation}"), &body).await {
                200 => answered += 1,
                _ => refused += 1,
            }
        }
    }
    assert!(answered > 40 && refused > 200, "{answered} answered, {refused} refused");

    let deep = |open: &str| open.repeat(100_000);
    let odd = ["", "null", "[]", "1e999", "\u{feff}{}", "{}{}", "{\"a\":1,\"a\":2}", "\"{}\""];
    for body in odd.into_iter().map(str::to_owned).chain([deep("["), deep("{\"a\":")]) {
        for (api, operation, _) in &bodies {
            check(&served, &format!("{api}{operation}"), body.as_bytes()).await;
        }
    }
    assert_eq!(request(&served, "GET", "/health", &[], "").await.status, 200);
}
