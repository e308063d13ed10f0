//! What a connection may hold: room for its request, and a place while it takes its answers.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use traillake_server::auth::Role;
use traillake_server::{CredentialKind, NewCredential};

use crate::lake_api::bench;
use crate::served::{Served, parts};

const SOON: Duration = Duration::from_secs(60);

/// Sends the head of a request with a body of `bytes` and the first byte of that.
async fn begin(served: &Served, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let more = format!(
        "Connection: close\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n"
    );
    let head = served.head("POST", "/v1/query", &more);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b" ").await.unwrap();
    stream
}

async fn end(mut stream: TcpStream, rest: &str) -> (u16, serde_json::Value) {
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    parts(rest.trim(), answer)
}

#[tokio::test]
async fn who_is_not_known_takes_no_room_for_a_body() {
    let bench = bench().await;
    let token = bench.token("alice", None);
    let mut served = bench.serve_with(|options| options.bodies_bytes_max = 1 << 20).await;
    let mut unknown = Vec::new();
    for _ in 0..3 {
        unknown.push(begin(&served, 1 << 20).await);
    }
    served.token = Some(token);
    // Who sends it all hears why it is not wanted.
    let (status, answer) = end(unknown.remove(0), &" ".repeat((1 << 20) - 1)).await;
    assert_eq!(status, 401, "{answer}");
    let asked = r#"{"sql": "SELECT 1 AS one"}"#;
    let known = begin(&served, 1 << 20).await;
    let padded = format!("{asked}{}", " ".repeat((1 << 20) - 1 - asked.len()));
    let (status, answer) = tokio::time::timeout(SOON, end(known, &padded)).await.unwrap();
    assert_eq!((status, &answer["rows"]), (200, &json!([{"one": 1}])));
    drop(unknown);
}

#[tokio::test]
async fn bodies_that_are_known_share_the_room() {
    let bench = bench().await;
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.bodies_bytes_max = 1_000;
        })
        .await;
    let first = begin(&served, 2_000).await;
    // Each takes all of it, and whoever has it first, both are answered.
    let second = begin(&served, 2_000).await;
    let asked = r#"{"sql": "SELECT 1"}"#;
    let padded = format!("{asked}{}", " ".repeat(1_999 - asked.len()));
    let both = async { tokio::join!(end(first, &padded), end(second, &padded)) };
    let (first, second) = tokio::time::timeout(SOON, both).await.unwrap();
    assert_eq!((first.0, second.0), (200, 200));
    assert_eq!(served.get("/v1/stores").await.0, 200);
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_connection() {
    let bench = bench().await;
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.client_gone_after = Duration::from_millis(300);
        })
        .await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    let requests = served.head("GET", "/openapi.json", "").repeat(100);
    let closed = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(SOON, closed).await.expect("the server closes the connection");
    assert_eq!(served.get("/health").await.0, 200);
}

#[tokio::test]
async fn who_guesses_keys_learns_nothing_of_them() {
    let bench = bench().await;
    let key = |expires_at| {
        let new = NewCredential {
            kind: CredentialKind::AccessKey,
            user: "alice".to_owned(),
            role: Role::Read,
            stores: None,
            expires_at,
        };
        bench.state().issue_key(&new, Utc::now()).unwrap().id
    };
    let keys = [key(None), key(Some(Utc::now() - TimeDelta::days(1))), "TLAKNOBODY".to_owned()];
    let served = bench.serve_with(|_| ()).await;
    let mut told = Vec::new();
    for key in keys {
        let now = Utc::now();
        let more = format!(
            "Connection: close\r\nX-Amz-Date: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential={key}/{}/eu-central-1/cloudtrail/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={}\r\n",
            now.format("%Y%m%dT%H%M%SZ"),
            now.format("%Y%m%d"),
            "0".repeat(64)
        );
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let head = served.head("GET", "/v1/stores", &more);
        stream.write_all(head.as_bytes()).await.unwrap();
        let (status, answer) = end(stream, "").await;
        assert_eq!(status, 401);
        told.push(answer["error"]["message"].as_str().unwrap().to_owned());
    }
    assert!(told[0].contains("does not match"), "{told:?}");
    assert!(told.iter().all(|message| *message == told[0]), "{told:?}");
}
