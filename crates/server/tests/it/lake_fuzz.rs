//! Whatever a body holds, an operation answers it or refuses it in AWS's words.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::served::Bench;
use crate::spoiled::scalar;

const OPERATIONS: [&str; 11] = [
    "StartQuery",
    "DescribeQuery",
    "GetQueryResults",
    "CancelQuery",
    "ListQueries",
    "ListEventDataStores",
    "GetEventDataStore",
    "LookupEvents",
    "SearchSampleQueries",
    "ListPublicKeys",
    "CreateTrail",
];

/// Members that some operation reads.
const MEMBERS: [&str; 19] = [
    "QueryStatement",
    "QueryAlias",
    "QueryParameters",
    "DeliveryS3Uri",
    "EventDataStoreOwnerAccountId",
    "EventDataStore",
    "QueryId",
    "RefreshId",
    "NextToken",
    "MaxQueryResults",
    "MaxResults",
    "StartTime",
    "EndTime",
    "QueryStatus",
    "LookupAttributes",
    "EventCategory",
    "SearchPhrase",
    "AttributeKey",
    "AttributeValue",
];

/// Values that are nearly right, and any others. `known` are an id and a token that exist.
fn value(known: Vec<String>) -> impl Strategy<Value = Value> {
    let words = [
        "SELECT 1",
        "SELECT eventName FROM events WHERE eventID = ?",
        "SELECT ((((((((((1))))))))))",
        "default",
        "arn:aws:cloudtrail:x:1:eventdatastore/y",
        "FINISHED",
        "EventName",
        "insight",
        "",
        "\u{0}",
        "🦀",
    ];
    let long =
        ["+1", "::varchar", " OR true", "["].map(|link| format!("SELECT 1{}", link.repeat(999)));
    let words: Vec<String> =
        words.into_iter().map(str::to_owned).chain(long).chain(known).collect();
    let scalar = scalar(words);
    scalar.prop_recursive(3, 16, 4, |inner| {
        let attribute = (inner.clone(), inner.clone())
            .prop_map(|(key, value)| json!([{"AttributeKey": key, "AttributeValue": value}]));
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(&MEMBERS[..]), inner, 0..4)
                .prop_map(|members| json!(members)),
            attribute,
        ]
    })
}

fn request(known: Vec<String>) -> impl Strategy<Value = (&'static str, Value)> {
    let name = prop_oneof![
        9 => prop::sample::select(&MEMBERS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let members = prop::collection::vec((name, value(known)), 0..6);
    (prop::sample::select(&OPERATIONS[..]), members).prop_map(|(operation, members)| {
        (operation, Value::Object(members.into_iter().collect::<Map<_, _>>()))
    })
}

#[tokio::test]
async fn every_body_is_answered_or_refused() {
    let bench = Bench::with(&[
        r#"{"eventTime":"2024-03-01T10:00:00Z","eventSource":"a","eventName":"b"}"#.to_owned(),
    ])
    .await;
    let served = bench.serve().await;
    let id = served.run("SELECT n FROM UNNEST(sequence(1, 9)) AS t (n)").await;
    let page = json!({"QueryId": id, "MaxQueryResults": 2});
    let token = served.done("GetQueryResults", page).await["NextToken"].clone();
    let known = vec![id, token.as_str().unwrap().to_owned()];
    let requests = request(known);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..600 {
        let (operation, body) = requests.new_tree(&mut runner).unwrap().current();
        let call = tokio::time::timeout(Duration::from_secs(60), served.call(operation, &body));
        let (status, answer) = call.await.unwrap_or_else(|_| panic!("{operation} {body} hangs"));
        match status {
            200 => answered += 1,
            400..500 if answer["__type"].is_string() && answer["message"].is_string() => {
                refused += 1;
            }
            status => panic!("{operation} {body}: {status} {answer}"),
        }
    }
    assert!(answered > 50 && refused > 50, "{answered} answered, {refused} refused");
}
