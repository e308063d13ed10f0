//! Statements that are too deep or too long: every protocol says so in its words, and goes on.

use serde_json::{Value, json};

use crate::athena_session::{bench, over, refused, request, start};
use crate::served::Served;
use crate::trino_rest::Client;

/// What Lake says, which takes no long statement; HTTP, Trino and Athena.
async fn told(served: &Served, sql: &str) -> Vec<String> {
    let posted =
        request(served, "POST", "/v1/query", &["Content-Type: application/sql"], sql).await;
    assert_eq!(posted.status, 400);
    let trino = Client::of(served).ask(sql).await["error"].clone();
    assert_eq!(trino["errorType"], "USER_ERROR", "{trino}");
    let shown = |text: &Value| text.as_str().unwrap_or_default().to_owned();
    vec![String::from_utf8(posted.body).unwrap(), shown(&trino["message"])]
}

#[tokio::test]
async fn a_statement_too_deep_to_be_planned_ends_no_server() {
    let bench = bench().await;
    let served = bench.serve().await;
    let named = "nests more than 250 levels deep";
    for link in ["+1", "::varchar", " UNION ALL SELECT 1"] {
        let sql = |links: usize| format!("SELECT 1{}", link.repeat(links));
        let most = 200_000 / link.len();
        for text in told(&served, &sql(most)).await {
            assert!(text.contains(named), "{link}: {}", text.len());
        }
        let id = start(&served, json!({ "QueryString": sql(most) })).await;
        let status = over(&served, &id).await["Status"].clone();
        assert_eq!(status["State"], "FAILED", "{link}");
        assert!(status["StateChangeReason"].as_str().unwrap().contains(named), "{link}");
        let body = json!({ "QueryStatement": sql(9_000 / link.len()) });
        let name = served.refused("StartQuery", body).await;
        assert_eq!(name, "InvalidQueryStatementException", "{link}");
    }
    let answer = request(&served, "GET", "/v1/query?sql=SELECT%201", &[], "").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_length_of_a_statement_is_a_limit_that_names_itself() {
    let bench = bench().await;
    let served = bench.serve().await;
    let of = |bytes: usize| format!("SELECT '{}'", "x".repeat(bytes - "SELECT ''".len()));
    for text in told(&served, &of(262_145)).await {
        assert!(text.contains("262145 bytes; the limit is 262144"), "{text}");
    }
    let (name, message) = {
        // Fewer characters than bytes: Athena counts bytes.
        let sql = format!("SELECT '{}'", "é".repeat(140_000));
        refused(&served, "StartQueryExecution", json!({ "QueryString": sql })).await
    };
    assert_eq!(name, "InvalidRequestException");
    assert!(message.contains("the limit is 262144"), "{message}");
    let most = of(262_144);
    let lines = ["Content-Type: application/sql"];
    assert_eq!(request(&served, "POST", "/v1/query", &lines, &most).await.status, 200);
    assert!(Client::of(&served).ask(&most).await["error"].is_null());
    let id = start(&served, json!({ "QueryString": most })).await;
    assert_eq!(over(&served, &id).await["Status"]["State"], "SUCCEEDED");
}
