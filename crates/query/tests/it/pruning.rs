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
    for sql in [
        "SELECT count(*) FROM events",
        "SELECT count(1) AS n FROM \"default\".events",
        "WITH e AS (SELECT * FROM events) SELECT count(*) FROM e",
        "SELECT count(*) FROM (SELECT eventName, requestParameters FROM events)",
    ] {
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
    let athena =
        "SELECT e.eventtime, eventid FROM cloudtrail_logs e ORDER BY eventtime DESC LIMIT 2";
    let rows = ["2024-06-28T03:00:00Z|2024-06-027", "2024-06-27T02:00:00Z|2024-06-026"];
    check(&engine, athena, &rows, newest_only).await;
}

/// More rows than a row group takes, a second apart: the file has two.
const TWO_ROW_GROUPS: usize = 220_000;

#[tokio::test]
async fn the_latest_rows_are_found_in_the_newest_row_group() {
    let lake = TestLake::empty().await;
    let event = |second: usize| {
        let (day, hour, minute) = (second / 86_400 + 1, second / 3_600 % 24, second / 60 % 60);
        let time = format!("2024-05-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60);
        Event::new(&format!("e{second:06}"), &time, "iam.amazonaws.com", "GetUser")
    };
    let events: Vec<Event> = (0..TWO_ROW_GROUPS).map(event).collect();
    lake.commit("default", &events, &[]).await;
    let engine = one_thread(&lake).await;
    let newest: Vec<String> =
        (TWO_ROW_GROUPS - 100..TWO_ROW_GROUPS).rev().map(|n| format!("e{n:06}")).collect();
    let newest: Vec<&str> = newest.iter().map(String::as_str).collect();
    let sql = "SELECT eventID FROM events ORDER BY eventTime DESC LIMIT 100";
    check(&engine, sql, &newest, |read| {
        read.files_total == 1
            && read.row_groups_read == 1
            && read.row_groups_skipped == 1
            && read.rows_read <= TWO_ROW_GROUPS as u64 / 2
    })
    .await;
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
    for nobody in
        ["userIdentity.arn IS NULL", "userIdentity IS NULL", "NOT (userIdentity IS NOT NULL)"]
    {
        let sql = format!("SELECT count(*) FROM events WHERE {nobody}");
        check(&engine, &sql, &["20"], |read| read.row_groups_read == 1).await;
    }
    let outer = "SELECT count(*) FROM (VALUES ('2024-03-001'), ('none')) AS t(id)
                 LEFT JOIN events e ON e.eventID = t.id WHERE e.userIdentity IS NULL";
    check(&engine, outer, &["1"], |_| true).await;
}

/// How a statement reaches `events`: what comes before it, and what stands in FROM.
pub const WAYS: [(&str, &str); 5] = [
    ("", "events e"),
    ("WITH e AS (SELECT * FROM events)", "e"),
    ("WITH d AS (SELECT * FROM events), e AS (SELECT * FROM d)", "e"),
    ("", "(SELECT * FROM events) AS e"),
    ("WITH e AS (SELECT * FROM events UNION ALL SELECT * FROM events WHERE eventID = 'none')", "e"),
];

#[tokio::test]
async fn conditions_prune_through_whatever_stands_between() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    for (before, from) in WAYS {
        for (condition, rows) in [
            ("userIdentity.arn = 'arn:aws:iam::111122223333:user/2024-05'", "40"),
            ("userIdentity.arn IS NULL", "20"),
            ("userIdentity IS NULL", "20"),
            ("eventTime >= '2024-06-01'", "40"),
        ] {
            let sql = format!("{before} SELECT count(*) FROM {from} WHERE {condition}");
            // Of a UNION each branch reads for itself; the other's condition rules all out.
            check(&engine, &sql, &[rows], |read| read.row_groups_read == 1).await;
        }
        let newest =
            format!("{before} SELECT max(eventTime) FROM {from} WHERE eventTime < '2024-02-01'");
        check(&engine, &newest, &["2024-01-28T03:00:00"], |read| {
            read.files_planned <= 2 && read.row_groups_read == 1
        })
        .await;
    }
    let twice = "WITH e AS (SELECT * FROM events WHERE userIdentity.arn LIKE '%2024-05')
                 SELECT count(*) FROM e JOIN e AS f ON e.eventID = f.eventID
                 WHERE e.eventTime < '2024-06-01' AND f.userIdentity.arn = 'arn:aws:iam::111122223333:user/2024-05'";
    check(&engine, twice, &["40"], |read| read.row_groups_read <= 6).await;
}

#[tokio::test]
async fn a_search_reads_what_other_conditions_leave() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    let last = "SELECT eventID FROM events WHERE mentions('u7') AND eventTime >= '2024-06-01'";
    check(&engine, last, &["2024-06-007"], |read| {
        read.files_planned == 1 && read.files_read == 1 && read.rows_read == 40
    })
    .await;
    let id = "SELECT eventID FROM events WHERE mentions('u7') AND eventID = '2024-04-007'";
    check(&engine, id, &["2024-04-007"], |read| read.row_groups_read == 1).await;
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

#[tokio::test]
async fn conditions_on_athenas_text_skip_files_by_the_log_alone() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    // In every month the days 1 to 12 have two events and the days 13 to 28 have one.
    for (condition, rows) in [
        ("eventtime >= '2024-06-01T00:00:00Z'", "40"),
        ("eventtime > '2024-05-31'", "40"),
        ("eventtime BETWEEN '2024-06-01' AND '2024-06-02'", "2"),
        ("eventtime LIKE '2024-06-1%'", "13"),
        ("eventtime IN ('2024-06-01T00:00:00Z', '2024-06-01T04:00:00Z', 'x')", "2"),
        ("substr(eventtime, 1, 10) = '2024-06-28'", "1"),
        ("substr(eventtime, 1, 7) >= '2024-06'", "40"),
        ("split_part(eventtime, 'T', 1) = '2024-06-28'", "1"),
        ("from_iso8601_timestamp(eventtime) >= timestamp '2024-06-01 00:00:00 UTC'", "40"),
        (
            "from_iso8601_timestamp(eventtime) BETWEEN from_iso8601_timestamp('2024-06-01T00:00:00Z')
             AND from_iso8601_timestamp('2024-06-01T04:00:00Z')",
            "2",
        ),
        ("from_iso8601_timestamp(eventtime) > '2024-06-28'", "1"),
        (
            "date_parse(eventtime, '%Y-%m-%dT%H:%i:%sZ') >= timestamp '2024-06-28 00:00:00'",
            "1",
        ),
        ("CAST(eventtime AS timestamp) >= date '2024-06-28'", "1"),
        ("eventtime >= timestamp '2024-06-28 00:00:00'", "1"),
        (
            "CAST(replace(substr(eventtime, 1, 19), 'T', ' ') AS timestamp) >= timestamp '2024-06-28 00:00:00'",
            "1",
        ),
        ("date(from_iso8601_timestamp(eventtime)) = date '2024-06-05'", "2"),
        ("date(eventtime) = date '2024-06-05'", "2"),
        ("CAST(from_iso8601_timestamp(eventtime) AS date) > date '2024-06-26'", "2"),
        ("CAST(substr(eventtime, 1, 10) AS date) >= date '2024-06-27'", "2"),
        ("from_iso8601_date(substr(eventtime, 1, 10)) = date '2024-06-05'", "2"),
        ("date_trunc('day', from_iso8601_timestamp(eventtime)) = timestamp '2024-06-05 00:00:00 UTC'", "2"),
        ("date_format(from_iso8601_timestamp(eventtime), '%Y-%m-%d') = '2024-06-05'", "2"),
        ("month(from_iso8601_timestamp(eventtime)) = 6", "40"),
        ("year = '2024' AND month = '06'", "40"),
        ("month = '06' AND day = '05'", "2"),
        ("year || month || day >= '20240627'", "2"),
        ("CAST(year AS integer) = 2024 AND CAST(month AS integer) > 5", "40"),
        ("\"timestamp\" BETWEEN '2024/06/01' AND '2024/06/30'", "40"),
        ("date_partition IN ('2024/06/01', '2024/06/28')", "3"),
        ("dt >= date_format(timestamp '2024-07-01 12:00:00' - interval '4' day, '%Y/%m/%d')", "2"),
        ("date >= '2024-06-28' AND dt BETWEEN '2024-06-01' AND date_format(date '2024-06-29', '%Y-%m-%d')", "1"),
        ("(month = '06' AND day = '28' AND eventname = 'GetUser') OR date = '2024/06/27'", "2"),
        ("year = '2024' AND month = '06' AND hour(from_iso8601_timestamp(eventtime)) = 3", "2"),
    ] {
        let sql = format!("SELECT count(*) FROM cloudtrail_logs WHERE {condition}");
        check(&engine, &sql, &[rows], |read| read.files_planned == 1 && read.files_read <= 1).await;
    }
    let two = "SELECT count(*) FROM cloudtrail_logs WHERE month IN ('01', '06')";
    check(&engine, two, &["80"], |read| read.files_planned == 2).await;
    for never in ["year = '2023'", "month = '13'", "eventtime < '2'", "eventtime > 'never'"] {
        let sql = format!("SELECT count(*) FROM cloudtrail_logs WHERE {never}");
        check(&engine, &sql, &["0"], |read| read.files_planned == 0 && read.files_total == 6).await;
    }
}

/// So many files, in each of which are ids from first to last, and a caller of its own; the last has
/// no caller at all.
async fn many_files(files: usize) -> TestLake {
    let lake = TestLake::empty().await;
    for file in 0..files {
        let events: Vec<Event> = (0..20)
            .map(|n| {
                let (id, time) = (format!("{n:03}-{file:02}"), format!("2024-01-{:02}", file + 1));
                let time = format!("{time}T10:{n:02}:00Z");
                let event = Event::new(&id, &time, "iam.amazonaws.com", "GetUser");
                match n % 2 {
                    0 if file + 1 < files => {
                        event.with("userIdentity_arn", &format!("arn:aws:iam::1:user/{file}"))
                    }
                    _ => event.without("userIdentity_arn"),
                }
            })
            .collect();
        lake.commit("default", &events, &[]).await;
    }
    lake
}

#[tokio::test]
async fn few_of_many_files_are_opened_for_a_value_by_their_filters() {
    let lake = many_files(20).await;
    let engine = lake.engine().await;
    // A filter may err.
    let few = |read: &Statistics| read.files_total == 20 && read.files_planned <= 4;
    let all = |read: &Statistics| read.files_planned == 20;
    type Read = fn(&Statistics) -> bool;
    for (condition, rows, read) in [
        ("eventID = '007-05'", "1", few as Read),
        ("'007-05' = eventID", "1", few),
        ("eventID IN ('007-05', '011-19', 'none')", "2", few),
        ("eventID = '007-05' OR eventID = '008-05'", "2", few),
        ("eventID = 'none'", "0", few),
        ("userIdentity.arn = 'arn:aws:iam::1:user/7'", "10", few),
        ("userIdentity.arn = 'arn:aws:iam::1:user/7' AND eventID = '004-07'", "1", few),
        ("userIdentity.arn = 'arn:aws:iam::1:user/7' AND eventID = '004-08'", "0", few),
        // Of these a filter says nothing, or is not asked.
        ("eventID IN ('007-05', NULL)", "1", all),
        ("eventID <> '007-05'", "399", all),
        ("eventID NOT IN ('007-05', '008-05')", "398", all),
        ("eventID LIKE '007-%'", "20", all),
        ("eventID = '007-05' OR eventName = 'GetUser'", "400", all),
        ("eventName IN ('GetUser', 'none') AND userIdentity.arn IS NULL", "210", all),
        ("userIdentity.arn = 'arn:aws:iam::1:user/7' OR userIdentity.arn IS NULL", "220", all),
        ("eventID > '019'", "20", all),
    ] {
        let sql = format!("SELECT count(*) FROM events WHERE {condition}");
        check(&engine, &sql, &[rows], read).await;
    }
    // What was read of filters is kept: of files without the value nothing is read again.
    let sql = "SELECT count(*) FROM events WHERE eventID = '020-05'";
    check(&engine, sql, &["0"], |read| few(read) && read.requests <= 12).await;
    // Whatever a filter says, the file is of a row that somebody may ask for by its time, too.
    let sql = "SELECT eventID FROM events WHERE eventTime >= timestamp '2024-01-15 10:05:00'
               AND eventTime < timestamp '2024-01-15 10:06:00'";
    check(&engine, sql, &["005-14"], |read| read.files_planned == 1).await;
    let joined = "SELECT count(*) FROM events a JOIN events b ON a.eventID = b.eventID
                  WHERE a.eventID = '007-05'";
    check(&engine, joined, &["1"], |read| read.files_total == 40 && read.files_planned <= 8).await;
    // Where no file is left the plan is the same, and says what it would of any other.
    let plan =
        lines(&ask(&engine, "EXPLAIN SELECT count(*) FROM events WHERE eventID = 'none'").await);
    let plan = plan.join("\n");
    assert!(plan.contains(" of 20 files may hold wanted rows"), "{plan}");
    assert!(!plan.contains("no file is opened"), "{plan}");
    // What most files hold is left to the scan.
    let again: Vec<Event> = (0..30)
        .map(|n| Event::new("everywhere", &format!("2024-03-{:02}T00:00:00Z", n + 1), "a", "b"))
        .collect();
    for event in again {
        lake.commit("default", &[event], &[]).await;
    }
    let everywhere = "SELECT count(*) FROM events WHERE eventID = 'everywhere'";
    check(&engine, everywhere, &["30"], |read| read.files_planned == 50).await;
    // So are few files.
    let few_files = many_files(15).await;
    let engine = few_files.engine().await;
    let sql = "SELECT count(*) FROM events WHERE eventID = '007-05'";
    check(&engine, sql, &["1"], |read| read.files_planned == 15).await;
}

#[tokio::test]
async fn athenas_other_columns_prune_as_they_are_stored() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    let all = "SELECT count(*) FROM cloudtrail_logs";
    check(&engine, all, &["240"], |read| read.bytes_read == 0).await;
    let who = "SELECT count(*) FROM cloudtrail_logs
               WHERE useridentity.arn = 'arn:aws:iam::111122223333:user/2024-05'";
    check(&engine, who, &["40"], |read| read.row_groups_read == 1 && read.row_groups_skipped == 5)
        .await;
    let needle = "SELECT eventtime FROM cloudtrail_logs WHERE eventid = '2024-04-017'";
    check(&engine, needle, &["2024-04-18T17:00:00Z"], |read| read.row_groups_read == 1).await;
    // Every event of this lake reads.
    for writes in ["readonly = 'false'", "readonly <> 'true'", "NOT (readonly LIKE 't%')"] {
        let sql = format!("SELECT count(*) FROM cloudtrail_logs WHERE {writes}");
        check(&engine, &sql, &["0"], |read| read.rows_read == 0 && read.files_planned == 6).await;
    }
}

#[tokio::test]
async fn days_of_a_timestamp_skip_files_too() {
    let lake = half_a_year().await;
    let engine = lake.engine().await;
    for (condition, rows) in [
        ("date(eventTime) = date '2024-06-05'", "2"),
        ("CAST(eventTime AS date) BETWEEN date '2024-06-01' AND date '2024-06-02'", "4"),
        ("year(eventTime) = 2024 AND month(eventTime) = 6", "40"),
        ("extract(month FROM eventTime) = 6", "40"),
        ("date_trunc('month', eventTime) = timestamp '2024-06-01 00:00:00'", "40"),
        ("date_format(eventTime, '%Y-%m-%d') >= '2024-06-28'", "1"),
        ("day_of_week(eventTime) = 7 AND calendarday > 20240601", "6"),
        (
            "eventTime >= date_format(date_add('day', -3, timestamp '2024-07-01 00:00:00'), '%Y-%m-%d %H:%i:%s')",
            "1",
        ),
        ("date_diff('day', eventTime, timestamp '2024-07-01 00:00:00') < 31", "40"),
        ("date_diff('hour', timestamp '2024-06-28 00:00:00', eventTime) >= 0", "1"),
        ("date_diff('hour', timestamp '2024-06-28 03:00:00', eventTime) BETWEEN 0 AND 5", "1"),
        ("date_diff('week', timestamp '2024-06-28 03:00:00', eventTime) = 0", "8"),
        ("date_diff('day', eventTime, date '2024-06-29') IN (0, 1)", "2"),
        ("24 * 30 > date_diff('hour', eventTime, timestamp '2024-07-01 00:00:00')", "39"),
        ("month(eventTime) = 2 * 4 - 2 AND year(eventTime) = -(-2024)", "40"),
        ("year(eventTime) * 100 + month(eventTime) = 202406", "40"),
        ("date_diff('day', eventTime, timestamp '2024-07-01 00:00:00') < 4 * 8 - 1", "40"),
    ] {
        let sql = format!("SELECT count(*) FROM events WHERE {condition}");
        check(&engine, &sql, &[rows], |read| read.files_planned == 1).await;
    }
    let to_come = "SELECT count(*) FROM events WHERE date_diff('hour', eventTime, now()) < 0";
    check(&engine, to_come, &["0"], |read| read.files_planned == 0).await;
    let athena = "SELECT count(*) FROM cloudtrail_logs
                  WHERE date_diff('day', from_iso8601_timestamp(eventtime), timestamp '2024-06-28 03:00:00 UTC') < 1";
    check(&engine, athena, &["1"], |read| read.files_planned == 1).await;
}
