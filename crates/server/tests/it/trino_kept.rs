//! Answers that wait to be fetched by Trino's clients: how much of them is kept, whose are given
//! up, and that a stop waits for them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::{Client, bench, status_of};

const SOON: Duration = Duration::from_secs(60);

fn id(page: &Value) -> &str {
    page["id"].as_str().unwrap()
}

/// Asks for one row of so many MiB and fetches nothing of it; returns when the query is over, and
/// its status.
async fn unfetched(client: &Client, mebibytes: usize) -> (Value, String) {
    let columns = (0..mebibytes).map(|n| format!("lpad('a', 1048576, 'a') AS c{n}"));
    let sql = format!("SELECT {}", columns.collect::<Vec<_>>().join(", "));
    let posted = client.post(&sql).await;
    loop {
        let status = status_of(client, id(&posted)).await;
        if !["QUEUED", "RUNNING"].contains(&status.as_str()) {
            return (posted, status);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// As `unfetched`, of a query that must go well.
async fn waiting(client: &Client, mebibytes: usize) -> Value {
    let (posted, status) = unfetched(client, mebibytes).await;
    assert_eq!(status, "FINISHED");
    posted
}

/// Fetches the page after `page`: it must be the last, and name the error and the limit.
async fn refused(client: &Client, page: &Value, name: &str, limit: &str) {
    let told = client.get(page).await;
    let error = &told["error"];
    assert_eq!((&error["errorName"], &told["nextUri"]), (&json!(name), &Value::Null), "{error}");
    assert_eq!(error["errorType"], "INSUFFICIENT_RESOURCES");
    assert!(error["message"].as_str().unwrap().contains(limit), "{error}");
}

/// Fetches all after `page`, which must be one row of so many columns.
async fn whole(client: &Client, page: &Value, columns: usize) {
    let (mut page, mut rows) = (page.clone(), Vec::new());
    while !page["nextUri"].is_null() {
        page = client.get(&page).await;
        rows.extend(page["data"].as_array().cloned().unwrap_or_default());
    }
    assert!(page["error"].is_null(), "{}", page["error"]);
    assert_eq!(rows.iter().map(|row| row.as_array().unwrap().len()).collect::<Vec<_>>(), [columns]);
}

const LOST: &str = "GENERIC_INSUFFICIENT_RESOURCES";

#[tokio::test]
async fn of_a_users_answers_those_go_that_nobody_has_asked_for_the_longest() {
    let bench = bench().await;
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.pages_of_one_bytes_max = 5 << 20;
        })
        .await;
    let client = Client::of(&served);
    let limit = "may take 5242880 bytes of one user";
    let (asked, unasked) = (waiting(&client, 2).await, waiting(&client, 2).await);
    assert_eq!(client.get(&asked).await["data"][0].as_array().unwrap().len(), 2);
    let third = waiting(&client, 2).await;
    for _ in 0..2 {
        refused(&client, &unasked, LOST, limit).await;
    }
    assert_eq!(status_of(&client, id(&unasked)).await, "FINISHED");
    // A page that was given already, and is asked for again.
    let fourth = waiting(&client, 2).await;
    refused(&client, &asked, LOST, limit).await;
    for kept in [third, fourth] {
        whole(&client, &kept, 2).await;
    }
    let (large, status) = unfetched(&client, 6).await;
    assert_eq!(status, "FAILED");
    refused(&client, &large, LOST, limit).await;
    // One that still runs is cancelled.
    let many = "SELECT a.x, lpad('', 1000, 'x') FROM UNNEST(sequence(1, 10000)) AS a (x), \
        UNNEST(sequence(1, 1000)) AS b (y)";
    let page = client.get(&client.post(many).await).await;
    for _ in 0..5 {
        unfetched(&client, 2).await;
    }
    while status_of(&client, id(&page)).await == "RUNNING" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(status_of(&client, id(&page)).await, "CANCELLED");
    refused(&client, &page, LOST, limit).await;
}

#[tokio::test]
async fn all_users_share_what_answers_may_take() {
    let bench = bench().await;
    let (ana, ben) = (bench.token("ana", None), bench.token("ben", None));
    let served = bench.serve_with(|options| options.pages_bytes_max = 5 << 20).await;
    let (ana, ben) = (Client::known(&served, &ana), Client::known(&served, &ben));
    let first = waiting(&ana, 2).await;
    let kept = [waiting(&ben, 2).await, waiting(&ben, 2).await];
    refused(&ana, &first, LOST, "may take 5242880 bytes of all users").await;
    for kept in kept {
        whole(&ben, &kept, 2).await;
    }
}

/// Sends a request on a connection that stays open.
async fn send(stream: &mut TcpStream, client: &Client, (method, path): (&str, &str), body: &str) {
    let (host, length) = (client.address, body.len());
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n");
    for (name, value) in &client.headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
}

/// Reads the answer to it.
async fn answer(stream: &mut TcpStream) -> Value {
    let mut text = String::new();
    loop {
        let mut some = [0; 4_096];
        let read = stream.read(&mut some).await.unwrap();
        assert_ne!(read, 0, "the connection is closed: {text}");
        text += std::str::from_utf8(&some[..read]).unwrap();
        let body = text.split_once("\r\n\r\n").map(|(_, body)| serde_json::from_str(body));
        if let Some(Ok(body)) = body {
            return body;
        }
    }
}

#[tokio::test]
async fn what_is_on_its_way_to_a_client_that_does_not_read_is_counted() {
    let bench = bench().await;
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.pages_of_one_bytes_max = 16 << 20;
        })
        .await;
    let client = Client::of(&served);
    // More than the buffers between two sockets hold.
    let unread = waiting(&client, 12).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    send(&mut stream, &client, ("GET", client.next(&unread).as_str()), "").await;
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let (page, status) = unfetched(&client, 12).await;
    assert_eq!(status, "FAILED");
    refused(&client, &page, "QUERY_QUEUE_FULL", "may take 16777216 bytes of one user").await;
    drop(stream);
    let gone = async { while unfetched(&client, 12).await.1 != "FINISHED" {} };
    tokio::time::timeout(SOON, gone).await.expect("room again");
}

#[tokio::test]
async fn queries_that_nobody_fetches_are_not_kept_without_end() {
    let bench = bench().await;
    let served = bench
        .serve_with(|options| {
            options.no_auth = true;
            options.pages_of_one_bytes_max = 64 << 10;
        })
        .await;
    let client = Client::of(&served);
    let mut accepted = 0;
    let refused = loop {
        let page = client.post("SELECT 1").await;
        if !page["error"].is_null() {
            break page;
        }
        accepted += 1;
        assert!(accepted <= 16);
    };
    assert_eq!(refused["error"]["errorName"], "QUERY_QUEUE_FULL", "{refused}");
    assert!(accepted > 8, "{accepted}");
}

#[tokio::test]
async fn a_stop_waits_for_answers_that_somebody_wants() {
    let bench = bench().await;
    for wanted in [true, false] {
        let grace = Duration::from_secs(600);
        let served = bench.serve_until(grace, |options| options.no_auth = true).await;
        let client = Client::of(&served);
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        send(&mut stream, &client, ("POST", "/v1/statement"), "SELECT 1").await;
        let mut page = answer(&mut stream).await;
        while status_of(&client, id(&page)).await != "FINISHED" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if !wanted {
            assert_eq!(client.send("DELETE", &client.next(&page), b"").await.status, 204);
        }
        let ended = served.stop();
        if wanted {
            // A server that did not wait would be gone.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let mut rows = Vec::new();
            while !page["nextUri"].is_null() {
                send(&mut stream, &client, ("GET", client.next(&page).as_str()), "").await;
                page = answer(&mut stream).await;
                rows.extend(page["data"].as_array().cloned().unwrap_or_default());
            }
            assert_eq!(rows, [json!([1])]);
        }
        tokio::time::timeout(SOON, ended).await.expect("the server ends").unwrap();
    }
}
