//! What CloudTrail Lake's operations refuse, by the name AWS has for it.

use serde_json::json;

use crate::lake_api::bench;

#[tokio::test]
async fn what_is_refused_has_awss_name() {
    let bench = bench().await;
    let served = bench.serve().await;
    let finished = served.run("SELECT 1").await;
    let missing = "5b4ee85f-d26f-4a5c-97ac-9b5a7b2cc35b";
    let long = "x".repeat(10_001);
    for (operation, body, name) in [
        (
            "StartQuery",
            json!({"QueryStatement": "SELECT eventNme FROM events"}),
            "InvalidQueryStatementException",
        ),
        (
            "StartQuery",
            json!({"QueryStatement": "SELECT eventName + 1 FROM events"}),
            "InvalidQueryStatementException",
        ),
        (
            "StartQuery",
            json!({"QueryStatement": "DROP TABLE events"}),
            "InvalidQueryStatementException",
        ),
        (
            "StartQuery",
            json!({"QueryStatement": "SELECT 1; SELECT 2"}),
            "InvalidQueryStatementException",
        ),
        (
            "StartQuery",
            json!({"QueryStatement": "SELECT * FROM events WHERE eventID = ?"}),
            "InvalidQueryStatementException",
        ),
        (
            "StartQuery",
            json!({"QueryStatement": "SELECT 1", "QueryParameters": ["x"]}),
            "InvalidQueryStatementException",
        ),
        (
            "StartQuery",
            json!({"QueryStatement": "SELECT * FROM '/etc/passwd'"}),
            "InvalidQueryStatementException",
        ),
        (
            "StartQuery",
            json!({"QueryStatement": format!("SELECT * FROM {missing}")}),
            "EventDataStoreNotFoundException",
        ),
        ("StartQuery", json!({"QueryStatement": long}), "InvalidParameterException"),
        ("StartQuery", json!({"QueryStatement": ""}), "InvalidParameterException"),
        ("StartQuery", json!({}), "InvalidParameterException"),
        ("StartQuery", json!({"QueryAlias": "no-such-sample"}), "InvalidParameterException"),
        (
            "StartQuery",
            json!({"QueryStatement": "SELECT 1", "QueryParameters": [""]}),
            "InvalidParameterException",
        ),
        ("StartQuery", json!({"QueryStatement": 1}), "SerializationException"),
        (
            "StartQuery",
            json!({"QueryStatement": "SELECT 1", "QueryParameters": "x"}),
            "SerializationException",
        ),
        (
            "StartQuery",
            json!({"QueryStatement": "SELECT 1", "DeliveryS3Uri": "s3://bucket/prefix"}),
            "OperationNotPermittedException",
        ),
        (
            "StartQuery",
            json!({"QueryStatement": "SELECT 1", "DeliveryS3Uri": "/tmp/x"}),
            "OperationNotPermittedException",
        ),
        ("DescribeQuery", json!({}), "InvalidParameterException"),
        (
            "DescribeQuery",
            json!({"QueryId": missing, "QueryAlias": "x"}),
            "InvalidParameterException",
        ),
        ("DescribeQuery", json!({"QueryId": missing}), "QueryIdNotFoundException"),
        ("DescribeQuery", json!({"QueryId": "x".repeat(36)}), "QueryIdNotFoundException"),
        ("DescribeQuery", json!({"QueryId": "x"}), "InvalidParameterException"),
        ("DescribeQuery", json!({"QueryAlias": "x"}), "QueryIdNotFoundException"),
        (
            "DescribeQuery",
            json!({"QueryId": finished, "EventDataStore": "nowhere"}),
            "EventDataStoreNotFoundException",
        ),
        ("GetQueryResults", json!({}), "InvalidParameterException"),
        ("GetQueryResults", json!({"QueryId": missing}), "QueryIdNotFoundException"),
        (
            "GetQueryResults",
            json!({"QueryId": finished, "MaxQueryResults": 0}),
            "InvalidMaxResultsException",
        ),
        (
            "GetQueryResults",
            json!({"QueryId": finished, "MaxQueryResults": 1001}),
            "InvalidMaxResultsException",
        ),
        (
            "GetQueryResults",
            json!({"QueryId": finished, "MaxQueryResults": "2"}),
            "SerializationException",
        ),
        ("CancelQuery", json!({"QueryId": missing}), "QueryIdNotFoundException"),
        ("CancelQuery", json!({"QueryId": finished}), "InactiveQueryException"),
        ("ListQueries", json!({}), "InvalidParameterException"),
        ("ListQueries", json!({"EventDataStore": missing}), "EventDataStoreNotFoundException"),
        (
            "ListQueries",
            json!({"EventDataStore": "arn:aws:s3:::bucket"}),
            "EventDataStoreARNInvalidException",
        ),
        ("ListQueries", json!({"EventDataStore": "../default"}), "EventDataStoreNotFoundException"),
        ("ListQueries", json!({"EventDataStore": "a b"}), "EventDataStoreARNInvalidException"),
        (
            "ListQueries",
            json!({"EventDataStore": "default", "MaxResults": -1}),
            "InvalidMaxResultsException",
        ),
        (
            "ListQueries",
            json!({"EventDataStore": "default", "QueryStatus": "DONE"}),
            "InvalidQueryStatusException",
        ),
        (
            "ListQueries",
            json!({"EventDataStore": "default", "StartTime": 2, "EndTime": 1}),
            "InvalidDateRangeException",
        ),
        (
            "ListQueries",
            json!({"EventDataStore": "default", "StartTime": 1e300}),
            "SerializationException",
        ),
        ("GetEventDataStore", json!({}), "InvalidParameterException"),
        (
            "GetEventDataStore",
            json!({"EventDataStore": missing}),
            "EventDataStoreNotFoundException",
        ),
        ("ListEventDataStores", json!({"MaxResults": 1001}), "InvalidMaxResultsException"),
        ("ListEventDataStores", json!({"NextToken": "abcd"}), "InvalidNextTokenException"),
        ("SearchSampleQueries", json!({}), "InvalidParameterException"),
        ("SearchSampleQueries", json!({"SearchPhrase": "x"}), "InvalidParameterException"),
        ("ListPublicKeys", json!({"StartTime": 2, "EndTime": 1}), "InvalidTimeRangeException"),
        ("ListPublicKeys", json!({"NextToken": "abcd"}), "InvalidTokenException"),
        ("CreateEventDataStore", json!({"Name": "new"}), "UnsupportedOperationException"),
        (
            "DeleteEventDataStore",
            json!({"EventDataStore": "default"}),
            "UnsupportedOperationException",
        ),
        ("GenerateQuery", json!({}), "UnsupportedOperationException"),
    ] {
        assert_eq!(served.refused(operation, body.clone()).await, name, "{operation} {body}");
    }
    let wrong = json!({"QueryStatement": "SELECT eventNme FROM events"});
    let (_, answer) = served.call("StartQuery", &wrong).await;
    assert!(answer["message"].as_str().unwrap().contains("eventName"), "{answer}");
    for (body, target) in
        [("[1]", "CloudTrail_20131101.ListQueries"), ("{", "CloudTrail_20131101.ListQueries")]
    {
        let (status, answer) = served.post(target, body).await;
        assert_eq!((status, &answer["__type"]), (400, &json!("SerializationException")));
    }
    let (status, answer) = served.post("CloudTrail_20131101.ListPublicKeys", "").await;
    assert_eq!((status, answer), (200, json!({"PublicKeyList": []})));
}
