//! What costs much is made for result rows only.

use crate::ask::{exclusively, lines};
use crate::lake::{Event, TestLake};
use crate::pruning::WAYS;

async fn lake() -> TestLake {
    let events: Vec<Event> = (0..500)
        .map(|n| {
            let time = format!("2024-05-{:02}T{:02}:{:02}:00Z", n % 28 + 1, n % 24, n % 60);
            Event::new(&format!("e{n:03}"), &time, "s3.amazonaws.com", "GetObject")
                .with("requestParameters", &format!(r#"{{"bucketName":"b{}","key":"k"}}"#, n % 5))
        })
        .collect();
    TestLake::with(&[&events]).await
}

/// Runs `sql`; returns (rows, texts rebuilt, maps built).
async fn cost(lake: &TestLake, sql: &str) -> (u64, u64, u64) {
    let engine = lake.engine().await;
    let before = lake.rebuild.rows();
    let (read, maps) = exclusively(&engine, sql).await;
    (read.rows.len() as u64, lake.rebuild.rows() - before, maps)
}

#[tokio::test]
async fn texts_are_rebuilt_for_result_rows_only() {
    let lake = lake().await;
    for (sql, rows, rebuilt) in [
        ("SELECT eventID, eventJson FROM events ORDER BY eventTime DESC LIMIT 7", 7, 7),
        ("SELECT e.eventJson, e.eventJsonChecksum FROM (SELECT * , eventJson, eventJsonChecksum FROM events) e
          WHERE e.eventID = 'e003'", 1, 2),
        ("WITH last AS (SELECT eventJson AS text, eventTime FROM events)
          SELECT text FROM last ORDER BY eventTime DESC LIMIT 3", 3, 3),
        ("SELECT a.eventJson FROM events a JOIN events b ON a.eventID = b.eventID WHERE b.eventID = 'e010'", 1, 1),
        ("SELECT eventJson FROM events WHERE eventID = 'e001'
          UNION ALL SELECT eventJson FROM events WHERE eventID = 'e002'", 2, 2),
        ("SELECT * FROM events LIMIT 5", 5, 0),
    ] {
        let (got, texts, _) = cost(&lake, sql).await;
        assert_eq!((got, texts), (rows, rebuilt), "{sql}");
    }
}

#[tokio::test]
async fn a_text_that_is_computed_with_is_the_same_text() {
    let lake = lake().await;
    let engine = lake.engine().await;
    for (sql, row) in [
        (
            "SELECT json_extract_scalar(eventJson, '$.eventID') AS id FROM events WHERE eventID = 'e017'",
            "e017",
        ),
        ("SELECT count(*) FROM events WHERE eventJson LIKE '%\"e017\"%'", "1"),
        ("SELECT count(DISTINCT eventJson) FROM events", "500"),
        ("SELECT length(eventJsonChecksum) FROM events WHERE eventID = 'e017'", "64"),
        (
            "SELECT max(eventJson) FROM events WHERE eventID IN ('e001', 'e002')",
            r#"{"eventID":"e002","eventName":"GetObject"}"#,
        ),
        (
            "SELECT count(*) FROM events WHERE eventID = 'e001' AND eventJson IN (SELECT eventJson FROM events)",
            "1",
        ),
    ] {
        let (read, _) = exclusively(&engine, sql).await;
        assert_eq!(lines(&read), [row], "{sql}");
    }
}

#[tokio::test]
async fn maps_are_built_for_result_rows_only() {
    let lake = lake().await;
    for (sql, rows, maps) in [
        // Of ten maps in a row these events have one; NULL costs nothing.
        ("SELECT * FROM events ORDER BY eventTime DESC LIMIT 10", 10, 10),
        ("SELECT requestParameters FROM events ORDER BY eventTime DESC LIMIT 4", 4, 4),
        (
            "SELECT requestParameters['bucketName'], element_at(requestParameters, 'key') FROM events",
            500,
            0,
        ),
        ("SELECT requestParameters.bucketName, count(*) FROM events GROUP BY 1", 5, 0),
        (
            "SELECT a.eventID FROM events a JOIN events b
          ON a.requestParameters['bucketName'] = b.requestParameters['bucketName']
          WHERE b.eventID = 'e000' AND a.eventID < 'e010'",
            2,
            0,
        ),
        (
            "WITH r AS (SELECT requestParameters AS p, eventTime AS t FROM events)
          SELECT p FROM r ORDER BY t DESC LIMIT 2",
            2,
            2,
        ),
        ("SELECT count(*) FROM events WHERE cardinality(requestParameters) = 2", 1, 0),
    ] {
        let (got, _, built) = cost(&lake, sql).await;
        assert_eq!((got, built), (rows, maps), "{sql}");
    }
}

#[tokio::test]
async fn maps_cost_the_same_through_whatever_stands_between() {
    let lake = lake().await;
    for (before, from) in WAYS {
        for (sql, rows, maps) in [
            ("SELECT * FROM {e} ORDER BY eventTime DESC LIMIT 100", 100, 100),
            ("SELECT requestParameters['bucketName'], requestParameters['key'] FROM {e}", 500, 0),
            ("SELECT requestParameters['bucketName'], count(*) FROM {e} GROUP BY 1", 5, 0),
            (
                "SELECT e.eventID FROM {e} JOIN events b
                 ON e.requestParameters['bucketName'] = b.requestParameters['bucketName']
                 WHERE b.eventID = 'e000' AND e.eventID < 'e010'",
                2,
                0,
            ),
            (
                "SELECT requestParameters FROM {e} WHERE requestParameters['bucketName'] = 'b1'
                 ORDER BY eventTime LIMIT 3",
                3,
                3,
            ),
            (
                "SELECT DISTINCT requestParameters['bucketName'] FROM {e}
                WHERE cardinality(requestParameters) > 0",
                5,
                0,
            ),
        ] {
            let sql = sql.replace("{e}", from);
            let sql = format!("{before} {sql}");
            let (got, _, built) = cost(&lake, &sql).await;
            assert_eq!((got, built), (rows, maps), "{sql}");
        }
    }
    let twice =
        "WITH e AS (SELECT * FROM events) SELECT e.requestParameters, f.requestParameters['key']
                 FROM e JOIN e AS f ON e.eventID = f.eventID ORDER BY e.eventTime DESC LIMIT 6";
    let (got, _, built) = cost(&lake, twice).await;
    assert_eq!((got, built), (6, 6));
}

#[tokio::test]
async fn a_search_makes_no_text_and_no_map() {
    let lake = lake().await;
    let sql = "SELECT eventID FROM events WHERE mentions('b3') AND NOT mentions('e003')";
    assert_eq!(cost(&lake, sql).await, (99, 0, 0));
}
