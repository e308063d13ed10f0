//! What a statement may not do, and limits that are errors.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use traillake_query::{Engine, EngineOptions, Error, ErrorKind, Lookup, Parameters, Value};

use crate::ask::{ask, lines, refused, try_ask};
use crate::lake::{Event, TestLake};

async fn lake() -> TestLake {
    let events: Vec<Event> = (0..300)
        .map(|n| {
            let time = format!("2024-05-{:02}T{:02}:00:00Z", n % 28 + 1, n % 24);
            Event::new(&format!("e{n:03}"), &time, "s3.amazonaws.com", "GetObject")
                .with("userAgent", &"agent ".repeat(40))
        })
        .collect();
    TestLake::with(&[&events]).await
}

async fn with(lake: &TestLake, change: impl FnOnce(&mut EngineOptions)) -> Engine {
    let mut options = lake.options();
    change(&mut options);
    Engine::new(lake.lake.clone(), options).await.unwrap()
}

#[tokio::test]
async fn statements_only_read_and_only_the_lake() {
    let lake = lake().await;
    let engine = lake.engine().await;
    let secret = lake.folder.path().join("secret.parquet");
    std::fs::write(&secret, "secret").unwrap();
    let secret = secret.display();
    for sql in [
        format!("COPY events TO '{secret}'"),
        format!("COPY (SELECT 1) TO '{secret}' STORED AS CSV"),
        format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{secret}'"),
        "CREATE TABLE t AS SELECT * FROM events".to_string(),
        "CREATE VIEW v AS SELECT 1".to_string(),
        "INSERT INTO events SELECT * FROM events".to_string(),
        "DELETE FROM events".to_string(),
        "UPDATE events SET eventName = 'x'".to_string(),
        "DROP TABLE events".to_string(),
        "SET datafusion.execution.batch_size = 1".to_string(),
        "SET SESSION a = 1".to_string(),
        "RESET datafusion.execution.batch_size".to_string(),
        "PREPARE p AS SELECT 1".to_string(),
        "EXECUTE p".to_string(),
        "START TRANSACTION".to_string(),
        "USE other".to_string(),
        "CALL system.sync()".to_string(),
        "SELECT 1; SELECT 2".to_string(),
        "EXPLAIN DELETE FROM events".to_string(),
        "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1".to_string(),
        "WITH x AS (DELETE FROM events RETURNING 1) SELECT * FROM x".to_string(),
        format!("SELECT * FROM '{secret}'"),
        format!("SELECT * FROM \"{secret}\""),
        format!("SELECT * FROM read_parquet('{secret}')"),
        format!("SELECT * FROM parquet_metadata('{secret}')"),
        format!("SELECT * FROM read_csv('{secret}')"),
        "SELECT * FROM generate_series(1, 10)".to_string(),
        "SHOW ALL".to_string(),
        "SHOW datafusion.execution.batch_size".to_string(),
        String::new(),
    ] {
        let error = refused(&engine, &sql).await;
        assert_eq!(error.kind(), ErrorKind::Statement, "{sql}: {error:?}");
    }
    assert_eq!(lines(&ask(&engine, "SELECT count(*) FROM events").await), ["300"]);
}

#[tokio::test]
async fn a_limit_is_an_error_that_names_its_flag_never_a_shorter_answer() {
    let lake = lake().await;
    let few = with(&lake, |options| options.rows_max = Some(10)).await;
    assert_eq!(ask(&few, "SELECT eventID FROM events LIMIT 10").await.rows.len(), 10);
    let error = refused(&few, "SELECT eventID FROM events LIMIT 11").await;
    assert!(matches!(error, Error::Rows { limit: 10 }), "{error:?}");
    assert!(error.render().contains("--rows-max"), "{}", error.render());

    let hasty = with(&lake, |options| options.timeout = Some(Duration::from_millis(200))).await;
    let endless =
        "SELECT count(*) FROM events a, events b, events c, events d WHERE a.eventID > b.userAgent";
    let error = refused(&hasty, endless).await;
    assert!(
        matches!(error, Error::Time { .. }) && error.render().contains("--timeout"),
        "{error:?}"
    );

    let small = with(&lake, |options| options.memory_bytes = 300_000).await;
    let error = refused(&small, "SELECT array_agg(a.userAgent) FROM events a, events b").await;
    assert!(matches!(error, Error::Memory { limit_bytes: 300_000, .. }), "{error:?}");
    assert!(error.render().contains("--memory"), "{}", error.render());
    assert_eq!(error.kind(), ErrorKind::Limit);
}

#[tokio::test]
async fn what_does_not_fit_memory_is_spilled() {
    let lake = lake().await;
    let engine = with(&lake, |options| {
        options.memory_bytes = 24 << 20;
        options.partitions = 1;
    })
    .await;
    let sql = "SELECT count(*), max(n) FROM (
                 SELECT row_number() OVER (ORDER BY a.eventID, b.eventID) AS n, a.userAgent, b.userAgent AS ub
                 FROM events a, events b)";
    assert_eq!(lines(&ask(&engine, sql).await), ["90000|90000"]);
    let sorted = "SELECT a.eventID, b.eventID, concat(a.userAgent, b.userAgent, b.eventID)
                  FROM events a, events b ORDER BY 3, 1";
    assert_eq!(ask(&engine, sorted).await.rows.len(), 90_000);
}

#[tokio::test]
async fn distinct_texts_that_do_not_fit_memory_are_counted() {
    let lake = lake().await;
    let engine = with(&lake, |options| {
        options.memory_bytes = 24 << 20;
        options.partitions = 2;
    })
    .await;
    for (counted, expected) in [
        ("concat(a.userAgent, a.eventID, b.eventID)", "90000"),
        ("concat(a.eventJson, a.userAgent, b.eventJson)", "90000"),
        ("a.eventJson", "300"),
        ("a.eventJsonChecksum", "300"),
    ] {
        let sql = format!("SELECT count(DISTINCT {counted}) FROM events a, events b");
        assert_eq!(lines(&ask(&engine, &sql).await), [expected], "{counted}");
    }
}

/// Rows of 1.3 kB, 120 MB of them, in four sorts that share 32 MB with their merges.
#[tokio::test]
async fn what_is_wider_than_memory_is_sorted() {
    let lake = lake().await;
    let engine = with(&lake, |options| {
        options.memory_bytes = 32 << 20;
        options.partitions = 4;
    })
    .await;
    for (order, also) in [
        ("b.eventID, a.eventID", "a.eventJson"),
        ("b.eventID DESC, a.eventJson", "a.userAgent, a.resources"),
        ("a.eventID, b.eventID", "a.userIdentity, a.requestParameters, a.userAgent, b.userAgent"),
    ] {
        let sql =
            format!("SELECT b.eventID, a.eventID, {also} FROM events a, events b ORDER BY {order}");
        let rows = ask(&engine, &sql).await.rows;
        let keys: Vec<(&str, &str)> = rows.iter().map(|row| (&*row[0], &*row[1])).collect();
        let mut sorted = keys.clone();
        match order {
            "b.eventID, a.eventID" => sorted.sort(),
            "a.eventID, b.eventID" => sorted.sort_by_key(|(b, a)| (*a, *b)),
            _ => sorted.sort_by_key(|(b, a)| (std::cmp::Reverse(*b), *a)),
        }
        assert_eq!(rows.len(), 90_000, "{sql}");
        assert!(keys == sorted, "{sql}");
    }
}

#[tokio::test]
async fn parameters_are_values_never_text() {
    let lake = lake().await;
    let engine = lake.engine().await;
    let text = |text: &str| Value::Text(text.to_string());
    let count = async |sql: &str, name: &str, value: Value| {
        let read = try_ask(&engine, sql, &Parameters::from_names([(name, value)])).await;
        read.map(|read| lines(&read).join(" ")).map_err(|error| error.render())
    };
    let by_id = "SELECT count(*) FROM events WHERE eventID = :id";
    assert_eq!(count(by_id, "id", text("e007")).await.unwrap(), "1");
    for injected in
        ["x' OR '1'='1", "' OR 1=1 --", "e007'; DROP TABLE events; --", ":id", "?", "\u{0}"]
    {
        assert_eq!(count(by_id, "id", text(injected)).await.unwrap(), "0", "{injected}");
        let echo = count("SELECT :id", "id", text(injected)).await.unwrap();
        assert_eq!(echo, injected);
    }
    let since = "SELECT count(*) FROM events WHERE eventTime >= :since";
    assert_eq!(count(since, "since", text("2024-05-28")).await.unwrap(), "10");
    assert_eq!(count(since, "since", Value::Timestamp(1_716_854_400_000_000)).await.unwrap(), "10");
    assert_eq!(
        count("SELECT count(*) FROM (SELECT 1 FROM events LIMIT :n)", "n", Value::Integer(3))
            .await
            .unwrap(),
        "3"
    );
    assert!(count(by_id, "other", text("x")).await.unwrap_err().contains(":id"));
    let positional =
        Parameters { positional: vec![text("e001"), text("e002")], ..Parameters::default() };
    let read =
        try_ask(&engine, "SELECT count(*) FROM events WHERE eventID IN (?, ?)", &positional).await;
    assert_eq!(lines(&read.unwrap()), ["2"]);
}

#[tokio::test]
async fn tables_handed_in_stand_beside_the_lake() {
    let lake = lake().await;
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["e001", "e002", "nobody"]));
    let lookup = |name: &str| Lookup {
        name: name.to_string(),
        batches: vec![RecordBatch::try_from_iter([("id", ids.clone())]).unwrap()],
    };
    let engine = with(&lake, |options| options.lookups = vec![lookup("Wanted")]).await;
    let sql = "SELECT e.eventID FROM events e JOIN wanted w ON w.ID = e.eventID ORDER BY 1";
    assert_eq!(lines(&ask(&engine, sql).await), ["e001", "e002"]);
    let taken = EngineOptions { lookups: vec![lookup("EVENTS")], ..lake.options() };
    let error = Engine::new(lake.lake.clone(), taken).await.err().unwrap();
    assert!(matches!(&error, Error::Lookup { name, .. } if name == "EVENTS"), "{error:?}");
}

#[tokio::test]
async fn no_message_is_the_engines_own() {
    let lake = lake().await;
    let engine = lake.engine().await;
    let mut foreign = false;
    for sql in [
        "SELECT eventName, count(*) FROM events",
        "SELECT * FROM events WHERE eventTime > 'yesterday'",
        "SELECT sum(eventName) FROM events",
        "SELECT cast(eventName AS bigint) FROM events",
        "SELECT 1/0 FROM events",
        "SELECT * FROM events e, events f WHERE eventID = 'x'",
        "SELECT (SELECT eventID FROM events) FROM events",
        "SELECT eventName FROM events GROUP BY",
        "SELECT a FROM (VALUES (1), ('x')) t(a)",
        "SELECT requestParameters + 1 FROM events",
    ] {
        let rendered = refused(&engine, sql).await.render();
        println!("{sql}\n   {}\n", rendered.replace('\n', "\n   "));
        for word in [
            "DataFusion",
            "Internal",
            "This was likely caused",
            "arrow",
            "Arrow",
            "Utf8",
            "backtrace",
        ] {
            foreign |= rendered.contains(word);
        }
    }
    assert!(!foreign, "see above");
}

#[tokio::test]
async fn what_is_wrong_with_a_statement_is_known_without_running_it() {
    let lake = lake().await;
    lake.lake.create_store("archive", &crate::lake::spec(), crate::lake::now()).await.unwrap();
    let engine = lake.engine().await;
    let check = async |sql: &str, values: &[&str]| {
        let positional = values.iter().map(|value| Value::Text((*value).to_string())).collect();
        let parameters = Parameters { positional, ..Parameters::default() };
        engine.check(sql, &parameters, engine.limits()).await
    };
    for (sql, values) in [
        ("SELECT eventNme FROM events", &[][..]),
        ("SELECT eventName + 1 FROM events", &[]),
        ("SELECT eventName FROM events WHERE readOnly = 'perhaps'", &[]),
        ("SELECT eventName, count(*) FROM events", &[]),
        ("SELECT * FROM elsewhere.nothing", &[]),
        ("DELETE FROM events", &[]),
        ("SELECT ?", &[]),
        ("SELECT 1", &["x"]),
        ("SELECT", &[]),
    ] {
        let error = check(sql, values).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Statement, "{sql}: {error:?}");
    }
    for (sql, stores) in [
        ("SELECT count(*) FROM events WHERE eventID = ?", &["default"][..]),
        ("SELECT ? FROM archive.events, events", &["default", "archive"]),
    ] {
        assert_eq!(check(sql, &["x"]).await.unwrap(), stores, "{sql}");
    }
    // It would fail while it runs, and is not run.
    check("SELECT CAST(eventName AS bigint) FROM events", &[]).await.unwrap();
    check("SHOW TABLES", &[]).await.unwrap();
}
