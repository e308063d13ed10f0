//! What a connection may hold: room for its request, and a place while it takes its answers; and what
//! it is told where there is none, or where the server fails.

use std::cell::Cell;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use traillake_server::auth::Role;
use traillake_server::{CredentialKind, NewCredential};

use crate::athena_session::record;
use crate::lake_api::bench;
use crate::served::{Bench, Served, parts};

const SOON: Duration = Duration::from_secs(60);
/// Far less than a body or a head may take.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Sends the head of a request with a body of `bytes` and the first byte of that.
async fn begin(served: &Served, bytes: usize) -> TcpStream {
    begin_with(served, bytes, "").await
}

/// As `begin`, with further headers.
async fn begin_with(served: &Served, bytes: usize, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let more = format!(
        "{more}Connection: close\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n"
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

/// Sends a request without a body; returns all that is answered.
async fn answered(served: &Served, head: &str) -> String {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Makes an access key of alice's; returns its id.
fn key(bench: &Bench, expires_at: Option<DateTime<Utc>>) -> String {
    let new = NewCredential {
        kind: CredentialKind::AccessKey,
        user: "alice".to_owned(),
        role: Role::Read,
        stores: None,
        expires_at,
    };
    bench.state().issue_key(&new, Utc::now()).unwrap().id
}

/// The headers of who knows the id of a key, and not its secret.
fn forged(key: &str) -> String {
    let now = Utc::now();
    format!(
        "X-Amz-Date: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential={key}/{}/eu-central-1/cloudtrail/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={}\r\n",
        now.format("%Y%m%dT%H%M%SZ"),
        now.format("%Y%m%d"),
        "0".repeat(64)
    )
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
async fn a_body_that_is_too_long_or_too_slow_is_refused_and_so_is_a_slow_head() {
    let bench = bench().await;
    let limits = |options: &mut traillake_server::ServerOptions| {
        options.no_auth = true;
        options.body_bytes_max = 2_000;
    };
    let served = bench.serve_with(limits).await;
    let too_long = "the request's body has more than 2000 bytes";
    // Said beforehand, and found out only as it comes.
    let (status, told) = end(begin(&served, 2_001).await, &" ".repeat(2_000)).await;
    assert_eq!((status, &told["error"]["message"]), (400, &json!(too_long)));
    let more = "Connection: close\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n";
    let body = format!("7d1\r\n{}\r\n0\r\n\r\n", " ".repeat(0x7d1));
    let answer = answered(&served, &(served.head("POST", "/v1/query", more) + &body)).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(too_long), "{answer}");
    let asked = r#"{"sql": "SELECT 1 AS one"}"#;
    let padded = format!("{asked}{}", " ".repeat(1_999 - asked.len()));
    assert_eq!(end(begin(&served, 2_000).await, &padded).await.0, 200);

    let body = async {
        let mut stream = begin(&served, 2_000).await;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    };
    let head = async {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"GET /v1/stores HTTP/1.1\r\nHost:").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    };
    let both = async { tokio::join!(body, head) };
    let (body, head) = tokio::time::timeout(SOON, both).await.expect("neither waits for ever");
    assert!(body.starts_with("HTTP/1.1 400 ") && body.contains("took longer than 30 s"), "{body}");
    assert!(head.starts_with("HTTP/1.1 408 ") && head.contains("longer than 15 s"), "{head}");
    assert_eq!(served.get("/v1/stores").await.0, 200);
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
    let ended = Some(Utc::now() - TimeDelta::days(1));
    let keys = [key(&bench, None), key(&bench, ended), "TLAKNOBODY".to_owned()];
    let served = bench.serve_with(|_| ()).await;
    let mut told = Vec::new();
    for key in keys {
        let more = format!("Connection: close\r\n{}", forged(&key));
        let answer = answered(&served, &served.head("GET", "/v1/stores", &more)).await;
        let (status, answer) = parts("/v1/stores", answer.into_bytes());
        assert_eq!(status, 401);
        told.push(answer["error"]["message"].as_str().unwrap().to_owned());
    }
    assert!(told[0].contains("does not match"), "{told:?}");
    assert!(told.iter().all(|message| *message == told[0]), "{told:?}");
}

#[tokio::test]
async fn no_credential_takes_all_the_room_and_some_is_kept_for_short_bodies() {
    let bench = bench().await;
    let key = key(&bench, None);
    let tokens: Vec<String> = (0..16).map(|n| bench.token(&format!("user{n}"), None)).collect();
    let mut served = bench.serve_with(|options| options.bodies_bytes_max = 16 << 20).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(begin_with(&served, 1 << 20, &forged(&key)).await);
    }
    // They have what they can get.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = r#"{"sql": "SELECT 1 AS one"}"#;
    served.token = Some(tokens[0].clone());
    let long = begin(&served, 1 << 20).await;
    let padded = format!("{asked}{}", " ".repeat((1 << 20) - 1 - asked.len()));
    let answer = tokio::time::timeout(AT_ONCE, end(long, &padded)).await;
    let (status, answer) = answer.expect("room for who is known");
    assert_eq!((status, &answer["rows"]), (200, &json!([{"one": 1}])));
    for token in tokens {
        served.token = Some(token);
        slow.push(begin(&served, 1 << 20).await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let short = begin(&served, asked.len() + 1).await;
    let answer = tokio::time::timeout(AT_ONCE, end(short, asked)).await;
    let (status, answer) = answer.expect("room for a short body");
    assert_eq!((status, &answer["rows"]), (200, &json!([{"one": 1}])));
    drop(slow);
}

#[tokio::test]
async fn who_finds_no_place_is_told_the_limit() {
    let bench = bench().await;
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.connections_max = 2;
        })
        .await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(TcpStream::connect(served.address).await.unwrap());
    }
    let request = served.head("GET", "/health", "Connection: close\r\n");
    let answer = answered(&served, &request).await;
    let head = answer.to_lowercase();
    for line in ["\r\nretry-after: 1\r\n", "\r\nconnection: close\r\n"] {
        assert!(head.contains(line), "{head}");
    }
    let (status, told) = parts("/health", answer.into_bytes());
    assert_eq!((status, &told["error"]["kind"]), (503, &json!("limit")));
    let message = told["error"]["message"].as_str().unwrap();
    assert!(message.contains("the limits are 2, and 512 of one address"), "{message}");
    // A place that is free again is taken.
    drop(idle);
    let free = async { while served.get("/health").await.0 != 200 {} };
    tokio::time::timeout(SOON, free).await.expect("a place");
}

#[tokio::test]
async fn a_head_is_no_longer_than_its_limit() {
    let bench = bench().await;
    let served = bench.serve().await;
    let more = format!("Connection: close\r\nX-Long: {}\r\n", "x".repeat(300_000));
    let whole = answered(&served, &served.head("GET", "/health", &more)).await;
    assert!(whole.starts_with("HTTP/1.1 200"), "{whole:.100}");
    // One that never ends is refused where it becomes too long, not when the patience does.
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let endless = format!("GET /health HTTP/1.1\r\nX-Long: {}", "x".repeat(340_000));
    let mut status = [0; 12];
    let refused = async {
        // It may be refused before all of it is sent.
        let _ = stream.write_all(endless.as_bytes()).await;
        stream.read_exact(&mut status).await
    };
    tokio::time::timeout(AT_ONCE, refused).await.expect("an answer").unwrap();
    assert_eq!(&status, b"HTTP/1.1 431");
}

/// As docs/clients/http.md says it.
#[tokio::test]
async fn what_is_no_request_is_refused_without_a_body() {
    let bench = bench().await;
    let served = bench.serve().await;
    let url = format!("/health?{}", "a".repeat(65_535));
    let many: String = (0..101).map(|number| format!("X-{number}: 1\r\n")).collect();
    let lengths = "Content-Length: 1\r\nContent-Length: 2\r\n";
    for (head, status) in [
        (served.head("GET", "/health", "no header\r\n"), "400 Bad Request"),
        (served.head("POST", "/v1/query", lengths), "400 Bad Request"),
        (served.head("GET", &url, ""), "414 URI Too Long"),
        (served.head("GET", "/health", &many), "431 Request Header Fields Too Large"),
    ] {
        let answer = answered(&served, &head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head:.100}: {answer}");
        let (lines, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(lines.to_lowercase().contains("content-length: 0"), "{head:.100}: {answer}");
        assert_eq!(body, "", "{head:.100}");
    }
}

#[tokio::test]
async fn however_often_it_is_asked_a_lake_is_looked_at_once_a_second() {
    let bench = bench().await;
    let served = bench.serve().await;
    let bring_in = async |number: usize| {
        let id = format!("00000000-0000-0000-0001-{number:012}");
        bench.bring_in("default", &[record(&id, &"X".repeat(number + 1))]).await;
    };
    let (began, over) = (Instant::now(), Cell::new(false));
    let rounds = async {
        for number in 0..12 {
            bring_in(number).await;
        }
        over.set(true);
    };
    let mut seen = Vec::new();
    let watch = async {
        while !over.get() {
            seen.push(served.got("/ready").await["last_round_at"].to_string());
        }
    };
    tokio::join!(rounds, watch);
    seen.dedup();
    let most = began.elapsed().as_secs() + 2;
    assert!(seen.len() as u64 <= most, "{most}: {seen:?}");
    // It is looked at again.
    let last = seen.pop();
    bring_in(12).await;
    let again = async {
        while Some(served.got("/ready").await["last_round_at"].to_string()) == last {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, again).await.expect("a later round");
}

#[tokio::test]
async fn what_fails_inside_is_told_to_the_log_alone() {
    let bench = bench().await;
    let token = bench.token("alice", None);
    let mut served = bench.serve_with(|_| ()).await;
    served.token = Some(token);
    let fail = |table: &str| {
        let database = rusqlite::Connection::open(bench.state_file("state.db")).unwrap();
        database.execute_batch(&format!("DROP TABLE {table}")).unwrap();
    };
    fail("queries");
    let (status, told) = served.get("/v1/query?sql=SELECT+1").await;
    assert_eq!((status, &told["error"]["kind"]), (500, &json!("fault")));
    let (_, athena) =
        served.post("AmazonAthena.StartQueryExecution", r#"{"QueryString": "SELECT 1"}"#).await;
    assert_eq!(athena["__type"], "InternalServerException");
    let mut answers = vec![told.to_string(), athena.to_string()];
    // Before anybody is known, in the words of each protocol.
    fail("credentials");
    for (path, more) in [
        ("/v1/stores", ""),
        ("/v1/info", ""),
        ("/bucket/key", ""),
        ("/", "X-Amz-Target: AmazonAthena.ListWorkGroups\r\n"),
    ] {
        let head = served.head("GET", path, &format!("Connection: close\r\n{more}"));
        answers.push(answered(&served, &head).await);
    }
    for answer in answers {
        assert!(answer.contains("log says why") && !answer.contains("no such table"), "{answer}");
    }
}
