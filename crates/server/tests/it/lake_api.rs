//! CloudTrail Lake's queries: what they answer, in which shape, and what they refuse.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use traillake_query::Parameters;
use traillake_server::{Sample, SampleParameter, Samples};

use crate::served::{Bench, Served};
use crate::trino_rest::ENDLESS;

fn record(number: usize, more: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","principalId":"AIDA{number:04}","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","userName":"alice"}},"eventTime":"2024-03-01T10:{:02}:{:02}Z","eventSource":"s3.amazonaws.com","eventName":"PutBucketPolicy","awsRegion":"eu-central-1","sourceIPAddress":"192.0.2.1","userAgent":"Größe 東京 🦀",{more}"requestID":"r{number}","eventID":"00000000-0000-4000-8000-{number:012}","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}}"#,
        number / 60,
        number % 60
    )
}

/// Two events, of the requests `r1` and `r2`.
pub async fn bench() -> Bench {
    let parameters = r#""requestParameters":{"bucketName":"logs","policy":{"Statement":[{"Effect":"Allow"}]},"force":true},"responseElements":null,"#;
    Bench::with(&[record(1, parameters), record(2, "")]).await
}

async fn rows(served: &Served, sql: &str) -> Value {
    let id = served.run(sql).await;
    let answer = served.done("GetQueryResults", json!({ "QueryId": id })).await;
    assert_eq!(answer["QueryStatus"], "FINISHED", "{sql}: {answer}");
    answer["QueryResultRows"].clone()
}

#[tokio::test]
async fn a_row_is_a_list_of_named_texts() {
    let bench = bench().await;
    let served = bench.serve().await;
    for (sql, expected) in [
        (
            "SELECT eventid, userIdentity.principalid, userIdentity.principalId, eventTime, \
             readOnly, useragent, errorCode FROM events WHERE requestID = 'r1'",
            json!([[
                {"eventid": "00000000-0000-4000-8000-000000000001"},
                {"principalid": "AIDA0001"},
                {"principalId": "AIDA0001"},
                {"eventTime": "2024-03-01 10:00:01.000"},
                {"readOnly": "false"},
                {"useragent": "Größe 東京 🦀"},
                {"errorCode": ""},
            ]]),
        ),
        (
            "SELECT requestParameters, element_at(requestParameters, 'bucketName'), \
             responseElements FROM events ORDER BY eventID",
            json!([
                [
                    {"requestParameters":
                        "{bucketName=logs, policy={\"Statement\":[{\"Effect\":\"Allow\"}]}, force=true}"},
                    {"_col1": "logs"},
                    {"responseElements": ""},
                ],
                [{"requestParameters": ""}, {"_col1": ""}, {"responseElements": ""}],
            ]),
        ),
        (
            "SELECT 1, CAST(2.5 AS decimal(4, 2)), 1e7, nan(), '', NULL, ARRAY['a', NULL], ARRAY[], \
             map(ARRAY['k', 'l'], ARRAY[1, NULL]), date '2024-02-29', \
             timestamp '2024-02-29 01:02:03.456789', x'00ff', -infinity(), count(*) AS n",
            json!([[
                {"_col0": "1"}, {"_col1": "2.50"}, {"_col2": "1.0E7"}, {"_col3": "NaN"},
                {"_col4": ""}, {"_col5": ""}, {"_col6": "[a, null]"}, {"_col7": "[]"},
                {"_col8": "{k=1, l=null}"}, {"_col9": "2024-02-29"},
                {"_col10": "2024-02-29 01:02:03.456789"}, {"_col11": "00ff"},
                {"_col12": "-Infinity"}, {"n": "1"},
            ]]),
        ),
        (
            "SELECT CAST(ROW(1, 'x') AS ROW(a integer, b varchar)) AS r, 1 AS r",
            json!([[{"r": "{a=1, b=x}"}, {"r": "1"}]]),
        ),
        ("SELECT eventID FROM events WHERE eventName = 'Nothing'", json!([])),
    ] {
        assert_eq!(rows(&served, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn pages_are_the_same_after_the_server_was_killed() {
    let bench = bench().await;
    let served = bench.serve().await;
    let sql = "SELECT n, concat('é', CAST(n AS varchar)) FROM UNNEST(sequence(1, 2345)) AS t (n) \
               ORDER BY n";
    let id = served.run(sql).await;
    let first = served.done("GetQueryResults", json!({ "QueryId": id })).await;
    assert_eq!(first["QueryResultRows"].as_array().unwrap().len(), 1_000);
    let counts = json!({"ResultsCount": 1_000, "TotalResultsCount": 2_345, "BytesScanned": 0});
    assert_eq!(first["QueryStatistics"], counts);
    let token = first["NextToken"].clone();
    let second = json!({"QueryId": id, "NextToken": token, "MaxQueryResults": 700});
    let before = served.done("GetQueryResults", second.clone()).await;
    let running = served.done("StartQuery", json!({ "QueryStatement": ENDLESS })).await;
    served.kill().await;

    let served = bench.serve().await;
    assert_eq!(served.done("GetQueryResults", json!({ "QueryId": id })).await, first);
    assert_eq!(served.done("GetQueryResults", second).await, before);
    let mut seen = 1_700;
    let mut token = before["NextToken"].clone();
    while !token.is_null() {
        let next = json!({"QueryId": id, "NextToken": token, "MaxQueryResults": 200});
        let page = served.done("GetQueryResults", next).await;
        for row in page["QueryResultRows"].as_array().unwrap() {
            seen += 1;
            assert_eq!(row, &json!([{"n": seen.to_string()}, {"_col1": format!("é{seen}")}]));
        }
        token = page["NextToken"].clone();
    }
    assert_eq!(seen, 2_345);
    let left = json!({ "QueryId": running["QueryId"] });
    let left = served.done("GetQueryResults", left).await;
    assert_eq!((&left["QueryStatus"], &left["QueryResultRows"]), (&json!("FAILED"), &json!([])));
    assert_eq!(left["ErrorMessage"], "the server was stopped while the query ran");
}

#[tokio::test]
async fn long_rows_make_short_pages() {
    let bench = bench().await;
    let served = bench.serve().await;
    let sql =
        "SELECT n, lpad('', 200000, 'x') AS x FROM UNNEST(sequence(1, 100)) AS t (n) ORDER BY n";
    let id = served.run(sql).await;
    let (mut seen, mut pages) = (0, 0);
    let mut body = json!({ "QueryId": id });
    while pages == 0 || !body["NextToken"].is_null() {
        let page = served.done("GetQueryResults", body.clone()).await;
        for row in page["QueryResultRows"].as_array().unwrap() {
            seen += 1;
            assert_eq!(row[0]["n"], seen.to_string());
        }
        pages += 1;
        body["NextToken"] = page["NextToken"].clone();
    }
    assert_eq!((seen, pages), (100, 3));
}

#[tokio::test]
async fn a_token_is_good_for_what_it_was_given_out_for() {
    let bench = bench().await;
    let served = bench.serve().await;
    let sql = "SELECT n FROM UNNEST(sequence(1, 9)) AS t (n)";
    let (id, other) = (served.run(sql).await, served.run(sql).await);
    let page = json!({"QueryId": id, "MaxQueryResults": 2});
    let token = served.done("GetQueryResults", page).await["NextToken"].clone();
    let text = token.as_str().unwrap();
    let listed = json!({"EventDataStore": "default", "MaxResults": 1});
    let of_list = served.done("ListQueries", listed).await["NextToken"].clone();
    let refused = "InvalidNextTokenException";
    for (id, token) in [
        (&other, token.clone()),
        (&id, of_list),
        (&id, json!("")),
        (&id, json!("MTIz")),
        (&id, json!(7)),
        (&id, json!(format!("{text}A"))),
        (&id, json!(text[..text.len() - 1])),
        (&id, json!(text.replacen(&text[..1], if text.starts_with('A') { "B" } else { "A" }, 1))),
    ] {
        let body = json!({"QueryId": id, "NextToken": token});
        assert_eq!(served.refused("GetQueryResults", body).await, refused, "{token}");
    }
    let body = json!({"EventDataStore": "default", "NextToken": token});
    assert_eq!(served.refused("ListQueries", body).await, refused);
    served.done("GetQueryResults", json!({"QueryId": id, "NextToken": token})).await;
}

#[tokio::test]
async fn values_are_bound_and_an_alias_finds_the_last_query_of_its_name() {
    let bench = bench().await;
    let since = SampleParameter {
        name: "since".into(),
        kind: "time".into(),
        default: Some("7d".into()),
        about: "how far back to look".into(),
    };
    let who =
        SampleParameter { name: "who".into(), kind: "text".into(), default: None, ..since.clone() };
    let sample = Sample {
        name: "of-a-user".into(),
        title: "What a user did".into(),
        question: "What did this user do?".into(),
        sql: "SELECT eventName FROM events WHERE userIdentity.userName = :who AND \
              eventTime >= :since ORDER BY eventID"
            .into(),
        parameters: vec![who, since],
    };
    // What a value means is not the server's to know.
    let read_values = |name: &str, values: &[&str], now: DateTime<Utc>| -> Result<_, String> {
        assert_eq!(name, "of-a-user");
        let who = values.first().ok_or("who is missing")?;
        let since = match values.get(1) {
            None | Some(&"24h") => now,
            Some(text) => text.parse().map_err(|_| format!("`{text}` is no time"))?,
        };
        let mut read = Parameters::default();
        read.named.insert("who".into(), traillake_query::Value::Text((*who).to_owned()));
        read.named
            .insert("since".into(), traillake_query::Value::Timestamp(since.timestamp_micros()));
        Ok(read)
    };
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            let read_values = Arc::new(read_values);
            options.samples = Samples { all: [sample].into(), read_values };
        })
        .await;
    let answer = |body: Value| async {
        let id = served.done("StartQuery", body).await["QueryId"].as_str().unwrap().to_owned();
        served.over(&id).await;
        let page = served.done("GetQueryResults", json!({ "QueryId": id })).await;
        (id, page["QueryResultRows"].as_array().unwrap().len())
    };
    let sql =
        "SELECT eventID FROM events WHERE eventTime > ? AND readOnly = ? AND eventID <> ? LIMIT ?";
    let values = json!(["2024-03-01 10:00:01", "false", "' OR 1 = 1 --", "5"]);
    let body = json!({"QueryStatement": sql, "QueryParameters": values, "QueryAlias": "mine"});
    let (first, count) = answer(body.clone()).await;
    assert_eq!(count, 1);
    let described = served.done("DescribeQuery", json!({"QueryAlias": "mine"})).await;
    assert_eq!((&described["QueryId"], &described["QueryString"]), (&json!(first), &json!(sql)));
    let (second, _) = answer(body).await;
    let described = served.done("DescribeQuery", json!({"QueryAlias": "mine"})).await;
    assert_eq!(described["QueryId"], json!(second));

    let sample = |values: Value| json!({"QueryAlias": "of-a-user", "QueryParameters": values});
    assert_eq!(answer(sample(json!(["alice", "2024-03-01T00:00:00Z"]))).await.1, 2);
    assert_eq!(answer(sample(json!(["alice", "2024-03-01T10:00:02Z"]))).await.1, 1);
    assert_eq!(answer(sample(json!(["alice", "24h"]))).await.1, 0);
    assert_eq!(answer(sample(json!(["alice"]))).await.1, 0);
    for values in [json!([]), json!(["alice", "soon"]), json!(["alice", "1d", "more"])] {
        let name = served.refused("StartQuery", sample(values)).await;
        assert_eq!(name, "InvalidParameterException");
    }
}

#[tokio::test]
async fn a_query_is_described_and_listed() {
    let bench = bench().await;
    bench.bring_in("archive", &[record(3, "")]).await;
    let served = bench.serve().await;
    let counted = served.run("SELECT count(*) FROM events WHERE requestID = 'r1'").await;
    let archived = served.run("SELECT eventID FROM archive.events").await;
    served.done("LookupEvents", json!({})).await;

    let described = served.done("DescribeQuery", json!({ "QueryId": counted })).await;
    let statistics = &described["QueryStatistics"];
    assert_eq!(described["QueryStatus"], "FINISHED");
    assert_eq!(
        (&statistics["EventsMatched"], &statistics["EventsScanned"]),
        (&json!(1), &json!(2))
    );
    assert!(statistics["BytesScanned"].as_u64().unwrap() > 0, "{described}");
    assert!(statistics["ExecutionTimeInMillis"].as_u64().is_some(), "{described}");
    let created = statistics["CreationTime"].as_f64().unwrap();
    assert!((created - chrono::Utc::now().timestamp() as f64).abs() < 600.0, "{described}");

    let list = |body: Value| async {
        let answer = served.done("ListQueries", body).await;
        let queries = answer["Queries"].as_array().unwrap().clone();
        let ids: Vec<String> =
            queries.iter().map(|query| query["QueryId"].as_str().unwrap().to_owned()).collect();
        (ids, answer["NextToken"].clone())
    };
    let of = |store: &str| json!({ "EventDataStore": store });
    assert_eq!(list(of("default")).await.0, [archived.clone(), counted.clone()]);
    assert_eq!(list(of("archive")).await.0, std::slice::from_ref(&archived));
    let mut body = of("default");
    body["MaxResults"] = 1.into();
    let (first, token) = list(body.clone()).await;
    body["NextToken"] = token;
    let (second, token) = list(body).await;
    assert_eq!((first, second, token), (vec![archived], vec![counted], Value::Null));
    for (member, value, count) in [
        ("QueryStatus", json!("FINISHED"), 2),
        ("QueryStatus", json!("CANCELLED"), 0),
        ("StartTime", json!(created - 0.001), 2),
        ("StartTime", json!(created + 600.0), 0),
        ("EndTime", json!(created - 0.001), 0),
        ("EndTime", json!(created + 600.0), 2),
    ] {
        let mut body = of("default");
        body[member] = value;
        assert_eq!(list(body.clone()).await.0.len(), count, "{body}");
    }
}

#[tokio::test]
async fn a_running_query_has_a_status_and_can_be_cancelled() {
    let bench = bench().await;
    let served = bench.serve_narrow().await;
    let start = async || {
        let started = served.done("StartQuery", json!({ "QueryStatement": ENDLESS })).await;
        json!({ "QueryId": started["QueryId"] })
    };
    let status = async |id: &Value| {
        served.done("DescribeQuery", id.clone()).await["QueryStatus"].as_str().unwrap().to_owned()
    };
    let running = start().await;
    while status(&running).await != "RUNNING" {}
    let answer = served.done("GetQueryResults", running.clone()).await;
    assert_eq!(
        (&answer["QueryStatus"], &answer["QueryResultRows"]),
        (&json!("RUNNING"), &json!([]))
    );
    let waiting = start().await;
    assert_eq!(status(&waiting).await, "QUEUED");
    // The one that waits must have reached the queue, which it does by itself.
    let full = json!({ "QueryStatement": "SELECT 1" });
    let mut refused = served.call("StartQuery", &full).await;
    for _ in 0..100 {
        if refused.0 != 200 {
            break;
        }
        let id = json!({ "QueryId": refused.1["QueryId"] });
        let _ = served.call("CancelQuery", &id).await;
        refused = served.call("StartQuery", &full).await;
    }
    assert_eq!((refused.0, &refused.1["__type"]), (400, &json!("MaxConcurrentQueriesException")));
    // One a second of each user is remembered.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let body = r#"{"QueryString": "SELECT 2"}"#;
    let (_, answer) = served.post("AmazonAthena.StartQueryExecution", body).await;
    assert_eq!(answer["__type"], "TooManyRequestsException", "{answer}");
    for id in [running, waiting] {
        let mut expected = id.clone();
        expected["QueryStatus"] = "CANCELLED".into();
        assert_eq!(served.done("CancelQuery", id.clone()).await, expected);
        assert_eq!(served.refused("CancelQuery", id.clone()).await, "InactiveQueryException");
        let answer = served.done("GetQueryResults", id).await;
        assert_eq!(answer["QueryStatus"], "CANCELLED");
        assert_eq!(answer["QueryResultRows"], json!([]));
    }
    assert_eq!(rows(&served, "SELECT 1").await, json!([[{"_col0": "1"}]]));
    // Whoever was refused is seen, too.
    let told = "1 statements of yours wait already; the limit is 1";
    let refused = format!(
        "SELECT query_id, query, protocol FROM system.queries WHERE error = '{told}' ORDER BY query"
    );
    let refused = rows(&served, &refused).await;
    let of = |row: usize| (&refused[row][1]["query"], &refused[row][2]["protocol"]);
    assert_eq!(of(0), (&json!("SELECT 1"), &json!("lake")), "{refused}");
    assert_eq!(of(1), (&json!("SELECT 2"), &json!("athena")), "{refused}");
    // But nobody was given its id, and AWS lists what has one.
    let of_the_store = json!({ "EventDataStore": "default", "MaxResults": 1_000 });
    let listed = served.done("ListQueries", of_the_store).await;
    let id = &refused[0][0]["query_id"];
    let listed = listed["Queries"].as_array().unwrap();
    assert!(listed.len() > 2 && listed.iter().all(|query| query["QueryId"] != *id), "{listed:?}");
    let (_, listed) = served.post("AmazonAthena.ListQueryExecutions", "{}").await;
    assert_eq!(listed["QueryExecutionIds"], json!([]));
}

#[tokio::test]
async fn nobody_sees_what_another_asked_or_may_not_see() {
    let bench = bench().await;
    bench.bring_in("archive", &[record(3, ""), record(4, ""), record(5, "")]).await;
    let (alice, bob) = (bench.token("alice", None), bench.token("bob", Some(&["archive"])));
    let mut served = bench.serve_with(|_| ()).await;
    assert_eq!(served.refused("ListPublicKeys", json!({})).await, "UnrecognizedClientException");
    served.token = Some(alice);
    let id = served.run("SELECT n FROM UNNEST(sequence(1, 9)) AS t (n)").await;
    let page = json!({"QueryId": id, "MaxQueryResults": 2});
    let token = served.done("GetQueryResults", page).await["NextToken"].clone();
    let sql = "SELECT 1 AS \"mine\"";
    served.done("StartQuery", json!({"QueryStatement": sql, "QueryAlias": "mine"})).await;
    let stores = served.done("ListEventDataStores", json!({})).await;
    let names: Vec<&Value> =
        stores["EventDataStores"].as_array().unwrap().iter().map(|store| &store["Name"]).collect();
    assert_eq!(names, [&json!("archive"), &json!("default")]);
    let arn = stores["EventDataStores"][1]["EventDataStoreArn"].as_str().unwrap();
    let hidden = arn.rsplit('/').next().unwrap();

    served.token = Some(bob);
    let missing = json!({"QueryId": "5b4ee85f-d26f-4a5c-97ac-9b5a7b2cc35b"});
    for operation in ["DescribeQuery", "GetQueryResults", "CancelQuery"] {
        let (status, answer) = served.call(operation, &json!({ "QueryId": id })).await;
        let (_, unknown) = served.call(operation, &missing).await;
        let text = answer.to_string().replace(&id, missing["QueryId"].as_str().unwrap());
        assert_eq!((status, text), (400, unknown.to_string()), "{operation}");
    }
    let stolen = json!({"QueryId": id, "NextToken": token});
    assert_eq!(served.refused("GetQueryResults", stolen).await, "QueryIdNotFoundException");
    let name = served.refused("DescribeQuery", json!({"QueryAlias": "mine"})).await;
    assert_eq!(name, "QueryIdNotFoundException");
    for operation in ["GetEventDataStore", "ListQueries"] {
        let name = served.refused(operation, json!({"EventDataStore": "default"})).await;
        assert_eq!(name, "EventDataStoreNotFoundException");
    }
    let listed = served.done("ListQueries", json!({"EventDataStore": "archive"})).await;
    assert_eq!(listed["Queries"], json!([]));
    let stores = served.done("ListEventDataStores", json!({})).await;
    assert_eq!(stores["EventDataStores"].as_array().unwrap().len(), 1);
    assert_eq!(rows(&served, "SELECT count(*) FROM events").await, json!([[{"_col0": "3"}]]));
    let looked = served.done("LookupEvents", json!({})).await;
    assert_eq!(looked["Events"].as_array().unwrap().len(), 3);
    // To bob `default` is a database that is not here, and such a name counts for nothing.
    let sql = "SELECT count(*) FROM default.events";
    assert_eq!(rows(&served, sql).await, json!([[{"_col0": "3"}]]));
    let peek = json!({"QueryStatement": format!("SELECT * FROM {hidden}")});
    let name = served.refused("StartQuery", peek).await;
    assert_eq!(name, "EventDataStoreNotFoundException");
}

#[tokio::test]
async fn a_store_goes_by_its_arn_its_id_and_its_name() {
    let bench = bench().await;
    bench.bring_in("archive", &[record(3, "")]).await;
    let served = bench.serve().await;
    let first = served.done("ListEventDataStores", json!({"MaxResults": 1})).await;
    let store = first["EventDataStores"][0].clone();
    let second = json!({"MaxResults": 1, "NextToken": first["NextToken"]});
    let second = served.done("ListEventDataStores", second).await;
    assert_eq!((&store["Name"], &store["Status"]), (&json!("archive"), &json!("ENABLED")));
    assert_eq!(second["EventDataStores"][0]["Name"], "default");
    assert_eq!(second["NextToken"], Value::Null);
    let arn = store["EventDataStoreArn"].as_str().unwrap();
    let id = arn.rsplit('/').next().unwrap();
    let of_aws = format!("arn:aws:cloudtrail:eu-central-1:111122223333:eventdatastore/{id}");
    for name in ["archive", arn, id, &id.to_uppercase(), &of_aws] {
        let found = served.done("GetEventDataStore", json!({"EventDataStore": name})).await;
        assert_eq!(found, store, "{name}");
    }
    let count = rows(&served, &format!("SELECT count(*) FROM {id}")).await;
    assert_eq!(count, json!([[{"_col0": "1"}]]));
}

#[tokio::test]
async fn sample_queries_are_found_by_words() {
    let bench = bench().await;
    let sample = |name: &str, title: &str| Sample {
        name: name.into(),
        title: title.into(),
        question: "Who did it?".into(),
        sql: "SELECT eventName FROM events".into(),
        parameters: vec![SampleParameter {
            name: "since".into(),
            kind: "time".into(),
            default: Some("7d".into()),
            about: "how far back to look".into(),
        }],
    };
    let samples = [
        sample("failed-logins", "Failed logins"),
        sample("root-account", "What the root account did"),
        sample("new-logins", "Logins that are new"),
    ];
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.samples = Samples { all: samples.into(), ..Samples::default() };
        })
        .await;
    let mut body = json!({"SearchPhrase": "failed login", "MaxResults": 1});
    let first = served.done("SearchSampleQueries", body.clone()).await;
    let found = json!([{
        "Name": "failed-logins",
        "Description": "Failed logins. Who did it? Parameter 1 is `since` (time, default 7d): \
                        how far back to look.",
        "SQL": "SELECT eventName FROM events",
        "Relevance": 1.0,
    }]);
    assert_eq!(first["SearchResults"], found);
    body["NextToken"] = first["NextToken"].clone();
    let second = served.done("SearchSampleQueries", body.clone()).await;
    assert_eq!(second["SearchResults"][0]["Name"], "new-logins");
    assert_eq!(second["NextToken"], Value::Null);
    body["SearchPhrase"] = "another".into();
    assert_eq!(served.refused("SearchSampleQueries", body).await, "InvalidNextTokenException");
}
