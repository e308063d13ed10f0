//! What goes wrong inside the server: a client of Trino's hears that it did, and the log says how.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use chrono::Utc;
use serde_json::json;
use traillake_query::{Engine, EngineOptions, Rebuild};
use traillake_server::{Address, Server, ServerOptions, bind};
use traillake_store::Lake;

use super::{Client, bench, status_of};
use crate::served::Bench;

/// The folder that a lake and its server's state share.
fn root(bench: &Bench) -> std::path::PathBuf {
    bench.state_file("").parent().unwrap().to_path_buf()
}

#[tokio::test]
async fn what_is_wrong_with_the_lake_is_said_in_the_log_alone() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client = Client::of(&served);
    let month = root(&bench).join("lake/stores/default/events/eventMonth=2024-05");
    for file in std::fs::read_dir(month).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let page = client.ask("SELECT eventName FROM events WHERE eventSource LIKE '%zon%'").await;
    let hidden = json!("the lake could not be read; the server's log says why");
    let error = &page["error"];
    assert_eq!(
        (&error["errorName"], &error["message"]),
        (&json!("GENERIC_INTERNAL_ERROR"), &hidden)
    );
    let path = format!("/v1/query/{}", page["id"].as_str().unwrap());
    let told = client.send("GET", &path, b"").await.json();
    assert_eq!((&told["state"], &told["failureInfo"]["message"]), (&json!("FAILED"), &hidden));
}

/// Stands for a fault of ours that is met while rows are made, in the task of the exchange.
#[derive(Debug)]
struct Panics;

impl Rebuild for Panics {
    fn columns(&self) -> &[&str] {
        traillake_cloudtrail::rebuild_columns()
    }

    fn rebuild(&self, _: &RecordBatch) -> Result<ArrayRef, String> {
        panic!("a fault that the test put here")
    }
}

/// Starts a server on a bench's lake that cannot make any event's text.
async fn serve_panicking(bench: &Bench) -> Client {
    let root = root(bench);
    let lake = Lake::open_or_create(root.join("lake").to_str().unwrap()).await.unwrap();
    let options = EngineOptions {
        store: "default".into(),
        memory_bytes: 256 << 20,
        temp_dir: root,
        timeout: None,
        rows_max: None,
        at: None,
        now: Utc::now(),
        since: None,
        until: None,
        rebuild: Arc::new(Panics),
        looks: None,
        lookups: Vec::new(),
        system_tables: Vec::new(),
        aliases: Vec::new(),
        outline: None,
        partitions: 2,
    };
    let engine = Engine::new(lake, options).await.unwrap();
    let mut options = ServerOptions::new("default", 2, Arc::new(Utc::now));
    options.no_auth = true;
    let server = Server::new(engine, bench.state(), options).await.unwrap();
    let bound = bind(server, &Address::Tcp(([127, 0, 0, 1], 0).into()), None).await.unwrap();
    let Address::Tcp(address) = bound.address.clone() else { unreachable!() };
    tokio::spawn(bound.serve(std::future::pending(), Duration::ZERO));
    Client::at(address)
}

#[tokio::test]
async fn a_client_hears_of_a_query_that_panics() {
    let bench = bench().await;
    let client = serve_panicking(&bench).await;
    let asked = client.ask("SELECT eventJson FROM events");
    let page = tokio::time::timeout(Duration::from_secs(60), asked).await.expect("an end");
    let error = &page["error"];
    assert_eq!(
        (&error["errorName"], &error["message"]),
        (&json!("GENERIC_INTERNAL_ERROR"), &json!("the query broke off"))
    );
    // It has given its turn back, and nobody else notices.
    while status_of(&client, page["id"].as_str().unwrap()).await == "RUNNING" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(client.rows("SELECT count(*) FROM events").await, json!([[3]]));
}

#[tokio::test]
async fn a_query_of_which_nothing_can_be_known_is_not_told_to_be_gone() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client = Client::of(&served);
    let page = client.ask("SELECT 1").await;
    let path = format!("/v1/query/{}", page["id"].as_str().unwrap());
    assert_eq!(client.send("GET", &path, b"").await.status, 200);
    let state = rusqlite::Connection::open(bench.state_file("state.db")).unwrap();
    state.execute("ALTER TABLE queries RENAME TO elsewhere", []).unwrap();
    for method in ["GET", "DELETE"] {
        let reply = client.send(method, &path, b"").await;
        assert_eq!(reply.status, 500, "{method}: {}", reply.body);
    }
}
