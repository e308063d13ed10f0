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

#[tokio::test]
async fn a_store_that_is_to_be_deleted_is_shown_and_answers_nothing() {
    let bench = bench().await;
    bench.bring_in("other", &[]).await;
    let served = bench.serve().await;
    bench.delete("default").await;
    let statement = json!({"QueryStatement": "SELECT count(*) FROM events"});
    for (operation, body) in [("StartQuery", statement), ("LookupEvents", json!({}))] {
        let (status, refused) = served.call(operation, &body).await;
        assert_eq!((status, &refused["__type"]), (400, &json!("InactiveEventDataStoreException")));
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains("store `default` is to be deleted"), "{message}");
    }
    let listed = served.done("ListEventDataStores", json!({})).await;
    let of = |store: &serde_json::Value| (store["Name"].clone(), store["Status"].clone());
    let stores: Vec<_> = listed["EventDataStores"].as_array().unwrap().iter().map(of).collect();
    let expected = [("default", "PENDING_DELETION"), ("other", "ENABLED")];
    assert_eq!(stores, expected.map(|(name, status)| (name.into(), status.into())));
    let found = served.done("GetEventDataStore", json!({"EventDataStore": "default"})).await;
    assert_eq!(found["Status"], "PENDING_DELETION");
    let (status, told) = served.get("/v1/query?sql=SELECT+1").await;
    assert_eq!(status, 409, "{told}");
    assert!(told.to_string().contains("is to be deleted"), "{told}");
    let stores = served.got("/v1/stores").await;
    assert_eq!(stores["stores"].as_array().map(Vec::len), Some(2), "{stores}");
}
