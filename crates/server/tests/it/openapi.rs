//! What the document at `/openapi.json` says, held against what the server answers.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use traillake_server::Followed;
use traillake_server::auth::Role;

use crate::athena_session::{bench, run};
use crate::served::{Served, parts};

/// Headers of HTTP itself.
const OF_HTTP: [&str; 5] =
    ["connection", "content-length", "content-type", "date", "transfer-encoding"];
const NAMES_AWS: &str =
    "X-Amz-Target: AmazonAthena.ListWorkGroups\r\nContent-Type: application/x-amz-json-1.1\r\n";

/// What came for a request.
struct Came {
    status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    has_body: bool,
    raw: Vec<u8>,
}

/// Sends a request such as `GET /path`, with further lines in its head.
async fn send(served: &Served, asked: &str, lines: &str, body: &str) -> Came {
    let (method, path) = asked.split_once(' ').unwrap();
    let lines = format!("Connection: close\r\nContent-Length: {}\r\n{lines}", body.len());
    let request = served.head(method, path, &lines) + body;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).await.unwrap();
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(raw[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Came { status, headers, has_body: raw.len() > end + 4, raw }
}

/// The document, and which of its operations were asked.
struct Held {
    document: Value,
    asked: BTreeSet<(String, String)>,
}

impl Held {
    /// Sends a request: what comes must have that status, and be described. Returns its JSON.
    async fn ask(
        &mut self,
        served: &Served,
        asked: &str,
        (lines, body): (&str, &str),
        status: u16,
    ) -> Value {
        let came = send(served, asked, lines, body).await;
        let text = String::from_utf8_lossy(&came.raw).into_owned();
        assert_eq!(came.status, status, "{asked} {lines}{body}: {text}");
        let (method, path) = asked.split_once(' ').unwrap();
        let (method, path) = (method.to_lowercase(), path.split('?').next().unwrap());
        let template = self.template(path);
        let response = &self.document["paths"][&template][&method]["responses"][status.to_string()];
        assert!(response.is_object(), "{asked}: {status} is not described");
        for (name, _) in &came.headers {
            let known = OF_HTTP.contains(&name.as_str()) || response["headers"][name].is_object();
            assert!(known, "{asked}: {status} has `{name}`, which is not described");
        }
        self.asked.insert((template.clone(), method.clone()));
        if !came.has_body {
            return Value::Null;
        }
        let kind = came.headers.iter().find(|(name, _)| name == "content-type");
        let kind = kind.map_or("", |(_, kind)| kind.as_str());
        let schema = &response["content"][kind]["schema"];
        assert!(schema.is_object(), "{asked}: {status} is `{kind}`, which is not described");
        if kind != "application/json" {
            return Value::Null;
        }
        let (_, told) = parts(asked, came.raw);
        self.fits(&told, schema, asked);
        told
    }

    /// The path of the document that a path is one of: that which has most parts as they are.
    fn template(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |template: &&String| {
            let wanted: Vec<&str> = template.split('/').collect();
            // A key has slashes in it.
            let is_long = template.ends_with("{key}") && parts.len() > wanted.len();
            let mut pairs = wanted.iter().zip(&parts);
            (is_long || parts.len() == wanted.len())
                && pairs.all(|(wanted, part)| {
                    wanted == part || (wanted.starts_with('{') && !part.is_empty())
                })
        };
        let paths = self.document["paths"].as_object().unwrap();
        let as_they_are =
            |found: &&String| found.split('/').filter(|part| !part.starts_with('{')).count();
        let found = paths.keys().filter(fits).max_by_key(as_they_are);
        found.unwrap_or_else(|| panic!("{path} is not described")).clone()
    }

    /// Every member of an object is one of its schema's.
    fn fits(&self, value: &Value, schema: &Value, asked: &str) {
        let schema = match schema["$ref"].as_str() {
            Some(place) => self.document.pointer(place.trim_start_matches('#')).unwrap(),
            None => schema,
        };
        let (Some(members), Some(known)) = (value.as_object(), schema["properties"].as_object())
        else {
            return;
        };
        for (name, value) in members {
            let schema = known.get(name);
            let schema = schema.unwrap_or_else(|| panic!("{asked}: `{name}` is not described"));
            self.fits(value, schema, asked);
        }
    }

    fn operations(&self) -> BTreeSet<(String, String)> {
        let paths = self.document["paths"].as_object().unwrap().iter();
        let all = paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| (path.clone(), method.clone()))
        });
        all.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_described() {
    let bench = bench().await;
    let token = bench.token_with("alice", Role::Ingest, None);
    let mut served = bench.serve_with(|options| options.followed = Some(Followed::default())).await;
    served.token = Some(token);
    let document = served.got("/openapi.json").await;
    let mut held = Held { document, asked: BTreeSet::new() };
    own(&mut held, &served).await;
    trino(&mut held, &served).await;
    aws(&mut held, &served).await;
    assert_eq!(held.asked, held.operations());

    // Whatever is asked, without credentials and by a page of another place.
    let token = served.token.take();
    for (token, line, refused) in [(None, "", 401), (token, "Sec-Fetch-Site: cross-site\r\n", 403)]
    {
        served.token = token;
        for (path, method) in held.operations() {
            let (lines, status) = match path.as_str() {
                "/" => (format!("{line}{NAMES_AWS}"), 400),
                "/health" if served.token.is_none() => continue,
                "/{bucket}" | "/{bucket}/{key}" => (line.to_owned(), 403),
                _ => (line.to_owned(), refused),
            };
            let parts = path.split('/').map(|part| if part.contains('{') { "none" } else { part });
            let path = parts.collect::<Vec<_>>().join("/");
            let asked = format!("{} {path}", method.to_uppercase());
            held.ask(&served, &asked, (lines.as_str(), ""), status).await;
        }
    }
}

async fn own(held: &mut Held, served: &Served) {
    let id = run(served, "SELECT 1 AS one").await;
    let events = "sql=SELECT+eventName+FROM+events";
    for format in ["json", "ndjson", "csv", "arrow", "parquet"] {
        let asked = format!("/v1/query?format={format}&{events}");
        held.ask(served, &format!("GET {asked}"), ("", ""), 200).await;
        held.ask(served, &format!("HEAD {asked}"), ("", ""), 200).await;
    }
    let trailers = format!("GET /v1/query?format=csv&{events}");
    held.ask(served, &trailers, ("TE: trailers\r\n", ""), 200).await;
    let (json, sql) = ("Content-Type: application/json\r\n", "Content-Type: application/sql\r\n");
    for (asked, lines, body, status) in [
        ("POST /v1/query", json, r#"{"sql": "SELECT 1"}"#, 200),
        ("POST /v1/query?format=csv", sql, "SELECT 1", 200),
        ("POST /v1/query", "Content-Type: text/plain\r\n", "SELECT 1", 400),
    ] {
        held.ask(served, asked, (lines, body), status).await;
    }
    for (asked, status) in [
        (format!("GET /v1/query?{events}&rows_max=1"), 422),
        ("GET /v1/query?sql=SELECT+nothing".to_owned(), 400),
        ("GET /v1/query?sql=SELECT+1&store=none".to_owned(), 404),
        ("HEAD /v1/query".to_owned(), 400),
        ("GET /v1/queries".to_owned(), 200),
        ("GET /v1/queries?limit=x".to_owned(), 400),
        ("GET /v1/queries?everybody=true".to_owned(), 403),
        (format!("GET /v1/queries/{id}"), 200),
        ("GET /v1/queries/none".to_owned(), 404),
        (format!("DELETE /v1/queries/{id}"), 200),
        (format!("POST /v1/queries/{id}/cancel"), 200),
        ("POST /v1/queries/none/cancel".to_owned(), 404),
        ("GET /v1/queries/%ff".to_owned(), 400),
        ("GET /v1/stores".to_owned(), 200),
        ("GET /v1/schema".to_owned(), 200),
        ("GET /v1/schema?store=none".to_owned(), 404),
        ("GET /v1/samples".to_owned(), 200),
        ("GET /v1/sources".to_owned(), 200),
        ("POST /v1/sources/look".to_owned(), 202),
        ("GET /health".to_owned(), 200),
        ("GET /ready".to_owned(), 200),
        ("GET /ready?max_lag=0".to_owned(), 503),
        ("GET /ready?max_lag=x".to_owned(), 400),
        ("GET /metrics".to_owned(), 200),
        ("GET /openapi.json".to_owned(), 200),
    ] {
        held.ask(served, &asked, ("", ""), status).await;
    }
}

async fn trino(held: &mut Held, served: &Served) {
    for sql in [
        "USE traillake.default",
        "SET SESSION query_max_run_time = '1m'",
        "RESET SESSION query_max_run_time",
        "PREPARE one FROM SELECT 1",
        "START TRANSACTION",
        "COMMIT",
        "SELECT nothing",
    ] {
        held.ask(served, "POST /v1/statement", ("", sql), 200).await;
    }
    let prepared = "X-Trino-Prepared-Statement: one=SELECT+1\r\n";
    held.ask(served, "POST /v1/statement", (prepared, "DEALLOCATE PREPARE one"), 200).await;
    held.ask(served, "POST /v1/statement", ("", ""), 400).await;
    held.ask(served, "HEAD /v1/statement", ("", ""), 200).await;
    for (method, status) in [("HEAD", 200), ("GET", 200), ("DELETE", 204)] {
        let first = held.ask(served, "POST /v1/statement", ("", "SELECT 1"), 200).await;
        let next = first["nextUri"].as_str().unwrap();
        let (_, path) = next.split_once(&served.address.to_string()).unwrap();
        held.ask(served, &format!("{method} {path}"), ("", ""), status).await;
        let none = format!("{method} /v1/statement/executing/none/none/1");
        held.ask(served, &none, ("", ""), 404).await;
    }
    let id = run(served, "SELECT 1").await;
    for (asked, status) in [
        (format!("GET /v1/query/{id}"), 200),
        (format!("DELETE /v1/query/{id}"), 204),
        ("GET /v1/query/none".to_owned(), 410),
        ("DELETE /v1/query/none".to_owned(), 410),
        ("GET /v1/info".to_owned(), 200),
        ("GET /v1/info/state".to_owned(), 200),
    ] {
        held.ask(served, &asked, ("", ""), status).await;
    }
}

async fn aws(held: &mut Held, served: &Served) {
    let id = run(served, "SELECT 1 AS one").await;
    let keys = "<Delete><Object><Key>none</Key></Object></Delete>";
    let file = format!("/traillake_results/{id}.csv");
    for (asked, lines, body, status) in [
        ("POST /".to_owned(), NAMES_AWS, "{}", 200),
        ("POST /".to_owned(), "", "", 400),
        ("GET /bucket?list-type=2".to_owned(), "", "", 200),
        ("GET /bucket".to_owned(), "", "", 501),
        ("GET /b".to_owned(), "", "", 400),
        ("HEAD /bucket".to_owned(), "", "", 200),
        ("POST /bucket?delete".to_owned(), "", keys, 200),
        ("POST /bucket".to_owned(), "", "", 405),
        (format!("GET {file}"), "", "", 200),
        (format!("HEAD {file}"), "", "", 200),
        (format!("GET {file}"), "Range: bytes=1-3\r\n", "", 206),
        (format!("GET {file}"), "If-None-Match: *\r\n", "", 304),
        (format!("GET {file}"), "If-Match: \"none\"\r\n", "", 412),
        (format!("GET {file}"), "Range: bytes=9999-\r\n", "", 416),
        (format!("GET {file}?acl"), "", "", 501),
        ("GET /bucket/none".to_owned(), "", "", 404),
        (format!("DELETE {file}?acl"), "", "", 501),
        (format!("DELETE {file}"), "", "", 204),
    ] {
        held.ask(served, &asked, (lines, body), status).await;
    }
}

/// The names that an error says were expected.
fn expected(told: &Value) -> BTreeSet<String> {
    let message = told["error"]["message"].as_str().unwrap();
    let (_, names) = message.split_once("expected").unwrap_or_else(|| panic!("{message}"));
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_parameters_are_those_that_are_taken() {
    let bench = bench().await;
    let served = bench.serve().await;
    let document = served.got("/openapi.json").await;
    let described = |path: &str| -> BTreeSet<String> {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let of_url = parameters.iter().filter(|found| found["in"] == "query");
        of_url.map(|found| found["name"].as_str().unwrap().to_owned()).collect()
    };
    for path in ["/v1/queries", "/v1/schema", "/ready"] {
        let (status, told) = served.get(&format!("{path}?nonsense=1")).await;
        assert_eq!((status, expected(&told)), (400, described(path)), "{path}: {told}");
    }
    let json = "Content-Type: application/json\r\n";
    let came = send(&served, "POST /v1/query", json, r#"{"nonsense": 1}"#).await;
    let (_, told) = parts("POST /v1/query", came.raw);
    let body = &document["paths"]["/v1/query"]["post"]["requestBody"];
    let members = &body["content"]["application/json"]["schema"]["properties"];
    let members: BTreeSet<String> = members.as_object().unwrap().keys().cloned().collect();
    assert_eq!(expected(&told), members);
    // In a URL names are open, for the values of parameters.
    let mut unknown = BTreeSet::new();
    for name in described("/v1/query").into_iter().chain(["nonsense".to_owned()]) {
        let (_, told) = served.get(&format!("/v1/query?sql=SELECT+1&{name}=1")).await;
        if told.to_string().contains("means nothing here") {
            unknown.insert(name);
        }
    }
    assert_eq!(unknown, BTreeSet::from(["nonsense".to_owned()]));
}
