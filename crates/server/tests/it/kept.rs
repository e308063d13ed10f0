//! Kept answers: for how long, and how many bytes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::lake_api::bench;

/// An answer of so many thousand bytes.
fn kilobytes(count: u32) -> String {
    format!("SELECT lpad('', 1000, CAST(n AS varchar)) FROM UNNEST(sequence(1, {count})) AS t (n)")
}

#[tokio::test]
async fn an_answer_is_kept_for_seven_days_whether_somebody_asks_or_not() {
    let bench = bench().await;
    for (tidy_every, removed) in
        [(Duration::from_secs(3600), false), (Duration::from_millis(10), true)]
    {
        let hours = Arc::new(AtomicI64::new(0));
        let passed = Arc::clone(&hours);
        let served = bench
            .serve_with(|options| {
                options.no_auth = true;
                options.tidy_every = tidy_every;
                options.clock =
                    Arc::new(move || Utc::now() + TimeDelta::hours(passed.load(Ordering::SeqCst)));
            })
            .await;
        let id = served.run("SELECT 1").await;
        let file = bench.state_file(&format!("results/{id}.arrow"));
        hours.store(7 * 24 - 1, Ordering::SeqCst);
        served.done("GetQueryResults", json!({ "QueryId": id })).await;
        hours.store(7 * 24 + 1, Ordering::SeqCst);
        let name = served.refused("GetQueryResults", json!({ "QueryId": id })).await;
        assert_eq!(name, "QueryIdNotFoundException");
        while removed && file.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_ne!(file.exists(), removed);
        served.kill().await;
    }
}

#[tokio::test]
async fn the_oldest_answers_make_room_and_none_is_larger_than_all_may_be() {
    let bench = bench().await;
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.results_bytes_max = 100_000;
        })
        .await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(served.run(&kilobytes(40)).await);
    }
    // The third is on record before the first goes.
    let first = json!({ "QueryId": ids[0] });
    while served.call("GetQueryResults", &first).await.0 == 200 {}
    for id in &ids[1..] {
        let page = served.done("GetQueryResults", json!({ "QueryId": id })).await;
        assert_eq!(page["QueryResultRows"].as_array().unwrap().len(), 40);
    }
    let large = served.run(&kilobytes(10_000)).await;
    let answer = served.done("GetQueryResults", json!({ "QueryId": large })).await;
    assert_eq!(answer["QueryStatus"], "FAILED");
    let message = answer["ErrorMessage"].as_str().unwrap();
    assert!(message.contains("more than 100000 bytes"), "{message}");
    let left = std::fs::read_dir(bench.state_file("results")).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains(&large)), "{names:?}");
}
