//! Trino's protocol as bytes: pages and their addresses, errors, cancel, a client that goes away.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::served::{Bench, Served};

#[path = "trino_faults.rs"]
mod faults;
#[path = "trino_kept.rs"]
mod kept;

/// Runs far longer than any test.
pub const ENDLESS: &str = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS a (x), \
    UNNEST(sequence(1, 10000)) AS b (y), UNNEST(sequence(1, 10000)) AS c (z) \
    WHERE x * y % 10007 = z";

/// A response, taken apart.
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.body))
    }

    /// The values of a header, in any case.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

/// A client of Trino's: what it sends with every request.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    pub headers: Vec<(String, String)>,
}

impl Client {
    pub fn of(served: &Served) -> Client {
        Client::at(served.address)
    }

    pub fn at(address: SocketAddr) -> Client {
        let headers = [
            ("X-Trino-User", "ana"),
            ("X-Trino-Client-Capabilities", "PARAMETRIC_DATETIME"),
            ("X-Trino-Catalog", "traillake"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Client { address, headers }
    }

    /// One that is known by its token.
    pub fn known(served: &Served, token: &str) -> Client {
        let headers = vec![("Authorization".to_owned(), format!("Bearer {token}"))];
        Client { address: served.address, headers }
    }

    pub fn with(mut self, name: &str, value: &str) -> Client {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends a request; a minute without an answer is a failure.
    pub async fn send(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let sent = self.exchange(method, path, body);
        tokio::time::timeout(Duration::from_secs(60), sent).await.expect("an answer in time")
    }

    async fn exchange(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Posts a statement that must be accepted.
    pub async fn post(&self, sql: &str) -> Value {
        let reply = self.send("POST", "/v1/statement", sql.as_bytes()).await;
        assert_eq!(reply.status, 200, "{sql}: {}", reply.body);
        reply.json()
    }

    pub async fn get(&self, page: &Value) -> Value {
        let reply = self.send("GET", &self.next(page), b"").await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }

    /// The path of the page after `page`.
    pub fn next(&self, page: &Value) -> String {
        let next = page["nextUri"].as_str().unwrap_or_else(|| panic!("no next page: {page}"));
        next.strip_prefix(&format!("http://{}", self.address)).expect("an address here").to_owned()
    }

    /// Asks and reads all pages: the last, with the columns and rows of all.
    pub async fn ask(&self, sql: &str) -> Value {
        let mut page = self.post(sql).await;
        let (mut rows, mut columns) = (Vec::new(), Value::Null);
        loop {
            rows.extend(page["data"].as_array().cloned().unwrap_or_default());
            if page["columns"].is_array() {
                columns = page["columns"].clone();
            }
            if page["nextUri"].is_null() {
                page["data"] = rows.into();
                page["columns"] = columns;
                return page;
            }
            page = self.get(&page).await;
        }
    }

    /// Rows of a statement that must go well.
    pub async fn rows(&self, sql: &str) -> Value {
        let page = self.ask(sql).await;
        assert!(page["error"].is_null(), "{sql}: {}", page["error"]);
        page["data"].clone()
    }
}

pub fn event(id: u32, name: &str) -> String {
    format!(
        concat!(
            r#"{{"eventVersion":"1.08","eventTime":"2024-05-01T10:00:{:02}Z","#,
            r#""eventSource":"s3.amazonaws.com","eventName":"{}","awsRegion":"eu-central-1","#,
            r#""eventID":"e{}","recipientAccountId":"111122223333","requestParameters":"#,
            r#"{{"bucketName":"Bücher \"1\"","n":null}},"readOnly":true,"#,
            r#""eventCategory":"Management"}}"#
        ),
        id % 60,
        name,
        id
    )
}

pub async fn bench() -> Bench {
    Bench::with(&[event(1, "GetObject"), event(2, "PutObject"), event(3, "GetObject")]).await
}

#[tokio::test]
async fn rows_come_in_pages_and_a_page_can_be_asked_for_again() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client = Client::of(&served);
    let sql = "SELECT a.x, b.y, 'some text to fill pages' FROM UNNEST(sequence(1, 10000)) AS a (x) \
        CROSS JOIN UNNEST(sequence(1, 30)) AS b (y)";
    let posted = client.post(sql).await;
    assert_eq!(posted["stats"]["state"], "QUEUED");
    assert!(posted["data"].is_null() && posted["columns"].is_null(), "{posted}");
    let (mut page, mut before) = (posted, None::<String>);
    let (mut count, mut sum, mut pages) = (0, 0, 0);
    while !page["nextUri"].is_null() {
        let path = client.next(&page);
        let reply = client.send("GET", &path, b"").await;
        assert_eq!(reply.status, 200);
        assert!(reply.body.len() < 3 << 20, "{}", reply.body.len());
        let again = client.send("GET", &path, b"").await;
        assert_eq!((again.status, again.body == reply.body), (200, true));
        if let Some(before) = &before {
            assert_eq!(client.send("GET", before, b"").await.status, 410);
        }
        let (stem, token) = path.rsplit_once('/').unwrap();
        let beyond = format!("{stem}/{}", token.parse::<u64>().unwrap() + 2);
        assert_eq!(client.send("GET", &beyond, b"").await.status, 404);
        // A heartbeat takes no page.
        assert_eq!(client.send("HEAD", &path, b"").await.status, 200);
        page = reply.json();
        for row in page["data"].as_array().into_iter().flatten() {
            count += 1;
            sum += row[0].as_i64().unwrap() * row[1].as_i64().unwrap();
        }
        pages += 1;
        before = Some(path);
    }
    assert_eq!(page["stats"]["state"], "FINISHED");
    assert_eq!((count, sum), (300_000, (10_000 * 10_001 / 2) * (30 * 31 / 2)));
    assert!(pages > 5, "{pages}");
    let path = format!("/v1/queries/{}", page["id"].as_str().unwrap());
    let record = client.send("GET", &path, b"").await.json();
    assert_eq!((&record["status"], &record["row_count"]), (&json!("FINISHED"), &json!(300_000)));
    assert_eq!(record["protocol"], "trino");
}

#[tokio::test]
async fn errors_have_trinos_names_and_their_place() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client =
        Client::of(&served).with("X-Trino-Prepared-Statement", "q=SELECT+nothing+FROM+events");
    for (sql, name, place) in [
        ("SELECT\n  eventTyme FROM events", "COLUMN_NOT_FOUND", Some((2, 3))),
        ("SELECT 1 FROM nowhere", "TABLE_NOT_FOUND", Some((1, 15))),
        ("SELECT nofunction(1)", "FUNCTION_NOT_FOUND", Some((1, 8))),
        ("SELECT 1 +", "SYNTAX_ERROR", Some((1, 11))),
        ("SELEC 1", "SYNTAX_ERROR", Some((1, 1))),
        ("SELECT 1 = 'a' AND 1 + true", "TYPE_MISMATCH", None),
        ("DELETE FROM events", "NOT_SUPPORTED", Some((1, 1))),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO", None),
        ("SELECT CAST('x' AS bigint)", "INVALID_CAST_ARGUMENT", None),
        ("SELECT eventName, count(*) FROM events", "EXPRESSION_NOT_AGGREGATE", None),
        ("EXECUTE missing", "NOT_FOUND", None),
        ("EXECUTE q", "COLUMN_NOT_FOUND", Some((1, 8))),
        ("EXECUTE q USING 1", "INVALID_PARAMETER_USAGE", None),
        ("EXECUTE IMMEDIATE 'SELECT nothing FROM events'", "COLUMN_NOT_FOUND", Some((1, 27))),
        ("EXECUTE IMMEDIATE 'SELECT ?' USING now()", "SYNTAX_ERROR", Some((1, 36))),
        ("SELECT nothing FROM system.jdbc.catalogs", "COLUMN_NOT_FOUND", Some((1, 8))),
        (
            "WITH a AS (SELECT 1 x)\nSELECT nothing FROM a, system.jdbc.catalogs",
            "COLUMN_NOT_FOUND",
            Some((2, 8)),
        ),
        ("USE nowhere", "SCHEMA_NOT_FOUND", Some((1, 5))),
        ("USE other.default", "CATALOG_NOT_FOUND", Some((1, 5))),
        ("COMMIT", "NOT_IN_TRANSACTION", None),
        ("SET SESSION query_max_run_time = 'long'", "INVALID_SESSION_PROPERTY", None),
    ] {
        let page = client.ask(sql).await;
        let error = &page["error"];
        let found = &error["errorLocation"];
        let found = found["lineNumber"].as_u64().zip(found["columnNumber"].as_u64());
        assert_eq!(error["errorName"], name, "{sql}: {page}");
        if let Some(place) = place {
            assert_eq!(found, Some(place), "{sql}: {error}");
        }
        assert_eq!(error["errorType"], "USER_ERROR", "{sql}");
        assert_eq!(page["stats"]["state"], "FAILED", "{sql}");
        assert!(error["failureInfo"]["suppressed"].is_array(), "{sql}");
        // What fails only as it runs has told its columns by then.
        let ran = ["SELECT 1 / 0", "SELECT CAST('x' AS bigint)"].contains(&sql);
        assert!(ran || page["columns"].is_null(), "{sql}: {page}");
    }
}

#[tokio::test]
async fn limits_are_errors_that_name_themselves() {
    let bench = bench().await;
    let served = bench.serve_with(|options| {
        options.no_auth = true;
        options.rows_max = Some(2);
    });
    let served = served.await;
    let client = Client::of(&served).with("X-Trino-Session", "query_max_run_time=50ms");
    let page = client.ask(ENDLESS).await;
    assert_eq!(page["error"]["errorName"], "EXCEEDED_TIME_LIMIT", "{page}");
    assert_eq!(page["error"]["errorType"], "INSUFFICIENT_RESOURCES");
    let page = Client::of(&served).ask("SELECT eventID FROM events").await;
    assert_eq!(page["error"]["errorName"], "GENERIC_INSUFFICIENT_RESOURCES", "{page}");
}

async fn status_of(client: &Client, id: &str) -> String {
    let record = client.send("GET", &format!("/v1/queries/{id}"), b"").await.json();
    record["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_query_can_be_cancelled() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client = Client::of(&served);
    for path_of in [
        |client: &Client, page: &Value| ("DELETE", client.next(page)),
        |_: &Client, page: &Value| {
            ("DELETE", format!("/v1/query/{}", page["id"].as_str().unwrap()))
        },
    ] {
        let posted = client.post(ENDLESS).await;
        let page = client.get(&posted).await;
        assert!(page["nextUri"].is_string() && page["data"].is_null(), "{page}");
        let (method, path) = path_of(&client, &page);
        assert_eq!(client.send(method, &path, b"").await.status, 204);
        let mut last = client.get(&page).await;
        while !last["nextUri"].is_null() {
            last = client.get(&last).await;
        }
        assert_eq!(last["error"]["errorName"], "USER_CANCELED", "{last}");
        assert_eq!(status_of(&client, posted["id"].as_str().unwrap()).await, "CANCELLED");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed() {
    let bench = bench().await;
    let served = bench.serve_with(|options| {
        options.no_auth = true;
        options.client_gone_after = Duration::from_secs(1);
    });
    let served = served.await;
    let client = Client::of(&served);
    // One that waits for a first row, and one that has taken a page of many.
    let many =
        "SELECT a.x FROM UNNEST(sequence(1, 10000)) AS a (x), UNNEST(sequence(1, 1000)) AS b (y)";
    let (endless, many) = (client.post(ENDLESS).await, client.post(many).await);
    let page = client.get(&many).await;
    for page in [endless, page] {
        let id = page["id"].as_str().unwrap();
        while status_of(&client, id).await != "CANCELLED" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while client.send("HEAD", &client.next(&page), b"").await.status != 404 {
            tokio::time::sleep(Duration::from_millis(1200)).await;
        }
    }
}

#[tokio::test]
async fn a_page_belongs_to_whoever_asked() {
    let bench = bench().await;
    bench.bring_in("private", &[event(9, "DeleteBucket")]).await;
    let (ana, ben) = (bench.token("ana", None), bench.token("ben", Some(&["default"])));
    let served = bench.serve_with(|_| ()).await;
    let (ana, ben) = (Client::known(&served, &ana), Client::known(&served, &ben));
    let posted = ana.post("SELECT current_user, count(*) FROM events").await;
    let path = ana.next(&posted);
    for method in ["GET", "HEAD", "DELETE"] {
        assert_eq!(ben.send(method, &path, b"").await.status, 404, "{method}");
    }
    let mut guessed = path.clone();
    guessed.replace_range(path.rfind("/y").unwrap() + 2..path.rfind("/y").unwrap() + 4, "zz");
    assert_eq!(ana.send("GET", &guessed, b"").await.status, 404);
    let page = ana.get(&posted).await;
    assert_eq!(page["data"], json!([["ana", 3]]), "{page}");
    // Stores that may not be seen are not there.
    let private = "SELECT count(*) FROM private.events";
    assert_eq!(ana.rows(private).await, json!([[1]]));
    // As any unknown name before a known table, it is read as the own store.
    assert_eq!(ben.rows(private).await, json!([[3]]));
    let in_schema = ben.clone().with("X-Trino-Schema", "private");
    assert_eq!(in_schema.rows("SELECT count(*) FROM events").await, json!([[3]]));
    let in_schema = ana.with("X-Trino-Schema", "private");
    assert_eq!(in_schema.rows("SELECT count(*) FROM events").await, json!([[1]]));
}

#[tokio::test]
async fn who_is_not_known_is_told_in_trinos_words() {
    let bench = bench().await;
    let served = bench.serve_with(|_| ()).await;
    let nobody = Client { address: served.address, headers: Vec::new() };
    let refused = nobody.send("POST", "/v1/statement", b"SELECT 1").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate").len(), 2, "{}", refused.head);
    assert!(!refused.body.starts_with('{'), "{}", refused.body);
    served.kill().await;
    let served = bench.serve().await;
    let nobody = Client { address: served.address, headers: Vec::new() };
    // A web page can send this much without asking the browser.
    let plain = nobody.clone().with("Content-Type", "text/plain");
    assert_eq!(plain.send("POST", "/v1/statement", b"SELECT 1").await.status, 401);
    let ana = nobody.with("X-Trino-User", "ana");
    for body in [b"".as_slice(), b"  \n", b"\xff\xfe"] {
        assert_eq!(ana.send("POST", "/v1/statement", body).await.status, 400);
    }
    assert_eq!(ana.send("GET", "/v1/info", b"").await.json()["coordinator"], true);
    assert_eq!(ana.send("GET", "/v1/info/state", b"").await.json(), "ACTIVE");
    let forwarded = ana.with("X-Forwarded-Proto", "https").post("SELECT 1").await;
    assert!(forwarded["nextUri"].as_str().unwrap().starts_with("https://"), "{forwarded}");
}
