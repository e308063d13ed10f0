//! What a history that has become too large forgets: texts before queries, and nothing of anybody
//! for somebody else's sake.

use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};
use traillake_server::auth::Role;

use crate::athena_session::{bench, done, over, refused, request, run, start};
use crate::served::{Bench, Served};

/// A query of somebody.
struct Asked {
    user: &'static str,
    sql: String,
    details: Value,
    error: Option<String>,
}

impl Asked {
    fn short(user: &'static str, number: u32) -> Asked {
        Asked { user, sql: format!("SELECT {number}"), details: json!({}), error: None }
    }
}

/// Writes queries into the history, a second apart, the last a second ago.
fn remember(bench: &Bench, queries: &[Asked]) {
    drop(bench.state());
    let database = rusqlite::Connection::open(bench.state_file("state.db")).unwrap();
    database.execute_batch("BEGIN").unwrap();
    let mut at = Utc::now().timestamp_micros() - queries.len() as i64 * 1_000_000;
    for (number, Asked { user, sql, details, error }) in queries.iter().enumerate() {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let insert = "INSERT INTO queries (id, user, protocol, store, sql, details, error, status, \
             submitted_at) VALUES (?, ?, 'http', 'default', ?, ?, ?, 'FAILED', ?)";
        let details = details.to_string();
        database.execute(insert, rusqlite::params![id, user, sql, details, error, at]).unwrap();
        at += 1_000_000;
    }
    database.execute_batch("COMMIT").unwrap();
}

/// Serves with a history of so many bytes; requests are those of an administrator.
async fn serve(bench: &Bench, bytes_max: u64) -> Served {
    let token = bench.token_with("root", Role::Admin, None);
    let mut served = bench.serve_with(|options| options.history_bytes_max = bytes_max).await;
    served.token = Some(token);
    served
}

/// The queries of a user, oldest first.
async fn queries_of(served: &Served, user: &str) -> Vec<Value> {
    let listed = served.got("/v1/queries?everybody=true&limit=1000").await;
    assert_eq!(listed["next"], Value::Null, "one page is enough");
    let all = listed["queries"].as_array().unwrap().iter().rev();
    all.filter(|query| query["user"] == user).cloned().collect()
}

fn sql_of(query: &Value) -> &str {
    query["sql"].as_str().unwrap()
}

#[tokio::test]
async fn a_flood_of_long_texts_is_shortened_and_takes_nothing_of_anybody() {
    let bench = bench().await;
    let mut asked: Vec<Asked> = (0..100).map(|number| Asked::short("alice", number)).collect();
    asked[50].sql = format!("SELECT '{}'", "a".repeat(20_000));
    // A NUL ends a text for some of SQLite's functions.
    let flood = (0..60).map(|number| Asked {
        user: "mallory",
        sql: format!("SELECT '\0' AS n{number} -- {}", "é".repeat(15_000)),
        details: json!({"statement": "d".repeat(20_000)}),
        error: Some("e".repeat(10_000)),
    });
    asked.extend(flood);
    remember(&bench, &asked);
    let served = serve(&bench, 1_000_000).await;

    let of_alice = queries_of(&served, "alice").await;
    let seen: Vec<&str> = of_alice.iter().map(sql_of).collect();
    let expected: Vec<&str> = asked[..100].iter().map(|query| query.sql.as_str()).collect();
    assert_eq!(seen, expected);

    let of_mallory = queries_of(&served, "mallory").await;
    assert_eq!(of_mallory.len(), 60, "that she asked is known");
    let mut whole = 0;
    for (query, asked) in of_mallory.iter().zip(&asked[100..]) {
        let texts = [sql_of(query), query["error"]["message"].as_str().unwrap()];
        let long = [asked.sql.as_str(), asked.error.as_deref().unwrap()];
        if whole > 0 || texts == long {
            assert_eq!(texts, long, "the oldest are shortened");
            whole += 1;
        } else {
            let shortened = |text: &str| text.chars().take(1_000).chain(['…']).collect::<String>();
            assert_eq!(texts, long.map(shortened));
        }
    }
    assert!((10..17).contains(&whole), "{whole} are whole");

    let database = rusqlite::Connection::open(bench.state_file("state.db")).unwrap();
    let told = database.query_row(
        "SELECT count(*) FILTER (WHERE octet_length(details) > 2), \
         sum(octet_length(sql) + octet_length(details) + coalesce(octet_length(error), 0)) \
         FROM queries",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    );
    let (details, bytes): (i64, i64) = told.unwrap();
    assert_eq!(details, whole);
    assert!(bytes < 1_000_000, "{bytes}");
}

#[tokio::test]
async fn where_nothing_is_long_the_oldest_go_of_who_has_the_most() {
    let bench = bench().await;
    let mut asked: Vec<Asked> = (0..20).map(|number| Asked::short("alice", number)).collect();
    asked.extend((0..500).map(|number| Asked::short("mallory", number)));
    asked.extend((0..30).map(|number| Asked::short("bob", number)));
    remember(&bench, &asked);
    // Each takes 300 bytes and those of its texts.
    let served = serve(&bench, 40_000).await;
    assert_eq!(queries_of(&served, "alice").await.len(), 20);
    assert_eq!(queries_of(&served, "bob").await.len(), 30);
    let left = queries_of(&served, "mallory").await;
    assert!((60..80).contains(&left.len()), "{} are left", left.len());
    let newest = (0..500).skip(500 - left.len()).map(|number| format!("SELECT {number}"));
    assert!(left.iter().map(sql_of).eq(newest), "the oldest go");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_answer_is_found_though_its_statement_is_shortened() {
    let bench = bench().await;
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.tidy_every = Duration::from_millis(10);
            options.history_bytes_max = 60_000;
        })
        .await;
    // The first word, which tells the kind of its answer, is not among what stays.
    let asked = json!({
        "QueryString": format!("{}SHOW TABLES", " ".repeat(8_000)),
        "WorkGroup": "audit",
        "ResultConfiguration": {"OutputLocation": "s3://bucket/prefix/"},
    });
    let id = start(&served, asked).await;
    let mut whole = over(&served, &id).await;
    assert_eq!(whole["Status"]["State"], "SUCCEEDED", "{whole}");
    let of_query = json!({ "QueryExecutionId": id });
    let rows = done(&served, "GetQueryResults", of_query.clone()).await;
    let path = format!("/bucket/prefix/{id}.txt");
    let file = request(&served, "GET", &path, &[], "").await;
    assert_eq!(file.status, 200);

    for _ in 0..10 {
        run(&served, &format!("SELECT 1 -- {}", "x".repeat(8_000))).await;
    }
    let shortened = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let found = over(&served, &id).await;
            if found["Query"] != whole["Query"] {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let shortened = shortened.await.expect("the oldest is shortened");
    assert_eq!(shortened["Query"], format!("{}…", " ".repeat(1_000)));
    for told in ["Query", "SubstatementType"] {
        whole[told] = shortened[told].clone();
    }
    assert_eq!(shortened, whole);
    assert_eq!(done(&served, "GetQueryResults", of_query).await, rows);
    assert_eq!(request(&served, "GET", &path, &[], "").await.body, file.body);
    let group = done(&served, "ListQueryExecutions", json!({ "WorkGroup": "audit" })).await;
    assert_eq!(group["QueryExecutionIds"], json!([id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_beside_statements_makes_the_history_large_too() {
    let bench = bench().await;
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.tidy_every = Duration::from_secs(24 * 3_600);
            options.history_bytes_max = 1_000_000;
        })
        .await;
    let values = vec!["v".repeat(1_000); 256];
    let asked = json!({ "QueryString": "SELECT 1", "ExecutionParameters": values });
    let first = start(&served, asked.clone()).await;
    assert_eq!(over(&served, &first).await["ExecutionParameters"], json!(values));
    // 16 MiB are enough that somebody looks.
    for _ in 0..70 {
        start(&served, asked.clone()).await;
    }
    let shortened = tokio::time::timeout(Duration::from_secs(60), async {
        while over(&served, &first).await.get("ExecutionParameters").is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    shortened.await.expect("somebody looks before a day is over");
    assert_eq!(over(&served, &first).await["WorkGroup"], "primary");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_athena_is_told_beside_a_statement_has_a_length() {
    let bench = bench().await;
    let served = bench.serve().await;
    let (token, group) = (|length| json!("t".repeat(length)), |length| json!("w".repeat(length)));
    let database = |length| json!({ "Database": "é".repeat(length) });
    let catalog = |length| json!({ "Catalog": "c".repeat(length) });
    let values = |count| json!(vec!["v".repeat(1_024); count]);
    let bounds = [
        ("QueryExecutionContext", database(255), database(256), "`Database`"),
        ("QueryExecutionContext", catalog(256), catalog(257), "`Catalog`"),
        ("ClientRequestToken", token(128), token(129), "`ClientRequestToken`"),
        ("WorkGroup", group(128), group(129), "workgroup"),
        ("ExecutionParameters", values(256), values(257), "`ExecutionParameters`"),
    ];
    for (member, fits, too_long, named) in &bounds {
        let mut body = json!({ "QueryString": "SELECT 1" });
        body[*member] = fits.clone();
        let id = start(&served, body.clone()).await;
        over(&served, &id).await;
        body[*member] = too_long.clone();
        let (name, message) = refused(&served, "StartQueryExecution", body).await;
        assert_eq!(name, "InvalidRequestException", "{member}");
        assert!(message.contains(*named), "{message}");
    }
    // Of what is refused the statement is remembered, and nothing that was said beside it.
    let listed = served.got("/v1/queries").await;
    assert_eq!(listed["queries"].as_array().unwrap().len(), 2 * bounds.len());
    let state = rusqlite::Connection::open(bench.state_file("state.db")).unwrap();
    let sql = "SELECT count(*), max(length(details)) FROM queries WHERE details LIKE '%refused%'";
    let of_row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (refused, longest): (i64, i64) = state.query_row(sql, [], of_row).unwrap();
    assert_eq!(refused as usize, bounds.len());
    assert!(longest < 20, "{longest}");
}
