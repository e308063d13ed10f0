//! Kept answers: for how long, how many bytes of them, and in which layout.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::lake_api::bench;
use crate::served::Served;

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

/// The batches of a kept answer's file.
fn batches(file: &Path) -> Vec<RecordBatch> {
    let reader = FileReader::try_new(File::open(file).unwrap(), None).unwrap();
    reader.map(|batch| batch.unwrap()).collect()
}

/// Writes a kept answer's file anew as an earlier version wrote it: in batches of 1,000 rows,
/// however wide, and without a word of how many rows those have.
fn rewrite_as_before(file: &Path) {
    let batches = batches(file);
    let schema = batches[0].schema();
    let all = concat_batches(&schema, &batches).unwrap();
    let mut writer = FileWriter::try_new(File::create(file).unwrap(), &schema).unwrap();
    for start in (0..all.num_rows()).step_by(1_000) {
        let rows = 1_000.min(all.num_rows() - start);
        writer.write(&all.slice(start, rows)).unwrap();
    }
    writer.finish().unwrap();
}

/// The rows of every page of an answer, in pages of up to `size` rows.
async fn pages(served: &Served, id: &str, size: usize) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut body = json!({ "QueryId": id, "MaxQueryResults": size });
    while pages.is_empty() || !body["NextToken"].is_null() {
        let mut page = served.done("GetQueryResults", body.clone()).await;
        body["NextToken"] = page["NextToken"].take();
        let Value::Array(rows) = page["QueryResultRows"].take() else { panic!("{page}") };
        pages.push(rows);
    }
    pages
}

#[tokio::test]
async fn wide_rows_make_small_batches_and_pages_are_the_same_across_their_borders() {
    const WIDTH: usize = 200_000;
    let bench = bench().await;
    let served = bench.serve().await;
    let sql = format!(
        "SELECT n, lpad(CAST(n AS varchar), {WIDTH}, 'x') AS x \
         FROM UNNEST(sequence(1, 90)) AS t (n) ORDER BY n"
    );
    let id = served.run(&sql).await;
    let file = bench.state_file(&format!("results/{id}.arrow"));
    let rows: Vec<usize> = batches(&file).iter().map(RecordBatch::num_rows).collect();
    assert_eq!(rows, [41, 41, 8], "as many rows of 200,000 bytes as 8 MiB have");

    // The text of a page has no more than 42 of those rows.
    let sizes = [7, 41, 42, 1_000];
    let mut first = Vec::new();
    for size in sizes {
        let pages = pages(&served, &id, size).await;
        assert!(pages.iter().rev().skip(1).all(|page| page.len() == size.min(42)), "{size}");
        for (number, row) in pages.iter().flatten().enumerate() {
            let (number, text) = (format!("{}", number + 1), row[1]["x"].as_str().unwrap());
            assert_eq!(row[0]["n"], number);
            assert_eq!((text.len(), text.trim_start_matches('x')), (WIDTH, number.as_str()));
        }
        assert_eq!(pages.iter().map(Vec::len).sum::<usize>(), 90);
        first.push(pages);
    }
    served.kill().await;
    for before in [false, true] {
        if before {
            rewrite_as_before(&file);
            assert_eq!(batches(&file).len(), 1);
        }
        let served = bench.serve().await;
        for (size, first) in sizes.into_iter().zip(&first) {
            assert!(pages(&served, &id, size).await == *first, "{size}, {before}");
        }
        served.kill().await;
    }
}

#[tokio::test]
async fn an_answer_whose_file_lost_rows_is_an_error_and_none_that_is_shorter() {
    let bench = bench().await;
    let served = bench.serve().await;
    let id = served.run("SELECT n FROM UNNEST(sequence(1, 5)) AS t (n)").await;
    let file = bench.state_file(&format!("results/{id}.arrow"));
    let kept = batches(&file);
    let kept = concat_batches(&kept[0].schema(), &kept).unwrap();
    let mut writer = FileWriter::try_new(File::create(&file).unwrap(), &kept.schema()).unwrap();
    writer.write(&kept.slice(0, 3)).unwrap();
    writer.finish().unwrap();
    let mut body = json!({ "QueryId": id });
    let first = served.done("GetQueryResults", body.clone()).await;
    assert_eq!(first["QueryResultRows"].as_array().unwrap().len(), 3);
    body["NextToken"] = first["NextToken"].clone();
    let (status, rest) = served.call("GetQueryResults", &body).await;
    assert_eq!(status, 500, "{rest}");
}
