//! A small lake, a server on it, and requests as bytes on a socket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use chrono::Utc;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
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
    /// What its servers' queries may take together.
    pub memory_bytes: u64,
}

impl Bench {
    /// A lake whose store `default` has these records, each the text of one.
    pub async fn with(records: &[String]) -> Bench {
        // A query that is to run until it is stopped holds more with every moment.
        let bench = Bench { folder: tempfile::tempdir().unwrap(), memory_bytes: 2 << 30 };
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

    /// Asks for a store to be deleted.
    pub async fn delete(&self, store: &str) {
        let lake = self.lake().await;
        let unprotected = lake.set_store(store, Utc::now(), |settings| {
            settings.termination_protection = false;
            Ok(())
        });
        unprotected.await.unwrap();
        lake.delete_store(store, Utc::now()).await.unwrap();
    }

    async fn lake(&self) -> Lake {
        let location = self.folder.path().join("lake");
        Lake::open_or_create(location.to_str().unwrap()).await.unwrap()
    }

    pub fn state(&self) -> State {
        State::open(&self.folder.path().join("state")).unwrap()
    }

    /// A file of the server's state.
    pub fn state_file(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    /// Makes a token of a user who may see `stores`.
    pub fn token(&self, user: &str, stores: Option<&[&str]>) -> String {
        self.token_with(user, Role::Read, stores)
    }

    /// Makes a token of a role.
    pub fn token_with(&self, user: &str, role: Role, stores: Option<&[&str]>) -> String {
        let new = NewCredential {
            kind: CredentialKind::Token,
            user: user.to_owned(),
            role,
            stores: stores.map(|stores| stores.iter().map(|name| (*name).to_owned()).collect()),
            expires_at: None,
        };
        self.state().issue_token(&new, Utc::now()).unwrap().token
    }

    /// Starts a server that asks nobody who they are.
    pub async fn serve(&self) -> Served {
        self.serve_with(|options| options.no_auth = true).await
    }

    /// Starts one in which a user's statements run one by one, and one waits.
    pub async fn serve_narrow(&self) -> Served {
        let narrow = |options: &mut ServerOptions| {
            options.no_auth = true;
            options.queries_at_once = 1;
            options.waiting_per_user = 1;
        };
        self.serve_with(narrow).await
    }

    pub async fn serve_with(&self, change: impl FnOnce(&mut ServerOptions)) -> Served {
        self.serve_until(Duration::ZERO, change).await
    }

    /// Starts a server that gives what is under way `grace` when it is stopped.
    pub async fn serve_until(
        &self,
        grace: Duration,
        change: impl FnOnce(&mut ServerOptions),
    ) -> Served {
        let lake = self.lake().await;
        let options = EngineOptions {
            store: "default".into(),
            memory_bytes: self.memory_bytes,
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
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            if stopped.await.is_err() {
                std::future::pending().await
            }
        };
        let serving = tokio::spawn(bound.serve(stopped, grace));
        Served { address, serving, stop, token: None }
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
    stop: oneshot::Sender<()>,
    /// What requests carry.
    pub token: Option<String>,
}

impl Served {
    /// Ends the server in the middle of whatever it does, as far as a process can do that to itself.
    pub async fn kill(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }

    /// Asks the server to stop; returns what ends with it.
    pub fn stop(self) -> JoinHandle<()> {
        let _ = self.stop.send(());
        self.serving
    }

    /// Gets a path; returns the status and the body.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, "", "").await
    }

    /// Gets a path that must be there.
    pub async fn got(&self, path: &str) -> Value {
        let (status, answer) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// The head of a request, with the credentials that requests carry.
    pub fn head(&self, method: &str, path: &str, more: &str) -> String {
        let authorization = match &self.token {
            Some(token) => format!("Authorization: Bearer {token}\r\n"),
            None => String::new(),
        };
        let host = self.address;
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}{more}\r\n")
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
        let more =
            format!("X-Amz-Target: {target}\r\nContent-Type: application/x-amz-json-1.1\r\n");
        self.ask("POST", "/", &more, body).await
    }

    /// Sends a request with further headers; returns the status and the body.
    pub async fn ask(&self, method: &str, path: &str, more: &str, body: &str) -> (u16, Value) {
        let more = format!("Connection: close\r\n{more}Content-Length: {}\r\n", body.len());
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = self.head(method, path, &more) + body;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        parts(path, answer)
    }
}

/// The status and the JSON of an answer, whole or in chunks.
pub fn parts(what: &str, answer: Vec<u8>) -> (u16, Value) {
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { dechunked(body) } else { body.to_owned() };
    (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{what}: {body}")))
}

fn dechunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body += &after[..size];
        rest = after[size..].trim_start_matches("\r\n");
    }
    body
}
