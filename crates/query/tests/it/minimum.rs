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
