//! A client of Athena's and S3's protocols that sends exactly what a test says.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::served::{Bench, Served};

/// An event as CloudTrail delivers it.
pub fn record(id: &str, name: &str) -> String {
    json!({
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "userName": "ada", "arn": "arn:aws:iam::1:user/ada"},
        "eventTime": "2024-05-01T10:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli",
        "requestParameters": {"bucketName": "it's \"mine\""},
        "responseElements": null,
        "eventID": id,
        "readOnly": true,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management"
    })
    .to_string()
}

/// A lake of three events.
pub async fn bench() -> Bench {
    let records: Vec<String> = ["GetObject", "PutObject", "ListBuckets"]
        .iter()
        .enumerate()
        .map(|(i, name)| record(&format!("00000000-0000-0000-0000-00000000000{i}"), name))
        .collect();
    Bench::with(&records).await
}

/// Does one operation; returns the status and the body.
pub async fn call(server: &Served, operation: &str, body: &Value) -> (u16, Value) {
    server.post(&format!("AmazonAthena.{operation}"), &body.to_string()).await
}

/// Does one operation that must go well.
pub async fn done(server: &Served, operation: &str, body: Value) -> Value {
    let (status, answer) = call(server, operation, &body).await;
    assert_eq!(status, 200, "{operation} {body}: {answer}");
    answer
}

/// Returns the name and the message of the error that an operation must end in.
pub async fn refused(server: &Served, operation: &str, body: Value) -> (String, String) {
    let (status, answer) = call(server, operation, &body).await;
    assert_eq!(status, 400, "{operation} {body}: {answer}");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("__type"), text("message"))
}

/// Starts a query and returns its id.
pub async fn start(server: &Served, body: Value) -> String {
    let started = done(server, "StartQueryExecution", body).await;
    started["QueryExecutionId"].as_str().unwrap().to_owned()
}

/// Waits until a query is over; returns how it is described.
pub async fn over(server: &Served, id: &str) -> Value {
    loop {
        let found = done(server, "GetQueryExecution", json!({ "QueryExecutionId": id })).await;
        let execution = found["QueryExecution"].clone();
        let state = execution["Status"]["State"].as_str().unwrap();
        if !["QUEUED", "RUNNING"].contains(&state) {
            return execution;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs a statement that must succeed; returns its id.
pub async fn run(server: &Served, sql: &str) -> String {
    let id = start(server, json!({ "QueryString": sql })).await;
    let execution = over(server, &id).await;
    assert_eq!(execution["Status"]["State"], "SUCCEEDED", "{sql}: {execution}");
    id
}

/// Returns the first page of a statement's rows: `None` is NULL.
pub async fn rows(server: &Served, body: Value) -> Vec<Vec<Option<String>>> {
    let id = start(server, body).await;
    let execution = over(server, &id).await;
    assert_eq!(execution["Status"]["State"], "SUCCEEDED", "{execution}");
    let page = done(server, "GetQueryResults", json!({ "QueryExecutionId": id })).await;
    texts(&page)
}

/// The texts of a page's rows.
pub fn texts(page: &Value) -> Vec<Vec<Option<String>>> {
    let rows = page["ResultSet"]["Rows"].as_array().unwrap();
    let row = |row: &Value| {
        let data = row["Data"].as_array().unwrap();
        let text = |datum: &Value| datum["VarCharValue"].as_str().map(str::to_owned);
        data.iter().map(text).collect()
    };
    rows.iter().map(row).collect()
}

/// An answer of HTTP's.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }

    pub fn text(&self) -> String {
        let chunked = self.header("transfer-encoding") == Some("chunked");
        assert!(!chunked, "objects have a length: {self:?}");
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// Sends a request with those further lines in its head.
pub async fn request(
    server: &Served,
    method: &str,
    path: &str,
    lines: &[&str],
    body: impl AsRef<[u8]>,
) -> Answer {
    let body = body.as_ref();
    let authorization = match &server.token {
        Some(token) => format!("Authorization: Bearer {token}\r\n"),
        None => String::new(),
    };
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{authorization}{lines}\
         Content-Length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer[end + 4..].to_vec() }
}
