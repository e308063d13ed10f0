//! A small lake, a server on it, and requests as bytes on a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use chrono::Utc;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use traillake_ingest::{CancelFlag, IngestOptions, Silent, Source, ingest, store_spec};
use traillake_query::{Engine, EngineOptions, Rebuild};
use traillake_server::auth::Role;
use traillake_server::{
    Address, CredentialKind, NewCredential, Server, ServerOptions, State, bind,
};
use traillake_store::Lake;

/// A lake and the state of its server, in a folder that goes with them.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// A lake whose store `default` has these records, each the text of one.
    pub async fn with(records: &[String]) -> Bench {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        bench.bring_in("default", records).await;
        bench
    }

    /// Brings records into a store.
    pub async fn bring_in(&self, store: &str, records: &[String]) {
        let root = self.folder.path();
        let log = root.join(format!("{store}.json"));
        std::fs::write(&log, format!("{{\"Records\":[{}]}}", records.join(","))).unwrap();
        let lake = self.lake().await;
        let writer = Arc::new(lake.writer(store, &store_spec(), Utc::now()).await.unwrap());
        std::fs::create_dir_all(root.join("tmp")).unwrap();
        let options = IngestOptions::new(Some(root.join("lake")), root.join("tmp"));
        let sources = vec![Source::Path(log)];
        let cancel = CancelFlag::default();
        let report = ingest(writer, sources, options, &Silent, &cancel, Utc::now).await.unwrap();
        assert_eq!(report.records.stored, records.len() as u64, "{report:?}");
    }

    async fn lake(&self) -> Lake {
        let location = self.folder.path().join("lake");
        Lake::open_or_create(location.to_str().unwrap()).await.unwrap()
    }

    pub fn state(&self) -> State {
        State::open(&self.folder.path().join("state")).unwrap()
    }

    /// Makes a token of a user who may see `stores`.
    pub fn token(&self, user: &str, stores: Option<&[&str]>) -> String {
        let new = NewCredential {
            kind: CredentialKind::Token,
            user: user.to_owned(),
            role: Role::Read,
            stores: stores.map(|stores| stores.iter().map(|name| (*name).to_owned()).collect()),
            expires_at: None,
        };
        self.state().issue_token(&new, Utc::now()).unwrap().token
    }

    /// Starts a server that asks nobody who they are.
    pub async fn serve(&self) -> Served {
        self.serve_with(|options| options.no_auth = true).await
    }

    pub async fn serve_with(&self, change: impl FnOnce(&mut ServerOptions)) -> Served {
        let lake = self.lake().await;
        let options = EngineOptions {
            store: "default".into(),
            memory_bytes: 256 << 20,
            temp_dir: self.folder.path().to_path_buf(),
            timeout: None,
            rows_max: None,
            at: None,
            now: Utc::now(),
            since: None,
            until: None,
            rebuild: Arc::new(Original),
            looks: None,
            lookups: Vec::new(),
            system_tables: Vec::new(),
            aliases: Vec::new(),
            outline: None,
            partitions: 2,
        };
        let engine = Engine::new(lake, options).await.unwrap();
        let mut options = ServerOptions::new("default", 2, Arc::new(Utc::now));
        change(&mut options);
        let server = Server::new(engine, self.state(), options).await.unwrap();
        let bound = bind(server, &Address::Tcp(([127, 0, 0, 1], 0).into()), None).await.unwrap();
        let Address::Tcp(address) = bound.address.clone() else { unreachable!() };
        let serving = tokio::spawn(bound.serve(std::future::pending(), Duration::ZERO));
        Served { address, serving, token: None }
    }
}

#[derive(Debug)]
struct Original;

impl Rebuild for Original {
    fn columns(&self) -> &[&str] {
        traillake_cloudtrail::rebuild_columns()
    }

    fn rebuild(&self, rows: &RecordBatch) -> Result<ArrayRef, String> {
        let bytes = traillake_cloudtrail::rebuild_all(rows).map_err(|error| error.to_string())?;
        Ok(Arc::new(bytes))
    }
}

/// A server that runs.
pub struct Served {
    pub address: SocketAddr,
    serving: JoinHandle<()>,
    /// What requests carry.
    pub token: Option<String>,
}

impl Served {
    /// Ends the server in the middle of whatever it does, as far as a process can do that to itself.
    pub async fn kill(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }

    /// Does one operation of CloudTrail; returns the status and the body.
    pub async fn call(&self, operation: &str, body: &Value) -> (u16, Value) {
        let target = format!("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{operation}");
        self.post(&target, &body.to_string()).await
    }

    /// Does one operation that must go well.
    pub async fn done(&self, operation: &str, body: Value) -> Value {
        let (status, answer) = self.call(operation, &body).await;
        assert_eq!(status, 200, "{operation} {body}: {answer}");
        answer
    }

    /// Returns the name of the error that an operation must end in.
    pub async fn refused(&self, operation: &str, body: Value) -> String {
        let (status, answer) = self.call(operation, &body).await;
        assert_eq!(status, 400, "{operation} {body}: {answer}");
        assert!(answer["message"].as_str().is_some_and(|text| text.len() > 5), "{answer}");
        answer["__type"].as_str().unwrap().to_owned()
    }

    /// Starts a query and waits for its end; returns its id.
    pub async fn run(&self, sql: &str) -> String {
        let started = self.done("StartQuery", json!({ "QueryStatement": sql })).await;
        let id = started["QueryId"].as_str().unwrap().to_owned();
        self.over(&id).await;
        id
    }

    /// Waits until a query is over; returns its status.
    pub async fn over(&self, id: &str) -> String {
        loop {
            let described = self.done("DescribeQuery", json!({ "QueryId": id })).await;
            let status = described["QueryStatus"].as_str().unwrap();
            if !["QUEUED", "RUNNING"].contains(&status) {
                return status.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends bytes to a target of AWS's protocol; returns the status and the body.
    pub async fn post(&self, target: &str, body: &str) -> (u16, Value) {
        let authorization = match &self.token {
            Some(token) => format!("Authorization: Bearer {token}\r\n"),
            None => String::new(),
        };
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nX-Amz-Target: {target}\r\n\
             Content-Type: application/x-amz-json-1.1\r\n{authorization}Content-Length: {}\r\n\r\n\
             {body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|_| panic!("{target}: {body}")))
    }
}
