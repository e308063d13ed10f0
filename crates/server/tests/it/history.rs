//! The history of queries: whole however long it is, in pages, and not for ever.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use traillake_server::ServerOptions;
use traillake_server::auth::Role;

use crate::lake_api::bench;
use crate::served::{Bench, Served};
use crate::trino_rest::Client;

/// Days that a test lets pass.
#[derive(Clone, Default)]
struct Days(Arc<AtomicI64>);

impl Days {
    fn pass(&self, days: i64) {
        self.0.fetch_add(days, Ordering::SeqCst);
    }

    fn set(&self, options: &mut ServerOptions) {
        let days = Arc::clone(&self.0);
        let passed = move || TimeDelta::days(days.load(Ordering::SeqCst));
        options.clock = Arc::new(move || Utc::now() + passed());
    }
}

/// Writes `count` queries of `user` into the history, a second apart, the last at `end`.
fn remember(bench: &Bench, user: &str, count: u32, end: chrono::DateTime<Utc>) {
    drop(bench.state());
    let database = rusqlite::Connection::open(bench.state_file("state.db")).unwrap();
    let written = database
        .execute(
            "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers \
             WHERE n + 1 < ?1) INSERT INTO queries (id, user, protocol, store, sql, details, \
             status, submitted_at) SELECT format('00000000-0000-4000-8000-%012x', n), ?2, 'http', \
             'default', 'SELECT ' || n, '{}', 'FINISHED', ?3 - n * 1000000 FROM numbers",
            rusqlite::params![count, user, end.timestamp_micros()],
        )
        .unwrap();
    assert_eq!(written, count as usize);
}

fn ids(listed: &Value) -> Vec<String> {
    let queries = listed["queries"].as_array().unwrap().iter();
    queries.map(|query| query["query_id"].as_str().unwrap().to_owned()).collect()
}

async fn rows(served: &Served, sql: &str) -> Value {
    served.got(&format!("/v1/query?sql={}", urlencoded(sql))).await["rows"].clone()
}

#[tokio::test]
async fn the_table_is_whole_however_many_queries_there_were() {
    let bench = bench().await;
    remember(&bench, "alice", 100_100, Utc::now());
    let (alice, bob) = (bench.token("alice", None), bench.token("bob", None));
    let admin = bench.token_with("root", Role::Admin, None);
    let mut served = bench.serve_with(|_| ()).await;
    let old = "SELECT count(*) AS a, count(DISTINCT query_id) AS b FROM system.queries \
               WHERE query LIKE 'SELECT _%' AND query NOT LIKE '%system%'";
    for (token, seen) in [(alice, 100_100), (admin, 100_100), (bob, 0)] {
        served.token = Some(token);
        assert_eq!(rows(&served, old).await, json!([{"a": seen, "b": seen}]));
    }
}

/// Of eleven queries, a second apart, the oldest cannot be read: an answer shows that nobody tried.
#[tokio::test]
async fn the_table_reads_no_more_of_the_history_than_a_statement_wants() {
    let bench = bench().await;
    let end = chrono::DateTime::parse_from_rfc3339("2026-03-01T12:00:10Z").unwrap().to_utc();
    remember(&bench, "alice", 11, end);
    let database = rusqlite::Connection::open(bench.state_file("state.db")).unwrap();
    for change in [
        "user = 'bob', protocol = 'lake' WHERE sql IN ('SELECT 9', 'SELECT 10')",
        "sql = CAST(x'ff' AS TEXT) WHERE sql = 'SELECT 10'",
    ] {
        database.execute(&format!("UPDATE queries SET {change}"), []).unwrap();
    }
    let tokens = [bench.token_with("root", Role::Admin, None), bench.token("alice", None)];
    let mut served = bench.serve_with(|options| options.clock = Arc::new(move || end)).await;
    for (token, wanted, count) in [
        (0, "submitted_at > timestamp '2026-03-01 12:00:08'", 2),
        (0, "timestamp '2026-03-01 12:00:08' <= submitted_at AND status = 'FINISHED'", 3),
        (0, "submitted_at > now() - interval '5' second", 5),
        (0, "submitted_at BETWEEN timestamp '2026-03-01 12:00:04' AND now()", 7),
        (0, "\"user\" = 'alice'", 9),
        // What a cast to a day leaves out is more than is read beside a bound.
        (
            0,
            "\"user\" = 'alice' AND CAST(CAST(submitted_at AS date) AS timestamp) < \
             timestamp '2026-03-01 12:00:05'",
            9,
        ),
        (0, "protocol = 'http' AND submitted_at < now()", 8),
        (0, "\"user\" = 'alice' AND \"user\" = 'bob'", 0),
        (1, "true", 9),
        (1, "\"user\" = 'bob'", 0),
    ] {
        served.token = Some(tokens[token].clone());
        let sql = format!(
            "SELECT count(*) AS n FROM system.queries WHERE query LIKE 'SELECT _' AND {wanted}"
        );
        assert_eq!(rows(&served, &sql).await, json!([{ "n": count }]), "{wanted}");
    }
    served.token = Some(tokens[0].clone());
    let newest = "SELECT count(*) AS n FROM (SELECT query FROM system.queries LIMIT 3)";
    assert_eq!(rows(&served, newest).await, json!([{"n": 3}]));
    let whole = urlencoded("SELECT count(query) FROM system.queries");
    assert_ne!(served.get(&format!("/v1/query?sql={whole}")).await.0, 200);
}

#[tokio::test]
async fn long_statements_make_short_pages_and_errors_quote_what_matters() {
    let bench = bench().await;
    let served = bench.serve().await;
    let long = "x".repeat(9_000);
    for _ in 0..3 {
        let wrong = format!("SELECT '{long}', nothing");
        let sql = urlencoded(&wrong);
        let (status, told) = served.get(&format!("/v1/query?sql={sql}")).await;
        assert_eq!(status, 400, "{told}");
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains("x', nothing") && message.len() < 1_000, "{message}");
    }
    let first = served.got("/v1/queries?limit=2").await;
    let second = format!("/v1/queries?limit=2&after={}", first["next"].as_str().unwrap());
    let second = served.got(&second).await;
    assert_eq!((ids(&first).len(), ids(&second).len(), &second["next"]), (2, 1, &Value::Null));
    let error = second["queries"][0]["error"]["message"].as_str().unwrap();
    assert!(error.contains("x', nothing") && error.len() < 1_000, "{error}");
    assert!(second["queries"][0]["sql"].as_str().unwrap().contains(&long));
    served.kill().await;

    let database = rusqlite::Connection::open(bench.state_file("state.db")).unwrap();
    // Also what is never told counts, such as the values that a statement was asked with.
    let long = "SELECT 1 -- ".to_owned() + &"x".repeat(500_000);
    let texts =
        [(long.clone(), "{}".to_owned()), ("SELECT 1".to_owned(), json!([long]).to_string())];
    let newest = Utc::now().timestamp_micros();
    database.execute("DELETE FROM queries", []).unwrap();
    let mut expected = Vec::new();
    for number in 0..20 {
        // Several of one moment: their order is that of their ids.
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let sql = format!(
            "INSERT INTO queries (id, user, protocol, store, sql, details, status, submitted_at) \
             VALUES ('{id}', 'anybody', 'http', 'default', ?, ?, 'FINISHED', {})",
            newest - number / 3 * 1_000
        );
        let (statement, details) = &texts[usize::from(number % 2 == 1)];
        database.execute(&sql, [statement, details]).unwrap();
        expected.push((-(number / 3), id));
    }
    expected.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let served = bench.serve().await;
    let (mut path, mut seen, mut pages) = ("/v1/queries".to_owned(), Vec::new(), 0);
    loop {
        let page = served.got(&path).await;
        assert!(page.to_string().len() < 6 << 20);
        seen.extend(ids(&page));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/queries?after={next}");
    }
    let expected: Vec<String> = expected.into_iter().map(|(_, id)| id).collect();
    assert_eq!((seen, pages), (expected, 3));
    for wrong in ["after=x", "after=1-x", "from=yesterday"] {
        assert_eq!(served.get(&format!("/v1/queries?{wrong}")).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn queries_are_found_by_their_time() {
    let bench = bench().await;
    let end = chrono::DateTime::parse_from_rfc3339("2026-03-01T12:00:10Z").unwrap().to_utc();
    remember(&bench, "anybody", 11, end);
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.clock = Arc::new(move || end);
        })
        .await;
    for (range, first, count) in [
        ("from=2026-03-01T12:00:08Z", "SELECT 0", 3),
        ("until=2026-03-01T12:00:02Z", "SELECT 9", 2),
        ("from=2026-03-01T12:00:03Z&until=2026-03-01T12:00:05Z", "SELECT 6", 2),
        ("from=2026-03-01T12:00:03Z&offset=2&limit=3", "SELECT 2", 3),
    ] {
        let listed = served.got(&format!("/v1/queries?{range}")).await;
        assert_eq!((&listed["queries"][0]["sql"], ids(&listed).len()), (&first.into(), count));
    }
}

#[tokio::test]
async fn queries_are_forgotten_after_400_days_and_the_oldest_when_there_are_too_many() {
    let bench = bench().await;
    let days = Days::default();
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.tidy_every = Duration::from_millis(10);
            options.history_bytes_max = 22_000;
            days.set(options);
        })
        .await;
    let old = served.run("SELECT 1").await;
    days.pass(399);
    served.run("SELECT 2").await;
    assert!(ids(&served.got("/v1/queries").await).contains(&old));
    days.pass(2);
    while ids(&served.got("/v1/queries").await).contains(&old) {}
    assert_eq!(served.get(&format!("/v1/queries/{old}")).await.0, 404);

    // Statements that are too short to be shortened.
    let mut asked = Vec::new();
    for _ in 0..40 {
        asked.push(served.run(&format!("SELECT 1 -- {}", "x".repeat(900))).await);
    }
    let kept = loop {
        let kept: HashSet<String> = ids(&served.got("/v1/queries").await).into_iter().collect();
        let newest = asked.iter().rev().take_while(|id| kept.contains(*id)).count();
        assert_eq!(newest, asked.iter().filter(|id| kept.contains(*id)).count(), "the oldest go");
        if newest < 20 {
            assert!(newest > 10, "{newest} are kept");
            break kept;
        }
    };
    // Their answers go with them.
    for id in asked {
        let file = bench.state_file(&format!("results/{id}.arrow"));
        while file.exists() && !kept.contains(&id) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(file.exists(), kept.contains(&id), "{id}");
    }
}

fn urlencoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn who_tries_names_is_seen() {
    let bench = bench().await;
    let served = bench.serve().await;
    let hidden = "5b4ee85f-d26f-4a5c-97ac-9b5a7b2cc35b";
    let (column, store) = ("SELECT eventNme FROM events", format!("SELECT * FROM {hidden}"));
    for sql in [column, &store] {
        served.refused("StartQuery", json!({ "QueryStatement": sql })).await;
    }
    let trino = Client::of(&served);
    trino.send("POST", "/v1/statement", b"EXECUTE nothing").await;
    let listed = served.got("/v1/queries").await;
    let seen: Vec<[&Value; 3]> = listed["queries"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|query| [&query["protocol"], &query["sql"], &query["status"]])
        .collect();
    let expected = [
        [json!("lake"), json!(column), json!("FAILED")],
        [json!("lake"), json!(store), json!("FAILED")],
        [json!("trino"), json!("EXECUTE nothing"), json!("FAILED")],
    ];
    assert_eq!(seen, expected.each_ref().map(|query| query.each_ref()));
    let message = listed["queries"][0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("`nothing`"), "{message}");
}
