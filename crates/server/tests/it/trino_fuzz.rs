//! Whatever is sent, an answer comes, and none says that the server is at fault.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::spoiled::spoiled;
use crate::trino_rest::{Client, bench};

/// What may stand in place of a piece of a header.
const PIECES: &str = "[ -~]{0,3}|'|\"|\\?|[^\r\n\0]";

/// What drivers send, to be spoiled.
const STATEMENTS: [&str; 10] = [
    "PREPARE q FROM SELECT ?, eventName FROM events WHERE eventTime > ?",
    "EXECUTE q USING 1, TIMESTAMP '2024-05-01 10:00:00'",
    "EXECUTE IMMEDIATE 'SELECT ''a'', ?' USING MAP(ARRAY['x'], ARRAY[ROW(1.5, X'00')])",
    "SELECT version(), current_user, \"eventName\" FROM default.events LIMIT 3",
    "WITH RECURSIVE a AS (SELECT 1 AS x) SELECT * FROM a, system.jdbc.columns /* c */ -- d",
    "SET SESSION a.b = 'x'",
    "USE \"traillake\".default",
    "DESCRIBE OUTPUT q",
    "SELECT query FROM system.runtime.queries WHERE \"user\" = 'ana' ORDER BY 1 LIMIT 2",
    "SHOW SESSION LIKE 'q%' ESCAPE '\\'",
];
const HEADERS: [(&str, &str); 7] = [
    ("X-Trino-Catalog", "traillake"),
    ("X-Trino-Schema", "default"),
    ("X-Trino-Session", "query_max_run_time=10m,a.b=x%2Cy"),
    ("X-Trino-Prepared-Statement", "q=SELECT+%3F%2C+1"),
    ("X-Trino-Transaction-Id", "NONE"),
    ("X-Trino-Client-Capabilities", "PARAMETRIC_DATETIME,NUMBER"),
    ("X-Trino-Time-Zone", "Europe/Berlin"),
];

fn request() -> impl Strategy<Value = (String, Vec<(&'static str, String)>)> {
    let long = ["+1", "::varchar", " UNION SELECT 1"]
        .map(|link| format!("SELECT 1{}", link.repeat(9_999)));
    let long = long.map(|sql| &*sql.leak());
    let statements: Vec<&'static str> = STATEMENTS.into_iter().chain(long).collect();
    let statement = prop::sample::select(statements)
        .prop_flat_map(|text| spoiled(text.to_owned(), PIECES, 0..4));
    let header = prop::sample::select(HEADERS.to_vec());
    let header =
        header.prop_flat_map(|(name, value)| (Just(name), spoiled(value.to_owned(), PIECES, 0..4)));
    (statement, prop::collection::vec(header, 0..4))
}

#[tokio::test]
async fn no_request_is_more_than_the_server_can_answer() {
    let bench = bench().await;
    let served = bench.serve().await;
    let mut runner = TestRunner::deterministic();
    let strategy = request();
    let mut answered = 0;
    for _ in 0..400 {
        let (sql, headers) = strategy.new_tree(&mut runner).unwrap().current();
        let mut client = Client::of(&served);
        for (name, value) in &headers {
            let printable: String = value.chars().filter(|c| !c.is_control()).collect();
            client = client.with(name, &printable);
        }
        let reply = client.send("POST", "/v1/statement", sql.as_bytes()).await;
        assert!(reply.status < 500, "{sql} {headers:?}: {} {}", reply.status, reply.body);
        if reply.status != 200 {
            continue;
        }
        let mut page = reply.json();
        while !page["nextUri"].is_null() {
            page = client.get(&page).await;
        }
        let error = &page["error"];
        let kind = error["errorType"].as_str().unwrap_or("USER_ERROR");
        // A time limit may have been spoiled into a short one.
        assert_ne!(kind, "INTERNAL_ERROR", "{sql} {headers:?}: {error}");
        answered += usize::from(error.is_null());
    }
    // The spoiling leaves some statements whole.
    assert!(answered > 20, "{answered}");
}

#[tokio::test]
async fn no_address_is_more_than_the_server_can_answer() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client = Client::of(&served);
    let posted = client.post("SELECT 1").await;
    let path = client.next(&posted);
    let parts: Vec<&str> = path.split('/').collect();
    for at in 3..parts.len() {
        for with in ["", "x", "..", "%00", "-1", "18446744073709551616", "%F0%9F", "queued"] {
            let mut spoiled = parts.clone();
            spoiled[at] = with;
            for method in ["GET", "HEAD", "DELETE", "PUT", "POST"] {
                let reply = client.send(method, &spoiled.join("/"), b"x").await;
                // The step is only for people, and a page's number only for who reads it.
                let own = at == 3 || at == 6 && !with.is_empty();
                assert!(
                    own || (400..500).contains(&reply.status),
                    "{method} {spoiled:?}: {}",
                    reply.status
                );
                assert!(reply.status < 500, "{method} {spoiled:?}: {}", reply.status);
            }
        }
    }
}
