//! Limits of memory, time and rows: every protocol names the one that was met, in its words, and the
//! server goes on.

use serde_json::{Value, json};
use traillake_server::ServerOptions;

use crate::athena_session::{bench, over, request, start};
use crate::served::Served;
use crate::trino_rest::{Client, ENDLESS};

/// What an error is called by HTTP, Lake, Athena and Trino, each with its message.
async fn told(served: &Served, sql: &str) -> [(String, String); 4] {
    let json = ["Content-Type: application/json"];
    let body = json!({ "sql": sql }).to_string();
    let answer = request(served, "POST", "/v1/query", &json, body).await;
    let error: Value = serde_json::from_slice(&answer.body).unwrap();
    let by_http =
        (format!("{} {}", answer.status, error["error"]["kind"]), &error["error"]["message"]);

    let id = served.run(sql).await;
    let lake = served.done("DescribeQuery", json!({ "QueryId": id })).await;
    let rows = served.done("GetQueryResults", json!({ "QueryId": id })).await;
    assert_eq!(
        (&rows["QueryStatus"], &rows["ErrorMessage"]),
        (&lake["QueryStatus"], &lake["ErrorMessage"])
    );

    let id = start(served, json!({ "QueryString": sql })).await;
    let athena = over(served, &id).await;
    let reason = &athena["Status"]["StateChangeReason"];
    assert_eq!(athena["Status"]["AthenaError"]["ErrorMessage"], *reason, "{athena}");

    let trino = Client::of(served).ask(sql).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    [
        (by_http.0, text(by_http.1)),
        (text(&lake["QueryStatus"]), text(&lake["ErrorMessage"])),
        (text(&athena["Status"]["State"]), text(reason)),
        (text(&trino["error"]["errorName"]), text(&trino["error"]["message"])),
    ]
}

async fn check(
    memory_bytes: u64,
    limit: fn(&mut ServerOptions),
    sql: &str,
    names: [&str; 4],
    word: &str,
) {
    let mut bench = bench().await;
    bench.memory_bytes = memory_bytes;
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            limit(options);
        })
        .await;
    let told = told(&served, sql).await;
    assert_eq!(told.each_ref().map(|(name, _)| name.as_str()), names, "{told:?}");
    for (name, message) in &told {
        assert!(message.contains(word), "{name}: {message}");
    }
    let client = Client::of(&served);
    assert_eq!(client.rows("SELECT count(*) FROM events").await, json!([[3]]));
}

#[tokio::test]
async fn memory() {
    // All of it is held until the last row is there.
    let sql = "SELECT cardinality(array_agg(lpad(cast(a.n AS varchar), 1000, 'x'))) \
               FROM UNNEST(sequence(1, 1000)) AS a (n), UNNEST(sequence(1, 100)) AS b (m)";
    let names = ["422 \"limit\"", "FAILED", "FAILED", "EXCEEDED_LOCAL_MEMORY_LIMIT"];
    check(32 << 20, |_| (), sql, names, "memory").await;
}

#[tokio::test]
async fn time() {
    let limit = |options: &mut ServerOptions| {
        options.timeout = Some(std::time::Duration::from_secs(3));
    };
    let names = ["422 \"limit\"", "TIMED_OUT", "FAILED", "EXCEEDED_TIME_LIMIT"];
    check(2 << 30, limit, ENDLESS, names, "3 s").await;
}

#[tokio::test]
async fn rows() {
    let sql = "SELECT n FROM UNNEST(sequence(1, 11)) AS t (n)";
    let names = ["422 \"limit\"", "FAILED", "FAILED", "GENERIC_INSUFFICIENT_RESOURCES"];
    check(2 << 30, |options| options.rows_max = Some(10), sql, names, "10 rows").await;
}
