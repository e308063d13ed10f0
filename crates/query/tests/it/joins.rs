//! Joins that do not fit into memory, and joins that go on for long without a row to give.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::StreamExt;
use tokio::runtime::{Builder, Runtime};
use traillake_query::{Engine, EngineOptions, Error, Lookup, Parameters, QueryLimits};

use crate::ask::{ask, lines, try_ask};
use crate::lake::{Event, TestLake};

/// Bytes of memory; the left side of the joins below has 45 MB.
const SMALL: u64 = 16 << 20;

async fn wide_lake() -> TestLake {
    let events: Vec<Event> = (0..300)
        .map(|n| {
            let id = format!("e{n:03}");
            Event::new(&id, "2024-05-01T10:00:00Z", "s3.amazonaws.com", "GetObject")
                .with("userAgent", &"agent ".repeat(40))
        })
        .collect();
    TestLake::with(&[&events]).await
}

#[tokio::test]
async fn a_join_larger_than_memory_is_answered_rightly_or_refused() {
    let lake = wide_lake().await;
    let engine = async |memory_bytes: u64, partitions: usize| {
        let options = EngineOptions { memory_bytes, partitions, ..lake.options() };
        Engine::new(lake.lake.clone(), options).await.unwrap()
    };
    let ample = engine(1 << 30, 2).await;
    let mut refused = Vec::new();
    for join in ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"] {
        // Neither side of the condition is of one table, so there is nothing to hash. Nobody knows
        // how many numbers there are, so the wide side stays on the left.
        let sql = format!(
            "WITH pairs AS (
                 SELECT a.eventID AS x, concat(a.userAgent, b.userAgent, b.eventID) AS wide
                 FROM events a, events b),
             numbers AS (SELECT n FROM UNNEST(sequence(1, 20)) AS t(n))
             SELECT count(*), count(p.x), sum(length(p.wide)), sum(f.n)
             FROM pairs p {join} numbers f ON CAST(substr(p.x, 2) AS bigint) + f.n > 310"
        );
        let expected = lines(&ask(&ample, &sql).await);
        if join == "JOIN" {
            assert_eq!(expected, ["13500|13500|6534000|234000"]);
        }
        for partitions in [1, 2] {
            let small = engine(SMALL, partitions).await;
            match try_ask(&small, &sql, &Parameters::default()).await {
                Ok(read) => assert_eq!(lines(&read), expected, "{join} of {partitions}"),
                Err(error) => {
                    let named = matches!(error, Error::Memory { limit_bytes: SMALL, .. });
                    assert!(named && error.render().contains("--memory"), "{join}: {error:?}");
                    refused.push((join, partitions));
                }
            }
        }
    }
    // What DataFusion would get wrong: it would lose rows, or give them once for each partition.
    let wrong = ["RIGHT JOIN", "FULL JOIN"].map(|join| [(join, 1_usize), (join, 2)]);
    assert_eq!(refused, [&[("LEFT JOIN", 2)][..], wrong.as_flattened()].concat());
}

/// How long it takes at most to end, where the whole of it takes from a minute and a half to hours.
const END: Duration = Duration::from_secs(60);
/// When it is given up.
const BEGUN: Duration = Duration::from_millis(300);

/// Statements that are long at work before they have a row to give.
fn endless() -> [String; 4] {
    let hash = |text: &str| format!("to_hex(sha512(to_utf8({text})))");
    let (both, number) = (hash("concat(a.t, b.t)"), hash("concat(a.t, CAST(u.n AS varchar))"));
    [
        format!("SELECT count(*) FROM many a CROSS JOIN many b WHERE {both} = 'x'"),
        format!("SELECT count(*) FROM many a JOIN many b ON a.k = b.k AND {both} = 'x'"),
        format!("SELECT max({both}) FROM many a CROSS JOIN many b"),
        format!("SELECT max({number}) FROM many a CROSS JOIN UNNEST(sequence(a.k, 1000)) AS u(n)"),
    ]
}

/// Ten thousand rows with one key, each with a text of its own.
fn many() -> Lookup {
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![1; 10_000]));
    let texts = (0..10_000).map(|n| Some(format!("{n:0>1000}")));
    let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
    let rows = RecordBatch::try_from_iter([("k", keys), ("t", texts)]).unwrap();
    Lookup { name: "many".into(), batches: vec![rows] }
}

/// Reads an answer to its end.
async fn read(engine: Engine, sql: String, timeout: Option<Duration>) -> Result<usize, Error> {
    let within = QueryLimits { timeout, ..engine.limits() };
    let mut answer = engine.query_within(&sql, &Parameters::default(), within).await?;
    let mut rows = 0;
    while let Some(batch) = answer.batches.next().await {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

/// Drops what asks, once it is at work; and asks again with a time limit.
async fn give_up(engine: &Engine, sql: &str) {
    let asking = tokio::spawn(read(engine.clone(), sql.to_owned(), None));
    tokio::time::sleep(BEGUN).await;
    asking.abort();
    match asking.await {
        Err(error) => assert!(error.is_cancelled(), "{sql}: {error}"),
        Ok(early) => panic!("{sql}: {early:?}"),
    }
    let error = read(engine.clone(), sql.to_owned(), Some(BEGUN)).await.unwrap_err();
    assert!(matches!(error, Error::Time { .. }), "{sql}: {error:?}");
}

/// Who does not give way holds up its thread, and a runtime that is dropped waits for its threads:
/// so each is on a thread that this test does not wait for.
#[test]
fn a_join_without_a_row_to_give_hears_of_a_cancel_and_of_its_time() {
    type Build = fn() -> std::io::Result<Runtime>;
    let one: Build = || Builder::new_current_thread().enable_all().build();
    let several: Build = || Builder::new_multi_thread().worker_threads(2).enable_all().build();
    for (build, partitions) in [(one, 1), (several, 1), (several, 2)] {
        let (tell, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = build().unwrap();
            let lake = runtime.block_on(TestLake::empty());
            let options = EngineOptions { lookups: vec![many()], partitions, ..lake.options() };
            let engine = runtime.block_on(Engine::new(lake.lake.clone(), options)).unwrap();
            for sql in endless() {
                runtime.block_on(give_up(&engine, &sql));
                tell.send(()).unwrap();
            }
            drop(runtime);
            tell.send(()).unwrap();
        });
        for what in endless().iter().map(String::as_str).chain(["the runtime"]) {
            let told = ended.recv_timeout(END);
            assert!(told.is_ok(), "{what}, {partitions} partitions: {told:?}");
        }
    }
}
