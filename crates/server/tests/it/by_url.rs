//! What a URL can say: the values of a statement; and what its readers ask beside the answer: its head
//! alone, and parts of it.

use serde_json::json;

use crate::athena_session::request;
use crate::lake_api::bench;

#[tokio::test]
async fn values_are_bound_by_name_or_by_place() {
    let bench = bench().await;
    let served = bench.serve().await;
    let sql_lines = ["Content-Type: application/sql"];
    for (sql, values, expected) in [
        ("SELECT :a || :b AS t", "&p.b=x&p.a=%27", json!({"t": "'x"})),
        ("SELECT ? || ? AS t", "&p=x&p=%27", json!({"t": "x'"})),
        ("SELECT n FROM UNNEST(ARRAY[1, 2]) AS t(n) WHERE n > ?", "&p=1", json!({"n": 2})),
        ("SELECT ? = '' AS t", "&p=", json!({"t": true})),
    ] {
        let escaped: String = url::form_urlencoded::byte_serialize(sql.as_bytes()).collect();
        let by_url = format!("/v1/query?sql={escaped}{values}");
        let by_body = format!("/v1/query?{}", &values[1..]);
        for answer in [
            served.get(&by_url).await,
            served.ask("POST", &by_body, "Content-Type: application/sql\r\n", sql).await,
        ] {
            assert_eq!((answer.0, &answer.1["rows"]), (200, &json!([expected])), "{sql}");
        }
    }
    for (sql, values, told) in [
        ("SELECT ?, :a", "p=1&p.a=2", "by name (`p.NAME`) or by place (`p`), not both"),
        ("SELECT ?, ?", "p=1", "?"),
        ("SELECT ?", "p=1&p=2", "?"),
        ("SELECT ?", "p.a=1", "?"),
    ] {
        let path = format!("/v1/query?{values}");
        let answer = request(&served, "POST", &path, &sql_lines, sql).await;
        let text = String::from_utf8(answer.body).unwrap();
        assert!(answer.status == 400 && text.contains(told), "{sql} {values}: {text}");
    }
}

#[tokio::test]
async fn a_head_is_that_of_the_answer_and_runs_no_statement() {
    let bench = bench().await;
    let served = bench.serve().await;
    let formats = ["json", "ndjson", "csv", "arrow", "parquet"];
    for format in formats {
        let path = format!("/v1/query?format={format}&sql=SELECT+eventName+FROM+events");
        let head = request(&served, "HEAD", &path, &[], "").await;
        let answer = request(&served, "GET", &path, &[], "").await;
        assert_eq!((head.status, answer.status), (200, 200), "{format}: {head:?}");
        for name in ["content-type", "accept-ranges", "cache-control"] {
            assert!(head.header(name).is_some(), "{format}: {name}");
            assert_eq!(head.header(name), answer.header(name), "{format}: {name}");
        }
        assert_eq!(head.header("accept-ranges"), Some("none"), "{format}");
        // DuckDB takes a length for a promise that it can get parts; none is known.
        for name in ["content-length", "transfer-encoding", "x-traillake-query-id"] {
            assert_eq!(head.header(name), None, "{format}: {name}");
        }
        assert!(head.body.is_empty(), "{format}");
    }
    for path in ["/v1/query", "/v1/query?sql=SELECT+1&format=xml", "/v1/query?sql=SELECT+1&x=1"] {
        assert_eq!(request(&served, "HEAD", path, &[], "").await.status, 400, "{path}");
    }
    // Who accepts one format is told of that one.
    let accepts = ["Accept: text/csv"];
    let head = request(&served, "HEAD", "/v1/query?sql=SELECT+1", &accepts, "").await;
    assert_eq!(head.header("content-type"), Some("text/csv; charset=utf-8"));
    let asked = served.got("/v1/queries").await["queries"].as_array().unwrap().len();
    assert_eq!(asked, formats.len(), "no head is a query");
}

#[tokio::test]
async fn who_asks_for_a_part_gets_all_of_it() {
    let bench = bench().await;
    let served = bench.serve().await;
    let path = "/v1/query?format=csv&sql=SELECT+eventID+FROM+events+ORDER+BY+1";
    let whole = request(&served, "GET", path, &[], "").await;
    for range in ["Range: bytes=0-0", "Range: bytes=-4"] {
        let answer = request(&served, "GET", path, &[range], "").await;
        assert_eq!((answer.status, answer.header("content-range")), (200, None), "{range}");
        assert_eq!(answer.body, whole.body, "{range}");
    }
}
