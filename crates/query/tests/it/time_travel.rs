//! Older states, narrower sessions, and reasons for empty answers.

use traillake_query::{Engine, EngineOptions};
use traillake_store::At;

use crate::ask::{ask, lines};
use crate::lake::{Event, TestLake, now, spec};

async fn lake() -> TestLake {
    TestLake::with(&[
        &[
            Event::new("e1", "2024-05-01T00:00:00Z", "s3.amazonaws.com", "CreateBucket"),
            Event::new("e2", "2024-05-20T00:00:00Z", "iam.amazonaws.com", "CreateUser"),
        ],
        &[Event::new("e3", "2024-06-01T00:00:00Z", "iam.amazonaws.com", "DeleteUser")],
    ])
    .await
}

async fn with(lake: &TestLake, change: impl FnOnce(&mut EngineOptions)) -> Engine {
    let mut options = lake.options();
    change(&mut options);
    Engine::new(lake.lake.clone(), options).await.unwrap()
}

#[tokio::test]
async fn an_older_state_answers_as_it_did() {
    let lake = lake().await;
    let then = with(&lake, |options| options.at = Some(At::Token(1))).await;
    let read =
        ask(&then, "SELECT count(*), (SELECT sum(stored) FROM system.objects) FROM events").await;
    assert_eq!((lines(&read), read.answer.snapshots[0].token), (vec!["2|2".to_string()], 1));
    let latest = lake.engine().await;
    let read = ask(&latest, "SELECT count(*) FROM events").await;
    assert_eq!((lines(&read), read.answer.snapshots[0].token), (vec!["3".to_string()], 2));
}

#[tokio::test]
async fn an_engine_sees_what_was_committed_since() {
    let lake = lake().await;
    let engine = lake.engine().await;
    assert_eq!(lines(&ask(&engine, "SELECT count(*) FROM events").await), ["3"]);
    let more = Event::new("e4", "2024-06-02T00:00:00Z", "iam.amazonaws.com", "DeleteUser");
    lake.commit("default", &[more], &[]).await;
    assert_eq!(lines(&ask(&engine, "SELECT count(*) FROM events").await), ["4"]);
}

#[tokio::test]
async fn since_and_until_narrow_record_tables_and_say_so() {
    let lake = lake().await;
    let engine = with(&lake, |options| {
        options.since = Some("2024-05-10T00:00:00Z".parse().unwrap());
        options.until = Some("2024-06-01T00:00:00Z".parse().unwrap());
    })
    .await;
    let read = ask(&engine, "SELECT eventID FROM events").await;
    assert_eq!(lines(&read), ["e2"]);
    assert!(
        read.notes[0].contains("from 2024-05-10 00:00:00 until 2024-06-01"),
        "{:?}",
        read.notes
    );
    let objects = ask(&engine, "SELECT count(*) FROM system.objects").await;
    assert_eq!((lines(&objects), objects.notes.len()), (vec!["2".to_string()], 0));
}

#[tokio::test]
async fn an_empty_answer_says_why_it_may_be() {
    let lake = lake().await;
    let engine = lake.engine().await;
    let check = async |sql: &str, expected: &[&str]| {
        let notes = ask(&engine, sql).await.notes;
        assert_eq!(notes.len(), expected.len(), "{sql}\n{notes:?}");
        for (note, part) in notes.iter().zip(expected) {
            assert!(note.contains(part), "{sql}\n{note}");
        }
    };
    let never = "data events were never recorded in this lake";
    check("SELECT * FROM events WHERE eventName = 'ConsoleLogin'", &[]).await;
    check("SELECT eventID FROM events WHERE eventTime < '2020-01-01'",
        &["holds events from 2024-05-01 00:00:00 to 2024-06-01 00:00:00; the statement asks for events until 2020-01-01"]).await;
    check(
        "SELECT * FROM events WHERE recipientAccountId = '999999999999'",
        &["account `999999999999`"],
    )
    .await;
    check(
        "SELECT * FROM events WHERE awsRegion IN ('eu-central-1', 'mars-1') AND eventName = 'x'",
        &["region `mars-1`"],
    )
    .await;
    check("SELECT * FROM events WHERE requestParameters['bucketName'] = 'payroll'", &[never]).await;
    check(
        "SELECT * FROM events WHERE eventSource = 's3.amazonaws.com' AND eventName = 'GetObject'",
        &[never],
    )
    .await;
    check("SELECT count(*) FROM events WHERE eventName = 'GetObject'", &[never]).await;
    check("SELECT max(eventTime) FROM events WHERE any_match(resources, r -> r.arn = 'arn:aws:s3:::payroll')", &[never]).await;
    check(
        "SELECT eventName, count(*) FROM events WHERE eventCategory = 'Data' GROUP BY 1",
        &[never],
    )
    .await;
    check("SELECT count(*) FROM events WHERE eventName = 'CreateUser'", &[]).await;
    check("SELECT * FROM system.rejects", &[]).await;

    let data = Event::new("d1", "2024-06-03T00:00:00Z", "s3.amazonaws.com", "GetObject")
        .with("eventCategory", "Data");
    lake.commit("default", &[data], &[]).await;
    check("SELECT * FROM events WHERE requestParameters['bucketName'] = 'payroll'", &[]).await;
    check(
        "SELECT * FROM events WHERE eventName = 'PutObject' AND eventTime < '2024-06-01'",
        &["no data events were recorded in that time"],
    )
    .await;

    // What other stores hold is not known here.
    lake.lake.create_store("other", &spec(), now()).await.unwrap();
    let engine = lake.engine().await;
    let read = ask(&engine, "SELECT * FROM events WHERE recipientAccountId = '999999999999'").await;
    let expected = "no event of account `999999999999` was ever recorded in the store `default`";
    assert_eq!(read.notes, [expected]);
}

#[tokio::test]
async fn events_that_do_not_say_what_they_are_are_not_taken_for_management() {
    let old = |event: Event| event.without("eventCategory").with("eventVersion", "1.05");
    let s3 = "s3.amazonaws.com";
    let lake = TestLake::with(&[&[
        old(Event::new("o1", "2017-05-01T00:00:00Z", s3, "GetObject")),
        Event::new("m1", "2024-05-01T00:00:00Z", s3, "ListBuckets"),
    ]])
    .await;
    let engine = lake.engine().await;
    let asked = "SELECT * FROM events WHERE requestParameters['bucketName'] = 'payroll'";
    for (time, expected) in [
        ("", "whether data events were recorded cannot be told: events of versions before 1.07"),
        (" AND eventTime < '2018-01-01'", "recorded in that time cannot be told"),
        (" AND eventTime > '2024-01-01'", "no data events were recorded in that time"),
    ] {
        let notes = ask(&engine, &format!("{asked}{time}")).await.notes;
        assert!(matches!(notes.as_slice(), [note] if note.contains(expected)), "{time}: {notes:?}");
    }
}

#[tokio::test]
async fn an_empty_table_says_that_it_is() {
    let lake = lake().await;
    let engine = lake.engine().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM insights", "the store `default` holds no Insights events: "),
        ("SELECT * FROM insights WHERE eventID = 'x'", "`CloudTrail-Insight/`"),
        ("SELECT max(eventTime) FROM aggregated", "holds no aggregated events: "),
        ("SELECT count(*) FROM digests", "holds no digests: "),
        // An answer with rows says nothing of a table that gave none.
        ("SELECT count(*), (SELECT count(*) FROM insights) FROM events", "no Insights events"),
    ] {
        let notes = ask(&engine, sql).await.notes;
        assert!(matches!(notes.as_slice(), [note] if note.contains(expected)), "{sql}: {notes:?}");
    }

    let empty = TestLake::empty().await;
    for (rejects, expected) in [
        (&[][..], "the store `default` holds no events yet"),
        (
            &[b"{}".as_slice(), b"[]"][..],
            "the store `default` holds no events: 1 object was rejected, as a whole or in part; \
             `system.rejects` says why",
        ),
    ] {
        if !rejects.is_empty() {
            empty.commit("default", &[], rejects).await;
        }
        let engine = empty.engine().await;
        for sql in ["SELECT count(*) FROM events", "SELECT * FROM system.coverage"] {
            assert_eq!(ask(&engine, sql).await.notes, [expected], "{sql}");
        }
    }
}
