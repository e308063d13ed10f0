//! What is told of an answer beside its rows, in every format; and of one that there is not.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::lake_api::bench;
use crate::served::Served;
use crate::turns::HUGE;

/// Gets a path; returns the head of the answer and the bytes behind it.
async fn got(served: &Served, path: &str, more: &str) -> (String, Vec<u8>) {
    let head = served.head("GET", path, &format!("Connection: close\r\n{more}"));
    answered(served, &head).await
}

/// As [`got`], in HTTP/1.0.
async fn got_of_old(served: &Served, path: &str) -> (String, Vec<u8>) {
    let head = served.head("GET", path, "");
    answered(served, &head.replacen("HTTP/1.1", "HTTP/1.0", 1)).await
}

async fn answered(served: &Served, head: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap(), body)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[tokio::test]
async fn every_answer_says_what_it_saw_and_what_it_took() {
    let bench = bench().await;
    let served = bench.serve().await;
    // A database that is not here, and whose name no header holds as it is.
    let sql = "SELECT+eventName+FROM+%22gr%C3%B6%C3%9Fe%22.events+WHERE+requestID+%3D+'r1'";
    for format in ["json", "ndjson", "csv", "arrow", "parquet"] {
        let path = format!("/v1/query?format={format}&sql={sql}");
        let (head, body) = got(&served, &path, "TE: trailers\r\n").await;
        let id = header(&head, "x-traillake-query-id").unwrap();
        let snapshots = header(&head, "x-traillake-snapshots").unwrap();
        let snapshots: Value = serde_json::from_str(snapshots).unwrap();
        assert_eq!(snapshots[0]["store"], "default", "{format}: {head}");
        let warning = header(&head, "x-traillake-warning").unwrap_or_else(|| panic!("{head}"));
        let warning: String = serde_json::from_str(warning).unwrap();
        assert!(warning.contains("`größe`"), "{format}: {warning}");
        let link = format!("</v1/queries/{id}>; rel=\"status\"");
        assert_eq!(header(&head, "link"), Some(link.as_str()));
        assert_eq!(header(&head, "trailer"), Some("x-traillake-end"));

        let mark = b"\r\n0\r\nx-traillake-end: ";
        let place = body.windows(mark.len()).rposition(|window| window == mark);
        let place = place.unwrap_or_else(|| panic!("{format} has no trailer"));
        let end: Value = serde_json::from_slice(&body[place + mark.len()..]).unwrap();
        assert_eq!((&end["row_count"], &end["warnings"][0]), (&json!(1), &json!(warning)));
        let described = served.got(&format!("/v1/queries/{id}")).await;
        for name in ["row_count", "warnings"] {
            assert_eq!(end[name], described[name], "{format}: {name}");
        }
        for name in ["rows_read", "bytes_read", "requests"] {
            let (told, remembered) = (&end["statistics"][name], &described["statistics"][name]);
            assert_eq!(told, remembered, "{format}: {name}");
        }
        assert_eq!(end["statistics"]["rows_read"], 2, "{format}");

        let (head, body) = got(&served, &path, "").await;
        assert_eq!(header(&head, "trailer"), None);
        assert!(body.ends_with(b"\r\n0\r\n\r\n"), "{format}");
    }
}

#[tokio::test]
async fn who_is_not_known_is_told_that_it_is_about_credentials() {
    let bench = bench().await;
    let served = bench.serve_with(|_| ()).await;
    for path in ["/v1/stores", "/v1/query?sql=SELECT+1"] {
        let (status, told) = served.get(path).await;
        assert_eq!((status, &told["error"]["kind"]), (401, &json!("credentials")), "{told}");
    }
}

/// A body without a length ends with its connection, so nobody sees that it broke off.
#[tokio::test]
async fn an_answer_in_http_1_0_is_whole_or_an_error() {
    let bench = bench().await;
    let served = bench.serve().await;
    for format in ["ndjson", "csv", "arrow"] {
        let asked = |sql: &str, more: &str| format!("/v1/query?format={format}&sql={sql}{more}");
        let (head, body) = got_of_old(&served, &asked("SELECT+1+AS+one", "")).await;
        let length = body.len().to_string();
        assert!(head.contains(" 200 ") && !body.is_empty(), "{head}");
        assert_eq!(header(&head, "content-length"), Some(length.as_str()), "{head}");

        // It fails when its first rows are on their way.
        let fails = asked(HUGE, "&rows_max=12000");
        let (head, body) = got(&served, &fails, "").await;
        assert!(head.contains(" 200 ") && !body.ends_with(b"\r\n0\r\n\r\n"), "{head}");
        let (head, body) = got_of_old(&served, &fails).await;
        let told = String::from_utf8_lossy(&body);
        assert!(head.contains(" 422 ") && told.contains("12000"), "{head}{told:.500}");
    }
    let (head, body) = got_of_old(&served, &format!("/v1/query?format=csv&sql={HUGE}")).await;
    let told = String::from_utf8_lossy(&body);
    assert!(head.contains(" 400 ") && told.contains("needs HTTP/1.1"), "{head}{told:.500}");
}
