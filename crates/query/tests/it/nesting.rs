//! Statements that are deep, long or slow to plan: refused by name or planned aside, never the end of
//! the process or of somebody else's patience.

use std::any::Any;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use traillake_query::{
    Engine, EngineOptions, Error, ErrorKind, Parameters, QueryLimits, SystemTable,
};

use crate::ask::{ask, lines, refused};
use crate::lake::{Event, TestLake};

async fn lake() -> TestLake {
    TestLake::with(&[&[Event::new("e1", "2024-05-01T10:00:00Z", "s3.amazonaws.com", "GetObject")]])
        .await
}

/// A chain: what it starts with, and its link. Some need something behind the last.
struct Chain(&'static str, &'static str, &'static str);

impl Chain {
    fn of(&self, links: usize) -> String {
        format!("{}{}{}", self.0, self.1.repeat(links), self.2)
    }
}

const LEVELS: usize = 250;
const DEEP: [Chain; 14] = [
    Chain("SELECT 1", "+1", ""),
    Chain("SELECT 'a'", "||'b'", ""),
    Chain("SELECT true", " = true", ""),
    Chain("SELECT true", " IS NULL", ""),
    Chain("SELECT 'a'", "::varchar", ""),
    Chain("SELECT requestParameters", "['a']", " FROM events"),
    Chain("SELECT userIdentity", ".arn", " FROM events"),
    Chain("SELECT now()", " AT TIME ZONE 'UTC'", ""),
    Chain("SELECT 1", " UNION ALL SELECT 1", ""),
    Chain("SELECT 1", " EXCEPT SELECT 2", ""),
    Chain("SELECT 1 FROM events", " CROSS JOIN events", ""),
    // Leans to the right: the parser goes down with it.
    Chain("SELECT 1", " IS DISTINCT FROM 1", ""),
    // Written twice by the engine.
    Chain("SELECT true", " BETWEEN false AND true", ""),
    // Columns that are called like words that begin a clause.
    Chain("SELECT 1", " + join + when + and + on", ""),
];
/// Those of them that mean something.
const ANSWERED: usize = 10;

#[tokio::test]
async fn what_nests_too_deeply_is_refused_before_anything_recurses() {
    let lake = lake().await;
    let engine = lake.engine().await;
    for chain in &DEEP {
        for links in [2 * LEVELS, 30_000] {
            let error = refused(&engine, &chain.of(links)).await;
            let (kind, text) = (error.kind(), error.to_string());
            assert_eq!(kind, ErrorKind::Statement, "{}", chain.1);
            assert_eq!(text, "the statement nests more than 250 levels deep", "{}", chain.1);
            assert!(error.hint().is_some());
        }
    }
    // What stands in brackets is as deep as it is, however little goes on around it.
    let mut sum = "1".to_owned();
    for _ in 0..20 {
        sum = format!("({sum}){}", "+1".repeat(100));
    }
    let mut named = "eventName".to_owned();
    for _ in 0..20 {
        named = format!("coalesce({named}, awsRegion)");
    }
    for deep in [sum, named] {
        let text = refused(&engine, &format!("SELECT {deep} FROM events")).await.to_string();
        assert_eq!(text, "the statement nests more than 250 levels deep");
    }
    for open in ["(", "CASE WHEN ", "ARRAY[", "abs(", "- ", "NOT ", "(SELECT ", "x -> "] {
        let error = refused(&engine, &format!("SELECT {}", open.repeat(30_000))).await;
        assert_eq!(error.kind(), ErrorKind::Statement, "{open}: {error:?}");
    }
}

#[tokio::test]
async fn half_as_deep_as_allowed_is_planned() {
    let lake = lake().await;
    let engine = lake.engine().await;
    for chain in &DEEP[..ANSWERED] {
        let sql = match chain.1 {
            // No such field, and the type of a map's value has none.
            ".arn" | "['a']" => continue,
            _ => chain.of(LEVELS / 2),
        };
        if let Err(error) = engine.check(&sql, &Parameters::default(), engine.limits()).await {
            panic!("{}: {}", chain.1, error);
        }
    }
    let sum = DEEP[0].of(LEVELS / 2);
    assert_eq!(lines(&ask(&engine, &sum).await), ["126"]);
}

#[tokio::test]
async fn conditions_and_lists_may_be_long() {
    let lake = lake().await;
    let engine = lake.engine().await;
    let each = |count: usize, between: &str, one: &dyn Fn(usize) -> String| {
        (0..count).map(one).collect::<Vec<_>>().join(between)
    };
    let named = |n: usize| format!("eventName = 'n{n}'");
    let other = |n: usize| format!("eventName <> 'n{n}'");
    let id = |n: usize| format!("'id{n}'");
    for (condition, found) in [
        (format!("eventID IN ({}, 'e1')", each(5_000, ",", &id)), "1"),
        (format!("{} OR eventName = 'GetObject'", each(1_000, " OR ", &named)), "1"),
        (each(200, " AND ", &other), "1"),
        // Unknown stays unknown, wherever it stands in the tree.
        (format!("NOT ({} OR CAST(NULL AS boolean))", each(100, " OR ", &named)), "0"),
        (format!("({} AND CAST(NULL AS boolean)) IS NULL", each(100, " AND ", &other)), "1"),
        (
            format!("({} AND CAST(NULL AS boolean) AND false) IS NULL", each(100, " AND ", &other)),
            "0",
        ),
    ] {
        let sql = format!("SELECT count(*) FROM events WHERE {condition}");
        assert_eq!(lines(&ask(&engine, &sql).await), [found], "{}…", &condition[..40]);
    }
    let cases = each(300, " ", &|n| format!("WHEN eventName = 'n{n}' THEN {n}"));
    let sql = format!("SELECT CASE {cases} ELSE -1 END FROM events");
    assert_eq!(lines(&ask(&engine, &sql).await), ["-1"]);
    let sql = format!("SELECT count(*) FROM (VALUES {}) t", each(5_000, ",", &id));
    assert_eq!(lines(&ask(&engine, &sql).await), ["5000"]);

    // The place of a fault is that of what was typed.
    let sql = format!("SELECT 1 FROM events WHERE {} OR eventNme = 'x'", each(100, " OR ", &named));
    let Error::Sql { error, .. } = refused(&engine, &sql).await else { panic!() };
    assert_eq!(error.column, sql.find("eventNme").unwrap() + 1, "{error:?}");

    for (word, one) in [(" AND ", "eventName <> 'a'"), (" OR ", "readOnly = true")] {
        for count in [10_000, 30_000] {
            let sql = format!("SELECT 1 FROM events WHERE {}", vec![one; count].join(word));
            let text = refused(&engine, &sql).await.to_string();
            assert_eq!(text, "the statement joins more than 5000 conditions by AND and OR");
        }
    }
}

#[tokio::test]
async fn a_short_statement_with_a_huge_plan_is_refused() {
    let lake = lake().await;
    let engine = lake.engine().await;
    let named = |count: usize, from: &dyn Fn(usize) -> String| {
        let mut with = "WITH a0 AS (SELECT 1 AS x)".to_owned();
        for n in 1..=count {
            with += &format!(", a{n} AS (SELECT 1 AS x FROM {})", from(n - 1));
        }
        format!("{with} SELECT count(*) FROM a{count}")
    };
    let doubled = |count| named(count, &|n| format!("a{n} AS l, a{n} AS r"));
    assert_eq!(lines(&ask(&engine, &doubled(4)).await), ["1"]);
    let text = refused(&engine, &doubled(40)).await.to_string();
    assert_eq!(text, "the statement comes to a plan of more than 200000 parts");
    let chained = named(350, &|n| format!("a{n}"));
    let text = refused(&engine, &chained).await.to_string();
    assert_eq!(text, "the statement comes to more than 600 steps in a row");
    let tables: Vec<String> = (0..1_000).map(|n| format!("(VALUES 1) AS t{n}")).collect();
    let joined = format!("SELECT 1 FROM {}", tables.join(", "));
    let text = refused(&engine, &joined).await.to_string();
    assert_eq!(text, "the statement nests more than 250 levels deep");
    let text = refused(&engine, &named(3_000, &|n| format!("a{n}"))).await.to_string();
    assert_eq!(text, "the statement has more than 2000 times `FROM`");
}

/// A table whose rows are there when the test says so; whoever asks for them waits without giving
/// way, as planning does.
#[derive(Debug)]
struct Slow(Mutex<Receiver<()>>);

#[async_trait]
impl SystemTable for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)]))
    }

    async fn rows(&self) -> Result<RecordBatch, String> {
        let _ = self.0.lock().unwrap().recv();
        Ok(RecordBatch::new_empty(self.schema()))
    }
}

/// The runtime has one thread: a plan that was made on it would hold up this test for ever.
#[tokio::test]
async fn a_statement_that_is_slow_to_plan_ends_in_time_and_keeps_its_turn() {
    let lake = lake().await;
    let (release, waits) = channel();
    let slow: Arc<dyn SystemTable> = Arc::new(Slow(Mutex::new(waits)));
    let options = EngineOptions { system_tables: vec![slow], ..lake.options() };
    let engine = Engine::new(lake.lake.clone(), options).await.unwrap();
    let turn: Arc<dyn Any + Send + Sync> = Arc::new(());
    // Long enough that planning has begun, on a machine that is busy too.
    let timeout = Some(Duration::from_secs(1));
    let within = || QueryLimits { timeout, turn: Some(Arc::clone(&turn)), ..engine.limits() };
    let (sql, none) = ("SELECT x FROM system.slow", Parameters::default());
    let Err(error) = engine.query_within(sql, &none, within()).await else { panic!() };
    assert!(matches!(error, Error::Time { .. }), "{error:?}");
    let error = engine.check(sql, &none, within()).await.unwrap_err();
    assert!(matches!(error, Error::Time { .. }), "{error:?}");
    assert_eq!(Arc::strong_count(&turn), 3, "two threads are planning still");
    drop(release);
    while Arc::strong_count(&turn) > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let answer = engine.query_within(sql, &none, QueryLimits { timeout: None, ..within() }).await;
    assert!(answer.is_ok());
}
