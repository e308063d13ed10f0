//! Turns of several users: nobody alone keeps the others waiting.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::lake_api::bench;
use crate::served::Served;

/// An answer that no buffer on the way holds.
pub const HUGE: &str = "SELECT+a.n,lpad('',1000,'x')+FROM+UNNEST(sequence(1,10000))+AS+a(n),\
    UNNEST(sequence(1,10000))+AS+b(m)";

/// Asks for an answer and reads no more than its beginning.
async fn unread(served: &Served) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = served.head("GET", &format!("/v1/query?format=csv&sql={HUGE}"), "");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn who_reads_none_of_four_answers_keeps_nobody_else_waiting() {
    let bench = bench().await;
    let (alice, bob) = (bench.token("alice", None), bench.token("bob", None));
    let mut served = bench.serve_with(|options| options.queries_at_once = 4).await;
    served.token = Some(alice);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(unread(&served).await);
    }
    let listed = served.got("/v1/queries").await;
    let running = listed["queries"].as_array().unwrap().iter();
    assert_eq!(running.filter(|query| query["status"] == "RUNNING").count(), 4, "{listed}");
    served.token = Some(bob);
    let asked = served.got("/v1/query?sql=SELECT+1+AS+one");
    let answer = tokio::time::timeout(Duration::from_secs(60), asked).await.expect("an answer");
    assert_eq!(answer["rows"], json!([{"one": 1}]));
    drop(held);
}

#[tokio::test]
async fn two_who_hold_all_turns_together_keep_nobody_else_waiting_for_ever() {
    let bench = bench().await;
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|user| bench.token(user, None));
    let mut served = bench
        .serve_with(|options| {
            options.queries_at_once = 2;
            options.stuck_after = Duration::from_millis(200);
        })
        .await;
    let mut held = Vec::new();
    for user in [&alice, &alice, &bob] {
        served.token = Some(user.clone());
        held.push(unread(&served).await);
    }
    served.token = Some(carol);
    for _ in 0..2 {
        let asked = served.got("/v1/query?sql=SELECT+1+AS+one");
        let answer = tokio::time::timeout(Duration::from_secs(60), asked).await.expect("an answer");
        assert_eq!(answer["rows"], json!([{"one": 1}]));
    }
    // Who has turns has no right to one beyond.
    served.token = Some(bob);
    let asked = served.got("/v1/query?sql=SELECT+1+AS+one");
    assert!(tokio::time::timeout(Duration::from_secs(1), asked).await.is_err());
    drop(held);
}
