//! `mentions`: which events hold a term, in whatever field.

use traillake_query::{EngineOptions, Error, Lookup};

use crate::ask::{ask, lines, refused};
use crate::lake::{Event, TestLake};

fn event(id: &str) -> Event {
    Event::new(id, "2024-05-01T00:00:00Z", "s3.amazonaws.com", "GetObject")
}

async fn lake() -> TestLake {
    let events = [
        event("typed").with("userIdentity_accessKeyId", "AKIAIOSFODNN7EXAMPLE"),
        event("arn")
            .with("userIdentity_arn", "arn:aws:iam::111122223333:user/AKIAIOSFODNN7EXAMPLE"),
        event("payload").with(
            "requestParameters",
            r#"{"keys":[{"id":"AKIAIOSFODNN7EXAMPLE","port":8443}],"10.0.0.10":null}"#,
        ),
        event("escaped")
            .with("responseElements", r#"{"a":"x\nAKIAIOSFODNN7EXAMPLE","b":"\/tmp\/x"}"#),
        event("unicode").with("eventContext", r#"{"a":"\u0041KIAIOSFODNN7EXAMPLE"}"#),
        event("longer").with("userAgent", "AKIAIOSFODNN7EXAMPLES xAKIAIOSFODNN7EXAMPLE"),
        event("key").with("additionalEventData", r#"{"AKIAIOSFODNN7EXAMPLE":true}"#),
        event("unknown").with("_unknown_fields", r#"{"userIdentity.newName":"203.0.113.7"}"#),
        event("raw").with("_raw_fields", r#"{"userAgent":["203.0.113.7"]}"#),
        event("bucket").on("AWS::S3::Object", "arn:aws:s3:::my-bucket/key").on("x", "203.0.113.7"),
        event("host").with("tlsDetails_clientProvidedHostHeader", "my-bucket.s3.amazonaws.com"),
        event("address").with("sourceIPAddress", "10.0.0.1"),
        event("network").with("sourceIPAddress", "10.0.0.10"),
        event("attributes")
            .with("userIdentity_webIdFederationData_attributes", r#"{"sub":"\u0031-2-3"}"#),
    ];
    TestLake::with(&[&events[..8], &events[8..]]).await
}

#[tokio::test]
async fn a_term_is_found_whole_in_every_kind_of_field() {
    let lake = lake().await;
    let engine = lake.engine().await;
    let everything = "arn attributes bucket escaped host key longer address network payload raw \
                      typed unicode unknown";
    let mut all: Vec<&str> = everything.split_whitespace().collect();
    all.sort_unstable();
    for (term, ids) in [
        ("AKIAIOSFODNN7EXAMPLE", "arn escaped key payload typed unicode"),
        ("AKIAIOSFODNN7", ""),
        ("akiaiosfodnn7example", ""),
        ("my-bucket", "bucket host"),
        ("arn:aws:s3:::my-bucket", "bucket"),
        ("10.0.0.1", "address"),
        ("10.0.0.10", "network payload"),
        ("203.0.113.7", "bucket raw unknown"),
        ("/tmp/x", "escaped"),
        ("1-2-3", "attributes"),
        ("x\nAKIAIOSFODNN7EXAMPLE", "escaped"),
        ("8443", "payload"),
        ("payload", "payload"),
        // Names of fields are no text of the event, nor are `true` and `null`, nor the shape.
        ("userIdentity.newName", ""),
        ("userAgent", ""),
        ("requestParameters", ""),
        ("null", ""),
        ("true", ""),
        ("2024-05", ""),
        ("s3.amazonaws.com", &all.join(" ")),
    ] {
        let quoted = term.replace('\'', "''");
        for table in ["events", "cloudtrail_logs"] {
            let sql = format!("SELECT eventID FROM {table} WHERE mentions('{quoted}') ORDER BY 1");
            assert_eq!(lines(&ask(&engine, &sql).await).join(" "), ids, "{table}: {term}");
        }
        let sql = format!("SELECT count(*) FROM events WHERE NOT mentions('{quoted}')");
        let others = 14 - ids.split_whitespace().count();
        assert_eq!(lines(&ask(&engine, &sql).await), [others.to_string()], "{term}");
    }
}

#[tokio::test]
async fn searches_stand_wherever_a_condition_can() {
    let lake = lake().await;
    let engine = lake.engine().await;
    for (sql, rows) in [
        (
            "SELECT eventID FROM events WHERE mentions('my-bucket') AND eventName = 'GetObject'
             ORDER BY 1",
            "bucket\nhost",
        ),
        (
            "SELECT eventID FROM events WHERE mentions('10.0.0.1') OR eventID = 'raw' ORDER BY 1",
            "address\nraw",
        ),
        (
            "SELECT mentions('my-bucket') AS hit, count(*) FROM events GROUP BY 1 ORDER BY 1",
            "false|12\ntrue|2",
        ),
        (
            "SELECT count_if(mentions('my-bucket')),
                    max(CASE WHEN mentions('10.0.0.1') THEN eventID END) FROM events",
            "2|address",
        ),
        (
            "SELECT eventID FROM events ORDER BY mentions('10.0.0.1') DESC, eventID LIMIT 2",
            "address\narn",
        ),
        ("SELECT mentions(NULL) FROM events LIMIT 1", "NULL"),
        (
            "SELECT eventID FROM (SELECT *, mentions('10.0.0.1') AS hit FROM events) WHERE hit",
            "address",
        ),
        (
            "WITH e AS (SELECT eventID FROM \"default\".events WHERE mentions('10.0.0.1'))
             SELECT * FROM e, e AS f",
            "address|address",
        ),
        (
            "SELECT eventID FROM events WHERE mentions('10.0.0.1')
             UNION ALL SELECT eventID FROM events e WHERE mentions('raw') ORDER BY 1",
            "address\nraw",
        ),
        (
            "SELECT eventID FROM events
             CROSS JOIN UNNEST(resources) AS r(accountId, type, arn, arnPrefix)
             WHERE mentions('my-bucket') AND r.type = 'x'",
            "bucket",
        ),
        (
            "SELECT e.eventID, f.eventID FROM events e JOIN events f
             ON mentions(F, '10.0.0.1') AND mentions(e, 'raw')",
            "raw|address",
        ),
        (
            "SELECT count(*) FROM events e WHERE eventID IN
             (SELECT eventID FROM events WHERE mentions('my-bucket') AND mentions(e, 'host'))",
            "1",
        ),
        (
            "SELECT count(*) FROM events
             WHERE mentions_any(ARRAY['10.0.0.1', 'my-bucket', 'nothing', NULL])",
            "3",
        ),
        ("SELECT count(*) FROM events WHERE mentions_any(ARRAY[])", "0"),
        (
            "SELECT mentioned(ARRAY['nothing', '10.0.0.10', 'AKIAIOSFODNN7EXAMPLE', 'payload'])
             FROM events WHERE eventID = 'payload'",
            "[10.0.0.10, AKIAIOSFODNN7EXAMPLE, payload]",
        ),
        (
            "SELECT t.x, eventID FROM events,
             (VALUES ('10.0.0.1'), ('10.0.0.10'), ('nothing')) AS t(x)
             WHERE mentions(t.x) ORDER BY 1, 2",
            "10.0.0.1|address\n10.0.0.10|network\n10.0.0.10|payload",
        ),
        ("SELECT count(*) FROM insights WHERE mentions('x')", "0"),
        // A string of that name is no search.
        ("SELECT count(*) FROM events WHERE eventName = 'mentions'", "0"),
    ] {
        assert_eq!(lines(&ask(&engine, sql).await).join("\n"), rows, "{sql}");
    }
    let all = ask(&engine, "SELECT * FROM events WHERE mentions('raw')").await;
    let plain = ask(&engine, "SELECT * FROM events WHERE eventID = 'raw'").await;
    assert_eq!((&all.headers, all.rows), (&plain.headers, plain.rows));
}

#[tokio::test]
async fn terms_come_from_a_table_beside_the_lake() {
    use arrow::array::{RecordBatch, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    let lake = lake().await;
    let terms: Vec<String> = (0..400).map(|n| format!("203.0.113.{n}")).collect();
    let schema = Schema::new(vec![Field::new("value", DataType::Utf8, true)]);
    let rows =
        RecordBatch::try_new(schema.into(), vec![std::sync::Arc::new(StringArray::from(terms))]);
    let lookups = vec![Lookup { name: "iocs".into(), batches: vec![rows.unwrap()] }];
    let options = EngineOptions { lookups, ..lake.options() };
    let engine = traillake_query::Engine::new(lake.lake.clone(), options).await.unwrap();
    for sql in [
        "SELECT eventID FROM events WHERE mentions_any((SELECT array_agg(value) FROM iocs)) ORDER BY 1",
        "SELECT eventID FROM events, iocs WHERE mentions(iocs.value) ORDER BY 1",
    ] {
        assert_eq!(lines(&ask(&engine, sql).await), ["bucket", "raw", "unknown"], "{sql}");
    }
}

#[tokio::test]
async fn a_search_that_cannot_be_says_why() {
    let lake = lake().await;
    let engine = lake.engine().await;
    for (sql, message) in [
        ("SELECT mentions('x')", "no table of events is in FROM here"),
        (
            "SELECT 1 FROM (SELECT eventID FROM events) WHERE mentions('x')",
            "no table of events is in FROM",
        ),
        ("SELECT 1 FROM system.objects WHERE mentions('x')", "no table of events is in FROM"),
        (
            "SELECT 1 FROM events a, events b WHERE mentions('x')",
            "hint: name one: `mentions(a, …)`",
        ),
        ("SELECT 1 FROM events a WHERE mentions(b, 'x')", "`b` is no table of events in FROM"),
        ("SELECT 1 FROM events WHERE mentions('x', 'y')", "takes (term) or (table, term)"),
        ("SELECT 1 FROM events WHERE mentions('')", "must not be empty"),
        ("SELECT 1 FROM events WHERE mentions(7)", "the term to look for is a varchar, not bigint"),
        (
            "SELECT 1 FROM events WHERE mentions(events, ARRAY['x'])",
            "the term to look for is a varchar, not array(varchar)",
        ),
        (
            "SELECT 1 FROM events WHERE mentions_any('x')",
            "the terms to look for are an array of varchars, not varchar",
        ),
        (
            "SELECT mentioned(ARRAY[7]) FROM events",
            "the terms to look for are an array of varchars, not array(bigint)",
        ),
    ] {
        let error: Error = refused(&engine, sql).await;
        assert!(error.render().contains(message), "{sql}\n{}", error.render());
    }
}
