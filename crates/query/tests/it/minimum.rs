//! What everything else stands on.

use crate::ask::{ask, lines};
use crate::lake::{Event, TestLake};

#[tokio::test]
async fn counts_events_and_gives_back_their_text() {
    let lake = TestLake::with(&[
        &[Event::new("e1", "2024-05-01T00:00:00Z", "s3.amazonaws.com", "ListBuckets")],
        &[
            Event::new("e2", "2024-06-01T00:00:00Z", "iam.amazonaws.com", "CreateUser"),
            Event::new("e3", "2024-06-02T00:00:00Z", "iam.amazonaws.com", "DeleteUser"),
        ],
    ])
    .await;
    lake.commit("default", &[], &[br#"{"eventName":"x"}"#, &[0xff]]).await;
    let engine = lake.engine().await;

    assert_eq!(lines(&ask(&engine, "SELECT count(*) AS n FROM events").await), ["3"]);
    let read = ask(&engine, "SELECT eventID, eventJson FROM events ORDER BY eventID").await;
    assert_eq!(read.headers, ["eventID", "eventJson"]);
    assert_eq!(read.rows[1], ["e2", r#"{"eventID":"e2","eventName":"CreateUser"}"#]);
    let sums =
        "SELECT coalesce(sum(records), 0) AS records, sum(stored) AS stored, sum(rejects) AS r
                FROM system.objects";
    assert_eq!(lines(&ask(&engine, sums).await), ["5|3|2"]);
    assert_eq!(lines(&ask(&engine, "SELECT count(*) AS n FROM rejects").await), ["2"]);
    let rejects = "SELECT reason, json_extract_scalar(record, '$.eventName') AS name, \"offset\"
                   FROM system.rejects ORDER BY \"index\"";
    assert_eq!(
        lines(&ask(&engine, rejects).await),
        ["no `eventTime`|x|7", "no `eventTime`|NULL|7"]
    );
}

#[tokio::test]
async fn explain_says_what_is_read_and_analyze_what_was() {
    let lake = TestLake::with(&[
        &[Event::new("e1", "2024-05-01T00:00:00Z", "s3.amazonaws.com", "ListBuckets")],
        &[
            Event::new("e2", "2024-06-01T00:00:00Z", "iam.amazonaws.com", "CreateUser"),
            Event::new("e3", "2024-06-01T00:00:00Z", "iam.amazonaws.com", "DeleteUser"),
        ],
    ])
    .await;
    let engine = lake.engine().await;
    let sql = "SELECT eventName, count(*) FROM events WHERE eventTime >= '2024-06-01' GROUP BY 1";
    let planned = ask(&engine, &format!("EXPLAIN {sql}")).await;
    assert_eq!(planned.headers, ["Query Plan"]);
    let shown = lines(&planned).join("\n");
    assert!(shown.starts_with("table default.events: 1 of 2 files may hold wanted rows (2 rows,"));
    assert!(shown.contains("pushed down: eventTime >= timestamp '2024-06-01 00:00:00'"), "{shown}");
    assert!(shown.contains("group by eventName: count"), "{shown}");
    assert_eq!(planned.answer.statistics().bytes_read, 0);

    let analyzed = lines(&ask(&engine, &format!("EXPLAIN ANALYZE {sql}")).await).join("\n");
    assert!(analyzed.starts_with("2 rows; read 1 of 2 files, "), "{analyzed}");
    assert!(analyzed.contains("read: 1 files, 1 row groups (0 skipped)"), "{analyzed}");
    assert!(analyzed.contains("rows: 2 looked at, 2 matched"), "{analyzed}");
}

#[tokio::test]
async fn explain_tells_what_rules_files_out_and_what_only_rows_can_tell() {
    let lake = TestLake::with(&[
        &[Event::new("e1", "2024-05-01T00:00:00Z", "s3.amazonaws.com", "ListBuckets")],
        &[Event::new("e2", "2024-06-01T00:00:00Z", "iam.amazonaws.com", "CreateUser")],
    ])
    .await;
    let engine = lake.engine().await;
    let explain =
        async |sql: &str| lines(&ask(&engine, &format!("EXPLAIN {sql}")).await).join("\n");

    let searched = explain(
        "SELECT eventName FROM events WHERE mentions('x') AND eventID = 'e1' AND length(eventName) > 3",
    )
    .await;
    assert!(searched.contains("pushed down, tells rows only: mentions('x')"), "{searched}");
    assert!(searched.contains("pushed down: eventID = 'e1'"), "{searched}");
    assert!(searched.contains("tells rows only: length(eventName) >"), "{searched}");
    assert!(searched.contains("keep rows where"), "{searched}");
    let reckoned =
        explain("SELECT eventName FROM events WHERE (length(eventName) % 5 + 1) * 2 > 3 * 4").await;
    assert!(reckoned.contains("(length(eventName) % 5 + 1) * 2 > 12"), "{reckoned}");
    let either = explain(
        "SELECT eventID FROM events WHERE eventName = 'a' AND 9 - (length(eventID) - 1) > 2 \
         OR eventID = 'b' AND (eventName = 'c' OR awsRegion = 'd')",
    )
    .await;
    assert!(either.contains("9 - (length(eventID) - 1) > 2 OR"), "{either}");
    assert!(either.contains("AND (eventName = 'c' OR awsRegion = 'd')"), "{either}");
    let narrow = explain("SELECT eventName FROM events").await;
    assert!(narrow.contains("2 of 2 files may hold wanted rows (2 rows, "), "{narrow}");
    assert!(narrow.contains("), 1 of "), "{narrow}");
    let counted = explain("SELECT count(*) FROM events").await;
    assert!(counted.contains("answered from the log alone: no file is opened"), "{counted}");
    assert!(!narrow.contains("no file is opened"), "{narrow}");
    assert!(explain("SELECT 1").await.starts_with("reads no table of the lake"));

    let analyzed = ask(&engine, "EXPLAIN ANALYZE SELECT eventID FROM events").await;
    let shown = lines(&analyzed).join("\n");
    let number = |before: &str| -> u64 {
        let (text, _) = shown.split_once(before).unwrap_or_else(|| panic!("{before}\n{shown}"));
        let digits = text.rsplit(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse().ok()).unwrap()
    };
    let (columns, footers) =
        (number(" bytes of columns and bloom filters"), number(" of footers and page indexes"));
    assert!(columns > 0 && footers > 0, "{shown}");
    assert_eq!(number(" bytes in "), columns + footers, "{shown}");
    assert_eq!(analyzed.answer.statistics().bytes_read, columns + footers);
    assert!(number(" requests") >= 4, "{shown}");
}
