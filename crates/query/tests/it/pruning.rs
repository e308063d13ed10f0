//! What is read, and above all what is not: counted where it happens, not in the text of a plan.

use traillake_query::{Engine, EngineOptions, Statistics};

use crate::ask::{ask, lines};
use crate::lake::{Event, TestLake};

const MONTHS: [&str; 6] = ["2024-01", "2024-02", "2024-03", "2024-04", "2024-05", "2024-06"];
const PER_MONTH: usize = 40;

/// Six months with a file each; who acted differs from month to month, sometimes nobody is named.
async fn half_a_year() -> TestLake {
    let lake = TestLake::empty().await;
    for month in MONTHS {
        let events: Vec<Event> = (0..PER_MONTH)
            .map(|n| {
                let time = format!("{month}-{:02}T{:02}:00:00Z", n % 28 + 1, n % 24);
                let event =
                    Event::new(&format!("{month}-{n:03}"), &time, "iam.amazonaws.com", "GetUser")
                        .with("requestParameters", &format!(r#"{{"userName":"u{n}","n":{n}}}"#));
                match month == "2024-03" && n % 2 == 0 {
                    true => event,
                    false => event.with(
                        "userIdentity_arn",
                        &format!("arn:aws:iam::111122223333:user/{month}"),
                    ),
                }
            })
            .collect();
        lake.commit("default", &events, &[]).await;
    }
    lake
}

/// One partition: which file is read first does not depend on threads.
async fn one_thread(lake: &TestLake) -> Engine {
    Engine::new(lake.lake.clone(), EngineOptions { partitions: 1, ..lake.options() }).await.unwrap()
}

/// Runs `sql` and checks its rows and what it read.
async fn check(engine: &Engine, sql: &str, rows: &[&str], read: impl Fn(&Statistics) -> bool) {
    let asked = ask(engine, sql).await;
    assert_eq!(lines(&asked), rows, "{sql}");
    let statistics = asked.answer.statistics();
    assert!(read(&statistics), "{sql}\n{statistics:?}");
}

#[tokio::test]
async fn counting_all_rows_reads_nothing() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    for sql in ["SELECT count(*) FROM events", "SELECT count(1) AS n FROM \"default\".events"] {
        check(&engine, sql, &["240"], |read| read.bytes_read == 0 && read.requests == 0).await;
    }
}

#[tokio::test]
async fn a_condition_on_time_skips_files_by_the_log_alone() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    for condition in [
        "eventTime >= timestamp '2024-06-01 00:00:00'",
        "eventTime >= '2024-06-01'",
        "eventTime > '2024-05-31T23:59:59Z'",
        "eventTime BETWEEN '2024-06-01 00:00:00' AND '2024-07-01 00:00:00.000'",
        "calendarday >= 20240601",
    ] {
        let sql = format!("SELECT count(*) FROM events WHERE {condition}");
        check(&engine, &sql, &["40"], |read| read.files_planned == 1 && read.files_read <= 1).await;
    }
    let day = "SELECT count(*) FROM events WHERE calendarday = 20240501";
    check(&engine, day, &["2"], |read| read.files_planned == 1).await;
}

#[tokio::test]
async fn the_latest_rows_are_found_in_the_newest_file() {
    let lake = half_a_year().await;
    let engine = one_thread(&lake).await;
    let sql = "SELECT eventID FROM events ORDER BY eventTime DESC LIMIT 2";
    // Other files are not even opened: their times in the log say enough.
    let newest_only = |read: &Statistics| read.files_read == 1 && read.row_groups_skipped == 0;
    check(&engine, sql, &["2024-06-027", "2024-06-026"], newest_only).await;
    let edges = "SELECT min(eventTime), max(eventTime) FROM events";
    check(&engine, edges, &["2024-01-01T00:00:00|2024-06-28T03:00:00"], |read| {
        read.files_total == 6
    })
    .await;
    let sql =
        "SELECT eventID, userIdentity.arn, eventJson FROM events ORDER BY eventTime DESC LIMIT 1";
    let row = r#"2024-06-027|arn:aws:iam::111122223333:user/2024-06|{"eventID":"2024-06-027","eventName":"GetUser"}"#;
    check(&engine, sql, &[row], |read| read.files_read == 1).await;
}

#[tokio::test]
async fn a_needle_is_found_by_bloom_filters() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    // The id lies between the smallest and the largest id of its file: statistics cannot tell.
    let sql = "SELECT eventName FROM events WHERE eventID = '2024-04-017'";
    check(&engine, sql, &["GetUser"], |read| read.row_groups_read == 1).await;
    let missing = "SELECT eventName FROM events WHERE eventID = '2024-04-017x'";
    check(&engine, missing, &[], |read| read.row_groups_skipped == 6 && read.rows_read == 0).await;
}

#[tokio::test]
async fn nested_names_prune_on_their_physical_column() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    for condition in [
        "userIdentity.arn = 'arn:aws:iam::111122223333:user/2024-05'",
        "UserIdentity.ARN IN ('arn:aws:iam::111122223333:user/2024-05', 'x')",
    ] {
        let sql = format!("SELECT count(*) FROM events WHERE {condition}");
        check(&engine, &sql, &["40"], |read| {
            read.row_groups_read == 1 && read.row_groups_skipped == 5
        })
        .await;
    }
    let prefix = "SELECT count(*) FROM events WHERE userIdentity.arn LIKE 'arn:aws:iam::111122223333:user/2024-05%'";
    check(&engine, prefix, &["40"], |read| read.row_groups_read <= 2).await;
    let through_cte = "WITH e AS (SELECT userIdentity AS who FROM events)
                       SELECT count(*) FROM e WHERE who.arn = 'arn:aws:iam::111122223333:user/2024-05'";
    check(&engine, through_cte, &["40"], |read| read.row_groups_read == 1).await;
    let nobody = "SELECT count(*) FROM events WHERE userIdentity.arn IS NULL";
    check(&engine, nobody, &["20"], |read| read.row_groups_read == 1).await;
}

#[tokio::test]
async fn only_the_columns_a_statement_needs_are_read() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    ask(&engine, "SELECT * FROM events").await; // footers are in memory from here on
    let one = ask(&engine, "SELECT eventName FROM events").await.answer.statistics();
    let all = ask(&engine, "SELECT * FROM events").await.answer.statistics();
    assert!(one.bytes_read * 3 < all.bytes_read, "{one:?}\n{all:?}");
}

#[tokio::test]
async fn a_limit_without_conditions_reads_one_file() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    let asked = ask(&engine, "SELECT eventID FROM events LIMIT 3").await;
    assert_eq!(asked.rows.len(), 3);
    assert_eq!(asked.answer.statistics().files_planned, 1);
}
