//! A server that is asked to stop while queries are under way.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::lake_api::bench;
use crate::served::{Bench, Served, parts};
use crate::turns::HUGE;

/// Longer than the buffers between two sockets, and read in a moment.
const LONG: &str = "SELECT+n,lpad('',9000,'x')+AS+x+FROM+UNNEST(sequence(1,3000))+AS+t(n)";

/// Asks, and reads the first bytes of the answer.
async fn begin(served: &Served, sql: &str) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let path = format!("/v1/query?sql={sql}");
    stream.write_all(served.head("GET", &path, "").as_bytes()).await.unwrap();
    let mut first = vec![0; 12];
    stream.read_exact(&mut first).await.unwrap();
    (stream, first)
}

/// Status and error of a query, as the next server will find them.
fn remembered(bench: &Bench, sql: &str) -> (String, Option<String>) {
    let database = rusqlite::Connection::open(bench.state_file("state.db")).unwrap();
    let found = "SELECT status, error FROM queries WHERE sql = ?";
    let sql = sql.replace('+', " ");
    database.query_row(found, [sql], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[tokio::test]
async fn what_is_under_way_may_end_and_nothing_new_begins() {
    let bench = bench().await;
    let served =
        bench.serve_until(Duration::from_secs(600), |options| options.no_auth = true).await;
    let (mut long, mut answer) = begin(&served, LONG).await;
    // A connection that is there already: no further one is accepted.
    let mut other = TcpStream::connect(served.address).await.unwrap();
    let head = served.head("GET", "/v1/query?sql=SELECT+1", "");
    let ask = async |stream: &mut TcpStream| {
        if stream.write_all(head.as_bytes()).await.is_err() {
            return None;
        }
        let mut answer = Vec::new();
        while !(answer.ends_with(b"\r\n0\r\n\r\n") || answer.ends_with(b"}}")) {
            let mut some = [0; 4_096];
            match stream.read(&mut some).await {
                Ok(read) if read > 0 => answer.extend_from_slice(&some[..read]),
                _ => return None,
            }
        }
        Some(parts("SELECT 1", answer))
    };
    assert_eq!(ask(&mut other).await.unwrap().0, 200);
    let ended = served.stop();
    // A connection on which nothing is under way is closed, unless it was quicker: then it is told.
    loop {
        match ask(&mut other).await {
            Some((200, _)) => {}
            Some(refused) => {
                let told = (refused.0, refused.1["error"]["message"].clone());
                assert_eq!(told, (503, json!("the server is stopping")));
                break;
            }
            None => break,
        }
    }
    drop(other);
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        let mut some = [0; 1 << 16];
        let read = long.read(&mut some).await.unwrap();
        assert_ne!(read, 0, "the answer broke off after {} bytes", answer.len());
        answer.extend_from_slice(&some[..read]);
    }
    drop(long);
    ended.await.unwrap();
    assert_eq!(parts(LONG, answer).1["row_count"], 3_000);
    assert_eq!(remembered(&bench, LONG), ("FINISHED".to_owned(), None));
}

#[tokio::test]
async fn what_takes_too_long_is_cancelled_and_recorded_so() {
    let bench = bench().await;
    let served = bench.serve().await;
    let (mut huge, mut answer) = begin(&served, HUGE).await;
    let (ended, _) = tokio::join!(served.stop(), huge.read_to_end(&mut answer));
    ended.unwrap();
    // What was cut off does not look whole.
    assert!(!answer.ends_with(b"\r\n0\r\n\r\n"));
    let cancelled = Some("the query was cancelled".to_owned());
    assert_eq!(remembered(&bench, HUGE), ("CANCELLED".to_owned(), cancelled));
}
