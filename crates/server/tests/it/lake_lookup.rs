//! LookupEvents: which events an attribute finds, in which order, with their original text.

use serde_json::{Value, json};

use crate::served::{Bench, Served};

/// One record: number, second, identity, and what differs from the others.
fn record(number: u32, second: u32, identity: &str, more: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{identity},"eventTime":"2024-03-01T10:00:{second:02}Z",{more}"awsRegion":"eu-central-1","eventID":"e{number}","recipientAccountId":"111122223333"}}"#
    )
}

const ALICE: &str = r#"{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/alice","accessKeyId":"AKIAALICE","userName":"alice"}"#;
const ROLE: &str = r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:deploy","arn":"arn:aws:sts::111122223333:assumed-role/ci/deploy","accessKeyId":"ASIADEPLOY","sessionContext":{"sessionIssuer":{"type":"Role","userName":"ci"}}}"#;
const ROOT: &str = r#"{"type":"Root","principalId":"111122223333","userName":"the-account"}"#;
const SERVICE: &str = r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#;
const FEDERATED: &str = r#"{"type":"FederatedUser","principalId":"111122223333:bob"}"#;

const GET: &str = r#""eventSource":"s3.amazonaws.com","eventName":"GetObject","readOnly":true,"#;
const PUT: &str = r#""eventSource":"s3.amazonaws.com","eventName":"PutObject","readOnly":false,"#;
const LOGIN: &str =
    r#""eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","readOnly":false,"#;
const ASSUME: &str = r#""eventSource":"sts.amazonaws.com","eventName":"AssumeRole","#;

fn records() -> Vec<String> {
    let object = |text: &str, arn: &str| {
        format!(
            r#"{text}"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{arn}"}},{{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::reports"}}],"#
        )
    };
    let bucket = |name: &str| format!(r#"{PUT}"requestParameters":{{"bucketName":"{name}"}},"#);
    vec![
        record(0, 0, ALICE, &object(GET, "reports/2024/q1.csv")),
        record(1, 10, ALICE, &bucket("reports")),
        record(2, 20, ROLE, &bucket("other-reports")),
        record(3, 30, ROOT, LOGIN),
        record(4, 40, SERVICE, &format!("{ASSUME}\"requestParameters\":null,")),
        record(5, 50, FEDERATED, &object(GET, "reports/ü 🦀.csv")),
        record(6, 55, ROLE, &format!(r#"{LOGIN}"userAgent":"a\/b \u003d","#)),
    ]
}

fn ids(answer: &Value) -> Vec<&str> {
    let events = answer["Events"].as_array().unwrap();
    events.iter().map(|event| event["EventId"].as_str().unwrap()).collect()
}

fn by(key: &str, value: &str) -> Value {
    json!({"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]})
}

async fn check(served: &Served, body: Value, expected: &[&str]) {
    let answer = served.done("LookupEvents", body.clone()).await;
    assert_eq!(ids(&answer), expected, "{body}");
    assert_eq!(answer["NextToken"], Value::Null, "{body}");
}

#[tokio::test]
async fn each_attribute_finds_its_events_newest_first() {
    let bench = Bench::with(&records()).await;
    let served = bench.serve().await;
    for (key, value, expected) in [
        ("EventId", "e3", &["e3"][..]),
        ("EventId", "' OR '1' = '1", &[]),
        ("EventName", "GetObject", &["e5", "e0"]),
        ("EventName", "getobject", &[]),
        ("EventSource", "sts.amazonaws.com", &["e4"]),
        ("ReadOnly", "true", &["e5", "e0"]),
        ("ReadOnly", "false", &["e6", "e3", "e2", "e1"]),
        ("AccessKeyId", "ASIADEPLOY", &["e6", "e2"]),
        ("Username", "alice", &["e1", "e0"]),
        ("Username", "deploy", &["e6", "e2"]),
        ("Username", "root", &["e3"]),
        ("Username", "bob", &["e5"]),
        ("Username", "ec2.amazonaws.com", &[]),
        ("ResourceType", "AWS::S3::Object", &["e5", "e0"]),
        ("ResourceType", "AWS::S3", &[]),
        ("ResourceName", "reports", &["e5", "e1", "e0"]),
        ("ResourceName", "arn:aws:s3:::reports/2024/q1.csv", &["e0"]),
        ("ResourceName", "q1.csv", &["e0"]),
        ("ResourceName", "ü 🦀.csv", &["e5"]),
        ("ResourceName", "%", &[]),
        ("ResourceName", "_____ts", &[]),
    ] {
        check(&served, by(key, value), expected).await;
    }
    check(&served, json!({}), &["e6", "e5", "e4", "e3", "e2", "e1", "e0"]).await;
    check(&served, json!({"LookupAttributes": []}), &["e6", "e5", "e4", "e3", "e2", "e1", "e0"])
        .await;
    let start = 1_709_287_200;
    for (from, until, expected) in [
        (json!(start + 20), json!(start + 40), &["e4", "e3", "e2"][..]),
        (json!(f64::from(start) + 20.5), json!(start + 40), &["e4", "e3"]),
        (json!(start + 50), Value::Null, &["e6", "e5"]),
        (Value::Null, json!(start), &["e0"]),
        (Value::Null, json!(0), &[]),
    ] {
        check(&served, json!({"StartTime": from, "EndTime": until}), expected).await;
    }
    let mut both = by("ReadOnly", "true");
    both["EndTime"] = json!(start + 49);
    check(&served, both, &["e0"]).await;
}

#[tokio::test]
async fn an_event_has_awss_members_and_its_own_text() {
    let records = records();
    let bench = Bench::with(&records).await;
    let served = bench.serve().await;
    let answer = served.done("LookupEvents", json!({})).await;
    for (event, record) in answer["Events"].as_array().unwrap().iter().zip(records.iter().rev()) {
        assert_eq!(event["CloudTrailEvent"], json!(record));
    }
    let mut login = answer["Events"][0].clone();
    login.as_object_mut().unwrap().remove("CloudTrailEvent");
    let expected = json!({
        "EventId": "e6", "EventName": "ConsoleLogin", "ReadOnly": "false",
        "AccessKeyId": "ASIADEPLOY", "EventTime": 1_709_287_255,
        "EventSource": "signin.amazonaws.com", "Username": "deploy", "Resources": [],
    });
    assert_eq!(login, expected);
    assert_eq!(
        answer["Events"][6]["Resources"],
        json!([
            {"ResourceType": "AWS::S3::Object", "ResourceName": "arn:aws:s3:::reports/2024/q1.csv"},
            {"ResourceType": "AWS::S3::Bucket", "ResourceName": "arn:aws:s3:::reports"},
        ])
    );
    let service = answer["Events"][2].as_object().unwrap();
    assert!(!service.contains_key("Username") && !service.contains_key("ReadOnly"), "{service:?}");
}

#[tokio::test]
async fn pages_hold_every_event_once_also_where_many_have_one_time() {
    let bench = Bench::with(&[]).await;
    let mut all: Vec<String> =
        (0..60).map(|number| record(number, number / 25, SERVICE, GET)).collect();
    bench.bring_in("default", &all).await;
    let more: Vec<String> = (60..70).map(|number| record(number, 1, SERVICE, GET)).collect();
    bench.bring_in("default", &more).await;
    all.extend(more);
    all.sort();
    let served = bench.serve().await;
    for size in [Value::Null, json!(9)] {
        let mut found = Vec::new();
        let mut body = by("EventName", "GetObject");
        body["MaxResults"] = size.clone();
        loop {
            let answer = served.done("LookupEvents", body.clone()).await;
            let page = answer["Events"].as_array().unwrap();
            assert!(page.len() <= size.as_u64().unwrap_or(50) as usize);
            found.extend(page.iter().map(|event| {
                (event["EventTime"].as_i64().unwrap(), event["CloudTrailEvent"].clone())
            }));
            body["NextToken"] = answer["NextToken"].clone();
            if body["NextToken"].is_null() {
                break;
            }
        }
        assert!(found.is_sorted_by(|(a, _), (b, _)| a >= b));
        let mut texts: Vec<_> =
            found.iter().map(|(_, text)| text.as_str().unwrap().to_owned()).collect();
        texts.sort();
        assert_eq!(texts, all);
    }
    let mut body = by("EventName", "GetObject");
    body["NextToken"] = served.done("LookupEvents", body.clone()).await["NextToken"].clone();
    body["LookupAttributes"][0]["AttributeValue"] = "PutObject".into();
    assert_eq!(served.refused("LookupEvents", body).await, "InvalidNextTokenException");
}

#[tokio::test]
async fn insights_events_are_a_category_of_their_own() {
    let insight = r#"{"eventVersion":"1.07","eventTime":"2024-03-01T12:00:00Z","awsRegion":"us-east-1","eventID":"i1","eventType":"AwsCloudTrailInsight","recipientAccountId":"111122223333","sharedEventID":"s1","insightDetails":{"state":"Start","eventSource":"autoscaling.amazonaws.com","eventName":"CompleteLifecycleAction","insightType":"ApiCallRateInsight"},"eventCategory":"Insight"}"#;
    let bench = Bench::with(&[records()[0].clone(), insight.to_owned()]).await;
    let served = bench.serve().await;
    let insights = |key: &str, value: &str| {
        let mut body = by(key, value);
        body["EventCategory"] = "insight".into();
        body
    };
    check(&served, json!({}), &["e0"]).await;
    check(&served, json!({"EventCategory": "insight"}), &["i1"]).await;
    check(&served, insights("EventId", "i1"), &["i1"]).await;
    check(&served, insights("EventName", "CompleteLifecycleAction"), &["i1"]).await;
    check(&served, insights("EventSource", "s3.amazonaws.com"), &[]).await;
    let answer = served.done("LookupEvents", json!({"EventCategory": "insight"})).await;
    let expected = json!({
        "EventId": "i1", "EventName": "CompleteLifecycleAction", "EventTime": 1_709_294_400,
        "EventSource": "autoscaling.amazonaws.com", "Resources": [], "CloudTrailEvent": insight,
    });
    assert_eq!(answer["Events"][0], expected);
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_refused() {
    let bench = Bench::with(&records()[..1]).await;
    let served = bench.serve().await;
    let two = json!({"LookupAttributes": [
        {"AttributeKey": "EventId", "AttributeValue": "e1"},
        {"AttributeKey": "EventName", "AttributeValue": "x"},
    ]});
    let insight = |key: &str| {
        let mut body = by(key, "x");
        body["EventCategory"] = "insight".into();
        body
    };
    for (body, name) in [
        (by("Region", "x"), "InvalidLookupAttributesException"),
        (by("EventId", ""), "InvalidLookupAttributesException"),
        (by("EventId", &"x".repeat(2_001)), "InvalidLookupAttributesException"),
        (by("ReadOnly", "True"), "InvalidLookupAttributesException"),
        (two, "InvalidLookupAttributesException"),
        (insight("Username"), "InvalidLookupAttributesException"),
        (
            json!({"LookupAttributes": [{"AttributeKey": "EventId"}]}),
            "InvalidLookupAttributesException",
        ),
        (json!({"LookupAttributes": ["EventId"]}), "SerializationException"),
        (json!({"LookupAttributes": "EventId"}), "SerializationException"),
        (
            json!({"LookupAttributes": [{"AttributeKey": 1, "AttributeValue": "x"}]}),
            "SerializationException",
        ),
        (json!({"StartTime": 2, "EndTime": 1}), "InvalidTimeRangeException"),
        (json!({"StartTime": "2024-03-01"}), "SerializationException"),
        (json!({"StartTime": 9e17}), "SerializationException"),
        (json!({"EventCategory": "data"}), "InvalidEventCategoryException"),
        (json!({"MaxResults": 51}), "InvalidMaxResultsException"),
        (json!({"MaxResults": 0}), "InvalidMaxResultsException"),
        (json!({"NextToken": "abcd"}), "InvalidNextTokenException"),
    ] {
        assert_eq!(served.refused("LookupEvents", body.clone()).await, name, "{body}");
    }
}
