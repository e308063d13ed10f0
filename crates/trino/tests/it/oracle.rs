//! What sqlglot reads as Trino's SQL is planned and run here, but for a short list of differences.
//!
//! `tests/oracle/statements.py` makes the statements; `.ci/run` installs sqlglot and names the file
//! in `ORACLE_STATEMENTS`. Without it nothing is compared, and the test says so.

use std::collections::HashSet;
use std::fmt::Write;

use crate::support::Session;

/// Texts that excuse a statement which is refused, each with its reason.
fn differences() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/differences.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let pairs = lines.map(|line| line.split_once(" => ").unwrap_or((line, "")));
    pairs.map(|(text, reason)| (text.to_owned(), reason.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_sqlglot_reads_are_run() {
    let Some(path) = std::env::var_os("ORACLE_STATEMENTS") else {
        eprintln!("SKIPPED: ORACLE_STATEMENTS names no file of statements; `.ci/run` makes one");
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let differences = differences();
    assert!(differences.iter().all(|(_, reason)| !reason.is_empty()), "a difference has a reason");
    let statements: Vec<String> = text.lines().map(str::to_owned).collect();
    let count = statements.len();
    let (first, second) = statements.split_at(count / 2);
    let halves = [first.to_vec(), second.to_vec()].map(|half| tokio::spawn(refusals(half)));
    let (mut refused, mut used) = (String::new(), HashSet::new());
    for half in halves {
        for (sql, rendered) in half.await.unwrap() {
            let excuse = differences.iter().find(|(excuse, _)| {
                sql.contains(excuse.as_str()) || rendered.contains(excuse.as_str())
            });
            match excuse {
                Some((excuse, _)) => {
                    used.insert(excuse.as_str());
                }
                None => writeln!(refused, "{sql}\n    {rendered}").unwrap(),
            }
        }
    }
    assert!(count >= 1_000, "{count} statements");
    assert!(refused.is_empty(), "{refused}");
    let unused = differences.iter().filter(|(excuse, _)| !used.contains(excuse.as_str()));
    let unused: Vec<&str> = unused.map(|(excuse, _)| excuse.as_str()).collect();
    assert!(unused.is_empty(), "these differences are none any more: {unused:?}");
}

/// Returns the statements that are refused, each with its message.
async fn refusals(statements: Vec<String>) -> Vec<(String, String)> {
    let session = Session::new().await;
    let mut refused = Vec::new();
    for sql in statements {
        if let Err(error) = session.run(&sql).await {
            let rendered = error.render(&sql);
            refused.push((sql, rendered));
        }
    }
    refused
}
